//! What the standalone directory records in the log, and the state that it folds from it.
//!
//! The engine seals and chains these records like its own events. Each kind has a number and a frozen
//! struct; a change is a new number.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{AccessKey, RootContact};
use crate::engine::{AccountId, CommandId, PrincipalId, UnixMillis, UserId};
use crate::secret::Secret;

/// Number of [`FoundedV1`].
pub(super) const FOUNDED: u16 = 1;
/// Number of [`AccessKeyCreatedV1`].
pub(super) const ACCESS_KEY_CREATED: u16 = 2;
/// Number of [`AccessKeyDeletedV1`].
pub(super) const ACCESS_KEY_DELETED: u16 = 3;
/// Number of [`UserForgottenV1`].
pub(super) const USER_FORGOTTEN: u16 = 4;
/// Number of [`PasswordSetV1`].
pub(super) const PASSWORD_SET: u16 = 5;
/// Number of [`RootContactSetV1`].
pub(super) const ROOT_CONTACT_SET: u16 = 6;

/// An account was made, with what its root user and its first administrator sign in with.
#[derive(Serialize, Deserialize)]
pub(super) struct FoundedV1<'a> {
    pub(super) account: u64,
    pub(super) root_email: &'a str,
    pub(super) root_password_hash: &'a str,
    pub(super) administrator: &'a str,
    pub(super) administrator_password_hash: &'a str,
    pub(super) access_key_id: &'a str,
    pub(super) secret_access_key: &'a str,
}

/// A user got an access key.
#[derive(Serialize, Deserialize)]
pub(super) struct AccessKeyCreatedV1<'a> {
    pub(super) account: u64,
    pub(super) user: &'a str,
    pub(super) access_key_id: &'a str,
    pub(super) secret_access_key: &'a str,
}

/// An access key was removed.
#[derive(Serialize, Deserialize)]
pub(super) struct AccessKeyDeletedV1<'a> {
    pub(super) access_key_id: &'a str,
    /// The id under which it was asked for, so that a retry finds it done.
    pub(super) command: Option<[u8; 16]>,
}

/// A user is gone, and so is what it signed in with.
#[derive(Serialize, Deserialize)]
pub(super) struct UserForgottenV1<'a> {
    pub(super) account: u64,
    pub(super) user: &'a str,
    /// The id under which it was asked for, so that a retry finds it done.
    pub(super) command: Option<[u8; 16]>,
}

/// A principal has a new password.
#[derive(Serialize, Deserialize)]
pub(super) struct PasswordSetV1<'a> {
    pub(super) account: u64,
    /// `None` is the root user.
    pub(super) user: Option<&'a str>,
    pub(super) password_hash: &'a str,
}

/// An account's root user is reached elsewhere.
#[derive(Serialize, Deserialize)]
pub(super) struct RootContactSetV1<'a> {
    pub(super) account: u64,
    pub(super) email: &'a str,
    pub(super) phone: Option<&'a str>,
}

/// The stream of all records that are not about one user.
pub(super) const STREAM: &str = "directory";

/// The stream of what a user signs in with, apart from everybody else's so that it can be forgotten with the user.
pub(super) fn stream_of(user: &UserId) -> String {
    format!("{STREAM}/{user}")
}

/// What the marks of records in streams of users begin at: no number of records in the common one comes near.
const USERS_FROM: u64 = 1 << 40;

/// Deletions that are remembered by the id under which they were asked for.
const DELETIONS_MAX: usize = 4096;

/// The body of a record.
pub(super) fn encode(record: &impl Serialize) -> Option<Vec<u8>> {
    postcard::to_allocvec(record).ok()
}

/// A record that this version cannot read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Unreadable {
    /// Its number.
    pub(super) kind: u16,
}

/// A password, as far as it is known.
#[derive(Clone)]
pub(super) struct Password {
    pub(super) hash: Zeroizing<String>,
    /// Mark of the record that set it.
    pub(super) version: u64,
}

