//! What is exported: every event, in words that do not say more than the log.

use countersign_replay::ask::{Format, Told, export};
use countersign_replay::event::{Observed, What, Who};
use countersign_replay::fold::fold;
use serde_json::{Value, json};

use crate::support::{ACCOUNT, Log, admin, session, time, user};

fn lines(told: &Told, format: Format) -> Vec<Value> {
    export(told, format).unwrap().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn events_of_nobody_are_exported_too() {
    let mut log = Log::new();
    log.create("08:00:00", "alice");
    log.make("08:10:00", "S1");
    log.sign_in("08:20:00", admin(), "No", true);
    let hidden = json!({"type": "IAMUser", "accountId": ACCOUNT, "userName": "HIDDEN_DUE_TO_SECURITY_REASONS"});
    log.sign_in("08:30:00", hidden, "No", false)["errorMessage"] = json!("No username found in supplied account");
    log.destroy("08:40:00", "S1");
    let told = log.told();
    let rows = export(&told, Format::Csv).unwrap();
    let events: Vec<&str> = rows.iter().skip(1).map(|row| row.split(',').nth(2).unwrap()).collect();
    let expected = [
        "CreateUser",
        "CreateVirtualMFADevice",
        "ConsoleLogin(federated)",
        "ConsoleLogin(no_mfa)",
        "DeleteVirtualMFADevice",
    ];
    assert_eq!(events, expected);
    assert_eq!(lines(&told, Format::ocsf("1.8.0").unwrap()).len(), 5);
    assert_eq!(lines(&told, Format::Ecs)[2]["user"]["name"], "admin");
}

#[test]
fn a_wrong_second_factor_is_a_matter_of_the_sign_in() {
    let mut log = Log::new();
    log.check("08:10:00", user("amy"), false);
    let ecs = &lines(&log.told(), Format::Ecs)[0]["event"];
    assert_eq!((&ecs["category"], &ecs["type"]), (&json!(["authentication"]), &json!(["info"])));
    assert_eq!((&ecs["provider"], &ecs["outcome"]), (&json!("signin.amazonaws.com"), &json!("failure")));
}

#[test]
fn what_is_not_known_is_not_written() {
    let mut log = Log::new();
    log.iam("08:00:00", "DeleteLoginProfile", json!({"userName": "amy"}));
    log.make("08:10:00", "S1");
    let targets = lines(&log.told(), Format::Ecs).into_iter().map(|line| line["user"].get("target").cloned());
    assert_eq!(targets.collect::<Vec<_>>(), [Some(json!({"name": "amy"})), None]);
    let mut log = Log::new();
    log.call("08:10:00", session(user("amy"), "2024-05-01T08:00:00Z", json!("true")));
    log.sign_in("08:20:00", admin(), "No", true);
    for line in lines(&log.told(), Format::Ecs) {
        let target = line["user"]["target"].as_object().unwrap();
        assert!(target.values().all(|value| !value.is_null()), "{line}");
    }
}

#[test]
fn what_no_record_says_is_no_record() {
    let mut log = Log::new();
    log.call("08:10:00", session(user("amy"), "2024-05-01T08:00:00Z", json!("true")));
    let ecs = &lines(&log.told(), Format::Ecs)[0];
    assert_eq!((&ecs["event"]["kind"], &ecs["event"]["provider"]), (&json!("state"), &Value::Null));
    assert_eq!((&ecs["user"]["name"], &ecs["user"]["target"]["name"]), (&json!("amy"), &json!("amy")));
    let ocsf = &lines(&log.told(), Format::ocsf("1.8.0").unwrap())[0];
    assert_eq!(ocsf["activity_name"], "MFA Session Evidence");
}

#[test]
fn our_own_events_are_not_those_of_another_cloud() {
    let made = What::PrincipalCreated { who: Who::user(ACCOUNT, "lee") };
    let own = Observed { position: Some(1), ..Observed::new(time("2024-05-01T08:00:00Z"), made) };
    let told = Told { history: fold([own]), ..Told::default() };
    let ocsf = &lines(&told, Format::ocsf("1.8.0").unwrap())[0];
    assert_eq!(
        (&ocsf["metadata"]["log_name"], &ocsf["cloud"]["provider"]),
        (&json!("Countersign"), &json!("Countersign"))
    );
    assert!(ocsf.get("src_endpoint").is_none() && ocsf["cloud"].get("region").is_none());
    assert_eq!(lines(&told, Format::Ecs)[0]["event"]["provider"], "countersign");
}
