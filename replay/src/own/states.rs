//! The states that a log has come to, by the domain's own folds, with the entries that decide them.

use std::collections::HashMap;

use countersign_domain::Corrupt;
use countersign_domain::account::Account;
use countersign_domain::device::{Device, DeviceName};
use countersign_domain::event::Event;
use countersign_domain::ids::{AccountId, Position, PrincipalId, StreamId, UnixMillis};
use countersign_domain::principal::Principal;
use countersign_store::EntryRef;
use foldhash::fast::RandomState;

use super::error::OwnError;
use super::read::Sealed;

/// States by stream.
pub type ByStream<T> = HashMap<StreamId, T, RandomState>;

/// The states of every account, principal and device.
#[derive(Debug, Default)]
pub struct States {
    /// Accounts.
    pub accounts: ByStream<Account>,
    /// Principals, the removed ones included.
    pub people: ByStream<Person>,
    /// Devices, the deleted ones included; `None` where it is sealed what they are.
    pub devices: ByStream<Option<Device>>,
    /// Serial numbers of every device there ever was, as last created: in a stream they differ in case only.
    serials: ByStream<String>,
    names: HashMap<(AccountId, String), Vec<StreamId>, RandomState>,
    /// Streams that an account named and that nothing was read of yet.
    announced: ByStream<Announced>,
}

#[derive(Clone, Copy, Debug)]
struct Announced {
    account: AccountId,
    is_root: bool,
}

/// A principal, with the entries that its answer rests on.
#[derive(Clone, Debug)]
pub struct Person {
    /// What is known of it.
    pub life: Life,
    /// Where it was registered.
    pub born: Position,
    /// The devices that are enabled, with the entries that enabled them, oldest first.
    pub enabled: Vec<(StreamId, Position)>,
    /// Where it last lost a device.
    pub lost: Option<Position>,
    /// Where it was removed.
    pub gone: Option<Position>,
    /// Where it was first seen to have a console password.
    pub signed_in: Option<Position>,
    /// Its latest name; `None` where that is sealed.
    pub name: Option<String>,
    /// Which of the principals that had this name in the account it is, from 1 on.
    pub generation: u32,
}

/// What is known of a principal.
#[derive(Clone, Debug)]
pub enum Life {
    /// Its state, by the domain's own fold; there is none only while it is being folded.
    Known(Box<Option<Principal>>),
    /// Its name and id are sealed, and so is what it was asked; its devices are not.
    Sealed {
        /// Its account, where an account named it.
        account: Option<AccountId>,
        /// Whether it is an account's root.
        is_root: bool,
    },
}

impl Person {
    /// Who it is, where that is known.
    #[must_use]
    pub fn id(&self) -> Option<&PrincipalId> {
        match &self.life {
            Life::Known(principal) => principal.as_ref().as_ref().and_then(|principal| match principal {
                Principal::Registered(registered) => Some(&registered.id),
                Principal::Removed(removed) => Some(&removed.id),
                Principal::Forgotten(_) => None,
            }),
            Life::Sealed { .. } => None,
        }
    }

    /// Its account, where that is known.
    #[must_use]
    pub fn account(&self) -> Option<AccountId> {
        match &self.life {
            Life::Known(_) => self.id().map(PrincipalId::account),
            Life::Sealed { account, .. } => *account,
        }
    }

    /// Whether it is an account's root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        match &self.life {
            Life::Known(_) => self.id().is_some_and(PrincipalId::is_root),
            Life::Sealed { is_root, .. } => *is_root,
        }
    }

    /// `ACCOUNT/root`, `ACCOUNT/NAME#GENERATION`, or where the name is sealed `ACCOUNT/sealed:STREAM`.
    #[must_use]
    pub fn label(&self, stream: StreamId) -> String {
        let account = self.account().map_or_else(|| "unknown".to_owned(), |account| account.to_string());
        match &self.name {
            _ if self.is_root() => format!("{account}/root"),
            Some(name) => format!("{account}/{name}#{}", self.generation),
            None => format!("{account}/sealed:{stream}"),
        }
    }
}

impl States {
    /// Takes the next entry. Names, doors, guards and the host's records are passed over.
    ///
    /// # Errors
    /// When the event cannot follow from the state before it.
    pub fn take(&mut self, entry: &EntryRef<'_>, event: Result<&Event, Sealed>) -> Result<(), OwnError> {
        let (stream, at, position) = (entry.header.stream, entry.header.time, entry.position);
        let taken = match event {
            Ok(event) => self.take_event(stream, at, position, event),
            Err(_) => {
                self.take_sealed(stream, position, entry.header.event_type);
                Ok(())
            }
        };
        taken.map_err(|cause| OwnError::Event { position, cause: cause.to_string() })
    }

