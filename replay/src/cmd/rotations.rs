//! `rotations`: devices that were replaced, and the gaps.

use clap::Args;
use countersign_replay::ask::rotations;
use countersign_replay::fold::Keep;

use super::Answered;
use super::heard::{self, Input, Own};

/// Lists devices that were replaced, with the seconds in between, and those that went without a successor.
#[derive(Args)]
pub(crate) struct Ask {
    #[command(flatten)]
    input: Input,
}

pub(crate) fn run(ask: &Ask) -> Answered {
    let heard = heard::hear(&ask.input, Own::Of(Keep::Changes, None))?;
    let answer = rotations(&heard.told);
    heard.answer(&ask.input, &answer.integrity, &answer, || answer.text())
}
