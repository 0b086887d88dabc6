//! What auditors' catalogues ask, with what the log cannot tell listed apart.

use std::collections::BTreeSet;

use serde::Serialize;

use super::periods::{Period, authenticators, periods_without_mfa};
use super::{Integrity, SCHEMA, Told, rotations, signins, table};
use crate::event::{DeviceKind, SignInClass};
use crate::fold::{Life, SignIn, Snapshot, Status, Step};
use crate::time::Time;
use crate::trail::Verdict;

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

/// The principals of a history at the instant that is asked for.
struct Asked<'a> {
    told: &'a Told,
    at: Option<Time>,
    states: Vec<(&'a Life, Snapshot)>,
    integrity: Integrity,
}

impl<'a> Asked<'a> {
    fn new(told: &'a Told, at: Option<Time>) -> Self {
        let there = |state: &Snapshot| !matches!(state.status, Status::Deleted | Status::Nonexistent);
        let states = told.in_order().into_iter().map(|(_, life)| (life, life.at(at)));
        let states: Vec<(&Life, Snapshot)> = states.filter(|(_, state)| there(state)).collect();
        let sign_ins = told.history.sign_ins().iter().filter(|sign_in| at.is_none_or(|at| sign_in.event.at <= at));
        let decisive = sign_ins.filter(|sign_in| sign_in.success && sign_in.class != SignInClass::Federated);
        let events = states.iter().flat_map(|(_, state)| &state.deciding).chain(decisive.map(|sign_in| &sign_in.event));
        let integrity = told.integrity(events);
        Self { told, at, states, integrity }
    }

    /// A control, with what stands against every certain answer.
    fn control(&self, id: &'static str, rule: &'static str, title: &'static str) -> Control {
        let verdicts = &self.told.verdicts;
        let checked = !(verdicts.files.is_empty() && verdicts.missing.is_empty());
        let mut why = Vec::new();
        for (doubt, words) in [
            (self.told.history.lives().is_empty(), "the input names no account"),
            (self.told.partial, "a part of the input could not be read"),
            (self.told.sealed.no_key > 0, "a part of the store could not be looked into for want of the key"),
            (checked && self.integrity.verdict != Verdict::Valid, "the files are not known to be what was delivered"),
        ] {
            why.extend(doubt.then_some(words));
        }
        Control { why, ..Control::new(id, rule, title) }
    }

    /// The root user of every account, also of those whose root no record names.
    fn roots(&self) -> Vec<(String, Option<&Snapshot>)> {
        let accounts: BTreeSet<&str> = self.told.history.lives().iter().map(Life::account).collect();
        let of = |account: &str| {
            let root = self.states.iter().find(|(life, _)| life.is_root() && life.account() == account);
            (format!("{account}/root"), root.map(|(_, state)| state))
        };
        accounts.into_iter().map(of).collect()
    }

    fn root_mfa(&self, id: &'static str) -> Control {
        let mut control = self.control(id, "root_mfa", "the root user has MFA");
        for (root, state) in self.roots() {
            match state.map_or(Status::Unknown, |state| state.status) {
                Status::Enabled => {}
                Status::Disabled => control.fails.push(root),
                _ => control.cannot_tell.push(root),
            }
        }
        control.judged()
    }

    fn root_hardware(&self, id: &'static str) -> Control {
        let mut control = self.control(id, "root_hardware_mfa", "the root user has hardware MFA");
        for (root, state) in self.roots() {
            let kinds = state.map_or_else(Vec::new, |state| state.devices.iter().map(|s| DeviceKind::of(s)).collect());
            let soft = kinds.iter().any(|kind| matches!(kind, DeviceKind::Virtual | DeviceKind::Sms));
            match state.map_or(Status::Unknown, |state| state.status) {
                Status::Disabled => control.fails.push(root),
                Status::Enabled if soft => control.fails.push(root),
                Status::Enabled if !kinds.is_empty() => {}
                _ => control.cannot_tell.push(root),
            }
        }
        control.judged()
    }

    /// Users with a console password, and root, which can always sign in to the console.
    fn everybody(&self, id: &'static str, title: &'static str) -> Control {
        let mut control = self.users(id);
        control.title = title;
        for (root, state) in self.roots() {
            match state.map_or(Status::Unknown, |state| state.status) {
                Status::Enabled => {}
                Status::Disabled => control.fails.push(root),
                _ => control.cannot_tell.push(root),
            }
        }
        control.judged()
    }

