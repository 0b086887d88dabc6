//! Signed texts (C2SP `signed-note`), and the one that says how far the log is (C2SP `tlog-checkpoint`).

use data_encoding::BASE64;

use super::key::{PublicKey, SigningKey};
use crate::tree::{TreeHash, TreeHead};

/// Signs a text, which ends with a line feed, by each of the keys.
pub(crate) fn sign(text: &str, keys: &[&SigningKey]) -> String {
    let mut note = format!("{text}\n");
    for key in keys {
        let public = key.public();
        let signature = [public.id().as_slice(), &key.sign(text)].concat();
        note.push_str(&format!("— {} {}\n", public.origin(), BASE64.encode(&signature)));
    }
    note
}

/// The text of a note, when the key has signed it.
pub(crate) fn text_signed_by<'a>(note: &'a str, key: &PublicKey) -> Option<&'a str> {
    let end = note.rfind("\n\n")?;
    let (text, below) = (note.get(..=end)?, note.get(end + 2..)?.strip_suffix('\n')?);
    let signed = below.lines().filter_map(|line| line.strip_prefix("— ")?.split_once(' ')).any(|(name, signature)| {
        let bytes = BASE64.decode(signature.as_bytes()).unwrap_or_default();
        let Some((id, signature)) = bytes.split_first_chunk() else { return false };
        name == key.origin() && *id == key.id() && key.has_signed(text, signature)
    });
    signed.then_some(text)
}

/// What a checkpoint says in the clear.
pub(crate) fn checkpoint_text(origin: &str, head: TreeHead) -> String {
    format!("{origin}\n{}\n{}\n", head.size, BASE64.encode(&head.root.0))
}

/// Reads the text of a checkpoint of this log: the lines that this release writes, and no other.
pub(crate) fn read_checkpoint(origin: &str, text: &str) -> Option<TreeHead> {
    let mut lines = text.lines().skip(1);
    let size = lines.next()?.parse().ok()?;
    let root = BASE64.decode(lines.next()?.as_bytes()).ok()?;
    let head = TreeHead { size, root: TreeHash(root.try_into().ok()?) };
    (checkpoint_text(origin, head) == text).then_some(head)
}
