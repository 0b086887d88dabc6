//! A backend that fails on cue, to see that nothing is promised that was not kept.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

/// What happens on a cue.
enum Deed {
    Fail,
    Call(Box<dyn FnOnce() + Send>),
}

/// A kind of operation, how many of it are let through, and what happens then.
struct Cue {
    operation: Operation,
    skip: u32,
    deed: Deed,
}

/// The cues of a [`FaultyBackend`]. A clone gives the same cues.
#[derive(Clone, Default)]
pub struct Faults {
    cues: Arc<Mutex<Vec<Cue>>>,
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults").field("cues", &self.lock().len()).finish()
    }
}

impl Faults {
    /// No fault yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets `skip` more operations of a kind through, and fails the one after them, once.
    pub fn fail_after(&self, operation: Operation, skip: u32) {
        self.lock().push(Cue { operation, skip, deed: Deed::Fail });
    }

    /// Fails the next operation of a kind.
    pub fn fail_next(&self, operation: Operation) {
        self.fail_after(operation, 0);
    }

    /// Lets `skip` more operations of a kind through, and calls something at the one after them, once: to take a copy of
    /// the medium as a crash would leave it there, or to panic. The operation itself goes on if the call comes back.
    pub fn call_after(&self, operation: Operation, skip: u32, call: impl FnOnce() + Send + 'static) {
        self.lock().push(Cue { operation, skip, deed: Deed::Call(Box::new(call)) });
    }

    /// Takes back every cue that was not reached, and says how many there were.
    pub fn clear(&self) -> usize {
        std::mem::take(&mut *self.lock()).len()
    }

    /// Looks at the medium without reaching or counting down any cue: what an observer does is not what is tested. Others
    /// are not to use it meanwhile.
    pub fn unheeded<T>(&self, look: impl FnOnce() -> T) -> T {
        let cues = std::mem::take(&mut *self.lock());
        let seen = look();
        self.lock().splice(..0, cues);
        seen
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Cue>> {
        self.cues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is due at an operation.
    fn due(&self, operation: Operation) -> Option<Deed> {
        let mut cues = self.lock();
        let at = cues.iter().position(|cue| cue.operation == operation)?;
        if cues[at].skip == 0 {
            return Some(cues.remove(at).deed);
        }
        cues[at].skip -= 1;
        None
    }

    fn check(&self, operation: Operation) -> Result<(), Fault> {
        match self.due(operation) {
            None => {}
            Some(Deed::Fail) => return Err(Fault::new(format!("{operation:?} was made to fail"))),
            // Nothing of ours is held meanwhile.
            Some(Deed::Call(call)) => call(),
        }
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
