//! Where an event comes from, and who did it.

use std::sync::Arc;

use serde::Serialize;

use super::Who;
use crate::time::Time;

/// Where an event comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cite {
    /// The record's `eventID`.
    pub event_id: Option<Arc<str>>,
    /// The file.
    pub source: Arc<str>,
    /// The place in the file, from 0.
    pub index: u64,
    /// When the file was delivered, by its name.
    pub delivered: Option<Time>,
    /// SHA-256 of the record in canonical form.
    pub body: [u8; 32],
}

impl Cite {
    /// A record of which only the id is known.
    #[must_use]
    pub fn event(id: impl Into<Arc<str>>) -> Self {
        Self { event_id: Some(id.into()), ..Self::default() }
    }

    /// The record's name in answers: its `eventID`, or the digest of its body where it has none.
    #[must_use]
    pub fn name(&self) -> Arc<str> {
        let digest = || Arc::from(format!("sha256:{}", data_encoding::HEXLOWER.encode(&self.body[..8])));
        self.event_id.clone().unwrap_or_else(digest)
    }
}

/// Who did something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actor {
    /// What kind of identity it was.
    pub kind: ActorKind,
    /// The principal, when it is a user or root.
    pub who: Option<Who>,
    /// What the record calls it: an ARN, a principal id or a service.
    pub label: Arc<str>,
    /// Where the call came from.
    pub address: Arc<str>,
    /// The region that was asked.
    pub region: Arc<str>,
}

/// Kinds of actors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// A user.
    User,
    /// A root user.
    Root,
    /// A management account that acts as the root user of a member.
    AssumedRoot,
    /// A role, or an identity from elsewhere.
    Role,
    /// A service of the platform.
    Service,
    /// The record does not tell.
    #[default]
    Unknown,
}
