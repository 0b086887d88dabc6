//! Walking through a log, and making afresh what is derived from it.

use countersign_domain::event::Purpose;
use countersign_domain::ids::Version;
use countersign_domain::policy::Policy;
use countersign_domain::principal::SNAPSHOT_FORM;
use countersign_replay::own::OpenJournal;
use countersign_replay::own::rebuild::{compare, rebuild};
use countersign_replay::own::step::Walk;
use countersign_store::Snapshot;

use crate::medium::files;
use crate::verify::play;
use crate::world::World;

fn walked(world: &World, orders: &str) -> String {
    let mut out = Vec::new();
    let log = OpenJournal(&*world.journal);
    Walk::new(&log).run(orders.as_bytes(), &mut out, None).unwrap();
    String::from_utf8(out).unwrap()
}

fn lees() -> World {
    let mut world = World::in_memory(Policy::classic());
    let lee = world.user("lee", 1);
    let phone = world.create("phone");
    world.enable(&lee, &phone, 1).unwrap();
    world.wait_s(60);
    world.verify(&lee, &phone, Some(1), Purpose::StepUp).unwrap();
    world.verify(&lee, &phone, None, Purpose::StepUp).unwrap();
    world
}

#[test]
fn a_script_walks_forwards_and_back() {
    let said = walked(&lees(), "next\nn 2\nw\nb\ngoto 9\nshow lee\nback 2\nshow lee\nn 99\nquit\nnext\n");
    let expected = "\
2023-11-14T22:14:10Z [0] account 123456789012 was opened by the operator
2023-11-14T22:14:10Z [1] 123456789012/root was registered under the name `root`
2023-11-14T22:14:10Z [2] name claimed
2023-11-14T22:14:10Z [3] user added
2023-11-14T22:14:10Z [4] 123456789012/AIDA00000001 was registered under the name `lee`
2023-11-14T22:14:10Z [5] virtual device arn:aws:iam::123456789012:mfa/phone was created by the operator
2023-11-14T22:14:10Z [6] the seed of arn:aws:iam::123456789012:mfa/phone was stored
2023-11-14T22:14:10Z [7] device added
before position 8 of 12, 2023-11-14T22:14:10Z
before position 5 of 12, 2023-11-14T22:14:10Z
2023-11-14T22:14:10Z [8] arn:aws:iam::123456789012:mfa/phone was enabled for 123456789012/lee#1 by the operator: its clock is 1 step ahead of the server's
2023-11-14T22:14:10Z [9] arn:aws:iam::123456789012:mfa/phone was assigned to 123456789012/lee#1
123456789012/lee#1 enabled
  arn:aws:iam::123456789012:mfa/phone 1 steps ahead, 0 codes in its last window, 0 misses
before position 5 of 12, 2023-11-14T22:14:10Z
123456789012/lee#1 disabled
";
    assert!(said.starts_with(expected), "{said}");
    let rest = &said[expected.len()..];
    assert!(
        rest.ends_with("the log ends here\n") && rest.contains("was refused to 123456789012/lee#1 for a step-up"),
        "{rest}"
    );
}

#[test]
fn breakpoints_stop_at_principals_devices_and_events() {
    let said = walked(
        &lees(),
        "break event coderefused\nbreak principal 123456789012/lee#1\nbreak device mfa/phone\nclear 2\nc\nc\nc\nc\nc\n",
    );
    let stops: Vec<&str> = said.lines().filter(|line| line.starts_with("breakpoint")).collect();
    assert_eq!(
        stops[stops.len() - 5..],
        [
            "breakpoint 2: device mfa/phone",
            "breakpoint 2: device mfa/phone",
            "breakpoint 2: device mfa/phone",
            "breakpoint 1: event coderefused",
            "breakpoint 2: device mfa/phone",
        ]
    );
    assert!(said.ends_with("the log ends here\n"));
}

