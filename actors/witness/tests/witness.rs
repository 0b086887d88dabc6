//! A log and a witness that was written from the specification, over loopback.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use countersign::{AccountId, Anchor, AnchorState, Caller, Config, Countersign, DeviceName, Limits, Request};
use countersign_proof::{Checkpoint, Hash, VerifierKey, verify_consistency};
use countersign_witness::{HttpOptions, Witness};
use data_encoding::{BASE64, HEXLOWER};
use ring::signature::{Ed25519KeyPair, KeyPair};
use sha2::{Digest, Sha256};

const NAME: &str = "witness.example/w1";

/// What the witness knows, and whether it is to lie about its signature.
#[derive(Default)]
struct Mind {
    log: Option<VerifierKey>,
    latest: Option<(u64, Hash)>,
    forges: bool,
    asked: usize,
}

struct Peer {
    address: String,
    key: String,
    mind: Arc<Mutex<Mind>>,
}

fn witness() -> Peer {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap();
    let public = pair.public_key().as_ref().to_vec();
    let typed = [&[4], public.as_slice()].concat();
    let id = Sha256::digest([NAME.as_bytes(), b"\n", &typed].concat())[..4].to_vec();
    let key = format!("{NAME}+{}+{}", HEXLOWER.encode(&id), BASE64.encode(&typed));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/w", listener.local_addr().unwrap());
    let mind = Arc::new(Mutex::new(Mind::default()));
    let shared = Arc::clone(&mind);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let body = request(&stream);
            let (status, answer) = answer(&mut shared.lock().unwrap(), &pair, &id, &body);
            let kind = if status == 409 { "text/x.tlog.size" } else { "text/plain" };
            let head =
                format!("HTTP/1.1 {status} x\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n", answer.len());
            let mut stream = stream;
            let _gone = stream.write_all((head + &answer).as_bytes());
        }
    });
    Peer { address, key, mind }
}

fn request(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    String::from_utf8(body).unwrap()
}

/// `add-checkpoint`, in the order of the specification.
fn answer(mind: &mut Mind, pair: &Ed25519KeyPair, id: &[u8], body: &str) -> (u16, String) {
    mind.asked += 1;
    let (head, note) = body.split_once("\n\n").unwrap();
    let mut lines = head.lines();
    let old: u64 = lines.next().unwrap().strip_prefix("old ").unwrap().parse().unwrap();
    let proof: Vec<Hash> = lines.map(|line| line.parse().unwrap()).collect();
    let Some(log) = mind.log.clone() else { return (404, String::new()) };
    let Ok(checkpoint) = Checkpoint::open(note, &[log]) else { return (403, String::new()) };
    let latest = mind.latest.unwrap_or((0, Hash::of_nothing()));
    if old != latest.0 {
        return (409, format!("{}\n", latest.0));
    }
    if checkpoint.size() == old && checkpoint.root() != latest.1 {
        return (409, format!("{}\n", latest.0));
    }
    if verify_consistency(latest, (checkpoint.size(), checkpoint.root()), &proof).is_err() {
        return (422, String::new());
    }
    mind.latest = Some((checkpoint.size(), checkpoint.root()));
    let text = note.rsplit_once("\n\n").unwrap().0.to_owned() + "\n";
    let time = 1_700_000_000_u64;
    let signed = format!("cosignature/v1\ntime {}\n{text}", if mind.forges { time + 1 } else { time });
    let bytes = [id, &time.to_be_bytes(), pair.sign(signed.as_bytes()).as_ref()].concat();
    (200, format!("— somebody.else AAAAAAAA\n— {NAME} {}\n", BASE64.encode(&bytes)))
}

fn engine(dir: &std::path::Path, peer: &Peer) -> Countersign {
    let anchor: Arc<dyn Anchor> = Arc::new(Witness::new(&peer.address, &peer.key, &HttpOptions::default()).unwrap());
    let limits = Limits { anchor_every: Duration::from_millis(1), ..Limits::default() };
    let engine = Countersign::open(dir, Config { anchors: vec![anchor], limits, ..Config::default() }).unwrap();
    peer.mind.lock().unwrap().log.get_or_insert_with(|| engine.verifier_keys()[0].parse().unwrap());
    engine
}

fn grow(engine: &Countersign, number: u64) -> u64 {
    let account = AccountId::from_number(number).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let request = Request::by(Caller::operator());
    runtime.block_on(engine.open_account(request, account, DeviceName::new("root").unwrap())).unwrap();
    engine.checkpoint().unwrap().lines().nth(1).unwrap().parse().unwrap()
}

fn until(engine: &Countersign, is_so: impl Fn(&AnchorState) -> bool) -> AnchorState {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let state = engine.anchors().remove(0);
        if is_so(&state) {
            return state;
        }
        assert!(Instant::now() < end, "{state:?}");
        std::thread::yield_now();
    }
}

#[test]
fn a_witness_signs_each_checkpoint_and_finds_its_place_after_a_restart() {
    let (dir, peer) = (tempfile::tempdir().unwrap(), witness());
    for life in 1..3 {
        let engine = engine(dir.path(), &peer);
        for number in 0..3 {
            let size = grow(&engine, life * 10 + number);
            let state = until(&engine, |state| state.size == Some(size));
            assert_eq!((state.refused, state.cosignatures.len()), (None, 1), "the line of its key alone");
            assert_eq!(peer.mind.lock().unwrap().latest.unwrap().0, size);
        }
    }
}

#[test]
fn another_log_under_the_same_key_is_an_alarm() {
    for (more, refused) in [(false, "has seen"), (true, "are not these")] {
        let (dir, peer) = (tempfile::tempdir().unwrap(), witness());
        let first = engine(dir.path(), &peer);
        let size = grow(&first, 1);
        until(&first, |state| state.size == Some(size));
        drop(first);
        // What the witness has seen is of another history: of more entries, or of as many others.
        let latest = if more { (1, Hash::of_leaf(b"other")) } else { (size + 9, Hash::of_leaf(b"other")) };
        peer.mind.lock().unwrap().latest = Some(latest);
        let second = engine(dir.path(), &peer);
        grow(&second, 2);
        let state = until(&second, |state| state.refused.is_some());
        assert!(state.refused.as_ref().unwrap().contains(refused), "{state:?}");
        grow(&second, 3);
        assert!(second.is_ready(), "an alarm stops nothing");
    }
}

#[test]
fn a_signature_that_does_not_hold_and_a_stranger_are_no_alarm() {
    let (dir, peer) = (tempfile::tempdir().unwrap(), witness());
    peer.mind.lock().unwrap().forges = true;
    let engine = engine(dir.path(), &peer);
    let size = grow(&engine, 1);
    let state = until(&engine, |state| state.failures > 0);
    assert_eq!((state.refused, state.size), (None, None));
    peer.mind.lock().unwrap().forges = false;
    until(&engine, |state| state.size == Some(size));
    let other = "other.example/log+b9ecd7e6+AQ==";
    assert!(Witness::new(&peer.address, other, &HttpOptions::default()).is_err());
    assert!(Witness::new("http://witness.example", &peer.key, &HttpOptions::default()).is_err(), "no TLS");
    assert!(peer.mind.lock().unwrap().asked > 1);
}
