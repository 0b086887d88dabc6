//! Exhaustive checks of what happens between decisions: every order of reading, deciding, committing and crashing, over
//! the decisions themselves. A model here has no rules of its own about devices or messages; it has the engine's way of
//! using them.

mod holdings;
mod outbox;

use countersign_domain::Corrupt;
use countersign_domain::event::Event;
use countersign_domain::ids::*;
use countersign_domain::laws::{Fact, LawBook, Violation};
use countersign_domain::policy::Policy;
use countersign_domain::wire;

/// An entry in its stored form, which can be compared and hashed.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Entry {
    stream: StreamId,
    at_ms: u64,
    event_type: (u16, u16),
    body: Vec<u8>,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.event().name())
    }
}

impl Entry {
    fn new(stream: StreamId, at: UnixMillis, event: &Event) -> Self {
        let encoded = wire::encode(event).unwrap();
        Self { stream, at_ms: at.0, event_type: (encoded.event_type, encoded.type_version), body: encoded.body }
    }

    fn event(&self) -> Event {
        wire::decode(self.event_type.0, self.event_type.1, &self.body).unwrap()
    }
}

/// A log in memory, as each state of a model has one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Log(Vec<Entry>);

impl Log {
    fn of(events: &[(StreamId, Event)], at: UnixMillis) -> Self {
        Self(events.iter().map(|(stream, event)| Entry::new(*stream, at, event)).collect())
    }

    fn version(&self, stream: StreamId) -> usize {
        self.0.iter().filter(|entry| entry.stream == stream).count()
    }

    /// The state of a stream after its first `version` events.
    fn fold<S>(
        &self,
        stream: StreamId,
        version: usize,
        evolve: impl Fn(Option<S>, &Event, UnixMillis) -> Result<S, Corrupt>,
    ) -> Result<Option<S>, Corrupt> {
        let of_stream = self.0.iter().filter(|entry| entry.stream == stream).take(version);
        of_stream
            .map(|entry| (entry.event(), UnixMillis(entry.at_ms)))
            .try_fold(None, |state, (event, at)| evolve(state, &event, at).map(Some))
    }

    /// The laws that it breaks.
    fn broken(&self, policy: &Policy) -> Vec<Violation> {
        let mut laws = LawBook::new(policy.clone());
        let mut broken = Vec::new();
        for (position, entry) in self.0.iter().enumerate() {
            let before = self.0[..position].iter().filter(|other| other.stream == entry.stream).count();
            broken.extend(laws.observe(&Fact {
                position: Position(position as u64),
                stream: entry.stream,
                version: Version(before as u64 + 1),
                at: UnixMillis(entry.at_ms),
                event: &entry.event(),
            }));
        }
        broken.extend(laws.finish());
        broken
    }
}
