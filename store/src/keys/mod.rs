//! Keys: what seals bodies, what wraps those keys, and where the wrapped keys are.
//!
//! Each stream with a sealed entry has a random data key of its own. The key ring, which the host
//! brings, wraps it; the wrapped key is in a slot outside the log. Overwriting that slot makes all
//! that the key sealed unreadable, and changes no byte of the log.

mod cipher;
mod file_ring;
mod key_use;
mod local_ring;
mod sealer;
mod slot;

use std::fmt;

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

pub(crate) use cipher::{Cipher, Randomness, seal_onto};
pub use cipher::{NONCE_BYTES, SEAL_BYTES, TAG_BYTES};
pub use file_ring::FileKeyRing;
pub use key_use::KeyUse;
pub(crate) use key_use::is_by;
pub use local_ring::EphemeralKeyRing;
pub(crate) use sealer::{FIRST_SLOT, Sealer};
pub use slot::{SLOT_BYTES, Slot};

use crate::error::KeyError;

/// Bytes of every key.
pub const KEY_BYTES: usize = 32;

/// A key of 256 bits. Wiped when it is dropped, and never printed.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct DataKey([u8; KEY_BYTES]);

impl DataKey {
    /// Takes over the bytes of a key.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// Makes a fresh key.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn random() -> Result<Self, KeyError> {
        let mut key = Self([0; KEY_BYTES]);
        getrandom::fill(&mut key.0).map_err(|_| KeyError::Entropy)?;
        Ok(key)
    }

    /// The secret itself.
    #[must_use]
    pub const fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(..)")
    }
}

/// One sub-key for one purpose, so that no key does two things.
fn expand(key: &DataKey, salt: &[u8], label: &str) -> Result<DataKey, KeyError> {
    let mut out = DataKey::from_bytes([0; KEY_BYTES]);
    Hkdf::<Sha256>::new(Some(salt), key.expose())
        .expand(label.as_bytes(), &mut out.0)
        .map_err(|_| KeyError::Ring("a key could not be derived".to_owned()))?;
    Ok(out)
}

/// Wraps data keys, so that a copy of the store without the ring opens nothing.
///
/// A ring in a key management service keeps its own top key there, and a key that wraps in memory.
pub trait KeyRing: Send + Sync {
    /// Wraps a key for one context: at most [`crate::limits::WRAPPED_KEY_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// When the ring cannot be reached.
    fn wrap(&self, key: &DataKey, context: &[u8]) -> Result<Vec<u8>, KeyError>;

    /// Unwraps a key in the context that it was wrapped for.
    ///
    /// # Errors
    /// `NoRingKey`, `WrongRing` or `Refused` when this ring did not wrap these bytes for this context.
    fn unwrap(&self, wrapped: &[u8], context: &[u8]) -> Result<DataKey, KeyError>;

    /// Whether some bytes were wrapped by the key that this ring wraps with now. A ring of one key has no other.
    fn is_current(&self, _wrapped: &[u8]) -> bool {
        true
    }

    /// The number of the key of the ring that has wrapped some bytes. `None` when the ring does not number its keys: then
    /// it is not for us to say when one of them is of no use any more.
    fn wrapped_by(&self, _wrapped: &[u8]) -> Option<u32> {
        None
    }

    /// Takes up what was changed where the ring is kept, such as a key that was added. A ring that cannot change does nothing.
    ///
    /// # Errors
    /// When what is there now is not this ring, or lacks a key of it; then it goes on as it was.
    fn refresh(&self) -> Result<(), KeyError> {
        Ok(())
    }
}
