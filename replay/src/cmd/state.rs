//! `state`: who had MFA, now or at an instant.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use countersign_domain::ids::UnixMillis;
use countersign_replay::ask;
use countersign_replay::source::open;
use countersign_replay::trail::Time;
use countersign_replay::trail::ask::{StateQuery, state};

use super::trail::{self, Input, instant};
use super::{Answered, Failure, say, store_of};

/// Says who had MFA and which devices, now or at an instant: enabled, disabled, unknown, deleted or nonexistent.
#[derive(Args)]
pub(crate) struct Ask {
    #[command(flatten)]
    input: Input,
    /// The instant, such as 2026-05-01T09:45:00Z.
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    at: Option<Time>,
    /// Only this principal: an id, `ACCOUNT/NAME`, a name, or a unique id. May be given several times.
    #[arg(long = "principal", value_name = "PRINCIPAL")]
    principals: Vec<String>,
    /// The store's key file, when it is not in the data directory.
    #[arg(long)]
    keys: Option<PathBuf>,
}

pub(crate) fn run(ask: &Ask) -> Answered {
    if let Some(dir) = store_of(&ask.input.paths)? {
        return of_store(ask, dir);
    }
    let heard = trail::hear(&ask.input)?;
    let only = match ask.principals.as_slice() {
        [] => None,
        named => Some(trail::principals(&heard.told, named)?),
    };
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
