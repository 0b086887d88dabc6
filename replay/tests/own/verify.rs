//! `verify` holds a store against what was written, finds what was changed, and raises no false alarm.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use countersign_domain::caller::Caller;
use countersign_domain::device::seed_stream;
use countersign_domain::event::{ForgetReason, Forgotten, PrincipalForgotten, Purpose};
use countersign_domain::ids::{Position, Version};
use countersign_domain::policy::Policy;
use countersign_replay::own::verify::{Problem, Report, verify};
use countersign_replay::own::{Entries, OwnStore};
use countersign_store::Journal;
use proptest::prelude::*;

use crate::medium::files;
use crate::world::{World, cases};

/// People with phones who sign in, mistype, drift, resync and change phones.
pub fn play(world: &mut World, people: u32, rounds: i64) {
    let all: Vec<_> = (0..people)
        .map(|number| {
            let who = world.user(&format!("user-{number}"), number);
            let phone = world.create(&format!("phone-{number}"));
            world.enable(&who, &phone, i64::from(number % 3)).unwrap();
            (who, phone)
        })
        .collect();
    for round in 0..rounds {
        world.wait_s(200);
        for (number, (who, phone)) in all.iter().enumerate() {
            let ahead = number as i64 % 3;
            match (round + number as i64) % 7 {
                0 => drop(world.verify(who, phone, None, Purpose::SignIn)),
                1 => drop(world.verify(who, phone, Some(ahead + 9), Purpose::SessionToken)),
                2 => drop(world.resync(who, phone, ahead)),
                3 => {
                    world.deactivate(who, phone).unwrap();
                    world.enable(who, phone, ahead).unwrap();
                }
                _ => drop(world.sign_in(who, Some((phone, ahead)))),
            }
        }
    }
}

fn report(dir: &Path) -> Report {
    verify(dir, None, &Policy::modern()).unwrap()
}

#[test]
fn a_whole_store_holds_open_closed_and_killed() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::at(dir.path(), Policy::classic());
    play(&mut world, 8, 30);
    let open = report(dir.path());
    assert!(open.holds, "{open}");
    assert_eq!(open.entries, world.journal.head().0);
    let journal = Arc::clone(&world.journal);
    drop(world);
    journal.close().unwrap();
    drop(journal);
    let closed = report(dir.path());
    assert!(closed.holds && closed.entries == open.entries, "{closed}");
}

#[test]
fn a_store_raises_no_alarm_while_it_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::at(dir.path(), Policy::classic());
    let done = AtomicBool::new(false);
    let checks = std::thread::scope(|scope| {
        scope.spawn(|| {
            play(&mut world, 12, 120);
            done.store(true, Ordering::SeqCst);
        });
        let mut checks = 0;
        while !done.load(Ordering::SeqCst) {
            let found = report(dir.path());
            assert!(found.holds, "{found}");
            checks += 1;
        }
        checks
    });
    eprintln!("{checks} checks");
    assert!(checks > 3, "{checks}");
}

#[test]
fn what_was_sealed_under_a_destroyed_key_does_not_end_the_judging() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::at(dir.path(), Policy::classic());
    play(&mut world, 6, 20);
    let (gone, phone) = (world.user("gone", 100), world.create("gone"));
    world.enable(&gone, &phone, 0).unwrap();
    world.wait_s(90);
    world.sign_in(&gone, Some((&phone, 0))).unwrap();
    let streams = [gone.stream(), phone.stream()];
    let keys = streams.map(|stream| Forgotten { stream, version: Version(1) }).to_vec();
    let (by, reason) = (Caller::operator().by(), ForgetReason::Requested);
    world.forge(gone.stream(), &PrincipalForgotten { by, reason, keys }.into());
    for stream in streams {
        assert!(world.journal.destroy_key(stream).unwrap().is_some());
    }
    world.wait_s(90);
    world.verify(&gone, &phone, Some(0), Purpose::SignIn).unwrap();
    play_on(&mut world);
    let found = report(dir.path());
    assert!(found.holds, "{found}");
    assert_eq!((found.keys_destroyed, found.streams_not_judged_wholly), (2, 2), "{found}");
    assert!(found.unread.key_destroyed >= 4 && found.unread.no_key == 0, "{found}");
    assert_eq!(found.laws_until, None);

    // Without the ring nothing sealed is looked into, and what is in the clear is judged all the same.
    world.journal.close().unwrap();
    std::fs::rename(dir.path().join("keyring"), dir.path().join("elsewhere")).unwrap();
    let closed = report(dir.path());
    assert!(closed.holds && closed.unread.no_key > 20, "{closed}");
}

