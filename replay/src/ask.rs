//! What was true at an instant.

use std::collections::HashSet;
use std::ops::ControlFlow;

use countersign_domain::device::Device;
use countersign_domain::ids::{Position, PrincipalId, UnixMillis};
use countersign_domain::principal::Principal;
use countersign_store::Journal;
use serde::Serialize;

use crate::fold::{Cited, States, each_fact};
use crate::source::ReplayError;

/// The state of every principal at an instant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StateAnswer {
    /// Version of this form.
    pub schema: u32,
    /// The instant, in milliseconds since the epoch; `None` is the end of the log.
    pub as_of_ms: Option<u64>,
    /// The principals, by account and name.
    pub principals: Vec<PrincipalState>,
}

/// One principal's MFA status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PrincipalState {
    /// `ACCOUNT/root` or `ACCOUNT/USER_ID`.
    pub id: String,
    /// Its account.
    pub account: String,
    /// Its name then.
    pub name: String,
    /// `enabled`, `disabled` or `deleted`.
    pub status: &'static str,
    /// Serial numbers of its enabled devices.
    pub devices: Vec<String>,
    /// Positions of the entries that decide the answer.
    pub citations: Vec<u64>,
}

/// Folds the log up to an instant, that instant included, and says who had which device.
///
/// # Errors
/// When the log cannot be read or was not written by this engine.
pub fn state(journal: &dyn Journal, at: Option<UnixMillis>) -> Result<StateAnswer, ReplayError> {
    let mut states = States::default();
    let mut corrupt = None;
    let mut ended = HashSet::new();
    each_fact(journal, Position(0), &mut |fact, _entry| {
        // A stream ends at its first later event: its order is its versions', whatever a clock that was
        // set back says. Events of one command share their instant, so streams are cut alike.
        if at.is_some_and(|at| fact.at > at) || ended.contains(&fact.stream) {
            ended.insert(fact.stream);
            return ControlFlow::Continue(());
        }
        match states.take(fact) {
            Ok(()) => ControlFlow::Continue(()),
            Err(cause) => {
                corrupt = Some(ReplayError::Event(format!("at position {}: {cause}", fact.position)));
                ControlFlow::Break(())
            }
        }
    })?;
    if let Some(cause) = corrupt {
        return Err(cause);
    }
    let mut principals: Vec<PrincipalState> =
        states.principals.values().map(|cited| principal_state(&states, cited)).collect();
    principals.sort_by(|a, b| (&a.account, &a.name, &a.id).cmp(&(&b.account, &b.name, &b.id)));
    Ok(StateAnswer { schema: 1, as_of_ms: at.map(|at| at.0), principals })
}

fn principal_state(states: &States, cited: &Cited<Principal>) -> PrincipalState {
    let (id, devices, gone) = match &cited.state {
        Principal::Registered(user) => (&user.id, user.devices.as_slice(), false),
        Principal::Removed(user) => (&user.id, [].as_slice(), true),
    };
    let serial_of = |device| {
        let entity = states.devices.get(device).and_then(|cited| Device::entity(&cited.state));
        entity.map_or_else(|| device.to_string(), |entity| entity.serial.to_string())
    };
    let status = match (gone, devices.is_empty()) {
        (true, _) => "deleted",
        (false, true) => "disabled",
        (false, false) => "enabled",
    };
    PrincipalState {
        id: id.to_string(),
        account: PrincipalId::account(id).to_string(),
        name: cited.name.clone(),
        status,
        devices: devices.iter().map(|enabled| serial_of(&enabled.device)).collect(),
        citations: cited.citations.iter().map(|position| position.0).collect(),
    }
}
