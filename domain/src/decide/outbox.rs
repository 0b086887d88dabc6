//! Handing codes over to gateways: each try is decided on and recorded before the gateway is asked.
//!
//! Whether a try ended well can be known for certain, or not at all: the answer of a gateway may be lost. The rule for
//! what is not known: the same code is handed over again, under the same idempotency key, at most as often as
//! [`Policy::sms_unknowns_max`](crate::policy::Policy::sms_unknowns_max) says, and never after its time; then it stays
//! unknown, and the person may ask for another code (A15).

use alloc::vec::Vec;

use super::{Context, Decision, Outcome, Record, Verdict, existing, of_this_account, record};
use crate::event::{
    Event, SmsDelivery, SmsDropReason, SmsDropped, SmsRedriven, SmsReported, SmsSubmitFailed, SmsSubmitFault,
    SmsSubmitted, SmsSubmitting,
};
use crate::ids::{ChallengeId, StreamId};
use crate::principal::{Errand, Message, Phase, Principal, Registered};
use crate::rejection::Rejection;
use crate::secret::ChallengeSecret;
use crate::sms::{MessageId, RouteName};

/// How often one message may be wanted after all.
pub const REDRIVES_MAX: u8 = 2;
/// No gateway is waited for longer, in milliseconds: a lease that ends later was given by a clock that was ahead (A40).
pub const LEASE_MS_MAX: u64 = 120_000;

/// A gateway that is about to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submit {
    /// The challenge.
    pub challenge: ChallengeId,
    /// Whose gateway.
    pub route: RouteName,
    /// For how long an outcome is waited for, in milliseconds from the decision on: at most [`LEASE_MS_MAX`]. It is unknown
    /// if nothing is recorded by then.
    pub lease_ms: u64,
    /// What it costs.
    pub price_micros: u64,
    /// What stands against sending it there now, though it was queued.
    pub against: Option<SmsDropReason>,
}

/// What is known of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Submitted {
    /// The gateway took it, and calls it so.
    Taken(Option<MessageId>),
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
/// Nothing is sent then, and nobody has to be told.
pub fn begin_submit(principal: Option<&Principal>, submit: &Submit, context: &Context<'_>) -> Decision {
    let (owner, message) = message_of(principal, submit.challenge)?;
    let Turn { mut writes, unknowns } = match turn(owner, message, context) {
        Ok(turn) => turn,
        Err(verdict) => return Ok(Outcome::AlreadySo(verdict)),
    };
    let Submit { challenge, ref route, lease_ms, price_micros, against } = *submit;
    if let Some(reason) = worthless(owner, message, context).or_else(|| spent(message, unknowns, context)).or(against) {
        return dropped(writes, owner.stream, challenge, reason);
    }
    let number = message.submits.saturating_add(1);
    let lease = context.now.plus_ms(lease_ms.min(LEASE_MS_MAX));
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
        Submitted::Taken(message_id) => {
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
    match turn(owner, message, context) {
        Err(verdict) => Ok(Outcome::AlreadySo(verdict)),
        Ok(Turn { writes, unknowns }) => {
            let own = worthless(owner, message, context).or_else(|| spent(message, unknowns, context));
            dropped(writes, owner.stream, challenge, own.unwrap_or(reason))
        }
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
    if !message.is_news(delivery) {
        return Ok(Outcome::AlreadySo(Verdict::Done));
    }
    record(Verdict::Done, [(owner.stream, SmsReported { challenge, delivery }.into())])
}

/// Sends a code after all that was given up, while it is still good.
///
/// # Errors
/// [`Rejection::ChannelNotAllowed`] to who is of another account; [`Rejection::ChallengeUnknown`] when the message was
/// not given up, its code is not good any more, or it was wanted after all [`REDRIVES_MAX`] times: another code has to
/// be asked for then.
pub fn redrive(principal: Option<&Principal>, challenge: ChallengeId, context: &Context<'_>) -> Decision {
    of_this_account(existing(principal)?, context)?;
    let (owner, message) = message_of(principal, challenge)?;
    let again = matches!(message.phase, Phase::Dropped(_)) && message.redriven < REDRIVES_MAX;
    if !again || worthless(owner, message, context).is_some() {
        return Err(Rejection::ChallengeUnknown);
    }
    record(Verdict::Done, [(owner.stream, SmsRedriven { challenge, by: context.caller.by() }.into())])
}

/// A message that waits for its next step.
struct Turn {
    /// What is to be written before it.
    writes: Vec<(StreamId, Event)>,
    /// Tries of which nobody knows how they ended, the one that is to be written among them.
    unknowns: u8,
}

/// Whose turn it is: the message's own, or else what there is to say of it.
fn turn(owner: &Registered, message: &Message, context: &Context<'_>) -> Result<Turn, Verdict> {
    match message.phase {
        Phase::Waiting => Ok(Turn { writes: Vec::with_capacity(1), unknowns: message.unknowns }),
        Phase::Submitting { lease } if lease > context.now && lease <= context.now.plus_ms(LEASE_MS_MAX) => {
            Err(Verdict::SmsHeld { until: lease })
        }
        // Whoever asked the gateway is gone, or would have said how it ended.
        Phase::Submitting { .. } => {
            let (challenge, submit, fault) = (message.challenge, message.submits, SmsSubmitFault::Unknown);
            let mut writes = Vec::with_capacity(2);
            writes.push((owner.stream, SmsSubmitFailed { challenge, submit, fault }.into()));
            Ok(Turn { writes, unknowns: message.unknowns.saturating_add(1) })
        }
        Phase::Taken | Phase::Reported(_) => Err(Verdict::SmsOver { reason: None }),
        Phase::Dropped(reason) => Err(Verdict::SmsOver { reason: Some(reason) }),
    }
}

/// Why a code is not worth sending any more: too late, or not one that would still be taken.
///
/// What makes a code void has taken it out of what is pending already: a newer one, the end of the sign-ins, the
/// loss of the device, the code itself.
fn worthless(owner: &Registered, message: &Message, context: &Context<'_>) -> Option<SmsDropReason> {
    if message.until <= context.now {
        return Some(SmsDropReason::Expired);
    }
    let sent = owner.pending.codes.iter().find(|sent| sent.id == message.challenge);
    let awaited = sent.filter(|sent| sent.tries < context.policy.sms_tries_max).is_some_and(|sent| match sent.errand {
        Errand::SignIn(attempt) => owner.pending.sign_in(attempt, context.now).is_some(),
        Errand::Enrolment(_) => true,
    });
    (!awaited).then_some(SmsDropReason::Void)
}

/// Why a code is not handed over once more, good as it is.
fn spent(message: &Message, unknowns: u8, context: &Context<'_>) -> Option<SmsDropReason> {
    if unknowns > context.policy.sms_unknowns_max {
        return Some(SmsDropReason::Unknown);
    }
    let counted = message.submits.saturating_sub(message.forgiven);
    let all = counted >= context.policy.sms_submits_max || message.submits == u8::MAX;
    all.then_some(SmsDropReason::SubmitsSpent)
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
