//! What a reader may rely on.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use countersign_domain::ids::{Position, Version};

use super::{Medium, all_entries, append, clear, on, sealed, stream};
use crate::append::Append;
use crate::error::KeyError;
use crate::header::Leaf;
use crate::journal::{Body, Journal};

/// A few hundred entries over some streams, in groups of different sizes.
fn fill(journal: &impl Journal) {
    let mut versions = [0; 5];
    let mut asked: Vec<Append> = Vec::new();
    for number in 0..120_u64 {
        let (one, other) = (number as usize % 5, (number as usize * 3 + 1) % 5);
        let body = vec![number as u8; (number as usize * 37) % 300];
        let mut streams = vec![on(one as u64, versions[one], vec![clear(&body), sealed(&body)])];
        versions[one] += 2;
        if one != other {
            streams.push(on(other as u64, versions[other], vec![clear(b"second")]));
            versions[other] += 1;
        }
        asked.push(append(number, streams));
    }
    while !asked.is_empty() {
        let rest = asked.split_off((asked.len() / 3).max(1));
        assert!(journal.append_group(std::mem::replace(&mut asked, rest)).iter().all(Result::is_ok));
    }
}

/// The global order, the streams, single entries and heads tell the same story.
pub fn reads_and_scan_agree<M: Medium>() {
    let medium = M::fresh();
    let journal = medium.open();
    fill(&journal);
    let all = all_entries(&journal);
    assert_eq!(all.len() as u64, journal.head().0);
    for (at, entry) in all.iter().enumerate() {
        assert_eq!(entry.position, Position(at as u64), "positions have no gap");
        assert_eq!(journal.read_at(entry.position).as_ref(), Ok(&Some(entry.clone())));
        assert_eq!(entry.header.body_len as usize, entry.body.as_stored().len());
    }
    for number in 0..5 {
        let of_stream: Vec<_> = all.iter().filter(|one| one.header.stream == stream(number)).cloned().collect();
        assert_eq!(journal.read_stream(stream(number), Version::NONE, usize::MAX), Ok(of_stream.clone()));
        let head = journal.stream_head(stream(number)).expect("the head is read").expect("there is one");
        let last = of_stream.last().expect("it has entries");
        assert_eq!((head.version, head.position, head.leaf), (last.header.version, last.position, last.leaf));
        let mut leaf = Leaf::ZERO;
        for (at, entry) in of_stream.iter().enumerate() {
            assert_eq!(entry.header.version.0, at as u64 + 1);
            assert_eq!(entry.header.previous_leaf, leaf);
            leaf = entry.leaf;
        }
    }
    let verified = journal.verify().expect("it verifies");
    assert_eq!((verified.entries, verified.streams, verified.sealed), (journal.head().0, 5, 120));
}

/// `after` and `limit` cut a stream into pages.
pub fn a_long_stream_reads_in_pages<M: Medium>() {
    let medium = M::fresh();
    let journal = medium.open();
    let asked = (0..100).map(|number| append(number, vec![on(1, number, vec![clear(&number.to_be_bytes())])]));
    assert!(journal.append_group(asked.collect()).iter().all(Result::is_ok));
    let (mut after, mut seen) = (Version::NONE, Vec::new());
    loop {
        let page = journal.read_stream(stream(1), after, 7).expect("the page is read");
        assert!(page.len() <= 7);
        let Some(last) = page.last() else { break };
        after = last.header.version;
        seen.extend(page.iter().map(|one| one.header.version.0));
    }
    assert_eq!(seen, (1..=100).collect::<Vec<_>>());
    assert_eq!(journal.read_stream(stream(1), Version(100), 7), Ok(vec![]));
    assert_eq!(journal.read_stream(stream(1), Version(u64::MAX), 7), Ok(vec![]));
    assert_eq!(journal.read_stream(stream(1), Version(3), 0), Ok(vec![]));
}

