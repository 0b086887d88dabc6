//! Two principals, one of them active on two nodes, and their account want one device at the same time (R4, R24).
//!
//! Each reads, decides on what it read, and appends under the versions that it read; any of them may be overtaken in
//! between, or crash. That a device has one owner rests on nothing else.

use countersign_domain::account::Account;
use countersign_domain::caller::Caller;
use countersign_domain::decide::*;
use countersign_domain::device::{Device, Serial};
use countersign_domain::event::{DeactivateReason, Event};
use countersign_domain::ids::*;
use countersign_domain::policy::Policy;
use countersign_domain::principal::Principal;
use countersign_domain::rejection::Rejection;
use stateright::{Checker, Model, Property};

use super::{Entry, Log};
use crate::stage::{START, Stage, account, phone, user};

/// How often a command is decided again after it was overtaken.
const RETRIES: u8 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Wish {
    Enable,
    Deactivate,
    Create,
    Delete,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Doing {
    Nothing,
    /// It knows the device as it was at a version.
    Looked {
        wish: Wish,
        device: usize,
        retries: u8,
    },
    /// Its append waits for the writer.
    Queued {
        wish: Wish,
        writes: Vec<Entry>,
        expected: Vec<(StreamId, usize)>,
        retries: u8,
    },
}

/// An actor of a principal, or of the account.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Actor {
    /// The version of its own stream that it has in memory.
    own: Option<usize>,
    doing: Doing,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    log: Log,
    judged: Judged,
    actors: Vec<Actor>,
    begun: u8,
    crashes: u8,
    conflicts: u8,
    refused: Vec<&'static str>,
}

/// What the log says, looked at whenever it grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Judged {
    /// Principals that have the device enabled.
    owners: usize,
    /// Whether the device's own history names the same one.
    agrees: bool,
    lawful: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Action {
    Look(usize, Wish),
    Decide(usize),
    Commit(usize),
    Crash(usize),
}

/// What the writer compares before it appends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Guard {
    EveryStream,
    OwnStreamOnly,
    Nothing,
}

struct Race {
    start: Log,
    serial: Serial,
    /// The principals, by actor; the account's actor is the last.
    who: Vec<Option<PrincipalId>>,
    policy: Policy,
    guard: Guard,
    begun_max: u8,
    crashes_max: u8,
}

impl Race {
    fn new(guard: Guard, begun_max: u8, crashes_max: u8) -> Self {
        let policy = Policy::classic();
        let mut stage = Stage::new(policy.clone());
        let (ann, bob) = (stage.user("ann"), stage.user("bob"));
        let serial = stage.created(&ann, "phone");
        assert_eq!(serial, phone("phone"));
        let start = Log::of(&stage.log, START);
        let who = vec![Some(ann.clone()), Some(ann), Some(bob), None];
        Self { start, serial, who, policy, guard, begun_max, crashes_max }
    }

    fn own_stream(&self, actor: usize) -> StreamId {
        self.who[actor].as_ref().map_or_else(|| Account::stream(account()), PrincipalId::stream)
    }

    /// Two steps a change: nothing is refused for the time of its codes.
    fn now(&self, log: &Log) -> UnixMillis {
        START.plus_ms(60_000 * (1 + log.0.len() - self.start.0.len()) as u64)
    }

    fn decide(&self, world: &World, actor: usize, wish: Wish, device: usize) -> Decision {
        let log = &world.log;
        let known = log.fold(self.serial.stream(), device, Device::evolve).unwrap();
        let candidate = Candidate { serial: &self.serial, device: known.as_ref() };
        let own = (self.own_stream(actor), world.actors[actor].own.unwrap());
        let caller = self.who[actor].clone().map_or_else(Caller::operator, Caller::with_key);
        let context = Context { now: self.now(log), policy: &self.policy, caller: &caller, client: None };
        let (principal, account) = match &self.who[actor] {
            Some(_) => (log.fold(own.0, own.1, Principal::evolve).unwrap(), None),
            None => (None, log.fold(own.0, own.1, Account::evolve).unwrap()),
        };
        match wish {
            Wish::Enable => match enable(principal.as_ref(), candidate, None, &context) {
                Step::Decided(decision) => decision,
                Step::Ask(search) => match enable(principal.as_ref(), candidate, Some(&[search.centre]), &context) {
                    Step::Decided(decision) => decision,
                    Step::Ask(_) => panic!("asked twice"),
                },
            },
            Wish::Deactivate => deactivate(principal.as_ref(), candidate, DeactivateReason::Requested, &context),
            Wish::Create => recreate(account.as_ref(), candidate, &context),
            Wish::Delete => delete_virtual_device(account.as_ref(), candidate, &context),
        }
    }

