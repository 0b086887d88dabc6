//! Security keys and passkeys (R30..R35, R100, R177), and what somebody with an answer of another place tries.

use countersign_domain::caller::{Caller, Credential};
use countersign_domain::decide::*;
use countersign_domain::device::{Device, DeviceKind, Serial, credential_stream};
use countersign_domain::event::*;
use countersign_domain::ids::*;
use countersign_domain::policy::Policy;
use countersign_domain::principal::{Key, OPEN_MAX};
use countersign_domain::rejection::Rejection;
use countersign_domain::settings::Preset;
use countersign_domain::totp::Attempts;

use crate::people::Touch;
use crate::people::Typed::Shown;
use crate::stage::*;

use KeyForm::{Passkey, SecurityKey};

const UNKNOWN: Answer = Err(Rejection::ChallengeUnknown);
const NOT_ASKED: Answer = Ok(Verdict::Denied(Denial::NotAsked));

fn refused(fault: KeyFault) -> Answer {
    denied(Denial::Key(fault))
}

/// lee with a security key whose counter is at 7.
fn equipped() -> (Stage, PrincipalId, Serial) {
    let mut stage = Stage::new(Policy::modern());
    let lee = stage.user("lee");
    let blue = stage.key(&lee, "blue", SecurityKey, b"blue", 7);
    (stage, lee, blue)
}

/// A sign-in in which lee's keys of this form are asked.
fn asked(stage: &mut Stage, who: &PrincipalId, form: KeyForm) -> (AttemptId, ChallengeId) {
    let attempt = stage.begin(who);
    let asked = challenge(stage.offer(who, attempt, form));
    (attempt, asked)
}

/// Signs in with a touch of a key.
fn touched(stage: &mut Stage, who: &PrincipalId, credential: &'static [u8], counter: u32) -> Answer {
    let (attempt, asked) = asked(stage, who, SecurityKey);
    stage.touch(who, attempt, asked, &Touch::new(credential, counter, asked))
}

// ---- proving one ----

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
    for _ in 0..OPEN_MAX {
        challenge(stage.offer(&lee, attempt, SecurityKey));
    }
    assert_eq!(stage.pending(&lee).keys.len(), OPEN_MAX);
    assert_eq!(stage.touch(&lee, attempt, first, &Touch::new(b"blue", 8, first)), NOT_ASKED);
    // One registration when lee got the key, one sign-in, nine challenges.
    for _ in 11..30 {
        challenge(stage.offer(&lee, attempt, SecurityKey));
    }
    let policy = stage.policy();
    let again_at = Attempts::ends_at(Attempts::window_at(stage.now, &policy), &policy);
    let too_many = Err(Rejection::TooManyChallenges { again_at });
    assert_eq!(stage.offer(&lee, attempt, SecurityKey), too_many);
    assert_eq!(stage.begin_key(&lee, &key(&lee, "green"), SecurityKey, None), too_many, "one count for all");
}

// ---- registering one ----

#[test]
fn registering_writes_the_owner_the_device_and_the_credential_at_once() {
    let mut stage = Stage::new(Policy::classic());
    let lee = stage.user("lee");
    let blue = key(&lee, "blue");
    let asked = challenge(stage.begin_key(&lee, &blue, SecurityKey, None));
    assert_eq!(stage.device(&blue), None, "nothing is there before the answer (R49)");
    let answer = stage.finish_key(&lee, asked, b"blue", 7);
    assert_eq!(answer, Ok(Verdict::KeyRegistered { device: blue.stream() }));
    let batch = ["SecurityKeyCreated", "DeviceAssigned", "DeviceEnabled", "KeyRegistered", "CredentialClaimed"];
    assert_eq!(stage.last(5), batch);
    let credential = credential_stream(b"blue");
    let known = Key { form: SecurityKey, credential, counter: 7, suspected_clone: false };
    assert_eq!(stage.enabled(&lee, &blue).key, Some(known));
    assert_eq!(stage.claim(credential).unwrap().holder(), Some(blue.stream()));
    assert!(matches!(stage.device(&blue), Some(Device::Assigned(device)) if device.owner == lee.stream()));
    assert_eq!(stage.finish_key(&lee, asked, b"green", 0), UNKNOWN, "NT-10: a registration is answered once");
}

