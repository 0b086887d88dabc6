//! The operator's way back for whoever lost the only device of the only administrator.

use std::path::Path;
use std::process::{Command, Output};

use countersign::*;
use totp_rs::{Builder, Secret};

fn countersign(data: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_countersign")).args(arguments).arg("--data").arg(data).output().unwrap()
}

async fn equip_the_administrator(data: &Path) -> (PrincipalId, Serial) {
    let engine = Countersign::open(data, Config { policy: Policy::modern(), ..Config::default() }).unwrap();
    let account = engine.accounts()[0];
    let user = engine.user_named(account, "administrator").unwrap().id;
    let by = || Request::by(Caller::with_key(user.clone()));
    let name = DeviceName::new("phone").unwrap();
    let made = engine.create_virtual_device(by(), account, countersign::Path::root(), name).await.unwrap().value;
    let secret = Secret::try_from_base32(made.base32().as_str()).unwrap();
    let phone = Builder::new().with_secret(secret).with_account_name("x").build().unwrap();
    let now = engine.now().secs();
    let shown = |at: u64| Code::parse(&phone.generate(at).to_string()).unwrap();
    let enabled = engine.enable(by(), &user, &made.serial, shown(now), shown(now + 30)).await.unwrap();
    assert!(enabled.value.is_accepted());
    let stuck = engine.deactivate(by(), &user, &made.serial, DeactivateReason::Lost).await.unwrap_err();
    assert_eq!(stuck.rejection(), Some(&Rejection::SelfManagementNeedsMfa), "the lock-out that this is for");
    engine.close().await.unwrap();
    (user, made.serial.clone())
}

#[test]
fn a_lost_device_is_taken_by_the_operator() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    assert!(countersign(&data, &["init", "--json"]).status.success());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (user, serial) = runtime.block_on(equip_the_administrator(&data));

    let nobody = countersign(&data, &["release", "nobody"]);
    assert!(!nobody.status.success() && String::from_utf8_lossy(&nobody.stderr).contains("there is no user `nobody`"));
    let released = countersign(&data, &["release", "administrator"]);
    let said = String::from_utf8_lossy(&released.stdout).into_owned();
    assert!(released.status.success() && said.contains(serial.as_str()), "{said}");

    let engine = Countersign::open(&data, Config::default()).unwrap();
    assert!(engine.devices(&user).is_empty());
    assert!(engine.device(&serial).is_some(), "the device itself is still there, unassigned");
}
