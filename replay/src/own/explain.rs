//! Why an entry says what it says: its command is shown in its context, and decided again.

use std::ops::ControlFlow;

use countersign_domain::decide::{Outcome, Verdict};
use countersign_domain::event::{CodeFault, Event};
use countersign_domain::ids::{CommandId, Position, StreamId, UnixMillis};
use countersign_domain::policy::Policy;
use countersign_domain::principal::{Enabled, Sync};
use countersign_domain::totp::{Attempts, Budget, CodeSearch};
use countersign_store::EntryRef;
use serde::Serialize;

use super::again::{Again, command_of, decide};
use super::describe::{Names, Rule, denial, describe, rule_of, spelled};
use super::error::OwnError;
use super::read::{Entries, Sealed, each_entry};
use super::scene::Scene;
use super::states::{DEVICE_DELETED, States};
use super::words::instant;

/// Which entry is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The one at a position, with what its command recorded beside it.
    At(Position),
    /// All that a command recorded.
    Command(CommandId),
}

impl Which {
    /// Reads a position, or a command id in the form of a UUID.
    ///
    /// # Errors
    /// When it is neither.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Ok(position) = text.parse() {
            return Ok(Self::At(Position(position)));
        }
        let digits: String = text.chars().filter(|c| *c != '-').collect();
        match u128::from_str_radix(&digits, 16) {
            Ok(number) if digits.len() == 32 => Ok(Self::Command(CommandId::from_bytes(number.to_be_bytes()))),
            _ => Err("neither a position nor a command id".to_owned()),
        }
    }
}

/// A command in its context.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Version of this form.
    pub schema: u32,
    /// The command's id.
    pub command: String,
    /// When it was decided.
    pub time: String,
    /// What it recorded.
    pub entries: Vec<Explained>,
    /// The devices that it concerned, as they were before.
    pub before: Vec<DeviceBefore>,
    /// The rule that speaks through it.
    pub rule: Option<Rule>,
    /// For a code: `accepted`, `wrong`, `used`, `early`, `late`, `locked` or `not_propagated`.
    pub code: Option<CodeVerdict>,
    /// What deciding again came to.
    pub again: DecidedAgain,
    /// For a code or a pair of a device that was deleted since: that its secret is gone, and what can be said all the same.
    pub seed_destroyed: Option<SeedDestroyed>,
}

/// The end of a seed that a code was looked for with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SeedDestroyed {
    /// The device.
    pub serial: String,
    /// When the device was deleted, and its seed with it.
    pub time: String,
    /// The entry that says so.
    pub position: u64,
    /// What can still be said.
    pub says: &'static str,
}

/// Digits are never recorded, so nothing is lost of what an explanation rests on.
const STILL_SAID: &str = "no digits can be tried any more; where the code fitted, or in which range it fitted nowhere, was recorded \
     when it was decided, and is what this answer rests on";

/// One entry in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// Where it stands in the log.
    pub position: u64,
    /// Its stream.
    pub stream: String,
    /// Its version in the stream.
    pub version: u64,
    /// Its type; `sealed` where its content is not known.
    pub event: String,
    /// What it says.
    pub says: String,
    /// Whether it is the one that was asked for.
    pub asked: bool,
}

/// A TOTP device as it was before a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeviceBefore {
    /// Its serial number or ARN.
    pub serial: String,
    /// Its owner.
    pub owner: String,
    /// Steps that it was ahead of the server.
    pub offset_steps: i64,
    /// Its own step at that instant.
    pub step: u64,
    /// The steps whose codes counted, first and last.
    pub window: [u64; 2],
    /// Codes that had been looked at in this attempt window, and how many may be.
    pub codes_used: [u32; 2],
    /// Pairs that had been looked at in this attempt window, and how many may be.
    pub pairs_used: [u32; 2],
    /// Codes refused one after another.
    pub misses: u8,
    /// How far the last refused code was off, where the device was out of sync.
    pub out_of_sync_steps: Option<i64>,
}

