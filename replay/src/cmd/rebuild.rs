//! `rebuild`: what is derived from the log, made afresh.

use std::fmt::Write as _;

use clap::Args;
use countersign_replay::own::rebuild::{Rebuilt, rebuild};

use super::stores::Place;
use super::{Answered, Ended, show};

/// Makes afresh what is derived from the log, and compares it with what is stored: the index of streams, and the states of
/// principals.
#[derive(Args)]
pub(crate) struct Ask {
    #[command(flatten)]
    place: Place,
    /// Answers in JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(ask: &Ask) -> Answered {
    let answer = rebuild(ask.place.path()?, ask.place.keys())?;
    show(&answer, ask.json, text)?;
    Ok(Ended { found: !answer.same, ..Ended::default() }.code())
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
        let of_form = if found.of_another_form { ", of another form" } else { "" };
        line(format!(
            "checkpoint `{}`: up to position {}, {} bytes: {} rows the same, {} differ{of_form}",
            found.name,
            found.position,
            found.bytes,
            found.same,
            found.differ.len()
        ));
        found.differ.iter().for_each(|what| line(format!("checkpoint `{}`: {what}", found.name)));
    }
    out
}
