//! Signing in (NT-14, NT-17, NT-26, NT-27, NT-31, NT-32; R97..R108, A6).

use std::net::IpAddr;

use countersign::domain::event::{Event, SignInFactor, SignInFault};
use countersign::testing::SecurityKey;
use countersign::*;

use super::refused;
use crate::door::{at_console, is_in, proven, refused_step};
use crate::support::{Phone, START_S, World, events, name, narrow, operator};

fn credential(step: &SignInStep) -> Credential {
    match step {
        SignInStep::SignedIn(done) => done.credential(),
        other => panic!("not in: {other:?}"),
    }
}

// ---- NT-31: what a session rests on ----

#[tokio::test]
async fn each_sign_in_is_a_new_one_and_rests_on_what_was_proven_in_it() {
    let world = World::new(narrow(Policy::modern())).await;
    let lee = world.user("lee").await;
    let bare = world.engine.begin_sign_in(at_console(&lee), &lee).await.unwrap().value;
    assert_eq!(credential(&bare), Credential::Session { mfa_at: None }, "R98, R105");
    let phone = world.phone("phone").await;
    assert_eq!(world.enable(&lee, &phone, START_S).await, Ok(Proof::Accepted));
    world.registered(&lee, &SecurityKey::new(1)).await;
    world.clock.advance_s(90);
    let (one, two) = (world.begin_sign_in(&lee).await, world.begin_sign_in(&lee).await);
    assert_ne!(one, two, "the id is new each time");
    let by_phone = world.type_code(&lee, one, &phone.serial, phone.at(world.now())).await.unwrap();
    assert_eq!(credential(&by_phone), Credential::Session { mfa_at: Some(world.clock.now()) });
    let again = world.type_code(&lee, one, &phone.serial, phone.at(world.now() + 30)).await;
    assert_eq!(refused(again), Rejection::ChallengeUnknown, "a sign-in is completed once");
    world.clock.advance_s(7);
    let asked = world.offer(&lee, two).await;
    let by_key = world.touch(&lee, two, asked.id, &SecurityKey::new(1).at(1).get(&asked.options)).await.unwrap();
    assert_eq!(credential(&by_key), Credential::Session { mfa_at: Some(world.clock.now()) });
    let factors = events(&*world.journal).into_iter().filter_map(|(_, event)| match event {
        Event::SignedIn(done) => Some(done.factor),
        _ => None,
    });
    let expected = [SignInFactor::Nothing, SignInFactor::Device, SignInFactor::Device];
    assert_eq!(factors.collect::<Vec<_>>(), expected);
}

/// NT-23: what was proven is gone with the device; nobody is in by a second factor that is none any more.
#[tokio::test]
async fn a_device_that_goes_takes_its_open_sign_ins_along() {
    let world = World::new(narrow(Policy::modern())).await;
    let (lee, phone) = world.equipped("lee").await;
    world.clock.advance_s(90);
    let attempt = world.begin_sign_in(&lee).await;
    world.deactivate(&lee, &phone).await.unwrap();
    let typed = world.type_code(&lee, attempt, &phone.serial, phone.at(world.now())).await;
    assert_eq!(refused(typed), Rejection::DeviceNotYours);
    assert!(world.engine.sign_in_factors(&lee, FactorOf::Own).is_empty());
    let anew = world.engine.begin_sign_in(at_console(&lee), &lee).await.unwrap().value;
    assert_eq!(credential(&anew), Credential::Session { mfa_at: None }, "with the password anew");
}

// ---- NT-14, NT-17: budgets ----

