//! What every actor of one engine works with, and the way from a decision into the log.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use countersign_domain::caller::Caller;
use countersign_domain::decide::{Context, Record};
use countersign_domain::ids::{CommandId, Position, StreamId, UnixMillis, Version};
use countersign_domain::policy::Policy;
use countersign_domain::wire::{self, Sealing};
use countersign_store::{Append, AppendError, Committed, Journal, NewEntry, StreamAppend};
use tokio::sync::Semaphore;

use crate::answer::Request;
use crate::config::Limits;
use crate::error::Error;
use crate::ports::{Clock, Entropy};
use crate::views::Views;
use crate::writer::{WriteJob, Writer};

/// What every actor of one engine works with.
pub(crate) struct Shared {
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) policy: Policy,
    pub(crate) limits: Limits,
    pub(crate) issuer: String,
    pub(crate) views: Arc<RwLock<Views>>,
    pub(crate) writer: Writer,
    pub(crate) searches: Arc<Semaphore>,
    pub(crate) command_ids: CommandIds,
}

impl Shared {
    pub(crate) fn context<'a>(&'a self, now: UnixMillis, caller: &'a Caller) -> Context<'a> {
        Context { now, policy: &self.policy, caller }
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
        let task = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work(&shared)
        });
        task.await.unwrap_or_else(|_| Err(Error::unavailable("a computation was cut off")))
    }

    /// The request's command id, or a fresh one.
    pub(crate) fn command_of(&self, request: &Request) -> CommandId {
        request.command.unwrap_or_else(|| self.command_ids.next())
    }

    /// Writes a decided record, expecting each stream at the version that it was read at.
    pub(crate) async fn commit(
        &self,
        command: CommandId,
        now: UnixMillis,
        record: Record,
        version_of: impl Fn(StreamId) -> Version,
    ) -> Result<Committed, CommitError> {
        let mut streams: Vec<StreamAppend> = Vec::with_capacity(3);
        let mut order = Vec::with_capacity(record.writes.len());
        for (stream, event) in &record.writes {
            let encoded = wire::encode(event).map_err(|cause| CommitError::Failed(cause.into()))?;
            let entry = NewEntry {
                event_type: encoded.event_type,
                type_version: encoded.type_version,
                time: now,
                body: encoded.body,
                seal: encoded.sealing == Sealing::Sealed,
            };
            let place = streams.iter().position(|append| append.stream == *stream);
            let place = place.unwrap_or_else(|| {
                streams.push(StreamAppend { stream: *stream, expected: version_of(*stream), entries: Vec::new() });
                streams.len() - 1
            });
            streams[place].entries.push(entry);
            order.push(place);
        }
        let facts = in_append_order(record.writes, &order, streams.len());
        let append = Append { command, streams };
        match self.writer.write(WriteJob { append, facts, at: now }).await {
            Ok(Ok(committed)) => Ok(committed),
            Ok(Err(AppendError::Conflict { .. })) => Err(CommitError::Conflict),
            Ok(Err(AppendError::Duplicate(done))) => Err(CommitError::Duplicate(done)),
            Ok(Err(cause)) => Err(CommitError::Failed(cause.into())),
            Err(cause) => Err(CommitError::Failed(cause)),
        }
    }
}

/// Events in the order in which the append numbers them: stream by stream.
fn in_append_order<T>(writes: Vec<(StreamId, T)>, order: &[usize], streams: usize) -> Vec<(StreamId, T)> {
    let mut by_stream: Vec<Vec<(StreamId, T)>> = (0..streams).map(|_| Vec::new()).collect();
    for (write, place) in writes.into_iter().zip(order) {
        by_stream[*place].push(write);
    }
    by_stream.into_iter().flatten().collect()
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
