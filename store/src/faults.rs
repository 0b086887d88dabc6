//! A backend that fails on cue, to see that nothing is promised that was not kept.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use countersign_domain::ids::Position;

use crate::backend::{Backend, Change, Document, Table};
use crate::error::Fault;
use crate::keys::SLOT_BYTES;

/// What can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// A commit of chunks, before anything of it is written.
    Commit,
    /// A commit of chunks, after all of it is written: as a failed sync would.
    CommitAfterWriting,
    /// A write of derived rows.
    Put,
    /// A sync of derived rows.
    Sync,
    /// A write of key slots.
    PutSlots,
    /// A write of the high-water mark.
    RaiseHighWater,
    /// A replacement of a document, before anything of it is written.
    ReplaceDocument,
    /// A replacement of a document, after it is done.
    ReplaceDocumentAfterWriting,
    /// Any read.
    Read,
}

/// The cues of a [`FaultyBackend`]. A clone gives the same cues.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    cues: Arc<Mutex<Vec<(Operation, u32)>>>,
}

impl Faults {
    /// No fault yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets `skip` more operations of a kind through, and fails the one after them, once.
    pub fn fail_after(&self, operation: Operation, skip: u32) {
        self.cues.lock().unwrap_or_else(PoisonError::into_inner).push((operation, skip));
    }

    /// Fails the next operation of a kind.
    pub fn fail_next(&self, operation: Operation) {
        self.fail_after(operation, 0);
    }

    fn check(&self, operation: Operation) -> Result<(), Fault> {
        let mut cues = self.cues.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(at) = cues.iter().position(|(kind, _)| *kind == operation) else { return Ok(()) };
        if cues[at].1 == 0 {
            cues.remove(at);
            return Err(Fault::new(format!("{operation:?} was made to fail")));
        }
        cues[at].1 -= 1;
        Ok(())
    }
}

/// Passes everything on to another backend, except what it was told to fail.
#[derive(Clone, Debug)]
pub struct FaultyBackend<B> {
    inner: B,
    faults: Faults,
}

impl<B: Backend> FaultyBackend<B> {
    /// Wraps a backend.
    pub const fn new(inner: B, faults: Faults) -> Self {
        Self { inner, faults }
    }
}

impl<B: Backend> Backend for FaultyBackend<B> {
    type Bytes = B::Bytes;

    fn commit(&self, chunks: Vec<(Position, Vec<u8>)>) -> Result<(), Fault> {
        self.faults.check(Operation::Commit)?;
        self.inner.commit(chunks)?;
        self.faults.check(Operation::CommitAfterWriting)
    }

    fn chunk_at_or_before(&self, position: Position) -> Result<Option<(Position, Self::Bytes)>, Fault> {
        self.faults.check(Operation::Read)?;
        self.inner.chunk_at_or_before(position)
    }

    fn chunks_from(
        &self,
        first: Position,
        visit: &mut dyn FnMut(Position, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), Fault> {
        self.faults.check(Operation::Read)?;
        self.inner.chunks_from(first, visit)
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Self::Bytes>, Fault> {
        self.faults.check(Operation::Read)?;
        self.inner.get(table, key)
    }

    fn put(&self, table: Table, rows: Vec<Change>) -> Result<(), Fault> {
        self.faults.check(Operation::Put)?;
        self.inner.put(table, rows)
    }

    fn clear(&self, table: Table) -> Result<(), Fault> {
        self.faults.check(Operation::Put)?;
        self.inner.clear(table)
    }

    fn sync(&self) -> Result<(), Fault> {
        self.faults.check(Operation::Sync)?;
        self.inner.sync()
    }

    fn slots(&self) -> Result<u64, Fault> {
        self.inner.slots()
    }

    fn slot(&self, number: u64) -> Result<Option<[u8; SLOT_BYTES]>, Fault> {
        self.faults.check(Operation::Read)?;
        self.inner.slot(number)
    }

    fn put_slots(&self, first: u64, slots: &[[u8; SLOT_BYTES]]) -> Result<(), Fault> {
        self.faults.check(Operation::PutSlots)?;
        self.inner.put_slots(first, slots)
    }

    fn high_water(&self) -> Result<Option<u64>, Fault> {
        self.inner.high_water()
    }

    fn raise_high_water(&self, entries: u64) -> Result<(), Fault> {
        self.faults.check(Operation::RaiseHighWater)?;
        self.inner.raise_high_water(entries)
    }

    fn document(&self, document: Document) -> Result<Option<Vec<u8>>, Fault> {
        self.faults.check(Operation::Read)?;
        self.inner.document(document)
    }

    fn replace_document(&self, document: Document, bytes: &[u8]) -> Result<(), Fault> {
        self.faults.check(Operation::ReplaceDocument)?;
        self.inner.replace_document(document, bytes)?;
        self.faults.check(Operation::ReplaceDocumentAfterWriting)
    }
}
