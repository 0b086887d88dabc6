//! The actor that a principal is, and an account: one command at a time, from decision to commit.
//!
//! While a command is under way the actor waits *atomically*: its next command is not looked at, other
//! actors go on. It evolves only after the commit. What it does is in its [`Core`], which knows no
//! actor: plain async code that a simulation can drive as well.

use std::future::Future;
use std::sync::Arc;

use actix::prelude::*;
use countersign_domain::decide::Verdict;
use countersign_domain::ids::{Position, StreamId, UnixMillis};
use countersign_domain::secret::Seed;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tracing::Instrument;

use crate::answer::Request;
use crate::error::Error;
use crate::identity::Work;
use crate::shared::Shared;

/// What a core answers to a command.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) verdict: Verdict,
    pub(crate) position: Position,
    pub(crate) at: UnixMillis,
    /// The secret of a device that was created: for the one answer that shows it.
    pub(crate) seed: Option<Seed>,
}

/// The state and behaviour behind an actor.
pub(crate) trait Core: Sized + Unpin + 'static {
    /// Whose core it is.
    type Key: Clone + Send + Unpin + std::fmt::Display + 'static;
    /// A command.
    type Work: Work + Send + std::fmt::Debug + 'static;

    /// The stream under which the actor is registered.
    fn stream(key: &Self::Key) -> StreamId;

    /// Reads the state back from the log.
    fn load(shared: Arc<Shared>, key: Self::Key) -> impl Future<Output = Result<Self, Error>>;

    /// Decides a command and writes what it decided. After an error the core is read afresh.
    fn perform(&mut self, request: Request, work: Self::Work) -> impl Future<Output = Result<Answer, Error>>;

    /// Leaves what makes the next start quick.
    fn passivate(self) -> impl Future<Output = ()>;
}

/// A command on its way to an actor, with the place that it holds among those in flight.
pub(crate) struct Job<C: Core> {
    pub(crate) key: C::Key,
    pub(crate) stream: StreamId,
    pub(crate) request: Request,
    pub(crate) work: C::Work,
    pub(crate) reply: oneshot::Sender<Result<Answer, Error>>,
    pub(crate) permit: OwnedSemaphorePermit,
}

impl<C: Core> Job<C> {
    /// Answers without having done anything.
    pub(crate) fn refuse(self, error: Error) {
        drop(self.permit);
        // Whoever asked may have gone.
        let _gone = self.reply.send(Err(error));
    }
}

impl<C: Core> Message for Job<C> {
    type Result = ();
}

/// Asks an actor to leave memory.
pub(crate) struct Passivate;

impl Message for Passivate {
    type Result = ();
}

/// The actor.
pub(crate) struct Resident<C: Core> {
    shared: Arc<Shared>,
    stream: StreamId,
    core: Option<C>,
    gone: mpsc::UnboundedSender<StreamId>,
}

impl<C: Core> Resident<C> {
    /// Starts an actor with a bounded mailbox; it reads its state at its first command.
    pub(crate) fn activate(shared: Arc<Shared>, stream: StreamId, gone: mpsc::UnboundedSender<StreamId>) -> Addr<Self> {
        Self::create(|context| {
            context.set_mailbox_capacity(shared.limits.mailbox_max);
            Self { shared, stream, core: None, gone }
        })
    }
}

impl<C: Core> Actor for Resident<C> {
    type Context = Context<Self>;

    fn stopped(&mut self, _context: &mut Self::Context) {
        // The registry may have ended first.
        let _ended = self.gone.send(self.stream);
    }
}

impl<C: Core> Handler<Job<C>> for Resident<C> {
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, job: Job<C>, _context: &mut Self::Context) -> Self::Result {
        let (core, shared) = (self.core.take(), Arc::clone(&self.shared));
        let span = tracing::debug_span!("command", who = %job.key, outcome = tracing::field::Empty);
        let work = run(core, shared, job).instrument(span);
        AtomicResponse::new(Box::pin(work.into_actor(self).map(|core, actor, _context| actor.core = core)))
    }
}

/// Performs one command; gives the core back, unless what it holds may not be what is stored.
async fn run<C: Core>(core: Option<C>, shared: Arc<Shared>, job: Job<C>) -> Option<C> {
    let Job { key, request, work, reply, permit, .. } = job;
    let loaded = match core {
        Some(core) => Ok(core),
        None => C::load(shared, key).await,
    };
    let (core, result) = match loaded {
        Ok(mut core) => {
            let result = core.perform(request, work).await;
            let keep = result.as_ref().err().is_none_or(|error| error.rejection().is_some());
            (keep.then_some(core), result)
        }
        Err(error) => (None, Err(error)),
    };
    match &result {
        Ok(answer) => {
            tracing::Span::current().record("outcome", tracing::field::debug(answer.verdict));
        }
        Err(error) => tracing::debug!(%error, "not done"),
    }
    drop(permit);
    // Whoever asked may have gone; what was written stays written.
    let _gone = reply.send(result);
    core
}

impl<C: Core> Handler<Passivate> for Resident<C> {
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, _passivate: Passivate, _context: &mut Self::Context) -> Self::Result {
        let core = self.core.take();
        let leave = async move {
            if let Some(core) = core {
                core.passivate().await;
            }
        };
        AtomicResponse::new(Box::pin(leave.into_actor(self).map(|(), _actor, context| context.stop())))
    }
}
