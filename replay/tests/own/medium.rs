//! A store is read in place: as the engine itself reads it, while it is written, and without a trace.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use countersign_domain::ids::{CommandId, Position, StreamId, UnixMillis, Version};
use countersign_domain::policy::Policy;
use countersign_replay::own::{Entries, Kind, OpenJournal, OwnError, OwnStore, kind_of};
use countersign_store::{Append, Journal, NewEntry, StreamAppend};

use crate::world::{World, cases, sled};

/// Every file below a directory with its content.
pub fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = std::fs::read(&path).unwrap();
                found.insert(path, bytes);
            }
        }
    }
    found
}

/// The leaves of a log in its order.
pub fn leaves(log: &dyn Entries) -> Vec<[u8; 32]> {
    let mut leaves = Vec::new();
    let end = log.scan(Position(0), &mut |entry| {
        assert_eq!(entry.position, Position(leaves.len() as u64));
        leaves.push(entry.leaf.0);
        ControlFlow::Continue(())
    });
    assert_eq!(end.unwrap(), log.head());
    leaves
}

/// Appends of some entries to streams of their own or to old ones; no events, which a log does not mind.
pub fn append(journal: &dyn Journal, versions: &mut BTreeMap<u64, u64>, salt: u64, number: u64, bytes: usize) -> u64 {
    let (stream, count) = ((salt << 32) | (number * number % 97), 1 + number % 3);
    let version = versions.entry(stream).or_default();
    let entry = NewEntry {
        event_type: 0x8001,
        type_version: 1,
        time: UnixMillis(number),
        body: vec![number as u8; bytes],
        seal: number.is_multiple_of(5),
    };
    let streams = vec![StreamAppend {
        stream: StreamId::from_bytes(u128::from(stream + 1).to_be_bytes()),
        expected: Version(*version),
        fresh_key: false,
        entries: (0..count).map(|_| entry.clone()).collect(),
    }];
    *version += count;
    let command = CommandId::from_bytes(((u128::from(salt) << 64) | u128::from(number + 1)).to_be_bytes());
    let done = journal.append(Append { command, streams }).unwrap();
    done.first.0 + u64::from(done.count)
}

#[test]
fn a_store_is_read_as_its_engine_reads_it_and_not_a_byte_changes() {
    let dir = tempfile::tempdir().unwrap();
    let mut versions = BTreeMap::new();
    // Opened and closed several times, and past the end of a segment.
    for round in 0..4 {
        let journal = sled(dir.path());
        for number in round * 400..(round + 1) * 400 {
            append(&journal, &mut versions, 0, number, 1_500);
        }
        if round % 2 == 0 {
            journal.close().unwrap();
        }
    }
    let before = files(dir.path());
    let store = OwnStore::open(dir.path(), None).unwrap();
    let read = leaves(&store);
    assert_eq!(store.image().broken().unwrap(), []);
    let mut sealed = 0;
    store
        .scan(Position(0), &mut |entry| {
            let body = store.unseal(&entry.header, entry.body).unwrap();
            sealed += usize::from(entry.header.is_sealed());
            assert_eq!((body.len(), body[0]), (1_500, entry.header.time.0 as u8));
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!(sealed > 100, "{sealed}");
    assert_eq!(files(dir.path()), before, "the store was changed");
    drop(store);
    assert_eq!(read, leaves(&OpenJournal(&sled(dir.path()))));
}

#[test]
fn a_store_that_is_written_meanwhile_is_read_whole_each_time() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Arc::new(sled(dir.path()));
    let (acked, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let reads = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut versions = BTreeMap::new();
            for number in 0..u64::from(cases(2_000, 20_000)) {
                acked.store(append(&*journal, &mut versions, 0, number, 700), Ordering::SeqCst);
            }
            done.store(true, Ordering::SeqCst);
        });
        let mut reads: Vec<Vec<[u8; 32]>> = Vec::new();
        while !done.load(Ordering::SeqCst) {
            let least = acked.load(Ordering::SeqCst);
            let store = OwnStore::open(dir.path(), None).unwrap();
            assert!(store.head().0 >= least, "{} of {least} acknowledged entries", store.head());
            assert_eq!(store.image().broken().unwrap(), []);
            reads.push(leaves(&store));
        }
        reads
    });
    let whole = leaves(&OpenJournal(&*journal));
    assert!(reads.len() > 3, "{} reads", reads.len());
    eprintln!("{} reads while {} entries were written", reads.len(), whole.len());
    for read in reads {
        assert_eq!(read, whole[..read.len()]);
    }
}

#[test]
fn what_lies_at_a_path_is_told_by_its_content() {
    let dir = tempfile::tempdir().unwrap();
    World::at(dir.path(), Policy::classic()).journal.close().unwrap();
    let (store, ring) = (dir.path().join("store"), dir.path().join("keyring"));
    let found = kind_of(dir.path());
    assert_eq!(found, Kind::DataDirectory { store: store.clone(), ring: Some(ring.clone()) });
    assert!(matches!(kind_of(&store), Kind::Store { ring: Some(_), .. }));
    assert_eq!(kind_of(&ring), Kind::Other);
    assert_eq!(kind_of(&store.join("log")), Kind::Other);
    assert_eq!(OwnStore::open(&store.join("log"), None).unwrap_err(), OwnError::NoStore(store.join("log")));
    std::fs::write(store.join("FORMAT"), "countersign store 3\n").unwrap();
    assert!(matches!(kind_of(dir.path()), Kind::Foreign { found, .. } if found == "countersign store 3"));
}

#[test]
fn without_the_key_ring_what_is_not_sealed_is_read_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::at(dir.path(), Policy::classic());
    let lee = world.user("lee", 1);
    let phone = world.create("phone");
    world.enable(&lee, &phone, 0).unwrap();
    world.journal.close().unwrap();
    std::fs::rename(dir.path().join("keyring"), dir.path().join("elsewhere")).unwrap();
    let store = OwnStore::open(dir.path(), None).unwrap();
    assert!(!store.keys().has_ring());
    assert_eq!(leaves(&store).len(), 10);
    assert!(OwnStore::open(dir.path(), Some(&dir.path().join("elsewhere"))).unwrap().keys().has_ring());
    let missing = dir.path().join("nowhere");
    assert_eq!(OwnStore::open(dir.path(), Some(&missing)).unwrap_err(), OwnError::NoKeys(missing));
}
