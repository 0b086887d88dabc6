//! The projections that answer queries: status by principal, devices by serial, account counters.
//!
//! They are folded from committed events by the writer, before it answers the command, so a query
//! never misses what was acknowledged. They are checkpointed behind the acks, and rebuilt when their
//! code changes ([`fingerprint`]).

mod checkpoint;
mod rows;
mod sms;

pub(crate) use checkpoint::{CHECKPOINT_NAME, fingerprint};
pub use rows::{AccountView, Assignment, DeviceView, KeyView, UserView};
pub use sms::SmsState;
pub(crate) use sms::{Blocked, BudgetKey, Group, Line, LineKey, MessageRow, SmsViews};

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use countersign_domain::device::{DeviceKind, Serial};
use countersign_domain::event::{CodeFault, Event, KeyFault, KeyRefused};
use countersign_domain::ids::{AccountId, Position, PrincipalId, StreamId, UnixMillis};
use countersign_domain::settings::{AccountAlias, Settings};
use countersign_domain::totp::{Attempts, Budget};

use crate::policies::{Policies, Presets};
use rows::{AccountRow, DeviceRow, PrincipalRow, Use};

/// The numbers of the types that tell of a principal.
const PRINCIPAL_TYPES: std::ops::RangeInclusive<u16> = 0x0300..=0x03ff;

/// A map from streams.
pub(crate) type StreamMap<V> = HashMap<StreamId, V, foldhash::fast::RandomState>;

/// Everything that queries read.
#[derive(Debug, Default)]
pub(crate) struct Views {
    /// How many entries of the log were folded.
    pub(crate) folded: u64,
    principals: StreamMap<PrincipalRow>,
    devices: StreamMap<DeviceRow>,
    accounts: BTreeMap<AccountId, AccountRow>,
    names: BTreeMap<(AccountId, String), StreamId>,
    serials: BTreeMap<(AccountId, String), StreamId>,
    aliases: HashMap<AccountAlias, AccountId>,
    account_streams: StreamMap<AccountId>,
    /// When principals were forgotten. Nothing else of them is kept.
    forgotten: StreamMap<UnixMillis>,
    /// Streams that could not be read for want of a key.
    closed: StreamMap<()>,
    /// Which accounts chose rules of their own.
    pub(crate) presets: Presets,
    /// Codes by SMS.
    pub(crate) sms: SmsViews,
}

impl Views {
    /// Nothing folded yet; budgets are counted in windows of this length, by a clock that is borne to go back by so much.
    pub(crate) fn empty(window: (u64, u64)) -> Self {
        Self { sms: SmsViews::empty(window), ..Self::default() }
    }

    /// How many principals, devices and accounts there are to write in a checkpoint.
    pub(crate) fn rows(&self) -> usize {
        self.principals.len()
            + self.devices.len()
            + self.accounts.len()
            + self.forgotten.len()
            + self.sms.messages.len()
    }

    /// Takes note of an entry whose content was forgotten.
    pub(crate) const fn pass_over(&mut self, position: Position) {
        self.folded = position.0.saturating_add(1);
    }

    /// Takes note of an entry that is closed for want of a key; says whether it is the first of its stream. A principal of
    /// which something cannot be read is not there for queries: what they would say of it could be less than is true.
    pub(crate) fn close(&mut self, position: Position, stream: StreamId, event_type: u16) -> bool {
        self.pass_over(position);
        if PRINCIPAL_TYPES.contains(&event_type)
            && let Some(row) = self.principals.remove(&stream)
        {
            self.names.remove(&(row.id.account(), row.name.folded()));
        }
        self.closed.insert(stream, ()).is_none()
    }

    /// Whether something could not be read, so that no checkpoint may be written: it would be missing from it for good.
    pub(crate) fn is_partial(&self) -> bool {
        !self.closed.is_empty()
    }

