//! Twilio's Programmable Messaging: one form for each message, and signed reports.
//!
//! What becomes of a message (the status of the answer, and Twilio's own code in it, which counts first on a 4xx):
//!
//! | the answer | what is said | because |
//! |---|---|---|
//! | 2xx with a `sid` | accepted, with its name | |
//! | 2xx that cannot be read, is too long or cut off | accepted, without a name | the status says that it was taken |
//! | 2xx with an `error_code` | as that code on a 4xx | the message exists, and failed at once |
//! | code 21211, 21214, 21614 | `InvalidNumber` | not a number, not reachable, not a mobile |
//! | code 21610 | `OptedOut` | it answered STOP |
//! | code 20429, 21611 | `Throttled` | too many requests; the queue of the sender's number is full |
//! | 429 | `Throttled`, with its `Retry-After` | |
//! | code 63038 | `Refused` | the account has sent what it may in a day |
//! | 401 to 407, 410, 3xx | `Unavailable`, and a warning in the log | account, token or address is wrong |
//! | 408, 411, 413, 415, 421, 425, 426, 431, 451 | `Unavailable`, and a warning in the log | the request was not looked at |
//! | other 4xx | `Refused`, and a warning in the log | Twilio will not take it from us: the sender, the region, the text |
//! | 501, 503, 505, 511 | `Unavailable` | these statuses say that nothing was done (RFC 9110 15.6) |
//! | other 5xx | `Unknown` | it broke, perhaps after the message was on its way |
//! | no connection, no TLS, no such name | `Unavailable` | nothing was sent |
//! | no answer in time, cut off before the status, no HTTP | `Unknown` | the request may have arrived |
//!
//! What a report says:
//!
//! | `MessageStatus` | the receipt |
//! |---|---|
//! | `accepted`, `queued`, `scheduled`, `sending`, `sent` | `Enroute` |
//! | `delivered`, `read` | `Delivered` |
//! | `undelivered` | `Undeliverable` |
//! | `failed` | `Rejected` |
//! | `canceled` | `Deleted` |
//! | another one, or none | no receipt |

mod callback;
mod config;
pub(crate) mod outcome;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use countersign::{SmsAccepted, SmsCallback, SmsCallbackError, SmsFailure, SmsMessage, SmsReceipt, SmsTransport};
use data_encoding::BASE64;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use zeroize::Zeroizing;

pub use self::config::{TwilioConfig, TwilioSender};
use crate::error::ConfigError;
use crate::form;
use crate::http::HttpClient;
use crate::outcome::of_failure;

/// The longest validity that Twilio takes, in seconds.
const VALIDITY_MAX_S: u64 = 36_000;

/// Hands messages to Twilio. `Debug` shows neither token nor account.
///
/// ```
/// use countersign::SmsRoute;
/// use countersign_sms_http::twilio::{TwilioConfig, TwilioSender, TwilioTransport};
///
/// let from = TwilioSender::From("+14155552345".to_owned());
/// let config = TwilioConfig {
///     status_callback: Some("https://mfa.example.com/sms/status/twilio".to_owned()),
///     ..TwilioConfig::new("ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "token", from)
/// };
/// let route = SmsRoute::new("twilio", TwilioTransport::new(config)?);
/// # Ok::<(), countersign_sms_http::ConfigError>(())
/// ```
pub struct TwilioTransport {
    http: HttpClient,
    messages: String,
    account_sid: String,
    auth_token: Zeroizing<String>,
    sender: TwilioSender,
    status_callback: Option<String>,
    max_price: Option<String>,
}

impl TwilioTransport {
    /// A transport with a checked configuration. Nothing is asked of Twilio yet.
    ///
    /// # Errors
    /// When a setting cannot be used; [`TwilioConfig`] says what each may be.
    ///
    /// ```
    /// use countersign_sms_http::twilio::{TwilioConfig, TwilioSender, TwilioTransport};
    ///
    /// let sender = TwilioSender::Service("MGbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb".to_owned());
    /// assert!(TwilioTransport::new(TwilioConfig::new("AC1", "token", sender)).is_err());
    /// ```
    pub fn new(config: TwilioConfig) -> Result<Arc<Self>, ConfigError> {
        let base = config.check()?;
        let http = HttpClient::new(&config.http, &base)?;
        let base = base.as_str().trim_end_matches('/');
        let messages = format!("{base}/2010-04-01/Accounts/{}/Messages.json", config.account_sid);
        let max_price = config.max_price_micros.map(dollars);
        let TwilioConfig { account_sid, auth_token, sender, status_callback, .. } = config;
        Ok(Arc::new(Self { http, messages, account_sid, auth_token, sender, status_callback, max_price }))
    }

    fn form(&self, message: &SmsMessage) -> Zeroizing<Vec<u8>> {
        let validity = validity_s(message.life).to_string();
        let mut pairs = vec![
            ("To", message.to.e164()),
            self.sender.parameter(),
            ("Body", message.text()),
            ("ValidityPeriod", validity.as_str()),
        ];
        pairs.extend(self.status_callback.as_deref().map(|url| ("StatusCallback", url)));
        pairs.extend(self.max_price.as_deref().map(|price| ("MaxPrice", price)));
        form::encode(&pairs)
    }

    fn request(&self, message: &SmsMessage) -> Result<http::Request<Bytes>, http::Error> {
        let pair = Zeroizing::new(format!("{}:{}", self.account_sid, *self.auth_token));
        let basic = Zeroizing::new(format!("Basic {}", *Zeroizing::new(BASE64.encode(pair.as_bytes()))));
        let mut basic = HeaderValue::from_str(&basic)?;
        basic.set_sensitive(true);
        http::Request::post(&self.messages)
            .header(AUTHORIZATION, basic)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .body(Bytes::from_owner(self.form(message)))
    }
}

/// What is left of a code's life, in whole seconds that Twilio takes.
fn validity_s(life: Duration) -> u64 {
    life.as_secs().clamp(1, VALIDITY_MAX_S)
}

/// Millionths of a dollar as a decimal number.
fn dollars(micros: u64) -> String {
    let digits = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    digits.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl fmt::Debug for TwilioTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TwilioTransport")
            .field("status_callback", &self.status_callback.is_some())
            .field("max_price", &self.max_price)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl SmsTransport for TwilioTransport {
    async fn submit(&self, message: SmsMessage) -> Result<SmsAccepted, SmsFailure> {
        let request = self.request(&message).map_err(|_| SmsFailure::Unavailable)?;
        drop(message);
        match self.http.send(request).await {
            Ok(answer) => outcome::of_answer(&answer),
            Err(failure) => Err(of_failure(failure)),
        }
    }

    fn callback(&self, callback: &SmsCallback<'_>) -> Result<Option<SmsReceipt>, SmsCallbackError> {
        callback::read(&self.auth_token, callback)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lives_and_prices_are_written_as_twilio_reads_them() {
        let lives = [(0, 1), (999, 1), (1_000, 1), (59_999, 59), (600_000, 600), (99_999_999, 36_000)];
        for (life_ms, expected_s) in lives {
            assert_eq!(validity_s(Duration::from_millis(life_ms)), expected_s, "{life_ms}");
        }
        for (micros, expected) in [(7_500, "0.0075"), (1_000_000, "1"), (10_050_000, "10.05"), (1, "0.000001")] {
            assert_eq!(dollars(micros), expected);
        }
    }
}
