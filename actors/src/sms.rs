//! Codes by SMS: whether one may be sent, by which gateway, and the actors that send it.
//!
//! ```text
//! a decision ──> the log: SmsCodeIssued, SmsQueued ──────────────┐ its own position in the log
//!                                                       ┌────────▼────────┐
//!      the principal's actor <── may I? it ended so ────│ a sender a route │──> a courier: window, rate,
//!      (decides and records each try before it is made) └─────────────────┘    circuit ──> the gateway
//! ```
//!
//! A clock may be set while something waits. Set forwards, it ends what is due by then. Set back, it makes nobody wait: what
//! waits for a span of time waits for that span, and the next try of a code is at most two minutes late
//! (`LEASE_MS_MAX`, A40), the longest that a try may be under way.
//!
//! The log is the outbox. A sender follows it from a position of its own, and asks the principal before every try, who
//! alone knows whether the code is still waited for: what a sender does twice, the principal decides once.

mod admission;
mod carry;
mod courier;
mod door;
mod follow;
mod guard;
mod news;
mod numbers;
mod pause;
mod queue;
mod receipts;
mod sender;
mod step;
mod text;

pub(crate) use admission::{Admission, Hold};
pub(crate) use courier::Courier;
pub use courier::SmsHealth;
pub(crate) use door::Door;
pub(crate) use guard::suspects;
pub(crate) use news::News;
pub(crate) use receipts::receive;
pub(crate) use sender::Senders;
pub use text::{SmsEncoding, SmsText, SmsTextError};

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use countersign_domain::device::PhoneNumber;
use countersign_domain::ids::UnixMillis;
use countersign_domain::sms::{Prefix, RouteName};
use tokio::sync::watch;

use crate::sent::MarkKey;
use crate::transports::{SmsReceipt, SmsRoute};
use crate::views::BudgetKey;

/// Routes that a deployment has at most.
const ROUTES_MAX: usize = 16;
/// Receipts of messages that nobody knows yet, kept for a while: they may come before the gateway's own answer.
const PARKED_MAX: usize = 1024;
/// For how long, in milliseconds.
const PARKED_MS: u64 = 120_000;
/// Codes after which it is looked whether they come back.
const LOOK_EVERY: u64 = 100;
/// Commands that the senders may have under way at once.
pub(crate) const SENDERS_MAX: usize = 128;
/// The lane of a deployment without routes.
const NOWHERE: &str = "none";

/// What senders, principals and the facade share.
pub(crate) struct SmsDesk {
    pub(crate) couriers: Vec<Courier>,
    pub(crate) text: SmsText,
    marks: MarkKey,
    /// What is being decided on and is not in the views yet.
    held: Mutex<HashMap<BudgetKey, u64>>,
    parked: Mutex<VecDeque<(UnixMillis, RouteName, SmsReceipt)>>,
    /// Codes that were asked for.
    asked: AtomicU64,
    /// Moves when something that a sender follows is in the log.
    pub(crate) queued: News,
    /// Moves when a try has ended.
    pub(crate) ended: News,
    /// Messages that are being carried.
    pub(crate) carried: watch::Sender<usize>,
    /// No more are to be begun: the engine closes.
    pub(crate) draining: watch::Sender<bool>,
}

impl SmsDesk {
    /// A desk for routes that were checked.
    pub(crate) fn new(routes: &[SmsRoute], text: SmsText, marks: MarkKey) -> Self {
        let named = |route: &SmsRoute| Some(Courier::new(RouteName::new(&route.name)?, route.clone()));
        let couriers = routes.iter().filter_map(named).collect();
        let (queued, ended) = (News::default(), News::default());
        let ((carried, _), (draining, _)) = (watch::channel(0), watch::channel(false));
        let (held, parked, asked) = (Mutex::default(), Mutex::default(), AtomicU64::new(1));
        Self { asked, couriers, text, marks, held, parked, queued, ended, carried, draining }
    }

    pub(crate) fn courier(&self, name: &RouteName) -> Option<&Courier> {
        self.couriers.iter().find(|courier| courier.name == *name)
    }

    /// The routes that carry to a number, the best first.
    pub(crate) fn routes_to(&self, to: &Prefix) -> Vec<&Courier> {
        let mut fitting: Vec<(usize, &Courier)> =
            self.couriers.iter().filter_map(|courier| Some((courier.fit(to)?, courier))).collect();
        // Stable: of two that fit as well, the one listed first comes first.
        fitting.sort_by_key(|(fit, _)| std::cmp::Reverse(*fit));
        fitting.into_iter().map(|(_, courier)| courier).collect()
    }

    /// Whose turn it is first for a number.
    pub(crate) fn first_route(&self, to: &Prefix) -> Option<RouteName> {
        let first = self.routes_to(to).first().map(|courier| courier.name.clone());
        first.or_else(|| self.lanes().into_iter().next())
    }

