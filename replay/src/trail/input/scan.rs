//! One pass over one JSON value in memory: where it ends, what it hashes to, and where the fields lie that tell
//! what kind of thing it is.
//!
//! Most records of a trail say nothing about MFA. They are read here and nowhere else, so nothing is copied,
//! unescaped or kept but the place of a few members of the outermost object.

use std::borrow::Cow;
use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use memchr::memchr2;

/// Values nest no deeper than this; CloudTrail's own nest about a dozen deep.
pub(super) const DEPTH_MAX: u32 = 100;

/// Why a value was not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is a document whose `Records` or `Events` begin here, just after the bracket.
    Elements(usize),
    /// The bytes end before the value does.
    Incomplete,
    /// It nests too deep.
    TooDeep,
    /// It is not JSON.
    Malformed,
}

/// A value's place in the bytes that were scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    start: usize,
    end: usize,
}

impl Span {
    /// The value as it is written, quotes and all.
    pub(crate) fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// A string's content.
    pub(crate) fn text(self, bytes: &[u8]) -> Option<Cow<'_, [u8]>> {
        content(self.of(bytes))
    }

    fn is(self, bytes: &[u8], first: u8) -> bool {
        bytes.get(self.start) == Some(&first)
    }
}

/// The content of a string as it is written; nothing if that is no string, or its escapes mean nothing.
fn content(written: &[u8]) -> Option<Cow<'_, [u8]>> {
    let inner = written.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if !inner.contains(&b'\\') {
        return Some(inner.into());
    }
    let text: String = serde_json::from_slice(written).ok()?;
    Some(text.into_bytes().into())
}

macro_rules! fields {
    ($($field:ident = $key:literal),* $(,)?) => {
        /// Members of the outermost object that tell what it is. A `null` is as good as absent.
        #[derive(Clone, Copy, Debug, Default)]
        pub(crate) struct Fields {
            $(pub(crate) $field: Option<Span>,)*
        }

        impl Fields {
            fn note(&mut self, key: &[u8], span: Span) {
                match key {
                    $($key => self.$field = Some(span),)*
                    _ => {}
                }
            }
        }
    };
}

fields! {
    event_id = b"eventID",
    event_time = b"eventTime",
    event_name = b"eventName",
    event_source = b"eventSource",
    event_type = b"eventType",
    event_category = b"eventCategory",
    identity = b"userIdentity",
    recipient = b"recipientAccountId",
    error_code = b"errorCode",
    addendum = b"addendum",
    insight = b"insightDetails",
    detail = b"detail",
    lookup = b"CloudTrailEvent",
    digest = b"digestS3Object",
    log_files = b"logFiles",
    content = b"Content",
    data = b"data",
    public_keys = b"PublicKeyList",
}

/// A value that was scanned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scanned {
    /// Members of the outermost object.
    pub(crate) fields: Fields,
    /// A hash that does not depend on blanks, on the order of members or on escapes.
    pub(crate) hash: u64,
    /// Just after the value.
    pub(crate) end: usize,
}

/// Scans the object at the start of some bytes. With `stream`, stops at the list of a document.
pub(super) fn object(bytes: &[u8], stream: bool) -> Result<Scanned, Fault> {
    let mut scanner = Scanner { bytes, state: FixedState::with_seed(0x7261_6974) };
    let mut fields = Fields::default();
    let mut members = 0_u64;
    let mut at = 1;
    loop {
        at = scanner.blanks(at)?;
        match scanner.byte(at)? {
            b'}' => break,
            b',' => at = scanner.blanks(at + 1)?,
            _ => {}
        }
        let (key, value) = scanner.key(at)?;
        let name = content(bytes.get(at..key.end).unwrap_or_default()).unwrap_or_default();
        if stream && matches!(&*name, b"Records" | b"Events") && scanner.byte(value)? == b'[' {
            return Err(Fault::Elements(value + 1));
        }
        let end = scanner.value(value, 1)?;
        let span = Span { start: value, end: end.at };
        if !span.is(bytes, b'n') {
            fields.note(&name, span);
        }
        members = members.wrapping_add(mix(key.hash, end.hash));
        at = end.at;
    }
    Ok(Scanned { fields, hash: mix(members, 1), end: at + 1 })
}

/// Scans an object that is all there.
pub(crate) fn whole(bytes: &[u8]) -> Option<Scanned> {
    match bytes.first() {
        Some(b'{') => object(bytes, false).ok(),
        _ => None,
    }
}

const fn mix(a: u64, b: u64) -> u64 {
    let product = (a ^ 0x9e37_79b9_7f4a_7c15) as u128 * (b ^ 0xd1b5_4a32_d192_ed03) as u128;
    (product as u64) ^ ((product >> 64) as u64)
}

struct Key {
    end: usize,
    hash: u64,
}

struct End {
    at: usize,
    hash: u64,
}

struct Scanner<'a> {
    bytes: &'a [u8],
    state: FixedState,
}

