//! Security keys: registering one, and proving it in a sign-in (R30..R35, R100, R177).
//!
//! A challenge is for one principal, one ceremony and one answer, until its time is over (NT-10). The answer is
//! verified outside, against the state that the challenge was issued with; what is judged here is whether it was
//! asked for, whose it is, and whether the key's counter goes up.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::sign_in::{concluded, own_turn, refusal};
use super::{Context, Decision, Denial, Outcome, Record, Step, Verdict, admitted, may_ask, record, released};
use crate::account::Claim;
use crate::caller::DeviceAct;
use crate::device::{Device, DeviceKind, Serial, credential_stream};
use crate::event::{
    CredentialClaimed, DeactivateReason, DeviceAssigned, DeviceDeactivated, DeviceEnabled, KeyAccepted,
    KeyChallengeIssued, KeyFault, KeyForm, KeyRefused, KeyRegistered, SecurityKeyCreated,
};
use crate::ids::{AttemptId, ChallengeId, StreamId};
use crate::principal::{Ceremony, Enabled, KeyChallenge, Principal, Registered};
use crate::rejection::Rejection;
use crate::secret::Opaque;
use crate::totp::Learned;

/// The longest id of a credential that is taken, in bytes, so that a challenge to eight of them fits an event. Keys in use
/// have up to about two hundred; WebAuthn allows 1023.
pub const CREDENTIAL_ID_BYTES_MAX: usize = 256;

/// What the answer of a security key is to be checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyQuestion {
    /// Which keys were asked.
    pub form: KeyForm,
    /// The state that the challenge was issued with.
    pub state: Opaque,
}

/// An answer whose signature, origin and challenge were verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyProof {
    /// The id of the credential that signed.
    pub credential_id: Vec<u8>,
    /// Its signature counter.
    pub counter: u32,
    /// Whether the key verified its user.
    pub user_verified: bool,
}

/// What came of checking an answer.
pub type KeyAnswer = Result<KeyProof, KeyFault>;

/// A credential that was registered and verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// The credential's id.
    pub credential_id: Vec<u8>,
    /// The credential, in the form of the library that verifies it.
    pub credential: Opaque,
    /// Its signature counter.
    pub counter: u32,
    /// The format of its attestation statement.
    pub attestation: String,
    /// The model that a trusted attestation names.
    pub model: Option<[u8; 16]>,
    /// Whether it may be copied to other devices of its owner.
    pub backup_eligible: bool,
}

/// Challenges the principal's keys of one form, in a sign-in (R100).
///
/// # Errors
/// [`Rejection::ChallengeUnknown`] when the sign-in is not open; [`Rejection::FactorUnknown`] when the principal has no
/// such key, or it is not its turn; [`Rejection::TooManyChallenges`].
pub fn offer_key(
    principal: Option<&Principal>,
    attempt: AttemptId,
    challenge: ChallengeId,
    (form, state): (KeyForm, Opaque),
    context: &Context<'_>,
) -> Decision {
    let (owner, open) = own_turn(principal, attempt, context)?;
    if !owner.devices.iter().any(|enabled| enabled.key.is_some_and(|key| key.form == form)) {
        return Err(Rejection::FactorUnknown);
    }
    if open.challenges >= context.policy.challenges_max {
        return Err(Rejection::TooManyChallenges { again_at: open.until });
    }
    issue(owner, challenge, (form, state), &Ceremony::SignIn(attempt), context)
}

fn issue(
    owner: &Registered,
    challenge: ChallengeId,
    (form, state): (KeyForm, Opaque),
    ceremony: &Ceremony,
    context: &Context<'_>,
) -> Decision {
    let window = owner.pending.asked.current(context.now, context.policy);
    let until = context.now.plus_ms(u64::from(context.policy.key_challenge_life_s).saturating_mul(1000));
    let (attempt, serial, replaces) = match ceremony {
        Ceremony::SignIn(attempt) => (Some(*attempt), None, None),
        Ceremony::Registration { serial, replaces } => (None, Some(serial.clone()), *replaces),
    };
    let issued = KeyChallengeIssued {
        challenge,
        form,
        attempt,
        serial,
        replaces,
        until,
        window,
        state,
        client: context.client(),
    };
    record(Verdict::Challenged { challenge, until }, [(owner.stream, issued.into())])
}

