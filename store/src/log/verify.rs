//! Verification of everything that can be recomputed without a key.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use countersign_domain::ids::{CommandId, Position, StreamId};

use super::Inner;
use super::index::{Row, Rows};
use crate::backend::Backend;
use crate::chunk::Chunk;
use crate::error::{KeyError, Problem, ReadError};
use crate::header::Leaf;
use crate::journal::{EntryRef, Verified};
use crate::keys::Slot;
use crate::limits::PROBLEMS_MAX;
use crate::tree::{TILE_WIDTH, Tile, Tree, TreeHead};

/// What a verification knows at some position of the log.
struct Audit {
    next: Position,
    counts: Verified,
    rows: Rows,
    keys: HashMap<u64, (StreamId, Position)>,
    append: Option<(CommandId, u16, u16)>,
    problems: Vec<Problem>,
    /// The tree over what the entries hash to, and the tiles that are whole now.
    tree: Tree,
    tiles: Vec<Tile>,
    /// What was signed last.
    signed: Option<TreeHead>,
}

impl Audit {
    fn blame(&mut self, position: Position, what: impl Into<String>) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(Problem { position, what: what.into() });
        }
    }

    fn blame_read(&mut self, at: Position, cause: &ReadError) {
        let position = match cause {
            ReadError::Corrupt { position, .. } | ReadError::UnknownEnvelope { position, .. } => *position,
            _ => at,
        };
        self.blame(position, cause.to_string());
    }

    fn chunk(&mut self, first: Position, bytes: &[u8]) {
        if first != self.next {
            self.blame(self.next, format!("the next chunk starts at {first}"));
        }
        match Chunk::open(first, bytes) {
            Err(cause) => {
                self.blame_read(first, &cause);
                self.next = first;
            }
            Ok(chunk) => {
                self.counts.chunks += 1;
                self.next = chunk.end();
                for entry in chunk.entries() {
                    match entry {
                        Ok(entry) => self.entry(&entry),
                        Err(cause) => self.blame_read(first, &cause),
                    }
                }
            }
        }
    }

    fn entry(&mut self, entry: &EntryRef<'_>) {
        let (position, header) = (entry.position, &entry.header);
        self.counts.entries += 1;
        let leaf = Leaf::of(entry.entry);
        if leaf != entry.leaf {
            self.blame(position, "the entry does not have its leaf");
        }
        self.tree.push(leaf.into(), &mut self.tiles);
        if self.signed.is_some_and(|signed| signed.size == self.tree.size() && signed.root != self.tree.root()) {
            self.blame(position, "the entries up to this one are not those that were signed");
        }
        let before = self.rows.get(&header.stream).copied();
        let chained = match before {
            None => header.previous.is_none(),
            Some(row) => {
                header.version == row.version.next()
                    && header.previous == Some(row.position)
                    && header.previous_leaf == row.leaf
            }
        };
        if !chained {
            self.blame(position, "the entry does not continue its stream");
        }
        if header.is_sealed() {
            self.counts.sealed += 1;
            self.keys.entry(header.key_id).or_insert((header.stream, position));
            if before.is_some_and(|row| row.key_id > header.key_id) {
                self.blame(position, "the stream has an earlier key again");
            }
        }
        let expected = match self.append {
            Some((command, part, parts)) if part + 1 < parts => (command, part + 1, parts),
            _ => (header.command, 0, header.parts),
        };
        if expected != (header.command, header.part, header.parts) {
            self.blame(position, "the append is torn");
        }
        self.append = Some((header.command, header.part, header.parts));
        let key_before = before.map_or(0, |row| row.key_id);
        self.rows.insert(header.stream, Row::after(header, position, entry.leaf, key_before));
    }
}

impl<B: Backend> Inner<B> {
    pub(super) fn verify(&self) -> Result<Verified, Vec<Problem>> {
        let head = self.head();
        let mut audit = Audit {
            next: Position(0),
            counts: Verified::default(),
            rows: Default::default(),
            keys: HashMap::new(),
            append: None,
            problems: Vec::new(),
            tree: Tree::default(),
            tiles: Vec::new(),
            signed: self.last_checkpoint().map(|signed| signed.head),
        };
        let visited = self.backend.chunks_from(Position(0), &mut |first, bytes| {
            if first < head {
                audit.chunk(first, bytes);
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        });
        if let Err(fault) = visited {
            audit.blame(audit.next, fault.to_string());
        }
        if audit.next != head {
            audit.blame(audit.next, format!("the log ends here and not at {head}"));
        }
        if audit.append.is_some_and(|(_, part, parts)| part + 1 != parts) {
            audit.blame(audit.next, "the last append is torn");
        }
        audit.counts.streams = audit.rows.len() as u64;
        if let Some(signed) = audit.signed.filter(|signed| signed.size > audit.tree.size()) {
            let what = format!("{} entries were signed, and fewer are here", signed.size);
            audit.blame(Position(audit.tree.size()), what);
        }
        self.verify_tiles(&mut audit);
        self.verify_index(&mut audit, head);
        self.verify_keys(&mut audit);
        if audit.problems.is_empty() { Ok(audit.counts) } else { Err(audit.problems) }
    }

    /// Compares the tiles of the tree that are kept with those that the entries make. A tile that is not there is no fault.
    fn verify_tiles(&self, audit: &mut Audit) {
        for (tier, number, hashes) in std::mem::take(&mut audit.tiles) {
            let kept = match self.kept_tile(tier, number) {
                Ok(kept) => kept,
                Err(cause) => return audit.blame(Position(0), cause.to_string()),
            };
            let Some(kept) = kept.filter(|kept| *kept != hashes) else { continue };
            let differs = kept.iter().zip(&hashes).position(|(kept, found)| kept != found).unwrap_or_default();
            let below = 1 << (u32::from(tier) * 8);
            let first = (number * TILE_WIDTH as u64 + differs as u64) * below;
            let what = format!("the tree has another hash of the {below} entries from here on");
            audit.blame(Position(first), what);
        }
    }

    /// Streams that moved on since the verification began are left out.
    fn verify_index(&self, audit: &mut Audit, head: Position) {
        let rows = std::mem::take(&mut audit.rows);
        for (stream, row) in &rows {
            match self.row(*stream) {
                Ok(Some(found)) if found == *row || found.position >= head => {}
                Ok(_) => audit.blame(row.position, format!("the index has another head of stream {stream}")),
                Err(cause) => audit.blame(row.position, format!("the index of stream {stream}: {cause}")),
            }
        }
    }

    fn verify_keys(&self, audit: &mut Audit) {
        let keys: BTreeMap<u64, (StreamId, Position)> = std::mem::take(&mut audit.keys).into_iter().collect();
        for (key_id, (stream, position)) in keys {
            let slot = match self.backend.slot(key_id) {
                Ok(Some(bytes)) => Slot::decode(key_id, &bytes),
                Ok(None) => Err(KeyError::Missing(key_id)),
                Err(fault) => Err(fault.into()),
            };
            match slot {
                Ok(Slot::Live { stream: owner, .. }) if owner == stream => {}
                Ok(Slot::Destroyed { stream: owner }) if owner == stream => audit.counts.keys_destroyed += 1,
                Ok(_) => audit.blame(position, format!("key {key_id} is of another stream")),
                Err(cause) => audit.blame(position, cause.to_string()),
            }
        }
    }
}
