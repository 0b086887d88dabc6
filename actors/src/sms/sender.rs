//! The sender actors, one a route: they follow the log, ask the principal before each try, and hand messages over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use countersign_domain::event::SmsDropReason;
use countersign_domain::ids::{Position, UnixMillis};
use countersign_domain::sms::RouteName;
use tokio::sync::mpsc;
use tokio::task::JoinError;

use super::courier::Ready;
use super::door::Door;
use super::pause::{is_due, pause, wait_for};
use super::queue::{Queue, Routes};
use super::step::{Next, Open, Routing};
use super::{carry, follow, receipts};
use crate::error::Error;
use crate::shared::Shared;
use crate::transports::SmsTransport;

/// Messages that a sender has in mind; the log keeps the rest.
const OPEN_MAX: usize = 10_000;
/// Messages that a sender drops at once.
const DROPS_MAX: usize = 64;
/// Entries of the log after which a sender writes down how far it came.
const SAVE_EVERY: u64 = 10_000;
/// How long a sender waits after the log could not be read, in milliseconds.
const READ_AGAIN_MS: u64 = 1_000;

/// How long it takes until a sender that fell is begun again, in milliseconds: the first time, and at most.
const RISE_MS: (u64, u64) = (10, 1_000);

/// A message, and when its next try is due, unless it is being carried.
struct Waiting {
    message: Open,
    routes: Routes,
    due: Option<UnixMillis>,
    /// Some gateway refused it.
    refused: bool,
}

/// The sender of one route.
pub(crate) struct Sender {
    shared: Arc<Shared>,
    door: Door,
    lane: RouteName,
    /// Up to where the log was read.
    read: Position,
    saved: Position,
    open: BTreeMap<Position, Waiting>,
    due: Queue,
    ends: BTreeSet<(UnixMillis, Position)>,
    reading: bool,
    carried: usize,
    /// Something is due, and every gateway that takes it has as many messages as it may be handed at once.
    wants_room: bool,
    stopped: bool,
    alarm: Option<(UnixMillis, SpawnHandle)>,
    _fall: Fall,
}

/// Falls with the sender that has it, and says which one that was.
struct Fall {
    lane: RouteName,
    fallen: mpsc::UnboundedSender<RouteName>,
}

impl Drop for Fall {
    fn drop(&mut self) {
        // Nobody minds when the engine is gone.
        let _gone = self.fallen.send(self.lane.clone());
    }
}

/// The senders, on the thread of the actors. One that panicked is begun again where the log says.
pub(crate) struct Senders {
    shared: Arc<Shared>,
    door: Door,
    addresses: BTreeMap<RouteName, Addr<Sender>>,
    fallen: (mpsc::UnboundedSender<RouteName>, mpsc::UnboundedReceiver<RouteName>),
}

impl Senders {
    /// Starts one for each route.
    pub(crate) async fn start(shared: &Arc<Shared>, door: &Door) -> Self {
        let (shared, door) = (Arc::clone(shared), door.clone());
        let mut senders = Self { shared, door, addresses: BTreeMap::new(), fallen: mpsc::unbounded_channel() };
        for lane in senders.shared.sms.lanes() {
            senders.begin(lane).await;
        }
        senders
    }

    async fn begin(&mut self, lane: RouteName) {
        let read = follow::position(&self.shared, &lane).await;
        let fall = Fall { lane: lane.clone(), fallen: self.fallen.0.clone() };
        let sender = Sender {
            shared: Arc::clone(&self.shared),
            door: self.door.clone(),
            lane: lane.clone(),
            read,
            saved: read,
            open: BTreeMap::new(),
            due: Queue::default(),
            ends: BTreeSet::new(),
            reading: false,
            carried: 0,
            wants_room: false,
            stopped: false,
            alarm: None,
            _fall: fall,
        };
        self.addresses.insert(lane, sender.start());
    }

