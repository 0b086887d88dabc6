//! Devices that were replaced, and the time without MFA in between.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;
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
        for (old, new) in off.iter().zip(successors(&off, &on)) {
            match new {
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

/// Devices that may have taken the place of one that went: they came within the time, after that one had come, and
/// before it came again. They are told by their places, the nearest first.
struct Candidates {
    off: Time,
    before: Range<usize>,
    after: Range<usize>,
}

impl Candidates {
    fn of(old: &Change<'_>, on: &[Change<'_>]) -> Self {
        let off = old.at();
        let came = on.iter().rposition(|new| new.is(old) && new.at() <= off).map_or(0, |came| came + 1);
        let again = on.iter().position(|new| new.is(old) && new.at() > off).unwrap_or(on.len());
        let from = on.partition_point(|new| off.since(new.at()) > ROTATION_MS_MAX).max(came);
        let to = on.partition_point(|new| new.at().since(off) <= ROTATION_MS_MAX).min(again);
        let middle = on.partition_point(|new| new.at() < off).clamp(from, to.max(from));
        Self { off, before: from..middle, after: middle..to }
    }

    /// The distance to the next one, and its place.
    fn next(&mut self, on: &[Change<'_>]) -> Option<(i64, usize)> {
        let away = |place: usize| on.get(place).map(|new| (new.at().since(self.off).abs(), place));
        let earlier = self.before.clone().next_back().and_then(away);
        let later = self.after.clone().next().and_then(away);
        let is_earlier = match (earlier, later) {
            (Some(earlier), Some(later)) => earlier.0 < later.0,
            (earlier, _) => earlier.is_some(),
        };
        if is_earlier {
            self.before.next_back()
        } else {
            self.after.next()
        };
        if is_earlier { earlier } else { later }
    }
}

/// Pairs devices that went with those that came, the nearest pair first.
fn successors<'c, 'l>(off: &[Change<'l>], on: &'c [Change<'l>]) -> Vec<Option<&'c Change<'l>>> {
    let mut found = vec![None; off.len()];
    let mut taken = vec![false; on.len()];
    let mut candidates: Vec<Candidates> = off.iter().map(|old| Candidates::of(old, on)).collect();
    let mut nearest = BinaryHeap::new();
    let first = candidates.iter_mut().enumerate();
    nearest.extend(first.filter_map(|(old, of)| of.next(on).map(|(away, new)| Reverse((away, old, new)))));
    while let Some(Reverse((_, old, new))) = nearest.pop() {
        if !taken[new] && !on[new].is(&off[old]) {
            (taken[new], found[old]) = (true, Some(&on[new]));
        } else if let Some((away, new)) = candidates[old].next(on) {
            nearest.push(Reverse((away, old, new)));
        }
    }
    found
}

/// Whether all the time in between was without MFA, and whether that cannot be told.
fn without(life: &Life, old: &Change<'_>, new: &Change<'_>) -> (bool, bool) {
    let first = life.steps().partition_point(|step| step.event.at < old.at());
    let since = life.steps().iter().skip(first).skip_while(|step| !std::ptr::eq(*step, old.step));
    let between = || since.clone().take_while(|step| step.event.at < new.at()).map(|step| step.after.status);
    let all_off = new.at() > old.at() && between().all(|status| status == Status::Disabled);
    (all_off, !all_off && between().any(|status| status != Status::Enabled))
}

fn rotation(life: &Life, old: &Change<'_>, new: &Change<'_>) -> RotationRow {
    let gap = new.at().since(old.at());
    let (without_mfa, maybe_without_mfa) = without(life, old, new);
    RotationRow {
        id: life.id(),
        old: Arc::clone(&old.device.serial),
        new: Arc::clone(&new.device.serial),
        off: old.at(),
        on: new.at(),
        gap_s: gap.div_euclid(1000),
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
