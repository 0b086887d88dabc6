//! What can be recomputed without a key: leaves, chains, versions, appends.

use std::collections::{BTreeMap, HashMap};

use countersign_domain::device::seed_stream;
use countersign_domain::event::Event;
use countersign_domain::ids::{CommandId, Position, StreamId, Version};
use countersign_store::{EntryRef, Leaf};
use foldhash::fast::RandomState;

use crate::own::states::ByStream;

/// The last entry of a stream.
#[derive(Clone, Copy, Debug)]
struct Row {
    version: Version,
    position: Position,
    leaf: Leaf,
    key_id: u64,
    /// Something of the log was missing since.
    doubtful: bool,
}

/// What an audit knows at some position of the log.
#[derive(Debug, Default)]
pub(super) struct Audit {
    rows: ByStream<Row>,
    keys: BTreeMap<u64, (StreamId, Version, Position)>,
    append: Option<(CommandId, u16, u16)>,
    /// Something is missing: streams that were not met yet may have begun there.
    gap: bool,
}

impl Audit {
    /// Checks the next entry, and says what does not hold.
    pub(super) fn entry(&mut self, entry: &EntryRef<'_>) -> Vec<String> {
        let mut wrong = Vec::new();
        let (position, header) = (entry.position, &entry.header);
        if Leaf::of(entry.entry) != entry.leaf {
            wrong.push("the entry does not have its leaf".to_owned());
        }
        let before = self.rows.get(&header.stream).copied();
        let chained = match before {
            None => header.previous.is_none() || self.gap,
            Some(row) if row.doubtful && header.previous != Some(row.position) => header.version > row.version,
            Some(row) => {
                header.version == row.version.next()
                    && header.previous == Some(row.position)
                    && header.previous_leaf == row.leaf
            }
        };
        if !chained {
            wrong.push("the entry does not continue its stream".to_owned());
        }
        let key_before = before.map_or(0, |row| row.key_id);
        if header.is_sealed() {
            self.keys.entry(header.key_id).or_insert((header.stream, header.version, position));
            if key_before > header.key_id {
                wrong.push("the stream has an earlier key again".to_owned());
            }
        }
        let expected = match self.append {
            Some((command, part, parts)) if part + 1 < parts => (command, part + 1, parts),
            _ => (header.command, 0, header.parts),
        };
        if expected != (header.command, header.part, header.parts) {
            wrong.push("the append is torn".to_owned());
        }
        self.append = Some((header.command, header.part, header.parts));
        let key_id = if header.is_sealed() { header.key_id } else { key_before };
        let row = Row { version: header.version, position, leaf: entry.leaf, key_id, doubtful: false };
        self.rows.insert(header.stream, row);
        wrong
    }

    /// Some entries are missing: what follows need not continue what came before.
    pub(super) fn gap(&mut self) {
        self.gap = true;
        self.append = None;
        self.rows.values_mut().for_each(|row| row.doubtful = true);
    }

    /// Whether the last append is not whole.
    pub(super) fn is_torn(&self) -> bool {
        self.append.is_some_and(|(_, part, parts)| part + 1 != parts)
    }

    /// How many streams there are.
    pub(super) fn streams(&self) -> u64 {
        self.rows.len() as u64
    }

    /// Whether something of the log is missing, and a tombstone may be among it.
    pub(super) const fn has_gap(&self) -> bool {
        self.gap
    }

    /// The keys in use.
    pub(super) fn keys(&self, tombstones: &Tombstones) -> Vec<InUse> {
        let in_use = |(key_id, (stream, version, position)): (&u64, &(StreamId, Version, Position))| InUse {
            key_id: *key_id,
            stream: *stream,
            position: position.0,
            tombstone: tombstones.0.get(&(*stream, *version)).map(|position| position.0),
        };
        self.keys.iter().map(in_use).collect()
    }
}

/// Where it was said of the first entry that a key sealed that the key is to be destroyed.
#[derive(Debug, Default)]
pub(super) struct Tombstones(HashMap<(StreamId, Version), Position, RandomState>);

impl Tombstones {
    /// Takes note of an event that says that keys are to be destroyed.
    pub(super) fn note(&mut self, entry: &EntryRef<'_>, event: &Event) {
        let (position, stream) = (entry.position, entry.header.stream);
        match event {
            Event::DeviceDeleted(gone) => {
                self.0.insert((seed_stream(stream, gone.life), Version(1)), position);
            }
            Event::PrincipalForgotten(forgotten) => {
                let keys = forgotten.keys.iter().map(|key| ((key.stream, key.version), position));
                self.0.extend(keys);
            }
            _ => {}
        }
    }
}

/// A key that something is sealed under.
pub(super) struct InUse {
    pub(super) key_id: u64,
    pub(super) stream: StreamId,
    /// Where it was met first.
    pub(super) position: u64,
    /// Where the log says that it is destroyed.
    pub(super) tombstone: Option<u64>,
}
