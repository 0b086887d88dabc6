//! What is recorded of sessions, so that they outlive a restart.
//!
//! The records lie in the engine's log, in one stream for each day (UTC): to know every session that can still
//! live, two streams are read. Each kind has a number and a frozen struct; a change is a new number.

use serde::{Deserialize, Serialize};

use crate::engine::{AccountId, Credential, PrincipalId, Serial, UnixMillis, UserId};

/// Number of [`OpenedV1`].
pub(super) const OPENED: u16 = 1;
/// Number of [`ClosedV1`].
pub(super) const CLOSED: u16 = 2;
/// Number of [`WizardV1`].
pub(super) const WIZARD: u16 = 3;
/// Number of [`SeenV1`].
pub(super) const SEEN: u16 = 4;

/// A session was opened.
#[derive(Serialize, Deserialize)]
pub(super) struct OpenedV1<'a> {
    /// SHA-256 of the secret in the cookie.
    pub(super) key: [u8; 32],
    pub(super) account: u64,
    /// `None` is the root user.
    pub(super) user: Option<&'a str>,
    /// 0: a password alone; 1: a second factor; 2: root's alternative factors.
    pub(super) level: u8,
    /// When the second factor was proven, in milliseconds.
    pub(super) mfa_at_ms: u64,
    /// Which of the principal's passwords opened it.
    pub(super) password: u64,
}

/// A session ended before its time.
#[derive(Serialize, Deserialize)]
pub(super) struct ClosedV1 {
    pub(super) key: [u8; 32],
}

/// A session is in use. Recorded now and then, and when it stands by another password than before.
#[derive(Serialize, Deserialize)]
pub(super) struct SeenV1 {
    pub(super) key: [u8; 32],
    pub(super) password: u64,
}

/// The wizard of a session makes a virtual device, or there is none any more that it would have to take away.
#[derive(Serialize, Deserialize)]
pub(super) struct WizardV1<'a> {
    pub(super) key: [u8; 32],
    pub(super) serial: Option<&'a str>,
    /// When the device was created, in milliseconds, at the earliest and at the latest: a namesake is another device.
    pub(super) created_from_ms: u64,
    pub(super) created_until_ms: u64,
}

/// A virtual device that the wizard of a session made and that nobody has enabled yet (A28).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::console) struct Leftover {
    /// Its ARN.
    pub(in crate::console) serial: Serial,
    /// When it was created, at the earliest.
    created_from: UnixMillis,
    /// And at the latest.
    created_until: UnixMillis,
}

/// For how long a device that a wizard is about to make may be its own, in milliseconds: longer than making it takes.
const MAKING_MS: u64 = 30_000;

impl Leftover {
    /// A device that was made.
    pub(in crate::console) const fn made(serial: Serial, created_at: UnixMillis) -> Self {
        Self { serial, created_from: created_at, created_until: created_at }
    }

    /// A device that is about to be made. Recorded before it is, so that no crash in between leaves it to nobody.
    pub(in crate::console) const fn to_be_made(serial: Serial, now: UnixMillis) -> Self {
        Self { serial, created_from: now, created_until: now.plus_ms(MAKING_MS) }
    }

    /// Whether a device of this serial number is the one, and no namesake, by when it was created.
    pub(in crate::console) fn was_made_at(&self, created_at: UnixMillis) -> bool {
        (self.created_from..=self.created_until).contains(&created_at)
    }

    /// Whether another one may be about the same device.
    pub(super) fn may_be(&self, other: &Self) -> bool {
        self.serial == other.serial
            && self.created_from <= other.created_until
            && other.created_from <= self.created_until
    }
}

/// What a record says.
pub(super) enum Recorded {
    Opened { key: [u8; 32], principal: PrincipalId, credential: Credential, password: u64 },
    Closed { key: [u8; 32] },
    Seen { key: [u8; 32], password: u64 },
    Wizard { key: [u8; 32], leftover: Option<Leftover> },
}

/// The body of a record of an opened session.
pub(super) fn opened(key: [u8; 32], principal: &PrincipalId, credential: Credential, password: u64) -> Option<Vec<u8>> {
    let user = match principal {
        PrincipalId::Root(_) => None,
        PrincipalId::User(_, user) => Some(user.as_str()),
    };
    let (level, mfa_at_ms) = match credential {
        Credential::Session { mfa_at: Some(at) } => (1, at.0),
        Credential::Recovered => (2, 0),
        _ => (0, 0),
    };
    let account = principal.account().into();
    postcard::to_allocvec(&OpenedV1 { key, account, user, level, mfa_at_ms, password }).ok()
}

