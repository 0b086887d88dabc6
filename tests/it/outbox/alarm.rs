//! The alarm for SMS pumping: codes that are bought and never come back stop the sending to their prefix, and to no
//! other (NT-40).

use countersign::domain::event::Event;
use countersign::*;

use super::stage::{End, Stage, number};
use crate::door::proven;
use crate::support::operator;

/// Codes that say enough, in these tests.
const SAMPLE: u32 = 10;

fn policy() -> Policy {
    Policy {
        sms_conversion_sample: SAMPLE,
        sms_conversion_min_percent: 30,
        sms_block_s: 7200,
        sms_again_after_s: 0,
        sms_sends_max: 1000,
        sms_number_max: 1000,
        sms_code_life_s: 60,
        ..Policy::classic()
    }
}

fn prefix() -> Prefix {
    Prefix::of(&number(0))
}

/// Asks for codes to a prefix that nobody types, and lets their time pass.
async fn pump(stage: &Stage, who: &PrincipalId, times: usize) {
    for nth in 0..times {
        let begun = stage.engine.begin_sms_enrolment(proven(who), who, number(nth)).await.unwrap().value;
        stage.run_until("taken", || stage.state(begun.challenge) == SmsState::Taken).await;
        stage.pass_s(60).await;
    }
}

async fn ask(stage: &Stage, who: &PrincipalId, number: PhoneNumber) -> Result<(), Rejection> {
    let asked = stage.engine.begin_sms_enrolment(proven(who), who, number).await;
    asked.map(|_| ()).map_err(|error| error.rejection().unwrap().clone())
}

fn blocks(stage: &Stage) -> usize {
    stage.recorded(|event| matches!(event, Event::SmsPrefixBlocked(_)))
}

#[tokio::test]
async fn codes_that_never_come_back_stop_the_sending_to_their_prefix_and_to_no_other() {
    let (stage, gateway) = Stage::with_one(policy()).await;
    let (lee, kim) = (stage.user("lee").await, stage.user("kim").await);
    pump(&stage, &lee, SAMPLE as usize).await;
    assert!(stage.engine.sms_report(None).blocked.is_empty());
    let tried = gateway.times();
    let until = stage.clock.hands().now().plus_ms(7_200_000);
    assert_eq!(ask(&stage, &lee, number(99)).await, Err(Rejection::PrefixBlocked { until }));
    assert_eq!(blocks(&stage), 1);
    let blocked = SmsBlocked { prefix: prefix(), errand: SmsErrand::Enrolment, sent: SAMPLE, used: 0, until };
    assert_eq!(stage.engine.sms_report(None).blocked, [blocked], "it is recorded, and says why");
    for _ in 0..3 {
        stage.pass_s(1).await;
        assert_eq!(ask(&stage, &kim, number(100)).await, Err(Rejection::PrefixBlocked { until }), "for everybody");
    }
    assert_eq!((blocks(&stage), gateway.times()), (1, tried), "said once, and nothing is sent");
    ask(&stage, &kim, PhoneNumber::parse("+14155561234").unwrap()).await.unwrap();
    stage.settle().await;
    assert_eq!(gateway.times(), tried + 1, "the next prefix goes on");
}

/// Many at once, whose time is over before anything else is recorded.
#[tokio::test]
async fn a_burst_of_codes_stops_the_next_one() {
    let (stage, gateway) = Stage::with_one(policy()).await;
    for nth in 0..SAMPLE as usize {
        let who = stage.user(&format!("user{nth}")).await;
        ask(&stage, &who, number(nth)).await.unwrap();
    }
    stage.run_until("all", || gateway.times() == SAMPLE as usize).await;
    stage.settle().await;
    stage.pass_s(60).await;
    let last = stage.principal("user0");
    assert!(matches!(ask(&stage, &last, number(99)).await, Err(Rejection::PrefixBlocked { .. })));
    assert_eq!((blocks(&stage), stage.engine.sms_report(None).blocked.len()), (1, 1));
}

