//! The projections as blocks of bytes, so that a start reads only the tail of the log.

use countersign_domain::account::Account;
use countersign_domain::device::DeviceKind;
use countersign_domain::ids::{AccountId, StreamId, UnixMillis};
use serde::{Deserialize, Serialize};

use super::Views;
use super::rows::{AccountRow, DeviceRow, PrincipalRow};
use super::sms::SmsRow;

/// The checkpoint's name in the journal.
pub(crate) const CHECKPOINT_NAME: &str = "views";

/// Changes whenever a row or the fold changes its meaning; an old checkpoint is then rebuilt.
const ROWS: u64 = 4;

/// What the rows mean depends on the length of a budget window as well.
pub(crate) const fn fingerprint(window_ms: u64) -> u64 {
    ROWS ^ (window_ms << 8)
}

/// Rows in one block; a row is a few hundred bytes at most, a block at most 64 KiB.
const BLOCK_BYTES: usize = 60 * 1024;

#[derive(Serialize, Deserialize)]
enum Row {
    Account(AccountId, AccountRow),
    Principal(StreamId, PrincipalRow),
    Device(StreamId, DeviceRow),
    Sms(Box<SmsRow>),
    Forgotten(StreamId, UnixMillis),
}

impl Views {
    /// Every row, packed.
    pub(crate) fn to_blocks(&self) -> Result<Vec<Vec<u8>>, postcard::Error> {
        let accounts = self.accounts.iter().map(|(id, row)| Row::Account(*id, row.clone()));
        let principals = self.principals.iter().map(|(id, row)| Row::Principal(*id, row.clone()));
        let devices = self.devices.iter().map(|(id, row)| Row::Device(*id, row.clone()));
        let sms = self.sms.rows().map(|row| Row::Sms(Box::new(row)));
        let mut blocks = vec![Vec::new()];
        let forgotten = self.forgotten.iter().map(|(id, at)| Row::Forgotten(*id, *at));
        for row in accounts.chain(principals).chain(devices).chain(sms).chain(forgotten) {
            let bytes = postcard::to_allocvec(&row)?;
            match blocks.last_mut() {
                Some(block) if block.len() + bytes.len() <= BLOCK_BYTES => block.extend_from_slice(&bytes),
                _ => blocks.push(bytes),
            }
        }
        Ok(blocks)
    }

    /// The views that were packed; `None` when the bytes are not what [`Self::to_blocks`] made.
    pub(crate) fn from_blocks(folded: u64, blocks: &[Vec<u8>], window: (u64, u64)) -> Option<Self> {
        let mut views = Self { folded, ..Self::empty(window) };
        for block in blocks {
            let mut rest = block.as_slice();
            while !rest.is_empty() {
                let (row, after) = postcard::take_from_bytes(rest).ok()?;
                views.put(row);
                rest = after;
            }
        }
        Some(views)
    }

    fn put(&mut self, row: Row) {
        match row {
            Row::Sms(row) => self.sms.put(*row),
            Row::Forgotten(stream, at) => {
                self.forgotten.insert(stream, at);
            }
            Row::Account(id, row) => {
                self.account_streams.insert(Account::stream(id), id);
                if let Some(alias) = &row.settings.alias {
                    self.aliases.insert(alias.clone(), id);
                }
                self.presets.set(id, row.settings.preset);
                self.accounts.insert(id, row);
            }
            Row::Principal(stream, row) => {
                if !row.id.is_root() {
                    self.names.insert((row.id.account(), row.name.folded()), stream);
                }
                self.principals.insert(stream, row);
            }
            Row::Device(stream, row) => {
                if let Some(account) = row.serial.account().filter(|_| row.kind == DeviceKind::VirtualTotp) {
                    self.serials.insert((account, row.serial.as_str().to_owned()), stream);
                }
                self.devices.insert(stream, row);
            }
        }
    }
}
