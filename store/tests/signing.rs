//! No log is signed that is not the one that was signed before, and no crash leaves a log without a key.

mod media;

use std::sync::Arc;

use countersign_domain::ids::{Position, UnixMillis};
use countersign_store::contract::{Medium, append, clear, on};
use countersign_store::faults::{Faults, FaultyBackend, Operation};
use countersign_store::{
    Backend, Document, EphemeralKeyRing, Journal, KeyError, Log, MemoryBackend, MemoryJournal, OpenError, Options,
    ReadError, SignError, SledJournal, StoreOptions,
};
use media::{InMemory, OnDisk, ring};

const AT: UnixMillis = UnixMillis(1_700_000_000_000);

fn open(backend: &MemoryBackend) -> Result<MemoryJournal, OpenError> {
    MemoryJournal::with_backend(backend.clone(), ring(), Options::default())
}

fn grow(journal: &impl Journal, from: u64, count: u64) {
    for number in from..from + count {
        journal.append(append(number, vec![on(number, 0, vec![clear(&number.to_be_bytes())])])).unwrap();
    }
}

fn text(backend: &MemoryBackend, document: Document) -> String {
    String::from_utf8(backend.document(document).unwrap().unwrap()).unwrap()
}

/// Seeds that the list of signing keys still has.
fn seeds(backend: &MemoryBackend) -> usize {
    text(backend, Document::Signers).lines().filter(|line| line.split(' ').count() == 3).count() - 1
}

#[test]
fn a_log_that_was_changed_is_not_opened_for_writing() {
    let backend = MemoryBackend::new();
    let journal = open(&backend).unwrap();
    grow(&journal, 0, 5);
    journal.checkpoint().unwrap();
    drop(journal);
    // Another history of the same length under the same key: what a forger without the signing key can write.
    let forged = MemoryBackend::new();
    let journal = open(&forged).unwrap();
    grow(&journal, 10, 5);
    drop(journal);
    let fork = backend.fork();
    for (first, bytes) in forged.chunks() {
        fork.set_chunk(first, Some(bytes));
    }
    assert_eq!(open(&fork).unwrap_err(), OpenError::Forked { signed: 5, found: 5 });
    let read_only = Options { read_only: true, ..Options::default() };
    let journal = MemoryJournal::with_backend(fork, ring(), read_only).unwrap();
    let problems = journal.verify().unwrap_err();
    assert!(problems.iter().any(|problem| problem.position == Position(4) && problem.what.contains("signed")));
    // The end is gone.
    let fork = backend.fork();
    fork.set_chunk(Position(4), None);
    assert_eq!(open(&fork).unwrap_err(), OpenError::Forked { signed: 5, found: 4 });
    assert_eq!(open(&backend).unwrap().head(), Position(5));
}

#[test]
fn a_log_that_changes_under_an_open_journal_is_not_signed() {
    let backend = MemoryBackend::new();
    let journal = open(&backend).unwrap();
    grow(&journal, 0, 600);
    journal.checkpoint().unwrap();
    let forged = MemoryBackend::new();
    let other = open(&forged).unwrap();
    grow(&other, 1000, 601);
    for (first, bytes) in forged.chunks() {
        if first < Position(600) {
            backend.set_chunk(first, Some(bytes));
        }
    }
    // The tree in memory is of the true ones, and is signed as such; what is found anew is not.
    grow(&journal, 600, 1);
    assert_eq!(journal.tree_head().unwrap().size, 601);
    journal.forget_derived().unwrap();
    let refused = journal.checkpoint();
    assert_eq!(refused, Err(SignError::Read(ReadError::Forked { signed: 600, found: 601 })));
    assert!(journal.is_poisoned());
    assert_eq!(journal.last_checkpoint().unwrap().head.size, 600);
}

