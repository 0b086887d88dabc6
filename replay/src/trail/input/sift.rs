//! Tells what each object of a file is, and keeps what says something about MFA.

use std::collections::BTreeMap;

use std::sync::Arc;

use memchr::memmem;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::clash::{Different, hash_of};
use super::foreign::{self, Foreign, OTHER_JSON};
use super::items::RECORD_BYTES_MAX;
use super::load::earliest;
use super::scan::{self, Scanned};
use super::{Flaw, Kept, Seen, Sifted, Skip, credential};
use crate::event::{Cite, Observed, Via, What, Who};
use crate::time::Time;
use crate::trail::record::{Record, UNKNOWN_ACCOUNT, is_of_iam, mfa_session};

type Kind = &'static str;

/// One file's records on the way in.
pub(crate) struct Sieve<'a> {
    pub(crate) into: &'a mut Sifted,
    /// The records that all readers have met.
    pub(crate) different: &'a Different,
    pub(crate) source: Arc<str>,
    pub(crate) delivered: Option<Time>,
    /// Records that happened later than they can have been known are left out.
    pub(crate) known_at: Option<Time>,
    pub(crate) index: u64,
    pub(crate) kinds: BTreeMap<Kind, u64>,
    /// What the first thing is that is of no kind.
    pub(super) foreign: Option<Foreign>,
    /// What is known of the time of a credential report.
    pub(super) made: credential::Made,
}

