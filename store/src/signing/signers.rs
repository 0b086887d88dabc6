//! The list of the log's keys: public ones in the clear, the private one in use wrapped by the key ring.

use std::fmt;
use std::fmt::Write as _;

use data_encoding::HEXLOWER;

use super::key::{PublicKey, SigningKey};
use crate::error::KeyError;
use crate::keys::{DataKey, KeyRing, is_by};
use crate::limits::{SIGNING_KEYS_MAX, WRAPPED_KEY_BYTES_MAX};

/// The first line of the list.
const FIRST_LINE: &str = "countersign signers 1";

#[derive(Clone, PartialEq, Eq)]
struct Signer {
    public: PublicKey,
    /// The seed as the key ring wrapped it; none any more for a key that was given up.
    wrapped: Option<Vec<u8>>,
}

/// Keys by their number, from 1 on. The last one has a seed; the one before it has one only while it is being replaced.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Signers(Vec<Signer>);

impl fmt::Debug for Signers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signers({} keys)", self.0.len())
    }
}

/// What a seed is wrapped for: another number does not unwrap it.
fn context(number: usize) -> Vec<u8> {
    let mut context = b"countersign signing key".to_vec();
    context.extend_from_slice(&(number as u64).to_be_bytes());
    context
}

impl Signers {
    /// Reads the stored form. Strict: what it accepts, [`Signers::text`] gives back byte for byte.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let text = str::from_utf8(bytes).map_err(|_| "it is not a text")?;
        let mut lines = text.lines();
        if lines.next() != Some(FIRST_LINE) {
            return Err("the first line is not that of a list of signing keys");
        }
        let mut keys = Vec::new();
        for line in lines {
            keys.push(parse_line(line, keys.len() + 1)?);
            if keys.len() > SIGNING_KEYS_MAX {
                return Err("there are too many keys");
            }
        }
        let origin = keys.first().map(|first: &Signer| first.public.origin().to_owned());
        if keys.iter().any(|key| Some(key.public.origin()) != origin.as_deref()) {
            return Err("it has keys of several logs");
        }
        let with_seed = keys.iter().rev().take_while(|key| key.wrapped.is_some()).count();
        if !(1..=2).contains(&with_seed) || keys.iter().filter(|key| key.wrapped.is_some()).count() != with_seed {
            return Err("another key than the last one has a seed");
        }
        let list = Self(keys);
        if list.text().as_bytes() == bytes { Ok(list) } else { Err("a line is not as it is written") }
    }

    /// The stored form.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{FIRST_LINE}\n");
        for (at, Signer { public, wrapped }) in self.0.iter().enumerate() {
            let _ = write!(text, "{} {public}", at + 1);
            if let Some(wrapped) = wrapped {
                let _ = write!(text, " {}", HEXLOWER.encode(wrapped));
            }
            text.push('\n');
        }
        text
    }

    /// Makes the next key, and puts it last.
    pub(crate) fn make(&mut self, ring: &dyn KeyRing, origin: Option<&str>) -> Result<SigningKey, KeyError> {
        let seed = DataKey::random()?;
        let key = SigningKey::from_seed(&seed, origin)?;
        let wrapped = ring.wrap(&seed, &context(self.0.len() + 1))?;
        if wrapped.len() > WRAPPED_KEY_BYTES_MAX {
            return Err(KeyError::Ring("a wrapped key is too long".to_owned()));
        }
        self.0.push(Signer { public: key.public().clone(), wrapped: Some(wrapped) });
        Ok(key)
    }

    /// Unwraps the seed of the last key, or of the one before it.
    pub(crate) fn open(&self, ring: &dyn KeyRing, number: usize) -> Result<SigningKey, KeyError> {
        let found = number.checked_sub(1).and_then(|at| self.0.get(at));
        let Some((public, wrapped)) = found.and_then(|key| Some((&key.public, key.wrapped.as_ref()?))) else {
            return Err(KeyError::Ring(format!("signing key {number} has no seed")));
        };
        let seed = ring.unwrap(wrapped, &context(number))?;
        let key = SigningKey::from_seed(&seed, Some(public.origin()))?;
        if key.public() == public { Ok(key) } else { Err(KeyError::Refused) }
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether the key before the last still has its seed.
    pub(crate) fn is_replacing(&self) -> bool {
        self.0.iter().filter(|key| key.wrapped.is_some()).count() > 1
    }

    pub(crate) fn public(&self, number: usize) -> Option<&PublicKey> {
        self.0.get(number.checked_sub(1)?).map(|key| &key.public)
    }

    pub(crate) fn publics(&self) -> impl Iterator<Item = &PublicKey> {
        self.0.iter().map(|key| &key.public)
    }

    /// Takes back a key that no entry of the log names.
    pub(crate) fn take_back(&mut self) {
        self.0.pop();
    }

    /// How many seeds some key of the ring has wrapped.
    pub(crate) fn wrapped_by(&self, ring: &dyn KeyRing, ring_key: u32) -> Result<u64, KeyError> {
        let mut found = 0;
        for wrapped in self.0.iter().filter_map(|signer| signer.wrapped.as_deref()) {
            found += u64::from(is_by(ring, wrapped, ring_key)?);
        }
        Ok(found)
    }

    /// Wraps the seeds anew that the ring would wrap otherwise by now; says how many.
    pub(crate) fn rewrap(&mut self, ring: &dyn KeyRing) -> Result<u64, KeyError> {
        let mut done = 0;
        for (at, signer) in self.0.iter_mut().enumerate() {
            let Some(wrapped) = signer.wrapped.as_mut().filter(|wrapped| !ring.is_current(wrapped)) else { continue };
            let context = context(at + 1);
            *wrapped = ring.wrap(&ring.unwrap(wrapped, &context)?, &context)?;
            done += 1;
        }
        Ok(done)
    }

    /// Forgets every seed but the last.
    pub(crate) fn retire(&mut self) {
        let last = self.0.len().saturating_sub(1);
        self.0.iter_mut().take(last).for_each(|key| key.wrapped = None);
    }
}

fn parse_line(line: &str, number: usize) -> Result<Signer, &'static str> {
    let mut fields = line.split(' ');
    if fields.next() != Some(number.to_string().as_str()) {
        return Err("the keys are not numbered from 1 on");
    }
    let public = fields.next().and_then(PublicKey::parse).ok_or("a key is not a verifier key")?;
    let wrapped = fields.next().map(|hex| HEXLOWER.decode(hex.as_bytes())).transpose();
    let wrapped = wrapped.map_err(|_| "a wrapped seed is not hexadecimal")?;
    if wrapped.as_ref().is_some_and(|bytes| bytes.is_empty() || bytes.len() > WRAPPED_KEY_BYTES_MAX) {
        return Err("a wrapped seed has another length");
    }
    if fields.next().is_some() { Err("a line has too many fields") } else { Ok(Signer { public, wrapped }) }
}
