//! What a file is that is not read here: whoever gave it is told how to give what is in it.

use memchr::memmem;

/// What something is, and whether it is known to hold no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Foreign {
    pub(super) what: &'static str,
    pub(super) harmless: bool,
}

const fn unread(what: &'static str) -> Foreign {
    Foreign { what, harmless: false }
}

/// JSON, and anything that is taken for nothing better.
pub(super) const OTHER_JSON: Foreign = unread("JSON of no kind that is read here");
const TABLE: Foreign = unread("a table of CloudTrail Lake or Athena; give the trail's own files");

/// How files of a kind begin, from their formats' definitions.
const BEGINNINGS: [(&[u8], Foreign); 14] = [
    (b"PK\x03\x04", unread("a zip archive; unpack it")),
    (b"PK\x05\x06", unread("a zip archive; unpack it")),
    (b"\x28\xb5\x2f\xfd", unread("compressed by zstd; unpack it")),
    (b"\xfd7zXZ\0", unread("compressed by xz; unpack it")),
    (b"BZh", unread("compressed by bzip2; unpack it")),
    (b"7z\xbc\xaf\x27\x1c", unread("a 7-Zip archive; unpack it")),
    (b"\x04\x22\x4d\x18", unread("compressed by lz4; unpack it")),
    (b"\xff\x06\0\0sNaPpY", unread("compressed by snappy; unpack it")),
    (b"PAR1", unread("a table in Parquet; export it as JSON")),
    (b"ORC", unread("a table in ORC; export it as JSON")),
    (b"Obj\x01", unread("a table in Avro; export it as JSON")),
    (b"-----BEGIN PGP", unread("encrypted")),
    (b"age-encryption.org/", unread("encrypted")),
    (b"Salted__", unread("encrypted")),
];
/// Where a tape archive says what it is.
const TAR: (usize, &[u8]) = (257, b"ustar");
/// Prose has a blank in every so many bytes at least.
const PROSE_BYTES_A_BLANK: usize = 20;

/// Tells what a file is by its first bytes, which are no JSON.
pub(super) fn of(bytes: &[u8]) -> Foreign {
    if let Some((_, foreign)) = BEGINNINGS.iter().find(|(beginning, _)| bytes.starts_with(beginning)) {
        return *foreign;
    }
    if bytes.get(TAR.0..).is_some_and(|rest| rest.starts_with(TAR.1)) {
        return unread("a tape archive; unpack it");
    }
    let Some(text) = text(bytes) else { return unread("of no kind that is read here") };
    let line = text.lines().next().unwrap_or_default();
    if is_table(line) {
        return TABLE;
    }
    if is_prose(text) { Foreign { what: "prose", harmless: true } } else { unread("text of no kind that is read here") }
}

/// Tells what an object is that is nothing that is read.
pub(super) fn of_json(bytes: &[u8]) -> Foreign {
    let has = |word: &str| memmem::find(bytes, word.as_bytes()).is_some();
    if has("\"eventname\"") {
        TABLE
    } else if has("\"eventData\"") || has("\"eventdata\"") {
        unread("an event of CloudTrail Lake; give the trail's own files")
    } else if has("\"logEvents\"") {
        unread("a subscription of CloudWatch Logs; give the trail's own files")
    } else {
        OTHER_JSON
    }
}

/// Bytes as text, if they are that; the last character may be cut.
fn text(bytes: &[u8]) -> Option<&str> {
    let text = match str::from_utf8(bytes) {
        Ok(text) => text,
        Err(cut) if cut.error_len().is_none() => str::from_utf8(bytes.get(..cut.valid_up_to())?).ok()?,
        Err(_) => return None,
    };
    let is_plain = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t' | '\u{c}');
    text.chars().all(is_plain).then_some(text)
}

/// Whether a line names columns as SQL does, which knows no case.
fn is_table(line: &str) -> bool {
    let mut columns = line.split([',', '\t', '|']).map(|name| name.trim().trim_matches('"'));
    columns.any(|name| matches!(name.to_ascii_lowercase().as_str(), "eventname" | "eventdata" | "eventjson"))
}

/// Whether a text is for people, and quotes no record: a licence, a note on what lies beside it.
fn is_prose(text: &str) -> bool {
    let blanks = text.bytes().filter(u8::is_ascii_whitespace).count();
    let quotes = text.to_ascii_lowercase().contains("eventname");
    !quotes && !text.contains("-----BEGIN ") && blanks.saturating_mul(PROSE_BYTES_A_BLANK) >= text.len()
}
