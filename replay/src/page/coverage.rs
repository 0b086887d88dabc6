//! What is drawn: shares of principals with and without MFA over time, gaps, sign-ins, and one principal's life.

use super::chart::{Band, Bar, Chart, Lane, MARKS_MAX, Mark, Scale, Tick, dot, place, triangle};
use crate::ask::{RotationRow, Told, plain};
use crate::event::{SignInClass, What};
use crate::fold::{Life, Status};
use crate::time::Time;

const TOP: f64 = 12.0;
const BOTTOM: f64 = 212.0;
/// Changes closer than this on the page are drawn as one.
const NEAR: f64 = 0.5;

/// One account's coverage.
pub(super) struct Account {
    pub(super) name: String,
    pub(super) words: String,
    pub(super) chart: Chart,
}

/// How many principals were in which state from an instant on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Shares {
    enabled: u32,
    disabled: u32,
    unknown: u32,
}

impl Shares {
    fn count(&mut self, status: Status, by: i64) {
        let part = match status {
            Status::Enabled => &mut self.enabled,
            Status::Disabled => &mut self.disabled,
            Status::Unknown => &mut self.unknown,
            Status::Deleted | Status::Nonexistent => return,
        };
        *part = part.saturating_add_signed(i32::try_from(by).unwrap_or(0));
    }

    const fn all(self) -> u32 {
        self.enabled + self.disabled + self.unknown
    }

    /// The heights of the two borders between the three shares.
    fn borders(self) -> (f64, f64) {
        let all = f64::from(self.all().max(1));
        let height = |count: u32| BOTTOM - f64::from(count) / all * (BOTTOM - TOP);
        (height(self.enabled), height(self.enabled + self.disabled))
    }
}

/// Draws the coverage of an account, up to an instant.
pub(super) fn of_account(told: &Told, rotations: &[RotationRow], account: &str, until: Option<Time>) -> Account {
    let lives: Vec<&Life> = told.history.lives().iter().filter(|life| life.account() == account).collect();
    let within = |time: &Time| until.is_none_or(|until| *time <= until);
    let times = lives.iter().flat_map(|life| life.steps().iter().map(|step| step.event.at)).filter(within);
    let scale = Scale::of(times);
    let shares = shares(&lives, scale.from, until);
    let name = plain(account);
    let mut chart = Chart::new(format!("MFA coverage of account {name} over time"), 300.0, 270.0, scale);
    chart.grid = (0..=4).map(grid_line).collect();
    chart.bands = bands(&shares, scale);
    chart.lanes = vec![gaps(rotations, account, scale, until), sign_ins(told, account, scale, until)];
    let last = shares.last().map_or_else(Shares::default, |(_, shares)| *shares);
    let words = format!(
        "At the end: {} with MFA, {} without, {} unknown, of {} principals.",
        last.enabled,
        last.disabled,
        last.unknown,
        last.all()
    );
    Account { name, words, chart }
}

fn grid_line(quarter: u32) -> Tick {
    let y = BOTTOM - f64::from(quarter) / 4.0 * (BOTTOM - TOP);
    Tick { at: place(y), x: place(super::chart::LEFT - 10.0), label: format!("{} %", quarter * 25), anchor: "end" }
}

/// How the shares change, in order; the first is what was before everything.
fn shares(lives: &[&Life], from: Time, until: Option<Time>) -> Vec<(Time, Shares)> {
    let before = Some(Time(from.0 - 1));
    let mut now = Shares::default();
    let mut changes: Vec<(Time, Status, Status)> = Vec::new();
    for life in lives {
        let mut status = life.at(before).status;
        now.count(status, 1);
        for step in life.steps().iter().filter(|step| until.is_none_or(|until| step.event.at <= until)) {
            if step.after.status != status {
                changes.push((step.event.at, status, step.after.status));
                status = step.after.status;
            }
        }
    }
    changes.sort_by_key(|(at, ..)| *at);
    let mut shares = vec![(from, now)];
    for (at, old, new) in changes {
        now.count(old, -1);
        now.count(new, 1);
        match shares.last_mut() {
            Some((last, shares)) if *last == at => *shares = now,
            _ => shares.push((at, now)),
        }
    }
    shares
}

/// The three shares as areas with steps.
fn bands(shares: &[(Time, Shares)], scale: Scale) -> Vec<Band> {
    let mut points: Vec<(f64, Shares)> = Vec::new();
    for (at, shares) in shares {
        let x = scale.x(*at);
        match points.last_mut() {
            Some((last, before)) if x - *last < NEAR => *before = *shares,
            _ => points.push((x, *shares)),
        }
    }
    let area = |class, title: &str, floor: fn(Shares) -> f64, roof: fn(Shares) -> f64| {
        let edge = |points: &mut dyn Iterator<Item = (f64, f64, f64)>| {
            let parts: Vec<String> =
                points.map(|(x, to, y)| format!("{} {}H{}", place(x), place(y), place(to))).collect();
            parts.join("L")
        };
        let spans = |height: fn(Shares) -> f64| {
            let ends = points.iter().skip(1).map(|(x, _)| *x).chain([super::chart::RIGHT]);
            points.iter().zip(ends).map(|((x, shares), to)| (*x, to, height(*shares))).collect::<Vec<_>>()
        };
        let above = edge(&mut spans(roof).into_iter());
        let below = edge(&mut spans(floor).into_iter().rev().map(|(x, to, y)| (to, x, y)));
        Band { class, path: format!("M{above}L{below}Z"), title: title.to_owned() }
    };
    vec![
        area("enabled", "MFA enabled", |_| BOTTOM, |shares| shares.borders().0),
        area("disabled", "MFA disabled", |shares| shares.borders().0, |shares| shares.borders().1),
        area("unknown", "unknown", |shares| shares.borders().1, |_| TOP),
    ]
}

