//! What an SNS transport has to be told.

use std::fmt;

use aws_sdk_sns::config::{Credentials, ProvideCredentials, SharedCredentialsProvider};
use countersign_sms_http::http::HttpOptions;
use countersign_sms_http::{ConfigError, Url, checked_address};
use zeroize::Zeroizing;

/// The highest price that may be set: one thousand dollars.
const PRICE_MICROS_MAX: u64 = 1_000_000_000;

/// The settings of a use of SNS. `Debug` shows no credentials.
///
/// ```
/// use countersign_sns::{SnsConfig, SnsCredentials};
///
/// let config = SnsConfig::new("eu-central-1", SnsCredentials::fixed("AKIDEXAMPLE", "secret"));
/// assert!(!format!("{config:?}").contains("AKID"));
/// ```
#[derive(Clone)]
pub struct SnsConfig {
    /// The region, such as `eu-central-1`: 1 to 32 of `a-z`, `0-9` and `-`.
    pub region: String,
    /// Where SNS is, if it is not at the region's usual address. Plain HTTP is for loopback addresses.
    pub endpoint_url: Option<String>,
    /// Who asks.
    pub credentials: SnsCredentials,
    /// The name that the phone shows, in countries that allow one: 1 to 11 letters and digits, at least one a letter.
    pub sender_id: Option<String>,
    /// The highest price of a message, in millionths of a US dollar: 1 to 1,000,000,000. SNS sends none that costs
    /// more.
    pub max_price_micros: Option<u64>,
    /// How SNS is reached.
    pub http: HttpOptions,
}

impl SnsConfig {
    /// A region's usual address, without a name of the sender and without a highest price.
    ///
    /// ```
    /// # use countersign_sns::{SnsConfig, SnsCredentials};
    /// let config = SnsConfig::new("eu-central-1", SnsCredentials::fixed("AKIDEXAMPLE", "secret"));
    /// assert_eq!(config.endpoint_url, None);
    /// ```
    #[must_use]
    pub fn new(region: impl Into<String>, credentials: SnsCredentials) -> Self {
        Self {
            region: region.into(),
            endpoint_url: None,
            credentials,
            sender_id: None,
            max_price_micros: None,
            http: HttpOptions::default(),
        }
    }

    /// The address whose scheme counts, when all settings can be used.
    pub(crate) fn check(&self) -> Result<Url, ConfigError> {
        let of_region = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if !(1..=32).contains(&self.region.len()) || !self.region.bytes().all(of_region) {
            return Err(ConfigError::new("region", "must be a name like eu-central-1"));
        }
        let usual = format!("https://sns.{}.amazonaws.com", self.region);
        let address = checked_address("endpoint_url", self.endpoint_url.as_ref().unwrap_or(&usual))?;
        if self.sender_id.as_deref().is_some_and(|name| !is_sender_id(name)) {
            return Err(ConfigError::new("sender_id", "must be 1 to 11 letters and digits, at least one a letter"));
        }
        if self.max_price_micros.is_some_and(|price| !(1..=PRICE_MICROS_MAX).contains(&price)) {
            return Err(ConfigError::new("max_price_micros", "must be 1 to 1,000,000,000"));
        }
        self.credentials.check()?;
        Ok(address)
    }
}

fn is_sender_id(name: &str) -> bool {
    let fits = (1..=11).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    fits && name.bytes().any(|byte| byte.is_ascii_alphabetic())
}

impl fmt::Debug for SnsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SnsConfig")
            .field("region", &self.region)
            .field("endpoint_url", &self.endpoint_url.is_some())
            .field("credentials", &self.credentials)
            .field("sender_id", &self.sender_id)
            .field("max_price_micros", &self.max_price_micros)
            .field("http", &self.http)
            .finish()
    }
}

/// Who asks. It needs `sns:Publish`. `Debug` says only of which kind it is.
///
/// ```
/// use countersign_sns::SnsCredentials;
/// assert_eq!(format!("{:?}", SnsCredentials::fixed("AKIDEXAMPLE", "secret")), "Fixed(..)");
/// ```
#[derive(Clone)]
pub enum SnsCredentials {
    /// A pair of keys that does not change.
    Fixed {
        /// The access key's id.
        access_key_id: String,
        /// The secret access key.
        secret_access_key: Zeroizing<String>,
        /// The token of a session, if the keys belong to one.
        session_token: Option<Zeroizing<String>>,
    },
    /// The platform's own: whatever the SDK's chain finds, such as `SdkConfig::credentials_provider` of `aws-config`.
    /// It is asked when a message is handed over, and what it says is kept until it expires.
    Provider(SharedCredentialsProvider),
}

