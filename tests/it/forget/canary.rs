//! After the deed, nothing of a person can be found: not in the raw bytes of any file, not in what the key ring and every
//! key slot can open of them, wherever in the files it lies, and not in a log line.

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use countersign::store::backup::{self, Restore};
use countersign::store::header::HEADER_BYTES;
use countersign::store::limits::APPEND_BYTES_MAX;
use countersign::store::{
    Backend, Change, EphemeralKeyRing, Header, Journal, SledBackend, SledJournal, StoreOptions, Table,
};
use countersign::testing::{STEP_S, digits, hotp};
use countersign::*;

use crate::door::is_in;
use crate::outbox::canary::{has, listen};
use crate::outbox::gateway::Gateway;
use crate::outbox::stage::{End, Medium, Stage, clock};
use crate::support::{Phone, World, narrow, operator};

/// What must be nowhere.
#[derive(Default)]
struct Canaries {
    /// Found in bytes: seeds, as bytes and as text; names; telephone numbers.
    bytes: Vec<Vec<u8>>,
    /// Found in text as digits that stand alone: codes.
    codes: Vec<String>,
}

impl Canaries {
    fn found_in(&self, bytes: &[u8]) -> Vec<String> {
        let holds = |canary: &&Vec<u8>| bytes.windows(canary.len()).any(|window| window == canary.as_slice());
        self.bytes.iter().filter(holds).map(|canary| String::from_utf8_lossy(canary).into_owned()).collect()
    }
}

/// As a seed is shown to people (RFC 4648, section 6, without padding).
fn base32(bytes: &[u8]) -> Vec<u8> {
    let bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
    let fives = bits.as_bytes().chunks(5).map(|five| {
        let padded = format!("{:0<5}", std::str::from_utf8(five).unwrap());
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[usize::from_str_radix(&padded, 2).unwrap()]
    });
    fives.collect()
}

/// One person's whole life, and another's who stays.
async fn live(stage: &mut Stage, turns: u64) -> (PrincipalId, Canaries) {
    let number = PhoneNumber::parse(&format!("+1202555{:04}", 143 + turns)).unwrap();
    let mut canaries = Canaries::default();
    canaries.bytes.extend([b"quentin".to_vec(), number.e164().as_bytes()[2..].to_vec()]);
    let (lee, sms) = stage.person("quentin", number).await;
    let kim = stage.user("kim").await;
    for turn in 0..turns {
        let (attempt, sent) = stage.awaited(&lee, &sms).await;
        stage.run_until("sent", || stage.code_of(sent.challenge).is_some()).await;
        let code = stage.code_of(sent.challenge).unwrap();
        assert!(is_in(&stage.type_code(&lee, attempt, &sms, code).await.unwrap()));
        let client = Client::new(Some([203, 0, 113, 9].into()), "Quentin-Browser/1");
        let request = operator().from_client(client);
        stage.engine.record_password_refused(request, Some(stage.account), Some(&lee)).await.unwrap();
        stage.pass_s(60 * (turn + 1)).await;
        if turn % 2 == 0 {
            stage.reopen(End::Closed).await;
        }
    }
    stage.engine.deactivate(operator(), &lee, &sms, DeactivateReason::Requested).await.unwrap();
    for turn in 0..turns {
        let phone = stage.phone(&format!("quentin-{turn}")).await;
        canaries.bytes.extend([phone.secret.clone(), base32(&phone.secret)]);
        assert_eq!(stage.enable(&lee, &phone, stage.now()).await, Ok(Proof::Accepted));
        stage.pass_s(90).await;
        let code = phone.at(stage.now());
        canaries.codes.push(digits(hotp(&phone.secret, stage.now() / STEP_S)));
        assert_eq!(stage.verify(&lee, &phone, code, Purpose::SessionToken).await, Ok(Proof::Accepted));
        stage.deactivate(&lee, &phone).await.unwrap();
    }
    let other = stage.phone("kim").await;
    assert_eq!(stage.enable(&kim, &other, stage.now()).await, Ok(Proof::Accepted));
    canaries.bytes.push(b"Quentin-Browser".to_vec());
    (lee, canaries)
}

