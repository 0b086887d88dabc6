//! From the paths that were named to the files below them.

use std::fs;
use std::path::{Path, PathBuf};

use super::Skip;
use crate::own::{Kind, kind_of};

/// Folders nest no deeper than this.
const DEPTH_MAX: usize = 64;
/// No more files than this are read at once.
const FILES_MAX: usize = 5_000_000;

/// Files to read, and how many bytes they are.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) files: Vec<PathBuf>,
    pub(crate) bytes: u64,
    pub(crate) skips: Vec<Skip>,
}

/// Whether something is a pipe, or a terminal: whoever named it wants to be read from it.
#[cfg(unix)]
fn is_stream(about: &fs::Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;
    about.file_type().is_fifo() || about.file_type().is_char_device()
}

#[cfg(not(unix))]
const fn is_stream(_: &fs::Metadata) -> bool {
    false
}

/// Whether a path can be read again: what a pipe gave is gone, and opening it once more may wait for ever.
pub(crate) fn can_be_read_again(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|about| about.is_file())
}

/// Every file at or below some paths, each folder in the order of its names. A link that was named is followed; a
/// link below a folder is not, wherever it leads. A pipe is read when it was named, and passed over below a folder.
pub(crate) fn files(paths: &[PathBuf]) -> Found {
    let mut found = Found::default();
    // What was named twice, or lies below something else that was named, is read once.
    let whole: Vec<Option<PathBuf>> = paths.iter().map(|path| fs::canonicalize(path).ok()).collect();
    let is_again = |place: usize| {
        let others = whole.iter().enumerate().filter(|(other, _)| *other != place);
        others.into_iter().any(|(other, at)| match (at, &whole[place]) {
            (Some(at), Some(this)) => this.starts_with(at) && (at != this || other < place),
            _ => false,
        })
    };
    for (place, path) in paths.iter().enumerate() {
        match fs::metadata(path) {
            Ok(_) if is_again(place) => {}
            Ok(about) if is_stream(&about) => found.files.push(path.clone()),
            Ok(about) if !about.is_dir() && !about.is_file() => {
                found.skips.push(Skip::unread(path, "neither a file nor a folder".to_owned()));
            }
            Ok(about) => found.take(path.clone(), &about, 0),
            Err(error) => found.skips.push(Skip::unread(path, error.to_string())),
        }
    }
    found.files.sort();
    found.files.dedup();
    found
}

impl Found {
    fn take(&mut self, path: PathBuf, about: &fs::Metadata, depth: usize) {
        if about.is_dir() {
            self.folder(&path, depth);
        } else if !about.is_file() {
            self.skips.push(Skip::passed(&path, "special", "neither a file nor a folder"));
        } else if self.files.len() >= FILES_MAX {
            self.skips.push(Skip::unread(&path, "too many files".to_owned()));
        } else {
            self.bytes = self.bytes.saturating_add(about.len());
            self.files.push(path);
        }
    }

    fn folder(&mut self, folder: &Path, depth: usize) {
        if depth >= DEPTH_MAX {
            return self.skips.push(Skip::unread(folder, "folders nest too deep".to_owned()));
        }
        if depth > 0 && !matches!(kind_of(folder), Kind::Other) {
            return self.skips.push(Skip::unread(folder, "a store of Countersign; name it by itself".to_owned()));
        }
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => return self.skips.push(Skip::unread(folder, error.to_string())),
        };
        for entry in entries {
            let about = entry.and_then(|entry| Ok((entry.path(), fs::symlink_metadata(entry.path())?)));
            match about {
                Ok((path, about)) if about.is_symlink() => {
                    self.skips.push(Skip::passed(&path, "link", "links are not followed"));
                }
                Ok((path, about)) => self.take(path, &about, depth + 1),
                Err(error) => self.skips.push(Skip::unread(folder, error.to_string())),
            }
        }
    }
}
