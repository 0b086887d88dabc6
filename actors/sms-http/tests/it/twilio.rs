//! What is sent to Twilio, and what each of its answers says.

use std::time::Duration;

use countersign::{SmsFailure, SmsTransport};
use data_encoding::BASE64;

use crate::stub::{Play, Stub, answer};
use crate::support::{ACCEPTED, ACCOUNT, NUMBER, TEXT, TOKEN, accepted, impatient, patient, submit, twilio};

const SID: &str = "SMbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

fn created() -> Play {
    answer("201 Created", "", &format!(r#"{{"sid":"{SID}","status":"queued","error_code":null,"to":"+1"}}"#))
}

#[test]
fn a_message_that_comes_twice_is_sent_twice() {
    assert!(!twilio("http://localhost", patient()).is_idempotent());
}

#[test]
fn a_message_is_a_form() {
    let stub = Stub::playing(created());
    assert_eq!(submit(&*twilio(&stub.url(), patient())), accepted(SID));
    let [seen] = stub.seen().try_into().ok().unwrap();
    assert_eq!(seen.line(), format!("POST /2010-04-01/Accounts/{ACCOUNT}/Messages.json HTTP/1.1"));
    let basic = format!("Basic {}", BASE64.encode(format!("{ACCOUNT}:{TOKEN}").as_bytes()));
    assert_eq!(seen.header("authorization"), Some(basic.as_str()));
    assert_eq!(seen.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert!(seen.header("user-agent").unwrap().starts_with("countersign/"));
    let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned();
    let pairs: Vec<(String, String)> =
        seen.text().split('&').map(|pair| pair.split_once('=').map(|(n, v)| (decode(n), decode(v))).unwrap()).collect();
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let expected = [
        ("To", NUMBER),
        ("From", "+14155552345"),
        ("Body", TEXT),
        ("ValidityPeriod", "120"),
        ("StatusCallback", "https://mfa.example.com/sms/status/twilio?x=1"),
        ("MaxPrice", "0.075"),
    ];
    assert_eq!(pairs, expected);
}

#[test]
fn a_success_is_a_success_however_little_can_be_read() {
    let broken =
        ["", "{", "[]", "null", r#"{"sid":7}"#, r#"{"sid":""}"#, r#"{"sid":"a b"}"#, "<html>", &"[".repeat(999)];
    for body in broken {
        let stub = Stub::playing(answer("201 Created", "", body));
        assert_eq!(submit(&*twilio(&stub.url(), patient())), ACCEPTED, "{body}");
    }
    let half = b"HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\n{\"sid\":\"SM1\"".to_vec();
    for play in [Play::CutOff(half.clone()), Play::Flood("201 Created")] {
        let stub = Stub::playing(play);
        assert_eq!(submit(&*twilio(&stub.url(), patient())), ACCEPTED);
    }
    let stub = Stub::playing(Play::Bytes(half));
    assert_eq!(submit(&*twilio(&stub.url(), impatient())), ACCEPTED);
    let stub = Stub::playing(answer("200 OK", "", r#"{"sid":"SM1"}"#));
    assert_eq!(submit(&*twilio(&stub.url(), patient())), accepted("SM1"));
}

#[test]
fn each_refusal_says_what_it_is() {
    let throttled = |seconds: Option<u64>| SmsFailure::Throttled { retry_after: seconds.map(Duration::from_secs) };
    let cases = [
        (
            "400 Bad Request",
            r#"{"code":21211,"message":"The 'To' number +14155550100 is not valid"}"#,
            SmsFailure::InvalidNumber,
        ),
        ("400 Bad Request", r#"{"code":21214}"#, SmsFailure::InvalidNumber),
        ("400 Bad Request", r#"{"code":"21614"}"#, SmsFailure::InvalidNumber),
        ("400 Bad Request", r#"{"code":21610}"#, SmsFailure::OptedOut),
        ("400 Bad Request", r#"{"code":21611}"#, throttled(None)),
        ("400 Bad Request", r#"{"code":20429}"#, throttled(None)),
        ("429 Too Many Requests", r#"{"code":20429}"#, throttled(Some(17))),
        ("429 Too Many Requests", "", throttled(Some(17))),
        ("400 Bad Request", r#"{"code":21602}"#, SmsFailure::Refused),
        // The account, the sender, the region: another gateway may.
        ("400 Bad Request", r#"{"code":21408}"#, SmsFailure::Refused),
        ("400 Bad Request", r#"{"code":21603}"#, SmsFailure::Refused),
        ("400 Bad Request", r#"{"code":21606}"#, SmsFailure::Refused),
        ("400 Bad Request", r#"{"code":21612}"#, SmsFailure::Refused),
        ("400 Bad Request", r#"{"code":63038}"#, SmsFailure::Refused),
        ("429 Too Many Requests", r#"{"code":63038}"#, SmsFailure::Refused),
        ("400 Bad Request", "", SmsFailure::Refused),
        ("422 Unprocessable Entity", "{", SmsFailure::Refused),
        ("401 Unauthorized", r#"{"code":20003}"#, SmsFailure::Unavailable),
        ("402 Payment Required", "", SmsFailure::Unavailable),
        ("403 Forbidden", "", SmsFailure::Unavailable),
        ("404 Not Found", r#"{"code":20404}"#, SmsFailure::Unavailable),
        ("500 Internal Server Error", r#"{"code":21610}"#, SmsFailure::Unknown),
        ("502 Bad Gateway", "", SmsFailure::Unknown),
        ("503 Service Unavailable", "", SmsFailure::Unavailable),
        ("504 Gateway Timeout", "", SmsFailure::Unknown),
        ("201 Created", r#"{"sid":"SM1","error_code":21610,"status":"failed"}"#, SmsFailure::OptedOut),
        ("201 Created", r#"{"sid":"SM1","error_code":30007,"status":"failed"}"#, SmsFailure::Refused),
    ];
    for (status, body, expected) in cases {
        let stub = Stub::playing(answer(status, "retry-after: 17\r\n", body));
        assert_eq!(submit(&*twilio(&stub.url(), patient())), Err(expected), "{status} {body}");
        assert_eq!(stub.seen().len(), 1, "{status} {body}");
    }
    for (status, expected) in [("400 Bad Request", SmsFailure::Refused), ("502 Bad Gateway", SmsFailure::Unknown)] {
        let stub = Stub::playing(Play::Flood(status));
        assert_eq!(submit(&*twilio(&stub.url(), patient())), Err(expected), "{status}");
    }
}
