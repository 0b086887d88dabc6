//! Values that the browser keeps for the console: sealed, so that it can neither read nor change them.
//!
//! ```text
//! value = base64url( nonce 12 bytes | AES-256-GCM-SIV( postcard of the value ) )
//! ```
//!
//! What a value is for, and to whom it is bound, is authenticated with it: a value opens for the same purpose
//! and binding only.

use aes_gcm_siv::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm_siv::{Aes256GcmSiv, Nonce};
use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::engine::{Countersign, Error};

const NONCE_BYTES: usize = 12;
const LABEL: &[u8] = b"countersign console value v1";
/// The longest value that is looked at, in characters; browsers keep about four thousand in a cookie.
pub(super) const SEALED_CHARS_MAX: usize = 3800;

/// What a sealed value is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    /// A sign-in between its two pages.
    Attempt = 1,
    /// An enrolment that a session has begun.
    Enrolment = 2,
    /// A message for the next page.
    Flash = 3,
}

/// Seals and opens.
pub(super) struct Sealer {
    cipher: Aes256GcmSiv,
    engine: Countersign,
}

impl Sealer {
    pub(super) fn new(engine: &Countersign) -> Result<Self, Error> {
        let key = engine.derive_key("console values")?;
        Ok(Self { cipher: Aes256GcmSiv::new((&*key).into()), engine: engine.clone() })
    }

    /// Seals a value; `None` when there is no randomness or it is too large for a cookie.
    pub(super) fn seal(&self, purpose: Purpose, bound_to: &[u8], value: &impl Serialize) -> Option<String> {
        let body = Zeroizing::new(postcard::to_allocvec(value).ok()?);
        let mut nonce = [0; NONCE_BYTES];
        self.engine.fill_random(&mut nonce).ok()?;
        let aad = aad(purpose, bound_to);
        let sealed = self.cipher.encrypt(&Nonce::from(nonce), Payload { msg: &body, aad: &aad }).ok()?;
        let text = BASE64URL_NOPAD.encode(&[&nonce[..], &sealed].concat());
        (text.len() <= SEALED_CHARS_MAX).then_some(text)
    }

    /// Opens a value; `None` for one that is not ours, not for this, or bound to somebody else.
    pub(super) fn open<T: DeserializeOwned>(&self, purpose: Purpose, bound_to: &[u8], text: &str) -> Option<T> {
        if text.len() > SEALED_CHARS_MAX {
            return None;
        }
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>()?;
        let aad = aad(purpose, bound_to);
        let body = self.cipher.decrypt(&Nonce::from(*nonce), Payload { msg: sealed, aad: &aad }).ok()?;
        let body = Zeroizing::new(body);
        let (value, rest) = postcard::take_from_bytes(&body).ok()?;
        rest.is_empty().then_some(value)
    }
}

fn aad(purpose: Purpose, bound_to: &[u8]) -> Vec<u8> {
    [LABEL, &[purpose as u8], bound_to].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Config;

    #[test]
    fn a_value_opens_for_its_purpose_and_binding_only() {
        let engine = Countersign::in_memory(Config::default()).unwrap();
        let sealer = Sealer::new(&engine).unwrap();
        let value = ("lee".to_owned(), 7_u8);
        let text = sealer.seal(Purpose::Attempt, b"a", &value).unwrap();
        let open = |purpose, bound: &[u8], text: &str| sealer.open::<(String, u8)>(purpose, bound, text);
        assert_eq!(open(Purpose::Attempt, b"a", &text), Some(value.clone()));
        assert_eq!(open(Purpose::Enrolment, b"a", &text), None);
        assert_eq!(open(Purpose::Attempt, b"b", &text), None);
        assert_ne!(text, sealer.seal(Purpose::Attempt, b"a", &value).unwrap());
        let other = Countersign::in_memory(Config::default()).unwrap();
        assert_eq!(Sealer::new(&other).unwrap().open::<(String, u8)>(Purpose::Attempt, b"a", &text), None);
    }

    #[test]
    fn every_changed_character_is_refused_and_what_is_too_large_is_not_sealed() {
        let engine = Countersign::in_memory(Config::default()).unwrap();
        let sealer = Sealer::new(&engine).unwrap();
        let text = sealer.seal(Purpose::Flash, b"", &"hello").unwrap();
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(sealer.open::<String>(Purpose::Flash, b"", &changed), None, "{at}");
        }
        for junk in ["", "A", "%", &"A".repeat(SEALED_CHARS_MAX + 4)] {
            assert_eq!(sealer.open::<String>(Purpose::Flash, b"", junk), None);
        }
        assert_eq!(sealer.seal(Purpose::Flash, b"", &"x".repeat(SEALED_CHARS_MAX)), None);
    }
}
