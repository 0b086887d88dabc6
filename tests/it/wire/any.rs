//! Any event of a type.

use std::net::IpAddr;

use countersign::domain::caller::{By, Channel};
use countersign::domain::client::Client;
use countersign::domain::device::PhoneNumber;
use countersign::domain::event::*;
use countersign::domain::ids::{AttemptId, ChallengeId, StreamId, Version};
use countersign::domain::secret::{ChallengeSecret, Opaque};
use countersign::domain::settings::{AccountAlias, Preset, SmsEligibility};
use countersign::domain::sms::{Country, Destination, MessageId, Prefix, RouteName, SmsErrand};
use countersign::domain::totp::{Attempts, Budget, Learned, Spent};
use countersign::domain::wire::HOST_TYPES;
use countersign::{AccountId, DeviceKind, DeviceName, Path, PrincipalId, Seed, Serial, UnixMillis, UserId};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;

fn attempt() -> impl Strategy<Value = AttemptId> {
    any::<[u8; 16]>().prop_map(AttemptId::from_bytes)
}

fn challenge() -> impl Strategy<Value = ChallengeId> {
    any::<[u8; 16]>().prop_map(ChallengeId::from_bytes)
}

fn instant() -> impl Strategy<Value = UnixMillis> {
    any::<u64>().prop_map(UnixMillis)
}

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

fn secret() -> impl Strategy<Value = ChallengeSecret> {
    any::<[u8; 32]>().prop_map(ChallengeSecret::new)
}

fn opaque() -> impl Strategy<Value = Opaque> {
    vec(any::<u8>(), 0..300).prop_map(|bytes| Opaque::new(bytes).unwrap())
}

fn number() -> impl Strategy<Value = PhoneNumber> {
    "\\+[1-9][0-9]{6,14}".prop_map(|text| PhoneNumber::parse(&text).unwrap())
}

fn route() -> impl Strategy<Value = RouteName> {
    "[a-z0-9-]{1,32}".prop_map(|text| RouteName::new(&text).unwrap())
}

fn prefix() -> impl Strategy<Value = Prefix> {
    "\\+[0-9]{1,11}".prop_map(|text| Prefix::new(&text).unwrap())
}

fn destination() -> impl Strategy<Value = Destination> {
    let country = "[A-Z]{2}".prop_map(|text| Country::parse(&text).unwrap());
    (any::<[u8; 16]>(), prefix(), country).prop_map(|(number, prefix, country)| Destination { number, prefix, country })
}

fn client() -> impl Strategy<Value = Client> {
    let address = prop::option::of(prop_oneof![
        any::<[u8; 4]>().prop_map(IpAddr::from),
        any::<[u16; 8]>().prop_map(IpAddr::from),
    ]);
    (address, ".{0,300}").prop_map(|(address, agent)| Client::new(address, &agent))
}

fn alias() -> impl Strategy<Value = AccountAlias> {
    "[a-z][a-z0-9]{2,18}(-[a-z0-9]{1,20}){0,2}".prop_map(|text| AccountAlias::new(text).unwrap())
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
pub fn any_event(name_of_type: &str) -> BoxedStrategy<Event> {
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
            body!(VirtualDeviceCreated { account: account(), serial: serial(), seed: stream(), by: by() })
        }
        "HardwareTokenImported" => {
            body!(HardwareTokenImported { serial: serial(), seed: stream(), manufacturer: ".{0,60}", by: by() })
        }
        "DeviceAssigned" => body!(DeviceAssigned { owner: stream() }),
        "DeviceReleased" => body!(DeviceReleased { owner: stream(), learned: learned() }),
        "SeedStored" => body!(SeedStored { device: stream(), seed: seed() }),
        "DeviceDeleted" => body!(DeviceDeleted { by: by(), life: any::<u32>() }),
        "PairRefused" => {
            body!(PairRefused { owner: stream(), by: by(), window: window(), fault: select(PairFault::ALL) })
        }
        "BudgetSpent" => body!(BudgetSpent { device: stream(), budget: select(Budget::ALL), window: window() }),
        "PrincipalRegistered" => body!(PrincipalRegistered { id: principal(), name: name(), path: path() }),
        "PrincipalRenamed" => body!(PrincipalRenamed { name: name(), path: path() }),
        "PrincipalRemoved" => body!(PrincipalRemoved { by: by() }),
        "PrincipalForgotten" => {
            let key =
                (stream(), any::<u64>()).prop_map(|(stream, version)| Forgotten { stream, version: Version(version) });
            body!(PrincipalForgotten { by: by(), reason: select(ForgetReason::ALL), keys: vec(key, 0..5) })
        }
        "DeviceEnabled" => {
            let kind = select(DeviceKind::ALL);
            body!(DeviceEnabled { device: stream(), kind: kind, life: any::<u32>(), by: by(), learned: learned() })
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
        _ => any_later_event(name_of_type),
    }
}

