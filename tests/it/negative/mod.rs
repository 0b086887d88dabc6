//! What must not happen, from the list of defects that other systems had (NT numbers) as far as it is
//! about the life of TOTP devices. Where each is shown:
//!
//! | NT | what must not happen | shown by |
//! |---|---|---|
//! | 01 | a code counts twice | [`a_code_of_any_step_of_the_window_counts_once`] |
//! | 02 | a code counts again in the next interval or after drift | [`a_used_code_stays_used_while_the_window_moves_and_after_a_resync`] |
//! | 03 | a code counts twice when sent at once | `races::a_fresh_code_sent_by_sixteen_clients_…` |
//! | 04, 19 | odd forms of a code count, or as another one | [`what_is_not_six_digits_is_no_code`] |
//! | 05 | an older code counts after a newer one, where codes go forwards | [`strict_codes_go_forwards_only`] |
//! | 06 | a resync takes used, equal, swapped or gapped codes | [`a_resync_takes_two_fresh_consecutive_codes_and_nothing_else`] |
//! | 07 | a pair's codes sign in; one device's use spends another's code | [`codes_of_no_accepted_pair_sign_in`], [`equal_codes_of_two_devices_are_spent_apart`] |
//! | 08 | a restart or a clock set back opens used codes | [`a_restart_or_a_clock_set_back_opens_nothing`] |
//! | 09, 10 | recovery codes, WebAuthn | with those ceremonies |
//! | 11, 15 | more guesses than allowed, through whichever door | `races::nine_of_sixty_four_…` |
//! | 12, 13 | a failure is not recorded | [`every_refusal_is_in_the_log_and_counts_after_a_restart`] |
//! | 14 | another session or id refreshes the budget | [`neither_another_caller_nor_an_id_nor_a_new_life_refreshes_the_budget`] |
//! | 16 | a variant of a name has a budget of its own | the same |
//! | 17 | a locked device tells whether a code is right | [`a_locked_device_answers_right_and_wrong_codes_alike`] |
//! | 18 | the wide search lets more codes in | [`the_window_is_two_steps_wide_whatever_a_resync_may_search`] |
//! | 20 | comparison in varying time | unit tests of the ceremony: every counter of the window is tried |
//! | 21 | devices change without MFA | [`a_user_with_a_device_needs_mfa_to_change_devices`] |
//! | 22 | an enrolment is finished by a stranger, or disturbs what is active | [`an_enrolment_is_finished_in_its_account_and_disturbs_nothing`], races |
//! | 23 | an unproven or removed device counts | [`a_device_counts_from_its_enabling_to_its_deactivation`] |
//! | 24 | a serial number's old life shines through | [`a_name_that_is_used_again_starts_clean`] |
//! | 25 | root's device is changed by another | [`roots_device_changes_in_roots_own_console_only`] |
//! | 26 | a seed that cannot be opened lets in | [`a_device_whose_key_is_destroyed_lets_nobody_in`], and the one after it; SMS with its ceremony |
//! | 27 | factors vanish silently | [`renaming_and_removing_a_user_drop_no_device_silently`] |

use std::sync::Arc;

use countersign::domain::event::{CodeFault, Event, PairFault};
use countersign::store::{EphemeralKeyRing, Journal, MemoryBackend, MemoryJournal, Options};
use countersign::*;

use crate::support::{Phone, START_S, World, events, name, narrow, operator, typed};

const WRONG: Result<Proof, Error> = Ok(Proof::Refused(Refusal::Wrong));
const TAKEN: Result<Proof, Error> = Ok(Proof::Accepted);

fn is_locked(answer: &Result<Proof, Error>) -> bool {
    matches!(answer, Ok(Proof::Refused(Refusal::Locked { .. })))
}

fn refused<T: std::fmt::Debug>(answer: Result<T, Error>) -> Rejection {
    answer.unwrap_err().rejection().unwrap().clone()
}

// ---- codes ----

#[tokio::test]
async fn a_code_of_any_step_of_the_window_counts_once() {
    let world = World::new(Policy::classic()).await;
    let (lee, phone) = world.equipped("lee").await;
    world.clock.advance_s(600);
    for steps in [-2, 2, -1, 0] {
        let then = world.now().checked_add_signed(steps * 30).unwrap();
        assert_eq!(world.sign_in(&lee, &phone, then).await, TAKEN, "{steps}");
        assert_eq!(world.sts(&lee, &phone, then).await, WRONG, "{steps}, again");
    }
}

