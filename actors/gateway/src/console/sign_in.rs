//! The first page of a sign-in: a name and a password (R97).
//!
//! A wrong password and a name that nobody has get the same answer for the same work. Nothing of a second factor
//! shows before the password was right (A24).

use askama::Template;

use super::attempt::{Attempt, Entrant};
use super::cookies::Cookie;
use super::factor;
use super::frame::{Field, Flash, Frame};
use super::limits::{Admission, Try};
use super::problem::{Problem, explained};
use super::visit::{Answer, Visit};
use super::words;
use crate::directory::SignInName;
use crate::engine::{AccountId, Caller, Channel, Credential, PrincipalId, SignInStep};
use crate::secret::Secret;

const HERE: &str = "/console/sign-in";
const ROOT: &str = "/console/sign-in/root";
const NAME_REFUSED: &str = "Sign-in failed. Check the name and the password, and try again.";
/// The longest e-mail address of a root user, in characters.
const EMAIL_CHARS_MAX: u16 = 254;
/// The longest name of a user, and of an account, in characters.
const NAME_CHARS_MAX: u16 = 128;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    frame: Frame,
    root: bool,
    fields: Vec<Field>,
}

/// The first page that a principal signs in on (R97).
pub(super) const fn door(principal: &PrincipalId) -> &'static str {
    if principal.is_root() { ROOT } else { HERE }
}

/// Shows the page, or takes what was typed on it.
pub(super) async fn page(visit: &mut Visit<'_>, root: bool) -> Result<Answer, Problem> {
    if visit.post {
        visit.visitor()?;
        return submit(visit, root).await;
    }
    if visit.session().await?.is_some() {
        return visit.see("/console/");
    }
    let token = visit.visitor()?;
    let frame = visit.frame("Sign in", token);
    let password = Field::password("password", "Password", "current-password").length_max(1024);
    let fields = if root {
        let email = Field::text("email", "E-mail address of the root user").kind("email", "username");
        vec![email.length_max(EMAIL_CHARS_MAX), password]
    } else {
        let account = visit.query.get("account").unwrap_or_default();
        let account = Field::text("account", "Account ID or alias").kind("text", "organization").value(account);
        let name = Field::text("user_name", "User name").kind("text", "username");
        vec![account.length_max(NAME_CHARS_MAX), name.length_max(NAME_CHARS_MAX), password]
    };
    let mut fields: Vec<Field> = fields.into_iter().map(|field| field.after(&frame)).collect();
    if let Some(first) = (!fields.is_empty()).then(|| fields.remove(0)) {
        fields.insert(0, first.first(&frame));
    }
    visit.show(&SignInPage { frame, root, fields })
}

/// Who is meant, by what was typed.
struct Typed {
    who: SignInName,
    account: Option<AccountId>,
    tried: Try,
}

fn typed(visit: &Visit<'_>, root: bool) -> Typed {
    if root {
        let email = visit.field("email");
        let tried = Try::new(&["root", email], visit.address);
        return Typed { who: SignInName::Root { email: email.to_owned() }, account: None, tried };
    }
    let (text, name) = (visit.field("account"), visit.field("user_name"));
    let engine = &visit.console.engine;
    let by_number = text.parse().ok().filter(|account| engine.account(*account).is_some());
    let account = by_number.or_else(|| engine.account_of_alias(&text.to_lowercase()));
    // An account has one count for each name, whichever way it is typed (NT-16).
    let number = account.map(|account| account.to_string());
    let tried = Try::new(&["user", number.as_deref().unwrap_or(text), name], visit.address);
    Typed { who: SignInName::User { account, name: name.to_owned() }, account, tried }
}

async fn submit(visit: &mut Visit<'_>, root: bool) -> Result<Answer, Problem> {
    let Typed { who, account, tried } = typed(visit, root);
    let console = visit.console;
    // Counted before it is looked at, so that many at once are no more than one after the other (NT-13).
    let charge = match console.limits.admit(&tried, visit.now) {
        Admission::Admitted(charge) => charge,
        Admission::Refused { until, first } => {
            if first {
                let principal = console.directory.principal_of(&who).await?;
                let account = account.or_else(|| principal.as_ref().map(PrincipalId::account));
                console.engine.record_passwords_locked(at_the_door(visit), account, principal.as_ref()).await?;
            }
            return Err(Problem::TooMany { until });
        }
    };
    let password = Secret::new(visit.form.get("password").unwrap_or_default());
    let verdict = match console.directory.check_password(&who, &password).await {
        Ok(verdict) => verdict,
        Err(error) => {
            // It was not looked at.
            console.limits.forgive(&charge, visit.now);
            return Err(error.into());
        }
    };
    match verdict.principal {
        Some(principal) if verdict.fits => begin(visit, Entrant { principal, password: verdict.version, charge }).await,
        principal => {
            let account = account.or_else(|| principal.as_ref().map(PrincipalId::account));
            console.engine.record_password_refused(at_the_door(visit), account, principal.as_ref()).await?;
            refused(visit, root)
        }
    }
}

