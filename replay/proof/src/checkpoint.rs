//! What a log has signed of itself (C2SP `tlog-checkpoint`).

use crate::error::ProofError;
use crate::hash::Hash;
use crate::key::VerifierKey;
use crate::merkle::verify_consistency;
use crate::note::SignedNote;

/// The size and the root of a log, signed by it.
///
/// ```
/// use countersign_proof::{Checkpoint, Receipt, VerifierKey};
///
/// # let (_, key, receipt) = countersign_proof::example();
/// # let key: VerifierKey = key.parse()?;
/// # let text = receipt.split_once("\n\n").unwrap().1;
/// let checkpoint = Checkpoint::open(text, &[key])?;
/// assert_eq!((checkpoint.origin(), checkpoint.size()), ("example.com/mfa", 3));
/// # Ok::<(), countersign_proof::ProofError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Hash,
}

impl Checkpoint {
    /// Reads a checkpoint that one of the keys has signed. The origin has to be the name of that key.
    ///
    /// # Errors
    /// See [`SignedNote::verify`]; [`ProofError::Malformed`] when what was signed is no checkpoint.
    pub fn open(text: &str, trusted: &[VerifierKey]) -> Result<Self, ProofError> {
        Self::of(&text.parse()?, trusted)
    }

    pub(crate) fn of(note: &SignedNote, trusted: &[VerifierKey]) -> Result<Self, ProofError> {
        let origin = note.first_line();
        // Another log's key, though trusted for that log, says nothing about this one.
        let of_this_log: Vec<VerifierKey> = trusted.iter().filter(|key| key.name() == origin).cloned().collect();
        Self::read(note.verify(&of_this_log)?)
    }

    fn read(text: &str) -> Result<Self, ProofError> {
        let malformed = ProofError::Malformed("a checkpoint is an origin, a size, and a root");
        let mut lines = text.strip_suffix('\n').ok_or(malformed)?.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(malformed);
        };
        if origin.is_empty() || lines.any(str::is_empty) {
            return Err(malformed);
        }
        Ok(Self { origin: origin.to_owned(), size: number(size).ok_or(malformed)?, root: root.parse()? })
    }

    /// Which log it is of.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// How many entries the log had.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree over them.
    #[must_use]
    pub const fn root(&self) -> Hash {
        self.root
    }

    /// Checks that this one continues an earlier one of the same log: nothing that was there was changed or taken out.
    ///
    /// # Errors
    /// [`ProofError::OtherLog`], and those of [`verify_consistency`].
    ///
    /// ```
    /// # use countersign_proof::{Checkpoint, Receipt, VerifierKey};
    /// # let (_, key, receipt) = countersign_proof::example();
    /// # let checkpoint = Checkpoint::open(receipt.split_once("\n\n").unwrap().1, &[key.parse()?])?;
    /// assert!(checkpoint.continues(&checkpoint, &[]).is_ok());
    /// # Ok::<(), countersign_proof::ProofError>(())
    /// ```
    pub fn continues(&self, earlier: &Self, proof: &[Hash]) -> Result<(), ProofError> {
        if self.origin != earlier.origin {
            return Err(ProofError::OtherLog);
        }
        verify_consistency((earlier.size, earlier.root), (self.size, self.root), proof)
    }
}

/// A decimal number as these texts write it: no sign, no leading zero.
pub(crate) fn number(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}
