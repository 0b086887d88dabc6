//! What is kept of messages, of what they cost, and of how many came back.

use std::collections::HashMap;

use countersign_domain::event::{SmsDelivery, SmsDropReason};
use countersign_domain::ids::{AccountId, ChallengeId, StreamId, UnixMillis, Version};
use countersign_domain::sms::{Country, Destination, Prefix, RouteName, SmsBudget, SmsErrand};
use serde::{Deserialize, Serialize};

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
    pub(super) price_window: u64,
    /// What all tries cost that were taken, or may have been.
    pub(crate) cost_micros: u64,
    pub(crate) message_id: Option<String>,
    pub(crate) used: bool,
    pub(crate) errand: SmsErrand,
    /// It counts, or has counted, among those that come back or do not.
    pub(super) counted: bool,
}

impl MessageRow {
    /// What it is counted with.
    pub(crate) fn group(&self) -> Group {
        (self.destination.prefix.clone(), self.errand)
    }

    /// Whether it counts among those that come back or do not: what no gateway took says nothing of the people behind
    /// a prefix.
    pub(super) const fn was_sent(&self) -> bool {
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
    pub(super) fn count(&mut self, at: UnixMillis, used: bool) {
        self.turn(at);
        self.today.0 = self.today.0.saturating_add(1);
        self.today.1 = self.today.1.saturating_add(u32::from(used));
    }

    fn turn(&mut self, at: UnixMillis) {
        let day = at.0 / CONVERSION_DAY_MS;
        // A clock that was days ahead does not stop the days from turning.
        if day > self.day || day.saturating_add(1) < self.day {
            self.before = if day == self.day.saturating_add(1) { self.today } else { (0, 0) };
            (self.day, self.today) = (day, (0, 0));
        }
    }

    /// Codes that were sent and are settled, and codes of these that were used, today and the day before.
    pub(crate) fn counts(mut self, at: UnixMillis) -> (u32, u32) {
        self.turn(at);
        (self.before.0.saturating_add(self.today.0), self.before.1.saturating_add(self.today.1))
    }
}

/// What is counted together: a prefix, and what codes are for.
pub(crate) type Group = (Prefix, SmsErrand);

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
    pub(super) counts: HashMap<BudgetKey, u32, foldhash::fast::RandomState>,
    pub(crate) micros: u64,
}

/// What a budget is of.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum BudgetKey {
    Number([u8; 16], SmsErrand),
    Prefix(Prefix, SmsErrand),
    Country(Country, SmsErrand),
    Account(AccountId, SmsErrand),
    Money,
}

impl BudgetKey {
    /// Everything that a code counts in.
    pub(crate) fn all(destination: &Destination, account: AccountId, errand: SmsErrand) -> [(Self, SmsBudget); 4] {
        [
            (Self::Number(destination.number, errand), SmsBudget::Number),
            (Self::Prefix(destination.prefix.clone(), errand), SmsBudget::Prefix),
            (Self::Country(destination.country, errand), SmsBudget::Country),
            (Self::Account(account, errand), SmsBudget::Account),
        ]
    }
}
