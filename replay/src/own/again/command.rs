//! From what a command recorded back to the command.

use countersign_domain::caller::{By, Caller, Channel, Credential};
use countersign_domain::device::{Device, Serial};
use countersign_domain::event::{CodeFault, DeactivateReason, Event, PairFault, Purpose, SignInFactor, SmsFault};
use countersign_domain::ids::{AttemptId, PrincipalId, StreamId, UnixMillis};
use countersign_domain::policy::{CodeOrder, PairCodes, Policy};
use countersign_domain::principal::{Enabled, Principal};
use countersign_domain::totp::{Budget, CodeSearch, Learned, PairSearch};

use crate::own::scene::Scene;

/// What a log says of a code that was typed: the digits are not in it, and where they fitted is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The device shows it at this counter.
    At(u64),
    /// The device shows it at one of these counters, all of which were used or passed over.
    OneOf(Vec<u64>),
    /// The device shows it nowhere in this range of counters.
    NowhereIn(u64, u64),
    /// It was not looked at.
    Unlooked,
}

/// What a log says of two codes that were typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pair {
    /// The second one is shown at this counter, the first one before it.
    At(u64),
    /// They are one of the pairs in this range that are not newer than the last accepted one.
    OldIn(u64, u64),
    /// The device shows them nowhere in this range of counters of the second one.
    NowhereIn(u64, u64),
    /// They were not looked at.
    Unlooked,
}

/// A command, as far as it can be read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A single code, for a sign-in where there is an attempt.
    Code {
        /// The device.
        device: StreamId,
        /// What for.
        purpose: Purpose,
        /// The sign-in.
        attempt: Option<AttemptId>,
        /// The code.
        shown: Shown,
    },
    /// A resync.
    Resync {
        /// The device.
        serial: Serial,
        /// Who asked.
        caller: Caller,
        /// The codes.
        pair: Pair,
    },
    /// A device is enabled, in place of another one where that is named.
    Enable {
        /// The device.
        serial: Serial,
        /// The device that it replaces.
        old: Option<Serial>,
        /// Who asked.
        caller: Caller,
        /// The codes.
        pair: Pair,
    },
    /// A device is taken away.
    Deactivate {
        /// The device.
        serial: Serial,
        /// Why.
        reason: DeactivateReason,
        /// Who asked.
        caller: Caller,
    },
    /// A code that was sent is typed at a sign-in.
    SentCode {
        /// The device.
        device: StreamId,
        /// The sign-in.
        attempt: AttemptId,
        /// Whether it was the one that was sent; `None` where it was not looked at.
        right: Option<bool>,
    },
    /// A sign-in is begun, after the right password.
    BeginSignIn {
        /// The attempt.
        attempt: AttemptId,
        /// The linked principal.
        associate: Option<StreamId>,
    },
}

/// A command that was read back, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The principal that it is about.
    pub principal: StreamId,
    /// The command.
    pub command: Command,
}

/// Why a command cannot be read back from what it recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untold {
    /// Its evidence is not in the log: answers of security keys, enrolments of telephones, alternative factors.
    Evidence,
    /// Something that it rests on is sealed.
    Sealed,
    /// It is not one of the commands on codes and devices.
    Kind,
}

impl Untold {
    /// The reason in words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Evidence => {
                "what was proven by a security key, by an alternative factor or to enrol a telephone is not in the log"
            }
            Self::Sealed => "something that the decision rests on is sealed",
            Self::Kind => {
                "only decisions on codes, sign-ins and owners of TOTP devices are made again; the log says what was recorded"
            }
        }
    }
}

