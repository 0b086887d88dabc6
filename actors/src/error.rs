//! Why a command was not done, or its outcome is not known.

use std::fmt;

use countersign_domain::Corrupt;
use countersign_domain::rejection::Rejection;
use countersign_domain::wire::WireError;
use countersign_store::{AppendError, KeyError, ReadError, SignError};

use crate::ports::NoEntropy;

/// Why a command was not done, or its outcome is not known.
///
/// A refused *code* is no error: see [`Proof`](crate::Proof). Ask this error what it means for the
/// caller by its predicates.
///
/// ```
/// # use countersign::*;
/// # let engine = Countersign::in_memory(Config::default()).unwrap();
/// # futures_lite_block(async {
/// let account = "123456789012".parse().unwrap();
/// let name = DeviceName::new("lee").unwrap();
/// let operator = Request::by(Caller::operator());
/// let error = engine.create_virtual_device(operator, account, Path::root(), name).await.unwrap_err();
/// assert_eq!(error.rejection(), Some(&Rejection::AccountUnknown));
/// assert!(!error.is_retryable());
/// # });
/// # fn futures_lite_block<F: Future>(f: F) -> F::Output {
/// #     tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(f)
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Rejected(Rejection),
    Busy,
    Closed,
    Interrupted,
    Conflict,
    Unavailable(String),
    History(String),
    TooLarge(String),
    Forgotten(String),
    KeyMissing(String),
}

impl Error {
    pub(crate) const fn busy() -> Self {
        Self(Kind::Busy)
    }

    pub(crate) const fn closed() -> Self {
        Self(Kind::Closed)
    }

    pub(crate) const fn interrupted() -> Self {
        Self(Kind::Interrupted)
    }

    pub(crate) const fn conflict() -> Self {
        Self(Kind::Conflict)
    }

    pub(crate) fn history(what: impl fmt::Display) -> Self {
        Self(Kind::History(what.to_string()))
    }

    pub(crate) fn too_large(what: impl fmt::Display) -> Self {
        Self(Kind::TooLarge(what.to_string()))
    }

    pub(crate) fn unavailable(what: impl fmt::Display) -> Self {
        Self(Kind::Unavailable(what.to_string()))
    }

    /// The reason, when the command may not be asked; nothing was recorded.
    #[must_use]
    pub const fn rejection(&self) -> Option<&Rejection> {
        match &self.0 {
            Kind::Rejected(rejection) => Some(rejection),
            _ => None,
        }
    }

    /// Whether the engine has too much to do; nothing was recorded. Retry after a moment.
    #[must_use]
    pub const fn is_busy(&self) -> bool {
        matches!(self.0, Kind::Busy)
    }

    /// Whether a race was lost again and again; nothing was recorded (A33).
    #[must_use]
    pub const fn is_conflict(&self) -> bool {
        matches!(self.0, Kind::Conflict)
    }

    /// Whether the engine is closing or closed; nothing was recorded.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self.0, Kind::Closed)
    }

    /// Whether what is asked about was forgotten on purpose: the key of its sealed history is destroyed.
    #[must_use]
    pub const fn is_forgotten(&self) -> bool {
        matches!(self.0, Kind::Forgotten(_))
    }

    /// Whether what is asked about is closed: the key ring lacks the key that it is sealed under, or has another one in its
    /// place. Nothing of it is lost, and it opens again when the key is back; until then nobody gets in by it.
    #[must_use]
    pub const fn is_key_missing(&self) -> bool {
        matches!(self.0, Kind::KeyMissing(_))
    }

    /// Whether the command may or may not have been done. Retry with the same
    /// [`CommandId`](crate::CommandId): what was done is then answered and not done again (R96).
    #[must_use]
    pub const fn outcome_unknown(&self) -> bool {
        matches!(self.0, Kind::Interrupted)
    }

    /// Whether the same command may succeed later without anyone changing anything.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match &self.0 {
            Kind::Busy | Kind::Conflict | Kind::Interrupted => true,
            Kind::Rejected(rejection) => rejection.is_transient(),
            Kind::Closed
            | Kind::Unavailable(_)
            | Kind::History(_)
            | Kind::TooLarge(_)
            | Kind::Forgotten(_)
            | Kind::KeyMissing(_) => false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Rejected(rejection) => rejection.fmt(f),
            Kind::Busy => f.write_str("the engine is busy; retry after a moment"),
            Kind::Closed => f.write_str("the engine is closed"),
            Kind::Interrupted => f.write_str("the outcome is unknown; retry with the same command id"),
            Kind::Conflict => f.write_str("the state kept changing under the command; retry"),
            Kind::Unavailable(cause) => write!(f, "the engine cannot do it now: {cause}"),
            Kind::History(cause) => write!(f, "the stored history cannot be read: {cause}"),
            Kind::TooLarge(cause) => f.write_str(cause),
            Kind::Forgotten(cause) => write!(f, "it was forgotten on purpose: {cause}"),
            Kind::KeyMissing(cause) => write!(f, "it is closed: {cause}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<Rejection> for Error {
    fn from(rejection: Rejection) -> Self {
        Self(Kind::Rejected(rejection))
    }
}

impl From<Corrupt> for Error {
    fn from(corrupt: Corrupt) -> Self {
        Self::history(corrupt)
    }
}

impl From<WireError> for Error {
    fn from(cause: WireError) -> Self {
        Self::history(cause)
    }
}

impl From<KeyError> for Error {
    fn from(cause: KeyError) -> Self {
        match cause {
            KeyError::Destroyed(_) => Self(Kind::Forgotten(cause.to_string())),
            KeyError::NoRingKey(_) | KeyError::WrongRingKey(_) => Self(Kind::KeyMissing(cause.to_string())),
            _ => Self::unavailable(cause),
        }
    }
}

impl From<ReadError> for Error {
    fn from(cause: ReadError) -> Self {
        match cause {
            ReadError::Corrupt { .. } | ReadError::UnknownEnvelope { .. } | ReadError::Forked { .. } => {
                Self::history(cause)
            }
            ReadError::Key(cause) => cause.into(),
            ReadError::Derived(_) | ReadError::Unavailable(_) => Self::unavailable(cause),
        }
    }
}

impl From<SignError> for Error {
    fn from(cause: SignError) -> Self {
        match cause {
            SignError::Read(cause) => cause.into(),
            SignError::Append(cause) => cause.into(),
            SignError::Key(cause) => cause.into(),
            other => Self::unavailable(other),
        }
    }
}

impl From<NoEntropy> for Error {
    fn from(cause: NoEntropy) -> Self {
        Self::unavailable(cause)
    }
}

impl From<AppendError> for Error {
    fn from(cause: AppendError) -> Self {
        match cause {
            AppendError::Conflict { .. } | AppendError::Duplicate(_) => Self::conflict(),
            AppendError::Closed => Self::closed(),
            AppendError::TooLarge { .. } => Self(Kind::TooLarge(cause.to_string())),
            AppendError::Unavailable(_) => Self::interrupted(),
            AppendError::Read(cause) => cause.into(),
            AppendError::Key(cause @ (KeyError::NoRingKey(_) | KeyError::WrongRingKey(_))) => cause.into(),
            AppendError::Malformed(_) | AppendError::Poisoned | AppendError::Key(_) => Self::unavailable(cause),
        }
    }
}
