//! What the SMSC gets, and what becomes of it.

use std::time::Duration;

use countersign::{SmsAccepted, SmsFailure, SmsTransport};
use countersign_smpp::{IdForm, SmppConfig, SmppTransport};
use smpp34::SmppError;

use crate::smsc::{Plan, Smsc};
use crate::support::{NUMBER, TEXT, bound, config, message, soon, submitted};

#[tokio::test]
async fn a_code_is_one_gsm_message_with_its_origin_line() {
    let smsc = Smsc::accepting().await;
    let transport = bound(config(smsc.port)).await;
    let accepted = soon(transport.submit(message(NUMBER, TEXT))).await;
    assert_eq!(accepted, Ok(SmsAccepted { message_id: Some("0".to_owned()) }));
    let got = smsc.message(0);
    assert_eq!((got.esm_class, got.data_coding, got.registered_delivery, got.protocol_id), (0, 0, 1, 0));
    assert_eq!((got.source_addr_ton, got.source_addr_npi, got.source_addr.as_str()), (5, 0, "Countersign"));
    assert_eq!((got.dest_addr_ton, got.dest_addr_npi, got.destination_addr.as_str()), (1, 1, "15550101234"));
    assert!(got.schedule_delivery_time.is_empty());
    assert!(got.tlvs.is_empty() && got.service_type.is_empty() && got.replace_if_present_flag == 0);
    // In GSM 03.38 the commercial at is 0x00; everything else in this text is as in ASCII.
    let expected: Vec<u8> = TEXT.bytes().map(|byte| if byte == b'@' { 0 } else { byte }).collect();
    assert_eq!(got.short_message, expected);
}

#[tokio::test]
async fn other_scripts_go_as_ucs_2() {
    let smsc = Smsc::accepting().await;
    let transport = bound(config(smsc.port)).await;
    let text = "123456 は認証コードです 🔑\n\n@signin.example.com #123456";
    soon(transport.submit(message(NUMBER, text))).await.unwrap();
    let got = smsc.message(0);
    assert_eq!((got.esm_class, got.data_coding), (0, 8));
    let units: Vec<u16> = got.short_message.chunks(2).map(|unit| u16::from_be_bytes([unit[0], unit[1]])).collect();
    assert_eq!(String::from_utf16(&units).unwrap(), text);
}

#[tokio::test]
async fn a_full_message_stays_one_and_a_longer_one_is_refused() {
    let smsc = Smsc::accepting().await;
    let transport = bound(config(smsc.port)).await;
    soon(transport.submit(message(NUMBER, &"a".repeat(160)))).await.unwrap();
    assert_eq!(soon(transport.submit(message(NUMBER, &"a".repeat(161)))).await, Err(SmsFailure::Refused));
    assert_eq!(soon(transport.submit(message(NUMBER, &"ж".repeat(71)))).await, Err(SmsFailure::Refused));
    assert_eq!(smsc.counts().submits, 1);
    assert_eq!(smsc.message(0).short_message.len(), 160);
}

#[tokio::test]
async fn what_the_smsc_says_is_sorted() {
    let smsc = Smsc::start(|message, _| match &message.destination_addr[9..] {
        "58" => Plan::Reject(SmppError::ESME_RTHROTTLED),
        "14" => Plan::Reject(SmppError::ESME_RMSGQFUL),
        "11" => Plan::Reject(SmppError::ESME_RINVDSTADR),
        "66" => Plan::Reject(SmppError::ESME_RX_R_APPN),
        "69" => Plan::Reject(SmppError::ESME_RSUBMITFAIL),
        "08" => Plan::Reject(SmppError::ESME_RSYSERR),
        _ => Plan::Accept("A1 ".to_owned()),
    })
    .await;
    let statuses = vec![(0x45, SmsFailure::OptedOut)];
    let transport = bound(SmppConfig { statuses, ..config(smsc.port) }).await;
    let throttled = SmsFailure::Throttled { retry_after: None };
    for (last, failure) in [
        ("58", throttled),
        ("14", throttled),
        ("11", SmsFailure::InvalidNumber),
        ("66", SmsFailure::Refused),
        ("69", SmsFailure::OptedOut),
        ("08", SmsFailure::Unavailable),
    ] {
        let outcome = soon(transport.submit(message(&format!("+155501012{last}"), TEXT))).await;
        assert_eq!(outcome, Err(failure), "{last}");
    }
    let accepted = soon(transport.submit(message(NUMBER, TEXT))).await;
    assert_eq!(accepted, Ok(SmsAccepted { message_id: Some("A1".to_owned()) }));
}

