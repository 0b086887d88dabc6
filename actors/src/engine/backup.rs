//! Backups of the log, while commands go on.

use std::path::Path;

use countersign_store::backup::{self, Backup, BackupError};

use super::Countersign;

impl Countersign {
    /// Copies the log into a new directory, up to a checkpoint that is signed for it, while commands go on. There is no key
    /// in it: who was forgotten since stays forgotten when it is restored, by [`countersign_store::backup::restore`]. What
    /// a restored store needs beside it is the key ring, and the wrapped keys of [`Self::copy_keys`].
    ///
    /// It reads the whole log, so an asynchronous host calls it where it may block.
    ///
    /// # Errors
    /// See [`BackupError`].
    ///
    /// ```
    /// let engine = countersign::Countersign::in_memory(countersign::Config::default())?;
    /// let dir = tempfile::tempdir()?;
    /// let made = engine.backup(&dir.path().join("monday"))?;
    /// assert!(made.checkpoint.contains(&format!("\n{}\n", made.entries)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn backup(&self, dir: &Path) -> Result<Backup, BackupError> {
        let made = backup::write(&*self.runtime.shared.journal, dir)?;
        tracing::info!(entries = made.entries, bytes = made.bytes, dir = %dir.display(), "the log was backed up");
        Ok(made)
    }

    /// Copies the wrapped keys of the store into a directory, in the place of the copy that was there before, which is
    /// overwritten. The copy opens, together with the key ring, whatever is not forgotten at that time; so it is made
    /// again after each backup and whenever somebody was forgotten, and there is one of it.
    ///
    /// # Errors
    /// See [`BackupError`].
    ///
    /// ```
    /// let engine = countersign::Countersign::in_memory(countersign::Config::default())?;
    /// let dir = tempfile::tempdir()?;
    /// engine.copy_keys(dir.path())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn copy_keys(&self, dir: &Path) -> Result<(), BackupError> {
        backup::copy_keys(&*self.runtime.shared.journal, dir)?;
        tracing::info!(dir = %dir.display(), "the wrapped keys were copied");
        Ok(())
    }
}
