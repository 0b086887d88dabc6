//! People with an enabled device each, and what they did, written straight into a journal.
//!
//! The events are those that the engine writes for the same commands, in the same appends, so that they
//! fold; writing them without the engine makes a million of them a matter of seconds.

use std::collections::HashMap;

use countersign_domain::account::{Account, Claim};
use countersign_domain::caller::{By, Caller};
use countersign_domain::device::{DeviceKind, DeviceName, Path, Serial, seed_stream};
use countersign_domain::event::{
    AccountOpened, CodeAccepted, DeviceAdded, DeviceAssigned, DeviceEnabled, Event, NameClaimed, PrincipalRegistered,
    Purpose, SeedStored, UserAdded, VirtualDeviceCreated,
};
use countersign_domain::ids::{AccountId, CommandId, Position, PrincipalId, StreamId, UnixMillis, UserId, Version};
use countersign_domain::secret::Seed;
use countersign_domain::totp::Learned;
use countersign_domain::wire::{self, Sealing};
use countersign_store::{Append, Journal, NewEntry, StreamAppend};

use crate::Failure;
use crate::sample::Numbers;

/// Seconds of one code.
pub const STEP_S: u64 = 30;
/// Seconds of one attempt window (R91).
const WINDOW_S: u64 = 180;
/// When everybody's history begins: the beginning of an attempt window.
const BEGIN_S: u64 = 1_700_000_100;
const _: () = assert!(BEGIN_S.is_multiple_of(WINDOW_S));
/// Users of one account.
const ACCOUNT_USERS: usize = 1_000;
/// Appends of one commit while a history is written.
const GROUP: usize = 1_024;

/// A principal with one enabled device.
#[derive(Clone, Debug)]
pub struct Person {
    /// Who it is.
    pub id: PrincipalId,
    /// The serial number of its device.
    pub serial: Serial,
    /// The device's secret.
    pub seed: Vec<u8>,
    name: DeviceName,
    stream: StreamId,
    device: StreamId,
}

impl Person {
    fn new(account: AccountId, place: usize, numbers: &mut Numbers) -> Result<Self, Failure> {
        let id = PrincipalId::User(account, UserId::new(format!("AIDA{:016X}{place:06}", numbers.next()))?);
        let name = DeviceName::new(format!("person-{place:06}"))?;
        let serial = Serial::of_virtual(account, &Path::root(), &name)?;
        let (stream, device) = (id.stream(), serial.stream());
        Ok(Self { id, serial, seed: numbers.bytes(40), name, stream, device })
    }
}

/// The account of the person at a place.
fn account_of(place: usize) -> Result<AccountId, Failure> {
    let number = 100_000_000_000 + (place / ACCOUNT_USERS) as u64;
    AccountId::from_number(number).ok_or_else(|| "no account has this number".into())
}

/// Everybody in a store.
#[derive(Debug)]
pub struct People {
    /// In the order in which they came.
    pub all: Vec<Person>,
    /// Entries that the log has.
    pub entries: u64,
    /// Accounts in the log.
    pub accounts: usize,
    rounds: u64,
}

impl People {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// When their history ends: a multiple of the step.
    pub const fn ends_s(&self) -> u64 {
        BEGIN_S + self.rounds * STEP_S
    }

    /// People whom no log knows yet; the same for the same numbers.
    pub fn imagine(count: usize, numbers: &mut Numbers) -> Result<Vec<Person>, Failure> {
        (0..count).map(|place| Person::new(account_of(place)?, place, numbers)).collect()
    }

    /// Registers people and enables a device for each.
    pub fn settle(journal: &dyn Journal, count: usize, numbers: &mut Numbers) -> Result<Self, Failure> {
        let mut scribe = Scribe::new(journal, numbers.next());
        let at = UnixMillis::from_secs(BEGIN_S);
        let all = Self::imagine(count, numbers)?;
        for (place, person) in all.iter().enumerate() {
            let account = account_of(place)?;
            if place % ACCOUNT_USERS == 0 {
                scribe.open_account(account, at)?;
            }
            scribe.settle(account, person, at)?;
        }
        let entries = scribe.finish()?;
        Ok(Self { all, entries, accounts: count.div_ceil(ACCOUNT_USERS), rounds: 0 })
    }

    /// These people as of a later time, as far as a client has to know them.
    pub const fn later(all: Vec<Person>, rounds: u64) -> Self {
        Self { all, entries: 0, accounts: 0, rounds }
    }

    /// Takes note of an account that was opened beside theirs, which is two entries.
    pub fn opened_account(&mut self, position: Position) -> Result<(), Failure> {
        self.entries += 2;
        self.accounts += 1;
        if position.0 == self.entries {
            Ok(())
        } else {
            Err(format!("position {position}, not {}", self.entries).into())
        }
    }

