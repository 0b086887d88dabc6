//! Ceremonies with security keys and passkeys (WebAuthn Level 3, section 7).
//!
//! A ceremony has two halves. An offer makes the options that a browser hands to the key, and a state that
//! goes into the log; a verdict holds the key's answer against that state. Nothing is remembered in
//! between, so one answer verifies as often as it is judged with its state: that a challenge is used once,
//! and in time, is the log's business.
//!
//! Sans-IO, save for two things that the library does by itself: it draws the challenges, and it holds the
//! certificates of an attestation against the machine's clock. No type of the library leaves this module.

use countersign_domain::event::{KeyFault, KeyForm};
use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use webauthn_rs::prelude::AuthenticatorAttachment::CrossPlatform;
use webauthn_rs::prelude::{
    AttestationCaList, AttestationFormat, AttestationMetadata, Credential, ParsedAttestation, Passkey,
    PublicKeyCredential, RegisterPublicKeyCredential, SecurityKey, Uuid, Webauthn,
};
use webauthn_rs_proto::{AttestationConveyancePreference, PublicKeyCredentialDescriptor};

use self::fault::fault;
use self::kept::{Asserting, Assertion, Registering, Registration, Stored};
pub(crate) use self::outcome::{Asserted, NewCredential, Offer, OfferError};
pub use self::party::{RelyingParty, RelyingPartyError};

mod fault;
mod kept;
mod outcome;
mod party;

#[cfg(test)]
mod tests;

/// What a key's answer may measure; real ones have a few kilobytes.
pub(crate) const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// What a credential id may measure (WebAuthn section 7.1, step 25); the library takes four times as much.
const CREDENTIAL_ID_BYTES_MAX: usize = 1023;

/// Offers ceremonies, and judges the answers.
pub(crate) struct Verifier {
    webauthn: Webauthn,
    /// Who must vouch for the model of a new key; `None` asks for nothing.
    roots: Option<AttestationCaList>,
}

impl Verifier {
    pub(crate) fn new(party: &RelyingParty) -> Result<Self, RelyingPartyError> {
        Ok(Self { webauthn: party.webauthn()?, roots: party.roots()? })
    }

    /// Whether new keys must attest; passkeys cannot.
    pub(crate) const fn wants_attestation(&self) -> bool {
        self.roots.is_some()
    }

    /// Asks a key for a new credential.
    ///
    /// The handle names the person to the key, which may show it again in its answers; it holds no
    /// personal data (WebAuthn section 14.6.1). A key that has one of the credentials `exclude` is refused.
    pub(crate) fn offer_registration(
        &self,
        form: KeyForm,
        handle: [u8; 16],
        name: &str,
        exclude: &[Vec<u8>],
    ) -> Result<Offer, OfferError> {
        let user = Uuid::from_bytes(handle);
        let (mut options, ceremony) = match form {
            KeyForm::SecurityKey => {
                let touched = Some(CrossPlatform);
                let start = self.webauthn.start_securitykey_registration(user, name, name, None, None, touched);
                start.map(|(options, state)| (options, Registering::SecurityKey(state)))?
            }
            KeyForm::Passkey if self.roots.is_some() => return Err(OfferError::PasskeyUnattested),
            KeyForm::Passkey => {
                let start = self.webauthn.start_passkey_registration(user, name, name, None);
                start.map(|(options, state)| (options, Registering::Passkey(state)))?
            }
        };
        // The library would do these two as well: but it keeps every root in each state, and it answers an
        // excluded credential as if its algorithm were wrong.
        if self.roots.is_some() {
            options.public_key.attestation = Some(AttestationConveyancePreference::Direct);
        }
        options.public_key.exclude_credentials = Some(exclude.iter().map(|id| descriptor(id)).collect());
        let exclude = exclude.iter().map(|id| BASE64URL_NOPAD.encode(id)).collect();
        let handle = BASE64URL_NOPAD.encode(&handle);
        Offer::new(&options, &Registration { handle, exclude, ceremony })
    }

