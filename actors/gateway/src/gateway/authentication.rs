//! Who signed a request.

use super::{Gateway, refusal};
use crate::directory::Identity;
use crate::engine::{Credential, PrincipalId};
use crate::errors::{ApiError, Service};
use crate::secret::Secret;
use crate::sigv4::{Presented, Received, verify};
use crate::wire::Operation;

/// What a presented key turned out to be.
struct Found {
    owner: PrincipalId,
    secret: Secret,
    credential: Credential,
}

impl Gateway {
    /// Verifies the signature and finds out whose it is (R214).
    pub(super) async fn authenticate(&self, received: &Received, operation: Operation) -> Result<Identity, ApiError> {
        let now = self.engine.now();
        let presented = Presented::of(received)?;
        let found = match &presented.session_token {
            Some(token) => self.session_key(token, &presented.access_key_id),
            None => self.long_term_key(&presented.access_key_id).await?,
        };
        // An ended session is told only to the one who can sign with it.
        let (found, ended) = match found {
            Some((found, ended)) => (Some(found), ended),
            None => (None, false),
        };
        let secret = found.as_ref().map(|found| &found.secret);
        verify(received, &presented, secret, operation.service(), now).await?;
        let found = found.ok_or(ApiError::InvalidClientTokenId)?;
        if ended {
            return Err(ApiError::ExpiredToken);
        }
        let user = self.directory.principal(&found.owner).await;
        // A session or key of a user who is gone is worth nothing.
        let user = user.map_err(|error| refusal::of_directory(&error, None))?.ok_or(ApiError::InvalidClientTokenId)?;
        let bare_session = found.credential == Credential::Session { mfa_at: None };
        let allowed = operation.service() == Service::Sts;
        if bare_session && !allowed {
            // R138: a session without MFA cannot call IAM at all.
            return Err(ApiError::InvalidClientTokenId);
        }
        Ok(Identity { user, access_key_id: presented.access_key_id, credential: found.credential })
    }

    async fn long_term_key(&self, id: &str) -> Result<Option<(Found, bool)>, ApiError> {
        let key = self.directory.access_key(id).await;
        let key = key.map_err(|error| refusal::of_directory(&error, None))?;
        Ok(key.map(|key| (Found { owner: key.owner, secret: key.secret, credential: Credential::LongTermKey }, false)))
    }

    fn session_key(&self, token: &Secret, access_key_id: &str) -> Option<(Found, bool)> {
        let (session, ended) = self.sealer.open(token, access_key_id, self.engine.now())?;
        let credential = Credential::Session { mfa_at: session.mfa.map(|mfa| mfa.at) };
        Some((Found { owner: session.principal, secret: session.secret, credential }, ended))
    }
}
