//! How fast each device's clock drifts, which device will leave the code window, and when.
//!
//! A code that is accepted tells the device's clock to half a step: it stood somewhere in the step whose code was shown. A line
//! through these readings, by least squares, is the drift; its slope in millionths is given with the range that holds it in 95
//! of 100 cases. A resync begins the readings anew: the clock may have been set, or have a new battery.
//!
//! A device whose clock stands a whole window away from what was learned of it is refused now and then, and one step
//! further always.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use countersign_domain::event::Event;
use countersign_domain::ids::{Position, StreamId, UnixMillis};
use countersign_domain::policy::Policy;
use countersign_domain::principal::{Principal, Registered};
use serde::Serialize;

use super::error::OwnError;
use super::read::{Entries, SEED_STORED, each_entry_of};
use super::states::{Life, States};
use super::words::instant;
use crate::ask::Sealing;

/// Readings below which nothing is said of a drift.
const READINGS_MIN: u64 = 4;
/// The least time between the first and the last reading, in seconds: a day.
const SPAN_S_MIN: f64 = 86_400.0;
/// Instants further off than this are not worth a date, in seconds: a hundred years.
const FAR_S: f64 = 100.0 * 365.25 * 86_400.0;

/// The drift of every enabled TOTP device.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Forecast {
    /// Version of this form.
    pub schema: u32,
    /// The end of the log, from which is looked ahead.
    pub as_of: Option<String>,
    /// How far is looked ahead, in days.
    pub horizon_days: u32,
    /// The devices: first those that leave, the soonest first.
    pub devices: Vec<Drift>,
    /// Entries that the answer could not look into.
    pub sealed: Sealing,
}

/// The drift of one device.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Drift {
    /// Whose it is.
    pub id: String,
    /// Its serial number or ARN.
    pub serial: String,
    /// `leaves`, `may_leave`, `stays`, or `unknown` for want of readings.
    pub verdict: &'static str,
    /// How many readings there are since the device was enabled, or was resynced last.
    pub n: u64,
    /// Days from the first to the last of them.
    pub span_days: f64,
    /// The drift in millionths; above zero, its clock runs fast.
    pub ppm: Option<f64>,
    /// The range that holds the drift in 95 of 100 cases.
    pub ppm_95: Option<[f64; 2]>,
    /// Seconds that its clock is ahead of the server's at the end of the log, by the line.
    pub ahead_s: Option<f64>,
    /// Steps that were learned of it.
    pub learned_steps: i64,
    /// Steps around what was learned in which its codes count.
    pub window_steps: u8,
    /// When the first of its codes are refused, by the line.
    pub leaves_at: Option<String>,
    /// When all of its codes are refused, by the line.
    pub is_out_at: Option<String>,
    /// The earliest instant at which the first may be refused, by the range.
    pub leaves_earliest: Option<String>,
}

/// Readings of one device's clock, summed up: seconds since the first reading, and seconds ahead of the server.
#[derive(Clone, Copy, Debug, Default)]
struct Readings {
    n: u64,
    origin_s: f64,
    last_s: f64,
    sum_x: f64,
    sum_y: f64,
    sum_xx: f64,
    sum_xy: f64,
    sum_yy: f64,
}

/// A line through readings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// Seconds ahead at the mean of the readings' times.
    mean_y: f64,
    mean_x: f64,
    /// Seconds gained a second.
    slope: f64,
    /// Half of the range that holds the slope in 95 of 100 cases.
    half_range: f64,
}

impl Readings {
    fn take(&mut self, at_s: f64, ahead_s: f64) {
        if self.n == 0 {
            self.origin_s = at_s;
        }
        let x = at_s - self.origin_s;
        self.n += 1;
        self.last_s = self.last_s.max(at_s);
        self.sum_x += x;
        self.sum_y += ahead_s;
        self.sum_xx += x * x;
        self.sum_xy += x * ahead_s;
        self.sum_yy += ahead_s * ahead_s;
    }

    fn span_s(&self) -> f64 {
        if self.n == 0 { 0.0 } else { self.last_s - self.origin_s }
    }

    /// The line of least squares; `None` when there are too few readings, or too close together.
    fn line(&self, step_s: f64) -> Option<Line> {
        if self.n < READINGS_MIN || self.span_s() < SPAN_S_MIN {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "counts of readings are far below 2^52")]
        let n = self.n as f64;
        let (mean_x, mean_y) = (self.sum_x / n, self.sum_y / n);
        let (sxx, sxy) = (self.sum_xx - n * mean_x * mean_x, self.sum_xy - n * mean_x * mean_y);
        let syy = self.sum_yy - n * mean_y * mean_y;
        if sxx <= 0.0 {
            return None;
        }
        let slope = sxy / sxx;
        let spread = ((syy - slope * sxy) / (n - 2.0)).max(0.0);
        // A reading is never better than the step that it falls into, however well a few of them agree.
        let spread = spread.max(step_s * step_s / 12.0);
        let half_range = student(self.n - 2) * (spread / sxx).sqrt();
        Some(Line { mean_y, mean_x, slope, half_range })
    }
}

