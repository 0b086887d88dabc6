//! Opening an account, and its device entities: creation, deletion, import (R57..R61, R73..R75).

use super::{Candidate, Context, Decision, Verdict, record};
use crate::account::Account;
use crate::caller::Channel;
use crate::device::{Device, DeviceKind, DeviceName, Entity, Path, seed_stream};
use crate::event::{
    AccountOpened, DeviceAdded, DeviceDeleted, DeviceRemoved, HardwareTokenImported, PrincipalRegistered, SeedStored,
    VirtualDeviceCreated,
};
use crate::ids::{AccountId, PrincipalId};
use crate::rejection::Rejection;
use crate::secret::Seed;

/// Opens an account together with its root user.
///
/// # Errors
/// [`Rejection::AccountExists`].
pub fn open_account(
    account: Option<&Account>,
    id: AccountId,
    root_name: DeviceName,
    context: &Context<'_>,
) -> Decision {
    if account.is_some() {
        return Err(Rejection::AccountExists);
    }
    let root = PrincipalId::Root(id);
    let opened = AccountOpened { account: id, by: context.caller.by() };
    let registered = PrincipalRegistered { id: root.clone(), name: root_name, path: Path::root() };
    record(Verdict::Done, [(Account::stream(id), opened.into()), (root.stream(), registered.into())])
}

/// Creates an unassigned virtual device (R57, R58). Any channel: it assigns nothing (R41).
///
/// # Errors
/// [`Rejection::AccountUnknown`], [`Rejection::DeviceExists`], [`Rejection::AccountDeviceLimit`].
pub fn create_virtual_device(
    account: Option<&Account>,
    candidate: Candidate<'_>,
    seed: Seed,
    context: &Context<'_>,
) -> Decision {
    let account = account.ok_or(Rejection::AccountUnknown)?;
    if candidate.device.and_then(Device::entity).is_some() {
        return Err(Rejection::DeviceExists);
    }
    let max = context.policy.virtual_devices_per_account_max;
    if account.virtual_devices >= max {
        return Err(Rejection::AccountDeviceLimit { max });
    }
    let (device, by) = (candidate.stream(), context.caller.by());
    let apart = seed_stream(device, Device::next_life(candidate.device));
    let created = VirtualDeviceCreated { account: account.id, serial: candidate.serial.clone(), seed: apart, by };
    let writes = [
        (device, created.into()),
        (apart, SeedStored { device, seed }.into()),
        (Account::stream(account.id), DeviceAdded { device }.into()),
    ];
    record(Verdict::Done, writes)
}

/// Deletes an unassigned virtual device and frees its serial (R73). Its seed goes, its attempt
/// budget stays until the window ends (R94, A36).
///
/// # Errors
/// [`Rejection::AccountUnknown`]; [`Rejection::DeviceUnknown`], also for a token, which has no entity
/// to delete (R75); [`Rejection::DeviceAssigned`].
pub fn delete_virtual_device(account: Option<&Account>, candidate: Candidate<'_>, context: &Context<'_>) -> Decision {
    let account = account.ok_or(Rejection::AccountUnknown)?;
    let entity = candidate.device.and_then(Device::entity).filter(|entity| {
        entity.kind == DeviceKind::VirtualTotp
            && entity.serial == *candidate.serial
            && entity.serial.account() == Some(account.id)
    });
    let Some(entity) = entity else { return Err(candidate.unknown()) };
    if matches!(candidate.device, Some(Device::Assigned(_))) {
        return Err(Rejection::DeviceAssigned);
    }
    let device = candidate.stream();
    let deleted = DeviceDeleted { by: context.caller.by(), life: entity.life };
    record(Verdict::Done, [(device, deleted.into()), (Account::stream(account.id), DeviceRemoved { device }.into())])
}

/// Puts a hardware token into the inventory (R27, A10).
///
/// # Errors
/// [`Rejection::DeviceExists`] when a token of this serial number is in it;
/// [`Rejection::DeviceUnknown`] when the serial number is an ARN, which names no token.
pub fn import_hardware_token(
    candidate: Candidate<'_>,
    seed: Seed,
    manufacturer: alloc::string::String,
    context: &Context<'_>,
) -> Decision {
    let is_arn = candidate.serial.as_str().starts_with("arn:");
    if is_arn || candidate.serial.kind() != DeviceKind::HardwareTotp {
        return Err(candidate.unknown());
    }
    if candidate.device.and_then(Device::entity).is_some() {
        return Err(Rejection::DeviceExists);
    }
    let (device, by) = (candidate.stream(), context.caller.by());
    let apart = seed_stream(device, Device::next_life(candidate.device));
    let imported = HardwareTokenImported { serial: candidate.serial.clone(), seed: apart, manufacturer, by };
    record(Verdict::Done, [(device, imported.into()), (apart, SeedStored { device, seed }.into())])
}

/// Takes a hardware token that nobody has enabled out of the inventory. Its seed goes, as that of a virtual device does (A36).
///
/// The seed is the inventory's and not its holder's: it outlives the forgetting of whoever had the token, who hands it back,
/// and goes when the token does. Only the operator of the deployment has an inventory.
///
/// # Errors
/// [`Rejection::ChannelNotAllowed`] to anybody else; [`Rejection::DeviceUnknown`] when no such token is in it;
/// [`Rejection::DeviceAssigned`].
pub fn remove_hardware_token(candidate: Candidate<'_>, context: &Context<'_>) -> Decision {
    if context.caller.channel != Channel::Operator || context.caller.principal.is_some() {
        return Err(Rejection::ChannelNotAllowed);
    }
    let is_it = |entity: &&Entity| entity.kind == DeviceKind::HardwareTotp && entity.serial == *candidate.serial;
    let Some(entity) = candidate.device.and_then(Device::entity).filter(is_it) else {
        return Err(candidate.unknown());
    };
    if matches!(candidate.device, Some(Device::Assigned(_))) {
        return Err(Rejection::DeviceAssigned);
    }
    let deleted = DeviceDeleted { by: context.caller.by(), life: entity.life };
    record(Verdict::Done, [(candidate.stream(), deleted.into())])
}
