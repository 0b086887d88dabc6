//! What a report may say: nothing that the log does not bear.

use countersign_replay::ask::{ReportAnswer, Standard, Told, json, report};
use countersign_replay::page::report_page;

use crate::support::{ACCOUNT, Log, root, session, time, user};

fn asked(told: &Told, standard: Standard) -> ReportAnswer {
    report(told, standard, None, None).unwrap()
}

/// Every control as `ID verdict`.
fn verdicts(told: &Told, standard: Standard) -> Vec<String> {
    let controls = asked(told, standard).controls;
    controls.iter().map(|control| format!("{} {}", control.id, control.verdict.name())).collect()
}

/// A log that bears everything that CIS asks for.
fn flawless() -> Log {
    let mut log = Log::new();
    log.create("08:00:00", "alice");
    log.login_profile("08:01:00", "Create", "alice");
    log.enable("08:02:00", "alice", "S1");
    log.sign_in("09:00:00", user("alice"), "Yes", true);
    log.add(
        "09:00:00",
        "iam",
        "EnableMFADevice",
        root(),
        serde_json::json!({"requestParameters": {"serialNumber": "GAHT1"}}),
    );
    log
}

/// All but 2.6: a token that is enabled does not tell that there is no app beside.
const ALL_PASS: [&str; 4] = ["2.5 pass", "2.6 cannot_tell", "2.10 pass", "5.2 pass"];

#[test]
fn what_the_log_bears_passes() {
    assert_eq!(verdicts(&flawless().told(), Standard::Cis), ALL_PASS);
}

#[test]
fn no_evidence_is_no_pass() {
    for standard in [Standard::Cis, Standard::Pci, Standard::Nist] {
        for control in asked(&Told::default(), standard).controls {
            assert_eq!(
                (control.verdict.name(), &control.why[..]),
                ("cannot_tell", &["the input names no account"][..])
            );
        }
    }
    let mut log = Log::new();
    log.call("08:00:00", session(root(), "2024-05-01T07:59:00Z", serde_json::json!("true")));
    let controls = asked(&log.told(), Standard::Cis).controls;
    assert_eq!(controls[2].why, ["the input names no user"]);
    assert_eq!(controls[3].why, ["the input has no sign-ins"]);
}

#[test]
fn root_is_among_those_whose_access_is_with_mfa() {
    let everybody = |log: &Log| {
        let [pci, nist] = [Standard::Pci, Standard::Nist].map(|standard| asked(&log.told(), standard));
        let [admin, users] = [&pci.controls[0], &nist.controls[1]].map(|control| {
            let names: Vec<String> = control.fails.iter().chain(&control.cannot_tell).cloned().collect();
            (control.verdict.name(), names)
        });
        assert_eq!(admin, users);
        users
    };
    let root_id = || vec![format!("{}/root", ACCOUNT)];
    let mut log = flawless();
    assert_eq!(everybody(&log), ("pass", Vec::new()));
    log.add(
        "10:00:00",
        "iam",
        "DeactivateMFADevice",
        root(),
        serde_json::json!({"requestParameters": {"serialNumber": "GAHT1"}}),
    );
    assert_eq!(everybody(&log), ("cannot_tell", root_id()));
    log.sign_in("11:00:00", root(), "No", true);
    assert_eq!(everybody(&log), ("fail", root_id()));
    // A root that no record names is in no state that is known.
    let mut log = flawless();
    log.records.pop();
    assert_eq!(everybody(&log), ("cannot_tell", root_id()));
}

#[test]
fn a_password_that_nobody_knows_of_is_no_pass() {
    let mut log = flawless();
    log.deactivate("10:00:00", "amy", "S1");
    assert_eq!(verdicts(&log.told(), Standard::Cis)[2], "2.10 cannot_tell");
    assert_eq!(verdicts(&log.told(), Standard::Pci), ["8.4.1 cannot_tell", "8.4.2 cannot_tell", "8.5.1 fail"]);
}

#[test]
fn a_sign_in_that_does_not_tell_is_no_pass() {
    let mut log = flawless();
    log.sign_in("10:00:00", user("alice"), "Perhaps", true);
    let controls = asked(&log.told(), Standard::Cis).controls;
    assert_eq!((controls[3].verdict.name(), controls[3].sign_ins_unknown.len()), ("cannot_tell", 1));
    assert_eq!(verdicts(&log.told(), Standard::Pci)[1], "8.4.2 cannot_tell");
}

#[test]
fn a_part_that_was_not_read_is_no_pass_but_may_fail() {
    let mut log = flawless();
    let told = Told { partial: true, ..log.told() };
    assert!(verdicts(&told, Standard::Cis).iter().all(|control| control.ends_with("cannot_tell")));
    log.sign_in("10:00:00", user("alice"), "No", true);
    let told = Told { partial: true, ..log.told() };
    assert_eq!(verdicts(&told, Standard::Cis)[3], "5.2 fail");
}

