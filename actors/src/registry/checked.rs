//! An exhaustive check of principals that come into memory and leave it: every order of commands, reads, commits,
//! goodbyes, sweeps and deaths.
//!
//! The bookkeeping is that of the registry. The actors around it do what [`Resident`](crate::resident::Resident) does, with
//! a state that is the list of what was written: what a principal decides is checked elsewhere.

mod laws;
mod stage;

use stateright::{Checker, HasDiscoveries, Model, Property};

use super::roster::{Room, Roster, Slot, Stay};
use laws::sights;
use stage::{Actor, COMMANDS_MAX, Doing, IDLE, Manner, Stage, ticks};

/// Principals.
const KEYS: u8 = 2;

struct World {
    roster: Roster<Stage>,
    now: u32,
    closing: bool,
}

impl Clone for World {
    fn clone(&self) -> Self {
        let Roster { actors, slots, room, fresh, activations, commands } = &self.roster;
        let stay = |stay: &Stay<Stage>| match stay {
            Stay::Live(used) => Stay::Live(*used),
            Stay::Leaving(waiting) => Stay::Leaving(waiting.clone()),
        };
        let slot = |slot: &Slot<Stage>| Slot { stay: stay(&slot.stay), ..*slot };
        let slots = slots.iter().map(|(key, of)| (*key, slot(of))).collect();
        let (actors, room) = (actors.clone(), *room);
        let (fresh, activations, commands) = (*fresh, *activations, *commands);
        let roster = Roster { actors, slots, room, fresh, activations, commands };
        Self { roster, now: self.now, closing: self.closing }
    }
}

/// All that matters of a world: no counters, no names of actors that are forgotten, no times but how long ago.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Picture {
    stage: Stage,
    slots: Vec<Seat>,
    fresh: usize,
    closing: bool,
}

/// Whose slot it is, the actor's name, how long it is unused and in which place of all, and the commands that wait.
type Seat = (u8, u64, Option<(u32, usize)>, Vec<u8>);

impl World {
    fn picture(&self) -> Picture {
        let mut used: Vec<u64> = Vec::new();
        for slot in self.roster.slots.values() {
            if let Stay::Live((_, count)) = &slot.stay {
                used.push(*count);
            }
        }
        used.sort_unstable();
        let mut stage = self.roster.actors.clone();
        let names = stage.rename(self.roster.slots.values().map(|slot| slot.activation).collect());
        let mut slots = Vec::new();
        for (key, slot) in &self.roster.slots {
            let (live, waiting) = match &slot.stay {
                Stay::Live((at, count)) => {
                    let age = self.now.saturating_sub(ticks(*at)).min(IDLE);
                    (Some((age, used.iter().filter(|other| *other < count).count())), Vec::new())
                }
                Stay::Leaving(waiting) => (None, waiting.iter().map(|job| job.command).collect()),
            };
            slots.push((*key, names(slot.activation), live, waiting));
        }
        slots.sort_unstable();
        Picture { stage, slots, fresh: self.roster.fresh.min(2), closing: self.closing }
    }
}

impl PartialEq for World {
    fn eq(&self, other: &Self) -> bool {
        self.picture() == other.picture()
    }
}

impl std::hash::Hash for World {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.picture().hash(state);
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.picture().fmt(f)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Action {
    /// The next command comes, or one that was not answered for good is asked again.
    Ask(u8),
    /// An actor goes on, as far as it can in one go.
    Step(u64),
    /// An actor dies, with a goodbye or without.
    Die(u64, bool),
    /// The writer writes what is first in its queue.
    Commit,
    /// The registry hears the next goodbye.
    Goodbye,
    Sweep,
    /// The account writes into the stream of a principal.
    Foreign(u8),
    /// The engine is closed.
    Close,
    AskAgain,
}

/// What may happen at most.
#[derive(Clone)]
struct Life {
    manner: Manner,
    /// Whom each command is for.
    commands: Vec<u8>,
    resident_max: usize,
    mailbox_max: usize,
    deaths_max: u8,
    foreign_max: u8,
    closes: bool,
}

impl Life {
    fn of(commands: &[u8]) -> Self {
        assert!(commands.len() <= COMMANDS_MAX);
        let (commands, manner) = (commands.to_vec(), Manner::AsIs);
        Self { manner, commands, resident_max: 1, mailbox_max: 2, deaths_max: 0, foreign_max: 0, closes: false }
    }

