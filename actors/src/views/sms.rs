//! What became of the codes that were to be sent: the messages of the last days, what they cost, and how many came back.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use countersign_domain::decide::MESSAGE_ID_BYTES_MAX;
use countersign_domain::event::{
    Event, SmsDelivery, SmsDropReason, SmsQueued, SmsSubmitFailed, SmsSubmitFault, SmsSubmitted, SmsSubmitting,
};
use countersign_domain::ids::{AccountId, ChallengeId, StreamId, UnixMillis, Version};
use countersign_domain::sms::{Country, Destination, Prefix, RouteName, SmsBudget};
use serde::{Deserialize, Serialize};

/// Messages that are remembered; a receipt of an older one is of nobody.
const MESSAGES_MAX: usize = 50_000;
/// For how long they are remembered: what a gateway reports after three days is not worth much.
const REMEMBERED_MS: u64 = 72 * 3600 * 1000;
/// Lines of the report; what comes after goes under the prefix of all others.
const LINES_MAX: usize = 10_000;
/// Days over which it is counted how many codes come back; the present one counts as begun.
const CONVERSION_DAY_MS: u64 = 24 * 3600 * 1000;

/// How far a message came.
///
/// ```
/// use countersign::{SmsDelivery, SmsState};
/// assert!(!SmsState::Reported(SmsDelivery::Delivered).is_given_up());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SmsState {
    /// It waits for its turn, or for its next try.
    Waiting,
    /// A gateway is being asked.
    Submitting,
    /// A gateway took it.
    Taken,
    /// A gateway reported on it.
    Reported(SmsDelivery),
    /// It is not sent any more.
    Dropped(SmsDropReason),
}

impl SmsState {
    /// Whether the person waits in vain: it will not be sent, or did not arrive.
    ///
    /// ```
    /// use countersign::{SmsDropReason, SmsState};
    /// assert!(SmsState::Dropped(SmsDropReason::NoRoute).is_given_up());
    /// assert!(!SmsState::Dropped(SmsDropReason::Unknown).is_given_up(), "it may have arrived");
    /// ```
    #[must_use]
    pub const fn is_given_up(self) -> bool {
        match self {
            Self::Waiting | Self::Submitting | Self::Taken | Self::Dropped(SmsDropReason::Unknown) => false,
            Self::Reported(delivery) => delivery.is_final() && !matches!(delivery, SmsDelivery::Delivered),
            Self::Dropped(_) => true,
        }
    }
}

/// A message, as the views keep it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MessageRow {
    pub(crate) challenge: ChallengeId,
    pub(crate) principal: StreamId,
    pub(crate) account: Option<AccountId>,
    pub(crate) decision: Version,
    /// Whose turn it was first.
    pub(crate) lane: RouteName,
    /// Who was asked last.
    pub(crate) route: RouteName,
    pub(crate) destination: Destination,
    pub(crate) queued_at: UnixMillis,
    pub(crate) until: UnixMillis,
    pub(crate) state: SmsState,
    pub(crate) submits: u8,
    /// What the try under way costs, if it is taken, and the window that it counts in.
    pub(crate) price_micros: u64,
    price_window: u64,
    /// What all tries cost that were taken, or may have been.
    pub(crate) cost_micros: u64,
    pub(crate) message_id: Option<String>,
    pub(crate) used: bool,
    /// It counts, or has counted, among those that come back or do not.
    counted: bool,
}

impl MessageRow {
    /// Whether it counts among those that come back or do not: what no gateway took says nothing of the people behind
    /// a prefix.
    const fn was_sent(&self) -> bool {
        matches!(self.state, SmsState::Taken | SmsState::Reported(_))
    }
}

/// A line of the report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) taken: u64,
    pub(crate) delivered: u64,
    pub(crate) undelivered: u64,
    pub(crate) unknown: u64,
    pub(crate) failed: u64,
    pub(crate) dropped: u64,
    pub(crate) used: u64,
    pub(crate) cost_micros: u64,
}

