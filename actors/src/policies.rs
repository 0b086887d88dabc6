//! The rules that hold for an account: its own, or the deployment's.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use countersign_domain::ids::AccountId;
use countersign_domain::policy::Policy;
use countersign_domain::settings::Preset;

/// Which accounts chose rules of their own. Few do, so it is kept apart from the views, whose lock every
/// commit takes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Presets(Arc<RwLock<HashMap<AccountId, Preset>>>);

impl Presets {
    pub(crate) fn set(&self, account: AccountId, preset: Option<Preset>) {
        let mut chosen = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match preset {
            Some(preset) => chosen.insert(account, preset),
            None => chosen.remove(&account),
        };
    }

    fn of(&self, account: AccountId) -> Option<Preset> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&account).copied()
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
