//! Why an engine does not open.

use std::fmt;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use countersign_domain::policy::PolicyError;
use countersign_store::{Fault, KeyError};

use crate::error::Error;
use crate::sms::SmsRouteError;
use crate::webauthn::RelyingPartyError;

/// Why an engine does not open. The text says what to do.
///
/// ```
/// use countersign::{Config, Countersign, OpenError, Policy};
///
/// let policy = Policy { step_s: 0, ..Policy::classic() };
/// let refused = Countersign::in_memory(Config { policy, ..Config::default() }).unwrap_err();
/// assert!(matches!(refused, OpenError::Policy(_)));
/// assert_eq!(refused.to_string(), "policy field `step_s` is 0, outside 1 to 3600");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenError {
    /// A number of the policy is out of its range.
    Policy(PolicyError),
    /// The issuer is empty or has a colon, so that no otpauth URI can name it.
    Issuer,
    /// Security keys cannot be registered with the relying party.
    RelyingParty(RelyingPartyError),
    /// The routes of SMS gateways, or the text that they carry, cannot be used.
    Sms(SmsRouteError),
    /// The store does not open.
    Store(countersign_store::OpenError),
    /// The keys are not to be had, or not the right ones.
    Keys(KeyError),
    /// The log opened and cannot be read, or a thread did not start.
    Engine(Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy(cause) => cause.fmt(f),
            Self::Issuer => f.write_str("the issuer must have a character and no colon"),
            Self::RelyingParty(cause) => cause.fmt(f),
            Self::Sms(cause) => cause.fmt(f),
            Self::Store(cause) => cause.fmt(f),
            Self::Keys(cause) => cause.fmt(f),
            Self::Engine(cause) => cause.fmt(f),
        }
    }
}

impl std::error::Error for OpenError {}

impl From<PolicyError> for OpenError {
    fn from(cause: PolicyError) -> Self {
        Self::Policy(cause)
    }
}

impl From<countersign_store::OpenError> for OpenError {
    fn from(cause: countersign_store::OpenError) -> Self {
        Self::Store(cause)
    }
}

impl From<RelyingPartyError> for OpenError {
    fn from(cause: RelyingPartyError) -> Self {
        Self::RelyingParty(cause)
    }
}

impl From<KeyError> for OpenError {
    fn from(cause: KeyError) -> Self {
        Self::Keys(cause)
    }
}

impl From<Error> for OpenError {
    fn from(cause: Error) -> Self {
        Self::Engine(cause)
    }
}

/// What an engine's directory holds.
///
/// ```
/// let layout = countersign::Layout::of("data".as_ref());
/// assert_eq!(layout.store, std::path::Path::new("data/store"));
/// assert_eq!(layout.key_file, std::path::Path::new("data/keyring"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The log and what is derived from it.
    pub store: PathBuf,
    /// The key of sealed bodies.
    pub key_file: PathBuf,
}

impl Layout {
    /// Where things are in an engine's directory.
    ///
    /// ```
    /// assert!(countersign::Layout::of("data".as_ref()).store.ends_with("store"));
    /// ```
    #[must_use]
    pub fn of(dir: &Path) -> Self {
        Self { store: dir.join("store"), key_file: dir.join("keyring") }
    }

    /// Makes the directory, readable by its owner only, or makes sure that it is an engine's.
    pub(crate) fn prepare(dir: &Path) -> Result<Self, OpenError> {
        let failed = |cause| {
            let what = format!("the directory `{}` cannot be used", dir.display());
            OpenError::Store(Fault::because(&what, cause).into())
        };
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
        let known = |name: &std::ffi::OsStr| name == "store" || name == "keyring";
        let mut foreign = false;
        let mut ours = false;
        for entry in std::fs::read_dir(dir).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            ours |= known(&name);
            foreign |= !known(&name);
        }
        if foreign && !ours {
            return Err(OpenError::Store(countersign_store::OpenError::NotAStore(dir.to_owned())));
        }
        Ok(Self::of(dir))
    }
}
