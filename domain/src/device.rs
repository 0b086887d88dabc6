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
use crate::secret::Opaque;
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
    /// Deleted. The serial's attempt budget outlives the entity (R94); its seed does not (A36).
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
    /// Which life ended, from 1 on; the serial may have another one.
    pub life: u32,
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
    /// Which life of the serial this is, from 1 on: a serial that was deleted may be created again (R74).
    pub life: u32,
}

/// What the proofs of a device are checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceSecret {
    /// The shared secret of a TOTP device: not the secret, but the stream that holds it. No state has the secret itself,
    /// so that no copy of a state outlives it (A36).
    Seed(StreamId),
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
    fn created(event: &Event, life: u32, at: UnixMillis) -> Option<Self> {
        let (kind, serial, secret) = match event {
            Event::VirtualDeviceCreated(created) => {
                (DeviceKind::VirtualTotp, &created.serial, DeviceSecret::Seed(created.seed))
            }
            Event::SecurityKeyCreated(created) => {
                let (id, credential) = (created.credential_id.clone(), created.credential.clone());
                let secret = DeviceSecret::Credential { form: created.form, id, credential };
                (DeviceKind::SecurityKey, &created.serial, secret)
            }
            Event::SmsDeviceCreated(created) => {
                (DeviceKind::Sms, &created.serial, DeviceSecret::Phone(created.phone.clone()))
            }
            Event::HardwareTokenImported(imported) => {
                (DeviceKind::HardwareTotp, &imported.serial, DeviceSecret::Seed(imported.seed))
            }
            _ => return None,
        };
        let entity = Self { kind, serial: serial.clone(), secret, created_at: at, life };
        // A seed of another device, or of another life, would outlive this one.
        let own = entity.seed().is_none_or(|seed| seed == seed_stream(entity.serial.stream(), life));
        own.then_some(entity)
    }

    /// The stream that holds the shared secret, if the device shows codes.
    #[must_use]
    pub const fn seed(&self) -> Option<StreamId> {
        match &self.secret {
            DeviceSecret::Seed(seed) => Some(*seed),
            DeviceSecret::Credential { .. } | DeviceSecret::Phone(_) => None,
        }
    }
}

/// The stream that holds the shared secret of one life of a device, and nothing else.
///
/// ```
/// use countersign_domain::device::seed_stream;
/// use countersign_domain::ids::StreamId;
///
/// let phone = StreamId::derive(&["device", "lee"]);
/// assert_ne!(seed_stream(phone, 1), seed_stream(phone, 2), "a serial that is created again has another seed");
/// ```
#[must_use]
pub fn seed_stream(device: StreamId, life: u32) -> StreamId {
    StreamId::derive(&["seed", &alloc::format!("{device}"), &alloc::format!("{life}")])
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

    /// Which life of a serial begins when a device is created in this state, from 1 on.
    #[must_use]
    pub const fn next_life(before: Option<&Self>) -> u32 {
        match before {
            Some(Self::Deleted(deleted)) => deleted.life.saturating_add(1),
            None | Some(Self::Unassigned(_) | Self::Assigned(_)) => 1,
        }
    }

    /// Takes up the fold again behind events that cannot be read any more, because the key that sealed them was
    /// destroyed: the end of a life is never sealed, and says enough. What it knew of attempt budgets is over by then.
    #[must_use]
    pub fn resume(event: &Event, _at: UnixMillis) -> Option<Self> {
        match event {
            Event::DeviceDeleted(gone) => Some(Self::Deleted(Deleted { learned: Learned::default(), life: gone.life })),
            _ => None,
        }
    }

    /// Folds one event of a device's stream.
    ///
    /// # Errors
    /// When the event cannot follow this state; the stored history is then not ours.
    pub fn evolve(state: Option<Self>, event: &Event, at: UnixMillis) -> Result<Self, Corrupt> {
        match (state, event) {
            (before @ (None | Some(Self::Deleted(_))), event) if event.creates_device() => {
                let life = Self::next_life(before.as_ref());
                let entity = Entity::created(event, life, at).ok_or_else(|| Corrupt::new("device", event))?;
                Ok(Self::Unassigned(Unassigned { entity, learned: fresh_after(before) }))
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
            (Some(Self::Unassigned(device)), Event::DeviceDeleted(gone)) if gone.life == device.entity.life => {
                Ok(Self::Deleted(Deleted { learned: device.learned.budgets_only(), life: gone.life }))
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
