//! Records made by hand, and how they are asked.

use std::path::{Path, PathBuf};

use countersign_replay::ask::{StateQuery, Told, findings, state};
use countersign_replay::fold::{FindingKind, fold};
use countersign_replay::time::Time;
use countersign_replay::trail::{LoadOptions, Loaded, Progress, load};
use serde_json::{Value, json};

pub(crate) const ACCOUNT: &str = "111122223333";

/// The public data, which lies beside the workspace. Where it is absent, a test that wants it says so and passes,
/// but not where everything is built.
pub(crate) fn fixtures() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures/cloudtrail");
    let root = std::env::var_os("COUNTERSIGN_FIXTURES").map_or(root, |dir| Path::new(&dir).join("cloudtrail"));
    if !root.is_dir() {
        assert!(std::env::var_os("CI").is_none(), "the public audit logs are absent");
        eprintln!("skipped: no audit logs at {}", root.display());
        return None;
    }
    Some(root)
}

pub(crate) fn time(text: &str) -> Time {
    text.parse().unwrap()
}

/// A log in the making. Times are of one day.
pub(crate) struct Log {
    pub(crate) day: &'static str,
    pub(crate) account: &'static str,
    pub(crate) records: Vec<Value>,
}

/// A user's unique id.
pub(crate) fn uid(name: &str) -> String {
    format!("AIDA{:X<16}", name.to_uppercase().replace(|c: char| !c.is_ascii_alphanumeric(), "0"))
}

pub(crate) fn arn(device: &str) -> String {
    if device.contains(':') || device.starts_with("GAHT") {
        return device.to_owned();
    }
    format!("arn:aws:iam::{ACCOUNT}:mfa/{device}")
}

pub(crate) fn user(name: &str) -> Value {
    json!({"type": "IAMUser", "accountId": ACCOUNT, "userName": name, "principalId": uid(name),
           "arn": format!("arn:aws:iam::{ACCOUNT}:user/{name}")})
}

pub(crate) fn root() -> Value {
    json!({"type": "Root", "accountId": ACCOUNT, "principalId": ACCOUNT, "arn": format!("arn:aws:iam::{ACCOUNT}:root")})
}

pub(crate) fn admin() -> Value {
    json!({"type": "AssumedRole", "accountId": ACCOUNT, "principalId": "AROAADMIN:admin",
           "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/admin/admin")})
}

/// An identity in a session that was opened at an instant, with MFA or without.
pub(crate) fn session(mut identity: Value, opened: &str, mfa: Value) -> Value {
    identity["sessionContext"] = json!({"attributes": {"creationDate": opened, "mfaAuthenticated": mfa}});
    identity
}

impl Log {
    /// A log after the time when several devices became possible.
    pub(crate) fn new() -> Self {
        Self { day: "2024-05-01", account: ACCOUNT, records: Vec::new() }
    }

    /// A log of the time when a principal had one device at most.
    pub(crate) fn of_one_device() -> Self {
        Self { day: "2019-05-01", ..Self::new() }
    }

    pub(crate) fn at(&self, clock: &str) -> String {
        if clock.contains('T') { clock.to_owned() } else { format!("{}T{clock}Z", self.day) }
    }

    /// Adds any record; its id is its number.
    pub(crate) fn add(&mut self, clock: &str, source: &str, name: &str, identity: Value, rest: Value) -> &mut Value {
        let mut record = json!({
            "eventVersion": "1.08", "eventTime": self.at(clock), "eventSource": format!("{source}.amazonaws.com"),
            "eventName": name, "awsRegion": "us-east-1", "sourceIPAddress": "192.0.2.1", "userIdentity": identity,
            "requestParameters": null, "responseElements": null, "recipientAccountId": self.account,
            "eventID": format!("e{:04}", self.records.len()),
        });
        for (key, value) in rest.as_object().unwrap() {
            record[key] = value.clone();
        }
        self.records.push(record);
        self.records.last_mut().unwrap()
    }

    pub(crate) fn iam(&mut self, clock: &str, name: &str, request: Value) -> &mut Value {
        self.add(clock, "iam", name, admin(), json!({"requestParameters": request}))
    }

    pub(crate) fn create(&mut self, clock: &str, name: &str) -> &mut Value {
        self.create_as(clock, name, &uid(name))
    }

    pub(crate) fn create_as(&mut self, clock: &str, name: &str, id: &str) -> &mut Value {
        let answer = json!({"user": {"userName": name, "userId": id}});
        let rest = json!({"requestParameters": {"userName": name}, "responseElements": answer});
        self.add(clock, "iam", "CreateUser", admin(), rest)
    }

    pub(crate) fn delete(&mut self, clock: &str, name: &str) -> &mut Value {
        self.iam(clock, "DeleteUser", json!({"userName": name}))
    }

    pub(crate) fn rename(&mut self, clock: &str, name: &str, to: &str) -> &mut Value {
        self.iam(clock, "UpdateUser", json!({"userName": name, "newUserName": to}))
    }

