//! Which kind of device it is to be.

use askama::Template;

use super::super::frame::{Flash, Frame};
use super::super::problem::Problem;
use super::super::visit::{Answer, Signed, Visit};
use super::super::words;
use super::{Subject, policy, replaced, replacing};
use crate::engine::{DeviceKind, KeyForm, SmsEligibility};

/// R124: who has an SMS device pays for it.
pub(super) const SMS_CHARGES: &str = "Your carrier may charge for text messages.";
/// R126, A16.
pub(super) const SMS_ENDING: &str = "Support for SMS devices will soon end here. Choose an authenticator app, a security key or a hardware device instead.";

#[derive(Template)]
#[template(path = "add.html")]
struct Add {
    frame: Frame,
    lead: Vec<String>,
    kinds: Vec<Kind>,
    cancel: String,
}

struct Kind {
    id: &'static str,
    title: &'static str,
    text: &'static str,
    notice: String,
    href: String,
}

pub(super) fn page(visit: &mut Visit<'_>, signed: &Signed, subject: &Subject) -> Result<Answer, Problem> {
    let policy = policy(visit, subject);
    let replaces = replaced(visit, subject).filter(|_| policy.atomic_rotation && subject.own);
    let devices = visit.console.engine.devices(&subject.user.id);
    if replaces.is_none() && devices.len() >= usize::from(policy.devices_per_principal_max) {
        let text = match policy.devices_per_principal_max {
            1 => "There is an MFA device already, and one is the limit. Remove it first, and then add the new one."
                .to_owned(),
            max => format!("There are {max} MFA devices already, which is the limit. Remove one first."),
        };
        return visit.tell(&subject.home, &Flash::warn(text));
    }
    let mut lead = Vec::new();
    if let Some(old) = &replaces {
        let old = words::device_name(old);
        lead.push(format!("The new device takes the place of {old}, which works until the new one is assigned."));
    }
    if !subject.own {
        lead.push(format!("For {}. You need the user's device at hand.", subject.user.name));
    }
    let has_sms = devices.iter().any(|device| device.kind == DeviceKind::Sms);
    let sms = visit.console.engine.sms_offered(&subject.user.id) && !has_sms && replaces.is_none();
    let kinds = kinds(visit, subject, sms);
    let href = |id: &str| replacing(&format!("{}/add/{id}", subject.base), replaces.as_ref());
    let kinds = kinds.into_iter().map(|kind| Kind { href: href(kind.id), ..kind }).collect();
    let frame = visit.frame_of(signed, "Manage MFA device", subject.here);
    visit.show(&Add { frame, lead, kinds, cancel: subject.home.clone() })
}

fn kinds(visit: &Visit<'_>, subject: &Subject, sms: bool) -> Vec<Kind> {
    let policy = policy(visit, subject);
    let kind = |id, title, text| Kind { id, title, text, notice: String::new(), href: String::new() };
    let mut kinds = vec![kind(
        "virtual",
        "Virtual MFA device",
        "An authenticator app on your phone or computer that shows a new code every half minute.",
    )];
    let forms = if subject.own { visit.console.engine.key_forms(&subject.user.id) } else { Vec::new() };
    if forms.contains(&KeyForm::Passkey) {
        let text = "Your phone, your computer or a password manager confirms with your face, your finger or a PIN.";
        kinds.push(kind("passkey", "Passkey", text));
    }
    if forms.contains(&KeyForm::SecurityKey) {
        let title = if policy.passkeys { "Security key" } else { "U2F security key" };
        kinds.push(kind("key", title, "A key such as a YubiKey that you insert and touch."));
    }
    let text = "A token that shows a new code at the press of a button, with a serial number on its back.";
    kinds.push(kind("hardware", "Hardware MFA device", text));
    if sms {
        let account = visit.console.engine.account(subject.user.id.account());
        let ending = account.is_some_and(|account| account.settings.sms == SmsEligibility::Ending);
        let notice = if ending { format!("{SMS_CHARGES} {SMS_ENDING}") } else { SMS_CHARGES.to_owned() };
        let text = "Codes are sent to a mobile phone as text messages.";
        kinds.push(Kind { notice, ..kind("sms", "SMS MFA device", text) });
    }
    kinds
}

/// A value as it stands in an address.
pub(super) fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
