//! The envelope of an entry: fixed width, big-endian, written by hand.
//!
//! Everything that routes an entry is here and in the clear, so that a reader without a key can
//! check the log, and so that the body's encoding never decides what the body is.

use std::fmt;

use countersign_domain::ids::{CommandId, Position, StreamId, UnixMillis, Version};
use sha2::{Digest, Sha256};

/// Bytes of a header.
pub const HEADER_BYTES: usize = 112;
/// Bytes of a leaf.
pub const LEAF_BYTES: usize = 32;
/// The first two bytes of every entry.
pub const MAGIC: [u8; 2] = [0xC5, 0x0E];
/// The envelope version that this release writes.
pub const ENVELOPE_VERSION: u8 = 1;
/// Flag: the body is sealed under the key that the header names.
const FLAG_SEALED: u8 = 1;
/// Stands for "no previous entry" where a position is expected.
const NO_POSITION: u64 = u64::MAX;

/// The hash of an entry: SHA-256 of a zero byte, its header and its stored body (RFC 6962, 2.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Leaf(pub [u8; LEAF_BYTES]);

impl Leaf {
    /// What the first entry of a stream has as its previous leaf.
    pub const ZERO: Self = Self([0; LEAF_BYTES]);

    /// Hashes an entry.
    #[must_use]
    pub fn of(entry: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update([0]);
        hash.update(entry);
        Self(hash.finalize().into())
    }
}

impl fmt::Display for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The envelope of one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The stable number of the event's type.
    pub event_type: u16,
    /// The version of that type's body.
    pub type_version: u16,
    /// The stream that the entry belongs to.
    pub stream: StreamId,
    /// Its version in the stream, from 1 on.
    pub version: Version,
    /// The leaf of the stream's previous entry; zeros for the first.
    pub previous_leaf: Leaf,
    /// The position of the stream's previous entry.
    pub previous: Option<Position>,
    /// The data key that the body is sealed under; 0 for a clear body.
    pub key_id: u64,
    /// When it happened, as the command said.
    pub time: UnixMillis,
    /// The command that recorded it.
    pub command: CommandId,
    /// Bytes of the body as stored.
    pub body_len: u32,
    /// The place of this entry in its append, from 0 on.
    pub part: u16,
    /// How many entries that append has.
    pub parts: u16,
}

/// Why bytes are not a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// They do not hold together.
    Malformed(&'static str),
    /// They are of an envelope version that this release does not know.
    UnknownEnvelope(u8),
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(what) => f.write_str(what),
            Self::UnknownEnvelope(version) => write!(f, "envelope version {version} is unknown"),
        }
    }
}

impl std::error::Error for HeaderError {}

impl Header {
    /// Whether the body is sealed.
    #[must_use]
    pub const fn is_sealed(&self) -> bool {
        self.key_id != 0
    }

