//! Observed events: what a record says happened, in the words of the lifecycle.
//!
//! They are the vocabulary that foreign logs and our own share. Nothing here is validated against a history: an
//! observed event may contradict every other, and [`fold`](crate::fold) makes a finding of it.

use std::cmp::Ordering;
use std::sync::Arc;

use serde::Serialize;

use crate::time::Time;

/// The name that AWS writes where somebody may have typed a password into the field of the user name.
pub const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";
/// Until this instant a principal of AWS had at most one device; from then on up to eight (rule R11).
pub(crate) const SEVERAL_DEVICES_FROM: Time = Time(1_668_556_800_000);

/// Something that a record says.
///
/// ```
/// use countersign_replay::event::{Cite, Observed, What, Who};
/// use countersign_replay::fold::fold;
///
/// let lee = Who::user("123456789012", "lee");
/// let mut created = Observed::new("2024-05-01T09:00:00Z".parse().unwrap(), What::PrincipalCreated { who: lee });
/// created.cite = Cite::event("4711");
/// let history = fold([created]);
/// assert_eq!(history.lives()[0].id(), "123456789012/lee#1");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// When it happened.
    pub at: Time,
    /// What happened.
    pub what: What,
    /// The record that says so.
    pub cite: Cite,
    /// Who did it.
    pub by: Actor,
    /// Its place in a log that keeps an order of its own and leaves nothing out, such as ours.
    pub position: Option<u64>,
}

impl Observed {
    /// An event without a record and without an actor.
    #[must_use]
    pub fn new(at: Time, what: What) -> Self {
        Self { at, what, cite: Cite::default(), by: Actor::default(), position: None }
    }

    /// Whether it is from a log that leaves nothing out: there no use of MFA and no sign-in proves what the log does not
    /// say by itself.
    #[must_use]
    pub const fn is_of_whole_log(&self) -> bool {
        self.position.is_some()
    }

    /// Whether it changes no state of a log that leaves nothing out.
    pub(crate) const fn is_detail(&self) -> bool {
        matches!(
            self.what,
            What::MfaUseObserved { .. }
                | What::SignInObserved { .. }
                | What::AttemptFailed { .. }
                | What::DeviceResynced { .. }
        )
    }

    /// Whether it only shows that MFA is in use.
    pub(crate) const fn is_of_mfa(&self) -> bool {
        matches!(
            self.what,
            What::MfaUseObserved { .. } | What::SignInObserved { class: SignInClass::Mfa | SignInClass::Unknown, .. }
        )
    }

    /// Whether its principal had at most one device then.
    pub(crate) fn one_device_at_most(&self) -> bool {
        !self.is_of_whole_log() && self.at < SEVERAL_DEVICES_FROM
    }

    /// The order of a history: by time, then by the log's own order, and where it has none by what has to come first
    /// within a second, then by the record.
    #[must_use]
    pub fn order(&self, other: &Self) -> Ordering {
        let key = |event: &Self| (event.at, event.position.is_none(), event.position, event.what.rank());
        let record = |cite: &Cite| (cite.event_id.clone(), cite.body);
        key(self).cmp(&key(other)).then_with(|| record(&self.cite).cmp(&record(&other.cite)))
    }
}

/// How a record names a principal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// The root user of an account.
    Root {
        /// The account.
        account: Arc<str>,
    },
    /// A user, by name, by unique id, or both.
    User {
        /// The account.
        account: Arc<str>,
        /// The name that it had then.
        name: Option<Arc<str>>,
        /// The unique id (`AIDA…`), which is never given twice.
        uid: Option<Arc<str>>,
    },
}

impl Who {
    /// The root user of an account.
    #[must_use]
    pub fn root(account: impl Into<Arc<str>>) -> Self {
        Self::Root { account: account.into() }
    }

    /// A user of whom only the name is known.
    #[must_use]
    pub fn user(account: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self::User { account: account.into(), name: Some(name.into()), uid: None }
    }

    /// The account.
    #[must_use]
    pub const fn account(&self) -> &Arc<str> {
        match self {
            Self::Root { account } | Self::User { account, .. } => account,
        }
    }
}

