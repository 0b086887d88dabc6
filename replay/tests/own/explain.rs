//! Every recorded decision is explained, and comes out the same when it is made again.

use std::collections::BTreeMap;

use countersign_domain::event::Purpose;
use countersign_domain::ids::Position;
use countersign_domain::policy::{CodeOrder, Policy};
use countersign_replay::own::OpenJournal;
use countersign_replay::own::explain::{Explanation, Which, explain};

use crate::verify::play;
use crate::world::World;

fn at_the_end(world: &World) -> Explanation {
    let last = Position(world.journal.head().0 - 1);
    explain(&OpenJournal(&*world.journal), Which::At(last), &world.policy).unwrap()
}

#[test]
fn every_decision_is_the_same_when_it_is_made_again() {
    let increasing = Policy { code_order: CodeOrder::Increasing, ..Policy::classic() };
    for policy in [Policy::classic(), Policy::modern(), Policy::strict(), increasing] {
        let mut world = World::in_memory(policy.clone());
        play(&mut world, 5, 14);
        let mut verdicts: BTreeMap<&str, u32> = BTreeMap::new();
        for position in 0..world.journal.head().0 {
            let which = Which::At(Position(position));
            let found = explain(&OpenJournal(&*world.journal), which, &policy).unwrap();
            assert_eq!(found.entries.iter().filter(|entry| entry.asked).count(), 1);
            assert!(found.entries.iter().all(|entry| !entry.says.is_empty()));
            assert_ne!(found.again.verdict, "differs", "{found:#?}");
            *verdicts.entry(found.again.verdict).or_default() += 1;
        }
        assert!(verdicts["same"] > verdicts["cannot_tell"], "{verdicts:?}");
    }
}

#[test]
fn a_refused_code_is_wrong_used_early_late_or_locked() {
    let mut world = World::in_memory(Policy::classic());
    let lee = world.user("lee", 1);
    let phone = world.create("phone");
    world.enable(&lee, &phone, 2).unwrap();
    let mut says = Vec::new();
    for code in [Some(2), Some(2), None, Some(9), Some(-6)] {
        world.verify(&lee, &phone, code, Purpose::StepUp).unwrap_or_else(|error| panic!("{error}"));
        let found = at_the_end(&world);
        assert_eq!(found.again.verdict, "same", "{found:#?}");
        let code = found.code.unwrap();
        says.push((code.verdict, code.steps));
    }
    let expected = [("used", None), ("used", None), ("wrong", None), ("early", Some(7)), ("late", Some(-8))];
    assert_eq!(says, expected);
    for _ in 0..5 {
        world.verify(&lee, &phone, None, Purpose::StepUp).unwrap();
    }
    let found = at_the_end(&world);
    assert_eq!((found.code.unwrap().verdict, found.rule.unwrap().cites), ("locked", "R91"));
    assert_eq!((found.before[0].codes_used, found.before[0].offset_steps), ([9, 9], 2));
}

#[test]
fn of_a_device_that_is_gone_it_says_so_and_what_was_recorded() {
    let mut world = World::in_memory(Policy::classic());
    let lee = world.user("lee", 1);
    let phone = world.create("phone");
    world.enable(&lee, &phone, 2).unwrap();
    world.verify(&lee, &phone, Some(9), Purpose::StepUp).unwrap();
    let refused = Which::At(Position(world.journal.head().0 - 1));
    assert_eq!(at_the_end(&world).seed_destroyed, None);
    world.wait_s(3600);
    world.deactivate(&lee, &phone).unwrap();
    let explained = || explain(&OpenJournal(&*world.journal), refused, &Policy::classic()).unwrap();
    assert_eq!(explained().seed_destroyed, None, "who enables it again needs it");
    world.delete(&phone).unwrap();
    // A device of the same name has another seed.
    world.create("phone");
    let found = explain(&OpenJournal(&*world.journal), refused, &Policy::classic()).unwrap();
    assert_eq!((found.again.verdict, found.code.unwrap().verdict), ("same", "early"));
    let gone = found.seed_destroyed.unwrap();
    assert_eq!((gone.serial, gone.time), (phone.to_string(), "2023-11-14T23:14:10Z".to_owned()));
}

#[test]
fn under_another_policy_the_difference_is_said() {
    let mut world = World::in_memory(Policy::classic());
    let lee = world.user("lee", 1);
    let phone = world.create("phone");
    world.enable(&lee, &phone, 0).unwrap();
    world.wait_s(120);
    world.verify(&lee, &phone, Some(2), Purpose::StepUp).unwrap();
    let last = Which::At(Position(world.journal.head().0 - 1));
    let found = explain(&OpenJournal(&*world.journal), last, &Policy::strict()).unwrap();
    assert_eq!(found.again.verdict, "differs");
    assert_eq!(found.again.why.as_deref(), Some("under this policy: refused, early (code refused)"));
}

#[test]
fn an_entry_is_named_by_its_position_or_its_command() {
    let mut world = World::in_memory(Policy::classic());
    world.user("lee", 1);
    let log = &OpenJournal(&*world.journal);
    let by_command = Which::parse("00000000-0000-0000-0000-000000000002").unwrap();
    let found = explain(log, by_command, &Policy::classic()).unwrap();
    assert_eq!(found.entries.len(), 3);
    assert_eq!(Which::parse("17"), Ok(Which::At(Position(17))));
    assert!(Which::parse("seventeen").is_err());
    assert!(explain(log, Which::At(Position(99)), &Policy::classic()).unwrap_err().is_usage());
}
