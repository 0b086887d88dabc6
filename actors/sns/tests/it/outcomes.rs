//! What is sent to SNS, and what each of its answers says.

use std::net::TcpListener;

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::future::ProvideCredentials as Provided;
use aws_sdk_sns::config::{Credentials, ProvideCredentials, SharedCredentialsProvider};
use countersign::{SmsAccepted, SmsCallback, SmsCallbackError, SmsFailure, SmsTransport, UnixMillis};
use countersign_sns::{SnsConfig, SnsCredentials, SnsTransport};

use crate::stub::{Play, Stub, answer};
use crate::support::{KEY_ID, config, impatient, patient, sns, submit};

const ID: &str = "94f20ce6-13c5-43a0-9a9e-ca52d816e90b";
const NAMESPACE: &str = "http://sns.amazonaws.com/doc/2010-03-31/";
const ACCEPTED: Result<SmsAccepted, SmsFailure> = Ok(SmsAccepted { message_id: None });

fn published() -> Play {
    let body = format!(
        "<PublishResponse xmlns=\"{NAMESPACE}\"><PublishResult><MessageId>{ID}</MessageId></PublishResult>\
         <ResponseMetadata><RequestId>f187a3c1</RequestId></ResponseMetadata></PublishResponse>"
    );
    answer("200 OK", "content-type: text/xml\r\n", &body)
}

fn error(status: &str, code: &str, message: &str) -> Play {
    let body = format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message>\
         </Error><RequestId>f187a3c1</RequestId></ErrorResponse>"
    );
    answer(status, "content-type: text/xml\r\n", &body)
}

fn accepted() -> Result<SmsAccepted, SmsFailure> {
    Ok(SmsAccepted { message_id: Some(ID.to_owned()) })
}

#[test]
fn a_message_is_published_to_a_number() {
    let stub = Stub::playing(published());
    assert_eq!(submit(&*sns(&stub.url(), patient())), accepted());
    let [seen] = stub.seen().try_into().ok().unwrap();
    assert_eq!(seen.line(), "POST / HTTP/1.1");
    let signed_by = format!("AWS4-HMAC-SHA256 Credential={KEY_ID}/");
    let authorization = seen.header("authorization").unwrap();
    assert!(authorization.starts_with(&signed_by) && authorization.contains("/eu-central-1/sns/aws4_request"));
    let mut pairs: Vec<&str> = seen.text().split('&').collect();
    pairs.sort_unstable();
    let attribute = |at: usize, name: &str, kind: &str, value: &str| {
        let of = format!("MessageAttributes.entry.{at}");
        [
            format!("{of}.Name=AWS.SNS.SMS.{name}"),
            format!("{of}.Value.DataType={kind}"),
            format!("{of}.Value.StringValue={value}"),
        ]
    };
    // The SDK keeps attributes in a map whose order changes.
    let order = |name: &str| {
        let at = (1..=3).find(|at| seen.text().contains(&format!("entry.{at}.Name=AWS.SNS.SMS.{name}&")));
        at.unwrap()
    };
    let mut expected = vec![
        "Action=Publish".to_owned(),
        "Version=2010-03-31".to_owned(),
        "PhoneNumber=%2B14155550100".to_owned(),
        "Message=083412%20is%20your%20code.%20Do%20not%20share%20it.%0A%0A%40signin.example.com%20%23083412".to_owned(),
    ];
    expected.extend(attribute(order("SMSType"), "SMSType", "String", "Transactional"));
    expected.extend(attribute(order("SenderID"), "SenderID", "String", "Csign"));
    expected.extend(attribute(order("MaxPrice"), "MaxPrice", "Number", "0.075000"));
    expected.sort_unstable();
    assert_eq!(pairs, expected);
}

