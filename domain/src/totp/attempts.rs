//! How many proofs of one device were evaluated in the current window (R91..R94).

use serde::{Deserialize, Serialize};

use crate::ids::UnixMillis;
use crate::policy::Policy;
use crate::wire_enum;

wire_enum! {
    /// Which proofs a budget counts. Exhausting one leaves the other alone (R93).
    pub enum Budget {
        /// Single codes: sign-in and STS.
        Codes = 1,
        /// Pairs: enable and resync.
        Pairs = 2,
    }
}

impl Budget {
    /// The number of evaluations that the policy allows in one window.
    #[must_use]
    pub const fn max(self, policy: &Policy) -> u32 {
        match self {
            Self::Codes => policy.code_attempts_max,
            Self::Pairs => policy.pair_attempts_max,
        }
    }
}

/// Attempts in one window. Successes, failures and replays all count (R91).
///
/// Part of stored events: its fields are frozen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts {
    /// Number of the window since the epoch.
    pub window: u64,
    /// Evaluations in it.
    pub used: u32,
    /// Whether the end of the budget was recorded for this window.
    pub closed: bool,
}

impl Attempts {
    /// The window that an instant falls into, aligned to UTC (R91).
    #[must_use]
    pub fn window_at(now: UnixMillis, policy: &Policy) -> u64 {
        now.secs() / u64::from(policy.attempt_window_s.max(1))
    }

    /// When this window ends.
    #[must_use]
    pub fn ends_at(window: u64, policy: &Policy) -> UnixMillis {
        UnixMillis::from_secs(window.saturating_add(1).saturating_mul(policy.attempt_window_s.into()))
    }

    /// The window that counts now. A clock set back does not reopen an old one (A40).
    #[must_use]
    pub fn current(&self, now: UnixMillis, policy: &Policy) -> u64 {
        Self::window_at(now, policy).max(self.window)
    }

    /// Evaluations already made in the window that counts now.
    #[must_use]
    pub fn used_in(&self, window: u64) -> u32 {
        if window == self.window { self.used } else { 0 }
    }

    /// Counts one evaluation in `window`.
    pub(crate) fn count(&mut self, window: u64) {
        self.enter(window);
        self.used = self.used.saturating_add(1);
    }

    /// Records that the budget of `window` is spent.
    pub(crate) fn close(&mut self, window: u64) {
        self.enter(window);
        self.closed = true;
    }

    fn enter(&mut self, window: u64) {
        if window > self.window {
            *self = Self { window, used: 0, closed: false };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_aligned_to_three_minutes_and_never_go_back() {
        let policy = Policy::classic();
        let at = UnixMillis::from_secs;
        assert_eq!(Attempts::window_at(at(359), &policy), 1);
        assert_eq!(Attempts::window_at(at(360), &policy), 2);
        assert_eq!(Attempts::ends_at(1, &policy), at(360));
        let mut attempts = Attempts::default();
        attempts.count(7);
        attempts.count(7);
        assert_eq!(attempts.used_in(attempts.current(at(0), &policy)), 2);
        attempts.count(8);
        assert_eq!(attempts.used_in(8), 1);
    }
}
