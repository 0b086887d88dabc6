//! How an SMSC is reached and used.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use countersign::SmsFailure;
use zeroize::Zeroizing;

use crate::SmppError;
use crate::address::Address;
use crate::ids::IdForm;
use crate::source::Source;
use crate::tls;

/// How an SMSC is reached and used. `Debug` does not show the password.
///
/// ```
/// use countersign_smpp::{BindMode, IdForm, SmppConfig};
///
/// let config = SmppConfig {
///     bind: BindMode::Separate,
///     ids: IdForm::HexInResponse,
///     window: 50,
///     ..SmppConfig::new("smpps://smsc.example.com:3550", "countersign", "secret08", "Example")
/// };
/// assert_eq!(config.check(), Ok(()));
/// ```
#[derive(Clone)]
pub struct SmppConfig {
    /// Where it listens: `smpp://host:port`, or `smpps://host:port` over TLS.
    pub address: String,
    /// Our name there: 1 to 15 printable ASCII characters (SMPP 3.4, section 5.2.1).
    pub system_id: String,
    /// At most 8 printable ASCII characters (section 5.2.2).
    pub password: Zeroizing<String>,
    /// What kind of system we are, if the SMSC wants to know: at most 12 printable ASCII characters (section 5.2.3).
    pub system_type: String,
    /// Who the messages come from: a name of 1 to 11 letters, digits, spaces and `-._&` with one letter at least; a
    /// short code of 3 to 8 digits; or an international number, `+` and 7 to 15 digits.
    pub source: String,
    /// One bind or two.
    pub bind: BindMode,
    /// The root certificates of `smpps`, as PEM, instead of those of the platform.
    pub roots_pem: Option<Vec<u8>>,
    /// How ids of messages are made one.
    pub ids: IdForm,
    /// What this SMSC means by a status of `submit_sm_resp`, where the usual reading does not fit (see
    /// [`SmppTransport`](crate::SmppTransport)); vendors number their own from 0x400. At most 64.
    pub statuses: Vec<(u32, SmsFailure)>,
    /// For how long connecting, with TLS, and binding may take, each: 1 to 60 s.
    pub connect_time_max: Duration,
    /// For how long an answer to a message is waited for, and before that a place in the window: 100 ms to 30 s each, and
    /// no longer than the message lives.
    /// [`SmsRoute::submit_time_max`](countersign::SmsRoute::submit_time_max) should be more than twice this.
    pub response_time_max: Duration,
    /// How often the SMSC is asked whether it is there (`enquire_link`): 1 s to 10 min.
    pub enquire_every: Duration,
    /// For how long an answer to that is waited for, before the link is given up: 100 ms to 60 s.
    pub enquire_time_max: Duration,
    /// Messages that are not answered yet, at most: 1 to 1000. What the SMSC's operator says it is.
    pub window: u16,
    /// Receipts that wait to be recorded, and are not acknowledged before, at most: 1 to 10,000. Beyond, the SMSC is asked
    /// to deliver later.
    pub receipts_max: u16,
    /// The longest pause after the first loss of a link: 10 ms to 60 s. It doubles with each further one.
    pub pause_min: Duration,
    /// The longest pause ever: from `pause_min` to 1 h.
    pub pause_max: Duration,
}

/// Which binds are kept.
///
/// ```
/// let default = countersign_smpp::SmppConfig::new("smpp://localhost:2775", "id", "", "Example").bind;
/// assert_eq!(default, countersign_smpp::BindMode::Transceiver);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindMode {
    /// One link for messages and receipts.
    Transceiver,
    /// One link for messages and one for receipts: a receipt that cannot be read takes down its link, and messages go
    /// on. The SMSC must allow two binds.
    Separate,
}

impl SmppConfig {
    /// One bind with the limits that most operators give: window 10, 5 s for an answer, a link tried every 30 s.
    ///
    /// ```
    /// # use countersign_smpp::SmppConfig;
    /// assert_eq!(SmppConfig::new("smpp://localhost:2775", "id", "", "Example").window, 10);
    /// ```
    #[must_use]
    pub fn new(
        address: impl Into<String>,
        system_id: impl Into<String>,
        password: impl Into<String>,
        source: impl Into<String>,
    ) -> Self {
        Self {
            address: address.into(),
            system_id: system_id.into(),
            password: Zeroizing::new(password.into()),
            system_type: String::new(),
            source: source.into(),
            bind: BindMode::Transceiver,
            roots_pem: None,
            ids: IdForm::AsIs,
            statuses: Vec::new(),
            connect_time_max: Duration::from_secs(10),
            response_time_max: Duration::from_secs(4),
            enquire_every: Duration::from_secs(30),
            enquire_time_max: Duration::from_secs(5),
            window: 10,
            receipts_max: 256,
            pause_min: Duration::from_millis(500),
            pause_max: Duration::from_secs(60),
        }
    }

