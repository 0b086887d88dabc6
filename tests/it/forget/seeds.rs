//! The seed of a device goes with the device, whatever happens on the way, and nothing else of it does.

use countersign::domain::device::seed_stream;
use countersign::domain::event::Event;
use countersign::domain::wire;
use countersign::store::faults::Operation;
use countersign::*;

use super::{Medium, is_readable};
use crate::support::{Phone, World, events, narrow, operator};

async fn delete(world: &World, serial: &Serial) -> Result<Ack<()>, Error> {
    world.engine.delete_virtual_device(operator(), world.account, serial).await
}

#[tokio::test]
async fn a_deleted_device_takes_its_seed_along_and_leaves_its_history() {
    let world = World::new(narrow(Policy::classic())).await;
    let (lee, phone) = world.equipped("lee").await;
    let seed = |life| is_readable(&*world.journal, seed_stream(phone.serial.stream(), life));
    assert_eq!((seed(1), seed(2)), (Some(true), None));
    world.deactivate(&lee, &phone).await.unwrap();
    assert_eq!(seed(1), Some(true), "who enables it again needs it");
    delete(&world, &phone.serial).await.unwrap();
    assert_eq!(seed(1), Some(false));
    assert_eq!(is_readable(&*world.journal, phone.serial.stream()), Some(true));

    let again = world.phone("lee").await;
    assert_eq!(again.serial, phone.serial);
    assert_ne!(again.secret, phone.secret);
    assert_eq!((seed(1), seed(2)), (Some(false), Some(true)));
    assert_eq!(world.enable(&lee, &phone, world.now()).await, Ok(Proof::Refused(Refusal::Wrong)), "the old seed");
    assert_eq!(world.enable(&lee, &again, world.now()).await, Ok(Proof::Accepted));
}

#[tokio::test]
async fn a_user_who_goes_with_its_devices_takes_their_seeds_along() {
    let world = World::new(narrow(Policy::modern())).await;
    let (lee, phone) = world.equipped("lee").await;
    let spare = world.phone("spare").await;
    assert_eq!(world.enable(&lee, &spare, world.now()).await, Ok(Proof::Accepted));
    world.engine.remove_user(operator(), &lee, Removal::TakeDevices).await.unwrap();
    for phone in [phone, spare] {
        assert_eq!(is_readable(&*world.journal, seed_stream(phone.serial.stream(), 1)), Some(false));
    }
}

/// The only events that a seed is in are those of its own stream.
#[tokio::test]
async fn no_other_stream_and_no_snapshot_holds_a_seed() {
    let limits = Limits { snapshot_every: 1, ..Limits::default() };
    let world = World::with(narrow(Policy::classic()), limits).await;
    let (lee, phone) = world.equipped("lee").await;
    world.clock.advance_s(90);
    assert_eq!(world.sts(&lee, &phone, world.now()).await, Ok(Proof::Accepted));
    world.engine.close().await.unwrap();
    let has = |bytes: &[u8]| bytes.windows(phone.secret.len()).any(|window| window == phone.secret);
    let holders: Vec<bool> = events(&*world.journal)
        .iter()
        .filter(|(_, event)| has(&wire::encode(event).unwrap().body))
        .map(|(_, event)| matches!(event, Event::SeedStored(_)))
        .collect();
    assert_eq!(holders, [true]);
    let snapshot = world.journal.load_snapshot(lee.stream()).unwrap().expect("it was left behind");
    assert!(!has(&snapshot.state));
    let views = world.journal.load_checkpoint("views").unwrap().expect("it was left behind");
    assert!(!views.blocks.iter().any(|block| has(block)));
}

