//! What changed between two instants.

use std::sync::Arc;

use serde::Serialize;

use super::{Integrity, SCHEMA, Told, citations, table};
use crate::event::Observed;
use crate::fold::{Basis, Life, Snapshot, Status};
use crate::time::Time;

/// Principals whose state is another.
#[derive(Clone, Debug, Serialize)]
pub struct DiffAnswer {
    /// Version of this form.
    pub schema: u32,
    /// The first instant, with everything that happened at it.
    pub from: Time,
    /// The second; `None` is the end.
    pub to: Option<Time>,
    /// The principals, by account, root first, then by name.
    pub changes: Vec<ChangeRow>,
    /// What is known of the files behind this answer.
    pub integrity: Integrity,
}

/// A principal whose state is another.
#[derive(Clone, Debug, Serialize)]
pub struct ChangeRow {
    /// The principal.
    pub id: String,
    /// What was true at the first instant.
    pub before: Side,
    /// What was true at the second.
    pub after: Side,
    /// The records that changed it.
    pub citations: Vec<Arc<str>>,
}

/// What was true at an instant.
#[derive(Clone, Debug, Serialize)]
pub struct Side {
    /// Whether it had MFA.
    pub status: Status,
    /// What that rests on.
    pub basis: Option<Basis>,
    /// The devices that are known.
    pub devices: Vec<Arc<str>>,
    /// Whether it had a console password, if the log tells.
    pub console_password: Option<bool>,
    /// Its name.
    pub name: Arc<str>,
}

impl From<Snapshot> for Side {
    fn from(state: Snapshot) -> Self {
        let Snapshot { status, basis, devices, console_password, name, .. } = state;
        Self { status, basis, devices: devices.to_vec(), console_password, name }
    }
}

/// Compares two instants.
#[must_use]
pub fn diff(told: &Told, from: Time, to: Option<Time>) -> DiffAnswer {
    let mut changes = Vec::new();
    let mut all: Vec<Arc<Observed>> = Vec::new();
    for (_, life) in told.in_order() {
        let (before, after) = (life.at(Some(from)), life.at(to));
        if !before.says_the_same(&after) {
            let events = between(life, from, to);
            let row =
                ChangeRow { id: life.id(), before: before.into(), after: after.into(), citations: citations(&events) };
            changes.push(row);
            all.extend(events);
        }
    }
    DiffAnswer { schema: SCHEMA, from, to, changes, integrity: told.integrity(&all) }
}

fn between(life: &Life, from: Time, to: Option<Time>) -> Vec<Arc<Observed>> {
    let steps = life.steps().iter().filter(|step| step.changed);
    let within = steps.map(|step| &step.event).filter(|event| event.at > from && to.is_none_or(|to| event.at <= to));
    within.cloned().collect()
}

impl DiffAnswer {
    /// The answer as text.
    #[must_use]
    pub fn text(&self) -> String {
        let side = |side: &Side| {
            let password = match side.console_password {
                Some(true) => ", password",
                Some(false) => ", no password",
                None => "",
            };
            let devices: String = side.devices.iter().map(|serial| format!(" {serial}")).collect();
            format!("{}{devices}{password}", side.status.name())
        };
        let cells =
            |row: &ChangeRow| vec![row.id.clone(), side(&row.before), side(&row.after), row.citations.join(" ")];
        let rows: Vec<Vec<String>> = self.changes.iter().map(cells).collect();
        table(&["PRINCIPAL", "BEFORE", "AFTER", "RECORDS"], &rows)
    }
}
