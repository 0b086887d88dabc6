//! Shapes, duplicates, orders, deliveries and reports.

use countersign_replay::ask::{SignInsQuery, findings, sign_ins};
use countersign_replay::trail::{LoadOptions, Loaded};
use serde_json::{Value, json};

use crate::support::{ACCOUNT, Log, arn, found, gzip, load_files, session, states, tell, time, user};

/// Three records of one user, who signs in with a password alone and then gets a device.
fn story() -> Log {
    let mut log = Log::new();
    log.create("08:00:00", "alice");
    log.sign_in("08:30:00", user("alice"), "No", true);
    log.enable("09:00:00", "alice", "S1");
    log
}

const END: [&str; 1] = ["alice#1 enabled (lifecycle) [S1] pw"];

fn read(files: &[(&str, &[u8])]) -> Loaded {
    load_files(files, &LoadOptions::default())
}

fn lines(records: &[Value]) -> String {
    records.iter().map(|record| format!("{record}\n")).collect()
}

#[test]
fn every_shape_plain_and_packed_says_the_same() {
    let records = story().records;
    let bridge = |record: &Value| json!({"version": "0", "detail-type": "AWS API Call via CloudTrail", "source": "aws.iam", "detail": record});
    let looked_up = |record: &Value| {
        json!({"EventId": record["eventID"], "EventTime": "2024-05-01T10:00:00+01:00", "ReadOnly": "false",
               "CloudTrailEvent": record.to_string()})
    };
    let bridges: Vec<Value> = records.iter().map(bridge).collect();
    let looked: Vec<Value> = records.iter().map(looked_up).collect();
    let shapes = [
        json!({ "Records": records }).to_string(),
        json!(records).to_string(),
        serde_json::to_string_pretty(&json!({ "Records": records })).unwrap(),
        lines(&records),
        lines(&bridges),
        json!(bridges).to_string(),
        json!({ "Events": looked, "NextToken": "more" }).to_string(),
        lines(&[json!({ "Records": records[..2] }), records[2].clone()]),
    ];
    for shape in &shapes {
        for (name, bytes) in [("a.gz", shape.as_bytes().to_vec()), ("b.json", gzip(shape.as_bytes()))] {
            let loaded = read(&[(name, &bytes)]);
            assert_eq!((loaded.inputs.records, loaded.inputs.is_partial()), (3, false), "{shape}");
            assert_eq!(states(&tell(loaded), None), END, "{shape}");
        }
    }
    let one = read(&[("one.json", records[0].to_string().as_bytes())]);
    assert_eq!(states(&tell(one), None), ["alice#1 disabled (created) no-pw"]);
}

#[test]
fn case_03_neither_the_order_of_files_nor_that_of_records_matters() {
    let mut records = story().records;
    records.reverse();
    let parts: Vec<String> = records.iter().map(Value::to_string).collect();
    let files = [("a.json", parts[0].as_bytes()), ("b.json", parts[1].as_bytes()), ("c.json", parts[2].as_bytes())];
    assert_eq!(states(&tell(read(&files)), None), END);
    assert_eq!(states(&crate::support::told_of(&records), None), END);
}

#[test]
fn case_04_a_record_that_came_twice_counts_once() {
    let records = story().records;
    let other_order: Value = serde_json::from_str(&records[1].to_string()).unwrap();
    let again = serde_json::to_string_pretty(&json!([other_order])).unwrap();
    let loaded = read(&[("a.json", lines(&records).as_bytes()), ("b.json", again.as_bytes())]);
    assert_eq!((loaded.inputs.records, loaded.inputs.unique_records), (4, Some(3)));
    assert_eq!(sign_ins(&tell(loaded), &SignInsQuery::default()).signins.len(), 1);
}

#[test]
fn case_05_one_id_with_two_contents_are_two_records_and_a_finding() {
    let mut log = Log::new();
    log.create("08:00:00", "alice");
    log.create("08:00:00", "bob")["eventID"] = json!("e0000");
    let told = log.told();
    assert_eq!(states(&told, None).len(), 2);
    assert_eq!(found(&told), ["- same_event_id_different_body"]);
}

#[test]
fn case_06_a_record_without_an_id_is_like_no_other() {
    let mut log = Log::new();
    for name in ["alice", "bob"] {
        log.create("08:00:00", name).as_object_mut().unwrap().remove("eventID");
    }
    let loaded = read(&[("a.json", lines(&log.records).as_bytes())]);
    assert_eq!(loaded.inputs.unique_records, Some(2));
    assert_eq!(states(&tell(loaded), None).len(), 2);
}

