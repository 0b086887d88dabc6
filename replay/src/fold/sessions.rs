//! Who opened a session: its evidence is dated at the opening, but its names are those of the record that shows it.

use std::sync::Arc;

use super::{Fold, Keep, Status};
use crate::event::{Observed, Via, What, Who};
use crate::time::Time;

/// The opener of a session, and when the record was made that shows it.
fn of_session(event: &Observed) -> Option<(&Who, Time)> {
    match &event.what {
        What::MfaUseObserved { who, via: Via::Session { seen }, .. } => Some((who, *seen)),
        _ => None,
    }
}

/// Calls the openers of sessions what they were called at the opening, where a renaming lies between it and the record.
pub(super) fn name_openers(events: &mut [Arc<Observed>]) {
    let renames = events.iter().any(|event| matches!(event.what, What::PrincipalRenamed { .. }));
    if !renames || !events.iter().any(|event| of_session(event).is_some()) {
        return;
    }
    // In the order of the records: what is later than a session's record does not tell who made it.
    let recorded = |event: &Observed| of_session(event).map_or(event.at, |(_, seen)| seen);
    let mut places: Vec<usize> = (0..events.len()).collect();
    places.sort_by_key(|place| (recorded(&events[*place]), events[*place].what.rank(), *place));
    let mut fold = Fold::new(Keep::Changes);
    for place in places {
        let event = &events[place];
        let Some((who, seen)) = of_session(event) else {
            fold.take(event);
            continue;
        };
        if let Some(opener) = opener(&mut fold, who, seen, event.at) {
            let mut renamed = Observed::clone(event);
            if let What::MfaUseObserved { who, .. } = &mut renamed.what {
                *who = opener;
            }
            events[place] = Arc::new(renamed);
        }
    }
}

/// Who is meant by the name of a record, by the name of an earlier instant; nobody, if that is the same.
fn opener(fold: &mut Fold, who: &Who, seen: Time, opened: Time) -> Option<Who> {
    let meant = fold.names.meant(who, seen).filter(|meant| meant.finding.is_none())?;
    let Who::User { account, name: Some(name), uid } = who else { return None };
    let life = &fold.names.lives[meant.life];
    let then = life.at(Some(opened));
    let gone = life.deleted.is_some() || then.status == Status::Nonexistent || life.names.is_empty();
    if gone || then.name.to_lowercase() == name.to_lowercase() {
        return None;
    }
    let uid = uid.clone().or_else(|| life.uid.clone());
    Some(Who::User { account: Arc::clone(account), name: Some(then.name), uid })
}
