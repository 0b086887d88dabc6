//! Proving security keys and passkeys (R30..R34, R100, R177), and what somebody with another answer tries.

use countersign_domain::decide::*;
use countersign_domain::device::Serial;
use countersign_domain::event::*;
use countersign_domain::ids::*;
use countersign_domain::policy::Policy;
use countersign_domain::principal::CHALLENGES_OPEN_MAX;
use countersign_domain::rejection::Rejection;

use crate::people::Touch;
use crate::people::Typed::Shown;
use crate::stage::*;

use KeyForm::{Passkey, SecurityKey};

const UNKNOWN: Answer = Err(Rejection::ChallengeUnknown);
const NOT_ASKED: Answer = Ok(Verdict::Denied(Denial::NotAsked));

pub fn refused(fault: KeyFault) -> Answer {
    denied(Denial::Key(fault))
}

/// lee with a security key whose counter is at 7.
pub fn equipped() -> (Stage, PrincipalId, Serial) {
    let mut stage = Stage::new(Policy::modern());
    let lee = stage.user("lee");
    let blue = stage.key(&lee, "blue", SecurityKey, b"blue", 7);
    (stage, lee, blue)
}

/// A sign-in in which lee's keys of this form are asked.
pub fn asked(stage: &mut Stage, who: &PrincipalId, form: KeyForm) -> (AttemptId, ChallengeId) {
    let attempt = stage.begin(who);
    let asked = challenge(stage.offer(who, attempt, form));
    (attempt, asked)
}

/// Signs in with a touch of a key.
pub fn touched(stage: &mut Stage, who: &PrincipalId, credential: &'static [u8], counter: u32) -> Answer {
    let (attempt, asked) = asked(stage, who, SecurityKey);
    stage.touch(who, attempt, asked, &Touch::new(credential, counter, asked))
}

#[test]
fn a_touch_completes_the_sign_in_once() {
    let (mut stage, lee, blue) = equipped();
    let (attempt, asked) = asked(&mut stage, &lee, SecurityKey);
    let touch = Touch::new(b"blue", 8, asked);
    assert_eq!(stage.touch(&lee, attempt, asked, &touch), in_by(attempt, &blue));
    assert_eq!(stage.last(2), ["KeyAccepted", "SignedIn"]);
    assert_eq!(stage.touch(&lee, attempt, asked, &touch), UNKNOWN, "the sign-in is over");
    let again = stage.begin(&lee);
    assert_eq!(stage.touch(&lee, again, asked, &touch), NOT_ASKED, "NT-10: and the challenge is spent");
}

#[test]
fn a_challenge_is_for_one_attempt_one_ceremony_one_person_and_its_time() {
    let (mut stage, lee, _) = equipped();
    let dana = stage.user("dana");
    stage.key(&dana, "red", SecurityKey, b"red", 1);
    let (mine, asked) = asked(&mut stage, &lee, SecurityKey);
    let other = stage.begin(&lee);
    let touch = Touch::new(b"blue", 8, asked);
    assert_eq!(stage.touch(&lee, other, asked, &touch), NOT_ASKED, "another attempt");
    let danas = stage.begin(&dana);
    assert_eq!(stage.touch(&dana, danas, asked, &Touch::new(b"red", 2, asked)), NOT_ASKED, "another person");
    let registration = challenge(stage.begin_key(&lee, &key(&lee, "green"), SecurityKey, None));
    let crossed = Touch::new(b"blue", 8, registration);
    assert_eq!(stage.touch(&lee, mine, registration, &crossed), NOT_ASKED, "another ceremony");
    stage.now = stage.now.plus_ms(300_000);
    assert_eq!(stage.touch(&lee, mine, asked, &touch), NOT_ASKED, "too late");
    let refusals = stage.log.iter().filter(
        |(_, event)| matches!(event, Event::SignInRefused(e) if e.fault == SignInFault::NotAsked && e.device.is_none()),
    );
    assert_eq!(refusals.count(), 4, "each is in the log");
}

#[test]
fn a_challenge_is_good_to_its_last_millisecond() {
    let (mut stage, lee, blue) = equipped();
    let (attempt, asked) = asked(&mut stage, &lee, SecurityKey);
    stage.now = stage.now.plus_ms(299_999);
    assert_eq!(stage.touch(&lee, attempt, asked, &Touch::new(b"blue", 8, asked)), in_by(attempt, &blue));
}

