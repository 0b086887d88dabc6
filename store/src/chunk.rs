//! Chunks: the entries that were committed together, under one key of the log.
//!
//! A chunk is written once and never changed. Its checksum covers everything in it, the position
//! that it starts at included, so that a chunk in the wrong place is as broken as a changed one.

use countersign_domain::ids::Position;

use crate::error::ReadError;
use crate::header::{HEADER_BYTES, Header, HeaderError, LEAF_BYTES, Leaf};
use crate::journal::EntryRef;
use crate::limits::CHUNK_BYTES_TARGET;

/// The first bytes of a chunk: magic, format 1, a zero.
const MAGIC: [u8; 6] = *b"CSch\x01\x00";
/// Bytes before the first entry: magic, count u16, first position u64.
pub const CHUNK_HEAD_BYTES: usize = 16;
/// Bytes after the last entry: crc32c.
pub const CHUNK_TAIL_BYTES: usize = 4;

/// A place in a [`ChunkBuilder`] to go back to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    next: u64,
    count: u16,
    length: usize,
}

impl Mark {
    pub(crate) const fn next(self) -> Position {
        Position(self.next)
    }
}

/// Builds one chunk after another.
#[derive(Debug)]
pub(crate) struct ChunkBuilder {
    next: u64,
    first: u64,
    count: u16,
    bytes: Vec<u8>,
    done: Vec<(Position, Vec<u8>)>,
}

impl ChunkBuilder {
    pub(crate) fn new(next: Position) -> Self {
        Self { next: next.0, first: next.0, count: 0, bytes: Vec::new(), done: Vec::new() }
    }

    /// The position of the next entry.
    pub(crate) const fn next(&self) -> Position {
        Position(self.next)
    }

    /// Makes room for an append, which is never split over two chunks.
    pub(crate) fn reserve(&mut self, bytes: usize) {
        if self.bytes.len() + bytes + CHUNK_TAIL_BYTES > CHUNK_BYTES_TARGET {
            self.close();
        }
        if self.count == 0 {
            self.first = self.next;
            self.bytes = Vec::with_capacity((CHUNK_HEAD_BYTES + bytes + CHUNK_TAIL_BYTES).max(CHUNK_BYTES_TARGET));
            self.bytes.extend_from_slice(&MAGIC);
            self.bytes.extend_from_slice(&[0; 2]);
            self.bytes.extend_from_slice(&self.first.to_be_bytes());
        }
    }

    /// Notes where the entries of an append begin, after [`ChunkBuilder::reserve`].
    pub(crate) fn mark(&self) -> Mark {
        Mark { next: self.next, count: self.count, length: self.bytes.len() }
    }

    /// Takes back every entry since the mark.
    pub(crate) fn roll_back(&mut self, mark: Mark) {
        self.next = mark.next;
        self.count = mark.count;
        self.bytes.truncate(mark.length);
    }

    /// Adds one entry, whose body `write_body` appends; returns its leaf. After an error, roll back.
    pub(crate) fn push<E>(
        &mut self,
        header: &[u8; HEADER_BYTES],
        write_body: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<Leaf, E> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&Leaf::ZERO.0);
        self.bytes.extend_from_slice(header);
        write_body(&mut self.bytes)?;
        let leaf = Leaf::of(&self.bytes[start + LEAF_BYTES..]);
        self.bytes[start..start + LEAF_BYTES].copy_from_slice(&leaf.0);
        self.count += 1;
        self.next += 1;
        Ok(leaf)
    }

    fn close(&mut self) {
        if self.count == 0 {
            return;
        }
        self.bytes[6..8].copy_from_slice(&self.count.to_be_bytes());
        let crc = crc32c::crc32c(&self.bytes);
        self.bytes.extend_from_slice(&crc.to_be_bytes());
        self.done.push((Position(self.first), std::mem::take(&mut self.bytes)));
        self.count = 0;
    }

    /// The chunks, in the order of their positions.
    pub(crate) fn finish(mut self) -> Vec<(Position, Vec<u8>)> {
        self.close();
        self.done
    }
}

/// A chunk whose checksum and head were verified.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    first: Position,
    count: u16,
    entries: &'a [u8],
}

