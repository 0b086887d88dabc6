//! What an entry of a Countersign log says to anybody.

use std::fmt;

use data_encoding::HEXLOWER;

use crate::error::ProofError;

/// Bytes of the envelope in front of every entry.
const HEADER_BYTES: usize = 112;
/// What an entry begins with, and the version of the envelope that is known.
const MAGIC: [u8; 3] = [0xc5, 0x0e, 1];

/// An entry of a Countersign log: its envelope, which anybody can read, and its body, which may be sealed.
///
/// Whether it is in a log says [`crate::Receipt::verify`], over the bytes of the entry.
///
/// ```
/// use countersign_proof::{Entry, ProofError};
///
/// assert_eq!(Entry::read(b"enabled").unwrap_err(), ProofError::Malformed("the entry is not of a Countersign log"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The stable number of the event's type; `domain::wire` of the writer lists them.
    pub event_type: u16,
    /// The version of that type's body.
    pub type_version: u16,
    /// The stream: a pseudonym of the account, principal or device that it is about.
    pub stream: [u8; 16],
    /// Its version in the stream, from 1 on.
    pub version: u64,
    /// When it happened, in milliseconds since 1970-01-01T00:00:00Z, as the log says.
    pub time_ms: u64,
    /// The command that recorded it.
    pub command: [u8; 16],
    /// The key that the body is sealed under; `None` when it is in the clear.
    pub key_id: Option<u64>,
    /// The body as it is stored.
    pub body: &'a [u8],
}

impl<'a> Entry<'a> {
    /// Reads the bytes of an entry.
    ///
    /// # Errors
    /// [`ProofError::Malformed`] when they are not one whole entry of a known form.
    pub fn read(bytes: &'a [u8]) -> Result<Self, ProofError> {
        let malformed = ProofError::Malformed("the entry is not of a Countersign log");
        let (header, body) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(malformed)?;
        let key_id = u64::from_be_bytes(field(header, 72));
        let length = u32::from_be_bytes(field(header, 104));
        let whole = usize::try_from(length).is_ok_and(|length| length == body.len());
        if header[..3] != MAGIC || header[3] != u8::from(key_id != 0) || !whole {
            return Err(malformed);
        }
        Ok(Self {
            event_type: u16::from_be_bytes(field(header, 4)),
            type_version: u16::from_be_bytes(field(header, 6)),
            stream: field(header, 8),
            version: u64::from_be_bytes(field(header, 24)),
            time_ms: u64::from_be_bytes(field(header, 80)),
            command: field(header, 88),
            key_id: (key_id != 0).then_some(key_id),
            body,
        })
    }
}

/// A line each, for people.
impl fmt::Display for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "type: {:#06x} version {}", self.event_type, self.type_version)?;
        writeln!(f, "stream: {}, version {}", HEXLOWER.encode(&self.stream), self.version)?;
        writeln!(f, "time: {} ms since 1970", self.time_ms)?;
        writeln!(f, "command: {}", HEXLOWER.encode(&self.command))?;
        match self.key_id {
            Some(_) => {
                writeln!(f, "body: sealed, {} bytes: nobody without its key can tell what it says", self.body.len())
            }
            None => writeln!(f, "body: {}", HEXLOWER.encode(self.body)),
        }
    }
}

fn field<const N: usize>(bytes: &[u8; HEADER_BYTES], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}
