//! Codes on their way, in any order: whatever senders, gateways and people do, decisions and folds agree with the laws.

use countersign_domain::caller::Caller;
use countersign_domain::decide::*;
use countersign_domain::event::*;
use countersign_domain::ids::*;
use countersign_domain::laws::Law;
use countersign_domain::policy::Policy;
use countersign_domain::principal::{OPEN_MAX, Phase, Principal};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::forger::{BY, Forger, attempt, dana};
use crate::senders::*;
use crate::stage::*;

// ---- histories that no decision writes ----

/// Whether an event can follow these, of the message that waits for lee.
fn follows(before: &[Event], event: &Event) -> bool {
    let (stage, lee, _) = waiting();
    let at = stage.now;
    let mut state = stage.principal(&lee).cloned();
    for event in before {
        state = Some(Principal::evolve(state, event, at).unwrap());
    }
    Principal::evolve(state, event, at).is_ok()
}

#[test]
fn what_no_decision_writes_cannot_be_folded() {
    let (stage, lee, challenge) = waiting();
    let queued = stage.log.iter().rev().find_map(|(_, event)| match event {
        Event::SmsQueued(queued) => Some(queued.clone()),
        _ => None,
    });
    let Some(queued) = queued else { panic!("nothing queued for {lee}") };
    let attempt = stage.pending(&lee).sign_ins[0].id;
    let try_it = |submit| {
        let (route, lease) = (route(), stage.now.plus_ms(LEASE_MS));
        Event::from(SmsSubmitting { challenge, submit, route, lease, price_micros: 0 })
    };
    let taken = |submit| Event::from(SmsSubmitted { challenge, submit, message_id: None });
    let failed = |submit| Event::from(SmsSubmitFailed { challenge, submit, fault: SmsSubmitFault::Throttled });
    let give_up = || Event::from(SmsDropped { challenge, reason: SmsDropReason::NoRoute });
    let redrive = || Event::from(SmsRedriven { challenge, by: BY });
    let reported = |delivery| Event::from(SmsReported { challenge, delivery });
    let end = || Event::from(SignInsEnded { by: BY });
    let issued = |number: u8, device: &str| {
        let (challenge, device, until) = (ChallengeId::from_bytes([number; 16]), sms(device).stream(), queued.until);
        let (secret, client) = (secret(challenge), stage.client.clone());
        let (phone, attempt) = (None, Some(attempt));
        Event::from(SmsCodeIssued { challenge, device, attempt, phone, window: 0, until, secret, client })
    };
    let queue = |number: u8, device: &str, late_ms| {
        let (challenge, device) = (ChallengeId::from_bytes([number; 16]), sms(device).stream());
        let until = queued.until.plus_ms(late_ms);
        Event::from(SmsQueued { challenge, device, until, ..queued.clone() })
    };
    let cases: [(&[Event], Event, bool); 34] = [
        (&[], queued.clone().into(), false),
        (&[end()], queued.clone().into(), false),
        (&[], queue(200, "lee", 0), false),
        (&[issued(200, "lee")], queue(200, "lee", 0), true),
        (&[issued(200, "lee")], queue(201, "lee", 0), false),
        (&[issued(200, "lee")], queue(200, "other", 0), false),
        (&[issued(200, "lee")], queue(200, "lee", 1), false),
        (&[], try_it(1), true),
        (&[], try_it(0), false),
        (&[], try_it(2), false),
        (&[try_it(1)], try_it(2), false),
        (&[try_it(1), failed(1)], try_it(2), true),
        (&[try_it(1), failed(1)], try_it(1), false),
        (&[try_it(1), taken(1)], try_it(2), false),
        (&[give_up()], try_it(1), false),
        (&[try_it(1), reported(SmsDelivery::Enroute)], try_it(2), false),
        (&[], taken(1), false),
        (&[], taken(0), false),
        (&[try_it(1)], taken(2), false),
        (&[try_it(1), failed(1)], taken(1), false),
        (&[try_it(1), taken(1)], failed(1), false),
        (&[try_it(1), reported(SmsDelivery::Enroute)], taken(1), false),
        (&[try_it(1)], give_up(), false),
        (&[give_up()], give_up(), false),
        (&[try_it(1), taken(1)], give_up(), false),
        (&[], redrive(), false),
        (&[try_it(1), taken(1)], redrive(), false),
        (&[try_it(1)], redrive(), false),
        (&[give_up()], redrive(), true),
        (&[], reported(SmsDelivery::Delivered), false),
        (&[give_up()], reported(SmsDelivery::Delivered), false),
        (&[try_it(1)], reported(SmsDelivery::Unknown), true),
        (&[try_it(1), reported(SmsDelivery::Unknown)], reported(SmsDelivery::Enroute), false),
        (&[try_it(1), reported(SmsDelivery::Delivered)], reported(SmsDelivery::Deleted), false),
    ];
    for (place, (before, event, follows)) in cases.iter().enumerate() {
        assert_eq!(self::follows(before, event), *follows, "{place}: {event:?} after {before:?}");
    }
}

