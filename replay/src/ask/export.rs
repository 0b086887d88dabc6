//! The history in the words of others: OCSF, ECS, and a table for spreadsheets.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::timeline::{device_of, event_name};
use super::words::json_line;
use super::{Told, timeline};
use crate::event::{DeviceKind, HIDDEN, Observed, SignInClass, Subject, Via, What, Who};
use crate::fold::{Life, Status};

/// The words to export in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The Open Cybersecurity Schema Framework, of a version: one JSON object a line.
    Ocsf(u32, u32, u32),
    /// The Elastic Common Schema: one JSON object a line.
    Ecs,
    /// Comma-separated values with a head.
    Csv,
}

impl Format {
    /// The format of an OCSF version such as `1.8.0`.
    ///
    /// # Errors
    /// When that version has no words for MFA factors, which came with 1.1.0, or is later than 1.9.
    pub fn ocsf(version: &str) -> Result<Self, String> {
        let parts: Vec<u32> = version.split('.').filter_map(|part| part.parse().ok()).collect();
        match parts.as_slice() {
            [1, minor @ 1..=9, patch] if version.split('.').count() == 3 => Ok(Self::Ocsf(1, *minor, *patch)),
            _ => Err("not a version of OCSF from 1.1.0 to 1.9.0".to_owned()),
        }
    }
}

/// An event, with whom it is about and the status that this had then.
struct Line<'a> {
    life: Option<&'a Life>,
    event: &'a Observed,
    status: Status,
}

impl Line<'_> {
    fn account(&self) -> &str {
        let of_device = || device_of(&self.event.what).map(|device| &*device.account);
        let of_who = || self.event.what.who().or(self.event.by.who.as_ref()).map(|who| &**who.account());
        self.life.map(Life::account).or_else(of_device).or_else(of_who).unwrap_or_default()
    }

    /// The name of whom it is about; of a device without an owner nobody's.
    fn name(&self) -> Option<Arc<str>> {
        if let Some(life) = self.life {
            return Some(life.at(Some(self.event.at)).name);
        }
        match &self.event.what {
            What::DeviceRegistered { .. } | What::DeviceDestroyed { .. } => None,
            What::SignInObserved { subject: Subject::Elsewhere(label), .. } => Some(Arc::clone(label)),
            What::SignInObserved { subject: Subject::Hidden, .. } => Some(Arc::from(HIDDEN)),
            what => what.who().and_then(named),
        }
    }

    fn uid(&self) -> Option<&str> {
        self.life.and_then(Life::uid)
    }

    fn id(&self) -> String {
        let of_stranger = || self.name().map(|name| name.to_string()).unwrap_or_default();
        self.life.map_or_else(of_stranger, Life::id)
    }

    /// Whether it stands for what other records show, and is no record by itself.
    const fn is_derived(&self) -> bool {
        matches!(self.event.what, What::MfaUseObserved { via: Via::Session { .. }, .. } | What::StateAnchored { .. })
    }
}

/// A principal's name in a record.
fn named(who: &Who) -> Option<Arc<str>> {
    match who {
        Who::Root { .. } => Some(Arc::from("root")),
        Who::User { name, uid, .. } => name.clone().or_else(|| uid.clone()),
    }
}

/// Writes every event of a history in order, one line each, also those of nobody in it.
///
/// # Errors
/// When an event has no form in JSON, which those of this library have, or in CSV.
pub fn export(told: &Told, format: Format) -> Result<Vec<String>, String> {
    let mut events: Vec<Line<'_>> = Vec::new();
    for life in told.history.lives() {
        let steps = life.steps().iter().map(|step| (&step.event, step.after.status));
        let attempts = life.attempts().iter().map(|event| (event, life.at(Some(event.at)).status));
        events.extend(steps.chain(attempts).map(|(event, status)| Line { life: Some(life), event, status }));
    }
    let others = told.history.others().iter();
    events.extend(others.map(|event| Line { life: None, event, status: Status::Unknown }));
    events.sort_by(|a, b| a.event.order(b.event).then_with(|| a.id().cmp(&b.id())));
    match format {
        Format::Ocsf(_, minor, patch) => {
            let lines = events.iter().map(|line| ocsf(line, minor, patch));
            lines.map(|line| json_line(&line).map_err(|cause| cause.to_string())).collect()
        }
        Format::Ecs => {
            let lines = events.iter().map(ecs);
            lines.map(|line| json_line(&line).map_err(|cause| cause.to_string())).collect()
        }
        Format::Csv => csv(&events),
    }
}

fn succeeded(what: &What) -> bool {
    !matches!(what, What::AttemptFailed { .. } | What::SignInObserved { success: false, .. })
}

