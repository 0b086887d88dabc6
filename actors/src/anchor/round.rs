//! One place, from round to round: what is brought there, and when it is tried again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::{Anchor, AnchorError, AnchorState, Publication, REASON_CHARS_MAX};

/// Rounds that are waited between two tries, at most.
const PAUSE_ROUNDS_MAX: u32 = 64;

pub(super) struct Place {
    anchor: Arc<dyn Anchor>,
    pub(super) state: AnchorState,
    /// Rounds to wait before the next try.
    pause: u32,
}

impl Place {
    pub(super) fn new(anchor: Arc<dyn Anchor>) -> Self {
        let state = AnchorState { name: anchor.name().to_owned(), ..AnchorState::default() };
        Self { anchor, state, pause: 0 }
    }

    /// Brings a checkpoint there, unless the place has it, is being waited for, or has another log.
    pub(super) fn bring(&mut self, checkpoint: &Publication<'_>, is_last: bool) {
        // Of a log without entries there is nothing to keep.
        if checkpoint.size() == 0 || self.state.refused.is_some() || self.state.size == Some(checkpoint.size()) {
            return;
        }
        if self.pause > 0 {
            self.pause -= 1;
            return;
        }
        if is_last && self.state.failures > 0 {
            return;
        }
        let published = catch_unwind(AssertUnwindSafe(|| self.anchor.publish(checkpoint)));
        let published = published.unwrap_or_else(|_| Err(AnchorError::Unavailable("it panicked".to_owned())));
        let anchor = self.state.name.as_str();
        match published {
            Ok(cosignatures) => {
                tracing::debug!(anchor, size = checkpoint.size(), "a checkpoint is kept outside");
                self.state.size = Some(checkpoint.size());
                self.state.published += 1;
                self.state.failures = 0;
                self.state.cosignatures = cosignatures;
            }
            Err(AnchorError::Refused(why)) => {
                tracing::error!(anchor, size = checkpoint.size(), why, "ALARM: the place outside has another log");
                self.state.refused = Some(why.chars().take(REASON_CHARS_MAX).collect());
            }
            Err(AnchorError::Unavailable(why)) => {
                self.state.failures = self.state.failures.saturating_add(1);
                self.pause = (1 << self.state.failures.min(6)).min(PAUSE_ROUNDS_MAX) - 1;
                tracing::warn!(anchor, failures = self.state.failures, why, "a checkpoint is not kept outside yet");
            }
        }
    }
}
