//! What became of codes by SMS: for who waits for one, and for who pays for them.

use countersign_domain::ids::{AccountId, ChallengeId, PrincipalId, UnixMillis};
use countersign_domain::sms::{Country, Prefix, RouteName, SmsErrand};

use super::{Countersign, acked};
use crate::answer::{Ack, Request};
use crate::error::Error;
use crate::ledger::{LedgerKey, LedgerWork};
use crate::principal::CeremonyWork;
use crate::sms::{self, SmsHealth};
use crate::transports::{SmsCallback, SmsCallbackError};
use crate::views::{Line, LineKey, MessageRow, SmsState, Views};

use super::PAGE_MAX;

/// A code that was to be sent by SMS, as queries give it out.
///
/// ```
/// fn tell(message: &countersign::SmsMessageView) -> String {
///     format!("to {} by {}: {:?} after {} tries", message.country, message.route, message.state, message.submits)
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmsMessageView {
    /// The challenge that it answers.
    pub challenge: ChallengeId,
    /// Whose it is.
    pub principal: PrincipalId,
    /// The number's country.
    pub country: Country,
    /// The route that was asked last, or is to be asked first.
    pub route: RouteName,
    /// When it was decided on.
    pub queued_at: UnixMillis,
    /// Until when its code is good.
    pub until: UnixMillis,
    /// How far it came.
    pub state: SmsState,
    /// Tries to hand it over.
    pub submits: u8,
    /// What it cost, or may have cost, in millionths.
    pub cost_micros: u64,
    /// Whether its code came back.
    pub used: bool,
}

/// What codes to one prefix by one route came to, of one account, since the log began. Show it to administrators only:
/// where an account has few people, a prefix and the end of a number are the number.
///
/// ```
/// fn conversion(line: &countersign::SmsLine) -> f64 {
///     line.used as f64 / line.taken.max(1) as f64
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmsLine {
    /// The account.
    pub account: AccountId,
    /// The route.
    pub route: RouteName,
    /// The numbers without their last four digits.
    pub prefix: Prefix,
    /// Their country.
    pub country: Country,
    /// Messages that the gateway took.
    pub taken: u64,
    /// Messages that arrived, as far as the gateway said.
    pub delivered: u64,
    /// Messages that did not arrive, as far as the gateway said.
    pub undelivered: u64,
    /// Tries of which nobody knows how they ended; they count as paid.
    pub unknown: u64,
    /// Tries that the gateway did not take.
    pub failed: u64,
    /// Messages that were given up.
    pub dropped: u64,
    /// Codes that came back.
    pub used: u64,
    /// What it cost, in millionths.
    pub cost_micros: u64,
}

/// A prefix that nothing is sent to, because too few codes came back.
///
/// ```
/// fn tell(blocked: &countersign::SmsBlocked) -> String {
///     format!("{}: {} of {} codes came back", blocked.prefix, blocked.used, blocked.sent)
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmsBlocked {
    /// The prefix.
    pub prefix: Prefix,
    /// What nothing is sent for; the other goes on.
    pub errand: SmsErrand,
    /// Codes that were sent, over two days, and whose time is over.
    pub sent: u32,
    /// Codes of these that were used.
    pub used: u32,
    /// Until when.
    pub until: UnixMillis,
}

/// A route, and how its gateway does.
///
/// ```
/// use countersign::{SmsHealth, SmsRouteView};
/// fn works(route: &SmsRouteView) -> bool { route.health == SmsHealth::Up }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmsRouteView {
    /// Its name.
    pub name: RouteName,
    /// How it does.
    pub health: SmsHealth,
    /// Messages that it is being handed.
    pub in_flight: u32,
    /// What a message costs, in millionths.
    pub price_micros: u64,
}

