//! SMS devices and the codes that are sent to them (R36..R38, R101, R118..R128, A13..A17).

use countersign_domain::caller::Caller;
use countersign_domain::decide::*;
use countersign_domain::device::{Device, DeviceKind};
use countersign_domain::event::*;
use countersign_domain::ids::*;
use countersign_domain::policy::Policy;
use countersign_domain::rejection::Rejection;
use countersign_domain::settings::{Preset, SmsEligibility};

use crate::people::Typed::Shown;
use crate::stage::*;

const UNKNOWN: Answer = Err(Rejection::ChallengeUnknown);
const NOT_OFFERED: Answer = Err(Rejection::SmsNotOffered);
const NUMBER: &str = "+15550101234";

fn refused(fault: SmsFault) -> Answer {
    denied(Denial::Sms(fault))
}

fn too_soon(answer: &Answer) -> Option<UnixMillis> {
    match answer {
        Err(Rejection::TooSoon { again_at }) => Some(*again_at),
        _ => None,
    }
}

/// lee with an SMS device, in a sending window of which nothing is used.
fn equipped() -> (Stage, PrincipalId) {
    let mut stage = Stage::new(Policy::classic());
    let lee = stage.user("lee");
    stage.sms(&lee, "lee");
    stage.wait_s(1800);
    (stage, lee)
}

/// The next code of a sign-in, sent when that may be.
fn sent(stage: &mut Stage, who: &PrincipalId, attempt: AttemptId) -> ChallengeId {
    loop {
        let answer = stage.send(who, attempt, &sms("lee"));
        match too_soon(&answer) {
            Some(again_at) => stage.now = again_at,
            None => return challenge(answer),
        }
    }
}

// ---- enrolling a number ----

#[test]
fn one_code_enables_the_number() {
    let mut stage = Stage::new(Policy::classic());
    let (lee, device) = (stage.user("lee"), sms("lee"));
    let asked = challenge(stage.begin_sms(&lee, &device, NUMBER));
    assert!(stage.registered(&lee).devices.is_empty(), "R49: pending is not enabled");
    assert_eq!(stage.device(&device), None);
    assert_eq!(stage.finish_sms(&lee, &device, asked, asked), Ok(Verdict::Done), "R119");
    let batch = ["SmsDeviceCreated", "DeviceAssigned", "SmsCodeAccepted", "DeviceEnabled"];
    assert_eq!(stage.last(4), batch);
    assert_eq!(stage.enabled(&lee, &device).kind, DeviceKind::Sms);
    assert!(stage.registered(&lee).sms_participant);
    assert_eq!(stage.pending(&lee).codes, []);
    assert_eq!(stage.finish_sms(&lee, &device, asked, asked), UNKNOWN, "once");
}

#[test]
fn the_number_that_got_the_code_is_the_one_that_is_enabled() {
    let mut stage = Stage::new(Policy::classic());
    let (lee, device) = (stage.user("lee"), sms("lee"));
    let own = challenge(stage.begin_sms(&lee, &device, NUMBER));
    stage.wait_s(30);
    let victims = challenge(stage.begin_sms(&lee, &device, "+15550109999"));
    assert_eq!(stage.finish_sms(&lee, &device, victims, own), refused(SmsFault::Wrong), "a code of the first number");
    assert_eq!(stage.finish_sms(&lee, &device, own, own), UNKNOWN, "A15: a newer code makes it worthless");
    assert_eq!(stage.finish_sms(&lee, &device, victims, victims), Ok(Verdict::Done));
    let Some(Device::Assigned(device)) = stage.device(&device) else { panic!("not enabled") };
    let number = format!("{:?}", device.entity.secret);
    assert!(number.contains("9999") && !number.contains("010"), "{number}");
}

