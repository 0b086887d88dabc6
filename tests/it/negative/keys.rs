//! Security keys (NT-10, NT-22..NT-24, NT-28..NT-30).

use std::sync::Arc;
use std::time::Duration;

use countersign::domain::event::{Event, KeyFault, SignInFault};
use countersign::store::{EphemeralKeyRing, MemoryBackend, MemoryJournal, Options};
use countersign::testing::SecurityKey;
use countersign::*;
use countersign_tests::keys::{Soft, asked_for};

use super::refused;
use crate::door::{at_console, is_in, proven, refused_step};
use crate::support::{World, events, name, operator};

fn key() -> SecurityKey {
    SecurityKey::new(1)
}

/// The faults of all refused answers, in order.
fn faults(world: &World) -> Vec<KeyFault> {
    let fault = |event: &Event| match event {
        Event::KeyRefused(refused) => Some(refused.fault),
        _ => None,
    };
    events(&*world.journal).iter().filter_map(|(_, event)| fault(event)).collect()
}

fn not_asked(event: &Event) -> bool {
    matches!(event, Event::SignInRefused(e) if e.fault == SignInFault::NotAsked)
}

fn view(world: &World, who: &PrincipalId) -> (bool, KeyForm) {
    let seen = world.engine.devices(who)[0].key.unwrap();
    (seen.suspected_clone, seen.form)
}

// ---- NT-10: a challenge is answered once, by whom it is for, where it is for, in its time ----

#[tokio::test]
async fn a_registration_is_answered_once_and_by_whom_it_is_for() {
    let world = World::new(Policy::modern()).await;
    let (lee, mallory) = (world.user("lee").await, world.user("mallory").await);
    let asked = world.begin_key(&lee, KeyForm::SecurityKey).await;
    let answer = key().create(&asked.options);
    let stolen = world.finish_key(&mallory, asked.id, &answer).await;
    assert_eq!(refused(stolen), Rejection::ChallengeUnknown);
    let by_mallory = world.engine.finish_key_registration(proven(&mallory), &lee, asked.id, &answer).await;
    assert!(by_mallory.is_ok(), "an administrator of the account may stand at the console for another (R39)");
    let again = world.finish_key(&lee, asked.id, &SecurityKey::new(2).create(&asked.options)).await;
    assert_eq!(refused(again), Rejection::ChallengeUnknown);
    assert_eq!(world.engine.devices(&lee).len(), 1);

    // One that was refused is spent as well.
    let asked = world.begin_key(&lee, KeyForm::SecurityKey).await;
    let foreign = SecurityKey { origin: "https://localhost".to_owned(), ..SecurityKey::new(2) };
    let wrong = world.finish_key(&lee, asked.id, &foreign.create(&asked.options)).await;
    assert_eq!(wrong, Ok(KeyRegistration::Refused(KeyRefusal::NotAccepted)));
    let late = world.finish_key(&lee, asked.id, &SecurityKey::new(2).create(&asked.options)).await;
    assert_eq!(refused(late), Rejection::ChallengeUnknown);
}

#[tokio::test]
async fn an_assertion_signs_in_once() {
    let world = World::new(Policy::classic()).await;
    let (lee, _) = world.keyed("lee", &key()).await;
    let attempt = world.begin_sign_in(&lee).await;
    let asked = world.offer(&lee, attempt).await;
    let answer = key().at(1).get(&asked.options);
    assert!(is_in(&world.touch(&lee, attempt, asked.id, &answer).await.unwrap()));
    let again = world.touch(&lee, attempt, asked.id, &answer).await;
    assert_eq!(refused(again), Rejection::ChallengeUnknown, "the sign-in is over");
    let next = world.begin_sign_in(&lee).await;
    assert!(refused_step(&world.touch(&lee, next, asked.id, &answer).await.unwrap()));
    let fresh = world.offer(&lee, next).await;
    assert!(
        refused_step(&world.touch(&lee, next, fresh.id, &answer).await.unwrap()),
        "an old answer to a new question"
    );
    assert_eq!(faults(&world), [KeyFault::Challenge]);
    assert_eq!(world.count(not_asked), 1);
    assert_eq!(world.count(|event| matches!(event, Event::SignedIn(_))), 1);
}

