//! Forgetting who was removed.

use alloc::vec::Vec;

use super::{Context, Decision, Outcome, Verdict, record};
use crate::caller::Channel;
use crate::device::Serial;
use crate::event::{ForgetReason, Forgotten, PrincipalForgotten};
use crate::ids::StreamId;
use crate::principal::Principal;
use crate::rejection::Rejection;

/// Keys that one tombstone names at most: it has to fit into one append.
pub const FORGOTTEN_MAX: usize = 1000;

/// What is about a principal and nobody else, as it was found in the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Belongings {
    /// The first entry that each key sealed.
    pub keys: Vec<Forgotten>,
    /// A device that nobody else ever had, and that is still there.
    pub left_behind: Option<Serial>,
}

/// Forgets a principal: it leaves a tombstone, and the keys that it names are to be destroyed once it is durable.
///
/// Only the operator of the deployment forgets, and only who was removed: what a live principal is asked and has is
/// decided from what would be forgotten. Root goes with its account, and cannot be removed (R7).
///
/// # Errors
/// [`Rejection::ChannelNotAllowed`] to anybody else; [`Rejection::PrincipalUnknown`] when there never was such a
/// principal; [`Rejection::PrincipalNotRemoved`]; [`Rejection::DeviceLeftBehind`]; [`Rejection::TooMuchToForget`].
pub fn forget(
    (stream, principal): (StreamId, Option<&Principal>),
    belongings: Belongings,
    reason: ForgetReason,
    context: &Context<'_>,
) -> Decision {
    if context.caller.channel != Channel::Operator || context.caller.principal.is_some() {
        return Err(Rejection::ChannelNotAllowed);
    }
    match principal {
        None => return Err(Rejection::PrincipalUnknown),
        Some(Principal::Registered(_)) => return Err(Rejection::PrincipalNotRemoved),
        Some(Principal::Forgotten(_)) => return Ok(Outcome::AlreadySo(Verdict::Done)),
        Some(Principal::Removed(_)) => {}
    }
    if let Some(serial) = belongings.left_behind {
        return Err(Rejection::DeviceLeftBehind { serial });
    }
    if belongings.keys.len() > FORGOTTEN_MAX {
        return Err(Rejection::TooMuchToForget);
    }
    let forgotten = PrincipalForgotten { by: context.caller.by(), reason, keys: belongings.keys };
    record(Verdict::Done, [(stream, forgotten.into())])
}
