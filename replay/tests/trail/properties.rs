//! What must not matter: order, files, copies and failures. Over generated organisations, whose logs may well
//! contradict themselves.

use std::collections::BTreeSet;

use countersign_replay::ask::{SignInsQuery, StateQuery, Told, findings, json, rotations, sign_ins, state, timeline};
use countersign_replay::time::Time;
use countersign_replay::trail::{LoadOptions, Loaded};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json as value};

use crate::support::{Log, arn, gzip, load_files, root, session, tell, time, user};

const NAMES: [&str; 4] = ["alice", "bob", "Carol", "AWS ROOT USER"];
const DEVICES: [&str; 4] = ["S1", "S2", "GAHT00000001", "phone"];
const DAY_MS: i64 = 86_400_000;

#[derive(Clone, Debug)]
struct Act {
    kind: u8,
    name: &'static str,
    other: &'static str,
    device: &'static str,
    own: bool,
    failing: bool,
    anonymous: bool,
    minute: u32,
}

fn act() -> impl Strategy<Value = Act> {
    let who = (select(&NAMES[..]), select(&NAMES[..3]), select(&DEVICES[..]));
    let how = (any::<bool>(), prop::bool::weighted(0.15), prop::bool::weighted(0.05), 0..2880_u32);
    (0..18_u8, who, how).prop_map(|(kind, (name, other, device), (own, failing, anonymous, minute))| Act {
        kind,
        name,
        other,
        device,
        own,
        failing,
        anonymous,
        minute,
    })
}

fn identity(name: &str) -> Value {
    if name == NAMES[3] { root() } else { user(name) }
}

/// Records of two days, around the day when several devices became possible.
fn records(acts: &[Act]) -> Vec<Value> {
    let mut log = Log::new();
    let begin = time("2022-11-15T00:00:00Z");
    for act in acts {
        let at = Time(begin.0 + i64::from(act.minute) * 60_000).to_string();
        let opened = Time(begin.0 + i64::from(act.minute / 90) * 90 * 60_000).to_string();
        let (name, device) = (act.name, act.device);
        let record = match act.kind {
            0 | 1 => log.create_as(&at, act.other, &format!("AIDA{:0>12}", act.minute)),
            2 => log.delete(&at, act.other),
            3 => log.rename(&at, act.other, name.split(' ').next().unwrap()),
            4 => log.make(&at, device),
            5..=7 => log.enable(&at, name, device),
            8 | 9 => log.deactivate(&at, name, device),
            10 => log.destroy(&at, device),
            11 => log.resync(&at, name, device),
            12 => log.login_profile(&at, if act.own { "Create" } else { "Delete" }, act.other),
            13 => log.sign_in(&at, identity(name), if act.own { "Yes" } else { "No" }, !act.failing),
            14 => log.check(&at, identity(name), !act.failing),
            15 => {
                let rest = value!({"requestParameters": {"serialNumber": arn(device)}});
                log.add(&at, "sts", "GetSessionToken", identity(name), rest)
            }
            16 => log.iam(
                &at,
                if act.own { "EnableMFADevice" } else { "DeactivateMFADevice" },
                value!({"userName": name}),
            ),
            _ => log.call(&at, session(identity(name), &opened, value!("true"))),
        };
        if act.own && (4..=11).contains(&act.kind) {
            record["userIdentity"] = identity(name);
        }
        if act.failing && !(13..=14).contains(&act.kind) {
            Log::failing(record, "AccessDenied");
        }
        if act.anonymous {
            record.as_object_mut().unwrap().remove("eventID");
        }
    }
    log.records
}

fn failed(record: &Value) -> bool {
    let outcome = |name: &str| record["responseElements"][name] == "Failure";
    record.get("errorCode").is_some() || outcome("ConsoleLogin") || outcome("CheckMfa")
}

/// Everything that can be asked, in JSON.
fn answers(told: &Told) -> Vec<String> {
    let all: Vec<usize> = (0..told.history.lives().len()).collect();
    let mut ids: Vec<usize> = all.clone();
    ids.sort_by_key(|place| told.history.lives()[*place].id());
    let mut answers = unaffected(told);
    answers.push(json(&sign_ins(told, &SignInsQuery::default())).unwrap());
    answers.push(json(&timeline(told, &ids)).unwrap());
    answers
}

