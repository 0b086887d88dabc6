//! What must hold in every world, and what the check must have come by.

use stateright::Property;

use super::super::roster::{Actors, Stay};
use super::stage::{Actor, Answered, Doing, End, Entry, Letter};
use super::{KEYS, Life, World};

impl Life {
    pub(super) fn laws(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("one actor at a time", |_, world: &World| {
                (0..KEYS).all(|key| world.roster.actors.alive().filter(|actor| actor.key == key).count() <= 1)
            }),
            Property::always("each version is written once", |_, world: &World| {
                let in_turn = |log: &Vec<Entry>| log.iter().enumerate().all(|(at, entry)| entry.expected == at);
                world.roster.actors.logs.iter().all(in_turn)
            }),
            Property::always("each command is written once", |life: &Self, world: &World| {
                let times = |command: u8| {
                    world.roster.actors.logs.iter().flatten().filter(|entry| entry.what == command).count()
                };
                (0..life.commands.len() as u8).all(|command| times(command) <= 1)
            }),
            Property::always("what is acked is written", |life: &Self, world: &World| {
                let stage = &world.roster.actors;
                (0..life.commands.len() as u8).all(|command| {
                    let done = stage.answers[usize::from(command)].contains(&Answered::Done);
                    !done || stage.is_written(life.commands[usize::from(command)], command)
                })
            }),
            Property::always("a state is the fold of its stream", |_, world: &World| {
                let stage = &world.roster.actors;
                let folded = |actor: &Actor| {
                    actor.core.as_ref().is_none_or(|core| core.state == stage.fold(actor.key, core.state.len()))
                };
                stage.alive().all(folded)
                    && (0..KEYS).all(|key| {
                        let snapshot = &stage.snapshots[usize::from(key)];
                        snapshot.as_ref().is_none_or(|core| core.state == stage.fold(key, core.state.len()))
                    })
            }),
            Property::always("what it acked itself is in its state", |_, world: &World| {
                world.roster.actors.alive().all(|actor| {
                    let known = actor.core.as_ref().map(|core| &core.state);
                    known.is_none_or(|state| actor.acked.iter().all(|command| state.contains(command)))
                })
            }),
            Property::always("no command is lost, and none is answered twice", |life: &Self, world: &World| {
                let stage = &world.roster.actors;
                let waiting = world.roster.slots.values().filter_map(|slot| match &slot.stay {
                    Stay::Leaving(waiting) => Some(waiting),
                    Stay::Live(_) => None,
                });
                let waiting: Vec<u8> = waiting.flatten().map(|job| job.command).collect();
                (0..life.commands.len() as u8).all(|command| {
                    let number = usize::from(command);
                    let on_its_way = waiting.iter().filter(|waits| **waits == command).count() + stage.held(command);
                    on_its_way + stage.answers[number].len() == usize::from(stage.asked[number])
                })
            }),
            Property::always("only a death interrupts", |_, world: &World| {
                let stage = &world.roster.actors;
                stage.deaths > 0 || !stage.answers.iter().flatten().any(|answer| *answer == Answered::Interrupted)
            }),
            Property::always("there is room for so many", |life: &Self, world: &World| {
                live(world) <= life.resident_max + life.resident_max / 8 + 1 + full(world)
            }),
            Property::always("it does not get stuck", |life: &Self, world: &World| !life.is_stuck(world)),
            Property::eventually("all is answered and nobody is left", |life: &Self, world: &World| {
                life.is_over(world)
            }),
        ]
    }
}

/// Actors that are there and were not asked to leave.
fn live(world: &World) -> usize {
    let stage = &world.roster.actors;
    let stays = world.roster.slots.values().filter(|slot| matches!(slot.stay, Stay::Live(_)));
    stays.filter(|slot| stage.is_alive(&slot.address)).count()
}

/// Those of them that do not hear it when they are asked to.
fn full(world: &World) -> usize {
    world.roster.actors.alive().filter(|actor| actor.mailbox.len() >= world.roster.actors.mailbox_max).count()
}

/// What the check must have come by, or it shows nothing.
pub(super) fn sights() -> Vec<Property<Life>> {
    vec![
        Property::sometimes("a command waits for the next actor", |_, world: &World| {
            world.roster.slots.values().any(|slot| matches!(&slot.stay, Stay::Leaving(waiting) if !waiting.is_empty()))
        }),
        Property::sometimes("a command is in the mailbox of one that is asked to leave", |_, world: &World| {
            world.roster.actors.alive().any(|actor| {
                matches!(actor.mailbox.iter().collect::<Vec<_>>()[..], [Letter::Command(_), Letter::Leave])
            })
        }),
        Property::sometimes("a dead one is not missed yet", |_, world: &World| {
            world.roster.slots.values().any(|slot| !world.roster.actors.is_alive(&slot.address))
        }),
        Property::sometimes("a goodbye comes late", |_, world: &World| {
            world
                .roster
                .actors
                .goodbyes
                .iter()
                .any(|(key, activation)| world.roster.slots.get(key).is_some_and(|slot| slot.activation != *activation))
        }),
        Property::sometimes("a dead one's append is before its successor's", |_, world: &World| {
            let stage = &world.roster.actors;
            let [first, second, ..] = stage.queue.iter().collect::<Vec<_>>()[..] else { return false };
            first.key == second.key && !stage.is_alive(&first.activation) && first.expected == second.expected
        }),
        Property::sometimes("one is overtaken", |_, world: &World| {
            world.roster.actors.alive().any(|actor| matches!(actor.doing, Doing::Written { end: End::Overtaken, .. }))
        }),
        Property::sometimes("one reads a snapshot and what came after", |_, world: &World| {
            let stage = &world.roster.actors;
            stage.alive().any(|actor| {
                let snapshot = stage.snapshots[usize::from(actor.key)].as_ref();
                let known = snapshot.map(|core| core.state.len()).filter(|known| *known > 0);
                let read = actor.core.as_ref().filter(|_| matches!(actor.doing, Doing::Deciding { .. }));
                known.zip(read).is_some_and(|(known, core)| known < core.state.len())
            })
        }),
        Property::sometimes("more than there is room for", |life: &Life, world: &World| {
            live(world) > life.resident_max
        }),
        Property::sometimes("one is refused for want of room", |_, world: &World| {
            world.roster.actors.answers.iter().flatten().any(|answer| *answer == Answered::Busy)
        }),
        Property::sometimes("interrupted, and written all the same", |life: &Life, world: &World| {
            let stage = &world.roster.actors;
            (0..life.commands.len() as u8).any(|command| {
                let answers = &stage.answers[usize::from(command)];
                answers.contains(&Answered::Interrupted)
                    && stage.is_written(life.commands[usize::from(command)], command)
            })
        }),
        Property::sometimes("asked again, and done", |_, world: &World| {
            let again = |answers: &Vec<Answered>| answers[..] == [Answered::Interrupted, Answered::Done];
            world.roster.actors.answers.iter().any(again)
        }),
        Property::sometimes("all done, and nobody is left", |life: &Life, world: &World| {
            let done = |answers: &Vec<Answered>| answers.last() == Some(&Answered::Done);
            life.is_over(world) && world.roster.actors.answers.iter().all(done)
        }),
    ]
}
