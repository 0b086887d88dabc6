//! A backup is what the log was, or it is refused; and what was forgotten since stays forgotten.

mod media;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use countersign_domain::ids::{CommandId, Position, StreamId, UnixMillis, Version};
use countersign_store::backup::{self, Backup, BackupError, Restore};
use countersign_store::contract::{Medium, all_entries};
use countersign_store::keys::Slot;
use countersign_store::{
    Append, Journal, KeyError, Leaf, MemoryBackend, MemoryJournal, NewEntry, Options, SledJournal, StoreOptions,
    StreamAppend,
};
use media::{OnDisk, ring};

fn append(journal: &dyn Journal, number: u16) {
    let stream = StreamId::from_bytes([(number % 7) as u8 + 1; 16]);
    let expected = journal.stream_head(stream).unwrap().map_or(Version::NONE, |head| head.version);
    let body = vec![number as u8; 50 + usize::from(number % 3) * 4000];
    let entry = NewEntry { event_type: 1, type_version: 1, time: UnixMillis(1), body, seal: number.is_multiple_of(2) };
    let streams = vec![StreamAppend { stream, expected, fresh_key: false, entries: vec![entry] }];
    journal.append(Append { command: CommandId::derive(&[&number.to_string()]), streams }).unwrap();
}

/// A store with a history, and the places beside it.
struct Scene {
    medium: OnDisk,
    journal: SledJournal,
}

impl Scene {
    fn new() -> Self {
        let medium = OnDisk::fresh();
        let journal = medium.open();
        (0..60).for_each(|number| append(&journal, number));
        Self { medium, journal }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.medium.dir.path().join(name)
    }

    fn back_up(&self, name: &str) -> Backup {
        let made = backup::write(&self.journal, &self.at(name)).unwrap();
        backup::copy_keys(&self.journal, &self.at("kept")).unwrap();
        made
    }

    fn restore(&self, name: &str, given: (Option<&str>, Option<&str>)) -> Result<SledJournal, BackupError> {
        let (from, keys, to) = (self.at(name), self.at("kept"), self.at("restored"));
        let (verifier_key, checkpoint) = given;
        let from = Restore { backup: &from, keys: &keys, ring: ring(), verifier_key, checkpoint };
        let restored = backup::restore(&from, &to);
        let there: Vec<_> = fs::read_dir(self.medium.dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(!there.contains(&self.at("restored.restoring")), "no draft is left");
        assert_eq!(there.contains(&to), restored.is_ok(), "a store or nothing");
        restored?;
        let moved = self.at(&format!("opened-{}", there.len()));
        fs::rename(&to, &moved).unwrap();
        Ok(SledJournal::open(&moved, ring(), StoreOptions::default()).unwrap())
    }

    fn change(&self, from: &str, to: &str, change: impl FnOnce(&Path)) {
        fs::create_dir(self.at(to)).unwrap();
        for entry in fs::read_dir(self.at(from)).unwrap().map(Result::unwrap) {
            fs::copy(entry.path(), self.at(to).join(entry.file_name())).unwrap();
        }
        change(&self.at(to));
    }
}

#[test]
fn a_backup_of_a_journal_that_is_written_is_restored_as_it_was_signed() {
    let scene = Scene::new();
    let stop = AtomicBool::new(false);
    let made = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 100;
            while !stop.load(Ordering::Relaxed) {
                append(&scene.journal, number);
                number += 1;
            }
        });
        let made = ["first", "second", "third"].map(|name| scene.back_up(name));
        stop.store(true, Ordering::Relaxed);
        made
    });
    assert!(made[0].entries >= 60 && made[0].entries <= made[2].entries);
    let original = all_entries(&scene.journal);
    for (name, made) in ["first", "second", "third"].iter().zip(made) {
        let known = made.checkpoint.to_string();
        let key = scene.journal.verifier_keys().remove(0);
        let restored = scene.restore(name, (Some(&key), Some(&known))).unwrap();
        let entries = usize::try_from(made.entries).unwrap();
        assert_eq!(all_entries(&restored), original[..entries]);
        for entry in all_entries(&restored) {
            let clear = restored.unseal(&entry.header, entry.body.as_stored());
            assert_eq!(clear, scene.journal.unseal(&entry.header, entry.body.as_stored()));
        }
        assert_eq!(restored.derive_key("x"), scene.journal.derive_key("x"));
        append(&restored, 9999);
        assert_eq!(restored.checkpoint().unwrap().head.size, made.entries + 1);
        restored.verify().unwrap();
    }
}