/// What failed calls have no part in.
fn unaffected(told: &Told) -> Vec<String> {
    let begin = time("2022-11-15T00:00:00Z").0;
    let instants = (0..=8).map(|quarter| Some(Time(begin + quarter * DAY_MS / 4)));
    let states = instants.chain([None]).map(|at| json(&state(told, &StateQuery { at, only: None })).unwrap());
    states.chain([json(&findings(told)).unwrap(), json(&rotations(told)).unwrap()]).collect()
}

fn lines<'a>(records: impl IntoIterator<Item = &'a Value>) -> Vec<u8> {
    records.into_iter().map(|record| format!("{record}\n")).collect::<String>().into_bytes()
}

fn read(files: &[Vec<u8>]) -> Loaded {
    let names: Vec<String> = (0..files.len()).map(|place| format!("{}/{place}.json", place % 3)).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(String::as_str).zip(files.iter().map(Vec::as_slice)).collect();
    load_files(&files, &LoadOptions::default())
}

fn named(record: &Value) -> bool {
    record.get("eventID").is_some()
}

/// What happened to devices of one user: when, whether one came or went, and which.
type Turns = Vec<(i64, bool, String)>;

/// Devices that come and go, one at a time; some come again.
fn turns() -> impl Strategy<Value = Turns> {
    let step = (select(&[60, 3600, 86_400, 200_000, 500_000, 604_800][..]), 0..8_u8, any::<Index>());
    prop::collection::vec(step, 2..24).prop_map(|steps| {
        let (mut second, mut held, mut gone) = (10, Vec::<String>::new(), Vec::<String>::new());
        let mut turns = Vec::new();
        for (number, (wait, kind, which)) in steps.into_iter().enumerate() {
            second += wait;
            let (list, on) = match kind {
                0..=3 if !held.is_empty() => (&mut held, false),
                4 if !gone.is_empty() => (&mut gone, true),
                _ => {
                    gone.push(format!("d{number:02}"));
                    (&mut gone, true)
                }
            };
            let place = if kind > 4 || (on && kind < 4) { list.len() - 1 } else { which.index(list.len()) };
            let device = list.remove(place);
            if on {
                held.push(device.clone())
            } else {
                gone.push(device.clone())
            }
            turns.push((second, on, device));
        }
        turns
    })
}

