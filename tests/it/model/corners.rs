//! The generated histories reach the corners that they are made for. A comparison that never sees a
//! locked device or a spent code shows nothing.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::facts::{Fact, Fault};
use super::machine::{START_MS, STEPS, prelude};
use super::perform::{Answer, Model};
use super::rules::Rules;
use super::steps::{Step, any_step};

/// Histories of the model alone under each of the rules; few steps cost nothing without an engine.
const HISTORIES: usize = 120;

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
    "a removal that takes devices along",
    "an offset that was learned",
    "rejected 101",
    "rejected 309",
    "rejected 201",
    "rejected 202",
    "rejected 203",
    "rejected 204",
    "rejected 205",
    "rejected 301",
    "rejected 302",
    "rejected 303",
    "rejected 304",
    "rejected 305",
    "rejected 306",
    "rejected 307",
    "rejected 402",
    "rejected 403",
];

/// What the rules of 2022 add, and what those of 2019 do.
const MODERN: &[&str] = &["rejected 102", "a rotation"];
const CLASSIC: &[&str] = &["rejected 308", "rejected 401", "a pair far from now"];

#[test]
fn histories_reach_every_corner() {
    for (rules, more) in [(Rules::CLASSIC, CLASSIC), (Rules::MODERN, MODERN), (Rules::STRICT, MODERN)] {
        let reached = reached(rules);
        for corner in CORNERS.iter().chain(more) {
            assert!(reached.contains_key(*corner), "no history has {corner}: {reached:#?}");
        }
    }
}

fn reached(rules: Rules) -> BTreeMap<String, usize> {
    let mut runner = TestRunner::deterministic();
    let mut reached = BTreeMap::new();
    for _ in 0..HISTORIES {
        let steps = vec(any_step(), STEPS).new_tree(&mut runner).unwrap().current();
        let mut model = Model::new(rules, START_MS);
        for step in prelude().iter().chain(&steps) {
            let (asked, noted) = (model.asked.len(), model.history.0.len());
            model.take(step);
            let retried = matches!(step, Step::Again { .. }) && model.asked.len() > asked;
            for corner in corners(&model, asked, noted, retried) {
                *reached.entry(corner).or_default() += 1;
            }
        }
    }
    reached
}

/// The corners that the step after these lengths came to.
fn corners(model: &Model, asked: usize, noted: usize, retried: bool) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let (before, after) = model.history.0.split_at(noted);
    let mut gone = Vec::new();
    for (_, fact) in after {
        found.extend(corner(before, fact).map(str::to_owned));
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
    if after.len() == 2 && matches!(after, [(_, Fact::Enabled { .. }), (_, Fact::Deactivated { .. })]) {
        found.push("a rotation".to_owned());
    }
    for asked in &model.asked[asked..] {
        match &asked.answer {
            Answer::Rejected(code) => found.push(format!("rejected {code}")),
            Answer::Locked { .. } if after.is_empty() && !retried => {
                found.push("a locked device, told before".to_owned());
            }
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
            let earlier = |(_, fact): &(u64, Fact)| matches!(fact, Fact::Deleted { thing: t } if t == thing);
            before.iter().any(earlier).then_some("a device made anew")?
        }
        _ => return None,
    })
}
