//! Tokens, texts, codes and numbers show in no line of the log, at any level, and in no `Debug`.

use std::io::Write;
use std::sync::{Arc, Mutex};

use countersign::{SmsCallback, SmsTransport, UnixMillis};
use countersign_sms_http::http::HttpOptions;
use countersign_sms_http::twilio::{TwilioConfig, TwilioSender};
use countersign_sms_http::webhook::WebhookConfig;
use data_encoding::BASE64;
use tracing_subscriber::fmt::MakeWriter;

use crate::stub::{Play, Stub, answer};
use crate::support::{ACCOUNT, CODE, NUMBER, SECRET, TEXT, TOKEN, impatient, message, submit, twilio, webhook};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn assert_clean(text: &str) {
    let basic = BASE64.encode(format!("{ACCOUNT}:{TOKEN}").as_bytes());
    let secrets =
        [TOKEN, &TOKEN[..16], ACCOUNT, CODE, NUMBER, &NUMBER[1..], TEXT, SECRET, &SECRET[6..], &basic, "4155552345"];
    for secret in secrets {
        assert!(!text.contains(secret), "{secret} shows in {text}");
    }
}

#[test]
fn the_log_shows_no_secret() {
    let lines = Lines::default();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(lines.clone()).finish();
    let echo = format!(r#"{{"code":21602,"message":"{NUMBER} {TEXT} {TOKEN}","reason":"{NUMBER}","sid":"{NUMBER}"}}"#);
    let plays = [
        answer("201 Created", "", &echo),
        answer("400 Bad Request", "", &echo),
        answer("401 Unauthorized", &format!("www-authenticate: {TOKEN}\r\n"), &echo),
        answer("500 Internal Server Error", "", &echo),
        Play::CutOff(echo.into_bytes()),
        Play::Silence,
    ];
    tracing::subscriber::with_default(subscriber, || {
        for play in plays {
            let stub = Stub::playing(play);
            let outcomes = [submit(&*twilio(&stub.url(), impatient())), submit(&*webhook(&stub.url(), impatient()))];
            for failure in outcomes.into_iter().filter_map(Result::err) {
                assert_clean(&format!("{failure:?} {failure}"));
            }
        }
        let body = format!("Body={TEXT}&To={NUMBER}");
        let headers: &[(&str, &str)] = &[("x-twilio-signature", TOKEN), ("webhook-signature", TOKEN)];
        let callback = SmsCallback { url: TOKEN, headers, body: body.as_bytes(), now: UnixMillis(0) };
        assert!(twilio("http://localhost", impatient()).callback(&callback).is_err());
        assert!(webhook("http://localhost", impatient()).callback(&callback).is_err());
        assert_clean(&format!("{callback:?}"));
    });
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("did not take a message"), "{text}");
    assert_clean(&text);
}

#[test]
fn debug_shows_no_secret() {
    let options = HttpOptions { proxy: Some(format!("http://name:{TOKEN}@localhost")), ..impatient() };
    let sender = TwilioSender::From("+14155552345".to_owned());
    let config = TwilioConfig { http: options.clone(), ..TwilioConfig::new(ACCOUNT, TOKEN, sender.clone()) };
    let hook =
        WebhookConfig { http: options.clone(), ..WebhookConfig::new(format!("https://a.example/{TOKEN}"), SECRET) };
    let (one, two) = (twilio("http://localhost", impatient()), webhook("http://localhost", impatient()));
    assert_clean(&format!("{config:?} {hook:?} {options:?} {sender:?} {one:?} {two:?} {:#?}", message()));
}
