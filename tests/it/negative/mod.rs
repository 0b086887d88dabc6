//! What must not happen, from the list of defects that other systems had (NT numbers) as far as it is
//! about the life of devices and the door. Where each is shown:
//!
//! | NT | what must not happen | shown by |
//! |---|---|---|
//! | 01 | a code counts twice | [`a_code_of_any_step_of_the_window_counts_once`] |
//! | 02 | a code counts again in the next interval or after drift | [`a_used_code_stays_used_while_the_window_moves_and_after_a_resync`] |
//! | 03 | a code, an assertion or a sent code counts twice when sent at once | `races::a_fresh_code_sent_by_sixteen_clients_…`, `races::door` |
//! | 04, 19 | odd forms of a code count, or as another one | [`what_is_not_six_digits_is_no_code`] |
//! | 05 | an older code counts after a newer one, where codes go forwards | [`strict_codes_go_forwards_only`] |
//! | 06 | a resync takes used, equal, swapped or gapped codes | [`a_resync_takes_two_fresh_consecutive_codes_and_nothing_else`] |
//! | 07 | a pair's codes sign in; one device's use spends another's code | [`codes_of_no_accepted_pair_sign_in`], [`equal_codes_of_two_devices_are_spent_apart`] |
//! | 08 | a restart or a clock set back opens used codes | [`a_restart_or_a_clock_set_back_opens_nothing`] |
//! | 09 | recovery counts twice, by halves, or after starting over | [`recovery`] |
//! | 10 | a challenge of a key is answered twice, late, by another, in another sign-in or ceremony | [`keys::a_registration_is_answered_once_and_by_whom_it_is_for`] and the four after it |
//! | 11, 15 | more guesses than allowed, through whichever door | `races::nine_of_sixty_four_…`, `races::door::five_of_sixty_four_…` |
//! | 12, 13 | a failure is not recorded | [`every_refusal_is_in_the_log_and_counts_after_a_restart`] |
//! | 14 | another session, sign-in or id refreshes the budget | [`neither_another_caller_nor_an_id_nor_a_new_life_refreshes_the_budget`], [`sign_in::a_sign_in_spends_the_devices_budget_and_another_one_gives_none_back`], [`messages::codes_are_sent_five_times_in_a_quarter_of_an_hour_whatever_they_are_for`] |
//! | 16 | a variant of a name has a budget of its own | the first of these |
//! | 17 | a locked device tells whether a code is right; passwords lock devices | [`a_locked_device_answers_right_and_wrong_codes_alike`], [`sign_in::passwords_and_the_second_factor_leave_each_other_alone`] |
//! | 18 | the wide search lets more codes in | [`the_window_is_two_steps_wide_whatever_a_resync_may_search`] |
//! | 20 | comparison in varying time | unit tests of the ceremony: every counter of the window is tried |
//! | 21 | devices change without MFA | [`devices::a_user_with_a_device_needs_mfa_to_change_devices`], [`matrix::a_session_of_the_first_factor_changes_no_device`] |
//! | 22 | an enrolment is finished by a stranger or late, or disturbs what is active | [`devices::an_enrolment_is_finished_in_its_account_and_disturbs_nothing`], [`keys::two_registrations_that_are_open_at_once_disturb_neither_each_other_nor_the_active_device`], [`messages::an_enrolment_is_finished_by_whom_it_is_for_in_its_time_and_counts_from_then_on`] |
//! | 23 | an unproven or removed device counts | [`devices::a_device_counts_from_its_enabling_to_its_deactivation`], [`keys::a_key_counts_from_the_end_of_its_registration_to_its_deactivation`], [`messages::a_phone_that_was_taken_away_counts_no_more_at_once_and_its_code_is_dead`], [`sign_in::a_device_that_goes_takes_its_open_sign_ins_along`] |
//! | 24 | a serial number's old life shines through | [`devices::a_name_that_is_used_again_starts_clean`], the third of those above |
//! | 25 | root's device is changed by another, or anybody's through the wrong door | [`devices::roots_device_changes_in_roots_own_console_only`], [`matrix`] |
//! | 26 | a seed that cannot be opened lets in; other rules let in with less | [`devices::a_device_whose_key_is_destroyed_lets_nobody_in`], [`settings`], [`messages::sms_is_offered_by_the_policy_and_the_accounts_eligibility_and_existing_ones_go_on`], [`messages::sms_is_never_roots`] |
//! | 27 | factors vanish silently | [`devices::renaming_and_removing_a_user_drop_no_device_silently`], [`sign_in::a_deactivation_says_who_and_why_for_every_kind`] |
//! | 28 | a key answers for another page, party or challenge, or untouched | [`keys::an_answer_for_another_page_party_challenge_or_without_a_touch_is_refused_and_recorded`] |
//! | 29 | a copied key goes unnoticed, or one without a counter is taken for a copy | [`keys::a_counter_that_goes_back_makes_a_key_suspect_and_its_others_stay_good`] and the three after it |
//! | 30 | one credential, two devices | [`keys::a_credential_is_registered_once_anywhere_and_free_again_afterwards`] |
//! | 31 | a session has more than was proven for it | [`sign_in::each_sign_in_is_a_new_one_and_rests_on_what_was_proven_in_it`], [`recovery::recovered_root_takes_the_lost_device_away_and_a_bare_session_does_not`] |
//! | 32 | a refusal tells what was wrong | [`sign_in::a_key_is_refused_alike_whatever_is_wrong_with_it`] |
//! | 41 | an older code counts after another was sent, or after a success | [`messages::a_new_code_makes_the_older_one_worthless`] |
//! | 44 | a code for one thing counts for another | [`messages::a_code_counts_for_what_it_was_sent_for`], [`recovery::one_factors_code_is_none_for_the_other`] |

mod devices;
mod keys;
mod matrix;
mod messages;
mod recovery;
mod settings;
mod sign_in;

use std::sync::Arc;

use countersign::domain::event::{CodeFault, Event, PairFault};
use countersign::store::{EphemeralKeyRing, MemoryBackend, MemoryJournal, Options};
use countersign::*;

use crate::support::{Phone, START_S, World, narrow, operator, typed};

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
