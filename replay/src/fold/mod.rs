//! The fold over observed events: total, in one pass, from events to lives, sign-ins and findings.
//!
//! A command would refuse what breaks an invariant; a log that was written elsewhere has already done it. So every
//! event is taken, the state after it is what the event shows, and the contradiction becomes a [`Finding`].

mod factors;
mod finding;
mod hands;
mod history;
mod life;
mod names;
mod sessions;

use std::collections::HashMap;
use std::sync::Arc;

pub use factors::{Basis, Status};
pub use finding::{Finding, FindingKind};
pub use history::{History, SignIn};
pub use life::{Life, Snapshot, Step};

use names::{Meant, Names};

use crate::event::{Device, Observed, SignInClass, Subject, Via, What, Who};
use crate::time::Time;

/// Tells the history of some events. They are put in order first; events that are in order already cost little.
#[must_use]
pub fn fold(events: impl IntoIterator<Item = Observed>) -> History {
    let mut events: Vec<Arc<Observed>> = events.into_iter().map(Arc::new).collect();
    events.sort_by(|a, b| a.order(b));
    sessions::name_openers(&mut events);
    let mut fold = Fold::default();
    for event in &events {
        fold.take(event);
    }
    fold.end()
}

/// What of a history is kept while it is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// Every event and every sign-in.
    #[default]
    All,
    /// Events that change what is true, sign-ins without MFA, and the list of sign-ins.
    SignIns,
    /// Events that change what is true, and sign-ins without MFA.
    Changes,
}

/// A history that is being told, event by event, in order.
///
/// ```
/// use countersign_replay::event::{Observed, What, Who};
/// use countersign_replay::fold::{Fold, Keep};
/// use countersign_replay::time::Time;
///
/// let mut fold = Fold::new(Keep::Changes);
/// fold.take(&Observed::new(Time(0), What::PrincipalCreated { who: Who::user("123456789012", "lee") }).into());
/// assert_eq!(fold.end().lives().len(), 1);
/// ```
#[derive(Debug, Default)]
pub struct Fold {
    keep: Keep,
    names: Names,
    owners: HashMap<Device, usize>,
    generations: HashMap<Device, u32>,
    sign_ins: Vec<SignIn>,
    findings: Vec<Finding>,
    attempts: Vec<Arc<Observed>>,
    others: Vec<Arc<Observed>>,
    /// Devices that somebody seems to have lost at the last instant.
    losses: Vec<hands::Loss>,
    /// Whether the event that is being taken has become a principal's.
    taken: bool,
}

type Event = Arc<Observed>;

impl Fold {
    /// A history of nothing yet.
    #[must_use]
    pub fn new(keep: Keep) -> Self {
        Self { keep, ..Self::default() }
    }

    /// Takes the next event.
    pub fn take(&mut self, event: &Arc<Observed>) {
        self.settle(Some(event.at));
        self.taken = false;
        match &event.what {
            What::AttemptFailed { .. } => return self.attempts.push(Arc::clone(event)),
            What::SignInObserved { success: false, .. } => {
                self.attempts.push(Arc::clone(event));
                return self.signed_in(event, None, None);
            }
            What::PrincipalCreated { who } => self.created(who, event),
            What::PrincipalRenamed { who, to } => self.renamed(who, to, event),
            What::PrincipalDeleted { who } => self.deleted(who, event),
            What::DeviceRegistered { device, by } => self.registered(device, by.as_ref(), event),
            What::DeviceAssigned { who, device } => self.assigned(who, device, event),
            What::DeviceUnassigned { who, device } => self.unassigned(who, device, event),
            What::DeviceDestroyed { device, by } => self.destroyed(device, by.as_ref(), event),
            What::DeviceResynced { who, device } => self.resynced(who, device, event),
            What::MfaUseObserved { who, device, via } => self.used(who, device.as_ref(), via, event),
            What::SignInObserved { subject: Subject::Principal(who), class, device, .. } => {
                self.signs_in(who, *class, device.as_ref(), event);
            }
            What::SignInObserved { .. } => self.signed_in(event, None, None),
            What::ConsolePasswordSet { who, .. } => self.password(who, true, event),
            What::ConsolePasswordRemoved { who } => self.password(who, false, event),
            What::ChangeUntold { who, name } => self.untold(who.as_ref(), name, event),
            What::StateAnchored { who, mfa, console } => self.anchored(who, *mfa, *console, event),
        }
        if !self.taken && self.keep == Keep::All {
            self.others.push(Arc::clone(event));
        }
        if let Some(actor) = &event.by.who {
            self.names.learn(actor);
        }
    }

