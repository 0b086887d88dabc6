//! The subcommands: one file each, and what they have in common.

pub(crate) mod diff;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod findings;
pub(crate) mod forecast;
pub(crate) mod heard;
pub(crate) mod inputs;
mod progress;
pub(crate) mod rebuild;
pub(crate) mod receipt;
pub(crate) mod report;
pub(crate) mod rotations;
pub(crate) mod signins;
pub(crate) mod state;
pub(crate) mod step;
pub(crate) mod stores;
pub(crate) mod timeline;
pub(crate) mod verify;
pub(crate) mod what_if;

use std::io::Write;
use std::process::ExitCode;

use countersign_replay::ask::{json, plain};
use countersign_replay::own::OwnError;
use serde::Serialize;

/// Exit code when something was found.
pub(crate) const FOUND: u8 = 1;
/// Exit code of a question that makes no sense.
pub(crate) const USAGE: u8 = 2;
/// Exit code when the input, or a part of it, cannot be read.
pub(crate) const UNREADABLE: u8 = 3;
/// Exit code when the log was changed.
pub(crate) const INTEGRITY: u8 = 4;

/// Why a question has no answer.
pub(crate) struct Failure {
    code: u8,
    reason: String,
}

impl Failure {
    pub(crate) fn usage(reason: impl Into<String>) -> Self {
        Self { code: USAGE, reason: reason.into() }
    }

    pub(crate) fn unreadable(reason: impl Into<String>) -> Self {
        Self { code: UNREADABLE, reason: reason.into() }
    }

    pub(crate) fn integrity(reason: impl Into<String>) -> Self {
        Self { code: INTEGRITY, reason: reason.into() }
    }

    pub(crate) fn exit(&self) -> ExitCode {
        complain(&self.reason);
        ExitCode::from(self.code)
    }
}

impl From<OwnError> for Failure {
    fn from(error: OwnError) -> Self {
        let code = match (error.is_usage(), error.is_damage()) {
            (true, _) => USAGE,
            (false, true) => INTEGRITY,
            (false, false) => UNREADABLE,
        };
        Self { code, reason: error.to_string() }
    }
}

/// The answer of a subcommand: the exit code, or why there is none.
pub(crate) type Answered = Result<ExitCode, Failure>;

/// Shows an answer as text or in JSON.
pub(crate) fn show<T: Serialize>(answer: &T, in_json: bool, text: impl FnOnce(&T) -> String) -> Result<(), Failure> {
    match in_json {
        true => say(&json(answer).map_err(|cause| Failure::unreadable(cause.to_string()))?),
        false => say(text(answer).trim_end()),
    }
    Ok(())
}

/// What an answer rests on, and what it found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ended {
    /// The log was changed.
    pub(crate) changed: bool,
    /// A part of the input could not be read.
    pub(crate) partial: bool,
    /// Something was found that was asked to fail on.
    pub(crate) found: bool,
}

impl Ended {
    /// The exit code. What may be wrong with the answer comes before what it says.
    pub(crate) fn code(self) -> ExitCode {
        match self {
            Self { changed: true, .. } => ExitCode::from(INTEGRITY),
            Self { partial: true, .. } => ExitCode::from(UNREADABLE),
            Self { found: true, .. } => ExitCode::from(FOUND),
            _ => ExitCode::SUCCESS,
        }
    }
}

/// Writes lines to standard output; a reader that went away is no error.
pub(crate) fn say(line: &str) {
    let _closed = writeln!(std::io::stdout(), "{line}");
}

/// Says on standard error what is amiss.
pub(crate) fn complain(line: &str) {
    let _closed = writeln!(std::io::stderr(), "countersign-replay: {}", plain(line));
}
