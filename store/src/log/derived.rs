//! Snapshots and checkpoints: sealed, tied to the log's history, and never needed.

use countersign_domain::ids::{Position, StreamId, Version};

use super::Inner;
use super::read::leaf_at;
use crate::backend::{Backend, Change, Table};
use crate::error::{KeyError, ReadError};
use crate::header::Leaf;
use crate::journal::{Checkpoint, Snapshot};
use crate::limits::{
    CHECKPOINT_BLOCK_BYTES_MAX, CHECKPOINT_BLOCKS_MAX, CHECKPOINT_NAME_BYTES_MAX, DERIVED_BLOCK_BYTES_TARGET,
    SNAPSHOT_BYTES_MAX,
};

/// Magic, key id, stream, version, position, leaf, fingerprint.
const SNAPSHOT_HEAD_BYTES: usize = 4 + 8 + 16 + 8 + 8 + 32 + 8;
const SNAPSHOT_MAGIC: [u8; 4] = *b"CSs\x01";
const CHECKPOINT_MAGIC: [u8; 4] = *b"CSp\x01";
/// Bytes of a checkpoint's piece before it is sealed.
const PIECE_BYTES: usize = DERIVED_BLOCK_BYTES_TARGET;

fn snapshot_head(snapshot: &Snapshot, key_id: u64) -> Vec<u8> {
    let mut head = Vec::with_capacity(SNAPSHOT_HEAD_BYTES);
    head.extend_from_slice(&SNAPSHOT_MAGIC);
    head.extend_from_slice(&key_id.to_be_bytes());
    head.extend_from_slice(snapshot.stream.as_bytes());
    head.extend_from_slice(&snapshot.version.0.to_be_bytes());
    head.extend_from_slice(&snapshot.position.0.to_be_bytes());
    head.extend_from_slice(&snapshot.leaf.0);
    head.extend_from_slice(&snapshot.fingerprint.to_be_bytes());
    head
}

/// Takes a fixed field off the front.
fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (field, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*field)
}

/// The clear part of a stored snapshot, with its key id and without a state.
fn parse_snapshot(mut bytes: &[u8]) -> Option<(Snapshot, u64)> {
    let bytes = &mut bytes;
    if take(bytes)? != SNAPSHOT_MAGIC {
        return None;
    }
    let key_id = u64::from_be_bytes(take(bytes)?);
    let snapshot = Snapshot {
        stream: StreamId::from_bytes(take(bytes)?),
        version: Version(u64::from_be_bytes(take(bytes)?)),
        position: Position(u64::from_be_bytes(take(bytes)?)),
        leaf: Leaf(take(bytes)?),
        fingerprint: u64::from_be_bytes(take(bytes)?),
        state: Vec::new(),
    };
    Some((snapshot, key_id))
}

impl<B: Backend> Inner<B> {
    pub(super) fn save_snapshot(&self, snapshot: &Snapshot) -> Result<(), ReadError> {
        self.check_writable()?;
        if snapshot.state.len() > SNAPSHOT_BYTES_MAX {
            return Err(ReadError::Derived("the snapshot is too large"));
        }
        self.check_claim(Position(snapshot.position.0.saturating_add(1)))?;
        let row = self.row(snapshot.stream)?;
        let Some(row) = row.filter(|row| snapshot.version <= row.version) else {
            return Err(ReadError::Derived("the snapshot is ahead of its stream"));
        };
        let head = snapshot_head(snapshot, row.key_id);
        // A stream without a sealed entry has no key of its own, and nothing to forget.
        let sealed = match row.key_id {
            0 => self.sealer.derived().seal(&head, &snapshot.state)?,
            key_id => self.sealer.cipher(&self.backend, snapshot.stream, key_id)?.seal(&head, &snapshot.state)?,
        };
        let value = [head, sealed].concat();
        self.written(self.backend.put(Table::Snapshots, vec![(snapshot.stream.as_bytes().to_vec(), Some(value))]))
    }