/// Of settings, devices without codes, and sign-ins.
fn any_later_event(name_of_type: &str) -> BoxedStrategy<Event> {
    let (one, maybe) = (stream, || prop::option::of(stream()));
    match name_of_type {
        "AliasChanged" => body!(AliasChanged { alias: prop::option::of(alias()), by: by() }),
        "SmsEligibilityChanged" => {
            body!(SmsEligibilityChanged { eligibility: select(SmsEligibility::ALL), by: by() })
        }
        "AlternativeFactorsSwitched" => body!(AlternativeFactorsSwitched { allowed: any::<bool>(), by: by() }),
        "PolicyChosen" => body!(PolicyChosen { preset: prop::option::of(select(Preset::ALL)), by: by() }),
        "RootLinked" => body!(RootLinked { associate: prop::option::of(account()), by: by() }),
        "PasswordRefused" => body!(PasswordRefused { who: maybe(), client: client() }),
        "PasswordsLocked" => body!(PasswordsLocked { who: maybe(), client: client() }),
        "CredentialClaimed" => body!(CredentialClaimed { holder: one() }),
        "CredentialReleased" => body!(CredentialReleased { holder: one() }),
        "SecurityKeyCreated" => body!(SecurityKeyCreated {
            account: account(),
            serial: serial(),
            form: select(KeyForm::ALL),
            credential_id: vec(any::<u8>(), 0..200),
            credential: opaque(),
            attestation: ".{0,20}",
            model: any::<Option<[u8; 16]>>(),
            backup_eligible: any::<bool>(),
            by: by(),
        }),
        "SmsDeviceCreated" => {
            body!(SmsDeviceCreated { account: account(), serial: serial(), phone: number(), by: by() })
        }
        "SignInStarted" => {
            body!(SignInStarted { attempt: attempt(), until: instant(), associate: maybe(), client: client() })
        }
        "SignedIn" => {
            let factor = select(SignInFactor::ALL);
            body!(SignedIn { attempt: attempt(), factor: factor, device: maybe(), client: client() })
        }
        "SignInRefused" => {
            let fault = select(SignInFault::ALL);
            body!(SignInRefused { attempt: attempt(), device: maybe(), fault: fault, client: client() })
        }
        "SignInsEnded" => body!(SignInsEnded { by: by() }),
        "AssociateProven" => {
            body!(AssociateProven {
                attempt: attempt(),
                device: one(),
                until: instant(),
                mark: any::<[u8; 16]>(),
                client: client()
            })
        }
        _ => any_ceremony_event(name_of_type),
    }
}

