//! Where codes go by SMS, and what bounds the sending: countries, prefixes, routes, budgets.

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::wire_enum;

/// A country as ISO 3166-1 writes it: two letters.
///
/// ```
/// use countersign_domain::sms::Country;
///
/// let country = Country::parse("de").unwrap();
/// assert_eq!(country.to_string(), "DE");
/// assert_eq!(Country::parse("d3"), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "[u8; 2]", into = "[u8; 2]")]
pub struct Country([u8; 2]);

impl Country {
    /// No country: a number that belongs to none, such as a satellite phone's.
    pub const NONE: Self = Self(*b"ZZ");

    /// Two letters, in either case.
    #[must_use]
    pub const fn parse(text: &str) -> Option<Self> {
        let [first, second] = *text.as_bytes() else { return None };
        if first.is_ascii_alphabetic() && second.is_ascii_alphabetic() {
            Some(Self([first.to_ascii_uppercase(), second.to_ascii_uppercase()]))
        } else {
            None
        }
    }

    const fn place(self) -> (usize, u32) {
        let place = (self.0[0] - b'A') as usize * 26 + (self.0[1] - b'A') as usize;
        (place / 64, (place % 64) as u32)
    }
}

impl TryFrom<[u8; 2]> for Country {
    type Error = &'static str;
    fn try_from(letters: [u8; 2]) -> Result<Self, &'static str> {
        let upper = letters.iter().all(u8::is_ascii_uppercase);
        if upper { Ok(Self(letters)) } else { Err("a country has two upper-case letters") }
    }
}

impl From<Country> for [u8; 2] {
    fn from(country: Country) -> Self {
        country.0
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(core::str::from_utf8(&self.0).unwrap_or("ZZ"))
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A set of countries.
///
/// ```
/// use countersign_domain::sms::{Countries, Country};
///
/// let served = Countries::NONE.with(Country::parse("DE").unwrap());
/// assert!(served.contains(Country::parse("DE").unwrap()));
/// assert!(!served.contains(Country::parse("FR").unwrap()));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Countries([u64; 11]);

impl Countries {
    /// Every country; not [`Country::NONE`], whose numbers are satellite phones' and the like.
    pub const ALL: Self = {
        let mut all = [u64::MAX; 11];
        let (word, bit) = Country::NONE.place();
        all[word] &= !(1 << bit);
        Self(all)
    };
    /// No country.
    pub const NONE: Self = Self([0; 11]);

    /// The same, and one more.
    #[must_use]
    pub const fn with(mut self, country: Country) -> Self {
        let (word, bit) = country.place();
        self.0[word] |= 1 << bit;
        self
    }

    /// Whether a country is among them.
    #[must_use]
    pub const fn contains(&self, country: Country) -> bool {
        let (word, bit) = country.place();
        self.0[word] & (1 << bit) != 0
    }
}

impl fmt::Debug for Countries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::ALL {
            return f.write_str("all");
        }
        write!(f, "{} countries", self.0.iter().map(|word| word.count_ones()).sum::<u32>())
    }
}

/// The name of a route to a gateway: 1 to 32 of `a-z`, `0-9` and `-`.
///
/// ```
/// use countersign_domain::sms::RouteName;
///
/// assert_eq!(RouteName::new("eu-1").unwrap().as_str(), "eu-1");
/// assert!(RouteName::new("EU").is_none());
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RouteName(String);

