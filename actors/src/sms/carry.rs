//! One try: the principal is asked, the gateway is asked, and how it ended is recorded.

use std::sync::Arc;
use std::time::Duration;

use countersign_domain::decide::{Submitted, Verdict};
use countersign_domain::event::{SmsDropReason, SmsSubmitFault};
use countersign_domain::ids::UnixMillis;
use countersign_domain::sms::{MessageId, RouteName};

use super::courier::{Courier, back_off};
use super::door::{BUSY_MS, Door, soon};
use super::pause::pause;
use super::receipts;
use super::step::{Next, Open, Routing};
use crate::error::Error;
use crate::principal::CeremonyWork;
use crate::resident::{Answer, Given};
use crate::sent::{Medium, six_digits};
use crate::shared::Shared;
use crate::transports::{SmsAccepted, SmsFailure, SmsKey, SmsMessage};

/// What may lie between the decision on a try and the question to the gateway. The lease is longer than the gateway is
/// waited for by this much, so that whoever finds it over finds nobody asking any more.
const HANDOVER_MS: u64 = 5_000;

/// For how long after its time a message is kept whose principal cannot be read, in milliseconds.
const UNREADABLE_MS: u64 = 60_000;
/// How long it takes until that is tried again, in milliseconds.
const READ_AGAIN_MS: u64 = 1_000;

/// A place at a courier. It is given back whatever happens.
struct Held<'a>(Option<&'a Courier>);

impl Held<'_> {
    fn give_back(mut self) {
        self.0.take().inspect(|courier| courier.give_back());
    }

    fn ended(mut self, outcome: Result<(), SmsFailure>, now: UnixMillis, dice: u64) {
        self.0.take().inspect(|courier| courier.ended(outcome, now, dice));
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.take().inspect(|courier| courier.abandoned());
    }
}

/// Hands a message over once, with a place that was taken at a courier.
pub(super) async fn carry(shared: Arc<Shared>, door: Door, open: Open, route: RouteName) -> Next {
    let Some(courier) = shared.sms.courier(&route) else { return Next::Stop };
    let held = Held(Some(courier));
    let time_max_ms = u64::try_from(courier.route.submit_time_max.as_millis()).unwrap_or(u64::MAX);
    let work = CeremonyWork::BeginSubmit {
        challenge: open.challenge,
        route: route.clone(),
        lease_ms: time_max_ms.saturating_add(HANDOVER_MS),
        price_micros: courier.route.price_micros,
    };
    let begun = door.ask(open.principal.clone(), work).await;
    let Go { submit, decided, message } = match may_submit(&shared, &open, begun) {
        Ok(go) => go,
        Err(next) => {
            held.give_back();
            return next;
        }
    };
    let dice = shared.random().map_or(0, u64::from_be_bytes);
    let outcome = match ask_gateway(&shared, courier, decided, message).await {
        Some(outcome) => {
            held.ended(outcome.as_ref().map(|_| ()).map_err(|failure| *failure), shared.clock.now(), dice);
            outcome
        }
        // The gateway was not asked, so that nothing of it is known.
        None => {
            held.give_back();
            Err(SmsFailure::Unavailable)
        }
    };
    let idempotent = courier.route.transport.is_idempotent();
    let next = next_of(&outcome, (&route, idempotent), (submit, dice), shared.clock.now());
    let message_id = outcome.as_ref().ok().and_then(|accepted| accepted.message_id.clone());
    if let Err(failure) = &outcome {
        tracing::info!(%route, challenge = %open.challenge, submit, %failure, "a code was not handed over");
    }
    let submitted = submitted(outcome);
    if let Some(stop) = record_end(&shared, &door, &open, submit, submitted).await {
        return stop;
    }
    if let Some(id) = message_id {
        let about = (open.principal.clone(), open.challenge);
        if let Err(error) = receipts::take_along(&shared, &door, &route, about, &id).await {
            tracing::warn!(%route, %error, "a delivery report was not recorded");
        }
    }
    next
}

/// Gives a message up: too late, or nobody carries it there.
pub(super) async fn give_up(shared: Arc<Shared>, door: Door, open: Open, reason: Option<SmsDropReason>) -> Next {
    let reason = reason.unwrap_or(SmsDropReason::Expired);
    let answer = door.ask(open.principal.clone(), CeremonyWork::DropSms { challenge: open.challenge, reason }).await;
    match may_submit(&shared, &open, answer) {
        Ok(_) => Next::Done,
        Err(next) => next,
    }
}

/// A try that may be made.
struct Go {
    submit: u8,
    decided: UnixMillis,
    message: SmsMessage,
}

/// What the principal says to a try: the message, or what becomes of it instead.
fn may_submit(shared: &Shared, open: &Open, answer: Result<Answer, Error>) -> Result<Go, Next> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) if error.rejection().is_some() => return Err(Next::Done),
        Err(error) if error.is_closed() => return Err(Next::Stop),
        Err(error) if error.is_retryable() => return Err(Next::Again(soon(shared), Routing::Same)),
        Err(error) => {
            tracing::error!(challenge = %open.challenge, %error, "a code cannot be sent");
            return Err(unreadable(shared, open));
        }
    };
    match (answer.verdict, answer.given.as_deref()) {
        (Verdict::SmsSubmit { submit }, Some(Given::Outgoing(secret, phone))) => {
            let code = six_digits(secret, Medium::Sms);
            let key = SmsKey { principal: open.principal.stream(), version: open.decision };
            let life = Duration::from_millis(open.until.0.saturating_sub(answer.at.0));
            let (text, to) = (shared.sms.text.of(&code), phone.clone());
            let message = SmsMessage { to, text, code, challenge: open.challenge, key, until: open.until, life };
            Ok(Go { submit, decided: answer.at, message })
        }
        (Verdict::SmsHeld { until }, _) => Err(Next::Again(until, Routing::Same)),
        _ => Err(Next::Done),
    }
}