/// R91: the door and the API have one budget, and another sign-in refreshes nothing.
#[tokio::test]
async fn a_sign_in_spends_the_devices_budget_and_another_one_gives_none_back() {
    let world = World::new(narrow(Policy::classic())).await;
    let (lee, phone) = world.equipped("lee").await;
    let mut wrong = phone.wrong(START_S);
    for number in 0..9 {
        let code = wrong.next().unwrap();
        if number % 2 == 0 {
            let attempt = world.begin_sign_in(&lee).await;
            assert!(refused_step(&world.type_code(&lee, attempt, &phone.serial, code).await.unwrap()));
        } else {
            let proof = world.verify(&lee, &phone, code, Purpose::SessionToken).await;
            assert_eq!(proof, Ok(Proof::Refused(Refusal::Wrong)));
        }
    }
    let attempt = world.begin_sign_in(&lee).await;
    let right = world.type_code(&lee, attempt, &phone.serial, phone.at(START_S + 60)).await.unwrap();
    let other = world.type_code(&lee, attempt, &phone.serial, wrong.next().unwrap()).await.unwrap();
    assert!(matches!(right, SignInStep::Refused(Refusal::Locked { .. })), "{right:?}");
    assert_eq!(right, other, "NT-17: the same for a right and a wrong one");
    let told = |event: &Event| matches!(event, Event::SignInRefused(e) if e.fault == SignInFault::Locked);
    assert_eq!(world.count(told), 1, "told once");
    world.clock.advance_s(180);
    let step = world.type_code(&lee, attempt, &phone.serial, phone.at(world.now())).await.unwrap();
    assert!(is_in(&step), "R99: the attempt was open all the while");
}

#[tokio::test]
async fn fifty_refused_proofs_end_a_sign_in() {
    let world = World::new(Policy::classic()).await;
    let (lee, _) = world.keyed("lee", &SecurityKey::new(1)).await;
    let attempt = world.begin_sign_in(&lee).await;
    let asked = world.offer(&lee, attempt).await;
    let nothing = ChallengeId::from_bytes([9; 16]);
    for number in 0..50 {
        let step = world.touch(&lee, attempt, nothing, "{}").await.unwrap();
        assert!(refused_step(&step), "{number}");
    }
    let answer = SecurityKey::new(1).at(1).get(&asked.options);
    assert_eq!(refused(world.touch(&lee, attempt, asked.id, &answer).await), Rejection::ChallengeUnknown);
}

/// The oldest of seventeen makes room, and what is over is not brought back by a clock set back.
#[tokio::test]
async fn sixteen_sign_ins_are_open_at_a_time() {
    let world = World::new(narrow(Policy::classic())).await;
    let (lee, phone) = world.equipped("lee").await;
    let mut attempts = Vec::new();
    for _ in 0..17 {
        attempts.push(world.begin_sign_in(&lee).await);
    }
    let code = |world: &World| phone.at(world.now());
    world.clock.advance_s(90);
    let first = world.type_code(&lee, attempts[0], &phone.serial, code(&world)).await;
    assert_eq!(refused(first), Rejection::ChallengeUnknown);
    assert!(is_in(&world.type_code(&lee, attempts[1], &phone.serial, code(&world)).await.unwrap()));
    world.clock.advance_s(510);
    let late = world.type_code(&lee, attempts[2], &phone.serial, code(&world)).await;
    assert_eq!(refused(late), Rejection::ChallengeUnknown, "ten minutes");
    world.begin_sign_in(&lee).await;
    world.clock.set(UnixMillis::from_secs(world.now() - 30));
    let late = world.type_code(&lee, attempts[2], &phone.serial, code(&world)).await;
    assert_eq!(refused(late), Rejection::ChallengeUnknown, "what was over stays over");
}

/// R129: whoever typed the old password starts over, with whatever was asked and sent until then.
#[tokio::test]
async fn a_new_password_ends_the_sign_ins_that_the_old_one_began() {
    let world = World::new(Policy { sms_enrolment: true, ..narrow(Policy::modern()) }).await;
    let (lee, serial) = world.texted("lee").await;
    world.registered(&lee, &SecurityKey::new(1)).await;
    let (one, two) = (world.begin_sign_in(&lee).await, world.begin_sign_in(&lee).await);
    let asked = world.offer(&lee, one).await;
    world.send(&lee, two, &serial).await.unwrap();
    let registration = world.begin_key(&lee, KeyForm::SecurityKey).await;
    let stranger = Caller::at_console(PrincipalId::Root(AccountId::from_number(1).unwrap()), None);
    let by_stranger = world.engine.end_sign_ins(Request::by(stranger), &lee).await;
    assert_eq!(refused(by_stranger), Rejection::ChannelNotAllowed);
    world.engine.end_sign_ins(proven(&lee), &lee).await.unwrap();
    let answer = SecurityKey::new(1).at(1).get(&asked.options);
    assert_eq!(refused(world.touch(&lee, one, asked.id, &answer).await), Rejection::ChallengeUnknown);
    let typed = world.type_code(&lee, two, &serial, world.last_code()).await;
    assert_eq!(refused(typed), Rejection::ChallengeUnknown);
    let made = world.finish_key(&lee, registration.id, &SecurityKey::new(2).create(&registration.options)).await;
    assert_eq!(refused(made), Rejection::ChallengeUnknown);
    assert!(is_in(&world.sign_in_by_touch(&lee, &SecurityKey::new(1).at(1)).await.unwrap()), "with the new one");
}