    fn users(&self, id: &'static str) -> Control {
        let mut control = self.control(id, "console_users_mfa", "every user with a console password has MFA");
        for (life, state) in self.states.iter().filter(|(life, _)| !life.is_root()) {
            match (state.console_password, state.status) {
                (Some(true), Status::Disabled) => control.fails.push(life.id()),
                (Some(true), Status::Unknown) => control.cannot_tell.push(life.id()),
                (None, Status::Disabled | Status::Unknown) => control.password_unknown.push(life.id()),
                _ => {}
            }
        }
        if !self.told.history.lives().is_empty() && self.states.iter().all(|(life, _)| life.is_root()) {
            control.why.push("the input names no user");
        }
        control.judged()
    }

    /// Notes sign-ins without MFA, those whose records do not tell, and a log that has none to judge.
    fn sign_ins_of(&self, mut control: Control) -> Control {
        let until = |sign_in: &&SignIn| self.at.is_none_or(|at| sign_in.event.at <= at);
        let seen = || self.told.history.sign_ins().iter().filter(until);
        let of = |class| {
            let found = seen().filter(move |sign_in| sign_in.success && sign_in.class == class);
            found.map(|sign_in| signins::row(self.told, sign_in)).collect()
        };
        control.sign_ins = of(SignInClass::NoMfa);
        control.sign_ins_unknown = of(SignInClass::Unknown);
        // A log of our own has every sign-in, so that none in it is none.
        let whole = |life: &Life| life.steps().iter().any(|step| step.event.is_of_whole_log());
        let lives = self.told.history.lives();
        if seen().next().is_none() && !lives.is_empty() && !lives.iter().all(whole) {
            control.why.push("the input has no sign-ins");
        }
        control
    }

    fn sign_ins(&self, id: &'static str) -> Control {
        let title = "nobody signs in to the console without MFA";
        self.sign_ins_of(self.control(id, "sign_ins_without_mfa", title)).judged()
    }

    /// Of whom the log does not tell at every time whether MFA, or a console password, was there.
    fn doubtful_periods(&self, control: &mut Control) {
        for (_, life) in self.told.in_order() {
            let until = |step: &&Step| self.at.is_none_or(|at| step.event.at <= at);
            let had = |status, password: fn(Option<bool>) -> bool| {
                let now = |step: &Step| step.after.status == status && password(step.after.console_password);
                life.steps().iter().filter(until).any(now)
            };
            if had(Status::Unknown, |password| password != Some(false)) {
                control.cannot_tell.push(life.id());
            } else if had(Status::Disabled, |password| password.is_none()) {
                control.password_unknown.push(life.id());
            }
        }
    }

    fn pci(&self) -> Vec<Control> {
        let mut periods = periods_without_mfa(self.told, self.at);
        periods.retain(|period| period.console_password);
        let admin = "MFA is on for everybody with a console password, administrators among them";
        let admin = self.everybody("8.4.1", admin);
        let mut access = self.sign_ins_of(self.control("8.4.2", "access_without_mfa", "all access is with MFA"));
        (access.cannot_tell, access.password_unknown) = (admin.cannot_tell.clone(), admin.password_unknown.clone());
        let title = "nobody is without MFA, but for documented periods";
        let mut bypass = self.control("8.5.1", "periods_without_mfa", title);
        self.doubtful_periods(&mut bypass);
        bypass.periods = periods;
        bypass.gaps = rotations(self.told).rotations;
        bypass.gaps.retain(|gap| gap.without_mfa && self.at.is_none_or(|at| gap.off <= at));
        vec![admin, access.judged(), bypass.judged()]
    }

    fn nist(&self) -> Vec<Control> {
        let title = "authenticators are recorded with the time and the source of their binding and their end";
        let mut record = self.control("SP 800-63B-4 sec. 4", "authenticator_record", title);
        record.authenticators = authenticators(self.told, self.at);
        let unknown = self.states.iter().filter(|(_, state)| state.status == Status::Unknown);
        record.cannot_tell = unknown.map(|(life, _)| life.id()).collect();
        record.verdict = match record.why.is_empty() {
            true => ControlVerdict::Recorded,
            false => ControlVerdict::CannotTell,
        };
        let title = "access by accounts with a console password is with MFA";
        vec![record, self.everybody("SP 800-53 IA-2(1)(2)", title)]
    }
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
