//! Signing in (R97..R108), and what somebody who has the password tries.

use countersign_domain::client::Client;
use countersign_domain::decide::*;
use countersign_domain::device::Serial;
use countersign_domain::event::*;
use countersign_domain::ids::*;
use countersign_domain::policy::Policy;
use countersign_domain::principal::{Associate, OPEN_MAX, REFUSALS_MAX};
use countersign_domain::rejection::Rejection;
use countersign_domain::settings::Preset;
use countersign_domain::totp::Attempts;

use crate::people::Touch;
use crate::people::Typed::{Nonsense, Shown};
use crate::stage::*;

const UNKNOWN: Answer = Err(Rejection::ChallengeUnknown);
const NOT_ITS_TURN: Answer = Err(Rejection::FactorUnknown);
const MARK: [u8; 16] = [0x5a; 16];

fn code(fault: CodeFault) -> Answer {
    denied(Denial::Code { fault, steps: 0 })
}

/// An account with lee and lee's phone, some minutes after it was enabled.
fn equipped(policy: Policy) -> (Stage, PrincipalId, Serial) {
    let mut stage = Stage::new(policy);
    let lee = stage.user("lee");
    let phone = stage.phone(&lee, "lee");
    stage.wait_s(600);
    (stage, lee, phone)
}

#[test]
fn who_has_no_device_is_in_by_the_password() {
    let mut stage = Stage::new(Policy::classic());
    let lee = stage.user("lee");
    let attempt = stage.attempt();
    let answer = Ok(Verdict::SignedIn { attempt, factor: SignInFactor::Nothing, device: None });
    assert_eq!(stage.begin_as(&lee, attempt, None), answer, "R98");
    assert_eq!(stage.pending(&lee).sign_ins, [], "nothing is left open");
    let nobody = user("nobody");
    assert_eq!(stage.begin_as(&nobody, attempt, None), Err(Rejection::PrincipalUnknown));
}

#[test]
fn a_code_of_the_own_phone_completes_the_sign_in_once() {
    let (mut stage, lee, phone) = equipped(Policy::classic());
    let attempt = stage.begin(&lee);
    assert_eq!(stage.type_code(&lee, attempt, &phone, Shown(0)), in_by(attempt, &phone));
    assert_eq!(stage.last(2), ["CodeAccepted", "SignedIn"], "one batch: what was proven, and what for");
    assert_eq!(stage.type_code(&lee, attempt, &phone, Shown(1)), UNKNOWN, "it is over");
}

#[test]
fn where_a_person_sits_is_part_of_what_is_recorded_of_the_sign_in() {
    let (mut stage, lee, phone) = equipped(Policy::classic());
    let attempt = stage.begin(&lee);
    stage.type_code(&lee, attempt, &phone, Nonsense).unwrap();
    stage.type_code(&lee, attempt, &phone, Shown(0)).unwrap();
    let clients = stage.log.iter().filter_map(|(_, event)| match event {
        Event::SignInStarted(e) => Some(&e.client),
        Event::SignInRefused(e) => Some(&e.client),
        Event::SignedIn(e) => Some(&e.client),
        _ => None,
    });
    assert!(clients.eq([&stage.client; 3]));
}

#[test]
fn a_wrong_code_may_be_followed_by_a_right_one() {
    let (mut stage, lee, phone) = equipped(Policy::classic());
    let attempt = stage.begin(&lee);
    assert_eq!(stage.type_code(&lee, attempt, &phone, Nonsense), code(CodeFault::Wrong));
    assert_eq!(stage.last(2), ["CodeRefused", "SignInRefused"]);
    let outside = Denial::Code { fault: CodeFault::Outside, steps: 3 };
    assert_eq!(stage.type_code(&lee, attempt, &phone, Shown(3)), denied(outside));
    assert_eq!(stage.type_code(&lee, attempt, &phone, Shown(2)), in_by(attempt, &phone), "R99");
}

