//! What is true now: never stale to an acknowledged command.

use countersign_domain::device::{DeviceKind, Serial};
use countersign_domain::ids::{AccountId, Position, PrincipalId};

use super::{Countersign, PAGE_MAX};
use crate::views::{AccountView, Assignment, DeviceView, UserView};

impl Countersign {
    /// The open accounts.
    ///
    /// ```
    /// # use countersign::*;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let engine = Countersign::in_memory(Config::default())?;
    /// # let operator = || Request::by(Caller::operator());
    /// # let account: AccountId = "123456789012".parse()?;
    /// # engine.open_account(operator(), account, DeviceName::new("root")?).await?;
    /// assert_eq!(engine.accounts(), [account]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn accounts(&self) -> Vec<AccountId> {
        self.runtime.shared.views(|views| views.accounts())
    }

    /// What an account counts (R163).
    ///
    /// ```
    /// # use countersign::*;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let engine = Countersign::in_memory(Config::default())?;
    /// # let operator = || Request::by(Caller::operator());
    /// # let account: AccountId = "123456789012".parse()?;
    /// # engine.open_account(operator(), account, DeviceName::new("root")?).await?;
    /// # let id = UserId::new("AIDALEE")?;
    /// # engine.register_user(operator(), account, id.clone(), DeviceName::new("lee")?, Path::root()).await?;
    /// # let lee = PrincipalId::User(account, id);
    /// # let by_lee = || Request::by(Caller::with_key(lee.clone()));
    /// # let made = engine.create_virtual_device(by_lee(), account, Path::root(), DeviceName::new("phone")?).await?;
    /// # let serial = made.value.serial.clone();
    /// # let secret = totp_rs::Secret::try_from_base32(made.value.base32().as_str()).unwrap();
    /// # let phone = totp_rs::Builder::new().with_secret(secret).with_account_name("x").build()?;
    /// # let now = engine.now().secs();
    /// # let shown = |seconds: u64| Code::parse(&phone.generate(seconds).to_string()).unwrap();
    /// # engine.enable(by_lee(), &lee, &serial, shown(now), shown(now + 30)).await?;
    /// let counts = engine.account(account).unwrap();
    /// assert_eq!((counts.users, counts.virtual_devices, counts.devices_in_use), (1, 1, 1));
    /// assert!(!counts.root_has_mfa);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn account(&self, account: AccountId) -> Option<AccountView> {
        self.runtime.shared.views(|views| views.account_view(account))
    }

    /// The user of this name, whatever its case (R9).
    ///
    /// ```
    /// # use countersign::*;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let engine = Countersign::in_memory(Config::default())?;
    /// # let operator = || Request::by(Caller::operator());
    /// # let account: AccountId = "123456789012".parse()?;
    /// # engine.open_account(operator(), account, DeviceName::new("root")?).await?;
    /// # let id = UserId::new("AIDALEE")?;
    /// # engine.register_user(operator(), account, id.clone(), DeviceName::new("lee")?, Path::root()).await?;
    /// # let lee = PrincipalId::User(account, id);
    /// # let by_lee = || Request::by(Caller::with_key(lee.clone()));
    /// assert_eq!(engine.user_named(account, "Lee").unwrap().id, lee);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn user_named(&self, account: AccountId, name: &str) -> Option<UserView> {
        self.runtime.shared.views(|views| views.user_named(account, name))
    }

    /// A principal by its id.
    ///
    /// ```
    /// # use countersign::*;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let engine = Countersign::in_memory(Config::default())?;
    /// # let operator = || Request::by(Caller::operator());
    /// # let account: AccountId = "123456789012".parse()?;
    /// # engine.open_account(operator(), account, DeviceName::new("root")?).await?;
    /// # let id = UserId::new("AIDALEE")?;
    /// # engine.register_user(operator(), account, id.clone(), DeviceName::new("lee")?, Path::root()).await?;
    /// # let lee = PrincipalId::User(account, id);
    /// # let by_lee = || Request::by(Caller::with_key(lee.clone()));
    /// assert_eq!(engine.principal(&lee).unwrap().name.as_str(), "lee");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn principal(&self, id: &PrincipalId) -> Option<UserView> {
        self.runtime.shared.views(|views| views.principal(id))
    }

    /// The users of an account by name, those after a name, at most [`PAGE_MAX`].
    ///
    /// ```
    /// # use countersign::*;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let engine = Countersign::in_memory(Config::default())?;
    /// # let operator = || Request::by(Caller::operator());
    /// # let account: AccountId = "123456789012".parse()?;
    /// # engine.open_account(operator(), account, DeviceName::new("root")?).await?;
    /// # let id = UserId::new("AIDALEE")?;
    /// # engine.register_user(operator(), account, id.clone(), DeviceName::new("lee")?, Path::root()).await?;
    /// # let lee = PrincipalId::User(account, id);
    /// # let by_lee = || Request::by(Caller::with_key(lee.clone()));
    /// assert_eq!(engine.users(account, None, 100).len(), 1);
    /// assert!(engine.users(account, Some("lee"), 100).is_empty(), "the next page");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn users(&self, account: AccountId, after: Option<&str>, limit: usize) -> Vec<UserView> {
        self.runtime.shared.views(|views| views.users(account, after, limit.min(PAGE_MAX)))
    }

    /// The users of an account who have a device of some kind, by name, those after a name, at most [`PAGE_MAX`]
    /// (R127).
    ///
    /// ```
    /// # use countersign::*;
    /// # let engine = Countersign::in_memory(Config::default()).unwrap();
    /// let account = "123456789012".parse().unwrap();
    /// assert!(engine.users_with(account, DeviceKind::Sms, None, 100).is_empty(), "nobody is still on SMS");
    /// ```
    #[must_use]
    pub fn users_with(&self, account: AccountId, kind: DeviceKind, after: Option<&str>, limit: usize) -> Vec<UserView> {
        self.runtime.shared.views(|views| views.users_with(account, kind, after, limit.min(PAGE_MAX)))
    }

    /// The devices that a principal has enabled, oldest first: its MFA status (R159).
    ///
    /// ```
    /// # use countersign::*;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let engine = Countersign::in_memory(Config::default())?;
    /// # let operator = || Request::by(Caller::operator());
    /// # let account: AccountId = "123456789012".parse()?;
    /// # engine.open_account(operator(), account, DeviceName::new("root")?).await?;
    /// # let id = UserId::new("AIDALEE")?;
    /// # engine.register_user(operator(), account, id.clone(), DeviceName::new("lee")?, Path::root()).await?;
    /// # let lee = PrincipalId::User(account, id);
    /// # let by_lee = || Request::by(Caller::with_key(lee.clone()));
    /// # let made = engine.create_virtual_device(by_lee(), account, Path::root(), DeviceName::new("phone")?).await?;
    /// # let serial = made.value.serial.clone();
    /// # let secret = totp_rs::Secret::try_from_base32(made.value.base32().as_str()).unwrap();
    /// # let phone = totp_rs::Builder::new().with_secret(secret).with_account_name("x").build()?;
    /// # let now = engine.now().secs();
    /// # let shown = |seconds: u64| Code::parse(&phone.generate(seconds).to_string()).unwrap();
    /// # engine.enable(by_lee(), &lee, &serial, shown(now), shown(now + 30)).await?;
    /// let devices = engine.devices(&lee);
    /// assert_eq!(devices[0].serial, serial);
    /// assert!(!devices[0].wants_resync);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn devices(&self, id: &PrincipalId) -> Vec<DeviceView> {
        let (now, shared) = (self.now(), &self.runtime.shared);
        shared.views(|views| views.devices_of(id, now, &shared.policies))
    }

    /// The device of exactly this serial number, enabled or not.
    ///
    /// ```
    /// # use countersign::*;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let engine = Countersign::in_memory(Config::default())?;
    /// # let operator = || Request::by(Caller::operator());
    /// # let account: AccountId = "123456789012".parse()?;
    /// # engine.open_account(operator(), account, DeviceName::new("root")?).await?;
    /// # let id = UserId::new("AIDALEE")?;
    /// # engine.register_user(operator(), account, id.clone(), DeviceName::new("lee")?, Path::root()).await?;
    /// # let lee = PrincipalId::User(account, id);
    /// # let by_lee = || Request::by(Caller::with_key(lee.clone()));
    /// # let made = engine.create_virtual_device(by_lee(), account, Path::root(), DeviceName::new("phone")?).await?;
    /// # let serial = made.value.serial.clone();
    /// # let secret = totp_rs::Secret::try_from_base32(made.value.base32().as_str()).unwrap();
    /// # let phone = totp_rs::Builder::new().with_secret(secret).with_account_name("x").build()?;
    /// # let now = engine.now().secs();
    /// # let shown = |seconds: u64| Code::parse(&phone.generate(seconds).to_string()).unwrap();
    /// assert_eq!(engine.device(&serial).unwrap().owner, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn device(&self, serial: &Serial) -> Option<DeviceView> {
        let (now, shared) = (self.now(), &self.runtime.shared);
        shared.views(|views| views.device(serial, now, &shared.policies))
    }

    /// The virtual devices of an account by serial, those after a serial, at most [`PAGE_MAX`] (R160).
    ///
    /// ```
    /// # use countersign::*;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let engine = Countersign::in_memory(Config::default())?;
    /// # let operator = || Request::by(Caller::operator());
    /// # let account: AccountId = "123456789012".parse()?;
    /// # engine.open_account(operator(), account, DeviceName::new("root")?).await?;
    /// # let id = UserId::new("AIDALEE")?;
    /// # engine.register_user(operator(), account, id.clone(), DeviceName::new("lee")?, Path::root()).await?;
    /// # let lee = PrincipalId::User(account, id);
    /// # let by_lee = || Request::by(Caller::with_key(lee.clone()));
    /// # let made = engine.create_virtual_device(by_lee(), account, Path::root(), DeviceName::new("phone")?).await?;
    /// # let serial = made.value.serial.clone();
    /// # let secret = totp_rs::Secret::try_from_base32(made.value.base32().as_str()).unwrap();
    /// # let phone = totp_rs::Builder::new().with_secret(secret).with_account_name("x").build()?;
    /// # let now = engine.now().secs();
    /// # let shown = |seconds: u64| Code::parse(&phone.generate(seconds).to_string()).unwrap();
    /// assert_eq!(engine.virtual_devices(account, Assignment::Unassigned, None, 100)[0].serial, serial);
    /// assert!(engine.virtual_devices(account, Assignment::Assigned, None, 100).is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn virtual_devices(
        &self,
        account: AccountId,
        which: Assignment,
        after: Option<&Serial>,
        limit: usize,
    ) -> Vec<DeviceView> {
        let (now, shared) = (self.now(), &self.runtime.shared);
        let limit = limit.min(PAGE_MAX);
        shared.views(|views| views.virtual_devices(account, which, after, limit, (now, &shared.policies)))
    }

    /// Whether every query knows of what an [`Ack`](crate::Ack) with this position acknowledged. On one node it
    /// always does.
    ///
    /// ```
    /// # use countersign::*;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let engine = Countersign::in_memory(Config::default())?;
    /// # let operator = || Request::by(Caller::operator());
    /// # let account: AccountId = "123456789012".parse()?;
    /// let ack = engine.open_account(operator(), account, DeviceName::new("root")?).await?;
    /// assert!(engine.has_folded(ack.position));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn has_folded(&self, position: Position) -> bool {
        self.runtime.shared.views(|views| views.folded >= position.0)
    }
}
