//! Who had which devices at an instant.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;

use countersign_domain::event::Event;
use countersign_domain::ids::{Position, PrincipalId, StreamId, UnixMillis};
use serde::Serialize;

use crate::own::cut::Cut;
use crate::own::error::OwnError;
use crate::own::read::{Entries, Sealed, each_entry_of};
use crate::own::states::{Person, REGISTERED, States};
use crate::own::words::instant;

/// The MFA status of every principal at an instant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StateAnswer {
    /// Version of this form.
    pub schema: u32,
    /// The instant; `None` is the end of the log.
    pub as_of: Option<String>,
    /// The principals, by account, kind, name and generation.
    pub principals: Vec<PrincipalState>,
    /// Entries that the answer could not look into.
    pub sealed: Sealing,
}

/// Entries whose content is not known, though nothing is wrong with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sealing {
    /// For want of the key.
    pub no_key: u64,
    /// Because the key was destroyed on purpose.
    pub key_destroyed: u64,
}

impl Sealing {
    /// Counts one.
    pub const fn count(&mut self, why: Sealed) {
        match why {
            Sealed::NoKey => self.no_key += 1,
            Sealed::Destroyed => self.key_destroyed += 1,
        }
    }

    /// How many there are.
    #[must_use]
    pub const fn all(&self) -> u64 {
        self.no_key + self.key_destroyed
    }
}

/// One principal's MFA status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PrincipalState {
    /// `ACCOUNT/root` or `ACCOUNT/NAME#GENERATION`; where the name is sealed, `ACCOUNT/sealed:STREAM`.
    pub id: String,
    /// Its account.
    pub account: Option<String>,
    /// Its name then; `None` where it is sealed.
    pub name: Option<String>,
    /// Its immutable id; root has none.
    pub uid: Option<String>,
    /// `root` or `user`.
    pub kind: &'static str,
    /// `enabled`, `disabled`, `deleted` or `nonexistent`.
    pub status: &'static str,
    /// `lifecycle` for enabled; `created` or `deactivated` for disabled.
    pub basis: Option<&'static str>,
    /// Serial numbers or ARNs of its enabled devices, oldest first.
    pub devices: Vec<String>,
    /// Whether it has a console password, which our own log does not say.
    pub console_password: Option<bool>,
    /// Positions of the entries that decide the answer.
    pub citations: Vec<u64>,
    /// Its stream.
    #[serde(skip)]
    pub stream: StreamId,
}

/// Folds the log up to an instant, that instant included, and says who had which device. `wanted` names a principal: by its
/// `id` here, by `ACCOUNT/NAME`, by its name or by its immutable id.
///
/// # Errors
/// When the log cannot be read, or was not written by this engine.
pub fn state(log: &dyn Entries, at: Option<UnixMillis>, wanted: Option<&str>) -> Result<StateAnswer, OwnError> {
    let mut states = States::default();
    let mut sealed = Sealing::default();
    let mut cut = Cut::new(at);
    // Who is to come is known by name, and nothing else of it.
    let mut to_come: Vec<Birth> = Vec::new();
    each_entry_of(log, Position(0), &mut |header| concerns(header.event_type), &mut |entry, event| {
        let (stream, at, position) = (entry.header.stream, entry.header.time, entry.position);
        if cut.takes(&entry.header) {
            if let Err(why) = event {
                sealed.count(why);
            }
            states.take(entry, event)?;
        } else if entry.header.event_type == REGISTERED {
            to_come.push(Birth { stream, at, position, event: event.ok().cloned() });
        } else if let Ok(event) = event {
            states.announce(stream, event);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    let absent: HashSet<StreamId> = to_come.iter().map(|birth| birth.stream).collect();
    for birth in to_come {
        birth.into_states(&mut states)?;
    }
    let described = states.people.iter().map(|(stream, person)| describe(&states, *stream, person, &absent));
    let ordered: BTreeMap<Rank, PrincipalState> = described.collect();
    let principals = ordered.into_values().filter(|found| wanted.is_none_or(|wanted| found.is(wanted))).collect();
    Ok(StateAnswer { schema: 1, as_of: at.map(instant), principals, sealed })
}

/// Whether entries of a type belong to an account, a device or a principal.
pub(in crate::own) const fn concerns(event_type: u16) -> bool {
    matches!(event_type, 0x0101..=0x011f | 0x0200..=0x03ff)
}

/// The registration of a principal behind the cut.
struct Birth {
    stream: StreamId,
    at: UnixMillis,
    position: Position,
    event: Option<Event>,
}

impl Birth {
    fn into_states(self, states: &mut States) -> Result<(), OwnError> {
        let Self { stream, at, position, event } = self;
        let Some(event) = event else {
            states.take_sealed(stream, position, REGISTERED);
            return Ok(());
        };
        let taken = states.take_event(stream, at, position, &event);
        taken.map_err(|cause| OwnError::Event { position, cause: cause.to_string() })
    }
}

/// In which order principals are listed: by account, root first, then by name, generation and stream.
type Rank = (Option<String>, bool, Option<String>, u32, StreamId);

fn rank(stream: StreamId, person: &Person) -> Rank {
    let account = person.account().map(|account| account.to_string());
    (account, !person.is_root(), person.name.clone(), person.generation, stream)
}

fn describe(states: &States, stream: StreamId, person: &Person, absent: &HashSet<StreamId>) -> (Rank, PrincipalState) {
    let uid = person.id().and_then(|id| match id {
        PrincipalId::User(_, user) => Some(user.to_string()),
        PrincipalId::Root(_) => None,
    });
    let (status, basis, citations) = match (person.gone, person.enabled.is_empty(), person.lost) {
        _ if absent.contains(&stream) => ("nonexistent", None, vec![person.born.0]),
        (Some(gone), ..) => ("deleted", None, vec![gone.0]),
        (None, false, _) => ("enabled", Some("lifecycle"), person.enabled.iter().map(|(_, at)| at.0).collect()),
        (None, true, Some(lost)) => ("disabled", Some("deactivated"), vec![lost.0]),
        (None, true, None) => ("disabled", Some("created"), vec![person.born.0]),
    };
    let state = PrincipalState {
        id: person.label(stream),
        account: person.account().map(|account| account.to_string()),
        name: person.name.clone(),
        uid,
        kind: if person.is_root() { "root" } else { "user" },
        status,
        basis,
        devices: person.enabled.iter().map(|(device, _)| states.serial(*device)).collect(),
        console_password: None,
        citations,
        stream,
    };
    (rank(stream, person), state)
}

impl PrincipalState {
    /// Whether a person at the command line means this principal.
    #[must_use]
    pub fn is(&self, wanted: &str) -> bool {
        let name = self.name.as_deref().unwrap_or_default();
        let account = self.account.as_deref().unwrap_or_default();
        let named = |text: &str| !name.is_empty() && self.kind == "user" && text.eq_ignore_ascii_case(name);
        let in_account = wanted.strip_prefix(account).and_then(|rest| rest.strip_prefix('/'));
        wanted == self.id
            || self.uid.as_deref() == Some(wanted)
            || named(wanted)
            || in_account.is_some_and(named)
            || (self.kind == "root" && wanted == "root")
    }
}
