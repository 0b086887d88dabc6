//! A backend in memory, for tests and for trying things out. Its copies share one content.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use countersign_domain::ids::Position;

use crate::backend::{Backend, Change, Document, Table};
use crate::error::{Fault, KeyError, OpenError};
use crate::keys::{KeyRing, SLOT_BYTES};
use crate::log::{Log, Options};

/// Chunks copied out under the lock at a time, so that a visitor may append.
const SCAN_CHUNKS: usize = 64;

#[derive(Debug, Default)]
struct Content {
    chunks: BTreeMap<u64, Arc<[u8]>>,
    tables: BTreeMap<(Table, Vec<u8>), Arc<[u8]>>,
    slots: Vec<[u8; SLOT_BYTES]>,
    high_water: Option<u64>,
    documents: BTreeMap<Document, Vec<u8>>,
}

/// Keeps everything in memory. A clone is another handle of the same content.
#[derive(Clone, Debug, Default)]
pub struct MemoryBackend {
    content: Arc<RwLock<Content>>,
}

impl MemoryBackend {
    /// An empty medium.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A medium with the same content that shares nothing with this one.
    #[must_use]
    pub fn fork(&self) -> Self {
        let from = self.read();
        let content = Content {
            chunks: from.chunks.clone(),
            tables: from.tables.clone(),
            slots: from.slots.clone(),
            high_water: from.high_water,
            documents: from.documents.clone(),
        };
        Self { content: Arc::new(RwLock::new(content)) }
    }

    /// The raw chunks by their first position.
    #[must_use]
    pub fn chunks(&self) -> Vec<(Position, Vec<u8>)> {
        self.read().chunks.iter().map(|(first, bytes)| (Position(*first), bytes.to_vec())).collect()
    }

    /// Puts a raw chunk in place, as damage would; `None` removes it.
    pub fn set_chunk(&self, first: Position, bytes: Option<Vec<u8>>) {
        let mut content = self.write();
        match bytes {
            Some(bytes) => content.chunks.insert(first.0, bytes.into()),
            None => content.chunks.remove(&first.0),
        };
    }

    /// The raw rows of a derived table.
    #[must_use]
    pub fn rows(&self, table: Table) -> Vec<(Vec<u8>, Vec<u8>)> {
        let content = self.read();
        let rows = content.tables.iter().filter(|((of, _), _)| *of == table);
        rows.map(|((_, key), value)| (key.clone(), value.to_vec())).collect()
    }

    /// Takes a document away, as its loss would.
    pub fn remove_document(&self, document: Document) {
        self.write().documents.remove(&document);
    }

    fn read(&self) -> RwLockReadGuard<'_, Content> {
        self.content.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Content> {
        self.content.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backend for MemoryBackend {
    type Bytes = Arc<[u8]>;

    fn commit(&self, chunks: Vec<(Position, Vec<u8>)>) -> Result<(), Fault> {
        let mut content = self.write();
        for (first, bytes) in chunks {
            content.chunks.insert(first.0, bytes.into());
        }
        Ok(())
    }

    fn chunk_at_or_before(&self, position: Position) -> Result<Option<(Position, Arc<[u8]>)>, Fault> {
        let content = self.read();
        let found = content.chunks.range(..=position.0).next_back();
        Ok(found.map(|(first, bytes)| (Position(*first), bytes.clone())))
    }

    fn chunks_from(
        &self,
        first: Position,
        visit: &mut dyn FnMut(Position, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), Fault> {
        let mut from = Bound::Included(first.0);
        loop {
            let some: Vec<(u64, Arc<[u8]>)> = {
                let content = self.read();
                let range = content.chunks.range((from, Bound::Unbounded)).take(SCAN_CHUNKS);
                range.map(|(first, bytes)| (*first, bytes.clone())).collect()
            };
            let Some((last, _)) = some.last() else { return Ok(()) };
            from = Bound::Excluded(*last);
            for (first, bytes) in &some {
                if visit(Position(*first), bytes).is_break() {
                    return Ok(());
                }
            }
        }
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Arc<[u8]>>, Fault> {
        Ok(self.read().tables.get(&(table, key.to_vec())).cloned())
    }

    fn put(&self, table: Table, rows: Vec<Change>) -> Result<(), Fault> {
        let mut content = self.write();
        for (key, value) in rows {
            match value {
                Some(value) => content.tables.insert((table, key), value.into()),
                None => content.tables.remove(&(table, key)),
            };
        }
        Ok(())
    }

    fn clear(&self, table: Table) -> Result<(), Fault> {
        self.write().tables.retain(|(of, _), _| *of != table);
        Ok(())
    }

    fn sync(&self) -> Result<(), Fault> {
        Ok(())
    }

    fn slots(&self) -> Result<u64, Fault> {
        Ok(self.read().slots.len() as u64)
    }

    fn slot(&self, number: u64) -> Result<Option<[u8; SLOT_BYTES]>, Fault> {
        Ok(usize::try_from(number).ok().and_then(|at| self.read().slots.get(at).copied()))
    }

    fn put_slots(&self, first: u64, slots: &[[u8; SLOT_BYTES]]) -> Result<(), Fault> {
        let first = usize::try_from(first).map_err(|_| Fault::new("the slot number is out of range"))?;
        let mut content = self.write();
        let end = first.saturating_add(slots.len());
        if content.slots.len() < end {
            content.slots.resize(end, [0; SLOT_BYTES]);
        }
        content.slots[first..end].copy_from_slice(slots);
        Ok(())
    }

    fn high_water(&self) -> Result<Option<u64>, Fault> {
        Ok(self.read().high_water)
    }

    fn raise_high_water(&self, entries: u64) -> Result<(), Fault> {
        self.write().high_water = Some(entries);
        Ok(())
    }

    fn document(&self, document: Document) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.read().documents.get(&document).cloned())
    }

    fn replace_document(&self, document: Document, bytes: &[u8]) -> Result<(), Fault> {
        self.write().documents.insert(document, bytes.to_vec());
        Ok(())
    }
}

/// A journal in memory: every rule of the real one, and nothing left when it is dropped.
pub type MemoryJournal = Log<MemoryBackend>;

impl MemoryJournal {
    /// Makes an empty journal.
    ///
    /// # Errors
    /// When the ring cannot make the store's check value.
    pub fn new(ring: Arc<dyn KeyRing>) -> Result<Self, KeyError> {
        Self::with_backend(MemoryBackend::new(), ring, Options::default()).map_err(|cause| match cause {
            OpenError::Key(cause) => cause,
            other => KeyError::Ring(other.to_string()),
        })
    }
}
