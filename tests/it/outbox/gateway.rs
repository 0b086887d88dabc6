//! A gateway that answers as a test scripts it, and remembers what it was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use countersign::*;
use tokio::sync::{Mutex as Turn, mpsc, watch};

use countersign::testing::VirtualClock;

/// What a gateway does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It takes it, and says so.
    Take,
    /// It takes it and says so, without a name of its own for it.
    TakeNameless,
    /// It takes it, and its answer never comes.
    TakeSilently,
    /// It takes it, and its answer comes when [`Gateway::release`] is called.
    TakeLater,
    /// It does not, and says why.
    Fail(SmsFailure),
    /// It does not, and never says anything.
    Hang,
    /// The code that speaks to it has a fault.
    Panic,
}

impl Reply {
    /// Whether the message was taken, whoever knows of it.
    pub fn takes(self) -> bool {
        matches!(self, Self::Take | Self::TakeNameless | Self::TakeSilently | Self::TakeLater)
    }
}

/// One time that it was asked to take a message.
#[derive(Clone, Debug)]
pub struct Asked {
    pub at: UnixMillis,
    pub key: SmsKey,
    pub challenge: ChallengeId,
    pub to: String,
    pub code: String,
    pub text: String,
    pub debugged: String,
    pub until: UnixMillis,
    pub life_ms: u64,
    pub reply: Reply,
    /// What the gateway calls the message.
    pub name: String,
}

type Script = Box<dyn FnMut(&SmsMessage) -> Reply + Send>;

/// The double.
pub struct Gateway {
    name: &'static str,
    clock: Arc<VirtualClock>,
    state: Mutex<State>,
    reports: mpsc::UnboundedSender<SmsReceipt>,
    to_report: Turn<mpsc::UnboundedReceiver<SmsReceipt>>,
    /// Moves at whatever happens here.
    news: watch::Sender<u64>,
    released: watch::Sender<u64>,
}

struct State {
    asked: Vec<Asked>,
    next: VecDeque<Reply>,
    otherwise: Script,
    /// Counts up when the process that asks has died: what it still asks was never sent.
    life: u64,
    /// It knows the keys of the messages that it took.
    idempotent: bool,
}

impl Gateway {
    /// One that takes everything.
    pub fn new(name: &'static str, clock: &Arc<VirtualClock>) -> Arc<Self> {
        let (reports, to_report) = mpsc::unbounded_channel();
        let state = State {
            asked: Vec::new(),
            next: VecDeque::new(),
            otherwise: Box::new(|_| Reply::Take),
            life: 0,
            idempotent: false,
        };
        Arc::new(Self {
            name,
            clock: Arc::clone(clock),
            state: Mutex::new(state),
            reports,
            to_report: Turn::new(to_report),
            news: watch::channel(0).0,
            released: watch::channel(0).0,
        })
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The route to it, to everywhere.
    pub fn route(self: &Arc<Self>) -> SmsRoute {
        SmsRoute::new(self.name, self.line())
    }

    /// The route to it, to some numbers.
    pub fn route_to(self: &Arc<Self>, prefixes: &[&str]) -> SmsRoute {
        SmsRoute { prefixes: prefixes.iter().map(|prefix| (*prefix).to_owned()).collect(), ..self.route() }
    }

    /// What it answers next, one after the other.
    pub fn next(&self, replies: impl IntoIterator<Item = Reply>) {
        self.state.lock().unwrap().next.extend(replies);
    }

    /// What it answers to all that follow.
    pub fn always(&self, reply: Reply) {
        self.answer_by(move |_| reply);
    }

    /// What it answers to all that follow, by what they are.
    pub fn answer_by(&self, script: impl FnMut(&SmsMessage) -> Reply + Send + 'static) {
        self.state.lock().unwrap().otherwise = Box::new(script);
    }

    /// From now on it says of itself that it takes no key twice.
    pub fn knows_keys(&self) {
        self.state.lock().unwrap().idempotent = true;
    }

    /// Everything that it was asked, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.state.lock().unwrap().asked.clone()
    }

    pub fn asked_of(&self, challenge: ChallengeId) -> Vec<Asked> {
        let mut asked = self.asked();
        asked.retain(|asked| asked.challenge == challenge);
        asked
    }

    pub fn times(&self) -> usize {
        self.state.lock().unwrap().asked.len()
    }

