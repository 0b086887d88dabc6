//! Signing in: from the right password to the second factor (R97..R108).
//!
//! The password is the platform's. What is decided here is whether a second factor is asked for, which one,
//! and what became of it. A sign-in is open until it is completed or its time is over; wrong proofs do not end it
//! (R99), the budgets of the devices do (R91).

use super::codes::verify_code;
use super::{Context, Decision, Denial, Outcome, Record, Step, Verdict, existing, of_this_account, record};
use crate::event::{
    AssociateProven, Purpose, SignInFactor, SignInFault, SignInRefused, SignInStarted, SignInsEnded, SignedIn,
};
use crate::ids::{AttemptId, StreamId};
use crate::principal::{Associate, Principal, Registered, SignIn};
use crate::rejection::Rejection;
use crate::totp::{CodeMatches, CodeSearch};

/// Begins a sign-in: the password was right just now.
///
/// `associate` is the linked principal, if it has a device (R5, A6). Who has no device, and no such associate, is in
/// at once (R98).
///
/// # Errors
/// [`Rejection::PrincipalUnknown`].
pub fn begin_sign_in(
    principal: Option<&Principal>,
    attempt: AttemptId,
    associate: Option<StreamId>,
    context: &Context<'_>,
) -> Decision {
    let owner = existing(principal)?;
    if owner.devices.is_empty() && associate.is_none() {
        return signed_in(owner, attempt, SignInFactor::Nothing, None, context);
    }
    let until = context.now.plus_ms(u64::from(context.policy.sign_in_life_s).saturating_mul(1000));
    let started = SignInStarted { attempt, until, associate, client: context.client() };
    let verdict = Verdict::SecondFactorWanted { attempt, until, associate: associate.is_some() };
    record(verdict, [(owner.stream, started.into())])
}

/// Ends every open sign-in and challenge of a principal, as a new password does: whoever typed the old one starts over.
///
/// # Errors
/// [`Rejection::PrincipalUnknown`]; [`Rejection::ChannelNotAllowed`] to who is of another account.
pub fn end_sign_ins(principal: Option<&Principal>, context: &Context<'_>) -> Decision {
    let owner = existing(principal)?;
    of_this_account(owner, context)?;
    let pending = &owner.pending;
    if pending.sign_ins.is_empty() && pending.keys.is_empty() && pending.codes.is_empty() {
        return Ok(Outcome::AlreadySo(Verdict::Done));
    }
    record(Verdict::Done, [(owner.stream, SignInsEnded { by: context.caller.by() }.into())])
}

/// Completes a sign-in with a code of a TOTP device (R99).
#[must_use]
pub fn sign_in_with_code(
    principal: Option<&Principal>,
    attempt: AttemptId,
    device: StreamId,
    evidence: Option<&CodeMatches>,
    context: &Context<'_>,
) -> Step<CodeSearch> {
    let owner = match own_turn(principal, attempt, context) {
        Ok((owner, _)) => owner,
        Err(rejection) => return Step::Decided(Err(rejection)),
    };
    match verify_code(principal, device, Purpose::SignIn, evidence, context) {
        Step::Ask(search) => Step::Ask(search),
        Step::Decided(decision) => {
            Step::Decided(decision.map(|outcome| concluded(owner, attempt, device, outcome, context)))
        }
    }
}

/// Takes note that the linked principal's device was proven (A6). Who has no device of its own is in.
///
/// # Errors
/// [`Rejection::ChallengeUnknown`]; [`Rejection::FactorUnknown`] when no associate is asked for.
pub fn associate_proven(
    principal: Option<&Principal>,
    attempt: AttemptId,
    device: StreamId,
    mark: [u8; 16],
    context: &Context<'_>,
) -> Decision {
    let owner = associates_turn(principal, attempt, context)?;
    if owner.devices.is_empty() {
        return signed_in(owner, attempt, SignInFactor::Device, Some(device), context);
    }
    let until = owner.pending.sign_in(attempt, context.now).map_or(context.now, |open| open.until);
    let proven = AssociateProven { attempt, device, until, mark, client: context.client() };
    let verdict = Verdict::SecondFactorWanted { attempt, until, associate: false };
    record(verdict, [(owner.stream, proven.into())])
}

/// Takes note that the linked principal's device was not proven: failure of either fails the sign-in (A6).
///
/// # Errors
/// As [`associate_proven`].
pub fn associate_refused(
    principal: Option<&Principal>,
    attempt: AttemptId,
    device: StreamId,
    denial: Denial,
    context: &Context<'_>,
) -> Decision {
    let owner = associates_turn(principal, attempt, context)?;
    let refused = refusal(attempt, Some(device), denial, context);
    record(Verdict::Denied(denial), [(owner.stream, refused.into())])
}

/// The open sign-in of this id.
pub(super) fn open<'a>(
    principal: Option<&'a Principal>,
    attempt: AttemptId,
    context: &Context<'_>,
) -> Result<(&'a Registered, &'a SignIn), Rejection> {
    let owner = existing(principal)?;
    let open = owner.pending.sign_in(attempt, context.now).ok_or(Rejection::ChallengeUnknown)?;
    Ok((owner, open))
}

/// The open sign-in, when it is the own device's turn.
pub(super) fn own_turn<'a>(
    principal: Option<&'a Principal>,
    attempt: AttemptId,
    context: &Context<'_>,
) -> Result<(&'a Registered, &'a SignIn), Rejection> {
    let (owner, open) = open(principal, attempt, context)?;
    if matches!(open.associate, Associate::Wanted(_)) { Err(Rejection::FactorUnknown) } else { Ok((owner, open)) }
}

fn associates_turn<'a>(
    principal: Option<&'a Principal>,
    attempt: AttemptId,
    context: &Context<'_>,
) -> Result<&'a Registered, Rejection> {
    let (owner, open) = open(principal, attempt, context)?;
    if matches!(open.associate, Associate::Wanted(_)) { Ok(owner) } else { Err(Rejection::FactorUnknown) }
}

/// What a device's verdict means for the sign-in: one more event beside the device's own.
pub(super) fn concluded(
    owner: &Registered,
    attempt: AttemptId,
    device: StreamId,
    outcome: Outcome,
    context: &Context<'_>,
) -> Outcome {
    let Outcome::Record(Record { mut writes, mut verdict }) = outcome else { return outcome };
    if let Verdict::Denied(denial) = verdict {
        writes.push((owner.stream, refusal(attempt, Some(device), denial, context).into()));
    } else {
        let (factor, device, client) = (SignInFactor::Device, Some(device), context.client());
        writes.push((owner.stream, SignedIn { attempt, factor, device, client }.into()));
        verdict = Verdict::SignedIn { attempt, factor, device };
    }
    Outcome::Record(Record { writes, verdict })
}

/// Who is in.
pub(super) fn signed_in(
    owner: &Registered,
    attempt: AttemptId,
    factor: SignInFactor,
    device: Option<StreamId>,
    context: &Context<'_>,
) -> Decision {
    let done = SignedIn { attempt, factor, device, client: context.client() };
    record(Verdict::SignedIn { attempt, factor, device }, [(owner.stream, done.into())])
}

pub(super) fn refusal(
    attempt: AttemptId,
    device: Option<StreamId>,
    denial: Denial,
    context: &Context<'_>,
) -> SignInRefused {
    let fault = match denial {
        Denial::Locked { .. } => SignInFault::Locked,
        Denial::NotAsked => SignInFault::NotAsked,
        _ => SignInFault::Wrong,
    };
    SignInRefused { attempt, device, fault, client: context.client() }
}
