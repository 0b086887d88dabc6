//! Many at once: what may happen once happens once, and what is counted is counted exactly.

mod door;

use std::sync::Arc;

use countersign::domain::event::Event;
use countersign::store::{EphemeralKeyRing, SledJournal, StoreOptions};
use countersign::*;
use tokio::task::JoinSet;

use crate::support::{Phone, START_S, World, check_laws, name, narrow, operator};

/// The same on a journal in memory and on sled, where a commit takes its time.
async fn on_both(policy: Policy, race: impl AsyncFn(&Arc<World>)) {
    race(&Arc::new(World::new(policy.clone()).await)).await;
    let dir = tempfile::tempdir().unwrap();
    let ring = Arc::new(EphemeralKeyRing::new().unwrap());
    let journal = SledJournal::open(&dir.path().join("store"), ring.clone(), StoreOptions::default()).unwrap();
    let world = Arc::new(World::on(Arc::new(journal), ring, policy.clone(), Limits::default()).await);
    race(&world).await;
    check_laws(&*world.journal, &policy);
}

/// Asks all at once and gives the answers in no particular order.
async fn all<T: Send + 'static>(asked: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>) -> Vec<T> {
    asked.into_iter().collect::<JoinSet<T>>().join_all().await
}

fn wins(answers: &[Result<(), Error>], lost: &Rejection) -> usize {
    for error in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        assert_eq!(error.rejection(), Some(lost), "{error}");
    }
    answers.iter().filter(|answer| answer.is_ok()).count()
}

fn evaluated(answers: &[Proof]) -> usize {
    answers.iter().filter(|answer| !matches!(answer, Proof::Refused(Refusal::Locked { .. }))).count()
}

// ---- one code, one use ----

/// Devices, and clients that send the same fresh code of each at once.
const DEVICES: usize = 1000;
const CLIENTS: usize = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fresh_code_sent_by_sixteen_clients_to_each_of_a_thousand_devices_is_accepted_a_thousand_times() {
    on_both(narrow(Policy::classic()), async |world| {
        let mut phones = Vec::new();
        for from in (0..DEVICES).step_by(100) {
            let some = (from..from + 100).map(|number| {
                let world = Arc::clone(world);
                async move { world.equipped(&format!("user{number}")).await }
            });
            phones.extend(all(some).await);
        }
        world.clock.advance_s(90);
        let phones: Arc<[(PrincipalId, Phone)]> = phones.into();
        let clients = (0..CLIENTS).map(|client| {
            let (world, phones) = (Arc::clone(world), Arc::clone(&phones));
            async move {
                let mut accepted = Vec::new();
                for (number, (who, phone)) in phones.iter().enumerate() {
                    let purpose = if client % 2 == 0 { Purpose::SignIn } else { Purpose::SessionToken };
                    let answer = world.verify(who, phone, phone.at(START_S + 90), purpose).await;
                    if answer.unwrap().is_accepted() {
                        accepted.push(number);
                    }
                }
                accepted
            }
        });
        let mut accepted = all(clients).await.concat();
        accepted.sort_unstable();
        assert_eq!(accepted, (0..DEVICES).collect::<Vec<_>>(), "each exactly once");
        assert_eq!(world.count(|event| matches!(event, Event::CodeAccepted(_))), DEVICES);
    })
    .await;
}

