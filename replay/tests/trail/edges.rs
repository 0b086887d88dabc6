//! The cases that a correct replay has to survive, each as small as it can be. The numbers are those of the rules.

use countersign_replay::ask::{SignInsQuery, sign_ins, timeline};
use serde_json::json;

use crate::support::{ACCOUNT, Log, arn, found, root, session, states, uid, user};

#[test]
fn case_01_failed_calls_change_nothing() {
    let mut log = Log::new();
    log.create("08:00:00", "alice");
    log.create("08:00:00", "carol");
    Log::failing(log.enable("09:00:00", "carol", "S1"), "InvalidAuthenticationCode");
    Log::failing(log.create_as("09:00:30", "alice", &uid("other")), "EntityAlreadyExistsException");
    let nothing = log.iam("09:00:40", "DeactivateMFADevice", json!(null));
    Log::failing(nothing, "AccessDenied");
    log.enable("09:01:20", "carol", "S1");
    let told = log.told();
    let before = ["alice#1 disabled (created) no-pw", "carol#1 disabled (created) no-pw"];
    assert_eq!(states(&told, Some("2024-05-01T09:01:19Z")), before);
    assert_eq!(states(&told, None)[1], "carol#1 enabled (lifecycle) [S1] no-pw");
    let rows = timeline(&told, &told.find("carol")).timelines[0].events.clone();
    let effects: Vec<&str> = rows.iter().map(|row| row.effect.as_str()).collect();
    assert_eq!(effects, ["changed", "failed: InvalidAuthenticationCode", "changed"]);
}

#[test]
fn case_02_the_deletion_of_a_device_may_be_delivered_before_its_deactivation() {
    let mut log = Log::new();
    log.create("08:00:00", "alice");
    log.enable("08:30:00", "alice", "S1");
    log.destroy("09:00:00", "S1");
    log.deactivate("09:00:00", "alice", "S1");
    let told = log.told();
    assert_eq!(states(&told, None), ["alice#1 disabled (deactivated) no-pw"]);
    assert!(found(&told).is_empty());
}

#[test]
fn case_07_a_name_that_is_created_anew_is_another_principal() {
    let mut log = Log::new();
    log.create_as("08:00:00", "bob", "AIDABOBBOBBOBBOB1");
    log.enable("08:10:00", "bob", "S1");
    log.deactivate("08:20:00", "bob", "S1");
    log.delete("08:30:00", "bob");
    log.create_as("09:00:00", "BOB", "AIDABOBBOBBOBBOB2");
    let told = log.told();
    assert_eq!(states(&told, None), ["bob#1 deleted", "BOB#2 disabled (created) no-pw"]);
    let early = ["bob#1 enabled (lifecycle) [S1] no-pw", "BOB#2 nonexistent"];
    assert_eq!(states(&told, Some("2024-05-01T08:15:00Z")), early);
    assert!(found(&told).is_empty());
}

#[test]
fn case_08_a_renamed_user_keeps_its_devices_and_frees_its_name() {
    let mut log = Log::new();
    log.create("08:00:00", "frank");
    log.enable("08:10:00", "frank", "S1");
    log.rename("09:00:00", "frank", "francis");
    log.deactivate("10:00:00", "francis", "S1");
    log.create_as("11:00:00", "frank", "AIDAFRANKTHESECOND");
    let told = log.told();
    let expected = ["francis#1 disabled (deactivated) no-pw", "frank#2 disabled (created) no-pw"];
    assert_eq!(states(&told, None), expected);
    assert_eq!(states(&told, Some("2024-05-01T09:30:00Z"))[0], "francis#1 enabled (lifecycle) [S1] no-pw");
    assert!(found(&told).is_empty());
}

#[test]
fn case_09_every_form_of_a_serial_number_is_a_device() {
    let forms = [
        format!("arn:aws:iam::{ACCOUNT}:u2f/user/alice/key-1"),
        format!("arn:aws:iam::{ACCOUNT}:sms-mfa/alice"),
        "GAHT12345678".to_owned(),
    ];
    let mut log = Log::new();
    log.create("08:00:00", "alice");
    for form in &forms {
        log.enable("08:10:00", "alice", form);
    }
    let told = log.told();
    let all = forms.iter().map(String::as_str);
    let devices = ["GAHT12345678"].into_iter().chain(all.clone().filter(|form| form.starts_with("arn")));
    let mut devices: Vec<&str> = devices.collect();
    devices.sort_unstable();
    assert_eq!(states(&told, None), [format!("alice#1 enabled (lifecycle) [{}] no-pw", devices.join(" "))]);
}

