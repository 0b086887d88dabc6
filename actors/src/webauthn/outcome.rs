//! What comes of each half of a ceremony.

use std::fmt;

use serde::Serialize;
use webauthn_rs::prelude::WebauthnError;

/// The first half of a ceremony.
pub(crate) struct Offer {
    /// JSON for the browser: `{"publicKey": {..}}`.
    pub(crate) options: String,
    /// What the verdict needs again: JSON for the log, which nobody else reads.
    pub(crate) state: Vec<u8>,
}

impl Offer {
    pub(super) fn new(options: &impl Serialize, state: &impl Serialize) -> Result<Self, OfferError> {
        let options = serde_json::to_string(options).map_err(|_| OfferError::Library)?;
        let state = serde_json::to_vec(state).map_err(|_| OfferError::Library)?;
        Ok(Self { options, state })
    }
}

impl fmt::Debug for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { options, state } = self;
        write!(f, "Offer {{ options: {} bytes, state: {} bytes }}", options.len(), state.len())
    }
}

/// Why there is no offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OfferError {
    /// The name of the person is empty.
    Name,
    /// Attestation is wanted, which no passkey gives.
    PasskeyUnattested,
    /// There is no credential that could be asserted.
    NoCredential,
    /// A stored credential cannot be read, or is of the other form.
    Stored,
    /// The library does not make the offer.
    Library,
}

impl fmt::Display for OfferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "the name is empty",
            Self::PasskeyUnattested => "keys must attest to their model, which passkeys do not",
            Self::NoCredential => "there is no credential to assert",
            Self::Stored => "a stored credential cannot be read as one of this form",
            Self::Library => "the ceremony cannot be offered",
        })
    }
}

impl std::error::Error for OfferError {}

impl From<WebauthnError> for OfferError {
    fn from(error: WebauthnError) -> Self {
        match error {
            WebauthnError::InvalidUsername => Self::Name,
            WebauthnError::CredentialNotFound => Self::NoCredential,
            _ => Self::Library,
        }
    }
}

/// A credential that a key has made.
pub(crate) struct NewCredential {
    /// The id by which the key knows it.
    pub(crate) id: Vec<u8>,
    /// The credential for the log: JSON, which nobody else reads.
    pub(crate) stored: Vec<u8>,
    /// The first value of its counter; 0 in keys that do not count.
    pub(crate) counter: u32,
    /// Whether the key verified its user.
    pub(crate) user_verified: bool,
    /// Whether the credential may be copied to other devices; it stays so.
    pub(crate) backup_eligible: bool,
    /// Name of the attestation's format; `none` in most.
    pub(crate) attestation: &'static str,
    /// The key's model (AAGUID), where a trusted root vouches for it.
    pub(crate) model: Option<[u8; 16]>,
}

impl fmt::Debug for NewCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewCredential")
            .field("id_bytes", &self.id.len())
            .field("stored_bytes", &self.stored.len())
            .field("counter", &self.counter)
            .field("user_verified", &self.user_verified)
            .field("attestation", &self.attestation)
            .finish_non_exhaustive()
    }
}

/// A credential whose signature verified.
#[derive(PartialEq, Eq)]
pub(crate) struct Asserted {
    /// The id of the credential.
    pub(crate) credential: Vec<u8>,
    /// The counter that the key signed. Nobody compared it with anything yet.
    pub(crate) counter: u32,
    /// Whether the key verified its user.
    pub(crate) user_verified: bool,
}

impl fmt::Debug for Asserted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asserted")
            .field("credential_bytes", &self.credential.len())
            .field("counter", &self.counter)
            .field("user_verified", &self.user_verified)
            .finish()
    }
}
