//! Who asks, how they proved themselves, and through which door (R39..R45).

use serde::{Deserialize, Serialize};

use crate::device::DeviceKind;
use crate::ids::{PrincipalId, StreamId, UnixMillis};
use crate::wire_enum;

wire_enum! {
    /// The door that a command came through.
    pub enum Channel {
        /// The web console: a signed-in browser session.
        Console = 1,
        /// A command-line tool. Judged like the API; recorded apart.
        Cli = 2,
        /// The query API.
        Api = 3,
        /// The operator of the deployment, outside any account: an import, a support case.
        Operator = 4,
    }
}

/// The proof that a caller's credentials rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A long-term key: no session, no MFA (R148).
    LongTermKey,
    /// A session; `mfa_at` says when its second factor was proven, if it was (R105, R149).
    Session {
        /// When the second factor was proven.
        mfa_at: Option<UnixMillis>,
    },
    /// A console session that root got by its alternative factors: no device was proven (A22), and yet it may
    /// take away the device that is lost (R130).
    Recovered,
}

impl Credential {
    /// Seconds since the second factor was proven; `None` without one (R149).
    #[must_use]
    pub fn mfa_age_s(&self, now: UnixMillis) -> Option<u64> {
        match self {
            Self::LongTermKey | Self::Recovered => None,
            Self::Session { mfa_at } => mfa_at.map(|at| now.secs().saturating_sub(at.secs())),
        }
    }

    /// Whether these credentials carry a second factor.
    #[must_use]
    pub const fn has_mfa(&self) -> bool {
        matches!(self, Self::Session { mfa_at: Some(_) })
    }
}

/// Who asks for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The principal behind the request; `None` is the operator of the deployment.
    pub principal: Option<PrincipalId>,
    /// What the request was authenticated with.
    pub credential: Credential,
    /// The door.
    pub channel: Channel,
}

impl Caller {
    /// The operator: imports tokens, opens accounts and takes lost devices away, outside the rules for account
    /// identities.
    #[must_use]
    pub const fn operator() -> Self {
        Self { principal: None, credential: Credential::Session { mfa_at: None }, channel: Channel::Operator }
    }

    /// A request signed with a long-term key.
    #[must_use]
    pub const fn with_key(principal: PrincipalId) -> Self {
        Self { principal: Some(principal), credential: Credential::LongTermKey, channel: Channel::Api }
    }

    /// A request signed with temporary credentials.
    #[must_use]
    pub const fn with_session(principal: PrincipalId, mfa_at: Option<UnixMillis>) -> Self {
        Self { principal: Some(principal), credential: Credential::Session { mfa_at }, channel: Channel::Api }
    }

    /// A person signed in to the console.
    #[must_use]
    pub const fn at_console(principal: PrincipalId, mfa_at: Option<UnixMillis>) -> Self {
        Self { principal: Some(principal), credential: Credential::Session { mfa_at }, channel: Channel::Console }
    }

    /// Whether the caller is this principal.
    #[must_use]
    pub fn is(&self, principal: &PrincipalId) -> bool {
        self.principal.as_ref() == Some(principal)
    }

    /// The facts of the caller that go into an event.
    #[must_use]
    pub fn by(&self) -> By {
        By {
            who: self.principal.as_ref().map(PrincipalId::stream),
            channel: self.channel,
            mfa: self.credential.has_mfa(),
        }
    }
}

/// Who did something, as it is recorded.
///
/// Part of stored events: its fields are frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct By {
    /// The principal's stream; `None` is the operator.
    pub who: Option<StreamId>,
    /// The door.
    pub channel: Channel,
    /// Whether the credentials carried a second factor.
    pub mfa: bool,
}

/// What a caller wants to do to a device that is or becomes a principal's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceAct {
    /// Enable it (R39, R40).
    Enable,
    /// Bring it back into sync (R44).
    Resync,
    /// Take it away (R43).
    Deactivate,
}

