//! What carries codes to people: SMS, mail and telephone, each behind a port.

mod development;
mod sms;

pub use development::{DevelopmentMessage, DevelopmentTransports};
pub use sms::{
    SmsAccepted, SmsCallback, SmsCallbackError, SmsFailure, SmsKey, SmsMessage, SmsReceipt, SmsRoute, SmsTransport,
};

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use countersign_domain::device::PhoneNumber;
use countersign_domain::ids::{AttemptId, ChallengeId, PrincipalId};
use zeroize::Zeroizing;

/// A recovery code on its way to a mailbox (R130). `Debug` shows neither code nor address.
///
/// ```
/// fn link(mail: &countersign::MailMessage) -> String {
///     format!("https://console.example.com/recovery?code={}", mail.code.as_str())
/// }
/// ```
#[derive(Clone)]
pub struct MailMessage {
    /// Where it goes.
    pub to: String,
    /// The code: 32 hexadecimal digits.
    pub code: Zeroizing<String>,
    /// The sign-in that it is for.
    pub attempt: AttemptId,
}

impl fmt::Debug for MailMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MailMessage {{ attempt: {}, .. }}", self.attempt)
    }
}

/// A call that asks whoever answers for the six digits that the page shows (R130).
///
/// The transport does not learn the digits: it passes on the keys that were pressed, by
/// [`Countersign::answer_recovery_call`](crate::Countersign::answer_recovery_call).
///
/// ```
/// fn say(call: &countersign::VoiceCall) -> String {
///     format!("call {} to {}: please key in the number on your screen", call.call, call.to)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct VoiceCall {
    /// Where it goes.
    pub to: PhoneNumber,
    /// Who is signing in.
    pub principal: PrincipalId,
    /// The sign-in that it is for.
    pub attempt: AttemptId,
    /// The call.
    pub call: ChallengeId,
}

/// Why nothing was sent.
///
/// ```
/// assert_eq!(countersign::TransportError::NotConfigured.to_string(), "no transport is configured");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportError {
    /// The deployment has no such transport.
    NotConfigured,
    /// The transport does not take this message, and would not take it later.
    Refused,
    /// The transport does not work now.
    Unavailable,
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotConfigured => "no transport is configured",
            Self::Refused => "the transport refused the message",
            Self::Unavailable => "the transport does not work now",
        })
    }
}

impl std::error::Error for TransportError {}

/// Sends recovery codes by mail (R130).
///
/// ```
/// use countersign::{MailMessage, MailTransport, TransportError};
///
/// struct Nowhere;
///
/// #[async_trait::async_trait]
/// impl MailTransport for Nowhere {
///     async fn send(&self, _message: MailMessage) -> Result<(), TransportError> {
///         Err(TransportError::Unavailable)
///     }
/// }
/// ```
#[async_trait]
pub trait MailTransport: Send + Sync + 'static {
    /// Hands a message over.
    ///
    /// # Errors
    /// When the message was not taken.
    async fn send(&self, message: MailMessage) -> Result<(), TransportError>;
}

/// Makes recovery calls (R130).
///
/// ```
/// use countersign::{TransportError, VoiceCall, VoiceTransport};
///
/// struct Nowhere;
///
/// #[async_trait::async_trait]
/// impl VoiceTransport for Nowhere {
///     async fn call(&self, _call: VoiceCall) -> Result<(), TransportError> {
///         Err(TransportError::Unavailable)
///     }
/// }
/// ```
#[async_trait]
pub trait VoiceTransport: Send + Sync + 'static {
    /// Begins a call.
    ///
    /// # Errors
    /// When it cannot be made.
    async fn call(&self, call: VoiceCall) -> Result<(), TransportError>;
}

/// The transports of a deployment. The default has none.
///
/// ```
/// use countersign::{Config, DevelopmentTransports, Transports};
///
/// let outbox = DevelopmentTransports::new(true);
/// let config = Config { transports: Transports::development(&outbox), ..Config::default() };
/// ```
#[derive(Clone)]
pub struct Transports {
    /// For codes of SMS devices: none, or up to 16, each under a name of its own.
    pub sms: Vec<SmsRoute>,
    /// For root's recovery by mail.
    pub mail: Arc<dyn MailTransport>,
    /// For root's recovery by phone.
    pub voice: Arc<dyn VoiceTransport>,
}

impl Transports {
    /// Everything goes to an outbox for development.
    ///
    /// ```
    /// let outbox = countersign::DevelopmentTransports::new(false);
    /// let transports = countersign::Transports::development(&outbox);
    /// ```
    #[must_use]
    pub fn development(outbox: &Arc<DevelopmentTransports>) -> Self {
        let sms = vec![SmsRoute::new("development", Arc::clone(outbox) as _)];
        Self { sms, mail: Arc::clone(outbox) as _, voice: Arc::clone(outbox) as _ }
    }
}

impl Default for Transports {
    fn default() -> Self {
        Self { sms: Vec::new(), mail: Arc::new(Nothing), voice: Arc::new(Nothing) }
    }
}

impl fmt::Debug for Transports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transports(..)")
    }
}

/// No transport.
struct Nothing;

#[async_trait]
impl MailTransport for Nothing {
    async fn send(&self, _message: MailMessage) -> Result<(), TransportError> {
        Err(TransportError::NotConfigured)
    }
}

#[async_trait]
impl VoiceTransport for Nothing {
    async fn call(&self, _call: VoiceCall) -> Result<(), TransportError> {
        Err(TransportError::NotConfigured)
    }
}

/// An address as it may be shown: its first character and its domain.
pub(crate) fn masked_address(address: &str) -> String {
    match address.split_once('@') {
        Some((local, domain)) => format!("{}•••@{domain}", local.chars().next().unwrap_or('•')),
        None => "•••".to_owned(),
    }
}
