//! Messages that live only so long.

use std::time::{Duration, Instant};

use countersign::{SmsFailure, SmsMessage, SmsTransport};
use countersign_smpp::SmppConfig;

use crate::smsc::{Plan, Smsc};
use crate::support::{NUMBER, TEXT, bound, config, message, soon, submitted, submitted_for};

/// The relative period of a message (SMPP 3.4, section 7.1.1.2), in seconds.
fn period_s(smsc: &Smsc, number: usize) -> u32 {
    let period = smsc.message(number).validity_period.as_str().to_owned();
    let digits = period.strip_prefix("000000").and_then(|rest| rest.strip_suffix("000R")).unwrap();
    let pair = |at: usize| digits[at..at + 2].parse::<u32>().unwrap();
    assert_eq!(digits.len(), 6, "{period}");
    (pair(0) * 60 + pair(2)) * 60 + pair(4)
}

#[tokio::test]
async fn the_smsc_is_told_what_is_left_of_a_life() {
    let smsc = Smsc::start(|_, number| Plan::Hold(number.to_string())).await;
    let transport = bound(SmppConfig { window: 1, ..config(smsc.port) }).await;
    let first = submitted(&transport, NUMBER);
    smsc.until(|counts| counts.submits == 1).await;
    assert!((590..600).contains(&period_s(&smsc, 0)));
    // The second waits for as long as the third lives.
    let second = submitted_for(&transport, NUMBER, Duration::from_millis(60_400));
    let third = submitted_for(&transport, NUMBER, Duration::from_millis(500));
    assert_eq!(soon(third).await.unwrap(), Err(SmsFailure::Unavailable));
    smsc.go(2);
    assert!(soon(first).await.unwrap().is_ok());
    assert!(soon(second).await.unwrap().is_ok());
    assert_eq!(smsc.counts().submits, 2);
    assert!((50..60).contains(&period_s(&smsc, 1)));
}

#[tokio::test]
async fn what_lives_less_than_a_second_is_given_one() {
    let smsc = Smsc::accepting().await;
    let transport = bound(config(smsc.port)).await;
    let submit = submitted_for(&transport, NUMBER, Duration::from_millis(990));
    assert!(soon(submit).await.unwrap().is_ok());
    assert_eq!(period_s(&smsc, 0), 1);
}

#[tokio::test]
async fn what_does_not_live_any_more_is_not_sent() {
    let smsc = Smsc::accepting().await;
    let transport = bound(config(smsc.port)).await;
    for life in [Duration::ZERO, Duration::from_nanos(1)] {
        let over = SmsMessage { life, ..message(NUMBER, TEXT) };
        assert_eq!(soon(transport.submit(over)).await, Err(SmsFailure::Unavailable));
    }
    let endless = SmsMessage { life: Duration::MAX, ..message(NUMBER, TEXT) };
    assert_eq!(soon(transport.submit(endless)).await.unwrap().message_id.as_deref(), Some("0"));
    assert_eq!(smsc.counts().submits, 1);
}

#[tokio::test]
async fn an_answer_is_waited_for_while_the_message_lives() {
    let smsc = Smsc::start(|_, number| if number == 0 { Plan::Never } else { Plan::Accept(number.to_string()) }).await;
    let response_time_max = Duration::from_secs(30);
    let transport = bound(SmppConfig { window: 1, response_time_max, ..config(smsc.port) }).await;
    let started = Instant::now();
    let submit = submitted_for(&transport, NUMBER, Duration::from_millis(300));
    smsc.until(|counts| counts.submits == 1).await;
    assert_eq!(soon(submit).await.unwrap(), Err(SmsFailure::Unknown));
    assert!(started.elapsed() < Duration::from_secs(15));
    // Its place is free again.
    assert!(soon(submitted(&transport, NUMBER)).await.unwrap().is_ok());
}