/// What the directory knows besides what the engine knows.
#[derive(Default)]
pub(super) struct State {
    /// Of each stream, how many records were folded.
    pub(super) folded: BTreeMap<String, u64>,
    /// Mark of the record that was folded last, or is being folded: no two have the same.
    pub(super) mark: u64,
    pub(super) founded: Option<AccountId>,
    root_emails: BTreeMap<String, AccountId>,
    root_contacts: BTreeMap<AccountId, RootContact>,
    passwords: BTreeMap<PrincipalId, Password>,
    administrators: BTreeSet<PrincipalId>,
    keys: BTreeMap<String, AccessKey>,
    deletions: VecDeque<[u8; 16]>,
}

impl State {
    /// Folds the next record of a stream.
    pub(super) fn fold_next(
        &mut self,
        stream: &str,
        version: u64,
        (kind, body, at): (u16, &[u8], UnixMillis),
    ) -> Result<(), Unreadable> {
        self.folded.insert(stream.to_owned(), version);
        self.mark = if stream == STREAM { version } else { USERS_FROM.saturating_add(version) };
        self.fold(kind, body, at)
    }

    /// Folds one record.
    pub(super) fn fold(&mut self, kind: u16, body: &[u8], at: UnixMillis) -> Result<(), Unreadable> {
        let unreadable = || Unreadable { kind };
        let user_of = |account: u64, user: &str| {
            let account = AccountId::from_number(account).ok_or_else(unreadable)?;
            let user = UserId::new(user).map_err(|_| unreadable())?;
            Ok(PrincipalId::User(account, user))
        };
        match kind {
            FOUNDED => {
                let founded: FoundedV1<'_> = decode(body).ok_or_else(unreadable)?;
                let administrator = user_of(founded.account, founded.administrator)?;
                let account = administrator.account();
                self.founded = Some(account);
                // A phone number may have been recorded before.
                let phone = self.root_contacts.get(&account).and_then(|contact| contact.phone.clone());
                self.set_contact(account, RootContact { email: founded.root_email.to_owned(), phone });
                self.set_password(PrincipalId::Root(account), founded.root_password_hash);
                self.set_password(administrator.clone(), founded.administrator_password_hash);
                self.administrators.insert(administrator.clone());
                self.add_key(founded.access_key_id, founded.secret_access_key, administrator, at);
            }
            ACCESS_KEY_CREATED => {
                let created: AccessKeyCreatedV1<'_> = decode(body).ok_or_else(unreadable)?;
                let owner = user_of(created.account, created.user)?;
                self.add_key(created.access_key_id, created.secret_access_key, owner, at);
            }
            ACCESS_KEY_DELETED => {
                let deleted: AccessKeyDeletedV1<'_> = decode(body).ok_or_else(unreadable)?;
                self.keys.remove(deleted.access_key_id);
                self.remember(deleted.command);
            }
            USER_FORGOTTEN => {
                let forgotten: UserForgottenV1<'_> = decode(body).ok_or_else(unreadable)?;
                let user = user_of(forgotten.account, forgotten.user)?;
                self.passwords.remove(&user);
                self.administrators.remove(&user);
                self.keys.retain(|_, key| key.owner != user);
                self.remember(forgotten.command);
            }
            PASSWORD_SET => {
                let set: PasswordSetV1<'_> = decode(body).ok_or_else(unreadable)?;
                let principal = match set.user {
                    Some(user) => user_of(set.account, user)?,
                    None => PrincipalId::Root(AccountId::from_number(set.account).ok_or_else(unreadable)?),
                };
                self.set_password(principal, set.password_hash);
            }
            ROOT_CONTACT_SET => {
                let set: RootContactSetV1<'_> = decode(body).ok_or_else(unreadable)?;
                let account = AccountId::from_number(set.account).ok_or_else(unreadable)?;
                let contact = RootContact { email: set.email.to_owned(), phone: set.phone.map(str::to_owned) };
                self.set_contact(account, contact);
            }
            _ => return Err(unreadable()),
        }
        Ok(())
    }

    fn remember(&mut self, command: Option<[u8; 16]>) {
        self.deletions.extend(command);
        if self.deletions.len() > DELETIONS_MAX {
            self.deletions.pop_front();
        }
    }