    pub(super) fn load_snapshot(&self, stream: StreamId) -> Result<Option<Snapshot>, ReadError> {
        let Some(value) = self.backend.get(Table::Snapshots, stream.as_bytes())? else { return Ok(None) };
        let value = value.as_ref();
        let Some((mut snapshot, key_id)) = parse_snapshot(value) else { return Ok(None) };
        if snapshot.stream != stream || snapshot.position >= self.head() {
            return Ok(None);
        }
        let of_this_history = self.with_entry(snapshot.position, |entry| {
            entry.header.stream == stream && entry.header.version == snapshot.version && entry.leaf == snapshot.leaf
        })?;
        if !of_this_history {
            return Ok(None);
        }
        let cipher = match key_id {
            0 => Ok(self.sealer.derived()),
            key_id => self.sealer.cipher(&self.backend, stream, key_id),
        };
        let (head, sealed) = value.split_at(SNAPSHOT_HEAD_BYTES);
        match cipher.and_then(|cipher| cipher.open(head, sealed)) {
            Ok(state) => snapshot.state = state,
            Err(KeyError::Unavailable(fault)) => return Err(fault.into()),
            Err(_) => return Ok(None),
        }
        Ok(Some(snapshot))
    }

    pub(super) fn drop_snapshots(&self) -> Result<(), ReadError> {
        self.check_writable()?;
        self.written(self.backend.clear(Table::Snapshots))
    }

    pub(super) fn save_checkpoint(
        &self,
        name: &str,
        position: Position,
        fingerprint: u64,
        blocks: &[Vec<u8>],
    ) -> Result<(), ReadError> {
        if name.is_empty() || name.len() > CHECKPOINT_NAME_BYTES_MAX {
            return Err(ReadError::Derived("the checkpoint's name is empty or too long"));
        }
        if blocks.len() > CHECKPOINT_BLOCKS_MAX || blocks.iter().any(|block| block.len() > CHECKPOINT_BLOCK_BYTES_MAX) {
            return Err(ReadError::Derived("the checkpoint is too large"));
        }
        self.check_writable()?;
        self.check_claim(position)?;
        let _deriving = self.deriving();
        let old = self.checkpoint_head(name)?;
        let framed: usize = blocks.iter().map(|block| 4 + block.len()).sum();
        let head = CheckpointHead {
            position,
            leaf: self.leaf_before(position)?,
            fingerprint,
            generation: old.as_ref().map_or(0, |old| old.generation.wrapping_add(1)),
            pieces: framed.div_ceil(PIECE_BYTES) as u32,
        };
        self.put_pieces(name, &head, blocks)?;
        self.written(self.backend.sync())?;
        self.written(self.backend.put(Table::Checkpoints, vec![(head_key(name), Some(head.encode()))]))?;
        self.written(self.backend.sync())?;
        if let Some(old) = old {
            let dead = (0..old.pieces).map(|number| (piece_key(name, old.generation, number), None)).collect();
            self.written(self.backend.put(Table::Checkpoints, dead))?;
        }
        Ok(())
    }

    /// Cuts the framed blocks into pieces, and seals each for its place.
    fn put_pieces(&self, name: &str, head: &CheckpointHead, blocks: &[Vec<u8>]) -> Result<(), ReadError> {
        let aad = head.encode();
        let mut framed: Vec<u8> = Vec::with_capacity(PIECE_BYTES + CHECKPOINT_BLOCK_BYTES_MAX);
        let mut number = 0;
        for (at, block) in blocks.iter().enumerate() {
            framed.extend_from_slice(&(block.len() as u32).to_be_bytes());
            framed.extend_from_slice(block);
            let last = at + 1 == blocks.len();
            let ready = if last { framed.len() } else { framed.len() - framed.len() % PIECE_BYTES };
            let mut changes: Vec<Change> = Vec::new();
            for piece in framed[..ready].chunks(PIECE_BYTES) {
                let key = piece_key(name, head.generation, number);
                let sealed = self.sealer.derived().seal(&[&key, aad.as_slice()].concat(), piece)?;
                changes.push((key, Some(sealed)));
                number += 1;
            }
            framed.drain(..ready);
            self.written(self.backend.put(Table::Checkpoints, changes))?;
        }
        Ok(())
    }

