//! Who has which device.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::rules::Rules;
use super::{Fact, Law};
use crate::device::DeviceKind;
use crate::event::Event;
use crate::ids::{PrincipalId, StreamId};

/// Who has which device: by the devices' streams, and by the principals'.
#[derive(Debug, Default)]
pub(super) struct Holdings {
    /// The owner of each device, as the device's stream has it.
    owners: BTreeMap<StreamId, StreamId>,
    /// The owner of each device, as the owner's stream has it.
    enabled: BTreeMap<StreamId, StreamId>,
    /// How many devices each principal has.
    owned: BTreeMap<StreamId, u32>,
    roots: BTreeSet<StreamId>,
    /// Principals with one device too many, which only the end of a replacement may mend.
    over: BTreeSet<StreamId>,
}

impl Holdings {
    pub(super) fn devices_of(&self, principal: StreamId) -> u32 {
        self.owned.get(&principal).copied().unwrap_or_default()
    }

    pub(super) fn is_root(&self, principal: StreamId) -> bool {
        self.roots.contains(&principal)
    }

    pub(super) fn observe(&mut self, fact: &Fact<'_>, rules: &Rules, broken: &mut Vec<Law>) {
        broken.extend(self.excess(fact));
        broken.extend(self.change(fact, rules));
    }

    fn change(&mut self, fact: &Fact<'_>, rules: &Rules) -> Option<Law> {
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
                let taken = self.enabled.insert(enabled.device, fact.stream).is_some();
                let owned = self.owned.entry(fact.stream).or_default();
                *owned += 1;
                if *owned > rules.most(fact.stream, fact.at, |policy| policy.devices_per_principal_max.into()) {
                    self.over.insert(fact.stream);
                }
                if taken {
                    Some(Law::OneOwner)
                } else {
                    (enabled.kind == DeviceKind::Sms && self.is_root(fact.stream)).then_some(Law::RootHasNoSms)
                }
            }
            Event::DeviceDeactivated(gone) => {
                let owned = self.owned.entry(fact.stream).or_default();
                *owned = owned.saturating_sub(1);
                self.enabled.remove(&gone.device).is_none().then_some(Law::AssignedIsEnabled)
            }
            _ => None,
        }
    }

    /// A replacement enables the new device and deactivates the old one by the owner's next event, or by the one
    /// after what is known of a new key (R79). An excess that stays any longer breaks the limit.
    fn excess(&mut self, fact: &Fact<'_>) -> Option<Law> {
        if matches!(fact.event, Event::KeyRegistered(_)) || !self.over.remove(&fact.stream) {
            return None;
        }
        (!matches!(fact.event, Event::DeviceDeactivated(_))).then_some(Law::DeviceLimitHolds)
    }

    /// What is broken at the end of a log.
    pub(super) fn finish(&self) -> impl Iterator<Item = (Law, StreamId)> {
        let lone = self.owners.iter().filter(|(device, owner)| self.enabled.get(*device) != Some(*owner));
        let unheld = self.enabled.keys().filter(|device| !self.owners.contains_key(device));
        let unassigned = lone.map(|(device, _)| device).chain(unheld).map(|device| (Law::AssignedIsEnabled, *device));
        unassigned.chain(self.over.iter().map(|principal| (Law::DeviceLimitHolds, *principal)))
    }
}
