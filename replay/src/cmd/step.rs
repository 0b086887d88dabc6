//! `step`: a walk through the log.

use std::io::{BufReader, IsTerminal, stdin, stdout};
use std::process::ExitCode;

use clap::Args;
use countersign_replay::own::step::Walk;

use super::Answered;
use super::stores::Place;

/// Walks through the log command by command: next, back, goto, break, continue, show. Orders are read from standard input;
/// `help` lists them.
#[derive(Args)]
pub(crate) struct Ask {
    #[command(flatten)]
    place: Place,
}

pub(crate) fn run(ask: &Ask) -> Answered {
    let store = ask.place.open()?;
    let prompt = stdin().is_terminal().then_some("> ");
    Walk::new(&store).run(BufReader::new(stdin().lock()), &mut stdout().lock(), prompt)?;
    Ok(ExitCode::SUCCESS)
}
