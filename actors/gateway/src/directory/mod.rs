//! What the gateway asks the platform that it stands in front of.
//!
//! The engine knows principals, their names and their devices. Everything else about them belongs to
//! a directory: access keys, passwords, who may do what. A platform that embeds the gateway implements
//! [`Directory`] over its own users; the server on its own uses [`Standalone`].

mod ids;
mod password;
mod records;
mod standalone;

use std::fmt;

use async_trait::async_trait;

use crate::engine::{
    AccountId, Caller, Channel, Credential, DeviceName, Error, Path, PrincipalId, Request, UnixMillis, UserView,
};
use crate::secret::Secret;
pub use ids::{Randomness, access_key_id, account_id, secret_access_key, session_key_id, source, user_id};
pub use password::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, PasswordFault, check as check_password};
pub use standalone::{Founded, Founding, Standalone};

/// Access keys that one user may have, as IAM has it.
pub const ACCESS_KEYS_MAX: usize = 2;

/// A long-term access key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccessKey {
    /// Its id, `AKIA…`.
    pub id: String,
    /// Its secret: exactly 40 characters, which the signature arithmetic counts on.
    pub secret: Secret,
    /// Whose it is.
    pub owner: PrincipalId,
    /// When it was made.
    pub created_at: UnixMillis,
}

/// Who signed a request, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// The principal, with its present name and path.
    pub user: UserView,
    /// The key that signed; empty for a person at the console.
    pub access_key_id: String,
    /// What the key rests on.
    pub credential: Credential,
}

impl Identity {
    /// The account of the caller, in which everything happens.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        self.user.id.account()
    }

    /// The caller's ARN.
    #[must_use]
    pub fn arn(&self) -> String {
        arn_of(&self.user)
    }

    /// The caller as the engine judges it.
    #[must_use]
    pub fn caller(&self, channel: Channel) -> Caller {
        Caller { principal: Some(self.user.id.clone()), credential: self.credential, channel }
    }
}

/// The ARN of a principal.
#[must_use]
pub fn arn_of(user: &UserView) -> String {
    match &user.id {
        PrincipalId::Root(account) => format!("arn:aws:iam::{account}:root"),
        PrincipalId::User(account, _) => user_arn(*account, &user.path, user.name.as_str()),
    }
}

/// The ARN of a user of that path and name, whether there is one or not.
#[must_use]
pub fn user_arn(account: AccountId, path: &Path, name: &str) -> String {
    format!("arn:aws:iam::{account}:user{path}{name}")
}

/// How long a retry under the same command id is shown a secret again, in milliseconds.
pub const RETRY_MS_MAX: u64 = 120_000;

/// What an action is done to (R45).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Resource {
    /// A principal, existing or not.
    Principal {
        /// Its id, when it exists.
        id: Option<PrincipalId>,
        /// Its ARN.
        arn: String,
    },
    /// A virtual device, or what its ARN would be.
    Device(String),
    /// Everything of the account.
    All,
}

impl Resource {
    /// The ARN that a denial names.
    #[must_use]
    pub fn arn(&self) -> &str {
        match self {
            Self::Principal { arn, .. } | Self::Device(arn) => arn,
            Self::All => "*",
        }
    }
}

/// Who signs in, as it was typed on the first page (R97). People type passwords there, too: `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub enum SignInName {
    /// A user of an account; `None` for an account that does not exist.
    User {
        /// The account.
        account: Option<AccountId>,
        /// The user's name.
        name: String,
    },
    /// A root user.
    Root {
        /// Its e-mail address.
        email: String,
    },
}

impl fmt::Debug for SignInName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User { .. } => "User(..)",
            Self::Root { .. } => "Root(..)",
        })
    }
}

/// What came of a password.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PasswordVerdict {
    /// Whose password it should be; `None` for a name that nobody has.
    pub principal: Option<PrincipalId>,
    /// Whether it is.
    pub fits: bool,
    /// Which of the principal's passwords it was compared with: a later one has a larger number. 0 for a name that nobody
    /// has.
    pub version: u64,
}

