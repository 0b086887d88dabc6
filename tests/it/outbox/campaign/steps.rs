//! Scripts: what a seed stands for.

use std::time::Duration;

use countersign::testing::Dice;
use countersign::{SmsDelivery, SmsFailure};

use crate::outbox::gateway::Reply;
use crate::outbox::stage::End;

/// One step of a script. People, codes and gateways are numbers that are resolved when the step is taken.
#[derive(Clone, Debug)]
pub enum Step {
    /// Somebody signs in and asks for a code.
    SignIn(u64),
    /// Somebody asks for another code, in the same sign-in.
    Another(u64),
    /// Somebody types a code that was sent to them: the newest, an older one, or a wrong one.
    Type {
        who: u64,
        older: u64,
        wrong: bool,
    },
    /// Somebody enrols the number that they have.
    Enrol(u64),
    /// A new password.
    EndSignIns(u64),
    TakePhone(u64),
    Remove(u64),
    /// What was given up is to be sent after all.
    Redrive(u64),
    /// A gateway changes: one reply to all, or one of some at random.
    Gateway {
        which: u64,
        replies: Vec<Reply>,
    },
    /// Answers that were held back come.
    Release,
    /// A gateway reports on some message that it took, or on none.
    Report {
        which: u64,
        message: u64,
        delivery: SmsDelivery,
        foreign: bool,
    },
    /// Time goes on.
    Pass(u64),
    /// Time goes on to the next thing that is due.
    Jump,
    /// Everything that can happen now does.
    Settle,
    /// The medium fails at a commit to come, before or after it is written.
    Fault {
        skip: u32,
        after: bool,
    },
    /// The engine ends, and another one begins after some time.
    End(End, u64),
}

const FAILURES: [SmsFailure; 6] = [
    SmsFailure::Unavailable,
    SmsFailure::Throttled { retry_after: None },
    SmsFailure::Throttled { retry_after: Some(Duration::from_secs(4)) },
    SmsFailure::Unknown,
    SmsFailure::InvalidNumber,
    SmsFailure::Refused,
];

fn reply(dice: &mut Dice) -> Reply {
    match dice.below(12) {
        0..4 => Reply::Take,
        4 => Reply::TakeNameless,
        5 => Reply::TakeSilently,
        6 => Reply::TakeLater,
        7 => Reply::Hang,
        8 | 9 => Reply::Fail(SmsFailure::Unavailable),
        _ => Reply::Fail(dice.pick(&FAILURES)),
    }
}

/// The script of a seed.
pub fn script(dice: &mut Dice) -> Vec<Step> {
    let length = 20 + dice.below(50);
    let mut steps = Vec::new();
    while steps.len() < length as usize {
        if dice.one_in(20) {
            steps.extend(repaired(dice));
        } else {
            steps.push(step(dice));
        }
    }
    steps
}

/// Somebody repairs the gateways, and sees to what could not be sent.
fn repaired(dice: &mut Dice) -> Vec<Step> {
    let take = |which| Step::Gateway { which, replies: vec![Reply::Take] };
    vec![take(0), take(1), Step::Redrive(dice.roll()), Step::Settle, Step::Jump]
}

fn step(dice: &mut Dice) -> Step {
    let who = dice.roll();
    match dice.below(100) {
        0..20 => Step::SignIn(who),
        20..26 => Step::Another(who),
        26..36 => Step::Type { who, older: dice.below(3), wrong: dice.one_in(4) },
        36..39 => Step::Enrol(who),
        39..41 => Step::EndSignIns(who),
        41..43 => Step::TakePhone(who),
        43 => Step::Remove(who),
        44..50 => Step::Redrive(who),
        50..59 => {
            let some = 1 + dice.below(4);
            Step::Gateway { which: dice.below(2), replies: (0..some).map(|_| reply(dice)).collect() }
        }
        59..62 => Step::Release,
        62..69 => Step::Report {
            which: dice.below(2),
            message: who,
            delivery: dice.pick(SmsDelivery::ALL),
            foreign: dice.one_in(6),
        },
        69..76 => Step::Pass(dice.pick(&[1, 300, 2_000, 15_000, 45_000])),
        76..84 => Step::Jump,
        84..90 => Step::Settle,
        90..95 => Step::Fault { skip: dice.below(8) as u32, after: dice.one_in(2) },
        _ => {
            let end = dice.pick(&[End::Closed, End::Dropped, End::Killed]);
            Step::End(end, dice.pick(&[0, 0, 0, 5_000, 60_000, 400_000]))
        }
    }
}