#[test]
fn a_backup_that_was_changed_is_refused_and_leaves_nothing() {
    let scene = Scene::new();
    scene.back_up("good");
    let log = fs::read(scene.at("good").join("log")).unwrap();
    for (at, bit) in (0..log.len()).step_by(log.len() / 60).zip((0..8).cycle()) {
        let name = format!("flipped-{at}");
        scene.change("good", &name, |dir| {
            let mut log = log.clone();
            log[at] ^= 1 << bit;
            fs::write(dir.join("log"), log).unwrap();
        });
        let refused = scene.restore(&name, (None, None)).unwrap_err();
        assert!(matches!(refused, BackupError::Damaged(_)), "byte {at}: {refused}");
    }
    // Whole chunks are left out at the end; the file is cut anywhere; a whole chunk is doubled.
    let first = 4 + u32::from_be_bytes(*log.first_chunk().unwrap()) as usize;
    let cuts: [(&str, Vec<u8>); 4] = [
        ("one", log[..first].to_vec()),
        ("half", log[..log.len() / 2 + 1].to_vec()),
        ("none", Vec::new()),
        ("double", [&log[..first], &log[..]].concat()),
    ];
    for (name, content) in cuts {
        scene.change("good", name, |dir| fs::write(dir.join("log"), content).unwrap());
        let refused = scene.restore(name, (None, None)).unwrap_err();
        assert!(matches!(refused, BackupError::Damaged(_) | BackupError::OtherLog { .. }), "{name}: {refused}");
    }
    // Somebody who knows the format changes an entry and makes every checksum and hash in the file fit again.
    let mut forged = log.clone();
    forged[4 + 16 + 32 + 112] ^= 1;
    let length = u32::from_be_bytes(forged[4 + 16 + 32 + 104..][..4].try_into().unwrap()) as usize;
    let leaf = Leaf::of(&forged[4 + 16 + 32..][..112 + length]);
    for (name, expected) in [("rehashed", false), ("summed", true)] {
        if !expected {
            forged[4 + 16..][..32].copy_from_slice(&leaf.0);
        } else {
            forged[4 + 16..][..32].copy_from_slice(&log[4 + 16..][..32]);
        }
        let crc = crc32c::crc32c(&forged[4..first - 4]).to_be_bytes();
        forged[first - 4..first].copy_from_slice(&crc);
        scene.change("good", name, |dir| fs::write(dir.join("log"), &forged).unwrap());
        let refused = scene.restore(name, (None, None)).unwrap_err();
        let found = matches!(refused, BackupError::Damaged(_));
        assert!(found == expected && (found || matches!(refused, BackupError::OtherLog { .. })), "{name}: {refused}");
    }
    let note = fs::read_to_string(scene.at("good").join("checkpoint")).unwrap();
    scene.change("good", "renumbered", |dir| {
        fs::write(dir.join("checkpoint"), note.replace("\n60\n", "\n59\n")).unwrap()
    });
    assert_eq!(scene.restore("renumbered", (None, None)).unwrap_err(), BackupError::NotSigned);
    scene.change("good", "unmarked", |dir| fs::remove_file(dir.join("BACKUP")).unwrap());
    assert_eq!(scene.restore("unmarked", (None, None)).unwrap_err(), BackupError::NotABackup(scene.at("unmarked")));
    let again = backup::write(&scene.journal, &scene.at("good")).unwrap_err();
    assert_eq!(again, BackupError::NotEmpty(scene.at("good")));
    scene.restore("good", (None, None)).unwrap();
}

