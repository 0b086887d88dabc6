//! The generated histories reach the corners that they are made for. A comparison that never sees a
//! locked device or a spent code shows nothing.

use std::collections::BTreeMap;

use countersign::KeyForm;
use countersign::domain::event::{KeyFault, SignInFactor, SignInFault, SmsFault};
use proptest::collection::vec;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::cast::{Credential, Device};
use super::commands::{Answer, Command, Text};
use super::facts::{Fact, Fault, Task};
use super::machine::{START_MS, STEPS};
use super::perform::Model;
use super::rules::{OPEN, Rules};
use super::scenes::{SCENES, prelude};
use super::steps::{Step, any_step};

/// Histories of the model alone under each of the rules; few steps cost nothing without an engine.
const HISTORIES: usize = 180;

/// What some history must come to, whatever the rules.
const CORNERS: &[&str] = &[
    "a code used twice",
    "a code outside the window",
    "a wrong code",
    "a locked device",
    "a locked device, told before",
    "a pair that is not newer",
    "a pair that does not match",
    "a refused resync",
    "an accepted resync",
    "a device enabled for another than before",
    "a device made anew",
    "a retry of what was recorded",
    "a retried sign-in",
    "a removal that takes devices along",
    "an offset that was learned",
    "signed in by nothing",
    "signed in by a thing",
    "signed in by a key",
    "signed in by alternative factors",
    "signed in by the linked root's device alone",
    "signed in after the linked root's device",
    "not in: wrong",
    "not in: locked",
    "not in: not asked",
    "a linked root's code refused",
    "the linked root's digits again",
    "a sign-in crowded out",
    "sign-ins that a new password ended",
    "a Passkey registered",
    "a key of somebody else's making, proven",
    "a credential registered anew",
    "a credential registered for another than before",
    "key refused: Malformed",
    "key refused: Challenge",
    "key refused: Origin",
    "key refused: RelyingParty",
    "key refused: UserNotPresent",
    "key refused: Signature",
    "key refused: UnknownCredential",
    "key refused: CounterRegressed",
    "key refused: SuspectedClone",
    "key refused: AlreadyRegistered",
    "a key that went while it was asked",
    "a key without a counter",
    "an alternative factor missed",
    "an alternative factor proven, and thrown away",
    "rules chosen in the middle",
    "rejected 101",
    "rejected 309",
    "rejected 201",
    "rejected 202",
    "rejected 203",
    "rejected 204",
    "rejected 205",
    "rejected 206",
    "rejected 301",
    "rejected 302",
    "rejected 303",
    "rejected 304",
    "rejected 305",
    "rejected 306",
    "rejected 307",
    "rejected 310",
    "rejected 311",
    "rejected 312",
    "rejected 313",
    "rejected 314",
    "rejected 402",
    "rejected 403",
    "rejected 404",
];

/// What the rules of 2022 add, what those of 2019 do, and where there is SMS and keys are only touched.
const MODERN: &[&str] = &["rejected 102", "a rotation", "key refused: UserNotVerified"];
const CLASSIC: &[&str] = &["rejected 308", "rejected 401", "a pair far from now"];
const TOUCHED: &[&str] = &[
    "a SecurityKey registered",
    "a replacement by a key",
    "signed in by a phone",
    "a phone enrolled",
    "a phone enrolled again",
    "sent code: Wrong",
    "sent code: Expired",
    "sent code: Exhausted",
    "an older code",
    "rejected 405",
    "rejected 406",
];

#[test]
fn histories_reach_every_corner() {
    let all = [
        (Rules::CLASSIC, vec![CORNERS, CLASSIC]),
        (Rules::MODERN, vec![CORNERS, MODERN, TOUCHED]),
        (Rules::STRICT, vec![CORNERS, MODERN]),
    ];
    for (rules, wanted) in all {
        let reached = reached(rules);
        let missing: Vec<&str> = wanted.concat().into_iter().filter(|corner| !reached.contains_key(*corner)).collect();
        assert!(missing.is_empty(), "no history has {missing:?}: {reached:#?}");
    }
}

fn reached(rules: Rules) -> BTreeMap<String, usize> {
    let mut runner = TestRunner::deterministic();
    let mut reached = BTreeMap::new();
    for history in 0..HISTORIES {
        let steps = vec(any_step(), STEPS).new_tree(&mut runner).unwrap().current();
        let mut model = Model::new(rules, START_MS);
        for step in prelude(history % SCENES).iter().chain(&steps) {
            let (asked, noted) = (model.asked.len(), model.history.0.len());
            let open = open_sign_ins(&model);
            model.take(step);
            let retried = matches!(step, Step::Again { .. }) && model.asked.len() > asked;
            for corner in corners(&model, asked, noted, retried) {
                *reached.entry(corner).or_default() += 1;
            }
            if crowded_out(&model, &open, noted) {
                *reached.entry("a sign-in crowded out".to_owned()).or_default() += 1;
            }
        }
    }
    reached
}

