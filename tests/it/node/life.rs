//! One node on one thread: from its start on some medium to its end.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use countersign::store::faults::{Faults, FaultyBackend, Operation};
use countersign::store::{Backend, DataKey, EphemeralKeyRing, Journal, Log, MemoryBackend, Options, Table};
use countersign::*;
use tokio::task::LocalSet;

use super::chance::{Death, NodeClock, NodeEntropy, Shaker, Swarm, Trap, pass_ms};
use super::gate::{Gate, SUBMIT_TIME_MAX};

/// What outlives a node.
#[derive(Clone)]
pub struct World {
    pub medium: MemoryBackend,
    pub ring: Arc<EphemeralKeyRing>,
    pub clock: NodeClock,
    pub dice: Shaker,
    pub gates: [Arc<Gate>; 2],
    /// Mails and calls.
    pub post: Arc<DevelopmentTransports>,
    pub swarm: Swarm,
    pub policy: Policy,
}

/// A node.
pub struct Life {
    tasks: LocalSet,
    pub engine: Countersign,
    pub journal: Arc<dyn Journal>,
    pub faults: Faults,
    pub entropy: Trap,
    pub death: Death,
    image: Arc<Mutex<Option<MemoryBackend>>>,
    /// Somebody looks at it from outside: what that does is not the node's doing.
    pub watched: Arc<AtomicBool>,
}

fn journal(medium: MemoryBackend, ring: &Arc<EphemeralKeyRing>, faults: &Faults) -> Arc<dyn Journal> {
    // Without the thread that works behind the acks.
    let options = Options { maintenance: false, ..Options::default() };
    Arc::new(Log::with_backend(FaultyBackend::new(medium, faults.clone()), ring.clone(), options).unwrap())
}

impl World {
    /// An empty medium, and gateways that work.
    pub fn new(dice: Shaker, swarm: Swarm, policy: Policy) -> Self {
        let clock = NodeClock::new();
        let ring = Arc::new(EphemeralKeyRing::from_key(DataKey::from_bytes([7; 32])).unwrap());
        let gates = ["main", "other"].map(|name| Gate::new(name, &clock, &dice));
        let post = DevelopmentTransports::new(true);
        Self { medium: MemoryBackend::new(), ring, clock, dice, gates, post, swarm, policy }
    }

    fn limits(&self) -> Limits {
        let (mut limits, swarm) = (Limits::default(), &self.swarm);
        limits.sms_wait = Duration::from_millis(300);
        limits.snapshot_every = 3;
        limits.checkpoint_every = 20;
        if swarm.small_mailboxes {
            (limits.mailbox_max, limits.in_flight_max) = (2, 8);
        }
        if swarm.pressure {
            (limits.resident_max, limits.idle) = (1, Duration::from_secs(2));
        }
        if swarm.small_batches {
            limits.batch_max = 1;
        }
        limits
    }

    fn config(&self, transports: Transports, entropy: Trap) -> Config {
        Config {
            policy: self.policy.clone(),
            limits: self.limits(),
            transports,
            clock: Arc::new(self.clock.clone()),
            entropy: Arc::new(NodeEntropy::new(self.dice.roll(), entropy)),
            ..Config::default()
        }
    }

    /// How long the disk takes, each time.
    fn disk(&self) -> Disk {
        let (slow, dice) = (self.swarm.slow_disk, self.dice.clone());
        Disk::new(move || {
            let ms = if slow { dice.pick(&[0, 0, 1, 7, 60, 400]) } else { 0 };
            Box::pin(async move {
                if ms > 0 {
                    pass_ms(ms).await;
                }
            })
        })
    }

    /// Starts a node on what the medium has.
    pub async fn start(&self) -> Life {
        let (faults, death, entropy) = (Faults::new(), Death::default(), Trap::default());
        let journal = journal(self.medium.clone(), &self.ring, &faults);
        let route = |gate: &Arc<Gate>, name: &str| SmsRoute {
            submit_time_max: SUBMIT_TIME_MAX,
            ..SmsRoute::new(name, gate.line(&death))
        };
        let main = SmsRoute { price_micros: 7_000, prefixes: vec!["+1".to_owned()], ..route(&self.gates[0], "main") };
        let other = SmsRoute { price_micros: 11_000, in_flight_max: 1, ..route(&self.gates[1], "other") };
        let transports = Transports { sms: vec![main, other], mail: self.post.clone(), voice: self.post.clone() };
        let config = self.config(transports, entropy.clone());
        let tasks = LocalSet::new();
        let (on, ring, disk) = (Arc::clone(&journal), self.ring.clone(), self.disk());
        let engine = tasks.run_until(async { Countersign::simulated_on(on, ring, config, disk).unwrap() }).await;
        Life { tasks, engine, journal, faults, entropy, death, image: Arc::default(), watched: Arc::default() }
    }

    /// What queries would show if every event were folded anew, off a copy of the medium.
    pub async fn folded_anew(&self, shown: impl Fn(&Countersign) -> String) -> String {
        let copy = self.medium.fork();
        Table::ALL.into_iter().for_each(|table| copy.clear(table).unwrap());
        let journal = journal(copy, &self.ring, &Faults::new());
        let names = ["main", "other"].map(|name| SmsRoute::new(name, DevelopmentTransports::new(false)));
        let transports = Transports { sms: names.to_vec(), ..Transports::default() };
        let config = Config {
            entropy: Arc::new(NodeEntropy::new(0, Trap::default())),
            ..self.config(transports, Trap::default())
        };
        let (ring, disk) = (self.ring.clone(), Disk::new(|| Box::pin(async {})));
        // None of its tasks is ever polled.
        let tasks = LocalSet::new();
        let _inside = tasks.enter();
        shown(&Countersign::simulated_on(journal, ring, config, disk).unwrap())
    }
}

impl Life {
    /// Starts something on the node's thread.
    pub fn spawn<T: 'static>(&self, work: impl Future<Output = T> + 'static) -> tokio::task::JoinHandle<T> {
        self.tasks.spawn_local(work)
    }

    /// Goes on until something came, or the process died.
    pub async fn run<T>(&self, until: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(self.tasks.run_until(until));
        poll_fn(|context| {
            if self.death.is_there() {
                return Poll::Ready(None);
            }
            let polled = work.as_mut().poll(context);
            if self.death.is_there() { Poll::Ready(None) } else { polled.map(Some) }
        })
        .await
    }

    /// From now on the process is dead, and the medium is left as it is now.
    pub fn dies(medium: &MemoryBackend, image: &Mutex<Option<MemoryBackend>>, death: &Death) {
        if !death.is_there() {
            *image.lock().unwrap() = Some(medium.fork());
            death.comes();
        }
    }

    /// The process will die at an operation, unless it did before.
    pub fn dies_at(&self, world: &World, operation: Operation, skip: u32) {
        let (medium, image, death) = (world.medium.clone(), Arc::clone(&self.image), self.death.clone());
        self.faults.call_after(operation, skip, move || Self::dies(&medium, &image, &death));
    }

    /// The process dies now.
    pub fn dies_now(&self, world: &World) {
        Self::dies(&world.medium, &self.image, &self.death);
    }

    /// What a dead process left.
    pub fn left(&self) -> Option<MemoryBackend> {
        self.image.lock().unwrap().take()
    }
}
