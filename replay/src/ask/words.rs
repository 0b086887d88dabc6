//! Forms of answers: JSON and text that no terminal takes for a command.

use std::fmt::Write;
use std::io;

use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter};

/// Whether a terminal may take a character for a command, or let it change the order of what it shows.
fn is_unsafe(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A text as it may be shown on a terminal: control characters and marks of direction become escapes.
///
/// ```
/// use countersign_replay::ask::plain;
///
/// assert_eq!(plain("lee\u{1b}[31m"), "lee\\u{1b}[31m");
/// ```
#[must_use]
pub fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_unsafe(letter) {
            let _infallible = write!(shown, "\\u{{{:x}}}", u32::from(letter));
        } else {
            shown.push(letter);
        }
    }
    shown
}

/// An answer in JSON, indented, with every character escaped that a terminal may obey.
///
/// # Errors
/// When the answer has no form in JSON, which those of this library have.
pub fn json(answer: &impl Serialize) -> Result<String, serde_json::Error> {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, Quiet::default());
    answer.serialize(&mut serializer)?;
    String::from_utf8(bytes).map_err(|_| serde::ser::Error::custom("not a text"))
}

/// An answer in JSON on one line, escaped as [`json`] does.
///
/// # Errors
/// As [`json`].
pub fn json_line(answer: &impl Serialize) -> Result<String, serde_json::Error> {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, QuietLine);
    answer.serialize(&mut serializer)?;
    String::from_utf8(bytes).map_err(|_| serde::ser::Error::custom("not a text"))
}

#[derive(Default)]
struct Quiet(PrettyFormatter<'static>);

struct QuietLine;

fn quietly<W: ?Sized + io::Write>(writer: &mut W, fragment: &str) -> io::Result<()> {
    let mut rest = fragment;
    while let Some(place) = rest.find(is_unsafe) {
        writer.write_all(&rest.as_bytes()[..place])?;
        let letter = rest[place..].chars().next().unwrap_or_default();
        let mut units = [0; 2];
        for unit in letter.encode_utf16(&mut units) {
            write!(writer, "\\u{unit:04x}")?;
        }
        rest = &rest[place + letter.len_utf8()..];
    }
    writer.write_all(rest.as_bytes())
}

impl Formatter for QuietLine {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        quietly(writer, fragment)
    }
}

impl Formatter for Quiet {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        quietly(writer, fragment)
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

/// Rows under a head, in columns as wide as they need to be. Texts are made safe for terminals.
#[must_use]
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let safe: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| plain(cell)).collect()).collect();
    let width = |column: usize| {
        let cells = safe.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(head.get(column).map(|word| word.len())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut shown = String::new();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::new();
        for (cell, width) in cells.zip(&widths) {
            let _infallible = write!(line, "{cell:<width$}  ");
        }
        shown.push_str(line.trim_end());
        shown.push('\n');
    };
    line(&mut head.iter().copied());
    for row in &safe {
        line(&mut row.iter().map(String::as_str));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_answer_carries_a_character_that_a_terminal_obeys() {
        let hostile = "a\u{1b}[2Jb\u{9b}31mc\u{202e}d\u{7f}\"e\u{feff}";
        for text in [plain(hostile), json(&[hostile]).unwrap(), json_line(&[hostile]).unwrap()] {
            assert!(!text.chars().any(|letter| is_unsafe(letter) && letter != '\n'), "{text:?}");
        }
        let back: Vec<String> = serde_json::from_str(&json(&[hostile]).unwrap()).unwrap();
        assert_eq!(back, [hostile]);
    }

    #[test]
    fn columns_are_aligned() {
        let rows = [vec!["a".to_owned(), "long cell".to_owned()], vec!["bcd".to_owned(), "x".to_owned()]];
        assert_eq!(table(&["ID", "WORD"], &rows), "ID   WORD\na    long cell\nbcd  x\n");
    }
}
