//! Taking a device from its owner (R68..R72).

use super::{Candidate, Context, Decision, Verdict, existing, record, self_management};
use crate::caller::{DeviceAct, channel_allows};
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
    self_management(principal, context)?;
    let owner = existing(principal)?;
    let exists = candidate.entity_for(owner).ok_or_else(|| candidate.unknown())?.1;
    if !channel_allows(context.caller, DeviceAct::Deactivate, exists.kind, &owner.id) {
        return Err(Rejection::ChannelNotAllowed);
    }
    let device = candidate.stream();
    let enabled = owner.device(device).ok_or(Rejection::DeviceNotYours)?;
    let released = DeviceReleased { owner: owner.stream, learned: enabled.learned.clone() };
    let gone = DeviceDeactivated { device, by: context.caller.by(), reason };
    record(Verdict::Done, [(owner.stream, gone.into()), (device, released.into())])
}
