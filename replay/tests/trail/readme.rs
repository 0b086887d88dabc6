//! The command lines of the README: each question has one, and the tool understands it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

const README: &str = include_str!("../../../README.md");

fn said(arguments: &[&str], dir: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign-replay"));
    let output = command.args(arguments).current_dir(dir).output().unwrap();
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
}

#[test]
fn every_question_has_a_command_line_that_is_understood() {
    let dir = tempfile::tempdir().unwrap();
    let help = said(&["--help"], dir.path());
    let questions = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // What wraps is indented further.
    let questions = questions.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    let questions: BTreeSet<&str> = questions.filter(|question| *question != "help").collect();
    assert!(questions.len() > 10, "{help}");
    let lines = README.lines().filter_map(|line| line.strip_prefix("countersign-replay "));
    // What follows a mark is for people.
    let lines: Vec<&str> = lines.map(|line| line.split_once(" #").map_or(line, |(line, _)| line)).collect();
    let told: BTreeSet<&str> = lines.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(told, questions);
    for line in lines {
        let arguments: Vec<&str> = line.split_whitespace().collect();
        let said = said(&arguments, dir.path());
        assert!(!said.contains("error: ") && !said.contains("Usage: "), "{line}: {said}");
    }
}