    /// Folds one committed event. What a query needs is taken; the rest is passed over.
    pub(crate) fn fold(&mut self, position: Position, stream: StreamId, event: &Event, at: UnixMillis) {
        self.pass_over(position);
        match event {
            Event::AccountOpened(opened) => {
                self.accounts.entry(opened.account).or_insert_with(|| AccountRow::opened(at));
                self.account_streams.insert(stream, opened.account);
            }
            Event::AliasChanged(_)
            | Event::SmsEligibilityChanged(_)
            | Event::AlternativeFactorsSwitched(_)
            | Event::PolicyChosen(_)
            | Event::RootLinked(_) => self.fold_setting(stream, event),
            Event::PrincipalRegistered(registered) => {
                let account = registered.id.account();
                if !registered.id.is_root() {
                    self.names.insert((account, registered.name.folded()), stream);
                    self.account(account).users += 1;
                }
                self.principals.insert(stream, PrincipalRow::registered(registered, at));
            }
            Event::PrincipalRenamed(renamed) => {
                if let Some(row) = self.principals.get_mut(&stream) {
                    let account = row.id.account();
                    self.names.remove(&(account, row.name.folded()));
                    self.names.insert((account, renamed.name.folded()), stream);
                    row.name = renamed.name.clone();
                    row.path = renamed.path.clone();
                }
            }
            Event::PrincipalRemoved(_) => {
                if let Some(row) = self.principals.remove(&stream) {
                    self.names.remove(&(row.id.account(), row.name.folded()));
                    let account = self.account(row.id.account());
                    account.users = account.users.saturating_sub(1);
                }
            }
            Event::PrincipalForgotten(_) => {
                self.forgotten.insert(stream, at);
                self.sms.forget(stream);
            }
            Event::VirtualDeviceCreated(created) => {
                self.serials.insert((created.account, created.serial.as_str().to_owned()), stream);
                self.account(created.account).virtual_devices += 1;
                let row = DeviceRow::new(created.serial.clone(), DeviceKind::VirtualTotp, at);
                self.devices.insert(stream, row);
            }
            Event::HardwareTokenImported(imported) => {
                let row = DeviceRow::new(imported.serial.clone(), DeviceKind::HardwareTotp, at);
                self.devices.insert(stream, row);
            }
            Event::SecurityKeyCreated(created) => {
                let row = DeviceRow::new(created.serial.clone(), DeviceKind::SecurityKey, at);
                self.devices.insert(stream, DeviceRow { key: Some(created.form), ..row });
            }
            Event::SmsDeviceCreated(created) => {
                let row = DeviceRow::new(created.serial.clone(), DeviceKind::Sms, at);
                self.devices.insert(stream, DeviceRow { phone: Some(created.phone.to_string()), ..row });
            }
            Event::DeviceDeleted(_) => {
                if let Some(row) = self.devices.remove(&stream)
                    && row.kind == DeviceKind::VirtualTotp
                    && let Some(account) = row.serial.account()
                {
                    self.serials.remove(&(account, row.serial.as_str().to_owned()));
                    let counters = self.account(account);
                    counters.virtual_devices = counters.virtual_devices.saturating_sub(1);
                }
            }
            Event::DeviceEnabled(enabled) => {
                let used = Use::started(stream, at, &enabled.learned);
                self.with_device(enabled.device, |row| row.used = Some(used));
                self.own(stream, |devices| devices.push(enabled.device), 1);
                if enabled.kind == DeviceKind::Sms
                    && let Some(row) = self.principals.get_mut(&stream)
                {
                    row.sms_participant = true;
                }
            }
            Event::DeviceDeactivated(gone) => {
                self.with_device(gone.device, |row| row.used = None);
                self.own(stream, |devices| devices.retain(|device| *device != gone.device), -1);
            }
            Event::DeviceResynced(resynced) => self.with_use(resynced.device, |used| {
                used.offset = resynced.offset;
                used.misses = 0;
                used.outside = None;
            }),
            Event::CodeAccepted(accepted) => self.with_use(accepted.device, |used| {
                used.enter(accepted.window);
                used.last_used_at = Some(at);
                used.misses = 0;
                used.outside = None;
            }),
            Event::CodeRefused(refused) => self.with_use(refused.device, |used| {
                used.enter(refused.window);
                used.misses = used.misses.saturating_add(1);
                if refused.fault == CodeFault::Outside {
                    used.outside = Some(refused.steps);
                }
            }),
            Event::KeyAccepted(accepted) => self.with_use(accepted.device, |used| used.last_used_at = Some(at)),
            Event::KeyRefused(KeyRefused { device: Some(device), fault: KeyFault::CounterRegressed, .. }) => {
                self.with_use(*device, |used| used.suspected_clone = true);
            }
            Event::SmsCodeAccepted(accepted) => {
                self.with_use(accepted.device, |used| used.last_used_at = Some(at));
                self.sms.fold(stream, None, event, at);
            }
            Event::SmsCodeIssued(_)
            | Event::SmsQueued(_)
            | Event::SmsSubmitting(_)
            | Event::SmsSubmitted(_)
            | Event::SmsSubmitFailed(_)
            | Event::SmsDropped(_)
            | Event::SmsRedriven(_)
            | Event::SmsReported(_)
            | Event::SmsPrefixBlocked(_)
            | Event::SmsPrefixCleared(_) => {
                let account = self.principals.get(&stream).map(|row| row.id.account());
                self.sms.fold(stream, account, event, at);
            }
            Event::BudgetSpent(spent) if spent.budget == Budget::Codes => {
                self.with_use(spent.device, |used| used.locked_window = Some(spent.window));
            }
            Event::UserAdded(_)
            | Event::UserRemoved(_)
            | Event::DeviceAdded(_)
            | Event::DeviceRemoved(_)
            | Event::NameClaimed(_)
            | Event::NameReleased(_)
            | Event::DeviceAssigned(_)
            | Event::SeedStored(_)
            | Event::DeviceReleased(_)
            | Event::PairRefused(_)
            | Event::BudgetSpent(_)
            | Event::ResyncRefused(_)
            | Event::CredentialClaimed(_)
            | Event::CredentialReleased(_)
            | Event::PasswordRefused(_)
            | Event::PasswordsLocked(_)
            | Event::SignInStarted(_)
            | Event::SignedIn(_)
            | Event::SignInRefused(_)
            | Event::SignInsEnded(_)
            | Event::AssociateProven(_)
            | Event::KeyChallengeIssued(_)
            | Event::KeyRegistered(_)
            | Event::KeyRefused(_)
            | Event::SmsCodeRefused(_)
            | Event::AlternativeIssued(_)
            | Event::AlternativeProven(_)
            | Event::AlternativeRefused(_)
            | Event::SigningKeyRotated(_)
            | Event::HostRecord(_) => {}
        }
    }

