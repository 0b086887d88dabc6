//! A seed has a stream of its own for each life of its device, and no state has it (A36).

use countersign_domain::caller::Caller;
use countersign_domain::decide::{Removal, Verdict};
use countersign_domain::decide::{create_virtual_device, delete_virtual_device, import_hardware_token, remove_user};
use countersign_domain::device::{Device, Serial, seed_stream};
use countersign_domain::event::*;
use countersign_domain::ids::*;
use countersign_domain::policy::Policy;
use countersign_domain::secret::Seed;

use crate::stage::*;

fn seed() -> Seed {
    Seed::new(vec![7; 20]).unwrap()
}

/// The streams of the seeds that were stored, oldest first, and the streams that creations named.
fn seeds(stage: &Stage) -> (Vec<StreamId>, Vec<StreamId>) {
    let stored = stage.log.iter().filter(|(_, event)| matches!(event, Event::SeedStored(_))).map(|(stream, _)| *stream);
    let named = stage.log.iter().filter_map(|(_, event)| match event {
        Event::VirtualDeviceCreated(created) => Some(created.seed),
        Event::HardwareTokenImported(imported) => Some(imported.seed),
        _ => None,
    });
    (stored.collect(), named.collect())
}

fn create(stage: &mut Stage, serial: &Serial) {
    let made = stage.ask(&root(), |stage, context| {
        create_virtual_device(stage.account(), stage.candidate(serial), seed(), context)
    });
    assert_eq!(made, Ok(Verdict::Done));
}

fn delete(stage: &mut Stage, serial: &Serial) {
    let gone =
        stage.ask(&root(), |stage, context| delete_virtual_device(stage.account(), stage.candidate(serial), context));
    assert_eq!(gone, Ok(Verdict::Done));
}

/// The lives that the log says are over, of every device.
fn ended(stage: &Stage) -> Vec<(StreamId, u32)> {
    let gone = stage.log.iter().filter_map(|(stream, event)| match event {
        Event::DeviceDeleted(gone) => Some((*stream, gone.life)),
        _ => None,
    });
    gone.collect()
}

#[test]
fn each_life_of_a_device_has_a_seed_in_a_stream_of_its_own() {
    let mut stage = Stage::new(Policy::classic());
    let serial = phone("lee");
    let device = serial.stream();
    for life in 1..=3 {
        create(&mut stage, &serial);
        assert_eq!(stage.device(&serial).and_then(Device::entity).and_then(|entity| entity.seed()), {
            Some(seed_stream(device, life))
        });
        delete(&mut stage, &serial);
    }
    let streams: Vec<StreamId> = (1..=3).map(|life| seed_stream(device, life)).collect();
    assert_eq!(seeds(&stage), (streams.clone(), streams));
    assert_eq!(ended(&stage), [(device, 1), (device, 2), (device, 3)]);
}

#[test]
fn a_token_has_its_seed_apart_too() {
    let mut stage = Stage::new(Policy::classic());
    let serial = Serial::new("GAHT12345678").unwrap();
    let made = stage.ask(&root(), |stage, context| {
        import_hardware_token(stage.candidate(&serial), seed(), "vendor".to_owned(), context)
    });
    assert_eq!(made, Ok(Verdict::Done));
    let apart = vec![seed_stream(serial.stream(), 1)];
    assert_eq!(seeds(&stage), (apart.clone(), apart));
}

#[test]
fn a_device_that_goes_with_its_owner_leaves_a_tombstone() {
    let mut stage = Stage::new(Policy::classic());
    let lee = stage.user("lee");
    let serial = phone("lee");
    create(&mut stage, &serial);
    delete(&mut stage, &serial);
    let serial = stage.phone(&lee, "lee");
    let removed =
        stage.ask(&root(), |stage, context| remove_user(stage.principal(&lee), Removal::TakeDevices, context));
    assert_eq!(removed, Ok(Verdict::Done));
    assert_eq!(ended(&stage), [(serial.stream(), 1), (serial.stream(), 2)]);
}

#[test]
fn a_forged_history_cannot_name_the_seed_of_another_life() {
    let (serial, by) = (phone("lee"), Caller::operator().by());
    let device = serial.stream();
    let created = |seed| Event::from(VirtualDeviceCreated { account: account(), serial: serial.clone(), seed, by });
    let at = UnixMillis(0);
    assert!(Device::evolve(None, &created(seed_stream(device, 2)), at).is_err());
    assert!(Device::evolve(None, &created(device), at).is_err());
    let alive = Device::evolve(None, &created(seed_stream(device, 1)), at).unwrap();
    let gone = |life| Event::from(DeviceDeleted { by, life });
    assert!(Device::evolve(Some(alive.clone()), &gone(2), at).is_err());
    let ended = Device::evolve(Some(alive), &gone(1), at).unwrap();
    assert_eq!(Device::resume(&gone(1), at), Some(ended.clone()), "the end of a life says enough to go on from");
    assert!(Device::evolve(Some(ended.clone()), &created(seed_stream(device, 1)), at).is_err());
    assert!(Device::evolve(Some(ended), &created(seed_stream(device, 2)), at).is_ok());
}
