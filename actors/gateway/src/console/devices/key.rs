//! Registering security keys and passkeys (R30..R35, R177).

use askama::Template;

use super::super::cookies::Cookie;
use super::super::factor::Tap;
use super::super::frame::{Field, Flash, FormPage, Frame};
use super::super::problem::{Problem, explained};
use super::super::visit::{Answer, Signed, Visit};
use super::super::words;
use super::totp::capital;
use super::{Enrolment, Subject, clear_unused, policy, replaced, replacing};
use crate::engine::{DeviceName, KeyForm, KeyRefusal, KeyRegistration, Serial};

/// The name that classic consoles gave to every key (R35).
const CLASSIC_NAME: &str = "default";

#[derive(Template)]
#[template(path = "register_key.html")]
struct RegisterKey {
    frame: Frame,
    tap: Tap,
    cancel: String,
}

const fn title(form: KeyForm) -> &'static str {
    match form {
        KeyForm::SecurityKey => "Set up security key",
        KeyForm::Passkey => "Set up passkey",
    }
}

/// Where the steps of a form of key begin.
fn begin(subject: &Subject, form: KeyForm, replaces: Option<&Serial>) -> String {
    let kind = if form == KeyForm::Passkey { "passkey" } else { "key" };
    replacing(&format!("{}/add/{kind}", subject.base), replaces)
}

/// Step 1: its name.
pub(super) async fn name(
    visit: &mut Visit<'_>,
    signed: &Signed,
    subject: &Subject,
    form: KeyForm,
) -> Result<Answer, Problem> {
    if !subject.own {
        return Err(Problem::Forbidden(
            "Security keys are enabled by the users themselves, at their own browser.".to_owned(),
        ));
    }
    if visit.post {
        return challenge(visit, signed, subject, form).await;
    }
    let classic = if words::devices_have_names(policy(visit, subject)) { "" } else { CLASSIC_NAME };
    let replaces = replaced(visit, subject);
    let frame = visit.frame_of(signed, title(form), subject.here);
    let name = Field::text("name", "Device name").hint("To tell it from others, such as blue-key.").length_max(64);
    let action = begin(subject, form, None);
    let mut page = FormPage::new(frame, &action, "Next", &subject.home).steps(1, 2).field(name.value(classic));
    if let Some(old) = replaces {
        page = page.hide("replaces", old.to_string());
    }
    visit.show(&page)
}

async fn challenge(
    visit: &mut Visit<'_>,
    signed: &Signed,
    subject: &Subject,
    form: KeyForm,
) -> Result<Answer, Problem> {
    let (typed, replaces) = (visit.field("name").to_owned(), replaced(visit, subject));
    let here = begin(subject, form, replaces.as_ref());
    let name = match DeviceName::new(typed.clone()) {
        Ok(name) => name,
        Err(error) => {
            let flash = Flash::bad(format!("{}.", capital(&error.to_string()))).at("name").keep("name", &typed);
            return visit.tell(&here, &flash);
        }
    };
    let request = visit.request(signed.caller());
    let engine = &visit.console.engine;
    let begun = engine.begin_key_registration(request, &subject.user.id, name, form, replaces.as_ref()).await;
    let challenge = match explained(begun, visit.now)? {
        Ok(ack) => ack.value,
        Err(text) => return visit.tell(&here, &Flash::bad(text).keep("name", &typed)),
    };
    visit.console.offers.keep(challenge.id, challenge.options);
    let enrolment = Enrolment::Key { of: subject.user.id.clone(), challenge: challenge.id, form, replaces };
    visit.keep_enrolment(signed, &enrolment)?;
    visit.see(&format!("{}/add/key/tap", subject.base))
}

/// Step 2: the browser asks the key.
pub(super) async fn tap(visit: &mut Visit<'_>, signed: &Signed, subject: &Subject) -> Result<Answer, Problem> {
    let pending = match visit.enrolment(signed) {
        Some(Enrolment::Key { of, challenge, form, replaces }) if of == subject.user.id => {
            Some((challenge, form, replaces))
        }
        _ => None,
    };
    let Some((challenge, form, replaces)) = pending else { return visit.see(&format!("{}/add", subject.base)) };
    let first = begin(subject, form, replaces.as_ref());
    if visit.post {
        let response = visit.form.get("response").unwrap_or_default();
        let request = visit.request(signed.caller());
        let engine = &visit.console.engine;
        let finished = engine.finish_key_registration(request, &subject.user.id, challenge, response).await;
        let flash = match explained(finished, visit.now)? {
            Ok(ack) => match ack.value {
                KeyRegistration::Registered(_) => {
                    visit.clear(Cookie::Enrolment);
                    let rest = clear_unused(visit, signed, subject, replaces.as_ref()).await?;
                    let text = format!(
                        "Your key is registered. From the next sign-in on you are asked for it.{}",
                        rest.replacen(" It", " The old device", 1)
                    );
                    return visit.tell(&subject.home, &Flash::good(text));
                }
                KeyRegistration::Refused(refusal) => Flash::bad(refused(refusal)),
            },
            Err(text) => Flash::bad(text),
        };
        return visit.tell(&first, &flash);
    }
    let options = visit.console.offers.of(Some(challenge));
    if options.is_empty() {
        return visit.tell(&first, &Flash::warn("That took too long. Begin again."));
    }
    let (instruction, button) = match form {
        KeyForm::SecurityKey => {
            ("Insert your security key, press the button below, and touch the key.", "Register the key")
        }
        KeyForm::Passkey => ("Press the button below, and let your device create the passkey.", "Create the passkey"),
    };
    let tap = Tap {
        ceremony: "create",
        instruction,
        button,
        options,
        action: format!("{}/add/key/tap", subject.base),
        offer: first,
        elsewhere: visit.keys_work_at(),
    };
    let frame = visit.frame_of(signed, title(form), subject.here);
    visit.show(&RegisterKey { frame, tap, cancel: subject.home.clone() })
}

const fn refused(refusal: KeyRefusal) -> &'static str {
    match refusal {
        KeyRefusal::AlreadyRegistered => "This key is registered already. Use another one.",
        KeyRefusal::NotTrusted => "Keys of this model are not accepted here. Use another one.",
        KeyRefusal::NotAccepted => "The key's answer was not accepted. Try again.",
    }
}
