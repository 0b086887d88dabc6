//! Key slots: one wrapped data key each, at a fixed place, so that it can be overwritten.

use countersign_domain::ids::StreamId;

use crate::error::KeyError;
use crate::limits::WRAPPED_KEY_BYTES_MAX;

/// Bytes of a slot.
pub const SLOT_BYTES: usize = 128;
/// The first four bytes of a slot: magic and format 1.
const MAGIC: [u8; 4] = *b"CSk\x01";
const STATE_LIVE: u8 = 1;
const STATE_DESTROYED: u8 = 2;
const WRAPPED_AT: usize = 32;
const CRC_AT: usize = SLOT_BYTES - 4;

/// What a slot says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The key of a stream, as the ring wrapped it.
    Live {
        /// The stream that the key is of.
        stream: StreamId,
        /// The wrapped key.
        wrapped: Vec<u8>,
    },
    /// The key was destroyed on purpose.
    Destroyed {
        /// The stream that the key was of.
        stream: StreamId,
    },
}

impl Slot {
    /// The stored form of the slot of a key.
    ///
    /// # Errors
    /// When the wrapped key is longer than a slot has room for.
    pub fn encode(&self, key_id: u64) -> Result<[u8; SLOT_BYTES], KeyError> {
        let (state, stream, wrapped): (u8, &StreamId, &[u8]) = match self {
            Self::Live { stream, wrapped } => (STATE_LIVE, stream, wrapped),
            Self::Destroyed { stream } => (STATE_DESTROYED, stream, &[]),
        };
        if wrapped.len() > WRAPPED_KEY_BYTES_MAX {
            return Err(KeyError::Ring("a wrapped key is too long for its slot".to_owned()));
        }
        let mut out = [0; SLOT_BYTES];
        out[0..4].copy_from_slice(&MAGIC);
        out[4] = state;
        out[6..8].copy_from_slice(&(wrapped.len() as u16).to_be_bytes());
        out[8..24].copy_from_slice(stream.as_bytes());
        out[24..32].copy_from_slice(&key_id.to_be_bytes());
        out[WRAPPED_AT..WRAPPED_AT + wrapped.len()].copy_from_slice(wrapped);
        let crc = crc32c::crc32c(&out[..CRC_AT]);
        out[CRC_AT..].copy_from_slice(&crc.to_be_bytes());
        Ok(out)
    }

    /// Reads the slot of a key.
    ///
    /// # Errors
    /// When the bytes are not what was written for this key.
    pub fn decode(key_id: u64, bytes: &[u8; SLOT_BYTES]) -> Result<Self, KeyError> {
        let corrupt = KeyError::Corrupt(key_id);
        let crc = crc32c::crc32c(&bytes[..CRC_AT]).to_be_bytes();
        if bytes[..4] != MAGIC || bytes[CRC_AT..] != crc || bytes[24..32] != key_id.to_be_bytes() {
            return Err(corrupt);
        }
        let mut stream = [0; 16];
        stream.copy_from_slice(&bytes[8..24]);
        let stream = StreamId::from_bytes(stream);
        let length = usize::from(u16::from_be_bytes([bytes[6], bytes[7]]));
        if length > WRAPPED_KEY_BYTES_MAX {
            return Err(corrupt);
        }
        let slot = match bytes[4] {
            STATE_LIVE => Self::Live { stream, wrapped: bytes[WRAPPED_AT..WRAPPED_AT + length].to_vec() },
            STATE_DESTROYED => Self::Destroyed { stream },
            _ => return Err(corrupt),
        };
        // Strict: what is accepted is what would be written.
        if slot.encode(key_id)? == *bytes { Ok(slot) } else { Err(corrupt) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_comes_back_and_any_flipped_bit_is_seen() {
        let stream = StreamId::from_bytes([5; 16]);
        for slot in [Slot::Live { stream, wrapped: vec![9; 64] }, Slot::Destroyed { stream }] {
            let bytes = slot.encode(3).unwrap();
            assert_eq!(Slot::decode(3, &bytes), Ok(slot));
            assert_eq!(Slot::decode(4, &bytes), Err(KeyError::Corrupt(4)));
            for bit in 0..SLOT_BYTES * 8 {
                let mut bad = bytes;
                bad[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(Slot::decode(3, &bad), Err(KeyError::Corrupt(3)), "bit {bit}");
            }
        }
        assert!(Slot::Live { stream, wrapped: vec![0; 93] }.encode(1).is_err());
    }
}
