//! Many at the door: keys, codes that are sent, sign-ins.

use std::sync::Arc;

use countersign::domain::event::{Event, SmsFault};
use countersign::testing::SecurityKey;
use countersign::*;
use tokio::task::JoinSet;

use super::{GUESSERS, all, on_both};
use crate::door::{at_console, is_in, other_than, proven, refused_step};
use crate::support::{name, narrow, operator};

fn signed_in(answers: &[Result<SignInStep, Error>]) -> usize {
    answers.iter().filter(|answer| answer.as_ref().is_ok_and(is_in)).count()
}

/// Everybody else is told that nothing of this id is open.
fn others_are_late(answers: &[Result<SignInStep, Error>]) {
    for error in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        assert_eq!(error.rejection(), Some(&Rejection::ChallengeUnknown), "{error}");
    }
}

// ---- keys ----

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_assertion_that_sixty_four_clients_send_signs_one_in() {
    on_both(Policy::classic(), async |world| {
        let key = SecurityKey::new(1);
        let (lee, _) = world.keyed("lee", &key).await;
        for round in 1..=3 {
            let attempt = world.begin_sign_in(&lee).await;
            let asked = world.offer(&lee, attempt).await;
            let answer: Arc<str> = key.at(round).get(&asked.options).into();
            let answers = all((0..GUESSERS).map(|_| {
                let (world, lee, answer) = (Arc::clone(world), lee.clone(), Arc::clone(&answer));
                async move { world.touch(&lee, attempt, asked.id, &answer).await }
            }))
            .await;
            assert_eq!(signed_in(&answers), 1);
            others_are_late(&answers);
            assert_eq!(world.count(|event| matches!(event, Event::KeyAccepted(_))), round as usize);
        }
    })
    .await;
}

