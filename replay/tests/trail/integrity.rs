//! The chain of digests: one changed byte anywhere shows, and answers say what they rest on.

use std::fs;
use std::path::{Path, PathBuf};

use countersign_replay::ask::{PrincipalRow, StateQuery, Told, findings, state};
use countersign_replay::fold::fold;
use countersign_replay::trail::{Audit, LoadOptions, Progress, PublicKeys, Signatures, Verdict, audit, files_of, load};

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/trail/cases/data")
}

/// A copy of the signed logs.
struct Copy {
    dir: tempfile::TempDir,
}

impl Copy {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for file in files_of(&[data().join("signed")]).0 {
            fs::copy(&file, dir.path().join(file.file_name().unwrap())).unwrap();
        }
        Self { dir }
    }

    fn path(&self, part: &str) -> PathBuf {
        let mut files = files_of(&[self.dir.path().to_owned()]).0.into_iter();
        files.find(|file| file.to_str().unwrap().contains(part)).unwrap()
    }

    fn change(&self, part: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(part)).unwrap();
        assert!(text.contains(from));
        fs::write(self.path(part), text.replacen(from, to, 1)).unwrap();
    }

    fn audit(&self, signed: bool) -> Audit {
        let keys = PublicKeys::read(&data().join("signed-keys.json")).unwrap();
        let listed = || Signatures::read(&data().join("signed-signatures.txt")).unwrap();
        let signatures = if signed { listed() } else { Signatures::default() };
        audit(&files_of(&[self.dir.path().to_owned()]).0, &keys, &signatures)
    }
}

/// Verdicts of the digests of 9, 10 and 11 o'clock and of their log files.
fn verdicts(audit: &Audit) -> (Vec<Verdict>, Vec<Verdict>) {
    let of = |rows: &[countersign_replay::trail::AuditRow]| rows.iter().map(|row| row.verdict).collect();
    (of(&audit.digests), of(&audit.logs))
}

use Verdict::{Invalid, NotCovered, Valid};

#[test]
fn the_newest_digest_needs_its_signature_and_the_others_have_theirs_in_the_chain() {
    let copy = Copy::new();
    assert_eq!(verdicts(&copy.audit(true)), (vec![Valid; 3], vec![Valid; 3]));
    let without = verdicts(&copy.audit(false));
    assert_eq!(without, (vec![Valid, Valid, NotCovered], vec![Valid, Valid, NotCovered]));
}

#[test]
fn packing_a_file_anew_does_not_break_its_hash() {
    let copy = Copy::new();
    for part in ["_l0", "T100000Z"] {
        let packed = crate::support::gzip(&fs::read(copy.path(part)).unwrap());
        fs::write(copy.path(part), packed).unwrap();
    }
    assert_eq!(verdicts(&copy.audit(true)), (vec![Valid; 3], vec![Valid; 3]));
}

#[test]
fn a_changed_log_file_is_invalid() {
    let copy = Copy::new();
    copy.change("_l0", "EnableMFADevice", "ResyncMFADevice");
    let audit = copy.audit(true);
    assert_eq!(verdicts(&audit), (vec![Valid; 3], vec![Invalid, Valid, Valid]));
    assert!(audit.is_invalid());
}

#[test]
fn a_changed_digest_is_invalid_and_vouches_for_nothing() {
    for (part, place) in [("T090000Z", 0), ("T100000Z", 1), ("T110000Z", 2)] {
        let copy = Copy::new();
        copy.change(part, "\"hashValue\": \"", "\"hashValue\": \"00");
        let (digests, logs) = verdicts(&copy.audit(true));
        assert_eq!((digests[place], logs[place]), (Invalid, Invalid), "{part}");
    }
    let copy = Copy::new();
    copy.change("T110000Z", "\"previousDigestSignature\": \"", "\"previousDigestSignature\": \"00");
    let (digests, _) = verdicts(&copy.audit(true));
    assert_eq!(digests, [Valid, NotCovered, Invalid]);
}

#[test]
fn a_file_that_is_gone_is_missing_and_one_that_nobody_names_is_not_covered() {
    let copy = Copy::new();
    fs::remove_file(copy.path("_l1")).unwrap();
    fs::remove_file(copy.path("T100000Z")).unwrap();
    fs::write(copy.dir.path().join("more.json"), "{\"Records\":[]}").unwrap();
    let audit = copy.audit(true);
    assert_eq!(audit.missing.len(), 1, "{:?}", audit.missing);
    assert!(audit.is_invalid() && audit.missing[0].contains("T100000Z"));
    let expected = (vec![NotCovered, Valid], vec![NotCovered, Valid, NotCovered]);
    assert_eq!(verdicts(&audit), expected);

    let copy = Copy::new();
    fs::remove_file(copy.path("_l1")).unwrap();
    let audit = copy.audit(true);
    assert!(audit.missing.len() == 1 && audit.missing[0].ends_with("_l1.json.gz"));
}

