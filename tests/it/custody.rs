//! Keys of the ring change while principals answer, and one that is missing closes nobody but those whom it is needed for.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign::store::keys::SLOT_BYTES;
use countersign::store::{FileKeyRing, Journal, KeyError, OpenError as StoreError, SledJournal, StoreOptions};
use countersign::*;
use tempfile::TempDir;

use crate::support::{Phone, World, name, narrow, operator};

/// A store in a directory with its ring in a file.
struct Custody {
    dir: TempDir,
}

impl Custody {
    fn new() -> Self {
        let custody = Self { dir: tempfile::tempdir().unwrap() };
        FileKeyRing::open_or_create(custody.ring()).unwrap();
        custody
    }

    fn ring(&self) -> PathBuf {
        self.dir.path().join("ring")
    }

    fn keys(&self) -> PathBuf {
        self.dir.path().join("store/keys")
    }

    fn journal(&self, ring: &Arc<FileKeyRing>) -> Result<SledJournal, StoreError> {
        SledJournal::open(&self.dir.path().join("store"), ring.clone(), StoreOptions::default())
    }

    async fn world(&self) -> World {
        let ring = Arc::new(FileKeyRing::open(self.ring()).unwrap());
        let journal = Arc::new(self.journal(&ring).unwrap());
        World::on(journal, ring, narrow(Policy::classic()), Limits::default()).await
    }

    /// A ring without the line of one key, and another line in its place.
    fn ring_with(&self, whole: &str, number: &str, instead: Option<String>) {
        let kept = whole.lines().filter(|line| !line.starts_with(number)).map(str::to_owned);
        let text: Vec<String> = kept.chain(instead).collect();
        fs::write(self.ring(), text.join("\n") + "\n").unwrap();
    }
}

/// Lets commands go on until the keys are wrapped; says how many were done meanwhile.
async fn until_wrapped(world: &World, people: &[(PrincipalId, Phone)]) -> usize {
    let (began, mut done, mut round) = (Instant::now(), 0, 0);
    while world.engine.key_rotation().running {
        assert!(began.elapsed() < Duration::from_secs(60), "{:?}", world.engine.key_rotation());
        for (who, phone) in people.iter().take(4) {
            world.clock.advance_s(30);
            assert_eq!(world.sign_in(who, phone, world.now()).await, Ok(Proof::Accepted));
            done += 1;
        }
        world.user(&format!("while-{round}")).await;
        round += 1;
    }
    done
}

#[tokio::test]
async fn principals_answer_while_every_key_is_wrapped_anew() {
    let custody = Custody::new();
    let stolen = fs::read(custody.ring()).unwrap();
    let world = custody.world().await;
    let mut people = Vec::new();
    for number in 0..30 {
        people.push(world.equipped(&format!("lee-{number}")).await);
    }
    let made = || operator().with_command(CommandId::derive(&["made", "before"]));
    let id = || UserId::new("AIDA-retry").unwrap();
    let register = |world: &World| {
        let path = Path::root();
        let (engine, account) = (world.engine.clone(), world.account);
        async move { engine.register_user(made(), account, id(), name("retry"), path).await.map(|ack| ack.position) }
    };
    let first = register(&world).await.unwrap();
    let key = world.engine.derive_key("sessions").unwrap();
    assert_eq!(FileKeyRing::add_key(custody.ring()), Ok(2));
    world.engine.rotate_keys().unwrap();
    assert!(until_wrapped(&world, &people).await > 0, "somebody was answered meanwhile");
    let progress = world.engine.key_rotation();
    assert!(
        progress.finished == 1 && progress.failed.is_none() && progress.looked_at == progress.slots,
        "{progress:?}"
    );
    assert!(progress.wrapped > 60, "{progress:?}");
    assert!(world.engine.ring_key_use(1).unwrap().is_nothing());
    world.engine.close().await.unwrap();
    assert!(world.engine.rotate_keys().unwrap_err().is_closed());
    let now = world.now();
    drop(world);

    FileKeyRing::retire_key(custody.ring(), 1).unwrap();
    let world = custody.world().await;
    world.clock.set(UnixMillis::from_secs(now + 60));
    for (who, phone) in &people {
        assert_eq!(world.sign_in(who, phone, world.now()).await, Ok(Proof::Accepted));
    }
    assert_eq!(register(&world).await, Ok(first), "a retry is known by what is derived from the root");
    assert_eq!(world.engine.derive_key("sessions").unwrap(), key);
    world.engine.close().await.unwrap();
    drop(world);
    // Who has the old key and a copy of the files as they are now.
    fs::write(custody.ring(), stolen).unwrap();
    let ring = Arc::new(FileKeyRing::open(custody.ring()).unwrap());
    assert_eq!(custody.journal(&ring).unwrap_err(), StoreError::Key(KeyError::NoRingKey(2)));
}

