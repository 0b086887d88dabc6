//! Tries to hand a code over: how often, when, and what becomes of those that do not succeed (A15).

use std::time::Duration;

use countersign::domain::decide::REDRIVES_MAX;
use countersign::domain::event::Event;
use countersign::*;

use super::gateway::Reply;
use super::stage::{End, Stage, number};
use crate::door::{is_in, refused_step};
use crate::support::operator;

use Reply::{Fail, Hang, Take, TakeSilently};
use SmsFailure::{InvalidNumber, OptedOut, Refused, Throttled, Unavailable, Unknown};

#[tokio::test]
async fn a_code_is_handed_over_once_and_used_once() {
    let (stage, gateway) = Stage::with_one(Policy::classic()).await;
    let (lee, phone) = stage.person("lee", number(1)).await;
    let (attempt, sent) = stage.awaited(&lee, &phone).await;
    stage.until("handed over", || stage.state(sent.challenge) == SmsState::Taken).await;
    stage.pass_s(280).await;
    let asked = gateway.asked_of(sent.challenge);
    assert_eq!(asked.len(), 1);
    assert_eq!((asked[0].until, asked[0].life_ms), (sent.until, 300_000));
    assert_eq!(asked[0].to, "+14155550001");
    assert_eq!(asked[0].text, format!("{} is your Countersign code. Do not share it.", asked[0].code));
    let code = stage.code_of(sent.challenge).unwrap();
    assert!(is_in(&stage.type_code(&lee, attempt, &phone, code.clone()).await.unwrap()));
    assert!(stage.message(sent.challenge).used);
    let again = stage.begin_sign_in(&lee).await;
    assert!(refused_step(&stage.type_code(&lee, again, &phone, code).await.unwrap()), "once");
}

#[tokio::test]
async fn a_gateway_that_is_down_is_tried_again_after_longer_and_longer_pauses_and_not_for_ever() {
    let (stage, gateway) = Stage::with_one(Policy { sms_submits_max: 6, ..Policy::classic() }).await;
    let (lee, phone) = stage.person("lee", number(1)).await;
    gateway.always(Fail(Unavailable));
    let (_, sent) = stage.awaited(&lee, &phone).await;
    stage.run_until("given up", || stage.state(sent.challenge).is_given_up()).await;
    assert_eq!(stage.state(sent.challenge), SmsState::Dropped(SmsDropReason::SubmitsSpent));
    let asked = gateway.asked_of(sent.challenge);
    assert_eq!(asked.len(), 6);
    assert!(asked.iter().all(|other| (other.key, &other.code) == (asked[0].key, &asked[0].code)), "one key, one code");
    for (nth, pair) in asked.windows(2).enumerate() {
        let pause = pair[1].at.0 - pair[0].at.0;
        // With the circuit open after five failures, for two seconds at most.
        let most = 250 + (500 << (nth + 1)).min(30_000) + 2_000;
        assert!((250..=most).contains(&pause), "{pause} ms after try {}", nth + 1);
    }
    assert_eq!(stage.message(sent.challenge).cost_micros, 0, "what was surely not taken costs nothing");
}

#[tokio::test]
async fn a_code_is_good_when_the_gateway_comes_back_in_its_life() {
    let (stage, gateway) = Stage::with_one(Policy::classic()).await;
    let (lee, phone) = stage.person("lee", number(1)).await;
    gateway.next([Fail(Unavailable), Fail(Throttled { retry_after: None }), Fail(Unavailable), Take]);
    let (attempt, sent) = stage.awaited(&lee, &phone).await;
    stage.run_until("handed over", || stage.state(sent.challenge) == SmsState::Taken).await;
    assert_eq!(gateway.asked_of(sent.challenge).len(), 4);
    let code = stage.code_of(sent.challenge).unwrap();
    assert!(is_in(&stage.type_code(&lee, attempt, &phone, code).await.unwrap()));
}

#[tokio::test]
async fn nothing_is_sent_after_the_life_of_a_code() {
    let policy = Policy { sms_submits_max: 20, sms_code_life_s: 60, ..Policy::classic() };
    let (stage, gateway) = Stage::with_one(policy).await;
    let (lee, phone) = stage.person("lee", number(1)).await;
    gateway.always(Fail(Unavailable));
    let (attempt, sent) = stage.awaited(&lee, &phone).await;
    stage.run_until("given up", || stage.state(sent.challenge).is_given_up()).await;
    assert_eq!(stage.state(sent.challenge), SmsState::Dropped(SmsDropReason::Expired));
    assert_eq!(stage.clock.hands().now(), sent.until, "as soon as it is over");
    gateway.always(Take);
    stage.pass_s(300).await;
    let asked = gateway.asked_of(sent.challenge);
    assert!(asked.len() > 2 && asked.iter().all(|asked| asked.at < sent.until), "{}", asked.len());
    let code = Code::parse(&asked[0].code).unwrap();
    assert!(refused_step(&stage.type_code(&lee, attempt, &phone, code).await.unwrap()));
}

