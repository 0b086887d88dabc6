//! What an append promises.

use std::sync::Arc;

use countersign_domain::ids::{Position, Version};

use super::{Medium, all_entries, append, clear, command, on, sealed, stream};
use crate::append::Committed;
use crate::error::AppendError;
use crate::journal::Journal;
use crate::limits::{APPEND_BYTES_MAX, APPEND_ENTRIES_MAX, APPEND_STREAMS_MAX, GROUP_APPENDS_MAX, GROUP_BYTES_MAX};

/// A new journal has no entry, no stream and no command.
pub fn an_empty_journal_is_empty<M: Medium>() {
    let medium = M::fresh();
    let journal = medium.open();
    assert_eq!(journal.head(), Position(0));
    assert_eq!(journal.stream_head(stream(1)), Ok(None));
    assert_eq!(journal.read_stream(stream(1), Version::NONE, 10), Ok(vec![]));
    assert_eq!(journal.read_at(Position(0)), Ok(None));
    assert_eq!(journal.find_command(command(1)), None);
    assert!(all_entries(&journal).is_empty());
    assert!(journal.append_group(vec![]).is_empty());
    assert_eq!(journal.verify().expect("it verifies").entries, 0);
}

/// Several streams move together or not at all.
pub fn an_append_over_several_streams_is_atomic<M: Medium>() {
    let medium = M::fresh();
    let journal = medium.open();
    let both = append(1, vec![on(1, 0, vec![clear(b"a"), sealed(b"b")]), on(2, 0, vec![clear(b"c")])]);
    let done = journal.append(both).expect("it commits");
    assert_eq!(done, Committed { first: Position(0), count: 3 });
    assert_eq!((done.last(), done.end()), (Position(2), Position(3)));
    let half = append(2, vec![on(1, 2, vec![clear(b"d")]), on(2, 9, vec![clear(b"e")])]);
    let refused = AppendError::Conflict { stream: stream(2), expected: Version(9), actual: Version(1) };
    assert_eq!(journal.append(half), Err(refused));
    assert_eq!(journal.head(), Position(3));
    assert_eq!(journal.stream_head(stream(1)).map(|head| head.map(|head| head.version)), Ok(Some(Version(2))));
    let order: Vec<_> = all_entries(&journal).iter().map(|one| (one.header.stream, one.header.version.0)).collect();
    assert_eq!(order, [(stream(1), 1), (stream(1), 2), (stream(2), 1)]);
}

/// A wrong expected version is refused with the right one.
pub fn a_conflict_changes_nothing_and_says_why<M: Medium>() {
    let medium = M::fresh();
    let journal = medium.open();
    let conflict = |expected, actual| {
        Err(AppendError::Conflict { stream: stream(1), expected: Version(expected), actual: Version(actual) })
    };
    assert_eq!(journal.append(append(1, vec![on(1, 1, vec![clear(b"a")])])), conflict(1, 0));
    journal.append(append(2, vec![on(1, 0, vec![clear(b"a")])])).expect("it commits");
    for expected in [0, 2, u64::MAX - 1] {
        assert_eq!(journal.append(append(3, vec![on(1, expected, vec![clear(b"b")])])), conflict(expected, 1));
    }
    assert_eq!(journal.head(), Position(1));
    assert_eq!(journal.find_command(command(3)), None);
    journal.append(append(3, vec![on(1, 1, vec![clear(b"b")])])).expect("a refused command may come again");
}

/// Inside a group, the order counts, and a refusal does not disturb its neighbours.
pub fn appends_of_a_group_see_the_ones_before<M: Medium>() {
    let medium = M::fresh();
    let journal = medium.open();
    let answers = journal.append_group(vec![
        append(1, vec![on(1, 0, vec![sealed(b"a")])]),
        append(2, vec![on(1, 0, vec![clear(b"late")])]),
        append(3, vec![on(1, 1, vec![sealed(b"b")]), on(2, 0, vec![clear(b"c")])]),
        append(1, vec![on(1, 0, vec![sealed(b"a")])]),
        append(4, vec![on(2, 1, vec![clear(b"d")])]),
    ]);
    let at = |first, count| Committed { first: Position(first), count };
    let conflict = AppendError::Conflict { stream: stream(1), expected: Version(0), actual: Version(1) };
    let duplicate = AppendError::Duplicate(at(0, 1));
    assert_eq!(answers, [Ok(at(0, 1)), Err(conflict), Ok(at(1, 2)), Err(duplicate), Ok(at(3, 1))]);
    assert_eq!(journal.head(), Position(4));
    journal.verify().expect("it verifies");
}

/// A command id that was committed is answered with what it did, whatever it asks for now.
pub fn a_command_is_done_once<M: Medium>() {
    let medium = M::fresh();
    let journal = medium.open();
    let first = append(1, vec![on(1, 0, vec![clear(b"a"), clear(b"b")])]);
    let done = journal.append(first.clone()).expect("it commits");
    assert_eq!(journal.append(first.clone()), Err(AppendError::Duplicate(done)));
    assert_eq!(journal.append(append(1, vec![on(9, 0, vec![clear(b"x")])])), Err(AppendError::Duplicate(done)));
    assert_eq!(journal.find_command(command(1)), Some(done));
    drop(journal);
    let journal = medium.open();
    assert_eq!(journal.append(first), Err(AppendError::Duplicate(done)));
    assert_eq!(journal.find_command(command(1)), Some(done));
    assert_eq!(journal.head(), Position(2));
}