fn play_on(world: &mut World) {
    let late = world.user("late", 200);
    let phone = world.create("late");
    world.enable(&late, &phone, 0).unwrap();
    world.wait_s(60);
    world.sign_in(&late, Some((&phone, 0))).unwrap();
}

#[test]
fn a_key_that_was_destroyed_without_a_word_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::at(dir.path(), Policy::classic());
    play(&mut world, 4, 8);
    let lee = world.user("lee", 100);
    let registered = world.journal.stream_head(lee.stream()).unwrap().unwrap().position.0;
    assert!(report(dir.path()).holds);
    let key = world.journal.destroy_key(lee.stream()).unwrap().unwrap();
    let found = report(dir.path());
    let what = format!("key {key} was destroyed, and nothing in the log says that it should be");
    assert_eq!(found.problems, [Problem { position: Some(registered), byte: None, what }], "{found}");
    assert!(!found.holds && found.violations.is_empty(), "{found}");
}

#[test]
fn a_key_that_lives_on_behind_its_tombstone_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::at(dir.path(), Policy::classic());
    play(&mut world, 4, 8);
    let phone = world.create("late");
    let seed = seed_stream(phone.stream(), 1);
    let keys = dir.path().join("store/keys");
    let before = std::fs::read(&keys).unwrap();
    world.delete(&phone).unwrap();
    assert!(report(dir.path()).holds);
    // As an old copy of the file would have it.
    std::fs::write(&keys, before).unwrap();
    let found = report(dir.path());
    let [problem] = found.problems.as_slice() else { panic!("{found}") };
    assert!(problem.what.contains("is there, though position"), "{found}");
    let stored = world.journal.stream_head(seed).unwrap().unwrap().position.0;
    assert_eq!(problem.position, Some(stored));
}

#[test]
fn another_ring_is_told_from_damage() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::at(dir.path(), Policy::classic());
    play(&mut world, 2, 5);
    let elsewhere = tempfile::tempdir().unwrap();
    World::at(elsewhere.path(), Policy::classic()).journal.close().unwrap();
    let found = verify(dir.path(), Some(&elsewhere.path().join("keyring")), &Policy::modern()).unwrap();
    assert!(!found.holds && found.is_intact() && found.keys_unreadable.is_some(), "{found}");
}

/// The leaf and the body of each entry.
type Content = Vec<([u8; 32], Vec<u8>)>;
type Written = (tempfile::TempDir, Content);

/// Everything that can be read of a store, or that it cannot be.
fn content(dir: &Path) -> Option<Content> {
    let store = OwnStore::open(dir, None).ok()?;
    let mut all = Vec::new();
    store
        .scan(Position(0), &mut |entry| {
            let body = store.unseal(&entry.header, entry.body).unwrap_or_default();
            all.push((entry.leaf.0, body));
            ControlFlow::Continue(())
        })
        .ok()?;
    Some(all)
}

/// A closed store, with what it says.
fn written() -> Written {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::at(dir.path(), Policy::classic());
    play(&mut world, 6, 25);
    world.journal.close().unwrap();
    drop(world);
    let content = content(dir.path()).unwrap();
    (dir, content)
}

