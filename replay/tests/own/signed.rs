//! What a store signs is believed by code that shares nothing with it, and a store that was written anew is found out.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use countersign_domain::ids::{Position, UnixMillis};
use countersign_domain::policy::Policy;
use countersign_proof::{Entry, ProofError, Receipt, Trust, VerifierKey};
use countersign_replay::own::explain::Which;
use countersign_replay::own::receipt::{growth, receipt};
use countersign_replay::own::verify::{Outside, Report, verify_against};
use countersign_store::{Journal, Rotated};

use crate::verify::play;
use crate::world::World;

const AT: UnixMillis = UnixMillis(1_700_000_000_000);

fn key(text: &str) -> VerifierKey {
    text.parse().unwrap()
}

fn held_against(dir: &Path, key: Option<&str>, checkpoints: &[&str]) -> Report {
    let checkpoints = checkpoints.iter().enumerate().map(|(at, text)| (format!("kept {at}"), (*text).to_owned()));
    let outside = Outside { key: key.map(self::key), checkpoints: checkpoints.collect() };
    verify_against(dir, None, &Policy::modern(), &outside).unwrap()
}

/// A store with a history, two changes of keys, and what somebody kept of it from outside at each point.
struct Kept {
    dir: tempfile::TempDir,
    keys: Vec<String>,
    notes: Vec<String>,
    rotations: Vec<Rotated>,
}

fn kept() -> Kept {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::at(dir.path(), Policy::classic());
    let (mut notes, mut rotations) = (Vec::new(), Vec::new());
    for round in 0..3 {
        play_on(&mut world, round);
        notes.push(world.journal.checkpoint().unwrap().note.to_string());
        if round < 2 {
            rotations.push(world.journal.rotate_signing_key(AT).unwrap());
        }
    }
    let keys = world.journal.verifier_keys();
    world.journal.close().unwrap();
    Kept { dir, keys, notes, rotations }
}

fn play_on(world: &mut World, round: u32) {
    for number in 0..3 {
        let name = format!("user-{round}-{number}");
        let who = world.user(&name, round * 10 + number);
        let phone = world.create(&format!("phone-{round}-{number}"));
        world.enable(&who, &phone, 0).unwrap();
    }
}

#[test]
fn every_entry_has_a_receipt_that_one_key_is_enough_for() {
    let Kept { dir, keys, rotations, .. } = kept();
    let mut trust = Trust::new(key(&keys[0]));
    let changes = rotations
        .iter()
        .map(|rotation| receipt(dir.path(), Which::At(rotation.position), None).unwrap().parse().unwrap());
    trust.follow_receipts(&changes.collect::<Vec<Receipt>>()).unwrap();
    assert_eq!(trust.current().to_string(), keys[2]);
    let journal = crate::world::sled(dir.path());
    for position in (0..journal.head().0).map(Position) {
        let text = receipt(dir.path(), Which::At(position), None).unwrap();
        assert_eq!(Some(&text), journal.receipt(position).unwrap().as_ref(), "with and without the engine");
        let receipt: Receipt = text.parse().unwrap();
        let bytes = receipt.extra().unwrap().to_vec();
        let checkpoint = trust.receipt(&receipt, &bytes).unwrap();
        assert_eq!((receipt.index(), checkpoint.size()), (position.0, journal.head().0));
        let (entry, stored) = (Entry::read(&bytes).unwrap(), journal.read_at(position).unwrap().unwrap());
        assert_eq!(entry.event_type, stored.header.event_type);
        assert_eq!((entry.time_ms, entry.version), (stored.header.time.0, stored.header.version.0));
        assert_eq!(
            (&entry.stream, &entry.command),
            (stored.header.stream.as_bytes(), stored.header.command.as_bytes())
        );
        assert_eq!((entry.body, entry.key_id.is_some()), (stored.body.as_stored(), stored.header.is_sealed()));
        let mut forged = bytes.clone();
        forged[87] ^= 1;
        assert_eq!(trust.receipt(&receipt, &forged), Err(ProofError::Mismatch));
        assert!(Trust::new(key(&keys[0])).receipt(&receipt, &bytes).is_err(), "the key was given up");
    }
    let last = Position(journal.head().0);
    assert!(receipt(dir.path(), Which::At(last), None).unwrap_err().is_usage());
}

#[test]
fn a_command_has_a_receipt_for_each_of_its_entries() {
    let Kept { dir, .. } = kept();
    let journal = crate::world::sled(dir.path());
    let entry = (0..journal.head().0).map(|at| journal.read_at(Position(at)).unwrap().unwrap());
    let entry = entry.into_iter().find(|entry| entry.header.parts > 1).unwrap();
    let which = Which::Command(entry.header.command);
    assert!(receipt(dir.path(), which, None).unwrap_err().is_usage());
    for part in 0..entry.header.parts {
        let receipt: Receipt = receipt(dir.path(), which, Some(part)).unwrap().parse().unwrap();
        assert_eq!(receipt.index(), entry.position.0 + u64::from(part));
    }
}

#[test]
fn a_retired_key_vouches_for_nothing_that_came_after_it() {
    let Kept { dir, keys, notes, rotations } = kept();
    let statement = |rotation: &Rotated| {
        let text = receipt(dir.path(), Which::At(rotation.position), None).unwrap();
        text.parse::<Receipt>().unwrap()
    };
    let mut trust = Trust::new(key(&keys[0]));
    assert!(trust.checkpoint(&notes[0]).is_ok());
    assert!(trust.checkpoint(&rotations[0].checkpoint.note).is_ok(), "the first one after is signed by both");
    assert_eq!(trust.checkpoint(&notes[1]), Err(ProofError::NoTrustedSignature));
    let [first, second] = [&rotations[0], &rotations[1]].map(statement);
    assert!(trust.follow_receipts(std::slice::from_ref(&second)).is_err(), "a change is not skipped");
    assert!(trust.follow_receipts(&[second.clone(), first.clone()]).is_err());
    // Its receipt is under the third key, which it does not lead to by itself.
    assert!(trust.follow_receipts(std::slice::from_ref(&first)).is_err());
    assert_eq!(trust.current().to_string(), keys[0], "nothing is passed on in vain");
    trust.follow_receipts(&[first, second]).unwrap();
    notes.iter().for_each(|note| assert!(trust.checkpoint(note).is_ok()));
    assert_eq!(trust.current().to_string(), keys[2]);
}