// ---- NT-32: nothing tells which ----

#[tokio::test]
async fn a_key_is_refused_alike_whatever_is_wrong_with_it() {
    let world = World::new(Policy::modern()).await;
    let (lee, _) = world.keyed("lee", &SecurityKey::new(1).at(9)).await;
    world.registered(&lee, &SecurityKey::new(2)).await;
    let attempt = world.begin_sign_in(&lee).await;
    let stranger = SecurityKey::new(3).at(1);
    let forged = SecurityKey { spoilt: true, ..SecurityKey::new(2).at(1) };
    let copied = SecurityKey::new(1).at(1);
    for key in [stranger, forged, copied.clone(), copied.at(99)] {
        let asked = world.offer(&lee, attempt).await;
        let step = world.touch(&lee, attempt, asked.id, &key.get(&asked.options)).await.unwrap();
        assert_eq!(step, SignInStep::Refused(Refusal::Wrong));
    }
}

// ---- A6, R5: two roots of one e-mail address ----

struct Twins {
    world: World,
    root: PrincipalId,
    twin: PrincipalId,
    own: Phone,
    theirs: Phone,
}

impl Twins {
    /// Both have a token; the tokens have one secret, so that they show the same digits.
    async fn new() -> Self {
        let world = World::new(narrow(Policy::classic())).await;
        let other = AccountId::from_number(999_999_999_999).unwrap();
        world.engine.open_account(operator(), other, name("root")).await.unwrap();
        let (root, twin) = (PrincipalId::Root(world.account), PrincipalId::Root(other));
        let mut tokens = Vec::new();
        for (who, serial) in [(&root, "GAHT00000001"), (&twin, "GAHT00000002")] {
            let token = Phone { serial: Serial::new(serial).unwrap(), secret: vec![7; 20] };
            let seed = Seed::new(token.secret.clone()).unwrap();
            world.engine.import_hardware_token(operator(), &token.serial, seed, "maker").await.unwrap();
            let (first, second) = token.pair(world.now());
            world.engine.enable(proven(who), who, &token.serial, first, second).await.unwrap();
            tokens.push(token);
        }
        world.clock.advance_s(90);
        let theirs = tokens.pop().unwrap();
        Self { world, root, twin, own: tokens.pop().unwrap(), theirs }
    }

    async fn link(&self, both: bool) {
        let (engine, here, there) = (&self.world.engine, self.root.account(), self.twin.account());
        engine.link_root(operator(), here, Some(there)).await.unwrap();
        if both {
            engine.link_root(operator(), there, Some(here)).await.unwrap();
        }
    }

    async fn begin(&self) -> (AttemptId, FactorOf) {
        match self.world.engine.begin_sign_in(at_console(&self.root), &self.root).await.unwrap().value {
            SignInStep::Wanted { attempt, of, .. } => (attempt, of),
            other => panic!("{other:?}"),
        }
    }

    async fn type_code(&self, attempt: AttemptId, device: &Phone, steps: u64) -> Result<SignInStep, Error> {
        let code = device.at(self.world.now() + 30 * steps);
        self.world.type_code(&self.root, attempt, &device.serial, code).await
    }
}

