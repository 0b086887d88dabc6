//! The chain of digests, checked offline: each file is valid, invalid or not covered.
//!
//! A digest is valid when its own signature holds, or when a valid successor has its hash. The signature of a digest
//! is in a list, or in its successor: a copy of a bucket lacks only the newest of each chain. A log file is valid when
//! a valid digest has its hash. Words are those of the platform's own online check.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde::Serialize;

use super::digest::{Checked, DigestFile, LogEntry, PublicKeys, Signatures, base, hash_of};
use super::spans::{self, ChainRow, chain_of};
use super::verdict::{Verdict, Verdicts};
use crate::trail::input::can_be_read_again;

const MISMATCH: &str = "hash value doesn't match";
const BAD_SIGNATURE: &str = "signature verification failed";
const NO_KEY: &str = "public key not found";
const NO_SIGNATURE: &str = "no signature known";
const READ_ONCE: &str = "not a file, and read once only";
const NO_DIGEST: &str = "no digest names it";

/// What a check of the chain found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Audit {
    /// Version of this form.
    pub schema: u32,
    /// Digest files.
    pub digests: Vec<AuditRow>,
    /// Every other file.
    pub logs: Vec<AuditRow>,
    /// Log files and digests that a digest names and that are not there.
    pub missing: Vec<String>,
    /// What time the valid digests cover, chain by chain.
    pub chains: Vec<ChainRow>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct AuditRow {
    /// The file.
    pub file: String,
    /// Whether it is what was delivered.
    pub verdict: Verdict,
    /// Why, in a few words.
    pub reason: String,
}

impl Audit {
    /// Whether something is not what was delivered, or is missing.
    #[must_use]
    pub fn is_invalid(&self) -> bool {
        let changed = self.digests.iter().chain(&self.logs).any(|row| row.verdict == Verdict::Invalid);
        changed || !self.missing.is_empty()
    }

    /// The verdicts, for answers.
    #[must_use]
    pub fn verdicts(&self) -> Verdicts {
        let mut files: BTreeMap<String, (Verdict, String)> = BTreeMap::new();
        for row in self.digests.iter().chain(&self.logs) {
            // Names that are no UTF-8 may be shown alike: then each of them is as good as the worst.
            let known = files.entry(row.file.clone()).or_insert_with(|| (row.verdict, row.reason.clone()));
            if row.verdict < known.0 {
                *known = (row.verdict, row.reason.clone());
            }
        }
        Verdicts { files, missing: self.missing.clone() }
    }
}

/// Checks files against the digests among them.
#[must_use]
pub fn audit(files: &[PathBuf], keys: &PublicKeys, signatures: &Signatures) -> Audit {
    let read = |path: &Path| if can_be_read_again(path) { DigestFile::read(path) } else { None };
    let found = each(files, |path| Some((path.to_owned(), read(path)?)));
    let (own, digests): (BTreeSet<PathBuf>, Vec<DigestFile>) = found.into_iter().flatten().unzip();
    let chain = Chain::new(&digests, keys, signatures);
    let states = chain.states();
    let logs: Vec<&PathBuf> = files.iter().filter(|path| !own.contains(*path)).collect();
    let mut named: HashMap<&str, Vec<(&LogEntry, Verdict)>> = HashMap::new();
    for (digest, (verdict, _)) in digests.iter().zip(&states) {
        for log in &digest.logs {
            named.entry(base(&log.object)).or_default().push((log, *verdict));
        }
    }
    let judged = each(&logs, |path| Some(judge(path, &named)));
    let mut logs: Vec<AuditRow> = judged.into_iter().flatten().collect();
    logs.sort();
    let present: BTreeSet<&str> = files.iter().filter_map(|path| path.file_name()?.to_str()).collect();
    let rows = digests.iter().zip(&states);
    let mut rows: Vec<AuditRow> = rows
        .map(|(digest, (verdict, reason))| AuditRow {
            file: digest.path.clone(),
            verdict: *verdict,
            reason: (*reason).to_owned(),
        })
        .collect();
    rows.sort();
    let chains = spans::chains(&digests, &states);
    Audit { schema: 1, digests: rows, logs, missing: missing(&digests, &states, &present), chains }
}