fn bar(class: &'static str, scale: Scale, from: Time, to: Time, middle: f64, title: String) -> Bar {
    let (x, end) = (scale.x(from), scale.x(to));
    let (y, width) = (place(middle - 5.0), place((end - x).max(1.5)));
    Bar { class, x: place(x), y, width, height: place(10.0), title }
}

/// The time without MFA of a rotation, if there may have been one.
fn gap_of(gap: &RotationRow, scale: Scale, middle: f64, who: &str) -> Option<Bar> {
    let (class, maybe) = match (gap.without_mfa, gap.maybe_without_mfa) {
        (true, _) => ("gap", ""),
        (false, true) => ("gap maybe", "maybe "),
        (false, false) => return None,
    };
    let title = plain(&format!("{who}{maybe}{} s without, from {}", gap.gap_s, gap.off));
    Some(bar(class, scale, gap.off, gap.on, middle, title))
}

fn gaps(rotations: &[RotationRow], account: &str, scale: Scale, until: Option<Time>) -> Lane {
    let middle = 232.0;
    let mut lane = Lane::new("gaps", middle);
    let of_account = |id: &str| id.split_once('/').is_some_and(|(of, _)| of == account);
    let drawn = rotations.iter().filter(|gap| of_account(&gap.id) && until.is_none_or(|until| gap.off <= until));
    let bars = drawn.filter_map(|gap| gap_of(gap, scale, middle, &format!("{}: ", gap.id)));
    lane.bars.extend(bars.take(MARKS_MAX));
    lane
}

fn sign_ins(told: &Told, account: &str, scale: Scale, until: Option<Time>) -> Lane {
    let middle = 252.0;
    let mut lane = Lane::new("no-MFA sign-ins", middle);
    for sign_in in told.history.sign_ins() {
        let life = sign_in.life.and_then(|life| told.history.lives().get(life));
        let (at, without) = (sign_in.event.at, sign_in.success && sign_in.class == SignInClass::NoMfa);
        let drawn = without && until.is_none_or(|until| at <= until);
        if drawn && life.is_some_and(|life| life.account() == account) && lane.marks.len() < MARKS_MAX {
            let title = plain(&format!("{at}: {} signed in without MFA", told.history.id_of(sign_in)));
            lane.marks.push(Mark { class: "mark", path: triangle(scale.x(at), middle), title });
        }
    }
    lane
}

const fn class_of(status: Status) -> &'static str {
    status.name()
}

/// Draws one principal: its states as a band, its events as dots.
pub(super) fn of_life(rotations: &[RotationRow], life: &Life) -> Chart {
    let attempts = life.attempts().iter().map(|event| event.at);
    let scale = Scale::of(life.steps().iter().map(|step| step.event.at).chain(attempts));
    let title = plain(&format!("MFA of {} over time", life.id()));
    let mut chart = Chart::new(title, 112.0, 78.0, scale);
    let mut states = Lane::new("status", 20.0);
    let mut from = (scale.from, life.at(Some(Time(scale.from.0 - 1))).status);
    let mut close = |from: (Time, Status), to: Time| {
        let (at, status) = from;
        if states.bars.len() < MARKS_MAX {
            let title = format!("{} from {at} to {to}", status.name());
            let mut bar = bar(class_of(status), scale, at, to, 20.0, title);
            (bar.y, bar.height) = (place(8.0), place(24.0));
            states.bars.push(bar);
        }
    };
    for step in life.steps().iter().filter(|step| step.changed) {
        if step.after.status != from.1 {
            close(from, step.event.at);
            from = (step.event.at, step.after.status);
        }
    }
    close(from, scale.to);
    let mut events = Lane::new("events", 48.0);
    for step in life.steps().iter().take(MARKS_MAX) {
        let title = format!("{} {}", step.event.at, step.after.status.name());
        events.marks.push(Mark { class: "event", path: dot(scale.x(step.event.at), 48.0), title });
    }
    let mut without = Lane::new("no-MFA sign-ins", 66.0);
    let unguarded = |what: &What| matches!(what, What::SignInObserved { class: SignInClass::NoMfa, .. });
    for step in life.steps().iter().filter(|step| unguarded(&step.event.what)).take(MARKS_MAX) {
        let title = format!("{}: a sign-in without MFA", step.event.at);
        without.marks.push(Mark { class: "mark", path: triangle(scale.x(step.event.at), 66.0), title });
    }
    let id = life.id();
    let own = rotations.iter().filter(|gap| gap.id == id);
    let own = own.filter_map(|gap| gap_of(gap, scale, 20.0, ""));
    states.bars.extend(own.take(MARKS_MAX).map(|mut bar| {
        (bar.y, bar.height) = (place(26.0), place(6.0));
        bar
    }));
    chart.lanes = vec![states, events, without];
    chart
}
