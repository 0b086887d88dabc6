//! Devices: their kinds, their serial numbers, and the life of a device entity of its own.
//!
//! A virtual device exists before it is assigned and after it was released; a hardware token
//! exists in the inventory. That life is a stream of its own, next to the owner's, so that
//! "a device belongs to at most one principal" (R4, R24) follows from the expected version of one
//! stream, and so that what a device has learned travels with it (R85).

mod name;
mod phone;
mod serial;

pub use name::{DeviceName, NameError, Path, PathError};
pub use phone::{PhoneError, PhoneNumber};
pub use serial::{Serial, SerialError};

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use crate::Corrupt;
use crate::event::{Event, KeyForm};
use crate::ids::{StreamId, UnixMillis};
use crate::secret::{Opaque, Seed};
use crate::totp::Learned;
use crate::wire_enum;

wire_enum! {
    /// What a device is (R12).
    pub enum DeviceKind {
        /// A software TOTP generator whose entity is created first (R13..R24).
        VirtualTotp = 1,
        /// A TOTP token whose seed was imported (R25..R29).
        HardwareTotp = 2,
        /// A U2F or FIDO security key (R30..R35).
        SecurityKey = 3,
        /// A phone that receives codes by SMS (R36..R38).
        Sms = 4,
    }
}

impl DeviceKind {
    /// Whether the device shows time-based codes, and so can drift and be resynced (R34, R109).
    #[must_use]
    pub const fn is_totp(self) -> bool {
        matches!(self, Self::VirtualTotp | Self::HardwareTotp)
    }
}

/// A device entity, from its creation or import on. Absence is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Device {
    /// Exists, owned by nobody: a fresh virtual device, or a token in the inventory.
    Unassigned(Unassigned),
    /// Enabled for one principal.
    Assigned(Assigned),
    /// Deleted. The serial's attempt budget outlives the entity (R94). No state holds the seed any more; the
    /// sealed event that brought it stays in the log until its key is destroyed.
    Deleted(Deleted),
}

/// A device that nobody owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unassigned {
    /// What the entity is.
    pub entity: Entity,
    /// What it learned in earlier assignments, and the attempts on it.
    pub learned: Learned,
}

/// A device that one principal owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assigned {
    /// What the entity is.
    pub entity: Entity,
    /// The owner's stream.
    pub owner: StreamId,
    /// Since when.
    pub since: UnixMillis,
}

/// What is left of a deleted device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deleted {
    /// Only the attempt budgets in here still count.
    pub learned: Learned,
}

/// What stays the same about a device while it changes hands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entity {
    /// Its kind.
    pub kind: DeviceKind,
    /// Its serial number or ARN, exactly as created.
    pub serial: Serial,
    /// What its proofs are checked against.
    pub secret: DeviceSecret,
    /// When it was created or imported.
    pub created_at: UnixMillis,
}

/// What the proofs of a device are checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceSecret {
    /// The shared secret of a TOTP device.
    Seed(Seed),
    /// The credential of a security key.
    Credential {
        /// What the key is to its owner.
        form: KeyForm,
        /// The credential's id.
        id: Vec<u8>,
        /// The credential, in the form of the library that verifies it.
        credential: Opaque,
    },
    /// The number that codes are sent to.
    Phone(PhoneNumber),
}

impl Entity {
    fn created(event: &Event, at: UnixMillis) -> Option<Self> {
        let (kind, serial, secret) = match event {
            Event::VirtualDeviceCreated(created) => {
                (DeviceKind::VirtualTotp, &created.serial, DeviceSecret::Seed(created.seed.clone()))
            }
            Event::SecurityKeyCreated(created) => {
                let (id, credential) = (created.credential_id.clone(), created.credential.clone());
                let secret = DeviceSecret::Credential { form: created.form, id, credential };
                (DeviceKind::SecurityKey, &created.serial, secret)
            }
            Event::SmsDeviceCreated(created) => {
                (DeviceKind::Sms, &created.serial, DeviceSecret::Phone(created.phone.clone()))
            }
            _ => return None,
        };
        Some(Self { kind, serial: serial.clone(), secret, created_at: at })
    }

    /// The shared secret, if the device shows codes.
    #[must_use]
    pub const fn seed(&self) -> Option<&Seed> {
        match &self.secret {
            DeviceSecret::Seed(seed) => Some(seed),
            DeviceSecret::Credential { .. } | DeviceSecret::Phone(_) => None,
        }
    }
}

/// The stream that a credential is claimed in, so that no two devices can have one credential (NT-30).
#[must_use]
pub fn credential_stream(id: &[u8]) -> StreamId {
    let mut hex = String::with_capacity(id.len() * 2);
    for byte in id {
        // Writing into a string does not fail.
        let _written = write!(hex, "{byte:02x}");
    }
    StreamId::derive(&["credential", &hex])
}

impl Device {
    /// The entity, unless it was deleted.
    #[must_use]
    pub const fn entity(&self) -> Option<&Entity> {
        match self {
            Self::Unassigned(device) => Some(&device.entity),
            Self::Assigned(device) => Some(&device.entity),
            Self::Deleted(_) => None,
        }
    }

    /// Folds one event of a device's stream.
    ///
    /// # Errors
    /// When the event cannot follow this state; the stored history is then not ours.
    pub fn evolve(state: Option<Self>, event: &Event, at: UnixMillis) -> Result<Self, Corrupt> {
        match (state, event) {
            (
                before @ (None | Some(Self::Deleted(_))),
                event @ (Event::VirtualDeviceCreated(_) | Event::SecurityKeyCreated(_) | Event::SmsDeviceCreated(_)),
            ) => {
                let entity = Entity::created(event, at).ok_or_else(|| Corrupt::new("device", event))?;
                Ok(Self::Unassigned(Unassigned { entity, learned: fresh_after(before) }))
            }
            (None, Event::HardwareTokenImported(imported)) => {
                let (serial, secret) = (imported.serial.clone(), DeviceSecret::Seed(imported.seed.clone()));
                let entity = Entity { kind: DeviceKind::HardwareTotp, serial, secret, created_at: at };
                Ok(Self::Unassigned(Unassigned { entity, learned: Learned::default() }))
            }
            (Some(Self::Unassigned(device)), Event::DeviceAssigned(assigned)) => {
                let Unassigned { entity, .. } = device;
                Ok(Self::Assigned(Assigned { entity, owner: assigned.owner, since: at }))
            }
            (Some(Self::Assigned(device)), Event::DeviceReleased(released)) => {
                let Assigned { entity, .. } = device;
                Ok(Self::Unassigned(Unassigned { entity, learned: released.learned.clone() }))
            }
            (Some(Self::Unassigned(mut device)), Event::PairRefused(refused)) => {
                device.learned.pairs.count(refused.window);
                Ok(Self::Unassigned(device))
            }
            (Some(Self::Unassigned(mut device)), Event::BudgetSpent(spent)) => {
                device.learned.budget_mut(spent.budget).close(spent.window);
                Ok(Self::Unassigned(device))
            }
            (Some(Self::Unassigned(device)), Event::DeviceDeleted(_)) => {
                Ok(Self::Deleted(Deleted { learned: device.learned.budgets_only() }))
            }
            _ => Err(Corrupt::new("device", event)),
        }
    }
}

/// A re-created serial starts with fresh sync history and the old attempt budget (R74, R94).
fn fresh_after(before: Option<Device>) -> Learned {
    match before {
        Some(Device::Deleted(deleted)) => deleted.learned,
        _ => Learned::default(),
    }
}
