//! Geometry: from instants and shares to places on a page.

use chrono::DateTime;

use crate::time::Time;

pub(super) const WIDTH: f64 = 960.0;
pub(super) const LEFT: f64 = 110.0;
pub(super) const RIGHT: f64 = 944.0;
/// Marks that are drawn in one lane; more would be one on the other.
pub(super) const MARKS_MAX: usize = 2000;

/// A picture, ready to be written.
#[derive(Default)]
pub(super) struct Chart {
    pub(super) title: String,
    pub(super) width: String,
    pub(super) height: String,
    pub(super) left: String,
    pub(super) right: String,
    pub(super) floor: String,
    pub(super) grid: Vec<Tick>,
    pub(super) bands: Vec<Band>,
    pub(super) lanes: Vec<Lane>,
    pub(super) ticks: Vec<Tick>,
}

/// A line of the scale: its place, where its label goes, and the label.
pub(super) struct Tick {
    pub(super) at: String,
    pub(super) x: String,
    pub(super) label: String,
    pub(super) anchor: &'static str,
}

/// A filled share.
pub(super) struct Band {
    pub(super) class: &'static str,
    pub(super) path: String,
    pub(super) title: String,
}

/// A row of bars and marks along the time.
#[derive(Default)]
pub(super) struct Lane {
    pub(super) label: String,
    pub(super) x: String,
    pub(super) middle: String,
    pub(super) bars: Vec<Bar>,
    pub(super) marks: Vec<Mark>,
}

/// A stretch of time.
pub(super) struct Bar {
    pub(super) class: &'static str,
    pub(super) x: String,
    pub(super) y: String,
    pub(super) width: String,
    pub(super) height: String,
    pub(super) title: String,
}

/// An instant.
pub(super) struct Mark {
    pub(super) class: &'static str,
    pub(super) path: String,
    pub(super) title: String,
}

/// A place on the page, with one digit after the point.
pub(super) fn place(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// The time that a picture shows, from its left to its right edge.
#[derive(Clone, Copy)]
pub(super) struct Scale {
    pub(super) from: Time,
    pub(super) to: Time,
}

impl Scale {
    /// A scale of some instants, at least an hour wide.
    pub(super) fn of(times: impl Iterator<Item = Time>) -> Self {
        let (mut from, mut to) = (Time(i64::MAX), Time(i64::MIN));
        for time in times {
            from = from.min(time);
            to = to.max(time);
        }
        if from > to {
            (from, to) = (Time(0), Time(0));
        }
        let short = 3_600_000 - to.since(from);
        if short > 0 {
            from = Time(from.0 - short / 2);
            to = Time(from.0 + 3_600_000);
        }
        Self { from, to }
    }

    pub(super) fn x(self, time: Time) -> f64 {
        let share = time.since(self.from) as f64 / self.to.since(self.from).max(1) as f64;
        LEFT + share.clamp(0.0, 1.0) * (RIGHT - LEFT)
    }

    /// Five instants with labels as fine as the scale wants.
    pub(super) fn ticks(self, floor: f64) -> Vec<Tick> {
        let span = self.to.since(self.from);
        let form = match span {
            ..172_800_000 => "%Y-%m-%d %H:%M",
            _ => "%Y-%m-%d",
        };
        let label = |time: Time| {
            DateTime::from_timestamp_millis(time.0).map_or_else(String::new, |time| time.format(form).to_string())
        };
        let tick = |step: i64| {
            let time = Time(self.from.0 + span / 4 * step);
            let anchor = match step {
                0 => "start",
                4 => "end",
                _ => "middle",
            };
            Tick { at: place(self.x(time)), x: place(floor + 18.0), label: label(time), anchor }
        };
        (0..=4).map(tick).collect()
    }
}

impl Chart {
    pub(super) fn new(title: String, height: f64, floor: f64, scale: Scale) -> Self {
        Self {
            title,
            width: place(WIDTH),
            height: place(height),
            left: place(LEFT),
            right: place(RIGHT),
            floor: place(floor),
            ticks: scale.ticks(floor),
            ..Self::default()
        }
    }
}

impl Lane {
    pub(super) fn new(label: &str, middle: f64) -> Self {
        Self { label: label.to_owned(), x: place(LEFT - 10.0), middle: place(middle), ..Self::default() }
    }
}

/// A triangle that stands on a line.
pub(super) fn triangle(x: f64, middle: f64) -> String {
    format!("M{} {}l5 10h-10z", place(x), place(middle - 5.0))
}

/// A dot on a line.
pub(super) fn dot(x: f64, middle: f64) -> String {
    format!("M{} {}a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0", place(x - 3.5), place(middle))
}
