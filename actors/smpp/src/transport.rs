//! The port to SMS gateways, on SMPP.

use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use countersign::{SmsAccepted, SmsFailure, SmsMessage, SmsReceipt, SmsTransport};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::config::BindMode;
use crate::dispatch::{self, Job, WAITING_MAX};
use crate::health::SmppHealth;
use crate::inbox::{Held, Inbox};
use crate::link::Link;
use crate::lively::LivelyClient;
use crate::settings::{Role, Settings};
use crate::stop::Stop;
use crate::{SmppConfig, SmppError, pdu};

/// For how long the links may take to say farewell.
const FAREWELL_MAX: Duration = Duration::from_secs(2);

/// An SMSC as a transport of text messages.
///
/// It has a thread of its own that keeps the links bound, and works for engines on any runtime, one after the other.
/// Dropping it, or [`SmppTransport::close`], unbinds and ends the thread.
///
/// What becomes of a message:
///
/// | the SMSC says | the message is |
/// |---|---|
/// | `ESME_ROK` with an id, or without one | accepted |
/// | `ESME_RTHROTTLED`, `ESME_RMSGQFUL`; or over 1000 wait for the window | [`SmsFailure::Throttled`] |
/// | `ESME_RINVDSTADR`, `ESME_RINVDSTTON`, `ESME_RINVDSTNPI`, `ESME_RINVDSTADDRSUBUNIT` | [`SmsFailure::InvalidNumber`] |
/// | `ESME_RINVMSGLEN`, `ESME_RX_P_APPN`, `ESME_RX_R_APPN`, `ESME_RDELIVERYFAILURE`; or the text does not fit one message | [`SmsFailure::Refused`] |
/// | any other status: it is busy, does not know or like us, or does not like a field that another gateway may like; or no link is bound, or the window stays full, or the message's life is over before it is written | [`SmsFailure::Unavailable`] |
/// | nothing in time or within the message's life, or the link breaks before the answer | [`SmsFailure::Unknown`] |
///
/// [`SmppConfig::statuses`] changes this for single statuses. A nack counts as the answer whose status it bears.
///
/// A receipt is acknowledged when [`receipt`](SmsTransport::receipt) is asked for the next one, for it is recorded then.
/// Until then the SMSC keeps it, and delivers it again on the next link when this one breaks, or the transport ends. What
/// is no receipt, or cannot be understood, is acknowledged at once, and dropped.
///
/// ```no_run
/// use countersign::{Config, SmsRoute, Transports};
/// use countersign_smpp::{SmppConfig, SmppTransport};
///
/// let smsc = SmppConfig::new("smpps://smsc.example.com:3550", "countersign", "secret08", "Example");
/// let route = SmsRoute::new("main", SmppTransport::start(smsc)?);
/// let config = Config { transports: Transports { sms: vec![route], ..Transports::default() }, ..Config::default() };
/// # Ok::<(), countersign_smpp::SmppError>(())
/// ```
pub struct SmppTransport {
    settings: Arc<Settings>,
    jobs: mpsc::Sender<Job>,
    inbox: Mutex<Inbox>,
    health: watch::Receiver<SmppHealth>,
    stop: watch::Sender<bool>,
    ended: watch::Receiver<()>,
}

/// What the thread works with. It is dropped when the thread ends.
struct Work {
    settings: Arc<Settings>,
    bind: BindMode,
    jobs: mpsc::Receiver<Job>,
    receipts: mpsc::Sender<Held>,
    health: watch::Sender<SmppHealth>,
    stop: Stop,
    _ended: watch::Sender<()>,
}

impl SmppTransport {
    /// Starts the thread and returns at once; the SMSC need not be there. It may be called from anywhere.
    ///
    /// ```
    /// use countersign_smpp::{SmppConfig, SmppTransport};
    ///
    /// let transport = SmppTransport::start(SmppConfig::new("smpp://127.0.0.1:1", "id", "", "Example"))?;
    /// assert!(!transport.health().submits);
    /// # Ok::<(), countersign_smpp::SmppError>(())
    /// ```
    ///
    /// # Errors
    /// When the configuration is wrong, or the operating system gives no thread.
    pub fn start(config: SmppConfig) -> Result<Arc<Self>, SmppError> {
        let bind = config.bind;
        let settings = Arc::new(Settings::new(config)?);
        let (jobs, jobs_of_thread) = mpsc::channel(WAITING_MAX);
        let (receipts_of_thread, receipts) = mpsc::channel(settings.receipts_max);
        let (health_of_thread, health) = watch::channel(SmppHealth::default());
        let (ended_of_thread, ended) = watch::channel(());
        let (stop, stop_of_thread) = Stop::new();
        let work = Work {
            settings: Arc::clone(&settings),
            bind,
            jobs: jobs_of_thread,
            receipts: receipts_of_thread,
            health: health_of_thread,
            stop: stop_of_thread,
            _ended: ended_of_thread,
        };
        let (started, is_started) = std::sync::mpsc::sync_channel(1);
        let body = move || {
            let runtime = Builder::new_current_thread().enable_all().build();
            let _ = started.send(runtime.is_ok());
            if let Ok(runtime) = runtime {
                run(runtime, work);
            }
        };
        thread::Builder::new().name("smpp".to_owned()).spawn(body).map_err(|_| SmppError::Thread)?;
        if !matches!(is_started.recv(), Ok(true)) {
            return Err(SmppError::Thread);
        }
        Ok(Arc::new(Self { settings, jobs, inbox: Mutex::new(Inbox::new(receipts)), health, stop, ended }))
    }

