//! The port to SMS gateways: what is handed over, what is known afterwards, and what comes back later.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use countersign_domain::device::PhoneNumber;
use countersign_domain::event::SmsDelivery;
use countersign_domain::ids::{ChallengeId, StreamId, UnixMillis, Version};
use zeroize::Zeroizing;

use crate::code::Code;

/// A code on its way to a phone. `Debug` shows neither text nor code nor number.
///
/// ```
/// fn form(message: &countersign::SmsMessage) -> [(&'static str, &str); 2] {
///     [("To", message.to.e164()), ("Body", message.text())]
/// }
/// ```
#[derive(Clone)]
pub struct SmsMessage {
    /// Where it goes.
    pub to: PhoneNumber,
    /// What it says; one SMS long.
    pub text: Zeroizing<String>,
    /// The code in it.
    pub code: Code,
    /// The challenge that the code answers.
    pub challenge: ChallengeId,
    /// The same for every try to send this code, and for no other code.
    pub key: SmsKey,
    /// When the code is worth nothing any more: a gateway should not deliver later.
    pub until: UnixMillis,
    /// How long that is from now on.
    pub life: Duration,
}

impl SmsMessage {
    /// What the message says.
    ///
    /// ```
    /// fn length(message: &countersign::SmsMessage) -> usize { message.text().len() }
    /// ```
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for SmsMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SmsMessage {{ to: {}, challenge: {}, key: {}, .. }}", self.to, self.challenge, self.key)
    }
}

/// The idempotency key of a message: the principal's stream, and its version when the code was decided on.
///
/// ```
/// fn header(message: &countersign::SmsMessage) -> (&'static str, String) {
///     ("Idempotency-Key", message.key.to_string())
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SmsKey {
    /// The principal's stream.
    pub principal: StreamId,
    /// Its version.
    pub version: Version,
}

impl fmt::Display for SmsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.principal, self.version.0)
    }
}

/// What a gateway says when it takes a message.
///
/// ```
/// let taken = countersign::SmsAccepted { message_id: Some("SM1".to_owned()) };
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmsAccepted {
    /// The gateway's own name of the message, by which a receipt is known: 1 to 64 bytes. Without one, no receipt is
    /// expected.
    pub message_id: Option<String>,
}

/// Why a message was not taken, as far as that is known.
///
/// ```
/// use countersign::SmsFailure;
///
/// fn of_status(status: u16) -> SmsFailure {
///     match status {
///         429 => SmsFailure::Throttled { retry_after: None },
///         500.. => SmsFailure::Unavailable,
///         _ => SmsFailure::Refused,
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmsFailure {
    /// It was not taken, because too many came before it.
    Throttled {
        /// When the gateway wants to be asked again; it is, after 30 s at the latest.
        retry_after: Option<Duration>,
    },
    /// It was not taken: the gateway was not reached, or does not work, or does not know us. Another one may.
    Unavailable,
    /// It may have been taken: the answer did not come, or was cut off.
    Unknown,
    /// It was not taken, and no gateway would: there is no such number.
    InvalidNumber,
    /// It was not taken, and will not be: who has the number does not want messages.
    OptedOut,
    /// It was not taken, and this gateway will not take it; another one may.
    Refused,
}

impl fmt::Display for SmsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Throttled { .. } => "the gateway is asked too often",
            Self::Unavailable => "the gateway does not work now",
            Self::Unknown => "whether the gateway took it is not known",
            Self::InvalidNumber => "the gateway knows no such number",
            Self::OptedOut => "who has the number does not want messages",
            Self::Refused => "the gateway refuses the message",
        })
    }
}

impl std::error::Error for SmsFailure {}

/// What a gateway reports of a message later.
///
/// ```
/// use countersign::{SmsDelivery, SmsReceipt};
/// let receipt = SmsReceipt { message_id: "SM1".to_owned(), delivery: SmsDelivery::Delivered };
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmsReceipt {
    /// The gateway's own name of the message.
    pub message_id: String,
    /// How far it came.
    pub delivery: SmsDelivery,
}

/// An HTTP request in which a gateway reports on a message, not yet believed.
///
/// ```
/// let callback = countersign::SmsCallback {
///     url: "https://console.example.com/sms/status/main",
///     headers: &[("X-Twilio-Signature", "...")],
///     body: b"MessageSid=SM1&MessageStatus=delivered",
///     now: countersign::UnixMillis(0),
/// };
/// assert_eq!(callback.header("x-twilio-signature"), Some("..."));
/// ```
#[derive(Clone, Copy)]
pub struct SmsCallback<'a> {
    /// The whole address that was asked for, as the gateway knows it.
    pub url: &'a str,
    /// The headers, in order.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body.
    pub body: &'a [u8],
    /// When it came.
    pub now: UnixMillis,
}

impl SmsCallback<'_> {
    /// The first header of a name; case does not count.
    ///
    /// ```
    /// # use countersign::{SmsCallback, UnixMillis};
    /// let callback = SmsCallback { url: "", headers: &[("Date", "today")], body: b"", now: UnixMillis(0) };
    /// assert_eq!(callback.header("date"), Some("today"));
    /// ```
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }
}

impl fmt::Debug for SmsCallback<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SmsCallback {{ headers: {}, body: {} bytes, .. }}", self.headers.len(), self.body.len())
    }
}

