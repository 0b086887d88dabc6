//! Where a log contradicts itself: each contradiction by its name.

use serde_json::json;

use crate::support::{Log, arn, found, session, user};

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
