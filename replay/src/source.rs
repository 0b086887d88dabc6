//! Opening a store for reading only.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign_store::{FileKeyRing, Journal, KeyError, OpenError, ReadError, SledJournal, StoreOptions};

/// Why a store cannot be replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplayError {
    /// There is no store in the directory.
    NoStore(PathBuf),
    /// There is no key file beside the store.
    NoKeys(PathBuf),
    /// The store does not open.
    Open(OpenError),
    /// An entry cannot be read.
    Read(ReadError),
    /// A sealed body cannot be opened.
    Key(KeyError),
    /// An entry is not an event that this release knows.
    Event(String),
}

impl ReplayError {
    /// Whether the store is not what was written, rather than absent, busy or locked with other keys.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        use OpenError::{Corrupt, LogShorterThanAcked};
        matches!(
            self,
            Self::Open(Corrupt(_) | LogShorterThanAcked { .. } | OpenError::Read(ReadError::Corrupt { .. }))
                | Self::Read(ReadError::Corrupt { .. })
                | Self::Event(_)
        )
    }
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStore(dir) => write!(f, "`{}` holds no store; name the server's data directory", dir.display()),
            Self::NoKeys(file) => write!(f, "the key file `{}` is missing; name it with --keys", file.display()),
            Self::Open(cause) => cause.fmt(f),
            Self::Read(cause) => cause.fmt(f),
            Self::Key(cause) => cause.fmt(f),
            Self::Event(cause) => f.write_str(cause),
        }
    }
}

impl std::error::Error for ReplayError {}

impl From<OpenError> for ReplayError {
    fn from(cause: OpenError) -> Self {
        Self::Open(cause)
    }
}

impl From<ReadError> for ReplayError {
    fn from(cause: ReadError) -> Self {
        Self::Read(cause)
    }
}

impl From<KeyError> for ReplayError {
    fn from(cause: KeyError) -> Self {
        Self::Key(cause)
    }
}

/// Opens the store of a server's data directory for reading. `keys` names the key file when it is
/// not in there.
///
/// # Errors
/// When there is no store, no key file, or the store is open in another process or does not open.
pub fn open(dir: &Path, keys: Option<&Path>) -> Result<Arc<dyn Journal>, ReplayError> {
    let store = dir.join("store");
    if !store.is_dir() {
        return Err(ReplayError::NoStore(dir.to_owned()));
    }
    let key_file = keys.map_or_else(|| dir.join("keyring"), Path::to_owned);
    if !key_file.is_file() {
        return Err(ReplayError::NoKeys(key_file));
    }
    let ring = Arc::new(FileKeyRing::open_or_create(&key_file)?);
    let options = StoreOptions { read_only: true, ..StoreOptions::default() };
    Ok(Arc::new(SledJournal::open(&store, ring, options)?))
}