    fn queue(&self, world: &mut World, actor: usize) {
        let Doing::Looked { wish, device, retries } = world.actors[actor].doing.clone() else { return };
        world.actors[actor].doing = match self.decide(world, actor, wish, device) {
            Ok(Outcome::Record(record)) => {
                let now = self.now(&world.log);
                let writes = record.writes.iter().map(|(stream, event)| Entry::new(*stream, now, event)).collect();
                let own = (self.own_stream(actor), world.actors[actor].own.unwrap());
                Doing::Queued { wish, writes, expected: vec![own, (self.serial.stream(), device)], retries }
            }
            Ok(Outcome::AlreadySo(_)) => Doing::Nothing,
            Err(rejection) => {
                world.refused.push(named(&rejection));
                world.refused.sort_unstable();
                world.refused.dedup();
                self.rejected(world, actor, wish, retries)
            }
        };
    }

    /// A refusal by a state that is not the latest is thought over.
    fn rejected(&self, world: &mut World, actor: usize, wish: Wish, retries: u8) -> Doing {
        let newest = world.log.version(self.own_stream(actor));
        if world.actors[actor].own == Some(newest) || retries == RETRIES {
            return Doing::Nothing;
        }
        world.actors[actor].own = Some(newest);
        Doing::Looked { wish, device: world.log.version(self.serial.stream()), retries: retries + 1 }
    }

    fn commit(&self, world: &mut World, actor: usize) {
        let Doing::Queued { wish, writes, expected, retries } = world.actors[actor].doing.clone() else { return };
        let compared: &[_] = match self.guard {
            Guard::EveryStream => &expected,
            Guard::OwnStreamOnly => &expected[..1],
            Guard::Nothing => &[],
        };
        if compared.iter().all(|(stream, version)| world.log.version(*stream) == *version) {
            world.log.0.extend(writes);
            world.judged = self.judge(&world.log);
            world.actors[actor].own = Some(world.log.version(self.own_stream(actor)));
            world.actors[actor].doing = Doing::Nothing;
            return;
        }
        world.conflicts = world.conflicts.saturating_add(1);
        world.actors[actor].own = Some(world.log.version(self.own_stream(actor)));
        let device = world.log.version(self.serial.stream());
        world.actors[actor].doing =
            if retries == RETRIES { Doing::Nothing } else { Doing::Looked { wish, device, retries: retries + 1 } };
    }

    fn judge(&self, log: &Log) -> Judged {
        let holds = |who: PrincipalId| {
            let principal = log.fold(who.stream(), usize::MAX, Principal::evolve).ok()??;
            let enabled = principal.registered()?.device(self.serial.stream()).is_some();
            Some(enabled.then_some(who.stream()))
        };
        let lawful = log.broken(&self.policy).is_empty();
        let Some(holders) = [user("ann"), user("bob")].map(holds).into_iter().collect::<Option<Vec<_>>>() else {
            return Judged { owners: usize::MAX, agrees: false, lawful };
        };
        let owners: Vec<StreamId> = holders.into_iter().flatten().collect();
        let agrees = match log.fold(self.serial.stream(), usize::MAX, Device::evolve) {
            Ok(Some(Device::Assigned(assigned))) => owners == [assigned.owner],
            Ok(_) => owners.is_empty(),
            Err(_) => false,
        };
        Judged { owners: owners.len(), agrees, lawful }
    }
}

fn recreate(account: Option<&Account>, candidate: Candidate<'_>, context: &Context<'_>) -> Decision {
    let seed = countersign_domain::secret::Seed::new(vec![7; 20]).unwrap();
    create_virtual_device(account, candidate, seed, context)
}

fn named(rejection: &Rejection) -> &'static str {
    match rejection {
        Rejection::DeviceInUse => "in use",
        Rejection::DeviceAlreadyYours => "already yours",
        Rejection::DeviceUnknown { .. } => "unknown",
        Rejection::DeviceAssigned => "assigned",
        Rejection::DeviceNotYours => "not yours",
        _ => "other",
    }
}