#[test]
fn a_code_is_for_one_person_and_one_enrolment() {
    let mut stage = Stage::new(Policy::classic());
    let (lee, dana) = (stage.user("lee"), stage.user("dana"));
    let lees = challenge(stage.begin_sms(&lee, &sms("lee"), NUMBER));
    assert_eq!(stage.finish_sms(&dana, &sms("dana"), lees, lees), UNKNOWN, "NT-22");
    assert_eq!(stage.finish_sms(&lee, &sms("other"), lees, lees), UNKNOWN, "NT-44: another ARN");
    let never = stage.ticket();
    assert_eq!(stage.finish_sms(&lee, &sms("lee"), never, lees), UNKNOWN);
    assert_eq!(stage.finish_sms(&user("nobody"), &sms("lee"), lees, lees), Err(Rejection::PrincipalUnknown));
}

#[test]
fn a_code_is_good_for_five_minutes_and_five_tries() {
    let mut stage = Stage::new(Policy::classic());
    let (lee, device) = (stage.user("lee"), sms("lee"));
    let asked = challenge(stage.begin_sms(&lee, &device, NUMBER));
    stage.now = stage.now.plus_ms(300_000);
    assert_eq!(stage.finish_sms(&lee, &device, asked, asked), refused(SmsFault::Expired));
    let asked = challenge(stage.begin_sms(&lee, &device, NUMBER));
    let other = stage.ticket();
    for _ in 0..5 {
        assert_eq!(stage.finish_sms(&lee, &device, asked, other), refused(SmsFault::Wrong));
    }
    for _ in 0..2 {
        assert_eq!(stage.finish_sms(&lee, &device, asked, asked), refused(SmsFault::Exhausted), "A15");
    }
    stage.now = stage.now.plus_ms(299_999);
    let anew = challenge(stage.begin_sms(&lee, &device, NUMBER));
    stage.now = stage.now.plus_ms(299_999);
    assert_eq!(stage.finish_sms(&lee, &device, anew, anew), Ok(Verdict::Done), "to the last millisecond");
}

#[test]
fn the_fifth_try_may_be_the_right_one() {
    let mut stage = Stage::new(Policy::classic());
    let (lee, device) = (stage.user("lee"), sms("lee"));
    let asked = challenge(stage.begin_sms(&lee, &device, NUMBER));
    let other = stage.ticket();
    for _ in 0..4 {
        assert_eq!(stage.finish_sms(&lee, &device, asked, other), refused(SmsFault::Wrong));
    }
    assert_eq!(stage.finish_sms(&lee, &device, asked, asked), Ok(Verdict::Done));
}

#[test]
fn the_account_says_who_may_enrol() {
    use SmsEligibility::{Ended, Ending, ExistingOnly, Open};
    for (eligibility, anybody, participants) in
        [(Open, true, true), (ExistingOnly, false, true), (Ending, false, true), (Ended, false, false)]
    {
        let mut stage = Stage::new(Policy::classic());
        let (lee, dana) = (stage.user("lee"), stage.user("dana"));
        let number = stage.sms(&dana, "dana");
        stage.deactivate(&dana, &number).unwrap();
        stage.wait_s(60);
        stage.set(&Setting::Sms(eligibility)).unwrap();
        assert_eq!(stage.begin_sms(&lee, &sms("lee"), NUMBER) != NOT_OFFERED, anybody, "{eligibility:?}: A16");
        let again = stage.begin_sms(&dana, &sms("dana"), NUMBER);
        assert_eq!(again != NOT_OFFERED, participants, "{eligibility:?}: {again:?}");
    }
}

#[test]
fn nobody_finishes_what_the_account_no_longer_offers() {
    let mut stage = Stage::new(Policy::classic());
    let (lee, device) = (stage.user("lee"), sms("lee"));
    let asked = challenge(stage.begin_sms(&lee, &device, NUMBER));
    stage.set(&Setting::Sms(SmsEligibility::Ended)).unwrap();
    assert_eq!(stage.finish_sms(&lee, &device, asked, asked), NOT_OFFERED);
    stage.set(&Setting::Sms(SmsEligibility::Open)).unwrap();
    stage.choose(Some(Preset::Modern));
    assert_eq!(stage.finish_sms(&lee, &device, asked, asked), NOT_OFFERED, "R170");
    stage.choose(None);
    assert_eq!(stage.finish_sms(&lee, &device, asked, asked), Ok(Verdict::Done));
}

