//! The engine's own threads: one that the actors live on, one that writes.
//!
//! actix needs a `System`, and the host may have any executor or none. So the engine brings its own,
//! and commands reach it over bounded queues whose answers can be awaited from anywhere.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use countersign_domain::ids::{ChallengeId, Position};
use countersign_store::Journal;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot, watch};

use crate::answer::Request;
use crate::config::Config;
use crate::error::Error;
use crate::history;
use crate::identity::IdentityKey;
use crate::ledger::LedgerCore;
use crate::policies::Policies;
use crate::principal::PrincipalCore;
use crate::registry;
use crate::resident::{Answer, Core, Job};
use crate::sent::MarkKey;
use crate::shared::{CommandIds, Shared};
use crate::shredder;
use crate::simulation::Disk;
use crate::sms::{Door, SENDERS_MAX, Senders, SmsDesk};
use crate::views::{CHECKPOINT_NAME, SmsState, Views, fingerprint};
use crate::webauthn::Verifier;
use crate::writer::{self, Completed, Writer};

/// A running engine. Dropping it stops its threads; nothing acknowledged is lost either way.
pub(crate) struct Runtime {
    pub(crate) shared: Arc<Shared>,
    principals: mpsc::Sender<Job<PrincipalCore>>,
    ledgers: mpsc::Sender<Job<LedgerCore>>,
    identity: IdentityKey,
    permits: Arc<Semaphore>,
    pub(crate) door: Door,
    waits: mpsc::Sender<Wait>,
    in_flight_max: u32,
    closing: AtomicBool,
    threads: Arc<Threads>,
}

/// The two threads, and how they are told to end.
struct Threads {
    /// One each registry: two who wait for one would be woken in any order.
    stop: [watch::Sender<bool>; 2],
    writer: Writer,
    acting: Mutex<Option<Running>>,
    writing: Mutex<Option<Running>>,
}

/// A thread of the engine, or what stands for it in a simulation.
enum Running {
    Thread(JoinHandle<()>),
    Task(actix_rt::task::JoinHandle<()>),
}

impl Threads {
    fn stop(&self) {
        for stop in &self.stop {
            stop.send_replace(true);
        }
    }

    /// Lets the actors leave, then the writer finish, and waits for both.
    fn join(&self) {
        self.stop();
        let simulated = join(&self.acting);
        if !simulated {
            self.writer.stop();
            join(&self.writing);
        }
    }

    /// As [`Self::join`], of tasks of this very thread, that cannot be waited for without awaiting them.
    async fn join_tasks(&self) {
        self.stop();
        self.join_task(&self.acting).await;
        self.writer.stop();
        self.join_task(&self.writing).await;
    }

    async fn join_task(&self, running: &Mutex<Option<Running>>) {
        let running = running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Running::Task(task)) = running
            && task.await.is_err()
        {
            tracing::error!("a task of the engine had panicked; what it acknowledged is durable");
        }
    }
}

/// Waits for the end of a thread. A task ends by itself when nobody can ask it any more; says whether it was one.
fn join(running: &Mutex<Option<Running>>) -> bool {
    let running = running.lock().unwrap_or_else(PoisonError::into_inner).take();
    let thread = match running {
        Some(Running::Thread(thread)) => thread,
        Some(Running::Task(_)) => return true,
        None => return false,
    };
    if thread.join().is_err() {
        tracing::error!("a thread of the engine had panicked; what it acknowledged is durable");
    }
    false
}

/// Keys of the key ring that the engine works with.
pub(crate) struct Secrets {
    /// Under which commands are remembered.
    pub(crate) identity: IdentityKey,
    /// Under which codes are remembered while a sign-in is open.
    pub(crate) marks: MarkKey,
    /// Under which telephone numbers are counted.
    pub(crate) numbers: MarkKey,
}

