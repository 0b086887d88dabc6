//! A security key in the user's hand, with the browser in front of it: options in, `credential.toJSON()` out.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Where the pages come from, as the default relying party has it.
///
/// ```
/// assert_eq!(countersign::testing::ORIGIN, "http://localhost:8080");
/// ```
pub const ORIGIN: &str = "http://localhost:8080";

/// Flags of authenticator data (WebAuthn Level 3, section 6.1).
mod flag {
    pub const PRESENT: u8 = 0x01;
    pub const VERIFIED: u8 = 0x04;
    pub const ATTESTED: u8 = 0x40;
}

/// A security key with one credential, and the browser in front of it; both say what they are told to, signed with ES256.
///
/// A new one is honest: it is touched, verifies its user, and answers to [`ORIGIN`] and the default
/// [`RelyingParty`](crate::RelyingParty). Change a field to have one that is not. It gives no attestation, and its `Debug`
/// does not show its secret.
///
/// ```
/// # use countersign::testing::SecurityKey;
/// # let options = r#"{"publicKey":{"challenge":"AAECAw"}}"#;
/// let key = SecurityKey::new(1);
/// let answer = key.create(options); // to `finish_key_registration`
/// assert!(answer.contains("attestationObject"));
///
/// let phished = SecurityKey { origin: "https://examp1e.com".to_owned(), ..key.at(2) };
/// assert!(phished.get(options).contains("signature")); // to `sign_in_with_key`, which refuses it
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct SecurityKey {
    /// Its private key: a scalar of P-256.
    pub secret: [u8; 32],
    /// The id of its credential.
    pub id: Vec<u8>,
    /// What its counter shows; nothing here raises it.
    pub counter: u32,
    /// Whether somebody touches it.
    pub present: bool,
    /// Whether it verifies its user.
    pub verified: bool,
    /// The page that it answers to.
    pub origin: String,
    /// The relying party that it answers to.
    pub party: String,
    /// The challenge that it signs instead of the one in the options.
    pub challenge: Option<Vec<u8>>,
    /// What it calls its user.
    pub handle: Option<Vec<u8>>,
    /// Whether its signatures are spoilt.
    pub spoilt: bool,
}

impl SecurityKey {
    /// A key; another number is another key.
    ///
    /// ```
    /// # use countersign::testing::SecurityKey;
    /// assert_ne!(SecurityKey::new(1).id, SecurityKey::new(2).id);
    /// ```
    #[must_use]
    pub fn new(number: u8) -> Self {
        let mut secret = [0x42; 32];
        secret[0] = number;
        Self {
            secret,
            id: Sha256::digest(secret).to_vec(),
            counter: 0,
            present: true,
            verified: true,
            origin: ORIGIN.to_owned(),
            party: "localhost".to_owned(),
            challenge: None,
            handle: None,
            spoilt: false,
        }
    }

    /// The key with its counter at some value.
    ///
    /// ```
    /// # use countersign::testing::SecurityKey;
    /// assert_eq!(SecurityKey::new(1).at(7).counter, 7);
    /// ```
    #[must_use]
    pub fn at(&self, counter: u32) -> Self {
        Self { counter, ..self.clone() }
    }

    /// Answers the options of a registration, without attestation.
    ///
    /// # Panics
    /// When these are no options, or its id is longer than 65,535 bytes.
    ///
    /// ```
    /// # use countersign::testing::SecurityKey;
    /// let answer = SecurityKey::new(1).create(r#"{"publicKey":{"challenge":"AAECAw"}}"#);
    /// assert!(answer.contains("attestationObject"));
    /// ```
    #[must_use]
    pub fn create(&self, options: &str) -> String {
        let client_data = self.client_data("webauthn.create", options);
        let point = self.signing().verifying_key().to_sec1_point(false);
        let mut data = self.authenticator_data(flag::ATTESTED);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).expect("a short id").to_be_bytes());
        data.extend(&self.id);
        // The COSE key: EC2, ES256, P-256, x and y (RFC 9053).
        data.extend([0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 0x20]);
        data.extend(point.x().expect("a point in full"));
        data.extend([0x22, 0x58, 0x20]);
        data.extend(point.y().expect("a point in full"));
        let mut object = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x59".to_vec();
        object.extend(u16::try_from(data.len()).expect("a short id").to_be_bytes());
        object.extend(data);
        let transports = json!(["usb"]);
        self.answer(&json!({
            "clientDataJSON": encode(&client_data),
            "attestationObject": encode(&object),
            "transports": transports,
        }))
    }

    /// Answers the options of an assertion, whether they ask for this key or not.
    ///
    /// # Panics
    /// When these are no options.
    ///
    /// ```
    /// # use countersign::testing::SecurityKey;
    /// let answer = SecurityKey::new(1).get(r#"{"publicKey":{"challenge":"AAECAw"}}"#);
    /// assert!(answer.contains("authenticatorData"));
    /// ```
    #[must_use]
    pub fn get(&self, options: &str) -> String {
        let client_data = self.client_data("webauthn.get", options);
        let data = self.authenticator_data(0);
        let signed = [&data[..], &Sha256::digest(&client_data)[..]].concat();
        let signature: Signature = self.signing().sign(&signed[usize::from(self.spoilt)..]);
        let mut response = json!({
            "clientDataJSON": encode(&client_data),
            "authenticatorData": encode(&data),
            "signature": encode(signature.to_der().as_bytes()),
        });
        if let Some(handle) = &self.handle {
            response["userHandle"] = encode(handle).into();
        }
        self.answer(&response)
    }

    fn signing(&self) -> SigningKey {
        SigningKey::from_slice(&self.secret).expect("a scalar of the curve")
    }

    fn answer(&self, response: &Value) -> String {
        let id = encode(&self.id);
        json!({
            "id": id,
            "rawId": id,
            "type": "public-key",
            "authenticatorAttachment": "cross-platform",
            "clientExtensionResults": {},
            "response": response,
        })
        .to_string()
    }

    fn authenticator_data(&self, more: u8) -> Vec<u8> {
        let present = if self.present { flag::PRESENT } else { 0 };
        let verified = if self.verified { flag::VERIFIED } else { 0 };
        let mut data = Sha256::digest(&self.party).to_vec();
        data.push(present | verified | more);
        data.extend(self.counter.to_be_bytes());
        data
    }

    fn client_data(&self, kind: &str, options: &str) -> Vec<u8> {
        let challenge = self.challenge.clone().unwrap_or_else(|| challenge_of(options));
        let (challenge, origin) = (encode(&challenge), &self.origin);
        format!(r#"{{"type":"{kind}","challenge":"{challenge}","origin":"{origin}","crossOrigin":false}}"#).into_bytes()
    }
}

impl fmt::Debug for SecurityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = encode(&self.id);
        f.debug_struct("SecurityKey").field("id", &id).field("counter", &self.counter).finish_non_exhaustive()
    }
}

/// The challenge in options of either kind.
///
/// # Panics
/// When these are no options.
///
/// ```
/// # use countersign::testing::challenge_of;
/// assert_eq!(challenge_of(r#"{"publicKey":{"challenge":"AAECAw"}}"#), [0, 1, 2, 3]);
/// ```
#[must_use]
pub fn challenge_of(options: &str) -> Vec<u8> {
    let options: Value = serde_json::from_str(options).expect("options are JSON");
    let challenge = options["publicKey"]["challenge"].as_str().expect("options have a challenge");
    BASE64URL_NOPAD.decode(challenge.as_bytes()).expect("a challenge is base64url")
}

fn encode(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}