    /// Takes a new credential, or says why not (WebAuthn section 7.1).
    pub(crate) fn judge_registration(
        &self,
        form: KeyForm,
        state: &[u8],
        response: &str,
    ) -> Result<NewCredential, KeyFault> {
        let answer: RegisterPublicKeyCredential = parse(response)?;
        let state: Registration = serde_json::from_slice(state).map_err(|_| KeyFault::Malformed)?;
        well_formed(&answer.type_, &answer.id, &answer.raw_id)?;
        let finished = match (&state.ceremony, form) {
            (Registering::SecurityKey(state), KeyForm::SecurityKey) => {
                self.webauthn.finish_securitykey_registration(&answer, state).map(Credential::from)
            }
            (Registering::Passkey(state), KeyForm::Passkey) => {
                self.webauthn.finish_passkey_registration(&answer, state).map(Credential::from)
            }
            _ => return Err(KeyFault::Malformed),
        };
        let credential = finished.map_err(|error| match fault(&error) {
            // The only signature in a registration is that of the attestation.
            KeyFault::Signature => KeyFault::Attestation,
            other => other,
        })?;
        own_page(&answer.response.client_data_json)?;
        // The id beside the attested one is only the browser's word: section 7.1 does not read it, so a
        // mismatch would be taken for the attested credential.
        if credential.cred_id != answer.raw_id || credential.cred_id.len() > CREDENTIAL_ID_BYTES_MAX {
            return Err(KeyFault::Malformed);
        }
        if state.exclude.contains(&BASE64URL_NOPAD.encode(&credential.cred_id)) {
            return Err(KeyFault::AlreadyRegistered);
        }
        let model = self.attested_model(&credential)?;
        keep(form, state.handle, credential, model)
    }

    /// The model of a key that attests to a trusted root; `None` where no attestation is wanted.
    fn attested_model(&self, credential: &Credential) -> Result<Option<[u8; 16]>, KeyFault> {
        let Some(roots) = &self.roots else { return Ok(None) };
        match credential.verify_attestation(roots) {
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => return Err(KeyFault::Attestation),
        }
        match &credential.attestation.metadata {
            AttestationMetadata::Packed { aaguid } | AttestationMetadata::Tpm { aaguid, .. } => {
                Ok(Some(*aaguid.as_bytes()))
            }
            _ => Ok(None),
        }
    }

    /// Asks for the signature of one of the credentials, all of one form.
    pub(crate) fn offer_assertion(&self, form: KeyForm, credentials: &[&[u8]]) -> Result<Offer, OfferError> {
        if credentials.is_empty() {
            // The library would take it for an offer to whatever passkey there is.
            return Err(OfferError::NoCredential);
        }
        let stored = credentials.iter().map(|stored| serde_json::from_slice::<Stored>(stored));
        let stored: Vec<Stored> = stored.collect::<Result<_, _>>().map_err(|_| OfferError::Stored)?;
        if stored.iter().any(|stored| stored.form != form) {
            return Err(OfferError::Stored);
        }
        let id = |stored: &Stored| BASE64URL_NOPAD.encode(&stored.credential.cred_id);
        let handles = stored.iter().map(|stored| (id(stored), stored.handle.clone())).collect();
        let snapshots = stored.into_iter().map(|stored| snapshot(stored.credential));
        match form {
            KeyForm::SecurityKey => {
                let keys: Vec<SecurityKey> = snapshots.map(SecurityKey::from).collect();
                let (options, state) = self.webauthn.start_securitykey_authentication(&keys)?;
                Offer::new(&options, &Assertion { handles, ceremony: Asserting::SecurityKey(state) })
            }
            KeyForm::Passkey => {
                let keys: Vec<Passkey> = snapshots.map(Passkey::from).collect();
                let (options, state) = self.webauthn.start_passkey_authentication(&keys)?;
                Offer::new(&options, &Assertion { handles, ceremony: Asserting::Passkey(state) })
            }
        }
    }