/// Two folders whose names are no UTF-8 are shown alike; a genuine file in one vouches for none in the other.
#[cfg(target_os = "linux")]
#[test]
fn a_changed_file_is_not_hidden_by_one_that_is_shown_alike() {
    use std::os::unix::ffi::OsStrExt;
    let copy = Copy::new();
    let genuine = copy.path("_l0");
    let name = genuine.file_name().unwrap().to_owned();
    let folders = [b"\xff", b"\xfe"].map(|name| copy.dir.path().join(std::ffi::OsStr::from_bytes(name)));
    let text = fs::read_to_string(&genuine).unwrap();
    for (folder, text) in folders.iter().zip([text.clone(), text.replacen("EnableMFADevice", "ResyncMFADevice", 1)]) {
        fs::create_dir(folder).unwrap();
        fs::write(folder.join(&name), text).unwrap();
    }
    let verdicts = copy.audit(true).verdicts();
    for folder in folders {
        assert_eq!(verdicts.of(&folder.join(&name).display().to_string()), Invalid);
    }
}

/// A digest that nobody signed and that claims to follow the newest says nothing of it.
#[test]
fn a_planted_follower_makes_nothing_invalid() {
    let copy = Copy::new();
    let newest = fs::read_to_string(copy.path("T110000Z")).unwrap();
    let mut planted: serde_json::Value = serde_json::from_str(&newest).unwrap();
    planted["previousDigestS3Object"] = planted["digestS3Object"].clone();
    planted["digestS3Object"] = planted["digestS3Object"].as_str().unwrap().replace("T110000Z", "T120000Z").into();
    planted["digestEndTime"] = "2024-05-01T12:00:00Z".into();
    planted["previousDigestSignature"] = "00".repeat(256).into();
    fs::write(copy.dir.path().join("planted_T120000Z.json"), planted.to_string()).unwrap();
    let (digests, _) = verdicts(&copy.audit(false));
    assert!(!digests.contains(&Invalid), "{digests:?}");
}

/// Trails of several accounts, whose copies begin at different hours.
#[test]
fn a_chain_that_begins_later_than_anothers_has_no_hole() {
    let copy = Copy::new();
    fs::remove_file(copy.path("T090000Z")).unwrap();
    fs::remove_file(copy.path("_l0")).unwrap();
    let older = fs::read_to_string(copy.path("T100000Z")).unwrap();
    let other =
        older.replace("111122223333", "444455556666").replace("T100000Z", "T010000Z").replace("10:00:00", "01:00:00");
    fs::write(copy.dir.path().join("444455556666_T010000Z.json"), other).unwrap();
    assert_eq!(copy.audit(true).missing, Vec::<String>::new());
}

/// Every chain as `ACCOUNT REGION TRAIL`, with the hours that valid digests cover, and how many of its digests hold.
fn spans(audit: &Audit) -> Vec<String> {
    let hours = |span: &countersign_replay::trail::Span| format!("{}-{}", &span.from[11..13], &span.to[11..13]);
    let line = |chain: &countersign_replay::trail::ChainRow| {
        let covered: Vec<String> = chain.covered.iter().map(hours).collect();
        let (account, region, trail) = (&chain.account, &chain.region, &chain.trail);
        format!("{account} {region} {trail} [{}] {}/{}", covered.join(" "), chain.valid, chain.digests)
    };
    audit.chains.iter().map(line).collect()
}

#[test]
fn each_chain_says_which_hours_it_covers() {
    let copy = Copy::new();
    assert_eq!(spans(&copy.audit(true)), ["111122223333 us-east-1 trail [08-11] 3/3"]);
    assert_eq!(spans(&copy.audit(false)), ["111122223333 us-east-1 trail [08-10] 2/3"]);
    // A changed one is a hole; it still has the signature of the one before.
    copy.change("T100000Z", "111122223333_CloudTrail_us-east-1_20240501T0945Z_l1", "another");
    assert_eq!(spans(&copy.audit(true)), ["111122223333 us-east-1 trail [08-09 10-11] 2/3"]);
    let text = copy.audit(true).text();
    assert!(text.contains("2024-05-01T10:00:00Z"), "{text}");
    fs::remove_file(copy.path("T100000Z")).unwrap();
    assert_eq!(spans(&copy.audit(true)), ["111122223333 us-east-1 trail [10-11] 1/2"]);
    fs::remove_file(copy.path("T110000Z")).unwrap();
    assert_eq!(spans(&copy.audit(false)), ["111122223333 us-east-1 trail [] 0/1"]);
}

#[test]
fn another_key_proves_nothing() {
    let copy = Copy::new();
    let mut list: serde_json::Value =
        serde_json::from_slice(&fs::read(data().join("signed-keys.json")).unwrap()).unwrap();
    list["PublicKeyList"][0]["ValidityEndTime"] = serde_json::json!("2024-04-30T00:00:00Z");
    let old = copy.dir.path().join("old-keys");
    fs::write(&old, list.to_string()).unwrap();
    let keys = PublicKeys::read(&old).unwrap();
    fs::remove_file(&old).unwrap();
    let found = audit(&files_of(&[copy.dir.path().to_owned()]).0, &keys, &Signatures::default());
    assert_eq!(verdicts(&found), (vec![NotCovered; 3], vec![NotCovered; 3]));
}