    /// Whether a deletion was done under this id.
    pub(super) fn has_deleted(&self, command: CommandId) -> bool {
        self.deletions.iter().rev().any(|done| done == command.as_bytes())
    }

    pub(super) fn key(&self, id: &str) -> Option<&AccessKey> {
        self.keys.get(id)
    }

    /// The keys of a user, oldest first.
    pub(super) fn keys_of(&self, user: &PrincipalId) -> Vec<AccessKey> {
        let mut keys: Vec<_> = self.keys.values().filter(|key| key.owner == *user).cloned().collect();
        keys.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        keys
    }

    /// Whether no other key lets an administrator in.
    pub(super) fn is_last_way_in(&self, key: &str) -> bool {
        let mut ways = self.keys.values().filter(|key| self.administrators.contains(&key.owner));
        ways.next().is_some_and(|only| only.id == key) && ways.next().is_none()
    }

    pub(super) fn is_administrator(&self, principal: &PrincipalId) -> bool {
        self.administrators.contains(principal)
    }

    /// Whether the account would be left with its root user alone.
    pub(super) fn is_last_administrator(&self, user: &PrincipalId) -> bool {
        self.is_administrator(user) && self.administrators.len() == 1
    }

    pub(super) fn password(&self, principal: &PrincipalId) -> Option<&Password> {
        self.passwords.get(principal)
    }

    fn set_password(&mut self, principal: PrincipalId, hash: &str) {
        let password = Password { hash: Zeroizing::new(hash.to_owned()), version: self.mark };
        self.passwords.insert(principal, password);
    }

    /// Root of one account has one address; the one before signs in no more.
    fn set_contact(&mut self, account: AccountId, contact: RootContact) {
        self.root_emails.retain(|_, of| *of != account);
        self.root_emails.insert(contact.email.to_lowercase(), account);
        self.root_contacts.insert(account, contact);
    }

    pub(super) fn root_contact(&self, account: AccountId) -> Option<&RootContact> {
        self.root_contacts.get(&account)
    }

    pub(super) fn root_of_email(&self, email: &str) -> Option<AccountId> {
        self.root_emails.get(&email.to_lowercase()).copied()
    }

    fn add_key(&mut self, id: &str, secret: &str, owner: PrincipalId, created_at: UnixMillis) {
        let key = AccessKey { id: id.to_owned(), secret: Secret::new(secret), owner, created_at };
        self.keys.insert(id.to_owned(), key);
    }
}

