//! The frames of one segment of the log engine's file, read without the engine.
//!
//! The engine (sled 0.34) keeps one file of segments of 2 MiB. A segment begins with a head of 20 bytes: a checksum, its
//! place in the engine's own order (LSN), and up to where that order was durable then. Messages follow: a checksum, a
//! kind, a length, the segment's number, a page, a payload. A full segment ends with a cap, or with less room than a head of
//! a message takes. Numbers are little-endian, or of variable length; a checksum is a CRC-32 whose bits are inverted.

use std::ops::Range;

use memchr::memmem;

/// Bytes of a segment.
pub(super) const SEGMENT_BYTES: usize = 2 * 1024 * 1024;
/// Bytes of a segment's head.
pub(super) const SEGMENT_HEAD_BYTES: usize = 20;
/// The most that a head of a message takes; a segment with less room left is full.
const MESSAGE_HEAD_BYTES_MAX: usize = 32;
/// What a chunk of our log begins with: magic, format 1, a zero.
const CHUNK_MAGIC: [u8; 6] = *b"CSch\x01\x00";

const KIND_CAP: u8 = 2;
const KIND_BATCH: u8 = 3;
const KIND_LAST: u8 = 11;

/// The head of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentHead {
    /// Where its first byte stands in the engine's order.
    pub lsn: u64,
    /// Up to where that order was durable when it was begun.
    pub stable: u64,
}

impl SegmentHead {
    /// Reads a head; `None` when it was never written, or not as a whole.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (crc, rest) = bytes.split_first_chunk::<4>()?;
        let (lsn, rest) = rest.split_first_chunk::<8>()?;
        let (stable, _) = rest.split_first_chunk::<8>()?;
        let covered = bytes.get(4..SEGMENT_HEAD_BYTES)?;
        if crc32fast::hash(covered) != u32::from_le_bytes(*crc) ^ u32::MAX {
            return None;
        }
        let number = |field: &[u8; 8]| u64::try_from(i64::from_le_bytes(*field) ^ i64::MAX).ok();
        let lsn = number(lsn)?;
        // Before anything was durable the engine writes -1.
        let stable = number(stable).unwrap_or_default();
        (lsn % SEGMENT_BYTES as u64 == 0).then_some(Self { lsn, stable })
    }

    const fn number(self) -> u64 {
        self.lsn / SEGMENT_BYTES as u64
    }
}

/// A message of a segment.
struct Message {
    kind: u8,
    number: u64,
    payload: Range<usize>,
}

/// What stands where a message could.
enum Found {
    Message(Message),
    /// It claims to be a message of this segment, and is not whole.
    Broken,
    /// Nothing of this segment.
    Nothing,
}

/// How the messages of a segment end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The segment is full.
    Sealed,
    /// Nothing more of this segment was written from this byte on.
    Open(usize),
    /// A message that was written is not whole at this byte: it was changed, or its writing was cut short.
    Broken(usize),
}

/// What is in a segment.
#[derive(Debug)]
pub(super) struct Content {
    pub ending: Ending,
    /// Chunks of the log: where they begin in the segment, and their bytes.
    pub chunks: Vec<Range<usize>>,
    /// The last group of messages that count together: where its mark is, and up to which place in the engine's order
    /// it goes.
    pub batch: Option<(usize, u64)>,
}

/// Reads the messages of a segment, which may be cut short by the end of the file.
pub(super) fn read_segment(head: SegmentHead, bytes: &[u8]) -> Content {
    let mut content = Content { ending: Ending::Sealed, chunks: Vec::new(), batch: None };
    let mut at = SEGMENT_HEAD_BYTES;
    while at + MESSAGE_HEAD_BYTES_MAX <= SEGMENT_BYTES {
        match message_at(head, bytes, at) {
            Found::Message(message) => {
                let payload = &bytes[message.payload.clone()];
                match message.kind {
                    KIND_CAP => {
                        at = message.payload.end;
                        break;
                    }
                    KIND_BATCH => {
                        content.batch = payload.try_into().ok().map(|last| (at, u64::from_le_bytes(last)));
                    }
                    _ => chunks_in(payload, message.payload.start, &mut content.chunks),
                }
                at = message.payload.end;
            }
            Found::Nothing if !has_message(bytes, at, |number| number == head.number()) => {
                content.ending = Ending::Open(at);
                return content;
            }
            Found::Broken | Found::Nothing => {
                // What follows can still be looked for: a chunk has a checksum of its own.
                chunks_in(bytes.get(at..).unwrap_or_default(), at, &mut content.chunks);
                content.ending = Ending::Broken(at);
                return content;
            }
        }
    }
    // What is left of a full segment is zeros.
    if let Some(place) = bytes.get(at..).and_then(|rest| rest.iter().position(|byte| *byte != 0)) {
        content.ending = Ending::Broken(at + place);
    }
    content
}

/// Whether the rest of a segment, which breaks off at a place, was overwritten by a later use of it: the engine's writes may
/// come in any order when it is killed, and what is left of the earlier use counts no more.
pub(super) fn is_overwritten(head: SegmentHead, bytes: &[u8], from: usize) -> bool {
    has_message(bytes, from, |number| number > head.number())
}

