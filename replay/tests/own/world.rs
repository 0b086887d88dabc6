//! A small platform that decides by the domain and writes through the journal, without the engine.

use std::collections::BTreeMap;
use std::path::Path as FilePath;
use std::sync::Arc;

use countersign_domain::account::{Account, Claim};
use countersign_domain::caller::Caller;
use countersign_domain::client::Client;
use countersign_domain::decide::*;
use countersign_domain::device::*;
use countersign_domain::event::*;
use countersign_domain::ids::*;
use countersign_domain::policy::Policy;
use countersign_domain::principal::Principal;
use countersign_domain::rejection::Rejection;
use countersign_domain::secret::Seed;
use countersign_domain::totp::{CodeMatches, CodeSearch, PairSearch, server_step};
use countersign_domain::wire::{self, Sealing};
use countersign_store::{
    Append, EphemeralKeyRing, FileKeyRing, Journal, MemoryJournal, NewEntry, SledJournal, StoreOptions, StreamAppend,
};

/// What a command came to.
pub type Answer = Result<Verdict, Rejection>;

/// Ten seconds into a step of thirty, at no window's edge.
pub const START: UnixMillis = UnixMillis::from_secs(1_700_000_050);

pub struct World {
    pub journal: Arc<dyn Journal>,
    pub now: UnixMillis,
    pub policy: Policy,
    pub commands: u64,
    /// Who asks; the operator, when it is `None`.
    pub caller: Option<Caller>,
    principals: BTreeMap<StreamId, Principal>,
    devices: BTreeMap<StreamId, Device>,
    accounts: BTreeMap<StreamId, Account>,
    claims: BTreeMap<StreamId, Claim>,
    versions: BTreeMap<StreamId, u64>,
}

pub fn account() -> AccountId {
    AccountId::from_number(123_456_789_012).unwrap()
}

pub fn named(text: &str) -> DeviceName {
    DeviceName::new(text).unwrap()
}

/// The ARN of the virtual device of a name.
pub fn phone(name: &str) -> Serial {
    Serial::of_virtual(account(), &Path::root(), &named(name)).unwrap()
}

/// Opens or makes the store of a data directory.
pub fn sled(dir: &FilePath) -> SledJournal {
    let ring = FileKeyRing::open_or_create(dir.join("keyring")).unwrap();
    SledJournal::open(&dir.join("store"), Arc::new(ring), StoreOptions::default()).unwrap()
}

impl World {
    /// An account with its root user, in memory.
    pub fn in_memory(policy: Policy) -> Self {
        Self::on(Arc::new(MemoryJournal::new(Arc::new(EphemeralKeyRing::new().unwrap())).unwrap()), policy)
    }

    /// An account with its root user, in a data directory.
    pub fn at(dir: &FilePath, policy: Policy) -> Self {
        Self::on(Arc::new(sled(dir)), policy)
    }

    pub fn on(journal: Arc<dyn Journal>, policy: Policy) -> Self {
        let mut world = Self {
            journal,
            now: START,
            policy,
            commands: 0,
            caller: None,
            principals: BTreeMap::new(),
            devices: BTreeMap::new(),
            accounts: BTreeMap::new(),
            claims: BTreeMap::new(),
            versions: BTreeMap::new(),
        };
        let opened = world.ask(|world, context| {
            open_account(world.accounts.get(&Account::stream(account())), account(), named("root"), context)
        });
        assert_eq!(opened, Ok(Verdict::Done));
        world
    }

    pub fn wait_s(&mut self, seconds: u64) {
        self.now = self.now.plus_ms(seconds * 1000);
    }

    pub fn account(&self) -> Option<&Account> {
        self.accounts.get(&Account::stream(account()))
    }

    pub fn principal(&self, who: &PrincipalId) -> Option<&Principal> {
        self.principals.get(&who.stream())
    }

    fn candidate<'a>(&'a self, serial: &'a Serial) -> Candidate<'a> {
        Candidate { serial, device: self.devices.get(&serial.stream()) }
    }

    /// A user of this name, whose id is its own for each number.
    pub fn user(&mut self, name: &str, number: u32) -> PrincipalId {
        let id = PrincipalId::User(account(), UserId::new(format!("AIDA{number:08}")).unwrap());
        let registered = self.ask(|world, context| {
            let claim = world.claims.get(&Claim::stream(account(), &named(name))).copied();
            register_user(
                world.account(),
                world.principal(&id),
                claim,
                (id.clone(), named(name), Path::root()),
                context,
            )
        });
        assert_eq!(registered, Ok(Verdict::Done));
        id
    }

    pub fn rename(&mut self, who: &PrincipalId, name: &str) -> Answer {
        self.ask(|world, context| {
            let claim = world.claims.get(&Claim::stream(account(), &named(name))).copied();
            rename_user(world.principal(who), claim, named(name), Path::root(), context)
        })
    }

