//! What is wrong with a configuration.

use std::fmt;

/// A setting that cannot be used. It names the setting and never quotes its value, which may be a secret.
///
/// ```
/// use countersign_sms_http::webhook::{WebhookConfig, WebhookTransport};
///
/// let config = WebhookConfig::new("http://sms.example.com/", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
/// let error = WebhookTransport::new(config).unwrap_err();
/// assert_eq!(error.setting(), "url");
/// assert_eq!(error.to_string(), "`url` must be https, or http to a loopback address");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfigError {
    setting: &'static str,
    what: &'static str,
}

impl ConfigError {
    /// An error about a setting: its name, and what it must be.
    ///
    /// ```
    /// let error = countersign_sms_http::ConfigError::new("region", "must be a name like us-east-1");
    /// assert_eq!(error.to_string(), "`region` must be a name like us-east-1");
    /// ```
    #[must_use]
    pub const fn new(setting: &'static str, what: &'static str) -> Self {
        Self { setting, what }
    }

    /// The name of the setting.
    ///
    /// ```
    /// assert_eq!(countersign_sms_http::ConfigError::new("region", "must be a name").setting(), "region");
    /// ```
    #[must_use]
    pub const fn setting(&self) -> &'static str {
        self.setting
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.setting, self.what)
    }
}

impl std::error::Error for ConfigError {}
