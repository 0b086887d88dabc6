//! What happened, in words that the model's list and the engine's log have in common.

use std::fmt::Write as _;

use countersign::domain::event::{CodeFault, Event, PairFault};
use countersign::domain::ids::StreamId;
use countersign::domain::totp::Budget;

use super::cast;
use super::facts::{Fact, Fault};

/// A fact of the model.
pub fn tell_fact(at: u64, fact: &Fact) -> String {
    let who = |person: &usize| cast::principal(*person).stream();
    let what = |thing: &usize| cast::serial(*thing).stream();
    let mut text = format!("{at} ");
    let written = match fact {
        Fact::Opened { account } => write!(text, "opened {}", cast::account(*account)),
        Fact::Registered { person, name, path } => write!(text, "registered {} as {path}{name}", who(person)),
        Fact::Renamed { person, name, path } => write!(text, "renamed {} to {path}{name}", who(person)),
        Fact::Removed { person } => write!(text, "removed {}", who(person)),
        Fact::Made { thing, secret } => write!(text, "made {} {secret:?}", what(thing)),
        Fact::Deleted { thing } => write!(text, "deleted {}", what(thing)),
        Fact::Enabled { person, thing, window, counter, offset } => {
            write!(text, "enabled {} {} w{window} c{counter} {offset:+}", who(person), what(thing))
        }
        Fact::EnableRefused { person, thing, window, fault } => {
            write!(text, "not enabled {} {} w{window} {fault:?}", who(person), what(thing))
        }
        Fact::Resynced { person, thing, window, counter, offset } => {
            write!(text, "resynced {} {} w{window} c{counter} {offset:+}", who(person), what(thing))
        }
        Fact::ResyncRefused { person, thing, window, fault } => {
            write!(text, "not resynced {} {} w{window} {fault:?}", who(person), what(thing))
        }
        Fact::Accepted { person, thing, window, counter, purpose } => {
            write!(text, "accepted {} {} w{window} c{counter} {purpose:?}", who(person), what(thing))
        }
        Fact::Refused { person, thing, window, fault, purpose } => {
            write!(text, "refused {} {} w{window} {fault:?} {purpose:?}", who(person), what(thing))
        }
        Fact::OutOfBudget { holder, thing, pairs, window } => {
            let holder = holder.as_ref().map_or_else(|| what(thing), who);
            write!(text, "spent {holder} {} pairs:{pairs} w{window}", what(thing))
        }
        Fact::Deactivated { person, thing } => write!(text, "deactivated {} {}", who(person), what(thing)),
    };
    written.unwrap();
    text
}

/// An event of the log; nothing for what follows from another one of the same command.
pub fn tell_event(stream: StreamId, at: u64, event: &Event) -> Option<String> {
    let pair = |fault: PairFault| match fault {
        PairFault::NoMatch => Fault::NoMatch,
        PairFault::NotNewer => Fault::NotNewer,
    };
    let words = match event {
        Event::AccountOpened(e) => format!("opened {}", e.account),
        Event::PrincipalRegistered(e) => format!("registered {stream} as {}{}", e.path, e.name),
        Event::PrincipalRenamed(e) => format!("renamed {stream} to {}{}", e.path, e.name),
        Event::PrincipalRemoved(_) => format!("removed {stream}"),
        Event::VirtualDeviceCreated(e) => format!("made {stream} {:?}", e.seed.expose()),
        Event::HardwareTokenImported(e) => format!("made {stream} {:?}", e.seed.expose()),
        Event::DeviceDeleted(_) => format!("deleted {stream}"),
        Event::DeviceEnabled(e) => {
            let (window, last, offset) = (e.learned.pairs.window, e.learned.last_pair().unwrap(), e.learned.offset);
            format!("enabled {stream} {} w{window} c{last} {offset:+}", e.device)
        }
        Event::PairRefused(e) => format!("not enabled {} {stream} w{} {:?}", e.owner, e.window, pair(e.fault)),
        Event::DeviceResynced(e) => {
            format!("resynced {stream} {} w{} c{} {:+}", e.device, e.window, e.counter, e.offset)
        }
        Event::ResyncRefused(e) => format!("not resynced {stream} {} w{} {:?}", e.device, e.window, pair(e.fault)),
        Event::CodeAccepted(e) => {
            format!("accepted {stream} {} w{} c{} {:?}", e.device, e.window, e.counter, e.purpose)
        }
        Event::CodeRefused(e) => {
            let fault = match e.fault {
                CodeFault::Wrong => Fault::Wrong,
                CodeFault::Used => Fault::Used,
                CodeFault::Outside => Fault::Outside(e.steps),
                CodeFault::NotPropagated => Fault::NotYet,
            };
            format!("refused {stream} {} w{} {fault:?} {:?}", e.device, e.window, e.purpose)
        }
        Event::BudgetSpent(e) => {
            format!("spent {stream} {} pairs:{} w{}", e.device, e.budget == Budget::Pairs, e.window)
        }
        Event::DeviceDeactivated(e) => format!("deactivated {stream} {}", e.device),
        Event::UserAdded(_)
        | Event::UserRemoved(_)
        | Event::DeviceAdded(_)
        | Event::DeviceRemoved(_)
        | Event::NameClaimed(_)
        | Event::NameReleased(_)
        | Event::DeviceAssigned(_)
        | Event::DeviceReleased(_)
        | Event::HostRecord(_) => return None,
        // Signing in, keys, phones and settings are not the model's yet.
        other => format!("{} {stream}", other.name()),
    };
    Some(format!("{at} {words}"))
}
