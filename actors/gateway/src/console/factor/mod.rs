//! The second page of a sign-in: the second factor, in the form that the device wants (R99..R107).

mod answers;

pub(super) use answers::{typed_code, typed_pair};

use askama::Template;

use super::attempt::{Attempt, Method, methods};
use super::cookies::Cookie;
use super::frame::{Field, Flash, Frame};
use super::problem::Problem;
use super::route::FactorPage;
use super::sign_in::door;
use super::visit::{Answer, Visit};
use super::words;
use crate::engine::{DeviceKind, DeviceView, FactorOf, KeyForm, PrincipalId};

pub(super) const HERE: &str = "/console/mfa";
const TITLE: &str = "Sign in using MFA";
const METHODS: &str = "/console/mfa/methods";

/// Shows a part of the page, or takes an answer.
pub(super) async fn page(visit: &mut Visit<'_>, page: FactorPage) -> Result<Answer, Problem> {
    let (attempt, token) = visit.attempt().await?;
    if page != FactorPage::Cancel && devices(visit, &attempt).is_empty() {
        // The last device went away meanwhile: the password alone is asked for now (R129).
        visit.clear(Cookie::Attempt);
        return visit.tell(door(&attempt.principal), &Flash::warn("Your MFA device was removed. Sign in again."));
    }
    match page {
        FactorPage::Ask => ask(visit, &attempt, token),
        FactorPage::Help => help(visit, &attempt, token),
        FactorPage::Methods if visit.post => answers::choose(visit, attempt).await,
        FactorPage::Methods => choices(visit, &attempt, token),
        FactorPage::Code => answers::code(visit, attempt).await,
        FactorPage::Key => answers::key(visit, attempt).await,
        FactorPage::OfferKey => answers::offer_again(visit, attempt).await,
        FactorPage::Send => answers::send_again(visit, attempt).await,
        FactorPage::Resync => answers::resync(visit, &attempt).await,
        FactorPage::Cancel => {
            visit.clear(Cookie::Attempt);
            visit.see(door(&attempt.principal))
        }
    }
}

/// Where a sign-in goes on after the password: with one way there is nothing to choose.
pub(super) async fn begin(visit: &mut Visit<'_>, mut attempt: Attempt) -> Result<Answer, Problem> {
    let devices = devices(visit, &attempt);
    let cannot = match &methods(&devices)[..] {
        [only] => answers::take(visit, &mut attempt, only, &devices).await?,
        _ => None,
    };
    onto(visit, &attempt, cannot)
}

/// On to the second page, with what there is to say about a code that cannot be sent now.
fn onto(visit: &mut Visit<'_>, attempt: &Attempt, cannot: Option<String>) -> Result<Answer, Problem> {
    if let Some(text) = cannot {
        return back(visit, attempt, &Flash::warn(text));
    }
    visit.keep_attempt(attempt)?;
    visit.see(HERE)
}

/// The devices that are asked for now.
fn devices(visit: &Visit<'_>, attempt: &Attempt) -> Vec<DeviceView> {
    visit.console.engine.sign_in_factors(&attempt.principal, attempt.of())
}

// ---- what the pages show ----

#[derive(Template)]
#[template(path = "code.html")]
struct CodePage {
    frame: Frame,
    kicker: &'static str,
    who: String,
    instruction: String,
    warning: String,
    field: Field,
    sms: bool,
    resync: bool,
    pair: Vec<Field>,
    others: bool,
}

#[derive(Template)]
#[template(path = "tap.html")]
struct TapPage {
    frame: Frame,
    kicker: &'static str,
    who: String,
    tap: Tap,
    others: bool,
}

/// What the browser is to ask a security key.
pub(super) struct Tap {
    /// `get` or `create`.
    pub(super) ceremony: &'static str,
    pub(super) instruction: &'static str,
    pub(super) button: &'static str,
    /// Options of the browser, in JSON; empty when they have to be asked for again.
    pub(super) options: String,
    pub(super) action: String,
    /// Where they are asked for again.
    pub(super) offer: String,
    /// Where keys work, when they do not work here.
    pub(super) elsewhere: Option<String>,
}