/// Whose line it is.
pub(crate) type LineKey = (Option<AccountId>, RouteName, Prefix, Country);

/// How many codes to a prefix were used, of those whose time is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Conversion {
    day: u64,
    before: (u32, u32),
    today: (u32, u32),
}

impl Conversion {
    fn count(&mut self, at: UnixMillis, used: bool) {
        self.turn(at);
        self.today.0 = self.today.0.saturating_add(1);
        self.today.1 = self.today.1.saturating_add(u32::from(used));
    }

    fn turn(&mut self, at: UnixMillis) {
        let day = at.0 / CONVERSION_DAY_MS;
        if day > self.day {
            self.before = if day == self.day + 1 { self.today } else { (0, 0) };
            (self.day, self.today) = (day, (0, 0));
        }
    }

    /// Codes that were sent and are settled, and codes of these that were used, today and the day before.
    pub(crate) fn counts(mut self, at: UnixMillis) -> (u32, u32) {
        self.turn(at);
        (self.before.0.saturating_add(self.today.0), self.before.1.saturating_add(self.today.1))
    }
}

/// A prefix that nothing is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Blocked {
    pub(crate) sent: u32,
    pub(crate) used: u32,
    pub(crate) until: UnixMillis,
}

/// What is counted in the present budget window.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spent {
    pub(crate) window: u64,
    counts: HashMap<BudgetKey, u32, foldhash::fast::RandomState>,
    pub(crate) micros: u64,
}

/// What a budget is of.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum BudgetKey {
    Number([u8; 16]),
    Prefix(Prefix),
    Country(Country),
    Account(AccountId),
    Money,
}

impl BudgetKey {
    /// Everything that a code counts in.
    pub(crate) fn all(destination: &Destination, account: AccountId) -> [(Self, SmsBudget); 4] {
        [
            (Self::Number(destination.number), SmsBudget::Number),
            (Self::Prefix(destination.prefix.clone()), SmsBudget::Prefix),
            (Self::Country(destination.country), SmsBudget::Country),
            (Self::Account(account), SmsBudget::Account),
        ]
    }
}

/// Everything that is known of codes by SMS.
#[derive(Clone, Debug, Default)]
pub(crate) struct SmsViews {
    /// Length of a budget window, in milliseconds.
    pub(crate) window_ms: u64,
    pub(crate) messages: HashMap<ChallengeId, MessageRow, foldhash::fast::RandomState>,
    order: VecDeque<ChallengeId>,
    by_message_id: HashMap<(RouteName, String), ChallengeId>,
    /// Those whose time is not over.
    unsettled: BTreeSet<(UnixMillis, ChallengeId)>,
    pub(crate) lines: BTreeMap<LineKey, Line>,
    pub(crate) conversion: BTreeMap<Prefix, Conversion>,
    pub(crate) blocked: BTreeMap<Prefix, Blocked>,
    pub(crate) spent: Spent,
}

impl SmsViews {
    /// Nothing folded yet.
    pub(super) fn empty(window_ms: u64) -> Self {
        Self { window_ms, ..Self::default() }
    }

    /// The budget window of an instant; one that has begun does not end early when the clock is set back.
    pub(crate) fn window_at(&self, now: UnixMillis) -> u64 {
        (now.0 / self.window_ms.max(1)).max(self.spent.window)
    }

    /// What was counted in the window of an instant.
    pub(crate) fn count(&self, key: &BudgetKey, now: UnixMillis) -> u64 {
        if self.window_at(now) != self.spent.window {
            return 0;
        }
        match key {
            BudgetKey::Money => self.spent.micros,
            key => self.spent.counts.get(key).copied().unwrap_or(0).into(),
        }
    }

    /// When the window of an instant ends.
    pub(crate) fn window_end(&self, now: UnixMillis) -> UnixMillis {
        UnixMillis(self.window_at(now).saturating_add(1).saturating_mul(self.window_ms))
    }

