//! Receipts of entries, and proofs that the log has only grown, made from the files of a store without its engine.

use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::Path;

use countersign_domain::ids::Position;
use countersign_proof::{Checkpoint, Hash, Receipt, Roots, Trust, verify_consistency};
use data_encoding::BASE64;

use super::error::OwnError;
use super::explain::Which;
use super::medium::{Image, Signed};
use super::place::locate;

/// A receipt of an entry of the store at a path: a text (C2SP `tlog-proof`) with the entry, its place, the way from it to a
/// root, and the store's last checkpoint. With one public key, anybody can check it by `countersign-proof`.
///
/// It shows the entry's envelope to whoever reads it: type, stream, version, time and command. A sealed body stays sealed. Of
/// a command that recorded several entries, `part` says which one, from 0 on.
///
/// ```
/// use countersign_replay::own::explain::Which;
/// use countersign_replay::own::receipt::receipt;
///
/// assert!(receipt("/nonexistent".as_ref(), Which::parse("16")?, None).is_err());
/// # Ok::<(), String>(())
/// ```
///
/// # Errors
/// When there is no such entry, no checkpoint that has it, or the log is not what was signed.
pub fn receipt(path: &Path, which: Which, part: Option<u16>) -> Result<String, OwnError> {
    let (image, note, checkpoint, trust) = opened(path)?;
    let (position, entry) = find(&image, which, part)?;
    if position.0 >= checkpoint.size() {
        let size = checkpoint.size();
        let what =
            format!("the last checkpoint is of {size} entries, and does not have the one at position {position} yet");
        return Err(OwnError::Usage(what));
    }
    let proof = hashes(&image, &inclusion(position.0, checkpoint.size()))?;
    let extra = BASE64.encode(&entry);
    let text = with_hashes(format!("c2sp.org/tlog-proof@v1\nextra {extra}\nindex {position}\n"), &proof, &note);
    let made: Result<Receipt, _> = text.parse();
    let holds = made.and_then(|made| trust.receipt(&made, &entry));
    holds.map_err(|cause| OwnError::NotSigned(format!("the log is not the one that was signed: {cause}")))?;
    Ok(text)
}

/// The store's last checkpoint, below the proof that its log begins with what an earlier checkpoint is of: what
/// `countersign-proof consistent` takes, and a witness (C2SP `tlog-witness`).
///
/// ```
/// assert!(countersign_replay::own::receipt::growth("/nonexistent".as_ref(), "").is_err());
/// ```
///
/// # Errors
/// When the earlier checkpoint is not of this log, or the log does not continue it.
pub fn growth(path: &Path, earlier: &str) -> Result<String, OwnError> {
    let (image, note, checkpoint, trust) = opened(path)?;
    let earlier =
        trust.checkpoint(earlier).map_err(|cause| OwnError::NotSigned(format!("the earlier one: {cause}")))?;
    let (old, size) = (earlier.size(), checkpoint.size());
    if old > size {
        return Err(OwnError::NotSigned(format!("{old} entries were signed earlier, and {size} are now")));
    }
    let proof = hashes(&image, &consistency(old, size))?;
    verify_consistency((old, earlier.root()), (size, checkpoint.root()), &proof)
        .map_err(|cause| OwnError::NotSigned(format!("the log does not continue the earlier one: {cause}")))?;
    Ok(with_hashes(format!("old {old}\n"), &proof, &note))
}

fn with_hashes(mut text: String, proof: &[Hash], note: &str) -> String {
    for hash in proof {
        // Writing into a string does not fail.
        let _written = writeln!(text, "{hash}");
    }
    text + "\n" + note
}

