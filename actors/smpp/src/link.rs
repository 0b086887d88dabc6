//! A link that is kept bound.

use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use rusmpp::CommandStatus;
use rusmppc::Event;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};

use crate::backoff::{Backoff, random};
use crate::connect::{self, Bound, NotBound};
use crate::deliveries::{Deliveries, Ended};
use crate::health::{SmppHealth, count};
use crate::inbox::Held;
use crate::lively::LivelyClient;
use crate::settings::{Role, Settings};
use crate::stop::Stop;

/// For how long a farewell may take.
const FAREWELL_MAX: Duration = Duration::from_millis(500);

/// One of the links of a transport.
pub(crate) struct Link {
    pub settings: Arc<Settings>,
    pub role: Role,
    pub health: watch::Sender<SmppHealth>,
    /// Where messages are submitted, while this link is bound.
    pub client: watch::Sender<Option<LivelyClient>>,
    pub receipts: mpsc::Sender<Held>,
    pub stop: Stop,
}

/// How a try to have a link ended.
enum Session {
    Stopped,
    /// A refusal that will be repeated until somebody changes something.
    Refused,
    Failed,
    /// It was bound this long.
    Lost(Duration),
}

impl Link {
    /// Connects, binds, and does so again after each loss, until the transport ends.
    pub(crate) async fn run(mut self) {
        let mut backoff = Backoff::new(self.settings.pause_min, self.settings.pause_max);
        loop {
            let pause = match self.session().await {
                Session::Stopped => return,
                Session::Refused => backoff.long_pause(random()),
                Session::Failed => backoff.pause(random()),
                Session::Lost(after) => {
                    // A link that is lost again and again soon after its bind is no better than none.
                    if after >= self.settings.pause_max {
                        backoff.reset();
                    }
                    backoff.pause(random())
                }
            };
            tracing::debug!(link = ?self.role, pause_ms = pause.as_millis(), "the link is tried again later");
            if timeout(pause, self.stop.stopped()).await.is_ok() {
                return;
            }
        }
    }

    async fn session(&mut self) -> Session {
        let settings = Arc::clone(&self.settings);
        let opened = tokio::select! {
            () = self.stop.stopped() => return Session::Stopped,
            opened = connect::open(&settings, self.role) => opened,
        };
        match opened {
            Ok(bound) => self.bound(bound).await,
            Err(not_bound) => self.not_bound(&not_bound),
        }
    }

    fn not_bound(&self, not_bound: &NotBound) -> Session {
        match not_bound {
            NotBound::Refused(status) => {
                tracing::warn!(link = ?self.role, ?status, "the gateway refuses the bind");
                count(&self.health, |health| &mut health.refusals);
                match status {
                    // It is busy, or has not noticed yet that the last link is gone.
                    CommandStatus::EsmeRsyserr | CommandStatus::EsmeRthrottled | CommandStatus::EsmeRalybnd => {
                        Session::Failed
                    }
                    _ => Session::Refused,
                }
            }
            NotBound::Failed(what, cause) => {
                let cause = cause.as_ref().map(|cause| cause.kind());
                tracing::warn!(link = ?self.role, what, ?cause, "the gateway was not reached");
                count(&self.health, |health| &mut health.failures);
                Session::Failed
            }
        }
    }

    /// Serves a link until it is lost, or the transport ends.
    async fn bound(&mut self, bound: Bound<impl Stream<Item = Event> + Unpin>) -> Session {
        let Bound { client, events, connection } = bound;
        let since = Instant::now();
        tracing::info!(link = ?self.role, "bound to the gateway");
        self.announce(Some(client.clone()));
        let deliveries = Deliveries::new(client.clone(), self.receipts.clone(), self.settings.ids, &self.health);
        let ended = tokio::select! {
            () = self.stop.stopped() => None,
            ended = deliveries.serve(events) => Some(ended),
        };
        self.announce(None);
        if ended.is_none() {
            let _ = timeout(FAREWELL_MAX, client.unbind()).await;
        }
        // Whoever still waits for an answer on this link learns by this that none comes.
        connection.abort();
        let _ = connection.await;
        match ended {
            None => Session::Stopped,
            Some(ended) => self.lost(ended, since.elapsed()),
        }
    }

    fn announce(&self, client: Option<LivelyClient>) {
        let (role, is_bound) = (self.role, client.is_some());
        if role.submits() {
            self.client.send_replace(client);
        }
        self.health.send_modify(|health| {
            health.submits = if role.submits() { is_bound } else { health.submits };
            health.receipts = if role.receives() { is_bound } else { health.receipts };
            health.binds = health.binds.saturating_add(u64::from(is_bound));
        });
    }

    fn lost(&self, ended: Ended, after: Duration) -> Session {
        let so_far = self.health.borrow().decode_errors;
        if ended == Ended::Undecodable {
            let decode_errors = so_far.saturating_add(1);
            tracing::warn!(link = ?self.role, cause = %ended, decode_errors, "the link is given up");
            count(&self.health, |health| &mut health.decode_errors);
        } else {
            tracing::warn!(link = ?self.role, cause = %ended, "the link is lost");
        }
        count(&self.health, |health| &mut health.losses);
        Session::Lost(after)
    }
}