#[test]
fn a_code_that_was_seen_is_worth_nothing_in_another_sign_in() {
    let (mut stage, lee, phone) = equipped(Policy::classic());
    let (mine, thiefs) = (stage.begin(&lee), stage.begin(&lee));
    stage.type_code(&lee, mine, &phone, Shown(0)).unwrap();
    assert_eq!(stage.type_code(&lee, thiefs, &phone, Shown(0)), code(CodeFault::Used), "R87");
}

#[test]
fn codes_of_the_pair_that_enabled_the_phone_do_not_sign_in() {
    let mut stage = Stage::new(Policy::classic());
    let lee = stage.user("lee");
    let phone = stage.phone(&lee, "lee");
    let attempt = stage.begin(&lee);
    for steps in [0, -1] {
        assert_eq!(stage.type_code(&lee, attempt, &phone, Shown(steps)), code(CodeFault::Used), "A43");
    }
}

#[test]
fn nobody_elses_phone_or_attempt_helps() {
    let (mut stage, lee, phone) = equipped(Policy::classic());
    let dana = stage.user("dana");
    let danas = stage.phone(&dana, "dana");
    let (mine, hers) = (stage.begin(&lee), stage.begin(&dana));
    stage.wait_s(120);
    assert_eq!(stage.type_code(&lee, mine, &danas, Shown(0)), Err(Rejection::DeviceNotYours), "R4");
    assert_eq!(stage.type_code(&lee, hers, &phone, Shown(0)), UNKNOWN);
    assert_eq!(stage.type_code(&dana, mine, &danas, Shown(0)), UNKNOWN);
    assert_eq!(stage.type_code(&user("nobody"), mine, &phone, Shown(0)), Err(Rejection::PrincipalUnknown));
}

#[test]
fn a_sign_in_is_over_when_its_time_is() {
    let (mut stage, lee, phone) = equipped(Policy::classic());
    let attempt = stage.begin(&lee);
    stage.now = stage.now.plus_ms(599_999);
    stage.type_code(&lee, attempt, &phone, Nonsense).unwrap();
    stage.now = stage.now.plus_ms(1);
    assert_eq!(stage.type_code(&lee, attempt, &phone, Shown(0)), UNKNOWN);
    let never = stage.attempt();
    assert_eq!(stage.type_code(&lee, never, &phone, Shown(0)), UNKNOWN);
}

#[test]
fn a_phone_that_was_taken_away_meanwhile_completes_nothing() {
    let (mut stage, lee, phone) = equipped(Policy::classic());
    let attempt = stage.begin(&lee);
    stage.deactivate(&lee, &phone).unwrap();
    assert_eq!(stage.type_code(&lee, attempt, &phone, Shown(0)), Err(Rejection::DeviceNotYours), "NT-23");
}

#[test]
fn a_new_sign_in_does_not_give_new_guesses() {
    let (mut stage, lee, phone) = equipped(Policy::classic());
    for _ in 0..9 {
        let attempt = stage.begin(&lee);
        assert_eq!(stage.type_code(&lee, attempt, &phone, Nonsense), code(CodeFault::Wrong));
    }
    let attempt = stage.begin(&lee);
    let window = Attempts::window_at(stage.now, &stage.policy());
    let until = Attempts::ends_at(window, &stage.policy());
    assert_eq!(stage.type_code(&lee, attempt, &phone, Shown(0)), denied(Denial::Locked { until }), "NT-14");
    assert_eq!(stage.last(2), ["BudgetSpent", "SignInRefused"]);
    let written = stage.log.len();
    assert_eq!(stage.type_code(&lee, attempt, &phone, Shown(0)), denied(Denial::Locked { until }));
    assert_eq!(stage.log.len(), written, "a locked door writes once");
    stage.now = until;
    assert_eq!(stage.type_code(&lee, attempt, &phone, Shown(0)), in_by(attempt, &phone), "R91: at the boundary");
}

