//! The counters whose codes were accepted once (R87, R88).

use alloc::collections::VecDeque;
use alloc::vec::Vec;

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
#[serde(try_from = "Packed", into = "Packed")]
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
        counter < self.floor || self.used.binary_search(&counter).is_ok()
    }

    /// The highest spent counter.
    #[must_use]
    pub fn highest(&self) -> Option<u64> {
        self.used.back().copied()
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

/// The stored form: each counter as its distance from the one before it, the first from the floor.
/// A distance is a byte as a rule, so that eight full devices fit one append.
#[derive(Serialize, Deserialize)]
struct Packed {
    floor: u64,
    distances: Vec<u64>,
}

impl From<Spent> for Packed {
    fn from(spent: Spent) -> Self {
        let mut before = spent.floor;
        let distance = |&used: &u64| {
            let distance = used.saturating_sub(before);
            before = used;
            distance
        };
        Self { floor: spent.floor, distances: spent.used.iter().map(distance).collect() }
    }
}

impl TryFrom<Packed> for Spent {
    type Error = &'static str;
    fn try_from(packed: Packed) -> Result<Self, &'static str> {
        let mut used = VecDeque::with_capacity(packed.distances.len());
        let mut counter = packed.floor;
        for (place, distance) in packed.distances.into_iter().enumerate() {
            if place > 0 && distance == 0 {
                return Err("a counter is spent twice");
            }
            counter = counter.checked_add(distance).ok_or("a counter is out of range")?;
            used.push_back(counter);
        }
        Ok(Self { floor: packed.floor, used })
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
        assert!(spent.used.len() <= 1 + usize::try_from(Spent::SPAN).unwrap());
    }

    #[test]
    fn a_full_memory_packs_into_little_and_comes_back() {
        let mut spent = Spent::default();
        (0..3000).for_each(|step| spent.insert(56_000_000 + step));
        let bytes = postcard::to_allocvec(&spent).unwrap();
        assert!(bytes.len() < 1100, "{}", bytes.len());
        assert_eq!(postcard::from_bytes::<Spent>(&bytes).unwrap(), spent);
        assert!(postcard::from_bytes::<Spent>(&[0, 2, 1, 0]).is_err(), "the same counter twice");
    }

    #[test]
    fn an_unused_code_below_the_highest_is_not_spent() {
        let mut spent = Spent::default();
        spent.insert(1000);
        spent.insert(998);
        assert!(!spent.contains(999));
        assert_eq!(spent.highest(), Some(1000));
    }

    #[test]
    fn counters_are_kept_apart_down_to_the_span_below_the_highest() {
        let mut spent = Spent::default();
        [975, 977, 2000].into_iter().for_each(|counter| spent.insert(counter));
        assert_eq!((spent.floor, spent.used.len()), (2000 - Spent::SPAN, 2), "975 is below the floor, and forgotten");
        let refused = [974, 975, 977, 2000];
        assert!(refused.iter().all(|counter| spent.contains(*counter)) && !spent.contains(978));
        assert!(!spent.contains(976), "the floor itself is remembered one by one");
        spent.insert(976);
        spent.insert(2001);
        assert_eq!((spent.contains(976), spent.contains(978), spent.used.len()), (true, false, 3));
    }
}
