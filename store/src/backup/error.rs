//! Why a backup is not made, or not restored.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;

use crate::error::{Fault, KeyError, OpenError, ReadError};
use crate::signing::SignError;

/// Why a backup is not made, or not restored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BackupError {
    /// There is something in the directory already.
    NotEmpty(PathBuf),
    /// The directory holds no backup, or one that was never whole.
    NotABackup(PathBuf),
    /// The log of the backup is not what was written.
    Damaged(ReadError),
    /// The log of the backup holds together, and is not the one that its checkpoint is of.
    OtherLog {
        /// Entries that were signed.
        signed: u64,
        /// Entries of the backup.
        found: u64,
    },
    /// The checkpoint is not signed by the key of the log that it should be signed by.
    NotSigned,
    /// The log never had the key that was given from outside.
    NotThatKey,
    /// The checkpoint that was given from outside is of another history.
    OtherHistory {
        /// Entries that it is of.
        known: u64,
    },
    /// The checkpoint that was given from outside is of more entries: what came after would be lost.
    Older {
        /// Entries of the backup.
        entries: u64,
        /// Entries that the checkpoint is of.
        known: u64,
    },
    /// The log is signed with another key since the backup was made, so that the restored one could not be signed on.
    SigningKeyChanged,
    /// The keys that are there do not open the log, or are older than it.
    KeysDoNotFit(String),
    /// The log could not be signed.
    Sign(SignError),
    /// The wrapped keys could not be read.
    Keys(KeyError),
    /// The restored store does not open.
    Open(OpenError),
    /// A file could not be read or written.
    Unavailable(Fault),
}

impl fmt::Display for BackupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotEmpty(dir) => write!(f, "`{}` is not empty; name a new directory", dir.display()),
            Self::NotABackup(dir) => write!(f, "`{}` is no backup, or was never finished", dir.display()),
            Self::Damaged(cause) => write!(f, "the backup is damaged: {cause}"),
            Self::OtherLog { signed, found } => {
                write!(f, "the backup has {found} entries that are not the {signed} which its checkpoint is of")
            }
            Self::NotSigned => f.write_str("the checkpoint of the backup is not signed by the key of its log"),
            Self::NotThatKey => f.write_str("the log of the backup was never signed with the given key"),
            Self::OtherHistory { known } => {
                write!(f, "the backup does not begin with the {known} entries that the given checkpoint is of")
            }
            Self::Older { entries, known } => write!(
                f,
                "the backup has {entries} entries, and the given checkpoint is of {known}: what came after would be lost"
            ),
            Self::SigningKeyChanged => f.write_str(
                "the log is signed with another key since the backup was made; restore one that was made after that",
            ),
            Self::KeysDoNotFit(what) => write!(f, "the keys do not fit the backup: {what}"),
            Self::Sign(cause) => write!(f, "the log could not be signed: {cause}"),
            Self::Keys(cause) => write!(f, "the keys could not be read: {cause}"),
            Self::Open(cause) => write!(f, "the restored store does not open: {cause}"),
            Self::Unavailable(cause) => cause.fmt(f),
        }
    }
}

impl Error for BackupError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Damaged(cause) => Some(cause),
            Self::Sign(cause) => Some(cause),
            Self::Keys(cause) => Some(cause),
            Self::Open(cause) => Some(cause),
            Self::Unavailable(cause) => Some(cause),
            _ => None,
        }
    }
}

impl From<Fault> for BackupError {
    fn from(cause: Fault) -> Self {
        Self::Unavailable(cause)
    }
}

impl From<ReadError> for BackupError {
    fn from(cause: ReadError) -> Self {
        Self::Damaged(cause)
    }
}

impl From<SignError> for BackupError {
    fn from(cause: SignError) -> Self {
        Self::Sign(cause)
    }
}

impl From<KeyError> for BackupError {
    fn from(cause: KeyError) -> Self {
        Self::Keys(cause)
    }
}

impl From<OpenError> for BackupError {
    fn from(cause: OpenError) -> Self {
        Self::Open(cause)
    }
}