/// What became of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CodeVerdict {
    /// In a word.
    pub verdict: &'static str,
    /// For an accepted, an early or a late code: steps from the device's time.
    pub steps: Option<i64>,
}

/// What deciding again came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DecidedAgain {
    /// `same`, `differs` or `cannot_tell`.
    pub verdict: &'static str,
    /// What it came to instead, or why nobody can tell.
    pub why: Option<String>,
}

struct Part {
    position: Position,
    stream: StreamId,
    version: u64,
    event: Result<Event, Sealed>,
}

/// Explains what a command recorded, under the policy of the deployment.
///
/// ```
/// # use std::sync::Arc;
/// # use countersign_store::{EphemeralKeyRing, MemoryJournal};
/// # let journal = MemoryJournal::new(Arc::new(EphemeralKeyRing::new()?))?;
/// use countersign_domain::policy::Policy;
/// use countersign_replay::own::OpenJournal;
/// use countersign_replay::own::explain::{Which, explain};
///
/// let nothing = explain(&OpenJournal(&journal), Which::parse("16")?, &Policy::classic());
/// assert!(nothing.unwrap_err().is_usage());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When the log has no such entry, or cannot be read up to it.
pub fn explain(log: &dyn Entries, which: Which, deployment: &Policy) -> Result<Explanation, OwnError> {
    let (command, first, parts, at) = find(log, which)?;
    let (mut scene, mut states) = (Scene::default(), States::default());
    let mut recorded = Vec::new();
    each_entry(log, Position(0), &mut |entry, event| {
        if entry.position < first {
            scene.take(entry, event)?;
        } else {
            recorded.push(part(entry, event));
        }
        states.take(entry, event)?;
        let last = entry.position.0 + 1 >= first.0 + u64::from(parts);
        Ok(if last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    let asked = |position: Position| which == Which::At(position);
    let entries = recorded.iter().map(|part| explained(part, &states, asked(part.position))).collect();
    let known: Vec<(StreamId, Event)> =
        recorded.iter().filter_map(|part| Some((part.stream, part.event.clone().ok()?))).collect();
    let principal = concerned(&scene, &known);
    let policy = principal.map_or_else(|| deployment.clone(), |principal| scene.policy_of(principal, deployment));
    Ok(Explanation {
        schema: 1,
        command: command.to_string(),
        time: instant(at),
        entries,
        before: devices_before(&scene, &states, principal, &known, at, &policy),
        rule: known.iter().find_map(|(_, event)| rule_of(event, &policy)),
        code: code_verdict(&scene, &known, at, &policy),
        again: again(&scene, &known, known.len() == recorded.len(), at, &policy),
        seed_destroyed: seed_destroyed(log, &states, &known, Position(first.0 + u64::from(parts)))?,
    })
}

/// Where, after a command, the device went whose code or pair it was about.
fn seed_destroyed(
    log: &dyn Entries,
    states: &States,
    events: &[(StreamId, Event)],
    from: Position,
) -> Result<Option<SeedDestroyed>, OwnError> {
    let tried = |(stream, event): &(StreamId, Event)| match event {
        Event::CodeAccepted(_)
        | Event::CodeRefused(_)
        | Event::DeviceResynced(_)
        | Event::ResyncRefused(_)
        | Event::BudgetSpent(_) => super::subject::device_of(event),
        Event::PairRefused(_) => Some(*stream),
        _ => None,
    };
    let Some(device) = events.iter().find_map(tried) else { return Ok(None) };
    let mut gone = None;
    log.scan(from, &mut |entry| {
        if entry.header.stream == device && entry.header.event_type == DEVICE_DELETED {
            gone = Some((entry.header.time, entry.position.0));
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    Ok(gone.map(|(at, position)| SeedDestroyed {
        serial: states.serial(device),
        time: instant(at),
        position,
        says: STILL_SAID,
    }))
}

/// The command, its first entry, how many there are, and when.
fn find(log: &dyn Entries, which: Which) -> Result<(CommandId, Position, u16, UnixMillis), OwnError> {
    let mut found = None;
    let from = match which {
        Which::At(position) => position,
        Which::Command(_) => Position(0),
    };
    log.scan(from, &mut |entry| {
        let header = &entry.header;
        let fits = match which {
            Which::At(position) => entry.position == position,
            Which::Command(command) => header.command == command,
        };
        if fits {
            let first = Position(entry.position.0.saturating_sub(header.part.into()));
            found = Some((header.command, first, header.parts, header.time));
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    found.ok_or_else(|| match which {
        Which::At(position) => {
            OwnError::Usage(format!("the log has no position {position}: it ends at {}", log.head()))
        }
        Which::Command(command) => OwnError::Usage(format!("the log has no command {command}")),
    })
}

fn part(entry: &EntryRef<'_>, event: Result<&Event, Sealed>) -> Part {
    let (position, stream, version) = (entry.position, entry.header.stream, entry.header.version.0);
    Part { position, stream, version, event: event.cloned() }
}

impl Names for States {
    fn principal(&self, stream: StreamId) -> String {
        self.label(stream)
    }

    fn device(&self, stream: StreamId) -> String {
        self.serial(stream)
    }
}

fn explained(part: &Part, states: &States, asked: bool) -> Explained {
    let (event, says) = match &part.event {
        Ok(event) => (event.name().to_owned(), describe(part.stream, event, states)),
        Err(why) => ("sealed".to_owned(), format!("what it says is sealed: {}", why.as_str())),
    };
    Explained { position: part.position.0, stream: part.stream.to_string(), version: part.version, event, says, asked }
}

/// The principal that events are about, among those that there were before.
pub(super) fn concerned(scene: &Scene, events: &[(StreamId, Event)]) -> Option<StreamId> {
    events.iter().find_map(|(stream, event)| match event {
        Event::PairRefused(refused) => Some(refused.owner),
        Event::DeviceReleased(released) => Some(released.owner),
        _ => scene.people.contains_key(stream).then_some(*stream),
    })
}

fn devices_before(
    scene: &Scene,
    states: &States,
    principal: Option<StreamId>,
    events: &[(StreamId, Event)],
    now: UnixMillis,
    policy: &Policy,
) -> Vec<DeviceBefore> {
    let Some(owner) = principal.and_then(|principal| scene.registered(principal)) else { return Vec::new() };
    let touched =
        |device: &&Enabled| device.kind.is_totp() && events.iter().any(|(_, event)| of_device(event, device.device));
    owner.devices.iter().filter(touched).map(|device| before(owner.stream, device, states, now, policy)).collect()
}

/// Whether an event is about an enabled device.
fn of_device(event: &Event, device: StreamId) -> bool {
    let of = match event {
        Event::CodeAccepted(event) => event.device,
        Event::CodeRefused(event) => event.device,
        Event::DeviceResynced(event) => event.device,
        Event::ResyncRefused(event) => event.device,
        Event::BudgetSpent(event) => event.device,
        Event::DeviceDeactivated(event) => event.device,
        _ => return false,
    };
    of == device
}

fn before(owner: StreamId, device: &Enabled, states: &States, now: UnixMillis, policy: &Policy) -> DeviceBefore {
    let search = CodeSearch::around(&device.learned, now, policy);
    let used =
        |attempts: &Attempts, budget: Budget| [attempts.used_in(attempts.current(now, policy)), budget.max(policy)];
    let out_of_sync_steps = match device.sync {
        Sync::OutOfSync { steps, .. } => Some(steps),
        Sync::InSync { .. } => None,
    };
    DeviceBefore {
        serial: states.serial(device.device),
        owner: states.label(owner),
        offset_steps: device.learned.offset,
        step: search.wide.centre,
        window: [search.first, search.last],
        codes_used: used(&device.learned.codes, Budget::Codes),
        pairs_used: used(&device.learned.pairs, Budget::Pairs),
        misses: device.sync.misses(),
        out_of_sync_steps,
    }
}

fn code_verdict(scene: &Scene, events: &[(StreamId, Event)], now: UnixMillis, policy: &Policy) -> Option<CodeVerdict> {
    events.iter().find_map(|(stream, event)| match event {
        Event::CodeAccepted(accepted) => {
            let enabled = scene.registered(*stream)?.device(accepted.device)?;
            let centre = enabled.learned.device_step(now, policy);
            let apart = i64::try_from(accepted.counter.abs_diff(centre)).ok()?;
            let steps = Some(if accepted.counter < centre { -apart } else { apart });
            Some(CodeVerdict { verdict: "accepted", steps })
        }
        Event::CodeRefused(refused) => {
            let steps = (refused.fault == CodeFault::Outside).then_some(refused.steps);
            Some(CodeVerdict { verdict: super::subject::code_fault(refused.fault, refused.steps), steps })
        }
        Event::BudgetSpent(spent) if spent.budget == Budget::Codes => {
            Some(CodeVerdict { verdict: "locked", steps: None })
        }
        _ => None,
    })
}

fn again(
    scene: &Scene,
    events: &[(StreamId, Event)],
    all_known: bool,
    now: UnixMillis,
    policy: &Policy,
) -> DecidedAgain {
    let cannot = |why: &str| DecidedAgain { verdict: "cannot_tell", why: Some(why.to_owned()) };
    if !all_known {
        return cannot(super::again::Untold::Sealed.as_str());
    }
    let recorded = match command_of(scene, events, now, policy) {
        Ok(recorded) => recorded,
        Err(why) => return cannot(why.as_str()),
    };
    let decided = match decide(scene, &recorded, now, policy) {
        Again::CannotTell(why) => return cannot(why),
        Again::Decided(decided) => decided,
    };
    let differs = |why: String| DecidedAgain { verdict: "differs", why: Some(why) };
    match decided {
        Err(rejection) => differs(format!("under this policy: {rejection}")),
        Ok(Outcome::AlreadySo(verdict)) => {
            differs(format!("nothing would be recorded: {}", verdict_in_words(&verdict)))
        }
        Ok(Outcome::Record(record)) if same(events, &record.writes) => DecidedAgain { verdict: "same", why: None },
        Ok(Outcome::Record(record)) => {
            let names: Vec<String> = record.writes.iter().map(|(_, event)| spelled(event.name())).collect();
            differs(format!("under this policy: {} ({})", verdict_in_words(&record.verdict), names.join(", ")))
        }
    }
}

/// Whether the same was recorded, save for what the log's reader does not know of the request.
fn same(recorded: &[(StreamId, Event)], decided: &[(StreamId, Event)]) -> bool {
    let alike = |a: &Event, b: &Event| match (a, b) {
        // They also hold where from, and until when.
        (Event::SignedIn(a), Event::SignedIn(b)) => (a.attempt, a.factor, a.device) == (b.attempt, b.factor, b.device),
        (Event::SignInRefused(a), Event::SignInRefused(b)) => {
            (a.attempt, a.device, a.fault) == (b.attempt, b.device, b.fault)
        }
        (Event::SignInStarted(a), Event::SignInStarted(b)) => (a.attempt, a.associate) == (b.attempt, b.associate),
        _ => a == b,
    };
    // An append keeps the order within a stream only.
    recorded.len() == decided.len()
        && decided.iter().all(|(stream, event)| recorded.iter().any(|(of, other)| of == stream && alike(other, event)))
}

/// A verdict in a few words.
pub(super) fn verdict_in_words(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Denied(why) => format!("refused, {}", denial(why).replace('_', " ")),
        Verdict::CodeAccepted { .. } | Verdict::PairAccepted { .. } => "accepted".to_owned(),
        Verdict::SecondFactorWanted { .. } => "a second factor is asked for".to_owned(),
        Verdict::SignedIn { .. } => "signed in".to_owned(),
        _ => "done".to_owned(),
    }
}
