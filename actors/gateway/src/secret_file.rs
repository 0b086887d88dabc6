//! Files that hold secrets. No error shows what is in them.

use std::path::Path;

use zeroize::Zeroizing;

use crate::secret::Secret;

/// Largest file with keys or passwords, in bytes.
pub(crate) const KEY_FILE_BYTES_MAX: u64 = 4096;

/// A file within a limit, wiped when dropped.
pub(crate) fn read_file(path: &Path, bytes_max: u64) -> Result<Zeroizing<Vec<u8>>, String> {
    let shown = path.display();
    let unreadable = |error: std::io::Error| format!("cannot read {shown}: {error}");
    if std::fs::metadata(path).map_err(unreadable)?.len() > bytes_max {
        return Err(format!("{shown} has more than {bytes_max} bytes"));
    }
    Ok(Zeroizing::new(std::fs::read(path).map_err(unreadable)?))
}

/// The secret in the first line of a file.
pub(crate) fn first_line(path: &Path) -> Result<Secret, String> {
    let file = read_file(path, KEY_FILE_BYTES_MAX)?;
    let first = text(path, &file)?.lines().next().unwrap_or_default();
    if first.is_empty() {
        return Err(format!("{} has nothing in its first line", path.display()));
    }
    Ok(Secret::new(first))
}

/// The secrets of a file, as webhooks have them: one in each line that is not empty.
#[cfg(any(test, feature = "sms-http"))]
pub(crate) fn lines(path: &Path) -> Result<Vec<Secret>, String> {
    let file = read_file(path, KEY_FILE_BYTES_MAX)?;
    let lines = text(path, &file)?.lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(lines.map(Secret::new).collect())
}

fn text<'a>(path: &Path, file: &'a [u8]) -> Result<&'a str, String> {
    std::str::from_utf8(file).map_err(|_| format!("{} is not UTF-8", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_read_by_lines_and_no_error_shows_them() {
        let dir = tempfile::tempdir().unwrap();
        let with = |bytes: &[u8]| {
            let path = dir.path().join("secret");
            std::fs::write(&path, bytes).unwrap();
            (first_line(&path), lines(&path))
        };
        let (first, all) = with(b"one two\r\n\n three \n");
        assert_eq!(first.unwrap().expose(), "one two");
        assert_eq!(all.unwrap().iter().map(Secret::expose).collect::<Vec<_>>(), ["one two", "three"]);
        let (first, all) = with(b"\nhunter2\n");
        assert!(!first.unwrap_err().contains("hunter2") && all.unwrap().len() == 1);
        let (first, all) = with(b"hunter2 \xff");
        assert!(!first.unwrap_err().contains("hunter2") && !all.unwrap_err().contains("hunter2"));
        assert!(with(&[b'x'; 4097]).0.unwrap_err().contains("more than 4096 bytes"));
        assert!(first_line(Path::new("/nonexistent/secret")).unwrap_err().contains("/nonexistent/secret"));
    }
}