impl Runtime {
    /// Reads the views back and starts the threads; in a simulation, tasks of this one.
    pub(crate) fn start(
        journal: Arc<dyn Journal>,
        secrets: Secrets,
        config: Config,
        simulated: Option<Disk>,
    ) -> Result<Self, Error> {
        let window_ms = u64::from(config.policy.sms_budget_window_s).saturating_mul(1000);
        let borne_ms = u64::from(config.policy.clock_back_max_s).saturating_mul(1000);
        let (views, checkpointed) = restore_views(&*journal, (window_ms, borne_ms))?;
        let sms = SmsDesk::new(&config.transports.sms, config.sms_text, secrets.numbers);
        let presets = views.presets.clone();
        let keys = Arc::new(Verifier::new(&config.relying_party).map_err(Error::unavailable)?);
        let views = Arc::new(RwLock::new(views));
        let limits = config.limits;
        let (completed, to_hand_out) = mpsc::unbounded_channel();
        let for_views = (limits, sms.queued.clone());
        let (writer, writing) =
            Writer::new(Arc::clone(&journal), Arc::clone(&views), checkpointed, completed, for_views);
        let is_simulated = simulated.is_some();
        let (writer, writing) = match simulated {
            None => (writer, Running::Thread(writing.spawn().map_err(Error::unavailable)?)),
            Some(disk) => {
                let bell = Arc::new(Notify::new());
                let writer = writer.ringing(&bell);
                (writer, Running::Task(actix_rt::spawn(writing.run_simulated(bell, disk))))
            }
        };
        let shared = Arc::new(Shared {
            journal,
            clock: config.clock,
            command_ids: CommandIds::new(&*config.entropy)?,
            entropy: config.entropy,
            policies: Policies::new(config.policy, presets),
            keys,
            marks: secrets.marks,
            sms,
            limits,
            issuer: config.issuer,
            views,
            writer,
            searches: Arc::new(Semaphore::new(limits.searches_max.max(1))),
            simulated: is_simulated,
        });
        let places = usize::try_from(limits.in_flight_max.max(1)).unwrap_or(usize::MAX);
        let (principals, for_principals) = mpsc::channel(places.saturating_add(SENDERS_MAX));
        let (ledgers, for_ledgers) = mpsc::channel(places);
        let ((stop, stopped), (stop_ledgers, stopped_ledgers)) = (watch::channel(false), watch::channel(false));
        let (stop, stopped) = ([stop, stop_ledgers], [stopped, stopped_ledgers]);
        let permits = Arc::new(Semaphore::new(places));
        let senders = Arc::new(Semaphore::new(SENDERS_MAX));
        let closing = Arc::new(AtomicBool::new(false));
        let door = Door { principals: principals.clone(), permits: senders, closing };
        let (waits, for_waits) = mpsc::channel(places);
        let queues =
            Queues { principals: for_principals, ledgers: for_ledgers, completed: to_hand_out, waits: for_waits };
        let acting = if is_simulated {
            Running::Task(actix_rt::spawn(act(Arc::clone(&shared), queues, door.clone(), stopped)))
        } else {
            Running::Thread(spawn_actors(Arc::clone(&shared), queues, door.clone(), stopped)?)
        };
        let threads = Threads {
            stop,
            writer: shared.writer.clone(),
            acting: Mutex::new(Some(acting)),
            writing: Mutex::new(Some(writing)),
        };
        Ok(Self {
            shared,
            principals,
            ledgers,
            identity: secrets.identity,
            permits,
            door,
            waits,
            in_flight_max: limits.in_flight_max.max(1),
            closing: AtomicBool::new(false),
            threads: Arc::new(threads),
        })
    }

    pub(crate) async fn ask_principal(
        &self,
        key: <PrincipalCore as Core>::Key,
        request: Request,
        work: <PrincipalCore as Core>::Work,
    ) -> Result<Answer, Error> {
        self.ask(&self.principals, key, request, work).await
    }

    pub(crate) async fn ask_ledger(
        &self,
        key: <LedgerCore as Core>::Key,
        request: Request,
        work: <LedgerCore as Core>::Work,
    ) -> Result<Answer, Error> {
        self.ask(&self.ledgers, key, request, work).await
    }