#[test]
fn lost_or_foreign_documents_are_named() {
    let backend = MemoryBackend::new();
    let journal = open(&backend).unwrap();
    grow(&journal, 0, 3);
    journal.close().unwrap();
    drop(journal);
    let fork = backend.fork();
    fork.remove_document(Document::Signers);
    assert!(matches!(open(&fork), Err(OpenError::Signers(_))));
    // A store of a former release has neither, and gets both.
    fork.remove_document(Document::Checkpoint);
    let journal = open(&fork).unwrap();
    assert_eq!((journal.head(), journal.last_checkpoint().unwrap().head.size), (Position(3), 3));
    let fresh = text(&fork, Document::Checkpoint);
    fork.replace_document(Document::Checkpoint, text(&backend, Document::Checkpoint).as_bytes()).unwrap();
    assert!(matches!(open(&fork), Err(OpenError::Checkpoint(_))), "it is signed by another key");
    for (from, to) in [("\n3\n", "\n2\n"), ("— ", "- "), ("countersign/", "elsewhere/")] {
        fork.replace_document(Document::Checkpoint, fresh.replacen(from, to, 1).as_bytes()).unwrap();
        assert!(matches!(open(&fork), Err(OpenError::Checkpoint(_))), "{from}");
    }
    let signers = text(&backend, Document::Signers);
    for bad in [
        signers.replacen('1', "2", 1),
        signers.replacen("\n1 ", "\n2 ", 1),
        signers.trim_end().to_owned(),
        signers.rsplit_once(' ').unwrap().0.to_owned() + "\n",
        format!("{signers}{}", signers.lines().nth(1).unwrap()),
        "countersign signers 1\n".to_owned(),
        signers.to_uppercase(),
    ] {
        backend.replace_document(Document::Signers, bad.as_bytes()).unwrap();
        assert!(matches!(open(&backend), Err(OpenError::Signers(_))), "{bad}");
    }
    backend.replace_document(Document::Signers, signers.as_bytes()).unwrap();
    let other: Arc<EphemeralKeyRing> = Arc::new(EphemeralKeyRing::new().unwrap());
    let refused = MemoryJournal::with_backend(backend.clone(), other, Options::default());
    assert!(matches!(refused, Err(OpenError::Key(KeyError::WrongRing))));
    open(&backend).unwrap();
}

#[test]
fn a_name_is_for_good() {
    let backend = MemoryBackend::new();
    let named = |name| {
        MemoryJournal::with_origin(backend.clone(), ring(), Options::default(), name).map(|log| log.verifier_keys())
    };
    let long = "x".repeat(129);
    for bad in ["", "a b", "a+b", "a\nb", &long] {
        assert!(matches!(named(bad), Err(OpenError::Signers(_))), "{bad}");
    }
    let keys = named("example.com/mfa").unwrap();
    assert!(keys[0].starts_with("example.com/mfa+"));
    assert_eq!(named("example.com/mfa").unwrap(), keys);
    assert_eq!(open(&backend).unwrap().verifier_keys(), keys);
    assert!(matches!(named("example.com/other"), Err(OpenError::OtherOrigin { .. })));
}

/// Fails each write of a rotation in turn, and looks at what the next open makes of it.
#[test]
fn a_rotation_that_is_cut_short_is_finished_or_taken_back() {
    let steps = [
        (Operation::ReplaceDocument, 0, false),
        (Operation::ReplaceDocumentAfterWriting, 0, false),
        (Operation::Commit, 0, false),
        (Operation::CommitAfterWriting, 0, true),
        (Operation::ReplaceDocument, 1, true),
        (Operation::ReplaceDocumentAfterWriting, 1, true),
        (Operation::ReplaceDocument, 2, true),
        (Operation::ReplaceDocumentAfterWriting, 2, true),
    ];
    for (operation, skip, passed_on) in steps {
        let (backend, faults) = (MemoryBackend::new(), Faults::new());
        let open_faulty = || {
            Log::with_backend(FaultyBackend::new(backend.clone(), faults.clone()), ring(), Options::default()).unwrap()
        };
        let journal = open_faulty();
        grow(&journal, 0, 3);
        let before = journal.checkpoint().unwrap();
        faults.fail_after(operation, skip);
        let failed = journal.rotate_signing_key(AT);
        assert!(failed.is_err() && journal.is_poisoned(), "{operation:?} {skip}: {failed:?}");
        drop(journal);
        let journal = open(&backend).unwrap();
        let keys = journal.verifier_keys();
        assert_eq!(keys.len(), if passed_on { 2 } else { 1 }, "{operation:?} {skip}");
        assert_eq!(seeds(&backend), 1, "{operation:?} {skip}: an old seed lives on");
        let now = journal.checkpoint().unwrap();
        assert_eq!(now.head.size, if passed_on { 4 } else { 3 });
        assert_eq!(now == before, !passed_on);
        grow(&journal, 3, 1);
        journal.rotate_signing_key(AT).unwrap();
        grow(&journal, 4, 1);
        journal.verify().unwrap();
        journal.close().unwrap();
        drop(journal);
        open(&backend).unwrap().verify().unwrap();
    }
}

