//! Keys of encrypted PSKC documents: AES-CBC under a pre-shared key or one derived from a password,
//! with HMAC over what is encrypted (RFC 6030, section 6).

use aes::cipher::{Block, BlockCipherDecrypt, BlockModeDecrypt as _, BlockSizeUser, KeyInit, KeyIvInit as _};
use aes::{Aes128, Aes192, Aes256};
use hmac::{Hmac, Mac as _};
use pbkdf2::pbkdf2_hmac;
use roxmltree::Node;
use sha1::Sha1;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::pskc::{child, decode};
use super::{FileError, Reason, Unlock, shown};

/// The most rounds of key derivation that a file may ask for.
pub(super) const ITERATIONS_MAX: u64 = 5_000_000;
/// Bytes of a block, and of the initialisation vector before a ciphertext.
const BLOCK_BYTES: usize = 16;

const XENC: &str = "http://www.w3.org/2001/04/xmlenc#";
const HMAC_SHA1: &str = "http://www.w3.org/2000/09/xmldsig#hmac-sha1";
const HMAC_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256";
const PBKDF2: [&str; 2] =
    ["http://www.rsasecurity.com/rsalabs/pkcs/schemas/pkcs-5v2-0#pbkdf2", "http://www.w3.org/2009/xmlenc11#pbkdf2"];

/// The ciphers that are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Cipher {
    Aes128,
    Aes192,
    Aes256,
}

impl Cipher {
    fn of(uri: &str) -> Result<Self, String> {
        match uri.strip_prefix(XENC) {
            Some("aes128-cbc") => Ok(Self::Aes128),
            Some("aes192-cbc") => Ok(Self::Aes192),
            Some("aes256-cbc") => Ok(Self::Aes256),
            _ => Err(shown(uri)),
        }
    }

    /// Decrypts what begins with its initialisation vector. Never called on what no code vouches for,
    /// but for the code's own key.
    fn decrypt(self, key: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (iv, ciphertext) = sealed.split_first_chunk::<BLOCK_BYTES>()?;
        match self {
            Self::Aes128 => decrypt_cbc::<Aes128>(key, iv, ciphertext),
            Self::Aes192 => decrypt_cbc::<Aes192>(key, iv, ciphertext),
            Self::Aes256 => decrypt_cbc::<Aes256>(key, iv, ciphertext),
        }
    }
}

/// Something encrypted.
pub(super) struct Encrypted {
    cipher: Cipher,
    /// Initialisation vector and ciphertext.
    sealed: Zeroizing<Vec<u8>>,
}

impl Encrypted {
    /// Reads an element of XML Encryption; the error is the name of an unsupported cipher.
    pub(super) fn read(node: Node<'_, '_>) -> Result<Option<Self>, String> {
        let method = child(node, "EncryptionMethod").and_then(|method| method.attribute("Algorithm"));
        let cipher = Cipher::of(method.unwrap_or("nothing"))?;
        let value = child(node, "CipherData").and_then(|data| child(data, "CipherValue"));
        let sealed = value.and_then(|value| value.text()).and_then(decode);
        Ok(sealed.map(|sealed| Self { cipher, sealed }))
    }
}

/// What opens the values of a document.
pub(super) struct Keys {
    key: Zeroizing<Vec<u8>>,
    mac: Option<MacKey>,
}

enum MacKey {
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
}

impl Keys {
    /// Reads how a document is encrypted; `None` when it is not.
    pub(super) fn read(container: Node<'_, '_>, unlock: &Unlock) -> Result<Option<Self>, FileError> {
        let Some(encryption) = child(container, "EncryptionKey") else { return Ok(None) };
        let key = match child(encryption, "DerivedKey") {
            Some(derived) => derive(derived, unlock)?,
            None => unlock.key.clone().ok_or(FileError::KeyNeeded)?,
        };
        let mac = match child(container, "MACMethod") {
            Some(method) => Some(MacKey::read(method, &key)?),
            None => None,
        };
        Ok(Some(Self { key, mac }))
    }

    /// Opens a value whose code fits. The code is checked first: a padding that is looked at before
    /// would tell about the key.
    pub(super) fn open(&self, value: &Encrypted, mac: &[u8]) -> Result<Zeroizing<Vec<u8>>, Reason> {
        let fits = match self.mac.as_ref().ok_or(Reason::NoMac)? {
            MacKey::Sha1(key) => key.clone().chain_update(&*value.sealed).verify_slice(mac).is_ok(),
            MacKey::Sha256(key) => key.clone().chain_update(&*value.sealed).verify_slice(mac).is_ok(),
        };
        if !fits {
            return Err(Reason::WrongMac);
        }
        value.cipher.decrypt(&self.key, &value.sealed).ok_or(Reason::BadSecret)
    }
}