/// Whether a channel and caller may do `act` to a device of `kind` for `owner`: the matrix R39..R44.
///
/// Root's devices change only in root's own console session (R7, R40, R43, R44), but for a lost one that the operator
/// takes away (R130 b, c); security keys and SMS are enabled only in the console (R33, R42); SMS is never root's
/// (R122). Nobody reaches into another account.
#[must_use]
pub fn channel_allows(caller: &Caller, act: DeviceAct, kind: DeviceKind, owner: &PrincipalId) -> bool {
    let console = caller.channel == Channel::Console && caller.credential != Credential::LongTermKey;
    let same_account = caller.principal.as_ref().is_none_or(|asking| asking.account() == owner.account());
    match (act, kind) {
        _ if !same_account => false,
        (DeviceAct::Deactivate, _) if *caller == Caller::operator() => true,
        (DeviceAct::Enable, DeviceKind::Sms) if owner.is_root() => false,
        _ if owner.is_root() => console && caller.is(owner),
        (DeviceAct::Enable, DeviceKind::SecurityKey | DeviceKind::Sms) => console,
        _ => caller.channel != Channel::Console || console,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::UserId;

    /// The matrix R39 written a second time, as the table that the guide prints.
    #[test]
    fn every_cell_of_the_enable_matrix() {
        let account = "123456789012".parse().unwrap();
        let root = PrincipalId::Root(account);
        let user = PrincipalId::User(account, UserId::new("AIDALEE").unwrap());
        let kinds = [DeviceKind::VirtualTotp, DeviceKind::HardwareTotp, DeviceKind::SecurityKey, DeviceKind::Sms];
        let doors = |who: &PrincipalId| {
            [
                Caller::at_console(who.clone(), None),
                Caller { channel: Channel::Cli, ..Caller::with_key(who.clone()) },
                Caller::with_key(who.clone()),
            ]
        };
        let for_user = [[true, true, true, true], [true, true, false, false], [true, true, false, false]];
        let for_root = [[true, true, true, false], [false; 4], [false; 4]];
        for (owner, table) in [(&user, for_user), (&root, for_root)] {
            for (caller, row) in doors(owner).iter().zip(table) {
                for (kind, expected) in kinds.iter().zip(row) {
                    let allowed = channel_allows(caller, DeviceAct::Enable, *kind, owner);
                    assert_eq!(allowed, expected, "{:?} {kind:?} {owner}", caller.channel);
                }
            }
        }
    }

    #[test]
    fn nobody_but_root_in_the_console_touches_roots_device_and_the_operator_takes_a_lost_one_away() {
        let account = "123456789012".parse().unwrap();
        let root = PrincipalId::Root(account);
        let admin = PrincipalId::User(account, UserId::new("AIDAADMIN").unwrap());
        for act in [DeviceAct::Enable, DeviceAct::Resync, DeviceAct::Deactivate] {
            let allowed = |caller: &Caller| channel_allows(caller, act, DeviceKind::VirtualTotp, &root);
            assert!(allowed(&Caller::at_console(root.clone(), None)));
            assert!(!allowed(&Caller::at_console(admin.clone(), None)));
            assert!(!allowed(&Caller::with_key(root.clone())));
            assert_eq!(allowed(&Caller::operator()), act == DeviceAct::Deactivate);
            assert!(!allowed(&Caller { channel: Channel::Operator, ..Caller::with_key(admin.clone()) }));
        }
    }

    #[test]
    fn an_administrator_acts_for_a_user_of_its_own_account_only() {
        let (here, there) = ("123456789012".parse().unwrap(), "123456789013".parse().unwrap());
        let user = PrincipalId::User(here, UserId::new("AIDALEE").unwrap());
        let id = UserId::new("AIDAADMIN").unwrap();
        for act in [DeviceAct::Enable, DeviceAct::Resync, DeviceAct::Deactivate] {
            for (account, expected) in [(here, true), (there, false)] {
                let admin = Caller::with_key(PrincipalId::User(account, id.clone()));
                assert_eq!(channel_allows(&admin, act, DeviceKind::VirtualTotp, &user), expected);
            }
        }
    }

    #[test]
    fn a_console_needs_a_session() {
        let account = "123456789012".parse().unwrap();
        let user = PrincipalId::User(account, UserId::new("AIDALEE").unwrap());
        let odd = Caller { channel: Channel::Console, ..Caller::with_key(user.clone()) };
        assert!(!channel_allows(&odd, DeviceAct::Deactivate, DeviceKind::VirtualTotp, &user));
    }

    #[test]
    fn age_counts_whole_seconds_and_is_absent_without_mfa() {
        let session = Credential::Session { mfa_at: Some(UnixMillis(1_999)) };
        assert_eq!(session.mfa_age_s(UnixMillis(3_000)), Some(2));
        assert_eq!(Credential::Session { mfa_at: None }.mfa_age_s(UnixMillis(3_000)), None);
        assert_eq!(Credential::LongTermKey.mfa_age_s(UnixMillis(3_000)), None);
    }
}
