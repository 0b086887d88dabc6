//! The test vectors of the specification (WebAuthn Level 3, section 16), and each of their parts altered.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use serde_json::json;

use super::*;

/// What the library cannot do, or what we do not want: the registration is refused, and why.
const REFUSED: [(&str, KeyFault); 8] = [
    // Made in a frame of somebody else's page.
    ("none.ES256.crossOrigin", KeyFault::Origin),
    ("none.ES256.topOrigin", KeyFault::Origin),
    // Not offered, since the library has no P-521, Ed25519 and Ed448.
    ("packed.ES512", KeyFault::Algorithm),
    ("packed.EdDSA", KeyFault::Algorithm),
    ("packed.Ed448", KeyFault::Algorithm),
    // The library takes moduli of 2048 bits only; this one has 3482.
    ("packed.RS256", KeyFault::Algorithm),
    // The library computes no hash for a TPM's statement.
    ("tpm.ES256", KeyFault::Algorithm),
    // The extension writes its security levels as INTEGER and lists no authorisations; the library reads
    // ENUMERATED, as Android writes it, and wants the origin and purpose of the key.
    ("android-key.ES256", KeyFault::Attestation),
];

/// Those whose attestation signs all of the authenticator data.
const FULLY_ATTESTED: [&str; 4] = ["packed-self.ES256", "packed.ES256", "packed.ES384", "apple.ES256"];
/// It signs the client data, the credential id and the public key only.
const PARTLY_ATTESTED: &str = "fido-u2f.ES256";
/// Those whose attestation leads to the root.
const ROOTED: [&str; 4] = ["packed.ES256", "packed.ES384", "apple.ES256", PARTLY_ATTESTED];

struct Vector {
    name: String,
    registration: (String, Value),
    authentication: (String, Value),
}

fn unhex(value: &Value) -> String {
    encode(HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap())
}

fn file() -> Value {
    json(include_str!("../../../../tests/vectors/webauthn-l3.json"))
}

fn vectors() -> Vec<Vector> {
    read(&file())
}

fn read(file: &Value) -> Vec<Vector> {
    let read = |vector: &Value| {
        let id = unhex(&vector["credential_id"]);
        let ceremony = |ceremony: &Value| {
            let mut members: BTreeMap<String, String> = BTreeMap::new();
            for (name, value) in ceremony.as_object().unwrap() {
                members.insert(name.clone(), unhex(value));
            }
            let challenge = members.remove("challenge").unwrap();
            (challenge, json!({ "id": id, "rawId": id, "type": "public-key", "response": members }))
        };
        Vector {
            name: vector["name"].as_str().unwrap().to_owned(),
            registration: ceremony(&vector["registration"]),
            authentication: ceremony(&vector["authentication"]),
        }
    };
    file["vectors"].as_array().unwrap().iter().map(read).collect()
}

fn accepted() -> impl Iterator<Item = Vector> {
    vectors().into_iter().filter(|vector| REFUSED.iter().all(|(name, _)| *name != vector.name))
}

fn party() -> RelyingParty {
    let (id, origins) = ("example.org".to_owned(), vec!["https://example.org".to_owned()]);
    RelyingParty { id, origins, any_port: false, ..RelyingParty::default() }
}

fn plain() -> Verifier {
    Verifier::new(&party()).unwrap()
}

fn rooted() -> Verifier {
    let root = HEXLOWER.decode(file()["attestation_root"].as_str().unwrap().as_bytes()).unwrap();
    Verifier::new(&RelyingParty { attestation_roots: Some(pem(&root)), ..party() }).unwrap()
}

/// A state that was offered, with the vector's challenge for its own.
fn state(offer: &Offer, challenge: &str) -> Vec<u8> {
    let mut state = json(&offer.state);
    let (_, ceremony) = state["ceremony"].as_object_mut().unwrap().iter_mut().next().unwrap();
    let (_, inner) = ceremony.as_object_mut().unwrap().iter_mut().find(|(name, _)| *name != "ca_list").unwrap();
    inner["challenge"] = challenge.into();
    state.to_string().into_bytes()
}