/// What codes by SMS cost and how many came back, by route and prefix.
///
/// ```
/// fn cost(report: &countersign::SmsReport) -> u64 {
///     report.lines.iter().map(|line| line.cost_micros).sum()
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmsReport {
    /// By account, route and prefix, at most 10,000.
    pub lines: Vec<SmsLine>,
    /// Prefixes that nothing is sent to.
    pub blocked: Vec<SmsBlocked>,
    /// The routes, in the order of the configuration.
    pub routes: Vec<SmsRouteView>,
    /// What was spent in the present budget window, in millionths.
    pub spent_micros: u64,
    /// When that window ends.
    pub window_ends: UnixMillis,
}

impl Countersign {
    /// What became of a code; `None` when it is not known any more: at most 50,000 are, for three days.
    ///
    /// ```
    /// # use countersign::*;
    /// # let engine = Countersign::in_memory(Config::default()).unwrap();
    /// assert!(engine.sms_message(ChallengeId::from_bytes([1; 16])).is_none());
    /// ```
    #[must_use]
    pub fn sms_message(&self, challenge: ChallengeId) -> Option<SmsMessageView> {
        self.runtime.shared.views(|views| views.sms.messages.get(&challenge).and_then(|row| view(views, row)))
    }

    /// The messages of an account, newest first, at most [`PAGE_MAX`]; only those that were given up, if `given_up`.
    ///
    /// ```
    /// # use countersign::*;
    /// # let engine = Countersign::in_memory(Config::default()).unwrap();
    /// assert!(engine.sms_messages("123456789012".parse().unwrap(), true, 10).is_empty());
    /// ```
    #[must_use]
    pub fn sms_messages(&self, account: AccountId, given_up: bool, limit: usize) -> Vec<SmsMessageView> {
        self.runtime.shared.views(|views| {
            let of_account = views.sms.newest_first().filter(|row| row.account == Some(account));
            let wanted = of_account.filter(|row| !given_up || row.state.is_given_up());
            wanted.filter_map(|row| view(views, row)).take(limit.min(PAGE_MAX)).collect()
        })
    }

    /// Cost and conversion, by route and prefix, of one account or of all.
    ///
    /// ```
    /// # use countersign::*;
    /// # let engine = Countersign::in_memory(Config::default()).unwrap();
    /// assert_eq!(engine.sms_report(None).spent_micros, 0);
    /// ```
    #[must_use]
    pub fn sms_report(&self, account: Option<AccountId>) -> SmsReport {
        let shared = &self.runtime.shared;
        let now = shared.clock.now();
        let routes = shared.sms.couriers.iter().map(|courier| SmsRouteView {
            name: courier.name.clone(),
            health: courier.health(),
            in_flight: courier.in_flight(),
            price_micros: courier.route.price_micros,
        });
        shared.views(|views| SmsReport {
            lines: views.sms.lines.iter().filter_map(|(key, line)| of_line(key, line, account)).collect(),
            blocked: views.sms.blocked.iter().filter(|(_, blocked)| blocked.until > now).map(blocked).collect(),
            routes: routes.collect(),
            spent_micros: views.sms.count(&crate::views::BudgetKey::Money, now),
            window_ends: views.sms.window_end(now),
        })
    }

