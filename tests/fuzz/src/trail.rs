//! Audit logs of others: CloudTrail, credential reports, digests.

use std::io::Write as _;

use countersign_replay::ask::{StateQuery, Told, findings, state};
use countersign_replay::event::What;
use countersign_replay::fold::fold;
use countersign_replay::trail::{LoadOptions, Loaded, Progress, PublicKeys, Signatures, audit, load, observe};
use data_encoding::BASE64;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use crate::file;

const MADE: &str = "2024-05-01T10:00:00Z";

fn loaded(data: &[u8]) -> Loaded {
    let options = LoadOptions { threads: 1, report_time: MADE.parse().ok(), ..LoadOptions::default() };
    load(&[file("trail", data)], &options, &Progress::default())
}

/// What came of it, when it is asked.
fn asked(loaded: &Loaded) {
    let history = fold(loaded.events.iter().cloned());
    let told = Told { history, flaws: loaded.flaws.clone(), sources: loaded.sources.clone(), ..Told::default() };
    let state = state(&told, &StateQuery::default());
    let findings = findings(&told);
    assert!(serde_json::to_string(&state).is_ok() && serde_json::to_string(&findings).is_ok());
}

fn same(one: &Loaded, other: &Loaded) {
    assert_eq!(one.events, other.events);
    assert_eq!((&one.flaws, one.inputs.unread), (&other.flaws, other.inputs.unread));
}

fn packed(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).and_then(|()| encoder.finish()).expect("it fits in memory")
}

/// A file of records: packed it says the same, and a single record says what it says alone.
pub fn trail(data: &[u8]) {
    let found = loaded(data);
    asked(&found);
    if data.starts_with(b"\x1f\x8b") {
        return;
    }
    if !data.is_empty() {
        same(&found, &loaded(&packed(data)));
    }
    let Ok(Value::Object(whole)) = serde_json::from_slice(data) else { return };
    let Some([record]) = whole.get("Records").and_then(Value::as_array).map(Vec::as_slice) else { return };
    let Ok(alone) = observe(record) else { return };
    if found.inputs.unread == 0 && found.inputs.records == 1 && whole.len() == 1 {
        let whats = |events: &[countersign_replay::event::Observed]| -> Vec<What> {
            events.iter().map(|event| event.what.clone()).collect()
        };
        let (mut alone, mut found) = (whats(&alone), whats(&found.events));
        let sort = |whats: &mut Vec<What>| whats.sort_by_key(|what| format!("{what:?}"));
        (sort(&mut alone), sort(&mut found));
        assert_eq!(alone, found);
    }
}

/// An archive, whatever is in it.
pub fn gzip(data: &[u8]) {
    let found = loaded(data);
    asked(&found);
    same(&found, &loaded(data));
}

/// A credential report: packed into the answer of IAM it says the same.
pub fn report(data: &[u8]) {
    let plain = loaded(data);
    asked(&plain);
    let is_report = !plain.events.is_empty()
        && plain.inputs.unread == 0
        && plain.events.iter().all(|event| matches!(event.what, What::StateAnchored { .. }));
    if !is_report || data.starts_with(b"{") || data.starts_with(b"\x1f\x8b") {
        return;
    }
    let answer = serde_json::json!({"Content": BASE64.encode(data), "GeneratedTime": MADE});
    let wrapped = loaded(answer.to_string().as_bytes());
    let whats = |loaded: &Loaded| loaded.events.iter().map(|event| (event.at, event.what.clone())).collect::<Vec<_>>();
    assert_eq!(whats(&plain), whats(&wrapped));
}

/// A digest, a list of keys and a list of signatures, parted by lines of `--`. No key of a stranger has signed anything.
pub fn digest(data: &[u8]) {
    let mut parts = data.split(|byte| *byte == 0x1e);
    let mut next = || parts.next().unwrap_or_default();
    let (digest, keys, signatures) = (file("digest.json", next()), next(), next());
    let keys = PublicKeys::read(&file("keys.json", keys)).unwrap_or_default();
    let signatures = Signatures::read(&file("signatures", signatures)).unwrap_or_default();
    let audit = audit(&[digest], &keys, &signatures);
    assert!(audit.digests.len() + audit.logs.len() <= 1);
    assert!(!audit.text().is_empty() && serde_json::to_string(&audit).is_ok());
}