fn decode<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Option<T> {
    let (record, rest) = postcard::take_from_bytes(body).ok()?;
    rest.is_empty().then_some(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn founded() -> Vec<u8> {
        let record = FoundedV1 {
            account: 123_456_789_012,
            root_email: "Root@Example.com",
            root_password_hash: "h1",
            administrator: "AIDAADMIN",
            administrator_password_hash: "h2",
            access_key_id: "AKIAADMIN",
            secret_access_key: "s1",
        };
        encode(&record).unwrap()
    }

    /// Bytes of old records, which every later version has to read.
    #[test]
    fn the_form_of_records_does_not_change() {
        let hex = data_encoding::HEXLOWER.encode(&founded());
        assert_eq!(
            hex,
            "94b4e4f4cb0310526f6f74404578616d706c652e636f6d026831094149444141444d494e02683209414b494141444d494e027331"
        );
        let hex = |body: Option<Vec<u8>>| data_encoding::HEXLOWER.encode(&body.unwrap());
        let created = AccessKeyCreatedV1 { account: 1, user: "U", access_key_id: "K", secret_access_key: "S" };
        assert_eq!(hex(encode(&created)), "010155014b0153");
        assert_eq!(hex(encode(&AccessKeyDeletedV1 { access_key_id: "K", command: None })), "014b00");
        assert_eq!(hex(encode(&UserForgottenV1 { account: 1, user: "U", command: None })), "01015500");
        let deleted = AccessKeyDeletedV1 { access_key_id: "K", command: Some([7; 16]) };
        assert_eq!(hex(encode(&deleted)), "014b0107070707070707070707070707070707");
        let set = PasswordSetV1 { account: 1, user: Some("U"), password_hash: "h" };
        assert_eq!(hex(encode(&set)), "010101550168");
        let contact = RootContactSetV1 { account: 1, email: "e", phone: Some("p") };
        assert_eq!(hex(encode(&contact)), "010165010170");
    }

    #[test]
    fn root_has_one_address_and_keeps_the_number_that_came_before_the_founding() {
        let mut state = State::default();
        let account = AccountId::from_number(123_456_789_012).unwrap();
        let set = |email, phone| encode(&RootContactSetV1 { account: account.into(), email, phone }).unwrap();
        state.fold(ROOT_CONTACT_SET, &set("old@example.com", Some("+14155551234")), UnixMillis(1)).unwrap();
        state.fold(FOUNDED, &founded(), UnixMillis(2)).unwrap();
        assert_eq!(state.root_of_email("old@example.com"), None);
        assert_eq!(state.root_contact(account).unwrap().phone.as_deref(), Some("+14155551234"));
        state.fold(ROOT_CONTACT_SET, &set("New@example.com", None), UnixMillis(3)).unwrap();
        assert_eq!(state.root_of_email("new@example.com"), Some(account));
        assert_eq!(state.root_of_email("root@example.com"), None);
        assert_eq!(state.root_contact(account).unwrap().phone, None);
    }

    #[test]
    fn the_state_follows_the_records() {
        let mut state = State::default();
        let account = AccountId::from_number(123_456_789_012).unwrap();
        let admin = PrincipalId::User(account, UserId::new("AIDAADMIN").unwrap());
        let lee = PrincipalId::User(account, UserId::new("AIDALEE").unwrap());
        state.fold(FOUNDED, &founded(), UnixMillis(1)).unwrap();
        assert_eq!(state.founded, Some(account));
        assert_eq!(state.root_of_email("root@example.COM"), Some(account));
        assert_eq!(state.password(&PrincipalId::Root(account)).map(|password| password.hash.as_str()), Some("h1"));
        assert!(state.is_administrator(&admin) && !state.is_administrator(&lee));
        assert_eq!(state.keys_of(&admin).len(), 1);

        let key = |id| AccessKeyCreatedV1 {
            account: account.into(),
            user: "AIDALEE",
            access_key_id: id,
            secret_access_key: "s",
        };
        for (id, at) in [("AKIAB", 2), ("AKIAA", 3)] {
            state.fold(ACCESS_KEY_CREATED, &encode(&key(id)).unwrap(), UnixMillis(at)).unwrap();
        }
        let ids: Vec<_> = state.keys_of(&lee).into_iter().map(|key| key.id).collect();
        assert_eq!(ids, ["AKIAB", "AKIAA"]);
        let deleted = encode(&AccessKeyDeletedV1 { access_key_id: "AKIAB", command: Some([7; 16]) }).unwrap();
        state.fold(ACCESS_KEY_DELETED, &deleted, UnixMillis(4)).unwrap();
        assert!(state.key("AKIAB").is_none() && state.key("AKIAA").is_some());
        assert!(state.has_deleted(CommandId::from_bytes([7; 16])));
        assert!(!state.has_deleted(CommandId::from_bytes([8; 16])));
        let forgotten = encode(&UserForgottenV1 { account: account.into(), user: "AIDALEE", command: None }).unwrap();
        state.fold(USER_FORGOTTEN, &forgotten, UnixMillis(5)).unwrap();
        assert!(state.key("AKIAA").is_none());
    }

    #[test]
    fn an_unknown_or_broken_record_stops_the_fold() {
        let mut state = State::default();
        assert_eq!(state.fold(99, b"", UnixMillis(0)), Err(Unreadable { kind: 99 }));
        let mut longer = founded();
        longer.push(0);
        assert_eq!(state.fold(FOUNDED, &longer, UnixMillis(0)), Err(Unreadable { kind: FOUNDED }));
        assert_eq!(state.fold(FOUNDED, b"\x01", UnixMillis(0)), Err(Unreadable { kind: FOUNDED }));
    }
}