    pub(super) fn load_checkpoint(&self, name: &str) -> Result<Option<Checkpoint>, ReadError> {
        let _deriving = self.deriving();
        let Some(head) = self.checkpoint_head(name)? else { return Ok(None) };
        if head.position > self.head() || self.leaf_before(head.position)? != head.leaf {
            return Ok(None);
        }
        let aad = head.encode();
        let mut framed = Vec::new();
        for number in 0..head.pieces {
            let key = piece_key(name, head.generation, number);
            let Some(sealed) = self.backend.get(Table::Checkpoints, &key)? else { return Ok(None) };
            match self.sealer.derived().open(&[&key, aad.as_slice()].concat(), sealed.as_ref()) {
                Ok(piece) => framed.extend_from_slice(&piece),
                Err(_) => return Ok(None),
            }
        }
        let blocks = unframe(&framed);
        Ok(blocks.map(|blocks| Checkpoint { position: head.position, fingerprint: head.fingerprint, blocks }))
    }

    fn checkpoint_head(&self, name: &str) -> Result<Option<CheckpointHead>, ReadError> {
        let value = self.backend.get(Table::Checkpoints, &head_key(name))?;
        Ok(value.and_then(|value| CheckpointHead::decode(value.as_ref())))
    }

    /// The leaf of the entry before a position: ties what is derived to this history.
    fn leaf_before(&self, position: Position) -> Result<Leaf, ReadError> {
        match position.0.checked_sub(1) {
            None => Ok(Leaf::ZERO),
            Some(last) => Ok(leaf_at(&self.backend, Position(last))?.unwrap_or(Leaf::ZERO)),
        }
    }
}

/// What is stored of a checkpoint beside its blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
struct CheckpointHead {
    position: Position,
    leaf: Leaf,
    fingerprint: u64,
    generation: u64,
    pieces: u32,
}

impl CheckpointHead {
    fn encode(&self) -> Vec<u8> {
        let mut out = CHECKPOINT_MAGIC.to_vec();
        out.extend_from_slice(&self.position.0.to_be_bytes());
        out.extend_from_slice(&self.leaf.0);
        out.extend_from_slice(&self.fingerprint.to_be_bytes());
        out.extend_from_slice(&self.generation.to_be_bytes());
        out.extend_from_slice(&self.pieces.to_be_bytes());
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_be_bytes());
        out
    }

    fn decode(mut bytes: &[u8]) -> Option<Self> {
        let whole = bytes;
        let bytes = &mut bytes;
        if take(bytes)? != CHECKPOINT_MAGIC {
            return None;
        }
        let head = Self {
            position: Position(u64::from_be_bytes(take(bytes)?)),
            leaf: Leaf(take(bytes)?),
            fingerprint: u64::from_be_bytes(take(bytes)?),
            generation: u64::from_be_bytes(take(bytes)?),
            pieces: u32::from_be_bytes(take(bytes)?),
        };
        (head.encode() == whole).then_some(head)
    }
}

/// Takes the blocks out of their frames: a length in four bytes, then the block.
fn unframe(mut framed: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut blocks = Vec::new();
    while let Some((length, rest)) = framed.split_first_chunk() {
        let (block, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        blocks.push(block.to_vec());
        framed = rest;
    }
    framed.is_empty().then_some(blocks)
}

fn head_key(name: &str) -> Vec<u8> {
    [b"h", name.as_bytes()].concat()
}

fn piece_key(name: &str, generation: u64, number: u32) -> Vec<u8> {
    let mut key = vec![b'b', name.len() as u8];
    key.extend_from_slice(name.as_bytes());
    key.extend_from_slice(&generation.to_be_bytes());
    key.extend_from_slice(&number.to_be_bytes());
    key
}
