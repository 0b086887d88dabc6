//! Events of our own log as plain observed facts, in the vocabulary that foreign audit logs are read into as well.

use countersign_domain::event::{AlternativeFactor, CodeFault, Event, KeyFault, PairFault, SignInFactor, SmsFault};
use countersign_domain::ids::StreamId;

use super::states::{KEY_CREATED, REGISTERED, RENAMED, SMS_CREATED, TOKEN_IMPORTED, VIRTUAL_CREATED};

/// What was observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// A principal came into being.
    PrincipalCreated,
    /// A principal has another name or path.
    PrincipalRenamed,
    /// A principal is gone.
    PrincipalDeleted,
    /// A device came into being, with no owner yet.
    DeviceRegistered,
    /// A device was enabled for a principal.
    DeviceAssigned,
    /// A device was taken from a principal.
    DeviceUnassigned,
    /// A device entity is gone.
    DeviceDestroyed,
    /// A device's time was learned anew.
    DeviceResynced,
    /// A second factor was proven.
    MfaUse,
    /// A principal signed in.
    SignIn(Class),
    /// A sign-in failed at its password.
    PasswordRefused,
    /// A sign-in failed at its second factor.
    SignInRefused,
    /// A proof was refused, for this reason.
    AttemptFailed(&'static str),
    /// Attempts are no longer looked at for a while.
    Locked,
}

/// What a sign-in rested on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A device was proven.
    Mfa,
    /// No device was proven.
    NoMfa,
    /// It is sealed what was proven.
    Unknown,
}

impl Class {
    /// The class as answers name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mfa => "mfa",
            Self::NoMfa => "no_mfa",
            Self::Unknown => "unknown",
        }
    }
}

impl What {
    /// The fact as answers name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PrincipalCreated => "principal_created",
            Self::PrincipalRenamed => "principal_renamed",
            Self::PrincipalDeleted => "principal_deleted",
            Self::DeviceRegistered => "device_registered",
            Self::DeviceAssigned => "device_assigned",
            Self::DeviceUnassigned => "device_unassigned",
            Self::DeviceDestroyed => "device_destroyed",
            Self::DeviceResynced => "device_resynced",
            Self::MfaUse => "mfa_use",
            Self::SignIn(_) => "sign_in",
            Self::PasswordRefused => "password_refused",
            Self::SignInRefused => "sign_in_refused",
            Self::AttemptFailed(_) => "attempt_failed",
            Self::Locked => "locked",
        }
    }

    /// What more there is to say in a word.
    #[must_use]
    pub const fn detail(self) -> Option<&'static str> {
        match self {
            Self::SignIn(class) => Some(class.as_str()),
            Self::AttemptFailed(why) => Some(why),
            _ => None,
        }
    }
}

/// A fact about a principal or a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The principal, where one is concerned.
    pub principal: Option<StreamId>,
    /// The device, where one is concerned.
    pub device: Option<StreamId>,
    /// What happened.
    pub what: What,
}

/// What an event of a stream says in plain terms; what is bookkeeping only says nothing.
#[must_use]
pub fn observe(stream: StreamId, event: &Event) -> Option<Observed> {
    let of = |what, device| Some(Observed { principal: Some(stream), device, what });
    let entity = |what| Some(Observed { principal: None, device: Some(stream), what });
    match event {
        Event::PrincipalRegistered(_) => of(What::PrincipalCreated, None),
        Event::PrincipalRenamed(_) => of(What::PrincipalRenamed, None),
        Event::PrincipalRemoved(_) => of(What::PrincipalDeleted, None),
        event if event.creates_device() => entity(What::DeviceRegistered),
        Event::DeviceDeleted(_) => entity(What::DeviceDestroyed),
        Event::PairRefused(refused) => {
            let what = What::AttemptFailed(pair_fault(refused.fault));
            Some(Observed { principal: Some(refused.owner), device: Some(stream), what })
        }
        Event::DeviceEnabled(enabled) => of(What::DeviceAssigned, Some(enabled.device)),
        Event::DeviceDeactivated(gone) => of(What::DeviceUnassigned, Some(gone.device)),
        Event::DeviceResynced(resynced) => of(What::DeviceResynced, Some(resynced.device)),
        Event::CodeAccepted(accepted) => of(What::MfaUse, Some(accepted.device)),
        Event::KeyAccepted(accepted) => of(What::MfaUse, Some(accepted.device)),
        Event::SmsCodeAccepted(accepted) => of(What::MfaUse, Some(accepted.device)),
        Event::CodeRefused(refused) => {
            of(What::AttemptFailed(code_fault(refused.fault, refused.steps)), Some(refused.device))
        }
        Event::ResyncRefused(refused) => of(What::AttemptFailed(pair_fault(refused.fault)), Some(refused.device)),
        Event::KeyRefused(refused) => of(What::AttemptFailed(key_fault(refused.fault)), refused.device),
        Event::SmsCodeRefused(refused) => of(What::AttemptFailed(sms_fault(refused.fault)), Some(refused.device)),
        Event::AlternativeRefused(refused) => of(What::AttemptFailed(alternative(refused.factor)), None),
        Event::BudgetSpent(spent) => Some(Observed {
            principal: (spent.device != stream).then_some(stream),
            device: Some(spent.device),
            what: What::Locked,
        }),
        Event::SignedIn(done) => {
            let class = if done.factor == SignInFactor::Device { Class::Mfa } else { Class::NoMfa };
            of(What::SignIn(class), done.device)
        }
        Event::SignInRefused(refused) => of(What::SignInRefused, refused.device),
        Event::PasswordRefused(refused) => {
            Some(Observed { principal: refused.who, device: None, what: What::PasswordRefused })
        }
        Event::PasswordsLocked(locked) => Some(Observed { principal: locked.who, device: None, what: What::Locked }),
        _ => None,
    }
}

