//! No code and no whole number is in a file of the store, in a log line, or in what `Debug` says.

use std::io::Write;
use std::sync::{Arc, Mutex};

use countersign::*;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;

use super::gateway::{Gateway, Reply};
use super::stage::{End, Medium, Stage, clock, number};
use crate::door::{is_in, other_than, proven, refused_step};
use crate::support::{events, operator};

use Reply::{Fail, Take, TakeLater, TakeSilently};

/// Everything that is logged in this process.
#[derive(Clone, Default)]
pub struct Lines(pub Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

pub fn listen() -> Lines {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(FmtSpan::FULL)
        .with_ansi(false)
        .without_time()
        .with_writer(lines.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    lines
}

/// Whether a text has these digits, and not as a part of longer ones or of an id.
pub fn has(text: &str, digits: &str) -> bool {
    let apart = |character: Option<char>| !character.is_some_and(|character| character.is_ascii_alphanumeric());
    text.match_indices(digits)
        .any(|(at, _)| apart(text[..at].chars().next_back()) && apart(text[at + digits.len()..].chars().next()))
}

/// What must be nowhere: the codes, and the numbers in every spelling.
struct Canaries {
    codes: Vec<String>,
    numbers: Vec<String>,
}

impl Canaries {
    fn of(gateway: &Gateway) -> Self {
        let asked = gateway.asked();
        let codes = asked.iter().map(|asked| asked.code.clone()).collect();
        // Without the country, too.
        let numbers = asked.iter().map(|asked| asked.to.trim_start_matches("+1").to_owned()).collect();
        Self { codes, numbers }
    }

    fn not_in_text(&self, of: &str, text: &str) {
        for line in text.lines() {
            let told = self.codes.iter().any(|code| has(line, code)) || self.numbers.iter().any(|to| line.contains(to));
            assert!(!told, "{of}: {line}");
        }
    }

    fn not_in_bytes(&self, of: &str, bytes: &[u8]) {
        for canary in self.codes.iter().chain(&self.numbers) {
            let found = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
            assert!(!found, "{of} has one");
        }
    }
}

/// Everything that can happen to a code: taken, refused, lost, retried, typed, mistyped, given up, blocked, reported.
async fn everything(stage: &mut Stage, gateway: &Gateway) {
    let (lee, phone) = stage.person("lee", number(7391)).await;
    gateway.next([
        Fail(SmsFailure::Unavailable),
        TakeSilently,
        Take,
        Fail(SmsFailure::InvalidNumber),
        Fail(SmsFailure::Throttled { retry_after: None }),
    ]);
    let (attempt, sent) = stage.awaited(&lee, &phone).await;
    stage.run_until("taken", || stage.state(sent.challenge) == SmsState::Taken).await;
    let code = stage.code_of(sent.challenge).unwrap();
    assert!(refused_step(&stage.type_code(&lee, attempt, &phone, other_than(&code)).await.unwrap()));
    assert!(is_in(&stage.type_code(&lee, attempt, &phone, code).await.unwrap()));
    gateway.report(&gateway.asked_of(sent.challenge).last().unwrap().name, SmsDelivery::Delivered);
    gateway.report("nobody", SmsDelivery::Delivered);
    stage.pass_s(30).await;
    let (_, refused) = stage.awaited(&lee, &phone).await;
    stage.run_until("given up", || stage.state(refused.challenge).is_given_up()).await;
    stage.engine.redrive_sms(operator(), &lee, refused.challenge).await.unwrap();
    gateway.next([TakeLater]);
    stage.pass_s(20).await;
    for end in [End::Killed, End::Dropped, End::Closed] {
        stage.reopen(end).await;
        stage.pass_s(40).await;
    }
    // Codes that never come back, until the alarm goes off.
    let last = stage.user("last").await;
    for nth in 0.. {
        match stage.engine.begin_sms_enrolment(proven(&last), &last, number(8000 + nth)).await {
            Ok(begun) => {
                let challenge = begun.value.challenge;
                stage.run_until("taken", || stage.state(challenge) == SmsState::Taken).await;
                stage.pass_s(300).await;
            }
            Err(error) => {
                assert!(nth > 0 && matches!(error.rejection(), Some(Rejection::PrefixBlocked { .. })), "{error}");
                break;
            }
        }
    }
    let premium = PhoneNumber::parse("+19002345678").unwrap();
    let _refused = stage.engine.begin_sms_enrolment(proven(&last), &last, premium).await.unwrap_err();
}

#[tokio::test]
async fn no_code_and_no_number_is_in_a_file_a_log_line_or_a_debug_text() {
    let lines = listen();
    let clock = clock();
    let gateway = Gateway::new("main", &clock);
    let policy = Policy { sms_conversion_sample: 6, sms_conversion_min_percent: 90, ..Policy::classic() };
    let routes = vec![gateway.route()];
    let mut stage = Stage::on(Medium::directory(), policy, &clock, (vec![gateway.clone()], routes)).await;
    everything(&mut stage, &gateway).await;

    let canaries = Canaries::of(&gateway);
    assert!(canaries.codes.len() > 8);
    let debugged = [
        format!("{:?}", stage.engine),
        format!("{:?}", stage.engine.sms_messages(stage.account, false, 100)),
        format!("{:?}", stage.engine.sms_report(None)),
        format!("{:?}", stage.engine.devices(&stage.principal("lee"))),
        format!("{:?}", stage.routes),
        format!("{:?}", events(&*stage.journal)),
    ];
    debugged.iter().for_each(|text| canaries.not_in_text("a debug text", text));
    gateway.debugged().iter().for_each(|text| canaries.not_in_text("a debug text of a message", text));
    let logged = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    for wanted in ["a code was not handed over", "too few codes"] {
        assert!(logged.contains(wanted), "nothing was logged of it: {wanted}");
    }
    canaries.not_in_text("a log line", &logged);

    stage.reopen(End::Closed).await;
    let files = stage.files();
    assert!(files.iter().map(|(_, content)| content.len()).sum::<usize>() > 10_000);
    for (path, content) in files {
        canaries.not_in_bytes(&path.display().to_string(), &content);
    }

    // The looking would find one.
    let (code, to) = (&canaries.codes[0], &canaries.numbers[0]);
    assert!(has(&format!("code={code}"), code) && !has(&format!("a{code}"), code));
    let found = std::panic::catch_unwind(|| canaries.not_in_bytes("this", format!("..{to}..").as_bytes()));
    assert!(found.is_err());
}
