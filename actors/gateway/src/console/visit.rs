//! One request of the console: who it is, what came with it and what goes back.
//!
//! A handler gets at who is signed in, at the sign-in under way or at the visitor only through the methods here,
//! and these refuse a form whose token does not fit. So no handler can forget to ask.

use std::cell::Cell;
use std::net::IpAddr;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use data_encoding::BASE64URL_NOPAD;

use super::attempt::Attempt;
use super::cookies::{Cookie, Cookies};
use super::csrf::Bound;
use super::frame::{Flash, Frame, Who};
use super::problem::Problem;
use super::seal::Purpose;
use super::serve::{exceeds, see_other};
use super::sessions::Session;
use super::{Console, at_console, words};
use crate::directory::{Access, Identity, Resource, user_arn};
use crate::engine::{Caller, Client, Credential, Path, PrincipalId, Request, UnixMillis, UserView};
use crate::secret::Secret;
use crate::server::agent_of;
use crate::wire::form::Params;

/// Field of every form that holds its token.
const TOKEN_FIELD: &str = "token";
/// Bytes of a visitor's cookie.
const VISITOR_BYTES: usize = 32;
/// How long a message waits for the next page, in seconds.
const FLASH_LIFE_S: u64 = 120;

/// What a handler answers.
pub(super) enum Answer {
    Page(String),
    SeeOther(String),
}

/// A request.
pub(super) struct Visit<'a> {
    pub(super) console: &'a Console,
    /// Whether a form was sent; its token is then checked.
    pub(super) post: bool,
    pub(super) query: Params,
    pub(super) form: Params,
    /// Where the person sits.
    pub(super) client: Client,
    pub(super) address: Option<IpAddr>,
    /// How the browser calls the server.
    pub(super) host: String,
    pub(super) now: UnixMillis,
    /// Who it is, for the log.
    pub(super) principal: Option<String>,
    /// The secret of the session that was opened by it.
    pub(super) opened: Option<Secret>,
    cookies: Cookies,
    outgoing: Vec<String>,
}

/// Who is signed in.
pub(super) struct Signed {
    pub(super) session: Session,
    pub(super) user: UserView,
    /// Whether the user sees the pages of administrators.
    pub(super) administrator: bool,
    pub(super) token: String,
}

impl Signed {
    pub(super) fn identity(&self) -> Identity {
        let credential = self.session.credential;
        Identity { user: self.user.clone(), access_key_id: String::new(), credential }
    }

    pub(super) fn caller(&self) -> Caller {
        at_console(self.user.id.clone(), self.session.credential)
    }
}

/// Where a request comes from: the peer, or whom the trusted proxy names. Only the last name is the proxy's own; those
/// before it are what the client said.
fn client_address(request: &HttpRequest, trusted_proxy: Option<IpAddr>) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip().to_canonical();
    if trusted_proxy.is_none_or(|proxy| proxy.to_canonical() != peer) {
        return Some(peer);
    }
    let named = request.headers().get_all("x-forwarded-for").last().and_then(|value| value.to_str().ok());
    let last = named.and_then(|named| named.rsplit(',').next()).and_then(|last| last.trim().parse().ok());
    Some(last.unwrap_or(peer))
}

impl<'a> Visit<'a> {
    /// Reads what comes with a request but the form, and says whether it can be read.
    pub(super) fn new(console: &'a Console, request: &HttpRequest) -> (Self, Result<(), Problem>) {
        let secure = console.settings.secure;
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let address = client_address(request, console.settings.trusted_proxy);
        let mut visit = Self {
            console,
            post: false,
            query: Params::default(),
            form: Params::default(),
            client: Client::new(address, &agent_of(request)),
            address,
            host: host.to_owned(),
            now: console.engine.now(),
            principal: None,
            opened: None,
            cookies: Cookies::default(),
            outgoing: Vec::new(),
        };
        if exceeds(request) {
            return (visit, Err(Problem::TooLarge));
        }
        visit.cookies = Cookies::of(request.headers(), secure);
        match Params::parse(request.query_string().as_bytes()) {
            Ok(query) => visit.query = query,
            Err(_) => return (visit, Err(Problem::Malformed)),
        }
        (visit, Ok(()))
    }

    /// A field of the form, without the white space around it.
    pub(super) fn field(&self, name: &str) -> &str {
        self.form.get(name).unwrap_or_default().trim()
    }

