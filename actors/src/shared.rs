//! What every actor of one engine works with, and the way from a decision into the log.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use countersign_domain::decide::{Context, Decision, Outcome, Record};
use countersign_domain::event::Event;
use countersign_domain::ids::{AccountId, ChallengeId, CommandId, Position, StreamId, UnixMillis, Version};
use countersign_domain::settings::Settings;
use countersign_domain::wire::{self, Sealing};
use countersign_store::{Append, AppendError, Committed, Journal, NewEntry, StreamAppend};
use tokio::sync::Semaphore;
use tokio::sync::oneshot::error::RecvError;

use crate::answer::Request;
use crate::config::Limits;
use crate::error::Error;
use crate::policies::Policies;
use crate::ports::{Clock, Entropy};
use crate::resident::Answer;
use crate::sent::MarkKey;
use crate::sms::SmsDesk;
use crate::views::{SmsState, Views};
use crate::webauthn::Verifier;
use crate::writer::{Fact, WriteJob, Writer, Written};

/// What every actor of one engine works with.
pub(crate) struct Shared {
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) policies: Policies,
    pub(crate) keys: Arc<Verifier>,
    pub(crate) marks: MarkKey,
    pub(crate) sms: SmsDesk,
    pub(crate) limits: Limits,
    pub(crate) issuer: String,
    pub(crate) views: Arc<RwLock<Views>>,
    pub(crate) writer: Writer,
    pub(crate) searches: Arc<Semaphore>,
    /// Everything runs on one thread.
    pub(crate) simulated: bool,
    pub(crate) command_ids: CommandIds,
}

impl Shared {
    /// The facts of a request, under the rules of the account that it concerns.
    pub(crate) fn context<'a>(
        &'a self,
        now: UnixMillis,
        request: &'a Request,
        account: Option<AccountId>,
    ) -> Context<'a> {
        Context { now, policy: self.policies.of(account), caller: &request.caller, client: request.client.as_ref() }
    }

    /// What an account has chosen, as far as it is acknowledged.
    pub(crate) fn settings(&self, account: AccountId) -> Settings {
        self.views(|views| views.settings(account))
    }

    /// How far a code came.
    pub(crate) fn sms_state(&self, challenge: ChallengeId) -> Option<SmsState> {
        self.views(|views| views.sms.messages.get(&challenge).map(|row| row.state))
    }

    /// Fresh randomness.
    pub(crate) fn random<const N: usize>(&self) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        self.entropy.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// Reads the views; a panic elsewhere does not make them unreadable.
    pub(crate) fn views<T>(&self, read: impl FnOnce(&Views) -> T) -> T {
        read(&self.views.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs something slow off the actors' thread. How many run at once is bounded.
    pub(crate) async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let shared = Arc::clone(self);
        let permit = Arc::clone(&self.searches).acquire_owned().await.map_err(|_| Error::closed())?;
        let simulated = self.simulated;
        let work = move || {
            let _permit = permit;
            work(&shared)
        };
        let task =
            if simulated { tokio::task::spawn_local(async move { work() }) } else { tokio::task::spawn_blocking(work) };
        task.await.unwrap_or_else(|_| Err(Error::unavailable("a computation was cut off")))
    }

    /// The request's command id, or a fresh one.
    pub(crate) fn command_of(&self, request: &Request) -> CommandId {
        request.command.unwrap_or_else(|| self.command_ids.next())
    }

    /// Writes what was decided. `own` is the stream and version of the core that decided, `read` those of
    /// what else it looked at; a stream in neither must not exist yet.
    pub(crate) async fn write(
        &self,
        request: &Request,
        now: UnixMillis,
        decision: Decision,
        own: (StreamId, Version),
        read: &[(StreamId, Version)],
    ) -> Result<Wrote, Error> {
        let record = match decision? {
            Outcome::AlreadySo(verdict) => {
                let position = self.journal.head();
                return Ok(Wrote::Nothing(Answer { verdict, position, at: now, given: None }));
            }
            Outcome::Record(record) => record,
        };
        let verdict = record.verdict;
        let of_own = record.writes.iter().filter(|(stream, _)| *stream == own.0);
        let events = of_own.map(|(_, event)| event.clone()).collect();
        let version_of = |wanted: StreamId| {
            let mut known = read.iter().chain([&own]);
            known.find(|(stream, _)| *stream == wanted).map_or(Version::NONE, |(_, version)| *version)
        };
        match self.commit(self.command_of(request), now, record, version_of).await {
            Ok(committed) => {
                let answer = Answer { verdict, position: known_from(&committed), at: now, given: None };
                Ok(Wrote::Events(events, answer))
            }
            Err(CommitError::Conflict) => Ok(Wrote::MovedOn),
            Err(CommitError::Duplicate(done)) => Ok(Wrote::Before(done)),
            Err(CommitError::Failed(error)) => Err(error),
        }
    }

    /// Queues a decided record, expecting each stream at the version that it was read at.
    pub(crate) fn submit(
        &self,
        command: CommandId,
        now: UnixMillis,
        record: Record,
        version_of: impl Fn(StreamId) -> Version,
    ) -> Result<Written, Error> {
        let (streams, facts) = grouped(record.writes, now, version_of)?;
        self.writer.submit(WriteJob { append: Append { command, streams }, facts, at: now })
    }

    /// Writes a decided record and waits until it is durable.
    async fn commit(
        &self,
        command: CommandId,
        now: UnixMillis,
        record: Record,
        version_of: impl Fn(StreamId) -> Version,
    ) -> Result<Committed, CommitError> {
        let written = self.submit(command, now, record, version_of).map_err(CommitError::Failed)?;
        commit_result(written.await)
    }
}

