//! The log signs itself: at open the last checkpoint is compared with the log, and none is signed that does not extend it.

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};

use countersign_domain::ids::{CommandId, Position, StreamId, UnixMillis, Version};
use countersign_domain::wire;

use super::Inner;
use crate::append::{Append, NewEntry, StreamAppend};
use crate::backend::{Backend, Document};
use crate::error::{AppendError, KeyError, OpenError, ReadError};
use crate::journal::Recorded;
use crate::keys::KeyRing;
use crate::limits::SIGNING_KEYS_MAX;
use crate::signing::{
    Rotated, SignError, SignedHead, Signers, SigningKey, checkpoint_text, growth_text, is_origin, read_checkpoint,
    read_rotation, receipt_text, sign, state_rotation, text_signed_by,
};
use crate::tree::{TreeHead, grows};

/// The stream that the log writes of itself.
pub(crate) fn own_stream() -> StreamId {
    StreamId::derive(&wire::LOG_STREAM)
}

/// What the log is signed with, and what was signed last.
pub(super) struct Signing {
    ring: Arc<dyn KeyRing>,
    signers: Signers,
    current: SigningKey,
    /// The key before, until both have signed a checkpoint.
    retiring: Option<SigningKey>,
    signed: Option<SignedHead>,
}

impl fmt::Debug for Signing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signing").field("keys", &self.signers.count()).field("signed", &self.signed).finish()
    }
}

impl<B: Backend> Inner<B> {
    fn signing(&self) -> MutexGuard<'_, Option<Signing>> {
        self.signing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes up the keys and the last checkpoint, or makes the first key of a log that has none yet.
    pub(super) fn open_signing(&self, ring: Arc<dyn KeyRing>, origin: Option<&str>) -> Result<(), OpenError> {
        match self.try_open_signing(ring, origin) {
            // Who only reads may look at what is left of a damaged log.
            Err(cause @ (OpenError::Signers(_) | OpenError::Checkpoint(_) | OpenError::Key(_))) if self.read_only => {
                tracing::warn!(%cause, "what the log signed of itself is not taken up");
                Ok(())
            }
            other => other,
        }
    }

    fn try_open_signing(&self, ring: Arc<dyn KeyRing>, origin: Option<&str>) -> Result<(), OpenError> {
        let found = self.backend.document(Document::Signers)?;
        let note = self.backend.document(Document::Checkpoint)?;
        let rotation = self.last_rotation()?;
        let mut signing = match found {
            Some(bytes) => self.take_up(ring, &bytes, rotation.as_ref())?,
            None if note.is_some() || rotation.is_some() => return Err(OpenError::Signers("it is gone")),
            None if self.read_only => return Ok(()),
            None => self.first_key(ring, origin)?,
        };
        let name = signing.current.public().origin();
        if let Some(asked) = origin.filter(|asked| *asked != name) {
            return Err(OpenError::OtherOrigin { found: name.to_owned(), asked: asked.to_owned() });
        }
        if let Some(note) = note {
            let head = signed_head(&signing, &note, rotation.as_ref().map(|(position, _)| *position))?;
            self.compare(head)?;
            signing.signed = Some(SignedHead { head, note: String::from_utf8_lossy(&note).into() });
        }
        if !self.read_only && (signing.signed.is_none() || signing.retiring.is_some()) {
            self.sign_head(&mut signing)?;
        }
        *self.signing() = Some(signing);
        Ok(())
    }

    /// The place of the last change of keys, and what it says.
    fn last_rotation(&self) -> Result<Option<(Position, Recorded)>, ReadError> {
        let Some(row) = self.row(own_stream())? else { return Ok(None) };
        let entry = self.with_entry(row.position, |entry| entry.to_recorded())?;
        Ok(Some((row.position, entry)))
    }

    fn first_key(&self, ring: Arc<dyn KeyRing>, origin: Option<&str>) -> Result<Signing, OpenError> {
        if origin.is_some_and(|origin| !is_origin(origin)) {
            return Err(OpenError::Signers("no log can have this name"));
        }
        let mut signers = Signers::default();
        let current = signers.make(ring.as_ref(), origin)?;
        self.backend.replace_document(Document::Signers, signers.text().as_bytes())?;
        Ok(Signing { ring, signers, current, retiring: None, signed: None })
    }

