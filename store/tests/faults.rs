//! What holds when the medium fails.

mod media;

use std::sync::Arc;

use countersign_domain::ids::Position;
use countersign_store::contract::{all_entries, append, clear, command, on, sealed, stream};
use countersign_store::faults::{Faults, FaultyBackend, Operation};
use countersign_store::{
    AppendError, Fault, Journal, KeyError, KeyRing, Log, MemoryBackend, Options, ReadError, Snapshot,
};
use media::ring;

type Faulty = Log<FaultyBackend<MemoryBackend>>;

fn open(backend: &MemoryBackend, faults: &Faults) -> Faulty {
    Log::with_backend(FaultyBackend::new(backend.clone(), faults.clone()), ring(), Options::default()).unwrap()
}

fn is_unavailable<T>(answer: &Result<T, AppendError>) -> bool {
    matches!(answer, Err(AppendError::Unavailable(_)))
}

#[test]
fn a_failed_commit_poisons_and_promises_nothing() {
    for (operation, kept) in [(Operation::Commit, false), (Operation::CommitAfterWriting, true)] {
        let (backend, faults) = (MemoryBackend::new(), Faults::new());
        let journal = open(&backend, &faults);
        let done = journal.append(append(1, vec![on(1, 0, vec![clear(b"a")])])).unwrap();
        faults.fail_next(operation);
        let answers = journal.append_group(vec![
            append(2, vec![on(1, 1, vec![sealed(b"b")])]),
            append(3, vec![on(1, 1, vec![clear(b"refused because of the one before")])]),
            append(1, vec![on(1, 0, vec![clear(b"a")])]),
            append(2, vec![on(1, 1, vec![sealed(b"b")])]),
            append(4, vec![]),
        ]);
        assert!(is_unavailable(&answers[0]) && is_unavailable(&answers[1]) && is_unavailable(&answers[3]));
        assert_eq!(answers[2], Err(AppendError::Duplicate(done)), "what was durable before still is");
        assert!(matches!(answers[4], Err(AppendError::Malformed(_))));
        assert!(journal.is_poisoned());
        // Nothing of it is visible, nothing is tried again, and reading goes on.
        assert_eq!((journal.head(), journal.subscribe().current()), (Position(1), Position(1)));
        assert_eq!(all_entries(&journal).len(), 1);
        assert_eq!(journal.find_command(command(2)), None);
        let later = append(5, vec![on(2, 0, vec![clear(b"c")])]);
        assert_eq!(journal.append(later.clone()), Err(AppendError::Poisoned));
        assert_eq!(journal.append_group(vec![later.clone(), later]), vec![Err(AppendError::Poisoned); 2]);
        assert_eq!(journal.verify().unwrap().entries, 1);
        journal.close().unwrap();
        drop(journal);
        // After the next open it is there as a whole or not at all, and the retry finds out.
        let journal = open(&backend, &faults);
        assert_eq!(journal.head(), Position(if kept { 2 } else { 1 }));
        let retry = journal.append(append(2, vec![on(1, 1, vec![sealed(b"b")])]));
        assert_eq!(matches!(retry, Err(AppendError::Duplicate(_))), kept);
        assert_eq!(journal.head(), Position(2));
        let last = journal.read_at(Position(1)).unwrap().unwrap();
        assert_eq!(journal.unseal(&last.header, last.body.as_stored()).unwrap(), b"b");
        journal.verify().unwrap();
    }
}

#[test]
fn a_key_that_is_not_durable_seals_nothing() {
    let (backend, faults) = (MemoryBackend::new(), Faults::new());
    let journal = open(&backend, &faults);
    faults.fail_next(Operation::PutSlots);
    assert!(is_unavailable(&journal.append(append(1, vec![on(1, 0, vec![sealed(b"a")])]))));
    assert!(journal.is_poisoned() && backend.chunks().is_empty());
}

#[test]
fn a_failed_read_refuses_one_append_and_poisons_nothing() {
    let (backend, faults) = (MemoryBackend::new(), Faults::new());
    let journal = open(&backend, &faults);
    journal.append(append(1, vec![on(1, 0, vec![clear(b"a")])])).unwrap();
    journal.close().unwrap();
    drop(journal);
    let journal = open(&backend, &faults);
    faults.fail_next(Operation::Read);
    let answers = journal
        .append_group(vec![append(2, vec![on(1, 1, vec![clear(b"b")])]), append(3, vec![on(2, 0, vec![clear(b"c")])])]);
    assert!(matches!(answers[0], Err(AppendError::Read(ReadError::Unavailable(_)))), "{:?}", answers[0]);
    assert!(answers[1].is_ok() && !journal.is_poisoned());
    journal.append(append(2, vec![on(1, 1, vec![clear(b"b")])])).unwrap();
}

