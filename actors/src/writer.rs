//! The writer: one plain thread that makes what is queued durable together.
//!
//! It drains what waits, across all principals, appends it as one group, folds the views, and only
//! then answers everybody. The batch is whatever arrived during the previous sync, so no timer is
//! needed and a lone command does not wait for company.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use countersign_domain::event::Event;
use countersign_domain::ids::{Position, StreamId, UnixMillis};
use countersign_store::{Append, AppendError, Committed, Journal};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::config::Limits;
use crate::error::Error;
use crate::shredder;
use crate::simulation::Disk;
use crate::sms::{News, SENDERS_MAX};
use crate::views::{CHECKPOINT_NAME, Views, fingerprint};

/// How long the queue must be empty before derived data is written.
const QUIET: Duration = Duration::from_millis(500);

/// An event and the stream that it belongs to.
pub(crate) type Fact = (StreamId, Event);

/// One append with the events that it stands for, in the same order.
pub(crate) struct WriteJob {
    pub(crate) append: Append,
    pub(crate) facts: Vec<Fact>,
    pub(crate) at: UnixMillis,
}

/// Where the answer to a job comes in.
pub(crate) type Written = oneshot::Receiver<Result<Committed, AppendError>>;

pub(crate) type Reply = oneshot::Sender<Result<Committed, AppendError>>;

/// A job whose append is with the journal: what to fold, and whom to answer.
struct Waiting {
    facts: Vec<Fact>,
    at: UnixMillis,
    reply: Reply,
}

/// The answers to one group of jobs.
pub(crate) type Completed = Vec<(Reply, Result<Committed, AppendError>)>;

/// Hands out answers on the thread of those who wait for them. One message for a whole group wakes that
/// thread once; waking each actor from here would make the two threads fight over its queue.
pub(crate) async fn hand_out(mut completed: mpsc::UnboundedReceiver<Completed>) {
    while let Some(group) = completed.recv().await {
        for (reply, answer) in group {
            // Whoever asked may have gone; what was written stays written.
            let _gone = reply.send(answer);
        }
    }
}

enum Message {
    Write(WriteJob, Reply),
    Stop,
}

/// The way to the writer's thread.
#[derive(Clone)]
pub(crate) struct Writer {
    queue: SyncSender<Message>,
    alive: Arc<AtomicBool>,
    /// Wakes a writer that has no thread of its own.
    bell: Option<Arc<Notify>>,
}

impl Writer {
    /// Makes the writer and the way to it. It ends when it is stopped, and closes the journal then.
    pub(crate) fn new(
        journal: Arc<dyn Journal>,
        views: Arc<RwLock<Views>>,
        checkpointed: u64,
        completed: mpsc::UnboundedSender<Completed>,
        (limits, sms_queued): (Limits, News),
    ) -> (Self, Loop) {
        // One place for each command in flight, those of the senders of codes as well, and one for the stop.
        let places = usize::try_from(limits.in_flight_max).unwrap_or(usize::MAX).saturating_add(SENDERS_MAX + 1);
        let (queue, jobs) = sync_channel(places);
        let alive = Arc::new(AtomicBool::new(true));
        let writing = Loop {
            journal,
            views,
            limits,
            jobs,
            checkpointed,
            unshredded: false,
            renewed: false,
            completed,
            sms_queued,
            _alive: AliveFlag(Arc::clone(&alive)),
        };
        (Self { queue, alive, bell: None }, writing)
    }

    /// The same way to a writer that is a task: it is woken at everything that is queued.
    pub(crate) fn ringing(self, bell: &Arc<Notify>) -> Self {
        Self { bell: Some(Arc::clone(bell)), ..self }
    }

    /// Queues a job; the answer comes when it is durable or refused, and does not come when the thread dies.
    pub(crate) fn submit(&self, job: WriteJob) -> Result<Written, Error> {
        let (reply, answer) = oneshot::channel();
        self.queue.try_send(Message::Write(job, reply)).map_err(|refused| match refused {
            TrySendError::Full(_) => Error::busy(),
            TrySendError::Disconnected(_) => Error::closed(),
        })?;
        self.ring();
        Ok(answer)
    }

    pub(crate) fn stop(&self) {
        // The queue has a place for this; when its thread is gone there is nothing to stop.
        let _gone = self.queue.send(Message::Stop);
        self.ring();
    }

    fn ring(&self) {
        if let Some(bell) = &self.bell {
            bell.notify_one();
        }
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Relaxed)
    }
}

/// Falls when the thread ends, however it ends.
struct AliveFlag(Arc<AtomicBool>);

impl Drop for AliveFlag {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// The writer itself.
pub(crate) struct Loop {
    journal: Arc<dyn Journal>,
    views: Arc<RwLock<Views>>,
    limits: Limits,
    jobs: Receiver<Message>,
    checkpointed: u64,
    /// A key that should be gone is there: no checkpoint may say that all is done up to it.
    unshredded: bool,
    /// What was derived was thrown away, and is to be written afresh.
    renewed: bool,
    completed: mpsc::UnboundedSender<Completed>,
    /// Tells the senders that there is something for them in the log.
    sms_queued: News,
    _alive: AliveFlag,
}

/// Jobs that are written together.
struct Batch {
    group: Vec<Append>,
    waiting: Vec<Waiting>,
    /// A stop was among them.
    stop: bool,
}

impl Loop {
    /// Starts the thread.
    pub(crate) fn spawn(self) -> std::io::Result<JoinHandle<()>> {
        Builder::new().name("countersign-writer".to_owned()).spawn(move || self.run())
    }

