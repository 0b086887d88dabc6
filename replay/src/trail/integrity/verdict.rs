//! What is known of each file, and of answers that rest on several.

use std::collections::BTreeMap;

use serde::Serialize;

/// Whether a file is what was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is not.
    Invalid,
    /// No digest that holds names it.
    NotCovered,
    /// A signed digest has its hash.
    Valid,
}

impl Verdict {
    /// Its name in answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::NotCovered => "not_covered",
            Self::Valid => "valid",
        }
    }
}

/// Verdicts of files, by path.
#[derive(Clone, Debug, Default)]
pub struct Verdicts {
    /// The verdict of each file that was checked, and why.
    pub files: BTreeMap<String, (Verdict, String)>,
    /// Files that a valid digest names and that are not there.
    pub missing: Vec<String>,
}

impl Verdicts {
    /// The verdict of a file. One that was not checked is not covered.
    #[must_use]
    pub fn of(&self, file: &str) -> Verdict {
        self.files.get(file).map_or(Verdict::NotCovered, |(verdict, _)| *verdict)
    }

    /// The verdict of an answer that rests on some files: that of the worst; not covered, when it rests on none.
    #[must_use]
    pub fn worst<'a>(&self, files: impl IntoIterator<Item = &'a str>) -> Verdict {
        files.into_iter().map(|file| self.of(file)).min().unwrap_or(Verdict::NotCovered)
    }
}
