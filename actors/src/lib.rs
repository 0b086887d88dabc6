//! Countersign: the MFA lifecycle engine that an account platform embeds.
//!
//! Every principal is an actor; what happens to its MFA devices is an append-only, durable,
//! hash-chained log; queries are answered by projections that never miss what was acknowledged. See
//! [`Countersign`] for what a platform calls, [`Config`] for how it is set up, and [`domain`] for the
//! rules.

pub use countersign_domain as domain;
pub use countersign_store as store;

pub use countersign_domain::caller::{By, Caller, Channel, Credential};
pub use countersign_domain::client::Client;
pub use countersign_domain::decide::Removal;
pub use countersign_domain::device::{DeviceKind, DeviceName, Path, PhoneError, PhoneNumber, Serial};
pub use countersign_domain::event::{
    DeactivateReason, ForgetReason, KeyForm, Purpose, SmsDelivery, SmsDropReason, SmsSubmitFault,
};
pub use countersign_domain::ids::{
    AccountId, AttemptId, ChallengeId, CommandId, Position, PrincipalId, StreamId, UnixMillis, UserId, Version,
};
pub use countersign_domain::policy::{CodeOrder, PairCodes, Policy};
pub use countersign_domain::rejection::Rejection;
pub use countersign_domain::secret::Seed;
pub use countersign_domain::settings::{AccountAlias, AliasError, Preset, Settings, SmsEligibility};
pub use countersign_domain::sms::{Countries, Country, PhoneFault, Prefix, RouteName, SmsBudget, SmsErrand};

mod anchor;
mod answer;
mod code;
mod config;
mod engine;
mod error;
mod history;
mod identity;
mod ledger;
mod open;
mod policies;
mod ports;
mod principal;
mod recorded;
mod registry;
mod resident;
mod rewrapping;
mod runtime;
mod sent;
mod shared;
mod shredder;
mod simulation;
mod sms;
#[cfg(feature = "testing")]
pub mod testing;
mod totp;
mod transports;
mod views;
mod webauthn;
mod writer;

pub mod manual;

pub use anchor::{ANCHORS_MAX, Anchor, AnchorError, AnchorState, DirectoryAnchor, Publication};
pub use answer::{Ack, HostEntry, NewVirtualDevice, Proof, Refusal, Request};
pub use code::{Code, CodeFormat};
pub use config::{Config, Limits};
pub use engine::{
    Countersign, FactorOf, KeyChallenge, KeyRefusal, KeyRegistration, PAGE_MAX, RECORDS_MAX, RecoveryCall,
    RecoveryProgress, RecoverySent, SignInStep, SignedIn, SignedInBy, SmsBlocked, SmsLine, SmsMessageView, SmsReport,
    SmsRouteView, SmsSent,
};
pub use error::Error;
pub use open::{Layout, OpenError};
pub use ports::{Clock, Entropy, ManualClock, NoEntropy, SystemClock, SystemEntropy};
pub use rewrapping::KeyRotation;
#[doc(hidden)]
pub use simulation::Disk;
pub use sms::{SmsEncoding, SmsHealth, SmsRouteError, SmsText, SmsTextError};
pub use transports::{
    DevelopmentMessage, DevelopmentTransports, MailMessage, MailTransport, SmsAccepted, SmsCallback, SmsCallbackError,
    SmsFailure, SmsKey, SmsMessage, SmsReceipt, SmsRoute, SmsTransport, TransportError, Transports, VoiceCall,
    VoiceTransport,
};
pub use views::{AccountView, Assignment, DeviceView, KeyView, SmsState, UserView};
pub use webauthn::{RelyingParty, RelyingPartyError};

/// The README's example is run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
