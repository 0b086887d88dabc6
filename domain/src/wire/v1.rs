//! Version 1 of every event body. Frozen: a change is a new struct in a new module and a `From`.

mod keys;
mod messages;
mod outbox;
mod settings;
mod sign_in;

pub use keys::{
    CredentialClaimed, CredentialReleased, KeyAccepted, KeyChallengeIssued, KeyRefused, KeyRegistered,
    SecurityKeyCreated,
};
pub use messages::{SmsCodeAccepted, SmsCodeIssued, SmsCodeRefused, SmsDeviceCreated};
pub use outbox::{
    SmsDropped, SmsPrefixBlocked, SmsPrefixCleared, SmsQueued, SmsRedriven, SmsReported, SmsSubmitFailed, SmsSubmitted,
    SmsSubmitting,
};
pub use settings::{AliasChanged, AlternativeFactorsSwitched, PolicyChosen, RootLinked, SmsEligibilityChanged};
pub use sign_in::{
    AlternativeIssued, AlternativeProven, AlternativeRefused, AssociateProven, PasswordRefused, PasswordsLocked,
    SignInRefused, SignInStarted, SignInsEnded, SignedIn,
};

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::caller::By;
use crate::client::Client;
use crate::device::{DeviceKind, DeviceName, Path, Serial};
use crate::event::{CodeFault, DeactivateReason, ForgetReason, PairFault, Purpose};
use crate::ids::{AccountId, PrincipalId, StreamId, Version};
use crate::secret::Seed;
use crate::totp::{Budget, Learned};

