//! Crashes at every step between the decision and the receipt, in thousands of random histories.
//!
//! A seed is a script: what people do, what gateways answer, when the medium fails, when the engine ends and how. At the
//! end everything works again and comes to rest; then the [`ledger`] is held against what the gateways saw, against what
//! the engine shows, and against itself.
//!
//! An everyday run takes some hundred seeds. For thousands, on both media:
//!
//! ```sh
//! COUNTERSIGN_CASES=5000 cargo nextest run -p countersign-tests campaign
//! COUNTERSIGN_SEED=1234 COUNTERSIGN_CASES=1 cargo nextest run -p countersign-tests campaign::in_memory
//! ```

pub mod ledger;
pub mod play;
pub mod steps;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use countersign::store::MemoryBackend;

use countersign::testing::Dice;
use countersign::{SmsDelivery, SmsFailure};

use super::gateway::Reply;
use super::stage::Medium;
use crate::support::block_on;
use play::{Play, Reached};
use steps::Step;

/// Seeds of an everyday run.
const EVERYDAY: u64 = 200;
const EVERYDAY_ON_SLED: u64 = 24;

/// What an everyday run has to reach.
const WANTED: &[&str] = &[
    "Closed",
    "Dropped",
    "Killed",
    "ended by the medium",
    "Taken",
    "Reported(Delivered)",
    "Dropped(Expired)",
    "Dropped(Void)",
    "Dropped(Unknown)",
    "a try of unknown outcome",
    "a second try after that",
    "used",
];
/// What a run of a thousand seeds has to reach besides.
const RARE: &[&str] = &["Dropped(Refused)", "Dropped(SubmitsSpent)", "sent after all"];

fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

/// A part of the seeds of a run: so many, or as many as `COUNTERSIGN_CASES` says, from `COUNTERSIGN_SEED` on.
fn campaign(everyday: u64, (part, parts): (u64, u64), medium: impl Fn() -> Medium) {
    let first = number_of("COUNTERSIGN_SEED").unwrap_or(0);
    let seeds = first..first + number_of("COUNTERSIGN_CASES").unwrap_or(everyday);
    let many = seeds.end - seeds.start;
    let wanted = WANTED.iter().filter(|_| many >= EVERYDAY).chain(RARE.iter().filter(|_| many >= 1000));
    let mut reached = Reached::new();
    for seed in seeds.filter(|seed| seed % parts == part) {
        let played = catch_unwind(AssertUnwindSafe(|| block_on(Play::through(seed, medium()))));
        match played {
            Ok(more) => more.into_iter().for_each(|(what, times)| *reached.entry(what).or_default() += times),
            Err(cause) => {
                eprintln!("the seed is {seed}");
                resume_unwind(cause);
            }
        }
    }
    eprintln!("{reached:#?}");
    let missing: Vec<&&str> = wanted.filter(|what| reached.get(**what).is_none_or(|times| *times == 0)).collect();
    assert!(missing.is_empty(), "no seed has {missing:?}");
}

/// One code that fails, is lost, and arrives: the medium fails at each commit of it, in both ways.
#[test]
fn at_every_commit() {
    use Step::{Fault, Gateway, Jump, Report, Settle, SignIn, Type};
    let gateway = |reply| Gateway { which: 0, replies: vec![reply] };
    for after in [false, true] {
        for skip in 0.. {
            assert!(skip < 1000, "the script has no end");
            let down = gateway(Reply::Fail(SmsFailure::Unavailable));
            let mut steps = vec![down, Fault { skip, after }, SignIn(1), Settle, gateway(Reply::TakeSilently)];
            steps.extend([Jump, Jump, Settle, gateway(Reply::Take), Jump, Jump, Jump, Settle]);
            let delivery = SmsDelivery::Delivered;
            steps.extend((0..3).map(|message| Report { which: 0, message, delivery, foreign: false }));
            steps.extend([Settle, Type { who: 1, older: 0, wrong: false }, Settle]);
            let dice = Dice::new(skip.into());
            let played = catch_unwind(AssertUnwindSafe(|| {
                block_on(Play::of(steps, dice, Medium::Memory(MemoryBackend::new())))
            }));
            let reached = played.unwrap_or_else(|cause| {
                eprintln!("after {skip} commits");
                resume_unwind(cause)
            });
            if !reached.contains_key("ended by the medium") {
                assert!(skip > 20, "too few commits: {skip}");
                break;
            }
        }
    }
}

fn in_memory(part: u64) {
    campaign(EVERYDAY, (part, 2), || Medium::Memory(MemoryBackend::new()));
}

#[test]
fn in_memory_even() {
    in_memory(0);
}

#[test]
fn in_memory_odd() {
    in_memory(1);
}

#[test]
fn on_sled() {
    campaign(EVERYDAY_ON_SLED, (0, 1), Medium::directory);
}
