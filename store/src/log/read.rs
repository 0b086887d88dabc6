//! Reading: single entries, streams walked back from their heads, and the whole log in order.

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError};

use countersign_domain::ids::{Position, StreamId, Version};

use super::Inner;
use super::index::Row;
use crate::backend::{Backend, Document, Table};
use crate::chunk::Chunk;
use crate::error::{KeyError, ReadError};
use crate::header::{Header, Leaf};
use crate::journal::{EntryRef, Recorded, Rewrapped};
use crate::keys::{KeyUse, SLOT_BYTES};
use crate::limits::{CHUNK_CACHE_MAX, READ_ENTRIES_MAX, REWRAP_SLOTS, REWRAPPED_MAX};

/// The chunks read last, their checksums verified. Oldest out first.
#[derive(Debug)]
pub(super) struct ChunkCache<T> {
    chunks: BTreeMap<Position, (Position, T)>,
    order: VecDeque<Position>,
}

impl<T> Default for ChunkCache<T> {
    fn default() -> Self {
        Self { chunks: BTreeMap::new(), order: VecDeque::new() }
    }
}

impl<T: Clone> ChunkCache<T> {
    fn get(&self, position: Position) -> Option<(Position, T)> {
        let (first, (end, bytes)) = self.chunks.range(..=position).next_back()?;
        (position < *end).then(|| (*first, bytes.clone()))
    }

    fn insert(&mut self, first: Position, end: Position, bytes: T) {
        if self.chunks.insert(first, (end, bytes)).is_none() {
            self.order.push_back(first);
        }
        if self.order.len() > CHUNK_CACHE_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.chunks.remove(&oldest);
        }
    }
}

const fn corrupt(position: Position, what: &'static str) -> ReadError {
    ReadError::Corrupt { position, what }
}

/// The leaf of an entry as its chunk states it; `None` when no chunk has the entry.
pub(super) fn leaf_at<B: Backend>(backend: &B, position: Position) -> Result<Option<Leaf>, ReadError> {
    let Some((first, bytes)) = backend.chunk_at_or_before(position)? else { return Ok(None) };
    let entry = Chunk::open(first, bytes.as_ref())?.entry(position).transpose()?;
    Ok(entry.map(|entry| entry.leaf))
}

