//! What is judged beside the reading: what the entries say, and whether that obeys the laws.
//!
//! Hashing takes about as long as opening, decoding and judging, and neither needs the other. So the reader hashes, and
//! hands what it read on to a judge on a thread of its own. Both count the same steps, by which what they found is put in order.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use countersign_domain::event::Event;
use countersign_domain::ids::Position;
use countersign_domain::laws::{LawBook, Unread};
use countersign_domain::wire;
use countersign_store::chunk::Chunk;
use countersign_store::{EntryRef, KeyError};
use zeroize::Zeroizing;

use super::audit::Tombstones;
use super::{KEPT_MAX, Problem, Report};
use crate::own::medium::Keys;
use crate::own::read::{Sealed, fact};

/// Bytes of chunks that are handed on together: a chunk alone is too little work for waking somebody up.
const LOT_BYTES: usize = 64 * 1024;
/// Lots that wait for the judge.
const LOTS_MAX: usize = 8;

/// Stretches of the log that are handed on together.
#[derive(Debug, Default)]
struct Lot {
    bytes: Vec<u8>,
    /// Where each begins, and how many of the bytes it has; none, when it is missing.
    stretches: Vec<(Position, Option<usize>)>,
}

/// The reader's end.
pub(super) struct Hand {
    lot: Lot,
    to: SyncSender<Lot>,
}

/// The judge's end.
pub(super) struct Lots(Receiver<Lot>);

/// A way from a reader to a judge, on which the reader waits when the judge is behind.
pub(super) fn way() -> (Hand, Lots) {
    let (to, from) = sync_channel(LOTS_MAX);
    (Hand { lot: Lot::default(), to }, Lots(from))
}

impl Hand {
    pub(super) fn chunk(&mut self, first: Position, bytes: &[u8]) {
        self.lot.bytes.extend_from_slice(bytes);
        self.add(first, Some(bytes.len()));
    }

    pub(super) fn missing(&mut self, from: Position) {
        self.add(from, None);
    }

    fn add(&mut self, first: Position, length: Option<usize>) {
        self.lot.stretches.push((first, length));
        if self.lot.bytes.len() >= LOT_BYTES || self.lot.stretches.len() >= LOT_BYTES {
            self.send();
        }
    }

    fn send(&mut self) {
        let next = Lot { bytes: Vec::with_capacity(2 * LOT_BYTES), stretches: Vec::new() };
        // A judge that went away is noticed when it is asked for what it found.
        let _gone = self.to.send(std::mem::replace(&mut self.lot, next));
    }

    /// Hands on what is left.
    pub(super) fn end(mut self) {
        self.send();
    }
}

/// What follows what, of a reader and of a judge of the same log.
#[derive(Debug, Default)]
pub(super) struct Found {
    step: u64,
    problems: Vec<(u64, Problem)>,
}

impl Found {
    /// Goes on to the next stretch or entry.
    pub(super) const fn step(&mut self) {
        self.step += 1;
    }

    pub(super) fn blame(&mut self, position: u64, what: impl Into<String>) {
        if self.problems.len() < KEPT_MAX {
            let problem = Problem { position: Some(position), byte: None, what: what.into() };
            self.problems.push((self.step, problem));
        }
    }

    /// What both found, in the order of the log; at one step the reader comes first.
    pub(super) fn with(self, judged: Self) -> impl Iterator<Item = Problem> {
        let mut problems = [self.problems, judged.problems].concat();
        problems.sort_by_key(|(step, _)| *step);
        problems.into_iter().map(|(_, problem)| problem)
    }
}

/// What a judge has found.
pub(super) struct Judged {
    /// What is not as it was written.
    pub(super) found: Found,
    /// Broken laws, and how much was judged; nothing else is filled in.
    pub(super) report: Report,
    pub(super) tombstones: Tombstones,
}

/// Judges entries in the order of the log.
pub(super) struct Judge<'a> {
    keys: &'a Keys,
    /// `None` once something is missing: nothing that follows could be judged by what comes before.
    laws: Option<LawBook>,
    judged: Judged,
}

impl<'a> Judge<'a> {
    pub(super) fn new(keys: &'a Keys, laws: LawBook) -> Self {
        let (report, tombstones) = (Report::default(), Tombstones::default());
        Self { keys, laws: Some(laws), judged: Judged { found: Found::default(), report, tombstones } }
    }

    /// Judges all that a reader hands on.
    pub(super) fn all(mut self, lots: Lots) -> Judged {
        for lot in lots.0 {
            let mut rest = lot.bytes.as_slice();
            for (first, length) in lot.stretches {
                let Some((chunk, after)) = length.and_then(|length| rest.split_at_checked(length)) else {
                    self.judged.found.step();
                    self.stop(first.0);
                    continue;
                };
                rest = after;
                self.chunk(first, chunk);
            }
        }
        if let Some(laws) = self.laws.take() {
            self.judged.report.add(laws.finish());
            self.judged.report.streams_not_judged_wholly = laws.unread_streams() as u64;
        }
        self.judged
    }