#[test]
fn a_refused_rotation_changes_nothing() {
    let backend = MemoryBackend::new();
    let journal = open(&backend).unwrap();
    let keys = journal.verifier_keys();
    journal.close().unwrap();
    assert!(matches!(journal.rotate_signing_key(AT), Err(SignError::Append(_))));
    assert_eq!((journal.verifier_keys(), seeds(&backend)), (keys, 1));
    let read_only = Options { read_only: true, ..Options::default() };
    let reader = MemoryJournal::with_backend(MemoryBackend::new(), ring(), read_only).unwrap();
    assert_eq!(reader.checkpoint(), Err(SignError::NoKey));
    assert!(reader.rotate_signing_key(AT).is_err());
}

#[test]
fn an_old_signature_does_not_vouch_for_what_came_after_its_key() {
    let backend = MemoryBackend::new();
    let journal = open(&backend).unwrap();
    grow(&journal, 0, 3);
    let signers_before = text(&backend, Document::Signers);
    let note_before = journal.checkpoint().unwrap().note;
    journal.rotate_signing_key(AT).unwrap();
    drop(journal);
    // An older checkpoint by the older key is of this log still.
    let fork = backend.fork();
    fork.replace_document(Document::Checkpoint, note_before.as_bytes()).unwrap();
    open(&fork).unwrap();
    // The list of keys from before is not.
    backend.replace_document(Document::Signers, signers_before.as_bytes()).unwrap();
    assert!(matches!(open(&backend), Err(OpenError::Signers(_))));
}

#[test]
fn the_files_are_private_and_their_drafts_do_not_live_on() {
    let medium = OnDisk::fresh();
    let journal = medium.open();
    grow(&journal, 0, 3);
    journal.rotate_signing_key(AT).unwrap();
    journal.close().unwrap();
    drop(journal);
    for name in ["signers", "checkpoint"] {
        let path = medium.path().join(name);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        std::fs::write(medium.path().join(format!("{name}.tmp")), b"half a").unwrap();
    }
    let read_only = StoreOptions { read_only: true, ..StoreOptions::default() };
    let journal = SledJournal::open(&medium.path(), ring(), read_only).unwrap();
    assert_eq!(journal.checkpoint().unwrap().head.size, 4);
    drop(journal);
    assert!(medium.path().join("signers.tmp").exists(), "who only reads removes nothing");
    drop(medium.open());
    assert!(!medium.path().join("signers.tmp").exists() && !medium.path().join("checkpoint.tmp").exists());
}

#[test]
fn the_keeper_signs_while_the_log_grows() {
    let medium = OnDisk::fresh();
    let journal = medium.open();
    grow(&journal, 0, 3);
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while journal.last_checkpoint().unwrap().head.size < 3 {
        assert!(std::time::Instant::now() < until, "nobody signed");
        std::thread::yield_now();
    }
    let note = std::fs::read_to_string(medium.path().join("checkpoint")).unwrap();
    assert_eq!(note, *journal.last_checkpoint().unwrap().note);
}

#[test]
fn a_forged_tile_is_found_and_located() {
    let medium = InMemory::fresh();
    let journal = medium.open();
    let entries = 256 * 256 + 5;
    for group in 0..entries / 32 + 1 {
        let appends = (0..32).map(|nth| append(group * 32 + nth, vec![on(group * 32 + nth, 0, vec![clear(b"x")])]));
        assert!(journal.append_group(appends.collect()).iter().all(Result::is_ok));
    }
    journal.checkpoint().unwrap();
    journal.verify().unwrap();
    let tiles = countersign_store::Table::Tiles;
    let (key, mut hashes) = medium.backend.rows(tiles).remove(0);
    hashes[32 * 7] ^= 1;
    medium.backend.put(tiles, vec![(key, Some(hashes))]).unwrap();
    let problems = journal.verify().unwrap_err();
    assert_eq!(problems[0].position, Position(7 * 256), "{problems:?}");
}