/// The 97.5 % point of Student's distribution.
fn student(freedom: u64) -> f64 {
    const SMALL: [f64; 10] = [12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23];
    match usize::try_from(freedom) {
        Ok(few @ 1..=10) => SMALL[few - 1],
        Ok(11..=20) => 2.20,
        Ok(21..=40) => 2.08,
        _ => 2.02,
    }
}

/// Fits the drift of every enabled TOTP device and looks ahead from the end of the log.
///
/// ```
/// # use std::sync::Arc;
/// # use countersign_store::{EphemeralKeyRing, MemoryJournal};
/// # let journal = MemoryJournal::new(Arc::new(EphemeralKeyRing::new()?))?;
/// use countersign_domain::policy::Policy;
/// use countersign_replay::own::OpenJournal;
/// use countersign_replay::own::forecast::forecast;
///
/// assert!(forecast(&OpenJournal(&journal), &Policy::classic(), 365)?.devices.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When the log cannot be read, or was not written by this engine.
pub fn forecast(log: &dyn Entries, deployment: &Policy, horizon_days: u32) -> Result<Forecast, OwnError> {
    let (mut states, mut sealed) = (States::default(), Sealing::default());
    let mut readings: BTreeMap<StreamId, Readings> = BTreeMap::new();
    let mut end = None;
    let mut wanted = |header: &countersign_store::Header| super::state::concerns(header.event_type);
    each_entry_of(log, Position(0), &mut wanted, &mut |entry, event| {
        let at = entry.header.time;
        end = end.max(Some(at));
        match event {
            Ok(event) => {
                if event.creates_device() {
                    readings.remove(&entry.header.stream);
                }
                if let Event::DeviceResynced(resynced) = event {
                    readings.remove(&resynced.device);
                }
                if let Some((device, counter)) = reading(event) {
                    // An account may choose rules of its own, but no other steps.
                    let step_s = u64::from(deployment.step_s);
                    readings.entry(device).or_default().take(seconds(at), ahead(counter, at, step_s));
                }
            }
            // No reading rests on a seed.
            Err(_) if entry.header.event_type == SEED_STORED => {}
            Err(why) => sealed.count(why),
        }
        states.take(entry, event)?;
        Ok(ControlFlow::Continue(()))
    })?;
    let mut devices: Vec<(f64, Drift)> = Vec::new();
    for owner in states.people.values().filter_map(registered) {
        let preset = states
            .accounts
            .get(&countersign_domain::account::Account::stream(owner.id.account()))
            .and_then(|account| account.settings.preset);
        let policy = preset.map_or_else(|| deployment.clone(), |preset| preset.policy(deployment));
        for enabled in owner.devices.iter().filter(|enabled| enabled.kind.is_totp()) {
            let found = readings.get(&enabled.device).copied().unwrap_or_default();
            let drift = Drift {
                id: states.label(owner.stream),
                serial: states.serial(enabled.device),
                verdict: "unknown",
                n: found.n,
                span_days: rounded(found.span_s() / 86_400.0, 10.0),
                ppm: None,
                ppm_95: None,
                ahead_s: None,
                learned_steps: enabled.learned.offset,
                window_steps: policy.code_window_steps,
                leaves_at: None,
                is_out_at: None,
                leaves_earliest: None,
            };
            devices.push(look_ahead(drift, &found, end.unwrap_or(UnixMillis(0)), &policy, horizon_days));
        }
    }
    devices.sort_by(|(a, one), (b, other)| {
        a.total_cmp(b).then_with(|| (&one.id, &one.serial).cmp(&(&other.id, &other.serial)))
    });
    let devices = devices.into_iter().map(|(_, drift)| drift).collect();
    Ok(Forecast { schema: 1, as_of: end.map(instant), horizon_days, devices, sealed })
}

fn registered(person: &super::states::Person) -> Option<&Registered> {
    match &person.life {
        Life::Known(principal) => principal.as_ref().as_ref().and_then(Principal::registered),
        Life::Sealed { .. } => None,
    }
}

/// The device whose clock an event tells, and the counter that it showed.
fn reading(event: &Event) -> Option<(StreamId, u64)> {
    match event {
        Event::CodeAccepted(accepted) => Some((accepted.device, accepted.counter)),
        Event::DeviceResynced(resynced) => Some((resynced.device, resynced.counter)),
        Event::DeviceEnabled(enabled) => Some((enabled.device, enabled.learned.last_pair()?)),
        _ => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "instants and counters of any use are far below 2^52")]
