//! What happens when the medium fails, when there is too much to do, and when nobody waits for the
//! answer: nothing acknowledged is lost, and nothing is done twice.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use countersign::domain::event::Event;
use countersign::store::faults::{Faults, FaultyBackend, Operation};
use countersign::store::{EphemeralKeyRing, Journal, Log, MemoryBackend, Options};
use countersign::*;
use tokio::task::JoinSet;

use crate::support::{START_S, World, check_laws, name, narrow, operator};

/// A medium that fails on cue and outlives the engines on it.
struct Medium {
    backend: MemoryBackend,
    ring: Arc<EphemeralKeyRing>,
    faults: Faults,
}

impl Medium {
    fn new() -> Self {
        let ring = Arc::new(EphemeralKeyRing::new().unwrap());
        Self { backend: MemoryBackend::new(), ring, faults: Faults::new() }
    }

    fn journal(&self) -> Arc<dyn Journal> {
        let backend = FaultyBackend::new(self.backend.clone(), self.faults.clone());
        Arc::new(Log::with_backend(backend, self.ring.clone(), Options::default()).unwrap())
    }

    async fn world(&self) -> World {
        World::on(self.journal(), self.ring.clone(), narrow(Policy::classic()), Limits::default()).await
    }
}

fn create(world: &World, device: &str) -> impl Future<Output = Result<Ack<NewVirtualDevice>, Error>> + use<> {
    let (engine, account, called) = (world.engine.clone(), world.account, name(device));
    let request = operator().with_command(CommandId::derive(&["create", device]));
    async move { engine.create_virtual_device(request, account, Path::root(), called).await }
}

fn devices(world: &World) -> Vec<String> {
    let all = world.engine.virtual_devices(world.account, Assignment::Any, None, 1000);
    all.iter().map(|view| view.serial.as_str().rsplit('/').next().unwrap().to_owned()).collect()
}

// ---- the medium fails ----

/// At each of the first commits, and at each kind of failure of it.
#[tokio::test]
async fn after_a_failed_commit_nothing_more_is_promised_and_nothing_promised_is_lost() {
    for operation in [Operation::Commit, Operation::CommitAfterWriting] {
        for skip in 0..6 {
            let medium = Medium::new();
            let world = medium.world().await;
            medium.faults.fail_after(operation, skip);
            let mut acked = Vec::new();
            let failed = loop {
                let device = format!("phone{}", acked.len());
                match create(&world, &device).await {
                    Ok(_) => acked.push(device),
                    Err(error) => break error,
                }
            };
            assert_eq!(acked.len() as u32, skip);
            assert!(failed.outcome_unknown() && failed.is_retryable(), "{failed}");
            assert!(!world.engine.is_ready(), "a probe tells it");
            let after = create(&world, "after").await.unwrap_err();
            assert!(!after.outcome_unknown() && !after.is_retryable(), "poisoned: {after}");
            assert_eq!(devices(&world), acked, "queries show what was acknowledged");
            assert!(world.engine.close().await.is_err());
            drop(world);

            let world = medium.world().await;
            let found = devices(&world);
            assert_eq!(found[..acked.len()], acked);
            assert_eq!(found.len() > acked.len(), operation == Operation::CommitAfterWriting);
            let in_doubt = format!("phone{}", acked.len());
            create(&world, &in_doubt).await.expect("a retry under the same id is answered");
            assert_eq!(devices(&world).len(), acked.len() + 1, "and not done twice");
            check_laws(&*world.journal, world.engine.policy());
            assert!(world.journal.verify().is_ok());
        }
    }
}

#[tokio::test]
async fn a_code_whose_outcome_is_unknown_is_not_burnt_for_the_same_command() {
    for operation in [Operation::Commit, Operation::CommitAfterWriting] {
        let medium = Medium::new();
        let world = medium.world().await;
        let (lee, phone) = world.equipped("lee").await;
        world.clock.advance_s(90);
        let send = |world: &World| {
            let (engine, lee, serial) = (world.engine.clone(), lee.clone(), phone.serial.clone());
            let (request, code) = (operator().with_command(CommandId::from_bytes([1; 16])), phone.at(START_S + 90));
            async move { engine.verify_code(request, &lee, &serial, code, Purpose::SessionToken).await }
        };
        medium.faults.fail_next(operation);
        assert!(send(&world).await.unwrap_err().outcome_unknown(), "R96: not `invalid code`");
        drop(world);
        let world = medium.world().await;
        world.clock.advance_s(90);
        assert!(send(&world).await.unwrap().value.is_accepted(), "{operation:?}");
        assert_eq!(world.count(|event| matches!(event, Event::CodeAccepted(_))), 1);
    }
}

