//! The subcommand `verify`.

use std::path::PathBuf;

use clap::Args;

use super::cmd::{FOUND, INTEGRITY, Output, Place, UNREADABLE};
use super::error::OwnError;
use super::policy_file::{self, Preset};
use super::verify;

/// Whether the store is what was written: its files, every checksum, hash, chain, version and key, and the laws of the
/// history.
#[derive(Args, Clone, Debug)]
pub struct VerifyArgs {
    /// Where the log is.
    #[command(flatten)]
    pub place: Place,
    /// The rules whose limits the history is held against, where an account chose no others.
    #[arg(long, value_enum, default_value = "modern")]
    pub policy: Preset,
    /// The same from a file: `preset = "classic"` and the fields that differ from it.
    #[arg(long, conflicts_with = "policy")]
    pub policy_file: Option<PathBuf>,
    /// Answers in JSON.
    #[arg(long)]
    pub json: bool,
}

/// Answers `verify`.
///
/// # Errors
/// See [`verify::verify`].
pub fn verify(args: &VerifyArgs) -> Result<Output, OwnError> {
    let policy = match &args.policy_file {
        Some(file) => policy_file::read(file)?,
        None => args.policy.policy(),
    };
    let report = verify::verify(&args.place.dir, args.place.keys.as_deref(), &policy)?;
    let mut output = Output::of(&report, args.json, ToString::to_string)?;
    output.code = match (report.is_intact(), report.violations.is_empty(), report.keys_unreadable.is_none()) {
        (false, ..) => INTEGRITY,
        (true, _, false) => UNREADABLE,
        (true, false, true) => FOUND,
        (true, true, true) => 0,
    };
    Ok(output)
}