impl SnsCredentials {
    /// A pair of long-term keys.
    ///
    /// ```
    /// let keys = countersign_sns::SnsCredentials::fixed("AKIDEXAMPLE", "secret");
    /// ```
    #[must_use]
    pub fn fixed(access_key_id: impl Into<String>, secret_access_key: impl Into<String>) -> Self {
        let secret_access_key = Zeroizing::new(secret_access_key.into());
        Self::Fixed { access_key_id: access_key_id.into(), secret_access_key, session_token: None }
    }

    /// What a provider of the platform says.
    ///
    /// ```
    /// use aws_sdk_sns::config::Credentials;
    /// use countersign_sns::SnsCredentials;
    ///
    /// let keys = Credentials::new("AKIDEXAMPLE", "secret", None, None, "example");
    /// assert_eq!(format!("{:?}", SnsCredentials::of(keys)), "Provider(..)");
    /// ```
    #[must_use]
    pub fn of(provider: impl ProvideCredentials + 'static) -> Self {
        Self::Provider(SharedCredentialsProvider::new(provider))
    }

    /// What would not fit a header is refused here.
    fn check(&self) -> Result<(), ConfigError> {
        let Self::Fixed { access_key_id, secret_access_key, session_token } = self else { return Ok(()) };
        let fits = |text: &str, max: usize| {
            (1..=max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
        };
        let token = session_token.as_deref().is_none_or(|token| fits(token, 8_192));
        let pair = fits(access_key_id, 128) && secret_access_key.len() <= 128 && !secret_access_key.is_empty();
        if pair && token {
            Ok(())
        } else {
            Err(ConfigError::new("credentials", "must be an id, a secret and no blanks"))
        }
    }

    pub(crate) fn provider(self) -> SharedCredentialsProvider {
        match self {
            Self::Provider(provider) => provider,
            Self::Fixed { access_key_id, secret_access_key, session_token } => {
                let token = session_token.map(|token| token.as_str().to_owned());
                let secret = secret_access_key.as_str();
                SharedCredentialsProvider::new(Credentials::new(access_key_id, secret, token, None, "countersign"))
            }
        }
    }
}

impl fmt::Debug for SnsCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fixed { .. } => "Fixed(..)",
            Self::Provider(_) => "Provider(..)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Spoil = fn(&mut SnsConfig);

    #[test]
    fn each_wrong_setting_is_named() {
        let config = || SnsConfig::new("eu-central-1", SnsCredentials::fixed("AKIDEXAMPLE", "secret"));
        let cases: [(&str, Spoil); 11] = [
            ("region", |config| config.region = String::new()),
            ("region", |config| config.region = "a.evil.example/#".to_owned()),
            ("endpoint_url", |config| config.endpoint_url = Some("http://sns.example.com".to_owned())),
            ("endpoint_url", |config| config.endpoint_url = Some("nowhere".to_owned())),
            ("sender_id", |config| config.sender_id = Some(String::new())),
            ("sender_id", |config| config.sender_id = Some("12345".to_owned())),
            ("sender_id", |config| config.sender_id = Some("Twelve12chars".to_owned())),
            ("max_price_micros", |config| config.max_price_micros = Some(0)),
            ("max_price_micros", |config| config.max_price_micros = Some(PRICE_MICROS_MAX + 1)),
            ("credentials", |config| config.credentials = SnsCredentials::fixed("", "secret")),
            ("credentials", |config| config.credentials = SnsCredentials::fixed("AKID\r\nHost: x", "secret")),
        ];
        assert_eq!(config().check().unwrap().as_str(), "https://sns.eu-central-1.amazonaws.com/");
        for (setting, spoil) in cases {
            let mut config = config();
            spoil(&mut config);
            assert_eq!(config.check().unwrap_err().setting(), setting);
        }
    }
}
