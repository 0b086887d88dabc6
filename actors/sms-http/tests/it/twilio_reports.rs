//! Reports of Twilio: believed, not believed, not understood.

use countersign::{SmsCallback, SmsCallbackError, SmsDelivery, SmsReceipt, SmsTransport, UnixMillis};
use countersign_sms_http::twilio::{TwilioConfig, TwilioSender, TwilioTransport};
use data_encoding::BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

use crate::support::ACCOUNT;

const URL: &str = "https://mfa.example.com/sms/twilio/status?x=1";
const SID: &str = "SMaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
/// Made by `RequestValidator("authtoken").compute_signature` of the PyPI package twilio 9.13.0.
const SIGNATURE: &str = "+14eXVQPaIDGFXgMuFOB9+1UgXc=";

type Verdict = Result<Option<SmsReceipt>, SmsCallbackError>;

fn body(status: &str) -> String {
    format!(
        "MessageSid={SID}&MessageStatus={status}&To=%2B14155550100&AccountSid={ACCOUNT}&From=%2B14155552345\
         &ApiVersion=2010-04-01"
    )
}

fn read(url: &str, signature: &str, body: &[u8]) -> Verdict {
    let headers: &[(&str, &str)] = &[("host", "mfa.example.com"), ("x-twilio-signature", signature)];
    read_with(url, headers, body)
}

fn read_with(url: &str, headers: &[(&str, &str)], body: &[u8]) -> Verdict {
    let sender = TwilioSender::From("+14155552345".to_owned());
    let transport = TwilioTransport::new(TwilioConfig::new(ACCOUNT, "authtoken", sender)).unwrap();
    let callback = SmsCallback { url, headers, body, now: UnixMillis(0) };
    let verdict = transport.callback(&callback);
    assert_eq!(verdict, transport.callback(&callback), "a replay has the same verdict");
    verdict
}

fn signed(url: &str, pairs: &[(&str, &str)]) -> String {
    let mut sorted = pairs.to_vec();
    sorted.sort_unstable();
    let mut mac = Hmac::<Sha1>::new_from_slice(b"authtoken").unwrap();
    mac.update(url.as_bytes());
    sorted.iter().for_each(|(name, value)| mac.update(format!("{name}{value}").as_bytes()));
    BASE64.encode(&mac.finalize().into_bytes())
}

fn receipt(delivery: SmsDelivery) -> Verdict {
    Ok(Some(SmsReceipt { message_id: SID.to_owned(), delivery }))
}

#[test]
fn a_report_signed_by_somebody_elses_program_is_believed() {
    assert_eq!(read(URL, SIGNATURE, body("delivered").as_bytes()), receipt(SmsDelivery::Delivered));
}

#[test]
fn a_report_that_was_altered_is_not() {
    let genuine = body("delivered");
    let altered = [
        body("undelivered"),
        genuine.replace(SID, "SMb"),
        genuine.replace("x=1", "x=2"),
        format!("{genuine}&Extra=1"),
        genuine.replace("&ApiVersion=2010-04-01", ""),
        String::new(),
    ];
    for (at, body) in altered.iter().enumerate().filter(|(_, body)| **body != genuine) {
        assert_eq!(read(URL, SIGNATURE, body.as_bytes()), Err(SmsCallbackError::Signature), "{at}");
    }
    for url in ["https://mfa.example.com/sms/twilio/status", "https://mfa.example.com/sms/twilio/status?x=2", "", "x"] {
        assert_eq!(read(url, SIGNATURE, genuine.as_bytes()), Err(SmsCallbackError::Signature), "{url}");
    }
    for signature in [
        "",
        "+14eXVQPaIDGFXgMuFOB9+1UgXc",
        "+14eXVQPaIDGFXgMuFOB9+1UgXd=",
        "AAAA",
        "ü",
        SIGNATURE.trim_start_matches('+'),
    ] {
        assert_eq!(read(URL, signature, genuine.as_bytes()), Err(SmsCallbackError::Signature), "{signature}");
    }
    assert_eq!(read_with(URL, &[("host", "x")], genuine.as_bytes()), Err(SmsCallbackError::Signature));
}

#[test]
fn the_port_may_be_in_the_signature_or_not() {
    let pairs = [("MessageSid", SID), ("MessageStatus", "sent")];
    let body = format!("MessageStatus=sent&MessageSid={SID}");
    let spellings = ["https://a.example/s?x=1", "https://a.example:443/s?x=1"];
    for over in spellings {
        for asked in spellings {
            assert_eq!(read(asked, &signed(over, &pairs), body.as_bytes()), receipt(SmsDelivery::Enroute));
        }
    }
    let other = signed("https://a.example:8443/s?x=1", &pairs);
    assert_eq!(read(spellings[0], &other, body.as_bytes()), Err(SmsCallbackError::Signature));
    assert_eq!(read("https://a.example:8443/s?x=1", &other, body.as_bytes()), receipt(SmsDelivery::Enroute));
}

#[test]
fn each_status_says_how_far_it_came() {
    let cases = [
        ("accepted", Some(SmsDelivery::Enroute)),
        ("queued", Some(SmsDelivery::Enroute)),
        ("scheduled", Some(SmsDelivery::Enroute)),
        ("sending", Some(SmsDelivery::Enroute)),
        ("sent", Some(SmsDelivery::Enroute)),
        ("delivered", Some(SmsDelivery::Delivered)),
        ("read", Some(SmsDelivery::Delivered)),
        ("undelivered", Some(SmsDelivery::Undeliverable)),
        ("failed", Some(SmsDelivery::Rejected)),
        ("canceled", Some(SmsDelivery::Deleted)),
        ("partially_delivered", None),
        ("received", None),
        ("", None),
    ];
    for (status, delivery) in cases {
        let signature = signed(URL, &[("MessageSid", SID), ("MessageStatus", status), ("ü x", "a&b=c")]);
        let body = format!("%C3%BC+x=a%26b%3Dc&MessageSid={SID}&MessageStatus={status}");
        let expected = Ok(delivery.map(|delivery| SmsReceipt { message_id: SID.to_owned(), delivery }));
        assert_eq!(read(URL, &signature, body.as_bytes()), expected, "{status}");
    }
    let signature = signed(URL, &[("Body", "STOP"), ("SmsStatus", "received")]);
    assert_eq!(read(URL, &signature, b"Body=STOP&SmsStatus=received"), Ok(None));
}

#[test]
fn what_cannot_be_understood_is_malformed() {
    let twice = format!("{}&MessageStatus=failed", body("delivered"));
    let long = vec![b'a'; 16 * 1024 + 1];
    let junk: [&[u8]; 7] = [twice.as_bytes(), &long, b"a=%", b"a=%zz", b"\xff\xfe", b"a=%ff", &[b'%'; 16 * 1024]];
    for junk in junk {
        assert_eq!(read(URL, SIGNATURE, junk), Err(SmsCallbackError::Malformed));
    }
    for (sid, body) in [("", "MessageStatus=sent&MessageSid="), ("a b", "MessageStatus=sent&MessageSid=a+b")] {
        let signature = signed(URL, &[("MessageSid", sid), ("MessageStatus", "sent")]);
        assert_eq!(read(URL, &signature, body.as_bytes()), Err(SmsCallbackError::Malformed));
    }
    let signature = signed(URL, &[("MessageStatus", "sent")]);
    assert_eq!(read(URL, &signature, b"MessageStatus=sent"), Err(SmsCallbackError::Malformed));
}
