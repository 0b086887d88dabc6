//! Codes by SMS through the whole engine: from the sign-in page to the receipt, over one SMPP bind.

use std::time::Instant;

use countersign::{
    AccountId, Caller, ChallengeId, Config, Countersign, DeviceName, Limits, Path, PhoneNumber, Policy, PrincipalId,
    Request, SmsDelivery, SmsRoute, SmsState, Transports, UserId,
};
use countersign_smpp::{SmppConfig, SmppTransport};
use tokio::task::JoinSet;

use crate::args::Args;
use crate::report::Report;
use crate::smsc::Smsc;
use crate::{Failure, fresh, machine};

/// Codes of a short and of a full run.
const CODES: (usize, usize) = (2_000, 10_000);
/// Sign-ins that are begun at once.
const AT_ONCE: usize = 256;

/// Prints codes a minute, how long the last receipt took, and the memory that it all took.
pub fn rows(report: &mut Report, args: &Args) -> Result<(), Failure> {
    report.section("sms", "codes to phones: decided, handed over through one SMPP bind, and reported delivered");
    let dir = fresh(&args.dir, "sms")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let smsc = Smsc::start().await?;
        let engine = Countersign::open(&dir, config(smsc.port)?)?;
        let codes = args.pick(CODES.0, CODES.1);
        let people = settle(&engine, codes).await?;
        let (before, began) = (machine::resident_bytes(), Instant::now());
        let asked = ask_all(&engine, people).await?;
        let decided = began.elapsed();
        let mut looks = tokio::time::interval(std::time::Duration::from_millis(20));
        let (mut most, mut waited) = (before, Instant::now());
        loop {
            most = most.max(machine::resident_bytes());
            let delivered = asked.iter().filter(|asked| is_delivered(&engine, **asked)).count();
            if delivered == asked.len() {
                break;
            }
            if waited.elapsed().as_secs() > 120 {
                return Err(format!("{delivered} of {} codes were reported delivered", asked.len()).into());
            }
            looks.tick().await;
            if smsc.taken() < asked.len() {
                waited = Instant::now();
            }
        }
        let all = began.elapsed();
        if smsc.taken() != asked.len() {
            return Err(format!("{} codes were decided on, and {} messages sent", asked.len(), smsc.taken()).into());
        }
        let a_minute = |time: std::time::Duration| asked.len() as f64 * 60.0 / time.as_secs_f64();
        report.row("decided and handed over", a_minute(decided), "codes/min");
        report.row_noting("to the last receipt", a_minute(all), "codes/min", "aim: 10,000");
        report.row("memory that grew", (most - before) / asked.len() as f64 / 1024.0, "KiB/code");
        engine.close().await?;
        Ok(())
    })
}

fn config(port: u16) -> Result<Config, Failure> {
    let smpp = SmppConfig { window: 100, ..SmppConfig::new(format!("smpp://127.0.0.1:{port}"), "bench", "", "Bench") };
    let route =
        SmsRoute { per_second_max: 10_000, in_flight_max: 100, ..SmsRoute::new("smsc", SmppTransport::start(smpp)?) };
    let most = u32::MAX;
    let policy = Policy {
        sms_prefix_max: most,
        sms_country_max: most,
        sms_account_max: most,
        users_per_account_max: most,
        sms_conversion_min_percent: 0,
        ..Policy::classic()
    };
    let transports = Transports { sms: vec![route], ..Transports::default() };
    let limits = Limits { sms_wait: std::time::Duration::ZERO, ..Limits::default() };
    Ok(Config { policy, transports, limits, ..Config::default() })
}

fn operator() -> Request {
    Request::by(Caller::operator())
}

/// People who give a number; each code of the run is one of an enrolment.
async fn settle(engine: &Countersign, count: usize) -> Result<Vec<(PrincipalId, PhoneNumber)>, Failure> {
    let account: AccountId = "123456789012".parse()?;
    engine.open_account(operator(), account, DeviceName::new("root")?).await?;
    let mut people = Vec::with_capacity(count);
    let mut under_way = JoinSet::new();
    for number in 0..count {
        let id = UserId::new(format!("AIDA{number:08}"))?;
        people.push((PrincipalId::User(account, id.clone()), PhoneNumber::parse(&format!("+1415555{number:04}"))?));
        let (engine, name) = (engine.clone(), DeviceName::new(format!("person-{number}"))?);
        under_way.spawn(async move { engine.register_user(operator(), account, id, name, Path::root()).await });
        if under_way.len() >= AT_ONCE {
            under_way.join_next().await.transpose()?.transpose()?;
        }
    }
    while let Some(done) = under_way.join_next().await {
        done??;
    }
    Ok(people)
}

async fn ask_all(engine: &Countersign, people: Vec<(PrincipalId, PhoneNumber)>) -> Result<Vec<ChallengeId>, Failure> {
    let mut asked = Vec::with_capacity(people.len());
    let mut under_way = JoinSet::new();
    for (who, phone) in people {
        let engine = engine.clone();
        under_way.spawn(async move {
            let request = Request::by(Caller::at_console(who.clone(), None));
            engine.begin_sms_enrolment(request, &who, phone).await
        });
        if under_way.len() >= AT_ONCE
            && let Some(sent) = under_way.join_next().await
        {
            asked.push(sent??.value.challenge);
        }
    }
    while let Some(sent) = under_way.join_next().await {
        asked.push(sent??.value.challenge);
    }
    Ok(asked)
}

fn is_delivered(engine: &Countersign, challenge: ChallengeId) -> bool {
    let found = engine.sms_message(challenge);
    found.is_some_and(|message| message.state == SmsState::Reported(SmsDelivery::Delivered))
}
