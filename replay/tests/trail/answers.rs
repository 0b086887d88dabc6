//! The answers for three public sets of data, exactly.

use countersign_replay::ask::{SignInsQuery, Standard, StateQuery};
use countersign_replay::ask::{Told, findings, report, rotations, sign_ins, state, timeline};
use countersign_replay::trail::{LoadOptions, Loaded, Progress, load};

use crate::support::{fixtures, tell, time};

fn loaded(path: &str) -> Option<Loaded> {
    Some(load(&[fixtures()?.join(path)], &LoadOptions::default(), &Progress::default()))
}

/// Rows of a table of answers: principal, unique id, and the states at two instants and at the end.
fn assert_states(told: &Told, instants: [&str; 2], expected: &str) {
    let at = |at: Option<&str>| {
        let answer = state(told, &StateQuery { at: at.map(time), only: None });
        answer.principals.into_iter().map(|row| {
            let basis = row.basis.map_or_else(String::new, |basis| format!(" ({})", basis.name()));
            let devices: String = row.devices.iter().map(|s| format!(" [{}]", s.rsplit(':').next().unwrap())).collect();
            let password = row.console_password.map(|has| if has { "True" } else { "False" });
            let head = format!("{}|{}", row.id, row.uid.as_deref().unwrap_or("-"));
            (head, format!("{}{basis}{devices}", row.status.name()), password.unwrap_or("None").to_owned())
        })
    };
    let rows = at(Some(instants[0])).zip(at(Some(instants[1]))).zip(at(None));
    let mut rows: Vec<String> = rows
        .map(|((first, second), end)| format!("{}|{}|{}|{}|{}", first.0, first.1, second.1, end.1, end.2))
        .collect();
    let mut expected: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    rows.sort();
    expected.sort_unstable();
    assert_eq!(rows, expected);
}

/// The controls of CIS about users: who is against them, and of whom nobody can tell.
fn console_users(told: &Told, at: Option<&str>) -> (Vec<String>, Vec<String>) {
    let answer = report(told, Standard::Cis, Some("1.4"), at.map(time)).unwrap();
    let control = answer.controls.into_iter().find(|control| control.id == "1.10").unwrap();
    (control.fails, control.cannot_tell)
}

fn signed_in(told: &Told) -> Vec<String> {
    let rows = sign_ins(told, &SignInsQuery::default()).signins;
    rows.iter().map(|row| format!("{} {} {} {}", row.time, row.outcome, row.class.name(), row.id)).collect()
}

/// The events of a principal in the form of the answers.
fn events(told: &Told, id: &str) -> Vec<String> {
    let places = told.find(id);
    let answer = timeline(told, &places);
    let rows = answer.timelines.iter().flat_map(|timeline| &timeline.events);
    let effective = rows.filter(|row| !row.effect.starts_with("failed"));
    let device = |serial: &str| format!(" {}", serial.rsplit(':').next().unwrap());
    effective
        .map(|row| format!("{} {}{}", row.time, row.event, row.device.as_deref().map(device).unwrap_or_default()))
        .collect()
}

