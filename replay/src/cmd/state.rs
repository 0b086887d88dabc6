//! `state`: which principals had which devices, now or at an instant.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chrono::DateTime;
use clap::Args;
use countersign_domain::ids::UnixMillis;
use countersign_replay::ask;
use countersign_replay::source::open;

use super::{Answered, Failure, say, store_of};

/// Says which principals had which devices, now or at an instant.
#[derive(Args)]
pub(crate) struct Ask {
    /// A server's data directory, stopped or a copy.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The store's key file, when it is not in the data directory.
    #[arg(long)]
    keys: Option<PathBuf>,
    /// The instant, such as 2026-05-01T09:45:00Z.
    #[arg(long, value_parser = instant)]
    at: Option<UnixMillis>,
    /// Answers in JSON.
    #[arg(long)]
    json: bool,
}

fn instant(text: &str) -> Result<UnixMillis, String> {
    let parsed = DateTime::parse_from_rfc3339(text).map_err(|_| "not an instant like 2026-05-01T09:45:00Z")?;
    let millis = u64::try_from(parsed.timestamp_millis()).map_err(|_| "before 1970")?;
    Ok(UnixMillis(millis))
}

pub(crate) fn run(ask: &Ask) -> Answered {
    match store_of(&ask.paths)? {
        Some(dir) => of_store(ask, dir),
        None => of_store(ask, &ask.paths[0]),
    }
}

fn of_store(question: &Ask, dir: &Path) -> Answered {
    let journal = open(dir, question.keys.as_deref())?;
    let answer = ask::state(&*journal, question.at)?;
    if question.json {
        say(&serde_json::to_string_pretty(&answer).map_err(|cause| Failure::unreadable(cause.to_string()))?);
        return Ok(ExitCode::SUCCESS);
    }
    for principal in &answer.principals {
        let ask::PrincipalState { account, name, status, devices, citations, .. } = principal;
        say(&format!("{account}  {name:<24} {status:<9} {}  entries {citations:?}", devices.join(" ")));
    }
    Ok(ExitCode::SUCCESS)
}
