//! The console: the pages on which people sign in and manage their MFA devices.
//!
//! Pages are rendered here, forms come back, and every form is answered by a redirect. There is one script, and
//! only for security keys, because there the browser itself is the client. The console decides nothing: it asks
//! the engine and the [`Directory`], as any platform could by the same methods.
//!
//! | part | does |
//! |---|---|
//! | `serve` | limits, headers, one log line; from a request to an answer |
//! | `visit` | one request: who it is, what it may see, what goes back |
//! | `route` | the addresses |
//! | `cookies`, `seal`, `csrf` | what the browser keeps for us, and what it cannot forge |
//! | `sessions`, `repeats` | who is signed in, also when a button was pressed twice |
//! | `limits` | how often passwords may be tried |
//! | `frame`, `words` | what pages have in common, and what things are called |
//! | `sign_in`, `factor`, `recovery` | from the name to the session |
//! | `devices`, `users`, `sms`, `account`, … | the pages of a session |
//!
//! A cookie of the first page (`countersign-attempt`) says that a password was right, and opens the second page
//! alone; a session has another cookie and another secret, made when the second factor is proven.

mod account;
mod assets;
mod attempt;
mod contact;
mod cookies;
mod csrf;
mod development;
mod devices;
mod factor;
mod frame;
mod home;
mod limits;
mod offers;
mod password;
mod problem;
mod recovery;
mod repeats;
mod route;
mod seal;
mod serve;
mod sessions;
mod sign_in;
mod sms;
#[cfg(test)]
mod tests;
mod users;
mod visit;
mod words;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::directory::Directory;
use crate::engine::{
    Caller, Channel, Countersign, Credential, DevelopmentTransports, DeviceView, Error, PrincipalId, Request,
    UnixMillis,
};
use assets::Assets;
use csrf::Csrf;
use limits::PasswordLimits;
use offers::Offers;
use repeats::Repeats;
use seal::Sealer;
pub use serve::routes;
use sessions::{Leftover, SessionKey, Sessions};

/// What depends on where the console runs.
#[derive(Clone, Debug, Default)]
pub struct ConsoleSettings {
    /// How browsers call it, such as `https://console.example.com`, where that is known.
    pub public_origin: Option<String>,
    /// Whether browsers reach it over TLS: cookies then travel over nothing else.
    pub secure: bool,
    /// The domain that security keys are bound to.
    pub relying_party_id: String,
    /// The proxy in front of it, whose word on a client's address counts.
    pub trusted_proxy: Option<IpAddr>,
    /// The currency that prices of messages are in.
    pub currency: String,
    /// The outbox of a development server; its messages are then shown to anybody.
    pub outbox: Option<Arc<DevelopmentTransports>>,
}

/// The console in front of an engine and a directory.
pub struct Console {
    engine: Countersign,
    directory: Arc<dyn Directory>,
    settings: ConsoleSettings,
    assets: Arc<Assets>,
    sealer: Sealer,
    csrf: Csrf,
    sessions: Sessions,
    limits: PasswordLimits,
    offers: Offers,
    repeats: Repeats,
}

/// Why the console cannot start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConsoleError(String);

impl ConsoleError {
    fn new(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for ConsoleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the console cannot start: {}", self.0)
    }
}

impl std::error::Error for ConsoleError {}

impl From<Error> for ConsoleError {
    fn from(cause: Error) -> Self {
        Self(cause.to_string())
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Console {
    /// Puts the console in front of an engine and a directory, and reads the sessions that still live.
    ///
    /// # Errors
    /// When the key ring fails, or the records of sessions cannot be read.
    pub fn new(
        engine: Countersign,
        directory: Arc<dyn Directory>,
        settings: ConsoleSettings,
    ) -> Result<Self, ConsoleError> {
        let mut seed = [0; 32];
        engine.fill_random(&mut seed)?;
        Ok(Self {
            sealer: Sealer::new(&engine)?,
            csrf: Csrf::new(&engine)?,
            sessions: Sessions::read(&engine)?,
            limits: PasswordLimits::new(seed),
            offers: Offers::default(),
            repeats: Repeats::default(),
            assets: Arc::new(Assets::new()),
            engine,
            directory,
            settings,
        })
    }

    /// Ends sessions whose time is over, and takes away what their wizards left over.
    async fn sweep(&self, now: UnixMillis) {
        self.repeats.sweep(now);
        if !self.sessions.sweep(now).await {
            return;
        }
        for (key, left) in self.sessions.wizards() {
            self.drop_enabled(&key, &left).await;
        }
        self.clear_away().await;
    }

    /// Lets a session forget the device of its wizard once somebody has enabled it, by whatever door. Its secret is not
    /// shown any more (R16), and it is nobody's leftover, also when it is deactivated later.
    async fn drop_enabled(&self, key: &SessionKey, left: &Leftover) -> bool {
        if self.engine.device(&left.serial).is_none_or(|device| device.owner.is_none()) {
            return false;
        }
        if let Err(error) = self.sessions.leave(Request::by(Caller::operator()), key, None).await {
            tracing::warn!(%error, "it is not recorded that a new device is in use");
        }
        true
    }

    /// Ends the open sign-ins of a principal, whose password or contact is not what it was when they were begun.
    async fn end_sign_ins(&self, request: Request, principal: &PrincipalId) -> Result<(), Error> {
        self.engine.end_sign_ins(request, principal).await.map(drop)
    }

    /// Deletes virtual devices that wizards made and nobody enabled (A28). One that was enabled, or a namesake
    /// that somebody made since, is left alone. What fails is tried again later.
    async fn clear_away(&self) {
        for left in self.sessions.leftovers() {
            let unused = |device: &DeviceView| device.owner.is_none() && left.was_made_at(device.created_at);
            if let Some(account) =
                left.serial.account().filter(|_| self.engine.device(&left.serial).is_some_and(|device| unused(&device)))
            {
                let request = Request::by(Caller::operator());
                let gone = self.engine.delete_virtual_device(request, account, &left.serial).await;
                if let Err(error) = gone
                    && error.rejection().is_none()
                {
                    tracing::warn!(%error, "an unused device could not be taken away yet");
                    continue;
                }
            }
            self.sessions.taken_away(&left);
        }
    }
}

/// Somebody at the console, by what they have proven.
fn at_console(principal: PrincipalId, credential: Credential) -> Caller {
    Caller { principal: Some(principal), credential, channel: Channel::Console }
}

/// What a browser sends, for the fuzzing of it.
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing {
    use actix_web::http::header::HeaderMap;

    use super::cookies::{Cookie, Cookies};

    /// The values of the visitor's, the attempt's, the session's, the enrolment's and the message's cookie.
    #[must_use]
    pub fn cookies(headers: &HeaderMap, secure: bool) -> [Option<String>; 5] {
        let cookies = Cookies::of(headers, secure);
        [Cookie::Visitor, Cookie::Attempt, Cookie::Session, Cookie::Enrolment, Cookie::Flash]
            .map(|cookie| cookies.get(cookie).map(str::to_owned))
    }

    /// The name of the page at a path.
    #[must_use]
    pub fn page(path: &str) -> Option<&'static str> {
        super::route::Route::of(path).map(|route| route.name())
    }
}
