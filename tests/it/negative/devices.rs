//! Devices: from their enabling to their end.

use std::sync::Arc;

use countersign::domain::event::Event;
use countersign::store::{EphemeralKeyRing, Journal, MemoryBackend, MemoryJournal, Options};
use countersign::*;

use super::{TAKEN, WRONG, refused};
use crate::support::{Phone, START_S, World, events, name, narrow, operator};

#[tokio::test]
async fn a_user_with_a_device_needs_mfa_to_change_devices() {
    let world = World::new(narrow(Policy::modern())).await;
    let (lee, phone) = (world.user("lee").await, world.phone("phone").await);
    let spare = world.phone("spare").await;
    let mfa_at = Some(world.clock.now());
    let bare =
        [Caller::with_key(lee.clone()), Caller::with_session(lee.clone(), None), Caller::at_console(lee.clone(), None)];
    let enable = |caller: &Caller, device: &Phone, seconds: u64| {
        let (first, second) = device.pair(seconds);
        let (request, serial, engine, lee) =
            (Request::by(caller.clone()), device.serial.clone(), world.engine.clone(), lee.clone());
        async move { engine.enable(request, &lee, &serial, first, second).await.map(|ack| ack.value) }
    };
    assert_eq!(enable(&bare[0], &phone, START_S).await, TAKEN, "R181: the first one needs none");
    for caller in &bare {
        let request = || Request::by(caller.clone());
        let needs = Rejection::SelfManagementNeedsMfa;
        assert_eq!(refused(enable(caller, &spare, START_S).await), needs);
        let reason = DeactivateReason::Requested;
        assert_eq!(refused(world.engine.deactivate(request(), &lee, &phone.serial, reason).await), needs);
        let (first, second) = spare.pair(START_S);
        let rotated = world.engine.rotate(request(), &lee, &phone.serial, &spare.serial, first, second).await;
        assert_eq!(refused(rotated), needs);
    }
    let (first, second) = phone.pair(START_S + 60);
    let resync = world.engine.resync(Request::by(bare[0].clone()), &lee, &phone.serial, first, second).await;
    assert_eq!(resync.unwrap().value, Proof::Accepted, "R112: a resync needs none");
    assert_eq!(enable(&Caller::with_session(lee.clone(), mfa_at), &spare, START_S).await, TAKEN);
    let admin = Request::by(Caller::with_key(world.user("admin").await));
    let reason = DeactivateReason::Lost;
    world.engine.deactivate(admin, &lee, &phone.serial, reason).await.expect("R181: for another it needs none");
}

#[tokio::test]
async fn an_enrolment_is_finished_in_its_account_and_disturbs_nothing() {
    let world = World::new(narrow(Policy::modern())).await;
    let (lee, phone) = world.equipped("lee").await;
    let pending = world.phone("pending").await;
    let elsewhere = AccountId::from_number(999_999_999_999).unwrap();
    world.engine.open_account(operator(), elsewhere, name("root")).await.unwrap();
    let mallory = UserId::new("AIDAMALLORY").unwrap();
    world.engine.register_user(operator(), elsewhere, mallory.clone(), name("mallory"), Path::root()).await.unwrap();
    let mallory = PrincipalId::User(elsewhere, mallory);
    let taken = world.enable(&mallory, &pending, START_S).await;
    assert_eq!(refused(taken), Rejection::DeviceUnknown { serial: pending.serial.clone() }, "A9");
    let before = world.engine.devices(&lee);
    assert_eq!(world.enable(&lee, &pending, START_S - 3000).await, WRONG);
    assert_eq!(world.engine.devices(&lee), before, "R67");
    world.clock.advance_s(90);
    assert_eq!(world.sign_in(&lee, &phone, world.now()).await, TAKEN);
}

#[tokio::test]
async fn a_device_counts_from_its_enabling_to_its_deactivation() {
    let world = World::new(narrow(Policy::classic())).await;
    let (lee, phone) = (world.user("lee").await, world.phone("lee").await);
    assert_eq!(refused(world.sign_in(&lee, &phone, START_S).await), Rejection::DeviceNotYours, "never proven");
    assert!(world.engine.devices(&lee).is_empty());
    assert_eq!(world.enable(&lee, &phone, START_S).await, TAKEN);
    world.deactivate(&lee, &phone).await.unwrap();
    world.clock.advance_s(90);
    assert_eq!(refused(world.sign_in(&lee, &phone, world.now()).await), Rejection::DeviceNotYours, "gone at once");
    assert!(world.engine.devices(&lee).is_empty());
    assert_eq!(refused(world.deactivate(&lee, &phone).await), Rejection::DeviceNotYours, "R70: and again");
}

