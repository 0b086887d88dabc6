//! Proofs of RFC 6962, checked as RFC 9162 spells it out (sections 2.1.3.2 and 2.1.4.2).

use crate::error::ProofError;
use crate::hash::Hash;

/// Checks that an entry is at an index of a tree: its leaf hash, and the hashes beside its way up, lead to the root.
///
/// # Errors
/// [`ProofError::OutOfRange`] when the tree has no such index; [`ProofError::Mismatch`] when the proof does not lead there.
///
/// ```
/// use countersign_proof::{Hash, verify_inclusion};
///
/// let [one, two] = [Hash::of_leaf(b"1"), Hash::of_leaf(b"2")];
/// let root = Hash::of_nodes(one, two);
/// assert!(verify_inclusion(two, 1, 2, &[one], root).is_ok());
/// assert!(verify_inclusion(two, 0, 2, &[one], root).is_err(), "it is not the first");
/// ```
pub fn verify_inclusion(leaf: Hash, index: u64, size: u64, proof: &[Hash], root: Hash) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::OutOfRange);
    }
    let (mut node, mut last) = (index, size - 1);
    let mut hash = leaf;
    for beside in proof {
        if last == 0 {
            return Err(ProofError::Mismatch);
        }
        if node % 2 == 1 || node == last {
            hash = Hash::of_nodes(*beside, hash);
            while node % 2 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = Hash::of_nodes(hash, *beside);
        }
        node >>= 1;
        last >>= 1;
    }
    if last == 0 && hash == root { Ok(()) } else { Err(ProofError::Mismatch) }
}

/// Checks that a tree continues an earlier one: the same entries at the same places, and further ones after them.
///
/// # Errors
/// [`ProofError::OutOfRange`] when the later tree is the smaller one; [`ProofError::Mismatch`] when the proof does not
/// lead to both roots.
///
/// ```
/// use countersign_proof::{Hash, verify_consistency};
///
/// let [one, two] = [Hash::of_leaf(b"1"), Hash::of_leaf(b"2")];
/// let later = Hash::of_nodes(one, two);
/// assert!(verify_consistency((1, one), (2, later), &[two]).is_ok());
/// assert!(verify_consistency((1, two), (2, later), &[one]).is_err(), "another one came first");
/// ```
pub fn verify_consistency(
    (old_size, old_root): (u64, Hash),
    (size, root): (u64, Hash),
    proof: &[Hash],
) -> Result<(), ProofError> {
    if old_size > size {
        return Err(ProofError::OutOfRange);
    }
    if old_size == size || old_size == 0 {
        let same = old_size == 0 && old_root == Hash::of_nothing() || old_size != 0 && old_root == root;
        return if same && proof.is_empty() { Ok(()) } else { Err(ProofError::Mismatch) };
    }
    let (mut node, mut last) = (old_size - 1, size - 1);
    while node % 2 == 1 {
        node >>= 1;
        last >>= 1;
    }
    let mut rest = proof.iter();
    // The old tree is a whole subtree of the new one when its size is a power of two: then it is its own beginning.
    let first = if old_size.is_power_of_two() { Some(&old_root) } else { rest.next() };
    let Some(first) = first else { return Err(ProofError::Mismatch) };
    let (mut old, mut new) = (*first, *first);
    for beside in rest {
        if last == 0 {
            return Err(ProofError::Mismatch);
        }
        if node % 2 == 1 || node == last {
            old = Hash::of_nodes(*beside, old);
            new = Hash::of_nodes(*beside, new);
            while node % 2 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            new = Hash::of_nodes(new, *beside);
        }
        node >>= 1;
        last >>= 1;
    }
    if last == 0 && old == old_root && new == root { Ok(()) } else { Err(ProofError::Mismatch) }
}

/// The roots of a growing tree, from its leaves in order, in memory for one hash a level.
///
/// ```
/// use countersign_proof::{Hash, Roots};
///
/// let mut roots = Roots::default();
/// roots.push(Hash::of_leaf(b"1"));
/// roots.push(Hash::of_leaf(b"2"));
/// assert_eq!(roots.root(), Hash::of_nodes(Hash::of_leaf(b"1"), Hash::of_leaf(b"2")));
/// assert_eq!(roots.size(), 2);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Roots {
    size: u64,
    /// Roots of whole subtrees, the largest first.
    whole: Vec<Hash>,
}

impl Roots {
    /// Takes the leaf hash of the next entry.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        let mut size = self.size;
        // As many subtrees end here as the size has ones at its end.
        while size % 2 == 1 {
            let Some(left) = self.whole.pop() else { break };
            hash = Hash::of_nodes(left, hash);
            size >>= 1;
        }
        self.whole.push(hash);
        self.size = self.size.saturating_add(1);
    }

    /// How many leaves it has taken.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root of what it has taken.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut right_to_left = self.whole.iter().rev();
        let Some(smallest) = right_to_left.next() else { return Hash::of_nothing() };
        right_to_left.fold(*smallest, |right, left| Hash::of_nodes(*left, right))
    }
}
