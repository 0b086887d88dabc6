//! Devices that were replaced, and the time without MFA in between.

mod pairs;

use std::sync::Arc;

use serde::Serialize;

use super::{Integrity, SCHEMA, Told, table};
use crate::event::Observed;
use crate::fold::{Life, Status};
use crate::time::Time;
use pairs::{Came, Changes, Gone};

/// A device that comes later than this after another went is no successor (rule R18).
pub const ROTATION_MS_MAX: i64 = 7 * 24 * 3600 * 1000;

/// Rotations and removals, by principal and time.
#[derive(Clone, Debug, Serialize)]
pub struct RotationsAnswer {
    /// Version of this form.
    pub schema: u32,
    /// Devices that have a successor.
    pub rotations: Vec<RotationRow>,
    /// Devices that went without one.
    pub removals: Vec<RemovalRow>,
    /// What is known of the files behind this answer.
    pub integrity: Integrity,
}

/// A device that another took the place of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RotationRow {
    /// The principal.
    pub id: String,
    /// Serial number of the device that went.
    pub old: Arc<str>,
    /// Serial number of the one that came.
    pub new: Arc<str>,
    /// When the old one went.
    pub off: Time,
    /// When the new one came.
    pub on: Time,
    /// Seconds without the one and the other; negative, when both were on for a while.
    pub gap_s: i64,
    /// Whether the principal had no other device in between.
    pub without_mfa: bool,
    /// Whether the log does not tell of all the time in between that there was another device, or that there was none.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub maybe_without_mfa: bool,
    /// The records.
    pub citations: Vec<Arc<str>>,
}

/// A device that went without a successor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RemovalRow {
    /// The principal.
    pub id: String,
    /// Serial number of the device.
    pub old: Arc<str>,
    /// When it went.
    pub off: Time,
    /// The record.
    pub citations: Vec<Arc<str>>,
}

/// Lists rotations and removals.
#[must_use]
pub fn rotations(told: &Told) -> RotationsAnswer {
    rotations_until(told, None)
}

/// Lists rotations and removals as if the log ended with an instant.
#[must_use]
pub fn rotations_until(told: &Told, until: Option<Time>) -> RotationsAnswer {
    let (mut rotations, mut removals) = (Vec::new(), Vec::new());
    let mut events: Vec<&Arc<Observed>> = Vec::new();
    for (life, id) in told.in_order_at(until) {
        let changes = Changes::of(life, until);
        let statuses = Statuses::of(life);
        events.extend(changes.came.iter().map(|came| &came.step.event));
        events.extend(changes.gone.iter().map(|gone| &gone.step.event));
        for (old, new) in changes.gone.iter().zip(changes.successors()) {
            match new.and_then(|new| changes.came.get(new)) {
                None if old.came_back() => {}
                Some(new) => rotations.push(rotation(&id, &statuses, old, new)),
                None => removals.push(RemovalRow {
                    id: id.clone(),
                    old: Arc::clone(&old.device.serial),
                    off: old.step.event.at,
                    citations: vec![old.step.event.cite.name()],
                }),
            }
        }
    }
    RotationsAnswer { schema: SCHEMA, rotations, removals, integrity: told.integrity(events) }
}

/// What was so from one instant to the next.
struct Statuses {
    /// The instants.
    at: Vec<Time>,
    /// At how many of the instants until each, inclusive, MFA may have been on, and at how many it may have been off.
    maybe: Vec<[usize; 2]>,
}

impl Statuses {
    fn of(life: &Life) -> Self {
        let (mut at, mut maybe) = (Vec::new(), Vec::new());
        let mut counts = [0; 2];
        let mut steps = life.steps().iter().peekable();
        while let Some(step) = steps.next() {
            // What was so between two events of one instant was so at no time.
            if steps.peek().is_some_and(|next| next.event.at == step.event.at) {
                continue;
            }
            let status = step.after.status;
            counts[0] += usize::from(status != Status::Disabled);
            counts[1] += usize::from(status != Status::Enabled);
            at.push(step.event.at);
            maybe.push(counts);
        }
        Self { at, maybe }
    }

    /// Whether all the time from one instant to a later one was without MFA, and whether that cannot be told.
    fn without(&self, from: Time, to: Time) -> (bool, bool) {
        let until = |time: Time| {
            let before = self.at.partition_point(|at| *at < time);
            before.checked_sub(1).and_then(|last| self.maybe.get(last)).copied().unwrap_or_default()
        };
        let (before, after) = (until(from), until(to));
        let all_off = to > from && after[0] == before[0];
        (all_off, !all_off && to > from && after[1] > before[1])
    }
}

fn rotation(id: &str, statuses: &Statuses, old: &Gone<'_>, new: &Came<'_>) -> RotationRow {
    let (off, on) = (old.step.event.at, new.step.event.at);
    let (without_mfa, maybe_without_mfa) = statuses.without(off, on);
    RotationRow {
        id: id.to_owned(),
        old: Arc::clone(&old.device.serial),
        new: Arc::clone(&new.device.serial),
        off,
        on,
        gap_s: on.since(off).div_euclid(1000),
        without_mfa,
        maybe_without_mfa,
        citations: vec![old.step.event.cite.name(), new.step.event.cite.name()],
    }
}

impl RotationsAnswer {
    /// The answer as text.
    #[must_use]
    pub fn text(&self) -> String {
        let cells = |row: &RotationRow| {
            let (off, on) = (row.off.to_string(), row.on.to_string());
            vec![row.id.clone(), row.old.to_string(), row.new.to_string(), off, on, row.gap_s.to_string()]
        };
        let rows: Vec<Vec<String>> = self.rotations.iter().map(cells).collect();
        let mut text = table(&["PRINCIPAL", "OLD", "NEW", "OFF", "ON", "GAP (s)"], &rows);
        if !self.removals.is_empty() {
            let cells = |row: &RemovalRow| vec![row.id.clone(), row.old.to_string(), row.off.to_string()];
            let rows: Vec<Vec<String>> = self.removals.iter().map(cells).collect();
            text.push_str("\nremoved without a successor:\n");
            text.push_str(&table(&["PRINCIPAL", "DEVICE", "OFF"], &rows));
        }
        text
    }
}
