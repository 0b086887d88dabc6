//! A gateway that is dead for ten minutes: nothing is lost, and nothing floods it when it is back.

use std::collections::BTreeMap;
use std::sync::Arc;

use countersign::domain::event::Event;
use countersign::*;

use super::gateway::{Asked, Gateway, Reply};
use super::stage::{Stage, clock, number};
use crate::door::at_console;

use Reply::{Fail, Hang, Take};
use SmsFailure::{Throttled, Unavailable};

/// People who wait for a code.
const CROWD: usize = 200;
const PER_SECOND: u32 = 20;
const IN_FLIGHT: u32 = 4;

/// A crowd with phones, and one gateway that takes so many a second.
async fn crowd() -> (Stage, Arc<Gateway>, Vec<(PrincipalId, Serial)>) {
    let clock = clock();
    let gateway = Gateway::new("main", &clock);
    let route = SmsRoute { per_second_max: PER_SECOND, in_flight_max: IN_FLIGHT, ..gateway.route() };
    let policy = Policy {
        sms_prefix_max: 10_000,
        sms_sends_max: 1000,
        sms_number_max: 1000,
        sms_conversion_min_percent: 0,
        ..Policy::classic()
    };
    let stage = Stage::new(policy, &clock, vec![Arc::clone(&gateway)], vec![route]).await;
    let mut people = Vec::new();
    for nth in 0..CROWD {
        let who = stage.user(&format!("user{nth}")).await;
        let begun = stage.engine.begin_sms_enrolment(crate::door::proven(&who), &who, number(nth)).await;
        people.push((who, begun.unwrap().value.challenge));
    }
    stage.run_until("the enrolments", || people.iter().all(|(_, of)| stage.state(*of) == SmsState::Taken)).await;
    let mut equipped = Vec::new();
    for (who, challenge) in people {
        let code = stage.code_of(challenge).unwrap();
        assert_eq!(stage.finish_sms(&who, challenge, code).await, Ok(Proof::Accepted));
        let serial = stage.engine.devices(&who)[0].serial.clone();
        equipped.push((who, serial));
    }
    stage.pass_s(60).await;
    (stage, gateway, equipped)
}

/// Everybody asks for a code.
async fn all_ask(stage: &Stage, people: &[(PrincipalId, Serial)]) -> Vec<SmsSent> {
    let mut sent = Vec::new();
    for (who, serial) in people {
        let SignInStep::Wanted { attempt, .. } = stage.engine.begin_sign_in(at_console(who), who).await.unwrap().value
        else {
            panic!("no second factor is asked for");
        };
        sent.push(stage.ask_code(who, attempt, serial).await.unwrap());
    }
    sent
}

/// The most that were asked within any second.
fn busiest(asked: &[Asked]) -> usize {
    let mut in_window = 0;
    for (last, asked_last) in asked.iter().enumerate() {
        let first = asked[..=last].iter().position(|asked| asked.at.0 + 1000 > asked_last.at.0).unwrap();
        in_window = in_window.max(last - first + 1);
    }
    in_window
}

/// What a second lets through: the rate, what may come at once after a pause, and what was let through and is late.
const BUSIEST: usize = (PER_SECOND + PER_SECOND / 5 + IN_FLIGHT) as usize;

fn by_end(stage: &Stage, sent: &[SmsSent]) -> BTreeMap<String, usize> {
    let mut ends = BTreeMap::new();
    for sent in sent {
        *ends.entry(format!("{:?}", stage.state(sent.challenge))).or_default() += 1;
    }
    ends
}

#[tokio::test]
async fn a_gateway_that_is_dead_for_ten_minutes_loses_nothing_and_is_not_flooded() {
    for dead in [Fail(Unavailable), Hang, Fail(Throttled { retry_after: None })] {
        let (stage, gateway, people) = crowd().await;
        let before = gateway.times();
        gateway.always(dead);
        let mut waves = vec![all_ask(&stage, &people).await];
        stage.pass_s(310).await;
        waves.push(all_ask(&stage, &people).await);
        stage.pass_s(280).await;
        waves.push(all_ask(&stage, &people).await);
        stage.pass_s(10).await;
        let at_return = gateway.times();
        assert!(gateway.asked()[before..].iter().all(|asked| !asked.reply.takes()));
        if dead != Fail(Throttled { retry_after: None }) {
            assert!(at_return - before < 10 * CROWD, "the circuit keeps most away: {}", at_return - before);
        }

        gateway.always(Take);
        let returned = stage.clock.hands().now();
        let all: Vec<SmsSent> = waves.concat();
        let ended = |sent: &SmsSent| !matches!(stage.state(sent.challenge), SmsState::Waiting | SmsState::Submitting);
        stage.run_until("all ends", || all.iter().all(ended)).await;
        for wave in &waves[..1] {
            let ends = by_end(&stage, wave);
            assert!(!ends.contains_key("Taken"), "{dead:?}: its time was over: {ends:?}");
        }
        let third = by_end(&stage, &waves[2]);
        assert_eq!(third.values().sum::<usize>(), CROWD);
        let taken = third.get("Taken").copied().unwrap_or(0);
        assert!(taken >= CROWD * 9 / 10, "{dead:?}: who still waits gets a code: {third:?}");
        let back = &gateway.asked()[at_return..];
        assert!(busiest(back) <= BUSIEST, "{dead:?}: {} in a second", busiest(back));
        let last = back.last().unwrap().at;
        assert!(last.0 - returned.0 < 120_000, "{dead:?}: soon: {}", last.0 - returned.0);
        for sent in &all {
            let asked = gateway.asked_of(sent.challenge);
            assert!(asked.iter().filter(|asked| asked.reply.takes()).count() <= 1, "once");
            assert!(asked.len() <= 20 && asked.iter().all(|asked| asked.at < sent.until));
        }
        let dropped = stage.recorded(|event| matches!(event, Event::SmsDropped(_)));
        assert_eq!(
            dropped,
            all.len() - by_end(&stage, &all)["Taken"],
            "each that was not taken is said to be given up"
        );
    }
}

/// A gateway that works is used as fast as it may be, and no faster.
#[tokio::test]
async fn a_crowd_is_served_at_the_rate_of_the_route() {
    let (stage, gateway, people) = crowd().await;
    let before = gateway.times();
    let sent = all_ask(&stage, &people).await;
    stage.run_until("all", || sent.iter().all(|sent| stage.state(sent.challenge) == SmsState::Taken)).await;
    let asked = &gateway.asked()[before..];
    assert_eq!(asked.len(), CROWD);
    assert!(busiest(asked) <= BUSIEST, "{} in a second", busiest(asked));
    let took_ms = asked[CROWD - 1].at.0 - asked[0].at.0;
    assert!(took_ms < 1000 * CROWD as u64 / u64::from(PER_SECOND) + 1000, "{took_ms} ms");
}

#[tokio::test]
async fn no_more_are_handed_over_at_once_than_the_route_says() {
    let (stage, gateway, people) = crowd().await;
    let before = gateway.times();
    gateway.always(Reply::TakeLater);
    let sent = all_ask(&stage, &people).await;
    stage.pass_s(5).await;
    assert_eq!(gateway.times() - before, IN_FLIGHT as usize);
    assert_eq!(stage.engine.sms_report(None).routes[0].in_flight, IN_FLIGHT);
    gateway.always(Take);
    gateway.release();
    stage.run_until("all", || sent.iter().all(|sent| stage.state(sent.challenge) == SmsState::Taken)).await;
    assert_eq!(stage.engine.sms_report(None).routes[0].in_flight, 0);
}