#[tokio::test]
async fn a_name_that_is_used_again_starts_clean() {
    let world = World::new(narrow(Policy::classic())).await;
    let (lee, dana) = (world.user("lee").await, world.user("dana").await);
    let old = world.phone("phone").await;
    assert_eq!(world.enable(&lee, &old, START_S).await, TAKEN);
    assert_eq!(refused(world.enable(&dana, &old, START_S + 60).await), Rejection::DeviceInUse);
    world.deactivate(&lee, &old).await.unwrap();
    assert_eq!(world.enable(&dana, &old, START_S).await, WRONG, "R85: its history goes along");
    world.engine.delete_virtual_device(operator(), world.account, &old.serial).await.unwrap();
    let new = world.phone("phone").await;
    assert_eq!(new.serial, old.serial);
    assert_ne!(new.secret, old.secret);
    assert_eq!(world.enable(&dana, &old, START_S + 60).await, WRONG, "the old secret is gone");
    assert_eq!(world.enable(&dana, &new, START_S).await, TAKEN, "and the old pairs do not matter");
}

#[tokio::test]
async fn roots_device_changes_in_roots_own_console_only() {
    let world = World::new(narrow(Policy::classic())).await;
    let root = PrincipalId::Root(world.account);
    let admin = world.user("admin").await;
    let phone = world.phone("root-account-mfa-device").await;
    let others = [
        Caller::with_key(root.clone()),
        Caller::with_session(root.clone(), Some(world.clock.now())),
        Caller::at_console(admin.clone(), Some(world.clock.now())),
        Caller::with_key(admin),
        Caller::operator(),
    ];
    let own = || Request::by(Caller::at_console(root.clone(), None));
    let (first, second) = phone.pair(START_S);
    let reason = DeactivateReason::Requested;
    for caller in &others {
        let by = || Request::by(caller.clone());
        let tried = world.engine.enable(by(), &root, &phone.serial, first.clone(), second.clone()).await;
        assert_eq!(refused(tried), Rejection::ChannelNotAllowed, "{caller:?}");
    }
    world.engine.enable(own(), &root, &phone.serial, first, second).await.unwrap();
    assert!(world.engine.account(world.account).unwrap().root_has_mfa);
    for caller in &others {
        let by = || Request::by(caller.clone());
        let (first, second) = phone.pair(START_S + 60);
        assert_eq!(
            refused(world.engine.resync(by(), &root, &phone.serial, first, second).await),
            Rejection::ChannelNotAllowed
        );
        if *caller == Caller::operator() {
            continue;
        }
        let tried = world.engine.deactivate(by(), &root, &phone.serial, reason).await;
        assert_eq!(refused(tried), Rejection::ChannelNotAllowed, "{caller:?}");
    }
    let bare = world.engine.deactivate(own(), &root, &phone.serial, reason).await;
    assert_eq!(refused(bare), Rejection::SelfManagementNeedsMfa, "a session without a second factor");
    let proven = Request::by(Caller::at_console(root.clone(), Some(world.clock.now())));
    world.engine.deactivate(proven, &root, &phone.serial, reason).await.unwrap();
}

/// R130 b, c: a lost device of root's is taken away as a support case, and the log says so.
#[tokio::test]
async fn the_operator_takes_roots_lost_device_away_and_does_nothing_else_to_it() {
    let world = World::new(narrow(Policy::classic())).await;
    let root = PrincipalId::Root(world.account);
    let own = || Request::by(Caller::at_console(root.clone(), None));
    let phone = world.phone("root-account-mfa-device").await;
    let (first, second) = phone.pair(START_S);
    world.engine.enable(own(), &root, &phone.serial, first, second).await.unwrap();
    let proven = || Request::by(Caller::at_console(root.clone(), Some(world.clock.now())));
    world.engine.allow_alternative_factors(proven(), world.account, false).await.unwrap();
    let waiting = world.engine.begin_sign_in(own(), &root).await.unwrap().value;
    assert!(matches!(waiting, SignInStep::Wanted { .. }) && !world.engine.recovery_allowed(&root), "the lock-out");
    world.engine.deactivate(operator(), &root, &phone.serial, DeactivateReason::Lost).await.unwrap();
    assert!(world.engine.devices(&root).is_empty() && !world.engine.account(world.account).unwrap().root_has_mfa);
    let after = world.engine.begin_sign_in(own(), &root).await.unwrap().value;
    assert!(matches!(after, SignInStep::SignedIn(_)), "the password alone opens it now");
    let taken = |event: &Event| match event {
        Event::DeviceDeactivated(taken) => Some((taken.by, taken.reason)),
        _ => None,
    };
    let taken: Vec<_> = events(&*world.journal).iter().filter_map(|(_, event)| taken(event)).collect();
    assert_eq!(taken, [(Caller::operator().by(), DeactivateReason::Lost)]);
}