    pub(crate) fn by_message_id(&self, route: &RouteName, id: &str) -> Option<&MessageRow> {
        let challenge = self.by_message_id.get(&(route.clone(), id.to_owned()))?;
        self.messages.get(challenge)
    }

    /// Codes to a prefix that were sent and whose time is over, and those of them that were used; also those that nothing
    /// was recorded after.
    pub(crate) fn conversion_at(&self, prefix: &Prefix, now: UnixMillis) -> (u32, u32) {
        let (sent, used) = self.conversion.get(prefix).map_or((0, 0), |conversion| conversion.counts(now));
        let over = self.unsettled.iter().take_while(|(until, _)| *until <= now);
        let rows = over.filter_map(|(_, challenge)| self.messages.get(challenge));
        let unused = rows.filter(|row| row.destination.prefix == *prefix && row.was_sent()).count();
        (sent.saturating_add(u32::try_from(unused).unwrap_or(u32::MAX)), used)
    }

    /// Prefixes that codes were sent to whose time is over.
    pub(crate) fn prefixes_at(&self, now: UnixMillis) -> BTreeSet<Prefix> {
        let over = self.unsettled.iter().take_while(|(until, _)| *until <= now);
        let rows = over.filter_map(|(_, challenge)| self.messages.get(challenge));
        self.conversion.keys().cloned().chain(rows.map(|row| row.destination.prefix.clone())).collect()
    }

