//! Countersign's own log: read in place, folded by the domain itself, and asked.
//!
//! [`OwnStore`] reads the files of a store without opening, locking, copying or changing any of them, also while a server
//! writes them. Everything else takes any log that can be read in its order ([`Entries`]), a journal in memory included.
//!
//! | part | does |
//! |---|---|
//! | [`medium`], [`OwnStore`] | the files and keys of a store |
//! | [`state`](mod@state) | who had which devices at an instant, by the domain's folds |
//! | [`tell`](mod@tell) | the log in the vocabulary that it shares with foreign ones |
//! | [`cloudtrail`] | the log as records of CloudTrail |
//! | [`verify`](mod@verify), [`rebuild`](mod@rebuild) | whether the log, and what is derived from it, is what was written |
//! | [`receipt`](mod@receipt) | receipts of entries, for anybody |
//! | [`explain`](mod@explain), [`what_if`](mod@what_if), [`again`] | decisions made again, under the same policy or another |
//! | [`forecast`](mod@forecast) | which device will leave the code window, and when |
//! | [`step`] | a walk through the log, command by command |

pub mod again;
mod cast;
pub mod cloudtrail;
mod cut;
pub mod describe;
mod error;
pub mod explain;
pub mod forecast;
pub mod medium;
mod place;
pub mod policy_file;
mod read;
pub mod rebuild;
pub mod receipt;
pub mod scene;
pub mod state;
pub mod states;
pub mod step;
mod store;
pub mod subject;
pub mod tell;
pub mod verify;
pub mod what_if;
pub mod words;

pub use cut::Cut;
pub use error::OwnError;
pub use place::{Kind, kind_of, locate};
pub use read::{Entries, OpenJournal, Sealed, Visit, each_entry, each_entry_of, event_of, fact};
pub use store::OwnStore;