    /// Whether any cookie of ours came along.
    pub(super) fn has_cookies(&self) -> bool {
        let all = [Cookie::Visitor, Cookie::Attempt, Cookie::Session, Cookie::Enrolment, Cookie::Flash];
        all.into_iter().any(|cookie| self.cookies.get(cookie).is_some())
    }

    // ---- who it is ----

    /// Somebody of whom nothing is known yet; gives the token of the page's forms.
    pub(super) fn visitor(&mut self) -> Result<String, Problem> {
        let known = self.cookies.get(Cookie::Visitor).map(str::to_owned);
        let visitor = match known {
            Some(visitor) => visitor,
            None if self.post => return Err(Problem::StaleForm),
            None => {
                let mut bytes = [0; VISITOR_BYTES];
                self.console.engine.fill_random(&mut bytes)?;
                let visitor = BASE64URL_NOPAD.encode(&bytes);
                self.set(Cookie::Visitor, &visitor, None);
                visitor
            }
        };
        self.token(Bound::Visitor(visitor.as_bytes()))
    }

    /// The sign-in between its two pages. It is over with the password that it began with.
    pub(super) async fn attempt(&mut self) -> Result<(Attempt, String), Problem> {
        let attempt = self.open_attempt().ok_or(Problem::AttemptOver)?;
        if self.is_outdated(&attempt.principal, attempt.password).await? {
            return Err(Problem::AttemptOver);
        }
        self.principal = Some(attempt.principal.to_string());
        let token = self.token(Bound::Attempt(attempt.id.as_bytes()))?;
        Ok((attempt, token))
    }

    fn known_visitor(&self) -> Option<&str> {
        self.cookies.get(Cookie::Visitor)
    }

    fn open_attempt(&self) -> Option<Attempt> {
        let sealed = self.cookies.get(Cookie::Attempt)?;
        let visitor = self.known_visitor()?;
        let attempt: Attempt = self.console.sealer.open(Purpose::Attempt, visitor.as_bytes(), sealed)?;
        attempt.is_open(self.now).then_some(attempt)
    }

    /// Whether a sign-in is under way, without looking at any form.
    pub(super) fn has_attempt(&self) -> bool {
        self.open_attempt().is_some()
    }

    /// The session of this browser, without looking at any form. It is over with the password that it stands by.
    pub(super) async fn session(&self) -> Result<Option<Session>, Problem> {
        let found = self.cookies.get(Cookie::Session).and_then(|secret| self.console.sessions.find(secret, self.now));
        match found {
            Some(session) if self.is_outdated(&session.principal, session.password).await? => Ok(None),
            found => Ok(found),
        }
    }

    /// Whether a principal has another password than the one of that number.
    async fn is_outdated(&self, principal: &PrincipalId, password: u64) -> Result<bool, Problem> {
        Ok(self.console.directory.password_version(principal).await? != Some(password))
    }

    /// Who is signed in.
    pub(super) async fn signed_in(&mut self) -> Result<Signed, Problem> {
        let mut session = self.session().await?.ok_or(Problem::SignInFirst)?;
        let (console, request) =
            (self.console, self.request(at_console(session.principal.clone(), session.credential)));
        let Some(user) = console.directory.principal(&session.principal).await? else {
            // A session ends with its principal.
            console.sessions.close(request, &session.key).await?;
            console.clear_away().await;
            return Err(Problem::SignInFirst);
        };
        if let Err(error) = console.sessions.note(request, &session.key).await {
            tracing::warn!(%error, "it is not recorded that a session is in use");
        }
        if let Some(wizard) = &session.wizard
            && console.drop_enabled(&session.key, &wizard.left).await
        {
            session.wizard = None;
        }
        self.principal = Some(user.id.to_string());
        let token = self.token(Bound::Session(&session.key))?;
        let mut signed = Signed { session, user, administrator: false, token };
        signed.administrator = self.may(&signed, "iam:ListUsers", &all_users(&signed)).await?;
        Ok(signed)
    }

    /// The token of a page's forms; when a form was sent, its token has to be the same.
    fn token(&self, bound: Bound<'_>) -> Result<String, Problem> {
        if self.post && !self.console.csrf.fits(bound, self.form.get(TOKEN_FIELD).unwrap_or_default()) {
            return Err(Problem::StaleForm);
        }
        Ok(self.console.csrf.token(bound))
    }

    // ---- what they may ----