/// A device, by serial number or ARN, within an account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Device {
    /// The account.
    pub account: Arc<str>,
    /// Serial number or ARN.
    pub serial: Arc<str>,
}

/// What kind of device a serial number names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// A virtual device: an authenticator app.
    Virtual,
    /// A security key or a passkey.
    SecurityKey,
    /// A telephone that gets codes by SMS.
    Sms,
    /// A hardware token with TOTP.
    Hardware,
}

impl DeviceKind {
    /// Reads the kind off a serial number.
    ///
    /// ```
    /// use countersign_replay::event::DeviceKind;
    ///
    /// assert_eq!(DeviceKind::of("arn:aws:iam::123456789012:mfa/phone"), DeviceKind::Virtual);
    /// assert_eq!(DeviceKind::of("GAHT12345678"), DeviceKind::Hardware);
    /// ```
    #[must_use]
    pub fn of(serial: &str) -> Self {
        if serial.contains(":mfa/") {
            Self::Virtual
        } else if serial.contains(":u2f/") {
            Self::SecurityKey
        } else if serial.contains(":sms-mfa/") {
            Self::Sms
        } else {
            Self::Hardware
        }
    }
}

/// How the use of MFA was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// A session that says it was opened with MFA, dated at its opening.
    Session,
    /// The check of a second factor before a sign-in, with the kind of device.
    Check(Arc<str>),
    /// A call to STS with a device's serial number.
    Token(&'static str),
}

/// What a sign-in shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SignInClass {
    /// By another identity provider, whose MFA nobody sees here.
    Federated,
    /// With MFA.
    Mfa,
    /// Without MFA.
    NoMfa,
    /// The record does not tell.
    Unknown,
}

impl SignInClass {
    /// Its name in answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Federated => "federated",
            Self::Mfa => "mfa",
            Self::NoMfa => "no_mfa",
            Self::Unknown => "unknown",
        }
    }
}

/// Who signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A principal of the account.
    Principal(Who),
    /// Somebody from elsewhere, as the record calls it.
    Elsewhere(Arc<str>),
    /// Nobody whose name may be shown.
    Hidden,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A user came to be. It has no device and no console password.
    PrincipalCreated {
        /// The new user.
        who: Who,
    },
    /// A user has another name from now on.
    PrincipalRenamed {
        /// The user, by the old name.
        who: Who,
        /// The new name.
        to: Arc<str>,
    },
    /// A user is gone, and its name is free.
    PrincipalDeleted {
        /// The user.
        who: Who,
    },
    /// A device was made. It belongs to nobody yet.
    DeviceRegistered {
        /// The device.
        device: Device,
        /// Who made it, when that is a principal.
        by: Option<Who>,
    },
    /// A device was enabled for a principal.
    DeviceAssigned {
        /// The owner.
        who: Who,
        /// The device.
        device: Device,
    },
    /// A device was taken from a principal.
    DeviceUnassigned {
        /// The owner.
        who: Who,
        /// The device.
        device: Device,
    },
    /// A device was deleted.
    DeviceDestroyed {
        /// The device.
        device: Device,
        /// Who deleted it, when that is a principal.
        by: Option<Who>,
    },
    /// A device was synchronised, so its owner has it.
    DeviceResynced {
        /// The owner.
        who: Who,
        /// The device.
        device: Device,
    },
    /// Somebody proved to have MFA.
    MfaUseObserved {
        /// Who.
        who: Who,
        /// With what, if the record says so.
        device: Option<Device>,
        /// How it was seen.
        via: Via,
    },
    /// Somebody signed in to the console, or tried to.
    SignInObserved {
        /// Who.
        subject: Subject,
        /// With MFA or without.
        class: SignInClass,
        /// Whether it succeeded.
        success: bool,
        /// The device that was used, if the record says so.
        device: Option<Device>,
    },
    /// A console password was set, or shown to exist.
    ConsolePasswordSet {
        /// Whose.
        who: Who,
        /// The record's event name.
        by: &'static str,
    },
    /// A console password was removed.
    ConsolePasswordRemoved {
        /// Whose.
        who: Who,
    },
    /// A credential report states what was so at its time.
    StateAnchored {
        /// Of whom.
        who: Who,
        /// Whether a device is active.
        mfa: bool,
        /// Whether there is a console password; `None` when the report does not tell.
        console: Option<bool>,
    },
    /// A call failed, and changed nothing.
    AttemptFailed {
        /// At whom it was aimed, as far as the record tells.
        who: Option<Who>,
        /// The record's event name.
        name: Arc<str>,
        /// The error's code.
        error: Arc<str>,
        /// The device, where the log says so.
        device: Option<Device>,
    },
}

