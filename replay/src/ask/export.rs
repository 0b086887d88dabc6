//! The history in the words of others: OCSF, ECS, and a table for spreadsheets.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::timeline::{device_of, event_name};
use super::words::json_line;
use super::{Told, timeline};
use crate::event::{DeviceKind, Observed, SignInClass, Via, What};
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

/// Writes every event of a history in order, one line each.
///
/// # Errors
/// When an event has no form in JSON, which those of this library have, or in CSV.
pub fn export(told: &Told, format: Format) -> Result<Vec<String>, String> {
    let mut events: Vec<(&Life, &Arc<Observed>, Status)> = Vec::new();
    for life in told.history.lives() {
        events.extend(life.steps().iter().map(|step| (life, &step.event, step.after.status)));
        events.extend(life.attempts().iter().map(|event| (life, event, life.at(Some(event.at)).status)));
    }
    events.sort_by(|a, b| a.1.order(b.1).then_with(|| a.0.id().cmp(&b.0.id())));
    match format {
        Format::Ocsf(_, minor, patch) => {
            let lines = events.iter().map(|(life, event, status)| ocsf(life, event, *status, minor, patch));
            lines.map(|line| json_line(&line).map_err(|cause| cause.to_string())).collect()
        }
        Format::Ecs => {
            let lines = events.iter().map(|(life, event, _)| ecs(life, event));
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
        What::AttemptFailed { name, .. } if &**name == "CheckMfa" => (3002, 6, "Preauth"),
        What::AttemptFailed { .. } => other("Failed Call"),
        What::ChangeUntold { .. } => other("Incomplete Record"),
        What::MfaUseObserved { via: Via::Check(_), .. } => (3002, 6, "Preauth"),
        What::MfaUseObserved { .. } | What::SignInObserved { .. } => (3002, 1, "Logon"),
    }
}

fn ocsf(life: &Life, event: &Observed, status: Status, minor: u32, patch: u32) -> Value {
    let what = &event.what;
    let (class, activity, name) = ocsf_class(what, minor);
    let success = succeeded(what);
    let mut user = json!({"name": life.at(Some(event.at)).name, "account": {"uid": life.account()}});
    if let Some(uid) = life.uid() {
        user["uid"] = json!(uid);
    }
    // Absence says that nobody knows; `false` would say that there is none.
    match status {
        Status::Enabled => user["has_mfa"] = json!(true),
        Status::Disabled => user["has_mfa"] = json!(false),
        _ => {}
    }
    let mut line = json!({
        "activity_id": activity,
        "activity_name": name,
        "actor": {"user": {"name": event.by.label}},
        "category_name": "Identity & Access Management",
        "category_uid": 3,
        "class_name": class_name(class),
        "class_uid": class,
        "cloud": {"account": {"uid": life.account()}, "provider": "AWS", "region": event.by.region},
        "metadata": {
            "log_name": "CloudTrail",
            "product": {"name": "Countersign", "vendor_name": "Countersign"},
            "uid": event.cite.name(),
            "version": format!("1.{minor}.{patch}"),
        },
        "severity_id": if success { 1 } else { 2 },
        "src_endpoint": {"ip": event.by.address},
        "status": if success { "Success" } else { "Failure" },
        "status_id": if success { 1 } else { 2 },
        "time": event.at.0,
        "type_uid": class * 100 + activity,
        "user": user,
        "unmapped": {"event": event_name(what)},
    });
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

fn ecs(life: &Life, event: &Observed) -> Value {
    let what = &event.what;
    let (category, kinds): (&str, &[&str]) = match what {
        What::PrincipalCreated { .. } => ("iam", &["user", "creation"]),
        What::PrincipalDeleted { .. } => ("iam", &["user", "deletion"]),
        What::SignInObserved { .. } | What::MfaUseObserved { .. } => ("authentication", &["info"]),
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
    let target = json!({"id": life.uid(), "name": life.at(Some(event.at)).name});
    json!({
        "@timestamp": event.at,
        "aws": {"cloudtrail": trail},
        "cloud": {"account": {"id": life.account()}, "provider": "aws", "region": event.by.region},
        "event": {
            "action": action,
            "category": [category],
            "id": event.cite.name(),
            "kind": "event",
            "outcome": if succeeded(what) { "success" } else { "failure" },
            "provider": provider(what),
            "type": kinds,
        },
        "source": {"address": event.by.address},
        "user": {"name": event.by.label, "target": target},
    })
}

const fn provider(what: &What) -> &'static str {
    match what {
        What::SignInObserved { .. } => "signin.amazonaws.com",
        What::MfaUseObserved { via: Via::Check(_), .. } => "signin.amazonaws.com",
        What::MfaUseObserved { .. } => "sts.amazonaws.com",
        _ => "iam.amazonaws.com",
    }
}

/// A cell that no spreadsheet takes for a formula.
fn cell(text: &str) -> String {
    let text = super::plain(text);
    if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text }
}

fn csv(events: &[(&Life, &Arc<Observed>, Status)]) -> Result<Vec<String>, String> {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    let head = ["time", "id", "event", "device", "actor", "actor_name", "address", "success", "status", "event_id"];
    writer.write_record(head).map_err(|cause| cause.to_string())?;
    for (life, event, status) in events {
        let device = device_of(&event.what).map_or_else(String::new, |device| device.serial.to_string());
        let row = [
            event.at.to_string(),
            cell(&life.id()),
            cell(&event_name(&event.what)),
            cell(&device),
            timeline::actor(life, event).to_owned(),
            cell(&event.by.label),
            cell(&event.by.address),
            succeeded(&event.what).to_string(),
            status.name().to_owned(),
            cell(&event.cite.name()),
        ];
        writer.write_record(row).map_err(|cause| cause.to_string())?;
    }
    let bytes = writer.into_inner().map_err(|cause| cause.to_string())?;
    Ok(String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect())
}
