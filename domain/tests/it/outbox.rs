//! Handing codes over to gateways: what is recorded before and after, how often, until when, and for whom (A15, NT-42).

use countersign_domain::decide::*;
use countersign_domain::event::*;
use countersign_domain::ids::*;
use countersign_domain::policy::Policy;
use countersign_domain::principal::{Phase, REFUSALS_MAX};
use countersign_domain::rejection::Rejection;
use countersign_domain::sms::MessageId;

use crate::people::Typed;
use crate::senders::*;
use crate::stage::*;

// ---- a try ----

#[test]
fn a_try_is_recorded_before_a_gateway_is_asked() {
    let (mut stage, lee, code) = waiting();
    assert_eq!(stage.last(2), ["SmsCodeIssued", "SmsQueued"]);
    assert_eq!(stage.begin_submit(&lee, code), begun(1));
    let lease = stage.now.plus_ms(LEASE_MS);
    let event = SmsSubmitting { challenge: code, submit: 1, route: route(), lease, price_micros: 7_500 };
    assert_eq!(stage.log.last(), Some(&(lee.stream(), event.into())));
    assert_eq!(stage.message(&lee, code).phase, Phase::Submitting { lease });
    assert_eq!(stage.end_submit(&lee, code, 1, &taken()), NOTHING);
    let event = SmsSubmitted { challenge: code, submit: 1, message_id: MessageId::new("SM1") };
    assert_eq!(stage.log.last(), Some(&(lee.stream(), event.into())));
    assert_eq!(stage.begin_submit(&lee, code), OVER, "NT-42: it is handed over once");
}

#[test]
fn one_try_at_a_time_until_its_answer_is_overdue() {
    let (mut stage, lee, code) = waiting();
    stage.begin_submit(&lee, code).unwrap();
    let until = stage.now.plus_ms(LEASE_MS);
    for now in [stage.now, UnixMillis(until.0 - 1)] {
        stage.now = now;
        assert_eq!(stage.begin_submit(&lee, code), Ok(Verdict::SmsHeld { until }));
        assert_eq!(stage.drop_message(&lee, code, SmsDropReason::NoRoute), Ok(Verdict::SmsHeld { until }));
    }
    stage.now = until;
    assert_eq!(stage.begin_submit(&lee, code), begun(2));
    assert_eq!(stage.last(2), ["SmsSubmitFailed", "SmsSubmitting"]);
    assert_eq!(stage.message(&lee, code).unknowns, 1, "a crash leaves a try of unknown outcome");
    assert_eq!(stage.end_submit(&lee, code, 1, &taken()), NOTHING);
    assert_eq!(stage.last(1), ["SmsSubmitting"], "the first try has its outcome");
}

#[test]
fn an_overdue_answer_counts_while_nobody_asked_again() {
    let (mut stage, lee, code) = waiting();
    stage.begin_submit(&lee, code).unwrap();
    stage.wait_s(3600);
    assert_eq!(stage.end_submit(&lee, code, 1, &taken()), NOTHING);
    assert_eq!(stage.message(&lee, code).phase, Phase::Taken, "even after the code's time");
}

#[test]
fn an_answer_to_no_try_changes_nothing() {
    let (mut stage, lee, code) = waiting();
    let before = stage.log.len();
    for submit in [0, 1, 255] {
        assert_eq!(stage.end_submit(&lee, code, submit, &taken()), NOTHING);
    }
    assert_eq!(stage.log.len(), before);
    stage.begin_submit(&lee, code).unwrap();
    assert_eq!(stage.end_submit(&lee, code, 2, &taken()), NOTHING, "of a try to come");
    stage.end_submit(&lee, code, 1, &THROTTLED).unwrap();
    assert_eq!(stage.end_submit(&lee, code, 1, &taken()), NOTHING, "and each once");
    assert_eq!(stage.last(2), ["SmsSubmitting", "SmsSubmitFailed"]);
}

#[test]
fn a_name_that_cannot_be_kept_is_none() {
    for (id, kept) in [("", false), ("x", true), (&"x".repeat(64), true), (&"x".repeat(65), false), ("a\nb", false)] {
        let (mut stage, lee, code) = waiting();
        tried(&mut stage, &lee, code, &Submitted::Taken(MessageId::new(id)));
        let Some((_, Event::SmsSubmitted(taken))) = stage.log.last() else { panic!("not taken") };
        assert_eq!(taken.message_id.as_ref().map(MessageId::as_str), kept.then_some(id), "{id:?}");
    }
}

// ---- how often ----

