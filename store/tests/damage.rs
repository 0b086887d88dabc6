//! Damage is found: when the store is opened, or when it is verified, and never read as if it were right.

mod media;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign_domain::ids::Position;
use countersign_store::contract::{Medium, all_entries, append, clear, on, sealed};
use countersign_store::keys::Slot;
use countersign_store::{
    Backend, EphemeralKeyRing, Journal, KeyError, MemoryBackend, MemoryJournal, OpenError, Options, ReadError,
    Recorded, SledJournal, StoreOptions,
};
use media::{InMemory, OnDisk, ring};
use tempfile::TempDir;

fn fill(journal: &impl Journal, appends: u64) {
    for group in 0..3 {
        let asked = (0..appends).map(|number| {
            let entries = vec![clear(&[number as u8; 9]), sealed(b"sealed")];
            append(
                group * appends + number,
                vec![on(number, group * 2, entries), on(99, group * appends + number, vec![clear(b"x")])],
            )
        });
        assert!(journal.append_group(asked.collect()).iter().all(Result::is_ok));
    }
    journal.close().unwrap();
}

/// Whether a memory store with this content is known to be damaged.
fn is_found(backend: &MemoryBackend) -> bool {
    match MemoryJournal::with_backend(backend.clone(), ring(), Options::default()) {
        Err(_) => true,
        Ok(journal) => journal.verify().is_err(),
    }
}

fn refresh_crc(bytes: &mut [u8]) {
    let end = bytes.len() - 4;
    let crc = crc32c::crc32c(&bytes[..end]);
    bytes[end..].copy_from_slice(&crc.to_be_bytes());
}

#[test]
fn every_flipped_bit_of_every_chunk_is_found() {
    let medium = InMemory::fresh();
    fill(&medium.open(), 2);
    let chunks = medium.backend.chunks();
    assert_eq!(chunks.len(), 3);
    for (first, bytes) in &chunks {
        for bit in 0..bytes.len() * 8 {
            let fork = medium.backend.fork();
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            fork.set_chunk(*first, Some(bad.clone()));
            assert!(is_found(&fork), "chunk {first}, bit {bit}");
            // Whoever changes a chunk on purpose makes its checksum right as well.
            if bit < (bytes.len() - 4) * 8 {
                refresh_crc(&mut bad);
                fork.set_chunk(*first, Some(bad));
                assert!(is_found(&fork), "chunk {first}, bit {bit}, with a fresh checksum");
            }
        }
    }
}

/// An entry that cannot be read is named itself, and not the chunk that it is in.
#[test]
fn what_cannot_be_read_is_found_at_its_own_position() {
    let medium = InMemory::fresh();
    fill(&medium.open(), 2);
    let journal = medium.open();
    let (first, bytes) = medium.backend.chunks().pop().unwrap();
    let mut behind = 0;
    for at in 0..bytes.len() - 4 {
        let mut bad = bytes.clone();
        bad[at] ^= 0x80;
        refresh_crc(&mut bad);
        medium.backend.set_chunk(first, Some(bad));
        for problem in journal.verify().unwrap_err() {
            let says = problem.what.strip_prefix("the log is corrupt at position ");
            let Some((position, _)) = says.and_then(|rest| rest.split_once(':')) else { continue };
            assert_eq!(problem.position.to_string(), position);
            behind += u32::from(problem.position > first);
        }
    }
    assert!(behind > 0);
}

#[test]
fn missing_moved_and_cut_chunks_are_found() {
    let medium = InMemory::fresh();
    fill(&medium.open(), 2);
    let chunks = medium.backend.chunks();
    for (at, (first, bytes)) in chunks.iter().enumerate() {
        let fork = medium.backend.fork();
        fork.set_chunk(*first, None);
        assert!(is_found(&fork), "chunk {first} is gone");
        for length in 0..bytes.len() {
            fork.set_chunk(*first, Some(bytes[..length].to_vec()));
            assert!(is_found(&fork), "chunk {first} is cut to {length}");
        }
        let (_, other) = &chunks[(at + 1) % chunks.len()];
        fork.set_chunk(*first, Some(other.clone()));
        assert!(is_found(&fork), "chunk {first} holds another");
        let fork = medium.backend.fork();
        fork.set_chunk(Position(first.0 + 1), Some(bytes.clone()));
        assert!(is_found(&fork), "chunk {first} is there twice");
    }
}

