//! A store that is made from a backup and the keys that there are now.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::log_file::{Audit, read_log};
use super::{BACKUP_TEXT, Backup, BackupError, CHECKPOINT, KEYS, LOG, MARK, fault, make_dir, read_text, sync_dir};
use crate::backend::{Backend, Document};
use crate::journal::Journal;
use crate::keys::{KeyRing, SLOT_BYTES};
use crate::log::{Log, Options};
use crate::signing::{Signers, read_checkpoint, read_rotation, text_signed_by};
use crate::sled_backend::{SledBackend, StoreOptions};
use crate::tree::TreeHead;

/// Chunks that are made durable together.
const BATCH: usize = 512;
/// Slots that are written together.
const SLOT_BATCH: usize = 4096;

/// What a store is restored from, and what it has to agree with.
pub struct Restore<'a> {
    /// The backup's directory.
    pub backup: &'a Path,
    /// The directory with the files `keys` and `signers` as they are now: the present store, or the copy that is kept
    /// apart ([`super::copy_keys`]).
    pub keys: &'a Path,
    /// The key ring.
    pub ring: Arc<dyn KeyRing>,
    /// A key that the log must have been signed with, as `NAME+ID+KEY`.
    pub verifier_key: Option<&'a str>,
    /// A checkpoint that was kept elsewhere: the backup must begin with what it is of.
    pub checkpoint: Option<&'a str>,
}

impl std::fmt::Debug for Restore<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Restore").field("backup", &self.backup).field("keys", &self.keys).finish_non_exhaustive()
    }
}

/// Makes a store in a new directory: the log of a backup, with the keys that there are now. The log is hashed anew and has
/// to be what its checkpoint is of, which has to be signed by a key of the log; the store has to open and to verify.
/// Whatever fails, there is no store at the end.
///
/// The restored log is shorter than the one that was lost, and everybody who kept a later checkpoint will see that.
///
/// ```
/// # use std::sync::Arc;
/// # use countersign_store::{EphemeralKeyRing, Journal, MemoryJournal, SledJournal, StoreOptions};
/// use countersign_store::backup::{self, Restore};
///
/// # let ring = Arc::new(EphemeralKeyRing::new()?);
/// # let journal = MemoryJournal::new(ring.clone())?;
/// # let dir = tempfile::tempdir()?;
/// # let (monday, kept, store) = (dir.path().join("monday"), dir.path().join("kept"), dir.path().join("store"));
/// backup::write(&journal, &monday)?;
/// backup::copy_keys(&journal, &kept)?;
/// let from = Restore { backup: &monday, keys: &kept, ring: ring.clone(), verifier_key: None, checkpoint: None };
/// backup::restore(&from, &store)?;
/// assert_eq!(SledJournal::open(&store, ring, StoreOptions::default())?.head(), journal.head());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// See [`BackupError`].
pub fn restore(from: &Restore<'_>, to: &Path) -> Result<Backup, BackupError> {
    if is_taken(to)? {
        return Err(BackupError::NotEmpty(to.to_owned()));
    }
    let checked = check(from)?;
    let draft = draft_of(to)?;
    remove(&draft)?;
    let made = make(from, &checked, &draft);
    if let Err(error) = made {
        // What is left of it, if it cannot be removed, is under a name that is nobody's store.
        let _left = remove(&draft);
        return Err(error);
    }
    fs::rename(&draft, to).map_err(|cause| fault("make", to, &cause))?;
    if let Some(parent) = to.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        sync_dir(parent)?;
    }
    Ok(checked.backup)
}

fn is_taken(to: &Path) -> Result<bool, BackupError> {
    match fs::read_dir(to) {
        Ok(mut found) => Ok(found.next().is_some()),
        Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(false),
        Err(cause) => Err(fault("read", to, &cause).into()),
    }
}

fn draft_of(to: &Path) -> Result<PathBuf, BackupError> {
    let mut name = to.file_name().ok_or_else(|| BackupError::NotEmpty(to.to_owned()))?.to_owned();
    name.push(".restoring");
    Ok(to.with_file_name(name))
}

fn remove(draft: &Path) -> Result<(), BackupError> {
    match fs::remove_dir_all(draft) {
        Err(cause) if cause.kind() != ErrorKind::NotFound => Err(fault("remove", draft, &cause).into()),
        _ => Ok(()),
    }
}

/// What is known of a backup once all of it was read.
struct Checked {
    backup: Backup,
    signers: String,
}

