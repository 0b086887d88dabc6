//! Which rules hold for whom at an instant: the deployment's, or those that an account chose.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Fact;
use crate::account::Account;
use crate::event::Event;
use crate::ids::{StreamId, UnixMillis};
use crate::policy::Policy;
use crate::settings::Preset;

/// For how long after a change the rules before it may still be kept, in milliseconds: what was decided under them
/// may be written after it.
const CHANGE_MS: u64 = 60_000;

/// The rules of every account.
#[derive(Debug)]
pub(super) struct Rules {
    deployment: Policy,
    /// Accounts that ever chose, by their streams.
    chosen: BTreeMap<StreamId, Chosen>,
    /// The account's stream of each principal.
    accounts: BTreeMap<StreamId, StreamId>,
}

#[derive(Debug, Default)]
struct Chosen {
    now: Option<Preset>,
    /// What was chosen before, and until when it held.
    before: Vec<(Option<Preset>, UnixMillis)>,
}

impl Rules {
    pub(super) const fn new(deployment: Policy) -> Self {
        Self { deployment, chosen: BTreeMap::new(), accounts: BTreeMap::new() }
    }

    pub(super) fn observe(&mut self, fact: &Fact<'_>) {
        match fact.event {
            Event::PrincipalRegistered(registered) => {
                self.accounts.insert(fact.stream, Account::stream(registered.id.account()));
            }
            Event::PolicyChosen(chosen) => {
                let account = self.chosen.entry(fact.stream).or_default();
                account.before.retain(|(_, until)| until.plus_ms(CHANGE_MS) > fact.at);
                account.before.push((account.now, fact.at));
                account.now = chosen.preset;
            }
            _ => {}
        }
    }

    /// What the rules say that a principal's command may have been decided under.
    fn of(&self, principal: StreamId, at: UnixMillis, of: impl Fn(&Policy) -> u32 + Copy) -> impl Iterator<Item = u32> {
        // Most logs have no account that ever chose.
        let account = if self.chosen.is_empty() { None } else { self.accounts.get(&principal) };
        let chosen = account.and_then(|account| self.chosen.get(account));
        let before = chosen.map_or(&[][..], |chosen| &chosen.before);
        let recent = before.iter().filter(move |(_, until)| until.plus_ms(CHANGE_MS) >= at).map(|(preset, _)| *preset);
        let rules = move |preset: Option<Preset>| match preset {
            Some(preset) => of(&preset.policy(&self.deployment)),
            None => of(&self.deployment),
        };
        recent.chain([chosen.and_then(|chosen| chosen.now)]).map(rules)
    }

    /// The most that they allow.
    pub(super) fn most(&self, principal: StreamId, at: UnixMillis, of: impl Fn(&Policy) -> u32 + Copy) -> u32 {
        self.of(principal, at, of).max().unwrap_or_default()
    }

    /// The least that they allow.
    pub(super) fn least(&self, principal: StreamId, at: UnixMillis, of: impl Fn(&Policy) -> u32 + Copy) -> u32 {
        self.of(principal, at, of).min().unwrap_or_default()
    }
}
