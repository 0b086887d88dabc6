//! SMS devices and the codes that are sent to them (R36..R38, R118..R128).

use serde::{Deserialize, Serialize};

use super::bodies;
use crate::caller::By;
use crate::client::Client;
use crate::device::{PhoneNumber, Serial};
use crate::event::SmsFault;
use crate::ids::{AccountId, AttemptId, ChallengeId, StreamId, UnixMillis};
use crate::secret::ChallengeSecret;

bodies! {
    /// An SMS device came into being, to be assigned at once (R49). Device stream; sealed.
    SmsDeviceCreated {
        /// The account it belongs to.
        account: AccountId,
        /// Its ARN (R37).
        serial: Serial,
        /// The number that codes are sent to.
        phone: PhoneNumber,
        /// Who enrolled it.
        by: By,
    }
    /// A code is to be sent. It makes every earlier code of the device worthless (A15). Principal stream; sealed.
    SmsCodeIssued {
        /// The challenge.
        challenge: ChallengeId,
        /// The device; for an enrolment, the one that it will make.
        device: StreamId,
        /// The sign-in that it is for; an enrolment has none.
        attempt: Option<AttemptId>,
        /// The number that is enrolled; a device has its own.
        phone: Option<PhoneNumber>,
        /// The sending window in which it counts (A15).
        window: u64,
        /// Until when the code is good.
        until: UnixMillis,
        /// What the code follows from.
        secret: ChallengeSecret,
        /// Where from.
        client: Client,
    }
    /// A code that was sent came back, and is spent. Principal stream.
    SmsCodeAccepted {
        /// The challenge.
        challenge: ChallengeId,
        /// The device.
        device: StreamId,
    }
    /// A code that came back was refused. Principal stream.
    SmsCodeRefused {
        /// The challenge.
        challenge: ChallengeId,
        /// The device.
        device: StreamId,
        /// Why.
        fault: SmsFault,
    }
}
