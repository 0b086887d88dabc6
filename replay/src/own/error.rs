//! Why a store cannot be answered from.

use std::fmt;
use std::path::PathBuf;

use countersign_domain::ids::Position;
use countersign_store::{Fault, KeyError, OpenError, ReadError};

/// Why a store cannot be replayed, or a question not be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OwnError {
    /// There is no store at the path.
    NoStore(PathBuf),
    /// The key file that was named is missing.
    NoKeys(PathBuf),
    /// The store was written in a format that this release does not know.
    Format {
        /// The store.
        dir: PathBuf,
        /// What its format file says, shortened.
        found: String,
    },
    /// The keys do not open.
    Open(OpenError),
    /// An entry cannot be read.
    Read(ReadError),
    /// A sealed body was changed, or its key was.
    Key {
        /// The entry.
        position: Position,
        /// Why.
        cause: KeyError,
    },
    /// An entry is not an event that this release knows, or does not follow from those before it.
    Event {
        /// The entry.
        position: Position,
        /// Why.
        cause: String,
    },
    /// Entries that were acknowledged are not in the log any more.
    Short {
        /// Entries found.
        found: u64,
        /// Entries known to have been acknowledged.
        acked: u64,
    },
    /// What was signed, or the keys that sign, is not what the log has.
    NotSigned(String),
    /// A file cannot be read.
    Unavailable(Fault),
    /// What was asked for makes no sense.
    Usage(String),
}

impl OwnError {
    /// Whether the store is not what was written, rather than absent, unreadable or locked with other keys.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        match self {
            Self::Read(ReadError::Corrupt { .. })
            | Self::Key { .. }
            | Self::Event { .. }
            | Self::Short { .. }
            | Self::NotSigned(_)
            | Self::Open(OpenError::Corrupt(_) | OpenError::LogShorterThanAcked { .. }) => true,
            Self::Open(OpenError::Key(cause)) => matches!(cause, KeyError::Corrupt(_) | KeyError::Missing(_)),
            _ => false,
        }
    }

    /// Whether the question was wrong, and not the answer.
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        matches!(self, Self::Usage(_))
    }
}

impl fmt::Display for OwnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStore(dir) => write!(
                f,
                "`{}` holds no store; name the server's data directory (audit logs are verified with --public-keys)",
                dir.display()
            ),
            Self::NoKeys(file) => write!(f, "the key file `{}` is missing", file.display()),
            Self::Format { dir, found } => write!(f, "`{}` has the format `{found}`, which is unknown", dir.display()),
            Self::Open(cause) => cause.fmt(f),
            Self::Read(cause) => cause.fmt(f),
            Self::Key { position, cause } => write!(f, "at position {position}: {cause}"),
            Self::Event { position, cause } => write!(f, "at position {position}: {cause}"),
            Self::Short { found, acked } => {
                write!(f, "the log has {found} entries, but {acked} were acknowledged; do not write to it")
            }
            Self::NotSigned(what) => f.write_str(what),
            Self::Unavailable(cause) => cause.fmt(f),
            Self::Usage(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for OwnError {}

impl From<OpenError> for OwnError {
    fn from(cause: OpenError) -> Self {
        match cause {
            OpenError::Unavailable(fault) => Self::Unavailable(fault),
            other => Self::Open(other),
        }
    }
}

impl From<ReadError> for OwnError {
    fn from(cause: ReadError) -> Self {
        match cause {
            ReadError::Unavailable(fault) => Self::Unavailable(fault),
            other => Self::Read(other),
        }
    }
}

impl From<Fault> for OwnError {
    fn from(cause: Fault) -> Self {
        Self::Unavailable(cause)
    }
}
