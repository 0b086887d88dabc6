//! Many files at once, and one history of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use super::amend::amend;
use super::clash::{Different, named, names_of};
use super::credential::Made;
use super::foreign::{self, Foreign};
use super::items::{self, Document, Item};
use super::sift::{Sessions, Sieve};
use super::{Flaw, Kept, SEEN_MAX, Sifted, Skip, credential, open, walk};
use crate::event::{Observed, Via, What};
use crate::time::Time;

/// How input is read.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// Readers at work at once; 0 is one for each processor.
    pub threads: usize,
    /// Leave out what was delivered later than this.
    pub known_at: Option<Time>,
    /// When credential reports were made that do not tell.
    pub report_time: Option<Time>,
    /// When single reports were made, whatever they tell: the end of each one's path, and the instant.
    pub report_times: Vec<(PathBuf, Time)>,
    /// How many different records are told apart to find those that share an id; two million, when it is not given.
    pub different_max: Option<usize>,
}

impl LoadOptions {
    /// What is said of the time of a report.
    fn said_of(&self, path: &Path) -> Option<Time> {
        self.report_times.iter().find(|(file, _)| path.ends_with(file)).map(|(_, at)| *at)
    }
}

/// How far reading has come, for whoever waits.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Bytes read from the disk.
    pub bytes: Arc<AtomicU64>,
    /// Bytes to read; 0 until that is known.
    pub total: Arc<AtomicU64>,
}

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// Files that were looked into.
    pub files: u64,
    /// Records in them.
    pub records: u64,
    /// Records that differ in id or content; `None` when they are too many to tell.
    pub unique_records: Option<u64>,
    /// Things in the files, by kind.
    pub kinds: BTreeMap<&'static str, u64>,
    /// What was not used, in the order of places; at most ten thousand.
    pub skips: Vec<Skip>,
    /// How many things were not used.
    pub skipped: u64,
    /// How many of them should have been.
    pub unread: u64,
}

impl Inputs {
    /// Whether something that should have been used could not be.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.unread > 0
    }
}

/// Everything that the input says about MFA.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// Events, in the order of the history.
    pub events: Vec<Observed>,
    /// Contradictions that need no history to be seen.
    pub flaws: Vec<Flaw>,
    /// What was read.
    pub inputs: Inputs,
    /// The files.
    pub files: Vec<PathBuf>,
    /// Those of them that hold records or reports, as citations name them: what is said, and what is not, rests on each.
    pub sources: BTreeSet<Arc<str>>,
}

/// Reads files, and folders without following links out of them: CloudTrail records in every shape, and credential
/// reports, each plain or gzip, told by content.
///
/// It does not fail: what cannot be read is among [`Inputs::skips`], and the rest is used.
///
/// ```
/// use countersign_replay::trail::{LoadOptions, Progress, load};
///
/// let loaded = load(&["/nowhere".into()], &LoadOptions::default(), &Progress::default());
/// assert!(loaded.events.is_empty() && loaded.inputs.is_partial());
/// ```
#[must_use]
pub fn load(paths: &[PathBuf], options: &LoadOptions, progress: &Progress) -> Loaded {
    let found = walk::files(paths);
    progress.total.store(found.bytes, Ordering::Relaxed);
    let mut kinds: BTreeMap<&'static str, u64> = BTreeMap::new();
    for skip in &found.skips {
        *kinds.entry(skip.kind).or_default() += 1;
    }
    let mut all = Sifted::default();
    let different = Different::new(options.different_max.unwrap_or(SEEN_MAX));
    found.skips.into_iter().for_each(|skip| all.skip(skip));
    for (part, counted) in read_all(&found.files, &different, options, progress) {
        merge(&mut all, part);
        for (kind, count) in counted {
            *kinds.entry(kind).or_default() += count;
        }
    }
    let undated = undated(&mut all);
    if undated > 0 {
        *kinds.entry("unread").or_default() += undated;
    }
    let records = kinds.get("record").copied().unwrap_or(0);
    let (unique, clashes) = different.told_apart();
    let names = if clashes.is_empty() { HashMap::new() } else { names_of(&all.kept, &found.files, &clashes) };
    all.flaws.extend(clashes.iter().map(|clash| named(clash, &names)));
    all.flaws.sort();
    all.flaws.dedup();
    let mut skips: Vec<Skip> = std::mem::take(&mut all.skips).into_iter().map(|(_, skip)| skip).collect();
    skips.sort();
    let inputs = Inputs {
        files: found.files.len() as u64,
        records,
        unique_records: unique.map(|unique| unique + all.nameless),
        kinds,
        skipped: all.skipped,
        unread: all.unread,
        skips,
    };
    let flaws = std::mem::take(&mut all.flaws);
    let sources = std::mem::take(&mut all.sources);
    Loaded { events: history(all, options.known_at), flaws, inputs, files: found.files, sources }
}

