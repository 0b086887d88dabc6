//! Checkpoints are brought to places outside; a place with another log is an alarm, and never an end.

use std::fs;
use std::path::Path as FilePath;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use countersign::{
    AccountId, Anchor, AnchorError, AnchorState, Caller, Config, Countersign, DeviceName, DirectoryAnchor, Limits,
    Publication, Request,
};

/// Long enough that no round comes by itself: then only the last one, when the engine goes.
const NEVER: Duration = Duration::from_secs(3600);

fn engine(dir: &FilePath, anchors: Vec<Arc<dyn Anchor>>, anchor_every: Duration) -> Countersign {
    let limits = Limits { anchor_every, ..Limits::default() };
    Countersign::open(dir, Config { anchors, limits, ..Config::default() }).unwrap()
}

fn open_account(engine: &Countersign, number: u64) {
    let account = AccountId::from_number(number).unwrap();
    let request = Request::by(Caller::operator());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(engine.open_account(request, account, DeviceName::new("root").unwrap())).unwrap();
}

/// The names and texts of what was dropped.
fn dropped(dir: &FilePath) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap()))
        .collect();
    all.sort();
    all
}

/// Waits for what a place has come to.
fn until(engine: &Countersign, is_so: impl Fn(&AnchorState) -> bool) -> AnchorState {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let state = engine.anchors().remove(0);
        if is_so(&state) {
            return state;
        }
        assert!(Instant::now() < end, "{state:?}");
        std::thread::yield_now();
    }
}

#[test]
fn each_life_of_a_store_leaves_its_last_checkpoint() {
    let (data, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut sizes = Vec::new();
    for life in 1..4 {
        let anchor = Arc::new(DirectoryAnchor::new(outside.path()));
        let engine = engine(data.path(), vec![anchor], NEVER);
        open_account(&engine, life);
        engine.checkpoint().unwrap();
        drop(engine);
        let found = dropped(outside.path());
        assert_eq!(found.len() as u64, life);
        let (name, note) = found.last().unwrap();
        let size: u64 = note.lines().nth(1).unwrap().parse().unwrap();
        assert_eq!(*name, format!("{size:020}.checkpoint"));
        sizes.push(size);
    }
    assert!(sizes.is_sorted());
}

#[test]
fn an_older_or_another_store_is_refused_and_goes_on() {
    let (data, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let anchors = || -> Vec<Arc<dyn Anchor>> { vec![Arc::new(DirectoryAnchor::new(outside.path()))] };
    let first = engine(data.path(), anchors(), NEVER);
    open_account(&first, 1);
    open_account(&first, 2);
    first.checkpoint().unwrap();
    drop(first);
    let kept = dropped(outside.path());
    for accounts in [1, 2, 3] {
        let other = tempfile::tempdir().unwrap();
        let engine = engine(other.path(), anchors(), Duration::from_millis(1));
        for number in 1..=accounts {
            open_account(&engine, number);
        }
        engine.checkpoint().unwrap();
        let state = until(&engine, |state| state.refused.is_some());
        assert_eq!(state.size, None, "{accounts}");
        open_account(&engine, 99);
        assert!(engine.is_ready(), "an alarm stops nothing");
        drop(engine);
        assert_eq!(dropped(outside.path()), kept, "nothing is overwritten or added");
    }
    // The true one goes on.
    let engine = engine(data.path(), anchors(), Duration::from_millis(1));
    open_account(&engine, 3);
    let signed = engine.checkpoint().unwrap().lines().nth(1).unwrap().parse().ok();
    let state = until(&engine, |state| state.size == signed);
    assert_eq!(state.refused, None);
    assert!(dropped(outside.path()).len() > kept.len());
}

#[test]
fn a_place_that_is_away_is_tried_again_and_keeps_nobody_waiting() {
    let (data, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let place = outside.path().join("mounted");
    let engine = engine(data.path(), vec![Arc::new(DirectoryAnchor::new(&place))], Duration::from_millis(1));
    open_account(&engine, 1);
    engine.checkpoint().unwrap();
    let state = until(&engine, |state| state.failures > 2);
    assert!(state.refused.is_none() && !place.exists(), "what should be mounted there is not made");
    fs::create_dir(&place).unwrap();
    let state = until(&engine, |state| state.size.is_some());
    assert_eq!((state.failures, dropped(&place).is_empty()), (0, false));
}

/// Says each time that it was called, and panics.
#[derive(Debug)]
struct Panics(Mutex<Sender<u64>>);

impl Anchor for Panics {
    fn name(&self) -> &str {
        "panics"
    }

    fn publish(&self, checkpoint: &Publication<'_>) -> Result<Vec<String>, AnchorError> {
        let proof = checkpoint.proof_from(1)?;
        assert!(checkpoint.root_at(1)?.is_some() && checkpoint.root_at(1 << 40)?.is_none());
        assert!(checkpoint.proof_from(1 << 40).is_err());
        let told = self.0.lock().map(|told| told.send(proof.len() as u64));
        assert!(told.is_err(), "this anchor always panics");
        Ok(Vec::new())
    }
}

#[test]
fn a_panic_of_an_anchor_ends_nothing() {
    let data = tempfile::tempdir().unwrap();
    let (told, heard) = channel();
    let engine = engine(data.path(), vec![Arc::new(Panics(Mutex::new(told)))], Duration::from_millis(1));
    open_account(&engine, 1);
    engine.checkpoint().unwrap();
    heard.recv_timeout(Duration::from_secs(60)).unwrap();
    let state = until(&engine, |state| state.failures > 0);
    assert_eq!((state.size, state.refused), (None, None));
    open_account(&engine, 2);
    assert!(engine.is_ready());
}
