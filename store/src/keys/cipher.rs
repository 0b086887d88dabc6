//! Sealing of bytes: AES-256-GCM-SIV, a random nonce in front, the tag at the end.

use std::fmt;
use std::sync::Arc;

use aes_gcm_siv::aead::{AeadInOut, KeyInit};
use aes_gcm_siv::{Aes256GcmSiv, Nonce, Tag};

use super::DataKey;
use crate::error::KeyError;

/// Bytes of the nonce in front of sealed bytes.
pub const NONCE_BYTES: usize = 12;
/// Bytes of the tag behind sealed bytes.
pub const TAG_BYTES: usize = 16;
/// What sealing adds to a body.
pub const SEAL_BYTES: usize = NONCE_BYTES + TAG_BYTES;

/// A data key made ready for use; copies share it.
#[derive(Clone)]
pub(crate) struct Cipher(Arc<Aes256GcmSiv>);

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cipher(..)")
    }
}

impl Cipher {
    pub(crate) fn new(key: &DataKey) -> Self {
        Self(Arc::new(Aes256GcmSiv::new(key.expose().into())))
    }

    /// Seals bytes under a fresh nonce.
    pub(crate) fn seal(&self, aad: &[u8], clear: &[u8]) -> Result<Vec<u8>, KeyError> {
        let mut out = Vec::with_capacity(clear.len() + SEAL_BYTES);
        seal_onto(&mut out, self, Randomness::fresh()?, aad, clear)?;
        Ok(out)
    }

    /// Opens what was sealed with the same `aad`.
    pub(crate) fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, KeyError> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(KeyError::Refused)?;
        let (body, tag) = rest.split_last_chunk::<TAG_BYTES>().ok_or(KeyError::Refused)?;
        let mut clear = body.to_vec();
        self.0
            .decrypt_inout_detached(&Nonce::from(*nonce), aad, clear.as_mut_slice().into(), &Tag::from(*tag))
            .map_err(|_| KeyError::Refused)?;
        Ok(clear)
    }
}

/// Appends the sealed form of some bytes.
pub(crate) fn seal_onto(
    out: &mut Vec<u8>,
    cipher: &Cipher,
    nonce: [u8; NONCE_BYTES],
    aad: &[u8],
    clear: &[u8],
) -> Result<(), KeyError> {
    out.extend_from_slice(&nonce);
    let start = out.len();
    out.extend_from_slice(clear);
    let sealed = cipher.0.encrypt_inout_detached(&Nonce::from(nonce), aad, out[start..].as_mut().into());
    let tag = sealed.map_err(|_| KeyError::Refused)?;
    out.extend_from_slice(&tag);
    Ok(())
}

/// Randomness fetched in bulk: a system call for each nonce would cost as much as the sealing.
pub(crate) struct Randomness {
    bytes: [u8; Self::BYTES],
    used: usize,
}

impl Randomness {
    const BYTES: usize = NONCE_BYTES * 256;

    pub(crate) const fn new() -> Self {
        Self { bytes: [0; Self::BYTES], used: Self::BYTES }
    }

    /// One nonce that was not handed out before.
    pub(crate) fn nonce(&mut self) -> Result<[u8; NONCE_BYTES], KeyError> {
        if self.used == Self::BYTES {
            getrandom::fill(&mut self.bytes).map_err(|_| KeyError::Entropy)?;
            self.used = 0;
        }
        let mut nonce = [0; NONCE_BYTES];
        nonce.copy_from_slice(&self.bytes[self.used..self.used + NONCE_BYTES]);
        self.used += NONCE_BYTES;
        Ok(nonce)
    }

    /// One nonce straight from the operating system.
    pub(crate) fn fresh() -> Result<[u8; NONCE_BYTES], KeyError> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|_| KeyError::Entropy)?;
        Ok(nonce)
    }
}

impl fmt::Debug for Randomness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Randomness(..)")
    }
}
