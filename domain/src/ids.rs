//! Identifiers: accounts, users, streams, commands, versions, positions, instants.
//!
//! All of them are plain values that arrive with a command; nothing in this crate makes one up.

use alloc::string::String;
use core::cmp::Ordering;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Namespace of every [`StreamId`]; part of the stored format, never to change.
const STREAM_NAMESPACE: Uuid = Uuid::from_u128(0x9c1d_4f0a_6a0e_5d3b_8f57_2f1c_0e7b_6d11);

/// The 12-digit id of an account.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct AccountId(u64);

impl AccountId {
    const END: u64 = 1_000_000_000_000;

    /// Makes an id from its number; `None` past twelve digits.
    #[must_use]
    pub const fn from_number(number: u64) -> Option<Self> {
        if number < Self::END { Some(Self(number)) } else { None }
    }

    /// The twelve digits, in ASCII.
    fn digits(self) -> [u8; 12] {
        let mut digits = [b'0'; 12];
        let mut rest = self.0;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
            rest /= 10;
        }
        digits
    }
}

impl From<AccountId> for u64 {
    fn from(id: AccountId) -> Self {
        id.0
    }
}

impl TryFrom<u64> for AccountId {
    type Error = ParseIdError;
    fn try_from(number: u64) -> Result<Self, ParseIdError> {
        Self::from_number(number).ok_or(ParseIdError("an account id has twelve digits"))
    }
}

impl FromStr for AccountId {
    type Err = ParseIdError;
    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let wrong = ParseIdError("an account id has twelve digits");
        if text.len() != 12 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(wrong);
        }
        text.parse().ok().and_then(Self::from_number).ok_or(wrong)
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012}", self.0)
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An identifier that does not have the form its kind asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseIdError(pub(crate) &'static str);

impl fmt::Display for ParseIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl core::error::Error for ParseIdError {}

/// The immutable id of an account user, such as `AIDA…` (R10): 1 to 128 of `[A-Za-z0-9_-]`.
///
/// Devices are bound to it, not to the user's name, so that a renamed user keeps its device and a
/// re-created user of the same name does not inherit one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserId(String);

impl UserId {
    /// Checks and wraps an id.
    ///
    /// # Errors
    /// When the text is empty, longer than 128 bytes or has another character.
    pub fn new(text: impl Into<String>) -> Result<Self, ParseIdError> {
        let text = text.into();
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if text.is_empty() || text.len() > 128 || !text.bytes().all(allowed) {
            return Err(ParseIdError("a user id is 1 to 128 of letters, digits, `_` and `-`"));
        }
        Ok(Self(text))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for UserId {
    type Error = ParseIdError;
    fn try_from(text: String) -> Result<Self, ParseIdError> {
        Self::new(text)
    }
}

impl From<UserId> for String {
    fn from(id: UserId) -> Self {
        id.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who may own a device: the root user of an account, or one of its users (R1).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PrincipalId {
    /// The root user of the account.
    Root(AccountId),
    /// A user of the account.
    User(AccountId, UserId),
}

impl PrincipalId {
    /// The account that the principal belongs to.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        match self {
            Self::Root(account) | Self::User(account, _) => *account,
        }
    }

    /// Whether this is the root user.
    #[must_use]
    pub const fn is_root(&self) -> bool {
        matches!(self, Self::Root(_))
    }

    /// The stream that holds this principal's life.
    #[must_use]
    pub fn stream(&self) -> StreamId {
        let account = self.account().digits();
        let account = core::str::from_utf8(&account).unwrap_or_default();
        match self {
            Self::Root(_) => StreamId::derive(&["root", account]),
            Self::User(_, user) => StreamId::derive(&["user", account, user.as_str()]),
        }
    }
}

impl fmt::Display for PrincipalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root(account) => write!(f, "{account}/root"),
            Self::User(account, user) => write!(f, "{account}/{user}"),
        }
    }
}

impl fmt::Debug for PrincipalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One history: of a principal, a device, an account, a name, or a record of the host.
///
/// A version-5 UUID of the parts that name the thing, so that anyone who knows them finds the
/// stream without an index.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StreamId([u8; 16]);