/// The body of a record of a session that ended.
pub(super) fn closed(key: [u8; 32]) -> Option<Vec<u8>> {
    postcard::to_allocvec(&ClosedV1 { key }).ok()
}

/// The body of a record of a session in use.
pub(super) fn seen(key: [u8; 32], password: u64) -> Option<Vec<u8>> {
    postcard::to_allocvec(&SeenV1 { key, password }).ok()
}

/// The body of a record of what a wizard left, or did not leave.
pub(super) fn wizard(key: [u8; 32], leftover: Option<&Leftover>) -> Option<Vec<u8>> {
    let serial = leftover.map(|leftover| leftover.serial.as_str());
    let created_from_ms = leftover.map_or(0, |leftover| leftover.created_from.0);
    let created_until_ms = leftover.map_or(0, |leftover| leftover.created_until.0);
    postcard::to_allocvec(&WizardV1 { key, serial, created_from_ms, created_until_ms }).ok()
}

/// Reads a record; `None` for one that this version does not know.
pub(super) fn read(kind: u16, body: &[u8]) -> Option<Recorded> {
    match kind {
        OPENED => {
            let opened: OpenedV1<'_> = whole(body)?;
            let account = AccountId::from_number(opened.account)?;
            let principal = match opened.user {
                None => PrincipalId::Root(account),
                Some(user) => PrincipalId::User(account, UserId::new(user).ok()?),
            };
            let credential = match opened.level {
                0 => Credential::Session { mfa_at: None },
                1 => Credential::Session { mfa_at: Some(UnixMillis(opened.mfa_at_ms)) },
                2 => Credential::Recovered,
                _ => return None,
            };
            Some(Recorded::Opened { key: opened.key, principal, credential, password: opened.password })
        }
        CLOSED => whole(body).map(|closed: ClosedV1| Recorded::Closed { key: closed.key }),
        SEEN => whole(body).map(|seen: SeenV1| Recorded::Seen { key: seen.key, password: seen.password }),
        WIZARD => {
            let left: WizardV1<'_> = whole(body)?;
            let serial = left.serial.map(Serial::new).transpose().ok()?;
            let (created_from, created_until) = (UnixMillis(left.created_from_ms), UnixMillis(left.created_until_ms));
            let leftover = serial.map(|serial| Leftover { serial, created_from, created_until });
            Some(Recorded::Wizard { key: left.key, leftover })
        }
        _ => None,
    }
}

fn whole<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Option<T> {
    let (record, rest) = postcard::take_from_bytes(body).ok()?;
    rest.is_empty().then_some(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of old records, which every later version has to read.
    #[test]
    fn the_form_of_records_does_not_change() {
        let hex = |body: Option<Vec<u8>>| data_encoding::HEXLOWER.encode(&body.unwrap()).replace(&"07".repeat(32), "K");
        let account = AccountId::from_number(1).unwrap();
        let lee = PrincipalId::User(account, UserId::new("U").unwrap());
        let with_mfa = Credential::Session { mfa_at: Some(UnixMillis(3)) };
        assert_eq!(hex(opened([7; 32], &lee, with_mfa, 9)), "K01010155010309");
        assert_eq!(hex(opened([7; 32], &PrincipalId::Root(account), Credential::Recovered, 9)), "K0100020009");
        assert_eq!(hex(closed([7; 32])), "K");
        assert_eq!(hex(seen([7; 32], 9)), "K09");
        let serial = Serial::new("123456789").unwrap();
        let leftover = Leftover { serial, created_from: UnixMillis(5), created_until: UnixMillis(6) };
        assert_eq!(hex(wizard([7; 32], Some(&leftover))), "K01093132333435363738390506");
        assert_eq!(hex(wizard([7; 32], None)), "K000000");
    }

    #[test]
    fn what_is_not_known_or_not_whole_is_not_read() {
        let body = closed([7; 32]).unwrap();
        assert!(read(CLOSED, &body).is_some());
        assert!(read(99, &body).is_none() && read(CLOSED, &body[1..]).is_none());
        assert!(read(CLOSED, &[&body[..], &[0]].concat()).is_none());
    }
}