impl RouteName {
    /// A name, if it is one.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let good = (1..=32).contains(&text.len()) && text.bytes().all(fits);
        good.then(|| Self(text.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RouteName {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, &'static str> {
        Self::new(&text).ok_or("a route's name has 1 to 32 of `a-z`, `0-9` and `-`")
    }
}

impl From<RouteName> for String {
    fn from(name: RouteName) -> Self {
        name.0
    }
}

impl fmt::Display for RouteName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RouteName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A gateway's own name of a message: 1 to 64 bytes (SMPP 3.4, section 5.2.23), no control characters. Some gateways make
/// it of the number, so it is not shown.
///
/// ```
/// use countersign_domain::sms::MessageId;
///
/// let id = MessageId::new("SM1").unwrap();
/// assert_eq!((id.as_str(), format!("{id:?}").as_str()), ("SM1", "MessageId(3 bytes)"));
/// assert!(MessageId::new("").is_none());
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MessageId(String);

impl MessageId {
    /// A name, if it can be kept.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let good = (1..=64).contains(&text.len()) && !text.contains(char::is_control);
        good.then(|| Self(text.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for MessageId {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, &'static str> {
        Self::new(&text).ok_or("a message's name has 1 to 64 bytes and no control characters")
    }
}

impl From<MessageId> for String {
    fn from(id: MessageId) -> Self {
        id.0
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageId({} bytes)", self.0.len())
    }
}

/// The numbers that differ in their last four digits only; what pumping fraud comes from.
///
/// ```
/// use countersign_domain::device::PhoneNumber;
/// use countersign_domain::sms::Prefix;
///
/// let number = PhoneNumber::parse("+14155550123").unwrap();
/// assert_eq!(Prefix::of(&number).to_string(), "+1415555••••");
/// assert_eq!(Prefix::new("+1415555").unwrap(), Prefix::of(&number));
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Prefix(String);

impl Prefix {
    /// The prefix of a number.
    #[must_use]
    pub fn of(number: &crate::device::PhoneNumber) -> Self {
        let text = number.e164();
        Self(text.split_at(text.len().saturating_sub(4)).0.to_owned())
    }

    /// A prefix as it is written: a `+` and up to 11 digits.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('+')?;
        let good = (1..=11).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        good.then(|| Self(text.to_owned()))
    }

    /// The `+` and the digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Prefix {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, &'static str> {
        Self::new(&text).ok_or("a prefix has a `+` and up to 11 digits")
    }
}

impl From<Prefix> for String {
    fn from(prefix: Prefix) -> Self {
        prefix.0
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}••••", self.0)
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where a code goes, as far as budgets count it.
///
/// `Debug` shows the country only: the prefix and the last four digits, which a masked number shows, are the number.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destination {
    /// A keyed hash of the number: the same for the same number, and no way back to it.
    pub number: [u8; 16],
    /// The number without its last four digits.
    pub prefix: Prefix,
    /// Its country.
    pub country: Country,
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Destination({})", self.country)
    }
}

wire_enum! {
    /// What a code is sent for. Codes to numbers that nobody has proven yet are counted apart, so that whoever types in
    /// other people's numbers does not keep those from signing in.
    pub enum SmsErrand {
        /// A sign-in with a number that was proven.
        SignIn = 1,
        /// The enrolment of a number.
        Enrolment = 2,
    }
}

wire_enum! {
    /// What is counted of codes that are sent, in a budget window.
    pub enum SmsBudget {
        /// Codes to one number.
        Number = 1,
        /// Codes to one prefix.
        Prefix = 2,
        /// Codes to one country.
        Country = 3,
        /// Codes of one account.
        Account = 4,
        /// Money of the whole deployment.
        Money = 5,
    }
}

wire_enum! {
    /// Why no code is sent to a number.
    pub enum PhoneFault {
        /// No numbering plan has it.
        NotAllocated = 1,
        /// It is no mobile phone's: a landline, a pager, a voice mailbox.
        NotMobile = 2,
        /// Calls to it cost extra: premium rate, shared cost.
        Premium = 3,
        /// It is carried over the Internet and may be anybody's (NIST SP 800-63B, section 5.1.3.3).
        VoiceOverIp = 4,
        /// Toll-free, universal access and the like: a company's.
        Company = 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::PhoneNumber;
    use alloc::format;

    #[test]
    fn a_prefix_hides_four_digits_of_every_number() {
        for (number, prefix) in
            [("+14155550123", "+1415555"), ("+1234567", "+123"), ("+123456789012345", "+12345678901")]
        {
            let found = Prefix::of(&PhoneNumber::parse(number).unwrap());
            assert_eq!(Prefix::new(prefix), Some(found));
        }
        for bad in ["", "+", "1", "+12x", "+123456789012"] {
            assert_eq!(Prefix::new(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_set_has_what_was_put_in() {
        let corners = ["AA", "AZ", "CL", "ZA", "ZZ"].map(|text| Country::parse(text).unwrap());
        for one in corners {
            let set = Countries::NONE.with(one);
            assert!(corners.iter().all(|other| set.contains(*other) == (*other == one)));
        }
        assert!(!Countries::ALL.contains(Country::NONE));
        assert!(Countries::ALL.with(Country::NONE).contains(Country::NONE));
        assert_eq!(format!("{:?}", Countries::NONE.with(Country::NONE)), "1 countries");
    }
}