    pub fn remove(&mut self, who: &PrincipalId) -> Answer {
        self.ask(|world, context| remove_user(world.principal(who), Removal::TakeDevices, context))
    }

    pub fn create(&mut self, name: &str) -> Serial {
        let serial = phone(name);
        let seed = Seed::new(vec![7; 20]).unwrap();
        let made = self.ask(|world, context| {
            create_virtual_device(world.account(), world.candidate(&serial), seed.clone(), context)
        });
        assert_eq!(made, Ok(Verdict::Done));
        serial
    }

    /// Enables a device that is some steps ahead of the server.
    pub fn enable(&mut self, who: &PrincipalId, serial: &Serial, ahead: i64) -> Answer {
        let counter = self.step_of(ahead);
        self.step(
            |world, evidence: Option<&Vec<u64>>, context| {
                enable(world.principal(who), world.candidate(serial), evidence.map(Vec::as_slice), context)
            },
            |search: PairSearch| in_pair(&search, counter),
        )
    }

    pub fn resync(&mut self, who: &PrincipalId, serial: &Serial, ahead: i64) -> Answer {
        let counter = self.step_of(ahead);
        self.step(
            |world, evidence: Option<&Vec<u64>>, context| {
                resync(world.principal(who), world.candidate(serial), evidence.map(Vec::as_slice), context)
            },
            |search: PairSearch| in_pair(&search, counter),
        )
    }

    pub fn rotate(&mut self, who: &PrincipalId, old: &Serial, new: &Serial) -> Answer {
        let counter = self.step_of(0);
        self.step(
            |world, evidence: Option<&Vec<u64>>, context| {
                let (old, new) = (world.candidate(old), world.candidate(new));
                rotate(world.principal(who), old, new, evidence.map(Vec::as_slice), context)
            },
            |search: PairSearch| in_pair(&search, counter),
        )
    }

    /// The code that the device shows when it is some steps ahead of the server; `None` is a wrong one.
    pub fn verify(&mut self, who: &PrincipalId, serial: &Serial, ahead: Option<i64>, purpose: Purpose) -> Answer {
        let counter = ahead.map(|ahead| self.step_of(ahead));
        self.step(
            |world, evidence, context| verify_code(world.principal(who), serial.stream(), purpose, evidence, context),
            |search: CodeSearch| in_window(&search, counter),
        )
    }

    /// Signs in with the password, and with a code where one is asked for.
    pub fn sign_in(&mut self, who: &PrincipalId, with: Option<(&Serial, i64)>) -> Answer {
        let attempt = AttemptId::from_bytes(u128::from(self.commands).to_be_bytes());
        let begun = self.ask(|world, context| begin_sign_in(world.principal(who), attempt, None, context))?;
        let (Verdict::SecondFactorWanted { .. }, Some((serial, ahead))) = (begun, with) else { return Ok(begun) };
        let counter = self.step_of(ahead);
        self.step(
            |world, evidence, context| {
                sign_in_with_code(world.principal(who), attempt, serial.stream(), evidence, context)
            },
            |search: CodeSearch| in_window(&search, Some(counter)),
        )
    }

    pub fn deactivate(&mut self, who: &PrincipalId, serial: &Serial) -> Answer {
        self.ask(|world, context| {
            deactivate(world.principal(who), world.candidate(serial), DeactivateReason::Requested, context)
        })
    }

    pub fn delete(&mut self, serial: &Serial) -> Answer {
        self.ask(|world, context| delete_virtual_device(world.account(), world.candidate(serial), context))
    }

    fn step_of(&self, ahead: i64) -> u64 {
        server_step(self.now, &self.policy).saturating_add_signed(ahead)
    }

