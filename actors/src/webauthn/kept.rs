//! What of a ceremony, and of a credential, goes into the log: JSON around the library's own shapes.
//!
//! The library means its shapes to be kept, and not to change; a test holds it to that.

use std::collections::BTreeMap;

use countersign_domain::event::KeyForm;
use serde::{Deserialize, Serialize};
use webauthn_rs::prelude::{
    Credential, PasskeyAuthentication, PasskeyRegistration, SecurityKeyAuthentication, SecurityKeyRegistration,
};

/// A registration that is offered. Ids and handles are base64url, as in the answers.
#[derive(Serialize, Deserialize)]
pub(super) struct Registration {
    /// How the key is to know the person.
    pub(super) handle: String,
    /// Credentials that the key may not have yet.
    pub(super) exclude: Vec<String>,
    pub(super) ceremony: Registering,
}

/// The library's state, tagged: its two forms have the same fields, and would be read as each other.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Registering {
    SecurityKey(SecurityKeyRegistration),
    Passkey(PasskeyRegistration),
}

/// An assertion that is offered.
#[derive(Serialize, Deserialize)]
pub(super) struct Assertion {
    /// By credential: how the key knows the person.
    pub(super) handles: BTreeMap<String, String>,
    pub(super) ceremony: Asserting,
}

/// The library's state, tagged as in [`Registering`].
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Asserting {
    SecurityKey(SecurityKeyAuthentication),
    Passkey(PasskeyAuthentication),
}

/// A credential that is registered.
#[derive(Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) form: KeyForm,
    /// How the key knows the person.
    pub(super) handle: String,
    pub(super) credential: Credential,
}
