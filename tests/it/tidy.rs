//! The shape of the workspace: who depends on whom, what lies at its top, and a few habits.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Direct dependencies of each package of the workspace: name to (dependency, whether in tests only).
fn dependencies() -> BTreeMap<String, Vec<(String, bool)>> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let arguments = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
    let output = Command::new(cargo).args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let of = |package: &serde_json::Value| {
        let all = package["dependencies"].as_array().unwrap().iter();
        let direct = all.map(|dependency| (text(&dependency["name"]), dependency["kind"] == "dev"));
        (text(&package["name"]), direct.collect())
    };
    metadata["packages"].as_array().unwrap().iter().map(of).collect()
}

/// Packages that may know all others, and that nobody may know.
const AT_THE_TOP: [&str; 3] = ["countersign-tests", "countersign-benches", "countersign-power"];

#[test]
fn packages_depend_downwards_only() {
    let allowed = BTreeMap::from([
        ("countersign-domain", vec![]),
        ("countersign-store", vec!["countersign-domain"]),
        ("countersign", vec!["countersign-store", "countersign-domain"]),
        (
            "countersign-gateway",
            vec![
                "countersign",
                "countersign-store",
                "countersign-domain",
                "countersign-smpp",
                "countersign-sms-http",
                "countersign-sns",
                "countersign-witness",
            ],
        ),
        ("countersign-smpp", vec!["countersign"]),
        ("countersign-sms-http", vec!["countersign"]),
        ("countersign-sns", vec!["countersign", "countersign-sms-http"]),
        ("countersign-witness", vec!["countersign", "countersign-sms-http", "countersign-proof"]),
        ("countersign-replay", vec!["countersign-store", "countersign-domain", "countersign-proof"]),
        ("countersign-proof", vec![]),
    ]);
    let packages = dependencies();
    let ours: BTreeSet<&str> = packages.keys().map(String::as_str).collect();
    for (package, direct) in &packages {
        let Some(allowed) = allowed.get(package.as_str()) else {
            assert!(AT_THE_TOP.contains(&package.as_str()), "{package} needs a place in this table");
            continue;
        };
        for (dependency, in_tests) in direct.iter().filter(|(name, _)| ours.contains(name.as_str())) {
            assert!(!AT_THE_TOP.contains(&dependency.as_str()), "{package} depends on {dependency}");
            let own_features = *in_tests && dependency == package;
            assert!(own_features || allowed.contains(&dependency.as_str()), "{package} depends on {dependency}");
        }
    }
}

#[test]
fn what_a_package_must_not_know_it_does_not_depend_on() {
    let foreign = [
        (
            "countersign-domain",
            &["actix", "tokio", "http", "hyper", "sled", "totp-rs", "tracing", "getrandom", "sha1"][..],
        ),
        ("countersign-store", &["actix", "tokio", "http", "hyper", "totp-rs"][..]),
        ("countersign", &["actix-web", "actix-http", "http", "hyper", "rustls", "sled"][..]),
        ("countersign-replay", &["actix", "tokio", "http", "hyper", "sled"][..]),
        ("countersign-sms-http", &["actix", "sled"][..]),
        ("countersign-sns", &["actix", "sled"][..]),
        ("countersign-gateway", &["sled"][..]),
    ];
    let packages = dependencies();
    for (package, foreign) in foreign {
        for (dependency, _) in packages[package].iter().filter(|(_, in_tests)| !in_tests) {
            let known = |name: &&str| dependency == *name || dependency.starts_with(&format!("{name}-"));
            assert!(!foreign.iter().any(known), "{package} depends on {dependency}");
        }
    }
}

#[test]
fn the_top_level_has_the_agreed_names_only() {
    let agreed = ["Cargo.toml", "Cargo.lock", "README.md", "domain", "actors", "store", "replay", "tests", "target"];
    for entry in std::fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let fine = name.starts_with('.') || name.starts_with("LICENSE") || agreed.contains(&name.as_str());
        assert!(fine, "`{name}` lies at the top of the workspace");
    }
}

// ---- sources ----

/// Every Rust source of the workspace below some folder, with its text.
fn sources(below: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(below)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if name.ends_with(".rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty());
    found
}

fn all_sources() -> impl Iterator<Item = (PathBuf, String)> {
    ["domain", "store", "actors", "replay", "tests"].into_iter().flat_map(sources)
}

/// Lines of code, without comments.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(|line| line.split("//").next().unwrap_or_default())
}

#[test]
fn one_file_of_the_store_names_sled() {
    let names_it = |text: &str| code(text).any(|line| line.contains("sled::") || line.contains("use sled;"));
    let files: Vec<PathBuf> = sources("store/src").into_iter().filter(|(_, t)| names_it(t)).map(|(p, _)| p).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let elsewhere = ["domain/src", "actors/src", "replay/src"].into_iter().flat_map(sources);
    let elsewhere: Vec<PathBuf> = elsewhere.filter(|(_, text)| names_it(text)).map(|(path, _)| path).collect();
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
}

#[test]
fn the_domain_has_no_standard_library() {
    let domain = sources("domain/src");
    let top = domain.iter().find(|(path, _)| path.ends_with("src/lib.rs")).unwrap();
    assert!(code(&top.1).any(|line| line.trim() == "#![no_std]"));
    let brings_it_back = |text: &str| code(text).any(|line| line.contains("extern crate std"));
    assert!(!domain.iter().any(|(_, text)| brings_it_back(text)));
}

#[test]
fn files_are_short_enough_to_read() {
    for (path, text) in all_sources() {
        let lines = text.lines().count();
        assert!(lines <= 600, "{} has {lines} lines", path.display());
    }
}

/// Save the two places that are there to wait: for another process to let go of the store, and for the machine's clock.
#[test]
fn nothing_sleeps() {
    let waits = ["store/src/sled_backend.rs", "actors/src/ports.rs"];
    let sleeps = ["thread", "time"].map(|from| format!("{from}::{}", "sleep"));
    for (path, text) in all_sources().filter(|(path, _)| !waits.iter().any(|file| path.ends_with(file))) {
        let found = code(&text).find(|line| sleeps.iter().any(|sleep| line.contains(sleep)));
        assert_eq!(found, None, "{}", path.display());
    }
}