    fn goodbye(&self, world: &mut World) {
        let Some((key, mut activation)) = world.roster.actors.goodbyes.pop_front() else { return };
        if self.manner == Manner::GoodbyeOfAnyone {
            activation = world.roster.slots.get(&key).map_or(activation, |slot| slot.activation);
        }
        world.roster.actors.deaf = self.manner == Manner::WaitingLost;
        world.roster.gone(&key, activation, stage::instant(world.now));
        world.roster.actors.deaf = false;
        if world.closing {
            world.roster.dismiss_all(stage::instant(world.now));
        }
    }

    fn sweep(&self, world: &mut World) {
        world.now += 1;
        world.roster.sweep(stage::instant(if self.manner == Manner::NeverIdle { 0 } else { world.now }));
    }

    /// Whether a command may be asked now: for the first time, or again.
    fn may_ask(world: &World, command: u8) -> bool {
        let asked = &world.roster.actors.asked;
        let number = usize::from(command);
        match asked[number] {
            0 => number == 0 || asked[number - 1] > 0,
            1 => world.roster.actors.answers[number].last().is_some_and(|last| last.is_retryable()),
            _ => false,
        }
    }

    /// Whether nothing is to be asked any more, and all is answered.
    fn all_answered(&self, world: &World) -> bool {
        let stage = &world.roster.actors;
        (0..self.commands.len()).all(|number| {
            let (asked, answers) = (usize::from(stage.asked[number]), &stage.answers[number]);
            let open = !world.closing && (asked == 0 || Self::may_ask(world, number as u8));
            answers.len() == asked && !open
        })
    }

    fn is_over(&self, world: &World) -> bool {
        let empty = world.roster.is_empty() && world.roster.actors.alive().next().is_none();
        empty && self.all_answered(world)
    }

    /// Whether only a sweep could bring it on, and does not.
    fn is_stuck(&self, world: &World) -> bool {
        let stage = &world.roster.actors;
        let idle = |actor: &Actor| actor.mailbox.is_empty() && actor.doing == Doing::Nothing;
        let asks = (0..self.commands.len()).any(|number| !world.closing && Self::may_ask(world, number as u8));
        let quiet = stage.queue.is_empty() && stage.goodbyes.is_empty() && stage.alive().all(idle) && !asks;
        if !quiet || self.is_over(world) {
            return false;
        }
        let mut later = world.clone();
        if world.closing {
            later.roster.dismiss_all(stage::instant(world.now));
        } else {
            self.sweep(&mut later);
        }
        later == *world
    }
}

impl Model for Life {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let room = Room { resident_max: self.resident_max, waiting_max: self.mailbox_max, idle: stage::instant(IDLE) };
        let roster = Roster::new(Stage::new(self.manner, self.mailbox_max, self.commands.len()), room);
        vec![World { roster, now: 0, closing: false }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        let stage = &world.roster.actors;
        if !world.closing {
            let commands = 0..self.commands.len() as u8;
            actions.extend(commands.filter(|command| Self::may_ask(world, *command)).map(Action::Ask));
            actions.push(Action::Sweep);
            if self.closes {
                actions.push(Action::Close);
            }
        } else {
            actions.push(Action::AskAgain);
        }
        for actor in stage.alive() {
            actions.push(Action::Step(actor.activation));
            if stage.deaths < self.deaths_max {
                actions.extend([true, false].map(|says| Action::Die(actor.activation, says)));
            }
        }
        if !stage.queue.is_empty() {
            actions.push(Action::Commit);
        }
        if !stage.goodbyes.is_empty() {
            actions.push(Action::Goodbye);
        }
        if stage.foreign < self.foreign_max {
            actions.push(Action::Foreign(0));
        }
    }

