//! What a webhook's answer says of a message.

use countersign::{SmsAccepted, SmsFailure};
use serde_json::Value;

use crate::http::HttpAnswer;
use crate::outcome::{message_id, of_status};

pub(crate) fn of_answer(answer: &HttpAnswer) -> Result<SmsAccepted, SmsFailure> {
    let said: Value = answer.body.as_deref().and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default();
    let text = |name: &str| said.get(name).and_then(Value::as_str);
    let failure = match (answer.status, text("reason")) {
        (200..=299 | 409, _) => return Ok(SmsAccepted { message_id: text("message_id").and_then(message_id) }),
        (422, Some("invalid_number")) => SmsFailure::InvalidNumber,
        (422, Some("opted_out")) => SmsFailure::OptedOut,
        _ => of_status(answer),
    };
    let status = answer.status;
    match failure {
        SmsFailure::Unavailable | SmsFailure::Refused => {
            tracing::warn!(status, outcome = %failure, "the webhook did not take a message");
        }
        _ => tracing::debug!(status, outcome = %failure, "the webhook did not take a message"),
    }
    Err(failure)
}
