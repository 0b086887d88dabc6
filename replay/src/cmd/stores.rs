//! What questions to our own store only have in common: where it is, and the rules that it ran under.

use std::path::{Path, PathBuf};

use clap::Args;
use countersign_domain::policy::Policy;
use countersign_replay::ask::Sealing;
use countersign_replay::own::policy_file::{self, Preset};
use countersign_replay::own::{Kind, OwnStore, kind_of};

use super::{Failure, complain};

/// Where the store is.
#[derive(Args)]
pub(crate) struct Place {
    /// A Countersign store or data directory; a running server's as well. Nothing of it is changed.
    #[arg(value_name = "PATH")]
    dir: PathBuf,
    /// The store's key file, when it is not beside it. Without any, what is sealed is named as such.
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
}

impl Place {
    /// The path, when it is no audit log.
    pub(crate) fn path(&self) -> Result<&Path, Failure> {
        match kind_of(&self.dir) {
            Kind::Other if self.dir.exists() => {
                let path = self.dir.display();
                Err(Failure::usage(format!("`{path}` holds no store, and this is asked of a Countersign store only")))
            }
            _ => Ok(&self.dir),
        }
    }

    pub(crate) fn keys(&self) -> Option<&Path> {
        self.keys.as_deref()
    }

    pub(crate) fn open(&self) -> Result<OwnStore, Failure> {
        Ok(OwnStore::open(self.path()?, self.keys())?)
    }
}

/// The rules that a deployment ran under.
#[derive(Args)]
pub(crate) struct Deployment {
    /// The rules that the deployment ran under, where an account chose no others.
    #[arg(long = "policy", value_enum, default_value = "classic")]
    preset: Preset,
    /// The same from a file: `preset = "classic"` and the fields that differ from it.
    #[arg(long, value_name = "FILE", conflicts_with = "preset")]
    policy_file: Option<PathBuf>,
}

impl Deployment {
    pub(crate) fn policy(&self) -> Result<Policy, Failure> {
        policy_of(self.preset, self.policy_file.as_deref())
    }
}

/// The rules of a file, or else of a preset.
pub(crate) fn policy_of(preset: Preset, file: Option<&Path>) -> Result<Policy, Failure> {
    Ok(file.map_or_else(|| Ok(preset.policy()), policy_file::read)?)
}

/// Says what could not be looked into.
pub(crate) fn note(sealed: Sealing) {
    let whys = [(sealed.no_key, "the key is not at hand"), (sealed.key_destroyed, "the key was destroyed")];
    for (count, why) in whys.into_iter().filter(|(count, _)| *count > 0) {
        complain(&format!("sealed entries that could not be looked into, because {why}: {count}"));
    }
}