    /// The messages, newest first.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = &MessageRow> {
        self.order.iter().rev().filter_map(|challenge| self.messages.get(challenge))
    }

    /// Folds an event of a principal's or the guard's stream; `account` is whose the principal is.
    pub(super) fn fold(&mut self, stream: StreamId, account: Option<AccountId>, event: &Event, at: UnixMillis) {
        self.settle(at);
        match event {
            Event::SmsQueued(queued) => self.queued(stream, account, queued, at),
            Event::SmsSubmitting(submitting) => self.submitting(submitting, at),
            Event::SmsSubmitted(submitted) => self.submitted(submitted),
            Event::SmsSubmitFailed(failed) => self.failed(failed),
            Event::SmsDropped(dropped) => {
                let reason = dropped.reason;
                self.line_of(dropped.challenge, |line| line.dropped += 1);
                self.with(dropped.challenge, |row| row.state = SmsState::Dropped(reason));
            }
            Event::SmsRedriven(redriven) => self.with(redriven.challenge, |row| row.state = SmsState::Waiting),
            Event::SmsReported(reported) => {
                let delivery = reported.delivery;
                match delivery {
                    SmsDelivery::Delivered => self.line_of(reported.challenge, |line| line.delivered += 1),
                    _ if delivery.is_final() => self.line_of(reported.challenge, |line| line.undelivered += 1),
                    _ => {}
                }
                self.with(reported.challenge, |row| row.state = SmsState::Reported(delivery));
            }
            Event::SmsCodeAccepted(accepted) => self.used(accepted.challenge, at),
            Event::SmsPrefixBlocked(blocked) => {
                let (sent, used, until) = (blocked.sent, blocked.used, blocked.until);
                self.blocked.insert(blocked.prefix.clone(), Blocked { sent, used, until });
                self.conversion.remove(&blocked.prefix);
            }
            Event::SmsPrefixCleared(cleared) => {
                self.blocked.remove(&cleared.prefix);
                self.conversion.remove(&cleared.prefix);
            }
            _ => {}
        }
    }

    fn queued(&mut self, stream: StreamId, account: Option<AccountId>, queued: &SmsQueued, at: UnixMillis) {
        self.turn(at);
        if let Some(account) = account {
            for (key, _) in BudgetKey::all(&queued.destination, account) {
                let count = self.spent.counts.entry(key).or_default();
                *count = count.saturating_add(1);
            }
        }
        while self.order.len() >= MESSAGES_MAX || self.is_oldest_over(at) {
            self.forget_oldest();
        }
        self.insert(MessageRow {
            challenge: queued.challenge,
            principal: stream,
            account,
            decision: queued.decision,
            lane: queued.route.clone(),
            route: queued.route.clone(),
            destination: queued.destination.clone(),
            queued_at: at,
            until: queued.until,
            state: SmsState::Waiting,
            submits: 0,
            price_micros: 0,
            price_window: 0,
            cost_micros: 0,
            message_id: None,
            used: false,
            counted: false,
        });
    }

    fn insert(&mut self, row: MessageRow) {
        self.order.push_back(row.challenge);
        if !row.counted {
            self.unsettled.insert((row.until, row.challenge));
        }
        if let Some(id) = &row.message_id {
            self.by_message_id.insert((row.route.clone(), id.clone()), row.challenge);
        }
        self.messages.insert(row.challenge, row);
    }

    fn submitting(&mut self, submitting: &SmsSubmitting, at: UnixMillis) {
        self.turn(at);
        // Counted before the gateway is asked: what is not known to be free was paid for.
        self.spent.micros = self.spent.micros.saturating_add(submitting.price_micros);
        let window = self.spent.window;
        self.with(submitting.challenge, |row| {
            row.price_window = window;
            row.state = SmsState::Submitting;
            row.submits = submitting.submit;
            row.route.clone_from(&submitting.route);
            row.price_micros = submitting.price_micros;
            row.cost_micros = row.cost_micros.saturating_add(submitting.price_micros);
        });
        self.line_of(submitting.challenge, |line| line.cost_micros += submitting.price_micros);
    }

    fn submitted(&mut self, submitted: &SmsSubmitted) {
        self.line_of(submitted.challenge, |line| line.taken += 1);
        let id = submitted.message_id.clone().filter(|id| id.len() <= MESSAGE_ID_BYTES_MAX);
        let mut name = None;
        self.with(submitted.challenge, |row| {
            row.state = SmsState::Taken;
            row.message_id.clone_from(&id);
            name = id.map(|id| (row.route.clone(), id));
        });
        if let Some(name) = name {
            self.by_message_id.insert(name, submitted.challenge);
        }
    }

    fn failed(&mut self, failed: &SmsSubmitFailed) {
        let unknown = failed.fault == SmsSubmitFault::Unknown;
        let paid = self.messages.get(&failed.challenge).map(|row| (row.price_micros, row.price_window));
        let (price, window) = paid.unwrap_or_default();
        self.with(failed.challenge, |row| {
            row.state = SmsState::Waiting;
            if !unknown {
                row.cost_micros = row.cost_micros.saturating_sub(price);
            }
        });
        if !unknown && window == self.spent.window {
            self.spent.micros = self.spent.micros.saturating_sub(price);
        }
        self.line_of(failed.challenge, |line| {
            if unknown {
                line.unknown += 1;
            } else {
                line.failed += 1;
                line.cost_micros = line.cost_micros.saturating_sub(price);
            }
        });
    }

    fn used(&mut self, challenge: ChallengeId, at: UnixMillis) {
        self.line_of(challenge, |line| line.used += 1);
        let Some(row) = self.messages.get_mut(&challenge) else { return };
        row.used = true;
        if !row.counted {
            row.counted = true;
            let (until, prefix) = (row.until, row.destination.prefix.clone());
            self.unsettled.remove(&(until, challenge));
            self.conversion.entry(prefix).or_default().count(at, true);
        }
    }

    /// Counts what was sent, whose time is over, and what nobody used.
    fn settle(&mut self, at: UnixMillis) {
        while let Some(&(until, challenge)) = self.unsettled.first().filter(|(until, _)| *until <= at) {
            self.unsettled.remove(&(until, challenge));
            let Some(row) = self.messages.get_mut(&challenge) else { continue };
            row.counted = true;
            if row.was_sent() {
                let prefix = row.destination.prefix.clone();
                self.conversion.entry(prefix).or_default().count(until, false);
            }
        }
        if self.conversion.len() > LINES_MAX {
            let day = at.0 / CONVERSION_DAY_MS;
            self.conversion.retain(|_, conversion| conversion.day + 1 >= day);
            while self.conversion.len() > LINES_MAX {
                self.conversion.pop_first();
            }
        }
    }

    fn turn(&mut self, at: UnixMillis) {
        let window = self.window_at(at);
        if window > self.spent.window {
            self.spent = Spent { window, ..Spent::default() };
        }
    }

    fn is_oldest_over(&self, at: UnixMillis) -> bool {
        let oldest = self.order.front().and_then(|oldest| self.messages.get(oldest));
        oldest.is_some_and(|oldest| oldest.queued_at.plus_ms(REMEMBERED_MS) <= at)
    }

    fn forget_oldest(&mut self) {
        let Some(oldest) = self.order.pop_front() else { return };
        let Some(row) = self.messages.remove(&oldest) else { return };
        self.unsettled.remove(&(row.until, row.challenge));
        if let Some(id) = row.message_id {
            self.by_message_id.remove(&(row.route, id));
        }
    }

    fn with(&mut self, challenge: ChallengeId, change: impl FnOnce(&mut MessageRow)) {
        if let Some(row) = self.messages.get_mut(&challenge) {
            change(row);
        }
    }

    fn line_of(&mut self, challenge: ChallengeId, change: impl FnOnce(&mut Line)) {
        let Some(row) = self.messages.get(&challenge) else { return };
        let Destination { prefix, country, .. } = &row.destination;
        let mut key = (row.account, row.route.clone(), prefix.clone(), *country);
        if self.lines.len() >= LINES_MAX
            && !self.lines.contains_key(&key)
            && let Some(others) = Prefix::new("+0")
        {
            key.2 = others;
        }
        change(self.lines.entry(key).or_default());
    }
}