impl Scanner<'_> {
    fn byte(&self, at: usize) -> Result<u8, Fault> {
        self.bytes.get(at).copied().ok_or(Fault::Incomplete)
    }

    fn blanks(&self, mut at: usize) -> Result<usize, Fault> {
        while matches!(self.byte(at)?, b' ' | b'\n' | b'\r' | b'\t') {
            at += 1;
        }
        Ok(at)
    }

    /// The key at a place, and where its value begins.
    fn key(&mut self, at: usize) -> Result<(Key, usize), Fault> {
        if self.byte(at)? != b'"' {
            return Err(Fault::Malformed);
        }
        let End { at: end, hash } = self.string(at)?;
        let colon = self.blanks(end)?;
        if self.byte(colon)? != b':' {
            return Err(Fault::Malformed);
        }
        Ok((Key { end, hash }, self.blanks(colon + 1)?))
    }

    fn value(&mut self, at: usize, depth: u32) -> Result<End, Fault> {
        if depth > DEPTH_MAX {
            return Err(Fault::TooDeep);
        }
        match self.byte(at)? {
            b'"' => self.string(at),
            b'{' => self.members(at + 1, depth),
            b'[' => self.elements(at + 1, depth),
            b't' => self.word(at, b"true"),
            b'f' => self.word(at, b"false"),
            b'n' => self.word(at, b"null"),
            b'-' | b'0'..=b'9' => self.number(at),
            _ => Err(Fault::Malformed),
        }
    }

    fn members(&mut self, mut at: usize, depth: u32) -> Result<End, Fault> {
        let mut hash = 0_u64;
        loop {
            at = self.blanks(at)?;
            match self.byte(at)? {
                b'}' => return Ok(End { at: at + 1, hash: mix(hash, 1) }),
                b',' => at = self.blanks(at + 1)?,
                _ => {}
            }
            let (key, value) = self.key(at)?;
            let end = self.value(value, depth + 1)?;
            hash = hash.wrapping_add(mix(key.hash, end.hash));
            at = end.at;
        }
    }

    fn elements(&mut self, mut at: usize, depth: u32) -> Result<End, Fault> {
        let mut hash = 2_u64;
        loop {
            at = self.blanks(at)?;
            match self.byte(at)? {
                b']' => return Ok(End { at: at + 1, hash: mix(hash, 2) }),
                b',' => at = self.blanks(at + 1)?,
                _ => {}
            }
            let end = self.value(at, depth + 1)?;
            hash = mix(hash, end.hash);
            at = end.at;
        }
    }

    fn string(&mut self, at: usize) -> Result<End, Fault> {
        let (mut from, mut escaped) = (at + 1, false);
        loop {
            let rest = self.bytes.get(from..).ok_or(Fault::Incomplete)?;
            let mark = from + memchr2(b'"', b'\\', rest).ok_or(Fault::Incomplete)?;
            if self.bytes[mark] == b'"' {
                let hash = if escaped {
                    // Escapes that mean nothing spoil the text, but not the document around it.
                    let text: Option<String> = serde_json::from_slice(&self.bytes[at..=mark]).ok();
                    self.hash(text.as_ref().map_or(&self.bytes[at + 1..mark], String::as_bytes))
                } else {
                    self.hash(&self.bytes[at + 1..mark])
                };
                return Ok(End { at: mark + 1, hash });
            }
            escaped = true;
            from = mark + 2;
        }
    }

    fn word(&self, at: usize, word: &[u8]) -> Result<End, Fault> {
        match self.bytes.get(at..at + word.len()) {
            Some(found) if found == word => Ok(End { at: at + word.len(), hash: self.hash(word) }),
            Some(_) => Err(Fault::Malformed),
            None => Err(Fault::Incomplete),
        }
    }

    fn number(&self, at: usize) -> Result<End, Fault> {
        let mut end = at + 1;
        while matches!(self.byte(end)?, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-') {
            end += 1;
        }
        Ok(End { at: end, hash: mix(self.hash(&self.bytes[at..end]), 3) })
    }

    fn hash(&self, bytes: &[u8]) -> u64 {
        let mut hasher = self.state.build_hasher();
        hasher.write(bytes);
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(text: &str) -> u64 {
        whole(text.as_bytes()).unwrap().hash
    }

    #[test]
    fn blanks_order_and_escapes_do_not_matter_and_everything_else_does() {
        let one = hash(r#"{"a":[1,{"b":"x/y"}],"c":null}"#);
        assert_eq!(one, hash("{ \"c\" : null ,\n\"a\":[ 1 , {\"b\":\"x\\/\\u0079\"} ] }"));
        for other in [
            r#"{"a":[1,{"b":"x/z"}],"c":null}"#,
            r#"{"a":[{"b":"x/y"},1],"c":null}"#,
            r#"{"a":["1",{"b":"x/y"}],"c":null}"#,
            r#"{"a":[1,{"b":"x/y"}]}"#,
        ] {
            assert_ne!(one, hash(other), "{other}");
        }
    }

    #[test]
    fn fields_are_the_outermost_objects() {
        let text = br#"{"detail":{"eventID":"inner"},"eventID":"outer","errorCode":null}"#;
        let fields = whole(text).unwrap().fields;
        assert_eq!(fields.event_id.unwrap().text(text).as_deref(), Some(&b"outer"[..]));
        assert!(fields.error_code.is_none() && fields.detail.is_some());
    }

    #[test]
    fn every_prefix_is_incomplete_and_nonsense_is_malformed() {
        let text = br#"{"a":[1.5e3,true,{"b":"x\"y"}],"c":null}"#;
        for end in 1..text.len() {
            assert_eq!(object(&text[..end], true).unwrap_err(), Fault::Incomplete, "{end}");
        }
        for wrong in [&b"{a}"[..], b"{\"a\" 1}", b"{\"a\":tru3}", b"{\"a\":,}"] {
            assert_eq!(object(wrong, true).unwrap_err(), Fault::Malformed);
        }
        let deep = format!("{{\"a\":{}", "[".repeat(200));
        assert_eq!(object(deep.as_bytes(), true).unwrap_err(), Fault::TooDeep);
    }
}
