//! What an account chooses, and who may choose it (A16, R5, R130 b).

use countersign_domain::account::Claim;
use countersign_domain::caller::{Caller, Channel, Credential};
use countersign_domain::decide::*;
use countersign_domain::ids::*;
use countersign_domain::policy::Policy;
use countersign_domain::rejection::Rejection;
use countersign_domain::settings::{AccountAlias, Preset, Settings, SmsEligibility};

use crate::stage::*;

const DONE: Answer = Ok(Verdict::Done);
const NOT_ALLOWED: Answer = Err(Rejection::ChannelNotAllowed);

fn alias(text: &str) -> AccountAlias {
    AccountAlias::new(text).unwrap()
}

fn elsewhere() -> AccountId {
    AccountId::from_number(42).unwrap()
}

fn every_setting() -> [Setting; 5] {
    [
        Setting::Alias(Some(alias("example-corp"))),
        Setting::Sms(SmsEligibility::Ending),
        Setting::AlternativeFactors(false),
        Setting::Policy(Some(Preset::Strict)),
        Setting::Associate(Some(elsewhere())),
    ]
}

#[test]
fn each_setting_is_changed_once_and_a_second_time_is_nothing_new() {
    let mut stage = Stage::new(Policy::classic());
    for setting in every_setting() {
        assert_eq!(stage.set(&setting), DONE);
        let written = stage.log.len();
        assert_eq!(stage.set(&setting), DONE);
        assert_eq!(stage.log.len(), written, "{setting:?}");
    }
    let expected = Settings {
        alias: Some(alias("example-corp")),
        sms: SmsEligibility::Ending,
        alternative_factors: false,
        preset: Some(Preset::Strict),
        associate: Some(elsewhere()),
    };
    assert_eq!(stage.account().unwrap().settings, expected);
}

#[test]
fn what_an_account_is_opened_with_needs_no_change() {
    let mut stage = Stage::new(Policy::classic());
    let written = stage.log.len();
    let initial = [
        Setting::Alias(None),
        Setting::Sms(SmsEligibility::Open),
        Setting::AlternativeFactors(true),
        Setting::Policy(None),
        Setting::Associate(None),
    ];
    for setting in initial {
        assert_eq!(stage.set(&setting), DONE);
    }
    assert_eq!(stage.log.len(), written);
}

#[test]
fn the_way_back_in_and_the_link_are_roots_own() {
    for setting in every_setting() {
        let roots_own = matches!(setting, Setting::AlternativeFactors(_) | Setting::Associate(_));
        let mut stage = Stage::new(Policy::classic());
        let admin = stage.user("admin");
        stage.caller = Some(Caller::with_session(admin, Some(stage.now)));
        assert_eq!(stage.set(&setting), if roots_own { NOT_ALLOWED } else { DONE }, "{setting:?}");
        let mut stage = Stage::new(Policy::classic());
        stage.caller = Some(Caller::operator());
        assert_eq!(stage.set(&setting), DONE, "R130 b: support does it");
    }
}

/// R182: who has a device has proven one, or root its alternative factors, to change anything in the console.
#[test]
fn whoever_has_a_device_sets_nothing_in_the_console_without_it() {
    let at_console = |credential| Caller { credential, ..Caller::at_console(root(), None) };
    let unproven = Caller::at_console(root(), None);
    let refused = Err(Rejection::SelfManagementNeedsMfa);
    let cases = [
        (unproven.clone(), true, refused.clone()),
        (unproven.clone(), false, DONE),
        (at_console(Credential::LongTermKey), true, refused),
        (Caller::at_console(root(), Some(START)), true, DONE),
        (at_console(Credential::Recovered), true, DONE),
        (Caller { channel: Channel::Api, ..unproven }, true, DONE),
    ];
    for (caller, has_device, expected) in cases {
        let mut stage = Stage::new(Policy::classic());
        stage.caller = Some(caller.clone());
        let setting = Setting::Policy(Some(Preset::Strict));
        let answer =
            stage.ask(&root(), |stage, context| change_setting(stage.account(), &setting, (None, has_device), context));
        assert_eq!(answer, expected, "{caller:?}");
    }
}

