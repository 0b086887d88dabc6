//! The subcommand `what-if`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;

use super::cmd::{FOUND, Output, Place};
use super::error::OwnError;
use super::policy_file::{self, Preset};
use super::what_if::{self, WhatIf};
use super::words::{counted, shown};

/// Runs the recorded history under another policy: who would have been locked, asked to resync, refused or asked to step
/// up.
#[derive(Args, Clone, Debug)]
pub struct WhatIfArgs {
    /// Where the log is.
    #[command(flatten)]
    pub place: Place,
    /// The other policy: a file such as `preset = "strict"` and the fields that differ from it.
    #[arg(long)]
    pub policy: PathBuf,
    /// The rules that the deployment ran under, where an account chose no others.
    #[arg(long, value_enum, default_value = "classic")]
    pub recorded: Preset,
    /// The same from a file.
    #[arg(long, conflicts_with = "recorded")]
    pub recorded_file: Option<PathBuf>,
    /// Ends with code 1 when anything would have come out otherwise.
    #[arg(long)]
    pub fail: bool,
    /// Answers in JSON.
    #[arg(long)]
    pub json: bool,
}

/// Answers `what-if`.
///
/// # Errors
/// See [`what_if::what_if`].
pub fn what_if(args: &WhatIfArgs) -> Result<Output, OwnError> {
    let instead = policy_file::read(&args.policy)?;
    let recorded = match &args.recorded_file {
        Some(file) => policy_file::read(file)?,
        None => args.recorded.policy(),
    };
    let store = args.place.open()?;
    let answer = what_if::what_if(&store, &recorded, &instead)?;
    let mut output = Output::of(&answer, args.json, text)?.noting(answer.sealed);
    if args.fail && !answer.otherwise.is_empty() {
        output.code = FOUND;
    }
    Ok(output)
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
