//! The engine: every rule of the journal, over any backend.

mod append;
mod bloom;
mod derived;
mod index;
mod maintenance;
mod merkle;
mod open;
mod read;
mod runs;
mod signing;
mod verify;
mod window;

use std::fmt;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use countersign_domain::ids::{CommandId, Position, StreamId, UnixMillis, Version};

use self::index::Index;
use self::maintenance::{Bell, Keeper};
use self::read::ChunkCache;
use self::signing::Signing;
pub(crate) use self::signing::own_stream;
use self::window::Window;
use crate::append::{Append, Committed};
use crate::backend::Backend;
use crate::error::{AppendError, KeyError, Problem, ReadError};
use crate::header::{Header, Leaf};
use crate::journal::{Checkpoint, EntryRef, Head, Journal, Recorded, Rewrapped, Snapshot, Verified};
use crate::keys::{DataKey, KeyUse, Randomness, Sealer};
use crate::signing::{Rotated, SignError, SignedHead};
use crate::subscription::{Subscription, Tail};
use crate::tree::{Tree, TreeHash, TreeHead};

/// How an engine runs over its backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Keeps a thread that writes the high-water mark and the index behind the acks.
    pub maintenance: bool,
    /// Refuses appends, and writes nothing that is derived.
    pub read_only: bool,
}

/// A journal over a backend.
pub struct Log<B: Backend> {
    inner: Arc<Inner<B>>,
    keeper: Option<Keeper>,
}

struct Inner<B: Backend> {
    backend: B,
    sealer: Sealer,
    writer: Mutex<Writer>,
    shared: RwLock<Shared>,
    chunks: Mutex<ChunkCache<B::Bytes>>,
    /// The tree over the entries, as far as somebody wanted it.
    tree: Mutex<Option<Tree>>,
    /// What the log is signed with. Whoever holds it may append and ask the tree; nobody does it the other way round.
    signing: Mutex<Option<Signing>>,
    /// Held by whoever writes derived data that replaces what was there.
    deriving: Mutex<()>,
    head: AtomicU64,
    read_only: bool,
    poisoned: AtomicBool,
    closed: AtomicBool,
    tail: Arc<Tail>,
    bell: Arc<Bell>,
}

/// What only the one who appends needs; its lock is held over the commit.
struct Writer {
    next_slot: u64,
    randomness: Randomness,
}

/// What readers see: changed only after a commit is durable, never locked during one.
#[derive(Debug)]
struct Shared {
    index: Index,
    window: Window,
    last_leaf: Leaf,
}

impl<B: Backend> Inner<B> {
    fn shared(&self) -> RwLockReadGuard<'_, Shared> {
        self.shared.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn shared_mut(&self) -> RwLockWriteGuard<'_, Shared> {
        self.shared.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn head(&self) -> Position {
        Position(self.head.load(Ordering::Acquire))
    }

    fn is_poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Acquire)
    }

    fn poison(&self) {
        if !self.poisoned.swap(true, Ordering::AcqRel) {
            tracing::error!(head = self.head().0, "a write failed; the journal takes no more until it is opened again");
        }
    }
}

impl<B: Backend> fmt::Debug for Log<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("head", &self.inner.head())
            .field("poisoned", &self.inner.is_poisoned())
            .finish_non_exhaustive()
    }
}

impl<B: Backend> Log<B> {
    /// The medium underneath.
    #[must_use]
    pub fn backend(&self) -> &B {
        &self.inner.backend
    }
}

impl<B: Backend> Drop for Log<B> {
    fn drop(&mut self) {
        if let Some(keeper) = self.keeper.take() {
            keeper.stop(&self.inner.bell);
        }
    }
}

impl<B: Backend> Journal for Log<B> {
    fn append_group(&self, group: Vec<Append>) -> Vec<Result<Committed, AppendError>> {
        self.inner.append_group_of(group, false)
    }

    fn head(&self) -> Position {
        self.inner.head()
    }

    fn stream_head(&self, stream: StreamId) -> Result<Option<Head>, ReadError> {
        Ok(self.inner.row(stream)?.map(|row| row.head()))
    }

    fn read_stream(&self, stream: StreamId, after: Version, limit: usize) -> Result<Vec<Recorded>, ReadError> {
        self.inner.read_stream(stream, after, limit)
    }

