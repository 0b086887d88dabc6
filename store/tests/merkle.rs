//! The tree over all entries: as RFC 6962 defines it, as somebody else computes it, and the same after any end.

mod media;

use std::ops::ControlFlow;

use countersign_domain::ids::Position;
use countersign_store::contract::{self, Medium};
use countersign_store::{Append, Journal, TreeHash};
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use media::{InMemory, OnDisk};
use sha2::{Digest, Sha256};

/// The definition, word for word (RFC 6962, section 2.1).
fn root(leaves: &[TreeHash]) -> TreeHash {
    match leaves {
        [] => TreeHash(Sha256::digest([]).into()),
        [leaf] => *leaf,
        more => {
            let (left, right) = more.split_at(split(more.len()));
            TreeHash(
                Sha256::new()
                    .chain_update([1])
                    .chain_update(root(left).0)
                    .chain_update(root(right).0)
                    .finalize()
                    .into(),
            )
        }
    }
}

fn split(count: usize) -> usize {
    (1..).map(|power| 1 << power).find(|power| power * 2 >= count).filter(|_| count > 2).unwrap_or(1)
}

/// Section 2.1.1.
fn path(index: usize, leaves: &[TreeHash]) -> Vec<TreeHash> {
    if leaves.len() < 2 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    let (mut path, beside) =
        if index < left.len() { (path(index, left), right) } else { (path(index - left.len(), right), left) };
    path.push(root(beside));
    path
}

/// Section 2.1.2.
fn growth(old: usize, leaves: &[TreeHash], whole: bool) -> Vec<TreeHash> {
    if old == leaves.len() {
        return if whole { Vec::new() } else { vec![root(leaves)] };
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    let (mut proof, beside) = if old <= left.len() {
        (growth(old, left, whole), right)
    } else {
        (growth(old - left.len(), right, false), left)
    };
    proof.push(root(beside));
    proof
}

/// Appends of some entries each, to a stream of its own each.
fn appends(from: u64, sizes: impl IntoIterator<Item = usize>) -> Vec<Append> {
    let one = |(nth, size): (u64, usize)| {
        let entries = (0..size).map(|part| contract::clear(&[nth as u8, part as u8])).collect();
        contract::append(nth, vec![contract::on(nth, 0, entries)])
    };
    (from..).zip(sizes).map(one).collect()
}

/// The leaf and the bytes of every entry.
fn entries(journal: &impl Journal) -> (Vec<TreeHash>, Vec<Vec<u8>>) {
    let (mut leaves, mut bytes) = (Vec::new(), Vec::new());
    let keep = &mut |entry: countersign_store::EntryRef<'_>| {
        leaves.push(entry.leaf.into());
        bytes.push(entry.entry.to_vec());
        ControlFlow::Continue(())
    };
    journal.scan(Position(0), keep).unwrap();
    (leaves, bytes)
}

fn head(journal: &impl Journal) -> (u64, TreeHash) {
    let head = journal.tree_head().unwrap();
    (head.size, head.root)
}

fn flat(hashes: &[TreeHash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

#[test]
fn every_proof_of_every_size_is_that_of_the_definition_and_of_another_implementation() {
    let journal = InMemory::fresh().open();
    assert_eq!(head(&journal), (0, root(&[])), "nothing");
    let mut theirs = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    let mut roots = vec![root(&[])];
    for (nth, append) in appends(0, [1, 2, 1, 5, 3, 1, 7, 12, 33, 64, 1, 64, 64, 2]).into_iter().enumerate() {
        journal.append(append).unwrap();
        let (leaves, bytes) = entries(&journal);
        bytes.into_iter().skip(theirs.len() as usize).for_each(|entry| theirs.push(entry));
        let size = leaves.len();
        assert_eq!(head(&journal), (size as u64, root(&leaves)), "after {nth} appends");
        assert_eq!(theirs.root().as_bytes().as_slice(), root(&leaves).0);
        for index in 0..size {
            let proof = journal.prove_entry(Position(index as u64), size as u64).unwrap().unwrap();
            assert_eq!(proof, path(index, &leaves), "{index} of {size}");
            assert_eq!(flat(&proof), theirs.prove_inclusion(index).as_bytes());
        }
        for old in 1..=size {
            let proof = journal.prove_growth(old as u64, size as u64).unwrap().unwrap();
            assert_eq!(proof, growth(old, &leaves, true), "from {old} to {size}");
            if old < size {
                assert_eq!(flat(&proof), theirs.prove_consistency(size - old).as_bytes());
            }
        }
        roots.push(root(&leaves));
    }
    let (leaves, _) = entries(&journal);
    for size in 0..=leaves.len() {
        for index in (0..size).step_by(7) {
            let proof = journal.prove_entry(Position(index as u64), size as u64).unwrap().unwrap();
            assert_eq!(proof, path(index, &leaves[..size]), "{index} of the first {size}");
        }
        for old in (1..=size).step_by(5) {
            let proof = journal.prove_growth(old as u64, size as u64).unwrap().unwrap();
            assert_eq!(proof, growth(old, &leaves[..size], true), "from {old} to the first {size}");
        }
    }
}

#[test]
fn nothing_is_proved_of_what_is_not_there() {
    let journal = InMemory::fresh().open();
    journal.append(appends(0, [3]).remove(0)).unwrap();
    let proves = |position, size| journal.prove_entry(Position(position), size).unwrap().is_some();
    assert_eq!(
        [proves(2, 3), proves(3, 3), proves(0, 4), proves(0, 0), proves(u64::MAX, u64::MAX)],
        [true, false, false, false, false]
    );
    let grows = |old, size| journal.prove_growth(old, size).unwrap().is_some();
    assert_eq!(
        [grows(0, 3), grows(3, 3), grows(2, 1), grows(1, 4), grows(0, u64::MAX)],
        [true, true, false, false, false]
    );
}

/// More than one tile in the second tier, so that every way to a hash is gone: the edge, tiles that were kept, leaves.
fn many_tiles<M: Medium>(appended: usize) {
    let medium = M::fresh();
    let mut journal = medium.open();
    let (mut leaves, mut next) = (Vec::new(), 0);
    // Once asked all along, once only after it was closed, once after the derived data is gone.
    for end in 0..3 {
        for _ in 0..appended / 64 / 3 {
            let group = appends(next, [64; 1]);
            next += 1;
            assert!(journal.append_group(group)[0].is_ok());
            if end == 0 && next % 100 == 0 {
                journal.tree_head().unwrap();
            }
        }
        if end == 2 {
            journal.forget_derived().unwrap();
        }
        journal.close().unwrap();
        drop(journal);
        journal = medium.open();
        leaves = entries(&journal).0;
        assert_eq!(head(&journal), (leaves.len() as u64, root(&leaves)), "end {end}");
    }
    let size = leaves.len();
    for index in [0, 255, 65_535, 65_536, 70_000, size / 2, size - 1] {
        let index = index.min(size - 1);
        for of in [size, (index + 3000).min(size)] {
            let proof = journal.prove_entry(Position(index as u64), of as u64).unwrap().unwrap();
            assert!(proof == path(index, &leaves[..of]), "{index} of {of}");
            let proof = journal.prove_growth(index as u64 + 1, of as u64).unwrap().unwrap();
            assert!(proof == growth(index + 1, &leaves[..of], true), "from {} to {of}", index + 1);
        }
    }
}

#[test]
fn a_tree_of_many_tiles_in_memory() {
    many_tiles::<InMemory>(140_000);
}

#[test]
fn a_tree_of_many_tiles_on_disk() {
    many_tiles::<OnDisk>(70_000);
}
