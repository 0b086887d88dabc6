//! Enrolling a phone for codes by SMS (R118..R126, A15..A17).

use super::super::attempt::Progress;
use super::super::cookies::Cookie;
use super::super::factor::typed_code;
use super::super::frame::{Field, Flash, FormPage};
use super::super::problem::{Problem, explained};
use super::super::visit::{Answer, Signed, Visit};
use super::super::words;
use super::add::{SMS_CHARGES, SMS_ENDING};
use super::{Enrolment, Subject, enabled};
use crate::engine::{Ack, Error, PhoneNumber, Proof, Rejection, Serial, SmsEligibility};

/// An enrolment as it stands.
struct Pending {
    phone: String,
    to: String,
    progress: Progress,
}

fn pending(visit: &Visit<'_>, signed: &Signed, subject: &Subject) -> Option<Pending> {
    match visit.enrolment(signed)? {
        Enrolment::Sms { of, phone, to, progress } if of == subject.user.id => Some(Pending { phone, to, progress }),
        _ => None,
    }
}

/// Whether such a device may be had at all; a page says so if not (R122).
fn offered(visit: &Visit<'_>, subject: &Subject) -> Result<(), Problem> {
    if visit.console.engine.sms_offered(&subject.user.id) {
        return Ok(());
    }
    Err(Problem::Forbidden("An SMS device cannot be enabled here.".to_owned()))
}

/// Step 1: the number.
pub(super) async fn phone(visit: &mut Visit<'_>, signed: &Signed, subject: &Subject) -> Result<Answer, Problem> {
    offered(visit, subject)?;
    let here = format!("{}/add/sms", subject.base);
    if visit.post {
        let typed = visit.field("phone").to_owned();
        let Ok(phone) = PhoneNumber::parse(&typed) else {
            let text = "A phone number begins with + and the country code, such as +1 415 555 1234.";
            return visit.tell(&here, &Flash::bad(text).at("phone").keep("phone", &typed));
        };
        return match send(visit, signed, subject, phone).await? {
            Some(text) => visit.tell(&here, &Flash::bad(text).at("phone").keep("phone", &typed)),
            None => visit.see(&format!("{here}/code")),
        };
    }
    let account = visit.console.engine.account(subject.user.id.account());
    let ending = account.is_some_and(|account| account.settings.sms == SmsEligibility::Ending);
    let frame = visit.frame_of(signed, "Set up SMS MFA device", subject.here);
    let phone = Field::text("phone", "Mobile phone number").kind("tel", "tel").length_max(64);
    let page = FormPage::new(frame, &here, "Send code", &subject.home)
        .steps(1, 2)
        .lead("A code is sent to the phone at once, and at each sign-in from then on.")
        .notice(Some(SMS_CHARGES))
        .notice(ending.then_some(SMS_ENDING))
        .field(phone.hint("With + and the country code, such as +1 415 555 1234."));
    visit.show(&page)
}

/// Sends a code and remembers the enrolment; what there is to say when it may not be sent.
async fn send(
    visit: &mut Visit<'_>,
    signed: &Signed,
    subject: &Subject,
    phone: PhoneNumber,
) -> Result<Option<String>, Problem> {
    let request = visit.request(signed.caller());
    let result = visit.console.engine.begin_sms_enrolment(request, &subject.user.id, phone.clone()).await;
    if let Some(Rejection::TooSoon { again_at }) = result.as_ref().err().and_then(Error::rejection)
        && pending(visit, signed, subject).is_none()
    {
        let wait = words::wait(*again_at, visit.now);
        let text = format!(
            "A phone can be set up in {wait}: after one was removed, or several codes were sent, there is a pause."
        );
        return Ok(Some(text));
    }
    let sent = match explained(result, visit.now)? {
        Ok(ack) => ack.value,
        Err(text) => return Ok(Some(text)),
    };
    let enrolment = Enrolment::Sms {
        of: subject.user.id.clone(),
        phone: phone.e164().to_owned(),
        to: sent.to,
        progress: Progress::new(sent.challenge, sent.state),
    };
    visit.keep_enrolment(signed, &enrolment)?;
    Ok(None)
}

/// Step 2: the code that was sent; one, not two (R119).
pub(super) async fn code(visit: &mut Visit<'_>, signed: &Signed, subject: &Subject) -> Result<Answer, Problem> {
    let begin = format!("{}/add/sms", subject.base);
    let here = format!("{begin}/code");
    let Some(pending) = pending(visit, signed, subject) else {
        return visit.tell(&begin, &Flash::warn("Begin here: no phone is being set up in this session."));
    };
    if visit.post {
        return finish(visit, signed, subject, (&pending, &begin, &here)).await;
    }
    let (mut lead, warning) = words::sms(pending.progress.state(&visit.console.engine), &pending.to);
    if warning.is_none() {
        lead.push_str(" It is good for five minutes.");
    }
    let frame = visit.frame_of(signed, "Set up SMS MFA device", subject.here);
    let mut page = FormPage::new(frame, &here, "Assign MFA", &subject.home).steps(2, 2).lead(lead).notice(warning);
    page = page.field(Field::code("code", "Code from the message"));
    page.also = Some((format!("{begin}/send"), "Resend Code".to_owned()));
    visit.show(&page)
}

async fn finish(
    visit: &mut Visit<'_>,
    signed: &Signed,
    subject: &Subject,
    (pending, begin, here): (&Pending, &str, &str),
) -> Result<Answer, Problem> {
    let Some(code) = typed_code(visit, "code") else {
        return visit.tell(here, &Flash::bad(words::CODE_FORM).at("code"));
    };
    let request = visit.request(signed.caller());
    let id = &subject.user.id;
    let result = visit.console.engine.finish_sms_enrolment(request, id, pending.progress.challenge, code).await;
    match explained(result, visit.now)? {
        Ok(Ack { value: Proof::Accepted, .. }) => {
            visit.clear(Cookie::Enrolment);
            let flash = match Serial::of_sms(id.account(), &subject.user.name) {
                Ok(serial) => enabled(visit, subject, &serial),
                Err(_) => Flash::good("The MFA device is assigned."),
            };
            visit.tell(&subject.home, &flash)
        }
        Ok(_) => visit.tell(here, &Flash::bad(words::SENT_CODE_REFUSED).at("code")),
        Err(text) => visit.tell(begin, &Flash::bad(text)),
    }
}

/// Another code (R118). It makes the one before worthless.
pub(super) async fn send_again(visit: &mut Visit<'_>, signed: &Signed, subject: &Subject) -> Result<Answer, Problem> {
    let begin = format!("{}/add/sms", subject.base);
    let pending = pending(visit, signed, subject);
    let Some(phone) = pending.and_then(|pending| PhoneNumber::parse(&pending.phone).ok()) else {
        return visit.see(&begin);
    };
    let here = format!("{begin}/code");
    match send(visit, signed, subject, phone).await? {
        Some(text) => visit.tell(&here, &Flash::warn(text)),
        None => visit.tell(&here, &Flash::good("Another code was asked for. Earlier ones are not good any more.")),
    }
}