    async fn ask<C: Core>(
        &self,
        queue: &mpsc::Sender<Job<C>>,
        key: C::Key,
        request: Request,
        work: C::Work,
    ) -> Result<Answer, Error> {
        if self.closing.load(Ordering::Acquire) {
            return Err(Error::closed());
        }
        let permit = Arc::clone(&self.permits).try_acquire_owned().map_err(|_| Error::busy())?;
        let (reply, answer) = oneshot::channel();
        let request = self.identity.bind(request, &key, &work);
        let job = Job { key, request, work, reply, permit };
        queue.try_send(job).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => Error::busy(),
            mpsc::error::TrySendError::Closed(_) => Error::closed(),
        })?;
        answer.await.unwrap_or_else(|_| Err(Error::interrupted()))
    }

    /// How far a code came, once it is handed over or given up, or when it was waited for long enough. The waiting is done on
    /// the engine's own thread, because the host's executor may know no timers.
    pub(crate) async fn sms_state(&self, challenge: ChallengeId) -> SmsState {
        let (reply, answer) = oneshot::channel();
        // When nobody can wait for us we do not wait either.
        if self.waits.try_send((Some(challenge), reply)).is_ok() {
            let _gone = answer.await.is_err();
        }
        self.shared.sms_state(challenge).unwrap_or(SmsState::Waiting)
    }

    /// Whether commands can be done: not closing, the writer at work, the journal sound.
    pub(crate) fn is_ready(&self) -> bool {
        let closing = self.closing.load(Ordering::Acquire);
        !closing && self.shared.writer.is_alive() && !self.shared.journal.is_poisoned() && !self.principals.is_closed()
    }

    /// Refuses new commands, waits for those under way, and stops the threads.
    pub(crate) async fn close(&self) -> Result<(), Error> {
        if self.closing.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        // What gateways are being asked ends well if it can.
        self.shared.sms.draining.send_replace(true);
        let (reply, drained) = oneshot::channel();
        if self.waits.send((None, reply)).await.is_ok() {
            let _gone = drained.await.is_err();
        }
        self.door.closing.store(true, Ordering::Release);
        let all = self.permits.acquire_many(self.in_flight_max).await.map_err(|_| Error::closed())?;
        all.forget();
        // The threads take as long as their last writes; the host's executor goes on meanwhile.
        let (threads, (ended, end)) = (Arc::clone(&self.threads), oneshot::channel());
        if self.shared.simulated {
            threads.join_tasks().await;
        } else {
            let waiting = Builder::new().name("countersign-closing".to_owned()).spawn(move || {
                threads.join();
                // Whoever closed may have given up waiting.
                let _gone = ended.send(());
            });
            waiting.map_err(Error::unavailable)?;
            end.await.map_err(|_| Error::unavailable("the engine's threads did not end"))?;
        }
        if self.shared.journal.is_poisoned() {
            return Err(Error::unavailable("the journal is poisoned by an earlier failed write"));
        }
        Ok(())
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Release);
        self.door.closing.store(true, Ordering::Release);
        self.threads.join();
    }
}

/// How much longer than its route says a gateway is waited for when the engine closes.
const DRAIN_MORE: Duration = Duration::from_secs(1);

/// Somebody who waits: for a code to be handed over, or for the senders to be done.
type Wait = (Option<ChallengeId>, oneshot::Sender<()>);

/// What comes in on the thread of the actors.
struct Queues {
    principals: mpsc::Receiver<Job<PrincipalCore>>,
    ledgers: mpsc::Receiver<Job<LedgerCore>>,
    completed: mpsc::UnboundedReceiver<Completed>,
    waits: mpsc::Receiver<Wait>,
}

/// Lets those who wait for a code know; each waits for so long at most.
async fn wait_for_codes(shared: Arc<Shared>, mut waits: mpsc::Receiver<Wait>) {
    while let Some((challenge, reply)) = waits.recv().await {
        let shared = Arc::clone(&shared);
        let Some(challenge) = challenge else {
            let mut carried = shared.sms.carried.subscribe();
            let done = async { carried.wait_for(|count| *count == 0).await.is_err() };
            let longest = shared.sms.couriers.iter().map(|courier| courier.route.submit_time_max).max();
            let _late = tokio::time::timeout(longest.unwrap_or_default() + DRAIN_MORE, done).await.is_err();
            let _gone = reply.send(());
            continue;
        };
        actix_rt::spawn(async move {
            let mut ended = shared.sms.ended.seen();
            let waited = async {
                while matches!(shared.sms_state(challenge), Some(SmsState::Waiting | SmsState::Submitting)) {
                    ended = shared.sms.ended.after(ended).await;
                }
            };
            // Long enough either way; whoever asked may have gone.
            let _late = tokio::time::timeout(shared.limits.sms_wait, waited).await.is_err();
            let _gone = reply.send(());
        });
    }
}

