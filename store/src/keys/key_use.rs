//! What of a store one key of the ring has wrapped.

use std::fmt;

use super::KeyRing;
use crate::error::KeyError;

/// What of a store is wrapped by one key of the ring: as long as there is anything, the ring cannot do without that key.
///
/// ```
/// use countersign_store::KeyUse;
///
/// let used = KeyUse { root: true, streams: 2, first: Some(7), ..KeyUse::default() };
/// assert!(!used.is_nothing());
/// assert_eq!(used.to_string(), "the root, 2 keys of streams (the first in slot 7)");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyUse {
    /// The key of derived data.
    pub derived: bool,
    /// The copy of a slot that is being written.
    pub copy: bool,
    /// The root that keys for other purposes are derived from.
    pub root: bool,
    /// Keys of streams.
    pub streams: u64,
    /// The first slot with the key of a stream.
    pub first: Option<u64>,
    /// Seeds of keys that the log is signed with.
    pub signing: u64,
}

impl KeyUse {
    /// Whether nothing is wrapped by the key.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        !self.derived && !self.copy && !self.root && self.streams == 0 && self.signing == 0
    }
}

impl fmt::Display for KeyUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        let own = [
            (self.derived, "the key of derived data"),
            (self.copy, "the copy of a slot that is being written"),
            (self.root, "the root"),
        ];
        parts.extend(own.into_iter().filter(|(is, _)| *is).map(|(_, what)| what.to_owned()));
        if let Some(first) = self.first {
            parts.push(format!("{} keys of streams (the first in slot {first})", self.streams));
        }
        if self.signing > 0 {
            parts.push(format!("{} keys that the log is signed with", self.signing));
        }
        f.write_str(if parts.is_empty() { "nothing" } else { "" })?;
        f.write_str(&parts.join(", "))
    }
}

/// Whether some bytes were wrapped by a key of the ring. What a ring cannot tell is an error: it might have been that one.
pub(crate) fn is_by(ring: &dyn KeyRing, wrapped: &[u8], ring_key: u32) -> Result<bool, KeyError> {
    let by = ring.wrapped_by(wrapped);
    let by = by.ok_or_else(|| KeyError::Ring("it does not say which of its keys has wrapped something".to_owned()))?;
    Ok(by == ring_key)
}
