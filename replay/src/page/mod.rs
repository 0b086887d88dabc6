//! Pages for people: one file each, drawn in SVG, without a script, readable in print.
//!
//! Every picture has a table with the same facts beside it, and every text of a record is escaped. The page's own
//! content policy lets nothing run and nothing load; the only style that it takes is the one whose hash it names.

mod account;
mod controls;
mod life;
mod marks;
mod scale;
mod shares;
mod stretch;

use std::collections::BTreeMap;

use askama::Template;
use data_encoding::BASE64;
use sha2::{Digest, Sha256};

use crate::ask::{
    Integrity, ReportAnswer, RotationRow, SignInRow, SignInsQuery, Told, plain, rotations, rotations_until, sign_ins,
    timeline,
};
use crate::fold::{Life, Status};
use crate::time::Time;
use crate::trail::Verdict;
use account::{Account, SignIn, of_account, sign_in};
use controls::{Judged, judged, name_of};
use life::{LifePage, of_life};

/// Principals whose timelines fit on a page.
const LIVES_MAX: usize = 100;
/// Accounts that are drawn on a page.
const ACCOUNTS_MAX: usize = 50;
/// Lines of lists that are not tables of an account.
const LISTED_MAX: usize = 100;

const STYLE: &str = include_str!("../../templates/page.css");

#[derive(Template)]
#[template(path = "report.html")]
struct ReportPage {
    frame: Frame,
    accounts: Limited<Account>,
    nameless: Limited<SignIn>,
    controls: Vec<Judged>,
}

#[derive(Template)]
#[template(path = "timeline.html")]
struct TimelinePage {
    frame: Frame,
    lives: Vec<LifePage>,
    accounts: Vec<Account>,
}

/// What every page has.
struct Frame {
    heading: String,
    subtitle: String,
    integrity: &'static str,
    /// Files that are changed or missing.
    amiss: Limited<String>,
    sealed: u64,
    style: &'static str,
    /// The hash of the style, as a content policy names it.
    style_hash: String,
}

/// The first rows of a list, and how many there are beyond.
struct Limited<T> {
    rows: Vec<T>,
    more: usize,
}

impl<T> Limited<T> {
    fn of<S>(all: impl ExactSizeIterator<Item = S>, most: usize, row: impl FnMut(S) -> T) -> Self {
        let more = all.len().saturating_sub(most);
        Self { rows: all.take(most).map(row).collect(), more }
    }
}

impl Frame {
    fn new(heading: String, subtitle: String, integrity: &Integrity) -> Self {
        let invalid = integrity.invalid.iter().map(|file| plain(&format!("changed: {file}")));
        let missing = integrity.missing.iter().map(|file| plain(&format!("missing: {file}")));
        let amiss: Vec<String> = invalid.chain(missing).collect();
        Self {
            heading,
            subtitle,
            integrity: match integrity.verdict {
                Verdict::Valid => "valid: every file behind it is what was delivered",
                Verdict::Invalid => "invalid: some files are not what was written or delivered",
                Verdict::NotCovered => "not covered: nothing vouches for some of the files behind it",
            },
            amiss: Limited::of(amiss.into_iter(), LISTED_MAX, |line| line),
            sealed: integrity.sealed.all(),
            style: STYLE,
            style_hash: BASE64.encode(&Sha256::digest(STYLE.as_bytes())),
        }
    }
}

/// What the pictures of all accounts are drawn from.
struct Facts<'a> {
    until: Option<Time>,
    lives: BTreeMap<&'a str, Vec<&'a Life>>,
    gaps: BTreeMap<&'a str, Vec<&'a RotationRow>>,
    sign_ins: BTreeMap<&'a str, Vec<&'a SignInRow>>,
}

