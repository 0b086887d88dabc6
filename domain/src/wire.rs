//! The stored form of events: type ids, versions, and strict decoding.
//!
//! postcard does not describe itself, so dispatch is on the (type id, version) of the entry's
//! header. Each pair has one frozen struct; decoding demands that the whole body is used.

pub mod v1;

use alloc::vec::Vec;
use core::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::client::Client;
use crate::event::Event;

/// Declares an enum whose numbers are written out, because in postcard the order of variants
/// would otherwise be the format.
#[macro_export]
#[doc(hidden)]
macro_rules! wire_enum {
    ($(#[$doc:meta])* pub enum $name:ident { $( $(#[$vdoc:meta])* $variant:ident = $number:literal ),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "u8", into = "u8")]
        #[repr(u8)]
        pub enum $name { $( $(#[$vdoc])* $variant = $number ),* }

        impl $name {
            /// Every value, in order of its number.
            pub const ALL: &'static [Self] = &[ $( Self::$variant ),* ];
        }

        impl From<$name> for u8 {
            fn from(value: $name) -> Self {
                value as Self
            }
        }

        impl TryFrom<u8> for $name {
            type Error = &'static str;
            fn try_from(number: u8) -> Result<Self, &'static str> {
                match number {
                    $( $number => Ok(Self::$variant), )*
                    _ => Err(concat!("no ", stringify!($name), " has this number")),
                }
            }
        }
    };
}

/// First type id of the embedding platform's own records.
pub const HOST_TYPES: u16 = 0x8000;
/// The version that records of the platform are written in: who wrote them, where from, and the record. Version 1 was the
/// record alone.
pub const HOST_VERSION: u16 = 2;

/// Type ids of what the log writes of itself. Nobody else may use them.
pub const LOG_TYPES: core::ops::RangeInclusive<u16> = 0x7f00..=0x7fff;
/// The parts of the name of the log's own stream.
pub const LOG_STREAM: [&str; 1] = ["log"];
/// The type id of the log's change from one signing key to the next.
pub const SIGNING_KEY_ROTATED: u16 = 0x7f01;

/// Whether the store keeps a body readable or seals it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sealing {
    /// Holds neither a secret nor personal data: pseudonymous ids, counters, verdicts.
    Clear,
    /// Holds a seed, a name or a serial number, or belongs to the host.
    Sealed,
}

/// An event as it is handed to the store.
#[derive(Clone, PartialEq, Eq)]
pub struct Encoded {
    /// Type id; never reused.
    pub event_type: u16,
    /// Version of the type's body.
    pub type_version: u16,
    /// Whether the store must seal the body.
    pub sealing: Sealing,
    /// The body, in clear.
    pub body: Vec<u8>,
}

impl fmt::Debug for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Encoded({:#06x} v{}, {} bytes)", self.event_type, self.type_version, self.body.len())
    }
}

/// A stored body that cannot be taken for an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireError {
    /// No event has this type id and version: a newer release wrote it.
    Unknown {
        /// Type id.
        event_type: u16,
        /// Version.
        type_version: u16,
    },
    /// The bytes are not a body of this type.
    Malformed {
        /// Type id.
        event_type: u16,
        /// Version.
        type_version: u16,
    },
    /// The event does not fit in memory.
    TooLarge,
    /// A host record's kind is over 0x7fff.
    HostKind,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { event_type, type_version } => {
                write!(f, "unknown event type {event_type:#06x} version {type_version}; a newer release wrote it")
            }
            Self::Malformed { event_type, type_version } => {
                write!(f, "malformed body of event type {event_type:#06x} version {type_version}")
            }
            Self::HostKind => f.write_str("the kind of a host record is at most 0x7fff"),
            Self::TooLarge => f.write_str("the event cannot be encoded"),
        }
    }
}

impl core::error::Error for WireError {}

macro_rules! table {
    ($( $id:literal $version:literal $sealing:ident $name:ident; )*) => {
        /// Every stored type: its id, version, name and sealing.
        pub const TYPES: &[(u16, u16, &str, Sealing)] =
            &[ $( ($id, $version, stringify!($name), Sealing::$sealing) ),* ];

        /// Encodes an event for the store.
        ///
        /// # Errors
        /// When memory for the body cannot be had, or a host record's kind is over 0x7fff.
        pub fn encode(event: &Event) -> Result<Encoded, WireError> {
            match event {
                $( Event::$name(body) => pack($id, $version, Sealing::$sealing, body), )*
                Event::SigningKeyRotated(rotated) => Ok(Encoded {
                    event_type: SIGNING_KEY_ROTATED,
                    type_version: 1,
                    sealing: Sealing::Clear,
                    body: rotated.statement.as_bytes().to_vec(),
                }),
                Event::HostRecord(record) if record.kind >= HOST_TYPES => Err(WireError::HostKind),
                Event::HostRecord(record) => {
                    let told = (record.by, &record.client, &record.body);
                    pack(HOST_TYPES | record.kind, HOST_VERSION, Sealing::Sealed, &told)
                }
            }
        }

        /// Decodes a stored body by the type id and version of its header.
        ///
        /// # Errors
        /// When the pair is unknown, or when the bytes are not exactly one body of that type.
        pub fn decode(event_type: u16, type_version: u16, body: &[u8]) -> Result<Event, WireError> {
            match (event_type, type_version) {
                $( ($id, $version) => unpack::<v1::$name>(event_type, type_version, body).map(Event::$name), )*
                // The store writes it, and knows no encoding of ours: the body is the text itself.
                (SIGNING_KEY_ROTATED, 1) => {
                    let statement = core::str::from_utf8(body);
                    let statement = statement.map_err(|_| WireError::Malformed { event_type, type_version })?;
                    Ok(Event::SigningKeyRotated(v1::SigningKeyRotated { statement: statement.into() }))
                }
                (HOST_TYPES.., 1) => {
                    let (kind, by, client) = (event_type & !HOST_TYPES, None, Client::default());
                    Ok(Event::HostRecord(v1::HostRecord { kind, by, client, body: body.to_vec() }))
                }
                (HOST_TYPES.., HOST_VERSION) => {
                    let (by, client, body) = unpack(event_type, type_version, body)?;
                    Ok(Event::HostRecord(v1::HostRecord { kind: event_type & !HOST_TYPES, by, client, body }))
                }
                _ => Err(WireError::Unknown { event_type, type_version }),
            }
        }
    };
}

