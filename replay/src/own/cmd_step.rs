//! The subcommand `step`.

use std::io::{BufReader, IsTerminal, stdin, stdout};

use clap::Args;

use super::cmd::{Output, Place};
use super::error::OwnError;
use super::step::Walk;

/// Walks through the log command by command: next, back, goto, break, continue, show. Orders are read from standard input;
/// `help` lists them.
#[derive(Args, Clone, Debug)]
pub struct StepArgs {
    /// Where the log is.
    #[command(flatten)]
    pub place: Place,
}

/// Walks.
///
/// # Errors
/// When the log cannot be read.
pub fn step(args: &StepArgs) -> Result<Output, OwnError> {
    let store = args.place.open()?;
    let prompt = stdin().is_terminal().then_some("> ");
    Walk::new(&store).run(BufReader::new(stdin().lock()), &mut stdout().lock(), prompt)?;
    Ok(Output { text: String::new(), notes: Vec::new(), code: 0 })
}
