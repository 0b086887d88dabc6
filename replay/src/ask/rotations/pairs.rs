//! Which device took the place of which: the nearest pair first, in time that hardly grows faster than the changes.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use super::ROTATION_MS_MAX;
use crate::event::{Device, What};
use crate::fold::{Life, Step};
use crate::time::Time;

/// A device that came.
pub(super) struct Came<'a> {
    pub(super) step: &'a Step,
    pub(super) device: &'a Device,
    /// The step's place in the life.
    place: usize,
}

/// A device that went.
pub(super) struct Gone<'a> {
    pub(super) step: &'a Step,
    pub(super) device: &'a Device,
    place: usize,
    /// When this very device, of one name and made once, came again.
    again: Option<(usize, Time)>,
    /// Devices that had come after it, and were on when it went, the nearest last.
    beside: Vec<usize>,
}

impl Gone<'_> {
    fn at(&self) -> Time {
        self.step.event.at
    }

    /// Whether the very device came again within the time.
    pub(super) fn came_back(&self) -> bool {
        self.again.is_some_and(|(_, again)| again.since(self.at()) <= ROTATION_MS_MAX)
    }

    /// Whether a device that came later may have taken its place.
    fn may_become(&self, new: &Came<'_>) -> bool {
        self.again.is_none_or(|(again, _)| new.place < again) && new.step.event.at.since(self.at()) <= ROTATION_MS_MAX
    }
}

/// The devices of a life that came and went.
#[derive(Default)]
pub(super) struct Changes<'a> {
    pub(super) came: Vec<Came<'a>>,
    pub(super) gone: Vec<Gone<'a>>,
    /// Those that are on, in the order of their coming.
    held: Vec<usize>,
    /// Of each device by name and generation.
    last: HashMap<(&'a Device, u32), Last>,
}

/// The last coming and the last going of a device.
#[derive(Default)]
struct Last {
    came: Option<usize>,
    gone: Option<usize>,
}

impl<'a> Changes<'a> {
    pub(super) fn of(life: &'a Life, until: Option<Time>) -> Self {
        let mut all = Self::default();
        let mut before: &[Arc<str>] = &[];
        let steps = life.steps().iter().take_while(|step| until.is_none_or(|until| step.event.at <= until));
        for (place, step) in steps.enumerate() {
            let now: &[Arc<str>] = &step.after.devices;
            match &step.event.what {
                What::DeviceUnassigned { device, .. } => all.goes(place, step, device),
                What::DeviceDestroyed { device, .. }
                | What::DeviceRegistered { device, .. }
                | What::DeviceAssigned { device, .. }
                    if before.contains(&device.serial) && !now.contains(&device.serial) =>
                {
                    all.goes(place, step, device);
                }
                What::DeviceAssigned { device, .. } => all.comes(place, step, device),
                _ => {}
            }
            let came = &all.came;
            all.held.retain(|held| now.contains(&came[*held].device.serial));
            before = now;
        }
        all
    }

    fn comes(&mut self, place: usize, step: &'a Step, device: &'a Device) {
        let last = self.last.entry((device, step.generation)).or_default();
        if let Some(gone) = last.gone.take() {
            self.gone[gone].again = Some((place, step.event.at));
        }
        last.came = Some(self.came.len());
        let came = &self.came;
        self.held.retain(|held| came[*held].device != device);
        self.held.push(self.came.len());
        self.came.push(Came { step, device, place });
    }

    fn goes(&mut self, place: usize, step: &'a Step, device: &'a Device) {
        let last = self.last.entry((device, step.generation)).or_default();
        let came = last.came;
        last.gone = Some(self.gone.len());
        let after = |held: &&usize| came.is_none_or(|came| **held > came) && self.came[**held].device != device;
        let near = |held: &&usize| step.event.at.since(self.came[**held].step.event.at) <= ROTATION_MS_MAX;
        let beside = self.held.iter().filter(after).filter(near).copied().collect();
        self.gone.push(Gone { step, device, place, again: None, beside });
    }

