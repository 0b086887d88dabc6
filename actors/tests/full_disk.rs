//! A disk that fills up: a typed error, nothing acknowledged is lost, and the store opens again.
//!
//! Needs the right to mount a small tmpfs; says so and skips without it, except in CI.

use std::path::Path as FilePath;
use std::process::Command;

use countersign::*;

/// A small file system that goes away with the test.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(size: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let options = format!("size={size}");
        mount(&["-t", "tmpfs", "-o", &options, "tmpfs"], dir.path()).then_some(Self(dir))
    }

    fn grow(&self, size: &str) {
        assert!(mount(&["-o", &format!("remount,size={size}")], self.0.path()));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Detached at once and freed when the log engine's own threads let go of their files, which on a
        // busy machine is a moment after the engine is dropped.
        let unmounted = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

fn mount(arguments: &[&str], place: &FilePath) -> bool {
    Command::new("mount").args(arguments).arg(place).output().is_ok_and(|output| output.status.success())
}

async fn register(engine: &Countersign, account: AccountId, number: u32) -> Result<(), Error> {
    let (id, name) = (UserId::new(format!("U{number}")).unwrap(), DeviceName::new(format!("user-{number}")).unwrap());
    engine.register_user(Request::by(Caller::operator()), account, id, name, Path::root()).await.map(|_| ())
}

#[tokio::test]
async fn a_full_disk_is_told_and_loses_nothing() {
    let Some(disk) = SmallDisk::mount("2m") else {
        assert!(std::env::var_os("CI").is_none(), "CI can mount a tmpfs");
        eprintln!("skipped: no right to mount a tmpfs");
        return;
    };
    let dir = disk.0.path().join("data");
    let account: AccountId = "123456789012".parse().unwrap();
    let engine = Countersign::open(&dir, Config::default()).unwrap();
    let root = DeviceName::new("root").unwrap();
    engine.open_account(Request::by(Caller::operator()), account, root).await.unwrap();
    let mut acked = 0;
    let error = loop {
        match register(&engine, account, acked).await {
            Ok(()) => acked += 1,
            Err(error) => break error,
        }
        assert!(acked < 4000, "the disk did not fill up");
    };
    assert!(acked > 0);
    assert!(error.rejection().is_none() && !error.is_busy(), "{error}");
    assert!(!engine.is_ready(), "after a failed write the engine does not go on");
    let next = register(&engine, account, acked + 1).await.unwrap_err();
    assert!(!next.outcome_unknown(), "what was not tried did not happen: {next}");
    drop(engine);

    disk.grow("64m");
    let engine = Countersign::open(&dir, Config::default()).unwrap();
    let users = engine.account(account).unwrap().users;
    assert!(users == acked || users == acked + 1, "{users} of {acked} acknowledged, at most the unknown one more");
    for number in 0..acked {
        assert!(engine.user_named(account, &format!("user-{number}")).is_some(), "{number}");
    }
    register(&engine, account, acked + 2).await.unwrap();
    engine.close().await.unwrap();
}