/// Reads the command back that recorded these events, from the states before it and the rules that it was decided under.
///
/// # Errors
/// Why that cannot be done.
pub fn command_of(
    scene: &Scene,
    events: &[(StreamId, Event)],
    now: UnixMillis,
    policy: &Policy,
) -> Result<Recorded, Untold> {
    let has = |wanted: fn(&Event) -> bool| events.iter().find(|(_, event)| wanted(event));
    let leading = has(is_leading).ok_or(Untold::Kind)?;
    let (stream, event) = (leading.0, &leading.1);
    let old_device = |device: StreamId| match has(|event| matches!(event, Event::DeviceDeactivated(_))) {
        Some((_, Event::DeviceDeactivated(gone))) if gone.device != device => Some(gone.device),
        _ => None,
    };
    let with = |principal, command| Ok(Recorded { principal, command });
    match event {
        Event::CodeAccepted(_) | Event::CodeRefused(_) => code(scene, stream, event, events, now, policy),
        Event::SmsCodeAccepted(accepted) => with(stream, sent_code(accepted.device, Some(true), events)?),
        Event::SmsCodeRefused(refused) => {
            let right = (refused.fault == SmsFault::Wrong).then_some(false);
            with(stream, sent_code(refused.device, right, events)?)
        }
        Event::DeviceResynced(resynced) => {
            let (serial, caller) = (serial_of(scene, resynced.device)?, caller_of(scene, resynced.by, stream)?);
            with(stream, Command::Resync { serial, caller, pair: Pair::At(resynced.counter) })
        }
        Event::ResyncRefused(refused) => {
            let enabled = enabled_in(scene, stream, refused.device)?;
            let (serial, caller) = (serial_of(scene, refused.device)?, caller_of(scene, refused.by, stream)?);
            let pair = refused_pair(refused.fault, &enabled.learned, now, policy);
            with(stream, Command::Resync { serial, caller, pair })
        }
        Event::DeviceEnabled(enabled) if enabled.kind.is_totp() => {
            let (serial, caller) = (serial_of(scene, enabled.device)?, caller_of(scene, enabled.by, stream)?);
            let old = old_device(enabled.device).map(|old| serial_of(scene, old)).transpose()?;
            let counter = enabled.learned.last_pair().ok_or(Untold::Evidence)?;
            with(stream, Command::Enable { serial, old, caller, pair: Pair::At(counter) })
        }
        Event::PairRefused(refused) => {
            let (serial, caller) = (serial_of(scene, stream)?, caller_of(scene, refused.by, refused.owner)?);
            let Some(Device::Unassigned(device)) = scene.devices.get(&stream) else { return Err(Untold::Sealed) };
            let pair = refused_pair(refused.fault, &device.learned, now, policy);
            with(refused.owner, Command::Enable { serial, old: None, caller, pair })
        }
        Event::BudgetSpent(spent) if scene.people.contains_key(&stream) => match spent.budget {
            Budget::Codes => {
                let (device, attempt) = (spent.device, attempt_in(events));
                let purpose = if attempt.is_some() { Purpose::SignIn } else { Purpose::StepUp };
                with(stream, Command::Code { device, purpose, attempt, shown: Shown::Unlooked })
            }
            Budget::Pairs => {
                // Who asked is not recorded; whoever it was may resync it, as its owner may at the console.
                let own = By { who: Some(stream), channel: Channel::Console, mfa: true };
                let (serial, caller) = (serial_of(scene, spent.device)?, caller_of(scene, own, stream)?);
                with(stream, Command::Resync { serial, caller, pair: Pair::Unlooked })
            }
        },
        Event::DeviceDeactivated(gone) if gone.reason != DeactivateReason::OwnerRemoved => {
            let (serial, caller) = (serial_of(scene, gone.device)?, caller_of(scene, gone.by, stream)?);
            with(stream, Command::Deactivate { serial, reason: gone.reason, caller })
        }
        Event::SignInStarted(started) => {
            with(stream, Command::BeginSignIn { attempt: started.attempt, associate: started.associate })
        }
        Event::SignedIn(done) if done.factor == SignInFactor::Nothing => {
            with(stream, Command::BeginSignIn { attempt: done.attempt, associate: None })
        }
        Event::DeviceEnabled(_) | Event::SignedIn(_) | Event::SignInRefused(_) => Err(Untold::Evidence),
        _ => Err(Untold::Kind),
    }
}

/// At the enrolment of a device there is no sign-in, and the telephone is sealed.
fn sent_code(device: StreamId, right: Option<bool>, events: &[(StreamId, Event)]) -> Result<Command, Untold> {
    let attempt = attempt_in(events).ok_or(Untold::Evidence)?;
    Ok(Command::SentCode { device, attempt, right })
}

/// Whether an event stands for what its command did, and not for a part of it.
const fn is_leading(event: &Event) -> bool {
    matches!(
        event,
        Event::CodeAccepted(_)
            | Event::CodeRefused(_)
            | Event::SmsCodeAccepted(_)
            | Event::SmsCodeRefused(_)
            | Event::DeviceResynced(_)
            | Event::ResyncRefused(_)
            | Event::DeviceEnabled(_)
            | Event::PairRefused(_)
            | Event::BudgetSpent(_)
            | Event::DeviceDeactivated(_)
            | Event::SignInStarted(_)
            | Event::SignedIn(_)
            | Event::SignInRefused(_)
    )
}

