//! One account: its coverage over time, gaps, sign-ins without MFA, and its principals with their bars.

use std::collections::BTreeMap;

use super::marks::{Mark, gap_bars, marks};
use super::scale::{Scale, Tick, length};
use super::shares::{Block, Counts, CountsRow, Shares};
use super::stretch::{Bar, bars, stretches, words};
use super::{Facts, Limited};
use crate::ask::{RotationRow, SignInRow, plain};
use crate::fold::{Life, Status};
use crate::time::Time;

/// Principals that an account's table lists.
const PRINCIPALS_MAX: usize = 100;
/// Gaps and sign-ins that an account's tables list.
const ROWS_MAX: usize = 50;

/// One account's part of a page.
pub(super) struct Account {
    /// Unique on the page.
    pub(super) key: String,
    pub(super) name: String,
    pub(super) counts: Counts,
    pub(super) chart: Option<Chart>,
    /// The same as numbers.
    pub(super) rows: Vec<CountsRow>,
    /// Whether these are all changes.
    pub(super) is_all: bool,
    /// What only a page about the whole account has.
    pub(super) details: Option<Details>,
}

/// The picture.
pub(super) struct Chart {
    pub(super) span: String,
    pub(super) end: String,
    pub(super) words: String,
    pub(super) blocks: Vec<Block>,
    /// Whether near changes are drawn as one.
    pub(super) joined: bool,
    pub(super) ticks: Vec<Tick>,
}

/// Gaps, sign-ins and principals.
pub(super) struct Details {
    pub(super) gap_bars: Vec<Bar>,
    pub(super) marks: Vec<Mark>,
    pub(super) gaps: Limited<Gap>,
    pub(super) sign_ins: Limited<SignIn>,
    pub(super) principals: Limited<Principal>,
}

/// A principal's id, where a line of it may end in two.
pub(super) type Name = (String, String);

fn name(id: &str) -> Name {
    let id = plain(id);
    let (account, rest) = id.split_at(id.find('/').map_or(0, |slash| slash + 1));
    (account.to_owned(), rest.to_owned())
}

/// A device that went before the next one came.
pub(super) struct Gap {
    pub(super) id: Name,
    pub(super) off: String,
    pub(super) on: String,
    pub(super) seconds: i64,
    pub(super) length: String,
    pub(super) old: String,
    pub(super) new: String,
    pub(super) without_mfa: bool,
    pub(super) records: Vec<String>,
}

/// A sign-in without MFA.
pub(super) struct SignIn {
    pub(super) time: String,
    pub(super) id: Name,
    pub(super) before: &'static str,
    pub(super) address: String,
    pub(super) record: String,
}

/// One principal's row.
pub(super) struct Principal {
    pub(super) id: Name,
    pub(super) status: &'static str,
    pub(super) since: String,
    pub(super) record: String,
    pub(super) words: String,
    pub(super) bars: Vec<Bar>,
    pub(super) gap_bars: Vec<Bar>,
    pub(super) marks: Vec<Mark>,
    pub(super) gaps: usize,
    pub(super) sign_ins: usize,
}

impl Account {
    /// Where the picture's time axis is.
    pub(super) const fn floor(&self) -> u32 {
        if self.details.is_some() { 298 } else { 210 }
    }
}

/// Draws an account's coverage up to an instant, with the details if they are wanted.
pub(super) fn of_account(facts: &Facts<'_>, name: &str, number: usize, detailed: bool) -> Account {
    let lives = facts.lives.get(name).map(Vec::as_slice).unwrap_or_default();
    let shares = Shares::of(lives, facts.until);
    let within = |time: &Time| facts.until.is_none_or(|until| *time <= until);
    let times = lives.iter().flat_map(|life| life.steps().iter().map(|step| step.event.at).filter(within));
    let scale = Scale::of(times);
    let counts = shares.last();
    let (rows, is_all) = scale.map_or_else(|| (Vec::new(), true), |scale| shares.rows(scale));
    let chart = scale.map(|scale| {
        let (blocks, joined) = shares.blocks(scale);
        let words = in_words(&shares, counts);
        let (span, end, ticks) = (scale.words(), scale.last.to_string(), scale.ticks());
        Chart { span, end, words, blocks, joined, ticks }
    });
    let details = scale.filter(|_| detailed).map(|scale| details(facts, name, lives, scale));
    Account { key: format!("account-{number}"), name: plain(name), counts, chart, rows, is_all, details }
}

