//! `rotations`: devices that were replaced, and the gaps.

use clap::Args;
use countersign_replay::trail::ask::rotations;

use super::Answered;
use super::trail::{self, Input};

/// Lists devices that were replaced, with the seconds in between, and those that went without a successor.
#[derive(Args)]
pub(crate) struct Ask {
    #[command(flatten)]
    input: Input,
}

pub(crate) fn run(ask: &Ask) -> Answered {
    let heard = trail::hear(&ask.input)?;
    let answer = rotations(&heard.told);
    heard.answer(&ask.input, &answer.integrity, &answer, || answer.text())
}
