//! The test kit: the engine does what its model says, and what the kit is for is found.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

use countersign::store::faults::Operation;
use countersign::testing::{Deed, Device, Histories, Outcome, Story, Typed, With, World};
use countersign::{Clock, PairCodes, Policy, Purpose, UnixMillis};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestError, TestRunner};
use proptest_state_machine::{ReferenceStateMachine, prop_state_machine};

fn cases() -> u32 {
    std::env::var("COUNTERSIGN_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(48)
}

prop_state_machine! {
    #![proptest_config(Config { cases: cases(), max_shrink_iters: 2000, ..Config::default() })]
    #[test]
    fn the_engine_does_what_the_model_says(sequential 1..150 => World);
}

const BY_CODE: Deed = Deed::SignIn { user: "lee", with: With::Code("phone", Typed::Shown(0)) };

fn equipped() -> [Deed; 4] {
    [
        Deed::AddUser("lee"),
        Deed::CreateApp("phone"),
        Deed::Enable { user: "lee", app: "phone", codes: Typed::Shown(0) },
        Deed::Wait { seconds: 30 },
    ]
}

#[test]
fn a_lost_phone_is_replaced() {
    Story::under(Policy::classic())
        .given(equipped())
        .when(BY_CODE)
        .then(Outcome::SignedIn(Some(Device::App("phone"))))
        .when(Deed::Deactivate { user: "lee", device: Device::App("phone") })
        .when(Deed::SignIn { user: "lee", with: With::Password })
        .then(Outcome::SignedIn(None))
        .given([Deed::DeleteApp("phone"), Deed::CreateApp("tablet")])
        .when(Deed::Enable { user: "lee", app: "tablet", codes: Typed::Wrong })
        .then(Outcome::Refused)
        .when(Deed::Enable { user: "lee", app: "tablet", codes: Typed::Shown(0) })
        .then(Outcome::Accepted)
        .when(BY_CODE)
        .then(Outcome::Rejected(302, None))
        .ends();
}

#[test]
fn a_guesser_is_locked_out_until_the_window_ends() {
    let guess = Deed::Verify { user: "lee", app: "phone", code: Typed::Wrong, purpose: Purpose::SignIn };
    let mut story = Story::under(Policy::classic()).given(equipped());
    for _ in 0..9 {
        story = story.when(guess).then(Outcome::Refused);
    }
    let until = UnixMillis::from_secs(1_700_000_100);
    let story = story.when(guess).then(Outcome::Locked(until)).when(BY_CODE).then(Outcome::Locked(until));
    let story = story.when(Deed::Jump);
    assert_eq!(story.world().clock().now(), until);
    story.when(BY_CODE).then(Outcome::SignedIn(Some(Device::App("phone")))).ends();
}

#[test]
fn a_key_is_touched_and_its_copy_is_found_out() {
    let touch = Deed::SignIn { user: "lee", with: With::Touch("blue") };
    Story::under(Policy::strict())
        .given([Deed::AddUser("lee"), Deed::EnrolKey { user: "lee", key: "blue" }])
        .when(touch)
        .then(Outcome::SignedIn(Some(Device::Key("blue"))))
        .when(Deed::SignIn { user: "lee", with: With::Copy("blue") })
        .then(Outcome::Refused)
        .when(touch)
        .then(Outcome::Refused)
        .ends();
}

#[test]
fn a_code_comes_to_a_telephone_through_a_crash() {
    let text = Deed::SignIn { user: "lee", with: With::Text("flip") };
    Story::under(Policy::classic())
        .given([Deed::AddUser("lee"), Deed::EnrolHandset { user: "lee", handset: "flip" }])
        .when(text)
        .then(Outcome::Rejected(405, Some(UnixMillis::from_secs(1_700_000_050))))
        .given([Deed::Jump, Deed::Crash { kept: 1 }])
        .when(text)
        .then(Outcome::SignedIn(Some(Device::Handset("flip"))))
        .ends();
}

/// A check that cannot fail is none: an engine of other rules than the model's is found out, by a history that is short.
#[test]
fn an_engine_of_other_rules_is_found_out() {
    let found = |change: fn(Policy) -> Policy| {
        let (rng_seed, max_shrink_iters) = (RngSeed::Fixed(7), 5000);
        let config = Config { cases: 400, rng_seed, max_shrink_iters, failure_persistence: None, ..Config::default() };
        let failed =
            TestRunner::new(config).run(&Histories::sequential_strategy(1..100), |(mut model, deeds, seen)| {
                let mut world = World::new(change(model.policy().clone()));
                for deed in &deeds {
                    seen.iter().for_each(|seen| seen.store(seen.load(Ordering::SeqCst) + 1, Ordering::SeqCst));
                    let outcome = model.perform(deed);
                    prop_assert_eq!(world.perform(deed), outcome);
                }
                Ok(())
            });
        match failed {
            Err(TestError::Fail(_, (_, deeds, _))) => deeds,
            other => panic!("not found out: {other:?}"),
        }
    };
    // A user, an app, the pair; then a code that is too early, one guess too many, or a code of the pair.
    let early = found(|rules| Policy { code_window_steps: rules.code_window_steps + 1, ..rules });
    assert!((4..=6).contains(&early.len()), "{early:?}");
    let guess = found(|rules| Policy { code_attempts_max: rules.code_attempts_max + 1, ..rules });
    assert!((9..=20).contains(&guess.len()), "{guess:?}");
    let pair = found(|rules| Policy { pair_codes_at_sign_in: PairCodes::OnceMore, ..rules });
    assert_eq!(pair.len(), 4, "{pair:?}");
}

#[test]
fn a_disk_that_fails_stops_the_engine_and_keeps_what_was_acknowledged() {
    for operation in [Operation::Commit, Operation::CommitAfterWriting] {
        let mut world = World::new(Policy::classic());
        for deed in equipped() {
            world.perform(&deed);
        }
        world.disk().fail_next(operation);
        assert!(matches!(world.perform(&Deed::AddUser("dana")), Outcome::Failed(_)));
        assert!(matches!(world.perform(&Deed::AddUser("kim")), Outcome::Failed(_)), "it takes nothing more");
        world.perform(&Deed::Crash { kept: 0 });
        let kept = world.engine().users(world.account(), None, 10).len();
        assert_eq!(kept, if operation == Operation::Commit { 1 } else { 2 }, "{operation:?}");
        assert_eq!(world.perform(&BY_CODE), Outcome::SignedIn(Some(Device::App("phone"))));
        assert_eq!(world.broken_laws(), []);
    }
}

#[test]
fn a_disk_that_is_held_delays_the_answer() {
    let mut world = World::new(Policy::classic());
    let held = world.disk().hold();
    let (engine, account) = (world.engine().clone(), world.account());
    let asked = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let by = countersign::Request::by(countersign::Caller::operator());
        let id = countersign::UserId::new("AIDADANA").unwrap();
        let name = countersign::DeviceName::new("dana").unwrap();
        runtime.block_on(engine.register_user(by, account, id, name, countersign::Path::root())).is_ok()
    });
    assert!(!asked.is_finished());
    assert_eq!(world.engine().users(account, None, 10).len(), 0);
    drop(held);
    assert!(asked.join().unwrap());
    assert_eq!(world.perform(&Deed::AddUser("dana")), Outcome::Rejected(205, None));
}