impl Verifier {
    fn register(&self, form: KeyForm, challenge: &str, answer: &Value) -> Result<NewCredential, KeyFault> {
        self.judge_registration(form, &state(&self.registration(form), challenge), &answer.to_string())
    }

    fn registers(&self, vector: &Vector) -> NewCredential {
        let (challenge, answer) = &vector.registration;
        self.register(KeyForm::SecurityKey, challenge, answer).unwrap()
    }

    fn asserts(&self, stored: &[u8], challenge: &str, answer: &Value) -> Result<Asserted, KeyFault> {
        let offer = self.offer_assertion(KeyForm::SecurityKey, &[stored]).unwrap();
        self.judge_assertion(KeyForm::SecurityKey, &state(&offer, challenge), &answer.to_string())
    }
}

/// Where the authenticator data begins in an attestation object.
fn auth_data_at(object: &[u8]) -> usize {
    let (_, answer) = &vectors()[0].authentication;
    let hash = bytes(answer, "/response/authenticatorData")[..32].to_owned();
    object.windows(32).position(|window| window == hash).unwrap()
}

const FLAGS: usize = 32;
const COUNTER: usize = 36;
const MODEL: usize = 37;
const CREDENTIAL: usize = 55;
/// How long the public key of ES256 is, at the end of the attestation object.
const PUBLIC_KEY: usize = 77;

fn auth_data(answer: &Value, alter: impl FnOnce(&mut [u8])) -> Value {
    altered(answer, "/response/attestationObject", |object| {
        let at = auth_data_at(object);
        alter(&mut object[at..]);
    })
}

#[test]
fn every_vector_verifies_or_is_refused_as_listed() {
    let verifier = plain();
    let mut verified = 0;
    for vector in vectors() {
        let (challenge, answer) = &vector.registration;
        let registered = verifier.register(KeyForm::SecurityKey, challenge, answer);
        let refused = REFUSED.iter().find(|(name, _)| *name == vector.name);
        assert_eq!(registered.as_ref().err(), refused.map(|(_, fault)| fault), "{}", vector.name);
        let Ok(registered) = registered else { continue };
        assert_eq!(registered.counter, 0);
        assert!(vector.name.starts_with(registered.attestation), "{}", registered.attestation);
        let (challenge, answer) = &vector.authentication;
        let asserted = verifier.asserts(&registered.stored, challenge, answer).unwrap();
        assert_eq!(asserted.credential, registered.id);
        let flags = bytes(answer, "/response/authenticatorData")[FLAGS];
        assert_eq!(asserted.user_verified, flags & key::VERIFIED != 0);
        verified += 1;
    }
    assert_eq!((verified, REFUSED.len()), (7, 8));
}

/// What some computers have: the one RSA key among the vectors is longer than the library takes.
#[test]
fn rsa_keys_of_the_usual_size_verify() {
    let file = json(include_str!("../../../../tests/vectors/webauthn-rs256.json"));
    let [vector]: [Vector; 1] = read(&file).try_into().ok().unwrap();
    let registered = plain().registers(&vector);
    let (challenge, answer) = &vector.authentication;
    assert_eq!(plain().asserts(&registered.stored, challenge, answer).unwrap().counter, 1);
    for part in ["/response/authenticatorData", "/response/signature"] {
        let forged = altered(answer, part, |data| *data.last_mut().unwrap() ^= 1);
        assert_eq!(fault_of(plain().asserts(&registered.stored, challenge, &forged)), KeyFault::Signature);
    }
}

#[test]
fn passkeys_are_the_vectors_that_verified_their_user() {
    let verifier = plain();
    for vector in accepted() {
        let (challenge, answer) = &vector.registration;
        let object = bytes(answer, "/response/attestationObject");
        let verified = object[auth_data_at(&object) + FLAGS] & key::VERIFIED != 0;
        let fault = verifier.register(KeyForm::Passkey, challenge, answer).map(drop);
        assert_eq!(fault, if verified { Ok(()) } else { Err(KeyFault::UserNotVerified) }, "{}", vector.name);
    }
}

