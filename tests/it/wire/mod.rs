//! The stored form of every event: it comes back as it was, nothing else is taken for it, and the bytes
//! of the first release are still read.
//!
//! `golden/` has one file of bytes for each type and version, with a readable twin beside it. They are
//! written once, by hand of [`write_the_golden_files_that_are_missing`], and never again.

mod any;
mod edits;
mod sample;
mod shape;

use std::collections::BTreeMap;
use std::path::PathBuf;

use countersign::DeviceKind;
use countersign::domain::caller::Channel;
use countersign::domain::event::*;
use countersign::domain::settings::{Preset, SmsEligibility};
use countersign::domain::sms::{PhoneFault, SmsBudget};
use countersign::domain::totp::Budget;
use countersign::domain::wire::{self, HOST_TYPES, HOST_VERSION, LOG_TYPES, SIGNING_KEY_ROTATED, Sealing, TYPES};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, TestRunner};

use any::any_event;
use sample::sample;

fn on_every_type(cases: u32, check: impl Fn(u16, u16, Sealing, Event)) {
    for (event_type, type_version, name, sealing) in TYPES {
        let config = Cases { cases, failure_persistence: None, ..Cases::default() };
        let outcome = TestRunner::new(config).run(&any_event(name), |event| {
            check(*event_type, *type_version, *sealing, event);
            Ok(())
        });
        outcome.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

// ---- laws of the encoding ----

#[test]
fn every_event_comes_back_as_it_was_under_its_type_and_version() {
    on_every_type(100, |event_type, type_version, sealing, event| {
        let encoded = wire::encode(&event).unwrap();
        assert_eq!((encoded.event_type, encoded.type_version), (event_type, type_version));
        assert_eq!(encoded.sealing, sealing);
        assert_eq!(wire::decode(event_type, type_version, &encoded.body), Ok(event));
    });
    proptest!(Cases { failure_persistence: None, ..Cases::with_cases(100) }, |(event in any_event("HostRecord"))| {
        let encoded = wire::encode(&event).unwrap();
        prop_assert!(encoded.event_type >= HOST_TYPES && encoded.sealing == Sealing::Sealed);
        prop_assert_eq!(wire::decode(encoded.event_type, encoded.type_version, &encoded.body), Ok(event));
    });
    proptest!(Cases { failure_persistence: None, ..Cases::with_cases(100) }, |(statement in ".{0,300}")| {
        let event = Event::from(SigningKeyRotated { statement });
        let encoded = wire::encode(&event).unwrap();
        prop_assert!(LOG_TYPES.contains(&encoded.event_type) && encoded.sealing == Sealing::Clear);
        prop_assert_eq!(wire::decode(encoded.event_type, encoded.type_version, &encoded.body), Ok(event));
    });
}

#[test]
fn a_body_that_is_cut_short_or_runs_on_is_refused() {
    on_every_type(20, |event_type, type_version, _, event| {
        let body = wire::encode(&event).unwrap().body;
        for length in 0..body.len() {
            assert!(wire::decode(event_type, type_version, &body[..length]).is_err(), "{event:?} cut to {length}");
        }
        for more in [0, 1, 0x7f, 0x80, 0xff] {
            let longer = [&body[..], &[more]].concat();
            assert!(wire::decode(event_type, type_version, &longer).is_err(), "{event:?} with {more:#04x} behind");
        }
    });
}

#[test]
fn a_body_is_never_taken_for_two_different_ones() {
    on_every_type(30, |event_type, type_version, _, event| {
        let body = wire::encode(&event).unwrap().body;
        for at in 0..body.len() {
            let mut other = body.clone();
            other[at] ^= 1;
            if let Ok(read) = wire::decode(event_type, type_version, &other) {
                assert_ne!(read, event, "two bodies of one event: a bit of byte {at} has no meaning");
            }
        }
    });
}

#[test]
fn no_decoder_panics_on_what_another_type_or_nobody_wrote() {
    on_every_type(10, |_, _, _, event| {
        let body = wire::encode(&event).unwrap().body;
        for (other, version, _, _) in TYPES {
            // Whether it happens to be a body of the other type does not matter here.
            let _either = wire::decode(*other, *version, &body);
        }
    });
    proptest!(Cases { failure_persistence: None, ..Cases::with_cases(500) }, |(bytes in vec(any::<u8>(), 0..300))| {
        for (event_type, version, _, _) in TYPES {
            let _either = wire::decode(*event_type, *version, &bytes);
        }
    });
}

#[test]
fn a_type_or_version_of_tomorrow_is_unknown_and_not_malformed() {
    for (event_type, version, _, _) in TYPES {
        let unknown = Err(wire::WireError::Unknown { event_type: *event_type, type_version: version + 1 });
        assert_eq!(wire::decode(*event_type, version + 1, &[]), unknown);
    }
    let unknown = Err(wire::WireError::Unknown { event_type: 0x7fff, type_version: 1 });
    assert_eq!(wire::decode(0x7fff, 1, &[]), unknown);
}

/// A body that lies about its length must not make the reader reserve what it says.
#[test]
fn a_length_that_is_a_lie_takes_no_memory() {
    let (device_released, owner) = (0x0204, [7; 16]);
    let endless = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
    let lie = [&owner[..], &[0, 0], &endless].concat();
    assert!(wire::decode(device_released, 1, &lie).is_err());
}

/// A number is part of the stored format: it may be retired, and is never given to another value.
#[test]
fn numbers_of_stored_choices_never_change() {
    macro_rules! numbers {
        ($($name:ident $values:literal),* $(,)?) => {$(
            let told: Vec<String> =
                $name::ALL.iter().map(|value| format!("{value:?} {}", u8::from(*value))).collect();
            assert_eq!(told.join(", "), $values, "{}", stringify!($name));
            let after = $name::ALL.len() as u8 + 1;
            assert!($name::try_from(0).is_err() && $name::try_from(after).is_err(), "{}", stringify!($name));
        )*};
    }
    numbers! {
        AlternativeFactor "Mail 1, Phone 2",
        Budget "Codes 1, Pairs 2",
        Channel "Console 1, Cli 2, Api 3, Operator 4",
        CodeFault "Wrong 1, Used 2, Outside 3, NotPropagated 4",
        DeactivateReason "Requested 1, Lost 2, Replaced 3, OwnerRemoved 4",
        DeviceKind "VirtualTotp 1, HardwareTotp 2, SecurityKey 3, Sms 4",
        KeyFault "Malformed 1, Challenge 2, Origin 3, RelyingParty 4, UserNotPresent 5, UserNotVerified 6, \
            Signature 7, UnknownCredential 8, CounterRegressed 9, Attestation 10, AlreadyRegistered 11, \
            Algorithm 12, SuspectedClone 13, CredentialTooLong 14",
        KeyForm "SecurityKey 1, Passkey 2",
        PairFault "NoMatch 1, NotNewer 2",
        PhoneFault "NotAllocated 1, NotMobile 2, Premium 3, VoiceOverIp 4, Company 5",
        Preset "Classic 1, Modern 2, Strict 3",
        Purpose "SignIn 1, SessionToken 2, AssumeRole 3, StepUp 4",
        SignInFactor "Nothing 1, Device 2, AlternativeFactors 3",
        SignInFault "Wrong 1, Locked 2, NotAsked 3",
        SmsBudget "Number 1, Prefix 2, Country 3, Account 4, Money 5",
        SmsDelivery "Enroute 1, Unknown 2, Delivered 3, Undeliverable 4, Expired 5, Rejected 6, Deleted 7",
        SmsDropReason "Expired 1, Void 2, Refused 3, NoRoute 4, SubmitsSpent 5, Unknown 6, Budget 7, PrefixBlocked 8",
        SmsEligibility "Open 1, ExistingOnly 2, Ending 3, Ended 4",
        SmsFault "Wrong 1, Expired 2, Exhausted 3",
        SmsSubmitFault "Throttled 1, Unavailable 2, Unknown 3, InvalidNumber 4, OptedOut 5, Refused 6",
    }
}

// ---- golden bytes ----

/// The types of the table, what the log says of itself, and one record of the host.
fn golden_names() -> BTreeMap<String, &'static str> {
    let others = [
        (SIGNING_KEY_ROTATED, 1, "SigningKeyRotated", Sealing::Clear),
        (HOST_TYPES | 7, HOST_VERSION, "HostRecord", Sealing::Sealed),
    ];
    let all = TYPES.iter().chain(&others);
    all.map(|(event_type, version, name, _)| (format!("{event_type:04x}-v{version}-{name}"), *name)).collect()
}

fn golden_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("it/golden")
}