/// Sign-ins that are open, where there are enough of them to matter.
fn open_sign_ins(model: &Model) -> Vec<usize> {
    if model.attempts < OPEN {
        return Vec::new();
    }
    (0..4).flat_map(|person| model.history.open_sign_ins(person, model.now)).map(|open| open.attempt).collect()
}

/// Whether a sign-in is over for no other reason than that others were begun.
fn crowded_out(model: &Model, before: &[usize], noted: usize) -> bool {
    if before.is_empty() {
        return false;
    }
    let only_begun = model.history.0[noted..].iter().all(|(_, fact)| matches!(fact, Fact::Started { .. }));
    let after = open_sign_ins(model);
    only_begun && model.history.0.len() > noted && before.iter().any(|attempt| !after.contains(attempt))
}

/// The corners that the step after these lengths came to.
fn corners(model: &Model, asked: usize, noted: usize, retried: bool) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let (before, after) = model.history.0.split_at(noted);
    let mut gone = Vec::new();
    for (_, fact) in after {
        found.extend(corner(before, fact).map(str::to_owned));
        found.extend(door_corner(model, before, after, fact));
        match fact {
            Fact::Enabled { offset, .. } | Fact::Resynced { offset, .. } if *offset != 0 => {
                found.push("an offset that was learned".to_owned());
                if offset.abs() > 900 {
                    found.push("a pair far from now".to_owned());
                }
            }
            Fact::Deactivated { person, .. } => gone.push(*person),
            _ => {}
        }
    }
    if after.iter().any(|(_, fact)| matches!(fact, Fact::Removed { person } if gone.contains(person))) {
        found.push("a removal that takes devices along".to_owned());
    }
    let replaced =
        |enabled: fn(&Fact) -> bool| matches!(after, [(_, fact), (_, Fact::Deactivated { .. }), ..] if enabled(fact));
    if replaced(|fact| matches!(fact, Fact::Enabled { .. })) {
        found.push("a rotation".to_owned());
    }
    if replaced(|fact| matches!(fact, Fact::KeyEnabled { .. })) {
        found.push("a replacement by a key".to_owned());
    }
    for asked in &model.asked[asked..] {
        match &asked.answer {
            Answer::Rejected(code) | Answer::Later { reason: code, .. } => found.push(format!("rejected {code}")),
            Answer::Locked { .. } if after.is_empty() && !retried => {
                found.push("a locked device, told before".to_owned());
            }
            Answer::SignedIn { .. } if retried && after.is_empty() => found.push("a retried sign-in".to_owned()),
            _ if retried && after.is_empty() => found.push("a retry of what was recorded".to_owned()),
            _ => {}
        }
    }
    found
}

fn corner(before: &[(u64, Fact)], fact: &Fact) -> Option<&'static str> {
    Some(match fact {
        Fact::Refused { fault: Fault::Used, .. } => "a code used twice",
        Fact::Refused { fault: Fault::Outside(_), .. } => "a code outside the window",
        Fact::Refused { fault: Fault::Wrong, .. } => "a wrong code",
        Fact::OutOfBudget { .. } => "a locked device",
        Fact::EnableRefused { fault: Fault::NotNewer, .. } => "a pair that is not newer",
        Fact::EnableRefused { fault: Fault::NoMatch, .. } => "a pair that does not match",
        Fact::ResyncRefused { .. } => "a refused resync",
        Fact::Resynced { .. } => "an accepted resync",
        Fact::Enabled { person, thing, .. } => {
            let other = |(_, fact): &(u64, Fact)| matches!(fact, Fact::Enabled { person: p, thing: t, .. } if t == thing && p != person);
            before.iter().any(other).then_some("a device enabled for another than before")?
        }
        Fact::Made { thing, .. } => {
            let earlier =
                |(_, fact): &(u64, Fact)| matches!(fact, Fact::Deleted { device } if *device == Device::Thing(*thing));
            before.iter().any(earlier).then_some("a device made anew")?
        }
        Fact::RulesChosen { .. } => "rules chosen in the middle",
        Fact::SignInsEnded { .. } => "sign-ins that a new password ended",
        _ => return None,
    })
}