#[test]
fn a_credential_is_registered_once_anywhere_while_it_is_held() {
    let (mut stage, lee, blue) = equipped();
    let dana = stage.user("dana");
    for (who, name) in [(&lee, "twice"), (&dana, "stolen")] {
        let asked = challenge(stage.begin_key(who, &key(who, name), SecurityKey, None));
        let answer = stage.finish_key(who, asked, b"blue", 8);
        assert_eq!(answer, refused(KeyFault::AlreadyRegistered), "NT-30");
        assert_eq!(stage.last(1), ["KeyRefused"]);
        assert_eq!(stage.finish_key(who, asked, b"fresh", 0), UNKNOWN, "the challenge is spent");
    }
    stage.deactivate(&lee, &blue).unwrap();
    let gone = ["DeviceDeactivated", "DeviceReleased", "DeviceDeleted", "CredentialReleased"];
    assert_eq!(stage.last(4), gone, "R28, R69: nothing is left of it");
    stage.key(&dana, "given", SecurityKey, b"blue", 8);
}

#[test]
fn a_sign_in_challenge_registers_nothing() {
    let (mut stage, lee, _) = equipped();
    let (_, asked) = asked(&mut stage, &lee, SecurityKey);
    assert_eq!(stage.finish_key(&lee, asked, b"thiefs", 0), UNKNOWN);
    let never = stage.ticket();
    assert_eq!(stage.finish_key(&lee, never, b"thiefs", 0), UNKNOWN);
}

#[test]
fn a_registration_is_not_finished_for_another_person_or_too_late() {
    let mut stage = Stage::new(Policy::modern());
    let (lee, dana) = (stage.user("lee"), stage.user("dana"));
    let asked = challenge(stage.begin_key(&lee, &key(&lee, "blue"), SecurityKey, None));
    assert_eq!(stage.finish_key(&dana, asked, b"danas", 0), UNKNOWN, "NT-22");
    stage.now = stage.now.plus_ms(300_000);
    assert_eq!(stage.finish_key(&lee, asked, b"blue", 0), UNKNOWN);
}

#[test]
fn what_is_wrong_with_an_answer_is_recorded_and_ends_the_registration() {
    for fault in [KeyFault::Malformed, KeyFault::Origin, KeyFault::Attestation, KeyFault::Algorithm] {
        let mut stage = Stage::new(Policy::modern());
        let lee = stage.user("lee");
        let asked = challenge(stage.begin_key(&lee, &key(&lee, "blue"), SecurityKey, None));
        assert_eq!(stage.answer_registration(&lee, asked, &Err(fault)), refused(fault), "NT-28");
        assert_eq!(stage.finish_key(&lee, asked, b"blue", 0), UNKNOWN);
        assert!(stage.registered(&lee).devices.is_empty());
    }
}

#[test]
fn an_arn_is_given_once() {
    let (mut stage, lee, blue) = equipped();
    let asked = challenge(stage.begin_key(&lee, &blue, SecurityKey, None));
    assert_eq!(stage.finish_key(&lee, asked, b"green", 0), Err(Rejection::DeviceExists));
}

#[test]
fn the_rules_say_which_forms_may_be_registered() {
    let offered = [(None, true, false), (Some(Preset::Modern), true, true), (Some(Preset::Strict), false, true)];
    for (preset, keys, passkeys) in offered {
        let mut stage = Stage::new(Policy::classic());
        let lee = stage.user("lee");
        stage.choose(preset);
        for (form, may) in [(SecurityKey, keys), (Passkey, passkeys)] {
            let answer = stage.begin_key(&lee, &key(&lee, "one"), form, None);
            assert_eq!(answer == Err(Rejection::KeyFormNotOffered), !may, "{preset:?} {form:?}: {answer:?}");
        }
    }
}

