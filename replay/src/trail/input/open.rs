//! Opening a file, plain or gzip, told by its first bytes; and its text, in UTF-8 whatever it is in.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use encoding_rs::{CoderResult, Decoder, UTF_16BE, UTF_16LE};
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
    let mut plain = BufReader::with_capacity(BUFFER_BYTES, Full::of(counted));
    if plain.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
        let inflated = Bounded { inner: MultiGzDecoder::new(plain), out: 0, read };
        return Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, Full::of(inflated))));
    }
    Ok(Box::new(plain))
}

/// Opens a file for reading its content as text: UTF-16, as PowerShell writes it, becomes UTF-8.
pub(crate) fn text(path: &Path, progress: &Arc<AtomicU64>) -> io::Result<Box<dyn BufRead>> {
    let mut content = content(path, progress)?;
    let decoder = match content.fill_buf()? {
        [0xff, 0xfe, ..] | [b'{' | b'[', 0, ..] => UTF_16LE.new_decoder(),
        [0xfe, 0xff, ..] | [0, b'{' | b'[', ..] => UTF_16BE.new_decoder(),
        _ => return Ok(content),
    };
    Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, Decoded { inner: content, decoder: Some(decoder) })))
}

/// A source that fills what it is given, however little it gets at once: what a file is, is told by its beginning.
struct Full<R> {
    inner: R,
    /// What went wrong after the bytes that were given.
    failed: Option<io::Error>,
}

impl<R: Read> Full<R> {
    const fn of(inner: R) -> Self {
        Self { inner, failed: None }
    }
}

impl<R: Read> Read for Full<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let mut filled = 0;
        while filled < buffer.len() {
            match self.inner.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if filled == 0 => return Err(error),
                Err(error) => {
                    self.failed = Some(error);
                    break;
                }
            }
        }
        Ok(filled)
    }
}

/// Text of sixteen bits, as UTF-8; what is no text in it becomes the replacement character.
struct Decoded {
    inner: Box<dyn BufRead>,
    /// None at the end, after which it must not be used.
    decoder: Option<Decoder>,
}

impl Read for Decoded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(decoder) = &mut self.decoder {
            let bytes = self.inner.fill_buf()?;
            let ended = bytes.is_empty();
            let (result, read, written, _) = decoder.decode_to_utf8(bytes, buffer, ended);
            self.inner.consume(read);
            let full = result == CoderResult::OutputFull;
            if ended && !full {
                self.decoder = None;
            }
            if written > 0 {
                return Ok(written);
            }
            if full {
                return Err(io::Error::other("too little room for a character"));
            }
        }
        Ok(0)
    }
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
