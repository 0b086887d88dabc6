//! Bringing a device back into sync, and taking it away (R68..R72, R109..R117).

use super::super::factor::typed_pair;
use super::super::frame::{Choice, Field, Flash, FormPage};
use super::super::problem::{Problem, explained};
use super::super::visit::{Answer, Signed, Visit};
use super::super::words;
use super::add::encoded;
use super::{Subject, clear_unused, needs_mfa};
use crate::engine::{Ack, DeactivateReason, DeviceKind, DeviceView, Proof};

/// The principal's device that the form or the address names.
fn device(visit: &Visit<'_>, subject: &Subject) -> Option<DeviceView> {
    let from = if visit.post { &visit.form } else { &visit.query };
    let serial = from.get("serial")?;
    visit.console.engine.devices(&subject.user.id).into_iter().find(|device| device.serial.as_str() == serial)
}

/// What is said when the device is not there any more.
fn gone(visit: &mut Visit<'_>, subject: &Subject) -> Result<Answer, Problem> {
    visit.tell(&subject.home, &Flash::warn("This device is not enabled any more."))
}

/// Two consecutive codes bring a device back into sync. It needs no second factor (R112).
pub(super) async fn resync(visit: &mut Visit<'_>, signed: &Signed, subject: &Subject) -> Result<Answer, Problem> {
    let Some(device) = device(visit, subject).filter(|device| device.kind.is_totp()) else {
        return gone(visit, subject);
    };
    let action = format!("{}/resync", subject.base);
    let back = format!("{action}?serial={}", encoded(device.serial.as_str()));
    if visit.post {
        let (first, second) = match typed_pair(visit) {
            Ok(pair) => pair,
            Err(field) => return visit.tell(&back, &Flash::bad(words::CODE_FORM).at(field)),
        };
        let request = visit.request(signed.caller());
        let result = visit.console.engine.resync(request, &subject.user.id, &device.serial, first, second).await;
        return match explained(result, visit.now)? {
            Ok(Ack { value: Proof::Accepted, .. }) => visit.tell(
                &subject.home,
                &Flash::good("The device is in sync again. Sign in with the code after these two."),
            ),
            Ok(_) => visit.tell(&back, &Flash::bad(words::PAIR_REFUSED).at("code1")),
            Err(text) => visit.tell(&back, &Flash::bad(text)),
        };
    }
    let frame = visit.frame_of(signed, "Resync MFA device", subject.here);
    let page = FormPage::new(frame, &action, "Resync", &subject.home)
        .lead(format!(
            "The clock of {} may have drifted from ours. Type two codes that it shows one after the other.",
            words::device(&device)
        ))
        .hide("serial", device.serial.to_string())
        .field(Field::code("code1", "MFA code 1"))
        .field(Field::code("code2", "MFA code 2").hint("The code after it, about half a minute later."));
    visit.show(&page)
}

/// Takes a device away, after a question.
pub(super) async fn remove(visit: &mut Visit<'_>, signed: &Signed, subject: &Subject) -> Result<Answer, Problem> {
    let Some(device) = device(visit, subject) else { return gone(visit, subject) };
    if needs_mfa(visit, signed, subject) {
        return visit.tell(&subject.home, &Flash::bad("Sign in again with MFA to remove your device."));
    }
    if visit.post {
        return deactivate(visit, signed, subject, &device).await;
    }
    let name = words::device(&device);
    let frame = visit.frame_of(signed, "Remove MFA device", subject.here);
    let last = visit.console.engine.devices(&subject.user.id).len() == 1;
    let after = match (subject.own, last) {
        (true, true) => "You then sign in with your password alone, until you add another one.",
        (false, true) => "The user then signs in with the password alone, until another one is added.",
        (_, false) => "The other devices go on working.",
    };
    let fate = match device.kind {
        DeviceKind::VirtualTotp => "Its secret key is destroyed: to use the app again, scan a new QR code.",
        DeviceKind::HardwareTotp => "The token goes back to the inventory and can be assigned again.",
        DeviceKind::SecurityKey => "The key can be registered again.",
        DeviceKind::Sms => "No more codes are sent to it.",
    };
    let reason = Choice::new("reason", "Why?", "requested")
        .option("requested", "It is not needed any more", "")
        .option("lost", "It is lost, stolen or broken", "If it was stolen, change the password as well.")
        .option("replaced", "Another one takes its place", "");
    let mut page = FormPage::new(frame, &format!("{}/remove", subject.base), "Remove", &subject.home)
        .lead(format!("{name} stops working at once. {after}"))
        .lead(fate)
        .hide("serial", device.serial.to_string())
        .choice(reason);
    page.danger = true;
    visit.show(&page)
}

async fn deactivate(
    visit: &mut Visit<'_>,
    signed: &Signed,
    subject: &Subject,
    device: &DeviceView,
) -> Result<Answer, Problem> {
    let reason = match visit.field("reason") {
        "lost" => DeactivateReason::Lost,
        "replaced" => DeactivateReason::Replaced,
        _ => DeactivateReason::Requested,
    };
    let (engine, id) = (&visit.console.engine, &subject.user.id);
    let request = visit.request(signed.caller());
    if let Err(text) = explained(engine.deactivate(request, id, &device.serial, reason).await, visit.now)? {
        return visit.tell(&subject.home, &Flash::bad(text));
    }
    let rest = clear_unused(visit, signed, subject, Some(&device.serial)).await?;
    let text = format!("{} is removed.{rest}", words::device(device));
    visit.tell(&subject.home, &Flash::good(text))
}
