//! `explain`: why something was decided as it was.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use countersign_replay::own::explain::{Explanation, Which, explain};
use countersign_replay::own::words::{counted, shown};

use super::stores::{Deployment, Place};
use super::{Answered, show};

/// Why an entry says what it says: its context, the rule that spoke, and the decision made again.
#[derive(Args)]
pub(crate) struct Ask {
    /// A position of the log, or a command's id.
    #[arg(value_name = "EVENT", value_parser = Which::parse)]
    event: Which,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    deployment: Deployment,
    /// Answers in JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(ask: &Ask) -> Answered {
    let policy = ask.deployment.policy()?;
    let answer = explain(&ask.place.open()?, ask.event, &policy)?;
    show(&answer, ask.json, text)?;
    Ok(ExitCode::SUCCESS)
}

fn text(answer: &Explanation) -> String {
    let mut out = String::new();
    let mut line = |text: String| {
        // Writing into a string does not fail.
        let _written = writeln!(out, "{text}");
    };
    line(format!("command {} at {}", answer.command, answer.time));
    for entry in &answer.entries {
        let mark = if entry.asked { "*" } else { " " };
        line(format!("{mark} [{}] {}", entry.position, shown(&entry.says)));
    }
    for before in &answer.before {
        let [first, last] = before.window;
        let ([codes, codes_max], [pairs, pairs_max]) = (before.codes_used, before.pairs_used);
        line(format!("before: {} of {}", shown(&before.serial), shown(&before.owner)));
        line(format!(
            "  its clock is {} steps ahead of the server's, at step {}; codes of steps {first} to {last} count",
            before.offset_steps, before.step
        ));
        line(format!(
            "  {codes} of {codes_max} codes and {pairs} of {pairs_max} pairs looked at in this window; {} before",
            counted(before.misses.into(), "miss", "misses")
        ));
        if let Some(steps) = before.out_of_sync_steps {
            line(format!("  out of sync: the last refused code was {steps} steps off"));
        }
    }
    if let Some(code) = &answer.code {
        let steps = code.steps.map_or_else(String::new, |steps| format!(", {steps} steps from the device's time"));
        line(format!("code: {}{steps}", code.verdict.replace('_', " ")));
    }
    if let Some(rule) = &answer.rule {
        line(format!("rule {}: {}", rule.cites, rule.says));
    }
    let why = answer.again.why.as_deref().map_or_else(String::new, |why| format!(": {}", shown(why)));
    line(format!("decided again: {}{why}", answer.again.verdict.replace('_', " ")));
    if let Some(gone) = &answer.seed_destroyed {
        let (serial, time, position) = (shown(&gone.serial), &gone.time, gone.position);
        line(format!("the seed of {serial} was destroyed at {time} (position {position}): {}", gone.says));
    }
    out
}