table! {
    0x0101 1 Clear  AccountOpened;
    0x0102 1 Clear  UserAdded;
    0x0103 1 Clear  UserRemoved;
    0x0104 1 Clear  DeviceAdded;
    0x0105 1 Clear  DeviceRemoved;
    0x0110 1 Sealed AliasChanged;
    0x0111 1 Clear  SmsEligibilityChanged;
    0x0112 1 Clear  AlternativeFactorsSwitched;
    0x0113 1 Clear  PolicyChosen;
    0x0114 1 Clear  RootLinked;
    0x0120 1 Sealed PasswordRefused;
    0x0121 1 Sealed PasswordsLocked;
    0x0180 1 Clear  NameClaimed;
    0x0181 1 Clear  NameReleased;
    0x0182 1 Clear  CredentialClaimed;
    0x0183 1 Clear  CredentialReleased;
    0x0201 1 Sealed VirtualDeviceCreated;
    0x0202 1 Sealed HardwareTokenImported;
    0x0203 1 Clear  DeviceAssigned;
    0x0204 1 Clear  DeviceReleased;
    0x0205 1 Clear  DeviceDeleted;
    0x0206 1 Clear  PairRefused;
    0x0207 1 Clear  BudgetSpent;
    0x0208 1 Sealed SecurityKeyCreated;
    0x0209 1 Sealed SmsDeviceCreated;
    0x0210 1 Sealed SeedStored;
    0x0301 1 Sealed PrincipalRegistered;
    0x0302 1 Sealed PrincipalRenamed;
    0x0303 1 Clear  PrincipalRemoved;
    0x0304 1 Clear  PrincipalForgotten;
    0x0310 1 Clear  DeviceEnabled;
    0x0311 1 Clear  DeviceResynced;
    0x0312 1 Clear  ResyncRefused;
    0x0313 1 Clear  CodeAccepted;
    0x0314 1 Clear  CodeRefused;
    0x0315 1 Clear  DeviceDeactivated;
    0x0320 1 Sealed SignInStarted;
    0x0321 1 Sealed SignedIn;
    0x0322 1 Sealed SignInRefused;
    0x0323 1 Sealed AssociateProven;
    0x0324 1 Clear  SignInsEnded;
    0x0330 1 Sealed KeyChallengeIssued;
    0x0331 1 Clear  KeyRegistered;
    0x0332 1 Clear  KeyAccepted;
    0x0333 1 Clear  KeyRefused;
    0x0340 1 Sealed SmsCodeIssued;
    0x0341 1 Clear  SmsCodeAccepted;
    0x0342 1 Clear  SmsCodeRefused;
    0x0343 1 Sealed SmsQueued;
    0x0344 1 Clear  SmsSubmitting;
    0x0345 1 Sealed SmsSubmitted;
    0x0346 1 Clear  SmsSubmitFailed;
    0x0347 1 Clear  SmsDropped;
    0x0348 1 Clear  SmsRedriven;
    0x0349 1 Clear  SmsReported;
    0x0350 1 Sealed AlternativeIssued;
    0x0351 1 Sealed AlternativeProven;
    0x0352 1 Sealed AlternativeRefused;
    0x0401 1 Clear  SmsPrefixBlocked;
    0x0402 1 Clear  SmsPrefixCleared;
}

fn pack<T: Serialize>(event_type: u16, type_version: u16, sealing: Sealing, body: &T) -> Result<Encoded, WireError> {
    // Most bodies fit at once, so that encoding one allocates once.
    let body = postcard::to_extend(body, Vec::with_capacity(64)).map_err(|_| WireError::TooLarge)?;
    Ok(Encoded { event_type, type_version, sealing, body })
}

fn unpack<T: DeserializeOwned>(event_type: u16, type_version: u16, body: &[u8]) -> Result<T, WireError> {
    match postcard::take_from_bytes(body) {
        Ok((value, [])) => Ok(value),
        _ => Err(WireError::Malformed { event_type, type_version }),
    }
}
