//! A gateway of text messages that loses, delays, repeats and reports, as the dice say.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use countersign::*;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::chance::{Death, NodeClock, Shaker, pass_ms};
use crate::outbox::gateway::{Asked, Reply};

/// How a gateway does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    #[default]
    Works,
    /// Anything may come of a message.
    Moody,
    Down,
    /// It takes nothing from us.
    Refuses,
}

/// How long its answer is waited for.
pub const SUBMIT_TIME_MAX: Duration = Duration::from_secs(10);

/// The gateway.
pub struct Gate {
    name: &'static str,
    clock: NodeClock,
    dice: Shaker,
    state: Mutex<State>,
    news: Notify,
}

#[derive(Default)]
struct State {
    asked: Vec<Asked>,
    mood: Mood,
    /// What it answers next, whatever the dice say.
    next: VecDeque<Reply>,
    /// Reports to come, and after how long.
    reports: VecDeque<(u64, SmsReceipt)>,
    tries: Vec<Try>,
}

/// A try of a message: from when it was begun until nobody waits for its answer any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Try {
    challenge: ChallengeId,
    begun: Instant,
    ended: Option<Instant>,
}

/// Ends a try when it is dropped, whatever happened to it.
struct Trying {
    gate: Arc<Gate>,
    death: Death,
    number: usize,
}

impl Drop for Trying {
    fn drop(&mut self) {
        let mut state = self.gate.state.lock().unwrap();
        let tried = &mut state.tries[self.number];
        // Of a process that died, the gateway may go on with what it was asked as long as it is given.
        let answer_max = if self.death.is_there() { SUBMIT_TIME_MAX } else { Duration::ZERO };
        tried.ended = Some(if answer_max.is_zero() { Instant::now() } else { tried.begun + answer_max });
    }
}

/// No message is tried while a try of it is under way, by whichever gateway.
pub fn one_try_at_a_time(gates: &[Arc<Gate>]) {
    let mut tries: Vec<Try> = gates.iter().flat_map(|gate| gate.state.lock().unwrap().tries.clone()).collect();
    tries.sort_unstable();
    for pair in tries.windows(2).filter(|pair| pair[0].challenge == pair[1].challenge) {
        assert!(pair[0].ended.is_some_and(|ended| ended <= pair[1].begun), "two tries at once: {pair:?}");
    }
}

impl Gate {
    pub fn new(name: &'static str, clock: &NodeClock, dice: &Shaker) -> Arc<Self> {
        let (clock, dice, state) = (clock.clone(), dice.clone(), Mutex::default());
        Arc::new(Self { name, clock, dice, state, news: Notify::new() })
    }

    /// From now on it does so.
    pub fn set(&self, mood: Mood) {
        self.state.lock().unwrap().mood = mood;
    }

    /// What it answers next.
    pub fn answers(&self, reply: Reply) {
        self.state.lock().unwrap().next.push_back(reply);
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.state.lock().unwrap().asked.clone()
    }

    /// A process's way to it.
    pub fn line(self: &Arc<Self>, death: &Death) -> Arc<Line> {
        Arc::new(Line { gate: Arc::clone(self), death: death.clone() })
    }

    fn choose(&self, mood: Mood) -> Reply {
        match mood {
            Mood::Works => return Reply::Take,
            Mood::Down => return self.dice.pick(&[Reply::Fail(SmsFailure::Unavailable), Reply::Hang]),
            Mood::Refuses => return Reply::Fail(SmsFailure::Refused),
            Mood::Moody => {}
        }
        let again = Duration::from_millis(200 + self.dice.below(4000));
        match self.dice.below(14) {
            0..5 => Reply::Take,
            5 => Reply::TakeNameless,
            6 | 7 => Reply::TakeSilently,
            8 => Reply::Hang,
            9 => Reply::Fail(SmsFailure::Throttled { retry_after: Some(again) }),
            10 => Reply::Fail(SmsFailure::Unavailable),
            11 => Reply::Fail(SmsFailure::Unknown),
            12 => Reply::Fail(self.dice.pick(&[SmsFailure::Refused, SmsFailure::InvalidNumber])),
            _ => Reply::Panic,
        }
    }

    /// Reports that come of a message: none, one, the same one twice, or one of a message that nobody knows.
    fn report(&self, name: &str) {
        let delivery = self.dice.pick(SmsDelivery::ALL);
        let receipt = SmsReceipt { message_id: name.to_owned(), delivery };
        let mut state = self.state.lock().unwrap();
        for _ in 0..self.dice.pick(&[0, 1, 1, 2]) {
            state.reports.push_back((self.dice.below(3000), receipt.clone()));
        }
        if self.dice.one_in(5) {
            state.reports.push_back((0, SmsReceipt { message_id: "nobody".to_owned(), delivery }));
        }
        self.news.notify_one();
    }

    fn begin(self: &Arc<Self>, message: &SmsMessage, death: &Death) -> Trying {
        let mut state = self.state.lock().unwrap();
        state.tries.push(Try { challenge: message.challenge, begun: Instant::now(), ended: None });
        Trying { gate: Arc::clone(self), death: death.clone(), number: state.tries.len() - 1 }
    }

    fn take_down(&self, message: &SmsMessage) -> Asked {
        let mut state = self.state.lock().unwrap();
        let reply = state.next.pop_front().unwrap_or_else(|| self.choose(state.mood));
        let asked = Asked {
            at: self.clock.read(),
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
        asked
    }
}

/// A gateway as one process sees it.
pub struct Line {
    gate: Arc<Gate>,
    death: Death,
}

#[async_trait]
impl SmsTransport for Line {
    async fn submit(&self, message: SmsMessage) -> Result<SmsAccepted, SmsFailure> {
        if self.death.is_there() {
            return std::future::pending().await;
        }
        let asked = self.gate.take_down(&message);
        let _under_way = self.gate.begin(&message, &self.death);
        if self.gate.dice.one_in(4) {
            // The report may be quicker than the answer.
            self.gate.report(&asked.name);
        }
        pass_ms(self.gate.dice.pick(&[0, 1, 20, 900, 4000])).await;
        match asked.reply {
            Reply::Take | Reply::TakeLater => {
                self.gate.report(&asked.name);
                Ok(SmsAccepted { message_id: Some(asked.name) })
            }
            Reply::TakeNameless => Ok(SmsAccepted { message_id: None }),
            Reply::TakeSilently | Reply::Hang => std::future::pending().await,
            Reply::Fail(failure) => Err(failure),
            Reply::Panic => panic!("a planted panic"),
        }
    }

    async fn receipt(&self) -> Option<SmsReceipt> {
        loop {
            let next = self.gate.state.lock().unwrap().reports.front().cloned();
            match next {
                Some((ms, receipt)) => {
                    pass_ms(ms).await;
                    if self.gate.state.lock().unwrap().reports.pop_front().is_some() {
                        return Some(receipt);
                    }
                }
                None => self.gate.news.notified().await,
            }
        }
    }
}
