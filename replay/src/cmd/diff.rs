//! `diff`: what changed between two instants.

use clap::Args;
use countersign_replay::ask::diff;
use countersign_replay::fold::Keep;
use countersign_replay::time::Time;

use super::Answered;
use super::heard::{self, Input, Own, instant};

/// Lists whose state changed between two instants.
#[derive(Args)]
pub(crate) struct Ask {
    #[command(flatten)]
    input: Input,
    /// The first instant, with everything that happened at it.
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    from: Time,
    /// The second instant; the end of the log, when it is not given.
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    to: Option<Time>,
}

pub(crate) fn run(ask: &Ask) -> Answered {
    heard::range(Some(ask.from), ask.to)?;
    let heard = heard::hear(&ask.input, Own::Of(Keep::Changes, None))?;
    let answer = diff(&heard.told, ask.from, ask.to);
    heard.answer(&ask.input, &answer.integrity, &answer, || answer.text())
}