    /// Who is meant, with the finding that this may be.
    fn meant(&mut self, who: &Who, event: &Event) -> Option<usize> {
        let meant = self.names.meant(who, event.at);
        self.noted(meant, who, event)
    }

    fn noted(&mut self, meant: Option<Meant>, who: &Who, event: &Event) -> Option<usize> {
        let Meant { life, finding } = meant?;
        if let Some(kind) = finding {
            let before = self.names.predecessor(who, life);
            let kind = match (&event.what, kind) {
                (What::DeviceAssigned { .. }, FindingKind::ImpliedRecreation) => FindingKind::EnableOnDeleted,
                _ => kind,
            };
            let evidence = before.map(|before| self.life(before).now().deciding).unwrap_or_default();
            if let Some(before) = before {
                self.names.supersede(before, event);
            }
            self.found(kind, life, Vec::new(), &evidence, event);
        }
        Some(life)
    }

    fn life(&mut self, life: usize) -> &mut Life {
        &mut self.names.lives[life]
    }

    fn found(
        &mut self,
        kind: FindingKind,
        life: impl Into<Option<usize>>,
        devices: Vec<Arc<str>>,
        before: &[Event],
        event: &Event,
    ) {
        let mut evidence = before.to_vec();
        evidence.retain(|earlier| !Arc::ptr_eq(earlier, event));
        evidence.push(Arc::clone(event));
        let cited = evidence.iter().map(|event| event.cite.name()).collect();
        self.findings.push(Finding { at: Some(event.at), life: life.into(), kind, devices, evidence, cited });
    }

    fn step(&mut self, life: usize, device: Option<&Device>, event: &Event) {
        let generation = device.map_or(0, |device| self.generation(device));
        self.taken = true;
        let keep = self.keep == Keep::All || !event.is_of_mfa();
        self.life(life).step(event, generation, keep);
    }

    fn created(&mut self, who: &Who, event: &Event) {
        let meant = self.names.created(who, event.at);
        let Some(life) = self.noted(meant, who, event) else { return };
        let new = self.life(life);
        new.created = Some(event.at);
        new.factors.created(event);
        // Our own log does not say what becomes of a password, but for its use.
        new.console = (!event.is_of_whole_log()).then(|| (false, Arc::clone(event)));
        self.step(life, None, event);
    }

    fn renamed(&mut self, who: &Who, to: &Arc<str>, event: &Event) {
        let Some(life) = self.meant(who, event) else { return };
        let holder = self.names.holder(self.names.lives[life].account(), to).filter(|holder| *holder != life);
        self.names.renamed(life, to, event.at);
        if let Some(holder) = holder {
            let evidence = self.life(holder).now().deciding;
            self.names.supersede(holder, event);
            self.found(FindingKind::RecreatedWithoutDelete, life, Vec::new(), &evidence, event);
        }
        self.step(life, None, event);
    }

    fn deleted(&mut self, who: &Who, event: &Event) {
        let Some(life) = self.meant(who, event) else { return };
        let before = self.life(life).now();
        if before.status == Status::Enabled {
            self.found(FindingKind::DeletedWithActiveDevice, life, before.devices.to_vec(), &before.deciding, event);
        }
        self.life(life).deleted = Some(Arc::clone(event));
        self.step(life, None, event);
    }