#[test]
fn other_doors_share_the_guesses_of_a_sign_in() {
    let (mut stage, lee, phone) = equipped(Policy::classic());
    for _ in 0..9 {
        assert_eq!(stage.verify(&lee, &phone, Purpose::SessionToken, Nonsense), code(CodeFault::Wrong));
    }
    let attempt = stage.begin(&lee);
    let answer = stage.type_code(&lee, attempt, &phone, Shown(0));
    assert!(matches!(answer, Ok(Verdict::Denied(Denial::Locked { .. }))), "NT-15");
}

#[test]
fn a_flood_of_sign_ins_from_elsewhere_drives_out_none_from_here() {
    let (mut stage, lee, _) = equipped(Policy::classic());
    let at = |host: u8| Client::new(Some([198, 51, 100, host].into()), "a browser");
    stage.client = at(1);
    let own = stage.begin(&lee);
    stage.client = at(2);
    for _ in 0..100 {
        stage.begin(&lee);
    }
    let open = &stage.pending(&lee).sign_ins;
    assert_eq!((open.len(), open[0].id), (OPEN_MAX, own));
    stage.client = at(3);
    stage.begin(&lee);
    assert_ne!(stage.pending(&lee).sign_ins[0].id, own, "the oldest makes room for a new address");
}

#[test]
fn a_new_password_ends_what_the_old_one_began() {
    let (mut stage, lee, phone) = equipped(Policy::classic());
    let attempt = stage.begin(&lee);
    let end = |stage: &mut Stage| stage.ask(&lee, |stage, context| end_sign_ins(stage.principal(&lee), context));
    assert_eq!(end(&mut stage), Ok(Verdict::Done));
    assert_eq!(stage.last(1), ["SignInsEnded"]);
    assert_eq!(stage.type_code(&lee, attempt, &phone, Shown(0)), Err(Rejection::ChallengeUnknown));
    assert_eq!(end(&mut stage), Ok(Verdict::Done), "nothing is open any more, and nothing is written");
}

#[test]
fn the_oldest_of_too_many_open_sign_ins_makes_room() {
    let (mut stage, lee, phone) = equipped(Policy::classic());
    let attempts: Vec<AttemptId> = (0..=OPEN_MAX).map(|_| stage.begin(&lee)).collect();
    assert_eq!(stage.pending(&lee).sign_ins.len(), OPEN_MAX);
    assert_eq!(stage.type_code(&lee, attempts[0], &phone, Shown(0)), UNKNOWN);
    assert_eq!(stage.type_code(&lee, attempts[1], &phone, Shown(0)), in_by(attempts[1], &phone));
}

#[test]
fn too_many_refusals_end_a_sign_in_and_what_was_asked_for_it() {
    let mut stage = Stage::new(Policy::modern());
    let lee = stage.user("lee");
    let phone = stage.phone(&lee, "lee");
    stage.key(&lee, "blue", KeyForm::SecurityKey, b"blue", 1);
    stage.wait_s(600);
    let (attempt, other) = (stage.begin(&lee), stage.begin(&lee));
    challenge(stage.offer(&lee, attempt, KeyForm::SecurityKey));
    challenge(stage.offer(&lee, other, KeyForm::SecurityKey));
    let never = stage.ticket();
    for refusal in 1..=REFUSALS_MAX {
        assert_eq!(stage.type_sent(&lee, attempt, &sms("lee"), never), NOT_ITS_TURN, "nothing that counts");
        let answer = stage.touch(&lee, attempt, never, &Touch::new(b"blue", 2, never));
        assert_eq!(answer, denied(Denial::NotAsked), "{refusal}");
    }
    assert_eq!(stage.type_code(&lee, attempt, &phone, Shown(0)), UNKNOWN);
    assert_eq!(stage.pending(&lee).keys.len(), 1, "the other sign-in's challenge is still open");
    assert_eq!(stage.type_code(&lee, other, &phone, Shown(0)), in_by(other, &phone));
    assert_eq!(stage.pending(&lee).keys, [], "and goes with it");
}