#[test]
fn a_refused_answer_spends_the_challenge() {
    let (mut stage, lee, blue) = equipped();
    let (attempt, asked) = asked(&mut stage, &lee, SecurityKey);
    let elsewhere = stage.ticket();
    let answer = stage.touch(&lee, attempt, asked, &Touch::new(b"blue", 8, elsewhere));
    assert_eq!(answer, refused(KeyFault::Challenge), "it signed another challenge");
    assert_eq!(stage.last(2), ["KeyRefused", "SignInRefused"]);
    let honest = Touch::new(b"blue", 8, asked);
    assert_eq!(stage.touch(&lee, attempt, asked, &honest), NOT_ASKED);
    let next = challenge(stage.offer(&lee, attempt, SecurityKey));
    assert_eq!(stage.touch(&lee, attempt, next, &Touch::new(b"blue", 8, next)), in_by(attempt, &blue), "R99");
}

#[test]
fn two_challenges_of_one_attempt_are_answered_apart() {
    let (mut stage, lee, blue) = equipped();
    let (attempt, first) = asked(&mut stage, &lee, SecurityKey);
    let second = challenge(stage.offer(&lee, attempt, SecurityKey));
    let crossed = stage.touch(&lee, attempt, second, &Touch::new(b"blue", 8, first));
    assert_eq!(crossed, refused(KeyFault::Challenge));
    assert_eq!(stage.touch(&lee, attempt, first, &Touch::new(b"blue", 8, first)), in_by(attempt, &blue));
}

#[test]
fn only_the_own_keys_of_the_asked_form_are_taken() {
    let (mut stage, lee, _) = equipped();
    stage.key(&lee, "face", Passkey, b"face", 0);
    let dana = stage.user("dana");
    stage.key(&dana, "red", SecurityKey, b"red", 1);
    for stranger in [&b"red"[..], b"nobodys", b"", b"face"] {
        let (attempt, asked) = asked(&mut stage, &lee, SecurityKey);
        let touch = Touch::new(stranger, 9, asked).verified();
        assert_eq!(stage.touch(&lee, attempt, asked, &touch), refused(KeyFault::UnknownCredential), "R4");
    }
}

#[test]
fn a_key_that_was_taken_away_meanwhile_completes_nothing() {
    let (mut stage, lee, blue) = equipped();
    stage.phone(&lee, "spare");
    let (attempt, asked) = asked(&mut stage, &lee, SecurityKey);
    stage.deactivate(&lee, &blue).unwrap();
    let answer = stage.touch(&lee, attempt, asked, &Touch::new(b"blue", 8, asked));
    assert_eq!(answer, refused(KeyFault::UnknownCredential), "NT-23");
    assert_eq!(stage.offer(&lee, attempt, SecurityKey), Err(Rejection::FactorUnknown));
}

#[test]
fn a_counter_goes_up_or_the_key_is_suspected_for_ever() {
    for back in [7, 6, 0] {
        let (mut stage, lee, blue) = equipped();
        assert_eq!(touched(&mut stage, &lee, b"blue", back), refused(KeyFault::CounterRegressed), "7 to {back}");
        assert!(stage.enabled(&lee, &blue).key.unwrap().suspected_clone);
        for counter in [8, u32::MAX] {
            let answer = touched(&mut stage, &lee, b"blue", counter);
            assert_eq!(answer, refused(KeyFault::SuspectedClone), "NT-29: neither of the two");
        }
        stage.wait_s(86_400);
        assert_eq!(touched(&mut stage, &lee, b"blue", 9), refused(KeyFault::SuspectedClone));
    }
}

#[test]
fn an_accepted_counter_is_remembered_and_a_refused_one_is_not() {
    let (mut stage, lee, blue) = equipped();
    let counter = |stage: &Stage| stage.enabled(&lee, &blue).key.unwrap().counter;
    assert!(matches!(touched(&mut stage, &lee, b"blue", 100), Ok(Verdict::SignedIn { .. })), "it may jump");
    assert_eq!(counter(&stage), 100);
    assert_eq!(touched(&mut stage, &lee, b"blue", 99), refused(KeyFault::CounterRegressed));
    assert_eq!(counter(&stage), 100);
}

#[test]
fn a_key_without_a_counter_says_zero_every_time() {
    let mut stage = Stage::new(Policy::modern());
    let lee = stage.user("lee");
    stage.key(&lee, "blue", SecurityKey, b"blue", 0);
    for _ in 0..3 {
        assert!(matches!(touched(&mut stage, &lee, b"blue", 0), Ok(Verdict::SignedIn { .. })), "NT-29");
    }
    assert!(matches!(touched(&mut stage, &lee, b"blue", 1), Ok(Verdict::SignedIn { .. })), "it began to count");
    assert_eq!(touched(&mut stage, &lee, b"blue", 0), refused(KeyFault::CounterRegressed), "and may not stop");
}

