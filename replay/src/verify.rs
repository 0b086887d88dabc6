//! Whether a log is what was written, and whether what was written obeys the laws.

use std::fmt;
use std::ops::ControlFlow;

use countersign_domain::ids::Position;
use countersign_domain::laws::{LawBook, Violation};
use countersign_domain::policy::Policy;
use countersign_store::{Journal, Problem, Verified};

use crate::fold::each_fact;
use crate::source::ReplayError;

/// Violations that are kept; a log that breaks more is bad enough.
const VIOLATIONS_MAX: usize = 1000;

/// What a verification found.
#[derive(Clone, Debug)]
pub struct Report {
    /// What the bytes are: checksums, leaves, chains, versions, index.
    pub bytes: Result<Verified, Vec<Problem>>,
    /// Laws that the history breaks; at most a thousand.
    pub violations: Vec<Violation>,
    /// Why the history could not be read to its end, if it could not.
    pub unread: Option<ReplayError>,
}

impl Report {
    /// Whether everything holds.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.bytes.is_ok() && self.violations.is_empty() && self.unread.is_none()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.bytes {
            Ok(found) => writeln!(
                f,
                "{} entries in {} streams: every checksum, leaf, chain and version holds ({} sealed)",
                found.entries, found.streams, found.sealed
            )?,
            Err(problems) => problems.iter().try_for_each(|problem| writeln!(f, "changed: {problem}"))?,
        }
        self.violations.iter().try_for_each(|violation| writeln!(f, "against a law: {violation}"))?;
        if let Some(cause) = &self.unread {
            writeln!(f, "unread: {cause}")?;
        }
        f.write_str(if self.is_clean() { "the log holds" } else { "the log does not hold" })
    }
}

/// Verifies a whole log: its bytes, and the laws under a policy.
#[must_use]
pub fn verify(journal: &dyn Journal, policy: &Policy) -> Report {
    let bytes = journal.verify();
    let mut laws = LawBook::new(policy.clone());
    let mut violations: Vec<Violation> = Vec::new();
    let read = each_fact(journal, Position(0), &mut |fact, _entry| {
        violations.extend(laws.observe(fact));
        if violations.len() < VIOLATIONS_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    violations.extend(laws.finish());
    violations.truncate(VIOLATIONS_MAX);
    Report { bytes, violations, unread: read.err() }
}
