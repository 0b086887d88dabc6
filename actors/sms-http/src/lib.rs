//! SMS over HTTP: two ways for a [`countersign`] engine to hand its codes to a gateway.
//!
//! | module | the gateway |
//! |---|---|
//! | [`twilio`] | Twilio's Programmable Messaging |
//! | [`webhook`] | any service that takes a signed JSON webhook in the manner of Standard Webhooks |
//!
//! Both implement [`countersign::SmsTransport`]: `submit` says whether a message was taken, was not, or may have been;
//! `callback` believes a report only when its signature verifies.
//!
//! Each message goes over a connection of its own. A connection that is kept could be closed by the other side at the
//! moment when it is used, and then nobody knows whether the message was taken; and it would belong to the runtime that
//! opened it, while a transport outlives the engine that uses it.
//!
//! No redirect is followed, no proxy is taken from the environment, and plain HTTP is for loopback addresses only.
//!
//! ```
//! use countersign::SmsRoute;
//! use countersign_sms_http::webhook::{WebhookConfig, WebhookTransport};
//!
//! let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
//! let gateway = WebhookTransport::new(WebhookConfig::new("https://sms.example.com/messages", secret))?;
//! let route = SmsRoute::new("main", gateway);
//! # Ok::<(), countersign_sms_http::ConfigError>(())
//! ```

#![forbid(unsafe_code)]

mod address;
mod error;
mod form;
pub mod http;
mod outcome;
pub mod twilio;
pub mod webhook;

pub use address::checked_address;
pub use error::ConfigError;
pub use outcome::failure_of_status;
pub use reqwest::Url;

/// What gateways answer, and their forms, for the fuzzing of both.
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing {
    use std::collections::BTreeMap;

    use countersign::{SmsAccepted, SmsFailure};

    use crate::http::HttpAnswer;

    /// The parameters of a form.
    #[must_use]
    pub fn decode_form(form: &[u8]) -> Option<BTreeMap<String, String>> {
        crate::form::decode(form)
    }

    /// A form of some parameters.
    #[must_use]
    pub fn encode_form(pairs: &[(&str, &str)]) -> Vec<u8> {
        crate::form::encode(pairs).to_vec()
    }

    /// What an answer of Twilio means.
    ///
    /// # Errors
    /// When it took no message.
    pub fn twilio_answer(answer: &HttpAnswer) -> Result<SmsAccepted, SmsFailure> {
        crate::twilio::outcome::of_answer(answer)
    }

    /// What an answer of a webhook means.
    ///
    /// # Errors
    /// When it took no message.
    pub fn webhook_answer(answer: &HttpAnswer) -> Result<SmsAccepted, SmsFailure> {
        crate::webhook::outcome::of_answer(answer)
    }
}
