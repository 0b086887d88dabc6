//! That a log passed from one key to the next.

use crate::checkpoint::number;
use crate::entry::Entry;
use crate::error::ProofError;
use crate::key::VerifierKey;
use crate::note::SignedNote;

const FIRST_LINE: &str = "countersign signing key rotation v1";
/// The number of the type of the entry that says so.
const EVENT_TYPE: u16 = 0x7f01;

/// A statement, signed by both keys, that a log is signed with another key from then on. Its first line is the name of no
/// log, so it is never taken for a checkpoint, nor the other way round.
///
/// ```
/// use countersign_proof::{KeyRotation, ProofError};
///
/// # let (_, key, _) = countersign_proof::example();
/// let statement = "countersign signing key rotation v1\n\n— example.com/mfa AAAAAAAA\n";
/// assert!(KeyRotation::open(statement, &key.parse()?).is_err());
/// # Ok::<(), ProofError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRotation {
    new: VerifierKey,
    size: u64,
}

impl KeyRotation {
    /// Reads a statement by which a trusted key names its successor.
    ///
    /// # Errors
    /// See [`SignedNote::verify`]; [`ProofError::NoTrustedSignature`] when it is about another key, or one of the two has not
    /// signed; [`ProofError::Malformed`] when it is no such statement.
    pub fn open(statement: &str, trusted: &VerifierKey) -> Result<Self, ProofError> {
        let malformed = ProofError::Malformed("a change of keys names the log, the old key, the new key, and a size");
        let note: SignedNote = statement.parse()?;
        let text = note.verify(std::slice::from_ref(trusted))?;
        let mut lines = text.strip_suffix('\n').ok_or(malformed)?.split('\n');
        if lines.next() != Some(FIRST_LINE) || lines.next() != Some(trusted.name()) {
            return Err(malformed);
        }
        let (Some(old), Some(new), Some(size), None) = (lines.next(), lines.next(), lines.next(), lines.next()) else {
            return Err(malformed);
        };
        let (old, new): (VerifierKey, VerifierKey) = (old.parse()?, new.parse()?);
        if old != *trusted || new.name() != trusted.name() || new == old {
            return Err(ProofError::NoTrustedSignature);
        }
        note.verify(std::slice::from_ref(&new))?;
        Ok(Self { new, size: number(size).ok_or(malformed)? })
    }

    /// The same from the entry of the log that holds the statement.
    ///
    /// # Errors
    /// As [`KeyRotation::open`]; [`ProofError::Malformed`] when the entry is another one.
    pub fn of_entry(entry: &Entry<'_>, trusted: &VerifierKey) -> Result<Self, ProofError> {
        let statement = str::from_utf8(entry.body)
            .ok()
            .filter(|_| (entry.event_type, entry.type_version, entry.key_id) == (EVENT_TYPE, 1, None));
        Self::open(statement.ok_or(ProofError::Malformed("the entry is no change of keys"))?, trusted)
    }

    /// The key that signs from then on.
    #[must_use]
    pub const fn new_key(&self) -> &VerifierKey {
        &self.new
    }

    /// How many entries the log had at least.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }
}