/// What the type of a sealed entry says by itself.
#[must_use]
pub fn observe_sealed(stream: StreamId, event_type: u16) -> Option<Observed> {
    let of = |what| Some(Observed { principal: Some(stream), device: None, what });
    match event_type {
        REGISTERED => of(What::PrincipalCreated),
        RENAMED => of(What::PrincipalRenamed),
        SIGNED_IN => of(What::SignIn(Class::Unknown)),
        SIGN_IN_REFUSED => of(What::SignInRefused),
        PASSWORD_REFUSED => Some(Observed { principal: None, device: None, what: What::PasswordRefused }),
        VIRTUAL_CREATED | TOKEN_IMPORTED | KEY_CREATED | SMS_CREATED => {
            Some(Observed { principal: None, device: Some(stream), what: What::DeviceRegistered })
        }
        _ => None,
    }
}

const SIGNED_IN: u16 = 0x0321;
const SIGN_IN_REFUSED: u16 = 0x0322;
const PASSWORD_REFUSED: u16 = 0x0120;

/// Why a code was refused, as answers name it.
#[must_use]
pub const fn code_fault(fault: CodeFault, steps: i64) -> &'static str {
    match fault {
        CodeFault::Wrong => "wrong",
        CodeFault::Used => "used",
        CodeFault::Outside if steps < 0 => "late",
        CodeFault::Outside => "early",
        CodeFault::NotPropagated => "not_propagated",
    }
}

/// Why a pair was refused, as answers name it.
#[must_use]
pub const fn pair_fault(fault: PairFault) -> &'static str {
    match fault {
        PairFault::NoMatch => "pair_wrong",
        PairFault::NotNewer => "pair_not_newer",
    }
}

const fn sms_fault(fault: SmsFault) -> &'static str {
    match fault {
        SmsFault::Wrong => "sms_wrong",
        SmsFault::Expired => "sms_expired",
        SmsFault::Exhausted => "sms_exhausted",
    }
}

const fn alternative(factor: AlternativeFactor) -> &'static str {
    match factor {
        AlternativeFactor::Mail => "mail_wrong",
        AlternativeFactor::Phone => "phone_wrong",
    }
}

const fn key_fault(fault: KeyFault) -> &'static str {
    match fault {
        KeyFault::Malformed => "key_malformed",
        KeyFault::Challenge => "key_challenge",
        KeyFault::Origin => "key_origin",
        KeyFault::RelyingParty => "key_relying_party",
        KeyFault::UserNotPresent => "key_user_not_present",
        KeyFault::UserNotVerified => "key_user_not_verified",
        KeyFault::Signature => "key_signature",
        KeyFault::UnknownCredential => "key_unknown_credential",
        KeyFault::CounterRegressed => "key_counter_regressed",
        KeyFault::Attestation => "key_attestation",
        KeyFault::AlreadyRegistered => "key_already_registered",
        KeyFault::Algorithm => "key_algorithm",
        KeyFault::SuspectedClone => "key_suspected_clone",
        KeyFault::CredentialTooLong => "key_credential_too_long",
    }
}
