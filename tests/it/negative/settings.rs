//! What an account chooses, and what it must not do to what was chosen before (NT-26, A16, R79).

use countersign::domain::event::Event;
use countersign::testing::SecurityKey;
use countersign::*;

use super::{TAKEN, WRONG, refused};
use crate::door::{at_console, is_in, proven};
use crate::support::{Phone, START_S, World, name, narrow, operator};

/// A downgrade takes no device away, and lets nobody in with less.
#[tokio::test]
async fn an_account_that_goes_back_to_other_rules_keeps_its_devices_and_its_second_factor() {
    let world = World::new(narrow(Policy::modern())).await;
    let (lee, phone) = world.equipped("lee").await;
    for number in 1..=3 {
        world.registered(&lee, &SecurityKey::new(number)).await;
    }
    let choose = async |preset| world.engine.choose_policy(operator(), world.account, preset).await.unwrap();
    choose(Some(Preset::Classic)).await;
    world.clock.advance_s(90);
    assert_eq!(world.engine.devices(&lee).len(), 4);
    assert!(is_in(&world.sign_in_by_touch(&lee, &SecurityKey::new(3).at(1)).await.unwrap()));
    assert_eq!(world.sign_in(&lee, &phone, world.now()).await, TAKEN);
    let full = world.register(&lee, &SecurityKey::new(4), KeyForm::SecurityKey).await;
    assert_eq!(refused(full), Rejection::PrincipalDeviceLimit { max: 1 });
    choose(Some(Preset::Strict)).await;
    let touched = world.register(&lee, &SecurityKey::new(4), KeyForm::SecurityKey).await;
    assert_eq!(refused(touched), Rejection::KeyFormNotOffered, "a touch alone is too little there");
    assert!(is_in(&world.sign_in_by_touch(&lee, &SecurityKey::new(3).at(2)).await.unwrap()), "those that exist go on");
    let passkey = world.register(&lee, &SecurityKey::new(4), KeyForm::Passkey).await;
    assert!(matches!(passkey, Ok(KeyRegistration::Registered(_))));
    choose(Some(Preset::Classic)).await;
    let passkey = world.register(&lee, &SecurityKey::new(5), KeyForm::Passkey).await;
    assert_eq!(refused(passkey), Rejection::KeyFormNotOffered);
    choose(None).await;
    assert_eq!(world.engine.policy_of(world.account), world.engine.policy());
}

/// A registration that one set of rules allowed is finished under those that hold then.
#[tokio::test]
async fn rules_count_when_a_ceremony_ends() {
    let world = World::new(narrow(Policy::modern())).await;
    let lee = world.user("lee").await;
    let passkey = world.begin_key(&lee, KeyForm::Passkey).await;
    world.engine.choose_policy(operator(), world.account, Some(Preset::Classic)).await.unwrap();
    let finished = world.finish_key(&lee, passkey.id, &SecurityKey::new(1).create(&passkey.options)).await;
    assert_eq!(refused(finished), Rejection::KeyFormNotOffered);
}

/// Two accounts of one deployment go by two sets of rules.
#[tokio::test]
async fn one_accounts_rules_are_not_anothers() {
    let world = World::new(narrow(Policy::classic())).await;
    let other = AccountId::from_number(999_999_999_999).unwrap();
    world.engine.open_account(operator(), other, name("root")).await.unwrap();
    world.engine.choose_policy(operator(), other, Some(Preset::Modern)).await.unwrap();
    let lee = world.user("lee").await;
    let passkey = world.engine.begin_key_registration(proven(&lee), &lee, name("blue"), KeyForm::Passkey, None).await;
    assert_eq!(refused(passkey), Rejection::KeyFormNotOffered);
    let root = PrincipalId::Root(other);
    world.register(&root, &SecurityKey::new(1), KeyForm::Passkey).await.unwrap();
    world.register(&root, &SecurityKey::new(2), KeyForm::SecurityKey).await.unwrap();
    assert_eq!(world.engine.devices(&root).len(), 2);
}