#[tokio::test]
async fn a_used_code_stays_used_while_the_window_moves_and_after_a_resync() {
    let world = World::new(Policy::classic()).await;
    let (lee, phone) = world.equipped("lee").await;
    world.clock.advance_s(600);
    let used = world.now() + 60;
    assert_eq!(world.sign_in(&lee, &phone, used).await, TAKEN);
    for _ in 0..4 {
        world.clock.advance_s(29);
        assert_eq!(world.sign_in(&lee, &phone, used).await, WRONG, "at {}", world.now());
    }
    assert_eq!(world.resync(&lee, &phone, used + 30).await, TAKEN, "R90: a spent code may be half of a pair");
    assert_eq!(world.sts(&lee, &phone, used).await, WRONG, "a resync un-spends nothing");
}

#[test]
fn what_is_not_six_digits_is_no_code() {
    let long = "1".repeat(10_000);
    let odd = [
        "",
        " 123456",
        "123456 ",
        "123 456",
        "12345",
        "1234567",
        "+12345",
        "-12345",
        "12345a",
        "123456\0",
        "１２３４５６",
    ];
    for text in odd.into_iter().chain(["١٢٣٤٥٦", "\u{200b}123456", "0x1234", &long]) {
        assert!(Code::parse(text).is_err(), "{text:?}");
    }
    assert!(Code::parse("000012").is_ok(), "leading zeros are kept");
}

#[tokio::test]
async fn strict_codes_go_forwards_only() {
    let world = World::new(Policy::strict()).await;
    let (lee, phone) = world.equipped("lee").await;
    world.clock.advance_s(300);
    let now = world.now();
    assert_eq!(world.sign_in(&lee, &phone, now).await, TAKEN);
    assert_eq!(world.sign_in(&lee, &phone, now - 30).await, WRONG, "older than the last one");
    assert_eq!(world.sign_in(&lee, &phone, now + 30).await, TAKEN);
    assert_eq!(world.enable(&lee, &world.phone("late").await, now - 300).await, WRONG, "A1: late pairs are refused");
}

#[tokio::test]
async fn a_resync_takes_two_fresh_consecutive_codes_and_nothing_else() {
    let world = World::new(Policy::classic()).await;
    let (lee, phone) = world.equipped("lee").await;
    let send = |first: u64, second: u64| {
        let (first, second) = (phone.at(first), phone.at(second));
        world.engine.resync(operator(), &lee, &phone.serial, first, second)
    };
    let refused = Proof::Refused(Refusal::Wrong);
    let now = START_S;
    assert_eq!(send(now - 30, now).await.unwrap().value, refused, "the pair that enabled it");
    assert_eq!(send(now, now + 30).await.unwrap().value, refused, "half of that pair");
    assert_eq!(send(now + 60, now + 60).await.unwrap().value, refused, "one code twice");
    assert_eq!(send(now + 60, now + 30).await.unwrap().value, refused, "swapped");
    assert_eq!(send(now + 30, now + 90).await.unwrap().value, refused, "with a gap");
    assert_eq!(send(now - 90, now - 60).await.unwrap().value, refused, "from before");
    assert_eq!(send(now + 30, now + 60).await.unwrap().value, Proof::Accepted);
    let newer = |event: &Event| matches!(event, Event::ResyncRefused(e) if e.fault == PairFault::NotNewer);
    assert_eq!(world.count(newer), 3, "the log tells old pairs from wrong ones");
}

#[tokio::test]
async fn codes_of_no_accepted_pair_sign_in() {
    let world = World::new(Policy::classic()).await;
    let (lee, phone) = world.equipped("lee").await;
    let enabled = world.now();
    world.clock.advance_s(30);
    assert_eq!(world.resync(&lee, &phone, enabled + 60).await, TAKEN);
    for then in [enabled + 60, enabled + 30, enabled] {
        assert_eq!(world.sign_in(&lee, &phone, then).await, WRONG, "{}", then - enabled);
    }
    assert_eq!(world.sts(&lee, &phone, enabled).await, TAKEN, "R90: once each at STS");
    assert_eq!(world.sts(&lee, &phone, enabled).await, WRONG);
}

/// Two tokens with one secret show the same codes; each has a life of its own.
#[tokio::test]
async fn equal_codes_of_two_devices_are_spent_apart() {
    let world = World::new(narrow(Policy::modern())).await;
    let secret = vec![0x5a; 20];
    let mut tokens = Vec::new();
    for serial in ["GAHT00000001", "GAHT00000002", "GAHT00000003"] {
        let serial = Serial::new(serial).unwrap();
        let seed = Seed::new(secret.clone()).unwrap();
        world.engine.import_hardware_token(operator(), &serial, seed, "maker").await.unwrap();
        tokens.push(Phone { serial, secret: secret.clone() });
    }
    let (lee, dana) = (world.user("lee").await, world.user("dana").await);
    let held = [(&lee, &tokens[0]), (&lee, &tokens[1]), (&dana, &tokens[2])];
    for (who, token) in held {
        assert_eq!(world.enable(who, token, START_S).await, TAKEN);
    }
    world.clock.advance_s(90);
    for (who, token) in held {
        assert_eq!(world.sign_in(who, token, START_S + 90).await, TAKEN);
        assert_eq!(world.sign_in(who, token, START_S + 90).await, WRONG);
    }
    let other = world.sign_in(&dana, &tokens[0], START_S + 120).await;
    assert_eq!(refused(other), Rejection::DeviceNotYours, "another's device proves nothing");
}

