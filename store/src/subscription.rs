//! The durable end of the log, and who follows it.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use countersign_domain::ids::Position;

/// The durable end of the log, and who waits for it to move.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    head: Mutex<u64>,
    moved: Condvar,
}

impl Tail {
    pub(crate) fn advance(&self, head: u64) {
        *self.head.lock().unwrap_or_else(PoisonError::into_inner) = head;
        self.moved.notify_all();
    }
}

/// Follows the end of the log.
#[derive(Clone, Debug)]
pub struct Subscription {
    tail: Arc<Tail>,
}

impl Subscription {
    pub(crate) fn new(tail: Arc<Tail>) -> Self {
        Self { tail }
    }

    /// How many entries are durable.
    #[must_use]
    pub fn current(&self) -> Position {
        Position(*self.tail.head.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until more than `after` entries are durable, or until the time is up; returns how many are.
    #[must_use]
    pub fn wait(&self, after: Position, timeout: Duration) -> Position {
        let until = Instant::now().checked_add(timeout);
        let mut head = self.tail.head.lock().unwrap_or_else(PoisonError::into_inner);
        while *head <= after.0 {
            let left = until.map_or(timeout, |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                break;
            }
            head = self.tail.moved.wait_timeout(head, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Position(*head)
    }
}
