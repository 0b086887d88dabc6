//! Instants of audit logs.

use std::fmt;

use chrono::{DateTime, NaiveDate, TimeDelta};
use serde::{Serialize, Serializer};

/// An instant, in milliseconds since 1970 in UTC.
///
/// It is written as CloudTrail writes it, and reads every form in which records name an instant.
///
/// ```
/// use countersign_replay::time::Time;
///
/// let time: Time = "20170301T090500Z".parse().unwrap();
/// assert_eq!(time.to_string(), "2017-03-01T09:05:00Z");
/// assert_eq!("2017-03-01T10:05:00+01:00".parse(), Ok(time));
/// assert!("redacted".parse::<Time>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

/// A text is no instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoTime;

impl fmt::Display for NoTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an instant like 2026-05-01T09:45:00Z")
    }
}

impl std::error::Error for NoTime {}

impl Time {
    /// Milliseconds from an earlier instant to this one; negative when it is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The instant of delivery that a file's name carries: `..._20230710T1220Z_...`, to the minute or the second.
    #[must_use]
    pub fn in_file_name(name: &str) -> Option<Self> {
        let bytes = name.as_bytes();
        let digits = |from: usize, count: usize| {
            bytes.get(from..from + count).is_some_and(|part| part.iter().all(u8::is_ascii_digit))
        };
        (0..bytes.len()).find_map(|start| {
            let alone = start == 0 || !bytes[start - 1].is_ascii_digit();
            if !alone || !digits(start, 8) || bytes.get(start + 8) != Some(&b'T') || !digits(start + 9, 4) {
                return None;
            }
            let seconds = if digits(start + 13, 2) { &name[start + 13..start + 15] } else { "00" };
            format!("{}{seconds}Z", &name[start..start + 13]).parse().ok()
        })
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(time) = DateTime::from_timestamp_millis(self.0) else { return write!(f, "{} ms", self.0) };
        let form = if self.0 % 1000 == 0 { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S%.3fZ" };
        write!(f, "{}", time.format(form))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl std::str::FromStr for Time {
    type Err = NoTime;

    fn from_str(text: &str) -> Result<Self, NoTime> {
        parse(text.trim().as_bytes()).ok_or(NoTime)
    }
}

/// Digits and marks, read from the left.
struct Left<'a>(&'a [u8]);

impl Left<'_> {
    fn number(&mut self, digits: usize) -> Option<u32> {
        let (head, tail) = self.0.split_at_checked(digits)?;
        if !head.iter().all(u8::is_ascii_digit) {
            return None;
        }
        self.0 = tail;
        Some(head.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0')))
    }

    fn take(&mut self, any_of: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        any_of.contains(first).then(|| {
            self.0 = rest;
            *first
        })
    }
}

fn parse(text: &[u8]) -> Option<Time> {
    let mut left = Left(text);
    let year = i32::try_from(left.number(4)?).ok()?;
    let extended = left.take(b"-").is_some();
    let month = left.number(2)?;
    if extended {
        left.take(b"-")?;
    }
    let date = NaiveDate::from_ymd_opt(year, month, left.number(2)?)?;
    left.take(b"T t")?;
    let hour = left.number(2)?;
    let colons = left.take(b":").is_some();
    let minute = left.number(2)?;
    if colons {
        left.take(b":")?;
    }
    let clock = date.and_hms_opt(hour, minute, left.number(2)?)?;
    let millis = fraction(&mut left)?;
    let offset = offset_minutes(&mut left)?;
    let instant = clock.and_utc().checked_sub_signed(TimeDelta::minutes(offset))?;
    left.0.is_empty().then(|| Time(instant.timestamp_millis() + millis))
}

/// Milliseconds of a fraction of any length; zero without one.
fn fraction(left: &mut Left<'_>) -> Option<i64> {
    if left.take(b".,").is_none() {
        return Some(0);
    }
    let digits = left.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (fraction, tail) = left.0.split_at_checked(digits)?;
    left.0 = tail;
    let digit = |place: usize| fraction.get(place).map_or(0, |digit| i64::from(digit - b'0'));
    (1..=12).contains(&digits).then(|| digit(0) * 100 + digit(1) * 10 + digit(2))
}

/// Minutes ahead of UTC. CloudTrail's times are in UTC, also those that lost their `Z`.
fn offset_minutes(left: &mut Left<'_>) -> Option<i64> {
    match left.take(b"Zz+-") {
        None | Some(b'Z' | b'z') => Some(0),
        Some(sign) => {
            let hours = left.number(2)?;
            let _colon = left.take(b":");
            let minutes = i64::from(hours * 60 + left.number(2)?);
            (hours < 24).then_some(if sign == b'-' { -minutes } else { minutes })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_an_instant_is_read() {
        let noon = Time(1_709_294_400_000);
        let forms = [
            "2024-03-01T12:00:00Z",
            "20240301T120000Z",
            "2024-03-01 12:00:00",
            "2024-03-01T12:00:00.000000000",
            "2024-03-01T13:00:00+01:00",
            "2024-03-01T06:30:00-0530",
        ];
        for form in forms {
            assert_eq!(form.parse(), Ok(noon), "{form}");
        }
        assert_eq!("2024-03-01T12:00:00.25Z".parse(), Ok(Time(noon.0 + 250)));
        assert_eq!(Time(noon.0 + 250).to_string(), "2024-03-01T12:00:00.250Z");
        for none in ["", "...", "redacted", "2024-13-01T12:00:00Z", "2024-03-01", "2024-03-01T12:00:00Zulu", "99999"] {
            assert_eq!(none.parse::<Time>(), Err(NoTime), "{none}");
        }
    }

    #[test]
    fn a_file_name_tells_when_it_was_delivered() {
        let of = |name| Time::in_file_name(name).map(|time| time.to_string());
        let minute = of("218007301253_CloudTrail_us-east-1_20230710T1220Z_WMiHxZgr5Hdd6UDc.json");
        assert_eq!(minute.as_deref(), Some("2023-07-10T12:20:00Z"));
        let second = of("644160558196_20161125T110225Z__custodian.csv");
        assert_eq!(second.as_deref(), Some("2016-11-25T11:02:25Z"));
        assert_eq!(of("811596193553_us-east-1-20200930T2300.json").as_deref(), Some("2020-09-30T23:00:00Z"));
        assert_eq!(of("records.json"), None);
    }
}
