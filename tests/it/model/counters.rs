//! What the list says of codes: counters, pairs, budgets, clocks.

use super::cast::Device;
use super::facts::{Fact, Fault, History};
use super::rules::{CLOCK_BACK_MS, MISSES};

use Fact::*;

impl Fact {
    /// The attempt window in which this counts against a budget: pairs, or single codes.
    fn attempt(&self, of_pairs: bool) -> Option<u64> {
        match self {
            Enabled { window, .. }
            | EnableRefused { window, .. }
            | Resynced { window, .. }
            | ResyncRefused { window, .. }
                if of_pairs =>
            {
                Some(*window)
            }
            Accepted { window, .. } | Refused { window, .. } if !of_pairs => Some(*window),
            _ => None,
        }
    }
}

/// A budget as it stands now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    pub window: u64,
    pub used: usize,
    pub told: bool,
}

impl Budget {
    /// What a row of windows comes to now; each entry says whether it is an attempt, or tells that there may be no
    /// more. A clock set back does not open an older window (A40).
    pub fn of(windows: impl Iterator<Item = (u64, bool)>, now: u64, window_s: u64) -> Self {
        let mut last = Self { window: 0, used: 0, told: false };
        for (window, is_attempt) in windows {
            if window != last.window {
                last = Self { window, used: 0, told: false };
            }
            last.used += usize::from(is_attempt);
            last.told |= !is_attempt;
        }
        let window_at = |ms: u64| ms / 1000 / window_s;
        let counts = (window_at(now)..=window_at(now + CLOCK_BACK_MS)).contains(&last.window);
        if counts { last } else { Self { window: window_at(now), used: 0, told: false } }
    }
}

impl History {
    /// What happened to the thing in its present life.
    fn life(&self, thing: usize) -> impl Iterator<Item = &(u64, Fact)> {
        let from = self.made(thing).unwrap_or(self.0.len());
        self.0[from..].iter().filter(move |(_, fact)| fact.thing() == Some(thing))
    }

    /// Counters of the second codes of all its accepted pairs, in order, with the offset learned.
    pub fn pairs(&self, thing: usize) -> Vec<(u64, i64)> {
        let pair = |(_, fact): &(u64, Fact)| match fact {
            Enabled { counter, offset, .. } | Resynced { counter, offset, .. } => Some((*counter, *offset)),
            _ => None,
        };
        self.life(thing).filter_map(pair).collect()
    }

    /// R82: steps that the device is ahead of the server, as far as anyone knows.
    pub fn offset(&self, thing: usize) -> i64 {
        self.pairs(thing).last().map_or(0, |(_, offset)| *offset)
    }

    /// When its time was last learned (R95).
    pub fn learned_at(&self, thing: usize) -> Option<u64> {
        let learned = self.life(thing).filter(|(_, fact)| matches!(fact, Enabled { .. } | Resynced { .. }));
        learned.last().map(|(at, _)| *at)
    }

    /// Counters whose codes were accepted as single codes (R87).
    pub fn spent(&self, thing: usize) -> Vec<u64> {
        let accepted = |(_, fact): &(u64, Fact)| match fact {
            Accepted { counter, .. } => Some(*counter),
            _ => None,
        };
        self.life(thing).filter_map(accepted).collect()
    }

    /// R91..R94: what was evaluated under this name in the window that counts now, whoever held it and
    /// however often it was made anew.
    pub fn budget(&self, thing: usize, pairs: bool, now: u64, window_s: u64) -> Budget {
        let same = |other: usize| Device::Thing(other).is_like(Device::Thing(thing));
        let of_thing = self.facts().filter(|fact| fact.thing().is_some_and(same));
        let windows = of_thing.filter_map(|fact| match fact {
            OutOfBudget { pairs: of, window, .. } if *of == pairs => Some((*window, false)),
            fact => fact.attempt(pairs).map(|window| (window, true)),
        });
        Budget::of(windows, now, window_s)
    }

    /// Until when a device is known to be locked: the budget of the window that counts was found to be spent.
    pub fn locked_until(&self, thing: usize, now: u64, window_s: u64) -> Option<u64> {
        self.owner(Device::Thing(thing))?;
        let budget = self.budget(thing, false, now, window_s);
        budget.told.then_some((budget.window + 1) * window_s * 1000).filter(|until| *until > now)
    }

    /// A40: the latest instant that is recorded of it since it was enabled.
    pub fn latest(&self, thing: usize) -> Option<u64> {
        let (_, place) = self.enabled(Device::Thing(thing))?;
        let since = self.0[place..].iter().filter(|(_, fact)| fact.thing() == Some(thing));
        since.map(|(at, _)| *at).max()
    }

    /// A4, A5: several codes in a row were refused, or one was this device's but out of reach.
    pub fn wants_resync(&self, thing: usize) -> bool {
        let Some((_, since)) = self.enabled(Device::Thing(thing)) else { return false };
        let (mut misses, mut outside) = (0, false);
        for (_, fact) in self.0[since..].iter().filter(|(_, fact)| fact.thing() == Some(thing)) {
            match fact {
                Enabled { .. } | Resynced { .. } | Accepted { .. } => (misses, outside) = (0, false),
                Refused { fault, .. } => {
                    misses += 1;
                    outside |= matches!(fault, Fault::Outside(_));
                }
                _ => {}
            }
        }
        outside || misses >= MISSES
    }
}
