//! Enabling devices that show codes: an app with a QR code, or a token with a serial number (R13..R29).

use std::sync::Arc;

use askama::Template;
use data_encoding::BASE64;

use super::super::factor::{pair, typed_pair};
use super::super::frame::{Choice, Field, Flash, FormPage, Frame};
use super::super::problem::{Problem, explained};
use super::super::sessions::{Leftover, Wizard};
use super::super::visit::{Answer, Signed, Visit};
use super::super::words;
use super::{Subject, clear_unused, enabled, may_delete, policy, replaced, replacing};
use crate::directory::Resource;
use crate::engine::{Ack, Code, DeviceName, Path, Proof, Serial};

#[derive(Template)]
#[template(path = "virtual.html")]
struct VirtualPage {
    frame: Frame,
    name: String,
    /// A picture in PNG, in base64.
    qr: String,
    secret: String,
    action: String,
    pair: Vec<Field>,
    cancel: String,
}

const NAME_HINT: &str = "Letters, digits and _+=,.@- such as lee-phone.";

/// Step 1 of an app: its name, where people choose one (R21).
pub(super) async fn name(visit: &mut Visit<'_>, signed: &Signed, subject: &Subject) -> Result<Answer, Problem> {
    let here = format!("{}/add/virtual", subject.base);
    if visit.post {
        return create(visit, signed, subject, &here).await;
    }
    let replaces = replaced(visit, subject);
    let ask = words::devices_have_names(policy(visit, subject));
    let leftover = visit.query.get("leftover").is_some();
    let frame = visit.frame_of(signed, "Set up virtual MFA device", subject.here);
    let mut page = FormPage::new(frame, &here, "Show QR code", &subject.home).steps(1, 2).lead(
        "Install an authenticator app on the phone, such as Aegis, FreeOTP, Google Authenticator or 2FAS. On the next page \
         it scans a QR code.",
    );
    if let Some(old) = replaces {
        page = page.hide("replaces", old.to_string());
    }
    if ask {
        page = page.field(Field::text("name", "Device name").hint(NAME_HINT).length_max(128));
    } else {
        let name = words::classic_device_name(&subject.user);
        page = page.lead(format!("The device will be named {name}."));
    }
    if leftover {
        let choice = Choice::new("leftover", "There is an unused device of this name", "keep")
            .option("keep", "Leave it alone", "Somebody may be setting it up at this moment.")
            .option("delete", "Delete it and go on", "It is left over from an earlier try.");
        page = page.choice(choice);
    }
    visit.show(&page)
}

/// Makes the device. What an earlier run of this very session has left over makes room; nothing else does (A28).
async fn create(visit: &mut Visit<'_>, signed: &Signed, subject: &Subject, here: &str) -> Result<Answer, Problem> {
    let (typed, replaces) = (visit.field("name").to_owned(), replaced(visit, subject));
    let here = &*replacing(here, replaces.as_ref());
    let name = if words::devices_have_names(policy(visit, subject)) {
        typed.clone()
    } else {
        words::classic_device_name(&subject.user)
    };
    let name = match DeviceName::new(name) {
        Ok(name) => name,
        Err(error) => {
            let flash = Flash::bad(format!("{}.", capital(&error.to_string()))).at("name").keep("name", &typed);
            return visit.tell(here, &flash);
        }
    };
    let (engine, account) = (&visit.console.engine, subject.user.id.account());
    let request = || visit.request(signed.caller());
    let serial = Serial::of_virtual(account, &Path::root(), &name).map_err(|_| Problem::Malformed)?;
    if !visit.may(signed, "iam:CreateVirtualMFADevice", &Resource::Device(serial.to_string())).await? {
        return Err(Problem::Forbidden("You may not create a virtual device of this name.".to_owned()));
    }
    if let Some(wizard) = &signed.session.wizard {
        if wizard.left.serial == serial && wizard.of == subject.user.id && wizard.device.is_some() {
            let again = Wizard { replaces: replaces.clone(), ..wizard.clone() };
            visit.console.sessions.leave(request(), &signed.session.key, Some(again)).await?;
            return visit.see(&format!("{}/add/virtual/codes", subject.base));
        }
        visit.console.sessions.abandon(&signed.session.key);
        visit.console.clear_away().await;
    }
    if visit.field("leftover") == "delete" && may_delete(visit, signed, &serial).await? {
        explained(engine.delete_virtual_device(request(), account, &serial).await, visit.now)?.ok();
    }
    let wizard = |left, device| Wizard { left, of: subject.user.id.clone(), replaces: replaces.clone(), device };
    // First said and then done, so that no crash in between leaves a device to nobody (R61).
    let left = Leftover::to_be_made(serial.clone(), engine.now());
    visit.console.sessions.leave(request(), &signed.session.key, Some(wizard(left, None))).await?;
    let made = engine.create_virtual_device(request(), account, Path::root(), name).await;
    let made = match explained(made, visit.now)? {
        Ok(ack) => ack,
        Err(text) => {
            visit.console.sessions.leave(request(), &signed.session.key, None).await?;
            let unused = engine.device(&serial).is_some_and(|device| device.owner.is_none());
            let offer = unused && may_delete(visit, signed, &serial).await?;
            let mark = if here.contains('?') { '&' } else { '?' };
            let to = if offer { format!("{here}{mark}leftover=1") } else { here.to_owned() };
            return visit.tell(&to, &Flash::bad(text).at("name").keep("name", &typed));
        }
    };
    let created_at = engine.device(&serial).map_or(made.at, |device| device.created_at);
    let wizard = wizard(Leftover::made(serial, created_at), Some(Arc::new(made.value)));
    visit.console.sessions.leave(request(), &signed.session.key, Some(wizard)).await?;
    visit.see(&format!("{}/add/virtual/codes", subject.base))
}