impl Sieve<'_> {
    fn count(&mut self, kind: Kind) {
        *self.kinds.entry(kind).or_default() += 1;
    }

    pub(crate) fn unread(&mut self, why: impl Into<String>) {
        let place = format!("{}, item {}", self.source, self.index);
        self.into.skip(Skip { place, kind: "unread", why: why.into(), harmless: false });
        self.index += 1;
    }

    pub(crate) fn other(&mut self) {
        self.count("other");
        self.foreign.get_or_insert(OTHER_JSON);
        self.index += 1;
    }

    /// Counts an object that is nothing that is read.
    fn foreign(&mut self, bytes: &[u8]) {
        self.count("other");
        self.foreign.get_or_insert_with(|| foreign::of_json(bytes));
    }

    /// Takes an object of the file, whatever it is.
    pub(crate) fn object(&mut self, bytes: &[u8], scanned: &Scanned) {
        let fields = &scanned.fields;
        if fields.digest.is_some() && fields.log_files.is_some() {
            self.count("digest");
        } else if fields.public_keys.is_some() {
            self.count("public_keys");
        } else if let Some(text) = fields.lookup {
            let inner: Option<String> = serde_json::from_slice(text.of(bytes)).ok();
            let inner = inner.as_deref().map(str::as_bytes).and_then(|bytes| Some((bytes, scan::whole(bytes)?)));
            match inner {
                Some((bytes, scanned)) => return self.bare(bytes, &scanned),
                None => return self.unread("a looked-up event that is not JSON"),
            }
        } else if let Some(detail) = fields.detail.map(|span| span.of(bytes)) {
            match scan::whole(detail) {
                Some(scanned) => return self.bare(detail, &scanned),
                None => self.foreign(bytes),
            }
        } else if fields.event_name.is_some() || fields.insight.is_some() {
            return self.bare(bytes, scanned);
        } else if fields.content.is_some() || fields.data.is_some_and(|data| holds(data.of(bytes), b"\"Content\"")) {
            return self.report(bytes);
        } else {
            self.foreign(bytes);
        }
        self.index += 1;
    }

    fn report(&mut self, bytes: &[u8]) {
        let read = serde_json::from_slice::<Value>(bytes).map_err(|_| "not JSON".to_owned());
        match read.and_then(|value| credential::in_json(&value, &self.source, self.made)) {
            Ok(report) => {
                self.rows(report);
                self.index += 1;
            }
            Err(why) => self.unread(why),
        }
    }

    /// Takes the rows of a credential report.
    pub(crate) fn rows(&mut self, report: credential::Report) {
        self.count("credential_report");
        self.into.rows.extend(report.rows);
        for (row, why) in report.unread {
            let place = format!("{}, row {row}", self.source);
            self.into.skip(Skip { place, kind: "unread", why, harmless: false });
        }
    }

    /// Takes an object that is no wrapper: a record, or none.
    fn bare(&mut self, bytes: &[u8], scanned: &Scanned) {
        let fields = &scanned.fields;
        let is = |span: Option<scan::Span>, word: &[u8]| {
            span.and_then(|span| span.text(bytes)).is_some_and(|text| *text == *word)
        };
        let insight = fields.insight.is_some()
            || is(fields.event_type, b"AwsCloudTrailInsight")
            || is(fields.event_category, b"Insight");
        // Samples leave out both; what may have changed somebody's MFA is a record all the same.
        let told = fields.event_time.is_some() || fields.event_id.is_some();
        let record = fields.event_name.is_some() && (told || changes(bytes, scanned));
        if bytes.len() > RECORD_BYTES_MAX {
            return self.unread("too long");
        } else if insight {
            self.count("insight");
        } else if record {
            if let Err(why) = self.record(bytes, scanned) {
                return self.unread(why);
            }
        } else {
            self.foreign(bytes);
        }
        self.index += 1;
    }

    fn record(&mut self, bytes: &[u8], scanned: &Scanned) -> Result<(), &'static str> {
        let fields = &scanned.fields;
        let at = fields.event_time.and_then(|span| span.text(bytes));
        let at: Option<Time> = at.and_then(|text| str::from_utf8(&text).ok()?.parse().ok());
        // Where the file does not tell when it came, a record was known as soon as it happened.
        if self.known_at.is_some_and(|known| self.delivered.or(at).is_some_and(|known_from| known_from > known)) {
            return Ok(());
        }
        self.count("record");
        let event_id = fields.event_id.and_then(|span| span.text(bytes)).filter(|id| !id.is_empty());
        match event_id {
            Some(id) => {
                let seen = Seen { id: hash_of(&id), body: scanned.hash, at: at.unwrap_or(Time(0)) };
                self.into.seen.push(seen);
                self.different.add(&mut self.into.seen);
            }
            None => self.into.nameless += 1,
        }
        let relevant = is_relevant(bytes, scanned);
        let Some(at) = at else { return self.bad_time(bytes) };
        if relevant || fields.addendum.is_some() {
            self.keep(bytes, scanned, at)
        } else {
            self.session(bytes, scanned, at)
        }
    }

    fn cite(&self, value: &Value) -> Cite {
        let event_id = value.get("eventID").and_then(Value::as_str).filter(|id| !id.is_empty()).map(Arc::from);
        let (source, delivered) = (Arc::clone(&self.source), self.delivered);
        Cite { event_id, source, index: self.index, delivered, body: canonical(value) }
    }

    fn bad_time(&mut self, bytes: &[u8]) -> Result<(), &'static str> {
        let value: Value = serde_json::from_slice(bytes).map_err(|_| "not JSON")?;
        let cite = self.cite(&value);
        self.into.flaws.push(Flaw { kind: "bad_eventTime", at: None, cite: cite.name(), body: cite.body });
        Ok(())
    }

    fn keep(&mut self, bytes: &[u8], scanned: &Scanned, at: Time) -> Result<(), &'static str> {
        let value: Value = serde_json::from_slice(bytes).map_err(|_| "not JSON")?;
        let cite = self.cite(&value);
        let addendum = value.get("addendum").filter(|addendum| {
            let reason = addendum.get("reason").and_then(Value::as_str);
            reason.is_some_and(|reason| reason.eq_ignore_ascii_case("UPDATED_DATA"))
        });
        let replaces = addendum.and_then(|addendum| addendum.get("originalEventID")?.as_str()).map(Arc::from);
        let record = Record::new(&value, at, cite.clone()).failed_if(scanned.fields.error_code.is_some());
        let observed = record.observed().map_err(|_| "a name is too long")?;
        if !observed.is_empty() || replaces.is_some() {
            self.into.kept.push(Kept { at, cite, observed, replaces });
        }
        Ok(())
    }

    /// Keeps the first record of a session that was opened with MFA.
    fn session(&mut self, bytes: &[u8], scanned: &Scanned, at: Time) -> Result<(), &'static str> {
        let identity = scanned.fields.identity.filter(|_| scanned.fields.error_code.is_none());
        let Some(identity) = identity.map(|span| span.of(bytes)).filter(|identity| says_mfa(identity)) else {
            return Ok(());
        };
        let identity: Value = serde_json::from_slice(identity).map_err(|_| "not JSON")?;
        let recipient = scanned.fields.recipient.map(|span| match span.text(bytes) {
            Some(text) => String::from_utf8_lossy(&text).into_owned(),
            None => String::from_utf8_lossy(span.of(bytes)).into_owned(),
        });
        let recipient = recipient.filter(|account| !account.is_empty());
        let recipient = recipient.as_deref().unwrap_or(UNKNOWN_ACCOUNT);
        let Some((who, opened)) = mfa_session(&identity, Some(recipient), at) else { return Ok(()) };
        let key = (who, opened);
        let event_id = scanned.fields.event_id.and_then(|span| span.text(bytes)).unwrap_or_default();
        let first = self.into.sessions.get(&key).is_none_or(|(first, session): &(Time, Observed)| {
            let id = session.cite.event_id.as_deref().unwrap_or_default().as_bytes();
            // What ties is told apart below, by all of it.
            (at, &*event_id) <= (*first, id)
        });
        if first {
            let value: Value = serde_json::from_slice(bytes).map_err(|_| "not JSON")?;
            let cite = self.cite(&value);
            let observed = Record::new(&value, at, cite).observed().map_err(|_| "a name is too long")?;
            let of_session =
                |event: &Observed| matches!(&event.what, What::MfaUseObserved { via: Via::Session { .. }, .. });
            if let Some(session) = observed.into_iter().find(of_session) {
                earliest(&mut self.into.sessions, at, session, key);
            }
        }
        Ok(())
    }
}

