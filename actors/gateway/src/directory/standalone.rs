//! The directory of the server on its own.
//!
//! Users are the engine's. Their access keys and passwords, and who is an administrator, are records
//! in the same log, folded in memory when the server starts. What one user signs in with is in a stream of its own, and
//! goes when the user is forgotten; only what the first administrator was given is in the record of the founding.
//!
//! Who may do what is built in:
//!
//! | caller | may |
//! |---|---|
//! | root, administrators | everything in their account, but for what the engine's channel rules forbid (R39..R44) |
//! | other users | create virtual devices of any name; enable, resync and list their own; see themselves; change their own password; in a session with MFA, deactivate their own and delete the virtual device that bears their name (R48) |
//!
//! Nobody needs leave to call STS (R137).

mod passwords;

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use async_trait::async_trait;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::records::{
    ACCESS_KEY_CREATED, ACCESS_KEY_DELETED, AccessKeyCreatedV1, AccessKeyDeletedV1, FOUNDED, FoundedV1, STREAM, State,
    USER_FORGOTTEN, UserForgottenV1, encode, stream_of,
};
use super::{
    ACCESS_KEYS_MAX, Access, AccessKey, Directory, DirectoryError, Identity, PasswordVerdict, RETRY_MS_MAX, Resource,
    RootContact, SignInName, ids, password,
};
use crate::engine::{
    AccountId, Caller, Countersign, DeviceName, Error, PAGE_MAX, Path, PhoneNumber, PrincipalId, RECORDS_MAX,
    Rejection, Removal, Request, UserId, UserView,
};
use crate::secret::Secret;
use passwords::Passwords;

/// The name under which root users are registered; it is no user name.
const ROOT_NAME: &str = "root";

/// The standalone directory.
pub struct Standalone {
    engine: Countersign,
    state: RwLock<State>,
    /// Held while something is decided from the state and recorded, so that quotas hold under any race.
    changing: Mutex<()>,
    passwords: Passwords,
}

/// What a new account is to be like.
#[derive(Clone, PartialEq, Eq)]
pub struct Founding {
    /// Its id; random when absent.
    pub account: Option<AccountId>,
    /// E-mail address of its root user.
    pub root_email: String,
    /// Phone number of its root user, for the way back in (R130).
    pub root_phone: Option<PhoneNumber>,
    /// Name of its administrator.
    pub administrator: DeviceName,
}

impl std::fmt::Debug for Founding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Founding {{ account: {:?}, .. }}", self.account)
    }
}

/// A new account, with its secrets for the only time.
#[derive(Clone, PartialEq, Eq)]
pub struct Founded {
    /// Id.
    pub account: AccountId,
    /// E-mail address of the root user.
    pub root_email: String,
    /// Password of the root user.
    pub root_password: Secret,
    /// Name of the administrator.
    pub administrator: DeviceName,
    /// Password of the administrator.
    pub administrator_password: Secret,
    /// Id of the administrator's access key.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: Secret,
}

impl std::fmt::Debug for Founded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Founded {{ account: {:?}, .. }}", self.account)
    }
}

impl Standalone {
    /// Reads the directory's records.
    ///
    /// # Errors
    /// When they cannot be read, or one is of a kind that this version does not know.
    pub fn open(engine: Countersign) -> Result<Self, DirectoryError> {
        let mut state = State::default();
        read(&engine, STREAM, &mut state)?;
        let mut after: Option<DeviceName> = None;
        while let Some(account) = state.founded {
            let page = engine.users(account, after.as_ref().map(DeviceName::as_str), PAGE_MAX);
            let Some(last) = page.last() else { break };
            after = Some(last.name.clone());
            for user in &page {
                if let PrincipalId::User(_, user) = &user.id {
                    read(&engine, &stream_of(user), &mut state)?;
                }
            }
        }
        let passwords = Passwords::new(&engine)?;
        Ok(Self { engine, state: RwLock::new(state), changing: Mutex::new(()), passwords })
    }

    /// The account of this store, once it was founded.
    #[must_use]
    pub fn account(&self) -> Option<AccountId> {
        self.read().founded
    }

