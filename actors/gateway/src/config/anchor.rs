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
    /// How long apart, in seconds; 60 when absent.
    pub every_s: Option<u64>,
}

impl AnchorSettings {
    /// Whether it makes sense.
    ///
    /// # Errors
    /// What does not, for whoever wrote the file.
    pub fn check(&self) -> Result<(), String> {
        if self.directories.len() > ANCHORS_MAX {
            return Err(format!("[anchor] has more than {ANCHORS_MAX} directories"));
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
    pub fn govern(&self, config: &mut Config) {
        config.origin.clone_from(&self.origin);
        let anchors = self.directories.iter().map(|dir| Arc::new(DirectoryAnchor::new(dir)) as Arc<dyn Anchor>);
        config.anchors = anchors.collect();
        if let Some(every_s) = self.every_s {
            config.limits.anchor_every = Duration::from_secs(every_s);
        }
    }
}
