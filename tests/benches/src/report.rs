//! The table, or the same as JSON lines.

use std::io::{Write, stdout};

use crate::machine::Others;

/// Prints rows as they come.
pub struct Report {
    json: bool,
    section: &'static str,
}

impl Report {
    /// An empty report.
    pub const fn new(json: bool) -> Self {
        Self { json, section: "" }
    }

    /// Begins a section.
    pub fn section(&mut self, name: &'static str, about: &str) {
        self.section = name;
        if !self.json {
            self.line(&format!("\n{name}: {about}"));
        }
    }

    /// A fact that is no figure.
    pub fn text(&mut self, name: &str, value: &str) {
        if self.json {
            let row = serde_json::json!({ "section": self.section, "name": name, "value": value });
            self.line(&row.to_string());
        } else {
            self.line(&format!("  {name:<58} {value}"));
        }
    }

    /// A figure with its unit.
    pub fn row(&mut self, name: &str, value: f64, unit: &str) {
        self.row_noting(name, value, unit, "");
    }

    /// A figure with its unit and what it is to be read beside.
    pub fn row_noting(&mut self, name: &str, value: f64, unit: &str, note: &str) {
        if self.json {
            let row = serde_json::json!({
                "section": self.section, "name": name, "value": value, "unit": unit, "note": note,
            });
            self.line(&row.to_string());
            return;
        }
        let line = format!("  {name:<58} {:>14} {unit:<14} {note}", shown(value));
        self.line(line.trim_end());
    }

    /// How long a part of the run took, and what else the machine did meanwhile.
    pub fn took(&mut self, what: &str, others: &Others) {
        let (cores, time) = others.cores();
        let note = format!("others used {cores:.1} cores meanwhile");
        self.row_noting(&format!("{what} took"), time.as_secs_f64(), "s", &note);
    }

    fn line(&self, text: &str) {
        let mut out = stdout().lock();
        // A reader that went away is no reason to stop measuring.
        let _gone = writeln!(out, "{text}").and_then(|()| out.flush());
    }
}

/// Three significant digits for small numbers, thousands apart for large ones.
fn shown(value: f64) -> String {
    if value.abs() < 10.0 {
        return format!("{value:.3}");
    }
    if value.abs() < 1000.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
