//! A disk under the journal that fails, tears, delays and crashes on cue.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use countersign_store::backend::{Backend, Change, Document, Table};
use countersign_store::faults::{Faults, FaultyBackend, Operation};
use countersign_store::keys::SLOT_BYTES;
use countersign_store::{Fault, Journal, KeyRing, Log, MemoryBackend, OpenError, Options};

use crate::Position;

/// A disk in memory that fails, tears, delays and crashes when a test says so.
///
/// [`Self::journal`] opens the journal on it, for [`Countersign::on`](crate::Countersign::on). What can go wrong:
///
/// - [`Self::fail_next`], [`Self::fail_after`]: an operation fails, before or after it did its work.
/// - [`Self::hold`]: writes wait until they are let go.
/// - [`Self::crash`], [`Self::crash_at`]: what a power cut would leave, now or in the midst of an operation. All that was
///   acknowledged is there. Of derived rows, which are written behind the acknowledgements, only so many as are said: the
///   rest is torn off.
///
/// A clone is another handle of the same disk.
///
/// ```
/// use std::sync::Arc;
/// use countersign::store::EphemeralKeyRing;
/// use countersign::store::faults::Operation;
/// use countersign::testing::TestDisk;
/// use countersign::{Caller, Config, Countersign, DeviceName, Request};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let (disk, ring) = (TestDisk::new(), Arc::new(EphemeralKeyRing::new()?));
/// let engine = Countersign::on(disk.journal(ring.clone())?, ring.clone(), Config::default())?;
/// let by = || Request::by(Caller::operator());
/// engine.open_account(by(), "111122223333".parse()?, DeviceName::new("root")?).await?;
///
/// disk.fail_next(Operation::Commit);
/// let failed = engine.open_account(by(), "444455556666".parse()?, DeviceName::new("root")?).await;
/// assert!(failed.is_err());
///
/// let left = disk.crash(0);
/// let engine = Countersign::on(left.journal(ring.clone())?, ring, Config::default())?;
/// assert_eq!(engine.accounts().len(), 1, "what was acknowledged, and nothing else");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct TestDisk {
    platter: Platter,
    faults: Faults,
}

impl TestDisk {
    /// An empty disk without faults.
    ///
    /// ```
    /// let disk = countersign::testing::TestDisk::new();
    /// assert_eq!(disk.unsynced(), 0);
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens the journal on this disk, as a start of the engine does.
    ///
    /// # Errors
    /// When what is on the disk is damaged, or is of another ring, or a fault was planted in the way.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use countersign::{store::EphemeralKeyRing, testing::TestDisk};
    /// let ring = Arc::new(EphemeralKeyRing::new().unwrap());
    /// assert!(TestDisk::new().journal(ring).is_ok());
    /// ```
    pub fn journal(&self, ring: Arc<dyn KeyRing>) -> Result<Arc<dyn Journal>, OpenError> {
        let backend = FaultyBackend::new(self.platter.clone(), self.faults.clone());
        Ok(Arc::new(Log::with_backend(backend, ring, Options::default())?))
    }

    /// Fails the next operation of a kind. After a failed write the engine takes nothing more, and says so; it is begun
    /// again on what [`Self::crash`] leaves.
    ///
    /// ```
    /// # use countersign::{store::faults::Operation, testing::TestDisk};
    /// TestDisk::new().fail_next(Operation::CommitAfterWriting);
    /// ```
    pub fn fail_next(&self, operation: Operation) {
        self.faults.fail_next(operation);
    }

    /// Lets `skip` more operations of a kind through, and fails the one after them.
    ///
    /// ```
    /// # use countersign::{store::faults::Operation, testing::TestDisk};
    /// TestDisk::new().fail_after(Operation::Read, 3);
    /// ```
    pub fn fail_after(&self, operation: Operation, skip: u32) {
        self.faults.fail_after(operation, skip);
    }

    /// Takes back every fault that did not happen yet, and says how many there were.
    ///
    /// ```
    /// # use countersign::{store::faults::Operation, testing::TestDisk};
    /// let disk = TestDisk::new();
    /// disk.fail_next(Operation::Sync);
    /// assert_eq!(disk.heal(), 1);
    /// ```
    pub fn heal(&self) -> usize {
        self.faults.clear()
    }

