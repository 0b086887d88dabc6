//! Gaps and sign-ins without MFA as they are drawn: those that are too near to each other as one.

use super::scale::{Scale, percent};
use super::stretch::Bar;
use crate::ask::{RotationRow, SignInRow, plain};
use crate::time::Time;

/// How near, as a share of the picture, two are that are drawn as one.
const NEAR: f64 = 0.01;

/// An instant on a picture.
pub(super) struct Mark {
    pub(super) class: &'static str,
    pub(super) x: String,
    pub(super) title: String,
}

/// Draws the times of gaps; where several overlap, as one.
pub(super) fn gap_bars(gaps: &[&RotationRow], scale: Scale) -> Vec<Bar> {
    let mut gaps = gaps.to_vec();
    gaps.sort_by_key(|gap| (gap.off, gap.on));
    let mut joined: Vec<(Time, Time, Vec<&RotationRow>)> = Vec::new();
    for gap in gaps {
        match joined.last_mut() {
            Some((_, on, all)) if gap.off <= *on => {
                *on = gap.on.max(*on);
                all.push(gap);
            }
            _ => joined.push((gap.off, gap.on, vec![gap])),
        }
    }
    let bar = |(off, on, all): (Time, Time, Vec<&RotationRow>)| {
        let (from, to) = (scale.share(off), scale.share(on));
        let certain = all.iter().any(|gap| gap.without_mfa);
        let maybe = if certain { "" } else { "maybe " };
        let title = match all.as_slice() {
            [gap] => format!("{}: {maybe}no device for {} s from {off}", gap.id, gap.gap_s),
            all => format!("{maybe}{} gaps, {off} to {on}", all.len()),
        };
        Bar {
            class: if certain { "gap" } else { "gap maybe" },
            x: percent(from),
            width: percent((to - from).max(0.0)),
            title: plain(&title),
        }
    };
    joined.into_iter().map(bar).collect()
}

/// Marks sign-ins without MFA, which are in order.
pub(super) fn marks(sign_ins: &[&SignInRow], scale: Scale) -> Vec<Mark> {
    let mut joined: Vec<(f64, Vec<&SignInRow>)> = Vec::new();
    for row in sign_ins {
        let share = scale.share(row.time);
        match joined.last_mut() {
            Some((first, all)) if share - *first < NEAR => all.push(row),
            _ => joined.push((share, vec![row])),
        }
    }
    let mark = |(share, all): (f64, Vec<&SignInRow>)| {
        let title = match all.as_slice() {
            [row] => format!("{}: {} signed in without MFA", row.time, row.id),
            [first, .., last] => format!("{} sign-ins without MFA, {} to {}", all.len(), first.time, last.time),
            [] => String::new(),
        };
        Mark { class: "mark", x: percent(share), title: plain(&title) }
    };
    joined.into_iter().map(mark).collect()
}
