//! The life of a device through the facade, as a reader can follow it. Time is the test's own.

mod phone;

use std::sync::Arc;

use countersign::domain::ids::UnixMillis;
use countersign::*;
use phone::Phone;

const START: u64 = 1_700_000_010;

struct World {
    engine: Countersign,
    clock: ManualClock,
    account: AccountId,
    lee: PrincipalId,
}

fn operator() -> Request {
    Request::by(Caller::operator())
}

fn name(text: &str) -> DeviceName {
    DeviceName::new(text).unwrap()
}

impl World {
    async fn new(policy: Policy) -> Self {
        let clock = ManualClock::at(UnixMillis::from_secs(START));
        let config = Config { policy, clock: Arc::new(clock.clone()), ..Config::default() };
        let engine = Countersign::in_memory(config).unwrap();
        let account = "123456789012".parse().unwrap();
        engine.open_account(operator(), account, name("root")).await.unwrap();
        let lee = UserId::new("AIDALEE").unwrap();
        engine.register_user(operator(), account, lee.clone(), name("lee"), Path::root()).await.unwrap();
        Self { engine, clock, account, lee: PrincipalId::User(account, lee) }
    }

    fn by_lee(&self) -> Request {
        Request::by(Caller::with_key(self.lee.clone()))
    }

    async fn phone(&self, device: &str) -> Phone {
        let made = self.engine.create_virtual_device(self.by_lee(), self.account, Path::root(), name(device)).await;
        Phone::scan(&made.unwrap().value)
    }

    async fn enable(&self, phone: &Phone, seconds: u64) -> Result<Proof, Error> {
        let (first, second) = (phone.code(seconds), phone.code(seconds + 30));
        let ack = self.engine.enable(self.by_lee(), &self.lee, &phone.serial, first, second).await?;
        assert!(self.engine.has_folded(ack.position));
        Ok(ack.value)
    }

    async fn sts(&self, phone: &Phone, seconds: u64) -> Proof {
        let code = phone.code(seconds);
        let ack = self.engine.verify_code(self.by_lee(), &self.lee, &phone.serial, code, Purpose::SessionToken).await;
        ack.unwrap().value
    }
}

#[tokio::test]
async fn from_creation_to_deletion() {
    let world = World::new(Policy::classic()).await;
    let phone = world.phone("lee").await;
    assert!(world.engine.devices(&world.lee).is_empty());
    assert_eq!(world.enable(&phone, START).await, Ok(Proof::Accepted));
    let devices = world.engine.devices(&world.lee);
    assert_eq!((devices.len(), devices[0].enabled_at), (1, Some(UnixMillis::from_secs(START))));

    world.clock.advance_s(90);
    let now = START + 90;
    assert_eq!(world.sts(&phone, now).await, Proof::Accepted);
    assert_eq!(world.sts(&phone, now).await, Proof::Refused(Refusal::Wrong), "used");
    assert_eq!(world.sts(&phone, now + 300).await, Proof::Refused(Refusal::Wrong), "early");
    assert!(world.engine.devices(&world.lee)[0].wants_resync);

    let in_use = world.engine.delete_virtual_device(world.by_lee(), world.account, &phone.serial).await;
    assert_eq!(in_use.unwrap_err().rejection(), Some(&Rejection::DeviceAssigned));
    let reason = DeactivateReason::Requested;
    world.engine.deactivate(world.by_lee(), &world.lee, &phone.serial, reason).await.unwrap();
    assert!(world.engine.devices(&world.lee).is_empty());
    world.engine.delete_virtual_device(world.by_lee(), world.account, &phone.serial).await.unwrap();
    assert_eq!(world.engine.device(&phone.serial), None);
    let again = world.phone("lee").await;
    assert_eq!(again.serial, phone.serial);
}

#[tokio::test]
async fn late_codes_associate_and_leave_the_device_out_of_sync() {
    let world = World::new(Policy::classic()).await;
    let phone = world.phone("lee").await;
    assert_eq!(world.enable(&phone, START - 600).await, Ok(Proof::Accepted));
    assert_eq!(world.engine.devices(&world.lee)[0].offset_steps, -19);
    world.clock.advance_s(60);
    assert_eq!(world.sts(&phone, START + 60).await, Proof::Refused(Refusal::Wrong));
    assert!(world.engine.devices(&world.lee)[0].wants_resync);
    let (first, second) = (phone.code(START + 30), phone.code(START + 60));
    let resync = world.engine.resync(world.by_lee(), &world.lee, &phone.serial, first, second).await;
    assert_eq!(resync.unwrap().value, Proof::Accepted);
    assert_eq!(world.sts(&phone, START + 90).await, Proof::Accepted);
}

