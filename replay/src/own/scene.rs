//! The states of every stream that decisions are made from.

use std::collections::HashSet;

use countersign_domain::Corrupt;
use countersign_domain::account::{Account, Claim};
use countersign_domain::device::Device;
use countersign_domain::event::Event;
use countersign_domain::ids::{StreamId, UnixMillis};
use countersign_domain::policy::Policy;
use countersign_domain::principal::{Principal, Registered};
use countersign_store::EntryRef;
use foldhash::fast::RandomState;

use super::error::OwnError;
use super::read::{SEED_STORED, Sealed};
use super::states::ByStream;

/// The states of accounts, names, principals and devices, by the domain's own folds.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    /// Accounts.
    pub accounts: ByStream<Account>,
    /// Names, aliases and credentials.
    pub claims: ByStream<Claim>,
    /// Principals.
    pub people: ByStream<Principal>,
    /// Devices.
    pub devices: ByStream<Device>,
    /// Streams of which something is sealed: nothing is known of their state.
    pub dark: HashSet<StreamId, RandomState>,
}

fn fold<T>(
    states: &mut ByStream<T>,
    stream: StreamId,
    event: &Event,
    at: UnixMillis,
    evolve: fn(Option<T>, &Event, UnixMillis) -> Result<T, Corrupt>,
) -> Result<(), Corrupt> {
    let state = evolve(states.remove(&stream), event, at)?;
    states.insert(stream, state);
    Ok(())
}

impl Scene {
    /// Takes the next entry of a log.
    ///
    /// # Errors
    /// When the event cannot follow from the state before it.
    pub fn take(&mut self, entry: &EntryRef<'_>, event: Result<&Event, Sealed>) -> Result<(), OwnError> {
        let (stream, at) = (entry.header.stream, entry.header.time);
        let Ok(event) = event else {
            // No state has a seed, so none is missing.
            if entry.header.event_type != SEED_STORED {
                self.darken(stream);
            }
            return Ok(());
        };
        let taken = self.evolve(stream, event, at);
        taken.map_err(|cause| OwnError::Event { position: entry.position, cause: cause.to_string() })
    }

    /// Forgets a stream of which something is sealed.
    pub fn darken(&mut self, stream: StreamId) {
        self.dark.insert(stream);
        self.people.remove(&stream);
        self.devices.remove(&stream);
        self.accounts.remove(&stream);
    }

    /// Folds one event into its stream's state. Doors, guards and the host's records have none.
    ///
    /// # Errors
    /// When the event cannot follow from the state before it; the stream is without a state then.
    pub fn evolve(&mut self, stream: StreamId, event: &Event, at: UnixMillis) -> Result<(), Corrupt> {
        if !self.dark.is_empty() && self.dark.contains(&stream) {
            self.lighten(stream, event, at);
            return Ok(());
        }
        match event {
            Event::NameClaimed(_)
            | Event::NameReleased(_)
            | Event::CredentialClaimed(_)
            | Event::CredentialReleased(_) => fold(&mut self.claims, stream, event, at, Claim::evolve),
            Event::HostRecord(_)
            | Event::SigningKeyRotated(_)
            | Event::SeedStored(_)
            | Event::PasswordRefused(_)
            | Event::PasswordsLocked(_)
            | Event::SmsPrefixBlocked(_)
            | Event::SmsPrefixCleared(_) => Ok(()),
            Event::PrincipalRegistered(_) => fold(&mut self.people, stream, event, at, Principal::evolve),
            _ if self.people.contains_key(&stream) => fold(&mut self.people, stream, event, at, Principal::evolve),
            Event::AccountOpened(_) => fold(&mut self.accounts, stream, event, at, Account::evolve),
            _ if self.accounts.contains_key(&stream) => fold(&mut self.accounts, stream, event, at, Account::evolve),
            _ => fold(&mut self.devices, stream, event, at, Device::evolve),
        }
    }

    /// Goes on with a stream behind what is sealed, at an event that says enough for it.
    fn lighten(&mut self, stream: StreamId, event: &Event, at: UnixMillis) {
        if let Some(device) = Device::resume(event, at) {
            self.devices.insert(stream, device);
            self.dark.remove(&stream);
        } else if let Some(principal) = Principal::resume(event, at) {
            self.people.insert(stream, principal);
            self.dark.remove(&stream);
        }
    }

    /// The principal, while it may still do anything.
    #[must_use]
    pub fn registered(&self, stream: StreamId) -> Option<&Registered> {
        self.people.get(&stream).and_then(Principal::registered)
    }

    /// The account of a principal.
    #[must_use]
    pub fn account_of(&self, principal: StreamId) -> Option<&Account> {
        let id = match self.people.get(&principal)? {
            Principal::Registered(registered) => &registered.id,
            Principal::Removed(removed) => &removed.id,
            Principal::Forgotten(_) => return None,
        };
        self.accounts.get(&Account::stream(id.account()))
    }

    /// The rules that hold for a principal: its account's, or the deployment's.
    #[must_use]
    pub fn policy_of(&self, principal: StreamId, deployment: &Policy) -> Policy {
        let preset = self.account_of(principal).and_then(|account| account.settings.preset);
        preset.map_or_else(|| deployment.clone(), |preset| preset.policy(deployment))
    }
}
