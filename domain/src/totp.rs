//! The arithmetic of time-based codes: windows, drift, spent codes and attempt budgets (R80..R94).
//!
//! Nothing here computes a code. A decision first says which counters to try ([`PairSearch`],
//! [`CodeSearch`]); the caller tries them against the seed and comes back with the counters that
//! matched; then the decision is made. So the seed and the typed digits never enter it.

mod attempts;
mod spent;

pub use attempts::{Attempts, Budget};
pub use spent::Spent;

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::ids::UnixMillis;
use crate::policy::{CodeOrder, PairCodes, Policy};

/// What is known of a device's codes; it travels with the device from owner to owner (R85).
///
/// Part of stored events: its fields are frozen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learned {
    /// Steps that the device is ahead of the server: learned by enable and resync only (R82, R89).
    pub offset: i64,
    /// Counters of the codes of accepted pairs; the highest is the last pair's second (R82, R85).
    pub paired: Spent,
    /// Counters accepted as single codes (R87, R88).
    pub spent: Spent,
    /// Attempts at single codes in the current window (R91).
    pub codes: Attempts,
    /// Attempts at pairs in the current window; a budget of its own (R93).
    pub pairs: Attempts,
}

impl Learned {
    /// What a deleted device leaves for the next one of its serial: the budgets (R94).
    #[must_use]
    pub fn budgets_only(&self) -> Self {
        Self { codes: self.codes, pairs: self.pairs, ..Self::default() }
    }

    /// One of the two budgets.
    pub(crate) const fn budget_mut(&mut self, budget: Budget) -> &mut Attempts {
        match budget {
            Budget::Codes => &mut self.codes,
            Budget::Pairs => &mut self.pairs,
        }
    }

    /// The step that the device shows now: the server's step plus the learned offset (R80).
    #[must_use]
    pub fn device_step(&self, now: UnixMillis, policy: &Policy) -> u64 {
        let step = server_step(now, policy);
        step.saturating_add_signed(self.offset)
    }

    /// Takes a pair whose second code is at `counter` (R82).
    pub(crate) fn learn(&mut self, counter: u64, offset: i64) {
        self.offset = offset;
        self.paired.insert(counter.saturating_sub(1));
        self.paired.insert(counter);
    }

    /// Counter of the second code of the last accepted pair (R85).
    #[must_use]
    pub fn last_pair(&self) -> Option<u64> {
        self.paired.highest()
    }
}

/// The server's own step at an instant: floor(unix seconds / step) (R80).
#[must_use]
pub fn server_step(now: UnixMillis, policy: &Policy) -> u64 {
    now.secs() / u64::from(policy.step_s.max(1))
}

/// Where to look for a pair: the second code at each counter from `first` to `last` inclusive,
/// the first code at the counter before it (R81).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PairSearch {
    /// Lowest counter of the second code; at least 1.
    pub first: u64,
    /// Highest counter of the second code.
    pub last: u64,
    /// The device's present step; the nearest match to it wins.
    pub centre: u64,
}

impl PairSearch {
    /// The range of R81 and R83: around the learned time, not the server's.
    #[must_use]
    pub fn around(learned: &Learned, now: UnixMillis, policy: &Policy) -> Self {
        let centre = learned.device_step(now, policy);
        Self {
            first: centre.saturating_sub(policy.pair_back_steps.into()).max(1),
            last: centre.saturating_add(policy.pair_ahead_steps.into()),
            centre,
        }
    }
}

/// Where to look for a single code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeSearch {
    /// Lowest counter of the authentication window (R86).
    pub first: u64,
    /// Highest counter of the authentication window.
    pub last: u64,
    /// Whether no step of the window was used before. Only then does the present step decide alone: otherwise
    /// the digits may be those of a step that was (R87).
    pub unused: bool,
    /// The wider range in which a refused code is only explained, never accepted (A5).
    pub wide: PairSearch,
}

impl CodeSearch {
    /// The windows around the device's present step.
    #[must_use]
    pub fn around(learned: &Learned, now: UnixMillis, policy: &Policy) -> Self {
        let wide = PairSearch::around(learned, now, policy);
        let first = wide.centre.saturating_sub(policy.code_window_steps.into());
        let last = wide.centre.saturating_add(policy.code_window_steps.into());
        let unused = !(first..=last).any(|step| learned.spent.contains(step) || learned.paired.contains(step));
        Self { first, last, unused, wide }
    }
}

