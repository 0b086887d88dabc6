//! What questions to every kind of log have in common: the input, how it is read, and the exit code.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use clap::builder::{PathBufValueParser, TypedValueParser};
use countersign_domain::ids::UnixMillis;
use countersign_replay::ask::{Integrity, Told, json};
use countersign_replay::fold::{FindingKind, Keep, fold};
use countersign_replay::own::tell::{Details, told, told_of};
use countersign_replay::own::{Entries, Kind, OwnStore, kind_of};
use countersign_replay::time::Time;
use countersign_replay::trail::{Audit, Inputs, LoadOptions, Loaded, PublicKeys, Signatures, Skip, Verdict, audit};
use serde::Serialize;

use super::progress::load_with_progress;
use super::stores::note;
use super::{Answered, Ended, Failure, complain, say};

/// Logs, and how to read them.
#[derive(Args)]
pub(crate) struct Input {
    /// Countersign stores or data directories, CloudTrail files, credential reports, or folders of them. A pipe that is
    /// named is read; `-` is standard input.
    #[arg(required = true, value_name = "PATH", value_parser = PathBufValueParser::new().map(standard_input))]
    pub(crate) paths: Vec<PathBuf>,
    /// Answer from what had been delivered by then, such as 2026-05-01T09:45:00Z.
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    pub(crate) known_at: Option<Time>,
    /// When a credential report was made: of one file, or of all that do not tell by themselves or by their names.
    #[arg(long, value_name = "[FILE=]INSTANT", value_parser = report_time)]
    report_time: Vec<(Option<PathBuf>, Time)>,
    /// Answer in JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// The key file of a store, when it is not beside it. Without any, what is sealed is named as such.
    #[arg(long, value_name = "FILE")]
    pub(crate) keys: Option<PathBuf>,
    /// Check audit logs against the digests among them, with this list of `aws cloudtrail list-public-keys`.
    #[arg(long, value_name = "FILE")]
    pub(crate) public_keys: Option<PathBuf>,
    /// Signatures of digests, which the storage keeps beside them: lines of `KEY SIGNATURE`, or a JSON object.
    #[arg(long, value_name = "FILE", requires = "public_keys")]
    pub(crate) signatures: Option<PathBuf>,
    /// Give no answer unless valid digests vouch for every file behind it, and none is changed or missing.
    #[arg(long)]
    pub(crate) require_integrity: bool,
}

/// Standard input by its usual name.
pub(crate) fn standard_input(path: PathBuf) -> PathBuf {
    if path.as_os_str() == "-" { PathBuf::from("/dev/stdin") } else { path }
}

/// Refuses a range that ends before it begins: a slip would look like nothing found.
pub(crate) fn range(from: Option<Time>, to: Option<Time>) -> Result<(), Failure> {
    match from.zip(to) {
        Some((from, to)) if from > to => {
            Err(Failure::usage(format!("the range from {from} ends before it begins, at {to}")))
        }
        _ => Ok(()),
    }
}

/// Reads an instant of the command line.
pub(crate) fn instant(text: &str) -> Result<Time, String> {
    text.parse::<Time>().map_err(|cause| cause.to_string())
}

/// Reads an instant, and the file that it is of.
fn report_time(text: &str) -> Result<(Option<PathBuf>, Time), String> {
    match text.rsplit_once('=') {
        Some(("", _)) => Err("no file before `=`".to_owned()),
        Some((file, at)) => Ok((Some(PathBuf::from(file)), instant(at)?)),
        None => Ok((None, instant(text)?)),
    }
}

/// An instant of our own log, whose clock begins in 1970.
pub(crate) fn own_instant(at: Option<Time>) -> Result<Option<UnixMillis>, Failure> {
    let own = at.map(|at| u64::try_from(at.0).map(UnixMillis)).transpose();
    own.map_err(|_| Failure::usage("our own log has no instant before 1970"))
}

/// Whether a path is a store, or what a store was.
pub(crate) fn is_store(path: &Path) -> bool {
    !matches!(kind_of(path), Kind::Other)
}

/// Where a store lies, by whatever path it was named.
fn whole_path(path: &Path) -> Option<PathBuf> {
    match kind_of(path) {
        Kind::DataDirectory { store, .. } | Kind::Store { store, .. } | Kind::Foreign { store, .. } => {
            store.canonicalize().ok()
        }
        Kind::Other => None,
    }
}