    /// For each device that went, the one that took its place, if any did.
    pub(super) fn successors(&self) -> Vec<Option<usize>> {
        let mut pairs = Pairs::new(self);
        for came in 0..self.came.len() {
            pairs.meet(pairs.line.of_came[came]);
        }
        for gone in 0..self.gone.len() {
            pairs.look_beside(gone);
        }
        while let Some(Reverse((_, gone, came))) = pairs.nearest.pop() {
            match (pairs.found[gone], pairs.taken[came]) {
                (None, false) => pairs.pair(gone, came),
                (None, true) => pairs.look_beside(gone),
                _ => {}
            }
        }
        pairs.found
    }
}

/// Comings and goings that have no partner, in their order.
struct Line {
    items: Vec<Item>,
    of_came: Vec<usize>,
    of_gone: Vec<usize>,
    before: Vec<Option<usize>>,
    after: Vec<Option<usize>>,
}

#[derive(Clone, Copy)]
enum Item {
    Came(usize),
    Gone(usize),
}

impl Line {
    fn new(changes: &Changes<'_>) -> Self {
        let came = changes.came.iter().enumerate().map(|(came, of)| (of.place, Item::Came(came)));
        let gone = changes.gone.iter().enumerate().map(|(gone, of)| (of.place, Item::Gone(gone)));
        let mut items: Vec<(usize, Item)> = came.chain(gone).collect();
        items.sort_by_key(|(place, _)| *place);
        let items: Vec<Item> = items.into_iter().map(|(_, item)| item).collect();
        let (mut of_came, mut of_gone) = (vec![0; changes.came.len()], vec![0; changes.gone.len()]);
        for (place, item) in items.iter().enumerate() {
            match item {
                Item::Came(came) => of_came[*came] = place,
                Item::Gone(gone) => of_gone[*gone] = place,
            }
        }
        let before = (0..items.len()).map(|place| place.checked_sub(1)).collect();
        let after = (1..=items.len()).map(|place| (place < items.len()).then_some(place)).collect();
        Self { items, of_came, of_gone, before, after }
    }

    /// Takes an item out, and gives the one after it.
    fn remove(&mut self, place: usize) -> Option<usize> {
        let (before, after) = (self.before[place].take(), self.after[place].take());
        if let Some(before) = before {
            self.after[before] = after;
        }
        if let Some(after) = after {
            self.before[after] = before;
        }
        after
    }
}

struct Pairs<'c, 'l> {
    changes: &'c Changes<'l>,
    line: Line,
    /// How many of those beside were looked at.
    looked: Vec<usize>,
    found: Vec<Option<usize>>,
    taken: Vec<bool>,
    nearest: BinaryHeap<Reverse<(i64, usize, usize)>>,
}

impl<'c, 'l> Pairs<'c, 'l> {
    fn new(changes: &'c Changes<'l>) -> Self {
        Self {
            changes,
            line: Line::new(changes),
            looked: vec![0; changes.gone.len()],
            found: vec![None; changes.gone.len()],
            taken: vec![false; changes.came.len()],
            nearest: BinaryHeap::new(),
        }
    }

    fn may(&mut self, gone: usize, came: usize) {
        let away = self.changes.came[came].step.event.at.since(self.changes.gone[gone].at()).abs();
        self.nearest.push(Reverse((away, gone, came)));
    }

    /// Looks what went just before something came. Between neighbours is nothing that could be nearer to either, so what
    /// cannot have become this has no later successor at all.
    fn meet(&mut self, place: usize) {
        let Item::Came(came) = self.line.items[place] else { return };
        while let Some(before) = self.line.before[place] {
            let Item::Gone(gone) = self.line.items[before] else { return };
            if self.changes.gone[gone].may_become(&self.changes.came[came]) {
                return self.may(gone, came);
            }
            self.line.remove(before);
        }
    }

    /// Looks for the next of those that were on when something went.
    fn look_beside(&mut self, gone: usize) {
        let beside = self.changes.gone[gone].beside.iter().rev().skip(self.looked[gone]);
        let free = beside.enumerate().find(|(_, came)| !self.taken[**came]);
        if let Some((skipped, came)) = free.map(|(skipped, came)| (skipped, *came)) {
            self.looked[gone] += skipped + 1;
            self.may(gone, came);
        }
    }

    fn pair(&mut self, gone: usize, came: usize) {
        (self.found[gone], self.taken[came]) = (Some(came), true);
        for place in [self.line.of_gone[gone], self.line.of_came[came]] {
            if let Some(after) = self.line.remove(place) {
                self.meet(after);
            }
        }
    }
}
