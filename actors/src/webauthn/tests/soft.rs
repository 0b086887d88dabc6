//! Ceremonies with the software authenticators of the library's authors.

use data_encoding::BASE64;
use webauthn_authenticator_rs::WebauthnAuthenticator;
use webauthn_authenticator_rs::softpasskey::SoftPasskey;
use webauthn_authenticator_rs::softtoken::{AAGUID, SoftToken};
use webauthn_rs::prelude::Url;

use super::*;

fn token() -> SoftToken {
    SoftToken::new(false).unwrap().0
}

/// The root that a token attests to.
fn root_of(token: &SoftToken) -> String {
    let root = serde_json::to_value(token).unwrap()["ca_cert"].as_str().unwrap().to_owned();
    let decoded = BASE64.decode(root.as_bytes()).or_else(|_| BASE64URL_NOPAD.decode(root.as_bytes()));
    pem(&decoded.unwrap())
}

/// The root of a token that nobody has.
pub fn root() -> String {
    root_of(&token())
}

fn register(authenticator: &mut impl WebauthnAuthenticator, offer: &Offer) -> String {
    let origin = Url::parse(ORIGIN).unwrap();
    let options = serde_json::from_str(&offer.options).unwrap();
    serde_json::to_string(&authenticator.do_registration(origin, options).unwrap()).unwrap()
}

fn assert(authenticator: &mut impl WebauthnAuthenticator, offer: &Offer) -> String {
    let origin = Url::parse(ORIGIN).unwrap();
    let options = serde_json::from_str(&offer.options).unwrap();
    serde_json::to_string(&authenticator.do_authentication(origin, options).unwrap()).unwrap()
}

/// Registers, and asserts twice.
fn use_it(verifier: &Verifier, form: KeyForm, authenticator: &mut impl WebauthnAuthenticator) -> NewCredential {
    let offer = verifier.registration(form);
    let answer = register(authenticator, &offer);
    let registered = verifier.judge_registration(form, &offer.state, &answer).unwrap();
    let mut counters = vec![registered.counter];
    for _ in 0..2 {
        let offer = verifier.offer_assertion(form, &stored(&registered)).unwrap();
        let answer = assert(authenticator, &offer);
        let asserted = verifier.judge_assertion(form, &offer.state, &answer).unwrap();
        assert_eq!(asserted.credential, registered.id);
        assert_eq!(asserted.user_verified, form == KeyForm::Passkey);
        counters.push(asserted.counter);
    }
    assert!(counters.is_sorted_by(|earlier, later| earlier < later), "{counters:?}");
    registered
}

#[test]
fn a_soft_passkey_in_both_forms() {
    let touched = use_it(&verifier(), KeyForm::SecurityKey, &mut SoftPasskey::new(false));
    assert!(!touched.user_verified);
    assert_eq!((touched.attestation, touched.model), ("packed", None));
    let passkey = use_it(&verifier(), KeyForm::Passkey, &mut SoftPasskey::new(true));
    assert!(passkey.user_verified);
}

#[test]
fn a_soft_token_attests_to_its_own_root_only() {
    let mut key = token();
    let own = root_of(&key);
    let registered = use_it(&attesting(&own), KeyForm::SecurityKey, &mut key);
    assert_eq!(registered.model.as_ref(), Some(AAGUID.as_bytes()));

    let bundle = format!("# Two makers\n{}\n# and ours\n{own}", root());
    use_it(&attesting(&bundle), KeyForm::SecurityKey, &mut key);

    let unasked = use_it(&verifier(), KeyForm::SecurityKey, &mut key);
    assert_eq!((unasked.attestation, unasked.model), ("packed", None));

    let stranger = attesting(&root());
    let offer = stranger.registration(KeyForm::SecurityKey);
    let answer = register(&mut key, &offer);
    let judged = stranger.judge_registration(KeyForm::SecurityKey, &offer.state, &answer);
    assert_eq!(fault_of(judged), KeyFault::Attestation);
}

#[test]
fn roots_are_asked_for_new_keys_only() {
    let mut key = SoftPasskey::new(false);
    let offer = verifier().registration(KeyForm::SecurityKey);
    let answer = register(&mut key, &offer);
    let registered = verifier().judge_registration(KeyForm::SecurityKey, &offer.state, &answer).unwrap();

    // The roots of the verdict decide, not those of the offer. It attests to itself.
    let strict = attesting(&root());
    let judged = strict.judge_registration(KeyForm::SecurityKey, &offer.state, &answer);
    assert_eq!(fault_of(judged), KeyFault::Attestation);

    let offer = strict.offer_assertion(KeyForm::SecurityKey, &stored(&registered)).unwrap();
    let answer = assert(&mut key, &offer);
    assert!(strict.judge_assertion(KeyForm::SecurityKey, &offer.state, &answer).is_ok());
}

#[test]
fn passkeys_are_not_registered_where_keys_must_attest() {
    let strict = attesting(&root());
    let offer = strict.offer_registration(KeyForm::Passkey, HANDLE, "lee", &[]);
    assert_eq!(offer.unwrap_err(), OfferError::PasskeyUnattested);
    let earlier = verifier().registration(KeyForm::Passkey);
    let answer = register(&mut SoftPasskey::new(true), &earlier);
    let judged = strict.judge_registration(KeyForm::Passkey, &earlier.state, &answer);
    assert_eq!(fault_of(judged), KeyFault::Attestation);
}