fn code(
    scene: &Scene,
    stream: StreamId,
    event: &Event,
    events: &[(StreamId, Event)],
    now: UnixMillis,
    policy: &Policy,
) -> Result<Recorded, Untold> {
    let attempt = attempt_in(events);
    let (device, purpose, shown) = match event {
        Event::CodeAccepted(accepted) => (accepted.device, accepted.purpose, Shown::At(accepted.counter)),
        Event::CodeRefused(refused) => {
            let enabled = enabled_in(scene, stream, refused.device)?;
            let search = CodeSearch::around(&enabled.learned, now, policy);
            let shown = match refused.fault {
                CodeFault::Wrong => {
                    Shown::NowhereIn(search.wide.first.min(search.first), search.wide.last.max(search.last))
                }
                CodeFault::Used => used(&enabled.learned, &search, refused.purpose, policy),
                CodeFault::Outside => Shown::At(search.wide.centre.saturating_add_signed(refused.steps)),
                CodeFault::NotPropagated => Shown::Unlooked,
            };
            (refused.device, refused.purpose, shown)
        }
        _ => return Err(Untold::Kind),
    };
    // A linked principal's device is proven in another's sign-in, which its own events do not name (A6).
    let attempt = attempt.filter(|_| events.iter().all(|(of, _)| *of == stream));
    Ok(Recorded { principal: stream, command: Command::Code { device, purpose, attempt, shown } })
}

/// Which code it may have been that was refused as used: each that these rules call used (R87, R88, R90).
fn used(learned: &Learned, search: &CodeSearch, purpose: Purpose, policy: &Policy) -> Shown {
    let of_pairs = if purpose.is_sts() { policy.pair_codes_at_sts } else { policy.pair_codes_at_sign_in };
    let highest = learned.spent.highest().max(learned.last_pair());
    let is_used = |counter: &u64| {
        learned.spent.contains(*counter)
            || (of_pairs == PairCodes::Spent && learned.paired.contains(*counter))
            || (policy.code_order == CodeOrder::Increasing && highest.is_some_and(|highest| *counter <= highest))
    };
    let found: Vec<u64> = (search.first..=search.last).filter(is_used).collect();
    match found.as_slice() {
        [] => Shown::Unlooked,
        [one] => Shown::At(*one),
        _ => Shown::OneOf(found),
    }
}

/// The sign-in that events name.
fn attempt_in(events: &[(StreamId, Event)]) -> Option<AttemptId> {
    events.iter().find_map(|(_, event)| match event {
        Event::SignedIn(done) => Some(done.attempt),
        Event::SignInRefused(refused) => Some(refused.attempt),
        _ => None,
    })
}

fn refused_pair(fault: PairFault, learned: &Learned, now: UnixMillis, policy: &Policy) -> Pair {
    let PairSearch { first, last, .. } = PairSearch::around(learned, now, policy);
    match fault {
        PairFault::NoMatch => Pair::NowhereIn(first, last),
        PairFault::NotNewer => Pair::OldIn(first, last),
    }
}

fn enabled_in(scene: &Scene, principal: StreamId, device: StreamId) -> Result<&Enabled, Untold> {
    scene.registered(principal).and_then(|owner| owner.device(device)).ok_or(Untold::Sealed)
}

fn serial_of(scene: &Scene, device: StreamId) -> Result<Serial, Untold> {
    let entity = scene.devices.get(&device).and_then(Device::entity);
    entity.map(|entity| entity.serial.clone()).ok_or(Untold::Sealed)
}

/// The caller that an event names, as far as the rules look at it.
fn caller_of(scene: &Scene, by: By, about: StreamId) -> Result<Caller, Untold> {
    let Some(who) = by.who else {
        return Ok(Caller { channel: by.channel, ..Caller::operator() });
    };
    let principal: PrincipalId = match scene.people.get(&who).ok_or(Untold::Sealed)? {
        Principal::Registered(registered) => registered.id.clone(),
        Principal::Removed(removed) => removed.id.clone(),
        Principal::Forgotten(_) => return Err(Untold::Sealed),
    };
    let in_console = by.channel == Channel::Console;
    let credential = match (by.mfa, in_console) {
        (true, _) => Credential::Session { mfa_at: Some(UnixMillis(0)) },
        // Without a device proven, root changes its own devices in the console only after its alternative factors.
        (false, true) if principal.is_root() && who == about => Credential::Recovered,
        (false, true) => Credential::Session { mfa_at: None },
        (false, false) => Credential::LongTermKey,
    };
    Ok(Caller { principal: Some(principal), credential, channel: by.channel })
}
