//! The recorded history under another policy: who would have been locked, asked to resync, refused or asked to step up.
//!
//! A log has no codes, and says where each one fitted: the step that it was of, or the range in which it was of none. That is
//! enough to decide again on codes, pairs and owners of TOTP devices, on the number of devices, and on sessions that change
//! them. What it is not enough for is counted and named, never guessed:
//!
//! - answers of security keys, enrolments of telephones and alternative factors: only whether such a device could have been
//!   enabled;
//! - attempts while a device was locked: the log has the first of them only, and not what was typed;
//! - what the people would have done otherwise: who is refused a device here has it in the log, and what follows from
//!   that is set apart.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use countersign_domain::event::Event;
use countersign_domain::ids::{Position, StreamId};
use countersign_domain::policy::Policy;
use serde::Serialize;

use super::error::OwnError;
use super::read::{Entries, SEED_STORED, each_entry};
use crate::ask::Sealing;

mod run;

use run::Run;

/// As many differences are listed when nobody asks for another number; a log of millions may have millions.
pub const LISTED_MAX: usize = 10_000;

/// What another policy would have made of a history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WhatIf {
    /// Version of this form.
    pub schema: u32,
    /// Commands that were decided again.
    pub decided: u64,
    /// Of these, how many came out the same.
    pub same: u64,
    /// How many came out otherwise, or would have brought a notice that they did not bring.
    pub differing: u64,
    /// The first of these, in the order of the log: as many as were asked for.
    pub otherwise: Vec<Otherwise>,
    /// How many there are of each kind.
    pub kinds: BTreeMap<&'static str, u64>,
    /// Principals who would have met any of it.
    pub principals: u64,
    /// Commands that could not be decided again, by the reason.
    pub cannot_tell: BTreeMap<&'static str, u64>,
    /// Entries that the answer could not look into.
    pub sealed: Sealing,
}

/// A command that would have come out otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Otherwise {
    /// When.
    pub time: String,
    /// Where its first entry stands.
    pub position: u64,
    /// Who.
    pub id: String,
    /// Which device.
    pub device: Option<String>,
    /// `locked`, `asked_to_resync`, `refused`, `asked_to_step_up` or `accepted`.
    pub kind: &'static str,
    /// What the log says became of it.
    pub recorded: String,
    /// What would have become of it.
    pub instead: String,
}

/// Runs a history that was recorded under one policy under another one. Accounts that chose a preset keep it over either.
/// The first [`LISTED_MAX`] differences are listed, and all are counted.
///
/// ```
/// # use std::sync::Arc;
/// # use countersign_store::{EphemeralKeyRing, MemoryJournal};
/// # let journal = MemoryJournal::new(Arc::new(EphemeralKeyRing::new()?))?;
/// use countersign_domain::policy::Policy;
/// use countersign_replay::own::OpenJournal;
/// use countersign_replay::own::what_if::what_if;
///
/// let answer = what_if(&OpenJournal(&journal), &Policy::classic(), &Policy::strict())?;
/// assert_eq!((answer.decided, answer.otherwise), (0, vec![]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When the log cannot be read, or the policies count in steps of different lengths.
pub fn what_if(log: &dyn Entries, recorded: &Policy, instead: &Policy) -> Result<WhatIf, OwnError> {
    what_if_listing(log, recorded, instead, LISTED_MAX)
}

/// The same, with another number of differences that are listed at most.
///
/// ```
/// # use std::sync::Arc;
/// # use countersign_store::{EphemeralKeyRing, MemoryJournal};
/// # let journal = MemoryJournal::new(Arc::new(EphemeralKeyRing::new()?))?;
/// use countersign_domain::policy::Policy;
/// use countersign_replay::own::OpenJournal;
/// use countersign_replay::own::what_if::what_if_listing;
///
/// let answer = what_if_listing(&OpenJournal(&journal), &Policy::classic(), &Policy::strict(), 10)?;
/// assert_eq!(answer.differing, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When the log cannot be read, or the policies count in steps of different lengths.
pub fn what_if_listing(
    log: &dyn Entries,
    recorded: &Policy,
    instead: &Policy,
    listed_max: usize,
) -> Result<WhatIf, OwnError> {
    if recorded.step_s != instead.step_s {
        let what =
            "the log counts in steps of one length; what a device shows in steps of another length cannot be told";
        return Err(OwnError::Usage(what.to_owned()));
    }
    let mut run = Run::new(recorded, instead, listed_max);
    let mut append: Vec<(StreamId, Event)> = Vec::new();
    let mut hidden = false;
    let mut first = Position(0);
    each_entry(log, Position(0), &mut |entry, event| {
        let header = &entry.header;
        if header.part == 0 {
            (first, hidden) = (entry.position, false);
            append.clear();
        }
        run.states.take(entry, event)?;
        match event {
            // No answer rests on a seed: where it fitted is what is recorded of a code.
            _ if header.event_type == SEED_STORED => {}
            Ok(event) => append.push((header.stream, event.clone())),
            Err(why) => {
                run.answer.sealed.count(why);
                hidden = true;
                run.scene.darken(header.stream);
                run.other.darken(header.stream);
            }
        }
        if header.part + 1 == header.parts {
            run.append(first, header.time, &append, hidden)
                .map_err(|cause| OwnError::Event { position: first, cause: cause.to_string() })?;
        }
        Ok(ControlFlow::Continue(()))
    })?;
    run.answer.principals = run.met.len() as u64;
    Ok(run.answer)
}