/// A retry may come while the first try is still under way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_sent_sixteen_times_under_one_id_is_judged_once_and_answered_alike() {
    on_both(Policy::classic(), async |world| {
        let key = SecurityKey::new(1);
        let lee = world.user("lee").await;
        let asked = world.begin_key(&lee, KeyForm::SecurityKey).await;
        let answer: Arc<str> = key.create(&asked.options).into();
        let registered = all((0..16).map(|_| {
            let (world, lee, answer) = (Arc::clone(world), lee.clone(), Arc::clone(&answer));
            let by = proven(&lee).with_command(CommandId::from_bytes([1; 16]));
            async move { world.engine.finish_key_registration(by, &lee, asked.id, &answer).await.unwrap() }
        }))
        .await;
        assert!(matches!(registered[0].value, KeyRegistration::Registered(_)));
        assert!(registered.iter().all(|ack| *ack == registered[0]), "{registered:?}");

        let attempt = world.begin_sign_in(&lee).await;
        let asked = world.offer(&lee, attempt).await;
        let answer: Arc<str> = key.at(1).get(&asked.options).into();
        let steps = all((0..16).map(|_| {
            let (world, lee, answer) = (Arc::clone(world), lee.clone(), Arc::clone(&answer));
            let by = at_console(&lee).with_command(CommandId::from_bytes([2; 16]));
            async move { world.engine.sign_in_with_key(by, &lee, attempt, asked.id, &answer).await.unwrap() }
        }))
        .await;
        assert!(is_in(&steps[0].value));
        assert!(steps.iter().all(|ack| *ack == steps[0]), "{steps:?}");
        assert_eq!(world.count(|event| matches!(event, Event::KeyRegistered(_) | Event::SignedIn(_))), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_that_sixteen_users_register_belongs_to_one() {
    on_both(Policy::classic(), async |world| {
        for round in 0..3 {
            let key = SecurityKey::new(round);
            let mut users = Vec::new();
            for number in 0..16 {
                let who = world.user(&format!("user{round}-{number}")).await;
                let asked = world.begin_key(&who, KeyForm::SecurityKey).await;
                users.push((who, asked.id, key.create(&asked.options)));
            }
            let answers =
                all(
                    users.into_iter().map(|(who, challenge, answer)| {
                        let world = Arc::clone(world);
                        async move {
                            (world.finish_key(&who, challenge, &answer).await.unwrap(), world.engine.devices(&who))
                        }
                    }),
                )
                .await;
            let owners = answers.iter().filter(|(registered, devices)| match registered {
                KeyRegistration::Registered(serial) => devices[0].serial == *serial,
                KeyRegistration::Refused(why) => {
                    assert_eq!((*why, devices.len()), (KeyRefusal::AlreadyRegistered, 0));
                    false
                }
            });
            assert_eq!(owners.count(), 1);
        }
    })
    .await;
}

/// Each was asked while there was room.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_eight_keys_a_phone_and_a_token_that_are_enabled_at_once_a_user_gets_one() {
    on_both(narrow(Policy::classic()), async |world| {
        for round in 0..10_u8 {
            let who = world.user(&format!("user{round}")).await;
            let phone = world.phone(&format!("phone{round}")).await;
            let sent = world.begin_sms(&who).await.unwrap();
            let (challenge, code) = (sent.challenge, world.last_code());
            let mut keys = Vec::new();
            for number in 0..8 {
                let asked = world.begin_key(&who, KeyForm::SecurityKey).await;
                keys.push((asked.id, SecurityKey::new(round * 8 + number).create(&asked.options)));
            }
            let mut asked = JoinSet::new();
            for (challenge, answer) in keys {
                let (world, who) = (Arc::clone(world), who.clone());
                asked.spawn(async move { world.finish_key(&who, challenge, &answer).await.map(drop) });
            }
            let (one, two) = (Arc::clone(world), who.clone());
            asked.spawn(async move { one.finish_sms(&two, challenge, code).await.map(drop) });
            let (one, two) = (Arc::clone(world), who.clone());
            asked.spawn(async move { one.enable(&two, &phone, one.now()).await.map(drop) });
            let answers = asked.join_all().await;
            assert_eq!(super::wins(&answers, &Rejection::PrincipalDeviceLimit { max: 1 }), 1);
            assert_eq!(world.engine.devices(&who).len(), 1);
        }
    })
    .await;
}

// ---- codes that are sent ----

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_of_sixty_four_guesses_of_a_code_that_was_sent_are_evaluated() {
    on_both(Policy::classic(), async |world| {
        let (lee, serial) = world.texted("lee").await;
        let attempt = world.begin_sign_in(&lee).await;
        world.send(&lee, attempt, &serial).await.unwrap();
        let right = world.last_code();
        let answers = all((0..GUESSERS).map(|_| {
            let (world, lee, serial, code) = (Arc::clone(world), lee.clone(), serial.clone(), other_than(&right));
            async move { world.type_code(&lee, attempt, &serial, code).await }
        }))
        .await;
        // The attempt is over after fifty: the password has to be typed again.
        assert_eq!(answers.iter().filter(|answer| answer.as_ref().is_ok_and(refused_step)).count(), 50);
        others_are_late(&answers);
        let wrong = |event: &Event| matches!(event, Event::SmsCodeRefused(e) if e.fault == SmsFault::Wrong);
        assert_eq!(world.count(wrong), 5);
        let late = world.type_code(&lee, attempt, &serial, right).await.unwrap_err();
        assert_eq!(late.rejection(), Some(&Rejection::ChallengeUnknown), "the right code does not help");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_of_sixty_four_guesses_at_an_enrolment_are_evaluated() {
    on_both(Policy::classic(), async |world| {
        let lee = world.user("lee").await;
        let sent = world.begin_sms(&lee).await.unwrap();
        let (challenge, right) = (sent.challenge, world.last_code());
        let answers = all((0..GUESSERS).map(|_| {
            let (world, lee, code) = (Arc::clone(world), lee.clone(), other_than(&right));
            async move { world.finish_sms(&lee, challenge, code).await.unwrap() }
        }))
        .await;
        assert!(answers.iter().all(|answer| *answer == Proof::Refused(Refusal::Wrong)));
        let wrong = |event: &Event| matches!(event, Event::SmsCodeRefused(e) if e.fault == SmsFault::Wrong);
        assert_eq!(world.count(wrong), 5);
        let late = world.finish_sms(&lee, challenge, right).await;
        assert_eq!(late, Ok(Proof::Refused(Refusal::Wrong)), "the right code does not help");
        assert!(world.engine.devices(&lee).is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_that_was_sent_and_comes_back_sixty_four_times_signs_one_in() {
    on_both(Policy::classic(), async |world| {
        let (lee, serial) = world.texted("lee").await;
        let attempt = world.begin_sign_in(&lee).await;
        world.send(&lee, attempt, &serial).await.unwrap();
        let right = world.last_code();
        let answers = all((0..GUESSERS).map(|_| {
            let (world, lee, serial, code) = (Arc::clone(world), lee.clone(), serial.clone(), right.clone());
            async move { world.type_code(&lee, attempt, &serial, code).await }
        }))
        .await;
        assert_eq!(signed_in(&answers), 1);
        others_are_late(&answers);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_who_ask_for_another_code_get_one_in_each_pause_and_five_in_all() {
    on_both(Policy::classic(), async |world| {
        world.clock.advance_s(900 - world.now() % 900);
        let (lee, serial) = world.texted("lee").await;
        // The enrolment's own code was the first of the quarter of an hour.
        for sends in 2..=6 {
            let attempt = world.begin_sign_in(&lee).await;
            let answers = all((0..GUESSERS).map(|number| {
                let (world, lee, serial) = (Arc::clone(world), lee.clone(), serial.clone());
                async move {
                    // Half of them in a sign-in of their own: the pause is the person's.
                    let own = if number % 32 == 31 { Some(world.begin_sign_in(&lee).await) } else { None };
                    world.send(&lee, own.unwrap_or(attempt), &serial).await
                }
            }))
            .await;
            for error in answers.iter().filter_map(|answer| answer.as_ref().err()) {
                assert!(matches!(error.rejection(), Some(Rejection::TooSoon { .. })), "{error}");
            }
            let sent = answers.iter().filter(|answer| answer.is_ok()).count();
            assert_eq!(sent, usize::from(sends <= 5), "of the sending {sends}");
            assert_eq!(world.outbox.messages().len(), sends.min(5));
            world.clock.advance_s(30);
        }
    })
    .await;
}

// ---- sign-ins ----

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_in_that_every_device_completes_at_once_is_completed_once() {
    let policy = Policy { sms_enrolment: true, ..narrow(Policy::modern()) };
    on_both(policy, async |world| {
        let (lee, phone) = world.equipped("lee").await;
        let keys = [SecurityKey::new(1), SecurityKey::new(2)];
        for key in &keys {
            world.registered(&lee, key).await;
        }
        let sent = world.begin_sms(&lee).await.unwrap();
        world.finish_sms(&lee, sent.challenge, world.last_code()).await.unwrap();
        let texts = world.engine.devices(&lee)[3].serial.clone();
        for round in 1..=5 {
            world.clock.advance_s(300);
            let attempt = world.begin_sign_in(&lee).await;
            world.send(&lee, attempt, &texts).await.unwrap();
            let typed = [(phone.serial.clone(), phone.at(world.now())), (texts.clone(), world.last_code())];
            let mut touched = Vec::new();
            for key in &keys {
                let asked = world.offer(&lee, attempt).await;
                touched.push((asked.id, key.at(round).get(&asked.options)));
            }
            let mut doors = JoinSet::new();
            for (serial, code) in typed {
                let (world, lee) = (Arc::clone(world), lee.clone());
                doors.spawn(async move { world.type_code(&lee, attempt, &serial, code).await });
            }
            for (challenge, answer) in touched {
                let (world, lee) = (Arc::clone(world), lee.clone());
                doors.spawn(async move { world.touch(&lee, attempt, challenge, &answer).await });
            }
            let answers = doors.join_all().await;
            assert_eq!(signed_in(&answers), 1);
            others_are_late(&answers);
            assert_eq!(world.count(|event| matches!(event, Event::SignedIn(_))), round as usize);
        }
    })
    .await;
}

/// Whoever knows a password begins as many sign-ins as it likes; they drive out each other, and not the owner's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_sign_ins_from_elsewhere_leaves_the_owners_open() {
    on_both(Policy::classic(), async |world| {
        let key = SecurityKey::new(1);
        let (lee, _) = world.keyed("lee", &key).await;
        let attempt = world.begin_sign_in(&lee).await;
        let asked = world.offer(&lee, attempt).await;
        let flood = all((0..GUESSERS).map(|_| {
            let (world, lee) = (Arc::clone(world), lee.clone());
            let afar = at_console(&lee).from_client(Client::new(Some([198, 51, 100, 1].into()), "bot"));
            async move { world.engine.begin_sign_in(afar, &lee).await.unwrap().value }
        }))
        .await;
        assert!(flood.iter().all(|step| matches!(step, SignInStep::Wanted { .. })));
        assert!(is_in(&world.touch(&lee, attempt, asked.id, &key.at(1).get(&asked.options)).await.unwrap()));
    })
    .await;
}

/// As many as may be: registrations of the principal, and challenges of each sign-in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_challenged_at_once_as_often_as_is_allowed() {
    on_both(Policy::modern(), async |world| {
        let (lee, _) = world.keyed("lee", &SecurityKey::new(1)).await;
        let began = world.clock.now();
        let answers = all((0..GUESSERS).map(|_| {
            let (world, lee) = (Arc::clone(world), lee.clone());
            async move {
                let (form, name) = (KeyForm::SecurityKey, name("blue"));
                world.engine.begin_key_registration(proven(&lee), &lee, name, form, None).await.map(drop)
            }
        }))
        .await;
        let again_at = UnixMillis::from_secs((began.secs() / 180 + 1) * 180);
        assert_eq!(super::wins(&answers, &Rejection::TooManyChallenges { again_at }), 29, "and the one before");
        for _ in 0..2 {
            let attempt = world.begin_sign_in(&lee).await;
            let answers = all((0..GUESSERS).map(|_| {
                let (world, lee) = (Arc::clone(world), lee.clone());
                async move {
                    let form = KeyForm::SecurityKey;
                    world.engine.offer_key(at_console(&lee), &lee, attempt, form).await.map(drop)
                }
            }))
            .await;
            let again_at = began.plus_ms(600_000);
            assert_eq!(super::wins(&answers, &Rejection::TooManyChallenges { again_at }), 30);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recovery_mail_is_good_once_and_five_guesses_of_its_code_are_evaluated() {
    on_both(Policy::classic(), async |world| {
        let root = world.equipped_root().await;
        let attempt = world.begin_sign_in(&root).await;
        let mail = async || world.engine.send_recovery_mail(at_console(&root), &root, attempt, "a@example.com").await;
        let confirm = |code: &str| {
            let (world, root, code) = (Arc::clone(world), root.clone(), code.to_owned());
            async move {
                let proof = world.engine.confirm_recovery_mail(at_console(&root), &root, attempt, &code).await;
                proof.map(|ack| ack.value)
            }
        };
        mail().await.unwrap();
        let guesses = all((0..GUESSERS).map(|_| confirm("00112233445566778899aabbccddeeff"))).await;
        assert_eq!(guesses.iter().filter(|guess| **guess == Ok(Proof::Refused(Refusal::Wrong))).count(), 5);
        world.clock.advance_s(30);
        mail().await.unwrap();
        let code = world.outbox.messages().last().unwrap().code.clone();
        let answers = all((0..GUESSERS).map(|_| confirm(&code))).await;
        assert_eq!(answers.iter().filter(|answer| **answer == Ok(Proof::Accepted)).count(), 1);
        assert_eq!(world.count(|event| matches!(event, Event::AlternativeProven(_))), 1);
    })
    .await;
}

/// Two roots share an address: the digits that one device shows prove it in one sign-in (A6).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_of_the_linked_roots_device_counts_in_one_of_eight_sign_ins() {
    on_both(narrow(Policy::classic()), async |world| {
        let root = world.equipped_root().await;
        let other = AccountId::from_number(999_999_999_999).unwrap();
        world.engine.open_account(operator(), other, name("root")).await.unwrap();
        world.engine.link_root(operator(), other, Some(world.account)).await.unwrap();
        world.engine.link_root(operator(), world.account, Some(other)).await.unwrap();
        let (twin, token) = (PrincipalId::Root(other), Serial::new("GAHT00000001").unwrap());
        let phone = crate::support::Phone { serial: token, secret: vec![9; 20] };
        let seed = Seed::new(phone.secret.clone()).unwrap();
        world.engine.import_hardware_token(operator(), &phone.serial, seed, "maker").await.unwrap();
        let (first, second) = phone.pair(world.now());
        world.engine.enable(proven(&twin), &twin, &phone.serial, first, second).await.unwrap();
        world.clock.advance_s(90);
        let mut attempts = Vec::new();
        for _ in 0..8 {
            attempts.push(world.begin_sign_in(&root).await);
        }
        let code = phone.at(world.now());
        let answers = all(attempts.into_iter().map(|attempt| {
            let (world, root, serial, code) = (Arc::clone(world), root.clone(), phone.serial.clone(), code.clone());
            async move { world.type_code(&root, attempt, &serial, code).await.unwrap() }
        }))
        .await;
        let own = |step: &&SignInStep| matches!(step, SignInStep::Wanted { of: FactorOf::Own, .. });
        assert_eq!(answers.iter().filter(own).count(), 1);
        assert_eq!(answers.iter().filter(|step| refused_step(step)).count(), 7);
    })
    .await;
}
