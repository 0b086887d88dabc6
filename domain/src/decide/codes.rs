//! Single codes and resync pairs of enabled devices (R86..R93, R109..R117).

use super::{
    Candidate, Context, Decision, Denial, Outcome, Record, Step, Verdict, admitted, clock_holds, existing, record,
};
use crate::caller::DeviceAct;
use crate::event::{
    BudgetSpent, CodeAccepted, CodeFault, CodeRefused, DeviceResynced, PairFault, Purpose, ResyncRefused,
};
use crate::ids::StreamId;
use crate::principal::{Enabled, Principal, Registered};
use crate::rejection::Rejection;
use crate::totp::{
    Attempts, Budget, CodeJudgement, CodeMatches, CodeSearch, PairJudgement, PairSearch, judge_code, judge_pair,
    pair_codes,
};

/// Verifies a single code of an enabled device (R86..R91).
///
/// Asks for the counters at which the device shows the code, unless the answer stands without
/// them. A device that is not this principal's, or shows no codes, is [`Rejection::DeviceNotYours`].
#[must_use]
pub fn verify_code(
    principal: Option<&Principal>,
    device: StreamId,
    purpose: Purpose,
    evidence: Option<&CodeMatches>,
    context: &Context<'_>,
) -> Step<CodeSearch> {
    let (owner, enabled) = match ready_to_verify(principal, device, context) {
        Ok(found) => found,
        Err(rejection) => return Step::Decided(Err(rejection)),
    };
    let window = enabled.learned.codes.current(context.now, context.policy);
    if let Some(locked) = out_of_budget(owner, enabled, Budget::Codes, window, context) {
        return Step::Decided(locked);
    }
    let delay_ms = u64::from(context.policy.sts_propagation_ms);
    if purpose.is_sts() && delay_ms > 0 && enabled.learned_at.plus_ms(delay_ms) > context.now {
        let fault = CodeFault::NotPropagated;
        return Step::Decided(refuse_code(owner, enabled, purpose, window, fault, 0));
    }
    let search = CodeSearch::around(&enabled.learned, context.now, context.policy);
    let Some(matches) = evidence else { return Step::Ask(search) };
    let pair_rule = pair_codes(context.policy, purpose.is_sts());
    let (fault, steps) = match judge_code(&enabled.learned, &search, matches, context.policy, pair_rule) {
        CodeJudgement::Fresh(counter) => {
            let accepted = CodeAccepted { device, purpose, window, counter };
            let verdict = Verdict::CodeAccepted { counter };
            return Step::Decided(record(verdict, [(owner.stream, accepted.into())]));
        }
        CodeJudgement::Used(_) => (CodeFault::Used, 0),
        CodeJudgement::Outside(steps) => (CodeFault::Outside, steps),
        CodeJudgement::Wrong => (CodeFault::Wrong, 0),
    };
    Step::Decided(refuse_code(owner, enabled, purpose, window, fault, steps))
}

/// Resyncs an enabled TOTP device from two consecutive codes (R110, R111).
///
/// Needs no MFA session, in either era (R112).
#[must_use]
pub fn resync(
    principal: Option<&Principal>,
    candidate: Candidate<'_>,
    evidence: Option<&[u64]>,
    context: &Context<'_>,
) -> Step<PairSearch> {
    let (owner, enabled) = match ready_to_resync(principal, candidate, context) {
        Ok(found) => found,
        Err(rejection) => return Step::Decided(Err(rejection)),
    };
    let device = enabled.device;
    let window = enabled.learned.pairs.current(context.now, context.policy);
    if let Some(locked) = out_of_budget(owner, enabled, Budget::Pairs, window, context) {
        return Step::Decided(locked);
    }
    let search = PairSearch::around(&enabled.learned, context.now, context.policy);
    let Some(matches) = evidence else { return Step::Ask(search) };
    let by = context.caller.by();
    let fault = match judge_pair(&enabled.learned, &search, matches, context.now, context.policy) {
        PairJudgement::Good { counter, offset } => {
            let resynced = DeviceResynced { device, by, window, counter, offset };
            return Step::Decided(record(Verdict::PairAccepted { offset }, [(owner.stream, resynced.into())]));
        }
        PairJudgement::NotNewer => PairFault::NotNewer,
        PairJudgement::NoMatch => PairFault::NoMatch,
    };
    let refused = ResyncRefused { device, by, window, fault };
    Step::Decided(record(Verdict::Denied(Denial::Pair(fault)), [(owner.stream, refused.into())]))
}

fn ready_to_verify<'a>(
    principal: Option<&'a Principal>,
    device: StreamId,
    context: &Context<'_>,
) -> Result<(&'a Registered, &'a Enabled), Rejection> {
    let owner = existing(principal)?;
    let enabled = enabled_totp(owner, device)?;
    clock_holds(enabled, context)?;
    Ok((owner, enabled))
}

/// The checks of a resync in the order of R56; a device without codes cannot be resynced (A13).
fn ready_to_resync<'a>(
    principal: Option<&'a Principal>,
    candidate: Candidate<'_>,
    context: &Context<'_>,
) -> Result<(&'a Registered, &'a Enabled), Rejection> {
    let owner = admitted(principal, DeviceAct::Resync, candidate.serial.kind(), context)?;
    candidate.entity_for(owner).ok_or_else(|| candidate.unknown())?;
    let enabled = enabled_totp(owner, candidate.stream())?;
    clock_holds(enabled, context)?;
    Ok((owner, enabled))
}

/// The enabled device that shows the codes.
fn enabled_totp(owner: &Registered, device: StreamId) -> Result<&Enabled, Rejection> {
    owner.device(device).filter(|enabled| enabled.kind.is_totp()).ok_or(Rejection::DeviceNotYours)
}

/// The answer when the window's budget is spent: recorded the first time, then standing (R91).
fn out_of_budget(
    owner: &Registered,
    enabled: &Enabled,
    budget: Budget,
    window: u64,
    context: &Context<'_>,
) -> Option<Decision> {
    let attempts = match budget {
        Budget::Codes => &enabled.learned.codes,
        Budget::Pairs => &enabled.learned.pairs,
    };
    locked(attempts, owner.stream, enabled.device, budget, window, context)
}

/// As [`out_of_budget`], for a device in any hands; `stream` is where the attempts are counted.
pub(super) fn locked(
    attempts: &Attempts,
    stream: StreamId,
    device: StreamId,
    budget: Budget,
    window: u64,
    context: &Context<'_>,
) -> Option<Decision> {
    if attempts.used_in(window) < budget.max(context.policy) {
        return None;
    }
    let until = Attempts::ends_at(window, context.policy);
    let verdict = Verdict::Denied(Denial::Locked { until });
    if attempts.closed && attempts.window == window {
        return Some(Ok(Outcome::AlreadySo(verdict)));
    }
    Some(record(verdict, [(stream, BudgetSpent { device, budget, window }.into())]))
}

fn refuse_code(
    owner: &Registered,
    enabled: &Enabled,
    purpose: Purpose,
    window: u64,
    fault: CodeFault,
    steps: i64,
) -> Decision {
    let refused = CodeRefused { device: enabled.device, purpose, window, fault, steps };
    Ok(Outcome::Record(Record {
        writes: alloc::vec![(owner.stream, refused.into())],
        verdict: Verdict::Denied(Denial::Code { fault, steps }),
    }))
}
