//! What auditors' catalogues ask, with what the log cannot tell listed apart.

mod asked;

use serde::Serialize;

use super::periods::Period;
use super::{Integrity, SCHEMA, Told, rotations, signins, table};
use crate::time::Time;
use asked::Asked;

/// A catalogue of controls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standard {
    /// CIS AWS Foundations Benchmark.
    Cis,
    /// PCI DSS.
    Pci,
    /// NIST SP 800-63B, and IA-2 of SP 800-53.
    Nist,
}

/// Controls of CIS by version: root has MFA, root has hardware MFA, console users have MFA, sign-ins without MFA.
const CIS: [(&str, [&str; 4]); 9] = [
    ("1.2", ["1.13", "1.14", "1.2", "3.2"]),
    ("1.4", ["1.5", "1.6", "1.10", "4.2"]),
    ("1.5", ["1.5", "1.6", "1.10", "4.2"]),
    ("2.0", ["1.5", "1.6", "1.10", "4.2"]),
    ("3.0", ["1.5", "1.6", "1.10", "4.2"]),
    ("4.0.1", ["1.5", "1.6", "1.10", "4.2"]),
    ("5.0", ["1.4", "1.5", "1.9", "4.2"]),
    ("6.0", ["2.4", "2.5", "2.9", "5.2"]),
    ("7.0", ["2.5", "2.6", "2.10", "5.2"]),
];
const PCI: [&str; 1] = ["4.0.1"];
const NIST: [&str; 1] = ["63B-4"];

/// What a catalogue asks, answered.
#[derive(Clone, Debug, Serialize)]
pub struct ReportAnswer {
    /// Version of this form.
    pub schema: u32,
    /// The catalogue: `cis`, `pci` or `nist`.
    pub standard: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The instant of statements about states, and the end of those about periods; `None` is the end of the log.
    pub as_of: Option<Time>,
    /// The controls.
    pub controls: Vec<Control>,
    /// What is known of the files behind this answer.
    pub integrity: Integrity,
}

/// Whether a control holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlVerdict {
    /// It does, as far as the log goes: somebody was judged, and nothing is undecided.
    Pass,
    /// It does not.
    Fail,
    /// The log does not decide.
    CannotTell,
    /// It asks for a record, which is here.
    Recorded,
}

impl ControlVerdict {
    /// Its name in answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::CannotTell => "cannot_tell",
            Self::Recorded => "recorded",
        }
    }
}

/// One control.
#[derive(Clone, Debug, Serialize)]
pub struct Control {
    /// Its number in the catalogue's version.
    pub id: &'static str,
    /// What it is about, the same in every version.
    pub rule: &'static str,
    /// The control in a sentence.
    pub title: &'static str,
    /// Whether it holds.
    pub verdict: ControlVerdict,
    /// Who is against it.
    pub fails: Vec<String>,
    /// Of whom the log does not tell whether MFA is on.
    pub cannot_tell: Vec<String>,
    /// Who has no MFA that is known of, and maybe a console password.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub password_unknown: Vec<String>,
    /// Sign-ins that are against it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sign_ins: Vec<signins::SignInRow>,
    /// Sign-ins that succeeded, and whose records do not tell whether MFA was used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sign_ins_unknown: Vec<signins::SignInRow>,
    /// Periods that are against it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub periods: Vec<Period>,
    /// Devices that were replaced with a time without in between.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<rotations::RotationRow>,
    /// Authenticators with their lives.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub authenticators: Vec<super::Authenticator>,
    /// Why the log as a whole does not decide.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub why: Vec<&'static str>,
}

impl Control {
    fn new(id: &'static str, rule: &'static str, title: &'static str) -> Self {
        Self {
            id,
            rule,
            title,
            verdict: ControlVerdict::Pass,
            fails: Vec::new(),
            cannot_tell: Vec::new(),
            password_unknown: Vec::new(),
            sign_ins: Vec::new(),
            sign_ins_unknown: Vec::new(),
            periods: Vec::new(),
            gaps: Vec::new(),
            authenticators: Vec::new(),
            why: Vec::new(),
        }
    }

