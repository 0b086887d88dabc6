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

    /// The window that counts now. A clock set back within the policy's tolerance does not reopen an old
    /// one (A40). A window further ahead was left by a clock that ran ahead, or by a policy with another
    /// length, and would lock the device for ever (A4): it counts no more.
    #[must_use]
    pub fn current(&self, now: UnixMillis, policy: &Policy) -> u64 {
        let by_clock = Self::window_at(now, policy);
        let tolerance_ms = u64::from(policy.clock_back_max_s).saturating_mul(1000);
        let furthest = Self::window_at(now.plus_ms(tolerance_ms), policy);
        if (by_clock..=furthest).contains(&self.window) { self.window } else { by_clock }
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
        if window != self.window {
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
        let just_before = at(7 * 180 - 60);
        assert_eq!(attempts.used_in(attempts.current(just_before, &policy)), 2);
        attempts.count(8);
        assert_eq!(attempts.used_in(8), 1);
    }

    #[test]
    fn a_window_far_ahead_locks_nothing() {
        let policy = Policy::classic();
        let mut attempts = Attempts::default();
        (0..9).for_each(|_| attempts.count(1_000_000));
        let now = UnixMillis::from_secs(180 * 500);
        assert_eq!(attempts.used_in(attempts.current(now, &policy)), 0, "a clock that ran ahead");
        let longer = Policy { attempt_window_s: 300, ..Policy::classic() };
        let then = UnixMillis::from_secs(180 * 1_000_000);
        assert_eq!(attempts.used_in(attempts.current(then, &longer)), 0, "a policy with other windows");
        attempts.count(500);
        assert_eq!(attempts.used_in(500), 1);
    }
}