    /// Decides a command of the operator and, if it is one to be written, writes it.
    pub fn ask(&mut self, decide: impl Fn(&Self, &Context<'_>) -> Decision) -> Answer {
        self.step(|world, _: Option<&()>, context| Step::Decided(decide(world, context)), |()| ())
    }

    pub fn step<Question, Evidence>(
        &mut self,
        decide: impl Fn(&Self, Option<&Evidence>, &Context<'_>) -> Step<Question>,
        find: impl FnOnce(Question) -> Evidence,
    ) -> Answer {
        let (policy, caller) = (self.policy.clone(), self.caller.clone().unwrap_or_else(Caller::operator));
        let client = Client::new(Some([203, 0, 113, 7].into()), "Firefox/130 \u{1b}[31m");
        let context = Context { now: self.now, policy: &policy, caller: &caller, client: Some(&client) };
        let decision = match decide(self, None, &context) {
            Step::Decided(decision) => decision,
            Step::Ask(question) => match decide(self, Some(&find(question)), &context) {
                Step::Decided(decision) => decision,
                Step::Ask(_) => panic!("asked twice"),
            },
        };
        match decision? {
            Outcome::AlreadySo(verdict) => Ok(verdict),
            Outcome::Record(record) => Ok(self.commit(record)),
        }
    }

    /// Writes an event that nobody decided.
    pub fn forge(&mut self, stream: StreamId, event: &Event) {
        let encoded = wire::encode(event).unwrap();
        let entry = NewEntry {
            event_type: encoded.event_type,
            type_version: encoded.type_version,
            time: self.now,
            body: encoded.body,
            seal: encoded.sealing == Sealing::Sealed,
        };
        let version = self.versions.entry(stream).or_default();
        let streams =
            vec![StreamAppend { stream, expected: Version(*version), fresh_key: false, entries: vec![entry] }];
        *version += 1;
        self.commands += 1;
        let command = CommandId::from_bytes(u128::from(self.commands).to_be_bytes());
        self.journal.append(Append { command, streams }).unwrap();
    }

    fn commit(&mut self, Record { writes, verdict }: Record) -> Verdict {
        let mut streams: Vec<StreamAppend> = Vec::new();
        for (stream, event) in &writes {
            let encoded = wire::encode(event).unwrap();
            let entry = NewEntry {
                event_type: encoded.event_type,
                type_version: encoded.type_version,
                time: self.now,
                body: encoded.body,
                seal: encoded.sealing == Sealing::Sealed,
            };
            match streams.iter_mut().find(|append| append.stream == *stream) {
                Some(append) => append.entries.push(entry),
                None => {
                    let expected = Version(self.versions.get(stream).copied().unwrap_or_default());
                    streams.push(StreamAppend { stream: *stream, expected, fresh_key: false, entries: vec![entry] });
                }
            }
            self.evolve(*stream, event);
        }
        for append in &streams {
            *self.versions.entry(append.stream).or_default() += append.entries.len() as u64;
        }
        self.commands += 1;
        let command = CommandId::from_bytes(u128::from(self.commands).to_be_bytes());
        self.journal.append(Append { command, streams }).unwrap();
        for (stream, event) in &writes {
            // As the engine does once the tombstone is durable.
            if let Event::DeviceDeleted(gone) = event {
                self.journal.destroy_key(seed_stream(*stream, gone.life)).unwrap();
            }
        }
        verdict
    }

    fn evolve(&mut self, stream: StreamId, event: &Event) {
        let at = self.now;
        if let Some(before) = self.principals.remove(&stream) {
            self.principals.insert(stream, Principal::evolve(Some(before), event, at).unwrap());
        } else if let Some(before) = self.accounts.remove(&stream) {
            self.accounts.insert(stream, Account::evolve(Some(before), event, at).unwrap());
        } else if let Some(before) = self.claims.remove(&stream) {
            self.claims.insert(stream, Claim::evolve(Some(before), event, at).unwrap());
        } else if let Some(before) = self.devices.remove(&stream) {
            self.devices.insert(stream, Device::evolve(Some(before), event, at).unwrap());
        } else {
            match event {
                Event::PrincipalRegistered(_) => {
                    self.principals.insert(stream, Principal::evolve(None, event, at).unwrap());
                }
                Event::AccountOpened(_) => {
                    self.accounts.insert(stream, Account::evolve(None, event, at).unwrap());
                }
                Event::SeedStored(_) => {}
                Event::NameClaimed(_) | Event::CredentialClaimed(_) => {
                    self.claims.insert(stream, Claim::evolve(None, event, at).unwrap());
                }
                _ => {
                    self.devices.insert(stream, Device::evolve(None, event, at).unwrap());
                }
            }
        }
    }
}

fn in_pair(search: &PairSearch, counter: u64) -> Vec<u64> {
    if (search.first..=search.last).contains(&counter) { vec![counter] } else { Vec::new() }
}

fn in_window(search: &CodeSearch, counter: Option<u64>) -> CodeMatches {
    match counter {
        Some(counter) if (search.first..=search.last).contains(&counter) => {
            CodeMatches { window: vec![counter], wide: None }
        }
        Some(counter) if (search.wide.first..=search.wide.last).contains(&counter) => {
            CodeMatches { window: Vec::new(), wide: Some(counter) }
        }
        _ => CodeMatches::default(),
    }
}

/// How many cases a test tries: some on an everyday run, more by `COUNTERSIGN_CASES`, up to as many as tell something new.
pub fn cases(everyday: u32, most: u32) -> u32 {
    let asked = std::env::var("COUNTERSIGN_CASES").ok().and_then(|text| text.parse().ok());
    asked.unwrap_or(everyday).clamp(everyday, most)
}