#[test]
fn attestations_lead_to_the_published_root_or_not_at_all() {
    let (right, wrong) = (rooted(), Verifier::new(&RelyingParty { attestation_roots: Some(soft::root()), ..party() }));
    let wrong = wrong.unwrap();
    for vector in accepted() {
        let (challenge, answer) = &vector.registration;
        let judge = |verifier: &Verifier| verifier.register(KeyForm::SecurityKey, challenge, answer);
        assert_eq!(fault_of(judge(&wrong)), KeyFault::Attestation, "{}", vector.name);
        let attested = judge(&right);
        if !ROOTED.contains(&&*vector.name) {
            assert_eq!(fault_of(attested), KeyFault::Attestation, "{}", vector.name);
            continue;
        }
        let attested = attested.unwrap();
        let object = bytes(answer, "/response/attestationObject");
        let model = &object[auth_data_at(&object) + MODEL..][..16];
        let names_one = vector.name.starts_with("packed");
        assert_eq!(attested.model.as_ref().map(|model| &model[..]), names_one.then_some(model), "{}", vector.name);
        // Its certificate's signature, at the end of it, is no longer the root's.
        let end = certificate_end(&object);
        let forged = altered(answer, "/response/attestationObject", |object| object[end - 1] ^= 1);
        assert_eq!(fault_of(right.register(KeyForm::SecurityKey, challenge, &forged)), KeyFault::Attestation);
    }
}

/// Where the one certificate of a statement ends: `x5c`, an array of one, a byte string with two bytes of length.
fn certificate_end(object: &[u8]) -> usize {
    let at = object.windows(6).position(|window| window == b"\x63x5c\x81\x59").unwrap() + 6;
    at + 2 + usize::from(u16::from_be_bytes([object[at], object[at + 1]]))
}

/// Where the signature of a statement begins, with the tag of its DER, and ends.
fn statement_signature(object: &[u8]) -> Option<(usize, usize)> {
    let at = object.windows(5).position(|window| window == b"\x63sig\x58")? + 5;
    Some((at + 1, at + usize::from(object[at])))
}

#[test]
fn an_altered_part_of_a_registration_is_noticed() {
    let verifier = plain();
    let other = bytes(&vectors()[0].registration.1, "/response/attestationObject");
    for vector in accepted() {
        let (challenge, answer) = &vector.registration;
        let judge = |answer: &Value| verifier.register(KeyForm::SecurityKey, challenge, answer);
        let name = &*vector.name;
        let attested = name != "none.ES256" && name != "none.ES256.long-credential-id";
        let fully = FULLY_ATTESTED.contains(&name);

        let stranger = verifier.register(KeyForm::SecurityKey, &encode([1; 32]), answer);
        assert_eq!(fault_of(stranger), KeyFault::Challenge);
        for (altered, fault) in [
            (client_data(answer, "webauthn.create", "webauthn.get"), KeyFault::Malformed),
            (client_data(answer, challenge, &encode([1; 32])), KeyFault::Challenge),
            (client_data(answer, "https://example.org", "https://example.com"), KeyFault::Origin),
            (client_data(answer, "https://example.org", "http://example.org"), KeyFault::Origin),
            (client_data(answer, "https://example.org", "https://example.org:444"), KeyFault::Origin),
            (client_data(answer, "https://example.org", "https://www.example.org"), KeyFault::Origin),
            (client_data(answer, "\"crossOrigin\":false", "\"crossOrigin\":true"), KeyFault::Origin),
            (auth_data(answer, |data| data[0] ^= 1), KeyFault::RelyingParty),
            (auth_data(answer, |data| data[FLAGS] ^= key::PRESENT), KeyFault::UserNotPresent),
            (with(answer, "/type", "password"), KeyFault::Malformed),
            (with(answer, "/id", "AAAA"), KeyFault::Malformed),
            (with(answer, "/rawId", "AAAA"), KeyFault::Malformed),
            (renamed(answer, "AAAA"), KeyFault::Malformed),
        ] {
            assert_eq!(fault_of(judge(&altered)), fault, "{name}: {altered}");
        }
        if let Some((first, last)) = statement_signature(&bytes(answer, "/response/attestationObject")) {
            for at in [first, last] {
                let forged = altered(answer, "/response/attestationObject", |object| object[at] ^= 1);
                assert_eq!(fault_of(judge(&forged)), KeyFault::Attestation, "{name}");
            }
        }
        // What only an attestation can notice.
        let counted = auth_data(answer, |data| data[COUNTER] = 9);
        let modelled = auth_data(answer, |data| data[MODEL] ^= 1);
        let verified = auth_data(answer, |data| data[FLAGS] ^= key::VERIFIED);
        for altered in [counted, modelled, verified] {
            assert_eq!(judge(&altered).is_err_and(|fault| fault == KeyFault::Attestation), fully, "{name}: {altered}");
        }
        let mut id = bytes(answer, "/rawId");
        id[0] ^= 1;
        let reattached = renamed(&auth_data(answer, |data| data[CREDENTIAL] ^= 1), &encode(id));
        let longer = client_data(answer, "}", "} ");
        let swapped = altered(answer, "/response/attestationObject", |object| {
            let at = object.len() - PUBLIC_KEY;
            if name == "packed.ES384" {
                *object.last_mut().unwrap() ^= 1;
            } else {
                object[at..].copy_from_slice(&other[other.len() - PUBLIC_KEY..]);
            }
        });
        for altered in [reattached, longer, swapped] {
            let noticed = judge(&altered).is_err_and(|fault| fault == KeyFault::Attestation);
            assert_eq!(noticed, attested, "{name}: {altered}");
        }
    }
}