    /// Takes what an account chose; its rules also to where every decision looks them up.
    fn fold_setting(&mut self, stream: StreamId, event: &Event) {
        let Some(&id) = self.account_streams.get(&stream) else { return };
        let before = self.account(id).settings.alias.clone();
        self.account(id).settings.fold(event);
        let settings = self.account(id).settings.clone();
        if before != settings.alias {
            before.map(|alias| self.aliases.remove(&alias));
            settings.alias.map(|alias| self.aliases.insert(alias, id));
        }
        self.presets.set(id, settings.preset);
    }

    fn account(&mut self, account: AccountId) -> &mut AccountRow {
        self.accounts.entry(account).or_insert_with(|| AccountRow::opened(UnixMillis(0)))
    }

    fn with_device(&mut self, device: StreamId, change: impl FnOnce(&mut DeviceRow)) {
        if let Some(row) = self.devices.get_mut(&device) {
            change(row);
        }
    }

    fn with_use(&mut self, device: StreamId, change: impl FnOnce(&mut Use)) {
        if let Some(used) = self.devices.get_mut(&device).and_then(|row| row.used.as_mut()) {
            change(used);
        }
    }

    fn own(&mut self, principal: StreamId, change: impl FnOnce(&mut Vec<StreamId>), step: i32) {
        let Some(row) = self.principals.get_mut(&principal) else { return };
        change(&mut row.devices);
        let (account, root, has) = (row.id.account(), row.id.is_root(), !row.devices.is_empty());
        let counters = self.account(account);
        counters.devices_in_use = counters.devices_in_use.saturating_add_signed(step);
        if root {
            counters.root_has_mfa = has;
        }
    }

