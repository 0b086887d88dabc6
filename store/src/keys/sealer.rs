//! Finds, makes and destroys the data keys of streams.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use countersign_domain::ids::StreamId;

use super::{Cipher, DataKey, KeyRing, KeyUse, SLOT_BYTES, Slot, expand, is_by};
use crate::backend::Backend;
use crate::error::KeyError;
use crate::limits::CIPHER_CACHE_MAX;

/// Slot 0 holds the key of what is derived from the log. Whether it unwraps shows whether the ring is the right one.
const DERIVED: u64 = 0;
/// Slot 1 holds a copy of a slot that is being written in place, so that a torn write loses no key.
const REWRITTEN: u64 = 1;
/// Slot 2 holds the random root that keys for other purposes are derived from. It is never replaced.
const ROOT: u64 = 2;
/// The first slot that a stream's key may have.
pub(crate) const FIRST_SLOT: u64 = 3;
/// The salt of what is derived from the root.
const ROOT_SALT: &[u8] = b"countersign root 1";
/// What slot 1 holds when nothing is being written.
const BLANK: [u8; SLOT_BYTES] = [0; SLOT_BYTES];

/// The owner of a key that is of no stream.
const fn nobody() -> StreamId {
    StreamId::from_bytes([0; 16])
}

/// Data keys by their id, over a ring and a backend's slots.
pub(crate) struct Sealer {
    ring: Arc<dyn KeyRing>,
    root: DataKey,
    derived: Mutex<Cipher>,
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

fn make(ring: &dyn KeyRing, stream: StreamId, key_id: u64) -> Result<([u8; SLOT_BYTES], DataKey), KeyError> {
    let key = DataKey::random()?;
    let wrapped = ring.wrap(&key, &context(stream, key_id))?;
    Ok((Slot::Live { stream, wrapped }.encode(key_id)?, key))
}

/// The key in a slot of the store itself; `None` when there is no such slot.
fn own_key<B: Backend>(
    ring: &dyn KeyRing,
    backend: &B,
    number: u64,
    rewritten: Option<&(u64, [u8; SLOT_BYTES])>,
) -> Result<Option<DataKey>, KeyError> {
    let bytes = match rewritten.filter(|(of, _)| *of == number) {
        Some((_, bytes)) => Some(*bytes),
        None => backend.slot(number)?,
    };
    let Some(bytes) = bytes else { return Ok(None) };
    match Slot::decode(number, &bytes)? {
        Slot::Live { stream, wrapped } if stream == nobody() => {
            let key = ring.unwrap(&wrapped, &context(nobody(), number)).map_err(|cause| match cause {
                KeyError::Refused => KeyError::WrongRing,
                other => other,
            })?;
            Ok(Some(key))
        }
        _ => Err(KeyError::Corrupt(number)),
    }
}

/// Writes a live slot in place. A copy of it is durable before, and gone after: at no instant does a torn write lose the
/// key, and nothing is left of one that is destroyed later.
fn rewrite<B: Backend>(backend: &B, number: u64, slot: &[u8; SLOT_BYTES]) -> Result<(), KeyError> {
    backend.put_slots(REWRITTEN, &[*slot])?;
    backend.put_slots(number, &[*slot])?;
    Ok(backend.put_slots(REWRITTEN, &[BLANK])?)
}

/// Finishes what a crash left of a [`rewrite`]. Who only reads is told what would be written.
fn mend<B: Backend>(backend: &B, read_only: bool) -> Result<Option<(u64, [u8; SLOT_BYTES])>, KeyError> {
    let Some(copy) = backend.slot(REWRITTEN)?.filter(|copy| *copy != BLANK) else { return Ok(None) };
    let mut number = [0; 8];
    number.copy_from_slice(&copy[24..32]);
    let number = u64::from_be_bytes(number);
    // A copy that is torn itself is of a slot that was not touched yet.
    let whole = number != REWRITTEN && Slot::decode(number, &copy).is_ok();
    if whole {
        if read_only {
            return Ok(Some((number, copy)));
        }
        backend.put_slots(number, &[copy])?;
    }
    if !read_only {
        backend.put_slots(REWRITTEN, &[BLANK])?;
    }
    Ok(None)
}

impl Sealer {
    /// Checks the ring against the store, or leaves the first key in a new one. Who only reads mends nothing.
    pub(crate) fn open<B: Backend>(
        ring: Arc<dyn KeyRing>,
        backend: &B,
        (log_is_empty, read_only): (bool, bool),
    ) -> Result<Self, KeyError> {
        let rewritten = mend(backend, read_only)?;
        let own_key = |number| own_key(&*ring, backend, number, rewritten.as_ref());
        let (derived, root) = match (own_key(DERIVED)?, own_key(ROOT)?) {
            (Some(derived), Some(root)) => (derived, root),
            (Some(_), None) if read_only => return Err(KeyError::Missing(ROOT)),
            // The making of the store was broken off between the two.
            (Some(derived), None) if log_is_empty => {
                let (slot, root) = make(&*ring, nobody(), ROOT)?;
                backend.put_slots(ROOT, &[slot])?;
                (derived, root)
            }
            (None, _) if log_is_empty => {
                let (first, derived) = make(&*ring, nobody(), DERIVED)?;
                let (third, root) = make(&*ring, nobody(), ROOT)?;
                backend.put_slots(DERIVED, &[first, BLANK, third])?;
                (derived, root)
            }
            (None, _) => return Err(KeyError::Missing(DERIVED)),
            (Some(_), None) => return Err(KeyError::Missing(ROOT)),
        };
        Ok(Self { ring, root, derived: Mutex::new(Cipher::new(&derived)), cache: Mutex::default() })
    }

