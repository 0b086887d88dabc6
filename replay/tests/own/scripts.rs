//! The tool itself: orders in, recorded output out, one file a case.
//!
//! A case has blocks of a line `$ ARGUMENTS`, where `DIR` stands for the store, lines `< INPUT`, and what came out: standard
//! output, then standard error behind `!`, then the exit code behind `=`. With `REPLAY_SCRIPTS=record` what comes out is
//! written into the files.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use countersign_domain::event::Purpose;
use countersign_domain::policy::Policy;

use crate::world::{World, phone};

/// An audit log of an account of AWS.
const TRAIL: &str = r#"{"eventVersion":"1.08","userIdentity":{"type":"Root","accountId":"111122223333"},
"eventTime":"2023-11-15T00:00:00Z","eventSource":"iam.amazonaws.com","eventName":"CreateUser","eventID":"e1",
"requestParameters":{"userName":"ann"},"responseElements":{"user":{"userName":"ann"}},"recipientAccountId":"111122223333"}
"#;

/// The store that every case is about.
fn store(dir: &Path) {
    let mut world = World::at(dir, Policy::classic());
    let (lee, kim) = (world.user("lee", 1), world.user("kim", 2));
    world.sign_in(&lee, None).unwrap();
    let one = world.create("phone");
    world.enable(&lee, &one, 1).unwrap();
    world.wait_s(86_400);
    world.sign_in(&lee, Some((&one, 2))).unwrap();
    world.verify(&lee, &one, Some(2), Purpose::SessionToken).unwrap();
    world.verify(&lee, &one, Some(9), Purpose::SessionToken).unwrap();
    world.wait_s(86_400);
    for _ in 0..10 {
        world.verify(&lee, &one, None, Purpose::StepUp).unwrap();
    }
    world.wait_s(86_400);
    world.resync(&lee, &one, 3).unwrap();
    world.rename(&kim, "kimberly").unwrap();
    let two = world.create("other");
    world.deactivate(&lee, &one).unwrap();
    world.wait_s(3_600);
    world.enable(&lee, &two, 0).unwrap();
    world.delete(&phone("phone")).unwrap();
    world.remove(&kim).unwrap();
    world.user("kimberly", 3);
    world.journal.close().unwrap();
}

fn run(dir: &Path, arguments: &str, input: &str) -> String {
    let arguments = arguments.split_whitespace().map(|word| word.replace("DIR", &dir.display().to_string()));
    let mut child = Command::new(env!("CARGO_BIN_EXE_countersign-replay"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    // The store's key is another one each time.
    let signers = std::fs::read_to_string(dir.join("store").join("signers")).unwrap();
    let key = signers.lines().nth(1).unwrap().split(' ').nth(1).unwrap().to_owned();
    let origin = key.split('+').next().unwrap().to_owned();
    let text = |bytes: Vec<u8>| {
        let said = String::from_utf8(bytes).unwrap().replace(&dir.display().to_string(), "DIR");
        said.replace(&key, "KEY").replace(&origin, "ORIGIN")
    };
    let mut said = text(output.stdout);
    for line in text(output.stderr).lines() {
        writeln!(said, "! {line}").unwrap();
    }
    writeln!(said, "= {}", output.status.code().unwrap()).unwrap();
    assert!(said.chars().all(|c| c == '\n' || !c.is_control()), "{said:?}");
    said
}

/// A case with what came out now.
fn played(dir: &Path, case: &str) -> String {
    let mut out = String::new();
    let mut lines = case.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(arguments) = line.strip_prefix("$ ") else {
            if line.starts_with("# ") {
                writeln!(out, "{line}").unwrap();
            }
            continue;
        };
        writeln!(out, "$ {arguments}").unwrap();
        let mut input = String::new();
        while let Some(line) = lines.next_if(|line| line.starts_with("< ")) {
            writeln!(out, "{line}").unwrap();
            writeln!(input, "{}", &line[2..]).unwrap();
        }
        out.push_str(&run(dir, arguments, &input));
        out.push('\n');
    }
    out
}

#[test]
fn every_case_comes_out_as_it_was_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    std::fs::create_dir(&data).unwrap();
    store(&data);
    std::fs::write(data.join("trail.json"), TRAIL).unwrap();
    std::fs::write(data.join("strict.toml"), "preset = \"strict\"\ncode_attempts_max = 4\n").unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/own/scripts");
    let mut cases: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() > 5);
    let record = std::env::var("REPLAY_SCRIPTS").is_ok_and(|value| value == "record");
    for case in cases {
        let text = std::fs::read_to_string(&case).unwrap();
        let now = played(&data, &text);
        if record {
            std::fs::write(&case, &now).unwrap();
        } else {
            assert!(now == text, "{}:\n{now}", case.display());
        }
        assert_eq!(now, played(&data, &text), "twice the same");
    }
}
