//! A message, and a runtime to hand it over on.

use std::sync::Arc;
use std::time::Duration;

use countersign::domain::ids::{ChallengeId, StreamId, UnixMillis, Version};
use countersign::{Code, PhoneNumber, SmsAccepted, SmsFailure, SmsKey, SmsMessage, SmsTransport};
use countersign_sms_http::http::HttpOptions;
use countersign_sms_http::twilio::{TwilioConfig, TwilioSender, TwilioTransport};
use countersign_sms_http::webhook::{WebhookConfig, WebhookTransport};
use zeroize::Zeroizing;

pub const NUMBER: &str = "+14155550100";
pub const CODE: &str = "083412";
pub const TEXT: &str = "083412 is your code. Do not share it.\n\n@signin.example.com #083412";
pub const TOKEN: &str = "0123456789abcdef0123456789abcdee";
pub const ACCOUNT: &str = "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Two minutes of life left at this time.
pub fn message() -> SmsMessage {
    SmsMessage {
        to: PhoneNumber::parse(NUMBER).unwrap(),
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

pub fn twilio(base_url: &str, http: HttpOptions) -> Arc<TwilioTransport> {
    let sender = TwilioSender::From("+14155552345".to_owned());
    let config = TwilioConfig {
        base_url: base_url.to_owned(),
        status_callback: Some("https://mfa.example.com/sms/status/twilio?x=1".to_owned()),
        max_price_micros: Some(75_000),
        http,
        ..TwilioConfig::new(ACCOUNT, TOKEN, sender)
    };
    TwilioTransport::new(config).unwrap()
}

pub fn webhook(base_url: &str, http: HttpOptions) -> Arc<WebhookTransport> {
    let url = format!("{base_url}/messages");
    WebhookTransport::new(WebhookConfig { http, ..WebhookConfig::new(url, SECRET) }).unwrap()
}

/// Hands a message over on a runtime that is gone afterwards.
pub fn submit(transport: &dyn SmsTransport) -> Result<SmsAccepted, SmsFailure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ended = async { tokio::time::timeout(Duration::from_secs(60), transport.submit(message())).await };
    runtime.block_on(ended).expect("the transport keeps its own time")
}

pub fn accepted(id: &str) -> Result<SmsAccepted, SmsFailure> {
    Ok(SmsAccepted { message_id: Some(id.to_owned()) })
}

pub const ACCEPTED: Result<SmsAccepted, SmsFailure> = Ok(SmsAccepted { message_id: None });
