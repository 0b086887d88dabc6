//! The counters whose codes were accepted once (R87, R88).

use alloc::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Accepted counters, remembered by value so that neither a clock set back nor a resync to an
/// earlier time opens a used code again (A3, A40).
///
/// Bounded: counters more than [`Spent::SPAN`] below the highest are forgotten one by one but
/// stay refused, because everything at or below the floor counts as spent. No resync can reach
/// that far back (R81), so nothing usable is lost.
///
/// Part of stored events: its fields are frozen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    floor: u64,
    used: VecDeque<u64>,
}

impl Spent {
    /// How many counters below the highest are kept apart: more than the pair search reaches.
    pub const SPAN: u64 = 1024;

    /// Whether the code at `counter` is spent.
    #[must_use]
    pub fn contains(&self, counter: u64) -> bool {
        let from_above = self.used.iter().rev().take_while(|&&used| used >= counter);
        counter < self.floor || from_above.into_iter().last() == Some(&counter)
    }

    /// The highest spent counter.
    #[must_use]
    pub fn highest(&self) -> Option<u64> {
        self.used.back().copied()
    }

    /// How many counters are remembered one by one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.used.len()
    }

    /// Whether no counter is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.used.is_empty()
    }

    /// Marks a counter as spent.
    pub(crate) fn insert(&mut self, counter: u64) {
        if self.contains(counter) {
            return;
        }
        let place = self.used.partition_point(|&used| used < counter);
        self.used.insert(place, counter);
        let highest = self.used.back().copied().unwrap_or(counter);
        let floor = highest.saturating_sub(Self::SPAN);
        while self.used.front().is_some_and(|&used| used < floor) {
            self.used.pop_front();
        }
        self.floor = self.floor.max(floor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_spent_stays_spent_and_memory_is_bounded() {
        let mut spent = Spent::default();
        for counter in 0..5000 {
            spent.insert(counter);
        }
        assert!((0..5000).all(|counter| spent.contains(counter)));
        assert!(!spent.contains(5000));
        assert!(spent.len() <= 1 + usize::try_from(Spent::SPAN).unwrap());
    }

    #[test]
    fn an_unused_code_below_the_highest_is_not_spent() {
        let mut spent = Spent::default();
        spent.insert(1000);
        spent.insert(998);
        assert!(!spent.contains(999));
        assert_eq!(spent.highest(), Some(1000));
    }
}
