//! The vocabulary: what people and machines do, and what comes of it.
//!
//! People, apps, keys and handsets have names. One set of words serves stories that are written by hand, histories that are
//! generated, the [model](super::Model), and the [world](super::World) that does them with a real engine.

use crate::{Purpose, UnixMillis};

/// Something that happens in a history.
///
/// ```
/// use countersign::testing::{Deed, Device, Typed, With};
///
/// let history = [
///     Deed::AddUser("lee"),
///     Deed::CreateApp("lees-app"),
///     Deed::Enable { user: "lee", app: "lees-app", codes: Typed::Shown(0) },
///     Deed::Wait { seconds: 30 },
///     Deed::SignIn { user: "lee", with: With::Code("lees-app", Typed::Shown(0)) },
///     Deed::Deactivate { user: "lee", device: Device::App("lees-app") },
/// ];
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A user comes to the account. Names ignore case; who comes again is somebody else (R10).
    AddUser(&'static str),
    /// A user is removed, with all devices.
    RemoveUser(&'static str),
    /// A virtual device is created, and its secret scanned by an app of the same name (R16).
    CreateApp(&'static str),
    /// A virtual device that nobody has is deleted.
    DeleteApp(&'static str),
    /// An app is enabled for a user, by two codes (R63).
    Enable {
        /// For whom.
        user: &'static str,
        /// The app.
        app: &'static str,
        /// The second code; the first is the one before it.
        codes: Typed,
    },
    /// An app takes the place of another device, at once (R79).
    Rotate {
        /// Whose.
        user: &'static str,
        /// The device that goes.
        old: Device,
        /// The app that comes.
        app: &'static str,
        /// The second code; the first is the one before it.
        codes: Typed,
    },
    /// The time of an app is learned anew, by two codes (R70, R82).
    Resync {
        /// Whose.
        user: &'static str,
        /// The app.
        app: &'static str,
        /// The second code; the first is the one before it.
        codes: Typed,
    },
    /// A device is taken from a user (R69).
    Deactivate {
        /// From whom.
        user: &'static str,
        /// The device.
        device: Device,
    },
    /// A code is checked outside a sign-in of the engine: the platform has its own, or a session token is asked for.
    Verify {
        /// Whose.
        user: &'static str,
        /// The app.
        app: &'static str,
        /// The code.
        code: Typed,
        /// What for.
        purpose: Purpose,
    },
    /// A security key is registered by its user in the console: as a key that is touched where the policy allows it, as a
    /// passkey otherwise.
    EnrolKey {
        /// Whose.
        user: &'static str,
        /// The key.
        key: &'static str,
    },
    /// A telephone is enrolled by its user in the console, with the code that was sent to it.
    EnrolHandset {
        /// Whose.
        user: &'static str,
        /// The telephone.
        handset: &'static str,
    },
    /// A sign-in, from the right password on, with one try at a second factor if one is asked for.
    SignIn {
        /// Whose.
        user: &'static str,
        /// What is tried.
        with: With,
    },
    /// The clock of an app gains, or loses, some time steps.
    Drift {
        /// The app.
        app: &'static str,
        /// How many; below 0 it loses them.
        steps: i32,
    },
    /// Time goes on.
    Wait {
        /// For how long.
        seconds: u32,
    },
    /// Time goes on to the next deadline that anybody was told of; see [`VirtualClock::jump`](super::VirtualClock::jump).
    /// Where there is none, it stands still.
    Jump,
    /// Somebody sets the clock of the server back.
    SetBack {
        /// By how much.
        seconds: u32,
    },
    /// The engine is closed, and opened again.
    Restart,
    /// A power cut; see [`TestDisk::crash`](super::TestDisk::crash).
    Crash {
        /// How many derived rows that were not synced are kept.
        kept: u8,
    },
}

/// A device of some kind.
///
/// ```
/// use countersign::testing::Device;
/// assert_eq!(Device::Key("blue").name(), "blue");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Device {
    /// A virtual device.
    App(&'static str),
    /// A security key.
    Key(&'static str),
    /// A telephone that gets codes.
    Handset(&'static str),
}

impl Device {
    /// What it is called.
    ///
    /// ```
    /// # use countersign::testing::Device;
    /// assert_eq!(Device::App("lees-app").name(), "lees-app");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::App(name) | Self::Key(name) | Self::Handset(name) => name,
        }
    }
}

/// What is typed for a code of an app. For a pair it says which the second one is.
///
/// ```
/// use countersign::testing::Typed;
/// let (now, one_late) = (Typed::Shown(0), Typed::Shown(-1));
/// assert_ne!(now, one_late);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typed {
    /// What the app shows, some time steps from now.
    Shown(i16),
    /// The digits that were typed last for this app; a pair of them is those digits twice.
    Again,
    /// Digits that the app shows at no time near; of a pair only the second is wrong.
    Wrong,
}

/// What is tried at the second page of a sign-in.
///
/// ```
/// use countersign::testing::{Typed, With};
/// let tap = With::Touch("blue");
/// assert_ne!(tap, With::Copy("blue"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum With {
    /// Nothing: the password alone.
    Password,
    /// A code of an app.
    Code(&'static str, Typed),
    /// A touch of a security key. Its counter goes up by one each time.
    Touch(&'static str),
    /// A touch of a copy of a security key, made when it was registered.
    Copy(&'static str),
    /// The code that is sent to a telephone.
    Text(&'static str),
}

/// What comes of a deed.
///
/// ```
/// use countersign::testing::Outcome;
/// assert!(Outcome::SignedIn(None).is_in());
/// assert!(!Outcome::Refused.is_in());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done.
    Done,
    /// The codes, or the answer of a key, were accepted.
    Accepted,
    /// They were not.
    Refused,
    /// No more codes of the device are looked at, until then (R91).
    Locked(UnixMillis),
    /// STS does not honour the device yet (R95).
    NotYet,
    /// The person is in: by this device, or by the password alone.
    SignedIn(Option<Device>),
    /// A second factor is asked for.
    Wanted,
    /// It may not be asked: the permanent code of the [reason](crate::Rejection::code), and when it may be asked again if
    /// that was said.
    Rejected(u16, Option<UnixMillis>),
    /// The engine could not do it, or does not know whether it did: its disk failed, or there was no randomness.
    Failed(String),
}

impl Outcome {
    /// Whether the person is in.
    ///
    /// ```
    /// # use countersign::testing::{Device, Outcome};
    /// assert!(Outcome::SignedIn(Some(Device::Key("blue"))).is_in());
    /// ```
    #[must_use]
    pub const fn is_in(&self) -> bool {
        matches!(self, Self::SignedIn(_))
    }
}
