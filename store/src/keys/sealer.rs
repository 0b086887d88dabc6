//! Finds, makes and destroys the data keys of streams.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use countersign_domain::ids::StreamId;

use super::{Cipher, DataKey, KeyRing, SLOT_BYTES, Slot};
use crate::backend::Backend;
use crate::error::KeyError;
use crate::limits::CIPHER_CACHE_MAX;

/// Slot 0 holds a key that nothing is sealed under: it shows whether the ring is the right one.
const RING_CHECK: u64 = 0;

/// Data keys by their id, over a ring and a backend's slots.
pub(crate) struct Sealer {
    ring: Arc<dyn KeyRing>,
    derived: Cipher,
    cache: Mutex<Generations>,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(..)")
    }
}

/// A bounded cache of two halves: when the young half is full it becomes the old one.
#[derive(Default)]
struct Generations {
    young: HashMap<u64, (StreamId, Cipher)>,
    old: HashMap<u64, (StreamId, Cipher)>,
}

impl Generations {
    fn get(&mut self, key_id: u64) -> Option<(StreamId, Cipher)> {
        if let Some(found) = self.young.get(&key_id) {
            return Some(found.clone());
        }
        let found = self.old.remove(&key_id)?;
        self.insert(key_id, found.clone());
        Some(found)
    }

    fn insert(&mut self, key_id: u64, cipher: (StreamId, Cipher)) {
        if self.young.len() >= CIPHER_CACHE_MAX / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key_id, cipher);
    }

    fn remove(&mut self, key_id: u64) {
        self.young.remove(&key_id);
        self.old.remove(&key_id);
    }
}

/// What a data key is wrapped for. Another stream, or another slot, does not unwrap it.
fn context(stream: StreamId, key_id: u64) -> Vec<u8> {
    let mut context = b"countersign data key".to_vec();
    context.extend_from_slice(stream.as_bytes());
    context.extend_from_slice(&key_id.to_be_bytes());
    context
}

impl Sealer {
    /// Checks the ring against the store, or leaves the check value in a new one.
    pub(crate) fn open<B: Backend>(ring: Arc<dyn KeyRing>, backend: &B, log_is_empty: bool) -> Result<Self, KeyError> {
        let nobody = StreamId::from_bytes([0; 16]);
        match backend.slot(RING_CHECK)? {
            Some(bytes) => {
                let Slot::Live { wrapped, .. } = Slot::decode(RING_CHECK, &bytes)? else {
                    return Err(KeyError::Corrupt(RING_CHECK));
                };
                ring.unwrap(&wrapped, &context(nobody, RING_CHECK)).map_err(|cause| match cause {
                    KeyError::Refused => KeyError::WrongRing,
                    other => other,
                })?;
            }
            None if log_is_empty => {
                let wrapped = ring.wrap(&DataKey::random()?, &context(nobody, RING_CHECK))?;
                let slot = Slot::Live { stream: nobody, wrapped }.encode(RING_CHECK)?;
                backend.put_slots(RING_CHECK, &[slot])?;
            }
            None => return Err(KeyError::Missing(RING_CHECK)),
        }
        let derived = Cipher::new(&ring.derive("derived data")?);
        Ok(Self { ring, derived, cache: Mutex::default() })
    }

    /// What seals derived data that belongs to no single stream.
    pub(crate) const fn derived(&self) -> &Cipher {
        &self.derived
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, Generations> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key of an id, which has to be that of the stream.
    pub(crate) fn cipher<B: Backend>(&self, backend: &B, stream: StreamId, key_id: u64) -> Result<Cipher, KeyError> {
        let mut cache = self.cache();
        if let Some((owner, cipher)) = cache.get(key_id) {
            return if owner == stream { Ok(cipher) } else { Err(KeyError::Refused) };
        }
        // Under the lock, so that a key that is being destroyed does not come back into the cache.
        let bytes = backend.slot(key_id)?.ok_or(KeyError::Missing(key_id))?;
        let wrapped = match Slot::decode(key_id, &bytes)? {
            Slot::Live { stream: owner, wrapped } if owner == stream => wrapped,
            Slot::Live { .. } => return Err(KeyError::Refused),
            Slot::Destroyed { .. } => return Err(KeyError::Destroyed(key_id)),
        };
        let cipher = Cipher::new(&self.ring.unwrap(&wrapped, &context(stream, key_id))?);
        cache.insert(key_id, (stream, cipher.clone()));
        Ok(cipher)
    }

    /// Makes a key for a stream, and the slot that has to be durable before the key's first use is.
    pub(crate) fn make(&self, stream: StreamId, key_id: u64) -> Result<([u8; SLOT_BYTES], Cipher), KeyError> {
        let key = DataKey::random()?;
        let wrapped = self.ring.wrap(&key, &context(stream, key_id))?;
        Ok((Slot::Live { stream, wrapped }.encode(key_id)?, Cipher::new(&key)))
    }

    /// Keeps a key at hand whose slot is durable now.
    pub(crate) fn keep(&self, stream: StreamId, key_id: u64, cipher: Cipher) {
        self.cache().insert(key_id, (stream, cipher));
    }

    /// Overwrites the slot of a key in place, unless that was done before.
    pub(crate) fn destroy<B: Backend>(&self, backend: &B, stream: StreamId, key_id: u64) -> Result<(), KeyError> {
        let mut cache = self.cache();
        cache.remove(key_id);
        let before = backend.slot(key_id)?.map(|bytes| Slot::decode(key_id, &bytes));
        if before == Some(Ok(Slot::Destroyed { stream })) {
            return Ok(());
        }
        backend.put_slots(key_id, &[Slot::Destroyed { stream }.encode(key_id)?])?;
        Ok(())
    }
}
