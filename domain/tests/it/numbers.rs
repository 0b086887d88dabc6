//! Numbers that change, and numbers that nothing is sent to (NT-40, NT-43).

use countersign_domain::caller::Caller;
use countersign_domain::decide::*;
use countersign_domain::ids::*;
use countersign_domain::policy::Policy;
use countersign_domain::rejection::Rejection;
use countersign_domain::settings::SmsEligibility;
use countersign_domain::sms::{PhoneFault, SmsBudget};

use crate::stage::*;

const NUMBER: &str = "+15550101234";

fn too_soon(again_at: UnixMillis) -> Answer {
    Err(Rejection::TooSoon { again_at })
}

// ---- another number after one was given up ----

#[test]
fn another_number_waits_for_ten_minutes() {
    let mut stage = Stage::new(Policy::classic());
    let lee = stage.user("lee");
    let number = stage.sms(&lee, "lee");
    stage.wait_s(60);
    stage.deactivate(&lee, &number).unwrap();
    let again_at = stage.now.plus_ms(600_000);
    for now in [stage.now, UnixMillis(again_at.0 - 1)] {
        stage.now = now;
        assert_eq!(stage.begin_sms(&lee, &number, NUMBER), too_soon(again_at), "NT-43: the same number too");
        assert_eq!(stage.begin_sms(&lee, &sms("another"), "+15550109999"), too_soon(again_at), "whatever it is called");
    }
    stage.caller = Some(Caller::at_console(root(), None));
    assert_eq!(stage.begin_sms(&lee, &number, NUMBER), too_soon(again_at), "whoever asks");
    stage.caller = None;
    let dana = stage.user("dana");
    challenge(stage.begin_sms(&dana, &sms("dana"), NUMBER));
    stage.now = again_at;
    challenge(stage.begin_sms(&lee, &number, NUMBER));
}

#[test]
fn a_number_that_was_asked_for_before_the_change_waits_too() {
    let mut stage = Stage::new(Policy { sms_change_pause_s: 100, ..Policy::classic() });
    let lee = stage.user("lee");
    let thiefs = challenge(stage.begin_sms(&lee, &sms("thief"), "+15550109999"));
    stage.wait_s(30);
    let number = stage.sms(&lee, "lee");
    stage.deactivate(&lee, &number).unwrap();
    let again_at = stage.now.plus_ms(100_000);
    assert_eq!(stage.finish_sms(&lee, &sms("thief"), thiefs, thiefs), too_soon(again_at), "NT-43");
    assert_eq!(stage.last(1), ["DeviceDeleted"], "nothing was tried");
    stage.now = again_at;
    assert_eq!(stage.finish_sms(&lee, &sms("thief"), thiefs, thiefs), Ok(Verdict::Done));
}

#[test]
fn every_way_to_lose_a_number_is_a_change_and_no_other_loss_is() {
    let policy = Policy { devices_per_principal_max: 2, atomic_rotation: true, ..Policy::classic() };
    let mut stage = Stage::new(policy);
    let lee = stage.user("lee");
    let phone = stage.phone(&lee, "lee");
    stage.deactivate(&lee, &phone).unwrap();
    let number = stage.sms(&lee, "lee");
    stage.wait_s(60);
    stage.phone_in_place_of(&lee, "next", &number);
    assert_eq!(stage.begin_sms(&lee, &number, NUMBER), too_soon(stage.now.plus_ms(600_000)));
}

#[test]
fn the_longer_of_two_pauses_counts() {
    for (pause_s, again_s) in [(10, 30), (50, 50)] {
        let mut stage = Stage::new(Policy { sms_change_pause_s: pause_s, ..Policy::classic() });
        let lee = stage.user("lee");
        let number = stage.sms(&lee, "lee");
        stage.deactivate(&lee, &number).unwrap();
        assert_eq!(stage.begin_sms(&lee, &number, NUMBER), too_soon(stage.now.plus_ms(again_s * 1000)));
    }
}