/// Windows without any device that another ended within seven days: the device that went, the one that came, and when.
fn windows(turns: &Turns) -> BTreeSet<(String, String, i64, i64)> {
    let (mut held, mut bare, mut windows) = (BTreeSet::new(), None, BTreeSet::new());
    for (second, on, device) in turns {
        if !on {
            held.remove(device);
            bare = held.is_empty().then_some((device, *second));
            continue;
        }
        if let Some((old, since)) = bare.take().filter(|(old, since)| *old != device && second - since <= 604_800) {
            windows.insert((old.clone(), device.clone(), since, *second));
        }
        held.insert(device);
    }
    windows
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn order_and_files_do_not_matter(
        (acts, keys) in prop::collection::vec((act(), any::<u32>()), 1..40).prop_map(|all| all.into_iter().unzip::<_, _, Vec<_>, Vec<_>>()),
        cuts in prop::collection::vec(any::<Index>(), 0..6),
    ) {
        let records = records(&acts);
        let expected = answers(&tell(read(&[lines(&records)])));
        let mut order: Vec<usize> = (0..records.len()).collect();
        order.sort_by_key(|place| keys[*place]);
        let shuffled: Vec<&Value> = order.iter().map(|place| &records[*place]).collect();
        let ends: BTreeSet<usize> = cuts.iter().map(|cut| cut.index(records.len())).chain([records.len()]).collect();
        let mut files = Vec::new();
        let mut from = 0;
        for (number, end) in ends.into_iter().enumerate() {
            let part = &shuffled[from..end];
            files.push(match number % 3 {
                0 => lines(part.iter().copied()),
                1 => gzip(value!({ "Records": part }).to_string().as_bytes()),
                _ => value!(part).to_string().into_bytes(),
            });
            from = end;
        }
        prop_assert_eq!(answers(&tell(read(&files))), expected);
    }

    #[test]
    fn copies_do_not_matter(acts in prop::collection::vec(act(), 1..30), again in any::<prop::sample::Selector>()) {
        let records: Vec<Value> = records(&acts).into_iter().filter(named).collect();
        let expected = answers(&tell(read(&[lines(&records)])));
        prop_assert_eq!(&answers(&tell(read(&[lines(&records)]))), &expected);
        let mut copies: Vec<&Value> = records.iter().collect();
        if !records.is_empty() {
            copies.push(again.select(&records));
        }
        let loaded = read(&[lines(copies), gzip(&lines(&records))]);
        prop_assert_eq!(loaded.inputs.unique_records, Some(records.len() as u64));
        prop_assert_eq!(answers(&tell(loaded)), expected);
    }

    #[test]
    fn failures_do_not_matter(acts in prop::collection::vec(act(), 1..40)) {
        let records = records(&acts);
        let expected = unaffected(&tell(read(&[lines(&records)])));
        let effective = records.iter().filter(|record| !failed(record));
        prop_assert_eq!(unaffected(&tell(read(&[lines(effective)]))), expected);
    }

    /// Instants within a session are left out: that it was opened is known by its first record only, and is then
    /// true from its opening on.
    #[test]
    fn a_log_that_ends_at_an_instant_says_what_the_whole_says_of_it(
        acts in prop::collection::vec(act(), 1..40),
        minute in 0..2880_i64,
    ) {
        let at = Time(time("2022-11-15T00:00:00Z").0 + minute * 60_000);
        let records = records(&acts);
        let of = |record: &Value| time(record["eventTime"].as_str().unwrap());
        let straddles = |record: &Value| {
            let opened = record["userIdentity"]["sessionContext"]["attributes"]["creationDate"].as_str();
            opened.is_some_and(|opened| time(opened) <= at && at < of(record))
        };
        prop_assume!(!records.iter().any(straddles));
        let ended = records.iter().filter(|record| of(record) <= at);
        let facts = |told: &Told| {
            let rows = state(told, &StateQuery { at: Some(at), only: None }).principals;
            let known = rows.into_iter().filter(|row| !row.citations.is_empty());
            let fact = |row: &countersign_replay::ask::PrincipalRow| {
                format!("{} {} {:?} {:?} {:?} {:?} {:?}", row.id, row.name, row.status, row.basis, row.devices, row.console_password, row.citations)
            };
            let mut facts: Vec<String> = known.map(|row| fact(&row)).collect();
            facts.sort();
            facts
        };
        let cut = tell(read(&[lines(ended)]));
        prop_assert_eq!(facts(&cut), facts(&tell(read(&[lines(&records)]))));
    }

    /// No window without MFA is lost, and none is invented.
    #[test]
    fn rotations_have_every_window_without_mfa(turns in turns(), keys in prop::collection::vec(any::<u32>(), 25)) {
        let begin = time("2023-01-01T00:00:00Z").0 / 1000;
        let at = |second: i64| Time((begin + second) * 1000).to_string();
        let mut log = Log::new();
        log.create(&at(0), "amy");
        for (second, on, device) in &turns {
            if *on { log.enable(&at(*second), "amy", device) } else { log.deactivate(&at(*second), "amy", device) };
        }
        let mut records: Vec<(u32, Value)> = keys.into_iter().zip(log.records).collect();
        records.sort_by_key(|(key, _)| *key);
        let told = tell(read(&[lines(records.iter().map(|(_, record)| record))]));
        let short = |serial: &str| serial.rsplit('/').next().unwrap_or_default().to_owned();
        let second = |time: Time| time.0 / 1000 - begin;
        let mut found = BTreeSet::new();
        for row in rotations(&told).rotations {
            prop_assert_eq!(row.gap_s, second(row.on) - second(row.off));
            prop_assert!(row.gap_s.abs() <= 604_800 && row.old != row.new);
            if row.without_mfa {
                found.insert((short(&row.old), short(&row.new), second(row.off), second(row.on)));
            }
        }
        prop_assert_eq!(found, windows(&turns));
    }
}
