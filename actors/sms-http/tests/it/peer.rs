//! Twilio's transport and a program in another language, whose reports Twilio's own library signs.

use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use countersign::{PhoneNumber, SmsAccepted, SmsCallback, SmsCallbackError, SmsDelivery, SmsFailure, SmsReceipt};
use countersign::{SmsTransport, UnixMillis};
use countersign_sms_http::twilio::{TwilioConfig, TwilioSender, TwilioTransport};
use serde_json::Value;

use crate::stub::{Stub, answer};
use crate::support::{ACCOUNT, TEXT, TOKEN, impatient, message};

/// The program; it ends with its value.
struct Peer {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Peer {
    /// Starts it with the Python that has the package twilio, and tells its address.
    fn start() -> (Self, String) {
        let python =
            std::env::var("COUNTERSIGN_PYTHON").expect("COUNTERSIGN_PYTHON is a Python with the package twilio");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/peers/sms_http/twilio_stub.py");
        let mut command = Command::new(python);
        command.arg(script).args(["--account", ACCOUNT, "--token", TOKEN]);
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut peer = Self { process, lines };
        let ready = peer.lines.next().unwrap().unwrap();
        let url = format!("http://127.0.0.1:{}", ready.strip_prefix("READY ").unwrap());
        (peer, url)
    }

    /// What it says next.
    fn next(&mut self) -> Value {
        serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

struct Story {
    peer: Peer,
    transport: std::sync::Arc<TwilioTransport>,
    reports: Stub,
}

impl Story {
    fn submit(&self, number: &str) -> Result<SmsAccepted, SmsFailure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let message = countersign::SmsMessage { to: PhoneNumber::parse(number).unwrap(), ..message() };
        runtime.block_on(self.transport.submit(message))
    }

    /// Sends to a number, waits until so many reports were made, and reads them.
    fn reported(&mut self, number: &str, count: usize) -> Vec<Result<Option<SmsReceipt>, SmsCallbackError>> {
        let before = self.reports.seen().len();
        let sid = self.submit(number).unwrap().message_id.unwrap();
        let taken = self.peer.next();
        assert_eq!((taken["sid"].as_str(), taken["body"].as_str()), (Some(sid.as_str()), Some(TEXT)));
        assert_eq!((taken["to"].as_str(), taken["validity_s"].as_u64()), (Some(number), Some(120)));
        for _ in 0..count {
            let made = self.peer.next();
            let said = (made["event"].as_str(), made["signer"].as_str(), made["answer"].as_u64());
            assert_eq!(said, (Some("callback"), Some("twilio"), Some(204)), "{made}");
        }
        let seen = self.reports.seen().split_off(before);
        let read = |seen: &crate::stub::Seen| {
            let headers: Vec<_> = seen.head.lines().filter_map(|line| line.split_once(": ")).collect();
            let path = seen.line().split(' ').nth(1).unwrap();
            let url = format!("http://{}{path}", seen.header("host").unwrap());
            let callback = SmsCallback { url: &url, headers: &headers, body: &seen.body, now: UnixMillis(0) };
            self.transport.callback(&callback)
        };
        seen.iter().map(read).collect()
    }
}

#[test]
#[ignore = "needs a Python with the package twilio, and its path in COUNTERSIGN_PYTHON"]
fn messages_and_reports_pass_between_two_languages() {
    let (peer, base_url) = Peer::start();
    let reports = Stub::playing(answer("204 No Content", "", ""));
    let status_callback = Some(format!("{}/sms/status/twilio?a=1&b=%20", reports.url()));
    let sender = TwilioSender::From("+14155552345".to_owned());
    let base = TwilioConfig::new(ACCOUNT, TOKEN, sender);
    let config = TwilioConfig { base_url, status_callback, max_price_micros: Some(75_000), http: impatient(), ..base };
    let transport = TwilioTransport::new(config).unwrap();
    let mut story = Story { peer, transport, reports };

    let receipt = |sid: u32, delivery| Ok(Some(SmsReceipt { message_id: format!("SM{sid:032x}"), delivery }));
    let both = |sid| [receipt(sid, SmsDelivery::Enroute), receipt(sid, SmsDelivery::Delivered)];
    assert_eq!(story.reported("+14155550100", 2), both(1));
    assert_eq!(story.reported("+14155550159", 2), [const { Err(SmsCallbackError::Signature) }; 2]);
    let [sent, delivered] = both(3);
    assert_eq!(story.reported("+14155550160", 4), [sent.clone(), sent, delivered.clone(), delivered]);

    let throttled = SmsFailure::Throttled { retry_after: Some(Duration::from_secs(1)) };
    let refusals = [
        ("+14155550153", throttled),
        ("+14155550154", SmsFailure::Unknown),
        ("+14155550155", SmsFailure::Unknown),
        ("+14155550157", SmsFailure::InvalidNumber),
        ("+14155550158", SmsFailure::OptedOut),
    ];
    for (number, expected) in refusals {
        assert_eq!(story.submit(number), Err(expected), "{number}");
        let said = story.peer.next();
        let taken = matches!(expected, SmsFailure::Unknown);
        assert_eq!(said["event"], if taken { "message" } else { "refused" }, "{said}");
    }
    assert_eq!(story.reported("+14155550153", 2).len(), 2);
}