/// Why, and of whom, it cannot be told that nobody was without MFA.
fn bypass(told: &Told, at: Option<&str>) -> (&'static str, Vec<String>) {
    let control = report(told, Standard::Pci, None, at.map(time)).unwrap().controls.pop().unwrap();
    let short = |id: &String| id.trim_start_matches(&format!("{ACCOUNT}/")).to_owned();
    (control.verdict.name(), control.cannot_tell.iter().map(short).collect())
}

#[test]
fn of_whom_the_log_does_not_tell_from_its_begin_it_does_not_tell_that_they_had_mfa() {
    let of = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let mut log = Log::new();
    log.sign_in("09:00:00", root(), "Yes", true);
    log.sign_in("09:00:00", user("amy"), "Yes", true);
    assert_eq!(bypass(&log.told(), None), ("pass", Vec::new()));
    // Of the time before the first record nothing is known of anybody.
    assert_eq!(bypass(&log.told(), Some("2024-05-01T08:59:59Z")), ("cannot_tell", of(&["root", "amy#1"])));
    // Nine hours in which amy may have been without, and root.
    log.create("00:00:00", "bob");
    log.delete("00:00:00", "bob");
    assert_eq!(bypass(&log.told(), None), ("cannot_tell", of(&["root", "amy#1"])));
    // Who is not there yet is no matter, and a root that no record names is one.
    let mut log = Log::new();
    log.sign_in("09:00:00", user("amy"), "Yes", true);
    log.create("10:00:00", "bob");
    log.enable("10:00:00", "bob", "B");
    assert_eq!(bypass(&log.told(), Some("2024-05-01T09:30:00Z")), ("cannot_tell", of(&["root"])));
}

#[test]
fn root_is_against_it_without_a_password_that_is_known_of() {
    let mut log = Log::of_one_device();
    let request = || serde_json::json!({"requestParameters": {"serialNumber": "GAHT1"}});
    log.add("09:00:00", "iam", "EnableMFADevice", root(), request());
    log.add("10:00:00", "iam", "DeactivateMFADevice", root(), request());
    assert_eq!(bypass(&log.told(), None).0, "fail");
}

#[test]
fn who_may_come_in_without_mfa_is_against_all_access_being_with_it() {
    let mut log = flawless();
    log.create("10:00:00", "bob");
    log.login_profile("10:00:00", "Create", "bob");
    assert_eq!(verdicts(&log.told(), Standard::Pci)[..2], ["8.4.1 fail", "8.4.2 fail"]);
}

#[test]
fn only_a_whole_set_of_tokens_is_hardware() {
    let hardware = |log: &Log| {
        let control = asked(&log.told(), Standard::Cis).controls.remove(1);
        (control.verdict.name(), control.why)
    };
    let enable = |log: &mut Log, at: &str, serial: &str| {
        let request = serde_json::json!({"requestParameters": {"serialNumber": serial}});
        log.add(at, "iam", "EnableMFADevice", root(), request);
    };
    // From 2022 on there may be others, of which one may be an app.
    let mut log = Log::new();
    enable(&mut log, "09:00:00", "GAHT1");
    assert_eq!(hardware(&log), ("cannot_tell", Vec::new()));
    let mut log = Log::of_one_device();
    enable(&mut log, "09:00:00", "GAHT1");
    assert_eq!(hardware(&log), ("pass", Vec::new()));
    enable(&mut log, "2024-05-01T09:00:00Z", "GAHT2");
    assert_eq!(hardware(&log), ("pass", Vec::new()));
    // One that is used and not among them makes the set doubtful.
    let request = serde_json::json!({"requestParameters": {"serialNumber": "GAHT3"}});
    log.add("2024-05-02T09:00:00Z", "sts", "GetSessionToken", root(), request);
    assert_eq!(hardware(&log), ("cannot_tell", Vec::new()));
    let mut log = Log::of_one_device();
    enable(&mut log, "09:00:00", &format!("arn:aws:iam::{ACCOUNT}:u2f/root/key"));
    assert_eq!(
        hardware(&log),
        ("cannot_tell", vec!["security keys and passkeys, which may be synchronised, are named alike"])
    );
    enable(&mut log, "2024-05-01T09:00:00Z", &crate::support::arn("app"));
    assert_eq!(hardware(&log).0, "fail");
}

#[test]
fn what_comes_later_is_in_no_report_of_an_instant() {
    let mut log = flawless();
    log.deactivate("10:00:00", "alice", "S1");
    let cut = log.told();
    log.enable("12:00:00", "alice", "S2");
    log.rename("13:00:00", "alice", "zoe");
    log.create("14:00:00", "alice");
    let told = log.told();
    let at = || Some(time("2024-05-01T11:00:00Z"));
    for standard in [Standard::Cis, Standard::Pci, Standard::Nist] {
        let [then, ended] = [&told, &cut].map(|told| report(told, standard, None, at()).unwrap());
        assert_eq!(json(&then).unwrap(), json(&ended).unwrap());
    }
    let page = report_page(&told, &report(&told, Standard::Pci, None, at()).unwrap()).unwrap();
    assert!(page.contains("alice#1") && !page.contains("zoe") && !page.contains("12:00:00"));
    assert_eq!(page, report_page(&cut, &report(&cut, Standard::Pci, None, at()).unwrap()).unwrap());
}
