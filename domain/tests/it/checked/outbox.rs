//! A code on its way: a sender that may crash between any two steps, a gateway whose answers may be lost or late, a
//! clock, a person who types the code, an operator who wants it sent after all (A15, NT-42).

use std::hash::{Hash, Hasher};

use countersign_domain::caller::Caller;
use countersign_domain::decide::*;
use countersign_domain::event::{Event, SmsDelivery, SmsDropReason, SmsSubmitFault};
use countersign_domain::ids::*;
use countersign_domain::policy::Policy;
use countersign_domain::principal::{Message, Phase, Principal};
use stateright::{Checker, HasDiscoveries, Model, Property};

use super::{Entry, Log};
use crate::senders::{LEASE_MS, route, taken, waiting_under};
use crate::stage::{START, sms};

/// For how long a sender waits for a gateway; the lease is longer.
const TIME_MAX_MS: u64 = LEASE_MS - 5_000;
const UNKNOWNS_MAX: u8 = 1;

/// What the sender is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Sender {
    Free,
    /// The try is recorded, and the gateway not asked yet.
    Begun(u8),
    /// The gateway is asked.
    Asking(u8),
}

/// A call to the gateway, which goes on when the sender is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Call {
    submit: u8,
    asked_ms: u64,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum End {
    Open,
    Taken,
    /// Taken, and the answer does not come.
    Lost,
    Failed(u8),
}

const ENDS: [End; 4] = [End::Taken, End::Lost, End::Failed(0), End::Failed(1)];
const FAULTS: [SmsSubmitFault; 2] = [SmsSubmitFault::Throttled, SmsSubmitFault::OptedOut];

#[derive(Clone, Debug, PartialEq, Eq)]
struct World {
    /// One of the histories that lead here; it is judged, and not compared.
    log: Log,
    /// The principal, as a snapshot has it.
    principal: Vec<u8>,
    now_ms: u64,
    sender: Sender,
    calls: Vec<Call>,
    /// A call was made while another one could still be answered.
    overlap: bool,
    crashes: u8,
    redriven: u8,
    judged: Judged,
}

impl Hash for World {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let Self { log: _, principal, now_ms, sender, calls, overlap, crashes, redriven, judged } = self;
        (principal, now_ms, sender, calls, overlap, crashes, redriven, judged).hash(hasher);
    }
}

impl World {
    /// When a call was made counts no more once it is over.
    fn settle(&mut self) {
        for call in &mut self.calls {
            let waited_for = self.sender == Sender::Asking(call.submit);
            if !waited_for && call.asked_ms + TIME_MAX_MS <= self.now_ms {
                call.asked_ms = 0;
            }
        }
    }
}

/// What the log says, looked at whenever it grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Judged {
    lawful: bool,
    begun: usize,
    over: bool,
    reason: Option<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Action {
    Begin,
    Ask,
    Gateway(usize, End),
    Hear,
    GiveUp,
    Crash,
    Later,
    Report,
    Use,
    Redrive,
}

/// How the sender goes about it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    AsIs,
    /// It asks before the try is recorded.
    AsksFirst,
    /// It thinks a try over as soon as it has begun.
    DoesNotWait,
    /// It asks however long ago the try was decided on.
    AsksLate,
}

struct Outbox {
    start: Log,
    owner: PrincipalId,
    attempt: AttemptId,
    code: ChallengeId,
    policy: Policy,
    manner: Manner,
    crashes_max: u8,
    redrives_max: u8,
}

impl Outbox {
    fn new(manner: Manner, crashes_max: u8, redrives_max: u8) -> Self {
        let policy = Policy { sms_submits_max: 2, sms_unknowns_max: UNKNOWNS_MAX, ..Policy::classic() };
        let (stage, owner, attempt, code) = waiting_under(policy.clone());
        Self { start: Log::of(&stage.log, START), owner, attempt, code, policy, manner, crashes_max, redrives_max }
    }

    fn message(&self, principal: &[u8]) -> Message {
        let principal: Principal = postcard::from_bytes(principal).unwrap();
        principal.registered().unwrap().outgoing.message(self.code).unwrap().clone()
    }

