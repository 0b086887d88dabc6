//! What happens behind the acks: the high-water mark, signed checkpoints, and index checkpoints.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use countersign_domain::ids::Position;

use super::Inner;
use super::runs::Runs;
use crate::backend::Backend;
use crate::error::{Fault, ReadError};
use crate::limits::{HIGH_WATER_EVERY_MS, INDEX_CHECKPOINT_ENTRIES};

/// Says how far the log is, and how far what is derived from it.
#[derive(Debug)]
pub(super) struct Bell {
    state: Mutex<State>,
    rung: Condvar,
}

#[derive(Clone, Copy, Debug)]
struct State {
    head: u64,
    marked: u64,
    covered: u64,
    stop: bool,
}

impl State {
    const fn index_is_due(&self) -> bool {
        self.head.saturating_sub(self.covered) >= INDEX_CHECKPOINT_ENTRIES
    }
}

impl Bell {
    pub(super) fn new(head: u64, covered: u64) -> Self {
        let state = State { head, marked: 0, covered, stop: false };
        Self { state: Mutex::new(state), rung: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn appended(&self, head: u64) {
        let mut state = self.state();
        state.head = head;
        if state.index_is_due() {
            self.rung.notify_one();
        }
    }

    pub(super) fn covered(&self, position: u64) {
        self.state().covered = position;
    }
}

/// The thread that does it.
pub(super) struct Keeper(JoinHandle<()>);

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keeper")
    }
}

impl Keeper {
    pub(super) fn start<B: Backend>(inner: Weak<Inner<B>>, bell: Arc<Bell>) -> Result<Self, Fault> {
        let thread = std::thread::Builder::new().name("journal-keeper".to_owned());
        let handle = thread.spawn(move || keep(&inner, &bell));
        handle.map(Self).map_err(|cause| Fault::because("the maintenance thread did not start", cause))
    }

    pub(super) fn stop(self, bell: &Bell) {
        bell.state().stop = true;
        bell.rung.notify_one();
        // A panic of the thread was reported by the panic hook; nothing depends on its end.
        let _ = self.0.join();
    }
}

fn keep<B: Backend>(inner: &Weak<Inner<B>>, bell: &Bell) {
    loop {
        let state = {
            let state = bell.state();
            let idle = |state: &mut State| !state.stop && !state.index_is_due();
            let wait = bell.rung.wait_timeout_while(state, Duration::from_millis(HIGH_WATER_EVERY_MS), idle);
            *wait.unwrap_or_else(PoisonError::into_inner).0
        };
        let Some(inner) = inner.upgrade() else { return };
        if state.stop || inner.is_poisoned() {
            return;
        }
        let done = inner.raise_high_water().and_then(|()| inner.sign_growth()).and_then(|()| {
            if state.index_is_due() { inner.checkpoint_index().and_then(|()| inner.checkpoint_tree()) } else { Ok(()) }
        });
        if let Err(cause) = done {
            tracing::error!(%cause, "maintenance stopped");
            inner.poison();
            return;
        }
    }
}

impl<B: Backend> Inner<B> {
    pub(super) fn deriving(&self) -> MutexGuard<'_, ()> {
        self.deriving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes on the outcome of a write; a failed one poisons the journal, since what the medium
    /// has after it is not known.
    pub(super) fn written<T>(&self, outcome: Result<T, Fault>) -> Result<T, ReadError> {
        outcome.map_err(|fault| {
            self.poison();
            fault.into()
        })
    }

    pub(super) fn raise_high_water(&self) -> Result<(), ReadError> {
        let (head, marked) = (self.head().0, self.bell.state().marked);
        if head > marked {
            self.written(self.backend.raise_high_water(head))?;
            self.bell.state().marked = head;
        }
        Ok(())
    }

    /// Writes the rows touched since the last time as a sorted run.
    pub(super) fn checkpoint_index(&self) -> Result<(), ReadError> {
        let _deriving = self.deriving();
        let (rows, runs, position, leaf) = {
            let mut shared = self.shared_mut();
            if self.read_only || self.is_poisoned() || shared.index.runs().position == self.head().0 {
                return Ok(());
            }
            let rows = shared.index.start_writing();
            (rows, shared.index.runs(), self.head(), shared.last_leaf)
        };
        let written = runs.write(&self.backend, &rows, position, leaf);
        let (next, dead) = written.inspect_err(|_| self.poison())?;
        let forgotten = self.shared_mut().index.done_writing(next);
        drop(forgotten);
        self.bell.covered(position.0);
        // Only now: until a moment ago, a reader found its way into them.
        self.written(Runs::remove(&self.backend, &dead))?;
        tracing::debug!(position = position.0, rows = rows.len(), "wrote the stream index");
        Ok(())
    }

    /// Makes sure that derived data may be written at all.
    pub(super) fn check_writable(&self) -> Result<(), ReadError> {
        if self.read_only {
            return Err(ReadError::Derived("the journal was opened for reading only"));
        }
        if self.is_poisoned() {
            return Err(ReadError::Derived("an earlier write failed, so nothing derived is written"));
        }
        Ok(())
    }

    /// Makes sure that a position is one that derived data may claim.
    pub(super) fn check_claim(&self, position: Position) -> Result<(), ReadError> {
        if position > self.head() {
            return Err(ReadError::Derived("it claims entries that the log does not have"));
        }
        Ok(())
    }
}
