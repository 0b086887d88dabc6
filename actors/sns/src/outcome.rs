//! What SNS's answer says of a message.

use aws_sdk_sns::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_sns::operation::publish::{PublishError, PublishOutput};
use countersign::{SmsAccepted, SmsFailure};
use countersign_sms_http::failure_of_status;
use countersign_sms_http::http::HttpFailure;

type Published = Result<PublishOutput, SdkError<PublishError>>;

/// Errors that say that too much was asked.
const THROTTLED: [&str; 11] = [
    "Throttling",
    "ThrottlingException",
    "Throttled",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "LimitExceeded",
    "SlowDown",
    "BandwidthLimitExceeded",
];

/// Errors about who asks, whatever the status.
const NOT_KNOWN: [&str; 14] = [
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSecurity",
    "MissingAuthenticationToken",
    "OptInRequired",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

pub(crate) fn of(published: Published) -> Result<SmsAccepted, SmsFailure> {
    let error = match published {
        Ok(output) => return Ok(SmsAccepted { message_id: output.message_id.filter(|id| is_kept(id)) }),
        Err(error) => error,
    };
    let status = error.raw_response().map(|response| response.status().as_u16());
    if status.is_some_and(|status| (200..=299).contains(&status)) {
        return Ok(SmsAccepted { message_id: None });
    }
    let failure = of_error(&error, status);
    let code = error.as_service_error().and_then(|error| error.code()).filter(|code| is_code(code));
    match failure {
        SmsFailure::Unavailable | SmsFailure::Refused => {
            tracing::warn!(status, code, outcome = %failure, "SNS did not take a message");
        }
        _ => tracing::debug!(status, code, outcome = %failure, "SNS did not take a message"),
    }
    Err(failure)
}

fn of_error(error: &SdkError<PublishError>, status: Option<u16>) -> SmsFailure {
    match (error, status) {
        (SdkError::ServiceError(service), Some(status)) => of_service_error(service.err(), status),
        (_, Some(status)) => failure_of_status(status, None),
        (SdkError::DispatchFailure(dispatch), None) => {
            match dispatch.as_connector_error().and_then(|error| carried(error)) {
                Some(HttpFailure::NoAnswer) => SmsFailure::Unknown,
                // What is not from the carrier comes before it: no credentials, no endpoint, no signature.
                Some(HttpFailure::NotReached) | None => SmsFailure::Unavailable,
            }
        }
        (SdkError::ConstructionFailure(_), None) => SmsFailure::Unavailable,
        _ => SmsFailure::Unknown,
    }
}

/// The carrier's own word, wherever it is in the chain.
fn carried(error: &(dyn std::error::Error + 'static)) -> Option<HttpFailure> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(failure) = error.downcast_ref::<HttpFailure>() {
            return Some(*failure);
        }
        next = error.source();
    }
    None
}

fn of_service_error(error: &PublishError, status: u16) -> SmsFailure {
    let code = error.code().unwrap_or_default();
    let message = error.message().unwrap_or_default().to_ascii_lowercase();
    let about = |what: &[&str]| what.iter().any(|what| message.contains(what));
    // A server's failure is not about the message, whatever it says.
    if status >= 500 {
        return failure_of_status(status, None);
    }
    if THROTTLED.contains(&code) {
        return SmsFailure::Throttled { retry_after: None };
    }
    if NOT_KNOWN.contains(&code) {
        return SmsFailure::Unavailable;
    }
    match code {
        "OptedOut" | "OptedOutException" => SmsFailure::OptedOut,
        "InvalidParameter" | "InvalidParameterValue" | "ParameterValueInvalid" | "ValidationException" => {
            if about(&["opted out", "opted-out"]) {
                SmsFailure::OptedOut
            } else if about(&["phonenumber", "phone number"]) {
                SmsFailure::InvalidNumber
            } else {
                SmsFailure::Refused
            }
        }
        _ => failure_of_status(status, None),
    }
}

/// A name of a message that can be kept: 1 to 64 visible ASCII characters.
fn is_kept(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A code that is a name, and so nothing that a server echoes.
fn is_code(code: &str) -> bool {
    code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphabetic())
}