    // ---- queries ----

    pub(crate) fn accounts(&self) -> Vec<AccountId> {
        self.accounts.keys().copied().collect()
    }

    pub(crate) fn account_view(&self, account: AccountId) -> Option<AccountView> {
        let row = self.accounts.get(&account)?;
        Some(AccountView {
            id: account,
            opened_at: row.opened_at,
            users: row.users,
            virtual_devices: row.virtual_devices,
            devices_in_use: row.devices_in_use,
            root_has_mfa: row.root_has_mfa,
            settings: row.settings.clone(),
        })
    }

    pub(crate) fn settings(&self, account: AccountId) -> Settings {
        self.accounts.get(&account).map(|row| row.settings.clone()).unwrap_or_default()
    }

    pub(crate) fn account_of_alias(&self, alias: &AccountAlias) -> Option<AccountId> {
        self.aliases.get(alias).copied()
    }

    /// When a principal was forgotten.
    pub(crate) fn forgotten_at(&self, id: &PrincipalId) -> Option<UnixMillis> {
        self.forgotten.get(&id.stream()).copied()
    }

    /// Whether a principal has any device.
    pub(crate) fn has_device(&self, id: &PrincipalId) -> bool {
        // Of whom nothing is known it is not known that there is none.
        self.closed.contains_key(&id.stream())
            || self.principals.get(&id.stream()).is_some_and(|row| !row.devices.is_empty())
    }

    /// Whether a principal had an SMS device at some time (A16).
    pub(crate) fn is_sms_participant(&self, id: &PrincipalId) -> bool {
        self.principals.get(&id.stream()).is_some_and(|row| row.sms_participant)
    }

    /// The serial number of a device that exists.
    pub(crate) fn serial_of(&self, device: StreamId) -> Option<Serial> {
        self.devices.get(&device).map(|row| row.serial.clone())
    }

    /// The users of an account who have a device of some kind, by name, those after a name.
    pub(crate) fn users_with(
        &self,
        account: AccountId,
        kind: DeviceKind,
        after: Option<&str>,
        limit: usize,
    ) -> Vec<UserView> {
        let has = |row: &&PrincipalRow| {
            let mut kinds = row.devices.iter().filter_map(|device| self.devices.get(device)).map(|device| device.kind);
            kinds.any(|found| found == kind)
        };
        self.users_after(account, after).filter(has).map(PrincipalRow::view).take(limit).collect()
    }

    fn users_after(&self, account: AccountId, after: Option<&str>) -> impl Iterator<Item = &PrincipalRow> {
        let start = match after.map(str::to_ascii_lowercase) {
            Some(name) => Bound::Excluded((account, name)),
            None => Bound::Included((account, String::new())),
        };
        let names = self.names.range((start, Bound::Unbounded));
        names.take_while(move |((of, _), _)| *of == account).filter_map(|(_, stream)| self.principals.get(stream))
    }

    /// Who the stream of a principal is of.
    pub(crate) fn id_of(&self, principal: StreamId) -> Option<PrincipalId> {
        self.principals.get(&principal).map(|row| row.id.clone())
    }

    pub(crate) fn user_named(&self, account: AccountId, name: &str) -> Option<UserView> {
        let stream = self.names.get(&(account, name.to_ascii_lowercase()))?;
        self.principals.get(stream).map(PrincipalRow::view)
    }

    pub(crate) fn principal(&self, id: &PrincipalId) -> Option<UserView> {
        self.principals.get(&id.stream()).map(PrincipalRow::view)
    }

    pub(crate) fn users(&self, account: AccountId, after: Option<&str>, limit: usize) -> Vec<UserView> {
        self.users_after(account, after).map(PrincipalRow::view).take(limit).collect()
    }