#[tokio::test]
async fn linked_roots_are_asked_for_two_different_codes_the_others_first() {
    let twins = Twins::new().await;
    twins.link(true).await;
    let (attempt, of) = twins.begin().await;
    assert_eq!(of, FactorOf::Associate);
    let factors = |of| twins.world.engine.sign_in_factors(&twins.root, of);
    assert_eq!(factors(FactorOf::Associate)[0].serial, twins.theirs.serial);
    assert_eq!(refused(twins.type_code(attempt, &twins.own, 0).await), Rejection::FactorUnknown, "not yet");
    let step = twins.type_code(attempt, &twins.theirs, 0).await.unwrap();
    assert!(matches!(step, SignInStep::Wanted { of: FactorOf::Own, .. }), "{step:?}");
    assert_eq!(refused(twins.type_code(attempt, &twins.theirs, 1).await), Rejection::FactorUnknown, "not again");
    assert!(refused_step(&twins.type_code(attempt, &twins.own, 0).await.unwrap()), "the same digits");
    let step = twins.type_code(attempt, &twins.own, 1).await.unwrap();
    let SignInStep::SignedIn(done) = step else { panic!("{step:?}") };
    assert_eq!(done.by, SignedInBy::Device(twins.own.serial.clone()));
    assert_eq!(twins.world.count(|event| matches!(event, Event::SignedIn(_))), 1, "one event for both");

    let (attempt, _) = twins.begin().await;
    let spent = twins.type_code(attempt, &twins.theirs, 0).await.unwrap();
    assert!(refused_step(&spent), "the other's code was spent by the first sign-in");
    assert_eq!(refused(twins.type_code(attempt, &twins.own, 2).await), Rejection::FactorUnknown, "and that fails it");
}

#[tokio::test]
async fn a_link_counts_when_both_say_so_and_the_other_has_codes() {
    let twins = Twins::new().await;
    twins.link(false).await;
    let (attempt, of) = twins.begin().await;
    assert_eq!(of, FactorOf::Own, "one alone could ask for the other's device");
    let foreign = twins.type_code(attempt, &twins.theirs, 0).await;
    assert_eq!(refused(foreign), Rejection::DeviceNotYours);
    twins.link(true).await;
    assert_eq!(twins.begin().await.1, FactorOf::Associate);
    let reason = DeactivateReason::Requested;
    let (engine, twin) = (&twins.world.engine, &twins.twin);
    engine.deactivate(proven(twin), twin, &twins.theirs.serial, reason).await.unwrap();
    assert_eq!(twins.begin().await.1, FactorOf::Own, "who has no device is not asked for one");
    let key = SecurityKey::new(1);
    twins.world.registered(twin, &key).await;
    assert_eq!(twins.begin().await.1, FactorOf::Own, "nor for one that shows no codes");
    let itself = engine.link_root(operator(), twins.root.account(), Some(twins.root.account())).await;
    assert_eq!(refused(itself), Rejection::ChannelNotAllowed);
}

#[tokio::test]
async fn a_root_without_a_device_of_its_own_is_in_by_the_linked_ones() {
    let twins = Twins::new().await;
    twins.link(true).await;
    let reason = DeactivateReason::Requested;
    let (world, root) = (&twins.world, &twins.root);
    world.engine.deactivate(proven(root), root, &twins.own.serial, reason).await.unwrap();
    let (attempt, of) = twins.begin().await;
    assert_eq!(of, FactorOf::Associate);
    let step = twins.type_code(attempt, &twins.theirs, 0).await.unwrap();
    let SignInStep::SignedIn(done) = step else { panic!("{step:?}") };
    assert_eq!(done.by, SignedInBy::Device(twins.theirs.serial.clone()));
    assert!(done.credential().has_mfa());
}

/// The same command again gets the answer that it got (R96), and is not evaluated again.
#[tokio::test]
async fn a_retried_code_of_the_linked_root_is_answered_as_before() {
    let twins = Twins::new().await;
    twins.link(true).await;
    let (world, root) = (&twins.world, &twins.root);
    let (attempt, _) = twins.begin().await;
    let send = |id: u8, code: Code| {
        let by = at_console(root).with_command(CommandId::from_bytes([id; 16]));
        let (engine, root, serial) = (world.engine.clone(), root.clone(), twins.theirs.serial.clone());
        async move { engine.sign_in_with_code(by, &root, attempt, &serial, code).await }
    };
    let wrong = twins.theirs.wrong(world.now()).next().unwrap();
    let first = send(1, wrong.clone()).await;
    for _ in 0..2 {
        assert_eq!(send(1, wrong.clone()).await, first, "a refused one");
    }
    let evaluated = |event: &Event| matches!(event, Event::CodeRefused(_) | Event::CodeAccepted(_));
    assert_eq!(world.count(evaluated), 1, "evaluated once");
    let right = twins.theirs.at(world.now());
    let first = send(2, right.clone()).await;
    assert!(
        matches!(&first, Ok(ack) if matches!(ack.value, SignInStep::Wanted { of: FactorOf::Own, .. })),
        "{first:?}"
    );
    assert_eq!(send(2, right).await, first, "an accepted one");
    assert_eq!(world.count(evaluated), 2);
}

