//! What a Twilio transport has to be told.

use std::fmt;

use reqwest::Url;
use zeroize::Zeroizing;

use crate::address::checked_address;
use crate::error::ConfigError;
use crate::http::HttpOptions;

/// The highest price that may be set: one thousand dollars.
const PRICE_MICROS_MAX: u64 = 1_000_000_000;

/// The settings of a Twilio account. `Debug` shows neither token nor account.
///
/// ```
/// use countersign_sms_http::twilio::{TwilioConfig, TwilioSender};
///
/// let sender = TwilioSender::Service("MGbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb".to_owned());
/// let config = TwilioConfig::new("ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "token", sender);
/// assert_eq!(config.base_url, "https://api.twilio.com");
/// assert!(!format!("{config:?}").contains("AC"));
/// ```
#[derive(Clone)]
pub struct TwilioConfig {
    /// Where the API is: `https://api.twilio.com`, or that of an edge or a region. Plain HTTP is for loopback
    /// addresses.
    pub base_url: String,
    /// The account: `AC` and 32 lower-case hexadecimal digits.
    pub account_sid: String,
    /// The account's auth token, 1 to 128 visible ASCII characters. Reports are signed with the same.
    pub auth_token: Zeroizing<String>,
    /// Who sends.
    pub sender: TwilioSender,
    /// Where Twilio reports how far a message came, as Twilio is to spell it. Without it, nothing is reported.
    pub status_callback: Option<String>,
    /// The highest price of a message, in millionths of a US dollar: 1 to 1,000,000,000. Twilio sends none that costs
    /// more.
    pub max_price_micros: Option<u64>,
    /// How Twilio is reached.
    pub http: HttpOptions,
}

impl TwilioConfig {
    /// An account at Twilio's usual address, without reports and without a highest price.
    ///
    /// ```
    /// # use countersign_sms_http::twilio::{TwilioConfig, TwilioSender};
    /// let from = TwilioSender::From("Example".to_owned());
    /// let config = TwilioConfig::new("ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "token", from);
    /// assert_eq!(config.status_callback, None);
    /// ```
    #[must_use]
    pub fn new(account_sid: impl Into<String>, auth_token: impl Into<String>, sender: TwilioSender) -> Self {
        Self {
            base_url: "https://api.twilio.com".to_owned(),
            account_sid: account_sid.into(),
            auth_token: Zeroizing::new(auth_token.into()),
            sender,
            status_callback: None,
            max_price_micros: None,
            http: HttpOptions::default(),
        }
    }

    /// The base address, when all settings can be used.
    pub(super) fn check(&self) -> Result<Url, ConfigError> {
        let base = checked_address("base_url", &self.base_url)?;
        if base.query().is_some() {
            return Err(ConfigError::new("base_url", "must have no query"));
        }
        if !is_sid("AC", &self.account_sid) {
            return Err(ConfigError::new("account_sid", "must be AC and 32 lower-case hexadecimal digits"));
        }
        let visible = self.auth_token.bytes().all(|byte| byte.is_ascii_graphic());
        if !visible || !(1..=128).contains(&self.auth_token.len()) {
            return Err(ConfigError::new("auth_token", "must be 1 to 128 visible ASCII characters"));
        }
        self.sender.check()?;
        if let Some(url) = &self.status_callback {
            checked_address("status_callback", url)?;
        }
        if self.max_price_micros.is_some_and(|price| !(1..=PRICE_MICROS_MAX).contains(&price)) {
            return Err(ConfigError::new("max_price_micros", "must be 1 to 1,000,000,000"));
        }
        Ok(base)
    }
}

impl fmt::Debug for TwilioConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TwilioConfig")
            .field("sender", &self.sender)
            .field("status_callback", &self.status_callback.is_some())
            .field("max_price_micros", &self.max_price_micros)
            .field("http", &self.http)
            .finish_non_exhaustive()
    }
}

