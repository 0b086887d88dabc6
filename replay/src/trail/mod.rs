//! Foreign audit logs: CloudTrail archives and credential reports of any AWS account.
//!
//! ```text
//! paths ─ load ─► observed events ─► fold ─► a history ─► ask ─► answers
//! ```
//!
//! Where the records cannot decide, the answer is [`Status::Unknown`](crate::fold::Status::Unknown).

mod input;
mod integrity;
mod observe;
mod record;

pub use input::{Flaw, Inputs, LoadOptions, Loaded, Progress, Skip, files_of, load};
pub use integrity::{Audit, AuditRow, ChainRow, PublicKeys, Signatures, Span, Verdict, Verdicts, audit};
pub use observe::{Unobserved, observe};
