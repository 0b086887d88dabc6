//! What the log has signed of itself: two texts beside it.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use countersign_proof::VerifierKey;
use countersign_store::limits::DOCUMENT_BYTES_MAX;
use countersign_store::{Document, Fault};

/// The public keys of a log and its last checkpoint, as they lie there. Nothing of it is believed yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signed {
    /// The log's keys, oldest first; none for a store of a former release.
    pub keys: Vec<VerifierKey>,
    /// The last checkpoint.
    pub checkpoint: Option<String>,
    /// Why the list of keys cannot be used, when it is there.
    pub unusable: Option<String>,
}

impl Signed {
    /// Reads both. To be done before the log is looked at, which then has at least what was signed.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn read(store: &Path) -> Result<Self, Fault> {
        let checkpoint = text(store, Document::Checkpoint)?;
        let (keys, unusable) = match text(store, Document::Signers)?.map(|list| keys_of(&list)) {
            None => (Vec::new(), None),
            Some(Ok(keys)) => (keys, None),
            Some(Err(what)) => (Vec::new(), Some(format!("the list of signing keys (`signers`): {what}"))),
        };
        Ok(Self { keys, checkpoint, unusable })
    }
}

fn text(store: &Path, document: Document) -> Result<Option<String>, Fault> {
    let path = store.join(document.name());
    let mut bytes = Vec::new();
    let read = File::open(&path).and_then(|file| file.take(DOCUMENT_BYTES_MAX as u64).read_to_end(&mut bytes));
    match read {
        Ok(_) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(Fault::because(&format!("could not read `{}`", path.display()), cause)),
    }
}

/// The public half of the list; the wrapped seed is not looked at.
fn keys_of(list: &str) -> Result<Vec<VerifierKey>, String> {
    let mut lines = list.lines();
    if lines.next() != Some("countersign signers 1") {
        return Err("its first line is not known".to_owned());
    }
    let key = |(at, line): (usize, &str)| {
        let mut fields = line.split(' ');
        if fields.next() != Some((at + 1).to_string().as_str()) {
            return Err("its keys are not numbered from 1 on".to_owned());
        }
        fields.next().unwrap_or_default().parse().map_err(|cause| format!("key {}: {cause}", at + 1))
    };
    lines.enumerate().map(key).collect()
}
