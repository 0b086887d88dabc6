//! What is asked of the journal, and what it answers.

use std::fmt;

use zeroize::Zeroize;

use countersign_domain::ids::{CommandId, Position, StreamId, UnixMillis, Version};

use crate::error::AppendError;
use crate::header::{HEADER_BYTES, LEAF_BYTES};
use crate::keys::SEAL_BYTES;
use crate::limits::{APPEND_BYTES_MAX, APPEND_ENTRIES_MAX, APPEND_STREAMS_MAX};

/// One event to record.
#[derive(Clone, PartialEq, Eq)]
pub struct NewEntry {
    /// The stable number of the event's type.
    pub event_type: u16,
    /// The version of that type's body.
    pub type_version: u16,
    /// When it happened, as the command says.
    pub time: UnixMillis,
    /// The encoded event, in the clear.
    pub body: Vec<u8>,
    /// Whether the body is sealed under the stream's data key before it is stored.
    pub seal: bool,
}

impl Drop for NewEntry {
    fn drop(&mut self) {
        if self.seal {
            self.body.zeroize();
        }
    }
}

impl fmt::Debug for NewEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewEntry")
            .field("event_type", &self.event_type)
            .field("type_version", &self.type_version)
            .field("time", &self.time)
            .field("body_bytes", &self.body.len())
            .field("seal", &self.seal)
            .finish()
    }
}

/// The events of one stream inside an append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamAppend {
    /// The stream.
    pub stream: StreamId,
    /// Its version before the append; [`Version::NONE`] says that it must not exist.
    pub expected: Version,
    /// Seals the entries of this append, and those of the stream that come after it, under a new key: what the stream
    /// is of begins anew, and what came before can be forgotten by itself.
    pub fresh_key: bool,
    /// One event or more.
    pub entries: Vec<NewEntry>,
}

/// What one command records: all of it or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// The command, so that a retry is answered and not done again.
    pub command: CommandId,
    /// One to [`APPEND_STREAMS_MAX`] distinct streams.
    pub streams: Vec<StreamAppend>,
}

/// Where an append went. Positions are consecutive, in the order of streams and entries given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The position of the first entry.
    pub first: Position,
    /// How many entries there are.
    pub count: u32,
}

impl Committed {
    /// The position of the last entry.
    #[must_use]
    pub const fn last(&self) -> Position {
        Position(self.first.0.saturating_add((self.count as u64).saturating_sub(1)))
    }

    /// The position after the last entry.
    #[must_use]
    pub const fn end(&self) -> Position {
        Position(self.first.0.saturating_add(self.count as u64))
    }
}

/// What an append will take, once its shape is known to be sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) entries: usize,
    pub(crate) bytes: usize,
}

impl Append {
    /// Checks everything about an append that needs no look at the log.
    pub(crate) fn shape(&self) -> Result<Shape, AppendError> {
        let streams = self.streams.len();
        if streams == 0 {
            return Err(AppendError::Malformed("it names no stream"));
        }
        at_most("streams", streams, APPEND_STREAMS_MAX)?;
        let mut shape = Shape { entries: 0, bytes: 0 };
        for (at, stream) in self.streams.iter().enumerate() {
            if stream.entries.is_empty() {
                return Err(AppendError::Malformed("a stream has no entry"));
            }
            if self.streams[..at].iter().any(|other| other.stream == stream.stream) {
                return Err(AppendError::Malformed("a stream is named twice"));
            }
            if stream.expected.0.checked_add(stream.entries.len() as u64).is_none() {
                return Err(AppendError::Malformed("a version is out of range"));
            }
            shape.entries = shape.entries.saturating_add(stream.entries.len());
            for entry in &stream.entries {
                let seal = if entry.seal { SEAL_BYTES } else { 0 };
                let stored = (LEAF_BYTES + HEADER_BYTES + seal).saturating_add(entry.body.len());
                shape.bytes = shape.bytes.saturating_add(stored);
            }
        }
        at_most("entries", shape.entries, APPEND_ENTRIES_MAX)?;
        at_most("bytes", shape.bytes, APPEND_BYTES_MAX)?;
        Ok(shape)
    }
}

fn at_most(what: &'static str, found: usize, max: usize) -> Result<(), AppendError> {
    if found > max { Err(AppendError::TooLarge { what, found, max }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_shows_how_much_it_holds_and_not_what() {
        let (event_type, type_version, time) = (7, 1, UnixMillis(9));
        let entry = NewEntry { event_type, type_version, time, body: vec![183; 5], seal: true };
        let shown = format!("{entry:?}");
        assert!(shown.contains("event_type: 7") && shown.contains("body_bytes: 5"), "{shown}");
        assert!(!shown.contains("183"), "{shown}");
    }

    #[test]
    fn an_append_ends_behind_its_last_entry() {
        let at = |first, count| Committed { first: Position(first), count };
        assert_eq!((at(7, 3).last(), at(7, 3).end()), (Position(9), Position(10)));
        assert_eq!((at(u64::MAX, 3).last(), at(u64::MAX, 3).end()), (Position(u64::MAX), Position(u64::MAX)));
    }
}
