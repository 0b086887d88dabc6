//! Writes histories that no engine would write.

use countersign_domain::account::{Account, Claim};
use countersign_domain::caller::{By, Channel};
use countersign_domain::client::Client;
use countersign_domain::device::{DeviceKind, Path, PhoneNumber, credential_stream, seed_stream};
use countersign_domain::event::*;
use countersign_domain::ids::*;
use countersign_domain::laws::{Fact, Law, LawBook};
use countersign_domain::policy::Policy;
use countersign_domain::secret::Seed;
use countersign_domain::settings::Preset;
use countersign_domain::totp::{Attempts, Learned, Spent};

use crate::senders::{destination, route};
use crate::stage::{account, key, named, phone, root, secret, sms, state, user};

pub const BY: By = By { who: None, channel: Channel::Operator, mfa: false };
pub const WINDOW: u64 = 9_444_444;
pub const START: UnixMillis = UnixMillis::from_secs(1_700_000_000);

/// A log that is written entry by entry.
pub struct Forger {
    book: LawBook,
    versions: Vec<(StreamId, u64)>,
    position: u64,
    pub now: UnixMillis,
    pub broken: Vec<Law>,
}

/// What a device has learned whose only pair ended at a counter.
fn learned(counter: u64) -> Learned {
    let paired: Spent = {
        let packed = postcard::to_allocvec(&(0_u64, vec![counter - 1, 1])).unwrap();
        postcard::from_bytes(&packed).unwrap()
    };
    let pairs = Attempts { window: WINDOW, used: 1, closed: false };
    Learned { paired, pairs, ..Learned::default() }
}

pub fn lee() -> StreamId {
    user("lee").stream()
}

pub fn dana() -> StreamId {
    user("dana").stream()
}

pub fn attempt(number: u8) -> AttemptId {
    AttemptId::from_bytes([number; 16])
}

pub fn challenge(number: u8) -> ChallengeId {
    ChallengeId::from_bytes([number; 16])
}

impl Forger {
    /// A sound beginning: an account with root, two users, two devices, and lee's phone enabled.
    pub fn new(policy: Policy) -> Self {
        let book = LawBook::new(policy);
        let mut forger = Self { book, versions: Vec::new(), position: 0, now: START, broken: Vec::new() };
        forger.write(Account::stream(account()), AccountOpened { account: account(), by: BY });
        forger.write(root().stream(), PrincipalRegistered { id: root(), name: named("root"), path: path() });
        for called in ["lee", "dana"] {
            let id = user(called);
            let holder = id.stream();
            forger.write(Claim::stream(account(), &named(called)), NameClaimed { holder });
            forger.write(Account::stream(account()), UserAdded { user: holder });
            forger.write(holder, PrincipalRegistered { id, name: named(called), path: path() });
        }
        for device in ["phone", "spare"] {
            let (serial, seed) = (phone(device), seed_stream(phone(device).stream(), 1));
            let stored = SeedStored { device: serial.stream(), seed: Seed::new(vec![7; 20]).unwrap() };
            forger.write(seed, stored);
            forger.write(serial.stream(), VirtualDeviceCreated { account: account(), serial, seed, by: BY });
            forger.write(Account::stream(account()), DeviceAdded { device: phone(device).stream() });
        }
        forger.enabled(lee(), "phone", 56_666_667);
        forger.assigned(lee(), "phone");
        assert_eq!(forger.broken, [], "the beginning is sound");
        forger
    }

    pub fn write(&mut self, stream: StreamId, event: impl Into<Event>) {
        let version = match self.versions.iter_mut().find(|(known, _)| *known == stream) {
            Some((_, version)) => {
                *version += 1;
                *version
            }
            None => {
                self.versions.push((stream, 1));
                1
            }
        };
        self.write_as(stream, version, event);
    }

    pub fn write_as(&mut self, stream: StreamId, version: u64, event: impl Into<Event>) {
        let (position, version, event) = (Position(self.position), Version(version), event.into());
        let fact = Fact { position, stream, version, at: self.now, event: &event };
        self.position += 1;
        self.broken.extend(self.book.observe(&fact).into_iter().map(|violation| violation.law));
    }

    /// Every law that was broken, at the end too.
    pub fn end(mut self) -> Vec<Law> {
        self.broken.extend(self.book.finish().into_iter().map(|violation| violation.law));
        self.broken
    }

    pub fn wait_s(&mut self, seconds: u64) {
        self.now = self.now.plus_ms(seconds * 1000);
    }

    // ---- phones ----

    pub fn enabled(&mut self, owner: StreamId, device: &str, counter: u64) {
        let (device, kind) = (phone(device).stream(), DeviceKind::VirtualTotp);
        self.write(owner, DeviceEnabled { device, kind, life: 1, by: BY, learned: learned(counter) });
    }

    pub fn assigned(&mut self, owner: StreamId, device: &str) {
        self.write(phone(device).stream(), DeviceAssigned { owner });
    }

