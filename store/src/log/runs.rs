//! Sorted runs: the written part of the stream index.
//!
//! Rows keyed by stream would be random keys, which the log engine is slow and fat with. So an
//! index checkpoint writes one sorted run in blocks of ascending keys, and merges it with the
//! runs before it when they are not much larger. A manifest, written last, says which runs count:
//! a crash in between leaves the earlier index as it was.

use std::sync::Arc;

use countersign_domain::ids::{Position, StreamId, Version};

use super::bloom::Bloom;
use super::index::{Row, Rows};
use crate::backend::{Backend, Change, Table};
use crate::error::{Fault, ReadError};
use crate::header::Leaf;
use crate::limits::DERIVED_BLOCK_BYTES_TARGET;

const MANIFEST_KEY: &[u8] = b"manifest";
const MANIFEST_MAGIC: [u8; 8] = *b"CSix\x01\0\0\0";
const STREAM_BYTES: usize = 16;
const ROW_BYTES: usize = STREAM_BYTES + 56;
const BLOCK_ROWS: usize = DERIVED_BLOCK_BYTES_TARGET / ROW_BYTES;
const BLOCK: u8 = b'b';
const FENCES: u8 = b'f';
const BLOOM: u8 = b'm';
/// Rows of the table written at once: small, so that an append never waits long behind them.
const PUT_ROWS: usize = 16;
/// A run is merged with the one before it unless that has more than this many times its rows.
const MERGE_RATIO: u64 = 3;

type Stream = [u8; STREAM_BYTES];

/// One run: where its blocks begin, and which streams it cannot have.
#[derive(Debug)]
pub(super) struct Run {
    id: u64,
    rows: u64,
    fences: Vec<Stream>,
    bloom: Bloom,
}

/// All runs that count, oldest first, and how far into the log they reach.
#[derive(Debug, Default)]
pub(super) struct Runs {
    /// The first position that is not covered.
    pub(super) position: u64,
    /// The leaf of the entry before it: ties the index to this log.
    pub(super) leaf: Option<Leaf>,
    next_id: u64,
    list: Vec<Arc<Run>>,
}

const BROKEN: ReadError = ReadError::Derived("the stream index is broken");

fn row_key(run: u64, kind: u8, number: usize) -> Vec<u8> {
    let mut key = run.to_be_bytes().to_vec();
    key.push(kind);
    key.extend_from_slice(&(number as u32).to_be_bytes());
    key
}

fn with_crc(mut bytes: Vec<u8>) -> Vec<u8> {
    let crc = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&crc.to_be_bytes());
    bytes
}

fn without_crc(bytes: &[u8]) -> Result<&[u8], ReadError> {
    let (covered, crc) = bytes.split_last_chunk::<4>().ok_or(BROKEN)?;
    if crc32c::crc32c(covered).to_be_bytes() == *crc { Ok(covered) } else { Err(BROKEN) }
}

fn read_piece<B: Backend>(backend: &B, run: u64, kind: u8, number: usize) -> Result<B::Bytes, ReadError> {
    let piece = backend.get(Table::Index, &row_key(run, kind, number))?.ok_or(BROKEN)?;
    without_crc(piece.as_ref())?;
    Ok(piece)
}

fn read_pieces<B: Backend>(backend: &B, run: u64, kind: u8, bytes: usize) -> Result<Vec<u8>, ReadError> {
    let mut all = Vec::new();
    for number in 0..bytes.div_ceil(DERIVED_BLOCK_BYTES_TARGET) {
        let piece = read_piece(backend, run, kind, number)?;
        all.extend_from_slice(without_crc(piece.as_ref())?);
    }
    if all.len() == bytes { Ok(all) } else { Err(BROKEN) }
}

fn encode_row(out: &mut Vec<u8>, stream: &Stream, row: &Row) {
    out.extend_from_slice(stream);
    out.extend_from_slice(&row.version.0.to_be_bytes());
    out.extend_from_slice(&row.position.0.to_be_bytes());
    out.extend_from_slice(&row.leaf.0);
    out.extend_from_slice(&row.key_id.to_be_bytes());
}

fn decode_row(bytes: &[u8]) -> Option<(Stream, Row)> {
    let (stream, rest) = bytes.split_first_chunk()?;
    let (version, rest) = rest.split_first_chunk()?;
    let (position, rest) = rest.split_first_chunk()?;
    let (leaf, rest) = rest.split_first_chunk()?;
    let row = Row {
        version: Version(u64::from_be_bytes(*version)),
        position: Position(u64::from_be_bytes(*position)),
        leaf: Leaf(*leaf),
        key_id: u64::from_be_bytes(rest.try_into().ok()?),
    };
    Some((*stream, row))
}

