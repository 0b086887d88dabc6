//! A code that nobody waits for any more is not sent: signed out, the phone gone, the person gone, a newer code.

use countersign::domain::event::Event;
use countersign::*;

use super::gateway::{Gateway, Reply};
use super::stage::{Stage, number};
use crate::door::{at_console, is_in, proven, refused_step};
use crate::support::operator;

use Reply::{Fail, Take, TakeLater};
use SmsFailure::Unavailable;

/// A code that was tried once, and waits for its next try.
async fn waiting() -> (Stage, std::sync::Arc<Gateway>, PrincipalId, Serial, AttemptId, SmsSent) {
    let (stage, gateway) =
        Stage::with_one(Policy { sms_change_pause_s: 0, sms_submits_max: 20, ..Policy::classic() }).await;
    let (lee, phone) = stage.person("lee", number(1)).await;
    gateway.next([Fail(Unavailable)]);
    let (attempt, sent) = stage.awaited(&lee, &phone).await;
    stage.settle().await;
    assert_eq!((stage.state(sent.challenge), stage.message(sent.challenge).submits), (SmsState::Waiting, 1));
    (stage, gateway, lee, phone, attempt, sent)
}

async fn is_void(stage: &Stage, gateway: &Gateway, sent: &SmsSent) {
    stage.run_until("void", || stage.state(sent.challenge) == SmsState::Dropped(SmsDropReason::Void)).await;
    stage.pass_s(280).await;
    assert_eq!(gateway.asked_of(sent.challenge).len(), 1, "not again");
}

#[tokio::test]
async fn nothing_is_sent_after_a_new_password() {
    let (stage, gateway, lee, _, _, sent) = waiting().await;
    stage.engine.end_sign_ins(operator(), &lee).await.unwrap();
    is_void(&stage, &gateway, &sent).await;
}

#[tokio::test]
async fn nothing_is_sent_to_a_phone_that_was_taken_away() {
    let (stage, gateway, lee, phone, _, sent) = waiting().await;
    stage.take(&lee, &phone).await.unwrap();
    is_void(&stage, &gateway, &sent).await;
}

#[tokio::test]
async fn nothing_is_sent_to_somebody_who_was_removed() {
    let (stage, gateway, lee, _, _, sent) = waiting().await;
    stage.engine.remove_user(operator(), &lee, Removal::TakeDevices).await.unwrap();
    stage.pass_s(280).await;
    assert_eq!(gateway.asked_of(sent.challenge).len(), 1);
}

#[tokio::test]
async fn only_the_newest_code_is_sent() {
    let (stage, gateway, lee, phone, attempt, old) = waiting().await;
    gateway.always(Fail(Unavailable));
    stage.pass_s(30).await;
    gateway.always(Take);
    let tried = gateway.asked_of(old.challenge).len();
    let new = stage.ask_code(&lee, attempt, &phone).await.unwrap();
    stage.run_until("the new one", || stage.state(new.challenge) == SmsState::Taken).await;
    stage.pass_s(200).await;
    assert_eq!(stage.state(old.challenge), SmsState::Dropped(SmsDropReason::Void));
    assert_eq!(gateway.asked_of(old.challenge).len(), tried, "the old one is not sent any more");
    assert_ne!(gateway.asked_of(new.challenge)[0].key, gateway.asked_of(old.challenge)[0].key);
    let code = stage.code_of(new.challenge).unwrap();
    assert!(is_in(&stage.type_code(&lee, attempt, &phone, code).await.unwrap()));
}

#[tokio::test]
async fn nothing_is_sent_for_a_sign_in_that_is_complete_or_a_code_that_was_tried_out() {
    let (stage, gateway, lee, phone, attempt, sent) = waiting().await;
    // The first try may have been taken after all: the code is in somebody's hands.
    let code = Code::parse(&gateway.asked_of(sent.challenge)[0].code).unwrap();
    assert!(is_in(&stage.type_code(&lee, attempt, &phone, code).await.unwrap()));
    is_void(&stage, &gateway, &sent).await;

    let (stage, gateway, lee, phone, attempt, sent) = waiting().await;
    let code = Code::parse(&gateway.asked_of(sent.challenge)[0].code).unwrap();
    for _ in 0..5 {
        let other = crate::door::other_than(&code);
        assert!(refused_step(&stage.type_code(&lee, attempt, &phone, other).await.unwrap()));
    }
    is_void(&stage, &gateway, &sent).await;
}

