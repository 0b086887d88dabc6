//! Text for people: instants, and what must not reach a terminal.

use chrono::{DateTime, SecondsFormat, Utc};
use countersign_domain::ids::UnixMillis;

use crate::ask::plain;

/// Characters of one value that are shown; what is longer is cut.
const SHOWN_MAX: usize = 512;

/// An instant in UTC, with milliseconds where there are any.
#[must_use]
pub fn instant(at: UnixMillis) -> String {
    let parsed = i64::try_from(at.0).ok().and_then(DateTime::<Utc>::from_timestamp_millis);
    let form = if at.0.is_multiple_of(1000) { SecondsFormat::Secs } else { SecondsFormat::Millis };
    parsed.map_or_else(|| format!("{} ms", at.0), |parsed| parsed.to_rfc3339_opts(form, true))
}

/// A value with nothing in it that a terminal would obey, cut where it is longer than any value of ours.
#[must_use]
pub fn shown(text: &str) -> String {
    plain(&text.chars().take(SHOWN_MAX).collect::<String>())
}

/// A count with its noun: `1 entry`, `2 entries`.
#[must_use]
pub fn counted(count: u64, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_shown() {
        assert_eq!(shown("a\u{1b}[31mb\u{202e}c\nd\u{7f}"), "a\\u{1b}[31mb\\u{202e}c\\u{a}d\\u{7f}");
        assert_eq!(shown(&"x".repeat(10_000)).len(), SHOWN_MAX);
        assert_eq!(shown("Zoë"), "Zoë");
    }

    #[test]
    fn instants_are_utc_and_have_milliseconds_only_where_there_are_some() {
        assert_eq!(instant(UnixMillis(1_700_000_050_000)), "2023-11-14T22:14:10Z");
        assert_eq!(instant(UnixMillis(1_700_000_050_007)), "2023-11-14T22:14:10.007Z");
        assert_eq!(instant(UnixMillis(u64::MAX)), "18446744073709551615 ms");
    }
}
