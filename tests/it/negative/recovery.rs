//! Root's way back in (R130, A22, A23).

use countersign::domain::event::{Event, SignInFactor};
use countersign::testing::SecurityKey;
use countersign::*;

use super::{TAKEN, WRONG, refused};
use crate::door::{at_console, number, other_than, proven};
use crate::support::{World, events, narrow, operator};

async fn mail(world: &World, root: &PrincipalId, attempt: AttemptId) -> Result<String, Error> {
    let sent = world.engine.send_recovery_mail(at_console(root), root, attempt, "owner@example.com").await?.value;
    assert_eq!((sent.to.as_str(), sent.delivered), ("o•••@example.com", Ok(())));
    Ok(world.outbox.messages().last().unwrap().code.to_string())
}

async fn confirm(world: &World, root: &PrincipalId, attempt: AttemptId, code: &str) -> Result<Proof, Error> {
    Ok(world.engine.confirm_recovery_mail(at_console(root), root, attempt, code).await?.value)
}

async fn call(world: &World, root: &PrincipalId, attempt: AttemptId) -> Result<RecoveryCall, Error> {
    Ok(world.engine.call_recovery_phone(at_console(root), root, attempt, &number()).await?.value)
}

async fn answer(
    world: &World,
    root: &PrincipalId,
    attempt: AttemptId,
    call: ChallengeId,
    digits: &str,
) -> Result<Proof, Error> {
    Ok(world.engine.answer_recovery_call(operator(), root, attempt, call, digits).await?.value)
}

async fn finish(world: &World, root: &PrincipalId, attempt: AttemptId) -> Result<SignInStep, Error> {
    Ok(world.engine.finish_recovery(at_console(root), root, attempt).await?.value)
}

/// Both factors are proven.
async fn prove_both(world: &World, root: &PrincipalId, attempt: AttemptId) {
    let code = mail(world, root, attempt).await.unwrap();
    assert_eq!(confirm(world, root, attempt, &code).await, TAKEN);
    let made = call(world, root, attempt).await.unwrap();
    assert_eq!(answer(world, root, attempt, made.call, made.show.expose()).await, TAKEN);
}

#[tokio::test]
async fn root_is_in_by_both_factors_in_their_order_and_no_device_is_touched() {
    let world = World::new(narrow(Policy::modern())).await;
    let root = world.equipped_root().await;
    let before = world.engine.devices(&root);
    let attempt = world.begin_sign_in(&root).await;
    assert_eq!(refused(call(&world, &root, attempt).await), Rejection::FactorUnknown, "the mail comes first");
    assert_eq!(refused(finish(&world, &root, attempt).await), Rejection::FactorUnknown);
    let code = mail(&world, &root, attempt).await.unwrap();
    for wrong in ["", "00", &code.to_uppercase(), &format!("{code} "), &code[1..]] {
        let tried = confirm(&world, &root, attempt, wrong).await;
        assert_eq!(tried, WRONG, "{wrong:?}");
    }
    assert_eq!(refused(confirm(&world, &root, attempt, &code).await), Rejection::ChallengeUnknown, "five tries");
    let again_at = world.clock.now().plus_ms(30_000);
    assert_eq!(refused(mail(&world, &root, attempt).await), Rejection::TooSoon { again_at });
    world.clock.set(again_at);
    let code = mail(&world, &root, attempt).await.unwrap();
    assert_eq!(confirm(&world, &root, attempt, &code).await, TAKEN);
    assert_eq!(refused(confirm(&world, &root, attempt, &code).await), Rejection::ChallengeUnknown, "once");
    assert_eq!(refused(finish(&world, &root, attempt).await), Rejection::FactorUnknown, "one of the two");
    let first = call(&world, &root, attempt).await.unwrap();
    let again_at = world.clock.now().plus_ms(30_000);
    assert_eq!(refused(call(&world, &root, attempt).await), Rejection::TooSoon { again_at });
    world.clock.set(again_at);
    let second = call(&world, &root, attempt).await.unwrap();
    let old = answer(&world, &root, attempt, first.call, first.show.expose()).await;
    assert_eq!(refused(old), Rejection::ChallengeUnknown, "another call was made since");
    let wrong = other_than(&second.show);
    assert_eq!(answer(&world, &root, attempt, second.call, wrong.expose()).await, WRONG);
    assert_eq!(answer(&world, &root, attempt, second.call, second.show.expose()).await, TAKEN);
    let progress = world.engine.recovery_progress(&root, attempt).await.unwrap();
    assert!(progress.is_some_and(RecoveryProgress::is_complete));
    let SignInStep::SignedIn(done) = finish(&world, &root, attempt).await.unwrap() else { panic!("not in") };
    assert_eq!((done.by.clone(), done.credential()), (SignedInBy::AlternativeFactors, Credential::Recovered), "A22");
    assert!(!done.credential().has_mfa());
    assert_eq!(world.engine.devices(&root), before, "R130 a");
    assert_eq!(refused(finish(&world, &root, attempt).await), Rejection::ChallengeUnknown, "once");
    let audited = |event: &Event| matches!(event, Event::SignedIn(e) if e.factor == SignInFactor::AlternativeFactors);
    assert_eq!(world.count(audited), 1);
}

