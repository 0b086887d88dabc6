//! Codes that are sent by SMS (NT-14, NT-22, NT-23, NT-24, NT-26, NT-41, NT-44).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use countersign::domain::event::{Event, SmsFault};
use countersign::store::{EphemeralKeyRing, MemoryBackend, MemoryJournal, Options};
use countersign::testing::SecurityKey;
use countersign::*;

use super::{TAKEN, WRONG, refused};
use crate::door::{at_console, is_in, number, other_than, proven, refused_step};
use crate::support::{World, events, name, operator};

fn faults(world: &World) -> Vec<SmsFault> {
    let fault = |event: &Event| match event {
        Event::SmsCodeRefused(refused) => Some(refused.fault),
        _ => None,
    };
    events(&*world.journal).iter().filter_map(|(_, event)| fault(event)).collect()
}

// ---- NT-41, A15: the newest code, once, five tries, five minutes ----

#[tokio::test]
async fn a_new_code_makes_the_older_one_worthless() {
    let world = World::new(Policy::classic()).await;
    let (lee, serial) = world.texted("lee").await;
    let attempt = world.begin_sign_in(&lee).await;
    let first = world.send(&lee, attempt, &serial).await.unwrap();
    let old = world.last_code();
    let early = world.engine.send_sign_in_code(at_console(&lee), &lee, attempt, &serial).await;
    assert_eq!(refused(early), Rejection::TooSoon { again_at: first.again_at });
    world.clock.advance_s(30);
    let second = world.send(&lee, attempt, &serial).await.unwrap();
    let new = world.last_code();
    assert_ne!(first.challenge, second.challenge);
    assert!(refused_step(&world.type_code(&lee, attempt, &serial, old.clone()).await.unwrap()));
    assert!(is_in(&world.type_code(&lee, attempt, &serial, new.clone()).await.unwrap()));
    let next = world.begin_sign_in(&lee).await;
    for code in [old, new] {
        assert!(refused_step(&world.type_code(&lee, next, &serial, code).await.unwrap()), "dead after the success");
    }
}

#[tokio::test]
async fn a_code_is_good_for_five_minutes_and_five_tries() {
    let world = World::new(Policy::classic()).await;
    let (lee, serial) = world.texted("lee").await;
    let attempt = world.begin_sign_in(&lee).await;
    let sent = world.send(&lee, attempt, &serial).await.unwrap();
    assert_eq!(sent.until, world.clock.now().plus_ms(300_000));
    world.clock.set(sent.until);
    let code = world.last_code();
    assert!(refused_step(&world.type_code(&lee, attempt, &serial, code).await.unwrap()), "too late");
    world.send(&lee, attempt, &serial).await.unwrap();
    let code = world.last_code();
    for _ in 0..5 {
        assert!(refused_step(&world.type_code(&lee, attempt, &serial, other_than(&code)).await.unwrap()));
    }
    assert!(refused_step(&world.type_code(&lee, attempt, &serial, code).await.unwrap()), "not looked at any more");
    let wrong = [SmsFault::Wrong; 5];
    assert_eq!(faults(&world), [&[SmsFault::Expired][..], &wrong, &[SmsFault::Exhausted]].concat());
    world.clock.advance_s(30);
    world.send(&lee, attempt, &serial).await.unwrap();
    assert!(is_in(&world.type_code(&lee, attempt, &serial, world.last_code()).await.unwrap()), "a new one is");
}

/// NT-14: neither another sign-in nor another enrolment nor a restart has more codes sent.
#[tokio::test]
async fn codes_are_sent_five_times_in_a_quarter_of_an_hour_whatever_they_are_for() {
    let (backend, ring) = (MemoryBackend::new(), Arc::new(EphemeralKeyRing::new().unwrap()));
    let open = || Arc::new(MemoryJournal::with_backend(backend.clone(), ring.clone(), Options::default()).unwrap());
    let on = |journal| World::on(journal, ring.clone(), Policy::classic(), Limits::default());
    let world = on(open()).await;
    world.clock.advance_s(900 - world.now() % 900);
    let (lee, serial) = world.texted("lee").await;
    for _ in 2..=5 {
        let attempt = world.begin_sign_in(&lee).await;
        world.send(&lee, attempt, &serial).await.unwrap();
        world.clock.advance_s(30);
    }
    let again_at = UnixMillis::from_secs((world.now() / 900 + 1) * 900);
    let attempt = world.begin_sign_in(&lee).await;
    let sixth = world.engine.send_sign_in_code(at_console(&lee), &lee, attempt, &serial).await;
    assert_eq!(refused(sixth), Rejection::TooSoon { again_at });
    let now = world.clock.now();
    world.engine.close().await.unwrap();
    drop(world);

    let world = on(open()).await;
    world.clock.set(now);
    world.take(&lee, &serial).await.unwrap();
    let enrolment = world.begin_sms(&lee).await;
    assert_eq!(refused(enrolment), Rejection::TooSoon { again_at }, "a new number does not help either");
    world.clock.set(again_at);
    world.begin_sms(&lee).await.unwrap();
}