#[tokio::test]
async fn a_throttled_gateway_is_asked_again_when_it_said_and_no_sooner() {
    let (stage, gateway) = Stage::with_one(Policy::classic()).await;
    let (lee, phone) = stage.person("lee", number(1)).await;
    let (kim, kims) = stage.person("kim", number(2)).await;
    gateway.next([Fail(Throttled { retry_after: Some(Duration::from_secs(7)) })]);
    let (_, first) = stage.awaited(&lee, &phone).await;
    stage.settle().await;
    let (_, second) = stage.awaited(&kim, &kims).await;
    stage.run_until("both", || [&first, &second].iter().all(|one| stage.state(one.challenge) == SmsState::Taken)).await;
    let asked = gateway.asked_of(first.challenge);
    let others = gateway.asked_of(second.challenge);
    assert!(asked[1].at.0 - asked[0].at.0 >= 7_000, "{}", asked[1].at.0 - asked[0].at.0);
    assert!(others[0].at.0 - asked[0].at.0 >= 7_000, "nobody else either");
    assert_eq!(stage.engine.sms_report(None).routes[0].health, SmsHealth::Up);
}

// ---- nobody knows ----

/// The answer is lost after the message was taken: the same code goes out once more, under the same key.
#[tokio::test]
async fn an_unknown_outcome_is_repeated_once_with_the_same_code_and_key() {
    let (stage, gateway) = Stage::with_one(Policy::classic()).await;
    let (lee, phone) = stage.person("lee", number(1)).await;
    gateway.next([TakeSilently]);
    let (attempt, sent) = stage.awaited(&lee, &phone).await;
    stage.run_until("handed over", || stage.state(sent.challenge) == SmsState::Taken).await;
    let asked = gateway.asked_of(sent.challenge);
    assert_eq!(asked.len(), 2);
    assert_eq!((asked[0].key, &asked[0].code), (asked[1].key, &asked[1].code));
    assert!(asked[1].at.0 - asked[0].at.0 >= 10_000, "it was waited for");
    let code = stage.code_of(sent.challenge).unwrap();
    assert!(is_in(&stage.type_code(&lee, attempt, &phone, code.clone()).await.unwrap()));
    let next = stage.begin_sign_in(&lee).await;
    assert!(refused_step(&stage.type_code(&lee, next, &phone, code).await.unwrap()), "two messages, one use");
}

#[tokio::test]
async fn what_stays_unknown_is_not_sent_a_third_time_and_can_still_be_typed() {
    for reply in [TakeSilently, Hang, Fail(Unknown)] {
        let clock = super::stage::clock();
        let gateway = super::gateway::Gateway::new("main", &clock);
        let routes = vec![SmsRoute { price_micros: 7_000, ..gateway.route() }];
        let stage = Stage::new(Policy::classic(), &clock, vec![gateway.clone()], routes).await;
        let (lee, phone) = stage.person("lee", number(1)).await;
        gateway.always(reply);
        let (attempt, sent) = stage.awaited(&lee, &phone).await;
        let dropped = SmsState::Dropped(SmsDropReason::Unknown);
        stage.run_until("given up", || stage.state(sent.challenge) == dropped).await;
        assert!(!dropped.is_given_up(), "it may have arrived");
        stage.pass_s(200).await;
        assert_eq!(gateway.asked_of(sent.challenge).len(), 2);
        assert_eq!(stage.message(sent.challenge).cost_micros, 14_000, "both may have been paid for");
        let code = Code::parse(&gateway.asked_of(sent.challenge)[0].code).unwrap();
        assert!(is_in(&stage.type_code(&lee, attempt, &phone, code).await.unwrap()));
    }
}

// ---- refused for good ----

#[tokio::test]
async fn what_a_gateway_refuses_for_good_is_given_up_at_once_and_shown() {
    for failure in [InvalidNumber, OptedOut, Refused] {
        let (stage, gateway) = Stage::with_one(Policy::classic()).await;
        let (lee, phone) = stage.person("lee", number(1)).await;
        gateway.next([Fail(failure)]);
        let (_, sent) = stage.awaited(&lee, &phone).await;
        let dropped = SmsState::Dropped(SmsDropReason::Refused);
        stage.until("given up", || stage.state(sent.challenge) == dropped).await;
        stage.pass_s(250).await;
        assert_eq!(gateway.asked_of(sent.challenge).len(), 1, "{failure}");
        let shown = stage.engine.sms_messages(stage.account, true, 10);
        assert_eq!(shown.iter().map(|message| message.challenge).collect::<Vec<_>>(), [sent.challenge]);
        assert_eq!(shown[0].state, dropped);
        assert_eq!(stage.engine.sms_messages(stage.account, false, 10).len(), 2, "and the enrolment's");
    }
}