impl<'a> Chunk<'a> {
    /// Verifies the checksum and the head of a chunk found under a key.
    ///
    /// # Errors
    /// When the bytes are not the chunk that was written under this key.
    pub fn open(key: Position, bytes: &'a [u8]) -> Result<Self, ReadError> {
        let corrupt = |what| ReadError::Corrupt { position: key, what };
        let body_end = bytes.len().checked_sub(CHUNK_TAIL_BYTES).ok_or(corrupt("the chunk is cut short"))?;
        let (covered, tail) = bytes.split_at(body_end);
        if crc32c::crc32c(covered).to_be_bytes() != tail {
            return Err(corrupt("the chunk's checksum does not match"));
        }
        Self::trusted(key, bytes)
    }

    /// The same, for bytes whose checksum was verified before.
    pub(crate) fn trusted(key: Position, bytes: &'a [u8]) -> Result<Self, ReadError> {
        let corrupt = |what| ReadError::Corrupt { position: key, what };
        let short = || corrupt("the chunk is cut short");
        let body_end = bytes.len().checked_sub(CHUNK_TAIL_BYTES).ok_or_else(short)?;
        let covered = &bytes[..body_end];
        let (head, entries) = covered.split_first_chunk::<CHUNK_HEAD_BYTES>().ok_or_else(short)?;
        if head[..6] != MAGIC {
            return Err(corrupt("the chunk has an unknown format"));
        }
        if head[8..] != key.0.to_be_bytes() {
            return Err(corrupt("the chunk belongs to another position"));
        }
        let count = u16::from_be_bytes([head[6], head[7]]);
        if count == 0 || key.0.checked_add(u64::from(count)).is_none() {
            return Err(corrupt("the chunk's count is out of range"));
        }
        Ok(Self { first: key, count, entries })
    }

    /// The position of the first entry.
    #[must_use]
    pub const fn first(&self) -> Position {
        self.first
    }

    /// The position after the last entry.
    #[must_use]
    pub const fn end(&self) -> Position {
        Position(self.first.0 + self.count as u64)
    }

    /// The entries, in order. Ends after the first that does not hold together.
    #[must_use]
    pub const fn entries(&self) -> Entries<'a> {
        Entries { position: self.first.0, left: self.count, rest: self.entries }
    }

    /// The entry at a position; `None` when it is not in this chunk.
    pub(crate) fn entry(&self, position: Position) -> Option<Result<EntryRef<'a>, ReadError>> {
        let skip = position.0.checked_sub(self.first.0)?;
        self.entries().nth(usize::try_from(skip).ok()?)
    }
}

/// Iterates over the entries of a [`Chunk`].
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    position: u64,
    left: u16,
    rest: &'a [u8],
}

