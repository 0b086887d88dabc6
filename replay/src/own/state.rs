//! Who had which devices at an instant, by the domain's own folds.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use countersign_domain::device::DeviceName;
use countersign_domain::event::Event;
use countersign_domain::ids::{Position, PrincipalId, StreamId, UnixMillis};
use countersign_store::EntryRef;

use super::cut::Cut;
use super::error::OwnError;
use super::read::{Entries, Sealed, each_entry_of};
use super::states::{Person, REGISTERED, RENAMED, States};
use crate::ask::{PrincipalRow, Sealing};
use crate::fold::{Basis, Status};
use crate::trail::Verdict;

/// Who had which devices at an instant.
#[derive(Clone, Debug)]
pub struct OwnStates {
    /// The principals, by account, root first, then by name.
    pub principals: Vec<PrincipalRow>,
    /// Entries that could not be looked into.
    pub sealed: Sealing,
}

/// Folds the log up to an instant, that instant included, by the domain itself, and says who had which device. What comes
/// after `until` is as if it had not been recorded.
///
/// ```
/// # use std::sync::Arc;
/// use countersign_replay::own::{OpenJournal, state::state};
/// use countersign_store::{EphemeralKeyRing, MemoryJournal};
///
/// let journal = MemoryJournal::new(Arc::new(EphemeralKeyRing::new()?))?;
/// assert!(state(&OpenJournal(&journal), None, None)?.principals.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When the log cannot be read, or was not written by this engine.
pub fn state(log: &dyn Entries, at: Option<UnixMillis>, until: Option<UnixMillis>) -> Result<OwnStates, OwnError> {
    let mut states = States::default();
    let mut sealed = Sealing::default();
    let (mut known, mut cut) = (Cut::new(until), Cut::new(at));
    let mut later = Later::default();
    each_entry_of(log, Position(0), &mut |header| concerns(header.event_type), &mut |entry, event| {
        if !known.takes(&entry.header) {
            return Ok(ControlFlow::Continue(()));
        }
        if !cut.takes(&entry.header) {
            later.take(&mut states, entry, event);
            return Ok(ControlFlow::Continue(()));
        }
        if let Err(why) = event {
            sealed.count(why);
        }
        states.take(entry, event)?;
        Ok(ControlFlow::Continue(()))
    })?;
    let absent = later.into_states(&mut states)?;
    let mut principals: Vec<PrincipalRow> =
        states.people.iter().map(|(stream, person)| describe(&states, *stream, person, &absent)).collect();
    principals.sort_by_cached_key(PrincipalRow::order_key);
    Ok(OwnStates { principals, sealed })
}

/// Whether entries of a type belong to an account, a device or a principal.
pub(super) const fn concerns(event_type: u16) -> bool {
    // No state has a seed.
    matches!(event_type, 0x0101..=0x011f | 0x0200..=0x020f | 0x0211..=0x03ff)
}

/// What comes behind the cut, in its order: who is to come, and the names that people are to have. They are called by those
/// that they had at the cut.
#[derive(Default)]
struct Later(Vec<Coming>);

enum Coming {
    /// The registration of a principal; `None` is sealed.
    Birth { stream: StreamId, at: UnixMillis, position: Position, event: Option<Event> },
    /// Another name; `None` is sealed.
    Name { stream: StreamId, name: Option<DeviceName> },
}

impl Later {
    fn take(&mut self, states: &mut States, entry: &EntryRef<'_>, event: Result<&Event, Sealed>) {
        let (stream, at, position) = (entry.header.stream, entry.header.time, entry.position);
        let coming = match (entry.header.event_type, event) {
            (REGISTERED, event) => Coming::Birth { stream, at, position, event: event.ok().cloned() },
            (_, Ok(Event::PrincipalRenamed(renamed))) => Coming::Name { stream, name: Some(renamed.name.clone()) },
            (RENAMED, _) => Coming::Name { stream, name: None },
            (_, Ok(event)) => return states.announce(stream, event),
            (_, Err(_)) => return,
        };
        self.0.push(coming);
    }

    /// Adds what is to come; gives who is to come, and the names that people had at the cut.
    fn into_states(self, states: &mut States) -> Result<Then, OwnError> {
        let mut then = Then::default();
        for coming in self.0 {
            match coming {
                Coming::Birth { stream, at, position, event: Some(event) } => {
                    then.absent.insert(stream);
                    let taken = states.take_event(stream, at, position, &event);
                    taken.map_err(|cause| OwnError::Event { position, cause: cause.to_string() })?;
                }
                Coming::Birth { stream, position, event: None, .. } => {
                    then.absent.insert(stream);
                    states.take_sealed(stream, position, REGISTERED);
                }
                Coming::Name { stream, name } => {
                    if let Some(person) = states.people.get(&stream) {
                        then.names.entry(stream).or_insert_with(|| (person.name.clone(), person.label(stream)));
                    }
                    states.rename(stream, name.as_ref());
                }
            }
        }
        Ok(then)
    }
}

/// What was so at the cut.
#[derive(Default)]
struct Then {
    absent: HashSet<StreamId>,
    /// Of those who are called otherwise later: name and id.
    names: HashMap<StreamId, (Option<String>, String)>,
}

fn describe(states: &States, stream: StreamId, person: &Person, then: &Then) -> PrincipalRow {
    let uid = person.id().and_then(|id| match id {
        PrincipalId::User(_, user) => Some(user.to_string()),
        PrincipalId::Root(_) => None,
    });
    let absent = then.absent.contains(&stream);
    let (status, basis, mut citations) = match (person.gone, person.enabled.is_empty(), person.lost) {
        _ if absent => (Status::Nonexistent, None, vec![person.born]),
        (Some(gone), ..) => (Status::Deleted, None, vec![gone]),
        (None, false, _) => {
            (Status::Enabled, Some(Basis::Lifecycle), person.enabled.iter().map(|(_, at)| *at).collect())
        }
        (None, true, Some(lost)) => (Status::Disabled, Some(Basis::Deactivated), vec![lost]),
        (None, true, None) => (Status::Disabled, Some(Basis::Created), vec![person.born]),
    };
    let signed_in = person.signed_in.filter(|_| person.gone.is_none() && !absent);
    citations.extend(signed_in);
    citations.sort_unstable();
    let then = then.names.get(&stream).cloned();
    let (name, id) = then.unwrap_or_else(|| (person.name.clone(), person.label(stream)));
    let placeholder = || if person.is_root() { "root".to_owned() } else { format!("sealed:{stream}") };
    let mut devices: Vec<Arc<str>> = person.enabled.iter().map(|(device, _)| states.serial(*device).into()).collect();
    devices.sort_unstable();
    PrincipalRow {
        account: person.account().map_or_else(|| "unknown".to_owned(), |account| account.to_string()),
        name: name.unwrap_or_else(placeholder).into(),
        uid,
        kind: if person.is_root() { "root" } else { "user" },
        status,
        basis,
        devices: if status == Status::Enabled { devices } else { Vec::new() },
        maybe_devices: Vec::new(),
        console_password: signed_in.map(|_| true),
        citations: citations.into_iter().map(|position| position.to_string().into()).collect(),
        integrity: Verdict::NotCovered,
        id,
    }
}