    /// Finds which key signs: the one that the log names last. One that was made and never got there is taken back.
    fn take_up(
        &self,
        ring: Arc<dyn KeyRing>,
        bytes: &[u8],
        rotation: Option<&(Position, Recorded)>,
    ) -> Result<Signing, OpenError> {
        const DISAGREE: OpenError = OpenError::Signers("it does not have the keys that the log names");
        let mut signers = Signers::parse(bytes).map_err(OpenError::Signers)?;
        let rotations = rotation.map_or(0, |(_, entry)| entry.header.version.0);
        let named = usize::try_from(rotations).ok().and_then(|rotations| rotations.checked_add(1)).ok_or(DISAGREE)?;
        if signers.is_replacing() && signers.count() == named + 1 {
            signers.take_back();
            if !self.read_only {
                self.backend.replace_document(Document::Signers, signers.text().as_bytes())?;
            }
        }
        if signers.count() != named {
            return Err(DISAGREE);
        }
        if let Some((_, entry)) = rotation {
            let (old, new, _) = read_rotation(entry.body.as_stored())
                .ok_or(OpenError::Signers("the log's last change of keys is not signed by both"))?;
            if signers.public(named) != Some(&new) || signers.public(named - 1) != Some(&old) {
                return Err(DISAGREE);
            }
        }
        let current = signers.open(ring.as_ref(), named)?;
        let retiring = if signers.is_replacing() { Some(signers.open(ring.as_ref(), named - 1)?) } else { None };
        Ok(Signing { ring, signers, current, retiring, signed: None })
    }

    /// Makes sure that the log has what was signed.
    fn compare(&self, signed: TreeHead) -> Result<(), OpenError> {
        let (size, root) = self.tree_root_at(signed.size)?;
        if root == Some(signed.root) {
            return Ok(());
        }
        if self.read_only {
            tracing::warn!(signed = signed.size, found = size, "the log is not the one that was signed");
            return Ok(());
        }
        Err(OpenError::Forked { signed: signed.size, found: size })
    }

    /// A checkpoint of the log as it is now.
    pub(super) fn checkpoint(&self) -> Result<SignedHead, SignError> {
        let mut signing = self.signing();
        let signing = signing.as_mut().ok_or(SignError::NoKey)?;
        if self.read_only {
            return signing.signed.clone().ok_or(SignError::NoKey);
        }
        Ok(self.sign_head(signing)?)
    }

    pub(super) fn last_checkpoint(&self) -> Option<SignedHead> {
        self.signing().as_ref()?.signed.clone()
    }

    pub(super) fn verifier_keys(&self) -> Vec<String> {
        self.signing().iter().flat_map(|signing| signing.signers.publics().map(ToString::to_string)).collect()
    }

    /// Signs when there is something new.
    pub(super) fn sign_growth(&self) -> Result<(), ReadError> {
        let mut signing = self.signing();
        let Some(signing) = signing.as_mut() else { return Ok(()) };
        if signing.signed.as_ref().is_some_and(|signed| signed.head.size == self.head().0) {
            return Ok(());
        }
        self.sign_head(signing).map(drop)
    }

    /// Signs the tree as it is now, after it was shown that it begins with the one that was signed last.
    fn sign_head(&self, signing: &mut Signing) -> Result<SignedHead, ReadError> {
        self.check_writable()?;
        let before = signing.signed.as_ref().map(|signed| signed.head);
        let (head, extends) = self.with_tree(|tree| {
            let head = TreeHead { size: tree.size(), root: tree.root() };
            let extends = match before {
                None => true,
                Some(before) if before.size > head.size => false,
                Some(before) => grows(before, head, &tree.consistency(before.size, head.size, self)?),
            };
            Ok((head, extends))
        })?;
        if !extends {
            self.poison();
            return Err(ReadError::Forked { signed: before.map_or(0, |before| before.size), found: head.size });
        }
        let same = signing.signed.as_ref().filter(|signed| signed.head == head && signing.retiring.is_none());
        if let Some(signed) = same {
            return Ok(signed.clone());
        }
        let keys: Vec<&SigningKey> = signing.retiring.iter().chain([&signing.current]).collect();
        let note = sign(&checkpoint_text(signing.current.public().origin(), head), &keys);
        self.written(self.backend.replace_document(Document::Checkpoint, note.as_bytes()))?;
        let signed = SignedHead { head, note: note.into() };
        signing.signed = Some(signed.clone());
        if signing.retiring.is_some() {
            signing.signers.retire();
            self.save_signers(&signing.signers)?;
            signing.retiring = None;
        }
        Ok(signed)
    }

    fn save_signers(&self, signers: &Signers) -> Result<(), ReadError> {
        self.written(self.backend.replace_document(Document::Signers, signers.text().as_bytes()))
    }

    /// Wraps the seeds of the signing keys anew, as the ring does by now; says how many.
    pub(super) fn rewrap_signers(&self) -> Result<u64, KeyError> {
        let mut signing = self.signing();
        let Some(signing) = signing.as_mut() else { return Ok(0) };
        let mut signers = signing.signers.clone();
        let done = signers.rewrap(signing.ring.as_ref())?;
        if done > 0 {
            self.save_signers(&signers).map_err(|cause| KeyError::Ring(cause.to_string()))?;
            signing.signers = signers;
        }
        Ok(done)
    }

