//! What bounds the sending: budgets that hold when many ask at once, countries, and numbers that are nobody's phone
//! (NT-40).

use std::sync::Arc;

use countersign::domain::event::Event;
use countersign::*;
use tokio::task::JoinSet;

use super::gateway::Gateway;
use super::stage::{Stage, clock, number};
use crate::door::proven;
use crate::support::START_S;

/// Who asks at once.
const CROWD: usize = 64;
/// How many a budget lets through.
const MOST: u32 = 10;

fn queued(stage: &Stage) -> usize {
    stage.recorded(|event| matches!(event, Event::SmsQueued(_)))
}

/// All of the numbers are asked for at once, each by another user.
async fn at_once(stage: &Stage, numbers: &[PhoneNumber]) -> Vec<Result<SmsSent, Error>> {
    let mut crowd = JoinSet::new();
    for (nth, number) in numbers.iter().enumerate() {
        let who = stage.user(&format!("user{nth}")).await;
        let (engine, number) = (stage.engine.clone(), number.clone());
        crowd.spawn(async move { Ok(engine.begin_sms_enrolment(proven(&who), &who, number).await?.value) });
    }
    crowd.join_all().await
}

fn spent(answer: &Result<SmsSent, Error>) -> Option<(SmsBudget, UnixMillis)> {
    match answer.as_ref().err()?.rejection() {
        Some(Rejection::SmsBudgetSpent { budget, again_at }) => Some((*budget, *again_at)),
        other => panic!("refused for another reason: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_ask_at_once_a_budget_lets_as_many_through_as_it_says() {
    let german = |nth: usize| PhoneNumber::parse(&format!("+49151{:04}{nth:04}", 1000 + nth)).unwrap();
    let classic = Policy::classic;
    type Numbers<'a> = &'a dyn Fn(usize) -> PhoneNumber;
    let table: [(SmsBudget, Policy, Numbers<'_>); 4] = [
        (SmsBudget::Number, Policy { sms_number_max: MOST, ..classic() }, &|_| number(7)),
        (SmsBudget::Prefix, Policy { sms_prefix_max: MOST, ..classic() }, &number),
        (SmsBudget::Country, Policy { sms_country_max: MOST, ..classic() }, &german),
        (SmsBudget::Account, Policy { sms_account_max: MOST, ..classic() }, &german),
    ];
    for (budget, policy, numbers) in table {
        let (stage, gateway) = Stage::with_one(policy).await;
        let numbers: Vec<PhoneNumber> = (0..CROWD).map(numbers).collect();
        let answers = at_once(&stage, &numbers).await;
        let window_ends = UnixMillis::from_secs((START_S / 3600 + 1) * 3600);
        let refused: Vec<_> = answers.iter().filter_map(spent).collect();
        assert!(refused.iter().all(|refused| *refused == (budget, window_ends)), "{refused:?}");
        assert!(CROWD - refused.len() <= MOST as usize, "{budget:?}");
        // One after the other, exactly as many as there may be.
        for (nth, number) in numbers.iter().enumerate() {
            let who = stage.principal(&format!("user{nth}"));
            let _either = stage.engine.begin_sms_enrolment(proven(&who), &who, number.clone()).await.is_ok();
        }
        assert_eq!(queued(&stage), MOST as usize, "{budget:?}");
        stage.run_until("all", || gateway.times() == MOST as usize).await;

        // In the next window there is room again.
        stage.pass_ms(window_ends.0 - stage.clock.hands().now().0 - 1).await;
        let last = stage.user("last").await;
        let early =
            stage.engine.begin_sms_enrolment(proven(&last), &last, numbers[0].clone()).await.map(|ack| ack.value);
        assert_eq!(spent(&early), Some((budget, window_ends)));
        stage.pass_ms(1).await;
        stage.engine.begin_sms_enrolment(proven(&last), &last, numbers[0].clone()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_ask_at_once_no_more_is_spent_than_the_money_there_is() {
    let clock = clock();
    let gateway = Gateway::new("main", &clock);
    let routes = vec![SmsRoute { price_micros: 1000, per_second_max: 1000, in_flight_max: 64, ..gateway.route() }];
    let policy = Policy { sms_spend_max_micros: 10_500, ..Policy::classic() };
    let stage = Stage::new(policy, &clock, vec![Arc::clone(&gateway)], routes).await;
    let numbers: Vec<PhoneNumber> = (0..CROWD).map(number).collect();
    let answers = at_once(&stage, &numbers).await;
    stage.settle().await;
    // Enrolments are asked for as long as they leave a fifth to those who sign in; no try is made beyond the money.
    let times = gateway.times();
    assert!((8..=10).contains(&times), "{times}: no money for the eleventh");
    let report = stage.engine.sms_report(None);
    assert_eq!(report.spent_micros, times as u64 * 1000);
    assert_eq!(report.lines.iter().map(|line| line.cost_micros).sum::<u64>(), report.spent_micros);
    let mut given_up = 0;
    for answer in &answers {
        match answer {
            Ok(sent) => match stage.state(sent.challenge) {
                SmsState::Taken => {}
                state => {
                    assert_eq!(state, SmsState::Dropped(SmsDropReason::Budget));
                    given_up += 1;
                }
            },
            Err(_) => assert_eq!(spent(answer).unwrap().0, SmsBudget::Money),
        }
    }
    assert_eq!(given_up + times + answers.iter().filter(|answer| answer.is_err()).count(), CROWD);
}

/// What a gateway surely did not take is not paid for, and leaves the money to others.
#[tokio::test]
async fn a_failed_try_gives_its_price_back_and_an_unknown_one_does_not() {
    use super::gateway::Reply::{Fail, TakeSilently};
    let clock = clock();
    let gateway = Gateway::new("main", &clock);
    let routes = vec![SmsRoute { price_micros: 1000, ..gateway.route() }];
    let stage = Stage::new(Policy::classic(), &clock, vec![Arc::clone(&gateway)], routes).await;
    let (lee, phone) = stage.person("lee", number(1)).await;
    gateway.next([Fail(SmsFailure::Unavailable), TakeSilently]);
    let (_, sent) = stage.awaited(&lee, &phone).await;
    stage.run_until("taken", || stage.state(sent.challenge) == SmsState::Taken).await;
    let report = stage.engine.sms_report(None);
    assert_eq!(report.spent_micros, 3000, "the enrolment's, the lost one, and the last");
    assert_eq!(stage.message(sent.challenge).cost_micros, 2000);
    let line = &report.lines[0];
    assert_eq!((line.failed, line.unknown, line.taken, line.cost_micros), (1, 1, 2, 3000));
}

// ---- where nothing is sent ----

async fn refused(stage: &Stage, text: &str) -> Rejection {
    let who = stage.user(&format!("with{}", text.trim_start_matches('+'))).await;
    let number = PhoneNumber::parse(text).unwrap();
    let refused = stage.engine.begin_sms_enrolment(proven(&who), &who, number).await.unwrap_err();
    refused.rejection().unwrap().clone()
}

#[tokio::test]
async fn numbers_that_are_nobodys_phone_are_refused_and_leave_no_record() {
    let (stage, gateway) = Stage::with_one(Policy::classic()).await;
    for (text, fault) in [
        ("+15550101234", PhoneFault::NotAllocated),
        ("+1234567", PhoneFault::NotAllocated),
        ("+999999999999999", PhoneFault::NotAllocated),
        ("+19002345678", PhoneFault::Premium),
        ("+18002345678", PhoneFault::Company),
        ("+4930901820", PhoneFault::NotMobile),
        ("+445612345678", PhoneFault::VoiceOverIp),
    ] {
        assert_eq!(refused(&stage, text).await, Rejection::PhoneNotUsable { fault }, "{text}");
    }
    stage.settle().await;
    assert_eq!((queued(&stage), gateway.times()), (0, 0));
    assert!(stage.engine.sms_messages(stage.account, false, 10).is_empty());
    for junk in ["", "+", "14155550123", "+1415555012a", "+123456", "+1234567890123456", "+٣٣٣٣٣٣٣"] {
        assert!(PhoneNumber::parse(junk).is_err(), "{junk}");
    }
}

#[tokio::test]
async fn countries_that_are_not_served_get_nothing_and_others_do() {
    let served = Countries::NONE.with(Country::parse("US").unwrap());
    let (stage, gateway) = Stage::with_one(Policy { sms_countries: served, ..Policy::classic() }).await;
    for text in ["+4915112345678", "+919876543210", "+18763456789"] {
        assert_eq!(refused(&stage, text).await, Rejection::CountryNotServed, "{text}");
    }
    assert_eq!((queued(&stage), gateway.times()), (0, 0));
    stage.person("lee", number(1)).await;
    assert_eq!(gateway.times(), 1);
}

/// A phone that was enrolled while its country was served signs nobody in by SMS any more; nothing else changes.
#[tokio::test]
async fn a_country_that_is_served_no_more_gets_no_codes_at_sign_ins_either() {
    let (mut stage, gateway) = Stage::with_one(Policy::classic()).await;
    let (lee, phone) = stage.person("lee", number(1)).await;
    stage.policy.sms_countries = Countries::NONE.with(Country::parse("DE").unwrap());
    stage.reopen(super::stage::End::Closed).await;
    let attempt = stage.begin_sign_in(&lee).await;
    let refused = stage.ask_code(&lee, attempt, &phone).await.unwrap_err();
    assert_eq!(refused.rejection(), Some(&Rejection::CountryNotServed));
    assert_eq!(gateway.times(), 1);
}

#[tokio::test]
async fn names_that_need_two_bytes_a_character_still_fit_one_message() {
    let text =
        |service: &str, host: Option<&str>| SmsText { service: service.to_owned(), host: host.map(str::to_owned) };
    let code = Code::parse("123456").unwrap();
    for service in ["例え", "Ünïcödé", "Банк", "Σigma", "ナショナルバンク", "Ａ", "🙂"] {
        let text = text(service, None);
        let encoding = text.check().unwrap();
        let units = text.of(&code).encode_utf16().count();
        assert!(encoding == SmsEncoding::Gsm7 || units <= 70, "{service}: {units}");
    }
    for bad in ["", "a\u{0}", "a\nb", &"x".repeat(33)] {
        assert_eq!(text(bad, None).check(), Err(SmsTextError::Service), "{bad:?}");
    }
    let clock = clock();
    let gateway = Gateway::new("main", &clock);
    let transports = Transports { sms: vec![gateway.route()], ..Transports::default() };
    let config = |sms_text| Config { sms_text, transports: transports.clone(), ..Config::default() };
    let long = text("漢", Some(&"h".repeat(60)));
    assert!(Countersign::in_memory(config(long)).unwrap_err().to_string().contains("SMS"));
    assert!(Countersign::in_memory(config(text("Банк", Some("bank.example")))).is_ok());
}

/// What was counted while the clock was a year ahead shuts nobody out for that year (A40).
#[tokio::test]
async fn a_clock_that_was_ahead_for_a_moment_shuts_no_budget() {
    let (mut stage, _) = Stage::with_one(Policy { sms_account_max: 2, ..Policy::classic() }).await;
    let right = stage.clock.hands().now();
    stage.clock.hands().advance_s(40_000_000);
    let ahead: Vec<PhoneNumber> = (1..=3).map(number).collect();
    let answers = at_once(&stage, &ahead).await;
    assert_eq!(answers.iter().filter_map(spent).count(), 1, "the budget is spent in that window");
    for rebuilt in [false, true] {
        stage.clock.hands().set(right);
        if rebuilt {
            stage.rebuild().await;
        }
        let who = stage.user(&format!("again{rebuilt}")).await;
        let begun = stage.engine.begin_sms_enrolment(proven(&who), &who, number(7)).await;
        assert!(begun.is_ok(), "{begun:?}");
    }
}
