//! Pairs and single codes of a device over its whole life: what is learned, what a clock may do, what outlives it.
//!
//! The stage has every answer given twice: once as decided, once from what was recorded.

use countersign_domain::decide::*;
use countersign_domain::device::{Device, Serial};
use countersign_domain::event::*;
use countersign_domain::ids::*;
use countersign_domain::policy::Policy;
use countersign_domain::principal::Sync;
use countersign_domain::rejection::Rejection;
use countersign_domain::totp::{Attempts, Learned, server_step};

use crate::people::Typed::{Nonsense, Shown};
use crate::stage::*;

const NO_MATCH: Answer = Ok(Verdict::Denied(Denial::Pair(PairFault::NoMatch)));
const NOT_NEWER: Answer = Ok(Verdict::Denied(Denial::Pair(PairFault::NotNewer)));

fn learned(offset: i64) -> Answer {
    Ok(Verdict::PairAccepted { offset })
}

fn step(stage: &Stage) -> u64 {
    server_step(stage.now, &stage.policy())
}

/// A phone that was enabled just now.
fn equipped(policy: Policy) -> (Stage, PrincipalId, Serial) {
    let mut stage = Stage::new(policy);
    let lee = stage.user("lee");
    let serial = stage.phone(&lee, "lee");
    (stage, lee, serial)
}

#[test]
fn a_device_is_followed_through_its_drift_both_ways() {
    let mut stage = Stage::new(Policy::classic());
    let lee = stage.user("lee");
    let serial = stage.created(&lee, "lee");
    let now = step(&stage);
    assert_eq!(stage.enable(&lee, &serial, &[]), NO_MATCH);
    assert_eq!(stage.enable(&lee, &serial, &[now + 5]), learned(5));
    assert_eq!(stage.last(2), ["DeviceEnabled", "DeviceAssigned"]);
    assert_eq!(stage.resync(&lee, &serial, &[]), NO_MATCH);
    assert_eq!(stage.resync(&lee, &serial, &[now + 5]), NOT_NEWER);
    assert_eq!(stage.resync(&lee, &serial, &[now + 6]), NOT_NEWER, "its first code was the last one of before");
    assert_eq!(stage.resync(&lee, &serial, &[now + 6, now + 7]), learned(7));
    assert_eq!(stage.last(1), ["DeviceResynced"]);
    stage.wait_s(30 * 100);
    assert_eq!(stage.resync(&lee, &serial, &[now + 40]), learned(-60));
    let enabled = stage.enabled(&lee, &serial);
    assert_eq!((enabled.learned.offset, enabled.learned.last_pair()), (-60, Some(now + 40)));
    assert_eq!((enabled.enabled_at, enabled.learned_at, enabled.latest), (START, stage.now, stage.now), "R95, R117");
    assert_eq!(enabled.learned.device_step(stage.now, &stage.policy()), now + 40);
}

#[test]
fn refused_codes_are_counted_until_one_is_accepted_and_the_last_drift_is_remembered() {
    let (mut stage, lee, serial) = equipped(Policy::classic());
    let mut refused = |typed, sync| {
        assert!(matches!(stage.verify(&lee, &serial, Purpose::SessionToken, typed), Ok(Verdict::Denied(_))));
        assert_eq!(stage.enabled(&lee, &serial).sync, sync);
    };
    refused(Nonsense, Sync::InSync { misses: 1 });
    refused(Shown(10), Sync::OutOfSync { misses: 2, steps: 10 });
    refused(Nonsense, Sync::OutOfSync { misses: 3, steps: 10 });
    refused(Shown(-7), Sync::OutOfSync { misses: 4, steps: -7 });
    let accepted = stage.verify(&lee, &serial, Purpose::SessionToken, Shown(1));
    assert!(matches!(accepted, Ok(Verdict::CodeAccepted { .. })), "{accepted:?}");
    assert_eq!(stage.enabled(&lee, &serial).sync, Sync::FRESH);
    assert!(Sync::OutOfSync { misses: 1, steps: 3 }.wants_resync(&Policy::classic()));
    let wants = [0, 1, 2, 3, 4, 5].map(|misses| Sync::InSync { misses }.wants_resync(&Policy::classic()));
    let max = usize::from(Policy::classic().misses_before_resync);
    assert_eq!(wants.iter().filter(|wants| !**wants).count(), max, "from so many misses on");
    assert!(!wants[max - 1] && wants[max]);
}

