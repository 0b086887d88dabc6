//! What is known of one principal's devices, and how each event changes it. Total: every event is taken.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use super::finding::FindingKind;
use crate::event::{Observed, What};
use crate::time::Time;

/// Whether somebody has MFA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// At least one device is assigned.
    Enabled,
    /// The log proves that none is.
    Disabled,
    /// The log does not decide.
    Unknown,
    /// The user was deleted before.
    Deleted,
    /// The user was created later.
    Nonexistent,
}

impl Status {
    /// Its name in answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Unknown => "unknown",
            Self::Deleted => "deleted",
            Self::Nonexistent => "nonexistent",
        }
    }
}

/// What a status rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// A device was seen to be enabled.
    Lifecycle,
    /// MFA was only seen in use.
    Evidence,
    /// A new user has none.
    Created,
    /// The last one was taken away.
    Deactivated,
    /// A password was enough.
    SignedInWithoutMfa,
    /// A credential report says so.
    CredentialReport,
}

impl Basis {
    /// Its name in answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lifecycle => "lifecycle",
            Self::Evidence => "evidence",
            Self::Created => "created",
            Self::Deactivated => "deactivated",
            Self::SignedInWithoutMfa => "signed_in_without_mfa",
            Self::CredentialReport => "credential_report",
        }
    }
}

type Event = Arc<Observed>;

/// Devices of one principal that are kept by name; AWS allows eight.
const HELD_MAX: usize = 16;

#[derive(Clone, Debug)]
struct Held {
    since: Event,
    enabled: bool,
}

/// Whether an event is that of a device's enabling.
fn enables(event: &Event) -> bool {
    matches!(event.what, What::DeviceAssigned { .. })
        || matches!(&event.what, What::ChangeUntold { name, .. } if &**name == "EnableMFADevice")
}

/// The devices of one principal, as far as they are known.
#[derive(Clone, Debug, Default)]
pub(super) struct Factors {
    held: BTreeMap<Arc<str>, Held>,
    /// Devices of which any may have gone by a record that does not say which.
    maybe: BTreeSet<Arc<str>>,
    /// Some device is in use, and no record names it.
    unnamed: Option<Event>,
    /// The event that told the whole set.
    complete: Option<Event>,
    /// The event that contradicts the set, of which a record must be missing then, and maybe more than one.
    doubted: Option<Event>,
    /// Why there is none.
    off: Option<(Basis, Event)>,
    /// The event since which nobody knows.
    lost: Option<Event>,
}

impl Factors {
    pub(super) fn status(&self) -> Status {
        if self.has_some() {
            Status::Enabled
        } else if self.complete.is_some() && self.doubted.is_none() {
            Status::Disabled
        } else {
            Status::Unknown
        }
    }

    pub(super) fn basis(&self) -> Option<Basis> {
        match self.status() {
            Status::Enabled if self.held.values().any(|held| held.enabled) => Some(Basis::Lifecycle),
            Status::Enabled if self.unnamed.as_ref().is_some_and(enables) => Some(Basis::Lifecycle),
            Status::Enabled => Some(Basis::Evidence),
            Status::Disabled => self.off.as_ref().map(|(basis, _)| *basis),
            _ => None,
        }
    }

    pub(super) fn serials(&self) -> Vec<Arc<str>> {
        self.held.keys().cloned().collect()
    }

    /// Whether there is none but those that are held.
    pub(super) const fn is_complete(&self) -> bool {
        self.complete.is_some() && self.doubted.is_none() && self.unnamed.is_none()
    }

    /// Devices that may still be on.
    pub(super) fn maybe(&self) -> Vec<Arc<str>> {
        self.maybe.iter().cloned().collect()
    }

    pub(super) fn holds(&self, serial: &str) -> bool {
        self.held.contains_key(serial)
    }

    /// The events that decide the status.
    pub(super) fn deciding(&self) -> Vec<Event> {
        match self.status() {
            Status::Enabled => self.held.values().map(|held| &held.since).chain(&self.unnamed).cloned().collect(),
            Status::Disabled => self.complete.iter().chain(self.off.iter().map(|(_, event)| event)).cloned().collect(),
            _ => self.lost.iter().chain(&self.doubted).cloned().collect(),
        }
    }

    fn has_some(&self) -> bool {
        !self.held.is_empty() || self.unnamed.is_some()
    }

    /// Whether the log says that a device is not among somebody's.
    fn excludes(&self, serial: &str) -> bool {
        self.complete.is_some() && self.unnamed.is_none() && !self.holds(serial)
    }

    fn none(&mut self, basis: Basis, event: &Event) {
        self.held.clear();
        self.maybe.clear();
        self.unnamed = None;
        self.complete = Some(Arc::clone(event));
        self.doubted = None;
        self.off = Some((basis, Arc::clone(event)));
    }

    pub(super) fn created(&mut self, event: &Event) {
        self.none(Basis::Created, event);
    }

    /// After a contradiction the set may lack more than what shows, unless one device is all that there can be.
    fn doubt(&mut self, finding: Option<FindingKind>, event: &Event) -> Option<FindingKind> {
        if finding.is_some() && !event.is_of_whole_log() && !event.one_device_at_most() {
            self.doubted = Some(Arc::clone(event));
        }
        finding
    }

