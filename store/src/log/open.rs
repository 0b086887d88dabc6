//! Opening: find the end of the log, read the index, replay what the index does not cover.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, RwLock};

use countersign_domain::ids::{Position, Version};

use super::index::{Index, Row};
use super::maintenance::{Bell, Keeper};
use super::read::{self, ChunkCache};
use super::runs::Runs;
use super::window::Window;
use super::{Inner, Log, Options, Shared, Writer};
use crate::append::Committed;
use crate::backend::Backend;
use crate::chunk::Chunk;
use crate::error::{OpenError, ReadError};
use crate::header::Leaf;
use crate::keys::{FIRST_SLOT, KeyRing, Randomness, Sealer};
use crate::subscription::Tail;

impl<B: Backend> Log<B> {
    /// Opens the log that a backend holds, or an empty one.
    ///
    /// # Errors
    /// See [`OpenError`]; the backend is not written to unless it is empty.
    pub fn with_backend(backend: B, ring: Arc<dyn KeyRing>, options: Options) -> Result<Self, OpenError> {
        Self::open_named(backend, ring, options, None)
    }

    /// The same, for a log that is to sign itself under a name: by convention a URL without a scheme, such as
    /// `example.com/mfa`. Without one, a log is called after its first key.
    ///
    /// # Errors
    /// As above; [`OpenError::OtherOrigin`] when the log has another name already.
    pub fn with_origin(backend: B, ring: Arc<dyn KeyRing>, options: Options, origin: &str) -> Result<Self, OpenError> {
        Self::open_named(backend, ring, options, Some(origin))
    }

    fn open_named(
        backend: B,
        ring: Arc<dyn KeyRing>,
        options: Options,
        origin: Option<&str>,
    ) -> Result<Self, OpenError> {
        let (head, last_leaf) = find_end(&backend)?;
        let acked = backend.high_water()?.unwrap_or(0);
        if head.0 < acked {
            return Err(OpenError::LogShorterThanAcked { found: head.0, acked });
        }
        let sealer = Sealer::open(ring.clone(), &backend, (head.0 == 0, options.read_only))?;
        let mut index = Index::new(load_runs(&backend, head)?);
        let covered = replay(&backend, &mut index, head)?;
        let window = match load_window(&backend, head) {
            // Who only reads may look at what is left of a damaged log.
            Err(cause) if options.read_only => {
                tracing::warn!(%cause, "the last commands could not be read");
                Window::default()
            }
            other => other?,
        };
        let next_slot = backend.slots()?.max(FIRST_SLOT);
        let tail = Arc::new(Tail::default());
        tail.advance(head.0);
        let bell = Arc::new(Bell::new(head.0, covered));
        let inner = Arc::new(Inner {
            backend,
            sealer,
            writer: Mutex::new(Writer { next_slot, randomness: Randomness::new() }),
            shared: RwLock::new(Shared { index, window, last_leaf }),
            chunks: Mutex::new(ChunkCache::default()),
            tree: Mutex::new(None),
            signing: Mutex::new(None),
            deriving: Mutex::new(()),
            head: AtomicU64::new(head.0),
            read_only: options.read_only,
            poisoned: AtomicBool::new(false),
            closed: AtomicBool::new(options.read_only),
            tail,
            bell: bell.clone(),
        });
        inner.open_signing(ring, origin)?;
        let keeper = if options.maintenance && !options.read_only {
            Some(Keeper::start(Arc::downgrade(&inner), bell)?)
        } else {
            None
        };
        tracing::debug!(head = head.0, replayed = head.0 - covered, "opened the journal");
        Ok(Self { inner, keeper })
    }
}

/// The end of the log, and the leaf of its last entry.
fn find_end<B: Backend>(backend: &B) -> Result<(Position, Leaf), ReadError> {
    let Some((first, bytes)) = backend.chunk_at_or_before(Position(u64::MAX))? else {
        return Ok((Position(0), Leaf::ZERO));
    };
    let chunk = Chunk::open(first, bytes.as_ref())?;
    let mut last = Leaf::ZERO;
    for entry in chunk.entries() {
        last = entry?.leaf;
    }
    Ok((chunk.end(), last))
}