#[test]
fn case_10_root_is_nobody_who_is_called_root() {
    let mut log = Log::new();
    log.create("08:00:00", "root");
    log.enable("08:10:00", "AWS ROOT USER", "their-key");
    log.create("08:20:00", "alice");
    log.enable("08:30:00", "alice", "root-account-mfa-device");
    log.deactivate("08:40:00", "AWS ROOT USER", "their-key");
    let told = log.told();
    let expected = [
        "root unknown",
        "alice#1 enabled (lifecycle) [root-account-mfa-device] no-pw",
        "root#1 disabled (created) no-pw",
    ];
    assert_eq!(states(&told, None), expected);
}

#[test]
fn case_11_a_management_account_acts_on_the_root_of_a_member() {
    let member = "444455556666";
    let serial = format!("arn:aws:iam::{member}:mfa/member-root");
    let mut log = Log::of_one_device();
    log.enable("07:00:00", "AWS ROOT USER", "our-root");
    let mut identity = json!({"type": "Root", "principalId": member, "accountId": member,
                              "arn": format!("arn:aws:iam::{member}:root")});
    identity["sessionContext"] = json!({"assumedRoot": "true",
        "attributes": {"creationDate": "2019-05-01T08:00:00Z", "mfaAuthenticated": "true"}});
    let rest = json!({"requestParameters": {"serialNumber": serial}, "recipientAccountId": member});
    log.add("09:00:00", "iam", "DeactivateMFADevice", identity, rest);
    let told = log.told();
    let expected = ["root enabled (lifecycle) [our-root]", "444455556666/root disabled (deactivated)"];
    assert_eq!(states(&told, None), expected);
    assert!(found(&told).is_empty());
}

#[test]
fn case_12_the_account_that_a_call_was_made_to_has_the_user() {
    let mut log = Log::new();
    let elsewhere = json!({"type": "AWSAccount", "accountId": "999988887777", "principalId": "AROAELSEWHERE:x"});
    let rest = json!({"requestParameters": {"userName": "alice", "serialNumber": arn("S1")}});
    log.add("09:00:00", "iam", "EnableMFADevice", elsewhere, rest);
    assert_eq!(states(&log.told(), None), ["alice#1 enabled (lifecycle) [S1]"]);
}

#[test]
fn case_13_somebody_acts_for_another_or_for_himself() {
    let mut log = Log::of_one_device();
    let by_alice = |log: &mut Log, clock: &str, request| {
        log.add(clock, "iam", "EnableMFADevice", user("alice"), json!({ "requestParameters": request }));
    };
    by_alice(&mut log, "09:00:00", json!({"userName": "bob", "serialNumber": arn("B1")}));
    by_alice(&mut log, "09:01:00", json!({"serialNumber": arn("A1")}));
    let expected = ["alice#1 enabled (lifecycle) [A1]", "bob#1 enabled (lifecycle) [B1]"];
    assert_eq!(states(&log.told(), None), expected);
}

#[test]
fn case_14_a_live_session_does_not_switch_mfa_on_again() {
    let mut log = Log::new();
    log.create("08:00:00", "dave");
    log.enable("08:10:00", "dave", "S1");
    log.deactivate("10:00:00", "dave", "S1");
    for mfa in [json!("true"), json!(true)] {
        log.call("11:00:00", session(user("dave"), "2024-05-01T09:00:00Z", mfa));
    }
    let told = log.told();
    assert_eq!(states(&told, None), ["dave#1 disabled (deactivated) no-pw"]);
    assert!(found(&told).is_empty());
}

#[test]
fn case_15_the_first_of_several_devices_is_not_the_last() {
    let mut log = Log::new();
    log.create("08:00:00", "alice");
    log.enable("08:10:00", "alice", "S1");
    log.enable("08:20:00", "alice", "S2");
    log.deactivate("09:00:00", "alice", "S1");
    assert_eq!(states(&log.told(), None), ["alice#1 enabled (lifecycle) [S2] no-pw"]);
    log.deactivate("10:00:00", "alice", "S2");
    assert_eq!(states(&log.told(), None), ["alice#1 disabled (deactivated) no-pw"]);
}