/// Who sends a message. `Debug` does not show the number.
///
/// ```
/// use countersign_sms_http::twilio::TwilioSender;
/// assert_eq!(format!("{:?}", TwilioSender::From("+14155552345".to_owned())), "From(..)");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub enum TwilioSender {
    /// One of the account's numbers in E.164; a short code of 3 to 8 digits; or a name of 1 to 11 letters, digits and
    /// spaces, at least one of them a letter.
    From(String),
    /// A messaging service, which chooses: `MG` and 32 lower-case hexadecimal digits.
    Service(String),
}

impl TwilioSender {
    /// The form parameter that names it.
    pub(super) fn parameter(&self) -> (&'static str, &str) {
        match self {
            Self::From(from) => ("From", from),
            Self::Service(sid) => ("MessagingServiceSid", sid),
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        match self {
            Self::From(from) if is_number(from) || is_short_code(from) || is_name(from) => Ok(()),
            Self::From(_) => Err(ConfigError::new("sender", "must be a number, a short code or a name")),
            Self::Service(sid) if is_sid("MG", sid) => Ok(()),
            Self::Service(_) => Err(ConfigError::new("sender", "must be MG and 32 lower-case hexadecimal digits")),
        }
    }
}

impl fmt::Debug for TwilioSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::From(_) => "From(..)",
            Self::Service(_) => "Service(..)",
        })
    }
}

fn is_sid(prefix: &str, text: &str) -> bool {
    let hex = |rest: &str| rest.len() == 32 && rest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    text.strip_prefix(prefix).is_some_and(hex)
}

fn is_number(text: &str) -> bool {
    text.starts_with('+') && countersign::PhoneNumber::try_from(text.to_owned()).is_ok()
}

fn is_short_code(text: &str) -> bool {
    (3..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_name(text: &str) -> bool {
    let fits = (1..=11).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b' ');
    fits && text.bytes().any(|byte| byte.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> TwilioConfig {
        let sender = TwilioSender::From("+14155552345".to_owned());
        TwilioConfig::new(format!("AC{}", "a".repeat(32)), "authtoken", sender)
    }

    #[test]
    fn senders_are_numbers_short_codes_names_and_services() {
        for fine in ["+14155552345", "12345", "Example", "My Bank 24"] {
            assert_eq!(TwilioSender::From(fine.to_owned()).check(), Ok(()), "{fine}");
        }
        for wrong in ["", "+1", "4155552345", "12", "Exämple", "A-B", "Twelve chars", "   "] {
            assert!(TwilioSender::From(wrong.to_owned()).check().is_err(), "{wrong}");
        }
        assert_eq!(TwilioSender::Service(format!("MG{}", "0f".repeat(16))).check(), Ok(()));
        for wrong in ["", "MG", "+14155552345", &format!("MG{}", "F".repeat(32)), &format!("AC{}", "f".repeat(32))] {
            assert!(TwilioSender::Service(wrong.to_owned()).check().is_err(), "{wrong}");
        }
    }

    type Spoil = fn(&mut TwilioConfig);

    #[test]
    fn each_wrong_setting_is_named() {
        let cases: [(&str, Spoil); 9] = [
            ("base_url", |config| config.base_url = "http://api.twilio.com".to_owned()),
            ("base_url", |config| config.base_url = "https://api.twilio.com/?x=1".to_owned()),
            ("account_sid", |config| config.account_sid = "AC/../../".to_owned()),
            ("auth_token", |config| config.auth_token = Zeroizing::default()),
            ("auth_token", |config| config.auth_token = Zeroizing::new("a\r\nb".to_owned())),
            ("sender", |config| config.sender = TwilioSender::From(String::new())),
            ("status_callback", |config| config.status_callback = Some("http://a.example/".to_owned())),
            ("max_price_micros", |config| config.max_price_micros = Some(0)),
            ("max_price_micros", |config| config.max_price_micros = Some(PRICE_MICROS_MAX + 1)),
        ];
        assert!(config().check().is_ok());
        for (setting, spoil) in cases {
            let mut config = config();
            spoil(&mut config);
            assert_eq!(config.check().unwrap_err().setting(), setting);
        }
    }
}