/// A retry may come while the first try is still under way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_sent_sixteen_times_at_once_under_one_id_is_done_once_and_answered_alike() {
    on_both(narrow(Policy::classic()), async |world| {
        let (lee, phone) = world.equipped("lee").await;
        world.clock.advance_s(90);
        for round in 0..10_u8 {
            let by = move || operator().with_command(CommandId::from_bytes([round; 16]));
            let created = all((0..CLIENTS).map(|_| {
                let world = Arc::clone(world);
                async move {
                    let called = name(&format!("phone{round}"));
                    let made = world.engine.create_virtual_device(by(), world.account, Path::root(), called).await;
                    made.unwrap().value.base32().to_string()
                }
            }))
            .await;
            assert!(created.iter().all(|secret| *secret == created[0]), "one secret");
        }
        let verified = all((0..CLIENTS).map(|_| {
            let (world, lee, serial, code) =
                (Arc::clone(world), lee.clone(), phone.serial.clone(), phone.at(START_S + 90));
            let by = operator().with_command(CommandId::from_bytes([99; 16]));
            async move { world.engine.verify_code(by, &lee, &serial, code, Purpose::StepUp).await.unwrap() }
        }))
        .await;
        assert!(verified.iter().all(|ack| *ack == verified[0] && ack.value.is_accepted()), "{verified:?}");
        assert_eq!(world.count(|event| matches!(event, Event::VirtualDeviceCreated(_))), 1 + 10);
        assert_eq!(world.count(|event| matches!(event, Event::CodeAccepted(_))), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_sixteen_records_for_one_place_in_the_hosts_stream_one_is_written() {
    on_both(Policy::classic(), async |world| {
        let answers = all((0..16_u8).map(|number| {
            let world = Arc::clone(world);
            async move { world.engine.append_record(operator(), "directory", Some(0), 7, vec![number]).await }
        }))
        .await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
        assert!(answers.iter().filter_map(|answer| answer.as_ref().err()).all(Error::is_conflict));
        assert_eq!(world.engine.read_records("directory", 0, 100).unwrap().len(), 1);
    })
    .await;
}

// ---- as many guesses as are allowed, through every door ----

const GUESSERS: usize = 64;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nine_of_sixty_four_guesses_of_a_code_are_evaluated_whatever_they_are_for() {
    on_both(narrow(Policy::classic()), async |world| {
        let (who, phone) = world.equipped("lee").await;
        let purposes = [Purpose::SignIn, Purpose::SessionToken, Purpose::AssumeRole, Purpose::StepUp];
        let guesses = phone.wrong(START_S).take(GUESSERS).zip(purposes.into_iter().cycle());
        let answers = all(guesses.map(|(code, purpose)| {
            let (world, who, phone) = (Arc::clone(world), who.clone(), phone.clone());
            async move { world.verify(&who, &phone, code, purpose).await.unwrap() }
        }))
        .await;
        assert_eq!(evaluated(&answers), 9);
        assert_eq!(world.count(|event| matches!(event, Event::CodeRefused(_) | Event::CodeAccepted(_))), 9);
        let right = world.sign_in(&who, &phone, START_S + 60).await.unwrap();
        assert!(matches!(right, Proof::Refused(Refusal::Locked { .. })), "the right code does not help");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nine_of_sixty_four_resync_pairs_are_evaluated_and_codes_have_a_budget_of_their_own() {
    on_both(narrow(Policy::classic()), async |world| {
        let (who, phone) = world.equipped("lee").await;
        let pairs = phone.wrong(START_S).take(GUESSERS);
        let answers = all(pairs.map(|code| {
            let (world, who, serial) = (Arc::clone(world), who.clone(), phone.serial.clone());
            async move { world.engine.resync(operator(), &who, &serial, code.clone(), code).await.unwrap().value }
        }))
        .await;
        // The pair that enabled the device was the first of the nine.
        assert_eq!(evaluated(&answers), 8);
        assert_eq!(world.count(|event| matches!(event, Event::ResyncRefused(_) | Event::DeviceEnabled(_))), 9);
        assert_eq!(world.sign_in(&who, &phone, START_S + 60).await, Ok(Proof::Accepted), "R93");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nine_of_sixty_four_pairs_are_evaluated_in_rotations_to_one_device() {
    on_both(narrow(Policy::modern()), async |world| {
        let (who, old) = world.equipped("lee").await;
        let new = world.phone("new").await;
        let answers = all(new.wrong(START_S).take(GUESSERS).map(|code| {
            let (world, who, serials) = (Arc::clone(world), who.clone(), (old.serial.clone(), new.serial.clone()));
            async move {
                let (first, second) = (code.clone(), code);
                world.engine.rotate(operator(), &who, &serials.0, &serials.1, first, second).await.unwrap().value
            }
        }))
        .await;
        assert_eq!(evaluated(&answers), 9);
        assert_eq!(world.count(|event| matches!(event, Event::PairRefused(_))), 9);
        let devices = world.engine.devices(&who);
        assert_eq!((devices.len(), &devices[0].serial), (1, &old.serial), "the old device stayed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nine_of_sixty_four_pairs_are_evaluated_when_many_users_try_to_enable_one_device() {
    on_both(narrow(Policy::classic()), async |world| {
        let phone = world.phone("prize").await;
        let mut users = Vec::new();
        for number in 0..8 {
            users.push(world.user(&format!("user{number}")).await);
        }
        let guesses = phone.wrong(START_S).take(GUESSERS).zip(users.into_iter().cycle());
        let answers = all(guesses.map(|(code, who)| {
            let (world, serial) = (Arc::clone(world), phone.serial.clone());
            async move { world.engine.enable(operator(), &who, &serial, code.clone(), code).await.unwrap().value }
        }))
        .await;
        assert_eq!(evaluated(&answers), 9);
        assert_eq!(world.count(|event| matches!(event, Event::PairRefused(_) | Event::DeviceEnabled(_))), 9);
        assert_eq!(world.count(|event| matches!(event, Event::BudgetSpent(_))), 1, "told once");
    })
    .await;
}

// ---- one owner, one name, exact limits ----

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_two_users_enable_at_once_has_one_owner() {
    on_both(narrow(Policy::classic()), async |world| {
        for round in 0..20 {
            let phone = world.phone(&format!("phone{round}")).await;
            let users = [world.user(&format!("a{round}")).await, world.user(&format!("b{round}")).await];
            let answers = all(users.clone().map(|who| {
                let (world, phone) = (Arc::clone(world), phone.clone());
                async move { world.enable(&who, &phone, START_S).await.map(|proof| assert!(proof.is_accepted())) }
            }))
            .await;
            assert_eq!(wins(&answers, &Rejection::DeviceInUse), 1);
            let owner = world.engine.device(&phone.serial).unwrap().owner.unwrap();
            let owned = users.map(|who| (world.engine.devices(&who).len(), who == owner));
            assert!(owned.iter().all(|(devices, owns)| *devices == usize::from(*owns)), "{owned:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_enables_twelve_devices_at_once_has_eight() {
    on_both(narrow(Policy::modern()), async |world| {
        let who = world.user("lee").await;
        let mut phones = Vec::new();
        for number in 0..12 {
            phones.push(world.phone(&format!("phone{number}")).await);
        }
        let answers = all(phones.into_iter().map(|phone| {
            let (world, who) = (Arc::clone(world), who.clone());
            async move { world.enable(&who, &phone, START_S).await.map(|proof| assert!(proof.is_accepted())) }
        }))
        .await;
        assert_eq!(wins(&answers, &Rejection::PrincipalDeviceLimit { max: 8 }), 8);
        assert_eq!(world.engine.devices(&who).len(), 8);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_sixteen_users_of_one_name_one_is_registered() {
    on_both(Policy::classic(), async |world| {
        let answers = all((0..16).map(|number| {
            let world = Arc::clone(world);
            let called = name(if number % 2 == 0 { "lee" } else { "LEE" });
            let id = UserId::new(format!("AIDA{number}")).unwrap();
            async move {
                let ack = world.engine.register_user(operator(), world.account, id, called, Path::root()).await;
                ack.map(|ack| ack.value)
            }
        }))
        .await;
        assert_eq!(wins(&answers, &Rejection::NameTaken), 1);
        assert_eq!(world.engine.account(world.account).unwrap().users, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_sixteen_users_who_take_one_new_name_one_has_it() {
    on_both(Policy::classic(), async |world| {
        let mut users = Vec::new();
        for number in 0..16 {
            users.push(world.user(&format!("user{number}")).await);
        }
        let answers = all(users.into_iter().map(|who| {
            let world = Arc::clone(world);
            async move {
                let ack = world.engine.rename_user(operator(), &who, name("boss"), Path::root()).await;
                ack.map(|ack| ack.value)
            }
        }))
        .await;
        assert_eq!(wins(&answers, &Rejection::NameTaken), 1);
        let named = |user: &UserView| user.name.as_str() == "boss";
        assert_eq!(world.engine.users(world.account, None, 100).into_iter().filter(named).count(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_sixteen_devices_whose_names_differ_in_case_one_is_created() {
    on_both(Policy::classic(), async |world| {
        let answers = all((0..16_u32).map(|number| {
            let world = Arc::clone(world);
            let letters = "phone".chars().enumerate();
            let cased = letters.map(|(at, c)| if number >> at & 1 == 1 { c.to_ascii_uppercase() } else { c });
            let called = name(&cased.collect::<String>());
            async move {
                let made = world.engine.create_virtual_device(operator(), world.account, Path::root(), called).await;
                made.map(|_| ())
            }
        }))
        .await;
        assert_eq!(wins(&answers, &Rejection::DeviceExists), 1);
        assert_eq!(world.engine.account(world.account).unwrap().virtual_devices, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quotas_are_exact_under_parallel_creation() {
    let policy = Policy { virtual_devices_per_account_max: 7, users_per_account_max: 5, ..Policy::classic() };
    on_both(policy, async |world| {
        let devices = all((0..32).map(|number| {
            let world = Arc::clone(world);
            async move {
                let called = name(&format!("phone{number}"));
                let made = world.engine.create_virtual_device(operator(), world.account, Path::root(), called).await;
                made.map(|_| ())
            }
        }))
        .await;
        assert_eq!(wins(&devices, &Rejection::AccountDeviceLimit { max: 7 }), 7);
        let users = all((0..32).map(|number| {
            let world = Arc::clone(world);
            async move {
                let id = UserId::new(format!("AIDA{number}")).unwrap();
                let called = name(&format!("user{number}"));
                world.engine.register_user(operator(), world.account, id, called, Path::root()).await.map(|_| ())
            }
        }))
        .await;
        assert_eq!(wins(&users, &Rejection::AccountUserLimit { max: 5 }), 5);
        let account = world.engine.account(world.account).unwrap();
        assert_eq!((account.virtual_devices, account.users), (7, 5));
    })
    .await;
}
