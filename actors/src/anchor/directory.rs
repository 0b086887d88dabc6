//! A directory outside, with a file for each checkpoint. Nothing in it is ever overwritten.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use super::{Anchor, AnchorError, Publication};

/// The longest checkpoint that is read, in bytes.
const NOTE_BYTES_MAX: u64 = 256 * 1024;
/// Digits of a size in a file's name.
const SIZE_DIGITS: usize = 20;
/// What a checkpoint's name ends with.
const ENDING: &str = ".checkpoint";

/// Drops checkpoints into a directory, which should be of another machine or at least another user: a file for each, named by
/// the number of entries. What is there has to be what the log begins with, or no more is added.
///
/// ```
/// use countersign::{Anchor, DirectoryAnchor};
///
/// let anchor = DirectoryAnchor::new("/mnt/elsewhere");
/// assert_eq!(anchor.name(), "/mnt/elsewhere");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryAnchor {
    dir: PathBuf,
    name: String,
}

fn unavailable(path: &Path) -> impl FnOnce(io::Error) -> AnchorError {
    move |cause| AnchorError::Unavailable(format!("`{}`: {cause}", path.display()))
}

impl DirectoryAnchor {
    /// A directory, which is not made: that it is missing says that what should be mounted there is not.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        let dir = dir.into();
        Self { name: dir.display().to_string(), dir }
    }

    fn file(&self, size: u64) -> PathBuf {
        self.dir.join(format!("{size:0SIZE_DIGITS$}{ENDING}"))
    }

    /// The largest checkpoint that is there.
    fn latest(&self) -> Result<Option<u64>, AnchorError> {
        let mut latest = None;
        for entry in fs::read_dir(&self.dir).map_err(unavailable(&self.dir))? {
            let name = entry.map_err(unavailable(&self.dir))?.file_name();
            let size = name.to_str().and_then(|name| name.strip_suffix(ENDING));
            let size = size.filter(|digits| digits.len() == SIZE_DIGITS).and_then(|digits| digits.parse::<u64>().ok());
            latest = latest.max(size);
        }
        Ok(latest)
    }

    /// Makes sure that a checkpoint that is there is of the same log.
    fn check(&self, size: u64, checkpoint: &Publication<'_>) -> Result<(), AnchorError> {
        let path = self.file(size);
        let mut note = String::new();
        let read = File::open(&path).and_then(|file| file.take(NOTE_BYTES_MAX).read_to_string(&mut note));
        match read {
            Err(cause) if cause.kind() == ErrorKind::InvalidData => {}
            other => drop(other.map_err(unavailable(&path))?),
        }
        let root = checkpoint.root_at(size)?;
        let root = root.ok_or_else(|| refused(&path, "it is of more entries than the log has"))?;
        let root = data_encoding::BASE64.encode(&root);
        let [origin, number] = [checkpoint.origin().to_owned(), size.to_string()];
        let same = note.lines().take(3).eq([origin.as_str(), number.as_str(), root.as_str()]);
        if same { Ok(()) } else { Err(refused(&path, "it is of another log, or of other entries")) }
    }

    /// Writes a file whole or not at all, and never over another one.
    fn write(&self, checkpoint: &Publication<'_>) -> io::Result<()> {
        let path = self.file(checkpoint.size());
        let draft = self.dir.join(format!(".{}.{}.tmp", checkpoint.size(), std::process::id()));
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).open(&draft)?;
        let written = file
            .write_all(checkpoint.note().as_bytes())
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::hard_link(&draft, &path))
            .and_then(|()| File::open(&self.dir)?.sync_all());
        let removed = fs::remove_file(&draft);
        written.and(removed)
    }
}

fn refused(path: &Path, what: &str) -> AnchorError {
    AnchorError::Refused(format!("`{}`: {what}", path.display()))
}

impl Anchor for DirectoryAnchor {
    fn name(&self) -> &str {
        &self.name
    }

    fn publish(&self, checkpoint: &Publication<'_>) -> Result<Vec<String>, AnchorError> {
        if let Some(latest) = self.latest()? {
            if latest > checkpoint.size() {
                return Err(refused(&self.file(latest), "it is of more entries than the log has signed"));
            }
            self.check(latest, checkpoint)?;
            if latest == checkpoint.size() {
                return Ok(Vec::new());
            }
        }
        match self.write(checkpoint) {
            // Somebody else dropped one of this size meanwhile.
            Err(cause) if cause.kind() == ErrorKind::AlreadyExists => self.check(checkpoint.size(), checkpoint)?,
            other => other.map_err(unavailable(&self.dir))?,
        }
        Ok(Vec::new())
    }
}