impl MacKey {
    fn read(method: Node<'_, '_>, key: &[u8]) -> Result<Self, FileError> {
        let mac_key = match child(method, "MACKey") {
            Some(node) => {
                let encrypted = Encrypted::read(node).map_err(FileError::Unsupported)?;
                let encrypted = encrypted.ok_or(FileError::WrongKey)?;
                encrypted.cipher.decrypt(key, &encrypted.sealed).ok_or(FileError::WrongKey)?
            }
            None => Zeroizing::new(key.to_vec()),
        };
        let uri = method.attribute("Algorithm").unwrap_or("nothing");
        let wrong = |_| FileError::WrongKey;
        match uri {
            HMAC_SHA1 => Hmac::new_from_slice(&mac_key).map(Self::Sha1).map_err(wrong),
            HMAC_SHA256 => Hmac::new_from_slice(&mac_key).map(Self::Sha256).map_err(wrong),
            other => Err(FileError::Unsupported(shown(other))),
        }
    }
}

/// The key that a password gives (RFC 8018, section 5.2).
fn derive(derived: Node<'_, '_>, unlock: &Unlock) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let unsupported = |what: &str| FileError::Unsupported(shown(what));
    let method = child(derived, "KeyDerivationMethod").ok_or_else(|| unsupported("a derived key"))?;
    let algorithm = method.attribute("Algorithm").unwrap_or("nothing");
    if !PBKDF2.contains(&algorithm) {
        return Err(unsupported(algorithm));
    }
    let parameters = child(method, "PBKDF2-params").ok_or_else(|| unsupported("PBKDF2 without parameters"))?;
    let text = |name| child(parameters, name).and_then(|node| node.text()).map(str::trim);
    let salt = child(parameters, "Salt").and_then(|salt| child(salt, "Specified")).and_then(|node| node.text());
    let salt = salt.and_then(decode).ok_or_else(|| unsupported("PBKDF2 without a salt"))?;
    let rounds: Option<u64> = text("IterationCount").and_then(|count| count.parse().ok());
    let rounds = rounds.filter(|rounds| *rounds > 0).ok_or_else(|| unsupported("PBKDF2 without a number of rounds"))?;
    if rounds > ITERATIONS_MAX {
        return Err(FileError::TooManyIterations(rounds));
    }
    let rounds = u32::try_from(rounds).map_err(|_| FileError::TooManyIterations(rounds))?;
    let length: Option<usize> = text("KeyLength").and_then(|length| length.parse().ok());
    let length = length.filter(|length| matches!(length, 16 | 24 | 32));
    let length = length.ok_or_else(|| unsupported("PBKDF2 with an odd key length"))?;
    let function = child(parameters, "PRF").and_then(|node| node.attribute("Algorithm")).unwrap_or(HMAC_SHA1);
    let password = unlock.password.as_ref().ok_or(FileError::PasswordNeeded)?.expose().as_bytes();

    let mut key = Zeroizing::new(vec![0; length]);
    if function.ends_with("hmac-sha1") {
        pbkdf2_hmac::<Sha1>(password, &salt, rounds, &mut key);
    } else if function.ends_with("hmac-sha256") {
        pbkdf2_hmac::<Sha256>(password, &salt, rounds, &mut key);
    } else {
        return Err(unsupported(function));
    }
    Ok(key)
}

/// CBC with the padding of XML Encryption: the last byte counts the bytes to drop, the others are
/// anything. PKCS #7 is a case of it.
fn decrypt_cbc<C>(key: &[u8], iv: &[u8; BLOCK_BYTES], ciphertext: &[u8]) -> Option<Zeroizing<Vec<u8>>>
where
    C: BlockCipherDecrypt + KeyInit + BlockSizeUser,
{
    let mut decryptor = cbc::Decryptor::<C>::new_from_slices(key, iv).ok()?;
    let mut plain = Zeroizing::new(ciphertext.to_vec());
    if plain.is_empty() || !plain.len().is_multiple_of(BLOCK_BYTES) {
        return None;
    }
    for block in plain.chunks_exact_mut(BLOCK_BYTES) {
        decryptor.decrypt_block(<&mut Block<C>>::try_from(block).ok()?);
    }
    let padding = usize::from(*plain.last()?);
    let length = plain.len().checked_sub(padding)?;
    if padding == 0 || padding > BLOCK_BYTES {
        return None;
    }
    plain.truncate(length);
    Some(plain)
}
