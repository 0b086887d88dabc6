//! Why a log does not sign itself.

use std::error::Error;
use std::fmt;

use crate::error::{AppendError, KeyError, ReadError};

/// Why a log did not sign itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignError {
    /// There is no key: the store is of a former release and open for reading only.
    NoKey,
    /// The log has had as many keys as it may have.
    TooManyKeys,
    /// The log could not be read, or is not the one that was signed before.
    Read(ReadError),
    /// The entry that passes on to another key was not recorded.
    Append(AppendError),
    /// The ring did not wrap the new key.
    Key(KeyError),
}

impl fmt::Display for SignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKey => f.write_str("the log has no key to be signed with"),
            Self::TooManyKeys => f.write_str("the log has had as many signing keys as it may have"),
            Self::Read(cause) => cause.fmt(f),
            Self::Append(cause) => write!(f, "the change of keys was not recorded: {cause}"),
            Self::Key(cause) => cause.fmt(f),
        }
    }
}

impl Error for SignError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NoKey | Self::TooManyKeys => None,
            Self::Read(cause) => Some(cause),
            Self::Append(cause) => Some(cause),
            Self::Key(cause) => Some(cause),
        }
    }
}

impl From<ReadError> for SignError {
    fn from(cause: ReadError) -> Self {
        Self::Read(cause)
    }
}

impl From<AppendError> for SignError {
    fn from(cause: AppendError) -> Self {
        Self::Append(cause)
    }
}

impl From<KeyError> for SignError {
    fn from(cause: KeyError) -> Self {
        Self::Key(cause)
    }
}
