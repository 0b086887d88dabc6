//! Actors, a writer and a store, as small as they can be checked.

use std::collections::VecDeque;
use std::time::Duration;

use super::super::roster::{Activation, Actors, Undelivered};

/// Commands that are told apart.
pub(super) const COMMANDS_MAX: usize = 8;

/// What the account wrote, in the place of a command.
const FOREIGN: u8 = 100;

/// Sweeps after which an actor is idle.
pub(super) const IDLE: u32 = 2;

/// How often a command is decided again.
const RETRIES: u8 = 1;

pub(super) const fn instant(ticks: u32) -> Duration {
    Duration::from_secs(ticks as u64)
}

pub(super) fn ticks(instant: Duration) -> u32 {
    u32::try_from(instant.as_secs()).unwrap()
}

/// How it goes about it: as the engine does, or in a way that must be found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Manner {
    AsIs,
    /// A goodbye takes whoever is in the registry under that name.
    GoodbyeOfAnyone,
    /// Commands that waited for an actor to leave are dropped.
    WaitingLost,
    /// A dead actor is not told from one whose mailbox is full.
    DeadKept,
    /// Nobody is ever idle.
    NeverIdle,
    /// The writer does not compare versions.
    Unguarded,
    /// A snapshot is said to be of the newest version.
    SnapshotOfHead,
    /// One who was overtaken takes the new version and keeps the old state.
    KeepsState,
    /// A command that was written before is written again.
    ForgetsCommands,
    /// An actor takes into its state what is not written yet.
    EvolvesFirst,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Answered {
    Done,
    Busy,
    Conflict,
    Interrupted,
}

impl Answered {
    pub(super) const fn is_retryable(self) -> bool {
        matches!(self, Self::Busy | Self::Interrupted)
    }
}

/// A command on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Job {
    pub(super) command: u8,
    key: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Letter {
    Command(u8),
    Leave,
}

