//! The controls, one by one.

use std::collections::BTreeSet;

use super::super::periods::{authenticators, periods_without_mfa};
use super::super::{Integrity, Told, rotations_until, signins};
use super::{Control, ControlVerdict};
use crate::event::{DeviceKind, SignInClass};
use crate::fold::{Life, SignIn, Snapshot, Status, Step};
use crate::time::Time;
use crate::trail::Verdict;

/// The principals of a history at the instant that is asked for.
pub(super) struct Asked<'a> {
    told: &'a Told,
    at: Option<Time>,
    /// With their ids then.
    states: Vec<(&'a Life, String, Snapshot)>,
    pub(super) integrity: Integrity,
}

impl<'a> Asked<'a> {
    pub(super) fn new(told: &'a Told, at: Option<Time>) -> Self {
        let there = |state: &Snapshot| !matches!(state.status, Status::Deleted | Status::Nonexistent);
        let states = told.in_order_at(at).into_iter().map(|(life, id)| (life, id, life.at(at)));
        let states: Vec<(&Life, String, Snapshot)> = states.filter(|(_, _, state)| there(state)).collect();
        let sign_ins = told.history.sign_ins().iter().filter(|sign_in| at.is_none_or(|at| sign_in.event.at <= at));
        let decisive = sign_ins.filter(|sign_in| sign_in.success && sign_in.class != SignInClass::Federated);
        let events =
            states.iter().flat_map(|(_, _, state)| state.deciding.iter()).chain(decisive.map(|sign_in| &sign_in.event));
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
            let root = self.states.iter().find(|(life, ..)| life.is_root() && life.account() == account);
            (format!("{account}/root"), root.map(|(_, _, state)| state))
        };
        accounts.into_iter().map(of).collect()
    }

    pub(super) fn root_mfa(&self, id: &'static str) -> Control {
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

    pub(super) fn root_hardware(&self, id: &'static str) -> Control {
        let mut control = self.control(id, "root_hardware_mfa", "the root user has hardware MFA");
        for (root, state) in self.roots() {
            let kinds = state.map_or_else(Vec::new, |state| state.devices.iter().map(|s| DeviceKind::of(s)).collect());
            let has = |kind: DeviceKind| kinds.contains(&kind);
            let whole = state.is_some_and(|state| state.complete);
            match state.map_or(Status::Unknown, |state| state.status) {
                Status::Disabled => control.fails.push(root),
                Status::Enabled if has(DeviceKind::Virtual) || has(DeviceKind::Sms) => control.fails.push(root),
                Status::Enabled if has(DeviceKind::SecurityKey) => {
                    control.why.push("security keys and passkeys, which may be synchronised, are named alike");
                    control.cannot_tell.push(root);
                }
                Status::Enabled if whole => {}
                _ => control.cannot_tell.push(root),
            }
        }
        control.why.dedup();
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

    pub(super) fn users(&self, id: &'static str) -> Control {
        let mut control = self.control(id, "console_users_mfa", "every user with a console password has MFA");
        for (_, id, state) in self.states.iter().filter(|(life, ..)| !life.is_root()) {
            match (state.console_password, state.status) {
                (Some(true), Status::Disabled) => control.fails.push(id.clone()),
                (Some(true), Status::Unknown) => control.cannot_tell.push(id.clone()),
                (None, Status::Disabled | Status::Unknown) => control.password_unknown.push(id.clone()),
                _ => {}
            }
        }
        if !self.told.history.lives().is_empty() && self.states.iter().all(|(life, ..)| life.is_root()) {
            control.why.push("the input names no user");
        }
        control.judged()
    }

    /// Notes sign-ins without MFA, those whose records do not tell, and a log that has none to judge.
    fn sign_ins_of(&self, mut control: Control) -> Control {
        let until = |sign_in: &&SignIn| self.at.is_none_or(|at| sign_in.event.at <= at);
        let seen = || self.told.history.sign_ins().iter().filter(until);
        let ids = self.told.ids_at(self.at);
        let of = |class| {
            let found = seen().filter(move |sign_in| sign_in.success && sign_in.class == class);
            found.map(|sign_in| signins::row(self.told, &ids, sign_in)).collect()
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

    pub(super) fn sign_ins(&self, id: &'static str) -> Control {
        let title = "nobody signs in to the console without MFA";
        self.sign_ins_of(self.control(id, "sign_ins_without_mfa", title)).judged()
    }

    /// Of whom the log does not tell at every time, from its begin on, whether MFA, or a console password, was there.
    fn doubtful_periods(&self, control: &mut Control) {
        let unnamed = self.roots().into_iter().filter(|(_, state)| state.is_none());
        control.cannot_tell = unnamed.map(|(root, _)| root).collect();
        let begin = self.told.history.begin();
        for (life, id) in self.told.in_order_at(self.at) {
            let until = |time: &Time| self.at.is_none_or(|at| *time <= at);
            let steps = || life.steps().iter().take_while(|step| until(&step.event.at));
            let first = steps().next().map(|step| step.event.at);
            let there = life.begin().or(begin);
            if first.is_none() && life.begin().is_some_and(|begin| !until(&begin)) {
                continue;
            }
            let untold = first.is_none_or(|first| there.is_none_or(|there| first > there));
            let counts = |password| life.is_root() || password != Some(false);
            let unknown = |step: &Step| step.after.status == Status::Unknown && counts(step.after.console_password);
            let no_mfa = |step: &Step| step.after.status == Status::Disabled && step.after.console_password.is_none();
            if untold || steps().any(unknown) {
                control.cannot_tell.push(id);
            } else if !life.is_root() && steps().any(no_mfa) {
                control.password_unknown.push(id);
            }
        }
    }

    pub(super) fn pci(&self) -> Vec<Control> {
        let mut periods = periods_without_mfa(self.told, self.at);
        periods.retain(|period| period.console_password);
        let admin = "MFA is on for everybody with a console password, administrators among them";
        let admin = self.everybody("8.4.1", admin);
        let mut access = self.sign_ins_of(self.control("8.4.2", "access_without_mfa", "all access is with MFA"));
        (access.fails, access.cannot_tell) = (admin.fails.clone(), admin.cannot_tell.clone());
        access.password_unknown = admin.password_unknown.clone();
        let title = "nobody is without MFA, but for documented periods";
        let mut bypass = self.control("8.5.1", "periods_without_mfa", title);
        self.doubtful_periods(&mut bypass);
        bypass.periods = periods;
        bypass.gaps = rotations_until(self.told, self.at).rotations;
        bypass.gaps.retain(|gap| gap.without_mfa);
        vec![admin, access.judged(), bypass.judged()]
    }

    pub(super) fn nist(&self) -> Vec<Control> {
        let title = "authenticators are recorded with the time and the source of their binding and their end";
        let mut record = self.control("SP 800-63B-4 sec. 4", "authenticator_record", title);
        record.authenticators = authenticators(self.told, self.at);
        let unknown = self.states.iter().filter(|(_, _, state)| state.status == Status::Unknown);
        record.cannot_tell = unknown.map(|(_, id, _)| id.clone()).collect();
        record.verdict = match record.why.is_empty() {
            true => ControlVerdict::Recorded,
            false => ControlVerdict::CannotTell,
        };
        let title = "access by accounts with a console password is with MFA";
        vec![record, self.everybody("SP 800-53 IA-2(1)(2)", title)]
    }
}
