//! What a fold makes of an event, and of one that cannot be ours: names, removals, and the time at which a state changes by itself.

use countersign_domain::account::{Account, Claim};
use countersign_domain::caller::Caller;
use countersign_domain::decide::*;
use countersign_domain::device::{Path, Serial};
use countersign_domain::event::*;
use countersign_domain::ids::*;
use countersign_domain::policy::Policy;
use countersign_domain::principal::{Principal, Removed};
use countersign_domain::rejection::Rejection;
use countersign_domain::totp::Attempts;

use crate::people::Typed::Nonsense;
use crate::stage::*;

#[test]
fn what_is_held_is_released_by_its_holder_and_by_nobody_else() {
    let [lee, dana] = ["lee", "dana"].map(|name| user(name).stream());
    let of = |holder| {
        let name = [Event::from(NameClaimed { holder }), NameReleased { holder }.into()];
        [name, [CredentialClaimed { holder }.into(), CredentialReleased { holder }.into()]]
    };
    for ([claimed, released], [_, others]) in of(lee).iter().zip(of(dana).iter()) {
        let folded = |state, event| Claim::evolve(state, event, START).ok();
        let held = folded(None, claimed);
        assert_eq!(held.and_then(Claim::holder), Some(lee));
        assert_eq!(folded(held, others), None, "{others:?}");
        assert_eq!(folded(held, claimed), None, "it is held already");
        let free = folded(held, released);
        assert_eq!(free.and_then(Claim::holder), None);
        assert_eq!(folded(free, released), None, "it is free already");
        assert_eq!(folded(free, claimed), held);
    }
}

#[test]
fn who_still_has_a_device_cannot_have_been_removed() {
    let mut stage = Stage::new(Policy::classic());
    let lee = stage.user("lee");
    let gone = Event::from(PrincipalRemoved { by: Caller::operator().by() });
    let removed = |stage: &Stage| Principal::evolve(stage.principal(&lee).cloned(), &gone, stage.now).ok();
    assert_eq!(removed(&stage), Some(Principal::Removed(Removed { id: lee.clone(), at: START })));
    let serial = stage.phone(&lee, "lee");
    assert_eq!(removed(&stage), None);
    stage.deactivate(&lee, &serial).unwrap();
    assert!(removed(&stage).is_some());
}

#[test]
fn a_device_is_enabled_once_at_a_time_and_deactivated_only_where_it_is() {
    let mut stage = Stage::new(Policy::classic());
    let lee = stage.user("lee");
    stage.phone(&lee, "lee");
    stage.user("dana");
    let of = |wanted: fn(&Event) -> bool| stage.log.iter().map(|(_, event)| event).find(|event| wanted(event)).unwrap();
    let enabled = of(|event| matches!(event, Event::DeviceEnabled(_)));
    let device = phone("lee").stream();
    let by = Caller::operator().by();
    let gone = Event::from(DeviceDeactivated { device, by, reason: DeactivateReason::Lost });
    let follows = |who: &PrincipalId, event| Principal::evolve(stage.principal(who).cloned(), event, START).is_ok();
    assert!(!follows(&lee, enabled) && follows(&lee, &gone));
    assert!(follows(&user("dana"), enabled) && !follows(&user("dana"), &gone));
}

#[test]
fn a_principal_has_the_name_and_the_path_that_it_was_given_last() {
    let mut stage = Stage::new(Policy::classic());
    let lee = stage.user("lee");
    let mut rename = |name: &str, path: &str| {
        let (name, path) = (named(name), Path::new(path).unwrap());
        let answer = stage.ask(&root(), |stage, context| {
            let claim = stage.claim(Claim::stream(account(), &name));
            rename_user(stage.principal(&lee), claim, name.clone(), path.clone(), context)
        });
        let user = stage.registered(&lee);
        (answer, user.name == name && user.path == path, stage.log.len())
    };
    let (answer, is_so, events) = rename("Lee", "/staff/");
    assert_eq!((answer, is_so), (Ok(Verdict::Done), true), "case does not count, so no name changes hands");
    assert_eq!(rename("Lee", "/staff/"), (Ok(Verdict::Done), true, events), "it is so already");
    assert_eq!(rename("lee", "/"), (Ok(Verdict::Done), true, events + 1));
    assert_eq!(rename("lea", "/"), (Ok(Verdict::Done), true, events + 4));
    assert_eq!(stage.claim(Claim::stream(account(), &named("lee"))).and_then(Claim::holder), None);
    assert_eq!(stage.claim(Claim::stream(account(), &named("LEA"))).and_then(Claim::holder), Some(lee.stream()));
    stage.user("dana");
    let taken = stage.ask(&root(), |stage, context| {
        let claim = stage.claim(Claim::stream(account(), &named("DANA")));
        rename_user(stage.principal(&lee), claim, named("DANA"), Path::root(), context)
    });
    assert_eq!(taken, Err(Rejection::NameTaken));
}

