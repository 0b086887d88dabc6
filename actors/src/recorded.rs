//! What is in the log already: the answer to a retry, and whether a stream has moved on.

use std::sync::Arc;

use countersign_domain::decide::{Denial, Verdict};
use countersign_domain::event::{Event, SignInFault};
use countersign_domain::ids::{AccountId, StreamId, UnixMillis, Version};
use countersign_domain::totp::Attempts;
use countersign_store::Committed;

use crate::answer::Request;
use crate::error::Error;
use crate::history;
use crate::resident::{Answer, Given};
use crate::shared::{Shared, known_from};

/// Where this command was recorded before, if it is a retry.
pub(crate) fn done_before(shared: &Shared, request: &Request) -> Option<Committed> {
    request.command.and_then(|command| shared.journal.find_command(command))
}

/// The answer that a command's recorded events stand for.
///
/// The seed of a device that was created is part of it only while nothing has happened to the device
/// since: it is given out once, and a retry is the same once (R16). `account` is whose rules the answer goes by.
pub(crate) async fn recorded_answer(
    shared: &Arc<Shared>,
    done: Committed,
    account: Option<AccountId>,
) -> Result<Answer, Error> {
    let read = move |shared: &Shared| {
        let events = history::recorded(&*shared.journal, done)?;
        let stored = events.iter().find_map(|(_, event, _)| match event {
            Event::SeedStored(stored) => Some(stored),
            _ => None,
        });
        let created = events.iter().any(|(_, event, _)| matches!(event, Event::VirtualDeviceCreated(_)));
        let seed = match stored.filter(|_| created) {
            Some(stored) => {
                let head = shared.journal.stream_head(stored.device)?;
                let untouched = head.is_some_and(|head| (done.first..done.end()).contains(&head.position));
                untouched.then(|| stored.seed.clone())
            }
            None => None,
        };
        Ok((events, seed))
    };
    let (events, seed) = Box::pin(shared.blocking(read)).await?;
    let at = events.first().map_or(UnixMillis(0), |(_, _, at)| *at);
    let policy = shared.policies.of(account);
    let mut verdict = Verdict::recorded(events.iter().map(|(_, event, _)| event), policy);
    // A linked device's lock is told in its own stream; here it is as long as the window that it was met in.
    if let [(_, Event::SignInRefused(refused), at)] = events.as_slice()
        && refused.fault == SignInFault::Locked
    {
        let until = Attempts::ends_at(Attempts::window_at(*at, policy), policy);
        verdict = Verdict::Denied(Denial::Locked { until });
    }
    Ok(Answer { verdict, position: known_from(&done), at, given: seed.map(|seed| Box::new(Given::Seed(seed))) })
}

/// Whether a stream has another version than the one that was read.
pub(crate) async fn moved_on(shared: &Arc<Shared>, stream: StreamId, version: Version) -> Result<bool, Error> {
    let now = shared.blocking(move |shared| heads(shared, &[stream])).await?;
    Ok(now.first().is_some_and(|(_, now)| *now != version))
}

/// The versions of some streams.
pub(crate) fn heads(shared: &Shared, streams: &[StreamId]) -> Result<Vec<(StreamId, Version)>, Error> {
    let head = |stream: &StreamId| {
        let head = shared.journal.stream_head(*stream)?;
        Ok((*stream, head.map_or(Version::NONE, |head| head.version)))
    };
    streams.iter().map(head).collect()
}
