//! What the tool says of what it passes over.

use std::path::Path;
use std::process::{Command, Output};

fn run(arguments: &[&str], dir: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign-replay"));
    command.args(arguments).current_dir(dir).output().unwrap()
}

fn complaints(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_store_below_a_folder_is_named_and_not_walked_into() {
    let dir = tempfile::tempdir().unwrap();
    for store in ["server/store", "copy"] {
        std::fs::create_dir_all(dir.path().join("all").join(store)).unwrap();
        std::fs::write(dir.path().join("all").join(store).join("FORMAT"), "countersign store 2\n").unwrap();
    }
    std::fs::write(dir.path().join("all/LICENSE"), "Prose that nobody asks, and that holds no record.").unwrap();
    let output = run(&["state", "all"], dir.path());
    let why = "a store of Countersign; name it by itself";
    let expected: String =
        ["all/copy", "all/server"].map(|place| format!("countersign-replay: not used: {place}: {why}\n")).concat();
    assert_eq!((complaints(&output), output.status.code()), (expected, Some(3)));
}

#[cfg(unix)]
#[test]
fn what_was_rightly_passed_over_is_counted_and_not_complained_of() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("links")).unwrap();
    for number in 0..10_003 {
        std::os::unix::fs::symlink("/nowhere", dir.path().join(format!("links/{number}"))).unwrap();
    }
    let output = run(&["inputs", "--json", "links"], dir.path());
    assert_eq!((complaints(&output), output.status.code()), (String::new(), Some(0)));
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["skipped"].as_array().unwrap().len(), 10_000);
    assert_eq!((&answer["skipped_total"], &answer["skipped_unread"]), (&10_003.into(), &0.into()));
}
