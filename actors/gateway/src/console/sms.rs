//! What codes by SMS cost, how many came back, and what was given up: for administrators.
//!
//! Numbers are shown without their last four digits, and beside a user's name not even so: with the four that the
//! device table shows, they would be whole.

use askama::Template;

use super::frame::{Flash, Frame, When};
use super::problem::{Problem, explained};
use super::route::SmsPage;
use super::visit::{Answer, Signed, Visit};
use super::words;
use crate::directory::Resource;
use crate::engine::{
    AccountId, Ack, Prefix, Rejection, SmsBlocked, SmsDropReason, SmsErrand, SmsHealth, SmsLine, SmsMessageView,
    SmsReport, SmsRouteView, SmsState, UnixMillis,
};
use crate::money::Money;

const HERE: &str = "/console/sms";
/// Lines of the report on one page.
const LINES_MAX: usize = 200;
/// Messages that were given up on one page.
const MESSAGES_MAX: usize = 50;
/// What the engine counts under once it has too many prefixes.
const OTHERS: &str = "+0";

#[derive(Template)]
#[template(path = "sms.html")]
struct Page {
    frame: Frame,
    needs_mfa: bool,
    routes: Vec<RouteRow>,
    currency: String,
    spent: Money,
    spend_max: Money,
    window_ends: When,
    lines: Vec<LineRow>,
    /// Lines that there are.
    lines_all: usize,
    total: Totals,
    blocked: Vec<BlockedRow>,
    messages: Vec<MessageRow>,
    /// Whether older messages were given up than are shown.
    more: bool,
}

struct RouteRow {
    name: String,
    tag: &'static str,
    health: &'static str,
    in_flight: u32,
    price: Money,
}

struct LineRow {
    route: String,
    prefix: String,
    country: String,
    taken: u64,
    delivered: u64,
    undelivered: u64,
    unknown: u64,
    failed: u64,
    dropped: u64,
    used: u64,
    conversion: String,
    cost: Money,
}

/// All lines together.
struct Totals {
    taken: u64,
    used: u64,
    conversion: String,
    cost: Money,
}

struct BlockedRow {
    /// As a form sends it back.
    prefix: String,
    shown: String,
    /// What nothing is sent for.
    errand: &'static str,
    sent: u32,
    used: u32,
    until: When,
}

struct MessageRow {
    challenge: String,
    user: String,
    country: String,
    route: String,
    at: When,
    reason: &'static str,
    /// Until when it can be sent again.
    until: Option<When>,
}

/// An administrator who may do something here.
async fn allowed(visit: &mut Visit<'_>, action: &str) -> Result<Signed, Problem> {
    let signed = visit.administrator().await?;
    if visit.may(&signed, action, &Resource::All).await? {
        return Ok(signed);
    }
    Err(Problem::Forbidden("You may not manage codes by SMS.".to_owned()))
}

/// Shows the page, or does what was pressed on it.
pub(super) async fn page(visit: &mut Visit<'_>, page: SmsPage) -> Result<Answer, Problem> {
    match page {
        SmsPage::Report => report(visit).await,
        SmsPage::Open => open(visit).await,
        SmsPage::Send => send(visit).await,
    }
}

async fn report(visit: &mut Visit<'_>) -> Result<Answer, Problem> {
    let signed = allowed(visit, "countersign:GetSmsReport").await?;
    let account = signed.user.id.account();
    let engine = &visit.console.engine;
    let SmsReport { lines, blocked, routes, spent_micros, window_ends } = engine.sms_report(Some(account));
    let (lines_all, total) = (lines.len(), totals(&lines));
    let given_up = engine.sms_messages(account, true, MESSAGES_MAX + 1);
    let more = given_up.len() > MESSAGES_MAX;
    let messages = given_up.iter().take(MESSAGES_MAX).map(|message| message_row(visit, message)).collect();
    let page = Page {
        needs_mfa: visit.needs_mfa(&signed),
        routes: routes.iter().map(route_row).collect(),
        currency: visit.console.settings.currency.clone(),
        spent: Money { micros: spent_micros },
        spend_max: Money { micros: engine.policy().sms_spend_max_micros },
        window_ends: When::at(window_ends),
        lines: line_rows(lines),
        lines_all,
        total,
        blocked: blocked.iter().map(blocked_row).collect(),
        messages,
        more,
        frame: visit.frame_of(&signed, "Codes by SMS", "sms"),
    };
    visit.show(&page)
}

fn route_row(route: &SmsRouteView) -> RouteRow {
    let (tag, health) = match route.health {
        SmsHealth::Up => ("tag-good", "Works"),
        SmsHealth::Probing => ("tag-warn", "Failed too often; tried with one message at a time"),
        SmsHealth::Down => ("tag-bad", "Failed too often; not asked for now"),
    };
    let (name, price) = (route.name.to_string(), Money { micros: route.price_micros });
    RouteRow { name, tag, health, in_flight: route.in_flight, price }
}

/// The lines that cost most, the costliest first.
fn line_rows(mut lines: Vec<SmsLine>) -> Vec<LineRow> {
    lines.sort_by(|a, b| b.cost_micros.cmp(&a.cost_micros).then_with(|| b.taken.cmp(&a.taken)));
    lines.iter().take(LINES_MAX).map(line_row).collect()
}