/// What trying a code over a [`CodeSearch`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodeMatches {
    /// Counters inside the window at which the seed gives this code, ascending.
    pub window: Vec<u64>,
    /// Nearest counter of the wide range at which it does, asked only when `window` is empty.
    pub wide: Option<u64>,
}

/// What a single code is for; decides whether a pair's codes are spent for it (R90, A43).
pub(crate) const fn pair_codes(policy: &Policy, at_sts: bool) -> PairCodes {
    if at_sts { policy.pair_codes_at_sts } else { policy.pair_codes_at_sign_in }
}

/// The outcome of looking at a single code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CodeJudgement {
    Fresh(u64),
    Used(u64),
    Outside(i64),
    Wrong,
}

/// Judges a single code by R86..R90.
pub(crate) fn judge_code(
    learned: &Learned,
    search: &CodeSearch,
    matches: &CodeMatches,
    policy: &Policy,
    pair_codes: PairCodes,
) -> CodeJudgement {
    let in_window = || matches.window.iter().copied().filter(|c| (search.first..=search.last).contains(c));
    let distance = |counter: &u64| counter.abs_diff(search.wide.centre);
    let highest = learned.spent.highest().max(learned.last_pair());
    let is_used = |counter: &u64| {
        let of_pair = pair_codes == PairCodes::Spent && learned.paired.contains(*counter);
        learned.spent.contains(*counter) || of_pair
    };
    let is_behind =
        |counter: &u64| policy.code_order == CodeOrder::Increasing && highest.is_some_and(|high| *counter <= high);
    // Two steps of one window may show the same digits. They were used if either step was: it is the code that counts once.
    let used = in_window().filter(is_used).min_by_key(distance);
    let fresh = in_window().filter(|counter| used.is_none() && !is_behind(counter)).min_by_key(distance);
    let used = used.or_else(|| in_window().min_by_key(distance));
    match (fresh, used, matches.wide) {
        (Some(counter), _, _) => CodeJudgement::Fresh(counter),
        (None, Some(counter), _) => CodeJudgement::Used(counter),
        (None, None, Some(counter)) => CodeJudgement::Outside(signed_distance(counter, search.wide.centre)),
        (None, None, None) => CodeJudgement::Wrong,
    }
}

/// The outcome of looking at a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PairJudgement {
    /// Counter of the second code, and the offset from the server's step that it teaches.
    Good {
        counter: u64,
        offset: i64,
    },
    NotNewer,
    NoMatch,
}

/// Judges a pair by R81..R85, R63.
pub(crate) fn judge_pair(
    learned: &Learned,
    search: &PairSearch,
    matches: &[u64],
    now: UnixMillis,
    policy: &Policy,
) -> PairJudgement {
    let in_range = |c: &&u64| (search.first..=search.last).contains(*c);
    let newer = |c: &u64| learned.last_pair().is_none_or(|last| c.saturating_sub(1) > last);
    let mut found: Vec<u64> = matches.iter().filter(in_range).copied().collect();
    found.sort_unstable_by_key(|c| c.abs_diff(search.centre));
    match found.iter().copied().find(newer) {
        Some(counter) => {
            let offset = signed_distance(counter, server_step(now, policy));
            PairJudgement::Good { counter, offset }
        }
        None if found.is_empty() => PairJudgement::NoMatch,
        None => PairJudgement::NotNewer,
    }
}

