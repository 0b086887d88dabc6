//! Edits of the shapes that are stored: a field more, less or elsewhere, another type, another order of choices.
//!
//! postcard does not describe itself, and reads most edits without a complaint as something else. What keeps the shapes is the
//! golden bytes, with the values that they stand for in `golden/values.json`. An edit that misreads some event has to be
//! seen by them.

use std::collections::BTreeMap;

use countersign::domain::event::*;
use countersign::domain::wire::{self, TYPES};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config as Cases, RngAlgorithm, TestRng, TestRunner};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::any::any_event;
use super::shape::{PLAIN, Shape};
use super::{from_hex, golden, golden_folder};

/// Edits that are tried in all, and events of each type that show what it may hold.
const EDITS: usize = 10_000;
const EVENTS: usize = 60;
/// Samples of each type that are kept: of three, one edit in two thousand was not seen.
const SAMPLES: usize = 5;

/// Does something with the body of an event, whatever its type.
macro_rules! with_body {
    ($event:expr, $body:ident => $does:expr; $($name:ident)*) => {
        match $event {
            $(Event::$name($body) => Some($does),)*
            // Neither is written by postcard alone.
            Event::HostRecord(_) | Event::SigningKeyRotated(_) => None,
        }
    };
}

macro_rules! body {
    ($event:expr, $body:ident => $does:expr) => {
        with_body!($event, $body => $does;
            AccountOpened AliasChanged AlternativeFactorsSwitched AlternativeIssued AlternativeProven AlternativeRefused
            AssociateProven BudgetSpent CodeAccepted CodeRefused CredentialClaimed CredentialReleased DeviceAdded
            DeviceAssigned DeviceDeactivated DeviceDeleted DeviceEnabled DeviceReleased DeviceRemoved DeviceResynced
            HardwareTokenImported KeyAccepted KeyChallengeIssued KeyRefused KeyRegistered NameClaimed NameReleased
            PairRefused PasswordRefused PasswordsLocked PolicyChosen PrincipalForgotten PrincipalRegistered
            PrincipalRemoved PrincipalRenamed ResyncRefused RootLinked SecurityKeyCreated SeedStored SignInRefused
            SignInStarted SignInsEnded SignedIn SmsCodeAccepted SmsCodeIssued SmsCodeRefused SmsDeviceCreated SmsDropped
            SmsEligibilityChanged SmsPrefixBlocked SmsPrefixCleared SmsQueued SmsRedriven SmsReported SmsSubmitFailed
            SmsSubmitted SmsSubmitting UserAdded UserRemoved VirtualDeviceCreated
        )
    };
}

/// A stored body, and what it stands for with its names and without a mask.
#[derive(Serialize, Deserialize)]
struct Sample {
    hex: String,
    value: Value,
}

impl Sample {
    fn of(event: &Event) -> Option<Self> {
        let value = body!(event, body => serde_json::to_value(body).unwrap())?;
        let body = wire::encode(event).unwrap().body;
        Some(Self { hex: body.iter().map(|byte| format!("{byte:02x}")).collect(), value })
    }

    fn bytes(&self) -> Vec<u8> {
        let byte = |at: usize| u8::from_str_radix(&self.hex[2 * at..2 * at + 2], 16).unwrap();
        (0..self.hex.len() / 2).map(byte).collect()
    }
}

/// The samples of each type: the one of its golden files, and some more.
fn samples() -> BTreeMap<String, Vec<Sample>> {
    let text = std::fs::read_to_string(golden_folder().join("values.json")).unwrap_or_else(|_| "{}".to_owned());
    serde_json::from_str(&text).unwrap()
}

fn key(event_type: u16, version: u16, name: &str) -> String {
    format!("{event_type:04x}-v{version}-{name}")
}

/// The golden bytes of a type.
fn golden_bytes(event_type: u16, version: u16, name: &str) -> Vec<u8> {
    from_hex(&std::fs::read_to_string(golden(&key(event_type, version, name), "hex")).unwrap())
}

/// Samples of a type that has none yet.
fn fresh(event_type: u16, version: u16, name: &str, runner: &mut TestRunner) -> Vec<Sample> {
    let golden = wire::decode(event_type, version, &golden_bytes(event_type, version, name)).unwrap();
    let strategy = any_event(name);
    let more = (1..SAMPLES).map(|_| strategy.new_tree(runner).unwrap().current());
    let events: Vec<Event> = std::iter::once(golden).chain(more).collect();
    events.iter().filter_map(Sample::of).collect()
}

/// Values are as golden as the bytes; written for a new type when `COUNTERSIGN_BLESS=1` is set, and never again.
#[test]
fn golden_bytes_stand_for_the_same_values() {
    let is_blessing = std::env::var_os("COUNTERSIGN_BLESS").is_some();
    let mut known = samples();
    let mut runner = runner();
    for (event_type, version, name, _) in TYPES {
        let key = key(*event_type, *version, name);
        if is_blessing && !known.contains_key(&key) {
            known.insert(key.clone(), fresh(*event_type, *version, name, &mut runner));
        }
        let samples = known.get(&key).unwrap_or_else(|| panic!("{key} has no values"));
        for sample in samples {
            let event = wire::decode(*event_type, *version, &sample.bytes()).unwrap();
            let value = body!(&event, body => serde_json::to_value(body).unwrap());
            assert_eq!(value.as_ref(), Some(&sample.value), "{key}");
        }
        let first = samples.first().map(Sample::bytes);
        assert!(first.is_none_or(|first| first == golden_bytes(*event_type, *version, name)), "{key}");
    }
    if is_blessing {
        let line =
            |(key, samples): (&String, &Vec<Sample>)| format!("\"{key}\": {}", serde_json::to_string(samples).unwrap());
        let text = format!("{{\n{}\n}}\n", known.iter().map(line).collect::<Vec<_>>().join(",\n"));
        std::fs::write(golden_folder().join("values.json"), text).unwrap();
    }
}

