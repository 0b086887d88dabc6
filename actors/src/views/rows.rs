//! What the projections keep, and the forms in which queries give it out.

use countersign_domain::device::{DeviceKind, DeviceName, Path, Serial};
use countersign_domain::event::{KeyForm, PrincipalRegistered};
use countersign_domain::ids::{AccountId, PrincipalId, StreamId, UnixMillis};
use countersign_domain::settings::Settings;
use countersign_domain::totp::Learned;
use serde::{Deserialize, Serialize};

/// A principal as queries give it out.
///
/// ```
/// fn greet(user: &countersign::UserView) -> String {
///     format!("{}{} since {} s", user.path, user.name, user.created_at.secs())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserView {
    /// Who it is.
    pub id: PrincipalId,
    /// Its present name.
    pub name: DeviceName,
    /// Its present path.
    pub path: Path,
    /// When it was registered.
    pub created_at: UnixMillis,
}

/// A device as queries give it out. It never has the seed (R16).
///
/// ```
/// fn warn(device: &countersign::DeviceView) -> bool {
///     device.wants_resync || device.locked_until.is_some()
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceView {
    /// Its serial number or ARN.
    pub serial: Serial,
    /// Its kind.
    pub kind: DeviceKind,
    /// When it was created or imported.
    pub created_at: UnixMillis,
    /// Who has it enabled.
    pub owner: Option<PrincipalId>,
    /// When it was enabled for its present owner (R66).
    pub enabled_at: Option<UnixMillis>,
    /// When one of its codes was last accepted.
    pub last_used_at: Option<UnixMillis>,
    /// Steps that it is ahead of the server, as learned by enable or resync (R82, A1).
    pub offset_steps: i64,
    /// Whether a resync should be offered (R102, A4, A5).
    pub wants_resync: bool,
    /// Until when its budget of single codes is spent (R91).
    pub locked_until: Option<UnixMillis>,
    /// For a security key: what it is, and whether it is still trusted.
    pub key: Option<KeyView>,
    /// For an SMS device: its number, masked.
    pub phone: Option<String>,
}

/// A security key as queries give it out.
///
/// ```
/// use countersign::{KeyForm, KeyView};
///
/// fn label(key: KeyView) -> &'static str {
///     match (key.suspected_clone, key.form) {
///         (true, _) => "suspected clone",
///         (false, KeyForm::SecurityKey) => "security key",
///         (false, KeyForm::Passkey) => "passkey",
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyView {
    /// What it is to its owner.
    pub form: KeyForm,
    /// Its counter went back once: there may be two of it, and neither is taken any more (NT-29).
    pub suspected_clone: bool,
}

/// What an account counts (R163).
///
/// ```
/// fn coverage(account: &countersign::AccountView) -> String {
///     format!("{} devices for {} users", account.devices_in_use, account.users)
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountView {
    /// Its id.
    pub id: AccountId,
    /// When it was opened.
    pub opened_at: UnixMillis,
    /// Its users.
    pub users: u32,
    /// Its virtual devices, assigned or not.
    pub virtual_devices: u32,
    /// Devices of any kind that are enabled.
    pub devices_in_use: u32,
    /// Whether root has a device.
    pub root_has_mfa: bool,
    /// What it has chosen.
    pub settings: Settings,
}

/// Which virtual devices a list shows (R160).
///
/// ```
/// assert_eq!(countersign::Assignment::default(), countersign::Assignment::Any);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Assignment {
    /// All.
    #[default]
    Any,
    /// Enabled ones.
    Assigned,
    /// Ones that nobody has enabled.
    Unassigned,
}

impl Assignment {
    pub(super) const fn takes(self, assigned: bool) -> bool {
        match self {
            Self::Any => true,
            Self::Assigned => assigned,
            Self::Unassigned => !assigned,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PrincipalRow {
    pub(super) id: PrincipalId,
    pub(super) name: DeviceName,
    pub(super) path: Path,
    pub(super) created_at: UnixMillis,
    pub(super) devices: Vec<StreamId>,
    /// Had an SMS device at some time (A16).
    pub(super) sms_participant: bool,
}

impl PrincipalRow {
    pub(super) fn registered(event: &PrincipalRegistered, at: UnixMillis) -> Self {
        Self {
            id: event.id.clone(),
            name: event.name.clone(),
            path: event.path.clone(),
            created_at: at,
            devices: Vec::new(),
            sms_participant: false,
        }
    }

    pub(super) fn view(&self) -> UserView {
        UserView { id: self.id.clone(), name: self.name.clone(), path: self.path.clone(), created_at: self.created_at }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DeviceRow {
    pub(super) serial: Serial,
    pub(super) kind: DeviceKind,
    pub(super) created_at: UnixMillis,
    pub(super) used: Option<Use>,
    pub(super) key: Option<KeyForm>,
    /// Masked.
    pub(super) phone: Option<String>,
}

impl DeviceRow {
    pub(super) const fn new(serial: Serial, kind: DeviceKind, created_at: UnixMillis) -> Self {
        Self { serial, kind, created_at, used: None, key: None, phone: None }
    }
}

/// A device while it is enabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Use {
    pub(super) owner: StreamId,
    pub(super) enabled_at: UnixMillis,
    pub(super) last_used_at: Option<UnixMillis>,
    pub(super) offset: i64,
    pub(super) misses: u8,
    pub(super) outside: Option<i64>,
    pub(super) locked_window: Option<u64>,
    pub(super) suspected_clone: bool,
}

impl Use {
    pub(super) fn started(owner: StreamId, enabled_at: UnixMillis, learned: &Learned) -> Self {
        Self {
            owner,
            enabled_at,
            last_used_at: None,
            offset: learned.offset,
            misses: 0,
            outside: None,
            locked_window: learned.codes.closed.then_some(learned.codes.window),
            suspected_clone: false,
        }
    }
}

impl Use {
    /// An attempt in a later window ends the lock for good, also when the clock is set back (A40).
    pub(super) fn enter(&mut self, window: u64) {
        self.locked_window = self.locked_window.filter(|locked| *locked >= window);
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AccountRow {
    pub(super) opened_at: UnixMillis,
    pub(super) users: u32,
    pub(super) virtual_devices: u32,
    pub(super) devices_in_use: u32,
    pub(super) root_has_mfa: bool,
    pub(super) settings: Settings,
}

impl AccountRow {
    pub(super) fn opened(opened_at: UnixMillis) -> Self {
        let settings = Settings::default();
        Self { opened_at, users: 0, virtual_devices: 0, devices_in_use: 0, root_has_mfa: false, settings }
    }
}