#[tokio::test]
async fn nine_guesses_and_then_nothing_is_evaluated_until_the_window_ends() {
    let world = World::new(Policy::classic()).await;
    let phone = world.phone("lee").await;
    assert_eq!(world.enable(&phone, START).await, Ok(Proof::Accepted));
    world.clock.advance_s(90);
    for _ in 0..9 {
        let wrong = phone.wrong_code(START + 90);
        let refused =
            world.engine.verify_code(world.by_lee(), &world.lee, &phone.serial, wrong, Purpose::SessionToken).await;
        assert_eq!(refused.unwrap().value, Proof::Refused(Refusal::Wrong));
    }
    let locked = world.sts(&phone, START + 90).await;
    let Proof::Refused(Refusal::Locked { until }) = locked else { panic!("{locked:?}") };
    assert_eq!(until.secs() % 180, 0);
    world.clock.set(until);
    assert_eq!(world.sts(&phone, until.secs()).await, Proof::Accepted);
}

#[tokio::test]
async fn a_device_serves_one_user_and_takes_its_history_along() {
    let world = World::new(Policy::classic()).await;
    let dana = UserId::new("AIDADANA").unwrap();
    world.engine.register_user(operator(), world.account, dana.clone(), name("dana"), Path::root()).await.unwrap();
    let dana = PrincipalId::User(world.account, dana);
    let phone = world.phone("lee").await;
    assert_eq!(world.enable(&phone, START).await, Ok(Proof::Accepted));
    let by_dana = || Request::by(Caller::with_key(dana.clone()));
    let pair = |seconds| (phone.code(seconds), phone.code(seconds + 30));
    let (first, second) = pair(START + 60);
    let taken = world.engine.enable(by_dana(), &dana, &phone.serial, first, second).await;
    assert_eq!(taken.unwrap_err().rejection(), Some(&Rejection::DeviceInUse));
    assert_eq!(world.enable(&phone, START + 60).await.unwrap_err().rejection(), Some(&Rejection::DeviceAlreadyYours));

    world.engine.deactivate(world.by_lee(), &world.lee, &phone.serial, DeactivateReason::Lost).await.unwrap();
    let (first, second) = pair(START);
    let used = world.engine.enable(by_dana(), &dana, &phone.serial, first, second).await.unwrap();
    assert_eq!(used.value, Proof::Refused(Refusal::Wrong), "the pair was used by lee");
    let (first, second) = pair(START + 60);
    let fresh = world.engine.enable(by_dana(), &dana, &phone.serial, first, second).await.unwrap();
    assert_eq!(fresh.value, Proof::Accepted);
}

#[tokio::test]
async fn a_retry_under_the_same_command_gets_the_recorded_answer() {
    let world = World::new(Policy::classic()).await;
    let request = || world.by_lee().with_command(CommandId::derive(&["create", "1"]));
    let make = || world.engine.create_virtual_device(request(), world.account, Path::root(), name("lee"));
    let (once, twice) = (make().await.unwrap(), make().await.unwrap());
    assert_eq!(once.value.base32(), twice.value.base32());
    let phone = Phone::scan(&once.value);
    let enable = || {
        let (first, second) = (phone.code(START), phone.code(START + 30));
        let request = world.by_lee().with_command(CommandId::derive(&["enable", "1"]));
        world.engine.enable(request, &world.lee, &phone.serial, first, second)
    };
    assert_eq!(enable().await.unwrap(), enable().await.unwrap());
    let late = make().await.unwrap_err();
    assert_eq!(late.rejection(), Some(&Rejection::DeviceExists), "the secret is not shown again once it is used");
    world.clock.advance_s(90);
    let code = || phone.code(START + 90);
    let request = || world.by_lee().with_command(CommandId::derive(&["session", "1"]));
    let verify = || world.engine.verify_code(request(), &world.lee, &phone.serial, code(), Purpose::SessionToken);
    assert_eq!(verify().await.unwrap().value, Proof::Accepted);
    assert_eq!(verify().await.unwrap().value, Proof::Accepted, "the same command, not the same code again");
    assert_eq!(world.sts(&phone, START + 90).await, Proof::Refused(Refusal::Wrong));
    let wrong = phone.wrong_code(START + 90);
    let other = world.engine.verify_code(request(), &world.lee, &phone.serial, wrong, Purpose::SessionToken).await;
    assert_eq!(other.unwrap().value, Proof::Refused(Refusal::Wrong), "another command under the same id");
    let id = CommandId::derive(&["create", "1"]);
    let other = world.by_lee().with_command(id);
    let made = world.engine.create_virtual_device(other, world.account, Path::root(), name("tab")).await.unwrap();
    assert_ne!(made.value.base32(), once.value.base32());
}

#[tokio::test]
async fn codes_of_any_accepted_pair_do_not_sign_in() {
    let world = World::new(Policy::classic()).await;
    let phone = world.phone("lee").await;
    assert_eq!(world.enable(&phone, START - 30).await, Ok(Proof::Accepted));
    let (first, second) = (phone.code(START + 30), phone.code(START + 60));
    let resync = world.engine.resync(world.by_lee(), &world.lee, &phone.serial, first, second).await;
    assert_eq!(resync.unwrap().value, Proof::Accepted);
    for seconds in [START, START + 30, START + 60] {
        let code = phone.code(seconds);
        let by = world.by_lee();
        let ack = world.engine.verify_code(by, &world.lee, &phone.serial, code, Purpose::SignIn).await.unwrap();
        assert_eq!(ack.value, Proof::Refused(Refusal::Wrong), "{seconds}");
    }
}

