//! Codes of TOTP devices: counters, pairs and budgets.

use alloc::vec::Vec;

use super::by_stream::ByStream;
use super::rules::Rules;
use super::{Fact, Law};
use crate::event::{CodeFault, Event};
use crate::ids::{StreamId, UnixMillis};
use crate::totp::Budget;
use crate::wire::TYPES;

/// Windows before and after the present one whose counts are kept.
const WINDOWS_KEPT: u64 = 8;

/// What was done with the codes of every device.
#[derive(Debug, Default)]
pub(super) struct Codes {
    devices: ByStream<OfDevice>,
}

/// What was done with the codes of a device.
#[derive(Debug, Default)]
struct OfDevice {
    /// Counters that were accepted as single codes while the seed lives, in order.
    accepted: Vec<u64>,
    /// The last accepted pair.
    pair: Option<u64>,
    /// Proofs that were evaluated: codes, and pairs.
    codes: Windows,
    pairs: Windows,
}

impl OfDevice {
    /// Each creation brings another seed.
    fn seed_changed(&mut self) {
        self.accepted = Vec::new();
        self.pair = None;
    }

    /// Whether it was not accepted before. Counters come nearly in order.
    fn accept(&mut self, counter: u64) -> bool {
        if self.accepted.last().is_none_or(|last| *last < counter) {
            self.accepted.push(counter);
            return true;
        }
        match self.accepted.binary_search(&counter) {
            Ok(_) => false,
            Err(place) => {
                self.accepted.insert(place, counter);
                true
            }
        }
    }

    fn pair(&mut self, counter: u64) -> Option<Law> {
        let before = self.pair.replace(counter);
        before.is_some_and(|before| counter.saturating_sub(1) <= before).then_some(Law::PairsIncrease)
    }
}

/// Proofs of one device that were evaluated, window by window.
#[derive(Debug, Default)]
struct Windows {
    counts: Vec<(u64, u32)>,
    latest: Option<UnixMillis>,
}

impl Windows {
    /// Counts one proof and says how many there are in its window now.
    ///
    /// A clock that is set back further than the policy bears opens its window anew (A4, A40).
    fn count(&mut self, window: u64, at: UnixMillis, tolerance_s: u32) -> u32 {
        let latest = self.latest.unwrap_or(at);
        let set_back = at.plus_ms(u64::from(tolerance_s) * 1000) < latest;
        self.latest = Some(if set_back { at } else { latest.max(at) });
        self.counts.retain(|(kept, _)| !set_back && kept.abs_diff(window) <= WINDOWS_KEPT);
        match self.counts.iter_mut().find(|(kept, _)| *kept == window) {
            Some((_, used)) => {
                *used += 1;
                *used
            }
            None => {
                self.counts.push((window, 1));
                1
            }
        }
    }
}

/// One proof of a device that was evaluated.
struct Attempt {
    device: StreamId,
    /// For whom, and so under whose rules.
    owner: StreamId,
    budget: Budget,
    window: u64,
}

impl Codes {
    pub(super) fn observe(&mut self, fact: &Fact<'_>, rules: &Rules, broken: &mut Vec<Law>) {
        match fact.event {
            Event::VirtualDeviceCreated(_) | Event::HardwareTokenImported(_) => self.seed_changed(fact.stream),
            Event::CodeAccepted(accepted) => {
                let fresh = self.of(accepted.device).accept(accepted.counter);
                broken.extend((!fresh).then_some(Law::CounterAcceptedOnce));
            }
            Event::DeviceEnabled(enabled) if enabled.kind.is_totp() => {
                broken.extend(enabled.learned.last_pair().and_then(|last| self.of(enabled.device).pair(last)));
            }
            Event::DeviceResynced(resynced) => broken.extend(self.of(resynced.device).pair(resynced.counter)),
            _ => {}
        }
        if let Some(attempt) = attempt(fact) {
            broken.extend(self.attempt(&attempt, fact.at, rules));
        }
    }

    /// A creation changes the seed, whether it can be read or not.
    pub(super) fn observe_unread(&mut self, stream: StreamId, event_type: u16) {
        let is_creation = |name| matches!(name, "VirtualDeviceCreated" | "HardwareTokenImported");
        if TYPES.iter().any(|(id, _, name, _)| *id == event_type && is_creation(*name)) {
            self.seed_changed(stream);
        }
    }

    fn of(&mut self, device: StreamId) -> &mut OfDevice {
        self.devices.entry(device).or_default()
    }

    fn seed_changed(&mut self, device: StreamId) {
        if let Some(known) = self.devices.get_mut(&device) {
            known.seed_changed();
        }
    }

    fn attempt(&mut self, attempt: &Attempt, at: UnixMillis, rules: &Rules) -> Option<Law> {
        let Attempt { device, owner, budget, window } = *attempt;
        let tolerance_s = rules.least(owner, at, |policy| policy.clock_back_max_s);
        let of_device = self.of(device);
        let windows = match budget {
            Budget::Codes => &mut of_device.codes,
            Budget::Pairs => &mut of_device.pairs,
        };
        let used = windows.count(window, at, tolerance_s);
        (used > rules.most(owner, at, |policy| budget.max(policy))).then_some(Law::BudgetHolds)
    }
}

/// The proof that an event says was evaluated.
fn attempt(fact: &Fact<'_>) -> Option<Attempt> {
    let own = |device, budget, window| Some(Attempt { device, owner: fact.stream, budget, window });
    match fact.event {
        Event::CodeAccepted(accepted) => own(accepted.device, Budget::Codes, accepted.window),
        Event::CodeRefused(refused) if refused.fault != CodeFault::NotPropagated => {
            own(refused.device, Budget::Codes, refused.window)
        }
        Event::DeviceEnabled(enabled) if enabled.kind.is_totp() => {
            own(enabled.device, Budget::Pairs, enabled.learned.pairs.window)
        }
        Event::DeviceResynced(resynced) => own(resynced.device, Budget::Pairs, resynced.window),
        Event::ResyncRefused(refused) => own(refused.device, Budget::Pairs, refused.window),
        Event::PairRefused(refused) => {
            let (device, owner, window) = (fact.stream, refused.owner, refused.window);
            Some(Attempt { device, owner, budget: Budget::Pairs, window })
        }
        _ => None,
    }
}
