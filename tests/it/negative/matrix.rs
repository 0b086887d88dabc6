//! Who may do what to whose device through which door: the matrix R39..R44, every cell through the facade.

use countersign::testing::SecurityKey;
use countersign::*;

use super::refused;
use crate::door::number;
use crate::support::{Phone, World, name, narrow, operator};

const KINDS: [DeviceKind; 4] =
    [DeviceKind::VirtualTotp, DeviceKind::HardwareTotp, DeviceKind::SecurityKey, DeviceKind::Sms];
const DOORS: [Channel; 3] = [Channel::Console, Channel::Cli, Channel::Api];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Act {
    Enable,
    Resync,
    Deactivate,
}

/// The table of R39, R43, R44 and A13, typed off once more.
fn allowed(root: bool, kind: DeviceKind, door: Channel, act: Act) -> bool {
    let console = door == Channel::Console;
    match (root, act, kind) {
        (true, _, DeviceKind::Sms) => false,
        (true, _, _) => console,
        (false, Act::Enable, DeviceKind::SecurityKey | DeviceKind::Sms) => console,
        (false, _, _) => true,
    }
}

/// Somebody with a proven session at a door.
fn caller(who: &PrincipalId, channel: Channel) -> Request {
    Request::by(Caller { channel, ..Caller::at_console(who.clone(), Some(UnixMillis(1))) })
}

/// A TOTP device that nobody has.
async fn totp(world: &World, kind: DeviceKind) -> Phone {
    if kind == DeviceKind::VirtualTotp {
        return world.phone("phone").await;
    }
    let phone = Phone { serial: Serial::new("GAHT00000001").unwrap(), secret: vec![3; 20] };
    let seed = Seed::new(phone.secret.clone()).unwrap();
    world.engine.import_hardware_token(operator(), &phone.serial, seed, "maker").await.unwrap();
    phone
}

/// Enables a device of a kind, as far as the door lets.
async fn enable(world: &World, who: &PrincipalId, kind: DeviceKind, by: Request) -> Result<(), Error> {
    let engine = &world.engine;
    match kind {
        DeviceKind::VirtualTotp | DeviceKind::HardwareTotp => {
            let phone = totp(world, kind).await;
            let (first, second) = phone.pair(world.now());
            let proof = engine.enable(by, who, &phone.serial, first, second).await?.value;
            assert!(proof.is_accepted());
        }
        DeviceKind::SecurityKey => {
            let form = KeyForm::SecurityKey;
            let asked = engine.begin_key_registration(by.clone(), who, name("blue"), form, None).await?.value;
            let answer = SecurityKey::new(1).create(&asked.options);
            engine.finish_key_registration(by, who, asked.id, &answer).await?;
        }
        DeviceKind::Sms => {
            let sent = engine.begin_sms_enrolment(by.clone(), who, number()).await?.value;
            let proof = engine.finish_sms_enrolment(by, who, sent.challenge, world.last_code()).await?.value;
            assert!(proof.is_accepted());
        }
    }
    Ok(())
}

