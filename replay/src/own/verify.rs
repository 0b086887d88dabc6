//! Whether a store is what was written, and whether what was written obeys the laws.

mod audit;
mod judge;
mod signed;

use std::fmt;
use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::path::Path;
use std::thread;

use countersign_domain::ids::Position;
use countersign_domain::laws::{LawBook, Violation};
use countersign_domain::policy::Policy;
use countersign_store::chunk::Chunk;
use countersign_store::keys::Slot;
use countersign_store::{EntryRef, Fault, KeyError, OpenError};
use serde::Serialize;

use super::error::OwnError;
use super::medium::{Image, Keys, Signed, Stretch, check_side_files};
use super::place::locate;
use super::words::counted;
use crate::ask::Sealing;
use audit::{Audit, InUse};
use judge::{Found, Judge, Judged, way};
use signed::Seals;
pub use signed::{Outside, SignedUpTo};

/// Problems and violations that are kept, each; a log that has more is bad enough.
const KEPT_MAX: usize = 1000;
/// How often a key is looked at again that is about to be destroyed: for longer than two syncs take.
const LOOKS_MAX: u32 = 50_000;

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Version of this form.
    pub schema: u32,
    /// Whether everything holds that could be looked at.
    pub holds: bool,
    /// Entries that were read.
    pub entries: u64,
    /// Chunks that were read.
    pub chunks: u64,
    /// Streams whose chain was followed.
    pub streams: u64,
    /// Bytes of the engine's file that were checked.
    pub file_bytes: u64,
    /// Entries with a sealed body.
    pub sealed_entries: u64,
    /// Keys in use that were destroyed on purpose.
    pub keys_destroyed: u64,
    /// How far the entries are those that the log has signed; nothing for a store of a former release.
    pub signed: Option<SignedUpTo>,
    /// What is not as it was written, in the order of the log; at most a thousand.
    pub problems: Vec<Problem>,
    /// Laws that the history breaks; at most a thousand.
    pub violations: Vec<Broken>,
    /// Up to which position the laws were judged, when not to the end.
    pub laws_until: Option<u64>,
    /// Streams of which something is sealed: some of the laws say nothing of them.
    pub streams_not_judged_wholly: u64,
    /// Sealed entries that were not looked into.
    pub unread: Sealing,
    /// Why sealed bodies could not be opened, when the key ring is at fault.
    pub keys_unreadable: Option<String>,
}

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The entry, or the first entry of what is concerned, where that is known.
    pub position: Option<u64>,
    /// The byte of `log/db`, where that is known.
    pub byte: Option<u64>,
    /// What does not hold.
    pub what: String,
}

/// A law that is broken somewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// The law in words.
    pub law: String,
    /// The stream.
    pub stream: String,
    /// The entry.
    pub position: u64,
}

impl From<Violation> for Broken {
    fn from(found: Violation) -> Self {
        Self { law: found.law.to_string(), stream: found.stream.to_string(), position: found.position.0 }
    }
}

impl Report {
    /// Whether the bytes are what was written, whatever they say.
    #[must_use]
    pub const fn is_intact(&self) -> bool {
        self.problems.is_empty()
    }

    fn blame(&mut self, position: Option<u64>, what: impl Into<String>) {
        if self.problems.len() < KEPT_MAX {
            self.problems.push(Problem { position, byte: None, what: what.into() });
        }
    }

    fn add(&mut self, broken: Vec<Violation>) {
        let room = KEPT_MAX.saturating_sub(self.violations.len());
        self.violations.extend(broken.into_iter().take(room).map(Broken::from));
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { entries, chunks, streams, sealed_entries, file_bytes, keys_destroyed, .. } = self;
        writeln!(
            f,
            "{entries} entries in {streams} streams and {chunks} chunks, {sealed_entries} sealed; {file_bytes} bytes of log"
        )?;
        if let Some(SignedUpTo { origin, entries, outside, pinned, .. }) = &self.signed {
            let by = if *pinned { "by the key that was given" } else { "by its own word" };
            let also = match outside {
                0 => String::new(),
                1 => "; the checkpoint from outside agrees".to_owned(),
                count => format!("; {count} checkpoints from outside agree"),
            };
            writeln!(f, "signed up to {entries} entries as `{origin}`, {by}{also}")?;
        }
        for Problem { position, byte, what } in &self.problems {
            let place = position.map_or_else(String::new, |position| format!("position {position}: "));
            let byte = byte.map_or_else(String::new, |byte| format!(" (byte {byte} of log/db)"));
            writeln!(f, "changed: {place}{what}{byte}")?;
        }
        for Broken { law, stream, position } in &self.violations {
            writeln!(f, "against a law: at position {position} of stream {stream}: {law} does not hold")?;
        }
        if let Some(until) = self.laws_until {
            writeln!(
                f,
                "the laws were judged up to position {until}: what is missing there may have mended what follows"
            )?;
        }
        if let Some(cause) = &self.keys_unreadable {
            writeln!(f, "not opened: {cause}")?;
        }
        if *keys_destroyed > 0 {
            let keys = counted(*keys_destroyed, "key was", "keys were");
            writeln!(f, "{keys} destroyed on purpose; every hash of what they sealed holds")?;
        }
        if self.unread.all() > 0 {
            let entries = counted(self.unread.all(), "sealed entry was", "sealed entries were");
            let streams = counted(self.streams_not_judged_wholly, "stream is", "streams are");
            writeln!(
                f,
                "{entries} not looked into: {streams} judged only by the laws that rest on what is never sealed"
            )?;
        }
        writeln!(f, "{}", if self.holds { "the log holds" } else { "the log does not hold" })
    }
}