/// Class, activity and the activity's name. From 1.9 on lifecycle events have a class of their own.
fn ocsf_class(what: &What, minor: u32) -> (u32, u32, &'static str) {
    let managed = minor >= 9;
    let of_user = |change: (u32, &'static str), management: (u32, &'static str)| {
        if managed { (3007, management.0, management.1) } else { (3001, change.0, change.1) }
    };
    let other = |name| of_user((99, name), (99, name));
    match what {
        What::DeviceAssigned { .. } => of_user((10, "MFA Factor Enable"), (12, "Enable MFA Factors")),
        What::DeviceUnassigned { .. } => of_user((11, "MFA Factor Disable"), (13, "Disable MFA Factors")),
        What::PrincipalCreated { .. } => of_user((1, "Create"), (1, "Create")),
        What::PrincipalDeleted { .. } => of_user((6, "Delete"), (3, "Delete")),
        What::ConsolePasswordSet { .. } => (3001, 3, "Password Change"),
        What::ConsolePasswordRemoved { .. } => other("Console Password Removal"),
        What::DeviceResynced { .. } => other("MFA Factor Resync"),
        What::DeviceRegistered { .. } => other("MFA Device Creation"),
        What::DeviceDestroyed { .. } => other("MFA Device Deletion"),
        What::PrincipalRenamed { .. } => other("Rename"),
        What::StateAnchored { .. } => other("Credential Report"),
        _ if is_failed_check(what) => (3002, 6, "Preauth"),
        What::AttemptFailed { .. } => other("Failed Call"),
        What::ChangeUntold { .. } => other("Incomplete Record"),
        What::MfaUseObserved { via: Via::Check(_), .. } => (3002, 6, "Preauth"),
        What::MfaUseObserved { via: Via::Session { .. }, .. } => (3002, 99, "MFA Session Evidence"),
        What::MfaUseObserved { .. } | What::SignInObserved { .. } => (3002, 1, "Logon"),
    }
}

/// The log that an event is from, and whose cloud that is.
const fn log_of(event: &Observed) -> (&'static str, &'static str) {
    match event.what {
        _ if event.is_of_whole_log() => ("Countersign", "Countersign"),
        What::StateAnchored { .. } => ("IAM credential report", "AWS"),
        _ => ("CloudTrail", "AWS"),
    }
}

fn ocsf(of: &Line<'_>, minor: u32, patch: u32) -> Value {
    let (event, what) = (of.event, &of.event.what);
    let (class, activity, name) = ocsf_class(what, minor);
    let success = succeeded(what);
    let mut user = json!({"account": {"uid": of.account()}});
    if let Some(name) = of.name() {
        user["name"] = json!(name);
    }
    if let Some(uid) = of.uid() {
        user["uid"] = json!(uid);
    }
    // Absence says that nobody knows; `false` would say that there is none.
    match of.status {
        Status::Enabled => user["has_mfa"] = json!(true),
        Status::Disabled => user["has_mfa"] = json!(false),
        _ => {}
    }
    let (log, provider) = log_of(event);
    let mut line = json!({
        "activity_id": activity,
        "activity_name": name,
        "actor": {"user": {"name": event.by.label}},
        "category_name": "Identity & Access Management",
        "category_uid": 3,
        "class_name": class_name(class),
        "class_uid": class,
        "cloud": {"account": {"uid": of.account()}, "provider": provider},
        "metadata": {
            "log_name": log,
            "product": {"name": "Countersign", "vendor_name": "Countersign"},
            "uid": event.cite.name(),
            "version": format!("1.{minor}.{patch}"),
        },
        "severity_id": if success { 1 } else { 2 },
        "status": if success { "Success" } else { "Failure" },
        "status_id": if success { 1 } else { 2 },
        "time": event.at.0,
        "type_uid": class * 100 + activity,
        "user": user,
        "unmapped": {"event": event_name(what)},
    });
    if !event.by.region.is_empty() {
        line["cloud"]["region"] = json!(event.by.region);
    }
    if !event.by.address.is_empty() {
        line["src_endpoint"] = json!({"ip": event.by.address});
    }
    if class == 3002 {
        match what {
            What::SignInObserved { class: SignInClass::Mfa, .. } | What::MfaUseObserved { .. } => {
                line["is_mfa"] = json!(true)
            }
            What::SignInObserved { class: SignInClass::NoMfa, .. } => line["is_mfa"] = json!(false),
            _ => {}
        }
    }
    let has_factors = class == 3002 || class == 3007 || minor >= 7;
    if let Some(device) = device_of(what).filter(|_| has_factors) {
        line["auth_factors"] = json!([factor(&device.serial)]);
    }
    line
}

const fn class_name(class: u32) -> &'static str {
    match class {
        3002 => "Authentication",
        3007 => "User Management",
        _ => "Account Change",
    }
}

fn factor(serial: &str) -> Value {
    let (id, name, totp) = match DeviceKind::of(serial) {
        DeviceKind::Sms => (1, "SMS", false),
        DeviceKind::Hardware => (6, "Hardware Token", true),
        DeviceKind::Virtual => (7, "OTP", true),
        DeviceKind::SecurityKey => (9, "U2F", false),
    };
    let device = json!({"name": serial, "type_id": 99, "type": "MFA Device", "uid": serial});
    json!({"device": device, "factor_type": name, "factor_type_id": id, "is_totp": totp})
}