#[test]
fn of_a_lab_account() {
    let Some(loaded) = loaded("invictus-ir/CloudTrail") else { return };
    let counts = (loaded.inputs.files, loaded.inputs.records, loaded.inputs.unique_records);
    assert_eq!(counts, (55, 2900, Some(2900)));
    let told = tell(loaded);
    let expected = "
        123837392027/benjamin#1|AIDATFQR7NSC5U6Q3TMDR|enabled (evidence)|enabled (evidence)|enabled (evidence)|None
        123837392027/bert-jan#1|AIDATFQR7NSC5AU2ZV3IE|enabled (evidence)|enabled (evidence) [mfa/Mobile]|enabled (evidence) [mfa/Mobile]|True
        123837392027/malicious-iam-user#1|AIDATFQR7NSCVHF5KTCK7|nonexistent|disabled (created)|deleted|None
        123837392027/stratus-red-team-backdoor-u-user#1|AIDATFQR7NSC6QQTBIHPQ|nonexistent|disabled (created)|deleted|None
        123837392027/stratus-red-team-login-profile-user#1|AIDATFQR7NSCWNELQTHM7|nonexistent|disabled (created)|deleted|None
        123837392027/stratus-red-team-nmfalu-gfjyeaypjt#1|AIDATFQR7NSCYG26CT6RI|disabled (created)|disabled (created)|deleted|None";
    assert_states(&told, ["2023-07-10T12:24:00Z", "2023-07-10T12:28:00Z"], expected);
    let bert_jan = [
        "2023-07-10T12:13:16Z mfa_session",
        "2023-07-10T12:27:31Z CheckMfa Virtual MFA",
        "2023-07-10T12:27:45Z mfa_session",
        "2023-07-10T12:27:45Z ConsoleLogin(mfa) mfa/Mobile",
    ];
    assert_eq!(events(&told, "bert-jan"), bert_jan);
    assert_eq!(events(&told, "benjamin"), ["2023-07-10T11:42:31Z mfa_session"]);
    let victim = [
        "2023-07-10T12:23:05Z CreateUser",
        "2023-07-10T12:23:06Z CreateLoginProfile",
        "2023-07-10T12:23:15Z ConsoleLogin(no_mfa)",
        "2023-07-10T12:28:33Z DeleteLoginProfile",
        "2023-07-10T12:28:34Z DeleteUser",
    ];
    assert_eq!(events(&told, "stratus-red-team-nmfalu-gfjyeaypjt"), victim);
    let nmfalu = "123837392027/stratus-red-team-nmfalu-gfjyeaypjt#1".to_owned();
    let signed_ins = [
        format!("2023-07-10T12:23:15Z success no_mfa {nmfalu}"),
        "2023-07-10T12:27:45Z success mfa 123837392027/bert-jan#1".to_owned(),
    ];
    assert_eq!(signed_in(&told), signed_ins);
    assert_eq!(findings(&told).findings, []);
    assert_eq!(rotations(&told).rotations, []);
    assert_eq!(console_users(&told, Some("2023-07-10T12:24:00Z")), (vec![nmfalu.clone()], vec![]));
    let login_profile = "123837392027/stratus-red-team-login-profile-user#1".to_owned();
    assert_eq!(console_users(&told, Some("2023-07-10T12:28:00Z")), (vec![login_profile, nmfalu], vec![]));
    assert_eq!(console_users(&told, None), (vec![], vec![]));
}

#[test]
fn of_samples_of_a_root_user() {
    let Some(loaded) = loaded("splunk/splunk.jsonl") else { return };
    let counts = (loaded.inputs.files, loaded.inputs.records, loaded.inputs.unique_records);
    assert_eq!(counts, (1, 11, Some(11)));
    let told = tell(loaded);
    let expected = "
        111111111111/root|-|enabled (evidence)|disabled (deactivated)|disabled (deactivated)|None
        111111111111/AtomicRedTeam#1|-|unknown|unknown|unknown|True
        140429656527/root|-|unknown|unknown|unknown|None";
    assert_states(&told, ["2022-10-04T16:13:44Z", "2022-10-04T16:13:45Z"], expected);
    let root = [
        "2022-10-04T16:13:23Z mfa_session",
        "2022-10-04T16:13:45Z DeactivateMFADevice mfa/root-account-mfa-device",
        "2022-10-04T16:13:46Z DeleteVirtualMFADevice mfa/root-account-mfa-device",
    ];
    assert_eq!(events(&told, "111111111111/root"), root);
    let other = ["2023-01-30T23:02:23Z CreateVirtualMFADevice mfa/strt_mfa_2"];
    assert_eq!(events(&told, "140429656527/root"), other);
    assert_eq!(signed_in(&told), ["2022-10-19T20:33:38Z failure no_mfa HIDDEN_DUE_TO_SECURITY_REASONS"]);
    assert_eq!(findings(&told).findings, []);
    assert_eq!(rotations(&told).rotations, []);
    let unknown = vec!["111111111111/AtomicRedTeam#1".to_owned()];
    for at in [Some("2022-10-04T16:13:44Z"), Some("2022-10-04T16:13:45Z"), None] {
        assert_eq!(console_users(&told, at), (vec![], unknown.clone()));
    }
}