/// As above, for codes that were refused, whatever came between.
#[tokio::test]
async fn a_refused_code_of_the_linked_root_is_answered_as_before_whatever_came_between() {
    let twins = Twins::new().await;
    twins.link(true).await;
    let (world, root) = (&twins.world, &twins.root);
    let send = |id: u8, attempt: AttemptId, code: Code| {
        let by = at_console(root).with_command(CommandId::from_bytes([id; 16]));
        let (engine, root, serial) = (world.engine.clone(), root.clone(), twins.theirs.serial.clone());
        async move { engine.sign_in_with_code(by, &root, attempt, &serial, code).await }
    };
    let mut wrong = twins.theirs.wrong(world.now());
    let (attempt, _) = twins.begin().await;
    let code = wrong.next().unwrap();
    let first = send(1, attempt, code.clone()).await;
    send(2, attempt, twins.theirs.at(world.now())).await.unwrap();
    assert_eq!(send(1, attempt, code).await, first, "the turn is over");

    let (attempt, _) = twins.begin().await;
    for code in wrong.by_ref().take(7) {
        twins.world.type_code(root, attempt, &twins.theirs.serial, code).await.unwrap();
    }
    let right = twins.theirs.at(world.now() + 30);
    let spends = send(3, attempt, right.clone()).await;
    assert!(
        matches!(&spends, Ok(ack) if matches!(ack.value, SignInStep::Refused(Refusal::Locked { .. }))),
        "{spends:?}"
    );
    let locked = send(4, attempt, right.clone()).await;
    assert_eq!(send(3, attempt, right.clone()).await, spends, "the one that told of the lock");
    assert_eq!(send(4, attempt, right.clone()).await, locked, "one that came later");
    world.clock.advance_s(180);
    assert_eq!(send(4, attempt, right).await, locked, "when the lock is over");

    let (attempt, _) = twins.begin().await;
    let right = twins.theirs.at(world.now());
    let proven = send(5, attempt, right.clone()).await;
    assert!(matches!(&proven, Ok(ack) if matches!(ack.value, SignInStep::Wanted { .. })), "{proven:?}");
    let (twin, reason) = (&twins.twin, DeactivateReason::Requested);
    world.engine.deactivate(crate::door::proven(twin), twin, &twins.theirs.serial, reason).await.unwrap();
    assert_eq!(send(5, attempt, right).await, proven, "when the device is gone");
}

// ---- the order of reasons ----

/// A principal that is not there is told before anything else, then whether the sign-in is open.
#[tokio::test]
async fn what_is_asked_in_no_sign_in_says_so() {
    let world = World::new(Policy::classic()).await;
    let (nobody, lee) = (world.principal("nobody"), world.user("lee").await);
    let attempt = AttemptId::from_bytes([1; 16]);
    for (who, expected) in [(&nobody, Rejection::PrincipalUnknown), (&lee, Rejection::ChallengeUnknown)] {
        let by = || at_console(who);
        let serial = Serial::new("GAHT00000001").unwrap();
        let code = Code::parse("123456").unwrap();
        let engine = &world.engine;
        let told = [
            engine.sign_in_with_code(by(), who, attempt, &serial, code).await.map(drop),
            engine.sign_in_with_key(by(), who, attempt, ChallengeId::from_bytes([1; 16]), "{}").await.map(drop),
            engine.offer_key(by(), who, attempt, KeyForm::SecurityKey).await.map(drop),
            engine.send_sign_in_code(by(), who, attempt, &serial).await.map(drop),
            engine.send_recovery_mail(by(), who, attempt, "a@example.com").await.map(drop),
            engine.finish_recovery(by(), who, attempt).await.map(drop),
        ];
        for (number, answer) in told.into_iter().enumerate() {
            assert_eq!(refused(answer), expected, "{number}");
        }
    }
}

// ---- NT-27: who, why, and where from ----

