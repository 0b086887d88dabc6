//! Reading a log: entries become facts, or are named as sealed.

use std::ops::ControlFlow;

use countersign_domain::event::Event;
use countersign_domain::ids::Position;
use countersign_domain::laws::Fact;
use countersign_domain::wire;
use countersign_store::{EntryRef, Header, Journal, KeyError, ReadError};
use zeroize::Zeroizing;

use super::error::OwnError;
use crate::ask::Sealing;

/// The number of the type that holds seeds; see [`wire::TYPES`].
pub(super) const SEED_STORED: u16 = 0x0210;

/// A log that can be read in its order.
pub trait Entries {
    /// How many entries there are.
    fn head(&self) -> Position;

    /// Visits the entries from a position on; gives the position after the last one that was visited.
    ///
    /// # Errors
    /// At the first entry that does not hold together.
    fn scan(
        &self,
        from: Position,
        visit: &mut dyn FnMut(EntryRef<'_>) -> ControlFlow<()>,
    ) -> Result<Position, ReadError>;

    /// The body of an entry in the clear.
    ///
    /// # Errors
    /// When it is sealed and cannot be opened.
    fn unseal(&self, header: &Header, body: &[u8]) -> Result<Vec<u8>, KeyError>;
}

/// A journal that is open already, in memory or on disk.
#[derive(Clone, Copy)]
pub struct OpenJournal<'a>(pub &'a dyn Journal);

impl Entries for OpenJournal<'_> {
    fn head(&self) -> Position {
        self.0.head()
    }

    fn scan(
        &self,
        from: Position,
        visit: &mut dyn FnMut(EntryRef<'_>) -> ControlFlow<()>,
    ) -> Result<Position, ReadError> {
        self.0.scan(from, visit)
    }

    fn unseal(&self, header: &Header, body: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.0.unseal(header, body)
    }
}

/// Why the content of an entry is not known, though nothing is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sealed {
    /// No key ring is at hand, or not the key that is needed.
    NoKey,
    /// The key was destroyed on purpose.
    Destroyed,
}

impl Sealed {
    /// The reason as a word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoKey => "no key",
            Self::Destroyed => "key destroyed",
        }
    }
}

impl Sealing {
    /// Counts one.
    pub const fn count(&mut self, why: Sealed) {
        match why {
            Sealed::NoKey => self.no_key += 1,
            Sealed::Destroyed => self.key_destroyed += 1,
        }
    }
}

/// The event of an entry, or why it is not known.
///
/// # Errors
/// When the body was changed, or is no event that this release knows.
pub fn event_of(log: &dyn Entries, entry: &EntryRef<'_>) -> Result<Result<Event, Sealed>, OwnError> {
    let (kind, version) = (entry.header.event_type, entry.header.type_version);
    let decoded = if entry.header.is_sealed() {
        match log.unseal(&entry.header, entry.body) {
            Ok(body) => wire::decode(kind, version, &Zeroizing::new(body)),
            Err(KeyError::Destroyed(_)) => return Ok(Err(Sealed::Destroyed)),
            Err(KeyError::Ring(_) | KeyError::Missing(_) | KeyError::NoRingKey(_)) => return Ok(Err(Sealed::NoKey)),
            Err(cause) => return Err(OwnError::Key { position: entry.position, cause }),
        }
    } else {
        wire::decode(kind, version, entry.body)
    };
    match decoded {
        Ok(event) => Ok(Ok(event)),
        Err(cause) => Err(OwnError::Event { position: entry.position, cause: cause.to_string() }),
    }
}

/// The place of an entry, with its event.
#[must_use]
pub const fn fact<'a>(entry: &EntryRef<'_>, event: &'a Event) -> Fact<'a> {
    let header = &entry.header;
    Fact { position: entry.position, stream: header.stream, version: header.version, at: header.time, event }
}

/// What visits entries: each with its event, or why that is not known. It ends the pass with a break, or with an error.
pub type Visit<'a> = dyn FnMut(&EntryRef<'_>, Result<&Event, Sealed>) -> Result<ControlFlow<()>, OwnError> + 'a;

/// Visits the entries from a position on, each with its event or why that is not known. The visitor ends the pass with a
/// break, or with an error.
///
/// ```
/// # use std::sync::Arc;
/// # use countersign_store::{EphemeralKeyRing, MemoryJournal};
/// # let journal = MemoryJournal::new(Arc::new(EphemeralKeyRing::new()?))?;
/// use std::ops::ControlFlow;
///
/// use countersign_domain::ids::Position;
/// use countersign_replay::own::{OpenJournal, each_entry};
///
/// each_entry(&OpenJournal(&journal), Position(0), &mut |_entry, _event| Ok(ControlFlow::Continue(())))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The visitor's, and what stops the reading: nothing is passed over.
pub fn each_entry(log: &dyn Entries, from: Position, visit: &mut Visit<'_>) -> Result<(), OwnError> {
    each_entry_of(log, from, &mut |_| true, visit)
}

/// The same for the entries that are wanted by their header; the bodies of the others are not looked at.
///
/// # Errors
/// As [`each_entry`].
pub fn each_entry_of(
    log: &dyn Entries,
    from: Position,
    wanted: &mut dyn FnMut(&Header) -> bool,
    visit: &mut Visit<'_>,
) -> Result<(), OwnError> {
    let mut failed = None;
    log.scan(from, &mut |entry| {
        if !wanted(&entry.header) {
            return ControlFlow::Continue(());
        }
        let visited = event_of(log, &entry).and_then(|event| visit(&entry, event.as_ref().map_err(|sealed| *sealed)));
        visited.unwrap_or_else(|error| {
            failed = Some(error);
            ControlFlow::Break(())
        })
    })?;
    failed.map_or(Ok(()), Err)
}
