//! The verifier against a log that is written here, naively, and against whoever forges what it wrote.

use countersign_proof::{
    Checkpoint, Hash, ProofError, Receipt, Roots, SignedNote, VerifierKey, verify_consistency, verify_inclusion,
};
use data_encoding::BASE64;
use proptest::prelude::*;
use ring::signature::{Ed25519KeyPair, KeyPair};

const ORIGIN: &str = "example.com/mfa";

fn split(count: usize) -> usize {
    (count / 2 + count % 2).next_power_of_two()
}

fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::of_nothing(),
        [leaf] => *leaf,
        more => {
            let (left, right) = more.split_at(split(more.len()));
            Hash::of_nodes(root(left), root(right))
        }
    }
}

fn path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() < 2 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    let (mut path, beside) =
        if index < left.len() { (path(index, left), right) } else { (path(index - left.len(), right), left) };
    path.push(root(beside));
    path
}

fn growth(old: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if whole { Vec::new() } else { vec![root(leaves)] };
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    let (mut proof, beside) = if old <= left.len() {
        (growth(old, left, whole), right)
    } else {
        (growth(old - left.len(), right, false), left)
    };
    proof.push(root(beside));
    proof
}

fn leaves(count: usize) -> Vec<Hash> {
    (0..count).map(|nth| Hash::of_leaf(&nth.to_be_bytes())).collect()
}

/// A log's key.
struct Signer(Ed25519KeyPair);

impl Signer {
    fn of(seed: u8) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
    }

    fn key(&self, name: &str) -> VerifierKey {
        VerifierKey::new(name, self.0.public_key().as_ref().try_into().unwrap()).unwrap()
    }

    /// A signature line under a text.
    fn line(&self, name: &str, text: &str) -> String {
        let printed = self.key(name).to_string();
        let id = data_encoding::HEXLOWER.decode(printed.split('+').nth(1).unwrap().as_bytes()).unwrap();
        format!("— {name} {}\n", BASE64.encode(&[id.as_slice(), self.0.sign(text.as_bytes()).as_ref()].concat()))
    }

    fn checkpoint(&self, origin: &str, leaves: &[Hash]) -> String {
        let text = format!("{origin}\n{}\n{}\n", leaves.len(), root(leaves));
        format!("{text}\n{}", self.line(origin, &text))
    }
}

fn receipt(index: usize, leaves: &[Hash], checkpoint: &str, extra: &str) -> String {
    let proof: String = path(index, leaves).iter().map(|hash| format!("{hash}\n")).collect();
    format!("c2sp.org/tlog-proof@v1\n{extra}index {index}\n{proof}\n{checkpoint}")
}

// ---- trees ----

#[test]
fn every_proof_of_small_trees_is_right_and_leads_nowhere_else() {
    let all = leaves(20);
    let mut roots = Roots::default();
    for size in 0..=all.len() {
        assert_eq!((roots.size(), roots.root()), (size as u64, root(&all[..size])));
        if size < all.len() {
            roots.push(all[size]);
        }
        for index in 0..size {
            let proof = path(index, &all[..size]);
            for (other, leaf) in all.iter().enumerate() {
                for place in 0..=size {
                    let found = verify_inclusion(*leaf, place as u64, size as u64, &proof, root(&all[..size]));
                    assert_eq!(found.is_ok(), (other, place) == (index, index), "{other} at {place} of {size}");
                }
            }
        }
        for old in 0..=size {
            let proof = if old == 0 { Vec::new() } else { growth(old, &all[..size], true) };
            for claimed in 0..=size + 1 {
                let of = root(&all[..claimed.min(all.len())]);
                let found = verify_consistency((claimed as u64, of), (size as u64, root(&all[..size])), &proof);
                // The empty tree, and the same one, need no proof.
                let right = claimed == old || proof.is_empty() && (claimed == 0 || claimed == size);
                assert_eq!(found.is_ok(), right, "{claimed} for {old} of {size}");
            }
        }
    }
}

