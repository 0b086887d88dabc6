//! The registry: which principals are in memory, and the way of a command to its actor.
//!
//! It runs on the actors' thread and alone holds their addresses. An actor that panicked is noticed by
//! its dead address, and a fresh one is activated from the log. An actor that was idle too long, or is
//! one too many, is asked to leave; commands that come meanwhile wait for the next one, so that there
//! are never two actors of one principal.

mod roster;

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::error::Error;
use crate::resident::{Core, Goodbye, Job, Passivate, Resident};
use crate::shared::Shared;
use roster::{Activation, Actors, Room, Roster, Undelivered};

#[cfg(test)]
mod checked;

/// Commands that are taken from the queue at once.
const TAKE_MAX: usize = 256;

/// How long the registry waits for its actors to leave when the engine closes.
const LEAVE_MAX: Duration = Duration::from_secs(10);

/// How often it asks those again whose mailbox was full.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// The actors of one kind.
struct Residents<C: Core> {
    shared: Arc<Shared>,
    gone: mpsc::UnboundedSender<Goodbye<C::Key>>,
}

impl<C: Core> Actors for Residents<C> {
    type Key = C::Key;
    type Job = Job<C>;
    type Address = Addr<Resident<C>>;

    fn key(job: &Job<C>) -> &C::Key {
        &job.key
    }

    fn activate(&mut self, key: &C::Key, activation: Activation) -> Self::Address {
        let goodbye = Goodbye { key: key.clone(), activation };
        Resident::activate(Arc::clone(&self.shared), goodbye, self.gone.clone())
    }

    fn deliver(&mut self, address: &Self::Address, job: Job<C>) -> Result<(), Undelivered<Job<C>>> {
        address.try_send(job).map_err(|undelivered| match undelivered {
            SendError::Full(job) => Undelivered::Full(job),
            SendError::Closed(job) => Undelivered::Dead(job),
        })
    }

    fn dismiss(&mut self, address: &Self::Address) -> bool {
        address.try_send(Passivate).is_ok()
    }

    fn is_alive(&self, address: &Self::Address) -> bool {
        address.connected()
    }

    fn refuse(&mut self, job: Job<C>) {
        job.refuse(Error::busy());
    }
}

/// Takes commands until the engine stops, then lets every actor leave.
pub(crate) async fn serve<C: Core>(
    shared: Arc<Shared>,
    mut jobs: mpsc::Receiver<Job<C>>,
    mut stop: watch::Receiver<bool>,
) {
    let (gone, mut left) = mpsc::unbounded_channel();
    let (begun, limits) = (Instant::now(), shared.limits);
    let room = Room { resident_max: limits.resident_max, waiting_max: limits.mailbox_max, idle: limits.idle };
    let mut roster = Roster::new(Residents::<C> { shared, gone }, room);
    let mut sweep = tokio::time::interval((limits.idle / 4).max(Duration::from_millis(10)));
    let mut taken = Vec::with_capacity(TAKE_MAX);
    loop {
        // In this order, so that a run can be repeated; what comes first is rare.
        tokio::select! {
            biased;
            Some(goodbye) = left.recv() => roster.gone(&goodbye.key, goodbye.activation, begun.elapsed()),
            _ = sweep.tick() => roster.sweep(begun.elapsed()),
            count = jobs.recv_many(&mut taken, TAKE_MAX) => {
                if count == 0 {
                    break;
                }
                let now = begun.elapsed();
                for job in taken.drain(..) {
                    roster.dispatch(job, now);
                }
            }
            _ = stop.changed() => jobs.close(),
        }
    }
    let until = begun.elapsed() + LEAVE_MAX;
    roster.dismiss_all(begun.elapsed());
    while !roster.is_empty() && begun.elapsed() < until {
        if let Ok(Some(goodbye)) = tokio::time::timeout(ASK_EVERY, left.recv()).await {
            roster.gone(&goodbye.key, goodbye.activation, begun.elapsed());
        }
        roster.dismiss_all(begun.elapsed());
    }
}