#[tokio::test]
async fn a_device_whose_key_is_destroyed_lets_nobody_in() {
    let (backend, ring) = (MemoryBackend::new(), Arc::new(EphemeralKeyRing::new().unwrap()));
    let open = || Arc::new(MemoryJournal::with_backend(backend.clone(), ring.clone(), Options::default()).unwrap());
    let on = |journal| World::on(journal, ring.clone(), narrow(Policy::classic()), Limits::default());
    let world = on(open()).await;
    let (lee, phone) = world.equipped("lee").await;
    world.engine.close().await.unwrap();
    drop(world);

    let world = on(open()).await;
    world.journal.destroy_key(phone.serial.stream()).unwrap().expect("the device has a key");
    world.clock.advance_s(90);
    for _ in 0..2 {
        let error = world.sign_in(&lee, &phone, world.now()).await.unwrap_err();
        assert!(error.rejection().is_none() && !error.is_retryable(), "{error}");
        assert_eq!(world.engine.devices(&lee).len(), 1, "a device that cannot be used is still a device");
    }
    assert_eq!(world.count_headers(0x0313), 0, "no code was accepted");
}

/// Views are read anew when their code changes; one erasure must not stop a whole deployment then.
#[tokio::test]
async fn a_device_that_was_forgotten_does_not_keep_the_engine_from_starting() {
    let (backend, ring) = (MemoryBackend::new(), Arc::new(EphemeralKeyRing::new().unwrap()));
    let open = || Arc::new(MemoryJournal::with_backend(backend.clone(), ring.clone(), Options::default()).unwrap());
    let on = |journal| World::on(journal, ring.clone(), narrow(Policy::classic()), Limits::default());
    let world = on(open()).await;
    let (lee, phone) = world.equipped("lee").await;
    let (dana, other) = world.equipped("dana").await;
    world.engine.close().await.unwrap();
    drop(world);
    let journal = open();
    journal.destroy_key(phone.serial.stream()).unwrap().expect("the device has a key");
    journal.forget_derived().unwrap();
    drop(journal);

    let world = on(open()).await;
    world.clock.advance_s(90);
    assert!(world.sign_in(&lee, &phone, world.now()).await.is_err());
    assert_eq!(world.sign_in(&dana, &other, world.now()).await, TAKEN, "others are not touched");
}

#[tokio::test]
async fn renaming_and_removing_a_user_drop_no_device_silently() {
    let world = World::new(narrow(Policy::modern())).await;
    let lee = world.user("lee").await;
    let mut phones = Vec::new();
    for number in 0..8 {
        let phone = world.phone(&format!("phone{number}")).await;
        assert_eq!(world.enable(&lee, &phone, START_S).await, TAKEN);
        phones.push(phone);
    }
    world.engine.rename_user(operator(), &lee, name("leslie"), Path::root()).await.unwrap();
    assert_eq!(world.engine.devices(&lee).len(), 8, "R10");
    let refusing = world.engine.remove_user(operator(), &lee, Removal::RefuseWithDevices).await;
    assert_eq!(refused(refusing), Rejection::PrincipalHasDevices, "R76");
    let admin = world.user("admin").await;
    let by_admin = Request::by(Caller::at_console(admin.clone(), None));
    world.engine.remove_user(by_admin, &lee, Removal::TakeDevices).await.unwrap();
    let told = events(&*world.journal).into_iter().filter_map(|(_, event)| match event {
        Event::DeviceDeactivated(gone) => Some((gone.reason, gone.by.who)),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), vec![(DeactivateReason::OwnerRemoved, Some(admin.stream())); 8]);
    let account = world.engine.account(world.account).unwrap();
    assert_eq!((account.users, account.virtual_devices, account.devices_in_use), (1, 0, 0));
    assert!(phones.iter().all(|phone| world.engine.device(&phone.serial).is_none()));
}