#[test]
fn derived_rows_are_torn_off_and_made_again() {
    for kept in 0..4 {
        let mut world = World::new(Policy::classic());
        for deed in equipped() {
            world.perform(&deed);
        }
        assert!(world.perform(&BY_CODE).is_in());
        // A start and an end bring what is derived up to date.
        let left = world.disk().crash_at(Operation::Sync, 0, kept);
        world.perform(&Deed::Restart);
        assert!(world.disk().unsynced() == 0);
        world.resume(left.take().expect("it was synced"));
        assert_eq!(world.devices("lee"), [Device::App("phone")]);
        assert_eq!(world.perform(&BY_CODE), Outcome::Refused, "the code is spent");
        assert_eq!(world.broken_laws(), []);
    }
}

#[test]
fn a_story_says_where_it_went_wrong() {
    let told = catch_unwind(AssertUnwindSafe(|| {
        Story::under(Policy::classic()).given(equipped()).when(BY_CODE).then(Outcome::Refused).ends();
    }));
    let told = *told.unwrap_err().downcast::<String>().unwrap();
    assert!(told.starts_with("Refused should have come of the last deed:\n  AddUser(\"lee\") -> Done"), "{told}");
    let impossible = catch_unwind(AssertUnwindSafe(|| Story::under(Policy::classic()).given([BY_CODE]).ends()));
    assert!(impossible.is_err());
}