#[test]
fn root_is_never_offered_it() {
    for eligibility in SmsEligibility::ALL {
        let mut stage = Stage::new(Policy::classic());
        // A setting that stands already is no change.
        stage.set(&Setting::Sms(*eligibility)).unwrap();
        assert_eq!(stage.begin_sms(&root(), &sms("root"), NUMBER), NOT_OFFERED, "R122, {eligibility:?}");
        let never = stage.ticket();
        assert_eq!(stage.finish_sms(&root(), &sms("root"), never, never), NOT_OFFERED);
    }
}

#[test]
fn a_device_that_exists_outlives_the_offer() {
    let (mut stage, lee) = equipped();
    stage.set(&Setting::Sms(SmsEligibility::Ended)).unwrap();
    stage.choose(Some(Preset::Strict));
    let attempt = stage.begin(&lee);
    let code = sent(&mut stage, &lee, attempt);
    assert_eq!(stage.type_sent(&lee, attempt, &sms("lee"), code), in_by(attempt, &sms("lee")), "A16");
    assert_eq!(stage.deactivate(&lee, &sms("lee")), Ok(Verdict::Done), "A13");
    assert_eq!(stage.last(3), ["DeviceDeactivated", "DeviceReleased", "DeviceDeleted"], "R69");
}

#[test]
fn a_number_counts_like_any_other_device() {
    let mut stage = Stage::new(Policy::classic());
    let (lee, device) = (stage.user("lee"), sms("lee"));
    let early = challenge(stage.begin_sms(&lee, &device, NUMBER));
    let phone = stage.phone(&lee, "lee");
    let full = Err(Rejection::PrincipalDeviceLimit { max: 1 });
    assert_eq!(stage.finish_sms(&lee, &device, early, early), full, "R121, A7");
    stage.wait_s(60);
    assert_eq!(stage.begin_sms(&lee, &device, NUMBER), full);
    stage.deactivate(&lee, &phone).unwrap();
    assert_eq!(stage.finish_sms(&lee, &device, early, early), Ok(Verdict::Done));
    stage.wait_s(60);
    assert_eq!(stage.begin_sms(&lee, &device, NUMBER), Err(Rejection::DeviceAlreadyYours), "R120: there is no edit");
    let dana = stage.user("dana");
    assert_eq!(stage.begin_sms(&dana, &device, NUMBER), Err(Rejection::DeviceInUse), "lee was called so before");
}

#[test]
fn numbers_are_enrolled_in_the_console_and_not_by_half_a_session() {
    let policy = Policy { devices_per_principal_max: 2, ..Policy::classic() };
    let mut stage = Stage::new(policy);
    let lee = stage.user("lee");
    let device = sms("lee");
    let now = Some(stage.now);
    for caller in [Caller::with_key(lee.clone()), Caller::with_session(lee.clone(), now), Caller::operator()] {
        stage.caller = Some(caller);
        assert_eq!(stage.begin_sms(&lee, &device, NUMBER), Err(Rejection::ChannelNotAllowed), "R42");
    }
    stage.caller = Some(Caller::at_console(lee.clone(), None));
    let early = challenge(stage.begin_sms(&lee, &device, NUMBER));
    stage.caller = None;
    stage.phone(&lee, "lee");
    stage.caller = Some(Caller::at_console(lee.clone(), None));
    let needs_mfa = Err(Rejection::SelfManagementNeedsMfa);
    assert_eq!(stage.finish_sms(&lee, &device, early, early), needs_mfa, "R182, NT-21");
    assert_eq!(stage.begin_sms(&lee, &device, NUMBER), needs_mfa);
    stage.caller = Some(Caller::at_console(user("admin"), None));
    assert_eq!(stage.finish_sms(&lee, &device, early, early), Ok(Verdict::Done), "R181: for another user it may");
}

