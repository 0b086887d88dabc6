//! The pages of MFA devices: one's own, and those of a user for administrators.

mod add;
mod key;
mod sms;
mod totp;
mod upkeep;

use askama::Template;
use askama::filters::HtmlSafe;
use serde::{Deserialize, Serialize};

use super::attempt::Progress;
use super::frame::{Flash, Frame, When};
use super::problem::{Problem, explained};
use super::route::{DevicePage, Whose};
use super::visit::{Answer, Signed, Visit, user_of};
use super::words;
use crate::directory::{Access, Resource, arn_of, user_arn};
use crate::engine::{
    ChallengeId, Credential, DeviceKind, DeviceView, KeyForm, Path, Policy, PrincipalId, Serial, UserView,
};

/// Whose devices a page is about.
pub(super) struct Subject {
    pub(super) user: UserView,
    pub(super) own: bool,
    /// Where its pages begin.
    pub(super) base: String,
    /// The page that lists the devices.
    pub(super) home: String,
    /// The part of the console that it belongs to.
    pub(super) here: &'static str,
}

/// An enrolment under way that the engine waits for. It is sealed for one session (NT-22).
#[derive(Clone, Serialize, Deserialize)]
enum Enrolment {
    Key { of: PrincipalId, challenge: ChallengeId, form: KeyForm, replaces: Option<Serial> },
    Sms { of: PrincipalId, phone: String, to: String, progress: Progress },
}

/// Devices as a table (R157).
#[derive(Template)]
#[template(path = "device_table.html")]
pub(super) struct DeviceTable {
    pub(super) rows: Vec<DeviceRow>,
    base: String,
    none: &'static str,
}

impl HtmlSafe for DeviceTable {}

pub(super) struct DeviceRow {
    name: String,
    kind: &'static str,
    serial: String,
    remark: &'static str,
    created: When,
    used: Option<When>,
    out_of_sync: bool,
    suspected_clone: bool,
    locked: bool,
    resync: bool,
    replace: bool,
    remove: bool,
}

#[derive(Template)]
#[template(path = "devices.html")]
struct Devices {
    frame: Frame,
    table: DeviceTable,
    base: String,
    many: bool,
    explain: &'static str,
    recovered: bool,
    needs_mfa: bool,
    may_add: bool,
    full: String,
}

/// Shows a page of devices, or takes what was done on it.
pub(super) async fn page(visit: &mut Visit<'_>, whose: &Whose, page: DevicePage) -> Result<Answer, Problem> {
    let signed = visit.signed_in().await?;
    let action = match page {
        DevicePage::List => "iam:ListMFADevices",
        DevicePage::Resync => "iam:ResyncMFADevice",
        DevicePage::Remove => "iam:DeactivateMFADevice",
        _ => "iam:EnableMFADevice",
    };
    let subject = subject(visit, &signed, whose, action).await?;
    match page {
        DevicePage::List if subject.own => list(visit, &signed, &subject),
        DevicePage::List => visit.see(&subject.home),
        DevicePage::Resync => upkeep::resync(visit, &signed, &subject).await,
        DevicePage::Remove => upkeep::remove(visit, &signed, &subject).await,
        _ => {
            if needs_mfa(visit, &signed, &subject) {
                // R182. The engine refuses it as well.
                return visit.tell(&subject.home, &Flash::bad("Sign in again with MFA to change your devices."));
            }
            enrol(visit, &signed, &subject, page).await
        }
    }
}

async fn enrol(visit: &mut Visit<'_>, signed: &Signed, subject: &Subject, page: DevicePage) -> Result<Answer, Problem> {
    match page {
        DevicePage::Virtual => totp::name(visit, signed, subject).await,
        DevicePage::VirtualCodes => totp::codes(visit, signed, subject).await,
        DevicePage::Hardware => totp::hardware(visit, signed, subject).await,
        DevicePage::Key(form) => key::name(visit, signed, subject, form).await,
        DevicePage::TapKey => key::tap(visit, signed, subject).await,
        DevicePage::Sms => sms::phone(visit, signed, subject).await,
        DevicePage::SmsCode => sms::code(visit, signed, subject).await,
        DevicePage::SmsSend => sms::send_again(visit, signed, subject).await,
        _ => add::page(visit, signed, subject),
    }
}

/// Whose devices they are, when this may be done to them. Leave comes before existence (R56).
pub(super) async fn subject(
    visit: &Visit<'_>,
    signed: &Signed,
    whose: &Whose,
    action: &str,
) -> Result<Subject, Problem> {
    let directory = &visit.console.directory;
    let (user, resource) = match whose {
        Whose::Own => {
            let user = signed.user.clone();
            let resource = Resource::Principal { id: Some(user.id.clone()), arn: arn_of(&user) };
            (Some(user), resource)
        }
        Whose::Of(id) => {
            let id = user_of(signed, id.clone());
            let user = directory.principal(&id).await?;
            let nobody = || user_arn(id.account(), &Path::root(), "");
            let arn = user.as_ref().map_or_else(nobody, arn_of);
            (user, Resource::Principal { id: Some(id), arn })
        }
    };
    match directory.authorize(&signed.identity(), action, &resource).await? {
        Access::Allowed => {}
        Access::Denied if *whose == Whose::Own && !signed.session.credential.has_mfa() => {
            return Err(Problem::Forbidden(
                "This session was opened without your MFA device. Sign out, sign in again with MFA, and then try again."
                    .to_owned(),
            ));
        }
        _ => return Err(Problem::Forbidden("You may not manage these devices.".to_owned())),
    }
    let user = user.ok_or(Problem::NotFound)?;
    Ok(match &user.id {
        PrincipalId::User(_, id) if user.id != signed.user.id => {
            let home = format!("/console/users/{id}");
            Subject { base: format!("{home}/devices"), home, own: false, here: "users", user }
        }
        _ => {
            let home = "/console/devices".to_owned();
            Subject { base: home.clone(), home, own: true, here: "devices", user }
        }
    })
}