/// A row of the checkpoint.
#[derive(Clone, Serialize, Deserialize)]
pub(super) enum SmsRow {
    Message(MessageRow),
    Line(LineKey, Line),
    Conversion(Prefix, Conversion),
    Blocked(Prefix, Blocked),
    Count(BudgetKey, u32),
    Window(u64, u64),
}

impl SmsViews {
    /// Every row, the messages in their order.
    pub(super) fn rows(&self) -> impl Iterator<Item = SmsRow> {
        let messages = self.order.iter().filter_map(|challenge| self.messages.get(challenge));
        let messages = messages.map(|row| SmsRow::Message(row.clone()));
        let lines = self.lines.iter().map(|(key, line)| SmsRow::Line(key.clone(), *line));
        let conversion = self.conversion.iter().map(|(prefix, row)| SmsRow::Conversion(prefix.clone(), *row));
        let blocked = self.blocked.iter().map(|(prefix, row)| SmsRow::Blocked(prefix.clone(), *row));
        let counts = self.spent.counts.iter().map(|(key, count)| SmsRow::Count(key.clone(), *count));
        let window = std::iter::once(SmsRow::Window(self.spent.window, self.spent.micros));
        messages.chain(lines).chain(conversion).chain(blocked).chain(counts).chain(window)
    }

    pub(super) fn put(&mut self, row: SmsRow) {
        match row {
            SmsRow::Message(row) => self.insert(row),
            SmsRow::Line(key, line) => drop(self.lines.insert(key, line)),
            SmsRow::Conversion(prefix, row) => drop(self.conversion.insert(prefix, row)),
            SmsRow::Blocked(prefix, row) => drop(self.blocked.insert(prefix, row)),
            SmsRow::Count(key, count) => drop(self.spent.counts.insert(key, count)),
            SmsRow::Window(window, micros) => (self.spent.window, self.spent.micros) = (window, micros),
        }
    }
}
