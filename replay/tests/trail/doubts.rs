//! Records that say less than they should: what they leave open must not be answered.

use serde_json::json;

use crate::support::{Log, found, states, user};

#[test]
fn a_device_that_was_taken_and_is_not_named_may_be_any() {
    let mut log = Log::new();
    log.create("08:00:00", "lee");
    log.enable("08:10:00", "lee", "S1");
    log.add("09:00:00", "iam", "DeactivateMFADevice", user("lee"), json!({"requestParameters": null}));
    let told = log.told();
    assert_eq!(states(&told, None), ["lee#1 unknown no-pw"]);
    assert_eq!(found(&told), ["lee#1 incomplete_record"]);

    let mut log = Log::of_one_device();
    log.enable("08:10:00", "lee", "S1");
    log.iam("09:00:00", "DeactivateMFADevice", json!({"userName": "lee"}));
    assert_eq!(states(&log.told(), None), ["lee#1 disabled (deactivated)"]);
}

#[test]
fn a_device_that_was_enabled_and_is_not_named_is_on() {
    let mut log = Log::new();
    log.create("08:00:00", "lee");
    log.iam("08:10:00", "EnableMFADevice", json!({"userName": "lee"}));
    assert_eq!(states(&log.told(), None), ["lee#1 enabled (lifecycle) no-pw"]);
    log.enable("08:20:00", "lee", "S1");
    log.deactivate("08:30:00", "lee", "S1");
    assert_eq!(states(&log.told(), None), ["lee#1 enabled (lifecycle) no-pw"]);
    log.deactivate("08:40:00", "lee", "S2");
    assert_eq!(states(&log.told(), None), ["lee#1 unknown no-pw"]);
}

#[test]
fn a_change_of_nobody_who_is_named_is_a_finding() {
    let mut log = Log::new();
    log.create("08:00:00", "lee");
    log.add("09:00:00", "iam", "DeleteUser", user("lee"), json!({"requestParameters": null}));
    log.iam("09:00:00", "EnableMFADevice", json!(null));
    log.iam("09:00:00", "UpdateUser", json!({"userName": "lee", "newPath": "/staff/"}));
    let told = log.told();
    assert_eq!(states(&told, None), ["lee#1 disabled (created) no-pw"]);
    assert_eq!(found(&told), ["- incomplete_record", "- incomplete_record"]);
}
