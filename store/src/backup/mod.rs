//! Copies of the log, made while it is written, and stores made from them again.
//!
//! A backup holds the log up to a signed checkpoint, and that checkpoint. It holds no key: whatever was forgotten since it
//! was made stays forgotten when it is restored, because a restored store gets the keys that there are now. They are
//! kept apart, in one copy that is replaced each time ([`copy_keys`]).

mod error;
mod log_file;
mod restore;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;

pub use error::BackupError;
pub use restore::{Restore, restore};

use self::log_file::{Audit, write_log};
use crate::backend::Document;
use crate::error::Fault;
use crate::journal::Journal;
use crate::limits::DOCUMENT_BYTES_MAX;
use crate::wipe::wipe;

/// The only line of the file that says that a directory is a whole backup.
const BACKUP_TEXT: &str = "countersign backup 1";
/// The file with that line, which is written last.
const MARK: &str = "BACKUP";
/// The chunks of the log, each after its length.
const LOG: &str = "log";
/// The signed checkpoint.
const CHECKPOINT: &str = "checkpoint";
/// The slots of data keys, in a store and in a copy of its keys.
const KEYS: &str = "keys";

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Entries of the log.
    pub entries: u64,
    /// Bytes of its chunks.
    pub bytes: u64,
    /// The checkpoint that it is of, as the log signed it.
    pub checkpoint: Arc<str>,
}

fn fault(what: &str, path: &Path, cause: &io::Error) -> Fault {
    Fault::because(&format!("could not {what} `{}`", path.display()), cause)
}

/// Copies the log of a journal into a new directory, up to a checkpoint that is signed for it. Appends go on meanwhile. What
/// is written is read back from the log, hashed anew and compared with the checkpoint before the backup counts as whole.
///
/// ```
/// # use std::sync::Arc;
/// # use countersign_store::{EphemeralKeyRing, Journal, MemoryJournal};
/// use countersign_store::backup;
///
/// # let journal = MemoryJournal::new(Arc::new(EphemeralKeyRing::new()?))?;
/// let dir = tempfile::tempdir()?;
/// let made = backup::write(&journal, &dir.path().join("monday"))?;
/// assert_eq!(made.entries, journal.head().0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// See [`BackupError`]: the directory is not empty, the log cannot be read or is not the one that was signed, or the medium
/// fails. What is there then has no mark, and is no backup.
pub fn write(journal: &dyn Journal, dir: &Path) -> Result<Backup, BackupError> {
    make_empty(dir)?;
    let signed = journal.checkpoint()?;
    let path = dir.join(LOG);
    let mut file = create(&path)?;
    let mut audit = Audit::default();
    let bytes = write_log(journal, signed.head.size, &mut audit, &mut file, &path)?;
    audit.check(signed.head)?;
    file.sync_all().map_err(|cause| fault("write", &path, &cause))?;
    put(&dir.join(CHECKPOINT), signed.note.as_bytes())?;
    sync_dir(dir)?;
    put(&dir.join(MARK), format!("{BACKUP_TEXT}\n").as_bytes())?;
    sync_dir(dir)?;
    Ok(Backup { entries: signed.head.size, bytes, checkpoint: signed.note })
}

/// Copies the wrapped keys of a journal into a directory, in the place of the copy that was there before, which is overwritten.
/// Without the key ring they open nothing; with it they open what is not forgotten now. To be repeated after each
/// backup, and after somebody was forgotten: until then, the copy still has that key.
///
/// ```
/// # use std::sync::Arc;
/// # use countersign_store::{EphemeralKeyRing, MemoryJournal};
/// use countersign_store::backup;
///
/// # let journal = MemoryJournal::new(Arc::new(EphemeralKeyRing::new()?))?;
/// let dir = tempfile::tempdir()?;
/// backup::copy_keys(&journal, dir.path())?;
/// assert!(dir.path().join("keys").exists() && dir.path().join("signers").exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When the keys cannot be read, or the medium fails; the former copy is there then, or the new one.
pub fn copy_keys(journal: &dyn Journal, dir: &Path) -> Result<(), BackupError> {
    let (slots, signers) = journal.wrapped_keys()?;
    make_dir(dir)?;
    for (name, bytes) in [(KEYS, slots), (Document::Signers.name(), signers)] {
        let (path, draft) = (dir.join(name), dir.join(format!("{name}.tmp")));
        let before = match OpenOptions::new().write(true).open(&path) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => None,
            other => Some(other.map_err(|cause| fault("open", &path, &cause))?),
        };
        match fs::remove_file(&draft) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(fault("remove", &draft, &cause).into()),
            _ => {}
        }
        put(&draft, &bytes)?;
        fs::rename(&draft, &path).map_err(|cause| fault("write", &path, &cause))?;
        sync_dir(dir)?;
        if let Some(mut before) = before {
            wipe(&mut before).map_err(|cause| fault("overwrite the former", &path, &cause))?;
        }
    }
    Ok(())
}

fn make_dir(dir: &Path) -> Result<(), BackupError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(|cause| fault("make", dir, &cause).into())
}

/// Makes a directory, or makes sure that there is nothing in it.
fn make_empty(dir: &Path) -> Result<(), BackupError> {
    make_dir(dir)?;
    let mut found = fs::read_dir(dir).map_err(|cause| fault("read", dir, &cause))?;
    if found.next().is_some() { Err(BackupError::NotEmpty(dir.to_owned())) } else { Ok(()) }
}

fn create(path: &Path) -> Result<File, BackupError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|cause| fault("write", path, &cause).into())
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), BackupError> {
    let mut file = create(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.map_err(|cause| fault("write", path, &cause).into())
}

fn sync_dir(dir: &Path) -> Result<(), BackupError> {
    let synced = File::open(dir).and_then(|dir| dir.sync_all());
    synced.map_err(|cause| fault("make durable", dir, &cause).into())
}

/// A small text of a backup, or of somebody who wants one to be compared with it.
fn read_text(path: &Path) -> Result<String, BackupError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(DOCUMENT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes));
    read.map_err(|cause| fault("read", path, &cause))?;
    if bytes.len() > DOCUMENT_BYTES_MAX {
        return Err(Fault::new(format!("`{}` is too long", path.display())).into());
    }
    String::from_utf8(bytes).map_err(|_| Fault::new(format!("`{}` is not a text", path.display())).into())
}