/// The slot is not written: the deletion stands, the engine says so, and the next one makes up for it before it answers.
#[tokio::test]
async fn a_crash_between_the_tombstone_and_the_end_of_the_key_is_made_up_for() {
    for checkpointed in [false, true] {
        let medium = Medium::new();
        let world = medium.world().await;
        let phone = world.phone("lee").await;
        if checkpointed {
            world.engine.close().await.unwrap();
        }
        drop(world);
        let world = medium.world().await;
        medium.faults.fail_next(Operation::PutSlots);
        delete(&world, &phone.serial).await.unwrap();
        assert!(!world.engine.is_ready(), "a probe tells it");
        let seed = seed_stream(phone.serial.stream(), 1);
        assert_eq!(is_readable(&*world.journal, seed), Some(true), "the fault came before the key went");
        // Nothing that is written on the way out may say that all is done.
        let _poisoned = world.engine.close().await.unwrap_err();
        drop(world);

        medium.faults.fail_next(Operation::PutSlots);
        let config = Config { policy: narrow(Policy::classic()), ..Config::default() };
        let refused = Countersign::on(medium.journal(), medium.ring.clone(), config);
        assert!(refused.is_err(), "it answers nobody while the key is there");

        let world = medium.world().await;
        assert_eq!(is_readable(&*world.journal, seed), Some(false));
        assert!(world.engine.device(&phone.serial).is_none());
        let again = world.phone("lee").await;
        assert_ne!(again.secret, phone.secret);
        assert!(world.journal.verify().is_ok());
    }
}

#[tokio::test]
async fn a_retry_of_a_creation_gets_no_seed_once_the_device_is_gone() {
    let world = World::new(narrow(Policy::classic())).await;
    let command = CommandId::derive(&["create", "lee"]);
    let create = || {
        let (request, called) = (operator().with_command(command), crate::support::name("lee"));
        world.engine.create_virtual_device(request, world.account, Path::root(), called)
    };
    let made = create().await.unwrap().value;
    assert_eq!(create().await.unwrap().value.base32(), made.base32(), "a retry gets the same answer");
    delete(&world, &made.serial).await.unwrap();
    assert_eq!(create().await.unwrap_err().rejection(), Some(&Rejection::DeviceExists));
}

/// A token is the inventory's, whoever has it: its seed goes with the token, and not with its holder.
#[tokio::test]
async fn a_token_takes_its_seed_along_when_it_leaves_the_inventory() {
    let world = World::new(narrow(Policy::classic())).await;
    let lee = world.user("lee").await;
    let token = Phone { serial: Serial::new("GAHT00000001").unwrap(), secret: vec![9; 20] };
    let import = |secret: &[u8]| {
        let seed = Seed::new(secret.to_vec()).unwrap();
        world.engine.import_hardware_token(operator(), &token.serial, seed, "maker")
    };
    let remove = |request| world.engine.remove_hardware_token(request, &token.serial);
    let seed = |life| is_readable(&*world.journal, seed_stream(token.serial.stream(), life));
    let unknown = remove(operator()).await.unwrap_err();
    assert!(matches!(unknown.rejection(), Some(Rejection::DeviceUnknown { .. })), "{unknown}");
    import(&token.secret).await.unwrap();
    assert_eq!(world.enable(&lee, &token, world.now()).await, Ok(Proof::Accepted));
    assert_eq!(remove(operator()).await.unwrap_err().rejection(), Some(&Rejection::DeviceAssigned));
    let by_lee = Request::by(Caller::with_key(lee.clone()));
    assert_eq!(remove(by_lee).await.unwrap_err().rejection(), Some(&Rejection::ChannelNotAllowed));

    world.engine.remove_user(operator(), &lee, Removal::TakeDevices).await.unwrap();
    world.engine.forget(operator(), &lee, ForgetReason::Requested, &[]).await.unwrap();
    assert_eq!((seed(1), is_readable(&*world.journal, token.serial.stream())), (Some(true), Some(true)));
    let kim = world.user("kim").await;
    world.clock.advance_s(300);
    assert_eq!(world.enable(&kim, &token, world.now()).await, Ok(Proof::Accepted), "who gets it next");
    world.deactivate(&kim, &token).await.unwrap();

    remove(operator()).await.unwrap();
    assert_eq!((seed(1), world.engine.device(&token.serial)), (Some(false), None));
    assert!(world.enable(&kim, &token, world.now()).await.is_err());
    import(&[8; 20]).await.unwrap();
    assert_eq!((seed(1), seed(2)), (Some(false), Some(true)), "imported again, it has another life");
    assert!(world.journal.verify().is_ok());
}