#[test]
fn one_device_of_several_is_enough() {
    let mut stage = Stage::new(Policy::modern());
    let lee = stage.user("lee");
    let phones: Vec<_> = ["one", "two"].map(|name| stage.phone(&lee, name)).into();
    stage.wait_s(600);
    for phone in &phones {
        let attempt = stage.begin(&lee);
        assert_eq!(stage.type_code(&lee, attempt, phone, Shown(0)), in_by(attempt, phone), "R107");
    }
}

#[test]
fn a_sign_in_by_one_device_makes_the_codes_of_another_worthless() {
    let mut stage = Stage::new(Policy { devices_per_principal_max: 2, ..Policy::classic() });
    let lee = stage.user("lee");
    let (phone, number) = (stage.phone(&lee, "lee"), stage.sms(&lee, "lee"));
    stage.wait_s(600);
    let attempt = stage.begin(&lee);
    challenge(stage.send(&lee, attempt, &number));
    assert_eq!(stage.type_code(&lee, attempt, &phone, Shown(0)), in_by(attempt, &phone));
    assert_eq!(stage.pending(&lee).codes, []);
}

#[test]
fn stricter_rules_hold_for_a_sign_in_that_is_under_way() {
    let (mut stage, lee, phone) = equipped(Policy::classic());
    let attempt = stage.begin(&lee);
    stage.choose(Some(Preset::Strict));
    let outside = Denial::Code { fault: CodeFault::Outside, steps: 2 };
    assert_eq!(stage.type_code(&lee, attempt, &phone, Shown(2)), denied(outside), "strict takes one step");
    assert_eq!(stage.type_code(&lee, attempt, &phone, Shown(1)), in_by(attempt, &phone));
}

// ---- the linked principal (R5, A6) ----

/// Root of this account, linked with root of another; both may have a phone.
fn linked(own: bool) -> (Stage, PrincipalId, Serial) {
    let mut stage = Stage::new(Policy::classic());
    // For the engine the linked principal is any other; a user is at hand.
    let other = stage.user("other");
    let others = stage.phone(&other, "others");
    if own {
        stage.phone(&root(), "root");
    }
    stage.wait_s(600);
    (stage, other, others)
}

fn begin_linked(stage: &mut Stage, other: &PrincipalId) -> AttemptId {
    let attempt = stage.attempt();
    let answer = stage.begin_as(&root(), attempt, Some(other));
    assert!(matches!(answer, Ok(Verdict::SecondFactorWanted { associate: true, .. })), "{answer:?}");
    attempt
}

fn prove(stage: &mut Stage, attempt: AttemptId, others: StreamId) -> Answer {
    stage.ask(&root(), |stage, context| associate_proven(stage.principal(&root()), attempt, others, MARK, context))
}

#[test]
fn the_linked_phone_comes_first_and_the_own_one_after() {
    let (mut stage, other, others) = linked(true);
    let attempt = begin_linked(&mut stage, &other);
    let own = phone("root");
    let early = stage.type_code(&root(), attempt, &own, Shown(0));
    assert_eq!(early, NOT_ITS_TURN, "A6: the associate's identity first");
    assert_eq!(stage.offer(&root(), attempt, KeyForm::SecurityKey), NOT_ITS_TURN);
    assert_eq!(stage.ask_factor(&root(), attempt, AlternativeFactor::Mail), NOT_ITS_TURN);

    stage.verify(&other, &others, Purpose::SignIn, Shown(0)).unwrap();
    let until = stage.pending(&root()).sign_ins[0].until;
    let wanted = Verdict::SecondFactorWanted { attempt, until, associate: false };
    assert_eq!(prove(&mut stage, attempt, others.stream()), Ok(wanted));
    assert_eq!(stage.pending(&root()).sign_ins[0].associate, Associate::Proven(MARK));
    assert_eq!(prove(&mut stage, attempt, others.stream()), NOT_ITS_TURN, "once");
    assert_eq!(stage.type_code(&root(), attempt, &own, Shown(0)), in_by(attempt, &own));
}

