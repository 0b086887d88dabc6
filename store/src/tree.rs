//! The Merkle tree over all entries, in the order of the log (RFC 6962, section 2.1).
//!
//! A leaf is the hash that each entry has beside it already. The tree is derived: of its inner hashes only every eighth
//! level is kept, in tiles of 256, and the rest is computed when a proof is asked for.

use sha2::{Digest, Sha256};

use crate::error::ReadError;
use crate::header::Leaf;

/// Levels of the tree between two that are kept, and the binary logarithm of a tile's width.
const TILE_LEVELS: u8 = 8;
/// Hashes of a whole tile.
pub(crate) const TILE_WIDTH: usize = 1 << TILE_LEVELS;
/// Tiles above one another: no log has 2^56 entries.
const TIERS_MAX: usize = 7;

/// A hash of the tree.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeHash(pub [u8; 32]);

impl TreeHash {
    /// The root of a tree without leaves.
    #[must_use]
    pub fn of_nothing() -> Self {
        Self(Sha256::new().finalize().into())
    }

    fn above(left: Self, right: Self) -> Self {
        let mut hash = Sha256::new();
        hash.update([1]);
        hash.update(left.0);
        hash.update(right.0);
        Self(hash.finalize().into())
    }
}

impl From<Leaf> for TreeHash {
    fn from(leaf: Leaf) -> Self {
        Self(leaf.0)
    }
}

impl std::fmt::Debug for TreeHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The size of the tree, and its root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeHead {
    /// Entries of the log.
    pub size: u64,
    /// The hash over all of them.
    pub root: TreeHash,
}

/// A tile that is whole: its tier, its number in it, and its hashes.
pub(crate) type Tile = (u8, u64, Vec<TreeHash>);

/// Where what is not in memory comes from.
pub(crate) trait Shelf {
    /// Hashes of whole tiles, from the second tier on.
    fn tile(&self, tier: u8, number: u64) -> Result<Vec<TreeHash>, ReadError>;
    /// Leaves from a position on, so many.
    fn leaves(&self, first: u64, count: usize) -> Result<Vec<TreeHash>, ReadError>;
}

/// The right edge of a growing tree: in each tier, the hashes of the tile that is not whole yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tree {
    tiers: Vec<Vec<TreeHash>>,
    size: u64,
}

impl Tree {
    /// Takes up an edge that was written down; `None` when it is no edge of a tree of this size.
    pub(crate) fn with_edge(size: u64, tiers: Vec<Vec<TreeHash>>) -> Option<Self> {
        let mut left = size;
        for tier in &tiers {
            if tier.len() as u64 != left % TILE_WIDTH as u64 {
                return None;
            }
            left >>= TILE_LEVELS;
        }
        (left == 0 && tiers.len() <= TIERS_MAX).then_some(Self { tiers, size })
    }

    /// What [`Tree::with_edge`] takes up again.
    pub(crate) fn edge(&self) -> &[Vec<TreeHash>] {
        &self.tiers
    }

    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// Takes the next leaf. Tiles that it makes whole, from the second tier on, are handed out.
    pub(crate) fn push(&mut self, leaf: TreeHash, whole: &mut Vec<Tile>) {
        self.size = self.size.saturating_add(1);
        let mut hash = leaf;
        for tier in 0..TIERS_MAX {
            if self.tiers.len() == tier {
                self.tiers.push(Vec::new());
            }
            let edge = &mut self.tiers[tier];
            edge.push(hash);
            if edge.len() < TILE_WIDTH {
                return;
            }
            let tile = std::mem::take(edge);
            hash = fold(tile.clone());
            if tier > 0 {
                let number = (self.size >> (usize::from(TILE_LEVELS) * (tier + 1))).saturating_sub(1);
                whole.push((tier as u8, number, tile));
            }
        }
    }

    /// The root over all leaves.
    pub(crate) fn root(&self) -> TreeHash {
        let mut partial: Option<TreeHash> = None;
        for tier in &self.tiers {
            let row: Vec<TreeHash> = tier.iter().copied().chain(partial).collect();
            if !row.is_empty() {
                partial = Some(fold(row));
            }
        }
        partial.unwrap_or_else(TreeHash::of_nothing)
    }

    /// The root over the first `size` leaves, of which there have to be as many.
    pub(crate) fn root_at(&self, size: u64, shelf: &dyn Shelf) -> Result<TreeHash, ReadError> {
        match size {
            0 => Ok(TreeHash::of_nothing()),
            _ if size == self.size => Ok(self.root()),
            _ => self.range(0, size, shelf),
        }
    }

