//! What holds over every history, as named functions.
//!
//! The same laws judge generated histories in property tests, simulated nodes, and a stored log in
//! `countersign-replay verify`. Where it can be had cheaply a law does not use the fold that it judges:
//! it keeps its own simple account of what happened.
//!
//! ```
//! use countersign_domain::{laws::LawBook, policy::Policy};
//!
//! let mut laws = LawBook::new(Policy::classic());
//! // for fact in log { assert_eq!(laws.observe(&fact), []) }
//! assert_eq!(laws.finish(), []);
//! ```

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use crate::account::{Account, Claim};
use crate::device::{Device, DeviceKind};
use crate::event::{CodeFault, Event};
use crate::ids::{Position, PrincipalId, StreamId, UnixMillis, Version};
use crate::policy::Policy;
use crate::principal::Principal;
use crate::totp::Budget;

/// One event of a log, where it stands and when it was recorded.
#[derive(Clone, Copy, Debug)]
pub struct Fact<'a> {
    /// Its place in the global order.
    pub position: Position,
    /// Its stream.
    pub stream: StreamId,
    /// Its version in the stream.
    pub version: Version,
    /// When it was recorded.
    pub at: UnixMillis,
    /// The event.
    pub event: &'a Event,
}

/// A law that a history breaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Law {
    /// Versions of a stream are 1, 2, 3, … without a gap.
    VersionsHaveNoGap,
    /// Every event can follow the state before it.
    HistoryFolds,
    /// A device belongs to at most one principal at a time (R4, R24).
    OneOwner,
    /// A device that a principal has is assigned to it, and the other way round (R50).
    AssignedIsEnabled,
    /// No counter of a device is accepted twice as a single code while its seed lives (R87).
    CounterAcceptedOnce,
    /// Each accepted pair lies wholly after the one before it (R85).
    PairsIncrease,
    /// No more proofs are evaluated in an attempt window than the policy allows (R91).
    BudgetHolds,
    /// No principal has more devices than the policy allows (R3, R172).
    DeviceLimitHolds,
    /// Root never has an SMS device (R122).
    RootHasNoSms,
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::VersionsHaveNoGap => "versions of a stream have no gap",
            Self::HistoryFolds => "every event follows from the state before it",
            Self::OneOwner => "a device has at most one owner",
            Self::AssignedIsEnabled => "a device is assigned to the principal that has it enabled",
            Self::CounterAcceptedOnce => "a code is accepted once",
            Self::PairsIncrease => "pairs only go forward",
            Self::BudgetHolds => "attempts stay within their budget",
            Self::DeviceLimitHolds => "a principal stays within its device limit",
            Self::RootHasNoSms => "root has no SMS device",
        })
    }
}

/// A place where a law is broken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Violation {
    /// The law.
    pub law: Law,
    /// The stream.
    pub stream: StreamId,
    /// The event; for a law over the whole log, the last one.
    pub position: Position,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at position {} of stream {}: {} does not hold", self.position, self.stream, self.law)
    }
}

/// Watches a log in its global order.
#[derive(Debug)]
pub struct LawBook {
    policy: Policy,
    subjects: BTreeMap<StreamId, (Version, Subject)>,
    owners: BTreeMap<StreamId, StreamId>,
    enabled: BTreeMap<StreamId, (StreamId, DeviceKind)>,
    owned: BTreeMap<StreamId, u32>,
    accepted: BTreeMap<StreamId, BTreeSet<u64>>,
    pairs: BTreeMap<StreamId, u64>,
    attempts: BTreeMap<(StreamId, Budget), (u64, u32)>,
    roots: BTreeSet<StreamId>,
    over: Option<StreamId>,
    last: Position,
}

#[derive(Debug)]
enum Subject {
    Account(Account),
    Claim(Claim),
    Device(Device),
    Principal(Principal),
    Host,
    Door,
    Broken,
}

