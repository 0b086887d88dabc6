//! Twelve ways to change a log behind its back, over many histories: all are found by who kept a checkpoint elsewhere.

mod media;

use std::collections::HashMap;

use countersign_domain::ids::{Position, StreamId, UnixMillis, Version};
use countersign_store::backend::Backend;
use countersign_store::chunk::Chunk;
use countersign_store::contract::{append, clear, on, sealed, stream};
use countersign_store::{
    Document, Header, Journal, Leaf, MemoryBackend, MemoryJournal, Options, SignedHead, Snapshot, Table, TreeHash,
};
use media::ring;
use sha2::{Digest, Sha256};

/// Histories for each operator; a campaign asks for more.
const SEEDS: u64 = 60;

fn seeds() -> u64 {
    std::env::var("TAMPER_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SEEDS)
}

/// Numbers that a seed gives (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % below as u64) as usize
    }
}

fn open(backend: &MemoryBackend) -> Result<MemoryJournal, countersign_store::OpenError> {
    MemoryJournal::with_backend(backend.clone(), ring(), Options::default())
}

/// Grows a log by random commands over a few streams.
fn grow(journal: &MemoryJournal, dice: &mut Dice, commands: usize) {
    for _ in 0..commands {
        let number = dice.roll(5) as u64;
        let expected = journal.stream_head(stream(number)).unwrap().map_or(0, |head| head.version.0);
        let entries = (0..=dice.roll(3)).map(|_| {
            let body = vec![dice.roll(256) as u8; 1 + dice.roll(20)];
            if dice.roll(2) == 0 { clear(&body) } else { sealed(&body) }
        });
        journal.append(append(u64::MAX - journal.head().0, vec![on(number, expected, entries.collect())])).unwrap();
    }
}

/// A history, what was kept of it outside, and an older copy of all of it.
struct Scene {
    backend: MemoryBackend,
    older: MemoryBackend,
    kept: SignedHead,
    dice: Dice,
}

fn scene(seed: u64) -> Scene {
    let (backend, mut dice) = (MemoryBackend::new(), Dice(seed));
    let journal = open(&backend).unwrap();
    grow(&journal, &mut dice, 6 + seed as usize % 20);
    if seed.is_multiple_of(3) {
        journal.rotate_signing_key(UnixMillis(1_700_000_000_000)).unwrap();
    }
    journal.close().unwrap();
    drop(journal);
    let older = backend.fork();
    let journal = open(&backend).unwrap();
    grow(&journal, &mut dice, 6 + seed as usize % 7);
    let kept = journal.checkpoint().unwrap();
    journal.close().unwrap();
    Scene { backend, older, kept, dice }
}

// ---- a forger's tools ----

type Forged = Vec<(Header, Vec<u8>)>;

fn entries(backend: &MemoryBackend) -> Forged {
    let mut all = Vec::new();
    for (first, bytes) in backend.chunks() {
        let chunk = Chunk::open(first, &bytes).unwrap();
        all.extend(chunk.entries().map(|entry| entry.unwrap()).map(|entry| (entry.header, entry.body.to_vec())));
    }
    all
}

/// Writes a history so that every chain, hash and checksum in it is right.
fn rewritten(entries: &Forged) -> Forged {
    let mut last: HashMap<StreamId, (Version, Position, Leaf)> = HashMap::new();
    let mut out = Forged::new();
    for (position, (header, body)) in entries.iter().enumerate() {
        let mut header = *header;
        let before = last.get(&header.stream).copied();
        header.version = before.map_or(Version(1), |(version, ..)| version.next());
        header.previous = before.map(|(_, position, _)| position);
        header.previous_leaf = before.map_or(Leaf::ZERO, |(.., leaf)| leaf);
        (header.part, header.parts, header.body_len) = (0, 1, body.len() as u32);
        let leaf = Leaf::of(&[&header.encode(), body.as_slice()].concat());
        last.insert(header.stream, (header.version, Position(position as u64), leaf));
        out.push((header, body.clone()));
    }
    out
}

/// Puts entries in the place of the log: a chunk each, with their hashes and checksums.
fn put(backend: &MemoryBackend, entries: &Forged) {
    backend.chunks().into_iter().for_each(|(first, _)| backend.set_chunk(first, None));
    for (position, (header, body)) in entries.iter().enumerate() {
        let entry = [&header.encode(), body.as_slice()].concat();
        let mut chunk = b"CSch\x01\x00\x00\x01".to_vec();
        chunk.extend_from_slice(&(position as u64).to_be_bytes());
        chunk.extend_from_slice(&Leaf::of(&entry).0);
        chunk.extend_from_slice(&entry);
        chunk.extend_from_slice(&crc32c::crc32c(&chunk).to_be_bytes());
        backend.set_chunk(Position(position as u64), Some(chunk));
    }
    // Whoever does this leaves nothing derived that would tell.
    Table::ALL.into_iter().for_each(|table| backend.clear(table).unwrap());
}