#[test]
fn who_does_not_know_repeats_it_so_often_and_no_more() {
    for sms_unknowns_max in [0, 1, 5] {
        let policy = Policy { sms_unknowns_max, sms_submits_max: 20, ..Policy::classic() };
        let (mut silent, lee, _, code) = waiting_under(policy.clone());
        let (mut told, _, _, _) = waiting_under(policy);
        for submit in 1..=sms_unknowns_max + 1 {
            assert_eq!(silent.begin_submit(&lee, code), begun(submit), "of {sms_unknowns_max}");
            silent.wait_s(15);
            tried(&mut told, &lee, code, &THROTTLED);
            tried(&mut told, &lee, code, &NO_ANSWER);
        }
        for stage in [&mut silent, &mut told] {
            assert_eq!(stage.begin_submit(&lee, code), dropped(SmsDropReason::Unknown));
            assert_eq!(stage.begin_submit(&lee, code), dropped(SmsDropReason::Unknown), "for good");
        }
        assert_eq!(silent.last(2), ["SmsSubmitFailed", "SmsDropped"]);
        assert_eq!(told.last(1), ["SmsDropped"]);
    }
}

#[test]
fn twenty_tries_and_no_more() {
    for fault in [SmsSubmitFault::Throttled, SmsSubmitFault::Unavailable] {
        let (mut stage, lee, code) = waiting();
        for submit in 1..=20 {
            tried(&mut stage, &lee, code, &Submitted::Failed(fault));
            assert_eq!(stage.message(&lee, code).submits, submit);
        }
        assert_eq!(stage.begin_submit(&lee, code), dropped(SmsDropReason::SubmitsSpent));
    }
}

#[test]
fn what_nobody_knows_is_said_before_what_else_ends_a_message() {
    let (mut stage, lee, code) = waiting();
    (0..4).for_each(|_| tried(&mut stage, &lee, code, &THROTTLED));
    (0..2).for_each(|_| tried(&mut stage, &lee, code, &NO_ANSWER));
    let against = Some(SmsDropReason::Budget);
    assert_eq!(stage.begin_submit_against(&lee, code, against), dropped(SmsDropReason::Unknown));
    let (mut stage, lee, code) = waiting();
    (0..2).for_each(|_| tried(&mut stage, &lee, code, &NO_ANSWER));
    assert_eq!(stage.drop_message(&lee, code, SmsDropReason::NoRoute), dropped(SmsDropReason::Unknown));
}

#[test]
fn a_refusal_for_good_ends_it() {
    for fault in SmsSubmitFault::ALL {
        let (mut stage, lee, code) = waiting();
        stage.begin_submit(&lee, code).unwrap();
        let answer = stage.end_submit(&lee, code, 1, &Submitted::Failed(*fault));
        if fault.is_final() {
            assert_eq!(answer, dropped(SmsDropReason::Refused), "{fault:?}");
            assert_eq!(stage.last(2), ["SmsSubmitFailed", "SmsDropped"]);
            assert_eq!(stage.begin_submit(&lee, code), dropped(SmsDropReason::Refused));
        } else {
            assert_eq!(answer, NOTHING, "{fault:?}");
            assert_eq!(stage.begin_submit(&lee, code), begun(2));
        }
    }
}

#[test]
fn money_and_blocked_prefixes_stand_against_every_try() {
    for reason in [SmsDropReason::Budget, SmsDropReason::PrefixBlocked] {
        let (mut stage, lee, code) = waiting();
        tried(&mut stage, &lee, code, &THROTTLED);
        assert_eq!(stage.begin_submit_against(&lee, code, Some(reason)), dropped(reason), "NT-40");
        assert_eq!(stage.begin_submit(&lee, code), dropped(reason));
    }
}

// ---- until when, and for whom ----

#[test]
fn nothing_is_handed_over_after_the_codes_life() {
    let (mut stage, lee, code) = waiting();
    let end = stage.now.plus_ms(300_000);
    stage.now = UnixMillis(end.0 - 1);
    tried(&mut stage, &lee, code, &THROTTLED);
    stage.now = end;
    assert_eq!(stage.begin_submit(&lee, code), dropped(SmsDropReason::Expired));
    let (mut stage, lee, code) = waiting();
    stage.now = end;
    assert_eq!(stage.drop_message(&lee, code, SmsDropReason::NoRoute), dropped(SmsDropReason::Expired));
}

/// What happens to lee between the code and the try.
type Change = fn(&mut Stage, &PrincipalId, AttemptId, ChallengeId);

