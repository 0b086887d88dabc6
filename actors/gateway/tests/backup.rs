//! The operator makes backups of a running server, and a server from a backup.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use countersign::*;

fn countersign(data: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_countersign")).args(arguments).arg("--data").arg(data).output().unwrap()
}

fn said(output: &Output) -> String {
    [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat()
}

/// Starts a server, and waits until it listens.
fn serve(data: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut process = command.spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("listening on ")));
    process
}

fn register(data: &Path, users: &[&str]) -> AccountId {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
        let engine = Countersign::open(data, Config::default()).unwrap();
        let account = engine.accounts()[0];
        for user in users {
            let (id, name) = (UserId::new(format!("AIDA{user}")).unwrap(), DeviceName::new(*user).unwrap());
            let operator = Request::by(Caller::operator());
            engine.register_user(operator, account, id, name, countersign::Path::root()).await.unwrap();
        }
        engine.close().await.unwrap();
        account
    })
}

struct Scene {
    dir: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let scene = Self { dir: tempfile::tempdir().unwrap() };
        assert!(countersign(&scene.at("data"), &["init", "--json"]).status.success());
        scene
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.at(name).to_str().unwrap().to_owned()
    }

    fn back_up(&self, to: &str) -> Output {
        countersign(&self.at("data"), &["backup", &self.text(to), "--keys-to", &self.text("kept")])
    }

    fn restore(&self, from: &str, to: &str, more: &[&str]) -> Output {
        let [from, to, keys, ring] = [from, to, "kept", "ring"].map(|name| self.text(name));
        let arguments = [&["restore", &from, &to, "--keys", &keys, "--keyring", &ring], more].concat();
        Command::new(env!("CARGO_BIN_EXE_countersign")).args(arguments).output().unwrap()
    }
}

#[test]
fn a_lost_server_is_restored_from_a_backup_that_was_made_while_it_ran() {
    let scene = Scene::new();
    register(&scene.at("data"), &["lee"]);
    fs::copy(scene.at("data/keyring"), scene.at("ring")).unwrap();
    let mut server = serve(&scene.at("data"));
    let made = scene.back_up("monday");
    assert!(made.status.success() && said(&made).contains("entries are in"), "{}", said(&made));
    let again = scene.back_up("monday");
    assert!(!again.status.success() && said(&again).contains("is not empty"), "{}", said(&again));
    server.kill().unwrap();
    server.wait().unwrap();
    // A killed server has left its socket; nobody listens there.
    assert!(scene.at("data/admin").exists());
    register(&scene.at("data"), &["kim"]);
    let alone = scene.back_up("tuesday");
    assert!(alone.status.success(), "{}", said(&alone));
    let engine = Countersign::open(&scene.at("data"), Config::default()).unwrap();
    let (key, late) = (engine.verifier_keys().remove(0), engine.checkpoint().unwrap());
    drop(engine);
    fs::write(scene.at("late"), late).unwrap();
    fs::remove_dir_all(scene.at("data")).unwrap();

    let outside = ["--key", &key, "--checkpoint", &scene.text("late")];
    let older = scene.restore("monday", "restored", &outside);
    assert!(!older.status.success() && said(&older).contains("would be lost"), "{}", said(&older));
    let foreign = key.replace("countersign/", "countersigm/");
    let foreign = scene.restore("monday", "restored", &["--key", &foreign]);
    assert!(!foreign.status.success() && said(&foreign).contains("never signed"), "{}", said(&foreign));
    assert!(!scene.at("restored/store").exists() && !scene.at("restored/keyring").exists());
    let log = fs::read(scene.at("tuesday/log")).unwrap();
    let flipped: Vec<u8> = log.iter().enumerate().map(|(at, byte)| byte ^ u8::from(at == log.len() / 2)).collect();
    fs::write(scene.at("tuesday/log"), flipped).unwrap();
    let damaged = scene.restore("tuesday", "restored", &[]);
    assert!(!damaged.status.success() && said(&damaged).contains("damaged"), "{}", said(&damaged));
    fs::write(scene.at("tuesday/log"), log).unwrap();

    for (from, kim) in [("monday", false), ("tuesday", true)] {
        let to = format!("from-{from}");
        let restored = scene.restore(from, &to, &["--key", &key]);
        assert!(restored.status.success() && said(&restored).contains("as they were signed"), "{}", said(&restored));
        let mut server = serve(&scene.at(&to));
        server.kill().unwrap();
        server.wait().unwrap();
        let engine = Countersign::open(&scene.at(&to), Config::default()).unwrap();
        let account = engine.accounts()[0];
        assert!(engine.user_named(account, "lee").is_some());
        assert_eq!(engine.user_named(account, "kim").is_some(), kim);
        assert_eq!(engine.verifier_keys().concat(), key);
    }
    let over = scene.restore("tuesday", "from-monday", &[]);
    assert!(!over.status.success() && said(&over).contains("has a key ring already"), "{}", said(&over));
}

#[test]
fn who_was_forgotten_is_not_in_what_is_restored() {
    let scene = Scene::new();
    let account = register(&scene.at("data"), &["lee", "kim"]);
    fs::copy(scene.at("data/keyring"), scene.at("ring")).unwrap();
    assert!(scene.back_up("before").status.success());
    let lee = PrincipalId::User(account, UserId::new("AIDAlee").unwrap());
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
        let engine = Countersign::open(&scene.at("data"), Config::default()).unwrap();
        engine.remove_user(Request::by(Caller::operator()), &lee, Removal::TakeDevices).await.unwrap();
        engine.close().await.unwrap();
    });
    assert!(scene.back_up("removed").status.success());
    let former = fs::read(scene.at("kept/keys")).unwrap();
    assert!(countersign(&scene.at("data"), &["forget", "AIDAlee"]).status.success());
    assert!(scene.back_up("after").status.success());
    for from in ["before", "removed", "after"] {
        let to = format!("from-{from}");
        let restored = scene.restore(from, &to, &[]);
        assert!(restored.status.success(), "{}", said(&restored));
        let engine = Countersign::open(&scene.at(&to), Config::default()).unwrap();
        assert!(engine.user_named(account, "lee").is_none() && engine.user_named(account, "kim").is_some(), "{from}");
    }
    // Keys from before the deed do not undo it either, when the backup has its tombstone.
    fs::write(scene.at("kept/keys"), former).unwrap();
    assert!(scene.restore("after", "with-old-keys", &[]).status.success());
    let destroyed = |keys: PathBuf| fs::read(keys).unwrap().chunks(128).filter(|slot| slot[4] == 2).count();
    assert_eq!(destroyed(scene.at("kept/keys")), 0);
    assert!(destroyed(scene.at("with-old-keys/store/keys")) > 0);
}
