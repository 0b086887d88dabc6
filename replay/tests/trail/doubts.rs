//! Records that say less than they should: what they leave open must not be answered.

use countersign_replay::ask::{StateQuery, state};
use countersign_replay::trail::LoadOptions;
use serde_json::json;

use crate::support::{Log, arn, found, load_files, session, states, tell, time, told_of, uid, user};

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

/// The devices of lee that are on, and those that may be.
fn devices_of(log: &Log) -> (Vec<String>, Vec<String>) {
    let told = log.told();
    let row = state(&told, &StateQuery::default()).principals.remove(0);
    let names = |serials: &[std::sync::Arc<str>]| serials.iter().map(|serial| serial.replace(&arn(""), "")).collect();
    (names(&row.devices), names(&row.maybe_devices))
}

#[test]
fn what_may_still_be_on_is_listed_as_such() {
    let list = |on: &[&str], maybe: &[&str]| {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        (owned(on), owned(maybe))
    };
    let mut log = Log::new();
    log.create("08:00:00", "lee");
    log.enable("08:10:00", "lee", "S1");
    log.enable("08:20:00", "lee", "S2");
    log.enable("08:30:00", "lee", "S3");
    assert_eq!(devices_of(&log), list(&["S1", "S2", "S3"], &[]));
    log.add("09:00:00", "iam", "DeactivateMFADevice", user("lee"), json!({"requestParameters": null}));
    assert_eq!(states(&log.told(), None), ["lee#1 unknown no-pw"]);
    assert_eq!(devices_of(&log), list(&[], &["S1", "S2", "S3"]));
    // What is seen again is on, and what goes by name is not in doubt any more.
    log.resync("09:10:00", "lee", "S1");
    log.deactivate("09:20:00", "lee", "S2");
    assert_eq!(devices_of(&log), list(&["S1"], &["S3"]));
    log.sign_in("09:30:00", user("lee"), "No", true);
    assert_eq!(devices_of(&log), list(&[], &[]));
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

#[test]
fn what_has_neither_a_time_nor_an_id_and_changes_nothing_is_named_as_no_record() {
    let mut log = Log::new();
    log.create("08:00:00", "lee");
    log.sign_in("09:00:00", user("lee"), "No", true);
    log.check("09:00:00", user("lee"), true);
    for record in &mut log.records[1..] {
        let record = record.as_object_mut().unwrap();
        record.remove("eventTime");
        record.remove("eventID");
    }
    let text = json!(log.records).to_string();
    let loaded = load_files(&[("log.json", text.as_bytes())], &LoadOptions::default());
    let skips: Vec<&str> = loaded.inputs.skips.iter().map(|skip| skip.why.as_str()).collect();
    assert_eq!(skips, ["things of no kind that is read here: 2"]);
    assert_eq!(states(&tell(loaded), None), ["lee#1 disabled (created) no-pw"]);
}

#[test]
fn the_case_of_an_event_source_does_not_matter() {
    let mut log = Log::new();
    log.create("08:00:00", "lee")["eventSource"] = json!("IAM.amazonaws.com");
    log.sign_in("08:10:00", user("lee"), "No", true)["eventSource"] = json!("Signin.AmazonAWS.com");
    log.add(
        "08:20:00",
        "sts",
        "GetSessionToken",
        user("lee"),
        json!({"requestParameters": {"serialNumber": arn("S1")}}),
    )["eventSource"] = json!("STS.AMAZONAWS.COM");
    assert_eq!(states(&log.told(), None), ["lee#1 enabled (evidence) [S1] pw"]);
}

/// A report whose dates are those of January 2023, and one of the next rotation.
const UNDATED: &str = "user,arn,user_creation_time,password_enabled,password_next_rotation,mfa_active\n\
    lee,arn:aws:iam::111122223333:user/lee,2023-01-01T00:00:00Z,true,2024-06-01T00:00:00Z,false\n";

#[test]
fn a_report_without_a_time_is_not_dated_into_the_future() {
    let options = LoadOptions::default();
    let alone = load_files(&[("report.csv", UNDATED.as_bytes())], &options);
    assert!(!alone.inputs.is_partial());
    let told = tell(alone);
    assert_eq!(states(&told, Some("2022-12-31T00:00:00Z")), ["lee#1 unknown"]);
    assert_eq!(states(&told, Some("2023-01-01T00:00:00Z")), ["lee#1 disabled (credential_report) pw"]);

    let mut log = Log::new();
    log.enable("2023-06-01T00:00:00Z", "lee", "S1");
    let records = json!(log.records).to_string();
    let both = load_files(&[("log.json", records.as_bytes()), ("report.csv", UNDATED.as_bytes())], &options);
    assert!(both.inputs.skips[0].why.starts_with("a credential report that does not tell when"));
    let told = tell(both);
    assert_eq!(states(&told, None), ["lee#1 enabled (lifecycle) [S1]"]);
    assert!(found(&told).is_empty());
}

#[test]
fn a_report_without_a_time_is_of_the_time_that_somebody_says() {
    let mut log = Log::new();
    log.create("08:00:00", "lee");
    log.enable("09:00:00", "lee", "S1");
    let log = json!({ "Records": log.records }).to_string();
    let said = |options: &LoadOptions| {
        let files: [(&str, &[u8]); 2] = [("log.json", log.as_bytes()), ("reports/may.csv", UNDATED.as_bytes())];
        let loaded = load_files(&files, options);
        (loaded.inputs.is_partial(), states(&tell(loaded), None))
    };
    let is = |partial: bool, state: &str| (partial, vec![state.to_owned()]);
    let before = is(false, "lee#1 enabled (lifecycle) [S1] pw");
    let after = is(false, "lee#1 disabled (credential_report) pw");
    assert_eq!(said(&LoadOptions::default()), is(true, "lee#1 enabled (lifecycle) [S1] no-pw"));
    let of_all = |at: &str| LoadOptions { report_time: Some(time(at)), ..LoadOptions::default() };
    assert_eq!(said(&of_all("2024-05-01T10:00:00Z")), after);
    assert_eq!(said(&of_all("2024-05-01T08:30:00Z")), before);
    let of_one = |file: &str, at: &str| LoadOptions {
        report_times: vec![(file.into(), time(at))],
        ..of_all("2024-05-01T08:30:00Z")
    };
    assert_eq!(said(&of_one("may.csv", "2024-05-01T10:00:00Z")), after);
    assert_eq!(said(&of_one("reports/may.csv", "2024-05-01T10:00:00Z")), after);
    assert_eq!(said(&of_one("y.csv", "2024-05-01T10:00:00Z")), before);
}

#[test]
fn what_is_said_of_one_report_comes_before_what_it_and_its_name_say() {
    let packed = data_encoding::BASE64.encode(UNDATED.as_bytes());
    let text = json!({"Content": packed, "GeneratedTime": "2024-05-02T00:00:00Z"}).to_string();
    let of = |options: &LoadOptions| {
        let loaded = load_files(&[("20240503T000000Z.json", text.as_bytes())], options);
        loaded.events[0].at.to_string()
    };
    let all = LoadOptions { report_time: Some(time("2024-05-04T00:00:00Z")), ..LoadOptions::default() };
    assert_eq!(of(&all), "2024-05-02T00:00:00Z");
    let one = ("20240503T000000Z.json".into(), time("2024-05-05T00:00:00Z"));
    assert_eq!(of(&LoadOptions { report_times: vec![one], ..all }), "2024-05-05T00:00:00Z");
}

#[test]
fn a_row_of_a_report_that_cannot_be_read_is_named_and_the_rest_is_used() {
    let rows: [&[u8]; 6] = [
        b"user,arn,password_enabled,mfa_active\n",
        b"amy,arn:aws:iam::111122223333:user/amy,true,perhaps\n",
        b"b\xffb,arn:aws:iam::111122223333:user/bob,true,true\n",
        b"cam,arn,true,true\n",
        b"lee,arn:aws:iam::111122223333:user/lee,true,true\n",
        b"zoe,arn:aws:iam::111122223333:user/zoe",
    ];
    let loaded = load_files(&[("20240501T100000Z.csv", &rows.concat())], &LoadOptions::default());
    let whys: Vec<&str> = loaded.inputs.skips.iter().map(|skip| skip.why.as_str()).collect();
    let expected = [
        "a row whose mfa_active is neither true nor false",
        "a row that is not UTF-8",
        "a row without an account",
        "a row that is not as long as the header",
    ];
    assert_eq!(whys, expected);
    assert_eq!(loaded.inputs.skips[0].place.rsplit(", ").next(), Some("row 1"));
    assert_eq!(states(&tell(loaded), None), ["lee#1 enabled (evidence) pw"]);
}

#[test]
fn one_bad_escape_loses_nothing_around_it() {
    let mut log = Log::new();
    log.create("08:00:00", "lee");
    log.enable("08:10:00", "lee", "S1");
    log.call("08:20:00", user("lee"))["userAgent"] = json!("BAD");
    log.deactivate("08:30:00", "lee", "S1");
    let document = json!({"Records": log.records}).to_string();
    for (bad, partial) in [("\"\\ud800\"", false), ("bad: bad", true)] {
        let document = document.replace("\"BAD\"", bad);
        let loaded = load_files(&[("log.json", document.as_bytes())], &LoadOptions::default());
        assert_eq!(loaded.inputs.is_partial(), partial, "{bad}");
        assert_eq!(states(&tell(loaded), None), ["lee#1 disabled (deactivated) no-pw"], "{bad}");
    }
}

#[test]
fn names_and_values_that_are_written_with_escapes_are_read() {
    let mut log = Log::new();
    log.create("08:00:00", "lee");
    log.enable("08:10:00", "lee", "S1");
    log.call("08:20:00", session(user("amy"), "2024-05-01T08:15:00Z", json!("true")));
    let document = json!({"Records": log.records}).to_string();
    let escapes = [
        ("EnableMFADevice", "EnableMFA\\u0044evice"),
        ("iam.amazonaws.com", "iam.amazonaws\\u002ecom"),
        ("\"eventName\"", "\"event\\u004eame\""),
        ("\"eventTime\"", "\"\\u0065ventTime\""),
        ("\"Records\"", "\"Record\\u0073\""),
        ("mfaAuthenticated", "mfaAuthenticate\\u0064"),
    ];
    for (plain, escaped) in escapes {
        let document = document.replace(plain, escaped);
        let told = tell(load_files(&[("log.json", document.as_bytes())], &LoadOptions::default()));
        let expected = ["amy#1 enabled (evidence)", "lee#1 enabled (lifecycle) [S1] no-pw"];
        assert_eq!(states(&told, None), expected, "{escaped}");
    }
}

#[test]
fn a_session_of_somebody_without_an_account_is_of_the_recipients() {
    for name in ["DescribeRegions", "CreateLoginProfile"] {
        let mut log = Log::new();
        let identity = json!({"type": "IAMUser", "userName": "amy", "principalId": uid("amy")});
        let identity = session(identity, "2024-05-01T08:15:00Z", json!("true"));
        log.add("08:20:00", "iam", name, identity, json!({"requestParameters": {"userName": "bob"}}));
        assert_eq!(states(&log.told(), None)[0], "amy#1 enabled (evidence)", "{name}");
    }
}

/// Records of one second and without an id are told apart by what they say, not by which was read first.
#[test]
fn of_records_of_a_session_that_tie_the_same_one_is_cited() {
    let mut log = Log::new();
    for region in ["eu-west-1", "us-east-1", "ap-south-1"] {
        log.call("08:20:00", session(user("amy"), "2024-05-01T08:15:00Z", json!("true")));
        let last = log.records.last_mut().unwrap();
        last["awsRegion"] = region.into();
        last.as_object_mut().unwrap().remove("eventID");
    }
    let cited = |log: &Log| {
        let told = told_of(&log.records);
        told.history.lives()[0].steps().iter().map(|step| step.event.cite.body).collect::<Vec<_>>()
    };
    let first = cited(&log);
    assert_eq!(first.len(), 1);
    for _ in 0..2 {
        log.records.rotate_left(1);
        assert_eq!(cited(&log), first);
    }
}

#[test]
fn a_session_that_was_opened_under_an_earlier_name_is_of_the_same_user() {
    for enabled in [true, false] {
        let mut log = Log::new();
        if enabled {
            log.enable("09:00:00", "frank", "S1");
        }
        log.rename("10:30:00", "frank", "francis");
        log.call("11:00:00", session(user("francis"), "2024-05-01T10:00:00Z", json!("true")));
        log.deactivate("12:00:00", "francis", "S1");
        let told = log.told();
        let before = if enabled { "francis#1 enabled (lifecycle) [S1]" } else { "francis#1 enabled (evidence)" };
        assert_eq!(states(&told, Some("2024-05-01T11:00:00Z")), [before]);
        assert_eq!(states(&told, None), ["francis#1 unknown"]);
        assert!(found(&told).is_empty());
    }
}

#[test]
fn a_session_under_a_name_that_was_anothers_is_not_the_others() {
    let mut log = Log::new();
    log.create("08:00:00", "francis");
    log.create_as("08:00:00", "frank", "AIDAFRANKFRANK1");
    log.rename("10:10:00", "francis", "fred");
    log.rename("10:30:00", "frank", "francis");
    let mut opener = user("francis");
    opener.as_object_mut().unwrap().remove("principalId");
    log.call("11:00:00", session(opener, "2024-05-01T10:00:00Z", json!("true")));
    let expected = ["francis#1 enabled (evidence) no-pw", "fred#1 disabled (created) no-pw"];
    let states: Vec<String> = states(&log.told(), None).iter().map(|line| line.replace("#2", "#1")).collect();
    assert_eq!(states, expected);
}

#[test]
fn after_a_contradiction_the_set_is_no_longer_known_to_be_whole() {
    let mut log = Log::new();
    log.create("08:00:00", "amy");
    log.sign_in("09:00:00", user("amy"), "Yes", true);
    log.deactivate("10:00:00", "amy", "S1");
    let told = log.told();
    assert_eq!(found(&told), ["amy#1 mfa_signin_while_disabled"]);
    assert_eq!(states(&told, None), ["amy#1 unknown pw"]);
    log.sign_in("11:00:00", user("amy"), "No", true);
    assert_eq!(states(&log.told(), None), ["amy#1 disabled (signed_in_without_mfa) pw"]);
}

#[test]
fn more_devices_than_anybody_has_are_a_finding_and_not_kept() {
    let mut log = Log::new();
    log.create("08:00:00", "amy");
    (0..18).for_each(|number| {
        log.enable("09:00:00", "amy", &format!("S{number:02}"));
    });
    let told = log.told();
    assert_eq!(found(&told), ["amy#1 too_many_devices"; 2]);
    assert_eq!(told.history.lives()[0].at(None).devices.len(), 16);
    (0..16).for_each(|number| {
        log.deactivate("10:00:00", "amy", &format!("S{number:02}"));
    });
    assert_eq!(states(&log.told(), None), ["amy#1 enabled (lifecycle) no-pw"]);
    log.deactivate("10:00:01", "amy", "S16");
    assert_eq!(states(&log.told(), None), ["amy#1 unknown no-pw"]);
}

fn amends(record: &mut serde_json::Value, id: &str) {
    record["addendum"] = json!({"reason": "UPDATED_DATA", "originalEventID": id});
}

#[test]
fn an_addendum_does_not_replace_itself() {
    let mut log = Log::new();
    log.create("08:00:00", "amy");
    log.enable("09:00:00", "amy", "S1");
    amends(log.deactivate("10:00:00", "amy", "S1"), "e0002");
    assert_eq!(states(&log.told(), None), ["amy#1 disabled (deactivated) no-pw"]);
}

#[test]
fn of_two_addenda_of_one_record_the_newer_stays() {
    let mut log = Log::new();
    log.create("08:00:00", "amy");
    for device in ["S1", "S2", "S3"] {
        log.enable("09:00:00", "amy", device);
    }
    log.deactivate("10:00:00", "amy", "S1");
    amends(log.deactivate("10:00:00", "amy", "S2"), "e0004");
    amends(log.deactivate("10:00:00", "amy", "S3"), "e0004");
    assert_eq!(states(&log.told(), None), ["amy#1 enabled (lifecycle) [S1 S2] no-pw"]);
    let records: Vec<String> = log.records.iter().map(|record| json!([record]).to_string()).collect();
    let deliver = |place: usize| match place {
        5 => "a_20240502T0000Z.json".to_owned(),
        _ => format!("a_20240501T12{place:02}Z.json"),
    };
    let names: Vec<String> = (0..records.len()).map(deliver).collect();
    let files: Vec<(&str, &[u8])> =
        names.iter().map(String::as_str).zip(records.iter().map(|text| text.as_bytes())).collect();
    let told = tell(load_files(&files, &LoadOptions::default()));
    assert_eq!(states(&told, None), ["amy#1 enabled (lifecycle) [S1 S3] no-pw"]);
}

#[test]
fn of_addenda_that_name_each_other_the_newest_stays() {
    for count in [2, 3] {
        let mut log = Log::new();
        log.create("08:00:00", "amy");
        let devices = &["S1", "S2", "S3"][..count];
        for (place, device) in devices.iter().enumerate() {
            let other = format!("e{:04}", (place + 1) % count + 1);
            amends(log.enable(&format!("09:0{place}:00"), "amy", device), &other);
        }
        let newest = devices[count - 1];
        assert_eq!(states(&log.told(), None), [format!("amy#1 enabled (lifecycle) [{newest}] no-pw")]);
        // One that amends a member of the circle from outside it stays as well, and the circle does not come back.
        amends(log.enable("09:30:00", "amy", "S9"), "e0001");
        assert_eq!(states(&log.told(), None), ["amy#1 enabled (lifecycle) [S9] no-pw"]);
    }
}

#[test]
fn the_session_of_a_record_that_was_amended_is_no_evidence() {
    let mut log = Log::new();
    log.create("08:00:00", "amy");
    log.call("09:00:00", session(user("amy"), "2024-05-01T08:30:00Z", json!("true")));
    amends(log.call("09:00:00", session(user("amy"), "2024-05-01T08:30:00Z", json!("false"))), "e0001");
    assert_eq!(states(&log.told(), None), ["amy#1 disabled (created) no-pw"]);
}