type Counts = BTreeMap<&'static str, u64>;

fn read_all(
    files: &[PathBuf],
    different: &Different,
    options: &LoadOptions,
    progress: &Progress,
) -> Vec<(Sifted, Counts)> {
    let wanted = match options.threads {
        0 => thread::available_parallelism().map_or(1, usize::from),
        count => count,
    };
    let next = AtomicUsize::new(0);
    let collected = Mutex::new(Vec::new());
    let work = || {
        let (mut sifted, mut counts) = (Sifted::default(), Counts::new());
        while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            read_file(path, different, options, progress, (&mut sifted, &mut counts));
        }
        different.add_all(&mut sifted.seen);
        if let Ok(mut collected) = collected.lock() {
            collected.push((sifted, counts));
        }
    };
    thread::scope(|scope| {
        for _ in 1..wanted.min(files.len()).max(1) {
            scope.spawn(work);
        }
        work();
    });
    collected.into_inner().unwrap_or_default()
}

fn read_file(
    path: &Path,
    different: &Different,
    options: &LoadOptions,
    progress: &Progress,
    (into, counts): (&mut Sifted, &mut Counts),
) {
    let delivered = path.file_name().and_then(|name| Time::in_file_name(&name.to_string_lossy()));
    let known_from = options.said_of(path).or(delivered);
    if known_from.zip(options.known_at).is_some_and(|(delivered, known)| delivered > known) {
        *counts.entry("later").or_default() += 1;
        return;
    }
    let source: Arc<str> = Arc::from(path.display().to_string());
    let (before, unread) = (into.skipped, into.unread);
    let mut sieve = Sieve {
        into,
        different,
        source: Arc::clone(&source),
        delivered,
        known_at: options.known_at,
        index: 0,
        kinds: Counts::new(),
        foreign: None,
        made: Made { said: options.said_of(path), named: delivered, otherwise: options.report_time },
    };
    if let Err(why) = read_content(path, progress, &mut sieve) {
        sieve.unread(why);
    }
    let (kinds, foreign) = (std::mem::take(&mut sieve.kinds), sieve.foreign);
    if let Some(passed) = foreign.and_then(|foreign| passed_over(path, foreign, &kinds)) {
        into.skip(passed);
    }
    if kinds.contains_key("record") || kinds.contains_key("credential_report") {
        into.sources.insert(source);
    }
    if kinds.is_empty() && into.skipped == before {
        *counts.entry("no_records").or_default() += 1;
    }
    if into.unread > unread {
        *counts.entry("unread").or_default() += into.unread - unread;
    }
    for (kind, count) in kinds {
        *counts.entry(kind).or_default() += count;
    }
}

/// What is said of the things in a file that are of no kind; a file of nothing else should have been something.
fn passed_over(path: &Path, foreign: Foreign, kinds: &Counts) -> Option<Skip> {
    let others = *kinds.get("other")?;
    if kinds.len() > 1 {
        return Some(Skip::passed(path, "other", &format!("things of no kind that is read here: {others}")));
    }
    Some(match foreign.harmless {
        true => Skip::passed(path, "other", foreign.what),
        false => Skip::unread(path, foreign.what.to_owned()),
    })
}

fn read_content(path: &Path, progress: &Progress, sieve: &mut Sieve<'_>) -> Result<(), String> {
    let mut content = open::text(path, &progress.bytes).map_err(|error| error.to_string())?;
    let beginning = content.fill_buf().map_err(|error| error.to_string())?;
    if credential::begins(beginning) {
        sieve.rows(credential::read(content, &sieve.source, sieve.made.at(None))?);
        return Ok(());
    }
    let odd = match beginning.trim_ascii_start().first() {
        Some(b'{' | b'[') => foreign::OTHER_JSON,
        _ => foreign::of(beginning),
    };
    let document = items::each(content, &mut |item| match item {
        Item::Object(bytes, scanned) => sieve.object(bytes, scanned),
        Item::Other => sieve.other(),
        Item::Unread(why) => sieve.unread(why),
    });
    let kind = match document.map_err(|error| error.to_string())? {
        Document::Empty => "empty",
        Document::Other => {
            sieve.foreign = Some(odd);
            "other"
        }
        Document::Json => return Ok(()),
    };
    *sieve.kinds.entry(kind).or_default() += 1;
    Ok(())
}

