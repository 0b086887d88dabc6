//! What the status of an answer says of a message, where the gateway says nothing more exact.

use std::time::Duration;

use countersign::SmsFailure;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use crate::http::{HttpAnswer, HttpFailure};

/// The longest pause that a gateway is granted.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60 * 60);

/// The longest name of a message, in bytes: what the engine keeps.
const MESSAGE_ID_MAX: usize = 64;

/// What a status that is no success says of a message, where the gateway says nothing more exact; the modules of the
/// gateways have it as tables.
///
/// ```
/// use countersign::SmsFailure;
/// use countersign_sms_http::failure_of_status;
///
/// assert_eq!(failure_of_status(503, None), SmsFailure::Unavailable);
/// assert_eq!(failure_of_status(502, None), SmsFailure::Unknown);
/// ```
#[must_use]
pub fn failure_of_status(status: u16, retry_after: Option<Duration>) -> SmsFailure {
    match status {
        429 => SmsFailure::Throttled { retry_after },
        // Who we are, or where we ask, is wrong: nothing about the message was looked at.
        300..=399 | 401 | 403 | 404 | 405 | 407 | 410 => SmsFailure::Unavailable,
        // The server did not wait for all of it, or did not want it yet (RFC 9110 15.5.9, RFC 8470).
        408 | 425 => SmsFailure::Unavailable,
        // Our account has no money, or the server does not take requests of this form (RFC 9110 15.5.3, 15.5.7, 15.5.12,
        // 15.5.14, 15.5.16, 15.5.20, 15.5.22; RFC 6585 5), or may not serve us (RFC 7725).
        402 | 406 | 411 | 413 | 415 | 421 | 426 | 431 | 451 => SmsFailure::Unavailable,
        400..=499 => SmsFailure::Refused,
        // It cannot do this, cannot do it now, or was not even asked (RFC 9110 15.6.2, 15.6.4, 15.6.6; RFC 6585).
        501 | 503 | 505 | 511 => SmsFailure::Unavailable,
        // It broke, or somebody before it did: before or after the message was on its way.
        _ => SmsFailure::Unknown,
    }
}

/// What an answer that is no success says by its status alone.
pub(crate) fn of_status(answer: &HttpAnswer) -> SmsFailure {
    failure_of_status(answer.status, retry_after(&answer.headers))
}

pub(crate) fn of_failure(failure: HttpFailure) -> SmsFailure {
    match failure {
        HttpFailure::NotReached => SmsFailure::Unavailable,
        HttpFailure::NoAnswer => SmsFailure::Unknown,
    }
}

/// `Retry-After` in seconds, or as a date, counted from the server's own `Date` (RFC 9110 10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let pause = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Digits that do not fit are a long time.
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        let then = httpdate::parse_http_date(text).ok()?;
        let now = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
        then.duration_since(now).unwrap_or_default()
    };
    Some(pause.min(RETRY_AFTER_MAX))
}

/// A name of a message that can be kept: 1 to 64 visible ASCII characters.
pub(crate) fn message_id(text: &str) -> Option<String> {
    let fits = (1..=MESSAGE_ID_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{HeaderMap, HttpAnswer, SmsFailure, message_id, of_status};
    use std::time::Duration;

    type Headers = &'static [(&'static str, &'static str)];

    fn answer(status: u16, headers: Headers) -> HttpAnswer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        HttpAnswer { status, headers: map, body: None }
    }

    #[test]
    fn every_status_says_something() {
        for status in 0..1_000 {
            let expected = match status {
                429 => SmsFailure::Throttled { retry_after: None },
                301 | 302 | 307 | 308 | 399 | 401 | 403 | 404 | 405 | 407 | 408 | 410 | 425 => SmsFailure::Unavailable,
                402 | 406 | 411 | 413 | 415 | 421 | 426 | 431 | 451 => SmsFailure::Unavailable,
                501 | 503 | 505 | 511 => SmsFailure::Unavailable,
                300..=398 => SmsFailure::Unavailable,
                400..=499 => SmsFailure::Refused,
                _ => SmsFailure::Unknown,
            };
            assert_eq!(of_status(&answer(status, &[])), expected, "{status}");
        }
    }

    #[test]
    fn a_pause_is_seconds_or_a_date_and_has_an_end() {
        const DATE: (&str, &str) = ("date", "Wed, 21 Oct 2015 07:28:00 GMT");
        let cases: [(Headers, Option<u64>); 10] = [
            (&[("retry-after", "7")], Some(7)),
            (&[("retry-after", "0")], Some(0)),
            (&[("retry-after", "99999999999999999999999")], Some(3_600)),
            (&[("retry-after", "86400")], Some(3_600)),
            (&[("retry-after", "-1")], None),
            (&[("retry-after", "")], None),
            (&[("retry-after", "soon")], None),
            (&[DATE, ("retry-after", "Wed, 21 Oct 2015 07:28:30 GMT")], Some(30)),
            (&[DATE, ("retry-after", "Wed, 21 Oct 2015 07:00:00 GMT")], Some(0)),
            (&[("retry-after", "Wed, 21 Oct 2015 07:28:30 GMT")], None),
        ];
        for (headers, seconds) in cases {
            let expected = SmsFailure::Throttled { retry_after: seconds.map(Duration::from_secs) };
            assert_eq!(of_status(&answer(429, headers)), expected, "{headers:?}");
        }
    }

    #[test]
    fn names_of_messages_fit_what_is_kept() {
        assert_eq!(message_id("SM1").as_deref(), Some("SM1"));
        assert_eq!(message_id(&"a".repeat(64)).map(|id| id.len()), Some(64));
        for wrong in [String::new(), "a".repeat(65), "a b".to_owned(), "ü".to_owned(), "a\n".to_owned()] {
            assert_eq!(message_id(&wrong), None);
        }
    }
}