#[test]
fn a_clock_may_go_back_by_so_much_and_no_further() {
    let (mut stage, lee, serial) = equipped(Policy::classic());
    let latest = stage.now;
    let tolerance_ms = u64::from(stage.policy().clock_back_max_s) * 1000;
    stage.now = UnixMillis(latest.0 - tolerance_ms);
    let answer = stage.resync(&lee, &serial, &[]);
    assert_eq!(answer, NO_MATCH, "just so far");
    assert_eq!(stage.enabled(&lee, &serial).latest, latest);
    stage.now = UnixMillis(latest.0 - tolerance_ms - 1);
    let back = Err(Rejection::ClockWentBack { latest });
    assert_eq!(stage.resync(&lee, &serial, &[]), back);
    assert_eq!(stage.verify(&lee, &serial, Purpose::SessionToken, Shown(0)), back);
}

#[test]
fn what_was_learned_reaches_sts_after_its_delay_and_a_sign_in_at_once() {
    let policy = Policy { sts_propagation_ms: 10_000, ..Policy::classic() };
    let (mut stage, lee, serial) = equipped(policy);
    let early = Ok(Verdict::Denied(Denial::Code { fault: CodeFault::NotPropagated, steps: 0 }));
    stage.now = stage.now.plus_ms(9_999);
    assert_eq!(stage.verify(&lee, &serial, Purpose::SessionToken, Shown(1)), early);
    let attempt = stage.begin(&lee);
    assert_eq!(stage.type_code(&lee, attempt, &serial, Shown(2)), in_by(attempt, &serial));
    stage.now = stage.now.plus_ms(1);
    let late = stage.verify(&lee, &serial, Purpose::SessionToken, Shown(1));
    assert!(matches!(late, Ok(Verdict::CodeAccepted { .. })), "{late:?}");
    let (mut stage, lee, serial) = equipped(Policy { sts_propagation_ms: 0, ..Policy::classic() });
    let at_once = stage.verify(&lee, &serial, Purpose::SessionToken, Shown(1));
    assert!(matches!(at_once, Ok(Verdict::CodeAccepted { .. })), "{at_once:?}");
    stage.now = UnixMillis(START.0 - 1000);
    let behind = stage.verify(&lee, &serial, Purpose::SessionToken, Shown(2));
    assert!(matches!(behind, Ok(Verdict::CodeAccepted { .. })), "no delay, though the clock went back: {behind:?}");
}

#[test]
fn a_serial_that_is_created_again_has_its_budgets_and_nothing_else_of_before() {
    let mut stage = Stage::new(Policy::classic());
    let lee = stage.user("lee");
    let serial = stage.created(&lee, "lee");
    let now = step(&stage);
    (0..2).for_each(|_| assert_eq!(stage.enable(&lee, &serial, &[]), NO_MATCH));
    assert_eq!(stage.enable(&lee, &serial, &[now + 3]), learned(3));
    assert!(stage.verify(&lee, &serial, Purpose::SessionToken, Nonsense).is_ok());
    assert_eq!(stage.deactivate(&lee, &serial), Ok(Verdict::Done));
    let gone =
        stage.ask(&lee, |stage, context| delete_virtual_device(stage.account(), stage.candidate(&serial), context));
    assert_eq!(gone, Ok(Verdict::Done));
    let window = Attempts::window_at(stage.now, &stage.policy());
    let count = |used| Attempts { window, used, closed: false };
    let left = Learned { codes: count(1), pairs: count(3), ..Learned::default() };
    assert_eq!(
        stage.device(&serial),
        Some(&Device::Deleted(countersign_domain::device::Deleted { learned: left.clone(), life: 1 }))
    );
    stage.created(&lee, "lee");
    let Some(Device::Unassigned(fresh)) = stage.device(&serial) else { panic!("it is assigned") };
    assert_eq!((&fresh.learned, fresh.entity.life), (&left, 2));
    let max = stage.policy().pair_attempts_max;
    for _ in 3..max {
        assert_eq!(stage.enable(&lee, &serial, &[]), NO_MATCH);
    }
    let until = Attempts::ends_at(window, &stage.policy());
    let locked = denied(Denial::Locked { until });
    let events = stage.log.len();
    assert_eq!(stage.enable(&lee, &serial, &[now + 3]), locked);
    assert_eq!((stage.last(1), stage.log.len()), (vec!["BudgetSpent"], events + 1));
    assert_eq!(stage.enable(&lee, &serial, &[now + 3]), locked);
    assert_eq!(stage.log.len(), events + 1, "it is said once");
    stage.now = until;
    assert_eq!(stage.enable(&lee, &serial, &[step(&stage)]), learned(0), "and it learns anew");
}
