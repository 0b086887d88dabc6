//! Signed texts (C2SP `signed-note`).

use std::str::FromStr;

use data_encoding::BASE64;

use crate::error::ProofError;
use crate::key::{VerifierKey, is_name};

/// The longest note, in bytes; one of several kilobytes a signature is conceivable.
pub const NOTE_BYTES_MAX: usize = 128 * 1024;
/// Signatures of one note, at most.
pub const SIGNATURES_MAX: usize = 64;

/// A text with signatures below it. Nothing of it is to be believed before [`SignedNote::verify`].
///
/// ```
/// use countersign_proof::{ProofError, SignedNote};
///
/// let note: SignedNote = "hello\n\n— example.com AAAAAAAA\n".parse()?;
/// assert_eq!(note.verify(&[]), Err(ProofError::NoTrustedSignature));
/// # Ok::<(), ProofError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<Signature>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Signature {
    name: String,
    id: [u8; 4],
    bytes: Vec<u8>,
}

impl SignedNote {
    /// What the note calls itself, before anything is known of who signed it.
    pub(crate) fn first_line(&self) -> &str {
        self.text.split('\n').next().unwrap_or_default()
    }

    /// The text, when one of the keys has signed it.
    ///
    /// # Errors
    /// [`ProofError::BadSignature`] when a signature that one of the keys should have made is of another text, whatever
    /// other keys say; [`ProofError::NoTrustedSignature`] when there is none.
    pub fn verify(&self, trusted: &[VerifierKey]) -> Result<&str, ProofError> {
        let mut believed = false;
        for signature in &self.signatures {
            if let Some(key) = trusted.iter().find(|key| key.is(&signature.name, signature.id)) {
                if !key.has_signed(&self.text, &signature.bytes) {
                    return Err(ProofError::BadSignature);
                }
                believed = true;
            }
        }
        if believed { Ok(&self.text) } else { Err(ProofError::NoTrustedSignature) }
    }
}

impl FromStr for SignedNote {
    type Err = ProofError;

    fn from_str(whole: &str) -> Result<Self, ProofError> {
        if whole.len() > NOTE_BYTES_MAX {
            return Err(ProofError::TooLong { what: "bytes of a note", max: NOTE_BYTES_MAX });
        }
        if whole.chars().any(|c| c < ' ' && c != '\n') {
            return Err(ProofError::Malformed("a note has no control characters"));
        }
        let Some((text, below)) = whole.rsplit_once("\n\n") else {
            return Err(ProofError::Malformed("a note is a text, an empty line, and signatures"));
        };
        let Some(below) = below.strip_suffix('\n').filter(|below| !below.is_empty()) else {
            return Err(ProofError::Malformed("a note ends with a signature line"));
        };
        let mut signatures = Vec::new();
        for line in below.split('\n') {
            if signatures.len() == SIGNATURES_MAX {
                return Err(ProofError::TooLong { what: "signatures", max: SIGNATURES_MAX });
            }
            signatures.push(signature(line)?);
        }
        Ok(Self { text: format!("{text}\n"), signatures })
    }
}

fn signature(line: &str) -> Result<Signature, ProofError> {
    let malformed = ProofError::Malformed("a signature line is a dash, a name, and an id and a signature in base64");
    let (name, bytes) = line.strip_prefix("— ").and_then(|rest| rest.split_once(' ')).ok_or(malformed)?;
    let bytes = BASE64.decode(bytes.as_bytes()).map_err(|_| malformed)?;
    let (id, bytes) = bytes.split_first_chunk().ok_or(malformed)?;
    if !is_name(name) {
        return Err(malformed);
    }
    Ok(Signature { name: name.to_owned(), id: *id, bytes: bytes.to_vec() })
}
