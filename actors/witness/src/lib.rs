//! A witness as a place that keeps the checkpoints of a [`countersign`] log: it signs what it has seen, and refuses what does
//! not continue it (C2SP `tlog-witness`, `add-checkpoint`).
//!
//! A witness is told the log's name and first public key beforehand, by its operator. It gets sizes and hashes, and no entry.
//!
//! ```
//! use std::sync::Arc;
//! use countersign::Config;
//! use countersign_witness::{HttpOptions, Witness};
//!
//! let key = "witness.example/w1+37e29fb9+BKUnkdBTunMUKTFO7Uc0KjlDNhOgHA0Dq5NUjjEA1zRL";
//! # let key = countersign_witness::example_key();
//! let witness = Witness::new("https://witness.example/submit", &key, &HttpOptions::default())?;
//! let config = Config { anchors: vec![Arc::new(witness)], ..Config::default() };
//! # Ok::<(), countersign_witness::ConfigError>(())
//! ```

#![forbid(unsafe_code)]

mod key;

use std::fmt;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use countersign::{Anchor, AnchorError, Publication};
pub use countersign_sms_http::ConfigError;
use countersign_sms_http::checked_address;
use countersign_sms_http::http::HttpClient;
pub use countersign_sms_http::http::HttpOptions;
use data_encoding::BASE64;
use key::WitnessKey;

/// How often one checkpoint is offered before the next round: the witness names the size that it has seen, at most once.
const OFFERS_MAX: usize = 3;
/// Hashes of a proof, at most (C2SP `tlog-witness`).
const PROOF_HASHES_MAX: usize = 63;
/// Lines of an answer that are looked at.
const COSIGNATURES_MAX: usize = 16;

/// A witness that is asked over HTTP.
pub struct Witness {
    key: WitnessKey,
    url: String,
    client: HttpClient,
    /// The size that it has signed last, as far as is known.
    seen: Mutex<u64>,
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Witness").field("key", &self.key).finish_non_exhaustive()
    }
}

/// What the witness said to an offer.
enum Said {
    Signed(Vec<String>),
    /// It has seen so many entries.
    Seen(u64),
}

impl Witness {
    /// A witness by its submission prefix (`https`, or `http` to a loopback address) and its verifier key (`NAME+ID+KEY` of
    /// type 4, C2SP `tlog-cosignature`).
    ///
    /// # Errors
    /// When the address or the key is not of its form, or an option is out of its range.
    pub fn new(prefix: &str, key: &str, options: &HttpOptions) -> Result<Self, ConfigError> {
        let prefix = checked_address("witness", prefix)?;
        let key = WitnessKey::parse(key).ok_or(ConfigError::new("witness key", "must be NAME+ID+KEY of type 4"))?;
        let client = HttpClient::new(options, &prefix)?;
        let url = format!("{}/add-checkpoint", prefix.as_str().trim_end_matches('/'));
        Ok(Self { key, url, client, seen: Mutex::new(0) })
    }

    fn offer(&self, checkpoint: &Publication<'_>, old: u64) -> Result<Said, AnchorError> {
        let proof = if old == 0 { Vec::new() } else { checkpoint.proof_from(old)? };
        if proof.len() > PROOF_HASHES_MAX {
            return Err(AnchorError::Unavailable("the proof is too long for a witness".to_owned()));
        }
        let proof: String = proof.iter().map(|hash| BASE64.encode(hash) + "\n").collect();
        let (status, body) = self.post(format!("old {old}\n{proof}\n{}", checkpoint.note()))?;
        match status {
            200 => {
                let signed: Vec<String> = body
                    .lines()
                    .take(COSIGNATURES_MAX)
                    .filter(|line| self.key.has_cosigned(line, checkpoint.note()))
                    .map(ToOwned::to_owned)
                    .collect();
                if signed.is_empty() {
                    return Err(AnchorError::Unavailable("what it answered is not signed by its key".to_owned()));
                }
                Ok(Said::Signed(signed))
            }
            409 => {
                let size = body.strip_suffix('\n').and_then(|digits| digits.parse().ok());
                size.map(Said::Seen)
                    .ok_or_else(|| AnchorError::Unavailable("it answered 409 without a size".to_owned()))
            }
            422 => Err(AnchorError::Refused(format!("the {old} entries that it has seen are not these"))),
            404 => Err(AnchorError::Unavailable("it does not know the log's name".to_owned())),
            403 => Err(AnchorError::Unavailable("it does not trust the log's key".to_owned())),
            status => Err(AnchorError::Unavailable(format!("it answered {status}"))),
        }
    }

    fn post(&self, body: String) -> Result<(u16, String), AnchorError> {
        let unavailable = |cause: &dyn fmt::Display| AnchorError::Unavailable(cause.to_string());
        let request = http::Request::post(&self.url).body(Bytes::from(body)).map_err(|cause| unavailable(&cause))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|cause| unavailable(&cause))?;
        let answer = runtime.block_on(self.client.send(request));
        let answer = answer.map_err(|_| AnchorError::Unavailable("no answer from the witness".to_owned()))?;
        let body = String::from_utf8(answer.body.unwrap_or_default()).unwrap_or_default();
        Ok((answer.status, body))
    }
}

impl Anchor for Witness {
    fn name(&self) -> &str {
        self.key.name()
    }

    fn publish(&self, checkpoint: &Publication<'_>) -> Result<Vec<String>, AnchorError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..OFFERS_MAX {
            match self.offer(checkpoint, *seen)? {
                Said::Signed(lines) => {
                    *seen = checkpoint.size();
                    return Ok(lines);
                }
                Said::Seen(size) if size > checkpoint.size() => {
                    let what = format!("it has seen {size} entries, and the log has {}", checkpoint.size());
                    return Err(AnchorError::Refused(what));
                }
                Said::Seen(size) if size == *seen => {
                    return Err(AnchorError::Refused(format!("it has seen {size} other entries")));
                }
                Said::Seen(size) => *seen = size,
            }
        }
        Err(AnchorError::Unavailable("it names another size each time".to_owned()))
    }
}

/// The key of the example.
#[doc(hidden)]
#[must_use]
pub fn example_key() -> String {
    WitnessKey::of("witness.example/w1", [7; 32]).to_string()
}

/// Whether a line is the cosignature of a note by a key, for the fuzzing of what witnesses answer; `None` when the text is no
/// key, and otherwise with the key as it is written.
#[cfg(fuzzing)]
#[doc(hidden)]
#[must_use]
pub fn read_cosignature(key: &str, line: &str, note: &str) -> Option<(String, bool)> {
    let key = WitnessKey::parse(key)?;
    Some((key.to_string(), key.has_cosigned(line, note)))
}
