//! Writing of XML answers.

use std::fmt::Write as _;

/// An answer under construction. Every text is escaped; element names are our own.
#[derive(Debug, Default)]
pub struct Xml {
    out: String,
}

impl Xml {
    /// Starts an empty document.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes an element around what `inside` writes.
    pub fn element(&mut self, name: &str, inside: impl FnOnce(&mut Self)) {
        self.open(name, None);
        inside(self);
        self.close(name);
    }

    /// Writes the outermost element, with its namespace (R206).
    pub fn root(&mut self, name: &str, namespace: &str, inside: impl FnOnce(&mut Self)) {
        self.open(name, Some(namespace));
        inside(self);
        self.close(name);
    }

    /// Writes an element with a text.
    pub fn text(&mut self, name: &str, text: &str) {
        self.element(name, |xml| xml.push_escaped(text));
    }

    /// Writes `true` or `false` (R209).
    pub fn boolean(&mut self, name: &str, value: bool) {
        self.text(name, if value { "true" } else { "false" });
    }

    /// The finished document.
    #[must_use]
    pub fn finish(self) -> String {
        self.out
    }

    fn open(&mut self, name: &str, namespace: Option<&str>) {
        let written = match namespace {
            Some(namespace) => write!(self.out, "<{name} xmlns=\"{namespace}\">"),
            None => write!(self.out, "<{name}>"),
        };
        debug_assert!(written.is_ok(), "a string takes every text");
    }

    fn close(&mut self, name: &str) {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }

    fn push_escaped(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '"' => self.out.push_str("&quot;"),
                // Would be read as a line feed if it stood there as it is.
                '\r' => self.out.push_str("&#13;"),
                '\t' | '\n' => self.out.push(c),
                // XML 1.0 cannot hold these, not even as a reference.
                '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => self.out.push('\u{fffd}'),
                other => self.out.push(other),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_survives_a_parser() {
        let texts = ["a<b>&\"c'", "ünï ", "tab\there\nand\rthere", "]]>", ""];
        let mut xml = Xml::new();
        xml.root("R", "urn:x", |xml| texts.iter().for_each(|text| xml.text("T", text)));
        let out = xml.finish();
        let read = roxmltree::Document::parse(&out).unwrap();
        let found: Vec<_> = read.root_element().children().map(|n| n.text().unwrap_or("")).collect();
        assert_eq!(found, texts);
    }

    #[test]
    fn what_xml_cannot_hold_is_replaced() {
        let mut xml = Xml::new();
        xml.text("T", "a\0b\u{1b}c\u{ffff}");
        let out = xml.finish();
        assert_eq!(
            roxmltree::Document::parse(&out).unwrap().root_element().text(),
            Some("a\u{fffd}b\u{fffd}c\u{fffd}")
        );
    }
}
