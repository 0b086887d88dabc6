//! A store of our own, opened for reading.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use countersign_domain::ids::Position;
use countersign_store::{EntryRef, Header, KeyError, ReadError};

use super::error::OwnError;
use super::medium::{Image, Keys};
use super::place::locate;
use super::read::Entries;
use crate::trail::{Verdict, Verdicts};

/// A store, read in place while a server may be writing it. Nothing of it is changed.
#[derive(Debug)]
pub struct OwnStore {
    path: PathBuf,
    image: Image,
    keys: Keys,
}

impl OwnStore {
    /// Opens the store at a path: a server's data directory, or a store by itself. `ring` names the key ring's file when it
    /// is not beside the store; without any, sealed bodies stay closed.
    ///
    /// ```
    /// use countersign_replay::own::{OwnError, OwnStore};
    ///
    /// assert!(matches!(OwnStore::open("/nonexistent".as_ref(), None), Err(OwnError::NoStore(_))));
    /// ```
    ///
    /// # Errors
    /// When there is no store, the ring is another store's, or acknowledged entries are missing at the log's end.
    pub fn open(path: &Path, ring: Option<&Path>) -> Result<Self, OwnError> {
        let (store, ring) = locate(path, ring)?;
        let image = Image::open(&store)?;
        if let Some(acked) = image.acked()?.filter(|acked| *acked > image.head().0) {
            return Err(OwnError::Short { found: image.head().0, acked });
        }
        let keys = Keys::open(&store, ring.as_deref())?;
        Ok(Self { path: store, image, keys })
    }

    /// The store's directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The log as it lies in its file.
    #[must_use]
    pub const fn image(&self) -> &Image {
        &self.image
    }

    /// Where the store is not what was written, as far as checksums tell. Chains and laws are judged by
    /// [`verify`](super::verify::verify).
    ///
    /// # Errors
    /// When the log's file cannot be read.
    pub fn verdicts(&self) -> Result<Verdicts, OwnError> {
        let mut verdicts = Verdicts::default();
        for broken in self.image.broken()? {
            let place = format!("{}: {broken}", self.path.display());
            verdicts.files.insert(place, (Verdict::Invalid, broken.to_string()));
        }
        Ok(verdicts)
    }

    /// The keys.
    #[must_use]
    pub const fn keys(&self) -> &Keys {
        &self.keys
    }
}

impl Entries for OwnStore {
    fn head(&self) -> Position {
        self.image.head()
    }

    fn scan(
        &self,
        from: Position,
        visit: &mut dyn FnMut(EntryRef<'_>) -> ControlFlow<()>,
    ) -> Result<Position, ReadError> {
        self.image.scan(from, visit)
    }

    fn unseal(&self, header: &Header, body: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.keys.unseal(header, body)
    }
}