    /// Makes the account with its root user and its administrator, and gives out their secrets.
    ///
    /// Can be repeated after a crash in the middle: the account counts as made once its secrets are
    /// recorded.
    ///
    /// # Errors
    /// When the account was made before, or the engine fails.
    pub async fn found(&self, founding: Founding) -> Result<Founded, DirectoryError> {
        let _changing = self.changing.lock().await;
        if self.account().is_some() {
            return Err(DirectoryError::Unavailable("the account was made before".into()));
        }
        let engine = &self.engine;
        let operator = || Request::by(Caller::operator());
        let account = match (engine.accounts().first(), founding.account) {
            // What a crash in the middle has left.
            (Some(account), _) => *account,
            (None, wanted) => {
                let account = wanted.map_or_else(|| ids::account_id(engine), Ok)?;
                engine.open_account(operator(), account, name(ROOT_NAME)?).await?;
                account
            }
        };
        let administrator = match engine.user_named(account, founding.administrator.as_str()) {
            Some(user) => user.id,
            None => {
                let id = ids::user_id(engine)?;
                let name = founding.administrator.clone();
                engine.register_user(operator(), account, id.clone(), name, Path::root()).await?;
                PrincipalId::User(account, id)
            }
        };
        let founded = Founded {
            account,
            root_email: founding.root_email,
            root_password: ids::password(engine)?,
            administrator: founding.administrator,
            administrator_password: ids::password(engine)?,
            access_key_id: ids::access_key_id(engine)?,
            secret_access_key: ids::secret_access_key(engine)?,
        };
        let root_hash = password::hash(engine, &founded.root_password)?;
        let administrator_hash = password::hash(engine, &founded.administrator_password)?;
        let record = FoundedV1 {
            account: account.into(),
            root_email: &founded.root_email,
            root_password_hash: &root_hash,
            administrator: user_of(&administrator)?.as_str(),
            administrator_password_hash: &administrator_hash,
            access_key_id: &founded.access_key_id,
            secret_access_key: founded.secret_access_key.expose(),
        };
        if let Some(phone) = &founding.root_phone {
            // First: what is recorded as founded is complete.
            let contact = RootContact { email: founded.root_email.clone(), phone: Some(phone.e164().to_owned()) };
            self.record_contact(operator(), account, &contact).await?;
        }
        self.record(operator(), STREAM, (FOUNDED, encode(&record))).await?;
        Ok(founded)
    }

    /// The root user's account of an e-mail address.
    #[must_use]
    pub fn root_of_email(&self, email: &str) -> Option<AccountId> {
        self.read().root_of_email(email)
    }

    /// Removes a user from the engine, and then what is known of it here. Called with `changing` held.
    async fn forget_user(&self, request: Request, user: &PrincipalId, removal: Removal) -> Result<(), DirectoryError> {
        let command = request.command.map(|command| *command.as_bytes());
        // Not under the same command id, which belongs to the removal.
        let forgetting = Request { command: None, ..request.clone() };
        self.engine.remove_user(request, user, removal).await?;
        // Should this be lost in a crash, what is left belongs to nobody: ids are not used again (R10).
        let record = UserForgottenV1 { account: user.account().into(), user: user_of(user)?.as_str(), command };
        self.record(forgetting, STREAM, (USER_FORGOTTEN, encode(&record))).await
    }

    /// The streams of the engine that have what a user signs in with: to be named when the user is forgotten.
    #[must_use]
    pub fn records_of(user: &UserId) -> [String; 1] {
        [stream_of(user)]
    }

    /// Records and folds. Called with `changing` held.
    async fn record(
        &self,
        request: Request,
        stream: &str,
        (kind, body): (u16, Option<Vec<u8>>),
    ) -> Result<(), DirectoryError> {
        let unavailable = |text: &str| DirectoryError::Unavailable(text.to_owned());
        let body = Zeroizing::new(body.ok_or_else(|| unavailable("a record could not be encoded"))?);
        let ack = self.engine.append_record(request, stream, None, kind, body.to_vec()).await?;
        let mut state = self.write();
        if ack.value <= state.folded.get(stream).copied().unwrap_or_default() {
            // A retry of a record that was folded when it was made.
            return Ok(());
        }
        let folded = state.fold_next(stream, ack.value, (kind, &body, ack.at));
        folded.map_err(|_| unavailable("a record could not be read back"))
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Standalone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Standalone {{ account: {:?} }}", self.account())
    }
}