fn door_corner(model: &Model, before: &[(u64, Fact)], after: &[(u64, Fact)], fact: &Fact) -> Vec<String> {
    let had = |holds: &dyn Fn(&Fact) -> bool| before.iter().any(|(_, fact)| holds(fact));
    let mut found = Vec::new();
    match fact {
        Fact::SignedIn { person, attempt, factor, device, .. } => {
            let linked = model.history.shown_by_associate(*attempt).is_some();
            let foreign =
                after.iter().any(|(_, fact)| matches!(fact, Fact::Accepted { person: other, .. } if other != person));
            found.push(match (factor, device) {
                (SignInFactor::Nothing, _) => "signed in by nothing",
                (SignInFactor::AlternativeFactors, _) => "signed in by alternative factors",
                (SignInFactor::Device, Some(Device::Thing(_))) if foreign => {
                    "signed in by the linked root's device alone"
                }
                (SignInFactor::Device, Some(Device::Thing(_))) => "signed in by a thing",
                (SignInFactor::Device, Some(Device::Key(_))) => "signed in by a key",
                (SignInFactor::Device, Some(Device::Sms(..))) => "signed in by a phone",
                (SignInFactor::Device, None) => "signed in by no device",
            });
            found.extend(linked.then_some("signed in after the linked root's device"));
        }
        Fact::SignInRefused { person, fault, device, attempt } => {
            found.push(match fault {
                SignInFault::Wrong => "not in: wrong",
                SignInFault::Locked => "not in: locked",
                SignInFault::NotAsked => "not in: not asked",
            });
            let foreign = device.is_some_and(|device| model.history.owner(device) != Some(*person));
            found.extend(foreign.then_some("a linked root's code refused"));
            let same_digits = model.history.shown_by_associate(*attempt).is_some_and(|shown| {
                matches!(model.asked.last(), Some(asked) if matches!(asked.command,
                    Command::SignInCode { text: Text::Digits(typed), .. } if typed == shown))
            });
            found.extend(same_digits.then_some("the linked root's digits again"));
        }
        Fact::KeyEnabled { person, form, credential, .. } => {
            return key_registered(before, *person, *form, *credential);
        }
        Fact::KeyAccepted { device, counter, .. } => {
            let soft = matches!(model.history.key(*device), Some((_, Credential::Soft { .. })));
            found.extend(soft.then_some("a key of somebody else's making, proven"));
            found.extend((*counter == 0).then_some("a key without a counter"));
        }
        Fact::KeyRefused { fault, device, counter, .. } => {
            let gone = *fault == KeyFault::UnknownCredential && device.is_none() && counter.is_some();
            let mut found = vec![format!("key refused: {fault:?}")];
            found.extend(gone.then(|| "a key that went while it was asked".to_owned()));
            return found;
        }
        Fact::SmsEnabled { device, .. } => {
            found.push("a phone enrolled");
            let again = had(&|fact| matches!(fact, Fact::SmsEnabled { device: other, .. } if other.is_like(*device)));
            found.extend(again.then_some("a phone enrolled again"));
        }
        Fact::CodeMissed { fault, challenge, .. } => {
            found.push(match fault {
                SmsFault::Wrong => "sent code: Wrong",
                SmsFault::Expired => "sent code: Expired",
                SmsFault::Exhausted => "sent code: Exhausted",
            });
            let older = model.asked.last().is_some_and(|asked| {
                matches!(asked.command,
                Command::SignInCode { text: Text::Sent(of), .. }
                | Command::FinishSms { text: Text::Sent(of), .. } if of != *challenge)
            });
            found.extend(older.then_some("an older code"));
        }
        Fact::FactorMissed { .. } => found.push("an alternative factor missed"),
        Fact::Started { person, .. } => {
            let proven = had(&|fact| {
                matches!(fact, Fact::FactorProven { person: who, attempt, .. }
                if who == person && model.history.sign_in(*who, *attempt, model.now).is_some())
            });
            found.extend(proven.then_some("an alternative factor proven, and thrown away"));
        }
        Fact::KeyAsked { task: Task::Register { replaces: Some(_), .. }, .. } => found.push("a key to replace another"),
        _ => {}
    }
    found.into_iter().map(str::to_owned).collect()
}

fn key_registered(before: &[(u64, Fact)], person: usize, form: KeyForm, credential: Credential) -> Vec<String> {
    let earlier = |holds: &dyn Fn(usize) -> bool| {
        before.iter().any(|(_, fact)| {
            matches!(fact, Fact::KeyEnabled { person: who, credential: of, .. } if *of == credential && holds(*who))
        })
    };
    let mut found = vec![format!("a {form:?} registered")];
    if earlier(&|_| true) {
        found.push("a credential registered anew".to_owned());
    }
    if earlier(&|who| who != person) {
        found.push("a credential registered for another than before".to_owned());
    }
    found
}