/// One bit of each byte of an attestation object flipped, judged with the root.
#[test]
fn each_byte_of_an_attestation_counts() {
    let verifier = rooted();
    for (name, uncounted) in [
        // The algorithm of the statement; the certificate's own is used.
        ("packed.ES256", 1),
        ("apple.ES256", 0),
        // Flags, save presence, which is this bit; so: counter and model.
        (PARTLY_ATTESTED, 4 + 16),
    ] {
        let vector = accepted().find(|vector| vector.name == name).unwrap();
        let (challenge, answer) = &vector.registration;
        let offered = state(&verifier.registration(KeyForm::SecurityKey), challenge);
        let taken = |at: &usize| {
            let flipped = altered(answer, "/response/attestationObject", |object| object[*at] ^= 1).to_string();
            verifier.judge_registration(KeyForm::SecurityKey, &offered, &flipped).is_ok()
        };
        let taken: Vec<usize> = (0..bytes(answer, "/response/attestationObject").len()).filter(taken).collect();
        assert_eq!(taken.len(), uncounted, "{name}: {taken:?}");
    }
}

#[test]
fn an_altered_part_of_an_assertion_is_noticed() {
    let verifier = plain();
    for vector in accepted() {
        let registered = verifier.registers(&vector);
        let (challenge, answer) = &vector.authentication;
        let judge = |answer: &Value| verifier.asserts(&registered.stored, challenge, answer);
        let auth = |at: usize, bit: u8| altered(answer, "/response/authenticatorData", |data| data[at] ^= bit);
        let stranger = verifier.asserts(&registered.stored, &encode([1; 32]), answer);
        assert_eq!(fault_of(stranger), KeyFault::Challenge);
        for (altered, fault) in [
            (client_data(answer, "webauthn.get", "webauthn.create"), KeyFault::Malformed),
            (client_data(answer, challenge, &encode([1; 32])), KeyFault::Challenge),
            (client_data(answer, "https://example.org", "https://example.com"), KeyFault::Origin),
            (client_data(answer, "}", "} "), KeyFault::Signature),
            (client_data(answer, "\"crossOrigin\":false", "\"crossOrigin\":true"), KeyFault::Signature),
            (auth(0, 1), KeyFault::RelyingParty),
            (auth(FLAGS, key::PRESENT), KeyFault::UserNotPresent),
            (auth(FLAGS, key::VERIFIED), KeyFault::Signature),
            // It never changes (section 6.1.3).
            (auth(FLAGS, key::BACKUP_ELIGIBLE), KeyFault::Malformed),
            (auth(COUNTER, 1), KeyFault::Signature),
            (with(answer, "/type", "password"), KeyFault::Malformed),
            (with(answer, "/id", "AAAA"), KeyFault::Malformed),
            (renamed(answer, "AAAA"), KeyFault::UnknownCredential),
            (altered(answer, "/response/signature", |data| *data.last_mut().unwrap() ^= 1), KeyFault::Signature),
            (altered(answer, "/response/signature", Vec::clear), KeyFault::Signature),
        ] {
            assert_eq!(fault_of(judge(&altered)), fault, "{}: {altered}", vector.name);
        }
    }
}

