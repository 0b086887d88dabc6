//! Credential reports: one row a principal, true at the report's time.

use std::io::Read;
use std::sync::Arc;

use data_encoding::BASE64;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::event::{Actor, Cite, Observed, What, Who};
use crate::time::Time;

/// A report is at most this long; AWS allows 5,000 users of about 300 bytes each.
const REPORT_BYTES_MAX: u64 = 64 << 20;
/// The row of root.
const ROOT_NAME: &str = "<root_account>";
/// Why a report without a time is not used.
pub(super) const WITHOUT_TIME: &str = "a credential report that does not tell when it was made; say it with --report-time, or put it into its name, as in report_20240501T100000Z.csv";
/// The first column of every report.
const FIRST_COLUMNS: [&str; 2] = ["user", "arn"];

/// Whether bytes are the beginning of a report.
pub(crate) fn begins(bytes: &[u8]) -> bool {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let plain: Vec<u8> = line.iter().copied().filter(|byte| *byte != b'"' && *byte != b' ').collect();
    let plain = plain.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&plain);
    plain.starts_with(format!("{},", FIRST_COLUMNS.join(",")).as_bytes())
}

/// What is known of when a report was made.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Made {
    /// What somebody said of this one.
    pub(super) said: Option<Time>,
    /// What its name says.
    pub(super) named: Option<Time>,
    /// What somebody said of all that do not tell.
    pub(super) otherwise: Option<Time>,
}

impl Made {
    /// When it was made, given what it says itself.
    pub(super) fn at(self, own: Option<Time>) -> Option<Time> {
        self.said.or(own).or(self.named).or(self.otherwise)
    }
}

/// Reads a report, as JSON wraps it: base64 or plain, with the time of its making.
pub(crate) fn in_json(value: &Value, source: &Arc<str>, known: Made) -> Result<Report, String> {
    let value = value.get("data").filter(|data| data.is_object()).unwrap_or(value);
    let content = value.get("Content").and_then(Value::as_str).ok_or("a credential report without content")?;
    let decoded: Vec<u8> = match begins(content.as_bytes()) {
        true => content.as_bytes().to_vec(),
        false => {
            let packed: Vec<u8> = content.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
            BASE64.decode(&packed).map_err(|_| "the content of a credential report is not base64")?
        }
    };
    let made = value.get("GeneratedTime").and_then(generated);
    read(decoded.as_slice(), source, known.at(made))
}

/// The time of making: a text, or the parts of a date as recorded by a client's test double.
fn generated(value: &Value) -> Option<Time> {
    if let Some(text) = value.as_str() {
        return text.parse().ok();
    }
    let part = |key: &str| value.get(key).and_then(Value::as_u64);
    let (year, month, day) = (part("year")?, part("month")?, part("day")?);
    let (hour, minute, second) = (part("hour")?, part("minute")?, part("second").unwrap_or(0));
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z").parse().ok()
}

/// What a report holds.
pub(crate) struct Report {
    /// What its rows say.
    pub(crate) rows: Vec<Observed>,
    /// Rows that cannot be used, by number from 1, and why.
    pub(crate) unread: Vec<(u64, String)>,
}

/// Whether a column dates what had happened when a report was made; a next rotation had not.
fn is_of_the_past(column: &str) -> bool {
    column == "user_creation_time" || column.contains("_last_")
}

/// The columns of a report, by their places.
struct Columns {
    count: usize,
    user: usize,
    arn: usize,
    mfa: usize,
    password: Option<usize>,
    past: Vec<usize>,
}

impl Columns {
    fn of(header: &csv::ByteRecord) -> Result<Self, String> {
        let names: Vec<String> = header.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
        let plain = |name: &String| name.trim_start_matches('\u{feff}').trim().to_owned();
        let column = |wanted: &str| names.iter().position(|name| plain(name) == wanted);
        let (Some(user), Some(arn), Some(mfa)) = (column("user"), column("arn"), column("mfa_active")) else {
            return Err("a credential report without its columns".to_owned());
        };
        let past = (0..names.len()).filter(|place| is_of_the_past(&plain(&names[*place]))).collect();
        Ok(Self { count: names.len(), user, arn, mfa, password: column("password_enabled"), past })
    }