    /// Makes every commit wait from now on, until the answer is dropped. Commands are not answered meanwhile.
    ///
    /// ```
    /// let disk = countersign::testing::TestDisk::new();
    /// let held = disk.hold();
    /// drop(held);
    /// ```
    #[must_use = "commits go on when it is dropped"]
    pub fn hold(&self) -> Held {
        self.platter.gate.add(1);
        Held { gate: Arc::clone(&self.platter.gate) }
    }

    /// How many derived rows a crash would tear off now, if it kept none.
    ///
    /// ```
    /// assert_eq!(countersign::testing::TestDisk::new().unsynced(), 0);
    /// ```
    #[must_use]
    pub fn unsynced(&self) -> usize {
        self.platter.lock().unsynced.len()
    }

    /// The disk as a power cut leaves it at this moment: every commit that is done, and the first `kept` of the derived
    /// rows that were not synced. It has no faults, and shares nothing with this one.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use countersign::{store::EphemeralKeyRing, testing::TestDisk};
    /// let (disk, ring) = (TestDisk::new(), Arc::new(EphemeralKeyRing::new().unwrap()));
    /// drop(disk.journal(ring.clone()));
    /// assert!(disk.crash(usize::MAX).journal(ring).is_ok());
    /// ```
    #[must_use]
    pub fn crash(&self, kept: usize) -> Self {
        let state = self.platter.lock();
        let durable = state.durable.fork();
        for torn in state.unsynced.iter().take(kept) {
            // Memory does not fail.
            let _never = match torn {
                Behind::Row(table, change) => durable.put(*table, vec![change.clone()]),
                Behind::Clear(table) => durable.clear(*table),
            };
        }
        drop(state);
        Self { platter: Platter::of(durable), faults: Faults::new() }
    }

    /// Lets `skip` more operations of a kind through, and keeps what a power cut in the next one would leave: before it is
    /// done, or after, as the operation says. The engine itself goes on.
    ///
    /// ```
    /// # use countersign::{Policy, store::faults::Operation, testing::{Deed, World}};
    /// let mut world = World::new(Policy::classic());
    /// let left = world.disk().crash_at(Operation::Commit, 0, 0);
    /// world.perform(&Deed::AddUser("lee"));
    /// world.resume(left.take().expect("a commit came"));
    /// assert!(world.engine().users(world.account(), None, 10).is_empty());
    /// ```
    #[must_use]
    pub fn crash_at(&self, operation: Operation, skip: u32, kept: usize) -> Wreck {
        let (wreck, disk) = (Wreck::default(), self.clone());
        let slot = Arc::clone(&wreck.0);
        self.faults.call_after(operation, skip, move || {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(disk.crash(kept));
        });
        wreck
    }
}

/// What [`TestDisk::crash_at`] leaves, once it has come to that.
///
/// ```
/// # use countersign::{store::faults::Operation, testing::TestDisk};
/// let left = TestDisk::new().crash_at(Operation::Commit, 0, 0);
/// assert!(left.take().is_none(), "nothing was committed");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Wreck(Arc<Mutex<Option<TestDisk>>>);

impl Wreck {
    /// The disk, if the operation came.
    ///
    /// ```
    /// # use countersign::testing::Wreck;
    /// assert!(Wreck::default().take().is_none());
    /// ```
    #[must_use]
    pub fn take(&self) -> Option<TestDisk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for TestDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestDisk").field("unsynced", &self.unsynced()).finish_non_exhaustive()
    }
}

/// Commits wait while this is there: see [`TestDisk::hold`].
///
/// ```
/// # use countersign::testing::{Held, TestDisk};
/// fn slow(disk: &TestDisk) -> Held { disk.hold() }
/// ```
pub struct Held {
    gate: Arc<Gate>,
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held")
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.gate.add(-1);
    }
}

/// Open while nobody holds it.
#[derive(Default)]
struct Gate {
    holders: Mutex<i32>,
    changed: Condvar,
}

impl Gate {
    fn add(&self, number: i32) {
        *self.holders.lock().unwrap_or_else(PoisonError::into_inner) += number;
        self.changed.notify_all();
    }

    fn pass(&self) {
        let holders = self.holders.lock().unwrap_or_else(PoisonError::into_inner);
        let open = self.changed.wait_while(holders, |holders| *holders > 0);
        drop(open.unwrap_or_else(PoisonError::into_inner));
    }
}

/// A write of derived rows that no sync came after.
enum Behind {
    Row(Table, Change),
    Clear(Table),
}