/// Folds the records of one stream.
fn read(engine: &Countersign, stream: &str, state: &mut State) -> Result<(), DirectoryError> {
    let mut after = 0;
    loop {
        let page = engine.read_records(stream, after, RECORDS_MAX)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.version;
        for entry in page {
            let folded = state.fold_next(stream, entry.version, (entry.kind, &entry.body, entry.at));
            folded.map_err(|unreadable| {
                let text = format!(
                    "record {} of `{stream}` has kind {}, which this version cannot read",
                    entry.version, unreadable.kind
                );
                DirectoryError::Unavailable(text)
            })?;
        }
    }
}

fn name(text: &str) -> Result<DeviceName, DirectoryError> {
    DeviceName::new(text).map_err(|error| DirectoryError::Unavailable(error.to_string()))
}

/// The user id of a principal that cannot be root here.
fn user_of(principal: &PrincipalId) -> Result<&UserId, DirectoryError> {
    match principal {
        PrincipalId::User(_, user) => Ok(user),
        PrincipalId::Root(_) => Err(DirectoryError::Unavailable("the root user has no user id".into())),
    }
}

/// The rule for users who are no administrators: the self-service pattern of R48.
fn self_service(caller: &Identity, action: &str, resource: &Resource) -> Access {
    let own = matches!(resource, Resource::Principal { id: Some(id), .. } if *id == caller.user.id);
    match action {
        "iam:CreateVirtualMFADevice" => Access::Allowed,
        "iam:EnableMFADevice" | "iam:ResyncMFADevice" | "iam:ListMFADevices" | "iam:GetUser" if own => Access::Allowed,
        "iam:ChangePassword" if own => Access::Allowed,
        "iam:DeactivateMFADevice" if own && caller.credential.has_mfa() => Access::Allowed,
        // Who could not delete what bears the own name would be stuck behind it (R61).
        "iam:DeleteVirtualMFADevice" if caller.credential.has_mfa() => {
            let own = format!("arn:aws:iam::{}:mfa/{}", caller.account(), caller.user.name);
            if resource.arn().eq_ignore_ascii_case(&own) { Access::Allowed } else { Access::NotAllowed }
        }
        // The pattern denies everything else without a second factor, and a lost key alone must not
        // take the second factor away.
        "iam:DeactivateMFADevice" if own => Access::Denied,
        _ => Access::NotAllowed,
    }
}

#[async_trait]
impl Directory for Standalone {
    async fn access_key(&self, id: &str) -> Result<Option<AccessKey>, DirectoryError> {
        Ok(self.read().key(id).cloned())
    }

    async fn principal(&self, id: &PrincipalId) -> Result<Option<UserView>, DirectoryError> {
        Ok(self.engine.principal(id))
    }

    async fn user_named(&self, account: AccountId, name: &str) -> Result<Option<UserView>, DirectoryError> {
        Ok(self.engine.user_named(account, name))
    }