    /// Who a row is about, whether MFA is active, and whether there is a console password.
    fn read(&self, row: &csv::ByteRecord) -> Result<(Who, bool, Option<bool>), &'static str> {
        if row.len() != self.count {
            return Err("a row that is not as long as the header");
        }
        let field = |column: usize| Ok(str::from_utf8(&row[column]).map_err(|_| "a row that is not UTF-8")?.trim());
        let mfa = flag(field(self.mfa)?).ok_or("a row whose mfa_active is neither true nor false")?;
        let account = field(self.arn)?.split(':').nth(4).filter(|account| !account.is_empty());
        let account = account.ok_or("a row without an account")?;
        let who = match field(self.user)? {
            ROOT_NAME => Who::root(account),
            name => Who::user(account, name),
        };
        let console = self.password.map(field).transpose()?;
        Ok((who, mfa, console.and_then(flag)))
    }

    /// The latest date in a row that was past when the report was made.
    fn latest(&self, row: &csv::ByteRecord) -> Option<Time> {
        self.past.iter().filter_map(|place| str::from_utf8(row.get(*place)?).ok()?.parse().ok()).max()
    }
}

/// Reads a report. Without a time of its own it is no older than the latest date in it, and of unknown delivery.
pub(crate) fn read(source: impl Read, name: &Arc<str>, made: Option<Time>) -> Result<Report, String> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(source.take(REPORT_BYTES_MAX));
    let columns = Columns::of(reader.byte_headers().map_err(|cause| cause.to_string())?)?;
    let (mut rows, mut unread, mut latest) = (Vec::new(), Vec::new(), None);
    for (index, row) in (0_u64..).zip(reader.byte_records()) {
        let row = match row {
            Ok(row) => row,
            Err(cause) => {
                unread.push((index + 1, cause.to_string()));
                break;
            }
        };
        match columns.read(&row) {
            Ok((who, mfa, console)) => {
                latest = latest.max(columns.latest(&row));
                let body = Sha256::digest(row.iter().collect::<Vec<_>>().join(&0x1f)).into();
                rows.push((index, who, mfa, console, body));
            }
            Err(why) => unread.push((index + 1, why.to_owned())),
        }
    }
    let at = match made.or(latest) {
        Some(at) => at,
        None if rows.is_empty() => return Ok(Report { rows: Vec::new(), unread }),
        None => return Err(WITHOUT_TIME.to_owned()),
    };
    let event_id: Arc<str> = Arc::from(format!("credential-report:{at}"));
    let observe = |(index, who, mfa, console, body)| Observed {
        at,
        what: What::StateAnchored { who, mfa, console },
        cite: Cite { event_id: Some(Arc::clone(&event_id)), source: Arc::clone(name), index, delivered: made, body },
        by: Actor::default(),
        position: None,
    };
    Ok(Report { rows: rows.into_iter().map(observe).collect(), unread })
}

fn flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "user,arn,user_creation_time,password_enabled,mfa_active\n\
        <root_account>,arn:aws:iam::012345678901:root,2020-01-01T00:00:00+00:00,not_supported,TRUE\n\
        lee,arn:aws:iam::012345678901:user/x/lee,2020-02-01T00:00:00+00:00,true,False\n";

    #[test]
    fn a_report_is_read_plain_and_in_json() {
        let source = Arc::from("report.csv");
        assert!(begins(REPORT.as_bytes()) && !begins(b"user name,arn\n"));
        let rows = read(REPORT.as_bytes(), &source, None).unwrap().rows;
        assert_eq!(rows[0].what, What::StateAnchored { who: Who::root("012345678901"), mfa: true, console: None });
        let lee = Who::user("012345678901", "lee");
        assert_eq!(rows[1].what, What::StateAnchored { who: lee, mfa: false, console: Some(true) });
        assert_eq!(rows[1].at.to_string(), "2020-02-01T00:00:00Z");
        let packed = BASE64.encode(REPORT.as_bytes());
        let json = serde_json::json!({"Content": packed, "GeneratedTime": "2021-01-01T00:00:00+00:00"});
        let made = in_json(&json, &source, Made::default()).unwrap().rows;
        assert_eq!((made.len(), made[0].at.to_string().as_str()), (2, "2021-01-01T00:00:00Z"));
    }
}
