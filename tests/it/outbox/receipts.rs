//! What gateways report later: early, late, twice, out of order, of nobody, and by forgers.

use std::sync::Arc;

use countersign::domain::event::Event;
use countersign::*;

use super::gateway::{Gateway, Reply};
use super::stage::{End, Stage, clock, number};
use crate::door::is_in;

use Reply::{Fail, TakeLater, TakeNameless, TakeSilently};
use SmsDelivery::{Delivered, Enroute, Expired, Undeliverable, Unknown};

async fn one() -> (Stage, Arc<Gateway>, PrincipalId, Serial) {
    let (stage, gateway) = Stage::with_one(Policy::classic()).await;
    let (lee, phone) = stage.person("lee", number(1)).await;
    (stage, gateway, lee, phone)
}

fn reports(stage: &Stage) -> usize {
    stage.recorded(|event| matches!(event, Event::SmsReported(_)))
}

fn callback<'a>(headers: &'a [(&'a str, &'a str)], body: &'a str, now: UnixMillis) -> SmsCallback<'a> {
    SmsCallback { url: "https://example.com/sms/status/main", headers, body: body.as_bytes(), now }
}

const GENUINE: &[(&str, &str)] = &[("X-Signature", "genuine")];

#[tokio::test]
async fn a_receipt_is_recorded_once_and_counts_in_the_report() {
    let (stage, gateway, lee, phone) = one().await;
    let (_, sent) = stage.awaited(&lee, &phone).await;
    stage.until("taken", || stage.state(sent.challenge) == SmsState::Taken).await;
    let name = gateway.asked_of(sent.challenge)[0].name.clone();
    for _ in 0..3 {
        gateway.report(&name, Delivered);
    }
    gateway.report(&name, Enroute);
    gateway.report(&name, Undeliverable);
    stage.until("reported", || stage.state(sent.challenge) == SmsState::Reported(Delivered)).await;
    stage.settle().await;
    assert_eq!(stage.state(sent.challenge), SmsState::Reported(Delivered), "what is final stays");
    assert_eq!(reports(&stage), 1);
    let line = &stage.engine.sms_report(None).lines[0];
    assert_eq!((line.taken, line.delivered, line.undelivered), (2, 1, 0));
}

#[tokio::test]
async fn receipts_go_forwards_only() {
    let (stage, gateway, lee, phone) = one().await;
    let (_, sent) = stage.awaited(&lee, &phone).await;
    stage.until("taken", || stage.state(sent.challenge) == SmsState::Taken).await;
    let name = gateway.asked_of(sent.challenge)[0].name.clone();
    for (delivery, shown) in [(Enroute, Enroute), (Unknown, Unknown), (Enroute, Unknown), (Expired, Expired)] {
        gateway.report(&name, delivery);
        stage.until("reported", || stage.state(sent.challenge) == SmsState::Reported(shown)).await;
    }
    assert_eq!(reports(&stage), 3);
    assert!(stage.state(sent.challenge).is_given_up(), "and the person should ask for another");
}

#[tokio::test]
async fn a_receipt_that_comes_before_the_answer_waits_for_it() {
    let (stage, gateway, lee, phone) = one().await;
    gateway.next([TakeLater]);
    let (_, sent) = stage.awaited(&lee, &phone).await;
    stage.until("under way", || gateway.asked_of(sent.challenge).len() == 1).await;
    gateway.report(&gateway.asked_of(sent.challenge)[0].name.clone(), Delivered);
    stage.settle().await;
    assert_eq!(reports(&stage), 0);
    gateway.release();
    stage.until("both", || stage.state(sent.challenge) == SmsState::Reported(Delivered)).await;
    assert_eq!(reports(&stage), 1);
}

#[tokio::test]
async fn a_receipt_is_taken_when_the_code_is_long_over_even_after_a_restart() {
    let (mut stage, gateway, lee, phone) = one().await;
    let (_, sent) = stage.awaited(&lee, &phone).await;
    stage.until("taken", || stage.state(sent.challenge) == SmsState::Taken).await;
    let name = gateway.asked_of(sent.challenge)[0].name.clone();
    stage.pass_s(3600).await;
    stage.reopen(End::Killed).await;
    gateway.report(&name, Delivered);
    stage.until("reported", || stage.state(sent.challenge) == SmsState::Reported(Delivered)).await;
}

/// Three days later nobody knows the message any more, and nothing breaks.
#[tokio::test]
async fn a_receipt_of_days_ago_is_of_nobody() {
    let (stage, gateway, lee, phone) = one().await;
    let (_, sent) = stage.awaited(&lee, &phone).await;
    stage.until("taken", || stage.state(sent.challenge) == SmsState::Taken).await;
    let name = gateway.asked_of(sent.challenge)[0].name.clone();
    stage.pass_s(73 * 3600).await;
    let (_, next) = stage.awaited(&lee, &phone).await;
    stage.until("taken", || stage.state(next.challenge) == SmsState::Taken).await;
    gateway.report(&name, Delivered);
    stage.settle().await;
    assert_eq!((stage.engine.sms_message(sent.challenge), reports(&stage)), (None, 0));
}

