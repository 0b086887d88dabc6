//! Keys: the slots that hold them, the ring that wraps them, and the list of those that sign.

use std::path::Path;

use countersign_store::keys::{SLOT_BYTES, Slot};
use countersign_store::{DataKey, FileKeyRing, KeyRing as _};

use crate::file;

/// A key id and a slot, once as it is and once with its checksum mended. Strict: what is read is what would be written.
pub fn slot(data: &[u8]) {
    let Some((id, rest)) = data.split_first_chunk::<8>() else { return };
    let key_id = u64::from_be_bytes(*id);
    let mut bytes = [0; SLOT_BYTES];
    let length = rest.len().min(SLOT_BYTES);
    bytes[..length].copy_from_slice(&rest[..length]);
    let mended = {
        let mut bytes = bytes;
        bytes[24..32].copy_from_slice(id);
        let crc = crc32c::crc32c(&bytes[..SLOT_BYTES - 4]);
        bytes[SLOT_BYTES - 4..].copy_from_slice(&crc.to_be_bytes());
        bytes
    };
    for bytes in [bytes, mended] {
        if let Ok(slot) = Slot::decode(key_id, &bytes) {
            assert_eq!(slot.encode(key_id).as_ref(), Ok(&bytes));
            assert!(Slot::decode(key_id ^ 1, &bytes).is_err());
        }
    }
}

/// A key ring. One that opens also takes a further key, and goes on to unwrap what it has wrapped.
pub fn ring(data: &[u8]) {
    let path = file("ring", data);
    let Ok(ring) = FileKeyRing::open(&path) else {
        assert!(FileKeyRing::add_key(&path).is_err(), "a key was added to what is no ring");
        return assert_eq!(std::fs::read(&path).expect("it is still there"), data);
    };
    let key = DataKey::from_bytes([7; 32]);
    let wrapped = ring.wrap(&key, b"context").expect("a ring wraps");
    let holds = |path: &Path| {
        let ring = FileKeyRing::open(path).expect("it opened before");
        assert_eq!(ring.unwrap(&wrapped, b"context"), Ok(key.clone()));
        assert!(ring.unwrap(&wrapped, b"other").is_err());
        ring.is_current(&wrapped)
    };
    assert!(holds(&path));
    match FileKeyRing::add_key(&path) {
        Ok(_) => assert!(!holds(&path), "the new key does not wrap"),
        Err(_) => assert!(holds(&path)),
    }
}

/// The list of signing keys. Strict: what is read is what would be written.
pub fn signers(data: &[u8]) {
    if let Some(text) = countersign_store::fuzzing::signers(data) {
        assert_eq!(text.as_bytes(), data);
    }
}
