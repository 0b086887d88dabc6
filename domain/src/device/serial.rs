//! Serial numbers and ARNs: what names a device on the wire (R12, R20, R26, R35, R37).

use alloc::format;
use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::name::is_name_byte;
use super::{DeviceKind, DeviceName, Path};
use crate::ids::{AccountId, PrincipalId, StreamId};

/// The serial number of a device: 9 to 256 of `[\w+=/:,.@-]` (R26, R219).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Serial(String);

impl Serial {
    /// Shortest serial number, in bytes.
    pub const MIN_BYTES: usize = 9;
    /// Longest serial number, in bytes.
    pub const MAX_BYTES: usize = 256;

    /// Checks and wraps a serial number or ARN.
    ///
    /// # Errors
    /// When its length or one of its characters is not allowed.
    pub fn new(text: impl Into<String>) -> Result<Self, SerialError> {
        let text = text.into();
        if text.len() < Self::MIN_BYTES {
            Err(SerialError::TooShort)
        } else if text.len() > Self::MAX_BYTES {
            Err(SerialError::TooLong)
        } else if !text.bytes().all(|b| is_name_byte(b) || b == b'/' || b == b':') {
            Err(SerialError::Character)
        } else {
            Ok(Self(text))
        }
    }

    /// The ARN of a virtual device: `arn:aws:iam::ACCOUNT:mfa` + path + name (R20).
    ///
    /// # Errors
    /// When the result would not fit a serial number (R19).
    pub fn of_virtual(account: AccountId, path: &Path, name: &DeviceName) -> Result<Self, SerialError> {
        Self::new(format!("arn:aws:iam::{account}:mfa{path}{name}"))
    }

    /// The ARN of a security key: `arn:aws:iam::ACCOUNT:u2f/user/USER/KEY-SUFFIX`, or `…:u2f/root/KEY-SUFFIX`
    /// (R35). The suffix is 26 letters and digits made of sixteen random bytes.
    ///
    /// # Errors
    /// When the result would not fit a serial number.
    pub fn of_key(owner: &PrincipalId, user: &DeviceName, key: &DeviceName, random: u128) -> Result<Self, SerialError> {
        const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        // 26 digits of five bits; the first holds the three that are left over.
        let letter = |place: u32| char::from(ALPHABET[(random >> (5 * place)) as usize & 31]);
        let suffix: String = (0..26).rev().map(letter).collect();
        let account = owner.account();
        match owner {
            PrincipalId::Root(_) => Self::new(format!("arn:aws:iam::{account}:u2f/root/{key}-{suffix}")),
            PrincipalId::User(..) => Self::new(format!("arn:aws:iam::{account}:u2f/user/{user}/{key}-{suffix}")),
        }
    }

    /// The ARN of a user's SMS device: `arn:aws:iam::ACCOUNT:sms-mfa/USER` (R37).
    ///
    /// # Errors
    /// When the result would not fit a serial number.
    pub fn of_sms(account: AccountId, user: &DeviceName) -> Result<Self, SerialError> {
        Self::new(format!("arn:aws:iam::{account}:sms-mfa/{user}"))
    }

    /// The text as given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The kind of device that the form of the serial number tells.
    #[must_use]
    pub fn kind(&self) -> DeviceKind {
        match self.resource() {
            Some((_, resource)) if resource.starts_with("mfa/") => DeviceKind::VirtualTotp,
            Some((_, resource)) if resource.starts_with("u2f/") => DeviceKind::SecurityKey,
            Some((_, resource)) if resource.starts_with("sms-mfa/") => DeviceKind::Sms,
            _ => DeviceKind::HardwareTotp,
        }
    }

    /// The account that an ARN names; a hardware serial number names none.
    #[must_use]
    pub fn account(&self) -> Option<AccountId> {
        self.resource()?.0.parse().ok()
    }

    /// The stream of the device that this serial number names.
    ///
    /// Two names that differ in case only are one device (A27), so the stream of an ARN is derived
    /// from its folded form; a vendor's serial number counts exactly. Tokens are known to the
    /// deployment, not to one account, so that a token in use elsewhere is seen to be (A10).
    #[must_use]
    pub fn stream(&self) -> StreamId {
        match self.kind() {
            DeviceKind::HardwareTotp => StreamId::derive(&["token", &self.0]),
            _ => StreamId::derive(&["device", &self.0.to_ascii_lowercase()]),
        }
    }

    /// The account and resource parts, when this is an IAM ARN.
    fn resource(&self) -> Option<(&str, &str)> {
        let rest = self.0.strip_prefix("arn:")?;
        let (_partition, rest) = rest.split_once(':')?;
        rest.strip_prefix("iam::")?.split_once(':')
    }
}

impl TryFrom<String> for Serial {
    type Error = SerialError;
    fn try_from(text: String) -> Result<Self, SerialError> {
        Self::new(text)
    }
}

impl From<Serial> for String {
    fn from(serial: Serial) -> Self {
        serial.0
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is wrong with a serial number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SerialError {
    /// It has fewer than [`Serial::MIN_BYTES`] characters.
    TooShort,
    /// It has more than [`Serial::MAX_BYTES`] characters.
    TooLong,
    /// It has a character outside `[\w+=/:,.@-]`.
    Character,
}

impl fmt::Display for SerialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooShort => "a serial number has at least 9 characters",
            Self::TooLong => "a serial number has at most 256 characters",
            Self::Character => "a serial number consists of letters, digits and `_+=/:,.@-`",
        })
    }
}

impl core::error::Error for SerialError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_tells_the_kind_and_the_account() {
        let cases = [
            ("arn:aws:iam::123456789012:mfa/lee", DeviceKind::VirtualTotp, Some("123456789012")),
            ("arn:aws:iam::123456789012:mfa/a//b/lee", DeviceKind::VirtualTotp, Some("123456789012")),
            ("arn:aws:iam::123456789012:u2f/user/lee/key-ABC", DeviceKind::SecurityKey, Some("123456789012")),
            ("arn:aws:iam::123456789012:sms-mfa/lee", DeviceKind::Sms, Some("123456789012")),
            ("GAHT12345678", DeviceKind::HardwareTotp, None),
        ];
        for (text, kind, account) in cases {
            let serial = Serial::new(text).unwrap();
            assert_eq!(serial.kind(), kind, "{text}");
            assert_eq!(serial.account(), account.map(|a| a.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn names_differing_in_case_are_one_device_tokens_are_not() {
        let of = |text: &str| Serial::new(text).unwrap().stream();
        assert_eq!(of("arn:aws:iam::123456789012:mfa/lee"), of("arn:aws:iam::123456789012:mfa/LEE"));
        assert_ne!(of("arn:aws:iam::123456789012:mfa/lee"), of("arn:aws:iam::123456789013:mfa/lee"));
        assert_ne!(of("GAHT12345678"), of("gaht12345678"));
    }

    #[test]
    fn lengths_and_characters_are_checked() {
        assert_eq!(Serial::new("GAHT1234"), Err(SerialError::TooShort));
        assert_eq!(Serial::new("G".repeat(257)), Err(SerialError::TooLong));
        assert_eq!(Serial::new("GAHT 12345678"), Err(SerialError::Character));
        let name = DeviceName::new("n".repeat(128)).unwrap();
        let path = Path::new(format!("/{}/", "p".repeat(200))).unwrap();
        let account = "123456789012".parse().unwrap();
        assert_eq!(Serial::of_virtual(account, &path, &name), Err(SerialError::TooLong));
    }
}