#[test]
fn nothing_is_handed_over_that_nobody_waits_for() {
    let changes: [(&str, Change); 7] = [
        ("a newer code was asked for", |stage, lee, attempt, _| {
            stage.wait_s(30);
            challenge(stage.send(lee, attempt, &sms("lee")));
        }),
        ("the code came back by another way", |stage, lee, attempt, code| {
            assert_eq!(stage.type_sent(lee, attempt, &sms("lee"), code), in_by(attempt, &sms("lee")));
        }),
        ("the sign-ins were ended, as for who is suspended", |stage, lee, _, _| {
            assert_eq!(stage.ask(lee, |stage, context| end_sign_ins(stage.principal(lee), context)), NOTHING);
        }),
        ("the device was given up", |stage, lee, _, _| drop(stage.deactivate(lee, &sms("lee")))),
        ("somebody guessed at it until no try was left", |stage, lee, attempt, _| {
            let other = stage.ticket();
            (0..5).for_each(|_| drop(stage.type_sent(lee, attempt, &sms("lee"), other)));
        }),
        ("the sign-in was refused too often", |stage, lee, attempt, _| {
            let nonsense = ChallengeId::from_bytes([0; 16]);
            for _ in 0..REFUSALS_MAX {
                stage.type_sent(lee, attempt, &sms("lee"), nonsense).unwrap();
            }
        }),
        ("the sign-in was open too long", |stage, _, _, _| stage.wait_s(60)),
    ];
    for (how, change) in changes {
        for tries in 0..2 {
            let policy = Policy { sign_in_life_s: 60, ..Policy::classic() };
            let (mut stage, lee, attempt, code) = waiting_under(policy);
            (0..tries).for_each(|_| tried(&mut stage, &lee, code, &THROTTLED));
            let mut given_up = waiting_under(stage.deployment.clone()).0;
            given_up.drop_message(&lee, code, SmsDropReason::NoRoute).unwrap();
            [&mut stage, &mut given_up].into_iter().for_each(|stage| change(stage, &lee, attempt, code));
            assert_eq!(stage.begin_submit(&lee, code), dropped(SmsDropReason::Void), "{how}");
            assert_eq!(given_up.redrive(&lee, code), UNKNOWN, "{how}");
        }
    }
}

#[test]
fn signing_in_by_another_device_makes_it_void() {
    let policy = Policy { devices_per_principal_max: 2, ..Policy::classic() };
    let mut stage = Stage::new(policy);
    let lee = stage.user("lee");
    let phone = stage.phone(&lee, "lee");
    stage.sms(&lee, "lee");
    stage.wait_s(1800);
    let (attempt, other) = (stage.begin(&lee), stage.begin(&lee));
    let code = challenge(stage.send(&lee, attempt, &sms("lee")));
    assert_eq!(stage.type_code(&lee, other, &phone, Typed::Shown(0)), in_by(other, &phone));
    tried(&mut stage, &lee, code, &THROTTLED);
    stage.wait_s(30);
    assert_eq!(stage.type_code(&lee, attempt, &phone, Typed::Shown(0)), in_by(attempt, &phone));
    assert_eq!(stage.begin_submit(&lee, code), dropped(SmsDropReason::Void));
}

#[test]
fn an_enrolment_is_worth_a_code_until_it_is_finished() {
    let mut stage = Stage::new(Policy::classic());
    let lee = stage.user("lee");
    let code = challenge(stage.begin_sms(&lee, &sms("lee"), "+15550101234"));
    tried(&mut stage, &lee, code, &THROTTLED);
    let (secret_of, errand) = message_secret(stage.registered(&lee), code).unwrap();
    assert_eq!(*secret_of, secret(code));
    assert!(format!("{errand:?}").contains("1234"), "{errand:?}");
    stage.finish_sms(&lee, &sms("lee"), code, code).unwrap();
    assert_eq!(message_secret(stage.registered(&lee), code), None);
    assert_eq!(stage.begin_submit(&lee, code), dropped(SmsDropReason::Void));
}

#[test]
fn a_try_that_is_under_way_may_end_whatever_happened_since() {
    let (mut stage, lee, code) = waiting();
    stage.begin_submit(&lee, code).unwrap();
    stage.deactivate(&lee, &sms("lee")).unwrap();
    assert_eq!(stage.end_submit(&lee, code, 1, &taken()), NOTHING);
    assert_eq!(stage.report(&lee, code, SmsDelivery::Delivered), NOTHING);
    assert_eq!(stage.last(2), ["SmsSubmitted", "SmsReported"], "it was sent and paid for");
}

#[test]
fn nothing_is_known_of_who_is_removed_or_of_other_peoples_codes() {
    let mut stage = Stage::new(Policy::classic());
    let (lee, dana) = (stage.user("lee"), stage.user("dana"));
    let code = challenge(stage.begin_sms(&lee, &sms("lee"), "+15550101234"));
    stage.begin_submit(&lee, code).unwrap();
    let every = |stage: &mut Stage, who: &PrincipalId, answer: &Answer| {
        let given = [
            stage.begin_submit(who, code),
            stage.end_submit(who, code, 1, &taken()),
            stage.drop_message(who, code, SmsDropReason::NoRoute),
            stage.report(who, code, SmsDelivery::Delivered),
            stage.redrive(who, code),
        ];
        given.iter().for_each(|given| assert_eq!(given, answer));
    };
    every(&mut stage, &dana, &UNKNOWN);
    stage.remove(&lee);
    every(&mut stage, &lee, &Err(Rejection::PrincipalUnknown));
    every(&mut stage, &user("nobody"), &Err(Rejection::PrincipalUnknown));
}
