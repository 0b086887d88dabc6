//! Security keys (R30..R35): registration, challenges, answers.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::bodies;
use crate::caller::By;
use crate::client::Client;
use crate::device::Serial;
use crate::event::{KeyFault, KeyForm};
use crate::ids::{AccountId, AttemptId, ChallengeId, StreamId, UnixMillis};
use crate::secret::Opaque;

bodies! {
    /// A security key came into being, to be assigned at once (R49). Device stream; sealed.
    SecurityKeyCreated {
        /// The account it belongs to.
        account: AccountId,
        /// Its ARN (R35).
        serial: Serial,
        /// What it is to its owner.
        form: KeyForm,
        /// The id of its credential.
        credential_id: Vec<u8>,
        /// The credential, in the form of the library that verifies it.
        credential: Opaque,
        /// The format of its attestation statement (WebAuthn section 8), such as `packed` or `fido-u2f`.
        attestation: String,
        /// The model (AAGUID) that a trusted attestation names.
        model: Option<[u8; 16]>,
        /// Whether it may be copied to other devices of its owner, as synced passkeys are.
        backup_eligible: bool,
        /// Who registered it.
        by: By,
    }
    /// A credential now belongs to a device (R30). Credential stream.
    CredentialClaimed {
        /// The device's stream.
        holder: StreamId,
    }
    /// A credential belongs to no device any more. Credential stream.
    CredentialReleased {
        /// The device that it belonged to.
        holder: StreamId,
    }
    /// A security key was asked to register, or to prove itself. Principal stream; sealed.
    KeyChallengeIssued {
        /// The challenge.
        challenge: ChallengeId,
        /// Which keys are asked.
        form: KeyForm,
        /// The sign-in that it is for; a registration has none.
        attempt: Option<AttemptId>,
        /// The ARN that a registration gives the key.
        serial: Option<Serial>,
        /// The device that a registration replaces.
        replaces: Option<StreamId>,
        /// Until when it may be answered.
        until: UnixMillis,
        /// The attempt window in which a registration counts.
        window: u64,
        /// What the answer is checked against, in the form of the library that checks it.
        state: Opaque,
        /// Where from.
        client: Client,
    }
    /// A registration was answered and the key is enabled. Principal stream, after its DeviceEnabled.
    KeyRegistered {
        /// The device.
        device: StreamId,
        /// The challenge that was answered, and is spent.
        challenge: ChallengeId,
        /// What it is to its owner.
        form: KeyForm,
        /// The credential's stream.
        credential: StreamId,
        /// The key's signature counter.
        counter: u32,
    }
    /// A security key proved itself. Principal stream.
    KeyAccepted {
        /// The device.
        device: StreamId,
        /// The challenge that was answered, and is spent.
        challenge: ChallengeId,
        /// The key's signature counter.
        counter: u32,
        /// Whether the key verified its user.
        user_verified: bool,
    }
    /// The answer to a challenge was refused. Principal stream.
    KeyRefused {
        /// The challenge, which is spent.
        challenge: ChallengeId,
        /// The device, where it is known whose answer it is.
        device: Option<StreamId>,
        /// Why.
        fault: KeyFault,
        /// The signature counter of the answer, where it was verified.
        counter: Option<u32>,
    }
}
