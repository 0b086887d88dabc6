//! From entries to facts, from facts to states.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use countersign_domain::device::Device;
use countersign_domain::event::Event;
use countersign_domain::ids::{Position, StreamId, UnixMillis};
use countersign_domain::laws::Fact;
use countersign_domain::principal::Principal;
use countersign_domain::{Corrupt, wire};
use countersign_store::{EntryRef, Journal};
use zeroize::Zeroizing;

use crate::source::ReplayError;

/// Visits every event of a journal in its global order, from a position on.
///
/// # Errors
/// At the first entry that cannot be read, opened or understood; nothing is passed over.
pub fn each_fact(
    journal: &dyn Journal,
    from: Position,
    visit: &mut dyn FnMut(&Fact<'_>, &EntryRef<'_>) -> ControlFlow<()>,
) -> Result<(), ReplayError> {
    let mut failed = None;
    journal.scan(from, &mut |entry| match event_of(journal, &entry) {
        Ok(event) => {
            let header = &entry.header;
            let (stream, version, at) = (header.stream, header.version, header.time);
            visit(&Fact { position: entry.position, stream, version, at, event: &event }, &entry)
        }
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    })?;
    failed.map_or(Ok(()), Err)
}

fn event_of(journal: &dyn Journal, entry: &EntryRef<'_>) -> Result<Event, ReplayError> {
    let (kind, version) = (entry.header.event_type, entry.header.type_version);
    let decoded = if entry.header.is_sealed() {
        wire::decode(kind, version, &Zeroizing::new(journal.unseal(&entry.header, entry.body)?))
    } else {
        wire::decode(kind, version, entry.body)
    };
    decoded.map_err(|cause| ReplayError::Event(format!("at position {}: {cause}", entry.position)))
}

/// The states of every principal and device, with the entries that decide them.
#[derive(Debug, Default)]
pub struct States {
    /// Principals by stream.
    pub principals: BTreeMap<StreamId, Cited<Principal>>,
    /// Devices by stream.
    pub devices: BTreeMap<StreamId, Cited<Device>>,
}

/// A state and the entries that it rests on.
#[derive(Clone, Debug)]
pub struct Cited<T> {
    /// The state.
    pub state: T,
    /// Positions of the entries that brought its devices or its existence about.
    pub citations: Vec<Position>,
    /// The name that it last had; a removed principal keeps it here.
    pub name: String,
}

impl States {
    /// Takes one fact by the domain's own fold. Accounts, names and the host's records are passed over.
    ///
    /// # Errors
    /// When the event cannot follow the state before it.
    pub fn take(&mut self, fact: &Fact<'_>) -> Result<(), Corrupt> {
        let known_principal = self.principals.contains_key(&fact.stream);
        if known_principal || matches!(fact.event, Event::PrincipalRegistered(_)) {
            return take_into(&mut self.principals, fact, Principal::evolve);
        }
        if self.devices.contains_key(&fact.stream) || fact.event.creates_device() {
            return take_into(&mut self.devices, fact, Device::evolve);
        }
        Ok(())
    }
}

fn take_into<T>(
    states: &mut BTreeMap<StreamId, Cited<T>>,
    fact: &Fact<'_>,
    evolve: fn(Option<T>, &Event, UnixMillis) -> Result<T, Corrupt>,
) -> Result<(), Corrupt> {
    let (before, mut citations, mut name) = match states.remove(&fact.stream) {
        Some(cited) => (Some(cited.state), cited.citations, cited.name),
        None => (None, Vec::new(), String::new()),
    };
    let state = evolve(before, fact.event, fact.at)?;
    match fact.event {
        Event::PrincipalRegistered(registered) => registered.name.as_str().clone_into(&mut name),
        Event::PrincipalRenamed(renamed) => renamed.name.as_str().clone_into(&mut name),
        _ => {}
    }
    if decides(fact.event) {
        citations.push(fact.position);
    }
    states.insert(fact.stream, Cited { state, citations, name });
    Ok(())
}

/// Whether an event changes who exists or who has which device.
const fn decides(event: &Event) -> bool {
    let of_principal = matches!(
        event,
        Event::PrincipalRegistered(_)
            | Event::PrincipalRemoved(_)
            | Event::DeviceEnabled(_)
            | Event::DeviceDeactivated(_)
    );
    let of_device = matches!(event, Event::DeviceAssigned(_) | Event::DeviceReleased(_) | Event::DeviceDeleted(_));
    of_principal || of_device || event.creates_device()
}
