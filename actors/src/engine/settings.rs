//! What an account chooses (A16, R5, R130).

use countersign_domain::decide::Setting;
use countersign_domain::ids::AccountId;
use countersign_domain::policy::Policy;
use countersign_domain::settings::{AccountAlias, Preset, SmsEligibility};

use super::Countersign;
use crate::answer::{Ack, Request};
use crate::error::Error;
use crate::ledger::{LedgerKey, LedgerWork};

impl Countersign {
    /// Gives an account another alias, or none. An alias belongs to one account.
    ///
    /// Who of the account may change settings is the platform's to say.
    ///
    /// # Errors
    /// `AccountUnknown`, `AliasTaken`, `ChannelNotAllowed` to who is of another account.
    ///
    /// ```
    /// # use countersign::*;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let engine = Countersign::in_memory(Config::default())?;
    /// # let operator = || Request::by(Caller::operator());
    /// # let account: AccountId = "123456789012".parse()?;
    /// # engine.open_account(operator(), account, DeviceName::new("root")?).await?;
    /// engine.set_alias(operator(), account, Some(AccountAlias::new("example-corp")?)).await?;
    /// assert_eq!(engine.account_of_alias("example-corp"), Some(account));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn set_alias(
        &self,
        request: Request,
        account: AccountId,
        alias: Option<AccountAlias>,
    ) -> Result<Ack<()>, Error> {
        self.change(request, account, Setting::Alias(alias)).await
    }

    /// Says who of an account may enable SMS devices (R126, A16).
    ///
    /// # Errors
    /// `AccountUnknown`, `ChannelNotAllowed`.
    ///
    /// ```
    /// # use countersign::*;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let engine = Countersign::in_memory(Config::default())?;
    /// # let operator = || Request::by(Caller::operator());
    /// # let account: AccountId = "123456789012".parse()?;
    /// # engine.open_account(operator(), account, DeviceName::new("root")?).await?;
    /// engine.set_sms_eligibility(operator(), account, SmsEligibility::Ending).await?;
    /// assert_eq!(engine.account(account).unwrap().settings.sms, SmsEligibility::Ending);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn set_sms_eligibility(
        &self,
        request: Request,
        account: AccountId,
        eligibility: SmsEligibility,
    ) -> Result<Ack<()>, Error> {
        self.change(request, account, Setting::Sms(eligibility)).await
    }

    /// Switches root's sign-in by e-mail and phone on or off (R130 b). Root's own to say, or the operator's.
    ///
    /// # Errors
    /// `AccountUnknown`, `ChannelNotAllowed`.
    ///
    /// ```
    /// # use countersign::*;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let engine = Countersign::in_memory(Config::default())?;
    /// # let operator = || Request::by(Caller::operator());
    /// # let account: AccountId = "123456789012".parse()?;
    /// # engine.open_account(operator(), account, DeviceName::new("root")?).await?;
    /// engine.allow_alternative_factors(operator(), account, false).await?;
    /// assert!(!engine.recovery_allowed(&PrincipalId::Root(account)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn allow_alternative_factors(
        &self,
        request: Request,
        account: AccountId,
        allowed: bool,
    ) -> Result<Ack<()>, Error> {
        self.change(request, account, Setting::AlternativeFactors(allowed)).await
    }

    /// Has an account go by other rules; `None` is the deployment's. The length of a time step stays the deployment's.
    ///
    /// # Errors
    /// `AccountUnknown`, `ChannelNotAllowed`.
    ///
    /// ```
    /// # use countersign::*;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let engine = Countersign::in_memory(Config::default())?;
    /// # let operator = || Request::by(Caller::operator());
    /// # let account: AccountId = "123456789012".parse()?;
    /// # engine.open_account(operator(), account, DeviceName::new("root")?).await?;
    /// engine.choose_policy(operator(), account, Some(Preset::Modern)).await?;
    /// assert_eq!(engine.policy_of(account).devices_per_principal_max, 8);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn choose_policy(
        &self,
        request: Request,
        account: AccountId,
        preset: Option<Preset>,
    ) -> Result<Ack<()>, Error> {
        self.change(request, account, Setting::Policy(preset)).await
    }

    /// Says that the root user of another account has the same e-mail address (R5). Once both accounts say so of
    /// each other, each root sign-in asks for the other's device as well, if that shows codes (A6).
    ///
    /// # Errors
    /// `AccountUnknown`, `ChannelNotAllowed`.
    ///
    /// ```
    /// # use countersign::*;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let engine = Countersign::in_memory(Config::default())?;
    /// # let operator = || Request::by(Caller::operator());
    /// # let (one, two): (AccountId, AccountId) = ("123456789012".parse()?, "123456789013".parse()?);
    /// # engine.open_account(operator(), one, DeviceName::new("root")?).await?;
    /// # engine.open_account(operator(), two, DeviceName::new("root")?).await?;
    /// engine.link_root(operator(), one, Some(two)).await?;
    /// engine.link_root(operator(), two, Some(one)).await?;
    /// assert_eq!(engine.account(one).unwrap().settings.associate, Some(two));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn link_root(
        &self,
        request: Request,
        account: AccountId,
        associate: Option<AccountId>,
    ) -> Result<Ack<()>, Error> {
        self.change(request, account, Setting::Associate(associate)).await
    }

    /// The account of an alias.
    ///
    /// ```
    /// # let engine = countersign::Countersign::in_memory(countersign::Config::default()).unwrap();
    /// assert_eq!(engine.account_of_alias("nobody"), None);
    /// ```
    #[must_use]
    pub fn account_of_alias(&self, alias: &str) -> Option<AccountId> {
        let alias = AccountAlias::new(alias).ok()?;
        self.runtime.shared.views(|views| views.account_of_alias(&alias))
    }

    /// The rules that hold for an account: those that it chose, or the deployment's.
    ///
    /// ```
    /// # let engine = countersign::Countersign::in_memory(countersign::Config::default()).unwrap();
    /// let account = "123456789012".parse().unwrap();
    /// assert_eq!(engine.policy_of(account), engine.policy());
    /// ```
    #[must_use]
    pub fn policy_of(&self, account: AccountId) -> &Policy {
        self.runtime.shared.policies.of(Some(account))
    }

    async fn change(&self, request: Request, account: AccountId, setting: Setting) -> Result<Ack<()>, Error> {
        self.ledger(LedgerKey::Account(account), request, LedgerWork::Change { setting }).await
    }
}
