//! Reports of a webhook gateway: believed, not believed, too old, not understood.

use countersign::{SmsCallback, SmsCallbackError, SmsDelivery, SmsReceipt, SmsTransport, UnixMillis};
use countersign_sms_http::webhook::{WebhookConfig, WebhookTransport};
use data_encoding::BASE64;
use zeroize::Zeroizing;

use crate::support::SECRET;
use crate::webhook::signed;

const NOW_S: u64 = 1_700_000_000;
const DELIVERED: &[u8] = br#"{"message_id":"m-1","status":"delivered"}"#;

type Verdict = Result<Option<SmsReceipt>, SmsCallbackError>;

fn read(id: &str, timestamp: &str, signature: &str, body: &[u8]) -> Verdict {
    read_with(&[("Webhook-Id", id), ("Webhook-Timestamp", timestamp), ("Webhook-Signature", signature)], body)
}

fn read_with(headers: &[(&str, &str)], body: &[u8]) -> Verdict {
    let other = format!("whsec_{}", BASE64.encode(&[5; 32]));
    let secrets = vec![Zeroizing::new(other), Zeroizing::new(SECRET.to_owned())];
    let config = WebhookConfig { secrets, ..WebhookConfig::new("https://sms.example.com/", SECRET) };
    let transport = WebhookTransport::new(config).unwrap();
    let callback = SmsCallback { url: "https://mfa.example.com/", headers, body, now: UnixMillis(NOW_S * 1_000 + 999) };
    let verdict = transport.callback(&callback);
    assert_eq!(verdict, transport.callback(&callback), "a replay has the same verdict");
    verdict
}

fn read_signed(timestamp: &str, body: &[u8]) -> Verdict {
    read("r-1", timestamp, &signed(SECRET, "r-1", timestamp, body), body)
}

#[test]
fn each_status_says_how_far_it_came() {
    let cases = [
        ("enroute", Some(SmsDelivery::Enroute)),
        ("unknown", Some(SmsDelivery::Unknown)),
        ("delivered", Some(SmsDelivery::Delivered)),
        ("undeliverable", Some(SmsDelivery::Undeliverable)),
        ("expired", Some(SmsDelivery::Expired)),
        ("rejected", Some(SmsDelivery::Rejected)),
        ("deleted", Some(SmsDelivery::Deleted)),
        ("Delivered", None),
        ("clicked", None),
    ];
    for (status, delivery) in cases {
        let body = format!(r#"{{"status":"{status}","message_id":"m-1","at":1}}"#);
        let expected = Ok(delivery.map(|delivery| SmsReceipt { message_id: "m-1".to_owned(), delivery }));
        assert_eq!(read_signed(&NOW_S.to_string(), body.as_bytes()), expected, "{status}");
    }
}

#[test]
fn only_what_is_signed_as_it_is_is_believed() {
    let now = NOW_S.to_string();
    let signature = signed(SECRET, "r-1", &now, DELIVERED);
    assert!(read("r-1", &now, &format!("v1,AAAA v1a,x {signature}"), DELIVERED).is_ok());
    let foreign = signed(&format!("whsec_{}", BASE64.encode(&[6; 32])), "r-1", &now, DELIVERED);
    let wrong: [(&str, &str, &str, &[u8]); 8] = [
        ("r-2", &now, &signature, DELIVERED),
        ("r-1", "1700000001", &signature, DELIVERED),
        ("r-1", &now, &signature, br#"{"message_id":"m-2","status":"delivered"}"#),
        ("r-1", &now, &signature, b""),
        ("r-1", &now, &foreign, DELIVERED),
        ("r-1", &now, "", DELIVERED),
        ("r-1", &now, &signature[3..], DELIVERED),
        ("r-1", &now, &signature[..20], DELIVERED),
    ];
    for (at, (id, timestamp, signature, body)) in wrong.into_iter().enumerate() {
        assert_eq!(read(id, timestamp, signature, body), Err(SmsCallbackError::Signature), "{at}");
    }
    let all = [("webhook-id", "r-1"), ("webhook-timestamp", now.as_str()), ("webhook-signature", signature.as_str())];
    assert!(read_with(&all, DELIVERED).is_ok());
    for missing in 0..all.len() {
        let some: Vec<_> = all.iter().enumerate().filter(|(at, _)| *at != missing).map(|(_, pair)| *pair).collect();
        assert_eq!(read_with(&some, DELIVERED), Err(SmsCallbackError::Signature));
    }
}

#[test]
fn five_minutes_are_the_most_that_is_believed() {
    for (timestamp, fine) in
        [(NOW_S - 300, true), (NOW_S - 301, false), (NOW_S + 300, true), (NOW_S + 301, false), (0, false)]
    {
        let verdict = read_signed(&timestamp.to_string(), DELIVERED);
        assert_eq!(verdict.is_ok(), fine, "{timestamp}");
        assert!(fine || verdict == Err(SmsCallbackError::Stale));
    }
    assert_eq!(read_signed(&u64::MAX.to_string(), DELIVERED), Err(SmsCallbackError::Stale));
}

#[test]
fn what_cannot_be_understood_is_malformed() {
    let now = NOW_S.to_string();
    let long = [b" ".repeat(16 * 1024), DELIVERED.to_vec()].concat();
    let deep = b"[".repeat(10_000);
    let junk: [&[u8]; 11] = [
        b"",
        b"{}",
        b"\xff",
        b"null",
        &long,
        &deep,
        br#"{"message_id":"m-1"}"#,
        br#"{"message_id":"","status":"delivered"}"#,
        br#"{"message_id":"a b","status":"delivered"}"#,
        br#"{"message_id":7,"status":"delivered"}"#,
        br#"{"message_id":"m-1","status":"delivered","status":"rejected"}"#,
    ];
    for junk in junk {
        assert_eq!(read_signed(&now, junk), Err(SmsCallbackError::Malformed));
    }
    for timestamp in ["", "+1700000000", " 1700000000", "1.7e9", "-1", "99999999999999999999999"] {
        assert_eq!(read_signed(timestamp, DELIVERED), Err(SmsCallbackError::Malformed), "{timestamp}");
    }
}
