//! A key ring in a file of its own, made on first use and readable by its owner alone.

use std::fmt::{self, Write as _};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use zeroize::Zeroizing;

use super::local_ring::{LocalRing, RingKeyId};
use super::{DataKey, KEY_BYTES, KeyRing};
use crate::error::KeyError;
use crate::limits::RING_KEYS_MAX;
use crate::wipe::wipe;

/// The first line of a key ring file.
const FIRST_LINE: &str = "countersign key ring 1";
/// No ring file is longer: a line for each key, with room to spare.
const FILE_BYTES_MAX: u64 = 128 * (RING_KEYS_MAX as u64 + 1);

/// A ring kept in a text file: a line for each key, the highest number wraps.
pub struct FileKeyRing {
    path: PathBuf,
    ring: RwLock<Arc<LocalRing>>,
}

impl fmt::Debug for FileKeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileKeyRing").field("path", &self.path).field("keys", &self.ring().len()).finish()
    }
}

impl FileKeyRing {
    /// Opens the ring at a path, or makes one with a fresh key if there is no file.
    ///
    /// # Errors
    /// When the file cannot be read or made, others than its owner may read it, or it is no ring.
    pub fn open_or_create(path: impl AsRef<Path>) -> Result<Self, KeyError> {
        let path = path.as_ref();
        match Self::read(path) {
            Err(OpenRing::NoFile) => {}
            Err(OpenRing::Failed(cause)) => return Err(cause),
            Ok(ring) => return Ok(ring),
        }
        create(path)?;
        Self::read(path).map_err(|cause| match cause {
            OpenRing::NoFile => failed(path, "it vanished"),
            OpenRing::Failed(cause) => cause,
        })
    }

