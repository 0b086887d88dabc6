//! What gateways of text messages send: reports by HTTP, answers, and the commands of SMPP.

use std::sync::{Arc, OnceLock};

use bytes::BytesMut;
use countersign::{SmsCallback, SmsCallbackError, SmsReceipt, SmsTransport, UnixMillis};
use countersign_smpp::{IdForm, read_delivery};
use countersign_sms_http::fuzzing::{decode_form, twilio_answer, webhook_answer};
use countersign_sms_http::http::HttpAnswer;
use countersign_sms_http::twilio::{TwilioConfig, TwilioSender, TwilioTransport};
use countersign_sms_http::webhook::{WebhookConfig, WebhookTransport};
use data_encoding::BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rusmpp::Pdu;
use rusmpp::tokio_codec::CommandCodec;
use tokio_util::codec::Decoder as _;

const TOKEN: &str = "0123456789abcdef0123456789abcdee";
const ACCOUNT: &str = "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
/// The longest command that is read, in bytes.
const COMMAND_MAX: usize = 4096;

fn transports() -> &'static (Arc<TwilioTransport>, Arc<WebhookTransport>) {
    static BOTH: OnceLock<(Arc<TwilioTransport>, Arc<WebhookTransport>)> = OnceLock::new();
    BOTH.get_or_init(|| {
        let sender = TwilioSender::From("+14155552345".to_owned());
        let base_url = "http://localhost".to_owned();
        let twilio = TwilioTransport::new(TwilioConfig { base_url, ..TwilioConfig::new(ACCOUNT, TOKEN, sender) });
        let webhook = WebhookTransport::new(WebhookConfig::new("http://localhost/", format!("whsec_{SECRET}")));
        (twilio.expect("the settings are right"), webhook.expect("the settings are right"))
    })
}

/// An address, lines of headers, and a report. Nobody believes it as it is; signed, it is read or malformed.
pub fn callback(data: &[u8]) {
    let Some(at) = data.windows(2).position(|pair| pair == b"\n\n") else { return };
    let (Ok(head), body) = (str::from_utf8(&data[..at]), &data[at + 2..]) else { return };
    let mut lines = head.split('\n');
    let url = lines.next().unwrap_or_default();
    let headers: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(": ")).collect();
    let (twilio, webhook) = transports();
    let callback = SmsCallback { url, headers: &headers, body, now: NOW };
    assert!(twilio.callback(&callback).is_err() && webhook.callback(&callback).is_err(), "nobody has signed it");

    if let Some(parameters) = decode_form(body) {
        let mut mac = Hmac::<sha1::Sha1>::new_from_slice(TOKEN.as_bytes()).expect("any key will do");
        mac.update(url.as_bytes());
        parameters.iter().for_each(|(name, value)| mac.update([name.as_bytes(), value.as_bytes()].concat().as_slice()));
        let signature = BASE64.encode(&mac.finalize().into_bytes());
        let headers = [("x-twilio-signature", signature.as_str())];
        plausible(twilio.callback(&SmsCallback { url, headers: &headers, body, now: NOW }));
    }
    let of = |name: &str| callback.header(name).unwrap_or_default();
    let (id, timestamp) = (of("webhook-id"), of("webhook-timestamp"));
    let secret = BASE64.decode(SECRET.as_bytes()).expect("it is in base64");
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&secret).expect("any key will do");
    [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].into_iter().for_each(|part| mac.update(part));
    let signature = format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes()));
    let headers = [("webhook-id", id), ("webhook-timestamp", timestamp), ("webhook-signature", &signature)];
    let said = webhook.callback(&SmsCallback { url, headers: &headers, body, now: NOW });
    let in_time = timestamp.parse::<u64>().is_ok_and(|at| at.abs_diff(NOW.0 / 1000) <= 300);
    assert!(said.is_err() || in_time, "an old report is believed");
    plausible(said);
}

fn plausible(said: Result<Option<SmsReceipt>, SmsCallbackError>) {
    match said {
        Ok(Some(receipt)) => named(&receipt.message_id),
        Ok(None) => {}
        Err(cause) => assert_ne!(cause, SmsCallbackError::Signature, "it is signed"),
    }
}

/// A name of a message can be kept and logged.
fn named(id: &str) {
    assert!((1..=64).contains(&id.len()) && id.bytes().all(|byte| (0x20..=0x7e).contains(&byte)), "{id:?}");
}

/// A status, a line that is the pause that is asked for, and a body.
pub fn answer(data: &[u8]) {
    let Some((status, rest)) = data.split_first_chunk::<2>() else { return };
    let (pause, body) = match rest.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&rest[..at], &rest[at + 1..]),
        None => (rest, &rest[rest.len()..]),
    };
    let mut headers = http::HeaderMap::new();
    if let Ok(value) = http::HeaderValue::from_bytes(pause) {
        headers.insert("retry-after", value);
    }
    let status = 100 + u16::from_be_bytes(*status) % 500;
    let answer = HttpAnswer { status, headers, body: Some(body.to_vec()) };
    for said in [twilio_answer(&answer), webhook_answer(&answer)] {
        match said {
            Ok(accepted) => {
                assert!((200..=299).contains(&status) || status == 409);
                accepted.message_id.iter().for_each(|id| named(id));
            }
            Err(cause) => assert!(!cause.to_string().is_empty()),
        }
    }
}

/// A stream of commands. The form of ids says what a receipt is called, and never whether there is one.
pub fn smpp(data: &[u8]) {
    let mut stream = BytesMut::from(data);
    let mut codec = CommandCodec::new().with_max_length(COMMAND_MAX);
    while let Ok(Some(command)) = codec.decode(&mut stream) {
        let Some(Pdu::DeliverSm(deliver)) = command.pdu() else { continue };
        let forms = [IdForm::AsIs, IdForm::Decimal, IdForm::Hex, IdForm::HexInResponse, IdForm::HexInReceipt];
        let read = forms.map(|form| read_delivery(deliver, form));
        read.iter().flatten().flatten().for_each(|receipt| named(&receipt.message_id));
        assert!(
            read.windows(2).all(|pair| pair[0].is_some() == pair[1].is_some()),
            "the form of an id makes a receipt"
        );
    }
}
