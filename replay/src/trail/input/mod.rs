//! Reading: paths, files, documents and records, down to the events that they hold.
//!
//! | part | does |
//! |---|---|
//! | `walk` | the files below the named paths |
//! | `open` | plain or gzip, within a ratio; text of sixteen bits |
//! | `foreign` | what a file is that is not read |
//! | `items`, `window`, `scan` | the objects of a stream, in one pass and bounded memory |
//! | `sift` | what each object is; records that matter become observed events |
//! | `credential` | reports |
//! | `load` | many files at once; one of what came twice; the order |
//! | `amend` | addenda |
//! | `clash` | records of one id that differ |

mod amend;
mod clash;
mod credential;
mod foreign;
mod items;
mod load;
mod open;
mod scan;
mod sift;
mod walk;
mod window;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use load::{Inputs, LoadOptions, Loaded, Progress, load};
pub(crate) use open::content;
pub(crate) use sift::canonical;
pub(crate) use walk::can_be_read_again;

use crate::event::{Cite, Observed};
use crate::time::Time;
use std::collections::BTreeSet;

/// The files at or below some paths, in order, as [`load`] reads them; and what is none.
#[must_use]
pub fn files_of(paths: &[PathBuf]) -> (Vec<PathBuf>, Vec<Skip>) {
    let found = walk::files(paths);
    (found.files, found.skips)
}

/// Skips that are kept by name; more are only counted.
const SKIPS_MAX: usize = 10_000;
/// Different records that are told apart, by all readers together, in about 100 MB; of more nobody knows how many they are,
/// nor which share an id.
const SEEN_MAX: usize = 2_000_000;

/// Something that was not used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skip {
    /// The file, and the place in it.
    pub place: String,
    /// What kind of thing it is.
    pub kind: &'static str,
    /// Why it was not used.
    pub why: String,
    /// Whether it was not meant to be used, and nothing is amiss.
    pub harmless: bool,
}

impl Skip {
    fn unread(path: &Path, why: String) -> Self {
        Self { place: path.display().to_string(), kind: "unread", why, harmless: false }
    }

    fn passed(path: &Path, kind: &'static str, why: &str) -> Self {
        Self { place: path.display().to_string(), kind, why: why.to_owned(), harmless: true }
    }
}

/// A contradiction that a record shows by itself, or with another of the same id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flaw {
    /// When, if the record tells.
    pub at: Option<Time>,
    /// The kind of finding.
    pub kind: &'static str,
    /// The record's name in answers.
    pub cite: Arc<str>,
    /// The record's digest.
    pub body: [u8; 32],
}

/// A record that says something.
#[derive(Clone, Debug)]
struct Kept {
    at: Time,
    cite: Cite,
    observed: Vec<Observed>,
    replaces: Option<Arc<str>>,
}

/// A record with an id, hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    id: u64,
    body: u64,
    at: Time,
}

/// What one reader has collected.
#[derive(Debug, Default)]
struct Sifted {
    kept: Vec<Kept>,
    rows: Vec<Observed>,
    sessions: sift::Sessions,
    flaws: Vec<Flaw>,
    /// Files with records or reports.
    sources: BTreeSet<Arc<str>>,
    /// Not yet among those of all readers.
    seen: Vec<Seen>,
    nameless: u64,
    /// The first ones: those that should have been used before those that were passed over.
    skips: BTreeSet<(bool, Skip)>,
    skipped: u64,
    unread: u64,
}

impl Sifted {
    fn skip(&mut self, skip: Skip) {
        self.skipped += 1;
        self.unread += u64::from(!skip.harmless);
        self.keep(skip);
    }

    /// Keeps the first ones by their places, whoever found them first.
    fn keep(&mut self, skip: Skip) {
        self.skips.insert((skip.harmless, skip));
        if self.skips.len() > SKIPS_MAX {
            self.skips.pop_last();
        }
    }
}
