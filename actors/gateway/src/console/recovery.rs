//! Root's way back in when its device is lost: e-mail and phone, in one sign-in (R130, A22, A23).
//!
//! The link of the mail is opened from elsewhere, and a browser then keeps our cookies to itself: the page that it
//! opens needs none, and leads on from there. Nothing is confirmed before a form is sent, so that software that
//! looks into mail for people confirms nothing either.

use askama::Template;

use super::attempt::{Attempt, Sending};
use super::contact;
use super::factor::who;
use super::frame::{Field, Flash, Frame};
use super::problem::{Problem, explained};
use super::route::RecoveryPage;
use super::sign_in::enter;
use super::visit::{Answer, Visit};
use super::words;
use crate::directory::RootContact;
use crate::engine::{Ack, Caller, PhoneNumber, Proof, Request, SignInStep};

const HERE: &str = "/console/recovery";
const TITLE: &str = "Sign in using alternative factors";
/// The longest code that is looked at, in characters: spaces and all.
const CODE_CHARS_MAX: u16 = 64;
const CODE_LABEL: &str = "Code from the e-mail";

#[derive(Template)]
#[template(path = "recovery.html")]
struct Steps {
    frame: Frame,
    who: String,
    step: u8,
    /// Whether there is an address and a number to reach root at.
    ready: bool,
    email: String,
    phone: String,
    mail_sent: bool,
    digits: String,
    warning: String,
    field: Field,
}

#[derive(Template)]
#[template(path = "mail_link.html")]
struct MailLink {
    frame: Frame,
    code: String,
    lost: bool,
}

#[derive(Template)]
#[template(path = "mail_code.html")]
struct MailCode {
    frame: Frame,
    who: String,
    field: Field,
}

/// Shows where the way back in stands, or takes a step of it.
pub(super) async fn page(visit: &mut Visit<'_>, page: RecoveryPage) -> Result<Answer, Problem> {
    if page == RecoveryPage::Mail && !visit.post && !visit.has_attempt() {
        return mail_link(visit);
    }
    let (attempt, token) = visit.attempt().await?;
    if attempt.of_associate || !visit.console.engine.recovery_allowed(&attempt.principal) {
        // There it says what can be done instead.
        return visit.see("/console/mfa/help");
    }
    match page {
        RecoveryPage::Steps => steps(visit, &attempt, token).await,
        RecoveryPage::SendMail => send_mail(visit, attempt).await,
        RecoveryPage::Mail if visit.post => confirm_mail(visit, &attempt).await,
        RecoveryPage::Mail => mail_code(visit, &attempt, token),
        RecoveryPage::Call => call(visit, attempt).await,
        RecoveryPage::Finish => finish(visit, attempt).await,
    }
}

/// Where root is reached; nowhere, where the directory does not know.
async fn reached(visit: &Visit<'_>, attempt: &Attempt) -> Result<(Option<String>, Option<PhoneNumber>), Problem> {
    let contact = contact::of(visit, attempt.principal.account()).await?;
    let Some(RootContact { email, phone }) = contact else { return Ok((None, None)) };
    Ok((Some(email), phone.and_then(|phone| PhoneNumber::parse(&phone).ok())))
}

fn at_the_door(visit: &Visit<'_>, attempt: &Attempt) -> Request {
    visit.request(Caller::at_console(attempt.principal.clone(), None))
}

async fn steps(visit: &mut Visit<'_>, attempt: &Attempt, token: String) -> Result<Answer, Problem> {
    let engine = &visit.console.engine;
    let progress = engine.recovery_progress(&attempt.principal, attempt.id).await?.ok_or(Problem::AttemptOver)?;
    let (email, phone) = reached(visit, attempt).await?;
    let step = match (progress.mail, progress.phone) {
        (false, _) => 1,
        (true, false) => 2,
        (true, true) => 3,
    };
    let sending = if step == 1 { attempt.mail } else { attempt.call.as_ref().map(|(sending, _)| *sending) };
    let warning = match sending {
        Some(Sending::NotConfigured) => words::NO_TRANSPORT,
        Some(Sending::Failed) if step == 1 => "The e-mail could not be sent. Try again in a moment.",
        Some(Sending::Failed) if step == 2 => "The call could not be made. Try again in a moment.",
        _ => "",
    };
    let digits = match &attempt.call {
        Some((Sending::Sent, digits)) => format!("{} {}", &digits[..3], &digits[3..]),
        _ => String::new(),
    };
    let who = who(visit, &attempt.principal);
    let frame = visit.frame(TITLE, token);
    let mail_sent = attempt.mail == Some(Sending::Sent);
    let field = Field::text("code", CODE_LABEL).length_max(CODE_CHARS_MAX);
    // A message that belongs to a field stands at the top where the field is not shown.
    let field = if step == 1 && mail_sent { field.after(&frame) } else { field };
    visit.show(&Steps {
        who,
        step,
        ready: email.is_some() && phone.is_some(),
        email: email.as_deref().map(words::masked_email).unwrap_or_default(),
        phone: phone.map(|phone| phone.to_string()).unwrap_or_default(),
        mail_sent,
        digits,
        warning: if step < 3 { warning.to_owned() } else { String::new() },
        field,
        frame,
    })
}