    /// How the links are now.
    ///
    /// ```
    /// fn ready(transport: &countersign_smpp::SmppTransport) -> bool { transport.health().submits }
    /// ```
    #[must_use]
    pub fn health(&self) -> SmppHealth {
        *self.health.borrow()
    }

    /// Waits until the links are as wanted, and says how they are then, or when the transport is closed.
    ///
    /// ```
    /// async fn bound(transport: &countersign_smpp::SmppTransport) {
    ///     transport.wait_for(|health| health.submits && health.receipts).await;
    /// }
    /// ```
    pub async fn wait_for(&self, mut wanted: impl FnMut(&SmppHealth) -> bool + Send) -> SmppHealth {
        let mut health = self.health.clone();
        let found = health.wait_for(|health| wanted(health)).await.map(|health| *health);
        found.unwrap_or_else(|_| self.health())
    }

    /// Unbinds and ends the thread. What is not answered then stays unknown; what comes later is unavailable. Receipts that
    /// are not acknowledged then stay with the SMSC.
    ///
    /// ```
    /// async fn stop(transport: &countersign_smpp::SmppTransport) {
    ///     transport.close();
    ///     transport.closed().await;
    /// }
    /// ```
    pub fn close(&self) {
        self.stop.send_replace(true);
    }

    /// Waits for the end of the thread, and does not keep the transport from being dropped.
    ///
    /// ```
    /// async fn drop_and_wait(transport: std::sync::Arc<countersign_smpp::SmppTransport>) {
    ///     let closed = transport.closed();
    ///     drop(transport);
    ///     closed.await;
    /// }
    /// ```
    pub fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut ended = self.ended.clone();
        async move { while ended.changed().await.is_ok() {} }
    }
}

#[async_trait]
impl SmsTransport for SmppTransport {
    async fn submit(&self, message: SmsMessage) -> Result<SmsAccepted, SmsFailure> {
        let (reply, outcome) = oneshot::channel();
        let now = Instant::now();
        let until = now.checked_add(message.life.min(pdu::VALIDITY_MAX)).unwrap_or(now);
        let job = Job { message: pdu::submit_sm(&self.settings.source, &message)?, until, reply };
        self.jobs.try_send(job).map_err(|full| match full {
            TrySendError::Full(_) => SmsFailure::Throttled { retry_after: None },
            TrySendError::Closed(_) => SmsFailure::Unavailable,
        })?;
        let outcome = outcome.await.unwrap_or(Err(SmsFailure::Unknown));
        match &outcome {
            Ok(accepted) => {
                let message_id = accepted.message_id.as_deref();
                tracing::debug!(to = %message.to, challenge = %message.challenge, message_id, "a message was accepted");
            }
            Err(cause) => {
                tracing::info!(to = %message.to, challenge = %message.challenge, %cause, "a message was not accepted");
            }
        }
        outcome
    }

    async fn receipt(&self) -> Option<SmsReceipt> {
        self.inbox.lock().await.next().await
    }
}

impl fmt::Debug for SmppTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { host, port, .. } = &*self.settings;
        f.debug_struct("SmppTransport")
            .field("host", host)
            .field("port", port)
            .field("health", &self.health())
            .finish_non_exhaustive()
    }
}

/// What the thread does.
fn run(runtime: Runtime, work: Work) {
    runtime.block_on(keep(work));
    // Looking up a name may take longer than anybody waits.
    runtime.shutdown_background();
}

async fn keep(work: Work) {
    let Work { settings, bind, jobs, receipts, health, mut stop, _ended } = work;
    let (client, client_of_messages) = watch::channel(None::<LivelyClient>);
    let roles: &[Role] = match bind {
        BindMode::Transceiver => &[Role::Transceiver],
        BindMode::Separate => &[Role::Transmitter, Role::Receiver],
    };
    let mut links = JoinSet::new();
    for role in roles {
        let (settings, health, client) = (Arc::clone(&settings), health.clone(), client.clone());
        let link = Link { settings, role: *role, health, client, receipts: receipts.clone(), stop: stop.clone() };
        links.spawn(link.run());
    }
    drop(receipts);
    tokio::select! {
        () = stop.stopped() => {}
        () = dispatch::run(settings, client_of_messages, jobs) => {}
    }
    // The links were told as well.
    let _ = timeout(FAREWELL_MAX, async { while links.join_next().await.is_some() {} }).await;
}