struct Broken;

#[async_trait]
impl SmsTransport for Broken {
    async fn submit(&self, _message: SmsMessage) -> Result<SmsAccepted, SmsFailure> {
        Err(SmsFailure::Unavailable)
    }
}

/// A15: who was sent nothing stays on the second page, and may ask again.
#[tokio::test]
async fn a_transport_that_fails_ends_nothing() {
    let clock = ManualClock::at(UnixMillis::from_secs(1_700_000_100));
    let transports = Transports { sms: vec![SmsRoute::new("main", Arc::new(Broken))], ..Transports::default() };
    let limits = Limits { sms_wait: Duration::ZERO, ..Limits::default() };
    let config = Config { transports, limits, clock: Arc::new(clock.clone()), ..Config::default() };
    let engine = Countersign::in_memory(config).unwrap();
    let account = AccountId::from_number(123_456_789_012).unwrap();
    engine.open_account(operator(), account, name("root")).await.unwrap();
    let id = UserId::new("AIDALEE").unwrap();
    engine.register_user(operator(), account, id.clone(), name("lee"), Path::root()).await.unwrap();
    let lee = PrincipalId::User(account, id);
    let enrol = || engine.begin_sms_enrolment(proven(&lee), &lee, number());
    let sent = enrol().await.unwrap().value;
    assert!(matches!(sent.state, SmsState::Waiting | SmsState::Submitting) && !sent.state.is_given_up());
    assert_eq!(refused(enrol().await), Rejection::TooSoon { again_at: sent.again_at });
    clock.advance_s(30);
    assert_ne!(enrol().await.unwrap().value.challenge, sent.challenge);
}

// ---- NT-44: a code for one thing is none for another ----

#[tokio::test]
async fn a_code_counts_for_what_it_was_sent_for() {
    let world = World::new(Policy { sms_enrolment: true, ..Policy::modern() }).await;
    let (lee, serial) = world.texted("lee").await;
    let dana = world.user("dana").await;
    let (one, two) = (world.begin_sign_in(&lee).await, world.begin_sign_in(&lee).await);
    let sent = world.send(&lee, one, &serial).await.unwrap();
    let code = world.last_code();
    assert!(refused_step(&world.type_code(&lee, two, &serial, code.clone()).await.unwrap()), "another sign-in");
    let verified = world.engine.verify_code(at_console(&lee), &lee, &serial, code.clone(), Purpose::StepUp).await;
    assert_eq!(refused(verified), Rejection::DeviceNotYours, "R123: STS and step-ups take no such code");
    assert_eq!(refused(world.finish_sms(&lee, sent.challenge, code.clone()).await), Rejection::ChallengeUnknown);

    let theirs = world.begin_sms(&dana).await.unwrap();
    let enrolment = world.last_code();
    assert_eq!(refused(world.finish_sms(&lee, theirs.challenge, enrolment.clone()).await), Rejection::ChallengeUnknown);
    let wrong = world.finish_sms(&dana, theirs.challenge, other_than(&enrolment)).await;
    assert_eq!(wrong, WRONG);
    assert_eq!(world.finish_sms(&dana, theirs.challenge, enrolment.clone()).await, TAKEN);
    let hers = world.begin_sign_in(&dana).await;
    let phone = world.engine.devices(&dana)[0].serial.clone();
    let step = world.type_code(&dana, hers, &phone, enrolment).await.unwrap();
    assert!(refused_step(&step), "an enrolment's code signs nobody in");
    let foreign = world.type_code(&dana, hers, &serial, code.clone()).await;
    assert_eq!(refused(foreign), Rejection::FactorUnknown, "another's phone");
    assert!(is_in(&world.type_code(&lee, one, &serial, code).await.unwrap()), "where it was sent for it counts");
}