#[test]
fn the_rules_of_the_moment_hold_when_a_registration_is_finished() {
    let mut stage = Stage::new(Policy::classic());
    let lee = stage.user("lee");
    let asked = challenge(stage.begin_key(&lee, &key(&lee, "blue"), SecurityKey, None));
    stage.choose(Some(Preset::Strict));
    assert_eq!(stage.finish_key(&lee, asked, b"blue", 0), Err(Rejection::KeyFormNotOffered));
}

#[test]
fn one_device_of_any_kind_is_the_limit_of_the_classic_rules() {
    let mut stage = Stage::new(Policy::classic());
    let lee = stage.user("lee");
    let early = challenge(stage.begin_key(&lee, &key(&lee, "early"), SecurityKey, None));
    let phone = stage.phone(&lee, "lee");
    let full = Err(Rejection::PrincipalDeviceLimit { max: 1 });
    assert_eq!(stage.begin_key(&lee, &key(&lee, "late"), SecurityKey, None), full, "R3");
    assert_eq!(stage.finish_key(&lee, early, b"early", 0), full, "A7: also for one that was begun before");
    let answer = stage.begin_key(&lee, &key(&lee, "new"), SecurityKey, Some(&phone));
    assert_eq!(answer, Err(Rejection::RotationNotAtomic), "R78");
}

#[test]
fn of_two_registrations_at_the_limit_one_is_finished() {
    let mut stage = Stage::new(Policy::classic());
    let lee = stage.user("lee");
    let asked = ["one", "two"].map(|name| challenge(stage.begin_key(&lee, &key(&lee, name), SecurityKey, None)));
    assert!(stage.finish_key(&lee, asked[0], b"one", 0).is_ok());
    assert_eq!(stage.finish_key(&lee, asked[1], b"two", 0), Err(Rejection::PrincipalDeviceLimit { max: 1 }));
}

#[test]
fn a_key_takes_the_place_of_a_device_without_a_gap_and_at_the_limit() {
    let mut stage = Stage::new(Policy { devices_per_principal_max: 1, ..Policy::modern() });
    let lee = stage.user("lee");
    let old = stage.key(&lee, "old", SecurityKey, b"old", 1);
    let new = key(&lee, "new");
    let asked = challenge(stage.begin_key(&lee, &new, Passkey, Some(&old)));
    assert!(stage.finish_key(&lee, asked, b"new", 0).is_ok(), "R79");
    let owned: Vec<StreamId> = stage.registered(&lee).devices.iter().map(|enabled| enabled.device).collect();
    assert_eq!(owned, [new.stream()]);
    assert!(matches!(stage.device(&old), Some(Device::Deleted(_))));
    assert_eq!(stage.claim(credential_stream(b"old")).unwrap().holder(), None);
    let phone = stage.phone_in_place_of(&lee, "phone", &new);
    assert_eq!(stage.enabled(&lee, &phone).kind, DeviceKind::VirtualTotp);
    assert_eq!(stage.claim(credential_stream(b"new")).unwrap().holder(), None);
}

#[test]
fn only_an_own_device_that_is_still_there_is_replaced() {
    let (mut stage, lee, blue) = equipped();
    let dana = stage.user("dana");
    let danas = stage.phone(&dana, "danas");
    let answer = stage.begin_key(&lee, &key(&lee, "new"), SecurityKey, Some(&danas));
    assert_eq!(answer, Err(Rejection::DeviceNotYours));
    let asked = challenge(stage.begin_key(&lee, &key(&lee, "new"), SecurityKey, Some(&blue)));
    stage.deactivate(&lee, &blue).unwrap();
    assert_eq!(stage.finish_key(&lee, asked, b"new", 0), Err(Rejection::DeviceNotYours));
}

