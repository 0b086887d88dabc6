//! The files of a store, read without opening, locking, copying or changing any of them.

mod file;
mod frame;
mod image;
mod keys;
mod side;
mod signed;

use std::fs::File;
use std::io;

pub use file::Broken;
pub use image::{Image, Stretch};
pub use keys::Keys;
pub use side::check as check_side_files;
pub use signed::Signed;

/// Reads some bytes at a place; 0 at the end of the file.
#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, at)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, at)
}

/// Reads as much as there is.
fn read_up_to(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match read_at(file, &mut buffer[done..], at.saturating_add(done as u64)) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) => return Err(cause),
        }
    }
    Ok(done)
}

/// Reads all of the buffer.
fn read_exact_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<()> {
    if read_up_to(file, buffer, at)? == buffer.len() { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}
