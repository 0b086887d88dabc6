//! Which device took the place of which (rule R18).

use std::collections::BTreeMap;

use countersign_domain::ids::{StreamId, UnixMillis};
use serde::Serialize;

use super::history::each_observed;
use super::state::Sealing;
use crate::own::error::OwnError;
use crate::own::observe::What;
use crate::own::read::Entries;
use crate::own::words::instant;

/// How far apart the end of one device and the begin of the next may be, in milliseconds: seven days.
const APART_MS_MAX: u64 = 7 * 86_400_000;

/// The rotations of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RotationsAnswer {
    /// Version of this form.
    pub schema: u32,
    /// The rotations, by principal and time.
    pub rotations: Vec<Rotation>,
    /// Entries that the answer could not look into.
    pub sealed: Sealing,
}

/// One device in the place of another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rotation {
    /// Whose, by the `id` when the new device came.
    pub id: String,
    /// The device that went.
    pub old: String,
    /// The device that came.
    pub new: String,
    /// When the old one went.
    pub off: String,
    /// When the new one came.
    pub on: String,
    /// Seconds from the one to the other; below zero where both were enabled for a time.
    pub gap_s: i64,
}

/// A device that came or went.
#[derive(Clone, Debug)]
struct Turn {
    device: StreamId,
    /// How often an entity of this serial had come into being by then.
    life: u32,
    serial: String,
    id: String,
    at: UnixMillis,
}

/// Pairs each device that went with the one that came nearest to it, within seven days.
///
/// # Errors
/// When the log cannot be read, or was not written by this engine.
pub fn rotations(log: &dyn Entries) -> Result<RotationsAnswer, OwnError> {
    let mut lives: BTreeMap<StreamId, u32> = BTreeMap::new();
    let mut turns: BTreeMap<StreamId, (Vec<Turn>, Vec<Turn>)> = BTreeMap::new();
    let sealed = each_observed(log, &mut |states, at, observed| {
        let Some(device) = observed.device else { return };
        if observed.what == What::DeviceRegistered {
            *lives.entry(device).or_default() += 1;
        }
        let Some(principal) = observed.principal else { return };
        let turn = || Turn {
            device,
            life: lives.get(&device).copied().unwrap_or_default(),
            serial: states.serial(device),
            id: states.label(principal),
            at: at.time,
        };
        match observed.what {
            What::DeviceAssigned => turns.entry(principal).or_default().0.push(turn()),
            What::DeviceUnassigned => turns.entry(principal).or_default().1.push(turn()),
            _ => {}
        }
    })?;
    let mut found: Vec<Rotation> = turns.into_values().flat_map(|(on, off)| paired(on, off)).collect();
    found.sort_by(|a, b| (&a.id, &a.off, &a.on, &a.old).cmp(&(&b.id, &b.off, &b.on, &b.old)));
    Ok(RotationsAnswer { schema: 1, rotations: found, sealed })
}

fn paired(mut on: Vec<Turn>, off: Vec<Turn>) -> Vec<Rotation> {
    let mut rotations = Vec::new();
    for old in off {
        let fits = |new: &&Turn| {
            new.at.0.abs_diff(old.at.0) <= APART_MS_MAX && (new.device != old.device || new.life > old.life)
        };
        // What came at the same time or later is the successor rather than what was there before.
        let nearest = on.iter().filter(fits).min_by_key(|new| (new.at.0.abs_diff(old.at.0), new.at < old.at));
        let Some(place) = nearest.and_then(|new| on.iter().position(|other| std::ptr::eq(other, new))) else {
            continue;
        };
        let new = on.remove(place);
        let seconds = |at: UnixMillis| i64::try_from(at.secs()).unwrap_or(i64::MAX);
        rotations.push(Rotation {
            gap_s: seconds(new.at).saturating_sub(seconds(old.at)),
            id: new.id,
            old: old.serial,
            new: new.serial,
            off: instant(old.at),
            on: instant(new.at),
        });
    }
    rotations
}
