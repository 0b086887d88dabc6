//! Wraps the keys of the store anew behind the commands, after a key was added to the ring.
//!
//! It goes in steps that are bounded, and leaves the journal to others between them. Where it is broken off, the next pass
//! goes on: what the newest key has wrapped already is passed over.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use countersign_store::Journal;

use crate::error::Error;

/// How long others have the journal to themselves after a step that wrote something.
const BREATH: Duration = Duration::from_millis(5);
/// How many lines tell the progress of one pass, at most.
const LINES_MAX: u64 = 10;

/// How far the keys of the store are wrapped with the newest key of the ring.
///
/// ```
/// let engine = countersign::Countersign::in_memory(countersign::Config::default())?;
/// assert_eq!(engine.key_rotation(), countersign::KeyRotation::default());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyRotation {
    /// Whether a pass is under way.
    pub running: bool,
    /// Passes that came to their end since the engine was opened.
    pub finished: u64,
    /// Keys that were wrapped anew since the engine was opened.
    pub wrapped: u64,
    /// Slots that the pass under way, or the last one, has looked at.
    pub looked_at: u64,
    /// Slots that there are to look at.
    pub slots: u64,
    /// Why the last pass was broken off, if it was.
    pub failed: Option<String>,
}

#[derive(Debug, Default)]
struct State {
    progress: KeyRotation,
    /// Another key came while a pass was under way: it has to begin again.
    again: bool,
    stop: bool,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Desk {
    state: Mutex<State>,
    rung: Condvar,
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The passes of one engine, of which one is under way at a time. Dropping it ends the one under way after its step.
#[derive(Debug, Default)]
pub(crate) struct Rewrapping(Arc<Desk>);

impl Rewrapping {
    pub(crate) fn progress(&self) -> KeyRotation {
        self.0.state().progress.clone()
    }

    /// Begins a pass, or lets the one under way begin again.
    pub(crate) fn start(&self, journal: Arc<dyn Journal>) -> Result<(), Error> {
        let mut state = self.0.state();
        if state.stop {
            return Err(Error::closed());
        }
        if state.progress.running {
            state.again = true;
            return Ok(());
        }
        let desk = Arc::clone(&self.0);
        let thread = Builder::new().name("countersign-rewrap".to_owned()).spawn(move || run(&*journal, &desk));
        state.thread = Some(thread.map_err(Error::unavailable)?);
        state.progress.running = true;
        Ok(())
    }

    /// Ends the pass under way after its step, and lets none begin.
    pub(crate) fn stop(&self) {
        self.0.state().stop = true;
        self.0.rung.notify_all();
    }
}

impl Drop for Rewrapping {
    fn drop(&mut self) {
        self.stop();
        let thread = self.0.state().thread.take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that wraps keys anew had panicked; no key is lost");
        }
    }
}

fn run(journal: &dyn Journal, desk: &Desk) {
    loop {
        let failed = pass(journal, desk).err();
        let mut state = desk.state();
        let begin_again = std::mem::take(&mut state.again) && failed.is_none() && !state.stop;
        if begin_again {
            continue;
        }
        if let Some(error) = &failed {
            tracing::error!(%error, "the wrapping of keys was broken off; it goes on when it is begun again");
        } else if !state.stop {
            let (wrapped, slots) = (state.progress.wrapped, state.progress.slots);
            tracing::info!(wrapped, slots, "every key is wrapped with the newest key of the ring");
            state.progress.finished += 1;
        }
        state.progress.failed = failed.map(|error| error.to_string());
        state.progress.running = false;
        return;
    }
}

/// Goes through all slots once.
fn pass(journal: &dyn Journal, desk: &Desk) -> Result<(), Error> {
    let (mut next, mut told) = (Some(0), 0);
    while let Some(from) = next {
        if desk.state().stop {
            return Ok(());
        }
        let step = journal.rewrap_keys(from)?;
        next = step.next;
        let mut state = desk.state();
        let progress = &mut state.progress;
        progress.wrapped += step.done;
        progress.slots = step.total;
        progress.looked_at = step.next.unwrap_or(step.total);
        let tenth = progress.looked_at.saturating_mul(LINES_MAX) / step.total.max(1);
        if tenth > told && progress.wrapped > 0 {
            told = tenth;
            let (looked_at, slots, wrapped) = (progress.looked_at, progress.slots, progress.wrapped);
            tracing::info!(looked_at, slots, wrapped, "wrapping keys with the newest key of the ring");
        }
        if step.done > 0 && next.is_some() {
            let waited = desk.rung.wait_timeout_while(state, BREATH, |state| !state.stop);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        }
    }
    Ok(())
}
