//! A clock that is set back (A40): what waits for a moment goes on waiting for a moment, and not until the clock is where it
//! was.

use countersign::domain::decide::LEASE_MS_MAX;
use countersign::store::faults::Operation;
use countersign::*;

use super::chance::{Shaker, Swarm, pass_ms};
use super::life::{Life, World};
use super::simulated;
use crate::door::proven;
use crate::outbox::gateway::Reply;
use crate::outbox::stage::number;
use crate::support::{name, narrow, operator};

/// How far the clock is set back: less than any pause, as much as the longest, more than the life of a code, and far.
const BACK_MS: [i64; 5] = [400, 20_000, 119_000, 250_000, 3_600_000];

/// A node with one user.
async fn node() -> (World, Life, PrincipalId) {
    let world = World::new(Shaker::new(1), Swarm::default(), narrow(Policy::classic()));
    let life = world.start().await;
    let account = AccountId::from_number(123_456_789_012).unwrap();
    let id = UserId::new("AIDA-lee").unwrap();
    let set_up = async {
        life.engine.open_account(operator(), account, name("root")).await.unwrap();
        life.engine.register_user(operator(), account, id.clone(), name("lee"), Path::root()).await.unwrap();
    };
    life.run(set_up).await.unwrap();
    (world, life, PrincipalId::User(account, id))
}

fn is_with_the_gateway(view: &SmsMessageView) -> bool {
    matches!(view.state, SmsState::Taken | SmsState::Reported(_))
}

/// Asks for a code and waits for something; then the clock is set back, and two minutes and a half pass.
async fn is_handed_over(
    (world, life, lee): &(World, Life, PrincipalId),
    came: impl Fn(SmsMessageView) -> bool,
    back_ms: i64,
) -> bool {
    let asked = life.engine.begin_sms_enrolment(proven(lee), lee, number(1));
    let sent = life.run(asked).await.unwrap().unwrap().value;
    let view = || life.engine.sms_message(sent.challenge).unwrap();
    for _ in 0..10_000 {
        if came(view()) {
            break;
        }
        life.run(pass_ms(1)).await.unwrap();
    }
    assert!(came(view()), "it never comes");
    world.clock.jump_ms(-back_ms);
    life.run(pass_ms(LEASE_MS_MAX + 30_000)).await.unwrap();
    is_with_the_gateway(&view())
}

#[test]
fn a_pause_between_tries_is_no_longer_than_the_longest() {
    for back_ms in BACK_MS {
        simulated(async {
            let node = node().await;
            node.0.gates[0].answers(Reply::Fail(SmsFailure::Unavailable));
            node.0.gates[1].answers(Reply::Fail(SmsFailure::Unavailable));
            let failed = |view: SmsMessageView| view.state == SmsState::Waiting && view.submits == 2;
            assert!(is_handed_over(&node, failed, back_ms).await, "{back_ms}");
        });
    }
}

#[test]
fn a_gateway_that_does_not_answer_is_waited_for_no_longer() {
    for back_ms in BACK_MS {
        simulated(async {
            let node = node().await;
            node.0.gates[0].answers(Reply::Hang);
            let asked =
                |view: SmsMessageView| view.state == SmsState::Submitting && !node.0.gates[0].asked().is_empty();
            assert!(is_handed_over(&node, asked, back_ms).await, "{back_ms}");
        });
    }
}

#[test]
fn a_log_that_could_not_be_read_is_read_again() {
    for back_ms in BACK_MS {
        for skip in 0..4 {
            simulated(async {
                let node = node().await;
                node.1.faults.fail_after(Operation::Read, skip);
                let asked = node.1.engine.begin_sms_enrolment(proven(&node.2), &node.2, number(1));
                let Ok(sent) = node.1.run(asked).await.unwrap() else { return };
                node.1.run(pass_ms(20)).await.unwrap();
                node.0.clock.jump_ms(-back_ms);
                node.1.run(pass_ms(LEASE_MS_MAX + 10_000)).await.unwrap();
                let view = node.1.engine.sms_message(sent.value.challenge).unwrap();
                assert!(is_with_the_gateway(&view), "{back_ms} {skip}: {view:?}");
            });
        }
    }
}