fn merge(all: &mut Sifted, part: Sifted) {
    all.kept.extend(part.kept);
    all.rows.extend(part.rows);
    all.flaws.extend(part.flaws);
    all.sources.extend(part.sources);
    all.nameless += part.nameless;
    all.skipped += part.skipped;
    all.unread += part.unread;
    part.skips.into_iter().for_each(|(_, skip)| all.keep(skip));
    for (session, (at, observed)) in part.sessions {
        earliest(&mut all.sessions, at, observed, session);
    }
}

/// Keeps the first record of a session, and of copies that of the first file, whichever was read first.
pub(super) fn earliest(sessions: &mut Sessions, at: Time, observed: Observed, key: (crate::event::Who, Time)) {
    type Rank<'a> = (Time, (&'a Option<Arc<str>>, [u8; 32]), (&'a str, u64));
    fn rank(at: Time, observed: &Observed) -> Rank<'_> {
        let cite = &observed.cite;
        (at, (&cite.event_id, cite.body), (&*cite.source, cite.index))
    }
    let before = sessions.get(&key).is_some_and(|(first, session)| rank(*first, session) <= rank(at, &observed));
    if !before {
        sessions.insert(key, (at, observed));
    }
}

/// Leaves out the reports without a time about which the log goes on later than they were made at the earliest: nobody
/// knows on which side of those records they belong.
fn undated(all: &mut Sifted) -> u64 {
    let mut newest: HashMap<Arc<str>, Observed> = HashMap::new();
    let kept = all.kept.iter().flat_map(|kept| &kept.observed);
    let of_log = kept.chain(all.sessions.values().map(|(_, session)| session));
    for event in of_log.chain(all.rows.iter().filter(|row| row.cite.delivered.is_some())) {
        let Some(account) = event.what.who().map(crate::event::Who::account) else { continue };
        if newest.get(account).is_none_or(|last| last.order(event).is_lt()) {
            newest.insert(Arc::clone(account), event.clone());
        }
    }
    let mut left_out: BTreeSet<Arc<str>> = BTreeSet::new();
    all.rows.retain(|row| {
        let last = row.what.who().and_then(|who| newest.get(who.account()));
        let open = row.cite.delivered.is_none() && last.is_some_and(|last| last.order(row).is_gt());
        if open {
            left_out.insert(Arc::clone(&row.cite.source));
        }
        !open
    });
    for source in &left_out {
        let why = credential::WITHOUT_TIME.to_owned();
        all.skip(Skip { place: source.to_string(), kind: "unread", why, harmless: false });
    }
    left_out.len() as u64
}

/// One of what came twice, the newest of what was amended, and the rest in order.
fn history(mut all: Sifted, known_at: Option<Time>) -> Vec<Observed> {
    let place = |kept: &Kept| (kept.cite.delivered, Arc::clone(&kept.cite.source), kept.cite.index);
    all.kept.sort_by(|a, b| {
        let record = |kept: &Kept| (kept.cite.event_id.clone(), kept.cite.body);
        record(a).cmp(&record(b)).then_with(|| place(a).cmp(&place(b)))
    });
    all.kept.dedup_by(|later, first| {
        first.cite.event_id.is_some()
            && later.cite.event_id == first.cite.event_id
            && later.cite.body == first.cite.body
    });
    let replaced = amend(&mut all.kept);
    let mut sessions = std::mem::take(&mut all.sessions);
    sessions.retain(|_, (_, session)| session.cite.event_id.as_ref().is_none_or(|id| !replaced.contains(id)));
    let mut events = Vec::new();
    for Kept { at, observed, .. } in all.kept {
        for event in observed {
            match &event.what {
                What::MfaUseObserved { who, via: Via::Session { .. }, .. } => {
                    let key = (who.clone(), event.at);
                    earliest(&mut sessions, at, event, key);
                }
                _ => events.push(event),
            }
        }
    }
    events.extend(sessions.into_values().map(|(_, session)| session));
    all.rows.retain(|row| known_at.is_none_or(|known| row.at <= known));
    all.rows.sort_by(|a, b| a.order(b).then_with(|| a.cite.source.cmp(&b.cite.source)));
    all.rows.dedup_by(|later, first| {
        later.at == first.at && later.what == first.what && later.cite.body == first.cite.body
    });
    events.extend(all.rows);
    events.sort_by(Observed::order);
    events
}
