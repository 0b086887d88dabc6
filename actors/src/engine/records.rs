//! The host's own records in the same log.

use countersign_domain::event::{Event, HostRecord};
use countersign_domain::ids::{Position, Version};
use countersign_store::Recorded;
use countersign_store::limits::READ_ENTRIES_MAX;
use zeroize::Zeroizing;

use super::{Countersign, acked};
use crate::answer::{Ack, HostEntry, Request};
use crate::error::Error;
use crate::history;
use crate::ledger::{LedgerKey, LedgerWork};

/// Records that one page has at most.
pub const RECORDS_MAX: usize = READ_ENTRIES_MAX;

impl Countersign {
    /// Adds a record of the host's own to the log: sealed, durable, in the same order and chain.
    ///
    /// `expected` is the version that the stream must have; `None` takes any. The answer is the new
    /// version.
    ///
    /// # Errors
    /// A conflict when the stream has another version; a `kind` over 0x7fff or a body too large.
    ///
    /// ```
    /// # use countersign::*;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let engine = Countersign::in_memory(Config::default())?;
    /// # let operator = || Request::by(Caller::operator());
    /// # let account: AccountId = "123456789012".parse()?;
    /// let ack = engine.append_record(operator(), "sessions", Some(0), 1, b"opened".to_vec()).await?;
    /// assert_eq!(ack.value, 1);
    /// let stale = engine.append_record(operator(), "sessions", Some(0), 1, b"again".to_vec()).await;
    /// assert!(stale.unwrap_err().is_conflict());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn append_record(
        &self,
        request: Request,
        stream: &str,
        expected: Option<u64>,
        kind: u16,
        body: Vec<u8>,
    ) -> Result<Ack<u64>, Error> {
        let (by, client) = (Some(request.caller.by()), request.client.clone().unwrap_or_default());
        let record = HostRecord { kind, by, client, body };
        let key = LedgerKey::Host(stream.to_owned());
        let answer = self.runtime.ask_ledger(key, request, LedgerWork::Record { expected, record }).await?;
        let entry = self.runtime.shared.journal.read_at(Position(answer.position.0.saturating_sub(1)))?;
        Ok(acked(entry.map_or(0, |entry| entry.header.version.0), &answer))
    }

    /// The host's records of a stream after a version, at most [`RECORDS_MAX`] of them.
    ///
    /// A stream is read from its end, so one large page costs less than many small ones.
    ///
    /// # Errors
    /// When a record cannot be read or opened.
    ///
    /// ```
    /// # use countersign::*;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let engine = Countersign::in_memory(Config::default())?;
    /// # let operator = || Request::by(Caller::operator());
    /// # let account: AccountId = "123456789012".parse()?;
    /// engine.append_record(operator(), "sessions", None, 1, b"opened".to_vec()).await?;
    /// assert_eq!(engine.read_records("sessions", 0, 100)?[0].body.as_slice(), b"opened");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn read_records(&self, stream: &str, after: u64, limit: usize) -> Result<Vec<HostEntry>, Error> {
        let journal = &*self.runtime.shared.journal;
        let page = journal.read_stream(LedgerKey::host_stream(stream), Version(after), limit.min(RECORDS_MAX))?;
        let open = |entry: Recorded| {
            let event = history::event_of(journal, &entry.header, entry.body.as_stored())?;
            let Event::HostRecord(record) = event else {
                return Err(Error::history("a host stream has an event that is not the host's"));
            };
            let (version, at) = (entry.header.version.0, entry.header.time);
            let HostRecord { kind, by, client, body } = record;
            Ok(HostEntry { version, kind, at, by, client, body: Zeroizing::new(body) })
        };
        page.into_iter().map(open).collect()
    }
}