    pub(super) fn assign(&mut self, serial: &Arc<str>, event: &Event) -> Option<FindingKind> {
        if event.one_device_at_most() {
            self.none(Basis::Deactivated, event);
        }
        if self.is_full(serial) {
            self.assign_unnamed(event);
            return Some(FindingKind::TooManyDevices);
        }
        self.maybe.remove(serial);
        self.held.insert(Arc::clone(serial), Held { since: Arc::clone(event), enabled: true });
        None
    }

    /// Whether a device is one too many to be kept by name.
    fn is_full(&self, serial: &str) -> bool {
        self.held.len() >= HELD_MAX && !self.holds(serial)
    }

    /// A device was enabled, and the record does not name it: another that is used later may be it, or not.
    pub(super) fn assign_unnamed(&mut self, event: &Event) {
        if event.one_device_at_most() {
            self.none(Basis::Deactivated, event);
        } else {
            self.complete = None;
        }
        self.unnamed = Some(Arc::clone(event));
    }

    /// A device was taken away, and the record does not name it: any may be it.
    pub(super) fn unassign_unnamed(&mut self, event: &Event) {
        let mut maybe = std::mem::take(&mut self.maybe);
        maybe.extend(self.held.keys().take(HELD_MAX.saturating_sub(maybe.len())).cloned());
        self.none(Basis::Deactivated, event);
        if !event.one_device_at_most() {
            self.maybe = maybe;
            self.complete = None;
            self.lost = Some(Arc::clone(event));
        }
    }

    pub(super) fn unassign(&mut self, serial: &str, event: &Event) -> Option<FindingKind> {
        let one_at_most = event.one_device_at_most();
        let other = one_at_most && !self.held.is_empty() && !self.holds(serial);
        let finding = (self.excludes(serial) || other).then_some(FindingKind::DeactivateOfUnknownDevice);
        self.remove(serial, event);
        self.doubt(finding, event)
    }

    /// Takes a device away that may or may not be known.
    pub(super) fn remove(&mut self, serial: &str, event: &Event) {
        if event.one_device_at_most() {
            return self.none(Basis::Deactivated, event);
        }
        self.maybe.remove(serial);
        if self.held.remove(serial).is_none() {
            self.unnamed = None;
        }
        if !self.has_some() {
            self.off = Some((Basis::Deactivated, Arc::clone(event)));
            self.lost = Some(Arc::clone(event));
        }
    }

    /// A device turns out to have gone at some time, and nobody knows what came in its place.
    pub(super) fn lose(&mut self, serial: &str, event: &Event) {
        self.maybe.remove(serial);
        self.held.remove(serial);
        self.doubted = Some(Arc::clone(event));
        if !self.has_some() {
            self.lost = Some(Arc::clone(event));
        }
    }

    /// Whether a device has been held since before an instant.
    pub(super) fn held_before(&self, serial: &str, at: Time) -> bool {
        self.held.get(serial).is_some_and(|held| held.since.at < at)
    }

    pub(super) fn resynced(&mut self, serial: &Arc<str>, event: &Event) -> Option<FindingKind> {
        let finding = self.excludes(serial).then_some(FindingKind::ResyncOfUnknownDevice);
        if !event.is_of_whole_log() {
            self.seen(serial, event);
        }
        self.doubt(finding, event)
    }

    /// MFA was used. `while_disabled` is the finding if there was none.
    pub(super) fn used(
        &mut self,
        serial: Option<&Arc<str>>,
        while_disabled: FindingKind,
        event: &Event,
    ) -> Option<FindingKind> {
        let before = self.status();
        let unknown_device = serial.is_some_and(|serial| self.excludes(serial));
        match serial {
            _ if event.is_of_whole_log() => {}
            Some(serial) => self.seen(serial, event),
            None if !self.has_some() => self.unnamed = Some(Arc::clone(event)),
            None => {}
        }
        let finding = match before {
            Status::Disabled => Some(while_disabled),
            _ if unknown_device => Some(FindingKind::MfaUseOfUnknownDevice),
            _ => None,
        };
        self.doubt(finding, event)
    }

    /// A device is on; if some unnamed one was known to be, this is it.
    fn seen(&mut self, serial: &Arc<str>, event: &Event) {
        if self.is_full(serial) {
            return self.assign_unnamed(event);
        }
        self.unnamed = None;
        self.maybe.remove(serial);
        let held = Held { since: Arc::clone(event), enabled: false };
        self.held.entry(Arc::clone(serial)).or_insert(held);
    }

    /// A password was enough, or a report says that there is none.
    pub(super) fn shown_off(&mut self, basis: Basis, contradiction: FindingKind, event: &Event) -> Option<FindingKind> {
        match self.status() {
            Status::Disabled => None,
            Status::Enabled if event.is_of_whole_log() => Some(contradiction),
            before => {
                self.none(basis, event);
                (before == Status::Enabled).then_some(contradiction)
            }
        }
    }
}