/// Why a callback is not believed or not understood.
///
/// ```
/// assert_eq!(countersign::SmsCallbackError::Signature.to_string(), "the signature of the report does not verify");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SmsCallbackError {
    /// No route of this name takes callbacks.
    NotTaken,
    /// The signature is missing, or is not the gateway's.
    Signature,
    /// It is signed, and older than is believed.
    Stale,
    /// It is signed, and says nothing that can be understood.
    Malformed,
    /// The engine cannot take it now; the gateway should report again.
    Unavailable,
}

impl fmt::Display for SmsCallbackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotTaken => "no route of this name takes reports",
            Self::Signature => "the signature of the report does not verify",
            Self::Stale => "the report is too old",
            Self::Malformed => "the report cannot be understood",
            Self::Unavailable => "the report cannot be taken now",
        })
    }
}

impl std::error::Error for SmsCallbackError {}

/// A way to an SMS gateway.
///
/// ```
/// use countersign::{SmsAccepted, SmsFailure, SmsMessage, SmsTransport};
///
/// struct Nowhere;
///
/// #[async_trait::async_trait]
/// impl SmsTransport for Nowhere {
///     async fn submit(&self, _message: SmsMessage) -> Result<SmsAccepted, SmsFailure> {
///         Err(SmsFailure::Unavailable)
///     }
/// }
/// ```
#[async_trait]
pub trait SmsTransport: Send + Sync + 'static {
    /// Hands a message over once, and says what is known of it afterwards. It is not asked for again while it runs;
    /// the sender gives up after [`SmsRoute::submit_time_max`], drops the future, and takes the
    /// outcome for unknown. It runs on the engine's own tokio runtime and must not block it.
    ///
    /// # Errors
    /// Whether the message was taken decides what becomes of it: when in doubt, say [`SmsFailure::Unknown`].
    async fn submit(&self, message: SmsMessage) -> Result<SmsAccepted, SmsFailure>;

    /// Waits for the next report that the gateway sends by itself; `None` when no more can come. It is awaited by one
    /// task, and dropped half-way only when the engine closes. When it is asked for again, the report before is recorded:
    /// acknowledge it to the gateway then, and not earlier. One transport serves one route.
    async fn receipt(&self) -> Option<SmsReceipt> {
        std::future::pending().await
    }

    /// Whether the gateway takes a message once only, however often it is handed over under one [`SmsKey`]. A message of
    /// which nobody knows whether it was taken stays with such a gateway.
    fn is_idempotent(&self) -> bool {
        false
    }

    /// Reads a report that came by HTTP. `None` is a genuine one that says nothing of a delivery.
    ///
    /// # Errors
    /// When it is not the gateway's, or cannot be understood.
    fn callback(&self, _callback: &SmsCallback<'_>) -> Result<Option<SmsReceipt>, SmsCallbackError> {
        Err(SmsCallbackError::NotTaken)
    }
}

/// A gateway, what it may be used for, and how hard.
///
/// ```
/// use countersign::{Config, DevelopmentTransports, SmsRoute, Transports};
///
/// let gateway = DevelopmentTransports::new(false);
/// let route = SmsRoute { prefixes: vec!["+1".to_owned()], price_micros: 7_500, ..SmsRoute::new("na", gateway) };
/// let config = Config { transports: Transports { sms: vec![route], ..Transports::default() }, ..Config::default() };
/// ```
#[derive(Clone)]
pub struct SmsRoute {
    /// Its name in the log, in reports and in the addresses of callbacks: 1 to 32 of `a-z`, `0-9` and `-`.
    pub name: String,
    /// The gateway.
    pub transport: Arc<dyn SmsTransport>,
    /// The numbers that it carries messages to: each a `+` and the first digits. None means all. Of two routes, the one
    /// with the longer prefix comes first, then the one that is listed first.
    pub prefixes: Vec<String>,
    /// What one message costs, in millionths of the currency that the deployment counts in.
    pub price_micros: u64,
    /// Messages that it is handed in a second, at most: 1 to 10,000.
    pub per_second_max: u32,
    /// Messages that it is being handed at once, at most: 1 to 1,000.
    pub in_flight_max: u32,
    /// For how long an answer is waited for: 1 to 60 s. After that nobody knows whether the message was taken.
    pub submit_time_max: Duration,
}

impl SmsRoute {
    /// A route to everywhere, that costs nothing, with 50 messages a second and 10 at once, and 10 s to answer.
    ///
    /// ```
    /// # use countersign::{DevelopmentTransports, SmsRoute};
    /// assert_eq!(SmsRoute::new("main", DevelopmentTransports::new(false)).in_flight_max, 10);
    /// ```
    #[must_use]
    pub fn new(name: impl Into<String>, transport: Arc<dyn SmsTransport>) -> Self {
        Self {
            name: name.into(),
            transport,
            prefixes: Vec::new(),
            price_micros: 0,
            per_second_max: 50,
            in_flight_max: 10,
            submit_time_max: Duration::from_secs(10),
        }
    }
}

impl fmt::Debug for SmsRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmsRoute")
            .field("name", &self.name)
            .field("prefixes", &self.prefixes)
            .field("price_micros", &self.price_micros)
            .field("per_second_max", &self.per_second_max)
            .field("in_flight_max", &self.in_flight_max)
            .field("submit_time_max", &self.submit_time_max)
            .finish_non_exhaustive()
    }
}