    /// The stored form.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        out[0..2].copy_from_slice(&MAGIC);
        out[2] = ENVELOPE_VERSION;
        out[3] = if self.is_sealed() { FLAG_SEALED } else { 0 };
        out[4..6].copy_from_slice(&self.event_type.to_be_bytes());
        out[6..8].copy_from_slice(&self.type_version.to_be_bytes());
        out[8..24].copy_from_slice(self.stream.as_bytes());
        out[24..32].copy_from_slice(&self.version.0.to_be_bytes());
        out[32..64].copy_from_slice(&self.previous_leaf.0);
        let previous = self.previous.map_or(NO_POSITION, |position| position.0);
        out[64..72].copy_from_slice(&previous.to_be_bytes());
        out[72..80].copy_from_slice(&self.key_id.to_be_bytes());
        out[80..88].copy_from_slice(&self.time.0.to_be_bytes());
        out[88..104].copy_from_slice(self.command.as_bytes());
        out[104..108].copy_from_slice(&self.body_len.to_be_bytes());
        out[108..110].copy_from_slice(&self.part.to_be_bytes());
        out[110..112].copy_from_slice(&self.parts.to_be_bytes());
        out
    }

    /// Reads the stored form. Strict: what it accepts, [`Header::encode`] gives back byte for byte.
    ///
    /// # Errors
    /// When the bytes are too few, of another envelope version, or contradict themselves.
    pub fn decode(bytes: &[u8]) -> Result<Self, HeaderError> {
        use HeaderError::Malformed;
        let bytes: &[u8; HEADER_BYTES] = bytes.first_chunk().ok_or(Malformed("the header is cut short"))?;
        if bytes[0..2] != MAGIC {
            return Err(Malformed("the header does not start with its magic"));
        }
        if bytes[2] != ENVELOPE_VERSION {
            return Err(HeaderError::UnknownEnvelope(bytes[2]));
        }
        let previous = u64::from_be_bytes(field(bytes, 64));
        let header = Self {
            event_type: u16::from_be_bytes(field(bytes, 4)),
            type_version: u16::from_be_bytes(field(bytes, 6)),
            stream: StreamId::from_bytes(field(bytes, 8)),
            version: Version(u64::from_be_bytes(field(bytes, 24))),
            previous_leaf: Leaf(field(bytes, 32)),
            previous: (previous != NO_POSITION).then_some(Position(previous)),
            key_id: u64::from_be_bytes(field(bytes, 72)),
            time: UnixMillis(u64::from_be_bytes(field(bytes, 80))),
            command: CommandId::from_bytes(field(bytes, 88)),
            body_len: u32::from_be_bytes(field(bytes, 104)),
            part: u16::from_be_bytes(field(bytes, 108)),
            parts: u16::from_be_bytes(field(bytes, 110)),
        };
        if bytes[3] != u8::from(header.is_sealed()) {
            return Err(Malformed("the flags contradict the key id"));
        }
        if header.version == Version::NONE {
            return Err(Malformed("the version is zero"));
        }
        let first = header.version == Version(1);
        if first != header.previous.is_none() || (first && header.previous_leaf != Leaf::ZERO) {
            return Err(Malformed("the version contradicts the previous entry"));
        }
        if header.part >= header.parts {
            return Err(Malformed("the part is not one of its append"));
        }
        Ok(header)
    }
}

/// Copies a fixed field out of a header.
fn field<const N: usize>(bytes: &[u8; HEADER_BYTES], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Header {
        Header {
            event_type: 7,
            type_version: 2,
            stream: StreamId::from_bytes([3; 16]),
            version: Version(2),
            previous_leaf: Leaf([9; 32]),
            previous: Some(Position(41)),
            key_id: 5,
            time: UnixMillis(1_700_000_000_000),
            command: CommandId::from_bytes([4; 16]),
            body_len: 48,
            part: 1,
            parts: 3,
        }
    }

    #[test]
    fn a_header_comes_back_as_it_went() {
        let first = Header { version: Version(1), previous: None, previous_leaf: Leaf::ZERO, key_id: 0, ..sample() };
        for header in [sample(), first] {
            assert_eq!(Header::decode(&header.encode()), Ok(header));
        }
    }

    #[test]
    fn contradictions_are_refused() {
        let good = sample().encode();
        for (at, value) in [(0, 0), (3, 0), (3, 3), (108, 0xff)] {
            let mut bad = good;
            bad[at] = value;
            assert!(matches!(Header::decode(&bad), Err(HeaderError::Malformed(_))), "byte {at}");
        }
        let mut newer = good;
        newer[2] = 2;
        assert_eq!(Header::decode(&newer), Err(HeaderError::UnknownEnvelope(2)));
        assert!(Header::decode(&good[..111]).is_err());
    }

    proptest! {
        #[test]
        fn what_is_accepted_encodes_to_the_same_bytes(
            at in 0..HEADER_BYTES, value: u8, twice in 0..HEADER_BYTES, other: u8
        ) {
            let mut bytes = sample().encode();
            bytes[at] = value;
            bytes[twice] = other;
            if let Ok(header) = Header::decode(&bytes) {
                prop_assert_eq!(header.encode(), bytes);
            }
        }
    }
}