/// Step 2 of an app: the QR code, and two codes.
pub(super) async fn codes(visit: &mut Visit<'_>, signed: &Signed, subject: &Subject) -> Result<Answer, Problem> {
    let here = format!("{}/add/virtual/codes", subject.base);
    let begin = format!("{}/add/virtual", subject.base);
    let wizard = signed.session.wizard.clone().filter(|wizard| wizard.of == subject.user.id);
    let Some((wizard, device)) = wizard.and_then(|wizard| Some((wizard.clone(), wizard.device?))) else {
        return visit.tell(&begin, &Flash::warn("Begin here: no device is being set up in this session."));
    };
    let serial = &wizard.left.serial;
    if visit.post {
        return match prove(visit, signed, subject, serial, wizard.replaces.as_ref()).await? {
            Ok(flash) => {
                let request = visit.request(signed.caller());
                visit.console.sessions.leave(request, &signed.session.key, None).await?;
                visit.tell(&subject.home, &flash)
            }
            Err(flash) => visit.tell(&here, &flash),
        };
    }
    let qr = BASE64.encode(&device.qr_png()?);
    let secret = words::grouped(&device.base32());
    let frame = visit.frame_of(signed, "Set up virtual MFA device", subject.here);
    let pair = pair(&frame);
    let (name, cancel) = (words::device_name(serial), subject.home.clone());
    visit.show(&VirtualPage { frame, name, qr, secret, action: here, pair, cancel })
}

/// A token: its serial number, and two codes (R27).
pub(super) async fn hardware(visit: &mut Visit<'_>, signed: &Signed, subject: &Subject) -> Result<Answer, Problem> {
    let here = format!("{}/add/hardware", subject.base);
    let replaces = replaced(visit, subject);
    if visit.post {
        let typed = visit.field("serial").to_owned();
        let back = replacing(&here, replaces.as_ref());
        let Ok(serial) = Serial::new(typed.clone()) else {
            let flash = Flash::bad("A serial number has at least 9 letters and digits, such as GAHT12345678.");
            return visit.tell(&back, &flash.at("serial").keep("serial", &typed));
        };
        return match prove(visit, signed, subject, &serial, replaces.as_ref()).await? {
            Ok(flash) => visit.tell(&subject.home, &flash),
            Err(flash) if flash.field.is_empty() => visit.tell(&back, &flash.at("serial").keep("serial", &typed)),
            Err(flash) => visit.tell(&back, &flash.keep("serial", &typed)),
        };
    }
    let frame = visit.frame_of(signed, "Set up hardware MFA device", subject.here);
    let serial =
        Field::text("serial", "Serial number").hint("Usually on the back of the device, such as GAHT12345678.");
    let first =
        Field::code("code1", "MFA code 1").hint("The code that the device shows. You may have to press its button.");
    let second = Field::code("code2", "MFA code 2").hint("The code after it, about half a minute later.");
    let mut page = FormPage::new(frame, &here, "Assign MFA", &subject.home).field(serial).field(first).field(second);
    if let Some(old) = replaces {
        page = page.hide("replaces", old.to_string());
    }
    visit.show(&page)
}

/// Enables a device by two codes, in the place of another one where that is wanted.
async fn prove(
    visit: &mut Visit<'_>,
    signed: &Signed,
    subject: &Subject,
    serial: &Serial,
    replaces: Option<&Serial>,
) -> Result<Result<Flash, Flash>, Problem> {
    let (first, second): (Code, Code) = match typed_pair(visit) {
        Ok(pair) => pair,
        Err(field) => return Ok(Err(Flash::bad(words::CODE_FORM).at(field))),
    };
    let (engine, id) = (&visit.console.engine, &subject.user.id);
    let request = visit.request(signed.caller());
    let result = match replaces {
        Some(old) => engine.rotate(request, id, old, serial, first, second).await,
        None => engine.enable(request, id, serial, first, second).await,
    };
    Ok(match explained(result, visit.now)? {
        Ok(Ack { value: Proof::Accepted, .. }) => {
            let rest = clear_unused(visit, signed, subject, replaces).await?;
            let mut flash = enabled(visit, subject, serial);
            if !rest.is_empty() {
                flash.text.push_str(&rest.replacen(" It", " The old device", 1));
            }
            Ok(flash)
        }
        Ok(_) => Err(Flash::bad(words::PAIR_REFUSED).at("code1")),
        Err(text) => Err(Flash::bad(text)),
    })
}

/// A sentence of the engine as it begins on a page.
pub(super) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
