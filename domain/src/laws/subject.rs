//! The state that each stream has come to, by the domain's own folds.

use crate::account::{Account, Claim};
use crate::device::Device;
use crate::event::Event;
use crate::ids::UnixMillis;
use crate::principal::Principal;

/// What a stream is of, and its state.
#[derive(Debug)]
pub(super) enum Subject {
    Account(Account),
    Claim(Claim),
    Device(Device),
    Principal(Principal),
    Host,
    Door,
    Guard,
    /// Something of it could not be read.
    Unread,
    Broken,
}

impl Subject {
    pub(super) fn evolve(before: Option<Self>, event: &Event, at: UnixMillis) -> Self {
        let after = match (before, event) {
            (Some(Self::Unread), _) => return Self::Unread,
            (Some(Self::Host) | None, Event::HostRecord(_)) => Ok(Self::Host),
            (Some(Self::Door) | None, Event::PasswordRefused(_) | Event::PasswordsLocked(_)) => Ok(Self::Door),
            (Some(Self::Guard) | None, Event::SmsPrefixBlocked(_) | Event::SmsPrefixCleared(_)) => Ok(Self::Guard),
            (None, Event::AccountOpened(_)) => Account::evolve(None, event, at).map(Self::Account),
            (Some(Self::Account(state)), _) => Account::evolve(Some(state), event, at).map(Self::Account),
            (None, Event::NameClaimed(_) | Event::CredentialClaimed(_)) => {
                Claim::evolve(None, event, at).map(Self::Claim)
            }
            (Some(Self::Claim(state)), _) => Claim::evolve(Some(state), event, at).map(Self::Claim),
            (None, Event::PrincipalRegistered(_)) => Principal::evolve(None, event, at).map(Self::Principal),
            (Some(Self::Principal(state)), _) => Principal::evolve(Some(state), event, at).map(Self::Principal),
            (None, _) => Device::evolve(None, event, at).map(Self::Device),
            (Some(Self::Device(state)), _) => Device::evolve(Some(state), event, at).map(Self::Device),
            (Some(Self::Host | Self::Door | Self::Guard | Self::Broken), _) => return Self::Broken,
        };
        after.unwrap_or(Self::Broken)
    }
}