#[test]
fn the_earliest_reason_is_given() {
    let mut stage = Stage::new(Policy::classic());
    let lee = stage.user("lee");
    stage.phone(&lee, "lee");
    stage.set(&Setting::Sms(SmsEligibility::Ended)).unwrap();
    let never = stage.ticket();
    assert_eq!(stage.begin_sms(&lee, &sms("lee"), NUMBER), NOT_OFFERED, "before the limit");
    assert_eq!(stage.finish_sms(&lee, &sms("lee"), never, never), UNKNOWN, "before what is offered");
    stage.caller = Some(Caller::at_console(lee.clone(), None));
    let needs_mfa = Err(Rejection::SelfManagementNeedsMfa);
    assert_eq!(stage.begin_sms(&lee, &sms("lee"), NUMBER), needs_mfa, "R181: before everything else");
    assert_eq!(stage.finish_sms(&lee, &sms("lee"), never, never), needs_mfa);
}

// ---- signing in ----

#[test]
fn the_newest_code_completes_the_sign_in_once() {
    let (mut stage, lee) = equipped();
    let attempt = stage.begin(&lee);
    let first = sent(&mut stage, &lee, attempt);
    let second = sent(&mut stage, &lee, attempt);
    assert_eq!(stage.type_sent(&lee, attempt, &sms("lee"), first), refused(SmsFault::Wrong), "A15");
    assert_eq!(stage.type_sent(&lee, attempt, &sms("lee"), second), in_by(attempt, &sms("lee")));
    assert_eq!(stage.last(2), ["SmsCodeAccepted", "SignedIn"]);
    assert_eq!(stage.type_sent(&lee, attempt, &sms("lee"), second), UNKNOWN);
    let again = stage.begin(&lee);
    assert_eq!(stage.type_sent(&lee, again, &sms("lee"), second), denied(Denial::NotAsked), "it is spent");
}

#[test]
fn a_code_is_for_the_attempt_that_it_was_sent_in() {
    let (mut stage, lee) = equipped();
    let (mine, thiefs) = (stage.begin(&lee), stage.begin(&lee));
    let not_asked = denied(Denial::NotAsked);
    assert_eq!(stage.type_sent(&lee, mine, &sms("lee"), ChallengeId::from_bytes([0; 16])), not_asked, "none was sent");
    let code = sent(&mut stage, &lee, mine);
    assert_eq!(stage.type_sent(&lee, thiefs, &sms("lee"), code), not_asked, "NT-44");
    let newer = sent(&mut stage, &lee, thiefs);
    assert_eq!(stage.type_sent(&lee, mine, &sms("lee"), code), not_asked, "one code at a time");
    assert_eq!(stage.type_sent(&lee, mine, &sms("lee"), newer), not_asked, "nor the other attempt's");
}

#[test]
fn an_enrolments_code_signs_nobody_in() {
    let policy = Policy { devices_per_principal_max: 2, ..Policy::classic() };
    let mut stage = Stage::new(policy);
    let lee = stage.user("lee");
    stage.phone(&lee, "lee");
    let code = challenge(stage.begin_sms(&lee, &sms("lee"), NUMBER));
    let attempt = stage.begin(&lee);
    let none = Err(Rejection::FactorUnknown);
    assert_eq!(stage.type_sent(&lee, attempt, &sms("lee"), code), none, "NT-23, NT-44");
    assert_eq!(stage.send(&lee, attempt, &sms("lee")), none, "nor is one sent to a number that is not enabled");
    stage.finish_sms(&lee, &sms("lee"), code, code).unwrap();
    assert_eq!(stage.type_sent(&lee, attempt, &sms("lee"), code), denied(Denial::NotAsked));
}