impl Run {
    fn find<B: Backend>(&self, backend: &B, stream: &Stream) -> Result<Option<Row>, ReadError> {
        if !self.bloom.may_have(stream) {
            return Ok(None);
        }
        let Some(block) = self.fences.partition_point(|fence| fence <= stream).checked_sub(1) else {
            return Ok(None);
        };
        let piece = read_piece(backend, self.id, BLOCK, block)?;
        let rows = without_crc(piece.as_ref())?;
        let (mut low, mut high) = (0, rows.len() / ROW_BYTES);
        while low < high {
            let middle = low.midpoint(high);
            let (found, row) = decode_row(&rows[middle * ROW_BYTES..(middle + 1) * ROW_BYTES]).ok_or(BROKEN)?;
            match found.cmp(stream) {
                std::cmp::Ordering::Equal => return Ok(Some(row)),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Ok(None)
    }

    fn keys(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        let pieces = |bytes: usize| bytes.div_ceil(DERIVED_BLOCK_BYTES_TARGET);
        let of = |kind: u8, count: usize| (0..count).map(move |number| row_key(self.id, kind, number));
        of(BLOCK, self.fences.len())
            .chain(of(FENCES, pieces(self.fences.len() * STREAM_BYTES)))
            .chain(of(BLOOM, pieces(self.bloom.bytes().len())))
    }
}

/// Reads the rows of a run in order.
struct Reader<'a, B: Backend> {
    backend: &'a B,
    run: &'a Run,
    block: usize,
    rows: Vec<u8>,
    at: usize,
}

impl<'a, B: Backend> Reader<'a, B> {
    const fn new(backend: &'a B, run: &'a Run) -> Self {
        Self { backend, run, block: 0, rows: Vec::new(), at: 0 }
    }

    fn next(&mut self) -> Result<Option<(Stream, Row)>, ReadError> {
        if self.at == self.rows.len() {
            if self.block == self.run.fences.len() {
                return Ok(None);
            }
            let piece = read_piece(self.backend, self.run.id, BLOCK, self.block)?;
            self.rows = without_crc(piece.as_ref())?.to_vec();
            self.block += 1;
            self.at = 0;
        }
        let row = self.rows.get(self.at..self.at + ROW_BYTES).ok_or(BROKEN)?;
        self.at += ROW_BYTES;
        decode_row(row).map(Some).ok_or(BROKEN)
    }
}

/// Writes the rows of a run in order.
struct Writer<'a, B: Backend> {
    backend: &'a B,
    run: Run,
    block: Vec<u8>,
    pending: Vec<Change>,
}

impl<'a, B: Backend> Writer<'a, B> {
    fn new(backend: &'a B, id: u64, rows_max: u64) -> Self {
        let run = Run { id, rows: 0, fences: Vec::new(), bloom: Bloom::for_rows(rows_max) };
        Self { backend, run, block: Vec::new(), pending: Vec::new() }
    }

    fn push(&mut self, stream: &Stream, row: &Row) -> Result<(), ReadError> {
        if self.block.is_empty() {
            self.run.fences.push(*stream);
        }
        encode_row(&mut self.block, stream, row);
        self.run.bloom.add(stream);
        self.run.rows += 1;
        if self.block.len() == BLOCK_ROWS * ROW_BYTES { self.close_block() } else { Ok(()) }
    }

    fn close_block(&mut self) -> Result<(), ReadError> {
        if self.block.is_empty() {
            return Ok(());
        }
        let block = std::mem::take(&mut self.block);
        self.put(row_key(self.run.id, BLOCK, self.run.fences.len() - 1), block)
    }