/// What came of a decision.
pub(crate) enum Wrote {
    /// The answer stood already.
    Nothing(Answer),
    /// These events of the core's own stream are durable.
    Events(Vec<Event>, Answer),
    /// A stream had moved on: read again, decide again.
    MovedOn,
    /// The command was done before; this is where.
    Before(Committed),
}

/// What came of a queued record.
pub(crate) fn commit_result(
    written: Result<Result<Committed, AppendError>, RecvError>,
) -> Result<Committed, CommitError> {
    match written {
        Ok(Ok(committed)) => Ok(committed),
        Ok(Err(AppendError::Conflict { .. })) => Err(CommitError::Conflict),
        Ok(Err(AppendError::Duplicate(done))) => Err(CommitError::Duplicate(done)),
        Ok(Err(cause)) => Err(CommitError::Failed(cause.into())),
        Err(_) => Err(CommitError::Failed(Error::interrupted())),
    }
}

/// The events stream by stream, encoded, and as facts in the order in which the append numbers them.
fn grouped(
    mut writes: Vec<Fact>,
    now: UnixMillis,
    version_of: impl Fn(StreamId) -> Version,
) -> Result<(Vec<StreamAppend>, Vec<Fact>), Error> {
    let mut streams: Vec<StreamAppend> = Vec::with_capacity(writes.len());
    let mut places = Vec::with_capacity(writes.len());
    for (stream, event) in &writes {
        let place = streams.iter().position(|append| append.stream == *stream).unwrap_or_else(|| {
            let (stream, expected) = (*stream, version_of(*stream));
            streams.push(StreamAppend { stream, expected, fresh_key: false, entries: Vec::with_capacity(1) });
            streams.len() - 1
        });
        // Each life of a device is sealed by itself, so that it can be forgotten by itself.
        streams[place].fresh_key |= event.creates_device();
        streams[place].entries.push(entry_of(event, now)?);
        places.push(place);
    }
    if !places.is_sorted() {
        let mut placed: Vec<_> = places.into_iter().zip(writes).collect();
        placed.sort_by_key(|(place, _)| *place);
        writes = placed.into_iter().map(|(_, write)| write).collect();
    }
    Ok((streams, writes))
}

fn entry_of(event: &Event, time: UnixMillis) -> Result<NewEntry, Error> {
    let wire::Encoded { event_type, type_version, sealing, body } = wire::encode(event)?;
    Ok(NewEntry { event_type, type_version, time, body, seal: sealing == Sealing::Sealed })
}

/// Why a record was not written.
pub(crate) enum CommitError {
    /// A stream had moved on: read again, decide again.
    Conflict,
    /// The command was done before; this is where.
    Duplicate(Committed),
    /// It cannot be written, or whether it was is not known.
    Failed(Error),
}

/// Makes ids for commands that bring none: a random part of this engine, and a counter.
pub(crate) struct CommandIds {
    prefix: [u8; 8],
    next: AtomicU64,
}

impl CommandIds {
    pub(crate) fn new(entropy: &dyn Entropy) -> Result<Self, Error> {
        let mut prefix = [0; 8];
        entropy.fill(&mut prefix)?;
        Ok(Self { prefix, next: AtomicU64::new(0) })
    }

    fn next(&self) -> CommandId {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.prefix);
        bytes[8..].copy_from_slice(&self.next.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        CommandId::from_bytes(bytes)
    }
}

/// The position from which on a view knows of what was committed.
pub(crate) const fn known_from(committed: &Committed) -> Position {
    committed.end()
}
