//! The log of a backup: its chunks as they are in the store, each after its length, and what they are checked for.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::ops::ControlFlow;
use std::path::Path;

use countersign_domain::ids::Position;

use super::{BackupError, fault};
use crate::chunk::Chunk;
use crate::error::ReadError;
use crate::header::Leaf;
use crate::journal::{EntryRef, Journal};
use crate::limits::VALUE_BYTES_MAX;
use crate::log::own_stream;
use crate::tree::{Tree, TreeHash, TreeHead};

/// Recomputes the tree over the entries that go by, from their bytes alone.
#[derive(Debug, Default)]
pub(super) struct Audit {
    tree: Tree,
    /// A size at which the root is wanted.
    wanted: Option<u64>,
    /// The root at that size, once it was reached.
    pub(super) root_there: Option<TreeHash>,
    /// What the log wrote of itself: its changes of keys.
    pub(super) rotations: Vec<(Position, Vec<u8>)>,
}

impl Audit {
    /// One that notes the root at a size.
    pub(super) fn noting(wanted: Option<u64>) -> Self {
        Self { wanted, ..Self::default() }
    }

    pub(super) fn size(&self) -> u64 {
        self.tree.size()
    }

    /// Takes the next chunk.
    fn take(&mut self, bytes: &[u8]) -> Result<(), ReadError> {
        self.note_root();
        let chunk = Chunk::open(Position(self.size()), bytes)?;
        let mut whole = Vec::new();
        for entry in chunk.entries() {
            let entry: EntryRef<'_> = entry?;
            let leaf = Leaf::of(entry.entry);
            if leaf != entry.leaf {
                return Err(ReadError::Corrupt { position: entry.position, what: "the entry does not have its hash" });
            }
            if entry.header.stream == own_stream() {
                self.rotations.push((entry.position, entry.body.to_vec()));
            }
            self.tree.push(leaf.into(), &mut whole);
            whole.clear();
            self.note_root();
        }
        Ok(())
    }

    fn note_root(&mut self) {
        if self.wanted == Some(self.size()) && self.root_there.is_none() {
            self.root_there = Some(self.tree.root());
        }
    }

    /// Compares all that went by with what was signed.
    pub(super) fn check(&mut self, signed: TreeHead) -> Result<(), BackupError> {
        self.note_root();
        let found = TreeHead { size: self.size(), root: self.tree.root() };
        if found == signed { Ok(()) } else { Err(BackupError::OtherLog { signed: signed.size, found: found.size }) }
    }
}

/// Writes the chunks of a journal up to a position, which is where a chunk ends; gives how many bytes they have.
pub(super) fn write_log(
    journal: &dyn Journal,
    until: u64,
    audit: &mut Audit,
    file: &mut File,
    path: &Path,
) -> Result<u64, BackupError> {
    let mut out = BufWriter::new(file);
    let (mut bytes, mut failed) = (0, None);
    journal.each_chunk(&mut |chunk| {
        if audit.size() >= until {
            return ControlFlow::Break(());
        }
        let written = audit.take(chunk).map_err(BackupError::from).and_then(|()| {
            let length = u32::try_from(chunk.len()).unwrap_or(u32::MAX);
            let written = out.write_all(&length.to_be_bytes()).and_then(|()| out.write_all(chunk));
            written.map_err(|cause| fault("write", path, &cause).into())
        });
        bytes += chunk.len() as u64;
        failed = written.err();
        if failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    if let Some(failed) = failed {
        return Err(failed);
    }
    out.flush().map_err(|cause| fault("write", path, &cause))?;
    Ok(bytes)
}

/// Reads the chunks of a backup one after another, each checked; what visits them gets position and bytes.
pub(super) fn read_log(
    path: &Path,
    audit: &mut Audit,
    visit: &mut dyn FnMut(Position, Vec<u8>) -> Result<(), BackupError>,
) -> Result<(), BackupError> {
    let failed = |cause: io::Error| BackupError::from(fault("read", path, &cause));
    let mut file = BufReader::new(File::open(path).map_err(failed)?);
    loop {
        let mut length = [0; 4];
        let short = ReadError::Corrupt { position: Position(audit.size()), what: "the backup is cut short" };
        match read_whole(&mut file, &mut length).map_err(failed)? {
            0 => return Ok(()),
            4 => {}
            _ => return Err(short.into()),
        }
        let length = u32::from_be_bytes(length) as usize;
        if length > VALUE_BYTES_MAX {
            let what = "a chunk of the backup is larger than any";
            return Err(ReadError::Corrupt { position: Position(audit.size()), what }.into());
        }
        let mut chunk = vec![0; length];
        if read_whole(&mut file, &mut chunk).map_err(failed)? != length {
            return Err(short.into());
        }
        let first = Position(audit.size());
        audit.take(&chunk)?;
        visit(first, chunk)?;
    }
}

/// Reads as much as there is.
fn read_whole(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match file.read(&mut buffer[done..]) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) => return Err(cause),
        }
    }
    Ok(done)
}
