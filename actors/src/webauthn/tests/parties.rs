//! Relying parties, good and bad.

use super::super::RelyingPartyError as E;
use super::*;

fn of(id: &str, origins: &[&str]) -> Result<(), E> {
    let origins = origins.iter().map(|&origin| origin.to_owned()).collect();
    RelyingParty { id: id.to_owned(), origins, any_port: false, ..RelyingParty::default() }.check()
}

#[test]
fn the_default_is_good_for_tests_on_any_port() {
    assert_eq!(RelyingParty::default().check(), Ok(()));
    let key = key::Key { origin: "http://localhost:1", ..key::Key::new(1) };
    let offer = verifier().registration(KeyForm::SecurityKey);
    let answer = key.register(&offer.options);
    assert!(verifier().judge_registration(KeyForm::SecurityKey, &offer.state, &answer).is_ok());
    let strict = Verifier::new(&RelyingParty { any_port: false, ..RelyingParty::default() }).unwrap();
    let judged = strict.judge_registration(KeyForm::SecurityKey, &offer.state, &answer);
    assert_eq!(fault_of(judged), KeyFault::Origin);
}

#[test]
fn origins_are_of_the_id_and_secure() {
    let good = ["https://example.com", "https://a.b.example.com:8443", "https://example.com/"];
    assert_eq!(of("example.com", &good), Ok(()));
    assert_eq!(of("localhost", &["http://localhost:8080", "http://console.localhost"]), Ok(()));
    assert_eq!(of("example.com", &[]), Err(E::NoOrigin));
    for id in ["", "Example.com", "https://example.com", "example.com:443", "192.0.2.1", "[::1]", "a b", "user@x.org"] {
        assert_eq!(of(id, &["https://example.com"]), Err(E::Id(id.to_owned())));
    }
    for (origin, error) in [
        ("example.com", E::Origin as fn(String) -> E),
        ("https://", E::Origin),
        ("https://192.0.2.1", E::Origin),
        ("https://example.com/login", E::Origin),
        ("https://example.com?", E::Origin),
        ("https://example.com/#top", E::Origin),
        ("https://lee@example.com", E::Origin),
        ("http://example.com", E::Insecure),
        ("ftp://example.com", E::Insecure),
        ("https://example.org", E::Foreign),
        ("https://badexample.com", E::Foreign),
        ("https://com", E::Foreign),
    ] {
        // In the first place and behind another one.
        let expected = Err(error(origin.to_owned()));
        assert_eq!(of("example.com", &[origin]), expected);
        assert_eq!(of("example.com", &[good[0], origin]), expected);
    }
}

#[test]
fn roots_are_certificates() {
    let check = |roots: &str| {
        let party = RelyingParty { attestation_roots: Some(roots.to_owned()), ..RelyingParty::default() };
        party.check()
    };
    let (one, two) = (soft::root(), soft::root());
    assert_eq!(check(&one), Ok(()));
    assert_eq!(check(&format!("one\n{one}two\n{two}the end")), Ok(()));
    assert_eq!(check(&one.replace('\n', "\r\n")), Ok(()));
    let half = &one[..one.len() / 2];
    let key = one.replace("CERTIFICATE", "PUBLIC KEY");
    for bad in ["", "no PEM", half, &format!("{two}{half}"), &key, &pem(b"no DER")] {
        assert_eq!(check(bad), Err(E::Roots), "{bad}");
    }
}

#[test]
fn each_error_says_what_is_wrong() {
    for error in [E::Id("x".into()), E::Origin("x".into()), E::Insecure("x".into()), E::Foreign("x".into())] {
        assert!(error.to_string().contains("`x`"), "{error}");
    }
    for error in [E::NoOrigin, E::Roots] {
        assert!(!error.to_string().is_empty());
    }
}
