//! `verify`: whether a log is what was written.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use countersign_domain::policy::Policy;
use countersign_replay::source::open;
use countersign_replay::trail::ask::json;
use countersign_replay::trail::files_of;
use countersign_replay::verify;

use super::trail::{self, Input};
use super::{Answered, FOUND, Failure, INTEGRITY, say, store_of};

/// Checks whether a log is what was written: every checksum, hash, chain and version of a store, and the laws of its
/// history; or the chain of CloudTrail's digests, with --public-keys.
#[derive(Args)]
pub(crate) struct Ask {
    #[command(flatten)]
    input: Input,
    /// The store's key file, when it is not in the data directory.
    #[arg(long)]
    keys: Option<PathBuf>,
    /// The policy whose limits a store's history is held against.
    #[arg(long, value_enum, default_value = "modern")]
    policy: Preset,
}

#[derive(Clone, Copy, ValueEnum)]
enum Preset {
    Classic,
    Modern,
    Strict,
}

pub(crate) fn run(ask: &Ask) -> Answered {
    match store_of(&ask.input.paths)? {
        Some(dir) => of_store(ask, dir),
        None if ask.input.public_keys.is_some() => of_files(&ask.input),
        None => of_store(ask, &ask.input.paths[0]),
    }
}

fn of_files(input: &Input) -> Answered {
    let files = files_of(&input.paths);
    let audit = trail::check(input, &files)?.unwrap_or_default();
    match input.json {
        true => say(&json(&audit).map_err(|cause| Failure::unreadable(cause.to_string()))?),
        false => say(audit.text().trim_end()),
    }
    Ok(if audit.is_invalid() { ExitCode::from(INTEGRITY) } else { ExitCode::SUCCESS })
}

fn of_store(ask: &Ask, dir: &Path) -> Answered {
    let journal = open(dir, ask.keys.as_deref())?;
    let policy = match ask.policy {
        Preset::Classic => Policy::classic(),
        Preset::Modern => Policy::modern(),
        Preset::Strict => Policy::strict(),
    };
    let report = verify::verify(&*journal, &policy);
    say(&report.to_string());
    Ok(match (report.is_clean(), report.bytes.is_ok() && report.unread.is_none()) {
        (true, _) => ExitCode::SUCCESS,
        (false, true) => ExitCode::from(FOUND),
        (false, false) => ExitCode::from(INTEGRITY),
    })
}
