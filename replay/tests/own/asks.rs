//! Who had what when, from our own log.

use countersign_domain::caller::Caller;
use countersign_domain::client::Client;
use countersign_domain::device::DeviceKind;
use countersign_domain::event::*;
use countersign_domain::ids::{AttemptId, Position, UnixMillis};
use countersign_domain::policy::Policy;
use countersign_domain::totp::Learned;
use countersign_replay::ask::{self, PrincipalRow, SignInsQuery, Told};
use countersign_replay::event::SignInClass;
use countersign_replay::fold::{Basis, Fold, Keep, Status};
use countersign_replay::own::state::state;
use countersign_replay::own::tell::tell;
use countersign_replay::own::{Entries, OpenJournal, OwnStore};
use countersign_replay::time::Time;

use crate::world::{World, phone};

fn brief(found: &PrincipalRow) -> String {
    let basis = found.basis.map_or_else(String::new, |basis| format!("({})", basis.name()));
    let id = found.id.trim_start_matches("123456789012/");
    format!("{id} {}{basis} {}", found.status.name(), found.devices.join(" ")).trim_end().to_owned()
}

fn states(log: &dyn Entries, at: Option<UnixMillis>) -> Vec<String> {
    state(log, at, None).unwrap().principals.iter().map(brief).collect()
}

/// The history of a log with everything in it.
fn told(log: &dyn Entries) -> Told {
    let mut fold = Fold::new(Keep::All);
    let source = "log".into();
    let sealed = tell(log, &source, None, Some(&|_| true), &mut |event| fold.take(&event.into())).unwrap();
    Told { history: fold.end(), sealed, ..Told::default() }
}

/// Lee gets a phone, loses it, is removed; another lee comes; kim is renamed and rotates.
fn story() -> (World, Vec<UnixMillis>) {
    let mut world = World::in_memory(Policy::modern());
    let mut at = vec![world.now];
    world.wait_s(100);
    let lee = world.user("lee", 1);
    let kim = world.user("Kim", 2);
    at.push(world.now);
    world.wait_s(100);
    let one = world.create("one");
    world.enable(&lee, &one, 0).unwrap();
    let kims = world.create("kims");
    world.enable(&kim, &kims, 3).unwrap();
    at.push(world.now);
    world.wait_s(100);
    world.deactivate(&lee, &one).unwrap();
    world.rename(&kim, "kimberly").unwrap();
    at.push(world.now);
    world.wait_s(100);
    world.remove(&lee).unwrap();
    let again = world.user("LEE", 3);
    world.enable(&again, &one, 0).unwrap();
    at.push(world.now);
    world.wait_s(100);
    let new = world.create("kims-new");
    world.rotate(&kim, &phone("kims"), &new).unwrap();
    at.push(world.now);
    (world, at)
}

#[test]
fn states_at_each_instant_are_those_that_were() {
    let (world, at) = story();
    let log = &OpenJournal(&*world.journal);
    let [one, kims, new] = ["one", "kims", "kims-new"].map(phone);
    assert_eq!(
        states(log, Some(at[0])),
        ["root disabled(created)", "Kim#1 nonexistent", "lee#1 nonexistent", "LEE#2 nonexistent"]
    );
    assert_eq!(states(log, Some(at[1]))[..2], ["root disabled(created)", "Kim#1 disabled(created)"]);
    assert_eq!(
        states(log, Some(at[2]))[1..],
        [
            format!("Kim#1 enabled(lifecycle) {kims}"),
            format!("lee#1 enabled(lifecycle) {one}"),
            "LEE#2 nonexistent".to_owned(),
        ]
    );
    assert_eq!(
        states(log, Some(at[3]))[1..],
        [
            format!("kimberly#1 enabled(lifecycle) {kims}"),
            "lee#1 disabled(deactivated)".to_owned(),
            "LEE#2 nonexistent".to_owned(),
        ]
    );
    assert_eq!(
        states(log, None)[1..],
        [
            format!("kimberly#1 enabled(lifecycle) {new}"),
            "lee#1 deleted".to_owned(),
            format!("LEE#2 enabled(lifecycle) {one}"),
        ]
    );
    assert_eq!(states(log, None), states(log, at.last().copied()));
    assert_eq!(states(log, Some(UnixMillis(1)))[0], "root nonexistent");
}

