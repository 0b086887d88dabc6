//! Reading a stream back into a state.

use countersign_domain::Corrupt;
use countersign_domain::device::Device;
use countersign_domain::event::Event;
use countersign_domain::ids::{Position, StreamId, UnixMillis, Version};
use countersign_domain::principal::Principal;
use countersign_domain::secret::Seed;
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

/// Takes a fold up again behind what was forgotten: one of the `resume` functions of the domain.
pub(crate) type Resume<T> = fn(&Event, UnixMillis) -> Option<T>;

/// For a stream of which nothing is ever forgotten.
pub(crate) const fn never<T>(_: &Event, _: UnixMillis) -> Option<T> {
    None
}

/// Decodes one stored entry, opening it if it is sealed.
pub(crate) fn event_of(journal: &dyn Journal, header: &Header, body: &[u8]) -> Result<Event, Error> {
    if header.is_sealed() {
        let clear = zeroize::Zeroizing::new(journal.unseal(header, body)?);
        return Ok(wire::decode(header.event_type, header.type_version, &clear)?);
    }
    Ok(wire::decode(header.event_type, header.type_version, body)?)
}

/// Folds what a stream has after `from`.
///
/// What was forgotten is passed over, and so is what follows it, up to the event that the fold can be taken up at again.
/// A history in which no such event comes stays closed: its key is gone, and nothing says that it should be.
pub(crate) fn fold_stream<T>(
    journal: &dyn Journal,
    stream: StreamId,
    from: At<T>,
    (evolve, resume): (Evolve<T>, Resume<T>),
) -> Result<At<T>, Error> {
    let At { mut version, mut state } = from;
    let mut lost = None;
    loop {
        let page = journal.read_stream(stream, version, PAGE)?;
        let read = page.len();
        for entry in page {
            version = entry.header.version;
            let at = entry.header.time;
            match event_of(journal, &entry.header, entry.body.as_stored()) {
                Err(error) if error.is_forgotten() => (state, lost) = (None, Some(error)),
                Err(error) => return Err(error),
                Ok(event) if lost.is_some() => {
                    state = resume(&event, at);
                    lost = lost.filter(|_| state.is_none());
                }
                Ok(event) => state = Some(evolve(state, &event, at)?),
            }
        }
        if read < PAGE {
            return lost.map_or(Ok(At { version, state }), Err);
        }
    }
}

/// A device, from its first event.
pub(crate) fn device(journal: &dyn Journal, stream: StreamId) -> Result<At<Device>, Error> {
    fold_stream(journal, stream, At::nothing(), (Device::evolve, Device::resume))
}

/// A principal, from what is known of it on.
pub(crate) fn principal(journal: &dyn Journal, stream: StreamId, from: At<Principal>) -> Result<At<Principal>, Error> {
    fold_stream(journal, stream, from, (Principal::evolve, Principal::resume))
}

/// The shared secret that a stream of its own holds. Whoever checks a code asks for it; nobody else does.
pub(crate) fn seed(journal: &dyn Journal, stream: StreamId) -> Result<Seed, Error> {
    let entry = journal.read_stream(stream, Version::NONE, 1)?.pop();
    let entry = entry.ok_or_else(|| Error::history("a seed is missing"))?;
    match event_of(journal, &entry.header, entry.body.as_stored())? {
        Event::SeedStored(stored) => Ok(stored.seed),
        _ => Err(Error::history("the stream of a seed holds something else")),
    }
}

/// The events that a command recorded, each with its stream and time; what was forgotten since is not among them.
pub(crate) fn recorded(
    journal: &dyn Journal,
    committed: Committed,
) -> Result<Vec<(StreamId, Event, UnixMillis)>, Error> {
    let positions = committed.first.0..committed.end().0;
    let read = |position| {
        let entry = journal.read_at(Position(position))?;
        let entry = entry.ok_or_else(|| Error::history("an acknowledged entry is missing"))?;
        match event_of(journal, &entry.header, entry.body.as_stored()) {
            Err(error) if error.is_forgotten() => Ok(None),
            event => Ok(Some((entry.header.stream, event?, entry.header.time))),
        }
    };
    positions.filter_map(|position| read(position).transpose()).collect()
}
