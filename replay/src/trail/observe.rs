//! One record of CloudTrail, from wherever somebody has it.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::input::canonical;
use super::record::Record;
use crate::event::{Cite, Observed};
use crate::time::Time;

/// Why a record says nothing that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unobserved {
    /// It has no `eventTime` that can be read.
    NoTime,
    /// It holds a name that is longer than any name is.
    NameTooLong,
}

impl fmt::Display for Unobserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoTime => "a record has no time that can be read",
            Self::NameTooLong => "a name is too long",
        })
    }
}

impl std::error::Error for Unobserved {}

/// Reads what one record of CloudTrail says about MFA; nothing, if it says nothing about it.
///
/// The record is the object with `eventName`, without the list or the envelope that it was delivered in. Whoever reads
/// records in this way gives each once: copies and addenda are found by [`load`](super::load) only.
///
/// # Errors
/// When the record has no time, or a name that is longer than any name is.
///
/// Fold, and ask, on any iterator of records:
///
/// ```
/// use countersign_replay::ask::{StateQuery, Told, state};
/// use countersign_replay::fold::fold;
/// use countersign_replay::trail::observe;
///
/// let record = serde_json::json!({
///     "eventTime": "2024-05-01T09:00:00Z", "eventSource": "iam.amazonaws.com", "eventName": "EnableMFADevice",
///     "eventID": "7d1f", "recipientAccountId": "123456789012",
///     "userIdentity": {"type": "IAMUser", "accountId": "123456789012", "userName": "lee"},
///     "requestParameters": {"userName": "lee", "serialNumber": "GAHT00000001"},
/// });
/// let events: Result<Vec<_>, _> = [record].iter().map(observe).collect();
/// let told = Told { history: fold(events?.into_iter().flatten()), ..Told::default() };
/// let lee = &state(&told, &StateQuery::default()).principals[0];
/// assert_eq!((lee.status.name(), &*lee.citations[0]), ("enabled", "7d1f"));
/// # Ok::<(), countersign_replay::trail::Unobserved>(())
/// ```
pub fn observe(record: &Value) -> Result<Vec<Observed>, Unobserved> {
    let text = |key| record.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let at: Time = text("eventTime").and_then(|time| time.parse().ok()).ok_or(Unobserved::NoTime)?;
    let cite = Cite { event_id: text("eventID").map(Arc::from), body: canonical(record), ..Cite::default() };
    Record::new(record, at, cite).observed().map_err(|_| Unobserved::NameTooLong)
}