    /// The hashes that lead from a leaf to the root of the first `size` leaves (RFC 6962, section 2.1.1).
    ///
    /// The leaf has to be one of them, and there have to be as many.
    pub(crate) fn inclusion(&self, index: u64, size: u64, shelf: &dyn Shelf) -> Result<Vec<TreeHash>, ReadError> {
        let (mut path, mut first, mut end) = (Vec::new(), 0, size);
        while end - first > 1 {
            let middle = first + split(end - first);
            if index < middle {
                path.push(self.range(middle, end, shelf)?);
                end = middle;
            } else {
                path.push(self.range(first, middle, shelf)?);
                first = middle;
            }
        }
        path.reverse();
        Ok(path)
    }

    /// The hashes that show that the first `size` leaves begin with the first `old` ones (RFC 6962, section 2.1.2).
    pub(crate) fn consistency(&self, old: u64, size: u64, shelf: &dyn Shelf) -> Result<Vec<TreeHash>, ReadError> {
        let mut path = Vec::new();
        if old == 0 || old == size {
            return Ok(path);
        }
        let (mut first, mut end, mut whole) = (0, size, true);
        // Down to where the old tree ends at the end of a subtree.
        while old != end {
            let middle = first + split(end - first);
            if old <= middle {
                path.push(self.range(middle, end, shelf)?);
                end = middle;
            } else {
                path.push(self.range(first, middle, shelf)?);
                first = middle;
                whole = false;
            }
        }
        if !whole {
            path.push(self.range(first, end, shelf)?);
        }
        path.reverse();
        Ok(path)
    }

    /// The root over some leaves, as the tree splits them up.
    fn range(&self, first: u64, end: u64, shelf: &dyn Shelf) -> Result<TreeHash, ReadError> {
        let count = end - first;
        if count.is_power_of_two() {
            return self.node(count.trailing_zeros() as u8, first, shelf);
        }
        let middle = first + split(count);
        Ok(TreeHash::above(self.range(first, middle, shelf)?, self.range(middle, end, shelf)?))
    }

    /// The root over `2^level` leaves, from a leaf on whose number they divide.
    fn node(&self, level: u8, first: u64, shelf: &dyn Shelf) -> Result<TreeHash, ReadError> {
        let (tier, above) = (level / TILE_LEVELS, level % TILE_LEVELS);
        let count = 1 << above;
        let from = first >> (TILE_LEVELS * tier);
        let (number, offset) = (from >> TILE_LEVELS, (from % TILE_WIDTH as u64) as usize);
        let at_the_edge = number == (self.size >> (TILE_LEVELS * tier)) >> TILE_LEVELS;
        let hashes = if at_the_edge {
            self.tiers.get(usize::from(tier)).and_then(|edge| edge.get(offset..offset + count)).map(<[_]>::to_vec)
        } else if tier == 0 {
            Some(shelf.leaves(from, count)?)
        } else {
            shelf.tile(tier, number)?.get(offset..offset + count).map(<[_]>::to_vec)
        };
        let hashes = hashes.filter(|hashes| hashes.len() == count);
        hashes.map(fold).ok_or(ReadError::Derived("the tree lacks a tile"))
    }
}

/// Whether a proof shows that one tree begins with another (RFC 6962, section 2.1.2, taken apart as it is put together).
pub(crate) fn grows(old: TreeHead, new: TreeHead, proof: &[TreeHash]) -> bool {
    if old.size == 0 {
        return proof.is_empty() && old.root == TreeHash::of_nothing();
    }
    old.size <= new.size && roots(old.size, new.size, Some(old.root), proof) == Some((old.root, new.root))
}

/// Both roots that a proof leads to. `whole` is the root of the old tree as long as that may be a subtree of the new one.
fn roots(old: u64, size: u64, whole: Option<TreeHash>, proof: &[TreeHash]) -> Option<(TreeHash, TreeHash)> {
    if old == size {
        return match (whole, proof) {
            (Some(root), []) => Some((root, root)),
            (None, [hash]) => Some((*hash, *hash)),
            _ => None,
        };
    }
    let (beside, below) = proof.split_last()?;
    let middle = split(size);
    if old <= middle {
        let (before, now) = roots(old, middle, whole, below)?;
        Some((before, TreeHash::above(now, *beside)))
    } else {
        let (before, now) = roots(old - middle, size - middle, None, below)?;
        Some((TreeHash::above(*beside, before), TreeHash::above(*beside, now)))
    }
}

/// The largest power of two that is smaller than a count of two or more.
const fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

/// The root over a row of hashes of one level.
pub(crate) fn fold(mut row: Vec<TreeHash>) -> TreeHash {
    while row.len() > 1 {
        // What has no neighbour goes up as it is.
        row = row
            .chunks(2)
            .map(|pair| if let [left, right] = pair { TreeHash::above(*left, *right) } else { pair[0] })
            .collect();
    }
    row.first().copied().unwrap_or_else(TreeHash::of_nothing)
}
