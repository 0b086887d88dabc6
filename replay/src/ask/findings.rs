//! Where the log contradicts itself.

use std::sync::Arc;

use serde::Serialize;

use super::{Integrity, SCHEMA, Told, table};
use crate::fold::Finding;
use crate::time::Time;
use crate::trail::Flaw;

/// Contradictions, in order of time.
#[derive(Clone, Debug, Serialize)]
pub struct FindingsAnswer {
    /// Version of this form.
    pub schema: u32,
    /// The contradictions.
    pub findings: Vec<FindingRow>,
    /// Kinds that were not looked for, because there are too many records: of these, none was found and none is ruled out.
    pub not_looked_for: Vec<&'static str>,
    /// What is known of the files behind this answer.
    pub integrity: Integrity,
}

/// One contradiction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct FindingRow {
    /// When, if the record tells.
    pub time: Option<Time>,
    /// The principal, if it is about one.
    pub id: Option<String>,
    /// What is contradicted: a name of [`FindingKind`](crate::fold::FindingKind).
    pub kind: &'static str,
    /// Serial numbers of the devices that it is about.
    pub devices: Vec<Arc<str>>,
    /// The records; the one that contradicts is the last.
    pub citations: Vec<Arc<str>>,
}

/// Lists contradictions.
#[must_use]
pub fn findings(told: &Told) -> FindingsAnswer {
    let of_history = told.history.findings().iter().map(|finding| row(told, finding));
    let of_records = told.flaws.iter().map(flaw);
    let mut findings: Vec<FindingRow> = of_records.chain(of_history).collect();
    findings.sort_by(|a, b| (a.time, &a.id, a.kind).cmp(&(b.time, &b.id, b.kind)));
    let events = told.history.findings().iter().flat_map(|finding| &finding.evidence);
    let not_looked_for = told.not_looked_for.iter().map(|kind| kind.name()).collect();
    FindingsAnswer { schema: SCHEMA, findings, not_looked_for, integrity: told.integrity(events) }
}

fn row(told: &Told, finding: &Finding) -> FindingRow {
    FindingRow {
        time: finding.at,
        id: told.id_of_life(finding.life),
        kind: finding.kind.name(),
        devices: finding.devices.clone(),
        citations: finding.cited.clone(),
    }
}

fn flaw(flaw: &Flaw) -> FindingRow {
    FindingRow {
        time: flaw.at,
        id: None,
        kind: flaw.kind,
        devices: Vec::new(),
        citations: vec![Arc::clone(&flaw.cite)],
    }
}

impl FindingsAnswer {
    /// The answer as text.
    #[must_use]
    pub fn text(&self) -> String {
        let cells = |row: &FindingRow| {
            let time = row.time.map_or_else(|| "-".to_owned(), |time| time.to_string());
            let devices = if row.devices.is_empty() { "-".to_owned() } else { row.devices.join(" ") };
            let id = row.id.clone().unwrap_or_else(|| "-".to_owned());
            vec![time, id, row.kind.to_owned(), devices, row.citations.join(" ")]
        };
        let rows: Vec<Vec<String>> = self.findings.iter().map(cells).collect();
        let mut text = table(&["TIME", "PRINCIPAL", "FINDING", "DEVICES", "RECORDS"], &rows);
        if !self.not_looked_for.is_empty() {
            text.push_str(&format!("\nnot looked for: {}\n", self.not_looked_for.join(" ")));
        }
        text
    }
}