    /// The lanes of the outbox: one a route; without routes, one that gives everything up.
    pub(crate) fn lanes(&self) -> Vec<RouteName> {
        let names: Vec<RouteName> = self.couriers.iter().map(|courier| courier.name.clone()).collect();
        if names.is_empty() { RouteName::new(NOWHERE).into_iter().collect() } else { names }
    }

    /// A mark of a number: the same for the same number, and no way back.
    fn mark(&self, number: &PhoneNumber) -> [u8; 16] {
        self.marks.mark_number(number)
    }

    /// Whether it is time to look whether codes come back: at every hundredth code.
    pub(crate) fn looks_for_alarms(&self) -> bool {
        self.asked.fetch_add(1, Ordering::Relaxed).is_multiple_of(LOOK_EVERY)
    }

    /// Keeps a receipt that nobody knows yet.
    fn park(&self, now: UnixMillis, route: &RouteName, receipt: SmsReceipt) {
        let mut parked = self.parked.lock().unwrap_or_else(PoisonError::into_inner);
        // The name may be given again later, to a message of somebody else.
        parked.retain(|(at, ..)| at.0.abs_diff(now.0) < PARKED_MS);
        if parked.len() >= PARKED_MAX {
            parked.pop_front();
        }
        parked.push_back((now, route.clone(), receipt));
    }

    /// The receipts of a message that were there before it was known.
    fn unpark(&self, route: &RouteName, message_id: &str) -> Vec<SmsReceipt> {
        let mut parked = self.parked.lock().unwrap_or_else(PoisonError::into_inner);
        let (mine, others) = parked
            .drain(..)
            .partition::<VecDeque<_>, _>(|(_, of, receipt)| of == route && receipt.message_id == message_id);
        *parked = others;
        mine.into_iter().map(|(_, _, receipt)| receipt).collect()
    }
}

impl fmt::Debug for SmsDesk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SmsDesk {{ routes: {} }}", self.couriers.len())
    }
}

/// Why routes cannot be used.
///
/// ```
/// use countersign::{Config, Countersign, DevelopmentTransports, SmsRoute, Transports};
///
/// let route = SmsRoute::new("Main Route", DevelopmentTransports::new(false));
/// let config = Config { transports: Transports { sms: vec![route], ..Transports::default() }, ..Config::default() };
/// assert!(Countersign::in_memory(config).unwrap_err().to_string().contains("route"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SmsRouteError {
    /// There are more than 16.
    TooMany,
    /// A name is none.
    Name(String),
    /// Two have one name.
    NameTwice(String),
    /// A prefix is none, or longer than a `+` and seven digits.
    Prefix(String),
    /// A number of a route is out of its range.
    Number {
        /// The route.
        route: String,
        /// The field.
        field: &'static str,
    },
    /// The text is no SMS.
    Text(SmsTextError),
}

impl fmt::Display for SmsRouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => write!(f, "there are more than {ROUTES_MAX} SMS routes"),
            Self::Name(name) => write!(f, "the SMS route `{name}` needs a name of 1 to 32 of `a-z`, `0-9` and `-`"),
            Self::NameTwice(name) => write!(f, "there are two SMS routes `{name}`"),
            Self::Prefix(prefix) => write!(f, "the SMS route's prefix `{prefix}` is no `+` and 1 to 7 digits"),
            Self::Number { route, field } => write!(f, "`{field}` of the SMS route `{route}` is out of its range"),
            Self::Text(cause) => cause.fmt(f),
        }
    }
}

impl std::error::Error for SmsRouteError {}

/// Checks routes and the text that they carry.
pub(crate) fn check(routes: &[SmsRoute], text: &SmsText) -> Result<(), SmsRouteError> {
    text.check().map_err(SmsRouteError::Text)?;
    if routes.len() > ROUTES_MAX {
        return Err(SmsRouteError::TooMany);
    }
    let mut names = HashSet::new();
    for route in routes {
        let name = || route.name.clone();
        if RouteName::new(&route.name).is_none() || route.name == NOWHERE {
            return Err(SmsRouteError::Name(name()));
        }
        if !names.insert(&route.name) {
            return Err(SmsRouteError::NameTwice(name()));
        }
        if let Some(bad) = route.prefixes.iter().find(|text| text.len() > 8 || Prefix::new(text).is_none()) {
            return Err(SmsRouteError::Prefix(bad.clone()));
        }
        let time_ms = route.submit_time_max.as_millis();
        let ranges = [
            ("per_second_max", (1..=10_000).contains(&route.per_second_max)),
            ("in_flight_max", (1..=1000).contains(&route.in_flight_max)),
            ("submit_time_max", (1000..=60_000).contains(&time_ms)),
            ("price_micros", route.price_micros <= 1_000_000_000_000),
        ];
        if let Some((field, _)) = ranges.into_iter().find(|(_, good)| !good) {
            return Err(SmsRouteError::Number { route: name(), field });
        }
    }
    Ok(())
}
