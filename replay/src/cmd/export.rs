//! `export`: the history in the words of others.

use clap::Args;
use countersign_replay::ask::{Format, export};
use countersign_replay::fold::Keep;

use super::heard::{self, Input, Own};
use super::{Answered, Failure, say};

/// Writes every event in the words of another schema, one a line.
#[derive(Args)]
pub(crate) struct Ask {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    words: Words,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Words {
    /// Open Cybersecurity Schema Framework of this version, such as 1.8.0.
    #[arg(long, value_name = "VERSION")]
    ocsf: Option<String>,
    /// Elastic Common Schema.
    #[arg(long)]
    ecs: bool,
    /// Comma-separated values.
    #[arg(long)]
    csv: bool,
}

pub(crate) fn run(ask: &Ask) -> Answered {
    let format = match &ask.words {
        Words { ocsf: Some(version), .. } => Format::ocsf(version).map_err(Failure::usage)?,
        Words { csv: true, .. } => Format::Csv,
        Words { .. } => Format::Ecs,
    };
    let heard = heard::hear(&ask.input, Own::Of(Keep::All, Some(&|_| true)))?;
    let lives = heard.told.history.lives();
    let events = lives.iter().flat_map(|life| life.steps().iter().map(|step| &step.event));
    heard.trusted(&ask.input, &heard.told.integrity(events))?;
    for line in export(&heard.told, format).map_err(Failure::unreadable)? {
        say(&line);
    }
    Ok(heard.code(false))
}