/// Verifies the store at a path: its files, every checksum, leaf, chain, version and append, its keys, and the laws under a
/// policy.
///
/// ```
/// use countersign_domain::policy::Policy;
/// use countersign_replay::own::verify::verify;
///
/// assert!(verify("/nonexistent".as_ref(), None, &Policy::classic()).is_err());
/// ```
///
/// # Errors
/// When there is no store of a known format, or a file cannot be read.
pub fn verify(path: &Path, ring: Option<&Path>, policy: &Policy) -> Result<Report, OwnError> {
    verify_against(path, ring, policy, &Outside::default())
}

/// The same, held against what somebody has kept outside: the log's public key, and earlier checkpoints.
///
/// Without any of it, a log that was written anew as a whole by somebody with all its keys is not told from the true one.
///
/// # Errors
/// As [`verify`].
pub fn verify_against(
    path: &Path,
    ring: Option<&Path>,
    policy: &Policy,
    outside: &Outside,
) -> Result<Report, OwnError> {
    let (store, ring) = locate(path, ring)?;
    let signed = Signed::read(&store)?;
    let mut report = Report { schema: 1, ..Report::default() };
    let image = Image::open(&store)?;
    let keys = keys_of(&store, ring.as_deref(), &mut report)?;
    let mut pass = Pass {
        report,
        found: Found::default(),
        audit: Audit::default(),
        keys: &keys,
        seals: Seals::new(signed, outside),
    };
    let judge = Judge::new(&keys, LawBook::new(policy.clone()));
    let judged = pass.read(&image, judge)?;
    let report = pass.finish(judged, &image)?;
    with_files(report, &store, &image)
}

/// The keys; a ring that does not open leaves the bodies closed.
fn keys_of(store: &Path, ring: Option<&Path>, report: &mut Report) -> Result<Keys, OwnError> {
    match Keys::open(store, ring) {
        Ok(keys) => return Ok(keys),
        Err(OpenError::Key(cause @ (KeyError::Corrupt(_) | KeyError::Missing(_)))) => {
            report.blame(None, cause.to_string());
        }
        Err(OpenError::Key(cause)) => report.keys_unreadable = Some(cause.to_string()),
        Err(cause) => return Err(cause.into()),
    }
    Ok(Keys::open(store, None)?)
}

/// Adds what is wrong with the files as such.
fn with_files(mut report: Report, store: &Path, image: &Image) -> Result<Report, OwnError> {
    report.file_bytes = image.bytes();
    match image.acked() {
        Ok(Some(acked)) if acked > image.head().0 => {
            let what = format!("the log has {} entries, but {acked} were acknowledged", image.head());
            report.blame(Some(image.head().0), what);
        }
        Ok(_) => {}
        Err(cause) => report.blame(None, cause.to_string()),
    }
    for broken in image.broken()? {
        let what = if broken.at_end {
            "the log's file is not as it was written, where it was written last"
        } else {
            "the log's file is not as it was written"
        };
        report.problems.push(Problem { position: None, byte: Some(broken.at), what: what.to_owned() });
    }
    check_side_files(store).into_iter().for_each(|what| report.blame(None, what));
    report.problems.truncate(KEPT_MAX);
    report.holds = report.is_intact() && report.violations.is_empty() && report.keys_unreadable.is_none();
    Ok(report)
}

/// One pass over the log.
struct Pass<'a> {
    report: Report,
    found: Found,
    audit: Audit,
    keys: &'a Keys,
    seals: Seals,
}

