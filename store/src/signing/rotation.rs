//! The entry by which a log passes from one key to the next.

use super::key::{PublicKey, SigningKey};
use super::note;

/// The first line of the statement. No log can have it as its name, so it is never taken for a checkpoint.
const FIRST_LINE: &str = "countersign signing key rotation v1";

/// The statement, signed by both keys: from the entry that holds it on, the new one signs.
pub(crate) fn state(old: &SigningKey, new: &SigningKey, size: u64) -> String {
    note::sign(&text(old.public(), new.public(), size), &[old, new])
}

fn text(old: &PublicKey, new: &PublicKey, size: u64) -> String {
    format!("{FIRST_LINE}\n{}\n{old}\n{new}\n{size}\n", old.origin())
}

/// What a statement says: old key, new key, and how many entries the log had at least.
pub(crate) fn read(body: &[u8]) -> Option<(PublicKey, PublicKey, u64)> {
    let note = str::from_utf8(body).ok()?;
    let mut lines = note.lines().skip(2);
    let old = PublicKey::parse(lines.next()?)?;
    let new = PublicKey::parse(lines.next()?)?;
    let size = lines.next()?.parse().ok()?;
    let stated = text(&old, &new, size);
    let by_both = [&old, &new].into_iter().all(|key| note::text_signed_by(note, key) == Some(stated.as_str()));
    (by_both && old.origin() == new.origin()).then_some((old, new, size))
}
