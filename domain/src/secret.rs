//! Bytes that must never be shown.

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The shared secret of a TOTP device (R15, R27). Wiped when dropped; `Debug` shows its length only.
///
/// It implements `Serialize` because it is part of a stored event; the store seals every event
/// that holds one (see [`crate::wire::Sealing`]).
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop, Serialize, Deserialize)]
pub struct Seed(Vec<u8>);

impl Seed {
    /// Shortest secret that is taken: 128 bits (RFC 4226, section 4, R6).
    pub const MIN_BYTES: usize = 16;
    /// Longest secret that is taken: one SHA-1 block twice over.
    pub const MAX_BYTES: usize = 128;

    /// Wraps secret bytes.
    ///
    /// # Errors
    /// When there are fewer than [`Self::MIN_BYTES`] or more than [`Self::MAX_BYTES`].
    pub fn new(mut bytes: Vec<u8>) -> Result<Self, SeedLength> {
        if (Self::MIN_BYTES..=Self::MAX_BYTES).contains(&bytes.len()) {
            Ok(Self(bytes))
        } else {
            let length = bytes.len();
            bytes.zeroize();
            Err(SeedLength(length))
        }
    }

    /// The secret itself, for the code that computes with it.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seed({} bytes)", self.0.len())
    }
}

/// The secret behind a code that is sent: the code follows from it, so that it can be sent again and is
/// never stored. Wiped when dropped; `Debug` shows nothing of it.
///
/// Stored in sealed events only.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop, Serialize, Deserialize)]
pub struct ChallengeSecret([u8; 32]);

impl ChallengeSecret {
    /// Wraps 32 bytes of randomness.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The secret itself, for the code that computes with it.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for ChallengeSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChallengeSecret(..)")
    }
}

/// Bytes of another library's own making, kept as they are: a credential, or the state of a ceremony.
///
/// `Debug` shows their number only.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<u8>")]
pub struct Opaque(Vec<u8>);

impl Opaque {
    /// The most bytes that are kept.
    pub const MAX_BYTES: usize = 16 * 1024;

    /// Wraps bytes; `None` when there are too many.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        (bytes.len() <= Self::MAX_BYTES).then_some(Self(bytes))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<Vec<u8>> for Opaque {
    type Error = &'static str;
    fn try_from(bytes: Vec<u8>) -> Result<Self, &'static str> {
        Self::new(bytes).ok_or("more bytes than are kept of another library's making")
    }
}

impl fmt::Debug for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opaque({} bytes)", self.0.len())
    }
}

/// A secret of a length that is not taken, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeedLength(pub usize);

impl fmt::Display for SeedLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a seed has {} to {} bytes, not {}", Seed::MIN_BYTES, Seed::MAX_BYTES, self.0)
    }
}

impl core::error::Error for SeedLength {}