impl LawBook {
    /// A book for a log that was written under this policy.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            subjects: BTreeMap::new(),
            owners: BTreeMap::new(),
            enabled: BTreeMap::new(),
            owned: BTreeMap::new(),
            accepted: BTreeMap::new(),
            pairs: BTreeMap::new(),
            attempts: BTreeMap::new(),
            roots: BTreeSet::new(),
            over: None,
            last: Position(0),
        }
    }

    /// Takes the next event and names the laws that it breaks.
    pub fn observe(&mut self, fact: &Fact<'_>) -> Vec<Violation> {
        self.last = fact.position;
        let mut broken = vec![];
        if !self.follows(fact) {
            broken.push(Law::VersionsHaveNoGap);
        }
        if !self.folds(fact) {
            broken.push(Law::HistoryFolds);
        }
        broken.extend(self.excess(fact));
        broken.extend(self.ownership(fact));
        broken.extend(self.codes(fact));
        let place = |law| Violation { law, stream: fact.stream, position: fact.position };
        broken.into_iter().map(place).collect()
    }

    /// Says which laws over the whole log are broken at its end.
    #[must_use]
    pub fn finish(&self) -> Vec<Violation> {
        let position = self.last;
        let lone = self
            .owners
            .iter()
            .filter(|(device, owner)| self.enabled.get(*device).is_none_or(|(principal, _)| principal != *owner));
        let unheld = self.enabled.keys().filter(|device| !self.owners.contains_key(device));
        let streams = lone.map(|(device, _)| device).chain(unheld);
        let unassigned = streams.map(|&stream| Violation { law: Law::AssignedIsEnabled, stream, position });
        let over = self.over.map(|stream| Violation { law: Law::DeviceLimitHolds, stream, position });
        unassigned.chain(over).collect()
    }

    fn follows(&mut self, fact: &Fact<'_>) -> bool {
        let before = self.subjects.get(&fact.stream).map_or(Version::NONE, |(version, _)| *version);
        before.next() == fact.version
    }

    fn folds(&mut self, fact: &Fact<'_>) -> bool {
        let before = self.subjects.remove(&fact.stream).map(|(_, subject)| subject);
        let after = Subject::evolve(before, fact.event, fact.at);
        let held = !matches!(after, Subject::Broken);
        self.subjects.insert(fact.stream, (fact.version, after));
        held
    }

    fn ownership(&mut self, fact: &Fact<'_>) -> Option<Law> {
        match fact.event {
            Event::PrincipalRegistered(registered) => {
                if matches!(registered.id, PrincipalId::Root(_)) {
                    self.roots.insert(fact.stream);
                }
                None
            }
            Event::DeviceAssigned(assigned) => {
                let taken = self.owners.insert(fact.stream, assigned.owner).is_some();
                taken.then_some(Law::OneOwner)
            }
            Event::DeviceReleased(_) => self.owners.remove(&fact.stream).is_none().then_some(Law::OneOwner),
            Event::DeviceEnabled(enabled) => {
                let taken = self.enabled.insert(enabled.device, (fact.stream, enabled.kind)).is_some();
                *self.owned.entry(fact.stream).or_default() += 1;
                let sms_for_root = enabled.kind == DeviceKind::Sms && self.roots.contains(&fact.stream);
                if taken {
                    Some(Law::OneOwner)
                } else if sms_for_root {
                    Some(Law::RootHasNoSms)
                } else {
                    self.over = self.over_limit(fact.stream).then_some(fact.stream);
                    None
                }
            }
            Event::DeviceDeactivated(gone) => {
                let owned = self.owned.entry(fact.stream).or_default();
                *owned = owned.saturating_sub(1);
                self.enabled.remove(&gone.device).is_none().then_some(Law::AssignedIsEnabled)
            }
            Event::VirtualDeviceCreated(_) | Event::HardwareTokenImported(_) => {
                self.accepted.remove(&fact.stream);
                self.pairs.remove(&fact.stream);
                None
            }
            _ => None,
        }
    }

    fn over_limit(&self, principal: StreamId) -> bool {
        let owned = self.owned.get(&principal).copied().unwrap_or_default();
        owned > u32::from(self.policy.devices_per_principal_max)
    }

    /// A rotation enables the new device and deactivates the old one by its next event (R79). An
    /// excess that stays any longer breaks the limit.
    fn excess(&mut self, fact: &Fact<'_>) -> Option<Law> {
        let principal = self.over.take()?;
        let rotated = fact.stream == principal && matches!(fact.event, Event::DeviceDeactivated(_));
        (!rotated).then_some(Law::DeviceLimitHolds)
    }

    fn codes(&mut self, fact: &Fact<'_>) -> Vec<Law> {
        let mut broken = vec![];
        match fact.event {
            Event::CodeAccepted(accepted) => {
                if !self.accepted.entry(accepted.device).or_default().insert(accepted.counter) {
                    broken.push(Law::CounterAcceptedOnce);
                }
                broken.extend(self.attempt(accepted.device, Budget::Codes, accepted.window));
            }
            Event::CodeRefused(refused) if refused.fault != CodeFault::NotPropagated => {
                broken.extend(self.attempt(refused.device, Budget::Codes, refused.window));
            }
            Event::DeviceEnabled(enabled) if enabled.kind.is_totp() => {
                let pairs = enabled.learned.pairs;
                broken.extend(enabled.learned.last_pair().and_then(|last| self.pair(enabled.device, last)));
                broken.extend(self.attempt(enabled.device, Budget::Pairs, pairs.window));
            }
            Event::DeviceResynced(resynced) => {
                broken.extend(self.pair(resynced.device, resynced.counter));
                broken.extend(self.attempt(resynced.device, Budget::Pairs, resynced.window));
            }
            Event::ResyncRefused(refused) => {
                broken.extend(self.attempt(refused.device, Budget::Pairs, refused.window));
            }
            Event::PairRefused(refused) => {
                broken.extend(self.attempt(fact.stream, Budget::Pairs, refused.window));
            }
            _ => {}
        }
        broken
    }

    fn pair(&mut self, device: StreamId, counter: u64) -> Option<Law> {
        let before = self.pairs.insert(device, counter);
        before.is_some_and(|before| counter.saturating_sub(1) <= before).then_some(Law::PairsIncrease)
    }

    fn attempt(&mut self, device: StreamId, budget: Budget, window: u64) -> Option<Law> {
        let (in_window, used) = self.attempts.entry((device, budget)).or_default();
        if window != *in_window {
            (*in_window, *used) = (window, 0);
        }
        *used += 1;
        (*used > budget.max(&self.policy)).then_some(Law::BudgetHolds)
    }
}

