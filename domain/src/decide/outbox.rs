//! Handing codes over to gateways: each try is decided on and recorded before the gateway is asked.
//!
//! Whether a try ended well can be known for certain, or not at all: the answer of a gateway may be lost. The rule for
//! what is not known: the same code is handed over again, under the same idempotency key, at most as often as
//! [`Policy::sms_unknowns_max`](crate::policy::Policy::sms_unknowns_max) says, and never after its time; then it stays
//! unknown, and the person may ask for another code (A15).

use alloc::string::String;
use alloc::vec::Vec;

use super::{Context, Decision, Outcome, Record, Verdict, existing, record};
use crate::event::{
    Event, SmsDelivery, SmsDropReason, SmsDropped, SmsRedriven, SmsReported, SmsSubmitFailed, SmsSubmitFault,
    SmsSubmitted, SmsSubmitting,
};
use crate::ids::{ChallengeId, StreamId, UnixMillis};
use crate::principal::{Errand, Message, Phase, Principal, Registered};
use crate::rejection::Rejection;
use crate::secret::ChallengeSecret;
use crate::sms::RouteName;

/// Bytes that a gateway's own name of a message has at most (SMPP 3.4, section 5.2.23).
pub const MESSAGE_ID_BYTES_MAX: usize = 64;

/// A gateway that is about to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submit {
    /// The challenge.
    pub challenge: ChallengeId,
    /// Whose gateway.
    pub route: RouteName,
    /// When the outcome is unknown if nothing is recorded by then.
    pub lease: UnixMillis,
    /// What it costs.
    pub price_micros: u64,
    /// What stands against sending it there now, though it was queued.
    pub against: Option<SmsDropReason>,
}

/// What is known of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Submitted {
    /// The gateway took it, and calls it so.
    Taken(Option<String>),
    /// It did not, or nobody knows.
    Failed(SmsSubmitFault),
}

/// What the code of a message follows from, and the number of an enrolment.
#[must_use]
pub fn message_secret(owner: &Registered, challenge: ChallengeId) -> Option<(&ChallengeSecret, &Errand)> {
    let sent = owner.pending.codes.iter().find(|sent| sent.id == challenge)?;
    Some((&sent.secret, &sent.errand))
}

/// Begins a try to hand a code over, or finds that it is not to be sent any more.
///
/// # Errors
/// [`Rejection::PrincipalUnknown`]; [`Rejection::ChallengeUnknown`] when the principal has no such message any more.
pub fn begin_submit(principal: Option<&Principal>, submit: &Submit, context: &Context<'_>) -> Decision {
    let (owner, message) = message_of(principal, submit.challenge)?;
    let mut writes = Vec::with_capacity(2);
    let mut unknowns = message.unknowns;
    match message.phase {
        Phase::Waiting => {}
        Phase::Submitting { lease } if lease > context.now => {
            return Ok(Outcome::AlreadySo(Verdict::SmsHeld { until: lease }));
        }
        // Whoever asked the gateway is gone, or would have said how it ended.
        Phase::Submitting { .. } => {
            let fault = SmsSubmitFault::Unknown;
            let lost = SmsSubmitFailed { challenge: message.challenge, submit: message.submits, fault };
            writes.push((owner.stream, lost.into()));
            unknowns = unknowns.saturating_add(1);
        }
        Phase::Taken | Phase::Reported(_) => return Ok(Outcome::AlreadySo(Verdict::SmsOver { reason: None })),
        Phase::Dropped(reason) => return Ok(Outcome::AlreadySo(Verdict::SmsOver { reason: Some(reason) })),
    }
    let reason = stale(owner, message, context)
        .or(submit.against)
        .or_else(|| (unknowns > context.policy.sms_unknowns_max).then_some(SmsDropReason::Unknown))
        .or_else(|| {
            (message.submits.saturating_sub(message.forgiven) >= context.policy.sms_submits_max
                || message.submits == u8::MAX)
                .then_some(SmsDropReason::SubmitsSpent)
        });
    if let Some(reason) = reason {
        return dropped(writes, owner.stream, message.challenge, reason);
    }
    let number = message.submits.saturating_add(1);
    let Submit { challenge, ref route, lease, price_micros, .. } = *submit;
    let begun = SmsSubmitting { challenge, submit: number, route: route.clone(), lease, price_micros };
    writes.push((owner.stream, begun.into()));
    Ok(Outcome::Record(Record { writes, verdict: Verdict::SmsSubmit { submit: number } }))
}

