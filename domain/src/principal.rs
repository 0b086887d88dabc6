//! The life of a principal and of the devices that it owns.

mod outgoing;
mod pending;

pub use outgoing::{Message, Outgoing, Phase};
pub use pending::{
    Alternative, Asked, Associate, CHALLENGES_OPEN_MAX, Ceremony, Errand, KeyChallenge, OPEN_MAX, Pending,
    REFUSALS_MAX, Sent, SentCode, SignIn,
};

use alloc::boxed::Box;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::Corrupt;
use crate::device::{DeviceKind, DeviceName, Path};
use crate::event::{CodeFault, Event, KeyFault, KeyForm, KeyRefused, KeyRegistered};
use crate::ids::{PrincipalId, StreamId, UnixMillis};
use crate::policy::Policy;
use crate::totp::{Attempts, Budget, Learned};

/// The number of the form that [`Principal`] has in snapshots. It changes with any field below it: a snapshot of another
/// form is not read, and the history is.
pub const SNAPSHOT_FORM: u64 = 4;

/// A principal that exists or existed. Absence is `None`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Principal {
    /// May own devices.
    Registered(Registered),
    /// Gone for good; its stream is never reused.
    Removed(Removed),
    /// Gone, and what was known of it as well.
    Forgotten(Oblivion),
}

/// All that is left of a principal that was forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Oblivion {
    /// When it was forgotten.
    pub at: UnixMillis,
}

/// A principal that may own devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// Who it is.
    pub id: PrincipalId,
    /// Its stream; follows from `id`.
    pub stream: StreamId,
    /// Its present name.
    pub name: DeviceName,
    /// Its present path.
    pub path: Path,
    /// When it was registered.
    pub created_at: UnixMillis,
    /// Its enabled devices, oldest first.
    pub devices: Vec<Enabled>,
    /// Whether it ever had an SMS device: a participant of the preview (A16).
    pub sms_participant: bool,
    /// When it last lost an SMS device: another number has to wait (NT-43).
    pub sms_gone_at: Option<UnixMillis>,
    /// What it was asked and has not answered.
    pub pending: Box<Pending>,
    /// Codes on their way to it.
    pub outgoing: Outgoing,
}

/// What is left of a removed principal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// Who it was.
    pub id: PrincipalId,
    /// When it was removed.
    pub at: UnixMillis,
}

/// A device that is enabled for a principal; there is no assigned-but-disabled state (R50).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enabled {
    /// The device.
    pub device: StreamId,
    /// Its kind.
    pub kind: DeviceKind,
    /// Which life of its serial it is in.
    pub life: u32,
    /// When it was enabled; a resync does not change it (R117).
    pub enabled_at: UnixMillis,
    /// When its time was last learned, by enable or resync (R95).
    pub learned_at: UnixMillis,
    /// The latest instant that is recorded of it since it was enabled (A40).
    pub latest: UnixMillis,
    /// What is known of its codes. Meaningful for TOTP devices only.
    pub learned: Learned,
    /// Whether its codes are understood.
    pub sync: Sync,
    /// What is known of a security key; other kinds have none.
    pub key: Option<Key>,
}

/// What is known of an enabled security key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// What it is to its owner.
    pub form: KeyForm,
    /// The stream of its credential.
    pub credential: StreamId,
    /// Its signature counter, as last accepted.
    pub counter: u32,
    /// Its counter went back once: there may be two of it, and neither is taken any more.
    pub suspected_clone: bool,
}

/// Whether a device's codes fit the learned time. Evidence, not a stored status (R51).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sync {
    /// The last code fitted, or none was refused yet.
    InSync {
        /// Codes refused one after another since (A4).
        misses: u8,
    },
    /// The last refused code was this device's, but outside the window: a resync is due (A5, R102).
    OutOfSync {
        /// Codes refused one after another since the last accepted one.
        misses: u8,
        /// How many steps the refused code was ahead of the device's time, or behind.
        steps: i64,
    },
}

impl Sync {
    /// In sync, nothing refused.
    pub const FRESH: Self = Self::InSync { misses: 0 };

    /// Codes refused one after another.
    #[must_use]
    pub const fn misses(self) -> u8 {
        match self {
            Self::InSync { misses } | Self::OutOfSync { misses, .. } => misses,
        }
    }

    /// Whether a resync should be offered to the person (R102, A4, A5).
    #[must_use]
    pub const fn wants_resync(self, policy: &Policy) -> bool {
        matches!(self, Self::OutOfSync { .. }) || self.misses() >= policy.misses_before_resync
    }
}

impl Principal {
    /// The principal, if it may still do anything.
    #[must_use]
    pub const fn registered(&self) -> Option<&Registered> {
        match self {
            Self::Registered(principal) => Some(principal),
            Self::Removed(_) | Self::Forgotten(_) => None,
        }
    }

    /// Takes up the fold again behind events that cannot be read any more, because the key that sealed them was
    /// destroyed: at the tombstone that says so.
    #[must_use]
    pub const fn resume(event: &Event, at: UnixMillis) -> Option<Self> {
        match event {
            Event::PrincipalForgotten(_) => Some(Self::Forgotten(Oblivion { at })),
            _ => None,
        }
    }