    fn next_state(&self, before: &World, action: Action) -> Option<World> {
        let mut world = before.clone();
        let now = stage::instant(world.now);
        let stage = &mut world.roster.actors;
        match action {
            Action::Ask(command) => {
                let job = stage.ask(command, self.commands[usize::from(command)]);
                world.roster.dispatch(job, now);
            }
            Action::Step(activation) => stage.step(activation),
            Action::Die(activation, says) => stage.die(activation, says),
            Action::Commit => stage.commit(),
            Action::Goodbye => self.goodbye(&mut world),
            Action::Sweep => self.sweep(&mut world),
            Action::Foreign(key) => stage.write_foreign(key),
            Action::Close => {
                world.closing = true;
                world.roster.dismiss_all(now);
            }
            Action::AskAgain => world.roster.dismiss_all(now),
        }
        Some(world).filter(|world| world != before)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = self.laws();
        properties.extend(sights());
        properties
    }
}

/// Whether to take the larger lives: a command or a death more takes ten times as long.
const LARGE: bool = !cfg!(debug_assertions);

/// Lives that are checked to their ends, each with something that the others have not.
fn lives() -> Vec<Life> {
    let extra = u8::from(LARGE);
    vec![
        Life { deaths_max: 1, foreign_max: extra, ..Life::of(&[0, 1, 0]) },
        Life { deaths_max: 1 + extra, foreign_max: 1, ..Life::of(&[0, 0]) },
        Life { mailbox_max: 1, foreign_max: 1, ..Life::of(&[0, 0, 0]) },
        Life { deaths_max: 1, closes: true, foreign_max: extra, ..Life::of(&[0, 1]) },
    ]
}

#[test]
fn a_principal_comes_and_goes_as_promised_in_every_order_of_events() {
    let mut unseen: Vec<&str> = sights().iter().map(|sight| sight.name).collect();
    let mut states = 0;
    for life in lives() {
        let checker = life.clone().checker().threads(2).spawn_bfs().join();
        assert!(checker.is_done());
        for law in life.laws() {
            checker.assert_no_discovery(law.name);
        }
        unseen.retain(|sight| checker.discovery(sight).is_none());
        states += checker.unique_state_count();
    }
    assert!(unseen.is_empty(), "{unseen:?}");
    eprintln!("{states} states");
    assert!(states > 50_000, "{states}");
}

/// The check is able to fail.
#[test]
fn a_registry_that_goes_about_it_in_another_way_is_found_out() {
    let two = || Life { deaths_max: 1, ..Life::of(&[0, 0]) };
    let overtaken = || Life { foreign_max: 1, ..Life::of(&[0, 0]) };
    let cases = [
        (Manner::GoodbyeOfAnyone, Life { deaths_max: 1, ..Life::of(&[0, 0, 0]) }, "one actor at a time"),
        (Manner::WaitingLost, Life::of(&[0, 0]), "no command is lost, and none is answered twice"),
        (Manner::DeadKept, two(), "it does not get stuck"),
        (Manner::NeverIdle, Life::of(&[0]), "all is answered and nobody is left"),
        (Manner::Unguarded, two(), "each version is written once"),
        (Manner::SnapshotOfHead, overtaken(), "a state is the fold of its stream"),
        (Manner::KeepsState, overtaken(), "a state is the fold of its stream"),
        (Manner::ForgetsCommands, two(), "each command is written once"),
        (Manner::EvolvesFirst, Life::of(&[0]), "a state is the fold of its stream"),
    ];
    for (manner, life, found) in cases {
        let finish = HasDiscoveries::AnyOf([found].into());
        let checker = Life { manner, ..life }.checker().threads(2).finish_when(finish).spawn_bfs().join();
        assert!(checker.discovery(found).is_some(), "{found}");
    }
}