/// Who changes an entry can make its leaf and the checksum right, but not the entry after it.
#[test]
fn a_rewritten_entry_breaks_the_chain_of_its_stream() {
    let medium = InMemory::fresh();
    fill(&medium.open(), 2);
    let (first, good) = medium.backend.chunks().swap_remove(0);
    let body = 16 + 32 + 112;
    assert_eq!(good[body..body + 9], [0; 9]);
    let mut bad = good.clone();
    bad[body] ^= 1;
    refresh_crc(&mut bad);
    medium.backend.set_chunk(first, Some(bad.clone()));
    let journal = medium.open();
    let corrupt =
        |position| ReadError::Corrupt { position: Position(position), what: "the entry does not have its leaf" };
    assert_eq!(journal.read_at(Position(0)), Err(corrupt(0)));
    let stream = countersign_store::contract::stream(0);
    assert_eq!(journal.read_stream(stream, countersign_domain::ids::Version::NONE, 9), Err(corrupt(0)));
    drop(journal);
    let leaf = countersign_store::Leaf::of(&bad[16 + 32..body + 9]);
    bad[16..16 + 32].copy_from_slice(&leaf.0);
    refresh_crc(&mut bad);
    medium.backend.set_chunk(first, Some(bad));
    let journal = medium.open();
    assert!(journal.read_at(Position(0)).is_ok(), "the entry alone is sound");
    assert!(journal.read_stream(stream, countersign_domain::ids::Version::NONE, 9).is_err());
    assert_eq!(journal.verify().unwrap_err()[0].position, Position(1));
}

#[test]
fn derived_data_of_another_history_is_not_used() {
    let [one, other] = [b"one", b"two"].map(|body| {
        let medium = InMemory::fresh();
        let journal = medium.open();
        let number = u64::from(body[0]);
        journal.append(append(1, vec![on(number, 0, vec![clear(body), clear(body)])])).unwrap();
        journal.save_checkpoint("status", Position(2), 5, vec![body.to_vec()]).unwrap();
        journal.close().unwrap();
        medium
    });
    for table in countersign_store::Table::ALL {
        let rows = one.backend.rows(table).into_iter().map(|(key, value)| (key, Some(value)));
        other.backend.put(table, rows.collect()).unwrap();
    }
    let journal = other.open();
    assert_eq!(journal.load_checkpoint("status"), Ok(None));
    journal.verify().unwrap();
    let head = |number: u8| journal.stream_head(countersign_store::contract::stream(u64::from(number))).unwrap();
    assert!(head(b't').is_some() && head(b'o').is_none());
}

#[test]
fn a_store_can_be_opened_again_at_once() {
    let medium = OnDisk::fresh();
    for number in 0..40 {
        let journal = medium.open();
        journal.append(append(number, vec![on(1, number, vec![clear(b"a")])])).unwrap();
    }
}

