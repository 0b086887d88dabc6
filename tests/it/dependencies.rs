//! What comes in with dependencies: licences, sources and banned crates, as `.deny.toml` says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use serde::Deserialize;
use spdx::{Expression, LicenseReq, Licensee, ParseMode};

#[derive(Deserialize)]
struct Rules {
    licenses: Licences,
    bans: Bans,
    advisories: Advisories,
}

#[derive(Deserialize)]
struct Licences {
    allow: Vec<String>,
    exceptions: Vec<Exception>,
}

#[derive(Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    name: String,
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Reasoned>,
}

#[derive(Deserialize)]
struct Advisories {
    ignore: Vec<Ignored>,
}

#[derive(Deserialize)]
struct Reasoned {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

#[derive(Deserialize)]
struct Ignored {
    id: String,
    reason: String,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn rules() -> Rules {
    toml::from_str(&std::fs::read_to_string(root().join(".deny.toml")).unwrap()).unwrap()
}

/// Every package of the lock files: the workspace's, and that of the fuzzer, which is a workspace of its own.
fn packages() -> Vec<Package> {
    let of = |folder: &str| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .args(["metadata", "--format-version", "1", "--locked", "--all-features"])
            .current_dir(root().join(folder));
        let output = cargo.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let metadata: Metadata = serde_json::from_slice(&output.stdout).unwrap();
        assert!(metadata.packages.len() > 100, "{}", metadata.packages.len());
        metadata.packages
    };
    ["", "tests/fuzz"].into_iter().flat_map(of).collect()
}

fn is_allowed(licence: &str, allowed: &[&str]) -> bool {
    let allowed: Vec<Licensee> = allowed.iter().map(|name| Licensee::parse(name).unwrap()).collect();
    let satisfies = |wanted: &LicenseReq| allowed.iter().any(|licensee| licensee.satisfies(wanted));
    Expression::parse_mode(licence, ParseMode::LAX).is_ok_and(|expression| expression.evaluate(satisfies))
}

#[test]
fn every_licence_is_one_that_was_agreed_on() {
    let Licences { allow, exceptions } = rules().licenses;
    let exceptions: BTreeMap<&str, &[String]> =
        exceptions.iter().map(|exception| (exception.name.as_str(), exception.allow.as_slice())).collect();
    let mut needed = BTreeSet::new();
    for package in packages() {
        let licence = package.license.as_deref().unwrap_or_default();
        let mut allowed: Vec<&str> = allow.iter().map(String::as_str).collect();
        let fine = is_allowed(licence, &allowed);
        let further = exceptions.get(package.name.as_str()).copied().unwrap_or_default();
        allowed.extend(further.iter().map(String::as_str));
        assert!(is_allowed(licence, &allowed), "{} {} is under {licence:?}", package.name, package.version);
        if !fine {
            needed.insert(package.name);
        }
    }
    let stated: BTreeSet<String> = exceptions.keys().map(|name| (*name).to_owned()).collect();
    assert_eq!(needed, stated, "an exception that nobody needs is no exception");
}

#[test]
fn a_licence_is_judged_by_its_whole_expression() {
    let allowed = ["MIT", "Apache-2.0", "ISC"];
    for fine in ["MIT", "MIT/Apache-2.0", "GPL-3.0-only OR MIT", "Apache-2.0 AND ISC"] {
        assert!(is_allowed(fine, &allowed), "{fine}");
    }
    for wrong in ["", "GPL-3.0-only", "MIT AND GPL-3.0-only", "proprietary", "Apache-2.0 WITH LLVM-exception AND Zlib"]
    {
        assert!(!is_allowed(wrong, &allowed), "{wrong}");
    }
}

#[test]
fn every_dependency_comes_from_the_registry_and_none_is_banned() {
    let rules = rules();
    assert!(rules.bans.deny.iter().all(|ban| !ban.reason.is_empty()));
    let banned: BTreeSet<&str> = rules.bans.deny.iter().map(|ban| ban.name.as_str()).collect();
    for package in packages() {
        let registry = "registry+https://github.com/rust-lang/crates.io-index";
        let ours = package.source.is_none() && package.name.starts_with("countersign");
        assert!(ours || package.source.as_deref() == Some(registry), "{} is from {:?}", package.name, package.source);
        assert!(!banned.contains(package.name.as_str()), "{} is banned", package.name);
    }
}

/// An advisory that is set aside is of a crate that is there, and says why.
#[test]
fn advisories_are_set_aside_for_a_reason() {
    for ignored in rules().advisories.ignore {
        assert!(ignored.id.starts_with("RUSTSEC-") && ignored.reason.len() > 20, "{}", ignored.id);
    }
}
