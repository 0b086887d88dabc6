//! A device is in one hand: who had it before lost it, though no record says when.
//!
//! Within a second the order is that of rule R5, by which a device comes to its next owner before it leaves the last
//! one. So nothing is said of it before the second is over.

use std::sync::Arc;

use super::{Event, FindingKind, Fold, Status};
use crate::event::{Device, Who};
use crate::time::Time;

/// A device that somebody seems to have lost.
#[derive(Debug)]
pub(super) struct Loss {
    device: Device,
    generation: u32,
    life: usize,
    kind: FindingKind,
    event: Event,
}

impl Fold {
    pub(super) fn generation(&self, device: &Device) -> u32 {
        self.generations.get(device).copied().unwrap_or(0)
    }

    /// Who has a device, as far as is known.
    fn holder(&self, device: &Device) -> Option<usize> {
        let owner = self.owners.get(device).copied();
        owner.filter(|owner| self.names.lives[*owner].factors.holds(&device.serial))
    }

    /// Whether a device is one that another principal has, who is linked.
    pub(super) fn is_anothers(&self, device: Option<&Device>, life: usize) -> bool {
        device.and_then(|device| self.holder(device)).is_some_and(|owner| owner != life)
    }

    /// A device is somebody's, so it is nobody else's.
    pub(super) fn owned(&mut self, device: &Device, life: usize, event: &Event) {
        if self.is_anothers(Some(device), life) {
            self.lost(device, FindingKind::DeviceTakenWhileActive, event);
        }
        self.owners.insert(device.clone(), life);
    }

    /// A device is made, so there was none of its name.
    fn made_anew(&mut self, device: &Device, event: &Event) {
        self.lost(device, FindingKind::DeviceDeletedWhileActive, event);
    }

    fn lost(&mut self, device: &Device, kind: FindingKind, event: &Event) {
        if let Some(life) = self.holder(device).filter(|_| !event.is_of_whole_log()) {
            let (generation, event) = (self.generation(device), Arc::clone(event));
            self.losses.push(Loss { device: device.clone(), generation, life, kind, event });
        }
    }

    /// Tells of what was lost before an instant, and was not given up at the instant of the loss.
    pub(super) fn settle(&mut self, now: Option<Time>) {
        if self.losses.last().is_none_or(|loss| now.is_some_and(|now| loss.event.at >= now)) {
            return;
        }
        for loss in std::mem::take(&mut self.losses) {
            let Loss { device, generation, life, kind, event } = loss;
            let of = self.life(life);
            if of.deleted.is_some() || !of.factors.held_before(&device.serial, event.at) {
                continue;
            }
            let before = of.now();
            of.factors.lose(&device.serial, &event);
            of.step(&event, generation, true);
            self.found(kind, life, vec![device.serial], &before.deciding, &event);
        }
    }

    pub(super) fn registered(&mut self, device: &Device, by: Option<&Who>, event: &Event) {
        self.made_anew(device, event);
        *self.generations.entry(device.clone()).or_default() += 1;
        if let Some(life) = by.and_then(|by| self.meant(by, event)) {
            self.step(life, Some(device), event);
        }
    }

    pub(super) fn destroyed(&mut self, device: &Device, by: Option<&Who>, event: &Event) {
        let owner = self.owners.get(device).copied();
        let Some(life) = owner.or_else(|| by.and_then(|by| self.meant(by, event))) else { return };
        let before = self.life(life).now();
        if before.status == Status::Enabled && self.life(life).factors.holds(&device.serial) {
            self.life(life).factors.remove(&device.serial, event);
            self.about_device(Some(FindingKind::DeviceDeletedWhileActive), life, Some(device), before, event);
        }
        self.step(life, Some(device), event);
    }
}