/// Nobody yet, at the console.
fn at_the_door(visit: &Visit<'_>) -> crate::engine::Request {
    let credential = Credential::Session { mfa_at: None };
    visit.request(Caller { principal: None, credential, channel: Channel::Console })
}

fn refused(visit: &mut Visit<'_>, root: bool) -> Result<Answer, Problem> {
    // About name and password alike, so at no field of its own.
    let flash = Flash::bad(NAME_REFUSED);
    if root {
        let flash = flash.keep("email", visit.field("email"));
        return visit.tell(ROOT, &flash);
    }
    let flash = flash.keep("account", visit.field("account")).keep("user_name", visit.field("user_name"));
    visit.tell(HERE, &flash)
}

/// The password was right: in, or on to the second page (R97, R98).
async fn begin(visit: &mut Visit<'_>, entrant: Entrant) -> Result<Answer, Problem> {
    visit.principal = Some(entrant.principal.to_string());
    let request = visit.request(Caller::at_console(entrant.principal.clone(), None));
    let begun = visit.console.engine.begin_sign_in(request, &entrant.principal).await;
    let step = match explained(begun, visit.now)? {
        Ok(ack) => ack.value,
        Err(text) => return visit.tell(door(&entrant.principal), &Flash::bad(text)),
    };
    match step {
        SignInStep::SignedIn(done) => enter(visit, entrant, done.credential()).await,
        SignInStep::Wanted { attempt, until, of } => {
            factor::begin(visit, Attempt::new(entrant, attempt, until, of)).await
        }
        SignInStep::Refused(_) => Err(Problem::Busy),
    }
}

/// Opens a session, with a secret that nobody had before, and ends what this browser had (NT-31).
///
/// Should the password have been changed meanwhile, the session is born dead: it stands by the old one.
pub(super) async fn enter(visit: &mut Visit<'_>, entrant: Entrant, credential: Credential) -> Result<Answer, Problem> {
    let Entrant { principal, password, charge } = entrant;
    let request = visit.request(super::at_console(principal.clone(), credential));
    let secret = visit.console.sessions.start(request, &principal, credential, password).await?;
    visit.console.limits.forgive(&charge, visit.now);
    close(visit).await?;
    visit.principal = Some(principal.to_string());
    let_in(visit, secret)
}

/// Gives the browser the secret of a session that is open.
pub(super) fn let_in(visit: &mut Visit<'_>, secret: Secret) -> Result<Answer, Problem> {
    visit.clear(Cookie::Attempt);
    visit.clear(Cookie::Visitor);
    visit.clear(Cookie::Enrolment);
    visit.set(Cookie::Session, secret.expose(), None);
    visit.opened = Some(secret);
    visit.see("/console/")
}

/// Ends the session of this browser, if it has one.
async fn close(visit: &mut Visit<'_>) -> Result<(), Problem> {
    if let Some(session) = visit.session().await? {
        let request = visit.request(super::at_console(session.principal.clone(), session.credential));
        visit.console.sessions.close(request, &session.key).await?;
        visit.console.clear_away().await;
    }
    Ok(())
}

/// Ends the session (or, for who has none, nothing).
pub(super) async fn sign_out(visit: &mut Visit<'_>) -> Result<Answer, Problem> {
    let user = visit.signed_in().await?.user;
    close(visit).await?;
    visit.clear(Cookie::Session);
    visit.clear(Cookie::Enrolment);
    if visit.field("again") != "mfa" {
        return visit.tell(door(&user.id), &Flash::good("You are signed out."));
    }
    // Who comes back at once types the password alone. Root's address is not put anywhere.
    let flash = Flash::good("Sign in with your password and your MFA device.");
    let account = words::account(&visit.console.engine, user.id.account());
    let flash = match user.id {
        PrincipalId::Root(_) => flash,
        PrincipalId::User(..) => flash.keep("account", &account).keep("user_name", user.name.as_str()),
    };
    visit.tell(door(&user.id), &flash)
}
