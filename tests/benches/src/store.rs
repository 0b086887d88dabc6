//! Stores on disk: made, opened, copied, measured; and the large one that several sections share.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign::{
    AccountId, Caller, Config, Countersign, DeviceName, Layout, Limits, ManualClock, Request, UnixMillis,
};
use countersign_store::{FileKeyRing, Journal, SledJournal, StoreOptions};

use crate::Failure;
use crate::args::Args;
use crate::population::People;
use crate::sample::Numbers;

/// Opens the journal of an engine's directory, which is made if it is not there.
pub fn journal(dir: &Path, read_only: bool) -> Result<SledJournal, Failure> {
    fs::create_dir_all(dir)?;
    let layout = Layout::of(dir);
    let ring = Arc::new(FileKeyRing::open_or_create(&layout.key_file)?);
    Ok(SledJournal::open(&layout.store, ring, StoreOptions { read_only, ..StoreOptions::default() })?)
}

/// How the engine is set up here: a clock that is told, and no bound that a load runs into.
pub fn config(clock: &ManualClock, limits: Limits) -> Config {
    Config { clock: Arc::new(clock.clone()), limits, ..Config::default() }
}

/// Bounds that none of the loads runs into.
pub fn wide_limits() -> Limits {
    Limits { in_flight_max: 16_384, resident_max: 1_000_000, ..Limits::default() }
}

/// A clock that stands at a time.
pub fn clock_at(seconds: u64) -> ManualClock {
    ManualClock::at(UnixMillis::from_secs(seconds))
}

/// Waits for a future on this thread; for what is not measured.
pub fn wait<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(work))
}

/// Makes a store of people with their history, closed by an engine.
pub fn build(dir: &Path, people: usize, entries: u64, numbers: &mut Numbers) -> Result<People, Failure> {
    let mut made = {
        let journal = journal(dir, false)?;
        let mut made = People::settle(&journal, people, numbers)?;
        made.live_until(&journal, entries)?;
        journal.close()?;
        made
    };
    // An engine that did something writes its projections when it closes.
    let engine = Countersign::open(dir, config(&clock_at(made.ends_s()), wide_limits()))?;
    let last = AccountId::from_number(200_000_000_000).ok_or("an account id")?;
    let opened = engine.open_account(Request::by(Caller::operator()), last, DeviceName::new("last")?);
    made.opened_account(wait(opened)??.position)?;
    wait(engine.close())??;
    Ok(made)
}

/// A store, and who is in it.
#[derive(Debug)]
pub struct Built {
    /// The engine's directory.
    pub dir: PathBuf,
    /// Who is in it.
    pub people: Arc<People>,
}

/// The large store, made when it is first asked for.
pub struct Stores<'a> {
    args: &'a Args,
    large: Option<Built>,
}

impl<'a> Stores<'a> {
    /// None yet.
    pub const fn new(args: &'a Args) -> Self {
        Self { args, large: None }
    }

    /// How the run is done.
    pub const fn args(&self) -> &'a Args {
        self.args
    }

    /// A log of a million events over ten thousand principals.
    pub fn large(&mut self) -> Result<&Built, Failure> {
        if self.large.is_none() {
            let dir = self.args.dir.join("large");
            let mut numbers = Numbers::new(self.args.seed ^ 0x1a);
            let people = Arc::new(build(&dir, 10_000, 1_000_000, &mut numbers)?);
            self.large = Some(Built { dir, people });
        }
        self.large.as_ref().ok_or_else(|| "the large store is not there".into())
    }
}

/// Copies a directory as it is now, open or not: what a crash would leave. The copy is on disk, so that
/// the next sync of one of its files has nothing of the copying to wait for.
pub fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
            File::open(&target)?.sync_all()?;
        }
    }
    Ok(())
}

/// Bytes that a directory takes on disk.
pub fn disk_bytes(dir: &Path) -> Result<u64, Failure> {
    let mut sum = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let data = entry.metadata()?;
        sum += if data.is_dir() { disk_bytes(&entry.path())? } else { data.blocks() * 512 };
    }
    Ok(sum)
}
