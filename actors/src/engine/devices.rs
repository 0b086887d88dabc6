//! Devices: their entities, their assignment, their codes.

use countersign_domain::device::{DeviceName, Path, Serial};
use countersign_domain::event::{DeactivateReason, Purpose};
use countersign_domain::ids::{AccountId, PrincipalId};
use countersign_domain::rejection::Rejection;
use countersign_domain::secret::Seed;

use super::{Countersign, acked};
use crate::answer::{Ack, NewVirtualDevice, Proof, Request};
use crate::code::Code;
use crate::error::Error;
use crate::ledger::{LedgerKey, LedgerWork};
use crate::principal::PrincipalWork;
use crate::resident::Given;

/// Bytes of a fresh seed: 320 bits (R15).
const SEED_BYTES: usize = 40;

impl Countersign {
    /// Creates an unassigned virtual device and gives out its secret, this once (R57, R16).
    ///
    /// # Errors
    /// `AccountUnknown`, `DeviceExists`, `AccountDeviceLimit`; a name and path too long for an ARN.
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
    /// let name = DeviceName::new("phone")?;
    /// let device = engine.create_virtual_device(by_lee(), account, Path::root(), name).await?.value;
    /// assert_eq!(device.base32().len(), 64);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn create_virtual_device(
        &self,
        request: Request,
        account: AccountId,
        path: Path,
        name: DeviceName,
    ) -> Result<Ack<NewVirtualDevice>, Error> {
        let serial = Serial::of_virtual(account, &path, &name).map_err(Error::too_large)?;
        let mut bytes = vec![0; SEED_BYTES];
        self.fill_random(&mut bytes)?;
        let seed = Seed::new(bytes).map_err(Error::unavailable)?;
        let work = LedgerWork::CreateVirtual { serial: serial.clone(), seed };
        let answer = self.runtime.ask_ledger(LedgerKey::Account(account), request, work).await?;
        // A retry that comes after the device was used gets no second look at its secret.
        let Some(Given::Seed(seed)) = answer.given.as_deref() else { return Err(Rejection::DeviceExists.into()) };
        let seed = seed.clone();
        let label = format!("{name}@{account}");
        Ok(acked(NewVirtualDevice::new(serial, seed, self.runtime.shared.issuer.clone(), label), &answer))
    }

    /// Deletes an unassigned virtual device and frees its name (R73).
    ///
    /// # Errors
    /// `AccountUnknown`, `DeviceUnknown`, `DeviceAssigned`.
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
    /// engine.delete_virtual_device(operator(), account, &serial).await?;
    /// assert_eq!(engine.device(&serial), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn delete_virtual_device(
        &self,
        request: Request,
        account: AccountId,
        serial: &Serial,
    ) -> Result<Ack<()>, Error> {
        let work = LedgerWork::DeleteVirtual { serial: serial.clone() };
        self.ledger(LedgerKey::Account(account), request, work).await
    }

    /// Puts a hardware token into the inventory, from which any account may enable it (R27, A10).
    ///
    /// # Errors
    /// `DeviceExists`; `DeviceUnknown` for an ARN.
    ///
    /// ```
    /// # use countersign::*;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let engine = Countersign::in_memory(Config::default())?;
    /// # let operator = || Request::by(Caller::operator());
    /// # let account: AccountId = "123456789012".parse()?;
    /// # engine.open_account(operator(), account, DeviceName::new("root")?).await?;
    /// let (serial, seed) = (Serial::new("GAHT12345678")?, Seed::new(vec![7; 20])?);
    /// engine.import_hardware_token(operator(), &serial, seed, "Example Tokens").await?;
    /// assert_eq!(engine.device(&serial).unwrap().kind, DeviceKind::HardwareTotp);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn import_hardware_token(
        &self,
        request: Request,
        serial: &Serial,
        seed: Seed,
        manufacturer: &str,
    ) -> Result<Ack<()>, Error> {
        let manufacturer = manufacturer.chars().filter(|c| !c.is_control()).take(128).collect();
        self.ledger(LedgerKey::Inventory, request, LedgerWork::Import { serial: serial.clone(), seed, manufacturer })
            .await
    }

    /// Takes a hardware token that nobody has enabled out of the inventory, and destroys its seed: it is lost, broken, or
    /// given back to its maker. Until then the seed stays, whoever had the token and was forgotten since.
    ///
    /// The same serial number may be imported again.
    ///
    /// # Errors
    /// `ChannelNotAllowed` to anybody but the operator, `DeviceUnknown`, `DeviceAssigned`.
    ///
    /// ```
    /// # use countersign::*;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let engine = Countersign::in_memory(Config::default())?;
    /// # let operator = || Request::by(Caller::operator());
    /// let (serial, seed) = (Serial::new("GAHT12345678")?, Seed::new(vec![7; 20])?);
    /// engine.import_hardware_token(operator(), &serial, seed, "Example Tokens").await?;
    /// engine.remove_hardware_token(operator(), &serial).await?;
    /// assert_eq!(engine.device(&serial), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn remove_hardware_token(&self, request: Request, serial: &Serial) -> Result<Ack<()>, Error> {
        self.ledger(LedgerKey::Inventory, request, LedgerWork::RemoveToken { serial: serial.clone() }).await
    }

    /// Enables a device for a principal with two consecutive codes (R62..R67).
    ///
    /// # Errors
    /// In the order of R56: `ChannelNotAllowed`, `SelfManagementNeedsMfa`, `PrincipalUnknown`,
    /// `DeviceUnknown`, `DeviceAlreadyYours`, `DeviceInUse`, `PrincipalDeviceLimit`. A wrong pair is a
    /// refused [`Proof`].
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
    /// let proof = engine.enable(by_lee(), &lee, &serial, shown(now), shown(now + 30)).await?.value;
    /// assert!(proof.is_accepted());
    /// assert_eq!(engine.devices(&lee).len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn enable(
        &self,
        request: Request,
        principal: &PrincipalId,
        serial: &Serial,
        first: Code,
        second: Code,
    ) -> Result<Ack<Proof>, Error> {
        self.proof(principal, request, PrincipalWork::Enable { serial: serial.clone(), first, second }).await
    }

    /// Puts a new device in the place of an old one, without a moment in between (R79).
    ///
    /// # Errors
    /// As [`Self::enable`]; `RotationNotAtomic` under the classic policy, `DeviceNotYours` when the old
    /// device is not the principal's.
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
    /// # let name = DeviceName::new("new")?;
    /// # let new = engine.create_virtual_device(by_lee(), account, Path::root(), name).await?.value;
    /// let error = engine.rotate(by_lee(), &lee, &serial, &new.serial, shown(now), shown(now + 30)).await.unwrap_err();
    /// assert_eq!(error.rejection(), Some(&Rejection::RotationNotAtomic), "the classic policy");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn rotate(
        &self,
        request: Request,
        principal: &PrincipalId,
        old: &Serial,
        new: &Serial,
        first: Code,
        second: Code,
    ) -> Result<Ack<Proof>, Error> {
        let work = PrincipalWork::Rotate { old: old.clone(), new: new.clone(), first, second };
        self.proof(principal, request, work).await
    }

    /// Brings a TOTP device back into sync with two consecutive codes (R109..R117).
    ///
    /// # Errors
    /// `PrincipalUnknown`, `DeviceUnknown`, `DeviceNotYours`, `ChannelNotAllowed`.
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
    /// let proof = engine.resync(by_lee(), &lee, &serial, shown(now + 300), shown(now + 330)).await?.value;
    /// assert!(proof.is_accepted());
    /// assert!(engine.devices(&lee)[0].offset_steps >= 10, "the phone is five minutes ahead");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn resync(
        &self,
        request: Request,
        principal: &PrincipalId,
        serial: &Serial,
        first: Code,
        second: Code,
    ) -> Result<Ack<Proof>, Error> {
        self.proof(principal, request, PrincipalWork::Resync { serial: serial.clone(), first, second }).await
    }

    /// Takes a device from its principal; no code is needed (R68..R72).
    ///
    /// # Errors
    /// `SelfManagementNeedsMfa`, `PrincipalUnknown`, `DeviceUnknown`, `ChannelNotAllowed`,
    /// `DeviceNotYours`.
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
    /// engine.deactivate(by_lee(), &lee, &serial, DeactivateReason::Lost).await?;
    /// assert!(engine.devices(&lee).is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn deactivate(
        &self,
        request: Request,
        principal: &PrincipalId,
        serial: &Serial,
        reason: DeactivateReason,
    ) -> Result<Ack<()>, Error> {
        let work = PrincipalWork::Deactivate { serial: serial.clone(), reason };
        let answer = self.principal_work(principal, request, work).await?;
        Ok(acked((), &answer))
    }

    /// Verifies a single code; an accepted one is spent (R86..R91).
    ///
    /// # Errors
    /// `PrincipalUnknown`, `DeviceNotYours`, `ClockWentBack`. A wrong, used, early or late code is a
    /// refused [`Proof`], and so is any code while the device is locked.
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
    /// let verify = || engine.verify_code(by_lee(), &lee, &serial, shown(now + 60), Purpose::SignIn);
    /// assert!(verify().await?.value.is_accepted());
    /// assert!(!verify().await?.value.is_accepted(), "the same code again");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn verify_code(
        &self,
        request: Request,
        principal: &PrincipalId,
        serial: &Serial,
        code: Code,
        purpose: Purpose,
    ) -> Result<Ack<Proof>, Error> {
        self.proof(principal, request, PrincipalWork::Verify { serial: serial.clone(), code, purpose }).await
    }
}
