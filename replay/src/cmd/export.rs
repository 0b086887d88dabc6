//! `export`: the history in the words of others.

use std::io::Write;
use std::ops::ControlFlow;
use std::process::ExitCode;

use clap::Args;
use countersign_replay::ask::{Format, export, json_line};
use countersign_replay::fold::Keep;
use countersign_replay::own::cloudtrail::records;

use super::heard::{self, Input, Own};
use super::stores::note;
use super::{Answered, Failure, INTEGRITY, complain, say};

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
    /// Records of CloudTrail, of a Countersign store only.
    #[arg(long)]
    cloudtrail: bool,
}

pub(crate) fn run(ask: &Ask) -> Answered {
    if ask.words.cloudtrail {
        return cloudtrail(&ask.input);
    }
    let format = match &ask.words {
        Words { ocsf: Some(version), .. } => Format::ocsf(version).map_err(Failure::usage)?,
        Words { csv: true, .. } => Format::Csv,
        Words { .. } => Format::Ecs,
    };
    let heard = heard::hear(&ask.input, Own::Of(Keep::All, Some(&|_| true)))?;
    let lives = heard.told.history.lives();
    let events = lives.iter().flat_map(|life| life.steps().iter().map(|step| &step.event).chain(life.attempts()));
    let events = events.chain(heard.told.history.others());
    heard.trusted(&ask.input, &heard.told.integrity(events))?;
    for line in export(&heard.told, format).map_err(Failure::unreadable)? {
        say(&line);
    }
    Ok(heard.code(false))
}

/// Writes records as the log is read, so that memory does not go with its length.
fn cloudtrail(input: &Input) -> Answered {
    let (stores, files) = input.split();
    if let Some(path) = files.first() {
        let path = path.display();
        return Err(Failure::usage(format!("`{path}` holds no store, and only a Countersign store is exported so")));
    }
    let mut damaged = false;
    for path in stores {
        let store = input.open(path)?;
        let verdicts = store.verdicts()?;
        verdicts.files.keys().for_each(|place| complain(&format!("changed: {place}")));
        damaged |= !verdicts.files.is_empty();
        if damaged && input.require_integrity {
            return Err(Failure::integrity("the store is not what was written, so there is no answer"));
        }
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        let mut failed = None;
        let sealed = records(&store, heard::own_instant(input.known_at)?, &mut |record| match json_line(&record) {
            Ok(line) if writeln!(out, "{line}").is_ok() => ControlFlow::Continue(()),
            // A reader that went away is no error.
            Ok(_) => ControlFlow::Break(()),
            Err(cause) => {
                failed = Some(cause.to_string());
                ControlFlow::Break(())
            }
        })?;
        let _closed = out.flush();
        failed.map_or(Ok(()), |cause| Err(Failure::unreadable(cause)))?;
        note(sealed);
    }
    Ok(if damaged { ExitCode::from(INTEGRITY) } else { ExitCode::SUCCESS })
}
