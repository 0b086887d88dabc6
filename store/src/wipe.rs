//! Overwriting of a file that has lost its name.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};

/// Overwrites a file that has no name any more with zeros. One that still has another name is somebody's copy, and not ours.
pub(crate) fn wipe(file: &mut File) -> io::Result<()> {
    let metadata = file.metadata()?;
    #[cfg(unix)]
    if std::os::unix::fs::MetadataExt::nlink(&metadata) > 0 {
        return Ok(());
    }
    file.rewind()?;
    io::copy(&mut io::repeat(0).take(metadata.len()), file)?;
    file.sync_all()
}