    fn run(mut self) {
        loop {
            match self.jobs.recv_timeout(QUIET) {
                Ok(Message::Write(job, reply)) => {
                    let Batch { group, waiting, stop } = self.gather(job, reply);
                    let answers = self.write(group, &waiting);
                    self.answer(waiting, answers);
                    if stop {
                        break;
                    }
                    self.maintain_under_load();
                }
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => self.maintain(self.limits.checkpoint_every),
            }
        }
        self.end();
    }

    /// As [`Self::run`], as a task of a simulation: with a disk that takes its time, before it writes and after.
    pub(crate) async fn run_simulated(mut self, bell: Arc<Notify>, disk: Disk) {
        loop {
            match self.jobs.try_recv() {
                Ok(Message::Write(job, reply)) => {
                    disk.pause().await;
                    let Batch { group, waiting, stop } = self.gather(job, reply);
                    let answers = self.write(group, &waiting);
                    disk.pause().await;
                    self.answer(waiting, answers);
                    if stop {
                        break;
                    }
                    self.maintain_under_load();
                }
                Ok(Message::Stop) | Err(TryRecvError::Disconnected) => break,
                Err(TryRecvError::Empty) => {
                    if tokio::time::timeout(QUIET, bell.notified()).await.is_err() {
                        self.maintain(self.limits.checkpoint_every);
                    }
                }
            }
        }
        self.end();
    }

    fn maintain_under_load(&mut self) {
        if std::mem::take(&mut self.renewed) {
            self.checkpointed = 0;
            self.maintain(1);
        } else {
            self.maintain(self.overdue());
        }
    }

    fn end(&mut self) {
        self.maintain(1);
        if let Err(cause) = self.journal.close() {
            tracing::error!(%cause, "the journal did not close cleanly; nothing acknowledged is lost");
        }
    }

    /// How much may be new under a load that never pauses. A checkpoint costs as much as there are rows,
    /// so it waits until several times as many events have paid for it.
    fn overdue(&self) -> u64 {
        let rows = self.views.read().unwrap_or_else(PoisonError::into_inner).rows() as u64;
        self.limits.checkpoint_every.saturating_mul(8).max(rows.saturating_mul(4))
    }

    /// The job and whatever waits behind it.
    fn gather(&self, job: WriteJob, reply: Reply) -> Batch {
        let mut stop = false;
        let mut group = Vec::with_capacity(self.limits.batch_max.min(256));
        let mut waiting = Vec::with_capacity(group.capacity());
        let mut take = |job: WriteJob, reply: Reply| {
            group.push(job.append);
            waiting.push(Waiting { facts: job.facts, at: job.at, reply });
        };
        take(job, reply);
        let mut taken = 1;
        while taken < self.limits.batch_max {
            match self.jobs.try_recv() {
                Ok(Message::Write(job, reply)) => take(job, reply),
                Ok(Message::Stop) => {
                    stop = true;
                    break;
                }
                Err(_) => break,
            }
            taken += 1;
        }
        Batch { group, waiting, stop }
    }

    fn write(&mut self, group: Vec<Append>, waiting: &[Waiting]) -> Vec<Result<Committed, AppendError>> {
        let answers = self.journal.append_group(group);
        self.fold(&answers, waiting);
        self.shred(&answers, waiting);
        answers
    }

    fn answer(&self, waiting: Vec<Waiting>, answers: Vec<Result<Committed, AppendError>>) {
        let completed = waiting.into_iter().map(|job| job.reply).zip(answers).collect();
        // The actors' thread may have ended; what was written stays written.
        let _ended = self.completed.send(completed);
    }

    fn fold(&self, answers: &[Result<Committed, AppendError>], jobs: &[Waiting]) {
        let mut queued = false;
        let mut views = self.views.write().unwrap_or_else(PoisonError::into_inner);
        for (answer, job) in answers.iter().zip(jobs) {
            let Ok(committed) = answer else { continue };
            for (position, (stream, event)) in (committed.first.0..).zip(&job.facts) {
                views.fold(Position(position), *stream, event, job.at);
                if matches!(event, Event::SmsQueued(_) | Event::SmsRedriven(_)) {
                    queued = true;
                }
            }
        }
        drop(views);
        if queued {
            self.sms_queued.tell();
        }
    }

    /// Destroys the keys whose tombstones are durable now. What fails is made up for when the store is opened again.
    fn shred(&mut self, answers: &[Result<Committed, AppendError>], jobs: &[Waiting]) {
        let written = answers.iter().zip(jobs).filter(|(answer, _)| answer.is_ok());
        for (stream, event) in written.flat_map(|(_, job)| &job.facts) {
            match shredder::shred(&*self.journal, *stream, event) {
                Ok(renewed) => self.renewed |= renewed,
                Err(error) => {
                    self.unshredded = true;
                    tracing::error!(%error, %stream, "a key was not destroyed; that is made up for at the next start");
                }
            }
        }
    }

    /// Writes the derived data when enough is new. It can be made again, so a failure is only told.
    fn maintain(&mut self, enough: u64) {
        if self.unshredded {
            return;
        }
        let packed = {
            let views = self.views.read().unwrap_or_else(PoisonError::into_inner);
            if views.is_partial() || views.folded.saturating_sub(self.checkpointed) < enough {
                return;
            }
            views.to_blocks().map(|blocks| (views.folded, views.sms.window_ms, blocks))
        };
        let Ok((folded, window_ms, blocks)) = packed else { return };
        let saved = self.journal.save_checkpoint(CHECKPOINT_NAME, Position(folded), fingerprint(window_ms), blocks);
        if let Err(cause) = saved.and_then(|()| self.journal.checkpoint_index()) {
            tracing::warn!(%cause, "the checkpoint was not written; the next start reads more of the log");
        }
        self.checkpointed = folded;
    }
}