/// Who looks only at the records reports that francis has MFA. What is cited is valid, but what was changed is what
/// would have said otherwise.
#[test]
fn an_answer_carries_the_verdict_of_its_files() {
    let copy = Copy::new();
    copy.change("_l1", "DeactivateMFADevice", "ResyncMFADevice");
    let loaded = load(&[copy.dir.path().to_owned()], &LoadOptions::default(), &Progress::default());
    let verdicts = copy.audit(true).verdicts();
    let told = Told { history: fold(loaded.events), flaws: loaded.flaws, verdicts, ..Told::default() };
    let answer = state(&told, &StateQuery::default());
    let rows: Vec<_> = answer.principals.iter().map(|row| (row.name.to_string(), row.integrity)).collect();
    assert_eq!(rows, [("francis".to_owned(), Valid), ("ivan".to_owned(), Valid)]);
    assert_eq!((answer.integrity.verdict, answer.integrity.invalid.len()), (Invalid, 1));
}

#[test]
fn no_row_is_better_than_a_file_that_it_cites_and_no_answer_than_a_row() {
    let copy = Copy::new();
    let planted = serde_json::json!([{"eventName": "EnableMFADevice", "eventSource": "iam.amazonaws.com",
        "eventTime": "2024-05-01T10:50:00Z", "eventID": "planted", "recipientAccountId": "111122223333",
        "userIdentity": {"type": "Root", "accountId": "111122223333"},
        "requestParameters": {"userName": "ivan", "serialNumber": "GAHT00000001"}}]);
    fs::write(copy.dir.path().join("planted.json"), planted.to_string()).unwrap();
    let loaded = load(&[copy.dir.path().to_owned()], &LoadOptions::default(), &Progress::default());
    let verdicts = copy.audit(true).verdicts();
    let told = Told { history: fold(loaded.events), flaws: loaded.flaws, verdicts, ..Told::default() };
    let answer = state(&told, &StateQuery::default());
    for row in &answer.principals {
        assert_eq!(row.integrity == Valid, !row.citations.iter().any(|cite| &**cite == "planted"), "{row:?}");
    }
    assert_eq!(answer.integrity.verdict, NotCovered);
    // What nobody vouches for may stand beside it, from another log.
    let francis = StateQuery { only: Some(told.find("francis")), ..StateQuery::default() };
    let alone = state(&told, &francis);
    assert_eq!((alone.principals.len(), alone.integrity.verdict), (1, Valid));
    for verdict in [NotCovered, Invalid] {
        let other = PrincipalRow { integrity: verdict, ..alone.principals[0].clone() };
        let row = PrincipalRow { citations: vec!["x".into()], ..other };
        assert_eq!(alone.clone().beside(vec![row]).integrity.verdict, verdict);
    }
}

/// Copies of the signed logs, told with their verdicts as the tool tells them.
fn told_of(copy: &Copy) -> Told {
    let loaded = load(&[copy.dir.path().to_owned()], &LoadOptions::default(), &Progress::default());
    let (verdicts, sources) = (copy.audit(true).verdicts(), loaded.sources);
    Told { history: fold(loaded.events), flaws: loaded.flaws, verdicts, sources, ..Told::default() }
}

#[test]
fn an_answer_rests_on_every_file_with_records_whether_it_cites_them_or_not() {
    let copy = Copy::new();
    // Nothing contradicts itself here, and that, too, rests on the files.
    let told = told_of(&copy);
    assert!(findings(&told).findings.is_empty());
    assert_eq!(findings(&told).integrity.verdict, Valid);
    assert_eq!(state(&told, &StateQuery::default()).integrity.verdict, Valid);
    // A planted renaming decides whom the signed records mean, and is cited by nobody.
    let planted = serde_json::json!([{"eventName": "UpdateUser", "eventSource": "iam.amazonaws.com",
        "eventTime": "2024-05-01T08:31:00Z", "eventID": "planted", "recipientAccountId": "111122223333",
        "userIdentity": {"type": "Root", "accountId": "111122223333"},
        "requestParameters": {"userName": "francis", "newUserName": "francis-old"}}]);
    fs::write(copy.dir.path().join("planted.json"), planted.to_string()).unwrap();
    let told = told_of(&copy);
    assert_eq!(state(&told, &StateQuery::default()).integrity.verdict, NotCovered);
    assert_eq!(findings(&told).integrity.verdict, NotCovered);
    // So does one that only leaves something out.
    fs::write(copy.dir.path().join("planted.json"), planted.to_string().replace("UpdateUser", "ListUsers")).unwrap();
    assert_eq!(state(&told_of(&copy), &StateQuery::default()).integrity.verdict, NotCovered);
    // What holds no record is nothing that an answer rests on.
    fs::write(copy.dir.path().join("planted.json"), "{\"Records\":[]}").unwrap();
    assert_eq!(state(&told_of(&copy), &StateQuery::default()).integrity.verdict, Valid);
}