/// `a - b`, saturating.
fn signed_distance(a: u64, b: u64) -> i64 {
    let magnitude = i64::try_from(a.abs_diff(b)).unwrap_or(i64::MAX);
    if a >= b { magnitude } else { -magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    const NOW: UnixMillis = UnixMillis::from_secs(1_700_000_010);

    fn search(learned: &Learned) -> PairSearch {
        PairSearch::around(learned, NOW, &Policy::classic())
    }

    #[test]
    fn the_pair_range_is_998_behind_to_1000_ahead_inclusive() {
        let learned = Learned::default();
        let step = 1_700_000_010 / 30;
        let range = search(&learned);
        assert_eq!((range.first, range.last), (step - 998, step + 1000));
        for (counter, good) in [(step - 998, true), (step + 1000, true), (step - 999, false), (step + 1001, false)] {
            let verdict = judge_pair(&learned, &range, &[counter], NOW, &Policy::classic());
            assert_eq!(matches!(verdict, PairJudgement::Good { .. }), good, "{counter}");
        }
    }

    #[test]
    fn resyncs_add_up_because_the_search_follows_the_learned_time() {
        let mut learned = Learned::default();
        for round in 1..=3 {
            let target = search(&learned).centre + 600;
            let verdict = judge_pair(&learned, &search(&learned), &[target], NOW, &Policy::classic());
            let PairJudgement::Good { counter, offset } = verdict else { panic!("{verdict:?}") };
            learned.learn(counter, offset);
            assert_eq!(learned.offset, 600 * round);
        }
    }

    #[test]
    fn a_pair_must_lie_wholly_after_the_last_one() {
        let step = 1_700_000_010 / 30;
        let mut learned = Learned::default();
        learned.learn(step, 0);
        for (counter, good) in [(step, false), (step + 1, false), (step + 2, true)] {
            let verdict = judge_pair(&learned, &search(&learned), &[counter], NOW, &Policy::classic());
            assert_eq!(matches!(verdict, PairJudgement::Good { .. }), good, "{counter}");
        }
    }

    #[test]
    fn a_code_counts_once_in_any_order_and_the_window_is_two_steps() {
        let policy = Policy::classic();
        let mut learned = Learned::default();
        let range = CodeSearch::around(&learned, NOW, &policy);
        let centre = range.wide.centre;
        let judge = |learned: &Learned, counter: u64| {
            let matches = CodeMatches { window: vec![counter], wide: None };
            judge_code(learned, &range, &matches, &policy, PairCodes::Spent)
        };
        assert_eq!(judge(&learned, centre + 1), CodeJudgement::Fresh(centre + 1));
        learned.spent.insert(centre + 1);
        assert_eq!(judge(&learned, centre + 1), CodeJudgement::Used(centre + 1));
        assert_eq!(judge(&learned, centre), CodeJudgement::Fresh(centre));
        assert_eq!(judge(&learned, centre + 3), CodeJudgement::Wrong);
        assert_eq!(judge(&learned, centre - 2), CodeJudgement::Fresh(centre - 2));
    }

    #[test]
    fn digits_that_two_steps_show_count_once() {
        for policy in [Policy::classic(), Policy { code_order: CodeOrder::Increasing, ..Policy::classic() }] {
            let mut learned = Learned::default();
            let range = CodeSearch::around(&learned, NOW, &policy);
            let centre = range.wide.centre;
            let matches = CodeMatches { window: vec![centre, centre + 2], wide: None };
            let judge = |learned: &Learned, pair_codes| judge_code(learned, &range, &matches, &policy, pair_codes);
            assert_eq!(judge(&learned, PairCodes::Spent), CodeJudgement::Fresh(centre));
            learned.spent.insert(centre);
            assert_eq!(judge(&learned, PairCodes::Spent), CodeJudgement::Used(centre));
            assert!(range.unused && !CodeSearch::around(&learned, NOW, &policy).unused);
        }
        let policy = Policy::classic();
        let mut learned = Learned::default();
        learned.learn(CodeSearch::around(&learned, NOW, &policy).wide.centre, 0);
        let range = CodeSearch::around(&learned, NOW, &policy);
        let matches = CodeMatches { window: vec![range.wide.centre, range.last], wide: None };
        let judge = |pair_codes| judge_code(&learned, &range, &matches, &policy, pair_codes);
        assert_eq!(judge(PairCodes::Spent), CodeJudgement::Used(range.wide.centre));
        assert_eq!(judge(PairCodes::OnceMore), CodeJudgement::Fresh(range.wide.centre));
    }

    #[test]
    fn strict_takes_codes_only_forwards() {
        let policy = Policy { code_order: CodeOrder::Increasing, ..Policy::classic() };
        let mut learned = Learned::default();
        let range = CodeSearch::around(&learned, NOW, &policy);
        let centre = range.wide.centre;
        learned.spent.insert(centre + 1);
        let matches = CodeMatches { window: vec![centre], wide: None };
        let verdict = judge_code(&learned, &range, &matches, &policy, PairCodes::Spent);
        assert_eq!(verdict, CodeJudgement::Used(centre));
    }

    #[test]
    fn early_time_and_large_offsets_do_not_wrap() {
        let policy = Policy::classic();
        let learned = Learned { offset: i64::MIN, ..Learned::default() };
        assert_eq!(search(&learned).first, 1);
        let learned = Learned { offset: i64::MAX, ..Learned::default() };
        let range = CodeSearch::around(&learned, UnixMillis(u64::MAX), &policy);
        assert!(range.last >= range.first);
    }
}