#[tokio::test]
async fn a_challenge_counts_in_its_own_sign_in_and_its_own_ceremony() {
    let world = World::new(Policy::modern()).await;
    let (lee, _) = world.keyed("lee", &key()).await;
    let (dana, _) = world.keyed("dana", &SecurityKey::new(2)).await;
    let (one, two) = (world.begin_sign_in(&lee).await, world.begin_sign_in(&lee).await);
    let asked = world.offer(&lee, one).await;
    let answer = key().at(1).get(&asked.options);
    assert!(
        refused_step(&world.touch(&lee, two, asked.id, &answer).await.unwrap()),
        "another sign-in of the same user"
    );
    let theirs = world.begin_sign_in(&dana).await;
    assert!(refused_step(&world.touch(&dana, theirs, asked.id, &answer).await.unwrap()), "another user's sign-in");
    assert_eq!(refused(world.touch(&dana, one, asked.id, &answer).await), Rejection::ChallengeUnknown);
    assert_eq!(refused(world.finish_key(&lee, asked.id, &answer).await), Rejection::ChallengeUnknown);

    let registration = world.begin_key(&lee, KeyForm::SecurityKey).await;
    let proof = SecurityKey::new(3).get(&registration.options);
    assert!(refused_step(&world.touch(&lee, one, registration.id, &proof).await.unwrap()));
    assert_eq!(world.count(not_asked), 3);
    assert_eq!(faults(&world), [], "none of it was looked at, and nothing is spent");
    let made = world.finish_key(&lee, registration.id, &SecurityKey::new(3).create(&registration.options)).await;
    assert!(matches!(made, Ok(KeyRegistration::Registered(_))));
    assert!(is_in(&world.touch(&lee, one, asked.id, &answer).await.unwrap()));
}

#[tokio::test]
async fn challenges_and_sign_ins_end_when_their_time_is_over() {
    let world = World::new(Policy::classic()).await;
    let (lee, _) = world.keyed("lee", &key()).await;
    let dana = world.user("dana").await;
    for (early_ms, taken) in [(1, true), (0, false)] {
        let attempt = world.begin_sign_in(&lee).await;
        let asked = world.offer(&lee, attempt).await;
        let registration = world.begin_key(&dana, KeyForm::SecurityKey).await;
        assert_eq!(asked.until, world.clock.now().plus_ms(300_000));
        world.clock.set(UnixMillis(asked.until.0 - early_ms));
        let answer = SecurityKey::new(2).create(&registration.options);
        let registered = world.finish_key(&dana, registration.id, &answer).await;
        assert_eq!(registered.is_ok(), taken, "{registered:?}");
        if taken {
            let serial = world.engine.devices(&dana)[0].serial.clone();
            world.take(&dana, &serial).await.unwrap();
        }
        let step = world.touch(&lee, attempt, asked.id, &key().at(1).get(&asked.options)).await.unwrap();
        assert_eq!(is_in(&step), taken, "{step:?}");
    }
    let attempt = world.begin_sign_in(&lee).await;
    world.clock.advance_s(599);
    let asked = world.offer(&lee, attempt).await;
    world.clock.advance_s(1);
    let late = world.touch(&lee, attempt, asked.id, &key().at(2).get(&asked.options)).await;
    assert_eq!(refused(late), Rejection::ChallengeUnknown, "the sign-in is over before its challenge");
}

