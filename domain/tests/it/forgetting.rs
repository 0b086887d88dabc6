//! Who was removed can be forgotten, by the operator, once.

use countersign_domain::caller::Caller;
use countersign_domain::decide::{Belongings, FORGOTTEN_MAX, Removal, Verdict, forget, remove_user};
use countersign_domain::event::*;
use countersign_domain::ids::*;
use countersign_domain::policy::Policy;
use countersign_domain::principal::Principal;
use countersign_domain::rejection::Rejection;

use crate::stage::*;

fn asked(stage: &mut Stage, who: &PrincipalId, belongings: &Belongings) -> Answer {
    stage.ask(who, |stage, context| {
        forget((who.stream(), stage.principal(who)), belongings.clone(), ForgetReason::Requested, context)
    })
}

fn removed(stage: &mut Stage) -> Answer {
    stage.ask(&root(), |stage, context| remove_user(stage.principal(&user("lee")), Removal::TakeDevices, context))
}

fn keys(count: usize) -> Belongings {
    let key = Forgotten { stream: user("lee").stream(), version: Version(1) };
    Belongings { keys: vec![key; count], left_behind: None }
}

#[test]
fn only_the_operator_forgets_and_only_who_was_removed() {
    let mut stage = Stage::new(Policy::classic());
    let lee = stage.user("lee");
    assert_eq!(asked(&mut stage, &lee, &keys(1)), Err(Rejection::ChannelNotAllowed), "not for oneself");
    stage.caller = Some(Caller::at_console(root(), None));
    assert_eq!(asked(&mut stage, &lee, &keys(1)), Err(Rejection::ChannelNotAllowed), "nor does root");
    for nearly in [
        Caller { principal: Some(root()), ..Caller::operator() },
        Caller { principal: None, ..Caller::at_console(root(), None) },
    ] {
        stage.caller = Some(nearly);
        assert_eq!(asked(&mut stage, &lee, &keys(1)), Err(Rejection::ChannelNotAllowed), "half an operator");
    }
    stage.caller = Some(Caller::operator());
    assert_eq!(asked(&mut stage, &lee, &keys(1)), Err(Rejection::PrincipalNotRemoved));
    assert_eq!(asked(&mut stage, &root(), &keys(1)), Err(Rejection::PrincipalNotRemoved), "root goes with its account");
    assert_eq!(asked(&mut stage, &user("nobody"), &keys(1)), Err(Rejection::PrincipalUnknown));

    assert_eq!(removed(&mut stage), Ok(Verdict::Done));
    let left_behind = Belongings { left_behind: Some(phone("lee")), ..keys(1) };
    assert_eq!(asked(&mut stage, &lee, &left_behind), Err(Rejection::DeviceLeftBehind { serial: phone("lee") }));
    assert_eq!(asked(&mut stage, &lee, &keys(FORGOTTEN_MAX + 1)), Err(Rejection::TooMuchToForget));
    assert_eq!(asked(&mut stage, &lee, &keys(FORGOTTEN_MAX)), Ok(Verdict::Done));
    let count = stage.log.len();
    assert_eq!(asked(&mut stage, &lee, &keys(1)), Ok(Verdict::Done));
    assert_eq!(stage.log.len(), count, "once");
    assert_eq!(removed(&mut stage), Err(Rejection::PrincipalForgotten), "and no other command is taken");
}

#[test]
fn the_fold_goes_on_at_the_tombstone() {
    let mut stage = Stage::new(Policy::classic());
    let lee = stage.user("lee");
    stage.caller = Some(Caller::operator());
    removed(&mut stage).unwrap();
    asked(&mut stage, &lee, &keys(2)).unwrap();
    let (_, tombstone) = stage.log.last().unwrap();
    assert_eq!(Principal::resume(tombstone, stage.now).as_ref(), stage.principal(&lee));
    let others = stage.log.iter().filter(|(_, event)| event != tombstone);
    assert!(
        others.clone().count() > 3 && others.clone().all(|(_, event)| Principal::resume(event, stage.now).is_none())
    );
    let removed = stage.log.iter().find(|(_, event)| matches!(event, Event::PrincipalRemoved(_))).unwrap();
    assert!(Principal::evolve(None, tombstone, stage.now).is_err());
    assert!(
        Principal::evolve(stage.principal(&lee).cloned(), &removed.1, stage.now).is_err(),
        "nothing comes after it"
    );
}