fn golden(file: &str, ending: &str) -> PathBuf {
    golden_folder().join(format!("{file}.{ending}"))
}

fn to_hex(bytes: &[u8]) -> String {
    let line = |line: &[u8]| line.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
    bytes.chunks(16).map(line).collect::<Vec<_>>().join("\n") + "\n"
}

fn from_hex(text: &str) -> Vec<u8> {
    text.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

#[test]
fn golden_bytes_of_every_type_are_still_read() {
    for (file, name) in golden_names() {
        let read = |ending| {
            let path = golden(&file, ending);
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        let bytes = from_hex(&read("hex"));
        let event_type = u16::from_str_radix(&file[..4], 16).unwrap();
        let type_version = file[6..].split('-').next().unwrap().parse().unwrap();
        let event = wire::decode(event_type, type_version, &bytes).unwrap();
        assert_eq!(event.name(), name);
        assert_eq!(format!("{event:#?}\n"), read("txt"), "{file}");
        let encoded = wire::encode(&event).unwrap();
        if (encoded.event_type, encoded.type_version) == (event_type, type_version) {
            assert_eq!(to_hex(&encoded.body), to_hex(&bytes), "{file}: the latest version is written as it was");
        }
    }
}

#[test]
fn no_golden_file_is_of_a_type_that_is_gone() {
    for entry in std::fs::read_dir(golden_folder()).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let known =
            stem == "values" || golden_names().keys().any(|name| name.split('-').next() == stem.split('-').next());
        assert!(known, "{}: a type id is never given up", path.display());
    }
}

/// Writes what is missing when `COUNTERSIGN_BLESS=1` is set, for a new type or version; never what is there.
#[test]
fn every_type_has_its_golden_files() {
    let bless = std::env::var_os("COUNTERSIGN_BLESS").is_some();
    for (file, name) in golden_names() {
        if bless && !golden(&file, "hex").exists() {
            let event = sample(name);
            std::fs::write(golden(&file, "hex"), to_hex(&wire::encode(&event).unwrap().body)).unwrap();
            std::fs::write(golden(&file, "txt"), format!("{event:#?}\n")).unwrap();
        }
        assert!(golden(&file, "hex").exists() && golden(&file, "txt").exists(), "{file} has no golden files");
    }
}
