//! What the subcommands on our own log share: where the log is, how answers are printed, and exit codes.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use chrono::DateTime;
use clap::Args;
use countersign_domain::ids::UnixMillis;
use serde::Serialize;

use super::ask::Sealing;
use super::error::OwnError;
use super::store::OwnStore;
use super::words::{counted, shown};

/// Exit code when something was found that was asked to fail on.
pub const FOUND: u8 = 1;
/// Exit code when the question makes no sense.
pub const USAGE: u8 = 2;
/// Exit code when the store, or a part of it, cannot be read.
pub const UNREADABLE: u8 = 3;
/// Exit code when the store is not what was written.
pub const INTEGRITY: u8 = 4;

/// Where the log is.
#[derive(Args, Clone, Debug)]
pub struct Place {
    /// The server's data directory, or a store by itself; a running server's as well. Nothing of it is changed.
    pub dir: PathBuf,
    /// The key ring's file, when it is not beside the store. Without any, what is sealed is named as such.
    #[arg(long)]
    pub keys: Option<PathBuf>,
}

impl Place {
    /// Opens the store.
    ///
    /// # Errors
    /// See [`OwnStore::open`].
    pub fn open(&self) -> Result<OwnStore, OwnError> {
        OwnStore::open(&self.dir, self.keys.as_deref())
    }
}

/// Reads an instant of the command line.
///
/// # Errors
/// When it is no RFC 3339 instant, or before 1970.
pub fn parse_instant(text: &str) -> Result<UnixMillis, String> {
    let parsed = DateTime::parse_from_rfc3339(text).map_err(|_| "not an instant like 2026-05-01T09:45:00Z")?;
    let millis = u64::try_from(parsed.timestamp_millis()).map_err(|_| "before 1970")?;
    Ok(UnixMillis(millis))
}

/// What a subcommand prints, and with which code it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// For standard output.
    pub text: String,
    /// For standard error.
    pub notes: Vec<String>,
    /// The exit code.
    pub code: u8,
}

impl Output {
    /// Text for people, or the answer in JSON.
    ///
    /// # Errors
    /// When the answer cannot be put into JSON.
    pub fn of<T: Serialize>(answer: &T, json: bool, text: impl FnOnce(&T) -> String) -> Result<Self, OwnError> {
        let text = if json {
            let encoded = serde_json::to_string_pretty(answer).map_err(|cause| OwnError::Usage(cause.to_string()))?;
            format!("{encoded}\n")
        } else {
            text(answer)
        };
        Ok(Self { text, notes: Vec::new(), code: 0 })
    }

    /// Says what could not be looked into.
    #[must_use]
    pub fn noting(mut self, sealed: Sealing) -> Self {
        if sealed.no_key > 0 {
            let many = counted(sealed.no_key, "entry is", "entries are");
            self.notes.push(format!("{many} sealed, and the key is not at hand"));
        }
        if sealed.key_destroyed > 0 {
            let many = counted(sealed.key_destroyed, "entry is", "entries are");
            self.notes.push(format!("{many} sealed under keys that were destroyed"));
        }
        self
    }

    /// Says where the store is not what was written, and lets the exit code say so.
    #[must_use]
    pub fn damaged(mut self, damage: &[String]) -> Self {
        if !damage.is_empty() {
            self.code = INTEGRITY;
        }
        self.notes.extend(damage.iter().cloned());
        self
    }
}

/// Prints what a subcommand came to; a reader that went away is no error.
#[must_use]
pub fn finish(output: Result<Output, OwnError>) -> ExitCode {
    let output = output.unwrap_or_else(|error| {
        let code = match (error.is_usage(), error.is_damage()) {
            (true, _) => USAGE,
            (false, true) => INTEGRITY,
            (false, false) => UNREADABLE,
        };
        Output { text: String::new(), notes: vec![error.to_string()], code }
    });
    let _closed = std::io::stdout().write_all(output.text.as_bytes());
    for note in &output.notes {
        let _closed = writeln!(std::io::stderr(), "countersign-replay: {}", shown(note));
    }
    ExitCode::from(output.code)
}
