//! Temporary credentials that the server need not remember.
//!
//! A session token is the whole session, sealed: who it is, the secret that signs with it, when it
//! ends and how a second factor was proven (R137..R139, R145, R149). Whoever presents the token
//! hands the server everything that it has to know. Sessions survive a restart, and cannot be taken
//! back before they end (R71).
//!
//! ```text
//! token = base64( version 1 | nonce 12 bytes | AES-256-GCM-SIV( postcard of the session ) )
//! ```

use aes_gcm_siv::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm_siv::{Aes256GcmSiv, Nonce};
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::engine::{AccountId, PrincipalId, UnixMillis, UserId};
use crate::errors::ApiError;
use crate::secret::Secret;

/// Bytes of a nonce.
pub const NONCE_BYTES: usize = 12;
/// The longest token that is looked at, in characters.
const TOKEN_CHARS_MAX: usize = 4096;
const VERSION: u8 = 1;
const LABEL: &[u8] = b"countersign session token v1";

/// A session of a principal (R145).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    /// Whose it is.
    pub principal: PrincipalId,
    /// The id of its access key, `ASIA…`.
    pub access_key_id: String,
    /// The secret of its access key.
    pub secret: Secret,
    /// When it was opened.
    pub issued_at: UnixMillis,
    /// When it ends.
    pub expires_at: UnixMillis,
    /// The second factor that was proven for it.
    pub mfa: Option<MfaProof>,
}

/// How a session got its second factor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MfaProof {
    /// When (R149).
    pub at: UnixMillis,
    /// With which device.
    pub serial: String,
}

/// Version 1 of the sealed body. Its fields are frozen: tokens outlive an upgrade of the server.
#[derive(Serialize, Deserialize)]
struct SessionV1<'a> {
    account: u64,
    /// `None` is the root user.
    user: Option<&'a str>,
    access_key_id: &'a str,
    secret: &'a str,
    issued_at_ms: u64,
    expires_at_ms: u64,
    /// When, in milliseconds, and the serial number.
    mfa: Option<(u64, &'a str)>,
}

/// Seals sessions and opens them.
#[derive(Clone)]
pub struct SessionSealer {
    cipher: Aes256GcmSiv,
}

impl std::fmt::Debug for SessionSealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionSealer(..)")
    }
}

impl SessionSealer {
    /// Uses a key; sessions outlive a restart if the key does.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self { cipher: Aes256GcmSiv::new(key.into()) }
    }

    /// The token of a session. The nonce should be fresh; one that repeats tells only that two
    /// equal sessions are equal.
    ///
    /// # Errors
    /// `ServiceFailure`, should the session not encode.
    pub fn seal(&self, session: &Session, nonce: [u8; NONCE_BYTES]) -> Result<Secret, ApiError> {
        let body = SessionV1 {
            account: session.principal.account().into(),
            user: match &session.principal {
                PrincipalId::Root(_) => None,
                PrincipalId::User(_, user) => Some(user.as_str()),
            },
            access_key_id: &session.access_key_id,
            secret: session.secret.expose(),
            issued_at_ms: session.issued_at.0,
            expires_at_ms: session.expires_at.0,
            mfa: session.mfa.as_ref().map(|mfa| (mfa.at.0, mfa.serial.as_str())),
        };
        let body = postcard::to_allocvec(&body).map_err(|_| ApiError::ServiceFailure)?;
        let body = Zeroizing::new(body);
        let payload = Payload { msg: &body, aad: LABEL };
        let sealed = self.cipher.encrypt(&Nonce::from(nonce), payload).map_err(|_| ApiError::ServiceFailure)?;
        let mut token = vec![VERSION];
        token.extend_from_slice(&nonce);
        token.extend_from_slice(&sealed);
        Ok(Secret::new(BASE64.encode(&token)))
    }

    /// The session of a token that came with an access key id, and whether it has ended; `None` for a
    /// token that is not ours or belongs to another key.
    #[must_use]
    pub fn open(&self, token: &Secret, access_key_id: &str, now: UnixMillis) -> Option<(Session, bool)> {
        let session = self.unseal(token.expose()).filter(|session| session.access_key_id == access_key_id)?;
        let ended = session.expires_at <= now;
        Some((session, ended))
    }

    fn unseal(&self, token: &str) -> Option<Session> {
        if token.len() > TOKEN_CHARS_MAX {
            return None;
        }
        let token = BASE64.decode(token.as_bytes()).ok()?;
        let (version, rest) = token.split_first()?;
        if *version != VERSION {
            return None;
        }
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg: sealed, aad: LABEL };
        let body = Zeroizing::new(self.cipher.decrypt(&Nonce::from(*nonce), payload).ok()?);
        let (body, left): (SessionV1<'_>, _) = postcard::take_from_bytes(&body).ok()?;
        if !left.is_empty() {
            return None;
        }
        let account = AccountId::from_number(body.account)?;
        let principal = match body.user {
            None => PrincipalId::Root(account),
            Some(user) => PrincipalId::User(account, UserId::new(user).ok()?),
        };
        Some(Session {
            principal,
            access_key_id: body.access_key_id.to_owned(),
            secret: Secret::new(body.secret),
            issued_at: UnixMillis(body.issued_at_ms),
            expires_at: UnixMillis(body.expires_at_ms),
            mfa: body.mfa.map(|(at_ms, serial)| MfaProof { at: UnixMillis(at_ms), serial: serial.to_owned() }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(user: Option<&str>) -> Session {
        let account: AccountId = "123456789012".parse().unwrap();
        Session {
            principal: match user {
                Some(user) => PrincipalId::User(account, UserId::new(user).unwrap()),
                None => PrincipalId::Root(account),
            },
            access_key_id: "ASIAEXAMPLE".into(),
            secret: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            issued_at: UnixMillis(1_000),
            expires_at: UnixMillis(2_000),
            mfa: Some(MfaProof { at: UnixMillis(1_000), serial: "GAHT12345678".into() }),
        }
    }

    #[test]
    fn a_token_carries_its_session() {
        let sealer = SessionSealer::new(&[3; 32]);
        for session in [session(Some("AIDALEE")), session(None)] {
            let token = sealer.seal(&session, [9; 12]).unwrap();
            let open = |key: &str, now| sealer.open(&token, key, UnixMillis(now));
            assert_eq!(open("ASIAEXAMPLE", 1_999), Some((session.clone(), false)));
            assert_eq!(open("ASIAEXAMPLE", 2_000), Some((session, true)));
            assert_eq!(open("ASIAOTHER", 1_500), None);
        }
    }

    #[test]
    fn every_changed_bit_and_every_other_key_is_refused() {
        let sealer = SessionSealer::new(&[3; 32]);
        let token = sealer.seal(&session(None), [9; 12]).unwrap();
        let bytes = BASE64.decode(token.expose().as_bytes()).unwrap();
        let refused = |sealer: &SessionSealer, token: String| {
            sealer.open(&Secret::new(token), "ASIAEXAMPLE", UnixMillis(1_500)).is_none()
        };
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(refused(&sealer, BASE64.encode(&changed)), "{at}");
            assert!(refused(&sealer, BASE64.encode(&bytes[..at])), "{at}");
        }
        assert!(refused(&SessionSealer::new(&[4; 32]), token.expose().to_owned()));
        for junk in ["", "x", "AQ==", &"A".repeat(10_000)] {
            assert!(refused(&sealer, junk.to_owned()));
        }
    }

    #[test]
    fn no_secret_is_shown() {
        let shown = format!("{:?}", session(Some("AIDALEE")));
        assert!(!shown.contains("wJalr"), "{shown}");
    }
}
