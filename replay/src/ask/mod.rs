//! Questions to a history. Every answer has a form for scripts, byte for byte the same for the same records, and one
//! for people.

mod compliance;
mod diff;
mod export;
mod findings;
mod periods;
mod rotations;
mod signins;
mod state;
mod timeline;
mod words;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;

pub use compliance::{Control, ControlVerdict, ReportAnswer, Standard, report};
pub use diff::{ChangeRow, DiffAnswer, Side, diff};
pub use export::{Format, export};
pub use findings::{FindingRow, FindingsAnswer, findings};
pub use periods::{Authenticator, Period, authenticators, periods_without_mfa};
pub use rotations::{ROTATION_MS_MAX, RemovalRow, RotationRow, RotationsAnswer, rotations, rotations_until};
pub use signins::{SignInRow, SignInsAnswer, SignInsQuery, sign_ins};
pub use state::{PrincipalRow, StateAnswer, StateQuery, state};
pub use timeline::{Timeline, TimelineAnswer, TimelineRow, timeline};
pub use words::{json, json_line, plain, table};

use crate::event::Observed;
use crate::fold::{FindingKind, History, Life};
use crate::time::Time;
use crate::trail::Flaw;
use crate::trail::{Verdict, Verdicts};

/// The version of the answers' form.
pub const SCHEMA: u32 = 1;

/// A history that can be asked.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// The history.
    pub history: History,
    /// Contradictions that need no history.
    pub flaws: Vec<Flaw>,
    /// Verdicts of the files.
    pub verdicts: Verdicts,
    /// Files that the history was read from, cited or not.
    pub sources: BTreeSet<Arc<str>>,
    /// Entries of our own log that could not be looked into.
    pub sealed: Sealing,
    /// Whether a part of the input could not be read.
    pub partial: bool,
    /// Contradictions that were not looked for, because there are too many records.
    pub not_looked_for: Vec<FindingKind>,
}

/// Entries of our own log whose content is not known, though nothing is wrong with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sealing {
    /// For want of the key.
    pub no_key: u64,
    /// Because the key was destroyed on purpose.
    pub key_destroyed: u64,
}

impl Sealing {
    /// How many there are.
    #[must_use]
    pub const fn all(&self) -> u64 {
        self.no_key + self.key_destroyed
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.all() == 0
    }

    /// Those of two logs.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self { no_key: self.no_key + other.no_key, key_destroyed: self.key_destroyed + other.key_destroyed }
    }
}

/// What is known of the files that an answer rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Integrity {
    /// Invalid when any file is, or is missing; else the worst verdict of those with records, cited or not; not covered, when
    /// there are none.
    pub verdict: Verdict,
    /// Files that are not what was delivered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub invalid: Vec<String>,
    /// Files that a valid digest names and that are not there: nobody knows what they would change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Entries of our own log that could not be looked into.
    #[serde(skip_serializing_if = "Sealing::is_none")]
    pub sealed: Sealing,
}

impl Told {
    /// Adds what another log tells. Each is a history of its own, so that nothing of the one contradicts the other.
    #[must_use]
    pub fn beside(mut self, other: Self) -> Self {
        self.history = self.history.beside(other.history);
        self.flaws.extend(other.flaws);
        self.not_looked_for.extend(other.not_looked_for);
        self.verdicts.files.extend(other.verdicts.files);
        self.verdicts.missing.extend(other.verdicts.missing);
        self.sources.extend(other.sources);
        self.sealed = self.sealed.with(other.sealed);
        self.partial |= other.partial;
        self
    }

