//! Which gateway is asked: the one for the number, and another one when it does not work.

use std::sync::Arc;

use countersign::*;

use super::gateway::{Gateway, Reply};
use super::stage::{End, Stage, clock, number};
use countersign::testing::VirtualClock;

use Reply::{Fail, Hang, Take, TakeLater};
use SmsFailure::Unavailable;

const GERMAN: &str = "+4915112345678";

fn gates<const N: usize>(clock: &Arc<VirtualClock>, names: [&'static str; N]) -> [Arc<Gateway>; N] {
    names.map(|name| Gateway::new(name, clock))
}

fn phone(text: &str) -> PhoneNumber {
    PhoneNumber::parse(text).unwrap()
}

fn taken(stage: &Stage, sent: &SmsSent) -> bool {
    stage.state(sent.challenge) == SmsState::Taken
}

#[tokio::test]
async fn the_longest_prefix_comes_first_then_the_order_of_the_routes() {
    let clock = clock();
    let [world, states, city, other] = gates(&clock, ["world", "states", "city", "other"]);
    let routes = vec![
        world.route(),
        states.route_to(&["+44", "+1"]),
        city.route_to(&["+1415"]),
        SmsRoute { prefixes: vec!["+1415".to_owned()], ..other.route() },
    ];
    let gates = vec![world.clone(), states.clone(), city.clone(), other.clone()];
    let stage = Stage::new(Policy::classic(), &clock, gates, routes).await;
    let all = [&world, &states, &city, &other];
    let counts = || all.map(|gate| gate.times());
    stage.person("lee", phone("+14155551234")).await;
    assert_eq!(counts(), [0, 0, 1, 0]);
    stage.person("kim", phone("+12125551234")).await;
    assert_eq!(counts(), [0, 1, 1, 0]);
    stage.person("dana", phone(GERMAN)).await;
    assert_eq!(counts(), [1, 1, 1, 0]);
}

#[tokio::test]
async fn a_number_that_no_route_carries_to_is_given_up_and_said_so() {
    let clock = clock();
    let [states] = gates(&clock, ["states"]);
    let routes = vec![states.route_to(&["+1"])];
    let stage = Stage::new(Policy::classic(), &clock, vec![states.clone()], routes).await;
    let lee = stage.user("lee").await;
    let begun = stage.engine.begin_sms_enrolment(crate::door::proven(&lee), &lee, phone(GERMAN)).await.unwrap().value;
    stage.settle().await;
    assert_eq!(stage.state(begun.challenge), SmsState::Dropped(SmsDropReason::NoRoute));
    assert_eq!(states.times(), 0);
}

#[tokio::test]
async fn without_routes_every_code_is_given_up_and_said_so() {
    let stage = Stage::new(Policy::classic(), &clock(), vec![], vec![]).await;
    let lee = stage.user("lee").await;
    let begun = stage.begin_sms(&lee).await.unwrap();
    stage.settle().await;
    assert_eq!(stage.state(begun.challenge), SmsState::Dropped(SmsDropReason::NoRoute));
}

/// The first gateway fails; while its circuit is open, everything goes by the second.
#[tokio::test]
async fn five_failures_open_the_circuit_the_other_route_takes_over_and_one_probe_closes_it() {
    let clock = clock();
    let [first, second] = gates(&clock, ["first", "second"]);
    let routes = vec![first.route_to(&["+1"]), second.route()];
    let gates = vec![first.clone(), second.clone()];
    let stage = Stage::new(Policy::classic(), &clock, gates, routes).await;
    let mut people = Vec::new();
    for nth in 0..8 {
        people.push(stage.person(&format!("user{nth}"), number(nth)).await);
    }
    let before = first.times();
    first.always(Fail(Unavailable));
    let health = || stage.engine.sms_report(None).routes[0].health;
    let mut sent = Vec::new();
    for (who, serial) in &people {
        sent.push(stage.awaited(who, serial).await.1);
        stage.settle().await;
    }
    assert_eq!((first.times() - before, health()), (5, SmsHealth::Down), "five failures, and no more");
    assert_eq!(second.times(), 3, "the others go by the second at once");
    stage.run_until("all", || sent.iter().all(|sent| taken(&stage, sent))).await;
    for sent in &sent {
        let asked = stage.asked_of(sent.challenge);
        assert!(asked.iter().all(|other| (other.key, &other.code) == (asked[0].key, &asked[0].code)), "across routes");
    }

    // It works again: one message at a time finds that out.
    first.always(TakeLater);
    let (found_down, by_second) = (first.times(), second.times());
    stage.pass_s(60).await;
    let mut sent = Vec::new();
    for (who, serial) in &people[..3] {
        sent.push(stage.awaited(who, serial).await.1);
        stage.settle().await;
    }
    assert_eq!((first.times() - found_down, health()), (1, SmsHealth::Probing), "one probe");
    assert_eq!(second.times() - by_second, 2, "nobody waits for it");
    first.always(Take);
    first.release();
    stage.until("all", || sent.iter().all(|sent| taken(&stage, sent))).await;
    assert_eq!(health(), SmsHealth::Up);
}

/// One route's sender fails over to another route that is full: it notices when there is room again.
#[tokio::test]
async fn a_message_that_waits_for_room_on_a_foreign_route_goes_when_there_is_some() {
    let clock = clock();
    let [first, second] = gates(&clock, ["first", "second"]);
    let routes = vec![first.route_to(&["+1"]), SmsRoute { in_flight_max: 1, ..second.route() }];
    let gates = vec![first.clone(), second.clone()];
    let stage = Stage::new(Policy::classic(), &clock, gates, routes).await;
    let (lee, lees) = stage.person("lee", number(1)).await;
    let (dana, danas) = stage.person("dana", phone(GERMAN)).await;
    let (kim, kims) = stage.person("kim", number(2)).await;
    // The first does not work any more.
    first.always(Fail(Unavailable));
    second.always(Take);
    let (_, sent) = stage.awaited(&kim, &kims).await;
    stage.run_until("kim's", || stage.state(sent.challenge) != SmsState::Waiting).await;
    while stage.engine.sms_report(None).routes[0].health != SmsHealth::Down {
        stage.pass_s(31).await;
        let attempt = stage.begin_sign_in(&kim).await;
        let _sent = stage.ask_code(&kim, attempt, &kims).await;
        stage.settle().await;
    }
    // The second has one message under way, of its own.
    second.next([TakeLater]);
    let (_, own) = stage.awaited(&dana, &danas).await;
    stage.settle().await;
    assert_eq!(stage.state(own.challenge), SmsState::Submitting);
    let (_, foreign) = stage.awaited(&lee, &lees).await;
    stage.settle().await;
    let now = stage.clock.hands().now();
    assert_eq!(stage.state(foreign.challenge), SmsState::Waiting);
    second.release();
    stage.until("room", || taken(&stage, &foreign)).await;
    assert_eq!(stage.clock.hands().now(), now, "at once");
}

/// One prefix has no route that works; the others of its lane go on.
#[tokio::test]
async fn a_number_whose_routes_are_all_down_does_not_hold_up_others() {
    let clock = clock();
    let [first, second] = gates(&clock, ["first", "second"]);
    // The first comes first for both; only one has another route.
    let routes = vec![first.route_to(&["+1415", "+1212"]), second.route_to(&["+1212"])];
    let gates = vec![first.clone(), second.clone()];
    let policy = Policy { sms_submits_max: 20, sms_code_life_s: 600, ..Policy::classic() };
    let stage = Stage::new(policy, &clock, gates, routes).await;
    let (lee, lees) = stage.person("lee", number(1)).await;
    let (dana, danas) = stage.person("dana", phone("+12125551234")).await;
    first.always(Fail(Unavailable));
    let (_, stuck) = stage.awaited(&lee, &lees).await;
    // Until its turn would have come, and the circuit is still open.
    loop {
        let tried = first.times();
        stage.pass_ms(30_300).await;
        assert_eq!(stage.state(stuck.challenge), SmsState::Waiting);
        if first.times() == tried {
            break;
        }
    }
    let before = second.times();
    let now = stage.clock.hands().now();
    let (_, sent) = stage.awaited(&dana, &danas).await;
    stage.settle().await;
    assert_eq!(stage.clock.hands().now(), now);
    assert!(taken(&stage, &sent), "the second route works");
    assert_eq!(second.times() - before, 1);
}

/// A route that is taken out of the configuration leaves its messages to the first one that is left.
#[tokio::test]
async fn messages_of_a_route_that_is_no_more_go_by_another() {
    for end in [End::Closed, End::Dropped, End::Killed] {
        let clock = clock();
        let [first, second] = gates(&clock, ["first", "second"]);
        let routes = vec![first.route(), second.route_to(&["+49"])];
        let gates = vec![first.clone(), second.clone()];
        let mut stage = Stage::new(Policy::classic(), &clock, gates, routes).await;
        let (dana, danas) = stage.person("dana", phone(GERMAN)).await;
        let (lee, lees) = stage.person("lee", number(1)).await;
        second.always(Hang);
        first.next([Fail(Unavailable), Take]);
        let (_, sent) = stage.awaited(&dana, &danas).await;
        stage.settle().await;
        assert_eq!(stage.state(sent.challenge), SmsState::Submitting);
        // The first route goes on in the log, past that message.
        let (_, other) = stage.awaited(&lee, &lees).await;
        stage.settle().await;
        let before = first.times();
        stage.routes.truncate(1);
        stage.reopen(end).await;
        stage.run_until("by the other route", || taken(&stage, &sent) && taken(&stage, &other)).await;
        assert_eq!(first.asked_of(sent.challenge).len(), 1, "{end:?}, after {before}");
        let keys = stage.asked_of(sent.challenge);
        assert_eq!(keys[0].key, keys[1].key);
        assert!(stage.clock.hands().now() < sent.until, "in its time");
    }
}

/// The gateway that may have taken a message knows its key. Another one would be paid for a second one.
#[tokio::test]
async fn who_may_have_taken_a_message_and_knows_its_key_is_asked_again_and_nobody_else() {
    for knows_keys in [true, false] {
        let clock = clock();
        let [first, second] = gates(&clock, ["first", "second"]);
        let routes = vec![first.route_to(&["+1"]), second.route()];
        let stage = Stage::new(Policy::classic(), &clock, vec![first.clone(), second.clone()], routes).await;
        let mut people = Vec::new();
        for nth in 0..6 {
            people.push(stage.person(&format!("user{nth}"), number(nth)).await);
        }
        if knows_keys {
            first.knows_keys();
        }
        // The others' failures open the circuit, so that the second route would be next.
        first.always(Hang);
        let mut sent = Vec::new();
        for (who, serial) in &people {
            sent.push(stage.awaited(who, serial).await.1);
        }
        stage.pass_s(10).await;
        assert_eq!(stage.engine.sms_report(None).routes[0].health, SmsHealth::Down);
        first.always(Take);
        stage.run_until("all", || sent.iter().all(|sent| taken(&stage, sent))).await;
        let elsewhere = sent.iter().filter(|sent| !second.asked_of(sent.challenge).is_empty()).count();
        // Those that wait until the circuit closes again go by the first route in either case.
        assert_eq!(elsewhere == 0, knows_keys, "{elsewhere} of {} went by the second route", sent.len());
    }
}

/// What one gateway does not want another one may.
#[tokio::test]
async fn what_one_route_refuses_goes_by_the_next_and_only_what_all_refuse_is_given_up() {
    let clock = clock();
    let [first, second] = gates(&clock, ["first", "second"]);
    let routes = vec![first.route_to(&["+1"]), second.route()];
    let stage = Stage::new(Policy::classic(), &clock, vec![first.clone(), second.clone()], routes).await;
    let (lee, phone) = stage.person("lee", number(1)).await;
    first.always(Fail(SmsFailure::Refused));
    let (attempt, sent) = stage.awaited(&lee, &phone).await;
    stage.until("taken", || taken(&stage, &sent)).await;
    let asked = stage.asked_of(sent.challenge);
    assert_eq!((first.asked_of(sent.challenge).len(), second.asked_of(sent.challenge).len()), (1, 1));
    assert_eq!((asked[0].key, &asked[0].code), (asked[1].key, &asked[1].code));

    second.always(Fail(SmsFailure::Refused));
    stage.pass_s(30).await;
    let sent = stage.ask_code(&lee, attempt, &phone).await.unwrap();
    let dropped = SmsState::Dropped(SmsDropReason::Refused);
    stage.until("given up", || stage.state(sent.challenge) == dropped).await;
    assert_eq!((first.asked_of(sent.challenge).len(), second.asked_of(sent.challenge).len()), (1, 1));
}
