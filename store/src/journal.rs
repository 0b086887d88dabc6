//! The journal as its callers see it, whatever it is kept in.

use std::fmt;
use std::ops::ControlFlow;

use countersign_domain::ids::{CommandId, Position, StreamId, UnixMillis, Version};

use crate::append::{Append, Committed};
use crate::error::{AppendError, KeyError, Problem, ReadError};
use crate::header::{Header, Leaf};
use crate::keys::{DataKey, KeyUse};
use crate::signing::{Rotated, SignError, SignedHead};
use crate::subscription::Subscription;
use crate::tree::{TreeHash, TreeHead};

/// The last entry of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The stream's version.
    pub version: Version,
    /// Where its last entry is.
    pub position: Position,
    /// The leaf of its last entry.
    pub leaf: Leaf,
}

/// The body of an entry as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub enum Body {
    /// The encoded event.
    Clear(Vec<u8>),
    /// The encoded event, sealed under the key that the header names.
    Sealed(Vec<u8>),
}

impl Body {
    /// The bytes as stored.
    #[must_use]
    pub fn as_stored(&self) -> &[u8] {
        match self {
            Self::Clear(bytes) | Self::Sealed(bytes) => bytes,
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clear(bytes) => write!(f, "Clear({} bytes)", bytes.len()),
            Self::Sealed(bytes) => write!(f, "Sealed({} bytes)", bytes.len()),
        }
    }
}

/// One entry of the log, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its place in the global order.
    pub position: Position,
    /// Its envelope.
    pub header: Header,
    /// Its hash.
    pub leaf: Leaf,
    /// Its body as stored.
    pub body: Body,
}

/// One entry of the log, borrowed from the chunk that holds it.
#[derive(Clone, Copy)]
pub struct EntryRef<'a> {
    /// Its place in the global order.
    pub position: Position,
    /// Its envelope.
    pub header: Header,
    /// Its hash, as stored beside it.
    pub leaf: Leaf,
    /// Its body as stored.
    pub body: &'a [u8],
    /// Header and body: what the leaf is the hash of.
    pub entry: &'a [u8],
}

impl EntryRef<'_> {
    /// Copies the entry out of its chunk.
    #[must_use]
    pub fn to_recorded(&self) -> Recorded {
        let bytes = self.body.to_vec();
        let body = if self.header.is_sealed() { Body::Sealed(bytes) } else { Body::Clear(bytes) };
        Recorded { position: self.position, header: self.header, leaf: self.leaf, body }
    }
}

impl fmt::Debug for EntryRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntryRef")
            .field("position", &self.position)
            .field("header", &self.header)
            .field("leaf", &self.leaf)
            .finish_non_exhaustive()
    }
}

/// The state of a stream at one version, so that a reader need not start from its first entry.
///
/// It is derived data and can be thrown away. The state is sealed on disk.
#[derive(Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The stream.
    pub stream: StreamId,
    /// The version that the state is of.
    pub version: Version,
    /// Where the entry of that version is.
    pub position: Position,
    /// The leaf of that entry. A snapshot of another history does not load.
    pub leaf: Leaf,
    /// What the caller compares to know that its code still means the same by the state.
    pub fingerprint: u64,
    /// The encoded state.
    pub state: Vec<u8>,
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("stream", &self.stream)
            .field("version", &self.version)
            .field("position", &self.position)
            .field("fingerprint", &self.fingerprint)
            .field("state_bytes", &self.state.len())
            .finish_non_exhaustive()
    }
}

/// What a projection stored of itself, as of a position.
#[derive(Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The next position that the projection has not folded.
    pub position: Position,
    /// What the caller compares to know that its code still means the same by the blocks.
    pub fingerprint: u64,
    /// The projection's own data.
    pub blocks: Vec<Vec<u8>>,
}

impl fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkpoint")
            .field("position", &self.position)
            .field("fingerprint", &self.fingerprint)
            .field("blocks", &self.blocks.len())
            .finish()
    }
}

/// What a whole verification went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Entries whose leaf was recomputed.
    pub entries: u64,
    /// Chunks whose checksum was recomputed.
    pub chunks: u64,
    /// Streams whose chain was followed.
    pub streams: u64,
    /// Entries with a sealed body.
    pub sealed: u64,
    /// Data keys in use that were destroyed on purpose.
    pub keys_destroyed: u64,
}