// ---- NT-22, NT-23, NT-24 ----

#[tokio::test]
async fn an_enrolment_is_finished_by_whom_it_is_for_in_its_time_and_counts_from_then_on() {
    let world = World::new(Policy::classic()).await;
    let (lee, mallory) = (world.user("lee").await, world.user("mallory").await);
    let sent = world.begin_sms(&lee).await.unwrap();
    let code = world.last_code();
    assert_eq!(refused(world.finish_sms(&mallory, sent.challenge, code.clone()).await), Rejection::ChallengeUnknown);
    let step = world.engine.begin_sign_in(at_console(&lee), &lee).await.unwrap().value;
    assert!(is_in(&step), "a number that was not proven asks for nothing");
    world.clock.set(sent.until);
    assert_eq!(world.finish_sms(&lee, sent.challenge, code).await, WRONG, "too late");
    let sent = world.begin_sms(&lee).await.unwrap();
    let code = world.last_code();
    assert_eq!(world.finish_sms(&lee, sent.challenge, code.clone()).await, TAKEN);
    let again = world.finish_sms(&lee, sent.challenge, code).await;
    assert_eq!(refused(again), Rejection::ChallengeUnknown);
    assert_eq!(sent.to, world.engine.devices(&lee)[0].phone.clone().unwrap(), "masked alike");
}

#[tokio::test]
async fn a_phone_that_was_taken_away_counts_no_more_at_once_and_its_code_is_dead() {
    let world = World::new(Policy { sms_change_pause_s: 120, ..Policy::classic() }).await;
    let (lee, serial) = world.texted("lee").await;
    let attempt = world.begin_sign_in(&lee).await;
    world.send(&lee, attempt, &serial).await.unwrap();
    let code = world.last_code();
    world.take(&lee, &serial).await.unwrap();
    assert!(world.engine.devices(&lee).is_empty() && world.engine.device(&serial).is_none());
    assert!(world.engine.users_with(world.account, DeviceKind::Sms, None, 9).is_empty());
    let typed = world.type_code(&lee, attempt, &serial, code.clone()).await;
    assert_eq!(refused(typed), Rejection::FactorUnknown);
    let too_soon = refused(world.engine.begin_sms_enrolment(proven(&lee), &lee, number()).await);
    let again_at = world.clock.now().plus_ms(120_000);
    assert_eq!(too_soon, Rejection::TooSoon { again_at }, "NT-43: nobody swaps a number at once");
    world.clock.advance_s(120);
    // R120: a new number is a new device, under the same ARN.
    let sent = world.begin_sms(&lee).await.unwrap();
    world.finish_sms(&lee, sent.challenge, world.last_code()).await.unwrap();
    assert_eq!(world.engine.devices(&lee)[0].serial, serial);
    assert!(refused_step(&world.type_code(&lee, attempt, &serial, code).await.unwrap()), "the old life's code");
}

// ---- NT-26: what SMS is offered to, and what becomes of it ----

#[tokio::test]
async fn sms_is_offered_by_the_policy_and_the_accounts_eligibility_and_existing_ones_go_on() {
    use SmsEligibility::{Ended, Ending, ExistingOnly, Open};
    for (eligibility, newcomer, participant) in
        [(Open, true, true), (ExistingOnly, false, true), (Ending, false, true), (Ended, false, false)]
    {
        for policy in [None, Some(Preset::Classic), Some(Preset::Modern), Some(Preset::Strict)] {
            let offers = matches!(policy, None | Some(Preset::Classic));
            let world = World::new(Policy::classic()).await;
            let (lee, serial) = world.texted("lee").await;
            let dana = world.user("dana").await;
            let (kim, kims) = world.texted("kim").await;
            world.take(&kim, &kims).await.unwrap();
            world.engine.set_sms_eligibility(operator(), world.account, eligibility).await.unwrap();
            world.engine.choose_policy(operator(), world.account, policy).await.unwrap();
            world.clock.advance_s(900);
            for (who, eligible) in [(&dana, newcomer), (&kim, participant)] {
                assert_eq!(world.engine.sms_offered(who), eligible && offers, "{eligibility:?} {policy:?}");
                match world.begin_sms(who).await {
                    Ok(sent) => {
                        assert!(eligible && offers, "{eligibility:?} {policy:?} {who}");
                        assert_eq!(world.finish_sms(who, sent.challenge, world.last_code()).await, TAKEN);
                    }
                    Err(error) => {
                        assert_eq!(error.rejection(), Some(&Rejection::SmsNotOffered));
                        assert!(!(eligible && offers), "{eligibility:?} {policy:?} {who}");
                    }
                }
            }
            // A16: whatever the state, a device that exists signs in and can be taken away.
            let attempt = world.begin_sign_in(&lee).await;
            world.send(&lee, attempt, &serial).await.unwrap();
            assert!(is_in(&world.type_code(&lee, attempt, &serial, world.last_code()).await.unwrap()));
            world.take(&lee, &serial).await.unwrap();
        }
    }
}

