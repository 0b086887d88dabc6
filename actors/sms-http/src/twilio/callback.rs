//! Reports of Twilio: their signature, and what they say.
//!
//! The signature is base64 of HMAC-SHA1, under the auth token, over the whole address that was asked for and then each
//! parameter's name and value, in the order of the names (Twilio, "Validating requests are coming from Twilio").

use countersign::{SmsCallback, SmsCallbackError, SmsDelivery, SmsReceipt};
use data_encoding::BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

use crate::address::with_and_without_port;
use crate::form;
use crate::outcome::message_id;

/// The longest report that is read, in bytes; one has about five hundred.
const REPORT_MAX: usize = 16 * 1024;

pub(super) fn read(token: &str, callback: &SmsCallback<'_>) -> Result<Option<SmsReceipt>, SmsCallbackError> {
    let signature = callback.header("X-Twilio-Signature").ok_or(SmsCallbackError::Signature)?;
    if callback.body.len() > REPORT_MAX {
        return Err(SmsCallbackError::Malformed);
    }
    let signature = BASE64.decode(signature.as_bytes()).map_err(|_| SmsCallbackError::Signature)?;
    // What cannot be read has no signature to compare: it is over what was read.
    let parameters = form::decode(callback.body).ok_or(SmsCallbackError::Malformed)?;
    // Twilio signs the address with its port or without it, whatever the request said.
    let genuine = |url: &String| {
        let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(token.as_bytes()) else { return false };
        mac.update(url.as_bytes());
        for (name, value) in &parameters {
            mac.update(name.as_bytes());
            mac.update(value.as_bytes());
        }
        mac.verify_slice(&signature).is_ok()
    };
    if !with_and_without_port(callback.url).iter().any(genuine) {
        return Err(SmsCallbackError::Signature);
    }
    let Some(delivery) = parameters.get("MessageStatus").and_then(|status| delivery(status)) else {
        return Ok(None);
    };
    let message_id = parameters.get("MessageSid").and_then(|sid| message_id(sid)).ok_or(SmsCallbackError::Malformed)?;
    Ok(Some(SmsReceipt { message_id, delivery }))
}

fn delivery(status: &str) -> Option<SmsDelivery> {
    match status {
        "accepted" | "queued" | "scheduled" | "sending" | "sent" => Some(SmsDelivery::Enroute),
        "delivered" | "read" => Some(SmsDelivery::Delivered),
        "undelivered" => Some(SmsDelivery::Undeliverable),
        "failed" => Some(SmsDelivery::Rejected),
        "canceled" => Some(SmsDelivery::Deleted),
        _ => None,
    }
}
