//! Addenda: records that replace others (rule R6).

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::Kept;
use crate::time::Time;

/// How new an addendum is: when it happened, when it came, and by its record where that ties.
type Age = (Time, Option<Time>, Option<Arc<str>>, [u8; 32]);

/// Lets the newest of addenda that amend each other in a circle stay. The addenda are by what they amend.
fn open_circles(newest: &mut BTreeMap<Arc<str>, Age>) {
    let mut seen = HashSet::new();
    for start in newest.keys().cloned().collect::<Vec<_>>() {
        let mut path: Vec<Arc<str>> = Vec::new();
        let mut next = Some(start);
        while let Some(id) = next.take_if(|id| seen.insert(Arc::clone(id))) {
            next = newest.get(&id).and_then(|(.., by, _)| by.clone());
            path.push(id);
        }
        let Some(begins) = next.and_then(|id| path.iter().position(|earlier| *earlier == id)) else { continue };
        let circle = path.iter().skip(begins).filter_map(|id| newest.get(id));
        if let Some((.., Some(youngest), _)) = circle.max().cloned() {
            newest.remove(&youngest);
        }
    }
}

/// Leaves out what was amended, and of several amendments of one record all but the newest. Gives the ids of the former.
pub(super) fn amend(kept: &mut Vec<Kept>) -> BTreeSet<Arc<str>> {
    let replaces = |kept: &Kept| kept.replaces.clone().filter(|id| kept.cite.event_id.as_ref() != Some(id));
    let age = |kept: &Kept| -> Age { (kept.at, kept.cite.delivered, kept.cite.event_id.clone(), kept.cite.body) };
    let mut newest = BTreeMap::new();
    for addendum in &*kept {
        let Some(id) = replaces(addendum) else { continue };
        let newest = newest.entry(id).or_insert_with(|| age(addendum));
        *newest = age(addendum).max(newest.clone());
    }
    open_circles(&mut newest);
    kept.retain(|kept| {
        let amended = kept.cite.event_id.as_ref().is_some_and(|id| newest.contains_key(id));
        !amended && replaces(kept).is_none_or(|id| newest.get(&id) == Some(&age(kept)))
    });
    newest.into_keys().collect()
}
