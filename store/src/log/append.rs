//! The way of an append: check, encode into chunks, one durable commit, then tell.

use std::sync::atomic::Ordering;

use countersign_domain::ids::{CommandId, Position, StreamId, Version};
use countersign_domain::wire::LOG_TYPES;

use foldhash::fast::RandomState;

use super::index::{IdMap, Row, Rows};
use super::signing::own_stream;
use super::{Inner, Writer};
use crate::append::{Append, Committed, NewEntry, Shape, StreamAppend};
use crate::backend::Backend;
use crate::chunk::ChunkBuilder;
use crate::error::{AppendError, Fault, KeyError};
use crate::header::{Header, Leaf};
use crate::keys::{Cipher, SEAL_BYTES, SLOT_BYTES, seal_onto};
use crate::limits::{GROUP_APPENDS_MAX, GROUP_BYTES_MAX};

type Answer = Result<Committed, AppendError>;

/// A stream of an append, with what is known of it before.
type Touched = (Option<Row>, Option<(u64, Cipher)>);

/// What a group will change, until it is durable.
struct Staging {
    base: Position,
    chunks: ChunkBuilder,
    bytes: usize,
    rows: Rows,
    commands: IdMap<CommandId, Committed>,
    order: Vec<(CommandId, Committed)>,
    slots: Vec<[u8; SLOT_BYTES]>,
    keys: IdMap<StreamId, (u64, Cipher)>,
    last_leaf: Leaf,
}

impl Staging {
    fn new(base: Position, appends: usize) -> Self {
        Self {
            base,
            chunks: ChunkBuilder::new(base),
            bytes: 0,
            rows: IdMap::with_capacity_and_hasher(appends, RandomState::default()),
            commands: IdMap::with_capacity_and_hasher(appends, RandomState::default()),
            order: Vec::with_capacity(appends),
            slots: Vec::new(),
            keys: IdMap::default(),
            last_leaf: Leaf::ZERO,
        }
    }
}

impl<B: Backend> Inner<B> {
    /// Appends a group, which the log itself has made or, as always but then, somebody else.
    pub(super) fn append_group_of(&self, group: Vec<Append>, is_own: bool) -> Vec<Answer> {
        let refuse = |cause: AppendError| vec![Err(cause); group.len()];
        let Ok(mut writer) = self.writer.lock() else {
            // A panic while writing: what the backend has is not known.
            self.poison();
            return refuse(AppendError::Poisoned);
        };
        if self.is_poisoned() {
            return refuse(AppendError::Poisoned);
        }
        if self.closed.load(Ordering::Acquire) {
            return refuse(AppendError::Closed);
        }
        let mut staging = Staging::new(self.head(), group.len().min(GROUP_APPENDS_MAX));
        let mut answers: Vec<Answer> = Vec::with_capacity(group.len());
        for append in &group {
            let ours = is_own || !touches_own(append);
            let staged = if ours { self.stage(&mut writer, &mut staging, append) } else { Err(NOT_YOURS) };
            answers.push(staged);
        }
        if staging.order.is_empty() {
            return answers;
        }
        let base = staging.base;
        if let Err(fault) = self.commit(&mut writer, staging) {
            self.poison();
            withdraw(&mut answers, base, &fault);
        }
        answers
    }

    /// Checks one append against the log and the group so far, and encodes it. Changes nothing when it fails.
    fn stage(&self, writer: &mut Writer, staging: &mut Staging, append: &Append) -> Answer {
        let shape = append.shape()?;
        if let Some(done) = self.already_done(staging, append.command) {
            return Err(AppendError::Duplicate(done));
        }
        check_group(staging, shape)?;
        let mut touched: Vec<Touched> = Vec::with_capacity(append.streams.len());
        for stream in &append.streams {
            let row = match staging.rows.get(&stream.stream) {
                Some(row) => Some(*row),
                None => self.row(stream.stream)?,
            };
            let actual = row.map_or(Version::NONE, |row| row.version);
            if actual != stream.expected {
                let (stream, expected) = (stream.stream, stream.expected);
                return Err(AppendError::Conflict { stream, expected, actual });
            }
            touched.push((row, None));
        }
        for (stream, (row, key)) in append.streams.iter().zip(&mut touched) {
            if stream.entries.iter().any(|entry| entry.seal) {
                *key = Some(self.key_for(writer, staging, stream, *row)?);
            }
        }
        self.encode(writer, staging, append, shape, &touched)
    }

    fn already_done(&self, staging: &Staging, command: CommandId) -> Option<Committed> {
        staging.commands.get(&command).copied().or_else(|| self.shared().window.get(command))
    }

    /// The key of a stream, made if it has none or is to have a fresh one. A made key is staged and lost if the append fails.
    fn key_for(
        &self,
        writer: &Writer,
        staging: &mut Staging,
        append: &StreamAppend,
        row: Option<Row>,
    ) -> Result<(u64, Cipher), KeyError> {
        let stream = append.stream;
        if let Some(key) = staging.keys.get(&stream).filter(|_| !append.fresh_key) {
            return Ok(key.clone());
        }
        match row.map_or(0, |row| row.key_id).min(if append.fresh_key { 0 } else { u64::MAX }) {
            0 => {
                let key_id = writer.next_slot + staging.slots.len() as u64;
                let (slot, cipher) = self.sealer.make(stream, key_id)?;
                staging.slots.push(slot);
                staging.keys.insert(stream, (key_id, cipher.clone()));
                Ok((key_id, cipher))
            }
            key_id => Ok((key_id, self.sealer.cipher(&self.backend, stream, key_id)?)),
        }
    }

