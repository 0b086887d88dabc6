//! Time as a place on a page, and instants as people write them.

use chrono::{DateTime, Datelike, Months, Utc};

use crate::time::Time;

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const STEPS: [i64; 22] = [
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    3 * DAY,
    7 * DAY,
    14 * DAY,
];
const STEPS_MONTHS: [u32; 15] = [1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200, 2400, 6000, 24_000, 60_000];
/// What a picture shows at least.
const SPAN_MS_MIN: i64 = 10 * SECOND;
/// Fields that a time is drawn for when everything is of one instant.
const SPAN_MS_OF_INSTANT: i64 = HOUR;
/// The part of the time from the first to the last record that is drawn before and after them.
const PAD: i64 = 40;
/// Labels that fit side by side on a phone.
const TICKS_MAX: usize = 5;

/// A line of the scale, with its label in two lines.
pub(super) struct Tick {
    pub(super) x: String,
    pub(super) upper: String,
    pub(super) lower: String,
}

/// The time that a picture shows, from its left to its right edge: somewhat more than there are records of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    pub(super) first: Time,
    pub(super) last: Time,
    from: i64,
    to: i64,
}

impl Scale {
    /// A scale of some instants.
    pub(super) fn of(times: impl Iterator<Item = Time>) -> Option<Self> {
        let (first, last) = times.fold(None, |ends: Option<(Time, Time)>, time| {
            Some(ends.map_or((time, time), |(first, last)| (first.min(time), last.max(time))))
        })?;
        let span = match last.since(first) {
            0 => SPAN_MS_OF_INSTANT,
            span => span.max(SPAN_MS_MIN),
        };
        let pad = (span / PAD).max((span - last.since(first)) / 2);
        Some(Self { first, last, from: first.0.saturating_sub(pad), to: last.0.saturating_add(pad) })
    }

    /// The share of the picture that is left of an instant.
    pub(super) fn share(self, time: Time) -> f64 {
        let span = self.to.saturating_sub(self.from).max(1);
        (time.0.saturating_sub(self.from) as f64 / span as f64).clamp(0.0, 1.0)
    }

    pub(super) fn x(self, time: Time) -> String {
        percent(self.share(time))
    }

    /// From when to when, in words.
    pub(super) fn words(self) -> String {
        match self.first == self.last {
            true => format!("at {}", self.first),
            false => format!("{} to {}", self.first, self.last),
        }
    }

    /// The lines of the scale, at round times.
    pub(super) fn ticks(self) -> Vec<Tick> {
        let (times, step) = self.round(TICKS_MAX);
        let mut before = String::new();
        let tick = |time: Time| {
            let (upper, lower) = labels(time, step);
            let lower = if lower == before { String::new() } else { lower };
            if !lower.is_empty() {
                before.clone_from(&lower);
            }
            Tick { x: self.x(time), upper, lower }
        };
        times.into_iter().map(tick).collect()
    }

    /// Round times of the scale, some at most, and how far they are from each other.
    pub(super) fn round(self, most: usize) -> (Vec<Time>, i64) {
        for step in STEPS {
            let begin = self.from.div_euclid(step).saturating_add(1).saturating_mul(step);
            let count = self.to.saturating_sub(begin).div_euclid(step).saturating_add(1);
            if usize::try_from(count).is_ok_and(|count| count <= most) {
                return ((0..count).map(|number| Time(begin + number * step)).collect(), step);
            }
        }
        for months in STEPS_MONTHS {
            let times = self.months(months, most);
            if times.len() <= most {
                return (times, i64::from(months) * 28 * DAY);
            }
        }
        (Vec::new(), DAY)
    }