/// Reads the whole backup and compares it with its checkpoint, the keys of the log, and what is known from outside.
fn check(from: &Restore<'_>) -> Result<Checked, BackupError> {
    let not_whole = |_| BackupError::NotABackup(from.backup.to_owned());
    if read_text(&from.backup.join(MARK)).map_err(not_whole)? != format!("{BACKUP_TEXT}\n") {
        return Err(BackupError::NotABackup(from.backup.to_owned()));
    }
    let note = read_text(&from.backup.join(CHECKPOINT))?;
    let signers_text = read_text(&from.keys.join(Document::Signers.name()))?;
    let signers = Signers::parse(signers_text.as_bytes()).map_err(|what| BackupError::KeysDoNotFit(what.to_owned()))?;
    let known = from.checkpoint.map(|note| signed_by_any(note, &signers).ok_or(BackupError::NotSigned)).transpose()?;
    let mut audit = Audit::noting(known.map(|known| known.size));
    let mut bytes = 0;
    read_log(&from.backup.join(LOG), &mut audit, &mut |_, chunk| {
        bytes += chunk.len() as u64;
        Ok(())
    })?;
    let signed = signed_head(&note, &signers, &audit)?;
    audit.check(signed)?;
    if let Some(key) = from.verifier_key {
        let of_log = signers.publics().take(audit.rotations.len() + 1);
        if !of_log.into_iter().any(|public| public.to_string() == key.trim()) {
            return Err(BackupError::NotThatKey);
        }
    }
    match known {
        Some(known) if known.size > signed.size => {
            return Err(BackupError::Older { entries: signed.size, known: known.size });
        }
        Some(known) if audit.root_there != Some(known.root) => {
            return Err(BackupError::OtherHistory { known: known.size });
        }
        _ => {}
    }
    let backup = Backup { entries: signed.size, bytes, checkpoint: note.into() };
    Ok(Checked { backup, signers: signers_text })
}

/// What a checkpoint says that any key of the log has signed.
fn signed_by_any(note: &str, signers: &Signers) -> Option<TreeHead> {
    signers.publics().find_map(|public| read_checkpoint(public.origin(), text_signed_by(note, public)?))
}

/// What the checkpoint of the backup says, when the log's last key has signed it, and each key was named by the one before.
fn signed_head(note: &str, signers: &Signers, audit: &Audit) -> Result<TreeHead, BackupError> {
    for (at, (_, body)) in audit.rotations.iter().enumerate() {
        let (old, new, _) = read_rotation(body).ok_or(BackupError::NotSigned)?;
        if signers.public(at + 1) != Some(&old) || signers.public(at + 2) != Some(&new) {
            return Err(BackupError::NotSigned);
        }
    }
    let last = audit.rotations.len() + 1;
    if signers.count() > last && !(signers.is_replacing() && signers.count() == last + 1) {
        return Err(BackupError::SigningKeyChanged);
    }
    let public = signers.public(last).ok_or(BackupError::NotSigned)?;
    let text = text_signed_by(note, public).ok_or(BackupError::NotSigned)?;
    read_checkpoint(public.origin(), text).ok_or(BackupError::NotSigned)
}

/// Makes the store, and opens and verifies it.
fn make(from: &Restore<'_>, checked: &Checked, draft: &Path) -> Result<(), BackupError> {
    if let Some(parent) = draft.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        make_dir(parent)?;
    }
    let backend = SledBackend::open(draft, StoreOptions::default())?;
    let path = from.keys.join(KEYS);
    let keys = fs::read(&path).map_err(|cause| fault("read", &path, &cause))?;
    let slots: Vec<[u8; SLOT_BYTES]> = keys.chunks_exact(SLOT_BYTES).filter_map(|slot| slot.try_into().ok()).collect();
    for (at, some) in slots.chunks(SLOT_BATCH).enumerate() {
        backend.put_slots((at * SLOT_BATCH) as u64, some)?;
    }
    backend.replace_document(Document::Signers, checked.signers.as_bytes())?;
    let mut batch = Vec::with_capacity(BATCH);
    read_log(&from.backup.join(LOG), &mut Audit::default(), &mut |first, chunk| {
        batch.push((first, chunk));
        if batch.len() == BATCH {
            backend.commit(std::mem::take(&mut batch))?;
        }
        Ok(())
    })?;
    if !batch.is_empty() {
        backend.commit(batch)?;
    }
    backend.raise_high_water(checked.backup.entries)?;
    backend.replace_document(Document::Checkpoint, checked.backup.checkpoint.as_bytes())?;
    let journal = Log::with_backend(backend, from.ring.clone(), Options::default())?;
    let verified = journal.verify();
    verified
        .map_err(|problems| BackupError::KeysDoNotFit(problems.first().map(ToString::to_string).unwrap_or_default()))?;
    journal.close()?;
    Ok(())
}
