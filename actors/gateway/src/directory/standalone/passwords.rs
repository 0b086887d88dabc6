//! Passwords and contacts of the standalone directory: what the console asks of it.

use std::time::Duration;

use actix_rt::task::spawn_blocking;
use actix_rt::time::timeout;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::super::records::{
    PASSWORD_SET, PasswordSetV1, ROOT_CONTACT_SET, RootContactSetV1, STREAM, encode, stream_of,
};
use super::super::{DirectoryError, PasswordVerdict, RootContact, SignInName, ids, password};
use super::Standalone;
use crate::engine::{AccountId, Countersign, Error, PrincipalId, Rejection, Request};
use crate::secret::Secret;

/// Passwords that are hashed at once. Each takes 19 MiB and the whole of a processor.
const HASHES_AT_ONCE: usize = 4;

/// Those that may wait for their turn; more are sent away.
const HASHES_WAITING_MAX: usize = 64;
/// How long one waits.
const TURN_TIMEOUT: Duration = Duration::from_secs(5);

/// What checking passwords needs beside the state.
pub(super) struct Passwords {
    /// The hash of a password that nobody knows, for names that nobody has.
    nobody: Zeroizing<String>,
    turns: Semaphore,
    /// Taken while one waits or works.
    places: Semaphore,
    /// How many were verified.
    #[cfg(test)]
    pub(super) verified: std::sync::atomic::AtomicUsize,
}

impl Passwords {
    pub(super) fn new(engine: &Countersign) -> Result<Self, DirectoryError> {
        let nobody = password::hash(engine, &ids::password(engine)?)?;
        Ok(Self {
            nobody,
            turns: Semaphore::new(HASHES_AT_ONCE),
            places: Semaphore::new(HASHES_AT_ONCE + HASHES_WAITING_MAX),
            #[cfg(test)]
            verified: std::sync::atomic::AtomicUsize::default(),
        })
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
        let (fits, version) = self.fits(principal.as_ref(), password).await?;
        Ok(PasswordVerdict { principal, fits, version })
    }

    /// Whether a password is a principal's, and which one it was compared with; nobody's never is. One verification in
    /// any case.
    pub(super) async fn fits(
        &self,
        principal: Option<&PrincipalId>,
        password: &Secret,
    ) -> Result<(bool, u64), DirectoryError> {
        let known = principal.and_then(|principal| self.read().password(principal).cloned());
        let has_one = known.is_some();
        let (hash, version) =
            known.map_or_else(|| (self.passwords.nobody.clone(), 0), |known| (known.hash, known.version));
        let password = password.clone();
        #[cfg(test)]
        self.passwords.verified.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let fits = self.in_turn(move || password::verify(&password, &hash)).await?;
        Ok((fits && has_one, version))
    }

    pub(super) async fn record_password(
        &self,
        request: Request,
        principal: &PrincipalId,
        password: &Secret,
    ) -> Result<u64, DirectoryError> {
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
        let stream = match principal {
            PrincipalId::Root(_) => STREAM.to_owned(),
            PrincipalId::User(_, user) => stream_of(user),
        };
        self.record(request, &stream, (PASSWORD_SET, encode(&record))).await?;
        let set = self.read().password(principal).map(|password| password.version);
        set.ok_or_else(|| DirectoryError::Unavailable("the new password is gone again".into()))
    }

    /// Gives a principal a new password that nobody has chosen, in the place of the old one.
    ///
    /// # Errors
    /// When there is no such principal, or the engine fails.
    pub async fn give_password(&self, request: Request, principal: &PrincipalId) -> Result<Secret, DirectoryError> {
        let password = ids::password(&self.engine)?;
        self.record_password(request, principal, &password).await?;
        Ok(password)
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
        self.record(request, STREAM, (ROOT_CONTACT_SET, encode(&record))).await
    }

    /// Does what takes tens of milliseconds of a processor off the executor's thread, a few at once.
    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, DirectoryError> {
        let unavailable = |text: &str| DirectoryError::Unavailable(text.to_owned());
        let _place = self.passwords.places.try_acquire().map_err(|_| DirectoryError::Busy)?;
        let turn = timeout(TURN_TIMEOUT, self.passwords.turns.acquire()).await.map_err(|_| DirectoryError::Busy)?;
        let _turn = turn.map_err(|_| unavailable("passwords are not checked any more"))?;
        spawn_blocking(work).await.map_err(|_| unavailable("a password could not be checked"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::Directory as _;
    use crate::engine::{Caller, Config, DeviceName, Path};

    fn run(test: impl Future<Output = ()>) {
        actix_rt::System::new().block_on(test);
    }

    fn directory() -> Standalone {
        Standalone::open(Countersign::in_memory(Config::default()).unwrap()).unwrap()
    }

    #[test]
    fn more_than_may_wait_are_sent_away_and_nobody_waits_for_ever() {
        run(async {
            let directory = directory();
            let who = SignInName::Root { email: "root@example.com".into() };
            let password = Secret::new("a long enough one");
            let taken = u32::try_from(HASHES_AT_ONCE).unwrap();
            let working = directory.passwords.turns.acquire_many(taken).await.unwrap();
            let waiting = directory.passwords.places.acquire_many(taken).await.unwrap();
            let tries = (0..HASHES_WAITING_MAX).map(|_| directory.check_password(&who, &password));
            let mut tries: Vec<_> = tries.collect();
            for waits in &mut tries {
                let poll = std::future::poll_fn(|context| std::task::Poll::Ready(waits.as_mut().poll(context))).await;
                assert!(poll.is_pending());
            }
            assert_eq!(directory.check_password(&who, &password).await, Err(DirectoryError::Busy), "no place");
            drop((waiting, tries.split_off(1)));
            assert_eq!(tries.remove(0).await, Err(DirectoryError::Busy), "no turn in time");
            drop(working);
            assert!(directory.check_password(&who, &password).await.is_ok());
        });
    }

    #[test]
    fn a_name_that_nobody_has_takes_the_work_of_a_wrong_password() {
        run(async {
            let engine = Countersign::in_memory(Config::default()).unwrap();
            let directory = Standalone::open(engine).unwrap();
            let founding = super::super::Founding {
                account: None,
                root_email: "root@example.com".into(),
                root_phone: None,
                administrator: DeviceName::new("administrator").unwrap(),
            };
            let account = directory.found(founding).await.unwrap().account;
            let by = || Request::by(Caller::operator());
            directory.create_user(by(), account, DeviceName::new("bare").unwrap(), Path::root()).await.unwrap();
            let user = |account, name: &str| SignInName::User { account, name: name.into() };
            let root = |email: &str| SignInName::Root { email: email.into() };
            let wrong = Secret::new("wrong wrong wrong");
            let names = [
                user(Some(account), "administrator"),
                user(Some(account), "nobody"),
                user(Some(account), "bare"),
                user(None, "administrator"),
                root("root@example.com"),
                root("nobody@example.com"),
            ];
            for (at, who) in names.iter().enumerate() {
                assert!(!directory.check_password(who, &wrong).await.unwrap().fits);
                let verified = directory.passwords.verified.load(std::sync::atomic::Ordering::Relaxed);
                assert_eq!(verified, at + 1, "one verification each");
            }
        });
    }
}
