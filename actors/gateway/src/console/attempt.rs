//! A sign-in between its two pages, as the browser keeps it, sealed.
//!
//! It says that a password was right and how far the second page is. It opens no page of a session and stands
//! for no session; the engine holds the attempt itself and ends it.

use serde::{Deserialize, Serialize};

use crate::engine::{
    AttemptId, ChallengeId, DeviceKind, DeviceView, FactorOf, KeyForm, PrincipalId, Serial, TransportError, UnixMillis,
};

/// The present form of an attempt. It lives for minutes: one of another version is simply over.
const VERSION: u8 = 1;

/// A sign-in under way.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Attempt {
    version: u8,
    /// Who gave the right password.
    pub(super) principal: PrincipalId,
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
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Sent {
    /// The number, masked.
    pub(super) to: String,
    pub(super) again_at: UnixMillis,
    pub(super) sending: Sending,
}

/// How sending went.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Sending {
    Sent,
    /// Another one was sent moments ago, in an earlier sign-in.
    TooSoon,
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
    pub(super) fn new(principal: PrincipalId, id: AttemptId, until: UnixMillis, of: FactorOf) -> Self {
        let of_associate = of == FactorOf::Associate;
        Self {
            version: VERSION,
            principal,
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
