//! Keys of the ring come and go: nothing depends on an old one once it is replaced, and one that is missing closes what it
//! has wrapped and nothing else.

mod media;

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use countersign_domain::ids::{CommandId, StreamId, UnixMillis, Version};
use countersign_store::limits::REWRAPPED_MAX;
use countersign_store::{
    Append, AppendError, Backend, DataKey, FileKeyRing, Journal, KeyError, KeyRing, KeyUse, MemoryBackend,
    MemoryJournal, NewEntry, OpenError, Options, StreamAppend,
};
use tempfile::TempDir;

/// A medium, and a ring in a file.
struct Custody {
    dir: TempDir,
    backend: MemoryBackend,
    /// As who has the store open has it.
    ring: Mutex<Option<Arc<FileKeyRing>>>,
}

impl Custody {
    fn new() -> Self {
        let (dir, backend) = (TempDir::new().unwrap(), MemoryBackend::new());
        let custody = Self { dir, backend, ring: Mutex::default() };
        FileKeyRing::open_or_create(custody.path()).unwrap();
        custody
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("ring")
    }

    fn open(&self) -> Result<MemoryJournal, OpenError> {
        let ring = Arc::new(FileKeyRing::open(self.path()).unwrap());
        *self.ring.lock().unwrap() = Some(ring.clone());
        MemoryJournal::with_backend(self.backend.clone(), ring, Options::default())
    }

    fn refresh(&self) -> Result<(), KeyError> {
        self.ring.lock().unwrap().as_ref().unwrap().refresh()
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path()).unwrap()
    }

    fn set_text(&self, text: &str) {
        fs::write(self.path(), text).unwrap();
    }
}

fn stream(number: u8) -> StreamId {
    StreamId::from_bytes([number; 16])
}

fn append(journal: &dyn Journal, number: u8, expected: u64) -> Result<(), AppendError> {
    let body = vec![number; 20];
    let entry = NewEntry { event_type: 1, type_version: 1, time: UnixMillis(1), body, seal: true };
    let (stream, expected) = (stream(number), Version(expected));
    let streams = vec![StreamAppend { stream, expected, fresh_key: false, entries: vec![entry] }];
    let command = CommandId::from_bytes([number.wrapping_add((expected.0 as u8).wrapping_mul(100)); 16]);
    journal.append(Append { command, streams }).map(drop)
}

fn opened(journal: &dyn Journal, number: u8) -> Result<Vec<u8>, KeyError> {
    let entry = journal.read_stream(stream(number), Version::NONE, 1).unwrap().remove(0);
    journal.unseal(&entry.header, entry.body.as_stored())
}

fn rewrap(journal: &dyn Journal) -> u64 {
    let (mut next, mut done) = (Some(0), 0);
    while let Some(from) = next {
        let step = journal.rewrap_keys(from).unwrap();
        assert!(step.done <= REWRAPPED_MAX + 2, "a step is bounded");
        (next, done) = (step.next, done + step.done);
    }
    done
}

#[test]
fn after_a_rotation_the_old_ring_key_can_be_destroyed() {
    let custody = Custody::new();
    let stolen = custody.text();
    let journal = custody.open().unwrap();
    for number in 1..=40 {
        append(&journal, number, 0).unwrap();
    }
    let derived = ["commands", "host/sessions"].map(|label| journal.derive_key(label).unwrap());
    let keys = journal.verifier_keys();
    assert_eq!(FileKeyRing::add_key(custody.path()), Ok(2));
    custody.refresh().unwrap();
    append(&journal, 41, 0).unwrap();
    assert_eq!(rewrap(&journal), 40 + 2 + 1, "streams, the store's own two, the signing key");
    assert!(journal.key_use(1).unwrap().is_nothing());
    FileKeyRing::retire_key(custody.path(), 1).unwrap();
    assert!(!custody.text().contains(stolen.lines().nth(1).unwrap()));

    let journal = custody.open().unwrap();
    for number in 1..=41 {
        assert_eq!(opened(&journal, number), Ok(vec![number; 20]));
    }
    append(&journal, 1, 1).unwrap();
    append(&journal, 42, 0).unwrap();
    assert_eq!(["commands", "host/sessions"].map(|label| journal.derive_key(label).unwrap()), derived);
    assert_eq!(journal.verifier_keys(), keys);
    journal.checkpoint().unwrap();
    drop(journal);
    custody.set_text(&stolen);
    assert_eq!(custody.open().unwrap_err(), OpenError::Key(KeyError::NoRingKey(2)), "it opens nothing any more");
}