    fn scan(
        &self,
        from: Position,
        visit: &mut dyn FnMut(EntryRef<'_>) -> ControlFlow<()>,
    ) -> Result<Position, ReadError> {
        read::scan(&self.inner.backend, from, self.inner.head(), visit)
    }

    fn read_at(&self, position: Position) -> Result<Option<Recorded>, ReadError> {
        if position >= self.inner.head() {
            return Ok(None);
        }
        self.inner.with_entry(position, |entry| entry.to_recorded()).map(Some)
    }

    fn unseal(&self, header: &Header, body: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.inner.unseal(header, body)
    }

    fn find_command(&self, command: CommandId) -> Option<Committed> {
        self.inner.shared().window.get(command)
    }

    fn subscribe(&self) -> Subscription {
        Subscription::new(self.inner.tail.clone())
    }

    fn save_snapshot(&self, snapshot: Snapshot) -> Result<(), ReadError> {
        self.inner.save_snapshot(&snapshot)
    }

    fn load_snapshot(&self, stream: StreamId) -> Result<Option<Snapshot>, ReadError> {
        self.inner.load_snapshot(stream)
    }

    fn drop_snapshots(&self) -> Result<(), ReadError> {
        self.inner.drop_snapshots()
    }

    fn save_checkpoint(
        &self,
        name: &str,
        position: Position,
        fingerprint: u64,
        blocks: Vec<Vec<u8>>,
    ) -> Result<(), ReadError> {
        self.inner.save_checkpoint(name, position, fingerprint, &blocks)
    }

    fn load_checkpoint(&self, name: &str) -> Result<Option<Checkpoint>, ReadError> {
        self.inner.load_checkpoint(name)
    }

    fn checkpoint_index(&self) -> Result<(), ReadError> {
        self.inner.checkpoint_index()
    }

    fn forget_derived(&self) -> Result<(), ReadError> {
        self.inner.forget_derived()
    }

    fn tree_head(&self) -> Result<TreeHead, ReadError> {
        self.inner.tree_head()
    }

    fn tree_root_at(&self, size: u64) -> Result<Option<TreeHash>, ReadError> {
        self.inner.tree_root_at(size).map(|(_, root)| root)
    }

    fn prove_entry(&self, position: Position, size: u64) -> Result<Option<Vec<TreeHash>>, ReadError> {
        self.inner.prove_entry(position, size)
    }

    fn prove_growth(&self, old: u64, size: u64) -> Result<Option<Vec<TreeHash>>, ReadError> {
        self.inner.prove_growth(old, size)
    }

    fn checkpoint(&self) -> Result<SignedHead, SignError> {
        self.inner.checkpoint()
    }

    fn last_checkpoint(&self) -> Option<SignedHead> {
        self.inner.last_checkpoint()
    }

    fn verifier_keys(&self) -> Vec<String> {
        self.inner.verifier_keys()
    }

    fn rotate_signing_key(&self, at: UnixMillis) -> Result<Rotated, SignError> {
        self.inner.rotate_signing_key(at)
    }

    fn receipt(&self, position: Position) -> Result<Option<String>, SignError> {
        self.inner.receipt(position)
    }

    fn growth(&self, old: u64) -> Result<Option<String>, SignError> {
        self.inner.growth(old)
    }

    fn destroy_key(&self, stream: StreamId) -> Result<Option<u64>, KeyError> {
        self.inner.destroy_key(stream)
    }

    fn destroy_key_of(&self, stream: StreamId, version: Version) -> Result<Option<u64>, KeyError> {
        self.inner.destroy_key_of(stream, version)
    }

    fn derive_key(&self, label: &str) -> Result<DataKey, KeyError> {
        self.inner.sealer.derive(label)
    }

    fn renew_derived(&self) -> Result<(), KeyError> {
        self.inner.renew_derived()
    }

    fn rewrap_keys(&self, from: u64) -> Result<Rewrapped, KeyError> {
        self.inner.rewrap_keys(from)
    }

    fn key_use(&self, ring_key: u32) -> Result<KeyUse, KeyError> {
        self.inner.key_use(ring_key)
    }

    fn each_chunk(&self, visit: &mut dyn FnMut(&[u8]) -> ControlFlow<()>) -> Result<(), ReadError> {
        Ok(self.inner.backend.chunks_from(Position(0), &mut |_, bytes| visit(bytes))?)
    }

    fn wrapped_keys(&self) -> Result<(Vec<u8>, Vec<u8>), KeyError> {
        self.inner.wrapped_keys()
    }

    fn close(&self) -> Result<(), ReadError> {
        self.inner.close()
    }

    fn is_poisoned(&self) -> bool {
        self.inner.is_poisoned()
    }

    fn verify(&self) -> Result<Verified, Vec<Problem>> {
        self.inner.verify()
    }
}
