//! Whether the files are those that were delivered.
//!
//! CloudTrail signs an hourly digest of the files that it delivered, and each digest names the one before. Here that
//! chain is checked offline: from a folder, a list of public keys, and signatures where somebody kept them.

mod chain;
mod digest;
mod spans;
mod verdict;

pub use chain::{Audit, AuditRow, audit};
pub use digest::{PublicKeys, Signatures};
pub use spans::{ChainRow, Span};
pub use verdict::{Verdict, Verdicts};