    pub(super) fn take_event(
        &mut self,
        stream: StreamId,
        at: UnixMillis,
        position: Position,
        event: &Event,
    ) -> Result<(), Corrupt> {
        if let Some(person) = self.people.get_mut(&stream) {
            person.take(position, event);
            if let Life::Known(principal) = &mut person.life {
                **principal = Some(Principal::evolve(principal.take(), event, at)?);
            }
            if let Event::PrincipalRenamed(renamed) = event {
                self.name(stream, &renamed.name);
            }
            return Ok(());
        }
        if let Some(device) = self.devices.get_mut(&stream) {
            // What is unknown of a device is known again from the end of that life on.
            *device = match device.take() {
                None => Device::resume(event, at),
                before => Some(Device::evolve(before, event, at)?),
            };
            self.learn_serial(stream);
            return Ok(());
        }
        match event {
            Event::PrincipalRegistered(registered) => {
                self.announced.remove(&stream);
                let life = Life::Known(Box::new(Some(Principal::evolve(None, event, at)?)));
                self.people.insert(stream, Person::new(life, position));
                self.name(stream, &registered.name);
            }
            _ if event.creates_device() => {
                self.devices.insert(stream, Some(Device::evolve(None, event, at)?));
                self.learn_serial(stream);
            }
            Event::AccountOpened(_) => {
                self.announce(stream, event);
                self.accounts.insert(stream, Account::evolve(None, event, at)?);
            }
            _ => {
                self.announce(stream, event);
                if let Some(account) = self.accounts.remove(&stream) {
                    self.accounts.insert(stream, Account::evolve(Some(account), event, at)?);
                }
            }
        }
        Ok(())
    }

    /// Notes whom an account names, for the case that nothing else of it can be read.
    pub(super) fn announce(&mut self, stream: StreamId, event: &Event) {
        match event {
            Event::AccountOpened(opened) => {
                let root = PrincipalId::Root(opened.account).stream();
                self.announced.insert(root, Announced { account: opened.account, is_root: true });
            }
            Event::UserAdded(added) => {
                if let Some(account) = self.accounts.get(&stream) {
                    self.announced.insert(added.user, Announced { account: account.id, is_root: false });
                }
            }
            _ => {}
        }
    }

    /// What the type of a sealed entry says by itself.
    pub(super) fn take_sealed(&mut self, stream: StreamId, position: Position, event_type: u16) {
        match event_type {
            REGISTERED => {
                let announced = self.announced.remove(&stream);
                let life = Life::Sealed {
                    account: announced.map(|announced| announced.account),
                    is_root: announced.is_some_and(|announced| announced.is_root),
                };
                self.people.insert(stream, Person::new(life, position));
            }
            VIRTUAL_CREATED | TOKEN_IMPORTED | KEY_CREATED | SMS_CREATED => {
                self.devices.insert(stream, None);
            }
            RENAMED => self.rename(stream, None),
            SIGNED_IN => {
                if let Some(person) = self.people.get_mut(&stream) {
                    person.signed_in = person.signed_in.or(Some(position));
                }
            }
            _ => {}
        }
    }

    /// Gives a principal another name; `None` is one that is sealed.
    pub(super) fn rename(&mut self, stream: StreamId, name: Option<&DeviceName>) {
        match (name, self.people.get_mut(&stream)) {
            (Some(name), _) => self.name(stream, name),
            (None, Some(person)) => person.name = None,
            (None, None) => {}
        }
    }

    fn name(&mut self, stream: StreamId, name: &DeviceName) {
        let Some(person) = self.people.get_mut(&stream) else { return };
        person.name = Some(name.as_str().to_owned());
        // The root user is no user of this name, and may share it with one.
        if let Some(account) = person.account().filter(|_| !person.is_root()) {
            let holders = self.names.entry((account, name.folded())).or_default();
            let place = holders.iter().position(|holder| *holder == stream).unwrap_or_else(|| {
                holders.push(stream);
                holders.len() - 1
            });
            person.generation = u32::try_from(place + 1).unwrap_or(u32::MAX);
        }
    }

    /// The `id` of a principal as answers give it; see [`Person::label`].
    #[must_use]
    pub fn label(&self, stream: StreamId) -> String {
        self.people.get(&stream).map_or_else(|| format!("unknown:{stream}"), |person| person.label(stream))
    }

    /// The serial number or ARN of a device; where it is sealed, its stream.
    #[must_use]
    pub fn serial(&self, device: StreamId) -> String {
        self.serials.get(&device).cloned().unwrap_or_else(|| format!("sealed:{device}"))
    }

    fn learn_serial(&mut self, stream: StreamId) {
        if let Some(entity) = self.devices.get(&stream).and_then(Option::as_ref).and_then(Device::entity) {
            self.serials.insert(stream, entity.serial.to_string());
        }
    }
}

/// Type ids of the sealed events that say something by being there; see the table of the domain's wire forms.
pub(super) const REGISTERED: u16 = 0x0301;
pub(super) const RENAMED: u16 = 0x0302;
const SIGNED_IN: u16 = 0x0321;
pub(super) const VIRTUAL_CREATED: u16 = 0x0201;
pub(super) const TOKEN_IMPORTED: u16 = 0x0202;
pub(super) const DEVICE_DELETED: u16 = 0x0205;
pub(super) const KEY_CREATED: u16 = 0x0208;
pub(super) const SMS_CREATED: u16 = 0x0209;

impl Person {
    const fn new(life: Life, born: Position) -> Self {
        Self { life, born, enabled: Vec::new(), lost: None, gone: None, signed_in: None, name: None, generation: 1 }
    }

    fn take(&mut self, position: Position, event: &Event) {
        match event {
            Event::DeviceEnabled(enabled) => self.enabled.push((enabled.device, position)),
            Event::DeviceDeactivated(gone) => {
                self.enabled.retain(|(device, _)| *device != gone.device);
                self.lost = Some(position);
            }
            Event::PrincipalRemoved(_) => self.gone = Some(position),
            Event::SignedIn(_) => self.signed_in = self.signed_in.or(Some(position)),
            _ => {}
        }
    }
}