fn files(of: &FilePath) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(of).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.clone(), std::fs::read(&path).unwrap()));
        }
    }
    found
}

fn copy(from: &FilePath, to: &FilePath) {
    for (path, content) in files(from) {
        let target = to.join(path.strip_prefix(from).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::write(target, content).unwrap();
    }
}

fn open(store: &FilePath, ring: &Arc<EphemeralKeyRing>) -> SledJournal {
    SledJournal::open(store, ring.clone(), StoreOptions::default()).unwrap()
}

/// What can be opened of every entry that is anywhere in the files, in pages that count and in pages that do not; and how
/// much that was.
fn opened(store: &FilePath, ring: &Arc<EphemeralKeyRing>, canaries: &Canaries) -> (usize, Vec<String>) {
    opened_in(store, (store, ring), canaries)
}

/// The same, of the files in one place with the keys of a store in another.
fn opened_in(
    place: &FilePath,
    (store, ring): (&FilePath, &Arc<EphemeralKeyRing>),
    canaries: &Canaries,
) -> (usize, Vec<String>) {
    let copied = tempfile::tempdir().unwrap();
    copy(store, copied.path());
    let journal = open(copied.path(), ring);
    let (mut count, mut found) = (0, Vec::new());
    for (_, bytes) in files(place) {
        for at in bytes.windows(3).enumerate().filter(|(_, window)| *window == [0xc5, 0x0e, 1]).map(|(at, _)| at) {
            let Some(header) = bytes.get(at..at + HEADER_BYTES).and_then(|header| Header::decode(header).ok()) else {
                continue;
            };
            let from = at + HEADER_BYTES;
            let length = (header.body_len as usize).min(APPEND_BYTES_MAX);
            let Some(body) = bytes.get(from..from + length) else { continue };
            if let Ok(clear) = journal.unseal(&header, body) {
                count += 1;
                found.extend(canaries.found_in(&clear));
            }
        }
    }
    (count, found)
}

/// The rows of the views' checkpoint, as they lie in the medium.
fn checkpoint(store: &FilePath) -> Vec<Change> {
    let backend = SledBackend::open(store, StoreOptions { read_only: true, ..StoreOptions::default() }).unwrap();
    let mut rows = Vec::new();
    let head = b"hviews".to_vec();
    rows.push((head.clone(), backend.get(Table::Checkpoints, &head).unwrap().map(|value| value.to_vec())));
    for generation in 0..1000_u64 {
        for number in 0..16_u32 {
            let mut key = [b"b\x05views".as_slice(), &generation.to_be_bytes()].concat();
            key.extend_from_slice(&number.to_be_bytes());
            let row = backend.get(Table::Checkpoints, &key).unwrap();
            rows.extend(row.map(|value| (key, Some(value.to_vec()))));
        }
    }
    assert!(rows.len() > 1 && rows[0].1.is_some(), "there was a checkpoint");
    rows
}

/// What comes of old rows of a checkpoint when somebody puts them back.
fn put_back(store: &FilePath, ring: &Arc<EphemeralKeyRing>, rows: &[Change], canaries: &Canaries) -> Vec<String> {
    let copied = tempfile::tempdir().unwrap();
    copy(store, copied.path());
    let backend = SledBackend::open(copied.path(), StoreOptions::default()).unwrap();
    backend.put(Table::Checkpoints, rows.to_vec()).unwrap();
    backend.sync().unwrap();
    drop(backend);
    let views = open(copied.path(), ring).load_checkpoint("views").unwrap();
    views.map(|views| canaries.found_in(&views.blocks.concat())).unwrap_or_default()
}

#[tokio::test]
async fn nothing_of_who_was_forgotten_is_found_anywhere() {
    let lines = listen();
    for turns in [1, 3] {
        let clock = clock();
        let gateway = Gateway::new("main", &clock);
        let (gates, routes) = (vec![gateway.clone()], vec![gateway.route()]);
        let mut stage = Stage::on(Medium::directory(), Policy::classic(), &clock, (gates, routes)).await;
        let (lee, mut canaries) = live(&mut stage, turns).await;
        canaries.codes.extend(gateway.asked().iter().map(|asked| asked.code.clone()));
        stage.reopen(End::Closed).await;
        let ring = stage.ring();
        let dir = stage.leave().await;
        let store = dir.join("store");
        let (keys, rows) = (std::fs::read(store.join("keys")).unwrap(), checkpoint(&store));

        stage.open().await;
        stage.engine.remove_user(operator(), &lee, Removal::TakeDevices).await.unwrap();
        stage.engine.forget(operator(), &lee, ForgetReason::Requested, &[]).await.unwrap();
        let (engine, serials) = (stage.engine.clone(), stage.engine.sms_messages(stage.account, false, 100));
        let shown =
            format!("{engine:?} {serials:?} {:?}", engine.virtual_devices(stage.account, Assignment::Any, None, 100));
        assert_eq!(canaries.found_in(shown.as_bytes()), Vec::<String>::new(), "what the engine still says");
        drop(engine);
        let dir = stage.leave().await;
        assert_eq!(dir.join("store"), store);

        for (path, content) in files(&store) {
            assert_eq!(canaries.found_in(&content), Vec::<String>::new(), "{}", path.display());
        }
        let (count, found) = opened(&store, &ring, &canaries);
        assert_eq!(found, Vec::<String>::new(), "opened with the ring and every slot");
        assert!(count >= 5, "kim is still there: {count}");
        assert_eq!(put_back(&store, &ring, &rows, &canaries), Vec::<String>::new());

        // Were the keys not destroyed, all of it would be found: the looking is good enough.
        std::fs::write(store.join("keys"), keys).unwrap();
        let (_, found) = opened(&store, &ring, &canaries);
        for canary in &canaries.bytes {
            let text = String::from_utf8_lossy(canary).into_owned();
            // A seed is stored as bytes, and never as text.
            let stored = !canaries.bytes.iter().any(|other| base32(other) == *canary);
            assert_eq!(found.contains(&text), stored, "{text}");
        }
        assert!(put_back(&store, &ring, &rows, &canaries).contains(&"quentin".to_owned()));

        let logged = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert!(logged.len() > 1000);
        for line in logged.lines() {
            assert!(!canaries.codes.iter().any(|code| has(line, code)), "{line}");
            let mut secrets = canaries.bytes.iter().filter(|canary| *canary != b"quentin");
            assert!(
                !secrets.any(|canary| line.as_bytes().windows(canary.len()).any(|window| window == canary)),
                "{line}"
            );
        }
    }
}

/// A backup from before the deed is restored after it, by somebody who has the ring and the keys that there are then.
#[tokio::test]
async fn a_backup_from_before_the_deed_brings_nobody_back() {
    let clock = clock();
    let gateway = Gateway::new("main", &clock);
    let (gates, routes) = (vec![gateway.clone()], vec![gateway.route()]);
    let mut stage = Stage::on(Medium::directory(), Policy::classic(), &clock, (gates, routes)).await;
    let (lee, canaries) = live(&mut stage, 2).await;
    let places = tempfile::tempdir().unwrap();
    let [before, kept, former, restored] =
        ["before", "kept", "former", "restored"].map(|name| places.path().join(name));
    stage.engine.backup(&before).unwrap();
    stage.engine.copy_keys(&kept).unwrap();
    copy(&kept, &former);
    stage.engine.remove_user(operator(), &lee, Removal::TakeDevices).await.unwrap();
    stage.engine.forget(operator(), &lee, ForgetReason::Requested, &[]).await.unwrap();
    stage.engine.copy_keys(&kept).unwrap();
    let ring = stage.ring();
    let _dir = stage.leave().await;

    let restore = |keys: &FilePath, to: &FilePath| {
        let from = Restore { backup: &before, keys, ring: ring.clone(), verifier_key: None, checkpoint: None };
        backup::restore(&from, to).unwrap();
    };
    restore(&kept, &restored);
    for place in [&before, &kept, &restored] {
        for (path, content) in files(place) {
            assert_eq!(canaries.found_in(&content), Vec::<String>::new(), "{}", path.display());
        }
        let (count, found) = opened_in(place, (&restored, &ring), &canaries);
        assert_eq!(found, Vec::<String>::new(), "opened with the ring and every slot");
        assert!(count >= 5 || *place == kept, "kim is still there: {count}");
    }
    // An engine on it knows everybody else, and lets nobody in as the one who is gone.
    let engine = Countersign::on(Arc::new(open(&restored, &ring)), ring.clone(), Config::default()).unwrap();
    let account = engine.accounts()[0];
    assert!(engine.user_named(account, "quentin").is_none() && engine.user_named(account, "kim").is_some());
    let closed = engine.begin_sign_in(operator(), &lee).await.unwrap_err();
    assert!(closed.is_forgotten(), "{closed}");
    engine.close().await.unwrap();
    drop(engine);
    let (_, found) = opened(&restored, &ring, &canaries);
    assert_eq!(found, Vec::<String>::new());

    // With the former copy of the keys all of it would be there: it is that copy which must not be kept.
    let again = places.path().join("again");
    restore(&former, &again);
    let (_, found) = opened(&again, &ring, &canaries);
    assert!(found.contains(&"quentin".to_owned()), "the looking is good enough");
}

/// The seed of a token outlives who had it, and is nowhere once the token is out of the inventory.
#[tokio::test]
async fn nothing_of_the_seed_of_a_removed_token_is_found_anywhere() {
    let (dir, ring) = (tempfile::tempdir().unwrap(), Arc::new(EphemeralKeyRing::new().unwrap()));
    let (serial, secret) = (Serial::new("GAHT00000001").unwrap(), b"a seed of a token...".to_vec());
    let mut canaries = Canaries::default();
    canaries.bytes.extend([secret.clone(), base32(&secret)]);
    let world = async || {
        let limits = Limits { snapshot_every: 1, ..Limits::default() };
        World::on(Arc::new(open(dir.path(), &ring)), ring.clone(), narrow(Policy::classic()), limits).await
    };
    let before = world().await;
    let lee = before.user("lee").await;
    let token = Phone { serial: serial.clone(), secret: secret.clone() };
    before.engine.import_hardware_token(operator(), &serial, Seed::new(secret).unwrap(), "maker").await.unwrap();
    assert_eq!(before.enable(&lee, &token, before.now()).await, Ok(Proof::Accepted));
    before.engine.remove_user(operator(), &lee, Removal::TakeDevices).await.unwrap();
    before.engine.forget(operator(), &lee, ForgetReason::Requested, &[]).await.unwrap();
    before.engine.close().await.unwrap();
    drop(before);
    let (_, found) = opened(dir.path(), &ring, &canaries);
    assert!(!found.is_empty(), "it is the inventory's, and who looks finds it");

    let after = world().await;
    after.engine.remove_hardware_token(operator(), &serial).await.unwrap();
    after.engine.close().await.unwrap();
    drop(after);
    for (path, content) in files(dir.path()) {
        assert_eq!(canaries.found_in(&content), Vec::<String>::new(), "{}", path.display());
    }
    let (count, found) = opened(dir.path(), &ring, &canaries);
    assert_eq!(found, Vec::<String>::new(), "opened with the ring and every slot");
    assert!(count > 0, "the account is still there");
}
