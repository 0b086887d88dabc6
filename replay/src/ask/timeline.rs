//! What happened to a principal, in order.

use std::sync::Arc;

use serde::Serialize;

use super::{Integrity, SCHEMA, Told, table};
use crate::event::{ActorKind, Device, Observed, Via, What, Who};
use crate::fold::{Basis, Life, Snapshot, Status};
use crate::time::Time;

/// The events of some principals.
#[derive(Clone, Debug, Serialize)]
pub struct TimelineAnswer {
    /// Version of this form.
    pub schema: u32,
    /// One timeline for each principal.
    pub timelines: Vec<Timeline>,
    /// What is known of the files behind this answer.
    pub integrity: Integrity,
}

/// The events of one principal.
#[derive(Clone, Debug, Serialize)]
pub struct Timeline {
    /// The principal.
    pub id: String,
    /// Its unique id, if a record tells.
    pub uid: Option<String>,
    /// Its events, failed attempts among them.
    pub events: Vec<TimelineRow>,
}

/// One event of a principal.
#[derive(Clone, Debug, Serialize)]
pub struct TimelineRow {
    /// When.
    pub time: Time,
    /// What, in the log's words.
    pub event: String,
    /// The device, if it is about one.
    pub device: Option<Arc<str>>,
    /// Who did it, seen from the principal.
    pub actor: &'static str,
    /// What the record calls the one who did it.
    pub actor_name: Arc<str>,
    /// Where from.
    pub address: Arc<str>,
    /// `changed`, `unchanged`, or `failed` with the error.
    pub effect: String,
    /// Whether the principal had MFA afterwards.
    pub status: Status,
    /// What that rests on.
    pub basis: Option<Basis>,
    /// Devices that are known afterwards.
    pub devices: Vec<Arc<str>>,
    /// The record.
    pub event_id: Arc<str>,
}

/// Tells what happened to some principals, named by their places in the history.
#[must_use]
pub fn timeline(told: &Told, lives: &[usize]) -> TimelineAnswer {
    let lives: Vec<&Life> = lives.iter().filter_map(|place| told.history.lives().get(*place)).collect();
    let events = lives.iter().flat_map(|life| life.steps().iter().map(|step| &step.event).chain(life.attempts()));
    let integrity = told.integrity(events);
    let timelines = lives.iter().map(|life| of_life(life)).collect();
    TimelineAnswer { schema: SCHEMA, timelines, integrity }
}

fn of_life(life: &Life) -> Timeline {
    let mut rows: Vec<(&Arc<Observed>, TimelineRow)> = Vec::new();
    for step in life.steps() {
        let effect = if step.changed { "changed" } else { "unchanged" };
        rows.push((&step.event, row(life, &step.event, effect.to_owned(), &step.after)));
    }
    for attempt in life.attempts() {
        let effect = match &attempt.what {
            What::AttemptFailed { error, .. } => format!("failed: {error}"),
            _ => "failed".to_owned(),
        };
        rows.push((attempt, row(life, attempt, effect, &life.at(Some(attempt.at)))));
    }
    rows.sort_by(|a, b| a.0.order(b.0));
    Timeline {
        id: life.id(),
        uid: life.uid().map(str::to_owned),
        events: rows.into_iter().map(|(_, row)| row).collect(),
    }
}

fn row(life: &Life, event: &Observed, effect: String, after: &Snapshot) -> TimelineRow {
    TimelineRow {
        time: event.at,
        event: event_name(&event.what),
        device: device_of(&event.what).map(|device| Arc::clone(&device.serial)),
        actor: actor(life, event),
        actor_name: Arc::clone(&event.by.label),
        address: Arc::clone(&event.by.address),
        effect,
        status: after.status,
        basis: after.basis,
        devices: after.devices.to_vec(),
        event_id: event.cite.name(),
    }
}

