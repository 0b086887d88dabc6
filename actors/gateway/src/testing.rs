//! What several tests need: a signer of requests, the recorded requests of real clients, and a gateway for SMS.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::web::Bytes;
use async_trait::async_trait;
use countersign::{SmsAccepted, SmsCallback, SmsCallbackError, SmsFailure, SmsMessage, SmsReceipt, SmsTransport};
use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderValue, Method};
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use crate::engine::{SmsDelivery, UnixMillis};
use crate::errors::Service;
use crate::sigv4::Received;
use crate::wire::time::at_ms;

/// The key of the recorded requests and of the public signature test suite.
pub(crate) const EXAMPLE_KEY: &str = "AKIDEXAMPLE";
/// Its secret.
pub(crate) const EXAMPLE_SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// Signs requests the way clients do.
pub(crate) struct Signer {
    pub(crate) key: String,
    pub(crate) secret: String,
    pub(crate) session_token: Option<String>,
    pub(crate) region: String,
    pub(crate) service: Service,
}

impl Signer {
    pub(crate) fn new(service: Service) -> Self {
        Self {
            key: EXAMPLE_KEY.into(),
            secret: EXAMPLE_SECRET.into(),
            session_token: None,
            region: "us-east-1".into(),
            service,
        }
    }

    /// A signed POST of a form.
    pub(crate) fn sign(&self, form: &str, now: UnixMillis) -> Received {
        let stamp = at_ms(now.0).format("%Y%m%dT%H%M%SZ").to_string();
        let mut headers = vec![
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8".to_owned()),
            ("host", "127.0.0.1:4599".to_owned()),
            ("x-amz-date", stamp.clone()),
        ];
        if let Some(token) = &self.session_token {
            headers.push(("x-amz-security-token", token.clone()));
        }
        let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let canonical = format!("POST\n/\n\n{lines}\n{names}\n{}", hash(form.as_bytes()));
        let (scope, signature) = self.signature(&canonical, &stamp);
        let authorization =
            format!("AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}", self.key);
        headers.push(("authorization", authorization));
        let headers =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap()));
        Received {
            method: Method::POST,
            uri: "/".parse().unwrap(),
            headers: headers.collect(),
            body: Bytes::from(form.to_owned()),
        }
    }

    fn signature(&self, canonical: &str, stamp: &str) -> (String, String) {
        let scope = format!("{}/{}/{}/aws4_request", &stamp[..8], self.region, self.service.name());
        let to_sign = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", hash(canonical.as_bytes()));
        let mut key = format!("AWS4{}", self.secret).into_bytes();
        for part in scope.split('/') {
            key = keyed(&key, part);
        }
        (scope, HEXLOWER.encode(&keyed(&key, &to_sign)))
    }
}

fn hash(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}

fn keyed(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// The recorded requests of the AWS CLI and boto3: file name, request, time of recording.
///
/// They lie beside the workspace; where they are absent, the test that wants them says so and passes.
pub(crate) fn recorded_requests() -> Option<Vec<(String, Received, UnixMillis)>> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/fixtures/aws-clients");
    let mut requests = Vec::new();
    for folder in ["aws", "aws-extra"] {
        let Ok(files) = std::fs::read_dir(format!("{root}/{folder}")) else {
            assert!(std::env::var_os("CI").is_none(), "the recorded requests are absent");
            eprintln!("skipped: no recorded requests at {root}");
            return None;
        };
        for file in files {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            let (request, at) = parse_recorded(&text);
            requests.push((name, request, at));
        }
    }
    Some(requests)
}

fn parse_recorded(text: &str) -> (Received, UnixMillis) {
    let text = text.replace("\r\n", "\n");
    let (request, _answer) = text.split_once("\n\n--- response").unwrap();
    let (head, body) = request.split_once("\n\n").unwrap();
    let mut headers = HeaderMap::new();
    for line in head.lines().skip(1) {
        let (name, value) = line.split_once(": ").unwrap();
        let name: http::HeaderName = name.parse().unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    let date = headers["x-amz-date"].to_str().unwrap();
    let date = chrono::NaiveDateTime::parse_from_str(date, "%Y%m%dT%H%M%SZ").unwrap();
    let at = UnixMillis(u64::try_from(date.and_utc().timestamp_millis()).unwrap());
    let body = Bytes::from(body.to_owned());
    (Received { method: Method::POST, uri: "/".parse().unwrap(), headers, body }, at)
}

/// A six-digit code of a seed at a time step (RFC 4226), computed apart from the engine.
pub(crate) fn code(seed: &[u8], step: u64) -> String {
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(seed).unwrap();
    mac.update(&step.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let at = usize::from(digest[19] & 15);
    let number = u32::from_be_bytes(digest[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

/// The text of the first element of a name in an answer.
pub(crate) fn text_of(xml: &str, element: &str) -> Option<String> {
    let document = roxmltree::Document::parse(xml).unwrap();
    let node = document.descendants().find(|node| node.tag_name().name() == element)?;
    Some(node.text().unwrap_or_default().to_owned())
}

/// A gateway that answers as it is told. The first message that it takes is `SM1`.
pub(crate) struct FakeGateway {
    answer: Mutex<Result<(), SmsFailure>>,
    codes: watch::Sender<Vec<String>>,
}

impl FakeGateway {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { answer: Mutex::new(Ok(())), codes: watch::Sender::default() })
    }

    pub(crate) fn says(&self, answer: Result<(), SmsFailure>) {
        *self.answer.lock().unwrap() = answer;
    }

    /// The code that was handed over last.
    pub(crate) fn code(&self) -> String {
        self.codes.borrow().last().unwrap().clone()
    }

    /// Waits until it took so many.
    pub(crate) async fn has_taken(&self, count: usize) {
        let mut codes = self.codes.subscribe();
        let taken = codes.wait_for(|codes| codes.len() >= count);
        assert!(tokio::time::timeout(Duration::from_secs(20), taken).await.is_ok(), "nothing was handed over");
    }
}

#[async_trait]
impl SmsTransport for FakeGateway {
    async fn submit(&self, message: SmsMessage) -> Result<SmsAccepted, SmsFailure> {
        (*self.answer.lock().unwrap())?;
        let code = message.code.expose().to_owned();
        self.codes.send_modify(|codes| codes.push(code));
        Ok(SmsAccepted { message_id: Some(format!("SM{}", self.codes.borrow().len())) })
    }

    /// A report is a name and a word; its signature is the address that it was sent to.
    fn callback(&self, callback: &SmsCallback<'_>) -> Result<Option<SmsReceipt>, SmsCallbackError> {
        if callback.header("x-signature") != Some(callback.url) {
            return Err(SmsCallbackError::Signature);
        }
        let body = std::str::from_utf8(callback.body).map_err(|_| SmsCallbackError::Malformed)?;
        let delivery = match body.split_once(' ').ok_or(SmsCallbackError::Malformed)?.1 {
            "delivered" => SmsDelivery::Delivered,
            "lost" => SmsDelivery::Undeliverable,
            "late" => return Err(SmsCallbackError::Stale),
            _ => return Ok(None),
        };
        Ok(Some(SmsReceipt { message_id: body.split(' ').next().unwrap().to_owned(), delivery }))
    }
}
