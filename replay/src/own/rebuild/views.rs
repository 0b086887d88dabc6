//! The checkpoint of what queries are answered from, compared with the states that the log comes to at its position.
//!
//! The engine packs its rows one after another: accounts, principals, devices, and then what became of sent messages, which is
//! no state of anybody and is not compared.

use std::collections::BTreeMap;

use countersign_domain::account::Account;
use countersign_domain::device::{DeviceKind, DeviceName, Entity, Path, Serial};
use countersign_domain::event::KeyForm;
use countersign_domain::ids::{AccountId, PrincipalId, StreamId, UnixMillis};
use countersign_domain::principal::{Enabled, Principal, Registered};
use countersign_domain::settings::Settings;
use countersign_store::Checkpoint;
use serde::Deserialize;

use super::{Checkpointed, LISTED_MAX};
use crate::own::scene::Scene;

/// The form of the rows that is read here; the fingerprint's other bytes are the length of a budget's window.
const ROWS: u64 = 4;

#[derive(Deserialize)]
enum Row {
    Account(AccountId, AccountRow),
    Principal(StreamId, PrincipalRow),
    Device(StreamId, DeviceRow),
}

/// The number that marks a row about messages; those after it are of who was forgotten.
const SMS: u8 = 3;

#[derive(Debug, PartialEq, Eq, Deserialize)]
struct PrincipalRow {
    id: PrincipalId,
    name: DeviceName,
    path: Path,
    created_at: UnixMillis,
    devices: Vec<StreamId>,
    sms_participant: bool,
}

#[derive(Deserialize)]
struct DeviceRow {
    serial: Serial,
    kind: DeviceKind,
    created_at: UnixMillis,
    used: Option<Use>,
    key: Option<KeyForm>,
    #[expect(dead_code, reason = "the form has it; it is the shortened number of a telephone")]
    phone: Option<String>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "the form has them; what codes came to is not compared")]
struct Use {
    owner: StreamId,
    enabled_at: UnixMillis,
    last_used_at: Option<UnixMillis>,
    offset: i64,
    misses: u8,
    outside: Option<i64>,
    locked_window: Option<u64>,
    suspected_clone: bool,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
struct AccountRow {
    opened_at: UnixMillis,
    users: u32,
    virtual_devices: u32,
    devices_in_use: u32,
    root_has_mfa: bool,
    settings: Settings,
}

/// Compares a checkpoint with the states at its position.
pub(super) fn compare(found: &mut Checkpointed, checkpoint: &Checkpoint, scene: &Scene) {
    if checkpoint.fingerprint & 0xff != ROWS {
        found.of_another_form = true;
        return;
    }
    let mut known = Expected::of(scene);
    for block in &checkpoint.blocks {
        let mut rest = block.as_slice();
        while let Some(first) = rest.first() {
            if *first >= SMS {
                found.not_compared += 1;
                break;
            }
            let Ok((row, after)) = postcard::take_from_bytes::<Row>(rest) else {
                note(found, "a row is none".to_owned());
                break;
            };
            rest = after;
            match known.compare(row) {
                None => found.same += 1,
                Some(what) => note(found, what),
            }
        }
    }
    known.left().for_each(|what| note(found, what));
}

pub(super) fn note(found: &mut Checkpointed, what: String) {
    if found.differ.len() < LISTED_MAX {
        found.differ.push(what);
    }
}

/// The rows that the log comes to.
struct Expected<'a> {
    scene: &'a Scene,
    accounts: BTreeMap<AccountId, &'a Account>,
    people: BTreeMap<StreamId, &'a Registered>,
    devices: BTreeMap<StreamId, &'a Entity>,
    enabled: BTreeMap<StreamId, (StreamId, &'a Enabled)>,
    /// Of each account how many devices are in use, and whether its root has one.
    in_use: BTreeMap<AccountId, (u32, bool)>,
}

impl<'a> Expected<'a> {
    fn of(scene: &'a Scene) -> Self {
        let registered = scene.people.iter().filter_map(|(stream, principal)| match principal {
            Principal::Registered(registered) => Some((*stream, registered)),
            Principal::Removed(_) | Principal::Forgotten(_) => None,
        });
        let people: BTreeMap<StreamId, &Registered> = registered.collect();
        let mut in_use: BTreeMap<AccountId, (u32, bool)> = BTreeMap::new();
        for registered in people.values() {
            let (devices, root_has_mfa) = in_use.entry(registered.id.account()).or_default();
            *devices = devices.saturating_add(u32::try_from(registered.devices.len()).unwrap_or(u32::MAX));
            *root_has_mfa |= registered.id.is_root() && !registered.devices.is_empty();
        }
        let enabled = people.iter().flat_map(|(owner, registered)| {
            registered.devices.iter().map(|enabled| (enabled.device, (*owner, enabled)))
        });
        let enabled = enabled.collect();
        let entities = scene.devices.iter().filter_map(|(stream, device)| Some((*stream, device.entity()?)));
        let accounts = scene.accounts.values().map(|account| (account.id, account)).collect();
        Self { scene, accounts, devices: entities.collect(), enabled, people, in_use }
    }

