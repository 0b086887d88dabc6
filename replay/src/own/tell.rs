//! Our own log in the vocabulary that it shares with foreign ones.
//!
//! The domain refuses a history that contradicts itself. What is told here is every event as it stands, so that the
//! [`fold`](crate::fold) names what a forged or damaged history contradicts.

use std::ops::ControlFlow;
use std::sync::Arc;

use countersign_domain::caller::{By, Channel};
use countersign_domain::client::Client;
use countersign_domain::event::{Event, Purpose, SignInFactor};
use countersign_domain::ids::{StreamId, UnixMillis};
use countersign_store::Header;

use super::cast::{Cast, Known, each_known};
use super::error::OwnError;
use super::read::Entries;
use super::states::{ByStream, REGISTERED};
use super::store::OwnStore;
use super::subject::{alternative_fault, code_fault, key_fault, pair_fault, sms_fault};
use crate::ask::{Sealing, Told};
use crate::event::{Actor, ActorKind, Cite, DeviceKind, Observed, SignInClass, Subject, Via, What, Who};
use crate::fold::{Fold, Keep};
use crate::time::Time;

/// Which of the uses of MFA, sign-ins and attempts are told; what changes states always is.
pub type Details<'a> = Option<&'a dyn Fn(&Observed) -> bool>;

/// Tells the history of a store, up to an instant, that instant included.
///
/// # Errors
/// When the store cannot be read.
pub fn told(store: &OwnStore, until: Option<UnixMillis>, keep: Keep, details: Details<'_>) -> Result<Told, OwnError> {
    let source: Arc<str> = store.path().display().to_string().into();
    let mut fold = Fold::new(keep);
    let sealed = tell(store, &source, until, details, &mut |event| fold.take(&Arc::new(event)))?;
    Ok(Told { history: fold.end(), sealed, verdicts: store.verdicts()?, ..Told::default() })
}

/// Tells the history of a store with the details of those principals only whom somebody means by an id, `ACCOUNT/NAME`, a
/// name or a unique id.
///
/// # Errors
/// When the store cannot be read.
pub fn told_of(store: &OwnStore, until: Option<UnixMillis>, words: &str) -> Result<Told, OwnError> {
    let all = told(store, until, Keep::Changes, None)?;
    let meant: Vec<_> = all.find(words).into_iter().filter_map(|place| all.history.lives().get(place)).collect();
    let is = |who: &Who| {
        meant.iter().any(|life| match who {
            Who::Root { account } => life.is_root() && **account == *life.account(),
            Who::User { account, uid: Some(uid), .. } => **account == *life.account() && life.uid() == Some(uid),
            Who::User { name: Some(name), .. } => life.was_called(name),
            Who::User { .. } => false,
        })
    };
    told(store, until, Keep::All, Some(&|event| event.what.who().is_some_and(is)))
}

/// Tells every event of a log, in its order. An event's time is not before an earlier one's of its principal, whatever a
/// clock that was set back says.
///
/// ```
/// # use std::sync::Arc;
/// # use countersign_store::{EphemeralKeyRing, MemoryJournal};
/// # let journal = MemoryJournal::new(Arc::new(EphemeralKeyRing::new()?))?;
/// use countersign_replay::fold::{Fold, Keep};
/// use countersign_replay::own::{OpenJournal, tell::tell};
///
/// let mut fold = Fold::new(Keep::Changes);
/// tell(&OpenJournal(&journal), &"log".into(), None, None, &mut |event| fold.take(&event.into()))?;
/// assert!(fold.end().findings().is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When the log cannot be read.
pub fn tell(
    log: &dyn Entries,
    source: &Arc<str>,
    until: Option<UnixMillis>,
    details: Details<'_>,
    take: &mut dyn FnMut(Observed),
) -> Result<Sealing, OwnError> {
    let mut wanted = |header: &Header| is_lifecycle(header.event_type) || (details.is_some() && is_detail(header));
    let mut latest = ByStream::default();
    each_known(log, until, &mut wanted, &mut |cast, entry| {
        if let Some(observed) = (Teller { cast, source }).observe(entry, &mut latest)
            && (!observed.is_detail() || details.is_some_and(|wants| wants(&observed)))
        {
            take(observed);
        }
        ControlFlow::Continue(())
    })
}

pub(super) const fn is_lifecycle(event_type: u16) -> bool {
    matches!(event_type, 0x0101..=0x0102 | 0x0201..=0x0202 | 0x0205 | 0x0208..=0x0209 | 0x0301..=0x0303 | 0x0310 | 0x0315)
}

pub(super) const fn is_detail(header: &Header) -> bool {
    matches!(
        header.event_type,
        0x0120..=0x0121 | 0x0206..=0x0207 | 0x0311..=0x0314 | 0x0321..=0x0322 | 0x0332..=0x0333 | 0x0341..=0x0342 | 0x0352
    )
}

