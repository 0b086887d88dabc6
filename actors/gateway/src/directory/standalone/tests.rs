use super::*;
use crate::engine::{CommandId, Config, Credential, UnixMillis};
use countersign::ManualClock;

fn founding() -> Founding {
    Founding {
        account: Some("123456789012".parse().unwrap()),
        root_email: "root@example.com".into(),
        root_phone: None,
        administrator: DeviceName::new("administrator").unwrap(),
    }
}

fn run<T>(test: impl Future<Output = T>) -> T {
    actix_rt::System::new().block_on(test)
}

async fn founded() -> (Countersign, Standalone, Founded) {
    let engine = Countersign::in_memory(Config::default()).unwrap();
    let directory = Standalone::open(engine.clone()).unwrap();
    let founded = directory.found(founding()).await.unwrap();
    (engine, directory, founded)
}

fn by() -> Request {
    Request::by(Caller::operator())
}

#[test]
fn a_founded_directory_is_read_again_from_its_log() {
    run(async {
        let (engine, directory, founded) = founded().await;
        assert!(directory.found(founding()).await.is_err());
        let again = Standalone::open(engine.clone()).unwrap();
        assert_eq!(again.account(), Some(founded.account));
        let key = again.access_key(&founded.access_key_id).await.unwrap().unwrap();
        assert_eq!(key.secret, founded.secret_access_key);
        let administrator = engine.user_named(founded.account, "ADMINISTRATOR").unwrap();
        assert_eq!(key.owner, administrator.id);
        let fits = async |password| again.password_is(&administrator.id, password).await.unwrap();
        assert!(fits(&founded.administrator_password).await && !fits(&founded.root_password).await);
        assert_eq!(again.root_of_email("ROOT@example.com"), Some(founded.account));
        let shown = format!("{founded:?}");
        assert!(!shown.contains(founded.root_password.expose()) && !shown.contains(key.secret.expose()));
    });
}

#[test]
fn an_interrupted_founding_is_finished_by_the_next() {
    run(async {
        let engine = Countersign::in_memory(Config::default()).unwrap();
        let account = "210987654321".parse().unwrap();
        engine.open_account(by(), account, DeviceName::new("root").unwrap()).await.unwrap();
        let directory = Standalone::open(engine).unwrap();
        assert_eq!(directory.account(), None);
        assert_eq!(directory.found(founding()).await.unwrap().account, account);
    });
}

#[test]
fn a_retry_that_comes_late_is_not_shown_the_secret_again() {
    run(async {
        let clock = ManualClock::at(UnixMillis::from_secs(1_700_000_000));
        let config = Config { clock: std::sync::Arc::new(clock.clone()), ..Config::default() };
        let directory = Standalone::open(Countersign::in_memory(config).unwrap()).unwrap();
        let account = directory.found(founding()).await.unwrap().account;
        let name = DeviceName::new("lee").unwrap();
        let lee = directory.create_user(by(), account, name, Path::root()).await.unwrap().id;
        let request = || by().with_command(CommandId::derive(&["k", "1"]));
        let first = directory.create_access_key(request(), &lee).await.unwrap();
        clock.advance_s(120);
        assert_eq!(directory.create_access_key(request(), &lee).await, Ok(first));
        clock.advance_s(1);
        assert_eq!(directory.create_access_key(request(), &lee).await, Err(DirectoryError::AccessKeyShown));
    });
}

#[test]
fn keys_have_a_quota_and_a_retry_gets_the_same_key() {
    run(async {
        let (engine, directory, founded) = founded().await;
        let name = DeviceName::new("lee").unwrap();
        let lee = directory.create_user(by(), founded.account, name, Path::root()).await.unwrap().id;
        let request = by().with_command(CommandId::derive(&["k", "1"]));
        let first = directory.create_access_key(request.clone(), &lee).await.unwrap();
        assert_eq!(directory.create_access_key(request, &lee).await.unwrap(), first);
        let second = directory.create_access_key(by(), &lee).await.unwrap();
        assert_ne!(first.id, second.id);
        assert_eq!(directory.create_access_key(by(), &lee).await, Err(DirectoryError::AccessKeyQuota));
        assert_eq!(directory.delete_user(by(), &lee).await, Err(DirectoryError::UserHasAccessKeys));
        for key in [&first, &second] {
            directory.delete_access_key(by(), &lee, &key.id).await.unwrap();
        }
        assert_eq!(directory.delete_access_key(by(), &lee, &first.id).await, Err(DirectoryError::NoSuchAccessKey));
        directory.delete_user(by(), &lee).await.unwrap();
        assert!(directory.create_access_key(by(), &lee).await.is_err());
        let again = Standalone::open(engine).unwrap();
        assert_eq!(again.access_keys(&lee).await.unwrap(), []);
    });
}