#[test]
fn a_root_of_the_specification() {
    // The test vectors of Certificate Transparency.
    let inputs: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    let mut roots = Roots::default();
    inputs.iter().for_each(|input| roots.push(Hash::of_leaf(input)));
    let hex = data_encoding::HEXLOWER.encode(roots.root().as_bytes());
    assert_eq!(hex, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
}

#[test]
fn a_tree_of_the_same_size_is_the_same_tree_and_before_the_first_entry_there_is_one_root_only() {
    let [one, two] = [leaves(3), leaves(4)].map(|all| root(&all));
    assert_eq!(verify_consistency((3, one), (3, one), &[]), Ok(()));
    assert_eq!(verify_consistency((3, two), (3, one), &[]), Err(ProofError::Mismatch), "a fork");
    assert_eq!(verify_consistency((3, one), (3, one), &[two]), Err(ProofError::Mismatch), "a proof of nothing");
    assert_eq!(verify_consistency((0, Hash::of_nothing()), (3, one), &[]), Ok(()));
    assert_eq!(verify_consistency((0, one), (3, one), &[]), Err(ProofError::Mismatch));
    assert_eq!(verify_consistency((4, two), (3, one), &[]), Err(ProofError::OutOfRange));
}

proptest! {
    #[test]
    fn a_proof_of_which_anything_was_changed_is_none(
        size in 1..200_usize, index in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), bit in 0..256_usize, what in 0..4
    ) {
        let all = leaves(size);
        let index = index.index(size);
        let (mut proof, mut leaf, mut of) = (path(index, &all), all[index], root(&all));
        let flip = |hash: &mut Hash| {
            let mut bytes = *hash.as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            *hash = Hash::from_bytes(bytes);
        };
        match what {
            0 => flip(&mut leaf),
            1 => flip(&mut of),
            2 if proof.is_empty() => proof.push(leaf),
            2 => { let at = at.index(proof.len()); flip(&mut proof[at]) }
            _ if proof.is_empty() => proof.push(of),
            _ => { proof.remove(at.index(proof.len())); }
        }
        prop_assert!(verify_inclusion(leaf, index as u64, size as u64, &proof, of).is_err());
    }

    #[test]
    fn no_text_is_a_panic(text in ".{0,200}", lines in prop::collection::vec("(extra |index |— a )?[A-Za-z0-9+/= ]{0,60}", 0..12)) {
        let built = format!("c2sp.org/tlog-proof@v1\n{}", lines.join("\n"));
        for text in [text, lines.join("\n"), built] {
            drop((text.parse::<Receipt>(), text.parse::<SignedNote>(), text.parse::<VerifierKey>(), text.parse::<Hash>()));
            prop_assert!(Checkpoint::open(&text, &[Signer::of(1).key(ORIGIN)]).is_err());
        }
    }

    #[test]
    fn a_receipt_with_one_byte_changed_is_refused_or_says_the_same(at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let (entry, key, text) = countersign_proof::example();
        let key: VerifierKey = key.parse().unwrap();
        let genuine = text.parse::<Receipt>().unwrap();
        let mut bytes = text.as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = to;
        if let Ok(receipt) = String::from_utf8(bytes).map_err(drop).and_then(|text| text.parse::<Receipt>().map_err(drop))
            && let Ok(checkpoint) = receipt.verify(entry.as_bytes(), std::slice::from_ref(&key))
        {
            prop_assert_eq!(checkpoint, genuine.verify(entry.as_bytes(), &[key]).unwrap());
            prop_assert_eq!(receipt.index(), genuine.index());
        }
    }
}

// ---- notes ----

/// A note, a key and a signature that nobody here made (the example of `signed-note`'s first implementation).
#[test]
fn a_note_of_somebody_else() {
    let key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".parse::<VerifierKey>().unwrap();
    let text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n\
                — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    let note: SignedNote = text.parse().unwrap();
    assert!(note.verify(std::slice::from_ref(&key)).unwrap().starts_with("If you think"));
    let changed = text.replace("your problem is", "my problem is").parse::<SignedNote>().unwrap();
    assert_eq!(changed.verify(&[key]), Err(ProofError::BadSignature));
}

