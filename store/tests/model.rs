//! The journal against a model too simple to be wrong, on generated histories with reopenings.

mod media;

use std::collections::HashMap;

use countersign_domain::ids::{CommandId, Position, StreamId, Version};
use countersign_store::contract::{self, Medium};
use countersign_store::{Append, AppendError, Committed, Journal, KeyError};
use media::{InMemory, OnDisk};
use proptest::prelude::*;

/// What a journal is: a list, and what each command did.
#[derive(Default)]
struct Model {
    log: Vec<(StreamId, Version, Vec<u8>, bool)>,
    done: HashMap<CommandId, Committed>,
    destroyed: Vec<StreamId>,
}

impl Model {
    fn version(&self, stream: StreamId) -> Version {
        Version(self.log.iter().filter(|(of, ..)| *of == stream).count() as u64)
    }

    fn has_key(&self, stream: StreamId) -> bool {
        self.log.iter().any(|(of, _, _, sealed)| *of == stream && *sealed)
    }

    fn append(&mut self, asked: &Append) -> Result<Committed, AppendError> {
        if let Some(done) = self.done.get(&asked.command) {
            return Err(AppendError::Duplicate(*done));
        }
        for one in &asked.streams {
            let actual = self.version(one.stream);
            if actual != one.expected {
                return Err(AppendError::Conflict { stream: one.stream, expected: one.expected, actual });
            }
        }
        for one in &asked.streams {
            if self.destroyed.contains(&one.stream) && one.entries.iter().any(|entry| entry.seal) {
                return Err(AppendError::Key(KeyError::Destroyed(0)));
            }
        }
        let first = Position(self.log.len() as u64);
        for one in &asked.streams {
            for entry in &one.entries {
                let version = self.version(one.stream).next();
                self.log.push((one.stream, version, entry.body.clone(), entry.seal));
            }
        }
        let committed = Committed { first, count: (self.log.len() as u64 - first.0) as u32 };
        self.done.insert(asked.command, committed);
        Ok(committed)
    }
}

/// A stream's number, whether the version is to be right, and bodies by their byte and whether they are sealed.
type WishedStream = (u64, bool, Vec<(u8, bool)>);

#[derive(Clone, Debug)]
struct Wish {
    command: u64,
    streams: Vec<WishedStream>,
}

#[derive(Clone, Debug)]
enum Step {
    Group(Vec<Wish>),
    WriteIndex,
    Reopen { close: bool },
    Forget,
    DestroyKey(u64),
}

fn wish() -> impl Strategy<Value = Wish> {
    let entries = prop::collection::vec((0..200_u8, any::<bool>()), 1..4);
    let stream = (0..6_u64, prop::bool::weighted(0.9), entries);
    (0..400_u64, prop::collection::vec(stream, 1..4)).prop_map(|(command, mut streams)| {
        streams.sort_by_key(|(number, ..)| *number);
        streams.dedup_by_key(|(number, ..)| *number);
        Wish { command, streams }
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => prop::collection::vec(wish(), 1..12).prop_map(Step::Group),
        3 => Just(Step::WriteIndex),
        3 => any::<bool>().prop_map(|close| Step::Reopen { close }),
        1 => Just(Step::Forget),
        1 => (0..6_u64).prop_map(Step::DestroyKey),
    ]
}

/// The append that a wish is, given what the model knows when the group begins.
fn ask(wish: &Wish, expected: &mut HashMap<u64, u64>, model: &Model) -> Append {
    let streams = wish.streams.iter().map(|(number, right, entries)| {
        let next = expected.entry(*number).or_insert_with(|| model.version(contract::stream(*number)).0);
        let version = if *right { *next } else { next.saturating_sub(1) };
        if *right {
            *next += entries.len() as u64;
        }
        let entry = |(byte, seal): &(u8, bool)| {
            let body = vec![*byte; usize::from(*byte)];
            if *seal { contract::sealed(&body) } else { contract::clear(&body) }
        };
        contract::on(*number, version, entries.iter().map(entry).collect())
    });
    contract::append(wish.command, streams.collect())
}

/// Key ids are the journal's own business; the model does not know them.
fn without_key_id(answer: Result<Committed, AppendError>) -> Result<Committed, AppendError> {
    match answer {
        Err(AppendError::Key(KeyError::Destroyed(_))) => Err(AppendError::Key(KeyError::Destroyed(0))),
        other => other,
    }
}

fn check<J: Journal>(journal: &J, model: &Model) {
    let all = contract::all_entries(journal);
    assert_eq!(all.len(), model.log.len());
    for (entry, (stream, version, body, sealed)) in all.iter().zip(&model.log) {
        assert_eq!((entry.header.stream, entry.header.version), (*stream, *version));
        assert_eq!(entry.header.is_sealed(), *sealed);
        let opened = journal.unseal(&entry.header, entry.body.as_stored());
        if *sealed && model.destroyed.contains(stream) {
            assert_eq!(opened, Err(KeyError::Destroyed(entry.header.key_id)));
        } else {
            assert_eq!(opened.as_ref(), Ok(body));
        }
    }
    for number in 0..6 {
        let stream = contract::stream(number);
        let head = journal.stream_head(stream).unwrap().map_or(Version::NONE, |head| head.version);
        assert_eq!(head, model.version(stream));
        let read = journal.read_stream(stream, Version(2), 5).unwrap();
        let expected: Vec<_> = all.iter().filter(|one| one.header.stream == stream).skip(2).take(5).cloned().collect();
        assert_eq!(read, expected);
    }
    for (command, done) in &model.done {
        assert_eq!(journal.find_command(*command), Some(*done));
    }
}

fn play<M: Medium>(steps: Vec<Step>) {
    let medium = M::fresh();
    let (mut journal, mut model) = (Some(medium.open()), Model::default());
    for step in steps {
        let open = journal.as_ref().unwrap();
        match step {
            Step::Group(wishes) => {
                let mut expected = HashMap::new();
                let asked: Vec<_> = wishes.iter().map(|wish| ask(wish, &mut expected, &model)).collect();
                let should: Vec<_> = asked.iter().map(|one| model.append(one)).collect();
                let is: Vec<_> = open.append_group(asked).into_iter().map(without_key_id).collect();
                assert_eq!(is, should);
            }
            Step::WriteIndex => open.checkpoint_index().unwrap(),
            Step::Forget => open.forget_derived().unwrap(),
            Step::DestroyKey(number) => {
                let stream = contract::stream(number);
                let destroyed = open.destroy_key(stream).unwrap();
                assert_eq!(destroyed.is_some(), model.has_key(stream));
                if destroyed.is_some() {
                    model.destroyed.push(stream);
                }
            }
            Step::Reopen { close } => {
                if close {
                    open.close().unwrap();
                }
                drop(journal.take());
                journal = Some(medium.open());
            }
        }
        assert_eq!(journal.as_ref().unwrap().head().0, model.log.len() as u64);
    }
    let journal = journal.unwrap();
    check(&journal, &model);
    journal.verify().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_memory_journal_is_the_model(steps in prop::collection::vec(step(), 1..40)) {
        play::<InMemory>(steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_journal_on_disk_is_the_model(steps in prop::collection::vec(step(), 1..40)) {
        play::<OnDisk>(steps);
    }
}
