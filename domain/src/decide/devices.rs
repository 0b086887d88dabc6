//! Taking a device from its owner (R68..R72).

use super::{Candidate, Context, Decision, Verdict, admitted, record};
use crate::caller::DeviceAct;
use crate::event::{DeactivateReason, DeviceDeactivated, DeviceReleased};
use crate::principal::Principal;
use crate::rejection::Rejection;

/// Deactivates a principal's device; no code is asked for (R68).
///
/// A virtual device becomes unassigned and keeps what it learned, a token goes back to the
/// inventory (R28, R69).
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
    let released = DeviceReleased { owner: owner.stream, learned: enabled.learned.clone() };
    let gone = DeviceDeactivated { device, by: context.caller.by(), reason };
    record(Verdict::Done, [(owner.stream, gone.into()), (device, released.into())])
}
