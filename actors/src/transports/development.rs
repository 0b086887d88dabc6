//! A transport that carries nothing: for development and tests.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use countersign_domain::ids::{AttemptId, ChallengeId, PrincipalId};
use zeroize::Zeroizing;

use super::{
    MailMessage, MailTransport, SmsAccepted, SmsFailure, SmsMessage, SmsTransport, TransportError, VoiceCall,
    VoiceTransport, masked_address,
};

/// Messages that are kept to be looked at.
const KEPT_MAX: usize = 64;

/// Logs that something would have been sent, and sends nothing.
///
/// Only when it was told to reveal does it keep the last 64 messages, codes included, in memory: never turn that
/// on where real people sign in.
///
/// ```
/// use countersign::DevelopmentTransports;
/// assert!(DevelopmentTransports::new(true).messages().is_empty());
/// ```
pub struct DevelopmentTransports {
    reveal: bool,
    kept: Mutex<VecDeque<DevelopmentMessage>>,
}

/// A message that was not sent anywhere. `Debug` does not show what it says.
///
/// ```
/// fn code(message: &countersign::DevelopmentMessage) -> &str { message.code.as_str() }
/// ```
#[derive(Clone)]
pub struct DevelopmentMessage {
    /// `sms`, `mail` or `call`.
    pub via: &'static str,
    /// Where it would have gone.
    pub to: Zeroizing<String>,
    /// The code; a call has none.
    pub code: Zeroizing<String>,
    /// The challenge of an SMS code or a call.
    pub challenge: Option<ChallengeId>,
    /// The sign-in that a mail or a call is for.
    pub attempt: Option<AttemptId>,
    /// Whose sign-in a call is for.
    pub principal: Option<PrincipalId>,
}

impl fmt::Debug for DevelopmentMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DevelopmentMessage {{ via: {}, .. }}", self.via)
    }
}

impl DevelopmentTransports {
    /// An outbox; `reveal` says whether it keeps what it is given.
    ///
    /// ```
    /// let outbox = countersign::DevelopmentTransports::new(false);
    /// ```
    #[must_use]
    pub fn new(reveal: bool) -> Arc<Self> {
        Arc::new(Self { reveal, kept: Mutex::default() })
    }

    /// The last messages, oldest first.
    ///
    /// ```
    /// let outbox = countersign::DevelopmentTransports::new(true);
    /// assert_eq!(outbox.messages().len(), 0);
    /// ```
    #[must_use]
    pub fn messages(&self) -> Vec<DevelopmentMessage> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn keep(&self, message: DevelopmentMessage) {
        if !self.reveal {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_MAX {
            kept.pop_front();
        }
        kept.push_back(message);
    }
}

impl fmt::Debug for DevelopmentTransports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DevelopmentTransports {{ reveal: {} }}", self.reveal)
    }
}

#[async_trait]
impl SmsTransport for DevelopmentTransports {
    async fn submit(&self, message: SmsMessage) -> Result<SmsAccepted, SmsFailure> {
        tracing::info!(to = %message.to, challenge = %message.challenge, "development transport: an SMS code");
        self.keep(DevelopmentMessage {
            via: "sms",
            to: Zeroizing::new(message.to.e164().to_owned()),
            code: Zeroizing::new(message.code.expose().to_owned()),
            challenge: Some(message.challenge),
            attempt: None,
            principal: None,
        });
        Ok(SmsAccepted { message_id: None })
    }
}

#[async_trait]
impl MailTransport for DevelopmentTransports {
    async fn send(&self, message: MailMessage) -> Result<(), TransportError> {
        tracing::info!(to = masked_address(&message.to), "development transport: a recovery mail");
        let MailMessage { to, code, attempt } = message;
        let to = Zeroizing::new(to);
        self.keep(DevelopmentMessage {
            via: "mail",
            to,
            code,
            challenge: None,
            attempt: Some(attempt),
            principal: None,
        });
        Ok(())
    }
}

#[async_trait]
impl VoiceTransport for DevelopmentTransports {
    async fn call(&self, call: VoiceCall) -> Result<(), TransportError> {
        tracing::info!(to = %call.to, call = %call.call, "development transport: a recovery call");
        self.keep(DevelopmentMessage {
            via: "call",
            to: Zeroizing::new(call.to.e164().to_owned()),
            code: Zeroizing::default(),
            challenge: Some(call.call),
            attempt: Some(call.attempt),
            principal: Some(call.principal),
        });
        Ok(())
    }
}
