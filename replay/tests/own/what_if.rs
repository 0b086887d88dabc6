//! A history under another policy.

use countersign_domain::caller::Caller;
use countersign_domain::event::Purpose;
use countersign_domain::ids::PrincipalId;
use countersign_domain::policy::{CodeOrder, Policy};
use countersign_replay::own::OpenJournal;
use countersign_replay::own::what_if::{WhatIf, what_if, what_if_listing};

use crate::verify::play;
use crate::world::{World, account};

fn run(world: &World, instead: &Policy) -> WhatIf {
    what_if(&OpenJournal(&*world.journal), &world.policy, instead).unwrap()
}

fn kinds(found: &WhatIf) -> Vec<(&str, &str)> {
    found.otherwise.iter().map(|one| (one.kind, one.instead.as_str())).collect()
}

#[test]
fn under_its_own_policy_a_history_comes_out_the_same() {
    for policy in [Policy::classic(), Policy::modern(), Policy::strict()] {
        let mut world = World::in_memory(policy.clone());
        play(&mut world, 6, 25);
        let found = run(&world, &policy);
        assert_eq!((kinds(&found), found.same), (vec![], found.decided), "{found:#?}");
        assert!(found.decided > 100);
    }
}

/// Lee's phone runs two steps ahead of what was learned; then lee mistypes eight times.
fn lees() -> World {
    let mut world = World::in_memory(Policy::classic());
    let lee = world.user("lee", 1);
    let phone = world.create("phone");
    world.enable(&lee, &phone, 0).unwrap();
    world.wait_s(200);
    world.verify(&lee, &phone, Some(2), Purpose::StepUp).unwrap();
    world.verify(&lee, &phone, Some(1), Purpose::StepUp).unwrap();
    world.wait_s(200);
    for _ in 0..8 {
        world.verify(&lee, &phone, None, Purpose::StepUp).unwrap();
    }
    world
}

#[test]
fn a_smaller_budget_locks_and_a_narrower_window_asks_for_a_resync() {
    let world = lees();
    let fewer = run(&world, &Policy { code_attempts_max: 6, ..Policy::classic() });
    // The first one that is not looked at is recorded; the log has the next one, which would not have been either.
    assert_eq!(kinds(&fewer), [("locked", "locked"), ("locked", "locked")]);
    assert_eq!(fewer.principals, 1);
    let narrow = run(&world, &Policy { code_window_steps: 1, ..Policy::classic() });
    assert_eq!(kinds(&narrow), [("asked_to_resync", "early")]);
    let forwards = run(&world, &Policy { code_order: CodeOrder::Increasing, ..Policy::classic() });
    // One refusal more, and the third one in a row comes one code earlier.
    assert_eq!(kinds(&forwards), [("refused", "used"), ("asked_to_resync", "a resync would be offered")]);
    let patient = run(&world, &Policy { misses_before_resync: 2, ..Policy::classic() });
    assert_eq!(kinds(&patient), [("asked_to_resync", "a resync would be offered")]);
    let wide = run(&world, &Policy { pair_back_steps: 1000, ..Policy::classic() });
    assert_eq!(kinds(&wide), []);
}

/// The end of a budget does not say who spent it; of root's device it was root, whom no operator may act for (R44).
#[test]
fn the_end_of_a_budget_of_roots_pairs_comes_out_the_same() {
    let mut world = World::in_memory(Policy::classic());
    let root = PrincipalId::Root(account());
    world.caller = Some(Caller::at_console(root.clone(), Some(world.now)));
    let phone = world.create("phone");
    world.enable(&root, &phone, 0).unwrap();
    world.wait_s(200);
    for _ in 0..=Policy::classic().pair_attempts_max {
        world.resync(&root, &phone, 5_000).unwrap();
    }
    let found = run(&world, &Policy::classic());
    assert_eq!((kinds(&found), found.same), (vec![], found.decided), "{found:#?}");
}

#[test]
fn of_very_many_the_first_are_listed_and_all_are_counted() {
    let world = lees();
    let fewer = Policy { code_attempts_max: 6, ..Policy::classic() };
    let log = &OpenJournal(&*world.journal);
    let (all, first) = (run(&world, &fewer), what_if_listing(log, &world.policy, &fewer, 1).unwrap());
    assert_eq!((all.differing, all.otherwise.len()), (2, 2));
    assert_eq!((first.differing, first.otherwise.as_slice()), (2, &all.otherwise[..1]));
    assert_eq!((first.kinds, first.principals), (all.kinds, all.principals));
}

#[test]
fn fewer_devices_refuse_and_what_follows_is_set_apart() {
    let mut world = World::in_memory(Policy::modern());
    let lee = world.user("lee", 1);
    let (one, two) = (world.create("one"), world.create("two"));
    world.enable(&lee, &one, 0).unwrap();
    world.enable(&lee, &two, 0).unwrap();
    world.wait_s(200);
    world.verify(&lee, &two, Some(0), Purpose::StepUp).unwrap();
    world.verify(&lee, &one, Some(0), Purpose::StepUp).unwrap();
    let found = run(&world, &Policy::classic());
    assert_eq!(kinds(&found), [("refused", "the principal has as many devices as it may have")]);
    assert_eq!(found.cannot_tell.values().sum::<u64>(), 1, "{found:#?}");
    assert_eq!(found.same + 1, found.decided);
}

#[test]
fn sessions_without_mfa_would_have_been_asked_to_step_up() {
    let mut world = World::in_memory(Policy::classic());
    let lee = world.user("lee", 1);
    let one = world.create("one");
    world.enable(&lee, &one, 0).unwrap();
    world.caller = Some(Caller::with_key(lee.clone()));
    world.deactivate(&lee, &one).unwrap();
    let found = run(&world, &Policy { self_management_needs_mfa: true, ..Policy::classic() });
    let [one] = found.otherwise.as_slice() else { panic!("{found:#?}") };
    assert_eq!((one.kind, one.id.as_str()), ("asked_to_step_up", "123456789012/lee#1"));
}

#[test]
fn what_was_not_looked_at_cannot_be_told() {
    let mut world = World::in_memory(Policy::classic());
    let lee = world.user("lee", 1);
    let phone = world.create("phone");
    world.enable(&lee, &phone, 0).unwrap();
    for _ in 0..10 {
        world.verify(&lee, &phone, None, Purpose::StepUp).unwrap();
    }
    let found = run(&world, &Policy { code_attempts_max: 100, ..Policy::classic() });
    assert_eq!(kinds(&found), []);
    let why: Vec<&str> = found.cannot_tell.keys().copied().collect();
    assert_eq!(why, ["the code was not looked at when it was typed"]);
    let other_steps = Policy { step_s: 60, ..Policy::classic() };
    let log = &OpenJournal(&*world.journal);
    assert!(what_if(log, &world.policy, &other_steps).unwrap_err().is_usage());
}
