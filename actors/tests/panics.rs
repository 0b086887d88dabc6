//! A panic inside a handler kills that actor and nothing else: the next command gets a fresh one.

mod phone;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use countersign::*;
use phone::Phone;

const START: u64 = 1_700_000_010;

/// A clock that panics once when it is armed, inside whichever actor reads it next.
struct Trap {
    clock: ManualClock,
    armed: AtomicBool,
}

impl Clock for Trap {
    fn now(&self) -> UnixMillis {
        assert!(!self.armed.swap(false, Ordering::SeqCst), "armed");
        self.clock.now()
    }
}

#[tokio::test]
async fn every_principal_and_account_answers_its_next_command() {
    let trap = Arc::new(Trap { clock: ManualClock::at(UnixMillis::from_secs(START)), armed: AtomicBool::new(false) });
    let config = Config { clock: Arc::clone(&trap) as Arc<dyn Clock>, ..Config::default() };
    let engine = Countersign::in_memory(config).unwrap();
    let operator = || Request::by(Caller::operator());
    let account: AccountId = "123456789012".parse().unwrap();
    let name = |text: &str| DeviceName::new(text).unwrap();
    engine.open_account(operator(), account, name("root")).await.unwrap();
    let id = UserId::new("AIDALEE").unwrap();
    engine.register_user(operator(), account, id.clone(), name("lee"), Path::root()).await.unwrap();
    let lee = PrincipalId::User(account, id);
    let by_lee = || Request::by(Caller::with_key(lee.clone()));

    trap.armed.store(true, Ordering::SeqCst);
    let made = engine.create_virtual_device(by_lee(), account, Path::root(), name("phone")).await;
    let lost = made.unwrap_err();
    assert!(lost.outcome_unknown() && lost.is_retryable(), "{lost}");
    let made = engine.create_virtual_device(by_lee(), account, Path::root(), name("phone")).await.unwrap();
    let phone = Phone::scan(&made.value);
    let pair = || (phone.code(START), phone.code(START + 30));
    let enable = || engine.enable(by_lee(), &lee, &phone.serial, pair().0, pair().1);
    trap.armed.store(true, Ordering::SeqCst);
    assert!(enable().await.unwrap_err().outcome_unknown());
    assert!(enable().await.unwrap().value.is_accepted());

    trap.clock.advance_s(90);
    for round in 0..5 {
        let code = || phone.code(START + 90 + 30 * round);
        let verify = || engine.verify_code(by_lee(), &lee, &phone.serial, code(), Purpose::SignIn);
        trap.armed.store(true, Ordering::SeqCst);
        assert!(verify().await.unwrap_err().outcome_unknown());
        assert!(verify().await.unwrap().value.is_accepted(), "the panic spent nothing");
        trap.clock.advance_s(30);
    }
    assert!(engine.is_ready());
    engine.close().await.unwrap();
}