    /// What does not hold together is told by the reader.
    fn chunk(&mut self, first: Position, bytes: &[u8]) {
        self.judged.found.step();
        let Ok(chunk) = Chunk::open(first, bytes) else { return };
        for entry in chunk.entries() {
            self.judged.found.step();
            if let Ok(entry) = entry {
                self.entry(&entry);
            }
        }
    }

    fn stop(&mut self, at: u64) {
        if let Some(laws) = self.laws.take() {
            self.judged.report.streams_not_judged_wholly = laws.unread_streams() as u64;
            self.judged.report.laws_until = Some(at);
        }
    }

    fn entry(&mut self, entry: &EntryRef<'_>) {
        match self.event(entry) {
            Ok(Ok(event)) => {
                self.judged.tombstones.note(entry, &event);
                let broken = self.laws.as_mut().map(|laws| laws.observe(&fact(entry, &event)));
                self.judged.report.add(broken.unwrap_or_default());
            }
            Ok(Err(why)) => {
                self.judged.report.unread.count(why);
                let header = &entry.header;
                let (position, stream, version) = (entry.position, header.stream, header.version);
                let unread = Unread { position, stream, version, event_type: header.event_type };
                let broken = self.laws.as_mut().map(|laws| laws.observe_unread(&unread));
                self.judged.report.add(broken.unwrap_or_default());
            }
            Err(what) => {
                self.judged.found.blame(entry.position.0, what);
                self.stop(entry.position.0);
            }
        }
    }

    fn event(&self, entry: &EntryRef<'_>) -> Result<Result<Event, Sealed>, String> {
        let (kind, version) = (entry.header.event_type, entry.header.type_version);
        if !entry.header.is_sealed() {
            return wire::decode(kind, version, entry.body).map(Ok).map_err(|cause| cause.to_string());
        }
        match self.keys.unseal(&entry.header, entry.body) {
            Ok(body) => {
                let body = Zeroizing::new(body);
                wire::decode(kind, version, &body).map(Ok).map_err(|cause| cause.to_string())
            }
            Err(KeyError::Destroyed(_)) => Ok(Err(Sealed::Destroyed)),
            // The slot itself is judged by the reader, once for each key.
            Err(KeyError::Ring(_) | KeyError::NoRingKey(_) | KeyError::Missing(_) | KeyError::Corrupt(_)) => {
                Ok(Err(Sealed::NoKey))
            }
            Err(cause) => Err(cause.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_both_find_is_in_the_order_of_the_log() {
        let (mut reader, mut judge) = (Found::default(), Found::default());
        for step in 0..4 {
            reader.step();
            judge.step();
            if step != 1 {
                judge.blame(step, "judge");
            }
            if step != 2 {
                reader.blame(step, "reader");
                reader.blame(step, "reader again");
            }
        }
        let found: Vec<(Option<u64>, String)> =
            reader.with(judge).map(|problem| (problem.position, problem.what)).collect();
        let expected =
            [(0, "reader"), (0, "reader again"), (0, "judge"), (1, "reader"), (1, "reader again"), (2, "judge")];
        let last = [(3, "reader"), (3, "reader again"), (3, "judge")];
        let expected: Vec<_> =
            expected.into_iter().chain(last).map(|(position, what)| (Some(position), what.to_owned())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_handed_on_arrives_whole_and_in_its_order() {
        let (mut hand, lots) = way();
        let chunk = [7; LOT_BYTES / 3];
        let arrived = std::thread::scope(|scope| {
            let arrived = scope.spawn(move || {
                let mut arrived = Vec::new();
                for lot in lots.0 {
                    let lengths: usize = lot.stretches.iter().filter_map(|(_, length)| *length).sum();
                    assert_eq!(lot.bytes.len(), lengths);
                    assert!(lot.bytes.len() <= LOT_BYTES + chunk.len());
                    arrived.extend(lot.stretches.into_iter().map(|(first, length)| (first.0, length.is_some())));
                }
                arrived
            });
            for position in 0..100 {
                if position % 10 == 3 {
                    hand.missing(Position(position));
                } else {
                    hand.chunk(Position(position), &chunk);
                }
            }
            hand.end();
            arrived.join().unwrap()
        });
        let expected: Vec<(u64, bool)> = (0..100).map(|position| (position, position % 10 != 3)).collect();
        assert_eq!(arrived, expected);
    }
}
