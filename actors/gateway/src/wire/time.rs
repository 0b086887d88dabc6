//! Instants as the API writes them.

use chrono::{DateTime, SecondsFormat, Utc};

/// The instant of some milliseconds since the epoch; the last one that a calendar can show, past that.
#[must_use]
pub fn at_ms(unix_ms: u64) -> DateTime<Utc> {
    i64::try_from(unix_ms).ok().and_then(DateTime::from_timestamp_millis).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// ISO 8601 in UTC with whole seconds and a `Z` (R66, R209).
#[must_use]
pub fn iso8601(unix_ms: u64) -> String {
    at_ms(unix_ms).to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_seconds_and_no_panic_at_the_end_of_time() {
        assert_eq!(iso8601(1_574_586_133_999), "2019-11-24T09:02:13Z");
        assert_eq!(iso8601(0), "1970-01-01T00:00:00Z");
        assert!(iso8601(u64::MAX).ends_with('Z'));
    }
}