    fn put(&mut self, key: Vec<u8>, value: Vec<u8>) -> Result<(), ReadError> {
        self.pending.push((key, Some(with_crc(value))));
        if self.pending.len() >= PUT_ROWS {
            self.backend.put(Table::Index, std::mem::take(&mut self.pending))?;
            // Little by little, so that an append's own sync never waits for all of it.
            self.backend.sync()?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Run, ReadError> {
        self.close_block()?;
        let fences = self.run.fences.concat();
        for (number, piece) in fences.chunks(DERIVED_BLOCK_BYTES_TARGET).enumerate() {
            self.put(row_key(self.run.id, FENCES, number), piece.to_vec())?;
        }
        let bloom = self.run.bloom.bytes().to_vec();
        for (number, piece) in bloom.chunks(DERIVED_BLOCK_BYTES_TARGET).enumerate() {
            self.put(row_key(self.run.id, BLOOM, number), piece.to_vec())?;
        }
        self.backend.put(Table::Index, std::mem::take(&mut self.pending))?;
        Ok(self.run)
    }
}

impl Runs {
    /// Reads the manifest and what it names; `None` when there is none, an error when it is broken.
    pub(super) fn load<B: Backend>(backend: &B) -> Result<Option<Self>, ReadError> {
        let Some(manifest) = backend.get(Table::Index, MANIFEST_KEY)? else { return Ok(None) };
        let manifest = without_crc(manifest.as_ref())?;
        let (magic, rest) = manifest.split_first_chunk().ok_or(BROKEN)?;
        let (position, rest) = rest.split_first_chunk().ok_or(BROKEN)?;
        let (leaf, rest) = rest.split_first_chunk().ok_or(BROKEN)?;
        let (next_id, rest) = rest.split_first_chunk().ok_or(BROKEN)?;
        if *magic != MANIFEST_MAGIC || !rest.len().is_multiple_of(32) {
            return Err(BROKEN);
        }
        let list = rest.chunks_exact(32).map(|run| Self::load_run(backend, run)).collect::<Result<_, _>>()?;
        Ok(Some(Self {
            position: u64::from_be_bytes(*position),
            leaf: Some(Leaf(*leaf)),
            next_id: u64::from_be_bytes(*next_id),
            list,
        }))
    }

    fn load_run<B: Backend>(backend: &B, described: &[u8]) -> Result<Arc<Run>, ReadError> {
        let number = |at: usize| described[at..at + 8].iter().fold(0, |sum: u64, byte| sum << 8 | u64::from(*byte));
        let (id, rows) = (number(0), number(8));
        let size = |value: u64| usize::try_from(value).ok().filter(|value| *value < 1 << 32).ok_or(BROKEN);
        let fences = read_pieces(backend, id, FENCES, size(number(16))?.saturating_mul(STREAM_BYTES))?;
        let fences = fences.as_chunks::<STREAM_BYTES>().0.to_vec();
        let bloom = Bloom::from_bytes(read_pieces(backend, id, BLOOM, size(number(24))?)?).ok_or(BROKEN)?;
        Ok(Arc::new(Run { id, rows, fences, bloom }))
    }

    fn manifest(&self) -> Vec<u8> {
        let mut out = MANIFEST_MAGIC.to_vec();
        out.extend_from_slice(&self.position.to_be_bytes());
        out.extend_from_slice(&self.leaf.unwrap_or(Leaf::ZERO).0);
        out.extend_from_slice(&self.next_id.to_be_bytes());
        for run in &self.list {
            for number in [run.id, run.rows, run.fences.len() as u64, run.bloom.bytes().len() as u64] {
                out.extend_from_slice(&number.to_be_bytes());
            }
        }
        with_crc(out)
    }

    pub(super) fn find<B: Backend>(&self, backend: &B, stream: StreamId) -> Result<Option<Row>, ReadError> {
        for run in self.list.iter().rev() {
            if let Some(row) = run.find(backend, stream.as_bytes())? {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    /// Writes rows that reach up to a position, durably. Returns the runs that count from now on, and
    /// the ones that do not count any more: to be removed once nobody looks into them.
    pub(super) fn write<B: Backend>(
        &self,
        backend: &B,
        rows: &Rows,
        position: Position,
        leaf: Leaf,
    ) -> Result<(Self, Vec<Arc<Run>>), ReadError> {
        let mut sorted: Vec<(Stream, Row)> = rows.iter().map(|(stream, row)| (*stream.as_bytes(), *row)).collect();
        sorted.sort_unstable_by_key(|(stream, _)| *stream);
        let mut keep = self.list.clone();
        let mut merged = Vec::new();
        let mut rows_max = sorted.len() as u64;
        while let Some(run) = keep.pop_if(|run| run.rows <= MERGE_RATIO * rows_max) {
            rows_max += run.rows;
            merged.push(run);
        }
        keep.push(Arc::new(merge(backend, self.next_id, &sorted, &merged, rows_max)?));
        let next = Self { position: position.0, leaf: Some(leaf), next_id: self.next_id + 1, list: keep };
        backend.sync()?;
        backend.put(Table::Index, vec![(MANIFEST_KEY.to_vec(), Some(next.manifest()))])?;
        backend.sync()?;
        Ok((next, merged))
    }

    /// Removes the rows of runs that do not count any more.
    pub(super) fn remove<B: Backend>(backend: &B, dead: &[Arc<Run>]) -> Result<(), Fault> {
        let mut keys = dead.iter().flat_map(|run| run.keys()).peekable();
        while keys.peek().is_some() {
            backend.put(Table::Index, keys.by_ref().take(PUT_ROWS).map(|key| (key, None)).collect())?;
        }
        Ok(())
    }
}

/// Writes one run out of fresh rows and earlier runs, newest first; the newest row of a stream wins.
fn merge<B: Backend>(
    backend: &B,
    id: u64,
    sorted: &[(Stream, Row)],
    earlier: &[Arc<Run>],
    rows_max: u64,
) -> Result<Run, ReadError> {
    let mut writer = Writer::new(backend, id, rows_max);
    let mut fresh = sorted.iter().copied().peekable();
    let mut readers: Vec<Reader<'_, B>> = earlier.iter().map(|run| Reader::new(backend, run)).collect();
    let mut next = Vec::with_capacity(readers.len());
    for reader in &mut readers {
        next.push(reader.next()?);
    }
    loop {
        let streams = next.iter().flatten().chain(fresh.peek()).map(|(stream, _)| *stream);
        let Some(least) = streams.min() else { return writer.finish() };
        let mut winner = fresh.next_if(|(stream, _)| *stream == least);
        for (reader, next) in readers.iter_mut().zip(&mut next) {
            if next.is_some_and(|(stream, _)| stream == least) {
                winner = winner.or(*next);
                *next = reader.next()?;
            }
        }
        if let Some((stream, row)) = winner {
            writer.push(&stream, &row)?;
        }
    }
}
