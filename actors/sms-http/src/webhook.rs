//! A generic gateway: signed JSON in the manner of Standard Webhooks 1.0, in both directions.
//!
//! A message is a POST of
//!
//! ```json
//! {"type": "sms", "id": "…", "to": "+14155550100", "text": "…", "expires_in_s": 300, "challenge": "…"}
//! ```
//!
//! | header | what it is |
//! |---|---|
//! | `webhook-id`, `Idempotency-Key` | the `id` of the body: the same for every try to send one code |
//! | `webhook-timestamp` | when it was handed over by the engine's clock, in seconds of Unix time |
//! | `webhook-signature` | per secret `v1,` and base64 of HMAC-SHA256 over `id.timestamp.body`; spaces between |
//!
//! A gateway takes a message under one `id` once, however often it comes: one whose outcome is not known is posted there
//! again. It answers:
//!
//! | the answer | what is said |
//! |---|---|
//! | 2xx, optionally `{"message_id": "…"}` | accepted; the name has 1 to 64 visible ASCII characters |
//! | 409, optionally `{"message_id": "…"}` | accepted: it was taken before under this `id` |
//! | 422 `{"reason": "invalid_number"}`, `{"reason": "opted_out"}` | `InvalidNumber`, `OptedOut` |
//! | 429 | `Throttled`, with its `Retry-After` |
//! | 3xx, 401 to 408, 410, 411, 413, 415, 421, 425, 426, 431, 451 | `Unavailable`: it was not looked at |
//! | 501, 503, 505, 511 | `Unavailable`: nothing was done |
//! | other 4xx | `Refused`: this gateway will not take it |
//! | other 5xx | `Unknown`: it broke, perhaps after the message was on its way |
//! | no connection, no TLS, no such name | `Unavailable` |
//! | no answer in time, cut off before the status, no HTTP | `Unknown` |
//!
//! Later it reports with a POST of `{"message_id": "…", "status": "…"}` and the same three `webhook-` headers, signed
//! with one of the same secrets, at most five minutes ago. The `status` is `enroute`, `delivered`, `undeliverable`,
//! `expired`, `rejected`, `deleted` or `unknown`; another one is no receipt.

mod callback;
pub(crate) mod outcome;
mod secret;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use countersign::{SmsAccepted, SmsCallback, SmsCallbackError, SmsFailure, SmsMessage, SmsReceipt, SmsTransport};
use reqwest::Url;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde::Serialize;
use zeroize::Zeroizing;

use self::secret::Secrets;
use crate::address::checked_address;
use crate::error::ConfigError;
use crate::http::{HttpClient, HttpOptions};
use crate::outcome::of_failure;

/// How far from now a report may be signed, in both directions.
///
/// ```
/// assert_eq!(countersign_sms_http::webhook::TOLERANCE.as_secs(), 300);
/// ```
pub const TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// The settings of a webhook. `Debug` does not show the secrets or the address.
///
/// ```
/// use countersign_sms_http::webhook::WebhookConfig;
///
/// let config = WebhookConfig::new("https://sms.example.com/", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
/// assert!(!format!("{config:?}").contains("MfKQ"));
/// ```
#[derive(Clone)]
pub struct WebhookConfig {
    /// Where messages are posted. Plain HTTP is for loopback addresses.
    pub url: String,
    /// One to eight secrets, each `whsec_` and 24 to 64 bytes in base64. All sign; a report is believed under any. To
    /// change one, add the new one on both sides, then remove the old one.
    pub secrets: Vec<Zeroizing<String>>,
    /// How the gateway is reached.
    pub http: HttpOptions,
}

impl WebhookConfig {
    /// An address with one secret.
    ///
    /// ```
    /// # use countersign_sms_http::webhook::WebhookConfig;
    /// let config = WebhookConfig::new("https://sms.example.com/", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    /// assert_eq!(config.secrets.len(), 1);
    /// ```
    #[must_use]
    pub fn new(url: impl Into<String>, secret: impl Into<String>) -> Self {
        Self { url: url.into(), secrets: vec![Zeroizing::new(secret.into())], http: HttpOptions::default() }
    }
}

