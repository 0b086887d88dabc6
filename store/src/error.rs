//! What can go wrong, typed by what the caller can do about it. No message holds a secret.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;

use countersign_domain::ids::{Position, StreamId, Version};

use crate::append::Committed;

/// The medium did not do what it was asked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault(String);

impl Fault {
    /// Names what failed.
    #[must_use]
    pub fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }

    /// Names what failed, and keeps the cause as text.
    #[must_use]
    pub fn because(what: &str, cause: impl fmt::Display) -> Self {
        Self(format!("{what}: {cause}"))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Fault {}

/// Why an append was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppendError {
    /// A stream is at another version than the append expected. Reload, decide again.
    Conflict {
        /// The stream that moved on, or that is not there yet.
        stream: StreamId,
        /// The version that the append was made for.
        expected: Version,
        /// The version that the stream has.
        actual: Version,
    },
    /// The command was committed before; this is what it did.
    Duplicate(Committed),
    /// The append is over a limit of [`crate::limits`].
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        found: usize,
        /// How much there may be.
        max: usize,
    },
    /// The append makes no sense, whatever the state of the log.
    Malformed(&'static str),
    /// An earlier write failed. Nothing is appended until the journal is opened again.
    Poisoned,
    /// The journal was closed, or opened for reading only.
    Closed,
    /// A body could not be sealed.
    Key(KeyError),
    /// The log could not be read to check the append; nothing was written.
    Read(ReadError),
    /// The write failed. Whether it will be found after the next open is unknown; the journal is poisoned.
    Unavailable(Fault),
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict { stream, expected, actual } => {
                write!(f, "stream {stream} is at version {}, not at {}", actual.0, expected.0)
            }
            Self::Duplicate(done) => write!(f, "the command was committed before, at position {}", done.first),
            Self::TooLarge { what, found, max } => write!(f, "the append has {found} {what}, over the limit of {max}"),
            Self::Malformed(what) => write!(f, "the append is malformed: {what}"),
            Self::Poisoned => {
                f.write_str("an earlier write failed, so the journal takes no more until it is opened again")
            }
            Self::Closed => f.write_str("the journal is closed for writing"),
            Self::Key(cause) => write!(f, "a body could not be sealed: {cause}"),
            Self::Read(cause) => write!(f, "the append could not be checked: {cause}"),
            Self::Unavailable(cause) => write!(f, "the write failed: {cause}"),
        }
    }
}

impl Error for AppendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Key(cause) => Some(cause),
            Self::Read(cause) => Some(cause),
            Self::Unavailable(cause) => Some(cause),
            _ => None,
        }
    }
}

impl From<KeyError> for AppendError {
    fn from(cause: KeyError) -> Self {
        Self::Key(cause)
    }
}

impl From<ReadError> for AppendError {
    fn from(cause: ReadError) -> Self {
        Self::Read(cause)
    }
}

/// Why something could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// Stored bytes are not what was written.
    Corrupt {
        /// The entry, or the first entry of the chunk.
        position: Position,
        /// What does not hold.
        what: &'static str,
    },
    /// An entry was written by a newer release.
    UnknownEnvelope {
        /// The entry.
        position: Position,
        /// The envelope version that it claims.
        version: u8,
    },
    /// A snapshot, a checkpoint or the index is over a limit or broken. The log itself is not concerned.
    Derived(&'static str),
    /// The log does not begin with what was signed of it: it was changed. Nothing more is signed.
    Forked {
        /// Entries that were signed.
        signed: u64,
        /// Entries found.
        found: u64,
    },
    /// A key is missing.
    Key(KeyError),
    /// The medium failed.
    Unavailable(Fault),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Corrupt { position, what } => write!(f, "the log is corrupt at position {position}: {what}"),
            Self::UnknownEnvelope { position, version } => write!(
                f,
                "the entry at position {position} has envelope version {version}, which this release does not know"
            ),
            Self::Derived(what) => write!(f, "derived data: {what}"),
            Self::Forked { signed, found } => write!(
                f,
                "the log was changed: it has {found} entries and does not begin with the {signed} that were signed"
            ),
            Self::Key(cause) => cause.fmt(f),
            Self::Unavailable(cause) => write!(f, "the read failed: {cause}"),
        }
    }
}

impl Error for ReadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Key(cause) => Some(cause),
            Self::Unavailable(cause) => Some(cause),
            _ => None,
        }
    }
}

impl From<Fault> for ReadError {
    fn from(cause: Fault) -> Self {
        Self::Unavailable(cause)
    }
}

impl From<KeyError> for ReadError {
    fn from(cause: KeyError) -> Self {
        Self::Key(cause)
    }
}