#[tokio::test]
async fn receipts_of_nobody_change_nothing_and_take_no_room() {
    let (stage, gateway, lee, phone) = one().await;
    let (_, sent) = stage.awaited(&lee, &phone).await;
    stage.until("taken", || stage.state(sent.challenge) == SmsState::Taken).await;
    for nth in 0..3000 {
        gateway.report(&format!("nobody-{nth}"), Delivered);
    }
    gateway.report("", Delivered);
    gateway.report(&"x".repeat(100_000), Delivered);
    stage.settle().await;
    assert_eq!(reports(&stage), 0);
    let name = gateway.asked_of(sent.challenge)[0].name.clone();
    gateway.report(&name, Delivered);
    stage.until("reported", || stage.state(sent.challenge) == SmsState::Reported(Delivered)).await;
}

/// The message was never answered for: no name binds the receipt to it, so it is of nobody.
#[tokio::test]
async fn a_receipt_of_a_message_whose_name_was_lost_changes_nothing() {
    let (stage, gateway, lee, phone) = one().await;
    gateway.next([TakeSilently, TakeNameless]);
    let (_, sent) = stage.awaited(&lee, &phone).await;
    stage.until("asked", || gateway.asked_of(sent.challenge).len() == 1).await;
    gateway.report(&gateway.asked_of(sent.challenge)[0].name.clone(), Delivered);
    stage.run_until("taken", || stage.state(sent.challenge) == SmsState::Taken).await;
    gateway.report(&gateway.asked_of(sent.challenge)[1].name.clone(), Delivered);
    stage.settle().await;
    assert_eq!((stage.state(sent.challenge), reports(&stage)), (SmsState::Taken, 0));
}

// ---- over HTTP ----

#[tokio::test]
async fn a_callback_counts_when_it_is_genuine_and_for_its_own_route() {
    let clock = clock();
    let (main, other) = (Gateway::new("main", &clock), Gateway::new("other", &clock));
    let routes = vec![main.route(), other.route()];
    let stage = Stage::new(Policy::classic(), &clock, vec![main.clone(), other.clone()], routes).await;
    let (lee, phone) = stage.person("lee", number(1)).await;
    let (attempt, sent) = stage.awaited(&lee, &phone).await;
    stage.until("taken", || stage.state(sent.challenge) == SmsState::Taken).await;
    let name = main.asked_of(sent.challenge)[0].name.clone();
    let now = stage.clock.hands().now();
    let body = format!("{name} 3");
    let forged = [("X-Signature", "forged")];
    let post = |route: &'static str, headers: &'static [(&'static str, &'static str)], body: String| {
        let engine = stage.engine.clone();
        async move { engine.sms_callback(route, &callback(headers, &body, now)).await }
    };
    let engine = &stage.engine;
    assert_eq!(engine.sms_callback("main", &callback(&forged, &body, now)).await, Err(SmsCallbackError::Signature));
    assert_eq!(engine.sms_callback("main", &callback(&[], &body, now)).await, Err(SmsCallbackError::Signature));
    for junk in ["", " ", "x", "x 0", "x 9", "x 300", "x 3 3", "\0 3"] {
        let answer = post("main", GENUINE, junk.to_owned()).await;
        assert!(matches!(answer, Ok(()) | Err(SmsCallbackError::Malformed)), "{junk:?}: {answer:?}");
    }
    for nowhere in ["", "Main", "nowhere", "main ", "../main"] {
        assert_eq!(post(nowhere, GENUINE, body.clone()).await, Err(SmsCallbackError::NotTaken), "{nowhere:?}");
    }
    post("other", GENUINE, body.clone()).await.unwrap();
    stage.settle().await;
    assert_eq!((stage.state(sent.challenge), reports(&stage)), (SmsState::Taken, 0), "not by another route's key");
    for _ in 0..3 {
        post("main", GENUINE, body.clone()).await.unwrap();
    }
    assert_eq!((stage.state(sent.challenge), reports(&stage)), (SmsState::Reported(Delivered), 1), "once");
    let code = stage.code_of(sent.challenge).unwrap();
    assert!(is_in(&stage.type_code(&lee, attempt, &phone, code).await.unwrap()));
}

/// A gateway that fails over the wire may deliver all the same, and say so later.
#[tokio::test]
async fn a_receipt_after_a_failed_try_is_of_the_try_that_was_taken() {
    let (stage, gateway, lee, phone) = one().await;
    gateway.next([Fail(SmsFailure::Unavailable)]);
    let (_, sent) = stage.awaited(&lee, &phone).await;
    stage.run_until("taken", || stage.state(sent.challenge) == SmsState::Taken).await;
    let asked = gateway.asked_of(sent.challenge);
    gateway.report(&asked[0].name, Delivered);
    stage.settle().await;
    assert_eq!(reports(&stage), 0, "a name that was never told");
    gateway.report(&asked[1].name, Delivered);
    stage.until("reported", || stage.state(sent.challenge) == SmsState::Reported(Delivered)).await;
}

/// The code that came late is used; the receipt comes after that.
#[tokio::test]
async fn a_code_is_used_before_its_receipt_comes() {
    let (stage, gateway, lee, phone) = one().await;
    let (attempt, sent) = stage.awaited(&lee, &phone).await;
    stage.until("taken", || stage.state(sent.challenge) == SmsState::Taken).await;
    let code = stage.code_of(sent.challenge).unwrap();
    assert!(is_in(&stage.type_code(&lee, attempt, &phone, code).await.unwrap()));
    gateway.report(&gateway.asked_of(sent.challenge)[0].name.clone(), Undeliverable);
    stage.until("reported", || stage.state(sent.challenge) == SmsState::Reported(Undeliverable)).await;
    assert!(stage.message(sent.challenge).used);
}
