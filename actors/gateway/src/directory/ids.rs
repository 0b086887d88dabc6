//! Ids and secrets in the shapes that clients and people expect.

use std::sync::atomic::{AtomicU64, Ordering};

use data_encoding::{BASE32, BASE64};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::engine::{AccountId, Countersign, Error, Request, UserId};
use crate::secret::Secret;

/// Where randomness comes from.
pub trait Randomness {
    /// Fills a buffer with unpredictable bytes.
    ///
    /// # Errors
    /// When no randomness can be had.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), Error>;
}

impl Randomness for Countersign {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), Error> {
        self.fill_random(buffer)
    }
}

/// Randomness for the answer to a request: fresh, or, when the request has an id under which it may be
/// retried, the same for each retry and known to nobody without the key ring.
///
/// # Errors
/// When the key ring fails.
pub fn source(
    engine: &Countersign,
    request: &Request,
    label: &str,
) -> Result<Box<dyn Randomness + Send + Sync>, Error> {
    let Some(command) = request.command else { return Ok(Box::new(engine.clone())) };
    let key = engine.derive_key(label)?;
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(&*key);
    let mac = Hmac::new(&(*block).into()).chain_update(command.as_bytes());
    Ok(Box::new(Repeatable { mac, taken: AtomicU64::new(0) }))
}

/// HMAC of the id of a command and a counter.
struct Repeatable {
    mac: Hmac<Sha256>,
    taken: AtomicU64,
}

impl Randomness for Repeatable {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), Error> {
        for chunk in buffer.chunks_mut(32) {
            let number = self.taken.fetch_add(1, Ordering::Relaxed);
            let block = self.mac.clone().chain_update(number.to_be_bytes()).finalize().into_bytes();
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
        Ok(())
    }
}

/// Letters and digits that are not mistaken for each other when a password is typed: 32 of them.
const PASSWORD_ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Characters of a password, of five bits each.
const PASSWORD_CHARS: usize = 25;
/// Characters between two dashes of a password.
const PASSWORD_GROUP: usize = 5;

/// Upper-case letters and digits after a prefix, as ids of IAM have them.
fn prefixed(random: &dyn Randomness, prefix: &str, chars: usize) -> Result<String, Error> {
    let mut bytes = [0; 15];
    random.fill(&mut bytes)?;
    let mut text = BASE32.encode(&bytes);
    text.truncate(chars);
    Ok(format!("{prefix}{text}"))
}

/// A new user id: `AIDA` and 17 characters.
///
/// # Errors
/// When no randomness can be had.
pub fn user_id(random: &dyn Randomness) -> Result<UserId, Error> {
    let text = prefixed(random, "AIDA", 17)?;
    // Letters and digits always make an id.
    UserId::new(text).or_else(|_| user_id(random))
}

/// A new access key id: `AKIA` and 16 characters.
///
/// # Errors
/// When no randomness can be had.
pub fn access_key_id(random: &dyn Randomness) -> Result<String, Error> {
    prefixed(random, "AKIA", 16)
}

/// A new id for the key of a session: `ASIA` and 16 characters (R145).
///
/// # Errors
/// When no randomness can be had.
pub fn session_key_id(random: &dyn Randomness) -> Result<String, Error> {
    prefixed(random, "ASIA", 16)
}

/// A new secret access key: 40 characters that stand for 240 bits.
///
/// # Errors
/// When no randomness can be had.
pub fn secret_access_key(random: &dyn Randomness) -> Result<Secret, Error> {
    let mut bytes = Zeroizing::new([0; 30]);
    random.fill(&mut *bytes)?;
    Ok(Secret::new(BASE64.encode(&*bytes)))
}

/// A new account id: twelve digits, the first of them not zero.
///
/// # Errors
/// When no randomness can be had.
pub fn account_id(random: &dyn Randomness) -> Result<AccountId, Error> {
    const FIRST: u64 = 100_000_000_000;
    let mut bytes = [0; 8];
    random.fill(&mut bytes)?;
    let number = FIRST + u64::from_be_bytes(bytes) % (9 * FIRST);
    AccountId::from_number(number).map_or_else(|| account_id(random), Ok)
}

/// A new password: 125 bits in five groups of letters and digits.
pub(super) fn password(random: &dyn Randomness) -> Result<Secret, Error> {
    let mut bytes = Zeroizing::new([0; PASSWORD_CHARS]);
    random.fill(&mut *bytes)?;
    let mut text = Zeroizing::new(String::with_capacity(PASSWORD_CHARS * 2));
    for (at, byte) in bytes.iter().enumerate() {
        if at > 0 && at % PASSWORD_GROUP == 0 {
            text.push('-');
        }
        text.push(char::from(PASSWORD_ALPHABET[usize::from(byte % 32)]));
    }
    Ok(Secret::new(text.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    struct Counting(Cell<u8>);

    impl Randomness for Counting {
        fn fill(&self, buffer: &mut [u8]) -> Result<(), Error> {
            for byte in buffer {
                *byte = self.0.get();
                self.0.set(self.0.get().wrapping_add(37));
            }
            Ok(())
        }
    }

    #[test]
    fn ids_have_their_shapes() {
        let random = Counting(Cell::new(5));
        let upper = |text: &str| text.bytes().all(|b| b.is_ascii_uppercase() || (b'2'..=b'7').contains(&b));
        let user = user_id(&random).unwrap();
        assert!(user.as_str().starts_with("AIDA") && user.as_str().len() == 21 && upper(user.as_str()));
        for (id, prefix) in [(access_key_id(&random), "AKIA"), (session_key_id(&random), "ASIA")] {
            let id = id.unwrap();
            assert!(id.starts_with(prefix) && id.len() == 20 && upper(&id), "{id}");
        }
        assert_eq!(secret_access_key(&random).unwrap().expose().len(), 40);
        assert_ne!(secret_access_key(&random).unwrap(), secret_access_key(&random).unwrap());
        let account = account_id(&random).unwrap().to_string();
        assert!(account.len() == 12 && !account.starts_with('0'));
        let password = password(&random).unwrap();
        assert_eq!(password.expose().split('-').map(str::len).collect::<Vec<_>>(), [5; 5]);
    }

    #[test]
    fn a_retry_gets_the_same_randomness_and_nobody_else_does() {
        let engine = Countersign::in_memory(crate::engine::Config::default()).unwrap();
        let request = |command: Option<&str>| {
            let request = Request::by(crate::engine::Caller::operator());
            match command {
                Some(command) => request.with_command(crate::engine::CommandId::derive(&[command])),
                None => request,
            }
        };
        let take = |command, label| {
            let mut bytes = [0; 80];
            source(&engine, &request(command), label).unwrap().fill(&mut bytes).unwrap();
            bytes
        };
        assert_eq!(take(Some("a"), "x"), take(Some("a"), "x"));
        assert_ne!(take(Some("a"), "x"), take(Some("b"), "x"));
        assert_ne!(take(Some("a"), "x"), take(Some("a"), "y"));
        assert_ne!(take(None, "x"), take(None, "x"));
        assert_ne!(take(Some("a"), "x")[..32], take(Some("a"), "x")[32..64]);
    }
}
