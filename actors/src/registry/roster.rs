//! The bookkeeping of a registry: which principals are in memory, and what becomes of a command.
//!
//! It knows no actor, no queue and no clock; they are behind [`Actors`], and the time comes in. So the registry and the
//! exhaustive check of it go through the same code.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

/// The actors of one kind, as the bookkeeping needs them.
pub(super) trait Actors {
    /// Whose actor it is.
    type Key: Clone + Eq + Hash;
    /// A command.
    type Job;
    /// The way to an actor.
    type Address;

    /// Whom a command is for.
    fn key(job: &Self::Job) -> &Self::Key;
    /// Starts an actor. When it ends it says goodbye with both.
    fn activate(&mut self, key: &Self::Key, activation: Activation) -> Self::Address;
    /// Puts a command into an actor's mailbox.
    fn deliver(&mut self, address: &Self::Address, job: Self::Job) -> Result<(), Undelivered<Self::Job>>;
    /// Asks an actor to leave behind all that is in its mailbox. Says whether it will hear of it.
    fn dismiss(&mut self, address: &Self::Address) -> bool;
    /// Whether an actor takes anything at all.
    fn is_alive(&self, address: &Self::Address) -> bool;
    /// Answers a command without having done anything: there is no room for it now.
    fn refuse(&mut self, job: Self::Job);
}

/// Which actor of all that there were: two of one principal have not the same.
pub(super) type Activation = u64;

/// Why a command did not reach an actor.
pub(super) enum Undelivered<Job> {
    /// Its mailbox is full.
    Full(Job),
    /// It is dead.
    Dead(Job),
}

/// What may be in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// Actors that stay. There may be an eighth and one more until the next look at them.
    pub(super) resident_max: usize,
    /// Commands that wait for an actor to leave.
    pub(super) waiting_max: usize,
    /// How long an actor stays without a command.
    pub(super) idle: Duration,
}

pub(super) struct Slot<A: Actors> {
    pub(super) address: A::Address,
    pub(super) activation: Activation,
    pub(super) stay: Stay<A>,
}

pub(super) enum Stay<A: Actors> {
    Live(Used),
    /// It was asked to leave; these commands are for the next one.
    Leaving(VecDeque<A::Job>),
}

/// When an actor was asked last, and which question of all that was.
pub(super) type Used = (Duration, u64);

/// The actors that are in memory.
pub(super) struct Roster<A: Actors> {
    pub(super) actors: A,
    pub(super) slots: HashMap<A::Key, Slot<A>, foldhash::fast::RandomState>,
    pub(super) room: Room,
    /// Actors started since the last sweep.
    pub(super) fresh: usize,
    /// Actors started.
    pub(super) activations: u64,
    /// Commands that came.
    pub(super) commands: u64,
}

impl<A: Actors> Roster<A> {
    pub(super) fn new(actors: A, room: Room) -> Self {
        Self { actors, slots: HashMap::default(), room, fresh: 0, activations: 0, commands: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Brings a command on its way: to its actor, to a fresh one, or behind one that leaves.
    pub(super) fn dispatch(&mut self, job: A::Job, now: Duration) {
        self.commands += 1;
        let job = match self.slots.get_mut(A::key(&job)) {
            Some(Slot { stay: Stay::Leaving(waiting), .. }) => {
                if waiting.len() < self.room.waiting_max {
                    waiting.push_back(job);
                } else {
                    self.actors.refuse(job);
                }
                return;
            }
            Some(Slot { address, stay: Stay::Live(used), .. }) => {
                *used = (now, self.commands);
                match self.actors.deliver(address, job) {
                    Ok(()) => return,
                    Err(Undelivered::Full(job)) => return self.actors.refuse(job),
                    Err(Undelivered::Dead(job)) => job,
                }
            }
            None => job,
        };
        self.activate(job, now);
    }

    fn activate(&mut self, job: A::Job, now: Duration) {
        // A burst of new principals does not wait for the next sweep to make room.
        self.fresh += 1;
        let resident_max = self.room.resident_max;
        if self.slots.len() >= resident_max && self.fresh > resident_max / 8 {
            self.make_room(now);
        }
        self.activations += 1;
        let (key, activation) = (A::key(&job).clone(), self.activations);
        let address = self.actors.activate(&key, activation);
        match self.actors.deliver(&address, job) {
            Ok(()) => {
                self.slots.insert(key, Slot { address, activation, stay: Stay::Live((now, self.commands)) });
            }
            Err(Undelivered::Full(job) | Undelivered::Dead(job)) => self.actors.refuse(job),
        }
    }

    /// An actor said goodbye, and another one may take the commands that waited. One that was missed before has been
    /// replaced, and its goodbye is not its successor's.
    pub(super) fn gone(&mut self, key: &A::Key, activation: Activation, now: Duration) {
        if self.slots.get(key).is_none_or(|slot| slot.activation != activation) {
            return;
        }
        let Some(Slot { stay: Stay::Leaving(waiting), .. }) = self.slots.remove(key) else { return };
        for job in waiting {
            self.dispatch(job, now);
        }
    }

    /// Misses those that died without a goodbye, and asks those to leave that were idle too long or are too many.
    pub(super) fn sweep(&mut self, now: Duration) {
        self.miss_dead(now);
        self.make_room(now);
    }

    fn miss_dead(&mut self, now: Duration) {
        let dead = self.slots.iter().filter(|(_, slot)| !self.actors.is_alive(&slot.address));
        let mut dead: Vec<(Activation, A::Key)> = dead.map(|(key, slot)| (slot.activation, key.clone())).collect();
        // In the order of their lives, so that a run can be repeated.
        dead.sort_unstable_by_key(|(activation, _)| *activation);
        for (activation, key) in dead {
            self.gone(&key, activation, now);
        }
    }

    fn make_room(&mut self, now: Duration) {
        self.fresh = 0;
        let live = self.live();
        let surplus = live.len().saturating_sub(self.room.resident_max);
        let idle = self.room.idle;
        for (place, (used, key)) in live.into_iter().enumerate() {
            if place < surplus || now.saturating_sub(used.0) >= idle {
                self.dismiss(&key);
            }
        }
    }

    /// Those that were not asked to leave, the longest unused first.
    fn live(&self) -> Vec<(Used, A::Key)> {
        let live = self.slots.iter().filter_map(|(key, slot)| match &slot.stay {
            Stay::Live(used) if self.actors.is_alive(&slot.address) => Some((*used, key.clone())),
            Stay::Live(_) | Stay::Leaving(_) => None,
        });
        let mut live: Vec<(Used, A::Key)> = live.collect();
        live.sort_unstable_by_key(|(used, _)| *used);
        live
    }

    /// A full mailbox is not idle after all.
    fn dismiss(&mut self, key: &A::Key) {
        if let Some(Slot { address, stay, .. }) = self.slots.get_mut(key)
            && self.actors.dismiss(address)
        {
            *stay = Stay::Leaving(VecDeque::new());
        }
    }

    /// Asks all to leave that were not asked yet. Commands that waited bring fresh ones, so it is asked until none is left.
    pub(super) fn dismiss_all(&mut self, now: Duration) {
        self.miss_dead(now);
        for (_, key) in self.live() {
            self.dismiss(&key);
        }
    }
}
