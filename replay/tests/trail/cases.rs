//! Commands and what they say, recorded: one file a case in `cases`.
//!
//! A line with `$ ` is a command, run beside the files of `cases/data` and some that are made to do harm. What follows
//! is its output, with `! ` before each line of the error output, and its exit code in brackets unless that is 0.
//! `COUNTERSIGN_BLESS=1` records anew; read what changed before it is kept.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::gzip;

const PROGRAM: &str = "countersign-replay";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/trail/cases")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The signed logs without the removal of a device.
fn tampered(dir: &Path, signed: &Path) {
    copy(signed, dir);
    let logs = dir.join("AWSLogs/111122223333/CloudTrail/us-east-1/2024/05/01");
    let file = logs.join("111122223333_CloudTrail_us-east-1_20240501T0945Z_l1.json.gz");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(file, text.replace("DeactivateMFADevice", "ListMFADevices")).unwrap();
}

/// Files that are made to do harm, beside a good one.
fn hostile(dir: &Path, good: &Path) {
    fs::create_dir(dir).unwrap();
    fs::copy(good, dir.join("good.json")).unwrap();
    fs::write(dir.join("bomb.json.gz"), gzip(&vec![b' '; 100 << 20])).unwrap();
    let record = |rest: &str| format!("{{\"eventName\":\"CreateUser\",\"eventTime\":\"2024-05-01T08:00:00Z\",{rest}}}");
    fs::write(dir.join("deep.json"), record(&format!("\"a\":{}{}", "[".repeat(9999), "]".repeat(9999)))).unwrap();
    let huge = format!("[{}]", record(&format!("\"a\":\"{}\"", "x".repeat(3 << 20))));
    fs::write(dir.join("huge.json"), huge).unwrap();
    fs::write(dir.join("torn.json"), "{\"Records\":[{\"eventName\":\"CreateUser\",").unwrap();
    fs::write(dir.join("torn.json.gz"), &gzip(b"{\"Records\":[]}")[..20]).unwrap();
    fs::write(dir.join("name\u{1b}[31m.json"), "{\"Records\":[{").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("/etc", dir.join("out")).unwrap();
}

/// Runs a command line and writes down what it says.
fn run(line: &str, dir: &Path) -> String {
    let arguments: Vec<&str> = line.split(' ').collect();
    assert_eq!(arguments[0], PROGRAM, "{line}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign-replay"));
    let output = command.args(&arguments[1..]).current_dir(dir).output().unwrap();
    let mut said = String::from_utf8(output.stdout).unwrap();
    for line in String::from_utf8(output.stderr).unwrap().lines() {
        writeln!(said, "{}", format!("! {line}").trim_end()).unwrap();
    }
    match output.status.code() {
        Some(0) => {}
        code => writeln!(said, "[{}]", code.unwrap()).unwrap(),
    }
    said
}

#[test]
fn every_case_says_what_was_recorded() {
    let dir = tempfile::tempdir().unwrap();
    copy(&folder().join("data"), dir.path());
    hostile(&dir.path().join("hostile"), &dir.path().join("escapes.json"));
    tampered(&dir.path().join("tampered"), &dir.path().join("signed"));
    let mut cases: Vec<PathBuf> = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.extension().is_some_and(|extension| extension == "case"));
    cases.sort();
    assert!(cases.len() >= 10);
    let mut wrong = Vec::new();
    for case in cases {
        let recorded = fs::read_to_string(&case).unwrap();
        let mut replayed = String::new();
        for line in recorded.lines().filter(|line| line.starts_with("# ") || line.starts_with("$ ")) {
            writeln!(replayed, "{line}").unwrap();
            if let Some(command) = line.strip_prefix("$ ") {
                replayed.push_str(&run(command, dir.path()));
            }
        }
        if std::env::var_os("COUNTERSIGN_BLESS").is_some() {
            fs::write(&case, &replayed).unwrap();
        } else if replayed != recorded {
            wrong.push(format!("{}:\n{replayed}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
