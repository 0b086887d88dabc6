//! A few cuts every day; `tests/all.sh crash` makes more, and the program as many as it is asked for.

use std::process::Command;

/// Runs the campaign. Where no file system can be mounted there is nothing to see, and that is said.
fn power(words: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_power")).args(words).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(77) {
        eprintln!("not run: {said}");
        return;
    }
    assert!(output.status.success(), "{said}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("power cuts"));
}

#[test]
fn what_was_acked_is_there_after_a_power_cut() {
    power(&["--cuts", "12"]);
}

#[test]
fn a_disk_that_lies_and_a_writer_that_acks_too_early_are_found_out() {
    power(&["--cuts", "12", "--must-find", "lies"]);
    power(&["--cuts", "12", "--must-find", "early"]);
}
