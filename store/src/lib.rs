//! The journal: an append-only, hash-chained, durable log of the events of many streams.
//!
//! An [`Append`] is what one command records. It names its streams and the version that each has to have, and is done
//! as a whole or not at all. Appends go in groups: one durable commit answers all of a [`Journal::append_group`].
//! What was answered is found after a crash and after a power cut.
//!
//! ```
//! use std::sync::Arc;
//! use countersign_domain::ids::{CommandId, StreamId, UnixMillis, Version};
//! use countersign_store::{Append, EphemeralKeyRing, Journal, MemoryJournal, NewEntry, StreamAppend};
//!
//! let journal = MemoryJournal::new(Arc::new(EphemeralKeyRing::new()?))?;
//! let stream = StreamId::derive(&["root", "123456789012"]);
//! let event = NewEntry {
//!     event_type: 1,
//!     type_version: 1,
//!     time: UnixMillis::from_secs(1_700_000_000),
//!     body: b"seed".to_vec(),
//!     seal: true,
//! };
//! let append = Append {
//!     command: CommandId::derive(&["request", "42"]),
//!     streams: vec![StreamAppend { stream, expected: Version::NONE, fresh_key: false, entries: vec![event] }],
//! };
//! let committed = journal.append(append)?;
//!
//! let history = journal.read_stream(stream, Version::NONE, 100)?;
//! assert_eq!(history[0].position, committed.first);
//! assert_eq!(journal.unseal(&history[0].header, history[0].body.as_stored())?, b"seed");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How it is built
//!
//! - [`Log`] is the engine. It has every rule: versions, chains, command ids, sealing, limits, what a failed write means.
//! - [`Backend`] is what the engine needs from a medium, and knows no rule. [`SledBackend`] keeps a directory,
//!   [`MemoryBackend`] nothing; so [`SledJournal`] and [`MemoryJournal`] differ in nothing else.
//! - A commit writes chunks of entries under ascending keys, and nothing else. The index of streams, snapshots and
//!   checkpoints are derived: written behind the acks, bound to the log's hashes, and rebuilt when they do not fit.
//! - [`KeyRing`] wraps the data keys of streams. Where the wrapped keys are, [`Journal::destroy_key`] can overwrite them.
//! - [`backup`] copies the log up to a signed checkpoint, without any key, and makes a store of it again.
//!
//! The bytes are described in `FORMAT.md`. Every bound is in [`limits`]. With the feature `contract` the crate carries
//! the tests that any backend has to pass, and a backend that fails on cue.

mod append;
pub mod backend;
pub mod backup;
pub mod chunk;
#[cfg(feature = "contract")]
pub mod contract;
mod directory;
mod error;
#[cfg(feature = "contract")]
pub mod faults;
pub mod header;
mod journal;
pub mod keys;
pub mod limits;
mod log;
mod memory;
mod signing;
mod sled_backend;
mod subscription;
mod tree;
mod wipe;

pub use append::{Append, Committed, NewEntry, StreamAppend};
pub use backend::{Backend, Change, Document, Table};
pub use directory::{HIGH_WATER_BYTES, decode_high_water, encode_high_water};
pub use error::{AppendError, Fault, KeyError, OpenError, Problem, ReadError};
pub use header::{Header, Leaf};
pub use journal::{Body, Checkpoint, EntryRef, Head, Journal, Recorded, Rewrapped, Snapshot, Verified};
pub use keys::{DataKey, EphemeralKeyRing, FileKeyRing, KeyRing, KeyUse};
pub use log::{Log, Options};
pub use memory::{MemoryBackend, MemoryJournal};
pub use signing::{Rotated, SignError, SignedHead};
pub use sled_backend::{SledBackend, SledJournal, StoreOptions};
pub use subscription::Subscription;
pub use tree::{TreeHash, TreeHead};

/// The only line of a store's format file.
pub const FORMAT_TEXT: &str = "countersign store 2";

/// The documents beside the log, for the fuzzing of what a stranger may have put in their place.
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing {
    use crate::signing::{Signers, read_checkpoint, read_rotation};
    use crate::tree::TreeHead;

    /// The list of signing keys as it would be written.
    #[must_use]
    pub fn signers(bytes: &[u8]) -> Option<String> {
        Signers::parse(bytes).ok().map(|signers| signers.text())
    }

    /// What a checkpoint of a log says.
    #[must_use]
    pub fn checkpoint(origin: &str, text: &str) -> Option<TreeHead> {
        read_checkpoint(origin, text)
    }

    /// The new key and the size in a change of keys that both have signed.
    #[must_use]
    pub fn rotation(body: &[u8]) -> Option<(String, u64)> {
        read_rotation(body).map(|(_, new, size)| (new.to_string(), size))
    }
}
