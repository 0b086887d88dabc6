//! The first page of a session: the security status (R158).

use askama::Template;

use super::frame::{Frame, When};
use super::problem::Problem;
use super::sessions::LIFE_MS;
use super::visit::{Answer, Signed, Visit};
use super::words;
use crate::engine::{Credential, DeviceKind, DeviceView};

#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    frame: Frame,
    status: Vec<Item>,
    account: String,
    alias: String,
    opened: When,
    factor: String,
    ends: When,
}

/// One line of the status.
struct Item {
    id: &'static str,
    good: bool,
    title: String,
    text: String,
    link: Option<(&'static str, &'static str)>,
}

const TO_DEVICES: &str = "/console/devices";

pub(super) async fn page(visit: &mut Visit<'_>) -> Result<Answer, Problem> {
    let signed = visit.signed_in().await?;
    let engine = &visit.console.engine;
    let account = signed.user.id.account();
    let alias = engine.account(account).and_then(|view| view.settings.alias);
    let devices = engine.devices(&signed.user.id);
    let mut status = own_status(visit, &signed, &devices);
    if signed.administrator && !engine.users_with(account, DeviceKind::Sms, None, 1).is_empty() {
        status.push(Item {
            id: "status-sms",
            good: false,
            title: "Some users are still on SMS".to_owned(),
            text:
                "Codes by SMS can be intercepted. Ask these users to change to an authenticator app or a security key."
                    .to_owned(),
            link: Some(("/console/users?kind=sms", "Show them")),
        });
    }
    let opened_at = signed.session.opened_at;
    let frame = visit.frame_of(&signed, "Home", "home");
    visit.show(&Home {
        frame,
        status,
        account: account.to_string(),
        alias: alias.map(|alias| alias.to_string()).unwrap_or_default(),
        opened: When::at(opened_at),
        factor: factor(&signed),
        ends: When::at(opened_at.plus_ms(LIFE_MS)),
    })
}

fn factor(signed: &Signed) -> String {
    match signed.session.credential {
        Credential::Session { mfa_at: Some(_) } => "Proven with your MFA device",
        Credential::Recovered => "Not proven: you signed in with e-mail and phone",
        _ => "Not proven: you signed in with your password alone",
    }
    .to_owned()
}

fn own_status(visit: &Visit<'_>, signed: &Signed, devices: &[DeviceView]) -> Vec<Item> {
    let mut status = Vec::new();
    if signed.session.credential == Credential::Recovered {
        status.push(Item {
            id: "status-recovered",
            good: false,
            title: "You signed in with alternative factors".to_owned(),
            text: "If your device is lost, remove it now and enable another one. If it was stolen, change your password as \
                   well."
                .to_owned(),
            link: Some((TO_DEVICES, "To your devices")),
        });
    }
    let policy = visit.console.engine.policy_of(signed.user.id.account());
    let (on, off) = if signed.user.id.is_root() {
        ("MFA is active on your root user", "Activate MFA on your root user")
    } else {
        ("MFA is active for you", "Activate MFA for yourself")
    };
    status.push(if devices.is_empty() {
        Item {
            id: "status-mfa",
            good: false,
            title: off.to_owned(),
            text: "Your password alone opens your account. A second factor keeps out whoever learns it.".to_owned(),
            link: Some(("/console/devices/add", "Manage MFA")),
        }
    } else {
        let kinds = words::mfa(devices, policy);
        let link = Some((TO_DEVICES, "To your devices"));
        Item { id: "status-mfa", good: true, title: on.to_owned(), text: format!("Device: {kinds}."), link }
    });
    if devices.iter().any(|device| device.wants_resync) {
        status.push(Item {
            id: "status-resync",
            good: false,
            title: "A device is out of sync".to_owned(),
            text: "Its codes were refused lately. Two consecutive codes bring it back into sync.".to_owned(),
            link: Some((TO_DEVICES, "To your devices")),
        });
    }
    if devices.iter().any(|device| device.key.is_some_and(|key| key.suspected_clone)) {
        status.push(Item {
            id: "status-clone",
            good: false,
            title: "A security key may have been copied".to_owned(),
            text: "Its counter went backwards, so it is not accepted any more. Remove it, and find out where it was."
                .to_owned(),
            link: Some((TO_DEVICES, "To your devices")),
        });
    }
    status
}
