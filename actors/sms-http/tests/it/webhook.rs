//! What is sent to a webhook, and what each of its answers says.

use std::time::Duration;

use countersign::{SmsFailure, SmsTransport};
use countersign_sms_http::webhook::{WebhookConfig, WebhookTransport};
use data_encoding::BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::stub::{Play, Stub, answer};
use crate::support::{ACCEPTED, NUMBER, SECRET, TEXT, accepted, message, patient, submit, webhook};

/// A signature as the other side makes it.
pub fn signed(secret: &str, id: &str, timestamp: &str, body: &[u8]) -> String {
    let key = BASE64.decode(secret.strip_prefix("whsec_").unwrap().as_bytes()).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes()))
}

#[test]
fn a_message_is_signed_json() {
    let stub = Stub::playing(answer("202 Accepted", "", r#"{"message_id":"m-1"}"#));
    let other = format!("whsec_{}", BASE64.encode(&[5; 32]));
    let config = WebhookConfig::new(format!("{}/messages?tenant=1", stub.url()), SECRET);
    let secrets = vec![Zeroizing::new(SECRET.to_owned()), Zeroizing::new(other.clone())];
    let transport = WebhookTransport::new(WebhookConfig { secrets, ..config }).unwrap();
    assert_eq!(submit(&*transport), accepted("m-1"));
    let [seen] = stub.seen().try_into().ok().unwrap();
    assert_eq!(seen.line(), "POST /messages?tenant=1 HTTP/1.1");
    assert_eq!(seen.header("content-type"), Some("application/json"));
    let key = message().key.to_string();
    assert_eq!((seen.header("webhook-id"), seen.header("idempotency-key")), (Some(key.as_str()), Some(key.as_str())));
    assert_eq!(seen.header("webhook-timestamp"), Some("1700000000"));
    let signatures = [SECRET, &other].map(|secret| signed(secret, &key, "1700000000", &seen.body));
    assert_eq!(seen.header("webhook-signature"), Some(signatures.join(" ").as_str()));
    let expected = serde_json::json!({
        "type": "sms", "id": key, "to": NUMBER, "text": TEXT, "expires_in_s": 120, "challenge": "09".repeat(16),
    });
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&seen.body).unwrap(), expected);
}

#[test]
fn a_message_that_comes_twice_is_sent_once() {
    assert!(webhook("http://localhost", patient()).is_idempotent());
}

#[test]
fn a_success_needs_no_name() {
    for status in ["200 OK", "202 Accepted", "409 Conflict"] {
        for (body, expected) in [
            ("", ACCEPTED),
            ("{}", ACCEPTED),
            ("{", ACCEPTED),
            (r#"{"message_id":7}"#, ACCEPTED),
            (r#"{"message_id":""}"#, ACCEPTED),
            (r#"{"message_id":"m-1","more":[]}"#, accepted("m-1")),
        ] {
            let stub = Stub::playing(answer(status, "", body));
            assert_eq!(submit(&*webhook(&stub.url(), patient())), expected, "{status} {body}");
        }
    }
    let stub = Stub::playing(Play::Bytes(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()));
    assert_eq!(submit(&*webhook(&stub.url(), patient())), ACCEPTED);
    for play in [Play::Flood("200 OK"), Play::CutOff(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".to_vec())] {
        let stub = Stub::playing(play);
        assert_eq!(submit(&*webhook(&stub.url(), patient())), ACCEPTED);
    }
}

#[test]
fn each_refusal_says_what_it_is() {
    let cases = [
        ("422 Unprocessable Content", r#"{"reason":"invalid_number"}"#, SmsFailure::InvalidNumber),
        ("422 Unprocessable Content", r#"{"reason":"opted_out"}"#, SmsFailure::OptedOut),
        ("422 Unprocessable Content", r#"{"reason":"too long"}"#, SmsFailure::Refused),
        ("400 Bad Request", r#"{"reason":"opted_out"}"#, SmsFailure::Refused),
        ("401 Unauthorized", "", SmsFailure::Unavailable),
        ("402 Payment Required", "", SmsFailure::Unavailable),
        ("403 Forbidden", "", SmsFailure::Unavailable),
        ("404 Not Found", "", SmsFailure::Unavailable),
        ("408 Request Timeout", "", SmsFailure::Unavailable),
        ("413 Content Too Large", "", SmsFailure::Unavailable),
        ("415 Unsupported Media Type", "", SmsFailure::Unavailable),
        ("425 Too Early", "", SmsFailure::Unavailable),
        ("451 Unavailable For Legal Reasons", "", SmsFailure::Unavailable),
        ("429 Too Many Requests", "", SmsFailure::Throttled { retry_after: Some(Duration::from_secs(3)) }),
        ("500 Internal Server Error", "", SmsFailure::Unknown),
        ("502 Bad Gateway", "", SmsFailure::Unknown),
        ("503 Service Unavailable", "", SmsFailure::Unavailable),
        ("504 Gateway Timeout", "", SmsFailure::Unknown),
    ];
    for (status, body, expected) in cases {
        let stub = Stub::playing(answer(status, "retry-after: 3\r\n", body));
        assert_eq!(submit(&*webhook(&stub.url(), patient())), Err(expected), "{status} {body}");
        assert_eq!(stub.seen().len(), 1, "{status} {body}");
    }
}