impl Subject {
    fn evolve(before: Option<Self>, event: &Event, at: UnixMillis) -> Self {
        let after = match (before, event) {
            (Some(Self::Host) | None, Event::HostRecord(_)) => Ok(Self::Host),
            (Some(Self::Door) | None, Event::PasswordRefused(_) | Event::PasswordsLocked(_)) => Ok(Self::Door),
            (None, Event::AccountOpened(_)) => Account::evolve(None, event, at).map(Self::Account),
            (Some(Self::Account(state)), _) => Account::evolve(Some(state), event, at).map(Self::Account),
            (None, Event::NameClaimed(_) | Event::CredentialClaimed(_)) => {
                Claim::evolve(None, event, at).map(Self::Claim)
            }
            (Some(Self::Claim(state)), _) => Claim::evolve(Some(state), event, at).map(Self::Claim),
            (None, Event::PrincipalRegistered(_)) => Principal::evolve(None, event, at).map(Self::Principal),
            (Some(Self::Principal(state)), _) => Principal::evolve(Some(state), event, at).map(Self::Principal),
            (None, _) => Device::evolve(None, event, at).map(Self::Device),
            (Some(Self::Device(state)), _) => Device::evolve(Some(state), event, at).map(Self::Device),
            (Some(Self::Host | Self::Door | Self::Broken), _) => return Self::Broken,
        };
        after.unwrap_or(Self::Broken)
    }
}
