//! Records of one id that differ (rule R4).

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::fast::FixedState;

use super::items::{self, Item};
use super::{Flaw, Kept, Seen, open, sift, walk};
use crate::time::Time;

/// Records that a reader keeps before it adds them to those of all readers.
const LOT: usize = 4096;

/// The different records that all readers together have met, up to a number.
#[derive(Debug)]
pub(crate) struct Different {
    /// With copies, which are taken out when there are twice as many as may differ.
    all: Mutex<Vec<Seen>>,
    too_many: AtomicBool,
    max: usize,
}

impl Different {
    pub(super) fn new(max: usize) -> Self {
        Self { all: Mutex::default(), too_many: AtomicBool::new(false), max }
    }

    /// Adds what a reader has met, once that is worth the while.
    pub(super) fn add(&self, met: &mut Vec<Seen>) {
        if met.len() >= LOT {
            self.add_all(met);
        }
    }

    /// Adds what a reader has met. By what there is, and not by who read how much of it, there are too many.
    pub(super) fn add_all(&self, met: &mut Vec<Seen>) {
        if self.too_many.load(Ordering::Relaxed) {
            return met.clear();
        }
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.append(met);
        if all.len() > self.max.saturating_mul(2) {
            without_copies(&mut all);
            if all.len() > self.max {
                // They say nothing any more.
                *all = Vec::new();
                self.too_many.store(true, Ordering::Relaxed);
            }
        }
    }

    /// How many there are, and those whose id another one has, too; nothing, when there are too many.
    pub(super) fn told_apart(self) -> (Option<u64>, Vec<Seen>) {
        let mut all = self.all.into_inner().unwrap_or_else(PoisonError::into_inner);
        without_copies(&mut all);
        if self.too_many.into_inner() || all.len() > self.max {
            return (None, Vec::new());
        }
        let mut clashes = Vec::new();
        for of_one_id in all.chunk_by(|a, b| a.id == b.id).filter(|chunk| chunk.len() > 1) {
            let mut of_one_id = of_one_id.to_vec();
            of_one_id.sort_by_key(|seen| (seen.at, seen.body));
            clashes.extend(of_one_id.into_iter().skip(1));
        }
        (Some(all.len() as u64), clashes)
    }
}

fn without_copies(all: &mut Vec<Seen>) {
    all.sort_unstable();
    all.dedup_by_key(|seen| (seen.id, seen.body));
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
