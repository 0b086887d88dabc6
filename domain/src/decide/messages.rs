//! SMS devices: enrolling a number, and codes that are sent at a sign-in (R36..R38, R101, R118..R128).
//!
//! NIST SP 800-63B, section 5.1.3.2: a code is good for at most ten minutes, once, and is compared in constant time; it
//! has at least 20 bits (six digits have 19.9) and therefore a limit on tries.

use alloc::vec;

use super::sign_in::{concluded, own_turn};
use super::{Context, Decision, Denial, Outcome, Record, Step, Verdict, admitted, existing, record};
use crate::caller::DeviceAct;
use crate::device::{Device, DeviceKind, PhoneNumber, Serial};
use crate::event::{
    DeviceAssigned, DeviceEnabled, SmsCodeAccepted, SmsCodeIssued, SmsCodeRefused, SmsDeviceCreated, SmsFault,
    SmsQueued,
};
use crate::ids::{AttemptId, ChallengeId, StreamId, UnixMillis, Version};
use crate::principal::{Errand, Principal, Registered, SentCode};
use crate::rejection::Rejection;
use crate::secret::ChallengeSecret;
use crate::settings::SmsEligibility;
use crate::sms::{Destination, RouteName};
use crate::totp::Learned;

/// What a code that came back is to be compared with: the one that follows from this secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeQuestion {
    /// The secret.
    pub secret: ChallengeSecret,
}

/// A code that is to be sent, and what was looked up for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sending {
    /// The challenge.
    pub challenge: ChallengeId,
    /// What the code follows from.
    pub secret: ChallengeSecret,
    /// The principal's version before the code is issued.
    pub decision: Version,
    /// Where it goes.
    pub destination: Destination,
    /// Whose turn it is first.
    pub route: RouteName,
    /// Whether anything is sent to this number now: the numbering plan, the countries, the budgets.
    pub admitted: Result<(), Rejection>,
}

/// What an enrolment needs beside the principal.
#[derive(Clone, Copy, Debug)]
pub struct Enrolment<'a> {
    /// The ARN that the device would have (R37).
    pub serial: &'a Serial,
    /// The state of that ARN's stream.
    pub device: Option<&'a Device>,
    /// Whether the account lets its users enable SMS devices (A16).
    pub eligibility: SmsEligibility,
}

/// Sends a first code to a number that is to be enrolled; asked again, another one (R118).
///
/// # Errors
/// As for enabling any device; [`Rejection::SmsNotOffered`], to root always (R122); [`Rejection::TooSoon`], also for a
/// while after a number was given up (NT-43); what [`Sending::admitted`] says.
pub fn begin_sms_enrolment(
    principal: Option<&Principal>,
    enrolment: Enrolment<'_>,
    sending: Sending,
    phone: PhoneNumber,
    context: &Context<'_>,
) -> Decision {
    let owner = ready_to_enrol(principal, enrolment, context).map_err(|own| earlier(own, &sending.admitted))?;
    issue(owner, sending, enrolment.serial.stream(), &Errand::Enrolment(phone), context)
}

/// Enables an SMS device by the code that was sent to it; one code, not two (R119).
#[must_use]
pub fn finish_sms_enrolment(
    principal: Option<&Principal>,
    enrolment: Enrolment<'_>,
    challenge: ChallengeId,
    evidence: Option<bool>,
    context: &Context<'_>,
) -> Step<CodeQuestion> {
    let owner = match admitted_to_enrol(principal, context) {
        Ok(owner) => owner,
        Err(rejection) => return Step::Decided(Err(rejection)),
    };
    let device = enrolment.serial.stream();
    let sent = owner.pending.code(device).filter(|sent| sent.id == challenge);
    let Some((sent, phone)) = sent.and_then(|sent| match &sent.errand {
        Errand::Enrolment(phone) => Some((sent, phone)),
        Errand::SignIn(_) => None,
    }) else {
        return Step::Decided(Err(Rejection::ChallengeUnknown));
    };
    if let Err(rejection) = ready_to_enrol(principal, enrolment, context) {
        return Step::Decided(Err(rejection));
    }
    // A code that was asked for before the change is no way around the pause after it.
    if let Some(again_at) = changed(owner, context) {
        return Step::Decided(Err(Rejection::TooSoon { again_at }));
    }
    let fault = match compare(sent, evidence, context) {
        Compared::Ask(question) => return Step::Ask(question),
        Compared::Good => {
            let outcome = enrolled(owner, enrolment, challenge, phone, context);
            return Step::Decided(Ok(outcome));
        }
        Compared::Refused(fault) => fault,
    };
    let refused = SmsCodeRefused { challenge, device, fault };
    Step::Decided(record(Verdict::Denied(Denial::Sms(fault)), [(owner.stream, refused.into())]))
}

