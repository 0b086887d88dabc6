//! How long to wait before a link is tried again.

use std::time::Duration;

/// Full jitter: a random part of a bound that doubles with each loss in a row, up to a cap.
#[derive(Debug)]
pub(crate) struct Backoff {
    min: Duration,
    max: Duration,
    losses: u32,
}

impl Backoff {
    pub(crate) const fn new(min: Duration, max: Duration) -> Self {
        Self { min, max, losses: 0 }
    }

    /// The link was fine for long enough: the next loss is the first.
    pub(crate) const fn reset(&mut self) {
        self.losses = 0;
    }

    /// The pause after one more loss; `random` is any number.
    pub(crate) fn pause(&mut self, random: u32) -> Duration {
        let factor = 1_u32.checked_shl(self.losses).unwrap_or(u32::MAX);
        let bound = self.min.saturating_mul(factor).min(self.max);
        self.losses = self.losses.saturating_add(1).min(31);
        part(bound, random)
    }

    /// The pause after a refusal that only a person can mend: the upper half of the cap.
    pub(crate) fn long_pause(&self, random: u32) -> Duration {
        let half = self.max / 2;
        half.saturating_add(part(half, random))
    }
}

fn part(bound: Duration, random: u32) -> Duration {
    bound.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

/// A random number; without randomness, the one that waits longest.
pub(crate) fn random() -> u32 {
    getrandom::u32().unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_doubles_up_to_the_cap() {
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(60));
        let pauses: Vec<u128> = (0..40).map(|_| backoff.pause(u32::MAX).as_millis()).collect();
        assert_eq!(pauses[..9], [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
        assert!(pauses[9..].iter().all(|pause| *pause == 60_000));
        backoff.reset();
        assert_eq!(backoff.pause(u32::MAX), Duration::from_millis(500));
    }

    #[test]
    fn it_is_a_random_part() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(4));
        assert_eq!(backoff.pause(0), Duration::ZERO);
        let half = backoff.pause(u32::MAX / 2);
        assert!(half > Duration::from_millis(990) && half < Duration::from_millis(1010), "{half:?}");
        assert_eq!(backoff.long_pause(0), Duration::from_secs(2));
        assert_eq!(backoff.long_pause(u32::MAX), Duration::from_secs(4));
    }
}
