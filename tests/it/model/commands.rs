//! What is asked and what is answered, with everything resolved: the words that the model and the engine share.

use countersign::{Channel, KeyForm, KeyRefusal, Preset, Purpose, SmsEligibility};

use super::cast::{Credential, Device};

/// What a caller has proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// A long-term key: no session.
    LongTermKey,
    /// A session that rests on a password.
    Password,
    /// A session that rests on a device as well.
    Device,
    /// A session that root got by mail and phone (A22).
    Recovered,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct By {
    /// `None` is the operator.
    pub who: Option<usize>,
    pub channel: Channel,
    pub held: Held,
}

/// What somebody types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    /// Six digits.
    Digits(u32),
    /// What was sent, or shown, for this challenge.
    Sent(usize),
    /// Something else than that.
    NotSent(usize),
}

/// What is wrong with a key's answer, or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    None,
    /// No JSON of an answer.
    Garbled,
    /// A challenge that nobody issued.
    Challenge,
    Origin,
    Party,
    /// Nobody touched it.
    Untouched,
    Unverified,
    Signature,
    /// It names this person.
    Handle(usize),
}

/// An answer that a key made: whom it answers, and what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paper {
    /// The challenge whose options it was made for.
    pub challenge: usize,
    /// Whether it registers.
    pub creates: bool,
    pub credential: Credential,
    pub counter: u32,
    pub verified: bool,
    pub flaw: Flaw,
}

/// A command; people, things, sign-ins, challenges and answers of keys are numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Open {
        account: usize,
    },
    Register {
        person: usize,
        name: &'static str,
        path: &'static str,
    },
    Rename {
        person: usize,
        name: &'static str,
        path: &'static str,
    },
    Remove {
        person: usize,
        take_devices: bool,
    },
    Create {
        thing: usize,
    },
    Delete {
        account: usize,
        device: Device,
    },
    Import {
        thing: usize,
    },
    Enable {
        person: usize,
        device: Device,
        first: u32,
        second: u32,
    },
    Rotate {
        person: usize,
        old: Device,
        device: Device,
        first: u32,
        second: u32,
    },
    Resync {
        person: usize,
        device: Device,
        first: u32,
        second: u32,
    },
    Deactivate {
        person: usize,
        device: Device,
    },
    Verify {
        person: usize,
        device: Device,
        code: u32,
        purpose: Purpose,
    },
    // ---- signing in ----
    Password {
        account: Option<usize>,
        person: Option<usize>,
        locked: bool,
    },
    /// From one of several addresses.
    SignIn {
        person: usize,
        from: usize,
    },
    EndSignIns {
        person: usize,
    },
    SignInCode {
        person: usize,
        attempt: usize,
        device: Device,
        text: Text,
    },
    OfferKey {
        person: usize,
        attempt: usize,
        form: KeyForm,
    },
    SignInKey {
        person: usize,
        attempt: usize,
        challenge: usize,
        paper: usize,
    },
    SendCode {
        person: usize,
        attempt: usize,
        device: Device,
    },
    // ---- keys and phones ----
    BeginKey {
        person: usize,
        name: &'static str,
        form: KeyForm,
        replaces: Option<Device>,
    },
    FinishKey {
        person: usize,
        challenge: usize,
        paper: usize,
    },
    BeginSms {
        person: usize,
        number: usize,
    },
    FinishSms {
        person: usize,
        challenge: usize,
        text: Text,
    },
    // ---- root's way back ----
    Mail {
        person: usize,
        attempt: usize,
    },
    ConfirmMail {
        person: usize,
        attempt: usize,
        text: Text,
    },
    Call {
        person: usize,
        attempt: usize,
    },
    AnswerCall {
        person: usize,
        attempt: usize,
        call: usize,
        text: Text,
    },
    FinishRecovery {
        person: usize,
        attempt: usize,
    },
    // ---- settings ----
    Alias {
        account: usize,
        alias: Option<usize>,
    },
    Eligibility {
        account: usize,
        sms: SmsEligibility,
    },
    Alternatives {
        account: usize,
        allowed: bool,
    },
    Rules {
        account: usize,
        preset: Option<Preset>,
    },
    Link {
        account: usize,
        other: Option<usize>,
    },
}

impl Command {
    /// Whether a retry is recognised: what is made anew each time is not.
    pub fn is_remembered(&self) -> bool {
        !matches!(
            self,
            Self::OfferKey { .. }
                | Self::SendCode { .. }
                | Self::BeginKey { .. }
                | Self::BeginSms { .. }
                | Self::Mail { .. }
                | Self::Call { .. }
        )
    }
}

/// What was proven at a sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Factor {
    Password,
    Device(Device),
    Alternatives,
}

/// What the one who asks sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Done,
    Secret(Vec<u8>),
    Accepted,
    Refused,
    NotYet,
    Locked {
        until: u64,
    },
    Wanted {
        attempt: usize,
        until: u64,
        associate: bool,
    },
    SignedIn {
        attempt: usize,
        by: Factor,
    },
    Challenged {
        challenge: usize,
        until: u64,
    },
    Sent {
        challenge: usize,
        to: &'static str,
        until: u64,
        again_at: u64,
    },
    Registered(Device),
    NotRegistered(KeyRefusal),
    Rejected(u16),
    /// Rejected until an instant.
    Later {
        reason: u16,
        at: u64,
    },
}

impl Answer {
    pub fn is_rejection(&self) -> bool {
        matches!(self, Self::Rejected(_) | Self::Later { .. })
    }
}

/// Permanent codes of the reasons.
pub mod reason {
    pub const CHANNEL: u16 = 101;
    pub const SELF_MANAGEMENT: u16 = 102;
    pub const ACCOUNT_UNKNOWN: u16 = 201;
    pub const ACCOUNT_EXISTS: u16 = 202;
    pub const PRINCIPAL_UNKNOWN: u16 = 203;
    pub const PRINCIPAL_EXISTS: u16 = 204;
    pub const NAME_TAKEN: u16 = 205;
    pub const ALIAS_TAKEN: u16 = 206;
    pub const DEVICE_UNKNOWN: u16 = 301;
    pub const NOT_YOURS: u16 = 302;
    pub const ALREADY_YOURS: u16 = 303;
    pub const IN_USE: u16 = 304;
    pub const DEVICE_EXISTS: u16 = 305;
    pub const ASSIGNED: u16 = 306;
    pub const HAS_DEVICES: u16 = 307;
    pub const NOT_AT_ONCE: u16 = 308;
    pub const CLOCK: u16 = 309;
    pub const NOT_OPEN: u16 = 310;
    pub const NOT_THIS_FACTOR: u16 = 311;
    pub const NO_ALTERNATIVES: u16 = 312;
    pub const KEY_FORM: u16 = 313;
    pub const NO_SMS: u16 = 314;
    pub const DEVICE_LIMIT: u16 = 401;
    pub const ACCOUNT_DEVICES: u16 = 402;
    pub const ACCOUNT_USERS: u16 = 403;
    pub const TOO_MANY: u16 = 404;
    pub const TOO_SOON: u16 = 405;
    pub const NO_BUDGET: u16 = 406;
}

/// The first reason that applies, in the order in which they are listed (R56).
pub fn first<const N: usize>(reasons: [(u16, bool); N]) -> Result<(), Answer> {
    match reasons.iter().find(|(_, applies)| *applies).map(|(code, _)| *code) {
        Some(code) => Err(Answer::Rejected(code)),
        None => Ok(()),
    }
}