#[test]
fn codes_of_a_sign_in_do_not_wait_for_a_change() {
    let mut stage = Stage::new(Policy { devices_per_principal_max: 2, ..Policy::classic() });
    let lee = stage.user("lee");
    let number = stage.sms(&lee, "lee");
    stage.wait_s(60);
    stage.sms(&lee, "second");
    stage.deactivate(&lee, &number).unwrap();
    stage.wait_s(60);
    let attempt = stage.begin(&lee);
    challenge(stage.send(&lee, attempt, &sms("second")));
}

#[test]
fn a_clock_that_ran_ahead_makes_nobody_wait_for_long() {
    let mut stage = Stage::new(Policy::classic());
    let lee = stage.user("lee");
    let number = stage.sms(&lee, "lee");
    let honest = stage.now;
    stage.wait_s(86_400);
    stage.deactivate(&lee, &number).unwrap();
    let (gone_at, pause_ms) = (stage.now, 600_000);
    stage.now = UnixMillis(gone_at.0 - 60_000);
    assert_eq!(stage.begin_sms(&lee, &number, NUMBER), too_soon(gone_at.plus_ms(pause_ms)), "A40: a minute is borne");
    stage.now = honest.plus_ms(60_000);
    challenge(stage.begin_sms(&lee, &number, NUMBER));
}

// ---- what the deployment does not send ----

/// Everything that the deployment may have against a number or a moment.
fn refusals() -> [Rejection; 4] {
    [
        Rejection::PhoneNotUsable { fault: PhoneFault::Premium },
        Rejection::CountryNotServed,
        Rejection::PrefixBlocked { until: START },
        Rejection::SmsBudgetSpent { budget: SmsBudget::Number, again_at: START },
    ]
}

#[test]
fn nothing_is_written_where_the_deployment_sends_nothing() {
    for refusal in refusals() {
        let mut stage = Stage::new(Policy::classic());
        let (lee, dana) = (stage.user("lee"), stage.user("dana"));
        stage.sms(&lee, "lee");
        stage.wait_s(1800);
        let attempt = stage.begin(&lee);
        let events = stage.log.len();
        stage.admitted = Err(refusal.clone());
        assert_eq!(stage.send(&lee, attempt, &sms("lee")), Err(refusal.clone()));
        assert_eq!(stage.begin_sms(&dana, &sms("dana"), NUMBER), Err(refusal));
        assert_eq!(stage.log.len(), events, "and the person's own budget is as it was");
    }
}

#[test]
fn what_is_against_a_number_is_told_in_its_turn() {
    let full = Rejection::PrincipalDeviceLimit { max: 1 };
    for refusal in refusals() {
        let mut stage = Stage::new(Policy::classic());
        let (lee, dana) = (stage.user("lee"), stage.user("dana"));
        stage.sms(&lee, "lee");
        let attempt = stage.begin(&lee);
        let pause = Rejection::TooSoon { again_at: stage.now.plus_ms(30_000) };
        challenge(stage.begin_sms(&dana, &sms("dana"), NUMBER));
        stage.admitted = Err(refusal.clone());
        let earlier = |own: &Rejection| Err(if own.rank() < refusal.rank() { own.clone() } else { refusal.clone() });
        assert_eq!(stage.begin_sms(&lee, &sms("next"), NUMBER), earlier(&full), "R56");
        assert_eq!(stage.begin_sms(&dana, &sms("dana"), NUMBER), earlier(&pause));
        assert_eq!(stage.send(&lee, attempt, &sms("lee")), earlier(&pause));
        assert_eq!(stage.send(&lee, attempt, &sms("next")), Err(Rejection::FactorUnknown));
        stage.set(&Setting::Sms(SmsEligibility::Ended)).unwrap();
        assert_eq!(stage.begin_sms(&dana, &sms("dana"), NUMBER), Err(Rejection::SmsNotOffered));
        assert_eq!(stage.begin_sms(&user("nobody"), &sms("x"), NUMBER), Err(Rejection::PrincipalUnknown));
    }
}