impl<'a> Facts<'a> {
    fn new(told: &'a Told, until: Option<Time>, gaps: &'a [RotationRow], sign_ins: &'a [SignInRow]) -> Self {
        let mut facts = Self { until, lives: BTreeMap::new(), gaps: BTreeMap::new(), sign_ins: BTreeMap::new() };
        let there = |life: &Life| until.is_none_or(|until| life.at(Some(until)).status != Status::Nonexistent);
        for (life, _) in told.in_order_at(until).into_iter().filter(|(life, _)| there(life)) {
            facts.lives.entry(life.account()).or_default().push(life);
        }
        let without = |gap: &&RotationRow| gap.without_mfa || gap.maybe_without_mfa;
        for gap in gaps.iter().filter(without) {
            facts.gaps.entry(account_of(&gap.id)).or_default().push(gap);
        }
        for row in sign_ins {
            facts.sign_ins.entry(account_of(&row.id)).or_default().push(row);
        }
        facts
    }

    /// Sign-ins whose record names no account that is drawn.
    fn nameless(&self) -> Vec<&'a SignInRow> {
        let others = self.sign_ins.iter().filter(|(account, _)| !self.lives.contains_key(*account));
        others.flat_map(|(_, rows)| rows.iter().copied()).collect()
    }
}

fn account_of(id: &str) -> &str {
    id.split_once('/').map_or(id, |(account, _)| account)
}

/// Draws a report: the MFA coverage of every account over time, with gaps and sign-ins without MFA, and the controls.
///
/// ```
/// use countersign_replay::ask::{Standard, Told, report};
/// use countersign_replay::page::report_page;
///
/// let told = Told::default();
/// let page = report_page(&told, &report(&told, Standard::Pci, None, None)?)?;
/// assert!(page.contains("names no principal"));
/// # Ok::<(), String>(())
/// ```
///
/// # Errors
/// When the page cannot be written, which it can.
pub fn report_page(told: &Told, report: &ReportAnswer) -> Result<String, String> {
    let gaps = rotations_until(told, report.as_of).rotations;
    let query = SignInsQuery { without_mfa: true, from: None, to: report.as_of };
    let without = sign_ins(told, &query).signins;
    let facts = Facts::new(told, report.as_of, &gaps, &without);
    let as_of = report.as_of.map_or_else(|| "the end of the log".to_owned(), |at| at.to_string());
    let numbered = facts.lives.keys().enumerate();
    let page = ReportPage {
        frame: Frame::new(name_of(report), format!("As of {as_of}. All times are in UTC."), &report.integrity),
        accounts: Limited::of(numbered, ACCOUNTS_MAX, |(number, name)| of_account(&facts, name, number + 1, true)),
        nameless: Limited::of(facts.nameless().into_iter(), LISTED_MAX, sign_in),
        controls: report.controls.iter().map(judged).collect(),
    };
    page.render().map_err(|cause| cause.to_string())
}

/// Draws the timelines of some principals, named by their places in the history, and the coverage of their accounts.
///
/// # Errors
/// When there are too many for a page, or it cannot be written.
pub fn timeline_page(told: &Told, lives: &[usize]) -> Result<String, String> {
    if lives.len() > LIVES_MAX {
        return Err(format!("more than {LIVES_MAX} principals for one page"));
    }
    let answer = timeline(told, lives);
    let gaps = rotations(told).rotations;
    let without = sign_ins(told, &SignInsQuery { without_mfa: true, from: None, to: None }).signins;
    let mut facts = Facts::new(told, None, &gaps, &without);
    let all: Vec<&Life> = lives.iter().filter_map(|place| told.history.lives().get(*place)).collect();
    let shown = all.iter().zip(&answer.timelines).enumerate();
    let shown = shown.map(|(number, (life, of))| of_life(&facts, life, of, number + 1)).collect();
    let names = all.iter().map(|life| life.account());
    facts.lives.retain(|account, _| names.clone().any(|name| name == *account));
    // The sign-ins of others may not have been read.
    let accounts = facts.lives.keys().enumerate().map(|(number, name)| of_account(&facts, name, number + 1, false));
    let heading = match all.as_slice() {
        [] => "Timeline of nobody".to_owned(),
        [life] => format!("Timeline of {}", plain(&life.id())),
        [life, ..] => format!("Timelines of {} and {} more", plain(&life.id()), all.len() - 1),
    };
    let subtitle = "Every record about MFA, in order. All times are in UTC.".to_owned();
    let accounts = accounts.collect();
    let page = TimelinePage { frame: Frame::new(heading, subtitle, &answer.integrity), lives: shown, accounts };
    page.render().map_err(|cause| cause.to_string())
}