fn in_words(shares: &Shares, last: Counts) -> String {
    let first = shares.first();
    let side = |counts: Counts| {
        format!("{} enabled, {} disabled, {} unknown", counts.enabled, counts.disabled, counts.unknown)
    };
    format!(
        "Before the first record: {}. At the last: {}. The table below has the same numbers.",
        side(first),
        side(last)
    )
}

fn details(facts: &Facts<'_>, account: &str, lives: &[&Life], scale: Scale) -> Details {
    let gaps = facts.gaps.get(account).map(Vec::as_slice).unwrap_or_default();
    let sign_ins = facts.sign_ins.get(account).map(Vec::as_slice).unwrap_or_default();
    let (mut own_gaps, mut own_sign_ins) = (by_id(gaps, |gap| &gap.id), by_id(sign_ins, |row| &row.id));
    let mut ranked: Vec<(u8, &Life)> = lives.iter().map(|life| (rank(life.at(facts.until).status), *life)).collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    let row = |life: &Life| {
        let id = life.id_at(facts.until);
        let (gaps, sign_ins) =
            (own_gaps.remove(&*id).unwrap_or_default(), own_sign_ins.remove(&*id).unwrap_or_default());
        principal(life, facts.until, scale, &gaps, &sign_ins)
    };
    let all = ranked.len();
    let rows = ranked.into_iter().take(PRINCIPALS_MAX).map(|(_, life)| life).map(row).collect();
    Details {
        gap_bars: gap_bars(gaps, scale),
        marks: marks(sign_ins, scale),
        gaps: Limited::of(gaps.iter().copied(), ROWS_MAX, gap),
        sign_ins: Limited::of(sign_ins.iter().copied(), ROWS_MAX, sign_in),
        principals: Limited { rows, more: all.saturating_sub(PRINCIPALS_MAX) },
    }
}

fn by_id<'a, T>(rows: &[&'a T], id: impl Fn(&'a T) -> &'a String) -> BTreeMap<&'a str, Vec<&'a T>> {
    let mut all: BTreeMap<&str, Vec<&T>> = BTreeMap::new();
    for row in rows {
        all.entry(id(row)).or_default().push(row);
    }
    all
}

/// Those without MFA come first.
const fn rank(status: Status) -> u8 {
    match status {
        Status::Disabled => 0,
        Status::Unknown => 1,
        Status::Enabled => 2,
        Status::Deleted => 3,
        Status::Nonexistent => 4,
    }
}

fn principal(
    life: &Life,
    until: Option<Time>,
    scale: Scale,
    gaps: &[&RotationRow],
    sign_ins: &[&SignInRow],
) -> Principal {
    let stretches = stretches(life, until);
    let last = stretches.last();
    Principal {
        id: name(&life.id_at(until)),
        status: last.map_or(Status::Unknown, |last| last.status).name(),
        since: last.and_then(|last| last.from).map_or_else(|| "the begin".to_owned(), |from| from.to_string()),
        record: last.and_then(|last| last.record.as_deref()).map(plain).unwrap_or_default(),
        words: words(&stretches),
        bars: bars(&stretches, scale),
        gap_bars: gap_bars(gaps, scale),
        marks: marks(sign_ins, scale),
        gaps: gaps.len(),
        sign_ins: sign_ins.len(),
    }
}

/// A gap's row.
pub(super) fn gap(gap: &RotationRow) -> Gap {
    Gap {
        id: name(&gap.id),
        off: gap.off.to_string(),
        on: gap.on.to_string(),
        seconds: gap.gap_s,
        length: length(gap.gap_s),
        old: plain(&gap.old),
        new: plain(&gap.new),
        without_mfa: gap.without_mfa,
        records: gap.citations.iter().map(|name| plain(name)).collect(),
    }
}

/// A sign-in's row.
pub(super) fn sign_in(row: &SignInRow) -> SignIn {
    SignIn {
        time: row.time.to_string(),
        id: name(&row.id),
        before: row.status_before.map_or("not in the log", Status::name),
        address: plain(&row.address),
        record: plain(&row.event_id),
    }
}
