//! Files of no kind that is read: each is named, and only what is knowingly harmless passes.

use countersign_replay::trail::{LoadOptions, Loaded};
use serde_json::json;

use crate::support::{Log, gzip, load_files, states, tell};

fn log() -> Vec<u8> {
    let mut log = Log::new();
    log.create("08:00:00", "alice");
    json!({ "Records": log.records }).to_string().into_bytes()
}

/// What is said of a file beside a good log, and whether a part counts as unread.
fn said(name: &str, bytes: &[u8]) -> (Vec<String>, bool) {
    let good = log();
    let loaded = load_files(&[("good.json", &good), (name, bytes)], &LoadOptions::default());
    let partial = loaded.inputs.is_partial();
    let whys = loaded.inputs.skips.iter().map(|skip| {
        assert!(skip.place.contains(name), "{skip:?}");
        skip.why.clone()
    });
    let whys: Vec<String> = whys.collect();
    assert_eq!(states(&tell(loaded), None), ["alice#1 disabled (created) no-pw"]);
    (whys, partial)
}

#[test]
fn a_file_of_no_known_kind_is_named_and_unread() {
    let subscription = json!({"messageType": "DATA_MESSAGE", "logEvents": [{"id": "1", "message": "{}"}]});
    let subscription = subscription.to_string();
    let cases: [(&[u8], &str); 12] = [
        (b"PK\x03\x04\x14\0\0\0\x08\0abcdef", "a zip archive; unpack it"),
        (b"\x28\xb5\x2f\xfd\0\0\0", "compressed by zstd; unpack it"),
        (b"PAR1\x15\x04\x15", "a table in Parquet; export it as JSON"),
        (b"-----BEGIN PGP MESSAGE-----\n\nhQEMA5\n", "encrypted"),
        (b"Salted__\x01\x02\x03\x04", "encrypted"),
        (
            b"eventtime,eventname,useridentity\n1,2,3\n",
            "a table of CloudTrail Lake or Athena; give the trail's own files",
        ),
        (
            b"{\"eventtime\":\"x\",\"eventname\":\"CreateUser\"}\n",
            "a table of CloudTrail Lake or Athena; give the trail's own files",
        ),
        (b"{\"eventData\":{\"version\":\"1\"}}", "an event of CloudTrail Lake; give the trail's own files"),
        (subscription.as_bytes(), "a subscription of CloudWatch Logs; give the trail's own files"),
        (b"{\"Resources\":{}}", "JSON of no kind that is read here"),
        (b"\x89PNG\r\n\x1a\n\0\0", "of no kind that is read here"),
        (b"CEF:0|AWS|CloudTrail|1|CreateUser|x|3|\n", "text of no kind that is read here"),
    ];
    for (bytes, why) in cases {
        assert_eq!(said("odd", bytes), (vec![why.to_owned()], true), "{}", bytes.escape_ascii());
        assert_eq!(said("odd", &gzip(bytes)), (vec![why.to_owned()], true), "packed {}", bytes.escape_ascii());
    }
}

#[test]
fn what_somebody_wrote_about_the_logs_is_named_and_harmless() {
    let readme = "# Logs\n\nThe trail of the account, copied in May. Ask the owner for more.\n";
    assert_eq!(said("README.md", readme.as_bytes()), (vec!["prose".to_owned()], false));
    let digest = json!({"digestS3Object": "AWSLogs/x.json.gz", "logFiles": []}).to_string();
    assert_eq!(said("digest.json", digest.as_bytes()), (Vec::new(), false));
    assert_eq!(said("empty", b""), (Vec::new(), false));
    assert_eq!(said("none.json", b"{\"Records\":[]}"), (Vec::new(), false));
}

#[test]
fn an_object_of_another_kind_among_records_is_named_and_harmless() {
    let mut log = Log::new();
    log.create("08:00:00", "alice");
    let lines = format!("{}\n{{\"source\":\"aws.ec2\"}}\n{{\"source\":\"aws.ec2\"}}\n", log.records[0]);
    let loaded: Loaded = load_files(&[("events.jsonl", lines.as_bytes())], &LoadOptions::default());
    assert!(!loaded.inputs.is_partial());
    let whys: Vec<&str> = loaded.inputs.skips.iter().map(|skip| skip.why.as_str()).collect();
    assert_eq!(whys, ["things of no kind that is read here: 2"]);
}

#[test]
fn text_of_sixteen_bits_is_read() {
    let log = String::from_utf8(log()).unwrap().replace("alice", "zo\u{eb}\u{1f511}");
    let big: Vec<u8> = std::iter::once(0xfeff).chain(log.encode_utf16()).flat_map(u16::to_be_bytes).collect();
    let little: Vec<u8> = std::iter::once(0xfeff).chain(log.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    for bytes in [&big[..], &big[2..], &little, &little[2..], &gzip(&little)] {
        let loaded = load_files(&[("powershell.json", bytes)], &LoadOptions::default());
        assert!(!loaded.inputs.is_partial(), "{:?}", loaded.inputs.skips);
        assert_eq!(states(&tell(loaded), None), ["zo\u{eb}\u{1f511}#1 disabled (created) no-pw"]);
    }
    let torn = load_files(&[("torn.json", &little[..little.len() - 5])], &LoadOptions::default());
    assert!(torn.inputs.is_partial());
    let report = "user,arn,mfa_active\nlee,arn:aws:iam::111122223333:user/lee,true\n";
    let report: Vec<u8> = std::iter::once(0xfeff).chain(report.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let loaded = load_files(&[("20240501T100000Z.csv", &report)], &LoadOptions::default());
    assert_eq!(states(&tell(loaded), None), ["lee#1 enabled (evidence)"]);
}

#[test]
fn a_store_among_the_logs_is_named_and_not_looked_into() {
    let good = log();
    let files: [(&str, &[u8]); 4] = [
        ("good.json", &good),
        ("data/store/FORMAT", b"countersign store 2\n"),
        ("data/store/keys", b"k"),
        ("data/x", b"x"),
    ];
    let loaded = load_files(&files, &LoadOptions::default());
    let [skip] = loaded.inputs.skips.as_slice() else { panic!("{:?}", loaded.inputs.skips) };
    assert!(skip.place.ends_with("data") && loaded.inputs.is_partial(), "{skip:?}");
    assert_eq!(skip.why, "a store of Countersign; name it by itself");
}