#[test]
fn case_20_updated_data_replaces_the_record() {
    let mut log = Log::new();
    log.create("08:00:00", "judy");
    Log::failing(log.enable("09:00:00", "judy", "S1"), "ServiceFailure");
    log.enable("09:00:00", "judy", "S1")["addendum"] =
        json!({"reason": "UPDATED_DATA", "updatedFields": "errorCode", "originalEventID": "e0001"});
    log.create("08:00:00", "kim");
    log.enable("09:10:00", "kim", "S2")["addendum"] = json!({"reason": "DELIVERY_DELAY"});
    log.enable("09:20:00", "kim", "S3");
    let renewed = log.iam("09:20:00", "EnableMFADevice", json!({"userName": "judy", "serialNumber": arn("S3")}));
    renewed["addendum"] = json!({"reason": "UPDATED_DATA", "originalEventID": "e0005"});
    let told = log.told();
    let expected = ["judy#1 enabled (lifecycle) [S1 S3] no-pw", "kim#1 enabled (lifecycle) [S2] no-pw"];
    assert_eq!(states(&told, None), expected);
}

#[test]
fn case_21_what_was_known_is_what_had_been_delivered() {
    let records = story().records;
    let early = lines(&records[..2]);
    let late = lines(&records[2..]);
    let files = [
        ("1_CloudTrail_us-east-1_20240501T0840Z_a.json", early.as_bytes()),
        ("1_CloudTrail_us-east-1_20240502T0000Z_b.json", late.as_bytes()),
    ];
    let known = |at| LoadOptions { known_at: Some(time(at)), ..LoadOptions::default() };
    let told = tell(load_files(&files, &known("2024-05-01T23:59:00Z")));
    assert_eq!(states(&told, None), ["alice#1 disabled (created) pw"]);
    let told = tell(load_files(&files, &known("2024-05-02T00:00:00Z")));
    assert_eq!(states(&told, None), END);
    // A file that does not tell when it came holds what was known as it happened.
    let told = tell(load_files(&[("x.json", lines(&records).as_bytes())], &known("2024-05-01T08:10:00Z")));
    assert_eq!(states(&told, None), ["alice#1 disabled (created) no-pw"]);
}

#[test]
fn case_27_what_is_no_record_is_counted_and_passed_over() {
    let records = lines(&story().records);
    let digest = json!({"awsAccountId": ACCOUNT, "digestS3Object": "AWSLogs/x.json.gz", "logFiles": []}).to_string();
    let insight = json!({"eventName": "RunInstances", "eventTime": "2024-05-01T09:00:00Z", "eventCategory": "Insight",
                         "insightDetails": {"state": "Start"}});
    let insights = json!({"Records": [insight]}).to_string();
    let files: [(&str, &[u8]); 7] = [
        ("AWSLogs/CloudTrail/a.json", records.as_bytes()),
        ("AWSLogs/CloudTrail-Digest/d.json.gz", &gzip(digest.as_bytes())),
        ("AWSLogs/CloudTrail-Insight/i.json", insights.as_bytes()),
        ("empty", b""),
        ("empty.gz", &gzip(b"")),
        ("none.json", b"{\"Records\":[]}"),
        ("README.md", b"# Logs of the account\n"),
    ];
    let loaded = read(&files);
    let kinds: Vec<(&str, u64)> = loaded.inputs.kinds.iter().map(|(kind, count)| (*kind, *count)).collect();
    let expected = [("digest", 1), ("empty", 2), ("insight", 1), ("no_records", 1), ("other", 1), ("record", 3)];
    assert_eq!((kinds.as_slice(), loaded.inputs.is_partial()), (&expected[..], false));
    assert_eq!(states(&tell(loaded), None), END);
}

#[test]
fn case_28_old_and_new_formats() {
    for version in ["1.0", "1.01", "1.05", "1.10", "1.11"] {
        let mut log = Log::new();
        let record = log.create("08:00:00", "alice");
        record["eventVersion"] = json!(version);
        for key in ["eventID", "recipientAccountId", "awsRegion"] {
            record.as_object_mut().unwrap().remove(key);
        }
        assert_eq!(states(&log.told(), None), ["alice#1 disabled (created) no-pw"]);
    }
}

#[test]
fn case_30_a_time_that_cannot_be_read_is_a_finding() {
    let mut log = story();
    log.create("08:00:00", "bob")["eventTime"] = json!("redacted");
    log.create("08:00:00", "eve")["eventTime"] = json!(null);
    log.create("08:00:00", "kim")["eventTime"] = json!("2024-05-01 08:00:00.000000000");
    let told = log.told();
    assert_eq!(states(&told, None), [END[0], "kim#1 disabled (created) no-pw"]);
    assert_eq!(found(&told), ["- bad_eventTime", "- bad_eventTime"]);
}