impl Model for Race {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let actors = vec![Actor { own: None, doing: Doing::Nothing }; self.who.len()];
        let judged = self.judge(&self.start);
        vec![World { log: self.start.clone(), judged, actors, begun: 0, crashes: 0, conflicts: 0, refused: vec![] }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        // Nothing follows from a broken log.
        if !world.judged.agrees {
            return;
        }
        for (number, actor) in world.actors.iter().enumerate() {
            let wishes: &[Wish] = match &self.who[number] {
                Some(_) => &[Wish::Enable, Wish::Deactivate],
                None => &[Wish::Create, Wish::Delete],
            };
            match actor.doing {
                Doing::Nothing if world.begun < self.begun_max => {
                    actions.extend(wishes.iter().map(|wish| Action::Look(number, *wish)));
                }
                Doing::Nothing => {}
                Doing::Looked { .. } => actions.push(Action::Decide(number)),
                Doing::Queued { .. } => actions.push(Action::Commit(number)),
            }
            if actor.own.is_some() && world.crashes < self.crashes_max {
                actions.push(Action::Crash(number));
            }
        }
    }

    fn next_state(&self, before: &World, action: Action) -> Option<World> {
        let mut world = before.clone();
        match action {
            Action::Look(actor, wish) => {
                world.begun += 1;
                let own = world.log.version(self.own_stream(actor));
                world.actors[actor].own.get_or_insert(own);
                let device = world.log.version(self.serial.stream());
                world.actors[actor].doing = Doing::Looked { wish, device, retries: 0 };
            }
            Action::Decide(actor) => self.queue(&mut world, actor),
            Action::Commit(actor) => self.commit(&mut world, actor),
            // What was queued may have reached the writer or not: the commit is another action, before or never.
            Action::Crash(actor) => {
                world.crashes += 1;
                world.actors[actor] = Actor { own: None, doing: Doing::Nothing };
            }
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("one owner", |_, world: &World| world.judged.owners <= 1),
            Property::always("both histories agree", |_, world: &World| world.judged.agrees),
            Property::always("no law is broken", |_, world: &World| world.judged.lawful),
            Property::sometimes("overtaken twice", |_, world: &World| world.conflicts >= 2),
            Property::sometimes("in use", |_, world: &World| world.refused.contains(&"in use")),
            Property::sometimes("assigned", |_, world: &World| world.refused.contains(&"assigned")),
            Property::sometimes("unknown", |_, world: &World| world.refused.contains(&"unknown")),
            Property::sometimes("it changes hands", |_, world: &World| {
                let is_enable = |entry: &&Entry| matches!(entry.event(), Event::DeviceEnabled(_));
                let mut owners: Vec<StreamId> =
                    world.log.0.iter().filter(is_enable).map(|entry| entry.stream).collect();
                owners.dedup();
                owners.len() >= 2
            }),
            Property::sometimes("made again and enabled", |_, world: &World| {
                let created =
                    world.log.0.iter().filter(|entry| matches!(entry.event(), Event::VirtualDeviceCreated(_)));
                created.count() == 2 && world.judged.owners == 1
            }),
            Property::sometimes("all is quiet after a crash", |_, world: &World| {
                world.crashes > 0 && world.actors.iter().all(|actor| actor.doing == Doing::Nothing)
            }),
        ]
    }
}

#[test]
fn a_device_has_one_owner_in_every_order_of_events() {
    // Commands in all; each one more takes ten times as long.
    let begun_max = if cfg!(debug_assertions) { 3 } else { 5 };
    let checker = Race::new(Guard::EveryStream, begun_max, 1).checker().threads(2).spawn_bfs().join();
    checker.assert_properties();
    assert!(checker.unique_state_count() > 5_000, "{}", checker.unique_state_count());
}

/// The check is able to fail: without the versions of both streams there are two owners.
#[test]
fn a_writer_that_compares_less_is_found_out() {
    for guard in [Guard::OwnStreamOnly, Guard::Nothing] {
        let race = Race::new(guard, 3, 0);
        let checker = race.checker().threads(2).spawn_bfs().join();
        assert!(checker.discovery("both histories agree").is_some());
        assert!(checker.discovery("no law is broken").is_some());
    }
}