#[derive(Template)]
#[template(path = "methods.html")]
struct MethodsPage {
    frame: Frame,
    kicker: &'static str,
    who: String,
    choices: Vec<MethodChoice>,
    others: bool,
}

struct MethodChoice {
    number: usize,
    kind: &'static str,
    label: String,
}

#[derive(Template)]
#[template(path = "help.html")]
struct HelpPage {
    frame: Frame,
    who: String,
    root: bool,
    others: bool,
    recovery: bool,
    pair: Vec<Field>,
}

const fn kicker(attempt: &Attempt) -> &'static str {
    match (attempt.two_codes, attempt.of_associate) {
        (false, _) => "",
        (true, true) => "First of two codes",
        (true, false) => "Second of two codes",
    }
}

/// Who is signing in.
pub(super) fn who(visit: &Visit<'_>, principal: &PrincipalId) -> String {
    let engine = &visit.console.engine;
    let account = words::account(engine, principal.account());
    match engine.principal(principal) {
        Some(user) if !user.id.is_root() => format!("{} in account {account}", user.name),
        _ => format!("root user of account {account}"),
    }
}

fn ask(visit: &mut Visit<'_>, attempt: &Attempt, token: String) -> Result<Answer, Problem> {
    let devices = devices(visit, attempt);
    let ways = methods(&devices);
    let Some(method) = attempt.method.as_ref().filter(|method| ways.contains(method)) else {
        return choices(visit, attempt, token);
    };
    let others = ways.len() > 1;
    let serial = match method {
        Method::Key(form) => return tap(visit, attempt, token, *form, others),
        Method::Code(serial) | Method::Sms(serial) => serial,
    };
    let device = devices.iter().find(|device| device.serial == *serial).ok_or(Problem::AttemptOver)?;
    let (instruction, warning) = told(visit, attempt, device);
    let who = who(visit, &attempt.principal);
    let frame = visit.frame(TITLE, token);
    let field = Field::code("code", "MFA code").after(&frame).first(&frame);
    // R102, R113: after refused codes; the linked root user's device is resynced at its own sign-in.
    let resync = device.kind.is_totp() && device.wants_resync && attempt.refused > 0 && !attempt.of_associate;
    visit.show(&CodePage {
        kicker: kicker(attempt),
        who,
        instruction,
        warning,
        field,
        sms: device.kind == DeviceKind::Sms,
        resync,
        pair: if resync { pair(&frame) } else { Vec::new() },
        others,
        frame,
    })
}

/// The two fields of a resync.
pub(super) fn pair(frame: &Frame) -> Vec<Field> {
    let first = Field::code("code1", "MFA code 1").after(frame);
    vec![first, Field::code("code2", "MFA code 2").after(frame)]
}

/// What is asked for, and what went wrong in sending.
fn told(visit: &Visit<'_>, attempt: &Attempt, device: &DeviceView) -> (String, String) {
    let name = words::device(device);
    if attempt.of_associate {
        let account = device.owner.as_ref().map_or_else(String::new, |owner| owner.account().to_string());
        let text = format!(
            "The root user of account {account} has the same e-mail address as you. Type the code that its device \
             {name} shows; your own is asked for next."
        );
        return (text, String::new());
    }
    match device.kind {
        DeviceKind::HardwareTotp => (format!("Type the code that your hardware device {name} shows."), String::new()),
        DeviceKind::Sms => told_of_sms(visit, attempt, &name),
        _ => (format!("Open your authenticator app and type the code that it shows for {name}."), String::new()),
    }
}

fn told_of_sms(visit: &Visit<'_>, attempt: &Attempt, name: &str) -> (String, String) {
    let Some(sent) = &attempt.sent else {
        return (format!("Ask for a code, which is sent to {name}, and type it here."), String::new());
    };
    if let Some(progress) = &sent.progress {
        let (text, warning) = words::sms(progress.state(&visit.console.engine), &sent.to);
        return (text, warning.unwrap_or_default().to_owned());
    }
    let text = format!("A code goes by SMS to {}. Type it here once it has arrived.", sent.to);
    let wait = words::wait(sent.again_at, visit.now);
    let warning = format!(
        "A code was sent for another sign-in moments ago, and is not good for this one. Ask for a new one with Resend Code \
         in {wait}."
    );
    (text, warning)
}

