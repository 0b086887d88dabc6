//! The actor that a principal is, and an account: one command at a time, from decision to commit.
//!
//! While a command is under way the actor waits *atomically*: its next command is not looked at, other
//! actors go on. It evolves only after the commit. What it does is in its [`Core`], which knows no
//! actor: plain async code that a simulation can drive as well.

use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;

use actix::prelude::*;
use countersign_domain::decide::Verdict;
use countersign_domain::device::PhoneNumber;
use countersign_domain::ids::{Position, UnixMillis};
use countersign_domain::principal::SignIn;
use countersign_domain::secret::{ChallengeSecret, Seed};
use countersign_store::Committed;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tracing::{Instrument, Span};

use crate::answer::Request;
use crate::error::Error;
use crate::identity::Work;
use crate::shared::{CommitError, Shared, commit_result};
use crate::writer::Written;

/// What a core answers to a command.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) verdict: Verdict,
    pub(crate) position: Position,
    pub(crate) at: UnixMillis,
    /// What only this one answer has.
    pub(crate) given: Option<Box<Given>>,
}

impl Answer {
    /// The answer, and what it alone gives out.
    pub(crate) fn giving(self, given: Given) -> Self {
        Self { given: Some(Box::new(given)), ..self }
    }
}

/// What an answer gives out that no query does.
#[derive(Clone, Debug)]
pub(crate) enum Given {
    /// The secret of a device that was created.
    Seed(Seed),
    /// What a security key is asked, for the browser.
    Options(String),
    /// What a code that is to be sent follows from, and where it goes.
    Sending(ChallengeSecret, Option<PhoneNumber>),
    /// What a code that is to be handed over follows from, and where it goes.
    Outgoing(ChallengeSecret, PhoneNumber),
    /// How far a sign-in is.
    Open(SignIn),
}

/// The state and behaviour behind an actor.
pub(crate) trait Core: Sized + Unpin + 'static {
    /// Whose core it is; the actor is registered under it.
    type Key: Clone + Eq + Hash + Send + Unpin + std::fmt::Display + 'static;
    /// A command.
    type Work: Work + Send + Unpin + std::fmt::Debug + 'static;
    /// A decision that is on its way into the log.
    type Pending: Unpin + 'static;

    /// Reads the state back from the log.
    fn load(shared: Arc<Shared>, key: Self::Key) -> impl Future<Output = Result<Self, Error>>;

    /// Decides at once where nothing has to be read or searched first: the way of most commands.
    fn begin(&mut self, request: &Request, work: &Self::Work) -> Begun<Self::Pending>;

    /// Takes what was begun into the state once it is durable; `None` when it has to be decided again.
    fn settle(
        &mut self,
        pending: Self::Pending,
        written: Result<Committed, CommitError>,
    ) -> Result<Option<Answer>, Error>;

    /// Decides a command with all that it takes, and writes what it decided.
    fn perform(&mut self, request: Request, work: Self::Work) -> impl Future<Output = Result<Answer, Error>>;

    /// Leaves what makes the next start quick.
    fn passivate(self) -> impl Future<Output = ()>;
}

/// How far a command came without waiting.
pub(crate) enum Begun<Pending> {
    /// To its end.
    Answered(Result<Answer, Error>),
    /// Decided, and queued for writing.
    Queued(Pending, Written),
    /// Nowhere: something has to be read or searched first.
    Waits,
}

/// Where the answer to a command goes.
type Reply = oneshot::Sender<Result<Answer, Error>>;

