//! Every command of a long life, interrupted at everything it does: by a panic in what the engine is given, and by a crash
//! that leaves the medium as it is at that moment. A client tries again under the same id, and it is done once.

mod life;

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use countersign::store::faults::{Faults, FaultyBackend, Operation};
use countersign::store::{EphemeralKeyRing, Log, MemoryBackend, Options};
use countersign::*;

use crate::support::{Phone, START_S, World, narrow, operator};
use life::{Client, LIFE, Step, at_step, take, take_later};

/// A call that the engine makes of the host; it panics when the count that was set comes to its end.
#[derive(Clone, Default)]
struct Trap(Arc<AtomicI64>);

impl Trap {
    fn set(&self, calls: i64) {
        self.0.store(calls, Ordering::SeqCst);
    }

    /// Takes the trap away, and says whether it was still set.
    fn lift(&self) -> bool {
        self.0.swap(0, Ordering::SeqCst) > 0
    }

    fn pass(&self) {
        let before = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| (left > 0).then(|| left - 1));
        assert_ne!(before, Ok(1), "a planted panic");
    }
}

struct TrappedClock(ManualClock, Trap);

impl Clock for TrappedClock {
    fn now(&self) -> UnixMillis {
        self.1.pass();
        self.0.now()
    }

    fn wait_until(&self, until: UnixMillis) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.0.wait_until(until)
    }
}

struct TrappedEntropy(Trap);

impl Entropy for TrappedEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoEntropy> {
        self.0.pass();
        SystemEntropy.fill(buffer)
    }
}

/// Runs something that may panic; `None` when it did.
async fn caught<T>(work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let polled = poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(value)) => Poll::Ready(Some(value)),
        Err(_) => Poll::Ready(None),
    });
    tokio::time::timeout(Duration::from_secs(20), polled).await.expect("an answer comes, whatever happened")
}

/// What outlives an engine.
struct Host {
    medium: MemoryBackend,
    ring: Arc<EphemeralKeyRing>,
    faults: Faults,
    clock: Trap,
    entropy: Trap,
}

impl Host {
    fn new() -> Self {
        Self::on(MemoryBackend::new(), Arc::new(EphemeralKeyRing::new().unwrap()))
    }

    fn on(medium: MemoryBackend, ring: Arc<EphemeralKeyRing>) -> Self {
        Self { medium, ring, faults: Faults::new(), clock: Trap::default(), entropy: Trap::default() }
    }

    async fn world(&self) -> World {
        let backend = FaultyBackend::new(self.medium.clone(), self.faults.clone());
        let journal = Arc::new(Log::with_backend(backend, self.ring.clone(), Options::default()).unwrap());
        let (clock, outbox) = (ManualClock::at(UnixMillis::from_secs(START_S)), DevelopmentTransports::new(true));
        let config = Config {
            policy: narrow(Policy::classic()),
            transports: Transports::development(&outbox),
            clock: Arc::new(TrappedClock(clock.clone(), self.clock.clone())),
            entropy: Arc::new(TrappedEntropy(self.entropy.clone())),
            limits: Limits { sms_wait: Duration::from_millis(300), ..Limits::default() },
            ..Config::default()
        };
        World::set_up(journal, self.ring.clone(), clock, outbox, config).await
    }
}

/// What queries show, but for what is random.
fn shown(world: &World) -> String {
    let users = world.engine.users(world.account, None, 100);
    let lines = users.iter().map(|user| {
        let of = world.engine.devices(&user.id);
        let devices = of.iter().map(|device| (device.kind, device.enabled_at.is_some(), device.last_used_at.is_some()));
        format!("{} {:?}\n", user.name.as_str(), devices.collect::<Vec<_>>())
    });
    let spare = world.engine.virtual_devices(world.account, Assignment::Any, None, 100).len();
    let account = world.engine.account(world.account);
    let records = world.engine.read_records("directory", 0, 100).unwrap().len();
    format!("{}{spare} {account:?} {records}", lines.collect::<String>())
}

/// A moment of an undisturbed life: what the medium has, what the client knows, and what queries show.
struct Stage {
    medium: MemoryBackend,
    client: Client,
    shown: String,
}

/// The life as it is without interruptions: before its first step, and after each.
async fn undisturbed(host: &Host) -> (Vec<Stage>, Phone) {
    let world = host.world().await;
    // Somebody else, who has nothing to do with it.
    let (_, phone) = world.equipped("mia").await;
    let (mut client, mut stages) = (Client::default(), Vec::new());
    let stage = |world: &World, client: &Client| Stage {
        medium: host.medium.fork(),
        client: client.clone(),
        shown: shown(world),
    };
    stages.push(stage(&world, &client));
    for number in 0..LIFE.len() {
        take(&world, &mut client, number).await.unwrap();
        stages.push(stage(&world, &client));
    }
    (stages, phone)
}

/// Somebody else signs in as ever, and what queries show is what they show without interruptions; also after a restart.
async fn all_is_well(host: &Host, world: World, expected: &str, mia: &Phone, place: &str) {
    assert_eq!(shown(&world), expected, "{place}");
    let proof = world.sts(&world.principal("mia"), mia, world.now()).await;
    assert!(proof.unwrap().is_accepted(), "{place}");
    let expected = shown(&world);
    world.engine.close().await.unwrap_or_else(|error| panic!("{place}: {error}"));
    drop(world);
    assert_eq!(shown(&host.world().await), expected, "{place}");
}

