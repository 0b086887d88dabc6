//! Histories that once told the engine and the model apart, as short as they could be made.

use countersign::*;

use crate::support::{START_S, World, name, narrow, operator, typed};

/// Reasons are given in the order of their codes: 103 before 302.
#[tokio::test]
async fn a_clock_that_is_behind_is_told_before_the_device_is_looked_for() {
    let world = World::new(Policy::classic()).await;
    let (lee, other) = (world.user("lee").await, world.phone("other").await);
    world.clock.set(UnixMillis(START_S * 1000 - 60_001));
    let error = world.verify(&lee, &other, typed(123_456), Purpose::SignIn).await.unwrap_err();
    assert_eq!(error.rejection().map(Rejection::code), Some(103), "{error}");
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