    /// What is known of the files behind an answer that cites some events. A file that was changed, or is missing,
    /// might have held anything, so it makes every answer invalid. And every file with records has its part in an answer:
    /// by whom it names, and by what it does not say.
    #[must_use]
    pub fn integrity<'a>(&self, events: impl IntoIterator<Item = &'a Arc<Observed>>) -> Integrity {
        let changed = self.verdicts.files.iter().filter(|(_, (verdict, _))| *verdict == Verdict::Invalid);
        let invalid: Vec<String> = changed.map(|(file, _)| file.clone()).collect();
        let missing = self.verdicts.missing.clone();
        let verdict = match invalid.is_empty() && missing.is_empty() {
            true => {
                let events: Vec<&Arc<Observed>> = events.into_iter().collect();
                let cited = events.iter().map(|event| &*event.cite.source);
                self.verdicts.worst(cited.chain(self.sources.iter().map(|source| &**source)))
            }
            false => Verdict::Invalid,
        };
        Integrity { verdict, invalid, missing, sealed: self.sealed }
    }

    /// The worst verdict of the files that some events are from.
    fn cited<'a>(&self, events: impl IntoIterator<Item = &'a Arc<Observed>>) -> Verdict {
        let files: BTreeSet<&str> = events.into_iter().map(|event| &*event.cite.source).collect();
        self.verdicts.worst(files)
    }

    /// Principals in the order of answers: by account, root first, then by name and generation.
    pub(crate) fn in_order(&self) -> Vec<(usize, &Life)> {
        let mut lives: Vec<(usize, &Life)> = self.history.lives().iter().enumerate().collect();
        lives.sort_by_cached_key(|(_, life)| (life.account().to_owned(), !life.is_root(), life.order_key()));
        lives
    }

    /// Principals in the order of answers about an instant, with their ids then.
    pub(crate) fn in_order_at(&self, at: Option<Time>) -> Vec<(&Life, String)> {
        let mut lives: Vec<(&Life, String)> =
            self.in_order().into_iter().map(|(_, life)| (life, life.id_at(at))).collect();
        if at.is_some() {
            let key = |life: &Life, id: &str| (life.account().to_owned(), !life.is_root(), order_of(id));
            lives.sort_by_cached_key(|(life, id)| key(life, id));
        }
        lives
    }

    /// The ids of principals at an instant, by their places in the history.
    fn ids_at(&self, at: Option<Time>) -> Vec<String> {
        self.history.lives().iter().map(|life| life.id_at(at)).collect()
    }

    fn id_of_life(&self, life: Option<usize>) -> Option<String> {
        life.and_then(|life| self.history.lives().get(life)).map(Life::id)
    }

    /// The principals that somebody means by an id, `ACCOUNT/NAME` or a name, as places in the history.
    #[must_use]
    pub fn find(&self, words: &str) -> Vec<usize> {
        self.find_at(words, None)
    }

    /// The principals that somebody means by what they were called at an instant; if there are none, by what they
    /// are called at the end.
    #[must_use]
    pub fn find_at(&self, words: &str, at: Option<Time>) -> Vec<usize> {
        let called = |at: Option<Time>| {
            let is = |life: &Life| is_meant(words, &life.id_at(at), life.uid());
            self.in_order().into_iter().filter(|(_, life)| is(life)).map(|(place, _)| place).collect::<Vec<_>>()
        };
        let then = called(at);
        if then.is_empty() && at.is_some() { called(None) } else { then }
    }
}

/// What the ids of an account's users are sorted by: name and generation.
fn order_of(id: &str) -> (String, u32) {
    let name = id.split_once('/').map_or(id, |(_, name)| name);
    let (name, generation) = name.rsplit_once('#').unwrap_or((name, ""));
    (name.to_lowercase(), generation.parse().unwrap_or(0))
}

/// Whether somebody means a principal by an id, `ACCOUNT/NAME`, a name or a unique id.
pub(crate) fn is_meant(words: &str, id: &str, uid: Option<&str>) -> bool {
    let (wanted, id) = (words.to_lowercase(), id.to_lowercase());
    let base = id.rsplit_once('#').map_or(id.as_str(), |(base, _)| base);
    let short = |full: &str| full.split_once('/').map_or(String::new(), |(_, name)| name.to_owned());
    let by_uid = uid.is_some_and(|uid| uid.eq_ignore_ascii_case(words));
    by_uid || [id.as_str(), base].contains(&wanted.as_str()) || [short(&id), short(base)].contains(&wanted)
}

/// Names of the records behind some events.
fn citations(events: &[Arc<Observed>]) -> Vec<Arc<str>> {
    let mut names: Vec<Arc<str>> = events.iter().map(|event| event.cite.name()).collect();
    names.dedup();
    names
}
