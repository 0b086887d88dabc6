//! The tool on the command line, over texts that are written here, naively.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use countersign_proof::{Entry, Hash, KeyRotation, ProofError, Trust, VerifierKey};
use data_encoding::{BASE64, HEXLOWER};
use ring::signature::{Ed25519KeyPair, KeyPair};

const ORIGIN: &str = "example.com/mfa";

struct Signer(Ed25519KeyPair);

impl Signer {
    fn of(seed: u8) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
    }

    fn key(&self) -> VerifierKey {
        VerifierKey::new(ORIGIN, self.0.public_key().as_ref().try_into().unwrap()).unwrap()
    }

    fn line(&self, text: &str) -> String {
        let id = HEXLOWER.decode(self.key().to_string().split('+').nth(1).unwrap().as_bytes()).unwrap();
        format!("— {ORIGIN} {}\n", BASE64.encode(&[id.as_slice(), self.0.sign(text.as_bytes()).as_ref()].concat()))
    }
}

fn note(text: &str, signers: &[&Signer]) -> String {
    let lines: String = signers.iter().map(|signer| signer.line(text)).collect();
    format!("{text}\n{lines}")
}

fn checkpoint(size: u64, root: Hash, signers: &[&Signer]) -> String {
    note(&format!("{ORIGIN}\n{size}\n{root}\n"), signers)
}

fn statement(old: &Signer, new: &Signer, size: u64, by: &[&Signer]) -> String {
    let text = format!("countersign signing key rotation v1\n{ORIGIN}\n{}\n{}\n{size}\n", old.key(), new.key());
    note(&text, by)
}

/// An entry of the type that says so.
fn entry(event_type: u16, body: &[u8]) -> Vec<u8> {
    let mut header = [0; 112];
    header[..3].copy_from_slice(&[0xc5, 0x0e, 1]);
    header[4..6].copy_from_slice(&event_type.to_be_bytes());
    header[6..8].copy_from_slice(&1_u16.to_be_bytes());
    header[80..88].copy_from_slice(&1_700_000_000_000_u64.to_be_bytes());
    header[104..108].copy_from_slice(&(body.len() as u32).to_be_bytes());
    [&header, body].concat()
}

fn receipt(index: u64, entry: &[u8], proof: &[Hash], checkpoint: &str) -> String {
    let proof: String = proof.iter().map(|hash| format!("{hash}\n")).collect();
    format!("c2sp.org/tlog-proof@v1\nextra {}\nindex {index}\n{proof}\n{checkpoint}", BASE64.encode(entry))
}

fn asked(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_countersign-proof")).args(arguments).current_dir(dir).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap() + &String::from_utf8_lossy(&output.stderr)
}

/// A log of two entries: something, and the change from the first key to the second.
fn log(dir: &Path) -> (Signer, Signer) {
    let (old, new) = (Signer::of(1), Signer::of(2));
    let first = entry(0x0310, b"enabled");
    let second = entry(0x7f01, statement(&old, &new, 1, &[&old, &new]).as_bytes());
    let [one, two] = [&first, &second].map(|entry| Hash::of_leaf(entry));
    let root = Hash::of_nodes(one, two);
    let later = checkpoint(2, root, &[&old, &new]);
    for (name, text) in [
        ("first.txt", checkpoint(1, one, &[&old])),
        ("receipt.txt", receipt(0, &first, &[two], &later)),
        ("rotation.txt", receipt(1, &second, &[one], &later)),
        ("growth.txt", format!("old 1\n{two}\n\n{later}")),
        ("by-new.txt", receipt(0, &first, &[two], &checkpoint(2, root, &[&new]))),
        ("forked.txt", format!("old 1\n{one}\n\n{later}")),
    ] {
        fs::write(dir.join(name), text).unwrap();
    }
    (old, new)
}

#[test]
fn the_tool_says_what_holds_and_what_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = log(dir.path());
    let [old, new] = [old, new].map(|signer| signer.key().to_string());
    for (arguments, code, says) in [
        (vec!["receipt", "--key", &old, "receipt.txt"], 0, "body: 656e61626c6564"),
        (vec!["receipt", "receipt.txt", "--key", &new], 0, "type: 0x0310 version 1"),
        (vec!["receipt", "--key", &old, "by-new.txt"], 4, "no trusted key has signed it"),
        (vec!["receipt", "--key", &old, "--rotation", "rotation.txt", "by-new.txt"], 0, "under a checkpoint of 2"),
        (vec!["consistent", "--key", &old, "first.txt", "growth.txt"], 0, "has only grown: 1, 2"),
        (vec!["consistent", "--key", &old, "first.txt", "first.txt"], 0, "has only grown: 1, 1"),
        (vec!["consistent", "--key", &old, "first.txt", "forked.txt"], 4, "does not lead to the root"),
        (vec!["consistent", "--key", &new, "first.txt", "growth.txt"], 4, "no trusted key"),
        (vec!["key", "--key", &old, "rotation.txt"], 0, &new),
        (vec!["key", "--key", &old, "receipt.txt"], 4, "no change of keys"),
        (vec!["key", "--key", &new, "rotation.txt"], 4, ""),
        (vec!["receipt", "--key", "nonsense", "receipt.txt"], 2, "usage"),
        (vec!["receipt", "receipt.txt"], 2, "--key is missing"),
        (vec!["receipt", "--key", &old, "nothing.txt"], 3, "nothing.txt"),
        (vec!["receipt", "--key", &old, "--nonsense"], 2, "unknown flag"),
        (vec![], 2, "usage"),
    ] {
        let output = asked(dir.path(), &arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(says), "{arguments:?}: {}", said(&output));
    }
}

