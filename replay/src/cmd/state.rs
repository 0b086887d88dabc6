//! `state`: which principals had which devices, now or at an instant.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use countersign_domain::ids::UnixMillis;
use countersign_replay::own::cmd::{Place, finish, parse_instant};
use countersign_replay::own::cmd_ask::{self, StateArgs};

use super::{Answered, store_of};

/// Says which principals had which devices, now or at an instant.
#[derive(Args)]
pub(crate) struct Ask {
    /// A server's data directory, or a store by itself; of a running server as well.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The store's key file, when it is not in the data directory.
    #[arg(long)]
    keys: Option<PathBuf>,
    /// The instant, such as 2026-05-01T09:45:00Z.
    #[arg(long, value_parser = parse_instant)]
    at: Option<UnixMillis>,
    /// Only this principal: ACCOUNT/NAME#GENERATION, ACCOUNT/root, ACCOUNT/NAME, a name or an immutable id.
    #[arg(long)]
    principal: Option<String>,
    /// Answers in JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(ask: &Ask) -> Answered {
    match store_of(&ask.paths)? {
        Some(dir) => Ok(of_store(ask, dir)),
        None => Ok(of_store(ask, &ask.paths[0])),
    }
}

fn of_store(ask: &Ask, dir: &Path) -> ExitCode {
    let place = Place { dir: dir.to_owned(), keys: ask.keys.clone() };
    let (principal, at, json) = (ask.principal.clone(), ask.at, ask.json);
    finish(cmd_ask::state(&StateArgs { place, principal, at, json }))
}
