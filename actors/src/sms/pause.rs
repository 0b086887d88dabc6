//! Waiting for a moment, beside a clock that may be set.

use std::time::Duration;

use countersign_domain::decide::LEASE_MS_MAX;
use countersign_domain::ids::UnixMillis;

use crate::ports::Clock;

/// No pause between tries is longer, in milliseconds: one that ends later was begun by a clock that was ahead (A40).
pub(super) const PAUSE_MS_MAX: u64 = LEASE_MS_MAX;

/// Waits until an instant, and no longer than it is until then now. A clock that is set forwards ends the wait; one that is
/// set back does not make it longer, so that the instant may still be to come.
pub(super) async fn wait_for(clock: &dyn Clock, until: UnixMillis) {
    let left = Duration::from_millis(until.0.saturating_sub(clock.now().0));
    // Either of the two is enough.
    let _over = tokio::time::timeout(left, clock.wait_until(until)).await;
}

/// Waits for so many milliseconds.
pub(super) async fn pause(clock: &dyn Clock, ms: u64) {
    wait_for(clock, clock.now().plus_ms(ms)).await;
}

/// Whether something that is due at an instant is due now.
pub(super) fn is_due(due: UnixMillis, now: UnixMillis) -> bool {
    due <= now || due > now.plus_ms(PAUSE_MS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_too_late_is_due_now() {
        let (now, at) = (UnixMillis(1_000_000), |ms: u64| UnixMillis(1_000_000 + ms));
        assert!(is_due(UnixMillis(0), now) && is_due(now, now));
        assert!(!is_due(at(1), now) && !is_due(at(PAUSE_MS_MAX), now));
        assert!(is_due(at(PAUSE_MS_MAX + 1), now), "no pause is that long: the clock was ahead");
    }
}
