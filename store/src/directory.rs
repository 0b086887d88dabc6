//! The directory of a store: what is in it, who may use it, and how it comes to be.
//!
//! `FORMAT` says what wrote it, `LOCK` is held while it is open, `keys` has the key slots,
//! `high-water` the mark that the log must not fall short of, `signers` the keys that the log is signed with, `checkpoint`
//! what was signed last, and `log` belongs to the engine.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use crate::FORMAT_TEXT;
use crate::backend::Document;
use crate::error::{Fault, OpenError};
use crate::keys::SLOT_BYTES;
use crate::limits::DOCUMENT_BYTES_MAX;

const FORMAT: &str = "FORMAT";
const FORMAT_DRAFT: &str = "FORMAT.tmp";
const LOCK: &str = "LOCK";
const KEYS: &str = "keys";
const HIGH_WATER: &str = "high-water";
const LOG: &str = "log";
const HIGH_WATER_MAGIC: [u8; 4] = *b"CSw\x01";
/// Bytes of the high-water file: magic, entries u64, crc32c.
pub const HIGH_WATER_BYTES: usize = 16;

/// An open store directory. Dropping it lets others in.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    keys: File,
    high_water: File,
    _lock: File,
}

fn fault(what: &str, path: &Path, cause: &io::Error) -> Fault {
    Fault::because(&format!("{what} `{}`", path.display()), cause)
}

impl Directory {
    /// Opens a store, or makes one where there is nothing yet.
    pub(crate) fn open(path: &Path, read_only: bool) -> Result<Self, OpenError> {
        if !read_only {
            make_dir(path).map_err(|cause| fault("could not make", path, &cause))?;
        }
        let is_store = check(path)?;
        if read_only && !is_store {
            return Err(OpenError::NotAStore(path.to_owned()));
        }
        let lock = lock(path)?;
        // Again, now that nobody else is at it.
        if !check(path)? {
            write_format(path).map_err(|cause| fault("could not make a store in", path, &cause))?;
        }
        let open = |name| {
            let file = path.join(name);
            open_private(&file).map_err(|cause| fault("could not open", &file, &cause))
        };
        let (keys, high_water) = (open(KEYS)?, open(HIGH_WATER)?);
        let directory = Self { path: path.to_owned(), keys, high_water, _lock: lock };
        if !read_only {
            directory.remove_drafts()?;
        }
        let was_written = directory.high_water.metadata().map_or(true, |file| file.len() > 0);
        if !read_only && !was_written && !directory.log().exists() {
            // Before there is a log: an emptied mark is then told from one that was never written.
            directory.raise_high_water(0)?;
        }
        Ok(directory)
    }

    /// Where the engine keeps its files.
    pub(crate) fn log(&self) -> PathBuf {
        self.path.join(LOG)
    }

    /// Makes durable what is there once the engine has made its files, and that they are there.
    pub(crate) fn sync(&self) -> Result<(), Fault> {
        for file in fs::read_dir(self.log()).into_iter().flatten().flatten().map(|entry| entry.path()) {
            let synced = File::open(&file).and_then(|file| file.sync_all());
            synced.map_err(|cause| fault("could not sync", &file, &cause))?;
        }
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let log = self.log();
        for dir in [Some(log.as_path()), Some(self.path.as_path()), parent].into_iter().flatten() {
            let synced = File::open(dir).and_then(|dir| dir.sync_all());
            // The parent may be closed to us, and is not ours to make durable then.
            match synced {
                Err(cause) if Some(dir) == parent && cause.kind() == ErrorKind::PermissionDenied => {}
                other => other.map_err(|cause| fault("could not sync", dir, &cause))?,
            }
        }
        Ok(())
    }

    pub(crate) fn slots(&self) -> Result<u64, Fault> {
        let length = self.keys.metadata().map_err(|cause| Fault::because("the key file", cause))?.len();
        Ok(length.div_ceil(SLOT_BYTES as u64))
    }

    pub(crate) fn slot(&self, number: u64) -> Result<Option<[u8; SLOT_BYTES]>, Fault> {
        let mut slot = [0; SLOT_BYTES];
        let Some(at) = number.checked_mul(SLOT_BYTES as u64) else { return Ok(None) };
        match read_exact_at(&self.keys, &mut slot, at) {
            Ok(()) => Ok(Some(slot)),
            Err(cause) if cause.kind() == ErrorKind::UnexpectedEof => Ok(None),
            Err(cause) => Err(Fault::because("the key file", cause)),
        }
    }

    pub(crate) fn put_slots(&self, first: u64, slots: &[[u8; SLOT_BYTES]]) -> Result<(), Fault> {
        let at = first.checked_mul(SLOT_BYTES as u64);
        let at = at.ok_or_else(|| Fault::new("the slot number is out of range"))?;
        let written = write_all_at(&self.keys, slots.as_flattened(), at).and_then(|()| self.keys.sync_data());
        written.map_err(|cause| Fault::because("the key file", cause))
    }

    pub(crate) fn document(&self, document: Document) -> Result<Option<Vec<u8>>, Fault> {
        let path = self.path.join(document.name());
        let mut bytes = Vec::new();
        let read = File::open(&path).and_then(|file| file.take(DOCUMENT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes));
        match read {
            Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(fault("could not read", &path, &cause)),
            Ok(length) if length > DOCUMENT_BYTES_MAX => Err(Fault::new(format!("`{}` is too long", path.display()))),
            Ok(_) => Ok(Some(bytes)),
        }
    }

