//! `what-if`: the recorded history under another policy.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use countersign_replay::own::policy_file::{self, Preset};
use countersign_replay::own::what_if::{LISTED_MAX, WhatIf, what_if_listing};
use countersign_replay::own::words::{counted, shown};

use super::stores::{Place, note, policy_of};
use super::{Answered, Ended, show};

/// Runs the recorded history under another policy: who would have been locked, asked to resync, refused or asked to step
/// up.
#[derive(Args)]
pub(crate) struct Ask {
    #[command(flatten)]
    place: Place,
    /// The other policy: a file such as `preset = "strict"` and the fields that differ from it.
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// The rules that the deployment ran under, where an account chose no others.
    #[arg(long, value_enum, default_value = "classic")]
    recorded: Preset,
    /// The same from a file.
    #[arg(long, value_name = "FILE", conflicts_with = "recorded")]
    recorded_file: Option<PathBuf>,
    /// Lists so many differences at most, the first ones; all are counted.
    #[arg(long, value_name = "COUNT", default_value_t = LISTED_MAX)]
    list: usize,
    /// Ends with code 1 when anything would have come out otherwise.
    #[arg(long)]
    fail: bool,
    /// Answers in JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(ask: &Ask) -> Answered {
    let instead = policy_file::read(&ask.policy)?;
    let recorded = policy_of(ask.recorded, ask.recorded_file.as_deref())?;
    let answer = what_if_listing(&ask.place.open()?, &recorded, &instead, ask.list)?;
    note(answer.sealed);
    show(&answer, ask.json, text)?;
    Ok(Ended { found: ask.fail && answer.differing > 0, ..Ended::default() }.code())
}

fn text(answer: &WhatIf) -> String {
    let mut out = String::new();
    let mut line = |text: String| {
        // Writing into a string does not fail.
        let _written = writeln!(out, "{text}");
    };
    for found in &answer.otherwise {
        let device = found.device.as_deref().unwrap_or_default();
        let (id, kind) = (shown(&found.id), found.kind.replace('_', " "));
        let (was, now) = (&found.recorded, shown(&found.instead));
        line(
            format!("{}  [{}] {id} {kind}: {was} -> {now} {}", found.time, found.position, shown(device))
                .trim_end()
                .to_owned(),
        );
    }
    let listed = answer.otherwise.len() as u64;
    if listed < answer.differing {
        line(format!(
            "... the first {listed} of {} are listed",
            counted(answer.differing, "difference", "differences")
        ));
    }
    let decided = counted(answer.decided, "decision", "decisions");
    line(format!(
        "{decided} made again, {} the same; {} concerned",
        answer.same,
        counted(answer.principals, "principal", "principals")
    ));
    for (kind, count) in &answer.kinds {
        line(format!("  {count} {}", kind.replace('_', " ")));
    }
    for (why, count) in &answer.cannot_tell {
        line(format!("cannot tell of {}: {why}", counted(*count, "decision", "decisions")));
    }
    out
}