    /// Whether the directory lets somebody do something.
    pub(super) async fn may(&self, signed: &Signed, action: &str, resource: &Resource) -> Result<bool, Problem> {
        let access = self.console.directory.authorize(&signed.identity(), action, resource).await?;
        Ok(access == Access::Allowed)
    }

    /// An administrator, or a page that says that this is needed.
    pub(super) async fn administrator(&mut self) -> Result<Signed, Problem> {
        let signed = self.signed_in().await?;
        if signed.administrator {
            return Ok(signed);
        }
        Err(Problem::Forbidden("These pages are for administrators of the account and for its root user.".to_owned()))
    }

    /// Whether a session without a second factor stands before what guards the account of somebody who has one (R182).
    pub(super) fn needs_mfa(&self, signed: &Signed) -> bool {
        let credential = signed.session.credential;
        let proven = credential.has_mfa() || credential == Credential::Recovered;
        !proven && !self.console.engine.devices(&signed.user.id).is_empty()
    }

    /// What the engine is asked, from where the person sits.
    pub(super) fn request(&self, caller: Caller) -> Request {
        Request::by(caller).from_client(self.client.clone())
    }

    /// Where security keys work, when they do not work here: they are bound to a domain, and an address such as
    /// 127.0.0.1 is none. Behind a public origin the browser itself knows better.
    pub(super) fn keys_work_at(&self) -> Option<String> {
        let settings = &self.console.settings;
        let id = &settings.relying_party_id;
        if settings.public_origin.is_some() {
            return None;
        }
        let (name, port) = match self.host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => (name, format!(":{port}")),
            _ => (self.host.as_str(), String::new()),
        };
        let own = name.strip_suffix(id.as_str()).is_some_and(|below| below.is_empty() || below.ends_with('.'));
        if own {
            return None;
        }
        let scheme = if settings.secure { "https" } else { "http" };
        Some(format!("{scheme}://{id}{port}/console/sign-in"))
    }

    // ---- what goes back ----

    pub(super) fn set(&mut self, cookie: Cookie, value: &str, life_s: Option<u64>) {
        self.outgoing.push(cookie.set(value, life_s, self.console.settings.secure));
    }

    pub(super) fn clear(&mut self, cookie: Cookie) {
        if self.cookies.get(cookie).is_some() {
            self.outgoing.push(cookie.clear(self.console.settings.secure));
        }
    }

    /// Keeps the sign-in under way in the browser, for as long as it can be completed.
    pub(super) fn keep_attempt(&mut self, attempt: &Attempt) -> Result<(), Problem> {
        // For this browser alone (NT-22).
        let visitor = self.known_visitor().ok_or(Problem::StaleForm)?;
        let sealed = self.console.sealer.seal(Purpose::Attempt, visitor.as_bytes(), attempt).ok_or(Problem::Failed)?;
        let life_s = attempt.until.0.saturating_sub(self.now.0).div_ceil(1000);
        self.set(Cookie::Attempt, &sealed, Some(life_s));
        Ok(())
    }

    /// A value that is sealed in a cookie of the session.
    pub(super) fn enrolment<T: serde::de::DeserializeOwned>(&self, signed: &Signed) -> Option<T> {
        let sealed = self.cookies.get(Cookie::Enrolment)?;
        self.console.sealer.open(Purpose::Enrolment, &signed.session.key, sealed)
    }

    /// Seals a value in a cookie, for this session alone.
    pub(super) fn keep_enrolment(&mut self, signed: &Signed, value: &impl serde::Serialize) -> Result<(), Problem> {
        let sealed = self.console.sealer.seal(Purpose::Enrolment, &signed.session.key, value);
        self.set(Cookie::Enrolment, &sealed.ok_or(Problem::Failed)?, None);
        Ok(())
    }

    pub(super) fn see(&self, to: &str) -> Result<Answer, Problem> {
        Ok(Answer::SeeOther(to.to_owned()))
    }

    /// Leads to another page and says something there.
    pub(super) fn tell(&mut self, to: &str, flash: &Flash) -> Result<Answer, Problem> {
        if let Some(sealed) = self.console.sealer.seal(Purpose::Flash, b"", flash) {
            self.set(Cookie::Flash, &sealed, Some(FLASH_LIFE_S));
        }
        self.see(to)
    }

    pub(super) fn show(&self, page: &impl Template) -> Result<Answer, Problem> {
        page.render().map(Answer::Page).map_err(|error| {
            tracing::error!(%error, "a page could not be rendered");
            Problem::Failed
        })
    }

    /// The frame of a page outside a session; it takes the message that waits for it.
    pub(super) fn frame(&mut self, title: &str, token: String) -> Frame {
        let sealed = self.cookies.get(Cookie::Flash);
        let flash = sealed.and_then(|sealed| self.console.sealer.open(Purpose::Flash, b"", sealed));
        self.clear(Cookie::Flash);
        Frame { token, flash, ..self.bare_frame(title) }
    }

    /// A frame without forms and messages.
    pub(super) fn bare_frame(&self, title: &str) -> Frame {
        Frame {
            title: title.to_owned(),
            assets: self.console.assets.clone(),
            token: String::new(),
            flash: None,
            told_at_field: Cell::new(false),
            who: None,
            here: "",
            development: self.console.settings.outbox.is_some(),
        }
    }

    /// The frame of a page in a session.
    pub(super) fn frame_of(&mut self, signed: &Signed, title: &str, here: &'static str) -> Frame {
        let (level, level_class) = words::level(signed.session.credential);
        let who = Who {
            name: words::principal(&signed.user),
            account: words::account(&self.console.engine, signed.user.id.account()),
            level,
            level_class,
            administrator: signed.administrator,
        };
        Frame { who: Some(who), here, ..self.frame(title, signed.token.clone()) }
    }

    /// Where who is not signed in has to go.
    pub(super) fn sign_in_first(&mut self) -> Answer {
        if self.has_attempt() {
            return Answer::SeeOther("/console/mfa".to_owned());
        }
        let had_one = self.cookies.get(Cookie::Session).is_some();
        self.clear(Cookie::Session);
        self.clear(Cookie::Enrolment);
        let flash = Flash::warn("Your session has ended. Sign in again.");
        let to = "/console/sign-in";
        let told = if had_one { self.tell(to, &flash).ok() } else { None };
        told.unwrap_or_else(|| Answer::SeeOther(to.to_owned()))
    }

    /// Where who has no open sign-in has to go.
    pub(super) async fn attempt_over(&mut self) -> Answer {
        self.clear(Cookie::Attempt);
        if matches!(self.session().await, Ok(Some(_))) {
            return Answer::SeeOther("/console/".to_owned());
        }
        let text = "Your sign-in took too long, or was not begun in this browser. Sign in again.";
        let to = "/console/sign-in";
        self.tell(to, &Flash::warn(text)).unwrap_or_else(|_| Answer::SeeOther(to.to_owned()))
    }

    /// The answer with its cookies.
    pub(super) fn finish(&mut self, answer: Answer) -> HttpResponse {
        let mut response = match answer {
            Answer::Page(html) => HttpResponse::Ok().content_type("text/html; charset=utf-8").body(html),
            Answer::SeeOther(to) => see_other(&to),
        };
        for cookie in self.outgoing.drain(..) {
            if let Ok(value) = header::HeaderValue::from_str(&cookie) {
                response.headers_mut().append(header::SET_COOKIE, value);
            }
        }
        response
    }
}

