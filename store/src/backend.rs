//! What the engine needs from a medium: chunks, derived tables, key slots and a high-water mark.
//!
//! A backend keeps bytes and knows none of the log's rules. All implementations, and every
//! wrapper around one, are driven by the same engine, so that they keep the same contract.

use std::ops::ControlFlow;

use countersign_domain::ids::Position;

use crate::error::Fault;
use crate::keys::SLOT_BYTES;

/// A table of derived data: it can be lost without losing an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// The stream index.
    Index,
    /// Snapshots by stream.
    Snapshots,
    /// Checkpoints of projections.
    Checkpoints,
    /// Whole tiles of the tree over all entries.
    Tiles,
}

impl Table {
    /// All tables.
    pub const ALL: [Self; 4] = [Self::Index, Self::Snapshots, Self::Checkpoints, Self::Tiles];

    /// The name that the table has on disk.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Snapshots => "snapshots",
            Self::Checkpoints => "checkpoints",
            Self::Tiles => "tiles",
        }
    }
}

/// A small text that is replaced as a whole, and that the log cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Document {
    /// The keys that the log is signed with: public ones in the clear, private ones wrapped.
    Signers,
    /// The last checkpoint that was signed.
    Checkpoint,
}

impl Document {
    /// All documents.
    pub const ALL: [Self; 2] = [Self::Signers, Self::Checkpoint];

    /// The name of its file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Signers => "signers",
            Self::Checkpoint => "checkpoint",
        }
    }
}

/// A change of one row: its key, and its value or `None` to remove it.
pub type Change = (Vec<u8>, Option<Vec<u8>>);

/// Keeps bytes durably.
pub trait Backend: Send + Sync + 'static {
    /// A value as the medium hands it out: cheap to copy, no lock held.
    type Bytes: AsRef<[u8]> + Clone + Send + Sync + 'static;

    /// Makes chunks durable, all of them or none. Returns only when a power cut cannot undo it.
    ///
    /// # Errors
    /// When any part failed. The engine never writes again through a backend that failed.
    fn commit(&self, chunks: Vec<(Position, Vec<u8>)>) -> Result<(), Fault>;

    /// The last chunk that starts at or before a position.
    ///
    /// # Errors
    /// When the medium fails.
    fn chunk_at_or_before(&self, position: Position) -> Result<Option<(Position, Self::Bytes)>, Fault>;

    /// Visits the chunks that start at or after a position, in order.
    ///
    /// # Errors
    /// When the medium fails.
    fn chunks_from(
        &self,
        first: Position,
        visit: &mut dyn FnMut(Position, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), Fault>;

    /// Reads a derived row.
    ///
    /// # Errors
    /// When the medium fails.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Self::Bytes>, Fault>;

    /// Changes derived rows one after another, and after every earlier write. Durable after [`Backend::sync`].
    ///
    /// # Errors
    /// When the medium fails.
    fn put(&self, table: Table, rows: Vec<Change>) -> Result<(), Fault>;

    /// Removes every row of a table.
    ///
    /// # Errors
    /// When the medium fails.
    fn clear(&self, table: Table) -> Result<(), Fault>;

    /// Makes every earlier write durable.
    ///
    /// # Errors
    /// When the medium fails.
    fn sync(&self) -> Result<(), Fault>;

    /// How many key slots there are, one that is cut short included.
    ///
    /// # Errors
    /// When the medium fails.
    fn slots(&self) -> Result<u64, Fault>;

    /// Reads a key slot; `None` when there are not as many.
    ///
    /// # Errors
    /// When the medium fails.
    fn slot(&self, number: u64) -> Result<Option<[u8; SLOT_BYTES]>, Fault>;

    /// Writes key slots in place from a number on, and makes them durable.
    ///
    /// # Errors
    /// When the medium fails.
    fn put_slots(&self, first: u64, slots: &[[u8; SLOT_BYTES]]) -> Result<(), Fault>;

    /// The number of entries that were once known to be durable, kept apart from the log.
    ///
    /// # Errors
    /// When the mark is broken or the medium fails.
    fn high_water(&self) -> Result<Option<u64>, Fault>;

    /// Raises the high-water mark, durably.
    ///
    /// # Errors
    /// When the medium fails.
    fn raise_high_water(&self, entries: u64) -> Result<(), Fault>;

    /// Reads a document; `None` when it was never written. At most [`crate::limits::DOCUMENT_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// When the medium fails, or the document is longer.
    fn document(&self, document: Document) -> Result<Option<Vec<u8>>, Fault>;

    /// Puts another text in a document's place, durably: whatever happens, the old one or the new one is there.
    ///
    /// # Errors
    /// When the medium fails.
    fn replace_document(&self, document: Document, bytes: &[u8]) -> Result<(), Fault>;
}