/// What a forger writes next.
#[derive(Clone, Debug)]
enum Stroke {
    Issue(u8),
    Queue(u8),
    Try(u8, u8),
    Taken(u8, u8),
    Failed(u8, u8, SmsSubmitFault),
    GiveUp(u8),
    Redrive(u8),
    Reported(u8, SmsDelivery),
    EndSignIns,
}

fn strokes() -> impl Strategy<Value = Vec<Stroke>> {
    let (code, ahead) = (|| 3..6_u8, || prop_oneof![4 => Just(0_u8), 1 => 1..3_u8]);
    let failed = (code(), ahead(), select(SmsSubmitFault::ALL));
    let stroke = prop_oneof![
        2 => code().prop_map(Stroke::Issue),
        4 => code().prop_map(Stroke::Queue),
        8 => (code(), ahead()).prop_map(|(code, ahead)| Stroke::Try(code, ahead)),
        4 => (code(), ahead()).prop_map(|(code, ahead)| Stroke::Taken(code, ahead)),
        8 => failed.prop_map(|(code, ahead, fault)| Stroke::Failed(code, ahead, fault)),
        4 => code().prop_map(Stroke::GiveUp),
        4 => code().prop_map(Stroke::Redrive),
        4 => (code(), select(SmsDelivery::ALL)).prop_map(|(code, delivery)| Stroke::Reported(code, delivery)),
        1 => Just(Stroke::EndSignIns),
    ];
    vec(stroke, 1..40)
}

