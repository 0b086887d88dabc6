//! Keys that are trusted.

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE64, HEXLOWER};
use ring::signature::{ED25519, UnparsedPublicKey};
use sha2::{Digest, Sha256};

use crate::error::ProofError;

/// The type byte of Ed25519 (C2SP `signed-note`).
const TYPE_ED25519: u8 = 0x01;
/// The longest name of a key, in bytes.
const NAME_BYTES_MAX: usize = 256;

/// A public key that is trusted, as the log prints it: `NAME+ID+KEY`.
///
/// `NAME` is the origin of the log; `ID` eight digits that name the key among its keys; `KEY` a type byte and the Ed25519
/// key in base64.
///
/// ```
/// use countersign_proof::VerifierKey;
///
/// # let (_, text, _) = countersign_proof::example();
/// let key: VerifierKey = text.parse()?;
/// assert_eq!(key.name(), "example.com/mfa");
/// assert_eq!(key.to_string(), text);
/// # Ok::<(), countersign_proof::ProofError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: [u8; 4],
    key: [u8; 32],
}

impl VerifierKey {
    /// The key of a name.
    ///
    /// # Errors
    /// When no key can have this name: it is empty or long, or has a space, a plus sign or a control character in it.
    pub fn new(name: &str, key: [u8; 32]) -> Result<Self, ProofError> {
        if !is_name(name) {
            return Err(ProofError::Malformed("no key can have this name"));
        }
        Ok(Self { name: name.to_owned(), id: id_of(name, &key), key })
    }

    /// Its name: the origin of the log.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn is(&self, name: &str, id: [u8; 4]) -> bool {
        self.name == name && self.id == id
    }

    pub(crate) fn has_signed(&self, text: &str, signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.key).verify(text.as_bytes(), signature).is_ok()
    }
}

pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

fn id_of(name: &str, key: &[u8; 32]) -> [u8; 4] {
    let hash = Sha256::new().chain_update(name).chain_update([b'\n', TYPE_ED25519]).chain_update(key).finalize();
    [hash[0], hash[1], hash[2], hash[3]]
}

impl FromStr for VerifierKey {
    type Err = ProofError;

    fn from_str(text: &str) -> Result<Self, ProofError> {
        let malformed = ProofError::Malformed("a verifier key is NAME+ID+KEY");
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(malformed);
        };
        if key.len() != 44 {
            return Err(malformed);
        }
        let key = BASE64.decode(key.as_bytes()).map_err(|_| malformed)?;
        let Some((&TYPE_ED25519, key)) = key.split_first() else {
            return Err(ProofError::Malformed("the verifier key is not of Ed25519"));
        };
        let found = Self::new(name, key.try_into().map_err(|_| malformed)?)?;
        if HEXLOWER.encode(&found.id) != id {
            return Err(ProofError::Malformed("the verifier key does not have the id that it says"));
        }
        Ok(found)
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut typed = [TYPE_ED25519; 33];
        typed[1..].copy_from_slice(&self.key);
        write!(f, "{}+{}+{}", self.name, HEXLOWER.encode(&self.id), BASE64.encode(&typed))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
