//! What happened: the events of every stream, in their latest form.
//!
//! The stored form of each is frozen under its type id and version in [`crate::wire`].

pub use crate::wire::v1::{
    AccountOpened, AliasChanged, AlternativeFactorsSwitched, AlternativeIssued, AlternativeProven, AlternativeRefused,
    AssociateProven, BudgetSpent, CodeAccepted, CodeRefused, CredentialClaimed, CredentialReleased, DeviceAdded,
    DeviceAssigned, DeviceDeactivated, DeviceDeleted, DeviceEnabled, DeviceReleased, DeviceRemoved, DeviceResynced,
    Forgotten, HardwareTokenImported, HostRecord, KeyAccepted, KeyChallengeIssued, KeyRefused, KeyRegistered,
    NameClaimed, NameReleased, PairRefused, PasswordRefused, PasswordsLocked, PolicyChosen, PrincipalForgotten,
    PrincipalRegistered, PrincipalRemoved, PrincipalRenamed, ResyncRefused, RootLinked, SecurityKeyCreated, SeedStored,
    SignInRefused, SignInStarted, SignInsEnded, SignedIn, SigningKeyRotated, SmsCodeAccepted, SmsCodeIssued,
    SmsCodeRefused, SmsDeviceCreated, SmsDropped, SmsEligibilityChanged, SmsPrefixBlocked, SmsPrefixCleared, SmsQueued,
    SmsRedriven, SmsReported, SmsSubmitFailed, SmsSubmitted, SmsSubmitting, UserAdded, UserRemoved,
    VirtualDeviceCreated,
};

use crate::wire_enum;

wire_enum! {
    /// What a single code is used for.
    pub enum Purpose {
        /// The second page of a console sign-in (R99).
        SignIn = 1,
        /// STS GetSessionToken (R131).
        SessionToken = 2,
        /// STS AssumeRole (R131).
        AssumeRole = 3,
        /// A step-up that the embedding platform asks for.
        StepUp = 4,
    }
}

impl Purpose {
    /// Whether the rules of STS apply (R95, R131, A43).
    #[must_use]
    pub const fn is_sts(self) -> bool {
        matches!(self, Self::SessionToken | Self::AssumeRole)
    }
}

wire_enum! {
    /// Why a single code was refused; for the log, never for the person who typed it.
    pub enum CodeFault {
        /// It is no code of this device anywhere near now.
        Wrong = 1,
        /// It was accepted before, or is spent (R87, A43).
        Used = 2,
        /// It is a code of this device, but outside the window (R86).
        Outside = 3,
        /// It came before the change had propagated (R95); not evaluated, and counted all the same.
        NotPropagated = 4,
    }
}

wire_enum! {
    /// Why a pair was refused.
    pub enum PairFault {
        /// The codes are not two consecutive codes of this device in reach (R64, R81).
        NoMatch = 1,
        /// They are, but not newer than the last accepted pair (R85).
        NotNewer = 2,
    }
}

wire_enum! {
    /// Why a device was deactivated.
    pub enum DeactivateReason {
        /// Asked for, no reason given.
        Requested = 1,
        /// The device was lost, stolen or broken (R129).
        Lost = 2,
        /// Another device took its place (R78, R79).
        Replaced = 3,
        /// Its owner was removed in the console (R77).
        OwnerRemoved = 4,
    }
}

wire_enum! {
    /// Why a principal is forgotten.
    pub enum ForgetReason {
        /// The person asked for it.
        Requested = 1,
        /// It was kept for as long as it may be kept.
        Retention = 2,
        /// Somebody else has decided so: a court, an authority, the operator.
        Ordered = 3,
    }
}

wire_enum! {
    /// What a security key is to its owner (R30, R177).
    pub enum KeyForm {
        /// A second factor that is touched: U2F or FIDO2.
        SecurityKey = 1,
        /// A passkey: verifies its user by itself.
        Passkey = 2,
    }
}

wire_enum! {
    /// Why the answer of a security key was refused; for the log, never for the person at the door.
    pub enum KeyFault {
        /// It is no answer of an authenticator, or of the wrong ceremony.
        Malformed = 1,
        /// It answers another challenge.
        Challenge = 2,
        /// It was made for another origin (WebAuthn section 7.2, step 12).
        Origin = 3,
        /// It was made for another relying party.
        RelyingParty = 4,
        /// Nobody touched the key.
        UserNotPresent = 5,
        /// The key did not verify its user, as the policy wants.
        UserNotVerified = 6,
        /// The signature does not verify.
        Signature = 7,
        /// The credential is none of the principal's.
        UnknownCredential = 8,
        /// The counter did not go up: there may be two of this key (WebAuthn section 6.1.1).
        CounterRegressed = 9,
        /// The key does not attest to a model that is trusted.
        Attestation = 10,
        /// The credential is registered already, here or elsewhere.
        AlreadyRegistered = 11,
        /// The key uses an algorithm that was not offered.
        Algorithm = 12,
        /// The counter went back before; the key is not taken any more.
        SuspectedClone = 13,
        /// The id of the credential is longer than is kept.
        CredentialTooLong = 14,
    }
}

wire_enum! {
    /// Why a code that was sent by SMS was refused.
    pub enum SmsFault {
        /// It is not the code that was sent.
        Wrong = 1,
        /// It came too late.
        Expired = 2,
        /// It was tried too often before; not evaluated (A15).
        Exhausted = 3,
    }
}

