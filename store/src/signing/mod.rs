//! What the log says of itself to others: keys, signed checkpoints, receipts, and the change from one key to the next.
//!
//! The texts are those of the C2SP specifications `signed-note`, `tlog-checkpoint` and `tlog-proof`.

mod error;
mod key;
mod note;
mod receipt;
mod rotation;
mod signers;

use std::fmt;
use std::sync::Arc;

use countersign_domain::ids::Position;

pub use error::SignError;
pub(crate) use key::{SigningKey, is_origin};
pub(crate) use note::{checkpoint_text, read_checkpoint, sign, text_signed_by};
pub(crate) use receipt::{growth_text, text as receipt_text};
pub(crate) use rotation::{read as read_rotation, state as state_rotation};
pub(crate) use signers::Signers;

use crate::tree::TreeHead;

/// A checkpoint: how many entries the log has and the root of the tree over them, signed by the log.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedHead {
    /// What was signed.
    pub head: TreeHead,
    /// The signed text (C2SP `tlog-checkpoint`), for anybody.
    pub note: Arc<str>,
}

impl fmt::Debug for SignedHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SignedHead").field(&self.head).finish()
    }
}

/// That the log passed from one key to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotated {
    /// The entry that says so, signed by both.
    pub position: Position,
    /// The key that was given up, as a verifier key.
    pub old: String,
    /// The key that signs from now on, as a verifier key.
    pub new: String,
    /// The first checkpoint after it, signed by both.
    pub checkpoint: SignedHead,
}