// ---- an auditor's ----

/// The root of RFC 6962, word for word.
fn root(leaves: &[TreeHash]) -> TreeHash {
    match leaves {
        [] => TreeHash(Sha256::digest([]).into()),
        [leaf] => *leaf,
        more => {
            let (left, right) = more.split_at(more.len().next_power_of_two() / 2);
            TreeHash(Sha256::digest([&[1], root(left).0.as_slice(), root(right).0.as_slice()].concat()).into())
        }
    }
}

/// Where something is found: by the store itself when it is opened or verified, or only by what was kept elsewhere.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    ByItself(Vec<u64>),
    Outside,
    Nothing,
}

fn found(backend: &MemoryBackend, kept: &SignedHead) -> Found {
    let read_only = Options { read_only: true, ..Options::default() };
    let problems = match MemoryJournal::with_backend(backend.clone(), ring(), read_only) {
        Err(_) => return Found::ByItself(Vec::new()),
        Ok(journal) => journal.verify().err().unwrap_or_default(),
    };
    if !problems.is_empty() {
        return Found::ByItself(problems.iter().map(|problem| problem.position.0).collect());
    }
    let Ok(journal) = open(backend) else { return Found::ByItself(Vec::new()) };
    let mut leaves = Vec::new();
    journal
        .scan(Position(0), &mut |entry| {
            leaves.push(TreeHash(Leaf::of(entry.entry).0));
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    let size = kept.head.size as usize;
    let same = leaves.get(..size).is_some_and(|leaves| root(leaves) == kept.head.root);
    if same { Found::Nothing } else { Found::Outside }
}

/// Runs one operator over many histories: it changes the store, and says which event it touched, if it stayed in its place.
fn campaign(name: &str, by_itself: bool, tamper: impl Fn(&mut Scene) -> Option<u64>) {
    for seed in 0..seeds() {
        let mut scene = scene(seed);
        let touched = tamper(&mut scene);
        let found = found(&scene.backend, &scene.kept);
        assert_ne!(found, Found::Nothing, "{name}, seed {seed}");
        if by_itself {
            let Found::ByItself(positions) = &found else { panic!("{name}, seed {seed}: {found:?}") };
            let located =
                touched.is_none_or(|touched| positions.is_empty() || positions.iter().any(|at| *at >= touched));
            assert!(located, "{name}, seed {seed}: {touched:?} at {positions:?}");
        }
    }
}

#[test]
fn a_log_that_nobody_touched_raises_no_alarm() {
    for seed in 0..seeds() {
        let scene = scene(seed);
        assert_eq!(found(&scene.backend, &scene.kept), Found::Nothing, "seed {seed}");
        let journal = open(&scene.backend).unwrap();
        let mut dice = Dice(seed);
        grow(&journal, &mut dice, 5);
        journal.forget_derived().unwrap();
        journal.close().unwrap();
        drop(journal);
        assert_eq!(found(&scene.backend, &scene.kept), Found::Nothing, "seed {seed}, grown");
    }
}

#[test]
fn a_flipped_bit_is_located_to_its_chunk() {
    campaign("flip", true, |scene| {
        let chunks = scene.backend.chunks();
        let (first, mut bytes) = chunks[scene.dice.roll(chunks.len())].clone();
        let bit = scene.dice.roll(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        scene.backend.set_chunk(first, Some(bytes));
        Some(first.0)
    });
}

#[test]
fn an_edited_entry_with_a_fresh_hash_is_found() {
    campaign("edit", true, |scene| {
        let mut all = entries(&scene.backend);
        let at = scene.dice.roll(all.len());
        let last = all[at].1.len() - 1;
        all[at].1[last] ^= 1;
        put(&scene.backend, &all);
        Some(at as u64)
    });
}

#[test]
fn what_was_taken_out_is_missed() {
    for (name, from_end) in [("head", None), ("middle", Some(false)), ("tail", Some(true))] {
        campaign(name, true, |scene| {
            let mut all = entries(&scene.backend);
            match from_end {
                None => drop(all.remove(0)),
                Some(true) => drop(all.pop()),
                Some(false) => drop(all.remove(1 + scene.dice.roll(all.len() - 2))),
            }
            put(&scene.backend, &rewritten(&all));
            None
        });
    }
}

#[test]
fn an_older_copy_is_found_by_a_later_checkpoint() {
    campaign("older", false, |scene| {
        scene.backend = scene.older.fork();
        None
    });
}

#[test]
fn two_that_changed_places_are_found() {
    campaign("swap", true, |scene| {
        let mut all = entries(&scene.backend);
        let at = scene.dice.roll(all.len() - 1);
        all.swap(at, at + 1);
        put(&scene.backend, &rewritten(&all));
        None
    });
}

#[test]
fn what_was_put_in_is_found() {
    campaign("insert", true, |scene| {
        let mut all = entries(&scene.backend);
        let at = scene.dice.roll(all.len());
        let copy = all[scene.dice.roll(all.len())].clone();
        all.insert(at, copy);
        put(&scene.backend, &rewritten(&all));
        None
    });
}

#[test]
fn an_edit_that_the_real_key_signed_is_found_outside() {
    campaign("sign again", false, |scene| {
        let mut all = entries(&scene.backend);
        let own = all.iter().position(|(header, _)| header.event_type >= 0x7f00);
        let at = scene.dice.roll(own.unwrap_or(all.len()).max(1));
        all[at].1[0] ^= 1;
        put(&scene.backend, &rewritten(&all));
        scene.backend.remove_document(Document::Checkpoint);
        // Who has the key ring has the store sign what it is given.
        open(&scene.backend).unwrap().checkpoint().unwrap();
        None
    });
}

#[test]
fn two_histories_under_one_key_are_found_when_they_are_compared() {
    campaign("fork", false, |scene| {
        scene.backend = scene.older.fork();
        let journal = open(&scene.backend).unwrap();
        let mut dice = Dice(scene.dice.0 ^ 1);
        grow(&journal, &mut dice, 60);
        assert!(journal.head().0 > scene.kept.head.size);
        journal.close().unwrap();
        None
    });
}

#[test]
fn an_entry_that_was_moved_to_another_stream_is_found() {
    campaign("move", true, |scene| {
        let mut all = entries(&scene.backend);
        let at = scene.dice.roll(all.len());
        let to = (0..5).map(stream).find(|to| *to != all[at].0.stream).unwrap();
        all[at].0.stream = to;
        put(&scene.backend, &rewritten(&all));
        None
    });
}

#[test]
fn a_forged_snapshot_or_projection_is_not_taken_up() {
    for seed in 0..seeds() {
        let scene = scene(seed);
        let journal = open(&scene.backend).unwrap();
        let head = (0..5).find_map(|number| Some((stream(number), journal.stream_head(stream(number)).unwrap()?)));
        let (of, head) = head.unwrap();
        let (version, position, leaf) = (head.version, head.position, head.leaf);
        let state = b"enabled".to_vec();
        journal.save_snapshot(Snapshot { stream: of, version, position, leaf, fingerprint: 1, state }).unwrap();
        journal.save_checkpoint("status", journal.head(), 1, vec![b"enabled".to_vec()]).unwrap();
        assert!(journal.load_snapshot(of).unwrap().is_some() && journal.load_checkpoint("status").unwrap().is_some());
        let mut dice = Dice(seed);
        for table in [Table::Snapshots, Table::Checkpoints] {
            for (key, mut value) in scene.backend.rows(table) {
                let bit = dice.roll(value.len() * 8);
                value[bit / 8] ^= 1 << (bit % 8);
                scene.backend.put(table, vec![(key, Some(value))]).unwrap();
            }
        }
        assert_eq!(journal.load_snapshot(of).unwrap_or_default(), None, "seed {seed}");
        assert_eq!(journal.load_checkpoint("status").unwrap_or_default(), None, "seed {seed}");
        drop(journal);
        assert_eq!(found(&scene.backend, &scene.kept), Found::Nothing, "what is derived changes no entry");
    }
}

#[test]
fn a_key_that_was_destroyed_behind_the_log_is_counted() {
    for seed in 0..seeds() {
        let scene = scene(seed);
        let journal = open(&scene.backend).unwrap();
        let before = journal.verify().unwrap();
        assert_eq!(before.keys_destroyed, 0);
        let sealed = entries(&scene.backend).into_iter().find(|(header, _)| header.is_sealed());
        let Some((header, _)) = sealed else { continue };
        journal.destroy_key(header.stream).unwrap();
        // No hash changes by it: that nothing in the log says so is for whoever knows the log's events to judge.
        assert_eq!(journal.verify().unwrap().keys_destroyed, 1, "seed {seed}");
        assert_eq!(found(&scene.backend, &scene.kept), Found::Nothing);
    }
}
