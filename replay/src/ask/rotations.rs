//! Devices that were replaced, and the time without MFA in between.

use std::sync::Arc;

use serde::Serialize;

use super::{Integrity, SCHEMA, Told, table};
use crate::event::{Device, Observed, What};
use crate::fold::{Life, Status, Step};
use crate::time::Time;

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

struct Change<'a> {
    step: &'a Step,
    device: &'a Device,
}

impl Change<'_> {
    fn at(&self) -> Time {
        self.step.event.at
    }

    /// Whether it is the same device: of one name, and made once.
    fn is(&self, other: &Self) -> bool {
        self.device == other.device && self.step.generation == other.step.generation
    }
}

/// Lists rotations and removals.
#[must_use]
pub fn rotations(told: &Told) -> RotationsAnswer {
    let (mut rotations, mut removals) = (Vec::new(), Vec::new());
    let mut events: Vec<&Arc<Observed>> = Vec::new();
    for (_, life) in told.in_order() {
        let (on, off) = (changes(life, true), changes(life, false));
        events.extend(on.iter().chain(&off).map(|change| &change.step.event));
        let mut taken = vec![false; on.len()];
        for old in &off {
            match successor(old, &on, &mut taken) {
                None if came_back(old, &on) => {}
                Some(new) => rotations.push(rotation(life, old, new)),
                None => removals.push(RemovalRow {
                    id: life.id(),
                    old: Arc::clone(&old.device.serial),
                    off: old.at(),
                    citations: vec![old.step.event.cite.name()],
                }),
            }
        }
    }
    RotationsAnswer { schema: SCHEMA, rotations, removals, integrity: told.integrity(events) }
}

fn changes(life: &Life, on: bool) -> Vec<Change<'_>> {
    let mut before: &[Arc<str>] = &[];
    let mut found = Vec::new();
    for step in life.steps() {
        let change = match &step.event.what {
            What::DeviceAssigned { device, .. } if on => Some(device),
            What::DeviceUnassigned { device, .. } if !on => Some(device),
            What::DeviceDestroyed { device, .. } if !on && before.contains(&device.serial) => Some(device),
            _ => None,
        };
        found.extend(change.map(|device| Change { step, device }));
        before = &step.after.devices;
    }
    found
}

/// Whether the very device came again within the time.
fn came_back(old: &Change<'_>, on: &[Change<'_>]) -> bool {
    on.iter().any(|new| new.is(old) && (0..=ROTATION_MS_MAX).contains(&new.at().since(old.at())))
}

/// The nearest device that came within the time, after the one that went had come, and before that came again.
fn successor<'c, 'l>(old: &Change<'l>, on: &'c [Change<'l>], taken: &mut [bool]) -> Option<&'c Change<'l>> {
    let came = on.iter().rposition(|new| new.is(old) && new.at() <= old.at());
    let again = on.iter().position(|new| new.is(old) && new.at() > old.at());
    let fits = |(place, new): &(usize, &Change<'_>)| {
        let near = new.at().since(old.at()).abs() <= ROTATION_MS_MAX && again.is_none_or(|again| *place < again);
        near && !taken[*place] && !new.is(old) && came.is_none_or(|came| *place > came)
    };
    let nearest = on.iter().enumerate().filter(fits).min_by_key(|(_, new)| new.at().since(old.at()).abs());
    let (place, new) = nearest?;
    taken[place] = true;
    Some(new)
}

fn rotation(life: &Life, old: &Change<'_>, new: &Change<'_>) -> RotationRow {
    let gap = new.at().since(old.at());
    RotationRow {
        id: life.id(),
        old: Arc::clone(&old.device.serial),
        new: Arc::clone(&new.device.serial),
        off: old.at(),
        on: new.at(),
        gap_s: gap.div_euclid(1000),
        without_mfa: gap > 0 && old.step.after.status == Status::Disabled,
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
