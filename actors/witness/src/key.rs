//! Keys of witnesses, and what they sign (C2SP `tlog-cosignature`, Ed25519).

use std::fmt;

use data_encoding::{BASE64, HEXLOWER};
use ring::signature::{ED25519, UnparsedPublicKey};
use sha2::{Digest, Sha256};

/// The type byte of Ed25519 cosignatures.
const TYPE_COSIGNATURE: u8 = 0x04;
/// The longest name of a witness, in bytes.
const NAME_BYTES_MAX: usize = 256;

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct WitnessKey {
    name: String,
    key: [u8; 32],
}

impl WitnessKey {
    pub(crate) fn of(name: &str, key: [u8; 32]) -> Self {
        Self { name: name.to_owned(), key }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (name, rest) = text.split_once('+')?;
        let (_, typed) = rest.split_once('+')?;
        let typed = BASE64.decode(typed.as_bytes()).ok()?;
        let (&TYPE_COSIGNATURE, key) = typed.split_first()? else { return None };
        let plain = !name.is_empty()
            && name.len() <= NAME_BYTES_MAX
            && !name.chars().any(|c| c.is_whitespace() || c.is_control());
        let key = Self::of(name, key.try_into().ok()?);
        (plain && key.to_string() == text).then_some(key)
    }

    fn id(&self) -> [u8; 4] {
        let hash =
            Sha256::new().chain_update(&self.name).chain_update([b'\n', TYPE_COSIGNATURE]).chain_update(self.key);
        let [a, b, c, d, ..] = <[u8; 32]>::from(hash.finalize());
        [a, b, c, d]
    }

    /// Whether a line is this witness's signature of a checkpoint: a time, and what it has seen then.
    pub(crate) fn has_cosigned(&self, line: &str, note: &str) -> bool {
        let Some((name, signature)) = line.strip_prefix("— ").and_then(|line| line.split_once(' ')) else {
            return false;
        };
        let bytes = BASE64.decode(signature.as_bytes()).unwrap_or_default();
        let Some((id, rest)) = bytes.split_first_chunk::<4>() else { return false };
        let Some((time, signature)) = rest.split_first_chunk::<8>() else { return false };
        let Some(end) = note.rfind("\n\n") else { return false };
        let text = note.get(..=end).unwrap_or_default();
        let signed = format!("cosignature/v1\ntime {}\n{text}", u64::from_be_bytes(*time));
        name == self.name
            && *id == self.id()
            && UnparsedPublicKey::new(&ED25519, &self.key).verify(signed.as_bytes(), signature).is_ok()
    }
}

impl fmt::Display for WitnessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut typed = [TYPE_COSIGNATURE; 33];
        typed[1..].copy_from_slice(&self.key);
        write!(f, "{}+{}+{}", self.name, HEXLOWER.encode(&self.id()), BASE64.encode(&typed))
    }
}

impl fmt::Debug for WitnessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
