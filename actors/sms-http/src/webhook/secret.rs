//! Secrets of a webhook, and the signatures that they make.

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::error::ConfigError;

/// The most secrets.
const SECRETS_MAX: usize = 8;

/// The most signatures of one report that are looked at.
const SIGNATURES_MAX: usize = 16;

pub(super) struct Secrets(Vec<Zeroizing<Vec<u8>>>);

impl Secrets {
    pub(super) fn parse(texts: &[Zeroizing<String>]) -> Result<Self, ConfigError> {
        if !(1..=SECRETS_MAX).contains(&texts.len()) {
            return Err(ConfigError::new("secrets", "must be one to eight"));
        }
        let each = || ConfigError::new("secrets", "must each be whsec_ and 24 to 64 bytes in base64");
        let secret = |text: &Zeroizing<String>| {
            let encoded = text.strip_prefix("whsec_").ok_or_else(each)?;
            let secret = Zeroizing::new(BASE64.decode(encoded.as_bytes()).map_err(|_| each())?);
            if (24..=64).contains(&secret.len()) { Ok(secret) } else { Err(each()) }
        };
        texts.iter().map(secret).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The value of `webhook-signature`: one signature for each secret.
    pub(super) fn sign(&self, id: &str, timestamp: &str, body: &[u8]) -> Option<String> {
        let mut signatures = Vec::with_capacity(self.0.len());
        for secret in &self.0 {
            let signature = mac(secret, id, timestamp, body)?.finalize().into_bytes();
            signatures.push(format!("v1,{}", BASE64.encode(&signature)));
        }
        Some(signatures.join(" "))
    }

    /// Whether one of the signatures is that of one of the secrets. A signature of another version does not count.
    pub(super) fn verify(&self, id: &str, timestamp: &str, signatures: &str, body: &[u8]) -> bool {
        let given = signatures.split(' ').take(SIGNATURES_MAX).filter_map(|one| one.strip_prefix("v1,"));
        let given: Vec<Vec<u8>> = given.filter_map(|one| BASE64.decode(one.as_bytes()).ok()).collect();
        self.0.iter().any(|secret| {
            let Some(mac) = mac(secret, id, timestamp, body) else { return false };
            given.iter().any(|signature| mac.clone().verify_slice(signature).is_ok())
        })
    }
}

fn mac(secret: &[u8], id: &str, timestamp: &str, body: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(texts: &[&str]) -> Result<Secrets, ConfigError> {
        Secrets::parse(&texts.iter().map(|text| Zeroizing::new((*text).to_owned())).collect::<Vec<_>>())
    }

    /// The example of the Standard Webhooks specification's libraries.
    #[test]
    fn the_published_example_verifies() {
        let secrets = secrets(&["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]).unwrap();
        let (id, timestamp, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", br#"{"test": 2432232314}"#);
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(secrets.sign(id, timestamp, body).as_deref(), Some(expected));
        assert!(secrets.verify(id, timestamp, expected, body));
    }

    #[test]
    fn secrets_are_base64_of_the_right_length() {
        let of_length = |length: usize| format!("whsec_{}", BASE64.encode(&vec![7; length]));
        for length in [24, 32, 64] {
            assert!(secrets(&[&of_length(length)]).is_ok(), "{length}");
        }
        for wrong in [&of_length(23), &of_length(65), "whsec_", "", "whsec_!", &of_length(24)[6..]] {
            assert!(secrets(&[wrong]).is_err(), "{wrong}");
        }
        assert!(secrets(&[]).is_err());
        assert!(secrets(&[of_length(24).as_str(); 9]).is_err());
    }

    #[test]
    fn all_secrets_sign_and_any_verifies() {
        let [old, new] = [1, 2].map(|fill| format!("whsec_{}", BASE64.encode(&[fill; 32])));
        let both = secrets(&[&old, &new]).unwrap();
        let signed = both.sign("id", "1", b"body").unwrap();
        assert_eq!(signed.split(' ').count(), 2);
        for one in [old, new] {
            let one = secrets(&[&one]).unwrap();
            assert!(one.verify("id", "1", &signed, b"body"));
            assert!(both.verify("id", "1", &one.sign("id", "1", b"body").unwrap(), b"body"));
            assert!(!one.verify("id", "2", &signed, b"body"));
        }
        for wrong in ["", "v1,", "v1", "v1a,AAAA", &signed.replace("v1,", "v2,"), &" ".repeat(9_999)] {
            assert!(!both.verify("id", "1", wrong, b"body"), "{wrong}");
        }
    }
}
