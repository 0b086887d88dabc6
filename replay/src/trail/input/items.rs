//! From a stream of bytes to the objects in it, whatever document holds them, in bounded memory.

use std::io::{self, Read};

use super::scan::{self, Fault, Scanned};
use super::window::Window;

/// A record is at most this long; CloudTrail's own limit is a quarter of it.
pub(crate) const RECORD_BYTES_MAX: usize = 1 << 20;
/// A document that is one object (a digest, a report) is at most this long.
const OBJECT_BYTES_MAX: usize = 16 << 20;
/// How much is read at once.
const CHUNK_BYTES: usize = 256 << 10;
/// After so many places that cannot be read, a file is given up.
const FAULTS_MAX: u32 = 1000;

/// Something that a document holds.
pub(crate) enum Item<'a> {
    /// An object: a record, or something else.
    Object(&'a [u8], &'a Scanned),
    /// Something in a list that is no object.
    Other,
    /// Something that cannot be read, and why.
    Unread(&'static str),
}

/// What a file holds that is read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Document {
    /// Nothing but blanks.
    Empty,
    /// JSON of some shape.
    Json,
    /// Something else.
    Other,
}

/// Visits every object of a stream: the elements of `Records` or `Events`, of a bare array, or the objects of JSON
/// Lines.
///
/// # Errors
/// When the stream cannot be read further; what came before was visited.
pub(crate) fn each(source: impl Read, visit: &mut dyn FnMut(Item<'_>)) -> io::Result<Document> {
    Reader { window: Window::new(source, CHUNK_BYTES), visit, faults: 0 }.documents()
}

struct Reader<'v, R> {
    window: Window<R>,
    visit: &'v mut dyn FnMut(Item<'_>),
    faults: u32,
}

/// Whether a list goes on after an element.
#[derive(PartialEq, Eq)]
enum Goes {
    On,
    Lost,
}