/// The eligibility counts when the code comes back, too.
#[tokio::test]
async fn an_enrolment_that_was_begun_in_time_is_not_finished_after_the_end() {
    let world = World::new(Policy::classic()).await;
    let lee = world.user("lee").await;
    let sent = world.begin_sms(&lee).await.unwrap();
    world.engine.set_sms_eligibility(operator(), world.account, SmsEligibility::Ended).await.unwrap();
    let finished = world.finish_sms(&lee, sent.challenge, world.last_code()).await;
    assert_eq!(refused(finished), Rejection::SmsNotOffered);
}

#[tokio::test]
async fn sms_is_never_roots() {
    for policy in [Policy::classic(), Policy { sms_enrolment: true, ..Policy::modern() }, Policy::strict()] {
        let world = World::new(policy).await;
        let root = PrincipalId::Root(world.account);
        let admin = world.user("admin").await;
        for eligibility in SmsEligibility::ALL {
            world.engine.set_sms_eligibility(operator(), world.account, *eligibility).await.unwrap();
            assert!(!world.engine.sms_offered(&root));
            for caller in [
                Caller::at_console(root.clone(), Some(UnixMillis(1))),
                Caller::at_console(root.clone(), None),
                Caller::with_key(root.clone()),
                Caller::at_console(admin.clone(), None),
                Caller::operator(),
            ] {
                let begun = world.engine.begin_sms_enrolment(Request::by(caller.clone()), &root, number()).await;
                assert_eq!(refused(begun), Rejection::SmsNotOffered, "{caller:?} {eligibility:?}");
                let id = ChallengeId::from_bytes([1; 16]);
                let finished = world.engine.finish_sms_enrolment(Request::by(caller), &root, id, other_code());
                assert_eq!(refused(finished.await), Rejection::SmsNotOffered);
            }
        }
        assert!(world.outbox.messages().is_empty(), "nothing was ever sent");
    }
}

fn other_code() -> Code {
    Code::parse("000000").unwrap()
}

/// Nobody is sent a code without a right password, nor by a sign-in that does not ask for the phone.
#[tokio::test]
async fn codes_are_sent_in_an_open_sign_in_to_the_owners_phone_only() {
    let world = World::new(Policy { sms_enrolment: true, ..Policy::modern() }).await;
    let (lee, serial) = world.texted("lee").await;
    world.registered(&lee, &SecurityKey::new(1)).await;
    let dana = world.user("dana").await;
    world.registered(&dana, &SecurityKey::new(2)).await;
    let before = world.outbox.messages().len();
    let nothing = AttemptId::from_bytes([1; 16]);
    let send = |who: &PrincipalId, attempt: AttemptId, to: &Serial| {
        let (engine, who, to) = (world.engine.clone(), who.clone(), to.clone());
        async move { refused(engine.send_sign_in_code(at_console(&who), &who, attempt, &to).await) }
    };
    assert_eq!(send(&lee, nothing, &serial).await, Rejection::ChallengeUnknown);
    let hers = world.begin_sign_in(&dana).await;
    assert_eq!(send(&dana, hers, &serial).await, Rejection::FactorUnknown);
    assert_eq!(send(&lee, hers, &serial).await, Rejection::ChallengeUnknown);
    let mine = world.begin_sign_in(&lee).await;
    let key = world.engine.devices(&lee)[1].serial.clone();
    assert_eq!(send(&lee, mine, &key).await, Rejection::FactorUnknown, "a key takes no code");
    assert_eq!(world.outbox.messages().len(), before);
}
