//! What gateways report: matched to the message that it is about, and recorded once.

use std::sync::Arc;

use countersign_domain::ids::{ChallengeId, PrincipalId};
use countersign_domain::sms::{MessageId, RouteName};

use super::door::{BUSY_MS, Door};
use super::pause::pause;
use crate::error::Error;
use crate::principal::CeremonyWork;
use crate::shared::Shared;
use crate::transports::SmsReceipt;

/// Takes a report. One of a message that nobody knows waits for two minutes, in memory: it may be quicker than the
/// gateway's own answer; then it is forgotten.
///
/// # Errors
/// When it cannot be recorded now.
pub(crate) async fn receive(
    shared: &Arc<Shared>,
    door: &Door,
    route: &RouteName,
    receipt: SmsReceipt,
) -> Result<(), Error> {
    if let Some(about) = find(shared, route, &receipt) {
        return record(door, about, &receipt).await;
    }
    let id = receipt.message_id.clone();
    // No message can be called so.
    if MessageId::new(&id).is_none() {
        return Ok(());
    }
    shared.sms.park(shared.clock.now(), route, receipt.clone());
    // The answer may have come meanwhile, and found nothing to take along.
    match find(shared, route, &receipt) {
        Some(about) => take_along(shared, door, route, about, &id).await,
        None => Ok(()),
    }
}

/// Takes a report that a gateway sent by itself, and tries to record it until the engine closes or fails.
pub(crate) async fn hear(shared: &Arc<Shared>, door: &Door, route: &RouteName, receipt: SmsReceipt) {
    loop {
        match receive(shared, door, route, receipt.clone()).await {
            Ok(()) => return,
            Err(error) if error.is_retryable() => pause(&*shared.clock, BUSY_MS).await,
            Err(error) => {
                tracing::warn!(%route, %error, "a delivery report was not recorded");
                return;
            }
        }
    }
}

/// Records the reports that came before a message was known.
pub(crate) async fn take_along(
    shared: &Arc<Shared>,
    door: &Door,
    route: &RouteName,
    about: (PrincipalId, ChallengeId),
    message_id: &str,
) -> Result<(), Error> {
    for receipt in shared.sms.unpark(route, message_id) {
        record(door, about.clone(), &receipt).await?;
    }
    Ok(())
}

fn find(shared: &Shared, route: &RouteName, receipt: &SmsReceipt) -> Option<(PrincipalId, ChallengeId)> {
    shared.views(|views| {
        let row = views.sms.by_message_id(route, &receipt.message_id)?;
        Some((views.id_of(row.principal)?, row.challenge))
    })
}

async fn record(
    door: &Door,
    (principal, challenge): (PrincipalId, ChallengeId),
    receipt: &SmsReceipt,
) -> Result<(), Error> {
    let work = CeremonyWork::ReportSms { challenge, delivery: receipt.delivery };
    match door.ask(principal, work).await {
        // The principal is gone, or has had many messages since: there is nobody to record it of.
        Err(error) if error.rejection().is_some() => Ok(()),
        answer => answer.map(|_| ()),
    }
}