/// Types of sealed entries that say something by being there.
const SIGNED_IN: u16 = 0x0321;
const SIGN_IN_REFUSED: u16 = 0x0322;
const PASSWORD_REFUSED: u16 = 0x0120;

struct Teller<'a> {
    cast: &'a Cast,
    source: &'a Arc<str>,
}

impl Teller<'_> {
    fn observe(&self, entry: &Known, latest: &mut ByStream<Time>) -> Option<Observed> {
        let (what, by) = match &entry.event {
            Ok(event) => (self.what(entry.stream, event)?, self.actor(entry.stream, event)),
            Err(_) => (self.what_sealed(entry.stream, entry.event_type)?, Actor::default()),
        };
        let position = entry.position.0;
        let cite = Cite { source: Arc::clone(self.source), index: position, ..Cite::event(position.to_string()) };
        let at = Time(i64::try_from(entry.time.0).unwrap_or(i64::MAX));
        let latest = latest.entry(entry.stream).or_insert(at);
        *latest = at.max(*latest);
        Some(Observed { at: *latest, what, cite, by, position: Some(position) })
    }

    fn what(&self, stream: StreamId, event: &Event) -> Option<What> {
        let who = || self.cast.who(stream);
        let device = |device| self.cast.device(device);
        Some(match event {
            Event::PrincipalRegistered(_) => What::PrincipalCreated { who: who() },
            Event::PrincipalRenamed(renamed) => What::PrincipalRenamed { who: who(), to: renamed.name.as_str().into() },
            Event::PrincipalRemoved(_) => What::PrincipalDeleted { who: who() },
            event if event.creates_device() => {
                What::DeviceRegistered { device: device(stream), by: self.actor(stream, event).who }
            }
            Event::DeviceDeleted(_) => {
                What::DeviceDestroyed { device: device(stream), by: self.actor(stream, event).who }
            }
            Event::DeviceEnabled(enabled) => What::DeviceAssigned { who: who(), device: device(enabled.device) },
            Event::DeviceDeactivated(gone) => What::DeviceUnassigned { who: who(), device: device(gone.device) },
            Event::DeviceResynced(resynced) => What::DeviceResynced { who: who(), device: device(resynced.device) },
            Event::SignedIn(done) => What::SignInObserved {
                subject: Subject::Principal(who()),
                class: if done.factor == SignInFactor::Device { SignInClass::Mfa } else { SignInClass::NoMfa },
                success: true,
                device: done.device.map(device),
            },
            Event::SignInRefused(refused) => What::SignInObserved {
                subject: Subject::Principal(who()),
                class: SignInClass::Mfa,
                success: false,
                device: refused.device.map(device),
            },
            Event::PasswordRefused(refused) => sign_in_refused(refused.who.map(|who| self.cast.who(who))),
            _ => return self.use_of_mfa(stream, event).or_else(|| self.attempt(stream, event)),
        })
    }

    fn use_of_mfa(&self, stream: StreamId, event: &Event) -> Option<What> {
        let (device, purpose) = match event {
            Event::CodeAccepted(accepted) => (accepted.device, Some(accepted.purpose)),
            Event::KeyAccepted(accepted) => (accepted.device, None),
            Event::SmsCodeAccepted(accepted) if !self.cast.is_enrolment(event) => (accepted.device, None),
            _ => return None,
        };
        let device = self.cast.device(device);
        let via = match purpose {
            Some(Purpose::SessionToken) => Via::Token("GetSessionToken"),
            Some(Purpose::AssumeRole) => Via::Token("AssumeRole"),
            Some(Purpose::SignIn | Purpose::StepUp) | None => Via::Check(mfa_type(&device.serial).into()),
        };
        Some(What::MfaUseObserved { who: self.cast.who(stream), device: Some(device), via })
    }

    fn attempt(&self, stream: StreamId, event: &Event) -> Option<What> {
        let (name, error) = match event {
            Event::CodeRefused(refused) => (call_of(refused.purpose), code_fault(refused.fault, refused.steps)),
            Event::PairRefused(refused) => ("EnableMFADevice", pair_fault(refused.fault)),
            Event::ResyncRefused(refused) => ("ResyncMFADevice", pair_fault(refused.fault)),
            Event::KeyRefused(refused) => ("CheckMfa", key_fault(refused.fault)),
            Event::SmsCodeRefused(refused) if self.cast.is_enrolment(event) => {
                ("EnableMFADevice", sms_fault(refused.fault))
            }
            Event::SmsCodeRefused(refused) => ("CheckMfa", sms_fault(refused.fault)),
            Event::AlternativeRefused(refused) => ("CheckMfa", alternative_fault(refused.factor)),
            Event::BudgetSpent(_) => ("CheckMfa", "locked"),
            Event::PasswordsLocked(_) => ("ConsoleLogin", "locked"),
            _ => return None,
        };
        let principal = super::subject::principal_of(stream, event);
        let who = self.cast.is_principal(principal).then(|| self.cast.who(principal));
        let device = match event {
            Event::PairRefused(_) => Some(stream),
            _ => super::subject::device_of(event),
        };
        let device = device.map(|device| self.cast.device(device));
        Some(What::AttemptFailed { who, name: name.into(), error: error.into(), device })
    }

    fn what_sealed(&self, stream: StreamId, event_type: u16) -> Option<What> {
        let who = || self.cast.who(stream);
        let sign_in =
            |class, success| What::SignInObserved { subject: Subject::Principal(who()), class, success, device: None };
        match event_type {
            REGISTERED => Some(What::PrincipalCreated { who: who() }),
            SIGNED_IN => Some(sign_in(SignInClass::Unknown, true)),
            SIGN_IN_REFUSED => Some(sign_in(SignInClass::Mfa, false)),
            PASSWORD_REFUSED => Some(sign_in_refused(None)),
            0x0201..=0x0202 | 0x0208..=0x0209 => {
                Some(What::DeviceRegistered { device: self.cast.device(stream), by: None })
            }
            _ => None,
        }
    }

    fn actor(&self, stream: StreamId, event: &Event) -> Actor {
        match (by_of(event), client_of(event)) {
            (Some(by), _) => self.by(by),
            (None, Some(client)) => Actor {
                address: client.address().into(),
                ..self.principal(super::subject::principal_of(stream, event))
            },
            (None, None) if self.use_of_mfa(stream, event).or_else(|| self.attempt(stream, event)).is_some() => {
                self.principal(stream)
            }
            (None, None) => Actor::default(),
        }
    }

    fn by(&self, by: By) -> Actor {
        match by.who {
            Some(stream) => self.principal(stream),
            None if by.channel == Channel::Operator => {
                Actor { kind: ActorKind::Service, label: "operator".into(), ..Actor::default() }
            }
            None => Actor::default(),
        }
    }

    fn principal(&self, stream: StreamId) -> Actor {
        if !self.cast.is_principal(stream) {
            return Actor::default();
        }
        let who = self.cast.who(stream);
        let (kind, label) = match &who {
            Who::Root { account } => (ActorKind::Root, format!("arn:aws:iam::{account}:root")),
            Who::User { account, name, uid } => {
                let name = name.as_ref().or(uid.as_ref()).map_or("", |name| &**name);
                (ActorKind::User, format!("arn:aws:iam::{account}:user/{name}"))
            }
        };
        Actor { kind, who: Some(who), label: label.into(), ..Actor::default() }
    }
}

