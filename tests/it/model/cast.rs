//! Who and what may appear in a generated history: small pools, so that commands meet each other.

use countersign::{AccountAlias, AccountId, DeviceKind, DeviceName, Path, PhoneNumber, PrincipalId, Serial, UserId};

/// The two accounts.
pub const ACCOUNTS: [u64; 2] = [111_122_223_333, 444_455_556_666];

/// Names that users may have; the first two differ in case only.
pub const NAMES: [&str; 5] = ["lee", "LEE", "dana", "kim", "Root"];

/// Paths of users.
pub const PATHS: [&str; 3] = ["/", "/ops/", "/a//b/"];

/// A principal that may come to be: its account, and its user id unless it is root.
pub struct Person {
    pub account: usize,
    pub id: Option<&'static str>,
}

/// The roots of both accounts first, then users; none of their ids is ever given out twice.
pub const PEOPLE: [Person; 9] = [
    Person { account: 0, id: None },
    Person { account: 1, id: None },
    Person { account: 0, id: Some("AIDALEE") },
    Person { account: 0, id: Some("AIDADANA") },
    Person { account: 0, id: Some("AIDAKIM") },
    Person { account: 0, id: Some("AIDA3") },
    Person { account: 0, id: Some("AIDA4") },
    Person { account: 0, id: Some("AIDA5") },
    Person { account: 1, id: Some("AIDALEE") },
];

/// A device that shows codes and may come to be.
pub enum Thing {
    /// A virtual device: account, path, name.
    Virtual(usize, &'static str, &'static str),
    /// A hardware token by its serial number.
    Token(&'static str),
}

/// Some differ in case or path only, some from another account.
pub const THINGS: [Thing; 9] = [
    Thing::Virtual(0, "/", "phone"),
    Thing::Virtual(0, "/", "tablet"),
    Thing::Token("GAHT00000001"),
    Thing::Virtual(0, "/", "PHONE"),
    Thing::Virtual(0, "/x/", "phone"),
    Thing::Virtual(0, "/", "spare"),
    Thing::Virtual(1, "/", "phone"),
    Thing::Token("gaht00000001"),
    Thing::Token("GAHT00000002"),
];

/// Names of keys.
pub const KEY_NAMES: [&str; 2] = ["blue", "red.key"];

/// Keys in people's hands that do what a step wants; each has one credential.
pub const HANDS: usize = 4;

/// Keys that somebody else wrote; each makes a credential for each registration.
pub const SOFTS: usize = 2;

/// Numbers of phones, and how they are shown.
pub const NUMBERS: [(&str, &str); 2] = [("+14155551234", "+•••••••1234"), ("+4915112345678", "+•••••••••5678")];

/// Aliases of accounts.
pub const ALIASES: [&str; 2] = ["corp", "example-corp"];

/// A device of any kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Device {
    /// One of [`THINGS`].
    Thing(usize),
    /// The security key whose registration this challenge was.
    Key(usize),
    /// The SMS device of an account that bears this name.
    Sms(usize, &'static str),
}

impl Device {
    pub fn kind(self) -> DeviceKind {
        match self {
            Self::Thing(thing) if is_virtual(thing) => DeviceKind::VirtualTotp,
            Self::Thing(_) => DeviceKind::HardwareTotp,
            Self::Key(_) => DeviceKind::SecurityKey,
            Self::Sms(..) => DeviceKind::Sms,
        }
    }

    /// Its number in the pool, if it shows codes.
    pub fn thing(self) -> Option<usize> {
        match self {
            Self::Thing(thing) => Some(thing),
            Self::Key(_) | Self::Sms(..) => None,
        }
    }

    /// Whether two devices cannot be at once: names in ARNs ignore case (A27), serial numbers of tokens do not.
    pub fn is_like(self, other: Self) -> bool {
        match (self, other) {
            (Self::Thing(one), Self::Thing(two)) => known_as(one) == known_as(two),
            (Self::Sms(here, one), Self::Sms(there, two)) => here == there && one.eq_ignore_ascii_case(two),
            _ => self == other,
        }
    }
}

/// A credential that a key has made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// The only one of a key in somebody's hand.
    Hand(usize),
    /// The one that a key of somebody else made for this answer.
    Soft { key: usize, answer: usize },
}

pub fn account(number: usize) -> AccountId {
    AccountId::from_number(ACCOUNTS[number]).unwrap()
}

pub fn principal(person: usize) -> PrincipalId {
    let Person { account: number, id } = &PEOPLE[person];
    match id {
        None => PrincipalId::Root(account(*number)),
        Some(id) => PrincipalId::User(account(*number), UserId::new(*id).unwrap()),
    }
}

pub fn name(text: &str) -> DeviceName {
    DeviceName::new(text).unwrap()
}

pub fn path(text: &str) -> Path {
    Path::new(text).unwrap()
}

/// The serial number of a thing, as text (R20).
pub fn serial_text(thing: usize) -> String {
    match &THINGS[thing] {
        Thing::Virtual(account, path, name) => format!("arn:aws:iam::{}:mfa{path}{name}", ACCOUNTS[*account]),
        Thing::Token(serial) => (*serial).to_owned(),
    }
}

/// The serial number of an SMS device, as text (R37).
pub fn sms_text(account: usize, name: &str) -> String {
    format!("arn:aws:iam::{}:sms-mfa/{name}", ACCOUNTS[account])
}

/// How the serial number of a key begins; what follows are 26 letters (R35).
pub fn key_text(person: usize, user: &str, key: &str) -> String {
    let Person { account, id } = &PEOPLE[person];
    let owner = if id.is_some() { format!("user/{user}") } else { "root".to_owned() };
    format!("arn:aws:iam::{}:u2f/{owner}/{key}-", ACCOUNTS[*account])
}

pub fn number(number: usize) -> PhoneNumber {
    PhoneNumber::parse(NUMBERS[number].0).unwrap()
}

pub fn alias(number: usize) -> AccountAlias {
    AccountAlias::new(ALIASES[number]).unwrap()
}

pub fn serial(thing: usize) -> Serial {
    Serial::new(serial_text(thing)).unwrap()
}

pub fn is_virtual(thing: usize) -> bool {
    matches!(THINGS[thing], Thing::Virtual(..))
}

/// What names the device in the log: names of virtual devices ignore case (A27), tokens do not.
pub fn known_as(thing: usize) -> String {
    let text = serial_text(thing);
    if is_virtual(thing) { text.to_lowercase() } else { text }
}

/// The secret that the test's entropy gives to the n-th creation.
pub fn secret(number: u64) -> Vec<u8> {
    (0..40).map(|at| (number * 37 + at * 11 + 5) as u8).collect()
}

/// The secret of an imported token. The first and the last have one, so that they show the same digits.
pub fn token_secret(thing: usize) -> Vec<u8> {
    let number = if thing == 8 { 2 } else { thing as u8 };
    (0..20).map(|at| number.wrapping_mul(91).wrapping_add(at * 3)).collect()
}