#[tokio::test]
async fn what_was_given_up_can_be_sent_after_all_while_it_is_good_under_its_own_key() {
    let (stage, gateway) = Stage::with_one(Policy::classic()).await;
    let (lee, phone) = stage.person("lee", number(1)).await;
    gateway.next([Fail(Refused)]);
    let (attempt, sent) = stage.awaited(&lee, &phone).await;
    stage.until("given up", || stage.state(sent.challenge).is_given_up()).await;
    stage.engine.redrive_sms(operator(), &lee, sent.challenge).await.unwrap();
    stage.run_until("handed over", || stage.state(sent.challenge) == SmsState::Taken).await;
    let asked = gateway.asked_of(sent.challenge);
    assert_eq!(asked.len(), 2);
    assert_eq!((asked[0].key, &asked[0].code), (asked[1].key, &asked[1].code));
    let twice = stage.engine.redrive_sms(operator(), &lee, sent.challenge).await.unwrap_err();
    assert_eq!(twice.rejection(), Some(&Rejection::ChallengeUnknown), "it was not given up");
    let code = stage.code_of(sent.challenge).unwrap();
    assert!(is_in(&stage.type_code(&lee, attempt, &phone, code).await.unwrap()));
}

#[tokio::test]
async fn what_was_given_up_is_not_sent_after_its_time_nor_when_it_is_void() {
    let (stage, gateway) = Stage::with_one(Policy::classic()).await;
    let (lee, phone) = stage.person("lee", number(1)).await;
    gateway.always(Fail(Refused));
    let (attempt, first) = stage.awaited(&lee, &phone).await;
    stage.until("given up", || stage.state(first.challenge).is_given_up()).await;
    stage.pass_s(30).await;
    let second = stage.ask_code(&lee, attempt, &phone).await.unwrap();
    stage.until("given up", || stage.state(second.challenge).is_given_up()).await;
    gateway.always(Take);
    let void = stage.engine.redrive_sms(operator(), &lee, first.challenge).await.unwrap_err();
    assert_eq!(void.rejection(), Some(&Rejection::ChallengeUnknown), "there is a newer one");
    stage.clock.hands().set(second.until);
    let late = stage.engine.redrive_sms(operator(), &lee, second.challenge).await.unwrap_err();
    assert_eq!(late.rejection(), Some(&Rejection::ChallengeUnknown), "its time is over");
    stage.pass_s(60).await;
    assert_eq!(stage.recorded(|event| matches!(event, Event::SmsRedriven(_))), 0);
    assert_eq!(gateway.asked_of(first.challenge).len() + gateway.asked_of(second.challenge).len(), 2);
}

#[tokio::test]
async fn what_was_given_up_is_sent_after_all_twice_and_no_more() {
    let (stage, gateway) = Stage::with_one(Policy::classic()).await;
    let (lee, phone) = stage.person("lee", number(1)).await;
    gateway.always(Fail(Refused));
    let (_, sent) = stage.awaited(&lee, &phone).await;
    for times in 0..=REDRIVES_MAX {
        stage.until("given up", || stage.state(sent.challenge).is_given_up()).await;
        assert_eq!(gateway.asked_of(sent.challenge).len(), 1 + usize::from(times));
        let redriven = stage.engine.redrive_sms(operator(), &lee, sent.challenge).await;
        assert_eq!(redriven.is_ok(), times < REDRIVES_MAX, "{times}");
        stage.settle().await;
    }
}

// ---- what must not stop the others ----

/// A fault in the code that speaks to a gateway is one try of unknown outcome, and no sender's end.
#[tokio::test]
async fn a_transport_that_panics_costs_one_try_and_nobody_else() {
    let (stage, gateway) = Stage::with_one(Policy::classic()).await;
    let (lee, lees) = stage.person("lee", number(1)).await;
    let (kim, kims) = stage.person("kim", number(2)).await;
    gateway.next([Reply::Panic]);
    let (_, of_lee) = stage.awaited(&lee, &lees).await;
    stage.settle().await;
    let (_, of_kim) = stage.awaited(&kim, &kims).await;
    for sent in [of_kim, of_lee] {
        stage.run_until("handed over", || stage.state(sent.challenge) == SmsState::Taken).await;
    }
    assert_eq!(stage.recorded(|event| matches!(event, Event::SmsSubmitFailed(_))), 1);
    stage.engine.close().await.unwrap();
}

/// A clock that was years ahead for a moment: the try that began then is over when the clock is right again.
#[tokio::test]
async fn a_lease_of_a_clock_that_was_ahead_is_over_at_once() {
    let (mut stage, gateway) = Stage::with_one(Policy::classic()).await;
    let (lee, phone) = stage.person("lee", number(1)).await;
    let now = stage.clock.hands().now();
    stage.clock.hands().advance_s(40_000_000);
    gateway.next([Hang]);
    let (_, sent) = stage.awaited(&lee, &phone).await;
    stage.settle().await;
    assert_eq!(stage.state(sent.challenge), SmsState::Submitting);
    stage.clock.hands().set(now);
    stage.reopen(End::Dropped).await;
    stage.until("taken", || stage.state(sent.challenge) == SmsState::Taken).await;
    assert_eq!(gateway.asked_of(sent.challenge).len(), 2);
}