/// A22: the rule that asks for a second factor would lock root in with the lost device.
#[tokio::test]
async fn recovered_root_takes_the_lost_device_away_and_a_bare_session_does_not() {
    let world = World::new(narrow(Policy::modern())).await;
    let root = world.equipped_root().await;
    let serial = world.engine.devices(&root)[0].serial.clone();
    let attempt = world.begin_sign_in(&root).await;
    prove_both(&world, &root, attempt).await;
    let SignInStep::SignedIn(done) = finish(&world, &root, attempt).await.unwrap() else { panic!("not in") };
    let reason = DeactivateReason::Lost;
    let bare = world.engine.deactivate(at_console(&root), &root, &serial, reason).await;
    assert_eq!(refused(bare), Rejection::SelfManagementNeedsMfa);
    let recovered =
        |channel| Request::by(Caller { principal: Some(root.clone()), credential: done.credential(), channel });
    let by_api = world.engine.deactivate(recovered(Channel::Api), &root, &serial, reason).await;
    assert_eq!(refused(by_api), Rejection::ChannelNotAllowed);
    world.engine.deactivate(recovered(Channel::Console), &root, &serial, reason).await.unwrap();
    let told = events(&*world.journal).into_iter().find_map(|(_, event)| match event {
        Event::DeviceDeactivated(gone) => Some((gone.by.mfa, gone.reason)),
        _ => None,
    });
    assert_eq!(told, Some((false, DeactivateReason::Lost)), "audited as what it is");
}

/// No user has such credentials, whatever it says of itself.
#[tokio::test]
async fn a_user_is_not_let_through_as_recovered() {
    let world = World::new(narrow(Policy::modern())).await;
    let (lee, phone) = world.equipped("lee").await;
    let caller = Caller { principal: Some(lee.clone()), credential: Credential::Recovered, channel: Channel::Console };
    let reason = DeactivateReason::Lost;
    let tried = world.engine.deactivate(Request::by(caller), &lee, &phone.serial, reason).await;
    assert_eq!(refused(tried), Rejection::SelfManagementNeedsMfa);
}

/// A23: both in one attempt that a right password began; starting over makes the first half worthless.
#[tokio::test]
async fn starting_over_throws_away_what_was_proven() {
    let world = World::new(narrow(Policy::classic())).await;
    let root = world.equipped_root().await;
    let (one, two) = (world.begin_sign_in(&root).await, world.begin_sign_in(&root).await);
    let code = mail(&world, &root, one).await.unwrap();
    assert_eq!(
        refused(confirm(&world, &root, two, &code).await),
        Rejection::ChallengeUnknown,
        "another attempt's mail"
    );
    assert_eq!(confirm(&world, &root, one, &code).await, TAKEN);
    let three = world.begin_sign_in(&root).await;
    for attempt in [one, two, three] {
        assert_eq!(refused(call(&world, &root, attempt).await), Rejection::FactorUnknown);
    }
    world.clock.advance_s(30);
    prove_both(&world, &root, two).await;
    world.begin_sign_in(&root).await;
    assert_eq!(refused(finish(&world, &root, two).await), Rejection::FactorUnknown);
}