fn runner() -> TestRunner {
    let config = Cases { failure_persistence: None, ..Cases::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

/// The places of a shape, each by the way to it.
fn places(shape: &Shape, way: &mut Vec<usize>, all: &mut Vec<Vec<usize>>) {
    all.push(way.clone());
    let mut below = |at: usize, inner: &Shape| {
        way.push(at);
        places(inner, way, all);
        way.pop();
    };
    match shape {
        Shape::Unseen | Shape::Plain(_) | Shape::Bytes(_) => {}
        Shape::Option(inner) | Shape::List(inner) => below(0, inner),
        Shape::Struct(members) => members.iter().enumerate().for_each(|(at, (_, inner))| below(at, inner)),
        Shape::Enum(choices) => choices.values().enumerate().for_each(|(at, (_, inner))| below(at, inner)),
    }
}

fn place<'a>(shape: &'a mut Shape, way: &[usize]) -> &'a mut Shape {
    let Some((at, rest)) = way.split_first() else { return shape };
    match shape {
        Shape::Option(inner) | Shape::List(inner) => place(inner, rest),
        Shape::Struct(members) => place(&mut members[*at].1, rest),
        Shape::Enum(choices) => place(&mut choices.values_mut().nth(*at).unwrap().1, rest),
        Shape::Unseen | Shape::Plain(_) | Shape::Bytes(_) => panic!("there is nothing below"),
    }
}

/// One edit somewhere, by random numbers.
fn edited(shape: &Shape, rng: &mut TestRng) -> Shape {
    let mut all = Vec::new();
    places(shape, &mut Vec::new(), &mut all);
    let mut edited = shape.clone();
    let pick = |rng: &mut TestRng, of: usize| rng.next_u64() as usize % of.max(1);
    let way = all[pick(rng, all.len())].clone();
    let target = place(&mut edited, &way);
    let other = Shape::Plain(PLAIN[pick(rng, PLAIN.len())]);
    let turn = pick(rng, 5);
    match target {
        Shape::Struct(members) if !members.is_empty() && turn < 4 => {
            let (one, two) = (pick(rng, members.len()), pick(rng, members.len()));
            match turn {
                0 => drop(members.remove(one)),
                1 => members.insert(one, ("new".to_owned(), other)),
                // The names stay where they are: what is stored is read as the other.
                2 => {
                    let shape = members[one].1.clone();
                    members[one].1 = std::mem::replace(&mut members[two].1, shape);
                    let name = members[one].0.clone();
                    members[one].0 = std::mem::replace(&mut members[two].0, name);
                }
                _ => members.push(("new".to_owned(), other)),
            }
        }
        Shape::Enum(choices) if choices.len() > 1 && turn < 4 => {
            let numbers: Vec<u32> = choices.keys().copied().collect();
            let (one, two) = (numbers[pick(rng, numbers.len())], numbers[pick(rng, numbers.len())]);
            if let (Some(first), true) = (choices.remove(&one), one != two) {
                let second = choices.insert(two, first).unwrap();
                choices.insert(one, second);
            }
        }
        Shape::Bytes(count) if turn < 3 => *count = *count + turn - 1,
        Shape::Option(inner) if turn < 3 => *target = (**inner).clone(),
        Shape::List(inner) if turn < 2 => *target = (**inner).clone(),
        target if turn == 4 => *target = Shape::Option(Box::new(target.clone())),
        target => *target = other,
    }
    edited
}

#[test]
fn no_edit_of_a_shape_reads_what_is_stored_as_something_else_unseen() {
    let mut runner = runner();
    let mut rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let (mut harmful, mut tried, mut unseen) = (0, 0, Vec::new());
    let (samples, rounds) = (samples(), EDITS.div_ceil(TYPES.len() - 1));
    for (event_type, version, name, _) in TYPES {
        let golden: Vec<Vec<u8>> = samples[&key(*event_type, *version, name)].iter().map(Sample::bytes).collect();
        let kept = golden.iter().map(|bytes| wire::decode(*event_type, *version, bytes).unwrap());
        let kept: Vec<Event> = kept.collect();
        let strategy = any_event(name);
        let events: Vec<Event> = (0..EVENTS).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect();
        let shapes = events.iter().chain(&kept).filter_map(|event| body!(event, body => Shape::of(body)));
        let shape = shapes.fold(Shape::Unseen, Shape::with);
        if shape == Shape::Unseen {
            continue;
        }
        let stored: Vec<Vec<u8>> = events.iter().map(|event| wire::encode(event).unwrap().body).collect();
        let meant: Vec<Value> = golden.iter().map(|bytes| shape.read(bytes).expect("the shape is theirs")).collect();
        for _ in 0..rounds {
            let edit = edited(&shape, &mut rng);
            tried += 1;
            let misread = |body: &Vec<u8>| edit.read(body).is_some_and(|read| Some(read) != shape.read(body));
            if !stored.iter().any(misread) {
                continue;
            }
            harmful += 1;
            if golden.iter().zip(&meant).all(|(bytes, meant)| edit.read(bytes).as_ref() == Some(meant)) {
                unseen.push(format!("{name}: {edit:?}"));
            }
        }
    }
    assert!(tried >= EDITS && harmful > EDITS / 10, "{tried} edits, {harmful} of them misread something");
    assert!(unseen.is_empty(), "{} of {harmful}: {unseen:#?}", unseen.len());
}
