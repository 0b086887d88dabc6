//! SMS over Amazon SNS: a way for a [`countersign`] engine to hand its codes to the cloud that it may run in.
//!
//! Messages are published as transactional ones, straight to a number. What becomes of one:
//!
//! | the answer | what is said | because |
//! |---|---|---|
//! | 2xx | accepted, with its name if that can be read | the status says that it was taken |
//! | `Throttling` and its kin, 429 | `Throttled` | SNS names no pause |
//! | `OptedOut`, or `InvalidParameter` that says so | `OptedOut` | the number answered STOP |
//! | `InvalidParameter` about the phone number | `InvalidNumber` | |
//! | 401 to 407, 410, 3xx, and errors about keys | `Unavailable`, and a warning in the log | another account may |
//! | 408, 411, 413, 415, 421, 425, 426, 431, 451 | `Unavailable`, and a warning in the log | the request was not looked at |
//! | other 4xx | `Refused`, and a warning in the log | SNS will not take it from us: the sender, the price, the text |
//! | `InternalError` and other 5xx | `Unknown` | it broke, perhaps after the message was on its way |
//! | 501, 503, 505, 511 | `Unavailable` | these statuses say that nothing was done |
//! | no connection, no credentials | `Unavailable` | nothing was sent |
//! | no answer in time, cut off before the status, no HTTP | `Unknown` | the request may have arrived |
//!
//! The SDK's own tries are off: what may be repeated is the engine's decision. SNS takes no idempotency key and no end
//! of validity for a message to a number, so that a late one may arrive after its code is worth nothing.
//!
//! SNS reports deliveries to CloudWatch only: this transport has no receipts.
//!
//! ```
//! use countersign::SmsRoute;
//! use countersign_sns::{SnsConfig, SnsCredentials, SnsTransport};
//!
//! let keys = SnsCredentials::fixed("AKIDEXAMPLE", "the secret key");
//! let config = SnsConfig { sender_id: Some("Example".to_owned()), ..SnsConfig::new("eu-central-1", keys) };
//! let route = SmsRoute::new("sns", SnsTransport::new(config)?);
//! # Ok::<(), countersign_sns::ConfigError>(())
//! ```

#![forbid(unsafe_code)]

mod carry;
mod config;
mod outcome;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_sns::Client;
use aws_sdk_sns::config::retry::RetryConfig;
use aws_sdk_sns::config::timeout::TimeoutConfig;
use aws_sdk_sns::config::{BehaviorVersion, Region, StalledStreamProtectionConfig};
use aws_sdk_sns::error::BuildError;
use aws_sdk_sns::types::MessageAttributeValue;
use countersign::{SmsAccepted, SmsFailure, SmsMessage, SmsTransport};
use countersign_sms_http::http::HttpClient;
use tracing::instrument::WithSubscriber as _;
use tracing::subscriber::NoSubscriber;

pub use config::{SnsConfig, SnsCredentials};
pub use countersign_sms_http::ConfigError;

/// Hands messages to Amazon SNS. `Debug` shows no credentials.
///
/// ```
/// use countersign_sns::{SnsConfig, SnsCredentials, SnsTransport};
///
/// let transport = SnsTransport::new(SnsConfig::new("eu-central-1", SnsCredentials::fixed("AKIDEXAMPLE", "secret")))?;
/// assert!(!format!("{transport:?}").contains("AKID"));
/// # Ok::<(), countersign_sns::ConfigError>(())
/// ```
pub struct SnsTransport {
    client: Client,
    attributes: Vec<(&'static str, MessageAttributeValue)>,
}

impl SnsTransport {
    /// A transport with a checked configuration. Nothing is asked of SNS, or of a provider of credentials, yet.
    ///
    /// # Errors
    /// When a setting cannot be used; [`SnsConfig`] says what each may be.
    ///
    /// ```
    /// use countersign_sns::{SnsConfig, SnsCredentials, SnsTransport};
    ///
    /// let config = SnsConfig::new("Frankfurt", SnsCredentials::fixed("AKIDEXAMPLE", "secret"));
    /// assert_eq!(SnsTransport::new(config).unwrap_err().setting(), "region");
    /// ```
    pub fn new(config: SnsConfig) -> Result<Arc<Self>, ConfigError> {
        let address = config.check()?;
        let http = HttpClient::new(&config.http, &address)?;
        let mut builder = aws_sdk_sns::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(config.region))
            .credentials_provider(config.credentials.provider())
            .http_client(carry::client(http))
            .retry_config(RetryConfig::disabled())
            // The client below keeps the time, and knows what was sent when it is over.
            .timeout_config(TimeoutConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        builder.set_endpoint_url(config.endpoint_url);
        let attributes = attributes(config.sender_id, config.max_price_micros);
        let attributes = attributes.map_err(|_| ConfigError::new("sender_id", "must make an attribute"))?;
        Ok(Arc::new(Self { client: Client::from_conf(builder.build()), attributes }))
    }
}

/// What is said of every message.
fn attributes(
    sender_id: Option<String>,
    max_price_micros: Option<u64>,
) -> Result<Vec<(&'static str, MessageAttributeValue)>, BuildError> {
    let value =
        |kind: &str, value: String| MessageAttributeValue::builder().data_type(kind).string_value(value).build();
    let mut attributes = vec![("AWS.SNS.SMS.SMSType", value("String", "Transactional".to_owned())?)];
    if let Some(sender_id) = sender_id {
        attributes.push(("AWS.SNS.SMS.SenderID", value("String", sender_id)?));
    }
    if let Some(micros) = max_price_micros {
        let dollars = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
        attributes.push(("AWS.SNS.SMS.MaxPrice", value("Number", dollars)?));
    }
    Ok(attributes)
}

impl fmt::Debug for SnsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SnsTransport").finish_non_exhaustive()
    }
}

#[async_trait]
impl SmsTransport for SnsTransport {
    async fn submit(&self, message: SmsMessage) -> Result<SmsAccepted, SmsFailure> {
        let mut publish = self.client.publish().phone_number(message.to.e164()).message(message.text());
        for (name, value) in &self.attributes {
            publish = publish.message_attributes(*name, value.clone());
        }
        drop(message);
        // The SDK writes whole requests to the log, text and number included.
        let published = publish.send().with_subscriber(NoSubscriber::default()).await;
        outcome::of(published)
    }
}