#[test]
fn the_built_in_rule() {
    run(async {
        let (engine, directory, founded) = founded().await;
        let name = DeviceName::new("lee").unwrap();
        let lee = directory.create_user(by(), founded.account, name, Path::root()).await.unwrap();
        let administrator = engine.user_named(founded.account, "administrator").unwrap();
        let root = engine.principal(&PrincipalId::Root(founded.account)).unwrap();
        let identity =
            |user: &UserView, credential| Identity { user: user.clone(), access_key_id: "AKIA".into(), credential };
        let of = |user: &UserView| Resource::Principal { id: Some(user.id.clone()), arn: super::super::arn_of(user) };
        let key = Credential::LongTermKey;
        let named = |name: &str| Resource::Device(format!("arn:aws:iam::{}:mfa/{name}", founded.account));
        let with_mfa = Credential::Session { mfa_at: Some(UnixMillis(1)) };
        let cases = [
            (&administrator, key, "iam:DeleteUser", of(&lee), Access::Allowed),
            (&root, key, "iam:DeleteUser", of(&lee), Access::Allowed),
            (&lee, key, "iam:CreateVirtualMFADevice", Resource::Device("x".into()), Access::Allowed),
            (&lee, key, "iam:EnableMFADevice", of(&lee), Access::Allowed),
            (&lee, key, "iam:ResyncMFADevice", of(&lee), Access::Allowed),
            (&lee, key, "iam:ListMFADevices", of(&lee), Access::Allowed),
            (&lee, key, "iam:EnableMFADevice", of(&administrator), Access::NotAllowed),
            (&lee, key, "iam:DeactivateMFADevice", of(&lee), Access::Denied),
            (&lee, with_mfa, "iam:DeactivateMFADevice", of(&lee), Access::Allowed),
            (&lee, with_mfa, "iam:DeactivateMFADevice", of(&administrator), Access::NotAllowed),
            (&lee, with_mfa, "iam:DeleteVirtualMFADevice", Resource::Device("x".into()), Access::NotAllowed),
            (&lee, with_mfa, "iam:DeleteVirtualMFADevice", named("lee"), Access::Allowed),
            (&lee, key, "iam:DeleteVirtualMFADevice", named("lee"), Access::NotAllowed),
            (&lee, with_mfa, "iam:DeleteVirtualMFADevice", named("dana"), Access::NotAllowed),
            (&lee, with_mfa, "iam:CreateAccessKey", of(&lee), Access::NotAllowed),
            (&lee, with_mfa, "iam:ListUsers", Resource::All, Access::NotAllowed),
        ];
        for (user, credential, action, resource, want) in cases {
            let judged = directory.authorize(&identity(user, credential), action, &resource).await.unwrap();
            assert_eq!(judged, want, "{} {action} {}", user.name, resource.arn());
        }
    });
}

#[test]
fn a_password_is_judged_by_name_and_nobody_has_none() {
    run(async {
        let (_, directory, founded) = founded().await;
        let user = |name: &str| SignInName::User { account: Some(founded.account), name: name.into() };
        let root = |email: &str| SignInName::Root { email: email.into() };
        let judge = async |who: &SignInName, password: &Secret| directory.check_password(who, password).await.unwrap();
        let verdict = judge(&user("ADMINISTRATOR"), &founded.administrator_password).await;
        assert!(verdict.fits && verdict.principal.is_some());
        let verdict = judge(&user("administrator"), &founded.root_password).await;
        assert!(!verdict.fits && verdict.principal.is_some());
        let nobody = PasswordVerdict { principal: None, fits: false, version: 0 };
        assert_eq!(judge(&user("nobody"), &founded.administrator_password).await, nobody);
        let elsewhere = SignInName::User { account: None, name: "administrator".into() };
        assert_eq!(judge(&elsewhere, &founded.administrator_password).await, nobody);
        let verdict = judge(&root("ROOT@example.com"), &founded.root_password).await;
        assert_eq!((verdict.principal, verdict.fits), (Some(PrincipalId::Root(founded.account)), true));
        assert_eq!(judge(&root("nobody@example.com"), &founded.root_password).await, nobody);
    });
}

#[test]
fn a_new_password_replaces_the_old_one_and_outlives_a_restart() {
    run(async {
        let (engine, directory, founded) = founded().await;
        let name = DeviceName::new("lee").unwrap();
        let lee = directory.create_user(by(), founded.account, name, Path::root()).await.unwrap().id;
        assert!(!directory.has_password(&lee).await.unwrap());
        let (short, good) = (Secret::new("too short"), Secret::new("a long enough one"));
        let refused = directory.set_password(by(), &lee, &short).await;
        assert_eq!(refused, Err(DirectoryError::PasswordNotTaken(super::super::PasswordFault::TooShort)));
        let first = directory.set_password(by(), &lee, &good).await.unwrap();
        let second = directory.set_password(by(), &lee, &good).await.unwrap();
        assert!(first < second, "the same password, set again, is a later one");
        let root = PrincipalId::Root(founded.account);
        directory.set_password(by(), &root, &good).await.unwrap();
        assert_eq!(directory.password_version(&lee).await, Ok(Some(second)));
        assert_eq!(Standalone::open(engine.clone()).unwrap().password_version(&lee).await, Ok(Some(second)));
        let again = Standalone::open(engine).unwrap();
        assert!(again.has_password(&lee).await.unwrap());
        assert!(again.password_is(&lee, &good).await.unwrap() && again.password_is(&root, &good).await.unwrap());
        assert!(!again.password_is(&root, &founded.root_password).await.unwrap());
    });
}

