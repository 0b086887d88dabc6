//! Keys that follow from one another.

use crate::checkpoint::Checkpoint;
use crate::entry::Entry;
use crate::error::ProofError;
use crate::key::VerifierKey;
use crate::merkle::verify_consistency;
use crate::receipt::Receipt;
use crate::rotation::KeyRotation;

/// Changes of keys that are followed, at most.
const KEYS_MAX: usize = 4096;

/// A key that is trusted, and those that the log has passed on to since, each for what it was there to sign: a key that was
/// given up vouches for nothing that came later.
///
/// ```
/// use countersign_proof::Trust;
///
/// # let (entry, key, receipt) = countersign_proof::example();
/// let trust = Trust::new(key.parse()?);
/// assert_eq!(trust.current().to_string(), key);
/// let checkpoint = trust.receipt(&receipt.parse()?, entry.as_bytes())?;
/// assert_eq!(checkpoint.size(), 3);
/// # Ok::<(), countersign_proof::ProofError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Trust {
    /// Earlier keys, each with the largest size that it may have signed.
    former: Vec<(VerifierKey, u64)>,
    current: VerifierKey,
}

impl Trust {
    /// Trusts a key.
    #[must_use]
    pub const fn new(key: VerifierKey) -> Self {
        Self { former: Vec::new(), current: key }
    }

    /// The key that signs now, as far as is known.
    #[must_use]
    pub const fn current(&self) -> &VerifierKey {
        &self.current
    }

    /// Passes on to the next key by the entry of the log that says so, which is at an index of it.
    ///
    /// That it is in the log is not looked at: both keys have signed what it says.
    ///
    /// # Errors
    /// As [`KeyRotation::of_entry`]; [`ProofError::OutOfRange`] when the entry is at another place than its statement and the
    /// changes before it allow.
    pub fn follow(&mut self, entry: &Entry<'_>, index: u64) -> Result<(), ProofError> {
        let rotation = KeyRotation::of_entry(entry, &self.current)?;
        let before = self.former.last().map_or(0, |(_, until)| *until);
        if index < rotation.size() || index < before {
            return Err(ProofError::OutOfRange);
        }
        if self.former.len() >= KEYS_MAX {
            return Err(ProofError::TooLong { what: "changes of keys", max: KEYS_MAX });
        }
        // The first checkpoint with the entry in it is signed by both.
        let until = index.saturating_add(1);
        self.former.push((std::mem::replace(&mut self.current, rotation.new_key().clone()), until));
        Ok(())
    }

    /// Passes on from key to key by the receipts of the entries that say so, in their order, each with its entry in it. What is
    /// only learnt from a later one is good for an earlier one, too: a receipt may be under any checkpoint since. Nothing is
    /// passed on when one of them does not hold.
    ///
    /// # Errors
    /// As [`Trust::follow`] and [`Trust::receipt`]; [`ProofError::Malformed`] when a receipt does not have its entry with it.
    pub fn follow_receipts(&mut self, receipts: &[Receipt]) -> Result<(), ProofError> {
        let missing = ProofError::Malformed("the receipt does not have its entry with it");
        let mut next = self.clone();
        for receipt in receipts {
            next.follow(&Entry::read(receipt.extra().ok_or(missing)?)?, receipt.index())?;
        }
        for receipt in receipts {
            next.receipt(receipt, receipt.extra().ok_or(missing)?)?;
        }
        *self = next;
        Ok(())
    }

    /// Opens a checkpoint that one of the keys has signed while it was there to do so.
    ///
    /// # Errors
    /// See [`Checkpoint::open`].
    pub fn checkpoint(&self, text: &str) -> Result<Checkpoint, ProofError> {
        self.by_any(|key| Checkpoint::open(text, std::slice::from_ref(key)))
    }

    /// Checks a receipt of an entry.
    ///
    /// # Errors
    /// See [`Receipt::verify`].
    pub fn receipt(&self, receipt: &Receipt, entry: &[u8]) -> Result<Checkpoint, ProofError> {
        self.by_any(|key| receipt.verify(entry, std::slice::from_ref(key)))
    }

    fn by_any(&self, open: impl Fn(&VerifierKey) -> Result<Checkpoint, ProofError>) -> Result<Checkpoint, ProofError> {
        let mut failed = match open(&self.current) {
            Ok(opened) => return Ok(opened),
            Err(cause) => cause,
        };
        for (key, until) in self.former.iter().rev() {
            match open(key) {
                Ok(opened) if opened.size() <= *until => return Ok(opened),
                Ok(_) => return Err(ProofError::NoTrustedSignature),
                // What another key has not signed says nothing of why this one does not believe it.
                Err(ProofError::NoTrustedSignature) => {}
                Err(cause) => failed = cause,
            }
        }
        Err(failed)
    }

    /// Checks that a log has only grown since an earlier checkpoint: `growth` is the line `old SIZE`, the hashes of the proof,
    /// an empty line, and the later checkpoint, as a witness gets it (C2SP `tlog-witness`). A checkpoint alone will do when
    /// nothing was added.
    ///
    /// # Errors
    /// See [`Trust::checkpoint`] and [`Checkpoint::continues`]; [`ProofError::Malformed`] when the text is of another form, or
    /// begins at another size.
    pub fn growth(&self, earlier: &Checkpoint, growth: &str) -> Result<Checkpoint, ProofError> {
        let malformed = ProofError::Malformed("a proof of growth is an old size, hashes, and a checkpoint");
        let Some(rest) = growth.strip_prefix("old ") else {
            let later = self.checkpoint(growth)?;
            later.continues(earlier, &[])?;
            return Ok(later);
        };
        let (head, checkpoint) = rest.split_once("\n\n").ok_or(malformed)?;
        let mut lines = head.split('\n');
        if lines.next().and_then(crate::checkpoint::number) != Some(earlier.size()) {
            return Err(ProofError::Malformed("the proof of growth begins at another size"));
        }
        let mut proof = Vec::new();
        for line in lines {
            if proof.len() == crate::receipt::PROOF_HASHES_MAX {
                return Err(ProofError::TooLong { what: "hashes of a proof", max: crate::receipt::PROOF_HASHES_MAX });
            }
            proof.push(line.parse()?);
        }
        let later = self.checkpoint(checkpoint)?;
        if later.origin() != earlier.origin() {
            return Err(ProofError::OtherLog);
        }
        verify_consistency((earlier.size(), earlier.root()), (later.size(), later.root()), &proof)?;
        Ok(later)
    }
}
