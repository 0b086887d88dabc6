//! The rules that hold for an account: its own, or the deployment's.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use countersign_domain::ids::AccountId;
use countersign_domain::policy::Policy;
use countersign_domain::settings::Preset;

/// Which accounts chose rules of their own. Few do, so it is kept apart from the views, whose lock every
/// commit takes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Presets(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Whether any account ever chose; until then nobody takes the lock.
    any: AtomicBool,
    chosen: RwLock<HashMap<AccountId, Preset>>,
}

impl Presets {
    pub(crate) fn set(&self, account: AccountId, preset: Option<Preset>) {
        let mut chosen = self.0.chosen.write().unwrap_or_else(PoisonError::into_inner);
        match preset {
            Some(preset) => chosen.insert(account, preset),
            None => chosen.remove(&account),
        };
        if preset.is_some() {
            self.0.any.store(true, Ordering::Release);
        }
    }

    fn of(&self, account: AccountId) -> Option<Preset> {
        if !self.0.any.load(Ordering::Acquire) {
            return None;
        }
        self.0.chosen.read().unwrap_or_else(PoisonError::into_inner).get(&account).copied()
    }
}

/// Every set of rules that may hold.
pub(crate) struct Policies {
    deployment: Policy,
    presets: [Policy; Preset::ALL.len()],
    chosen: Presets,
}

impl Policies {
    pub(crate) fn new(deployment: Policy, chosen: Presets) -> Self {
        let presets = [Preset::Classic, Preset::Modern, Preset::Strict].map(|preset| preset.policy(&deployment));
        Self { deployment, presets, chosen }
    }

    /// The rules of an account; without one, the deployment's.
    pub(crate) fn of(&self, account: Option<AccountId>) -> &Policy {
        match account.and_then(|account| self.chosen.of(account)) {
            None => &self.deployment,
            Some(Preset::Classic) => &self.presets[0],
            Some(Preset::Modern) => &self.presets[1],
            Some(Preset::Strict) => &self.presets[2],
        }
    }
}