/// How far the wrapping of keys came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewrapped {
    /// Keys that were wrapped anew.
    pub done: u64,
    /// The slot to go on from; `None` at the end.
    pub next: Option<u64>,
    /// How many slots there are.
    pub total: u64,
}

/// An append-only log of many streams in one global order.
///
/// An answer to an append is a promise: what was acknowledged is found after a crash and after a
/// power cut.
pub trait Journal: Send + Sync + 'static {
    /// Makes one durable commit of a group of appends, each of which is atomic.
    ///
    /// They are checked in order, and each sees the ones before it. Returns when all that was
    /// accepted is durable, with one answer for each append.
    fn append_group(&self, group: Vec<Append>) -> Vec<Result<Committed, AppendError>>;

    /// Makes one append durable.
    ///
    /// # Errors
    /// See [`AppendError`]; nothing is recorded then, save for `Unavailable`, which leaves it open.
    fn append(&self, one: Append) -> Result<Committed, AppendError> {
        self.append_group(vec![one]).pop().unwrap_or(Err(AppendError::Malformed("the group came back empty")))
    }

    /// How many entries are durable, which is the position of the next one.
    fn head(&self) -> Position;

    /// The last entry of a stream; `None` when it has none.
    ///
    /// # Errors
    /// When the index cannot be read.
    fn stream_head(&self, stream: StreamId) -> Result<Option<Head>, ReadError>;

    /// The entries of a stream from the version after `after` on, ascending, at most `limit` of them.
    ///
    /// # Errors
    /// When an entry cannot be read or does not chain to the one after it.
    fn read_stream(&self, stream: StreamId, after: Version, limit: usize) -> Result<Vec<Recorded>, ReadError>;

    /// Visits the entries from a position on in the global order, without copying them.
    ///
    /// Chunk checksums, header shapes and gapless positions are verified; leaves are not. Returns
    /// the position after the last visited entry. Entries appended meanwhile may not be visited.
    ///
    /// # Errors
    /// At the first entry or chunk that does not hold together.
    fn scan(
        &self,
        from: Position,
        visit: &mut dyn FnMut(EntryRef<'_>) -> ControlFlow<()>,
    ) -> Result<Position, ReadError>;

    /// The entry at a position; `None` past the end.
    ///
    /// # Errors
    /// When the entry cannot be read or does not have its leaf.
    fn read_at(&self, position: Position) -> Result<Option<Recorded>, ReadError>;

    /// The body in the clear. A body that is not sealed comes back as it is.
    ///
    /// # Errors
    /// When the key is gone, or the body is not what was sealed under this header.
    fn unseal(&self, header: &Header, body: &[u8]) -> Result<Vec<u8>, KeyError>;

    /// What a command did, if it is among the last ones ([`crate::limits::DEDUPE_APPENDS_MAX`]).
    fn find_command(&self, command: CommandId) -> Option<Committed>;

    /// A handle that is woken after each durable commit.
    fn subscribe(&self) -> Subscription;

    /// Stores a snapshot in place of the stream's earlier one. Not durable by itself.
    ///
    /// # Errors
    /// When it is too large, ahead of the log, or cannot be written.
    fn save_snapshot(&self, snapshot: Snapshot) -> Result<(), ReadError>;

    /// The stream's snapshot, if there is one and it is of this log's history.
    ///
    /// # Errors
    /// When it cannot be read. A broken snapshot is `None`, not an error.
    fn load_snapshot(&self, stream: StreamId) -> Result<Option<Snapshot>, ReadError>;

    /// Throws every snapshot away.
    ///
    /// # Errors
    /// When the medium fails.
    fn drop_snapshots(&self) -> Result<(), ReadError>;

    /// Stores a projection's data as of a position, in place of its earlier checkpoint.
    ///
    /// # Errors
    /// When it is too large, ahead of the log, or cannot be written.
    fn save_checkpoint(
        &self,
        name: &str,
        position: Position,
        fingerprint: u64,
        blocks: Vec<Vec<u8>>,
    ) -> Result<(), ReadError>;

    /// A projection's last checkpoint, if it is whole and of this log's history.
    ///
    /// # Errors
    /// When the medium fails. A broken checkpoint is `None`, not an error.
    fn load_checkpoint(&self, name: &str) -> Result<Option<Checkpoint>, ReadError>;

    /// Writes what the index learnt since the last time. Costs nothing when there is nothing new.
    ///
    /// # Errors
    /// When it cannot be written; the journal is poisoned then.
    fn checkpoint_index(&self) -> Result<(), ReadError>;

    /// Throws snapshots, checkpoints and the index away, and builds the index anew from the log.
    ///
    /// # Errors
    /// When the log cannot be read.
    fn forget_derived(&self) -> Result<(), ReadError>;

    /// The size and the root of the Merkle tree over everything that is durable by now (RFC 6962, section 2.1).
    ///
    /// # Errors
    /// When the log cannot be read.
    fn tree_head(&self) -> Result<TreeHead, ReadError>;

    /// The root over the first `size` entries; `None` when there are fewer.
    ///
    /// # Errors
    /// When the log cannot be read.
    fn tree_root_at(&self, size: u64) -> Result<Option<TreeHash>, ReadError>;

    /// The hashes that lead from an entry to the root of the first `size` entries, from its neighbour up (RFC 6962,
    /// section 2.1.1). `None` when the entry is not one of them, or the log has fewer.
    ///
    /// # Errors
    /// When the log cannot be read.
    fn prove_entry(&self, position: Position, size: u64) -> Result<Option<Vec<TreeHash>>, ReadError>;

    /// The hashes that show that the first `size` entries begin with the first `old` ones (RFC 6962, section 2.1.2).
    /// `None` when there are not as many.
    ///
    /// # Errors
    /// When the log cannot be read.
    fn prove_growth(&self, old: u64, size: u64) -> Result<Option<Vec<TreeHash>>, ReadError>;

    /// A signed checkpoint of the log as it is now, which is kept as the last one.
    ///
    /// It is shown first that the log begins with what was signed before; a log of which that is not true is never signed.
    /// While the log grows one is signed each second, and one when it is closed.
    ///
    /// # Errors
    /// See [`SignError`]. [`ReadError::Forked`] poisons the journal.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use countersign_store::{EphemeralKeyRing, Journal, MemoryJournal};
    /// let journal = MemoryJournal::new(Arc::new(EphemeralKeyRing::new()?))?;
    /// let signed = journal.checkpoint()?;
    /// let origin = journal.verifier_keys()[0].split('+').next().unwrap_or_default().to_owned();
    /// assert!(signed.note.starts_with(&format!("{origin}\n0\n")));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn checkpoint(&self) -> Result<SignedHead, SignError>;

    /// The checkpoint that was signed last.
    fn last_checkpoint(&self) -> Option<SignedHead>;

    /// The keys that the log was signed with, each as `NAME+ID+KEY` (C2SP `signed-note`), the one that signs now last.
    fn verifier_keys(&self) -> Vec<String>;

    /// Passes on to a fresh signing key while everything goes on. The log gets an entry that both keys have signed, and so
    /// is the first checkpoint after it; then the old private key is forgotten.
    ///
    /// # Errors
    /// See [`SignError`]. After one that poisoned the journal, the next open finds out how far it came.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use countersign_domain::ids::UnixMillis;
    /// # use countersign_store::{EphemeralKeyRing, Journal, MemoryJournal};
    /// # let journal = MemoryJournal::new(Arc::new(EphemeralKeyRing::new()?))?;
    /// let rotated = journal.rotate_signing_key(UnixMillis::from_secs(1_700_000_000))?;
    /// assert_eq!(journal.verifier_keys(), [rotated.old, rotated.new]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn rotate_signing_key(&self, at: UnixMillis) -> Result<Rotated, SignError>;

    /// A receipt of an entry: a text (C2SP `tlog-proof`) with the entry as it is stored, its place, the way from it to a
    /// root, and the checkpoint with that root. Who has it and the log's public key needs nothing else to check it.
    /// `None` past the end.
    ///
    /// It shows the header to whoever reads it: type, stream, version, time and command. A sealed body stays sealed.
    ///
    /// # Errors
    /// See [`SignError`].
    fn receipt(&self, position: Position) -> Result<Option<String>, SignError>;

    /// The last checkpoint, below the hashes that show that its log begins with the first `old` entries: what a witness is
    /// asked with (C2SP `tlog-witness`). `None` when fewer were signed, or none.
    ///
    /// # Errors
    /// See [`SignError`].
    fn growth(&self, old: u64) -> Result<Option<String>, SignError>;

    /// Destroys the data key of a stream: what was sealed under it is gone, and every leaf stays
    /// valid. Returns the id of the key, or `None` when the stream never had one.
    ///
    /// # Errors
    /// When the key's slot cannot be overwritten.
    fn destroy_key(&self, stream: StreamId) -> Result<Option<u64>, KeyError>;

    /// Destroys the data key that sealed one entry of a stream, and what else of the stream it sealed: as
    /// [`Journal::destroy_key`], for a stream that has had more than one ([`crate::StreamAppend::fresh_key`]). `None` when
    /// there is no such entry, or it is not sealed.
    ///
    /// # Errors
    /// As [`Journal::destroy_key`].
    fn destroy_key_of(&self, stream: StreamId, version: Version) -> Result<Option<u64>, KeyError>;

    /// A key for a purpose of the host's, derived from the store's own root: the same for the same label as long as the
    /// store lives, whatever becomes of the keys of the ring.
    ///
    /// # Errors
    /// When it cannot be computed.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use countersign_store::{EphemeralKeyRing, Journal, MemoryJournal};
    /// let journal = MemoryJournal::new(Arc::new(EphemeralKeyRing::new()?))?;
    /// assert_eq!(journal.derive_key("sessions")?, journal.derive_key("sessions")?);
    /// assert_ne!(journal.derive_key("sessions")?, journal.derive_key("cookies")?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn derive_key(&self, label: &str) -> Result<DataKey, KeyError>;

    /// Forgets everything that was derived from the log: a new key seals it from now on, and the one that sealed it is
    /// destroyed, so that what the medium still has of it in freed pages is of no use to anybody. The stream index has
    /// nothing of anybody, and stays.
    ///
    /// # Errors
    /// When the new key cannot be written; the journal takes nothing more then.
    fn renew_derived(&self) -> Result<(), KeyError>;

    /// Wraps the keys in some slots anew, from one on, with the key that the ring wraps with now. Appends go on meanwhile.
    /// Broken off at any instant, it is begun again without harm: what is wrapped already is passed over.
    ///
    /// # Errors
    /// When a slot cannot be written; the journal takes nothing more then.
    fn rewrap_keys(&self, from: u64) -> Result<Rewrapped, KeyError>;

    /// What is wrapped by one key of the ring. When there is nothing, the ring can do without the key, provided that it is
    /// not the one that wraps.
    ///
    /// # Errors
    /// When a slot cannot be read, or the ring does not number its keys.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use countersign_store::{EphemeralKeyRing, Journal, MemoryJournal};
    /// let journal = MemoryJournal::new(Arc::new(EphemeralKeyRing::new()?))?;
    /// assert!(journal.key_use(1)?.root && journal.key_use(2)?.is_nothing());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn key_use(&self, ring_key: u32) -> Result<KeyUse, KeyError>;

    /// Visits the chunks of the log as they are stored, from the first one on, those among them that were appended meanwhile.
    ///
    /// # Errors
    /// When the medium fails.
    fn each_chunk(&self, visit: &mut dyn FnMut(&[u8]) -> ControlFlow<()>) -> Result<(), ReadError>;

    /// All key slots and the list of signing keys, as they are stored, at one instant. What is in them is wrapped by the
    /// key ring.
    ///
    /// # Errors
    /// When the medium fails.
    fn wrapped_keys(&self) -> Result<(Vec<u8>, Vec<u8>), KeyError>;

    /// Writes what is derived and refuses appends from now on. Reading goes on.
    ///
    /// # Errors
    /// When the last writes fail. What was acknowledged is durable all the same.
    fn close(&self) -> Result<(), ReadError>;

    /// Whether a write failed, so that nothing is appended until the journal is opened again.
    fn is_poisoned(&self) -> bool;

    /// Recomputes every checksum, leaf, chain and version, and compares the index with them.
    ///
    /// # Errors
    /// What does not hold, in the order of the log, at most [`crate::limits::PROBLEMS_MAX`] of it.
    fn verify(&self) -> Result<Verified, Vec<Problem>>;
}