    pub(crate) fn replace_document(&self, document: Document, bytes: &[u8]) -> Result<(), Fault> {
        let (path, draft) = (self.path.join(document.name()), self.draft(document));
        let written = open_private(&draft).and_then(|mut file| {
            file.set_len(0)?;
            file.write_all(bytes)?;
            file.sync_all()
        });
        let named = written.and_then(|()| fs::rename(&draft, &path));
        named.and_then(|()| File::open(&self.path)?.sync_all()).map_err(|cause| fault("could not write", &path, &cause))
    }

    fn draft(&self, document: Document) -> PathBuf {
        self.path.join(format!("{}.tmp", document.name()))
    }

    /// Removes what an interrupted replacement left: a key that was given up is not to live on in it.
    fn remove_drafts(&self) -> Result<(), Fault> {
        for draft in Document::ALL.map(|document| self.draft(document)) {
            match fs::remove_file(&draft) {
                Err(cause) if cause.kind() != ErrorKind::NotFound => {
                    return Err(fault("could not remove", &draft, &cause));
                }
                _ => {}
            }
        }
        Ok(())
    }

    pub(crate) fn high_water(&self) -> Result<Option<u64>, Fault> {
        let mut bytes = [0; HIGH_WATER_BYTES];
        match read_exact_at(&self.high_water, &mut bytes, 0) {
            Err(cause) if cause.kind() != ErrorKind::UnexpectedEof => {
                return Err(Fault::because("the high-water file", cause));
            }
            // Cut short, it is not what was written.
            _ => {}
        }
        decode_high_water(&bytes).map(Some).ok_or_else(|| Fault::new("the high-water file is corrupt"))
    }

    pub(crate) fn raise_high_water(&self, entries: u64) -> Result<(), Fault> {
        let written = write_all_at(&self.high_water, &encode_high_water(entries), 0);
        let synced = written.and_then(|()| self.high_water.sync_data());
        synced.map_err(|cause| Fault::because("the high-water file", cause))
    }
}

/// The content of the high-water file.
#[must_use]
pub fn encode_high_water(entries: u64) -> [u8; HIGH_WATER_BYTES] {
    let mut out = [0; HIGH_WATER_BYTES];
    out[..4].copy_from_slice(&HIGH_WATER_MAGIC);
    out[4..12].copy_from_slice(&entries.to_be_bytes());
    let crc = crc32c::crc32c(&out[..12]);
    out[12..].copy_from_slice(&crc.to_be_bytes());
    out
}

/// Reads the content of the high-water file; `None` when it is not what was written.
#[must_use]
pub fn decode_high_water(bytes: &[u8; HIGH_WATER_BYTES]) -> Option<u64> {
    let (_, rest) = bytes.split_first_chunk::<4>()?;
    let entries = u64::from_be_bytes(*rest.first_chunk()?);
    (encode_high_water(entries) == *bytes).then_some(entries)
}

fn make_dir(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Whether the directory is a store of the known format; `false` when it is empty.
fn check(path: &Path) -> Result<bool, OpenError> {
    let file = path.join(FORMAT);
    let mut text = Vec::new();
    match File::open(&file).and_then(|found| found.take(64).read_to_end(&mut text)) {
        Ok(_) if text == format!("{FORMAT_TEXT}\n").as_bytes() => return Ok(true),
        Ok(_) => {
            let found = String::from_utf8_lossy(&text).trim().escape_default().to_string();
            return Err(OpenError::UnknownFormat { dir: path.to_owned(), found });
        }
        Err(cause) if cause.kind() == ErrorKind::NotFound => {}
        Err(cause) => return Err(fault("could not read", &file, &cause).into()),
    }
    let entries = fs::read_dir(path).map_err(|cause| fault("could not read", path, &cause))?;
    for entry in entries {
        let name = entry.map_err(|cause| fault("could not read", path, &cause))?.file_name();
        // What an interrupted creation leaves behind.
        if name != LOCK && name != FORMAT_DRAFT {
            return Err(OpenError::NotAStore(path.to_owned()));
        }
    }
    Ok(false)
}

fn lock(path: &Path) -> Result<File, OpenError> {
    let file = path.join(LOCK);
    let lock = open_private(&file).map_err(|cause| fault("could not open", &file, &cause))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(path.to_owned())),
        Err(TryLockError::Error(cause)) => Err(fault("could not lock", &file, &cause).into()),
    }
}

/// Marks an empty directory as a store, for good or not at all.
fn write_format(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    let draft = path.join(FORMAT_DRAFT);
    let mut file = open_private(&draft)?;
    file.set_len(0)?;
    file.write_all(format!("{FORMAT_TEXT}\n").as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, path.join(FORMAT))?;
    File::open(path)?.sync_all()
}

fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(unix)]
fn read_exact_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at)
}

#[cfg(unix)]
fn write_all_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut bytes: &mut [u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, bytes, at)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            read => {
                bytes = &mut bytes[read..];
                at += read as u64;
            }
        }
    }
    Ok(())
}

#[cfg(windows)]
fn write_all_at(file: &File, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = std::os::windows::fs::FileExt::seek_write(file, bytes, at)?;
        bytes = &bytes[written..];
        at += written as u64;
    }
    Ok(())
}
