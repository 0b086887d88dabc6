//! The stored form of every event: it comes back as it was, nothing else is taken for it, and the bytes
//! of the first release are still read.
//!
//! `golden/` has one file of bytes for each type and version, with a readable twin beside it. They are
//! written once, by hand of [`write_the_golden_files_that_are_missing`], and never again.

use std::collections::BTreeMap;
use std::path::PathBuf;

use countersign::domain::caller::{By, Channel};
use countersign::domain::event::*;
use countersign::domain::ids::StreamId;
use countersign::domain::totp::{Attempts, Budget, Learned, Spent};
use countersign::domain::wire::{self, HOST_TYPES, Sealing, TYPES};
use countersign::{AccountId, DeviceKind, DeviceName, Path, PrincipalId, Seed, Serial, UserId};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config as Cases, TestRunner};

// ---- any event ----

fn stream() -> impl Strategy<Value = StreamId> {
    any::<[u8; 16]>().prop_map(StreamId::from_bytes)
}

fn account() -> impl Strategy<Value = AccountId> {
    (0..1_000_000_000_000_u64).prop_map(|number| AccountId::from_number(number).unwrap())
}

fn principal() -> impl Strategy<Value = PrincipalId> {
    let user = "[A-Za-z0-9_-]{1,128}".prop_map(|id| UserId::new(id).unwrap());
    prop_oneof![
        account().prop_map(PrincipalId::Root),
        (account(), user).prop_map(|(account, user)| PrincipalId::User(account, user)),
    ]
}

fn name() -> impl Strategy<Value = DeviceName> {
    "[A-Za-z0-9_+=,.@-]{1,128}".prop_map(|text| DeviceName::new(text).unwrap())
}

fn path() -> impl Strategy<Value = Path> {
    prop_oneof![Just("/".to_owned()), "/[!-~]{1,300}/"].prop_map(|text| Path::new(text).unwrap())
}

fn serial() -> impl Strategy<Value = Serial> {
    "[A-Za-z0-9_+=/:,.@-]{9,256}".prop_map(|text| Serial::new(text).unwrap())
}

fn seed() -> impl Strategy<Value = Seed> {
    vec(any::<u8>(), 16..=128).prop_map(|bytes| Seed::new(bytes).unwrap())
}

fn by() -> impl Strategy<Value = By> {
    (prop::option::of(stream()), select(Channel::ALL), any::<bool>()).prop_map(|(who, channel, mfa)| By {
        who,
        channel,
        mfa,
    })
}

fn spent() -> impl Strategy<Value = Spent> {
    (0..u64::MAX / 2, btree_set(0..1024_u64, 0..40)).prop_map(|(floor, used)| {
        let mut before = 0;
        let distances: Vec<u64> = used.into_iter().map(|at| at - std::mem::replace(&mut before, at)).collect();
        postcard::from_bytes(&postcard::to_allocvec(&(floor, distances)).unwrap()).unwrap()
    })
}

fn attempts() -> impl Strategy<Value = Attempts> {
    any::<(u64, u32, bool)>().prop_map(|(window, used, closed)| Attempts { window, used, closed })
}

fn learned() -> impl Strategy<Value = Learned> {
    (any::<i64>(), spent(), spent(), attempts(), attempts()).prop_map(|(offset, paired, spent, codes, pairs)| Learned {
        offset,
        paired,
        spent,
        codes,
        pairs,
    })
}

macro_rules! body {
    ($name:ident { $($field:ident : $strategy:expr),* $(,)? }) => {
        ($($strategy,)*).prop_map(|($($field,)*)| Event::from($name { $($field),* })).boxed()
    };
}

/// Any event of a type, by the type's name.
fn any_event(name_of_type: &str) -> BoxedStrategy<Event> {
    let window = any::<u64>;
    match name_of_type {
        "AccountOpened" => body!(AccountOpened { account: account(), by: by() }),
        "UserAdded" => body!(UserAdded { user: stream() }),
        "UserRemoved" => body!(UserRemoved { user: stream() }),
        "DeviceAdded" => body!(DeviceAdded { device: stream() }),
        "DeviceRemoved" => body!(DeviceRemoved { device: stream() }),
        "NameClaimed" => body!(NameClaimed { holder: stream() }),
        "NameReleased" => body!(NameReleased { holder: stream() }),
        "VirtualDeviceCreated" => {
            body!(VirtualDeviceCreated { account: account(), serial: serial(), seed: seed(), by: by() })
        }
        "HardwareTokenImported" => {
            body!(HardwareTokenImported { serial: serial(), seed: seed(), manufacturer: ".{0,60}", by: by() })
        }
        "DeviceAssigned" => body!(DeviceAssigned { owner: stream() }),
        "DeviceReleased" => body!(DeviceReleased { owner: stream(), learned: learned() }),
        "DeviceDeleted" => body!(DeviceDeleted { by: by() }),
        "PairRefused" => {
            body!(PairRefused { owner: stream(), by: by(), window: window(), fault: select(PairFault::ALL) })
        }
        "BudgetSpent" => body!(BudgetSpent { device: stream(), budget: select(Budget::ALL), window: window() }),
        "PrincipalRegistered" => body!(PrincipalRegistered { id: principal(), name: name(), path: path() }),
        "PrincipalRenamed" => body!(PrincipalRenamed { name: name(), path: path() }),
        "PrincipalRemoved" => body!(PrincipalRemoved { by: by() }),
        "DeviceEnabled" => {
            let kind = select(DeviceKind::ALL);
            body!(DeviceEnabled { device: stream(), kind: kind, by: by(), learned: learned() })
        }
        "DeviceResynced" => {
            let (counter, offset) = (any::<u64>(), any::<i64>());
            body!(DeviceResynced { device: stream(), by: by(), window: window(), counter: counter, offset: offset })
        }
        "ResyncRefused" => {
            body!(ResyncRefused { device: stream(), by: by(), window: window(), fault: select(PairFault::ALL) })
        }
        "CodeAccepted" => {
            let (purpose, counter) = (select(Purpose::ALL), any::<u64>());
            body!(CodeAccepted { device: stream(), purpose: purpose, window: window(), counter: counter })
        }
        "CodeRefused" => body!(CodeRefused {
            device: stream(),
            purpose: select(Purpose::ALL),
            window: window(),
            fault: select(CodeFault::ALL),
            steps: any::<i64>(),
        }),
        "DeviceDeactivated" => {
            body!(DeviceDeactivated { device: stream(), by: by(), reason: select(DeactivateReason::ALL) })
        }
        "HostRecord" => body!(HostRecord { kind: 0..HOST_TYPES, body: vec(any::<u8>(), 0..200) }),
        unknown => panic!("the generator of {unknown} is missing"),
    }
}

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

