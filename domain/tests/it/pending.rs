//! What is open for a principal: bounded, forgotten in time, and the same after a restart.

use countersign_domain::client::Client;
use countersign_domain::event::*;
use countersign_domain::ids::*;
use countersign_domain::policy::Policy;
use countersign_domain::principal::{Pending, Principal, Sent};

use crate::stage::*;

#[test]
fn what_is_over_is_forgotten_by_the_next_that_is_asked() {
    let mut stage = Stage::new(Policy::modern());
    let lee = stage.user("lee");
    stage.key(&lee, "blue", KeyForm::SecurityKey, b"blue", 0);
    for _ in 0..3 {
        let attempt = stage.begin(&lee);
        challenge(stage.offer(&lee, attempt, KeyForm::SecurityKey));
    }
    stage.wait_s(600);
    stage.begin(&lee);
    let pending = stage.pending(&lee);
    assert_eq!((pending.sign_ins.len(), pending.keys.len()), (1, 0));
}

#[test]
fn the_log_alone_gives_the_state_back() {
    let mut stage = Stage::new(Policy::classic());
    let lee = stage.user("lee");
    stage.sms(&lee, "lee");
    stage.wait_s(60);
    let attempt = stage.begin(&lee);
    challenge(stage.send(&lee, attempt, &sms("lee")));
    let stored = postcard::to_allocvec(stage.principal(&lee).unwrap()).unwrap();
    let read: Principal = postcard::from_bytes(&stored).unwrap();
    assert_eq!(Some(&read), stage.principal(&lee), "a snapshot too");
    assert_eq!(read.registered().unwrap().pending.codes.len(), 1);
}

#[test]
fn an_answer_to_nothing_cannot_be_folded() {
    let mut stage = Stage::new(Policy::classic());
    let lee = stage.user("lee");
    let (attempt, challenge, device) = (stage.attempt(), stage.ticket(), phone("lee").stream());
    let client = stage.client.clone();
    let (factor, fault) = (AlternativeFactor::Mail, SignInFault::Wrong);
    let (until, window, secret) = (stage.now, 0, secret(challenge));
    let stray: [Event; 9] = [
        SignInRefused { attempt, device: None, fault, client }.into(),
        AssociateProven { attempt, device, until: UnixMillis(0), mark: [0; 16], client: Client::default() }.into(),
        AlternativeIssued { attempt, factor, challenge, until, window, secret, client: Client::default() }.into(),
        AlternativeProven { attempt, factor, client: Client::default() }.into(),
        AlternativeRefused { attempt, factor, client: Client::default() }.into(),
        SmsCodeRefused { challenge, device, fault: SmsFault::Wrong }.into(),
        KeyAccepted { device, challenge, counter: 1, user_verified: true }.into(),
        KeyRegistered { device, challenge, form: KeyForm::Passkey, credential: device, counter: 0 }.into(),
        AccountOpened { account: account(), by: countersign_domain::caller::Caller::operator().by() }.into(),
    ];
    for event in stray {
        let state = stage.principal(&lee).cloned();
        assert!(Principal::evolve(state, &event, stage.now).is_err(), "{event:?}");
    }
}

#[test]
fn a_key_is_registered_once() {
    let mut stage = Stage::new(Policy::modern());
    let lee = stage.user("lee");
    let device = stage.key(&lee, "blue", KeyForm::SecurityKey, b"blue", 7).stream();
    let (challenge, form, credential) = (stage.ticket(), KeyForm::SecurityKey, device);
    let again = KeyRegistered { device, challenge, form, credential, counter: 0 };
    let state = stage.principal(&lee).cloned();
    assert!(Principal::evolve(state, &again.into(), stage.now).is_err());
}

#[test]
fn a_challenge_is_for_a_sign_in_or_for_an_enrolment() {
    let mut stage = Stage::new(Policy::classic());
    let lee = stage.user("lee");
    let (id, until, window) = (stage.ticket(), stage.now.plus_ms(1), 0);
    for attempt in [None, Some(stage.attempt())] {
        let serial = attempt.map(|_| key(&lee, "blue"));
        let form = KeyForm::SecurityKey;
        let (challenge, replaces, state) = (id, None, state(id));
        let both = KeyChallengeIssued {
            challenge,
            form,
            attempt,
            serial,
            replaces,
            until,
            window,
            state,
            client: Client::default(),
        };
        let phone = attempt.map(|_| countersign_domain::device::PhoneNumber::parse("+15550101234").unwrap());
        let device = sms("lee").stream();
        let sent = SmsCodeIssued {
            challenge,
            device,
            attempt,
            phone,
            window,
            until,
            secret: secret(id),
            client: Client::default(),
        };
        for event in [Event::from(both), sent.into()] {
            let state = stage.principal(&lee).cloned();
            assert!(Principal::evolve(state, &event, stage.now).is_err(), "neither, or both: {event:?}");
        }
    }
}

// ---- how often codes are sent ----

/// The answer to "when may the next code be sent" after codes at these seconds.
fn again_at_s(sent: Sent, now_s: u64) -> Option<u64> {
    sent.again_at(UnixMillis::from_secs(now_s), &Policy::classic()).map(UnixMillis::secs)
}

#[test]
fn the_later_of_pause_and_window_counts() {
    let last = |seconds| Some(UnixMillis::from_secs(seconds));
    let none = Sent::default();
    assert_eq!(again_at_s(none, 0), None, "nothing was sent yet");
    // Windows of 900 s: 1 is from 900 to 1800.
    let some = Sent { window: 1, count: 4, last: last(1000) };
    assert_eq!(
        (again_at_s(some, 1000), again_at_s(some, 1029), again_at_s(some, 1030)),
        (Some(1030), Some(1030), None)
    );
    let full = Sent { window: 1, count: 5, last: last(1000) };
    assert_eq!(
        (again_at_s(full, 1000), again_at_s(full, 1799), again_at_s(full, 1800)),
        (Some(1800), Some(1800), None)
    );
    let late = Sent { window: 1, count: 5, last: last(1790) };
    assert_eq!(
        (again_at_s(late, 1795), again_at_s(late, 1800), again_at_s(late, 1820)),
        (Some(1820), Some(1820), None)
    );
    let ahead = Sent { window: 9, count: 5, last: last(9 * 900) };
    assert_eq!(again_at_s(ahead, 1000), None, "left by a clock that ran ahead");
}

#[test]
fn a_policy_without_a_pause_has_none() {
    let policy = Policy { sms_again_after_s: 0, ..Policy::classic() };
    let now = UnixMillis::from_secs(1000);
    let sent = Sent { window: 1, count: 4, last: Some(now) };
    assert_eq!(sent.again_at(now, &policy), None);
    assert_eq!(Pending::default().sent.again_at(now, &policy), None);
}
