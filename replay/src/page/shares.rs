//! How many principals had MFA from when on.

use std::sync::Arc;

use super::scale::{Scale, percent};
use super::stretch::{Stretch, stretches};
use crate::fold::{Life, Status};
use crate::time::Time;

/// Rows of a table of shares; when there are more changes, it shows round times.
const ROWS_MAX: usize = 30;
/// Columns of a picture; changes that are nearer to each other are drawn as one.
const COLUMNS_MAX: f64 = 500.0;
/// How far a column reaches under the next, so that no rounding leaves a slit.
const OVERLAP: f64 = 0.0005;
/// Records that a row names.
const CITED_MAX: usize = 3;
pub(super) const HEIGHT: f64 = 200.0;
pub(super) const TOP: f64 = 10.0;

/// How many principals were in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) enabled: u32,
    pub(super) disabled: u32,
    pub(super) unknown: u32,
}

/// Of nobody; a legend without counts has it.
pub(super) const NOBODY: &Counts = &Counts { enabled: 0, disabled: 0, unknown: 0 };

/// The counts from an instant on.
struct Change {
    at: Time,
    counts: Counts,
    /// Some of the records behind it, and how many more there are.
    cited: Vec<Arc<str>>,
    more: usize,
}

/// All counts of an account, over time.
pub(super) struct Shares {
    before: Counts,
    changes: Vec<Change>,
}

/// A part of a column.
pub(super) struct Block {
    pub(super) class: &'static str,
    pub(super) x: String,
    pub(super) y: String,
    pub(super) width: String,
    pub(super) height: String,
    pub(super) title: String,
}

/// A row of the table.
pub(super) struct CountsRow {
    pub(super) since: String,
    pub(super) counts: Counts,
    pub(super) share: String,
    pub(super) records: Vec<String>,
    pub(super) more: usize,
}

impl Counts {
    const fn count(&mut self, status: Status, by: i32) {
        let part = match status {
            Status::Enabled => &mut self.enabled,
            Status::Disabled => &mut self.disabled,
            Status::Unknown => &mut self.unknown,
            Status::Deleted | Status::Nonexistent => return,
        };
        *part = part.saturating_add_signed(by);
    }

    pub(super) const fn all(self) -> u32 {
        self.enabled.saturating_add(self.disabled).saturating_add(self.unknown)
    }

    /// A count's share of all, in words.
    pub(super) fn share_of(self, count: u32) -> String {
        match self.all() {
            0 => "–".to_owned(),
            all => {
                let text = format!("{:.1}", f64::from(count) * 100.0 / f64::from(all));
                // A rounded share may not claim that everybody, or nobody, is meant.
                let text = match text.as_str() {
                    "100.0" if count < all => "99.9",
                    "0.0" if count > 0 => "0.1",
                    exact => exact.strip_suffix(".0").unwrap_or(exact),
                };
                format!("{text} %")
            }
        }
    }
}

impl Shares {
    /// Counts principals up to an instant.
    pub(super) fn of(lives: &[&Life], until: Option<Time>) -> Self {
        let mut before = Counts::default();
        let mut moves: Vec<(Time, Status, &Stretch)> = Vec::new();
        let stretches: Vec<Vec<Stretch>> = lives.iter().map(|life| stretches(life, until)).collect();
        for of_life in &stretches {
            before.count(of_life.first().map_or(Status::Unknown, |first| first.status), 1);
            for (old, new) in of_life.iter().zip(of_life.iter().skip(1)) {
                moves.extend(new.from.map(|at| (at, old.status, new)));
            }
        }
        moves.sort_by(|a, b| (a.0, &a.2.record).cmp(&(b.0, &b.2.record)));
        let (mut counts, mut changes) = (before, Vec::<Change>::new());
        for (at, old, new) in moves {
            counts.count(old, -1);
            counts.count(new.status, 1);
            if changes.last().is_none_or(|last| last.at != at) {
                changes.push(Change { at, counts, cited: Vec::new(), more: 0 });
            }
            let Some(last) = changes.last_mut() else { continue };
            last.counts = counts;
            match (&new.record, last.cited.len()) {
                (Some(_), CITED_MAX) => last.more += 1,
                (record, _) => last.cited.extend(record.clone()),
            }
        }
        Self { before, changes }
    }

