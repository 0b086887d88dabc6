//! Foreign audit logs: CloudTrail archives and credential reports of any AWS account.
//!
//! ```text
//! paths ─ load ─► observed events ─ fold ─► a history ─ ask ─► answers
//! ```
//!
//! The fold takes any iterator of [`Observed`] events, so that another log (our own) can be told in the same words.
//! Where the records cannot decide, the answer is [`Status::Unknown`].

pub mod ask;
mod event;
mod fold;
mod input;
mod integrity;
pub mod page;
mod record;
mod time;

pub use event::{Actor, ActorKind, Cite, Device, DeviceKind, Observed, SignInClass, Subject, Via, What, Who};
pub use fold::{Basis, Finding, FindingKind, History, Life, SignIn, Snapshot, Status, Step, fold};
pub use input::{Flaw, Inputs, LoadOptions, Loaded, Progress, Skip, files_of, load};
pub use integrity::{Audit, AuditRow, PublicKeys, Signatures, Verdict, Verdicts, audit};
pub use record::HIDDEN;
pub use time::{NoTime, Time};