    /// Reports on a message by itself.
    pub fn report(&self, name: &str, delivery: SmsDelivery) {
        self.reports.send(SmsReceipt { message_id: name.to_owned(), delivery }).unwrap();
    }

    /// Gives the answers that were held back.
    pub fn release(&self) {
        self.released.send_modify(|count| *count += 1);
    }

    /// What `Debug` said of each message.
    pub fn debugged(&self) -> Vec<String> {
        self.state.lock().unwrap().asked.iter().map(|asked| asked.debugged.clone()).collect()
    }

    /// Moves whenever it is asked or has answered.
    pub fn news(&self) -> u64 {
        *self.news.borrow()
    }

    /// What the process asks from now on never gets out of it.
    pub fn cut_off(&self) {
        self.state.lock().unwrap().life += 1;
    }

    fn note(&self) {
        self.news.send_modify(|count| *count += 1);
    }

    fn take_down(&self, message: &SmsMessage, life: u64) -> Option<Asked> {
        let mut state = self.state.lock().unwrap();
        if state.life != life {
            return None;
        }
        let reply = state.next.pop_front().unwrap_or_else(|| (state.otherwise)(message));
        let asked = Asked {
            at: self.clock.now(),
            key: message.key,
            challenge: message.challenge,
            to: message.to.e164().to_owned(),
            code: message.code.expose().to_owned(),
            text: message.text().to_owned(),
            debugged: format!("{message:?}"),
            until: message.until,
            life_ms: u64::try_from(message.life.as_millis()).unwrap(),
            reply,
            name: format!("{}-{}", self.name, state.asked.len()),
        };
        state.asked.push(asked.clone());
        Some(asked)
    }

    /// A process's own way to it. It ends with the process: see [`Self::cut_off`].
    pub fn line(self: &Arc<Self>) -> Arc<Line> {
        Arc::new(Line { life: self.state.lock().unwrap().life, gateway: Arc::clone(self) })
    }

    async fn submit_in(&self, message: SmsMessage, life: u64) -> Result<SmsAccepted, SmsFailure> {
        let mut released = self.released.subscribe();
        let Some(asked) = self.take_down(&message, life) else { return std::future::pending().await };
        self.note();
        let answer = match asked.reply {
            Reply::Take => Ok(SmsAccepted { message_id: Some(asked.name) }),
            Reply::TakeNameless => Ok(SmsAccepted { message_id: None }),
            Reply::TakeLater => {
                released.changed().await.unwrap();
                Ok(SmsAccepted { message_id: Some(asked.name) })
            }
            Reply::TakeSilently | Reply::Hang => std::future::pending().await,
            Reply::Fail(failure) => Err(failure),
            Reply::Panic => panic!("a fault of the transport"),
        };
        self.note();
        answer
    }

    fn read_callback(callback: &SmsCallback<'_>) -> Result<Option<SmsReceipt>, SmsCallbackError> {
        if callback.header("x-signature") != Some("genuine") {
            return Err(SmsCallbackError::Signature);
        }
        let text = std::str::from_utf8(callback.body).map_err(|_| SmsCallbackError::Malformed)?;
        let Some((name, number)) = text.split_once(' ') else { return Err(SmsCallbackError::Malformed) };
        let delivery = number.parse::<u8>().ok().and_then(|number| SmsDelivery::try_from(number).ok());
        let delivery = delivery.ok_or(SmsCallbackError::Malformed)?;
        Ok(Some(SmsReceipt { message_id: name.to_owned(), delivery }))
    }
}

/// A gateway as one process sees it.
pub struct Line {
    gateway: Arc<Gateway>,
    life: u64,
}

#[async_trait]
impl SmsTransport for Line {
    async fn submit(&self, message: SmsMessage) -> Result<SmsAccepted, SmsFailure> {
        self.gateway.submit_in(message, self.life).await
    }

    async fn receipt(&self) -> Option<SmsReceipt> {
        self.gateway.to_report.lock().await.recv().await
    }

    fn is_idempotent(&self) -> bool {
        self.gateway.state.lock().unwrap().idempotent
    }

    fn callback(&self, callback: &SmsCallback<'_>) -> Result<Option<SmsReceipt>, SmsCallbackError> {
        Gateway::read_callback(callback)
    }
}
