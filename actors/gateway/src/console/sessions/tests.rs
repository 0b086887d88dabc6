use super::*;
use crate::engine::{AccountId, Config, Serial, UserId};
use countersign::ManualClock;

const START: UnixMillis = UnixMillis::from_secs(1_795_000_000);

fn engine() -> (Countersign, ManualClock) {
    let clock = ManualClock::at(START);
    let config = Config { clock: Arc::new(clock.clone()), ..Config::default() };
    (Countersign::in_memory(config).unwrap(), clock)
}

fn lee() -> PrincipalId {
    PrincipalId::User(AccountId::from_number(123_456_789_012).unwrap(), UserId::new("AIDALEE").unwrap())
}

fn by() -> Request {
    Request::by(Caller::at_console(lee(), None))
}

fn run<T>(test: impl Future<Output = T>) -> T {
    actix_rt::System::new().block_on(test)
}

async fn start(sessions: &Sessions, credential: Credential) -> Secret {
    sessions.start(by(), &lee(), credential).await.unwrap().0
}

const BARE: Credential = Credential::Session { mfa_at: None };

#[test]
fn a_session_is_found_by_its_secret_with_its_level_also_after_a_restart() {
    run(async {
        let (engine, clock) = engine();
        let sessions = Sessions::read(&engine).unwrap();
        let levels = [BARE, Credential::Session { mfa_at: Some(START) }, Credential::Recovered];
        let mut secrets = Vec::new();
        for level in levels {
            secrets.push(start(&sessions, level).await);
        }
        // Past midnight, and read again.
        clock.advance_s(3 * 3600);
        for (secret, level) in secrets.iter().zip(levels) {
            let again = Sessions::read(&engine).unwrap();
            let found = again.find(secret.expose(), engine.now()).unwrap();
            assert_eq!((found.principal, found.credential, found.opened_at), (lee(), level, START));
        }
        assert!(sessions.find("AAAA", START).is_none() && sessions.find("", START).is_none());
    });
}

#[test]
fn a_session_ends_by_age_by_idleness_and_when_it_is_closed() {
    run(async {
        let (engine, clock) = engine();
        let sessions = Sessions::read(&engine).unwrap();
        let idle = start(&sessions, BARE).await;
        let busy = start(&sessions, BARE).await;
        let closed = start(&sessions, BARE).await;
        let key = sessions.find(closed.expose(), engine.now()).unwrap().key;
        sessions.close(by(), &key).await.unwrap();
        assert!(sessions.find(closed.expose(), engine.now()).is_none());
        for _ in 0..12 {
            assert!(sessions.find(busy.expose(), engine.now()).is_some());
            clock.advance_s(IDLE_MS / 1000 - 1);
        }
        assert!(sessions.find(idle.expose(), engine.now()).is_none());
        assert!(sessions.find(busy.expose(), engine.now()).is_some());
        clock.advance_s(12);
        assert!(sessions.find(busy.expose(), engine.now()).is_none(), "twelve hours are over");
        sessions.sweep(engine.now()).await.unwrap();
        let again = Sessions::read(&engine).unwrap();
        assert!(again.state().live.is_empty(), "each end is recorded");
    });
}

#[test]
fn another_session_closes_the_oldest_and_a_new_password_all_others() {
    run(async {
        let (engine, _clock) = engine();
        let sessions = Sessions::read(&engine).unwrap();
        let mut secrets = Vec::new();
        for _ in 0..=PER_PRINCIPAL_MAX {
            secrets.push(start(&sessions, BARE).await);
        }
        let lives = |secret: &Secret| sessions.find(secret.expose(), engine.now());
        assert!(lives(&secrets[0]).is_none());
        assert!(secrets[1..].iter().all(|secret| lives(secret).is_some()));
        let keep = lives(&secrets[3]).unwrap().key;
        sessions.close_others(by(), &lee(), Some(keep)).await.unwrap();
        let left: Vec<_> = secrets.iter().filter(|secret| lives(secret).is_some()).collect();
        assert_eq!(left, [&secrets[3]]);
    });
}

#[test]
fn what_a_wizard_left_over_goes_with_its_session_also_when_the_server_was_down() {
    run(async {
        let (engine, clock) = engine();
        let sessions = Sessions::read(&engine).unwrap();
        let secret = start(&sessions, BARE).await;
        let key = sessions.find(secret.expose(), engine.now()).unwrap().key;
        let left = Leftover { serial: Serial::new("arn:aws:iam::123456789012:mfa/lee").unwrap(), created_at: START };
        let wizard = Wizard { left: left.clone(), of: lee(), replaces: None, device: None };
        sessions.leave(by(), &key, Some(wizard)).await.unwrap();
        clock.advance_s(13 * 3600);
        let again = Sessions::read(&engine).unwrap();
        assert!(again.find(secret.expose(), engine.now()).is_none());
        clock.advance_s(60);
        assert_eq!(again.sweep(engine.now()).await.unwrap(), [left]);
        assert_eq!(again.sweep(engine.now()).await.unwrap(), []);
    });
}