/// Of challenges and their answers.
fn any_ceremony_event(name_of_type: &str) -> BoxedStrategy<Event> {
    let (window, one, maybe) = (any::<u64>, stream, || prop::option::of(stream()));
    match name_of_type {
        "KeyChallengeIssued" => body!(KeyChallengeIssued {
            challenge: challenge(),
            form: select(KeyForm::ALL),
            attempt: prop::option::of(attempt()),
            serial: prop::option::of(serial()),
            replaces: maybe(),
            until: instant(),
            window: window(),
            state: opaque(),
            client: client(),
        }),
        "KeyRegistered" => body!(KeyRegistered {
            device: one(),
            challenge: challenge(),
            form: select(KeyForm::ALL),
            credential: one(),
            counter: any::<u32>(),
        }),
        "KeyAccepted" => {
            let (counter, verified) = (any::<u32>(), any::<bool>());
            body!(KeyAccepted { device: one(), challenge: challenge(), counter: counter, user_verified: verified })
        }
        "KeyRefused" => {
            let (fault, counter) = (select(KeyFault::ALL), any::<Option<u32>>());
            body!(KeyRefused { challenge: challenge(), device: maybe(), fault: fault, counter: counter })
        }
        "SmsCodeIssued" => body!(SmsCodeIssued {
            challenge: challenge(),
            device: one(),
            attempt: prop::option::of(attempt()),
            phone: prop::option::of(number()),
            window: window(),
            until: instant(),
            secret: secret(),
            client: client(),
        }),
        "SmsCodeAccepted" => body!(SmsCodeAccepted { challenge: challenge(), device: one() }),
        "SmsCodeRefused" => {
            body!(SmsCodeRefused { challenge: challenge(), device: one(), fault: select(SmsFault::ALL) })
        }
        "AlternativeIssued" => body!(AlternativeIssued {
            attempt: attempt(),
            factor: select(AlternativeFactor::ALL),
            challenge: challenge(),
            until: instant(),
            window: window(),
            secret: secret(),
            client: client(),
        }),
        "AlternativeProven" => {
            body!(AlternativeProven { attempt: attempt(), factor: select(AlternativeFactor::ALL), client: client() })
        }
        "AlternativeRefused" => {
            body!(AlternativeRefused { attempt: attempt(), factor: select(AlternativeFactor::ALL), client: client() })
        }
        "HostRecord" => body!(HostRecord {
            kind: 0..HOST_TYPES,
            by: prop::option::of(by()),
            client: client(),
            body: vec(any::<u8>(), 0..200),
        }),
        _ => any_outbox_event(name_of_type),
    }
}

/// Of codes on their way.
fn any_outbox_event(name_of_type: &str) -> BoxedStrategy<Event> {
    let (submit, count) = (any::<u8>, any::<u32>);
    match name_of_type {
        "SmsQueued" => body!(SmsQueued {
            challenge: challenge(),
            device: stream(),
            decision: any::<u64>().prop_map(Version),
            route: route(),
            destination: destination(),
            until: instant(),
        }),
        "SmsSubmitting" => body!(SmsSubmitting {
            challenge: challenge(),
            submit: submit(),
            route: route(),
            lease: instant(),
            price_micros: any::<u64>(),
        }),
        "SmsSubmitted" => {
            let id = prop::option::of("[a-zA-Z0-9-]{1,64}".prop_map(|id| MessageId::new(&id).unwrap()));
            body!(SmsSubmitted { challenge: challenge(), submit: submit(), message_id: id })
        }
        "SmsSubmitFailed" => {
            let fault = select(SmsSubmitFault::ALL);
            body!(SmsSubmitFailed { challenge: challenge(), submit: submit(), fault: fault })
        }
        "SmsDropped" => body!(SmsDropped { challenge: challenge(), reason: select(SmsDropReason::ALL) }),
        "SmsRedriven" => body!(SmsRedriven { challenge: challenge(), by: by() }),
        "SmsReported" => body!(SmsReported { challenge: challenge(), delivery: select(SmsDelivery::ALL) }),
        "SmsPrefixBlocked" => {
            body!(SmsPrefixBlocked {
                prefix: prefix(),
                errand: select(SmsErrand::ALL),
                sent: count(),
                used: count(),
                until: instant()
            })
        }
        "SmsPrefixCleared" => body!(SmsPrefixCleared { prefix: prefix(), by: by() }),
        unknown => panic!("the generator of {unknown} is missing"),
    }
}