/// Where root's alternative factors are sent (R130). Personal data: `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct RootContact {
    /// The e-mail address, with which root also signs in.
    pub email: String,
    /// The phone number in E.164.
    pub phone: Option<String>,
}

impl fmt::Debug for RootContact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootContact(..)")
    }
}

/// The longest e-mail address of a root user, in characters (RFC 5321, section 4.5.3.1).
const EMAIL_CHARS_MAX: usize = 254;

/// Whether a text could be an e-mail address.
#[must_use]
pub fn is_email(text: &str) -> bool {
    let parts = text.split_once('@').map(|(local, domain)| !local.is_empty() && !domain.is_empty());
    let plain = !text.chars().any(|c| c.is_control() || c.is_whitespace());
    parts == Some(true) && plain && text.chars().count() <= EMAIL_CHARS_MAX
}

/// Whether a caller may do something (R47).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// It may.
    Allowed,
    /// Nothing allows it.
    NotAllowed,
    /// A rule forbids it.
    Denied,
}

/// Why a directory does not answer.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DirectoryError {
    /// The engine refused or failed.
    Engine(Error),
    /// The user has as many access keys as it may have.
    AccessKeyQuota,
    /// No access key of that id is the user's.
    NoSuchAccessKey,
    /// The user still has access keys.
    UserHasAccessKeys,
    /// The key was made under this very command id, too long ago for its secret to be shown again.
    AccessKeyShown,
    /// Without this access key nobody could administer the account any more.
    LastAdministratorKey,
    /// Without this user nobody but root could administer the account any more.
    LastAdministrator,
    /// This directory is not changed through the gateway.
    ReadOnly,
    /// This directory does not do such a thing at all.
    NotSupported,
    /// The password is not one that may be chosen.
    PasswordNotTaken(PasswordFault),
    /// Another root user signs in with this e-mail address.
    EmailTaken,
    /// It has too much to do; it may be asked again.
    Busy,
    /// It cannot answer now.
    Unavailable(String),
}

impl fmt::Display for DirectoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine(cause) => cause.fmt(f),
            Self::AccessKeyQuota => f.write_str("the user has as many access keys as it may have"),
            Self::NoSuchAccessKey => f.write_str("the user has no such access key"),
            Self::AccessKeyShown => f.write_str("the key was made before, and its secret is not shown again"),
            Self::LastAdministratorKey => f.write_str("the key is the last one of the last administrator"),
            Self::LastAdministrator => f.write_str("the user is the last administrator"),
            Self::UserHasAccessKeys => f.write_str("the user still has access keys"),
            Self::ReadOnly => f.write_str("users are not managed here"),
            Self::NotSupported => f.write_str("this directory does not do that"),
            Self::PasswordNotTaken(fault) => fault.fmt(f),
            Self::EmailTaken => f.write_str("another root user has this e-mail address"),
            Self::Busy => f.write_str("the directory has too much to do"),
            Self::Unavailable(cause) => write!(f, "the directory cannot answer: {cause}"),
        }
    }
}

impl std::error::Error for DirectoryError {}

impl From<Error> for DirectoryError {
    fn from(cause: Error) -> Self {
        Self::Engine(cause)
    }
}

