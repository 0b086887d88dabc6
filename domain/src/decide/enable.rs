//! Enabling a device for a principal, and replacing one by another (R62..R67, R78, R79).

use alloc::vec;

use super::codes::locked;
use super::{Context, Decision, Denial, Outcome, Record, Step, Verdict, admitted, record, released};
use crate::caller::DeviceAct;
use crate::device::{Assigned, Device, Entity, Serial, Unassigned};
use crate::event::{DeactivateReason, DeviceAssigned, DeviceDeactivated, DeviceEnabled, PairFault, PairRefused};
use crate::ids::StreamId;
use crate::principal::{Enabled, Principal, Registered};
use crate::rejection::Rejection;
use crate::totp::{Budget, Learned, PairJudgement, PairSearch, judge_pair};

/// A device as it was looked up for a command, by the serial number that the caller gave.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The serial number, as given.
    pub serial: &'a Serial,
    /// The state of the stream that the serial number names.
    pub device: Option<&'a Device>,
}

impl<'a> Candidate<'a> {
    /// The device's stream.
    #[must_use]
    pub fn stream(&self) -> StreamId {
        self.serial.stream()
    }

    /// The entity, if it exists, bears exactly this serial number, and is in reach of the owner's
    /// account: serials of other accounts do not exist here (A9, A27).
    pub(super) fn entity_for(&self, owner: &Registered) -> Option<(&'a Device, &'a Entity)> {
        let device = self.device?;
        let entity = device.entity()?;
        let exact = entity.serial == *self.serial;
        let in_reach = entity.serial.account().is_none_or(|account| account == owner.id.account());
        (exact && in_reach).then_some((device, entity))
    }

    pub(super) fn unknown(&self) -> Rejection {
        Rejection::DeviceUnknown { serial: self.serial.clone() }
    }
}

/// Enables a device for a principal with two consecutive codes (R62..R67).
///
/// A refused pair changes nothing but the device's attempt budget (R67, A35).
#[must_use]
pub fn enable(
    principal: Option<&Principal>,
    candidate: Candidate<'_>,
    evidence: Option<&[u64]>,
    context: &Context<'_>,
) -> Step<PairSearch> {
    let ready = match ready_to_enable(principal, candidate, None, context) {
        Ok(ready) => ready,
        Err(rejection) => return Step::Decided(Err(rejection)),
    };
    prove_pair(&ready, evidence, context)
}

/// Puts a proven new device in the place of an old one, in one atomic step without a gap (R79).
///
/// # Errors
/// [`Rejection::RotationNotAtomic`] under a policy that deactivates first and enables then (R78).
#[must_use]
pub fn rotate(
    principal: Option<&Principal>,
    old: Candidate<'_>,
    candidate: Candidate<'_>,
    evidence: Option<&[u64]>,
    context: &Context<'_>,
) -> Step<PairSearch> {
    let ready = match ready_to_enable(principal, candidate, Some(old), context) {
        Ok(ready) => ready,
        Err(rejection) => return Step::Decided(Err(rejection)),
    };
    if !context.policy.atomic_rotation {
        return Step::Decided(Err(Rejection::RotationNotAtomic));
    }
    prove_pair(&ready, evidence, context)
}

/// Everything that holds before the codes are looked at.
struct Ready<'a> {
    owner: &'a Registered,
    device: StreamId,
    entity: &'a Entity,
    learned: &'a Learned,
    replaces: Option<&'a Enabled>,
}

/// The checks in the order of R56, R181 and A34.
fn ready_to_enable<'a>(
    principal: Option<&'a Principal>,
    candidate: Candidate<'a>,
    old: Option<Candidate<'_>>,
    context: &Context<'_>,
) -> Result<Ready<'a>, Rejection> {
    let owner = admitted(principal, DeviceAct::Enable, candidate.serial.kind(), context)?;
    if let Some(old) = &old {
        old.entity_for(owner).ok_or_else(|| old.unknown())?;
    }
    let (device, entity) = candidate.entity_for(owner).ok_or_else(|| candidate.unknown())?;
    let replaces = match &old {
        Some(old) => Some(owner.device(old.stream()).ok_or(Rejection::DeviceNotYours)?),
        None => None,
    };
    let learned = match device {
        Device::Unassigned(Unassigned { learned, .. }) => learned,
        Device::Assigned(Assigned { owner: holder, .. }) if *holder == owner.stream => {
            return Err(Rejection::DeviceAlreadyYours);
        }
        Device::Assigned(_) => return Err(Rejection::DeviceInUse),
        Device::Deleted(_) => return Err(candidate.unknown()),
    };
    let max = context.policy.devices_per_principal_max;
    if replaces.is_none() && owner.devices.len() >= usize::from(max) {
        return Err(Rejection::PrincipalDeviceLimit { max });
    }
    Ok(Ready { owner, device: candidate.stream(), entity, learned, replaces })
}

fn prove_pair(ready: &Ready<'_>, evidence: Option<&[u64]>, context: &Context<'_>) -> Step<PairSearch> {
    let Ready { owner, device, learned, .. } = *ready;
    let window = learned.pairs.current(context.now, context.policy);
    if let Some(decision) = locked(&learned.pairs, device, device, Budget::Pairs, window, context) {
        return Step::Decided(decision);
    }
    let search = PairSearch::around(learned, context.now, context.policy);
    let Some(matches) = evidence else { return Step::Ask(search) };
    let fault = match judge_pair(learned, &search, matches, context.now, context.policy) {
        PairJudgement::Good { counter, offset } => {
            let mut learned = learned.clone();
            learned.learn(counter, offset);
            learned.pairs.count(window);
            return Step::Decided(enabled(ready, learned, offset, context));
        }
        PairJudgement::NotNewer => PairFault::NotNewer,
        PairJudgement::NoMatch => PairFault::NoMatch,
    };
    let refused = PairRefused { owner: owner.stream, by: context.caller.by(), window, fault };
    Step::Decided(record(Verdict::Denied(Denial::Pair(fault)), [(device, refused.into())]))
}

/// One atomic write: the owner's stream, the device's stream and, in a rotation, the old device's.
fn enabled(ready: &Ready<'_>, learned: Learned, offset: i64, context: &Context<'_>) -> Decision {
    let Ready { owner, device, entity, replaces, .. } = *ready;
    let by = context.caller.by();
    let mut writes = vec![
        (owner.stream, DeviceEnabled { device, kind: entity.kind, life: entity.life, by, learned }.into()),
        (device, DeviceAssigned { owner: owner.stream }.into()),
    ];
    if let Some(old) = replaces {
        let reason = DeactivateReason::Replaced;
        writes.push((owner.stream, DeviceDeactivated { device: old.device, by, reason }.into()));
        writes.extend(released(owner.stream, old, by));
    }
    Ok(Outcome::Record(Record { writes, verdict: Verdict::PairAccepted { offset } }))
}
