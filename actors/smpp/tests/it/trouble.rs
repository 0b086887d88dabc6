//! SMSCs that do not keep to the protocol.

use std::time::Duration;

use countersign::{SmsAccepted, SmsFailure, SmsTransport};
use countersign_smpp::{BindMode, SmppConfig, SmppTransport};

use crate::raw::{DELIVER, ENQUIRE, Listener, NACK, RESPONSE, SUBMIT, UNBIND};
use crate::support::{NUMBER, TEXT, config, message, recorded, soon, submitted};

#[tokio::test]
async fn an_answer_without_an_id_is_an_acceptance() {
    let smsc = Listener::start().await;
    let transport = SmppTransport::start(config(smsc.port())).unwrap();
    let mut link = smsc.bound().await;
    soon(transport.wait_for(|health| health.submits)).await;
    for body in [&b""[..], b"\0", b" \0"] {
        let submit = submitted(&transport, NUMBER);
        let got = link.read().await.unwrap();
        assert_eq!(got.id, SUBMIT);
        link.write(SUBMIT | RESPONSE, 0, got.number, body).await;
        assert_eq!(soon(submit).await.unwrap(), Ok(SmsAccepted { message_id: None }), "{body:?}");
    }
    let submit = submitted(&transport, NUMBER);
    let got = link.read().await.unwrap();
    link.write(NACK, 0x58, got.number, b"").await;
    assert_eq!(soon(submit).await.unwrap(), Err(SmsFailure::Throttled { retry_after: None }));
}

#[tokio::test]
async fn a_poisonous_receipt_takes_down_its_own_link_only() {
    let smsc = Listener::start().await;
    let bind = BindMode::Separate;
    let transport = SmppTransport::start(SmppConfig { bind, ..config(smsc.port()) }).unwrap();
    let (first, second) = (smsc.bound().await, smsc.bound().await);
    let (mut submits, mut receipts) = if first.bind == 2 { (first, second) } else { (second, first) };
    assert_eq!((submits.bind, receipts.bind), (2, 1));
    soon(transport.wait_for(|health| health.submits && health.receipts)).await;
    for round in 1..=3 {
        // Not terminated by a zero; the SMSC sends it again after each bind.
        receipts.receipt(1, b"12345").await;
        let health = soon(transport.wait_for(|health| health.decode_errors == round)).await;
        assert!(health.submits);
        let submit = submitted(&transport, NUMBER);
        let got = submits.read().await.unwrap();
        submits.write(SUBMIT | RESPONSE, 0, got.number, b"77\0").await;
        assert!(soon(submit).await.unwrap().is_ok());
        receipts = smsc.bound().await;
        assert_eq!(receipts.bind, 1);
    }
    receipts.receipt(2, b"12345\0").await;
    assert_eq!(soon(transport.receipt()).await.unwrap().message_id, "12345");
    recorded(&transport);
    let answer = receipts.read().await.unwrap();
    assert_eq!((answer.id, answer.status, answer.number), (DELIVER | RESPONSE, 0, 2));
}

