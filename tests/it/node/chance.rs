//! What a seed decides: the dice, what may go wrong in a run, and time that goes by itself.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign::{Clock, Entropy, NoEntropy, UnixMillis};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::support::START_S;
use countersign::testing::Dice;

/// Dice that several parts of a run throw, each in its turn.
#[derive(Clone)]
pub struct Shaker(Arc<Mutex<Dice>>);

impl Shaker {
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Dice::new(seed))))
    }

    pub fn below(&self, end: u64) -> u64 {
        self.0.lock().unwrap().below(end)
    }

    pub fn pick<T: Copy>(&self, from: &[T]) -> T {
        self.0.lock().unwrap().pick(from)
    }

    pub fn one_in(&self, many: u64) -> bool {
        self.0.lock().unwrap().one_in(many)
    }

    pub fn roll(&self) -> u64 {
        self.0.lock().unwrap().roll()
    }
}

/// What may go wrong in a run. Each seed has some of it, because faults hide one another.
#[derive(Clone, Debug, Default)]
pub struct Swarm {
    pub commit_fails: bool,
    pub crashes: bool,
    pub restarts: bool,
    pub clock_jumps: bool,
    pub slow_disk: bool,
    pub leaving: bool,
    pub panics: bool,
    pub bad_gateways: bool,
    pub small_mailboxes: bool,
    pub pressure: bool,
    pub small_batches: bool,
    pub read_fails: bool,
    pub many_devices: bool,
    // What people do in it.
    pub texts: bool,
    pub keys: bool,
    pub recovery: bool,
    pub removals: bool,
}

impl Swarm {
    pub fn of(dice: &Shaker) -> Self {
        let some = || dice.one_in(2);
        Self {
            commit_fails: some(),
            crashes: some(),
            restarts: some(),
            clock_jumps: some(),
            slow_disk: some(),
            leaving: some(),
            panics: some(),
            bad_gateways: some(),
            small_mailboxes: some(),
            pressure: some(),
            small_batches: some(),
            read_fails: some(),
            many_devices: some(),
            texts: !dice.one_in(4),
            keys: some(),
            recovery: some(),
            removals: some(),
        }
    }
}

/// Lets simulated time pass.
pub async fn pass_ms(ms: u64) {
    let _over = tokio::time::timeout(Duration::from_millis(ms), pending::<()>()).await.is_err();
}

/// A call that panics when the count that was set comes to its end.
#[derive(Clone, Default)]
pub struct Trap(Arc<AtomicI64>);

impl Trap {
    pub fn set(&self, calls: i64) {
        self.0.store(calls, Ordering::SeqCst);
    }

    /// Takes the trap away, and says how many calls were left.
    pub fn lift(&self) -> i64 {
        self.0.swap(0, Ordering::SeqCst)
    }

    fn pass(&self) {
        let before = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| (left > 0).then(|| left - 1));
        assert_ne!(before, Ok(1), "a planted panic");
    }
}

/// The clock of the node: simulated time, and how far it was set wrong.
#[derive(Clone)]
pub struct NodeClock {
    begun: Instant,
    set_ms: Arc<AtomicI64>,
    /// Wakes those who wait in the order in which they began to, which a watch channel does not.
    set: Arc<Notify>,
    pub trap: Trap,
}

impl NodeClock {
    pub fn new() -> Self {
        Self { begun: Instant::now(), set_ms: Arc::default(), set: Arc::default(), trap: Trap::default() }
    }

    /// Sets the clock forwards or backwards.
    pub fn jump_ms(&self, ms: i64) {
        self.set_ms.fetch_add(ms, Ordering::SeqCst);
        self.set.notify_waiters();
    }

    /// The time, for those who are not the node.
    pub fn read(&self) -> UnixMillis {
        let passed = i64::try_from(self.begun.elapsed().as_millis()).unwrap();
        let now = i64::try_from(START_S * 1000).unwrap() + passed + self.set_ms.load(Ordering::SeqCst);
        UnixMillis(u64::try_from(now).unwrap())
    }
}

impl Clock for NodeClock {
    fn now(&self) -> UnixMillis {
        self.trap.pass();
        self.read()
    }

    fn wait_until(&self, until: UnixMillis) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            loop {
                let left_ms = until.0.saturating_sub(self.read().0).min(86_400_000);
                if left_ms == 0 {
                    return;
                }
                let _either = tokio::time::timeout(Duration::from_millis(left_ms), self.set.notified()).await.is_err();
            }
        })
    }
}

/// Randomness that a seed stands for.
pub struct NodeEntropy {
    dice: Shaker,
    pub trap: Trap,
}

impl NodeEntropy {
    pub fn new(seed: u64, trap: Trap) -> Self {
        Self { dice: Shaker::new(seed), trap }
    }
}

impl Entropy for NodeEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoEntropy> {
        self.trap.pass();
        for some in buffer.chunks_mut(8) {
            some.copy_from_slice(&self.dice.roll().to_le_bytes()[..some.len()]);
        }
        Ok(())
    }
}

/// Whether the process is dead: what it still does is not seen by anybody.
#[derive(Clone, Default)]
pub struct Death(Arc<AtomicBool>);

impl Death {
    pub fn comes(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub fn is_there(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
