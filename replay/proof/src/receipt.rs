//! That an entry was in a log, as a text (C2SP `tlog-proof`).

use std::str::FromStr;

use data_encoding::BASE64;

use crate::checkpoint::{Checkpoint, number};
use crate::error::ProofError;
use crate::hash::Hash;
use crate::key::VerifierKey;
use crate::merkle::verify_inclusion;
use crate::note::{NOTE_BYTES_MAX, SignedNote};

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";
/// What is sent along with a receipt, at most, in bytes.
pub const EXTRA_BYTES_MAX: usize = 64 * 1024;
/// Hashes of a proof, at most: a tree has no more levels.
pub const PROOF_HASHES_MAX: usize = 64;
/// The longest receipt, in bytes.
const RECEIPT_BYTES_MAX: usize = NOTE_BYTES_MAX + EXTRA_BYTES_MAX * 2;

/// A receipt: where an entry is in a log, the way from it to a root, and the checkpoint with that root.
///
/// ```
/// use countersign_proof::{ProofError, Receipt};
///
/// # let (entry, key, text) = countersign_proof::example();
/// let receipt: Receipt = text.parse()?;
/// assert_eq!(receipt.extra(), Some("why: a lost phone".as_bytes()), "sent along, and not signed");
/// let forged = entry.replace("enabled", "deleted");
/// assert_eq!(receipt.verify(forged.as_bytes(), &[key.parse()?]), Err(ProofError::Mismatch));
/// # Ok::<(), ProofError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    extra: Option<Vec<u8>>,
    index: u64,
    proof: Vec<Hash>,
    checkpoint: SignedNote,
}

impl Receipt {
    /// The place of the entry in the log, from 0.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// What was sent along. Nobody has signed it.
    #[must_use]
    pub fn extra(&self) -> Option<&[u8]> {
        self.extra.as_deref()
    }

    /// The checkpoint, when one of the keys has signed it and the entry is in it at the place that the receipt says.
    ///
    /// # Errors
    /// See [`Checkpoint::open`] and [`verify_inclusion`].
    pub fn verify(&self, entry: &[u8], trusted: &[VerifierKey]) -> Result<Checkpoint, ProofError> {
        let checkpoint = Checkpoint::of(&self.checkpoint, trusted)?;
        let leaf = Hash::of_leaf(entry);
        verify_inclusion(leaf, self.index, checkpoint.size(), &self.proof, checkpoint.root())?;
        Ok(checkpoint)
    }
}

impl FromStr for Receipt {
    type Err = ProofError;

    fn from_str(text: &str) -> Result<Self, ProofError> {
        if text.len() > RECEIPT_BYTES_MAX {
            return Err(ProofError::TooLong { what: "bytes of a receipt", max: RECEIPT_BYTES_MAX });
        }
        let (head, checkpoint) =
            text.split_once("\n\n").ok_or(ProofError::Malformed("a receipt has a checkpoint below an empty line"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(FIRST_LINE) {
            return Err(ProofError::Malformed("the first line is not that of a receipt"));
        }
        let extra = lines.next_if(|line| line.starts_with("extra ")).and_then(|line| line.strip_prefix("extra "));
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).and_then(number);
        let index = index.ok_or(ProofError::Malformed("a receipt has the index of its entry"))?;
        let mut proof = Vec::new();
        for line in lines {
            if proof.len() == PROOF_HASHES_MAX {
                return Err(ProofError::TooLong { what: "hashes of a proof", max: PROOF_HASHES_MAX });
            }
            proof.push(line.parse()?);
        }
        Ok(Self { extra: extra.map(extra_of).transpose()?, index, proof, checkpoint: checkpoint.parse()? })
    }
}

fn extra_of(text: &str) -> Result<Vec<u8>, ProofError> {
    let extra = BASE64.decode(text.as_bytes()).map_err(|_| ProofError::Malformed("what is sent along is in base64"))?;
    if extra.len() > EXTRA_BYTES_MAX {
        return Err(ProofError::TooLong { what: "bytes sent along", max: EXTRA_BYTES_MAX });
    }
    Ok(extra)
}