/// A scan begins at any position, and goes on where it stopped.
pub fn a_scan_starts_and_stops_anywhere<M: Medium>() {
    let medium = M::fresh();
    let journal = medium.open();
    fill(&journal);
    let head = journal.head().0;
    for from in [0, 1, 63, 64, 65, head - 1, head, head + 5] {
        let mut next = from;
        let end = journal.scan(Position(from), &mut |entry| {
            assert_eq!(entry.position.0, next);
            next += 1;
            ControlFlow::Continue(())
        });
        assert_eq!(end, Ok(Position(head.max(from))));
        assert_eq!(next, head.max(from));
    }
    let (mut next, mut seen) = (Position(0), 0);
    while next < journal.head() {
        let mut left = 17;
        let stop = journal.scan(next, &mut |entry| {
            seen += 1;
            left -= 1;
            // A visitor may ask the journal for more.
            assert!(journal.read_at(entry.position).is_ok_and(|found| found.is_some()));
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        next = stop.expect("the scan succeeds");
    }
    assert_eq!(seen, head);
}

/// A subscriber sleeps until there is more, and finds it durable.
pub fn a_subscription_wakes_after_the_commit<M: Medium>() {
    let medium = M::fresh();
    let journal = Arc::new(medium.open());
    let subscription = journal.subscribe();
    assert_eq!(subscription.current(), Position(0));
    assert_eq!(subscription.wait(Position(0), Duration::ZERO), Position(0));
    let waiting = {
        let (subscription, journal) = (subscription.clone(), journal.clone());
        std::thread::spawn(move || {
            let head = subscription.wait(Position(0), Duration::from_secs(60));
            (head, journal.read_at(Position(0)).expect("it is read").is_some())
        })
    };
    journal.append(append(1, vec![on(1, 0, vec![clear(b"a"), clear(b"b")])])).expect("it commits");
    assert_eq!(waiting.join().expect("the thread ends"), (Position(2), true));
    assert_eq!(subscription.wait(Position(1), Duration::from_secs(60)), Position(2));
}

/// What is sealed opens to what it was, only in its place, and is nowhere in the clear.
pub fn sealed_bodies_come_back_and_are_not_stored_in_the_clear<M: Medium>() {
    let medium = M::fresh();
    let secret = b"JBSWY3DPEHPK3PXP-the-seed-of-a-token";
    let (public, other) = (b"nothing-to-hide-in-this-body", b"another-secret-of-another-stream");
    {
        let journal = medium.open();
        let asked = append(1, vec![on(1, 0, vec![sealed(secret), clear(public)]), on(2, 0, vec![sealed(other)])]);
        journal.append(asked).expect("it commits");
        journal.append(append(2, vec![on(1, 2, vec![sealed(secret)])])).expect("it commits");
    }
    let journal = medium.open();
    let all = all_entries(&journal);
    let open = |at: usize| journal.unseal(&all[at].header, all[at].body.as_stored());
    assert_eq!([open(0), open(1), open(2), open(3)].map(|body| body.expect("it opens")).concat(), {
        [secret.as_slice(), public, other, secret].concat()
    });
    assert!(matches!(&all[0].body, Body::Sealed(_)) && all[1].body == Body::Clear(public.to_vec()));
    assert_ne!(all[0].body, all[3].body, "the same body seals to other bytes");
    assert_eq!(all[0].header.key_id, all[3].header.key_id, "a stream has one key");
    assert_ne!(all[0].header.key_id, all[2].header.key_id, "streams have different keys");
    assert_eq!(journal.unseal(&all[3].header, all[0].body.as_stored()), Err(KeyError::Refused));
    let mut moved = all[2].header;
    moved.stream = stream(1);
    assert_eq!(journal.unseal(&moved, all[2].body.as_stored()), Err(KeyError::Refused));
    drop(journal);
    let raw = medium.raw();
    let has = |needle: &[u8]| raw.windows(needle.len()).any(|window| window == needle);
    assert!(has(public), "the search finds what is in the clear");
    assert!(!has(secret) && !has(other), "a sealed body is on the medium in the clear");
}

/// Destroying a key takes the bodies and leaves the proof.
pub fn a_destroyed_key_forgets_and_leaves_the_log_valid<M: Medium>() {
    let medium = M::fresh();
    let journal = medium.open();
    let asked = append(1, vec![on(1, 0, vec![sealed(b"gone")]), on(2, 0, vec![sealed(b"stays")])]);
    journal.append(asked).expect("it commits");
    journal.append(append(2, vec![on(3, 0, vec![clear(b"never sealed")])])).expect("it commits");
    let all = all_entries(&journal);
    let key_id = all[0].header.key_id;
    assert_eq!(journal.destroy_key(stream(1)), Ok(Some(key_id)));
    assert_eq!(journal.destroy_key(stream(3)), Ok(None));
    assert_eq!(journal.destroy_key(stream(4)), Ok(None));
    drop(journal);
    let journal = medium.open();
    assert_eq!(all_entries(&journal), all);
    assert_eq!(journal.unseal(&all[0].header, all[0].body.as_stored()), Err(KeyError::Destroyed(key_id)));
    assert_eq!(journal.unseal(&all[1].header, all[1].body.as_stored()), Ok(b"stays".to_vec()));
    let more = journal.append(append(3, vec![on(1, 1, vec![sealed(b"no key")])]));
    assert_eq!(more, Err(crate::AppendError::Key(KeyError::Destroyed(key_id))));
    journal.append(append(4, vec![on(1, 1, vec![clear(b"clear goes on")])])).expect("it commits");
    assert_eq!(journal.verify().expect("it verifies").keys_destroyed, 1);
}

/// Closed properly or just dropped: what was acknowledged is there.
pub fn everything_is_there_after_reopening<M: Medium>() {
    for close in [false, true] {
        let medium = M::fresh();
        let journal = medium.open();
        fill(&journal);
        let (all, head) = (all_entries(&journal), journal.head());
        if close {
            journal.close().expect("it closes");
        }
        drop(journal);
        let journal = medium.open();
        assert_eq!((journal.head(), journal.subscribe().current()), (head, head));
        assert_eq!(all_entries(&journal), all);
        fill_on(&journal);
        journal.verify().expect("it verifies");
    }
}

fn fill_on(journal: &impl Journal) {
    let version = journal.stream_head(stream(1)).expect("the head is read").map_or(0, |head| head.version.0);
    let done = journal.append(append(1_000, vec![on(1, version, vec![sealed(b"more")])])).expect("it commits");
    assert_eq!(done.end(), journal.head());
    let found = journal.read_at(done.first).expect("it is read").expect("it is there");
    assert_eq!(journal.unseal(&found.header, found.body.as_stored()), Ok(b"more".to_vec()));
}
