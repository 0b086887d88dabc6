//! `verify`: whether a store is what was written.

pub(crate) use countersign_replay::own::cmd_verify::VerifyArgs as Ask;
use countersign_replay::own::{cmd, cmd_verify};

use super::Answered;

pub(crate) fn run(ask: &Ask) -> Answered {
    Ok(cmd::finish(cmd_verify::verify(ask)))
}