#[test]
fn a_success_is_a_success_however_little_can_be_read() {
    for body in ["", "<", "{}", "<PublishResponse/>", "<PublishResponse><PublishResult/></PublishResponse>", "<html>"] {
        let stub = Stub::playing(answer("200 OK", "", body));
        assert_eq!(submit(&*sns(&stub.url(), patient())), ACCEPTED, "{body}");
        assert_eq!(stub.seen().len(), 1, "{body}");
    }
    for play in [Play::Flood("200 OK"), Play::CutOff(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n<".to_vec())] {
        let stub = Stub::playing(play);
        assert_eq!(submit(&*sns(&stub.url(), patient())), ACCEPTED);
    }
}

#[test]
fn each_refusal_says_what_it_is() {
    const THROTTLED: SmsFailure = SmsFailure::Throttled { retry_after: None };
    let number = "Invalid parameter: PhoneNumber Reason: +14155550100 is not valid to publish to";
    let cases = [
        ("400 Bad Request", "InvalidParameter", number, SmsFailure::InvalidNumber),
        (
            "400 Bad Request",
            "InvalidParameter",
            "Phone number does not meet the E164 format",
            SmsFailure::InvalidNumber,
        ),
        ("400 Bad Request", "ParameterValueInvalid", "Invalid parameter: PhoneNumber", SmsFailure::InvalidNumber),
        ("400 Bad Request", "InvalidParameter", "PhoneNumber Reason: Phone number is opted out", SmsFailure::OptedOut),
        ("400 Bad Request", "OptedOut", "", SmsFailure::OptedOut),
        ("400 Bad Request", "InvalidParameter", "Invalid parameter: Message too long", SmsFailure::Refused),
        ("400 Bad Request", "ValidationError", "", SmsFailure::Refused),
        ("400 Bad Request", "Throttling", "Rate exceeded", THROTTLED),
        ("400 Bad Request", "ThrottlingException", "", THROTTLED),
        ("429 Too Many Requests", "", "", THROTTLED),
        ("402 Payment Required", "", "", SmsFailure::Unavailable),
        ("403 Forbidden", "AuthorizationError", "", SmsFailure::Unavailable),
        ("403 Forbidden", "InvalidClientTokenId", "", SmsFailure::Unavailable),
        ("403 Forbidden", "SignatureDoesNotMatch", "", SmsFailure::Unavailable),
        ("400 Bad Request", "ExpiredToken", "", SmsFailure::Unavailable),
        ("404 Not Found", "NotFound", "", SmsFailure::Unavailable),
        ("413 Content Too Large", "RequestEntityTooLarge", "", SmsFailure::Unavailable),
        ("500 Internal Server Error", "InternalError", "", SmsFailure::Unknown),
        ("500 Internal Server Error", "InvalidParameter", number, SmsFailure::Unknown),
        ("502 Bad Gateway", "", "", SmsFailure::Unknown),
        ("503 Service Unavailable", "ServiceUnavailable", "", SmsFailure::Unavailable),
        ("504 Gateway Timeout", "", "", SmsFailure::Unknown),
        ("302 Found", "", "", SmsFailure::Unavailable),
    ];
    for (status, code, message, expected) in cases {
        let stub = Stub::playing(error(status, code, message));
        assert_eq!(submit(&*sns(&stub.url(), patient())), Err(expected), "{status} {code} {message}");
        assert_eq!(stub.seen().len(), 1, "the SDK tried again after {status} {code}");
    }
    for (status, expected) in [("400 Bad Request", SmsFailure::Refused), ("503 Slow", SmsFailure::Unavailable)] {
        for play in [Play::Flood(status), answer(status, "", "not XML"), answer(status, "", "")] {
            let stub = Stub::playing(play);
            assert_eq!(submit(&*sns(&stub.url(), patient())), Err(expected), "{status}");
        }
    }
}

#[test]
fn what_was_not_sent_is_unavailable_and_what_was_not_answered_is_unknown() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(submit(&*sns(&format!("http://{closed}"), patient())), Err(SmsFailure::Unavailable));
    let nowhere = sns("https://no-such-name.invalid", patient());
    assert_eq!(submit(&*nowhere), Err(SmsFailure::Unavailable));
    for play in [
        Play::Silence,
        Play::CutOff(Vec::new()),
        Play::CutOff(b"HTTP/1.1 20".to_vec()),
        Play::CutOff(b"hello\r\n".to_vec()),
    ] {
        let stub = Stub::playing(play);
        assert_eq!(submit(&*sns(&stub.url(), impatient())), Err(SmsFailure::Unknown));
        assert_eq!(stub.seen().len(), 1, "the SDK tried again");
    }
}

#[derive(Debug)]
struct Nobody;

impl ProvideCredentials for Nobody {
    fn provide_credentials<'a>(&'a self) -> Provided<'a>
    where
        Self: 'a,
    {
        Provided::ready(Err(CredentialsError::not_loaded_no_source()))
    }
}

#[test]
fn without_credentials_nothing_is_sent() {
    let stub = Stub::playing(published());
    let config = SnsConfig { credentials: SnsCredentials::of(Nobody), ..config(&stub.url(), patient()) };
    assert_eq!(submit(&*SnsTransport::new(config).unwrap()), Err(SmsFailure::Unavailable));
    assert_eq!(stub.connections(), 0);
}

#[test]
fn a_provider_of_the_platform_is_asked() {
    let stub = Stub::playing(published());
    let keys = Credentials::new("AKIDPLATFORM", "x", None, None, "test");
    let provider = SharedCredentialsProvider::new(keys);
    let config = SnsConfig { credentials: SnsCredentials::Provider(provider), ..config(&stub.url(), patient()) };
    assert_eq!(submit(&*SnsTransport::new(config).unwrap()), accepted());
    assert!(stub.seen()[0].header("authorization").unwrap().contains("Credential=AKIDPLATFORM/"));
}

#[test]
fn a_transport_outlives_the_runtime_that_used_it_first() {
    let stub = Stub::playing(published());
    let transport = sns(&stub.url(), patient());
    for tries in 1..=3 {
        assert_eq!(submit(&*transport), accepted());
        assert_eq!(stub.connections(), tries);
    }
}

#[test]
fn it_takes_no_reports() {
    let callback = SmsCallback { url: "https://mfa.example.com/", headers: &[], body: b"", now: UnixMillis(0) };
    assert_eq!(sns("http://localhost", patient()).callback(&callback), Err(SmsCallbackError::NotTaken));
}