#[tokio::test]
async fn settings_are_changed_by_their_own_account_and_the_roots_own_by_root() {
    let world = World::new(Policy::classic()).await;
    let other = AccountId::from_number(999_999_999_999).unwrap();
    world.engine.open_account(operator(), other, name("root")).await.unwrap();
    let (root, lee) = (PrincipalId::Root(world.account), world.user("lee").await);
    let before = world.engine.account(world.account).unwrap().settings;
    let alias = || Some(AccountAlias::new("example-corp").unwrap());
    let engine = &world.engine;
    for (who, general, own) in [(PrincipalId::Root(other), false, false), (lee, true, false), (root, true, true)] {
        let by = || Request::by(Caller::at_console(who.clone(), Some(UnixMillis(1))));
        let answers = [
            (engine.set_alias(by(), world.account, alias()).await, general),
            (engine.set_sms_eligibility(by(), world.account, SmsEligibility::Ending).await, general),
            (engine.choose_policy(by(), world.account, Some(Preset::Strict)).await, general),
            (engine.allow_alternative_factors(by(), world.account, false).await, own),
            (engine.link_root(by(), world.account, Some(other)).await, own),
        ];
        for (number, (answer, allowed)) in answers.into_iter().enumerate() {
            assert_eq!(answer.is_ok(), allowed, "{who} {number}");
            if !allowed {
                assert_eq!(refused(answer), Rejection::ChannelNotAllowed);
            }
        }
    }
    let after = engine.account(world.account).unwrap().settings;
    let expected = Settings {
        alias: alias(),
        sms: SmsEligibility::Ending,
        alternative_factors: false,
        preset: Some(Preset::Strict),
        associate: Some(other),
    };
    assert_eq!(after, expected);
    assert_ne!(after, before);
    let taken = engine.set_alias(operator(), other, alias()).await;
    assert_eq!(refused(taken), Rejection::AliasTaken);
    engine.set_alias(operator(), world.account, None).await.unwrap();
    engine.set_alias(operator(), other, alias()).await.unwrap();
    assert_eq!(engine.account_of_alias("example-corp"), Some(other), "free again");
    let unchanged = engine.account(other).unwrap().settings;
    assert_eq!(Settings { alias: None, ..unchanged }, Settings::default(), "the other account's are its own");
}

// ---- an account that chose, in a deployment that has numbers of its own ----

/// Windows of five minutes, and a token, which is of no account.
async fn own_windows() -> (World, PrincipalId, Phone) {
    let world = World::new(Policy { attempt_window_s: 300, ..narrow(Policy::modern()) }).await;
    world.engine.choose_policy(operator(), world.account, Some(Preset::Classic)).await.unwrap();
    let lee = world.user("lee").await;
    let token = Phone { serial: Serial::new("GAHT00000001").unwrap(), secret: vec![7; 20] };
    let seed = Seed::new(token.secret.clone()).unwrap();
    world.engine.import_hardware_token(operator(), &token.serial, seed, "maker").await.unwrap();
    assert_eq!(world.enable(&lee, &token, START_S).await, TAKEN);
    (world, lee, token)
}

#[tokio::test]
async fn a_retried_answer_of_a_locked_device_names_the_same_instant() {
    let (world, lee, token) = own_windows().await;
    let mut wrong = token.wrong(START_S);
    for code in wrong.by_ref().take(9) {
        assert_eq!(world.verify(&lee, &token, code, Purpose::SignIn).await, WRONG);
    }
    let by = || operator().with_command(CommandId::from_bytes([2; 16]));
    let code = wrong.next().unwrap();
    let first = world.engine.verify_code(by(), &lee, &token.serial, code.clone(), Purpose::SignIn).await;
    let again = world.engine.verify_code(by(), &lee, &token.serial, code, Purpose::SignIn).await;
    assert_eq!(first, again);
}

#[tokio::test]
async fn a_device_looks_the_same_by_its_serial_number_and_by_its_owner() {
    let (world, lee, token) = own_windows().await;
    for code in token.wrong(START_S).take(10) {
        world.verify(&lee, &token, code, Purpose::SignIn).await.unwrap();
    }
    let by_owner = world.engine.devices(&lee).pop();
    assert!(by_owner.as_ref().unwrap().locked_until.is_some());
    assert_eq!(world.engine.device(&token.serial), by_owner);
}

// ---- limits that the rules allow and the store has to bear ----

/// R77: whatever a user has, the console removes it along.
#[tokio::test]
async fn a_user_with_as_many_keys_as_the_rules_allow_can_be_removed() {
    let world = World::new(Policy::modern()).await;
    let lee = world.user("lee").await;
    for number in 0..8 {
        world.registered(&lee, &SecurityKey::new(number)).await;
    }
    world.engine.remove_user(operator(), &lee, Removal::TakeDevices).await.unwrap();
    assert_eq!(world.count(|event| matches!(event, Event::DeviceDeactivated(_))), 8);
    assert_eq!(world.engine.account(world.account).unwrap().devices_in_use, 0);
}

/// WebAuthn allows ids of 1,023 bytes. Who registered eight of the longest that are taken can sign in.
#[tokio::test]
async fn a_user_with_the_longest_credentials_can_sign_in() {
    let world = World::new(Policy::modern()).await;
    let lee = world.user("lee").await;
    let of = |bytes: usize, number: u8| SecurityKey { id: vec![number; bytes], ..SecurityKey::new(number) };
    let too_long = world.register(&lee, &of(257, 9), KeyForm::SecurityKey).await;
    assert_eq!(too_long, Ok(KeyRegistration::Refused(KeyRefusal::NotTrusted)));
    let long = |number: u8| of(256, number);
    for number in 0..8 {
        world.registered(&lee, &long(number)).await;
    }
    let attempt = world.begin_sign_in(&lee).await;
    let asked = world.engine.offer_key(at_console(&lee), &lee, attempt, KeyForm::SecurityKey).await.unwrap().value;
    let step = world.touch(&lee, attempt, asked.id, &long(7).at(1).get(&asked.options)).await.unwrap();
    assert!(is_in(&step));
}