impl<'a> Entries<'a> {
    fn step(&mut self) -> Result<EntryRef<'a>, ReadError> {
        let position = Position(self.position);
        let corrupt = |what| ReadError::Corrupt { position, what };
        let (leaf, framed) = self.rest.split_first_chunk::<LEAF_BYTES>().ok_or(corrupt("the entry is cut short"))?;
        let header = Header::decode(framed).map_err(|cause| match cause {
            HeaderError::Malformed(what) => corrupt(what),
            HeaderError::UnknownEnvelope(version) => ReadError::UnknownEnvelope { position, version },
        })?;
        let length = HEADER_BYTES.saturating_add(header.body_len as usize);
        let (entry, rest) = framed.split_at_checked(length).ok_or(corrupt("the body is cut short"))?;
        if self.left == 1 && !rest.is_empty() {
            return Err(corrupt("bytes follow the last entry of the chunk"));
        }
        if header.previous.is_some_and(|previous| previous >= position) {
            return Err(corrupt("the previous entry is not an earlier one"));
        }
        self.rest = rest;
        self.left -= 1;
        self.position += 1;
        Ok(EntryRef { position, header, leaf: Leaf(*leaf), body: &entry[HEADER_BYTES..], entry })
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<EntryRef<'a>, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let step = self.step();
        if step.is_err() {
            self.left = 0;
        }
        Some(step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_domain::ids::{CommandId, StreamId, UnixMillis, Version};

    fn header(body_len: usize) -> [u8; HEADER_BYTES] {
        let header = Header {
            event_type: 1,
            type_version: 1,
            stream: StreamId::from_bytes([1; 16]),
            version: Version(1),
            previous_leaf: Leaf::ZERO,
            previous: None,
            key_id: 0,
            time: UnixMillis(0),
            command: CommandId::from_bytes([2; 16]),
            body_len: body_len as u32,
            part: 0,
            parts: 1,
        };
        header.encode()
    }

    fn push(builder: &mut ChunkBuilder, body: &[u8]) {
        builder.reserve(LEAF_BYTES + HEADER_BYTES + body.len());
        let write = |out: &mut Vec<u8>| -> Result<(), ()> {
            out.extend_from_slice(body);
            Ok(())
        };
        builder.push(&header(body.len()), write).unwrap();
    }

    #[test]
    fn chunks_close_at_their_limits_and_leave_no_gap() {
        let mut builder = ChunkBuilder::new(Position(7));
        (0..200).for_each(|_| push(&mut builder, b""));
        (0..50).for_each(|_| push(&mut builder, &[0; 1_000]));
        push(&mut builder, &[0; 20_000]);
        push(&mut builder, b"after a large one");
        let chunks = builder.finish();
        let mut next = Position(7);
        for (key, bytes) in &chunks {
            let chunk = Chunk::open(*key, bytes).unwrap();
            let count = chunk.entries().map(Result::unwrap).count();
            assert_eq!(chunk.first(), next);
            assert!(bytes.len() <= CHUNK_BYTES_TARGET || count == 1);
            next = chunk.end();
        }
        assert_eq!(next, Position(7 + 252));
        assert!(chunks.len() > 4);
    }

    fn counts(builder: ChunkBuilder) -> Vec<usize> {
        let chunks = builder.finish();
        chunks.iter().map(|(key, bytes)| Chunk::open(*key, bytes).unwrap().entries().count()).collect()
    }

    #[test]
    fn a_chunk_takes_as_many_bytes_as_its_target_says() {
        let room = CHUNK_BYTES_TARGET - CHUNK_HEAD_BYTES - CHUNK_TAIL_BYTES - 2 * (LEAF_BYTES + HEADER_BYTES);
        for (more, expected) in [(0, vec![2]), (1, vec![1, 1])] {
            let mut builder = ChunkBuilder::new(Position(7));
            push(&mut builder, &[1; 1000]);
            push(&mut builder, &vec![2; room - 1000 + more]);
            assert_eq!(counts(builder), expected);
        }
    }

    #[test]
    fn a_chunk_of_nothing_or_beyond_the_last_position_is_refused() {
        let mut builder = ChunkBuilder::new(Position(7));
        push(&mut builder, b"a");
        let (_, bytes) = builder.finish().remove(0);
        let with = |first: u64, count: u16| {
            let mut bytes = bytes.clone();
            bytes[6..8].copy_from_slice(&count.to_be_bytes());
            bytes[8..16].copy_from_slice(&first.to_be_bytes());
            Chunk::trusted(Position(first), &bytes).is_ok()
        };
        assert!(with(7, 1));
        assert!(with(u64::MAX - 1, 1));
        assert!(!with(7, 0));
        assert!(!with(u64::MAX, 1));
    }

    #[test]
    fn a_roll_back_leaves_nothing_behind() {
        let (mut plain, mut rolled) = (ChunkBuilder::new(Position(0)), ChunkBuilder::new(Position(0)));
        push(&mut plain, b"a");
        push(&mut plain, b"b");
        push(&mut rolled, b"a");
        rolled.reserve(500);
        let mark = rolled.mark();
        rolled
            .push(&header(1), |out| -> Result<(), ()> {
                out.push(1);
                Ok(())
            })
            .unwrap();
        assert_eq!(
            rolled.push(&header(1), |out| {
                out.push(1);
                Err("fails")
            }),
            Err("fails")
        );
        rolled.roll_back(mark);
        assert_eq!(rolled.next(), mark.next());
        push(&mut rolled, b"b");
        assert_eq!(rolled.finish(), plain.finish());
    }
}