#[tokio::test]
async fn a_restart_or_a_clock_set_back_opens_nothing() {
    let (backend, ring) = (MemoryBackend::new(), Arc::new(EphemeralKeyRing::new().unwrap()));
    let open = || Arc::new(MemoryJournal::with_backend(backend.clone(), ring.clone(), Options::default()).unwrap());
    let on = |journal| World::on(journal, ring.clone(), Policy::classic(), Limits::default());
    let world = on(open()).await;
    let (lee, phone) = world.equipped("lee").await;
    world.clock.advance_s(90);
    let used = world.now();
    assert_eq!(world.sign_in(&lee, &phone, used).await, TAKEN);
    world.engine.close().await.unwrap();
    drop(world);

    let world = on(open()).await;
    assert_eq!(world.now(), START_S, "the clock of the new start is behind");
    let behind = world.sign_in(&lee, &phone, used).await;
    assert_eq!(refused(behind), Rejection::ClockWentBack { latest: UnixMillis::from_secs(used) });
    world.clock.advance_s(60);
    assert_eq!(world.sign_in(&lee, &phone, used).await, WRONG, "within the tolerance, still used");
    assert_eq!(world.sign_in(&lee, &phone, used + 30).await, TAKEN);
}

#[tokio::test]
async fn the_window_is_two_steps_wide_whatever_a_resync_may_search() {
    let world = World::new(Policy::classic()).await;
    let (lee, phone) = world.equipped("lee").await;
    world.clock.advance_s(600);
    for steps in [-998, -40, -3, 3, 40, 1000] {
        let then = world.now().checked_add_signed(steps * 30).unwrap();
        assert_eq!(world.sign_in(&lee, &phone, then).await, WRONG, "{steps}");
    }
    let outside = |event: &Event| matches!(event, Event::CodeRefused(e) if e.fault == CodeFault::Outside);
    assert_eq!(world.count(outside), 6, "explained in the log, and not at the door");
    assert_eq!(world.engine.devices(&lee)[0].offset_steps, 0, "a refused code teaches nothing");
    for steps in [-2, 2] {
        let then = world.now().checked_add_signed(steps * 30).unwrap();
        assert_eq!(world.sign_in(&lee, &phone, then).await, TAKEN, "{steps}");
    }
}

// ---- guesses ----

#[tokio::test]
async fn every_refusal_is_in_the_log_and_counts_after_a_restart() {
    let (backend, ring) = (MemoryBackend::new(), Arc::new(EphemeralKeyRing::new().unwrap()));
    let open = || Arc::new(MemoryJournal::with_backend(backend.clone(), ring.clone(), Options::default()).unwrap());
    let on = |journal| World::on(journal, ring.clone(), narrow(Policy::classic()), Limits::default());
    let mut world = on(open()).await;
    let (lee, phone) = world.equipped("lee").await;
    for (tries, code) in (1..=9).zip(phone.wrong(START_S)) {
        assert_eq!(world.verify(&lee, &phone, code, Purpose::SignIn).await, WRONG);
        assert_eq!(world.count(|event| matches!(event, Event::CodeRefused(_))), tries);
        world.engine.close().await.unwrap();
        world = on(open()).await;
    }
    assert!(is_locked(&world.sign_in(&lee, &phone, START_S + 30).await));
    assert!(world.engine.devices(&lee)[0].locked_until.is_some());
}

#[tokio::test]
async fn neither_another_caller_nor_an_id_nor_a_new_life_refreshes_the_budget() {
    let world = World::new(narrow(Policy::classic())).await;
    let (lee, phone) = world.equipped("lee").await;
    let key = || Request::by(Caller::with_key(lee.clone()));
    let session = || Request::by(Caller::with_session(lee.clone(), Some(world.clock.now())));
    let console = || Request::by(Caller::at_console(lee.clone(), None));
    for (number, code) in (0..9).zip(phone.wrong(START_S)) {
        let faces = [key(), session(), console(), key().with_command(CommandId::from_bytes([number; 16]))];
        let request = faces[usize::from(number) % 4].clone();
        let answer = world.engine.verify_code(request, &lee, &phone.serial, code, Purpose::SignIn).await;
        assert_eq!(answer.unwrap().value, Proof::Refused(Refusal::Wrong));
    }
    assert!(is_locked(&world.sign_in(&lee, &phone, START_S + 30).await));
    let variant = Phone { serial: Serial::new(phone.serial.as_str().replace("lee", "LEE")).unwrap(), ..phone.clone() };
    let unknown = world.sign_in(&lee, &variant, START_S + 30).await;
    assert_eq!(refused(unknown), Rejection::DeviceNotYours, "a variant of the name is not the device");

    world.deactivate(&lee, &phone).await.unwrap();
    assert_eq!(world.enable(&lee, &phone, START_S + 60).await, TAKEN);
    assert!(is_locked(&world.sign_in(&lee, &phone, START_S + 30).await), "after it was enabled again");
    assert!(world.engine.devices(&lee)[0].locked_until.is_some());
    world.deactivate(&lee, &phone).await.unwrap();
    world.engine.delete_virtual_device(operator(), world.account, &phone.serial).await.unwrap();
    let again = world.phone("LEE").await;
    assert_eq!(world.enable(&lee, &again, START_S).await, TAKEN);
    assert!(is_locked(&world.sign_in(&lee, &again, START_S + 30).await), "R94: under the same name made anew");
    world.clock.advance_s(180);
    assert_eq!(world.sign_in(&lee, &again, world.now()).await, TAKEN, "until the window ends");
}

