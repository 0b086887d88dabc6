//! A window on a stream: bounded memory, whatever the stream holds.

use std::io::{self, Read};

/// A part of a stream, moved along as it is used.
pub(super) struct Window<R> {
    source: R,
    pub(super) buffer: Vec<u8>,
    pub(super) start: usize,
    end: usize,
    pub(super) ended: bool,
    /// What went wrong after the bytes that are there.
    failed: Option<io::Error>,
}

impl<R: Read> Window<R> {
    pub(super) fn new(source: R, bytes: usize) -> Self {
        Self { source, buffer: vec![0; bytes], start: 0, end: 0, ended: false, failed: None }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Reads more behind what is there. `false` at the end of the stream, or when `most` bytes are there.
    pub(super) fn more(&mut self, most: usize) -> io::Result<bool> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        if self.ended || self.end - self.start >= most {
            return Ok(false);
        }
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        while self.end < self.buffer.len() {
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(0) => {
                    self.ended = true;
                    break;
                }
                Ok(count) => self.end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    (self.ended, self.failed) = (true, Some(error));
                    break;
                }
            }
        }
        Ok(true)
    }

    /// The next byte that is no blank, which stays.
    pub(super) fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.bytes().iter().position(|byte| !byte.is_ascii_whitespace()) {
                Some(blanks) => {
                    self.start += blanks;
                    return Ok(Some(self.buffer[self.start]));
                }
                None => self.start = self.end,
            }
            if !self.more(1)? {
                return Ok(None);
            }
        }
    }

    /// The next byte, which goes.
    fn next(&mut self) -> io::Result<Option<u8>> {
        if self.start == self.end && !self.more(1)? {
            return Ok(None);
        }
        let byte = self.bytes().first().copied();
        self.start += usize::from(byte.is_some());
        Ok(byte)
    }

    pub(super) fn skip_line(&mut self) -> io::Result<()> {
        while let Some(byte) = self.next()? {
            if byte == b'\n' {
                break;
            }
        }
        Ok(())
    }

    /// Passes over a value of any length and depth.
    pub(super) fn skip_value(&mut self) -> io::Result<()> {
        let (mut depth, mut in_string, mut escaped) = (0_u64, false, false);
        let mut begun = false;
        while let Some(byte) = self.peek_raw()? {
            let ends_scalar = begun && depth == 0 && !in_string && matches!(byte, b',' | b']' | b'}');
            if ends_scalar {
                return Ok(());
            }
            self.start += 1;
            begun = true;
            match (in_string, byte) {
                (true, _) if escaped => escaped = false,
                (true, b'\\') => escaped = true,
                (_, b'"') => in_string = !in_string,
                (false, b'{' | b'[') => depth += 1,
                (false, b'}' | b']') => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 && !in_string && matches!(byte, b'}' | b']' | b'"') {
                return Ok(());
            }
        }
        Ok(())
    }

    fn peek_raw(&mut self) -> io::Result<Option<u8>> {
        if self.start == self.end && !self.more(1)? {
            return Ok(None);
        }
        Ok(self.bytes().first().copied())
    }
}
