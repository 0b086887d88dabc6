//! Taking a device from its owner (R68..R72).

use alloc::vec;

use super::{Candidate, Context, Decision, Outcome, Record, Verdict, admitted, released};
use crate::caller::DeviceAct;
use crate::event::{DeactivateReason, DeviceDeactivated};
use crate::principal::Principal;
use crate::rejection::Rejection;

/// Deactivates a principal's device; no code is asked for (R68).
///
/// A virtual device becomes unassigned and keeps what it learned, a token goes back to the
/// inventory, a security key or SMS device is gone (R28, R49, R69).
///
/// # Errors
/// In the order of R56: the channel, the self-management rule, the principal, the device.
pub fn deactivate(
    principal: Option<&Principal>,
    candidate: Candidate<'_>,
    reason: DeactivateReason,
    context: &Context<'_>,
) -> Decision {
    let owner = admitted(principal, DeviceAct::Deactivate, candidate.serial.kind(), context)?;
    candidate.entity_for(owner).ok_or_else(|| candidate.unknown())?;
    let device = candidate.stream();
    let enabled = owner.device(device).ok_or(Rejection::DeviceNotYours)?;
    let by = context.caller.by();
    let mut writes = vec![(owner.stream, DeviceDeactivated { device, by, reason }.into())];
    writes.extend(released(owner.stream, enabled, by));
    Ok(Outcome::Record(Record { writes, verdict: Verdict::Done }))
}
