//! Both halves of both ceremonies, with a key that does what a test wants.

use super::key::{BACKED_UP, BACKUP_ELIGIBLE, Key, PRESENT, VERIFIED};
use super::*;

fn register(form: KeyForm, key: &Key) -> Result<NewCredential, KeyFault> {
    let offer = verifier().registration(form);
    verifier().judge_registration(form, &offer.state, &key.register(&offer.options))
}

fn assert(form: KeyForm, registered: &NewCredential, key: &Key) -> Result<Asserted, KeyFault> {
    let offer = verifier().offer_assertion(form, &stored(registered)).unwrap();
    verifier().judge_assertion(form, &offer.state, &key.assert(&offer.options))
}

// ---- offers

#[test]
fn a_security_key_is_asked_for_a_touch() {
    let known = vec![vec![1; 16], vec![2; 64]];
    let offer = verifier().offer_registration(KeyForm::SecurityKey, HANDLE, "lee", &known).unwrap();
    let options = &json(&offer.options)["publicKey"];
    assert_eq!(options["rp"], serde_json::json!({ "id": "localhost", "name": "Countersign" }));
    assert_eq!(options["user"], serde_json::json!({ "id": encode(HANDLE), "name": "lee", "displayName": "lee" }));
    assert_eq!(bytes(options, "/challenge").len(), 32);
    assert_eq!(options["attestation"], "none");
    let selection = &options["authenticatorSelection"];
    assert_eq!(selection["userVerification"], "discouraged");
    assert_eq!(selection["residentKey"], "discouraged");
    assert_eq!(selection["authenticatorAttachment"], "cross-platform");
    // Chromium refuses a protection policy beside a verification that is not required.
    assert_eq!(options.pointer("/extensions/credentialProtectionPolicy"), None);
    let excluded = options["excludeCredentials"].as_array().unwrap();
    let id = |id: &[u8]| serde_json::json!({ "type": "public-key", "id": encode(id) });
    assert_eq!(excluded, &[id(&known[0]), id(&known[1])]);
}

#[test]
fn a_passkey_is_asked_to_verify_its_user() {
    let offer = verifier().registration(KeyForm::Passkey);
    let options = &json(&offer.options)["publicKey"];
    assert_eq!(options["authenticatorSelection"]["userVerification"], "required");
    let registered = register(KeyForm::Passkey, &Key::new(1)).unwrap();
    let offer = verifier().offer_assertion(KeyForm::Passkey, &stored(&registered)).unwrap();
    assert_eq!(json(&offer.options)["publicKey"]["userVerification"], "required");
}

#[test]
fn each_offer_has_its_own_challenge() {
    let challenge = || bytes(&json(&verifier().registration(KeyForm::Passkey).options), "/publicKey/challenge");
    assert_ne!(challenge(), challenge());
}

#[test]
fn attestation_is_asked_for_where_there_are_roots() {
    let strict = attesting(&soft::root());
    let offer = strict.registration(KeyForm::SecurityKey);
    assert_eq!(json(&offer.options)["publicKey"]["attestation"], "direct");
    // The roots may be many, and are not kept with each challenge.
    assert!(offer.state.len() < 700, "{offer:?}");
}

#[test]
fn an_assertion_asks_for_the_given_credentials() {
    let keys = [Key::new(1), Key::new(2)];
    let registered = keys.each_ref().map(|key| register(KeyForm::SecurityKey, key).unwrap());
    let all: Vec<&[u8]> = registered.iter().map(|credential| &*credential.stored).collect();
    let offer = verifier().offer_assertion(KeyForm::SecurityKey, &all).unwrap();
    let options = &json(&offer.options)["publicKey"];
    assert_eq!(options["rpId"], "localhost");
    assert_eq!(options["userVerification"], "discouraged");
    let ids = options["allowCredentials"].as_array().unwrap().iter().map(|allowed| bytes(allowed, "/id"));
    assert!(ids.eq(keys.iter().map(|key| key.id.clone())));
    for key in &keys {
        let asserted = verifier().judge_assertion(KeyForm::SecurityKey, &offer.state, &key.assert(&offer.options));
        assert_eq!(asserted.unwrap().credential, key.id);
    }
    let stranger = Key::new(3).assert(&offer.options);
    let judged = verifier().judge_assertion(KeyForm::SecurityKey, &offer.state, &stranger);
    assert_eq!(fault_of(judged), KeyFault::UnknownCredential);
}

