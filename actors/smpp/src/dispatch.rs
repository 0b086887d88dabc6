//! Messages on their way to the SMSC, as many at once as the window allows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign::{SmsAccepted, SmsFailure};
use rusmpp::pdus::SubmitSm;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::lively::LivelyClient;
use crate::settings::Settings;
use crate::{outcome, pdu};

/// Messages that wait for a place in the window, at most.
pub(crate) const WAITING_MAX: usize = 1000;

/// A message, and who wants to know what became of it.
pub(crate) struct Job {
    pub message: SubmitSm,
    /// The end of its life.
    pub until: Instant,
    pub reply: oneshot::Sender<Result<SmsAccepted, SmsFailure>>,
}

/// Hands messages over until nobody has any more.
pub(crate) async fn run(
    settings: Arc<Settings>,
    client: watch::Receiver<Option<LivelyClient>>,
    mut jobs: mpsc::Receiver<Job>,
) {
    let window = Arc::new(Semaphore::new(settings.window));
    let mut under_way = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = under_way.join_next() => {}
            job = jobs.recv() => match job {
                None => return,
                Some(job) if under_way.len() >= WAITING_MAX.saturating_add(settings.window) => {
                    let _ = job.reply.send(Err(SmsFailure::Throttled { retry_after: None }));
                }
                Some(job) => {
                    let (settings, window, client) = (Arc::clone(&settings), Arc::clone(&window), client.clone());
                    under_way.spawn(async move {
                        let Job { message, until, mut reply } = job;
                        // Nobody waits any more: what was not written is not written. What was is waited for, because
                        // it has its place in the window.
                        let place = tokio::select! {
                            biased;
                            () = reply.closed() => return,
                            place = place(&settings, &window, &client, until) => place,
                        };
                        let outcome = match place {
                            Ok((_permit, client)) => hand_over(&settings, &client, message, until).await,
                            Err(failure) => Err(failure),
                        };
                        let _ = reply.send(outcome);
                    });
                }
            },
        }
    }
}

/// Waits for a place in the window of a bound link.
async fn place<'a>(
    settings: &Settings,
    window: &'a Semaphore,
    client: &watch::Receiver<Option<LivelyClient>>,
    until: Instant,
) -> Result<(tokio::sync::SemaphorePermit<'a>, LivelyClient), SmsFailure> {
    let bound = || client.borrow().clone().filter(|client| !client.is_closed()).ok_or(SmsFailure::Unavailable);
    // Without a link there is nothing to wait for.
    bound()?;
    match timeout(settings.response_time_max.min(left(until)), window.acquire()).await {
        Ok(Ok(permit)) => Ok((permit, bound()?)),
        // The SMSC answers too slowly, or not at all, or the life of the message is over.
        _ => Err(SmsFailure::Unavailable),
    }
}

fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}

async fn hand_over(
    settings: &Settings,
    client: &LivelyClient,
    mut message: SubmitSm,
    until: Instant,
) -> Result<SmsAccepted, SmsFailure> {
    let left = left(until);
    if left.is_zero() {
        return Err(SmsFailure::Unavailable);
    }
    pdu::live_for(&mut message, left)?;
    match timeout(settings.response_time_max.min(left), client.submit(message)).await {
        Ok(answer) => outcome::of_answer(answer, settings.ids, &settings.statuses),
        Err(_) => Err(SmsFailure::Unknown),
    }
}