/// A principal in memory: all that was written of it, and the version that it takes it for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Core {
    pub(super) version: usize,
    pub(super) state: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum End {
    Written,
    Overtaken,
    /// The command was done before.
    Before,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Doing {
    Nothing,
    Reading { command: u8, tries: u8 },
    Deciding { command: u8, tries: u8 },
    Writing { command: u8, tries: u8 },
    Written { command: u8, tries: u8, end: End },
    Leaving(Option<Core>),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Actor {
    pub(super) key: u8,
    pub(super) activation: Activation,
    pub(super) mailbox: VecDeque<Letter>,
    pub(super) core: Option<Core>,
    pub(super) doing: Doing,
    /// What it answered as done, and not because it was done before.
    pub(super) acked: Vec<u8>,
}

impl Actor {
    const fn in_hand(&self) -> Option<u8> {
        match &self.doing {
            Doing::Nothing | Doing::Leaving(_) => None,
            Doing::Reading { command, .. }
            | Doing::Deciding { command, .. }
            | Doing::Writing { command, .. }
            | Doing::Written { command, .. } => Some(*command),
        }
    }
}

/// An entry of a stream, with the version that its writer expected.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Entry {
    pub(super) expected: usize,
    pub(super) what: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Append {
    pub(super) activation: Activation,
    pub(super) key: u8,
    pub(super) expected: usize,
    what: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Stage {
    manner: Manner,
    /// Commands in a mailbox, and behind an actor that leaves.
    pub(super) mailbox_max: usize,
    /// Those that are alive.
    actors: Vec<Actor>,
    pub(super) goodbyes: VecDeque<(u8, Activation)>,
    /// The writer's queue.
    pub(super) queue: VecDeque<Append>,
    /// The streams of the principals.
    pub(super) logs: Vec<Vec<Entry>>,
    pub(super) snapshots: Vec<Option<Core>>,
    /// How often each command was asked, and what the answers were.
    pub(super) asked: Vec<u8>,
    pub(super) answers: Vec<Vec<Answered>>,
    pub(super) deaths: u8,
    pub(super) foreign: u8,
    /// What is delivered now is lost.
    pub(super) deaf: bool,
}

impl Stage {
    pub(super) fn new(manner: Manner, mailbox_max: usize, commands: usize) -> Self {
        let streams = usize::from(super::KEYS);
        Self {
            manner,
            mailbox_max,
            actors: vec![],
            goodbyes: VecDeque::new(),
            queue: VecDeque::new(),
            logs: vec![vec![]; streams],
            snapshots: vec![None; streams],
            asked: vec![0; commands],
            answers: vec![vec![]; commands],
            deaths: 0,
            foreign: 0,
            deaf: false,
        }
    }

    pub(super) fn alive(&self) -> impl Iterator<Item = &Actor> {
        self.actors.iter()
    }

    /// Gives activations the numbers from zero, in the same order.
    pub(super) fn rename(&mut self, mut known: Vec<Activation>) -> impl Fn(Activation) -> Activation + use<> {
        known.extend(self.actors.iter().map(|actor| actor.activation));
        known.extend(self.goodbyes.iter().map(|(_, activation)| *activation));
        known.extend(self.queue.iter().map(|append| append.activation));
        known.sort_unstable();
        known.dedup();
        let name = move |activation| known.partition_point(|other| *other < activation) as Activation;
        self.actors.iter_mut().for_each(|actor| actor.activation = name(actor.activation));
        self.goodbyes.iter_mut().for_each(|(_, activation)| *activation = name(*activation));
        self.queue.iter_mut().for_each(|append| append.activation = name(append.activation));
        name
    }

    pub(super) fn ask(&mut self, command: u8, key: u8) -> Job {
        self.asked[usize::from(command)] += 1;
        Job { command, key }
    }

    /// How many actors have a command in their mailbox or in hand.
    pub(super) fn held(&self, command: u8) -> usize {
        let letters = self.actors.iter().flat_map(|actor| &actor.mailbox);
        let in_hand = self.actors.iter().filter(|actor| actor.in_hand() == Some(command)).count();
        letters.filter(|letter| **letter == Letter::Command(command)).count() + in_hand
    }

    pub(super) fn fold(&self, key: u8, version: usize) -> Vec<u8> {
        self.logs[usize::from(key)].iter().take(version).map(|entry| entry.what).collect()
    }

    pub(super) fn is_written(&self, key: u8, command: u8) -> bool {
        self.logs[usize::from(key)].iter().any(|entry| entry.what == command)
    }

    fn answer(&mut self, command: u8, answer: Answered) {
        self.answers[usize::from(command)].push(answer);
    }

    fn read(&self, key: u8) -> Core {
        let mut core = self.snapshots[usize::from(key)].clone().unwrap_or(Core { version: 0, state: vec![] });
        let after = self.logs[usize::from(key)].iter().skip(core.version).map(|entry| entry.what);
        core.state.extend(after);
        core.version = self.logs[usize::from(key)].len();
        core
    }

    /// Lets an actor go on.
    pub(super) fn step(&mut self, activation: Activation) {
        let Some(place) = self.actors.iter().position(|actor| actor.activation == activation) else { return };
        let key = self.actors[place].key;
        match self.actors[place].doing.clone() {
            Doing::Nothing => self.take(place),
            Doing::Reading { command, tries } => {
                self.actors[place].core = Some(self.read(key));
                self.actors[place].doing = Doing::Deciding { command, tries };
            }
            Doing::Deciding { command, tries } => self.decide(place, command, tries),
            Doing::Writing { .. } => {}
            Doing::Written { command, tries, end } => self.settle(place, (command, tries), end),
            Doing::Leaving(core) => {
                self.keep(key, core);
                self.goodbyes.push_back((key, activation));
                self.actors.remove(place);
            }
        }
    }

    fn take(&mut self, place: usize) {
        let actor = &mut self.actors[place];
        match actor.mailbox.pop_front() {
            Some(Letter::Command(command)) if actor.core.is_none() => {
                actor.doing = Doing::Reading { command, tries: 0 }
            }
            Some(Letter::Command(command)) => self.decide(place, command, 0),
            Some(Letter::Leave) => actor.doing = Doing::Leaving(actor.core.take()),
            None => {}
        }
    }

    fn decide(&mut self, place: usize, command: u8, tries: u8) {
        let (key, activation) = (self.actors[place].key, self.actors[place].activation);
        if self.manner != Manner::ForgetsCommands && self.is_written(key, command) {
            self.actors[place].doing = Doing::Nothing;
            return self.answer(command, Answered::Done);
        }
        let Some(core) = &mut self.actors[place].core else { return };
        self.queue.push_back(Append { activation, key, expected: core.version, what: command });
        if self.manner == Manner::EvolvesFirst {
            core.state.push(command);
            core.version += 1;
        }
        self.actors[place].doing = Doing::Writing { command, tries };
    }

    /// The writer takes one append. Several in one group are several in a row.
    pub(super) fn commit(&mut self) {
        let Some(Append { activation, key, expected, what }) = self.queue.pop_front() else { return };
        let end = if self.manner != Manner::ForgetsCommands && self.is_written(key, what) {
            End::Before
        } else if self.manner != Manner::Unguarded && self.logs[usize::from(key)].len() != expected {
            End::Overtaken
        } else {
            self.logs[usize::from(key)].push(Entry { expected, what });
            End::Written
        };
        let Some(actor) = self.actors.iter_mut().find(|actor| actor.activation == activation) else { return };
        if let Doing::Writing { command, tries } = actor.doing {
            actor.doing = Doing::Written { command, tries, end };
        }
    }

    fn settle(&mut self, place: usize, (command, tries): (u8, u8), end: End) {
        let (manner, head) = (self.manner, self.logs[usize::from(self.actors[place].key)].len());
        let again = self.read(self.actors[place].key);
        let actor = &mut self.actors[place];
        actor.doing = Doing::Nothing;
        match (end, &mut actor.core) {
            (End::Written, Some(core)) => {
                if manner != Manner::EvolvesFirst {
                    core.state.push(command);
                    core.version += 1;
                }
                actor.acked.push(command);
                self.answer(command, Answered::Done);
            }
            (End::Overtaken, Some(core)) if manner == Manner::KeepsState => {
                core.version = head;
                actor.doing = Doing::Deciding { command, tries };
            }
            (End::Overtaken, _) if tries < RETRIES => {
                actor.core = None;
                actor.doing = Doing::Reading { command, tries: tries + 1 };
            }
            (End::Overtaken, _) => {
                actor.core = None;
                self.answer(command, Answered::Conflict);
            }
            (End::Before | End::Written, _) => {
                actor.core = Some(again);
                self.answer(command, Answered::Done);
            }
        }
    }

    /// A snapshot is kept when it is of the newest version.
    fn keep(&mut self, key: u8, core: Option<Core>) {
        let head = self.logs[usize::from(key)].len();
        let Some(core) = core else { return };
        if self.manner == Manner::SnapshotOfHead {
            self.snapshots[usize::from(key)] = Some(Core { version: head, ..core });
        } else if core.version == head && head > 0 {
            self.snapshots[usize::from(key)] = Some(core);
        }
    }

    /// Whoever waits for an answer of a dead actor hears that there will be none.
    pub(super) fn die(&mut self, activation: Activation, says: bool) {
        let Some(place) = self.actors.iter().position(|actor| actor.activation == activation) else { return };
        let actor = self.actors.remove(place);
        self.deaths += 1;
        if let Some(command) = actor.in_hand() {
            self.answer(command, Answered::Interrupted);
        }
        for letter in actor.mailbox {
            if let Letter::Command(command) = letter {
                self.answer(command, Answered::Interrupted);
            }
        }
        if says {
            self.goodbyes.push_back((actor.key, activation));
        }
    }

    /// The account expects the version that it finds.
    pub(super) fn write_foreign(&mut self, key: u8) {
        self.foreign += 1;
        let expected = self.logs[usize::from(key)].len();
        self.logs[usize::from(key)].push(Entry { expected, what: FOREIGN });
    }
}

impl Actors for Stage {
    type Key = u8;
    type Job = Job;
    type Address = Activation;

    fn key(job: &Job) -> &u8 {
        &job.key
    }

    fn activate(&mut self, key: &u8, activation: Activation) -> Activation {
        let (mailbox, acked) = (VecDeque::new(), vec![]);
        self.actors.push(Actor { key: *key, activation, mailbox, core: None, doing: Doing::Nothing, acked });
        activation
    }

    fn deliver(&mut self, address: &Activation, job: Job) -> Result<(), Undelivered<Job>> {
        let Some(actor) = self.actors.iter_mut().find(|actor| actor.activation == *address) else {
            return Err(if self.manner == Manner::DeadKept { Undelivered::Full(job) } else { Undelivered::Dead(job) });
        };
        if actor.mailbox.len() >= self.mailbox_max {
            return Err(Undelivered::Full(job));
        }
        if !self.deaf {
            actor.mailbox.push_back(Letter::Command(job.command));
        }
        Ok(())
    }

    fn dismiss(&mut self, address: &Activation) -> bool {
        let actor = self.actors.iter_mut().find(|actor| actor.activation == *address);
        let Some(actor) = actor.filter(|actor| actor.mailbox.len() < self.mailbox_max) else { return false };
        actor.mailbox.push_back(Letter::Leave);
        true
    }

    fn is_alive(&self, address: &Activation) -> bool {
        self.manner == Manner::DeadKept || self.actors.iter().any(|actor| actor.activation == *address)
    }

    fn refuse(&mut self, job: Job) {
        self.answer(job.command, Answered::Busy);
    }
}