#[test]
fn streams_of_different_things_are_different() {
    let (one, other) = (account(), AccountId::from_number(42).unwrap());
    let door_of = [user("lee"), user("dana")].map(|who| Account::door_of(who.stream()));
    let streams = [
        Account::stream(one),
        Account::stream(other),
        Account::door(None),
        Account::door(Some(one)),
        Account::door(Some(other)),
        door_of[0],
        door_of[1],
        Claim::stream(one, &named("lee")),
        Claim::stream(other, &named("lee")),
        Claim::stream(one, &named("dana")),
        guard_stream(),
    ];
    assert_eq!(streams.iter().collect::<std::collections::BTreeSet<_>>().len(), streams.len());
}

/// As many proofs as a window allows.
fn spend(
    stage: &mut Stage,
    who: &PrincipalId,
    serial: &Serial,
    budget: u32,
    try_once: impl Fn(&mut Stage, &PrincipalId, &Serial),
) {
    for _ in 1..budget {
        try_once(stage, who, serial);
    }
    let deadline = |stage: &Stage| stage.principal(who).and_then(|principal| principal.deadline(&stage.policy()));
    let before = deadline(stage);
    try_once(stage, who, serial);
    let window = Attempts::window_at(stage.now, &stage.policy());
    assert_eq!((before, deadline(stage)), (None, Some(Attempts::ends_at(window, &stage.policy()))));
}

#[test]
fn a_state_changes_by_itself_when_the_first_spent_window_ends() {
    let mut stage = Stage::new(Policy { devices_per_principal_max: 2, pair_attempts_max: 4, ..Policy::classic() });
    let lee = stage.user("lee");
    let (one, other) = (stage.phone(&lee, "one"), stage.phone(&lee, "other"));
    spend(&mut stage, &lee, &one, 9, |stage, who, serial| {
        stage.verify(who, serial, Purpose::SessionToken, Nonsense).unwrap();
    });
    let first = stage.principal(&lee).unwrap().deadline(&stage.policy());
    stage.wait_s(180);
    for _ in 0..9 {
        stage.verify(&lee, &other, Purpose::SessionToken, Nonsense).unwrap();
    }
    assert_eq!(stage.principal(&lee).unwrap().deadline(&stage.policy()), first, "the earlier of two");
    let dana = stage.user("dana");
    let serial = stage.phone(&dana, "dana");
    stage.wait_s(180);
    spend(&mut stage, &dana, &serial, 4, |stage, who, serial| {
        stage.resync(who, serial, &[]).unwrap();
    });
    assert_eq!(stage.principal(&user("nobody")), None);
}

#[test]
fn registrations_are_asked_for_so_often_in_a_window() {
    let mut stage = Stage::new(Policy { challenges_max: 3, ..Policy::modern() });
    let lee = stage.user("lee");
    let blue = key(&lee, "blue");
    for _ in 0..3 {
        challenge(stage.begin_key(&lee, &blue, KeyForm::SecurityKey, None));
    }
    let again_at = Attempts::ends_at(Attempts::window_at(stage.now, &stage.policy()), &stage.policy());
    let over = Err(Rejection::TooManyChallenges { again_at });
    assert_eq!(stage.begin_key(&lee, &blue, KeyForm::SecurityKey, None), over);
    stage.now = UnixMillis(again_at.0 - 1);
    assert_eq!(stage.begin_key(&lee, &blue, KeyForm::SecurityKey, None), over);
    stage.now = again_at;
    challenge(stage.begin_key(&lee, &blue, KeyForm::SecurityKey, None));
}
