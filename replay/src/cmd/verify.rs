//! `verify`: whether a log is what was written.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use countersign_domain::policy::Policy;
use countersign_replay::source::open;
use countersign_replay::verify;

use super::{Answered, FOUND, INTEGRITY, say};

/// Checks every checksum, hash, chain and version of a store, and the laws of its history.
#[derive(Args)]
pub(crate) struct Ask {
    /// The server's data directory. Stop the server first, or name a copy.
    dir: PathBuf,
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
    let journal = open(&ask.dir, ask.keys.as_deref())?;
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
