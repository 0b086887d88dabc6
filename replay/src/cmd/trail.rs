//! What questions to foreign logs have in common: the input, how it is read, and the exit code.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use countersign_replay::trail::ask::{Integrity, Told, json, plain};
use countersign_replay::trail::{
    Audit, Inputs, LoadOptions, Loaded, Progress, PublicKeys, Signatures, Skip, Time, Verdict, audit, fold, load,
};
use serde::Serialize;

use super::{Answered, FOUND, Failure, UNREADABLE, complain, say};

/// Audit logs, and how to read them.
#[derive(Args)]
pub(crate) struct Input {
    /// CloudTrail files, credential reports, or folders of them.
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Answer from what had been delivered by then, such as 2026-05-01T09:45:00Z.
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    pub(crate) known_at: Option<Time>,
    /// Answer in JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Check the files against the digests among them, with this list of `aws cloudtrail list-public-keys`.
    #[arg(long, value_name = "FILE")]
    pub(crate) public_keys: Option<PathBuf>,
    /// Signatures of digests, which the storage keeps beside them: lines of `KEY SIGNATURE`, or a JSON object.
    #[arg(long, value_name = "FILE", requires = "public_keys")]
    pub(crate) signatures: Option<PathBuf>,
    /// Give no answer that rests on changed or missing files.
    #[arg(long, requires = "public_keys")]
    pub(crate) require_integrity: bool,
}

pub(crate) fn instant(text: &str) -> Result<Time, String> {
    text.parse::<Time>().map_err(|cause| cause.to_string())
}

/// How often the progress is shown anew.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// A history that was told, and how well.
pub(crate) struct Heard {
    pub(crate) told: Told,
    pub(crate) inputs: Inputs,
}

/// Reads the input and tells its history.
pub(crate) fn hear(input: &Input) -> Result<Heard, Failure> {
    hear_of(input, &input.paths)
}

/// Reads some paths of the input and tells their history.
pub(crate) fn hear_of(input: &Input, paths: &[PathBuf]) -> Result<Heard, Failure> {
    let Loaded { events, flaws, inputs, files } = load_with_progress(input, paths);
    for skip in inputs.skips.iter().filter(|skip| !skip.harmless) {
        complain(&plain(&format!("not used: {}: {}", skip.place, skip.why)));
    }
    let named = inputs.skips.len() as u64;
    if inputs.skipped > named {
        complain(&format!("and {} more", inputs.skipped - named));
    }
    let verdicts = check(input, &files)?.map(|audit| audit.verdicts()).unwrap_or_default();
    Ok(Heard { told: Told { history: fold(events), flaws, verdicts }, inputs })
}

/// Checks files against their digests, if that is asked for.
pub(crate) fn check(input: &Input, files: &[PathBuf]) -> Result<Option<Audit>, Failure> {
    let Some(keys) = &input.public_keys else { return Ok(None) };
    let unread = |path: &PathBuf, why: String| Failure::unreadable(plain(&format!("`{}`: {why}", path.display())));
    let keys = PublicKeys::read(keys).map_err(|why| unread(keys, why))?;
    let signatures = match &input.signatures {
        Some(path) => Signatures::read(path).map_err(|why| unread(path, why))?,
        None => Signatures::default(),
    };
    Ok(Some(audit(files, &keys, &signatures)))
}

fn load_with_progress(input: &Input, paths: &[PathBuf]) -> Loaded {
    let options = LoadOptions { known_at: input.known_at, ..LoadOptions::default() };
    let progress = Progress::default();
    if !std::io::stderr().is_terminal() {
        return load(paths, &options, &progress);
    }
    let (done, waits) = channel::<()>();
    let seen = progress.clone();
    let shows = thread::spawn(move || {
        let began = Instant::now();
        while waits.recv_timeout(PROGRESS_EVERY) == Err(RecvTimeoutError::Timeout) {
            show(&seen, began.elapsed());
        }
        let _closed = write!(std::io::stderr(), "\r\x1b[K");
    });
    let loaded = load(paths, &options, &progress);
    drop(done);
    let _shown = shows.join();
    loaded
}

fn show(progress: &Progress, elapsed: Duration) {
    let (bytes, total) = (progress.bytes.load(Ordering::Relaxed), progress.total.load(Ordering::Relaxed));
    let rate = bytes as f64 / elapsed.as_secs_f64().max(0.001);
    let left = (total.saturating_sub(bytes)) as f64 / rate.max(1.0);
    let percent = bytes.saturating_mul(100).checked_div(total).unwrap_or(0).min(100);
    let line = format!("{percent:3} %  {:.0} MB/s  {left:.0} s left", rate / 1e6);
    let _closed = write!(std::io::stderr(), "\r\x1b[K{line}");
}

/// The principals that somebody names, as places in the history.
pub(crate) fn principals(told: &Told, named: &[String]) -> Result<Vec<usize>, Failure> {
    let mut places = Vec::new();
    for words in named {
        let found = told.find(words);
        if found.is_empty() {
            return Err(Failure::usage(format!("no principal `{}` in this input", plain(words))));
        }
        places.extend(found);
    }
    Ok(places)
}

impl Heard {
    /// Notes an argument that is neither a file nor a principal.
    pub(crate) fn absent(&mut self, path: &Path) {
        let (place, why) = (path.display().to_string(), "no such file, and no such principal".to_owned());
        complain(&plain(&format!("not used: {place}: {why}")));
        self.inputs.skips.push(Skip { place, kind: "unread", why, harmless: false });
    }

    /// The exit code when something was found that was asked to fail on.
    pub(crate) fn code_if(&self, found: bool, otherwise: ExitCode) -> ExitCode {
        if found { self.code(true) } else { otherwise }
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

    /// Refuses to answer from files that were changed, if that is asked for.
    pub(crate) fn trusted(&self, input: &Input, integrity: &Integrity) -> Result<(), Failure> {
        if !input.require_integrity || integrity.verdict != Verdict::Invalid {
            return Ok(());
        }
        for file in &integrity.invalid {
            complain(&plain(&format!("invalid: {file}")));
        }
        for object in &integrity.missing {
            complain(&plain(&format!("missing: {object}")));
        }
        Err(Failure::integrity("the files are not what was delivered, so there is no answer"))
    }

    /// The exit code of an answer.
    pub(crate) fn code(&self, found: bool) -> ExitCode {
        if found {
            ExitCode::from(FOUND)
        } else if self.inputs.is_partial() {
            ExitCode::from(UNREADABLE)
        } else {
            ExitCode::SUCCESS
        }
    }
}

impl Heard {
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
