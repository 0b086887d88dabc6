//! Opening a file, plain or gzip, told by its first bytes.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

/// Content may be this many times its archive's size; JSON of audit logs stays below a hundred.
const RATIO_MAX: u64 = 400;
/// The ratio counts from here on.
const RATIO_FROM_BYTES: u64 = 64 << 20;
const BUFFER_BYTES: usize = 64 << 10;

/// Opens a file for reading its content, counting the bytes that are read from the disk.
pub(crate) fn content(path: &Path, progress: &Arc<AtomicU64>) -> io::Result<Box<dyn BufRead>> {
    let read = Arc::new(AtomicU64::new(0));
    let counted = Counted { file: File::open(path)?, read: Arc::clone(&read), progress: Arc::clone(progress) };
    let mut plain = BufReader::with_capacity(BUFFER_BYTES, counted);
    if plain.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
        let inflated = Bounded { inner: MultiGzDecoder::new(plain), out: 0, read };
        return Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, inflated)));
    }
    Ok(Box::new(plain))
}

struct Counted {
    file: File,
    read: Arc<AtomicU64>,
    progress: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        self.progress.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// An inflater that gives up on bombs.
struct Bounded<R> {
    inner: R,
    out: u64,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.out += count as u64;
        let most = self.read.load(Ordering::Relaxed).saturating_mul(RATIO_MAX).max(RATIO_FROM_BYTES);
        if self.out > most {
            return Err(io::Error::other(format!("inflates to more than {RATIO_MAX} times its size")));
        }
        Ok(count)
    }
}
