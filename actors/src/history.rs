//! Reading a stream back into a state.

use countersign_domain::Corrupt;
use countersign_domain::device::Device;
use countersign_domain::event::Event;
use countersign_domain::ids::{Position, StreamId, UnixMillis, Version};
use countersign_domain::wire;
use countersign_store::limits::READ_ENTRIES_MAX;
use countersign_store::{Committed, Header, Journal};

use crate::error::Error;

/// Entries that are read at once. A stream is read from its end backwards, so few large pages.
const PAGE: usize = READ_ENTRIES_MAX;

/// A state and the version that it is of.
#[derive(Clone, Debug)]
pub(crate) struct At<T> {
    pub(crate) version: Version,
    pub(crate) state: Option<T>,
}

impl<T> At<T> {
    /// A stream that has no event.
    pub(crate) const fn nothing() -> Self {
        Self { version: Version::NONE, state: None }
    }
}

/// A fold: one of the `evolve` functions of the domain.
pub(crate) type Evolve<T> = fn(Option<T>, &Event, UnixMillis) -> Result<T, Corrupt>;

/// Decodes one stored entry, opening it if it is sealed.
pub(crate) fn event_of(journal: &dyn Journal, header: &Header, body: &[u8]) -> Result<Event, Error> {
    if header.is_sealed() {
        let clear = zeroize::Zeroizing::new(journal.unseal(header, body)?);
        return Ok(wire::decode(header.event_type, header.type_version, &clear)?);
    }
    Ok(wire::decode(header.event_type, header.type_version, body)?)
}

/// Folds what a stream has after `from`.
pub(crate) fn fold_stream<T>(
    journal: &dyn Journal,
    stream: StreamId,
    from: At<T>,
    evolve: Evolve<T>,
) -> Result<At<T>, Error> {
    let At { mut version, mut state } = from;
    loop {
        let page = journal.read_stream(stream, version, PAGE)?;
        let read = page.len();
        for entry in page {
            let event = event_of(journal, &entry.header, entry.body.as_stored())?;
            state = Some(evolve(state, &event, entry.header.time)?);
            version = entry.header.version;
        }
        if read < PAGE {
            return Ok(At { version, state });
        }
    }
}

/// A device, from its first event.
pub(crate) fn device(journal: &dyn Journal, stream: StreamId) -> Result<At<Device>, Error> {
    fold_stream(journal, stream, At::nothing(), Device::evolve)
}

/// The events that a command recorded, each with its stream and time.
pub(crate) fn recorded(
    journal: &dyn Journal,
    committed: Committed,
) -> Result<Vec<(StreamId, Event, UnixMillis)>, Error> {
    let positions = committed.first.0..committed.end().0;
    let read = |position| {
        let entry = journal.read_at(Position(position))?;
        let entry = entry.ok_or_else(|| Error::history("an acknowledged entry is missing"))?;
        let event = event_of(journal, &entry.header, entry.body.as_stored())?;
        Ok((entry.header.stream, event, entry.header.time))
    };
    positions.map(read).collect()
}