/// The users, keys and rules of a platform.
///
/// A request that changes something carries who asks and, where the client sent one, an id under
/// which a retry must be answered like the first time.
#[async_trait]
pub trait Directory: Send + Sync + 'static {
    /// The access key of an id.
    async fn access_key(&self, id: &str) -> Result<Option<AccessKey>, DirectoryError>;

    /// A principal by its id, unless it was removed.
    async fn principal(&self, id: &PrincipalId) -> Result<Option<UserView>, DirectoryError>;

    /// The user of a name in an account, whatever the case (R9). The root user has no user name.
    async fn user_named(&self, account: AccountId, name: &str) -> Result<Option<UserView>, DirectoryError>;

    /// The users of an account in the order of their names, those after a name.
    async fn users(
        &self,
        account: AccountId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<UserView>, DirectoryError>;

    /// Whether a caller may do an action, such as `iam:EnableMFADevice`, to a resource.
    async fn authorize(&self, caller: &Identity, action: &str, resource: &Resource) -> Result<Access, DirectoryError>;

    /// Makes a user.
    async fn create_user(
        &self,
        request: Request,
        account: AccountId,
        name: DeviceName,
        path: Path,
    ) -> Result<UserView, DirectoryError>;

    /// Removes a user that has no devices and no access keys left (R76).
    async fn delete_user(&self, request: Request, user: &PrincipalId) -> Result<(), DirectoryError>;

    /// Whether the user or key that a request wants removed was removed under its very command id: the
    /// request is then a retry, and its answer is that it was done.
    async fn has_deleted(&self, request: &Request) -> Result<bool, DirectoryError>;

    /// Makes an access key.
    async fn create_access_key(&self, request: Request, user: &PrincipalId) -> Result<AccessKey, DirectoryError>;

    /// The access keys of a user, oldest first.
    async fn access_keys(&self, user: &PrincipalId) -> Result<Vec<AccessKey>, DirectoryError>;

    /// Removes an access key of a user.
    async fn delete_access_key(&self, request: Request, user: &PrincipalId, id: &str) -> Result<(), DirectoryError>;

    // ---- what only the console asks; a directory without a console need not answer ----

    /// Who is meant by a name on the sign-in page.
    async fn principal_of(&self, who: &SignInName) -> Result<Option<PrincipalId>, DirectoryError> {
        match who {
            SignInName::User { account: Some(account), name } => {
                Ok(self.user_named(*account, name).await?.map(|user| user.id))
            }
            SignInName::User { account: None, .. } | SignInName::Root { .. } => Ok(None),
        }
    }

    /// Checks the password of whoever signs in. A name that nobody has and a wrong password take the same work.
    async fn check_password(&self, _who: &SignInName, _password: &Secret) -> Result<PasswordVerdict, DirectoryError> {
        Err(DirectoryError::NotSupported)
    }

    /// Checks the password of a principal who is signed in.
    async fn password_is(&self, _principal: &PrincipalId, _password: &Secret) -> Result<bool, DirectoryError> {
        Err(DirectoryError::NotSupported)
    }

    /// Whether a principal has a password to sign in with.
    async fn has_password(&self, _principal: &PrincipalId) -> Result<bool, DirectoryError> {
        Err(DirectoryError::NotSupported)
    }

    /// Which password a principal has: each one that is set has a larger number than those before. What an older one
    /// has opened is over. A platform that cannot tell answers the same number for ever.
    async fn password_version(&self, _principal: &PrincipalId) -> Result<Option<u64>, DirectoryError> {
        Err(DirectoryError::NotSupported)
    }

    /// Gives a principal a new password, and says which it is. It changes no factor (R108).
    async fn set_password(
        &self,
        _request: Request,
        _principal: &PrincipalId,
        _password: &Secret,
    ) -> Result<u64, DirectoryError> {
        Err(DirectoryError::NotSupported)
    }

    /// Removes a user together with its devices, its access keys and its password (R77, A38).
    async fn remove_user(&self, _request: Request, _user: &PrincipalId) -> Result<(), DirectoryError> {
        Err(DirectoryError::NotSupported)
    }

    /// Where the alternative factors of an account's root are sent.
    async fn root_contact(&self, _account: AccountId) -> Result<Option<RootContact>, DirectoryError> {
        Err(DirectoryError::NotSupported)
    }

    /// Changes where they are sent, and the address with which root signs in.
    async fn set_root_contact(
        &self,
        _request: Request,
        _account: AccountId,
        _contact: &RootContact,
    ) -> Result<(), DirectoryError> {
        Err(DirectoryError::NotSupported)
    }
}
