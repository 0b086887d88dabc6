//! The operator forgets who was removed.

use std::path::Path;
use std::process::{Command, Output};

use countersign::*;

fn countersign(data: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_countersign")).args(arguments).arg("--data").arg(data).output().unwrap()
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