/// The written part of the index; empty, to be replayed, when it is broken or of another history.
fn load_runs<B: Backend>(backend: &B, head: Position) -> Result<Runs, ReadError> {
    let runs = match Runs::load(backend) {
        Ok(runs) => runs.unwrap_or_default(),
        Err(ReadError::Unavailable(fault)) => return Err(fault.into()),
        Err(cause) => {
            tracing::warn!(%cause, "building the stream index anew");
            Runs::default()
        }
    };
    if runs.position == 0 {
        return Ok(Runs::default());
    }
    let last = Position(runs.position - 1);
    let fits = last < head && read::leaf_at(backend, last)? == runs.leaf;
    if fits {
        return Ok(runs);
    }
    tracing::warn!("the stream index is of another history; building it anew");
    Ok(Runs::default())
}

/// Applies the entries that the written index does not cover; returns how many it does cover.
fn replay<B: Backend>(backend: &B, index: &mut Index, head: Position) -> Result<u64, ReadError> {
    let runs = index.runs();
    let mut failed = None;
    read::scan(backend, Position(runs.position), head, &mut |entry| {
        let header = &entry.header;
        let key_before = if header.is_sealed() || header.version == Version(1) {
            Ok(0)
        } else {
            match index.get(header.stream) {
                Some(row) => Ok(row.key_id),
                None => runs.find(backend, header.stream).map(|row| row.map_or(0, |row| row.key_id)),
            }
        };
        match key_before {
            Ok(key) => index.set(header.stream, Row::after(header, entry.position, entry.leaf, key)),
            Err(cause) => {
                failed = Some(cause);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    })?;
    match failed {
        Some(cause) => Err(cause),
        None => Ok(runs.position),
    }
}

/// The last commands, read back from the end of the log.
fn load_window<B: Backend>(backend: &B, head: Position) -> Result<Window, ReadError> {
    let mut window = Window::default();
    let mut end = head;
    while let Some(before) = end.0.checked_sub(1) {
        let Some((first, bytes)) = backend.chunk_at_or_before(Position(before))? else { break };
        let chunk = Chunk::open(first, bytes.as_ref())?;
        let mut commands = Vec::new();
        for entry in chunk.entries() {
            let entry = entry?;
            if entry.header.part == 0 {
                let committed = Committed { first: entry.position, count: u32::from(entry.header.parts) };
                commands.push((entry.header.command, committed));
            }
        }
        for (command, committed) in commands.into_iter().rev() {
            if !window.push_older(command, committed) {
                return Ok(window);
            }
        }
        end = first;
    }
    Ok(window)
}

impl<B: Backend> Inner<B> {
    /// Throws away what is derived and builds the index from the log.
    pub(super) fn forget_derived(&self) -> Result<(), ReadError> {
        self.check_writable()?;
        // Nobody appends meanwhile, so that the new index misses nothing.
        let _writer = self.writer.lock();
        let _deriving = self.deriving();
        for table in crate::backend::Table::ALL {
            self.written(self.backend.clear(table))?;
        }
        let mut index = Index::default();
        replay(&self.backend, &mut index, self.head())?;
        self.shared_mut().index = index;
        self.forget_tree();
        self.bell.covered(0);
        Ok(())
    }

    pub(super) fn close(&self) -> Result<(), ReadError> {
        let was_closed = self.closed.swap(true, std::sync::atomic::Ordering::AcqRel);
        // An append that began before the flag was set ends first.
        drop(self.writer.lock());
        if was_closed || self.is_poisoned() {
            return Ok(());
        }
        self.checkpoint_index()?;
        self.checkpoint_tree()?;
        self.raise_high_water()?;
        self.written(self.backend.sync())?;
        self.sign_growth()
    }
}