#[tokio::test]
async fn a_prefix_is_open_again_when_its_time_is_over_and_when_somebody_clears_it() {
    for clear in [false, true] {
        let (stage, _gateway) = Stage::with_one(policy()).await;
        let lee = stage.user("lee").await;
        pump(&stage, &lee, SAMPLE as usize).await;
        ask(&stage, &lee, number(99)).await.unwrap_err();
        if clear {
            stage.engine.clear_sms_prefix(operator(), prefix()).await.unwrap();
            assert_eq!(stage.recorded(|event| matches!(event, Event::SmsPrefixCleared(_))), 1);
        } else {
            stage.pass_s(7199).await;
            ask(&stage, &lee, number(99)).await.unwrap_err();
            stage.pass_s(1).await;
        }
        assert!(stage.engine.sms_report(None).blocked.is_empty());
        // It is counted anew.
        pump(&stage, &lee, SAMPLE as usize).await;
        assert!(matches!(ask(&stage, &lee, number(99)).await, Err(Rejection::PrefixBlocked { .. })), "{clear}");
        assert_eq!(blocks(&stage), 2);
    }
}

#[tokio::test]
async fn codes_that_come_back_raise_no_alarm() {
    let (stage, _gateway) = Stage::with_one(policy()).await;
    let lee = stage.user("lee").await;
    // Three of ten are used: as many as have to be.
    for nth in 0..3 {
        stage.person(&format!("user{nth}"), number(nth)).await;
    }
    pump(&stage, &lee, 7).await;
    ask(&stage, &lee, number(99)).await.unwrap();
    assert_eq!(blocks(&stage), 0);
}

/// A gateway that is down says nothing of the people behind a prefix.
#[tokio::test]
async fn what_no_gateway_took_raises_no_alarm() {
    use super::gateway::Reply::Fail;
    let (stage, gateway) = Stage::with_one(policy()).await;
    let lee = stage.user("lee").await;
    gateway.always(Fail(SmsFailure::Unavailable));
    for nth in 0..2 * SAMPLE as usize {
        ask(&stage, &lee, number(nth)).await.unwrap();
        stage.pass_s(60).await;
    }
    ask(&stage, &lee, number(99)).await.unwrap();
    assert_eq!(blocks(&stage), 0);
}

#[tokio::test]
async fn a_message_that_waits_when_its_prefix_is_blocked_is_given_up() {
    use super::gateway::Reply::Fail;
    let (stage, gateway) = Stage::with_one(policy()).await;
    let (lee, kim) = (stage.user("lee").await, stage.user("kim").await);
    pump(&stage, &lee, SAMPLE as usize - 1).await;
    let last = stage.engine.begin_sms_enrolment(proven(&lee), &lee, number(50)).await.unwrap().value;
    stage.settle().await;
    stage.pass_s(59).await;
    gateway.always(Fail(SmsFailure::Throttled { retry_after: Some(std::time::Duration::from_secs(3)) }));
    let waits = stage.engine.begin_sms_enrolment(proven(&kim), &kim, number(51)).await.unwrap().value;
    stage.settle().await;
    assert_eq!(stage.state(waits.challenge), SmsState::Waiting);
    stage.clock.hands().set(last.until);
    ask(&stage, &lee, number(99)).await.unwrap_err();
    stage.run_until("given up", || stage.state(waits.challenge).is_given_up()).await;
    assert_eq!(stage.state(waits.challenge), SmsState::Dropped(SmsDropReason::PrefixBlocked));
    assert_eq!(gateway.asked_of(waits.challenge).len(), 1);
}

#[tokio::test]
async fn a_block_and_the_counts_behind_it_outlive_the_engine() {
    for end in [End::Closed, End::Dropped, End::Killed] {
        let (mut stage, _gateway) = Stage::with_one(policy()).await;
        let lee = stage.user("lee").await;
        pump(&stage, &lee, SAMPLE as usize).await;
        stage.reopen(end).await;
        assert!(matches!(ask(&stage, &lee, number(99)).await, Err(Rejection::PrefixBlocked { .. })), "{end:?}");
        let blocked = stage.engine.sms_report(None).blocked;
        assert_eq!(blocked.len(), 1);
        stage.reopen(end).await;
        assert_eq!(stage.engine.sms_report(None).blocked, blocked, "{end:?}");
        assert!(matches!(ask(&stage, &lee, number(99)).await, Err(Rejection::PrefixBlocked { .. })), "{end:?}");
        assert_eq!(blocks(&stage), 1);
    }
}
