//! A forger's tools: whoever has the machine, and the key ring.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path as FilePath;

use countersign::Layout;
use countersign::domain::ids::{Position, StreamId, Version};
use countersign::store::chunk::Chunk;
use countersign::store::{Backend, Document, Header, Leaf, SledBackend, StoreOptions};
use tempfile::TempDir;

/// Entries, with their headers as they are to be.
pub type Forged = Vec<(Header, Vec<u8>)>;

/// A copy of a server's directory.
pub fn copy(from: &FilePath) -> TempDir {
    let to = tempfile::tempdir().unwrap();
    copy_into(from, to.path());
    to
}

fn copy_into(from: &FilePath, to: &FilePath) {
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir_all(&target).unwrap();
            copy_into(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn backend(dir: &FilePath) -> SledBackend {
    SledBackend::open(&Layout::of(dir).store, StoreOptions::default()).unwrap()
}

pub fn chunks(dir: &FilePath) -> Vec<(Position, Vec<u8>)> {
    let mut all = Vec::new();
    let visited = backend(dir).chunks_from(Position(0), &mut |first, bytes| {
        all.push((first, bytes.to_vec()));
        ControlFlow::Continue(())
    });
    visited.unwrap();
    all
}

pub fn entries(dir: &FilePath) -> Forged {
    let mut all = Vec::new();
    for (first, bytes) in chunks(dir) {
        let chunk = Chunk::open(first, &bytes).unwrap();
        all.extend(chunk.entries().map(|entry| entry.unwrap()).map(|entry| (entry.header, entry.body.to_vec())));
    }
    all
}

/// Puts other bytes in the place of a chunk.
pub fn overwrite(dir: &FilePath, first: Position, bytes: Vec<u8>) {
    let backend = backend(dir);
    backend.commit(vec![(first, bytes)]).unwrap();
    backend.sync().unwrap();
}

/// Writes a history so that every chain, hash and checksum in it is right.
pub fn rewritten(entries: &Forged) -> Forged {
    let mut last: HashMap<StreamId, (Version, Position, Leaf)> = HashMap::new();
    let mut out = Forged::new();
    for (position, (header, body)) in entries.iter().enumerate() {
        let mut header = *header;
        let before = last.get(&header.stream).copied();
        header.version = before.map_or(Version(1), |(version, ..)| version.next());
        header.previous = before.map(|(_, position, _)| position);
        header.previous_leaf = before.map_or(Leaf::ZERO, |(.., leaf)| leaf);
        (header.part, header.parts, header.body_len) = (0, 1, body.len() as u32);
        let leaf = Leaf::of(&[&header.encode(), body.as_slice()].concat());
        last.insert(header.stream, (header.version, Position(position as u64), leaf));
        out.push((header, body.clone()));
    }
    out
}

/// A chunk of one entry, with its hash and checksum.
fn chunk_of(position: u64, (header, body): &(Header, Vec<u8>)) -> Vec<u8> {
    let entry = [&header.encode(), body.as_slice()].concat();
    let mut chunk = b"CSch\x01\x00\x00\x01".to_vec();
    chunk.extend_from_slice(&position.to_be_bytes());
    chunk.extend_from_slice(&Leaf::of(&entry).0);
    chunk.extend_from_slice(&entry);
    chunk.extend_from_slice(&crc32c::crc32c(&chunk).to_be_bytes());
    chunk
}

/// A server's directory with these entries in the place of its log, all else beside it, and nothing derived.
pub fn put(like: &FilePath, entries: &Forged) -> TempDir {
    let to = tempfile::tempdir().unwrap();
    let new = backend(to.path());
    new.commit((0..).zip(entries).map(|(at, entry)| (Position(at), chunk_of(at, entry))).collect()).unwrap();
    new.sync().unwrap();
    drop(new);
    let (from, store) = (Layout::of(like), Layout::of(to.path()));
    std::fs::copy(from.key_file, store.key_file).unwrap();
    let documents = [Document::Signers, Document::Checkpoint].map(|document| document.name());
    for name in ["keys", "high-water"].into_iter().chain(documents) {
        std::fs::copy(from.store.join(name), store.store.join(name)).unwrap();
    }
    to
}
