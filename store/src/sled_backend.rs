//! The durable backend, and the only file that names its log engine.
//!
//! `flush` of this engine hands its buffers to the kernel and no further. So every promise here is
//! a `flush` and then an `fdatasync` of the engine's file through a handle of our own, and the engine's
//! background flushing is off: a segment that it moves would otherwise be overwritten before its copy is safe.

use std::fs::{File, TryLockError};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_domain::ids::Position;
use sled::{Batch, Config, Db, IVec, Tree};

use crate::backend::{Backend, Change, Document, Table};
use crate::directory::Directory;
use crate::error::{Fault, OpenError};
use crate::keys::{KeyRing, SLOT_BYTES};
use crate::limits::{PAGE_CACHE_BYTES_DEFAULT, VALUE_BYTES_MAX};
use crate::log::{Log, Options};

/// Bytes of a segment of the engine's file.
///
/// A leaf of the engine's tree that outgrows a quarter of it goes to a file of its own, which the
/// engine never syncs. A leaf has up to 20 values (16, and those that a merge or a pending split adds).
const SEGMENT_BYTES: usize = 2 * 1024 * 1024;
const _: () = assert!(20 * (VALUE_BYTES_MAX + 64) < SEGMENT_BYTES / 4);

/// How long an engine of this process may take to end after it was dropped.
const FORMER_ENGINE_WAIT: Duration = Duration::from_secs(10);

/// The file that the engine keeps its log in.
const ENGINE_FILE: &str = "db";

/// How a store on disk is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// Memory for the engine's page cache, in bytes.
    pub page_cache_bytes: u64,
    /// Refuses appends and writes nothing that is derived. The store has to exist.
    pub read_only: bool,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { page_cache_bytes: PAGE_CACHE_BYTES_DEFAULT, read_only: false }
    }
}

/// Keeps the log in a directory.
pub struct SledBackend {
    db: Db,
    log: Tree,
    tables: [Tree; Table::ALL.len()],
    file: File,
    // Last, so that others are let in only when the engine is done.
    directory: Directory,
}

impl std::fmt::Debug for SledBackend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SledBackend").field("directory", &self.directory).finish_non_exhaustive()
    }
}

/// A journal in a directory.
pub type SledJournal = Log<SledBackend>;

impl SledJournal {
    /// Opens the store in a directory, or makes one where there is nothing yet.
    ///
    /// # Errors
    /// See [`OpenError`]. Nothing is written into a directory that is not a store.
    pub fn open(dir: &Path, ring: Arc<dyn KeyRing>, options: StoreOptions) -> Result<Self, OpenError> {
        let backend = SledBackend::open(dir, options)?;
        Self::with_backend(backend, ring, Options { maintenance: true, read_only: options.read_only })
    }

    /// Opens or makes a store whose log signs itself under a name that the host gives; see [`Log::with_origin`].
    ///
    /// # Errors
    /// See [`SledJournal::open`] and [`Log::with_origin`].
    pub fn open_with_origin(
        dir: &Path,
        ring: Arc<dyn KeyRing>,
        options: StoreOptions,
        origin: &str,
    ) -> Result<Self, OpenError> {
        let backend = SledBackend::open(dir, options)?;
        Self::with_origin(backend, ring, Options { maintenance: true, read_only: options.read_only }, origin)
    }
}

/// Waits until an engine of this process that was dropped lets go of its file.
///
/// The engine's own threads may hold it for a moment after the drop. Nobody else can: we have the store's lock.
fn wait_for_former_engine(file: &Path, at_most: Duration) -> Result<(), Fault> {
    let Ok(file) = File::open(file) else { return Ok(()) };
    let until = Instant::now() + at_most;
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if Instant::now() < until => std::thread::sleep(Duration::from_millis(1)),
            Err(cause) => return Err(Fault::because("the log engine's file is in use", cause)),
            Ok(()) => return Ok(()),
        }
    }
}