macro_rules! bodies {
    ($( $(#[$doc:meta])* $name:ident { $( $(#[$fdoc:meta])* $field:ident : $ty:ty ),* $(,)? } )*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
            pub struct $name { $( $(#[$fdoc])* pub $field: $ty ),* }
        )*
    };
}

use bodies;

bodies! {
    /// An account was opened. Account stream.
    AccountOpened {
        /// Its id.
        account: AccountId,
        /// Who opened it.
        by: By,
    }
    /// A user was added to the account; counts against its quota. Account stream.
    UserAdded {
        /// The user's stream.
        user: StreamId,
    }
    /// A user was removed from the account. Account stream.
    UserRemoved {
        /// The user's stream.
        user: StreamId,
    }
    /// A virtual device was created in the account (R163: MFADevices + 1). Account stream.
    DeviceAdded {
        /// The device's stream.
        device: StreamId,
    }
    /// A virtual device was deleted from the account (R52). Account stream.
    DeviceRemoved {
        /// The device's stream.
        device: StreamId,
    }
    /// A name of an account now belongs to a principal (R9). Name stream.
    NameClaimed {
        /// Its stream.
        holder: StreamId,
    }
    /// A name is free again. Name stream.
    NameReleased {
        /// Who held it.
        holder: StreamId,
    }
    /// A virtual device came into being, unassigned (R52). Device stream; sealed.
    VirtualDeviceCreated {
        /// The account it belongs to.
        account: AccountId,
        /// Its ARN (R20).
        serial: Serial,
        /// The stream that holds its shared secret (R15), and nothing else.
        seed: StreamId,
        /// Who created it.
        by: By,
    }
    /// A hardware token entered the inventory (R27, A10). Device stream; sealed.
    HardwareTokenImported {
        /// The vendor's serial number.
        serial: Serial,
        /// The stream that holds its shared secret, and nothing else.
        seed: StreamId,
        /// The vendor, as the import said.
        manufacturer: String,
        /// Who imported it.
        by: By,
    }
    /// The shared secret of one life of a device. A stream of its own, so that it is destroyed alone (A36); sealed.
    SeedStored {
        /// The device.
        device: StreamId,
        /// The secret.
        seed: Seed,
    }
    /// The device got an owner. Device stream.
    DeviceAssigned {
        /// The owner's stream.
        owner: StreamId,
    }
    /// The device lost its owner and took along what it had learned (R69, R85). Device stream.
    DeviceReleased {
        /// Who owned it.
        owner: StreamId,
        /// What is known of its codes.
        learned: Learned,
    }
    /// The entity was deleted and its serial is free (R73). Device stream. The tombstone of this life's seed: once
    /// it is durable, the key of the seed's stream is destroyed (A36).
    DeviceDeleted {
        /// Who deleted it.
        by: By,
        /// Which life of the serial ended, from 1 on.
        life: u32,
    }
    /// A pair for enabling an unassigned device was refused (R64). Device stream.
    PairRefused {
        /// For whom it was to be enabled.
        owner: StreamId,
        /// Who tried.
        by: By,
        /// The attempt window in which it counts.
        window: u64,
        /// Why.
        fault: PairFault,
    }
    /// A device's attempt budget ran out; recorded once per window (R91). Device or principal stream.
    BudgetSpent {
        /// The device.
        device: StreamId,
        /// Which budget.
        budget: Budget,
        /// The window that is closed.
        window: u64,
    }
    /// A principal can own devices from now on. Principal stream; sealed.
    PrincipalRegistered {
        /// Who it is.
        id: PrincipalId,
        /// Its name; root's is what the account calls it.
        name: DeviceName,
        /// Its path (R9).
        path: Path,
    }
    /// A user has another name or path, and keeps its devices (R10). Principal stream; sealed.
    PrincipalRenamed {
        /// The new name.
        name: DeviceName,
        /// The new path.
        path: Path,
    }
    /// A principal is gone for good. Principal stream.
    PrincipalRemoved {
        /// Who removed it.
        by: By,
    }
    /// A principal that was removed is forgotten. Principal stream. The tombstone of keys: once it is durable, they are
    /// destroyed, and what they sealed is gone. It is never sealed itself, and says nothing of the person.
    PrincipalForgotten {
        /// Who asked.
        by: By,
        /// Why.
        reason: ForgetReason,
        /// Entries whose keys are to be destroyed, each the first that its key sealed; at most
        /// [`FORGOTTEN_MAX`](crate::decide::FORGOTTEN_MAX).
        keys: Vec<Forgotten>,
    }
    /// A sealed entry whose key is to be destroyed. Part of an event.
    Forgotten {
        /// Its stream.
        stream: StreamId,
        /// Its version in the stream.
        version: Version,
    }
    /// A device was associated and activated at once (R50). Principal stream.
    DeviceEnabled {
        /// The device.
        device: StreamId,
        /// Its kind.
        kind: DeviceKind,
        /// Which life of its serial it is in, from 1 on.
        life: u32,
        /// Who enabled it.
        by: By,
        /// What is known of its codes, the accepted pair included (R82).
        learned: Learned,
    }
    /// An accepted pair taught the device's time anew (R82, R83). Principal stream.
    DeviceResynced {
        /// The device.
        device: StreamId,
        /// Who resynced it.
        by: By,
        /// The attempt window in which the pair counts.
        window: u64,
        /// Counter of the second code.
        counter: u64,
        /// Steps that the device is ahead of the server.
        offset: i64,
    }
    /// A pair for a resync was refused (R111). Principal stream.
    ResyncRefused {
        /// The device.
        device: StreamId,
        /// Who tried.
        by: By,
        /// The attempt window in which it counts.
        window: u64,
        /// Why.
        fault: PairFault,
    }
    /// A single code was accepted and is spent (R87). Principal stream.
    CodeAccepted {
        /// The device.
        device: StreamId,
        /// What for.
        purpose: Purpose,
        /// The attempt window in which it counts.
        window: u64,
        /// The code's counter.
        counter: u64,
    }
    /// A single code was refused. Principal stream.
    CodeRefused {
        /// The device.
        device: StreamId,
        /// What for.
        purpose: Purpose,
        /// The attempt window in which it counts.
        window: u64,
        /// Why.
        fault: CodeFault,
        /// For a code outside the window: how many steps ahead of the device's time, or behind.
        steps: i64,
    }
    /// A device was taken from its owner (R69). Principal stream.
    DeviceDeactivated {
        /// The device.
        device: StreamId,
        /// Who did it.
        by: By,
        /// Why.
        reason: DeactivateReason,
    }
}

/// The log is signed with another key from here on. The log's own stream; clear.
///
/// The body is the statement and nothing else: a signed note (C2SP `signed-note`) with the name of the log, the old key, the
/// new one and the log's size then, signed by both keys. Whoever trusts the old key can trust the new one by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKeyRotated {
    /// The signed note. Nothing in it is secret.
    pub statement: String,
}

/// A record of the embedding platform in the same log: opaque here. Host stream; sealed.
///
/// Its type id is `0x8000` plus `kind`, so that the host can tell its records apart.
#[derive(Clone, PartialEq, Eq)]
pub struct HostRecord {
    /// The host's own number for the record's type: 0 to 0x7fff.
    pub kind: u16,
    /// Who wrote it; version 1 did not say.
    pub by: Option<By>,
    /// Where from.
    pub client: Client,
    /// The record.
    pub body: Vec<u8>,
}

impl fmt::Debug for HostRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostRecord {{ kind: {}, body: {} bytes }}", self.kind, self.body.len())
    }
}
