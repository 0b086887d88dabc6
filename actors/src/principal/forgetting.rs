//! What the log has about one principal and nobody else.

use std::collections::BTreeSet;

use countersign_domain::account::Account;
use countersign_domain::decide::Belongings;
use countersign_domain::device::Serial;
use countersign_domain::event::{Event, Forgotten};
use countersign_domain::ids::{StreamId, Version};
use countersign_domain::wire::{Sealing, TYPES};
use countersign_store::limits::READ_ENTRIES_MAX;
use countersign_store::{Journal, Recorded};

use crate::error::Error;
use crate::history;

/// Finds the keys that seal what is about a principal only: its own stream, what is recorded of wrong passwords for it, the
/// lives of devices that nobody else ever had, and the host's streams that the host says are about it.
///
/// A device that went through several hands in one life is about nobody only, and neither is a token of the inventory.
/// Its history names its owners by streams that say nothing any more.
pub(super) fn belongings(
    journal: &dyn Journal,
    principal: StreamId,
    records: &[StreamId],
) -> Result<Belongings, Error> {
    let mut found = Belongings::default();
    let mut devices = BTreeSet::new();
    let enabled = type_of("DeviceEnabled");
    let mut own = None;
    each(journal, principal, &mut |entry| {
        own = own.or_else(|| entry.header.is_sealed().then_some(entry.header.version));
        if Some(entry.header.event_type) == enabled
            && let Event::DeviceEnabled(enabled) = history::event_of(journal, &entry.header, entry.body.as_stored())?
        {
            devices.insert(enabled.device);
        }
        Ok(())
    })?;
    found.keys.extend(own.map(|version| Forgotten { stream: principal, version }));
    for stream in records.iter().copied().chain([Account::door_of(principal)]) {
        let first = journal.read_stream(stream, Version::NONE, 1)?.pop();
        let sealed = first.filter(|entry| entry.header.is_sealed());
        found.keys.extend(sealed.map(|entry| Forgotten { stream, version: entry.header.version }));
    }
    for device in devices {
        lives(journal, device, principal, &mut found)?;
    }
    Ok(found)
}

/// A life of a device, while it is read.
struct Life {
    /// The entry that it began with.
    version: Version,
    /// Its serial number, when it may be deleted by a command of its own.
    serial: Option<Serial>,
    owners: BTreeSet<StreamId>,
}

/// Adds the lives of a device that only this principal had a part in.
fn lives(journal: &dyn Journal, device: StreamId, principal: StreamId, found: &mut Belongings) -> Result<(), Error> {
    let mut open: Option<Life> = None;
    let only = |life: &Life| life.owners.iter().eq([&principal]);
    each(journal, device, &mut |entry| {
        let event = match history::event_of(journal, &entry.header, entry.body.as_stored()) {
            // Forgotten with somebody else, or before.
            Err(error) if error.is_forgotten() => {
                open = None;
                return Ok(());
            }
            event => event?,
        };
        match event {
            event if event.creates_device() => {
                let serial = match &event {
                    Event::VirtualDeviceCreated(created) => Some(created.serial.clone()),
                    _ => None,
                };
                open = Some(Life { version: entry.header.version, serial, owners: BTreeSet::new() });
            }
            Event::DeviceAssigned(assigned) => {
                if let Some(life) = &mut open {
                    life.owners.insert(assigned.owner);
                }
            }
            Event::DeviceDeleted(_) => {
                let over = open.take().filter(only);
                found.keys.extend(over.map(|life| Forgotten { stream: device, version: life.version }));
            }
            _ => {}
        }
        Ok(())
    })?;
    let left = open.filter(only).and_then(|life| life.serial);
    found.left_behind = found.left_behind.take().or(left);
    Ok(())
}

/// Visits the entries of a stream.
fn each(
    journal: &dyn Journal,
    stream: StreamId,
    visit: &mut dyn FnMut(&Recorded) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut after = Version::NONE;
    loop {
        let page = journal.read_stream(stream, after, READ_ENTRIES_MAX)?;
        page.iter().try_for_each(&mut *visit)?;
        match page.last() {
            Some(last) if page.len() == READ_ENTRIES_MAX => after = last.header.version,
            _ => return Ok(()),
        }
    }
}

fn type_of(name: &str) -> Option<u16> {
    TYPES.iter().find(|(_, _, of, sealing)| *of == name && *sealing == Sealing::Clear).map(|(id, ..)| *id)
}