/// Whether there is a whole message of such a segment anywhere behind a place.
fn has_message(bytes: &[u8], from: usize, of: impl Fn(u64) -> bool) -> bool {
    // Zeros are the usual rest of a segment that is being filled.
    let Some(begin) = bytes.get(from..).and_then(|rest| rest.iter().position(|byte| *byte != 0)) else { return false };
    let begin = (from + begin).saturating_sub(MESSAGE_HEAD_BYTES_MAX).max(from);
    let end = bytes.len().min(SEGMENT_BYTES - MESSAGE_HEAD_BYTES_MAX);
    (begin..end).any(|at| match bytes.get(at..).and_then(|rest| message_head(rest, at)) {
        Some((message, crc, covered)) => of(message.number) && is_whole(bytes, &message, crc, covered),
        None => false,
    })
}

fn is_whole(bytes: &[u8], message: &Message, crc: u32, covered: &[u8]) -> bool {
    let Some(payload) = bytes.get(message.payload.clone()) else { return false };
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(payload);
    hasher.update(covered);
    hasher.finalize() ^ u32::MAX == crc
}

/// The message at a place, if it is whole and of this segment.
fn message_at(head: SegmentHead, bytes: &[u8], at: usize) -> Found {
    match bytes.get(at..).and_then(|rest| message_head(rest, at)) {
        Some((message, crc, covered)) if message.number == head.number() => {
            if is_whole(bytes, &message, crc, covered) {
                Found::Message(message)
            } else {
                Found::Broken
            }
        }
        _ if is_changed_head(head, bytes, at) => Found::Broken,
        _ => Found::Nothing,
    }
}

/// Whether a place has a message of this segment in whose head one bit was changed: with the right one its checksum holds.
fn is_changed_head(head: SegmentHead, bytes: &[u8], at: usize) -> bool {
    let Some(found) = bytes.get(at..).and_then(|rest| rest.first_chunk::<MESSAGE_HEAD_BYTES_MAX>()) else {
        return false;
    };
    // Zeros are the usual rest of a segment.
    *found != [0; MESSAGE_HEAD_BYTES_MAX]
        && (0..found.len() * 8).any(|bit| {
            let mut mended = *found;
            if let Some(byte) = mended.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
            message_head(&mended, at).is_some_and(|(message, crc, covered)| {
                message.number == head.number() && is_whole(bytes, &message, crc, covered)
            })
        })
}

/// The head of a message, its checksum, and the bytes of the head that the checksum covers.
fn message_head(bytes: &[u8], at: usize) -> Option<(Message, u32, &[u8])> {
    let (crc, rest) = bytes.split_first_chunk::<4>()?;
    let (kind, mut rest) = rest.split_first()?;
    if *kind == 0 || *kind > KIND_LAST {
        return None;
    }
    let length = usize::try_from(number(&mut rest)?).ok()?;
    let segment = number(&mut rest)?;
    let _page = number(&mut rest)?;
    let head_bytes = bytes.len() - rest.len();
    let start = at.checked_add(head_bytes)?;
    let end = start.checked_add(length).filter(|end| *end <= SEGMENT_BYTES)?;
    let message = Message { kind: *kind, number: segment, payload: start..end };
    Some((message, u32::from_le_bytes(*crc), bytes.get(4..head_bytes)?))
}

/// Takes a number of variable length off the front.
fn number(bytes: &mut &[u8]) -> Option<u64> {
    let (first, rest) = bytes.split_first()?;
    let (value, length) = match *first {
        small @ 0..=240 => (u64::from(small), 0),
        middle @ 241..=248 => (240 + 256 * (u64::from(middle) - 241) + u64::from(*rest.first()?), 1),
        249 => (2288 + 256 * u64::from(*rest.first()?) + u64::from(*rest.get(1)?), 2),
        large => {
            let length = usize::from(large) - 247;
            let mut padded = [0; 8];
            padded.get_mut(..length)?.copy_from_slice(rest.get(..length)?);
            (u64::from_le_bytes(padded), length)
        }
    };
    *bytes = rest.get(length..)?;
    Some(value)
}

/// Finds the chunks in a payload that begins at `base`.
fn chunks_in(payload: &[u8], base: usize, found: &mut Vec<Range<usize>>) {
    let mut from = 0;
    while let Some(place) = memmem::find(&payload[from..], &CHUNK_MAGIC) {
        let start = from + place;
        from = match chunk_length(&payload[start..]) {
            Some(length) => {
                found.push(base + start..base + start + length);
                start + length
            }
            None => start + CHUNK_MAGIC.len(),
        };
    }
}

/// How long the chunk is that the bytes begin with, when its checksum is right.
fn chunk_length(bytes: &[u8]) -> Option<usize> {
    use countersign_store::chunk::{CHUNK_HEAD_BYTES, CHUNK_TAIL_BYTES};
    use countersign_store::header::{HEADER_BYTES, LEAF_BYTES};
    /// Where a header says how long its body is.
    const LENGTH_AT: usize = 104;
    let count = u16::from_be_bytes(*bytes.get(6..)?.first_chunk()?);
    let mut at = CHUNK_HEAD_BYTES;
    for _ in 0..count {
        let header = bytes.get(at.checked_add(LEAF_BYTES)?..)?.get(..HEADER_BYTES)?;
        let body = u32::from_be_bytes(*header.get(LENGTH_AT..)?.first_chunk()?);
        at = at.checked_add(LEAF_BYTES + HEADER_BYTES)?.checked_add(usize::try_from(body).ok()?)?;
    }
    let sum = bytes.get(at..)?.first_chunk::<CHUNK_TAIL_BYTES>()?;
    (crc32c::crc32c(bytes.get(..at)?) == u32::from_be_bytes(*sum)).then_some(at + CHUNK_TAIL_BYTES)
}
