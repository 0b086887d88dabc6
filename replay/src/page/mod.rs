//! Pages for people: one file each, drawn in SVG, without a script, readable in print.

mod chart;
mod coverage;

use std::collections::BTreeSet;

use askama::Template;

use crate::ask::{Control, ReportAnswer, Told, plain, rotations, timeline};
use crate::fold::Life;
use crate::time::Time;
use chart::Chart;
use coverage::{Account, of_account, of_life};

/// Accounts whose coverage is drawn on a page.
const ACCOUNTS_MAX: usize = 100;
/// Principals whose timelines fit on a page.
const LIVES_MAX: usize = 100;

#[derive(Template)]
#[template(path = "report.html")]
struct ReportPage {
    heading: String,
    subtitle: String,
    integrity: &'static str,
    accounts: Vec<Account>,
    controls: Vec<Judged>,
}

struct Judged {
    id: &'static str,
    title: &'static str,
    class: &'static str,
    verdict: String,
    lists: Vec<Listed>,
}

struct Listed {
    title: &'static str,
    items: Vec<String>,
}

#[derive(Template)]
#[template(path = "timeline.html")]
struct TimelinePage {
    heading: String,
    subtitle: String,
    integrity: &'static str,
    lives: Vec<LifePage>,
    accounts: Vec<Account>,
}

/// One principal on a page.
struct LifePage {
    id: String,
    words: String,
    chart: Chart,
    rows: Vec<Row>,
}

struct Row {
    time: String,
    event: String,
    device: String,
    by: String,
    effect: String,
    status: String,
    record: String,
}

/// Draws a report: the MFA coverage of accounts over time, with gaps and sign-ins without MFA, and the controls. Of
/// more than a hundred accounts the first hundred are drawn; the controls are those of all.
///
/// # Errors
/// When the page cannot be written, which it can.
pub fn report_page(told: &Told, report: &ReportAnswer) -> Result<String, String> {
    let accounts: BTreeSet<&str> = told.history.lives().iter().map(Life::account).collect();
    let as_of = report.as_of.map_or_else(|| "the end of the log".to_owned(), |at| at.to_string());
    let drawn = match accounts.len() {
        0..=ACCOUNTS_MAX => String::new(),
        all => format!("; {ACCOUNTS_MAX} of {all} accounts are drawn, and all are judged"),
    };
    let rotations = rotations(told).rotations;
    let draw = |account| of_account(told, &rotations, account, report.as_of);
    let page = ReportPage {
        heading: format!("{} {}", report.standard.to_uppercase(), report.version),
        subtitle: format!("As of {as_of}{drawn}"),
        integrity: report.integrity.verdict.name(),
        accounts: accounts.into_iter().take(ACCOUNTS_MAX).map(draw).collect(),
        controls: report.controls.iter().map(judged).collect(),
    };
    page.render().map_err(|cause| cause.to_string())
}

fn judged(control: &Control) -> Judged {
    let safe = |items: &[String]| items.iter().map(|item| plain(item)).collect::<Vec<_>>();
    let sign_in = |row: &super::ask::SignInRow| plain(&format!("{}: {}, {}", row.time, row.id, row.event_id));
    let gap = |gap: &super::ask::RotationRow| {
        plain(&format!("{}: {} s without, from {} to {}", gap.id, gap.gap_s, gap.off, gap.on))
    };
    let bound = |life: &super::ask::Authenticator| plain(&authenticator(life));
    let lists = [
        ("Why", control.why.iter().map(|why| (*why).to_owned()).collect()),
        ("Against it", safe(&control.fails)),
        ("Cannot tell", safe(&control.cannot_tell)),
        ("Cannot tell whether there is a console password", safe(&control.password_unknown)),
        ("Sign-ins without MFA", control.sign_ins.iter().map(sign_in).collect()),
        ("Cannot tell whether a sign-in was with MFA", control.sign_ins_unknown.iter().map(sign_in).collect()),
        ("Periods without MFA", control.periods.iter().map(|period| plain(&period.to_string())).collect()),
        ("Gaps of rotations", control.gaps.iter().map(gap).collect()),
        ("Authenticators", control.authenticators.iter().map(bound).collect()),
    ];
    let lists = lists.into_iter().filter(|(_, items)| !items.is_empty());
    Judged {
        id: control.id,
        title: control.title,
        class: control.verdict.name(),
        verdict: control.verdict.name().replace('_', " "),
        lists: lists.map(|(title, items)| Listed { title, items }).collect(),
    }
}

fn authenticator(life: &super::ask::Authenticator) -> String {
    let end = |time: Option<Time>, by: Option<&str>, else_word: &str| match (time, by) {
        (Some(time), Some(by)) => format!("{time} (by {by})"),
        (Some(time), None) => time.to_string(),
        (None, _) => else_word.to_owned(),
    };
    let bound = end(life.bound, life.bound_by, "before the log or unseen");
    let ended = end(life.ended, life.ended_by, "still bound");
    format!("{}: {}, bound {bound}, ended {ended}", life.id, life.device)
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
    let rotations = rotations(told).rotations;
    let all: Vec<&Life> = lives.iter().filter_map(|place| told.history.lives().get(*place)).collect();
    let accounts: BTreeSet<&str> = all.iter().map(|life| life.account()).collect();
    let shown = all.iter().zip(&answer.timelines).map(|(life, of)| LifePage {
        id: plain(&of.id),
        words: of.uid.as_ref().map_or_else(|| "unique id not in the log".to_owned(), |uid| plain(uid)),
        chart: of_life(&rotations, life),
        rows: of.events.iter().map(row).collect(),
    });
    let heading = all.first().map_or_else(String::new, |life| format!("Timeline of {}", plain(&life.id())));
    let page = TimelinePage {
        heading,
        subtitle: "Every record about MFA, in order".to_owned(),
        integrity: answer.integrity.verdict.name(),
        lives: shown.collect(),
        accounts: accounts.into_iter().map(|account| of_account(told, &rotations, account, None)).collect(),
    };
    page.render().map_err(|cause| cause.to_string())
}

fn row(row: &super::ask::TimelineRow) -> Row {
    let by = if row.actor_name.is_empty() { row.actor.to_owned() } else { format!("{} {}", row.actor, row.actor_name) };
    let basis = row.basis.map_or_else(String::new, |basis| format!(" ({})", basis.name().replace('_', " ")));
    Row {
        time: row.time.to_string(),
        event: plain(&row.event),
        device: row.device.as_ref().map_or_else(String::new, |serial| plain(serial)),
        by: plain(&by),
        effect: plain(&row.effect),
        status: format!("{}{basis}", row.status.name()),
        record: plain(&row.event_id),
    }
}
