//! What goes wrong, and the pages that say so.

use actix_web::http::StatusCode;

use crate::directory::DirectoryError;
use crate::engine::{Error, Rejection, UnixMillis};

/// Why a request gets no page of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Problem {
    /// Nobody is signed in here.
    SignInFirst,
    /// The sign-in between its two pages is over, or never began in this browser.
    AttemptOver,
    /// The form is not from a page of this browser, or from one that is too old.
    StaleForm,
    /// The form cannot be read.
    Malformed,
    /// It may not be done, and why.
    Forbidden(String),
    /// There is nothing there.
    NotFound,
    /// The page is not asked like this.
    WrongMethod(&'static str),
    /// The request is larger than any page sends.
    TooLarge,
    /// Too many passwords were tried, or too many sign-ins begun.
    TooMany {
        /// When it may be tried again.
        until: UnixMillis,
    },
    /// The server has too much to do, or is stopping.
    Busy,
    /// The server failed.
    Failed,
}

/// What a page says about a problem.
pub(super) struct Told {
    pub(super) status: StatusCode,
    pub(super) title: &'static str,
    pub(super) what: String,
    pub(super) then: &'static str,
    pub(super) onwards: (&'static str, &'static str),
}

impl Problem {
    /// Its words. Problems that are answered by a redirect have none.
    pub(super) fn told(&self, now: UnixMillis) -> Told {
        let home = ("/console/", "To the console");
        let told = |status, title, what: &str, then| Told { status, title, what: what.to_owned(), then, onwards: home };
        match self {
            Self::SignInFirst | Self::AttemptOver => {
                told(StatusCode::UNAUTHORIZED, "Sign in first", "Nobody is signed in here.", "Sign in and try again.")
            }
            Self::StaleForm => told(
                StatusCode::BAD_REQUEST,
                "This form has expired",
                "The page that you sent is too old, or it was not sent from this console, or your browser keeps no cookies. \
                 Nothing was changed.",
                "Open the page again and repeat what you did. If this comes again, allow cookies for this site.",
            ),
            Self::Malformed => told(
                StatusCode::BAD_REQUEST,
                "That request could not be read",
                "What your browser sent has not the form of a page of this console. Nothing was changed.",
                "Go back, load the page again and repeat what you did.",
            ),
            Self::Forbidden(why) => told(
                StatusCode::FORBIDDEN,
                "You may not do that",
                why,
                "If you need it for your work, ask an administrator of your account.",
            ),
            Self::NotFound => told(
                StatusCode::NOT_FOUND,
                "There is nothing here",
                "The address does not lead to a page, or what it led to does not exist any more.",
                "Check the address, or start from the console's first page.",
            ),
            Self::WrongMethod(_) => told(
                StatusCode::METHOD_NOT_ALLOWED,
                "That is not how this page works",
                "This address takes another kind of request, such as a form that is sent from its own page.",
                "Start from the console's first page.",
            ),
            Self::TooLarge => told(
                StatusCode::PAYLOAD_TOO_LARGE,
                "That was too much",
                "What your browser sent is larger than any form of this console. Nothing was changed.",
                "Go back and shorten what you typed.",
            ),
            Self::TooMany { until } => {
                let minutes = until.0.saturating_sub(now.0).div_ceil(60_000).max(1);
                let unit = if minutes == 1 { "minute" } else { "minutes" };
                let what = format!(
                    "There were too many tries to sign in with this name or from your network. For up to {minutes} {unit} \
                     no further password is looked at."
                );
                Told {
                    onwards: ("/console/sign-in", "To the sign-in"),
                    ..told(StatusCode::TOO_MANY_REQUESTS, "Too many tries", &what, "Wait, and then try again.")
                }
            }
            Self::Busy => told(
                StatusCode::SERVICE_UNAVAILABLE,
                "The server is busy",
                "It could not do what you asked just now. It may or may not have been done.",
                "Wait a moment, look whether it was done, and if not, try again.",
            ),
            Self::Failed => told(
                StatusCode::SERVICE_UNAVAILABLE,
                "The server failed",
                "Something went wrong that is not your fault, and whoever operates this server can see it in the log.",
                "Try again later, and pass on the reference if it does not go away.",
            ),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        if error.is_busy() || error.is_closed() || error.is_retryable() {
            return Self::Busy;
        }
        tracing::error!(%error, "the engine failed");
        Self::Failed
    }
}

impl From<DirectoryError> for Problem {
    fn from(error: DirectoryError) -> Self {
        match error {
            DirectoryError::Engine(cause) => cause.into(),
            DirectoryError::Busy => Self::Busy,
            DirectoryError::NotSupported | DirectoryError::ReadOnly => {
                Self::Forbidden("The users of this platform are managed elsewhere, not in this console.".to_owned())
            }
            other => {
                tracing::error!(error = %other, "the directory failed");
                Self::Failed
            }
        }
    }
}

/// Tells apart what a person can be told from what is the server's problem.
pub(super) fn explained<T>(result: Result<T, Error>, now: UnixMillis) -> Result<Result<T, String>, Problem> {
    match result {
        Ok(done) => Ok(Ok(done)),
        Err(error) => match error.rejection() {
            Some(rejection) => Ok(Err(super::words::rejection(rejection, now))),
            None => Err(error.into()),
        },
    }
}

/// The same in a sign-in between its two pages, which may be over meanwhile.
pub(super) fn explained_in_attempt<T>(result: Result<T, Error>, now: UnixMillis) -> Result<Result<T, String>, Problem> {
    match result.as_ref().err().and_then(Error::rejection) {
        Some(Rejection::ChallengeUnknown | Rejection::PrincipalUnknown) => Err(Problem::AttemptOver),
        _ => explained(result, now),
    }
}
