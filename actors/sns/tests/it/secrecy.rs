//! Keys, texts, codes and numbers show in no line of the log, at any level, and in no `Debug`.

use std::io::Write;
use std::sync::{Arc, Mutex};

use tracing_subscriber::fmt::MakeWriter;

use crate::stub::{Play, Stub, answer};
use crate::support::{CODE, KEY_ID, NUMBER, SECRET, TEXT, config, impatient, message_to, sns, submit};

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
    for secret in [KEY_ID, SECRET, CODE, NUMBER, &NUMBER[1..], TEXT] {
        assert!(!text.contains(secret), "{secret} shows in {text}");
    }
}

#[test]
fn the_log_shows_no_secret() {
    let lines = Lines::default();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(lines.clone()).finish();
    let echo = format!(
        "<ErrorResponse><Error><Code>{NUMBER}</Code><Message>{TEXT} {NUMBER}</Message></Error></ErrorResponse>"
    );
    let plays = [
        answer("200 OK", "", &echo),
        answer("400 Bad Request", "", &echo),
        answer("403 Forbidden", "", &echo),
        answer("500 Internal Server Error", "", &echo),
        Play::CutOff(echo.into_bytes()),
        Play::Silence,
    ];
    tracing::subscriber::with_default(subscriber, || {
        for play in plays {
            let stub = Stub::playing(play);
            if let Err(failure) = submit(&*sns(&stub.url(), impatient())) {
                assert_clean(&format!("{failure:?} {failure}"));
            }
        }
    });
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("SNS did not take a message"), "{text}");
    assert_clean(&text);
}

#[test]
fn debug_shows_no_secret() {
    let config = config("http://localhost", impatient());
    let transport = sns("http://localhost", impatient());
    assert_clean(&format!("{config:?} {:?} {transport:?} {:?}", config.credentials, message_to(NUMBER)));
}