#[test]
fn a_record_without_a_time_is_not_passed_over() {
    for time in [Some(json!(null)), Some(json!(7)), None] {
        let mut log = story();
        let record = log.deactivate("10:00:00", "alice", "S1").as_object_mut().unwrap();
        record.remove("eventTime");
        record.extend(time.map(|time| ("eventTime".to_owned(), time)));
        assert_eq!(found(&log.told()), ["- bad_eventTime"]);
        log.records.last_mut().unwrap().as_object_mut().unwrap().remove("eventID");
        assert_eq!(found(&log.told()), ["- bad_eventTime"]);
    }
}

const REPORT_HEAD: &str = "user,arn,user_creation_time,password_enabled,mfa_active\n";

fn report(rows: &[(&str, &str, &str)]) -> Vec<u8> {
    let line = |(name, password, mfa): &(&str, &str, &str)| {
        let tail = if *name == "<root_account>" { "root".to_owned() } else { format!("user/{name}") };
        format!("{name},arn:aws:iam::{ACCOUNT}:{tail},2020-01-01T00:00:00+00:00,{password},{mfa}\n")
    };
    format!("{REPORT_HEAD}{}", rows.iter().map(line).collect::<String>()).into_bytes()
}

#[test]
fn case_31_a_report_anchors_what_the_log_cannot_tell() {
    let mut log = Log::new();
    log.enable("08:00:00", "alice", "S1");
    log.deactivate("09:00:00", "alice", "S1");
    let rows = [
        ("<root_account>", "not_supported", "TRUE"),
        ("alice", "true", "false"),
        ("christopher", "true", "False"),
        ("christopher", "true", "False"),
    ];
    let report = report(&rows);
    let loaded = read(&[("log.json", lines(&log.records).as_bytes()), ("111122223333_20240501T100000Z.csv", &report)]);
    let told = tell(loaded);
    let expected = [
        "root enabled (evidence)",
        "alice#1 disabled (credential_report) pw",
        "christopher#1 disabled (credential_report) pw",
    ];
    assert_eq!(states(&told, None), expected);
    assert!(found(&told).is_empty());
}

#[test]
fn a_report_that_disagrees_is_a_finding() {
    let mut log = Log::new();
    log.create("08:00:00", "alice");
    log.create("08:00:00", "bob");
    log.enable("08:10:00", "bob", "S1");
    let report = report(&[("alice", "true", "true"), ("bob", "false", "false")]);
    let told = tell(read(&[("log", lines(&log.records).as_bytes()), ("20240501T100000Z.csv", &gzip(&report))]));
    let expected = ["alice#1 enabled (evidence) pw", "bob#1 disabled (credential_report) no-pw"];
    assert_eq!(states(&told, None), expected);
    let expected = ["alice#1 report_says_active_log_says_disabled", "bob#1 report_says_inactive_log_says_enabled"];
    assert_eq!(found(&told), expected);
}

#[test]
fn a_call_that_failed_once_in_its_record_has_failed() {
    for twice in [r#""errorCode":"AccessDenied","errorCode":null"#, r#""errorCode":null,"errorCode":"AccessDenied""#] {
        let mut log = Log::new();
        log.create("08:00:00", "alice");
        log.enable("09:00:00", "alice", "S1");
        log.call("09:30:00", session(user("alice"), "2024-05-01T09:10:00Z", json!("true")));
        let line = |record: &Value| record.to_string().replacen('{', &format!("{{{twice},"), 1);
        let text = [log.records[0].to_string(), line(&log.records[1]), line(&log.records[2])].join("\n");
        let loaded = read(&[("a.json", text.as_bytes())]);
        assert_eq!(states(&tell(loaded), None), ["alice#1 disabled (created) no-pw"], "{twice}");
    }
}

#[test]
fn what_was_not_looked_for_is_told_with_the_findings() {
    let mut log = story();
    let mut other = log.records[1].clone();
    other["sourceIPAddress"] = json!("203.0.113.9");
    log.records.push(other);
    let files: Vec<String> = log.records.iter().map(Value::to_string).collect();
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
    let files: Vec<(&str, &[u8])> = names.into_iter().zip(files.iter().map(String::as_bytes).cycle()).collect();
    // Four records differ, whoever reads which of them, and how often.
    for (threads, files) in (1..=4).flat_map(|threads| [(threads, &files[..4]), (threads, &files)]) {
        for (different_max, looked) in [(9, true), (4, true), (3, false), (1, false)] {
            let options = LoadOptions { threads, different_max: Some(different_max), ..LoadOptions::default() };
            let loaded = load_files(files, &options);
            assert_eq!(loaded.inputs.unique_records, looked.then_some(4));
            let answer = findings(&tell(loaded));
            let kind = "same_event_id_different_body";
            let not_looked_for: &[&str] = if looked { &[] } else { &[kind] };
            assert_eq!(answer.not_looked_for, not_looked_for);
            assert_eq!(answer.findings.iter().filter(|row| row.kind == kind).count(), usize::from(looked));
            assert_eq!(answer.text().contains("not looked for: same_event_id_different_body"), !looked);
        }
    }
}
