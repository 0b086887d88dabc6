//! A clock that stands still, and knows until when it is waited for.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use countersign::{Clock, ManualClock, UnixMillis};

/// A [`ManualClock`] with a list of those who wait for it.
#[derive(Debug)]
pub struct Watched {
    pub hands: ManualClock,
    waits: Mutex<BTreeMap<u64, UnixMillis>>,
    /// Waits that were begun or ended, each once.
    changes: AtomicU64,
}

impl Watched {
    pub fn at(now: UnixMillis) -> Arc<Self> {
        Arc::new(Self { hands: ManualClock::at(now), waits: Mutex::default(), changes: AtomicU64::new(0) })
    }

    /// The first instant to come that somebody waits for.
    pub fn next_wake(&self) -> Option<UnixMillis> {
        let now = self.hands.now();
        self.waits.lock().unwrap().values().copied().filter(|until| *until > now).min()
    }

    /// Moves whenever somebody begins or ends to wait.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }
}

impl Clock for Watched {
    fn now(&self) -> UnixMillis {
        self.hands.now()
    }

    fn wait_until(&self, until: UnixMillis) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            let _wait = Wait::begin(self, until);
            self.hands.wait_until(until).await;
        })
    }
}

struct Wait<'a> {
    clock: &'a Watched,
    id: u64,
}

impl<'a> Wait<'a> {
    fn begin(clock: &'a Watched, until: UnixMillis) -> Self {
        let id = clock.changes.fetch_add(1, Ordering::SeqCst);
        clock.waits.lock().unwrap().insert(id, until);
        Self { clock, id }
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.clock.waits.lock().unwrap().remove(&self.id);
        self.clock.changes.fetch_add(1, Ordering::SeqCst);
    }
}