#[test]
fn a_newer_envelope_is_named_with_its_place() {
    let medium = InMemory::fresh();
    fill(&medium.open(), 2);
    let (first, mut bytes) = medium.backend.chunks().swap_remove(1);
    bytes[16 + 32 + 2] = 9;
    refresh_crc(&mut bytes);
    medium.backend.set_chunk(first, Some(bytes));
    let unknown = ReadError::UnknownEnvelope { position: first, version: 9 };
    let open = |read_only| {
        let options = Options { read_only, ..Options::default() };
        MemoryJournal::with_backend(medium.backend.clone(), ring(), options)
    };
    assert_eq!(open(false).unwrap_err(), OpenError::Read(unknown.clone()), "nothing is written behind it");
    let journal = open(true).unwrap();
    let scanned = journal.scan(Position(0), &mut |_| std::ops::ControlFlow::Continue(()));
    assert_eq!(scanned, Err(unknown.clone()));
    assert_eq!(journal.read_at(first), Err(unknown));
    assert_eq!(journal.verify().unwrap_err()[0].position, first);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A closed store on disk, its content, and room for damaged copies.
struct Original {
    medium: OnDisk,
    content: Vec<Recorded>,
}

impl Original {
    fn new(appends: u64) -> Self {
        let medium = OnDisk::fresh();
        fill(&medium.open(), appends);
        let content = all_entries(&medium.open());
        Self { medium, content }
    }

    fn copy(&self, name: &str) -> PathBuf {
        let to = self.medium.dir.path().join(name);
        copy(&self.medium.path(), &to);
        to
    }

    /// Opens a damaged copy: it has to fail, or to show exactly what was written.
    fn is_found_or_harmless(&self, copy: &Path) -> bool {
        match SledJournal::open(copy, ring(), StoreOptions::default()) {
            Err(_) => true,
            Ok(journal) => match journal.verify() {
                Err(_) => true,
                Ok(verified) => verified.entries == self.content.len() as u64 && all_entries(&journal) == self.content,
            },
        }
    }
}

fn open(path: &Path) -> Result<SledJournal, OpenError> {
    SledJournal::open(path, ring(), StoreOptions::default())
}

#[test]
fn a_flipped_bit_of_the_file_is_never_read_as_right() {
    let original = Original::new(40);
    let length = fs::metadata(original.medium.path().join("log/db")).unwrap().len();
    let mut found = 0;
    for number in 0..24 {
        let copy = original.copy(&format!("flip-{number}"));
        let file = copy.join("log/db");
        let mut bytes = fs::read(&file).unwrap();
        let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() as u64;
        let at = (used * number / 24 + number * 13) % length;
        bytes[at as usize] ^= 1 << (number % 8);
        fs::write(&file, bytes).unwrap();
        assert!(original.is_found_or_harmless(&copy), "byte {at}");
        found += u32::from(open(&copy).map_or(true, |journal| journal.verify().is_err()));
        fs::remove_dir_all(copy).unwrap();
    }
    assert!(found > 0, "no flip hit anything");
}

#[test]
fn a_truncated_file_is_never_read_as_right() {
    let original = Original::new(40);
    let bytes = fs::read(original.medium.path().join("log/db")).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    for number in 0..8 {
        let copy = original.copy(&format!("cut-{number}"));
        let file = fs::OpenOptions::new().write(true).open(copy.join("log/db")).unwrap();
        file.set_len((used * number / 8) as u64).unwrap();
        drop(file);
        assert!(original.is_found_or_harmless(&copy), "cut to {number} eighths");
        assert!(open(&copy).is_err(), "cut to {number} eighths");
        fs::remove_dir_all(copy).unwrap();
    }
}

#[test]
fn an_emptied_log_is_not_taken_for_a_new_one() {
    let original = Original::new(2);
    let acked = original.content.len() as u64;
    let copy = original.copy("emptied");
    fs::remove_dir_all(copy.join("log")).unwrap();
    assert_eq!(open(&copy).unwrap_err(), OpenError::LogShorterThanAcked { found: 0, acked });
    // Nor after a try.
    assert_eq!(open(&copy).unwrap_err(), OpenError::LogShorterThanAcked { found: 0, acked });
    let copy = original.copy("bad-mark");
    fs::write(copy.join("high-water"), [7; 16]).unwrap();
    assert!(matches!(open(&copy), Err(OpenError::Unavailable(_))));
}

#[test]
fn the_wrong_ring_and_lost_keys_are_refused() {
    let original = Original::new(2);
    let copy = original.copy("keys");
    let wrong = Arc::new(EphemeralKeyRing::new().unwrap());
    let refused = SledJournal::open(&copy, wrong, StoreOptions::default()).unwrap_err();
    assert_eq!(refused, OpenError::Key(KeyError::WrongRing));
    let keys = fs::read(copy.join("keys")).unwrap();
    fs::write(copy.join("keys"), &keys[..384 + 60]).unwrap();
    let problems = open(&copy).unwrap().verify().unwrap_err();
    assert!(problems.iter().any(|problem| problem.what.contains("key 3 has no slot")), "{problems:?}");
    let mut flipped = keys.clone();
    flipped[384 + 40] ^= 1;
    fs::write(copy.join("keys"), &flipped).unwrap();
    let journal = open(&copy).unwrap();
    let sealed = original.content.iter().find(|one| one.header.key_id == 3).unwrap();
    assert_eq!(journal.unseal(&sealed.header, sealed.body.as_stored()), Err(KeyError::Corrupt(3)));
    drop(journal);
    // Without the root, keys for other purposes would be other ones: nothing is made in its place.
    fs::write(copy.join("keys"), &keys[..256]).unwrap();
    assert_eq!(open(&copy).unwrap_err(), OpenError::Key(KeyError::Missing(2)));
    flipped[256 + 40] ^= 1;
    fs::write(copy.join("keys"), flipped).unwrap();
    assert_eq!(open(&copy).unwrap_err(), OpenError::Key(KeyError::Corrupt(2)));
    fs::remove_file(copy.join("keys")).unwrap();
    assert_eq!(open(&copy).unwrap_err(), OpenError::Key(KeyError::Missing(0)));
}

/// A store of the former shape had the key of a stream where the root is now.
#[test]
fn a_store_of_the_former_format_is_named_and_not_touched() {
    let original = Original::new(2);
    let copy = original.copy("former");
    let keys = fs::read(copy.join("keys")).unwrap();
    fs::write(copy.join("FORMAT"), "countersign store 1\n").unwrap();
    let refused = open(&copy).unwrap_err();
    assert!(matches!(&refused, OpenError::UnknownFormat { found, .. } if found == "countersign store 1"), "{refused}");
    // Whoever changes the name of the format gains nothing by it.
    fs::write(copy.join("FORMAT"), "countersign store 2\n").unwrap();
    let of_stream = Slot::decode(3, keys[384..512].try_into().unwrap()).unwrap().encode(2).unwrap();
    fs::write(copy.join("keys"), [&keys[..256], &of_stream, &keys[384..]].concat()).unwrap();
    assert_eq!(open(&copy).unwrap_err(), OpenError::Key(KeyError::Corrupt(2)));
    fs::write(copy.join("keys"), keys).unwrap();
    open(&copy).unwrap();
}

#[test]
fn a_second_opener_is_refused() {
    let medium = OnDisk::fresh();
    let journal = medium.open();
    let refused = open(&medium.path()).unwrap_err();
    assert_eq!(refused, OpenError::InUse(medium.path()));
    drop(journal);
    open(&medium.path()).unwrap();
}

#[test]
fn what_is_not_a_known_store_is_left_alone() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("store");
    fs::create_dir(&path).unwrap();
    fs::write(path.join("letter.txt"), "mine").unwrap();
    assert_eq!(open(&path).unwrap_err(), OpenError::NotAStore(path.clone()));
    assert_eq!(fs::read_dir(&path).unwrap().count(), 1, "nothing was written");
    fs::write(path.join("FORMAT"), "countersign store 7\n").unwrap();
    let refused = open(&path).unwrap_err();
    assert_eq!(refused, OpenError::UnknownFormat { dir: path.clone(), found: "countersign store 7".to_owned() });
    assert!(refused.to_string().contains("open it with the release that wrote it"), "{refused}");
    assert_eq!(fs::read_dir(&path).unwrap().count(), 2, "nothing was written");
    let none = dir.path().join("none");
    let read_only = StoreOptions { read_only: true, ..StoreOptions::default() };
    assert!(SledJournal::open(&none, ring(), read_only).is_err());
    assert!(!none.exists());
}