#[test]
fn a_wrong_order_is_answered_and_the_walk_goes_on() {
    let said = walked(&lees(), "dance\u{1b}[2J\nnext many\ngoto\ngoto 99\nbreak\nclear 1\nshow nobody\n\nwhere\n");
    let expected = "\
there is no order `dance\\u{1b}[2J`; `help` lists them
how many
goto which position
the log ends before position 12
break at which principal, device or event
there is no such breakpoint
there is no principal `nobody` here
before position 0 of 12
";
    assert_eq!(said, expected);
}

#[test]
fn what_is_derived_is_compared_with_what_the_log_comes_to() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::at(dir.path(), Policy::classic());
    play(&mut world, 4, 10);
    let lee = world.user("lee", 50);
    let kim = world.user("kim", 51);
    for (who, change) in [(&lee, false), (&kim, true)] {
        let head = world.journal.stream_head(who.stream()).unwrap().unwrap();
        let mut state = world.principal(who).unwrap().clone();
        if change && let countersign_domain::principal::Principal::Registered(registered) = &mut state {
            registered.sms_participant = true;
            registered.name = crate::world::named("kimberly");
        }
        let (version, position, leaf) = (head.version, head.position, head.leaf);
        let state = postcard::to_allocvec(&state).unwrap();
        let stream = who.stream();
        world.journal.save_snapshot(Snapshot { stream, version, position, leaf, fingerprint: 4, state }).unwrap();
    }
    assert_eq!(world.journal.stream_head(lee.stream()).unwrap().unwrap().version, Version(1));
    world.journal.checkpoint_index().unwrap();
    world.journal.save_checkpoint("views", world.journal.head(), 9, vec![vec![1; 10]]).unwrap();
    let live = compare(&*world.journal).unwrap();
    world.journal.close().unwrap();
    drop(world);
    let before = files(dir.path());
    let found = rebuild(dir.path(), None).unwrap();
    assert_eq!(found, live);
    assert_eq!(files(dir.path()), before, "the store was changed");
    assert_eq!((found.snapshots.found, found.snapshots.same, found.index.len()), (2, 1, 0), "{found:#?}");
    assert_eq!((found.snapshots.differ[0].what.as_str(), found.same), ("its name or path", false));
    assert_eq!(found.checkpoints[0].bytes, 10);
}

#[test]
fn a_store_that_is_open_is_copied_and_compared() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::at(dir.path(), Policy::classic());
    play(&mut world, 3, 5);
    let found = rebuild(dir.path(), None).unwrap();
    assert!(found.same && found.entries == world.journal.head().0, "{found:#?}");
}

/// Snapshots of principals that were changed often before them, and after, as the engine writes them.
#[test]
fn late_snapshots_are_compared_at_their_versions() {
    let mut world = World::in_memory(Policy::classic());
    let people = [world.user("lee", 1), world.user("kim", 2)];
    let change = |world: &mut World, turn: usize| {
        for (number, who) in people.iter().enumerate() {
            let device = world.create(&format!("device-{number}-{turn}"));
            world.enable(who, &device, 1).unwrap();
            world.wait_s(60);
            world.verify(who, &device, Some(1), Purpose::StepUp).unwrap();
            world.deactivate(who, &device).unwrap();
        }
    };
    (0..20).for_each(|turn| change(&mut world, turn));
    for who in &people {
        let head = world.journal.stream_head(who.stream()).unwrap().unwrap();
        assert!(head.version.0 > 40, "{head:?}");
        let state = postcard::to_allocvec(&world.principal(who).unwrap()).unwrap();
        let (stream, version, position, leaf) = (who.stream(), head.version, head.position, head.leaf);
        let fingerprint = SNAPSHOT_FORM;
        world.journal.save_snapshot(Snapshot { stream, version, position, leaf, fingerprint, state }).unwrap();
    }
    (20..25).for_each(|turn| change(&mut world, turn));
    let found = compare(&*world.journal).unwrap();
    assert!(found.same && found.index.is_empty(), "{found:#?}");
    assert_eq!((found.snapshots.found, found.snapshots.same, found.snapshots.of_another_form), (2, 2, 0));
}