#[test]
fn case_16_whoever_was_there_before_the_log_may_have_more() {
    let mut log = Log::new();
    log.enable("08:10:00", "alice", "S1");
    log.deactivate("09:00:00", "alice", "S1");
    log.deactivate("09:00:00", "bob", "B1");
    assert_eq!(states(&log.told(), None), ["alice#1 unknown", "bob#1 unknown"]);

    let mut log = Log::of_one_device();
    log.deactivate("09:00:00", "bob", "B1");
    assert_eq!(states(&log.told(), None), ["bob#1 disabled (deactivated)"]);
}

#[test]
fn case_16_the_day_when_several_devices_became_possible_divides() {
    for (day, expected) in [("2022-11-15T23:59:59Z", "disabled (deactivated)"), ("2022-11-16T00:00:00Z", "unknown")] {
        let mut log = Log::new();
        log.deactivate(day, "alice", "S1");
        assert_eq!(states(&log.told(), None), [format!("alice#1 {expected}")]);
    }
}

#[test]
fn case_17_a_session_without_mfa_proves_nothing() {
    let mut log = Log::new();
    log.create("08:00:00", "alice");
    log.enable("08:10:00", "alice", "S1");
    log.call("09:00:00", session(user("alice"), "2024-05-01T08:59:00Z", json!("false")));
    log.call("09:10:00", user("alice"));
    let told = log.told();
    assert_eq!(states(&told, None), ["alice#1 enabled (lifecycle) [S1] no-pw"]);
    assert!(found(&told).is_empty());
}

#[test]
fn case_18_a_device_that_was_made_and_never_enabled_belongs_to_nobody() {
    let mut log = Log::new();
    log.create("08:00:00", "alice");
    let request = json!({"requestParameters": {"virtualMFADeviceName": "phone"}});
    log.add("08:10:00", "iam", "CreateVirtualMFADevice", user("alice"), request);
    log.destroy("08:20:00", "phone");
    let told = log.told();
    assert_eq!(states(&told, None), ["alice#1 disabled (created) no-pw"]);
    assert!(found(&told).is_empty());
}

#[test]
fn case_19_a_lost_record_shows_in_what_follows() {
    let mut log = Log::new();
    log.create("08:00:00", "alice");
    log.sign_in("09:00:00", user("alice"), "Yes", true);
    let told = log.told();
    assert_eq!(states(&told, None), ["alice#1 enabled (evidence) pw"]);
    assert_eq!(found(&told), ["alice#1 mfa_signin_while_disabled"]);
}

#[test]
fn case_22_nobody_sees_the_mfa_of_another_identity_provider() {
    let mut log = Log::new();
    log.create("08:00:00", "alice");
    log.enable("08:10:00", "alice", "S1");
    let provider = json!({"MFAUsed": "No", "SamlProviderArn": format!("arn:aws:iam::{ACCOUNT}:saml-provider/idp")});
    log.sign_in("09:00:00", user("alice"), "No", true)["additionalEventData"] = provider;
    let role = json!({"type": "AssumedRole", "accountId": ACCOUNT, "arn": "arn:aws:sts::1:assumed-role/sso/lee"});
    log.sign_in("09:10:00", role, "No", true);
    let told = log.told();
    assert!(found(&told).is_empty());
    let without = SignInsQuery { without_mfa: true, ..SignInsQuery::default() };
    let answer = sign_ins(&told, &without);
    assert_eq!((answer.signins.len(), answer.federated.len()), (0, 2));
}

#[test]
fn case_23_yes_and_no_in_every_case_and_the_device_that_was_used() {
    let mut log = Log::new();
    for (minute, word) in ["YES", "Yes", "yes"].iter().enumerate() {
        log.sign_in(&format!("09:0{minute}:00"), root(), word, true)["additionalEventData"]["MFAIdentifier"] =
            json!(arn("root-key"));
    }
    assert_eq!(states(&log.told(), None), ["root enabled (evidence) [root-key] pw"]);
    for word in ["NO", "No", "no"] {
        let mut log = Log::new();
        log.sign_in("09:00:00", root(), word, true);
        assert_eq!(states(&log.told(), None), ["root disabled (signed_in_without_mfa) pw"]);
    }
}

