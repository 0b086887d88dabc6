//! What is derived from the log, made afresh from it and compared with what is stored.
//!
//! Derived data lies in trees of the log engine, so this is the one question that needs the engine: it opens a private copy of
//! the store, which is gone afterwards. The original is only read.

mod views;

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign_domain::ids::{Position, StreamId, Version};
use countersign_domain::principal::{Principal, SNAPSHOT_FORM};
use countersign_store::{Checkpoint, Document, Fault, FileKeyRing, Journal, SledJournal, Snapshot, StoreOptions};
use serde::Serialize;

use super::error::OwnError;
use super::place::locate;
use super::read::{OpenJournal, each_entry};
use super::scene::Scene;

/// How often a store that is being written is copied before it is given up.
const COPIES_MAX: usize = 8;
/// Checkpoints that the engine is known to keep.
const CHECKPOINTS: &[&str] = &["views"];
/// Differences that are listed.
const LISTED_MAX: usize = 1000;

/// What was made afresh, and how it compares.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rebuilt {
    /// Version of this form.
    pub schema: u32,
    /// Whether all that could be compared is the same.
    pub same: bool,
    /// Entries of the log that everything was made from.
    pub entries: u64,
    /// States that came out of it.
    pub states: Counts,
    /// What does not hold in the index of streams, or in the log that it is of.
    pub index: Vec<String>,
    /// Snapshots of principals.
    pub snapshots: Snapshots,
    /// Checkpoints of projections.
    pub checkpoints: Vec<Checkpointed>,
}

/// How many states there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Accounts.
    pub accounts: u64,
    /// Principals, the removed ones included.
    pub principals: u64,
    /// Devices, the deleted ones included.
    pub devices: u64,
    /// Names, aliases and credentials.
    pub claims: u64,
}

/// Snapshots, compared with the states that the log comes to at their versions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Snapshots {
    /// How many there are.
    pub found: u64,
    /// Of these, how many are the same.
    pub same: u64,
    /// Of these, how many are of a form that another release reads.
    pub of_another_form: u64,
    /// Those that differ, and in what; at most a thousand.
    pub differ: Vec<Difference>,
}

/// A snapshot that is not what the log comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Its stream.
    pub stream: String,
    /// The version that it is of.
    pub version: u64,
    /// What differs.
    pub what: String,
}

/// A checkpoint of what queries are answered from, compared with the states at its position.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Checkpointed {
    /// Its name.
    pub name: String,
    /// Up to which position it was folded.
    pub position: u64,
    /// Its size.
    pub bytes: u64,
    /// Rows that are what the log comes to at that position.
    pub same: u64,
    /// Blocks with rows that are no state of anybody.
    pub not_compared: u64,
    /// Whether it is of a form that another release reads.
    pub of_another_form: bool,
    /// Rows that differ, or are missing; at most a thousand.
    pub differ: Vec<String>,
}

/// Makes afresh what is derived from the store at a path, and compares it.
///
/// ```
/// use countersign_replay::own::rebuild::rebuild;
///
/// assert!(rebuild("/nonexistent".as_ref(), None).is_err());
/// ```
///
/// # Errors
/// When there is no store or no key ring, the engine does not open a copy of it, or the log cannot be read.
pub fn rebuild(path: &Path, ring: Option<&Path>) -> Result<Rebuilt, OwnError> {
    let (store, ring) = locate(path, ring)?;
    let ring = ring.ok_or_else(|| {
        OwnError::Usage("what is derived is sealed under the key ring; name it with --keys".to_owned())
    })?;
    let (_copy, journal) = open_copy(&store, &ring)?;
    compare(&journal)
}

