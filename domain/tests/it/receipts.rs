//! What becomes of codes that were handed over or given up, and what gateways report of them (NT-42).

use countersign_domain::caller::Caller;
use countersign_domain::decide::*;
use countersign_domain::event::*;
use countersign_domain::ids::*;
use countersign_domain::policy::Policy;
use countersign_domain::principal::Phase;
use countersign_domain::rejection::Rejection;

use crate::senders::*;
use crate::stage::*;

// ---- given up, and wanted after all ----

#[test]
fn a_message_is_given_up_once_and_only_while_it_waits() {
    let (mut stage, lee, code) = waiting();
    assert_eq!(stage.drop_message(&lee, code, SmsDropReason::NoRoute), dropped(SmsDropReason::NoRoute));
    let events = stage.log.len();
    assert_eq!(stage.drop_message(&lee, code, SmsDropReason::Budget), dropped(SmsDropReason::NoRoute), "as it was");
    assert_eq!(stage.begin_submit(&lee, code), dropped(SmsDropReason::NoRoute));
    assert_eq!(stage.log.len(), events);
    let (mut stage, lee, code) = waiting();
    tried(&mut stage, &lee, code, &taken());
    assert_eq!(stage.drop_message(&lee, code, SmsDropReason::NoRoute), OVER);
    stage.report(&lee, code, SmsDelivery::Enroute).unwrap();
    assert_eq!(stage.drop_message(&lee, code, SmsDropReason::NoRoute), OVER);
}

#[test]
fn giving_up_ends_a_try_whose_answer_is_overdue() {
    let (mut stage, lee, code) = waiting();
    stage.begin_submit(&lee, code).unwrap();
    stage.wait_s(15);
    assert_eq!(stage.drop_message(&lee, code, SmsDropReason::NoRoute), dropped(SmsDropReason::NoRoute));
    assert_eq!(stage.last(2), ["SmsSubmitFailed", "SmsDropped"]);
    assert_eq!(stage.report(&lee, code, SmsDelivery::Delivered), NOTHING);
    assert_eq!(stage.last(1), ["SmsReported"], "it had been taken");
}

#[test]
fn what_was_given_up_is_tried_anew_under_the_same_key() {
    let (mut stage, lee, code) = waiting();
    let decision = stage.message(&lee, code).decision;
    assert_eq!(stage.redrive(&lee, code), UNKNOWN, "it was not given up");
    (0..2).for_each(|_| tried(&mut stage, &lee, code, &NO_ANSWER));
    assert_eq!(stage.begin_submit(&lee, code), dropped(SmsDropReason::Unknown));
    assert_eq!(stage.redrive(&lee, code), NOTHING);
    assert_eq!(stage.redrive(&lee, code), UNKNOWN, "it waits again");
    let message = stage.message(&lee, code);
    assert_eq!((message.decision, message.forgiven, message.unknowns), (decision, 2, 0));
    for submit in 3..=22 {
        tried(&mut stage, &lee, code, &THROTTLED);
        assert_eq!(stage.message(&lee, code).submits, submit, "numbers go on");
    }
    assert_eq!(stage.begin_submit(&lee, code), dropped(SmsDropReason::SubmitsSpent));
    stage.redrive(&lee, code).unwrap();
    tried(&mut stage, &lee, code, &THROTTLED);
    stage.drop_message(&lee, code, SmsDropReason::NoRoute).unwrap();
    assert_eq!(stage.redrive(&lee, code), UNKNOWN, "twice is enough");
}

#[test]
fn nothing_is_tried_anew_that_is_not_good_any_more() {
    let (mut stage, lee, code) = waiting();
    stage.drop_message(&lee, code, SmsDropReason::NoRoute).unwrap();
    stage.now = stage.now.plus_ms(299_999);
    assert_eq!(stage.redrive(&lee, code), NOTHING);
    stage.drop_message(&lee, code, SmsDropReason::NoRoute).unwrap();
    stage.now = stage.now.plus_ms(1);
    assert_eq!(stage.redrive(&lee, code), UNKNOWN);
    assert_eq!(stage.drop_message(&lee, code, SmsDropReason::Budget), dropped(SmsDropReason::NoRoute));
}

#[test]
fn tries_are_numbered_to_255_and_then_no_more() {
    let policy = Policy { sms_submits_max: 100, ..Policy::classic() };
    let (mut stage, lee, _, code) = waiting_under(policy);
    let mut last = 0;
    for again in 0..3 {
        while let Ok(Verdict::SmsSubmit { submit }) = stage.begin_submit(&lee, code) {
            last = submit;
            stage.end_submit(&lee, code, submit, &THROTTLED).unwrap();
        }
        assert_eq!(stage.redrive(&lee, code), if again < 2 { NOTHING } else { UNKNOWN });
    }
    assert_eq!(last, u8::MAX);
}

#[test]
fn who_is_of_another_account_wants_nothing_here() {
    let (mut stage, lee, code) = waiting();
    stage.drop_message(&lee, code, SmsDropReason::NoRoute).unwrap();
    let stranger = PrincipalId::Root(AccountId::from_number(42).unwrap());
    stage.caller = Some(Caller::at_console(stranger, Some(stage.now)));
    assert_eq!(stage.redrive(&lee, code), Err(Rejection::ChannelNotAllowed));
    stage.caller = Some(Caller::operator());
    assert_eq!(stage.redrive(&lee, code), NOTHING);
    let event = SmsRedriven { challenge: code, by: Caller::operator().by() };
    assert_eq!(stage.log.last(), Some(&(lee.stream(), event.into())));
}

// ---- reports ----

