//! Names and paths of virtual devices and users (R9, R19, R59).

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

/// Whether a byte may stand in a name: `[\w+=,.@-]`, ASCII only (R219).
pub(crate) const fn is_name_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'+' | b'=' | b',' | b'.' | b'@' | b'-')
}

/// The name of a virtual device or a user: 1 to 128 of `[\w+=,.@-]` (R9, R19).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeviceName(String);

impl DeviceName {
    /// Longest name, in bytes.
    pub const MAX_BYTES: usize = 128;

    /// Checks and wraps a name.
    ///
    /// # Errors
    /// When it is empty, too long, or has a character outside the set.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        if text.is_empty() {
            Err(NameError::Empty)
        } else if text.len() > Self::MAX_BYTES {
            Err(NameError::TooLong)
        } else if !text.bytes().all(is_name_byte) {
            Err(NameError::Character)
        } else {
            Ok(Self(text))
        }
    }

    /// The name as given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form in which names are compared: IAM ignores case (R9, A27).
    #[must_use]
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl TryFrom<String> for DeviceName {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl From<DeviceName> for String {
    fn from(name: DeviceName) -> Self {
        name.0
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is wrong with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// It is empty.
    Empty,
    /// It is longer than [`DeviceName::MAX_BYTES`].
    TooLong,
    /// It has a character outside `[\w+=,.@-]`.
    Character,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "a name has at least one character",
            Self::TooLong => "a name has at most 128 characters",
            Self::Character => "a name consists of letters, digits and `_+=,.@-`",
        })
    }
}

impl core::error::Error for NameError {}

/// The path of a device or a user: `/`, or 3 to 512 characters that begin and end with `/` (R9).
///
/// Double slashes inside are accepted, `//` alone is not (R59).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Path(String);

impl Path {
    /// Longest path, in bytes.
    pub const MAX_BYTES: usize = 512;

    /// The path `/`.
    #[must_use]
    pub fn root() -> Self {
        Self(String::from("/"))
    }

    /// Checks and wraps a path.
    ///
    /// # Errors
    /// When it is too long, does not begin and end with `/`, or has a character outside
    /// U+0021..U+007E.
    pub fn new(text: impl Into<String>) -> Result<Self, PathError> {
        let text = text.into();
        if text.len() > Self::MAX_BYTES {
            return Err(PathError::TooLong);
        }
        let graphic = text.bytes().all(|b| b.is_ascii_graphic());
        let framed = text == "/" || (text.len() > 2 && text.starts_with('/') && text.ends_with('/'));
        if graphic && framed { Ok(Self(text)) } else { Err(PathError::Malformed) }
    }

    /// The path as given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Path {
    type Error = PathError;
    fn try_from(text: String) -> Result<Self, PathError> {
        Self::new(text)
    }
}

impl From<Path> for String {
    fn from(path: Path) -> Self {
        path.0
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is wrong with a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    /// It is longer than [`Path::MAX_BYTES`].
    TooLong,
    /// It does not begin and end with `/`, or has a forbidden character.
    Malformed,
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "a path has at most 512 characters",
            Self::Malformed => "a path begins and ends with `/` and is printable ASCII",
        })
    }
}

impl core::error::Error for PathError {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn names_are_ascii_and_bounded() {
        assert!(DeviceName::new("lee+phone=1,2.3@x-y_z").is_ok());
        assert_eq!(DeviceName::new(""), Err(NameError::Empty));
        assert_eq!(DeviceName::new("a".repeat(129)), Err(NameError::TooLong));
        for bad in ["a b", "a/b", "ä", "６", "a\0"] {
            assert_eq!(DeviceName::new(bad), Err(NameError::Character), "{bad:?}");
        }
    }

    #[test]
    fn double_slashes_inside_a_path_are_fine_alone_they_are_not() {
        for good in ["/", "/a/", "/a//b/"] {
            assert_eq!(Path::new(good).unwrap().to_string(), good);
        }
        for bad in ["", "a", "//", "/a", "a/", "/ä/", "/a b/"] {
            assert_eq!(Path::new(bad), Err(PathError::Malformed), "{bad:?}");
        }
        assert_eq!(Path::new("/a".repeat(300)), Err(PathError::TooLong));
    }
}
