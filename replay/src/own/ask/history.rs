//! What happened: the timeline of a principal, sign-ins, findings, and what changed between two instants.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use countersign_domain::ids::{Position, StreamId, UnixMillis};
use countersign_store::Header;
use serde::Serialize;

use super::state::{PrincipalState, Sealing, concerns, state};
use crate::own::error::OwnError;
use crate::own::observe::{Class, Observed, What, observe, observe_sealed};
use crate::own::read::{Entries, each_entry_of};
use crate::own::states::States;
use crate::own::words::instant;

/// Where an observed fact stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its position.
    pub position: Position,
    /// When it was recorded.
    pub time: UnixMillis,
}

/// Visits every observed fact of a log in its order, with the states after its command.
///
/// # Errors
/// When the log cannot be read, or was not written by this engine.
pub fn each_observed(
    log: &dyn Entries,
    visit: &mut dyn FnMut(&States, Standing, &Observed),
) -> Result<Sealing, OwnError> {
    const PASSWORDS: std::ops::RangeInclusive<u16> = 0x0120..=0x012f;
    let (mut states, mut sealed) = (States::default(), Sealing::default());
    // A device gets its name behind the entry that enables it, where one command does both.
    let mut waiting: Vec<(Standing, Observed)> = Vec::new();
    let mut command = None;
    let mut wanted = |header: &Header| concerns(header.event_type) || PASSWORDS.contains(&header.event_type);
    each_entry_of(log, Position(0), &mut wanted, &mut |entry, event| {
        let header = &entry.header;
        let first = Position(entry.position.0.saturating_sub(header.part.into()));
        if command.replace(first) != Some(first) {
            waiting.drain(..).for_each(|(at, observed)| visit(&states, at, &observed));
        }
        if concerns(header.event_type) {
            states.take(entry, event)?;
        }
        let observed = match event {
            Ok(event) => observe(header.stream, event),
            Err(why) => {
                sealed.count(why);
                observe_sealed(header.stream, header.event_type)
            }
        };
        let at = Standing { position: entry.position, time: header.time };
        waiting.extend(observed.map(|observed| (at, observed)));
        Ok(ControlFlow::Continue(()))
    })?;
    waiting.drain(..).for_each(|(at, observed)| visit(&states, at, &observed));
    Ok(sealed)
}

/// What happened to one principal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TimelineAnswer {
    /// Version of this form.
    pub schema: u32,
    /// The principals that were meant, by their `id` at the end of the log, with what happened to each.
    pub principals: Vec<Timeline>,
    /// Entries that the answer could not look into.
    pub sealed: Sealing,
}

/// One principal's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Timeline {
    /// Its `id`.
    pub id: String,
    /// What happened, in the order of the log.
    pub entries: Vec<TimelineEntry>,
}

/// One fact of a timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TimelineEntry {
    /// When it was recorded.
    pub time: String,
    /// Where it stands in the log.
    pub position: u64,
    /// What happened.
    pub kind: &'static str,
    /// The class of a sign-in, or why an attempt failed.
    pub detail: Option<&'static str>,
    /// The serial number or ARN of the device.
    pub device: Option<String>,
    /// Its `id` then.
    pub id: String,
}

/// What happened to the principals that `wanted` names.
///
/// # Errors
/// When the log cannot be read, or nobody of this name was ever in it.
pub fn timeline(log: &dyn Entries, wanted: &str) -> Result<TimelineAnswer, OwnError> {
    let meant: Vec<PrincipalState> = state(log, None, Some(wanted))?.principals;
    if meant.is_empty() {
        return Err(OwnError::Usage(format!("the log knows no principal `{}`", crate::own::words::shown(wanted))));
    }
    let mut all: BTreeMap<StreamId, Vec<TimelineEntry>> =
        meant.iter().map(|found| (found.stream, Vec::new())).collect();
    let sealed = each_observed(log, &mut |states, at, observed| {
        let Some(principal) = observed.principal else { return };
        let Some(entries) = all.get_mut(&principal) else { return };
        entries.push(TimelineEntry {
            time: instant(at.time),
            position: at.position.0,
            kind: observed.what.as_str(),
            detail: observed.what.detail(),
            device: observed.device.map(|device| states.serial(device)),
            id: states.label(principal),
        });
    })?;
    let principals = meant
        .into_iter()
        .map(|found| Timeline { entries: all.remove(&found.stream).unwrap_or_default(), id: found.id });
    Ok(TimelineAnswer { schema: 1, principals: principals.collect(), sealed })
}