#[test]
fn reports_only_go_on() {
    use SmsDelivery::{Delivered, Enroute, Undeliverable, Unknown};
    let orders: [(&[SmsDelivery], &[SmsDelivery]); 5] = [
        (&[Enroute, Unknown, Delivered], &[Enroute, Unknown, Delivered]),
        (&[Delivered, Enroute, Delivered, Undeliverable], &[Delivered]),
        (&[Enroute, Enroute, Undeliverable, Delivered], &[Enroute, Undeliverable]),
        (&[Unknown, Enroute, Delivered, Unknown], &[Unknown, Delivered]),
        (SmsDelivery::ALL, &[Enroute, Unknown, Delivered]),
    ];
    for (told, kept) in orders {
        let (mut stage, lee, code) = waiting();
        tried(&mut stage, &lee, code, &taken());
        let before = stage.log.len();
        for delivery in told {
            assert_eq!(stage.report(&lee, code, *delivery), NOTHING);
        }
        let reported = |(_, event): &(StreamId, Event)| match event {
            Event::SmsReported(reported) => reported.delivery,
            other => panic!("{other:?}"),
        };
        let known: Vec<SmsDelivery> = stage.log[before..].iter().map(reported).collect();
        assert_eq!(known, kept, "{told:?}");
        assert_eq!(stage.begin_submit(&lee, code), OVER);
    }
}

#[test]
fn a_report_of_what_was_never_tried_is_nothing() {
    let (mut stage, lee, code) = waiting();
    let events = stage.log.len();
    assert_eq!(stage.report(&lee, code, SmsDelivery::Delivered), NOTHING);
    let never = stage.ticket();
    assert_eq!(stage.report(&lee, never, SmsDelivery::Delivered), UNKNOWN);
    assert_eq!(stage.log.len(), events);
    stage.drop_message(&lee, code, SmsDropReason::NoRoute).unwrap();
    stage.redrive(&lee, code).unwrap();
    assert_eq!(stage.report(&lee, code, SmsDelivery::Delivered), NOTHING);
    assert_eq!(stage.last(1), ["SmsRedriven"]);
}

#[test]
fn a_report_proves_that_a_try_of_unknown_outcome_was_taken() {
    for given_up in [false, true] {
        let (mut stage, lee, code) = waiting();
        (0..2).for_each(|_| tried(&mut stage, &lee, code, &NO_ANSWER));
        if given_up {
            assert_eq!(stage.begin_submit(&lee, code), dropped(SmsDropReason::Unknown));
        }
        stage.wait_s(86_400);
        assert_eq!(stage.report(&lee, code, SmsDelivery::Enroute), NOTHING);
        assert_eq!(stage.message(&lee, code).phase, Phase::Reported(SmsDelivery::Enroute), "NT-42: late is not never");
        assert_eq!(stage.begin_submit(&lee, code), OVER);
        assert_eq!(stage.redrive(&lee, code), UNKNOWN);
    }
}

#[test]
fn a_report_may_come_before_the_gateway_answers() {
    for answer in [taken(), NO_ANSWER, Submitted::Failed(SmsSubmitFault::Refused)] {
        let (mut stage, lee, code) = waiting();
        stage.begin_submit(&lee, code).unwrap();
        assert_eq!(stage.report(&lee, code, SmsDelivery::Delivered), NOTHING);
        assert_eq!(stage.end_submit(&lee, code, 1, &answer), NOTHING);
        assert_eq!(stage.last(2), ["SmsSubmitting", "SmsReported"]);
        stage.wait_s(15);
        assert_eq!(stage.begin_submit(&lee, code), OVER);
    }
}

// ---- which message it is ----

#[test]
fn every_code_has_a_key_of_its_own() {
    let (mut stage, lee, attempt, first) = waiting_under(Policy::classic());
    let mut keys = vec![stage.message(&lee, first).decision];
    for _ in 0..4 {
        stage.wait_s(30);
        let before = stage.version(&lee);
        let code = challenge(stage.send(&lee, attempt, &sms("lee")));
        assert_eq!(stage.message(&lee, code).decision, before);
        assert!(keys.iter().all(|known| *known < before), "{keys:?}");
        keys.push(before);
    }
}

#[test]
fn a_challenge_is_queued_once() {
    let (mut stage, lee, attempt, code) = waiting_under(Policy::classic());
    stage.wait_s(30);
    let again = stage.ask(&lee, |stage, context| {
        let (sending, device) = (stage.sending(&lee, code), sms("lee").stream());
        send_sign_in_code(stage.principal(&lee), attempt, device, sending, context)
    });
    assert_eq!(again, UNKNOWN);
    assert_eq!(stage.last(1), ["SmsQueued"]);
}

#[test]
fn the_seventeenth_message_drives_out_the_oldest() {
    let policy = Policy { sms_sends_max: 1000, sms_again_after_s: 0, ..Policy::classic() };
    let (mut stage, lee, attempt, first) = waiting_under(policy);
    stage.begin_submit(&lee, first).unwrap();
    let newer: Vec<ChallengeId> = (0..15).map(|_| challenge(stage.send(&lee, attempt, &sms("lee")))).collect();
    assert_eq!(stage.registered(&lee).outgoing.iter().count(), 16);
    assert_eq!(stage.message(&lee, first).submits, 1, "the enrolment's made room");
    let last = challenge(stage.send(&lee, attempt, &sms("lee")));
    let kept: Vec<ChallengeId> = stage.registered(&lee).outgoing.iter().map(|message| message.challenge).collect();
    assert_eq!(kept, [newer, vec![last]].concat());
    assert_eq!(stage.end_submit(&lee, first, 1, &taken()), UNKNOWN);
    assert_eq!(stage.report(&lee, first, SmsDelivery::Delivered), UNKNOWN);
    assert_eq!(stage.begin_submit(&lee, last), begun(1));
}
