//! A key that does what a test wants, with a signature that verifies.

use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{HANDLE, ORIGIN, bytes, encode};

pub const PRESENT: u8 = 0x01;
pub const VERIFIED: u8 = 0x04;
pub const BACKUP_ELIGIBLE: u8 = 0x08;
pub const BACKED_UP: u8 = 0x10;
const ATTESTED: u8 = 0x40;

/// What a key and its browser say of themselves; the default is honest.
pub struct Key {
    pub signing: SigningKey,
    pub id: Vec<u8>,
    pub counter: u32,
    pub flags: u8,
    pub rp_id: &'static str,
    pub origin: &'static str,
    pub kind: Option<&'static str>,
    pub challenge: Option<Vec<u8>>,
    /// More members of the client data, each with a comma before it.
    pub more: &'static str,
    pub user_handle: Option<Vec<u8>>,
}

impl Key {
    pub fn new(number: u8) -> Self {
        Self {
            signing: SigningKey::from_slice(&[number; 32]).unwrap(),
            id: vec![number; 32],
            counter: 0,
            flags: PRESENT | VERIFIED,
            rp_id: "localhost",
            origin: ORIGIN,
            kind: None,
            challenge: None,
            more: r#","crossOrigin":false"#,
            user_handle: Some(HANDLE.to_vec()),
        }
    }

    /// The answer to registration options, without attestation.
    pub fn register(&self, options: &str) -> String {
        let client_data = self.client_data("webauthn.create", options);
        let point = self.signing.verifying_key().to_sec1_point(false);
        let mut auth = self.authenticator_data(self.flags | ATTESTED);
        auth.extend([0; 16]);
        auth.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        auth.extend(&self.id);
        auth.extend([0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 0x20]);
        auth.extend(point.x().unwrap());
        auth.extend([0x22, 0x58, 0x20]);
        auth.extend(point.y().unwrap());
        let mut object = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x59".to_vec();
        object.extend(u16::try_from(auth.len()).unwrap().to_be_bytes());
        object.extend(auth);
        let response = json!({ "clientDataJSON": encode(client_data), "attestationObject": encode(object) });
        self.answer(response)
    }

    /// The answer to assertion options.
    pub fn assert(&self, options: &str) -> String {
        let client_data = self.client_data("webauthn.get", options);
        let auth = self.authenticator_data(self.flags);
        let signature: Signature = self.signing.sign(&[&auth[..], &Sha256::digest(&client_data)[..]].concat());
        let mut response = json!({
            "clientDataJSON": encode(client_data),
            "authenticatorData": encode(auth),
            "signature": encode(signature.to_der()),
        });
        if let Some(handle) = &self.user_handle {
            response["userHandle"] = encode(handle).into();
        }
        self.answer(response)
    }

    fn answer(&self, response: Value) -> String {
        let id = encode(&self.id);
        json!({ "id": id, "rawId": id, "type": "public-key", "clientExtensionResults": {}, "response": response })
            .to_string()
    }

    fn authenticator_data(&self, flags: u8) -> Vec<u8> {
        let mut data = Sha256::digest(self.rp_id).to_vec();
        data.push(flags);
        data.extend(self.counter.to_be_bytes());
        data
    }

    fn client_data(&self, kind: &str, options: &str) -> Vec<u8> {
        let offered = bytes(&super::json(options), "/publicKey/challenge");
        let challenge = encode(self.challenge.as_ref().unwrap_or(&offered));
        let (kind, origin, more) = (self.kind.unwrap_or(kind), self.origin, self.more);
        format!(r#"{{"type":"{kind}","challenge":"{challenge}","origin":"{origin}"{more}}}"#).into_bytes()
    }
}