/// What becomes of a message whose principal does not answer. One history that cannot be read is no reason not to send to
/// others; but it may be read in a moment, and until then the message is neither handed over nor given up.
fn unreadable(shared: &Shared, open: &Open) -> Next {
    let now = shared.clock.now();
    match () {
        () if shared.journal.is_poisoned() => Next::Stop,
        () if now < open.until.plus_ms(UNREADABLE_MS) => Next::Again(now.plus_ms(READ_AGAIN_MS), Routing::Same),
        () => Next::Done,
    }
}

/// Waits for the gateway as long as its route says; `None` when it is too late to ask it.
async fn ask_gateway(
    shared: &Shared,
    courier: &Courier,
    decided: UnixMillis,
    message: SmsMessage,
) -> Option<Result<SmsAccepted, SmsFailure>> {
    let now = shared.clock.now();
    let life = life_left(now, decided, message.until)?;
    let time_max_ms = u64::try_from(courier.route.submit_time_max.as_millis()).unwrap_or(u64::MAX);
    let transport = Arc::clone(&courier.route.transport);
    // A task of its own, so that a transport that panics takes nobody along.
    let mut submit = actix_rt::spawn(async move { transport.submit(SmsMessage { life, ..message }).await });
    Some(tokio::select! {
        biased;
        outcome = &mut submit => outcome.unwrap_or(Err(SmsFailure::Unknown)),
        () = pause(&*shared.clock, time_max_ms) => {
            submit.abort();
            Err(SmsFailure::Unknown)
        }
    })
}

/// How long a code is still good, or `None` when its gateway is not to be asked any more: too late for the code, or so
/// long after the decision that the answer could come when the lease is over and another sender asks.
fn life_left(now: UnixMillis, decided: UnixMillis, until: UnixMillis) -> Option<Duration> {
    let in_time = now < until && now <= decided.plus_ms(HANDOVER_MS);
    in_time.then(|| Duration::from_millis(until.0.saturating_sub(now.0)))
}

fn submitted(outcome: Result<SmsAccepted, SmsFailure>) -> Submitted {
    Submitted::Failed(match outcome {
        Ok(accepted) => {
            // A name that cannot be kept is none: the message was taken all the same.
            return Submitted::Taken(accepted.message_id.as_deref().and_then(MessageId::new));
        }
        Err(SmsFailure::Throttled { .. }) => SmsSubmitFault::Throttled,
        Err(SmsFailure::Unavailable) => SmsSubmitFault::Unavailable,
        Err(SmsFailure::Unknown) => SmsSubmitFault::Unknown,
        Err(SmsFailure::InvalidNumber) => SmsSubmitFault::InvalidNumber,
        Err(SmsFailure::OptedOut) => SmsSubmitFault::OptedOut,
        Err(SmsFailure::Refused) => SmsSubmitFault::Refused,
    })
}

fn next_of(
    outcome: &Result<SmsAccepted, SmsFailure>,
    (route, idempotent): (&RouteName, bool),
    (submit, dice): (u8, u64),
    now: UnixMillis,
) -> Next {
    let pause = back_off(submit, dice.rotate_left(32));
    let at = now.plus_ms(u64::try_from(pause.as_millis()).unwrap_or(u64::MAX));
    match outcome {
        Ok(_) | Err(SmsFailure::InvalidNumber | SmsFailure::OptedOut) => Next::Done,
        // It knows the key of what it took; another one would be paid for a second time.
        Err(SmsFailure::Unknown) if idempotent => Next::Again(at, Routing::Only(route.clone())),
        Err(SmsFailure::Throttled { .. } | SmsFailure::Unknown) => Next::Again(at, Routing::Same),
        Err(SmsFailure::Unavailable) => Next::Again(at, Routing::Last(route.clone())),
        Err(SmsFailure::Refused) => Next::Again(now, Routing::Without(route.clone())),
    }
}

/// Records how a try ended, whatever it takes: the gateway has spoken, and says it once. What the engine cannot record
/// before it ends is found out as unknown when the lease is over.
async fn record_end(shared: &Arc<Shared>, door: &Door, open: &Open, submit: u8, submitted: Submitted) -> Option<Next> {
    loop {
        let work = CeremonyWork::EndSubmit { challenge: open.challenge, submit, submitted: submitted.clone() };
        match door.ask(open.principal.clone(), work).await {
            Ok(_) => return None,
            Err(error) if error.rejection().is_some() || error.is_forgotten() => return Some(Next::Done),
            Err(error) if error.is_closed() => return Some(Next::Stop),
            Err(error) if error.is_retryable() => pause(&*shared.clock, BUSY_MS).await,
            Err(error) => {
                tracing::error!(challenge = %open.challenge, %error, "how a try ended cannot be recorded");
                return Some(unreadable(shared, open));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_is_asked_while_its_answer_comes_within_the_lease() {
        let (decided, until) = (UnixMillis(100_000), UnixMillis(400_000));
        let left = |now| life_left(UnixMillis(now), decided, until);
        assert_eq!(left(100_000), Some(Duration::from_secs(300)));
        assert_eq!(left(105_000), Some(Duration::from_secs(295)));
        assert_eq!(left(105_001), None, "another sender may ask before the answer comes");
        assert_eq!(left(99_000), Some(Duration::from_secs(301)), "a clock that was set back");
        assert_eq!(life_left(UnixMillis(100_000), decided, UnixMillis(100_000)), None, "nobody may use it any more");
    }
}