/// What a person whose key is missing can do, and what all others can.
async fn check_closed(custody: &Custody, (lee, kim): (&(PrincipalId, Phone), &(PrincipalId, Phone)), now: u64) {
    let world = custody.world().await;
    world.clock.set(UnixMillis::from_secs(now));
    let closed = world.sign_in(&lee.0, &lee.1, world.now()).await.unwrap_err();
    assert!(closed.is_key_missing() && !closed.is_retryable() && !closed.is_forgotten(), "{closed}");
    let closed = world.engine.begin_sign_in(operator(), &lee.0).await.unwrap_err();
    assert!(closed.is_key_missing(), "{closed}");
    let closed = world.deactivate(&lee.0, &lee.1).await.unwrap_err();
    assert!(closed.is_key_missing(), "{closed}");
    let id = UserId::new("AIDA-other").unwrap();
    let taken = world.engine.register_user(operator(), world.account, id, name("lee"), Path::root()).await;
    assert!(taken.unwrap_err().rejection().is_some(), "a name that is closed is not free");
    assert_eq!(world.sign_in(&kim.0, &kim.1, world.now()).await, Ok(Proof::Accepted));
    assert_eq!(world.engine.devices(&kim.0).len(), 1);
    world.equipped(&format!("new-{now}")).await;
    world.engine.close().await.unwrap();
}

#[tokio::test]
async fn a_missing_or_wrong_key_closes_its_principal_and_nobody_else() {
    let custody = Custody::new();
    drop(custody.world().await);
    let slots = || fs::read(custody.keys()).unwrap();
    let world = custody.world().await;
    let from = slots().len();
    let lee = world.equipped("lee").await;
    let of_lee = slots().split_off(from);
    assert!(of_lee.len() / SLOT_BYTES >= 3, "a principal, a device, a seed");
    FileKeyRing::add_key(custody.ring()).unwrap();
    FileKeyRing::add_key(custody.ring()).unwrap();
    world.engine.rotate_keys().unwrap();
    let kim = world.equipped("kim").await;
    until_wrapped(&world, &[]).await;
    let mut now = world.now();
    world.engine.close().await.unwrap();
    drop(world);
    // As if the rotation had not come to lee.
    let mut keys = slots();
    keys[from..from + of_lee.len()].copy_from_slice(&of_lee);
    fs::write(custody.keys(), keys).unwrap();
    let whole = fs::read_to_string(custody.ring()).unwrap();
    let other = Some(format!("1 {}", "5a".repeat(32)));
    for (derived, instead) in [(true, None), (true, other.clone()), (false, None), (false, other)] {
        custody.ring_with(&whole, "1 ", instead);
        if !derived {
            // Everything is read from the log: of lee there is nothing that a query could say.
            let journal = custody.journal(&Arc::new(FileKeyRing::open(custody.ring()).unwrap())).unwrap();
            journal.forget_derived().unwrap();
            drop(journal);
            let world = custody.world().await;
            assert!(world.engine.principal(&lee.0).is_none() && world.engine.devices(&lee.0).is_empty());
            assert!(world.engine.user_named(world.account, "lee").is_none());
            world.engine.close().await.unwrap();
        }
        now += 3600;
        check_closed(&custody, (&lee, &kim), now).await;
    }
    // The key is back: nothing was lost, and nothing that was written meanwhile says otherwise.
    fs::write(custody.ring(), &whole).unwrap();
    let world = custody.world().await;
    world.clock.set(UnixMillis::from_secs(now + 3600));
    assert_eq!(world.engine.user_named(world.account, "lee").unwrap().id, lee.0);
    assert_eq!(world.engine.devices(&lee.0).len(), 1);
    assert_eq!(world.sign_in(&lee.0, &lee.1, world.now()).await, Ok(Proof::Accepted));
    world.engine.close().await.unwrap();
    drop(world);
    // Of the store's own keys none can be missing.
    custody.ring_with(&whole, "3 ", None);
    let ring = Arc::new(FileKeyRing::open(custody.ring()).unwrap());
    assert_eq!(custody.journal(&ring).unwrap_err(), StoreError::Key(KeyError::NoRingKey(3)));
}
