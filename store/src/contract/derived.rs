//! What derived data promises: to be right or not there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use countersign_domain::ids::{Position, Version};

use super::{Medium, append, clear, on, sealed, stream};
use crate::header::Leaf;
use crate::journal::{Checkpoint, Journal, Snapshot};
use crate::limits::{CHECKPOINT_BLOCK_BYTES_MAX, SNAPSHOT_BYTES_MAX};

fn snapshot_of(journal: &impl Journal, number: u64, state: &[u8]) -> Snapshot {
    let head = journal.stream_head(stream(number)).expect("the head is read").expect("there is one");
    Snapshot {
        stream: stream(number),
        version: head.version,
        position: head.position,
        leaf: head.leaf,
        fingerprint: 77,
        state: state.to_vec(),
    }
}

/// A snapshot survives a reopening, is sealed, is replaced, and can go away.
pub fn snapshots_come_back_and_can_be_dropped<M: Medium>() {
    let medium = M::fresh();
    let journal = medium.open();
    let secret = b"a-secret-inside-of-a-state";
    journal.append(append(1, vec![on(1, 0, vec![sealed(b"a")]), on(2, 0, vec![clear(b"b")])])).expect("it commits");
    let (with_key, without) = (snapshot_of(&journal, 1, secret), snapshot_of(&journal, 2, secret));
    for snapshot in [&with_key, &without] {
        journal.save_snapshot(snapshot.clone()).expect("it is saved");
        assert_eq!(journal.load_snapshot(snapshot.stream), Ok(Some(snapshot.clone())));
    }
    journal.append(append(2, vec![on(1, 1, vec![clear(b"c")])])).expect("it commits");
    assert_eq!(journal.load_snapshot(stream(1)), Ok(Some(with_key)), "an older snapshot still counts");
    let newer = snapshot_of(&journal, 1, b"newer");
    journal.save_snapshot(newer.clone()).expect("it is saved");
    journal.close().expect("it closes");
    drop(journal);
    assert!(!medium.raw().windows(secret.len()).any(|window| window == secret), "a state is stored in the clear");
    let journal = medium.open();
    assert_eq!(journal.load_snapshot(stream(1)), Ok(Some(newer)));
    assert_eq!(journal.load_snapshot(stream(3)), Ok(None));
    journal.destroy_key(stream(1)).expect("the key is destroyed");
    assert_eq!(journal.load_snapshot(stream(1)), Ok(None), "a forgotten stream has no state");
    journal.drop_snapshots().expect("they are dropped");
    assert_eq!(journal.load_snapshot(stream(2)), Ok(None));
}

/// A snapshot that does not match the log is not there; one ahead of it is not taken.
pub fn a_snapshot_of_another_history_is_ignored<M: Medium>() {
    let medium = M::fresh();
    let journal = medium.open();
    journal.append(append(1, vec![on(1, 0, vec![clear(b"a"), clear(b"b")])])).expect("it commits");
    let good = snapshot_of(&journal, 1, b"state");
    let (leaf, version, position) = (Leaf([9; 32]), Version(1), Position(0));
    for wrong in
        [Snapshot { leaf, ..good.clone() }, Snapshot { version, ..good.clone() }, Snapshot { position, ..good.clone() }]
    {
        journal.save_snapshot(wrong).expect("it is saved");
        assert_eq!(journal.load_snapshot(stream(1)), Ok(None));
    }
    let (version, position, state) = (Version(3), Position(2), vec![0; SNAPSHOT_BYTES_MAX + 1]);
    for refused in [
        Snapshot { version, ..good.clone() },
        Snapshot { position, ..good.clone() },
        Snapshot { position: Position(u64::MAX), ..good.clone() },
        Snapshot { stream: stream(2), ..good.clone() },
        Snapshot { state, ..good.clone() },
    ] {
        assert!(journal.save_snapshot(refused).is_err());
    }
    journal.save_snapshot(good.clone()).expect("it is saved");
    assert_eq!(journal.load_snapshot(stream(1)), Ok(Some(good)));
}

/// A checkpoint is replaced as a whole.
pub fn checkpoints_come_back_whole_or_not_at_all<M: Medium>() {
    let medium = M::fresh();
    let journal = medium.open();
    journal.append(append(1, vec![on(1, 0, vec![clear(b"a"), clear(b"b")])])).expect("it commits");
    let small = vec![b"first-block-of-the-projection".to_vec(), vec![], b"third".to_vec()];
    let large: Vec<Vec<u8>> = (0..5).map(|n| vec![n; CHECKPOINT_BLOCK_BYTES_MAX - usize::from(n) * 7_919]).collect();
    let expected = |position, blocks: &Vec<Vec<u8>>| {
        Ok(Some(Checkpoint { position: Position(position), fingerprint: 5, blocks: blocks.clone() }))
    };
    assert_eq!(journal.load_checkpoint("status"), Ok(None));
    for (position, blocks) in [(0, vec![]), (1, small.clone()), (2, large.clone()), (2, small.clone())] {
        journal.save_checkpoint("status", Position(position), 5, blocks.clone()).expect("it is saved");
        assert_eq!(journal.load_checkpoint("status"), expected(position, &blocks));
    }
    journal.save_checkpoint("other", Position(2), 5, large.clone()).expect("it is saved");
    drop(journal);
    let raw = medium.raw();
    assert!(!raw.windows(small[0].len()).any(|window| window == small[0]), "a block is stored in the clear");
    let journal = medium.open();
    assert_eq!(journal.load_checkpoint("status"), expected(2, &small));
    assert_eq!(journal.load_checkpoint("other"), expected(2, &large));
    assert_eq!(journal.load_checkpoint("stat"), Ok(None));
    assert!(journal.save_checkpoint("status", Position(3), 5, vec![]).is_err(), "it claims too much");
    assert!(journal.save_checkpoint("", Position(0), 5, vec![]).is_err());
    assert!(journal.save_checkpoint(&"n".repeat(65), Position(0), 5, vec![]).is_err());
    let block = vec![0; CHECKPOINT_BLOCK_BYTES_MAX + 1];
    assert!(journal.save_checkpoint("status", Position(0), 5, vec![block]).is_err());
}

