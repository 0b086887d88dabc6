//! A message, a transport, and a runtime to hand it over on.

use std::sync::Arc;
use std::time::Duration;

use countersign::domain::ids::{ChallengeId, StreamId, UnixMillis, Version};
use countersign::{Code, PhoneNumber, SmsAccepted, SmsFailure, SmsKey, SmsMessage, SmsTransport};
use countersign_sms_http::http::HttpOptions;
use countersign_sns::{SnsConfig, SnsCredentials, SnsTransport};
use zeroize::Zeroizing;

pub const NUMBER: &str = "+14155550100";
pub const CODE: &str = "083412";
pub const TEXT: &str = "083412 is your code. Do not share it.\n\n@signin.example.com #083412";
pub const KEY_ID: &str = "AKIDCANARYCANARY";
pub const SECRET: &str = "wJalrXUtnFEMIK7MDENGbPxRfiCYCANARY";

pub fn message_to(number: &str) -> SmsMessage {
    SmsMessage {
        to: PhoneNumber::parse(number).unwrap(),
        text: Zeroizing::new(TEXT.to_owned()),
        code: Code::parse(CODE).unwrap(),
        challenge: ChallengeId::from_bytes([9; 16]),
        key: SmsKey { principal: StreamId::from_bytes([1; 16]), version: Version(7) },
        until: UnixMillis(1_700_000_120_999),
        life: Duration::from_millis(120_999),
    }
}

/// Half a second to answer, which only a server that does not answer uses up.
pub fn impatient() -> HttpOptions {
    HttpOptions {
        connect_time_max: Duration::from_millis(400),
        answer_time_max: Duration::from_millis(500),
        ..HttpOptions::default()
    }
}

pub fn patient() -> HttpOptions {
    HttpOptions { answer_time_max: Duration::from_secs(30), ..HttpOptions::default() }
}

pub fn config(endpoint_url: &str, http: HttpOptions) -> SnsConfig {
    let credentials = SnsCredentials::fixed(KEY_ID, SECRET);
    SnsConfig {
        endpoint_url: Some(endpoint_url.to_owned()),
        sender_id: Some("Csign".to_owned()),
        max_price_micros: Some(75_000),
        http,
        ..SnsConfig::new("eu-central-1", credentials)
    }
}

pub fn sns(endpoint_url: &str, http: HttpOptions) -> Arc<SnsTransport> {
    SnsTransport::new(config(endpoint_url, http)).unwrap()
}

/// Hands a message over on a runtime that is gone afterwards.
pub fn submit_to(transport: &dyn SmsTransport, number: &str) -> Result<SmsAccepted, SmsFailure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ended = async { tokio::time::timeout(Duration::from_secs(60), transport.submit(message_to(number))).await };
    runtime.block_on(ended).expect("the transport keeps its own time")
}

pub fn submit(transport: &dyn SmsTransport) -> Result<SmsAccepted, SmsFailure> {
    submit_to(transport, NUMBER)
}