/// The bytes of a challenge outlive the engine that made it, and its principal's time in memory.
#[tokio::test]
async fn a_challenge_survives_a_restart_and_a_passivation() {
    let (backend, ring) = (MemoryBackend::new(), Arc::new(EphemeralKeyRing::new().unwrap()));
    let open = || Arc::new(MemoryJournal::with_backend(backend.clone(), ring.clone(), Options::default()).unwrap());
    let brief = Limits { resident_max: 1, idle: Duration::ZERO, snapshot_every: 1, ..Limits::default() };
    for limits in [Limits::default(), brief] {
        let number = u8::try_from(limits.resident_max.min(9)).unwrap();
        let key = SecurityKey::new(number);
        let world = World::on(open(), ring.clone(), Policy::modern(), limits).await;
        let lee = world.user(&format!("lee{number}")).await;
        let registration = world.begin_key(&lee, KeyForm::SecurityKey).await;
        world.engine.close().await.unwrap();
        drop(world);

        let world = World::on(open(), ring.clone(), Policy::modern(), limits).await;
        world.user(&format!("other{number}")).await;
        let made = world.finish_key(&lee, registration.id, &key.create(&registration.options)).await;
        assert!(matches!(made, Ok(KeyRegistration::Registered(_))));
        let attempt = world.begin_sign_in(&lee).await;
        let asked = world.offer(&lee, attempt).await;
        world.engine.close().await.unwrap();
        drop(world);

        let world = World::on(open(), ring.clone(), Policy::modern(), limits).await;
        let answer = key.at(5).get(&asked.options);
        assert!(is_in(&world.touch(&lee, attempt, asked.id, &answer).await.unwrap()));
        let again = world.touch(&lee, attempt, asked.id, &answer).await;
        assert_eq!(refused(again), Rejection::ChallengeUnknown);
        world.engine.close().await.unwrap();
        drop(world);

        let world = World::on(open(), ring.clone(), Policy::modern(), limits).await;
        let again = world.touch(&lee, attempt, asked.id, &answer).await;
        assert_eq!(refused(again), Rejection::ChallengeUnknown, "spent before the restart, spent after it");
        world.engine.close().await.unwrap();
    }
}

// ---- NT-28: what is not this user's touch of this key for this page is refused ----