impl Ord for StreamId {
    /// The order of the bytes, as one comparison of numbers: maps of streams are searched very often.
    fn cmp(&self, other: &Self) -> Ordering {
        u128::from_be_bytes(self.0).cmp(&u128::from_be_bytes(other.0))
    }
}

impl PartialOrd for StreamId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl StreamId {
    /// Derives the id from parts. A unit separator keeps `["a", "b"]` apart from `["ab"]`.
    #[must_use]
    pub fn derive(parts: &[&str]) -> Self {
        Self(*Uuid::new_v5(&STREAM_NAMESPACE, parts.join("\u{1f}").as_bytes()).as_bytes())
    }

    /// Wraps stored bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The sixteen bytes that are stored.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Uuid::from_bytes(self.0), f)
    }
}

impl fmt::Debug for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Identifies one command of a caller, so that a retry is answered and not done again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CommandId([u8; 16]);

impl CommandId {
    /// Wraps the sixteen bytes of an id that the caller made, a UUID as a rule.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Derives an id from what identifies the request at the caller's door.
    #[must_use]
    pub fn derive(parts: &[&str]) -> Self {
        let name = parts.join("\u{1f}");
        Self(*Uuid::new_v5(&STREAM_NAMESPACE, alloc::format!("command\u{1f}{name}").as_bytes()).as_bytes())
    }

    /// The sixteen bytes that are stored.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Uuid::from_bytes(self.0), f)
    }
}

impl fmt::Debug for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

macro_rules! tickets {
    ($( $(#[$doc:meta])* $name:ident; )*) => { $(
        $(#[$doc])*
        ///
        /// Sixteen random bytes; as text, 32 hexadecimal digits.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name([u8; 16]);

        impl $name {
            /// Wraps sixteen bytes of randomness.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The sixteen bytes that are stored.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;
            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let wrong = ParseIdError("an id has 32 hexadecimal digits");
                if text.len() != 32 {
                    return Err(wrong);
                }
                Uuid::try_parse(text).map(|id| Self(*id.as_bytes())).map_err(|_| wrong)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&Uuid::from_bytes(self.0).simple(), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )* };
}

tickets! {
    /// One attempt of a principal to sign in, from the right password on.
    AttemptId;
    /// One challenge: what was asked of a security key, or a code that was sent.
    ChallengeId;
}

/// How many events a stream has: the first event is version 1, and 0 says that there is none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Version(pub u64);

impl Version {
    /// The version of a stream that has no event yet.
    pub const NONE: Self = Self(0);

    /// The version after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// A place in the global order of the log. The first event has position 0; there are no gaps.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Position(pub u64);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// An instant in UTC, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// An instant from whole seconds.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// The whole seconds since the epoch.
    #[must_use]
    pub const fn secs(self) -> u64 {
        self.0 / 1000
    }

    /// This instant moved on by some milliseconds.
    #[must_use]
    pub const fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn account_ids_keep_their_leading_zeros() {
        let id: AccountId = "000000000042".parse().unwrap();
        assert_eq!(id.to_string(), "000000000042");
        for bad in ["", "1", "1234567890123", "12345678901a", "１23456789012"] {
            assert!(bad.parse::<AccountId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn streams_of_different_things_differ_and_never_change() {
        let account: AccountId = "123456789012".parse().unwrap();
        let root = PrincipalId::Root(account).stream();
        let user = PrincipalId::User(account, UserId::new("AIDAX").unwrap()).stream();
        assert_ne!(root, user);
        assert_ne!(StreamId::derive(&["a", "b"]), StreamId::derive(&["ab"]));
        // Part of the stored format: a change here orphans every stored principal.
        assert_eq!(root, StreamId::derive(&["root", "123456789012"]));
        assert_eq!(user, StreamId::derive(&["user", "123456789012", "AIDAX"]));
        assert_eq!(root.to_string(), "206b9a5a-6279-5f06-ae64-ed3b2635b408");
        assert_eq!(user.to_string(), "9dc399b1-7a85-5edb-b972-125657ecdb8c");
    }
}
