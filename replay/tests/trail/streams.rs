//! Logs that come out of a pipe, because somebody named it.
#![cfg(unix)]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use countersign_replay::trail::{LoadOptions, Progress, PublicKeys, Signatures, Verdict, audit, load};
use serde_json::json;

use crate::support::{Log, found, gzip, states, tell};

fn log() -> Vec<u8> {
    let mut log = Log::new();
    log.create("08:00:00", "alice");
    log.enable("09:00:00", "alice", "S1");
    // Of one id with two contents: what the finding cites must not need a second reading.
    log.create("08:00:00", "bob")["eventID"] = json!("e0001");
    log.call("08:00:00", json!({}))["eventID"] = json!("e0003");
    log.call("08:00:01", json!({}))["eventID"] = json!("e0003");
    json!({ "Records": log.records }).to_string().into_bytes()
}

fn asked(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_countersign-replay"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writes = std::thread::spawn(move || {
        // A reader that has seen enough closes the pipe.
        let _closed = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    writes.join().unwrap();
    output
}

fn pipe(dir: &Path) -> std::path::PathBuf {
    let path = dir.join("pipe");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

#[test]
fn standard_input_is_a_log_when_it_is_named() {
    for name in ["-", "/dev/stdin"] {
        for input in [log(), gzip(&log())] {
            let output = asked(&["state", name, "alice"], &input);
            let said = String::from_utf8(output.stdout).unwrap();
            assert!(said.contains("alice#1  enabled"), "{said} {}", String::from_utf8_lossy(&output.stderr));
            assert_eq!(output.status.code(), Some(0));
        }
    }
    for arguments in [["timeline", "-", "alice"], ["timeline", "alice", "-"]] {
        let output = asked(&arguments, &log());
        assert!(String::from_utf8(output.stdout).unwrap().contains("EnableMFADevice"), "{arguments:?}");
    }
    let output = asked(&["inputs", "-"], b"PK\x03\x04zip");
    assert_eq!(output.status.code(), Some(3));
    let output = asked(&["inputs", "-"], &gzip(&vec![b' '; 100 << 20]));
    assert_eq!(output.status.code(), Some(3), "a bomb");
}

#[test]
fn a_pipe_that_is_named_is_read_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = pipe(dir.path());
    let (to, text) = (path.clone(), log());
    let writes = std::thread::spawn(move || std::fs::write(to, text).unwrap());
    let loaded = load(std::slice::from_ref(&path), &LoadOptions::default(), &Progress::default());
    writes.join().unwrap();
    assert!(!loaded.inputs.is_partial() && loaded.inputs.records == 5, "{:?}", loaded.inputs);
    let flaws: Vec<&str> = loaded.flaws.iter().map(|flaw| &*flaw.cite).collect();
    assert!(flaws.contains(&"e0001"), "{flaws:?}");
    assert_eq!(flaws.len(), 2);
    // Nobody writes now: whoever opened it once more would wait for ever.
    let checked = audit(&loaded.files, &PublicKeys::default(), &Signatures::default());
    assert_eq!(checked.logs[0].verdict, Verdict::NotCovered);
    assert_eq!(checked.logs[0].reason, "not a file, and read once only");
    let told = tell(loaded);
    assert_eq!(found(&told).len(), 2);
    assert_eq!(states(&told, None).len(), 2);
}

#[test]
fn a_pipe_below_a_folder_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    pipe(dir.path());
    let loaded = load(&[dir.path().to_owned()], &LoadOptions::default(), &Progress::default());
    assert_eq!((loaded.inputs.kinds.get("special"), loaded.inputs.is_partial()), (Some(&1), false));
}
