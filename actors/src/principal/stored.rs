//! A principal as it is stored: read from its snapshot and its stream, with its devices' seeds opened.

use std::sync::Arc;

use countersign_domain::device::{Device, DeviceSecret, PhoneNumber, Serial};
use countersign_domain::event::KeyForm;
use countersign_domain::ids::{StreamId, Version};
use countersign_domain::principal::{Principal, SNAPSHOT_FORM};
use countersign_domain::secret::Opaque;
use countersign_store::Snapshot;

use crate::error::Error;
use crate::history::{self, At};
use crate::shared::Shared;
use crate::totp::Generator;

/// An enabled device as the ceremonies need it.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) device: StreamId,
    pub(super) serial: Serial,
    pub(super) secret: HeldSecret,
}

/// What a device's proofs are checked against, ready for use.
#[derive(Debug)]
pub(super) enum HeldSecret {
    /// It shows codes.
    Codes(Arc<Generator>),
    /// It signs.
    Key { form: KeyForm, id: Vec<u8>, credential: Opaque },
    /// It receives codes.
    Phone(PhoneNumber),
}

impl Held {
    pub(super) const fn generator(&self) -> Option<&Arc<Generator>> {
        match &self.secret {
            HeldSecret::Codes(generator) => Some(generator),
            HeldSecret::Key { .. } | HeldSecret::Phone(_) => None,
        }
    }
}

/// A principal, its devices, and the version of its snapshot.
pub(super) type Read = (At<Principal>, Vec<Held>, Version);

/// Reads a principal: its snapshot, what came after, and its devices.
pub(super) fn read(shared: &Shared, stream: StreamId) -> Result<Read, Error> {
    let snapshot = shared.journal.load_snapshot(stream)?;
    let known = snapshot.filter(|snapshot| snapshot.fingerprint == SNAPSHOT_FORM).and_then(|snapshot| {
        let (state, rest) = postcard::take_from_bytes(&snapshot.state).ok()?;
        rest.is_empty().then_some(At { version: snapshot.version, state: Some(state) })
    });
    let from = known.unwrap_or(At::nothing());
    let snapshot = from.version;
    let at = history::principal(&*shared.journal, stream, from)?;
    let held = hold(shared, &enabled_devices(at.state.as_ref()))?;
    Ok((at, held, snapshot))
}

pub(super) fn enabled_devices(state: Option<&Principal>) -> Vec<StreamId> {
    let devices = state.and_then(Principal::registered).map(|user| user.devices.as_slice()).unwrap_or_default();
    devices.iter().map(|enabled| enabled.device).collect()
}

/// A principal's devices, their secrets opened.
pub(super) fn hold(shared: &Shared, devices: &[StreamId]) -> Result<Vec<Held>, Error> {
    let open = |device: &StreamId| {
        let found = history::device(&*shared.journal, *device)?;
        let entity = found.state.as_ref().and_then(Device::entity);
        let entity = entity.ok_or_else(|| Error::history("an enabled device has no entity"))?;
        let secret = match &entity.secret {
            DeviceSecret::Seed(seed) => {
                HeldSecret::Codes(Arc::new(Generator::new(&history::seed(&*shared.journal, *seed)?)?))
            }
            DeviceSecret::Credential { form, id, credential } => {
                HeldSecret::Key { form: *form, id: id.clone(), credential: credential.clone() }
            }
            DeviceSecret::Phone(phone) => HeldSecret::Phone(phone.clone()),
        };
        Ok(Held { device: *device, serial: entity.serial.clone(), secret })
    };
    devices.iter().map(open).collect()
}

pub(super) fn save_snapshot(shared: &Shared, stream: StreamId, version: Version, state: Vec<u8>) -> Result<(), Error> {
    let head = shared.journal.stream_head(stream)?;
    let Some(head) = head.filter(|head| head.version == version) else { return Ok(()) };
    let (position, leaf) = (head.position, head.leaf);
    let snapshot = Snapshot { stream, version, position, leaf, fingerprint: SNAPSHOT_FORM, state };
    Ok(shared.journal.save_snapshot(snapshot)?)
}
