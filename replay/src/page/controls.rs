//! The controls of a catalogue, with what speaks against each.

use super::{LISTED_MAX, Limited};
use crate::ask::{Authenticator, Control, ReportAnswer, RotationRow, plain};
use crate::time::Time;

/// One control.
pub(super) struct Judged {
    pub(super) key: &'static str,
    pub(super) id: &'static str,
    pub(super) title: String,
    pub(super) class: &'static str,
    pub(super) verdict: String,
    pub(super) lists: Vec<Listed>,
}

/// What speaks for or against a control, or cannot be told.
pub(super) struct Listed {
    pub(super) title: &'static str,
    pub(super) items: Limited<String>,
}

/// The name of a catalogue, as its publisher writes it.
pub(super) fn name_of(report: &ReportAnswer) -> String {
    let version = report.version;
    match report.standard {
        "cis" => format!("CIS AWS Foundations Benchmark {version}"),
        "pci" => format!("PCI DSS {version}"),
        "nist" => format!("NIST SP 800-{version} and SP 800-53"),
        other => format!("{} {version}", other.to_uppercase()),
    }
}

/// Prepares a control for the page.
pub(super) fn judged(control: &Control) -> Judged {
    let sign_ins = control.sign_ins.iter().map(|row| format!("{}: {}, {}", row.time, row.id, row.event_id));
    let unknown = control.sign_ins_unknown.iter().map(|row| format!("{}: {}, {}", row.time, row.id, row.event_id));
    let lists: [(&str, Vec<String>); 9] = [
        ("Why", control.why.iter().map(ToString::to_string).collect()),
        ("Against it", control.fails.clone()),
        ("Cannot tell", control.cannot_tell.clone()),
        ("Cannot tell whether there is a console password", control.password_unknown.clone()),
        ("Sign-ins without MFA", sign_ins.collect()),
        ("Cannot tell whether a sign-in was with MFA", unknown.collect()),
        ("Periods without MFA", control.periods.iter().map(ToString::to_string).collect()),
        ("Gaps of rotations", control.gaps.iter().map(gap).collect()),
        ("Authenticators", control.authenticators.iter().map(authenticator).collect()),
    ];
    let lists = lists.into_iter().filter(|(_, items)| !items.is_empty());
    let listed = |(title, items): (&'static str, Vec<String>)| Listed {
        title,
        items: Limited::of(items.iter(), LISTED_MAX, |item| plain(item)),
    };
    Judged {
        key: control.rule,
        id: control.id,
        title: sentence(control.title),
        class: control.verdict.name(),
        verdict: control.verdict.name().replace('_', " "),
        lists: lists.map(listed).collect(),
    }
}

/// A title with a capital letter.
fn sentence(title: &str) -> String {
    let mut letters = title.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn gap(gap: &RotationRow) -> String {
    format!("{}: {} s without, from {} to {}", gap.id, gap.gap_s, gap.off, gap.on)
}

fn authenticator(life: &Authenticator) -> String {
    let end = |time: Option<Time>, by: Option<&str>, else_word: &str| match (time, by) {
        (Some(time), Some(by)) => format!("{time} (by {by})"),
        (Some(time), None) => time.to_string(),
        (None, _) => else_word.to_owned(),
    };
    let bound = end(life.bound, life.bound_by, "before the log or unseen");
    let ended = end(life.ended, life.ended_by, "still bound");
    format!("{}: {}, bound {bound}, ended {ended}", life.id, life.device)
}