    /// What is wrong with a row.
    fn compare(&mut self, row: Row) -> Option<String> {
        match row {
            Row::Account(id, row) => {
                let expected = self.accounts.remove(&id).map(|account| self.account_row(account));
                let differs = expected.as_ref() != Some(&row) && self.scene.dark.is_empty();
                differs.then(|| format!("account {id} is not what the log comes to"))
            }
            Row::Principal(stream, mut row) => {
                let expected = self.people.remove(&stream).map(principal_row);
                row.devices.sort_unstable();
                let differs = expected.as_ref() != Some(&row) && !self.scene.dark.contains(&stream);
                differs.then(|| format!("principal {stream} is not what the log comes to"))
            }
            Row::Device(stream, row) => {
                let entity = self.devices.remove(&stream);
                let enabled = self.enabled.get(&stream);
                let used = row.used.as_ref().map(|used| (used.owner, used.enabled_at, used.suspected_clone));
                let expected = enabled.map(|(owner, enabled)| {
                    (*owner, enabled.enabled_at, enabled.key.is_some_and(|key| key.suspected_clone))
                });
                let key = enabled.map_or(row.key, |(_, enabled)| enabled.key.map(|key| key.form));
                let same = entity.is_some_and(|entity| {
                    (&entity.serial, entity.kind, entity.created_at) == (&row.serial, row.kind, row.created_at)
                });
                let differs = !(same && used == expected && key == row.key) && self.scene.dark.is_empty();
                differs.then(|| format!("device {stream} is not what the log comes to"))
            }
        }
    }

    /// What the checkpoint does not have.
    fn left(self) -> impl Iterator<Item = String> {
        let accounts = self.accounts.into_keys().map(|id| format!("account {id} is missing"));
        let people = self.people.into_keys().map(|stream| format!("principal {stream} is missing"));
        let devices = self.devices.into_keys().map(|stream| format!("device {stream} is missing"));
        accounts.chain(people).chain(devices)
    }

    fn account_row(&self, account: &Account) -> AccountRow {
        let (devices_in_use, root_has_mfa) = self.in_use.get(&account.id).copied().unwrap_or_default();
        AccountRow {
            opened_at: account.opened_at,
            users: account.users,
            virtual_devices: account.virtual_devices,
            devices_in_use,
            root_has_mfa,
            settings: account.settings.clone(),
        }
    }
}

fn principal_row(registered: &Registered) -> PrincipalRow {
    let mut devices: Vec<StreamId> = registered.devices.iter().map(|enabled| enabled.device).collect();
    devices.sort_unstable();
    PrincipalRow {
        id: registered.id.clone(),
        name: registered.name.clone(),
        path: registered.path.clone(),
        created_at: registered.created_at,
        devices,
        sms_participant: registered.sms_participant,
    }
}
