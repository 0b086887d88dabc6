//! The list of what happened, and what it says of accounts, people and devices.

use countersign::domain::event::{AlternativeFactor, KeyFault, SignInFactor, SignInFault, SmsFault};
use countersign::{DeviceKind, KeyForm, Preset, Purpose, SmsEligibility};

use super::cast::{ACCOUNTS, Credential, Device, NAMES, PEOPLE, THINGS, Thing, serial_text};

/// Why codes were refused, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Wrong,
    Used,
    Outside(i64),
    NotYet,
    NoMatch,
    NotNewer,
}

/// Something that happened. People and things are numbers in the pools of [`super::cast`]; sign-ins and challenges
/// are numbered as they come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    Opened {
        account: usize,
    },
    Registered {
        person: usize,
        name: &'static str,
        path: &'static str,
    },
    Renamed {
        person: usize,
        name: &'static str,
        path: &'static str,
    },
    Removed {
        person: usize,
    },
    Made {
        thing: usize,
        secret: Vec<u8>,
    },
    Deleted {
        device: Device,
    },
    Enabled {
        person: usize,
        thing: usize,
        window: u64,
        counter: u64,
        offset: i64,
    },
    EnableRefused {
        person: usize,
        thing: usize,
        window: u64,
        fault: Fault,
    },
    Resynced {
        person: usize,
        thing: usize,
        window: u64,
        counter: u64,
        offset: i64,
    },
    ResyncRefused {
        person: usize,
        thing: usize,
        window: u64,
        fault: Fault,
    },
    Accepted {
        person: usize,
        thing: usize,
        window: u64,
        counter: u64,
        purpose: Purpose,
    },
    Refused {
        person: usize,
        thing: usize,
        window: u64,
        fault: Fault,
        purpose: Purpose,
    },
    OutOfBudget {
        holder: Option<usize>,
        thing: usize,
        pairs: bool,
        window: u64,
    },
    Deactivated {
        person: usize,
        device: Device,
    },
    // ---- signing in ----
    PasswordRefused {
        account: Option<usize>,
        who: Option<usize>,
        locked: bool,
    },
    Started {
        person: usize,
        attempt: usize,
        until: u64,
        associate: Option<usize>,
        from: usize,
    },
    SignedIn {
        person: usize,
        attempt: usize,
        factor: SignInFactor,
        device: Option<Device>,
        from: usize,
    },
    SignInsEnded {
        person: usize,
    },
    SignInRefused {
        person: usize,
        attempt: usize,
        device: Option<Device>,
        fault: SignInFault,
    },
    AssociateProven {
        person: usize,
        attempt: usize,
        thing: usize,
        until: u64,
        code: u32,
    },
    // ---- keys ----
    KeyAsked {
        person: usize,
        challenge: usize,
        form: KeyForm,
        task: Task,
        until: u64,
        window: u64,
    },
    KeyEnabled {
        person: usize,
        challenge: usize,
        form: KeyForm,
        credential: Credential,
        counter: u32,
    },
    KeyAccepted {
        person: usize,
        challenge: usize,
        device: Device,
        counter: u32,
        verified: bool,
    },
    KeyRefused {
        person: usize,
        challenge: usize,
        device: Option<Device>,
        fault: KeyFault,
        counter: Option<u32>,
    },
    // ---- phones ----
    /// It was decided on, and a gateway took it.
    CodeSent {
        person: usize,
        challenge: usize,
        device: Device,
        number: usize,
        errand: Errand,
        until: u64,
        window: u64,
    },
    CodeTaken {
        person: usize,
        challenge: usize,
        device: Device,
    },
    CodeMissed {
        person: usize,
        challenge: usize,
        device: Device,
        fault: SmsFault,
    },
    SmsEnabled {
        person: usize,
        device: Device,
        number: usize,
    },
    // ---- root's way back ----
    FactorAsked {
        person: usize,
        attempt: usize,
        factor: AlternativeFactor,
        challenge: usize,
        until: u64,
        window: u64,
    },
    FactorProven {
        person: usize,
        attempt: usize,
        factor: AlternativeFactor,
    },
    FactorMissed {
        person: usize,
        attempt: usize,
        factor: AlternativeFactor,
    },
    // ---- settings ----
    AliasChosen {
        account: usize,
        alias: Option<usize>,
    },
    EligibilityChosen {
        account: usize,
        sms: SmsEligibility,
    },
    AlternativesSwitched {
        account: usize,
        allowed: bool,
    },
    RulesChosen {
        account: usize,
        preset: Option<Preset>,
    },
    Linked {
        account: usize,
        other: Option<usize>,
    },
}

