//! Where the log's checkpoints are kept outside, in the configuration file.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use crate::engine::{ANCHORS_MAX, Anchor, Config, DirectoryAnchor};

/// The longest and the shortest time between two checkpoints that are kept, in seconds.
const EVERY_S: std::ops::RangeInclusive<u64> = 1..=86_400;

/// The table `[anchor]`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AnchorSettings {
    /// The name that a new log signs its checkpoints with, for good; called after its first key when absent.
    pub origin: Option<String>,
    /// Directories that checkpoints are dropped into, which should be of other machines.
    #[serde(default)]
    pub directories: Vec<PathBuf>,
    /// Witnesses that sign what they have seen (C2SP `tlog-witness`), each a `[[anchor.witness]]`.
    #[serde(default, rename = "witness")]
    pub witnesses: Vec<WitnessSettings>,
    /// How long apart, in seconds; 60 when absent.
    pub every_s: Option<u64>,
}

/// A witness, which has to be told the log's name and first public key beforehand.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct WitnessSettings {
    /// Where it takes checkpoints: its submission prefix, `https`, or `http` to a loopback address.
    pub url: String,
    /// Its verifier key: `NAME+ID+KEY` of type 4 (C2SP `tlog-cosignature`).
    pub key: String,
    /// The proxy that HTTPS goes through, if any.
    pub proxy: Option<String>,
    /// The only certificates that are trusted, in PEM.
    pub roots_file: Option<PathBuf>,
}

impl AnchorSettings {
    /// Whether it makes sense.
    ///
    /// # Errors
    /// What does not, for whoever wrote the file.
    pub fn check(&self) -> Result<(), String> {
        if self.directories.len() + self.witnesses.len() > ANCHORS_MAX {
            return Err(format!("[anchor] has more than {ANCHORS_MAX} directories and witnesses"));
        }
        if let Some(relative) = self.directories.iter().find(|dir| !dir.is_absolute()) {
            return Err(format!("[anchor] `{}` is no absolute path", relative.display()));
        }
        match self.every_s {
            Some(every_s) if !EVERY_S.contains(&every_s) => {
                Err(format!("[anchor] every-s is {every_s}, and has to be {} to {}", EVERY_S.start(), EVERY_S.end()))
            }
            _ => Ok(()),
        }
    }

    /// Sets the engine up accordingly.
    ///
    /// # Errors
    /// When a witness's address, key or certificates are not acceptable, or this build has none.
    pub fn govern(&self, config: &mut Config) -> Result<(), String> {
        config.origin.clone_from(&self.origin);
        let directories = self.directories.iter().map(|dir| Ok(Arc::new(DirectoryAnchor::new(dir)) as Arc<dyn Anchor>));
        let witnesses = self.witnesses.iter().map(|settings| {
            settings.anchor().map_err(|error| format!("[[anchor.witness]] `{}`: {error}", settings.url))
        });
        config.anchors = directories.chain(witnesses).collect::<Result<_, String>>()?;
        if let Some(every_s) = self.every_s {
            config.limits.anchor_every = Duration::from_secs(every_s);
        }
        Ok(())
    }
}

impl WitnessSettings {
    #[cfg(feature = "witness")]
    fn anchor(&self) -> Result<Arc<dyn Anchor>, String> {
        let roots_pem = self.roots_file.as_deref().map(crate::site::read_roots).transpose()?;
        let options = countersign_witness::HttpOptions { proxy: self.proxy.clone(), roots_pem, ..Default::default() };
        let witness = countersign_witness::Witness::new(&self.url, &self.key, &options);
        Ok(Arc::new(witness.map_err(|error| error.to_string())?))
    }

    #[cfg(not(feature = "witness"))]
    fn anchor(&self) -> Result<Arc<dyn Anchor>, String> {
        Err("this build has no witnesses; build with `--features witness`".to_owned())
    }
}
