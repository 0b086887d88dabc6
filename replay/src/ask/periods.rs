//! Stretches of time: without MFA, and with an authenticator.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::{Told, timeline};
use crate::event::{Device, DeviceKind, Observed, What};
use crate::fold::{Life, Status};
use crate::time::Time;

/// A period in which a principal provably had no MFA.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Period {
    /// The principal.
    pub id: String,
    /// Its begin.
    pub from: Time,
    /// Its end; `None` if it lasts.
    pub to: Option<Time>,
    /// Its length in seconds, if it ended.
    pub seconds: Option<i64>,
    /// Whether there was a console password at some time of it. Root can always come by one.
    pub console_password: bool,
    /// Records of sign-ins within.
    pub sign_ins: Vec<Arc<str>>,
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {}", self.id, self.from)?;
        match (self.to, self.seconds) {
            (Some(to), Some(seconds)) => write!(f, " to {to}, {seconds} s")?,
            _ => f.write_str(", and still")?,
        }
        write!(f, ", {} sign-ins", self.sign_ins.len())
    }
}

/// Periods in which principals had no MFA, by principal and time.
#[must_use]
pub fn periods_without_mfa(told: &Told, until: Option<Time>) -> Vec<Period> {
    told.in_order_at(until).into_iter().flat_map(|(life, id)| of_life(life, &id, until)).collect()
}

fn of_life(life: &Life, id: &str, until: Option<Time>) -> Vec<Period> {
    let mut periods: Vec<Period> = Vec::new();
    let mut open: Option<Period> = None;
    let steps = life.steps().iter().filter(|step| until.is_none_or(|until| step.event.at <= until));
    for step in steps {
        let (at, off) = (step.event.at, step.after.status == Status::Disabled);
        if off && open.is_none() {
            let (id, sign_ins) = (id.to_owned(), Vec::new());
            open = Some(Period { id, from: at, to: None, seconds: None, console_password: false, sign_ins });
        }
        if let Some(period) = &mut open {
            period.console_password |= off && (life.is_root() || step.after.console_password == Some(true));
            if off && matches!(step.event.what, What::SignInObserved { .. }) {
                period.sign_ins.push(step.event.cite.name());
            }
        }
        if !off {
            periods.extend(open.take().map(|period| {
                let seconds = Some(at.since(period.from).div_euclid(1000));
                Period { to: Some(at), seconds, ..period }
            }));
        }
    }
    periods.extend(open);
    periods
}

/// A device while it was a principal's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Authenticator {
    /// The principal.
    pub id: String,
    /// Serial number or ARN.
    pub device: Arc<str>,
    /// What it is.
    pub kind: DeviceKind,
    /// When it was bound; `None` if it was before the log begins.
    pub bound: Option<Time>,
    /// Who bound it, seen from the principal.
    pub bound_by: Option<&'static str>,
    /// Where that call came from.
    pub bound_from: Option<Arc<str>>,
    /// When it ended; `None` if it has not.
    pub ended: Option<Time>,
    /// Who ended it.
    pub ended_by: Option<&'static str>,
    /// The records of both.
    pub citations: Vec<Arc<str>>,
}

impl Authenticator {
    pub(super) fn cells(&self) -> Vec<String> {
        let time = |time: Option<Time>| time.map_or_else(|| "-".to_owned(), |time| time.to_string());
        let by = |by: Option<&str>| by.unwrap_or("-").to_owned();
        let kind = match self.kind {
            DeviceKind::Virtual => "virtual",
            DeviceKind::SecurityKey => "security key",
            DeviceKind::Sms => "SMS",
            DeviceKind::Hardware => "hardware",
        };
        let (bound, ended) = (time(self.bound), time(self.ended));
        let names = [self.id.clone(), self.device.to_string(), kind.to_owned()];
        names.into_iter().chain([bound, by(self.bound_by), ended, by(self.ended_by)]).collect()
    }
}

/// Every authenticator that was ever bound, by principal and time.
#[must_use]
pub fn authenticators(told: &Told, until: Option<Time>) -> Vec<Authenticator> {
    let mut all = Vec::new();
    for (life, id) in told.in_order_at(until) {
        let mut of_life: Vec<Authenticator> = Vec::new();
        let mut before: &[Arc<str>] = &[];
        for step in life.steps().iter().filter(|step| until.is_none_or(|until| step.event.at <= until)) {
            for serial in step.after.devices.iter().filter(|serial| !before.contains(serial)) {
                of_life.push(bound(life, &id, serial, &step.event));
            }
            let ended_unseen = match &step.event.what {
                What::DeviceUnassigned { device, .. } if !before.contains(&device.serial) => Some(&device.serial),
                _ => None,
            };
            if let Some(serial) = ended_unseen {
                let mut unseen = bound(life, &id, serial, &step.event);
                (unseen.bound, unseen.bound_by, unseen.bound_from) = (None, None, None);
                unseen.citations.clear();
                of_life.push(unseen);
            }
            let gone = |serial: &Arc<str>| !step.after.devices.contains(serial);
            for serial in before.iter().chain(ended_unseen).filter(|serial| gone(serial)) {
                end(life, &mut of_life, serial, &step.event);
            }
            before = &step.after.devices;
        }
        all.extend(of_life);
    }
    all
}

fn bound(life: &Life, id: &str, serial: &Arc<str>, event: &Observed) -> Authenticator {
    let enabled =
        matches!(&event.what, What::DeviceAssigned { device: Device { serial: named, .. }, .. } if named == serial);
    Authenticator {
        id: id.to_owned(),
        device: Arc::clone(serial),
        kind: DeviceKind::of(serial),
        bound: enabled.then_some(event.at),
        bound_by: enabled.then(|| timeline::actor(life, event)),
        bound_from: enabled.then(|| Arc::clone(&event.by.address)),
        ended: None,
        ended_by: None,
        citations: vec![event.cite.name()],
    }
}

fn end(life: &Life, of_life: &mut [Authenticator], serial: &Arc<str>, event: &Observed) {
    if let Some(last) = of_life.iter_mut().rev().find(|known| known.device == *serial && known.ended.is_none()) {
        last.ended = Some(event.at);
        last.ended_by = Some(timeline::actor(life, event));
        last.citations.push(event.cite.name());
    }
}