    /// A key for another purpose than sealing, from the root: the same one each time, whatever becomes of the ring.
    pub(crate) fn derive(&self, label: &str) -> Result<DataKey, KeyError> {
        expand(&self.root, ROOT_SALT, &format!("derive {label}"))
    }

    /// What seals derived data that belongs to no single stream.
    pub(crate) fn derived(&self) -> Cipher {
        self.derived.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts a new key in the place of the one that seals derived data. What that one sealed is gone.
    pub(crate) fn renew_derived<B: Backend>(&self, backend: &B) -> Result<(), KeyError> {
        let mut derived = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        let (slot, key) = make(&*self.ring, nobody(), DERIVED)?;
        rewrite(backend, DERIVED, &slot)?;
        *derived = Cipher::new(&key);
        Ok(())
    }

    /// Whether a slot has something for [`Self::rewrap`] to do.
    pub(crate) fn is_stale<B: Backend>(&self, backend: &B, number: u64) -> Result<bool, KeyError> {
        let Some(bytes) = backend.slot(number)?.filter(|_| number != REWRITTEN) else { return Ok(false) };
        Ok(matches!(Slot::decode(number, &bytes), Ok(Slot::Live { wrapped, .. }) if !self.ring.is_current(&wrapped)))
    }

    /// Wraps the key in a slot anew, unless the key that the ring wraps with now did it. Says whether it did. A slot that
    /// holds no key, or one that this ring cannot open, is left as it is.
    pub(crate) fn rewrap<B: Backend>(&self, backend: &B, number: u64) -> Result<bool, KeyError> {
        if number == REWRITTEN {
            return Ok(false);
        }
        let Some(bytes) = backend.slot(number)? else { return Ok(false) };
        let Ok(Slot::Live { stream, wrapped }) = Slot::decode(number, &bytes) else { return Ok(false) };
        if self.ring.is_current(&wrapped) {
            return Ok(false);
        }
        let context = context(stream, number);
        let key = match self.ring.unwrap(&wrapped, &context) {
            Err(cause @ (KeyError::Refused | KeyError::WrongRing | KeyError::NoRingKey(_))) => {
                tracing::warn!(%cause, number, "the key in a slot was not wrapped anew");
                return Ok(false);
            }
            key => key?,
        };
        let wrapped = self.ring.wrap(&key, &context)?;
        rewrite(backend, number, &Slot::Live { stream, wrapped }.encode(number)?)?;
        Ok(true)
    }

    /// What some key of the ring has wrapped among the slots.
    pub(crate) fn key_use<B: Backend>(&self, backend: &B, ring_key: u32) -> Result<KeyUse, KeyError> {
        let mut found = KeyUse::default();
        for number in 0..backend.slots()? {
            let Some(bytes) = backend.slot(number)? else { continue };
            // A copy in slot 1 says itself of which slot it is.
            let mut of = [0; 8];
            of.copy_from_slice(&bytes[24..32]);
            let of = if number == REWRITTEN { u64::from_be_bytes(of) } else { number };
            let Ok(Slot::Live { wrapped, .. }) = Slot::decode(of, &bytes) else { continue };
            if !is_by(&*self.ring, &wrapped, ring_key)? {
                continue;
            }
            match number {
                DERIVED => found.derived = true,
                REWRITTEN => found.copy = true,
                ROOT => found.root = true,
                _ => {
                    found.first.get_or_insert(number);
                    found.streams += 1;
                }
            }
        }
        Ok(found)
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
        let key = self.ring.unwrap(&wrapped, &context(stream, key_id)).map_err(|cause| match cause {
            KeyError::Refused => KeyError::WrongRingKey(key_id),
            other => other,
        })?;
        let cipher = Cipher::new(&key);
        cache.insert(key_id, (stream, cipher.clone()));
        Ok(cipher)
    }

    /// Makes a key for a stream, and the slot that has to be durable before the key's first use is.
    pub(crate) fn make(&self, stream: StreamId, key_id: u64) -> Result<([u8; SLOT_BYTES], Cipher), KeyError> {
        let (slot, key) = make(&*self.ring, stream, key_id)?;
        Ok((slot, Cipher::new(&key)))
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
