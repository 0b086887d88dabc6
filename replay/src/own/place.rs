//! What lies at a path, told by its content.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use countersign_store::FORMAT_TEXT;

use super::error::OwnError;

/// What lies at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The data directory of a server: a store, and beside it as a rule the key ring.
    DataDirectory {
        /// The store.
        store: PathBuf,
        /// The key ring's file, if it is there.
        ring: Option<PathBuf>,
    },
    /// A store by itself.
    Store {
        /// The store.
        store: PathBuf,
        /// A key ring's file beside it, if there is one.
        ring: Option<PathBuf>,
    },
    /// A store of a format that this release does not know.
    Foreign {
        /// The store.
        store: PathBuf,
        /// What its format file says, shortened.
        found: String,
    },
    /// None of these.
    Other,
}

/// Tells what lies at a path.
///
/// ```
/// use countersign_replay::own::{Kind, kind_of};
///
/// assert!(matches!(kind_of("/nonexistent".as_ref()), Kind::Other));
/// ```
#[must_use]
pub fn kind_of(path: &Path) -> Kind {
    let beside = |ring: PathBuf| ring.is_file().then_some(ring);
    let inside = path.join("store");
    match (format_of(&inside), format_of(path)) {
        (Some(Ok(())), _) => Kind::DataDirectory { store: inside, ring: beside(path.join("keyring")) },
        (_, Some(Ok(()))) => {
            let parent = path.canonicalize().ok().and_then(|path| path.parent().map(Path::to_owned));
            Kind::Store { store: path.to_owned(), ring: parent.and_then(|parent| beside(parent.join("keyring"))) }
        }
        (Some(Err(found)), _) => Kind::Foreign { store: inside, found },
        (_, Some(Err(found))) => Kind::Foreign { store: path.to_owned(), found },
        (None, None) => Kind::Other,
    }
}

/// Whether a directory is a store of the known format, or what its format file says instead.
fn format_of(dir: &Path) -> Option<Result<(), String>> {
    let mut text = Vec::new();
    let file = Some(dir.join("FORMAT")).filter(|file| file.is_file())?;
    File::open(file).ok()?.take(64).read_to_end(&mut text).ok()?;
    if text == format!("{FORMAT_TEXT}\n").as_bytes() {
        return Some(Ok(()));
    }
    // A directory that has some file of this name is no store; one with our tree beside it is, or was.
    let found = String::from_utf8_lossy(&text).trim().escape_default().to_string();
    (found.starts_with("countersign") || dir.join("log").join("db").is_file()).then_some(Err(found))
}

/// The store and the key ring's file at a path. `ring` names the file when it lies elsewhere.
///
/// # Errors
/// When there is no store of the known format, or the named file is not there.
pub fn locate(path: &Path, ring: Option<&Path>) -> Result<(PathBuf, Option<PathBuf>), OwnError> {
    if let Some(ring) = ring.filter(|ring| !ring.is_file()) {
        return Err(OwnError::NoKeys(ring.to_owned()));
    }
    match kind_of(path) {
        Kind::DataDirectory { store, ring: found } | Kind::Store { store, ring: found } => {
            Ok((store, ring.map(Path::to_owned).or(found)))
        }
        Kind::Foreign { store, found } => Err(OwnError::Format { dir: store, found }),
        Kind::Other => Err(OwnError::NoStore(path.to_owned())),
    }
}
