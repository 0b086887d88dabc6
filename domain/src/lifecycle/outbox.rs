//! Codes on their way to a gateway.

use alloc::vec;
use alloc::vec::Vec;

use super::Chapter;
use super::messages::{ENROLMENT, enrolment, finished, sending, unused};
use super::scene::{NOW, Scene, account_id, lee, name};
use crate::caller::Caller;
use crate::decide::{
    Context, Decision, Submit, Submitted, begin_sms_enrolment, begin_submit, drop_message, end_sign_ins, end_submit,
    redrive, report,
};
use crate::device::{PhoneNumber, Serial};
use crate::event::{SmsDelivery, SmsDropReason, SmsSubmitFault};
use crate::policy::Policy;
use crate::sms::{MessageId, RouteName};

pub(super) const CHAPTER: Chapter = Chapter {
    title: "Codes on their way",
    about: "Asked by the sender actors, of the code of an enrolment. A try has 15 seconds to end; after\n\
            that nobody knows how it did.",
    scenes,
    commands: &[
        ("enrol a number", |scene, context| {
            let phone = PhoneNumber::parse("+14155550123").map_err(|_| "phone")?;
            let sent = sending(unused(scene, ENROLMENT))?;
            Ok(begin_sms_enrolment(scene.principal.as_ref(), enrolment(scene)?, sent, phone, context))
        }),
        ("enrolment, good code", |scene, context| finished(scene, true, context)),
        ("enrolment, wrong code", |scene, context| finished(scene, false, context)),
        ("begin a try", |scene, context| begun(scene, None, context)),
        ("begin a try, money spent", |scene, context| begun(scene, Some(SmsDropReason::Budget), context)),
        ("taken", |scene, context| Ok(ended(scene, Submitted::Taken(MessageId::new("SM1")), context))),
        ("throttled", |scene, context| Ok(ended(scene, Submitted::Failed(SmsSubmitFault::Throttled), context))),
        ("no answer", |scene, context| Ok(ended(scene, Submitted::Failed(SmsSubmitFault::Unknown), context))),
        ("no such number", |scene, context| {
            Ok(ended(scene, Submitted::Failed(SmsSubmitFault::InvalidNumber), context))
        }),
        ("no route", |scene, context| {
            Ok(drop_message(scene.principal.as_ref(), ENROLMENT, SmsDropReason::NoRoute, context))
        }),
        ("reported enroute", |scene, context| {
            Ok(report(scene.principal.as_ref(), ENROLMENT, SmsDelivery::Enroute, context))
        }),
        ("reported delivered", |scene, context| {
            Ok(report(scene.principal.as_ref(), ENROLMENT, SmsDelivery::Delivered, context))
        }),
        ("re-drive", |scene, context| Ok(redrive(scene.principal.as_ref(), ENROLMENT, context))),
        ("end sign-ins", |scene, context| Ok(end_sign_ins(scene.principal.as_ref(), context))),
    ],
    caller: |owner| Caller::at_console(owner, Some(NOW)),
};

fn begun(scene: &Scene, against: Option<SmsDropReason>, context: &Context<'_>) -> Result<Decision, &'static str> {
    let route = RouteName::new("main").ok_or("route")?;
    let submit = Submit { challenge: ENROLMENT, route, lease_ms: 15_000, price_micros: 7_500, against };
    Ok(begin_submit(scene.principal.as_ref(), &submit, context))
}

/// Of the last try.
fn ended(scene: &Scene, submitted: Submitted, context: &Context<'_>) -> Decision {
    let owner = scene.principal.as_ref().and_then(|principal| principal.registered());
    let submits = owner.and_then(|owner| owner.outgoing.message(ENROLMENT)).map_or(0, |message| message.submits);
    end_submit(scene.principal.as_ref(), ENROLMENT, submits, submitted, context)
}

fn scenes(policy: &Policy) -> Result<Vec<Scene>, &'static str> {
    let rules = Policy { sms_enrolment: true, ..policy.clone() };
    let advanced = |name, from: &Scene, commands: &[&str]| CHAPTER.advanced(name, from, &rules, commands);
    let serial = Serial::of_sms(account_id()?, &name("lee")?).map_err(|_| "serial")?;
    let waiting = advanced("queued", &Scene::absent("nothing queued", &serial, lee()?)?, &["enrol a number"])?;
    let trying = advanced("a gateway is being asked", &waiting, &["begin a try"])?;
    let lost = trying.clone().later("a gateway was asked, and nothing was heard for 15 seconds", 15);
    let throttled = advanced("a try failed", &trying, &["throttled"])?;
    let unknown = advanced("a try of unknown outcome", &trying, &["no answer"])?;
    let twice = advanced("two tries of unknown outcome", &unknown, &["begin a try", "no answer"])?;
    let spent = advanced("twenty tries failed", &waiting, &["begin a try", "throttled"].repeat(20))?;
    let lost_twice = advanced("given up after two tries of unknown outcome", &twice, &["begin a try"])?;
    let refused = advanced("refused for good", &trying, &["no such number"])?;
    let taken = advanced("taken", &trying, &["taken"])?;
    let enroute = advanced("reported to be on its way", &taken, &["reported enroute"])?;
    let delivered = advanced("delivered", &taken, &["reported delivered"])?;
    let dropped = advanced("given up", &waiting, &["no route"])?;
    let redriven = advanced("given up, and wanted after all", &dropped, &["re-drive"])?;
    let void = advanced("queued, and void since the sign-ins were ended", &waiting, &["end sign-ins"])?;
    let guessed = "queued, and void since it was guessed at five times";
    let guessed = advanced(guessed, &waiting, &["enrolment, wrong code"; 5])?;
    let enrolled = advanced("queued, and void since the number is enrolled", &waiting, &["enrolment, good code"])?;
    let newer = waiting.clone().later("queued, and void since a newer code was asked for", 30);
    let newer = advanced(newer.name, &newer, &["enrol a number"])?;
    let late = waiting.clone().later("queued, and too late", 300);
    let given_up_late = dropped.clone().later("given up, and too late", 300);
    Ok(vec![
        waiting,
        trying,
        lost,
        throttled,
        unknown,
        twice,
        lost_twice,
        spent,
        refused,
        taken,
        enroute,
        delivered,
        dropped,
        redriven,
        void,
        guessed,
        enrolled,
        newer,
        late,
        given_up_late,
    ])
}
