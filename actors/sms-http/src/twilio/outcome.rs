//! What Twilio's answer says of a message.

use std::time::Duration;

use countersign::{SmsAccepted, SmsFailure};
use serde_json::Value;

use crate::http::HttpAnswer;
use crate::outcome::{message_id, of_status};

pub(crate) fn of_answer(answer: &HttpAnswer) -> Result<SmsAccepted, SmsFailure> {
    let said: Value = answer.body.as_deref().and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default();
    if (200..=299).contains(&answer.status) {
        return match said.get("error_code").and_then(code) {
            Some(code) => Err(warned(answer.status, Some(code), of_code(code).unwrap_or(SmsFailure::Refused))),
            None => Ok(SmsAccepted { message_id: said.get("sid").and_then(Value::as_str).and_then(message_id) }),
        };
    }
    let code = said.get("code").and_then(code);
    let by_status = of_status(answer);
    let by_code = code.filter(|_| (400..=499).contains(&answer.status)).and_then(of_code);
    let failure = match (by_code, by_status) {
        // The status brings the pause along.
        (Some(SmsFailure::Throttled { .. }), SmsFailure::Throttled { .. }) | (None, _) => by_status,
        (Some(by_code), _) => by_code,
    };
    Err(warned(answer.status, code, failure))
}

/// A code as a number, or as a text of digits.
fn code(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok()).filter(|code| *code != 0)
}

/// Codes that say more than the status (Twilio's error dictionary).
fn of_code(code: u64) -> Option<SmsFailure> {
    match code {
        21211 | 21214 | 21614 => Some(SmsFailure::InvalidNumber),
        21610 => Some(SmsFailure::OptedOut),
        // It comes with status 429, but no code lives until the day is over.
        63038 => Some(SmsFailure::Refused),
        20429 | 21611 => Some(SmsFailure::Throttled { retry_after: None::<Duration> }),
        _ => None,
    }
}

fn warned(status: u16, code: Option<u64>, failure: SmsFailure) -> SmsFailure {
    match failure {
        SmsFailure::Unavailable | SmsFailure::Refused => {
            tracing::warn!(status, code, outcome = %failure, "Twilio did not take a message");
        }
        _ => tracing::debug!(status, code, outcome = %failure, "Twilio did not take a message"),
    }
    failure
}