#[tokio::test]
async fn ids_of_answer_and_receipt_meet() {
    let smsc = Smsc::start(|_, _| Plan::Accept("1A2B3C4D".to_owned())).await;
    let transport = bound(SmppConfig { ids: IdForm::HexInResponse, ..config(smsc.port) }).await;
    let accepted = soon(transport.submit(message(NUMBER, TEXT))).await.unwrap();
    smsc.receipt("0439041101", 2).await;
    assert_eq!(accepted.message_id, Some(soon(transport.receipt()).await.unwrap().message_id));
}

#[tokio::test]
async fn the_window_holds() {
    let smsc = Smsc::start(|_, number| Plan::Hold(number.to_string())).await;
    let transport = bound(SmppConfig { window: 3, ..config(smsc.port) }).await;
    let submits: Vec<_> = (0..12).map(|_| submitted(&transport, NUMBER)).collect();
    smsc.until(|counts| counts.unanswered == 3).await;
    for done in 1..=9 {
        smsc.go(1);
        smsc.until(|counts| counts.submits == 3 + done).await;
    }
    smsc.go(3);
    for submit in submits {
        assert!(soon(submit).await.unwrap().is_ok());
    }
    assert_eq!((smsc.counts().submits, smsc.counts().unanswered_max), (12, 3));
}

#[tokio::test]
async fn a_message_that_nobody_waits_for_any_more_is_not_sent() {
    let smsc = Smsc::start(|_, number| Plan::Hold(number.to_string())).await;
    let transport = bound(SmppConfig { window: 1, ..config(smsc.port) }).await;
    let first = submitted(&transport, NUMBER);
    smsc.until(|counts| counts.submits == 1).await;
    let given_up = submitted(&transport, "+15550100001");
    // A third one makes sure that the second was seen, for they are taken in order.
    let third = submitted(&transport, "+15550100002");
    tokio::task::yield_now().await;
    given_up.abort();
    assert!(soon(given_up).await.unwrap_err().is_cancelled());
    smsc.go(2);
    assert!(soon(first).await.unwrap().is_ok());
    assert!(soon(third).await.unwrap().is_ok());
    assert_eq!(smsc.counts().submits, 2);
    assert_eq!(smsc.message(1).destination_addr, "15550100002");
}

#[tokio::test]
async fn a_window_that_stays_full_is_unavailable_and_what_is_in_it_unknown() {
    let smsc = Smsc::start(|_, _| Plan::Never).await;
    let response_time_max = Duration::from_millis(200);
    let transport = bound(SmppConfig { window: 1, response_time_max, ..config(smsc.port) }).await;
    let first = submitted(&transport, NUMBER);
    smsc.until(|counts| counts.submits == 1).await;
    let started = std::time::Instant::now();
    assert_eq!(soon(first).await.unwrap(), Err(SmsFailure::Unknown));
    assert!(started.elapsed() < Duration::from_secs(5));
    // Its place is free again.
    let second = submitted(&transport, NUMBER);
    smsc.until(|counts| counts.submits == 2).await;
    assert_eq!(soon(second).await.unwrap(), Err(SmsFailure::Unknown));
    assert!(transport.health().submits);
}

#[tokio::test]
async fn without_a_link_a_message_is_unavailable() {
    let smsc = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = smsc.local_addr().unwrap().port();
    drop(smsc);
    let transport = SmppTransport::start(config(port)).unwrap();
    assert_eq!(soon(transport.submit(message(NUMBER, TEXT))).await, Err(SmsFailure::Unavailable));
}
