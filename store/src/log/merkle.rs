//! The tree over all entries: caught up when somebody asks, written down behind the acks.

use std::ops::ControlFlow;
use std::sync::PoisonError;

use countersign_domain::ids::Position;

use super::{Inner, read};
use crate::backend::{Backend, Change, Table};
use crate::error::ReadError;
use crate::tree::{Shelf, TILE_WIDTH, Tile, Tree, TreeHash, TreeHead};

/// The name of the checkpoint that the edge of the tree is written to.
const EDGE: &str = "tree";
/// Its version: another one is not taken up.
const EDGE_FINGERPRINT: u64 = 1;
const HASH_BYTES: usize = 32;

impl<B: Backend> Inner<B> {
    pub(super) fn tree_head(&self) -> Result<TreeHead, ReadError> {
        self.with_tree(|tree| Ok(TreeHead { size: tree.size(), root: tree.root() }))
    }

    /// How many leaves the tree has, and the root over the first `size` of them if there are as many.
    pub(super) fn tree_root_at(&self, size: u64) -> Result<(u64, Option<TreeHash>), ReadError> {
        self.with_tree(|tree| {
            let root = (size <= tree.size()).then(|| tree.root_at(size, self)).transpose()?;
            Ok((tree.size(), root))
        })
    }

    pub(super) fn prove_entry(&self, position: Position, size: u64) -> Result<Option<Vec<TreeHash>>, ReadError> {
        self.with_tree(|tree| {
            let there = position.0 < size && size <= tree.size();
            there.then(|| tree.inclusion(position.0, size, self)).transpose()
        })
    }

    pub(super) fn prove_growth(&self, old: u64, size: u64) -> Result<Option<Vec<TreeHash>>, ReadError> {
        self.with_tree(|tree| {
            let there = old <= size && size <= tree.size();
            there.then(|| tree.consistency(old, size, self)).transpose()
        })
    }

    /// Writes the edge of the tree down, so that the next open does not read the whole log for it.
    pub(super) fn checkpoint_tree(&self) -> Result<(), ReadError> {
        if self.read_only || self.is_poisoned() {
            return Ok(());
        }
        let written = |tree: &Tree| (tree.size(), tree.edge().iter().map(|tier| bytes_of(tier)).collect::<Vec<_>>());
        let (size, blocks) = self.with_tree(|tree| Ok(written(tree)))?;
        self.save_checkpoint(EDGE, Position(size), EDGE_FINGERPRINT, &blocks)
    }

    /// A tile as it was kept, if it is whole.
    pub(super) fn kept_tile(&self, tier: u8, number: u64) -> Result<Option<Vec<TreeHash>>, ReadError> {
        let found = self.backend.get(Table::Tiles, &tile_key(tier, number))?;
        Ok(found.and_then(|bytes| hashes_of(bytes.as_ref())).filter(|hashes| hashes.len() == TILE_WIDTH))
    }

    pub(super) fn forget_tree(&self) {
        *self.tree.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Asks the tree over everything that is durable by now.
    pub(super) fn with_tree<T>(&self, ask: impl FnOnce(&Tree) -> Result<T, ReadError>) -> Result<T, ReadError> {
        let mut slot = self.tree.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tree = match slot.take() {
            Some(tree) => tree,
            None => self.written_tree()?.unwrap_or_default(),
        };
        self.catch_up(&mut tree)?;
        ask(slot.insert(tree))
    }

    /// The tree as it was written down, if it is of this history.
    fn written_tree(&self) -> Result<Option<Tree>, ReadError> {
        let found = self.load_checkpoint(EDGE)?.filter(|edge| edge.fingerprint == EDGE_FINGERPRINT);
        Ok(found.and_then(|edge| {
            let tiers: Option<Vec<_>> = edge.blocks.iter().map(|block| hashes_of(block)).collect();
            Tree::with_edge(edge.position.0, tiers?)
        }))
    }

    fn catch_up(&self, tree: &mut Tree) -> Result<(), ReadError> {
        let mut whole = Vec::new();
        read::scan(&self.backend, Position(tree.size()), self.head(), &mut |entry| {
            tree.push(entry.leaf.into(), &mut whole);
            ControlFlow::Continue(())
        })?;
        if whole.is_empty() || self.read_only || self.is_poisoned() {
            return Ok(());
        }
        let rows = whole
            .into_iter()
            .map(|(tier, number, hashes): Tile| -> Change { (tile_key(tier, number), Some(bytes_of(&hashes))) });
        self.written(self.backend.put(Table::Tiles, rows.collect()))
    }
}

impl<B: Backend> Shelf for Inner<B> {
    /// A tile that was lost is computed from those below it.
    fn tile(&self, tier: u8, number: u64) -> Result<Vec<TreeHash>, ReadError> {
        if tier == 0 {
            return self.leaves(number * TILE_WIDTH as u64, TILE_WIDTH);
        }
        if let Some(hashes) = self.kept_tile(tier, number)? {
            return Ok(hashes);
        }
        let below = (0..TILE_WIDTH as u64).map(|nth| self.tile(tier - 1, number * TILE_WIDTH as u64 + nth));
        below.map(|tile| tile.map(crate::tree::fold)).collect()
    }

    fn leaves(&self, first: u64, count: usize) -> Result<Vec<TreeHash>, ReadError> {
        let mut leaves = Vec::with_capacity(count);
        read::scan(&self.backend, Position(first), self.head(), &mut |entry| {
            leaves.push(entry.leaf.into());
            if leaves.len() < count { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok(leaves)
    }
}

fn tile_key(tier: u8, number: u64) -> Vec<u8> {
    let mut key = vec![tier];
    key.extend_from_slice(&number.to_be_bytes());
    key
}

fn bytes_of(hashes: &[TreeHash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

fn hashes_of(bytes: &[u8]) -> Option<Vec<TreeHash>> {
    let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
    rest.is_empty().then(|| hashes.iter().map(|hash| TreeHash(*hash)).collect())
}
