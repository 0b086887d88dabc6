//! SMS devices.

use alloc::vec;
use alloc::vec::Vec;

use super::Chapter;
use super::scene::{NOW, Scene, account_id, lee, name, root, settled};
use crate::caller::Caller;
use crate::decide::{
    Context, Decision, Enrolment, Removal, Sending, Step, begin_sign_in, begin_sms_enrolment, deactivate,
    finish_sms_enrolment, remove_user, send_sign_in_code, sign_in_with_sent_code, verify_code,
};
use crate::device::{PhoneNumber, Serial};
use crate::event::{DeactivateReason, Purpose};
use crate::ids::{AttemptId, ChallengeId, Version};
use crate::policy::Policy;
use crate::principal::Principal;
use crate::secret::ChallengeSecret;
use crate::settings::SmsEligibility;
use crate::sms::{Country, Destination, Prefix, RouteName};

const ATTEMPT: AttemptId = AttemptId::from_bytes([1; 16]);
pub(super) const ENROLMENT: ChallengeId = ChallengeId::from_bytes([2; 16]);
const SENT: ChallengeId = ChallengeId::from_bytes([3; 16]);

pub(super) const CHAPTER: Chapter = Chapter {
    title: "SMS devices",
    about: "Asked as for security keys. A device that exists outlives the offer, so that the modern rules have states\n\
            that they do not lead to.",
    scenes,
    commands: &[
        ("enrol a number", |scene, context| {
            let phone = PhoneNumber::parse("+15550101234").map_err(|_| "phone")?;
            let sent = sending(unused(scene, ENROLMENT))?;
            Ok(begin_sms_enrolment(scene.principal.as_ref(), enrolment(scene)?, sent, phone, context))
        }),
        ("enrolment, good code", |scene, context| finished(scene, true, context)),
        ("enrolment, wrong code", |scene, context| finished(scene, false, context)),
        ("begin sign-in", |scene, context| Ok(begin_sign_in(scene.principal.as_ref(), ATTEMPT, None, context))),
        ("send a code", |scene, context| {
            let (device, sent) = (scene.serial.stream(), sending(unused(scene, SENT))?);
            Ok(send_sign_in_code(scene.principal.as_ref(), ATTEMPT, device, sent, context))
        }),
        ("good code", |scene, context| Ok(typed(scene, true, context))),
        ("wrong code", |scene, context| Ok(typed(scene, false, context))),
        ("code at STS", |scene, context| {
            let (principal, device) = (scene.principal.as_ref(), scene.serial.stream());
            Ok(settled(verify_code(principal, device, Purpose::SessionToken, None, context)))
        }),
        ("deactivate", |scene, context| {
            Ok(deactivate(scene.principal.as_ref(), scene.candidate(), DeactivateReason::Requested, context))
        }),
        ("remove user and devices", |scene, context| {
            Ok(remove_user(scene.principal.as_ref(), Removal::TakeDevices, context))
        }),
    ],
    caller: |owner| Caller::at_console(owner, Some(NOW)),
};

/// This challenge, or another one where it was asked already.
pub(super) fn unused(scene: &Scene, challenge: ChallengeId) -> ChallengeId {
    let owner = scene.principal.as_ref().and_then(Principal::registered);
    let known = owner.is_some_and(|owner| owner.outgoing.message(challenge).is_some());
    if known { ChallengeId::from_bytes([4; 16]) } else { challenge }
}

/// A code that nothing stands against.
pub(super) fn sending(challenge: ChallengeId) -> Result<Sending, &'static str> {
    let prefix = Prefix::new("+1415555").ok_or("prefix")?;
    let destination = Destination { number: [0; 16], prefix, country: Country::NONE };
    let (secret, decision) = (ChallengeSecret::new([0; 32]), Version(1));
    let route = RouteName::new("main").ok_or("route")?;
    Ok(Sending { challenge, secret, decision, destination, route, admitted: Ok(()) })
}

pub(super) fn enrolment(scene: &Scene) -> Result<Enrolment<'_>, &'static str> {
    let eligibility = scene.account.as_ref().ok_or("account")?.settings.sms;
    Ok(Enrolment { serial: &scene.serial, device: scene.device.as_ref(), eligibility })
}

pub(super) fn finished(scene: &Scene, good: bool, context: &Context<'_>) -> Result<Decision, &'static str> {
    let (principal, enrolment) = (scene.principal.as_ref(), enrolment(scene)?);
    Ok(match finish_sms_enrolment(principal, enrolment, ENROLMENT, None, context) {
        Step::Decided(decision) => decision,
        Step::Ask(_) => settled(finish_sms_enrolment(principal, enrolment, ENROLMENT, Some(good), context)),
    })
}

fn typed(scene: &Scene, good: bool, context: &Context<'_>) -> Decision {
    let (principal, device) = (scene.principal.as_ref(), scene.serial.stream());
    match sign_in_with_sent_code(principal, ATTEMPT, device, None, context) {
        Step::Decided(decision) => decision,
        Step::Ask(_) => settled(sign_in_with_sent_code(principal, ATTEMPT, device, Some(good), context)),
    }
}

/// The same scene in an account that offers SMS devices to others than before.
fn offered(mut scene: Scene, name: &'static str, eligibility: SmsEligibility) -> Scene {
    scene.name = name;
    if let Some(account) = &mut scene.account {
        account.settings.sms = eligibility;
    }
    scene
}

fn scenes(policy: &Policy) -> Result<Vec<Scene>, &'static str> {
    let rules = Policy { sms_enrolment: true, ..policy.clone() };
    let advanced = |name, from: &Scene, commands: &[&str]| CHAPTER.advanced(name, from, &rules, commands);
    let serial = Serial::of_sms(account_id()?, &name("lee")?).map_err(|_| "serial")?;
    let absent = Scene::absent("SMS device, absent", &serial, lee()?)?;
    let closed = offered(absent.clone(), "SMS device, absent; for participants only", SmsEligibility::ExistingOnly);
    let roots = Scene::absent("SMS device, absent; root", &serial, root()?)?;
    let pending = advanced("SMS device, enrolment pending", &absent, &["enrol a number"])?;
    let again = pending.clone().later("SMS device, enrolment pending for half a minute", 30);
    let late = pending.clone().later("SMS device, enrolment pending too long", 300);
    let spent = advanced("SMS device, enrolment pending, tries used up", &pending, &["enrolment, wrong code"; 5])?;
    let enabled =
        advanced("SMS device, enabled", &pending, &["enrolment, good code"])?.later("SMS device, enabled", 60);
    let open = advanced("SMS device, enabled; sign-in open", &enabled, &["begin sign-in"])?;
    let sent = advanced("SMS device, code sent in a sign-in", &open, &["send a code"])?;
    let too_late = sent.clone().later("SMS device, code sent too long ago", 300);
    let tried = advanced("SMS device, code sent in a sign-in, tries used up", &sent, &["wrong code"; 5])?;
    let gone = advanced("SMS device, deactivated", &enabled, &["deactivate"])?;
    let long_gone = gone.clone().later("SMS device, deactivated ten minutes ago", 600);
    let participant = "SMS device, deactivated ten minutes ago; for participants only";
    let participant = offered(long_gone.clone(), participant, SmsEligibility::Ending);
    let ended = "SMS device, deactivated ten minutes ago; the offer has ended";
    let ended = offered(long_gone.clone(), ended, SmsEligibility::Ended);
    Ok(vec![
        absent,
        closed,
        roots,
        pending,
        again,
        late,
        spent,
        enabled,
        open,
        sent,
        too_late,
        tried,
        gone,
        long_gone,
        participant,
        ended,
    ])
}
