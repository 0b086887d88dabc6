//! `state`: what was true at an instant.

use std::path::PathBuf;

use clap::Args;
use countersign_replay::ask::{PrincipalRow, StateQuery, Told, state};
use countersign_replay::own::state as own_state;
use countersign_replay::time::Time;
use countersign_replay::trail::Verdict;

use super::heard::{self, Input, instant, own_instant};
use super::{Answered, Failure};

/// Says who had MFA and which devices, now or at an instant: enabled, disabled, unknown, deleted or nonexistent.
///
/// An argument that is no file names a principal: an id, `ACCOUNT/NAME`, a name, or a unique id. Then only such
/// principals are shown.
///
/// A principal is called by its name at the instant. A session that was opened with MFA shows that MFA was on when it
/// was opened, also where the first record of that session is of a later instant. A session that was opened before the
/// log begins says nothing of what happened until it begins.
///
/// In JSON, the `integrity` of a principal is the worst verdict of the files with the records that are cited for it, or
/// `not_covered` when none is. That of the whole answer is `invalid` as soon as any file was changed or is missing, and
/// else the worst of all files with records, cited or not.
#[derive(Args)]
pub(crate) struct Ask {
    #[command(flatten)]
    input: Input,
    /// The instant, such as 2026-05-01T09:45:00Z.
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    at: Option<Time>,
}

pub(crate) fn run(ask: &Ask) -> Answered {
    let (stores, others) = ask.input.split();
    let (files, words): (Vec<PathBuf>, Vec<PathBuf>) = others.into_iter().partition(|path| path.exists());
    if files.is_empty() && stores.is_empty() {
        return Err(Failure::unreadable(format!("`{}`: no such file", words[0].display())));
    }
    let mut heard = heard::hear_files(&ask.input, &files)?;
    let places: Vec<Vec<usize>> =
        words.iter().map(|word| heard.told.find_at(&word.to_string_lossy(), ask.at)).collect();
    let mut of_stores: Vec<PrincipalRow> = Vec::new();
    for path in stores {
        let store = ask.input.open(path)?;
        let (at, until) = (own_instant(ask.at)?, own_instant(ask.input.known_at)?);
        let found = own_state::state(&store, at, until)?;
        let mut told = Told { sealed: found.sealed, ..Told::default() };
        told.verdicts = store.verdicts()?;
        let damaged = !told.verdicts.files.is_empty();
        let verdict = if damaged { Verdict::Invalid } else { Verdict::NotCovered };
        of_stores.extend(found.principals.into_iter().map(|row| PrincipalRow { integrity: verdict, ..row }));
        heard.store(told);
    }
    for (word, places) in words.iter().zip(&places) {
        if places.is_empty() && !of_stores.iter().any(|row| row.is(&word.to_string_lossy())) {
            heard.absent(word);
        }
    }
    if !words.is_empty() {
        of_stores.retain(|row| words.iter().any(|word| row.is(&word.to_string_lossy())));
    }
    let only = (!words.is_empty()).then(|| places.concat());
    let answer = state(&heard.told, &StateQuery { at: ask.at, only }).beside(of_stores);
    heard.answer(&ask.input, &answer.integrity, &answer, || answer.text())
}