/// One bit of each byte of an assertion flipped.
#[test]
fn each_byte_of_an_assertion_counts() {
    let verifier = plain();
    for vector in accepted() {
        let registered = verifier.registers(&vector);
        let (challenge, answer) = &vector.authentication;
        let offer = verifier.offer_assertion(KeyForm::SecurityKey, &stored(&registered)).unwrap();
        let offered = state(&offer, challenge);
        for part in ["/response/authenticatorData", "/response/clientDataJSON", "/response/signature"] {
            for at in 0..bytes(answer, part).len() {
                let flipped = altered(answer, part, |data| data[at] ^= 1).to_string();
                let taken = verifier.judge_assertion(KeyForm::SecurityKey, &offered, &flipped);
                assert!(taken.is_err(), "{} {part} {at}", vector.name);
            }
        }
    }
}

/// The vector with the public key, or the id, of another one.
#[test]
fn a_signature_belongs_to_one_public_key() {
    let verifier = plain();
    let [first, second]: [Vector; 2] = accepted().take(2).collect::<Vec<_>>().try_into().ok().unwrap();
    let (one, two) = (verifier.registers(&first), verifier.registers(&second));
    let (challenge, answer) = &first.authentication;
    let key = json(&two.stored).pointer("/credential/cred").unwrap().clone();
    let swapped = with(&json(&one.stored), "/credential/cred", key).to_string();
    assert_eq!(fault_of(verifier.asserts(swapped.as_bytes(), challenge, answer)), KeyFault::Signature);
    assert_eq!(fault_of(verifier.asserts(&two.stored, challenge, answer)), KeyFault::UnknownCredential);
}

/// The library would take them: their signatures verify, as the second half shows.
#[test]
fn assertions_in_a_frame_of_somebody_else_are_refused() {
    let verifier = plain();
    let like = json(verifier.registers(&vectors()[0]).stored);
    for name in ["none.ES256.crossOrigin", "none.ES256.topOrigin"] {
        let vector = vectors().into_iter().find(|vector| vector.name == name).unwrap();
        let object = bytes(&vector.registration.1, "/response/attestationObject");
        let key = &object[object.len() - PUBLIC_KEY..];
        let eligible = object[auth_data_at(&object) + FLAGS] & key::BACKUP_ELIGIBLE != 0;
        let (challenge, answer) = &vector.authentication;
        let mut stored = with(&like, "/credential/cred_id", answer["id"].clone());
        stored = with(&stored, "/credential/cred/key/EC_EC2/x", encode(&key[10..42]));
        stored = with(&stored, "/credential/cred/key/EC_EC2/y", encode(&key[45..77]));
        stored = with(&stored, "/credential/backup_eligible", eligible);
        let stored = stored.to_string();
        assert_eq!(fault_of(verifier.asserts(stored.as_bytes(), challenge, answer)), KeyFault::Origin, "{name}");
        let broken = altered(answer, "/response/signature", |data| *data.last_mut().unwrap() ^= 1);
        assert_eq!(fault_of(verifier.asserts(stored.as_bytes(), challenge, &broken)), KeyFault::Signature, "{name}");
    }
}