    /// Begins again who falls, for as long as it is awaited. It is not given the engine's clock: that may be what fell.
    pub(crate) async fn keep(&mut self) {
        let mut pause_ms = RISE_MS.0;
        while let Some(lane) = self.fallen.1.recv().await {
            tracing::error!(route = %lane, "a sender of codes panicked, and is begun again");
            let pause = Duration::from_millis(pause_ms);
            let _over = tokio::time::timeout(pause, std::future::pending::<()>()).await.is_err();
            pause_ms = (pause_ms * 2).min(RISE_MS.1);
            self.begin(lane).await;
        }
    }

    /// Lets each write down how far it came, and end.
    pub(crate) async fn leave(self) {
        for (lane, sender) in self.addresses {
            if sender.send(Leave).await.is_err() {
                tracing::error!(route = %lane, "a sender of codes had panicked");
            }
        }
    }
}

/// A message is on its way. It is not any more when this is dropped, whatever happened.
struct OnItsWay(Arc<Shared>);

impl OnItsWay {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.sms.carried.send_modify(|count| *count = count.saturating_add(1));
        Self(Arc::clone(shared))
    }
}

impl Drop for OnItsWay {
    fn drop(&mut self) {
        self.0.sms.carried.send_modify(|count| *count = count.saturating_sub(1));
        self.0.sms.ended.tell();
    }
}

impl Actor for Sender {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.listen_for_news(self.shared.sms.queued.seen(), context);
        self.listen_for_room(self.shared.sms.ended.seen(), context);
        if let Some(courier) = self.shared.sms.courier(&self.lane) {
            let transport = Arc::clone(&courier.route.transport);
            let listen = listen(Arc::clone(&self.shared), self.door.clone(), self.lane.clone(), transport);
            context.spawn(listen.into_actor(self));
        }
        self.look(context);
    }
}

/// Records what a gateway reports by itself. A transport that panics is listened to again after a moment.
async fn listen(shared: Arc<Shared>, door: Door, lane: RouteName, transport: Arc<dyn SmsTransport>) {
    loop {
        let (shared, door, lane, transport) = (Arc::clone(&shared), door.clone(), lane.clone(), Arc::clone(&transport));
        let (clock, route) = (Arc::clone(&shared.clock), lane.clone());
        let heard = actix_rt::spawn(async move {
            while let Some(receipt) = transport.receipt().await {
                receipts::hear(&shared, &door, &lane, receipt).await;
            }
        });
        if heard.await.is_ok() {
            return;
        }
        tracing::error!(%route, "the transport panicked");
        pause(&*clock, READ_AGAIN_MS).await;
    }
}

/// Asks a sender to write down how far it came, and to end.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Leave;

impl Handler<Leave> for Sender {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _leave: Leave, _context: &mut Self::Context) -> Self::Result {
        self.stopped = true;
        let (shared, lane, at) = (Arc::clone(&self.shared), self.lane.clone(), self.low_water());
        let save = async move { follow::save(&shared, &lane, at).await };
        Box::pin(save.into_actor(self).map(|(), _sender, context| context.stop()))
    }
}

impl Sender {
    fn listen_for_news(&self, seen: u64, context: &mut Context<Self>) {
        let queued = self.shared.sms.queued.clone();
        let heard = async move { queued.after(seen).await };
        context.spawn(heard.into_actor(self).map(|seen, sender, context| {
            sender.listen_for_news(seen, context);
            sender.look(context);
        }));
    }

    /// Some try has ended, of whichever sender: a gateway that was full may have room.
    fn listen_for_room(&self, seen: u64, context: &mut Context<Self>) {
        let ended = self.shared.sms.ended.clone();
        let heard = async move { ended.after(seen).await };
        context.spawn(heard.into_actor(self).map(|seen, sender, context| {
            sender.listen_for_room(seen, context);
            if sender.wants_room {
                sender.pump(context);
            }
        }));
    }

    /// Up to where everything is done.
    fn low_water(&self) -> Position {
        self.open.keys().next().copied().unwrap_or(self.read)
    }

