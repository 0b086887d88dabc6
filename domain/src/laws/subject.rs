//! The state that each stream has come to, by the domain's own folds.

use alloc::boxed::Box;

use crate::Corrupt;
use crate::account::{Account, Claim};
use crate::device::Device;
use crate::event::Event;
use crate::ids::UnixMillis;
use crate::principal::Principal;

/// What a stream is of, and its state. There are very many of them, most of them small.
#[derive(Debug)]
pub(super) enum Subject {
    /// Nothing was recorded yet.
    Nothing,
    Account(Box<Option<Account>>),
    Claim(Claim),
    Device(Box<Option<Device>>),
    Principal(Box<Option<Principal>>),
    Host,
    Log,
    Door,
    Guard,
    Seed,
    /// Something of it could not be read.
    Unread,
    Broken,
}

impl Subject {
    pub(super) fn evolve(before: Self, event: &Event, at: UnixMillis) -> Self {
        let after = match (before, event) {
            (Self::Unread, _) => return Self::Unread,
            (Self::Host | Self::Nothing, Event::HostRecord(_)) => Ok(Self::Host),
            (Self::Log | Self::Nothing, Event::SigningKeyRotated(_)) => Ok(Self::Log),
            (Self::Door | Self::Nothing, Event::PasswordRefused(_) | Event::PasswordsLocked(_)) => Ok(Self::Door),
            (Self::Guard | Self::Nothing, Event::SmsPrefixBlocked(_) | Event::SmsPrefixCleared(_)) => Ok(Self::Guard),
            (Self::Nothing, Event::SeedStored(_)) => Ok(Self::Seed),
            (Self::Nothing, Event::AccountOpened(_)) => {
                in_place(Box::default(), |state| Account::evolve(state, event, at)).map(Self::Account)
            }
            (Self::Account(state), _) => in_place(state, |state| Account::evolve(state, event, at)).map(Self::Account),
            (Self::Nothing, Event::NameClaimed(_) | Event::CredentialClaimed(_)) => {
                Claim::evolve(None, event, at).map(Self::Claim)
            }
            (Self::Claim(state), _) => Claim::evolve(Some(state), event, at).map(Self::Claim),
            (Self::Nothing, Event::PrincipalRegistered(_)) => {
                in_place(Box::default(), |state| Principal::evolve(state, event, at)).map(Self::Principal)
            }
            (Self::Principal(state), _) => {
                in_place(state, |state| Principal::evolve(state, event, at)).map(Self::Principal)
            }
            (Self::Nothing, _) => in_place(Box::default(), |state| Device::evolve(state, event, at)).map(Self::Device),
            (Self::Device(state), _) => in_place(state, |state| Device::evolve(state, event, at)).map(Self::Device),
            (Self::Host | Self::Log | Self::Door | Self::Guard | Self::Seed | Self::Broken, _) => return Self::Broken,
        };
        after.unwrap_or(Self::Broken)
    }
}

/// Evolves a state in the memory that it has.
fn in_place<T>(
    mut state: Box<Option<T>>,
    evolve: impl FnOnce(Option<T>) -> Result<T, Corrupt>,
) -> Result<Box<Option<T>>, Corrupt> {
    *state = Some(evolve(state.take())?);
    Ok(state)
}