/// Makes afresh what is derived from a journal, and compares it.
///
/// ```
/// # use std::sync::Arc;
/// # use countersign_store::{EphemeralKeyRing, MemoryJournal};
/// # let journal = MemoryJournal::new(Arc::new(EphemeralKeyRing::new()?))?;
/// use countersign_replay::own::rebuild::compare;
///
/// assert!(compare(&journal)?.same);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When the log cannot be read.
pub fn compare(journal: &dyn Journal) -> Result<Rebuilt, OwnError> {
    let mut rebuilt = Rebuilt { schema: 1, entries: journal.head().0, ..Rebuilt::default() };
    if let Err(problems) = journal.verify() {
        rebuilt.index = problems.iter().map(ToString::to_string).collect();
    }
    let mut scene = Scene::default();
    let mut checkpoints = checkpoints(journal)?;
    let mut stored: HashMap<StreamId, Snapshot> = HashMap::new();
    each_entry(&OpenJournal(journal), Position(0), &mut |entry, event| {
        let stream = entry.header.stream;
        checkpoints.iter_mut().for_each(|(found, checkpoint)| judge_views(found, checkpoint, entry.position, &scene));
        scene.take(entry, event)?;
        if entry.header.version == Version(1)
            && let Some(snapshot) = journal.load_snapshot(stream)?
        {
            stored.insert(stream, snapshot);
        }
        if let Some(snapshot) = stored.get(&stream).filter(|snapshot| snapshot.version == entry.header.version) {
            judge(&mut rebuilt.snapshots, snapshot, scene.people.get(&stream));
            stored.remove(&stream);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    for snapshot in stored.values() {
        let what = "the log has no such version".to_owned();
        rebuilt.snapshots.found += 1;
        rebuilt.snapshots.differ.push(difference(snapshot, what));
    }
    rebuilt.snapshots.differ.sort_by(|a, b| (&a.stream, a.version).cmp(&(&b.stream, b.version)));
    rebuilt.snapshots.differ.truncate(LISTED_MAX);
    rebuilt.states = Counts {
        accounts: scene.accounts.len() as u64,
        principals: scene.people.len() as u64,
        devices: scene.devices.len() as u64,
        claims: scene.claims.len() as u64,
    };
    for (mut found, checkpoint) in checkpoints {
        judge_views(&mut found, &checkpoint, journal.head(), &scene);
        if checkpoint.position > journal.head() {
            views::note(&mut found, "the log has no such position".to_owned());
        }
        rebuilt.checkpoints.push(found);
    }
    rebuilt.same = rebuilt.index.is_empty()
        && rebuilt.snapshots.differ.is_empty()
        && rebuilt.checkpoints.iter().all(|found| found.differ.is_empty());
    Ok(rebuilt)
}

fn checkpoints(journal: &dyn Journal) -> Result<Vec<(Checkpointed, Checkpoint)>, OwnError> {
    let mut found = Vec::new();
    for name in CHECKPOINTS {
        if let Some(checkpoint) = journal.load_checkpoint(name)? {
            let bytes = checkpoint.blocks.iter().map(|block| block.len() as u64).sum();
            let (name, position) = ((*name).to_owned(), checkpoint.position.0);
            found.push((Checkpointed { name, position, bytes, ..Checkpointed::default() }, checkpoint));
        }
    }
    Ok(found)
}

/// Compares a checkpoint when the states are those of its position.
fn judge_views(found: &mut Checkpointed, checkpoint: &Checkpoint, position: Position, scene: &Scene) {
    if checkpoint.position == position {
        views::compare(found, checkpoint, scene);
    }
}

fn difference(snapshot: &Snapshot, what: String) -> Difference {
    Difference { stream: snapshot.stream.to_string(), version: snapshot.version.0, what }
}

fn judge(snapshots: &mut Snapshots, snapshot: &Snapshot, state: Option<&Principal>) {
    snapshots.found += 1;
    let Some(state) = state.filter(|_| snapshot.fingerprint == SNAPSHOT_FORM) else {
        snapshots.of_another_form += 1;
        return;
    };
    let what = match postcard::take_from_bytes::<Principal>(&snapshot.state) {
        Ok((stored, [])) if stored == *state => {
            snapshots.same += 1;
            return;
        }
        Ok((stored, [])) => what_differs(&stored, state).to_owned(),
        _ => "it is no state of a principal".to_owned(),
    };
    if snapshots.differ.len() < LISTED_MAX {
        snapshots.differ.push(difference(snapshot, what));
    }
}

fn what_differs(stored: &Principal, state: &Principal) -> &'static str {
    match (stored, state) {
        (Principal::Registered(stored), Principal::Registered(state)) => {
            if stored.devices != state.devices {
                "its devices"
            } else if (&stored.name, &stored.path) != (&state.name, &state.path) {
                "its name or path"
            } else if stored.pending != state.pending {
                "what it was asked and has not answered"
            } else if stored.outgoing != state.outgoing {
                "the codes on their way to it"
            } else {
                "who it is"
            }
        }
        (Principal::Removed(_), Principal::Removed(_)) => "who it was, or when it was removed",
        (Principal::Forgotten(_), Principal::Forgotten(_)) => "when it was forgotten",
        _ => "whether it was removed or forgotten",
    }
}

/// A copy that goes with its owner. The journal is dropped first.
fn open_copy(store: &Path, ring: &Path) -> Result<(tempfile::TempDir, SledJournal), OwnError> {
    let failed = |cause: io::Error| Fault::because("a private copy of the store could not be made", cause);
    let mut last = None;
    for _ in 0..COPIES_MAX {
        let copy = tempfile::Builder::new().prefix("countersign-replay-").tempdir().map_err(failed)?;
        let target = copy.path().join("store");
        let before = changed_at(store);
        copy_store(store, &target).map_err(failed)?;
        let keys = Arc::new(FileKeyRing::open(ring).map_err(countersign_store::OpenError::from)?);
        match SledJournal::open(&target, keys, StoreOptions { read_only: true, ..StoreOptions::default() }) {
            Ok(journal) => return Ok((copy, journal)),
            // What did not change while it was copied is not better the next time.
            Err(cause) if before.is_some() && before == changed_at(store) => return Err(cause.into()),
            Err(cause) => last = Some(cause),
        }
    }
    Err(last.map_or_else(|| OwnError::Unavailable(Fault::new("the store could not be copied")), OwnError::from))
}

fn changed_at(store: &Path) -> Option<(std::time::SystemTime, u64)> {
    let metadata = fs::metadata(store.join("log").join("db")).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// Copies the files of a store. What the log must not fall short of, its mark and its last checkpoint, comes before the log,
/// and the keys, to which more are only ever added, after it: each entry of the copy has its key.
fn copy_store(store: &Path, target: &Path) -> io::Result<()> {
    fs::create_dir_all(target.join("log"))?;
    for name in ["FORMAT", "high-water"] {
        copy_file(&store.join(name), &target.join(name))?;
    }
    copy_if_there(store, target, Document::Checkpoint)?;
    let mut names: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(store.join("log"))? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            names.push(PathBuf::from(entry.file_name()));
        }
    }
    names.sort();
    names.sort_by_key(|name| name.as_os_str() == "db");
    for name in names {
        match copy_file(&store.join("log").join(&name), &target.join("log").join(&name)) {
            // The engine replaces its recovery snapshots.
            Err(cause) if cause.kind() == io::ErrorKind::NotFound && name.as_os_str() != "db" => {}
            other => other?,
        }
    }
    copy_file(&store.join("keys"), &target.join("keys"))?;
    copy_if_there(store, target, Document::Signers)
}

/// A store of a former release has no such file.
fn copy_if_there(store: &Path, target: &Path, document: Document) -> io::Result<()> {
    match copy_file(&store.join(document.name()), &target.join(document.name())) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let from = File::open(from)?;
    io::copy(&mut from.take(u64::MAX), &mut options.open(to)?)?;
    Ok(())
}