    /// Reads on in the log, while there is room for what it says.
    fn look(&mut self, context: &mut Context<Self>) {
        let folded = self.shared.views(|views| Position(views.folded));
        if self.reading || self.stopped || self.open.len() >= OPEN_MAX || self.read >= folded {
            return;
        }
        self.reading = true;
        let (shared, lane, from) = (Arc::clone(&self.shared), self.lane.clone(), self.read);
        let room = OPEN_MAX - self.open.len();
        let read = async move { follow::read(&shared, &lane, from, room).await };
        context.spawn(read.into_actor(self).map(|found, sender, context| sender.took(found, context)));
    }

    fn took(&mut self, found: Result<follow::Found, Error>, context: &mut Context<Self>) {
        self.reading = false;
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(route = %self.lane, %error, "the log cannot be read; nothing more is sent until it can");
                let clock = Arc::clone(&self.shared.clock);
                let wait = async move { pause(&*clock, READ_AGAIN_MS).await };
                context.spawn(wait.into_actor(self).map(|(), sender, context| sender.look(context)));
                return;
            }
        };
        self.read = found.read;
        let now = self.shared.clock.now();
        for (position, open) in found.messages {
            self.ends.insert((open.until, position));
            let routes: Routes = self.shared.sms.routes_to(&open.to).iter().map(|route| route.name.clone()).collect();
            self.due.insert(&routes, now, position);
            self.open.insert(position, Waiting { message: open, routes, due: Some(now), refused: false });
        }
        self.pump(context);
        self.look(context);
    }

    /// Hands over what is due, as far as gateways take it, and gives up what is too late.
    fn pump(&mut self, context: &mut Context<Self>) {
        if self.stopped || *self.shared.sms.draining.borrow() {
            return;
        }
        let now = self.shared.clock.now();
        while let Some(&(_, position)) = self.ends.first().filter(|(until, _)| *until <= now)
            && self.carried < DROPS_MAX
        {
            // What is being carried has its turn when it comes back.
            self.ends.pop_first();
            if let Some(open) = self.take_due(position) {
                let give_up = carry::give_up(Arc::clone(&self.shared), self.door.clone(), open, None);
                self.carry(position, give_up, context);
            }
        }
        let mut wake = self.ends.first().map(|(until, _)| *until);
        self.wants_room = false;
        for routes in self.due.lines() {
            let due = self.pump_line(&routes, now, context);
            wake = wake.into_iter().chain(due).min();
        }
        // What is late already waits for somebody to come back.
        self.wake_at(wake.filter(|at| *at > now), context);
    }

    /// Hands over what is due by some routes; says when to go on, if that is known.
    fn pump_line(&mut self, routes: &Routes, now: UnixMillis, context: &mut Context<Self>) -> Option<UnixMillis> {
        while let Some((due, position)) = self.due.first(routes) {
            if !is_due(due, now) {
                return Some(due);
            }
            let Some(open) = self.open.get(&position).map(|waiting| waiting.message.clone()) else {
                self.due.remove(routes, due, position);
                continue;
            };
            let (shared, door) = (Arc::clone(&self.shared), self.door.clone());
            match self.place(routes, now) {
                Place::With(courier) => {
                    self.take_due(position);
                    self.carry(position, carry::carry(shared, door, open, courier), context);
                }
                Place::Nowhere => {
                    self.take_due(position);
                    let refused = self.open.get(&position).is_some_and(|waiting| waiting.refused);
                    let reason = if refused { SmsDropReason::Refused } else { SmsDropReason::NoRoute };
                    let give_up = carry::give_up(shared, door, open, Some(reason));
                    self.carry(position, give_up, context);
                }
                Place::Later { at, full } => {
                    // Whoever comes back makes room.
                    self.wants_room |= full;
                    return at;
                }
            }
        }
        None
    }

    /// Takes a message out of those that are due, if it is among them.
    fn take_due(&mut self, position: Position) -> Option<Open> {
        let waiting = self.open.get_mut(&position)?;
        let due = waiting.due.take()?;
        self.due.remove(&waiting.routes, due, position);
        Some(waiting.message.clone())
    }

    /// The gateway that takes a message now.
    ///
    /// The best route that works is waited for when it is only busy: the next one may cost more.
    fn place(&self, routes: &Routes, now: UnixMillis) -> Place {
        if routes.is_empty() {
            return Place::Nowhere;
        }
        let (mut at, mut full): (Option<UnixMillis>, _) = (None, false);
        let sooner = |known: Option<UnixMillis>, at| known.into_iter().chain([at]).min();
        for courier in routes.iter().filter_map(|name| self.shared.sms.courier(name)) {
            match courier.take_place(now) {
                Ready::Now => return Place::With(courier.name.clone()),
                Ready::At(soon) => return Place::Later { at: sooner(at, soon), full },
                Ready::Full => return Place::Later { at, full: true },
                Ready::Ill(until) => at = sooner(at, until),
                Ready::Probed => full = true,
            }
        }
        Place::Later { at, full }
    }

    fn carry(
        &mut self,
        position: Position,
        carried: impl Future<Output = Next> + 'static,
        context: &mut Context<Self>,
    ) {
        self.carried += 1;
        let on_its_way = OnItsWay::new(&self.shared);
        // A task of its own: one that panics takes no other message along.
        let task = actix_rt::spawn(async move {
            let _until_the_end = on_its_way;
            carried.await
        });
        let came = task.into_actor(self).map(move |next, sender, context| sender.came_back(position, next, context));
        context.spawn(came);
    }

    fn came_back(&mut self, position: Position, next: Result<Next, JoinError>, context: &mut Context<Self>) {
        self.carried -= 1;
        let next = next.unwrap_or_else(|_| {
            tracing::error!(route = %self.lane, "a try to hand a code over panicked");
            // What became of it is not known. The principal says whether there may be another one, and when.
            Next::Again(self.shared.clock.now().plus_ms(READ_AGAIN_MS), Routing::Same)
        });
        match next {
            Next::Done => {
                if let Some(waiting) = self.open.remove(&position) {
                    self.ends.remove(&(waiting.message.until, position));
                }
            }
            Next::Again(at, routing) => {
                // Routes that are crossed off come to an end; anything else waits a moment.
                let moment = u64::from(!matches!(routing, Routing::Without(_)));
                let due = at.max(self.shared.clock.now().plus_ms(moment));
                if let Some(waiting) = self.open.get_mut(&position) {
                    waiting.refused |= matches!(routing, Routing::Without(_));
                    routing.apply(&mut waiting.routes);
                    waiting.due = Some(due);
                    self.due.insert(&waiting.routes, due, position);
                    // One that is late already has its turn when it is due.
                    self.ends.insert((waiting.message.until.max(due), position));
                }
            }
            Next::Stop => self.stopped = true,
        }
        let done = self.low_water();
        if done.0.saturating_sub(self.saved.0) >= SAVE_EVERY {
            self.saved = done;
            let (shared, lane) = (Arc::clone(&self.shared), self.lane.clone());
            context.spawn(async move { follow::save(&shared, &lane, done).await }.into_actor(self));
        }
        self.look(context);
        self.pump(context);
    }

    /// Wakes up at an instant, or when the span until then is over, and at no other.
    fn wake_at(&mut self, at: Option<UnixMillis>, context: &mut Context<Self>) {
        if self.alarm.map(|(at, _)| at) == at {
            return;
        }
        if let Some((_, alarm)) = self.alarm.take() {
            context.cancel_future(alarm);
        }
        let Some(at) = at else { return };
        let clock = Arc::clone(&self.shared.clock);
        let wait = async move { wait_for(&*clock, at).await };
        let alarm = context.spawn(wait.into_actor(self).map(|(), sender, context| {
            sender.alarm = None;
            sender.pump(context);
        }));
        self.alarm = Some((at, alarm));
    }
}

/// Where a message can go now.
enum Place {
    With(RouteName),
    /// Not before then, if that is known, or when one that is full has room.
    Later {
        at: Option<UnixMillis>,
        full: bool,
    },
    Nowhere,
}
