//! The keys of a store, read from its slots; with no key ring, none of them.

use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use countersign_domain::ids::Position;
use countersign_store::keys::{SLOT_BYTES, Slot};
use countersign_store::{
    Backend, Change, Document, Fault, FileKeyRing, Header, Journal, KeyError, Log, OpenError, Options, Table,
};

use super::read_exact_at;

/// The key slots of a store, and what opens them.
#[derive(Debug)]
pub struct Keys {
    slots: Slots,
    /// A log without entries over the slots: it unwraps keys and opens bodies.
    opener: Option<Log<Slots>>,
}

impl Keys {
    /// Reads the slots of a store with a key ring's file; without one, sealed bodies stay closed.
    ///
    /// # Errors
    /// When a file cannot be read, or the ring is not this store's.
    pub fn open(store: &Path, ring: Option<&Path>) -> Result<Self, OpenError> {
        let slots = Slots::open(store)?;
        let opener = match ring {
            None => None,
            Some(ring) => {
                let ring = Arc::new(FileKeyRing::open(ring)?);
                let options = Options { maintenance: false, read_only: true };
                Some(Log::with_backend(Slots::open(store)?, ring, options)?)
            }
        };
        Ok(Self { slots, opener })
    }

    /// Whether a key ring is at hand.
    #[must_use]
    pub const fn has_ring(&self) -> bool {
        self.opener.is_some()
    }

    /// Opens a sealed body.
    ///
    /// # Errors
    /// When there is no ring, the key is gone, or the body is not what was sealed under this header.
    pub fn unseal(&self, header: &Header, body: &[u8]) -> Result<Vec<u8>, KeyError> {
        match &self.opener {
            Some(opener) => opener.unseal(header, body),
            None if !header.is_sealed() => Ok(body.to_vec()),
            None => Err(KeyError::Ring("no key ring was given".to_owned())),
        }
    }

    /// What the slot of a key says.
    ///
    /// # Errors
    /// When it is not what was written, or is not there.
    pub fn slot(&self, key_id: u64) -> Result<Slot, KeyError> {
        let bytes = self.slots.slot(key_id)?.ok_or(KeyError::Missing(key_id))?;
        Slot::decode(key_id, &bytes)
    }
}

/// A medium that has key slots, and no log.
#[derive(Debug)]
struct Slots {
    file: File,
}

impl Slots {
    fn open(store: &Path) -> Result<Self, Fault> {
        let path = store.join("keys");
        let file = File::open(&path);
        let file = file.map_err(|cause| Fault::because(&format!("could not read `{}`", path.display()), cause))?;
        Ok(Self { file })
    }
}

const READ_ONLY: &str = "the store is read only";

impl Backend for Slots {
    type Bytes = Vec<u8>;

    fn commit(&self, _chunks: Vec<(Position, Vec<u8>)>) -> Result<(), Fault> {
        Err(Fault::new(READ_ONLY))
    }

    fn chunk_at_or_before(&self, _position: Position) -> Result<Option<(Position, Vec<u8>)>, Fault> {
        Ok(None)
    }

    fn chunks_from(
        &self,
        _first: Position,
        _visit: &mut dyn FnMut(Position, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), Fault> {
        Ok(())
    }

    fn get(&self, _table: Table, _key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        Ok(None)
    }

    fn put(&self, _table: Table, _rows: Vec<Change>) -> Result<(), Fault> {
        Err(Fault::new(READ_ONLY))
    }

    fn clear(&self, _table: Table) -> Result<(), Fault> {
        Err(Fault::new(READ_ONLY))
    }

    fn sync(&self) -> Result<(), Fault> {
        Ok(())
    }

    fn slots(&self) -> Result<u64, Fault> {
        let length = self.file.metadata().map_err(|cause| Fault::because("the key file", cause))?.len();
        Ok(length.div_ceil(SLOT_BYTES as u64))
    }

    fn slot(&self, number: u64) -> Result<Option<[u8; SLOT_BYTES]>, Fault> {
        let mut slot = [0; SLOT_BYTES];
        let Some(at) = number.checked_mul(SLOT_BYTES as u64) else { return Ok(None) };
        match read_exact_at(&self.file, &mut slot, at) {
            Ok(()) => Ok(Some(slot)),
            Err(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(cause) => Err(Fault::because("the key file", cause)),
        }
    }

    fn put_slots(&self, _first: u64, _slots: &[[u8; SLOT_BYTES]]) -> Result<(), Fault> {
        Err(Fault::new(READ_ONLY))
    }

    fn high_water(&self) -> Result<Option<u64>, Fault> {
        Ok(None)
    }

    fn raise_high_water(&self, _entries: u64) -> Result<(), Fault> {
        Err(Fault::new(READ_ONLY))
    }

    fn document(&self, _document: Document) -> Result<Option<Vec<u8>>, Fault> {
        Ok(None)
    }

    fn replace_document(&self, _document: Document, _bytes: &[u8]) -> Result<(), Fault> {
        Err(Fault::new(READ_ONLY))
    }
}