#[test]
fn case_24_booleans_and_words_and_dates_without_marks() {
    for (mfa, opened) in [
        (json!(true), "20170301T090500Z"),
        (json!("true"), "2017-03-01T09:05:00Z"),
        (json!("True"), "2017-03-01T09:05:00Z"),
    ] {
        let mut log = Log::new();
        log.call("09:00:00", session(user("alice"), opened, mfa));
        let told = log.told();
        assert_eq!(states(&told, Some("2017-03-01T09:04:59Z")), ["alice#1 unknown"]);
        assert_eq!(states(&told, Some("2017-03-01T09:05:00Z")), ["alice#1 enabled (evidence)"]);
    }
}

#[test]
fn case_25_other_services_have_users_of_their_own() {
    let mut log = Log::new();
    log.create("08:00:00", "alice");
    for source in ["transfer", "sso-directory", "identitystore", "cognito-idp"] {
        log.add("09:00:00", source, "DeleteUser", user("bob"), json!({"requestParameters": {"userName": "alice"}}));
    }
    assert_eq!(states(&log.told(), None), ["alice#1 disabled (created) no-pw"]);
}

#[test]
fn case_26_a_hidden_name_is_nobody() {
    let mut log = Log::new();
    let hidden = json!({"type": "IAMUser", "accountId": ACCOUNT, "userName": "HIDDEN_DUE_TO_SECURITY_REASONS"});
    log.sign_in("09:00:00", hidden, "No", false);
    let mut typed = user("hunter2");
    typed["principalId"] = json!(null);
    log.sign_in("09:01:00", typed, "No", false)["errorMessage"] = json!("No username found in supplied account");
    let told = log.told();
    assert!(states(&told, None).is_empty());
    let ids = sign_ins(&told, &SignInsQuery::default()).signins;
    let ids: Vec<&str> = ids.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(ids, ["HIDDEN_DUE_TO_SECURITY_REASONS"; 2]);
}

#[test]
fn case_29_an_account_is_a_text_whatever_its_digits() {
    for account in ["012345678901", "1234567890123", "000000000000"] {
        let mut log = Log { account, ..Log::new() };
        log.create("08:00:00", "alice");
        assert_eq!(states(&log.told(), None), [format!("{account}/alice#1 disabled (created) no-pw")]);
    }
}

#[test]
fn case_34_the_region_does_not_matter() {
    let mut log = Log::new();
    log.create("08:00:00", "alice")["awsRegion"] = json!("eu-central-1");
    log.enable("09:00:00", "alice", "S1")["awsRegion"] = json!("ap-southeast-2");
    assert_eq!(states(&log.told(), None), ["alice#1 enabled (lifecycle) [S1] no-pw"]);
}

#[test]
fn case_35_the_check_of_a_factor_is_no_sign_in() {
    let mut log = Log::new();
    log.check("08:59:50", user("alice"), false);
    log.check("09:00:00", user("bob"), true);
    let told = log.told();
    assert_eq!(states(&told, None), ["bob#1 enabled (evidence)"]);
    assert!(sign_ins(&told, &SignInsQuery::default()).signins.is_empty());
}

#[test]
fn a_principal_is_called_by_its_name_at_the_instant() {
    let mut log = Log::new();
    log.create("08:00:00", "frank");
    log.rename("09:00:00", "frank", "francis");
    log.create_as("10:00:00", "frank", "AIDAFRANKFRANK002");
    let told = log.told();
    assert_eq!(
        states(&told, Some("2024-05-01T08:30:00Z")),
        ["frank#1 disabled (created) no-pw", "frank#2 nonexistent"]
    );
    assert_eq!(states(&told, Some("2024-05-01T09:00:00Z"))[0], "francis#1 disabled (created) no-pw");
    assert_eq!(told.find_at("frank#1", Some(countersign_replay::time::Time(1_714_552_200_000))), told.find("francis"));
}

#[test]
fn steps_that_change_nothing_share_what_they_say() {
    let mut log = Log::new();
    log.enable("08:00:00", "x", "A");
    log.enable("08:00:00", "x", "B");
    log.resync("09:00:00", "x", "A");
    log.resync("10:00:00", "x", "B");
    let told = log.told();
    let steps = told.history.lives()[0].steps();
    let [before, after] = [&steps[2].after, &steps[3].after];
    assert!(std::sync::Arc::ptr_eq(&before.devices, &after.devices));
    assert!(std::sync::Arc::ptr_eq(&before.deciding, &after.deciding));
}