    fn encode(
        &self,
        writer: &mut Writer,
        staging: &mut Staging,
        append: &Append,
        shape: Shape,
        touched: &[Touched],
    ) -> Answer {
        staging.chunks.reserve(shape.bytes);
        let mark = staging.chunks.mark();
        let mut rows = Vec::with_capacity(touched.len());
        let mut part = 0;
        for (stream, (before, key)) in append.streams.iter().zip(touched) {
            let mut row = *before;
            for entry in &stream.entries {
                let key = key.as_ref().filter(|_| entry.seal);
                let header = header_of(append.command, stream.stream, row, entry, key, (part, shape.entries));
                let position = staging.chunks.next();
                let leaf = match push_entry(writer, &mut staging.chunks, &header, entry, key) {
                    Ok(leaf) => leaf,
                    Err(cause) => {
                        staging.chunks.roll_back(mark);
                        return Err(cause.into());
                    }
                };
                row = Some(Row::after(&header, position, leaf, row.map_or(0, |row| row.key_id)));
                part += 1;
            }
            rows.extend(row.map(|row| (stream.stream, row)));
        }
        let committed = Committed { first: mark.next(), count: shape.entries as u32 };
        staging.last_leaf = rows.last().map_or(staging.last_leaf, |(_, row)| row.leaf);
        staging.rows.extend(rows);
        staging.bytes += shape.bytes;
        staging.commands.insert(append.command, committed);
        staging.order.push((append.command, committed));
        Ok(committed)
    }

    /// Makes the group durable, keys first, and only then visible.
    fn commit(&self, writer: &mut Writer, staging: Staging) -> Result<(), Fault> {
        if !staging.slots.is_empty() {
            self.backend.put_slots(writer.next_slot, &staging.slots)?;
            writer.next_slot += staging.slots.len() as u64;
        }
        let head = staging.chunks.next();
        self.backend.commit(staging.chunks.finish())?;
        for (stream, (key_id, cipher)) in staging.keys {
            self.sealer.keep(stream, key_id, cipher);
        }
        let mut shared = self.shared_mut();
        for (stream, row) in staging.rows {
            shared.index.set(stream, row);
        }
        for (command, committed) in staging.order {
            shared.window.push(command, committed);
        }
        shared.last_leaf = staging.last_leaf;
        self.head.store(head.0, Ordering::Release);
        drop(shared);
        self.tail.advance(head.0);
        self.bell.appended(head.0);
        Ok(())
    }
}

const NOT_YOURS: AppendError = AppendError::Malformed("only the log writes of itself");

/// Whether an append says something in the log's name.
fn touches_own(append: &Append) -> bool {
    let own = own_stream();
    append
        .streams
        .iter()
        .any(|stream| stream.stream == own || stream.entries.iter().any(|entry| LOG_TYPES.contains(&entry.event_type)))
}

/// Turns every answer that depends on the failed commit into its failure.
fn withdraw(answers: &mut [Answer], base: Position, fault: &Fault) {
    for answer in answers {
        let stands = match answer {
            Ok(_) | Err(AppendError::Conflict { .. }) => false,
            Err(AppendError::Duplicate(done)) => done.first < base,
            Err(_) => true,
        };
        if !stands {
            *answer = Err(AppendError::Unavailable(fault.clone()));
        }
    }
}

fn check_group(staging: &Staging, shape: Shape) -> Result<(), AppendError> {
    if staging.order.len() >= GROUP_APPENDS_MAX {
        let found = staging.order.len() + 1;
        return Err(AppendError::TooLarge { what: "appends in its group", found, max: GROUP_APPENDS_MAX });
    }
    let found = staging.bytes + shape.bytes;
    if found > GROUP_BYTES_MAX {
        return Err(AppendError::TooLarge { what: "bytes in its group", found, max: GROUP_BYTES_MAX });
    }
    Ok(())
}

fn header_of(
    command: CommandId,
    stream: StreamId,
    before: Option<Row>,
    entry: &NewEntry,
    key: Option<&(u64, Cipher)>,
    (part, parts): (u16, usize),
) -> Header {
    let seal = if key.is_some() { SEAL_BYTES } else { 0 };
    Header {
        event_type: entry.event_type,
        type_version: entry.type_version,
        stream,
        version: before.map_or(Version::NONE, |row| row.version).next(),
        previous_leaf: before.map_or(Leaf::ZERO, |row| row.leaf),
        previous: before.map(|row| row.position),
        key_id: key.map_or(0, |(key_id, _)| *key_id),
        time: entry.time,
        command,
        body_len: (entry.body.len() + seal) as u32,
        part,
        parts: parts as u16,
    }
}

fn push_entry(
    writer: &mut Writer,
    chunks: &mut ChunkBuilder,
    header: &Header,
    entry: &NewEntry,
    key: Option<&(u64, Cipher)>,
) -> Result<Leaf, KeyError> {
    let header = header.encode();
    chunks.push(&header, |out| match key {
        None => {
            out.extend_from_slice(&entry.body);
            Ok(())
        }
        Some((_, cipher)) => seal_onto(out, cipher, writer.randomness.nonce()?, &header, &entry.body),
    })
}