/// Sends a code to an enabled SMS device, in a sign-in (R101); asked again, another one.
///
/// # Errors
/// [`Rejection::ChallengeUnknown`], [`Rejection::FactorUnknown`], [`Rejection::TooSoon`]; what [`Sending::admitted`]
/// says.
pub fn send_sign_in_code(
    principal: Option<&Principal>,
    attempt: AttemptId,
    device: StreamId,
    sending: Sending,
    context: &Context<'_>,
) -> Decision {
    let (owner, _) = own_turn(principal, attempt, context)?;
    sms_device(owner, device)?;
    issue(owner, sending, device, &Errand::SignIn(attempt), context)
}

/// Completes a sign-in with the newest code that was sent for it.
#[must_use]
pub fn sign_in_with_sent_code(
    principal: Option<&Principal>,
    attempt: AttemptId,
    device: StreamId,
    evidence: Option<bool>,
    context: &Context<'_>,
) -> Step<CodeQuestion> {
    let found = own_turn(principal, attempt, context).and_then(|(owner, _)| {
        sms_device(owner, device)?;
        Ok(owner)
    });
    let owner = match found {
        Ok(owner) => owner,
        Err(rejection) => return Step::Decided(Err(rejection)),
    };
    let sent = owner.pending.code(device);
    let Some(sent) = sent.filter(|sent| matches!(sent.errand, Errand::SignIn(of) if of == attempt)) else {
        return Step::Decided(Ok(refused_sign_in(owner, attempt, device, None, context)));
    };
    let challenge = sent.id;
    let outcome = match compare(sent, evidence, context) {
        Compared::Ask(question) => return Step::Ask(question),
        Compared::Refused(fault) => refused_sign_in(owner, attempt, device, Some((challenge, fault)), context),
        Compared::Good => {
            let writes = vec![(owner.stream, SmsCodeAccepted { challenge, device }.into())];
            concluded(owner, attempt, device, Outcome::Record(Record { writes, verdict: Verdict::Done }), context)
        }
    };
    Step::Decided(Ok(outcome))
}

fn refused_sign_in(
    owner: &Registered,
    attempt: AttemptId,
    device: StreamId,
    fault: Option<(ChallengeId, SmsFault)>,
    context: &Context<'_>,
) -> Outcome {
    let denial = fault.map_or(Denial::NotAsked, |(_, fault)| Denial::Sms(fault));
    let writes = fault.map(|(challenge, fault)| (owner.stream, SmsCodeRefused { challenge, device, fault }.into()));
    let record = Record { writes: writes.into_iter().collect(), verdict: Verdict::Denied(denial) };
    concluded(owner, attempt, device, Outcome::Record(record), context)
}

enum Compared {
    Ask(CodeQuestion),
    Good,
    Refused(SmsFault),
}

/// Judges a code that came back. One that is not evaluated is not compared either.
fn compare(sent: &SentCode, evidence: Option<bool>, context: &Context<'_>) -> Compared {
    if sent.until <= context.now {
        return Compared::Refused(SmsFault::Expired);
    }
    if sent.tries >= context.policy.sms_tries_max {
        return Compared::Refused(SmsFault::Exhausted);
    }
    match evidence {
        None => Compared::Ask(CodeQuestion { secret: sent.secret.clone() }),
        Some(true) => Compared::Good,
        Some(false) => Compared::Refused(SmsFault::Wrong),
    }
}

