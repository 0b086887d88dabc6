//! Root's way back in by e-mail and phone (R130, A22, A23), and the ways round it that there must not be.

use countersign_domain::caller::{Caller, Credential};
use countersign_domain::decide::*;
use countersign_domain::event::AlternativeFactor::{Mail, Phone};
use countersign_domain::event::*;
use countersign_domain::ids::*;
use countersign_domain::policy::Policy;
use countersign_domain::principal::Alternative;
use countersign_domain::rejection::Rejection;
use countersign_domain::settings::Preset;

use crate::people::Typed::Shown;
use crate::stage::*;

const UNKNOWN: Answer = Err(Rejection::ChallengeUnknown);
const NOT_YET: Answer = Err(Rejection::FactorUnknown);
const NOT_OFFERED: Answer = Err(Rejection::AlternativeFactorsNotOffered);

/// Root with a phone that is lost, and a sign-in that it has begun.
fn lost() -> (Stage, AttemptId) {
    let mut stage = Stage::new(Policy::classic());
    stage.phone(&root(), "root");
    stage.wait_s(600);
    let attempt = stage.begin(&root());
    (stage, attempt)
}

fn prove(stage: &mut Stage, attempt: AttemptId, factor: AlternativeFactor) {
    let asked = challenge(stage.ask_factor(&root(), attempt, factor));
    assert_eq!(stage.prove_factor(&root(), attempt, factor, asked), Ok(Verdict::Done));
}

fn recovered(attempt: AttemptId) -> Answer {
    Ok(Verdict::SignedIn { attempt, factor: SignInFactor::AlternativeFactors, device: None })
}

#[test]
fn mail_then_phone_then_in() {
    let (mut stage, attempt) = lost();
    let devices = stage.registered(&root()).devices.clone();
    prove(&mut stage, attempt, Mail);
    prove(&mut stage, attempt, Phone);
    assert_eq!(stage.finish_recovery(&root(), attempt), recovered(attempt));
    assert_eq!(stage.registered(&root()).devices, devices, "R130 a: the devices stay as they are");
    assert_eq!(stage.finish_recovery(&root(), attempt), UNKNOWN, "once");
}

#[test]
fn the_phone_is_not_called_before_the_mail_is_proven() {
    let (mut stage, attempt) = lost();
    assert_eq!(stage.ask_factor(&root(), attempt, Phone), NOT_YET);
    let asked = challenge(stage.ask_factor(&root(), attempt, Mail));
    assert_eq!(stage.ask_factor(&root(), attempt, Phone), NOT_YET, "asked for is not proven");
    assert_eq!(stage.prove_factor(&root(), attempt, Phone, asked), UNKNOWN, "the mail's code is none of the phone's");
}

#[test]
fn both_are_needed() {
    let (mut stage, attempt) = lost();
    assert_eq!(stage.finish_recovery(&root(), attempt), NOT_YET);
    prove(&mut stage, attempt, Mail);
    assert_eq!(stage.finish_recovery(&root(), attempt), NOT_YET);
    let asked = challenge(stage.ask_factor(&root(), attempt, Phone));
    assert_eq!(stage.finish_recovery(&root(), attempt), NOT_YET);
    let other = stage.ticket();
    assert_eq!(stage.prove_factor(&root(), attempt, Phone, other), UNKNOWN, "a call is answered under its own id");
    assert_eq!(stage.prove_factor(&root(), attempt, Phone, asked), Ok(Verdict::Done));
    assert_eq!(stage.prove_factor(&root(), attempt, Phone, asked), UNKNOWN, "once");
    assert_eq!(stage.finish_recovery(&root(), attempt), recovered(attempt));
}

#[test]
fn a_mail_that_is_asked_for_again_is_proven_again() {
    let (mut stage, attempt) = lost();
    prove(&mut stage, attempt, Mail);
    prove(&mut stage, attempt, Phone);
    stage.wait_s(30);
    let again = challenge(stage.ask_factor(&root(), attempt, Mail));
    assert_eq!(stage.finish_recovery(&root(), attempt), NOT_YET);
    assert_eq!(stage.prove_factor(&root(), attempt, Mail, again), Ok(Verdict::Done));
    assert_eq!(stage.finish_recovery(&root(), attempt), recovered(attempt));
}

#[test]
fn a_proof_counts_in_its_own_attempt() {
    let (mut stage, first) = lost();
    let second = stage.begin(&root());
    prove(&mut stage, second, Mail);
    assert_eq!(stage.ask_factor(&root(), first, Phone), NOT_YET, "A23: one continuous attempt");
    let asked = challenge(stage.ask_factor(&root(), second, Phone));
    assert_eq!(stage.prove_factor(&root(), first, Phone, asked), UNKNOWN);
    assert_eq!(stage.finish_recovery(&root(), first), NOT_YET);
}

