//! `countersign-replay`: asks a store what was true, and whether it is intact. It writes no entry.

use std::path::PathBuf;
use std::process::ExitCode;

use chrono::DateTime;
use clap::{Parser, Subcommand, ValueEnum};
use countersign_domain::ids::UnixMillis;
use countersign_domain::policy::Policy;
use countersign_replay::source::{ReplayError, open};
use countersign_replay::{ask, verify};

/// Exit code when something was found.
const FOUND: u8 = 1;
/// Exit code when the store cannot be read.
const UNREADABLE: u8 = 3;
/// Exit code when the log was changed.
const INTEGRITY: u8 = 4;

/// Asks a Countersign store what was true, and whether it is intact. Stop the server first, or name a
/// copy of its data directory. No entry is written; the log engine may renew its own recovery
/// snapshot, so name a copy where not a byte may change.
#[derive(Parser)]
#[command(name = "countersign-replay", version)]
struct Arguments {
    #[command(subcommand)]
    question: Question,
}

#[derive(Subcommand)]
enum Question {
    /// Checks every checksum, hash, chain and version, and the laws of the history.
    Verify {
        /// The server's data directory.
        dir: PathBuf,
        /// The key file, when it is not in the data directory.
        #[arg(long)]
        keys: Option<PathBuf>,
        /// The policy whose limits the history is held against.
        #[arg(long, value_enum, default_value = "modern")]
        policy: Preset,
    },
    /// Says which principals had which devices, now or at an instant.
    State {
        /// The server's data directory.
        dir: PathBuf,
        /// The key file, when it is not in the data directory.
        #[arg(long)]
        keys: Option<PathBuf>,
        /// The instant, such as 2026-05-01T09:45:00Z.
        #[arg(long, value_parser = instant)]
        at: Option<UnixMillis>,
        /// Answers in JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Preset {
    Classic,
    Modern,
    Strict,
}

fn instant(text: &str) -> Result<UnixMillis, String> {
    let parsed = DateTime::parse_from_rfc3339(text).map_err(|_| "not an instant like 2026-05-01T09:45:00Z")?;
    let millis = u64::try_from(parsed.timestamp_millis()).map_err(|_| "before 1970")?;
    Ok(UnixMillis(millis))
}

fn main() -> ExitCode {
    let answered = match Arguments::parse().question {
        Question::Verify { dir, keys, policy } => open(&dir, keys.as_deref()).map(|journal| {
            let policy = match policy {
                Preset::Classic => Policy::classic(),
                Preset::Modern => Policy::modern(),
                Preset::Strict => Policy::strict(),
            };
            let report = verify::verify(&*journal, &policy);
            say(&report.to_string());
            match (report.is_clean(), report.bytes.is_ok() && report.unread.is_none()) {
                (true, _) => ExitCode::SUCCESS,
                (false, true) => ExitCode::from(FOUND),
                (false, false) => ExitCode::from(INTEGRITY),
            }
        }),
        Question::State { dir, keys, at, json } => {
            open(&dir, keys.as_deref()).and_then(|journal| show_state(&ask::state(&*journal, at)?, json))
        }
    };
    answered.unwrap_or_else(|error| {
        complain(&error.to_string());
        ExitCode::from(if error.is_damage() { INTEGRITY } else { UNREADABLE })
    })
}

fn show_state(answer: &ask::StateAnswer, json: bool) -> Result<ExitCode, ReplayError> {
    if json {
        let text = serde_json::to_string_pretty(answer).map_err(|cause| ReplayError::Event(cause.to_string()))?;
        say(&text);
        return Ok(ExitCode::SUCCESS);
    }
    for principal in &answer.principals {
        let ask::PrincipalState { account, name, status, devices, citations, .. } = principal;
        say(&format!("{account}  {name:<24} {status:<9} {}  entries {citations:?}", devices.join(" ")));
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes a line to standard output; a reader that went away is no error.
fn say(line: &str) {
    use std::io::Write;
    let _closed = writeln!(std::io::stdout(), "{line}");
}

fn complain(line: &str) {
    use std::io::Write;
    let _closed = writeln!(std::io::stderr(), "countersign-replay: {line}");
}