#[tokio::test]
async fn a_deactivation_says_who_and_why_for_every_kind() {
    let world = World::new(Policy { sms_enrolment: true, ..narrow(Policy::modern()) }).await;
    let (lee, phone) = world.equipped("lee").await;
    let key = world.registered(&lee, &SecurityKey::new(1)).await;
    let sent = world.begin_sms(&lee).await.unwrap();
    world.finish_sms(&lee, sent.challenge, world.last_code()).await.unwrap();
    let texts = world.engine.devices(&lee)[2].serial.clone();
    let admin = world.user("admin").await;
    let by_admin = || Request::by(Caller::at_console(admin.clone(), Some(UnixMillis(1))));
    for (serial, reason) in
        [(&phone.serial, DeactivateReason::Lost), (&key, DeactivateReason::Requested), (&texts, DeactivateReason::Lost)]
    {
        world.engine.deactivate(by_admin(), &lee, serial, reason).await.unwrap();
        let log = events(&*world.journal);
        let told = log.iter().rev().find_map(|(_, event)| match event {
            Event::DeviceDeactivated(gone) => Some(gone.clone()),
            _ => None,
        });
        let told = told.unwrap();
        assert_eq!((told.device, told.reason), (serial.stream(), reason));
        assert_eq!((told.by.who, told.by.channel, told.by.mfa), (Some(admin.stream()), Channel::Console, true));
    }
}

/// R108: a password that was refused, changed or locked touches no device.
#[tokio::test]
async fn passwords_and_the_second_factor_leave_each_other_alone() {
    let world = World::new(narrow(Policy::classic())).await;
    let (lee, phone) = world.equipped("lee").await;
    let before = world.engine.devices(&lee);
    let client = Client::new(Some(IpAddr::from([203, 0, 113, 7])), "Firefox/130");
    let from = || operator().from_client(client.clone());
    for _ in 0..20 {
        world.engine.record_password_refused(from(), Some(world.account), Some(&lee)).await.unwrap();
    }
    world.engine.record_passwords_locked(from(), Some(world.account), Some(&lee)).await.unwrap();
    world.engine.record_password_refused(from(), None, None).await.unwrap();
    assert_eq!(world.engine.devices(&lee), before);
    world.clock.advance_s(90);
    let attempt = world.begin_sign_in(&lee).await;
    assert!(is_in(&world.type_code(&lee, attempt, &phone.serial, phone.at(world.now())).await.unwrap()));
    let told = events(&*world.journal).into_iter().filter_map(|(_, event)| match event {
        Event::PasswordRefused(refused) => Some((refused.who.is_some(), refused.client)),
        Event::PasswordsLocked(locked) => Some((locked.who.is_some(), locked.client)),
        _ => None,
    });
    let told: Vec<(bool, Client)> = told.collect();
    assert_eq!(told.len(), 22);
    assert!(told.iter().all(|(_, from)| *from == client));
    assert_eq!(told.iter().filter(|(known, _)| *known).count(), 21);
}

#[tokio::test]
async fn every_step_of_a_sign_in_says_where_from() {
    let world = World::new(Policy::classic()).await;
    let (lee, _) = world.keyed("lee", &SecurityKey::new(1)).await;
    let client = Client::new(Some(IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1])), "a\u{202e}b\n");
    let from = || at_console(&lee).from_client(client.clone());
    let engine = &world.engine;
    let step = engine.begin_sign_in(from(), &lee).await.unwrap().value;
    let SignInStep::Wanted { attempt, .. } = step else { panic!("{step:?}") };
    engine.sign_in_with_key(from(), &lee, attempt, ChallengeId::from_bytes([1; 16]), "{}").await.unwrap();
    let asked = engine.offer_key(from(), &lee, attempt, KeyForm::SecurityKey).await.unwrap().value;
    let answer = SecurityKey::new(1).at(1).get(&asked.options);
    engine.sign_in_with_key(from(), &lee, attempt, asked.id, &answer).await.unwrap();
    let told = events(&*world.journal).into_iter().filter_map(|(_, event)| match event {
        Event::SignInStarted(e) => Some(e.client),
        Event::SignInRefused(e) => Some(e.client),
        Event::SignedIn(e) => Some(e.client),
        _ => None,
    });
    let told: Vec<Client> = told.collect();
    assert_eq!(told.len(), 3);
    assert!(told.iter().all(|from| (from.address(), from.agent()) == ("2001:db8::1", "a?b?")));
}
