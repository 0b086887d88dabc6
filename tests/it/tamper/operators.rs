//! The operators.

use std::collections::BTreeMap;

use countersign::domain::event::Event;
use countersign::domain::ids::Position;
use countersign::domain::principal::{Principal, Registered};
use countersign::store::{Document, Header, Journal, Snapshot};
use countersign::{DeviceName, Layout, StreamId, Version};
use countersign_replay::own::rebuild::rebuild;
use tempfile::TempDir;

use super::forger::{Forged, chunks, copy, entries, overwrite, put, rewritten};
use super::{Dice, Found, History, audited, campaign, found, journal};
use crate::support::events;

/// What an operator made of a history, and which entry it touched if that stayed in its place.
type Tampered = (TempDir, Option<u64>);

/// Runs one operator: it is found, by the store's own word where that is possible, and located if it stayed in its place.
fn operator(name: &str, by_itself: bool, tamper: impl Fn(&History, &mut Dice) -> Tampered) {
    campaign(name, |history, dice, what| {
        let (dir, touched) = tamper(history, dice);
        let found = found(dir.path(), history);
        assert_ne!(found, Found::Nothing, "{what}");
        if by_itself {
            let Found::ByItself(positions) = &found else { panic!("{what}: {found:?}") };
            let at_once = positions.is_empty() && name == "overwrite";
            let located = at_once || touched.is_none_or(|touched| positions.iter().any(|at| *at >= touched));
            assert!(located, "{what}: {touched:?} at {positions:?}");
        }
    });
}

/// Changes the entries and writes the log anew, with every chain and hash right.
fn rewrite(history: &History, change: impl FnOnce(&mut Forged)) -> Tampered {
    let mut all = entries(history.dir.path());
    change(&mut all);
    (put(history.dir.path(), &rewritten(&all)), None)
}

#[test]
fn a_flipped_bit_is_located_to_its_place() {
    campaign("flip", |history, dice, what| {
        let dir = copy(history.dir.path());
        let all = chunks(dir.path());
        let (first, bytes) = &all[dice.roll(all.len())];
        let path = Layout::of(dir.path()).store.join("log").join("db");
        let (mut file, bit) = (std::fs::read(&path).unwrap(), dice.roll(bytes.len() * 8));
        let copies: Vec<usize> =
            file.windows(bytes.len()).enumerate().filter(|(_, at)| at == bytes).map(|(at, _)| at).collect();
        assert!(!copies.is_empty(), "{what}");
        copies.iter().for_each(|at| file[at + bit / 8] ^= 1 << (bit % 8));
        std::fs::write(&path, file).unwrap();
        let report = audited(dir.path(), history, &[]).unwrap();
        assert!(!report.is_intact(), "{what}");
        let located = report.problems.iter().any(|problem| problem.position == Some(first.0));
        assert!(located, "{what}: {first} in {:?}", report.problems);
    });
}