/// Records how a try ended; a failure that is final ends the message as well.
///
/// # Errors
/// As [`begin_submit`].
pub fn end_submit(
    principal: Option<&Principal>,
    challenge: ChallengeId,
    submit: u8,
    submitted: Submitted,
    _context: &Context<'_>,
) -> Decision {
    let (owner, message) = message_of(principal, challenge)?;
    if message.submits != submit || !matches!(message.phase, Phase::Submitting { .. }) {
        return Ok(Outcome::AlreadySo(Verdict::Done));
    }
    match submitted {
        Submitted::Taken(id) => {
            let message_id = id.filter(|id| (1..=MESSAGE_ID_BYTES_MAX).contains(&id.len()));
            record(Verdict::Done, [(owner.stream, SmsSubmitted { challenge, submit, message_id }.into())])
        }
        Submitted::Failed(fault) => {
            let failed: Event = SmsSubmitFailed { challenge, submit, fault }.into();
            if fault.is_final() {
                return dropped(alloc::vec![(owner.stream, failed)], owner.stream, challenge, SmsDropReason::Refused);
            }
            record(Verdict::Done, [(owner.stream, failed)])
        }
    }
}

/// Records that a message is not sent any more, because nobody carries it there.
///
/// # Errors
/// As [`begin_submit`].
pub fn drop_message(
    principal: Option<&Principal>,
    challenge: ChallengeId,
    reason: SmsDropReason,
    context: &Context<'_>,
) -> Decision {
    let (owner, message) = message_of(principal, challenge)?;
    match message.phase {
        Phase::Waiting => {
            let reason = stale(owner, message, context).unwrap_or(reason);
            dropped(Vec::new(), owner.stream, challenge, reason)
        }
        Phase::Submitting { lease } => Ok(Outcome::AlreadySo(Verdict::SmsHeld { until: lease })),
        Phase::Taken | Phase::Reported(_) => Ok(Outcome::AlreadySo(Verdict::SmsOver { reason: None })),
        Phase::Dropped(reason) => Ok(Outcome::AlreadySo(Verdict::SmsOver { reason: Some(reason) })),
    }
}

/// Records what a gateway reported. What is known already, or came before what is known, changes nothing.
///
/// # Errors
/// As [`begin_submit`].
pub fn report(
    principal: Option<&Principal>,
    challenge: ChallengeId,
    delivery: SmsDelivery,
    _context: &Context<'_>,
) -> Decision {
    let (owner, message) = message_of(principal, challenge)?;
    let news = match message.phase {
        Phase::Reported(known) => !known.is_final() && delivery > known,
        // A report proves that the message was taken, whatever the try came to.
        _ => message.submits > 0,
    };
    if !news {
        return Ok(Outcome::AlreadySo(Verdict::Done));
    }
    record(Verdict::Done, [(owner.stream, SmsReported { challenge, delivery }.into())])
}

/// Sends a code after all that was given up, while it is still good.
///
/// # Errors
/// [`Rejection::ChallengeUnknown`] when the message was not given up, or its code is not good any more: another code
/// has to be asked for then.
pub fn redrive(principal: Option<&Principal>, challenge: ChallengeId, context: &Context<'_>) -> Decision {
    let (owner, message) = message_of(principal, challenge)?;
    if !matches!(message.phase, Phase::Dropped(_)) || stale(owner, message, context).is_some() {
        return Err(Rejection::ChallengeUnknown);
    }
    record(Verdict::Done, [(owner.stream, SmsRedriven { challenge, by: context.caller.by() }.into())])
}

/// Why a code is not worth sending any more: too late, or not the one that is waited for.
fn stale(owner: &Registered, message: &Message, context: &Context<'_>) -> Option<SmsDropReason> {
    if message.until <= context.now {
        return Some(SmsDropReason::Expired);
    }
    let awaited = message_secret(owner, message.challenge).is_some_and(|(_, errand)| match errand {
        Errand::SignIn(attempt) => {
            owner.pending.sign_in(*attempt, context.now).is_some() && owner.device(message.device).is_some()
        }
        Errand::Enrolment(_) => owner.device(message.device).is_none(),
    });
    (!awaited).then_some(SmsDropReason::Void)
}

fn dropped(
    mut writes: Vec<(StreamId, Event)>,
    stream: StreamId,
    challenge: ChallengeId,
    reason: SmsDropReason,
) -> Decision {
    writes.push((stream, SmsDropped { challenge, reason }.into()));
    Ok(Outcome::Record(Record { writes, verdict: Verdict::SmsOver { reason: Some(reason) } }))
}

fn message_of(principal: Option<&Principal>, challenge: ChallengeId) -> Result<(&Registered, &Message), Rejection> {
    let owner = existing(principal)?;
    let message = owner.outgoing.message(challenge).ok_or(Rejection::ChallengeUnknown)?;
    Ok((owner, message))
}