#[tokio::test]
async fn a_locked_device_answers_right_and_wrong_codes_alike() {
    let world = World::new(narrow(Policy::classic())).await;
    let (lee, phone) = world.equipped("lee").await;
    let mut wrong = phone.wrong(START_S);
    for code in wrong.by_ref().take(9) {
        assert_eq!(world.verify(&lee, &phone, code, Purpose::SignIn).await, WRONG);
    }
    let right = world.sign_in(&lee, &phone, START_S + 30).await;
    assert!(is_locked(&right));
    assert_eq!(right, world.verify(&lee, &phone, wrong.next().unwrap(), Purpose::SessionToken).await);
    assert_eq!(right, world.sign_in(&lee, &phone, START_S + 30).await, "nothing was spent by it");
    assert_eq!(world.count(|event| matches!(event, Event::CodeRefused(_) | Event::BudgetSpent(_))), 10);
}

// ---- devices ----

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
        let tried = world.engine.deactivate(by(), &root, &phone.serial, reason).await;
        assert_eq!(refused(tried), Rejection::ChannelNotAllowed, "{caller:?}");
    }
    let bare = world.engine.deactivate(own(), &root, &phone.serial, reason).await;
    assert_eq!(refused(bare), Rejection::SelfManagementNeedsMfa, "a session without a second factor");
    let proven = Request::by(Caller::at_console(root.clone(), Some(world.clock.now())));
    world.engine.deactivate(proven, &root, &phone.serial, reason).await.unwrap();
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

// ---- what several actors know of each other ----

#[tokio::test]
async fn a_principal_that_was_asked_for_before_it_existed_is_found_afterwards() {
    let world = World::new(narrow(Policy::classic())).await;
    let phone = world.phone("lee").await;
    let lee = world.principal("lee");
    assert_eq!(refused(world.enable(&lee, &phone, START_S).await), Rejection::PrincipalUnknown);
    world.user("lee").await;
    assert_eq!(world.enable(&lee, &phone, START_S).await, TAKEN);
}

#[tokio::test]
async fn a_quota_counts_what_other_actors_removed() {
    let policy = Policy { users_per_account_max: 1, virtual_devices_per_account_max: 1, ..narrow(Policy::classic()) };
    let world = World::new(policy).await;
    let (lee, _) = world.equipped("lee").await;
    world.engine.remove_user(operator(), &lee, Removal::TakeDevices).await.unwrap();
    let (dana, phone) = world.equipped("dana").await;
    assert_eq!(world.engine.device(&phone.serial).unwrap().owner, Some(dana));
}

#[tokio::test]
async fn a_command_id_answers_its_own_command_only() {
    let world = World::new(narrow(Policy::classic())).await;
    let (lee, phone) = world.equipped("lee").await;
    world.clock.advance_s(90);
    let id = |caller: Caller| Request::by(caller).with_command(CommandId::from_bytes([7; 16]));
    let send = |request: Request, code: Code| {
        let (engine, lee, serial) = (world.engine.clone(), lee.clone(), phone.serial.clone());
        async move { engine.verify_code(request, &lee, &serial, code, Purpose::SignIn).await.map(|ack| ack.value) }
    };
    let own = || Caller::with_key(lee.clone());
    let right = phone.at(world.now());
    assert_eq!(send(id(own()), right.clone()).await, TAKEN);
    assert_eq!(send(id(own()), right.clone()).await, TAKEN, "the same command");
    assert_eq!(send(id(own()), phone.wrong(world.now()).next().unwrap()).await, WRONG, "another code");
    assert_eq!(send(id(own()), typed(0)).await, WRONG, "and another");
    assert_eq!(send(id(Caller::with_key(world.principal("mallory"))), right).await, WRONG, "another caller");
}
