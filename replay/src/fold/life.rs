//! One principal, from the first record about it to the last.

use std::sync::Arc;

use super::factors::{Basis, Factors, Status};
use crate::event::Observed;
use crate::time::Time;

/// One principal's history.
#[derive(Clone, Debug)]
pub struct Life {
    pub(super) account: Arc<str>,
    pub(super) uid: Option<Arc<str>>,
    pub(super) root: bool,
    /// The names that it had, each with its generation.
    pub(super) names: Vec<(Arc<str>, u32)>,
    /// When it was created, if the log shows that.
    pub(super) created: Option<Time>,
    /// It cannot have existed before, because another had its name.
    pub(super) not_before: Option<Time>,
    pub(super) steps: Vec<Step>,
    pub(super) attempts: Vec<Arc<Observed>>,
    pub(super) factors: Factors,
    pub(super) console: Option<(bool, Arc<Observed>)>,
    pub(super) deleted: Option<Arc<Observed>>,
}

/// An event of a principal, and what was true after it.
#[derive(Clone, Debug)]
pub struct Step {
    /// The event.
    pub event: Arc<Observed>,
    /// The generation of its device: how often a device of that name had been made.
    pub generation: u32,
    /// Whether the status, its basis, the devices or the console password are others than before.
    pub changed: bool,
    /// What was true from then on.
    pub after: Snapshot,
}

/// What was true of a principal for a while.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Whether it had MFA.
    pub status: Status,
    /// What that rests on.
    pub basis: Option<Basis>,
    /// The devices that are known by serial number.
    pub devices: Arc<[Arc<str>]>,
    /// Whether those are all that it had.
    pub complete: bool,
    /// Devices that may still have been on: one of them went by a record that does not say which.
    pub maybe_devices: Vec<Arc<str>>,
    /// Whether it had a console password; `None` if the log does not tell.
    pub console_password: Option<bool>,
    /// Its name then.
    pub name: Arc<str>,
    /// The events that decide all this, in their order.
    pub deciding: Arc<[Arc<Observed>]>,
}

impl Life {
    pub(super) fn new(account: Arc<str>, root: bool) -> Self {
        Self {
            account,
            uid: None,
            root,
            names: Vec::new(),
            created: None,
            not_before: None,
            steps: Vec::new(),
            attempts: Vec::new(),
            factors: Factors::default(),
            console: None,
            deleted: None,
        }
    }

    /// Its name in answers: `ACCOUNT/root`, or `ACCOUNT/NAME#GENERATION` by its last name.
    #[must_use]
    pub fn id(&self) -> String {
        match (self.root, self.names.last(), &self.uid) {
            (true, ..) => format!("{}/root", self.account),
            (false, Some((name, generation)), _) => format!("{}/{name}#{generation}", self.account),
            (false, None, Some(uid)) => format!("{}/{uid}#1", self.account),
            (false, None, None) => format!("{}/?#1", self.account),
        }
    }

    /// Its name in answers about an instant: by the name that it had then.
    #[must_use]
    pub fn id_at(&self, time: Option<Time>) -> String {
        let Some(time) = time.filter(|_| !self.root) else { return self.id() };
        let taken = self.steps.partition_point(|step| step.event.at <= time);
        let mut had = 0;
        let mut name = self.names.first().map(|(name, _)| name);
        for step in &self.steps[..taken] {
            name = Some(&step.after.name);
            let later = self.names.iter().enumerate().skip(had);
            had = later.into_iter().find(|(_, (known, _))| Some(known) == name).map_or(had, |(place, _)| place);
        }
        let generation = self.names.get(had).filter(|(known, _)| Some(known) == name).map_or(1, |(_, of)| *of);
        name.map_or_else(|| self.id(), |name| format!("{}/{name}#{generation}", self.account))
    }

    /// What principals of an account are sorted by: name, generation, unique id.
    pub(crate) fn order_key(&self) -> (String, u32, Option<Arc<str>>) {
        let (name, generation) = self.names.last().map_or_else(Default::default, |(name, g)| (name.to_lowercase(), *g));
        (name, generation, self.uid.clone())
    }

    /// Whether it had a name at some time.
    pub(crate) fn was_called(&self, name: &str) -> bool {
        self.names.iter().any(|(known, _)| known.to_lowercase() == name.to_lowercase())
    }

    /// Its account.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