impl Pass<'_> {
    /// Reads the log, and has it judged meanwhile.
    fn read(&mut self, image: &Image, judge: Judge<'_>) -> Result<Judged, OwnError> {
        let (mut hand, lots) = way();
        thread::scope(|scope| {
            let judging = thread::Builder::new().spawn_scoped(scope, || judge.all(lots));
            let judging = judging.map_err(|cause| Fault::because("could not begin a thread", cause))?;
            let read = image.stretches(Position(0), &mut |first, stretch| {
                match stretch {
                    Stretch::Chunk(bytes) => {
                        hand.chunk(first, bytes);
                        self.chunk(first, bytes);
                    }
                    Stretch::Missing(next) => {
                        hand.missing(first);
                        self.missing(first.0, next.map(|next| next.0));
                    }
                }
                ControlFlow::Continue(())
            });
            hand.end();
            let judged = judging.join().unwrap_or_else(|panic| resume_unwind(panic));
            Ok(read.map(|()| judged)?)
        })
    }

    fn chunk(&mut self, first: Position, bytes: &[u8]) {
        self.found.step();
        let chunk = match Chunk::open(first, bytes) {
            Ok(chunk) => chunk,
            Err(cause) => {
                self.seals.gap();
                return self.found.blame(first.0, cause.to_string());
            }
        };
        self.report.chunks += 1;
        for entry in chunk.entries() {
            self.found.step();
            match entry {
                Ok(entry) => self.entry(&entry),
                Err(cause) => {
                    self.seals.gap();
                    self.found.blame(first.0, cause.to_string());
                }
            }
        }
    }

    fn missing(&mut self, from: u64, next: Option<u64>) {
        let what = match next {
            Some(next) => format!("the entries up to {} are missing or changed", next.saturating_sub(1)),
            None => "the entries from here on are missing or changed".to_owned(),
        };
        self.found.step();
        self.found.blame(from, what);
        self.audit.gap();
        self.seals.gap();
    }

    fn entry(&mut self, entry: &EntryRef<'_>) {
        self.report.entries += 1;
        self.seals.entry(entry);
        self.report.sealed_entries += u64::from(entry.header.is_sealed());
        for what in self.audit.entry(entry) {
            self.found.blame(entry.position.0, what);
        }
    }

    /// A slot. That of a key whose tombstone is there may be a moment away from being overwritten, in a store that is open.
    fn slot(&self, key_id: u64, is_doomed: bool) -> Result<Slot, KeyError> {
        let mut slot = self.keys.slot(key_id);
        for _ in 0..if is_doomed { LOOKS_MAX } else { 0 } {
            if !matches!(slot, Ok(Slot::Live { .. }) | Err(KeyError::Corrupt(_))) {
                break;
            }
            thread::yield_now();
            slot = self.keys.slot(key_id);
        }
        slot
    }

    fn finish(mut self, judged: Judged, image: &Image) -> Result<Report, OwnError> {
        let Judged { found, report, tombstones } = judged;
        self.report.problems.extend(std::mem::take(&mut self.found).with(found));
        self.report.problems.truncate(KEPT_MAX);
        let Report { violations, laws_until, streams_not_judged_wholly, unread, .. } = report;
        self.report = Report { violations, laws_until, streams_not_judged_wholly, unread, ..self.report };
        if self.audit.is_torn() {
            self.report.blame(Some(image.head().0), "the last append is torn");
        }
        self.report.streams = self.audit.streams();
        for InUse { key_id, stream, position, tombstone } in self.audit.keys(&tombstones) {
            match self.slot(key_id, tombstone.is_some()) {
                Ok(Slot::Live { stream: owner, .. }) if owner == stream => {
                    if let Some(said) = tombstone {
                        let what = format!("key {key_id} is there, though position {said} says that it is destroyed");
                        self.report.blame(Some(position), what);
                    }
                }
                Ok(Slot::Destroyed { stream: owner }) if owner == stream => {
                    self.report.keys_destroyed += 1;
                    if tombstone.is_none() && !self.audit.has_gap() {
                        let what = format!("key {key_id} was destroyed, and nothing in the log says that it should be");
                        self.report.blame(Some(position), what);
                    }
                }
                Ok(_) => self.report.blame(Some(position), format!("key {key_id} is of another stream")),
                Err(KeyError::Unavailable(fault)) => return Err(fault.into()),
                Err(cause) => self.report.blame(Some(position), cause.to_string()),
            }
        }
        // The keys of the store itself: that of derived data, and the root.
        for own in [0, 2] {
            if let Err(cause @ (KeyError::Corrupt(_) | KeyError::Missing(_))) = self.keys.slot(own) {
                self.report.blame(None, cause.to_string());
            }
        }
        let (signed, doubts) = self.seals.finish();
        self.report.signed = signed;
        doubts.into_iter().for_each(|(position, what)| self.report.blame(position, what));
        Ok(self.report)
    }
}