/// Why a key could not be had, or did not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// The key ring is not the one that the store was made with.
    WrongRing,
    /// The key ring has no key of this number, and something is wrapped by it. It stays closed until the key is back.
    NoRingKey(u32),
    /// The key in this slot does not open with the key of the ring that it names: that one is another now.
    WrongRingKey(u64),
    /// The key was destroyed on purpose; what it sealed is gone for good.
    Destroyed(u64),
    /// There is no slot for the key.
    Missing(u64),
    /// The key's slot is not what was written.
    Corrupt(u64),
    /// The bytes do not open under the key: they were changed, or belong elsewhere.
    Refused,
    /// The operating system gave no randomness.
    Entropy,
    /// The ring itself failed, or its file is not acceptable.
    Ring(String),
    /// The medium failed.
    Unavailable(Fault),
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongRing => f.write_str("the key ring is not the one that the store was made with"),
            Self::NoRingKey(number) => write!(f, "the key ring has no key {number}, which is needed to open it"),
            Self::WrongRingKey(id) => write!(f, "key {id} does not open with the key of the ring that it names"),
            Self::Destroyed(id) => write!(f, "key {id} was destroyed"),
            Self::Missing(id) => write!(f, "key {id} has no slot"),
            Self::Corrupt(id) => write!(f, "the slot of key {id} is corrupt"),
            Self::Refused => f.write_str("the bytes do not open under their key"),
            Self::Entropy => f.write_str("the operating system gave no randomness"),
            Self::Ring(what) => write!(f, "key ring: {what}"),
            Self::Unavailable(cause) => write!(f, "the keys could not be reached: {cause}"),
        }
    }
}

impl Error for KeyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unavailable(cause) => Some(cause),
            _ => None,
        }
    }
}

impl From<Fault> for KeyError {
    fn from(cause: Fault) -> Self {
        Self::Unavailable(cause)
    }
}

/// Why a store was not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process, or another journal of this one, has the store open.
    InUse(PathBuf),
    /// The directory holds something, and it is not a store.
    NotAStore(PathBuf),
    /// The store was written in a format that this release does not know.
    UnknownFormat {
        /// The store.
        dir: PathBuf,
        /// What its format file says, shortened.
        found: String,
    },
    /// Entries that were acknowledged are no longer in the log.
    LogShorterThanAcked {
        /// Entries found.
        found: u64,
        /// Entries known to have been acknowledged.
        acked: u64,
    },
    /// The log does not begin with the entries that its last checkpoint is of: it was changed.
    Forked {
        /// Entries that were signed.
        signed: u64,
        /// Entries found.
        found: u64,
    },
    /// The list of the keys that the log is signed with is not what was written.
    Signers(&'static str),
    /// The last checkpoint is not what was written.
    Checkpoint(&'static str),
    /// The log signs itself under another name than it is asked to.
    OtherOrigin {
        /// The name that it has.
        found: String,
        /// The name that was asked for.
        asked: String,
    },
    /// The log engine could not read its own files.
    Corrupt(String),
    /// The end of the log could not be read.
    Read(ReadError),
    /// The key ring does not fit, or the keys are gone.
    Key(KeyError),
    /// The medium failed.
    Unavailable(Fault),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse(dir) => write!(f, "`{}` is open in another process; stop it first", dir.display()),
            Self::NotAStore(dir) => {
                write!(f, "`{}` is not empty and not a store; name an empty or a new directory", dir.display())
            }
            Self::UnknownFormat { dir, found } => write!(
                f,
                "`{}` has the format `{found}`, and this release reads `{}`; open it with the release that wrote it, \
                 or restore a backup of the known format",
                dir.display(),
                crate::FORMAT_TEXT
            ),
            Self::LogShorterThanAcked { found, acked } => write!(
                f,
                "the log has {found} entries, but {acked} were acknowledged; do not write to it, restore a backup"
            ),
            Self::Forked { signed, found } => write!(
                f,
                "the log was changed: it has {found} entries and does not begin with the {signed} that were signed; do \
                 not write to it, restore a backup"
            ),
            Self::Signers(what) => write!(f, "the list of signing keys: {what}; restore it from a backup"),
            Self::Checkpoint(what) => write!(f, "the last checkpoint: {what}; restore a backup"),
            Self::OtherOrigin { found, asked } => {
                write!(f, "the log signs itself as `{found}`, and not as `{asked}`: its name is for good")
            }
            Self::Corrupt(what) => write!(f, "the log engine could not read its files: {what}; restore a backup"),
            Self::Read(cause) => write!(f, "the end of the log could not be read: {cause}"),
            Self::Key(cause) => cause.fmt(f),
            Self::Unavailable(cause) => write!(f, "the store could not be opened: {cause}"),
        }
    }
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Read(cause) => Some(cause),
            Self::Key(cause) => Some(cause),
            Self::Unavailable(cause) => Some(cause),
            _ => None,
        }
    }
}

impl From<Fault> for OpenError {
    fn from(cause: Fault) -> Self {
        Self::Unavailable(cause)
    }
}

impl From<KeyError> for OpenError {
    fn from(cause: KeyError) -> Self {
        Self::Key(cause)
    }
}

impl From<ReadError> for OpenError {
    fn from(cause: ReadError) -> Self {
        Self::Read(cause)
    }
}

/// One thing that a verification found wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The entry, or the first entry of the chunk.
    pub position: Position,
    /// What does not hold.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "position {}: {}", self.position, self.what)
    }
}

impl Error for Problem {}