/// Completes a sign-in with the answer of a security key.
#[must_use]
pub fn sign_in_with_key(
    principal: Option<&Principal>,
    attempt: AttemptId,
    challenge: ChallengeId,
    evidence: Option<&KeyAnswer>,
    context: &Context<'_>,
) -> Step<KeyQuestion> {
    let owner = match own_turn(principal, attempt, context) {
        Ok((owner, _)) => owner,
        Err(rejection) => return Step::Decided(Err(rejection)),
    };
    let asked = owner.pending.key(challenge, context.now);
    let Some(asked) = asked.filter(|asked| matches!(asked.ceremony, Ceremony::SignIn(of) if of == attempt)) else {
        let refused = refusal(attempt, None, Denial::NotAsked, context);
        return Step::Decided(record(Verdict::Denied(Denial::NotAsked), [(owner.stream, refused.into())]));
    };
    let Some(answer) = evidence else { return Step::Ask(question(asked)) };
    Step::Decided(Ok(judge(owner, attempt, asked, answer, context)))
}

fn question(asked: &KeyChallenge) -> KeyQuestion {
    KeyQuestion { form: asked.form, state: asked.state.clone() }
}

/// Judges a checked answer: whose key it is, and whether its counter goes up.
fn judge(
    owner: &Registered,
    attempt: AttemptId,
    asked: &KeyChallenge,
    answer: &KeyAnswer,
    context: &Context<'_>,
) -> Outcome {
    let challenge = asked.id;
    let refused = |device: Option<StreamId>, fault: KeyFault, counter: Option<u32>| {
        let denial = Denial::Key(fault);
        let refused = KeyRefused { challenge, device, fault, counter };
        let sign_in = refusal(attempt, device, denial, context);
        let writes = vec![(owner.stream, refused.into()), (owner.stream, sign_in.into())];
        Outcome::Record(Record { writes, verdict: Verdict::Denied(denial) })
    };
    let KeyProof { credential_id, counter, user_verified } = match answer {
        Ok(proof) => proof,
        Err(fault) => return refused(None, *fault, None),
    };
    let credential = credential_stream(credential_id);
    let by_credential = |enabled: &&Enabled| enabled.key.is_some_and(|key| key.credential == credential);
    let Some((device, key)) =
        owner.devices.iter().find(by_credential).and_then(|enabled| Some((enabled.device, enabled.key?)))
    else {
        return refused(None, KeyFault::UnknownCredential, Some(*counter));
    };
    if key.form != asked.form {
        return refused(Some(device), KeyFault::UnknownCredential, Some(*counter));
    }
    if key.suspected_clone {
        return refused(Some(device), KeyFault::SuspectedClone, Some(*counter));
    }
    if key.form == KeyForm::Passkey && !user_verified {
        return refused(Some(device), KeyFault::UserNotVerified, Some(*counter));
    }
    // WebAuthn section 6.1.1: a key without a counter always says 0; any other goes up (NT-29).
    let counterless = key.counter == 0 && *counter == 0;
    if !counterless && *counter <= key.counter {
        return refused(Some(device), KeyFault::CounterRegressed, Some(*counter));
    }
    let accepted = KeyAccepted { device, challenge, counter: *counter, user_verified: *user_verified };
    let writes = vec![(owner.stream, accepted.into())];
    concluded(owner, attempt, device, Outcome::Record(Record { writes, verdict: Verdict::Done }), context)
}

/// Asks a new security key to register (R32). `replaces` is a device whose place it takes (R79).
///
/// # Errors
/// As for enabling any device; [`Rejection::KeyFormNotOffered`], [`Rejection::TooManyChallenges`].
pub fn begin_key_registration(
    principal: Option<&Principal>,
    challenge: ChallengeId,
    serial: Serial,
    replaces: Option<StreamId>,
    (form, state): (KeyForm, Opaque),
    context: &Context<'_>,
) -> Decision {
    let owner = ready_to_register(principal, form, replaces, context)?;
    may_ask(owner, context)?;
    issue(owner, challenge, (form, state), &Ceremony::Registration { serial, replaces }, context)
}

/// What was read beside the principal to finish a registration.
#[derive(Clone, Copy, Debug, Default)]
pub struct Registering<'a> {
    /// Who holds the credential.
    pub claim: Option<Claim>,
    /// The stream of the ARN that the key is to get.
    pub device: Option<&'a Device>,
}