    /// Verifies a signature, or says why not (WebAuthn section 7.2).
    ///
    /// The counter is left to the caller, who alone knows its latest value: see [`snapshot`].
    pub(crate) fn judge_assertion(&self, form: KeyForm, state: &[u8], response: &str) -> Result<Asserted, KeyFault> {
        let answer: PublicKeyCredential = parse(response)?;
        let state: Assertion = serde_json::from_slice(state).map_err(|_| KeyFault::Malformed)?;
        well_formed(&answer.type_, &answer.id, &answer.raw_id)?;
        let finished = match (&state.ceremony, form) {
            (Asserting::SecurityKey(state), KeyForm::SecurityKey) => {
                self.webauthn.finish_securitykey_authentication(&answer, state)
            }
            (Asserting::Passkey(state), KeyForm::Passkey) => {
                self.webauthn.finish_passkey_authentication(&answer, state)
            }
            _ => return Err(KeyFault::Malformed),
        };
        let result = finished.map_err(|error| fault(&error))?;
        own_page(&answer.response.client_data_json)?;
        // Step 6, which the library leaves to its caller. An empty handle is how some clients say "none".
        let handle = answer.response.user_handle.filter(|handle| !handle.is_empty());
        let owner = state.handles.get(&answer.id);
        if handle.is_some_and(|handle| owner != Some(&BASE64URL_NOPAD.encode(&handle))) {
            return Err(KeyFault::UnknownCredential);
        }
        let (counter, user_verified) = (result.counter(), result.user_verified());
        Ok(Asserted { credential: answer.raw_id, counter, user_verified })
    }
}

fn keep(
    form: KeyForm,
    handle: String,
    credential: Credential,
    model: Option<[u8; 16]>,
) -> Result<NewCredential, KeyFault> {
    let stored = Stored { form, handle, credential };
    let json = serde_json::to_vec(&stored).map_err(|_| KeyFault::Malformed)?;
    let credential = stored.credential;
    Ok(NewCredential {
        stored: json,
        counter: credential.counter,
        user_verified: credential.user_verified,
        backup_eligible: credential.backup_eligible,
        attestation: format_name(&credential.attestation_format),
        id: credential.cred_id,
        model,
    })
}

/// The part of a credential that an assertion needs.
///
/// Its counter is zeroed, so that the library finds every counter good. It could only compare with the
/// value of a while ago, when the challenge was made; and of a regression it tells neither the credential
/// nor the counter. So the one comparison that counts is made with what the log holds, by the caller, for a
/// credential whose signature has verified. The certificates of the attestation would only make the state
/// long.
fn snapshot(credential: Credential) -> Credential {
    Credential { counter: 0, attestation: ParsedAttestation::default(), ..credential }
}

fn descriptor(id: &[u8]) -> PublicKeyCredentialDescriptor {
    PublicKeyCredentialDescriptor { type_: "public-key".to_owned(), id: id.to_owned(), transports: None }
}

fn parse<T: DeserializeOwned>(response: &str) -> Result<T, KeyFault> {
    if response.len() > ANSWER_BYTES_MAX {
        return Err(KeyFault::Malformed);
    }
    serde_json::from_str(response).map_err(|_| KeyFault::Malformed)
}

/// Refuses an answer of another type, or with two ids that differ; the library reads one of them only.
fn well_formed(kind: &str, id: &str, raw_id: &[u8]) -> Result<(), KeyFault> {
    let same = BASE64URL_NOPAD.encode(raw_id) == id;
    if same && kind == "public-key" { Ok(()) } else { Err(KeyFault::Malformed) }
}

/// Refuses an answer that was made in a frame on somebody else's page (WebAuthn section 7.2, step 13).
///
/// The library looks at registrations only, and there at one of the two members.
fn own_page(client_data: &[u8]) -> Result<(), KeyFault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Frame {
        #[serde(default)]
        cross_origin: Option<bool>,
        #[serde(default)]
        top_origin: Option<String>,
    }
    let frame: Frame = serde_json::from_slice(client_data).map_err(|_| KeyFault::Malformed)?;
    let own = frame.cross_origin != Some(true) && frame.top_origin.is_none();
    if own { Ok(()) } else { Err(KeyFault::Origin) }
}

/// The registered name of a format (RFC 8809).
const fn format_name(format: &AttestationFormat) -> &'static str {
    match format {
        AttestationFormat::Packed => "packed",
        AttestationFormat::Tpm => "tpm",
        AttestationFormat::AndroidKey => "android-key",
        AttestationFormat::AndroidSafetyNet => "android-safetynet",
        AttestationFormat::FIDOU2F => "fido-u2f",
        AttestationFormat::AppleAnonymous => "apple",
        AttestationFormat::None => "none",
    }
}
