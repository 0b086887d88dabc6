//! The device in the user's hand, written from RFC 4226 and RFC 6238 and from nothing else here.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// Seconds of one step (RFC 6238, section 4.1).
pub const STEP_S: u64 = 30;

/// The six digits of a secret at a counter (RFC 4226, section 5.3).
///
/// # Panics
/// Never: HMAC takes a key of any length, and its last nibble is at most 15.
#[must_use]
pub fn hotp(secret: &[u8], counter: u64) -> u32 {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret).expect("HMAC takes any key");
    mac.update(&counter.to_be_bytes());
    let hash = mac.finalize().into_bytes();
    let at = usize::from(hash[19] & 0x0f);
    let word = u32::from_be_bytes([hash[at] & 0x7f, hash[at + 1], hash[at + 2], hash[at + 3]]);
    word % 1_000_000
}

/// As [`hotp`], remembered: searches over the same counters come again and again.
#[must_use]
pub fn remembered(secret: &[u8], counter: u64) -> u32 {
    type Known = HashMap<Vec<u8>, HashMap<u64, u32>>;
    static KNOWN: OnceLock<Mutex<Known>> = OnceLock::new();
    let known = KNOWN.get_or_init(Mutex::default);
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    if !known.contains_key(secret) {
        known.insert(secret.to_vec(), HashMap::new());
    }
    let codes = known.get_mut(secret).expect("it was put there");
    *codes.entry(counter).or_insert_with(|| hotp(secret, counter))
}

/// Digits as a person types them.
#[must_use]
pub fn digits(code: u32) -> String {
    format!("{code:06}")
}

/// The bytes of an unpadded base32 text (RFC 4648), as an authenticator takes them by hand.
///
/// # Panics
/// When the text is not base32.
#[must_use]
pub fn from_base32(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() * 5 / 8);
    let (mut bits, mut held) = (0u32, 0u32);
    for letter in text.bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'2'..=b'7' => letter - b'2' + 26,
            _ => panic!("not a letter of base32"),
        };
        bits = (bits << 5) | u32::from(value);
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"12345678901234567890";

    /// RFC 4226, appendix D.
    #[test]
    fn the_vectors_of_rfc_4226() {
        let expected = [755_224, 287_082, 359_152, 969_429, 338_314, 254_676, 287_922, 162_583, 399_871, 520_489];
        for (counter, code) in (0..).zip(expected) {
            assert_eq!(hotp(SECRET, counter), code);
            assert_eq!(remembered(SECRET, counter), code);
        }
    }

    /// RFC 6238, appendix B, SHA-1: the last six of the eight digits.
    #[test]
    fn the_vectors_of_rfc_6238() {
        let vectors = [
            (59, 287_082),
            (1_111_111_109, 81_804),
            (1_111_111_111, 50_471),
            (1_234_567_890, 5_924),
            (2_000_000_000, 279_037),
            (20_000_000_000, 353_130),
        ];
        for (seconds, code) in vectors {
            assert_eq!(hotp(SECRET, seconds / STEP_S), code, "{seconds}");
        }
        assert_eq!(digits(hotp(SECRET, 1_111_111_109 / STEP_S)), "081804");
    }

    #[test]
    fn base32_is_read_as_authenticators_read_it() {
        assert_eq!(from_base32("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), SECRET);
        assert_eq!(from_base32("MZXW6YTB"), b"fooba");
    }
}
