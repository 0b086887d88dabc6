//! The transport against SMSCs: one that nobody here wrote, and one that does what no honest one does.

mod binds;
mod lives;
mod messages;
mod peer;
mod raw;
mod receipts;
mod receipts_held;
mod secrets;
mod smsc;
mod support;
mod tls;
mod trouble;