    pub fn accepted(&mut self, counter: u64) {
        self.accepted_for(Purpose::SignIn, WINDOW, counter);
    }

    pub fn accepted_for(&mut self, purpose: Purpose, window: u64, counter: u64) {
        let device = phone("phone").stream();
        self.write(lee(), CodeAccepted { device, purpose, window, counter });
    }

    pub fn mistaken(&mut self, window: u64) {
        let (device, fault, purpose) = (phone("phone").stream(), CodeFault::Wrong, Purpose::StepUp);
        self.write(lee(), CodeRefused { device, purpose, window, fault, steps: 0 });
    }

    pub fn choose(&mut self, preset: Option<Preset>) {
        self.write(Account::stream(account()), PolicyChosen { preset, by: BY });
    }

    // ---- sign-ins ----

    pub fn begin(&mut self, who: StreamId, number: u8, associate: Option<StreamId>) {
        let (attempt, until, client) = (attempt(number), self.now.plus_ms(600_000), Client::default());
        self.write(who, SignInStarted { attempt, until, associate, client });
    }

    pub fn in_by(&mut self, who: StreamId, number: u8, factor: SignInFactor, device: Option<StreamId>) {
        let (attempt, client) = (attempt(number), Client::default());
        self.write(who, SignedIn { attempt, factor, device, client });
    }

    pub fn in_by_phone(&mut self, number: u8) {
        self.in_by(lee(), number, SignInFactor::Device, Some(phone("phone").stream()));
    }

    /// Root's sign-in takes note of lee's phone.
    pub fn linked_proven(&mut self, number: u8) {
        let (attempt, device, until) = (attempt(number), phone("phone").stream(), self.now.plus_ms(600_000));
        self.write(
            root().stream(),
            AssociateProven { attempt, device, until, mark: [0; 16], client: Client::default() },
        );
    }

    pub fn factor_asked(&mut self, who: StreamId, number: u8, factor: AlternativeFactor) {
        let (attempt, challenge, until) = (attempt(number), challenge(number), self.now.plus_ms(60_000));
        let secret = secret(challenge);
        self.write(
            who,
            AlternativeIssued { attempt, factor, challenge, until, window: WINDOW, secret, client: Client::default() },
        );
    }

    pub fn factor_proven(&mut self, who: StreamId, number: u8, factor: AlternativeFactor) {
        self.write(who, AlternativeProven { attempt: attempt(number), factor, client: Client::default() });
    }

    pub fn both_proven(&mut self, who: StreamId, number: u8) {
        for factor in [AlternativeFactor::Mail, AlternativeFactor::Phone] {
            self.factor_asked(who, number, factor);
            self.factor_proven(who, number, factor);
        }
    }

    // ---- keys ----

    /// Asks dana's keys, in a sign-in or to register.
    pub fn ask_key(&mut self, number: u8, attempt: Option<AttemptId>) {
        let (challenge, until) = (challenge(number), self.now.plus_ms(300_000));
        let serial = attempt.is_none().then(|| key(&user("dana"), "any"));
        let (form, replaces, window, state) = (KeyForm::SecurityKey, None, WINDOW, state(challenge));
        self.write(
            dana(),
            KeyChallengeIssued {
                challenge,
                form,
                attempt,
                serial,
                replaces,
                until,
                window,
                state,
                client: Client::default(),
            },
        );
    }

    /// Registers a key for dana; the claim is written apart.
    pub fn register(&mut self, name: &str, number: u8, credential: &[u8], counter: u32) -> StreamId {
        let serial = key(&user("dana"), name);
        let (device, kind, form) = (serial.stream(), DeviceKind::SecurityKey, KeyForm::SecurityKey);
        self.ask_key(number, None);
        let opaque = state(challenge(number));
        let (account, credential_id) = (account(), credential.to_vec());
        let created = SecurityKeyCreated {
            account,
            serial,
            form,
            credential_id,
            credential: opaque,
            attestation: "none".to_owned(),
            model: None,
            backup_eligible: false,
            by: BY,
        };
        self.write(device, created);
        self.write(device, DeviceAssigned { owner: dana() });
        self.write(dana(), DeviceEnabled { device, kind, life: 1, by: BY, learned: Learned::default() });
        let (challenge, credential) = (challenge(number), credential_stream(credential));
        self.write(dana(), KeyRegistered { device, challenge, form, credential, counter });
        device
    }

    pub fn claimed(&mut self, credential: &[u8], holder: StreamId) {
        self.write(credential_stream(credential), CredentialClaimed { holder });
    }

    /// dana has a key whose counter is at 7, and a sign-in in which it was asked: challenge and attempt 2.
    pub fn with_key() -> (Self, StreamId) {
        let mut forger = Self::new(Policy::modern());
        let device = forger.register("blue", 1, b"blue", 7);
        forger.claimed(b"blue", device);
        forger.begin(dana(), 2, None);
        forger.ask_key(2, Some(attempt(2)));
        assert_eq!(forger.broken, []);
        (forger, device)
    }

