//! `state`: who had MFA, now or at an instant.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use countersign_domain::ids::UnixMillis;
use countersign_replay::ask;
use countersign_replay::source::open;
use countersign_replay::trail::Time;
use countersign_replay::trail::ask::{StateQuery, plain, state};

use super::trail::{self, Input, instant};
use super::{Answered, Failure, say, store_of};

/// Says who had MFA and which devices, now or at an instant: enabled, disabled, unknown, deleted or nonexistent.
///
/// An argument that is no file names a principal: an id, `ACCOUNT/NAME`, a name, or a unique id. Then only such
/// principals are shown.
#[derive(Args)]
pub(crate) struct Ask {
    #[command(flatten)]
    input: Input,
    /// The instant, such as 2026-05-01T09:45:00Z.
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    at: Option<Time>,
    /// The store's key file, when it is not in the data directory.
    #[arg(long)]
    keys: Option<PathBuf>,
}

pub(crate) fn run(ask: &Ask) -> Answered {
    if let Some(dir) = store_of(&ask.input.paths)? {
        return of_store(ask, dir);
    }
    let (paths, words): (Vec<PathBuf>, Vec<PathBuf>) = ask.input.paths.iter().cloned().partition(|path| path.exists());
    if paths.is_empty() {
        return Err(Failure::unreadable(plain(&format!("`{}`: no such file", words[0].display()))));
    }
    let mut heard = trail::hear_of(&ask.input, &paths)?;
    let mut named = Vec::new();
    for word in &words {
        match heard.told.find(&word.to_string_lossy()).as_slice() {
            [] => heard.absent(word),
            found => named.extend_from_slice(found),
        }
    }
    let only = (!named.is_empty()).then_some(named);
    let answer = state(&heard.told, &StateQuery { at: ask.at, only });
    heard.answer(&ask.input, &answer.integrity, &answer, || answer.text())
}

fn of_store(question: &Ask, dir: &Path) -> Answered {
    let journal = open(dir, question.keys.as_deref())?;
    let at = question.at.map(|at| u64::try_from(at.0).map(UnixMillis)).transpose();
    let answer = ask::state(&*journal, at.map_err(|_| Failure::usage("before 1970"))?)?;
    if question.input.json {
        say(&serde_json::to_string_pretty(&answer).map_err(|cause| Failure::unreadable(cause.to_string()))?);
        return Ok(ExitCode::SUCCESS);
    }
    for principal in &answer.principals {
        let ask::PrincipalState { account, name, status, devices, citations, .. } = principal;
        say(&format!("{account}  {name:<24} {status:<9} {}  entries {citations:?}", devices.join(" ")));
    }
    Ok(ExitCode::SUCCESS)
}