#[test]
fn what_is_signed_by_nobody_that_is_trusted_is_not_believed() {
    let (log, other) = (Signer::of(1), Signer::of(2));
    let all = leaves(5);
    let text = log.checkpoint(ORIGIN, &all);
    let opened = |text: &str, keys: &[VerifierKey]| Checkpoint::open(text, keys).map(|checkpoint| checkpoint.size());
    assert_eq!(opened(&text, &[log.key(ORIGIN)]), Ok(5));
    assert_eq!(opened(&text, &[]), Err(ProofError::NoTrustedSignature));
    assert_eq!(opened(&text, &[other.key(ORIGIN)]), Err(ProofError::NoTrustedSignature));
    // A key that is trusted for another log.
    let foreign = other.checkpoint("example.com/other", &all);
    assert_eq!(opened(&foreign, &[other.key("example.com/other")]), Ok(5));
    let posing =
        format!("{}\n{}", text.split_once("\n\n").unwrap().0.to_owned() + "\n", foreign.split_once("\n\n").unwrap().1);
    assert_eq!(opened(&posing, &[other.key("example.com/other")]), Err(ProofError::NoTrustedSignature));
    // A second signature of somebody unknown is no harm; a wrong one of somebody known is.
    let body = text.split_once("\n\n").unwrap().0.to_owned() + "\n";
    assert_eq!(opened(&(text.clone() + &other.line("witness.example", &body)), &[log.key(ORIGIN)]), Ok(5));
    let both = [log.key(ORIGIN), other.key(ORIGIN)];
    assert_eq!(opened(&(text.clone() + &other.line(ORIGIN, "another")), &both), Err(ProofError::BadSignature));
}

#[test]
fn a_checkpoint_continues_an_earlier_one_of_its_log_only() {
    let log = Signer::of(1);
    let all = leaves(5);
    let of = |origin: &str, count: usize| {
        Checkpoint::open(&log.checkpoint(origin, &all[..count]), &[log.key(origin)]).unwrap()
    };
    let (earlier, later) = (of(ORIGIN, 3), of(ORIGIN, 5));
    assert_eq!((earlier.origin(), earlier.size(), earlier.root()), (ORIGIN, 3, root(&all[..3])));
    let proof = growth(3, &all, true);
    assert_eq!(later.continues(&earlier, &proof), Ok(()));
    assert_eq!(later.continues(&earlier, &[]), Err(ProofError::Mismatch));
    assert_eq!(later.continues(&of("example.com/other", 3), &proof), Err(ProofError::OtherLog));
}

#[test]
fn a_key_has_a_name_that_fits_one_word_of_a_line() {
    let log = Signer::of(1);
    let name = |name: &str| VerifierKey::new(name, [7; 32]).map(|key| key.name().len());
    assert_eq!(name(&"a".repeat(256)), Ok(256));
    for bad in ["", &"a".repeat(257), "a b", "a\u{a0}b", "a+b", "a\u{7}b", "a\nb"] {
        assert_eq!(name(bad), Err(ProofError::Malformed("no key can have this name")), "{bad:?}");
        assert!(format!("hello\n\n— {bad} AAAAAAAA\n").parse::<SignedNote>().is_err(), "{bad:?}");
    }
    assert_eq!(format!("{:?}", leaves(1)[0]), leaves(1)[0].to_string());
    let key = log.key(ORIGIN);
    assert_eq!((format!("{key:?}"), key.to_string().parse()), (key.to_string(), Ok(key)));
}

#[test]
fn what_is_no_checkpoint_is_none_though_it_is_signed() {
    let log = Signer::of(1);
    for body in ["", "\n", "example.com/mfa\n", "example.com/mfa\n05\nAAAA\n", "example.com/mfa\n-1\n\n"] {
        let text = format!("{body}\n{}", log.line(ORIGIN, body));
        assert!(Checkpoint::open(&text, &[log.key(ORIGIN)]).is_err(), "{body:?}");
    }
    let root = root(&leaves(3));
    let numbers = ["3", "03", "+3", "3 ", "18446744073709551616", "3\n\nmore"];
    let right = numbers.map(|size| {
        let body = format!("{ORIGIN}\n{size}\n{root}\n");
        Checkpoint::open(&format!("{body}\n{}", log.line(ORIGIN, &body)), &[log.key(ORIGIN)]).is_ok()
    });
    assert_eq!(right, [true, false, false, false, false, false]);
    let right = ["", "more\n", "\nmore\n", "more\n\n"].map(|more| {
        let body = format!("{ORIGIN}\n3\n{root}\n{more}");
        Checkpoint::open(&format!("{body}\n{}", log.line(ORIGIN, &body)), &[log.key(ORIGIN)]).is_ok()
    });
    assert_eq!(right, [true, true, false, false], "further lines are for others, and none of them is empty");
}

// ---- receipts ----

const ENTRIES: [&str; 3] = ["assigned: phone\n", "enabled: phone\n", "signed in\n"];