fn engine(cause: sled::Error) -> Fault {
    Fault::because("the log engine", cause)
}

/// Runs an engine call; a panic of the engine is a failure like any other.
fn guarded<T>(call: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| Err(Fault::new("the log engine panicked")))
}

fn key_of(key: &IVec) -> Result<Position, Fault> {
    let bytes = key.as_ref().try_into().map_err(|_| Fault::new("a key of the log is not eight bytes"))?;
    Ok(Position(u64::from_be_bytes(bytes)))
}

impl SledBackend {
    /// Opens the directory and the engine in it.
    ///
    /// # Errors
    /// When the directory is in use, not a store or of an unknown format, or the engine fails.
    pub fn open(dir: &Path, options: StoreOptions) -> Result<Self, OpenError> {
        let directory = Directory::open(dir, options.read_only)?;
        let path = directory.log();
        wait_for_former_engine(&path.join(ENGINE_FILE), FORMER_ENGINE_WAIT)?;
        let config = Config::new()
            .path(&path)
            .segment_size(SEGMENT_BYTES)
            .cache_capacity(options.page_cache_bytes)
            .flush_every_ms(None);
        let opened = catch_unwind(AssertUnwindSafe(|| -> sled::Result<(Db, Tree, [Tree; Table::ALL.len()])> {
            let db = config.open()?;
            let log = db.open_tree("log")?;
            let open = |table: Table| db.open_tree(table.name());
            let tables = [open(Table::ALL[0])?, open(Table::ALL[1])?, open(Table::ALL[2])?, open(Table::ALL[3])?];
            Ok((db, log, tables))
        }));
        let (db, log, tables) = match opened {
            Ok(Ok(opened)) => opened,
            Ok(Err(sled::Error::Io(cause))) => return Err(Fault::because("the log engine", cause).into()),
            Ok(Err(cause)) => return Err(OpenError::Corrupt(cause.to_string())),
            Err(_) => return Err(OpenError::Corrupt("the engine panicked".to_owned())),
        };
        let file = File::options().read(true).write(true).open(path.join(ENGINE_FILE));
        let file = file.map_err(|cause| Fault::because("the log engine's file", cause))?;
        let backend = Self { db, log, tables, file, directory };
        // What the open itself wrote, and what a crash left unsynced, is durable before the first promise.
        backend.sync()?;
        backend.directory.sync()?;
        Ok(backend)
    }

    fn check_size(bytes: &[u8]) -> Result<(), Fault> {
        if bytes.len() <= VALUE_BYTES_MAX { Ok(()) } else { Err(Fault::new("a value is too large for the engine")) }
    }

    const fn table(&self, table: Table) -> &Tree {
        &self.tables[table as usize]
    }
}

impl Backend for SledBackend {
    type Bytes = IVec;

    fn commit(&self, chunks: Vec<(Position, Vec<u8>)>) -> Result<(), Fault> {
        chunks.iter().try_for_each(|(_, bytes)| Self::check_size(bytes))?;
        guarded(|| {
            if let [(first, bytes)] = chunks.as_slice() {
                self.log.insert(first.0.to_be_bytes(), bytes.as_slice()).map_err(engine)?;
            } else {
                let mut batch = Batch::default();
                for (first, bytes) in chunks {
                    batch.insert(&first.0.to_be_bytes(), bytes);
                }
                self.log.apply_batch(batch).map_err(engine)?;
            }
            self.sync()
        })
    }

    fn chunk_at_or_before(&self, position: Position) -> Result<Option<(Position, IVec)>, Fault> {
        guarded(|| {
            let found = self.log.range(..=position.0.to_be_bytes()).next_back();
            let Some((key, bytes)) = found.transpose().map_err(engine)? else { return Ok(None) };
            Ok(Some((key_of(&key)?, bytes)))
        })
    }