/// The plain name of an actor: a user's, a role's, or else what the record calls it.
fn actor_name(event: &Observed) -> Arc<str> {
    let of_role = || event.by.label.split_once(":assumed-role/").and_then(|(_, rest)| rest.split('/').next());
    let of_who = event.by.who.as_ref().and_then(named);
    of_who.or_else(|| of_role().map(Arc::from)).unwrap_or_else(|| Arc::clone(&event.by.label))
}

fn ecs(of: &Line<'_>) -> Value {
    let (event, what) = (of.event, &of.event.what);
    let (category, kinds): (&str, &[&str]) = match what {
        What::PrincipalCreated { .. } => ("iam", &["user", "creation"]),
        What::PrincipalDeleted { .. } => ("iam", &["user", "deletion"]),
        What::SignInObserved { .. } | What::MfaUseObserved { .. } => ("authentication", &["info"]),
        _ if is_failed_check(what) => ("authentication", &["info"]),
        What::StateAnchored { .. } => ("iam", &["user", "info"]),
        _ => ("iam", &["user", "change"]),
    };
    let name = event_name(what);
    let action = name.split(['(', ' ']).next().unwrap_or_default();
    let mut trail = Map::new();
    if let What::SignInObserved { class, .. } = what {
        let used = match class {
            SignInClass::Mfa => Some(true),
            SignInClass::NoMfa => Some(false),
            SignInClass::Federated | SignInClass::Unknown => None,
        };
        if let Some(used) = used {
            trail.insert("console_login".to_owned(), json!({"additional_eventdata": {"mfa_used": used}}));
        }
    }
    if let Some(device) = device_of(what) {
        trail.insert("flattened".to_owned(), json!({"request_parameters": {"serialNumber": device.serial}}));
    }
    if event.by.label.starts_with("arn:") {
        trail.insert("user_identity".to_owned(), json!({"arn": event.by.label}));
    }
    // Absence is how ECS says that nobody knows.
    let name_of = of.name();
    let known = [("id", of.uid()), ("name", name_of.as_deref())];
    let target: Map<String, Value> =
        known.into_iter().filter_map(|(field, value)| Some((field.to_owned(), json!(value?)))).collect();
    let mut line = json!({
        "@timestamp": event.at,
        "aws": {"cloudtrail": trail},
        "cloud": {"account": {"id": of.account()}, "provider": log_of(event).1.to_lowercase()},
        "event": {
            "action": action,
            "category": [category],
            "id": event.cite.name(),
            "kind": if of.is_derived() { "state" } else { "event" },
            "outcome": if succeeded(what) { "success" } else { "failure" },
            "type": kinds,
        },
        "user": {"name": actor_name(event)},
    });
    if !target.is_empty() {
        line["user"]["target"] = Value::Object(target);
    }
    if let Some(provider) = provider(event) {
        line["event"]["provider"] = json!(provider);
    }
    if !event.by.region.is_empty() {
        line["cloud"]["region"] = json!(event.by.region);
    }
    if !event.by.address.is_empty() {
        line["source"] = json!({"address": event.by.address});
    }
    line
}

/// Whether somebody showed a wrong second factor at the sign-in.
fn is_failed_check(what: &What) -> bool {
    matches!(what, What::AttemptFailed { name, .. } if &**name == "CheckMfa")
}

/// The service whose event it is; none, when it stands for records of any.
fn provider(event: &Observed) -> Option<&'static str> {
    Some(match event.what {
        _ if event.is_of_whole_log() => "countersign",
        What::MfaUseObserved { via: Via::Session { .. }, .. } => return None,
        What::SignInObserved { .. } => "signin.amazonaws.com",
        _ if is_failed_check(&event.what) => "signin.amazonaws.com",
        What::MfaUseObserved { via: Via::Check(_), .. } => "signin.amazonaws.com",
        What::MfaUseObserved { .. } => "sts.amazonaws.com",
        _ => "iam.amazonaws.com",
    })
}

/// A cell that no spreadsheet takes for a formula.
fn cell(text: &str) -> String {
    let text = super::plain(text);
    if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text }
}

fn csv(lines: &[Line<'_>]) -> Result<Vec<String>, String> {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    let head = ["time", "id", "event", "device", "actor", "actor_name", "address", "success", "status", "event_id"];
    writer.write_record(head).map_err(|cause| cause.to_string())?;
    for line in lines {
        let event = line.event;
        let actor = line.life.map_or_else(|| timeline::actor_kind(event), |life| timeline::actor(life, event));
        let device = device_of(&event.what).map_or_else(String::new, |device| device.serial.to_string());
        let row = [
            event.at.to_string(),
            cell(&line.id()),
            cell(&event_name(&event.what)),
            cell(&device),
            actor.to_owned(),
            cell(&event.by.label),
            cell(&event.by.address),
            succeeded(&event.what).to_string(),
            line.status.name().to_owned(),
            cell(&event.cite.name()),
        ];
        writer.write_record(row).map_err(|cause| cause.to_string())?;
    }
    let bytes = writer.into_inner().map_err(|cause| cause.to_string())?;
    Ok(String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect())
}