    async fn users(
        &self,
        account: AccountId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<UserView>, DirectoryError> {
        Ok(self.engine.users(account, after, limit))
    }

    async fn authorize(&self, caller: &Identity, action: &str, resource: &Resource) -> Result<Access, DirectoryError> {
        let id = &caller.user.id;
        if id.is_root() || self.read().is_administrator(id) {
            return Ok(Access::Allowed);
        }
        Ok(self_service(caller, action, resource))
    }

    async fn create_user(
        &self,
        request: Request,
        account: AccountId,
        name: DeviceName,
        path: Path,
    ) -> Result<UserView, DirectoryError> {
        let id = ids::user_id(&*ids::source(&self.engine, &request, "user")?)?;
        self.engine.register_user(request, account, id, name.clone(), path).await?;
        let made = self.engine.user_named(account, name.as_str());
        made.ok_or_else(|| DirectoryError::Unavailable("the new user is gone again".into()))
    }

    async fn delete_user(&self, request: Request, user: &PrincipalId) -> Result<(), DirectoryError> {
        let _changing = self.changing.lock().await;
        if !self.read().keys_of(user).is_empty() {
            return Err(DirectoryError::UserHasAccessKeys);
        }
        self.forget_user(request, user, Removal::RefuseWithDevices).await
    }

    async fn has_deleted(&self, request: &Request) -> Result<bool, DirectoryError> {
        Ok(request.command.is_some_and(|command| self.read().has_deleted(command)))
    }

    async fn create_access_key(&self, request: Request, user: &PrincipalId) -> Result<AccessKey, DirectoryError> {
        let _changing = self.changing.lock().await;
        if self.engine.principal(user).is_none() {
            return Err(Error::from(Rejection::PrincipalUnknown).into());
        }
        let random = ids::source(&self.engine, &request, "access key")?;
        let (id, secret) = (ids::access_key_id(&*random)?, ids::secret_access_key(&*random)?);
        if let Some(made) = self.read().key(&id).filter(|key| key.owner == *user) {
            // The same request again: it gets the same key, for as long as a client retries.
            let in_time = self.engine.now() <= made.created_at.plus_ms(RETRY_MS_MAX);
            return if in_time { Ok(made.clone()) } else { Err(DirectoryError::AccessKeyShown) };
        }
        if self.read().keys_of(user).len() >= ACCESS_KEYS_MAX {
            return Err(DirectoryError::AccessKeyQuota);
        }
        let record = AccessKeyCreatedV1 {
            account: user.account().into(),
            user: user_of(user)?.as_str(),
            access_key_id: &id,
            secret_access_key: secret.expose(),
        };
        let stream = stream_of(user_of(user)?);
        self.record(request, &stream, (ACCESS_KEY_CREATED, encode(&record))).await?;
        let made = self.read().key(&id).cloned();
        made.ok_or_else(|| DirectoryError::Unavailable("the new key is gone again".into()))
    }

    async fn access_keys(&self, user: &PrincipalId) -> Result<Vec<AccessKey>, DirectoryError> {
        Ok(self.read().keys_of(user))
    }

    async fn delete_access_key(&self, request: Request, user: &PrincipalId, id: &str) -> Result<(), DirectoryError> {
        let _changing = self.changing.lock().await;
        if self.read().key(id).is_none_or(|key| key.owner != *user) {
            let done = self.has_deleted(&request).await?;
            return if done { Ok(()) } else { Err(DirectoryError::NoSuchAccessKey) };
        }
        if self.read().is_last_way_in(id) {
            return Err(DirectoryError::LastAdministratorKey);
        }
        let command = request.command.map(|command| *command.as_bytes());
        let record = AccessKeyDeletedV1 { access_key_id: id, command };
        let stream = stream_of(user_of(user)?);
        self.record(request, &stream, (ACCESS_KEY_DELETED, encode(&record))).await
    }

    async fn principal_of(&self, who: &SignInName) -> Result<Option<PrincipalId>, DirectoryError> {
        Ok(self.meant_by(who))
    }

    async fn check_password(&self, who: &SignInName, password: &Secret) -> Result<PasswordVerdict, DirectoryError> {
        self.judge_password(who, password).await
    }

    async fn password_is(&self, principal: &PrincipalId, password: &Secret) -> Result<bool, DirectoryError> {
        Ok(self.fits(Some(principal), password).await?.0)
    }

    async fn has_password(&self, principal: &PrincipalId) -> Result<bool, DirectoryError> {
        Ok(self.read().password(principal).is_some())
    }

    async fn password_version(&self, principal: &PrincipalId) -> Result<Option<u64>, DirectoryError> {
        Ok(self.read().password(principal).map(|password| password.version))
    }

    async fn set_password(
        &self,
        request: Request,
        principal: &PrincipalId,
        password: &Secret,
    ) -> Result<u64, DirectoryError> {
        self.record_password(request, principal, password).await
    }

    async fn remove_user(&self, request: Request, user: &PrincipalId) -> Result<(), DirectoryError> {
        let _changing = self.changing.lock().await;
        if self.read().is_last_administrator(user) {
            return Err(DirectoryError::LastAdministrator);
        }
        self.forget_user(request, user, Removal::TakeDevices).await
    }

    async fn root_contact(&self, account: AccountId) -> Result<Option<RootContact>, DirectoryError> {
        Ok(self.read().root_contact(account).cloned())
    }

    async fn set_root_contact(
        &self,
        request: Request,
        account: AccountId,
        contact: &RootContact,
    ) -> Result<(), DirectoryError> {
        let _changing = self.changing.lock().await;
        if self.read().root_of_email(&contact.email).is_some_and(|of| of != account) {
            return Err(DirectoryError::EmailTaken);
        }
        self.record_contact(request, account, contact).await
    }
}

#[cfg(test)]
mod tests;