#[test]
fn a_passkey_verifies_its_user() {
    let mut stage = Stage::new(Policy::modern());
    let lee = stage.user("lee");
    let face = stage.key(&lee, "face", Passkey, b"face", 0);
    let (attempt, first) = asked(&mut stage, &lee, Passkey);
    let touch = Touch::new(b"face", 0, first);
    assert_eq!(stage.touch(&lee, attempt, first, &touch), refused(KeyFault::UserNotVerified), "NT-28");
    let second = challenge(stage.offer(&lee, attempt, Passkey));
    let verified = Touch::new(b"face", 0, second).verified();
    assert_eq!(stage.touch(&lee, attempt, second, &verified), in_by(attempt, &face));
}

#[test]
fn a_suspected_passkey_does_not_tell_whether_its_user_was_verified() {
    let mut stage = Stage::new(Policy::modern());
    let lee = stage.user("lee");
    stage.key(&lee, "face", Passkey, b"face", 3);
    for (counter, fault) in [(3, KeyFault::CounterRegressed), (4, KeyFault::SuspectedClone)] {
        let (attempt, asked) = asked(&mut stage, &lee, Passkey);
        let answer = stage.touch(&lee, attempt, asked, &Touch::new(b"face", counter, asked).verified());
        assert_eq!(answer, refused(fault));
    }
    let (attempt, asked) = asked(&mut stage, &lee, Passkey);
    let answer = stage.touch(&lee, attempt, asked, &Touch::new(b"face", 5, asked));
    assert_eq!(answer, refused(KeyFault::SuspectedClone));
}

#[test]
fn keys_are_offered_to_who_has_such_keys_in_an_open_sign_in() {
    let (mut stage, lee, _) = equipped();
    let attempt = stage.begin(&lee);
    assert_eq!(stage.offer(&lee, attempt, Passkey), Err(Rejection::FactorUnknown));
    let never = stage.attempt();
    assert_eq!(stage.offer(&lee, never, SecurityKey), UNKNOWN);
    assert_eq!(stage.offer(&user("nobody"), attempt, SecurityKey), Err(Rejection::PrincipalUnknown));
    stage.now = stage.now.plus_ms(600_000);
    assert_eq!(stage.offer(&lee, attempt, SecurityKey), UNKNOWN);
}

#[test]
fn challenges_are_limited_in_number_and_the_oldest_makes_room() {
    let (mut stage, lee, _) = equipped();
    let (attempt, first) = asked(&mut stage, &lee, SecurityKey);
    for _ in 0..CHALLENGES_OPEN_MAX {
        challenge(stage.offer(&lee, attempt, SecurityKey));
    }
    assert_eq!(stage.pending(&lee).keys.len(), CHALLENGES_OPEN_MAX);
    assert_eq!(stage.touch(&lee, attempt, first, &Touch::new(b"blue", 8, first)), NOT_ASKED);
    let other = stage.begin(&lee);
    challenge(stage.offer(&lee, other, SecurityKey));
    assert_eq!(stage.pending(&lee).keys.len(), CHALLENGES_OPEN_MAX + 1, "each sign-in has its own");
    // One, and as many as may be open.
    for _ in CHALLENGES_OPEN_MAX + 1..30 {
        challenge(stage.offer(&lee, attempt, SecurityKey));
    }
    let over = stage.offer(&lee, attempt, SecurityKey);
    assert!(matches!(over, Err(Rejection::TooManyChallenges { .. })), "{over:?}");
    challenge(stage.offer(&lee, other, SecurityKey));
}

#[test]
fn a_key_is_no_authenticator_of_codes() {
    let (mut stage, lee, blue) = equipped();
    let attempt = stage.begin(&lee);
    let none = Err(Rejection::DeviceNotYours);
    assert_eq!(stage.type_code(&lee, attempt, &blue, Shown(0)), none);
    assert_eq!(stage.verify(&lee, &blue, Purpose::SessionToken, Shown(0)), none, "R132, A12");
    let resynced = stage.ask(&lee, |stage, context| {
        let Step::Decided(decision) = resync(stage.principal(&lee), stage.candidate(&blue), None, context) else {
            panic!("it was asked for codes")
        };
        decision
    });
    assert_eq!(resynced, none, "R34, A13");
    assert_eq!(stage.send(&lee, attempt, &blue), Err(Rejection::FactorUnknown));
}