fn line_row(line: &SmsLine) -> LineRow {
    let others = line.prefix.as_str() == OTHERS;
    LineRow {
        route: line.route.to_string(),
        prefix: if others { "All others".to_owned() } else { line.prefix.to_string() },
        country: line.country.to_string(),
        taken: line.taken,
        delivered: line.delivered,
        undelivered: line.undelivered,
        unknown: line.unknown,
        failed: line.failed,
        dropped: line.dropped,
        used: line.used,
        conversion: conversion(line.used, line.taken),
        cost: Money { micros: line.cost_micros },
    }
}

fn totals(lines: &[SmsLine]) -> Totals {
    let sum = |of: fn(&SmsLine) -> u64| lines.iter().map(of).fold(0, u64::saturating_add);
    let (taken, used) = (sum(|line| line.taken), sum(|line| line.used));
    let cost = Money { micros: sum(|line| line.cost_micros) };
    Totals { taken, used, conversion: conversion(used, taken), cost }
}

/// How many in a hundred came back. One of which nobody knows whether it was taken may come back as well.
fn conversion(used: u64, taken: u64) -> String {
    match taken {
        0 => "–".to_owned(),
        _ => format!("{} %", (u128::from(used) * 100 / u128::from(taken)).min(100)),
    }
}

fn blocked_row(blocked: &SmsBlocked) -> BlockedRow {
    let (prefix, shown) = (blocked.prefix.as_str().to_owned(), blocked.prefix.to_string());
    let errand = match blocked.errand {
        SmsErrand::SignIn => "Signing in",
        SmsErrand::Enrolment => "Setting up a phone",
    };
    BlockedRow { prefix, shown, errand, sent: blocked.sent, used: blocked.used, until: When::at(blocked.until) }
}

fn message_row(visit: &Visit<'_>, message: &SmsMessageView) -> MessageRow {
    let user = visit.console.engine.principal(&message.principal);
    MessageRow {
        challenge: message.challenge.to_string(),
        user: user.as_ref().map_or_else(|| "A user who is deleted".to_owned(), words::principal),
        country: message.country.to_string(),
        route: message.route.to_string(),
        at: When::at(message.queued_at),
        reason: words::given_up(message.state),
        until: can_be_sent(message, visit.now).then(|| When::at(message.until)),
    }
}

/// Whether sending it again may help somebody.
fn can_be_sent(message: &SmsMessageView, now: UnixMillis) -> bool {
    let over = matches!(message.state, SmsState::Dropped(SmsDropReason::Void | SmsDropReason::Expired));
    matches!(message.state, SmsState::Dropped(_)) && !over && now < message.until
}

/// A session in which what guards others may be changed: with the second factor, where there is one (R182).
fn refused_without_mfa(visit: &mut Visit<'_>, signed: &Signed) -> Option<Result<Answer, Problem>> {
    visit.needs_mfa(signed).then(|| {
        let text = words::rejection(&Rejection::SelfManagementNeedsMfa, visit.now);
        visit.tell(HERE, &Flash::bad(text))
    })
}

/// Sends to a prefix again that the alarm had stopped.
async fn open(visit: &mut Visit<'_>) -> Result<Answer, Problem> {
    let signed = allowed(visit, "countersign:ClearSmsPrefix").await?;
    if let Some(refused) = refused_without_mfa(visit, &signed) {
        return refused;
    }
    let prefix = Prefix::new(visit.field("prefix")).ok_or(Problem::Malformed)?;
    let shown = prefix.to_string();
    let request = visit.request(signed.caller());
    let cleared = visit.console.engine.clear_sms_prefix(request, prefix).await;
    let flash = match explained(cleared, visit.now)? {
        Ok(_) => Flash::good(format!("Codes are sent to {shown} again, and counted anew.")),
        Err(text) => Flash::bad(text),
    };
    visit.tell(HERE, &flash)
}

/// Sends a code after all.
async fn send(visit: &mut Visit<'_>) -> Result<Answer, Problem> {
    let signed = allowed(visit, "countersign:RedriveSms").await?;
    if let Some(refused) = refused_without_mfa(visit, &signed) {
        return refused;
    }
    let (console, request) = (visit.console, visit.request(signed.caller()));
    let challenge = visit.field("challenge").parse().map_err(|_| Problem::Malformed)?;
    let found = console.engine.sms_message(challenge).filter(|message| is_of(message, signed.user.id.account()));
    let Some(message) = found else {
        return visit.tell(HERE, &Flash::bad("That message is not known any more."));
    };
    let sent = console.engine.redrive_sms(request, &message.principal, challenge).await;
    let over = "That code is not waited for any more. The user has to ask for another one.";
    let flash = match explained(sent, visit.now) {
        Ok(Ok(Ack { .. })) => Flash::good("The code is on its way again."),
        Ok(Err(_)) => Flash::bad(over),
        Err(problem) => return Err(problem),
    };
    visit.tell(HERE, &flash)
}

fn is_of(message: &SmsMessageView, account: AccountId) -> bool {
    message.principal.account() == account
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversion_has_no_surprises() {
        let of = |used, taken| conversion(used, taken);
        assert_eq!(
            [of(0, 0), of(1, 0), of(1, 3), of(3, 2), of(u64::MAX, u64::MAX)],
            ["–", "–", "33 %", "100 %", "100 %"]
        );
    }
}