    pub fn touched(&mut self, device: StreamId, number: u8, counter: u32) {
        let (challenge, user_verified) = (challenge(number), false);
        self.write(dana(), KeyAccepted { device, challenge, counter, user_verified });
    }

    // ---- messages ----

    /// dana has an SMS device, and a sign-in in which a code was sent to it: challenge and attempt 2.
    pub fn with_sms() -> (Self, StreamId) {
        let mut forger = Self::new(Policy::classic());
        let serial = sms("dana");
        let (device, phone) = (serial.stream(), PhoneNumber::parse("+15550101234").unwrap());
        forger.send(device, 1, None);
        forger.write(device, SmsDeviceCreated { account: account(), serial, phone, by: BY });
        forger.write(device, DeviceAssigned { owner: dana() });
        forger.write(dana(), SmsCodeAccepted { challenge: challenge(1), device });
        let kind = DeviceKind::Sms;
        forger.write(dana(), DeviceEnabled { device, kind, life: 1, by: BY, learned: Learned::default() });
        forger.begin(dana(), 2, None);
        forger.send(device, 2, Some(attempt(2)));
        assert_eq!(forger.broken, []);
        (forger, device)
    }

    pub fn send(&mut self, device: StreamId, number: u8, attempt: Option<AttemptId>) {
        let (challenge, until) = (challenge(number), self.now.plus_ms(300_000));
        let phone = attempt.is_none().then(|| PhoneNumber::parse("+15550101234").unwrap());
        let secret = secret(challenge);
        self.write(
            dana(),
            SmsCodeIssued {
                challenge,
                device,
                attempt,
                phone,
                window: WINDOW,
                until,
                secret,
                client: Client::default(),
            },
        );
    }

    /// dana has an SMS device, and a sign-in in which a code waits to be handed over: attempt 2, challenge 3.
    pub fn with_message() -> (Self, StreamId) {
        let (mut forger, device) = Self::with_sms();
        forger.send(device, 3, Some(attempt(2)));
        forger.queue(device, 3);
        assert_eq!(forger.broken, []);
        (forger, device)
    }

    /// How many events dana's stream has.
    pub fn version(&self) -> u64 {
        self.versions.iter().find(|(stream, _)| *stream == dana()).map_or(0, |(_, version)| *version)
    }

    /// The next event of dana's stream follows this version, whatever is written already.
    pub fn wind_back(&mut self, before: Version) {
        self.versions.iter_mut().filter(|(stream, _)| *stream == dana()).for_each(|(_, version)| *version = before.0);
    }

    /// The message of the code that was issued last.
    pub fn queued(&self, device: StreamId, number: u8) -> SmsQueued {
        let (challenge, until) = (challenge(number), self.now.plus_ms(300_000));
        let decision = Version(self.version() - 1);
        SmsQueued { challenge, device, decision, route: route(), destination: destination(), until }
    }

    pub fn queue(&mut self, device: StreamId, number: u8) {
        let queued = self.queued(device, number);
        self.write(dana(), queued);
    }

    pub fn try_it(&mut self, number: u8, submit: u8) {
        let (challenge, lease, price_micros) = (challenge(number), self.now.plus_ms(15_000), 7_500);
        self.write(dana(), SmsSubmitting { challenge, submit, route: route(), lease, price_micros });
    }

    pub fn taken(&mut self, number: u8, submit: u8) {
        self.write(dana(), SmsSubmitted { challenge: challenge(number), submit, message_id: None });
    }

    pub fn failed(&mut self, number: u8, submit: u8, fault: SmsSubmitFault) {
        self.write(dana(), SmsSubmitFailed { challenge: challenge(number), submit, fault });
    }

    /// Tries that end so, from this one to that one.
    pub fn tries(&mut self, number: u8, submits: std::ops::RangeInclusive<u8>, fault: SmsSubmitFault) {
        for submit in submits {
            self.try_it(number, submit);
            self.failed(number, submit, fault);
        }
    }

    pub fn give_up(&mut self, number: u8) {
        self.write(dana(), SmsDropped { challenge: challenge(number), reason: SmsDropReason::NoRoute });
    }

    pub fn redrive(&mut self, number: u8) {
        self.write(dana(), SmsRedriven { challenge: challenge(number), by: BY });
    }

    pub fn reported(&mut self, number: u8, delivery: SmsDelivery) {
        self.write(dana(), SmsReported { challenge: challenge(number), delivery });
    }

    pub fn came_back(&mut self, device: StreamId, number: u8) {
        self.write(dana(), SmsCodeAccepted { challenge: challenge(number), device });
    }

    pub fn came_back_wrong(&mut self, device: StreamId, number: u8) {
        self.write(dana(), SmsCodeRefused { challenge: challenge(number), device, fault: SmsFault::Wrong });
    }
}

fn path() -> Path {
    Path::root()
}
