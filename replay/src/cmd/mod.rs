//! The subcommands: one file each, and what they have in common.

pub(crate) mod diff;
pub(crate) mod export;
pub(crate) mod findings;
pub(crate) mod inputs;
pub(crate) mod report;
pub(crate) mod rotations;
pub(crate) mod signins;
pub(crate) mod state;
pub(crate) mod timeline;
pub(crate) mod trail;
pub(crate) mod verify;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use countersign_replay::source::ReplayError;

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

impl From<ReplayError> for Failure {
    fn from(error: ReplayError) -> Self {
        let code = if error.is_damage() { INTEGRITY } else { UNREADABLE };
        Self { code, reason: error.to_string() }
    }
}

/// The answer of a subcommand: the exit code, or why there is none.
pub(crate) type Answered = Result<ExitCode, Failure>;

/// The one store among the paths, if a store is asked.
pub(crate) fn store_of(paths: &[PathBuf]) -> Result<Option<&PathBuf>, Failure> {
    let store = paths.iter().find(|path| path.join("store").is_dir());
    if store.is_some() && paths.len() > 1 {
        return Err(Failure::usage("a store is asked alone"));
    }
    Ok(store)
}

/// Writes a line to standard output; a reader that went away is no error.
pub(crate) fn say(line: &str) {
    let _closed = writeln!(std::io::stdout(), "{line}");
}

pub(crate) fn complain(line: &str) {
    let _closed = writeln!(std::io::stderr(), "countersign-replay: {line}");
}