#[test]
fn offers_that_cannot_be_made() {
    let verifier = verifier();
    let nameless = verifier.offer_registration(KeyForm::Passkey, HANDLE, "", &[]);
    assert_eq!(nameless.unwrap_err(), OfferError::Name);
    let passkey = register(KeyForm::Passkey, &Key::new(1)).unwrap();
    let offer = |credentials: &[&[u8]]| verifier.offer_assertion(KeyForm::SecurityKey, credentials).unwrap_err();
    assert_eq!(offer(&[]), OfferError::NoCredential);
    assert_eq!(offer(&[b"{}"]), OfferError::Stored);
    assert_eq!(offer(&stored(&passkey)), OfferError::Stored);
}

// ---- registration

#[test]
fn what_a_new_credential_says_of_itself() {
    let honest = Key { counter: 7, ..Key::new(1) };
    let registered = register(KeyForm::SecurityKey, &honest).unwrap();
    assert_eq!((&registered.id, registered.counter), (&honest.id, 7));
    assert!(registered.user_verified);
    assert!(!registered.backup_eligible);
    assert_eq!((registered.attestation, registered.model), ("none", None));

    let touched = register(KeyForm::SecurityKey, &Key { flags: PRESENT, ..Key::new(1) }).unwrap();
    assert!(!touched.user_verified);

    let flags = PRESENT | VERIFIED | BACKUP_ELIGIBLE | BACKED_UP;
    let copied = register(KeyForm::Passkey, &Key { flags, ..Key::new(1) }).unwrap();
    assert!(copied.backup_eligible);
}

