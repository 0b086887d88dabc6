//! Signing in with a TOTP device, with a linked principal's before it, and root's way back in.

use alloc::vec;
use alloc::vec::Vec;

use super::Chapter;
use super::scene::{NOW, Scene, created, lee, person, root, settled, virtual_serial};
use super::totp::Found;
use crate::caller::{Caller, Credential};
use crate::decide::{
    Context, Decision, Denial, Step, ask_alternative, associate_proven, associate_refused, begin_sign_in, deactivate,
    finish_recovery, prove_alternative, sign_in_with_code,
};
use crate::event::{AlternativeFactor, CodeFault, DeactivateReason};
use crate::ids::{AttemptId, ChallengeId, StreamId};
use crate::policy::Policy;
use crate::principal::Principal;
use crate::secret::ChallengeSecret;

const ATTEMPT: AttemptId = AttemptId::from_bytes([1; 16]);
const MAIL: ChallengeId = ChallengeId::from_bytes([2; 16]);
const CALL: ChallengeId = ChallengeId::from_bytes([3; 16]);

pub(super) const CHAPTER: Chapter = Chapter {
    title: "Signing in",
    about: "Of root, if nothing else is said. Whoever asks has shown the password and nothing else.",
    scenes,
    commands: &[
        ("begin sign-in", |scene, context| Ok(begin_sign_in(scene.principal.as_ref(), ATTEMPT, None, context))),
        ("begin sign-in, linked", |scene, context| {
            Ok(begin_sign_in(scene.principal.as_ref(), ATTEMPT, Some(linked()?), context))
        }),
        ("good code", |scene, context| Ok(typed(scene, Found::Now, context))),
        ("wrong code", |scene, context| Ok(typed(scene, Found::Nowhere, context))),
        ("linked device proven", |scene, context| {
            let device = virtual_serial("linked")?.stream();
            Ok(associate_proven(scene.principal.as_ref(), ATTEMPT, device, [0; 16], context))
        }),
        ("linked device refused", |scene, context| {
            let (device, denial) =
                (virtual_serial("linked")?.stream(), Denial::Code { fault: CodeFault::Wrong, steps: 0 });
            Ok(associate_refused(scene.principal.as_ref(), ATTEMPT, device, denial, context))
        }),
        ("send a mail", |scene, context| Ok(asked(scene, AlternativeFactor::Mail, MAIL, context))),
        ("right answer to the mail", |scene, context| Ok(answered(scene, AlternativeFactor::Mail, true, context))),
        ("wrong answer to the mail", |scene, context| Ok(answered(scene, AlternativeFactor::Mail, false, context))),
        ("call the phone", |scene, context| Ok(asked(scene, AlternativeFactor::Phone, CALL, context))),
        ("right answer to the call", |scene, context| Ok(answered(scene, AlternativeFactor::Phone, true, context))),
        ("finish recovery", |scene, context| {
            Ok(finish_recovery(scene.principal.as_ref(), ATTEMPT, allowed(scene), context))
        }),
        ("deactivate the device", |scene, context| Ok(deactivated(scene, context))),
        ("deactivate the device, once recovered", |scene, context| {
            let caller = Caller { credential: Credential::Recovered, ..context.caller.clone() };
            Ok(deactivated(scene, &Context { caller: &caller, ..*context }))
        }),
    ],
    caller: |owner| Caller::at_console(owner, None),
};

/// The principal of the linked account.
fn linked() -> Result<StreamId, &'static str> {
    Ok(person("AIDALINKED", "linked")?.registered().ok_or("linked")?.stream)
}

fn allowed(scene: &Scene) -> bool {
    scene.account.as_ref().is_some_and(|account| account.settings.alternative_factors)
}

fn typed(scene: &Scene, found: Found, context: &Context<'_>) -> Decision {
    let (principal, device) = (scene.principal.as_ref(), scene.serial.stream());
    match sign_in_with_code(principal, ATTEMPT, device, None, context) {
        Step::Decided(decision) => decision,
        Step::Ask(search) => {
            let matches = found.matches(search);
            settled(sign_in_with_code(principal, ATTEMPT, device, Some(&matches), context))
        }
    }
}

fn asked(scene: &Scene, factor: AlternativeFactor, challenge: ChallengeId, context: &Context<'_>) -> Decision {
    let sent = (challenge, ChallengeSecret::new([0; 32]));
    ask_alternative(scene.principal.as_ref(), ATTEMPT, factor, sent, allowed(scene), context)
}

fn answered(scene: &Scene, factor: AlternativeFactor, good: bool, context: &Context<'_>) -> Decision {
    let call = (factor == AlternativeFactor::Phone).then_some(CALL);
    let (principal, allowed) = (scene.principal.as_ref(), allowed(scene));
    match prove_alternative(principal, ATTEMPT, (factor, call), None, allowed, context) {
        Step::Decided(decision) => decision,
        Step::Ask(_) => settled(prove_alternative(principal, ATTEMPT, (factor, call), Some(good), allowed, context)),
    }
}

fn deactivated(scene: &Scene, context: &Context<'_>) -> Decision {
    deactivate(scene.principal.as_ref(), scene.candidate(), DeactivateReason::Lost, context)
}

/// Who has a phone, some minutes after it was enabled.
fn equipped(name: &'static str, principal: Principal, policy: &Policy) -> Result<Scene, &'static str> {
    let serial = virtual_serial("phone")?;
    let mut scene = Scene::absent(name, &serial, principal)?.with(created(&serial)?);
    let caller = CHAPTER.caller_of(&scene);
    let context = Context { now: NOW, policy, caller: &caller, client: None };
    let Ok(crate::decide::Outcome::Record(record)) = scene.enable(true, &context) else { return Err(name) };
    for (stream, event) in &record.writes {
        scene.take(*stream, event)?;
    }
    Ok(scene.later(name, 600))
}

fn scenes(policy: &Policy) -> Result<Vec<Scene>, &'static str> {
    let advanced = |name, from: &Scene, commands: &[&str]| CHAPTER.advanced(name, from, policy, commands);
    let bare = Scene::absent("no device", &virtual_serial("phone")?, root()?)?;
    let waiting = "no device; sign-in waits for the linked principal's device";
    let by_link = advanced(waiting, &bare, &["begin sign-in, linked"])?;
    let phone = equipped("phone enabled", root()?, policy)?;
    let open = advanced("sign-in open", &phone, &["begin sign-in"])?;
    let refused = advanced("sign-in open, guesses used up", &open, &["wrong code"; 10])?;
    let first = advanced("sign-in waits for the linked principal's device", &phone, &["begin sign-in, linked"])?;
    let second = advanced("sign-in open, linked device proven", &first, &["linked device proven"])?;
    let mailed = advanced("recovery, mail sent", &open, &["send a mail"])?;
    let half = advanced("recovery, mail proven", &mailed, &["right answer to the mail"])?;
    let called = advanced("recovery, phone called", &half, &["call the phone"])?;
    let both = advanced("recovery, both proven", &called, &["right answer to the call"])?;
    let over = advanced("recovery, both proven, then started over", &both, &["begin sign-in"])?;
    let mut without = Scene { name: "sign-in open; no alternative factors in the account", ..open.clone() };
    if let Some(account) = &mut without.account {
        account.settings.alternative_factors = false;
    }
    let late = open.clone().later("sign-in open too long", 600);
    let user = advanced("sign-in open, of a user", &equipped("user", lee()?, policy)?, &["begin sign-in"])?;
    Ok(vec![bare, by_link, phone, open, refused, first, second, mailed, half, called, both, over, without, late, user])
}