#[test]
fn the_example_is_what_it_says() {
    let log = Signer::of(7);
    let all = ENTRIES.map(|entry| Hash::of_leaf(entry.as_bytes()));
    let extra = format!("extra {}\n", BASE64.encode(b"why: a lost phone"));
    let made = [
        ENTRIES[1].to_owned(),
        format!("{}\n", log.key(ORIGIN)),
        receipt(1, &all, &log.checkpoint(ORIGIN, &all), &extra),
    ];
    if std::env::var_os("COUNTERSIGN_BLESS").is_some() {
        for (name, text) in ["entry", "key", "receipt"].iter().zip(&made) {
            std::fs::write(format!("{}/example/{name}.txt", env!("CARGO_MANIFEST_DIR")), text).unwrap();
        }
        return;
    }
    let (entry, key, text) = countersign_proof::example();
    assert_eq!([entry, key, text].map(str::trim_end), [&made[0], &made[1], &made[2]].map(|text| text.trim_end()));
}

#[test]
fn a_receipt_holds_for_its_entry_its_place_and_its_log_only() {
    let log = Signer::of(1);
    let all = leaves(77);
    let checkpoint = log.checkpoint(ORIGIN, &all);
    for index in [0, 1, 31, 32, 63, 64, 75, 76] {
        let text = receipt(index, &all, &checkpoint, "");
        let genuine: Receipt = text.parse().unwrap();
        assert_eq!((genuine.index(), genuine.extra()), (index as u64, None));
        let entry = index.to_be_bytes();
        assert_eq!(genuine.verify(&entry, &[log.key(ORIGIN)]).unwrap().size(), 77);
        assert_eq!(genuine.verify(&(index + 1).to_be_bytes(), &[log.key(ORIGIN)]), Err(ProofError::Mismatch));
        assert_eq!(genuine.verify(&entry, &[Signer::of(2).key(ORIGIN)]), Err(ProofError::NoTrustedSignature));
        let moved: Receipt =
            text.replace(&format!("index {index}\n"), &format!("index {}\n", index + 2)).parse().unwrap();
        assert!(moved.verify(&entry, &[log.key(ORIGIN)]).is_err());
    }
}

#[test]
fn receipts_have_limits() {
    let hash = leaves(1)[0];
    let of = |proof: usize, extra: &str| {
        let proof: String = (0..proof).map(|_| format!("{hash}\n")).collect();
        format!("c2sp.org/tlog-proof@v1\n{extra}index 0\n{proof}\na\n\n— a AAAAAAAA\n").parse::<Receipt>().err()
    };
    assert_eq!(of(64, ""), None);
    assert_eq!(of(65, ""), Some(ProofError::TooLong { what: "hashes of a proof", max: 64 }));
    let extra = |bytes: usize| format!("extra {}\n", BASE64.encode(&vec![7; bytes]));
    assert_eq!(of(0, &extra(64 * 1024)), None);
    assert_eq!(of(0, &extra(64 * 1024 + 1)), Some(ProofError::TooLong { what: "bytes sent along", max: 64 * 1024 }));
    let many = format!("a\n\n{}", "— a AAAAAAAA\n".repeat(65)).parse::<SignedNote>();
    assert_eq!(many.unwrap_err(), ProofError::TooLong { what: "signatures", max: 64 });
    // A note of 128 KiB is as long as one may be, and a receipt is longer by what it may have with it.
    let note = |bytes: usize| format!("{}\n\n— a AAAAAAAA\n", "a".repeat(bytes - 17));
    let most = note(128 * 1024);
    assert_eq!((most.len(), most.parse::<SignedNote>().err()), (128 * 1024, None));
    let long = Some(ProofError::TooLong { what: "bytes of a note", max: 128 * 1024 });
    assert_eq!(note(128 * 1024 + 1).parse::<SignedNote>().err(), long);
    assert_eq!("a".repeat(200_000).parse::<SignedNote>().err(), long);
    let [most, more] = [256 * 1024, 256 * 1024 + 1].map(|bytes| "a".repeat(bytes).parse::<Receipt>().err());
    assert_eq!(most, Some(ProofError::Malformed("a receipt has a checkpoint below an empty line")));
    assert_eq!(more, Some(ProofError::TooLong { what: "bytes of a receipt", max: 256 * 1024 }));
}
