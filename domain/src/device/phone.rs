//! Phone numbers of SMS devices (R36, R125, A17).

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A phone number in E.164: `+`, then 7 to 15 digits of which the first is not 0 (A17).
///
/// Personal data: part of sealed events only. `Debug` and `Display` show it masked.
///
/// ```
/// use countersign_domain::device::PhoneNumber;
///
/// let number = PhoneNumber::parse("+1 (555) 010-1234")?;
/// assert_eq!(number.e164(), "+15550101234");
/// assert_eq!(number.to_string(), "+•••••••1234");
/// # Ok::<(), countersign_domain::device::PhoneError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Zeroize, ZeroizeOnDrop, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct PhoneNumber(String);

impl PhoneNumber {
    /// Takes a number as a person types it: spaces, hyphens, dots and parentheses do not count.
    ///
    /// # Errors
    /// When the rest is no E.164 number.
    pub fn parse(text: &str) -> Result<Self, PhoneError> {
        let separators = [' ', '-', '.', '(', ')', '\u{a0}'];
        if text.len() > 64 {
            return Err(PhoneError);
        }
        Self::try_from(text.trim().replace(separators, ""))
    }

    /// The number itself, for the transport that sends to it.
    #[must_use]
    pub fn e164(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PhoneNumber {
    type Error = PhoneError;
    fn try_from(text: String) -> Result<Self, PhoneError> {
        let digits = text.strip_prefix('+').ok_or(PhoneError)?;
        let well_formed = (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        if well_formed && !digits.starts_with('0') { Ok(Self(text)) } else { Err(PhoneError) }
    }
}

impl fmt::Display for PhoneNumber {
    /// Masked: the last four digits, or the last two of a short number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = if self.0.len() > 9 { 4 } else { 2 };
        let (hidden, tail) = self.0.split_at(self.0.len().saturating_sub(shown));
        f.write_str("+")?;
        for _ in hidden.bytes().skip(1) {
            f.write_str("•")?;
        }
        f.write_str(tail)
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no phone number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhoneError;

impl fmt::Display for PhoneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a phone number begins with `+` and the country code and has 7 to 15 digits")
    }
}

impl core::error::Error for PhoneError {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn only_international_numbers_are_taken() {
        for good in ["+15550101234", " +44 20 7946 0958", "+49.30.901820", "+1234567"] {
            assert!(PhoneNumber::parse(good).is_ok(), "{good}");
        }
        for bad in
            ["", "+", "5550101234", "+0155501012", "+123456", "+1234567890123456", "+1555a101234", "＋15550101234"]
        {
            assert_eq!(PhoneNumber::parse(bad), Err(PhoneError), "{bad}");
        }
    }

    #[test]
    fn it_is_shown_masked() {
        let number = PhoneNumber::parse("+15550101234").unwrap();
        assert_eq!(format!("{number} {number:?}"), "+•••••••1234 +•••••••1234");
        assert_eq!(format!("{}", PhoneNumber::parse("+1234567").unwrap()), "+•••••67");
    }
}