/// Report, principals, those with MFA, those with a password and without MFA, and root's MFA. A report that lists one
/// user twice tells of one principal.
const REPORTS: [(&str, usize, &str, &str, &str); 10] = [
    ("123456789012_20190507T154022Z__cloudmapper__demo__iam-get-credential-report", 3, "root", "user", "enabled"),
    ("123456789012_20200402T162057Z__custodian__test_iam_user_credential_reverse_filter_delete_1", 1, "", "", "absent"),
    ("619193117841_20161125T143042Z__custodian__test_iam_user_unused_keys_2", 8, "", "kaleb", "disabled"),
    (
        "619193117841_21161125T143042Z__custodian__test_iam_user_unused_keys_report_in_progress_2",
        8,
        "",
        "kaleb",
        "disabled",
    ),
    ("644160558196_20161125T110225Z__custodian__test_iam_user_console_old_1", 20, TEN, NINE, "enabled"),
    ("644160558196_20170222T230748Z__custodian__test_account_credential_report_1", 20, TEN, NINE, "enabled"),
    ("644160558196_20180601T000325Z__custodian__test_iam_user_delete_options_1", 1, "", "test_user", "absent"),
    ("644160558196_20181202T011849Z__custodian__test_iam_user_credential_multi_delete_1", 1, "", "kapil", "absent"),
    ("644160558196_20210204T152453Z__custodian__test_iam_user_credential_multi_delete_noop_1", 2, "", "", "disabled"),
    ("644160558196_20210204T152453Z__custodian__test_iam_user_credential_multi_delete_noop_2", 2, "", "", "disabled"),
];
const TEN: &str = "root anthony calvin chrissy david joshua mandeep matt rob ryanwolfe";
const NINE: &str = "andrew christopher jeff Jennifer kapil kit scot steven";

#[test]
fn of_credential_reports_alone() {
    for (name, principals, with_mfa, unguarded, root) in REPORTS {
        let Some(loaded) = loaded(&format!("credential-reports/{name}.csv")) else { return };
        assert!(!loaded.inputs.is_partial());
        let told = tell(loaded);
        let rows = state(&told, &StateQuery::default()).principals;
        let names = |status: &str| -> Vec<String> {
            let of = rows.iter().filter(|row| row.status.name() == status && row.kind == "user");
            let of = of.filter(|row| status == "enabled" || row.console_password == Some(true));
            of.map(|row| row.name.to_string()).collect()
        };
        let found_root = rows.iter().find(|row| row.kind == "root").map_or("absent", |row| row.status.name());
        let root_too = (found_root == "enabled").then(|| "root".to_owned());
        let enabled: Vec<String> = root_too.into_iter().chain(names("enabled")).collect();
        assert_eq!((rows.len(), found_root), (principals, root), "{name}");
        assert_eq!(enabled.join(" "), with_mfa, "{name}");
        assert_eq!(names("disabled").join(" "), unguarded, "{name}");
        assert_eq!(findings(&told).findings, [], "{name}");
    }
}

/// Samples of a vendor that reuse one id for records that differ: each is kept, and each clash is told.
#[test]
fn of_samples_that_share_their_ids() {
    let Some(loaded) = loaded("panther/panther.jsonl") else { return };
    let counts = (loaded.inputs.records, loaded.inputs.unique_records, loaded.flaws.len());
    assert_eq!(counts, (71, Some(71), 52));
    let clashes = loaded.flaws.iter().filter(|flaw| flaw.kind == "same_event_id_different_body").count();
    assert_eq!(clashes, 51);
    assert_eq!(sign_ins(&tell(loaded), &SignInsQuery::default()).signins.len(), 27);
}

/// Everything at once: nothing fails, and what is no record is passed over.
#[test]
fn of_everything_at_once() {
    let Some(root) = fixtures() else { return };
    let loaded = load(&[root], &LoadOptions::default(), &Progress::default());
    assert!(!loaded.inputs.is_partial(), "{:?}", loaded.inputs.skips);
    assert_eq!(loaded.inputs.kinds["credential_report"], 10);
    assert!(loaded.inputs.kinds["other"] > 5);
}
