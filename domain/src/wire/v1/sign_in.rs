//! Signing in (R97..R108), and root's way back in (R130).

use serde::{Deserialize, Serialize};

use super::bodies;
use crate::caller::By;
use crate::client::Client;
use crate::event::{AlternativeFactor, SignInFactor, SignInFault};
use crate::ids::{AttemptId, ChallengeId, StreamId, UnixMillis};
use crate::secret::ChallengeSecret;

bodies! {
    /// A wrong password, or a name that nobody has: the name is not kept, as people type passwords there (R195).
    /// Door stream; sealed.
    PasswordRefused {
        /// Whose password it would have been, if anybody's.
        who: Option<StreamId>,
        /// Where it was typed.
        client: Client,
    }
    /// Too many passwords were tried; for a while none is looked at. Door stream; sealed.
    PasswordsLocked {
        /// For whom, if for a principal.
        who: Option<StreamId>,
        /// Where the last one was typed.
        client: Client,
    }
    /// The password was right and a second factor is asked for (R97, R197). Principal stream; sealed.
    SignInStarted {
        /// The attempt.
        attempt: AttemptId,
        /// Until when it may be completed.
        until: UnixMillis,
        /// The linked principal whose device is asked for first (R5, A6).
        associate: Option<StreamId>,
        /// Where.
        client: Client,
    }
    /// A principal is in. Principal stream; sealed.
    SignedIn {
        /// The attempt.
        attempt: AttemptId,
        /// What was proven beside the password.
        factor: SignInFactor,
        /// The device that proved it.
        device: Option<StreamId>,
        /// Where.
        client: Client,
    }
    /// A second factor was refused. Principal stream; sealed.
    SignInRefused {
        /// The attempt.
        attempt: AttemptId,
        /// The device that was to prove it.
        device: Option<StreamId>,
        /// Why; the device's own event says more.
        fault: SignInFault,
        /// Where.
        client: Client,
    }
    /// The linked principal's device was proven; the own one is asked for next (A6). Principal stream; sealed.
    AssociateProven {
        /// The attempt.
        attempt: AttemptId,
        /// The linked principal's device.
        device: StreamId,
        /// Until when the sign-in may be completed.
        until: UnixMillis,
        /// A keyed hash of the code, so that the same digits are not taken for both.
        mark: [u8; 16],
        /// Where from.
        client: Client,
    }
    /// An alternative factor was asked for (R130). Principal stream; sealed.
    AlternativeIssued {
        /// The attempt.
        attempt: AttemptId,
        /// Which factor.
        factor: AlternativeFactor,
        /// The challenge.
        challenge: ChallengeId,
        /// Until when it may be answered.
        until: UnixMillis,
        /// The sending window in which it counts (A15).
        window: u64,
        /// What the code follows from.
        secret: ChallengeSecret,
        /// Where from.
        client: Client,
    }
    /// An alternative factor was proven. Principal stream; sealed.
    AlternativeProven {
        /// The attempt.
        attempt: AttemptId,
        /// Which factor.
        factor: AlternativeFactor,
        /// Where from.
        client: Client,
    }
    /// The answer to an alternative factor was refused. Principal stream; sealed.
    AlternativeRefused {
        /// The attempt.
        attempt: AttemptId,
        /// Which factor.
        factor: AlternativeFactor,
        /// Where from.
        client: Client,
    }
    /// Every open sign-in and challenge of the principal is over: its password was changed, as a rule. Principal
    /// stream.
    SignInsEnded {
        /// Who ended them.
        by: By,
    }
}
