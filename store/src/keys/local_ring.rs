//! Ring keys that are held in memory, and the wrapping that they do.

use std::collections::BTreeMap;
use std::fmt;

use super::{Cipher, DataKey, KeyRing, expand};
use crate::error::KeyError;

/// Number of a key inside its ring.
pub(super) type RingKeyId = u32;

/// The salt of what a ring key is used as.
const RING_SALT: &[u8] = b"countersign key ring 1";

/// Ring keys by their number. The highest wraps; all of them unwrap.
pub(super) struct LocalRing {
    keys: BTreeMap<RingKeyId, (DataKey, Cipher)>,
}

impl LocalRing {
    pub(super) fn new(keys: impl IntoIterator<Item = (RingKeyId, DataKey)>) -> Result<Self, KeyError> {
        let mut ring = BTreeMap::new();
        for (id, key) in keys {
            let cipher = Cipher::new(&expand(&key, RING_SALT, "wrap")?);
            ring.insert(id, (key, cipher));
        }
        if ring.is_empty() {
            return Err(KeyError::Ring("it has no key".to_owned()));
        }
        Ok(Self { keys: ring })
    }

    pub(super) fn newest(&self) -> Option<RingKeyId> {
        self.keys.last_key_value().map(|(id, _)| *id)
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn has(&self, number: RingKeyId) -> bool {
        self.keys.contains_key(&number)
    }

    /// The first key of this ring that another one does not have, or has another one in place of.
    pub(super) fn missing_in(&self, other: &Self) -> Option<RingKeyId> {
        let same = |id: &RingKeyId, key: &DataKey| other.keys.get(id).is_some_and(|(found, _)| found == key);
        self.keys.iter().find(|(id, (key, _))| !same(id, key)).map(|(id, _)| *id)
    }
}

impl KeyRing for LocalRing {
    fn wrap(&self, key: &DataKey, context: &[u8]) -> Result<Vec<u8>, KeyError> {
        let (id, (_, cipher)) = self.keys.last_key_value().ok_or_else(|| KeyError::Ring("it has no key".to_owned()))?;
        let mut wrapped = id.to_be_bytes().to_vec();
        wrapped.extend_from_slice(&cipher.seal(context, key.expose())?);
        Ok(wrapped)
    }

    fn unwrap(&self, wrapped: &[u8], context: &[u8]) -> Result<DataKey, KeyError> {
        let (id, sealed) = wrapped.split_first_chunk().ok_or(KeyError::Refused)?;
        let id = RingKeyId::from_be_bytes(*id);
        let (_, cipher) = self.keys.get(&id).ok_or(KeyError::NoRingKey(id))?;
        let clear = zeroize::Zeroizing::new(cipher.open(context, sealed)?);
        let bytes = clear.as_slice().try_into().map_err(|_| KeyError::Refused)?;
        Ok(DataKey::from_bytes(bytes))
    }

    fn is_current(&self, wrapped: &[u8]) -> bool {
        let newest = self.keys.last_key_value().map(|(id, _)| id.to_be_bytes());
        newest.is_some_and(|newest| wrapped.starts_with(&newest))
    }

    fn wrapped_by(&self, wrapped: &[u8]) -> Option<RingKeyId> {
        wrapped.first_chunk().map(|id| RingKeyId::from_be_bytes(*id))
    }
}

/// A ring of one random key that is gone with the value. For memory journals and tests.
pub struct EphemeralKeyRing(LocalRing);

impl EphemeralKeyRing {
    /// Makes a ring.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn new() -> Result<Self, KeyError> {
        Ok(Self(LocalRing::new([(1, DataKey::random()?)])?))
    }

    /// Makes a ring of a known key, so that a run can be repeated.
    ///
    /// # Errors
    /// When the key cannot be made ready.
    pub fn from_key(key: DataKey) -> Result<Self, KeyError> {
        Ok(Self(LocalRing::new([(1, key)])?))
    }
}

impl fmt::Debug for EphemeralKeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EphemeralKeyRing(..)")
    }
}

impl KeyRing for EphemeralKeyRing {
    fn wrap(&self, key: &DataKey, context: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.0.wrap(key, context)
    }

    fn unwrap(&self, wrapped: &[u8], context: &[u8]) -> Result<DataKey, KeyError> {
        self.0.unwrap(wrapped, context)
    }

    fn wrapped_by(&self, wrapped: &[u8]) -> Option<RingKeyId> {
        self.0.wrapped_by(wrapped)
    }
}
