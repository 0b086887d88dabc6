//! Notes, checkpoints, receipts, and what witnesses sign.

use std::sync::OnceLock;

use countersign_proof::{Checkpoint, Entry, KeyRotation, Receipt, SignedNote, Trust, VerifierKey};
use countersign_store::fuzzing;
use data_encoding::{BASE64, HEXLOWER};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use sha2::{Digest as _, Sha256};

use crate::halves;

const NAME: &str = "fuzz.example/log";

/// A key whose private half the inputs do not know, and its text of a type.
fn key() -> &'static Ed25519KeyPair {
    static KEY: OnceLock<Ed25519KeyPair> = OnceLock::new();
    KEY.get_or_init(|| Ed25519KeyPair::from_seed_unchecked(&[5; 32]).expect("any seed will do"))
}

fn id_of(kind: u8) -> Vec<u8> {
    let hash = Sha256::new().chain_update(NAME).chain_update([b'\n', kind]).chain_update(key().public_key());
    hash.finalize()[..4].to_vec()
}

fn verifier(kind: u8) -> String {
    let typed = [&[kind], key().public_key().as_ref()].concat();
    format!("{NAME}+{}+{}", HEXLOWER.encode(&id_of(kind)), BASE64.encode(&typed))
}

/// A note of a text that the key has signed.
fn sign(text: &str) -> String {
    let signature = [id_of(1).as_slice(), key().sign(text.as_bytes()).as_ref()].concat();
    format!("{text}\n— {NAME} {}\n", BASE64.encode(&signature))
}

/// A text as it is, as a note that is signed, and as a checkpoint of our log; writer and verifier read it alike.
pub fn note(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let trusted: VerifierKey = verifier(1).parse().expect("the key is one");
    if let Ok(note) = text.parse::<SignedNote>() {
        assert!(note.verify(std::slice::from_ref(&trusted)).is_err(), "the key has signed nothing of it");
    }
    assert!(Checkpoint::open(text, std::slice::from_ref(&trusted)).is_err());
    assert!(KeyRotation::open(text, &trusted).is_err());
    if let Ok(key) = text.parse::<VerifierKey>() {
        assert_eq!(key.to_string(), text);
    }
    for body in [format!("{text}\n"), format!("{NAME}\n{text}\n")] {
        let signed = sign(&body);
        let Ok(note) = signed.parse::<SignedNote>() else { continue };
        let read = note.verify(std::slice::from_ref(&trusted));
        assert_eq!(read, Ok(body.as_str()));
        let theirs = Checkpoint::open(&signed, std::slice::from_ref(&trusted));
        if let Some(ours) = fuzzing::checkpoint(NAME, &body) {
            let theirs = theirs.expect("the verifier reads what the log reads");
            assert_eq!((theirs.size(), theirs.root().to_string()), (ours.size, BASE64.encode(&ours.root.0)));
        }
    }
    both_read_a_rotation(text, &trusted);
}

/// A change of keys holds for the writer and for the verifier, or for neither.
fn both_read_a_rotation(text: &str, trusted: &VerifierKey) {
    let ours = fuzzing::rotation(text.as_bytes());
    let of_old = text.lines().nth(2).and_then(|old| old.parse::<VerifierKey>().ok());
    if let (Some((new, size)), Some(old)) = (&ours, of_old) {
        let theirs = KeyRotation::open(text, &old).expect("the verifier reads what the log reads");
        assert_eq!((theirs.new_key().to_string(), theirs.size()), (new.clone(), *size));
    }
    let earlier = Checkpoint::open(
        &sign(&format!("{NAME}\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n")),
        std::slice::from_ref(trusted),
    );
    let earlier = earlier.expect("it is a checkpoint");
    let trust = Trust::new(trusted.clone());
    let (proof, checkpoint) = halves(text, "");
    let grown = trust.growth(&earlier, &format!("{proof}\n\n{}", sign(&format!("{checkpoint}\n"))));
    assert!(grown.is_err() || grown.is_ok_and(|later| later.origin() == NAME));
}

/// A receipt. The only one that holds for the example's entry says what the example says.
pub fn receipt(data: &[u8]) {
    let _ = Entry::read(data).map(|entry| entry.to_string());
    let Ok(text) = str::from_utf8(data) else { return };
    let Ok(receipt) = text.parse::<Receipt>() else { return };
    let (entry, key, example) = countersign_proof::example();
    let trusted: VerifierKey = key.parse().expect("the key is one");
    let known: Receipt = example.parse().expect("the example is one");
    if let Ok(checkpoint) = receipt.verify(entry.as_bytes(), std::slice::from_ref(&trusted)) {
        assert_eq!(Ok(checkpoint), known.verify(entry.as_bytes(), &[trusted.clone()]));
        assert_eq!(receipt.index(), known.index());
    }
    assert!(receipt.verify(b"another entry", std::slice::from_ref(&trusted)).is_err());
    let mut trust = Trust::new(trusted);
    let _ = trust.follow_receipts(&[receipt.clone(), receipt]);
    assert_eq!(trust.current().to_string(), key, "a key was passed on");
}

/// A key, a line that a witness answered, and a note. It has signed what it has signed, and nothing else.
pub fn witness(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let (key_text, rest) = text.split_once('\n').unwrap_or((text, ""));
    let (line, note) = rest.split_once('\n').unwrap_or((rest, ""));
    if let Some((shown, _)) = countersign_witness::read_cosignature(key_text, line, note) {
        assert_eq!(shown, key_text);
    }
    let ours = verifier(4);
    let holds =
        |line: &str, note: &str| countersign_witness::read_cosignature(&ours, line, note).is_some_and(|read| read.1);
    assert!(!holds(line, note));
    let Some(end) = note.rfind("\n\n") else { return };
    let time = (line.len() as u64).to_be_bytes();
    let signed = format!("cosignature/v1\ntime {}\n{}", u64::from_be_bytes(time), &note[..=end]);
    let signature = [id_of(4).as_slice(), &time, key().sign(signed.as_bytes()).as_ref()].concat();
    let good = format!("— {NAME} {}", BASE64.encode(&signature));
    assert!(holds(&good, note));
    assert!(!holds(&good, &format!("x{note}")));
    assert!(!holds(&good.replace(NAME, "other.example"), note));
}