    /// Folds one event of a principal's stream.
    ///
    /// # Errors
    /// When the event cannot follow this state; the stored history is then not ours.
    pub fn evolve(state: Option<Self>, event: &Event, at: UnixMillis) -> Result<Self, Corrupt> {
        match (state, event) {
            (None, Event::PrincipalRegistered(registered)) => Ok(Self::Registered(Registered {
                stream: registered.id.stream(),
                id: registered.id.clone(),
                name: registered.name.clone(),
                path: registered.path.clone(),
                created_at: at,
                devices: Vec::new(),
                sms_participant: false,
                sms_gone_at: None,
                pending: Box::default(),
                outgoing: Outgoing::default(),
            })),
            (Some(Self::Registered(principal)), Event::PrincipalRemoved(_)) if principal.devices.is_empty() => {
                Ok(Self::Removed(Removed { id: principal.id, at }))
            }
            (Some(Self::Removed(_)), Event::PrincipalForgotten(_)) => Ok(Self::Forgotten(Oblivion { at })),
            (Some(Self::Registered(mut principal)), event) => {
                principal.fold(event, at)?;
                Ok(Self::Registered(principal))
            }
            _ => Err(Corrupt::new("principal", event)),
        }
    }

    /// When this state next changes by itself: the end of the first exhausted attempt window.
    #[must_use]
    pub fn deadline(&self, policy: &Policy) -> Option<UnixMillis> {
        let principal = self.registered()?;
        let ends = |attempts: &Attempts, budget: Budget| {
            (attempts.used >= budget.max(policy)).then(|| Attempts::ends_at(attempts.window, policy))
        };
        let device_ends = |device: &Enabled| {
            let codes = ends(&device.learned.codes, Budget::Codes);
            let pairs = ends(&device.learned.pairs, Budget::Pairs);
            [codes, pairs].into_iter().flatten().min()
        };
        principal.devices.iter().filter_map(device_ends).min()
    }
}

impl Registered {
    /// The enabled device of this id.
    #[must_use]
    pub fn device(&self, device: StreamId) -> Option<&Enabled> {
        self.devices.iter().find(|enabled| enabled.device == device)
    }

    fn fold(&mut self, event: &Event, at: UnixMillis) -> Result<(), Corrupt> {
        let corrupt = || Corrupt::new("principal", event);
        match event {
            Event::PrincipalRenamed(renamed) => {
                self.name = renamed.name.clone();
                self.path = renamed.path.clone();
            }
            Event::DeviceEnabled(enabled) if self.device(enabled.device).is_none() => {
                self.sms_participant |= enabled.kind == DeviceKind::Sms;
                self.devices.push(Enabled {
                    device: enabled.device,
                    kind: enabled.kind,
                    life: enabled.life,
                    enabled_at: at,
                    learned_at: at,
                    latest: at,
                    learned: enabled.learned.clone(),
                    sync: Sync::FRESH,
                    key: None,
                });
            }
            Event::DeviceDeactivated(gone) if self.device(gone.device).is_some() => {
                if self.device(gone.device).is_some_and(|enabled| enabled.kind == DeviceKind::Sms) {
                    self.sms_gone_at = Some(at);
                }
                self.devices.retain(|enabled| enabled.device != gone.device);
                self.pending.forget(gone.device);
            }
            Event::DeviceResynced(resynced) => {
                let device = self.device_at(resynced.device, at).ok_or_else(corrupt)?;
                device.learned.learn(resynced.counter, resynced.offset);
                device.learned.pairs.count(resynced.window);
                device.learned_at = at;
                device.sync = Sync::FRESH;
            }
            Event::ResyncRefused(refused) => {
                let device = self.device_at(refused.device, at).ok_or_else(corrupt)?;
                device.learned.pairs.count(refused.window);
            }
            Event::CodeAccepted(accepted) => {
                let device = self.device_at(accepted.device, at).ok_or_else(corrupt)?;
                device.learned.codes.count(accepted.window);
                device.learned.spent.insert(accepted.counter);
                device.sync = Sync::FRESH;
            }
            Event::CodeRefused(refused) => {
                let device = self.device_at(refused.device, at).ok_or_else(corrupt)?;
                device.learned.codes.count(refused.window);
                let misses = device.sync.misses().saturating_add(1);
                device.sync = match (refused.fault, device.sync) {
                    (CodeFault::Outside, _) => Sync::OutOfSync { misses, steps: refused.steps },
                    (_, Sync::OutOfSync { steps, .. }) => Sync::OutOfSync { misses, steps },
                    (_, Sync::InSync { .. }) => Sync::InSync { misses },
                };
            }
            Event::BudgetSpent(spent) => {
                let device = self.device_at(spent.device, at).ok_or_else(corrupt)?;
                device.learned.budget_mut(spent.budget).close(spent.window);
            }
            _ if self.outgoing.fold(event, &self.pending.codes).ok_or_else(corrupt)? => {}
            _ => {
                self.pending.fold(event, at).ok_or_else(corrupt)?;
                self.fold_key(event, at).ok_or_else(corrupt)?;
            }
        }
        Ok(())
    }

    /// What an event says of a security key's counter.
    fn fold_key(&mut self, event: &Event, at: UnixMillis) -> Option<()> {
        match event {
            Event::KeyRegistered(registered) => {
                let &KeyRegistered { form, credential, counter, .. } = registered;
                let device = self.device_at(registered.device, at).filter(|device| device.key.is_none())?;
                device.key = Some(Key { form, credential, counter, suspected_clone: false });
            }
            Event::KeyAccepted(accepted) => {
                self.device_at(accepted.device, at)?.key.as_mut()?.counter = accepted.counter;
            }
            Event::KeyRefused(KeyRefused { device: Some(device), fault: KeyFault::CounterRegressed, .. }) => {
                self.device_at(*device, at)?.key.as_mut()?.suspected_clone = true;
            }
            _ => {}
        }
        Some(())
    }

    /// The enabled device that something is recorded of at an instant.
    fn device_at(&mut self, device: StreamId, at: UnixMillis) -> Option<&mut Enabled> {
        let enabled = self.devices.iter_mut().find(|enabled| enabled.device == device)?;
        enabled.latest = enabled.latest.max(at);
        Some(enabled)
    }
}
