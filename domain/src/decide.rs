//! Decisions: what a command does to the states it concerns.
//!
//! Each function takes the states that were read, the facts of the request ([`Context`]) and, where
//! a code is involved, the counters that matched. It returns what is to be written, or the reason
//! why nothing may be. It reads no clock, no disk and no secret.
//!
//! A wrong code is not an error: it is a recorded denial ([`Verdict::Denied`]). An error
//! ([`Rejection`]) is a command that may not be asked at all, and records nothing.

mod accounts;
mod codes;
mod devices;
mod enable;
mod forget;
mod guard;
mod keys;
mod messages;
mod outbox;
mod principals;
mod recovery;
mod settings;
mod sign_in;

pub use accounts::{
    create_virtual_device, delete_virtual_device, import_hardware_token, open_account, remove_hardware_token,
};
pub use codes::{resync, verify_code};
pub use devices::deactivate;
pub use enable::{Candidate, enable, rotate};
pub use forget::{Belongings, FORGOTTEN_MAX, forget};
pub use guard::{block_prefix, clear_prefix, guard_stream};
pub use keys::{
    CREDENTIAL_ID_BYTES_MAX, KeyAnswer, KeyProof, KeyQuestion, NewKey, Registering, begin_key_registration,
    finish_key_registration, offer_key, sign_in_with_key,
};
pub use messages::{
    CodeQuestion, Enrolment, Sending, begin_sms_enrolment, finish_sms_enrolment, send_sign_in_code,
    sign_in_with_sent_code,
};
pub use outbox::{
    LEASE_MS_MAX, REDRIVES_MAX, Submit, Submitted, begin_submit, drop_message, end_submit, message_secret, redrive,
    report,
};
pub use principals::{Removal, register_user, remove_user, rename_user};
pub use recovery::{ask_alternative, finish_recovery, prove_alternative};
pub use settings::{Setting, change_setting};
pub use sign_in::{associate_proven, associate_refused, begin_sign_in, end_sign_ins, sign_in_with_code};

use alloc::vec;
use alloc::vec::Vec;

use crate::caller::{By, Caller, Channel, Credential, DeviceAct, channel_allows};
use crate::client::Client;
use crate::device::DeviceKind;
use crate::event::{
    CodeFault, CredentialReleased, DeviceDeleted, DeviceReleased, Event, KeyFault, PairFault, SignInFactor,
    SignInFault, SmsDropReason, SmsFault,
};
use crate::ids::{AttemptId, ChallengeId, PrincipalId, StreamId, UnixMillis};
use crate::policy::Policy;
use crate::principal::{Enabled, Principal, Registered};
use crate::rejection::Rejection;
use crate::totp::Attempts;

/// The facts of a request that every decision needs.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// When it is decided; read once, at the edge.
    pub now: UnixMillis,
    /// The rules.
    pub policy: &'a Policy,
    /// Who asks.
    pub caller: &'a Caller,
    /// Where from, where it is known.
    pub client: Option<&'a Client>,
}

impl Context<'_> {
    fn client(&self) -> Client {
        self.client.cloned().unwrap_or_default()
    }
}

/// What a decision came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// These events are to be written, all or none.
    Record(Record),
    /// Nothing changes; the answer stands already.
    AlreadySo(Verdict),
}

/// Events to write atomically, each to the stream it belongs to, and the answer that they stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The events, in order.
    pub writes: Vec<(StreamId, Event)>,
    /// The answer once they are durable.
    pub verdict: Verdict,
}

/// The answer to a command that was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Done as asked.
    Done,
    /// The device is enabled or resynced; `offset` steps ahead of the server were learned. Beyond
    /// the code window this may be a late pair, and the device out of sync already (R84, A1).
    PairAccepted {
        /// Steps that the device is ahead of the server.
        offset: i64,
    },
    /// The code was accepted and is spent.
    CodeAccepted {
        /// Its counter.
        counter: u64,
    },
    /// A second factor is asked for (R97); `associate` says that a linked principal's comes first (A6).
    SecondFactorWanted {
        /// The attempt.
        attempt: AttemptId,
        /// Until when.
        until: UnixMillis,
        /// Whether the linked principal's device is asked for.
        associate: bool,
    },
    /// The principal is in.
    SignedIn {
        /// The attempt.
        attempt: AttemptId,
        /// What was proven beside the password.
        factor: SignInFactor,
        /// The device that proved it.
        device: Option<StreamId>,
    },
    /// A key was challenged, a code is to be sent, a call is to be made.
    Challenged {
        /// The challenge.
        challenge: ChallengeId,
        /// Until when it may be answered.
        until: UnixMillis,
    },
    /// A security key is registered and enabled.
    KeyRegistered {
        /// The device.
        device: StreamId,
    },
    /// A gateway may be asked.
    SmsSubmit {
        /// Which try it is, from 1.
        submit: u8,
    },
    /// A gateway is being asked already.
    SmsHeld {
        /// Until when its answer is waited for.
        until: UnixMillis,
    },
    /// The message is not to be handed over any more: it was taken, or dropped.
    SmsOver {
        /// Why it was dropped.
        reason: Option<SmsDropReason>,
    },
    /// The proof was refused.
    Denied(Denial),
}