    /// Lets each of them be verified some times, a step apart, until the log has `entries` or more.
    pub fn live_until(&mut self, journal: &dyn Journal, entries: u64) -> Result<(), Failure> {
        let mut scribe = Scribe::new(journal, entries);
        scribe.entries = self.entries;
        for person in &self.all {
            scribe.versions.insert(person.stream, Version(2 + self.rounds));
        }
        while scribe.entries < entries {
            self.rounds += 1;
            let at_s = self.ends_s();
            for person in &self.all {
                let event = CodeAccepted {
                    device: person.device,
                    purpose: Purpose::SignIn,
                    window: at_s / WINDOW_S,
                    counter: at_s / STEP_S,
                };
                scribe.write(UnixMillis::from_secs(at_s), vec![(person.stream, event.into())])?;
            }
        }
        self.entries = scribe.finish()?;
        Ok(())
    }

    /// Lets everybody be verified some more times.
    pub fn live_rounds(&mut self, journal: &dyn Journal, rounds: usize) -> Result<(), Failure> {
        self.live_until(journal, self.entries + (rounds * self.all.len()) as u64)
    }
}

/// Writes appends in large groups and knows every stream's version.
struct Scribe<'a> {
    journal: &'a dyn Journal,
    group: Vec<Append>,
    versions: HashMap<StreamId, Version>,
    salt: u64,
    commands: u64,
    entries: u64,
}

impl<'a> Scribe<'a> {
    fn new(journal: &'a dyn Journal, salt: u64) -> Self {
        let group = Vec::with_capacity(GROUP);
        Self { journal, group, versions: HashMap::new(), salt, commands: 0, entries: 0 }
    }

    fn open_account(&mut self, id: AccountId, at: UnixMillis) -> Result<(), Failure> {
        let root = PrincipalId::Root(id);
        let opened = AccountOpened { account: id, by: operator() };
        let name = DeviceName::new("root")?;
        let registered = PrincipalRegistered { id: root.clone(), name, path: Path::root() };
        self.write(at, vec![(Account::stream(id), opened.into()), (root.stream(), registered.into())])
    }

    fn settle(&mut self, account: AccountId, person: &Person, at: UnixMillis) -> Result<(), Failure> {
        let (stream, device, of_account) = (person.stream, person.device, Account::stream(account));
        let registered = PrincipalRegistered { id: person.id.clone(), name: person.name.clone(), path: Path::root() };
        self.write(
            at,
            vec![
                (Claim::stream(account, &person.name), NameClaimed { holder: stream }.into()),
                (of_account, UserAdded { user: stream }.into()),
                (stream, registered.into()),
            ],
        )?;
        let seed = Seed::new(person.seed.clone()).map_err(|_| "a seed of another length")?;
        let (stored, apart) = (SeedStored { device, seed }, seed_stream(device, 1));
        let created = VirtualDeviceCreated { account, serial: person.serial.clone(), seed: apart, by: operator() };
        let added = DeviceAdded { device };
        self.write(at, vec![(device, created.into()), (apart, stored.into()), (of_account, added.into())])?;
        let enabled = DeviceEnabled {
            device,
            kind: DeviceKind::VirtualTotp,
            life: 1,
            by: operator(),
            learned: Learned::default(),
        };
        self.write(at, vec![(stream, enabled.into()), (device, DeviceAssigned { owner: stream }.into())])
    }

    fn write(&mut self, at: UnixMillis, events: Vec<(StreamId, Event)>) -> Result<(), Failure> {
        let mut streams = Vec::with_capacity(events.len());
        for (stream, event) in events {
            let expected = self.versions.get(&stream).copied().unwrap_or(Version::NONE);
            self.versions.insert(stream, expected.next());
            streams.push(StreamAppend { stream, expected, fresh_key: false, entries: vec![entry_of(&event, at)?] });
            self.entries += 1;
        }
        self.commands += 1;
        self.group.push(Append { command: command(self.salt, self.commands), streams });
        if self.group.len() == GROUP { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Failure> {
        for answer in self.journal.append_group(std::mem::take(&mut self.group)) {
            answer?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<u64, Failure> {
        self.flush()?;
        let head = self.journal.head().0;
        if head == self.entries { Ok(head) } else { Err(format!("{head} entries, not {}", self.entries).into()) }
    }
}

fn operator() -> By {
    Caller::operator().by()
}

fn entry_of(event: &Event, at: UnixMillis) -> Result<NewEntry, Failure> {
    let encoded = wire::encode(event)?;
    Ok(NewEntry {
        event_type: encoded.event_type,
        type_version: encoded.type_version,
        time: at,
        body: encoded.body,
        seal: encoded.sealing == Sealing::Sealed,
    })
}

/// A command id that no other command of the run has.
pub fn command(salt: u64, number: u64) -> CommandId {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&salt.to_be_bytes());
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    CommandId::from_bytes(bytes)
}
