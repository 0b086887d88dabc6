//! Bytes of the first release, beside what they say. They are never written by a test.
//!
//! A change that makes one of these fail makes every store in the world unreadable.

mod media;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use countersign_domain::ids::Position;
use countersign_store::backend::Backend;
use countersign_store::backup::{self, Restore};
use countersign_store::chunk::Chunk;
use countersign_store::keys::{SLOT_BYTES, Slot};
use countersign_store::{
    Document, Header, Journal, MemoryBackend, MemoryJournal, OpenError, Options, decode_high_water, encode_high_water,
};
use media::ring;

const NAMES: [&str; 9] = [
    "checkpoint",
    "chunk",
    "header",
    "high-water",
    "key-slot-0",
    "key-slot-2",
    "key-slot-3",
    "key-slot-3-destroyed",
    "signers",
];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn bytes_of(name: &str) -> Vec<u8> {
    let text = fs::read_to_string(folder().join(format!("{name}.hex"))).unwrap();
    let digits: Vec<u32> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect()
}

fn show_header(header: &Header) -> String {
    let previous = header.previous.map_or("none".to_owned(), |position| position.to_string());
    let mut text = String::new();
    let fields = [
        ("event type", format!("{} version {}", header.event_type, header.type_version)),
        ("stream", header.stream.to_string()),
        ("version", header.version.0.to_string()),
        ("previous leaf", header.previous_leaf.to_string()),
        ("previous position", previous),
        ("key id", header.key_id.to_string()),
        ("time", format!("{} ms", header.time.0)),
        ("command", header.command.to_string()),
        ("body", format!("{} bytes", header.body_len)),
        ("part", format!("{} of {}", header.part, header.parts)),
    ];
    for (name, value) in fields {
        writeln!(text, "  {name}: {value}").unwrap();
    }
    text
}

/// A journal of the golden chunk and the golden keys, and whatever lies beside them.
fn journal_with(documents: &[(Document, &[u8])]) -> Result<MemoryJournal, OpenError> {
    let backend = MemoryBackend::new();
    documents.iter().for_each(|(document, bytes)| backend.replace_document(*document, bytes).unwrap());
    backend.set_chunk(Position(0), Some(bytes_of("chunk")));
    let [derived, root, of_stream] =
        ["key-slot-0", "key-slot-2", "key-slot-3"].map(|name| <[u8; SLOT_BYTES]>::try_from(bytes_of(name)).unwrap());
    backend.put_slots(0, &[derived, [0; SLOT_BYTES], root, of_stream]).unwrap();
    MemoryJournal::with_backend(backend, ring(), Options::default())
}

fn journal() -> MemoryJournal {
    let (signers, checkpoint) = (bytes_of("signers"), bytes_of("checkpoint"));
    journal_with(&[(Document::Signers, &signers), (Document::Checkpoint, &checkpoint)]).unwrap()
}

/// What the log signed of itself, once it is believed.
fn show_signed(signers: &[u8], checkpoint: Option<&[u8]>) -> Option<String> {
    let documents =
        [(Document::Signers, signers)].into_iter().chain(checkpoint.map(|note| (Document::Checkpoint, note)));
    let journal = journal_with(&documents.collect::<Vec<_>>()).ok()?;
    let mut text = String::new();
    for (at, key) in journal.verifier_keys().iter().enumerate() {
        writeln!(text, "signing key {}: {key}", at + 1).unwrap();
    }
    let head = journal.last_checkpoint()?.head;
    writeln!(text, "signed: {} entries with the root {:?}", head.size, head.root).unwrap();
    Some(text)
}

fn show_chunk(bytes: &[u8]) -> Option<String> {
    let chunk = Chunk::open(Position(0), bytes).ok()?;
    let journal = journal();
    let mut text = format!("chunk of positions {} to {}\n", chunk.first(), chunk.end());
    for entry in chunk.entries() {
        let entry = entry.ok()?;
        let body = journal.unseal(&entry.header, entry.body).unwrap();
        writeln!(text, "entry {}\n  leaf: {}", entry.position, entry.leaf).unwrap();
        text += &show_header(&entry.header);
        writeln!(text, "  body in the clear: `{}`", String::from_utf8(body).unwrap()).unwrap();
    }
    Some(text)
}

fn show_slot(key_id: u64, bytes: &[u8]) -> Option<String> {
    match Slot::decode(key_id, bytes.try_into().ok()?).ok()? {
        Slot::Live { stream, wrapped } => {
            let wrapped: String = wrapped.iter().map(|byte| format!("{byte:02x}")).collect();
            Some(format!("key {key_id} of stream {stream}\n  wrapped: {wrapped}\n"))
        }
        Slot::Destroyed { stream } => Some(format!("key {key_id} of stream {stream}\n  destroyed\n")),
    }
}

