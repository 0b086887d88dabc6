//! The test vectors of the specification (WebAuthn Level 3, section 16), and each of their parts altered.

use super::*;

#[test]
fn explore() {
    let file = json(include_str!("../../../../tests/vectors/webauthn-l3.json"));
    let party = RelyingParty { id: "example.org".into(), origins: vec!["https://example.org".into()], any_port: false, ..Default::default() };
    let der = data_encoding::HEXLOWER.decode(file["attestation_root"].as_str().unwrap().as_bytes()).unwrap();
    let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", data_encoding::BASE64.encode(&der).as_bytes().chunks(64).map(|c| std::str::from_utf8(c).unwrap()).collect::<Vec<_>>().join("\n"));
    let rooted = RelyingParty { attestation_roots: Some(pem), ..party.clone() };
    let hex = |v: &Value| encode(data_encoding::HEXLOWER.decode(v.as_str().unwrap().as_bytes()).unwrap());
    for v in file["vectors"].as_array().unwrap() {
        for p in [&party, &rooted] {
            let verifier = Verifier::new(p).unwrap();
            let offer = verifier.registration(KeyForm::SecurityKey);
            let r = &v["registration"];
            let state = with(&json(&offer.state), "/ceremony/securityKey/rs/challenge", hex(&r["challenge"]));
            let id = hex(&v["credential_id"]);
            let answer = serde_json::json!({"id": id, "rawId": id, "type": "public-key", "response": {"clientDataJSON": hex(&r["clientDataJSON"]), "attestationObject": hex(&r["attestationObject"])}});
            let got = verifier.judge_registration(KeyForm::SecurityKey, state.to_string().as_bytes(), &answer.to_string());
            eprintln!("{} {:?}", v["name"], got);
            let Ok(new) = got else { continue };
            let offer = verifier.offer_assertion(KeyForm::SecurityKey, &stored(&new)).unwrap();
            let r = &v["authentication"];
            let state = with(&json(&offer.state), "/ceremony/securityKey/ast/challenge", hex(&r["challenge"]));
            let answer = serde_json::json!({"id": id, "rawId": id, "type": "public-key", "response": {"clientDataJSON": hex(&r["clientDataJSON"]), "authenticatorData": hex(&r["authenticatorData"]), "signature": hex(&r["signature"])}});
            let got = verifier.judge_assertion(KeyForm::SecurityKey, state.to_string().as_bytes(), &answer.to_string());
            eprintln!("    {:?}", got);
        }
    }
}