fn sign_in_refused(who: Option<Who>) -> What {
    let subject = who.map_or(Subject::Hidden, Subject::Principal);
    What::SignInObserved { subject, class: SignInClass::Unknown, success: false, device: None }
}

const fn call_of(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::SignIn | Purpose::StepUp => "CheckMfa",
        Purpose::SessionToken => "GetSessionToken",
        Purpose::AssumeRole => "AssumeRole",
    }
}

/// The kind of a device in the words of `CheckMfa`.
pub(super) fn mfa_type(serial: &str) -> &'static str {
    match DeviceKind::of(serial) {
        DeviceKind::Virtual => "Virtual MFA",
        DeviceKind::SecurityKey => "U2F MFA",
        DeviceKind::Sms => "SMS MFA",
        DeviceKind::Hardware => "Hardware MFA",
    }
}

/// Who did it, where the event says so.
pub(super) const fn by_of(event: &Event) -> Option<By> {
    match event {
        Event::VirtualDeviceCreated(made) => Some(made.by),
        Event::HardwareTokenImported(made) => Some(made.by),
        Event::SecurityKeyCreated(made) => Some(made.by),
        Event::SmsDeviceCreated(made) => Some(made.by),
        Event::DeviceDeleted(gone) => Some(gone.by),
        Event::PairRefused(refused) => Some(refused.by),
        Event::ResyncRefused(refused) => Some(refused.by),
        Event::DeviceResynced(resynced) => Some(resynced.by),
        Event::DeviceEnabled(enabled) => Some(enabled.by),
        Event::DeviceDeactivated(gone) => Some(gone.by),
        Event::PrincipalRemoved(gone) => Some(gone.by),
        _ => None,
    }
}

/// Where it came from, where the event says so.
pub(super) const fn client_of(event: &Event) -> Option<&Client> {
    match event {
        Event::PasswordRefused(refused) => Some(&refused.client),
        Event::PasswordsLocked(locked) => Some(&locked.client),
        Event::SignedIn(done) => Some(&done.client),
        Event::SignInRefused(refused) => Some(&refused.client),
        Event::AlternativeRefused(refused) => Some(&refused.client),
        _ => None,
    }
}