fn issue(owner: &Registered, sending: Sending, device: StreamId, errand: &Errand, context: &Context<'_>) -> Decision {
    // Challenges are random: only one that is asked for twice is known, and a message has one life.
    if owner.outgoing.message(sending.challenge).is_some() {
        return Err(Rejection::ChallengeUnknown);
    }
    let changed = matches!(errand, Errand::Enrolment(_)).then(|| changed(owner, context)).flatten();
    let again_at = owner.pending.sent.again_at(context.now, context.policy).max(changed);
    if let Some(again_at) = again_at {
        return Err(earlier(Rejection::TooSoon { again_at }, &sending.admitted));
    }
    sending.admitted?;
    let until = context.now.plus_ms(u64::from(context.policy.sms_code_life_s).saturating_mul(1000));
    let (attempt, phone) = match errand {
        Errand::SignIn(attempt) => (Some(*attempt), None),
        Errand::Enrolment(phone) => (None, Some(phone.clone())),
    };
    let window = owner.pending.sent.current(context.now, context.policy);
    let Sending { challenge, secret, decision, destination, route, .. } = sending;
    let issued = SmsCodeIssued { challenge, device, attempt, phone, window, until, secret, client: context.client() };
    let queued = SmsQueued { challenge, device, decision, route, destination, until };
    let writes = [(owner.stream, issued.into()), (owner.stream, queued.into())];
    record(Verdict::Challenged { challenge, until }, writes)
}

/// The reason that is given where another one stands against the number itself (R56).
fn earlier(own: Rejection, admitted: &Result<(), Rejection>) -> Rejection {
    match admitted {
        Err(other) if other.rank() < own.rank() => other.clone(),
        _ => own,
    }
}

/// Until when nobody enrols a number because the last one went moments ago (NT-43).
fn changed(owner: &Registered, context: &Context<'_>) -> Option<UnixMillis> {
    let pause_ms = u64::from(context.policy.sms_change_pause_s).saturating_mul(1000);
    // A clock that was further ahead than is borne does not stop anybody (A40).
    let borne = context.now.plus_ms(u64::from(context.policy.clock_back_max_s).saturating_mul(1000));
    let gone_at = owner.sms_gone_at.filter(|at| *at <= borne)?;
    Some(gone_at.plus_ms(pause_ms)).filter(|until| *until > context.now)
}

fn sms_device(owner: &Registered, device: StreamId) -> Result<(), Rejection> {
    let enabled = owner.device(device).filter(|enabled| enabled.kind == DeviceKind::Sms);
    enabled.map(|_| ()).ok_or(Rejection::FactorUnknown)
}

/// Who may ask for an enrolment at all. Root is told that it cannot, whatever else stands against it (R122).
fn admitted_to_enrol<'a>(principal: Option<&'a Principal>, context: &Context<'_>) -> Result<&'a Registered, Rejection> {
    if existing(principal)?.id.is_root() {
        return Err(Rejection::SmsNotOffered);
    }
    admitted(principal, DeviceAct::Enable, DeviceKind::Sms, context)
}

fn ready_to_enrol<'a>(
    principal: Option<&'a Principal>,
    enrolment: Enrolment<'_>,
    context: &Context<'_>,
) -> Result<&'a Registered, Rejection> {
    let owner = admitted_to_enrol(principal, context)?;
    let eligible = match enrolment.eligibility {
        SmsEligibility::Open => true,
        SmsEligibility::ExistingOnly | SmsEligibility::Ending => owner.sms_participant,
        SmsEligibility::Ended => false,
    };
    if !eligible || !context.policy.sms_enrolment {
        return Err(Rejection::SmsNotOffered);
    }
    if owner.device(enrolment.serial.stream()).is_some() {
        return Err(Rejection::DeviceAlreadyYours);
    }
    if enrolment.device.and_then(Device::entity).is_some() {
        return Err(Rejection::DeviceInUse);
    }
    let max = context.policy.devices_per_principal_max;
    if owner.devices.len() >= usize::from(max) {
        return Err(Rejection::PrincipalDeviceLimit { max });
    }
    Ok(owner)
}

fn enrolled(
    owner: &Registered,
    enrolment: Enrolment<'_>,
    challenge: ChallengeId,
    phone: &PhoneNumber,
    context: &Context<'_>,
) -> Outcome {
    let by = context.caller.by();
    let (serial, life) = (enrolment.serial, Device::next_life(enrolment.device));
    let device = serial.stream();
    let created = SmsDeviceCreated { account: owner.id.account(), serial: serial.clone(), phone: phone.clone(), by };
    let enabled = DeviceEnabled { device, kind: DeviceKind::Sms, life, by, learned: Learned::default() };
    let writes = vec![
        (device, created.into()),
        (owner.stream, SmsCodeAccepted { challenge, device }.into()),
        (owner.stream, enabled.into()),
        (device, DeviceAssigned { owner: owner.stream }.into()),
    ];
    Outcome::Record(Record { writes, verdict: Verdict::Done })
}
