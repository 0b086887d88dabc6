//! A sign-in between its two pages, as the browser keeps it, sealed.
//!
//! It says that a password was right and how far the second page is. It opens no page of a session and stands
//! for no session; the engine holds the attempt itself and ends it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::limits::Charge;
use crate::engine::{
    AttemptId, ChallengeId, Countersign, DeviceKind, DeviceView, FactorOf, KeyForm, PrincipalId, Serial, SmsState,
    TransportError, UnixMillis,
};

/// The present form of an attempt. It lives for minutes: one of another version is simply over.
const VERSION: u8 = 2;

/// Somebody whose password was right.
#[derive(Clone)]
pub(super) struct Entrant {
    pub(super) principal: PrincipalId,
    /// Which of the principal's passwords it was.
    pub(super) password: u64,
    /// What its try was counted as.
    pub(super) charge: Charge,
}

/// A sign-in under way.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Attempt {
    version: u8,
    /// Who gave the right password.
    pub(super) principal: PrincipalId,
    /// Which of the principal's passwords it was.
    pub(super) password: u64,
    /// What the try was counted as.
    charge: Charge,
    pub(super) id: AttemptId,
    /// Until when it can be completed.
    pub(super) until: UnixMillis,
    /// Whether the linked root user's device is asked for now (A6).
    pub(super) of_associate: bool,
    /// Whether two codes are asked for, one after the other (R5).
    pub(super) two_codes: bool,
    /// What the person chose to prove, where there is a choice.
    pub(super) method: Option<Method>,
    /// What a security key was asked.
    pub(super) challenge: Option<ChallengeId>,
    /// What became of the code that was sent.
    pub(super) sent: Option<Sent>,
    /// Codes that were refused.
    pub(super) refused: u8,
    /// What became of the recovery mail.
    pub(super) mail: Option<Sending>,
    /// The call under way, with the digits to key in.
    pub(super) call: Option<(Sending, String)>,
}

/// Neither digits nor numbers.
impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Attempt {{ principal: {}, until: {:?}, refused: {} }}", self.principal, self.until, self.refused)
    }
}

/// One way to prove the second factor.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Method {
    /// A code that a device shows.
    Code(Serial),
    /// A code that is sent to a phone.
    Sms(Serial),
    /// Any security key of one form.
    Key(KeyForm),
}

/// A code that was to be sent to a phone.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sent {
    /// The number, masked.
    pub(super) to: String,
    pub(super) again_at: UnixMillis,
    /// None, when another one was sent moments ago, in an earlier sign-in.
    pub(super) progress: Option<Progress>,
}

/// A code by SMS, and how far it was when a page last asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Progress {
    pub(super) challenge: ChallengeId,
    seen: SmsState,
}

impl Progress {
    pub(super) const fn new(challenge: ChallengeId, seen: SmsState) -> Self {
        Self { challenge, seen }
    }

    /// How far it is by now.
    pub(super) fn state(&self, engine: &Countersign) -> SmsState {
        engine.sms_message(self.challenge).map_or(self.seen, |message| message.state)
    }
}

/// How sending a mail, or making a call, went.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Sending {
    Sent,
    /// The transport did not take it.
    Failed,
    /// This server has no transport.
    NotConfigured,
}

impl Sending {
    pub(super) const fn of(delivered: Result<(), TransportError>) -> Self {
        match delivered {
            Ok(()) => Self::Sent,
            Err(TransportError::NotConfigured) => Self::NotConfigured,
            Err(_) => Self::Failed,
        }
    }
}

impl Attempt {
    pub(super) fn new(entrant: Entrant, id: AttemptId, until: UnixMillis, of: FactorOf) -> Self {
        let Entrant { principal, password, charge } = entrant;
        let of_associate = of == FactorOf::Associate;
        Self {
            version: VERSION,
            principal,
            password,
            charge,
            id,
            until,
            of_associate,
            two_codes: of_associate,
            method: None,
            challenge: None,
            sent: None,
            refused: 0,
            mail: None,
            call: None,
        }
    }

    /// Who comes in when it is completed.
    pub(super) fn entrant(&self) -> Entrant {
        Entrant { principal: self.principal.clone(), password: self.password, charge: self.charge.clone() }
    }

    pub(super) fn is_open(&self, now: UnixMillis) -> bool {
        self.version == VERSION && now < self.until
    }

    pub(super) const fn of(&self) -> FactorOf {
        if self.of_associate { FactorOf::Associate } else { FactorOf::Own }
    }

    /// The linked device is proven: now the own one.
    pub(super) fn go_on(&mut self, of: FactorOf) {
        self.of_associate = of == FactorOf::Associate;
        (self.method, self.challenge, self.sent, self.refused) = (None, None, None, 0);
    }
}

/// The ways that a principal's devices offer. Keys of one form are one way: the browser finds the one at hand.
pub(super) fn methods(devices: &[DeviceView]) -> Vec<Method> {
    let mut methods = Vec::new();
    for device in devices {
        let method = match device.kind {
            DeviceKind::VirtualTotp | DeviceKind::HardwareTotp => Method::Code(device.serial.clone()),
            DeviceKind::Sms => Method::Sms(device.serial.clone()),
            DeviceKind::SecurityKey => match device.key {
                Some(key) => Method::Key(key.form),
                None => continue,
            },
        };
        if !methods.contains(&method) {
            methods.push(method);
        }
    }
    methods
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::frame::Flash;
    use crate::console::limits::{Admission, PasswordLimits, Try};
    use crate::directory::SignInName;

    #[test]
    fn debug_shows_no_digits_and_nothing_that_was_typed() {
        let limits = PasswordLimits::new([7; 32]);
        let Admission::Admitted(charge) = limits.admit(&Try::new(&[], None), UnixMillis(1)) else { panic!("refused") };
        let principal = PrincipalId::Root("123456789012".parse().unwrap());
        let entrant = Entrant { principal, password: 1, charge };
        let mut attempt = Attempt::new(entrant, AttemptId::from_bytes([1; 16]), UnixMillis(2), FactorOf::Own);
        attempt.call = Some((Sending::Sent, "424242".to_owned()));
        let flash = Flash::bad("x").keep("phone", "+4915112345678");
        let name = SignInName::User { account: None, name: "hunter2".to_owned() };
        let root = SignInName::Root { email: "root@example.com".to_owned() };
        let shown = format!("{attempt:?} {flash:?} {name:?} {root:?}");
        for hidden in ["424242", "+4915112345678", "hunter2", "root@"] {
            assert!(!shown.contains(hidden), "{shown}");
        }
    }
}