fn tap(
    visit: &mut Visit<'_>,
    attempt: &Attempt,
    token: String,
    form: KeyForm,
    others: bool,
) -> Result<Answer, Problem> {
    let (instruction, button) = match form {
        KeyForm::SecurityKey => {
            ("Insert your security key, press the button below, and touch the key.", "Use the security key")
        }
        KeyForm::Passkey => ("Press the button below, and confirm with your passkey.", "Use the passkey"),
    };
    let tap = Tap {
        ceremony: "get",
        instruction,
        button,
        options: visit.console.offers.of(attempt.challenge),
        action: "/console/mfa/key".to_owned(),
        offer: "/console/mfa/offer".to_owned(),
        elsewhere: visit.keys_work_at(),
    };
    let who = who(visit, &attempt.principal);
    let frame = visit.frame(TITLE, token);
    visit.show(&TapPage { frame, kicker: kicker(attempt), who, tap, others })
}

fn choices(visit: &mut Visit<'_>, attempt: &Attempt, token: String) -> Result<Answer, Problem> {
    let devices = devices(visit, attempt);
    let label = |method: &Method| match method {
        Method::Code(serial) | Method::Sms(serial) => {
            let device = devices.iter().find(|device| device.serial == *serial);
            let kind = match device.map(|device| device.kind) {
                Some(DeviceKind::Sms) => "SMS",
                Some(DeviceKind::HardwareTotp) => "Hardware device",
                _ => "Authenticator app",
            };
            (kind, device.map_or_else(String::new, words::device))
        }
        Method::Key(form) => {
            let of_form = |device: &&DeviceView| device.key.is_some_and(|key| key.form == *form);
            let names: Vec<String> = devices.iter().filter(of_form).map(words::device).collect();
            let kind = if *form == KeyForm::Passkey { "Passkey" } else { "Security key" };
            (kind, names.join(", "))
        }
    };
    let ways = methods(&devices);
    let choices = ways.iter().enumerate().map(|(number, method)| {
        let (kind, label) = label(method);
        MethodChoice { number, kind, label }
    });
    let choices = choices.collect();
    let who = who(visit, &attempt.principal);
    let frame = visit.frame("Choose how to prove that it is you", token);
    visit.show(&MethodsPage { frame, kicker: kicker(attempt), who, choices, others: false })
}

fn help(visit: &mut Visit<'_>, attempt: &Attempt, token: String) -> Result<Answer, Problem> {
    let own = visit.console.engine.sign_in_factors(&attempt.principal, FactorOf::Own);
    let can_resync = resyncable(attempt, &own).is_some();
    let recovery = visit.console.engine.recovery_allowed(&attempt.principal) && !attempt.of_associate;
    let who = who(visit, &attempt.principal);
    let frame = visit.frame("Troubleshoot your authentication device", token);
    let pair = if can_resync { pair(&frame) } else { Vec::new() };
    let others = methods(&devices(visit, attempt)).len() > 1;
    visit.show(&HelpPage { frame, who, root: attempt.principal.is_root(), others, recovery, pair })
}

/// The device that a resync on these pages is about: the chosen one, or the only one that shows codes.
fn resyncable<'a>(attempt: &Attempt, own: &'a [DeviceView]) -> Option<&'a DeviceView> {
    if attempt.of_associate {
        return None;
    }
    if let Some(Method::Code(serial)) = &attempt.method {
        return own.iter().find(|device| device.serial == *serial);
    }
    let mut with_codes = own.iter().filter(|device| device.kind.is_totp());
    let only = with_codes.next()?;
    with_codes.next().is_none().then_some(only)
}

/// A message for the second page.
fn back(visit: &mut Visit<'_>, attempt: &Attempt, flash: &Flash) -> Result<Answer, Problem> {
    visit.keep_attempt(attempt)?;
    visit.tell(HERE, flash)
}
