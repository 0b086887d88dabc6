//! Root's way back in when its device is lost: its e-mail and its phone, both, in one attempt (R130, A22, A23).
//!
//! The devices stay as they are. What is proven here counts for one sign-in only, and that sign-in counts as one
//! without a second factor.

use super::messages::CodeQuestion;
use super::sign_in::{own_turn, signed_in};
use super::{Context, Decision, Denial, Step, Verdict, record};
use crate::event::{AlternativeFactor, AlternativeIssued, AlternativeProven, AlternativeRefused, SignInFactor};
use crate::ids::{AttemptId, ChallengeId};
use crate::principal::{Alternative, Principal, Registered, SignIn};
use crate::rejection::Rejection;
use crate::secret::ChallengeSecret;

/// Asks for an alternative factor: the e-mail first, then the phone. `allowed` is the account's setting (R130 b).
///
/// # Errors
/// [`Rejection::ChallengeUnknown`]; [`Rejection::AlternativeFactorsNotOffered`] to who is not root, where it is switched
/// off, or while other devices could be used (R130 d); [`Rejection::FactorUnknown`] for the phone while the e-mail is not
/// proven; [`Rejection::TooSoon`].
pub fn ask_alternative(
    principal: Option<&Principal>,
    attempt: AttemptId,
    factor: AlternativeFactor,
    (challenge, secret): (ChallengeId, ChallengeSecret),
    allowed: bool,
    context: &Context<'_>,
) -> Decision {
    let (owner, open) = recovering(principal, attempt, allowed, context)?;
    if factor == AlternativeFactor::Phone && open.mail != Alternative::Proven {
        return Err(Rejection::FactorUnknown);
    }
    let sent = owner.pending.sent_for(factor);
    if let Some(again_at) = sent.again_at(context.now, context.policy) {
        return Err(Rejection::TooSoon { again_at });
    }
    let window = sent.current(context.now, context.policy);
    let until = context.now.plus_ms(u64::from(context.policy.alternative_life_s).saturating_mul(1000));
    let issued = AlternativeIssued { attempt, factor, challenge, until, window, secret, client: context.client() };
    record(Verdict::Challenged { challenge, until }, [(owner.stream, issued.into())])
}

/// Judges the answer to an alternative factor. A call is answered under its own id, an e-mail by its code.
#[must_use]
pub fn prove_alternative(
    principal: Option<&Principal>,
    attempt: AttemptId,
    (factor, call): (AlternativeFactor, Option<ChallengeId>),
    evidence: Option<bool>,
    allowed: bool,
    context: &Context<'_>,
) -> Step<CodeQuestion> {
    let (owner, open) = match recovering(principal, attempt, allowed, context) {
        Ok(found) => found,
        Err(rejection) => return Step::Decided(Err(rejection)),
    };
    let Alternative::Asked(asked) = open.alternative(factor) else {
        return Step::Decided(Err(Rejection::ChallengeUnknown));
    };
    let exhausted = asked.tries >= context.policy.alternative_tries_max;
    if asked.until <= context.now || exhausted || call.is_some_and(|call| call != asked.challenge) {
        return Step::Decided(Err(Rejection::ChallengeUnknown));
    }
    Step::Decided(match evidence {
        None => return Step::Ask(CodeQuestion { secret: asked.secret.clone() }),
        Some(true) => record(
            Verdict::Done,
            [(owner.stream, AlternativeProven { attempt, factor, client: context.client() }.into())],
        ),
        Some(false) => {
            let refused = AlternativeRefused { attempt, factor, client: context.client() };
            record(Verdict::Denied(Denial::Alternative), [(owner.stream, refused.into())])
        }
    })
}

/// Completes a sign-in whose two alternative factors are proven.
///
/// # Errors
/// As [`ask_alternative`]; [`Rejection::FactorUnknown`] while one of the two is not proven.
pub fn finish_recovery(
    principal: Option<&Principal>,
    attempt: AttemptId,
    allowed: bool,
    context: &Context<'_>,
) -> Decision {
    let (owner, open) = recovering(principal, attempt, allowed, context)?;
    if open.mail != Alternative::Proven || open.phone != Alternative::Proven {
        return Err(Rejection::FactorUnknown);
    }
    signed_in(owner, attempt, SignInFactor::AlternativeFactors, None, context)
}

fn recovering<'a>(
    principal: Option<&'a Principal>,
    attempt: AttemptId,
    allowed: bool,
    context: &Context<'_>,
) -> Result<(&'a Registered, &'a SignIn), Rejection> {
    let (owner, open) = own_turn(principal, attempt, context)?;
    if owner.id.is_root() && allowed && owner.devices.len() <= 1 {
        Ok((owner, open))
    } else {
        Err(Rejection::AlternativeFactorsNotOffered)
    }
}
