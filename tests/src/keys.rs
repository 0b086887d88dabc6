//! Security keys in the user's hand, each with the browser in front of it: options in, `credential.toJSON()` out.
//!
//! [`HandMade`] does what a test wants, with a signature that verifies. [`Soft`] is an authenticator that
//! somebody else wrote.

use data_encoding::BASE64URL_NOPAD;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use webauthn_authenticator_rs::WebauthnAuthenticator;
use webauthn_authenticator_rs::prelude::Url;
use webauthn_authenticator_rs::softpasskey::SoftPasskey;
use webauthn_authenticator_rs::softtoken::SoftToken;

/// Where the pages come from, as the default relying party has it.
pub const ORIGIN: &str = "http://localhost:8080";

/// Flags of authenticator data (WebAuthn Level 3, section 6.1).
mod flag {
    pub const PRESENT: u8 = 0x01;
    pub const VERIFIED: u8 = 0x04;
    pub const ATTESTED: u8 = 0x40;
}

/// A key of one credential, and a browser; both say what they are told to. The default is honest.
#[derive(Clone)]
pub struct HandMade {
    /// Its private key.
    pub secret: [u8; 32],
    /// Its credential.
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

impl HandMade {
    /// A key; another number is another key.
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
    #[must_use]
    pub fn at(&self, counter: u32) -> Self {
        Self { counter, ..self.clone() }
    }

    /// Answers the options of a registration, without attestation.
    ///
    /// # Panics
    /// When these are no options.
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
        let challenge = self.challenge.clone().unwrap_or_else(|| challenge(options));
        let (challenge, origin) = (encode(&challenge), &self.origin);
        format!(r#"{{"type":"{kind}","challenge":"{challenge}","origin":"{origin}","crossOrigin":false}}"#).into_bytes()
    }
}

/// The challenge of options of either kind.
///
/// # Panics
/// When these are no options.
#[must_use]
pub fn challenge(options: &str) -> Vec<u8> {
    let options: Value = serde_json::from_str(options).expect("options are JSON");
    let challenge = options["publicKey"]["challenge"].as_str().expect("options have a challenge");
    BASE64URL_NOPAD.decode(challenge.as_bytes()).expect("a challenge is base64url")
}

/// The credentials that options of an assertion ask for.
///
/// # Panics
/// When these are no such options.
#[must_use]
pub fn asked_for(options: &str) -> Vec<Vec<u8>> {
    let options: Value = serde_json::from_str(options).expect("options are JSON");
    let allowed = options["publicKey"]["allowCredentials"].as_array().expect("it asks for credentials");
    let id = |allowed: &Value| BASE64URL_NOPAD.decode(allowed["id"].as_str().unwrap_or_default().as_bytes());
    allowed.iter().map(|allowed| id(allowed).expect("an id is base64url")).collect()
}

/// The credential that an answer names.
///
/// # Panics
/// When it is no answer.
#[must_use]
pub fn credential(answer: &str) -> Vec<u8> {
    let answer: Value = serde_json::from_str(answer).expect("an answer is JSON");
    BASE64URL_NOPAD.decode(answer["rawId"].as_str().unwrap_or_default().as_bytes()).expect("an id is base64url")
}

fn encode(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}

/// A software authenticator of the library's authors: it makes a fresh credential for each registration, and one
/// counter for all of them goes up with each assertion.
pub enum Soft {
    /// Attests to a root of its own.
    Token(Box<SoftToken>),
    /// Attests to itself.
    Passkey(Box<SoftPasskey>),
}

impl Soft {
    /// A token that says it verified its user where that is asked for.
    ///
    /// # Panics
    /// When its certificates cannot be made.
    #[must_use]
    pub fn token() -> Self {
        Self::Token(Box::new(SoftToken::new(true).expect("a token").0))
    }

    /// A passkey that says it verified its user where that is asked for.
    #[must_use]
    pub fn passkey() -> Self {
        Self::Passkey(Box::new(SoftPasskey::new(true)))
    }