/// Enables a security key by its answer. The key is claimed for one device anywhere (NT-30).
#[must_use]
pub fn finish_key_registration(
    principal: Option<&Principal>,
    challenge: ChallengeId,
    evidence: Option<(&Result<NewKey, KeyFault>, Registering<'_>)>,
    context: &Context<'_>,
) -> Step<KeyQuestion> {
    let owner = match admitted(principal, DeviceAct::Enable, DeviceKind::SecurityKey, context) {
        Ok(owner) => owner,
        Err(rejection) => return Step::Decided(Err(rejection)),
    };
    let asked = owner.pending.key(challenge, context.now);
    let Some(asked @ KeyChallenge { ceremony: Ceremony::Registration { serial, replaces }, .. }) = asked else {
        return Step::Decided(Err(Rejection::ChallengeUnknown));
    };
    if let Err(rejection) = ready_to_register(principal, asked.form, *replaces, context) {
        return Step::Decided(Err(rejection));
    }
    let Some((answer, read)) = evidence else { return Step::Ask(question(asked)) };
    let refused = |fault: KeyFault| {
        let refused = KeyRefused { challenge, device: None, fault, counter: None };
        Step::Decided(record(Verdict::Denied(Denial::Key(fault)), [(owner.stream, refused.into())]))
    };
    let key = match answer {
        Ok(key) => key,
        Err(fault) => return refused(*fault),
    };
    if key.credential_id.len() > CREDENTIAL_ID_BYTES_MAX {
        return refused(KeyFault::CredentialTooLong);
    }
    if read.claim.and_then(Claim::holder).is_some() {
        return refused(KeyFault::AlreadyRegistered);
    }
    if read.device.and_then(Device::entity).is_some() {
        return Step::Decided(Err(Rejection::DeviceExists));
    }
    let life = Device::next_life(read.device);
    Step::Decided(Ok(registered((owner, asked), (serial, life), *replaces, key, context)))
}

/// One atomic write: the owner, the device, the credential and, in a replacement, the old device.
fn registered(
    (owner, asked): (&Registered, &KeyChallenge),
    (serial, life): (&Serial, u32),
    replaces: Option<StreamId>,
    key: &NewKey,
    context: &Context<'_>,
) -> Outcome {
    let by = context.caller.by();
    let (device, credential, form) = (serial.stream(), credential_stream(&key.credential_id), asked.form);
    let created = SecurityKeyCreated {
        account: owner.id.account(),
        serial: serial.clone(),
        form,
        credential_id: key.credential_id.clone(),
        credential: key.credential.clone(),
        attestation: key.attestation.clone(),
        model: key.model,
        backup_eligible: key.backup_eligible,
        by,
    };
    let enabled = DeviceEnabled { device, kind: DeviceKind::SecurityKey, life, by, learned: Learned::default() };
    let known = KeyRegistered { device, challenge: asked.id, form, credential, counter: key.counter };
    let mut writes = vec![
        (device, created.into()),
        (owner.stream, enabled.into()),
        (owner.stream, known.into()),
        (device, DeviceAssigned { owner: owner.stream }.into()),
        (credential, CredentialClaimed { holder: device }.into()),
    ];
    if let Some(old) = replaces.and_then(|old| owner.device(old)) {
        let reason = DeactivateReason::Replaced;
        writes.push((owner.stream, DeviceDeactivated { device: old.device, by, reason }.into()));
        writes.extend(released(owner.stream, old, by));
    }
    Outcome::Record(Record { writes, verdict: Verdict::KeyRegistered { device } })
}

fn ready_to_register<'a>(
    principal: Option<&'a Principal>,
    form: KeyForm,
    replaces: Option<StreamId>,
    context: &Context<'_>,
) -> Result<&'a Registered, Rejection> {
    let owner = admitted(principal, DeviceAct::Enable, DeviceKind::SecurityKey, context)?;
    if let Some(old) = replaces {
        owner.device(old).ok_or(Rejection::DeviceNotYours)?;
    }
    let policy = context.policy;
    let offered = match form {
        KeyForm::SecurityKey => policy.security_keys,
        KeyForm::Passkey => policy.passkeys,
    };
    if !offered {
        return Err(Rejection::KeyFormNotOffered);
    }
    if replaces.is_some() && !policy.atomic_rotation {
        return Err(Rejection::RotationNotAtomic);
    }
    let max = policy.devices_per_principal_max;
    if replaces.is_none() && owner.devices.len() >= usize::from(max) {
        return Err(Rejection::PrincipalDeviceLimit { max });
    }
    Ok(owner)
}