impl<R: Read> Reader<'_, R> {
    fn documents(&mut self) -> io::Result<Document> {
        self.window.more(CHUNK_BYTES)?;
        if self.window.bytes().starts_with(b"\xEF\xBB\xBF") {
            self.window.start += 3;
        }
        let mut document = Document::Empty;
        while let Some(first) = self.window.peek()? {
            match first {
                b'{' => {
                    if self.top_object()? == Goes::Lost {
                        return Ok(Document::Json);
                    }
                }
                b'[' => {
                    self.window.start += 1;
                    if self.list()? == Goes::Lost {
                        return Ok(Document::Json);
                    }
                }
                _ if document == Document::Empty => return Ok(Document::Other),
                _ => self.lost_line()?,
            }
            document = Document::Json;
            if self.faults > FAULTS_MAX {
                break;
            }
        }
        Ok(document)
    }

    fn lost_line(&mut self) -> io::Result<()> {
        self.unread("not JSON");
        self.window.skip_line()
    }

    fn unread(&mut self, why: &'static str) {
        self.faults += 1;
        (self.visit)(Item::Unread(why));
    }

    fn top_object(&mut self) -> io::Result<Goes> {
        loop {
            match scan::object(self.window.bytes(), true) {
                Ok(scanned) => {
                    self.emit(&scanned);
                    return Ok(Goes::On);
                }
                Err(Fault::Elements(place)) => {
                    self.window.start += place;
                    if self.list()? == Goes::Lost {
                        return Ok(Goes::Lost);
                    }
                    return self.rest_of_object();
                }
                Err(Fault::Incomplete) if self.window.more(OBJECT_BYTES_MAX)? => continue,
                Err(Fault::Malformed) => self.lost_line()?,
                Err(fault) => self.passed_over(fault)?,
            }
            return Ok(Goes::On);
        }
    }

    fn emit(&mut self, scanned: &Scanned) {
        let bytes = &self.window.buffer[self.window.start..self.window.start + scanned.end];
        (self.visit)(Item::Object(bytes, scanned));
        self.window.start += scanned.end;
    }

    fn passed_over(&mut self, fault: Fault) -> io::Result<()> {
        let ended = self.window.ended;
        self.unread(match fault {
            Fault::TooDeep => "nests too deep",
            Fault::Malformed => "not JSON",
            _ if ended => "ends in the middle",
            _ => "too long",
        });
        self.window.skip_value()
    }

    /// The elements of a list, up to and with its closing bracket.
    fn list(&mut self) -> io::Result<Goes> {
        while let Some(first) = self.window.peek()? {
            match first {
                b']' => {
                    self.window.start += 1;
                    return Ok(Goes::On);
                }
                b',' => self.window.start += 1,
                b'{' => {
                    if self.element()? == Goes::Lost {
                        return Ok(Goes::Lost);
                    }
                }
                _ => {
                    (self.visit)(Item::Other);
                    self.window.skip_value()?;
                }
            }
        }
        self.unread("the list ends in the middle");
        Ok(Goes::Lost)
    }

    fn element(&mut self) -> io::Result<Goes> {
        loop {
            match scan::object(self.window.bytes(), false) {
                Ok(scanned) if scanned.end <= RECORD_BYTES_MAX => {
                    self.emit(&scanned);
                    return Ok(Goes::On);
                }
                Ok(_) => return self.element_passed_over(Fault::Incomplete),
                Err(Fault::Incomplete) if self.window.more(RECORD_BYTES_MAX)? => {}
                Err(fault) => return self.element_passed_over(fault),
            }
        }
    }

    fn element_passed_over(&mut self, fault: Fault) -> io::Result<Goes> {
        self.passed_over(fault)?;
        let ended = self.window.ended && self.window.bytes().is_empty();
        Ok(if ended || self.faults > FAULTS_MAX { Goes::Lost } else { Goes::On })
    }

    /// What follows the list in the object that held it.
    fn rest_of_object(&mut self) -> io::Result<Goes> {
        while let Some(first) = self.window.peek()? {
            match first {
                b'}' => {
                    self.window.start += 1;
                    return Ok(Goes::On);
                }
                b'"' => {
                    let is_list = self.key()?;
                    if self.window.peek()? == Some(b'[') && is_list {
                        self.window.start += 1;
                        if self.list()? == Goes::Lost {
                            return Ok(Goes::Lost);
                        }
                    } else {
                        self.window.skip_value()?;
                    }
                }
                b',' => self.window.start += 1,
                _ => {
                    self.unread("not JSON after the list");
                    self.window.skip_line()?;
                    return Ok(Goes::On);
                }
            }
        }
        self.unread("ends in the middle");
        Ok(Goes::Lost)
    }

    /// Passes over a key and its colon; whether the key is one of a list of records.
    fn key(&mut self) -> io::Result<bool> {
        while self.window.bytes().len() < 16 && self.window.more(CHUNK_BYTES)? {}
        let bytes = self.window.bytes();
        let is_list = bytes.starts_with(b"\"Records\"") || bytes.starts_with(b"\"Events\"");
        self.window.skip_value()?;
        if self.window.peek()? == Some(b':') {
            self.window.start += 1;
        }
        let _blanks = self.window.peek()?;
        Ok(is_list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is in a document, one letter an item, by reading it in portions of some bytes.
    fn seen(text: &[u8], portion: usize) -> (String, Document) {
        struct Slow<'a>(&'a [u8], usize);
        impl Read for Slow<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let count = self.1.min(self.0.len()).min(buffer.len());
                buffer[..count].copy_from_slice(&self.0[..count]);
                self.0 = &self.0[count..];
                Ok(count)
            }
        }
        let mut seen = String::new();
        let document = each(Slow(text, portion), &mut |item| match item {
            Item::Object(bytes, _) => {
                assert!(bytes.starts_with(b"{") && bytes.ends_with(b"}"));
                seen.push('o');
            }
            Item::Other => seen.push('.'),
            Item::Unread(_) => seen.push('!'),
        });
        (seen, document.unwrap())
    }

    #[test]
    fn every_shape_is_read_in_portions_of_every_size() {
        let cases: [(&[u8], &str); 14] = [
            (b"{\"Records\":[{\"a\":1},{\"b\":2}]}", "oo"),
            (b"{\"x\":[{}],\"Records\":[{\"a\":1}],\"y\":{\"z\":\"}\"}}", "o"),
            (b"{\"Events\":[{\"a\":1}],\"NextToken\":\"t\"}\n", "o"),
            (b"[{\"a\":1},2,{\"b\":2}]", "o.o"),
            (b"{\"a\":1}\n{\"b\":2}\n\n{\"c\":\"\\\"}\"}", "ooo"),
            (b"{\"a\":1}\nnonsense\n{\"b\":2}\n", "o!o"),
            (b"{\"Records\":[]}", ""),
            (b"{\"Records\":[{\"a\":1},{\"b\":", "o!"),
            (b"{\"Records\":[{\"a\":1}", "o!"),
            (b"{\"Records\":[{\"a\":1},{b:2},{\"c\":3}]}", "o!o"),
            (b"{\"a\":", "!"),
            (b"{\"Records\":[{\"a\":1}]}{\"Records\":[{\"a\":1}]}", "oo"),
            (b"\xEF\xBB\xBF[{}]", "o"),
            (b"{\"Records\":null,\"a\":1}", "o"),
        ];
        for (text, expected) in cases {
            for portion in [1, 2, 7, 1000] {
                let found = seen(text, portion);
                assert_eq!(found, (expected.to_owned(), Document::Json), "{}", String::from_utf8_lossy(text));
            }
        }
        assert_eq!(seen(b" \n", 1).1, Document::Empty);
        assert_eq!(seen(b"user,arn\n", 1).1, Document::Other);
    }

    #[test]
    fn what_is_too_long_or_too_deep_is_passed_over_alone() {
        let long = format!("{{\"Records\":[{{\"a\":\"{}\"}},{{\"b\":1}}]}}", "x".repeat(3 << 20));
        assert_eq!(seen(long.as_bytes(), 1 << 16).0, "!o");
        let deep = format!("{{\"Records\":[{{\"a\":{}{}}},{{\"b\":1}}]}}", "[".repeat(10_000), "]".repeat(10_000));
        assert_eq!(seen(deep.as_bytes(), 1 << 16).0, "!o");
        let lines = format!("{{\"a\":\"{}\"}}\n{{\"b\":1}}\n", "x".repeat(17 << 20));
        assert_eq!(seen(lines.as_bytes(), 1 << 16).0, "!o");
    }
}
