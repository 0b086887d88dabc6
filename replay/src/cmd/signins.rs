//! `signins`: who signed in to the console, and how.

use clap::Args;
use countersign_replay::ask::{SignInsQuery, sign_ins};
use countersign_replay::fold::Keep;
use countersign_replay::time::Time;

use super::Answered;
use super::heard::{self, Input, Own, instant};

/// Lists sign-ins to the console, with MFA or without, and whether the principal had it.
#[derive(Args)]
pub(crate) struct Ask {
    #[command(flatten)]
    input: Input,
    /// Only successful ones without MFA; those by other identity providers in a list of their own.
    #[arg(long)]
    without_mfa: bool,
    /// Not before this.
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    from: Option<Time>,
    /// Not after this.
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    to: Option<Time>,
}

pub(crate) fn run(ask: &Ask) -> Answered {
    heard::range(ask.from, ask.to)?;
    let query = SignInsQuery { without_mfa: ask.without_mfa, from: ask.from, to: ask.to };
    let heard = heard::hear(&ask.input, Own::Of(Keep::SignIns, Some(&|event| query.wants(event))))?;
    let answer = sign_ins(&heard.told, &query);
    heard.answer(&ask.input, &answer.integrity, &answer, || answer.text())
}
