//! The operator's ways back: for whoever lost the only device of the only administrator or root's, or a password.

use std::path::Path;
use std::process::{Command, Output};

use countersign::*;
use countersign_gateway::directory::{Directory as _, Standalone};
use countersign_gateway::secret::Secret as Password;
use totp_rs::{Builder, Secret};

fn countersign(data: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_countersign")).args(arguments).arg("--data").arg(data).output().unwrap()
}

/// Gives somebody an app, whose seed is then lost.
async fn equip(engine: &Countersign, owner: &PrincipalId, by: impl Fn() -> Request) -> Serial {
    let name = DeviceName::new("phone").unwrap();
    let path = countersign::Path::root();
    let made = engine.create_virtual_device(by(), owner.account(), path, name).await.unwrap().value;
    let secret = Secret::try_from_base32(made.base32().as_str()).unwrap();
    let phone = Builder::new().with_secret(secret).with_account_name("x").build().unwrap();
    let now = engine.now().secs();
    let shown = |at: u64| Code::parse(&phone.generate(at).to_string()).unwrap();
    let enabled = engine.enable(by(), owner, &made.serial, shown(now), shown(now + 30)).await.unwrap();
    assert!(enabled.value.is_accepted());
    made.serial.clone()
}

async fn equip_the_administrator(data: &Path) -> (PrincipalId, Serial) {
    let engine = Countersign::open(data, Config { policy: Policy::modern(), ..Config::default() }).unwrap();
    let user = engine.user_named(engine.accounts()[0], "administrator").unwrap().id;
    let by = || Request::by(Caller::with_key(user.clone()));
    let serial = equip(&engine, &user, by).await;
    let stuck = engine.deactivate(by(), &user, &serial, DeactivateReason::Lost).await.unwrap_err();
    assert_eq!(stuck.rejection(), Some(&Rejection::SelfManagementNeedsMfa), "the lock-out that this is for");
    engine.close().await.unwrap();
    (user, serial)
}

/// Root has a device, and its account lets nobody in without it.
async fn equip_root(data: &Path) -> (PrincipalId, Serial) {
    let engine = Countersign::open(data, Config::default()).unwrap();
    let root = PrincipalId::Root(engine.accounts()[0]);
    let by = || Request::by(Caller::at_console(root.clone(), None));
    let serial = equip(&engine, &root, by).await;
    let signed_in = || Request::by(Caller::at_console(root.clone(), Some(engine.now())));
    engine.allow_alternative_factors(signed_in(), root.account(), false).await.unwrap();
    assert!(!engine.recovery_allowed(&root), "the lock-out that this is for");
    engine.close().await.unwrap();
    (root, serial)
}

#[test]
fn a_lost_device_is_taken_by_the_operator() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    assert!(countersign(&data, &["init", "--json"]).status.success());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
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

#[test]
fn root_who_lost_its_device_is_let_in_by_the_operator() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    assert!(countersign(&data, &["init", "--json"]).status.success());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let (root, serial) = runtime.block_on(equip_root(&data));

    let neither = countersign(&data, &["release"]);
    assert!(!neither.status.success(), "whose devices has to be said");
    let released = countersign(&data, &["release", "--root"]);
    let said = String::from_utf8_lossy(&released.stdout).into_owned();
    assert!(released.status.success(), "{}", String::from_utf8_lossy(&released.stderr));
    assert!(said.contains(serial.as_str()), "{said}");
    assert!(said.contains("the root user has no device any more"), "{said}");

    let engine = Countersign::open(&data, Config::default()).unwrap();
    assert!(engine.devices(&root).is_empty());
}

#[test]
fn a_lost_password_is_replaced_by_the_operator() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let made = countersign(&data, &["init", "--json"]);
    let made: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    let given = |arguments: &[&str]| {
        let given = countersign(&data, arguments);
        assert!(given.status.success(), "{}", String::from_utf8_lossy(&given.stderr));
        String::from_utf8(given.stdout).unwrap().trim().rsplit(' ').next().unwrap().to_owned()
    };
    let new = [given(&["password", "--root"]), given(&["password", "administrator"])];
    assert!(!countersign(&data, &["password", "nobody"]).status.success());

    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let engine = Countersign::open(&data, Config::default()).unwrap();
        let directory = Standalone::open(engine.clone()).unwrap();
        let account = engine.accounts()[0];
        let administrator = engine.user_named(account, "administrator").unwrap().id;
        let old = [&made["root"]["password"], &made["administrator"]["password"]].map(|old| old.as_str().unwrap());
        for (whose, (new, old)) in [PrincipalId::Root(account), administrator].iter().zip(new.iter().zip(old)) {
            let (new, old) = (Password::new(new), Password::new(old));
            assert_eq!(directory.password_is(whose, &new).await, Ok(true));
            assert_eq!(directory.password_is(whose, &old).await, Ok(false));
        }
    });
}