    /// Its unique id, if a record tells.
    #[must_use]
    pub fn uid(&self) -> Option<&str> {
        self.uid.as_deref()
    }

    /// Whether it is a root user.
    #[must_use]
    pub const fn is_root(&self) -> bool {
        self.root
    }

    /// The events that were taken, in order.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Attempts that failed, which changed nothing.
    #[must_use]
    pub fn attempts(&self) -> &[Arc<Observed>] {
        &self.attempts
    }

    /// What was true at an instant, events of that instant included; `None` is the end.
    #[must_use]
    pub fn at(&self, time: Option<Time>) -> Snapshot {
        let taken = time.map_or(self.steps.len(), |time| self.steps.partition_point(|step| step.event.at <= time));
        match taken.checked_sub(1).and_then(|last| self.steps.get(last)) {
            Some(step) => step.after.clone(),
            None => self.before_all(time),
        }
    }

    /// When it can first have existed, if the log shows that there was none before.
    pub(crate) fn begin(&self) -> Option<Time> {
        self.created.max(self.not_before)
    }

    fn before_all(&self, time: Option<Time>) -> Snapshot {
        let later = self.begin().zip(time).is_some_and(|(begin, time)| time < begin);
        let status = if later { Status::Nonexistent } else { Status::Unknown };
        let name = self.names.first().map_or_else(|| self.placeholder(), |(name, _)| Arc::clone(name));
        Snapshot::without_mfa(status, name, Vec::new())
    }

    fn placeholder(&self) -> Arc<str> {
        if self.root { Arc::from("root") } else { self.uid.clone().unwrap_or_else(|| Arc::from("?")) }
    }

    /// What is true now, while the history is being told.
    pub(super) fn now(&self) -> Snapshot {
        let name = self.names.last().map_or_else(|| self.placeholder(), |(name, _)| Arc::clone(name));
        if let Some(deleted) = &self.deleted {
            let deciding = vec![Arc::clone(deleted)];
            return Snapshot::without_mfa(Status::Deleted, name, deciding);
        }
        let mut deciding = self.factors.deciding();
        deciding.extend(self.console.iter().map(|(_, event)| Arc::clone(event)));
        deciding.sort_by(|a, b| a.order(b));
        deciding.dedup_by(|a, b| Arc::ptr_eq(a, b));
        Snapshot {
            status: self.factors.status(),
            basis: self.factors.basis(),
            devices: self.factors.serials().into(),
            complete: self.factors.is_complete(),
            maybe_devices: self.factors.maybe(),
            console_password: self.console.as_ref().map(|(has, _)| *has),
            name,
            deciding: deciding.into(),
        }
    }

    /// Notes an event and what is true after it, when that is something else than before or is to be kept.
    pub(super) fn step(&mut self, event: &Arc<Observed>, generation: u32, keep: bool) {
        let mut after = self.now();
        if let Some(before) = self.steps.last() {
            after.share(&before.after);
        }
        let changed = match self.steps.last() {
            Some(before) => !before.after.says_the_same(&after),
            None => after.status != Status::Unknown || after.console_password.is_some(),
        };
        if changed || keep {
            self.steps.push(Step { event: Arc::clone(event), generation, changed, after });
        }
    }
}

impl Snapshot {
    /// What is true of who is not there, or of whom nothing is known.
    fn without_mfa(status: Status, name: Arc<str>, deciding: Vec<Arc<Observed>>) -> Self {
        Self {
            status,
            basis: None,
            devices: Arc::default(),
            complete: false,
            maybe_devices: Vec::new(),
            console_password: None,
            name,
            deciding: deciding.into(),
        }
    }

    /// Keeps nothing twice that was so before: a log may have many events that change nothing.
    fn share(&mut self, before: &Self) {
        if self.devices == before.devices {
            self.devices = Arc::clone(&before.devices);
        }
        let same = |(a, b): (&Arc<Observed>, &Arc<Observed>)| Arc::ptr_eq(a, b);
        if self.deciding.len() == before.deciding.len() && self.deciding.iter().zip(&*before.deciding).all(same) {
            self.deciding = Arc::clone(&before.deciding);
        }
    }

    /// Whether another says the same, on whatever grounds.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        let facts = |of: &Self| (of.status, of.basis, of.console_password, Arc::clone(&of.name));
        facts(self) == facts(other) && self.devices == other.devices && self.maybe_devices == other.maybe_devices
    }
}