// ---- golden bytes ----

/// The types of the table, and one record of the host.
fn golden_names() -> BTreeMap<String, &'static str> {
    let host = [(HOST_TYPES | 7, 1, "HostRecord", Sealing::Sealed)];
    let all = TYPES.iter().chain(&host);
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
        let known = golden_names().keys().any(|name| name.split('-').next() == stem.split('-').next());
        assert!(known, "{}: a type id is never given up", path.display());
    }
}

/// An event of each type with telling values in every field.
fn sample(name_of_type: &str) -> Event {
    let stream = |first: u8| StreamId::from_bytes(std::array::from_fn(|at| first + at as u8));
    let (lee, device, window, counter) = (stream(0x10), stream(0xa0), 9_444_444, 56_666_667);
    let by = By { who: Some(stream(0x20)), channel: Channel::Console, mfa: true };
    let account = AccountId::from_number(123_456_789_012).unwrap();
    let (name, path) = (DeviceName::new("lee").unwrap(), Path::new("/ops//x/").unwrap());
    let arn = Serial::new("arn:aws:iam::123456789012:mfa/ops//x/lee").unwrap();
    let seed = Seed::new((0..40).collect()).unwrap();
    let spent = |distances: &[u64]| -> Spent {
        postcard::from_bytes(&postcard::to_allocvec(&(56_665_643_u64, distances)).unwrap()).unwrap()
    };
    let learned = Learned {
        offset: -19,
        paired: spent(&[1000, 1, 23, 1]),
        spent: spent(&[1020, 2]),
        codes: Attempts { window, used: 9, closed: true },
        pairs: Attempts { window, used: 2, closed: false },
    };
    match name_of_type {
        "AccountOpened" => {
            AccountOpened { account, by: By { who: None, channel: Channel::Operator, mfa: false } }.into()
        }
        "UserAdded" => UserAdded { user: lee }.into(),
        "UserRemoved" => UserRemoved { user: lee }.into(),
        "DeviceAdded" => DeviceAdded { device }.into(),
        "DeviceRemoved" => DeviceRemoved { device }.into(),
        "NameClaimed" => NameClaimed { holder: lee }.into(),
        "NameReleased" => NameReleased { holder: lee }.into(),
        "VirtualDeviceCreated" => VirtualDeviceCreated { account, serial: arn, seed, by }.into(),
        "HardwareTokenImported" => {
            let (serial, manufacturer) = (Serial::new("GAHT12345678").unwrap(), "Gemälde & Söhne".to_owned());
            HardwareTokenImported { serial, seed, manufacturer, by }.into()
        }
        "DeviceAssigned" => DeviceAssigned { owner: lee }.into(),
        "DeviceReleased" => DeviceReleased { owner: lee, learned }.into(),
        "DeviceDeleted" => DeviceDeleted { by }.into(),
        "PairRefused" => PairRefused { owner: lee, by, window, fault: PairFault::NotNewer }.into(),
        "BudgetSpent" => BudgetSpent { device, budget: Budget::Pairs, window }.into(),
        "PrincipalRegistered" => {
            let id = PrincipalId::User(account, UserId::new("AIDALEE").unwrap());
            PrincipalRegistered { id, name, path }.into()
        }
        "PrincipalRenamed" => PrincipalRenamed { name, path }.into(),
        "PrincipalRemoved" => PrincipalRemoved { by }.into(),
        "DeviceEnabled" => DeviceEnabled { device, kind: DeviceKind::HardwareTotp, by, learned }.into(),
        "DeviceResynced" => DeviceResynced { device, by, window, counter, offset: -1 }.into(),
        "ResyncRefused" => ResyncRefused { device, by, window, fault: PairFault::NoMatch }.into(),
        "CodeAccepted" => CodeAccepted { device, purpose: Purpose::AssumeRole, window, counter }.into(),
        "CodeRefused" => {
            let (purpose, fault) = (Purpose::SignIn, CodeFault::Outside);
            CodeRefused { device, purpose, window, fault, steps: -40 }.into()
        }
        "DeviceDeactivated" => DeviceDeactivated { device, by, reason: DeactivateReason::Lost }.into(),
        "HostRecord" => HostRecord { kind: 7, body: b"hello".to_vec() }.into(),
        unknown => panic!("the sample of {unknown} is missing"),
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