    /// First days of every so many months; one more than asked for when there are too many.
    fn months(self, months: u32, most: usize) -> Vec<Time> {
        let Some(from) = DateTime::from_timestamp_millis(self.from) else { return Vec::new() };
        let number = i64::from(from.year()) * 12 + i64::from(from.month0());
        let begin = number.div_euclid(i64::from(months)) * i64::from(months);
        let mut month = i32::try_from(begin.div_euclid(12))
            .ok()
            .zip(u32::try_from(begin.rem_euclid(12)).ok())
            .and_then(|(year, month0)| chrono::NaiveDate::from_ymd_opt(year, month0 + 1, 1));
        let mut times = Vec::new();
        while let Some(date) = month {
            let time = date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis();
            if time > self.to || times.len() > most {
                break;
            }
            if time >= self.from {
                times.push(Time(time));
            }
            month = date.checked_add_months(Months::new(months));
        }
        times
    }
}

/// What a line of the scale is called, as fine as its neighbours want.
fn labels(time: Time, step: i64) -> (String, String) {
    let Some(time) = DateTime::<Utc>::from_timestamp_millis(time.0) else { return Default::default() };
    let (upper, lower) = match step {
        ..MINUTE => ("%H:%M:%S", "%-d %b"),
        MINUTE..DAY => ("%H:%M", "%-d %b"),
        DAY..DAY_STEP_END => ("%-d %b", "%Y"),
        DAY_STEP_END..MONTH_STEP_MAX => ("%b", "%Y"),
        _ => ("%Y", ""),
    };
    (time.format(upper).to_string(), time.format(lower).to_string())
}

/// Steps from here on are of months.
const DAY_STEP_END: i64 = 28 * DAY;
/// Twelve months, as steps of months are counted.
const MONTH_STEP_MAX: i64 = 12 * 28 * DAY;

/// A share of a width as an attribute of a picture.
pub(super) fn percent(share: f64) -> String {
    let text = format!("{:.3}", share * 100.0);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

/// A length of time as people say it: its two largest units.
pub(super) fn length(seconds: i64) -> String {
    let units = [("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)];
    let mut rest = seconds.max(0);
    let mut parts = Vec::new();
    for (unit, size) in units {
        if rest >= size {
            parts.push(format!("{} {unit}", rest / size));
            rest %= size;
        }
    }
    parts.truncate(2);
    if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(from: &str, to: &str) -> Scale {
        Scale::of([from, to].into_iter().map(|text| text.parse().unwrap())).unwrap()
    }

    fn labels_of(scale: Scale) -> Vec<String> {
        let label = |tick: Tick| format!("{} {}", tick.upper, tick.lower).trim_end().to_owned();
        scale.ticks().into_iter().map(label).collect()
    }

    #[test]
    fn ticks_are_at_round_times_and_few() {
        let day = scale("2024-05-01T08:00:00Z", "2024-05-01T10:40:00Z");
        assert_eq!(labels_of(day), ["08:00 1 May", "09:00", "10:00"]);
        let night = scale("2024-05-31T23:30:00Z", "2024-06-01T00:20:00Z");
        assert_eq!(labels_of(night), ["23:30 31 May", "23:45", "00:00 1 Jun", "00:15"]);
        let years = scale("2023-01-09T08:00:00Z", "2024-11-30T08:00:00Z");
        assert_eq!(labels_of(years), ["Jan 2023", "Jul", "Jan 2024", "Jul"]);
        let all = scale("0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z");
        assert!((1..=TICKS_MAX).contains(&all.ticks().len()));
        let instant = scale("2024-05-01T08:00:00Z", "2024-05-01T08:00:00Z");
        assert!(!instant.ticks().is_empty());
        assert!((instant.share(instant.first) - 0.5).abs() < 0.01);
    }

    #[test]
    fn every_span_has_ticks_that_fit() {
        for seconds in (0..40).map(|power| 2_i64.pow(power)) {
            let first = Time(1_700_000_123_456);
            let Some(scale) = Scale::of([first, Time(first.0 + seconds * SECOND)].into_iter()) else { continue };
            let ticks = scale.ticks().len();
            assert!((1..=TICKS_MAX).contains(&ticks) || seconds > 250_000_000_000, "{seconds}: {ticks}");
        }
    }

    #[test]
    fn lengths_have_two_units() {
        assert_eq!(length(0), "0 s");
        assert_eq!(length(600), "10 min");
        assert_eq!(length(90_061), "1 d 1 h");
    }
}
