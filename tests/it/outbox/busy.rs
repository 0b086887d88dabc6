//! Senders beside an engine that has its hands full: nothing is skipped, and nothing stands still.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use countersign::*;
use tokio::task::JoinSet;

use super::gateway::Reply;
use super::stage::{Stage, limits, number};
use crate::door::{at_console, proven};

/// People who sign in over and over, all at once.
const CROWD: usize = 64;
/// Commands that the engine takes at once; so there is never a place left.
const PLACES: u32 = 16;
/// Sign-ins that are begun after a code is late, for the engine to be alive.
const ALIVE: usize = 500;

/// A code ends while every place is taken. The engine has to go on; once it stood still for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_that_ends_while_the_engine_is_full_holds_up_nobody() {
    let limits = Limits { in_flight_max: PLACES, ..limits() };
    let (stage, gateway) = Stage::with_limits(Policy::classic(), limits).await;
    gateway.always(Reply::Fail(SmsFailure::Unavailable));
    let lee = stage.user("lee").await;
    let (done, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let mut crowd = JoinSet::new();
    for _ in 0..CROWD {
        let (engine, lee, done, stop) = (stage.engine.clone(), lee.clone(), Arc::clone(&done), Arc::clone(&stop));
        crowd.spawn(async move {
            while !stop.load(Ordering::SeqCst) {
                match engine.begin_sign_in(at_console(&lee), &lee).await {
                    Ok(_) => drop(done.fetch_add(1, Ordering::SeqCst)),
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        });
    }
    let begun = loop {
        // There may be no place for this one either.
        if let Ok(begun) = stage.engine.begin_sms_enrolment(proven(&lee), &lee, number(1)).await {
            break begun.value;
        }
        tokio::task::yield_now().await;
    };
    for round in 1..=3 {
        stage.clock.hands().advance_s(301);
        let before = done.load(Ordering::SeqCst);
        stage.soon(&format!("sign-ins, {round}"), || done.load(Ordering::SeqCst) > before + ALIVE).await;
    }
    let dropped = SmsState::Dropped(SmsDropReason::Expired);
    stage.soon("given up", || stage.state(begun.challenge) == dropped).await;
    stop.store(true, Ordering::SeqCst);
    crowd.join_all().await;
}

/// The head of the log is visible a moment before the views know of it. Somebody who looks at the views all the time makes
/// that moment long; senders once passed over what was in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_code_is_passed_over_while_somebody_looks_at_the_page_all_the_time() {
    const CODES: usize = 1000;
    let policy = Policy {
        sms_prefix_max: u32::MAX,
        sms_country_max: u32::MAX,
        sms_account_max: u32::MAX,
        sms_conversion_min_percent: 0,
        ..Policy::classic()
    };
    let (stage, gateway) = Stage::with_one(policy).await;
    let stop = Arc::new(AtomicBool::new(false));
    let looker = {
        let (engine, account, stop) = (stage.engine.clone(), stage.account, Arc::clone(&stop));
        std::thread::spawn(move || {
            while !stop.load(Ordering::SeqCst) {
                std::hint::black_box(engine.sms_messages(account, true, 10));
            }
        })
    };
    let mut crowd = JoinSet::new();
    for part in 0..8 {
        let mut people = Vec::new();
        for nth in 0..CODES / 8 {
            people.push((stage.user(&format!("user{part}-{nth}")).await, number(part * CODES / 8 + nth)));
        }
        let engine = stage.engine.clone();
        crowd.spawn(async move {
            for (who, number) in people {
                engine.begin_sms_enrolment(proven(&who), &who, number).await.unwrap();
            }
        });
    }
    crowd.join_all().await;
    stop.store(true, Ordering::SeqCst);
    looker.join().unwrap();
    stage.run_until("every code", || gateway.times() >= CODES).await;
    assert_eq!(gateway.times(), CODES);
}
