//! Who and what the streams of a log are, by what the log has said of them so far. It takes every event.

use std::ops::ControlFlow;
use std::sync::Arc;

use countersign_domain::event::Event;
use countersign_domain::ids::{CommandId, Position, PrincipalId, StreamId, UnixMillis};
use countersign_store::Header;

use super::cut::Cut;
use super::error::OwnError;
use super::read::{Entries, Sealed, each_entry_of};
use super::states::{ByStream, REGISTERED, RENAMED};
use crate::ask::Sealing;
use crate::event::{Device, Who};

/// An entry of a log whose names are known.
pub(super) struct Known {
    pub(super) position: Position,
    pub(super) command: CommandId,
    pub(super) stream: StreamId,
    pub(super) event_type: u16,
    pub(super) time: UnixMillis,
    pub(super) event: Result<Event, Sealed>,
}

/// Visits the entries of a log, up to an instant, with the names that were known just before each and those that its
/// command makes.
pub(super) fn each_known(
    log: &dyn Entries,
    until: Option<UnixMillis>,
    wanted: &mut dyn FnMut(&Header) -> bool,
    visit: &mut dyn FnMut(&Cast, &Known) -> ControlFlow<()>,
) -> Result<Sealing, OwnError> {
    let (mut cast, mut sealed, mut cut) = (Cast::default(), Sealing::default(), Cut::new(until));
    // A device gets its name behind the entry that enables it, where one command does both.
    let mut waiting: Vec<Known> = Vec::new();
    let mut append = None;
    each_entry_of(log, Position(0), wanted, &mut |entry, event| {
        let header = &entry.header;
        let first = Position(entry.position.0.saturating_sub(header.part.into()));
        if append.replace(first) != Some(first) && cast.tell(&mut waiting, visit).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        if !cut.takes(header) {
            return Ok(ControlFlow::Continue(()));
        }
        let (stream, event_type) = (header.stream, header.event_type);
        match event {
            Ok(event) => cast.learn(stream, event),
            Err(why) => {
                sealed.count(why);
                cast.learn_sealed(stream, event_type);
            }
        }
        let (position, command, event) = (entry.position, header.command, event.cloned());
        waiting.push(Known { position, command, stream, event_type, time: header.time, event });
        Ok(ControlFlow::Continue(()))
    })?;
    let _ended = cast.tell(&mut waiting, visit);
    Ok(sealed)
}

/// Names of principals and devices.
#[derive(Debug, Default)]
pub(super) struct Cast {
    accounts: ByStream<Arc<str>>,
    people: ByStream<Who>,
    devices: ByStream<Device>,
    /// Whom an account named, and of whom nothing was read yet.
    announced: ByStream<Who>,
    /// Who has which device.
    owners: ByStream<StreamId>,
}

impl Cast {
    fn tell(
        &mut self,
        waiting: &mut Vec<Known>,
        visit: &mut dyn FnMut(&Self, &Known) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        for known in waiting.drain(..) {
            visit(self, &known)?;
            if let Ok(event) = &known.event {
                self.learn_after(known.stream, event);
            }
        }
        ControlFlow::Continue(())
    }

    /// Learns what an event says of names.
    fn learn(&mut self, stream: StreamId, event: &Event) {
        match event {
            Event::AccountOpened(opened) => {
                let account: Arc<str> = opened.account.to_string().into();
                let root = PrincipalId::Root(opened.account).stream();
                self.announced.insert(root, Who::root(Arc::clone(&account)));
                self.accounts.insert(stream, account);
            }
            Event::UserAdded(added) => {
                if let Some(account) = self.accounts.get(&stream) {
                    let name = format!("sealed:{}", added.user);
                    self.announced.insert(added.user, Who::user(Arc::clone(account), name));
                }
            }
            Event::PrincipalRegistered(registered) => {
                self.announced.remove(&stream);
                let account: Arc<str> = registered.id.account().to_string().into();
                let who = match &registered.id {
                    PrincipalId::Root(_) => Who::Root { account },
                    PrincipalId::User(_, user) => Who::User {
                        account,
                        name: Some(registered.name.as_str().into()),
                        uid: Some(user.as_str().into()),
                    },
                };
                self.people.insert(stream, who);
            }
            Event::VirtualDeviceCreated(made) => self.device_made(stream, &made.account, made.serial.as_str()),
            Event::SecurityKeyCreated(made) => self.device_made(stream, &made.account, made.serial.as_str()),
            Event::SmsDeviceCreated(made) => self.device_made(stream, &made.account, made.serial.as_str()),
            Event::HardwareTokenImported(token) => self.device_made(stream, &"", token.serial.as_str()),
            _ => {}
        }
    }

    /// Learns what is so from now on: of a change of name the old one is told.
    fn learn_after(&mut self, stream: StreamId, event: &Event) {
        match event {
            Event::PrincipalRenamed(renamed) => {
                if let Some(Who::User { name, .. }) = self.people.get_mut(&stream) {
                    *name = Some(renamed.name.as_str().into());
                }
            }
            // Its name is free, and another may have it.
            Event::PrincipalRemoved(_) => {
                if let Some(Who::User { name, uid: Some(_), .. }) = self.people.get_mut(&stream) {
                    *name = None;
                }
            }
            Event::DeviceEnabled(enabled) => {
                self.owners.insert(enabled.device, stream);
            }
            Event::DeviceDeactivated(gone) => {
                self.owners.remove(&gone.device);
            }
            _ => {}
        }
    }

    /// Learns what the type of a sealed entry says by itself.
    fn learn_sealed(&mut self, stream: StreamId, event_type: u16) {
        if event_type == REGISTERED {
            let nobody = || Who::user("unknown", format!("sealed:{stream}"));
            let who = self.announced.remove(&stream).unwrap_or_else(nobody);
            self.people.insert(stream, who);
        }
        if event_type == RENAMED
            && let Some(Who::User { name, .. }) = self.people.get_mut(&stream)
        {
            *name = Some(format!("sealed:{stream}").into());
        }
    }

    fn device_made(&mut self, stream: StreamId, account: &dyn ToString, serial: &str) {
        self.devices.insert(stream, Device { account: account.to_string().into(), serial: serial.into() });
    }

    /// A principal.
    pub(super) fn who(&self, stream: StreamId) -> Who {
        let known = self.people.get(&stream).cloned();
        known.unwrap_or_else(|| Who::user("unknown", format!("unknown:{stream}")))
    }

    /// Whether a stream is a principal's.
    pub(super) fn is_principal(&self, stream: StreamId) -> bool {
        self.people.contains_key(&stream)
    }

    /// Who has a device.
    pub(super) fn owner(&self, device: StreamId) -> Option<StreamId> {
        self.owners.get(&device).copied()
    }

    /// Whether a code of a message was typed to enable its device, which is no use of it yet.
    pub(super) fn is_enrolment(&self, event: &Event) -> bool {
        match event {
            Event::SmsCodeAccepted(accepted) => !self.owners.contains_key(&accepted.device),
            Event::SmsCodeRefused(refused) => !self.owners.contains_key(&refused.device),
            _ => false,
        }
    }

    /// A device.
    pub(super) fn device(&self, stream: StreamId) -> Device {
        let known = self.devices.get(&stream).cloned();
        known.unwrap_or_else(|| Device { account: "".into(), serial: format!("sealed:{stream}").into() })
    }
}
