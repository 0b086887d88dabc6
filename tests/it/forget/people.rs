//! A person who was forgotten is nowhere: not in the log, not in what is derived from it, not in memory. All others are.

use countersign::domain::account::Account;
use countersign::domain::device::seed_stream;
use countersign::domain::event::{Event, Forgotten};
use countersign::domain::ids::StreamId;
use countersign::store::faults::Operation;
use countersign::*;

use super::{Medium, is_readable};
use crate::outbox::gateway::Gateway;
use crate::outbox::stage::{self, End, Stage, clock};
use crate::support::{Phone, World, events, operator};

/// Somebody with a past: a device that went, wrong passwords, codes.
async fn past(world: &World, who: &PrincipalId, user: &str) -> Phone {
    let phone = world.phone(user).await;
    assert_eq!(world.enable(who, &phone, world.now()).await, Ok(Proof::Accepted));
    world.sign_in(who, &phone, world.now() + 30).await.unwrap();
    let client = Client::new(Some([203, 0, 113, 9].into()), "Firefox/130");
    let request = operator().from_client(client);
    world.engine.record_password_refused(request, Some(world.account), Some(who)).await.unwrap();
    world.deactivate(who, &phone).await.unwrap();
    phone
}

async fn forget(world: &World, who: &PrincipalId) -> Result<Ack<()>, Error> {
    world.engine.forget(operator(), who, ForgetReason::Requested, &[]).await
}

async fn gone(world: &World, who: &PrincipalId) {
    world.engine.remove_user(operator(), who, Removal::TakeDevices).await.unwrap();
    forget(world, who).await.unwrap();
}

#[tokio::test]
async fn what_is_about_one_person_goes_and_what_is_about_others_stays() {
    let medium = Medium::new();
    let world = medium.world().await;
    let (lee, kim) = (world.user("lee").await, world.user("kim").await);
    let (phone, other) = (past(&world, &lee, "lee").await, past(&world, &kim, "kim").await);
    // Through two hands: about neither.
    let shared = world.phone("shared").await;
    for who in [&lee, &kim] {
        world.clock.advance_s(300);
        assert_eq!(world.enable(who, &shared, world.now()).await, Ok(Proof::Accepted));
        world.deactivate(who, &shared).await.unwrap();
    }
    world.engine.append_record(operator(), "lee", None, 1, b"a note".to_vec()).await.unwrap();

    let refused = forget(&world, &lee).await.unwrap_err();
    assert_eq!(refused.rejection(), Some(&Rejection::PrincipalNotRemoved));
    world.engine.remove_user(operator(), &lee, Removal::TakeDevices).await.unwrap();
    assert_eq!(world.engine.forgotten_at(&lee), None);
    world.engine.forget(operator(), &lee, ForgetReason::Retention, &["lee"]).await.unwrap();

    for world in [world, medium.world().await] {
        assert!(world.engine.forgotten_at(&lee).is_some() && world.engine.forgotten_at(&kim).is_none());
        let readable = |stream| is_readable(&*world.journal, stream);
        for (who, device, kept) in [(&lee, &phone, false), (&kim, &other, true)] {
            assert_eq!(readable(who.stream()), Some(kept));
            assert_eq!(readable(Account::door_of(who.stream())), Some(kept));
            assert_eq!(readable(device.serial.stream()), Some(kept));
            assert_eq!(readable(seed_stream(device.serial.stream(), 1)), Some(kept));
        }
        assert_eq!(readable(StreamId::derive(&["host", "lee"])), Some(false));
        assert_eq!(readable(shared.serial.stream()), Some(true));
        assert!(world.engine.device(&shared.serial).is_some() && world.engine.device(&phone.serial).is_none());
        assert!(world.journal.verify().is_ok(), "every hash holds");
        let refused = world.enable(&lee, &shared, world.now()).await.unwrap_err();
        assert_eq!(refused.rejection(), Some(&Rejection::PrincipalForgotten));
        forget(&world, &lee).await.expect("once more changes nothing");
        assert_eq!(world.count(|event| matches!(event, Event::PrincipalForgotten(_))), 1);
        world.engine.close().await.unwrap();
    }
}