/// What a key was asked for, and about which credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// To prove one of these in a sign-in.
    Prove { attempt: usize, offered: Vec<Credential> },
    /// To make another than these, under a serial number that begins so.
    Register { serial: String, replaces: Option<Device>, excluded: Vec<Credential> },
}

impl Task {
    /// The sign-in that it is for.
    pub fn attempt(&self) -> Option<usize> {
        match self {
            Self::Prove { attempt, .. } => Some(*attempt),
            Self::Register { .. } => None,
        }
    }
}

/// What a sent code is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    /// A sign-in.
    SignIn(usize),
    /// Enrolling a number.
    Enrolment(usize),
}

use Fact::*;

impl Fact {
    /// The device that shows codes and that this is about.
    pub fn thing(&self) -> Option<usize> {
        match self {
            Made { thing, .. }
            | Enabled { thing, .. }
            | EnableRefused { thing, .. }
            | Resynced { thing, .. }
            | ResyncRefused { thing, .. }
            | Accepted { thing, .. }
            | Refused { thing, .. }
            | OutOfBudget { thing, .. } => Some(*thing),
            Deactivated { device, .. } | Deleted { device } => device.thing(),
            _ => None,
        }
    }
}

/// The list: each fact with the instant at which it was recorded, in milliseconds.
#[derive(Clone, Debug, Default)]
pub struct History(pub Vec<(u64, Fact)>);

/// How a user is called, and since when it exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    pub name: &'static str,
    pub path: &'static str,
    pub since: u64,
}

// ---- accounts and principals ----

impl History {
    pub fn facts(&self) -> impl DoubleEndedIterator<Item = &Fact> {
        self.0.iter().map(|(_, fact)| fact)
    }

    pub fn opened_at(&self, account: usize) -> Option<u64> {
        self.0.iter().find(|(_, fact)| *fact == Opened { account }).map(|(at, _)| *at)
    }

    pub fn ever_existed(&self, person: usize) -> bool {
        self.facts().any(|fact| matches!(fact, Registered { person: who, .. } if *who == person))
    }

    pub fn profile(&self, person: usize) -> Option<Profile> {
        let mut profile = None;
        for (at, fact) in &self.0 {
            match fact {
                Registered { person: who, name, path } if *who == person => {
                    profile = Some(Profile { name, path, since: *at });
                }
                Renamed { person: who, name, path } if *who == person => {
                    profile = profile.map(|before: Profile| Profile { name, path, ..before });
                }
                Removed { person: who } if *who == person => profile = None,
                _ => {}
            }
        }
        profile
    }

    pub fn exists(&self, person: usize) -> bool {
        self.profile(person).is_some()
    }

    /// The users of an account, without root.
    pub fn users(&self, account: usize) -> Vec<usize> {
        let is_user = |person: &usize| PEOPLE[*person].account == account && PEOPLE[*person].id.is_some();
        (0..PEOPLE.len()).filter(is_user).filter(|person| self.exists(*person)).collect()
    }
}

// ---- settings ----

impl History {
    fn last<T>(&self, of: impl Fn(&Fact) -> Option<T>) -> Option<T> {
        self.facts().rev().find_map(of)
    }

    pub fn alias(&self, account: usize) -> Option<usize> {
        self.last(|fact| match fact {
            AliasChosen { account: of, alias } if *of == account => Some(*alias),
            _ => None,
        })?
    }

    pub fn eligibility(&self, account: usize) -> SmsEligibility {
        let chosen = self.last(|fact| match fact {
            EligibilityChosen { account: of, sms } if *of == account => Some(*sms),
            _ => None,
        });
        chosen.unwrap_or(SmsEligibility::Open)
    }

    pub fn alternatives(&self, account: usize) -> bool {
        let switched = self.last(|fact| match fact {
            AlternativesSwitched { account: of, allowed } if *of == account => Some(*allowed),
            _ => None,
        });
        switched.unwrap_or(true)
    }

    pub fn preset(&self, account: usize) -> Option<Preset> {
        self.last(|fact| match fact {
            RulesChosen { account: of, preset } if *of == account => Some(*preset),
            _ => None,
        })?
    }

    pub fn link(&self, account: usize) -> Option<usize> {
        self.last(|fact| match fact {
            Linked { account: of, other } if *of == account => Some(*other),
            _ => None,
        })?
    }
}

// ---- devices ----

