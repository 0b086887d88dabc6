//! Checks what a log has signed, offline, with one public key.
//!
//! A log that keeps a Merkle tree over its entries signs its size and root from time to time: a [`Checkpoint`]. Three
//! questions can then be answered without the log:
//!
//! - Was this entry in the log when that checkpoint was signed? [`Receipt::verify`], [`verify_inclusion`].
//! - Does a later checkpoint continue an earlier one, with nothing changed or taken out? [`verify_consistency`].
//! - Are these the entries that the checkpoint is of? [`Roots`] computes the root of any size from the entries alone.
//!
//! A log may change its key: [`Trust`] begins with one key and follows the entries by which each names the next.
//!
//! Hashes and proofs are those of RFC 6962; checkpoints and receipts are texts of the C2SP specifications `signed-note`,
//! `tlog-checkpoint` and `tlog-proof`, so that tools of other people read them too. Nothing in here is shared with the
//! code that writes the log: a fault there is not repeated here.
//!
//! ```
//! use countersign_proof::{VerifierKey, Receipt};
//!
//! # let (entry, key, receipt) = countersign_proof::example();
//! // Who trusts the key and has the entry needs nothing else; the log may be gone.
//! let key: VerifierKey = key.parse()?;
//! let receipt: Receipt = receipt.parse()?;
//! let checkpoint = receipt.verify(entry.as_bytes(), &[key])?;
//! assert_eq!((receipt.index(), checkpoint.size()), (1, 3));
//! # Ok::<(), countersign_proof::ProofError>(())
//! ```
//!
//! # What it cannot show
//!
//! Whoever holds the signing key can write two logs and sign both. Only somebody else who has kept an earlier checkpoint
//! can tell: a witness, a mailbox, a sheet of paper. [`Checkpoint::continues`] is for them.

mod checkpoint;
mod entry;
mod error;
mod hash;
mod key;
mod merkle;
mod note;
mod receipt;
mod rotation;
mod trust;

pub use checkpoint::Checkpoint;
pub use entry::Entry;
pub use error::ProofError;
pub use hash::Hash;
pub use key::VerifierKey;
pub use merkle::{Roots, verify_consistency, verify_inclusion};
pub use note::{NOTE_BYTES_MAX, SIGNATURES_MAX, SignedNote};
pub use receipt::{EXTRA_BYTES_MAX, PROOF_HASHES_MAX, Receipt};
pub use rotation::KeyRotation;
pub use trust::Trust;

/// An entry, a key, and a receipt of the one under the other, for examples.
#[doc(hidden)]
#[must_use]
pub fn example() -> (&'static str, &'static str, &'static str) {
    (
        include_str!("../example/entry.txt"),
        include_str!("../example/key.txt").trim_end(),
        include_str!("../example/receipt.txt"),
    )
}