    fn chunks_from(
        &self,
        first: Position,
        visit: &mut dyn FnMut(Position, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), Fault> {
        let mut range = self.log.range(first.0.to_be_bytes()..);
        // Only the engine's own step is guarded: a panic of the visitor is the visitor's.
        while let Some((key, bytes)) = guarded(|| range.next().transpose().map_err(engine))? {
            if visit(key_of(&key)?, &bytes).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<IVec>, Fault> {
        guarded(|| self.table(table).get(key).map_err(engine))
    }

    fn put(&self, table: Table, rows: Vec<Change>) -> Result<(), Fault> {
        rows.iter().filter_map(|(_, value)| value.as_deref()).try_for_each(Self::check_size)?;
        // Row by row: a batch would lock out appends, and derived rows need not come together.
        guarded(|| {
            for (key, value) in rows {
                match value {
                    Some(value) => self.table(table).insert(key, value),
                    None => self.table(table).remove(key),
                }
                .map_err(engine)?;
            }
            Ok(())
        })
    }

    fn clear(&self, table: Table) -> Result<(), Fault> {
        guarded(|| self.table(table).clear().map_err(engine))
    }

    fn sync(&self) -> Result<(), Fault> {
        guarded(|| self.db.flush().map_err(engine))?;
        self.file.sync_data().map_err(|cause| Fault::because("the log could not be made durable", cause))
    }

    fn slots(&self) -> Result<u64, Fault> {
        self.directory.slots()
    }

    fn slot(&self, number: u64) -> Result<Option<[u8; SLOT_BYTES]>, Fault> {
        self.directory.slot(number)
    }

    fn put_slots(&self, first: u64, slots: &[[u8; SLOT_BYTES]]) -> Result<(), Fault> {
        self.directory.put_slots(first, slots)
    }

    fn high_water(&self) -> Result<Option<u64>, Fault> {
        self.directory.high_water()
    }

    fn raise_high_water(&self, entries: u64) -> Result<(), Fault> {
        self.directory.raise_high_water(entries)
    }

    fn document(&self, document: Document) -> Result<Option<Vec<u8>>, Fault> {
        self.directory.document(document)
    }

    fn replace_document(&self, document: Document, bytes: &[u8]) -> Result<(), Fault> {
        self.directory.replace_document(document, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_former_engine_is_waited_for_until_it_is_gone_or_for_so_long() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(ENGINE_FILE);
        let at_most = Duration::from_millis(50);
        assert_eq!(wait_for_former_engine(&path, at_most), Ok(()), "there was none");
        let held = File::create(&path).unwrap();
        held.lock().unwrap();
        let began = Instant::now();
        assert!(wait_for_former_engine(&path, at_most).is_err());
        assert!(began.elapsed() >= at_most);
        drop(held);
        assert_eq!(wait_for_former_engine(&path, at_most), Ok(()));
    }

    #[test]
    fn the_medium_keeps_what_was_acknowledged_and_takes_no_value_that_the_engine_cannot_sync() {
        let dir = tempfile::tempdir().unwrap();
        let open = || SledBackend::open(dir.path(), StoreOptions::default()).unwrap();
        let backend = open();
        assert_eq!(backend.high_water(), Ok(Some(0)), "nothing yet");
        assert_eq!(backend.raise_high_water(7), Ok(()));
        assert_eq!(backend.commit(vec![(Position(0), vec![1; VALUE_BYTES_MAX])]), Ok(()));
        assert!(backend.commit(vec![(Position(1), vec![1; VALUE_BYTES_MAX + 1])]).is_err());
        assert!(format!("{backend:?}").starts_with("SledBackend { directory"));
        drop(backend);
        assert_eq!(open().high_water(), Ok(Some(7)));
        let backend = crate::memory::MemoryBackend::new();
        assert_eq!((backend.high_water(), backend.raise_high_water(7)), (Ok(None), Ok(())));
        assert_eq!(backend.high_water(), Ok(Some(7)));
    }
}
