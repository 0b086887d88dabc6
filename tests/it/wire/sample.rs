//! One event of each type, for the golden bytes: never to change.

use countersign::domain::caller::{By, Channel};
use countersign::domain::client::Client;
use countersign::domain::device::PhoneNumber;
use countersign::domain::event::*;
use countersign::domain::ids::{AttemptId, ChallengeId, StreamId, Version};
use countersign::domain::secret::{ChallengeSecret, Opaque};
use countersign::domain::settings::{AccountAlias, Preset, SmsEligibility};
use countersign::domain::sms::{Country, Destination, MessageId, Prefix, RouteName, SmsErrand};
use countersign::domain::totp::{Attempts, Budget, Learned, Spent};
use countersign::{AccountId, DeviceKind, DeviceName, Path, PrincipalId, Seed, Serial, UnixMillis, UserId};

/// An event of each type with telling values in every field.
pub fn sample(name_of_type: &str) -> Event {
    let stream = |first: u8| StreamId::from_bytes(std::array::from_fn(|at| first + at as u8));
    let (lee, device, window, counter) = (stream(0x10), stream(0xa0), 9_444_444, 56_666_667);
    let by = By { who: Some(stream(0x20)), channel: Channel::Console, mfa: true };
    let account = AccountId::from_number(123_456_789_012).unwrap();
    let (name, path) = (DeviceName::new("lee").unwrap(), Path::new("/ops//x/").unwrap());
    let arn = Serial::new("arn:aws:iam::123456789012:mfa/ops//x/lee").unwrap();
    let seed = stream(0xc0);
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
        "SeedStored" => SeedStored { device, seed: Seed::new((0..40).collect()).unwrap() }.into(),
        "DeviceDeleted" => DeviceDeleted { by, life: 2 }.into(),
        "PairRefused" => PairRefused { owner: lee, by, window, fault: PairFault::NotNewer }.into(),
        "BudgetSpent" => BudgetSpent { device, budget: Budget::Pairs, window }.into(),
        "PrincipalRegistered" => {
            let id = PrincipalId::User(account, UserId::new("AIDALEE").unwrap());
            PrincipalRegistered { id, name, path }.into()
        }
        "PrincipalRenamed" => PrincipalRenamed { name, path }.into(),
        "PrincipalRemoved" => PrincipalRemoved { by }.into(),
        "PrincipalForgotten" => {
            let keys =
                vec![Forgotten { stream: lee, version: Version(1) }, Forgotten { stream: device, version: Version(7) }];
            PrincipalForgotten { by, reason: ForgetReason::Retention, keys }.into()
        }
        "DeviceEnabled" => DeviceEnabled { device, kind: DeviceKind::HardwareTotp, life: 1, by, learned }.into(),
        "DeviceResynced" => DeviceResynced { device, by, window, counter, offset: -1 }.into(),
        "ResyncRefused" => ResyncRefused { device, by, window, fault: PairFault::NoMatch }.into(),
        "CodeAccepted" => CodeAccepted { device, purpose: Purpose::AssumeRole, window, counter }.into(),
        "CodeRefused" => {
            let (purpose, fault) = (Purpose::SignIn, CodeFault::Outside);
            CodeRefused { device, purpose, window, fault, steps: -40 }.into()
        }
        "DeviceDeactivated" => DeviceDeactivated { device, by, reason: DeactivateReason::Lost }.into(),
        _ => later_sample(name_of_type),
    }
}

