//! A log cut at an instant.

use std::collections::HashSet;

use countersign_domain::ids::{StreamId, UnixMillis};
use countersign_store::Header;
use foldhash::fast::RandomState;

/// Says which entries count at an instant.
///
/// A stream ends at its first later entry: its order is its versions', whatever a clock that was set back says. The entries
/// of one command share their instant, so that its streams are cut alike.
#[derive(Debug)]
pub struct Cut {
    at: Option<UnixMillis>,
    ended: HashSet<StreamId, RandomState>,
}

impl Cut {
    /// A cut at an instant, that instant included; `None` is the end of the log.
    #[must_use]
    pub fn new(at: Option<UnixMillis>) -> Self {
        Self { at, ended: HashSet::default() }
    }

    /// Whether an entry counts; to be asked in the order of the log.
    pub fn takes(&mut self, header: &Header) -> bool {
        let Some(at) = self.at else { return true };
        if header.time > at || (!self.ended.is_empty() && self.ended.contains(&header.stream)) {
            self.ended.insert(header.stream);
            return false;
        }
        true
    }
}
