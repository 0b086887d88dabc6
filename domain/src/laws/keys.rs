//! Security keys: their counters, and whose a credential is.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::{Fact, Law};
use crate::event::{Event, KeyFault, KeyRefused};
use crate::ids::StreamId;

/// What is known of every security key.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// The keys that principals have.
    registered: BTreeMap<StreamId, Registered>,
    /// The device that holds each credential, as the credential's stream has it.
    holders: BTreeMap<StreamId, StreamId>,
    /// The credential that each device holds.
    claims: BTreeMap<StreamId, StreamId>,
}

#[derive(Debug)]
struct Registered {
    credential: StreamId,
    counter: u32,
    went_back: bool,
}

impl Keys {
    pub(super) fn observe(&mut self, fact: &Fact<'_>, broken: &mut Vec<Law>) {
        match fact.event {
            Event::KeyRegistered(key) => {
                let (credential, counter) = (key.credential, key.counter);
                self.registered.insert(key.device, Registered { credential, counter, went_back: false });
                if self.holders.get(&credential).is_some_and(|holder| *holder != key.device) {
                    broken.push(Law::CredentialClaimedOnce);
                }
            }
            Event::DeviceDeactivated(gone) => {
                self.registered.remove(&gone.device);
            }
            Event::KeyAccepted(accepted) => {
                let Some(key) = self.registered.get_mut(&accepted.device) else { return };
                let silent = key.counter == 0 && accepted.counter == 0;
                if key.went_back || !(silent || accepted.counter > key.counter) {
                    broken.push(Law::CounterIncreases);
                }
                key.counter = accepted.counter;
            }
            Event::KeyRefused(KeyRefused { device: Some(device), fault: KeyFault::CounterRegressed, .. }) => {
                if let Some(key) = self.registered.get_mut(device) {
                    key.went_back = true;
                }
            }
            Event::CredentialClaimed(claimed) => {
                let held = self.holders.insert(fact.stream, claimed.holder).is_some();
                let another = self.claims.insert(claimed.holder, fact.stream).is_some();
                if held || another {
                    broken.push(Law::CredentialClaimedOnce);
                }
            }
            Event::CredentialReleased(released) => {
                self.claims.remove(&released.holder);
                if self.holders.remove(&fact.stream) != Some(released.holder) {
                    broken.push(Law::CredentialClaimedOnce);
                }
            }
            _ => {}
        }
    }

    /// What is broken at the end of a log: a key whose credential another device holds or none, and the other way
    /// round.
    pub(super) fn finish(&self) -> impl Iterator<Item = (Law, StreamId)> {
        let unclaimed =
            self.registered.iter().filter(|(device, key)| self.claims.get(*device) != Some(&key.credential));
        let keyless = self.claims.keys().filter(|device| !self.registered.contains_key(device));
        unclaimed.map(|(device, _)| device).chain(keyless).map(|device| (Law::CredentialClaimedOnce, *device))
    }
}
