//! Keys of the log, and their text form.

use std::fmt;
use std::sync::Arc;

use data_encoding::{BASE64, HEXLOWER};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use sha2::{Digest, Sha256};

use crate::error::KeyError;
use crate::keys::{DataKey, KEY_BYTES};
use crate::limits::ORIGIN_BYTES_MAX;

/// The type byte of Ed25519 (C2SP `signed-note`).
const TYPE_ED25519: u8 = 0x01;

/// Whether a log can have a name: it is the name of its keys, too.
pub(crate) fn is_origin(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= ORIGIN_BYTES_MAX
        && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

/// The public half of a key, under the name of its log.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PublicKey {
    origin: Arc<str>,
    key: [u8; KEY_BYTES],
}

impl PublicKey {
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// What a signature line names the key by, together with its name.
    pub(crate) fn id(&self) -> [u8; 4] {
        let mut hash = Sha256::new();
        hash.update(self.origin.as_bytes());
        hash.update([b'\n', TYPE_ED25519]);
        hash.update(self.key);
        let [a, b, c, d, ..] = <[u8; 32]>::from(hash.finalize());
        [a, b, c, d]
    }

    /// Reads `NAME+ID+KEY`; `None` when it is not of that form, or the id is not that of the key.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (origin, rest) = text.split_once('+')?;
        let (_, typed) = rest.split_once('+')?;
        let typed = BASE64.decode(typed.as_bytes()).ok()?;
        let (&TYPE_ED25519, key) = typed.split_first()? else { return None };
        let key = Self { origin: Arc::from(origin), key: key.try_into().ok()? };
        (is_origin(origin) && key.to_string() == text).then_some(key)
    }

    pub(crate) fn has_signed(&self, text: &str, signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.key).verify(text.as_bytes(), signature).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut typed = [TYPE_ED25519; KEY_BYTES + 1];
        typed[1..].copy_from_slice(&self.key);
        write!(f, "{}+{}+{}", self.origin, HEXLOWER.encode(&self.id()), BASE64.encode(&typed))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A key that the log is signed with.
pub(crate) struct SigningKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

impl SigningKey {
    /// The key of a seed. Without a name, the log is called after it: its first key.
    pub(crate) fn from_seed(seed: &DataKey, origin: Option<&str>) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.expose());
        let pair = pair.map_err(|_| KeyError::Ring("a signing key could not be made ready".to_owned()))?;
        let key = pair.public_key().as_ref().try_into();
        let key: [u8; KEY_BYTES] = key.map_err(|_| KeyError::Ring("a public key has another length".to_owned()))?;
        let origin = origin.map_or_else(|| named_after(&key), Arc::from);
        Ok(Self { pair, public: PublicKey { origin, key } })
    }

    pub(crate) const fn public(&self) -> &PublicKey {
        &self.public
    }

    pub(crate) fn sign(&self, text: &str) -> Vec<u8> {
        self.pair.sign(text.as_bytes()).as_ref().to_vec()
    }
}

fn named_after(key: &[u8; KEY_BYTES]) -> Arc<str> {
    let hash = HEXLOWER.encode(&Sha256::digest(key));
    let digits: String = hash.chars().take(32).collect();
    Arc::from(format!("countersign/{digits}"))
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public)
    }
}
