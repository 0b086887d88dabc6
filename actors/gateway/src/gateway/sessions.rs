//! `GetSessionToken` (R131..R139, R145).

use super::refusal::{About, of_engine};
use super::{Call, Gateway};
use crate::directory::RETRY_MS_MAX;
use crate::directory::{secret_access_key, session_key_id, source};
use crate::engine::{Code, Credential, Proof, Purpose, Refusal, Serial, UnixMillis};
use crate::errors::ApiError;
use crate::session_token::{MfaProof, NONCE_BYTES, Session};
use crate::wire::answer::Output;
use crate::wire::input::{GetSessionToken, ROOT_SESSION_SECS_MAX, SESSION_SECS_DEFAULT};

impl Gateway {
    pub(super) async fn get_session_token(&self, call: &Call, input: GetSessionToken) -> Result<Output, ApiError> {
        if call.identity.credential != Credential::LongTermKey {
            // R137.
            return Err(ApiError::SessionTokenWithSession);
        }
        let mfa = match (input.serial, input.code) {
            (None, None) => None,
            (Some(serial), Some(code)) => Some(self.prove(call, serial, &code.0).await?),
            _ => return Err(ApiError::MfaParametersIncomplete),
        };
        // A code yields one session (R96): a retry of the call that spent it gets the same one.
        let (issued_at, request) = match &mfa {
            Some(mfa) => (mfa.at, call.request.clone()),
            None => (self.engine.now(), crate::engine::Request { command: None, ..call.request.clone() }),
        };
        let failed = |error| of_engine(&error, About { user: "", serial: None, enabling: false });
        let random = source(&self.engine, &request, "session credentials").map_err(failed)?;
        let life_ms = u64::from(self.life_secs(call, input.duration_secs)) * 1000;
        let session = Session {
            principal: call.identity.user.id.clone(),
            access_key_id: session_key_id(&*random).map_err(failed)?,
            secret: secret_access_key(&*random).map_err(failed)?,
            issued_at,
            expires_at: issued_at.plus_ms(life_ms),
            mfa,
        };
        let mut nonce = [0; NONCE_BYTES];
        random.fill(&mut nonce).map_err(failed)?;
        let session_token = self.sealer.seal(&session, nonce)?;
        Ok(Output::Session {
            access_key_id: session.access_key_id,
            secret_access_key: session.secret,
            session_token,
            expires_ms: session.expires_at.0,
        })
    }

    /// R135: 43200 s for users; for root 3600 s, to which more is cut (A31).
    fn life_secs(&self, call: &Call, wanted: Option<u32>) -> u32 {
        if call.identity.user.id.is_root() {
            wanted.unwrap_or(ROOT_SESSION_SECS_MAX).min(ROOT_SESSION_SECS_MAX)
        } else {
            wanted.unwrap_or(SESSION_SECS_DEFAULT)
        }
    }

    /// Has the engine verify a code (R131). Whatever is wrong with the device has one answer, so that
    /// its kind, its owner and its existence stay unknown (A12).
    async fn prove(&self, call: &Call, serial: String, code: &str) -> Result<MfaProof, ApiError> {
        let principal = &call.identity.user.id;
        if principal.is_root() {
            // R140: MFA-protected access does not work with root credentials.
            return Err(ApiError::MfaNotValidated);
        }
        let parsed = Serial::new(serial.as_str()).map_err(|_| ApiError::MfaNotValidated)?;
        let code = Code::parse(code).map_err(|_| ApiError::MfaCodeRefused)?;
        let purpose = Purpose::SessionToken;
        let request = call.request.clone();
        let ack = match self.engine.verify_code(request, principal, &parsed, code, purpose).await {
            Ok(ack) => ack,
            Err(error) => return Err(refused_proof(&error)),
        };
        match ack.value {
            Proof::Accepted if self.is_recent(ack.at) => Ok(MfaProof { at: ack.at, serial }),
            // Spent by a call of the same id too long ago to be retried.
            Proof::Accepted | Proof::Refused(Refusal::Wrong) => Err(ApiError::MfaCodeRefused),
            Proof::Refused(Refusal::Locked { .. } | Refusal::NotYet) => Err(ApiError::MfaNotValidated),
        }
    }

    fn is_recent(&self, at: UnixMillis) -> bool {
        self.engine.now() <= at.plus_ms(RETRY_MS_MAX)
    }
}

fn refused_proof(error: &crate::engine::Error) -> ApiError {
    match error.rejection() {
        Some(rejection) if !rejection.is_transient() => ApiError::MfaNotValidated,
        _ => of_engine(error, About { user: "", serial: None, enabling: false }),
    }
}
