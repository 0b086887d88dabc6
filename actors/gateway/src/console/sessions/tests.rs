use std::slice;

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
    sessions.start(by(), &lee(), credential, 1).await.unwrap()
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
        for _ in 0..6 {
            clock.advance_s(1800);
            for secret in &secrets {
                let session = sessions.find(secret.expose(), engine.now()).unwrap();
                sessions.note(by(), &session.key).await.unwrap();
            }
        }
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
        sessions.sweep(engine.now()).await;
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
        let left = Leftover::made(Serial::new("arn:aws:iam::123456789012:mfa/lee").unwrap(), START);
        let wizard = Wizard { left: left.clone(), of: lee(), replaces: None, device: None };
        sessions.leave(by(), &key, Some(wizard)).await.unwrap();
        clock.advance_s(13 * 3600);
        let again = Sessions::read(&engine).unwrap();
        assert!(again.find(secret.expose(), engine.now()).is_none());
        clock.advance_s(60);
        assert!(again.sweep(engine.now()).await);
        assert_eq!(again.leftovers(), slice::from_ref(&left));
        assert!(!again.sweep(engine.now()).await, "not twice in a minute");
        // Until they are taken away, they are not forgotten, whatever happens.
        assert_eq!(Sessions::read(&engine).unwrap().leftovers(), slice::from_ref(&left));
        again.taken_away(&left);
        assert_eq!(again.leftovers(), []);
    });
}

#[test]
fn idle_is_idle_also_when_the_server_was_down() {
    run(async {
        let (engine, clock) = engine();
        let sessions = Sessions::read(&engine).unwrap();
        let (idle, busy) = (start(&sessions, BARE).await, start(&sessions, BARE).await);
        let lives = |sessions: &Sessions, secret: &Secret| sessions.find(secret.expose(), engine.now()).is_some();
        for _ in 0..12 {
            clock.advance_s(5 * 60);
            let session = sessions.find(busy.expose(), engine.now()).unwrap();
            sessions.note(by(), &session.key).await.unwrap();
        }
        let again = Sessions::read(&engine).unwrap();
        assert!(!lives(&again, &idle) && lives(&again, &busy));
        let stream = stream(START);
        let notes = engine.read_records(&stream, 0, RECORDS_MAX).unwrap();
        assert_eq!(notes.iter().filter(|entry| entry.kind == SEEN).count(), 4, "one in a quarter of an hour");
    });
}

#[test]
fn a_closed_session_stays_closed_whatever_the_clock_does_at_midnight() {
    run(async {
        let (engine, clock) = engine();
        let midnight = START.0 - START.0 % DAY_MS + DAY_MS;
        clock.set(UnixMillis(midnight + 2000));
        let sessions = Sessions::read(&engine).unwrap();
        let (open, closed) = (start(&sessions, BARE).await, start(&sessions, BARE).await);
        let key = sessions.find(closed.expose(), engine.now()).unwrap().key;
        clock.set(UnixMillis(midnight - 3000));
        sessions.close(by(), &key).await.unwrap();
        for now in [midnight - 2000, midnight + 3000] {
            clock.set(UnixMillis(now));
            let again = Sessions::read(&engine).unwrap();
            assert!(again.find(closed.expose(), engine.now()).is_none(), "{now}");
            assert!(again.find(open.expose(), engine.now()).is_some(), "{now}");
        }
    });
}

#[test]
fn an_end_that_cannot_be_recorded_is_recorded_by_the_next_sweep_and_others_go_on() {
    run(async {
        let (engine, clock) = engine();
        let sessions = Sessions::read(&engine).unwrap();
        let (first, second) = (start(&sessions, BARE).await, start(&sessions, BARE).await);
        let lives = |sessions: &Sessions, secret: &Secret| sessions.find(secret.expose(), engine.now()).is_some();
        // As where whoever waits for the record goes away in the middle.
        for secret in [&first, &second] {
            let key = key_of(secret.expose());
            let mut state = sessions.state();
            let day = state.end(&key).unwrap();
            state.owed.insert(key, day);
        }
        assert!(!lives(&sessions, &first) && !lives(&sessions, &second), "each is over at once");
        assert!(lives(&Sessions::read(&engine).unwrap(), &first), "the log does not know it yet");
        clock.advance_s(60);
        assert!(sessions.sweep(engine.now()).await);
        let again = Sessions::read(&engine).unwrap();
        assert!(!lives(&again, &first) && !lives(&again, &second));
        assert!(sessions.state().owed.is_empty());
        // With a log that takes nothing any more, each is over all the same, and owed.
        let (third, fourth) = (start(&sessions, BARE).await, start(&sessions, BARE).await);
        engine.close().await.unwrap();
        assert!(sessions.close_others(by(), &lee(), None).await.is_err());
        assert!(!lives(&sessions, &third) && !lives(&sessions, &fourth));
        assert_eq!(sessions.state().owed.len(), 2);
    });
}

#[test]
fn what_a_wizard_was_about_to_make_is_its_own_also_after_a_crash() {
    run(async {
        let (engine, _clock) = engine();
        let sessions = Sessions::read(&engine).unwrap();
        let secret = start(&sessions, BARE).await;
        let key = sessions.find(secret.expose(), engine.now()).unwrap().key;
        let serial = Serial::new("arn:aws:iam::123456789012:mfa/lee").unwrap();
        let wizard = |left| Wizard { left, of: lee(), replaces: None, device: None };
        let planned = Leftover::to_be_made(serial.clone(), START);
        sessions.leave(by(), &key, Some(wizard(planned.clone()))).await.unwrap();
        let again = Sessions::read(&engine).unwrap();
        again.close(by(), &key).await.unwrap();
        assert_eq!(again.leftovers(), slice::from_ref(&planned));
        assert!(planned.was_made_at(START.plus_ms(5)) && !planned.was_made_at(START.plus_ms(60_000)));
        // Made after the session ended: nobody else would take it away.
        let made = Leftover::made(serial, START.plus_ms(5));
        again.leave(by(), &key, Some(wizard(made.clone()))).await.unwrap();
        assert_eq!(again.leftovers(), [planned, made]);
    });
}