#[test]
fn starting_over_makes_what_was_proven_worthless() {
    let (mut stage, attempt) = lost();
    prove(&mut stage, attempt, Mail);
    let asked = challenge(stage.ask_factor(&root(), attempt, Phone));
    stage.begin(&root());
    let open = &stage.pending(&root()).sign_ins[0];
    assert_eq!((&open.mail, &open.phone), (&Alternative::NotAsked, &Alternative::NotAsked), "A23");
    assert_eq!(stage.prove_factor(&root(), attempt, Phone, asked), UNKNOWN);
    assert_eq!(stage.finish_recovery(&root(), attempt), NOT_YET);
    stage.wait_s(30);
    prove(&mut stage, attempt, Mail);
    prove(&mut stage, attempt, Phone);
    stage.begin(&root());
    assert_eq!(stage.finish_recovery(&root(), attempt), NOT_YET, "also when both were proven");
}

#[test]
fn a_code_has_five_tries_and_ten_minutes() {
    let (mut stage, attempt) = lost();
    let other = stage.ticket();
    let asked = challenge(stage.ask_factor(&root(), attempt, Mail));
    for _ in 0..5 {
        assert_eq!(stage.prove_factor(&root(), attempt, Mail, other), denied(Denial::Alternative));
    }
    assert_eq!(stage.prove_factor(&root(), attempt, Mail, asked), UNKNOWN, "A22");
    stage.wait_s(30);
    let anew = challenge(stage.ask_factor(&root(), attempt, Mail));
    assert_eq!(stage.prove_factor(&root(), attempt, Mail, asked), denied(Denial::Alternative), "the newest counts");
    stage.now = stage.now.plus_ms(569_999);
    assert_eq!(stage.prove_factor(&root(), attempt, Mail, anew), Ok(Verdict::Done));
    stage.now = stage.now.plus_ms(1);
    assert_eq!(stage.ask_factor(&root(), attempt, Phone), UNKNOWN, "the sign-in itself is over");
}

#[test]
fn an_answer_that_comes_after_its_time_is_none() {
    let mut stage = Stage::new(Policy { alternative_life_s: 60, ..Policy::classic() });
    stage.phone(&root(), "root");
    stage.wait_s(600);
    let attempt = stage.begin(&root());
    let asked = challenge(stage.ask_factor(&root(), attempt, Mail));
    stage.now = stage.now.plus_ms(60_000);
    assert_eq!(stage.prove_factor(&root(), attempt, Mail, asked), UNKNOWN);
}

#[test]
fn the_mail_may_be_sent_again_after_a_pause_and_five_times_a_window() {
    let (mut stage, attempt) = lost();
    stage.now = UnixMillis::from_secs(stage.now.secs().next_multiple_of(900));
    let attempt = if stage.ask_factor(&root(), attempt, Phone) == UNKNOWN { stage.begin(&root()) } else { attempt };
    for sent in 0..5 {
        challenge(stage.ask_factor(&root(), attempt, Mail));
        assert!(matches!(stage.ask_factor(&root(), attempt, Mail), Err(Rejection::TooSoon { .. })), "{sent}");
        stage.wait_s(30);
    }
    assert!(matches!(stage.ask_factor(&root(), attempt, Mail), Err(Rejection::TooSoon { .. })), "NT-40");
    let other = stage.begin(&root());
    assert!(matches!(stage.ask_factor(&root(), other, Mail), Err(Rejection::TooSoon { .. })), "NT-14");
}

#[test]
fn it_is_roots_alone() {
    let mut stage = Stage::new(Policy::classic());
    let lee = stage.user("lee");
    stage.phone(&lee, "lee");
    let attempt = stage.begin(&lee);
    let never = stage.ticket();
    assert_eq!(stage.ask_factor(&lee, attempt, Mail), NOT_OFFERED, "R8, R129");
    assert_eq!(stage.prove_factor(&lee, attempt, Mail, never), NOT_OFFERED);
    assert_eq!(stage.finish_recovery(&lee, attempt), NOT_OFFERED);
}

#[test]
fn an_account_may_do_without_it() {
    let (mut stage, attempt) = lost();
    prove(&mut stage, attempt, Mail);
    let asked = challenge(stage.ask_factor(&root(), attempt, Phone));
    stage.set(&Setting::AlternativeFactors(false)).unwrap();
    assert_eq!(stage.prove_factor(&root(), attempt, Phone, asked), NOT_OFFERED, "R130 b, also half-way");
    assert_eq!(stage.ask_factor(&root(), attempt, Mail), NOT_OFFERED);
    assert_eq!(stage.finish_recovery(&root(), attempt), NOT_OFFERED);
}