/// Every limit is kept, and what is exactly at it passes.
pub fn limits_are_kept<M: Medium>() {
    let medium = M::fresh();
    let journal = medium.open();
    let too_large = |what, found, max| Err(AppendError::TooLarge { what, found, max });
    let wide = |count| append(1, (0..count as u64).map(|n| on(n, 0, vec![clear(b"a")])).collect());
    let long = |count| append(2, vec![on(100, 0, vec![clear(b"a"); count])]);
    let frame = crate::header::HEADER_BYTES + crate::header::LEAF_BYTES;
    let fat = |bytes: usize| append(3, vec![on(101, 0, vec![clear(&vec![7; bytes - frame])])]);
    let streams = APPEND_STREAMS_MAX + 1;
    assert_eq!(journal.append(wide(streams)), too_large("streams", streams, APPEND_STREAMS_MAX));
    let entries = APPEND_ENTRIES_MAX + 1;
    assert_eq!(journal.append(long(entries)), too_large("entries", entries, APPEND_ENTRIES_MAX));
    let bytes = APPEND_BYTES_MAX + 1;
    assert_eq!(journal.append(fat(bytes)), too_large("bytes", bytes, APPEND_BYTES_MAX));
    let body = vec![7; bytes - frame - crate::keys::SEAL_BYTES];
    let closed = append(3, vec![on(101, 0, vec![sealed(&body)])]);
    assert_eq!(journal.append(closed), too_large("bytes", bytes, APPEND_BYTES_MAX), "a seal takes its room, too");
    assert_eq!(journal.head(), Position(0));
    let group = vec![wide(APPEND_STREAMS_MAX), long(APPEND_ENTRIES_MAX), fat(APPEND_BYTES_MAX)];
    assert!(journal.append_group(group).iter().all(Result::is_ok));
    let entries = (APPEND_STREAMS_MAX + APPEND_ENTRIES_MAX + 1) as u64;
    assert_eq!(journal.verify().expect("it verifies").entries, entries);

    let small = (0..=GROUP_APPENDS_MAX as u64).map(|n| append(1000 + n, vec![on(1000 + n, 0, vec![clear(b"a")])]));
    let answers = journal.append_group(small.collect());
    let over = too_large("appends in its group", GROUP_APPENDS_MAX + 1, GROUP_APPENDS_MAX);
    assert_eq!(answers.iter().position(Result::is_err), Some(GROUP_APPENDS_MAX));
    assert_eq!(answers[GROUP_APPENDS_MAX], over);

    let large = |n: u64, bytes: usize| append(n, vec![on(n, 0, vec![clear(&vec![7; bytes - frame])])]);
    let (whole, rest) = ((GROUP_BYTES_MAX / APPEND_BYTES_MAX) as u64, GROUP_BYTES_MAX % APPEND_BYTES_MAX);
    let mut group: Vec<_> = (0..whole).map(|n| large(50_000 + n, APPEND_BYTES_MAX)).collect();
    group.extend([large(90_000, rest), large(90_001, frame + 1)]);
    let answers = journal.append_group(group);
    let over = too_large("bytes in its group", GROUP_BYTES_MAX + frame + 1, GROUP_BYTES_MAX);
    assert_eq!(answers.iter().position(Result::is_err), Some(answers.len() - 1), "to the last byte");
    assert_eq!(answers.last(), Some(&over));
}

/// What makes no sense is refused before anything else is looked at.
pub fn malformed_appends_are_refused<M: Medium>() {
    let medium = M::fresh();
    let journal = medium.open();
    let malformed = |asked| assert!(matches!(journal.append(asked), Err(AppendError::Malformed(_))));
    malformed(append(1, vec![]));
    malformed(append(1, vec![on(1, 0, vec![])]));
    malformed(append(1, vec![on(1, 0, vec![clear(b"a")]), on(1, 1, vec![clear(b"b")])]));
    malformed(append(1, vec![on(1, u64::MAX, vec![clear(b"a")])]));
    assert_eq!(journal.head(), Position(0));
}

/// Many threads that fight over few streams lose nothing and leave no gap.
pub fn writers_in_parallel_leave_no_gap<M: Medium>() {
    const THREADS: u64 = 4;
    const EACH: u64 = 25;
    let medium = M::fresh();
    let journal = Arc::new(medium.open());
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let journal = journal.clone();
            std::thread::spawn(move || {
                for number in 0..EACH {
                    let id = thread * EACH + number;
                    loop {
                        let head = journal.stream_head(stream(id % 3)).expect("the head is read");
                        let version = head.map_or(0, |head| head.version.0);
                        match journal.append(append(id, vec![on(id % 3, version, vec![sealed(&id.to_be_bytes())])])) {
                            Ok(_) => break,
                            Err(AppendError::Conflict { .. }) => {}
                            Err(other) => panic!("{other}"),
                        }
                    }
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().expect("the thread ends"));
    assert_eq!(journal.head(), Position(THREADS * EACH));
    let verified = journal.verify().expect("it verifies");
    assert_eq!((verified.entries, verified.streams), (THREADS * EACH, 3));
}

/// After `close`, nothing is appended, and everything can be read.
pub fn a_closed_journal_takes_no_more<M: Medium>() {
    let medium = M::fresh();
    let journal = medium.open();
    journal.append(append(1, vec![on(1, 0, vec![clear(b"a")])])).expect("it commits");
    journal.close().expect("it closes");
    journal.close().expect("it closes twice");
    assert_eq!(journal.append(append(2, vec![on(1, 1, vec![clear(b"b")])])), Err(AppendError::Closed));
    assert_eq!(all_entries(&journal).len(), 1);
    assert!(!journal.is_poisoned());
}