/// Whether the engine takes nothing more: asked with a record of the host's, which the writer has to write.
async fn is_stopped(world: &World) -> bool {
    world.engine.append_record(operator(), "probe", None, 1, vec![]).await.is_err()
}

/// Tries a step again, as a client that knows what it knew before. Another code costs money, and a sender that was cut off
/// takes a moment: for that he waits (A15).
async fn again(world: &World, stage: &Stage, number: usize, place: &str) {
    let sends = matches!(LIFE[number], Step::BeginSms | Step::SendCode);
    for later in [0, 40, 80, 120] {
        let tried = caught(take_later(world, &mut stage.client.clone(), (number, later))).await;
        if tried == Some(Ok(())) {
            return;
        }
        assert!(sends && later < 120, "{place}: {tried:?}");
    }
}

#[tokio::test]
async fn after_a_panic_in_any_handler_each_principal_answers_its_next_command() {
    type Set = fn(&Host, i64);
    type Lift = fn(&Host) -> bool;
    let ports: [(&str, Set, Lift); 3] = [
        ("clock", |host, calls| host.clock.set(calls), |host| host.clock.lift()),
        ("entropy", |host, calls| host.entropy.set(calls), |host| host.entropy.lift()),
        (
            "medium",
            |host, calls| host.faults.call_after(Operation::Read, calls as u32 - 1, || panic!("a planted panic")),
            |host| host.faults.clear() > 0,
        ),
    ];
    let host = Host::new();
    let (stages, mia) = undisturbed(&host).await;
    let (mut planted, mut stopped) = ([0; 3], 0);
    for number in 0..LIFE.len() {
        for (port, (called, set, lift)) in ports.iter().enumerate() {
            for calls in 1.. {
                let place = format!("{:?}, call {calls} of the {called}", LIFE[number]);
                let host = Host::on(stages[number].medium.fork(), host.ring.clone());
                let world = host.world().await;
                world.clock.set(UnixMillis::from_secs(at_step(number)));
                set(&host, calls);
                let outcome = caught(take(&world, &mut stages[number].client.clone(), number)).await;
                if lift(&host) {
                    assert_eq!(outcome, Some(Ok(())), "{place}");
                    break;
                }
                planted[port] += 1;
                let world = if is_stopped(&world).await {
                    // A medium that panics under the writer ends the engine, which says so, and refuses to guess.
                    assert_eq!(*called, "medium", "{place}");
                    let told = async {
                        while world.engine.is_ready() {
                            tokio::task::yield_now().await;
                        }
                    };
                    tokio::time::timeout(Duration::from_secs(20), told).await.expect("a probe tells it");
                    stopped += 1;
                    drop(world);
                    host.world().await
                } else {
                    world
                };
                again(&world, &stages[number], number, &place).await;
                all_is_well(&host, world, &stages[number + 1].shown, &mia, &place).await;
            }
        }
    }
    assert!(stopped < LIFE.len(), "{stopped}");
    assert!(planted[0] > 2 * LIFE.len() && planted[1] > 5 && planted[2] > LIFE.len(), "{planted:?}");
}

#[tokio::test]
async fn after_a_crash_at_any_write_the_same_command_is_done_once() {
    let host = Host::new();
    let (stages, mia) = undisturbed(&host).await;
    let writes = [
        Operation::Commit,
        Operation::CommitAfterWriting,
        Operation::Put,
        Operation::Sync,
        Operation::PutSlots,
        Operation::RaiseHighWater,
        Operation::ReplaceDocument,
        Operation::ReplaceDocumentAfterWriting,
    ];
    let mut crashes = 0;
    for number in 0..LIFE.len() {
        for operation in writes {
            for skip in 0.. {
                let place = format!("{:?}, {operation:?} {skip}", LIFE[number]);
                let before = Host::on(stages[number].medium.fork(), host.ring.clone());
                let world = before.world().await;
                let left: Arc<Mutex<Option<MemoryBackend>>> = Arc::default();
                let (medium, image) = (before.medium.clone(), Arc::clone(&left));
                before.faults.call_after(operation, skip, move || *image.lock().unwrap() = Some(medium.fork()));
                again(&world, &stages[number], number, &place).await;
                let Some(image) = left.lock().unwrap().take() else { break };
                crashes += 1;
                drop(world);
                let after = Host::on(image, host.ring.clone());
                let world = after.world().await;
                again(&world, &stages[number], number, &place).await;
                all_is_well(&after, world, &stages[number + 1].shown, &mia, &place).await;
            }
        }
    }
    assert!(crashes > 2 * LIFE.len(), "{crashes}");
}

#[tokio::test]
async fn a_command_that_nobody_waits_for_any_more_is_done_once_wherever_it_was_left() {
    let host = Host::new();
    let (stages, mia) = undisturbed(&host).await;
    for number in 0..LIFE.len() {
        for polls in 0.. {
            let place = format!("{:?}, left after {polls} polls", LIFE[number]);
            let host = Host::on(stages[number].medium.fork(), host.ring.clone());
            let world = host.world().await;
            let done = {
                let mut client = stages[number].client.clone();
                let mut work = pin!(take(&world, &mut client, number));
                let mut polled = 0;
                poll_fn(|context| {
                    polled += 1;
                    if polled > polls {
                        Poll::Ready(false)
                    } else {
                        work.as_mut().poll(context).map(|done| done.is_ok())
                    }
                })
                .await
            };
            again(&world, &stages[number], number, &place).await;
            all_is_well(&host, world, &stages[number + 1].shown, &mia, &place).await;
            if done {
                break;
            }
        }
    }
}