async fn send_mail(visit: &mut Visit<'_>, mut attempt: Attempt) -> Result<Answer, Problem> {
    let (Some(email), Some(_)) = reached(visit, &attempt).await? else { return visit.see(HERE) };
    let request = at_the_door(visit, &attempt);
    let engine = &visit.console.engine;
    let result = engine.send_recovery_mail(request, &attempt.principal, attempt.id, &email).await;
    let sent = match explained(result, visit.now)? {
        Ok(ack) => ack.value,
        Err(text) => return visit.tell(HERE, &Flash::bad(text)),
    };
    attempt.mail = Some(Sending::of(sent.delivered));
    visit.keep_attempt(&attempt)?;
    visit.see(HERE)
}

/// The page that the link of the mail opens from elsewhere.
fn mail_link(visit: &mut Visit<'_>) -> Result<Answer, Problem> {
    let code = visit.query.get("code").unwrap_or_default().to_owned();
    let lost = visit.query.get("again").is_some();
    let frame = visit.bare_frame("Confirm your e-mail address");
    visit.show(&MailLink { frame, code, lost })
}

/// The same in the browser that asked for it.
fn mail_code(visit: &mut Visit<'_>, attempt: &Attempt, token: String) -> Result<Answer, Problem> {
    let code = visit.query.get("code").unwrap_or_default().to_owned();
    let who = who(visit, &attempt.principal);
    let frame = visit.frame("Confirm your e-mail address", token);
    let field = Field::text("code", CODE_LABEL).length_max(CODE_CHARS_MAX).value(code).after(&frame);
    visit.show(&MailCode { frame, who, field })
}

async fn confirm_mail(visit: &mut Visit<'_>, attempt: &Attempt) -> Result<Answer, Problem> {
    let typed = visit.field("code").to_lowercase();
    let code: zeroize::Zeroizing<String> =
        zeroize::Zeroizing::new(typed.chars().filter(|c| !c.is_whitespace()).collect());
    let request = at_the_door(visit, attempt);
    let engine = &visit.console.engine;
    let result = engine.confirm_recovery_mail(request, &attempt.principal, attempt.id, &code).await;
    match explained(result, visit.now)? {
        Ok(Ack { value: Proof::Accepted, .. }) => visit.tell(HERE, &Flash::good("Your e-mail address is confirmed.")),
        Ok(_) => {
            visit.tell(HERE, &Flash::bad("That code was not accepted. Type the code of the newest e-mail.").at("code"))
        }
        Err(_) => visit.tell(HERE, &Flash::bad("That code is not good any more. Resend the e-mail.").at("code")),
    }
}

async fn call(visit: &mut Visit<'_>, mut attempt: Attempt) -> Result<Answer, Problem> {
    let (_, Some(phone)) = reached(visit, &attempt).await? else { return visit.see(HERE) };
    let request = at_the_door(visit, &attempt);
    let engine = &visit.console.engine;
    let result = engine.call_recovery_phone(request, &attempt.principal, attempt.id, &phone).await;
    let call = match explained(result, visit.now)? {
        Ok(ack) => ack.value,
        Err(text) => return visit.tell(HERE, &Flash::bad(text)),
    };
    attempt.call = Some((Sending::of(call.delivered), call.show.expose().to_owned()));
    visit.keep_attempt(&attempt)?;
    visit.see(HERE)
}

async fn finish(visit: &mut Visit<'_>, attempt: Attempt) -> Result<Answer, Problem> {
    let request = at_the_door(visit, &attempt);
    let engine = &visit.console.engine;
    let result = engine.finish_recovery(request, &attempt.principal, attempt.id).await;
    match explained(result, visit.now)? {
        Ok(Ack { value: SignInStep::SignedIn(done), .. }) => enter(visit, attempt.entrant(), done.credential()).await,
        Ok(_) | Err(_) => visit.tell(HERE, &Flash::bad("Not both of them are confirmed yet.")),
    }
}
