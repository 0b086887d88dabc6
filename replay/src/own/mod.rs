//! Countersign's own log: read in place, folded by the domain itself, and asked.
//!
//! [`OwnStore`] reads the files of a store without opening, locking, copying or changing any of them, also while a server
//! writes them. Everything else takes any log that can be read in its order ([`Entries`]), a journal in memory included.

pub mod again;
pub mod ask;
pub mod cmd;
pub mod cmd_ask;
pub mod cmd_explain;
pub mod cmd_forecast;
pub mod cmd_rebuild;
pub mod cmd_step;
pub mod cmd_verify;
pub mod cmd_what_if;
mod cut;
pub mod describe;
mod error;
pub mod explain;
pub mod forecast;
pub mod medium;
mod observe;
mod place;
pub mod policy_file;
mod read;
pub mod rebuild;
pub mod scene;
pub mod states;
pub mod step;
mod store;
pub mod verify;
pub mod what_if;
pub mod words;

pub use cut::Cut;
pub use error::OwnError;
pub use observe::{Class, Observed, What, observe, observe_sealed};
pub use place::{Kind, kind_of, locate};
pub use read::{Entries, OpenJournal, Sealed, Visit, each_entry, each_entry_of, event_of, fact};
pub use store::OwnStore;
