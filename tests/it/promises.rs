//! The threat model promises what tests show: each test that it names is there, and runs.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every Rust source of the workspace, as one text.
fn sources() -> String {
    fn gather(folder: &Path, text: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                gather(&path, text);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                text.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut text = String::new();
    ["domain", "store", "actors", "replay", "tests"].iter().for_each(|folder| gather(&root().join(folder), &mut text));
    text
}

/// The rows of the table of promises: against whom, what, and the tests.
fn promises() -> Vec<(String, String, Vec<String>)> {
    let text = std::fs::read_to_string(root().join("actors/src/manual/threats.md")).unwrap();
    let table = text.split("# What is promised").nth(1).unwrap().split("\n# ").next().unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| ")).skip(1);
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    rows.map(|line| match cells(line).as_slice() {
        [against, promise, tests] => {
            let named = tests.split('`').skip(1).step_by(2).map(str::to_owned).collect();
            (against.clone(), promise.clone(), named)
        }
        other => panic!("not a promise: {other:?}"),
    })
    .collect()
}

#[test]
fn every_promise_has_its_test() {
    let sources = sources();
    let promises = promises();
    assert!(promises.len() >= 30, "{}", promises.len());
    for (against, promise, tests) in promises {
        assert!(!tests.is_empty(), "{against}: {promise}");
        for test in tests {
            let lines: Vec<&str> = sources.split_inclusive('\n').collect();
            let place = lines.iter().position(|line| line.contains(&format!("fn {test}()")));
            let place = place.unwrap_or_else(|| panic!("{promise}: there is no test `{test}`"));
            let above = lines[place.saturating_sub(6)..place].concat();
            let runs = above.contains("test]") || above.contains("test(") || above.contains("proptest");
            assert!(runs && !above.contains("#[ignore"), "{promise}: `{test}` is not run");
        }
    }
}

#[test]
fn every_attacker_is_promised_something() {
    let text = std::fs::read_to_string(root().join("actors/src/manual/threats.md")).unwrap();
    let attackers: Vec<String> = text
        .split("\n# ")
        .find(|section| section.starts_with("Who may attack"))
        .unwrap()
        .lines()
        .filter_map(|line| line.strip_prefix("- **A ").or_else(|| line.strip_prefix("- **An "))?.split("**").next())
        .map(str::to_owned)
        .collect();
    assert_eq!(attackers.len(), 7, "{attackers:?}");
    let promised: Vec<String> = promises().into_iter().map(|(against, ..)| against).collect();
    for attacker in &attackers {
        assert!(promised.contains(attacker), "{attacker}");
    }
}
