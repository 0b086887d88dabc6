//! Hashes of the tree.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64;
use sha2::{Digest, Sha256};

use crate::error::ProofError;

/// A hash of the tree: SHA-256 over a leaf or over two nodes, told apart by their first byte (RFC 6962, section 2.1).
///
/// ```
/// use countersign_proof::Hash;
///
/// let tree = Hash::of_nodes(Hash::of_leaf(b"assigned"), Hash::of_leaf(b"enabled"));
/// assert_ne!(tree, Hash::of_leaf(b"assignedenabled"));
/// assert_eq!(tree.to_string().parse::<Hash>()?, tree, "base64");
/// # Ok::<(), countersign_proof::ProofError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// The hash of an entry.
    #[must_use]
    pub fn of_leaf(entry: &[u8]) -> Self {
        Self(Sha256::new().chain_update([0]).chain_update(entry).finalize().into())
    }

    /// The hash over two neighbours.
    #[must_use]
    pub fn of_nodes(left: Self, right: Self) -> Self {
        Self(Sha256::new().chain_update([1]).chain_update(left.0).chain_update(right.0).finalize().into())
    }

    /// The root of a tree without leaves.
    #[must_use]
    pub fn of_nothing() -> Self {
        Self(Sha256::new().finalize().into())
    }

    /// Takes over the bytes of a hash.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes of it.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash {
    type Err = ProofError;

    fn from_str(text: &str) -> Result<Self, ProofError> {
        // Of longer texts nothing is decoded.
        let bytes = if text.len() == 44 { BASE64.decode(text.as_bytes()).ok() } else { None };
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or(ProofError::Malformed("a hash is 32 bytes in base64"))
    }
}