    /// Opens the ring at a path, and makes none: for who only reads.
    ///
    /// ```
    /// use countersign_store::FileKeyRing;
    ///
    /// assert!(FileKeyRing::open("/nonexistent/ring").is_err());
    /// ```
    ///
    /// # Errors
    /// When there is no file, it cannot be read, others than its owner may read it, or it is no ring.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, KeyError> {
        let path = path.as_ref();
        Self::read(path).map_err(|cause| match cause {
            OpenRing::NoFile => failed(path, "no such file"),
            OpenRing::Failed(cause) => cause,
        })
    }

    /// Adds a fresh key to the ring in a file, whole or not at all, and gives its number. Whoever opens the ring from now
    /// on wraps with it; what is wrapped by the keys before it goes on to open until it is wrapped anew
    /// ([`crate::Journal::rewrap_keys`]).
    ///
    /// # Errors
    /// When there is no ring, it is full, or its file cannot be replaced.
    pub fn add_key(path: impl AsRef<Path>) -> Result<u32, KeyError> {
        let path = path.as_ref();
        let _lock = lock(path)?;
        // What follows replaces the file, so it has to be a ring, and nobody else's to read.
        let ring = Self::open(path)?.ring();
        let number = ring.newest().and_then(|newest| newest.checked_add(1));
        let number = number.filter(|_| ring.len() < RING_KEYS_MAX);
        let number = number.ok_or_else(|| failed(path, "it has as many keys as it may have"))?;
        let mut text = read_text(path, File::open(path).map_err(|cause| failed(path, cause))?)?;
        write_key(&mut text, number, &DataKey::random()?);
        replace(path, &text)?;
        Ok(number)
    }

    /// Takes a key out of the ring in a file, whole or not at all, and overwrites the file that it was in. To be done only
    /// when nothing is wrapped by the key any more ([`crate::Journal::key_use`]): whatever is, is closed for good.
    ///
    /// ```
    /// use countersign_store::FileKeyRing;
    ///
    /// let dir = tempfile::tempdir()?;
    /// let path = dir.path().join("ring");
    /// FileKeyRing::open_or_create(&path)?;
    /// assert!(FileKeyRing::retire_key(&path, 1).is_err(), "it is the one that wraps");
    /// assert_eq!(FileKeyRing::add_key(&path)?, 2);
    /// FileKeyRing::retire_key(&path, 1)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When there is no ring, it has no such key, the key is the one that wraps, or the file cannot be replaced.
    pub fn retire_key(path: impl AsRef<Path>, number: u32) -> Result<(), KeyError> {
        let path = path.as_ref();
        let _lock = lock(path)?;
        let ring = Self::open(path)?.ring();
        if ring.newest() == Some(number) {
            return Err(failed(path, format_args!("key {number} is the one that wraps; add another one first")));
        }
        if !ring.has(number) {
            return Err(failed(path, format_args!("it has no key {number}")));
        }
        let mut file = File::options().read(true).write(true).open(path).map_err(|cause| failed(path, cause))?;
        let text = read_text(path, file.try_clone().map_err(|cause| failed(path, cause))?)?;
        let mut kept = Zeroizing::new(String::with_capacity(text.len()));
        let of = |line: &str| line.split_once(' ').and_then(|(id, _)| id.parse().ok());
        for line in text.lines().filter(|line| of(line) != Some(number)) {
            kept.push_str(line);
            kept.push('\n');
        }
        replace(path, &kept)?;
        wipe(&mut file).map_err(|cause| failed(path, cause))
    }

    /// Copies the ring in a file to another one, which must not be there.
    ///
    /// ```
    /// use countersign_store::FileKeyRing;
    ///
    /// let dir = tempfile::tempdir()?;
    /// let (from, to) = (dir.path().join("ring"), dir.path().join("copy"));
    /// FileKeyRing::open_or_create(&from)?;
    /// FileKeyRing::copy(&from, &to)?;
    /// assert!(FileKeyRing::copy(&from, &to).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When there is no ring, or the other file is there or cannot be made.
    pub fn copy(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<(), KeyError> {
        let (from, to) = (from.as_ref(), to.as_ref());
        Self::open(from)?;
        let text = read_text(from, File::open(from).map_err(|cause| failed(from, cause))?)?;
        let (dir, _) = beside(to)?;
        let written = write_private(to, text.as_bytes()).and_then(|()| File::open(dir)?.sync_all());
        written.map_err(|cause| failed(to, cause))
    }

    /// The keys as they were read last.
    fn ring(&self) -> Arc<LocalRing> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn read(path: &Path) -> Result<Self, OpenRing> {
        let file = match File::open(path) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Err(OpenRing::NoFile),
            Err(cause) => return Err(OpenRing::Failed(failed(path, cause))),
            Ok(file) => file,
        };
        check_private(path, &file)?;
        let text = read_text(path, file)?;
        let keys = parse(&text).map_err(|what| failed(path, what))?;
        Ok(Self { path: path.to_owned(), ring: RwLock::new(Arc::new(LocalRing::new(keys)?)) })
    }
}

/// Keeps others who would change the ring away until it is dropped, however its file is replaced meanwhile.
fn lock(path: &Path) -> Result<File, KeyError> {
    let (dir, _) = beside(path)?;
    let locked = File::open(dir).and_then(|dir| dir.lock().map(|()| dir));
    locked.map_err(|cause| failed(path, cause))
}

fn read_text(path: &Path, file: File) -> Result<Zeroizing<String>, KeyError> {
    let mut text = Zeroizing::new(String::with_capacity(usize::try_from(FILE_BYTES_MAX).unwrap_or(4096)));
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(|cause| failed(path, cause))?;
    Ok(text)
}

/// Puts another text in the place of a ring's file: the old one or the new one is there, whatever happens.
fn replace(path: &Path, text: &str) -> Result<(), KeyError> {
    let (dir, temporary) = beside(path)?;
    let written = write_private(&temporary, text.as_bytes())
        .and_then(|()| fs::rename(&temporary, path))
        .and_then(|()| File::open(dir)?.sync_all());
    let _ = fs::remove_file(&temporary);
    written.map_err(|cause| failed(path, cause))
}

enum OpenRing {
    NoFile,
    Failed(KeyError),
}

impl From<KeyError> for OpenRing {
    fn from(cause: KeyError) -> Self {
        Self::Failed(cause)
    }
}