#[test]
fn five_tries_at_a_code_whatever_the_attempt() {
    let (mut stage, lee) = equipped();
    let attempt = stage.begin(&lee);
    let code = sent(&mut stage, &lee, attempt);
    let other = stage.ticket();
    for _ in 0..5 {
        assert_eq!(stage.type_sent(&lee, attempt, &sms("lee"), other), refused(SmsFault::Wrong));
    }
    assert_eq!(stage.last(2), ["SmsCodeRefused", "SignInRefused"]);
    assert_eq!(stage.type_sent(&lee, attempt, &sms("lee"), code), refused(SmsFault::Exhausted));
    let another = stage.begin(&lee);
    assert_eq!(stage.type_sent(&lee, another, &sms("lee"), code), denied(Denial::NotAsked), "NT-14");
    let next = sent(&mut stage, &lee, attempt);
    assert_eq!(stage.type_sent(&lee, attempt, &sms("lee"), next), in_by(attempt, &sms("lee")));
}

#[test]
fn a_late_code_is_told_from_a_wrong_one_in_the_log() {
    let (mut stage, lee) = equipped();
    let attempt = stage.begin(&lee);
    let code = sent(&mut stage, &lee, attempt);
    stage.now = stage.now.plus_ms(300_000);
    assert_eq!(stage.type_sent(&lee, attempt, &sms("lee"), code), refused(SmsFault::Expired));
    let next = sent(&mut stage, &lee, attempt);
    assert_eq!(stage.type_sent(&lee, attempt, &sms("lee"), next), in_by(attempt, &sms("lee")));
}

#[test]
fn taking_the_device_away_forgets_its_codes() {
    let (mut stage, lee) = equipped();
    stage.deployment.sms_change_pause_s = 30;
    let attempt = stage.begin(&lee);
    let code = sent(&mut stage, &lee, attempt);
    stage.deactivate(&lee, &sms("lee")).unwrap();
    assert_eq!(stage.pending(&lee).codes, []);
    let none = Err(Rejection::FactorUnknown);
    assert_eq!(stage.type_sent(&lee, attempt, &sms("lee"), code), none, "NT-23");
    stage.wait_s(30);
    stage.sms(&lee, "lee");
    let answer = stage.type_sent(&lee, attempt, &sms("lee"), code);
    assert_eq!(answer, denied(Denial::NotAsked), "NT-24: the new number does not bring it back");
}

#[test]
fn nothing_is_sent_to_who_is_not_signing_in() {
    let (mut stage, lee) = equipped();
    let never = stage.attempt();
    assert_eq!(stage.send(&lee, never, &sms("lee")), UNKNOWN);
    assert_eq!(stage.send(&user("nobody"), never, &sms("lee")), Err(Rejection::PrincipalUnknown));
    let dana = stage.user("dana");
    stage.phone(&dana, "dana");
    let attempt = stage.begin(&dana);
    assert_eq!(stage.send(&dana, attempt, &sms("lee")), Err(Rejection::FactorUnknown), "nor to somebody else");
    assert_eq!(stage.type_code(&lee, never, &sms("lee"), Shown(0)), UNKNOWN);
    let own = stage.begin(&lee);
    assert_eq!(stage.type_code(&lee, own, &sms("lee"), Shown(0)), Err(Rejection::DeviceNotYours), "R123");
}

// ---- how often ----

#[test]
fn half_a_minute_between_two_codes() {
    let (mut stage, lee) = equipped();
    let attempt = stage.begin(&lee);
    challenge(stage.send(&lee, attempt, &sms("lee")));
    let again_at = stage.now.plus_ms(30_000);
    assert_eq!(too_soon(&stage.send(&lee, attempt, &sms("lee"))), Some(again_at));
    stage.now = UnixMillis(again_at.0 - 1);
    assert_eq!(too_soon(&stage.send(&lee, attempt, &sms("lee"))), Some(again_at));
    let other = stage.begin(&lee);
    assert_eq!(
        too_soon(&stage.send(&lee, other, &sms("lee"))),
        Some(again_at),
        "NT-40: another attempt is no way round"
    );
    stage.now = again_at;
    challenge(stage.send(&lee, attempt, &sms("lee")));
}