#[test]
fn who_has_another_device_uses_it() {
    let mut stage = Stage::new(Policy::modern());
    let (one, _two) = (stage.phone(&root(), "one"), stage.phone(&root(), "two"));
    let attempt = stage.begin(&root());
    assert_eq!(stage.ask_factor(&root(), attempt, Mail), NOT_OFFERED, "R130 d");
    stage.deactivate(&root(), &one).unwrap();
    prove(&mut stage, attempt, Mail);
    prove(&mut stage, attempt, Phone);
    stage.phone(&root(), "three");
    assert_eq!(stage.finish_recovery(&root(), attempt), NOT_OFFERED, "as it is at the end");
}

#[test]
fn without_a_password_there_is_no_recovery() {
    let (mut stage, _) = lost();
    let never = stage.attempt();
    assert_eq!(stage.ask_factor(&root(), never, Mail), UNKNOWN);
    assert_eq!(stage.finish_recovery(&root(), never), UNKNOWN);
    let nobody = PrincipalId::Root(AccountId::from_number(1).unwrap());
    assert_eq!(stage.finish_recovery(&nobody, never), Err(Rejection::PrincipalUnknown));
}

#[test]
fn a_found_phone_still_completes_the_attempt() {
    let (mut stage, attempt) = lost();
    prove(&mut stage, attempt, Mail);
    let own = phone("root");
    assert_eq!(stage.type_code(&root(), attempt, &own, Shown(0)), in_by(attempt, &own));
    assert_eq!(stage.ask_factor(&root(), attempt, Phone), UNKNOWN);
}

// ---- what one may do then ----

/// R182, NT-21: in the console no rules let half a session change the devices of its own principal.
#[test]
fn a_console_session_without_a_second_factor_changes_no_own_device() {
    for preset in [None, Some(Preset::Modern), Some(Preset::Strict)] {
        let mut stage = Stage::new(Policy::classic());
        stage.choose(preset);
        for who in [root(), stage.user("lee")] {
            let name = if who.is_root() { "roots" } else { "lees" };
            stage.caller = Some(Caller::at_console(who.clone(), None));
            let serial = stage.phone(&who, name);
            let answer = stage.deactivate(&who, &serial);
            assert_eq!(answer, Err(Rejection::SelfManagementNeedsMfa), "{preset:?}: the first, and then no more");
            stage.caller = Some(Caller::at_console(who.clone(), Some(stage.now)));
            assert_eq!(stage.deactivate(&who, &serial), Ok(Verdict::Done), "R181: the last one too");
        }
    }
}

/// R180, R181: through the API it is the modern rules that ask for it.
#[test]
fn a_key_of_the_api_changes_own_devices_where_the_rules_let_it() {
    for (preset, may) in [(None, true), (Some(Preset::Modern), false)] {
        let mut stage = Stage::new(Policy::classic());
        stage.choose(preset);
        let lee = stage.user("lee");
        stage.caller = Some(Caller::with_key(lee.clone()));
        let phone = stage.phone(&lee, "lee");
        let answer = stage.deactivate(&lee, &phone);
        assert_eq!(answer, if may { Ok(Verdict::Done) } else { Err(Rejection::SelfManagementNeedsMfa) }, "{preset:?}");
    }
}

#[test]
fn root_takes_the_lost_device_away_after_its_recovery() {
    for preset in [None, Some(Preset::Modern)] {
        let mut stage = Stage::new(Policy::classic());
        stage.choose(preset);
        let lost = stage.phone(&root(), "lost");
        stage.caller = Some(Caller { credential: Credential::Recovered, ..Caller::at_console(root(), None) });
        assert_eq!(stage.deactivate(&root(), &lost), Ok(Verdict::Done), "A22, {preset:?}");
        let Some((_, Event::DeviceDeactivated(gone))) =
            stage.log.iter().rev().find(|(_, event)| matches!(event, Event::DeviceDeactivated(_)))
        else {
            panic!("not recorded")
        };
        assert!(!gone.by.mfa, "and the log does not say that a device was proven");
        stage.phone(&root(), "new");
    }
}

#[test]
fn a_recovered_session_reaches_nobody_elses_device() {
    let mut stage = Stage::new(Policy::modern());
    let lee = stage.user("lee");
    let phone = stage.phone(&lee, "lee");
    let other = PrincipalId::Root(AccountId::from_number(1).unwrap());
    stage.caller = Some(Caller { credential: Credential::Recovered, ..Caller::at_console(other, None) });
    assert_eq!(stage.deactivate(&lee, &phone), Err(Rejection::ChannelNotAllowed));
}
