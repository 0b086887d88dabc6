//! One principal over time: the stretches in which its status was the same.

use std::sync::Arc;

use super::scale::{Scale, percent};
use crate::fold::{Life, Status};
use crate::time::Time;

/// Stretches of one bar.
pub(super) const STRETCHES_MAX: usize = 200;
/// Stretches that a bar's words name.
const NAMED_MAX: usize = 12;

/// A time in which a status did not change.
pub(super) struct Stretch {
    pub(super) status: Status,
    /// Its begin; `None` is before everything.
    pub(super) from: Option<Time>,
    /// Its end; `None` if it lasts.
    pub(super) to: Option<Time>,
    /// The record that began it.
    pub(super) record: Option<Arc<str>>,
}

/// A part of a bar.
pub(super) struct Bar {
    pub(super) class: &'static str,
    pub(super) x: String,
    pub(super) width: String,
    pub(super) title: String,
}

/// Tells a principal's stretches up to an instant, in order; there is at least one.
pub(super) fn stretches(life: &Life, until: Option<Time>) -> Vec<Stretch> {
    let within = |time: &Time| until.is_none_or(|until| *time <= until);
    let stretch = |status, from, record| Stretch { status, from, to: None, record };
    let mut all = match life.begin() {
        None => vec![stretch(Status::Unknown, None, None)],
        Some(begin) => {
            let mut all = vec![stretch(Status::Nonexistent, None, None)];
            let seen = life.steps().first().is_some_and(|step| step.event.at <= begin);
            if within(&begin) && !seen {
                all.push(stretch(Status::Unknown, Some(begin), None));
            }
            all
        }
    };
    for step in life.steps().iter().filter(|step| within(&step.event.at)) {
        let (at, status) = (Some(step.event.at), step.after.status);
        let Some(last) = all.last_mut().filter(|last| last.status != status) else { continue };
        let new = stretch(status, at, Some(step.event.cite.name()));
        if last.from == at {
            *last = new;
        } else {
            all.push(new);
        }
    }
    // What changed and changed back within one instant was no change.
    all.dedup_by(|later, earlier| later.status == earlier.status);
    let begins: Vec<Option<Time>> = all.iter().skip(1).map(|stretch| stretch.from).collect();
    for (stretch, begin) in all.iter_mut().zip(begins) {
        stretch.to = begin;
    }
    all
}

impl Stretch {
    /// When it was, in words.
    pub(super) fn words(&self) -> String {
        let name = self.status.name();
        match (self.from, self.to) {
            (None, None) => format!("{name} all the time"),
            (None, Some(to)) => format!("{name} until {to}"),
            (Some(from), None) => format!("{name} since {from}"),
            (Some(from), Some(to)) => format!("{name} {from} to {to}"),
        }
    }
}

/// Draws stretches as one bar.
pub(super) fn bars(stretches: &[Stretch], scale: Scale) -> Vec<Bar> {
    let bar = |stretch: &Stretch| {
        let from = stretch.from.map_or(0.0, |from| scale.share(from));
        let to = stretch.to.map_or(1.0, |to| scale.share(to));
        let width = percent((to - from).max(0.0));
        Bar { class: stretch.status.name(), x: percent(from), width, title: stretch.words() }
    };
    stretches.iter().take(STRETCHES_MAX).map(bar).collect()
}

/// Says what a bar shows.
pub(super) fn words(stretches: &[Stretch]) -> String {
    let mut words: Vec<String> = stretches.iter().take(NAMED_MAX).map(Stretch::words).collect();
    if stretches.len() > NAMED_MAX {
        words.push(format!("and {} more", stretches.len() - NAMED_MAX));
    }
    words.join(", ")
}