#[test]
fn a_user_is_removed_with_everything_but_not_the_last_administrator() {
    run(async {
        let (engine, directory, founded) = founded().await;
        let name = DeviceName::new("lee").unwrap();
        let lee = directory.create_user(by(), founded.account, name, Path::root()).await.unwrap().id;
        directory.create_access_key(by(), &lee).await.unwrap();
        directory.set_password(by(), &lee, &Secret::new("a long enough one")).await.unwrap();
        directory.remove_user(by(), &lee).await.unwrap();
        assert!(engine.principal(&lee).is_none());
        assert!(!directory.has_password(&lee).await.unwrap());
        assert_eq!(directory.access_keys(&lee).await.unwrap(), []);
        assert!(directory.set_password(by(), &lee, &Secret::new("a long enough one")).await.is_err());
        let administrator = engine.user_named(founded.account, "administrator").unwrap().id;
        assert_eq!(directory.remove_user(by(), &administrator).await, Err(DirectoryError::LastAdministrator));
    });
}

#[test]
fn where_root_is_reached_is_kept_and_can_be_changed() {
    run(async {
        let engine = Countersign::in_memory(Config::default()).unwrap();
        let directory = Standalone::open(engine.clone()).unwrap();
        let phone = PhoneNumber::parse("+1 415 555 1234").unwrap();
        let account = directory.found(Founding { root_phone: Some(phone), ..founding() }).await.unwrap().account;
        let contact =
            |email: &str, phone: Option<&str>| RootContact { email: email.into(), phone: phone.map(Into::into) };
        let known = Standalone::open(engine).unwrap().root_contact(account).await.unwrap().unwrap();
        assert!(known == contact("root@example.com", Some("+14155551234")));
        let changed = contact("new@example.com", None);
        directory.set_root_contact(by(), account, &changed).await.unwrap();
        assert!(directory.root_contact(account).await.unwrap() == Some(changed));
        assert_eq!(directory.root_of_email("root@example.com"), None);
    });
}

/// What a user signs in with is read again while it is there, and cannot be opened once it is forgotten.
#[test]
fn what_a_user_signed_in_with_is_forgotten_with_the_user() {
    run(async {
        let (engine, directory, founded) = founded().await;
        let mut secrets = Vec::new();
        let mut users = Vec::new();
        for name in ["lee", "kim"] {
            let name = DeviceName::new(name).unwrap();
            let user = directory.create_user(by(), founded.account, name, Path::root()).await.unwrap().id;
            directory.set_password(by(), &user, &Secret::new("a long enough one")).await.unwrap();
            let key = directory.create_access_key(by(), &user).await.unwrap();
            secrets.push(key.secret.expose().to_owned());
            users.push((user, key.id));
        }
        let again = Standalone::open(engine.clone()).unwrap();
        for (user, key) in &users {
            let version = again.password_version(user).await.unwrap();
            assert_eq!(version, directory.password_version(user).await.unwrap());
            assert!(version.is_some() && again.access_key(key).await.unwrap().is_some());
        }
        // Nothing of it is among what is kept for good.
        let kept = engine.read_records(STREAM, 0, RECORDS_MAX).unwrap();
        for secret in secrets.iter().map(String::as_bytes).chain([b"lee".as_slice()]) {
            assert!(!kept.iter().any(|entry| entry.body.windows(secret.len()).any(|bytes| bytes == secret)));
        }
        let hashes = kept.iter().map(|entry| entry.body.windows(9).filter(|bytes| *bytes == b"$argon2id").count());
        assert_eq!(hashes.sum::<usize>(), 2, "root's, and what the first administrator was given");

        let (lee, key) = &users[0];
        directory.remove_user(by(), lee).await.unwrap();
        let records = Standalone::records_of(user_of(lee).unwrap());
        let names = records.each_ref().map(String::as_str);
        assert_eq!(engine.read_records(names[0], 0, RECORDS_MAX).unwrap().len(), 2);
        engine.forget(by(), lee, crate::engine::ForgetReason::Requested, &names).await.unwrap();
        assert!(engine.read_records(names[0], 0, RECORDS_MAX).unwrap_err().is_forgotten());
        let again = Standalone::open(engine).unwrap();
        assert!(again.access_key(key).await.unwrap().is_none() && !again.has_password(lee).await.unwrap());
        assert!(again.has_password(&users[1].0).await.unwrap(), "others sign in as ever");
    });
}