    fn assigned(&mut self, who: &Who, device: &Device, event: &Event) {
        let Some(life) = self.meant(who, event) else { return };
        if self.life(life).deleted.is_some() {
            let evidence = self.life(life).now().deciding;
            let devices = vec![Arc::clone(&device.serial)];
            self.found(FindingKind::EnableOnDeleted, life, devices, &evidence, event);
        }
        if let Some(kind) = self.life(life).factors.assign(&device.serial, event) {
            self.found(kind, life, vec![Arc::clone(&device.serial)], &[], event);
        }
        self.owned(device, life, event);
        self.step(life, Some(device), event);
    }

    fn unassigned(&mut self, who: &Who, device: &Device, event: &Event) {
        let Some(life) = self.meant(who, event) else { return };
        let before = self.life(life).now();
        let had = self.life(life).factors.holds(&device.serial);
        let finding = self.life(life).factors.unassign(&device.serial, event);
        // Who had it as well handed it on within the second.
        if !(had && self.is_anothers(Some(device), life)) {
            self.owned(device, life, event);
        }
        self.about_device(finding, life, Some(device), before, event);
        self.step(life, Some(device), event);
    }

    /// A change that does not say of what: what it may have been is no longer certain.
    fn untold(&mut self, who: Option<&Who>, name: &str, event: &Event) {
        let Some(life) = who.and_then(|who| self.meant(who, event)) else {
            return self.found(FindingKind::IncompleteRecord, None, Vec::new(), &[], event);
        };
        let before = self.life(life).now();
        let factors = &mut self.life(life).factors;
        match name {
            "EnableMFADevice" => factors.assign_unnamed(event),
            "DeactivateMFADevice" => factors.unassign_unnamed(event),
            _ => {
                factors.used(None, FindingKind::ResyncOfUnknownDevice, event);
            }
        }
        self.found(FindingKind::IncompleteRecord, life, before.devices.to_vec(), &before.deciding, event);
        self.step(life, None, event);
    }

    fn resynced(&mut self, who: &Who, device: &Device, event: &Event) {
        let Some(life) = self.meant(who, event) else { return };
        let before = self.life(life).now();
        let finding = self.life(life).factors.resynced(&device.serial, event);
        self.owned(device, life, event);
        self.about_device(finding, life, Some(device), before, event);
        self.step(life, Some(device), event);
    }

    fn used(&mut self, who: &Who, device: Option<&Device>, via: &Via, event: &Event) {
        let (while_disabled, meant) = match via {
            Via::Session { .. } => (FindingKind::MfaSessionWhileDisabled, self.names.meant_by_session(who, event.at)),
            Via::Check(_) => (FindingKind::MfaCheckWhileDisabled, self.names.meant(who, event.at)),
            Via::Token(_) => (FindingKind::MfaUseWhileDisabled, self.names.meant(who, event.at)),
        };
        let Some(life) = self.noted(meant, who, event) else { return };
        self.proven(life, device, while_disabled, event);
        self.step(life, device, event);
    }

    /// Somebody has shown to have MFA.
    fn proven(&mut self, life: usize, device: Option<&Device>, while_disabled: FindingKind, event: &Event) {
        if self.life(life).deleted.is_some() || (event.is_of_whole_log() && self.is_anothers(device, life)) {
            return;
        }
        let before = self.life(life).now();
        let finding = self.life(life).factors.used(device.map(|device| &device.serial), while_disabled, event);
        if let Some(device) = device {
            self.owned(device, life, event);
        }
        self.about_device(finding, life, device, before, event);
    }

    fn about_device(
        &mut self,
        finding: Option<FindingKind>,
        life: usize,
        device: Option<&Device>,
        before: Snapshot,
        event: &Event,
    ) {
        if let Some(kind) = finding {
            let devices = device.map(|device| Arc::clone(&device.serial)).into_iter().collect();
            self.found(kind, life, devices, &before.deciding, event);
        }
    }

