//! Passwords and contacts of the standalone directory: what the console asks of it.

use actix_rt::task::spawn_blocking;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::super::records::{PASSWORD_SET, PasswordSetV1, ROOT_CONTACT_SET, RootContactSetV1, encode};
use super::super::{DirectoryError, PasswordVerdict, RootContact, SignInName, ids, password};
use super::Standalone;
use crate::engine::{AccountId, Countersign, Error, PrincipalId, Rejection, Request};
use crate::secret::Secret;

/// Passwords that are hashed at once. Each takes 19 MiB and the whole of a processor.
const HASHES_AT_ONCE: usize = 4;

/// What checking passwords needs beside the state.
pub(super) struct Passwords {
    /// The hash of a password that nobody knows, for names that nobody has.
    nobody: Zeroizing<String>,
    turns: Semaphore,
}

impl Passwords {
    pub(super) fn new(engine: &Countersign) -> Result<Self, DirectoryError> {
        let nobody = password::hash(engine, &ids::password(engine)?)?;
        Ok(Self { nobody, turns: Semaphore::new(HASHES_AT_ONCE) })
    }
}

impl Standalone {
    pub(super) fn meant_by(&self, who: &SignInName) -> Option<PrincipalId> {
        match who {
            SignInName::User { account, name } => {
                account.and_then(|account| self.engine.user_named(account, name)).map(|user| user.id)
            }
            SignInName::Root { email } => self.root_of_email(email).map(PrincipalId::Root),
        }
    }

    /// Finds out who is meant and checks the password, with the same work whether anybody is.
    pub(super) async fn judge_password(
        &self,
        who: &SignInName,
        password: &Secret,
    ) -> Result<PasswordVerdict, DirectoryError> {
        let principal = self.meant_by(who);
        let fits = self.fits(principal.as_ref(), password).await?;
        Ok(PasswordVerdict { principal, fits })
    }

    /// Whether a password is a principal's; nobody's never is. One verification in any case.
    pub(super) async fn fits(
        &self,
        principal: Option<&PrincipalId>,
        password: &Secret,
    ) -> Result<bool, DirectoryError> {
        let known = principal.and_then(|principal| self.read().password_hash(principal).map(str::to_owned));
        let has_one = known.is_some();
        let hash = known.map_or_else(|| self.passwords.nobody.clone(), Zeroizing::new);
        let password = password.clone();
        let fits = self.in_turn(move || password::verify(&password, &hash)).await?;
        Ok(fits && has_one)
    }

    pub(super) async fn record_password(
        &self,
        request: Request,
        principal: &PrincipalId,
        password: &Secret,
    ) -> Result<(), DirectoryError> {
        password::check(password).map_err(DirectoryError::PasswordNotTaken)?;
        let (engine, password) = (self.engine.clone(), password.clone());
        let hash = self.in_turn(move || password::hash(&engine, &password)).await??;
        let user = match principal {
            PrincipalId::Root(_) => None,
            PrincipalId::User(_, user) => Some(user.as_str()),
        };
        let record = PasswordSetV1 { account: principal.account().into(), user, password_hash: &hash };
        let _changing = self.changing.lock().await;
        if self.engine.principal(principal).is_none() {
            return Err(Error::from(Rejection::PrincipalUnknown).into());
        }
        self.record(request, PASSWORD_SET, encode(&record)).await
    }

    /// Records where root is reached. Called with `changing` held.
    pub(super) async fn record_contact(
        &self,
        request: Request,
        account: AccountId,
        contact: &RootContact,
    ) -> Result<(), DirectoryError> {
        let record =
            RootContactSetV1 { account: account.into(), email: &contact.email, phone: contact.phone.as_deref() };
        self.record(request, ROOT_CONTACT_SET, encode(&record)).await
    }

    /// Does what takes tens of milliseconds of a processor off the executor's thread, a few at once.
    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, DirectoryError> {
        let unavailable = |text: &str| DirectoryError::Unavailable(text.to_owned());
        let _turn =
            self.passwords.turns.acquire().await.map_err(|_| unavailable("passwords are not checked any more"))?;
        spawn_blocking(work).await.map_err(|_| unavailable("a password could not be checked"))
    }
}
