//! What the engine needs from outside: the time and randomness. Keys are [`KeyRing`]'s.
//!
//! [`KeyRing`]: countersign_store::KeyRing

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use countersign_domain::ids::UnixMillis;
use tokio::sync::watch;

/// Where the time comes from. Read once per command.
///
/// ```
/// use countersign::{Clock, UnixMillis};
///
/// struct Noon;
/// impl Clock for Noon {
///     fn now(&self) -> UnixMillis { UnixMillis::from_secs(1_700_000_000) }
/// }
/// assert_eq!(Noon.now().secs(), 1_700_000_000);
/// ```
pub trait Clock: Send + Sync + 'static {
    /// The present instant in UTC.
    fn now(&self) -> UnixMillis;

    /// Waits for an instant; ready at once when it is past. Awaited on the engine's own tokio runtime. A clock that does
    /// not go by itself has to say how it is waited for; the given way trusts that it goes as fast as the machine's.
    fn wait_until(&self, until: UnixMillis) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            loop {
                let left_ms = until.0.saturating_sub(self.now().0);
                if left_ms == 0 {
                    break;
                }
                // In short stretches, because the clock may be set.
                tokio::time::sleep(Duration::from_millis(left_ms.min(1000))).await;
            }
        })
    }
}

/// The clock of the machine.
///
/// ```
/// use countersign::{Clock, SystemClock};
/// assert!(SystemClock.now().secs() > 1_700_000_000);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixMillis {
        #[expect(clippy::disallowed_methods, reason = "the one place where the machine's clock is read")]
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// A clock that moves when it is told to: for tests and for simulations.
///
/// ```
/// use countersign::{Clock, ManualClock, UnixMillis};
///
/// let clock = ManualClock::at(UnixMillis::from_secs(1_700_000_000));
/// clock.advance_s(30);
/// assert_eq!(clock.now().secs(), 1_700_000_030);
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<watch::Sender<u64>>);

impl ManualClock {
    /// A clock that stands at an instant.
    #[must_use]
    pub fn at(now: UnixMillis) -> Self {
        Self(Arc::new(watch::channel(now.0).0))
    }

    /// Sets the clock, backwards too.
    pub fn set(&self, now: UnixMillis) {
        self.0.send_replace(now.0);
    }

    /// Moves the clock on by some seconds.
    pub fn advance_s(&self, seconds: u64) {
        self.advance_ms(seconds.saturating_mul(1000));
    }

    /// Moves the clock on by some milliseconds.
    pub fn advance_ms(&self, milliseconds: u64) {
        self.0.send_modify(|now| *now = now.saturating_add(milliseconds));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(*self.0.borrow())
    }

    fn wait_until(&self, until: UnixMillis) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let mut ticks = self.0.subscribe();
        Box::pin(async move {
            // The clock itself holds the sender.
            let _gone = ticks.wait_for(|now| *now >= until.0).await.is_err();
        })
    }
}

/// Where randomness comes from: seeds, and the ids of commands that bring none.
///
/// ```
/// use countersign::{Entropy, SystemEntropy};
///
/// let mut bytes = [0; 40];
/// SystemEntropy.fill(&mut bytes)?;
/// assert_ne!(bytes, [0; 40]);
/// # Ok::<(), countersign::NoEntropy>(())
/// ```
pub trait Entropy: Send + Sync + 'static {
    /// Fills the buffer with unpredictable bytes.
    ///
    /// # Errors
    /// When no randomness can be had; the command then fails and nothing is recorded.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoEntropy>;
}

/// The operating system's random numbers.
///
/// ```
/// use countersign::{Entropy, SystemEntropy};
/// assert!(SystemEntropy.fill(&mut [0; 16]).is_ok());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoEntropy> {
        getrandom::fill(buffer).map_err(|_| NoEntropy)
    }
}

/// No randomness could be had.
///
/// ```
/// assert_eq!(countersign::NoEntropy.to_string(), "no randomness can be had");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoEntropy;

impl fmt::Display for NoEntropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no randomness can be had")
    }
}

impl std::error::Error for NoEntropy {}