#[test]
fn an_index_checkpoint_may_stop_anywhere() {
    for operation in [Operation::Put, Operation::Sync, Operation::Read] {
        let mut reached_the_end = false;
        for skip in 0..200 {
            let (backend, faults) = (MemoryBackend::new(), Faults::new());
            {
                let journal = open(&backend, &faults);
                let write = |journal: &Faulty, round: u64| {
                    let asked = (0..300).filter(|number| round == 0 || number % 3 == 0).map(|number| {
                        let version = if round == 0 { 0 } else { 1 };
                        append(round * 1_000 + number, vec![on(number, version, vec![sealed(b"body")])])
                    });
                    assert!(journal.append_group(asked.collect()).iter().all(Result::is_ok));
                };
                write(&journal, 0);
                journal.checkpoint_index().unwrap();
                write(&journal, 1);
                faults.fail_after(operation, skip);
                reached_the_end = journal.checkpoint_index().is_ok();
                assert_eq!(journal.is_poisoned(), !reached_the_end);
                assert_eq!(journal.stream_head(stream(3)).unwrap().unwrap().version.0, 2);
            }
            let journal = open(&backend, &Faults::new());
            for number in 0..300 {
                let version = if number % 3 == 0 { 2 } else { 1 };
                assert_eq!(journal.stream_head(stream(number)).unwrap().unwrap().version.0, version);
            }
            journal.append(append(9_999, vec![on(0, 2, vec![sealed(b"the key is known")])])).unwrap();
            journal.verify().unwrap();
            if reached_the_end {
                break;
            }
        }
        assert!(reached_the_end);
    }
}

#[test]
fn a_failed_write_of_derived_data_poisons_and_leaves_the_old() {
    for operation in [Operation::Put, Operation::Sync] {
        for skip in 0..4 {
            let (backend, faults) = (MemoryBackend::new(), Faults::new());
            let journal = open(&backend, &faults);
            journal.append(append(1, vec![on(1, 0, vec![clear(b"a")])])).unwrap();
            journal.save_checkpoint("status", Position(0), 5, vec![vec![1; 20_000]]).unwrap();
            faults.fail_after(operation, skip);
            let saved = journal.save_checkpoint("status", Position(1), 5, vec![vec![2; 20_000]]);
            assert_eq!(saved.is_err(), journal.is_poisoned());
            drop(journal);
            let found = open(&backend, &Faults::new()).load_checkpoint("status").unwrap().unwrap();
            let expected = [vec![vec![1; 20_000]], vec![vec![2; 20_000]]];
            assert_eq!(found.blocks, expected[found.position.0 as usize]);
            assert!(saved.is_err() || found.position == Position(1));
        }
    }
    let (backend, faults) = (MemoryBackend::new(), Faults::new());
    let journal = open(&backend, &faults);
    journal.append(append(1, vec![on(1, 0, vec![clear(b"a")])])).unwrap();
    faults.fail_next(Operation::RaiseHighWater);
    assert!(journal.close().is_err() && journal.is_poisoned());
    let head = journal.stream_head(stream(1)).unwrap().unwrap();
    let (version, position, leaf) = (head.version, head.position, head.leaf);
    let snapshot = Snapshot { stream: stream(1), version, position, leaf, fingerprint: 0, state: vec![] };
    assert!(journal.save_snapshot(snapshot).is_err(), "nothing is written after a failed write");
}

/// A ring that cannot be reached.
struct Gone(Arc<dyn KeyRing>);

impl KeyRing for Gone {
    fn wrap(&self, key: &countersign_store::DataKey, context: &[u8]) -> Result<Vec<u8>, KeyError> {
        // What an open needs is still made: the store's own two keys, and the key that its log is signed with.
        if context.get(20..36) == Some(&[0; 16]) || context.starts_with(b"countersign signing key") {
            return self.0.wrap(key, context);
        }
        Err(KeyError::Unavailable(Fault::new("the ring is away")))
    }

    fn unwrap(&self, wrapped: &[u8], context: &[u8]) -> Result<countersign_store::DataKey, KeyError> {
        self.0.unwrap(wrapped, context)
    }
}

#[test]
fn without_the_ring_clear_appends_go_on() {
    let journal = Log::with_backend(MemoryBackend::new(), Arc::new(Gone(ring())), Options::default()).unwrap();
    let answers = journal.append_group(vec![
        append(1, vec![on(1, 0, vec![clear(b"a"), sealed(b"b")])]),
        append(2, vec![on(1, 0, vec![clear(b"c")])]),
    ]);
    assert!(matches!(answers[0], Err(AppendError::Key(KeyError::Unavailable(_)))), "{:?}", answers[0]);
    assert!(answers[1].is_ok() && !journal.is_poisoned());
    assert_eq!(journal.head(), Position(1));
}
