//! The contract of a journal as tests that run on any implementation.
//!
//! Implement [`Medium`], and let [`contract_suite!`](crate::contract_suite) make one test of each case.

mod appends;
mod derived;
mod reads;
mod signing;

pub use appends::*;
pub use derived::*;
pub use reads::*;
pub use signing::*;

use countersign_domain::ids::{CommandId, StreamId, UnixMillis, Version};

use crate::append::{Append, NewEntry, StreamAppend};
use crate::journal::{EntryRef, Journal, Recorded};

/// Something that a journal can be opened on again and again.
pub trait Medium {
    /// The journal that it carries.
    type Journal: Journal;

    /// An empty medium.
    fn fresh() -> Self;

    /// Opens the journal. The one opened before is dropped.
    fn open(&self) -> Self::Journal;

    /// Every byte that the medium keeps, in any order; for looking for what must not be there.
    fn raw(&self) -> Vec<u8>;
}

/// A clear entry.
#[must_use]
pub fn clear(body: &[u8]) -> NewEntry {
    NewEntry { event_type: 1, type_version: 1, time: UnixMillis(1_700_000_000_000), body: body.to_vec(), seal: false }
}

/// An entry to be sealed.
#[must_use]
pub fn sealed(body: &[u8]) -> NewEntry {
    let mut entry = clear(body);
    entry.seal = true;
    entry
}

/// A stream by a number.
#[must_use]
pub fn stream(number: u64) -> StreamId {
    StreamId::derive(&["contract", &number.to_string()])
}

/// A command by a number.
#[must_use]
pub fn command(number: u64) -> CommandId {
    CommandId::derive(&["contract", &number.to_string()])
}

/// The events of one stream.
#[must_use]
pub fn on(number: u64, expected: u64, entries: Vec<NewEntry>) -> StreamAppend {
    StreamAppend { stream: stream(number), expected: Version(expected), fresh_key: false, entries }
}

/// An append.
#[must_use]
pub fn append(command_number: u64, streams: Vec<StreamAppend>) -> Append {
    Append { command: command(command_number), streams }
}

/// Every entry of a journal, in order.
pub fn all_entries(journal: &impl Journal) -> Vec<Recorded> {
    let mut all = Vec::new();
    let mut keep = |entry: EntryRef<'_>| {
        all.push(entry.to_recorded());
        std::ops::ControlFlow::Continue(())
    };
    let end = journal.scan(countersign_domain::ids::Position(0), &mut keep).expect("the scan succeeds");
    assert_eq!(end, journal.head(), "a scan ends at the head");
    all
}

/// Makes one test of each case of the contract.
#[macro_export]
macro_rules! contract_suite {
    ($module:ident, $medium:ty) => {
        mod $module {
            use super::*;
            $crate::contract_suite!(@cases $medium:
                an_empty_journal_is_empty
                an_append_over_several_streams_is_atomic
                a_conflict_changes_nothing_and_says_why
                appends_of_a_group_see_the_ones_before
                a_command_is_done_once
                limits_are_kept
                malformed_appends_are_refused
                writers_in_parallel_leave_no_gap
                a_closed_journal_takes_no_more
                reads_and_scan_agree
                a_long_stream_reads_in_pages
                a_scan_starts_and_stops_anywhere
                a_subscription_wakes_after_the_commit
                sealed_bodies_come_back_and_are_not_stored_in_the_clear
                a_destroyed_key_forgets_and_leaves_the_log_valid
                everything_is_there_after_reopening
                snapshots_come_back_and_can_be_dropped
                a_snapshot_of_another_history_is_ignored
                checkpoints_come_back_whole_or_not_at_all
                the_index_can_be_checkpointed_at_any_time
                heads_stay_right_while_the_index_is_written
                derived_data_can_be_forgotten
                a_checkpoint_is_signed_on_demand_and_at_close
                signing_keys_rotate_while_the_log_grows
                only_the_log_writes_of_itself
                a_receipt_has_the_entry_and_a_checkpoint
            );
        }
    };
    (@cases $medium:ty: $($case:ident)*) => {
        $(#[test]
        fn $case() {
            $crate::contract::$case::<$medium>();
        })*
    };
}
