//! The operator forgets who was removed.

use std::path::Path;
use std::process::{Command, Output};

use countersign::*;

fn countersign(data: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_countersign")).args(arguments).arg("--data").arg(data).output().unwrap()
}

#[test]
fn the_keys_of_a_store_are_wrapped_by_a_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    assert!(countersign(&data, &["init", "--json"]).status.success());
    let keys = || std::fs::read(data.join("store/keys")).unwrap();
    let before = keys();
    let rotated = countersign(&data, &["keys", "rotate"]);
    let said = String::from_utf8_lossy(&rotated.stdout).into_owned();
    assert!(rotated.status.success() && said.contains("key 2 is in"), "{said}");
    // Each live slot begins its wrapped key with the number of the key that wrapped it.
    let wrapped_by =
        |keys: &[u8]| -> Vec<u8> { keys.chunks(128).filter(|slot| slot[4] == 1).map(|slot| slot[35]).collect() };
    assert!(wrapped_by(&before).iter().all(|number| *number == 1));
    assert!(wrapped_by(&keys()).iter().all(|number| *number == 2) && keys().len() >= before.len());
    assert!(countersign(&data, &["keys", "rotate"]).status.success(), "everything still opens");
}

#[test]
fn who_was_removed_is_forgotten_and_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    assert!(countersign(&data, &["init", "--json"]).status.success());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let operator = || Request::by(Caller::operator());
    let lee = runtime.block_on(async {
        let engine = Countersign::open(&data, Config::default()).unwrap();
        let (account, id) = (engine.accounts()[0], UserId::new("AIDALEE").unwrap());
        let name = DeviceName::new("lee").unwrap();
        engine.register_user(operator(), account, id.clone(), name, countersign::Path::root()).await.unwrap();
        engine.close().await.unwrap();
        PrincipalId::User(account, id)
    });
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let live = countersign(&data, &["forget", "AIDALEE"]);
    assert!(!live.status.success() && said(&live).contains("has to be removed before"), "{}", said(&live));
    let nobody = countersign(&data, &["forget", "AIDANOBODY"]);
    assert!(!nobody.status.success() && said(&nobody).contains("does not exist"), "{}", said(&nobody));

    runtime.block_on(async {
        let engine = Countersign::open(&data, Config::default()).unwrap();
        engine.remove_user(operator(), &lee, Removal::RefuseWithDevices).await.unwrap();
        engine.close().await.unwrap();
    });
    let forgotten = countersign(&data, &["forget", "AIDALEE", "--reason", "retention"]);
    assert!(forgotten.status.success(), "{}", said(&forgotten));
    let engine = Countersign::open(&data, Config::default()).unwrap();
    assert!(engine.forgotten_at(&lee).is_some());
}

#[test]
fn a_token_is_taken_out_of_the_inventory_once_nobody_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let (data, file) = (dir.path().join("data"), dir.path().join("tokens.csv"));
    assert!(countersign(&data, &["init", "--json"]).status.success());
    std::fs::write(&file, "serial,seed\nGAHT00000001,3132333435363738393031323334353637383930\n").unwrap();
    let imported = countersign(&data, &["tokens", "import", file.to_str().unwrap()]);
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    let removed = countersign(&data, &["tokens", "remove", "GAHT00000001"]);
    assert!(removed.status.success(), "{}", String::from_utf8_lossy(&removed.stderr));
    let again = countersign(&data, &["tokens", "remove", "GAHT00000001"]);
    assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("does not exist"));
    assert!(countersign(&data, &["tokens", "import", file.to_str().unwrap()]).status.success(), "a new life");
}