    /// Another key with the same secrets and the same counter; a passkey lets nobody copy it.
    ///
    /// # Panics
    /// When a token does not survive its own encoding.
    #[must_use]
    pub fn copied(&self) -> Option<Self> {
        let Self::Token(token) = self else { return None };
        let bytes = token.to_cbor().expect("a token is encoded");
        Some(Self::Token(Box::new(SoftToken::from_cbor(&bytes).expect("and decoded"))))
    }

    /// Answers the options of a registration.
    ///
    /// # Panics
    /// When these are no such options.
    #[must_use]
    pub fn create(&mut self, options: &str) -> String {
        let options = serde_json::from_str(options).expect("options of a registration");
        let answer = match self {
            Self::Token(token) => token.do_registration(origin(), options),
            Self::Passkey(passkey) => passkey.do_registration(origin(), options),
        };
        as_browsers_say(&answer.expect("it registers"))
    }

    /// Answers the options of an assertion with the first credential of its own that they ask for.
    ///
    /// # Panics
    /// When these are no such options.
    #[must_use]
    pub fn get(&mut self, options: &str) -> Option<String> {
        let options = serde_json::from_str(options).expect("options of an assertion");
        let answer = match self {
            Self::Token(token) => token.do_authentication(origin(), options),
            Self::Passkey(passkey) => passkey.do_authentication(origin(), options),
        };
        answer.ok().map(|answer| as_browsers_say(&answer))
    }
}

fn origin() -> Url {
    Url::parse(ORIGIN).expect("an origin")
}

/// The library calls one member otherwise than browsers do, and writes the absent ones down.
fn as_browsers_say(answer: &impl serde::Serialize) -> String {
    let mut answer = serde_json::to_value(answer).expect("an answer is JSON");
    let members = answer.as_object_mut().expect("an object");
    let extensions = members.remove("extensions").unwrap_or_else(|| json!({}));
    members.insert("clientExtensionResults".to_owned(), extensions);
    if let Some(response) = members.get_mut("response").and_then(Value::as_object_mut) {
        response.retain(|_, value| !value.is_null());
    }
    answer.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: &str = r#"{"publicKey":{"challenge":"AAECAw","rp":{"id":"localhost","name":"x"},
        "user":{"id":"BwcH","name":"lee","displayName":"lee"},"pubKeyCredParams":[{"type":"public-key","alg":-7}]}}"#;

    fn ask_for(answer: &str) -> String {
        let id = encode(&credential(answer));
        json!({ "publicKey": {
            "challenge": "AAEC", "rpId": "localhost", "userVerification": "required",
            "allowCredentials": [{ "type": "public-key", "id": id }],
        } })
        .to_string()
    }

    fn counter(answer: &str) -> u32 {
        let answer: Value = serde_json::from_str(answer).unwrap();
        let data = answer["response"]["authenticatorData"].as_str().unwrap();
        let data = BASE64URL_NOPAD.decode(data.as_bytes()).unwrap();
        u32::from_be_bytes(data[33..37].try_into().unwrap())
    }

    #[test]
    fn a_hand_made_key_answers_the_challenge_of_its_options() {
        let key = HandMade::new(1);
        assert_eq!(challenge(OPTIONS), [0, 1, 2, 3]);
        let registered = key.create(OPTIONS);
        assert_eq!(credential(&registered), key.id);
        assert_eq!(asked_for(&ask_for(&registered)), std::slice::from_ref(&key.id));
        assert_eq!(counter(&key.at(7).get(&ask_for(&registered))), 7);
        assert_ne!(HandMade::new(2).id, key.id);
    }

    #[test]
    fn soft_keys_answer_for_their_own_credentials_and_count() {
        for mut soft in [Soft::token(), Soft::passkey()] {
            let options = ask_for(&soft.create(OPTIONS));
            assert_eq!(counter(&soft.get(&options).unwrap()), 1);
            assert_eq!(counter(&soft.get(&options).unwrap()), 2);
            assert_eq!(soft.get(&ask_for(&HandMade::new(1).create(OPTIONS))), None);
            let Some(mut copy) = soft.copied() else { continue };
            assert_eq!((counter(&copy.get(&options).unwrap()), counter(&soft.get(&options).unwrap())), (3, 3));
        }
    }
}
