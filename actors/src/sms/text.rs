//! What an SMS says, and whether it is one message long.
//!
//! The last line binds the code to a site, so that browsers fill it in there and nowhere else ("Origin-bound one-time
//! codes delivered via SMS", WICG).

use std::fmt;

use zeroize::Zeroizing;

use crate::code::Code;

/// Septets of one SMS in the alphabet of GSM 03.38.
const SEPTETS_MAX: usize = 160;
/// UTF-16 units of one SMS in UCS-2.
const UNITS_MAX: usize = 70;

/// The words of an SMS around its code.
///
/// ```
/// use countersign::{Code, SmsText};
///
/// let text = SmsText { service: "Example".to_owned(), host: Some("signin.example.com".to_owned()) };
/// let code = Code::parse("123456")?;
/// assert_eq!(
///     text.of(&code).as_str(),
///     "123456 is your Example code. Do not share it.\n\n@signin.example.com #123456"
/// );
/// # Ok::<(), countersign::CodeFormat>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmsText {
    /// What the person knows the site as: 1 to 32 characters, none of them a control character.
    pub service: String,
    /// The host that the code is bound to, of `https` on its default port; without one there is no such line.
    pub host: Option<String>,
}

impl SmsText {
    /// The text for a code.
    ///
    /// ```
    /// # use countersign::{Code, SmsText};
    /// let text = SmsText { service: "Example".to_owned(), host: None };
    /// assert!(text.of(&Code::parse("123456")?).ends_with("Do not share it."));
    /// # Ok::<(), countersign::CodeFormat>(())
    /// ```
    #[must_use]
    pub fn of(&self, code: &Code) -> Zeroizing<String> {
        let (code, service) = (code.expose(), &self.service);
        let said = format!("{code} is your {service} code. Do not share it.");
        Zeroizing::new(match &self.host {
            Some(host) => format!("{said}\n\n@{host} #{code}"),
            None => said,
        })
    }

    /// How the texts are encoded.
    ///
    /// # Errors
    /// When the service has no name or an odd one, the host is none, or a text is longer than one SMS.
    ///
    /// ```
    /// use countersign::{SmsEncoding, SmsText};
    ///
    /// let of = |service: &str| SmsText { service: service.to_owned(), host: None }.check();
    /// assert_eq!(of("Example"), Ok(SmsEncoding::Gsm7));
    /// assert_eq!(of("例え"), Ok(SmsEncoding::Ucs2));
    /// assert!(of("").is_err());
    /// ```
    pub fn check(&self) -> Result<SmsEncoding, SmsTextError> {
        let characters = self.service.chars().count();
        if !(1..=32).contains(&characters) || self.service.chars().any(char::is_control) {
            return Err(SmsTextError::Service);
        }
        let of_host = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
        if self.host.as_ref().is_some_and(|host| host.is_empty() || !host.bytes().all(of_host)) {
            return Err(SmsTextError::Host);
        }
        SmsEncoding::of(&self.of(&Code::of_number(0)))
    }
}

/// How the characters of an SMS are encoded.
///
/// ```
/// use countersign::SmsEncoding;
///
/// assert_eq!(SmsEncoding::of("123456 @example.com"), Ok(SmsEncoding::Gsm7));
/// assert_eq!(SmsEncoding::of("123456 ’"), Ok(SmsEncoding::Ucs2));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmsEncoding {
    /// The default alphabet of GSM 03.38, 7 bits: 160 to one SMS, some characters count twice.
    Gsm7,
    /// UCS-2, 16 bits: 70 to one SMS.
    Ucs2,
}

impl SmsEncoding {
    /// How a text is encoded so that it is one SMS.
    ///
    /// # Errors
    /// When it is longer than one.
    ///
    /// ```
    /// # use countersign::SmsEncoding;
    /// assert!(SmsEncoding::of(&"a".repeat(161)).is_err());
    /// ```
    pub fn of(text: &str) -> Result<Self, SmsTextError> {
        match septets(text) {
            Some(septets) if septets <= SEPTETS_MAX => Ok(Self::Gsm7),
            None if text.encode_utf16().count() <= UNITS_MAX => Ok(Self::Ucs2),
            _ => Err(SmsTextError::TooLong),
        }
    }
}

/// Septets of a text; `None` when a character is not in the alphabet.
fn septets(text: &str) -> Option<usize> {
    let of = |character: char| {
        let mut writer = gsm7::Gsm7Writer::new(Vec::with_capacity(2));
        writer.write_char(character).ok()?;
        // One septet fills one byte, an escape and a septet two.
        writer.into_writer().ok().map(|bytes| bytes.len())
    };
    text.chars().map(of).sum()
}

/// Why a text is no SMS.
///
/// ```
/// assert_eq!(countersign::SmsTextError::TooLong.to_string(), "the text is longer than one SMS");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmsTextError {
    /// The name of the service is empty, long, or has control characters.
    Service,
    /// The host is none.
    Host,
    /// It takes more than one SMS, which would cost twice.
    TooLong,
}

impl fmt::Display for SmsTextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Service => "the service's name in an SMS has 1 to 32 characters and no control characters",
            Self::Host => "the host in an SMS has letters, digits, hyphens and dots only",
            Self::TooLong => "the text is longer than one SMS",
        })
    }
}

impl std::error::Error for SmsTextError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_of_the_extension_table_count_twice() {
        assert_eq!(septets("@£$é\n#"), Some(6));
        assert_eq!(septets("€[]{}"), Some(10));
        assert_eq!(septets("ç`’"), None);
        assert_eq!(SmsEncoding::of(&"€".repeat(80)), Ok(SmsEncoding::Gsm7));
        assert_eq!(SmsEncoding::of(&"€".repeat(81)), Err(SmsTextError::TooLong));
        assert_eq!(SmsEncoding::of(&"漢".repeat(70)), Ok(SmsEncoding::Ucs2));
        assert_eq!(SmsEncoding::of(&"😀".repeat(36)), Err(SmsTextError::TooLong));
    }

    #[test]
    fn what_would_break_the_last_line_is_refused() {
        let text = |service: &str, host: Option<&str>| {
            SmsText { service: service.to_owned(), host: host.map(str::to_owned) }.check()
        };
        assert_eq!(text("Example", Some("a.example")), Ok(SmsEncoding::Gsm7));
        assert_eq!(text("a\nb", None), Err(SmsTextError::Service));
        assert_eq!(text("x", Some("a b")), Err(SmsTextError::Host));
        assert_eq!(text("x", Some("a #1")), Err(SmsTextError::Host));
        assert_eq!(text("漢", Some(&"h".repeat(40))), Err(SmsTextError::TooLong));
    }
}