fn seconds(at: UnixMillis) -> f64 {
    at.0 as f64 / 1000.0
}

/// How far a clock that shows a counter is ahead: its reading is the middle of the step.
#[expect(clippy::cast_precision_loss, reason = "instants and counters of any use are far below 2^52")]
fn ahead(counter: u64, at: UnixMillis, step_s: u64) -> f64 {
    (counter.saturating_mul(step_s) as f64 + step_s as f64 / 2.0) - seconds(at)
}

fn rounded(value: f64, by: f64) -> f64 {
    (value * by).round() / by
}

/// Puts the forecast into an answer; the number sorts those that leave first, the soonest first.
fn look_ahead(drift: Drift, found: &Readings, now: UnixMillis, policy: &Policy, horizon_days: u32) -> (f64, Drift) {
    let step_s = f64::from(policy.step_s);
    let Some(line) = found.line(step_s) else { return (f64::MAX, drift) };
    let now_s = seconds(now);
    #[expect(clippy::cast_precision_loss, reason = "an offset of any use is far below 2^52")]
    let learned_s = drift.learned_steps as f64 * step_s;
    let ahead_now = line.mean_y + line.slope * (now_s - found.origin_s - line.mean_x);
    let off = ahead_now - learned_s;
    let window_s = f64::from(policy.code_window_steps) * step_s;
    let leaves = crossing(off, line.slope, window_s);
    let out = crossing(off, line.slope, window_s + step_s);
    let steepest = [line.slope - line.half_range, line.slope + line.half_range];
    let earliest = steepest.into_iter().filter_map(|slope| crossing(off, slope, window_s)).min_by(f64::total_cmp);
    let horizon_s = f64::from(horizon_days) * 86_400.0;
    let is_drifting = line.slope.abs() > line.half_range;
    let within = |after: Option<f64>| after.is_some_and(|after| after <= horizon_s);
    let verdict = match (within(leaves) && (is_drifting || leaves == Some(0.0)), within(earliest)) {
        (true, _) => "leaves",
        (false, true) => "may_leave",
        (false, false) => "stays",
    };
    let date = |after: Option<f64>| after.filter(|after| *after < FAR_S).map(|after| instant(later(now, after)));
    let ppm = |slope: f64| rounded(slope * 1e6, 100.0);
    let rank = match verdict {
        "leaves" => leaves.unwrap_or(f64::MAX / 4.0),
        "may_leave" => f64::MAX / 4.0,
        _ => f64::MAX / 2.0,
    };
    let drift = Drift {
        verdict,
        ppm: Some(ppm(line.slope)),
        ppm_95: Some(steepest.map(ppm)),
        ahead_s: Some(rounded(ahead_now, 10.0)),
        leaves_at: date(leaves),
        is_out_at: date(out),
        leaves_earliest: date(earliest),
        ..drift
    };
    (rank, drift)
}

/// After how many seconds something that is `off` and moves with a slope is a distance away from zero; 0 when it is already.
fn crossing(off: f64, slope: f64, distance: f64) -> Option<f64> {
    if off.abs() >= distance {
        return Some(0.0);
    }
    let goal = if slope > 0.0 { distance } else { -distance };
    let after = (goal - off) / slope;
    (after.is_finite() && after >= 0.0).then_some(after)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "below a hundred years, and not below zero"
)]
fn later(now: UnixMillis, after_s: f64) -> UnixMillis {
    // Whole minutes: the line knows no better.
    let minutes = (after_s / 60.0).round() as u64;
    UnixMillis::from_secs((now.secs() / 60).saturating_add(minutes).saturating_mul(60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_again() {
        let mut readings = Readings::default();
        for day in 0..100 {
            let at = 1.7e9 + f64::from(day) * 86_400.0;
            readings.take(at, 3.0 + 25e-6 * (at - 1.7e9));
        }
        let line = readings.line(30.0).unwrap();
        assert!((line.slope - 25e-6).abs() < 1e-9, "{line:?}");
        assert!(line.half_range > 0.0 && line.half_range < 2e-6, "{line:?}");
        assert_eq!(Readings::default().line(30.0), None);
    }

    #[test]
    fn crossings_are_where_the_line_meets_the_window() {
        assert_eq!(crossing(10.0, 1.0, 60.0), Some(50.0));
        assert_eq!(crossing(10.0, -1.0, 60.0), Some(70.0));
        assert_eq!(crossing(10.0, 0.0, 60.0), None);
        assert_eq!(crossing(-61.0, 0.0, 60.0), Some(0.0));
    }
}