/// Runs something on every file, on all processors, in the order of the files.
fn each<P: AsRef<Path> + Sync, T: Send>(files: &[P], work: impl Fn(&Path) -> Option<T> + Sync) -> Vec<Option<T>> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(BTreeMap::new());
    let run = || {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = files.get(place) else { break };
            if let (Some(found), Ok(mut done)) = (work(path.as_ref()), done.lock()) {
                done.insert(place, found);
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(files.len());
    thread::scope(|scope| {
        for _ in 1..threads.max(1) {
            scope.spawn(run);
        }
        run();
    });
    done.into_inner().unwrap_or_default().into_values().map(Some).collect()
}

fn judge(path: &Path, named: &HashMap<&str, Vec<(&LogEntry, Verdict)>>) -> AuditRow {
    let file = path.display().to_string();
    let row = |verdict, reason: &str| AuditRow { file: path.display().to_string(), verdict, reason: reason.to_owned() };
    if !can_be_read_again(path) {
        return row(Verdict::NotCovered, READ_ONCE);
    }
    let Some(entries) = named.get(base(&file)) else { return row(Verdict::NotCovered, NO_DIGEST) };
    let hash = match hash_of(path) {
        Ok(hash) => hash,
        Err(_) => return row(Verdict::Invalid, "invalid format"),
    };
    let same = entries.iter().filter(|(log, _)| log.hash == hash).map(|(_, verdict)| *verdict).max();
    match same {
        Some(Verdict::Valid) => row(Verdict::Valid, "a signed digest has its hash"),
        Some(_) => row(Verdict::NotCovered, "only digests that are not valid have its hash"),
        None => row(Verdict::Invalid, MISMATCH),
    }
}

fn missing(digests: &[DigestFile], states: &[State], present: &BTreeSet<&str>) -> Vec<String> {
    let valid = digests.iter().zip(states).filter(|(_, (verdict, _))| *verdict == Verdict::Valid);
    let logs = valid.flat_map(|(digest, _)| digest.logs.iter().map(|log| &log.object));
    let absent: BTreeSet<&String> = logs.filter(|object| !present.contains(base(object))).collect();
    let mut missing: Vec<String> = absent.into_iter().cloned().collect();
    missing.extend(holes(digests, states));
    missing
}

/// Digests that a present one follows and that are gone, although older ones are there: a hole in a chain. A chain
/// whose beginning was never copied has no hole, and only one that is valid says what came before it.
fn holes(digests: &[DigestFile], states: &[State]) -> Vec<String> {
    let known: BTreeSet<&str> = digests.iter().map(|digest| digest.object.as_str()).collect();
    let valid = digests.iter().zip(states).filter(|(_, (verdict, _))| *verdict == Verdict::Valid);
    let mut begin: HashMap<(&str, &str), &str> = HashMap::new();
    for digest in digests {
        let first = begin.entry(chain_of(&digest.object)).or_insert(&digest.end_text);
        *first = digest.end_text.as_str().min(first);
    }
    let later = valid
        .map(|(digest, _)| digest)
        .filter(|digest| begin.get(&chain_of(&digest.object)).is_some_and(|first| *first < digest.end_text.as_str()));
    let absent = later.filter_map(|digest| digest.previous_object.clone());
    absent.filter(|object| !known.contains(object.as_str())).collect()
}

/// What is known of a digest, and why.
pub(super) type State = (Verdict, &'static str);

struct Chain<'a> {
    digests: &'a [DigestFile],
    keys: &'a PublicKeys,
    signatures: &'a Signatures,
    /// The digest that follows another, by the other's object.
    next: HashMap<&'a str, Vec<usize>>,
}

impl<'a> Chain<'a> {
    fn new(digests: &'a [DigestFile], keys: &'a PublicKeys, signatures: &'a Signatures) -> Self {
        let mut next: HashMap<&str, Vec<usize>> = HashMap::new();
        for (place, digest) in digests.iter().enumerate() {
            if let Some(previous) = &digest.previous_object {
                next.entry(previous).or_default().push(place);
            }
        }
        Self { digests, keys, signatures, next }
    }

    fn states(&self) -> Vec<State> {
        let mut states: Vec<State> = vec![(Verdict::NotCovered, NO_SIGNATURE); self.digests.len()];
        // Newest first: a successor that holds vouches for a digest, one that does not says nothing.
        let mut order: Vec<usize> = (0..self.digests.len()).collect();
        order.sort_by(|a, b| self.digests[*b].end_text.cmp(&self.digests[*a].end_text));
        for place in order {
            let digest = &self.digests[place];
            let mut state = self.by_signature(digest, &states);
            for follower in self.followers(digest).filter(|follower| states[*follower].0 == Verdict::Valid) {
                match &self.digests[follower].previous_hash {
                    Some(hash) if *hash != digest.hash => state = (Verdict::Invalid, MISMATCH),
                    Some(_) if state.0 == Verdict::NotCovered => {
                        state = (Verdict::Valid, "a valid successor has its hash");
                    }
                    _ => {}
                }
            }
            states[place] = state;
        }
        states
    }

    fn followers(&self, digest: &DigestFile) -> impl Iterator<Item = usize> {
        self.next.get(digest.object.as_str()).into_iter().flatten().copied()
    }

    fn by_signature(&self, digest: &DigestFile, states: &[State]) -> State {
        let listed = self.signatures.of(&digest.object).map(|signature| (signature, true));
        // A signature that holds speaks for itself; one that does not, only when who brings it is believed.
        let followers = self.followers(digest).filter_map(|place| {
            let signature = self.digests[place].previous_signature.as_deref()?;
            Some((signature, states[place].0 == Verdict::Valid))
        });
        let mut state = (Verdict::NotCovered, NO_SIGNATURE);
        for (signature, believed) in listed.into_iter().chain(followers) {
            match self.keys.check(digest, signature) {
                Checked::Holds => return (Verdict::Valid, "its signature holds"),
                Checked::Fails if believed => state = (Verdict::Invalid, BAD_SIGNATURE),
                Checked::Fails => {}
                Checked::NoKey if state.0 != Verdict::Invalid => state = (Verdict::NotCovered, NO_KEY),
                Checked::NoKey => {}
            }
        }
        state
    }
}

impl Audit {
    /// The answer as text.
    #[must_use]
    pub fn text(&self) -> String {
        let cells = |row: &AuditRow| vec![row.verdict.name().to_owned(), row.file.clone(), row.reason.clone()];
        let mut rows: Vec<Vec<String>> = self.digests.iter().chain(&self.logs).map(cells).collect();
        let lost = |object: &String| vec!["missing".to_owned(), object.clone(), "not found".to_owned()];
        rows.extend(self.missing.iter().map(lost));
        let files = crate::ask::table(&["VERDICT", "FILE", "REASON"], &rows);
        if self.chains.is_empty() { files } else { format!("{files}\n{}", spans::text(&self.chains)) }
    }
}
