//! A store that was changed is told from one that is whole, and from none.

use std::path::Path;
use std::process::Command;

use countersign_domain::account::Account;
use countersign_domain::caller::Caller;
use countersign_domain::event::{AccountOpened, Event, PrincipalRegistered, PrincipalRemoved};
use countersign_domain::ids::{CommandId, PrincipalId, StreamId, UnixMillis, UserId, Version};
use countersign_domain::wire::{self, Sealing};
use countersign_store::{Append, FileKeyRing, Journal, NewEntry, SledJournal, StoreOptions, StreamAppend};

fn append(journal: &dyn Journal, command: u8, stream: StreamId, expected: u64, event: &Event, at: u64) {
    let encoded = wire::encode(event).unwrap();
    let entry = NewEntry {
        event_type: encoded.event_type,
        type_version: encoded.type_version,
        time: UnixMillis(at),
        body: encoded.body,
        seal: encoded.sealing == Sealing::Sealed,
    };
    let streams = vec![StreamAppend { stream, expected: Version(expected), fresh_key: false, entries: vec![entry] }];
    journal.append(Append { command: CommandId::from_bytes([command; 16]), streams }).unwrap();
}

/// An account whose one user came at second 10 and went at second 20.
fn store(dir: &Path) {
    let ring = FileKeyRing::open_or_create(dir.join("keyring")).unwrap();
    let journal = SledJournal::open(&dir.join("store"), std::sync::Arc::new(ring), StoreOptions::default()).unwrap();
    let by = Caller::operator().by();
    let account = "123456789012".parse().unwrap();
    let lee = PrincipalId::User(account, UserId::new("AIDALEE").unwrap());
    let (name, path) = ("lee".to_owned().try_into().unwrap(), "/".to_owned().try_into().unwrap());
    append(&journal, 1, Account::stream(account), 0, &AccountOpened { account, by }.into(), 1_000);
    let registered = PrincipalRegistered { id: lee.clone(), name, path };
    append(&journal, 2, lee.stream(), 0, &registered.into(), 10_000);
    append(&journal, 3, lee.stream(), 1, &PrincipalRemoved { by }.into(), 20_000);
    journal.close().unwrap();
}

/// The tool's exit code and what it said.
fn replay(arguments: &[&str], dir: &Path) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_countersign-replay")).args(arguments).arg(dir).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn a_whole_store_verifies_and_tells_what_was_true_then() {
    let dir = tempfile::tempdir().unwrap();
    store(dir.path());
    let (code, said) = replay(&["verify"], dir.path());
    assert_eq!((code, said.contains("3 entries in 2 streams")), (Some(0), true), "{said}");
    let at = |instant: &str, status: &str| {
        let said = replay(&["state", "--at", instant], dir.path()).1;
        let row: Vec<&str> = said.lines().find(|line| line.contains("lee#1")).unwrap().split_whitespace().collect();
        assert_eq!(row[1], status, "{said}");
    };
    at("1970-01-01T00:00:09Z", "nonexistent");
    at("1970-01-01T00:00:10Z", "disabled");
    at("1970-01-01T00:00:20Z", "deleted");
    assert_eq!(replay(&["state", "--at", "yesterday"], dir.path()).0, Some(2));
}

#[test]
fn a_flipped_bit_is_damage_and_a_missing_store_is_not() {
    let dir = tempfile::tempdir().unwrap();
    store(dir.path());
    let file = dir.path().join("store/log/db");
    let mut bytes = std::fs::read(&file).unwrap();
    let place = bytes.windows(2).position(|pair| pair == [0xC5, 0x0E]).unwrap();
    bytes[place + 60] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let (code, said) = replay(&["verify"], dir.path());
    assert_eq!(code, Some(4), "{said}");

    let empty = tempfile::tempdir().unwrap();
    let (code, said) = replay(&["verify"], empty.path());
    assert_eq!((code, said.contains("holds no store")), (Some(3), true), "{said}");
    assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0, "nothing was written");
}