    pub(crate) fn make(&mut self, clock: &str, device: &str) -> &mut Value {
        self.iam(clock, "CreateVirtualMFADevice", json!({"virtualMFADeviceName": device, "path": "/"}))
    }

    pub(crate) fn enable(&mut self, clock: &str, name: &str, device: &str) -> &mut Value {
        self.iam(clock, "EnableMFADevice", json!({"userName": name, "serialNumber": arn(device)}))
    }

    pub(crate) fn deactivate(&mut self, clock: &str, name: &str, device: &str) -> &mut Value {
        self.iam(clock, "DeactivateMFADevice", json!({"userName": name, "serialNumber": arn(device)}))
    }

    pub(crate) fn resync(&mut self, clock: &str, name: &str, device: &str) -> &mut Value {
        self.iam(clock, "ResyncMFADevice", json!({"userName": name, "serialNumber": arn(device)}))
    }

    pub(crate) fn destroy(&mut self, clock: &str, device: &str) -> &mut Value {
        self.iam(clock, "DeleteVirtualMFADevice", json!({"serialNumber": arn(device)}))
    }

    pub(crate) fn login_profile(&mut self, clock: &str, verb: &str, name: &str) -> &mut Value {
        self.iam(clock, &format!("{verb}LoginProfile"), json!({"userName": name}))
    }

    /// A sign-in; `mfa` is what the record says of it.
    pub(crate) fn sign_in(&mut self, clock: &str, identity: Value, mfa: &str, success: bool) -> &mut Value {
        let outcome = if success { "Success" } else { "Failure" };
        let rest = json!({"responseElements": {"ConsoleLogin": outcome}, "additionalEventData": {"MFAUsed": mfa}});
        self.add(clock, "signin", "ConsoleLogin", identity, rest)
    }

    pub(crate) fn check(&mut self, clock: &str, identity: Value, success: bool) -> &mut Value {
        let outcome = if success { "Success" } else { "Failure" };
        let rest =
            json!({"responseElements": {"CheckMfa": outcome}, "additionalEventData": {"MfaType": "Virtual MFA"}});
        self.add(clock, "signin", "CheckMfa", identity, rest)
    }

    /// A call of some other service.
    pub(crate) fn call(&mut self, clock: &str, identity: Value) -> &mut Value {
        self.add(clock, "ec2", "DescribeRegions", identity, json!({}))
    }

    /// Makes a record a failure.
    pub(crate) fn failing(record: &mut Value, code: &str) {
        record["errorCode"] = json!(code);
        record["responseElements"] = Value::Null;
    }

    pub(crate) fn told(&self) -> Told {
        told_of(&self.records)
    }
}

/// Writes files and tells what they hold.
pub(crate) fn load_files(files: &[(&str, &[u8])], options: &LoadOptions) -> Loaded {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    load(&[dir.path().to_owned()], options, &Progress::default())
}

pub(crate) fn tell(loaded: Loaded) -> Told {
    let too_many = loaded.inputs.unique_records.is_none();
    let not_looked_for = too_many.then_some(FindingKind::SameEventIdDifferentBody).into_iter().collect();
    Told { history: fold(loaded.events), flaws: loaded.flaws, not_looked_for, ..Told::default() }
}

pub(crate) fn told_of(records: &[Value]) -> Told {
    let document = json!({ "Records": records }).to_string();
    let loaded = load_files(&[("records.json", document.as_bytes())], &LoadOptions::default());
    assert!(!loaded.inputs.is_partial(), "{:?}", loaded.inputs.skips);
    tell(loaded)
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

/// Every principal as `NAME#GENERATION status (basis) [devices] password`, at an instant or at the end.
pub(crate) fn states(told: &Told, at: Option<&str>) -> Vec<String> {
    let answer = state(told, &StateQuery { at: at.map(time), only: None });
    let line = |row: &countersign_replay::ask::PrincipalRow| {
        let id = row.id.strip_prefix(&format!("{ACCOUNT}/")).unwrap_or(&row.id);
        let basis = row.basis.map_or_else(String::new, |basis| format!(" ({})", basis.name()));
        let short = |serial: &str| serial.strip_prefix(&arn("")).unwrap_or(serial).to_owned();
        let devices: Vec<String> = row.devices.iter().map(|serial| short(serial)).collect();
        let devices = if devices.is_empty() { String::new() } else { format!(" [{}]", devices.join(" ")) };
        let password = row.console_password.map_or("", |has| if has { " pw" } else { " no-pw" });
        format!("{id} {}{basis}{devices}{password}", row.status.name())
    };
    answer.principals.iter().map(line).collect()
}

/// Every finding as `NAME#GENERATION kind`.
pub(crate) fn found(told: &Told) -> Vec<String> {
    let short = |id: &Option<String>| {
        let id = id.clone().unwrap_or_else(|| "-".to_owned());
        id.strip_prefix(&format!("{ACCOUNT}/")).map(str::to_owned).unwrap_or(id)
    };
    findings(told).findings.iter().map(|row| format!("{} {}", short(&row.id), row.kind)).collect()
}