    pub(crate) fn devices_of(&self, id: &PrincipalId, now: UnixMillis, policies: &Policies) -> Vec<DeviceView> {
        let Some(row) = self.principals.get(&id.stream()) else { return Vec::new() };
        row.devices.iter().filter_map(|device| self.device_view(*device, now, policies)).collect()
    }

    pub(crate) fn device(&self, serial: &Serial, now: UnixMillis, policies: &Policies) -> Option<DeviceView> {
        let view = self.device_view(serial.stream(), now, policies)?;
        (view.serial == *serial).then_some(view)
    }

    pub(crate) fn virtual_devices(
        &self,
        account: AccountId,
        which: Assignment,
        after: Option<&Serial>,
        limit: usize,
        (now, policies): (UnixMillis, &Policies),
    ) -> Vec<DeviceView> {
        let start = match after {
            Some(serial) => Bound::Excluded((account, serial.as_str().to_owned())),
            None => Bound::Included((account, String::new())),
        };
        let of_account = self.serials.range((start, Bound::Unbounded)).take_while(|((owner, _), _)| *owner == account);
        let views = of_account.filter_map(|(_, device)| self.device_view(*device, now, policies));
        views.filter(|view| which.takes(view.owner.is_some())).take(limit).collect()
    }

    fn device_view(&self, device: StreamId, now: UnixMillis, policies: &Policies) -> Option<DeviceView> {
        let row = self.devices.get(&device)?;
        let used = row.used.as_ref();
        let owner = used.and_then(|used| self.principals.get(&used.owner));
        // A token is of no account; while it is worn, its owner's rules hold.
        let account = owner.map(|owner| owner.id.account()).or_else(|| row.serial.account());
        let policy = policies.of(account);
        let counts = |window: &u64| Attempts { window: *window, ..Attempts::default() }.current(now, policy) == *window;
        let locked = used.and_then(|used| used.locked_window).filter(counts);
        let locked = locked.map(|window| Attempts::ends_at(window, policy));
        Some(DeviceView {
            serial: row.serial.clone(),
            kind: row.kind,
            created_at: row.created_at,
            owner: owner.map(|owner| owner.id.clone()),
            enabled_at: used.map(|used| used.enabled_at),
            last_used_at: used.and_then(|used| used.last_used_at),
            offset_steps: used.map_or(0, |used| used.offset),
            wants_resync: used.is_some_and(|used| used.outside.is_some() || used.misses >= policy.misses_before_resync),
            locked_until: locked.filter(|until| *until > now),
            key: row.key.map(|form| KeyView { form, suspected_clone: used.is_some_and(|used| used.suspected_clone) }),
            phone: row.phone.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use countersign_domain::device::{DeviceName, Path};
    use countersign_domain::event::PrincipalRegistered;
    use countersign_domain::ids::UserId;

    use super::*;

    #[test]
    fn who_is_closed_is_not_shown_by_halves_and_counts_as_having_a_device() {
        let mut views = Views::empty((60_000, 0));
        let account = AccountId::from_number(123_456_789_012).unwrap();
        let [lee, kim] = ["lee", "kim"].map(|user| PrincipalId::User(account, UserId::new(user).unwrap()));
        for (position, id) in [(0, &lee), (1, &kim)] {
            let PrincipalId::User(_, user) = id else { panic!() };
            let name = DeviceName::new(user.as_str()).unwrap();
            let registered = PrincipalRegistered { id: id.clone(), name, path: Path::root() };
            views.fold(Position(position), id.stream(), &Event::PrincipalRegistered(registered), UnixMillis(1));
        }
        assert!(views.user_named(account, "lee").is_some() && !views.has_device(&lee) && !views.is_partial());
        assert!(views.close(Position(2), lee.stream(), 0x0320), "the first of its stream");
        assert!(!views.close(Position(3), lee.stream(), 0x0321) && views.folded == 4);
        assert!(views.user_named(account, "lee").is_none() && views.principal(&lee).is_none());
        assert!(views.has_device(&lee) && views.is_partial());
        // What is closed of another kind of stream takes nobody along.
        views.close(Position(4), kim.stream(), 0x0120);
        assert!(views.user_named(account, "kim").is_some());
    }
}
