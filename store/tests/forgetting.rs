//! Keys come, go and are replaced; what they sealed goes with them, and a torn write loses none.

mod media;

use std::sync::Arc;

use countersign_domain::ids::{CommandId, Position, StreamId, UnixMillis, Version};
use countersign_store::faults::{Faults, FaultyBackend, Operation};
use countersign_store::keys::SLOT_BYTES;
use countersign_store::{
    Append, Backend, FileKeyRing, Journal, KeyError, KeyRing, Log, MemoryBackend, NewEntry, Options, Rewrapped,
    StreamAppend, Table,
};
use media::ring;

type Faulty = Log<FaultyBackend<MemoryBackend>>;

fn open(backend: &MemoryBackend, faults: &Faults) -> Faulty {
    Log::with_backend(FaultyBackend::new(backend.clone(), faults.clone()), ring(), Options::default()).unwrap()
}

fn append(journal: &dyn Journal, number: u8, expected: u64, fresh_key: bool) {
    let entry = NewEntry {
        event_type: 1,
        type_version: 1,
        time: UnixMillis(number.into()),
        body: vec![number; 20],
        seal: true,
    };
    let stream = StreamAppend { stream: stream(), expected: Version(expected), fresh_key, entries: vec![entry] };
    journal.append(Append { command: CommandId::from_bytes([number; 16]), streams: vec![stream] }).unwrap();
}

fn stream() -> StreamId {
    StreamId::from_bytes([7; 16])
}

fn opened(journal: &dyn Journal) -> Vec<Result<Vec<u8>, KeyError>> {
    let entries = journal.read_stream(stream(), Version::NONE, 100).unwrap();
    entries.iter().map(|entry| journal.unseal(&entry.header, entry.body.as_stored())).collect()
}

#[test]
fn what_begins_anew_is_sealed_anew_and_forgotten_by_itself() {
    let (backend, faults) = (MemoryBackend::new(), Faults::new());
    let journal = open(&backend, &faults);
    append(&journal, 1, 0, true);
    append(&journal, 2, 1, false);
    append(&journal, 3, 2, true);
    append(&journal, 4, 3, false);
    assert_eq!(journal.destroy_key_of(stream(), Version(1)), Ok(Some(3)));
    assert_eq!(journal.destroy_key_of(stream(), Version(9)), Ok(None));
    for journal in [journal, open(&backend, &faults)] {
        let gone = Err(KeyError::Destroyed(3));
        assert_eq!(opened(&journal), [gone.clone(), gone, Ok(vec![3; 20]), Ok(vec![4; 20])]);
        assert!(journal.verify().is_ok());
        let version = journal.stream_head(stream()).unwrap().unwrap().version;
        append(&journal, version.0 as u8 + 1, version.0, false);
    }
}

#[test]
fn what_was_derived_is_of_no_use_once_its_key_is_replaced() {
    let (backend, faults) = (MemoryBackend::new(), Faults::new());
    let journal = open(&backend, &faults);
    append(&journal, 1, 0, false);
    journal.save_checkpoint("views", Position(1), 5, vec![b"lee".to_vec()]).unwrap();
    let freed = backend.rows(Table::Checkpoints);
    assert_eq!(freed.len(), 2);
    journal.renew_derived().unwrap();
    assert!(backend.rows(Table::Checkpoints).is_empty());
    assert_eq!(journal.load_checkpoint("views").unwrap(), None);

    // As somebody would who finds the old rows in freed pages.
    let put_back = |backend: &MemoryBackend| {
        backend.put(Table::Checkpoints, freed.iter().map(|(key, value)| (key.clone(), Some(value.clone()))).collect())
    };
    put_back(&backend).unwrap();
    for journal in [journal, open(&backend, &faults)] {
        assert_eq!(journal.load_checkpoint("views").unwrap(), None, "no key of the store opens it");
        assert_eq!(opened(&journal)[0], Ok(vec![1; 20]), "bodies have keys of their own");
    }
    let journal = open(&backend, &faults);
    journal.save_checkpoint("views", Position(1), 5, vec![b"kim".to_vec()]).unwrap();
    assert_eq!(open(&backend, &faults).load_checkpoint("views").unwrap().unwrap().blocks, [b"kim"]);
}

