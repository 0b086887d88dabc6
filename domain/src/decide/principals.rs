//! Principals coming, being renamed, and going (R9, R10, R76, R77).

use alloc::vec;

use super::{Context, Decision, Outcome, Record, Verdict, existing, released};
use crate::account::{Account, Claim};
use crate::device::{DeviceKind, DeviceName, Path};
use crate::event::{
    DeactivateReason, DeviceDeactivated, DeviceDeleted, DeviceRemoved, Event, NameClaimed, NameReleased,
    PrincipalRegistered, PrincipalRemoved, PrincipalRenamed, UserAdded, UserRemoved,
};
use crate::ids::PrincipalId;
use crate::principal::Principal;
use crate::rejection::Rejection;

/// Registers a user under a name that nobody in the account has (R9).
///
/// # Errors
/// [`Rejection::AccountUnknown`], [`Rejection::PrincipalExists`], [`Rejection::NameTaken`],
/// [`Rejection::AccountUserLimit`].
pub fn register_user(
    account: Option<&Account>,
    principal: Option<&Principal>,
    claim: Option<Claim>,
    profile: (PrincipalId, DeviceName, Path),
    context: &Context<'_>,
) -> Decision {
    let account = account.ok_or(Rejection::AccountUnknown)?;
    let (id, name, path) = profile;
    if principal.is_some() {
        return Err(Rejection::PrincipalExists);
    }
    if claim.and_then(Claim::holder).is_some() {
        return Err(Rejection::NameTaken);
    }
    let max = context.policy.users_per_account_max;
    if account.users >= max {
        return Err(Rejection::AccountUserLimit { max });
    }
    let stream = id.stream();
    let writes = vec![
        (Claim::stream(account.id, &name), NameClaimed { holder: stream }.into()),
        (Account::stream(account.id), UserAdded { user: stream }.into()),
        (stream, PrincipalRegistered { id, name, path }.into()),
    ];
    Ok(Outcome::Record(Record { writes, verdict: Verdict::Done }))
}

/// Gives a user another name or path; it keeps its devices (R10).
///
/// `claim` is the state of the new name's stream.
///
/// # Errors
/// [`Rejection::PrincipalUnknown`], also for root, whose name is not a user name;
/// [`Rejection::NameTaken`].
pub fn rename_user(
    principal: Option<&Principal>,
    claim: Option<Claim>,
    name: DeviceName,
    path: Path,
    _context: &Context<'_>,
) -> Decision {
    let user = existing(principal)?;
    if user.id.is_root() {
        return Err(Rejection::PrincipalUnknown);
    }
    if user.name == name && user.path == path {
        return Ok(Outcome::AlreadySo(Verdict::Done));
    }
    let (account, holder) = (user.id.account(), user.stream);
    let mut writes = vec![];
    if user.name.folded() != name.folded() {
        if claim.and_then(Claim::holder).is_some() {
            return Err(Rejection::NameTaken);
        }
        writes.push((Claim::stream(account, &user.name), NameReleased { holder }.into()));
        writes.push((Claim::stream(account, &name), NameClaimed { holder }.into()));
    }
    writes.push((holder, PrincipalRenamed { name, path }.into()));
    Ok(Outcome::Record(Record { writes, verdict: Verdict::Done }))
}

/// What a removal does about devices that are still enabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Refuses, as the API does (R76).
    RefuseWithDevices,
    /// Takes them along, as the console does: deactivated, and virtual ones deleted (R77, A38).
    TakeDevices,
}

/// Removes a user for good and frees its name.
///
/// # Errors
/// [`Rejection::PrincipalUnknown`], also for root; [`Rejection::PrincipalHasDevices`].
pub fn remove_user(principal: Option<&Principal>, removal: Removal, context: &Context<'_>) -> Decision {
    let user = existing(principal)?;
    if user.id.is_root() {
        return Err(Rejection::PrincipalUnknown);
    }
    if removal == Removal::RefuseWithDevices && !user.devices.is_empty() {
        return Err(Rejection::PrincipalHasDevices);
    }
    let (by, owner) = (context.caller.by(), user.stream);
    let account = Account::stream(user.id.account());
    let mut writes = vec![];
    for enabled in &user.devices {
        let device = enabled.device;
        let reason = DeactivateReason::OwnerRemoved;
        writes.push((owner, Event::from(DeviceDeactivated { device, by, reason })));
        writes.extend(released(owner, enabled, by));
        if enabled.kind == DeviceKind::VirtualTotp {
            writes.push((device, DeviceDeleted { by, life: enabled.life }.into()));
            writes.push((account, DeviceRemoved { device }.into()));
        }
    }
    writes.push((owner, PrincipalRemoved { by }.into()));
    writes.push((Claim::stream(user.id.account(), &user.name), NameReleased { holder: owner }.into()));
    writes.push((account, UserRemoved { user: owner }.into()));
    Ok(Outcome::Record(Record { writes, verdict: Verdict::Done }))
}