#[test]
fn no_message_is_sent_before_the_linked_phone_is_proven() {
    let (mut stage, other, _) = linked(false);
    let lee = stage.user("lee");
    stage.sms(&lee, "lee");
    stage.wait_s(600);
    let attempt = stage.attempt();
    stage.begin_as(&lee, attempt, Some(&other)).unwrap();
    assert_eq!(stage.send(&lee, attempt, &sms("lee")), NOT_ITS_TURN, "NT-40: nor paid for");
    let never = stage.ticket();
    assert_eq!(stage.type_sent(&lee, attempt, &sms("lee"), never), NOT_ITS_TURN);
}

#[test]
fn the_linked_phone_alone_is_enough_for_who_has_none() {
    let (mut stage, other, others) = linked(false);
    let attempt = begin_linked(&mut stage, &other);
    stage.verify(&other, &others, Purpose::SignIn, Shown(0)).unwrap();
    assert_eq!(prove(&mut stage, attempt, others.stream()), in_by(attempt, &others));
    assert_eq!(prove(&mut stage, attempt, others.stream()), UNKNOWN);
}

#[test]
fn a_phone_that_was_enabled_meanwhile_is_asked_for_as_well() {
    let (mut stage, other, others) = linked(false);
    let attempt = begin_linked(&mut stage, &other);
    let own = stage.phone(&root(), "root");
    stage.verify(&other, &others, Purpose::SignIn, Shown(0)).unwrap();
    let answer = prove(&mut stage, attempt, others.stream());
    assert!(matches!(answer, Ok(Verdict::SecondFactorWanted { .. })), "{answer:?}");
    stage.wait_s(90);
    assert_eq!(stage.type_code(&root(), attempt, &own, Shown(0)), in_by(attempt, &own));
}

#[test]
fn a_refused_linked_phone_lets_nobody_in_and_may_be_tried_again() {
    let (mut stage, other, others) = linked(true);
    let attempt = begin_linked(&mut stage, &other);
    let refuse = |stage: &mut Stage, denial: Denial| {
        let device = others.stream();
        stage.ask(&root(), |stage, context| {
            associate_refused(stage.principal(&root()), attempt, device, denial, context)
        })
    };
    let wrong = Denial::Code { fault: CodeFault::Wrong, steps: 0 };
    let locked = Denial::Locked { until: stage.now };
    for (denial, fault) in [(wrong, SignInFault::Wrong), (locked, SignInFault::Locked)] {
        assert_eq!(refuse(&mut stage, denial), denied(denial));
        let Some((_, Event::SignInRefused(refused))) = stage.log.last() else { panic!("no refusal") };
        assert_eq!((refused.fault, refused.device), (fault, Some(others.stream())));
    }
    let own = phone("root");
    assert_eq!(stage.type_code(&root(), attempt, &own, Shown(0)), NOT_ITS_TURN);
    stage.verify(&other, &others, Purpose::SignIn, Shown(0)).unwrap();
    prove(&mut stage, attempt, others.stream()).unwrap();
    assert_eq!(refuse(&mut stage, wrong), NOT_ITS_TURN, "it is proven");
    assert_eq!(stage.type_code(&root(), attempt, &own, Shown(0)), in_by(attempt, &own));
}

#[test]
fn no_linked_phone_is_taken_where_none_was_asked_for() {
    let (mut stage, other, others) = linked(true);
    let attempt = stage.begin(&root());
    stage.verify(&other, &others, Purpose::SignIn, Shown(0)).unwrap();
    assert_eq!(prove(&mut stage, attempt, others.stream()), NOT_ITS_TURN);
    let unknown = stage.attempt();
    assert_eq!(prove(&mut stage, unknown, others.stream()), UNKNOWN);
}