/// The name of an event as the log calls it, with the class of a sign-in and the kind of a check.
pub(super) fn event_name(what: &What) -> String {
    match what {
        What::PrincipalCreated { .. } => "CreateUser".to_owned(),
        What::PrincipalRenamed { to, .. } => format!("UpdateUser to {to}"),
        What::PrincipalDeleted { .. } => "DeleteUser".to_owned(),
        What::DeviceRegistered { .. } => "CreateVirtualMFADevice".to_owned(),
        What::DeviceAssigned { .. } => "EnableMFADevice".to_owned(),
        What::DeviceUnassigned { .. } => "DeactivateMFADevice".to_owned(),
        What::DeviceDestroyed { .. } => "DeleteVirtualMFADevice".to_owned(),
        What::DeviceResynced { .. } => "ResyncMFADevice".to_owned(),
        What::MfaUseObserved { via: Via::Session { .. }, .. } => "mfa_session".to_owned(),
        What::MfaUseObserved { via: Via::Check(kind), .. } => format!("CheckMfa {kind}"),
        What::MfaUseObserved { via: Via::Token(name), .. } => (*name).to_owned(),
        What::SignInObserved { class, .. } => format!("ConsoleLogin({})", class.name()),
        What::ConsolePasswordSet { by, .. } => (*by).to_owned(),
        What::ConsolePasswordRemoved { .. } => "DeleteLoginProfile".to_owned(),
        What::StateAnchored { mfa, .. } => format!("credential_report(mfa_active={mfa})"),
        What::ChangeUntold { name, .. } | What::AttemptFailed { name, .. } => name.to_string(),
    }
}

pub(super) fn device_of(what: &What) -> Option<&Device> {
    match what {
        What::DeviceRegistered { device, .. }
        | What::DeviceAssigned { device, .. }
        | What::DeviceUnassigned { device, .. }
        | What::DeviceDestroyed { device, .. }
        | What::DeviceResynced { device, .. } => Some(device),
        What::MfaUseObserved { device, .. }
        | What::SignInObserved { device, .. }
        | What::AttemptFailed { device, .. } => device.as_ref(),
        _ => None,
    }
}

/// Who did something, seen from a principal.
pub(super) fn actor(life: &Life, event: &Observed) -> &'static str {
    let own = match &event.by.who {
        Some(Who::Root { account }) => life.is_root() && **account == *life.account(),
        Some(Who::User { account, name, uid }) => {
            let same_id = uid.as_deref().zip(life.uid()).map(|(a, b)| a == b);
            let same_name = || name.as_ref().is_some_and(|name| life.was_called(name));
            !life.is_root() && **account == *life.account() && same_id.unwrap_or_else(same_name)
        }
        None => false,
    };
    if own { "self" } else { actor_kind(event) }
}

/// What somebody is who did something.
pub(super) const fn actor_kind(event: &Observed) -> &'static str {
    match event.by.kind {
        ActorKind::User => "user",
        ActorKind::Root => "root",
        ActorKind::AssumedRoot => "assumed_root",
        ActorKind::Role => "role",
        ActorKind::Service => "service",
        ActorKind::Unknown => "unknown",
    }
}

impl TimelineAnswer {
    /// The answer as text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for timeline in &self.timelines {
            let uid = timeline.uid.as_deref().map_or_else(String::new, |uid| format!("  {uid}"));
            text.push_str(&super::plain(&format!("{}{uid}", timeline.id)));
            text.push('\n');
            let rows: Vec<Vec<String>> = timeline.events.iter().map(TimelineRow::cells).collect();
            text.push_str(&table(&["TIME", "EVENT", "DEVICE", "BY", "EFFECT", "STATUS", "RECORD"], &rows));
            text.push('\n');
        }
        text
    }
}

impl TimelineRow {
    fn cells(&self) -> Vec<String> {
        let short = |serial: &Arc<str>| serial.rsplit(':').next().unwrap_or_default().to_owned();
        let status = match self.basis {
            Some(basis) => format!("{} ({})", self.status.name(), basis.name()),
            None => self.status.name().to_owned(),
        };
        vec![
            self.time.to_string(),
            self.event.clone(),
            self.device.as_ref().map_or_else(|| "-".to_owned(), short),
            self.actor.to_owned(),
            self.effect.clone(),
            status,
            self.event_id.to_string(),
        ]
    }
}