/// What a key or its browser may do wrong, signed nonetheless; in both ceremonies.
fn wrongs() -> Vec<(Key, KeyFault)> {
    let key = || Key::new(1);
    vec![
        (Key { challenge: Some(vec![1; 32]), ..key() }, KeyFault::Challenge),
        (Key { challenge: Some(vec![]), ..key() }, KeyFault::Challenge),
        (Key { kind: Some("payment.get"), ..key() }, KeyFault::Malformed),
        (Key { origin: "https://localhost", ..key() }, KeyFault::Origin),
        (Key { origin: "http://localhost.example.com", ..key() }, KeyFault::Origin),
        (Key { origin: "http://www.localhost", ..key() }, KeyFault::Origin),
        (Key { origin: "null", ..key() }, KeyFault::Malformed),
        (Key { more: r#","crossOrigin":true"#, ..key() }, KeyFault::Origin),
        (Key { more: r#","topOrigin":"https://example.com""#, ..key() }, KeyFault::Origin),
        (Key { more: r#","origin":"http://localhost""#, ..key() }, KeyFault::Malformed),
        (Key { rp_id: "example.com", ..key() }, KeyFault::RelyingParty),
        (Key { flags: VERIFIED, ..key() }, KeyFault::UserNotPresent),
        (Key { flags: 0, ..key() }, KeyFault::UserNotPresent),
        // Copied, and yet not to be copied.
        (Key { flags: PRESENT | VERIFIED | BACKED_UP, ..key() }, KeyFault::Malformed),
        (Key { id: vec![1; 1024], ..key() }, KeyFault::Malformed),
        (Key { id: vec![1; 4097], ..key() }, KeyFault::Malformed),
    ]
}

#[test]
fn a_wrong_registration_is_refused() {
    for form in [KeyForm::SecurityKey, KeyForm::Passkey] {
        for (number, (key, fault)) in wrongs().into_iter().enumerate() {
            assert_eq!(fault_of(register(form, &key)), fault, "{form:?} {number}");
        }
    }
    let unverified = Key { flags: PRESENT, ..Key::new(1) };
    assert_eq!(fault_of(register(KeyForm::Passkey, &unverified)), KeyFault::UserNotVerified);
}

#[test]
fn a_credential_is_registered_once() {
    let key = Key::new(1);
    let offer = verifier().offer_registration(KeyForm::SecurityKey, HANDLE, "lee", &[vec![9; 32], key.id.clone()]);
    let offer = offer.unwrap();
    let judged = verifier().judge_registration(KeyForm::SecurityKey, &offer.state, &key.register(&offer.options));
    assert_eq!(fault_of(judged), KeyFault::AlreadyRegistered);
}

#[test]
fn the_id_beside_the_attested_one_is_the_same() {
    let offer = verifier().registration(KeyForm::SecurityKey);
    let answer = json(Key::new(1).register(&offer.options));
    let other = encode([2; 32]);
    for answer in [
        with(&answer, "/id", other.clone()),
        with(&answer, "/rawId", other.clone()),
        renamed(&answer, &other),
        with(&answer, "/type", "other"),
    ] {
        let judged = verifier().judge_registration(KeyForm::SecurityKey, &offer.state, &answer.to_string());
        assert_eq!(fault_of(judged), KeyFault::Malformed);
    }
}

// ---- assertion

#[test]
fn a_wrong_assertion_is_refused() {
    for form in [KeyForm::SecurityKey, KeyForm::Passkey] {
        let registered = register(form, &Key::new(1)).unwrap();
        assert!(assert(form, &registered, &Key::new(1)).unwrap().user_verified);
        for (number, (key, fault)) in wrongs().into_iter().enumerate() {
            // An unknown id is answered before anything is looked at.
            let fault = if key.id == Key::new(1).id { fault } else { KeyFault::UnknownCredential };
            assert_eq!(fault_of(assert(form, &registered, &key)), fault, "{form:?} {number}");
        }
    }
}

#[test]
fn a_touch_is_enough_for_a_security_key_and_not_for_a_passkey() {
    let touched = || Key { flags: PRESENT, ..Key::new(1) };
    let registered = register(KeyForm::SecurityKey, &Key::new(1)).unwrap();
    assert!(!assert(KeyForm::SecurityKey, &registered, &touched()).unwrap().user_verified);
    let registered = register(KeyForm::Passkey, &Key::new(1)).unwrap();
    assert_eq!(fault_of(assert(KeyForm::Passkey, &registered, &touched())), KeyFault::UserNotVerified);
}

#[test]
fn another_key_does_not_sign_for_it() {
    let registered = register(KeyForm::SecurityKey, &Key::new(1)).unwrap();
    let forger = Key { id: Key::new(1).id, ..Key::new(2) };
    assert_eq!(fault_of(assert(KeyForm::SecurityKey, &registered, &forger)), KeyFault::Signature);
}

#[test]
fn a_handle_is_the_persons_own_or_none() {
    let registered = register(KeyForm::Passkey, &Key::new(1)).unwrap();
    let holder = |user_handle| Key { user_handle, ..Key::new(1) };
    for good in [None, Some(vec![]), Some(HANDLE.to_vec())] {
        assert!(assert(KeyForm::Passkey, &registered, &holder(good)).is_ok());
    }
    for bad in [vec![8; 16], vec![7; 15]] {
        let judged = assert(KeyForm::Passkey, &registered, &holder(Some(bad)));
        assert_eq!(fault_of(judged), KeyFault::UnknownCredential);
    }
}

/// Whether it went back is decided where the log is.
#[test]
fn a_counter_is_told_and_not_judged() {
    let registered = register(KeyForm::SecurityKey, &Key { counter: 7, ..Key::new(1) }).unwrap();
    for counter in [0, 6, 7, 8, u32::MAX] {
        let asserted = assert(KeyForm::SecurityKey, &registered, &Key { counter, ..Key::new(1) }).unwrap();
        assert_eq!(asserted.counter, counter);
    }
    let forger = Key { id: Key::new(1).id, counter: 6, ..Key::new(2) };
    assert_eq!(fault_of(assert(KeyForm::SecurityKey, &registered, &forger)), KeyFault::Signature);
}

/// That a challenge is used once is the log's business.
#[test]
fn an_answer_verifies_as_often_as_it_is_judged() {
    let (verifier, key, form) = (verifier(), Key::new(1), KeyForm::SecurityKey);
    let offer = verifier.registration(form);
    let answer = key.register(&offer.options);
    let judge = || verifier.judge_registration(form, &offer.state, &answer).unwrap();
    let registered = judge();
    assert_eq!(judge().stored, registered.stored);
    let offer = verifier.offer_assertion(form, &stored(&registered)).unwrap();
    let answer = key.assert(&offer.options);
    let judge = || verifier.judge_assertion(form, &offer.state, &answer).unwrap();
    assert_eq!(judge(), judge());
}

// ---- what is no answer at all

#[test]
fn a_state_answers_its_own_ceremony_only() {
    let (verifier, key) = (verifier(), Key::new(1));
    let (touch, pass) = (KeyForm::SecurityKey, KeyForm::Passkey);
    let registration = verifier.registration(touch);
    let answer = key.register(&registration.options);
    let registered = verifier.judge_registration(touch, &registration.state, &answer).unwrap();
    let assertion = verifier.offer_assertion(touch, &stored(&registered)).unwrap();
    let signed = key.assert(&assertion.options);
    let malformed = KeyFault::Malformed;
    assert_eq!(fault_of(verifier.judge_registration(pass, &registration.state, &answer)), malformed);
    assert_eq!(fault_of(verifier.judge_registration(touch, &assertion.state, &answer)), malformed);
    assert_eq!(fault_of(verifier.judge_registration(touch, &registration.state, &signed)), malformed);
    assert_eq!(fault_of(verifier.judge_registration(touch, b"", &answer)), malformed);
    assert_eq!(fault_of(verifier.judge_assertion(pass, &assertion.state, &signed)), malformed);
    assert_eq!(fault_of(verifier.judge_assertion(touch, &registration.state, &signed)), malformed);
    assert_eq!(fault_of(verifier.judge_assertion(touch, &assertion.state, &answer)), malformed);
    assert_eq!(fault_of(verifier.judge_assertion(touch, b"{}", &signed)), malformed);
}

#[test]
fn what_is_too_long_or_cut_short_is_malformed() {
    let (verifier, key, form) = (verifier(), Key::new(1), KeyForm::SecurityKey);
    let offer = verifier.registration(form);
    let answer = key.register(&offer.options);
    let judge = |answer: &str| verifier.judge_registration(form, &offer.state, answer);
    let padded = |length: usize| format!("{answer}{}", " ".repeat(length - answer.len()));
    assert!(judge(&padded(ANSWER_BYTES_MAX)).is_ok());
    assert_eq!(fault_of(judge(&padded(ANSWER_BYTES_MAX + 1))), KeyFault::Malformed);
    for length in 0..answer.len() {
        assert_eq!(fault_of(judge(&answer[..length])), KeyFault::Malformed);
    }
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(fault_of(judge(&deep)), KeyFault::Malformed);
    let value = json(&answer);
    for part in ["/response/attestationObject", "/response/clientDataJSON"] {
        for length in 0..bytes(&value, part).len() {
            let cut = altered(&value, part, |data| data.truncate(length));
            assert!(judge(&cut.to_string()).is_err(), "{part} {length}");
        }
    }
    // CBOR arrays in arrays, some tens of thousands deep.
    let deep = with(&value, "/response/attestationObject", encode([0x81; 40_000]));
    assert_eq!(fault_of(judge(&deep.to_string())), KeyFault::Malformed);
}

/// Moduli and exponents that are none: neither panics nor a credential that can be asserted.
#[test]
fn degenerate_rsa_keys() {
    let (verifier, key, form) = (verifier(), Key::new(1), KeyForm::SecurityKey);
    let offer = verifier.registration(form);
    let answer = json(key.register(&offer.options));
    for (modulus, exponent) in [(0, [0, 0, 0]), (0, [1, 0, 1]), (0xff, [0, 0, 0]), (0xff, [0, 0, 1]), (0xfe, [1, 0, 1])]
    {
        let rsa = altered(&answer, "/response/attestationObject", |object| {
            object.truncate(object.len() - 77);
            object.extend(b"\xa4\x01\x03\x03\x39\x01\x00\x20\x59\x01\x00");
            object.extend([modulus; 256]);
            object.extend(b"\x21\x43");
            object.extend(exponent);
            let at = object.windows(9).position(|window| window == b"authData\x59").unwrap() + 9;
            let length = u16::try_from(object.len() - at - 2).unwrap().to_be_bytes();
            object[at..at + 2].copy_from_slice(&length);
        });
        let Ok(registered) = verifier.judge_registration(form, &offer.state, &rsa.to_string()) else { continue };
        for fill in [0, 1, 0xff] {
            let offer = verifier.offer_assertion(form, &stored(&registered)).unwrap();
            let signed = with(&json(key.assert(&offer.options)), "/response/signature", encode([fill; 256]));
            let judged = verifier.judge_assertion(form, &offer.state, &signed.to_string());
            assert_eq!(fault_of(judged), KeyFault::Signature, "{modulus} {exponent:?}");
        }
    }
}

#[test]
fn nothing_of_a_ceremony_is_printed() {
    let key = Key::new(0x5a);
    let registered = register(KeyForm::SecurityKey, &key).unwrap();
    let offer = verifier().offer_assertion(KeyForm::SecurityKey, &stored(&registered)).unwrap();
    let asserted = assert(KeyForm::SecurityKey, &registered, &key).unwrap();
    let printed = format!("{offer:?} {registered:?} {asserted:?}");
    assert!(!printed.contains(&encode(&key.id)) && !printed.contains("90, 90"), "{printed}");
    assert!(!printed.contains("challenge"), "{printed}");
}

// ---- history

#[test]
fn what_earlier_releases_wrote_is_read() {
    let kept = json(include_str!("../../../../tests/vectors/webauthn-kept.json"));
    for (form, name) in [(KeyForm::SecurityKey, "securityKey"), (KeyForm::Passkey, "passkey")] {
        let (key, kept) = (Key { counter: 7, ..Key::new(1) }, &kept[name]);
        let state = |ceremony: &str, inner: &str| {
            let challenge = &kept[ceremony]["ceremony"][name][inner]["challenge"];
            let options = serde_json::json!({ "publicKey": { "challenge": challenge } });
            (kept[ceremony].to_string().into_bytes(), options.to_string())
        };
        let (registration, options) = state("registration", "rs");
        let registered = verifier().judge_registration(form, &registration, &key.register(&options)).unwrap();
        // And what is written now says no less.
        assert_eq!(json(&registered.stored), kept["stored"]);
        let (assertion, options) = state("assertion", "ast");
        assert_eq!(verifier().judge_assertion(form, &assertion, &key.assert(&options)).unwrap().counter, 7);
        let stored = kept["stored"].to_string();
        let offer = verifier().offer_assertion(form, &[stored.as_bytes()]).unwrap();
        assert!(verifier().judge_assertion(form, &offer.state, &key.assert(&offer.options)).is_ok());
    }
}
