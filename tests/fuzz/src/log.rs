//! The log as somebody may have left it: its chunks, and everything beside them.

use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};

use countersign_domain::ids::{CommandId, Position, StreamId, UnixMillis, Version};
use countersign_proof::Entry;
use countersign_store::backend::Backend as _;
use countersign_store::chunk::Chunk;
use countersign_store::keys::SLOT_BYTES;
use countersign_store::{
    Append, DataKey, Document, EphemeralKeyRing, Header, Journal as _, KeyRing, Leaf, MemoryBackend, MemoryJournal,
    NewEntry, Options, Snapshot, StreamAppend, Table,
};

/// A position and a chunk, as it is and with its checksum mended. What is read is what is there, and the verifier, which
/// shares no code with the log, reads the same of each entry.
pub fn chunk(data: &[u8]) {
    let key = data.get(8..16).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes);
    let mended = [data, &crc32c::crc32c(data).to_be_bytes()].concat();
    for bytes in [data, &mended] {
        let Ok(chunk) = Chunk::open(Position(key), bytes) else { continue };
        let (mut position, mut length) = (key, 0);
        for entry in chunk.entries() {
            let Ok(entry) = entry else { break };
            assert_eq!(entry.position, Position(position));
            assert_eq!((entry.header.encode().as_slice(), entry.body), entry.entry.split_at(112));
            assert_eq!(Header::decode(entry.entry), Ok(entry.header));
            let other = Entry::read(entry.entry).expect("the verifier reads what the log reads");
            assert_eq!((other.event_type, other.version), (entry.header.event_type, entry.header.version.0));
            assert_eq!((other.time_ms, other.body), (entry.header.time.0, entry.body));
            assert_eq!(other.key_id.unwrap_or(0), entry.header.key_id);
            (position, length) = (position + 1, length + 32 + entry.entry.len());
        }
        assert!(Position(position) <= chunk.end() && length <= bytes.len());
        let whole = position == chunk.end().0;
        assert!(!whole || length == bytes.len() - 20, "every byte belongs to an entry");
    }
}

fn ring() -> Arc<dyn KeyRing> {
    Arc::new(EphemeralKeyRing::from_key(DataKey::from_bytes([42; 32])).expect("a key makes a ring"))
}

fn open(backend: &MemoryBackend, read_only: bool) -> Option<MemoryJournal> {
    let options = Options { maintenance: false, read_only };
    MemoryJournal::with_backend(backend.clone(), ring(), options).ok()
}

fn stream(number: u8) -> StreamId {
    StreamId::derive(&["fuzz", &number.to_string()])
}

fn append(journal: &MemoryJournal, number: u64, of: u8, seal: bool) -> bool {
    let Ok(head) = journal.stream_head(stream(of)) else { return false };
    let expected = head.map_or(Version::NONE, |head| head.version);
    let body = vec![of; usize::from(of) * 3 + 1];
    let entry = NewEntry { event_type: 1, type_version: 1, time: UnixMillis(1_700_000_000_000), body, seal };
    let streams = vec![StreamAppend { stream: stream(of), expected, fresh_key: false, entries: vec![entry] }];
    journal.append(Append { command: CommandId::derive(&["fuzz", &number.to_string()]), streams }).is_ok()
}

/// A log with a few streams, a change of keys, a snapshot and everything that is derived.
fn whole() -> &'static (MemoryBackend, Vec<Vec<u8>>) {
    static WHOLE: OnceLock<(MemoryBackend, Vec<Vec<u8>>)> = OnceLock::new();
    WHOLE.get_or_init(|| {
        let backend = MemoryBackend::new();
        let journal = open(&backend, false).expect("an empty log opens");
        for number in 0..24_u64 {
            assert!(append(&journal, number, (number % 4) as u8, number % 3 == 0));
            if number == 12 {
                journal.rotate_signing_key(UnixMillis(1_700_000_000_000)).expect("a key can be changed");
            }
        }
        let head = journal.stream_head(stream(1)).ok().flatten().expect("the stream has entries");
        let (stream, version, position, leaf) = (stream(1), head.version, head.position, head.leaf);
        let snapshot = Snapshot { stream, version, position, leaf, fingerprint: 1, state: b"state".to_vec() };
        journal.save_snapshot(snapshot).expect("a snapshot can be stored");
        journal.close().expect("a log closes");
        drop(journal);
        let all = entries(&backend);
        (backend, all)
    })
}

fn entries(backend: &MemoryBackend) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for (first, bytes) in backend.chunks() {
        let Ok(chunk) = Chunk::open(first, &bytes) else { continue };
        all.extend(chunk.entries().flatten().map(|entry| entry.entry.to_vec()));
    }
    all
}