/// What the gateway has is not called back; the code is worth nothing all the same.
#[tokio::test]
async fn what_is_under_way_when_it_becomes_worthless_is_ended_and_not_repeated() {
    let (stage, gateway) = Stage::with_one(Policy::classic()).await;
    let (lee, phone) = stage.person("lee", number(1)).await;
    gateway.next([TakeLater]);
    let (attempt, sent) = stage.awaited(&lee, &phone).await;
    stage.until("under way", || stage.state(sent.challenge) == SmsState::Submitting).await;
    stage.engine.end_sign_ins(operator(), &lee).await.unwrap();
    gateway.release();
    stage.until("taken", || stage.state(sent.challenge) == SmsState::Taken).await;
    let code = stage.code_of(sent.challenge).unwrap();
    let typed = stage.engine.sign_in_with_code(at_console(&lee), &lee, attempt, &phone, code).await;
    assert_eq!(typed.unwrap_err().rejection(), Some(&Rejection::ChallengeUnknown));
    stage.pass_s(280).await;
    assert_eq!(gateway.asked_of(sent.challenge).len(), 1);
}

/// An enrolment's code goes to a number that is not a device yet.
#[tokio::test]
async fn a_newer_enrolment_takes_the_place_of_an_older_one() {
    let (stage, gateway) = Stage::with_one(Policy::classic()).await;
    let lee = stage.user("lee").await;
    gateway.next([Fail(Unavailable); 3]);
    let first = stage.engine.begin_sms_enrolment(proven(&lee), &lee, number(1)).await.unwrap().value;
    stage.pass_s(30).await;
    gateway.always(Fail(Unavailable));
    let second = stage.engine.begin_sms_enrolment(proven(&lee), &lee, number(2)).await.unwrap().value;
    gateway.always(Take);
    stage.run_until("the second", || stage.state(second.challenge) == SmsState::Taken).await;
    let tried = gateway.asked_of(first.challenge);
    stage.pass_s(200).await;
    assert!(tried.iter().all(|asked| asked.to == "+14155550001" && asked.at < second.until));
    assert!(matches!(stage.state(first.challenge), SmsState::Taken | SmsState::Dropped(SmsDropReason::Void)));
    let code = stage.code_of(second.challenge).unwrap();
    assert_eq!(stage.finish_sms(&lee, second.challenge, code).await, Ok(Proof::Accepted));
    assert_eq!(stage.engine.devices(&lee)[0].phone.as_deref(), Some("+•••••••0002"));
}

/// Nobody gets a code at another number by swapping phones in the middle.
#[tokio::test]
async fn a_code_for_one_phone_never_goes_to_the_next() {
    let (stage, gateway, lee, phone, _, sent) = waiting().await;
    stage.take(&lee, &phone).await.unwrap();
    stage.pass_s(30).await;
    let begun = stage.engine.begin_sms_enrolment(proven(&lee), &lee, number(9)).await.unwrap().value;
    stage.run_until("the new phone's", || stage.state(begun.challenge) == SmsState::Taken).await;
    let code = stage.code_of(begun.challenge).unwrap();
    assert_eq!(stage.finish_sms(&lee, begun.challenge, code).await, Ok(Proof::Accepted));
    stage.pass_s(240).await;
    let to_new: Vec<_> = gateway.asked().into_iter().filter(|asked| asked.to == "+14155550009").collect();
    assert!(to_new.iter().all(|asked| asked.challenge == begun.challenge));
    assert_eq!(gateway.asked_of(sent.challenge).len(), 1);
    assert_eq!(stage.recorded(|event| matches!(event, Event::SmsSubmitting(of) if of.challenge == sent.challenge)), 1);
}