fn flip(whole: &std::collections::BTreeMap<std::path::PathBuf, Vec<u8>>, file: &Path, bit: usize) {
    let mut bytes = whole[file].clone();
    bytes[bit / 8] ^= 1 << (bit % 8);
    std::fs::write(file, bytes).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(50, u32::MAX), failure_persistence: None, ..ProptestConfig::default() })]

    /// In each file of a store as likely, and where there is something.
    #[test]
    fn a_flipped_bit_anywhere_is_found_or_is_of_nothing(seeds in prop::collection::vec(any::<(u16, u32)>(), 1..2)) {
        static WRITTEN: std::sync::OnceLock<Written> = std::sync::OnceLock::new();
        static LOCK: std::sync::Mutex<()> = std::sync::Mutex::new(());
        let _one_at_a_time = LOCK.lock();
        let (dir, before) = WRITTEN.get_or_init(written);
        let whole = files(&dir.path().join("store"));
        let names: Vec<_> = whole.iter().filter(|(_, bytes)| !bytes.is_empty()).map(|(path, _)| path.clone()).collect();
        for (file, place) in seeds {
            // Half of all in the log's own file.
            let log = dir.path().join("store/log/db");
            let file = if file % 2 == 0 { &log } else { &names[usize::from(file / 2) % names.len()] };
            let bytes = &whole[file];
            let used = bytes.iter().rposition(|byte| *byte != 0).map_or(1, |last| last + 1);
            let bit = place as usize % (used * 8);
            flip(&whole, file, bit);
            let found = verify(dir.path(), None, &Policy::modern());
            let same = content(dir.path());
            std::fs::write(file, &whole[file]).unwrap();
            let is_found = found.as_ref().map_or(true, |report| !report.holds);
            let unchanged = same.as_ref() == Some(before);
            prop_assert!(is_found || unchanged, "{}: bit {bit}: {found:?}", file.display());
            if *file == log {
                prop_assert!(is_found, "{}: bit {bit} of {} bytes used", file.display(), used);
            }
            if let Ok(report) = &found && is_found {
                let located = report.problems.iter().any(|problem| problem.byte.is_some_and(|byte| byte <= bit as u64 / 8));
                prop_assert!(*file != log || located, "{report}");
            }
        }
    }
}

/// What was written last ends where nothing follows: a head that was changed there is not the end.
#[test]
fn each_flipped_bit_at_the_end_of_the_log_is_found() {
    for people in [0, 2] {
        let dir = tempfile::tempdir().unwrap();
        let mut world = World::at(dir.path(), Policy::classic());
        play(&mut world, people, 3);
        world.journal.close().unwrap();
        drop(world);
        let whole = files(&dir.path().join("store"));
        let log = dir.path().join("store/log/db");
        let used = whole[&log].iter().rposition(|byte| *byte != 0).unwrap() + 1;
        // Each byte once or twice, and each bit of a byte in turn; all of them when more is asked for.
        let step = if cases(1, 2) > 1 { 1 } else { 5 };
        for bit in (used.saturating_sub(96) * 8..used * 8).step_by(step) {
            flip(&whole, &log, bit);
            let found = verify(dir.path(), None, &Policy::classic());
            assert!(found.is_ok_and(|report| !report.holds), "bit {bit} of {used} bytes");
        }
    }
}

/// The mark that the log must not fall short of is there before the log is.
#[test]
fn an_emptied_mark_is_found() {
    let (dir, _) = written();
    std::fs::write(dir.path().join("store/high-water"), b"").unwrap();
    assert!(verify(dir.path(), None, &Policy::modern()).map_or(true, |report| !report.holds));
    let log = dir.path().join("store/log/db");
    let whole = std::fs::read(&log).unwrap();
    std::fs::write(&log, &whole[..100]).unwrap();
    assert!(verify(dir.path(), None, &Policy::modern()).map_or(true, |report| !report.holds));
}

#[test]
fn every_chunk_that_is_changed_is_found() {
    let (dir, _) = written();
    let log = dir.path().join("store/log/db");
    let whole = std::fs::read(&log).unwrap();
    let places: Vec<usize> =
        whole.windows(6).enumerate().filter(|(_, bytes)| bytes == b"CSch\x01\x00").map(|(at, _)| at).collect();
    assert!(places.len() > 30);
    for place in places.iter().step_by(1 + places.len() / 40) {
        let mut bytes = whole.clone();
        bytes[place + 60] ^= 4;
        std::fs::write(&log, bytes).unwrap();
        let found = report(dir.path());
        assert!(!found.is_intact(), "byte {}", place + 60);
    }
    std::fs::write(&log, &whole).unwrap();
    assert!(report(dir.path()).holds);
    // The engine itself finds it whole.
    assert!(crate::world::sled(dir.path()).verify().is_ok());
}