    /// Checks every field.
    ///
    /// ```
    /// # use countersign_smpp::{SmppConfig, SmppError};
    /// let config = SmppConfig::new("localhost:2775", "id", "", "Example");
    /// assert_eq!(config.check(), Err(SmppError::Address));
    /// ```
    ///
    /// # Errors
    /// The first field that is not what its documentation says.
    pub fn check(&self) -> Result<(), SmppError> {
        Address::parse(&self.address)?;
        Source::parse(&self.source)?;
        text("system_id", &self.system_id, 1..=15, "1 to 15 printable ASCII characters")?;
        text("password", &self.password, 0..=8, "at most 8 printable ASCII characters")?;
        text("system_type", &self.system_type, 0..=12, "at most 12 printable ASCII characters")?;
        if let Some(pem) = &self.roots_pem {
            tls::private_roots(pem)?;
        }
        let (millis, secs) = (Duration::from_millis, Duration::from_secs);
        range("statuses", self.statuses.len(), 0..=64, "at most 64")?;
        range("connect_time_max", self.connect_time_max, secs(1)..=secs(60), "1 to 60 s")?;
        range("response_time_max", self.response_time_max, millis(100)..=secs(30), "100 ms to 30 s")?;
        range("enquire_every", self.enquire_every, secs(1)..=secs(600), "1 s to 10 min")?;
        range("enquire_time_max", self.enquire_time_max, millis(100)..=secs(60), "100 ms to 60 s")?;
        range("window", self.window, 1..=1000, "1 to 1000")?;
        range("receipts_max", self.receipts_max, 1..=10_000, "1 to 10,000")?;
        range("pause_min", self.pause_min, millis(10)..=secs(60), "10 ms to 60 s")?;
        range("pause_max", self.pause_max, self.pause_min..=secs(3600), "at least `pause_min`, and at most 1 h")
    }
}

fn text(field: &'static str, text: &str, length: RangeInclusive<usize>, rule: &'static str) -> Result<(), SmppError> {
    let printable = text.bytes().all(|byte| matches!(byte, 0x20..=0x7e));
    if printable && length.contains(&text.len()) { Ok(()) } else { Err(SmppError::Text { field, rule }) }
}

fn range<T: PartialOrd>(
    field: &'static str,
    value: T,
    range: RangeInclusive<T>,
    rule: &'static str,
) -> Result<(), SmppError> {
    if range.contains(&value) { Ok(()) } else { Err(SmppError::Range { field, rule }) }
}

impl fmt::Debug for SmppConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmppConfig")
            .field("address", &self.address)
            .field("system_id", &self.system_id)
            .field("source", &self.source)
            .field("bind", &self.bind)
            .field("ids", &self.ids)
            .field("window", &self.window)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> SmppConfig {
        SmppConfig::new("smpp://localhost:2775", "countersign", "secret08", "Example")
    }

    #[test]
    fn the_password_is_not_shown() {
        assert!(!format!("{:?}", config()).contains("secret08"));
        let long = SmppConfig { password: Zeroizing::new("secret008".to_owned()), ..config() };
        assert!(!long.check().unwrap_err().to_string().contains("secret"));
    }

    #[test]
    fn texts_have_the_lengths_of_the_protocol() {
        let ok = SmppConfig { system_id: "a".repeat(15), system_type: "b".repeat(12), ..config() };
        assert_eq!(ok.check(), Ok(()));
        for bad in [
            SmppConfig { system_id: String::new(), ..config() },
            SmppConfig { system_id: "a".repeat(16), ..config() },
            SmppConfig { system_id: "a\0b".to_owned(), ..config() },
            SmppConfig { system_type: "b".repeat(13), ..config() },
            SmppConfig { password: Zeroizing::new("pässword".to_owned()), ..config() },
            SmppConfig { source: "Countersign Ltd".to_owned(), ..config() },
        ] {
            assert!(matches!(bad.check(), Err(SmppError::Text { .. })), "{bad:?}");
        }
    }

    #[test]
    fn numbers_have_ranges() {
        let hour = Duration::from_secs(3600);
        for bad in [
            SmppConfig { window: 0, ..config() },
            SmppConfig { window: 1001, ..config() },
            SmppConfig { receipts_max: 0, ..config() },
            SmppConfig { statuses: vec![(0x400, SmsFailure::OptedOut); 65], ..config() },
            SmppConfig { connect_time_max: hour, ..config() },
            SmppConfig { response_time_max: Duration::ZERO, ..config() },
            SmppConfig { enquire_every: Duration::ZERO, ..config() },
            SmppConfig { enquire_time_max: hour, ..config() },
            SmppConfig { pause_min: Duration::ZERO, ..config() },
            SmppConfig { pause_min: Duration::from_secs(2), pause_max: Duration::from_secs(1), ..config() },
        ] {
            assert!(matches!(bad.check(), Err(SmppError::Range { .. })), "{bad:?}");
        }
        assert_eq!(SmppConfig { roots_pem: Some(b"nothing".to_vec()), ..config() }.check(), Err(SmppError::Roots));
    }
}