#[tokio::test]
async fn an_answer_for_another_page_party_challenge_or_without_a_touch_is_refused_and_recorded() {
    let world = World::new(Policy::modern()).await;
    let (lee, _) = world.keyed("lee", &key()).await;
    let wrongs = |key: SecurityKey| {
        [
            (SecurityKey { origin: "https://evil.example".to_owned(), ..key.clone() }, KeyFault::Origin),
            (SecurityKey { origin: "http://localhost.evil.example".to_owned(), ..key.clone() }, KeyFault::Origin),
            (SecurityKey { party: "evil.example".to_owned(), ..key.clone() }, KeyFault::RelyingParty),
            (SecurityKey { challenge: Some(vec![7; 32]), ..key.clone() }, KeyFault::Challenge),
            (SecurityKey { present: false, ..key }, KeyFault::UserNotPresent),
        ]
    };
    let mut expected = Vec::new();
    for (wrong, fault) in wrongs(SecurityKey::new(2)) {
        let asked = world.begin_key(&lee, KeyForm::SecurityKey).await;
        let made = world.finish_key(&lee, asked.id, &wrong.create(&asked.options)).await;
        assert_eq!(made, Ok(KeyRegistration::Refused(KeyRefusal::NotAccepted)), "the door does not say why");
        expected.push(fault);
    }
    world.clock.advance_s(180);
    let attempt = world.begin_sign_in(&lee).await;
    let stranger = (SecurityKey::new(3), KeyFault::UnknownCredential);
    let spoilt = (SecurityKey { spoilt: true, ..key() }, KeyFault::Signature);
    let renamed = (SecurityKey { handle: Some(vec![1; 16]), ..key() }, KeyFault::UnknownCredential);
    let forger = (SecurityKey { id: key().id, ..SecurityKey::new(3) }, KeyFault::Signature);
    for (wrong, fault) in wrongs(key()).into_iter().chain([stranger, spoilt, renamed, forger]) {
        let asked = world.offer(&lee, attempt).await;
        let step = world.touch(&lee, attempt, asked.id, &wrong.at(1).get(&asked.options)).await.unwrap();
        assert_eq!(step, SignInStep::Refused(Refusal::Wrong), "nor here");
        expected.push(fault);
    }
    for nonsense in ["", "{}", "null", &"[".repeat(70_000), r#"{"id":"","rawId":"","type":"public-key","response":{}}"#]
    {
        let asked = world.offer(&lee, attempt).await;
        assert!(refused_step(&world.touch(&lee, attempt, asked.id, nonsense).await.unwrap()));
        expected.push(KeyFault::Malformed);
    }
    assert_eq!(faults(&world), expected, "the log does");
    let asked = world.offer(&lee, attempt).await;
    assert!(is_in(&world.touch(&lee, attempt, asked.id, &key().at(1).get(&asked.options)).await.unwrap()));
}

#[tokio::test]
async fn a_passkey_verifies_its_user_and_each_form_is_asked_by_itself() {
    let world = World::new(Policy::modern()).await;
    let lee = world.user("lee").await;
    let unverified = SecurityKey { verified: false, ..key() };
    let made = world.register(&lee, &unverified, KeyForm::Passkey).await;
    assert_eq!(made, Ok(KeyRegistration::Refused(KeyRefusal::NotAccepted)));
    let made = world.register(&lee, &key(), KeyForm::Passkey).await;
    assert!(matches!(made, Ok(KeyRegistration::Registered(_))));
    assert!(matches!(
        world.register(&lee, &SecurityKey { verified: false, ..SecurityKey::new(2) }, KeyForm::SecurityKey).await,
        Ok(KeyRegistration::Registered(_))
    ));
    let attempt = world.begin_sign_in(&lee).await;
    let touched = world.offer(&lee, attempt).await;
    assert_eq!(asked_for(&touched.options), [SecurityKey::new(2).id]);
    let passkey = world.engine.offer_key(at_console(&lee), &lee, attempt, KeyForm::Passkey).await.unwrap().value;
    assert_eq!(asked_for(&passkey.options), [key().id]);
    let step = world.touch(&lee, attempt, passkey.id, &unverified.at(1).get(&passkey.options)).await.unwrap();
    assert!(refused_step(&step), "a touch alone is not what a passkey promised");
    let step = world.touch(&lee, attempt, touched.id, &SecurityKey::new(2).at(1).get(&touched.options)).await.unwrap();
    assert!(is_in(&step));
}

// ---- NT-29: two keys with one secret ----

#[tokio::test]
async fn a_counter_that_goes_back_makes_a_key_suspect_and_its_others_stay_good() {
    let world = World::new(Policy::modern()).await;
    let (lee, serial) = world.keyed("lee", &key().at(5)).await;
    world.registered(&lee, &SecurityKey::new(2)).await;
    assert!(is_in(&world.sign_in_by_touch(&lee, &key().at(7)).await.unwrap()));
    assert_eq!(view(&world, &lee), (false, KeyForm::SecurityKey));
    for (counter, fault) in [(7, KeyFault::CounterRegressed), (8, KeyFault::SuspectedClone)] {
        assert!(refused_step(&world.sign_in_by_touch(&lee, &key().at(counter)).await.unwrap()));
        assert_eq!(faults(&world).last(), Some(&fault));
        assert_eq!(view(&world, &lee), (true, KeyForm::SecurityKey), "and the administrator sees it");
    }
    assert!(is_in(&world.sign_in_by_touch(&lee, &SecurityKey::new(2).at(1)).await.unwrap()), "the user's other key");
    world.take(&lee, &serial).await.unwrap();
    world.registered(&lee, &key().at(9)).await;
    assert!(is_in(&world.sign_in_by_touch(&lee, &key().at(10)).await.unwrap()), "registered anew, it starts clean");
}

/// Two challenges that are open at once are judged by the counter of the log, not by the one they were made with.
#[tokio::test]
async fn of_two_answers_out_of_order_the_older_counter_is_a_regression() {
    let world = World::new(Policy::classic()).await;
    let (lee, _) = world.keyed("lee", &key()).await;
    let (one, two) = (world.begin_sign_in(&lee).await, world.begin_sign_in(&lee).await);
    let (first, second) = (world.offer(&lee, one).await, world.offer(&lee, two).await);
    assert!(is_in(&world.touch(&lee, two, second.id, &key().at(6).get(&second.options)).await.unwrap()));
    assert!(refused_step(&world.touch(&lee, one, first.id, &key().at(5).get(&first.options)).await.unwrap()));
    assert!(view(&world, &lee).0);
}

#[tokio::test]
async fn a_key_that_does_not_count_says_zero_and_one_that_counts_never_again() {
    let world = World::new(Policy::classic()).await;
    let (lee, _) = world.keyed("lee", &key()).await;
    for _ in 0..3 {
        assert!(is_in(&world.sign_in_by_touch(&lee, &key()).await.unwrap()), "0 after 0");
    }
    assert!(is_in(&world.sign_in_by_touch(&lee, &key().at(u32::MAX)).await.unwrap()));
    assert!(refused_step(&world.sign_in_by_touch(&lee, &key()).await.unwrap()), "0 after the last");
    assert!(view(&world, &lee).0);
}

/// A copy of a real one: whichever comes second is found out.
#[tokio::test]
async fn a_copied_token_is_found_out() {
    let world = World::new(Policy::classic()).await;
    let lee = world.user("lee").await;
    let mut token = Soft::token();
    let asked = world.begin_key(&lee, KeyForm::SecurityKey).await;
    world.finish_key(&lee, asked.id, &token.create(&asked.options)).await.unwrap();
    let mut copy = token.copied().unwrap();
    for (hand, taken) in [(&mut token, true), (&mut copy, false)] {
        let attempt = world.begin_sign_in(&lee).await;
        let asked = world.offer(&lee, attempt).await;
        let answer = hand.get(&asked.options).unwrap();
        assert_eq!(is_in(&world.touch(&lee, attempt, asked.id, &answer).await.unwrap()), taken);
    }
    assert_eq!(faults(&world), [KeyFault::CounterRegressed]);
}

// ---- NT-30, NT-24: one credential, one device ----

#[tokio::test]
async fn a_credential_is_registered_once_anywhere_and_free_again_afterwards() {
    let world = World::new(Policy::modern()).await;
    let (lee, serial) = world.keyed("lee", &key()).await;
    let dana = world.user("dana").await;
    let elsewhere = AccountId::from_number(999_999_999_999).unwrap();
    world.engine.open_account(operator(), elsewhere, name("root")).await.unwrap();
    let root = PrincipalId::Root(elsewhere);
    let taken = Ok(KeyRegistration::Refused(KeyRefusal::AlreadyRegistered));
    for who in [&lee, &dana, &root] {
        assert_eq!(world.register(who, &key().at(3), KeyForm::SecurityKey).await, taken, "{who}");
        assert_eq!(world.register(who, &key().at(3), KeyForm::Passkey).await, taken, "nor in another form");
    }
    world.take(&lee, &serial).await.unwrap();
    world.registered(&root, &key()).await;
    assert_eq!(world.register(&lee, &key(), KeyForm::SecurityKey).await, taken);
    let theirs = world.engine.devices(&root)[0].serial.clone();
    world.take(&root, &theirs).await.unwrap();
    world.registered(&dana, &key()).await;
    world.engine.remove_user(operator(), &dana, Removal::TakeDevices).await.unwrap();
    world.registered(&lee, &key()).await;
    assert_eq!(faults(&world), [KeyFault::AlreadyRegistered; 7]);
}

// ---- NT-22, NT-23 ----

#[tokio::test]
async fn a_key_counts_from_the_end_of_its_registration_to_its_deactivation() {
    let world = World::new(Policy::classic()).await;
    let lee = world.user("lee").await;
    let asked = world.begin_key(&lee, KeyForm::SecurityKey).await;
    let step = world.engine.begin_sign_in(at_console(&lee), &lee).await.unwrap().value;
    let SignInStep::SignedIn(done) = step else { panic!("a key that was only asked for satisfies nothing: {step:?}") };
    assert_eq!(done.credential(), Credential::Session { mfa_at: None });
    assert!(world.engine.devices(&lee).is_empty());
    world.finish_key(&lee, asked.id, &key().create(&asked.options)).await.unwrap();
    let serial = world.engine.devices(&lee)[0].serial.clone();

    let attempt = world.begin_sign_in(&lee).await;
    let asked = world.offer(&lee, attempt).await;
    world.take(&lee, &serial).await.unwrap();
    assert!(world.engine.devices(&lee).is_empty() && world.engine.device(&serial).is_none(), "gone from every view");
    assert!(world.engine.users_with(world.account, DeviceKind::SecurityKey, None, 9).is_empty());
    assert_eq!(world.engine.account(world.account).unwrap().devices_in_use, 0);
    let step = world.touch(&lee, attempt, asked.id, &key().at(1).get(&asked.options)).await.unwrap();
    assert!(refused_step(&step), "the challenge was open, the key is gone");
    assert_eq!(faults(&world), [KeyFault::UnknownCredential]);
    let offered = world.engine.offer_key(at_console(&lee), &lee, attempt, KeyForm::SecurityKey).await;
    assert_eq!(refused(offered), Rejection::FactorUnknown);
}

#[tokio::test]
async fn two_registrations_that_are_open_at_once_disturb_neither_each_other_nor_the_active_device() {
    let world = World::new(Policy { devices_per_principal_max: 2, ..Policy::modern() }).await;
    let (lee, _) = world.keyed("lee", &key()).await;
    let (one, two) = (world.begin_key(&lee, KeyForm::SecurityKey).await, world.begin_key(&lee, KeyForm::Passkey).await);
    assert!(is_in(&world.sign_in_by_touch(&lee, &key().at(1)).await.unwrap()));
    let made = world.finish_key(&lee, two.id, &SecurityKey::new(2).create(&two.options)).await;
    assert!(matches!(made, Ok(KeyRegistration::Registered(_))));
    let full = world.finish_key(&lee, one.id, &SecurityKey::new(3).create(&one.options)).await;
    assert_eq!(refused(full), Rejection::PrincipalDeviceLimit { max: 2 });
    assert!(is_in(&world.sign_in_by_touch(&lee, &key().at(2)).await.unwrap()));
}

/// R79: never without a device, and the old one is gone in the same instant.
#[tokio::test]
async fn a_replacement_takes_the_old_device_away_when_the_new_key_is_proven_and_not_before() {
    let world = World::new(Policy { devices_per_principal_max: 1, ..Policy::modern() }).await;
    let (lee, old) = world.keyed("lee", &key()).await;
    let begin = async || {
        let begun =
            world.engine.begin_key_registration(proven(&lee), &lee, name("red"), KeyForm::SecurityKey, Some(&old));
        begun.await.unwrap().value
    };
    let asked = begin().await;
    let same = world.finish_key(&lee, asked.id, &key().create(&asked.options)).await;
    assert_eq!(same, Ok(KeyRegistration::Refused(KeyRefusal::AlreadyRegistered)), "a key does not replace itself");
    assert_eq!(world.engine.devices(&lee)[0].serial, old);
    let asked = begin().await;
    let new = SecurityKey::new(2);
    world.finish_key(&lee, asked.id, &new.create(&asked.options)).await.unwrap();
    let devices = world.engine.devices(&lee);
    assert!(devices.len() == 1 && devices[0].serial != old);
    let replaced =
        |event: &Event| matches!(event, Event::DeviceDeactivated(e) if e.reason == DeactivateReason::Replaced);
    assert_eq!(world.count(replaced), 1);
    assert!(is_in(&world.sign_in_by_touch(&lee, &new.at(1)).await.unwrap()));
    assert!(refused_step(&world.sign_in_by_touch(&lee, &key().at(9)).await.unwrap()));
    world.user("dana").await;
    world.registered(&world.principal("dana"), &key()).await;
}
