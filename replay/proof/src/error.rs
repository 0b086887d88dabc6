//! Why something is not believed.

use std::fmt;

/// Why something is not believed.
///
/// ```
/// use countersign_proof::{ProofError, Receipt};
/// let found = "trust me\n\nplease".parse::<Receipt>();
/// assert_eq!(found, Err(ProofError::Malformed("the first line is not that of a receipt")));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProofError {
    /// The text is not of its format.
    Malformed(&'static str),
    /// The text is longer than any genuine one.
    TooLong {
        /// Bytes, signatures or hashes.
        what: &'static str,
        /// The most there may be.
        max: usize,
    },
    /// None of the trusted keys has signed it.
    NoTrustedSignature,
    /// A trusted key is named, and its signature is of another text.
    BadSignature,
    /// The proof does not lead to the root.
    Mismatch,
    /// The index or the size lies outside the tree.
    OutOfRange,
    /// The checkpoints are of different logs.
    OtherLog,
}

impl fmt::Display for ProofError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(what) => f.write_str(what),
            Self::TooLong { what, max } => write!(f, "more than {max} {what}"),
            Self::NoTrustedSignature => f.write_str("no trusted key has signed it"),
            Self::BadSignature => f.write_str("the signature of a trusted key is of another text"),
            Self::Mismatch => f.write_str("the proof does not lead to the root"),
            Self::OutOfRange => f.write_str("the index or the size lies outside the tree"),
            Self::OtherLog => f.write_str("the checkpoints are of different logs"),
        }
    }
}

impl std::error::Error for ProofError {}