fn all_users(signed: &Signed) -> Resource {
    Resource::Principal { id: None, arn: user_arn(signed.user.id.account(), &Path::root(), "") }
}

/// The account's user of an id.
pub(super) fn user_of(signed: &Signed, user: crate::engine::UserId) -> PrincipalId {
    PrincipalId::User(signed.user.id.account(), user)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn only_the_trusted_proxy_names_another_client_and_only_by_its_last_word() {
        let proxy: IpAddr = [10, 0, 0, 1].into();
        let seen = |peer: [u8; 4], forwarded: &str, trusted: Option<IpAddr>| {
            let request = TestRequest::get().peer_addr((peer, 4000).into());
            let request = request.insert_header(("x-forwarded-for", forwarded)).to_http_request();
            client_address(&request, trusted).unwrap().to_string()
        };
        assert_eq!(seen([10, 0, 0, 1], "1.2.3.4, 203.0.113.7", Some(proxy)), "203.0.113.7");
        assert_eq!(seen([10, 0, 0, 1], "2001:db8::1", Some(proxy)), "2001:db8::1");
        assert_eq!(seen([10, 0, 0, 1], "nonsense", Some(proxy)), "10.0.0.1");
        assert_eq!(seen([10, 0, 0, 2], "203.0.113.7", Some(proxy)), "10.0.0.2", "not the proxy");
        assert_eq!(seen([10, 0, 0, 1], "203.0.113.7", None), "10.0.0.1", "none is trusted");
    }
}
