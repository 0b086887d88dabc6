//! The export as records of CloudTrail.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use countersign_domain::event::Purpose;
use countersign_domain::ids::UnixMillis;
use countersign_domain::policy::Policy;
use countersign_replay::own::OpenJournal;
use countersign_replay::own::cloudtrail::records;
use serde_json::Value;

use crate::world::World;

fn exported(world: &World, until: Option<UnixMillis>) -> Vec<Value> {
    let mut found = Vec::new();
    let sealed = records(&OpenJournal(&*world.journal), until, &mut |record| {
        found.push(record);
        ControlFlow::Continue(())
    });
    assert!(sealed.unwrap().is_none());
    found
}

fn story() -> World {
    let mut world = World::in_memory(Policy::classic());
    let (lee, kim) = (world.user("lee", 1), world.user("kim", 2));
    world.sign_in(&lee, None).unwrap();
    let one = world.create("one");
    world.enable(&lee, &one, 0).unwrap();
    world.wait_s(60);
    world.sign_in(&lee, Some((&one, 0))).unwrap();
    world.wait_s(60);
    world.verify(&lee, &one, Some(0), Purpose::SessionToken).unwrap();
    world.verify(&lee, &one, None, Purpose::AssumeRole).unwrap();
    world.wait_s(60);
    world.resync(&lee, &one, 2).unwrap();
    world.rename(&kim, "kimberly").unwrap();
    world.deactivate(&lee, &one).unwrap();
    world.delete(&one).unwrap();
    world.remove(&kim).unwrap();
    world
}

#[test]
fn each_call_is_a_record_of_its_own_in_order() {
    let found = exported(&story(), None);
    let names: Vec<&str> = found.iter().map(|record| record["eventName"].as_str().unwrap()).collect();
    let expected = "CreateUser CreateUser ConsoleLogin CreateVirtualMFADevice EnableMFADevice CheckMfa ConsoleLogin \
                    GetSessionToken AssumeRole ResyncMFADevice UpdateUser DeactivateMFADevice DeleteVirtualMFADevice \
                    DeleteUser";
    assert_eq!(names.join(" "), expected);
    let by = |name: &str| found.iter().rfind(|record| record["eventName"] == name).unwrap();
    assert_eq!(by("ConsoleLogin")["additionalEventData"]["MFAUsed"], "Yes");
    assert_eq!(by("GetSessionToken")["requestParameters"]["serialNumber"], "arn:aws:iam::123456789012:mfa/one");
    assert_eq!(by("AssumeRole")["errorCode"], "AccessDenied");
    assert_eq!(by("UpdateUser")["requestParameters"]["newUserName"], "kimberly");
    let ids: Vec<&str> = found.iter().map(|record| record["eventID"].as_str().unwrap()).collect();
    assert!(ids.is_sorted() && ids.iter().collect::<BTreeSet<_>>().len() == ids.len());
    let times: Vec<&str> = found.iter().map(|record| record["eventTime"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by_key(|time| &time[..19]));
}

#[test]
fn nothing_secret_is_in_it_and_a_cut_is_a_beginning_of_it() {
    let mut world = story();
    let whole = exported(&world, None);
    // The seed of every device of this world, in the forms that it could be written in.
    let text = serde_json::to_string(&whole).unwrap();
    let seed = [7_u8; 20];
    let forms = [
        data_encoding::BASE32.encode(&seed),
        data_encoding::BASE64.encode(&seed),
        data_encoding::HEXLOWER.encode(&seed),
    ];
    assert!(forms.iter().all(|form| !text.contains(form.as_str())) && !text.contains("7,7,7"), "{text}");
    let then = world.now;
    world.wait_s(60);
    world.user("ann", 3);
    assert_eq!(exported(&world, Some(then)), whole);
    assert_eq!(exported(&world, None).len(), whole.len() + 1);
    assert_eq!(exported(&world, Some(UnixMillis(1))), Vec::<Value>::new());
}
