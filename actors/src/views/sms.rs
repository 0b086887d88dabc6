//! What became of the codes that were to be sent: the messages of the last days, what they cost, and how many came back.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use countersign_domain::event::{
    Event, SmsDelivery, SmsQueued, SmsSubmitFailed, SmsSubmitFault, SmsSubmitted, SmsSubmitting,
};
use countersign_domain::ids::{AccountId, ChallengeId, StreamId, UnixMillis};
use countersign_domain::sms::{Destination, Prefix, RouteName, SmsErrand};
use serde::{Deserialize, Serialize};

mod rows;
pub use rows::SmsState;
pub(crate) use rows::{Blocked, BudgetKey, Conversion, Group, Line, LineKey, MessageRow, Spent};

/// Messages that are remembered; a receipt of an older one is of nobody.
const MESSAGES_MAX: usize = 50_000;
/// Messages that are remembered when more than that still wait, or may still be used.
const WAITING_MAX: usize = 500_000;
/// For how long they are remembered: what a gateway reports after three days is not worth much.
const REMEMBERED_MS: u64 = 72 * 3600 * 1000;
/// Lines of the report; what comes after goes under the prefix of all others.
const LINES_MAX: usize = 10_000;

/// Everything that is known of codes by SMS.
#[derive(Clone, Debug, Default)]
pub(crate) struct SmsViews {
    /// Length of a budget window, in milliseconds.
    pub(crate) window_ms: u64,
    /// How far the clock is borne to go back, in milliseconds (A40).
    borne_ms: u64,
    /// The code that was decided on last, and what for.
    issued: Option<(ChallengeId, SmsErrand)>,
    pub(crate) messages: HashMap<ChallengeId, MessageRow, foldhash::fast::RandomState>,
    order: VecDeque<ChallengeId>,
    by_message_id: HashMap<(RouteName, String), ChallengeId>,
    /// Those whose time is not over.
    unsettled: BTreeSet<(UnixMillis, ChallengeId)>,
    pub(crate) lines: BTreeMap<LineKey, Line>,
    pub(crate) conversion: BTreeMap<Group, Conversion>,
    pub(crate) blocked: BTreeMap<Group, Blocked>,
    pub(crate) spent: Spent,
}

impl SmsViews {
    /// Nothing folded yet.
    pub(super) fn empty((window_ms, borne_ms): (u64, u64)) -> Self {
        Self { window_ms, borne_ms, ..Self::default() }
    }

    /// The budget window of an instant. A clock set back by as much as is borne does not reopen an old one, and a window
    /// further ahead counts no more (A40).
    pub(crate) fn window_at(&self, now: UnixMillis) -> u64 {
        let of = |at: UnixMillis| at.0 / self.window_ms.max(1);
        let (by_clock, furthest) = (of(now), of(now.plus_ms(self.borne_ms)));
        if (by_clock..=furthest).contains(&self.spent.window) { self.spent.window } else { by_clock }
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
    pub(crate) fn conversion_at(&self, group: &Group, now: UnixMillis) -> (u32, u32) {
        let (sent, used) = self.conversion.get(group).map_or((0, 0), |conversion| conversion.counts(now));
        let over = self.unsettled.iter().take_while(|(until, _)| *until <= now);
        let rows = over.filter_map(|(_, challenge)| self.messages.get(challenge));
        let unused = rows.filter(|row| row.group() == *group && row.was_sent()).count();
        (sent.saturating_add(u32::try_from(unused).unwrap_or(u32::MAX)), used)
    }

    /// Prefixes that codes were sent to whose time is over.
    pub(crate) fn groups_at(&self, now: UnixMillis) -> BTreeSet<Group> {
        let over = self.unsettled.iter().take_while(|(until, _)| *until <= now);
        let rows = over.filter_map(|(_, challenge)| self.messages.get(challenge));
        self.conversion.keys().cloned().chain(rows.map(MessageRow::group)).collect()
    }

    /// The messages, newest first.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = &MessageRow> {
        self.order.iter().rev().filter_map(|challenge| self.messages.get(challenge))
    }