#[test]
fn what_a_ring_key_has_wrapped_is_named_part_by_part() {
    let custody = Custody::new();
    let journal = custody.open().unwrap();
    append(&journal, 1, 0).unwrap();
    append(&journal, 2, 0).unwrap();
    let all = KeyUse { derived: true, root: true, streams: 2, first: Some(3), signing: 1, copy: false };
    assert_eq!(journal.key_use(1), Ok(all));
    assert_eq!(
        all.to_string(),
        "the key of derived data, the root, 2 keys of streams (the first in slot 3), 1 keys that the log is signed with"
    );
    assert_eq!(journal.key_use(2), Ok(KeyUse::default()));
    let old: Vec<_> = (0..5).map(|number| custody.backend.slot(number).unwrap().unwrap()).collect();
    FileKeyRing::add_key(custody.path()).unwrap();
    custody.refresh().unwrap();
    rewrap(&journal);
    // Any one thing that is left keeps the key.
    for (number, left) in [
        (0, KeyUse { derived: true, ..KeyUse::default() }),
        (2, KeyUse { root: true, ..KeyUse::default() }),
        (4, KeyUse { streams: 1, first: Some(4), ..KeyUse::default() }),
    ] {
        let now = custody.backend.slot(number).unwrap().unwrap();
        custody.backend.put_slots(number, &[old[number as usize]]).unwrap();
        assert_eq!(journal.key_use(1), Ok(left));
        custody.backend.put_slots(number, &[now]).unwrap();
    }
    custody.backend.put_slots(1, &[old[4]]).unwrap();
    assert_eq!(journal.key_use(1), Ok(KeyUse { copy: true, ..KeyUse::default() }));
    custody.backend.put_slots(1, &[[0; 128]]).unwrap();
    journal.destroy_key(stream(1)).unwrap();
    assert_eq!(journal.key_use(2).unwrap().streams, 1, "what is destroyed is wrapped by nothing");
}

#[test]
fn a_missing_ring_key_closes_what_it_has_wrapped_and_nothing_else() {
    let custody = Custody::new();
    let journal = custody.open().unwrap();
    append(&journal, 1, 0).unwrap();
    let of_first = custody.backend.slot(3).unwrap().unwrap();
    FileKeyRing::add_key(custody.path()).unwrap();
    FileKeyRing::add_key(custody.path()).unwrap();
    custody.refresh().unwrap();
    append(&journal, 2, 0).unwrap();
    rewrap(&journal);
    drop(journal);
    custody.backend.put_slots(3, &[of_first]).unwrap();
    let whole = custody.text();
    let without = |text: &str, number: &str| -> String {
        let kept = text.lines().filter(|line| !line.starts_with(number));
        kept.map(|line| format!("{line}\n")).collect()
    };
    let other = format!("{}1 {}\n", without(&whole, "1 "), "5a".repeat(32));
    for (ring, refused) in [(without(&whole, "1 "), KeyError::NoRingKey(1)), (other, KeyError::WrongRingKey(3))] {
        custody.set_text(&ring);
        let journal = custody.open().unwrap();
        assert_eq!(opened(&journal, 1), Err(refused.clone()));
        assert_eq!(opened(&journal, 2), Ok(vec![2; 20]));
        assert_eq!(append(&journal, 1, 1), Err(AppendError::Key(refused.clone())));
        append(&journal, 2, journal.stream_head(stream(2)).unwrap().unwrap().version.0).unwrap();
        rewrap(&journal);
        assert_eq!(opened(&journal, 1), Err(refused), "it is not thrown away either");
        assert!(journal.verify().is_ok() && !journal.key_use(1).unwrap().is_nothing());
    }
    // A key in the middle that wraps nothing is not missed.
    custody.set_text(&without(&whole, "2 "));
    assert_eq!(opened(&custody.open().unwrap(), 1), Ok(vec![1; 20]));
    // The one that the store's own keys are wrapped by is.
    custody.set_text(&without(&whole, "3 "));
    assert_eq!(custody.open().unwrap_err(), OpenError::Key(KeyError::NoRingKey(3)));
}

#[test]
fn a_ring_that_lost_a_key_is_not_taken_up_by_who_is_running() {
    let custody = Custody::new();
    FileKeyRing::add_key(custody.path()).unwrap();
    let journal = custody.open().unwrap();
    append(&journal, 1, 0).unwrap();
    let whole = custody.text();
    let first = whole.lines().nth(1).unwrap();
    for bad in [
        whole.replace(&format!("{first}\n"), ""),
        whole.replace(first, &format!("1 {}", "5a".repeat(32))),
        String::new(),
        "countersign key ring 1\n".to_owned(),
    ] {
        custody.set_text(&bad);
        assert!(matches!(custody.refresh(), Err(KeyError::Ring(_))), "{bad}");
        append(&journal, 2, journal.stream_head(stream(2)).unwrap().map_or(0, |head| head.version.0)).unwrap();
        assert_eq!(opened(&journal, 1), Ok(vec![1; 20]));
    }
    custody.set_text(&whole);
    custody.refresh().unwrap();
}

#[test]
fn only_a_key_that_wraps_nothing_more_leaves_the_ring_and_its_bytes_leave_the_file() {
    let custody = Custody::new();
    let refused = |number| FileKeyRing::retire_key(custody.path(), number).unwrap_err().to_string();
    assert!(refused(1).contains("the one that wraps"));
    FileKeyRing::add_key(custody.path()).unwrap();
    assert!(refused(3).contains("no key 3") && refused(2).contains("the one that wraps"));
    let whole = custody.text();
    let ring = FileKeyRing::open(custody.path()).unwrap();
    let mut held = fs::File::open(custody.path()).unwrap();
    FileKeyRing::retire_key(custody.path(), 1).unwrap();
    assert_eq!(custody.text().lines().nth(1), whole.lines().nth(2));
    let mut left = Vec::new();
    std::io::Read::read_to_end(&mut held, &mut left).unwrap();
    assert!(left.iter().all(|byte| *byte == 0), "the file that it was in is overwritten");
    let key = DataKey::from_bytes([7; 32]);
    assert!(ring.refresh().is_err(), "who runs with it goes on");
    assert!(ring.unwrap(&ring.wrap(&key, b"c").unwrap(), b"c").is_ok());
    assert_eq!(fs::read_dir(custody.dir.path()).unwrap().count(), 1);
}