impl History {
    /// Where the present life of exactly this thing began: its place in the list.
    pub fn made(&self, thing: usize) -> Option<usize> {
        let mut made = None;
        for (place, (_, fact)) in self.0.iter().enumerate() {
            match fact {
                Made { thing: which, .. } if *which == thing => made = Some(place),
                Deleted { device } if *device == Device::Thing(thing) => made = None,
                _ => {}
            }
        }
        made
    }

    pub fn secret(&self, thing: usize) -> Option<Vec<u8>> {
        match &self.0[self.made(thing)?].1 {
            Made { secret, .. } => Some(secret.clone()),
            _ => None,
        }
    }

    /// Every device that may be somebody's.
    pub fn all_devices(&self) -> Vec<Device> {
        let things = (0..THINGS.len()).map(Device::Thing);
        let keys = self.facts().filter_map(|fact| match fact {
            KeyEnabled { challenge, .. } => Some(Device::Key(*challenge)),
            _ => None,
        });
        let phones = (0..ACCOUNTS.len()).flat_map(|account| NAMES.map(|name| Device::Sms(account, name)));
        things.chain(keys).chain(phones).collect()
    }

    /// Whether a device of exactly this serial number exists: keys and phones only while they are somebody's (R49).
    pub fn exists_as(&self, device: Device) -> bool {
        match device {
            Device::Thing(thing) => self.made(thing).is_some(),
            Device::Key(_) | Device::Sms(..) => self.enabled(device).is_some(),
        }
    }

    /// The device that exists under this name, however it is written.
    pub fn alive(&self, device: Device) -> Option<Device> {
        self.all_devices().into_iter().find(|other| other.is_like(device) && self.exists_as(*other))
    }

    pub fn owner(&self, device: Device) -> Option<usize> {
        self.enabled(device).map(|(person, _)| person)
    }

    /// Who has the device enabled, and the place of that fact.
    pub fn enabled(&self, device: Device) -> Option<(usize, usize)> {
        let mut holder = None;
        for (place, (_, fact)) in self.0.iter().enumerate() {
            match fact {
                Enabled { thing, person, .. } if Device::Thing(*thing) == device => holder = Some((*person, place)),
                KeyEnabled { challenge, person, .. } if Device::Key(*challenge) == device => {
                    holder = Some((*person, place));
                }
                SmsEnabled { device: which, person, .. } if *which == device => holder = Some((*person, place)),
                Deactivated { device: which, .. } if *which == device => holder = None,
                _ => {}
            }
        }
        holder
    }

    /// The devices that a principal has enabled, oldest first.
    pub fn devices(&self, person: usize) -> Vec<Device> {
        let mine =
            |device: Device| self.enabled(device).filter(|(who, _)| *who == person).map(|(_, place)| (place, device));
        let mut mine: Vec<(usize, Device)> = self.all_devices().into_iter().filter_map(mine).collect();
        mine.sort_unstable();
        mine.into_iter().map(|(_, device)| device).collect()
    }

    pub fn has_kind(&self, person: usize, kind: DeviceKind) -> bool {
        self.devices(person).iter().any(|device| device.kind() == kind)
    }

    /// When it came to be.
    pub fn made_at(&self, device: Device) -> Option<u64> {
        let place = match device {
            Device::Thing(thing) => self.made(thing)?,
            Device::Key(_) | Device::Sms(..) => self.enabled(device)?.1,
        };
        Some(self.0[place].0)
    }

    /// When it last proved something for its present owner.
    pub fn last_used_at(&self, device: Device) -> Option<u64> {
        let (_, since) = self.enabled(device)?;
        let mut uses = self.0[since..].iter().filter(|(_, fact)| match fact {
            Accepted { thing, .. } => Device::Thing(*thing) == device,
            KeyAccepted { device: used, .. } | CodeTaken { device: used, .. } => *used == device,
            _ => false,
        });
        uses.next_back().map(|(at, _)| *at)
    }

    /// Whether anything happened under this thing's name after a place in the list.
    pub fn since(&self, place: usize, thing: usize) -> bool {
        let same = |other: usize| Device::Thing(other).is_like(Device::Thing(thing));
        self.0[place..].iter().any(|(_, fact)| fact.thing().is_some_and(same))
    }

    /// The virtual devices of an account, in the order of their serial numbers.
    pub fn virtual_devices(&self, account: usize) -> Vec<usize> {
        let of_account = |thing: &usize| matches!(THINGS[*thing], Thing::Virtual(of, _, _) if of == account);
        let mut all: Vec<usize> =
            (0..THINGS.len()).filter(of_account).filter(|thing| self.made(*thing).is_some()).collect();
        all.sort_by_key(|thing| serial_text(*thing));
        all
    }
}
