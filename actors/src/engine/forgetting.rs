//! Forgetting who was removed.

use countersign_domain::event::ForgetReason;
use countersign_domain::ids::{PrincipalId, UnixMillis};
use countersign_domain::rejection::Rejection;

use super::{Countersign, acked};
use crate::answer::{Ack, Request};
use crate::error::Error;
use crate::ledger::LedgerKey;
use crate::principal::PrincipalWork;

/// Devices that are deleted on the way, at most: an account has no more.
const LEFT_BEHIND_MAX: usize = 5000;

impl Countersign {
    /// Forgets a principal that was removed: the keys of all that is about it and nobody else are destroyed.
    ///
    /// That is its own history, wrong passwords that were typed for it, its security keys and telephone numbers, the
    /// seeds of its devices, and the streams of the host's own records that `records` names. Every hash, chain and proof
    /// goes on to hold. What is derived from the log is thrown away and written afresh without it. Virtual devices that
    /// only it ever had are deleted on the way. A tombstone stays, with nothing of the person in it.
    ///
    /// Only the operator forgets. A principal that is still there has to be removed first, by
    /// [`Self::remove_user`]: nobody is forgotten by mistake while they can sign in.
    ///
    /// # Errors
    /// `ChannelNotAllowed`, `PrincipalUnknown`, `PrincipalNotRemoved`, `TooMuchToForget`.
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
    /// engine.remove_user(operator(), &lee, Removal::TakeDevices).await?;
    /// engine.forget(operator(), &lee, ForgetReason::Requested, &[]).await?;
    /// assert!(engine.forgotten_at(&lee).is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn forget(
        &self,
        request: Request,
        principal: &PrincipalId,
        reason: ForgetReason,
        records: &[&str],
    ) -> Result<Ack<()>, Error> {
        let records: Vec<_> = records.iter().map(|name| LedgerKey::host_stream(name)).collect();
        for _left in 0..LEFT_BEHIND_MAX {
            let work = PrincipalWork::Forget { reason, records: records.clone() };
            let refused = match self.principal_work(principal, request.clone(), work).await {
                Ok(answer) => return Ok(acked((), &answer)),
                Err(error) => error,
            };
            let Some(Rejection::DeviceLeftBehind { serial }) = refused.rejection() else { return Err(refused) };
            let delete = Request::by(request.caller.clone());
            self.delete_virtual_device(delete, principal.account(), serial).await?;
        }
        Err(Rejection::TooMuchToForget.into())
    }

    /// When a principal was forgotten; `None` when it was not. Nothing else is known of one that was.
    ///
    /// ```
    /// # use countersign::*;
    /// let engine = Countersign::in_memory(Config::default())?;
    /// let nobody = PrincipalId::User("123456789012".parse()?, UserId::new("AIDALEE")?);
    /// assert_eq!(engine.forgotten_at(&nobody), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn forgotten_at(&self, principal: &PrincipalId) -> Option<UnixMillis> {
        self.runtime.shared.views(|views| views.forgotten_at(principal))
    }
}