#[test]
fn growth_is_shown_from_any_checkpoint() {
    let Kept { dir, keys, notes, rotations } = kept();
    let journal = crate::world::sled(dir.path());
    let mut trust = Trust::new(key(&keys[0]));
    for rotation in &rotations {
        let entry: Receipt = receipt(dir.path(), Which::At(rotation.position), None).unwrap().parse().unwrap();
        trust.follow(&Entry::read(entry.extra().unwrap()).unwrap(), entry.index()).unwrap();
    }
    for note in &notes {
        let earlier = trust.checkpoint(note).unwrap();
        let text = growth(dir.path(), note).unwrap();
        assert_eq!(Some(text.clone()), journal.growth(earlier.size()).unwrap());
        assert_eq!(trust.growth(&earlier, &text).unwrap().size(), journal.head().0);
        assert!(trust.growth(&earlier, &text.replacen("old ", "old 1", 1)).is_err());
    }
    assert!(growth(dir.path(), "nonsense").unwrap_err().is_damage());
}

#[test]
fn a_store_is_held_against_what_was_kept_outside() {
    let Kept { dir, keys, notes, .. } = kept();
    let all: Vec<&str> = notes.iter().map(String::as_str).collect();
    for pinned in [None, Some(keys[0].as_str())] {
        let found = held_against(dir.path(), pinned, &all);
        assert!(found.holds, "{found}");
        let signed = found.signed.as_ref().unwrap();
        assert_eq!((signed.entries, signed.outside, signed.pinned), (found.entries, 3, pinned.is_some()));
        assert_eq!(signed.key, keys[2]);
    }
    // A key in the middle leads on from there; what came before it is not for it to say.
    assert!(held_against(dir.path(), Some(&keys[1]), &all[1..]).holds);
    assert!(held_against(dir.path(), Some(&keys[2]), &all[2..]).holds);
    assert!(!held_against(dir.path(), Some(&keys[2]), &all[..1]).holds);
}

#[test]
fn a_store_that_was_written_anew_is_found_by_what_was_kept_outside() {
    let (true_one, other) = (kept(), kept());
    let rest: Vec<&str> = true_one.notes.iter().map(String::as_str).collect();
    // By its own word the other one holds; by the key or an old note of the true one it does not.
    assert!(held_against(other.dir.path(), None, &[]).holds);
    let by_key = held_against(other.dir.path(), Some(&true_one.keys[0]), &[]);
    assert!(!by_key.holds && !by_key.is_intact(), "{by_key}");
    assert!(!held_against(other.dir.path(), None, &rest[..1]).holds);
    // The true key's own checkpoints beside entries that it never signed.
    for name in ["signers", "checkpoint"] {
        fs::copy(true_one.dir.path().join("store").join(name), other.dir.path().join("store").join(name)).unwrap();
    }
    let found = held_against(other.dir.path(), None, &[]);
    assert!(!found.is_intact(), "{found}");
}

#[test]
fn an_older_copy_of_the_whole_store_is_found_by_a_later_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::at(dir.path(), Policy::classic());
    play(&mut world, 2, 4);
    world.journal.close().unwrap();
    drop(world);
    let old = tempfile::tempdir().unwrap();
    copy(dir.path(), old.path());
    let journal = crate::world::sled(dir.path());
    let key = journal.verifier_keys().remove(0);
    journal.rotate_signing_key(AT).unwrap();
    let later = journal.checkpoint().unwrap().note;
    let before = held_against(old.path(), Some(&key), &[]);
    assert!(before.holds, "nothing in it says that it is old: {before}");
    let found = held_against(old.path(), Some(&key), &[&later]);
    assert!(!found.is_intact(), "{found}");
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

// ---- the command line ----

fn asked(arguments: &[&str], dir: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_countersign-replay")).args(arguments).current_dir(dir).output().unwrap()
}

fn written(dir: &Path, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn the_tool_writes_receipts_and_verifies_against_a_key_and_a_note() {
    let Kept { dir, keys, notes, .. } = kept();
    let work = tempfile::tempdir().unwrap();
    let store = dir.path().to_str().unwrap();
    let made = asked(&["receipt", "3", store], work.path());
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let receipt: Receipt = String::from_utf8(made.stdout).unwrap().parse().unwrap();
    assert_eq!(receipt.index(), 3);
    written(work.path(), "old.txt", &notes[0]);
    let grown = asked(&["growth", "old.txt", store], work.path());
    assert!(grown.status.success() && grown.stdout.starts_with(b"old "));
    let fine = asked(&["verify", store, "--key", &keys[0], "--checkpoint", "old.txt"], work.path());
    assert!(fine.status.success(), "{}", String::from_utf8_lossy(&fine.stdout));
    assert!(
        String::from_utf8_lossy(&fine.stdout).contains("by the key that was given; the checkpoint from outside agrees")
    );
    let other = kept();
    let foreign = asked(&["verify", store, "--key", &other.keys[0]], work.path());
    assert_eq!(foreign.status.code(), Some(4));
    assert_eq!(asked(&["receipt", "99999", store], work.path()).status.code(), Some(2));
}