/// Visits the entries of `from..head`, see [`crate::Journal::scan`].
pub(super) fn scan<B: Backend>(
    backend: &B,
    from: Position,
    head: Position,
    visit: &mut dyn FnMut(EntryRef<'_>) -> ControlFlow<()>,
) -> Result<Position, ReadError> {
    if from >= head {
        return Ok(from);
    }
    let start = backend.chunk_at_or_before(from)?.map(|(first, _)| first);
    let start = start.ok_or(corrupt(from, "the chunk is missing"))?;
    let (mut next, mut expected) = (from, start);
    let mut stopped = false;
    let mut failed = None;
    backend.chunks_from(start, &mut |first, bytes| {
        if first >= head {
            return ControlFlow::Break(());
        }
        let step = scan_chunk(first, expected, bytes, &mut next, visit);
        match step {
            Ok((end, ControlFlow::Continue(()))) => {
                expected = end;
                ControlFlow::Continue(())
            }
            Ok((_, ControlFlow::Break(()))) => {
                stopped = true;
                ControlFlow::Break(())
            }
            Err(cause) => {
                failed = Some(cause);
                ControlFlow::Break(())
            }
        }
    })?;
    match failed {
        Some(cause) => Err(cause),
        None if !stopped && next != head => Err(corrupt(next, "the chunk is missing")),
        None => Ok(next),
    }
}

/// Visits the entries of one chunk from `next` on; returns the end of the chunk.
fn scan_chunk(
    first: Position,
    expected: Position,
    bytes: &[u8],
    next: &mut Position,
    visit: &mut dyn FnMut(EntryRef<'_>) -> ControlFlow<()>,
) -> Result<(Position, ControlFlow<()>), ReadError> {
    if first != expected {
        return Err(corrupt(expected, "the chunk is missing or overlaps another"));
    }
    let chunk = Chunk::open(first, bytes)?;
    if chunk.end() <= *next {
        return Err(corrupt(*next, "the chunk is missing"));
    }
    for entry in chunk.entries() {
        let entry = entry?;
        if entry.position < *next {
            continue;
        }
        next.0 += 1;
        if visit(entry).is_break() {
            return Ok((chunk.end(), ControlFlow::Break(())));
        }
    }
    Ok((chunk.end(), ControlFlow::Continue(())))
}

impl<B: Backend> Inner<B> {
    /// The index row of a stream.
    pub(super) fn row(&self, stream: StreamId) -> Result<Option<Row>, ReadError> {
        loop {
            let runs = {
                let shared = self.shared();
                if let Some(row) = shared.index.get(stream) {
                    return Ok(Some(row));
                }
                shared.index.runs()
            };
            let found = runs.find(&self.backend, stream);
            // A checkpoint that ended meanwhile may have removed the blocks, or moved a fresh row into
            // runs that were not looked at. Then look again; checkpoints are far apart.
            let shared = self.shared();
            if Arc::ptr_eq(&runs, &shared.index.runs()) {
                return shared.index.get(stream).map_or(found, |row| Ok(Some(row)));
            }
        }
    }

    fn chunk_of(&self, position: Position) -> Result<(Position, B::Bytes), ReadError> {
        let cache = || self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = cache().get(position) {
            return Ok(found);
        }
        let found = self.backend.chunk_at_or_before(position)?;
        let (first, bytes) = found.ok_or(corrupt(position, "the chunk is missing"))?;
        let end = Chunk::open(first, bytes.as_ref())?.end();
        if position >= end {
            return Err(corrupt(position, "the chunk is missing"));
        }
        cache().insert(first, end, bytes.clone());
        Ok((first, bytes))
    }

    /// Hands an entry out, its leaf recomputed.
    pub(super) fn with_entry<R>(
        &self,
        position: Position,
        take: impl FnOnce(EntryRef<'_>) -> R,
    ) -> Result<R, ReadError> {
        let (first, bytes) = self.chunk_of(position)?;
        let chunk = Chunk::trusted(first, bytes.as_ref())?;
        let entry = chunk.entry(position).ok_or(corrupt(position, "the entry is missing"))??;
        if Leaf::of(entry.entry) != entry.leaf {
            return Err(corrupt(position, "the entry does not have its leaf"));
        }
        Ok(take(entry))
    }

    pub(super) fn read_stream(
        &self,
        stream: StreamId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<Recorded>, ReadError> {
        let Some(head) = self.row(stream)? else { return Ok(Vec::new()) };
        let limit = limit.min(READ_ENTRIES_MAX) as u64;
        let newest = after.0.saturating_add(limit).min(head.version.0);
        if newest <= after.0 {
            return Ok(Vec::new());
        }
        let mut found = Vec::with_capacity((newest - after.0) as usize);
        let (mut position, mut leaf) = (head.position, head.leaf);
        for version in (after.0 + 1..=head.version.0).rev() {
            let header = self.with_entry(position, |entry| {
                if version <= newest && entry.leaf == leaf {
                    found.push(entry.to_recorded());
                }
                (entry.leaf == leaf).then_some(entry.header)
            })?;
            let chained = header.filter(|header| header.stream == stream && header.version.0 == version);
            let header = chained.ok_or(corrupt(position, "the entry is not the one its stream chains to"))?;
            match header.previous {
                Some(previous) => (position, leaf) = (previous, header.previous_leaf),
                None if version == 1 => {}
                None => return Err(corrupt(position, "the stream ends too early")),
            }
        }
        found.reverse();
        Ok(found)
    }

    pub(super) fn unseal(&self, header: &Header, body: &[u8]) -> Result<Vec<u8>, KeyError> {
        if !header.is_sealed() {
            return Ok(body.to_vec());
        }
        self.sealer.cipher(&self.backend, header.stream, header.key_id)?.open(&header.encode(), body)
    }

    pub(super) fn destroy_key(&self, stream: StreamId) -> Result<Option<u64>, KeyError> {
        // Nobody appends meanwhile, so that no key of the stream is made behind our back.
        let _writer = self.writer.lock();
        let row = self.row(stream).map_err(|cause| KeyError::Ring(cause.to_string()))?;
        self.destroy(stream, row.map_or(0, |row| row.key_id))
    }

    pub(super) fn destroy_key_of(&self, stream: StreamId, version: Version) -> Result<Option<u64>, KeyError> {
        let Some(before) = version.0.checked_sub(1) else { return Ok(None) };
        let entry = self.read_stream(stream, Version(before), 1).map_err(|cause| KeyError::Ring(cause.to_string()))?;
        let _writer = self.writer.lock();
        self.destroy(stream, entry.first().map_or(0, |entry| entry.header.key_id))
    }

    fn destroy(&self, stream: StreamId, key_id: u64) -> Result<Option<u64>, KeyError> {
        self.check_writable().map_err(|cause| KeyError::Ring(cause.to_string()))?;
        if key_id == 0 {
            return Ok(None);
        }
        let destroyed = self.sealer.destroy(&self.backend, stream, key_id);
        destroyed.inspect_err(|_| self.poison())?;
        Ok(Some(key_id))
    }

    pub(super) fn rewrap_keys(&self, from: u64) -> Result<Rewrapped, KeyError> {
        self.check_writable().map_err(|cause| KeyError::Ring(cause.to_string()))?;
        let total = self.backend.slots()?;
        let (mut until, mut done) = (from, 0);
        while until < total && until - from < REWRAP_SLOTS && done < REWRAPPED_MAX {
            if self.sealer.is_stale(&self.backend, until)? {
                // One at a time, so that an append waits for one slot at most.
                let _writer = self.writer.lock();
                done += u64::from(self.sealer.rewrap(&self.backend, until).inspect_err(|_| self.poison())?);
            }
            until += 1;
        }
        if until >= total {
            done += self.rewrap_signers()?;
        }
        Ok(Rewrapped { done, next: (until < total).then_some(until), total })
    }

    pub(super) fn wrapped_keys(&self) -> Result<(Vec<u8>, Vec<u8>), KeyError> {
        // No slot is written meanwhile.
        let writer = self.writer.lock();
        let slots = self.backend.slots()?;
        let mut bytes = Vec::new();
        for number in 0..slots {
            bytes.extend_from_slice(&self.backend.slot(number)?.unwrap_or([0; SLOT_BYTES]));
        }
        drop(writer);
        Ok((bytes, self.backend.document(Document::Signers)?.unwrap_or_default()))
    }

    pub(super) fn key_use(&self, ring_key: u32) -> Result<KeyUse, KeyError> {
        // No slot is made meanwhile.
        let writer = self.writer.lock();
        let found = self.sealer.key_use(&self.backend, ring_key)?;
        drop(writer);
        Ok(KeyUse { signing: self.signers_wrapped_by(ring_key)?, ..found })
    }

    pub(super) fn renew_derived(&self) -> Result<(), KeyError> {
        self.check_writable().map_err(|cause| KeyError::Ring(cause.to_string()))?;
        // Nothing that is derived is read or written meanwhile, and no slot.
        let _writer = self.writer.lock();
        let _deriving = self.deriving();
        self.sealer.renew_derived(&self.backend).inspect_err(|_| self.poison())?;
        // A principal's snapshot is sealed under the key of its stream, and goes with that.
        self.backend.clear(Table::Checkpoints).inspect_err(|_| self.poison())?;
        Ok(self.backend.sync().inspect_err(|_| self.poison())?)
    }
}