/// Sessions by who opened them, and when; with the time of the first record of each.
pub(crate) type Sessions = std::collections::HashMap<(Who, Time), (Time, Observed)>;

/// Whether a record is of an event that says something by itself.
fn is_relevant(bytes: &[u8], scanned: &Scanned) -> bool {
    let text = |span: Option<scan::Span>| span.and_then(|span| span.text(bytes)).unwrap_or_default();
    let (name, source) = (text(scanned.fields.event_name), text(scanned.fields.event_source));
    let is = |word: &[u8]| source.eq_ignore_ascii_case(word);
    if is(b"iam.amazonaws.com") {
        str::from_utf8(&name).is_ok_and(is_of_iam)
    } else if is(b"signin.amazonaws.com") {
        matches!(&*name, b"ConsoleLogin" | b"CheckMfa")
    } else if is(b"sts.amazonaws.com") {
        matches!(&*name, b"GetSessionToken" | b"AssumeRole") && holds_key(bytes, b"\"serialNumber\"")
    } else {
        false
    }
}

/// Whether a record is of a call that may change something.
fn changes(bytes: &[u8], scanned: &Scanned) -> bool {
    let source = scanned.fields.event_source.and_then(|span| span.text(bytes));
    source.is_some_and(|source| source.eq_ignore_ascii_case(b"iam.amazonaws.com")) && is_relevant(bytes, scanned)
}

/// Whether a member may have a name, which may be written with escapes.
fn holds_key(bytes: &[u8], key: &[u8]) -> bool {
    holds(bytes, key) || holds(bytes, b"\\u")
}

fn holds(bytes: &[u8], word: &[u8]) -> bool {
    memmem::find(bytes, word).is_some()
}

/// Whether an identity may say that its session was opened with MFA.
fn says_mfa(identity: &[u8]) -> bool {
    if holds(identity, b"\\") {
        return true;
    }
    let Some(key) = memmem::find(identity, b"\"mfaAuthenticated\"") else { return false };
    let value = identity[key + 18..].iter().find(|byte| !matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | b':' | b'"'));
    matches!(value, Some(b't' | b'T'))
}

/// SHA-256 of a record with sorted members and without blanks.
pub(crate) fn canonical(value: &Value) -> [u8; 32] {
    fn write(value: &Value, into: &mut Sha256) {
        match value {
            Value::Object(members) => {
                let mut keys: Vec<&String> = members.keys().collect();
                keys.sort_unstable();
                into.update(b"{");
                for key in keys {
                    into.update((key.len() as u64).to_be_bytes());
                    into.update(key);
                    write(&members[key], into);
                }
                into.update(b"}");
            }
            Value::Array(elements) => {
                into.update(b"[");
                elements.iter().for_each(|element| write(element, into));
                into.update(b"]");
            }
            Value::String(text) => {
                into.update(b"\"");
                into.update((text.len() as u64).to_be_bytes());
                into.update(text);
            }
            plain => into.update(plain.to_string()),
        }
    }
    let mut hash = Sha256::new();
    write(value, &mut hash);
    hash.finalize().into()
}

/// Visits the id of a record, wherever an object has it.
pub(super) fn each_id(bytes: &[u8], scanned: &Scanned, note: &mut dyn FnMut(&[u8])) {
    let fields = &scanned.fields;
    let mut id_of = |bytes: &[u8], scanned: &Scanned| {
        if let Some(id) = scanned.fields.event_id.and_then(|span| span.text(bytes)) {
            note(&id);
        }
    };
    if let Some(text) = fields.lookup {
        let inner: Option<String> = serde_json::from_slice(text.of(bytes)).ok();
        if let Some((inner, scanned)) = inner.as_ref().and_then(|text| Some((text, scan::whole(text.as_bytes())?))) {
            id_of(inner.as_bytes(), &scanned);
        }
    } else if let Some((detail, scanned)) =
        fields.detail.map(|span| span.of(bytes)).and_then(|detail| Some((detail, scan::whole(detail)?)))
    {
        id_of(detail, &scanned);
    } else {
        id_of(bytes, scanned);
    }
}
