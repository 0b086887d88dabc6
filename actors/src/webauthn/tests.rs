//! What all tests of this module share.

use countersign_domain::event::{KeyFault, KeyForm};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::Value;

use super::{ANSWER_BYTES_MAX, Asserted, NewCredential, Offer, OfferError, RelyingParty, Verifier};

mod ceremonies;
mod key;
mod parties;
mod soft;
mod vectors;

const HANDLE: [u8; 16] = [7; 16];
const ORIGIN: &str = "http://localhost:4000";

fn verifier() -> Verifier {
    Verifier::new(&RelyingParty::default()).unwrap()
}

fn attesting(roots: &str) -> Verifier {
    Verifier::new(&RelyingParty { attestation_roots: Some(roots.to_owned()), ..RelyingParty::default() }).unwrap()
}

impl Verifier {
    fn registration(&self, form: KeyForm) -> Offer {
        self.offer_registration(form, HANDLE, "lee", &[]).unwrap()
    }
}

/// A certificate in PEM.
fn pem(der: &[u8]) -> String {
    let lines: String =
        BASE64.encode(der).as_bytes().chunks(64).map(|line| format!("{}\n", str::from_utf8(line).unwrap())).collect();
    format!("-----BEGIN CERTIFICATE-----\n{lines}-----END CERTIFICATE-----\n")
}

fn json(text: impl AsRef<[u8]>) -> Value {
    serde_json::from_slice(text.as_ref()).unwrap()
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64URL_NOPAD.encode(bytes.as_ref())
}

/// The bytes of a base64url member, such as `/response/signature`.
fn bytes(value: &Value, pointer: &str) -> Vec<u8> {
    BASE64URL_NOPAD.decode(value.pointer(pointer).unwrap().as_str().unwrap().as_bytes()).unwrap()
}

/// A copy with one member replaced.
fn with(value: &Value, pointer: &str, new: impl Into<Value>) -> Value {
    let mut copy = value.clone();
    *copy.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer} in {value}")) = new.into();
    copy
}

/// A copy with the bytes of one member changed.
fn altered(value: &Value, pointer: &str, alter: impl FnOnce(&mut Vec<u8>)) -> Value {
    let mut changed = bytes(value, pointer);
    alter(&mut changed);
    with(value, pointer, encode(changed))
}

/// A copy with some text of the client data replaced.
fn client_data(answer: &Value, old: &str, new: &str) -> Value {
    altered(answer, "/response/clientDataJSON", |data| {
        let text = String::from_utf8(data.clone()).unwrap();
        assert!(text.contains(old), "{text}");
        *data = text.replace(old, new).into_bytes();
    })
}

/// A copy that names another credential.
fn renamed(answer: &Value, id: &str) -> Value {
    with(&with(answer, "/id", id), "/rawId", id)
}

fn fault_of<T: std::fmt::Debug>(result: Result<T, KeyFault>) -> KeyFault {
    result.unwrap_err()
}

fn stored(credential: &NewCredential) -> [&[u8]; 1] {
    [&credential.stored]
}
