//! Security keys that somebody else wrote, each with the browser in front of it: options in, `credential.toJSON()` out.

use countersign::testing::ORIGIN;
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use webauthn_authenticator_rs::WebauthnAuthenticator;
use webauthn_authenticator_rs::prelude::Url;
use webauthn_authenticator_rs::softpasskey::SoftPasskey;
use webauthn_authenticator_rs::softtoken::SoftToken;

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
    use countersign::testing::{SecurityKey, challenge_of};

    use super::*;

    const OPTIONS: &str = r#"{"publicKey":{"challenge":"AAECAw","rp":{"id":"localhost","name":"x"},
        "user":{"id":"BwcH","name":"lee","displayName":"lee"},"pubKeyCredParams":[{"type":"public-key","alg":-7}]}}"#;

    fn ask_for(answer: &str) -> String {
        let id = BASE64URL_NOPAD.encode(&credential(answer));
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
        let key = SecurityKey::new(1);
        assert_eq!(challenge_of(OPTIONS), [0, 1, 2, 3]);
        let registered = key.create(OPTIONS);
        assert_eq!(credential(&registered), key.id);
        assert_eq!(asked_for(&ask_for(&registered)), std::slice::from_ref(&key.id));
        assert_eq!(counter(&key.at(7).get(&ask_for(&registered))), 7);
        assert_ne!(SecurityKey::new(2).id, key.id);
    }

    #[test]
    fn soft_keys_answer_for_their_own_credentials_and_count() {
        for mut soft in [Soft::token(), Soft::passkey()] {
            let options = ask_for(&soft.create(OPTIONS));
            assert_eq!(counter(&soft.get(&options).unwrap()), 1);
            assert_eq!(counter(&soft.get(&options).unwrap()), 2);
            assert_eq!(soft.get(&ask_for(&SecurityKey::new(1).create(OPTIONS))), None);
            let Some(mut copy) = soft.copied() else { continue };
            assert_eq!((counter(&copy.get(&options).unwrap()), counter(&soft.get(&options).unwrap())), (3, 3));
        }
    }
}