/// A command on its way to an actor, with the place that it holds among those in flight.
pub(crate) struct Job<C: Core> {
    pub(crate) key: C::Key,
    pub(crate) request: Request,
    pub(crate) work: C::Work,
    pub(crate) reply: Reply,
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

/// What an actor says at its end.
#[derive(Clone)]
pub(crate) struct Goodbye<Key> {
    /// Whose it was.
    pub(crate) key: Key,
    /// Which one of all that there were.
    pub(crate) activation: u64,
}

/// The actor.
pub(crate) struct Resident<C: Core> {
    shared: Arc<Shared>,
    core: Option<C>,
    goodbye: Goodbye<C::Key>,
    gone: mpsc::UnboundedSender<Goodbye<C::Key>>,
}

impl<C: Core> Resident<C> {
    /// Starts an actor with a bounded mailbox; it reads its state at its first command.
    pub(crate) fn activate(
        shared: Arc<Shared>,
        goodbye: Goodbye<C::Key>,
        gone: mpsc::UnboundedSender<Goodbye<C::Key>>,
    ) -> Addr<Self> {
        Self::create(|context| {
            context.set_mailbox_capacity(shared.limits.mailbox_max);
            Self { shared, core: None, goodbye, gone }
        })
    }
}

impl<C: Core> Actor for Resident<C> {
    type Context = Context<Self>;

    fn stopped(&mut self, _context: &mut Self::Context) {
        // The registry may have ended first.
        let _ended = self.gone.send(self.goodbye.clone());
    }
}

impl<C: Core> Handler<Job<C>> for Resident<C> {
    type Result = ();

    /// Whatever has to be waited for is waited for by the whole actor: no second command in between.
    fn handle(&mut self, job: Job<C>, context: &mut Self::Context) {
        let span = tracing::debug_span!("command", who = %job.key, work = ?job.work, outcome = tracing::field::Empty);
        let begun = match &mut self.core {
            Some(core) => span.in_scope(|| core.begin(&job.request, &job.work)),
            None => Begun::Waits,
        };
        match begun {
            Begun::Answered(result) => self.finish(job.reply, job.permit, result, &span),
            Begun::Queued(pending, written) => {
                let settle = move |written, actor: &mut Self, context: &mut Self::Context| {
                    actor.settle(job, span, pending, commit_result(written), context);
                };
                context.wait(written.into_actor(self).map(settle));
            }
            Begun::Waits => self.take_time(job, span, context),
        }
    }
}

impl<C: Core> Resident<C> {
    fn settle(
        &mut self,
        job: Job<C>,
        span: Span,
        pending: C::Pending,
        written: Result<Committed, CommitError>,
        context: &mut Context<Self>,
    ) {
        let Some(core) = &mut self.core else { return job.refuse(Error::interrupted()) };
        match core.settle(pending, written) {
            Ok(Some(answer)) => self.finish(job.reply, job.permit, Ok(answer), &span),
            Ok(None) => self.take_time(job, span, context),
            Err(error) => self.finish(job.reply, job.permit, Err(error), &span),
        }
    }

    /// Reads, searches, writes, and decides again where it must.
    fn take_time(&mut self, job: Job<C>, span: Span, context: &mut Context<Self>) {
        let (core, shared) = (self.core.take(), Arc::clone(&self.shared));
        let Job { key, request, work, reply, permit, .. } = job;
        let inside = span.clone();
        let perform = async move {
            let mut core = match core {
                Some(core) => core,
                None => C::load(shared, key).await?,
            };
            let result = core.perform(request, work).await;
            Ok((core, result))
        };
        let done = move |performed, actor: &mut Self, _context: &mut Context<Self>| {
            let result = match performed {
                Ok((core, result)) => {
                    actor.core = Some(core);
                    result
                }
                Err(error) => Err(error),
            };
            actor.finish(reply, permit, result, &span);
        };
        context.wait(perform.instrument(inside).into_actor(self).map(done));
    }

    /// Answers. After a failure the state is read afresh: what is held may not be what is stored.
    fn finish(&mut self, reply: Reply, permit: OwnedSemaphorePermit, result: Result<Answer, Error>, span: &Span) {
        match &result {
            Ok(answer) => {
                span.record("outcome", tracing::field::debug(answer.verdict));
            }
            Err(error) => {
                span.record("outcome", tracing::field::display(error));
                if error.rejection().is_none() && !error.is_busy() {
                    self.core = None;
                }
            }
        }
        drop(permit);
        // Whoever asked may have gone; what was written stays written.
        let _gone = reply.send(result);
    }
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
