//! `receipt` and `growth`: what anybody can check with one public key.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use countersign_replay::own::explain::Which;
use countersign_replay::own::receipt::{growth, receipt};

use super::{Answered, Failure, say};

/// The longest checkpoint that is read, in bytes.
const CHECKPOINT_BYTES_MAX: u64 = 1 << 18;

/// Writes a receipt of an entry: a text (C2SP tlog-proof) with the entry, its place and the log's last checkpoint, which
/// `countersign-proof receipt` checks offline.
///
/// Whoever reads it sees the entry's type, stream, version, time and command. What is sealed stays sealed.
#[derive(Args)]
pub(crate) struct Ask {
    /// A position of the log, or a command's id.
    #[arg(value_name = "EVENT", value_parser = Which::parse)]
    event: Which,
    /// A Countersign store or data directory; a running server's as well. Nothing of it is changed.
    #[arg(value_name = "PATH")]
    dir: PathBuf,
    /// Which of the entries of a command, from 0 on.
    #[arg(long)]
    part: Option<u16>,
}

pub(crate) fn run(ask: &Ask) -> Answered {
    say(receipt(&ask.dir, ask.event, ask.part)?.trim_end_matches('\n'));
    Ok(ExitCode::SUCCESS)
}

/// Writes the log's last checkpoint with the proof that it continues an earlier one, for `countersign-proof consistent`.
#[derive(Args)]
pub(crate) struct Growth {
    /// The earlier checkpoint, kept somewhere else.
    #[arg(value_name = "CHECKPOINT")]
    earlier: PathBuf,
    /// A Countersign store or data directory; a running server's as well. Nothing of it is changed.
    #[arg(value_name = "PATH")]
    dir: PathBuf,
}

pub(crate) fn run_growth(ask: &Growth) -> Answered {
    say(growth(&ask.dir, &checkpoint(&ask.earlier)?)?.trim_end_matches('\n'));
    Ok(ExitCode::SUCCESS)
}

/// Reads a checkpoint that was kept outside.
pub(crate) fn checkpoint(path: &std::path::Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(CHECKPOINT_BYTES_MAX).read_to_string(&mut text));
    read.map(|_| text).map_err(|cause| Failure::unreadable(format!("`{}`: {cause}", path.display())))
}