/// However often the index is written, and however the journal is left, heads stay right.
pub fn the_index_can_be_checkpointed_at_any_time<M: Medium>() {
    let medium = M::fresh();
    let mut versions = vec![0_u64; 400];
    let mut commands = 0;
    for round in 0..12_u64 {
        let journal = medium.open();
        for group in 0..4_u64 {
            let mut asked = Vec::new();
            for number in (0..400).filter(|number| (number * 7 + round * 3 + group) % 5 < 2) {
                let version = &mut versions[number as usize];
                let entry = if (number + round) % 4 == 0 { sealed(b"body") } else { clear(b"body") };
                asked.push(append(commands, vec![on(number, *version, vec![entry])]));
                *version += 1;
                commands += 1;
            }
            assert!(journal.append_group(asked).iter().all(Result::is_ok), "round {round}, group {group}");
            if (round + group) % 3 == 0 {
                journal.checkpoint_index().expect("the index is written");
                journal.checkpoint_index().expect("nothing new is no error");
            }
        }
        for (number, version) in versions.iter().enumerate() {
            let head = journal.stream_head(stream(number as u64)).expect("the head is read");
            assert_eq!(head.map_or(0, |head| head.version.0), *version, "round {round}, stream {number}");
        }
        if round % 2 == 0 {
            journal.close().expect("it closes");
        }
    }
    medium.open().verify().expect("it verifies");
}

/// Readers and writers find every head while the index is written and merged under them.
pub fn heads_stay_right_while_the_index_is_written<M: Medium>() {
    const STREAMS: u64 = 300;
    let medium = M::fresh();
    let journal = Arc::new(medium.open());
    let done = Arc::new(AtomicBool::new(false));
    let in_a_loop = |work: fn(&M::Journal)| {
        let (journal, done) = (journal.clone(), done.clone());
        std::thread::spawn(move || {
            while !done.load(Ordering::Acquire) {
                work(&journal);
            }
        })
    };
    let threads = [
        in_a_loop(|journal| journal.checkpoint_index().expect("the index is written")),
        in_a_loop(|journal| {
            for number in 0..STREAMS {
                let Some(head) = journal.stream_head(stream(number)).expect("the head is read") else { continue };
                let page = journal.read_stream(stream(number), Version(head.version.0 - 1), 1);
                assert_eq!(page.map(|page| page[0].header.version), Ok(head.version));
            }
        }),
    ];
    let mut commands = 0;
    for round in 0..40 {
        // Some streams move in each round and others in every third, so that rows come from all layers.
        let asked: Vec<_> = (0..STREAMS)
            .filter(|number| number % 3 == 0 || round % 3 == 0)
            .map(|number| {
                commands += 1;
                let version = if number % 3 == 0 { round } else { round / 3 };
                append(commands, vec![on(number, version, vec![sealed(b"body")])])
            })
            .collect();
        for answer in journal.append_group(asked) {
            answer.expect("it commits");
        }
    }
    done.store(true, Ordering::Release);
    threads.into_iter().for_each(|thread| thread.join().expect("the thread ends"));
    journal.verify().expect("it verifies");
}

/// Without anything derived, the journal is what it was.
pub fn derived_data_can_be_forgotten<M: Medium>() {
    let medium = M::fresh();
    let journal = medium.open();
    journal.append(append(1, vec![on(1, 0, vec![sealed(b"a")]), on(2, 0, vec![clear(b"b")])])).expect("it commits");
    journal.checkpoint_index().expect("the index is written");
    journal.append(append(2, vec![on(1, 1, vec![clear(b"c")])])).expect("it commits");
    journal.save_snapshot(snapshot_of(&journal, 1, b"state")).expect("it is saved");
    journal.save_checkpoint("status", Position(2), 5, vec![vec![1]]).expect("it is saved");
    let head = journal.stream_head(stream(1));
    journal.forget_derived().expect("it is forgotten");
    assert_eq!(journal.stream_head(stream(1)), head);
    assert_eq!(journal.load_snapshot(stream(1)), Ok(None));
    assert_eq!(journal.load_checkpoint("status"), Ok(None));
    journal.append(append(3, vec![on(1, 2, vec![sealed(b"d")])])).expect("the key is still known");
    drop(journal);
    assert_eq!(medium.open().verify().expect("it verifies").entries, 4);
}