    /// How many seeds of signing keys some key of the ring has wrapped.
    pub(super) fn signers_wrapped_by(&self, ring_key: u32) -> Result<u64, KeyError> {
        match self.signing().as_ref() {
            Some(signing) => signing.signers.wrapped_by(signing.ring.as_ref(), ring_key),
            None => Ok(0),
        }
    }

    /// Passes on to a fresh key: first it is kept, then the log says so, then both sign, then the old one is forgotten.
    /// At each point in between, the next open goes on from what it finds.
    pub(super) fn rotate_signing_key(&self, at: UnixMillis) -> Result<Rotated, SignError> {
        let mut signing = self.signing();
        let signing = signing.as_mut().ok_or(SignError::NoKey)?;
        if self.closed.load(Ordering::Acquire) {
            return Err(AppendError::Closed.into());
        }
        if signing.signers.count() >= SIGNING_KEYS_MAX {
            return Err(SignError::TooManyKeys);
        }
        let before = self.sign_head(signing)?;
        let origin = signing.current.public().origin().to_owned();
        let next = signing.signers.make(signing.ring.as_ref(), Some(&origin))?;
        self.save_signers(&signing.signers)?;
        let statement = state_rotation(&signing.current, &next, before.head.size);
        let position = match self.append_own(wire::SIGNING_KEY_ROTATED, statement.into_bytes(), at) {
            Ok(position) => position,
            Err(cause) => {
                // Of a write that failed it is not known whether it is there: the next open finds out.
                if !self.is_poisoned() {
                    signing.signers.take_back();
                    self.save_signers(&signing.signers)?;
                }
                return Err(cause.into());
            }
        };
        let (old, new) = (signing.current.public().to_string(), next.public().to_string());
        signing.retiring = Some(std::mem::replace(&mut signing.current, next));
        let checkpoint = self.sign_head(signing)?;
        tracing::info!(position = position.0, key = new, "the log is signed with another key from here on");
        Ok(Rotated { position, old, new, checkpoint })
    }

    /// Records an event of the log itself.
    fn append_own(&self, event_type: u16, body: Vec<u8>, time: UnixMillis) -> Result<Position, AppendError> {
        let stream = own_stream();
        let expected = self.row(stream)?.map_or(Version::NONE, |row| row.version);
        let command = CommandId::derive(&["log", &expected.next().0.to_string()]);
        let entry = NewEntry { event_type, type_version: 1, time, body, seal: false };
        let append = Append {
            command,
            streams: vec![StreamAppend { stream, expected, entries: vec![entry], fresh_key: false }],
        };
        let answer = self.append_group_of(vec![append], true).pop();
        answer.unwrap_or(Err(AppendError::Malformed("the group came back empty"))).map(|committed| committed.first)
    }

    /// A receipt of an entry, under the last checkpoint that has it.
    pub(super) fn receipt(&self, position: Position) -> Result<Option<String>, SignError> {
        if position >= self.head() {
            return Ok(None);
        }
        let signed = match self.last_checkpoint() {
            Some(signed) if signed.head.size > position.0 => signed,
            _ => self.checkpoint()?,
        };
        let Some(proof) = self.prove_entry(position, signed.head.size)? else { return Ok(None) };
        let entry = self.with_entry(position, |entry| entry.entry.to_vec())?;
        Ok(Some(receipt_text(&entry, position, &proof, &signed.note)))
    }
}

impl<B: Backend> Inner<B> {
    /// Shows that the first `old` entries are what the last checkpoint begins with.
    pub(super) fn growth(&self, old: u64) -> Result<Option<String>, SignError> {
        let Some(signed) = self.last_checkpoint() else { return Ok(None) };
        let proof = self.prove_growth(old, signed.head.size)?;
        Ok(proof.map(|proof| growth_text(old, &proof, &signed.note)))
    }
}

/// What the stored checkpoint says, once it is known that the right key has signed it: the one that signs, or, as long as
/// the log was no larger than where the keys changed, the one before.
fn signed_head(signing: &Signing, note: &[u8], rotated: Option<Position>) -> Result<TreeHead, OpenError> {
    const NOT_OURS: OpenError = OpenError::Checkpoint("no key of the log has signed it");
    let note = str::from_utf8(note).map_err(|_| OpenError::Checkpoint("it is not a text"))?;
    let current = signing.current.public();
    let read = |text| read_checkpoint(current.origin(), text).ok_or(OpenError::Checkpoint("it is not of this log"));
    if let Some(text) = text_signed_by(note, current) {
        return read(text);
    }
    let before = signing.signers.public(signing.signers.count() - 1);
    let text = before.and_then(|before| text_signed_by(note, before)).ok_or(NOT_OURS)?;
    let head = read(text)?;
    if rotated.is_some_and(|position| head.size <= position.0) { Ok(head) } else { Err(NOT_OURS) }
}
