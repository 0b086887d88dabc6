//! Twelve ways to change behind its back what the engine has written into a store on disk: an auditor finds them all.
//!
//! The same operators run over logs of bytes in `store/tests/tamper.rs`. Here the histories are the engine's, the files are
//! those of a server, the forger has the key ring, and the auditor is `countersign-replay verify`, with a checkpoint that was
//! kept elsewhere. `COUNTERSIGN_CASES` says how often each operator is tried.

mod forger;
mod operators;

use std::path::Path as FilePath;
use std::sync::Arc;

use countersign::store::{FileKeyRing, Journal, SledJournal, StoreOptions};
use countersign::*;
use countersign_replay::own::rebuild::rebuild;
use countersign_replay::own::verify::{Outside, Report, verify_against};
use tempfile::TempDir;

use crate::support::{START_S, World, block_on, narrow, operator};

/// How often each operator is tried on an everyday run.
const CASES: u64 = 6;

fn cases() -> u64 {
    std::env::var("COUNTERSIGN_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(CASES).clamp(CASES, 100_000)
}

/// Numbers that a seed gives (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % below as u64) as usize
    }
}

/// What a server left, an older copy of all of it, and what somebody kept elsewhere.
struct History {
    dir: TempDir,
    older: TempDir,
    /// The log's first public key.
    key: String,
    /// The last checkpoint.
    note: String,
}

fn ring(dir: &FilePath) -> Arc<FileKeyRing> {
    Arc::new(FileKeyRing::open_or_create(Layout::of(dir).key_file).unwrap())
}

fn journal(dir: &FilePath) -> SledJournal {
    SledJournal::open(&Layout::of(dir).store, ring(dir), StoreOptions::default()).unwrap()
}

async fn engine(dir: &FilePath, seconds: u64) -> World {
    let limits = Limits { snapshot_every: 1, ..Limits::default() };
    let world = World::on(Arc::new(journal(dir)), ring(dir), narrow(Policy::modern()), limits).await;
    world.clock.advance_s(seconds);
    world
}

/// Some people, whose devices come, sign in, and go.
async fn live(world: &World, dice: &mut Dice, name: &str) -> PrincipalId {
    let (who, phone) = world.equipped(name).await;
    for _ in 0..1 + dice.roll(3) {
        world.clock.advance_s(90 + 30 * dice.roll(5) as u64);
        match dice.roll(4) {
            0 => {
                let wrong = phone.wrong(world.now()).next().unwrap();
                world.verify(&who, &phone, wrong, Purpose::SessionToken).await.unwrap();
            }
            _ => drop(world.sts(&who, &phone, world.now()).await.unwrap()),
        }
    }
    if dice.roll(2) == 0 {
        world.deactivate(&who, &phone).await.unwrap();
        world.engine.delete_virtual_device(operator(), world.account, &phone.serial).await.unwrap();
    }
    who
}

fn history(seed: u64) -> History {
    let (dir, mut dice) = (tempfile::tempdir().unwrap(), Dice(seed));
    let key = block_on(async {
        let world = engine(dir.path(), 0).await;
        let key = world.engine.verifier_keys().remove(0);
        for number in 0..2 + dice.roll(2) {
            live(&world, &mut dice, &format!("early-{number}")).await;
        }
        if seed.is_multiple_of(3) {
            world.engine.rotate_signing_key().unwrap();
        }
        world.engine.checkpoint().unwrap();
        world.engine.close().await.unwrap();
        key
    });
    let older = forger::copy(dir.path());
    let note = block_on(async {
        let world = engine(dir.path(), 100_000).await;
        let gone = live(&world, &mut dice, "gone").await;
        live(&world, &mut dice, "late").await;
        if dice.roll(2) == 0 {
            world.engine.remove_user(operator(), &gone, Removal::TakeDevices).await.unwrap();
            world.engine.forget(operator(), &gone, ForgetReason::Requested, &[]).await.unwrap();
        }
        let note = world.engine.checkpoint().unwrap();
        world.engine.close().await.unwrap();
        note
    });
    History { dir, older, key, note }
}

/// Runs something over histories, each many times when there are many cases.
fn campaign(name: &str, mut one: impl FnMut(&History, &mut Dice, &str)) {
    let histories = (cases() / 40).clamp(2, 50);
    for seed in 0..histories {
        let history = history(seed);
        for case in (seed..cases()).step_by(histories as usize) {
            one(&history, &mut Dice(case ^ 0x7a3e), &format!("{name}, history {seed}, case {case}"));
        }
    }
}

// ---- an auditor's ----

/// How something is found.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// By the store's own word, at these positions.
    ByItself(Vec<u64>),
    /// Only by what was kept elsewhere.
    Outside,
    Nothing,
}

fn audited(dir: &FilePath, history: &History, checkpoints: &[&str]) -> Option<Report> {
    let checkpoints = checkpoints.iter().map(|note| ("kept".to_owned(), (*note).to_owned())).collect();
    let outside = Outside { key: Some(history.key.parse().unwrap()), checkpoints };
    verify_against(dir, None, &narrow(Policy::modern()), &outside).ok()
}

fn found(dir: &FilePath, history: &History) -> Found {
    let Some(report) = audited(dir, history, &[]) else { return Found::ByItself(Vec::new()) };
    if !report.holds {
        let problems = report.problems.iter().filter_map(|problem| problem.position);
        return Found::ByItself(problems.chain(report.violations.iter().map(|broken| broken.position)).collect());
    }
    if let Some(positions) = engine_finds(dir) {
        return Found::ByItself(positions);
    }
    match audited(dir, history, &[&history.note]) {
        Some(report) if report.holds => Found::Nothing,
        _ => Found::Outside,
    }
}

/// What the engine itself finds. The auditor reads the file, and takes the last whole copy of a chunk in it: where a broken one
/// was written over it through the log engine, the true one may still be there, and only the engine stumbles.
fn engine_finds(dir: &FilePath) -> Option<Vec<u64>> {
    let options = StoreOptions { read_only: true, ..StoreOptions::default() };
    match SledJournal::open(&Layout::of(dir).store, ring(dir), options) {
        Err(_) => Some(Vec::new()),
        Ok(journal) => {
            let problems = journal.verify().err()?;
            Some(problems.iter().map(|problem| problem.position.0).collect())
        }
    }
}

#[test]
fn a_store_that_nobody_touched_raises_no_alarm() {
    campaign("clean", |history, dice, what| {
        let copy = forger::copy(history.dir.path());
        assert_eq!(found(copy.path(), history), Found::Nothing, "{what}");
        assert!(rebuild(copy.path(), None).unwrap().same, "{what}");
        block_on(async {
            let world = engine(copy.path(), 200_000 + START_S % 30).await;
            live(&world, dice, "later").await;
            world.engine.close().await.unwrap();
        });
        assert_eq!(found(copy.path(), history), Found::Nothing, "{what}, grown");
        let rebuilt = rebuild(copy.path(), None).unwrap();
        assert!(rebuilt.same, "{what}, grown: {rebuilt:?}");
        assert!(journal(copy.path()).verify().is_ok(), "{what}");
    });
}