    /// Nothing holds that nobody was judged for, or that something is undecided of.
    fn judged(mut self) -> Self {
        let fails = !(self.fails.is_empty() && self.sign_ins.is_empty() && self.periods.is_empty());
        let decided = self.cannot_tell.is_empty() && self.password_unknown.is_empty();
        self.verdict = match (fails, decided && self.sign_ins_unknown.is_empty() && self.why.is_empty()) {
            (true, _) => ControlVerdict::Fail,
            (false, false) => ControlVerdict::CannotTell,
            (false, true) => ControlVerdict::Pass,
        };
        self
    }
}

/// Answers a catalogue. Without a version the newest is taken.
///
/// # Errors
/// When the version is not among those that are known; the message lists them.
pub fn report(
    told: &Told,
    standard: Standard,
    version: Option<&str>,
    at: Option<Time>,
) -> Result<ReportAnswer, String> {
    let asked = Asked::new(told, at);
    let (name, version, controls) = match standard {
        Standard::Cis => {
            let version = pick(&CIS.map(|(version, _)| version), version)?;
            let ids = CIS.iter().find(|(known, _)| *known == version).map_or([""; 4], |(_, ids)| *ids);
            let rules = vec![asked.root_mfa(ids[0]), asked.root_hardware(ids[1]), asked.users(ids[2])];
            ("cis", version, rules.into_iter().chain([asked.sign_ins(ids[3])]).collect())
        }
        Standard::Pci => ("pci", pick(&PCI, version)?, asked.pci()),
        Standard::Nist => ("nist", pick(&NIST, version)?, asked.nist()),
    };
    let integrity = asked.integrity;
    Ok(ReportAnswer { schema: SCHEMA, standard: name, version, as_of: at, controls, integrity })
}

fn pick(known: &[&'static str], wanted: Option<&str>) -> Result<&'static str, String> {
    let newest = known.last().copied().unwrap_or_default();
    let wanted = wanted.unwrap_or(newest).trim_start_matches('v');
    let same = |known: &str| known == wanted || known.strip_suffix(".0").is_some_and(|short| short == wanted);
    let exact = |known: &str| wanted.strip_suffix(".0").is_some_and(|short| short == known);
    let found = known.iter().find(|known| same(known) || exact(known)).copied();
    found.ok_or_else(|| format!("not a version that is known here; there are {}", known.join(", ")))
}

impl ReportAnswer {
    /// The answer as text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for control in &self.controls {
            let head = format!("{} {}: {} ({})\n", self.standard, control.id, control.title, control.verdict.name());
            text.push_str(&head);
            let mut part = |word: &str, lines: Vec<String>| {
                for line in lines {
                    text.push_str(&format!("  {word}: {}\n", super::plain(&line)));
                }
            };
            part("why", control.why.iter().map(|why| (*why).to_owned()).collect());
            part("against", control.fails.clone());
            part("cannot tell", control.cannot_tell.clone());
            part("cannot tell of a password", control.password_unknown.clone());
            let sign_in = |row: &signins::SignInRow| format!("{} {} {}", row.time, row.id, row.event_id);
            part("sign-in", control.sign_ins.iter().map(sign_in).collect());
            part("cannot tell of a sign-in", control.sign_ins_unknown.iter().map(sign_in).collect());
            part("without MFA", control.periods.iter().map(ToString::to_string).collect());
            let gap = |row: &rotations::RotationRow| format!("{} {} s from {}", row.id, row.gap_s, row.off);
            part("gap", control.gaps.iter().map(gap).collect());
            if !control.authenticators.is_empty() {
                let rows: Vec<Vec<String>> = control.authenticators.iter().map(super::Authenticator::cells).collect();
                text.push_str(&table(&["PRINCIPAL", "DEVICE", "KIND", "BOUND", "BY", "ENDED", "BY"], &rows));
            }
            text.push('\n');
        }
        text
    }
}
