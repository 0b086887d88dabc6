//! `diff`: what changed between two instants.

use clap::Args;
use countersign_replay::trail::Time;
use countersign_replay::trail::ask::diff;

use super::Answered;
use super::trail::{self, Input, instant};

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
    let heard = trail::hear(&ask.input)?;
    let answer = diff(&heard.told, ask.from, ask.to);
    heard.answer(&ask.input, &answer.integrity, &answer, || answer.text())
}
