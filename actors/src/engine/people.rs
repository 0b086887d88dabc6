//! Accounts and their users.

use countersign_domain::decide::Removal;
use countersign_domain::device::{DeviceName, Path};
use countersign_domain::ids::{AccountId, PrincipalId, UserId};

use super::{Countersign, acked};
use crate::answer::{Ack, Request};
use crate::error::Error;
use crate::ledger::{LedgerKey, LedgerWork};
use crate::principal::PrincipalWork;

impl Countersign {
    /// Opens an account together with its root user.
    ///
    /// # Errors
    /// `AccountExists`; see [`Error`] for what any command may meet.
    ///
    /// ```
    /// # use countersign::*;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let engine = Countersign::in_memory(Config::default())?;
    /// # let operator = || Request::by(Caller::operator());
    /// # let account: AccountId = "123456789012".parse()?;
    /// engine.open_account(operator(), account, DeviceName::new("root")?).await?;
    /// assert_eq!(engine.accounts(), [account]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn open_account(
        &self,
        request: Request,
        account: AccountId,
        root_name: DeviceName,
    ) -> Result<Ack<()>, Error> {
        self.ledger(LedgerKey::Account(account), request, LedgerWork::Open { root_name }).await
    }

    /// Registers a user under a name that nobody in the account has, whatever its case (R9).
    ///
    /// # Errors
    /// `AccountUnknown`, `PrincipalExists`, `NameTaken`, `AccountUserLimit`.
    ///
    /// ```
    /// # use countersign::*;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let engine = Countersign::in_memory(Config::default())?;
    /// # let operator = || Request::by(Caller::operator());
    /// # let account: AccountId = "123456789012".parse()?;
    /// # engine.open_account(operator(), account, DeviceName::new("root")?).await?;
    /// let (id, name) = (UserId::new("AIDALEE")?, DeviceName::new("lee")?);
    /// engine.register_user(operator(), account, id, name, Path::new("/team/")?).await?;
    /// assert_eq!(engine.account(account).unwrap().users, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn register_user(
        &self,
        request: Request,
        account: AccountId,
        id: UserId,
        name: DeviceName,
        path: Path,
    ) -> Result<Ack<()>, Error> {
        let id = PrincipalId::User(account, id);
        self.ledger(LedgerKey::Account(account), request, LedgerWork::Register { id, name, path }).await
    }

    /// Gives a user another name or path; it keeps its devices (R10).
    ///
    /// # Errors
    /// `PrincipalUnknown`, `NameTaken`.
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
    /// engine.rename_user(operator(), &lee, DeviceName::new("leigh")?, Path::root()).await?;
    /// assert_eq!(engine.user_named(account, "leigh").unwrap().id, lee);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn rename_user(
        &self,
        request: Request,
        principal: &PrincipalId,
        name: DeviceName,
        path: Path,
    ) -> Result<Ack<()>, Error> {
        let answer = self.principal_work(principal, request, PrincipalWork::Rename { name, path }).await?;
        Ok(acked((), &answer))
    }

    /// Removes a user for good and frees its name; a new user of that name inherits nothing (R10, R76).
    ///
    /// # Errors
    /// `PrincipalUnknown`, `PrincipalHasDevices`.
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
    /// engine.remove_user(operator(), &lee, Removal::RefuseWithDevices).await?;
    /// assert_eq!(engine.principal(&lee), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn remove_user(
        &self,
        request: Request,
        principal: &PrincipalId,
        removal: Removal,
    ) -> Result<Ack<()>, Error> {
        let answer = self.principal_work(principal, request, PrincipalWork::Remove { removal }).await?;
        Ok(acked((), &answer))
    }
}
