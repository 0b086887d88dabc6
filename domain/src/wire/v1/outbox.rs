//! How codes got on their way: what was wanted, tried, taken, reported, and what it cost.

use serde::{Deserialize, Serialize};

use super::bodies;
use crate::caller::By;
use crate::event::{SmsDelivery, SmsDropReason, SmsSubmitFault};
use crate::ids::{ChallengeId, StreamId, UnixMillis, Version};
use crate::sms::{Destination, MessageId, Prefix, RouteName, SmsErrand};

bodies! {
    /// A code waits to be handed to a gateway; stands behind its `SmsCodeIssued`. Principal stream; sealed.
    SmsQueued {
        /// The challenge.
        challenge: ChallengeId,
        /// The device that it is for.
        device: StreamId,
        /// The principal's version when it was decided on; with the principal, the idempotency key.
        decision: Version,
        /// Whose turn it is first.
        route: RouteName,
        /// Where it goes.
        destination: Destination,
        /// Until when it is worth sending.
        until: UnixMillis,
    }
    /// A gateway is about to be asked. Written before it is, so that no try is forgotten. Principal stream.
    SmsSubmitting {
        /// The challenge.
        challenge: ChallengeId,
        /// Which try it is, from 1.
        submit: u8,
        /// Which gateway.
        route: RouteName,
        /// When the outcome is unknown if nothing is recorded by then.
        lease: UnixMillis,
        /// What it costs if it is taken, in millionths.
        price_micros: u64,
    }
    /// The gateway took it. Principal stream; sealed.
    SmsSubmitted {
        /// The challenge.
        challenge: ChallengeId,
        /// Which try.
        submit: u8,
        /// The gateway's own name of the message.
        message_id: Option<MessageId>,
    }
    /// The gateway did not take it, or nobody knows. Principal stream.
    SmsSubmitFailed {
        /// The challenge.
        challenge: ChallengeId,
        /// Which try.
        submit: u8,
        /// What is known.
        fault: SmsSubmitFault,
    }
    /// It is not sent any more. Principal stream.
    SmsDropped {
        /// The challenge.
        challenge: ChallengeId,
        /// Why.
        reason: SmsDropReason,
    }
    /// Somebody wants a dropped one sent after all. Principal stream.
    SmsRedriven {
        /// The challenge.
        challenge: ChallengeId,
        /// Who.
        by: By,
    }
    /// The gateway reported how far it came. Principal stream.
    SmsReported {
        /// The challenge.
        challenge: ChallengeId,
        /// How far.
        delivery: SmsDelivery,
    }
    /// Too few codes sent to a prefix came back: nothing is sent there for now. Stream of the SMS guard.
    SmsPrefixBlocked {
        /// The prefix.
        prefix: Prefix,
        /// What nothing is sent for.
        errand: SmsErrand,
        /// Codes that were sent and are settled.
        sent: u32,
        /// Codes of these that were used.
        used: u32,
        /// Until when.
        until: UnixMillis,
    }
    /// A prefix was opened again. Stream of the SMS guard.
    SmsPrefixCleared {
        /// The prefix.
        prefix: Prefix,
        /// Who did it.
        by: By,
    }
}