    pub(super) const fn first(&self) -> Counts {
        self.before
    }

    pub(super) fn last(&self) -> Counts {
        self.changes.last().map_or(self.before, |change| change.counts)
    }

    fn at(&self, time: Time) -> Counts {
        let taken = self.changes.partition_point(|change| change.at <= time);
        taken.checked_sub(1).and_then(|last| self.changes.get(last)).map_or(self.before, |change| change.counts)
    }

    /// The areas, column by column, and whether changes were drawn as one.
    pub(super) fn blocks(&self, scale: Scale) -> (Vec<Block>, bool) {
        let begin = (0.0, format!("before {}", scale.first), self.before);
        let mut columns = vec![begin];
        let mut joined = false;
        for change in &self.changes {
            let (share, title) = (scale.share(change.at), format!("since {}", change.at));
            match columns.last_mut() {
                Some(last) if (share - last.0) * COLUMNS_MAX < 1.0 && last.0 > 0.0 => {
                    (last.1, last.2) = (title, change.counts);
                    joined = true;
                }
                _ => columns.push((share, title, change.counts)),
            }
        }
        let ends = columns.iter().skip(1).map(|(share, ..)| *share).chain([1.0]).collect::<Vec<_>>();
        let blocks = columns.iter().zip(ends).flat_map(|((share, title, counts), end)| {
            column(*counts).into_iter().map(move |(class, count, y, height)| Block {
                class,
                x: percent(*share),
                y: place(y),
                width: percent((end - share + OVERLAP).min(1.0 - share)),
                height: place(height),
                title: format!("{class} {title}: {count} of {} principals", counts.all()),
            })
        });
        (blocks.collect(), joined)
    }

    /// The rows of the table: every change, or the counts at round times when there are too many.
    pub(super) fn rows(&self, scale: Scale) -> (Vec<CountsRow>, bool) {
        let row = |since: String, counts: Counts| {
            let share = counts.share_of(counts.enabled);
            CountsRow { since, counts, share, records: Vec::new(), more: 0 }
        };
        let mut rows = vec![row(format!("before {}", scale.first), self.before)];
        if self.changes.len() <= ROWS_MAX {
            rows.extend(self.changes.iter().map(|change| CountsRow {
                records: change.cited.iter().map(|name| crate::ask::plain(name)).collect(),
                more: change.more,
                ..row(change.at.to_string(), change.counts)
            }));
            return (rows, true);
        }
        let (mut times, _) = scale.round(ROWS_MAX - 1);
        times.retain(|time| *time >= scale.first && *time < scale.last);
        times.push(scale.last);
        rows.extend(times.into_iter().map(|time| row(time.to_string(), self.at(time))));
        (rows, false)
    }
}

/// The three shares of a column, from the bottom: class, count, top and height.
fn column(counts: Counts) -> Vec<(&'static str, u32, f64, f64)> {
    let all = f64::from(counts.all().max(1));
    let mut floor = TOP + HEIGHT;
    let parts = [("enabled", counts.enabled), ("disabled", counts.disabled), ("unknown", counts.unknown)];
    let block = |(class, count): (&'static str, u32)| {
        let height = f64::from(count) / all * HEIGHT;
        floor -= height;
        (class, count, floor, height)
    };
    parts.into_iter().filter(|(_, count)| *count > 0).map(block).collect()
}

/// A height on the page, with two digits after the point.
pub(super) fn place(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rounded_share_is_not_everybody() {
        let counts = Counts { enabled: 9999, disabled: 1, unknown: 0 };
        assert_eq!(counts.share_of(9999), "99.9 %");
        assert_eq!(counts.share_of(1), "0.1 %");
        assert_eq!(counts.share_of(10_000), "100 %");
        assert_eq!(counts.share_of(5000), "50 %");
        assert_eq!(Counts::default().share_of(0), "–");
    }

    #[test]
    fn a_column_is_as_high_as_the_picture() {
        let blocks = column(Counts { enabled: 1, disabled: 2, unknown: 3 });
        let sum: f64 = blocks.iter().map(|(.., height)| height).sum();
        assert!((sum - HEIGHT).abs() < 1e-6);
        assert!(column(Counts::default()).is_empty());
    }
}