/// What bytes say; `None` when they are refused.
fn show(name: &str, bytes: &[u8]) -> Option<String> {
    match name {
        "chunk" => show_chunk(bytes),
        "signers" => show_signed(bytes, None),
        "checkpoint" => show_signed(&bytes_of("signers"), Some(bytes)),
        "header" => Header::decode(bytes).ok().map(|header| format!("header\n{}", show_header(&header))),
        "high-water" => {
            decode_high_water(bytes.try_into().ok()?).map(|entries| format!("at least {entries} entries\n"))
        }
        "key-slot-0" => show_slot(0, bytes),
        "key-slot-2" => {
            // What is derived from it is in the bytes of other things, and stays what it is.
            let derived = journal().derive_key("commands").ok()?;
            let derived: String = derived.expose().iter().map(|byte| format!("{byte:02x}")).collect();
            Some(show_slot(2, bytes)? + &format!("  derived for `commands`: {derived}\n"))
        }
        "key-slot-3" | "key-slot-3-destroyed" => show_slot(3, bytes),
        other => panic!("`{other}` is not a golden file"),
    }
}

#[test]
fn every_golden_file_says_what_its_twin_says() {
    let found: BTreeSet<String> =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let known: BTreeSet<String> =
        NAMES.iter().flat_map(|name| [format!("{name}.hex"), format!("{name}.txt")]).collect();
    assert_eq!(found, known, "a golden file is missing or not tested");
    for name in NAMES {
        let twin = fs::read_to_string(folder().join(format!("{name}.txt"))).unwrap();
        assert_eq!(show(name, &bytes_of(name)), Some(twin), "{name}");
    }
}

#[test]
fn a_changed_byte_never_says_the_same() {
    for name in NAMES {
        let good = bytes_of(name);
        let said = show(name, &good);
        for at in 0..good.len() {
            for change in [1, 0x80, 0xff] {
                let mut bad = good.clone();
                bad[at] ^= change;
                let now = show(name, &bad);
                assert_ne!(now, said, "{name}, byte {at}");
                // A bare header has no checksum; everything else is refused.
                assert!(name == "header" || now.is_none(), "{name}, byte {at}");
            }
        }
        assert_eq!(show(name, &good[..good.len() - 1]), None, "{name}, cut short");
    }
}

#[test]
fn golden_bytes_are_what_is_still_written() {
    let header = bytes_of("header");
    assert_eq!(Header::decode(&header).unwrap().encode().to_vec(), header);
    assert_eq!(encode_high_water(1_000_492).to_vec(), bytes_of("high-water"));
    for (name, key_id) in [("key-slot-0", 0), ("key-slot-2", 2), ("key-slot-3", 3), ("key-slot-3-destroyed", 3)] {
        let slot: [u8; SLOT_BYTES] = bytes_of(name).try_into().unwrap();
        assert_eq!(Slot::decode(key_id, &slot).unwrap().encode(key_id).unwrap(), slot);
    }
    let signed = journal_with(&[(Document::Signers, &bytes_of("signers"))]).unwrap().checkpoint().unwrap();
    assert_eq!(signed.note.as_bytes(), bytes_of("checkpoint"), "a signature is the same each time");
    let verified = journal().verify().unwrap();
    assert_eq!((verified.entries, verified.streams, verified.sealed), (4, 2, 1));
}

/// A backup is made of things that are golden already.
#[test]
fn a_backup_is_written_and_read_as_the_golden_bytes_say() {
    let dir = tempfile::tempdir().unwrap();
    let (made, kept, by_hand) = (dir.path().join("made"), dir.path().join("kept"), dir.path().join("by-hand"));
    let chunk = bytes_of("chunk");
    let log = [&u32::try_from(chunk.len()).unwrap().to_be_bytes()[..], &chunk].concat();
    let slots = [bytes_of("key-slot-0"), vec![0; SLOT_BYTES], bytes_of("key-slot-2"), bytes_of("key-slot-3")].concat();
    let files = [("BACKUP", b"countersign backup 1\n".to_vec()), ("checkpoint", bytes_of("checkpoint")), ("log", log)];
    backup::write(&journal(), &made).unwrap();
    backup::copy_keys(&journal(), &kept).unwrap();
    fs::create_dir(&by_hand).unwrap();
    for (name, bytes) in files {
        assert_eq!(fs::read(made.join(name)).unwrap(), bytes, "{name}");
        fs::write(by_hand.join(name), bytes).unwrap();
    }
    assert_eq!(fs::read_dir(&made).unwrap().count(), 3);
    assert_eq!(fs::read(kept.join("keys")).unwrap(), slots);
    assert_eq!(fs::read(kept.join("signers")).unwrap(), bytes_of("signers"));
    let from = Restore { backup: &by_hand, keys: &kept, ring: ring(), verifier_key: None, checkpoint: None };
    assert_eq!(backup::restore(&from, &dir.path().join("store")).unwrap().entries, 4);
}