impl Verdict {
    /// The answer that a command's recorded events stand for; what a retry of it gets.
    #[must_use]
    pub fn recorded<'a>(events: impl IntoIterator<Item = &'a Event>, policy: &Policy) -> Self {
        let events: Vec<&Event> = events.into_iter().collect();
        // What a batch comes to stands behind what it came from.
        let outcome = |event: &&Event| match event {
            Event::SignedIn(done) => {
                Some(Self::SignedIn { attempt: done.attempt, factor: done.factor, device: done.device })
            }
            Event::KeyRegistered(done) => Some(Self::KeyRegistered { device: done.device }),
            _ => None,
        };
        if let Some(verdict) = events.iter().find_map(outcome) {
            return verdict;
        }
        let answer = |event: &Event| match event {
            Event::SignInStarted(started) => Some(Self::SecondFactorWanted {
                attempt: started.attempt,
                until: started.until,
                associate: started.associate.is_some(),
            }),
            Event::AssociateProven(proven) => {
                Some(Self::SecondFactorWanted { attempt: proven.attempt, until: proven.until, associate: false })
            }
            Event::KeyChallengeIssued(issued) => {
                Some(Self::Challenged { challenge: issued.challenge, until: issued.until })
            }
            Event::SmsCodeIssued(issued) => Some(Self::Challenged { challenge: issued.challenge, until: issued.until }),
            Event::AlternativeIssued(issued) => {
                Some(Self::Challenged { challenge: issued.challenge, until: issued.until })
            }
            Event::SmsSubmitting(begun) => Some(Self::SmsSubmit { submit: begun.submit }),
            Event::SmsDropped(dropped) => Some(Self::SmsOver { reason: Some(dropped.reason) }),
            Event::KeyRefused(refused) => Some(Self::Denied(Denial::Key(refused.fault))),
            Event::SmsCodeRefused(refused) => Some(Self::Denied(Denial::Sms(refused.fault))),
            Event::AlternativeRefused(_) => Some(Self::Denied(Denial::Alternative)),
            // It stands behind the device's own refusal; alone, it is of a linked principal's device (A6).
            Event::SignInRefused(refused) => Some(Self::Denied(match refused.fault {
                SignInFault::NotAsked => Denial::NotAsked,
                SignInFault::Wrong | SignInFault::Locked => Denial::Code { fault: CodeFault::Wrong, steps: 0 },
            })),
            Event::DeviceEnabled(enabled) if !enabled.kind.is_totp() => None,
            Event::DeviceEnabled(enabled) => Some(Self::PairAccepted { offset: enabled.learned.offset }),
            Event::DeviceResynced(resynced) => Some(Self::PairAccepted { offset: resynced.offset }),
            Event::CodeAccepted(accepted) => Some(Self::CodeAccepted { counter: accepted.counter }),
            Event::CodeRefused(refused) => {
                Some(Self::Denied(Denial::Code { fault: refused.fault, steps: refused.steps }))
            }
            Event::ResyncRefused(refused) => Some(Self::Denied(Denial::Pair(refused.fault))),
            Event::PairRefused(refused) => Some(Self::Denied(Denial::Pair(refused.fault))),
            Event::BudgetSpent(spent) => {
                Some(Self::Denied(Denial::Locked { until: Attempts::ends_at(spent.window, policy) }))
            }
            _ => None,
        };
        events.into_iter().find_map(answer).unwrap_or(Self::Done)
    }
}

/// Why a proof was refused. For the log and its reader; the person at the door learns only that it
/// was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// A single code.
    Code {
        /// Why.
        fault: CodeFault,
        /// For a code outside the window: steps ahead of the device's time, or behind.
        steps: i64,
    },
    /// A pair.
    Pair(PairFault),
    /// The answer of a security key.
    Key(KeyFault),
    /// A code that was sent.
    Sms(SmsFault),
    /// An alternative factor.
    Alternative,
    /// An answer to nothing that is open.
    NotAsked,
    /// The attempt budget is spent until then; nothing was evaluated (R91).
    Locked {
        /// When it opens again.
        until: UnixMillis,
    },
}