#[test]
fn what_is_known_from_outside_has_to_fit() {
    let scene = Scene::new();
    let early = scene.journal.checkpoint().unwrap().note.to_string();
    append(&scene.journal, 500);
    scene.back_up("monday");
    append(&scene.journal, 501);
    let late = scene.journal.checkpoint().unwrap().note.to_string();
    let stranger = MemoryJournal::with_backend(MemoryBackend::new(), ring(), Options::default()).unwrap();
    let foreign = stranger.verifier_keys().remove(0);
    assert_eq!(scene.restore("monday", (Some(&foreign), None)).unwrap_err(), BackupError::NotThatKey);
    let of_stranger = stranger.checkpoint().unwrap().note.to_string();
    assert_eq!(scene.restore("monday", (None, Some(&of_stranger))).unwrap_err(), BackupError::NotSigned);
    let older = BackupError::Older { entries: 61, known: 62 };
    assert_eq!(scene.restore("monday", (None, Some(&late))).unwrap_err(), older);
    scene.restore("monday", (None, Some(&early))).unwrap();

    // Two histories under one key: a copy of the store went another way.
    let fork = scene.restore("monday", (None, None)).unwrap();
    append(&fork, 502);
    let other = fork.checkpoint().unwrap().note.to_string();
    append(&scene.journal, 503);
    scene.back_up("tuesday");
    let refused = scene.restore("tuesday", (None, Some(&other))).unwrap_err();
    assert_eq!(refused, BackupError::OtherHistory { known: 62 });
}

#[test]
fn keys_that_do_not_fit_are_named() {
    let scene = Scene::new();
    scene.back_up("monday");
    let kept = fs::read(scene.at("kept/keys")).unwrap();
    fs::write(scene.at("kept/keys"), &kept[..4 * 128]).unwrap();
    let refused = scene.restore("monday", (None, None)).unwrap_err();
    assert!(matches!(&refused, BackupError::KeysDoNotFit(what) if what.contains("has no slot")), "{refused}");
    fs::write(scene.at("kept/keys"), kept).unwrap();
    scene.journal.rotate_signing_key(UnixMillis(1)).unwrap();
    scene.back_up("tuesday");
    assert_eq!(scene.restore("monday", (None, None)).unwrap_err(), BackupError::SigningKeyChanged);
    let first = scene.journal.verifier_keys().remove(0);
    scene.restore("tuesday", (Some(&first), None)).unwrap();
}

#[test]
fn what_was_forgotten_after_the_backup_stays_forgotten_when_it_is_restored() {
    let scene = Scene::new();
    scene.back_up("before");
    let held = fs::File::open(scene.at("kept/keys")).unwrap();
    let stream = StreamId::from_bytes([1; 16]);
    let key_id = scene.journal.destroy_key(stream).unwrap().unwrap();
    backup::copy_keys(&scene.journal, &scene.at("kept")).unwrap();
    let mut left = Vec::new();
    std::io::Read::read_to_end(&mut &held, &mut left).unwrap();
    assert!(left.iter().all(|byte| *byte == 0) && !left.is_empty(), "the former copy of the keys is overwritten");

    let restored = scene.restore("before", (None, None)).unwrap();
    let gone = all_entries(&restored).into_iter().filter(|entry| entry.header.stream == stream);
    for entry in gone.filter(|entry| entry.header.is_sealed()) {
        let refused = restored.unseal(&entry.header, entry.body.as_stored());
        assert_eq!(refused, Err(KeyError::Destroyed(key_id)));
    }
    assert!(restored.read_at(Position(1)).is_ok() && restored.verify().is_ok());
    // Nothing in the backup is a key, wrapped or not.
    let (slots, _) = scene.journal.wrapped_keys().unwrap();
    for (number, slot) in (0..).zip(slots.as_chunks::<128>().0) {
        let Ok(Slot::Live { wrapped, .. }) = Slot::decode(number, slot) else { continue };
        for file in fs::read_dir(scene.at("before")).unwrap() {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            assert!(!bytes.windows(wrapped.len()).any(|window| window == wrapped));
        }
    }
}