#[tokio::test]
async fn a_key_that_cannot_be_stored_leaves_nothing_behind() {
    let medium = Medium::new();
    let world = medium.world().await;
    medium.faults.fail_next(Operation::PutSlots);
    create(&world, "phone").await.unwrap_err();
    assert_eq!(devices(&world), Vec::<String>::new());
    drop(world);
    let world = medium.world().await;
    create(&world, "phone").await.unwrap();
    assert_eq!(devices(&world), ["phone"]);
}

#[tokio::test]
async fn derived_data_that_cannot_be_written_costs_time_and_nothing_else() {
    for operation in [Operation::Put, Operation::Sync, Operation::RaiseHighWater] {
        let medium = Medium::new();
        let world = medium.world().await;
        let (lee, phone) = world.equipped("lee").await;
        for skip in 0..8 {
            medium.faults.fail_after(operation, skip);
        }
        let before = (world.engine.devices(&lee), world.engine.account(world.account));
        // Whether the close tells of it is not the matter here.
        let _told = world.engine.close().await;
        drop(world);
        let fresh = Medium { backend: medium.backend.clone(), ring: medium.ring.clone(), faults: Faults::new() };
        let world = fresh.world().await;
        assert_eq!((world.engine.devices(&lee), world.engine.account(world.account)), before, "{operation:?}");
        world.clock.advance_s(90);
        assert_eq!(world.sign_in(&lee, &phone, START_S + 90).await, Ok(Proof::Accepted));
    }
}

// ---- too much to do ----

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_a_bound_the_answer_is_busy_and_a_busy_command_left_no_trace() {
    let tight = [
        Limits { in_flight_max: 3, ..Limits::default() },
        Limits { mailbox_max: 1, ..Limits::default() },
        Limits { in_flight_max: 2, mailbox_max: 1, batch_max: 1, searches_max: 1, ..Limits::default() },
    ];
    for limits in tight {
        let world = Arc::new(World::with(narrow(Policy::classic()), limits).await);
        let mut waiting: Vec<usize> = (0..64).collect();
        let (mut busy, mut done) = (0, 0);
        while !waiting.is_empty() {
            let asked = waiting.drain(..).map(|number| {
                let world = Arc::clone(&world);
                async move { (number, create(&world, &format!("phone{number:02}")).await) }
            });
            for (number, answer) in asked.collect::<JoinSet<_>>().join_all().await {
                match answer {
                    Ok(_) => done += 1,
                    Err(error) => {
                        assert!(error.is_busy() && error.is_retryable() && !error.outcome_unknown(), "{error}");
                        busy += 1;
                        waiting.push(number);
                    }
                }
            }
            assert_eq!(devices(&world).len(), done, "as many as were acknowledged");
        }
        assert!(busy > 0, "{limits:?} was never reached");
        assert_eq!(devices(&world).len(), 64);
        assert_eq!(world.count(|event| matches!(event, Event::VirtualDeviceCreated(_))), 64, "each once");
    }
}

// ---- nobody waits ----

/// Starts a command and lets go of it before it is answered.
fn start_and_drop(command: impl Future) {
    let mut command = pin!(command);
    // On a busy machine it may be answered by now, which is as good: nobody looks at the answer.
    let _unread = command.as_mut().poll(&mut Context::from_waker(Waker::noop()));
}

#[tokio::test]
async fn a_command_that_nobody_waits_for_is_done_once() {
    let world = World::new(narrow(Policy::classic())).await;
    for number in 0..10 {
        start_and_drop(create(&world, &format!("phone{number}")));
    }
    create(&world, "last").await.unwrap();
    assert_eq!(devices(&world).len(), 11);
    create(&world, "phone3").await.expect("the same command is answered");
    assert_eq!(devices(&world).len(), 11);
}

#[tokio::test]
async fn a_code_that_nobody_waits_for_is_spent_once() {
    let world = World::new(narrow(Policy::classic())).await;
    let (lee, phone) = world.equipped("lee").await;
    world.clock.advance_s(90);
    start_and_drop(world.sign_in(&lee, &phone, START_S + 90));
    assert_eq!(world.sign_in(&lee, &phone, START_S + 90).await, Ok(Proof::Refused(Refusal::Wrong)));
    assert_eq!(world.count(|event| matches!(event, Event::CodeAccepted(_))), 1);
}

#[tokio::test]
async fn a_closing_engine_finishes_what_it_took_and_takes_no_more() {
    let medium = Medium::new();
    let world = medium.world().await;
    for number in 0..10 {
        start_and_drop(create(&world, &format!("phone{number}")));
    }
    world.engine.close().await.unwrap();
    assert_eq!(devices(&world).len(), 10);
    assert!(create(&world, "late").await.unwrap_err().is_closed());
    drop(world);
    assert_eq!(devices(&medium.world().await).len(), 10);
}