/// The sign-ins of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SignInsAnswer {
    /// Version of this form.
    pub schema: u32,
    /// The sign-ins, in the order of the log.
    pub signins: Vec<SignIn>,
    /// Entries that the answer could not look into.
    pub sealed: Sealing,
}

/// One sign-in, or one that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SignIn {
    /// When.
    pub time: String,
    /// Who; `None` where nobody of that name exists, or it is sealed.
    pub id: Option<String>,
    /// `success` or `failure`.
    pub outcome: &'static str,
    /// `mfa`, `no_mfa` or `unknown`. A failure at the second factor is `mfa`, one at the password `unknown`.
    pub class: &'static str,
    /// The position of the entry.
    pub event_id: String,
}

/// Lists the sign-ins; `without_mfa` leaves out those that rested on a device.
///
/// # Errors
/// When the log cannot be read, or was not written by this engine.
pub fn signins(log: &dyn Entries, without_mfa: bool) -> Result<SignInsAnswer, OwnError> {
    let mut found = Vec::new();
    let sealed = each_observed(log, &mut |states, at, observed| {
        let (outcome, class) = match observed.what {
            What::SignIn(class) => ("success", class),
            What::SignInRefused => ("failure", Class::Mfa),
            What::PasswordRefused => ("failure", Class::Unknown),
            _ => return,
        };
        if without_mfa && (class != Class::NoMfa) {
            return;
        }
        found.push(SignIn {
            time: instant(at.time),
            id: observed.principal.map(|principal| states.label(principal)),
            outcome,
            class: class.as_str(),
            event_id: at.position.to_string(),
        });
    })?;
    Ok(SignInsAnswer { schema: 1, signins: found, sealed })
}

/// Where a log says something that should give one pause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FindingsAnswer {
    /// Version of this form.
    pub schema: u32,
    /// The findings, in the order of the log.
    pub findings: Vec<Finding>,
    /// Entries that the answer could not look into.
    pub sealed: Sealing,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// When.
    pub time: String,
    /// Who.
    pub id: String,
    /// Its kind, of rule R17.
    pub kind: &'static str,
    /// The devices that are concerned.
    pub devices: Vec<String>,
    /// Positions of the entries that show it.
    pub citations: Vec<u64>,
}

/// Lists the findings. Most kinds of rule R17 are contradictions, and a log of ours that has one does not fold: `verify`
/// names it. What is left is who got in without a device while there was one.
///
/// # Errors
/// When the log cannot be read, or was not written by this engine.
pub fn findings(log: &dyn Entries) -> Result<FindingsAnswer, OwnError> {
    let mut found = Vec::new();
    let sealed = each_observed(log, &mut |states, at, observed| {
        let (What::SignIn(Class::NoMfa), Some(principal)) = (observed.what, observed.principal) else { return };
        let Some(person) = states.people.get(&principal).filter(|person| !person.enabled.is_empty()) else { return };
        let mut citations: Vec<u64> = person.enabled.iter().map(|(_, at)| at.0).collect();
        citations.push(at.position.0);
        found.push(Finding {
            time: instant(at.time),
            id: person.label(principal),
            kind: "signin_without_mfa_while_enabled",
            devices: person.enabled.iter().map(|(device, _)| states.serial(*device)).collect(),
            citations,
        });
    })?;
    Ok(FindingsAnswer { schema: 1, findings: found, sealed })
}

/// What changed between two instants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DiffAnswer {
    /// Version of this form.
    pub schema: u32,
    /// The earlier instant.
    pub from: String,
    /// The later instant; `None` is the end of the log.
    pub to: Option<String>,
    /// Principals whose status, name or devices differ, as they were and are.
    pub changed: Vec<Change>,
}

/// A principal before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Its `id` after.
    pub id: String,
    /// Before.
    pub before: PrincipalState,
    /// After.
    pub after: PrincipalState,
}

/// Compares the states at two instants.
///
/// # Errors
/// When the log cannot be read, or was not written by this engine.
pub fn diff(log: &dyn Entries, from: UnixMillis, to: Option<UnixMillis>) -> Result<DiffAnswer, OwnError> {
    let mut before: BTreeMap<StreamId, PrincipalState> =
        state(log, Some(from), None)?.principals.into_iter().map(|found| (found.stream, found)).collect();
    let mut changed = Vec::new();
    for after in state(log, to, None)?.principals {
        let Some(before) = before.remove(&after.stream) else { continue };
        if (before.status, &before.id, &before.devices) != (after.status, &after.id, &after.devices) {
            changed.push(Change { id: after.id.clone(), before, after });
        }
    }
    Ok(DiffAnswer { schema: 1, from: instant(from), to: to.map(instant), changed })
}
