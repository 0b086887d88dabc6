//! A clock that stands still, and knows until when it is waited for.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::{Clock, ManualClock, UnixMillis};

/// A clock that stands still until a test moves it, and knows what it is waited for.
///
/// The engine waits for its clock between two tries to send a code, for a circuit that is open, for a gateway that does
/// not answer: [`Self::next_wake`] says when the first of these wakes. What ends without anybody waiting for it, such as
/// a lock or a code, is said in answers (`until`, `again_at`): [`Self::note`] keeps it. [`Self::jump`] goes to the first of
/// both.
///
/// ```
/// use countersign::testing::VirtualClock;
/// use countersign::{Clock, UnixMillis};
///
/// let clock = VirtualClock::at(UnixMillis::from_secs(1_700_000_000));
/// clock.advance_s(30);
/// assert_eq!(clock.now().secs(), 1_700_000_030);
/// assert_eq!(clock.jump(), None, "nobody waits");
/// ```
#[derive(Debug)]
pub struct VirtualClock {
    hands: ManualClock,
    waits: Mutex<BTreeMap<u64, UnixMillis>>,
    noted: Mutex<BTreeSet<UnixMillis>>,
    /// Waits that were begun or ended, each once.
    changes: AtomicU64,
}

impl VirtualClock {
    /// A clock that stands at an instant.
    ///
    /// ```
    /// # use countersign::{Clock, UnixMillis, testing::VirtualClock};
    /// assert_eq!(VirtualClock::at(UnixMillis(5)).now(), UnixMillis(5));
    /// ```
    #[must_use]
    pub fn at(now: UnixMillis) -> Arc<Self> {
        Arc::new(Self {
            hands: ManualClock::at(now),
            waits: Mutex::default(),
            noted: Mutex::default(),
            changes: AtomicU64::new(0),
        })
    }

    /// The hands of the clock: who moves them moves the clock.
    ///
    /// ```
    /// # use countersign::{Clock, UnixMillis, testing::VirtualClock};
    /// let clock = VirtualClock::at(UnixMillis(5));
    /// clock.hands().advance_ms(1);
    /// assert_eq!(clock.now(), UnixMillis(6));
    /// ```
    #[must_use]
    pub const fn hands(&self) -> &ManualClock {
        &self.hands
    }

    /// Sets the clock, backwards too.
    ///
    /// ```
    /// # use countersign::{Clock, UnixMillis, testing::VirtualClock};
    /// let clock = VirtualClock::at(UnixMillis(5));
    /// clock.set(UnixMillis(2));
    /// assert_eq!(clock.now(), UnixMillis(2));
    /// ```
    pub fn set(&self, now: UnixMillis) {
        self.hands.set(now);
    }

    /// Moves the clock on by some seconds.
    ///
    /// ```
    /// # use countersign::{Clock, UnixMillis, testing::VirtualClock};
    /// let clock = VirtualClock::at(UnixMillis(0));
    /// clock.advance_s(2);
    /// assert_eq!(clock.now(), UnixMillis(2000));
    /// ```
    pub fn advance_s(&self, seconds: u64) {
        self.hands.advance_s(seconds);
    }

    /// Moves the clock on by some milliseconds.
    ///
    /// ```
    /// # use countersign::{Clock, UnixMillis, testing::VirtualClock};
    /// let clock = VirtualClock::at(UnixMillis(0));
    /// clock.advance_ms(2);
    /// assert_eq!(clock.now(), UnixMillis(2));
    /// ```
    pub fn advance_ms(&self, milliseconds: u64) {
        self.hands.advance_ms(milliseconds);
    }

    /// The first instant to come that somebody waits for.
    ///
    /// ```
    /// # use countersign::{UnixMillis, testing::VirtualClock};
    /// assert_eq!(VirtualClock::at(UnixMillis(5)).next_wake(), None);
    /// ```
    #[must_use]
    pub fn next_wake(&self) -> Option<UnixMillis> {
        let now = self.hands.now();
        self.waits().values().copied().filter(|until| *until > now).min()
    }

    /// Keeps an instant at which something ends or may be done again; instants that are past are forgotten.
    ///
    /// ```
    /// # use countersign::{UnixMillis, testing::VirtualClock};
    /// let clock = VirtualClock::at(UnixMillis(5));
    /// clock.note(UnixMillis(4));
    /// assert_eq!(clock.next_deadline(), None);
    /// clock.note(UnixMillis(9));
    /// assert_eq!(clock.next_deadline(), Some(UnixMillis(9)));
    /// ```
    pub fn note(&self, at: UnixMillis) {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).insert(at);
    }

    /// The first instant to come that somebody waits for, or that was noted.
    ///
    /// ```
    /// # use countersign::{UnixMillis, testing::VirtualClock};
    /// assert_eq!(VirtualClock::at(UnixMillis(5)).next_deadline(), None);
    /// ```
    #[must_use]
    pub fn next_deadline(&self) -> Option<UnixMillis> {
        let (now, wake) = (self.hands.now(), self.next_wake());
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        noted.retain(|at| *at > now);
        noted.first().copied().into_iter().chain(wake).min()
    }

    /// Goes to the next deadline, and says which it was; stays where it is if there is none.
    ///
    /// ```
    /// use std::task::{Context, Waker};
    /// use countersign::testing::VirtualClock;
    /// use countersign::{Clock, UnixMillis};
    ///
    /// let clock = VirtualClock::at(UnixMillis(5));
    /// let mut waiting = clock.wait_until(UnixMillis(9));
    /// let mut context = Context::from_waker(Waker::noop());
    /// assert!(waiting.as_mut().poll(&mut context).is_pending());
    /// clock.note(UnixMillis(7));
    /// assert_eq!(clock.jump(), Some(UnixMillis(7)));
    /// assert_eq!(clock.jump(), Some(UnixMillis(9)));
    /// assert!(waiting.as_mut().poll(&mut context).is_ready());
    /// ```
    pub fn jump(&self) -> Option<UnixMillis> {
        let next = self.next_deadline()?;
        self.hands.set(next);
        Some(next)
    }

    /// A number that grows whenever somebody begins or ends to wait: while it stands still, and nothing else goes on,
    /// everybody is where only the clock can move them.
    ///
    /// ```
    /// # use countersign::{UnixMillis, testing::VirtualClock};
    /// assert_eq!(VirtualClock::at(UnixMillis(5)).changes(), 0);
    /// ```
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    fn waits(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, UnixMillis>> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for VirtualClock {
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
    clock: &'a VirtualClock,
    id: u64,
}

impl<'a> Wait<'a> {
    fn begin(clock: &'a VirtualClock, until: UnixMillis) -> Self {
        let id = clock.changes.fetch_add(1, Ordering::SeqCst);
        clock.waits().insert(id, until);
        Self { clock, id }
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.clock.waits().remove(&self.id);
        self.clock.changes.fetch_add(1, Ordering::SeqCst);
    }
}