#[test]
fn keys_are_registered_in_the_console_and_roots_by_root() {
    let mut stage = Stage::new(Policy::modern());
    let (lee, admin) = (stage.user("lee"), stage.user("admin"));
    let now = Some(stage.now);
    let stranger = PrincipalId::Root(AccountId::from_number(1).unwrap());
    let doors = [
        (Caller::with_key(lee.clone()), &lee, false),
        (Caller::with_session(lee.clone(), now), &lee, false),
        (Caller::operator(), &lee, false),
        (Caller::at_console(stranger, now), &lee, false),
        (Caller::at_console(lee.clone(), now), &lee, true),
        (Caller::at_console(admin.clone(), now), &lee, true),
        (Caller::at_console(root(), now), &lee, true),
        (Caller::at_console(root(), now), &root(), true),
        (Caller::at_console(admin, now), &root(), false),
        (Caller::with_session(root(), now), &root(), false),
    ];
    for (caller, owner, may) in doors {
        stage.caller = Some(caller.clone());
        let answer = stage.begin_key(owner, &key(owner, "new"), SecurityKey, None);
        assert_eq!(answer.is_ok(), may, "{caller:?} for {owner}: R33, R40");
        assert!(may || answer == Err(Rejection::ChannelNotAllowed));
    }
}

/// R182, NT-21: whoever has the password alone adds nothing to an account that has a device.
#[test]
fn a_first_factor_session_registers_replaces_and_takes_away_nothing() {
    for preset in [None, Some(Preset::Modern)] {
        let mut stage = Stage::new(Policy::classic());
        stage.choose(preset);
        let lee = stage.user("lee");
        let open = challenge(stage.begin_key(&lee, &key(&lee, "open"), SecurityKey, None));
        let phone = stage.phone(&lee, "lee");
        let needs_mfa = Err(Rejection::SelfManagementNeedsMfa);
        stage.caller = Some(Caller::at_console(lee.clone(), None));
        assert_eq!(stage.begin_key(&lee, &key(&lee, "thiefs"), SecurityKey, None), needs_mfa, "{preset:?}");
        assert_eq!(stage.begin_key(&lee, &key(&lee, "thiefs"), SecurityKey, Some(&phone)), needs_mfa);
        assert_eq!(stage.finish_key(&lee, open, b"thiefs", 0), needs_mfa, "begun before there was a device");
        assert_eq!(stage.deactivate(&lee, &phone), needs_mfa);
        stage.caller = Some(Caller { credential: Credential::Recovered, ..Caller::at_console(lee.clone(), None) });
        assert_eq!(stage.deactivate(&lee, &phone), needs_mfa, "what root may after its recovery no user may");
    }
}

#[test]
fn the_earliest_reason_is_given() {
    let mut stage = Stage::new(Policy::classic());
    let lee = stage.user("lee");
    let phone = stage.phone(&lee, "lee");
    let (never, new) = (stage.ticket(), key(&lee, "new"));
    assert_eq!(stage.finish_key(&lee, never, b"new", 0), UNKNOWN, "before the limit");
    assert_eq!(stage.begin_key(&lee, &new, Passkey, Some(&phone)), Err(Rejection::KeyFormNotOffered));
    stage.caller = Some(Caller::at_console(lee.clone(), None));
    let needs_mfa = Err(Rejection::SelfManagementNeedsMfa);
    assert_eq!(stage.finish_key(&lee, never, b"new", 0), needs_mfa, "R181: before everything else");
    assert_eq!(stage.begin_key(&lee, &new, Passkey, None), needs_mfa);
    let nobody = user("nobody");
    assert_eq!(stage.begin_key(&nobody, &new, Passkey, None), Err(Rejection::PrincipalUnknown));
    assert_eq!(stage.begin_key(&root(), &key(&root(), "new"), SecurityKey, None), Err(Rejection::ChannelNotAllowed));
}

#[test]
fn a_suspected_key_is_taken_away_and_registered_anew() {
    let (mut stage, lee, blue) = equipped();
    assert_eq!(touched(&mut stage, &lee, b"blue", 7), refused(KeyFault::CounterRegressed));
    stage.deactivate(&lee, &blue).unwrap();
    let anew = Serial::new(format!("{}B", key(&lee, "blue"))).unwrap();
    let asked = challenge(stage.begin_key(&lee, &anew, SecurityKey, None));
    assert!(stage.finish_key(&lee, asked, b"blue", 9).is_ok());
    assert!(matches!(touched(&mut stage, &lee, b"blue", 10), Ok(Verdict::SignedIn { .. })));
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
