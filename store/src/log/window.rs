//! The command ids of the last appends.

use std::collections::VecDeque;

use countersign_domain::ids::CommandId;

use super::index::IdMap;
use crate::append::Committed;
use crate::limits::DEDUPE_APPENDS_MAX;

/// Remembers what the last commands did.
#[derive(Debug, Default)]
pub(super) struct Window {
    done: IdMap<CommandId, Committed>,
    order: VecDeque<CommandId>,
}

impl Window {
    pub(super) fn get(&self, command: CommandId) -> Option<Committed> {
        self.done.get(&command).copied()
    }

    /// Adds the latest command.
    pub(super) fn push(&mut self, command: CommandId, committed: Committed) {
        if self.order.len() == DEDUPE_APPENDS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.done.remove(&oldest);
        }
        self.order.push_back(command);
        self.done.insert(command, committed);
    }

    /// Adds a command older than all others; `false` when the window is full.
    pub(super) fn push_older(&mut self, command: CommandId, committed: Committed) -> bool {
        if self.order.len() == DEDUPE_APPENDS_MAX {
            return false;
        }
        self.order.push_front(command);
        self.done.entry(command).or_insert(committed);
        true
    }
}