/// The write of a slot is cut off at each place, and torn in the middle as well.
#[test]
fn a_torn_write_of_a_slot_loses_no_key() {
    for (skip, torn) in [(0, None), (0, Some(1)), (1, None), (1, Some(0)), (2, None), (2, Some(1))] {
        let (backend, faults) = (MemoryBackend::new(), Faults::new());
        let journal = open(&backend, &faults);
        append(&journal, 1, 0, false);
        let before = [0, 1].map(|number| backend.slot(number).unwrap().unwrap());
        faults.fail_after(Operation::PutSlots, skip);
        journal.renew_derived().unwrap_err();
        assert!(journal.is_poisoned());
        if let Some(number) = torn {
            // Half of what was to be written is there, whichever half.
            let mut half = [0x5a; SLOT_BYTES];
            half[..64].copy_from_slice(&before[usize::try_from(number).unwrap()][..64]);
            backend.put_slots(number, &[half]).unwrap();
        }
        let journal = open(&backend, &faults);
        assert_eq!(opened(&journal), [Ok(vec![1; 20])], "cut off after {skip} writes, slot {torn:?} torn");
        assert_eq!(backend.slot(1).unwrap(), Some([0; SLOT_BYTES]), "no copy is left");
        journal.save_checkpoint("views", Position(1), 5, vec![b"lee".to_vec()]).unwrap();
        assert!(open(&backend, &faults).load_checkpoint("views").unwrap().is_some());
    }
}

/// Broken off at each write, torn or not, and begun again: no key is lost, and at the end the new ring key wraps them all.
#[test]
fn keys_are_wrapped_anew_whenever_that_is_broken_off() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ring");
    let ring = || -> Arc<dyn KeyRing> { Arc::new(FileKeyRing::open_or_create(&path).unwrap()) };
    let (backend, faults) = (MemoryBackend::new(), Faults::new());
    let open = || {
        let backend = FaultyBackend::new(backend.clone(), faults.clone());
        Log::with_backend(backend, ring(), Options::default()).unwrap()
    };
    let journal = open();
    for number in 1..=5 {
        append(&journal, number, u64::from(number) - 1, true);
    }
    journal.destroy_key_of(stream(), Version(2)).unwrap();
    let expected = opened(&journal);
    assert_eq!(journal.rewrap_keys(0), Ok(Rewrapped { done: 0, next: None, total: 8 }));
    drop(journal);
    assert_eq!(FileKeyRing::add_key(&path), Ok(2));

    for skip in 0..15 {
        let journal = open();
        faults.fail_after(Operation::PutSlots, skip % 3);
        match journal.rewrap_keys(0) {
            Ok(_) => break,
            Err(_) => assert!(journal.is_poisoned()),
        }
        drop(journal);
        let journal = open();
        assert_eq!(opened(&journal), expected);
        assert_eq!(backend.slot(1).unwrap(), Some([0; SLOT_BYTES]));
    }
    let journal = open();
    append(&journal, 6, 5, false);
    journal.rewrap_keys(0).unwrap();
    assert_eq!(journal.rewrap_keys(0).unwrap().done, 0, "once");
    drop(journal);
    // Without the old key: everything opens all the same.
    let text = std::fs::read_to_string(&path).unwrap();
    let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with("1 ")).collect();
    std::fs::write(&path, kept.join("\n") + "\n").unwrap();
    let journal = open();
    assert_eq!(opened(&journal)[..5], expected);
    assert_eq!(opened(&journal)[5], Ok(vec![6; 20]));
}