#[test]
fn an_entry_is_one_whole_entry_of_a_known_form() {
    let good = entry(0x0310, b"enabled");
    let read = Entry::read(&good).unwrap();
    assert_eq!((read.event_type, read.type_version, read.key_id, read.body), (0x0310, 1, None, &b"enabled"[..]));
    assert_eq!(read.time_ms, 1_700_000_000_000);
    // The magic, the version of the envelope, the flag of a sealed body, a key without the flag, the length.
    for (at, byte) in [(0, 0), (1, 0), (2, 2), (3, 1), (72, 1), (79, 1), (107, 6), (104, 1)] {
        let mut other = good.clone();
        other[at] = byte;
        assert!(Entry::read(&other).is_err(), "byte {at}");
    }
    assert!(Entry::read(&good[..111]).is_err() && Entry::read(&good[..118]).is_err());
    let mut sealed = good;
    (sealed[3], sealed[79]) = (1, 9);
    let read = Entry::read(&sealed).unwrap();
    assert_eq!(read.key_id, Some(9));
    assert!(read.to_string().contains("body: sealed, 7 bytes"));
}

#[test]
fn a_change_of_keys_takes_both_signatures_and_the_right_place() {
    let [old, new, other] = [1, 2, 3].map(Signer::of);
    let open = |text: &str| KeyRotation::open(text, &old.key());
    assert_eq!(open(&statement(&old, &new, 7, &[&old, &new])).unwrap().size(), 7);
    for by in [&[&old][..], &[&new], &[&other], &[&old, &other], &[&new, &other]] {
        assert_eq!(open(&statement(&old, &new, 7, by)), Err(ProofError::NoTrustedSignature));
    }
    assert!(open(&statement(&other, &new, 7, &[&old, &other, &new])).is_err(), "it is about another key");
    assert!(open(&statement(&old, &old, 7, &[&old])).is_err(), "to itself");
    let good = statement(&old, &new, 7, &[&old, &new]);
    assert_eq!(open(&good.replacen("\n7\n", "\n6\n", 1)), Err(ProofError::BadSignature));
    let extended = note(&format!("{}more\n", good.split_once("\n\n").unwrap().0.to_owned() + "\n"), &[&old, &new]);
    assert!(matches!(open(&extended), Err(ProofError::Malformed(_))));
    // A checkpoint is no statement, and a statement is no checkpoint.
    let checkpoint = checkpoint(7, Hash::of_nothing(), &[&old, &new]);
    assert!(matches!(open(&checkpoint), Err(ProofError::Malformed(_))));
    assert!(countersign_proof::Checkpoint::open(&good, &[old.key()]).is_err());

    let bytes = entry(0x7f01, good.as_bytes());
    let read = Entry::read(&bytes).unwrap();
    assert_eq!(Trust::new(old.key()).follow(&read, 6), Err(ProofError::OutOfRange), "it is older than it says");
    let mut trust = Trust::new(old.key());
    trust.follow(&read, 7).unwrap();
    assert_eq!(trust.current(), &new.key());
    let again = |size| entry(0x7f01, statement(&new, &other, size, &[&new, &other]).as_bytes());
    let (early, next) = (again(6), again(8));
    assert_eq!(
        trust.clone().follow(&Entry::read(&early).unwrap(), 7),
        Err(ProofError::OutOfRange),
        "before the last one"
    );
    trust.clone().follow(&Entry::read(&next).unwrap(), 8).unwrap();
    let late = |size, by: &Signer| trust.checkpoint(&self::checkpoint(size, Hash::of_nothing(), &[by]));
    assert!(late(8, &old).is_ok() && late(9, &new).is_ok());
    assert_eq!(late(9, &old), Err(ProofError::NoTrustedSignature));
    assert_eq!(late(8, &other), Err(ProofError::NoTrustedSignature));
}