impl fmt::Debug for WebhookConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookConfig")
            .field("secrets", &self.secrets.len())
            .field("http", &self.http)
            .finish_non_exhaustive()
    }
}

/// Hands messages to a webhook. `Debug` does not show the secrets or the address.
///
/// ```
/// use countersign::SmsRoute;
/// use countersign_sms_http::webhook::{WebhookConfig, WebhookTransport};
///
/// let config = WebhookConfig::new("https://sms.example.com/", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
/// let route = SmsRoute::new("webhook", WebhookTransport::new(config)?);
/// # Ok::<(), countersign_sms_http::ConfigError>(())
/// ```
pub struct WebhookTransport {
    http: HttpClient,
    url: Url,
    secrets: Secrets,
}

impl WebhookTransport {
    /// A transport with a checked configuration. Nothing is asked of the gateway yet.
    ///
    /// # Errors
    /// When a setting cannot be used; [`WebhookConfig`] says what each may be.
    ///
    /// ```
    /// use countersign_sms_http::webhook::{WebhookConfig, WebhookTransport};
    ///
    /// let error = WebhookTransport::new(WebhookConfig::new("https://sms.example.com/", "secret")).unwrap_err();
    /// assert_eq!(error.setting(), "secrets");
    /// ```
    pub fn new(config: WebhookConfig) -> Result<Arc<Self>, ConfigError> {
        let url = checked_address("url", &config.url)?;
        let secrets = Secrets::parse(&config.secrets)?;
        let http = HttpClient::new(&config.http, &url)?;
        Ok(Arc::new(Self { http, url, secrets }))
    }

    fn request(&self, message: &SmsMessage) -> Result<http::Request<Bytes>, SmsFailure> {
        let id = message.key.to_string();
        let body = body(&id, message).ok_or(SmsFailure::Refused)?;
        let life_ms = u64::try_from(message.life.as_millis()).unwrap_or(u64::MAX);
        let timestamp = (message.until.0.saturating_sub(life_ms) / 1_000).to_string();
        let signature = self.secrets.sign(&id, &timestamp, &body).ok_or(SmsFailure::Unavailable)?;
        http::Request::post(self.url.as_str())
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json")
            .header("idempotency-key", &id)
            .header("webhook-id", &id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signature)
            .body(Bytes::from_owner(body))
            .map_err(|_| SmsFailure::Unavailable)
    }
}

/// A message as a gateway reads it.
#[derive(Serialize)]
struct Sent<'a> {
    r#type: &'static str,
    id: &'a str,
    to: &'a str,
    text: &'a str,
    expires_in_s: u64,
    challenge: String,
}

fn body(id: &str, message: &SmsMessage) -> Option<Zeroizing<Vec<u8>>> {
    let (to, text, expires_in_s) = (message.to.e164(), message.text(), message.life.as_secs().max(1));
    let sent = Sent { r#type: "sms", id, to, text, expires_in_s, challenge: message.challenge.to_string() };
    // Room for all of it, were each byte escaped: a vector that grows leaves copies behind.
    let mut body = Zeroizing::new(Vec::with_capacity(512 + 6 * text.len()));
    serde_json::to_writer(&mut *body, &sent).ok()?;
    Some(body)
}

impl fmt::Debug for WebhookTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookTransport").field("secrets", &self.secrets.len()).finish_non_exhaustive()
    }
}

#[async_trait]
impl SmsTransport for WebhookTransport {
    async fn submit(&self, message: SmsMessage) -> Result<SmsAccepted, SmsFailure> {
        let request = self.request(&message)?;
        drop(message);
        match self.http.send(request).await {
            Ok(answer) => outcome::of_answer(&answer),
            Err(failure) => Err(of_failure(failure)),
        }
    }

    fn is_idempotent(&self) -> bool {
        true
    }

    fn callback(&self, callback: &SmsCallback<'_>) -> Result<Option<SmsReceipt>, SmsCallbackError> {
        callback::read(&self.secrets, callback)
    }
}
