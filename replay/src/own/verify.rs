//! Whether a store is what was written, and whether what was written obeys the laws.

mod audit;
mod signed;

use std::fmt;
use std::ops::ControlFlow;
use std::path::Path;

use countersign_domain::laws::{LawBook, Unread, Violation};
use countersign_domain::policy::Policy;
use countersign_store::chunk::Chunk;
use countersign_store::keys::Slot;
use countersign_store::{EntryRef, KeyError, OpenError};
use serde::Serialize;

use super::error::OwnError;
use super::medium::{Image, Keys, Signed, Stretch, check_side_files};
use super::place::locate;
use super::read::{Sealed, fact};
use super::words::counted;
use crate::ask::Sealing;
use audit::{Audit, InUse};
use countersign_domain::wire;
use signed::Seals;
pub use signed::{Outside, SignedUpTo};
use zeroize::Zeroizing;

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
        audit: Audit::default(),
        laws: Some(LawBook::new(policy.clone())),
        keys: &keys,
        seals: Seals::new(signed, outside),
    };
    image.stretches(countersign_domain::ids::Position(0), &mut |first, stretch| {
        match stretch {
            Stretch::Chunk(bytes) => pass.chunk(first, bytes),
            Stretch::Missing(next) => pass.missing(first.0, next.map(|next| next.0)),
        }
        ControlFlow::Continue(())
    })?;
    let report = pass.finish(&image)?;
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
    audit: Audit,
    /// `None` once something is missing: nothing that follows could be judged by what comes before.
    laws: Option<LawBook>,
    keys: &'a Keys,
    seals: Seals,
}

impl Pass<'_> {
    fn chunk(&mut self, first: countersign_domain::ids::Position, bytes: &[u8]) {
        let chunk = match Chunk::open(first, bytes) {
            Ok(chunk) => chunk,
            Err(cause) => {
                self.seals.gap();
                return self.report.blame(Some(first.0), cause.to_string());
            }
        };
        self.report.chunks += 1;
        for entry in chunk.entries() {
            match entry {
                Ok(entry) => self.entry(&entry),
                Err(cause) => {
                    self.seals.gap();
                    self.report.blame(Some(first.0), cause.to_string());
                }
            }
        }
    }

    fn missing(&mut self, from: u64, next: Option<u64>) {
        let what = match next {
            Some(next) => format!("the entries up to {} are missing or changed", next.saturating_sub(1)),
            None => "the entries from here on are missing or changed".to_owned(),
        };
        self.report.blame(Some(from), what);
        self.audit.gap();
        self.seals.gap();
        self.stop_laws(from);
    }

    fn stop_laws(&mut self, at: u64) {
        if let Some(laws) = self.laws.take() {
            self.report.streams_not_judged_wholly = laws.unread_streams() as u64;
            self.report.laws_until = Some(at);
        }
    }

    fn entry(&mut self, entry: &EntryRef<'_>) {
        self.report.entries += 1;
        self.seals.entry(entry);
        self.report.sealed_entries += u64::from(entry.header.is_sealed());
        for what in self.audit.entry(entry) {
            self.report.blame(Some(entry.position.0), what);
        }
        match self.event(entry) {
            Ok(Ok(event)) => {
                self.audit.tombstone(entry, &event);
                let broken = self.laws.as_mut().map(|laws| laws.observe(&fact(entry, &event)));
                self.report.add(broken.unwrap_or_default());
            }
            Ok(Err(why)) => {
                self.report.unread.count(why);
                let header = &entry.header;
                let (position, stream, version) = (entry.position, header.stream, header.version);
                let unread = Unread { position, stream, version, event_type: header.event_type };
                let broken = self.laws.as_mut().map(|laws| laws.observe_unread(&unread));
                self.report.add(broken.unwrap_or_default());
            }
            Err(what) => {
                self.report.blame(Some(entry.position.0), what);
                self.stop_laws(entry.position.0);
            }
        }
    }

    fn event(&self, entry: &EntryRef<'_>) -> Result<Result<countersign_domain::event::Event, Sealed>, String> {
        let (kind, version) = (entry.header.event_type, entry.header.type_version);
        if !entry.header.is_sealed() {
            return wire::decode(kind, version, entry.body).map(Ok).map_err(|cause| cause.to_string());
        }
        match self.keys.unseal(&entry.header, entry.body) {
            Ok(body) => {
                let body = Zeroizing::new(body);
                wire::decode(kind, version, &body).map(Ok).map_err(|cause| cause.to_string())
            }
            Err(KeyError::Destroyed(_)) => Ok(Err(Sealed::Destroyed)),
            // The slot itself is judged below, once for each key.
            Err(KeyError::Ring(_) | KeyError::Missing(_) | KeyError::Corrupt(_)) => Ok(Err(Sealed::NoKey)),
            Err(cause) => Err(cause.to_string()),
        }
    }

    /// A slot. That of a key whose tombstone is there may be a moment away from being overwritten, in a store that is open.
    fn slot(&self, key_id: u64, is_doomed: bool) -> Result<Slot, KeyError> {
        let mut slot = self.keys.slot(key_id);
        for _ in 0..if is_doomed { LOOKS_MAX } else { 0 } {
            if !matches!(slot, Ok(Slot::Live { .. }) | Err(KeyError::Corrupt(_))) {
                break;
            }
            std::thread::yield_now();
            slot = self.keys.slot(key_id);
        }
        slot
    }

    fn finish(mut self, image: &Image) -> Result<Report, OwnError> {
        if let Some(laws) = self.laws.take() {
            self.report.add(laws.finish());
            self.report.streams_not_judged_wholly = laws.unread_streams() as u64;
        }
        if self.audit.is_torn() {
            self.report.blame(Some(image.head().0), "the last append is torn");
        }
        self.report.streams = self.audit.streams();
        for InUse { key_id, stream, position, tombstone } in self.audit.keys() {
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
        if let Err(cause @ (KeyError::Corrupt(_) | KeyError::Missing(_))) = self.keys.slot(0) {
            self.report.blame(None, cause.to_string());
        }
        let (signed, doubts) = self.seals.finish();
        self.report.signed = signed;
        doubts.into_iter().for_each(|(position, what)| self.report.blame(position, what));
        Ok(self.report)
    }
}
