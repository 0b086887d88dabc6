//! The registry: which principals are in memory, and the way of a command to its actor.
//!
//! It runs on the actors' thread and alone holds their addresses. An actor that panicked is noticed by
//! its dead address, and a fresh one is activated from the log. An actor that was idle too long, or is
//! one too many, is asked to leave; commands that come meanwhile wait for the next one, so that there
//! are never two actors of one principal.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::error::Error;
use crate::resident::{Core, Job, Passivate, Resident};
use crate::shared::Shared;

/// Commands that are taken from the queue at once.
const TAKE_MAX: usize = 256;

/// How long the registry waits for its actors to leave when the engine closes.
const LEAVE_MAX: Duration = Duration::from_secs(10);

enum Slot<C: Core> {
    Live { address: Addr<Resident<C>>, used: Used },
    Leaving { address: Addr<Resident<C>>, waiting: VecDeque<Job<C>> },
}

/// When an actor was asked last, and which question of all that was.
type Used = (Instant, u64);

/// The registry of one kind of actor.
pub(crate) struct Registry<C: Core> {
    shared: Arc<Shared>,
    slots: HashMap<C::Key, Slot<C>, foldhash::fast::RandomState>,
    activated: usize,
    /// Commands that came.
    commands: u64,
    gone: mpsc::UnboundedSender<C::Key>,
}

/// Takes commands until the engine stops, then lets every actor leave.
pub(crate) async fn serve<C: Core>(
    shared: Arc<Shared>,
    mut jobs: mpsc::Receiver<Job<C>>,
    mut stop: watch::Receiver<bool>,
) {
    let (gone, mut left) = mpsc::unbounded_channel();
    let idle = shared.limits.idle;
    let mut registry = Registry { shared, slots: HashMap::default(), activated: 0, commands: 0, gone };
    let mut sweep = tokio::time::interval((idle / 4).max(Duration::from_millis(10)));
    let mut taken = Vec::with_capacity(TAKE_MAX);
    loop {
        // In this order, so that a run can be repeated; what comes first is rare.
        tokio::select! {
            biased;
            Some(key) = left.recv() => registry.forget(&key),
            _ = sweep.tick() => registry.sweep(Instant::now()),
            count = jobs.recv_many(&mut taken, TAKE_MAX) => {
                if count == 0 {
                    break;
                }
                let now = Instant::now();
                for job in taken.drain(..) {
                    registry.dispatch(job, now);
                }
            }
            _ = stop.changed() => jobs.close(),
        }
    }
    registry.leave_all();
    let until = Instant::now() + LEAVE_MAX;
    while !registry.slots.is_empty() {
        match tokio::time::timeout_at(until, left.recv()).await {
            Ok(Some(key)) => registry.forget(&key),
            Ok(None) | Err(_) => break,
        }
    }
}

impl<C: Core> Registry<C> {
    fn dispatch(&mut self, job: Job<C>, now: Instant) {
        self.commands += 1;
        let closed = match self.slots.get_mut(&job.key) {
            Some(Slot::Leaving { waiting, .. }) => {
                if waiting.len() < self.shared.limits.mailbox_max {
                    waiting.push_back(job);
                } else {
                    job.refuse(Error::busy());
                }
                return;
            }
            Some(Slot::Live { address, used }) => {
                *used = (now, self.commands);
                match address.try_send(job) {
                    Ok(()) => return,
                    Err(SendError::Full(job)) => return job.refuse(Error::busy()),
                    Err(SendError::Closed(job)) => job,
                }
            }
            None => job,
        };
        self.activate(closed, now);
    }

    fn activate(&mut self, job: Job<C>, now: Instant) {
        // A burst of new principals does not wait for the next sweep to make room.
        self.activated += 1;
        let room = self.shared.limits.resident_max;
        if self.slots.len() >= room && self.activated > room / 8 {
            self.sweep(now);
        }
        let key = job.key.clone();
        let address = Resident::<C>::activate(Arc::clone(&self.shared), key.clone(), self.gone.clone());
        match address.try_send(job) {
            Ok(()) => {
                self.slots.insert(key, Slot::Live { address, used: (now, self.commands) });
            }
            Err(SendError::Full(job) | SendError::Closed(job)) => job.refuse(Error::busy()),
        }
    }

    /// An actor left, and another one may take the commands that waited.
    fn forget(&mut self, key: &C::Key) {
        match self.slots.get(key) {
            Some(Slot::Live { address, .. }) if address.connected() => {}
            Some(Slot::Live { .. }) => {
                self.slots.remove(key);
            }
            Some(Slot::Leaving { .. }) => {
                let Some(Slot::Leaving { waiting, .. }) = self.slots.remove(key) else { return };
                let now = Instant::now();
                for job in waiting {
                    self.dispatch(job, now);
                }
            }
            None => {}
        }
    }

    fn sweep(&mut self, now: Instant) {
        self.activated = 0;
        let limits = self.shared.limits;
        let mut dead = Vec::new();
        let mut live: Vec<(Used, C::Key)> = Vec::new();
        for (key, slot) in &self.slots {
            match slot {
                Slot::Live { address, used } if address.connected() => live.push((*used, key.clone())),
                Slot::Leaving { address, .. } if address.connected() => {}
                Slot::Live { .. } | Slot::Leaving { .. } => dead.push(key.clone()),
            }
        }
        for key in dead {
            self.forget(&key);
        }
        live.sort_unstable_by_key(|(used, _)| *used);
        let surplus = live.len().saturating_sub(limits.resident_max);
        let old = |used: Used| now.saturating_duration_since(used.0) >= limits.idle;
        for (place, (used, key)) in live.into_iter().enumerate() {
            if place < surplus || old(used) {
                self.leave(key);
            }
        }
    }

    fn leave(&mut self, key: C::Key) {
        let Some(Slot::Live { address, used }) = self.slots.remove(&key) else { return };
        // A full mailbox is not idle after all.
        let slot = match address.try_send(Passivate) {
            Ok(()) => Slot::Leaving { address, waiting: VecDeque::new() },
            Err(_) => Slot::Live { address, used },
        };
        self.slots.insert(key, slot);
    }

    fn leave_all(&mut self) {
        self.slots.retain(|_, slot| matches!(slot, Slot::Live { address, .. } if address.connected()));
        let live = self.slots.iter().filter_map(|(key, slot)| match slot {
            Slot::Live { used, .. } => Some((used.1, key.clone())),
            Slot::Leaving { .. } => None,
        });
        let mut keys: Vec<(u64, C::Key)> = live.collect();
        keys.sort_unstable_by_key(|(used, _)| *used);
        for (_, key) in keys {
            self.leave(key);
        }
    }
}