/// Writes it; `submits` are the numbers of the last tries.
fn forge(forger: &mut Forger, device: StreamId, submits: &mut [u8; 6], stroke: &Stroke) {
    match *stroke {
        Stroke::Issue(code) => forger.send(device, code, Some(attempt(2))),
        Stroke::Queue(code) => {
            forger.queue(device, code);
            submits[usize::from(code)] = 0;
        }
        Stroke::Try(code, ahead) => {
            let submit = &mut submits[usize::from(code)];
            *submit = submit.wrapping_add(1).wrapping_add(ahead);
            forger.try_it(code, *submit);
        }
        Stroke::Taken(code, ahead) => forger.taken(code, submits[usize::from(code)].wrapping_add(ahead)),
        Stroke::Failed(code, ahead, fault) => {
            forger.failed(code, submits[usize::from(code)].wrapping_add(ahead), fault);
        }
        Stroke::GiveUp(code) => forger.give_up(code),
        Stroke::Redrive(code) => forger.redrive(code),
        Stroke::Reported(code, delivery) => forger.reported(code, delivery),
        Stroke::EndSignIns => forger.write(dana(), SignInsEnded { by: BY }),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    /// The fold bears everything that the law bears, and panics at nothing.
    #[test]
    fn what_is_sound_by_the_law_can_be_folded(strokes in strokes()) {
        let (mut forger, device) = Forger::with_message();
        let mut submits = [0; 6];
        for stroke in &strokes {
            forge(&mut forger, device, &mut submits, stroke);
            if forger.broken.contains(&Law::MessagesAreAccountedFor) {
                break;
            }
            prop_assert_eq!(&forger.broken, &[], "{:?}", stroke);
        }
    }
}

// ---- histories that decisions write ----

/// What somebody does next.
#[derive(Clone, Debug)]
enum Move {
    Send,
    Begin(u8, Option<SmsDropReason>),
    End(u8, Option<SmsSubmitFault>),
    GiveUp(u8),
    Redrive(u8),
    Report(u8, SmsDelivery),
    TypeWrong,
    EndSignIns,
    Wait(u64),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let code = || 0..3_u8;
    let against = prop_oneof![9 => Just(None), 1 => Just(Some(SmsDropReason::Budget))];
    let fault = prop_oneof![1 => Just(None), 4 => select(SmsSubmitFault::ALL).prop_map(Some)];
    let step = prop_oneof![
        2 => Just(Move::Send),
        8 => (code(), against).prop_map(|(code, against)| Move::Begin(code, against)),
        6 => (code(), fault).prop_map(|(code, fault)| Move::End(code, fault)),
        1 => code().prop_map(Move::GiveUp),
        3 => code().prop_map(Move::Redrive),
        1 => (code(), select(SmsDelivery::ALL)).prop_map(|(code, delivery)| Move::Report(code, delivery)),
        1 => Just(Move::TypeWrong),
        1 => Just(Move::EndSignIns),
        4 => select(vec![1, 14, 15, 30, 200]).prop_map(Move::Wait),
    ];
    vec(step, 1..60)
}

/// Whether the right code would be compared, and so might sign in.
fn is_awaited(stage: &Stage, who: &PrincipalId, attempt: AttemptId) -> bool {
    let (caller, policy) = (Caller::operator(), stage.policy());
    let context = Context { now: stage.now, policy: &policy, caller: &caller, client: None };
    let asked = sign_in_with_sent_code(stage.principal(who), attempt, sms("lee").stream(), None, &context);
    matches!(asked, Step::Ask(_))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    /// On the stage every event is judged by the laws and comes back from its stored form.
    #[test]
    fn only_what_somebody_waits_for_is_handed_over(moves in moves()) {
        let policy = Policy { sms_again_after_s: 0, sms_sends_max: 1000, ..Policy::classic() };
        let (mut stage, lee, mut attempt, first) = waiting_under(policy);
        let mut codes = vec![first];
        for step in &moves {
            let code = |back: u8| codes[codes.len().saturating_sub(1 + usize::from(back))];
            match *step {
                Move::Send => {
                    if stage.pending(&lee).sign_in(attempt, stage.now).is_none() {
                        attempt = stage.begin(&lee);
                    }
                    codes.push(challenge(stage.send(&lee, attempt, &sms("lee"))));
                }
                Move::Begin(back, against) => {
                    let answer = stage.begin_submit_against(&lee, code(back), against);
                    if matches!(answer, Ok(Verdict::SmsSubmit { .. })) {
                        prop_assert!(against.is_none());
                        prop_assert_eq!(Some(&code(back)), codes.last());
                        prop_assert!(is_awaited(&stage, &lee, attempt));
                    }
                }
                Move::End(back, fault) => {
                    let message = stage.registered(&lee).outgoing.message(code(back));
                    let submit = message.map_or(0, |message| message.submits);
                    let submitted = fault.map_or_else(taken, Submitted::Failed);
                    let _any = stage.end_submit(&lee, code(back), submit, &submitted);
                }
                Move::GiveUp(back) => {
                    let _any = stage.drop_message(&lee, code(back), SmsDropReason::NoRoute);
                }
                Move::Redrive(back) => {
                    if stage.redrive(&lee, code(back)).is_ok() {
                        prop_assert!(is_awaited(&stage, &lee, attempt));
                    }
                }
                Move::Report(back, delivery) => {
                    let _any = stage.report(&lee, code(back), delivery);
                }
                Move::TypeWrong => {
                    let _any = stage.type_sent(&lee, attempt, &sms("lee"), ChallengeId::from_bytes([0; 16]));
                }
                Move::EndSignIns => {
                    let _any = stage.ask(&lee, |stage, context| end_sign_ins(stage.principal(&lee), context));
                }
                Move::Wait(seconds) => stage.wait_s(seconds),
            }
            let outgoing = &stage.registered(&lee).outgoing;
            prop_assert!(outgoing.iter().count() <= OPEN_MAX);
            for message in outgoing.iter() {
                prop_assert!(message.forgiven <= message.submits && message.unknowns <= message.submits);
                prop_assert!(message.phase != Phase::Taken || message.submits > 0);
            }
        }
    }
}