    /// Sends a code after all that was given up, while it is good: the same code, under the same idempotency key.
    ///
    /// Who may ask is the platform's to say.
    ///
    /// # Errors
    /// `ChallengeUnknown` when the message was not given up, or its code is not good any more.
    ///
    /// ```
    /// # use countersign::*;
    /// # async fn page(engine: Countersign, lee: PrincipalId, challenge: ChallengeId) -> Result<(), Error> {
    /// engine.redrive_sms(Request::by(Caller::operator()), &lee, challenge).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn redrive_sms(
        &self,
        request: Request,
        principal: &PrincipalId,
        challenge: ChallengeId,
    ) -> Result<Ack<()>, Error> {
        let answer = self.principal_work(principal, request, CeremonyWork::RedriveSms { challenge }).await?;
        Ok(acked((), &answer))
    }

    /// Sends to a prefix again that the alarm for SMS pumping had stopped; it is counted anew from now on.
    ///
    /// Who may ask is the platform's to say.
    ///
    /// # Errors
    /// When it cannot be recorded.
    ///
    /// ```
    /// # use countersign::*;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let engine = Countersign::in_memory(Config::default()).unwrap();
    /// let prefix = Prefix::new("+1415555").unwrap();
    /// engine.clear_sms_prefix(Request::by(Caller::operator()), prefix).await.unwrap();
    /// # });
    /// ```
    pub async fn clear_sms_prefix(&self, request: Request, prefix: Prefix) -> Result<Ack<()>, Error> {
        self.ledger(LedgerKey::SmsGuard, request, LedgerWork::ClearPrefix { prefix }).await
    }

    /// Takes a report that a gateway sent by HTTP, once its route has found it genuine. One that came before, or is of a
    /// message that nobody knows, changes nothing.
    ///
    /// # Errors
    /// See [`SmsCallbackError`].
    ///
    /// ```
    /// # use countersign::*;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let engine = Countersign::in_memory(Config::default()).unwrap();
    /// let callback = SmsCallback { url: "https://example.com/", headers: &[], body: b"", now: engine.now() };
    /// assert_eq!(engine.sms_callback("main", &callback).await, Err(SmsCallbackError::NotTaken));
    /// # });
    /// ```
    pub async fn sms_callback(&self, route: &str, callback: &SmsCallback<'_>) -> Result<(), SmsCallbackError> {
        let shared = &self.runtime.shared;
        let courier = RouteName::new(route).and_then(|name| shared.sms.courier(&name));
        let courier = courier.ok_or(SmsCallbackError::NotTaken)?;
        let Some(receipt) = courier.route.transport.callback(callback)? else { return Ok(()) };
        let taken = sms::receive(shared, &self.runtime.door, &courier.name, receipt).await;
        taken.map_err(|error| {
            tracing::warn!(route, %error, "a delivery report was not recorded");
            SmsCallbackError::Unavailable
        })
    }

    /// Stops sending to the prefixes of which too few codes came back, and says so.
    pub(super) async fn raise_alarm(&self) {
        let shared = &self.runtime.shared;
        for suspect in sms::suspects(shared, shared.clock.now()) {
            let (group, sent, used) = (suspect.group, suspect.sent, suspect.used);
            tracing::warn!(prefix = %group.0, errand = ?group.1, sent, used, "too few codes sent to this prefix came back; nothing is sent there");
            let work = LedgerWork::BlockPrefix { group, sent, used };
            let operator = Request::by(countersign_domain::caller::Caller::operator());
            if let Err(error) = self.ledger(LedgerKey::SmsGuard, operator, work).await {
                tracing::warn!(%error, "the alarm was not recorded; it is raised again");
            }
        }
    }
}

fn view(views: &Views, row: &MessageRow) -> Option<SmsMessageView> {
    Some(SmsMessageView {
        challenge: row.challenge,
        principal: views.id_of(row.principal)?,
        country: row.destination.country,
        route: row.route.clone(),
        queued_at: row.queued_at,
        until: row.until,
        state: row.state,
        submits: row.submits,
        cost_micros: row.cost_micros,
        used: row.used,
    })
}

fn of_line((of, route, prefix, country): &LineKey, line: &Line, wanted: Option<AccountId>) -> Option<SmsLine> {
    let account = of.filter(|of| wanted.is_none_or(|wanted| wanted == *of))?;
    let &Line { taken, delivered, undelivered, unknown, failed, dropped, used, cost_micros } = line;
    let (route, prefix, country) = (route.clone(), prefix.clone(), *country);
    Some(SmsLine {
        account,
        route,
        prefix,
        country,
        taken,
        delivered,
        undelivered,
        unknown,
        failed,
        dropped,
        used,
        cost_micros,
    })
}

fn blocked(((prefix, errand), blocked): (&crate::views::Group, &crate::views::Blocked)) -> SmsBlocked {
    SmsBlocked { prefix: prefix.clone(), errand: *errand, sent: blocked.sent, used: blocked.used, until: blocked.until }
}
