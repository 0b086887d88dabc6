//! Whether the entries are those that were signed: roots computed from them alone, held against checkpoints.

use std::collections::BTreeMap;

use countersign_domain::wire::SIGNING_KEY_ROTATED;
use countersign_proof::{Entry, Hash, ProofError, Roots, Trust, VerifierKey};
use countersign_store::EntryRef;
use serde::Serialize;

use crate::own::medium::Signed;

/// What somebody has kept outside of the store, for it to be held against.
///
/// ```
/// use countersign_replay::own::verify::Outside;
///
/// let outside = Outside { checkpoints: vec![("2026-01.txt".to_owned(), String::new())], ..Outside::default() };
/// assert!(outside.key.is_none());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outside {
    /// The key that is trusted. Without one, the store is believed which key was its first.
    pub key: Option<VerifierKey>,
    /// Earlier checkpoints, each with a name to call it by.
    pub checkpoints: Vec<(String, String)>,
}

/// How far the entries are those that were signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SignedUpTo {
    /// The log's name.
    pub origin: String,
    /// The key that signs now.
    pub key: String,
    /// Whether that key follows from one that was given from outside.
    pub pinned: bool,
    /// Entries that the store's own last checkpoint is of.
    pub entries: u64,
    /// Checkpoints from outside that the log begins with.
    pub outside: u64,
}

/// Something that does not hold, and where.
type Doubt = (Option<u64>, String);

/// A checkpoint to be judged once all entries are known.
struct Claim {
    name: String,
    text: String,
    is_own: bool,
}

impl Claim {
    /// The size that it says, before it is known whether to believe it.
    fn size(&self) -> Option<u64> {
        let text = if let Some((_, rest)) = self.text.split_once("\n\n").filter(|_| self.text.starts_with("old ")) {
            rest
        } else {
            &self.text
        };
        text.lines().nth(1)?.parse().ok()
    }
}

/// What is known of the signatures at some position of the log.
pub(super) struct Seals {
    claims: Vec<Claim>,
    /// Roots at the sizes that some claim is of.
    wanted: BTreeMap<u64, Option<Hash>>,
    roots: Roots,
    /// Something is missing, so that no later root can be known.
    gap: bool,
    trust: Option<Trust>,
    pinned: bool,
    followed: bool,
    listed: Vec<VerifierKey>,
    doubts: Vec<Doubt>,
}

impl Seals {
    pub(super) fn new(signed: Signed, outside: &Outside) -> Self {
        let own = signed.checkpoint.map(|text| ("the last checkpoint".to_owned(), text, true));
        let others = outside.checkpoints.iter().map(|(name, text)| (format!("`{name}`"), text.clone(), false));
        let claims: Vec<Claim> = others.chain(own).map(|(name, text, is_own)| Claim { name, text, is_own }).collect();
        let wanted = claims.iter().filter_map(|claim| Some((claim.size()?, None))).collect();
        let trust = outside.key.clone().or_else(|| signed.keys.first().cloned()).map(Trust::new);
        let mut doubts: Vec<Doubt> = signed.unusable.map(|what| (None, what)).into_iter().collect();
        let has_own = claims.iter().any(|claim| claim.is_own);
        if !has_own && (outside.key.is_some() || !signed.keys.is_empty()) {
            doubts.push((None, "the log's last checkpoint (`checkpoint`) is gone".to_owned()));
        }
        if has_own && signed.keys.is_empty() && doubts.is_empty() {
            doubts.push((None, "the list of signing keys (`signers`) is gone".to_owned()));
        }
        let (pinned, listed) = (outside.key.is_some(), signed.keys);
        let mut seals = Self {
            claims,
            wanted,
            roots: Roots::default(),
            gap: false,
            trust,
            pinned,
            followed: false,
            listed,
            doubts,
        };
        seals.note_root();
        seals
    }

    pub(super) const fn gap(&mut self) {
        self.gap = true;
    }

    pub(super) fn entry(&mut self, entry: &EntryRef<'_>) {
        if self.gap {
            return;
        }
        self.roots.push(Hash::of_leaf(entry.entry));
        self.note_root();
        if entry.header.event_type == SIGNING_KEY_ROTATED {
            self.follow(entry);
        }
    }

    fn note_root(&mut self) {
        if let Some(root) = self.wanted.get_mut(&self.roots.size()) {
            *root = Some(self.roots.root());
        }
    }

    /// Passes on to the next key. Changes before the pinned key are passed over.
    fn follow(&mut self, entry: &EntryRef<'_>) {
        let Some(trust) = self.trust.as_mut() else { return };
        let old = str::from_utf8(entry.body).ok().and_then(|text| text.lines().nth(2));
        if self.pinned && !self.followed && old != Some(trust.current().to_string().as_str()) {
            return;
        }
        let followed = Entry::read(entry.entry).and_then(|read| trust.follow(&read, entry.position.0));
        match followed {
            Ok(()) => self.followed = true,
            Err(cause) => self.doubts.push((Some(entry.position.0), format!("the change of signing keys: {cause}"))),
        }
    }

    /// Judges every claim; the oldest first, so that what changed is between the last that holds and the first that does not.
    pub(super) fn finish(mut self) -> (Option<SignedUpTo>, Vec<Doubt>) {
        let Some(trust) = self.trust.take() else { return (None, self.doubts) };
        if !self.gap && !self.listed.is_empty() && !self.listed.contains(trust.current()) {
            let what = "the list of signing keys does not have the key that the log names, or that was given";
            self.doubts.push((None, what.to_owned()));
        }
        let key = trust.current();
        let (origin, pinned) = (key.name().to_owned(), self.pinned);
        let mut up_to = SignedUpTo { origin, key: key.to_string(), pinned, entries: 0, outside: 0 };
        self.claims.sort_by_key(Claim::size);
        let mut holds = 0;
        for claim in std::mem::take(&mut self.claims) {
            match self.judge(&trust, &claim, holds) {
                Ok(Some(size)) => {
                    holds = size;
                    if claim.is_own {
                        up_to.entries = size;
                    } else {
                        up_to.outside += 1;
                    }
                }
                Ok(None) => {}
                Err(doubt) => self.doubts.push(doubt),
            }
        }
        (Some(up_to), self.doubts)
    }

    /// The size of a checkpoint that holds; `None` when something before it is missing, which is told elsewhere.
    fn judge(&self, trust: &Trust, claim: &Claim, holds: u64) -> Result<Option<u64>, Doubt> {
        let name = &claim.name;
        let text = match claim.text.split_once("\n\n") {
            Some((_, checkpoint)) if claim.text.starts_with("old ") => checkpoint,
            _ => &claim.text,
        };
        let checkpoint = match trust.checkpoint(text) {
            Ok(checkpoint) => checkpoint,
            Err(ProofError::NoTrustedSignature) if self.gap => return Ok(None),
            Err(cause) => return Err((None, format!("{name}: {cause}"))),
        };
        let size = checkpoint.size();
        match self.wanted.get(&size).copied().flatten() {
            Some(root) if root == checkpoint.root() => Ok(Some(size)),
            Some(_) => {
                let what = format!(
                    "{name}: the first {size} entries are not those that were signed; what changed is at position {holds} or after"
                );
                Err((size.checked_sub(1), what))
            }
            None if self.gap => Ok(None),
            None => {
                let what = format!("{name}: {size} entries were signed, and the log has {}", self.roots.size());
                Err((Some(self.roots.size()), what))
            }
        }
    }
}
