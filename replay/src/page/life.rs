//! One principal's part of a page: its bar, its records on it, and both as tables.

use super::account::{Gap, gap};
use super::marks::{Mark, gap_bars, marks};
use super::scale::{Scale, Tick};
use super::stretch::{Bar, STRETCHES_MAX, Stretch, bars, stretches, words};
use super::{Facts, Limited};
use crate::ask::{Timeline, TimelineRow, plain};
use crate::fold::Life;

/// Records that are drawn and listed.
const RECORDS_MAX: usize = 1000;
const GAPS_MAX: usize = 100;

/// One principal.
pub(super) struct LifePage {
    /// Unique on the page.
    pub(super) key: String,
    pub(super) id: String,
    pub(super) uid: String,
    pub(super) chart: Option<Chart>,
    pub(super) stretches: Limited<StretchRow>,
    pub(super) gaps: Limited<Gap>,
    pub(super) records: Limited<Record>,
}

/// The picture.
pub(super) struct Chart {
    pub(super) span: String,
    pub(super) words: String,
    pub(super) bars: Vec<Bar>,
    pub(super) gap_bars: Vec<Bar>,
    pub(super) events: Vec<Mark>,
    pub(super) marks: Vec<Mark>,
    pub(super) ticks: Vec<Tick>,
}

/// A time with one status.
pub(super) struct StretchRow {
    pub(super) status: &'static str,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) length: String,
    pub(super) record: String,
}

/// A record.
pub(super) struct Record {
    pub(super) time: String,
    pub(super) event: String,
    pub(super) device: String,
    pub(super) actor: &'static str,
    pub(super) actor_name: String,
    pub(super) effect: String,
    pub(super) status: String,
    pub(super) record: String,
}

/// Draws one principal.
pub(super) fn of_life(facts: &Facts<'_>, life: &Life, of: &Timeline, number: usize) -> LifePage {
    let all = stretches(life, None);
    let own_gaps = facts.gaps.get(life.account()).into_iter().flatten().filter(|gap| gap.id == of.id);
    let gaps: Vec<_> = own_gaps.copied().collect();
    let scale = Scale::of(of.events.iter().map(|row| row.time));
    let chart = scale.map(|scale| {
        let signed = facts.sign_ins.get(life.account()).into_iter().flatten().filter(|row| row.id == of.id);
        let signed: Vec<_> = signed.copied().collect();
        Chart {
            span: scale.words(),
            words: words(&all),
            bars: bars(&all, scale),
            gap_bars: gap_bars(&gaps, scale),
            events: of.events.iter().take(RECORDS_MAX).map(|row| event(row, scale)).collect(),
            marks: marks(&signed, scale),
            ticks: scale.ticks(),
        }
    });
    LifePage {
        key: format!("principal-{number}"),
        id: plain(&of.id),
        uid: of.uid.as_deref().map_or_else(|| "not in the log".to_owned(), plain),
        chart,
        stretches: Limited::of(all.iter(), STRETCHES_MAX, stretch),
        gaps: Limited::of(gaps.into_iter(), GAPS_MAX, gap),
        records: Limited::of(of.events.iter(), RECORDS_MAX, record),
    }
}

fn event(row: &TimelineRow, scale: Scale) -> Mark {
    let class = if row.effect.starts_with("failed") { "attempt" } else { "event" };
    let title = plain(&format!("{}: {}, {}", row.time, row.event, row.effect));
    Mark { class, x: scale.x(row.time), title }
}

fn stretch(of: &Stretch) -> StretchRow {
    let time = |time: Option<crate::time::Time>, otherwise: &str| {
        time.map_or_else(|| otherwise.to_owned(), |time| time.to_string())
    };
    let seconds = of.from.zip(of.to).map(|(from, to)| to.since(from).div_euclid(1000));
    StretchRow {
        status: of.status.name(),
        from: time(of.from, "before the log"),
        to: time(of.to, "the end of the log"),
        length: seconds.map_or_else(|| "–".to_owned(), super::scale::length),
        record: of.record.as_deref().map(plain).unwrap_or_default(),
    }
}

fn record(row: &TimelineRow) -> Record {
    let basis = row.basis.map_or_else(String::new, |basis| format!(" ({})", basis.name().replace('_', " ")));
    Record {
        time: row.time.to_string(),
        event: plain(&row.event),
        device: row.device.as_deref().map(plain).unwrap_or_default(),
        actor: row.actor,
        actor_name: plain(&row.actor_name),
        effect: plain(&row.effect),
        status: format!("{}{basis}", row.status.name()),
        record: plain(&row.event_id),
    }
}
