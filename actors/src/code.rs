//! The six digits that a person types.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

/// A six-digit code. Leading zeros count (R13). `Debug` does not show it; it is wiped when dropped.
///
/// ```
/// use countersign::Code;
///
/// let code = Code::parse("012345")?;
/// assert_eq!(format!("{code:?}"), "Code(******)");
/// assert!(Code::parse("12345").is_err());
/// assert!(Code::parse("123 456").is_err());
/// assert!(Code::parse("１２３４５６").is_err());
/// # Ok::<(), countersign::CodeFormat>(())
/// ```
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Code([u8; 6]);

impl Code {
    /// Takes exactly six ASCII digits (R62, R219); a space or a sign is not one.
    ///
    /// # Errors
    /// [`CodeFormat`] for anything else.
    pub fn parse(text: &str) -> Result<Self, CodeFormat> {
        let digits: [u8; 6] = text.as_bytes().try_into().map_err(|_| CodeFormat)?;
        if digits.iter().all(u8::is_ascii_digit) { Ok(Self(digits)) } else { Err(CodeFormat) }
    }

    /// The six digits of a number below a million.
    pub(crate) fn of_number(number: u32) -> Self {
        let mut digits = [b'0'; 6];
        let mut rest = number;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
            rest /= 10;
        }
        Self(digits)
    }

    /// Shows the six digits: to a transport that sends them, or on the page that asks for them.
    ///
    /// ```
    /// assert_eq!(countersign::Code::parse("012345").unwrap().expose(), "012345");
    /// ```
    #[must_use]
    pub fn expose(&self) -> &str {
        self.as_str()
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("")
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(******)")
    }
}

/// What was typed is not a code.
///
/// ```
/// assert_eq!(countersign::CodeFormat.to_string(), "a code is exactly six digits");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeFormat;

impl fmt::Display for CodeFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a code is exactly six digits")
    }
}

impl std::error::Error for CodeFormat {}
