//! The subcommand `rebuild`.

use std::fmt::Write as _;

use clap::Args;

use super::cmd::{FOUND, Output, Place};
use super::error::OwnError;
use super::rebuild::{self, Rebuilt};

/// Makes afresh what is derived from the log, and compares it with what is stored: the index of streams, and the states of
/// principals.
#[derive(Args, Clone, Debug)]
pub struct RebuildArgs {
    /// Where the log is.
    #[command(flatten)]
    pub place: Place,
    /// Answers in JSON.
    #[arg(long)]
    pub json: bool,
}

/// Answers `rebuild`.
///
/// # Errors
/// See [`rebuild::rebuild`].
pub fn rebuild(args: &RebuildArgs) -> Result<Output, OwnError> {
    let answer = rebuild::rebuild(&args.place.dir, args.place.keys.as_deref())?;
    let mut output = Output::of(&answer, args.json, text)?;
    if !answer.same {
        output.code = FOUND;
    }
    Ok(output)
}

fn text(answer: &Rebuilt) -> String {
    let mut out = String::new();
    let mut line = |text: String| {
        // Writing into a string does not fail.
        let _written = writeln!(out, "{text}");
    };
    let states = &answer.states;
    line(format!(
        "{} entries come to {} accounts, {} principals, {} devices and {} names",
        answer.entries, states.accounts, states.principals, states.devices, states.claims
    ));
    match answer.index.as_slice() {
        [] => line("the index of streams is that of the log".to_owned()),
        problems => problems.iter().for_each(|problem| line(format!("index: {problem}"))),
    }
    let snapshots = &answer.snapshots;
    line(format!(
        "{} snapshots: {} the same, {} of another form, {} differ",
        snapshots.found,
        snapshots.same,
        snapshots.of_another_form,
        snapshots.differ.len()
    ));
    for differs in &snapshots.differ {
        line(format!("snapshot of {} at version {}: {}", differs.stream, differs.version, differs.what));
    }
    for found in &answer.checkpoints {
        line(format!(
            "checkpoint `{}`: up to position {}, {} bytes, not compared",
            found.name, found.position, found.bytes
        ));
    }
    out
}