/// Through the log engine, whose own checksums are right then.
#[test]
fn a_chunk_that_a_broken_one_was_written_over_is_found() {
    operator("overwrite", true, |history, dice| {
        let dir = copy(history.dir.path());
        let all = chunks(dir.path());
        let (first, mut bytes) = all[dice.roll(all.len())].clone();
        let bit = dice.roll(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        overwrite(dir.path(), first, bytes);
        (dir, Some(first.0))
    });
}

#[test]
fn an_edited_entry_with_a_fresh_hash_is_located() {
    operator("edit", true, |history, dice| {
        let mut all = entries(history.dir.path());
        let at = dice.roll(all.len());
        let bit = dice.roll(all[at].1.len() * 8);
        all[at].1[bit / 8] ^= 1 << (bit % 8);
        (put(history.dir.path(), &all), Some(at as u64))
    });
}

#[test]
fn what_was_taken_out_is_missed() {
    operator("head", true, |history, _| rewrite(history, |all| drop(all.remove(0))));
    operator("middle", true, |history, dice| rewrite(history, |all| drop(all.remove(1 + dice.roll(all.len() - 2)))));
    operator("tail", true, |history, dice| {
        rewrite(history, |all| all.truncate(all.len() - 1 - dice.roll(all.len() / 2)))
    });
}

#[test]
fn an_older_copy_is_found_by_a_later_checkpoint() {
    operator("older", false, |history, _| (copy(history.older.path()), None));
}

#[test]
fn two_that_changed_places_are_found() {
    operator("swap", true, |history, dice| {
        rewrite(history, |all| {
            let at = dice.roll(all.len() - 1);
            all.swap(at, at + 1);
        })
    });
}

#[test]
fn what_was_put_in_is_found() {
    operator("insert", true, |history, dice| {
        rewrite(history, |all| {
            let extra = all[dice.roll(all.len())].clone();
            all.insert(dice.roll(all.len()), extra);
        })
    });
}

#[test]
fn an_edit_that_the_real_key_signed_is_found_outside() {
    operator("sign again", false, |history, dice| {
        let (dir, _) = rewrite(history, |all| {
            let own = all.iter().position(|(header, _)| header.event_type >= 0x7f00);
            let at = dice.roll(own.unwrap_or(all.len()).max(1));
            all[at].0.time.0 += 1;
        });
        std::fs::remove_file(Layout::of(dir.path()).store.join(Document::Checkpoint.name())).unwrap();
        // Who has the key ring has the store sign what it is given.
        let forged = journal(dir.path());
        forged.checkpoint().unwrap();
        forged.close().unwrap();
        drop(forged);
        (dir, None)
    });
}

#[test]
fn two_histories_under_one_key_are_found_when_they_are_compared() {
    operator("fork", false, |history, dice| {
        let dir = copy(history.older.path());
        crate::support::block_on(async {
            let world = super::engine(dir.path(), 100_000).await;
            let head = world.journal.head();
            for number in 0..3 + dice.roll(3) {
                super::live(&world, dice, &format!("other-{number}")).await;
            }
            assert!(world.journal.head() > head);
            world.engine.checkpoint().unwrap();
            world.engine.close().await.unwrap();
        });
        (dir, None)
    });
}

#[test]
fn an_entry_that_was_moved_to_another_principal_is_found() {
    operator("move", true, |history, dice| {
        rewrite(history, |all| {
            let at = dice.roll(all.len());
            let other: Vec<StreamId> =
                all.iter().map(|(header, _)| header.stream).filter(|to| *to != all[at].0.stream).collect();
            all[at].0.stream = other[dice.roll(other.len())];
        })
    });
}

/// Who has the key ring seals a snapshot that the store takes; the log says otherwise.
#[test]
fn a_snapshot_that_the_real_key_sealed_is_found() {
    campaign("snapshot", |history, dice, what| {
        let dir = copy(history.dir.path());
        let journal = journal(dir.path());
        let mut snapshots: Vec<(Snapshot, Box<Registered>)> = Vec::new();
        for (header, _) in events(&journal).into_iter().filter(|(header, _)| header.version == Version(1)) {
            let Some(snapshot) = journal.load_snapshot(header.stream).unwrap() else { continue };
            if let Principal::Registered(user) = postcard::from_bytes(&snapshot.state).unwrap() {
                snapshots.push((snapshot, Box::new(user)));
            }
        }
        let (mut snapshot, mut user) = snapshots.swap_remove(dice.roll(snapshots.len()));
        let stream = snapshot.stream;
        match dice.roll(3) {
            0 if !user.devices.is_empty() => user.devices.clear(),
            1 if !user.devices.is_empty() => user.devices[0].enabled_at.0 += 1,
            _ => user.name = DeviceName::new("forged").unwrap(),
        }
        snapshot.state = postcard::to_allocvec(&Principal::Registered(*user)).unwrap();
        journal.save_snapshot(snapshot.clone()).unwrap();
        assert_eq!(journal.load_snapshot(stream).unwrap(), Some(snapshot), "{what}: the store takes it");
        journal.close().unwrap();
        drop(journal);
        let rebuilt = rebuild(dir.path(), None).unwrap();
        let named: Vec<&str> = rebuilt.snapshots.differ.iter().map(|found| found.stream.as_str()).collect();
        assert_eq!((rebuilt.same, named), (false, vec![stream.to_string().as_str()]), "{what}");
        assert_eq!(found(dir.path(), history), Found::Nothing, "{what}: what is derived changes no entry");
    });
}

/// The same with what queries are answered from: a letter of a name or of a serial number.
#[test]
fn a_projection_that_the_real_key_sealed_is_found() {
    campaign("projection", |history, dice, what| {
        let dir = copy(history.dir.path());
        let journal = journal(dir.path());
        let mut views = journal.load_checkpoint("views").unwrap().unwrap();
        let words = events(&journal).into_iter().filter_map(|(_, event)| match event {
            Event::PrincipalRegistered(registered) => Some(registered.name.to_string()),
            Event::VirtualDeviceCreated(created) => Some(created.serial.to_string()),
            _ => None,
        });
        let places: Vec<(usize, usize)> = words
            .flat_map(|word| {
                let word = word.into_bytes();
                let in_block = |(number, block): (usize, &Vec<u8>)| {
                    let at = block.windows(word.len()).position(|window| window == word.as_slice())?;
                    Some((number, at + word.len() - 1))
                };
                views.blocks.iter().enumerate().filter_map(in_block).collect::<Vec<_>>()
            })
            .collect();
        let (block, byte) = places[dice.roll(places.len())];
        views.blocks[block][byte] ^= 1;
        journal.save_checkpoint("views", views.position, views.fingerprint, views.blocks.clone()).unwrap();
        assert_eq!(journal.load_checkpoint("views").unwrap(), Some(views), "{what}: the store takes it");
        journal.close().unwrap();
        drop(journal);
        let rebuilt = rebuild(dir.path(), None).unwrap();
        assert!(!rebuilt.same && !rebuilt.checkpoints[0].differ.is_empty(), "{what}: {rebuilt:?}");
    });
}

#[test]
fn a_key_that_was_destroyed_without_a_tombstone_is_located() {
    campaign("shred", |history, dice, what| {
        let dir = copy(history.dir.path());
        let journal = journal(dir.path());
        let sealed = sealed_streams(&journal);
        let (stream, first) = sealed[dice.roll(sealed.len())];
        journal.destroy_key(stream).unwrap();
        assert!(journal.verify().is_ok(), "{what}: every hash holds");
        journal.close().unwrap();
        drop(journal);
        let Found::ByItself(positions) = found(dir.path(), history) else { panic!("{what}") };
        assert!(positions.contains(&first), "{what}: {first} at {positions:?}");
    });
}

/// The streams of which something is sealed and can be opened, each with where its newest key was first used.
fn sealed_streams(journal: &dyn Journal) -> Vec<(StreamId, u64)> {
    let mut sealed: BTreeMap<StreamId, (u64, u64)> = BTreeMap::new();
    for at in 0..journal.head().0 {
        let entry = journal.read_at(Position(at)).unwrap().unwrap();
        let Header { stream, key_id, .. } = entry.header;
        if entry.header.is_sealed() && journal.unseal(&entry.header, entry.body.as_stored()).is_ok() {
            let newest = sealed.entry(stream).or_insert((key_id, at));
            if newest.0 < key_id {
                *newest = (key_id, at);
            }
        }
    }
    sealed.into_iter().map(|(stream, (_, at))| (stream, at)).collect()
}
