//! A whole node on one thread, in simulated time, with everything going wrong that a seed says.
//!
//! The node is the engine itself: registry, principals, writer, projections and senders. Its tasks run one by one, the
//! clock is tokio's paused one, the disk is a journal in memory that fails, is slow, and leaves the image of a crash at any
//! operation, and the gateways lose, delay, repeat and report. A seed and a commit are a run.
//!
//! First things go wrong, and what must never happen is looked for at every step; now and then everything works for a
//! while, and what waits has to arrive; at last nothing fails any more, and what must happen has to.
//!
//! Where the line is: what is simulated is the engine on the journal's own code, on its own actor library. Sealed bytes,
//! the hashes over them, the ids that commands are remembered by and the challenges of security keys differ from run to
//! run, because the store's keys, its root and nonces, and the library of keys take them from the operating system whatever
//! anybody says; nothing decides on them. The files below a journal and the threads of the real engine are not in it: other
//! tests have them.
//!
//! ```sh
//! COUNTERSIGN_CASES=5000 cargo nextest run -p countersign-tests node::
//! COUNTERSIGN_SEED=1234 COUNTERSIGN_CASES=1 COUNTERSIGN_TRACE=1 cargo nextest run -p countersign-tests node::
//! COUNTERSIGN_TWICE=200 cargo nextest run -p countersign-tests node::a_seed_is_a_run
//! ```

mod chance;
mod deed;
mod gate;
mod life;
mod people;
mod planted;
mod play;
mod rest;
mod setback;
mod watch;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

use play::{Outcome, Play};

/// Seeds of an everyday run.
const EVERYDAY: u64 = 200;

/// What an everyday run has to reach, as its traces and its logs say it.
const WANTED: &[&str] = &[
    "\"died\"",
    "\"the node stopped\"",
    "Proof(Accepted)",
    "Proof(Refused(Wrong))",
    "Locked",
    "Step(SignedIn",
    "Err(Error(Busy))",
    "Err(Error(Interrupted))",
    "DeviceResynced",
    "SmsSubmitted",
    "SmsSubmitFailed",
    "SmsReported",
    "SmsCodeAccepted",
    "SmsDropped",
    "KeyRegistered",
    "KeyAccepted",
    "PrincipalRemoved",
    "PrincipalForgotten",
];

/// What a run of so many times as many seeds has to reach as well.
const LONGER: u64 = 5;
const WANTED_LONGER: &[&str] = &["KeyRefused", "SmsRedriven", "by: AlternativeFactors"];

/// A seed failed: the other part of the seeds need not go on.
static FOUND: AtomicBool = AtomicBool::new(false);

fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

/// A run of a seed on a machine of its own.
fn run(seed: u64) -> Outcome {
    simulated(Play::through(seed))
}

/// Something in simulated time.
fn simulated<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(work)
}

/// A part of the seeds: so many, or as many as `COUNTERSIGN_CASES` says, from `COUNTERSIGN_SEED` on.
fn campaign(part: u64, parts: u64) {
    let first = number_of("COUNTERSIGN_SEED").unwrap_or(0);
    let seeds = first..first + number_of("COUNTERSIGN_CASES").unwrap_or(EVERYDAY);
    let many = seeds.end - seeds.start;
    let longer = if many >= LONGER * EVERYDAY { WANTED_LONGER } else { &[] };
    let mut missing = [WANTED, longer].concat();
    for seed in seeds.filter(|seed| seed % parts == part) {
        if FOUND.load(Ordering::Relaxed) {
            return;
        }
        match catch_unwind(AssertUnwindSafe(|| run(seed))) {
            Ok(Outcome { trace, entered, .. }) => {
                missing.retain(|wanted| !trace.contains(wanted) && !entered.contains(wanted));
            }
            Err(cause) => {
                FOUND.store(true, Ordering::Relaxed);
                eprintln!("the seed is {seed}");
                resume_unwind(cause);
            }
        }
    }
    assert!(many < EVERYDAY || missing.is_empty(), "no seed has {missing:?}");
}

#[test]
fn whatever_goes_wrong_even() {
    campaign(0, 2);
}

#[test]
fn whatever_goes_wrong_odd() {
    campaign(1, 2);
}

#[test]
fn a_seed_is_a_run() {
    for seed in 0..number_of("COUNTERSIGN_TWICE").unwrap_or(12) {
        let (first, second) = (run(seed), run(seed));
        let differ = first.entered.lines().zip(second.entered.lines()).find(|(one, other)| one != other);
        assert_eq!(differ, None, "seed {seed}");
        let differ = first.trace.lines().zip(second.trace.lines()).find(|(one, other)| one != other);
        assert_eq!(differ, None, "seed {seed}");
        assert_eq!(first, second, "seed {seed}");
        assert!(first.entries > 8, "seed {seed} does nothing");
    }
}
