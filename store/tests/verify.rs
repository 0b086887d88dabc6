//! What the store's own verification says, fault by fault, of a log that is open.

mod media;

use std::sync::{Arc, OnceLock};

use countersign_domain::ids::Position;
use countersign_store::contract::{Medium, append, clear, on, sealed, stream};
use countersign_store::faults::{Faults, FaultyBackend, Operation};
use countersign_store::keys::Slot;
use countersign_store::limits::PROBLEMS_MAX;
use countersign_store::{Backend, Journal, Log, MemoryBackend, MemoryJournal, Options, Problem, Table};
use media::{InMemory, ring};

/// Appends one entry to each of some streams, in appends of their own and as many groups as there are versions.
fn grow(journal: &impl Journal, streams: u64, versions: std::ops::Range<u64>) {
    for version in versions {
        let asked = (0..streams).map(|number| {
            let entries = vec![if number == 0 { sealed(b"secret") } else { clear(b"open") }];
            append(version * streams + number, vec![on(number, version, entries)])
        });
        assert!(journal.append_group(asked.collect()).iter().all(Result::is_ok));
    }
}

fn problems(journal: &impl Journal) -> Vec<Problem> {
    journal.verify().expect_err("a fault is found")
}

#[test]
fn everything_is_counted() {
    let medium = InMemory::fresh();
    let journal = medium.open();
    grow(&journal, 3, 0..4);
    let verified = journal.verify().unwrap();
    assert_eq!(verified.chunks, medium.backend.chunks().len() as u64);
    assert_eq!((verified.chunks, verified.entries, verified.streams, verified.sealed), (4, 12, 3, 4));
}

#[test]
fn a_row_of_the_index_that_is_lost_or_older_than_its_stream_is_found() {
    let medium = InMemory::fresh();
    let journal = medium.open();
    grow(&journal, 3, 0..2);
    journal.close().unwrap();
    drop(journal);
    let old = medium.backend.rows(Table::Index);
    assert!(!old.is_empty());
    let journal = medium.open();
    grow(&journal, 3, 2..4);
    journal.close().unwrap();
    drop(journal);
    let journal = medium.open();
    journal.verify().unwrap();
    let new = medium.backend.rows(Table::Index);
    for rows in [&[][..], &old] {
        medium.backend.clear(Table::Index).unwrap();
        let put = rows.iter().map(|(key, value)| (key.clone(), Some(value.clone())));
        medium.backend.put(Table::Index, put.collect()).unwrap();
        let found = problems(&journal);
        assert!(found.iter().any(|problem| problem.what.contains("index")), "{found:?}");
    }
    let put = new.into_iter().map(|(key, value)| (key, Some(value)));
    medium.backend.put(Table::Index, put.collect()).unwrap();
    journal.verify().unwrap();
}

/// What is appended while the log is verified is no fault of its.
#[test]
fn a_stream_that_moves_on_meanwhile_is_left_out() {
    let (backend, faults) = (MemoryBackend::new(), Faults::new());
    let faulty = FaultyBackend::new(backend, faults.clone());
    let journal = Arc::new(Log::with_backend(faulty, ring(), Options::default()).unwrap());
    grow(&*journal, 3, 0..4);
    let (late, moved) = (Arc::clone(&journal), Arc::new(OnceLock::new()));
    let told = Arc::clone(&moved);
    faults.call_after(Operation::Read, 0, move || {
        grow(&*late, 3, 4..5);
        told.set(late.head()).unwrap();
    });
    assert_eq!(journal.verify().unwrap().entries, 12);
    assert_eq!(moved.get(), Some(&Position(15)), "it moved on in the midst of it");
}

#[test]
fn a_key_that_is_of_another_stream_is_found_where_it_is_used_first() {
    let medium = InMemory::fresh();
    let journal = medium.open();
    grow(&journal, 2, 0..2);
    let used = (0..medium.backend.slots().unwrap()).find_map(|number| {
        let slot = Slot::decode(number, &medium.backend.slot(number).unwrap()?).ok()?;
        matches!(&slot, Slot::Live { stream: owner, .. } if *owner == stream(0)).then_some((number, slot))
    });
    let (number, right) = used.unwrap();
    let Slot::Live { wrapped, .. } = right.clone() else { unreachable!("it is live") };
    let wrong = [Slot::Live { stream: stream(1), wrapped }, Slot::Destroyed { stream: stream(1) }];
    for slot in wrong {
        medium.backend.put_slots(number, &[slot.encode(number).unwrap()]).unwrap();
        let found = problems(&journal);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].position, Position(0));
        assert!(found[0].what.contains("of another stream"), "{found:?}");
    }
    medium.backend.put_slots(number, &[right.encode(number).unwrap()]).unwrap();
    journal.verify().unwrap();
}

#[test]
fn no_more_problems_are_listed_than_the_limit_says() {
    let medium = InMemory::fresh();
    let journal = medium.open();
    grow(&journal, PROBLEMS_MAX as u64 + 20, 0..1);
    journal.close().unwrap();
    drop(journal);
    let journal = medium.open();
    medium.backend.clear(Table::Index).unwrap();
    assert_eq!(problems(&journal).len(), PROBLEMS_MAX);
}

/// A tile of the second tier is over 65,536 entries, and what it says wrongly is found at the first that it is about.
#[test]
fn a_tile_over_tiles_is_compared_as_well() {
    let medium = InMemory::fresh();
    let journal = medium.open();
    grow(&journal, 512, 0..128);
    journal.close().unwrap();
    drop(journal);
    let mut tiles = medium.backend.rows(Table::Tiles);
    assert_eq!(tiles.len(), 1, "those of the first tier are in the entries");
    let (key, mut hashes) = tiles.pop().unwrap();
    let journal = MemoryJournal::with_backend(medium.backend.clone(), ring(), Options::default()).unwrap();
    hashes[7 * 32] ^= 1;
    medium.backend.put(Table::Tiles, vec![(key, Some(hashes))]).unwrap();
    let found = problems(&journal);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].position, Position(7 * 256));
    assert!(found[0].what.contains("of the 256 entries"), "{found:?}");
}