#[test]
fn an_interrupted_creation_is_finished() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("store");
    fs::create_dir(&path).unwrap();
    fs::write(path.join("LOCK"), "").unwrap();
    fs::write(path.join("FORMAT.tmp"), "countersi").unwrap();
    drop(open(&path).unwrap());
    fs::remove_dir_all(path.join("log")).unwrap();
    fs::remove_file(path.join("keys")).unwrap();
    fs::remove_file(path.join("high-water")).unwrap();
    fill(&open(&path).unwrap(), 2);
}

#[test]
fn a_store_opened_for_reading_takes_nothing() {
    let original = Original::new(2);
    let read_only = StoreOptions { read_only: true, ..StoreOptions::default() };
    let journal = SledJournal::open(&original.medium.path(), ring(), read_only).unwrap();
    assert_eq!(all_entries(&journal), original.content);
    assert!(journal.append(append(7_000, vec![on(1, 6, vec![clear(b"a")])])).is_err());
    assert!(journal.save_checkpoint("status", Position(0), 0, vec![]).is_err());
    assert!(journal.forget_derived().is_err() && journal.drop_snapshots().is_err());
    journal.checkpoint_index().unwrap();
    journal.close().unwrap();
    journal.verify().unwrap();
}

/// The engine never syncs the files that it puts large values into, so there may be none.
#[test]
fn large_values_stay_in_the_file_that_is_synced() {
    let medium = OnDisk::fresh();
    let journal = medium.open();
    let entry = clear(&vec![7; 24 * 1024 - 144]);
    for number in 0..100 {
        journal.append(append(number, vec![on(1, number, vec![entry.clone()])])).unwrap();
        if number % 30 == 0 {
            journal.save_checkpoint("large", journal.head(), 0, vec![vec![1; 60_000]; 30]).unwrap();
        }
    }
    journal.close().unwrap();
    drop(journal);
    assert_eq!(fs::read_dir(medium.path().join("log/blobs")).unwrap().count(), 0);
    medium.open().verify().unwrap();
}

#[cfg(unix)]
#[test]
fn a_store_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let medium = OnDisk::fresh();
    drop(medium.open());
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(medium.path()), 0o700);
    for name in ["FORMAT", "LOCK", "keys", "high-water"] {
        assert_eq!(mode(medium.path().join(name)), 0o600, "{name}");
    }
}