wire_enum! {
    /// Why a try to hand a code over to a gateway came to nothing.
    pub enum SmsSubmitFault {
        /// The gateway took too much from us already; nothing was sent.
        Throttled = 1,
        /// The gateway was not reached, or does not work now; nothing was sent.
        Unavailable = 2,
        /// It may have been taken, and paid for; nobody knows.
        Unknown = 3,
        /// The gateway knows no such number. For good.
        InvalidNumber = 4,
        /// Who has the number does not want messages. For good.
        OptedOut = 5,
        /// The gateway refuses the message; another one may take it.
        Refused = 6,
    }
}

impl SmsSubmitFault {
    /// Whether no gateway would take the message, at any time.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::InvalidNumber | Self::OptedOut)
    }
}

wire_enum! {
    /// How far a message came after the gateway had taken it; the greater is the later (SMPP 3.4, section 5.2.28).
    pub enum SmsDelivery {
        /// On its way.
        Enroute = 1,
        /// The gateway gave up without saying how it ended.
        Unknown = 2,
        /// The phone has it.
        Delivered = 3,
        /// The phone cannot be reached.
        Undeliverable = 4,
        /// Its time was over before the phone was reached.
        Expired = 5,
        /// The network refused it.
        Rejected = 6,
        /// Somebody withdrew it.
        Deleted = 7,
    }
}

impl SmsDelivery {
    /// Whether nothing else comes after it.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Enroute | Self::Unknown)
    }
}

wire_enum! {
    /// Why a code is not sent any more.
    pub enum SmsDropReason {
        /// Its time was over (A15).
        Expired = 1,
        /// Another code took its place, its tries are used up, or what it was for is over: signed in, signed out, the
        /// device gone. (Of a principal that is gone nothing more is recorded.)
        Void = 2,
        /// There is no such number, or who has it wants no messages; or every gateway refused it.
        Refused = 3,
        /// No route carries messages to this number.
        NoRoute = 4,
        /// It was handed over as often as may be.
        SubmitsSpent = 5,
        /// Whether it was handed over is not known, and it was repeated as often as may be.
        Unknown = 6,
        /// The money for this hour is spent.
        Budget = 7,
        /// Too few codes sent to this prefix come back.
        PrefixBlocked = 8,
    }
}

wire_enum! {
    /// What was proven beside the password at a sign-in.
    pub enum SignInFactor {
        /// Nothing: the principal has no device (R98).
        Nothing = 1,
        /// A device (R99..R101).
        Device = 2,
        /// Root's e-mail and phone; no device was proven (R130, A22).
        AlternativeFactors = 3,
    }
}

wire_enum! {
    /// Why a second factor was refused at a sign-in.
    pub enum SignInFault {
        /// The proof was not good.
        Wrong = 1,
        /// The device's attempts are used up (R91).
        Locked = 2,
        /// A challenge was answered that is not open: answered before, too late, or never asked.
        NotAsked = 3,
    }
}

wire_enum! {
    /// One of root's two alternative factors (R130).
    pub enum AlternativeFactor {
        /// The registered e-mail address.
        Mail = 1,
        /// The registered phone.
        Phone = 2,
    }
}

macro_rules! events {
    ($($name:ident),* $(,)?) => {
        /// One fact of a stream.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each variant is documented at the struct that it holds")]
        pub enum Event {
            $($name($name)),*
        }

        $(impl From<$name> for Event {
            fn from(event: $name) -> Self {
                Self::$name(event)
            }
        })*

        impl Event {
            /// The name of the event's type.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => stringify!($name)),* }
            }
        }
    };
}

impl Event {
    /// Whether the event brings a device entity into being: the first of a life in its stream (R49).
    #[must_use]
    pub const fn creates_device(&self) -> bool {
        matches!(
            self,
            Self::VirtualDeviceCreated(_)
                | Self::HardwareTokenImported(_)
                | Self::SecurityKeyCreated(_)
                | Self::SmsDeviceCreated(_)
        )
    }
}

events!(
    AccountOpened,
    UserAdded,
    UserRemoved,
    DeviceAdded,
    DeviceRemoved,
    NameClaimed,
    NameReleased,
    VirtualDeviceCreated,
    HardwareTokenImported,
    DeviceAssigned,
    DeviceReleased,
    DeviceDeleted,
    PairRefused,
    BudgetSpent,
    PrincipalRegistered,
    PrincipalRenamed,
    PrincipalRemoved,
    PrincipalForgotten,
    DeviceEnabled,
    DeviceResynced,
    ResyncRefused,
    CodeAccepted,
    CodeRefused,
    DeviceDeactivated,
    AliasChanged,
    SmsEligibilityChanged,
    AlternativeFactorsSwitched,
    PolicyChosen,
    RootLinked,
    PasswordRefused,
    PasswordsLocked,
    CredentialClaimed,
    CredentialReleased,
    SecurityKeyCreated,
    SmsDeviceCreated,
    SeedStored,
    SignInStarted,
    SignedIn,
    SignInRefused,
    SignInsEnded,
    AssociateProven,
    KeyChallengeIssued,
    KeyRegistered,
    KeyAccepted,
    KeyRefused,
    SmsCodeIssued,
    SmsCodeAccepted,
    SmsCodeRefused,
    SmsQueued,
    SmsSubmitting,
    SmsSubmitted,
    SmsSubmitFailed,
    SmsDropped,
    SmsRedriven,
    SmsReported,
    AlternativeIssued,
    AlternativeProven,
    AlternativeRefused,
    SmsPrefixBlocked,
    SmsPrefixCleared,
    SigningKeyRotated,
    HostRecord,
);