#[tokio::test]
async fn factors_are_good_for_ten_minutes_and_no_longer_than_the_sign_in() {
    let world = World::new(Policy { sign_in_life_s: 3600, ..narrow(Policy::classic()) }).await;
    let root = world.equipped_root().await;
    let attempt = world.begin_sign_in(&root).await;
    let code = mail(&world, &root, attempt).await.unwrap();
    world.clock.advance_s(600);
    assert_eq!(refused(confirm(&world, &root, attempt, &code).await), Rejection::ChallengeUnknown);
    prove_both(&world, &root, attempt).await;
    world.clock.advance_s(3000);
    assert_eq!(refused(finish(&world, &root, attempt).await), Rejection::ChallengeUnknown, "the sign-in is over");
    assert_eq!(world.engine.recovery_progress(&root, attempt).await, Ok(None));
}

/// R130 b, d; R8.
#[tokio::test]
async fn alternative_factors_are_for_root_with_one_device_where_they_are_not_switched_off() {
    let world = World::new(narrow(Policy::modern())).await;
    let root = world.equipped_root().await;
    let (lee, _) = world.equipped("lee").await;
    let users = world.begin_sign_in(&lee).await;
    assert_eq!(refused(mail(&world, &lee, users).await), Rejection::AlternativeFactorsNotOffered);
    assert!(!world.engine.recovery_allowed(&lee));

    let attempt = world.begin_sign_in(&root).await;
    prove_both(&world, &root, attempt).await;
    let admin = Request::by(Caller::with_key(lee.clone()));
    let by_admin = world.engine.allow_alternative_factors(admin, world.account, false).await;
    assert_eq!(refused(by_admin), Rejection::ChannelNotAllowed, "root's own to say");
    world.engine.allow_alternative_factors(proven(&root), world.account, false).await.unwrap();
    assert_eq!(
        refused(finish(&world, &root, attempt).await),
        Rejection::AlternativeFactorsNotOffered,
        "at the last step too"
    );
    assert_eq!(refused(mail(&world, &root, attempt).await), Rejection::AlternativeFactorsNotOffered);
    world.engine.allow_alternative_factors(proven(&root), world.account, true).await.unwrap();
    world.registered(&root, &SecurityKey::new(1)).await;
    assert!(!world.engine.recovery_allowed(&root));
    assert_eq!(
        refused(finish(&world, &root, attempt).await),
        Rejection::AlternativeFactorsNotOffered,
        "use the other device"
    );
}

/// The digits of a call are not the code of the mail, and neither is one of the SMS (NT-44).
#[tokio::test]
async fn one_factors_code_is_none_for_the_other() {
    let world = World::new(narrow(Policy::classic())).await;
    let root = world.equipped_root().await;
    let attempt = world.begin_sign_in(&root).await;
    let code = mail(&world, &root, attempt).await.unwrap();
    confirm(&world, &root, attempt, &code).await.unwrap();
    let made = call(&world, &root, attempt).await.unwrap();
    assert_eq!(answer(&world, &root, attempt, made.call, &code).await, WRONG);
    let nothing = ChallengeId::from_bytes([7; 16]);
    let unknown = answer(&world, &root, attempt, nothing, made.show.expose()).await;
    assert_eq!(refused(unknown), Rejection::ChallengeUnknown);
    let serial = world.engine.devices(&root)[0].serial.clone();
    let typed = world.type_code(&root, attempt, &serial, made.show).await.unwrap();
    assert!(matches!(typed, SignInStep::Refused(Refusal::Wrong)));
}