impl Input {
    /// The stores among the paths, each once however often it is named, and the other paths.
    pub(crate) fn split(&self) -> (Vec<&PathBuf>, Vec<PathBuf>) {
        let (mut stores, files): (Vec<&PathBuf>, Vec<&PathBuf>) = self.paths.iter().partition(|path| is_store(path));
        let mut seen = BTreeSet::new();
        stores.retain(|path| whole_path(path).is_none_or(|whole| seen.insert(whole)));
        (stores, files.into_iter().cloned().collect())
    }

    /// How audit logs are read.
    fn options(&self) -> Result<LoadOptions, Failure> {
        let of_all = self.report_time.iter().filter(|(file, _)| file.is_none()).map(|(_, at)| *at);
        let of_all: Vec<Time> = of_all.collect();
        if of_all.len() > 1 {
            return Err(Failure::usage("one time is given for all reports, and others as FILE=INSTANT"));
        }
        let report_times = self.report_time.iter().filter_map(|(file, at)| Some((file.clone()?, *at))).collect();
        let report_time = of_all.first().copied();
        Ok(LoadOptions { known_at: self.known_at, report_time, report_times, ..LoadOptions::default() })
    }

    /// Opens a store.
    pub(crate) fn open(&self, path: &Path) -> Result<OwnStore, Failure> {
        Ok(OwnStore::open(path, self.keys.as_deref())?)
    }
}