    /// Folds an event of a principal's or the guard's stream; `account` is whose the principal is.
    pub(super) fn fold(&mut self, stream: StreamId, account: Option<AccountId>, event: &Event, at: UnixMillis) {
        self.settle(at);
        match event {
            Event::SmsCodeIssued(issued) => {
                let errand = if issued.attempt.is_some() { SmsErrand::SignIn } else { SmsErrand::Enrolment };
                self.issued = Some((issued.challenge, errand));
            }
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
                let group = (blocked.prefix.clone(), blocked.errand);
                self.conversion.remove(&group);
                self.blocked.insert(group, Blocked { sent, used, until });
            }
            Event::SmsPrefixCleared(cleared) => {
                for errand in SmsErrand::ALL {
                    let group = (cleared.prefix.clone(), *errand);
                    self.blocked.remove(&group);
                    self.conversion.remove(&group);
                }
            }
            _ => {}
        }
    }

    fn queued(&mut self, stream: StreamId, account: Option<AccountId>, queued: &SmsQueued, at: UnixMillis) {
        self.turn(at);
        let issued = self.issued.take().filter(|(challenge, _)| *challenge == queued.challenge);
        let errand = issued.map_or(SmsErrand::SignIn, |(_, errand)| errand);
        if let Some(account) = account {
            for (key, _) in BudgetKey::all(&queued.destination, account, errand) {
                let count = self.spent.counts.entry(key).or_default();
                *count = count.saturating_add(1);
            }
        }
        while self.is_oldest_over(at) {
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
            errand,
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
        let id = submitted.message_id.as_ref().map(|id| id.as_str().to_owned());
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
            let (until, group) = (row.until, row.group());
            self.unsettled.remove(&(until, challenge));
            self.conversion.entry(group).or_default().count(at, true);
        }
    }

    /// Counts what was sent, whose time is over, and what nobody used.
    fn settle(&mut self, at: UnixMillis) {
        while let Some(&(until, challenge)) = self.unsettled.first().filter(|(until, _)| *until <= at) {
            self.unsettled.remove(&(until, challenge));
            let Some(row) = self.messages.get_mut(&challenge) else { continue };
            row.counted = true;
            if row.was_sent() {
                let group = row.group();
                self.conversion.entry(group).or_default().count(until, false);
            }
        }
        if self.conversion.len() > LINES_MAX {
            // Those of which the least is known make room.
            let mut sent: Vec<u32> = self.conversion.values().map(|conversion| conversion.counts(at).0).collect();
            let (_, median, _) = sent.select_nth_unstable(LINES_MAX / 2);
            let least = *median;
            self.conversion.retain(|_, conversion| conversion.counts(at).0 > least);
        }
    }

    fn turn(&mut self, at: UnixMillis) {
        let window = self.window_at(at);
        if window != self.spent.window {
            self.spent = Spent { window, ..Spent::default() };
        }
    }

    /// Whether the oldest message makes room. One whose time is not over is kept as long as can be: it may still wait.
    fn is_oldest_over(&self, at: UnixMillis) -> bool {
        let Some(oldest) = self.order.front().and_then(|oldest| self.messages.get(oldest)) else { return false };
        let enough = self.order.len() >= MESSAGES_MAX || oldest.queued_at.plus_ms(REMEMBERED_MS) <= at;
        let ended = oldest.counted && !matches!(oldest.state, SmsState::Waiting | SmsState::Submitting);
        (enough && ended) || self.order.len() >= WAITING_MAX
    }

    /// Drops the messages to a principal, and what is counted for the numbers that they went to. Sums over many stay.
    pub(super) fn forget(&mut self, principal: StreamId) {
        let of = |row: &&MessageRow| row.principal == principal;
        let gone: Vec<(ChallengeId, [u8; 16])> =
            self.messages.values().filter(of).map(|row| (row.challenge, row.destination.number)).collect();
        for (challenge, number) in gone {
            self.order.retain(|other| *other != challenge);
            self.drop_row(challenge);
            self.spent.counts.retain(|key, _| !matches!(key, BudgetKey::Number(of, _) if *of == number));
        }
    }

    fn forget_oldest(&mut self) {
        let Some(oldest) = self.order.pop_front() else { return };
        self.drop_row(oldest);
    }

    fn drop_row(&mut self, oldest: ChallengeId) {
        let Some(row) = self.messages.remove(&oldest) else { return };
        self.unsettled.remove(&(row.until, row.challenge));
        if let Some(id) = row.message_id {
            let name = (row.route, id);
            // The gateway may have given the name again since.
            if self.by_message_id.get(&name) == Some(&oldest) {
                self.by_message_id.remove(&name);
            }
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
    Conversion(Group, Conversion),
    Blocked(Group, Blocked),
    Count(BudgetKey, u32),
    Window(u64, u64),
}

impl SmsViews {
    /// Every row, the messages in their order.
    pub(super) fn rows(&self) -> impl Iterator<Item = SmsRow> {
        let messages = self.order.iter().filter_map(|challenge| self.messages.get(challenge));
        let messages = messages.map(|row| SmsRow::Message(row.clone()));
        let lines = self.lines.iter().map(|(key, line)| SmsRow::Line(key.clone(), *line));
        let conversion = self.conversion.iter().map(|(group, row)| SmsRow::Conversion(group.clone(), *row));
        let blocked = self.blocked.iter().map(|(group, row)| SmsRow::Blocked(group.clone(), *row));
        let counts = self.spent.counts.iter().map(|(key, count)| SmsRow::Count(key.clone(), *count));
        let window = std::iter::once(SmsRow::Window(self.spent.window, self.spent.micros));
        messages.chain(lines).chain(conversion).chain(blocked).chain(counts).chain(window)
    }

    pub(super) fn put(&mut self, row: SmsRow) {
        match row {
            SmsRow::Message(row) => self.insert(row),
            SmsRow::Line(key, line) => drop(self.lines.insert(key, line)),
            SmsRow::Conversion(group, row) => drop(self.conversion.insert(group, row)),
            SmsRow::Blocked(group, row) => drop(self.blocked.insert(group, row)),
            SmsRow::Count(key, count) => drop(self.spent.counts.insert(key, count)),
            SmsRow::Window(window, micros) => (self.spent.window, self.spent.micros) = (window, micros),
        }
    }
}