#[tokio::test]
async fn everything_acknowledged_is_there_after_a_new_start() {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(UnixMillis::from_secs(START));
    let config = || Config { clock: Arc::new(clock.clone()), ..Config::default() };
    let account: AccountId = "123456789012".parse().unwrap();
    let lee = PrincipalId::User(account, UserId::new("AIDALEE").unwrap());
    let by = || Request::by(Caller::with_key(lee.clone()));
    let engine = Countersign::open(dir.path(), config()).unwrap();
    engine.open_account(operator(), account, name("root")).await.unwrap();
    let id = UserId::new("AIDALEE").unwrap();
    engine.register_user(operator(), account, id, name("lee"), Path::root()).await.unwrap();
    let made = engine.create_virtual_device(by(), account, Path::root(), name("lee")).await.unwrap();
    let phone = Phone::scan(&made.value);
    let enabled = engine.enable(by(), &lee, &phone.serial, phone.code(START), phone.code(START + 30)).await.unwrap();
    assert!(enabled.value.is_accepted());
    clock.advance_s(90);
    let used = || phone.code(START + 90);
    let verify = |engine: &Countersign, code: Code| {
        let (engine, serial, lee) = (engine.clone(), phone.serial.clone(), lee.clone());
        async move { engine.verify_code(by(), &lee, &serial, code, Purpose::SignIn).await.unwrap().value }
    };
    assert_eq!(verify(&engine, used()).await, Proof::Accepted);
    engine.append_record(operator(), "directory", Some(0), 7, b"hello".to_vec()).await.unwrap();
    let second = engine.append_record(operator(), "directory", Some(1), 8, b"again".to_vec()).await.unwrap();
    assert_eq!(second.value, 2);
    let before = (engine.devices(&lee), engine.account(account), engine.users(account, None, 10));
    engine.close().await.unwrap();
    assert!(engine.devices(&lee) == before.0, "a closed engine still answers queries");
    let second = Countersign::open(dir.path(), config());
    assert!(matches!(second, Err(OpenError::Store(store::OpenError::InUse(_)))), "while a handle has it open");
    drop(engine);

    let engine = Countersign::open(dir.path(), config()).unwrap();
    let after = (engine.devices(&lee), engine.account(account), engine.users(account, None, 10));
    assert_eq!(before, after);
    assert_eq!(verify(&engine, used()).await, Proof::Refused(Refusal::Wrong), "a used code stays used");
    assert_eq!(verify(&engine, phone.code(START + 120)).await, Proof::Accepted);
    let records = engine.read_records("directory", 0, 10).unwrap();
    assert_eq!((records.len(), records[0].kind, records[0].body.as_slice()), (2, 7, b"hello".as_slice()));
}

#[tokio::test]
async fn a_clock_set_back_stops_the_checking_of_codes_and_opens_nothing() {
    let world = World::new(Policy::classic()).await;
    let phone = world.phone("lee").await;
    assert_eq!(world.enable(&phone, START).await, Ok(Proof::Accepted));
    world.clock.advance_s(600);
    assert_eq!(world.sts(&phone, START + 600).await, Proof::Accepted);
    world.clock.set(UnixMillis::from_secs(START + 570));
    assert_eq!(
        world.sts(&phone, START + 600).await,
        Proof::Refused(Refusal::Wrong),
        "within the tolerance, still used"
    );
    world.clock.set(UnixMillis::from_secs(START));
    let code = phone.code(START + 60);
    let error = world.engine.verify_code(world.by_lee(), &world.lee, &phone.serial, code, Purpose::SignIn).await;
    let error = error.unwrap_err();
    assert!(matches!(error.rejection(), Some(Rejection::ClockWentBack { .. })), "{error}");
    assert!(error.is_retryable());
}

#[tokio::test]
async fn rotation_under_the_modern_policy_has_no_gap() {
    let world = World::new(Policy::modern()).await;
    let (old, new) = (world.phone("old").await, world.phone("new").await);
    assert_eq!(world.enable(&old, START).await, Ok(Proof::Accepted));
    let mfa = Request::by(Caller::with_session(world.lee.clone(), Some(UnixMillis::from_secs(START))));
    let rotate = |request: Request| {
        let (first, second) = (new.code(START), new.code(START + 30));
        world.engine.rotate(request, &world.lee, &old.serial, &new.serial, first, second)
    };
    let bare = rotate(world.by_lee()).await.unwrap_err();
    assert_eq!(bare.rejection(), Some(&Rejection::SelfManagementNeedsMfa), "R180");
    assert_eq!(rotate(mfa).await.unwrap().value, Proof::Accepted);
    let devices = world.engine.devices(&world.lee);
    assert_eq!((devices.len(), &devices[0].serial), (1, &new.serial));
    world.clock.advance_s(90);
    assert_eq!(world.sts(&new, START + 90).await, Proof::Accepted);
}
