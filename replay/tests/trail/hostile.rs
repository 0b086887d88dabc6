//! Input that was made to break its reader.

use countersign_replay::ask::{Format, SignInsQuery, export, json, sign_ins};
use countersign_replay::trail::{LoadOptions, Progress, load};

use crate::support::{Log, gzip, load_files, states, tell, user};

fn good() -> String {
    let mut log = Log::new();
    log.create("08:00:00", "alice");
    log.records[0].to_string()
}

/// What is told of a file that holds a good record and something else.
fn beside(other: &str) -> (Vec<String>, Vec<String>) {
    let document = format!("{{\"Records\":[{other},{}]}}", good());
    let loaded = load_files(&[("log.json", document.as_bytes())], &LoadOptions::default());
    let whys = loaded.inputs.skips.iter().map(|skip| skip.why.clone()).collect();
    (states(&tell(loaded), None), whys)
}

#[test]
fn a_record_that_is_too_long_too_deep_or_misnamed_is_passed_over_alone() {
    let alice = ["alice#1 disabled (created) no-pw".to_owned()];
    let deep = format!("{{\"eventName\":\"x\",\"a\":{}{}}}", "[".repeat(50_000), "]".repeat(50_000));
    assert_eq!(beside(&deep), (alice.to_vec(), vec!["nests too deep".to_owned()]));
    let long =
        format!("{{\"eventName\":\"x\",\"eventTime\":\"2024-05-01T08:00:00Z\",\"a\":\"{}\"}}", "x".repeat(2 << 20));
    assert_eq!(beside(&long), (alice.to_vec(), vec!["too long".to_owned()]));
    let mut log = Log::new();
    log.create("08:00:00", &"n".repeat(5000));
    assert_eq!(beside(&log.records[0].to_string()), (alice.to_vec(), vec!["a name is too long".to_owned()]));
    let broken = "{\"eventTime\":\"2024-05-01T08:00:00Z\",\"eventName\":\"CreateUser\",\
                  \"eventSource\":\"iam.amazonaws.com\",\"x\":\"\\ud800\"}";
    assert_eq!(beside(broken).1.len(), 1);
}

#[test]
fn an_archive_that_inflates_without_end_is_given_up() {
    let bomb = gzip(&vec![b' '; 200 << 20]);
    assert!(bomb.len() < 1 << 20);
    let records = good();
    let loaded = load_files(&[("bomb.gz", &bomb), ("log.json", records.as_bytes())], &LoadOptions::default());
    assert!(loaded.inputs.skips[0].why.contains("inflates to more than"));
    assert_eq!(tell(loaded).history.lives().len(), 1);
}

#[test]
fn a_file_that_was_cut_off_gives_what_came_before() {
    let document = format!("{{\"Records\":[{},{}", good(), good());
    let packed = gzip(document.as_bytes());
    for bytes in [document.as_bytes(), &packed, &packed[..packed.len() - 10]] {
        let loaded = load_files(&[("log.json", bytes)], &LoadOptions::default());
        assert!(loaded.inputs.is_partial());
        assert_eq!(tell(loaded).history.lives().len(), 1);
    }
}

/// Whoever types a password into the field of the user name must not find it in an answer.
#[test]
fn a_name_that_no_user_has_is_in_no_answer() {
    let mut log = Log::new();
    log.create("08:00:00", "lee");
    for name in ["ConsoleLogin", "CheckMfa"] {
        for message in ["No username found in supplied account", "no username found in Supplied account."] {
            let record = log.sign_in("09:00:00", user("hunter2"), "No", false);
            record["eventName"] = serde_json::json!(name);
            record["errorMessage"] = serde_json::json!(message);
        }
    }
    let told = log.told();
    let shown = |text: &str| assert!(!text.to_lowercase().contains("hunter2"), "{text}");
    for format in [Format::Csv, Format::Ecs, Format::ocsf("1.8.0").unwrap()] {
        export(&told, format).unwrap().iter().for_each(|line| shown(line));
    }
    shown(&json(&sign_ins(&told, &SignInsQuery::default())).unwrap());
    shown(&format!("{:?}", told.history));
    assert!(told.find("hunter2").is_empty());
}

#[cfg(unix)]
#[test]
fn links_out_of_a_folder_are_not_followed() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("log.json"), good()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(outside.path(), dir.path().join("folder")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("log.json"), dir.path().join("file")).unwrap();
    std::os::unix::fs::symlink(dir.path(), dir.path().join("loop")).unwrap();
    let loaded = load(&[dir.path().to_owned()], &LoadOptions::default(), &Progress::default());
    assert_eq!((loaded.inputs.kinds.get("link"), loaded.inputs.records), (Some(&3), 0));
    assert!(!loaded.inputs.is_partial(), "nothing is amiss");
    let named = load(&[dir.path().join("file")], &LoadOptions::default(), &Progress::default());
    assert_eq!(named.inputs.records, 1);
}

#[test]
fn any_bytes_are_read_without_a_fault() {
    use proptest::prelude::*;
    let pieces = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "\"Records\"",
        "\"eventID\"",
        "\"eventName\":\"CreateUser\"",
        "null",
        "1e9",
        "\n",
        "\u{1f}\u{8b}",
        "user,arn,mfa_active\n",
        "\"CloudTrailEvent\":\"{\\\"eventName\\\":1}\"",
        "\u{0}",
    ]);
    proptest!(ProptestConfig::with_cases(512), |(parts in prop::collection::vec(pieces, 0..40), cut in any::<u8>())| {
        let mut bytes = parts.concat().into_bytes();
        bytes.truncate(usize::from(cut).max(1));
        let _read = load_files(&[("x", &bytes), ("y", &gzip(&bytes))], &LoadOptions { threads: 1, ..LoadOptions::default() });
    });
}