#[tokio::test]
async fn who_comes_after_under_the_same_name_has_nothing_of_who_was_forgotten() {
    let medium = Medium::new();
    let world = medium.world().await;
    let lee = world.user("lee").await;
    let phone = past(&world, &lee, "lee").await;
    gone(&world, &lee).await;
    let id = UserId::new("AIDA-another").unwrap();
    let name = || crate::support::name("lee");
    world.engine.register_user(operator(), world.account, id.clone(), name(), Path::root()).await.unwrap();
    let (next, again) = (PrincipalId::User(world.account, id), world.phone("lee").await);
    assert_eq!(again.serial, phone.serial);
    assert_eq!(world.enable(&next, &again, world.now()).await, Ok(Proof::Accepted));
    let old = UserId::new("AIDA-lee").unwrap();
    let taken =
        world.engine.register_user(operator(), world.account, old, crate::support::name("x"), Path::root()).await;
    assert_eq!(taken.unwrap_err().rejection(), Some(&Rejection::PrincipalExists), "an id is nobody else's ever");
    world.engine.close().await.unwrap();
    drop(world);
    // Everything is read back from the log, in which the first life of the device is dark.
    let world = medium.world().await;
    assert_eq!(world.engine.user_named(world.account, "lee").unwrap().id, next);
    world.clock.advance_s(3600);
    assert_eq!(world.sign_in(&next, &again, world.now()).await, Ok(Proof::Accepted));
    assert_eq!(world.engine.devices(&next).len(), 1);
    world.deactivate(&next, &again).await.unwrap();
    world.engine.delete_virtual_device(operator(), world.account, &again.serial).await.unwrap();
    assert_eq!(is_readable(&*world.journal, seed_stream(again.serial.stream(), 2)), Some(false));
}

/// Whichever of the writes fails: the tombstone stands, and the next start finishes the deed before it answers.
#[tokio::test]
async fn a_crash_at_any_write_of_the_deed_is_made_up_for() {
    for skip in 0.. {
        let medium = Medium::new();
        let world = medium.world().await;
        let lee = world.user("lee").await;
        past(&world, &lee, "lee").await;
        world.engine.remove_user(operator(), &lee, Removal::TakeDevices).await.unwrap();
        let left = world.phone("spare").await;
        drop(left);
        medium.faults.fail_after(Operation::PutSlots, skip);
        let _told = forget(&world, &lee).await;
        let failed = !world.engine.is_ready();
        drop(world);
        let world = medium.world().await;
        if world.engine.forgotten_at(&lee).is_some() {
            for stream in [lee.stream(), Account::door_of(lee.stream())] {
                assert_eq!(is_readable(&*world.journal, stream), Some(false), "after {skip} writes");
            }
        } else {
            forget(&world, &lee).await.unwrap();
        }
        assert!(world.journal.verify().is_ok());
        world.engine.close().await.unwrap();
        drop(world);
        assert!(medium.world().await.engine.forgotten_at(&lee).is_some());
        if !failed {
            assert!(skip > 5, "{skip} writes of slots are too few for so many keys");
            return;
        }
    }
}

#[tokio::test]
async fn messages_to_who_was_forgotten_are_in_no_row() {
    let clock = clock();
    let gateway = Gateway::new("main", &clock);
    let (gates, routes) = (vec![gateway.clone()], vec![gateway.route()]);
    let mut stage = Stage::on(stage::Medium::directory(), Policy::classic(), &clock, (gates, routes)).await;
    let number = |last: &str| PhoneNumber::parse(&format!("+1202555{last}")).unwrap();
    let (lee, phone) = stage.person("lee", number("0143")).await;
    let (kim, _) = stage.person("kim", number("0199")).await;
    let mine = |stage: &Stage| stage.engine.sms_messages(stage.account, false, 100).len();
    let all = mine(&stage);
    gone(&stage, &lee).await;
    assert!(mine(&stage) < all && mine(&stage) > 0);
    assert_eq!(is_readable(&*stage.journal, phone.stream()), Some(false));
    assert_eq!(is_readable(&*stage.journal, kim.stream()), Some(true));
    let kept = mine(&stage);
    stage.reopen(End::Closed).await;
    assert_eq!(mine(&stage), kept);
    stage.rebuild().await;
    assert_eq!(mine(&stage), kept, "read from the log it comes to the same");
    // The same name and the same ARN, for somebody else.
    let (_, again) = stage.person("lee2", number("0177")).await;
    assert_ne!(again, phone);
    let named: Vec<Forgotten> = events(&*stage.journal)
        .into_iter()
        .find_map(|(_, event)| match event {
            Event::PrincipalForgotten(forgotten) => Some(forgotten.keys),
            _ => None,
        })
        .unwrap();
    assert!(named.iter().any(|key| key.stream == phone.stream()) && named.iter().any(|key| key.stream == lee.stream()));
}