#[test]
fn roots_own_are_set_in_its_console_and_the_others_anywhere() {
    for setting in every_setting() {
        let roots_own = matches!(setting, Setting::AlternativeFactors(_) | Setting::Associate(_));
        let elsewhere = if roots_own { NOT_ALLOWED } else { DONE };
        let key_at_console = Caller { channel: Channel::Console, ..Caller::with_key(root()) };
        let session = Caller::with_session(root(), Some(START));
        for (caller, expected) in [
            (Caller::at_console(root(), None), DONE),
            (key_at_console, elsewhere.clone()),
            (Caller::with_key(root()), elsewhere.clone()),
            (session, elsewhere.clone()),
        ] {
            let mut stage = Stage::new(Policy::classic());
            stage.caller = Some(caller.clone());
            assert_eq!(stage.set(&setting), expected, "{caller:?} {setting:?}");
        }
    }
}

#[test]
fn nobody_sets_anything_of_another_account() {
    let strangers = [PrincipalId::Root(elsewhere()), PrincipalId::User(elsewhere(), UserId::new("AIDAX").unwrap())];
    for stranger in strangers {
        for setting in every_setting() {
            let mut stage = Stage::new(Policy::classic());
            stage.caller = Some(Caller::at_console(stranger.clone(), Some(stage.now)));
            assert_eq!(stage.set(&setting), NOT_ALLOWED, "{stranger} {setting:?}");
        }
    }
    let mut stage = Stage::new(Policy::classic());
    let setting = Setting::Policy(None);
    let answer = stage.ask(&root(), |_, context| change_setting(None, &setting, (None, false), context));
    assert_eq!(answer, Err(Rejection::AccountUnknown));
}

#[test]
fn an_account_is_not_linked_with_itself() {
    let mut stage = Stage::new(Policy::classic());
    assert_eq!(stage.set(&Setting::Associate(Some(account()))), NOT_ALLOWED);
}

#[test]
fn an_alias_belongs_to_one_account_and_is_free_when_it_is_given_up() {
    let mut stage = Stage::new(Policy::classic());
    stage.open(elsewhere());
    let set_elsewhere = |stage: &mut Stage, text: Option<&str>| {
        let setting = Setting::Alias(text.map(alias));
        stage.ask(&PrincipalId::Root(elsewhere()), |stage, context| {
            let claim = text.and_then(|text| stage.claim(Claim::alias_stream(&alias(text))));
            change_setting(stage.account_of(elsewhere()), &setting, (claim, false), context)
        })
    };
    assert_eq!(stage.set(&Setting::Alias(Some(alias("first")))), DONE);
    assert_eq!(stage.last(2), ["NameClaimed", "AliasChanged"]);
    assert_eq!(set_elsewhere(&mut stage, Some("first")), Err(Rejection::AliasTaken));
    assert_eq!(stage.set(&Setting::Alias(Some(alias("second")))), DONE);
    assert_eq!(stage.last(3), ["NameReleased", "NameClaimed", "AliasChanged"]);
    assert_eq!(set_elsewhere(&mut stage, Some("first")), DONE);
    assert_eq!(stage.set(&Setting::Alias(Some(alias("first")))), Err(Rejection::AliasTaken));
    assert_eq!(set_elsewhere(&mut stage, None), DONE);
    assert_eq!(stage.last(2), ["NameReleased", "AliasChanged"]);
    assert_eq!(stage.set(&Setting::Alias(Some(alias("first")))), DONE);
}

#[test]
fn a_preset_keeps_the_deployments_time_step() {
    let deployment = Policy { step_s: 60, devices_per_principal_max: 3, ..Policy::classic() };
    for preset in Preset::ALL {
        assert_eq!(preset.policy(&deployment).step_s, 60);
        assert_eq!(preset.policy(&deployment).check(), Ok(()));
    }
    assert_eq!(Preset::Classic.policy(&deployment).devices_per_principal_max, 1, "everything else is the preset's");
}

/// The rules that an account chose hold from the next command on.
#[test]
fn chosen_rules_hold_at_once_and_devices_over_a_new_limit_stay() {
    let mut stage = Stage::new(Policy::modern());
    let lee = stage.user("lee");
    let phones = ["one", "two", "three"].map(|name| stage.phone(&lee, name));
    stage.choose(Some(Preset::Classic));
    assert_eq!(stage.registered(&lee).devices.len(), 3);
    stage.wait_s(600);
    for phone in &phones {
        let attempt = stage.begin(&lee);
        let answer = stage.type_code(&lee, attempt, phone, crate::people::Typed::Shown(0));
        assert_eq!(answer, in_by(attempt, phone), "each still signs in");
    }
    stage.deactivate(&lee, &phones[0]).unwrap();
    let full = stage.begin_key(&lee, &key(&lee, "new"), countersign_domain::event::KeyForm::SecurityKey, None);
    assert_eq!(full, Err(Rejection::PrincipalDeviceLimit { max: 1 }));
}
