//! Prefixes that nothing is sent to, because too few codes came back (NT-40).

use super::{Context, Decision, Verdict, record};
use crate::event::{SmsPrefixBlocked, SmsPrefixCleared};
use crate::ids::StreamId;
use crate::sms::{Prefix, SmsErrand};

/// The stream of the SMS guard.
#[must_use]
pub fn guard_stream() -> StreamId {
    StreamId::derive(&["sms guard"])
}

/// Stops sending to a prefix, for one kind of errand, for as long as the policy says: of so many codes sent, so few were used.
///
/// # Errors
/// None; who may ask is the platform's to say.
pub fn block_prefix(prefix: Prefix, errand: SmsErrand, (sent, used): (u32, u32), context: &Context<'_>) -> Decision {
    let until = context.now.plus_ms(u64::from(context.policy.sms_block_s).saturating_mul(1000));
    record(Verdict::Done, [(guard_stream(), SmsPrefixBlocked { prefix, errand, sent, used, until }.into())])
}

/// Sends to a prefix again.
///
/// # Errors
/// None; who may ask is the platform's to say.
pub fn clear_prefix(prefix: Prefix, context: &Context<'_>) -> Decision {
    record(Verdict::Done, [(guard_stream(), SmsPrefixCleared { prefix, by: context.caller.by() }.into())])
}
