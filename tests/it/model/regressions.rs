//! Histories that once told the engine and the model apart, as short as they could be made.

use countersign::*;

use crate::support::{START_S, World, name, narrow, operator};

/// An instant far ahead, left by a wrong clock, bars the device that it is recorded of, and no other.
#[tokio::test]
async fn a_clock_that_ran_ahead_bars_one_device_and_enabling_it_anew_mends_it() {
    let world = World::new(Policy::classic()).await;
    let (lee, phone) = world.equipped("lee").await;
    world.clock.advance_s(365 * 86_400);
    assert_eq!(world.sign_in(&lee, &phone, START_S).await, Ok(Proof::Refused(Refusal::Wrong)));
    world.clock.set(UnixMillis::from_secs(START_S + 90));
    let error = world.sign_in(&lee, &phone, START_S + 90).await.unwrap_err();
    assert!(matches!(error.rejection(), Some(Rejection::ClockWentBack { .. })), "{error}");
    world.engine.deactivate(operator(), &lee, &phone.serial, DeactivateReason::Requested).await.unwrap();
    assert_eq!(world.enable(&lee, &phone, START_S + 90).await, Ok(Proof::Accepted));
}

/// Within the tolerance, a clock set back is no change that STS has yet to learn of.
#[tokio::test]
async fn without_a_delay_sts_knows_of_an_enabling_at_once_even_when_the_clock_went_back() {
    let world = World::new(Policy::classic()).await;
    let (lee, phone) = world.equipped("lee").await;
    world.clock.set(UnixMillis(START_S * 1000 - 1));
    assert_eq!(world.sts(&lee, &phone, START_S + 30).await, Ok(Proof::Accepted));
}

/// The principal's actor had read its stream before the account's actor wrote to it.
#[tokio::test]
async fn a_name_is_compared_with_a_user_who_was_asked_for_too_early() {
    let world = World::new(narrow(Policy::classic())).await;
    let kim = world.principal("kim");
    let rename = || world.engine.rename_user(operator(), &kim, name("lee"), Path::root());
    assert_eq!(rename().await.unwrap_err().rejection(), Some(&Rejection::PrincipalUnknown));
    world.user("kim").await;
    world.user("lee").await;
    assert_eq!(rename().await.unwrap_err().rejection(), Some(&Rejection::NameTaken));
}

/// A key was challenged when the code's time was over; then the clock went back a little.
#[tokio::test]
async fn a_code_that_was_late_by_a_clock_that_went_back_breaks_no_law() {
    let world = World::new(Policy::classic()).await;
    let lee = world.user("lee").await;
    let sent = world.begin_sms(&lee).await.unwrap();
    let code = world.last_code();
    world.clock.set(sent.until);
    world.begin_key(&lee, KeyForm::SecurityKey).await;
    world.clock.set(UnixMillis(sent.until.0 - 1));
    assert_eq!(world.finish_sms(&lee, sent.challenge, code).await, Ok(Proof::Accepted));
}