/// Whether a session without a second factor stands before devices that it may not change (R182).
fn needs_mfa(visit: &Visit<'_>, signed: &Signed, subject: &Subject) -> bool {
    subject.own && visit.needs_mfa(signed)
}

/// The rules of the account.
fn policy<'a>(visit: &Visit<'a>, subject: &Subject) -> &'a Policy {
    visit.console.engine.policy_of(subject.user.id.account())
}

/// The devices of a principal as a table; `changeable` says whether their places may be changed here.
pub(super) fn table(visit: &Visit<'_>, subject: &Subject, changeable: bool) -> DeviceTable {
    let policy = policy(visit, subject);
    let row = |device: &DeviceView| DeviceRow {
        name: words::device(device),
        kind: words::kind(device, policy),
        serial: device.serial.to_string(),
        remark: words::remark(device, policy),
        created: When::at(device.enabled_at.unwrap_or(device.created_at)),
        used: device.last_used_at.map(When::at),
        out_of_sync: device.wants_resync,
        suspected_clone: device.key.is_some_and(|key| key.suspected_clone),
        locked: device.locked_until.is_some(),
        resync: device.kind.is_totp(),
        replace: changeable && subject.own && policy.atomic_rotation,
        remove: changeable,
    };
    let rows = visit.console.engine.devices(&subject.user.id).iter().map(row).collect();
    let none = if subject.own {
        "No. You sign in with your password alone."
    } else {
        "No. This user signs in with the password alone."
    };
    DeviceTable { rows, base: subject.base.clone(), none }
}

fn list(visit: &mut Visit<'_>, signed: &Signed, subject: &Subject) -> Result<Answer, Problem> {
    let needs_mfa = needs_mfa(visit, signed, subject);
    let table = table(visit, subject, !needs_mfa);
    let policy = policy(visit, subject);
    let max = usize::from(policy.devices_per_principal_max);
    let room = table.rows.len() < max;
    let explain = if policy.atomic_rotation {
        "With a device you are asked for a second factor at each sign-in; any one of your devices is enough. To change \
         to another one, replace it: the old one works until the new one does."
    } else {
        "With a device you are asked for a second factor at each sign-in. You have one at a time: to change to another \
         one, remove it and then add the new one. In between you sign in with your password alone."
    };
    let page = Devices {
        base: subject.base.clone(),
        many: max > 1,
        explain,
        recovered: signed.session.credential == Credential::Recovered,
        needs_mfa,
        may_add: room && !needs_mfa,
        full: if max > 1 { format!("You have {max} devices, as many as you may have.") } else { String::new() },
        table,
        frame: visit.frame_of(signed, "My security credentials", subject.here),
    };
    visit.show(&page)
}

/// The device that a new one replaces, as the form or the address says; only one of the principal's own.
fn replaced(visit: &Visit<'_>, subject: &Subject) -> Option<Serial> {
    let from = if visit.post { &visit.form } else { &visit.query };
    let serial = from.get("replaces").filter(|text| !text.is_empty())?;
    let devices = visit.console.engine.devices(&subject.user.id);
    devices.into_iter().find(|device| device.serial.as_str() == serial).map(|device| device.serial)
}

/// An address that keeps in mind which device is replaced.
fn replacing(path: &str, replaces: Option<&Serial>) -> String {
    match replaces {
        Some(old) => format!("{path}?replaces={}", add::encoded(old.as_str())),
        None => path.to_owned(),
    }
}

/// Deletes a virtual device that was removed or replaced, where the person may: a console leaves no unused entity
/// behind, which would be in the way of the next one (R61). Where the person may not, it stays (R48, R69), and this is
/// said.
async fn clear_unused(
    visit: &Visit<'_>,
    signed: &Signed,
    subject: &Subject,
    old: Option<&Serial>,
) -> Result<&'static str, Problem> {
    let Some(old) = old.filter(|old| old.kind() == DeviceKind::VirtualTotp) else { return Ok("") };
    if !may_delete(visit, signed, old).await? {
        return Ok(" It stays in the account as an unused device, which an administrator can delete.");
    }
    let request = visit.request(signed.caller());
    let gone = visit.console.engine.delete_virtual_device(request, subject.user.id.account(), old).await;
    explained(gone, visit.now)?.ok();
    Ok("")
}

/// Whether the directory lets the person delete a virtual device that is not a wizard's own (R45).
async fn may_delete(visit: &Visit<'_>, signed: &Signed, serial: &Serial) -> Result<bool, Problem> {
    visit.may(signed, "iam:DeleteVirtualMFADevice", &Resource::Device(serial.to_string())).await
}

/// What is said when a device is enabled; with a warning when its codes were late (A1, R84).
fn enabled(visit: &Visit<'_>, subject: &Subject, serial: &Serial) -> Flash {
    let devices = visit.console.engine.devices(&subject.user.id);
    let device = devices.iter().find(|device| device.serial == *serial);
    let window = i64::from(policy(visit, subject).code_window_steps);
    let whose = if subject.own { "your" } else { "the user's" };
    if device.is_some_and(|device| device.offset_steps.abs() > window) {
        return Flash::warn(format!(
            "The device is assigned, but {whose} codes came late, or its clock is far off. If its codes are refused at the \
             next sign-in, resync it with two new codes."
        ));
    }
    Flash::good(if subject.own {
        "Your MFA device is assigned. From the next sign-in on you are asked for it."
    } else {
        "The MFA device is assigned. From the next sign-in on the user is asked for it."
    })
}