/// Of settings, devices without codes, and sign-ins.
fn later_sample(name_of_type: &str) -> Event {
    let stream = |first: u8| StreamId::from_bytes(std::array::from_fn(|at| first + at as u8));
    let (lee, device) = (stream(0x10), stream(0xa0));
    let by = By { who: Some(stream(0x20)), channel: Channel::Console, mfa: true };
    let account = AccountId::from_number(123_456_789_012).unwrap();
    let attempt = AttemptId::from_bytes(std::array::from_fn(|at| 0x30 + at as u8));
    let until = UnixMillis(1_700_000_600_123);
    let client = Client::new(Some([203, 0, 113, 7].into()), "Mozilla/5.0 (X11; Linux) Gecko/20100101 Firefox/130.0");
    let opaque = Opaque::new(b"{\"kept\":\"by the library\"}".to_vec()).unwrap();
    let key = Serial::new("arn:aws:iam::123456789012:u2f/user/lee/blue-ABCDEFGHIJKLMNOPQRSTUVWXYZ").unwrap();
    let phone = PhoneNumber::parse("+15550101234").unwrap();
    match name_of_type {
        "AliasChanged" => AliasChanged { alias: Some(AccountAlias::new("example-corp").unwrap()), by }.into(),
        "SmsEligibilityChanged" => SmsEligibilityChanged { eligibility: SmsEligibility::Ending, by }.into(),
        "AlternativeFactorsSwitched" => AlternativeFactorsSwitched { allowed: false, by }.into(),
        "PolicyChosen" => PolicyChosen { preset: Some(Preset::Modern), by }.into(),
        "RootLinked" => RootLinked { associate: AccountId::from_number(42), by }.into(),
        "PasswordRefused" => PasswordRefused { who: Some(lee), client }.into(),
        "PasswordsLocked" => PasswordsLocked { who: None, client }.into(),
        "CredentialClaimed" => CredentialClaimed { holder: device }.into(),
        "CredentialReleased" => CredentialReleased { holder: device }.into(),
        "SecurityKeyCreated" => SecurityKeyCreated {
            account,
            serial: key,
            form: KeyForm::Passkey,
            credential_id: (0xc0..0xd0).collect(),
            credential: opaque,
            attestation: "packed".to_owned(),
            model: Some(std::array::from_fn(|at| 0x60 + at as u8)),
            backup_eligible: true,
            by,
        }
        .into(),
        "SmsDeviceCreated" => {
            let serial = Serial::new("arn:aws:iam::123456789012:sms-mfa/lee").unwrap();
            SmsDeviceCreated { account, serial, phone, by }.into()
        }
        "SignInStarted" => SignInStarted { attempt, until, associate: Some(stream(0x70)), client }.into(),
        "SignedIn" => SignedIn { attempt, factor: SignInFactor::Device, device: Some(device), client }.into(),
        "SignInsEnded" => SignInsEnded { by }.into(),
        "SignInRefused" => SignInRefused { attempt, device: Some(device), fault: SignInFault::Locked, client }.into(),
        "AssociateProven" => {
            AssociateProven { attempt, device, until, mark: std::array::from_fn(|at| 0x80 + at as u8), client }.into()
        }
        _ => ceremony_sample(name_of_type),
    }
}

