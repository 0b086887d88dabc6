//! What an account counts, and the names that its principals hold.

use serde::{Deserialize, Serialize};

use crate::Corrupt;
use crate::device::DeviceName;
use crate::event::Event;
use crate::ids::{AccountId, StreamId, UnixMillis};
use crate::settings::{AccountAlias, Settings};

/// An open account: its quotas' counters. Absence is `None`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// When it was opened.
    pub opened_at: UnixMillis,
    /// Its users.
    pub users: u32,
    /// Its virtual devices, assigned or not (R22, R163).
    pub virtual_devices: u32,
    /// What it has chosen.
    pub settings: Settings,
}

impl Account {
    /// The stream of an account.
    #[must_use]
    pub fn stream(account: AccountId) -> StreamId {
        StreamId::derive(&["account", &alloc::format!("{account}")])
    }

    /// The stream of what is recorded of wrong passwords of nobody that exists: in an account, or in none.
    #[must_use]
    pub fn door(account: Option<AccountId>) -> StreamId {
        match account {
            Some(account) => StreamId::derive(&["door", &alloc::format!("{account}")]),
            None => StreamId::derive(&["door"]),
        }
    }

    /// The stream of what is recorded of wrong passwords of one principal: a stream of its own, so that it can be
    /// forgotten with the principal.
    #[must_use]
    pub fn door_of(principal: StreamId) -> StreamId {
        StreamId::derive(&["door", "of", &alloc::format!("{principal}")])
    }

    /// Folds one event of an account's stream.
    ///
    /// # Errors
    /// When the event cannot follow this state; the stored history is then not ours.
    pub fn evolve(state: Option<Self>, event: &Event, at: UnixMillis) -> Result<Self, Corrupt> {
        let corrupt = || Corrupt::new("account", event);
        let Some(mut account) = state else {
            let Event::AccountOpened(opened) = event else { return Err(corrupt()) };
            return Ok(Self {
                id: opened.account,
                opened_at: at,
                users: 0,
                virtual_devices: 0,
                settings: Settings::default(),
            });
        };
        let (counter, more) = match event {
            Event::UserAdded(_) => (&mut account.users, true),
            Event::UserRemoved(_) => (&mut account.users, false),
            Event::DeviceAdded(_) => (&mut account.virtual_devices, true),
            Event::DeviceRemoved(_) => (&mut account.virtual_devices, false),
            event if account.settings.fold(event) => return Ok(account),
            _ => return Err(corrupt()),
        };
        let counted = if more { counter.checked_add(1) } else { counter.checked_sub(1) };
        *counter = counted.ok_or_else(corrupt)?;
        Ok(account)
    }
}

/// Who holds a name of an account, an account's alias, or a credential. A stream of its own for each, so that
/// two users of one name cannot come into being at once (R9), nor two devices of one credential (NT-30).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Held by the principal of this stream.
    Held(StreamId),
    /// Free again.
    Free,
}

impl Claim {
    /// The stream of a user name in an account; case does not count (R9).
    #[must_use]
    pub fn stream(account: AccountId, name: &DeviceName) -> StreamId {
        StreamId::derive(&["name", &alloc::format!("{account}"), &name.folded()])
    }

    /// The stream of an account's alias.
    #[must_use]
    pub fn alias_stream(alias: &AccountAlias) -> StreamId {
        StreamId::derive(&["alias", alias.as_str()])
    }

    /// Folds one event of the stream of a name, an alias or a credential.
    ///
    /// # Errors
    /// When the event cannot follow this state; the stored history is then not ours.
    pub fn evolve(state: Option<Self>, event: &Event, _at: UnixMillis) -> Result<Self, Corrupt> {
        match (state, event) {
            (None | Some(Self::Free), Event::NameClaimed(claimed)) => Ok(Self::Held(claimed.holder)),
            (Some(Self::Held(holder)), Event::NameReleased(released)) if holder == released.holder => Ok(Self::Free),
            (None | Some(Self::Free), Event::CredentialClaimed(claimed)) => Ok(Self::Held(claimed.holder)),
            (Some(Self::Held(holder)), Event::CredentialReleased(gone)) if holder == gone.holder => Ok(Self::Free),
            _ => Err(Corrupt::new("name", event)),
        }
    }

    /// The principal that holds the name.
    #[must_use]
    pub const fn holder(self) -> Option<StreamId> {
        match self {
            Self::Held(holder) => Some(holder),
            Self::Free => None,
        }
    }
}