/// A decision: an outcome, or the reason why the command may not be asked.
pub type Decision = Result<Outcome, Rejection>;

/// A decision that may first have to ask for evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<Question> {
    /// Try these counters and ask again with what matched.
    Ask(Question),
    /// Decided.
    Decided(Decision),
}

/// Builds a decided record.
fn record<const N: usize>(verdict: Verdict, writes: [(StreamId, Event); N]) -> Decision {
    Ok(Outcome::Record(Record { writes: Vec::from(writes), verdict }))
}

/// The principal, if it exists (R64).
fn existing(principal: Option<&Principal>) -> Result<&Registered, Rejection> {
    match principal {
        Some(Principal::Registered(registered)) => Ok(registered),
        Some(Principal::Forgotten(_)) => Err(Rejection::PrincipalForgotten),
        Some(Principal::Removed(_)) | None => Err(Rejection::PrincipalUnknown),
    }
}

/// Keeps out who is of another account.
fn of_this_account(owner: &Registered, context: &Context<'_>) -> Result<(), Rejection> {
    let elsewhere = |caller: &PrincipalId| caller.account() != owner.id.account();
    if context.caller.principal.as_ref().is_some_and(elsewhere) { Err(Rejection::ChannelNotAllowed) } else { Ok(()) }
}

/// What stands before the question whether a device exists, in order of precedence: the self-management
/// rule (R180, R181), then the channel (R39..R44). Gives the principal, which has to exist to be asked of.
fn admitted<'a>(
    principal: Option<&'a Principal>,
    act: DeviceAct,
    kind: DeviceKind,
    context: &Context<'_>,
) -> Result<&'a Registered, Rejection> {
    let owner = existing(principal)?;
    // A resync needs no MFA session (R112, R181).
    if act != DeviceAct::Resync {
        self_management(owner, context)?;
    }
    if !channel_allows(context.caller, act, kind, &owner.id) {
        return Err(Rejection::ChannelNotAllowed);
    }
    Ok(owner)
}

/// Refuses to check a device's codes when the clock is behind what is recorded of it (A40).
///
/// It is the device's history that counts, and only since it was enabled: where a wrong clock has left
/// an instant far ahead, an administrator enables the device anew, or another one.
fn clock_holds(enabled: &Enabled, context: &Context<'_>) -> Result<(), Rejection> {
    let tolerance_ms = u64::from(context.policy.clock_back_max_s).saturating_mul(1000);
    if context.now.plus_ms(tolerance_ms) < enabled.latest {
        Err(Rejection::ClockWentBack { latest: enabled.latest })
    } else {
        Ok(())
    }
}

/// Who has a device changes its own devices only in a session that proved one: a user under R180, and anybody in
/// the console (R182, NT-21). Root who lost its device and came in by alternative factors is let through (A22).
fn self_management(owner: &Registered, context: &Context<'_>) -> Result<(), Rejection> {
    let Caller { credential, channel, .. } = context.caller;
    let proven = credential.has_mfa() || (owner.id.is_root() && *credential == Credential::Recovered);
    if owner.devices.is_empty() || proven || !context.caller.is(&owner.id) {
        return Ok(());
    }
    let by_rule = context.policy.self_management_needs_mfa && !owner.id.is_root();
    if by_rule || *channel == Channel::Console { Err(Rejection::SelfManagementNeedsMfa) } else { Ok(()) }
}

/// Whether another registration may be begun in this attempt window.
fn may_ask(owner: &Registered, context: &Context<'_>) -> Result<(), Rejection> {
    let asked = &owner.pending.asked;
    let window = asked.current(context.now, context.policy);
    if asked.used_in(window) >= context.policy.challenges_max {
        return Err(Rejection::TooManyChallenges { again_at: Attempts::ends_at(window, context.policy) });
    }
    Ok(())
}

/// What is written when a device leaves its owner: also the end of an entity that lives only while it is assigned
/// (R49, R69).
fn released(owner: StreamId, enabled: &Enabled, by: By) -> Vec<(StreamId, Event)> {
    let device = enabled.device;
    let mut writes = vec![(device, DeviceReleased { owner, learned: enabled.learned.clone() }.into())];
    if !enabled.kind.is_totp() {
        writes.push((device, DeviceDeleted { by, life: enabled.life }.into()));
    }
    if let Some(key) = enabled.key {
        writes.push((key.credential, CredentialReleased { holder: device }.into()));
    }
    writes
}
