//! Registering security keys and passkeys (R32, R35, R49, R79, R177), and what somebody else's session tries.

use countersign_domain::caller::{Caller, Credential};
use countersign_domain::decide::*;
use countersign_domain::device::{Device, DeviceKind, Serial, credential_stream};
use countersign_domain::event::*;
use countersign_domain::ids::*;
use countersign_domain::policy::Policy;
use countersign_domain::principal::Key;
use countersign_domain::rejection::Rejection;
use countersign_domain::settings::Preset;

use crate::keys::{asked, equipped, refused, touched};
use crate::stage::*;

use KeyForm::{Passkey, SecurityKey};

const UNKNOWN: Answer = Err(Rejection::ChallengeUnknown);

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
fn an_id_of_a_credential_is_taken_up_to_its_longest() {
    let (mut stage, lee, _) = equipped();
    let long = vec![7; CREDENTIAL_ID_BYTES_MAX + 1];
    let asked = challenge(stage.begin_key(&lee, &key(&lee, "long"), SecurityKey, None));
    assert_eq!(stage.finish_key(&lee, asked, &long, 0), refused(KeyFault::CredentialTooLong));
    let asked = challenge(stage.begin_key(&lee, &key(&lee, "long"), SecurityKey, None));
    let answer = stage.finish_key(&lee, asked, &long[1..], 0);
    assert_eq!(answer, Ok(Verdict::KeyRegistered { device: key(&lee, "long").stream() }));
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
fn a_removed_users_devices_go_along_and_their_credential_is_free() {
    let (mut stage, lee, blue) = equipped();
    let removed =
        stage.ask(&lee, |stage, context| remove_user(stage.principal(&lee), Removal::RefuseWithDevices, context));
    assert_eq!(removed, Err(Rejection::PrincipalHasDevices), "R76");
    let (attempt, open) = asked(&mut stage, &lee, SecurityKey);
    let removed = stage.ask(&lee, |stage, context| remove_user(stage.principal(&lee), Removal::TakeDevices, context));
    assert_eq!(removed, Ok(Verdict::Done), "R77");
    assert!(matches!(stage.device(&blue), Some(Device::Deleted(_))));
    let touch = crate::people::Touch::new(b"blue", 8, open);
    assert_eq!(stage.touch(&lee, attempt, open, &touch), Err(Rejection::PrincipalUnknown), "NT-23");
    let dana = stage.user("dana");
    stage.key(&dana, "given", SecurityKey, b"blue", 8);
}

#[test]
fn an_administrator_takes_a_key_away_through_the_api() {
    let (mut stage, lee, blue) = equipped();
    stage.caller = Some(Caller::with_key(user("admin")));
    assert_eq!(stage.deactivate(&lee, &blue), Ok(Verdict::Done), "A13, R129");
}