#[test]
fn citations_are_the_entries_that_decide() {
    let (world, _) = story();
    let log = &OpenJournal(&*world.journal);
    for found in state(log, None, None).unwrap().principals {
        assert!(!found.citations.is_empty(), "{found:?}");
        for position in found.citations {
            let entry = world.journal.read_at(Position(position.parse().unwrap())).unwrap().unwrap();
            let wanted: &[u16] = match (found.status, found.basis) {
                (Status::Enabled, _) => &[0x0310],
                (Status::Disabled, Some(Basis::Created)) => &[0x0301],
                (Status::Disabled, _) => &[0x0315],
                _ => &[0x0303],
            };
            assert!(wanted.contains(&entry.header.event_type), "{} {:#x}", found.id, entry.header.event_type);
        }
    }
}

#[test]
fn a_principal_is_named_in_several_ways() {
    let (world, _) = story();
    let log = &OpenJournal(&*world.journal);
    let (all, told) = (state(log, None, None).unwrap().principals, told(log));
    let ids = |wanted: &str| -> Vec<String> {
        let found: Vec<String> = all.iter().filter(|row| row.is(wanted)).map(|row| row.id.clone()).collect();
        let of_history = told.find(wanted).into_iter().map(|place| told.history.lives()[place].id());
        assert_eq!(of_history.collect::<Vec<_>>(), found);
        found
    };
    let (first, second) = ("123456789012/lee#1", "123456789012/LEE#2");
    assert_eq!(ids("lee"), [first, second]);
    assert_eq!(ids("123456789012/Lee"), [first, second]);
    assert_eq!(ids(first), [first]);
    assert_eq!(ids("AIDA00000003"), [second]);
    assert_eq!(ids("root"), ["123456789012/root"]);
    assert_eq!(ids("123456789012/root"), ["123456789012/root"]);
    assert!(ids("nobody").is_empty() && ids("").is_empty());
}

#[test]
fn rotations_differences_and_timelines_say_what_happened() {
    let (world, at) = story();
    let log = &OpenJournal(&*world.journal);
    let told = told(log);
    let rotations = ask::rotations(&told).rotations;
    let [rotation] = rotations.as_slice() else { panic!("{rotations:?}") };
    let expected = (phone("kims").to_string(), phone("kims-new").to_string(), 0);
    assert_eq!((rotation.old.to_string(), rotation.new.to_string(), rotation.gap_s), expected);
    assert_eq!(rotation.id, "123456789012/kimberly#1");

    let instant = |at: UnixMillis| Time(i64::try_from(at.0).unwrap());
    let changed = ask::diff(&told, instant(at[2]), Some(instant(at[3]))).changes;
    let changed: Vec<&str> = changed.iter().map(|change| change.id.as_str()).collect();
    assert_eq!(changed, ["123456789012/kimberly#1", "123456789012/lee#1"]);

    let timeline = ask::timeline(&told, &told.find("123456789012/lee#1"));
    let events: Vec<&str> = timeline.timelines[0].events.iter().map(|row| row.event.as_str()).collect();
    assert_eq!(events, ["CreateUser", "EnableMFADevice", "DeactivateMFADevice", "DeleteUser"]);
}

#[test]
fn sign_ins_say_what_they_rested_on() {
    let mut world = World::in_memory(Policy::classic());
    let lee = world.user("lee", 1);
    world.sign_in(&lee, None).unwrap();
    let one = world.create("one");
    world.enable(&lee, &one, 0).unwrap();
    world.wait_s(60);
    world.sign_in(&lee, Some((&one, 0))).unwrap();
    world.wait_s(60);
    world.sign_in(&lee, Some((&one, 7))).unwrap();
    world.verify(&lee, &one, Some(0), Purpose::SessionToken).unwrap();
    let told = told(&OpenJournal(&*world.journal));
    let signins = ask::sign_ins(&told, &SignInsQuery::default()).signins;
    let brief: Vec<_> = signins.iter().map(|found| (found.outcome, found.class)).collect();
    let [no_mfa, mfa] = [SignInClass::NoMfa, SignInClass::Mfa];
    assert_eq!(brief, [("success", no_mfa), ("success", mfa), ("failure", mfa)]);
    let without_mfa = SignInsQuery { without_mfa: true, ..SignInsQuery::default() };
    assert_eq!(ask::sign_ins(&told, &without_mfa).signins.len(), 1);
    assert_eq!(ask::findings(&told).findings, []);
}