fn failed(path: &Path, cause: impl fmt::Display) -> KeyError {
    KeyError::Ring(format!("`{}`: {cause}", path.display()))
}

#[cfg(unix)]
fn check_private(path: &Path, file: &File) -> Result<(), KeyError> {
    use std::os::unix::fs::MetadataExt;
    let mode = file.metadata().map_err(|cause| failed(path, cause))?.mode() & 0o777;
    if mode & 0o077 != 0 {
        let what =
            format!("others may use the file (mode {mode:03o}); run `chmod 600` on it and consider the key known");
        return Err(failed(path, what));
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_private(_path: &Path, _file: &File) -> Result<(), KeyError> {
    Ok(())
}

/// Makes the file whole or not at all, and never over an existing one.
fn create(path: &Path) -> Result<(), KeyError> {
    let mut text = Zeroizing::new(String::with_capacity(4096));
    let _ = writeln!(text, "{FIRST_LINE}");
    write_key(&mut text, 1, &DataKey::random()?);
    let (dir, temporary) = beside(path)?;
    let written = write_private(&temporary, text.as_bytes())
        .and_then(|()| fs::hard_link(&temporary, path))
        .and_then(|()| File::open(dir)?.sync_all());
    let _ = fs::remove_file(&temporary);
    match written {
        // Another process was faster; its ring is the ring.
        Err(cause) if cause.kind() == ErrorKind::AlreadyExists && path.exists() => Ok(()),
        Err(cause) => Err(failed(path, cause)),
        Ok(()) => Ok(()),
    }
}

/// Adds the line of a key.
fn write_key(text: &mut String, number: RingKeyId, key: &DataKey) {
    // Who wrote the last line by hand may have left it open; two keys on a line are none.
    if !text.ends_with('\n') {
        text.push('\n');
    }
    // Writing into a string does not fail.
    let _ = write!(text, "{number} ");
    key.expose().iter().for_each(|byte| {
        let _ = write!(text, "{byte:02x}");
    });
    text.push('\n');
}

/// The directory of a file, and a name in it for a draft.
fn beside(path: &Path) -> Result<(&Path, PathBuf), KeyError> {
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    let mut name = path.file_name().ok_or_else(|| failed(path, "the path names no file"))?.to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    Ok((dir, dir.join(name)))
}

fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn parse(text: &str) -> Result<Vec<(RingKeyId, DataKey)>, &'static str> {
    let mut lines = text.lines();
    if lines.next() != Some(FIRST_LINE) {
        return Err("the first line is not that of a key ring");
    }
    // In one place from the beginning: a list that grows leaves copies behind that nobody wipes.
    let mut keys: Vec<(RingKeyId, DataKey)> = Vec::with_capacity(RING_KEYS_MAX + 1);
    for line in lines {
        let (id, hex) = line.split_once(' ').ok_or("a line is not a number and a key")?;
        let id = id.parse().map_err(|_| "a key has no number")?;
        let key = parse_key(hex).ok_or("a key is not 64 hexadecimal digits")?;
        if keys.iter().any(|(other, _)| *other == id) {
            return Err("a key number is used twice");
        }
        keys.push((id, key));
        if keys.len() > RING_KEYS_MAX {
            return Err("there are too many keys");
        }
    }
    if keys.is_empty() { Err("it has no key") } else { Ok(keys) }
}

fn parse_key(hex: &str) -> Option<DataKey> {
    let digits = hex.as_bytes();
    let mut key = DataKey::from_bytes([0; KEY_BYTES]);
    if digits.len() != 2 * KEY_BYTES {
        return None;
    }
    for (byte, pair) in key.0.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(key)
}

impl KeyRing for FileKeyRing {
    fn wrap(&self, key: &DataKey, context: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.ring().wrap(key, context)
    }

    fn unwrap(&self, wrapped: &[u8], context: &[u8]) -> Result<DataKey, KeyError> {
        self.ring().unwrap(wrapped, context)
    }

    fn is_current(&self, wrapped: &[u8]) -> bool {
        self.ring().is_current(wrapped)
    }

    fn wrapped_by(&self, wrapped: &[u8]) -> Option<RingKeyId> {
        self.ring().wrapped_by(wrapped)
    }

    /// Reads the file again. One that lacks a key is not taken up: whatever is wrapped by that key would be closed by a
    /// slip of the hand.
    fn refresh(&self) -> Result<(), KeyError> {
        let next = Self::open(&self.path)?.ring();
        if let Some(number) = self.ring().missing_in(&next) {
            let what = format_args!("key {number} is gone, or another one; the ring is used on as it was read before");
            return Err(failed(&self.path, what));
        }
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_is_made_once_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ring");
        let key = DataKey::from_bytes([7; KEY_BYTES]);
        let wrapped = FileKeyRing::open_or_create(&path).unwrap().wrap(&key, b"here").unwrap();
        let again = FileKeyRing::open_or_create(&path).unwrap();
        assert_eq!(again.unwrap(&wrapped, b"here"), Ok(key));
        assert_eq!(again.unwrap(&wrapped, b"there"), Err(KeyError::Refused));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        let (shown, kept) = (format!("{again:?}"), String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned());
        let secrets: Vec<&str> = kept.split_whitespace().filter(|word| word.len() >= 16).collect();
        assert!(!secrets.is_empty() && secrets.iter().all(|secret| !shown.contains(&secret[..16])), "{shown}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
            let refused = FileKeyRing::open_or_create(&path).unwrap_err().to_string();
            assert!(refused.contains("chmod 600"), "{refused}");
        }
    }

    #[test]
    fn a_key_is_added_behind_a_line_without_an_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ring");
        let (key, ring) = (DataKey::from_bytes([7; KEY_BYTES]), FileKeyRing::open_or_create(&path).unwrap());
        let wrapped = ring.wrap(&key, b"here").unwrap();
        // As an editor may leave it.
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.trim_end()).unwrap();
        assert_eq!(FileKeyRing::add_key(&path), Ok(2));
        assert_eq!(FileKeyRing::open(&path).unwrap().unwrap(&wrapped, b"here"), Ok(key));
    }

    #[test]
    fn who_only_reads_makes_no_ring() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ring");
        let absent = FileKeyRing::open(&path).unwrap_err().to_string();
        assert!(absent.contains("no such file"), "{absent}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        let key = DataKey::from_bytes([7; KEY_BYTES]);
        let wrapped = FileKeyRing::open_or_create(&path).unwrap().wrap(&key, b"here").unwrap();
        assert_eq!(FileKeyRing::open(&path).unwrap().unwrap(&wrapped, b"here"), Ok(key));
    }

    #[test]
    fn a_later_key_wraps_and_an_earlier_one_still_unwraps() {
        let line = |id: u32, byte: u8| format!("{id} {}\n", format!("{byte:02x}").repeat(KEY_BYTES));
        let key = DataKey::from_bytes([7; KEY_BYTES]);
        let one = LocalRing::new(parse(&format!("{FIRST_LINE}\n{}", line(1, 1))).unwrap()).unwrap();
        let both = format!("{FIRST_LINE}\n{}{}", line(1, 1), line(2, 2));
        let two = LocalRing::new(parse(&both).unwrap()).unwrap();
        let (old, new) = (one.wrap(&key, b"c").unwrap(), two.wrap(&key, b"c").unwrap());
        assert_eq!(two.unwrap(&old, b"c"), Ok(key.clone()));
        assert_eq!(two.unwrap(&new, b"c"), Ok(key));
        assert_eq!(one.unwrap(&new, b"c"), Err(KeyError::NoRingKey(2)));
    }

    #[test]
    fn what_is_not_a_ring_is_refused() {
        let key = "00".repeat(KEY_BYTES);
        for bad in [
            String::new(),
            format!("{FIRST_LINE}\n"),
            format!("{FIRST_LINE}\n1 {key}\n1 {key}\n"),
            format!("{FIRST_LINE}\nx {key}\n"),
            format!("{FIRST_LINE}\n1 {}zz\n", &key[2..]),
            format!("countersign key ring 2\n1 {key}\n"),
        ] {
            assert!(parse(&bad).is_err(), "{bad}");
        }
    }
}