/// Changes of a log: of what, which one, where, how many bytes, and the bytes. Checksums are mended. Reading changes
/// nothing, and a log that verifies has no other entry than was written.
pub fn log(data: &[u8]) {
    let (base, written) = whole();
    let backend = base.fork();
    let mut rest = data;
    while let Some((&[kind, which, high, low, length], after)) = rest.split_first_chunk::<5>() {
        let (bytes, after) = after.split_at(after.len().min(usize::from(length)));
        change(&backend, kind, usize::from(which), usize::from(u16::from_be_bytes([high, low])), bytes);
        rest = after;
    }
    let before = backend.chunks();
    let looked = open(&backend.fork(), true).map(|journal| (journal.verify().is_ok(), read_all(&journal)));
    assert_eq!(before, backend.chunks());
    let Some(journal) = open(&backend, false) else { return };
    let holds = journal.verify().is_ok();
    assert!(looked.is_none_or(|(looked, _)| looked == holds), "who only reads sees otherwise");
    let read = read_all(&journal);
    if holds {
        assert!(read.iter().zip(written).all(|(read, written)| read == written), "another entry passes for genuine");
    }
    if append(&journal, 1_000, 2, true) && holds {
        assert!(journal.verify().is_ok(), "the log does not hold after an append");
        assert_eq!(read_all(&journal).len(), read.len() + 1);
    }
    let _ = (journal.checkpoint(), journal.rewrap_keys(0), journal.close());
}

fn read_all(journal: &MemoryJournal) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let _ = journal.scan(Position(0), &mut |entry| {
        assert!(entry.leaf == Leaf::of(entry.entry) || entry.entry.len() >= 112);
        all.push(entry.entry.to_vec());
        ControlFlow::Continue(())
    });
    for number in 0..5 {
        let _ = journal.stream_head(stream(number));
        let _ = journal.load_snapshot(stream(number));
        let read = journal.read_stream(stream(number), Version::NONE, 64).unwrap_or_default();
        assert!(read.windows(2).all(|pair| pair[0].header.version < pair[1].header.version));
    }
    let _ = (journal.read_at(Position(3)), journal.read_at(Position(u64::MAX)));
    all
}

/// Overwrites from a place on, and goes on behind the end.
fn overwrite(bytes: &mut Vec<u8>, at: usize, with: &[u8]) {
    let at = at.min(bytes.len());
    let end = (at + with.len()).min(bytes.len());
    bytes.splice(at..end, with.iter().copied());
}

fn change(backend: &MemoryBackend, kind: u8, which: usize, at: usize, with: &[u8]) {
    let pick = |count: usize| which.checked_rem(count);
    match kind % 6 {
        0 => {
            let mut chunks = backend.chunks();
            let Some(found) = pick(chunks.len()) else { return };
            let (first, mut bytes) = chunks.swap_remove(found);
            bytes.truncate(bytes.len().saturating_sub(4));
            overwrite(&mut bytes, at, with);
            bytes.extend(crc32c::crc32c(&bytes).to_be_bytes());
            backend.set_chunk(first, Some(bytes));
        }
        1 => {
            let chunks = backend.chunks();
            pick(chunks.len()).into_iter().for_each(|found| backend.set_chunk(chunks[found].0, None));
        }
        2 => {
            let table = Table::ALL[at % Table::ALL.len()];
            let mut rows = backend.rows(table);
            let Some(found) = pick(rows.len()) else { return };
            let (key, mut value) = rows.swap_remove(found);
            overwrite(&mut value, at / Table::ALL.len(), with);
            let _ = backend.put(table, vec![(key, Some(value))]);
        }
        3 => {
            let document = Document::ALL[which % Document::ALL.len()];
            let Ok(Some(mut bytes)) = backend.document(document) else { return };
            overwrite(&mut bytes, at, with);
            let _ = backend.replace_document(document, &bytes);
        }
        4 => {
            let found = pick(backend.slots().unwrap_or(0) as usize).unwrap_or(0) as u64;
            let Ok(Some(slot)) = backend.slot(found) else { return };
            let mut slot = slot.to_vec();
            overwrite(&mut slot, at % SLOT_BYTES, with);
            slot.truncate(SLOT_BYTES - 4);
            slot.extend(crc32c::crc32c(&slot).to_be_bytes());
            let _ = slot.try_into().map(|slot| backend.put_slots(found, &[slot]));
        }
        _ => drop(backend.raise_high_water(at as u64)),
    }
}