/// What the act comes to: nothing, or why it was not done.
async fn act(owner: Owner, kind: DeviceKind, act: Act, by: impl Fn(&PrincipalId) -> Request) -> Option<Rejection> {
    let world = World::new(narrow(Policy::classic())).await;
    let who = match owner {
        Owner::Root => PrincipalId::Root(world.account),
        Owner::User => world.user("lee").await,
    };
    if act == Act::Enable {
        let enabled = enable(&world, &who, kind, by(&who)).await;
        assert_eq!(world.engine.devices(&who).len(), usize::from(enabled.is_ok()));
        return enabled.err().map(|error| error.rejection().unwrap().clone());
    }
    enable(&world, &who, kind, caller(&who, Channel::Console)).await.unwrap();
    world.clock.advance_s(90);
    let serial = world.engine.devices(&who)[0].serial.clone();
    let done = match act {
        Act::Deactivate => {
            let reason = DeactivateReason::Requested;
            world.engine.deactivate(by(&who), &who, &serial, reason).await.map(drop)
        }
        _ => {
            let secret = if kind == DeviceKind::HardwareTotp { vec![3; 20] } else { vec![0; 20] };
            let (first, second) = Phone { serial: serial.clone(), secret }.pair(world.now());
            world.engine.resync(by(&who), &who, &serial, first, second).await.map(drop)
        }
    };
    let left = world.engine.devices(&who).len();
    assert_eq!(left == 0, act == Act::Deactivate && done.is_ok());
    done.err().map(|error| error.rejection().unwrap().clone())
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Owner {
    Root,
    User,
}

#[tokio::test]
async fn every_cell_of_the_channel_matrix() {
    let mut cells = 0;
    for owner in [Owner::Root, Owner::User] {
        for kind in KINDS {
            for door in DOORS {
                for what in [Act::Enable, Act::Resync, Act::Deactivate] {
                    let root = owner == Owner::Root;
                    if root && kind == DeviceKind::Sms && what != Act::Enable {
                        continue; // There is none to do it to.
                    }
                    let came_to = act(owner, kind, what, |who| caller(who, door)).await;
                    let totp = matches!(kind, DeviceKind::VirtualTotp | DeviceKind::HardwareTotp);
                    let expected = match (allowed(root, kind, door, what), what) {
                        (false, _) if kind == DeviceKind::Sms && root => Some(Rejection::SmsNotOffered),
                        (false, _) => Some(Rejection::ChannelNotAllowed),
                        // A13: what shows no codes is not resynced.
                        (true, Act::Resync) if !totp => Some(Rejection::DeviceNotYours),
                        (true, _) => None,
                    };
                    assert_eq!(came_to, expected, "{owner:?} {kind:?} {door:?} {what:?}");
                    cells += 1;
                }
            }
        }
    }
    assert_eq!(cells, 2 * 4 * 3 * 3 - 6);
}

/// R40: an administrator does at the console for a user what the user may do there, and nothing for root.
#[tokio::test]
async fn an_administrator_acts_for_users_and_not_for_root() {
    for kind in KINDS {
        for what in [Act::Enable, Act::Deactivate] {
            let admin = |who: &PrincipalId| PrincipalId::User(who.account(), UserId::new("AIDAADMIN").unwrap());
            let for_user = act(Owner::User, kind, what, |who| caller(&admin(who), Channel::Console)).await;
            assert_eq!(for_user, None, "{kind:?} {what:?}");
            if kind == DeviceKind::Sms {
                continue;
            }
            let for_root = act(Owner::Root, kind, what, |who| caller(&admin(who), Channel::Console)).await;
            assert_eq!(for_root, Some(Rejection::ChannelNotAllowed), "{kind:?} {what:?}");
        }
    }
}

#[tokio::test]
async fn nobody_reaches_into_another_account() {
    let stranger =
        PrincipalId::User(AccountId::from_number(999_999_999_999).unwrap(), UserId::new("AIDA-lee").unwrap());
    for kind in KINDS {
        for what in [Act::Enable, Act::Resync, Act::Deactivate] {
            for door in DOORS {
                let tried = act(Owner::User, kind, what, |_| caller(&stranger, door)).await;
                assert_eq!(tried, Some(Rejection::ChannelNotAllowed), "{kind:?} {what:?} {door:?}");
            }
        }
    }
}

/// A console without a session is none (R39); a long-term key does not become one by saying so.
#[tokio::test]
async fn a_console_is_a_session() {
    for kind in KINDS {
        let by = |who: &PrincipalId| Request::by(Caller { channel: Channel::Console, ..Caller::with_key(who.clone()) });
        for what in [Act::Enable, Act::Deactivate] {
            let tried = act(Owner::User, kind, what, by).await;
            let expected = match what {
                // Who has a device is asked for a second factor first (R182).
                Act::Deactivate => Rejection::SelfManagementNeedsMfa,
                _ => Rejection::ChannelNotAllowed,
            };
            assert_eq!(tried, Some(expected), "{kind:?} {what:?}");
        }
    }
}

/// NT-21: with a device of any kind, a session without a second factor changes nothing at the console, whatever the
/// policy; through the API by the modern one only (R180..R182).
#[tokio::test]
async fn a_session_of_the_first_factor_changes_no_device() {
    for (policy, by_api) in [(Policy::classic(), true), (Policy::modern(), false)] {
        let policy = Policy { devices_per_principal_max: 8, sms_enrolment: true, ..narrow(policy) };
        for kind in KINDS {
            let world = World::new(policy.clone()).await;
            let who = world.user("lee").await;
            enable(&world, &who, kind, caller(&who, Channel::Console)).await.unwrap();
            let serial = world.engine.devices(&who)[0].serial.clone();
            let spare = world.phone("spare").await;
            let bare = || Request::by(Caller::at_console(who.clone(), None));
            let needs = Rejection::SelfManagementNeedsMfa;
            let (first, second) = spare.pair(world.now());
            let enabled = world.engine.enable(bare(), &who, &spare.serial, first, second).await;
            assert_eq!(refused(enabled), needs);
            for replaces in [None, Some(&serial)] {
                let form = KeyForm::SecurityKey;
                let begun = world.engine.begin_key_registration(bare(), &who, name("red"), form, replaces).await;
                assert_eq!(refused(begun), needs);
            }
            assert_eq!(refused(world.engine.begin_sms_enrolment(bare(), &who, number()).await), needs);
            let reason = DeactivateReason::Requested;
            assert_eq!(refused(world.engine.deactivate(bare(), &who, &serial, reason).await), needs);
            // A registration that a proven session began is not finished by one that is not.
            let begun = world.engine.begin_key_registration(
                caller(&who, Channel::Console),
                &who,
                name("red"),
                KeyForm::SecurityKey,
                None,
            );
            let asked = begun.await.unwrap().value;
            let answer = SecurityKey::new(2).create(&asked.options);
            let finished = world.engine.finish_key_registration(bare(), &who, asked.id, &answer).await;
            assert_eq!(refused(finished), needs);
            let key = Request::by(Caller::with_key(who.clone()));
            let by_key = world.engine.deactivate(key, &who, &serial, reason).await;
            assert_eq!(by_key.is_ok(), by_api, "{kind:?}");
        }
    }
}