#[test]
fn five_codes_in_a_quarter_of_an_hour() {
    let (mut stage, lee) = equipped();
    // The first instant of a sending window.
    stage.now = UnixMillis::from_secs(stage.now.secs().div_ceil(900) * 900);
    let end = stage.now.plus_ms(900_000);
    let mut attempt = stage.begin(&lee);
    for _ in 0..5 {
        sent(&mut stage, &lee, attempt);
    }
    assert_eq!(too_soon(&stage.send(&lee, attempt, &sms("lee"))), Some(end), "A15");
    stage.now = UnixMillis(end.0 - 1);
    attempt = stage.begin(&lee);
    assert_eq!(too_soon(&stage.send(&lee, attempt, &sms("lee"))), Some(end));
    stage.now = end;
    challenge(stage.send(&lee, attempt, &sms("lee")));
}

#[test]
fn the_pause_reaches_over_the_edge_of_a_window() {
    let (mut stage, lee) = equipped();
    let edge = UnixMillis::from_secs(stage.now.secs().div_ceil(900) * 900);
    stage.now = UnixMillis(edge.0 - 10_000);
    let attempt = stage.begin(&lee);
    challenge(stage.send(&lee, attempt, &sms("lee")));
    stage.now = edge;
    assert_eq!(too_soon(&stage.send(&lee, attempt, &sms("lee"))), Some(edge.plus_ms(20_000)));
    stage.now = edge.plus_ms(20_000);
    for _ in 0..5 {
        sent(&mut stage, &lee, attempt);
    }
    let full = too_soon(&stage.send(&lee, attempt, &sms("lee")));
    assert_eq!(full, Some(edge.plus_ms(900_000)), "the code before the edge does not count after it");
}

#[test]
fn enrolments_and_sign_ins_are_sent_from_one_budget() {
    let policy = Policy { devices_per_principal_max: 2, ..Policy::classic() };
    let mut stage = Stage::new(policy);
    let lee = stage.user("lee");
    stage.sms(&lee, "lee");
    let attempt = stage.begin(&lee);
    let answer = stage.send(&lee, attempt, &sms("lee"));
    assert_eq!(too_soon(&answer), Some(START.plus_ms(30_000)), "NT-15: the enrolment was moments ago");
}

#[test]
fn a_clock_that_ran_ahead_stops_nothing_for_long() {
    let (mut stage, lee) = equipped();
    let honest = stage.now;
    stage.wait_s(86_400);
    let attempt = stage.begin(&lee);
    challenge(stage.send(&lee, attempt, &sms("lee")));
    stage.now = honest;
    let attempt = stage.begin(&lee);
    challenge(stage.send(&lee, attempt, &sms("lee")));
}

#[test]
fn a_clock_that_wavers_at_the_edge_of_a_window_gives_no_more_codes() {
    let (mut stage, lee) = equipped();
    let edge = UnixMillis::from_secs(stage.now.secs().div_ceil(900) * 900);
    stage.now = edge;
    let attempt = stage.begin(&lee);
    for _ in 0..5 {
        sent(&mut stage, &lee, attempt);
    }
    stage.now = UnixMillis(edge.0 + 10_000);
    for back_ms in [1, 60_000] {
        stage.now = UnixMillis(edge.0 + 10_000 - back_ms);
        let answer = stage.send(&lee, attempt, &sms("lee"));
        assert_eq!(too_soon(&answer), Some(edge.plus_ms(900_000)), "A40: back by {back_ms} ms");
    }
}

#[test]
fn a_clock_that_wavers_does_not_shorten_the_pause() {
    let (mut stage, lee) = equipped();
    let attempt = stage.begin(&lee);
    challenge(stage.send(&lee, attempt, &sms("lee")));
    let again_at = stage.now.plus_ms(30_000);
    stage.now = UnixMillis(stage.now.0 - 60_000);
    assert_eq!(too_soon(&stage.send(&lee, attempt, &sms("lee"))), Some(again_at));
}
