//! Whom and which device an event concerns, and what was wrong with a proof.

use countersign_domain::event::{AlternativeFactor, CodeFault, Event, KeyFault, PairFault, SmsFault};
use countersign_domain::ids::StreamId;

/// The principal whom an event of a stream concerns besides the stream itself.
#[must_use]
pub fn principal_of(stream: StreamId, event: &Event) -> StreamId {
    match event {
        Event::PairRefused(refused) => refused.owner,
        Event::PasswordRefused(refused) => refused.who.unwrap_or(stream),
        Event::PasswordsLocked(locked) => locked.who.unwrap_or(stream),
        _ => stream,
    }
}

/// The device that an event of a stream concerns besides the stream itself.
#[must_use]
pub const fn device_of(event: &Event) -> Option<StreamId> {
    match event {
        Event::DeviceEnabled(enabled) => Some(enabled.device),
        Event::DeviceDeactivated(gone) => Some(gone.device),
        Event::DeviceResynced(resynced) => Some(resynced.device),
        Event::CodeAccepted(accepted) => Some(accepted.device),
        Event::KeyAccepted(accepted) => Some(accepted.device),
        Event::SmsCodeAccepted(accepted) => Some(accepted.device),
        Event::CodeRefused(refused) => Some(refused.device),
        Event::ResyncRefused(refused) => Some(refused.device),
        Event::KeyRefused(refused) => refused.device,
        Event::SmsCodeRefused(refused) => Some(refused.device),
        Event::BudgetSpent(spent) => Some(spent.device),
        Event::SignedIn(done) => done.device,
        Event::SignInRefused(refused) => refused.device,
        _ => None,
    }
}

/// Why a code was refused, as answers name it.
#[must_use]
pub const fn code_fault(fault: CodeFault, steps: i64) -> &'static str {
    match fault {
        CodeFault::Wrong => "wrong",
        CodeFault::Used => "used",
        CodeFault::Outside if steps < 0 => "late",
        CodeFault::Outside => "early",
        CodeFault::NotPropagated => "not_propagated",
    }
}

/// Why a pair was refused, as answers name it.
#[must_use]
pub const fn pair_fault(fault: PairFault) -> &'static str {
    match fault {
        PairFault::NoMatch => "pair_wrong",
        PairFault::NotNewer => "pair_not_newer",
    }
}

/// Why a code of a message was refused, as answers name it.
#[must_use]
pub const fn sms_fault(fault: SmsFault) -> &'static str {
    match fault {
        SmsFault::Wrong => "sms_wrong",
        SmsFault::Expired => "sms_expired",
        SmsFault::Exhausted => "sms_exhausted",
    }
}

/// Which other factor of root was refused, as answers name it.
#[must_use]
pub const fn alternative_fault(factor: AlternativeFactor) -> &'static str {
    match factor {
        AlternativeFactor::Mail => "mail_wrong",
        AlternativeFactor::Phone => "phone_wrong",
    }
}

/// Why a security key was refused, as answers name it.
#[must_use]
pub const fn key_fault(fault: KeyFault) -> &'static str {
    match fault {
        KeyFault::Malformed => "key_malformed",
        KeyFault::Challenge => "key_challenge",
        KeyFault::Origin => "key_origin",
        KeyFault::RelyingParty => "key_relying_party",
        KeyFault::UserNotPresent => "key_user_not_present",
        KeyFault::UserNotVerified => "key_user_not_verified",
        KeyFault::Signature => "key_signature",
        KeyFault::UnknownCredential => "key_unknown_credential",
        KeyFault::CounterRegressed => "key_counter_regressed",
        KeyFault::Attestation => "key_attestation",
        KeyFault::AlreadyRegistered => "key_already_registered",
        KeyFault::Algorithm => "key_algorithm",
        KeyFault::SuspectedClone => "key_suspected_clone",
        KeyFault::CredentialTooLong => "key_credential_too_long",
    }
}
