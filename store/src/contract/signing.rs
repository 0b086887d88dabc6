//! How a log signs itself.

use countersign_domain::ids::{Position, UnixMillis, Version};
use countersign_domain::wire;

use super::{Medium, append, clear, command, on, sealed, stream};
use crate::append::{Append, StreamAppend};
use crate::error::AppendError;
use crate::journal::Journal;

const AT: UnixMillis = UnixMillis(1_700_000_000_000);

/// A checkpoint is of what is durable, is kept, and comes back; the log's name and key stay the same.
pub fn a_checkpoint_is_signed_on_demand_and_at_close<M: Medium>() {
    let medium = M::fresh();
    let journal = medium.open();
    let (keys, first) = (journal.verifier_keys(), journal.checkpoint().unwrap());
    assert_eq!((keys.len(), first.head.size), (1, 0));
    let origin = keys[0].split('+').next().unwrap().to_owned();
    assert!(origin.starts_with("countersign/") && origin.len() == 12 + 32, "{origin}");
    journal.append(append(1, vec![on(1, 0, vec![clear(b"a"), sealed(b"b")])])).unwrap();
    let second = journal.checkpoint().unwrap();
    assert_eq!(second.head, journal.tree_head().unwrap());
    assert!(second.note.starts_with(&format!("{origin}\n2\n")), "{}", second.note);
    assert_eq!(journal.last_checkpoint(), Some(second.clone()));
    assert_eq!(journal.checkpoint().unwrap(), second, "nothing new, nothing signed");
    journal.append(append(2, vec![on(1, 2, vec![clear(b"c")])])).unwrap();
    journal.close().unwrap();
    drop(journal);
    let journal = medium.open();
    assert_eq!(journal.last_checkpoint().unwrap().head, journal.tree_head().unwrap());
    assert_eq!(journal.verifier_keys(), keys);
}

/// Keys change while the log is in use; each time the log says so, and goes on under its name.
pub fn signing_keys_rotate_while_the_log_grows<M: Medium>() {
    let medium = M::fresh();
    let mut journal = medium.open();
    let mut keys = journal.verifier_keys();
    for round in 0..4 {
        journal.append(append(round, vec![on(1, round, vec![clear(b"a")])])).unwrap();
        let rotated = journal.rotate_signing_key(AT).unwrap();
        assert_eq!(Some(&rotated.old), keys.last());
        keys.push(rotated.new.clone());
        assert_eq!(journal.verifier_keys(), keys);
        let entry = journal.read_at(rotated.position).unwrap().unwrap();
        let own = crate::log::own_stream();
        assert_eq!((entry.header.stream, entry.header.version), (own, Version(round + 1)));
        assert_eq!((entry.header.event_type, entry.header.time), (wire::SIGNING_KEY_ROTATED, AT));
        let statement = String::from_utf8(entry.body.as_stored().to_vec()).unwrap();
        assert!(statement.contains(&rotated.old) && statement.contains(&rotated.new));
        assert_eq!(signatures(&statement), 2);
        assert_eq!(rotated.checkpoint.head.size, rotated.position.0 + 1);
        assert_eq!(signatures(&rotated.checkpoint.note), 2, "both sign the first one after");
        journal.append(append(100 + round, vec![on(2, round, vec![clear(b"b")])])).unwrap();
        assert_eq!(signatures(&journal.checkpoint().unwrap().note), 1);
        if round % 2 == 0 {
            drop(journal);
            journal = medium.open();
            assert_eq!(journal.verifier_keys(), keys);
        }
    }
    journal.verify().unwrap();
}

fn signatures(note: &str) -> usize {
    note.lines().filter(|line| line.starts_with("— ")).count()
}

/// Nobody else speaks in the log's name.
pub fn only_the_log_writes_of_itself<M: Medium>() {
    let medium = M::fresh();
    let journal = medium.open();
    let own = StreamAppend {
        stream: crate::log::own_stream(),
        expected: Version(0),
        entries: vec![clear(b"x")],
        fresh_key: false,
    };
    let mut typed = clear(b"x");
    typed.event_type = wire::SIGNING_KEY_ROTATED;
    let asked = [
        vec![own],
        vec![StreamAppend { stream: stream(1), expected: Version(0), entries: vec![typed], fresh_key: false }],
    ];
    for (number, streams) in asked.into_iter().enumerate() {
        let refused = journal.append(Append { command: command(number as u64), streams });
        assert!(matches!(refused, Err(AppendError::Malformed(_))), "{refused:?}");
    }
    assert_eq!(journal.head(), Position(0));
}

/// A receipt has the entry as it is stored, and the checkpoint that it is under.
pub fn a_receipt_has_the_entry_and_a_checkpoint<M: Medium>() {
    let medium = M::fresh();
    let journal = medium.open();
    for round in 0..9 {
        journal.append(append(round, vec![on(round, 0, vec![clear(b"a"), sealed(b"b")])])).unwrap();
    }
    for position in (0..18).map(Position) {
        let receipt = journal.receipt(position).unwrap().unwrap();
        assert!(receipt.starts_with("c2sp.org/tlog-proof@v1\nextra "));
        assert!(receipt.contains(&format!("\nindex {position}\n")));
        let signed = journal.last_checkpoint().unwrap();
        assert!(receipt.ends_with(&format!("\n\n{}", signed.note)) && signed.head.size == 18);
    }
    assert_eq!(journal.receipt(Position(18)).unwrap(), None);
}