#[tokio::test]
async fn the_smsc_is_answered_whatever_it_asks() {
    let smsc = Listener::start().await;
    let transport = SmppTransport::start(config(smsc.port())).unwrap();
    let mut link = smsc.bound().await;
    link.write(ENQUIRE, 0, 70, b"").await;
    let answer = link.read().await.unwrap();
    assert_eq!((answer.id, answer.number), (ENQUIRE | RESPONSE, 70));
    // A command that does not exist, and one that is not for us.
    for id in [0x0000_0777, SUBMIT] {
        let body = if id == SUBMIT { &b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"[..] } else { b"any" };
        link.write(id, 0, 71, body).await;
        let answer = link.read().await.unwrap();
        assert_eq!((answer.id, answer.status, answer.number), (NACK, 0x03, 71));
    }
    // An answer to nothing, and news of a phone, are not answered.
    link.write(SUBMIT | RESPONSE, 0, 9999, b"77\0").await;
    link.write(UNBIND, 0, 72, b"").await;
    let answer = link.read().await.unwrap();
    assert_eq!((answer.id, answer.number), (UNBIND | RESPONSE, 72));
    assert!(link.read().await.is_none());
    let _link = smsc.bound().await;
    soon(transport.wait_for(|health| health.binds == 2)).await;
}

#[tokio::test]
async fn a_link_that_is_silent_is_given_up() {
    let smsc = Listener::start().await;
    let (enquire_every, enquire_time_max) = (Duration::from_secs(1), Duration::from_millis(100));
    let config = SmppConfig { enquire_every, enquire_time_max, ..config(smsc.port()) };
    let transport = SmppTransport::start(config).unwrap();
    let mut link = smsc.bound().await;
    assert_eq!(link.read().await.unwrap().id, ENQUIRE);
    soon(transport.wait_for(|health| health.losses == 1)).await;
    let _link = smsc.bound().await;
    soon(transport.wait_for(|health| health.submits)).await;
}

#[tokio::test]
async fn a_bind_that_is_not_answered_is_given_up() {
    let smsc = Listener::start().await;
    let connect_time_max = Duration::from_secs(1);
    let transport = SmppTransport::start(SmppConfig { connect_time_max, ..config(smsc.port()) }).unwrap();
    let mut silent = smsc.connected().await;
    assert_eq!(silent.read().await.unwrap().id, 9);
    assert_eq!(soon(transport.submit(message(NUMBER, TEXT))).await, Err(SmsFailure::Unavailable));
    assert!(silent.read().await.is_none());
    let _link = smsc.bound().await;
    let health = soon(transport.wait_for(|health| health.submits)).await;
    assert_eq!((health.failures, health.losses), (1, 0));
}

#[tokio::test]
async fn bytes_that_are_no_command_end_the_link() {
    let smsc = Listener::start().await;
    let transport = SmppTransport::start(config(smsc.port())).unwrap();
    for round in 1..=2 {
        let mut link = smsc.bound().await;
        soon(transport.wait_for(|health| health.binds == round)).await;
        // Longer than any command that is taken.
        link.write(DELIVER, 0, 1, &vec![0; 5000]).await;
        assert!(link.read().await.is_none());
        soon(transport.wait_for(|health| health.decode_errors == round)).await;
    }
}

/// The protocol's client leaves what comes in a burst lying while the SMSC is silent; ours does not.
#[tokio::test]
async fn a_burst_is_written_while_the_smsc_is_silent() {
    let smsc = Listener::start().await;
    let response_time_max = Duration::from_secs(2);
    let config = SmppConfig { window: 200, response_time_max, ..config(smsc.port()) };
    let transport = SmppTransport::start(config).unwrap();
    let mut link = smsc.bound().await;
    soon(transport.wait_for(|health| health.submits)).await;
    for _ in 0..2 {
        let submits: Vec<_> = (0..200).map(|_| submitted(&transport, NUMBER)).collect();
        for _ in 0..200 {
            assert_eq!(link.read().await.unwrap().id, SUBMIT);
        }
        // All of them end at once, and make room for as many.
        for submit in submits {
            assert_eq!(soon(submit).await.unwrap(), Err(SmsFailure::Unknown));
        }
    }
    assert_eq!((transport.health().binds, transport.health().losses), (1, 0));
}

#[tokio::test]
async fn a_burst_of_receipts_is_answered() {
    let smsc = Listener::start().await;
    let transport = SmppTransport::start(SmppConfig { receipts_max: 300, ..config(smsc.port()) }).unwrap();
    let mut link = smsc.bound().await;
    for number in 0..300 {
        link.receipt(number, format!("{number}\0").as_bytes()).await;
    }
    for number in 0..300 {
        assert_eq!(soon(transport.receipt()).await.unwrap().message_id, number.to_string());
    }
    recorded(&transport);
    let mut answered = Vec::new();
    for _ in 0..300 {
        let answer = link.read().await.unwrap();
        assert_eq!((answer.id, answer.status), (DELIVER | RESPONSE, 0));
        answered.push(answer.number);
    }
    answered.sort_unstable();
    assert_eq!(answered, (0..300).collect::<Vec<u32>>());
}