/// Of challenges and their answers.
fn ceremony_sample(name_of_type: &str) -> Event {
    let stream = |first: u8| StreamId::from_bytes(std::array::from_fn(|at| first + at as u8));
    let (device, window) = (stream(0xa0), 9_444_444);
    let by = By { who: Some(stream(0x20)), channel: Channel::Console, mfa: true };
    let client = Client::new(Some([203, 0, 113, 7].into()), "Mozilla/5.0 (X11; Linux) Gecko/20100101 Firefox/130.0");
    let attempt = AttemptId::from_bytes(std::array::from_fn(|at| 0x30 + at as u8));
    let challenge = ChallengeId::from_bytes(std::array::from_fn(|at| 0x40 + at as u8));
    let until = UnixMillis(1_700_000_600_123);
    let secret = ChallengeSecret::new(std::array::from_fn(|at| 0x50 + at as u8));
    let opaque = Opaque::new(b"{\"kept\":\"by the library\"}".to_vec()).unwrap();
    let key = Serial::new("arn:aws:iam::123456789012:u2f/user/lee/blue-ABCDEFGHIJKLMNOPQRSTUVWXYZ").unwrap();
    let phone = PhoneNumber::parse("+15550101234").unwrap();
    match name_of_type {
        "KeyChallengeIssued" => KeyChallengeIssued {
            challenge,
            form: KeyForm::SecurityKey,
            attempt: None,
            serial: Some(key),
            replaces: Some(device),
            until,
            window,
            state: opaque,
            client,
        }
        .into(),
        "KeyRegistered" => {
            let (form, credential) = (KeyForm::Passkey, stream(0x90));
            KeyRegistered { device, challenge, form, credential, counter: 7 }.into()
        }
        "KeyAccepted" => KeyAccepted { device, challenge, counter: 300, user_verified: true }.into(),
        "KeyRefused" => {
            let fault = KeyFault::CounterRegressed;
            KeyRefused { challenge, device: Some(device), fault, counter: Some(6) }.into()
        }
        "SmsCodeIssued" => {
            SmsCodeIssued { challenge, device, attempt: None, phone: Some(phone), window, until, secret, client }.into()
        }
        "SmsCodeAccepted" => SmsCodeAccepted { challenge, device }.into(),
        "SmsCodeRefused" => SmsCodeRefused { challenge, device, fault: SmsFault::Exhausted }.into(),
        "AlternativeIssued" => {
            let factor = AlternativeFactor::Phone;
            AlternativeIssued { attempt, factor, challenge, until, window, secret, client }.into()
        }
        "AlternativeProven" => AlternativeProven { attempt, factor: AlternativeFactor::Mail, client }.into(),
        "AlternativeRefused" => AlternativeRefused { attempt, factor: AlternativeFactor::Phone, client }.into(),
        "SigningKeyRotated" => SigningKeyRotated {
            statement: "countersign signing key rotation v1\nexample.com/mfa\nOLD\nNEW\n7\n\n— example.com/mfa AAAA\n"
                .to_owned(),
        }
        .into(),
        "HostRecord" => HostRecord { kind: 7, by: Some(by), client, body: b"hello".to_vec() }.into(),
        _ => outbox_sample(name_of_type),
    }
}

/// Of codes on their way.
fn outbox_sample(name_of_type: &str) -> Event {
    let device = StreamId::from_bytes(std::array::from_fn(|at| 0xa0 + at as u8));
    let by = By { who: Some(StreamId::from_bytes([0x20; 16])), channel: Channel::Operator, mfa: true };
    let challenge = ChallengeId::from_bytes(std::array::from_fn(|at| 0x40 + at as u8));
    let (submit, until) = (200, UnixMillis(1_700_000_600_123));
    let (route, prefix) = (RouteName::new("eu-1").unwrap(), Prefix::new("+1415555").unwrap());
    match name_of_type {
        "SmsQueued" => {
            let (number, country) = (std::array::from_fn(|at| 0xd0 + at as u8), Country::parse("US").unwrap());
            let destination = Destination { number, prefix, country };
            SmsQueued { challenge, device, decision: Version(300), route, destination, until }.into()
        }
        "SmsSubmitting" => {
            let lease = UnixMillis(1_700_000_315_123);
            SmsSubmitting { challenge, submit, route, lease, price_micros: 7_500 }.into()
        }
        "SmsSubmitted" => SmsSubmitted { challenge, submit, message_id: MessageId::new("SM0123-ü") }.into(),
        "SmsSubmitFailed" => SmsSubmitFailed { challenge, submit, fault: SmsSubmitFault::Unknown }.into(),
        "SmsDropped" => SmsDropped { challenge, reason: SmsDropReason::PrefixBlocked }.into(),
        "SmsRedriven" => SmsRedriven { challenge, by }.into(),
        "SmsReported" => SmsReported { challenge, delivery: SmsDelivery::Undeliverable }.into(),
        "SmsPrefixBlocked" => {
            SmsPrefixBlocked { prefix, errand: SmsErrand::Enrolment, sent: 50, used: 4, until }.into()
        }
        "SmsPrefixCleared" => SmsPrefixCleared { prefix, by }.into(),
        unknown => panic!("the sample of {unknown} is missing"),
    }
}