/// What of our own log is told.
#[derive(Clone, Copy)]
pub(crate) enum Own<'a> {
    /// Everything that changes states, and these details.
    Of(Keep, Details<'a>),
    /// The details of the principals whom somebody means by these words.
    Principal(&'a str),
}

/// A history that was told, and how well.
pub(crate) struct Heard {
    pub(crate) told: Told,
    pub(crate) inputs: Inputs,
    /// Whether a store is not what was written.
    damaged: bool,
}

/// Reads the input and tells its history.
pub(crate) fn hear(input: &Input, own: Own<'_>) -> Result<Heard, Failure> {
    let (stores, files) = input.split();
    let mut heard = hear_files(input, &files)?;
    let until = own_instant(input.known_at)?;
    for path in stores {
        let store = input.open(path)?;
        let of_store = match own {
            Own::Of(keep, details) => told(&store, until, keep, details)?,
            Own::Principal(words) => told_of(&store, until, words)?,
        };
        heard.count(&store);
        heard.store(of_store);
    }
    Ok(heard)
}

/// Reads audit logs and tells their history.
pub(crate) fn hear_files(input: &Input, files: &[PathBuf]) -> Result<Heard, Failure> {
    if files.is_empty() {
        return Ok(Heard { told: Told::default(), inputs: Inputs::default(), damaged: false });
    }
    if input.require_integrity && input.public_keys.is_none() {
        return Err(Failure::usage("the integrity of audit logs is checked with --public-keys"));
    }
    let options = input.options()?;
    let Loaded { events, flaws, inputs, files, sources } = load_with_progress(files, &options);
    for skip in inputs.skips.iter().filter(|skip| !skip.harmless) {
        complain(&format!("not used: {}: {}", skip.place, skip.why));
    }
    let named = inputs.skips.iter().filter(|skip| !skip.harmless).count() as u64;
    if inputs.unread > named {
        complain(&format!("not used: {} more", inputs.unread - named));
    }
    if inputs.unique_records.is_none() {
        complain("too many records to look for different ones of the same id");
    }
    let not_looked_for = inputs.unique_records.is_none().then_some(FindingKind::SameEventIdDifferentBody);
    if let Some((unheard, _)) = options.report_times.iter().find(|(of, _)| !files.iter().any(|file| file.ends_with(of)))
    {
        return Err(Failure::usage(format!("no file `{}` in this input, whose time is given", unheard.display())));
    }
    let verdicts = check(input, &files)?.map(|audit| audit.verdicts()).unwrap_or_default();
    let not_looked_for = not_looked_for.into_iter().collect();
    let told = Told { history: fold(events), flaws, verdicts, sources, not_looked_for, ..Told::default() };
    Ok(Heard { told, inputs, damaged: false })
}

/// Checks files against their digests, if that is asked for.
pub(crate) fn check(input: &Input, files: &[PathBuf]) -> Result<Option<Audit>, Failure> {
    let Some(keys) = &input.public_keys else { return Ok(None) };
    let unread = |path: &PathBuf, why: String| Failure::unreadable(format!("`{}`: {why}", path.display()));
    let keys = PublicKeys::read(keys).map_err(|why| unread(keys, why))?;
    let signatures = match &input.signatures {
        Some(path) => Signatures::read(path).map_err(|why| unread(path, why))?,
        None => Signatures::default(),
    };
    Ok(Some(audit(files, &keys, &signatures)))
}

/// The principals that somebody names, as places in the history.
pub(crate) fn principals(told: &Told, named: &[String]) -> Result<Vec<usize>, Failure> {
    let mut places = Vec::new();
    for words in named {
        let found = told.find(words);
        if found.is_empty() {
            return Err(Failure::usage(format!("no principal `{words}` in this input")));
        }
        places.extend(found);
    }
    Ok(places)
}

/// Refuses a page for standard output when a page is among the inputs: then its name was meant for the page.
pub(crate) fn page_is_named(page: Option<&Path>, inputs: &[PathBuf]) -> Result<(), Failure> {
    let is_page = |path: &&PathBuf| path.extension().is_some_and(|of| of.eq_ignore_ascii_case("html"));
    let meant = page.filter(|page| page.as_os_str() == "-").and_then(|_| inputs.iter().find(is_page));
    meant.map_or(Ok(()), |path| {
        let path = path.display();
        Err(Failure::usage(format!("`{path}` is a page and no log; to write it, say `--html={path}`")))
    })
}

impl Heard {
    fn count(&mut self, store: &OwnStore) {
        let entries = store.head().0;
        self.inputs.files += 1;
        self.inputs.records += entries;
        *self.inputs.kinds.entry("own_entry").or_default() += entries;
    }

    /// Adds what a store tells, and says what of it is amiss or could not be looked into.
    pub(crate) fn store(&mut self, told: Told) {
        for damage in told.verdicts.files.keys() {
            complain(&format!("changed: {damage}"));
            self.damaged = true;
        }
        note(told.sealed);
        self.told = std::mem::take(&mut self.told).beside(told);
    }

    /// Notes an argument that is neither a file nor a principal.
    pub(crate) fn absent(&mut self, path: &Path) {
        let (place, why) = (path.display().to_string(), "no such file, and no such principal".to_owned());
        complain(&format!("not used: {place}: {why}"));
        self.inputs.unread += 1;
        self.inputs.skips.push(Skip { place, kind: "unread", why, harmless: false });
    }

    /// The exit code when something was found that was asked to fail on, or was not looked for.
    pub(crate) fn code_if(&self, found: bool, missed: bool, otherwise: ExitCode) -> ExitCode {
        if found || missed { self.code_of(found, missed) } else { otherwise }
    }

    /// Shows an answer that rests on some files, and says how it went.
    pub(crate) fn answer(
        &self,
        input: &Input,
        integrity: &Integrity,
        answer: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> Answered {
        self.trusted(input, integrity)?;
        match input.json {
            true => say(&json(answer).map_err(|cause| Failure::unreadable(cause.to_string()))?),
            false => {
                say(text().trim_end());
                if input.public_keys.is_some() {
                    say(&format!("\nintegrity: {}", integrity.verdict.name()));
                }
            }
        }
        Ok(self.code(false))
    }

    /// Refuses to answer from files that were changed, or that nothing vouches for, if that is asked for.
    pub(crate) fn trusted(&self, input: &Input, integrity: &Integrity) -> Result<(), Failure> {
        if !input.require_integrity || integrity.verdict == Verdict::Valid {
            return Ok(());
        }
        if integrity.verdict == Verdict::NotCovered {
            let why = "no digest that holds vouches for everything behind the answer, so there is none";
            return Err(Failure::integrity(format!("{why}; `countersign-replay verify` tells file by file")));
        }
        for file in &integrity.invalid {
            complain(&format!("invalid: {file}"));
        }
        for object in &integrity.missing {
            complain(&format!("missing: {object}"));
        }
        Err(Failure::integrity("the files are not what was delivered, so there is no answer"))
    }

    /// The exit code of an answer.
    pub(crate) fn code(&self, found: bool) -> ExitCode {
        self.code_of(found, false)
    }

    fn code_of(&self, found: bool, missed: bool) -> ExitCode {
        let verdicts = &self.told.verdicts;
        let changed = verdicts.files.values().any(|(verdict, _)| *verdict == Verdict::Invalid);
        let changed = self.damaged || changed || !verdicts.missing.is_empty();
        Ended { changed, partial: missed || self.inputs.is_partial(), found }.code()
    }

    /// Writes a page to a file, or to standard output.
    pub(crate) fn page(&self, file: &Path, page: Result<String, String>) -> Answered {
        let page = page.map_err(Failure::unreadable)?;
        if file.as_os_str() == "-" {
            say(page.trim_end());
        } else {
            let unwritten = |error: std::io::Error| Failure::unreadable(format!("`{}`: {error}", file.display()));
            std::fs::write(file, page).map_err(unwritten)?;
        }
        Ok(self.code(false))
    }
}