#[derive(Default)]
struct State {
    /// What a power cut leaves at the least.
    durable: MemoryBackend,
    unsynced: Vec<Behind>,
}

/// A medium of two layers: what is read, and what is safe.
#[derive(Clone, Default)]
struct Platter {
    current: MemoryBackend,
    state: Arc<Mutex<State>>,
    gate: Arc<Gate>,
}

impl Platter {
    fn of(durable: MemoryBackend) -> Self {
        let current = durable.fork();
        Self { current, state: Arc::new(Mutex::new(State { durable, unsynced: Vec::new() })), gate: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A write that is safe when it is done.
    fn at_once(&self, write: impl Fn(&MemoryBackend) -> Result<(), Fault>) -> Result<(), Fault> {
        let state = self.lock();
        write(&self.current)?;
        write(&state.durable)
    }
}

impl Backend for Platter {
    type Bytes = Arc<[u8]>;

    fn commit(&self, chunks: Vec<(Position, Vec<u8>)>) -> Result<(), Fault> {
        self.gate.pass();
        self.at_once(|medium| medium.commit(chunks.clone()))
    }

    fn chunk_at_or_before(&self, position: Position) -> Result<Option<(Position, Arc<[u8]>)>, Fault> {
        self.current.chunk_at_or_before(position)
    }

    fn chunks_from(
        &self,
        first: Position,
        visit: &mut dyn FnMut(Position, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), Fault> {
        self.current.chunks_from(first, visit)
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Arc<[u8]>>, Fault> {
        self.current.get(table, key)
    }

    fn put(&self, table: Table, rows: Vec<Change>) -> Result<(), Fault> {
        let mut state = self.lock();
        state.unsynced.extend(rows.iter().cloned().map(|row| Behind::Row(table, row)));
        self.current.put(table, rows)
    }

    fn clear(&self, table: Table) -> Result<(), Fault> {
        self.lock().unsynced.push(Behind::Clear(table));
        self.current.clear(table)
    }

    fn sync(&self) -> Result<(), Fault> {
        let mut state = self.lock();
        for write in std::mem::take(&mut state.unsynced) {
            match write {
                Behind::Row(table, change) => state.durable.put(table, vec![change])?,
                Behind::Clear(table) => state.durable.clear(table)?,
            }
        }
        Ok(())
    }

    fn slots(&self) -> Result<u64, Fault> {
        self.current.slots()
    }

    fn slot(&self, number: u64) -> Result<Option<[u8; SLOT_BYTES]>, Fault> {
        self.current.slot(number)
    }

    fn put_slots(&self, first: u64, slots: &[[u8; SLOT_BYTES]]) -> Result<(), Fault> {
        self.at_once(|medium| medium.put_slots(first, slots))
    }

    fn high_water(&self) -> Result<Option<u64>, Fault> {
        self.current.high_water()
    }

    fn raise_high_water(&self, entries: u64) -> Result<(), Fault> {
        self.at_once(|medium| medium.raise_high_water(entries))
    }

    fn document(&self, document: Document) -> Result<Option<Vec<u8>>, Fault> {
        self.current.document(document)
    }

    fn replace_document(&self, document: Document, bytes: &[u8]) -> Result<(), Fault> {
        self.at_once(|medium| medium.replace_document(document, bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_keeps_what_is_safe_and_some_of_the_rest() {
        let (platter, table) = (Platter::default(), Table::Snapshots);
        let row = |key: u8| (vec![key], Some(vec![key]));
        platter.commit(vec![(Position(0), vec![1])]).unwrap();
        platter.put(table, vec![row(1)]).unwrap();
        platter.sync().unwrap();
        platter.put(table, vec![row(2), row(3)]).unwrap();
        platter.clear(table).unwrap();
        platter.put(table, vec![row(4)]).unwrap();
        let disk = TestDisk { platter, faults: Faults::new() };
        assert_eq!(disk.unsynced(), 4);
        let kept = |kept: usize| {
            let left = disk.crash(kept);
            assert_eq!(left.unsynced(), 0);
            let medium = left.platter.current;
            assert_eq!(medium.chunks().len(), 1);
            medium.rows(table).into_iter().map(|(key, _)| key[0]).collect::<Vec<_>>()
        };
        assert_eq!(
            [kept(0), kept(1), kept(2), kept(3), kept(9)],
            [vec![1], vec![1, 2], vec![1, 2, 3], vec![], vec![4]]
        );
    }
}