#[test]
fn without_keys_devices_and_roots_are_known_and_names_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::at(dir.path(), Policy::classic());
    let lee = world.user("lee", 1);
    let one = world.create("one");
    world.enable(&lee, &one, 0).unwrap();
    world.sign_in(&lee, Some((&one, 1))).unwrap();
    world.journal.close().unwrap();
    std::fs::rename(dir.path().join("keyring"), dir.path().join("elsewhere")).unwrap();
    let store = OwnStore::open(dir.path(), None).unwrap();
    let answer = state(&store, None, None).unwrap();
    let expected = [
        "root disabled(created)".to_owned(),
        format!("sealed:{} enabled(lifecycle) sealed:{}", lee.stream(), one.stream()),
    ];
    assert_eq!(answer.principals.iter().map(brief).collect::<Vec<_>>(), expected);
    assert!(answer.sealed.no_key >= 4, "{:?}", answer.sealed);
    let signins = ask::sign_ins(&told(&store), &SignInsQuery::default()).signins;
    assert_eq!((signins.len(), signins[0].outcome, signins[0].class), (1, "success", SignInClass::Unknown));
}

/// A history that no engine writes: every contradiction that a whole log can have is found, and the rest is answered.
#[test]
fn a_forged_history_contradicts_itself_and_every_kind_of_it_is_found() {
    let mut world = World::in_memory(Policy::modern());
    let lee = world.user("lee", 1);
    let [one, two] = ["one", "two"].map(|name| world.create(name));
    world.enable(&lee, &one, 0).unwrap();
    world.wait_s(600);
    let by = Caller::operator().by();
    let device = two.stream();
    let learned = Learned::default();
    let kind = DeviceKind::VirtualTotp;
    let attempt = AttemptId::from_bytes([1; 16]);
    let signed_in = |factor, device| SignedIn { attempt, factor, device, client: Client::default() };
    let mut forge = |event: Event| {
        world.wait_s(1);
        world.forge(lee.stream(), &event);
    };
    let used = |device| CodeAccepted { device, purpose: Purpose::SessionToken, window: 1, counter: 1 };
    forge(signed_in(SignInFactor::Nothing, None).into());
    forge(used(device).into());
    forge(DeviceResynced { device, by, window: 1, counter: 9, offset: 0 }.into());
    let reason = DeactivateReason::Requested;
    forge(DeviceDeactivated { device, by, reason }.into());
    forge(DeviceDeactivated { device: one.stream(), by, reason }.into());
    forge(used(one.stream()).into());
    forge(CodeAccepted { purpose: Purpose::SignIn, ..used(one.stream()) }.into());
    forge(signed_in(SignInFactor::Device, Some(one.stream())).into());
    forge(DeviceEnabled { device: one.stream(), kind, life: 1, by, learned: learned.clone() }.into());
    forge(PrincipalRemoved { by }.into());
    forge(DeviceEnabled { device, kind, life: 1, by, learned }.into());
    let told = told(&OpenJournal(&*world.journal));
    let kinds: Vec<&str> = ask::findings(&told).findings.iter().map(|finding| finding.kind).collect();
    let expected = [
        "signin_without_mfa_while_enabled",
        "mfa_use_of_unknown_device",
        "resync_of_unknown_device",
        "deactivate_of_unknown_device",
        "mfa_use_while_disabled",
        "mfa_check_while_disabled",
        "mfa_signin_while_disabled",
        "deleted_with_active_device",
        "enable_on_deleted",
    ];
    assert_eq!(kinds, expected);
    assert!(state(&OpenJournal(&*world.journal), None, None).unwrap_err().is_damage());
}
