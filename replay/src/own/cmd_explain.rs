//! The subcommand `explain`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use countersign_domain::policy::Policy;

use super::cmd::{Output, Place};
use super::error::OwnError;
use super::explain::{self, Explanation, Which};
use super::policy_file::{self, Preset};
use super::words::{counted, shown};

/// The rules that a deployment ran under.
#[derive(Args, Clone, Debug)]
pub struct Deployment {
    /// The rules that the deployment ran under, where an account chose no others.
    #[arg(long = "policy", value_enum, default_value = "classic")]
    pub preset: Preset,
    /// The same from a file: `preset = "classic"` and the fields that differ from it.
    #[arg(long, conflicts_with = "preset")]
    pub policy_file: Option<PathBuf>,
}

impl Deployment {
    /// The rules.
    ///
    /// # Errors
    /// When the file is no policy.
    pub fn policy(&self) -> Result<Policy, OwnError> {
        self.policy_file.as_deref().map_or_else(|| Ok(self.preset.policy()), policy_file::read)
    }
}

/// Why an entry says what it says: its context, the rule that spoke, and the decision made again.
#[derive(Args, Clone, Debug)]
pub struct ExplainArgs {
    /// Where the log is.
    #[command(flatten)]
    pub place: Place,
    /// A position of the log, or a command's id.
    #[arg(value_parser = Which::parse)]
    pub event: Which,
    /// The rules that the deployment ran under.
    #[command(flatten)]
    pub deployment: Deployment,
    /// Answers in JSON.
    #[arg(long)]
    pub json: bool,
}

/// Answers `explain`.
///
/// # Errors
/// See [`explain::explain`].
pub fn explain(args: &ExplainArgs) -> Result<Output, OwnError> {
    let policy = args.deployment.policy()?;
    let store = args.place.open()?;
    let answer = explain::explain(&store, args.event, &policy)?;
    Output::of(&answer, args.json, text)
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
    out
}