impl What {
    /// The principal that it is about, if it is about one.
    #[must_use]
    pub const fn who(&self) -> Option<&Who> {
        match self {
            Self::PrincipalCreated { who }
            | Self::PrincipalRenamed { who, .. }
            | Self::PrincipalDeleted { who }
            | Self::DeviceAssigned { who, .. }
            | Self::DeviceUnassigned { who, .. }
            | Self::DeviceResynced { who, .. }
            | Self::MfaUseObserved { who, .. }
            | Self::SignInObserved { subject: Subject::Principal(who), .. }
            | Self::ConsolePasswordSet { who, .. }
            | Self::ConsolePasswordRemoved { who }
            | Self::StateAnchored { who, .. } => Some(who),
            Self::AttemptFailed { who, .. } => who.as_ref(),
            Self::DeviceRegistered { .. } | Self::DeviceDestroyed { .. } | Self::SignInObserved { .. } => None,
        }
    }

    /// The place within a second (rule R5): what has to come first has the smaller rank.
    #[must_use]
    pub fn rank(&self) -> u8 {
        match self {
            Self::PrincipalCreated { .. } => 0,
            Self::PrincipalRenamed { .. } => 1,
            Self::ConsolePasswordSet { .. } => 2,
            Self::DeviceRegistered { .. } => 3,
            Self::DeviceAssigned { .. } => 4,
            Self::DeviceResynced { .. } => 5,
            Self::MfaUseObserved { .. } | Self::SignInObserved { .. } | Self::StateAnchored { .. } => 6,
            Self::AttemptFailed { .. } => 6,
            Self::DeviceUnassigned { .. } => 7,
            Self::DeviceDestroyed { .. } => 8,
            Self::ConsolePasswordRemoved { .. } => 9,
            Self::PrincipalDeleted { .. } => 10,
        }
    }
}

/// Where an event comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cite {
    /// The record's `eventID`.
    pub event_id: Option<Arc<str>>,
    /// The file.
    pub source: Arc<str>,
    /// The place in the file, from 0.
    pub index: u64,
    /// When the file was delivered, by its name.
    pub delivered: Option<Time>,
    /// SHA-256 of the record in canonical form.
    pub body: [u8; 32],
}

impl Cite {
    /// A record of which only the id is known.
    #[must_use]
    pub fn event(id: impl Into<Arc<str>>) -> Self {
        Self { event_id: Some(id.into()), ..Self::default() }
    }

    /// The record's name in answers: its `eventID`, or the digest of its body where it has none.
    #[must_use]
    pub fn name(&self) -> Arc<str> {
        let digest = || Arc::from(format!("sha256:{}", data_encoding::HEXLOWER.encode(&self.body[..8])));
        self.event_id.clone().unwrap_or_else(digest)
    }
}

/// Who did something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actor {
    /// What kind of identity it was.
    pub kind: ActorKind,
    /// The principal, when it is a user or root.
    pub who: Option<Who>,
    /// What the record calls it: an ARN, a principal id or a service.
    pub label: Arc<str>,
    /// Where the call came from.
    pub address: Arc<str>,
    /// The region that was asked.
    pub region: Arc<str>,
}

/// Kinds of actors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// A user.
    User,
    /// A root user.
    Root,
    /// A management account that acts as the root user of a member.
    AssumedRoot,
    /// A role, or an identity from elsewhere.
    Role,
    /// A service of the platform.
    Service,
    /// The record does not tell.
    #[default]
    Unknown,
}
