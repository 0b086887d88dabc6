//! `verify`: whether a log is what was written.

use std::path::{Path, PathBuf};

use clap::Args;
use countersign_proof::VerifierKey;
use countersign_replay::own::OwnError;
use countersign_replay::own::policy_file::Preset;
use countersign_replay::own::verify::{Outside, verify_against};
use countersign_replay::trail::files_of;

use super::heard::{self, Input, is_store};
use super::receipt::checkpoint;
use super::stores::policy_of;
use super::{Answered, Ended, Failure, complain, show};

/// Checks whether a log is what was written: the files of a store, every checksum, hash, chain, version and key, and the
/// laws of its history; or the chain of CloudTrail's digests, with --public-keys.
#[derive(Args)]
pub(crate) struct Ask {
    #[command(flatten)]
    input: Input,
    /// The rules whose limits a store's history is held against, where an account chose no others.
    #[arg(long, value_enum, default_value = "classic")]
    policy: Preset,
    /// The same from a file: `preset = "classic"` and the fields that differ from it.
    #[arg(long, value_name = "FILE", conflicts_with = "policy")]
    policy_file: Option<PathBuf>,
    /// The public key that the store's log is signed with, as somebody keeps it elsewhere. Changes of keys are followed.
    #[arg(long, value_name = "KEY")]
    key: Option<VerifierKey>,
    /// An earlier checkpoint of the store's log, kept elsewhere: the log has to begin with what it is of.
    #[arg(long = "checkpoint", value_name = "FILE")]
    checkpoints: Vec<PathBuf>,
}

pub(crate) fn run(ask: &Ask) -> Answered {
    match ask.input.paths.as_slice() {
        [path] if is_store(path) => of_store(ask, path),
        [path] if ask.input.public_keys.is_none() => Err(no_store(path)),
        paths if paths.iter().any(|path| is_store(path)) => Err(Failure::usage("a store is verified alone")),
        _ if ask.input.public_keys.is_none() => {
            Err(Failure::usage("audit logs are verified with --public-keys, and a store alone"))
        }
        _ => of_files(&ask.input),
    }
}

/// Why a path that holds no store is not verified: files are audit logs, or named by mistake; where nothing is, a store is
/// missing.
fn no_store(path: &Path) -> Failure {
    let none = OwnError::NoStore(path.to_owned());
    let (files, _) = files_of(&[path.to_owned()]);
    if files.is_empty() { none.into() } else { Failure::usage(none.to_string()) }
}

fn of_files(input: &Input) -> Answered {
    let (files, skips) = files_of(&input.paths);
    for skip in skips.iter().filter(|skip| !skip.harmless) {
        complain(&format!("not used: {}: {}", skip.place, skip.why));
    }
    let audit = heard::check(input, &files)?.unwrap_or_default();
    show(&audit, input.json, |audit| audit.text())?;
    let partial = skips.iter().any(|skip| !skip.harmless);
    Ok(Ended { changed: audit.is_invalid(), partial, found: false }.code())
}

fn of_store(ask: &Ask, dir: &Path) -> Answered {
    let policy = policy_of(ask.policy, ask.policy_file.as_deref())?;
    let named = |path: &PathBuf| Ok((path.display().to_string(), checkpoint(path)?));
    let checkpoints = ask.checkpoints.iter().map(named).collect::<Result<_, Failure>>()?;
    let outside = Outside { key: ask.key.clone(), checkpoints };
    let report = verify_against(dir, ask.input.keys.as_deref(), &policy, &outside)?;
    show(&report, ask.input.json, ToString::to_string)?;
    let (changed, partial) = (!report.is_intact(), report.keys_unreadable.is_some());
    Ok(Ended { changed, partial, found: !report.violations.is_empty() }.code())
}