    fn decide(&self, world: &World, decide: impl Fn(&Principal, &Context<'_>) -> Decision) -> Option<Vec<Entry>> {
        let caller = Caller::at_console(self.owner.clone(), None);
        let now = UnixMillis(world.now_ms);
        let context = Context { now, policy: &self.policy, caller: &caller, client: None };
        match decide(&postcard::from_bytes(&world.principal).unwrap(), &context) {
            Ok(Outcome::Record(Record { writes, .. })) => {
                Some(writes.iter().map(|(stream, event)| Entry::new(*stream, now, event)).collect())
            }
            Ok(Outcome::AlreadySo(_)) | Err(_) => None,
        }
    }

    fn begin(&self, world: &World) -> Option<Vec<Entry>> {
        let lease_ms = if self.manner == Manner::DoesNotWait { 0 } else { LEASE_MS };
        let submit = Submit { challenge: self.code, route: route(), lease_ms, price_micros: 1, against: None };
        self.decide(world, |principal, context| begin_submit(Some(principal), &submit, context))
    }

    fn used(&self, world: &World) -> Option<Vec<Entry>> {
        let device = sms("lee").stream();
        self.decide(world, |principal, context| {
            match sign_in_with_sent_code(Some(principal), self.attempt, device, Some(true), context) {
                Step::Decided(decision) => decision,
                Step::Ask(_) => panic!("asked twice"),
            }
        })
    }

    fn redriven(&self, world: &World) -> Option<Vec<Entry>> {
        self.decide(world, |principal, context| redrive(Some(principal), self.code, context))
    }

    fn reported(&self, world: &World) -> Option<Vec<Entry>> {
        let delivered = SmsDelivery::Delivered;
        self.decide(world, |principal, context| report(Some(principal), self.code, delivered, context))
    }

    fn ended(&self, world: &World, submit: u8, submitted: &Submitted) -> Option<Vec<Entry>> {
        self.decide(world, |principal, context| {
            end_submit(Some(principal), self.code, submit, submitted.clone(), context)
        })
    }

    fn append(&self, world: &mut World, writes: Option<Vec<Entry>>) -> bool {
        let Some(writes) = writes else { return false };
        let mut principal: Option<Principal> = postcard::from_bytes(&world.principal).ok();
        for entry in &writes {
            let event = entry.event();
            world.judged.begun += usize::from(matches!(event, Event::SmsSubmitting(_)));
            principal = Principal::evolve(principal, &event, UnixMillis(entry.at_ms)).ok();
        }
        world.log.0.extend(writes);
        world.principal = postcard::to_allocvec(&principal.unwrap()).unwrap();
        self.judge(world);
        true
    }

    fn judge(&self, world: &mut World) {
        let (over, reason) = match self.message(&world.principal).phase {
            Phase::Waiting | Phase::Submitting { .. } => (false, None),
            Phase::Taken | Phase::Reported(_) => (true, None),
            Phase::Dropped(reason) => (true, Some(reason as u8)),
        };
        (world.judged.over, world.judged.reason) = (over, reason);
        // A law that was broken stays broken, and every history comes to an end.
        world.judged.lawful = !over || world.log.broken(&self.policy).is_empty();
    }

    /// The next instant at which something changes by itself.
    fn deadline(&self, world: &World) -> Option<u64> {
        let message = self.message(&world.principal);
        let lease = match message.phase {
            Phase::Submitting { lease } => Some(lease.0),
            _ => None,
        };
        let too_late_to_ask = lease.map(|lease| (lease + 1).saturating_sub(TIME_MAX_MS));
        let overdue = world.calls.last().map(|call| call.asked_ms + TIME_MAX_MS);
        let all = [lease, too_late_to_ask, overdue, Some(message.until.0)];
        all.into_iter().flatten().filter(|at| *at > world.now_ms).min()
    }

    /// How the call of the try that the sender is about ended, as far as it hears of it.
    fn heard(&self, world: &World) -> Option<(u8, Submitted)> {
        let Sender::Asking(submit) = world.sender else { return None };
        match world.calls.iter().rfind(|call| call.submit == submit)?.end {
            End::Open | End::Lost => None,
            End::Taken => Some((submit, taken())),
            End::Failed(fault) => Some((submit, Submitted::Failed(FAULTS[usize::from(fault)]))),
        }
    }

    /// Whether the answer of the gateway is overdue.
    fn overdue(world: &World) -> Option<u8> {
        let Sender::Asking(submit) = world.sender else { return None };
        let call = world.calls.iter().rfind(|call| call.submit == submit)?;
        (call.asked_ms + TIME_MAX_MS <= world.now_ms).then_some(submit)
    }

    fn start_sender(&self, world: &mut World) -> bool {
        let next = self.message(&world.principal).submits + 1;
        let writes = self.begin(world);
        let is_try = |writes: &Vec<Entry>| matches!(writes.last().map(Entry::event), Some(Event::SmsSubmitting(_)));
        if writes.as_ref().is_some_and(is_try) {
            world.sender = Sender::Begun(next);
            if self.manner == Manner::AsksFirst {
                self.call(world, next);
                return true;
            }
        }
        self.append(world, writes)
    }

    /// A try is asked for while its answer still comes within its lease, and is not sent otherwise.
    fn ask(&self, world: &mut World) -> bool {
        let Sender::Begun(submit) = world.sender else { return false };
        if self.manner == Manner::AsksFirst {
            world.sender = Sender::Asking(submit);
            let writes = self.begin(world);
            return self.append(world, writes);
        }
        let message = self.message(&world.principal);
        let in_time = match message.phase {
            Phase::Submitting { lease } => world.now_ms + TIME_MAX_MS <= lease.0 && message.submits == submit,
            _ => false,
        };
        if in_time || matches!(self.manner, Manner::DoesNotWait | Manner::AsksLate) {
            world.sender = Sender::Asking(submit);
            self.call(world, submit);
            return true;
        }
        world.sender = Sender::Free;
        let writes = self.ended(world, submit, &Submitted::Failed(SmsSubmitFault::Unavailable));
        self.append(world, writes);
        true
    }

    fn call(&self, world: &mut World, submit: u8) {
        let at_once = |call: &Call| call.asked_ms + TIME_MAX_MS > world.now_ms && !matches!(call.end, End::Failed(_));
        world.overlap |= world.calls.iter().any(at_once);
        world.calls.push(Call { submit, asked_ms: world.now_ms, end: End::Open });
    }

    fn record_end(&self, world: &mut World, submit: u8, submitted: &Submitted) -> bool {
        world.sender = Sender::Free;
        let writes = self.ended(world, submit, submitted);
        self.append(world, writes);
        true
    }

    fn act(&self, world: &mut World, action: Action) -> bool {
        match action {
            Action::Begin => self.start_sender(world),
            Action::Ask => self.ask(world),
            Action::Gateway(call, end) => {
                world.calls[call].end = end;
                world.settle();
                true
            }
            Action::Hear => match self.heard(world) {
                Some((submit, submitted)) => self.record_end(world, submit, &submitted),
                None => false,
            },
            Action::GiveUp => match Self::overdue(world) {
                Some(submit) => self.record_end(world, submit, &Submitted::Failed(SmsSubmitFault::Unknown)),
                None => false,
            },
            Action::Crash => {
                (world.sender, world.crashes) = (Sender::Free, world.crashes + 1);
                true
            }
            Action::Later => match self.deadline(world) {
                Some(at) => {
                    world.now_ms = at;
                    world.settle();
                    true
                }
                None => false,
            },
            Action::Report => {
                let writes = self.reported(world);
                self.append(world, writes)
            }
            Action::Use => {
                let writes = self.used(world);
                self.append(world, writes)
            }
            Action::Redrive => {
                world.redriven += 1;
                let writes = self.redriven(world);
                self.append(world, writes)
            }
        }
    }

    /// Messages that the phone got, as many as the gateway took.
    fn delivered(world: &World) -> usize {
        world.calls.iter().filter(|call| matches!(call.end, End::Taken | End::Lost)).count()
    }

    /// As often as the rules let it be repeated without knowing, for the decision and for each of the operator's wishes.
    fn copies_max(&self) -> usize {
        usize::from((1 + self.redrives_max) * (1 + UNKNOWNS_MAX))
    }

    fn dropped(reason: SmsDropReason) -> impl Fn(&World) -> bool {
        move |world| world.judged.reason == Some(reason as u8)
    }
}

impl Model for Outbox {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let principal = self.start.fold(self.owner.stream(), usize::MAX, Principal::evolve).unwrap().unwrap();
        vec![World {
            log: self.start.clone(),
            principal: postcard::to_allocvec(&principal).unwrap(),
            now_ms: START.plus_ms(1_800_000).0,
            sender: Sender::Free,
            calls: vec![],
            overlap: false,
            crashes: 0,
            redriven: 0,
            judged: Judged { lawful: true, begun: 0, over: false, reason: None },
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if !world.judged.lawful {
            return;
        }
        match world.sender {
            Sender::Free => actions.push(Action::Begin),
            Sender::Begun(_) => actions.push(Action::Ask),
            Sender::Asking(_) => actions.extend([Action::Hear, Action::GiveUp]),
        }
        for (number, call) in world.calls.iter().enumerate().filter(|(_, call)| call.end == End::Open) {
            let heard = world.sender == Sender::Asking(call.submit);
            // Who asked is gone or waits no more: the gateway may have taken it all the same.
            let ends: &[End] = if heard { &ENDS } else { &[End::Lost] };
            actions.extend(ends.iter().map(|end| Action::Gateway(number, *end)));
        }
        if world.sender != Sender::Free && world.crashes < self.crashes_max {
            actions.push(Action::Crash);
        }
        if Self::delivered(world) > 0 {
            actions.extend([Action::Report, Action::Use]);
        }
        if world.redriven < self.redrives_max && world.judged.reason.is_some() {
            actions.push(Action::Redrive);
        }
        actions.push(Action::Later);
    }

    fn next_state(&self, before: &World, action: Action) -> Option<World> {
        let mut world = before.clone();
        self.act(&mut world, action).then_some(world).filter(|world| world != before)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always("no law is broken", |_, world: &World| world.judged.lawful),
            Property::always("recorded before it is asked", |_, world: &World| world.calls.len() <= world.judged.begun),
            Property::always("one call at a time", |_, world: &World| !world.overlap),
            Property::always("copies are bounded", |outbox: &Self, world: &World| {
                Self::delivered(world) <= outbox.copies_max()
            }),
            Property::eventually("it comes to an end", |_, world: &World| world.judged.over),
            Property::sometimes("the phone gets it once", |_, world: &World| {
                world.judged.over && world.judged.reason.is_none() && Self::delivered(world) == 1
            }),
            Property::sometimes("the phone gets all copies", |outbox: &Self, world: &World| {
                Self::delivered(world) == outbox.copies_max()
            }),
            Property::sometimes("too late", |_, world| Self::dropped(SmsDropReason::Expired)(world)),
            Property::sometimes("used before it is known", |_, world| Self::dropped(SmsDropReason::Void)(world)),
            Property::sometimes("no such number", |_, world| Self::dropped(SmsDropReason::Refused)(world)),
            Property::sometimes("tries spent", |_, world| Self::dropped(SmsDropReason::SubmitsSpent)(world)),
            Property::sometimes("nobody knows", |_, world| Self::dropped(SmsDropReason::Unknown)(world)),
        ];
        if self.redrives_max > 0 {
            properties.push(Property::sometimes("sent after all", |_, world: &World| {
                world.redriven > 0 && world.judged.over && world.judged.reason.is_none()
            }));
        }
        properties
    }
}

#[test]
fn a_code_is_handed_over_as_decided_in_every_order_of_events() {
    // Optimised, with a crash as well.
    let crashes_max = if cfg!(debug_assertions) { 0 } else { 1 };
    let checker = Outbox::new(Manner::AsIs, crashes_max, 0).checker().threads(2).spawn_bfs().join();
    checker.assert_properties();
    assert!(checker.unique_state_count() > 20_000, "{}", checker.unique_state_count());
}

/// With an operator there are too many orders to see them all; these are the shortest.
#[test]
fn a_code_that_is_wanted_after_all_is_handed_over_as_decided() {
    let states = if cfg!(debug_assertions) { 20_000 } else { 300_000 };
    let outbox = Outbox::new(Manner::AsIs, 1, 1);
    let checker = outbox.checker().threads(2).target_state_count(states).spawn_bfs().join();
    assert!(checker.discovery("sent after all").is_some());
    for name in ["no law is broken", "recorded before it is asked", "one call at a time", "copies are bounded"] {
        checker.assert_no_discovery(name);
    }
}

/// The check is able to fail.
#[test]
fn a_sender_that_goes_about_it_in_another_way_is_found_out() {
    let cases = [
        (Manner::AsksFirst, "recorded before it is asked"),
        (Manner::DoesNotWait, "one call at a time"),
        (Manner::AsksLate, "one call at a time"),
    ];
    for (manner, found) in cases {
        let found_it = HasDiscoveries::AnyOf([found].into());
        let checker = Outbox::new(manner, 1, 0).checker().threads(2).finish_when(found_it).spawn_bfs().join();
        assert!(checker.discovery(found).is_some(), "{found}");
    }
}