/// Starts the thread of the actors. It ends when both registries have let their actors leave.
fn spawn_actors(
    shared: Arc<Shared>,
    queues: Queues,
    door: Door,
    stopped: [watch::Receiver<bool>; 2],
) -> Result<JoinHandle<()>, Error> {
    let (ready, is_ready) = std::sync::mpsc::channel();
    let thread = Builder::new().name("countersign-actors".to_owned()).spawn(move || {
        let system = actix_rt::System::new();
        system.block_on(async move {
            // Nobody waits any more when the receiver is gone.
            let _gone = ready.send(());
            act(shared, queues, door, stopped).await;
        });
    });
    let thread = thread.map_err(Error::unavailable)?;
    is_ready.recv().map_err(|_| Error::unavailable("the actors' thread did not start"))?;
    Ok(thread)
}

/// What the actors' thread does: it lets actors live until both registries have let theirs leave.
async fn act(shared: Arc<Shared>, queues: Queues, door: Door, stopped: [watch::Receiver<bool>; 2]) {
    let Queues { principals, ledgers, completed, waits } = queues;
    actix_rt::spawn(writer::hand_out(completed));
    actix_rt::spawn(wait_for_codes(Arc::clone(&shared), waits));
    let [stopped, stopped_ledgers] = stopped;
    let principals = registry::serve(Arc::clone(&shared), principals, stopped);
    let ledgers = registry::serve(Arc::clone(&shared), ledgers, stopped_ledgers);
    let principals = actix_rt::spawn(principals);
    let ledgers = actix_rt::spawn(ledgers);
    let mut senders = Senders::start(&shared, &door).await;
    let ended = async { (principals.await, ledgers.await) };
    let ended = tokio::select! {
        biased;
        ended = ended => ended,
        () = senders.keep() => (Ok(()), Ok(())),
    };
    senders.leave().await;
    if ended.0.is_err() || ended.1.is_err() {
        tracing::error!("a registry had panicked");
    }
}

/// The views as of the end of the log: from their checkpoint, and what came after. Also says how much of
/// the log the checkpoint had.
fn restore_views(journal: &dyn Journal, window: (u64, u64)) -> Result<(Views, u64), Error> {
    let saved = journal.load_checkpoint(CHECKPOINT_NAME)?.filter(|saved| saved.fingerprint == fingerprint(window.0));
    let views = saved.and_then(|saved| Views::from_blocks(saved.position.0, &saved.blocks, window));
    let mut views = views.unwrap_or_else(|| Views::empty(window));
    let (mut failed, mut tombstones) = (None, Vec::new());
    let checkpointed = views.folded;
    let from = Position(checkpointed);
    journal.scan(from, &mut |entry| {
        match history::event_of(journal, &entry.header, entry.body) {
            Ok(event) => {
                views.fold(entry.position, entry.header.stream, &event, entry.header.time);
                if shredder::is_tombstone(&event) {
                    tombstones.push((entry.header.stream, event));
                }
            }
            // What was forgotten is in no view; the log goes on.
            Err(error) if error.is_forgotten() => views.pass_over(entry.position),
            // Its key is missing: whoever it is about is not let in, and all others are.
            Err(error) if error.is_key_missing() => {
                if views.close(entry.position, entry.header.stream, entry.header.event_type) {
                    tracing::error!(%error, stream = %entry.header.stream, "ALARM: a part of the log is closed");
                }
            }
            Err(error) => {
                failed = Some(error);
                return std::ops::ControlFlow::Break(());
            }
        }
        std::ops::ControlFlow::Continue(())
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    // A crash between a tombstone and the end of its key is made up for before anybody is answered.
    let mut renewed = false;
    for (stream, event) in &tombstones {
        renewed |= shredder::shred(journal, *stream, event)?;
    }
    Ok((views, if renewed { 0 } else { checkpointed }))
}