    fn signs_in(&mut self, who: &Who, class: SignInClass, device: Option<&Device>, event: &Event) {
        let Some(life) = self.meant(who, event) else { return self.signed_in(event, None, None) };
        let before = self.life(life).now();
        self.signed_in(event, Some(life), Some(before.status));
        match class {
            SignInClass::Mfa => self.proven(life, device, FindingKind::MfaSigninWhileDisabled, event),
            SignInClass::NoMfa => self.shown_off(life, Basis::SignedInWithoutMfa, before, event),
            SignInClass::Federated | SignInClass::Unknown => {}
        }
        if class != SignInClass::Federated {
            self.console(life, true, event);
        }
        self.step(life, device, event);
    }

    fn shown_off(&mut self, life: usize, basis: Basis, before: Snapshot, event: &Event) {
        if before.status == Status::Deleted {
            return;
        }
        let contradiction = match basis {
            Basis::CredentialReport => FindingKind::ReportSaysInactive,
            _ => FindingKind::SigninWithoutMfaWhileEnabled,
        };
        if let Some(kind) = self.life(life).factors.shown_off(basis, contradiction, event) {
            self.found(kind, life, before.devices.to_vec(), &before.deciding, event);
        }
    }

    fn signed_in(&mut self, event: &Event, life: Option<usize>, before: Option<Status>) {
        if let What::SignInObserved { class, success, .. } = &event.what
            && self.keep != Keep::Changes
        {
            let (success, class) = (*success, *class);
            self.sign_ins.push(SignIn { event: Arc::clone(event), life, success, class, before });
        }
    }

    /// The event that first shows a password decides; later ones only confirm it.
    fn console(&mut self, life: usize, has: bool, event: &Event) {
        let life = self.life(life);
        if life.console.as_ref().map(|(known, _)| *known) != Some(has) {
            life.console = Some((has, Arc::clone(event)));
        }
    }

    fn password(&mut self, who: &Who, set: bool, event: &Event) {
        let Some(life) = self.meant(who, event) else { return };
        self.console(life, set, event);
        self.step(life, None, event);
    }

    fn anchored(&mut self, who: &Who, mfa: bool, console: Option<bool>, event: &Event) {
        let Some(life) = self.meant(who, event) else { return };
        let before = self.life(life).now();
        if mfa {
            self.proven(life, None, FindingKind::ReportSaysActive, event);
        } else {
            self.shown_off(life, Basis::CredentialReport, before, event);
        }
        if let Some(console) = console {
            self.console(life, console, event);
        }
        self.step(life, None, event);
    }

    /// Ends the history. Failures change nothing, so they are assigned now that everybody is known.
    #[must_use]
    pub fn end(mut self) -> History {
        self.settle(None);
        for attempt in std::mem::take(&mut self.attempts) {
            let who = match &attempt.what {
                What::AttemptFailed { who, .. } => who.as_ref(),
                What::SignInObserved { subject: Subject::Principal(who), .. } => Some(who),
                _ => None,
            };
            match who.and_then(|who| self.names.known(who, attempt.at)) {
                Some(life) => self.life(life).attempts.push(attempt),
                None if self.keep == Keep::All => self.others.push(attempt),
                None => {}
            }
        }
        for sign_in in self.sign_ins.iter_mut().filter(|sign_in| sign_in.life.is_none()) {
            if let What::SignInObserved { subject: Subject::Principal(who), .. } = &sign_in.event.what {
                sign_in.life = self.names.known(who, sign_in.event.at);
                let life = sign_in.life.and_then(|life| self.names.lives.get(life));
                sign_in.before = life.map(|life| life.at(Some(Time(sign_in.event.at.0 - 1))).status);
            }
        }
        self.others.sort_by(|a, b| a.order(b));
        History::new(self.names.lives, self.sign_ins, self.findings, self.others)
    }
}
