//! Reports of a webhook gateway.

use countersign::{SmsCallback, SmsCallbackError, SmsDelivery, SmsReceipt};
use serde::Deserialize;

use super::TOLERANCE;
use super::secret::Secrets;
use crate::outcome::message_id;

/// The longest report that is read, in bytes.
const REPORT_MAX: usize = 16 * 1024;

/// A report as a gateway writes it. A name that is there twice is refused; one that we do not know is not read.
#[derive(Deserialize)]
struct Report {
    message_id: String,
    status: String,
}

pub(super) fn read(secrets: &Secrets, callback: &SmsCallback<'_>) -> Result<Option<SmsReceipt>, SmsCallbackError> {
    let header = |name| callback.header(name).ok_or(SmsCallbackError::Signature);
    let (id, timestamp, signatures) =
        (header("webhook-id")?, header("webhook-timestamp")?, header("webhook-signature")?);
    if callback.body.len() > REPORT_MAX {
        return Err(SmsCallbackError::Malformed);
    }
    if !secrets.verify(id, timestamp, signatures, callback.body) {
        return Err(SmsCallbackError::Signature);
    }
    let signed_at_s = seconds(timestamp).ok_or(SmsCallbackError::Malformed)?;
    if signed_at_s.abs_diff(callback.now.0 / 1_000) > TOLERANCE.as_secs() {
        return Err(SmsCallbackError::Stale);
    }
    let report: Report = serde_json::from_slice(callback.body).map_err(|_| SmsCallbackError::Malformed)?;
    let message_id = message_id(&report.message_id).ok_or(SmsCallbackError::Malformed)?;
    Ok(delivery(&report.status).map(|delivery| SmsReceipt { message_id, delivery }))
}

/// Digits only: no sign and no spaces, which a number in Rust may have.
fn seconds(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

fn delivery(status: &str) -> Option<SmsDelivery> {
    match status {
        "enroute" => Some(SmsDelivery::Enroute),
        "unknown" => Some(SmsDelivery::Unknown),
        "delivered" => Some(SmsDelivery::Delivered),
        "undeliverable" => Some(SmsDelivery::Undeliverable),
        "expired" => Some(SmsDelivery::Expired),
        "rejected" => Some(SmsDelivery::Rejected),
        "deleted" => Some(SmsDelivery::Deleted),
        _ => None,
    }
}
