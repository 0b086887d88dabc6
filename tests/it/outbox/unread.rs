//! A medium that does not give back what it has, for a moment.

use countersign::store::faults::Operation;
use countersign::*;

use super::gateway::Reply;
use super::stage::{Stage, limits, number};

/// Reads that are let through before one fails: enough to come to the one that a principal is loaded by.
const READS: u32 = 12;

/// The principal of a code has left memory when its next try is due, and cannot be read for a moment: the sender once took
/// that for the end of the code.
#[tokio::test]
async fn a_code_whose_principal_cannot_be_read_for_a_moment_is_handed_over_after_all() {
    for skip in 0..READS {
        let limits = Limits { resident_max: 1, ..limits() };
        let (stage, gateway) = Stage::with_limits(Policy::classic(), limits).await;
        let (lee, phone) = stage.person("lee", number(1)).await;
        gateway.next([Reply::Fail(SmsFailure::Unavailable)]);
        let (_, sent) = stage.awaited(&lee, &phone).await;
        stage.settle().await;
        assert_eq!((stage.state(sent.challenge), stage.message(sent.challenge).submits), (SmsState::Waiting, 1));
        for other in ["kim", "tom", "ann"] {
            let other = stage.user(other).await;
            stage.engine.end_sign_ins(crate::support::operator(), &other).await.unwrap();
        }
        stage.settle().await;
        stage.faults.fail_after(Operation::Read, skip);
        stage.run_until("handed over", || stage.state(sent.challenge) == SmsState::Taken).await;
        stage.faults.clear();
        assert_eq!(gateway.asked_of(sent.challenge).len(), 2, "{skip}");
    }
}