/// The log, and its last checkpoint, which the keys beside it have signed.
fn opened(path: &Path) -> Result<(Image, String, Checkpoint, Trust), OwnError> {
    let (store, _) = locate(path, None)?;
    let signed = Signed::read(&store)?;
    let image = Image::open(&store)?;
    let Some(note) = signed.checkpoint else {
        return Err(OwnError::Usage("nothing of the log was signed yet".to_owned()));
    };
    let Some(first) = signed.keys.first().cloned() else {
        return Err(OwnError::NotSigned("the list of signing keys is not what was written".to_owned()));
    };
    let mut trust = Trust::new(first);
    image.scan(Position(0), &mut |entry| {
        if entry.header.event_type == countersign_domain::wire::SIGNING_KEY_ROTATED {
            // One that cannot be followed leaves the checkpoint without a key, which is told below.
            let _doubted =
                countersign_proof::Entry::read(entry.entry).and_then(|read| trust.follow(&read, entry.position.0));
        }
        ControlFlow::Continue(())
    })?;
    let checkpoint = trust.checkpoint(&note);
    let checkpoint = checkpoint.map_err(|cause| OwnError::NotSigned(format!("the last checkpoint: {cause}")))?;
    Ok((image, note, checkpoint, trust))
}

fn find(image: &Image, which: Which, part: Option<u16>) -> Result<(Position, Vec<u8>), OwnError> {
    let from = if let Which::At(position) = which { position } else { Position(0) };
    let mut found: Vec<(Position, Vec<u8>)> = Vec::new();
    image.scan(from, &mut |entry| {
        let is_meant = match which {
            Which::At(position) => entry.position == position,
            Which::Command(command) => entry.header.command == command,
        };
        if is_meant && part.is_none_or(|part| part == entry.header.part) {
            found.push((entry.position, entry.entry.to_vec()));
        } else if !found.is_empty() || matches!(which, Which::At(_)) {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    match (found.pop(), found.len()) {
        (Some(only), 0) => Ok(only),
        (Some(_), others) => {
            Err(OwnError::Usage(format!("the command recorded {} entries; say which --part", others + 1)))
        }
        (None, _) => Err(OwnError::Usage("the log has no such entry".to_owned())),
    }
}

/// The ranges beside the way from a leaf to the root, from the leaf up (RFC 6962, section 2.1.1).
fn inclusion(index: u64, size: u64) -> Vec<(u64, u64)> {
    let (mut ranges, mut first, mut end) = (Vec::new(), 0, size);
    while end - first > 1 {
        let middle = first + split(end - first);
        if index < middle {
            ranges.push((middle, end));
            end = middle;
        } else {
            ranges.push((first, middle));
            first = middle;
        }
    }
    ranges.reverse();
    ranges
}

/// The ranges that show both roots (RFC 6962, section 2.1.2).
fn consistency(old: u64, size: u64) -> Vec<(u64, u64)> {
    let (mut ranges, mut first, mut end) = (Vec::new(), 0, size);
    if old == 0 || old == size {
        return ranges;
    }
    while old != end {
        let middle = first + split(end - first);
        if old <= middle {
            ranges.push((middle, end));
            end = middle;
        } else {
            ranges.push((first, middle));
            first = middle;
        }
    }
    if first > 0 {
        ranges.push((first, end));
    }
    ranges.reverse();
    ranges
}

/// The largest power of two below a count of two or more.
const fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

/// The roots over ranges that do not overlap, in one pass over the log.
fn hashes(image: &Image, ranges: &[(u64, u64)]) -> Result<Vec<Hash>, OwnError> {
    let mut roots: Vec<Roots> = ranges.iter().map(|_| Roots::default()).collect();
    let mut by_first: Vec<usize> = (0..ranges.len()).collect();
    by_first.sort_by_key(|at| ranges[*at].0);
    let mut waiting = by_first.into_iter().peekable();
    image.scan(Position(0), &mut |entry| {
        let position = entry.position.0;
        while waiting.next_if(|at| ranges[*at].1 <= position).is_some() {}
        let Some(at) = waiting.peek() else { return ControlFlow::Break(()) };
        if ranges[*at].0 <= position {
            roots[*at].push(Hash::of_leaf(entry.entry));
        }
        ControlFlow::Continue(())
    })?;
    Ok(roots.iter().map(Roots::root).collect())
}
