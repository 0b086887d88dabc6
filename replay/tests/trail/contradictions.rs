//! Where a log contradicts itself: each contradiction by its name.

use countersign_replay::ask::{Told, findings};
use countersign_replay::fold::FindingKind;
use serde_json::json;

use crate::support::{Log, arn, found, session, states, user};

#[test]
fn every_contradiction_has_its_name() {
    type Story = fn(&mut Log);
    let stories: [(Story, &str); 13] = [
        (
            |log| {
                log.sign_in("09:00:00", user("x"), "No", true);
            },
            "x#1 signin_without_mfa_while_enabled",
        ),
        (
            |log| {
                log.destroy("09:00:00", "S1");
            },
            "x#1 device_deleted_while_active",
        ),
        (
            |log| {
                log.delete("09:00:00", "x");
            },
            "x#1 deleted_with_active_device",
        ),
        (
            |log| {
                log.deactivate("09:00:00", "x", "S9");
            },
            "x#1 deactivate_of_unknown_device",
        ),
        (
            |log| {
                log.resync("09:00:00", "x", "S9");
            },
            "x#1 resync_of_unknown_device",
        ),
        (
            |log| {
                log.create_as("09:00:00", "x", "AIDANEWNEWNEW");
            },
            "x#2 recreated_without_delete",
        ),
        (
            |log| {
                let mut other = user("x");
                other["principalId"] = json!("AIDANEWNEWNEW");
                log.check("09:00:00", other, true);
            },
            "x#2 uid_changed_without_delete",
        ),
        (
            |log| {
                let request = json!({"requestParameters": {"serialNumber": arn("S9")}});
                log.add("09:00:00", "sts", "GetSessionToken", user("x"), request);
            },
            "x#1 mfa_use_of_unknown_device",
        ),
        (
            |log| {
                log.deactivate("08:50:00", "x", "S1");
                let request = json!({"requestParameters": {"serialNumber": arn("S1")}});
                log.add("09:00:00", "sts", "AssumeRole", user("x"), request);
            },
            "x#1 mfa_use_while_disabled",
        ),
        (
            |log| {
                log.deactivate("08:50:00", "x", "S1");
                log.check("09:00:00", user("x"), true);
            },
            "x#1 mfa_check_while_disabled",
        ),
        (
            |log| {
                log.deactivate("08:50:00", "x", "S1");
                log.call("09:00:00", session(user("x"), "2024-05-01T08:55:00Z", json!("true")));
            },
            "x#1 mfa_session_while_disabled",
        ),
        (
            |log| {
                log.deactivate("08:50:00", "x", "S1");
                log.delete("08:51:00", "x");
                log.enable("09:00:00", "x", "S2");
            },
            "x#2 enable_on_deleted",
        ),
        (
            |log| {
                log.deactivate("08:50:00", "x", "S1");
                log.delete("08:51:00", "x");
                log.login_profile("09:00:00", "Create", "x");
            },
            "x#2 implied_recreation",
        ),
    ];
    for (story, expected) in stories {
        let mut log = Log::new();
        log.create("08:00:00", "x");
        log.enable("08:10:00", "x", "S1");
        story(&mut log);
        assert_eq!(found(&log.told()), [expected]);
    }
}

const TAKEN: &str = "amy#1 device_taken_while_active";
const DESTROYED: &str = "amy#1 device_deleted_while_active";

/// Amy, who has one device, and bob, and what happens then.
fn with_amy(story: fn(&mut Log)) -> (Vec<String>, Vec<String>) {
    let mut log = Log::new();
    log.create("08:00:00", "amy");
    log.create("08:00:00", "bob");
    log.enable("08:10:00", "amy", "A");
    story(&mut log);
    let told = log.told();
    (states(&told, None), found(&told))
}

#[test]
fn a_device_is_in_one_hand() {
    let of = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    let enabled = with_amy(|log| {
        log.enable("09:00:00", "bob", "A");
    });
    assert_eq!(enabled, (of(&["amy#1 unknown no-pw", "bob#1 enabled (lifecycle) [A] no-pw"]), of(&[TAKEN])));
    let used = with_amy(|log| {
        log.enable("08:20:00", "amy", "B");
        let request = json!({"requestParameters": {"serialNumber": arn("A")}});
        log.add("09:00:00", "sts", "GetSessionToken", user("bob"), request);
        log.destroy("10:00:00", "A");
    });
    assert_eq!(used.0[0], "amy#1 enabled (lifecycle) [B] no-pw");
    assert!(used.1.contains(&TAKEN.to_owned()), "{used:?}");
    let unassigned = with_amy(|log| {
        log.deactivate("09:00:00", "bob", "A");
    });
    assert_eq!(unassigned.0[0], "amy#1 unknown no-pw");
    assert!(unassigned.1.contains(&TAKEN.to_owned()), "{unassigned:?}");
    let made = with_amy(|log| {
        log.make("09:00:00", "A");
    });
    assert_eq!((&made.0[0][..], made.1), ("amy#1 unknown no-pw", of(&[DESTROYED])));
}

#[test]
fn what_changes_hands_within_a_second_is_in_one_hand_after_it() {
    let handed = with_amy(|log| {
        log.deactivate("09:00:00", "amy", "A");
        log.enable("09:00:00", "bob", "A");
        log.destroy("10:00:00", "A");
    });
    assert_eq!(handed.0, ["amy#1 disabled (deactivated) no-pw", "bob#1 disabled (deactivated) no-pw"]);
    assert_eq!(handed.1, ["bob#1 device_deleted_while_active"]);
    let anew = with_amy(|log| {
        log.deactivate("09:00:00", "amy", "A");
        log.destroy("09:00:00", "A");
        log.make("09:00:00", "A");
        log.enable("09:00:01", "amy", "A");
    });
    assert_eq!((&anew.0[0][..], anew.1), ("amy#1 enabled (lifecycle) [A] no-pw", Vec::new()));
}

#[test]
fn a_name_that_is_taken_is_given_to_nobody_else() {
    let mut log = Log::new();
    log.create("08:00:00", "amy");
    log.create("08:00:00", "bob");
    log.enable("08:10:00", "bob", "B");
    log.rename("09:00:00", "amy", "bob");
    let told = log.told();
    assert_eq!(found(&told), ["bob#2 recreated_without_delete"]);
    assert_eq!(states(&told, None), ["bob#1 deleted", "bob#2 disabled (created) no-pw"]);
    // A name in other letters is the same name, and one's own is free.
    let mut log = Log::new();
    log.create("08:00:00", "amy");
    log.rename("09:00:00", "amy", "Amy");
    assert_eq!(found(&log.told()), [""; 0]);
}

/// Of very many records nobody knows which share an id; then the answer says that it was not looked for.
#[test]
fn what_was_not_looked_for_is_not_ruled_out() {
    let told = Told { not_looked_for: vec![FindingKind::SameEventIdDifferentBody], ..Told::default() };
    let answer = findings(&told);
    assert!(answer.findings.is_empty());
    assert_eq!(answer.not_looked_for, ["same_event_id_different_body"]);
    assert!(findings(&Told::default()).not_looked_for.is_empty());
}
