//! Records of one id that differ (rule R4).

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;
use std::path::PathBuf;
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::items::{self, Item};
use super::{Flaw, Kept, SEEN_MAX, Seen, Sifted, open, sift, walk};
use crate::time::Time;

/// How many records differ, and those whose id another record has, too.
pub(super) fn tell_apart(all: &mut Sifted) -> (Option<u64>, Vec<Seen>) {
    all.seen.sort_unstable();
    all.seen.dedup_by_key(|seen| (seen.id, seen.body));
    // By what there is, and not by who read how much of it.
    if all.too_many || all.seen.len() > SEEN_MAX {
        all.seen = Vec::new();
        return (None, Vec::new());
    }
    let unique = Some(all.seen.len() as u64 + all.nameless);
    let mut clashes = Vec::new();
    for of_one_id in all.seen.chunk_by(|a, b| a.id == b.id).filter(|chunk| chunk.len() > 1) {
        let mut of_one_id = of_one_id.to_vec();
        of_one_id.sort_by_key(|seen| (seen.at, seen.body));
        clashes.extend(of_one_id.into_iter().skip(1));
    }
    all.seen = Vec::new();
    (unique, clashes)
}

pub(super) fn hash_of(id: &[u8]) -> u64 {
    FixedState::with_seed(0x6964).hash_one(id)
}

/// Reads the files once more for the ids behind some hashes: clashes are rare, and ids are long. What came out of a pipe
/// cannot be read again; of its records those that matter are at hand.
pub(super) fn names_of(kept: &[Kept], files: &[PathBuf], clashes: &[Seen]) -> HashMap<u64, Arc<str>> {
    let wanted: HashSet<u64> = clashes.iter().map(|clash| clash.id).collect();
    let mut names = HashMap::new();
    let mut note = |id: &[u8]| {
        let hash = hash_of(id);
        if wanted.contains(&hash) && !names.contains_key(&hash) {
            names.insert(hash, Arc::from(String::from_utf8_lossy(id)));
        }
    };
    kept.iter().filter_map(|kept| kept.cite.event_id.as_ref()).for_each(|id| note(id.as_bytes()));
    for path in files.iter().filter(|path| walk::can_be_read_again(path)) {
        let Ok(content) = open::text(path, &Arc::default()) else { continue };
        // What could not be read was told the first time.
        let _told = items::each(content, &mut |item| {
            if let Item::Object(bytes, scanned) = item {
                sift::each_id(bytes, scanned, &mut note);
            }
        });
    }
    names
}

/// The finding of a clash. An id that nobody kept is told by its hash.
pub(super) fn named(clash: &Seen, names: &HashMap<u64, Arc<str>>) -> Flaw {
    let mut body = [0; 32];
    body[..8].copy_from_slice(&clash.body.to_be_bytes());
    let at = (clash.at != Time(0)).then_some(clash.at);
    let cite = names.get(&clash.id).cloned().unwrap_or_else(|| Arc::from(format!("hash-of-id:{:016x}", clash.id)));
    Flaw { at, kind: "same_event_id_different_body", cite, body }
}
